/* route/lines_internal.h - lines of six fields with tabs between, in which predictor and bandit are kept.  For: route/ alone. */
#ifndef TUTTI_ROUTE_LINES_INTERNAL_H
#define TUTTI_ROUTE_LINES_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "route/candidate.h"

enum { LEARNED_BYTES_MAX = 200 << 10 }; /* kept of each; journal.h takes no more than JOURNAL_STATE_BYTES_MAX */

struct line { /* EXPERT<tab>NODE<tab>word<tab>x<tab>y<tab>z */
    const char *expert, *node;
    size_t n_expert, n_node;
    char word[24];      /* the third field */
    double number[3];   /* finite */
};
/* Calls take() for each line; false with err: one that is no such line, or take() said so. */
bool lines_take(const char *text, size_t n, const char *what, bool (*take)(void *ctx, const struct line *l), void *ctx, struct err *err);
bool line_is_of(const struct line *l, const struct candidates *world, int i);
#endif
