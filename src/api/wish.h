/* api/wish.h - how a request wants to be served: privacy, deadline, latency, budget, quality; headers `tutti-...` or the body's
 * object `tutti`.
 *
 * For:     exchange.c (headers), the protocols (bodies).
 * Callers: api/.
 * Touches: nothing.  Thread: any.
 * Rule:    a wish that is not understood is an error with its name, never ignored: whoever asks for privacy must get it or a
 *          refusal.  What the body says wins over the headers, but never makes the request less private.
 * Start:   the table in wish.c.
 */
#ifndef TUTTI_API_WISH_H
#define TUTTI_API_WISH_H
#include <jansson.h>

#include "expert/job.h"
#include "net/http.h"
#include "wire/openai.h"

/* W3C Trace Context: a valid `traceparent` gets a span of our own (from span, never 0 for all of it) and stands in w->trace; none, or one
 * that is not valid, is none (w3.org/TR/trace-context, 3.2.2). */
void wish_read_trace(struct expert_wish *w, const struct http_head *head, uint64_t span);
/* false with e: 400 and the field's name. */
bool wish_read_head(struct expert_wish *w, const struct http_head *head, struct openai_error *e);
/* The value of a body's "tutti"; NULL: there is none. */
bool wish_read_json(struct expert_wish *w, const json_t *tutti, struct openai_error *e);
/* The same as text, of a form's field. */
bool wish_read_text(struct expert_wish *w, const char *json, struct openai_error *e);
#endif
