/* plan/localscore.h - LocalScore: nine tests, one figure; and what few measurements say about it.
 *
 * For:     bench/ (measures the nine or a few), fit and recommend (verdicts on predicted rates).
 * Touches: nothing.  Thread: any.
 * Rule:    exactly the published method: github Mozilla-Ocho/llamafile, localscore/localscore.cpp and benchmark.cpp
 *          (commit cfa861a, 2025-06-30).  Means over the nine tests first, then
 *              score = 10 * cbrt(mean prompt tokens/s * mean generated tokens/s * 1000 / mean ms to the first token)
 *          A published score comes from the default: one repetition, K and V as f16, no flash attention.
 */
#ifndef TUTTI_PLAN_LOCALSCORE_H
#define TUTTI_PLAN_LOCALSCORE_H
#include <stdbool.h>

enum { LOCALSCORE_N = 9 };

struct localscore_case { /* n_prompt, n_gen: what is run; the rest: what came out */
    int n_prompt, n_gen;
    double prompt_tps, gen_tps, ttft_ms; /* ttft: the prompt and one generated token */
};
/* The nine, in the order of the program (get_baseline_test_configs). */
extern const struct localscore_case localscore_cases[LOCALSCORE_N];

/* NAN when a figure is not above zero. */
double localscore_of(double prompt_tps, double gen_tps, double ttft_ms);

struct localscore {
    double prompt_tps, gen_tps, ttft_ms; /* means over the nine */
    double score;
};
struct localscore localscore_sum(const struct localscore_case cases[static LOCALSCORE_N]);

/* How localscore.ai reads a score: from 1000 "excellent", from 250 "passable", below 100 "poor"; between 100 and 250
 * it has no word: "below passable".  NAN: NULL. */
const char *localscore_verdict(double score);

/* Few measurements in place of nine tests, all in seconds.
 * Range: a prompt of n tokens takes n (c1 + c2 n / 2), a step at depth d s1 + s2 d: attention grows with depth, the
 * rest does not.  Prompts of 16 and 64 tokens are measured as they are (small batches are slower). */
struct localscore_few {
    double pp16_s, pp64_s;       /* whole prompts */
    int n_chunk;                 /* tokens of a chunk */
    double chunk_s;              /* positions 0 .. n_chunk - 1 */
    int depth;                   /* > n_chunk */
    double deep_chunk_s;         /* positions depth .. depth + n_chunk - 1 */
    double step_s, deep_step_s;  /* one token at depth step_depth, and at `depth` + n_chunk */
    int step_depth;
};
/* Fills in the nine.  false when a measurement is not above zero. */
bool localscore_project(const struct localscore_few *few, struct localscore_case cases[static LOCALSCORE_N]);
#endif
