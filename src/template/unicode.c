/* template/unicode.c - what Python's str methods ask about characters.  Touches: utf8proc's tables. */
#include <stdio.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "template/run_internal.h"

static utf8proc_category_t category(uint32_t cp) { return utf8proc_category((utf8proc_int32_t)cp); }

static const struct special_case {
    uint16_t cp, upper[UNI_UPPER_MAX], title[UNI_UPPER_MAX];
} special_cases[] = {
#define CASE(cp, u0, u1, u2, t0, t1, t2) { cp, { u0, u1, u2 }, { t0, t1, t2 } },
#include "template/special_case.def"
};

static const struct special_case *find_special(uint32_t cp)
{
    size_t lo = 0, hi = sizeof(special_cases) / sizeof(special_cases[0]); /* sorted by cp */
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (special_cases[mid].cp == cp)
            return &special_cases[mid];
        if (special_cases[mid].cp < cp)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static int copy_special(const uint16_t from[static UNI_UPPER_MAX], uint32_t out[static UNI_UPPER_MAX])
{
    int n = 0;
    for (; n < UNI_UPPER_MAX && from[n]; n++)
        out[n] = from[n];
    return n;
}

int tpl_upper(uint32_t cp, uint32_t out[static UNI_UPPER_MAX])
{
    const struct special_case *s = cp < 0x80 ? NULL : find_special(cp);
    if (s)
        return copy_special(s->upper, out);
    out[0] = (uint32_t)utf8proc_toupper((utf8proc_int32_t)cp);
    return 1;
}

int tpl_title_cp(uint32_t cp, uint32_t out[static UNI_UPPER_MAX])
{
    const struct special_case *s = cp < 0x80 ? NULL : find_special(cp);
    if (s)
        return copy_special(s->title, out);
    out[0] = (uint32_t)utf8proc_totitle((utf8proc_int32_t)cp);
    return 1;
}

int tpl_lower(uint32_t cp, uint32_t out[static UNI_UPPER_MAX])
{
    if (cp == 0x130) { /* the only lower case of two characters: i and a dot above */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
    return 1;
}

/* Python's str.isspace(): the same set as \s in its regular expressions. */
bool tpl_is_space(uint32_t cp)
{
    if (cp < 0x80)
        return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 28 && cp <= 31);
    return cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 ||
           cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

bool tpl_is_alpha(uint32_t cp)
{
    if (cp < 0x80)
        return (cp | 0x20) >= 'a' && (cp | 0x20) <= 'z';
    const utf8proc_category_t c = category(cp);
    return c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_LO;
}

bool tpl_is_decimal(uint32_t cp)
{
    return cp < 0x80 ? cp >= '0' && cp <= '9' : category(cp) == UTF8PROC_CATEGORY_ND;
}

bool tpl_is_digit(uint32_t cp) /* also superscripts, subscripts and circled digits */
{
    return tpl_is_decimal(cp) || cp == 0xb2 || cp == 0xb3 || cp == 0xb9 || cp == 0x2070 ||
           (cp >= 0x2074 && cp <= 0x2079) || (cp >= 0x2080 && cp <= 0x2089) || (cp >= 0x2460 && cp <= 0x2468) ||
           (cp >= 0x2474 && cp <= 0x247c) || (cp >= 0x2488 && cp <= 0x2490) || cp == 0x24ea ||
           (cp >= 0x24f5 && cp <= 0x24fd) || cp == 0x24ff || (cp >= 0x2776 && cp <= 0x277e);
}

bool tpl_is_numeric(uint32_t cp)
{
    if (cp < 0x80)
        return tpl_is_decimal(cp);
    const utf8proc_category_t c = category(cp);
    return c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_NO;
}

int tpl_decimal_value(uint32_t cp)
{
    if (cp < 0x80)
        return cp >= '0' && cp <= '9' ? (int)(cp - '0') : -1;
    if (!tpl_is_decimal(cp))
        return -1;
    if (cp >= 0x1d7ce && cp <= 0x1d7ff) /* five runs of mathematical digits, one behind the other */
        return (int)((cp - 0x1d7ce) % 10);
    /* all other runs of ten start at a code point that ends in 0 or 6 */
    return (int)(cp & 15) - (tpl_is_decimal(cp & ~15u) ? 0 : 6);
}

/* Letters with a case that their category does not tell (Other_Uppercase, Other_Lowercase in PropList.txt). */
static const uint32_t other_upper[][2] = {
    { 0x2160, 0x216f }, { 0x24b6, 0x24cf }, { 0x1f130, 0x1f149 }, { 0x1f150, 0x1f169 }, { 0x1f170, 0x1f189 },
};
static const uint32_t other_lower[][2] = {
    { 0xaa, 0xaa }, { 0xba, 0xba }, { 0x2b0, 0x2b8 }, { 0x2c0, 0x2c1 }, { 0x2e0, 0x2e4 }, { 0x345, 0x345 },
    { 0x37a, 0x37a }, { 0x1d2c, 0x1d6a }, { 0x1d78, 0x1d78 }, { 0x1d9b, 0x1dbf }, { 0x2071, 0x2071 },
    { 0x207f, 0x207f }, { 0x2090, 0x209c }, { 0x2170, 0x217f }, { 0x24d0, 0x24e9 }, { 0x2c7c, 0x2c7d },
    { 0xa69c, 0xa69d }, { 0xa770, 0xa770 }, { 0xa7f8, 0xa7f9 }, { 0xab5c, 0xab5f }, { 0x10780, 0x10780 },
    { 0x10783, 0x10785 }, { 0x10787, 0x107b0 }, { 0x107b2, 0x107ba },
};

static bool is_in_ranges(uint32_t cp, const uint32_t (*ranges)[2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cp >= ranges[i][0] && cp <= ranges[i][1])
            return true;
    return false;
}

bool tpl_is_upper(uint32_t cp)
{
    return category(cp) == UTF8PROC_CATEGORY_LU ||
           (cp >= 0x2160 && is_in_ranges(cp, other_upper, sizeof(other_upper) / sizeof(other_upper[0])));
}

bool tpl_is_lower(uint32_t cp)
{
    return category(cp) == UTF8PROC_CATEGORY_LL ||
           (cp >= 0xaa && is_in_ranges(cp, other_lower, sizeof(other_lower) / sizeof(other_lower[0])));
}
bool tpl_is_title(uint32_t cp) { return category(cp) == UTF8PROC_CATEGORY_LT; }

bool tpl_is_printable(uint32_t cp)
{
    if (cp < 0x80)
        return cp >= 0x20 && cp < 0x7f;
    switch (category(cp)) {
    case UTF8PROC_CATEGORY_CN: case UTF8PROC_CATEGORY_CC: case UTF8PROC_CATEGORY_CF: case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO: case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP: case UTF8PROC_CATEGORY_ZS:
        return false;
    default: return true;
    }
}

size_t tpl_decode(const char *s, size_t n, uint32_t *cp)
{
    const size_t len = utf8_decode(s, n, cp);
    if (len > 0)
        return len;
    *cp = 0xfffd;
    return 1;
}

void tpl_put_cp(struct render *r, uint32_t cp)
{
    char bytes[4];
    const size_t n = utf8_encode(cp, bytes);
    if (n)
        tpl_put(r, bytes, n);
    else
        tpl_put(r, "\xef\xbf\xbd", 3);
}

/* -- changing case ------------------------------------------------------------------------------------------- */

static bool is_cased(uint32_t cp) { return tpl_is_upper(cp) || tpl_is_lower(cp) || tpl_is_title(cp); }

static bool is_case_ignorable(uint32_t cp)
{
    switch (category(cp)) {
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_ME: case UTF8PROC_CATEGORY_CF: case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return cp == '\'' || cp == '.' || cp == ':' || cp == 0xb7 || cp == 0x2019;
    }
}

/* A capital sigma is a final one behind a letter and before none (Unicode 3.13, Final_Sigma). */
static bool is_final_sigma(const struct str *s, size_t at, size_t len)
{
    uint32_t cp = 0;
    size_t i = at;
    bool before = false;
    while (i > 0) {
        size_t from = i - 1;
        while (from > 0 && ((unsigned char)s->data[from] & 0xc0) == 0x80)
            from--;
        tpl_decode(s->data + from, i - from, &cp);
        i = from;
        if (!is_case_ignorable(cp)) {
            before = is_cased(cp);
            break;
        }
    }
    if (!before)
        return false;
    for (i = at + len; i < s->len;) {
        i += tpl_decode(s->data + i, s->len - i, &cp);
        if (!is_case_ignorable(cp))
            return !is_cased(cp);
    }
    return true;
}

static int lower_at(const struct str *s, size_t at, size_t len, uint32_t cp, uint32_t out[static UNI_UPPER_MAX])
{
    if (cp == 0x3a3) {
        out[0] = is_final_sigma(s, at, len) ? 0x3c2 : 0x3c3;
        return 1;
    }
    return tpl_lower(cp, out);
}

static int fold(uint32_t cp, uint32_t out[static UNI_UPPER_MAX])
{
    utf8proc_int32_t folded[8];
    const utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)cp, folded, 8, UTF8PROC_CASEFOLD, NULL);
    if (n < 1 || n > UNI_UPPER_MAX) {
        out[0] = cp;
        return 1;
    }
    for (int i = 0; i < (int)n; i++)
        out[i] = (uint32_t)folded[i];
    return (int)n;
}

/* The ASCII part of a text, where one byte becomes one byte; returns where it ends. */
static size_t change_ascii(struct render *r, enum case_op op, const struct str *s, bool *in_word)
{
    char block[256];
    size_t i = 0, n = 0;
    for (; i < s->len && (unsigned char)s->data[i] < 0x80; i++) {
        char c = s->data[i];
        const bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
        bool to_upper = op == CASE_UPPER || (op == CASE_TITLE && !*in_word) || (op == CASE_CAPITALIZE && i == 0);
        if (op == CASE_SWAP)
            to_upper = lower;
        if (to_upper && lower)
            c = (char)(c - 32);
        else if (!to_upper && upper)
            c = (char)(c + 32);
        *in_word = upper || lower;
        block[n++] = c;
        if (n == sizeof(block)) {
            tpl_put(r, block, n);
            n = 0;
        }
    }
    tpl_put(r, block, n);
    return i;
}

bool tpl_change_case(struct render *r, enum case_op op, const struct str *s, struct val *out)
{
    bool in_word = false;
    if (!tpl_spend(r, s->len))
        return false;
    const size_t mark = tpl_build(r);
    for (size_t i = change_ascii(r, op, s, &in_word), len; i < s->len; i += len) {
        uint32_t cp, to[UNI_UPPER_MAX];
        len = tpl_decode(s->data + i, s->len - i, &cp);
        int n = 0;
        switch (op) {
        case CASE_UPPER: n = tpl_upper(cp, to); break;
        case CASE_LOWER: n = lower_at(s, i, len, cp, to); break;
        case CASE_TITLE: n = in_word ? lower_at(s, i, len, cp, to) : tpl_title_cp(cp, to); break;
        case CASE_CAPITALIZE: n = i > 0 ? lower_at(s, i, len, cp, to) : tpl_title_cp(cp, to); break;
        case CASE_SWAP: n = tpl_is_upper(cp) ? lower_at(s, i, len, cp, to) : tpl_is_lower(cp) ? tpl_upper(cp, to) : 0; break;
        case CASE_FOLD: n = fold(cp, to); break;
        }
        if (n == 0)
            tpl_put_cp(r, cp);
        for (int k = 0; k < n; k++)
            tpl_put_cp(r, to[k]);
        in_word = is_cased(cp);
    }
    return tpl_built(r, mark, out) && tpl_str_like(r, s, out);
}
