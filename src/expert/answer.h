/* expert/answer.h - one choice on its way from token ids to the text that the client may see.
 *
 * For:     schedule.c.
 * Touches: memory at the start of an answer, none per token once the buffers have grown.
 * Thread:  the expert's engine thread.
 * Rule:    text leaves in whole characters, and never a byte of a stop string; a token leaves with the
 *          text that it ends in.  What was held back leaves at the end, unless it is the stop.
 */
#ifndef TUTTI_EXPERT_ANSWER_H
#define TUTTI_EXPERT_ANSWER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "expert/job.h"
#include "llm/sample.h"
#include "token/token.h"

struct answer_token {
    int32_t id;
    float logprob;
    int n_top;
    uint64_t begin, end; /* where its text lies in the answer, in bytes; a character that is not
                          * complete yet counts as one byte more */
};

struct answer {
    const struct job_text *stops; /* borrowed from the job */
    int n_stops;
    struct detok detok;
    struct buf text;        /* what was not given out */
    uint64_t n_given;       /* bytes that were */
    struct answer_token *tokens; /* [max_tokens] not given out, oldest first */
    struct token_logprob *top;   /* [max_tokens][n_top_max] */
    int n_tokens, max_tokens, n_top_max;
    size_t n_ready;         /* bytes of text that may leave */
    int stop;               /* the stop that was met, as index; -1: none */
    bool ended;
};

/* What an event points into; one per expert, used again for each event. */
struct answer_out {
    struct buf pieces;
    struct expert_token *tokens; /* [ANSWER_TOKENS_MAX * (1 + JOB_LOGPROBS_MAX)] */
};
enum { ANSWER_TOKENS_MAX = JOB_STOP_BYTES_MAX + 32 };
bool answer_out_init(struct answer_out *o, struct err *err);
void answer_out_fini(struct answer_out *o);

/* n_logprobs as in the job.  false with err: no memory; fini is fine then too. */
bool answer_init(struct answer *a, const struct job_text *stops, int n_stops, unsigned detok_flags, int n_logprobs,
                 struct err *err);
void answer_fini(struct answer *a);

/* The next token with its log-probabilities.  true: a stop string was met, the answer has ended. */
bool answer_push(struct answer *a, const struct vocab *v, int32_t id, float logprob, const struct token_logprob *top,
                 int n_top);
/* No more tokens will come: what was held back may leave. */
void answer_end(struct answer *a);
/* Fills in text and tokens of a delta with what may leave; false when there is nothing to say.  All of it is
 * borrowed until the next push or take. */
bool answer_take(struct answer *a, const struct vocab *v, struct answer_out *o, struct expert_event *ev);
/* Memory was out in a push or a take: the answer has a hole, end it with an error. */
bool answer_failed(const struct answer *a, const struct answer_out *o);
#endif
