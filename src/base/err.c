/* base/err.c - see err.h. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set_text(struct err *err, enum err_code code, const char *fmt, va_list ap)
{
    err->code = code;
    vsnprintf(err->text, sizeof(err->text), fmt, ap);
    for (char *p = err->text; *p; p++) /* one line, whatever the file called its tensors */
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
}

bool err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_text(err, code, fmt, ap);
    va_end(ap);
    return false;
}

void *err_null(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_text(err, code, fmt, ap);
    va_end(ap);
    return NULL;
}

bool err_prefix(struct err *err, const char *fmt, ...)
{
    char old[sizeof(err->text)];
    memcpy(old, err->text, sizeof(old));
    const enum err_code code = err->code;
    va_list ap;
    va_start(ap, fmt);
    set_text(err, code, fmt, ap);
    va_end(ap);
    const size_t n = strlen(err->text);
    snprintf(err->text + n, sizeof(err->text) - n, ": %s", old);
    return false;
}

void err_clear(struct err *err)
{
    err->code = ERR_NONE;
    err->text[0] = '\0';
}

static const struct {
    const char *name;
    int http;
} codes[] = {
#define X(n, h) { #n, h },
    ERR_CODES(X)
#undef X
};
_Static_assert(sizeof(codes) / sizeof(codes[0]) == ERR_COUNT, "ORDER ERR");

int err_http_status(enum err_code code) { return code < ERR_COUNT ? codes[code].http : 500; }
const char *err_name(enum err_code code) { return code < ERR_COUNT ? codes[code].name : "?"; }
