/* template/filters.c - the table of filters; see filters_internal.h for what they are.
 *
 * Of jinja2's own, random, pprint, urlize and wordwrap are left out: no chat template has a use for them.
 */
#include "template/filters_internal.h"

static const struct callable filters[] = {
#define X(name, params, fn, tag) { name, params, fn, tag },
    FILTERS(X)
#undef X
};

const struct callable *tpl_find_filter(const char *name, size_t len)
{
    return tpl_find_in(filters, sizeof(filters) / sizeof(filters[0]), name, len);
}
