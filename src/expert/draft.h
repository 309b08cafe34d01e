/* expert/draft.h - a smaller model that says what a larger one will probably say next.
 *
 * For:     ahead.c (the engine thread).
 * Touches: the smaller model's file, memory, the expert's thread pool.  Thread: opened by the front thread, then the engine thread's.
 * Rule:    it has the vocabulary of the large one, token by token (some padding at the end may differ).  Each sequence of the expert has
 *          one here as soon as it is wanted; it follows behind and is never waited for beyond one batch in a turn.
 *          What it says is a guess: a failure here ends guesses, never answers.
 */
#ifndef TUTTI_EXPERT_DRAFT_H
#define TUTTI_EXPERT_DRAFT_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "kernels/kernels.h"
#include "llm/llm.h"
#include "token/token.h"

struct draft;

/* For an expert with this vocabulary and n_vocab logits; opt is that of its context.  vocab is borrowed for the call, k and pool until
 * draft_free().  NULL with err: no such file, another vocabulary (ERR_INPUT names the first token that differs). */
struct draft *draft_open(const char *path, const struct vocab *vocab, int n_vocab, const struct kernels *k, struct pool *pool,
                         const struct llm_ctx_options *opt, struct err *err);
void draft_free(struct draft *d); /* NULL is fine */
uint64_t draft_weight_bytes(const struct draft *d);
uint64_t draft_kv_bytes(const struct draft *d);

/* One answer for which it shall guess. */
struct draft_text {
    int seq;               /* of the expert */
    int32_t *tokens;       /* [n] what was said; [n + n_most] have room: guesses are put there */
    int n, n_most;
    int n_guess;           /* out: how many there are */
    float margin;          /* out: of the last guess, logits between the first choice and the second */
};

/* Evaluates what each text has more than it has seen.  A text that fits into no batch of this turn has n_most 0 afterwards. */
void draft_follow(struct draft *d, struct draft_text *t, int n_texts);
/* One more guess for each text that wants one (n_guess < n_most), all in one pass; false: none was possible. */
bool draft_next(struct draft *d, struct draft_text *t, int n_texts);
double draft_pass_ns(const struct draft *d); /* of draft_next(), measured; 0: not yet */

/* Of the text of seq only n tokens are certain now. */
void draft_keep(struct draft *d, int seq, int n);
void draft_leave(struct draft *d, int seq);
#endif
