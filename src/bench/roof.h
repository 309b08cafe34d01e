/* bench/roof.h - what this machine allows at this moment, and what a test needs of it: the roofline.
 *
 * For:     each figure of `tutti bench` stands beside the limit of its moment.
 * Callers: bench/, cmd/ (bench, detect, fit).
 * Touches: threads, the clock, 256 MB of memory while a prober is open.
 * Rule:    a limit is the best of a few passes; on a machine with other work it is what was left at that moment.
 *          The two numbers of a test are bytes read and operations per token; it can be no faster than the slower of both
 *          (S. Williams, A. Waterman, D. Patterson: Roofline, CACM 52(4), 2009).  A multiply-add is two operations.
 */
#ifndef TUTTI_BENCH_ROOF_H
#define TUTTI_BENCH_ROOF_H
#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "llm/llm.h"

enum bench_roof { ROOF_READ, ROOF_INT8, ROOF_BF16, ROOF_F32, BENCH_ROOFS }; /* ORDER ROOF */
extern const char *const bench_roof_names[BENCH_ROOFS]; /* "read", "int8", "bf16", "f32" */

struct bench_limits { /* NAN: not measured */
    double read_bps;                        /* memory, all threads */
    double int8_ops, bf16_flops, f32_flops; /* per second, all threads */
};
double bench_limit(const struct bench_limits *l, enum bench_roof roof);
struct bench_limits bench_limits_between(const struct bench_limits *a, const struct bench_limits *b); /* their means */

/* ---- measuring them ---- */

struct bench_prober;
/* pool and cpu are borrowed; a probe runs on the threads that the pool uses then.  NULL with err: out of memory. */
struct bench_prober *bench_prober_new(struct pool *pool, uint32_t cpu, struct err *err);
void bench_prober_free(struct bench_prober *p); /* NULL is fine */
/* One probe of each roof whose bit (1 << ROOF_x) is in `roofs`: 10 to 50 ms each; the others are NAN. */
struct bench_limits bench_prober_run(struct bench_prober *p, unsigned roofs, bool is_quick);
enum { BENCH_ALL_ROOFS = (1 << BENCH_ROOFS) - 1 };

/* All of them once: about 0.3 s (quick: 0.1 s). */
bool bench_probe(struct bench_limits *out, struct pool *pool, uint32_t cpu, bool is_quick, struct err *err);

/* ---- what a test needs ---- */

/* With which unit this model's weights are multiplied here: fractions of its operations; [ROOF_READ] stays 0. */
struct bench_units {
    double frac[BENCH_ROOFS];
};
void bench_units(struct bench_units *u, const struct gguf *g, const struct kernels *k);

enum { BENCH_CHUNK = 512 }; /* tokens of a prompt that are evaluated together */

struct bench_work { /* of one token */
    double bytes;            /* read from memory */
    double ops[BENCH_ROOFS]; /* by unit */
};
/* is_decode: the mean of n_tok steps of `batch` sequences behind `depth` tokens: weights once for the batch, each
 * sequence's own K and V in 16 bits.  Otherwise a prompt of n_tok behind depth: weights once for a chunk, the head for the last token alone.
 * Attention counts as multiply-adds in the fastest float unit that was measured (l). */
struct bench_work bench_work_of(const struct llm_info *f, const struct bench_units *u, const struct bench_limits *l, bool is_decode, int n_tok, int depth,
                                int batch);
double bench_work_ops(const struct bench_work *w);
/* Tokens per second that the limits allow, and which one it is that binds (may be NULL); limits that are NAN bind nothing. */
double bench_allowed_tps(const struct bench_work *w, const struct bench_limits *l, enum bench_roof *which);
#endif
