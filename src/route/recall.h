/* route/recall.h - answers kept in memory for when nobody can answer: the same question, asked again while servers are gone.
 *
 * For:     router.c (opt-in: `remember` of the policy).
 * Callers: route/.
 * Touches: memory, bounded in answers and bytes.  Thread: any.
 * Rule:    a question is kept as two hashes, never as text; an answer only when it was complete and the request wanted no luck
 *          (temperature at most RECALL_TEMPERATURE).  What may not be said twice (private) the caller does not bring here.
 */
#ifndef TUTTI_ROUTE_RECALL_H
#define TUTTI_ROUTE_RECALL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define RECALL_TEMPERATURE 0.3f
enum { RECALL_ANSWER_BYTES = 64 << 10 };

struct recall_key {
    uint64_t a, b; /* both 0: none */
};
/* Begin with zeros; text is normalised (blanks, letter case of ASCII), raw is not. */
void recall_add_text(struct recall_key *k, const char *text, size_t n);
void recall_add_raw(struct recall_key *k, const void *bytes, size_t n);

struct recall;
/* n: answers at most.  The caller owns the result; NULL with err. */
struct recall *recall_new(int n, double keep_s, struct err *err);
void recall_free(struct recall *r); /* NULL is fine */
/* Copied; the oldest goes. Longer ones than RECALL_ANSWER_BYTES are not kept. */
void recall_put(struct recall *r, const struct recall_key *k, const char *text, size_t n, double now_s);
/* Appends it to out; age_s: how old it is.  false: it is not known. */
bool recall_get(struct recall *r, const struct recall_key *k, double now_s, struct buf *out, double *age_s);
#endif
