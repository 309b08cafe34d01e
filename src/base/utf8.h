/* base/utf8.h - UTF-8 to code points and back, strict (RFC 3629: no overlong forms, no surrogates).
 *
 * For:     token/, template/, wire/, buf.  Touches: nothing.
 */
#ifndef TUTTI_BASE_UTF8_H
#define TUTTI_BASE_UTF8_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the character at s (1..4) and its code point; 0 when the n bytes do not start with one. */
size_t utf8_decode(const char *s, size_t n, uint32_t *cp);
/* Writes 1..4 bytes, returns their number; 0 for what is no code point. */
size_t utf8_encode(uint32_t cp, char out[static 4]);
bool utf8_is_valid(const char *s, size_t n);
/* How many bytes at the end of s are the start of a character that is not complete yet: 0..3. */
size_t utf8_incomplete_tail(const char *s, size_t n);
#endif
