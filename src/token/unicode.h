/* token/unicode.h - what tokenizers want to know of a code point; facts from utf8proc (Unicode 15).
 *
 * For:     token/ alone: regex.c (categories), wpm.c (lower case, accents), spm.c, ugm.c.
 * Touches: nothing.
 */
#ifndef TUTTI_TOKEN_UNICODE_H
#define TUTTI_TOKEN_UNICODE_H
#include <stdbool.h>
#include <stdint.h>

/* General category as utf8proc numbers them: UTF8PROC_CATEGORY_CN (0) .. _CO (29). */
unsigned unicode_category(uint32_t cp);

/* Sets of categories as bits, 1 << UTF8PROC_CATEGORY_xx. */
enum {
    UNICODE_L = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5,                          /* Lu Ll Lt Lm Lo */
    UNICODE_M = 1 << 6 | 1 << 7 | 1 << 8,                                            /* Mn Mc Me */
    UNICODE_N = 1 << 9 | 1 << 10 | 1 << 11,                                          /* Nd Nl No */
    UNICODE_ND = 1 << 9, UNICODE_PC = 1 << 12,
    UNICODE_P = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 18, /* Pc Pd Ps Pe Pi Pf Po */
    UNICODE_S = 1 << 19 | 1 << 20 | 1 << 21 | 1 << 22,                               /* Sm Sc Sk So */
    UNICODE_C = 1 << 26 | 1 << 27 | 1 << 28 | 1 << 29,                               /* Cc Cf Cs Co; not Cn */
};
static inline bool unicode_is(uint32_t cp, uint32_t categories) { return categories >> unicode_category(cp) & 1; }

/* The 25 code points of the property White_Space. */
bool unicode_is_space(uint32_t cp);
/* The simple lower case mapping. */
uint32_t unicode_lower(uint32_t cp);
/* The first code point of the canonical decomposition: the letter without its accents. */
uint32_t unicode_base(uint32_t cp);
#endif
