/* route/secret.h - keys, passwords, numbers of cards, accounts and people: what makes a text private.
 *
 * For:     features.c, which calls these where a word or a number begins.
 * Callers: route/ alone.
 * Touches: nothing; no allocation.  Thread: any.
 * Rule:    a number counts only with its check digits right (Luhn, ISO 13616 mod 97): a false alarm keeps a request at home,
 *          which is slow; a miss sends a secret away.  Each call looks at SECRET_SPAN_BYTES at most.
 */
#ifndef TUTTI_ROUTE_SECRET_H
#define TUTTI_ROUTE_SECRET_H
#include <stddef.h>
#include <stdint.h>

enum { SECRET_SPAN_BYTES = 64 };

/* s[0] begins a word (after no letter or digit), n bytes follow in all.  Set of enum feature_secret. */
uint32_t secret_in_word(const char *s, size_t n);
/* s[at] is ':' or '=': is a password or key named before it, and does a value follow? */
uint32_t secret_before_value(const char *s, size_t n, size_t at);
/* s[0] is the first digit of a number, or '+' or '(' before one. */
uint32_t secret_in_number(const char *s, size_t n);
/* s[at] is '@'. */
uint32_t secret_in_address(const char *s, size_t n, size_t at);
#endif
