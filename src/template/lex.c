/* template/lex.c - template text to tokens, with Jinja's whitespace control; start at tpl_lex().
 *
 * The text alternates between data and three kinds of tags.  What stands around a tag is trimmed as
 * transformers has it set: the first newline behind a block or comment goes (trim_blocks), blanks
 * between the start of a line and a block or comment go (lstrip_blocks), `-` trims all white space on
 * its side, `+` keeps it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "template/node_internal.h"

struct lexer {
    const char *s; /* newlines are \n, one at the end is gone */
    size_t n, pos;
    int line;
    size_t line_pos;    /* `line` is right for this position */
    bool line_starting; /* the last thing before pos ended in a newline, or nothing was before it */
    struct arena *scratch, *keep;
    struct err *err;
    struct token *tok;
    size_t n_tok, cap;
    struct str **names; /* interned; open addressing */
    size_t n_names, cap_names;
    char closing[NEST_MAX + 1]; /* of the open parentheses, brackets and braces */
    int n_closing;
};

static const char *const tok_names[] = { /* ORDER TOK */
    "end of template", "template data / text", "begin of print statement", "end of print statement",
    "begin of statement block", "end of statement block", "name", "string", "integer", "float", "+", "-", "*",
    "/", "//", "%", "**", "~", "(", ")", "[", "]", "{", "}", "==", "!=", ">", ">=", "<", "<=", "=", ".", ":", "|",
    ",", ";"
};
_Static_assert(sizeof(tok_names) / sizeof(tok_names[0]) == TOK_COUNT, "ORDER TOK");
const char *tpl_tok_name(enum tok kind) { return tok_names[kind]; }

static int line_at(struct lexer *x, size_t pos)
{
    for (; x->line_pos < pos; x->line_pos++)
        x->line += x->s[x->line_pos] == '\n';
    return x->line;
}

static bool fail(struct lexer *x, const char *fmt, ...) ERR_PRINTF(2, 3);
static bool fail(struct lexer *x, const char *fmt, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(x->err, ERR_INPUT, "line %d: %s", line_at(x, x->pos), text);
}

struct str *tpl_const_str(struct arena *keep, const char *data, size_t len, struct err *err)
{
    struct str *s = arena_alloc(keep, 1, sizeof(*s), err);
    if (!s)
        return NULL;
    *s = (struct str){ .data = data, .len = len, .n_cp = SIZE_MAX };
    tpl_str_n_cp(s); /* now: later, several threads may look at it */
    return s;
}

static struct token *add(struct lexer *x, enum tok kind, size_t at)
{
    if (x->n_tok == x->cap) {
        const size_t cap = x->cap ? x->cap * 2 : 256;
        struct token *t = arena_alloc(x->scratch, cap, sizeof(*t), x->err);
        if (!t)
            return NULL;
        if (x->n_tok)
            memcpy(t, x->tok, x->n_tok * sizeof(*t));
        x->tok = t;
        x->cap = cap;
    }
    struct token *t = &x->tok[x->n_tok++];
    *t = (struct token){ .kind = kind, .line = line_at(x, at) };
    return t;
}

static bool add_data(struct lexer *x, size_t from, size_t to)
{
    if (from == to)
        return true;
    struct token *t = add(x, TOK_DATA, from);
    return t && (t->s = tpl_const_str(x->keep, x->s + from, to - from, x->err)) != NULL;
}

static size_t hash_name(const char *s, size_t n)
{
    const uint64_t h = hash_fnv64(s, n);
    return (size_t)(h ^ h >> 32);
}

static struct str *intern(struct lexer *x, const char *s, size_t n)
{
    if (x->n_names * 2 >= x->cap_names) {
        const size_t cap = x->cap_names ? x->cap_names * 2 : 256;
        struct str **v = arena_alloc(x->scratch, cap, sizeof(struct str *), x->err);
        if (!v)
            return NULL;
        for (size_t i = 0; i < x->cap_names; i++)
            if (x->names[i]) {
                size_t h = hash_name(x->names[i]->data, x->names[i]->len);
                while (v[h & (cap - 1)])
                    h++;
                v[h & (cap - 1)] = x->names[i];
            }
        x->names = v;
        x->cap_names = cap;
    }
    size_t h = hash_name(s, n);
    struct str **slot;
    for (;; h++) {
        slot = &x->names[h & (x->cap_names - 1)];
        if (!*slot || ((*slot)->len == n && memcmp((*slot)->data, s, n) == 0))
            break;
    }
    if (!*slot) { /* with a '\0' behind it, for messages */
        const char *copy = arena_strndup(x->keep, s, n, x->err);
        *slot = copy ? tpl_const_str(x->keep, copy, n, x->err) : NULL;
        x->n_names += *slot != NULL;
    }
    return *slot;
}

static bool has(const struct lexer *x, size_t at, const char *text)
{
    const size_t n = strlen(text);
    return at <= x->n && x->n - at >= n && memcmp(x->s + at, text, n) == 0;
}

static size_t skip_space(const struct lexer *x, size_t at)
{
    uint32_t cp;
    while (at < x->n) {
        const size_t len = tpl_decode(x->s + at, x->n - at, &cp);
        if (!tpl_is_space(cp))
            break;
        at += len;
    }
    return at;
}

/* Where the white space before `to` starts, not before `from`. */
static size_t rstrip(const struct lexer *x, size_t from, size_t to)
{
    while (to > from) {
        size_t at = to - 1;
        while (at > from && ((unsigned char)x->s[at] & 0xc0) == 0x80)
            at--;
        uint32_t cp;
        tpl_decode(x->s + at, to - at, &cp);
        if (!tpl_is_space(cp))
            break;
        to = at;
    }
    return to;
}

/* The end of data [from, to) that stands before a tag with this sign. */
static size_t trim_before(const struct lexer *x, size_t from, size_t to, char sign, bool is_variable)
{
    if (sign == '-')
        return rstrip(x, from, to);
    if (sign == '+' || is_variable)
        return to;
    size_t line = to;
    while (line > from && x->s[line - 1] != '\n')
        line--;
    if (line == from && !x->line_starting)
        return to;
    return skip_space(x, line) >= to ? line : to;
}

/* A tag's end: -%} takes all white space behind it, %} one newline, +%} nothing.  0: not here. */
static size_t tag_end(const struct lexer *x, size_t at, const char *close, bool plus, bool trim_newline)
{
    if (plus && has(x, at, "+") && has(x, at + 1, close))
        return at + 3;
    if (has(x, at, "-") && has(x, at + 1, close))
        return skip_space(x, at + 3);
    if (has(x, at, close))
        return at + 2 + (trim_newline && has(x, at + 2, "\n"));
    return 0;
}

/* {% raw %} or {% endraw %} at `at`: its end, or 0. */
static size_t raw_tag(const struct lexer *x, size_t at, const char *word, char *sign)
{
    if (!has(x, at, "{%"))
        return 0;
    at += 2;
    *sign = has(x, at, "-") || has(x, at, "+") ? x->s[at++] : 0;
    at = skip_space(x, at);
    if (!has(x, at, word))
        return 0;
    at = skip_space(x, at + strlen(word));
    const bool is_end = word[0] == 'e';
    return tag_end(x, at, "%}", is_end, is_end);
}

static void went_to(struct lexer *x, size_t pos)
{
    x->line_starting = pos > 0 && x->s[pos - 1] == '\n';
    x->pos = pos;
}

static bool lex_raw(struct lexer *x, size_t body)
{
    went_to(x, body);
    for (size_t at = body; at < x->n; at++) {
        char sign;
        const size_t end = raw_tag(x, at, "endraw", &sign);
        if (!end)
            continue;
        if (!add_data(x, body, trim_before(x, body, at, sign, false)))
            return false;
        went_to(x, end);
        return true;
    }
    return body >= x->n || fail(x, "Missing end of raw directive"); /* jinja2 forgives it at the very end */
}

static bool lex_comment(struct lexer *x, size_t at)
{
    const size_t body = at;
    went_to(x, at);
    for (; at < x->n; at++) {
        const size_t end = tag_end(x, at, "#}", true, true);
        if (end) {
            went_to(x, end);
            return true;
        }
    }
    return body >= x->n || fail(x, "Missing end of comment tag");
}

/* -- inside of tags --------------------------------------------------------------------------------- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Digits with single underscores between them: their end, or `at` where there are none. */
static size_t digits(const struct lexer *x, size_t at)
{
    if (at >= x->n || !is_digit(x->s[at]))
        return at;
    while (at < x->n && (is_digit(x->s[at]) || (x->s[at] == '_' && at + 1 < x->n && is_digit(x->s[at + 1]))))
        at++;
    return at;
}

static size_t float_end(const struct lexer *x, size_t at)
{
    if (at > 0 && x->s[at - 1] == '.')
        return 0;
    size_t end = digits(x, at);
    if (end == at)
        return 0;
    bool is_float = false;
    if (end < x->n && x->s[end] == '.' && digits(x, end + 1) > end + 1) {
        end = digits(x, end + 1);
        is_float = true;
    }
    if (end < x->n && (x->s[end] == 'e' || x->s[end] == 'E')) {
        const size_t exp = end + 1 + (has(x, end + 1, "+") || has(x, end + 1, "-"));
        if (digits(x, exp) > exp)
            return digits(x, exp);
    }
    return is_float ? end : 0;
}

static bool lex_float(struct lexer *x, size_t end)
{
    char text[64];
    size_t n = 0;
    for (size_t i = x->pos; i < end; i++)
        if (x->s[i] != '_') {
            if (n + 1 >= sizeof(text))
                return fail(x, "a number too long");
            text[n++] = x->s[i];
        }
    text[n] = '\0';
    struct token *t = add(x, TOK_FLOAT, x->pos);
    if (!t)
        return false;
    t->f = strtod(text, NULL);
    went_to(x, end);
    return true;
}

static bool lex_int(struct lexer *x)
{
    size_t at = x->pos;
    int base = 10;
    if (x->s[at] == '0' && at + 1 < x->n) {
        const char c = (char)(x->s[at + 1] | 0x20);
        const int want = c == 'b' ? 2 : c == 'o' ? 8 : c == 'x' ? 16 : 10;
        const size_t first = at + 2 + has(x, at + 2, "_");
        const int v = first < x->n && want != 10 ? hex_value(x->s[first]) : -1;
        if (v >= 0 && v < want) {
            base = want;
            at = first;
        }
    }
    const bool zeros = base == 10 && x->s[at] == '0'; /* decimal zero: 0, 00, 0_0 */
    int64_t value = 0;
    while (at < x->n) {
        const size_t d = at + (x->s[at] == '_' && at > x->pos);
        const int v = d < x->n ? hex_value(x->s[d]) : -1;
        if (v < 0 || v >= base || (zeros && v != 0))
            break;
        if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, v, &value))
            return fail(x, "an integer beyond 64 bits");
        at = d + 1;
    }
    struct token *t = add(x, TOK_INT, x->pos);
    if (!t)
        return false;
    t->i = value;
    went_to(x, at);
    return true;
}

static size_t name_end(const struct lexer *x, size_t at)
{
    while (at < x->n) {
        uint32_t cp;
        const size_t len = tpl_decode(x->s + at, x->n - at, &cp);
        if (cp != '_' && !(cp < 0x80 ? is_digit((char)cp) || tpl_is_alpha(cp) : tpl_is_alnum(cp)))
            break;
        at += len;
    }
    return at;
}

/* The escapes of a Python string literal.  A backslash before a character beyond ASCII gives that
 * character's own escape as text: jinja2 goes through "backslashreplace" and back. */
static size_t unescape(struct lexer *x, size_t at, size_t end, char *out, size_t *n_out)
{
    const char c = x->s[at];
    static const char plain[] = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v";
    for (size_t i = 0; plain[i]; i += 2)
        if (plain[i] == c) {
            out[(*n_out)++] = plain[i + 1];
            return at + 1;
        }
    if (c == '\n')
        return at + 1;
    uint32_t cp = 0;
    if (c >= '0' && c <= '7') {
        int n = 0;
        for (; n < 3 && at < end && x->s[at] >= '0' && x->s[at] <= '7'; n++)
            cp = cp * 8 + (uint32_t)(x->s[at++] - '0');
    } else if (c == 'x' || c == 'u' || c == 'U') {
        const int n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        for (int i = 1; i <= n; i++) {
            const int v = at + (size_t)i < end ? hex_value(x->s[at + (size_t)i]) : -1;
            if (v < 0)
                return 0;
            cp = cp << 4 | (uint32_t)v;
        }
        at += (size_t)n + 1;
        if (cp > 0x10ffff)
            return 0;
    } else if ((unsigned char)c >= 0x80) {
        const size_t len = tpl_decode(x->s + at, end - at, &cp);
        *n_out += (size_t)sprintf(out + *n_out, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", cp);
        return at + len;
    } else if (c == 'N') {
        return 0;
    } else {
        out[(*n_out)++] = '\\';
        out[(*n_out)++] = c;
        return at + 1;
    }
    if (cp >= 0xd800 && cp <= 0xdfff)
        cp = 0xfffd; /* half a character cannot be printed */
    char bytes[4];
    const size_t len = utf8_encode(cp, bytes);
    memcpy(out + *n_out, bytes, len);
    *n_out += len;
    return at;
}

static bool lex_string(struct lexer *x, size_t end)
{
    const size_t from = x->pos + 1, to = end - 1;
    bool plain = true;
    for (size_t i = from; i < to && plain; i++)
        plain = x->s[i] != '\\';
    const char *data = x->s + from;
    size_t n = to - from;
    if (!plain) {
        /* the longest way an escape grows: \ and 2 bytes become \x and 2 digits, or \u and 4 */
        char *out = arena_alloc(x->keep, n + 1, 4, x->err);
        if (!out)
            return false;
        n = 0;
        for (size_t i = from; i < to;) {
            if (x->s[i] != '\\')
                out[n++] = x->s[i++];
            else if (!(i = unescape(x, i + 1, to, out, &n)))
                return fail(x, "a string with an escape that cannot be decoded");
        }
        data = out;
    }
    struct token *t = add(x, TOK_STRING, x->pos);
    if (!t || !(t->s = tpl_const_str(x->keep, data, n, x->err)))
        return false;
    went_to(x, end);
    return true;
}

static size_t string_end(const struct lexer *x)
{
    for (size_t i = x->pos + 1; i < x->n; i++)
        if (x->s[i] == '\\')
            i++;
        else if (x->s[i] == x->s[x->pos])
            return i + 1;
    return 0;
}

static bool lex_operator(struct lexer *x)
{
    static const struct {
        const char *text;
        enum tok kind;
    } ops[] = { { "//", TOK_FLOORDIV }, { "**", TOK_POW }, { "==", TOK_EQ }, { "!=", TOK_NE }, { ">=", TOK_GE },
                { "<=", TOK_LE }, { "+", TOK_ADD }, { "-", TOK_SUB }, { "/", TOK_DIV }, { "*", TOK_MUL },
                { "%", TOK_MOD }, { "~", TOK_TILDE }, { "[", TOK_LBRACKET }, { "]", TOK_RBRACKET },
                { "(", TOK_LPAREN }, { ")", TOK_RPAREN }, { "{", TOK_LBRACE }, { "}", TOK_RBRACE },
                { ">", TOK_GT }, { "<", TOK_LT }, { "=", TOK_ASSIGN }, { ".", TOK_DOT }, { ":", TOK_COLON },
                { "|", TOK_PIPE }, { ",", TOK_COMMA }, { ";", TOK_SEMICOLON } };
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (!has(x, x->pos, ops[i].text))
            continue;
        const char c = ops[i].text[0];
        if (c == '(' || c == '[' || c == '{') {
            if (x->n_closing >= NEST_MAX)
                return fail(x, "brackets nested deeper than %d", NEST_MAX);
            x->closing[x->n_closing++] = c == '(' ? ')' : c == '[' ? ']' : '}';
        } else if (c == ')' || c == ']' || c == '}') {
            if (x->n_closing == 0)
                return fail(x, "unexpected '%c'", c);
            if (x->closing[--x->n_closing] != c)
                return fail(x, "unexpected '%c', expected '%c'", c, x->closing[x->n_closing]);
        }
        if (!add(x, ops[i].kind, x->pos))
            return false;
        went_to(x, x->pos + strlen(ops[i].text));
        return true;
    }
    const int len = (int)tpl_decode(x->s + x->pos, x->n - x->pos, &(uint32_t){ 0 });
    return fail(x, "unexpected char '%.*s'", len, x->s + x->pos);
}

/* From behind {{ or {% to behind its end. */
static bool lex_tag(struct lexer *x, bool is_variable)
{
    x->n_closing = 0;
    while (x->pos < x->n) {
        const size_t end = x->n_closing > 0 ? 0 : tag_end(x, x->pos, is_variable ? "}}" : "%}", !is_variable, !is_variable);
        if (end) {
            if (!add(x, is_variable ? TOK_VAR_END : TOK_BLOCK_END, x->pos))
                return false;
            went_to(x, end);
            return true;
        }
        const size_t space = skip_space(x, x->pos);
        if (space > x->pos) {
            went_to(x, space);
            continue;
        }
        const char c = x->s[x->pos];
        size_t to;
        bool ok;
        if ((to = float_end(x, x->pos)))
            ok = lex_float(x, to);
        else if (is_digit(c))
            ok = lex_int(x);
        else if ((to = name_end(x, x->pos)) > x->pos) {
            struct token *t = add(x, TOK_NAME, x->pos);
            ok = t && (t->s = intern(x, x->s + x->pos, to - x->pos)) != NULL;
            went_to(x, to);
        } else if ((c == '\'' || c == '"') && (to = string_end(x)))
            ok = lex_string(x, to);
        else
            ok = lex_operator(x);
        if (!ok)
            return false;
    }
    return true; /* the parser complains about the end */
}

static bool lex_all(struct lexer *x)
{
    x->line_starting = true;
    while (x->pos < x->n) {
        size_t at = x->pos;
        while (at < x->n && !(x->s[at] == '{' && at + 1 < x->n && strchr("{%#", x->s[at + 1]) && x->s[at + 1]))
            at++;
        if (at >= x->n)
            return add_data(x, x->pos, x->n);
        char sign = 0;
        const char kind = x->s[at + 1];
        const size_t raw = raw_tag(x, at, "raw", &sign);
        size_t body = at + 2;
        if (!raw)
            sign = has(x, body, "-") || has(x, body, "+") ? x->s[body++] : 0;
        if (!add_data(x, x->pos, trim_before(x, x->pos, at, sign, kind == '{')))
            return false;
        bool ok;
        if (raw)
            ok = lex_raw(x, raw);
        else if (kind == '#')
            ok = lex_comment(x, body);
        else {
            ok = add(x, kind == '{' ? TOK_VAR_BEGIN : TOK_BLOCK_BEGIN, at) != NULL;
            went_to(x, body);
            ok = ok && lex_tag(x, kind == '{');
        }
        if (!ok)
            return false;
    }
    return true;
}

struct token *tpl_lex(struct template *t, const char *text, size_t n, struct arena *scratch, size_t *n_tokens,
                      struct err *err)
{
    char *s = arena_strndup(t->arena, text, n, err);
    if (!s)
        return NULL;
    for (size_t i = 0, len; i < n; i += len)
        if (!(len = utf8_decode(text + i, n - i, &(uint32_t){ 0 })))
            return err_null(err, ERR_INPUT, "byte %zu: not UTF-8", i);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\r') {
            s[m++] = '\n';
            i += i + 1 < n && s[i + 1] == '\n';
        } else
            s[m++] = s[i];
    }
    if (m > 0 && s[m - 1] == '\n')
        m--;
    struct lexer x = { .s = s, .n = m, .line = 1, .scratch = scratch, .keep = t->arena, .err = err };
    if (!(t->id_loop = intern(&x, "loop", 4)) || !(t->id_caller = intern(&x, "caller", 6)) ||
        !(t->id_kwargs = intern(&x, "kwargs", 6)) || !(t->id_varargs = intern(&x, "varargs", 7)) || !lex_all(&x) ||
        !add(&x, TOK_EOF, x.n))
        return NULL;
    *n_tokens = x.n_tok;
    return x.tok;
}
