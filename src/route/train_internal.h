/* route/train_internal.h - what learning intents (train.c) and learning difficulty (train_hard.c) share.  For: route/ alone. */
#ifndef TUTTI_ROUTE_TRAIN_INTERNAL_H
#define TUTTI_ROUTE_TRAIN_INTERNAL_H
#include "base/rng.h"
#include "route/intent_internal.h"
#include "route/train.h"

enum { GROUPS_MAX = 512, HARD_FOLDS = 5 };

struct learner {
    const struct train_set *set;
    const struct train_options *o;
    float (*w)[MODEL_LANES];    /* [GRAMS_ROWS], of the run at hand */
    float (*g)[MODEL_LANES];    /* sums of squared slopes */
    float (*mean)[MODEL_LANES]; /* [GRAMS_ROWS], of all runs: what the model will be */
    float bias[MODEL_LANES], bias_g[MODEL_LANES], mean_bias[MODEL_LANES];
    int *fold;        /* of each line */
    int *group;       /* of each line: sources that begin alike */
    char name[GROUPS_MAX][TRAIN_SOURCE_BYTES];
    size_t group_n[GROUPS_MAX];
    bool is_trusted[GROUPS_MAX];
    unsigned group_intents[GROUPS_MAX]; /* a set */
    int n_groups, n_folds, held; /* held: a group, -1: none */
    uint32_t *order;  /* of lines, scratch */
    struct rng rng;
};

static inline uint32_t train_below(struct rng *r, uint32_t n) { return (uint32_t)(rng_u64(r) % n); }
static inline void train_shuffle(struct rng *r, uint32_t *order, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        const size_t j = rng_u64(r) % i;
        const uint32_t swap = order[i - 1];
        order[i - 1] = order[j], order[j] = swap;
    }
}

/* Leaves out each row with a chance of share / 256; returns how many are left. */
static inline int train_hide(struct rng *r, uint16_t *rows, int n, unsigned share)
{
    int kept = 0;
    uint64_t chance = 0;
    for (int i = 0; i < n; i++) {
        chance = i % 8 ? chance >> 8 : rng_u64(r);
        rows[kept] = rows[i];
        kept += (chance & 255) >= share;
    }
    return kept;
}

static inline bool train_is_measured(const struct train_line *l) { return l->weak >= 0 && l->strong >= 0; }
uint32_t train_text_fold(const struct train_line *l); /* of HARD_FOLDS, by a hash of the text */
/* The lanes of `mean` and `mean_bias` from MODEL_OUTCOME on, from all lines but those of that fold (-1: none). */
bool train_learn_hard(struct learner *t, int not_fold, struct err *err);
/* intent_gain() of a line by mean and mean_bias. */
float train_gain(const struct learner *t, const struct train_line *l);
#endif
