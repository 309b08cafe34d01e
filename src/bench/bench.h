/* bench/bench.h - measures this machine and the engine on it, each figure beside the limit of the same moment.
 *
 * For:     `tutti bench` (cmd/bench.c runs what is measured here, report.h holds it), bench/peers.
 * Callers: cmd/.
 * Touches: threads, the clock, the model's context, power meters (sense.h).
 * Rule:    nothing here is predicted.  Rounds are interleaved: all tests once, then all again; a figure is
 *          the median of its rounds.  What limits a test (memory, the units that it multiplies with) is probed right
 *          before and right after it, on as many threads.
 *          What is stopped (bench_watch) returns false with ERR_CANCELLED and leaves what was measured until then.
 */
#ifndef TUTTI_BENCH_BENCH_H
#define TUTTI_BENCH_BENCH_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bench/roof.h"
#include "bench/sense.h"
#include "llm/llm.h"

/* Who is told how far we are; called often (every forward pass). */
struct bench_watch {
    bool (*tell)(void *ctx, const char *what, double left_s); /* false: stop */
    void *ctx;
};

struct bench_setup { /* what is measured with what; all borrowed */
    struct llm_model *model;
    struct pool *pool;
    uint32_t cpu;
    struct bench_units units;        /* of this model: bench_units() */
    const struct bench_watch *watch; /* NULL: nobody */
    struct sense *sense;             /* NULL: no energy */
    int64_t *peak_bytes;             /* raised to the resident memory at the end of each part; NULL: not asked for */
};

enum { BENCH_ROUNDS_MAX = 16, BENCH_BATCH_MAX = 64 };
struct bench_test {
    char name[24];     /* "pp512", "tg64" */
    bool is_decode;
    int n_tok, depth, batch; /* batch: sequences side by side */
    int threads;       /* 0: all of the pool */
    /* filled in: */
    int n_rounds;      /* measured; 0: the rest means nothing */
    double tps[BENCH_ROUNDS_MAX], limit[BENCH_ROUNDS_MAX]; /* tokens/s, and what the limits around that round would allow */
    double tps_median, tps_min, tps_max, share_median;
    enum bench_roof roof;     /* the limit that binds; of the last round */
    struct bench_work work;   /* what a token needs */
    double ttft_ms;    /* prompts of one sequence: the prompt and one generated token, median; NAN otherwise */
    double joules_per_tok; /* by the meter over all rounds; NAN without one */
};

/* Runs every test n_rounds times, interleaved; limits: the medians of all probes (roofs that no test needs are left as they are). */
bool bench_engine(const struct bench_setup *s, struct bench_test *tests, int n_tests, int n_rounds, struct bench_limits *limits, struct err *err);

/* About how long one round of the test takes, with what must be fed before it. */
double bench_test_seconds(const struct bench_setup *s, const struct bench_test *t, const struct bench_limits *l);

/* Perplexity as llama-perplexity counts it: ids cut into chunks of n_ctx (the rest dropped), the first of each
 * replaced by bos (if >= 0), -log p averaged over the second half of each chunk.  ERR_INPUT when
 * there is not one whole chunk. */
bool bench_perplexity(struct llm_model *m, const int32_t *ids, int n, int n_ctx, int32_t bos, double *ppl, int *n_chunks, struct err *err);

/* Median of n figures (1 <= n); sorts them. */
double bench_median(double *x, int n);
#endif
