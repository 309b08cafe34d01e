/* rehearse/simulate_internal.h - what the files of the simulation share: the description, requests in flight, the engine's state.
 *
 * For:     simulate*.c alone.
 *          simulate_yaml.c reads a description, simulate_load.c makes requests of it, simulate_world.c is heat, power, batteries,
 *          memory and shared devices, simulate_rival.c chooses for the simple policies, simulate.c is the loop.
 */
#ifndef TUTTI_REHEARSE_SIMULATE_INTERNAL_H
#define TUTTI_REHEARSE_SIMULATE_INTERNAL_H
#include <math.h>

#include "base/rng.h"
#include "base/yaml.h"
#include "route/fleet.h"
#include "route/policy.h"
#include "route/shortlist.h"
#include "rehearse/simulate.h"

enum { SIM_TRIES_MAX = 4 /* as router.h */, SIM_ACTIVE_MAX = 64, SIM_SESSIONS = 64, SIM_FLOODS_MAX = 64 };

/* ---- the description ---- */

struct sim_node_truth {
    double ambient_c, limit_c, c_per_w, heat_s; /* RC model: towards ambient_c + c_per_w * watts in heat_s; limit_c NAN: none */
    double throttled_speed;   /* of its speed while it is too hot */
    double memory_bytes;      /* INFINITY: enough */
    double battery_j;         /* full; 0: has none */
    double battery_frac;      /* at the begin */
    bool on_battery;
    double loss;              /* share of transfers that take one more round (0.2 s) */
    double flap_every_s, flap_for_s; /* means; 0: the link holds */
};

struct sim_expert_truth {
    double answers;           /* text: < 0: right where the weak model is, less often by that share; 0 weak, 1 strong, between: mixed */
    double accuracy;          /* all other tasks: share that is right */
    double speed, load, watts; /* times what the fleet file says */
    double bytes;             /* of its node's memory */
    int device;               /* index; -1: shares with nobody and nothing (a provider) */
    char device_name[32];     /* of its node's */
    double gain;              /* of its device: how many run at full speed side by side */
};

struct sim_spread { double median, sigma; }; /* log-normal */

struct sim_class {
    char name[32];
    double share;             /* cumulated: 0..1, the last one is 1 */
    enum expert_task task;
    enum intent intent;       /* what stage 2 finds where there is no text */
    bool is_text;             /* chat, complete: has an intent and a difficulty */
    struct sim_spread prompt_tok, gen_tok, sound_s, n_bytes;
    double context_tok;
    int n_items;
    double turns;             /* of a conversation, mean */
    uint64_t max_gen_tok;
    bool needs_sight, needs_tools, is_private;
    enum route_goal goal;
    struct expert_wish wish;
};

/* ORDER SIM_DO */
#define SIM_DOS(X)                                                              \
    X(NODE_LOST, "node-lost", "a machine is gone; for: until it is back")        \
    X(EXPERT_LOST, "expert-lost", "an expert is gone: a stick unplugged, a crash") \
    X(HEAT, "heat", "the air around a machine has `to` degrees")                 \
    X(UNPLUG, "unplug", "a machine runs on its battery")                         \
    X(BATTERY, "battery", "its battery holds `to` (0..1)")                       \
    X(MEMORY, "memory", "somebody else takes `to` bytes of its memory")          \
    X(SLOW, "slow", "a machine has `to` of its speed: somebody else computes")   \
    X(LINK, "link", "its link has `to` of its speed and 1/`to` times its delay") \
    X(FLOOD, "flood", "`to` times the arrivals")                                 \
    X(UPSTREAM, "upstream-gone", "everything outside the house is gone")         \
    X(TEMPERATURE, "temperature", "recorded: it has `to` degrees now, whatever the model says")
enum sim_do {
#define X(id, word, what) SIM_DO_##id,
    SIM_DOS(X)
#undef X
        SIM_DO_COUNT
};

struct sim_event { /* what happens to the world */
    double at_s, for_s;       /* for_s INFINITY: for good */
    enum sim_do what;
    int node, candidate;      /* -1: does not apply */
    double to;
};

struct sim_script {
    char name[64];
    struct sim_event *events; /* owned */
    int n;
};

enum sim_process { SIM_POISSON, SIM_BURSTS, SIM_DIURNAL, SIM_RECORDED };

struct sim_record { /* of a recorded arrival, or of a question */
    double at_s;
    int cls;                  /* -1: drawn */
    int8_t weak, strong;      /* -1: not known */
    bool has_intent;
    float prompt_tok, gen_tok; /* 0: drawn */
    struct intent_answer intent;
    struct features features;
};

struct sim {
    struct fleet *fleet;      /* owned */
    char folder[512];         /* where files that it names lie; "" : it may name none */
    struct candidates world;  /* as it begins; borrowed from the fleet */
    struct policy *policy;    /* owned; NULL: defaults */
    bool is_large;            /* more than one decision looks at: a shortlist is made first */
    struct sim_node_truth *nodes; /* owned [world.n_nodes] */
    struct sim_expert_truth *experts; /* owned [world.n] */
    int n_devices;
    struct sim_class classes[SIM_CLASSES_MAX];
    int n_classes;
    struct sim_script script; /* what always happens, recorded telemetry included */
    struct sim_script *scripts; /* owned */
    int n_scripts;
    enum sim_process process;
    double per_s, burst_factor, burst_every_s, burst_for_s, peak_s, depth;
    uint64_t n_requests;
    double patience_s;        /* how long a request waits for somebody able to come back */
    double notice_s;          /* until the router sees that a machine is gone */
    double caught;            /* share of wrong answers that a check finds (empty, loop, invalid) */
    double start_s;           /* of the day */
    struct sim_record *records; /* owned: recorded arrivals */
    size_t n_records;
    struct sim_record *questions; /* owned: real texts with outcomes */
    size_t n_questions;
};

/* ---- requests ---- */

struct sim_truth { /* of one request, the same for every policy */
    bool weak, strong;        /* would that model's answer be right */
    double u_right, u_caught, u_link; /* 0..1 */
    double gen_tok;           /* as it turns out */
};

struct sim_arrival {
    double at_s;
    int cls;
    struct route_request rq;  /* wish, features, intent: to be pointed to where they lie */
    struct features features;
    struct intent_answer intent;
    struct sim_truth truth;
    int session;              /* index, -1: none */
    bool is_follow_up;
};

struct sim_load { /* makes arrivals; bounded */
    const struct sim *s;
    struct rng rng;
    double now_s, until_s, rate, most;
    uint64_t n, n_made;
    const struct sim_event *floods[SIM_FLOODS_MAX];
    int n_floods;
    struct { uint64_t id; double context_tok; } sessions[SIM_CLASSES_MAX][SIM_SESSIONS];
    struct features plain;    /* of no text */
};

void sim_load_init(struct sim_load *l, const struct sim *s, const struct sim_options *o);
bool sim_load_next(struct sim_load *l, struct sim_arrival *out); /* false: no more */
/* Is the answer of candidate c right?  Hidden from the policy. */
bool sim_is_right(const struct sim *s, int c, const struct sim_arrival *a);

/* ---- the world in motion ---- */

enum sim_down { SIM_DOWN_SCRIPT = 1, SIM_DOWN_FLAP = 2, SIM_DOWN_BATTERY = 4, SIM_DOWN_HEAT = 8, SIM_DOWN_UPSTREAM = 16, SIM_DOWN_MEMORY = 32 };

struct sim_node {
    double since_s, watts;    /* above idle, of its devices */
    double c, ambient_c;
    double battery_j;
    double memory_bytes;      /* for experts, now */
    double speed, link;       /* of the described ones */
    bool on_battery, is_throttled;
    unsigned down;            /* enum sim_down; 0: up */
    unsigned lost_n;          /* scripts that hold it down: they may overlap */
    uint32_t heat_gen, battery_gen;
};

struct sim_device {
    int node;
    double gain;
    int active[SIM_ACTIVE_MAX]; /* requests */
    double until[SIM_ACTIVE_MAX]; /* value of `work` at which it is through */
    double busy_w[SIM_ACTIVE_MAX];
    int n;
    double work;              /* seconds alone at full speed that each active one got since the begin */
    double joules;            /* that each active one took since the begin */
    double since_s, rate, watts;
    uint32_t gen;
};

struct sim_expert {
    unsigned down, lost_n;    /* beside its node */
    bool is_warm, is_loading, waits_for_memory;
    int head, tail;           /* queue of requests; -1 */
    int n_queued, n_active, n_way; /* n_way: sent, not arrived */
    double up_since_s, idle_since_s; /* a free place and nobody waiting; INFINITY: not now */
    double used_s;            /* when a request ended last */
    uint32_t load_gen;
    double load_from_s;
};

/* What waits in the heap.  ORDER SIM_WAKE: at the same moment the world moves before the requests do */
enum sim_wake { SIM_WAKE_EVENT, SIM_WAKE_OVER, SIM_WAKE_FLAP, SIM_WAKE_NOTICE, SIM_WAKE_HEAT, SIM_WAKE_BATTERY, SIM_WAKE_TICK, SIM_WAKE_DEVICE,
                SIM_WAKE_LOADED,
                SIM_WAKE_ARRIVED, SIM_WAKE_AGAIN, SIM_WAKE_HEDGE, SIM_WAKE_EXPIRED };
struct sim_alarm {
    double at_s;
    uint64_t serial;          /* those of the same moment in the order in which they were set */
    int32_t kind, who;
    uint32_t gen;             /* of who; another one by now: it is void */
};

enum sim_state { SIM_FREE, SIM_WAY, SIM_QUEUED, SIM_FIRST, SIM_REST, SIM_AGAIN, SIM_PARKED };

struct sim_flight { /* a request on its way */
    struct sim_arrival a;
    enum sim_state state;
    uint32_t gen;             /* of this place */
    int c;                    /* candidate that has it */
    int slot;                 /* index in its device's list */
    int next;                 /* in the queue of an expert, the parked ones, or the free places */
    int n_asked, n_promoted;
    int tried[2 * SIM_TRIES_MAX], n_tried; /* who had it */
    double hedge_s;           /* when another one is asked unless the first word came or work began */
    double sent_s, arrived_s, begun_s, first_s; /* of the attempt at hand */
    double joules, attempt_joules, joules_from;
    float prefix_tok;
    bool is_checked, is_degraded;
    bool has_answer;          /* of a small one (answer_c) that a check did not like, until a better one is there */
    int answer_c;
    struct route_guess guess;
};

struct sim_engine {
    const struct sim *s;
    enum sim_policy policy;
    struct sim_figures *f;
    struct sim_load load;
    struct rng flaps, any;
    double now_s;
    struct route_node *nodes_seen; /* what the router sees; owned, like all lists here */
    struct candidate *seen;
    struct candidates world;
    struct sim_node *nodes;
    struct sim_device *devices;
    struct sim_expert *experts;
    const struct sim_script *scripts[2]; /* that run; who of an alarm: index over both */
    struct sim_alarm *heap;   /* owned */
    size_t n_heap, cap_heap;
    uint64_t serial;
    uint32_t tick_gen;
    int n_quiet_ticks;        /* since something else happened */
    struct sim_flight *flight; /* owned [SIM_FLIGHT_MAX] */
    int free_head, n_flight;
    int parked_head, parked_tail;
    int last_at[SIM_CLASSES_MAX][SIM_SESSIONS]; /* candidate that a conversation's cache lies with; -1 */
    int turn;                 /* of round-robin and least-loaded */
    struct route_decision decision;
    int best;                 /* whom the policy wants, after sim_decide(); -1: nobody */
    struct route_verdict *verdicts; /* [world.n] after sim_decide(): of all, or of those whom the policy looked at.  The decision's own, or owned (is_large) */
    uint64_t *barred;         /* of the request at hand, by expert; owned */
    struct shortlist *shortlist; /* owned; NULL: the policy sees them all */
    struct sim_brain *brain;  /* what ours has beyond the policy: corrections, bandit, governors; NULL for rivals */
    bool is_broken;           /* out of memory: the run ends */
};

/* For each expert c of node n, in the order of the list. */
#define SIM_EXPERTS_OF(s, n, c) for (const int *at_ = &(s)->fleet->of[(s)->fleet->first[n]], *end_ = &(s)->fleet->of[(s)->fleet->first[(n) + 1]]; at_ < end_ && ((c) = *at_, true); at_++)

/* simulate_world.c */
void sim_world_init(struct sim_engine *e);
void sim_node_advance(struct sim_engine *e, int n);   /* energy, heat and battery up to now */
void sim_node_changed(struct sim_engine *e, int n);   /* after a change of its watts, air or speed: when will it be too hot, empty? */
void sim_device_advance(struct sim_engine *e, int d);
void sim_device_changed(struct sim_engine *e, int d); /* after its list or its node's speed changed: who is through next, and when? */
bool sim_device_add(struct sim_engine *e, int d, int who, double work_s, double busy_w, int *slot); /* false: full */
void sim_device_remove(struct sim_engine *e, int d, int slot);
bool sim_is_up(const struct sim_engine *e, int c);
void sim_see_node(struct sim_engine *e, int n);       /* telemetry as the router reads it */
void sim_draw(struct sim_engine *e, int c, bool is_loading); /* the watts of a loading expert */
double sim_busy_w(const struct sim_engine *e, int c); /* really, now */
double sim_speed(const struct sim_engine *e, int c);  /* of its described one; throttling and sharing apart */
int sim_places(const struct sim_engine *e, int c);    /* requests at a time, as the governor leaves them */

/* simulate.c */
bool sim_alarm(struct sim_engine *e, double at_s, enum sim_wake kind, int who, uint32_t gen);

/* simulate_decide.c */
void sim_bar(uint64_t *barred, int c);                   /* one more who is not to be asked */
/* e->best, e->verdicts.  barred: bit c: expert c is not to be asked; of_all: verdicts of everybody are wanted. */
void sim_decide(struct sim_engine *e, struct sim_flight *q, const uint64_t *barred, bool of_all);

/* simulate_ask.c; i: a request, c: an expert, n: a node, d: a device, here and below */
static inline const struct sim_class *sim_class_of(const struct sim_engine *e, const struct sim_flight *q) { return &e->s->classes[q->a.cls]; }
void sim_take_in(struct sim_engine *e, const struct sim_arrival *a);
void sim_dispatch(struct sim_engine *e, int i);          /* decides, sends; or parks, fails */
void sim_hedge(struct sim_engine *e, int i);             /* it waits far longer than predicted: to somebody idle, if there is one */
void sim_finish(struct sim_engine *e, int i, int c, bool is_right);
void sim_fail(struct sim_engine *e, int i, enum sim_failure why);
void sim_unpark(struct sim_engine *e);                   /* those who wait for anybody are decided again */
void sim_leave_parked(struct sim_engine *e, int i);
void sim_note_tried(struct sim_flight *q, int c);        /* it had it */

/* simulate_work.c */
void sim_see_expert(struct sim_engine *e, int c);        /* its queue as the router sees it */
void sim_note_idle(struct sim_engine *e, int c);         /* after its queue changed */
double sim_first_work(const struct sim_engine *e, const struct sim_flight *q, int c); /* seconds alone at the described speed */
double sim_rest_work(const struct sim_engine *e, const struct sim_flight *q, int c);
void sim_arrive(struct sim_engine *e, int i);            /* at the expert that it was sent to */
void sim_start_next(struct sim_engine *e, int c);        /* loads, begins what waits as long as there are places */
void sim_end_loading(struct sim_engine *e, int c);
void sim_leave(struct sim_engine *e, int i);             /* takes it away from whoever has it */
void sim_broke(struct sim_engine *e, int i);             /* the same, and it is noticed and decided again */
void sim_device_turn(struct sim_engine *e, int d);       /* whoever is through there */
double sim_bytes_in_use(const struct sim_engine *e, int n);
bool sim_make_room(struct sim_engine *e, int n, double bytes);
void sim_wake_loaders(struct sim_engine *e, int n);

/* simulate_trouble.c */
void sim_node_down(struct sim_engine *e, int n, unsigned why, bool is_down);
void sim_notice(struct sim_engine *e, int c);
void sim_happen(struct sim_engine *e, const struct sim_event *v, bool is_over);
void sim_heat_turn(struct sim_engine *e, int n);         /* as hot, or cool again, as was reckoned */
void sim_flap(struct sim_engine *e, int n);
void sim_tick(struct sim_engine *e);

/* simulate_rival.c */
void sim_hist_add(struct sim_hist *h, double seconds);
int sim_choose_rival(struct sim_engine *e, const uint64_t *barred); /* -1: nobody */

/* simulate_brain.c: the production parts that learn and govern */
struct sim_brain *sim_brain_new(const struct sim *s, uint64_t seed, struct err *err);
void sim_brain_free(struct sim_brain *b); /* NULL is fine; so is a NULL brain below: a rival's */
const struct predictor *sim_brain_predictor(const struct sim_brain *b);
const struct bandit *sim_brain_bandit(const struct sim_brain *b);
void sim_brain_tick(struct sim_engine *e);  /* once a second */
void sim_brain_seen(struct sim_engine *e, const struct sim_flight *q, bool was_rejected); /* an answer came: what is learned from it */
void sim_brain_late(struct sim_engine *e, const struct sim_flight *q); /* its deadline passed in a queue or in work */
void sim_brain_broke(struct sim_engine *e, const struct sim_flight *q); /* an expert broke under it */
void sim_brain_place(struct sim_engine *e); /* rungs of the ladders */
float sim_brain_share(const struct sim_engine *e, int c, bool of_batch); /* what the governor leaves: threads, or requests at a time */

/* simulate_script.c */
struct sim_reader { /* of the map `simulate` */
    struct sim *s;
    const struct yaml *y;
    struct err *err;
};
bool sim_read_script(const struct sim_reader *r, const struct yaml_node *list, struct sim_script *out);
bool sim_read_scripts(const struct sim_reader *r, const struct yaml_node *map);
bool sim_read_telemetry(struct sim *s, const char *path, struct err *err);
bool sim_read_records(struct sim *s, const char *path, struct err *err);
bool sim_path(const struct sim *s, const char *name, char path[static 1024], struct err *err);
#endif
