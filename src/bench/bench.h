/* bench/bench.h - measures this machine and the engine on it, each figure beside the limit of the same moment.
 *
 * For:     `tutti bench` (cmd/bench.c prints what is measured here), bench/peers.
 * Callers: cmd/.
 * Touches: threads, the clock, the model's context.
 * Rule:    nothing here is predicted.  Rounds are interleaved: all tests once, then all again; a figure is
 *          the median of its rounds.  The machine's limits are probed in every round.
 */
#ifndef TUTTI_BENCH_BENCH_H
#define TUTTI_BENCH_BENCH_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "llm/llm.h"

struct bench_limits { /* NAN: not measured */
    double read_bps;   /* memory, all threads */
    double int8_ops, bf16_flops, f32_flops; /* per second, all threads; a multiply-add is two */
};

/* Runs one probe of each kind on the pool's threads: about 0.3 s (quick: 0.1 s). */
bool bench_probe(struct bench_limits *out, struct pool *pool, uint32_t cpu, bool is_quick, struct err *err);

struct bench_test {
    char name[24];     /* "pp512", "tg64" */
    bool is_decode;
    int n_tok, depth, batch; /* batch: sequences side by side */
    /* filled in: */
    int n_rounds;
    double tps[16], limit[16]; /* tokens/s, and what the limit of that round would allow */
    double tps_median, tps_min, tps_max, share_median;
};
enum { BENCH_ROUNDS_MAX = 16 };

/* Runs every test n_rounds times, interleaved; progress(ctx, done, of) may be NULL and returns false to stop. */
bool bench_engine(struct llm_model *m, struct pool *pool, uint32_t cpu, struct bench_test *tests, int n_tests, int n_rounds,
                  struct bench_limits *limits, bool (*progress)(void *ctx, int done, int of), void *ctx, struct err *err);

/* Perplexity as llama-perplexity counts it: ids cut into chunks of n_ctx (the rest dropped), the first of each
 * replaced by bos (if >= 0), -log p averaged over the second half of each chunk.  ERR_INPUT when
 * there is not one whole chunk. */
bool bench_perplexity(struct llm_model *m, const int32_t *ids, int n, int n_ctx, int32_t bos, double *ppl, int *n_chunks, struct err *err);
#endif
