/* base/js.c - see js.h. */
#include "base/js.h"

void js_key(struct js *j, const char *name)
{
    if (j->has_more)
        buf_putc(j->b, ',');
    j->has_more = true;
    if (name)
        buf_printf(j->b, "\"%s\":", name);
}

void js_open(struct js *j, const char *name, char bracket)
{
    js_key(j, name);
    buf_putc(j->b, bracket);
    j->has_more = false;
}

void js_shut(struct js *j, char bracket)
{
    buf_putc(j->b, bracket);
    j->has_more = true;
}
