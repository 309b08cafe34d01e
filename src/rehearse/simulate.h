/* rehearse/simulate.h - a rehearsal: a described fleet and workload in virtual time, decided by the production policy or by simple ones.
 *
 * For:     `tutti route simulate`: what would a policy, a machine more, a hot summer do?  Before buying anything.
 * Callers: cmd/, tests.
 * Touches: reads the files it is told; otherwise memory.  Thread: any; a simulation does not change while it is run, so several
 *          policies may run over it at once.
 * Rule:    the same file, policy and seed give the same figures.  All policies see the same arrivals, the same weather and the
 *          same hidden truths; they differ in whom they choose and in nothing else: queues, retries and limits are the same.
 *          Every request ends exactly once: done, or failed for one of SIM_FAILURES.  Memory is bounded by SIM_FLIGHT_MAX
 *          requests at a time, however long the run.  What is true of an expert (`truth`) the policy learns only by outcomes.
 */
#ifndef TUTTI_REHEARSE_SIMULATE_H
#define TUTTI_REHEARSE_SIMULATE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "route/candidate.h"

/* word, whom it chooses.  All but the first are rivals: they choose among those whom the hard rules of policy.h leave for
 * their task, sight, tools, privacy, context and state; they heed no ladder, deadline, price or energy.  ORDER SIM_POLICY */
#define SIM_POLICIES(X)                                                                     \
    X(OURS, "tutti", "the production policy with what it learns, governor and ladders")     \
    X(ALWAYS_BIG, "always-big", "the best quality that can; the fastest of equals")         \
    X(ALWAYS_SMALL, "always-small", "the least quality that can; the fastest of equals")    \
    X(ROUND_ROBIN, "round-robin", "each in turn")                                           \
    X(LEAST_LOADED, "least-loaded", "fewest requests for its places; the next in turn of equals") \
    X(FASTEST, "fastest", "soonest end as predicted, its queue included")                   \
    X(RANDOM, "random", "any")
enum sim_policy {
#define X(id, word, what) SIM_##id,
    SIM_POLICIES(X)
#undef X
        SIM_POLICY_COUNT
};
const char *sim_policy_name(enum sim_policy p);
bool sim_policy_by_name(const char *word, enum sim_policy *out);

/* id, word, what it means.  ORDER SIM_FAILURE */
#define SIM_FAILURES(X)                                                                     \
    X(NOBODY, "nobody", "no able expert was up while it waited")                            \
    X(BUSY, "busy", "the queue of every able expert was full")                              \
    X(LATE, "late", "its deadline passed in a queue or in work")                            \
    X(LOST, "lost", "those who were asked broke, and nobody was left to ask")
enum sim_failure {
#define X(id, word, what) SIM_FAIL_##id,
    SIM_FAILURES(X)
#undef X
        SIM_FAIL_COUNT
};
const char *sim_failure_name(enum sim_failure f), *sim_failure_what(enum sim_failure f);

enum { SIM_CLASSES_MAX = 24, SIM_EVENTS_MAX = 256, SIM_SCRIPTS_MAX = 128, SIM_FLIGHT_MAX = 16384, SIM_BINS = 2560, SIM_QUEUE_MAX = 256 };

/* What such a file has beyond a fleet's keys: for others who read it as a fleet. */
struct fleet_keys;
extern const struct fleet_keys sim_keys;

struct policy;
struct sim; /* simulate_yaml.c: fleet, workload, arrivals, truths, scripts */

/* A file (docs/simulate.md); "-" reads stdin.  Owned by the caller; NULL with err. */
struct sim *sim_read(const char *path, struct err *err);
/* The same from memory.  folder: where files that it names are looked for; NULL: it may name none. */
struct sim *sim_parse(const char *name, const char *text, size_t n, const char *folder, struct err *err);
void sim_free(struct sim *s); /* NULL is fine */

const struct candidates *sim_world(const struct sim *s); /* as the fleet file says, before anything happened */
int sim_n_classes(const struct sim *s);
const char *sim_class_name(const struct sim *s, int i);
int sim_n_scripts(const struct sim *s);
const char *sim_script_name(const struct sim *s, int i);
/* Lines with outcomes of a weak and a strong model (corpus/difficulty), read by the router as text: instead of the shipped table.
 * model: a file of `tutti route train`; NULL: the shipped one. */
bool sim_set_questions(struct sim *s, const char *path, const char *model, struct err *err);
/* Another policy than the defaults or the file's map `route`. */
bool sim_set_policy(struct sim *s, const char *path, struct err *err);
struct policy *sim_policy(struct sim *s); /* to change it in place (policy_settings.h) before a run; the simulation's */
/* More scripts, of a file with a map `scripts`. */
bool sim_add_scripts(struct sim *s, const char *path, struct err *err);

struct sim_options {
    uint64_t seed;
    uint64_t n_requests; /* 0: as the file says */
    double until_s;      /* instead: as many as come until then; 0: n_requests */
    int script;          /* -1: none; what goes on besides the file's own events */
    float rate;          /* times the arrivals of the file; 0: 1 */
};

struct sim_hist { /* seconds, 1 % fine, 10 us .. 10^6 s */
    uint32_t bin[SIM_BINS];
    uint64_t n;
    double sum;
};
double sim_hist_at(const struct sim_hist *h, double share); /* 0.95: the 95th percentile; NAN when empty */

struct sim_class_figures {
    uint64_t n_in, n_done, n_right;
    struct sim_hist total;
};
struct sim_expert_figures {
    uint64_t n_done;
    double busy_s, joules; /* joules above idle, loading included */
    uint64_t n_loads;
};
struct sim_node_figures {
    double up_s, idle_joules, work_joules; /* work: above idle */
    double max_c, throttled_s;
};
struct sim_figures {
    double end_s;                /* virtual */
    uint64_t n_in, n_done, n_failed[SIM_FAIL_COUNT];
    uint64_t n_right;            /* of those done; the rest counts as wrong: quality = n_right / n_in */
    uint64_t n_missed;           /* done after the time that was asked for (objective or deadline), or failed */
    uint64_t n_retried, n_hedged, n_promoted, n_loads, n_degraded, n_transitions;
    uint64_t n_unjust;           /* failed although an able expert had a free place long enough: must be 0 */
    uint64_t n_flight_most;
    struct sim_hist ttft, total;
    double idle_joules, work_joules, request_joules, load_joules; /* work = request + load */
    double usd_tokens, usd_power; /* to providers; electricity, idle included */
    struct sim_class_figures classes[SIM_CLASSES_MAX];
    struct sim_expert_figures *experts; /* owned, in the order of sim_world() */
    struct sim_node_figures *nodes;
    double last_done_s, last_fail_s; /* when; -1: never */
    double cpu_s;                /* what the run took: not virtual, differs from run to run */
};
double sim_quality(const struct sim_figures *f);   /* 0..1 */
double sim_noise(const struct sim_figures *f);     /* two standard errors of the quality */

/* out: all zero, or of an earlier run; sim_figures_fini() when it is done with.  Some 50 KB: keep it off the stack. */
void sim_figures_fini(struct sim_figures *f);
bool sim_run(const struct sim *s, enum sim_policy p, const struct sim_options *o, struct sim_figures *out, struct err *err);

/* A made-up fleet with its workload as such a file: 2 to 8 nodes of 5 kinds, 4 to 24 experts.  The text is appended. */
struct buf;
void sim_random(uint64_t seed, struct buf *out);
#endif
