/* bench/score.h - LocalScore measured: all nine tests as the program runs them, or few measurements and a projection.
 *
 * For:     `tutti bench --localscore`, `--quick`.
 * Callers: cmd/bench.c.  Touches: threads, the clock, a context of up to 4352 positions.
 * Rule:    the procedure of github Mozilla-Ocho/llamafile localscore/ (commit cfa861a): a warm-up of pp1024+tg16; each
 *          test in a context of its own, random tokens, K and V as f16, rates averaged over the repetitions (1 is the
 *          published default).  The model may have been trained for less context: speed does not mind.
 */
#ifndef TUTTI_BENCH_SCORE_H
#define TUTTI_BENCH_SCORE_H
#include "bench/bench.h"
#include "plan/localscore.h"

struct bench_score {
    struct localscore_case cases[LOCALSCORE_N];
    double prompt_share[LOCALSCORE_N], gen_share[LOCALSCORE_N]; /* of the limits right before and after; measured only */
    int n_done;               /* measured cases; 9 when the score is whole */
    bool is_projected;
    double error_frac;        /* projected: the score is within so much of what the nine tests give; see docs/bench.md */
    struct localscore sum;    /* of all nine; score NAN unless whole */
};

/* All nine.  Stopped: false, n_done cases are right. */
bool bench_score_run(const struct bench_setup *s, int n_reps, struct bench_score *out, struct err *err);
/* The error of the projection alone, when the machine is quiet: the widest seen when both were run (docs/bench.md). */
#define BENCH_QUICK_MODEL_ERROR 0.12
/* About 1 to 20 seconds, by the model's speed: short prompts, a chunk and some steps at two depths, twice. */
bool bench_score_quick(const struct bench_setup *s, struct bench_score *out, struct err *err);
/* What the nine take, about, at these limits. */
double bench_score_seconds(const struct bench_setup *s, const struct bench_limits *l, int n_reps);
#endif
