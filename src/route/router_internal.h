/* route/router_internal.h - what the parts of the router share: router.c (door, deciding, life), trip_read.c (what a job asks for),
 * trip.c (events that come back, what the hand does), trip_leg.c (one attempt), trip_end.c (the end), trip_hold.c (a small expert's
 * answer before it is shown).
 *
 * A job's way: submit -> a trip: read, decided -> a leg: an inner job that shares the outer one's payload, submitted to an
 * expert -> its events, passed on -> the final one.  What cannot be done on an expert's thread (asking another expert) the
 * router's own thread does, the hand.
 *
 * A small expert's words are held until they were looked at (answer_check.h).  When they do not do, a better one is asked; when there is
 * none, or it fails before it says anything, they are shown after all.
 *
 * A leg:   FREE --leg_begin()--> RUNS --its final event--> FREE      (is_given_up: hung, lost a race, or found wanting)
 * A trip:  runs until the outer job's final event was sent (is_over) and all its legs are FREE; then it is used again.
 *
 * Locks:   trip.lock (events pass one at a time)  before  router.lock (lists, the legs' jobs).  decide_lock stands alone: while a
 *          decision is made no other lock is held.  figures_lock is always the last one.  No lock but trip.lock is held while the outer job's on_event() is called,
 *          none while an expert is.
 */
#ifndef TUTTI_ROUTE_ROUTER_INTERNAL_H
#define TUTTI_ROUTE_ROUTER_INTERNAL_H
#include <pthread.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "route/affinity.h"
#include "route/answer_check.h"
#include "route/live.h"
#include "route/recall.h"
#include "route/router.h"
#include "route/shortlist.h"

enum { TRIP_LEGS = 3, TRIPS_KEPT = 64, TURN_BYTES = 8192, SNIFF_BYTES = 512, TRIP_TRIED_MAX = 64 };

struct trip;

struct leg {
    struct trip *trip;
    struct job *job;          /* inner; changes under both locks; NULL: FREE */
    int slot, kin;            /* the candidate; whose slot keeps what its answers teach */
    char expert[ROUTE_NAME_MAX], node[64]; /* its name, and that of where it is: it may be gone when this is over */
    bool is_given_up;         /* what it still says is not listened to */
    bool is_hung;             /* nothing came for too long: another one is asked, whoever answers first wins */
    bool is_small;            /* its answer is held until it was judged */
    bool is_sure_known;       /* it can say how sure it is of each token */
    bool is_hedge, is_better; /* asked because another was late; because another's answer did not do */
    bool is_forgiven;         /* a soft rule was forgiven for it */
    int n_asked;              /* it is the n-th */
    uint64_t begun_ns, first_ns, ended_ns; /* asked; first piece of an answer; 0: not yet */
    float quality, busy_w, usd_in, usd_out, usd_item, usd_kwh; /* of the candidate and its node, then */
    float joules, usd;        /* when it has ended */
    bool is_measured;         /* joules */
    bool is_here;             /* on this machine */
    double joules_before;     /* router_joules() */
    struct route_guess guess;
    int short_tok;            /* no more than that: it stands in for servers that are gone; 0: as asked */
    char why[224], ladder[64];
};

/* For the hand. */
enum { TODO_NEXT = 1 << 0 /* ask another one, a better one when wants_better */, TODO_LOOK = 1 << 1 /* something is due */, TODO_STOP = 1 << 2, TODO_RECALL = 1 << 3 /* the answer from memory */ };

struct held; /* trip_hold.c */

struct trip {
    struct router *r;
    struct trip *prev, *next;       /* of the router's running ones, or next of its free ones; router.lock */
    struct trip *todo_next;         /* router.lock */
    unsigned todo;                  /* router.lock */
    bool is_listed, is_told_to_stop; /* in the hand's list; router.lock */
    int refs;                       /* router.lock: its legs, the hand, one until is_over */
    _Atomic uint64_t due_ns;        /* the hand looks then; 0: never */

    pthread_mutex_t lock;
    struct job *outer;              /* a reference until is_over */
    struct leg legs[TRIP_LEGS];
    struct leg *talks;              /* whose words are passed on; NULL: none yet */
    int told;                       /* n_asked of the last EXPERT_ROUTED; 0: none yet */
    int n_asked;
    bool is_over, is_stopping, was_queued, was_started;
    bool has_passed;                /* a piece of an answer is out */
    bool was_late;                  /* a hedge was asked, or is being looked for */
    uint64_t late_again_ns;         /* nobody was idle: not looked for before then */
    bool is_accepted;               /* submit() has said yes: events may come from the hand, too */
    int n_promoted, n_hung, n_failed, n_hedged;
    double joules, usd;             /* of the legs that ended */
    bool is_estimated, is_unknown;  /* at least one's joules */
    uint64_t begun_ns;
    struct held *held;              /* a small expert's words; NULL: nothing is held back */
    struct held *kept;              /* what the one who talks has said, where the client sees nothing before the end; NULL: it is passed on */
    bool wants_better;              /* they do not do */
    struct leg small, failed;       /* whose they are, when it ended; the last that failed, not written down yet */
    bool has_small, has_failed;
    bool is_hopeless;               /* its deadline is far too short even for the chosen one, idle: that it is missed says nothing of this machine */
    struct expert_usage small_usage, failed_usage;
    enum err_code failed_code;
    struct err last;                /* why the last leg failed */
    int n_refused;                  /* legs on other machines that ended as busy, or with their node: they are not what n_tries_max is about */
    uint16_t tried[TRIP_TRIED_MAX]; /* slots; this and the next two under decide_lock */
    int n_tried;
    float quality_above;            /* who is not better than this is not asked */
    bool is_read, heeds_doubts;     /* heeds_doubts: decide_lock, too */

    /* what was asked; constant after submit */
    char id[24];
    enum route_goal goal;
    bool is_for_pieces;
    struct expert_wish wish;
    struct features features;
    struct intent_answer intent;
    bool has_intent;
    struct route_request request;   /* points to the three above */
    uint64_t session_key, system_key;
    struct recall_key recall;       /* of the whole request; zeros: its answer is not to be kept */
    struct buf said;                /* the answer so far, to be kept; or the one from memory */
    double recall_age_s;
};

struct door {
    struct expert base; /* first */
    struct router *r;
    enum route_goal goal;
    bool is_for_pieces;
};

struct router {
    struct router_env env;
    struct router_care care;       /* with the defaults filled in */
    struct door doors[2][ROUTE_GOAL_COUNT]; /* [1]: for pieces */

    pthread_mutex_t decide_lock;
    struct live live;
    struct shortlist *shortlist;
    pthread_cond_t known;          /* !is_expecting; decide_lock */
    bool is_expecting;
    pthread_cond_t unasked;        /* a submit to somebody who was withdrawn has returned; decide_lock */
    struct affinity affinity;
    struct recall *recall;         /* NULL: nothing is remembered */
    char *learned;                 /* corrections as they were kept, for experts of nodes that come later; NULL; decide_lock */
    struct route_decision *decision;
    char turn[TURN_BYTES];         /* of several parts */
    uint8_t sniff[TASK_MEDIA_MAX][SNIFF_BYTES];
    struct rng rng;
    int64_t minute_until_s;        /* until when minute_of_day is right */
    int minute_of_day;

    pthread_mutex_t lock;
    pthread_cond_t hand_wake, still;
    struct trip *trips, *kept;
    int n_trips, n_kept;
    struct trip *todo_first, **todo_last;
    uint64_t hand_until_ns;        /* it sleeps until then; UINT64_MAX: until it is woken; 0: it is awake */
    bool is_stopping, quit;
    uint64_t drain_until_ns;
    bool has_hand;
    pthread_t hand;

    pthread_mutex_t figures_lock;
    struct router_figures figures;
    uint64_t bucket[ROUTER_BUCKETS + 1];
    double decided_s;
    /* joules: shared out among those that run; figures_lock */
    int n_busy;
    double joules_seen, joules_each;
    double joules_of[ROUTE_SLOTS_MAX][2]; /* of what an expert was asked: reckoned from its watts, measured */
};

/* router.c */
struct trip_wants { /* of the next one; zeros: whatever the policy says */
    bool is_idle;        /* it has nothing to do */
    float quality_above; /* it is better than this */
    float within_s;      /* it will have answered by then */
    bool is_hedge;
};
/* Decides again and asks the best that takes the job.  false with err: nobody is left.  The caller holds no lock, and a reference. */
bool router_ask(struct trip *t, const struct trip_wants *wants, struct err *err);
void trip_todo(struct trip *t, unsigned what); /* for the hand; trip.lock may be held */
void trip_unref(struct trip *t);               /* no lock is held */
bool router_may_retry(const struct err *err);  /* another expert might take what this one did not */
enum router_event { ROUTER_HEDGE_WON, ROUTER_HANG, ROUTER_REMEMBERED };
void router_count(struct router *r, enum router_event what);
/* The joules that each one running on this machine has taken so far; change: +1 one begins, -1 ends. */
double router_joules(struct router *r, int change);

/* What is to be done when no lock is held any more. */
struct after {
    struct job *cancel[TRIP_LEGS], *drop[TRIP_LEGS + 1];
    int n_cancel, n_drop;
    int n_unref;      /* references of the trip */
    unsigned todo;
    bool is_doubted;  /* `doubted` failed */
    int doubted;
    int slot;         /* who has n_prefix_tok tokens of the conversation now; 0: nobody */
    uint32_t n_prefix_tok, n_prompt_tok;
};
void trip_after(struct trip *t, struct after *a);
static inline float seconds(uint64_t ns) { return (float)((double)ns / 1e9); }
static inline uint64_t ns_of(double s) { return s > 0 ? s < 1e9 ? (uint64_t)(s * 1e9) : UINT64_MAX / 4 : 0; }

/* trip.c */
void leg_on_event(void *leg, const struct expert_event *ev);
void trip_do(struct trip *t, unsigned what);

/* trip_leg.c; all but the first two under trip.lock */
/* A leg that is FREE gets the job.  NULL: the trip is over, no leg is free, or err. */
struct leg *leg_begin(struct trip *t, const struct leg *like, struct err *err);
void leg_abandon(struct leg *leg); /* the expert did not take it */
void leg_end(struct leg *leg, const struct expert_usage *u, struct after *a); /* it is FREE; its job is dropped afterwards */
void leg_give_up(struct leg *leg, struct after *a);
bool leg_is_hopeful(const struct leg *leg);
uint64_t leg_hung_at(const struct trip *t, const struct leg *leg), leg_late_at(const struct trip *t, const struct leg *leg);
/* Those that may still answer, but a small one whose answer does not do; those that run at all. */
int trip_n_hopeful(const struct trip *t), trip_n_running(const struct trip *t);
enum { TELL_MS = 50, LATE_MS = 20 /* experts look at deadlines themselves; this is for those that hang */ };
void trip_set_due(struct trip *t);

/* trip_end.c; all under trip.lock */
void trip_emit(struct trip *t, const struct expert_event *ev);
/* Nobody can answer: is the answer known from before?  Then it lies in t->said. */
bool trip_recall(struct trip *t);
void trip_recite(struct trip *t, struct after *a); /* all of it, and the end */
void trip_tell(struct trip *t, const struct leg *leg); /* EXPERT_ROUTED, once for each */
/* The outer job's one final event; err NULL: done.  leg: who had the last word, NULL: nobody; it has ended. */
void trip_finish(struct trip *t, const struct leg *leg, const struct err *err, const struct expert_usage *usage, struct after *a);
/* The same for a failure, as the client shall see it; what a small expert said is better than an error. */
void trip_fail(struct trip *t, const struct leg *leg, const struct err *err, const struct expert_usage *u, struct after *a);
void trip_observe(struct trip *t, const struct leg *leg, const struct expert_usage *u, uint64_t now_ns);
/* Into the journal, once for each leg that ended. */
void trip_note(struct trip *t, const struct leg *leg, enum err_code code, const struct expert_usage *u, bool was_promoted, bool is_last);
void trip_note_failed(struct trip *t); /* the one that waits: somebody else goes on */
void trip_learn(struct trip *t, const struct leg *leg, float outcome); /* 0: bad .. 1: good */
/* The small expert's words are the answer after all: shown, and the end when it has ended. */
void trip_settle(struct trip *t, struct after *a);

/* trip_hold.c */
struct held *held_new(void); /* NULL: no memory */
void held_free(struct held *h);
bool held_add(struct held *h, const struct expert_event *ev); /* false: it is full */
int held_n_tok(const struct held *h);
enum answer_fault held_check(const struct held *h, bool is_whole, bool wants_json, double logprob_least);
void held_show(const struct held *h, struct trip *t);

/* router.c: takes decide_lock, once everything is known (router_expect()) */
void router_enter(struct router *r);

/* trip_read.c */
/* What the job asks for.  Under decide_lock: its scratch is the router's. */
void trip_read(struct trip *t);
#endif
