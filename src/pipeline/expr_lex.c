/* pipeline/expr_lex.c - from text to tokens, and where in the file an error is; see expr.h. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/expr_internal.h"

void *expr_fail_at(struct parse *p, const char *at, const char *fmt, ...)
{
    int line = p->line, column = p->column;
    char why[200];
    va_list ap;
    for (const char *s = p->text; s < at && s < p->end; s++)
        if (*s == '\n')
            line++, column = 1;
        else
            column++;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    return err_null(p->err, ERR_INPUT, "%s:%d:%d: %s", p->file, line, column, why);
}

/* ---- tokens ---- */

static bool is_name_char(char c) { return isalnum((unsigned char)c) || c == '_'; }

static const struct unit { const char *name; double factor; enum expr_type type; } units[] = {
    { "ms", 0.001, EXPR_SECONDS }, { "s", 1, EXPR_SECONDS }, { "min", 60, EXPR_SECONDS }, { "h", 3600, EXPR_SECONDS },
};

static bool read_number(struct parse *p)
{
    char digits[40];
    size_t n = 0;
    const char *s = p->at;
    while (s < p->end && n < sizeof(digits) - 1 && (isdigit((unsigned char)*s) || *s == '.'))
        digits[n++] = *s++;
    if (s + 1 < p->end && (*s == 'e' || *s == 'E') && (isdigit((unsigned char)s[1]) || ((s[1] == '-' || s[1] == '+') && s + 2 < p->end && isdigit((unsigned char)s[2])))) {
        for (digits[n++] = *s++; s < p->end && n < sizeof(digits) - 1 && (isdigit((unsigned char)*s) || *s == '-' || *s == '+');)
            digits[n++] = *s++;
    }
    digits[n] = '\0';
    char *end;
    p->number = strtod(digits, &end);
    if (*end || !isfinite(p->number) || n == sizeof(digits) - 1)
        return expr_fail_at(p, p->begin, "'%s' is no number", digits) != NULL;
    p->number_type = EXPR_NUMBER;
    if (s < p->end && *s == ':') { /* 22:30 */
        int minute = 0, k = 0;
        for (s++; s < p->end && isdigit((unsigned char)*s) && k < 3; s++, k++)
            minute = minute * 10 + (*s - '0');
        if (k != 2 || minute > 59 || p->number > 24 || p->number != floor(p->number) || strchr(digits, '.'))
            return expr_fail_at(p, p->begin, "no time of day: 22:30 is one") != NULL;
        p->number = p->number * 3600 + minute * 60, p->number_type = EXPR_CLOCK;
        p->at = s;
        return true;
    }
    const char *u = s;
    while (u < p->end && *u == ' ')
        u++;
    if (u < p->end && *u == '%') {
        p->number /= 100;
        s = u + 1;
    } else {
        size_t len = 0;
        while (u + len < p->end && is_name_char(u[len]))
            len++;
        for (size_t i = 0; len > 0 && i < sizeof(units) / sizeof(units[0]); i++)
            if (strlen(units[i].name) == len && strncmp(units[i].name, u, len) == 0) {
                p->number *= units[i].factor, p->number_type = units[i].type;
                s = u + len;
                break;
            }
    }
    p->at = s;
    return true;
}

static bool read_text(struct parse *p)
{
    const char quote = *p->at++;
    char *to = arena_alloc(p->arena, (size_t)(p->end - p->at) + 1, 1, p->err), *w = to;
    if (!to)
        return false;
    for (; p->at < p->end && *p->at != quote; p->at++) {
        if (*p->at == '\\' && p->at + 1 < p->end)
            p->at++;
        *w++ = *p->at;
    }
    if (p->at == p->end)
        return expr_fail_at(p, p->begin, "the text has no end: %c is missing", quote) != NULL;
    p->at++;
    *w = '\0';
    p->word = to;
    return true;
}

bool expr_next(struct parse *p)
{
    while (p->at < p->end && isspace((unsigned char)*p->at))
        p->at++;
    p->begin = p->at;
    p->sign[0] = '\0';
    if (p->at == p->end) {
        p->token = T_END;
        return true;
    }
    const char c = *p->at;
    if (isalpha((unsigned char)c) || c == '_') {
        size_t n = 0;
        while (p->at < p->end && is_name_char(*p->at)) {
            if (n == sizeof(p->name) - 1)
                return expr_fail_at(p, p->begin, "a name of more than %d letters", NAME_BYTES_MAX - 1) != NULL;
            p->name[n++] = *p->at++;
        }
        p->name[n] = '\0';
        p->token = T_NAME;
        return true;
    }
    if (isdigit((unsigned char)c)) {
        p->token = T_NUMBER;
        return read_number(p);
    }
    if (c == '"' || c == '\'') {
        p->token = T_TEXT;
        return read_text(p);
    }
    static const char *const signs[] = { "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ",", "." };
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        const size_t n = strlen(signs[i]);
        if ((size_t)(p->end - p->at) >= n && strncmp(p->at, signs[i], n) == 0) {
            memcpy(p->sign, signs[i], n + 1);
            p->at += n;
            p->token = T_SIGN;
            return true;
        }
    }
    if (c == '=')
        return expr_fail_at(p, p->begin, "'=': equal is written ==") != NULL;
    if (c == '&' || c == '|' || c == '!')
        return expr_fail_at(p, p->begin, "'%c': the words are `and`, `or`, `not`", c) != NULL;
    return expr_fail_at(p, p->begin, isprint((unsigned char)c) ? "'%c' means nothing here" : "a byte %02x, which means nothing", isprint((unsigned char)c) ? c : (unsigned char)c) != NULL;
}

