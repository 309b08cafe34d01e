/* route/ladder.h - what to fall back to, as data: the rungs of each class, the order in which knobs are turned, the thresholds.
 *
 * For:     governor.c (how far down, what first), policy.c (rule LADDER, by candidate.step), simulate.c, router.c.
 * Callers: route/, serve/, cmd/, tests.
 * Touches: the tables `ladder` and `governor` of the catalog (data/ladder.csv, data/governor.csv; a user's rows override them), read once.
 * Rule:    constant once read.  A new ladder is a class of candidate.h and rows of data/ladder.csv; another threshold or order of
 *          steps is a cell of data/governor.csv.
 */
#ifndef TUTTI_ROUTE_LADDER_H
#define TUTTI_ROUTE_LADDER_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "catalog/catalog.h"
#include "route/candidate.h"

/* id, word, what it is.  ORDER ROUTE_KNOB: what can be turned down for a class */
#define ROUTE_KNOBS(X)                                                          \
    X(THREADS, "threads", "threads that compute, or the share of time that it works")  \
    X(BATCH, "batch", "requests at a time")                                     \
    X(CONTEXT, "context", "longest text")                                       \
    X(INPUT, "resolution", "pixels of what is looked at")                       \
    X(TIER, "tier", "which model: a step of the class's ladder")
enum route_knob {
#define X(id, word, what) ROUTE_KNOB_##id,
    ROUTE_KNOBS(X)
#undef X
        ROUTE_KNOB_COUNT
};
const char *route_knob_name(enum route_knob k);

/* id, word, what is measured (less is worse), its unit.  ORDER GOVERNOR_CAUSE */
#define GOVERNOR_CAUSES(X)                                                      \
    X(HEAT, "heat", "degrees below the limit, as they will be soon", "C")       \
    X(POWER, "power", "share of the power cap that is left", "")                \
    X(BATTERY, "battery", "charge, while it empties", "")                       \
    X(MEMORY, "memory", "free share of the memory, or of 8 GiB where there is more", "")                 \
    X(PRESSURE, "pressure", "share of the time in which nobody waits for memory", "") \
    X(GPU, "gpu", "degrees below the accelerator's limit", "C")                 \
    X(DEADLINE, "deadline", "share of the class's answers that were in time", "") \
    X(FAULT, "fault", "0 when an expert of the class hung or ran out of memory", "") \
    X(QUIET, "quiet", "0 in quiet hours", "")
enum governor_cause {
#define X(id, word, what, unit) GOVERNOR_##id,
    GOVERNOR_CAUSES(X)
#undef X
        GOVERNOR_CAUSE_COUNT
};
const char *governor_cause_name(enum governor_cause c);

enum { LADDER_STEPS_MAX = 8, LADDER_PATH_MAX = 24, KNOB_DEPTHS_MAX = 6 };

struct ladder_rung { /* one row of data/ladder.csv */
    enum route_class cls;
    int step;                     /* 0: best */
    char what[64];                /* "small model, 4 bits" */
    float params_min, params_max; /* weights; NAN: any, here and below */
    float bits_min, bits_max;
    float input_min_px, input_max_px;
    char kinds[64];               /* "espeak flite"; "": any */
    bool is_elsewhere;            /* only what answers on another machine than its node's */
    bool is_on_cpu;               /* only what runs on the CPU */
};

struct governor_rule { /* one row of data/governor.csv: what a cause does */
    bool is_there;
    float down, up;       /* below `down` a step down; above `up`, for a while, a step up; between them nothing changes */
    float more;           /* for every such amount further below one more step at once; 0: none */
    float urgent;         /* below: the whole path at once */
    float calm;           /* above: no reason to be careful any more (governor.h) */
    float ahead_s;        /* reckoned where it will be by then, while it falls */
    float hold_s;         /* good for so long before a step up */
    uint8_t path[LADDER_PATH_MAX]; /* enum route_knob: what each step turns, in order */
    int n_path;
};

struct ladders {
    struct ladder_rung *rungs;    /* owned; by class, then step */
    int n_rungs;
    int n_steps[ROUTE_CLASS_COUNT];
    struct governor_rule rules[GOVERNOR_CAUSE_COUNT];
    float share[ROUTE_KNOB_COUNT][KNOB_DEPTHS_MAX]; /* what is left of a knob at each depth: 1, 0.75, 0.5 ... */
    int n_depths[ROUTE_KNOB_COUNT]; /* with depth 0 */
};

/* The caller owns the result; the catalog may go.  NULL with err: which row is wrong. */
struct ladders *ladders_new(struct catalog *c, struct err *err);
void ladders_free(struct ladders *l); /* NULL is fine */

/* What a card (and what the loaded task says of itself; NULL: nothing yet) tells of that by which ladders go: kind, is_accelerated, params, bits,
 * input_px.  What it does not tell stays as it is. */
void ladder_facts(const struct expert_card *card, const struct task_info *info, struct candidate *c);
/* Sets candidate.step, by what is known of it: the last rung of its class that it fits.  What fits none has step 0.  node: where it is. */
void ladder_place(const struct ladders *l, const struct route_node *node, struct candidate *c);
/* "small model, 4 bits"; "" when there is no such step. */
const char *ladder_step_what(const struct ladders *l, enum route_class cls, int step);
#endif
