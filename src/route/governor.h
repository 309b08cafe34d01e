/* route/governor.h - how much this machine may do now: a pure state machine over telemetry.  One call a second.
 *
 * For:     steward.c (the live one), simulate.c (one for each node, virtual time), tests.
 * Callers: route/, serve/, tests.
 * Touches: nothing; no allocation; a struct governor is plain data that may be copied.  Time is the caller's.
 *
 * Each cause (heat, memory, ...; data/governor.csv) has a level on its own path of knobs ("threads batch threads tier"):
 *
 *             value < down (one step, more when far below), or value < urgent (the whole path)
 *        +-----------------------------------------------------------------------------------+
 *        |                                                                                   v
 *   level 0 = full service       HOLD: down <= value <= up, nothing changes              level n
 *        ^                                                                                   |
 *        +-----------------------------------------------------------------------------------+
 *             value > up for hold_s x patience: one step back, the last one of the path first
 *
 * What a knob is turned to is the deepest of what the causes want of it.  A step that moves no knob, because another cause wants as
 * much already, happens silently; the others are transitions.  Deadlines and faults have a level for each class, the rest one for all.
 *
 * Rules that hold whatever the telemetry does (tests/route/test_governor.c):
 *  - at most one transition down and one up in a minute, of all causes together; it may turn several knobs, and go down several steps
 *    when the value is far below.  Who has waited longest goes first.
 *  - an emergency (value < urgent) does not wait for that minute; but also then a knob of a class moves at most once in each direction
 *    in a minute: those that have just moved follow when theirs is over, all others go at once.
 *  - a step up comes at the earliest a minute after the last step down.  When a step up had to be taken back within ten minutes the
 *    patience of that cause doubles (to 32 minutes at most), so that a load that the machine cannot bear does not make it swing; it does not
 *    count when the value is better than it was then (by `more`), and is forgotten in `calm` or after an hour without a step down.
 *  - in calm it comes back to full service, a step a minute after hold_s.
 *  - a value that is not known (NAN) is no reason to step down, and lets the cause step up.
 */
#ifndef TUTTI_ROUTE_GOVERNOR_H
#define TUTTI_ROUTE_GOVERNOR_H
#include <stdbool.h>
#include <stdint.h>

#include "route/ladder.h"
#include "route/telemetry.h"

struct governor_input {
    const struct telemetry *now; /* NULL: not known */
    float power_cap_w;           /* the user's; 0: none */
    bool is_quiet;               /* quiet hours (the policy's) */
    int n_upstreams, n_upstreams_up; /* servers elsewhere that are configured; that answer */
    struct {
        int n_done, n_late;      /* answers with a deadline since the last call; of those too late */
        int n_faults;            /* experts that hung, ran out of memory or timed out since the last call */
    } cls[ROUTE_CLASS_COUNT];
};

struct governor_limits { /* of a class, now */
    uint8_t depth[ROUTE_KNOB_COUNT]; /* 0: all of it */
    uint8_t step;                    /* depth of TIER: the first step of the ladder that may be used */
    float threads, batch, context, input; /* shares of what an expert has, 0..1 (expert_limit()) */
    enum governor_cause cause;       /* that wants the most; when anything is turned down */
    bool is_limited;                 /* anything is turned down */
};

struct governor_transition {
    uint64_t at_ns;
    bool is_down;
    bool is_urgent;
    enum governor_cause cause;
    int cls;                         /* enum route_class; -1: all of them */
    uint8_t from, to;                /* level of the cause on its path */
    uint8_t knobs;                   /* bit i: enum route_knob i moves by it (some of them perhaps only when their minute is over) */
    float value;                     /* of the cause, that was the reason */
};
/* One line for people: "down to 2 of 8: heat, 3.1 C below the limit: threads, batch". */
void governor_put_transition(const struct governor_transition *t, const struct ladders *l, char *out, size_t max);

enum { GOVERNOR_LEVELS = ROUTE_CLASS_COUNT + 1 }; /* of each class, and of all */
enum { GOVERNOR_TRANSITIONS_MAX = 16 };           /* of one call */

struct governor {
    const struct ladders *rules;     /* borrowed */
    struct governor_level {
        uint8_t level;
        uint8_t patience;            /* 1, 2, 4, 8, 16, 32 */
        uint64_t down_ns, up_ns;     /* last step; 0: none yet */
        uint64_t good_ns;            /* value has been above `up` since; 0: it is not */
        float tried, in_vain;        /* value at the last step up; at the last one that had to be taken back; NAN */
    } levels[GOVERNOR_CAUSE_COUNT][GOVERNOR_LEVELS];
    uint64_t down_ns, up_ns;         /* last transition */
    struct { uint64_t down_ns, up_ns; } moved[ROUTE_CLASS_COUNT][ROUTE_KNOB_COUNT];
    struct governor_limits now[ROUTE_CLASS_COUNT]; /* the result */
    bool is_offline;                 /* there are upstreams, and none answers */
    float values[GOVERNOR_CAUSE_COUNT][GOVERNOR_LEVELS]; /* as they were at the last call; NAN */
    uint64_t transitions_total[GOVERNOR_CAUSE_COUNT][GOVERNOR_LEVELS][2]; /* up, down */
    /* what it reckons with */
    struct { float v, per_s; } trend[GOVERNOR_CAUSE_COUNT]; /* smoothed, and how fast it changes; NAN: not known */
    float n_done[ROUTE_CLASS_COUNT], n_late[ROUTE_CLASS_COUNT]; /* answers lately, since the last step for them */
    bool has_fault[ROUTE_CLASS_COUNT];      /* that no step down has answered yet */
    uint64_t last_ns;                       /* the last call; 0: none */
};

void governor_init(struct governor *g, const struct ladders *rules);
/* Returns the number of transitions, written to out (at most GOVERNOR_TRANSITIONS_MAX).  now_ns does not go back and is never 0. */
int governor_step(struct governor *g, const struct governor_input *in, uint64_t now_ns, struct governor_transition out[GOVERNOR_TRANSITIONS_MAX]);
/* The steps for the policy, and whether it is throttled. */
void governor_to_node(const struct governor *g, struct route_node *node);
/* "llm 1/3: heat" when that class is turned down; else "". */
void governor_put_ladder(const struct governor *g, enum route_class cls, char *out, size_t max);
#endif
