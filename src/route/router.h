/* route/router.h - the expert `auto`: a job goes to the expert that the policy chooses, and its events come back.
 *
 * For:     serve/ makes one for all experts of a service; api/ submits to `auto` as to any other expert; pipeline/ adds
 *          experts of its own (fan-out) and asks for the experts of its pieces.
 * Callers: pipeline/, api/, serve/, cmd/.
 * Touches: the experts that it was given; the clock; a thread of its own that sleeps while nothing is to be retried or watched.
 * Thread:  any; the hooks come before the first job.  Experts may come and go while jobs run.
 * Rule:    a job gets exactly one final event, whatever the experts underneath do.  Once a piece of an answer was passed on, no
 *          other expert's words follow it.  What must not leave this machine is given to nobody that would take it elsewhere,
 *          in no attempt.  Prompts are shared with the job, never copied or kept.
 * Start:   router.c, submit(); a job's life is in router_internal.h.
 */
#ifndef TUTTI_ROUTE_ROUTER_H
#define TUTTI_ROUTE_ROUTER_H
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "expert/expert.h"
#include "plan/device.h"
#include "route/policy.h"

struct journal;
struct ladders;

/* How an attempt is looked after.  Zero means what the policy says (policy_settings.h). */
struct router_care {
    int n_tries_max;       /* experts asked for one job */
    float hang_s;          /* nothing came of an answer for so long: another one is asked */
    float hedge_factor;    /* first word later than so many times what was predicted, and hedge_s: an idle one is asked, too */
    float hedge_s;         /* below 0: never */
    int probation_tok;     /* of a small expert's answer that are looked at before a stream shows them */
    float probation_s;     /* or for so long */
    float patience_s;      /* a small expert and a better one after it must end within this */
    float logprob_least;   /* mean of the tokens' log-probabilities: less is not sure enough */
    int n_remembered;      /* answers kept for when nobody can answer */
    float remembered_s;    /* not older */
};

/* What a job came to.  Never the prompt. */
struct router_outcome {
    enum err_code code;    /* as the client got it; ERR_NONE: done */
    enum route_class cls;
    int n_hung, n_failed;  /* of those asked: gave no answer in time, failed */
    bool had_deadline, missed_deadline; /* had: one that could be met */
};

/* The governor, as the router sees it; functions may be NULL.  Called from any thread, must be quick and must not call the router or
 * an expert. */
struct router_governor {
    void *ctx;
    /* telemetry, and which steps are allowed, of nodes (node 0 is this machine); before each decision */
    void (*see)(void *ctx, struct candidates *world);
    /* "llm 1/3: heat" when that class is turned down on this machine; else "" */
    void (*put_ladder)(void *ctx, enum route_class cls, char *out, size_t max);
    void (*ended)(void *ctx, const struct router_outcome *o);
    /* joules that this machine took since some moment, never going back; NAN: no meter */
    double (*joules)(void *ctx);
};
struct router_env { /* borrowed until router_free() */
    const struct policy *policy;         /* needed */
    struct predictor *predictor;         /* NULL: nothing is learned */
    struct bandit *bandit;               /* NULL: nothing is learned */
    const struct intent_model *intent;   /* NULL: the shipped one */
    const struct plan_device *device;    /* this machine, for predictions; NULL: a small CPU is assumed */
    struct router_care care;
    struct router_governor governor;
    struct journal *journal;             /* NULL: nothing is kept */
    const struct ladders *ladders;       /* places candidates on their steps; NULL: all on the first */
};

/* What stands in GET /metrics. */
struct router_figures {
    uint64_t decisions[ROUTE_GOAL_COUNT]; /* jobs by goal */
    uint64_t retries, promotions, hedges, hedges_won, hangs, forgiven, remembered, refused;
    int n_jobs;                           /* now */
};
enum { ROUTER_BUCKETS = 9 };
extern const double router_bucket_s[ROUTER_BUCKETS]; /* upper bounds of decision times; the last + 1: above all */

struct router;
/* experts: borrowed until router_free().  The caller owns the result.  NULL with err. */
struct router *router_new(const struct router_env *env, struct expert *const *experts, int n, struct err *err);
void router_free(struct router *r); /* stops it; its experts must still be there.  NULL is fine */

/* One more expert, of a higher floor.  is_composite: it asks the router for experts of its own.  hint: what its card does not say
 * (speeds, quality, privacy: the furthest that it may send something to); NULL: nothing. */
bool router_add(struct router *r, struct expert *e, const struct candidate *hint, bool is_composite, struct err *err);

/* An expert of another node, whose distance and telemetry are `node` (found by its name; a new one is made).  One that is there already gets
 * this hint and its node this telemetry. */
bool router_add_on(struct router *r, const struct route_node *node, struct expert *e, const struct candidate *hint, struct err *err);
/* How that node fares now; is_up false: nobody there is asked.  A name that no expert stands on is passed over. */
void router_set_node(struct router *r, const struct route_node *node);
/* This machine's name among nodes (route/live.h: homes of conversations); without one it is "local". */
void router_set_self(struct router *r, const char *name);
/* No job is given to it any more once this returns; those that it has end as they end, so it must live on until then (expert_stop()
 * waits for that).  What was learned of it is kept for when it comes back.  The caller holds no lock that submitting to it wants.
 * Who is not there is passed over. */
void router_withdraw(struct router *r, const struct expert *e);

/* "auto", "auto:fast", ...: experts that live as long as the router. */
struct expert *router_expert(struct router *r, enum route_goal goal);
/* The same for the pieces of a composite expert: never chooses a composite one, so nothing asks itself. */
struct expert *router_expert_for_pieces(struct router *r, enum route_goal goal);
const char *router_expert_id(enum route_goal goal); /* "auto:fast" */

/* Is there an expert of this id on another node, up or not? */
bool router_knows(struct router *r, const char *id);
/* Those of other nodes, each as its node last said; fn must not call the router. */
void router_each_elsewhere(struct router *r, void (*fn)(void *ctx, const struct candidate *c), void *ctx);

/* What this machine is and what was learned may be found out behind the start, by a thread of the caller's: between these two whoever decides
 * or looks waits.  device NULL: what router_new() was told stays. */
void router_expect(struct router *r); /* before the first job */
void router_know(struct router *r, const struct plan_device *device); /* the last that the thread does with the router */
void router_await(struct router *r); /* until then; needed before router_free() */

/* What was learned, as lines that can be taken again after a restart: corrections of predictions (predict.h) and the bandit's (bandit.h).
 * What is of experts that are not here is passed over, and corrections of another node's are taken when it comes; false with err: what cannot be read. */
void router_put_learned(struct router *r, struct buf *predictor, struct buf *bandit);
bool router_take_learned(struct router *r, const char *predictor, const char *bandit, struct err *err); /* either may be NULL */

void router_get_figures(struct router *r, struct router_figures *out);
/* Lines of Prometheus for the figures, each name with the prefix. */
void router_put_metrics(struct router *r, const char *prefix, struct buf *out);
/* The candidates as the policy sees them now, as a JSON array. */
void router_put_candidates(struct router *r, struct buf *out);
#endif
