/* bench/compare.h - where this machine stands among those that others measured ("between an M2 and an M2 Pro").
 *
 * For:     `tutti bench`.  Callers: cmd/bench.c.
 * Touches: the catalog's table `measured` (rows of all nine LocalScore tests).
 * Rule:    the same model and bits: published figures beside ours.  Another model: rates of the nearest official one,
 *          scaled by what a token costs (bytes read for generation, weights multiplied for prompts), and said so:
 *          then the rows are predictions.  Models more than 4 times smaller or larger are not compared.
 */
#ifndef TUTTI_BENCH_COMPARE_H
#define TUTTI_BENCH_COMPARE_H
#include "base/err.h"
#include "catalog/catalog.h"
#include "plan/localscore.h"

struct bench_peer {
    const char *name, *runtime, *source, *date; /* borrowed from the catalog */
    double prompt_tps, gen_tps, ttft_ms, score;
};
enum { BENCH_PEERS_MAX = 1024 };
struct bench_compare {
    struct bench_peer peer[BENCH_PEERS_MAX]; /* slowest first; one row for each hardware: its best */
    int n;
    int n_slower;        /* peer[0 .. n_slower - 1] have a lower score than ours */
    const char *model;   /* the rows' model; borrowed; NULL: there is nothing to compare with */
    bool is_scaled;      /* predictions from another model */
};

/* params, active: weights of our model, all and per token; bytes_per_tok: read for a token.  false with err: the catalog's table is broken. */
bool bench_compare(struct catalog *c, double params, double active, double bytes_per_tok, const struct localscore *ours, struct bench_compare *out,
                   struct err *err);
#endif
