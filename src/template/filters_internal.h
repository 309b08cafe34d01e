/* template/filters_internal.h - every filter's function; filters.c has the table of their names.
 *
 * For:     filters.c; filters_text.c, filters_seq.c and filters_num.c define them.
 */
#ifndef TUTTI_TEMPLATE_FILTERS_INTERNAL_H
#define TUTTI_TEMPLATE_FILTERS_INTERNAL_H
#include "template/run_internal.h"

/* Names and parameters as templates write them; ORDER is alphabetical within a file. */
#define FILTERS(X)                                                                                           \
    /* filters_num.c */                                                                                      \
    X("abs", "/", filter_abs, 0)                                                                             \
    X("float", "?default", filter_float, 0)                                                                  \
    X("int", "?default ?base", filter_int, 0)                                                                \
    X("max", "?case_sensitive ?attribute", filter_min_max, 1)                                                \
    X("min", "?case_sensitive ?attribute", filter_min_max, 0)                                                \
    X("round", "?precision ?method", filter_round, 0)                                                        \
    X("sum", "?attribute ?start", filter_sum, 0)                                                             \
    /* filters_seq.c */                                                                                      \
    X("attr", "name", filter_attr, 0)                                                                        \
    X("batch", "linecount ?fill_with", filter_batch, 0)                                                      \
    X("count", "/", filter_length, 0)                                                                        \
    X("d", "?default_value ?boolean", filter_default, 0)                                                     \
    X("default", "?default_value ?boolean", filter_default, 0)                                               \
    X("dictsort", "?case_sensitive ?by ?reverse", filter_dictsort, 0)                                        \
    X("first", "/", filter_first, 0)                                                                         \
    X("groupby", "attribute ?default ?case_sensitive", filter_groupby, 0)                                    \
    X("items", "/", filter_items, 0)                                                                         \
    X("join", "?d ?attribute", filter_join, 0)                                                               \
    X("last", "/", filter_last, 0)                                                                           \
    X("length", "/", filter_length, 0)                                                                       \
    X("list", "/", filter_list, 0)                                                                           \
    X("map", NULL, filter_lazy, LAZY_MAP)                                                                    \
    X("reject", NULL, filter_lazy, LAZY_REJECT)                                                              \
    X("rejectattr", NULL, filter_lazy, LAZY_REJECT | LAZY_ATTR)                                              \
    X("reverse", "/", filter_reverse, 0)                                                                     \
    X("select", NULL, filter_lazy, LAZY_SELECT)                                                              \
    X("selectattr", NULL, filter_lazy, LAZY_SELECT | LAZY_ATTR)                                              \
    X("slice", "slices ?fill_with", filter_slice, 0)                                                         \
    X("sort", "?reverse ?case_sensitive ?attribute", filter_sort, 0)                                         \
    X("unique", "?case_sensitive ?attribute", filter_unique, 0)                                              \
    /* filters_text.c */                                                                                     \
    X("capitalize", "/", filter_case, CASE_CAPITALIZE)                                                       \
    X("center", "?width", filter_center, 0)                                                                  \
    X("e", "/", filter_escape, 0)                                                                            \
    X("escape", "/", filter_escape, 0)                                                                       \
    X("filesizeformat", "?binary", filter_filesizeformat, 0)                                                 \
    X("forceescape", "/", filter_escape, 1)                                                                  \
    X("format", NULL, filter_format, 0)                                                                      \
    X("indent", "?width ?first ?blank", filter_indent, 0)                                                    \
    X("lower", "/", filter_case, CASE_LOWER)                                                                 \
    X("replace", "old new ?count", filter_replace, 0)                                                        \
    X("safe", "/", filter_safe, 0)                                                                           \
    X("string", "/", filter_string, 0)                                                                       \
    X("striptags", "/", filter_striptags, 0)                                                                 \
    X("title", "/", filter_title, 0)                                                                         \
    X("tojson", "?ensure_ascii ?indent ?separators ?sort_keys", filter_tojson, 0)                            \
    X("trim", "?chars", filter_trim, 0)                                                                      \
    X("truncate", "?length ?killwords ?end ?leeway", filter_truncate, 0)                                     \
    X("upper", "/", filter_case, CASE_UPPER)                                                                 \
    X("urlencode", "/", filter_urlencode, 0)                                                                 \
    X("wordcount", "/", filter_wordcount, 0)                                                                 \
    X("xmlattr", "?autospace", filter_xmlattr, 0)

enum { LAZY_MAP, LAZY_SELECT, LAZY_REJECT, LAZY_KIND = 3, LAZY_ATTR = 4 };

typedef bool filter_fn(struct render *r, const struct call *c, struct val *out);
filter_fn filter_abs, filter_float, filter_int, filter_min_max, filter_round, filter_sum;
filter_fn filter_attr, filter_batch, filter_length, filter_default, filter_dictsort, filter_first, filter_groupby,
    filter_items, filter_join, filter_last, filter_list, filter_lazy, filter_reverse, filter_slice, filter_sort,
    filter_unique;
filter_fn filter_case, filter_center, filter_escape, filter_filesizeformat, filter_format, filter_indent,
    filter_replace, filter_safe, filter_string, filter_striptags, filter_title, filter_tojson, filter_trim,
    filter_truncate, filter_urlencode, filter_wordcount, filter_xmlattr;

/* What attribute='a.b.0' means: subscripts one after the other; several of them with commas. */
struct getter {
    struct val *parts;
    size_t n;
    bool ignore_case;
    struct val preset; /* where a part is undefined; VAL_MISSING: none */
};
/* attribute may be VAL_MISSING or none: the item itself. */
bool tpl_getter(struct render *r, const struct val *attribute, bool ignore_case, struct getter *g);
bool tpl_get_by(struct render *r, const struct getter *g, const struct val *item, struct val *out);

/* Python's float(v): ValueError and TypeError are errors here. */
bool tpl_to_float(struct render *r, const struct val *v, struct val *out);
#endif
