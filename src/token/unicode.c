/* token/unicode.c - a thin layer over utf8proc, so that its types stay here. */
#include "token/unicode.h"

#include <utf8proc.h>

_Static_assert(UTF8PROC_CATEGORY_LU == 1 && UTF8PROC_CATEGORY_LO == 5 && UTF8PROC_CATEGORY_MN == 6 &&
                   UTF8PROC_CATEGORY_ND == 9 && UTF8PROC_CATEGORY_PC == 12 && UTF8PROC_CATEGORY_PO == 18 &&
                   UTF8PROC_CATEGORY_SM == 19 && UTF8PROC_CATEGORY_SO == 22 && UTF8PROC_CATEGORY_CC == 26 &&
                   UTF8PROC_CATEGORY_CO == 29,
               "the bits in unicode.h follow utf8proc's order");

unsigned unicode_category(uint32_t cp) { return cp < 0x110000 ? utf8proc_get_property((utf8proc_int32_t)cp)->category : 0; }

bool unicode_is_space(uint32_t cp)
{
    if (cp < 0x80)
        return cp == ' ' || (cp >= '\t' && cp <= '\r');
    return cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 ||
           cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

uint32_t unicode_lower(uint32_t cp)
{
    if (cp < 0x80)
        return cp >= 'A' && cp <= 'Z' ? cp + 32 : cp;
    return cp < 0x110000 ? (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp) : cp;
}

uint32_t unicode_base(uint32_t cp)
{
    utf8proc_int32_t out[8]; /* the longest canonical decomposition has 4 */
    int last_class = 0;
    if (cp < 0xc0 || cp >= 0x110000)
        return cp;
    const utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)cp, out, 8, UTF8PROC_DECOMPOSE, &last_class);
    return n > 0 ? (uint32_t)out[0] : cp;
}
