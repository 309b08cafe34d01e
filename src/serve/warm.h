/* serve/warm.h - loads the experts that shall be warm before the service is ready, one after the other.
 *
 * For:     serve.c (`warm` in tutti.yaml), front.c (/healthz).
 * Touches: a thread of its own that waits for experts.  Thread: warmer_is_done() from any.
 * Rule:    one that goes down instead is said by itself and not waited for.  The experts outlive the warmer.
 */
#ifndef TUTTI_SERVE_WARM_H
#define TUTTI_SERVE_WARM_H
#include "base/err.h"
#include "expert/expert.h"

struct warmer;
/* experts: borrowed until warmer_free().  NULL with err. */
struct warmer *warmer_new(struct expert *const *experts, int n, struct err *err);
bool warmer_is_done(const struct warmer *w); /* NULL: there was nothing to do */
/* After expert_stop() of them all, which ends its waiting.  NULL is fine. */
void warmer_free(struct warmer *w);
#endif
