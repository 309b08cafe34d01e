/* llm/sample.h - from logits to the next token.
 *
 * For:     expert/ (one sampler per answer), cmd/, bench/.
 * Callers: rooms above.
 * Touches: nothing.  Thread: a sampler belongs to one answer, its scratch to one thread at a time; many
 *          samplers share one scratch.
 * Rule:    the same parameters, seed, history and logits give the same token; nothing else enters.  No
 *          allocation after sampler_scratch_new().  Work is O(vocabulary): candidates are selected, never
 *          all sorted; temperature 0 is one pass.  NaN counts as minus infinity.
 *
 * The order of the steps, each on what the one before left over (the order of llama.cpp's default
 * chain, which users of GGUF files know):
 *   1 bias         l[t] += bias                                          (OpenAI API, logit_bias)
 *   2 repetition   l[t] = l[t] > 0 ? l[t] / r : l[t] * r  for t in the last `last_n` tokens of prompt and
 *                  answer                                    (Keskar et al., CTRL, arXiv 1909.05858, 4.1)
 *   3 frequency, presence   l[t] -= count[t] * f + (count[t] > 0) * p  over the answer alone (OpenAI API)
 *   4 DRY          l[t] -= multiplier * base^(n - allowed)  where t would lengthen a repeated run of n >=
 *                  allowed tokens               (p-e-w, text-generation-webui, pull request 5677)
 *   5 top-k        the k largest                                          (Fan et al., arXiv 1805.04833)
 *   6 typical      the tokens whose surprise is nearest to the entropy, up to mass typical_p
 *                                                                       (Meister et al., arXiv 2202.00666)
 *   7 top-p        the most likely tokens up to mass top_p            (Holtzman et al., arXiv 1904.09751)
 *   8 min-p        those with p >= min_p * p_max                        (Nguyen et al., arXiv 2407.01082)
 *   9 temperature  softmax(l / t), then one draw from the sampler's own generator
 * Steps 5 to 8 see the distribution at temperature 1, renormalised over what is left.
 * Start:   sample.c, sampler_next().
 */
#ifndef TUTTI_LLM_SAMPLE_H
#define TUTTI_LLM_SAMPLE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"

struct sampler_bias {
    int32_t id;
    float bias; /* -100 and below bans, as clients of the OpenAI API expect */
};

struct sampler_params { /* start from sampler_defaults(): zero is not the default everywhere */
    float temperature;        /* 0.8; 0 (or less): always the most likely token, the rest of steps 5 to 9 is skipped */
    int top_k;                /* 40; 0: off */
    float top_p;              /* 0.95; 1: off */
    float min_p;              /* 0.05; 0: off */
    float typical_p;          /* 1: off */
    float repetition_penalty; /* 1: off */
    float frequency_penalty;  /* 0: off */
    float presence_penalty;   /* 0: off */
    int penalty_last_n;       /* 64: how far back the repetition penalty looks; -1: everything, 0: nowhere */
    float dry_multiplier;     /* 0: off */
    float dry_base;           /* 1.75 */
    int dry_allowed_length;   /* 2 */
    int dry_last_n;           /* -1: everything */
    const uint64_t *dry_breakers; /* bit per token: runs do not reach across these; borrowed, NULL: none */
    const struct sampler_bias *bias; /* borrowed as long as the sampler lives */
    int n_bias;
    uint64_t seed;
};
struct sampler_params sampler_defaults(void);
/* ERR_INPUT naming the parameter that is out of its range; ids of biases against n_vocab. */
bool sampler_check(const struct sampler_params *p, int n_vocab, struct err *err);

/* One per answer; plain data, nothing to free. */
struct sampler {
    struct sampler_params p;
    struct rng rng;
};
void sampler_init(struct sampler *s, const struct sampler_params *p);

/* Working memory for one thread; history of up to n_ctx tokens. */
struct sampler_scratch;
struct sampler_scratch *sampler_scratch_new(int n_vocab, int n_ctx, struct err *err);
void sampler_scratch_free(struct sampler_scratch *w); /* NULL is fine */

/* The next token; logits [n_vocab] are overwritten.  tokens [n]: prompt and answer so far, of which the
 * first n_prompt are the prompt.  -1 when no logit is a number above minus infinity: the model is broken. */
int32_t sampler_next(struct sampler *s, struct sampler_scratch *w, float *logits, const int32_t *tokens, int n,
                     int n_prompt);

/* ---- log-probabilities, of the raw logits (ask before sampler_next()) ---- */

struct token_logprob {
    int32_t id;
    float logprob;
};
/* log(sum exp(logits)); log-probability of t is logits[t] minus this. */
double logits_log_sum(const float *logits, int n_vocab);
/* The n largest, best first (equal ones by id); returns how many there are (fewer only when n_vocab < n). */
int logits_top(const float *logits, int n_vocab, double log_sum, struct token_logprob *out, int n);
#endif
