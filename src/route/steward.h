/* route/steward.h - the governor at work on this machine: reads telemetry, decides, turns the knobs of experts, tells the router.
 *
 * For:     serve/ makes one; router.c asks it for the node and reports what it saw; metrics and api/ show its state.
 * Callers: route/, serve/, cmd/, tests (which turn it by hand: steward_tick()).
 * Touches: telemetry.h, the experts' limits.  Thread: one of its own, once a second while an expert works or a knob is turned, every five
 *          while one is warm, else every half minute, and when the router asks after longer than that; all functions may be called from any thread, and none waits for a sensor
 *          but who asks before the thread has found them (some ms after steward_start()): END_S at most.
 * Rule:    every transition is one line in the log, counted, and given to on_transition.  Experts of a step that the ladder has left are
 *          asked to unload when it was for memory.
 */
#ifndef TUTTI_ROUTE_STEWARD_H
#define TUTTI_ROUTE_STEWARD_H
#include "base/buf.h"
#include "route/governor.h"

struct steward_config { /* texts and lists are borrowed until steward_free() */
    const char *root;             /* as telemetry_open() takes it; NULL: this machine */
    struct expert *const *experts;
    int n_experts;
    const struct ladders *ladders;
    float power_cap_w;            /* 0: none */
    struct behind *behind;        /* a start that it looks for its sensors behind; NULL: at once */
    bool (*is_quiet)(void *ctx);  /* quiet hours; NULL: never */
    void (*on_transition)(void *ctx, const struct governor_transition *t); /* from its thread; NULL */
    void *ctx;
};

struct steward_state { /* one moment, copied out */
    struct telemetry now;
    struct governor governor;
    uint64_t n_ticks;
    struct telemetry_parts parts;
};

struct steward;
/* The caller owns the result; NULL with err.  Sensors are looked for in the first turn. */
struct steward *steward_new(const struct steward_config *config, struct err *err);
bool steward_start(struct steward *s, struct err *err); /* its thread */
/* NULL is fine; the experts are still there, and their limits stay as they are.  Waits two seconds at most for a sensor that hangs. */
void steward_free(struct steward *s);
/* One turn, now.  Tests; not while the thread runs. */
void steward_tick(struct steward *s, uint64_t now_ns);

/* The telemetry and governor fields of the node of this machine; the others stay.  Never blocks for longer than a copy takes;
 * what is older than a few seconds is read anew by the thread (for the next one who asks). */
void steward_get_node(struct steward *s, struct route_node *node);
void steward_get_state(struct steward *s, struct steward_state *out);
void steward_wish_fresh(struct steward *s); /* who looks again soon (a scrape) finds it not older than this call */
/* "llm 1/3: heat" when the class is turned down; else "". */
void steward_put_ladder(struct steward *s, enum route_class cls, char *out, size_t max);

/* What the router saw: an answer with a deadline; an expert that gave no answer in time, hung or ran out of memory (processes that
 * die are seen without it). */
void steward_saw_answer(struct steward *s, enum route_class cls, bool is_late);
void steward_saw_fault(struct steward *s, enum route_class cls);

struct router_governor; /* router.h */
/* Its hooks for the router, which must not outlive it. */
void steward_hooks(struct steward *s, struct router_governor *out);

/* steward_show.c: telemetry and limits as a JSON object (docs/json.md); lines of Prometheus, each name with the prefix.  What is not
 * known is left out. */
void steward_put_json(struct steward *s, struct buf *out);
void steward_put_metrics(struct steward *s, const char *prefix, struct buf *out);

/* For the joules of a request: read before and after.  NAN without a meter. */
double steward_joules(struct steward *s);
const char *steward_meter(struct steward *s); /* "RAPL, CPU packages"; NULL: none */
#endif
