/* bench/runner_internal.h - feeds random tokens to a context, tells the watch, stops when told so.
 *
 * For:     bench/ alone: engine.c, score.c, soak.c.
 */
#ifndef TUTTI_BENCH_RUNNER_INTERNAL_H
#define TUTTI_BENCH_RUNNER_INTERNAL_H
#include "base/rng.h"
#include "bench/bench.h"

enum { RUNNER_CHUNK = BENCH_CHUNK };

struct runner {
    const struct bench_setup *setup;
    struct llm_ctx *c;
    struct llm_token *tok;
    struct rng rng;
    int n_vocab;
    /* time left: what comes after this piece of work, and the piece's own estimate */
    const char *what;
    double after_s, piece_s;
    uint64_t piece_start_ns;
};

/* A context for n_seq sequences of n_ctx positions; n_kv_tok of all together (0: enough).  runner_close() is right after a failed open too. */
bool runner_open(struct runner *r, const struct bench_setup *s, int n_ctx, int n_seq, int n_kv_tok, struct err *err);
void runner_close(struct runner *r);
/* What the watch is told from now on. */
void runner_piece(struct runner *r, const char *what, double piece_s, double after_s);
/* n prompt tokens of a sequence from position pos on, in chunks; logits of the last. */
bool runner_feed(struct runner *r, int seq, int pos, int n, struct err *err);
/* Brings an empty sequence to `depth` tokens, the same ones every time for this `which`: pages that hold them already are taken over. */
bool runner_dive(struct runner *r, int seq, int which, int depth, struct err *err);
/* One token for each of the sequences, at the same position. */
bool runner_step(struct runner *r, const int *seq, int n_seq, int pos, struct err *err);
#endif
