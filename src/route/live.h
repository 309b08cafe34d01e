/* route/live.h - the experts of this process, and those of other nodes, as candidates of the policy: what they are, what they will take, how
 * they fare now.
 *
 * For:     router.c; /v1/tutti/experts.
 * Callers: route/, cmd/.
 * Touches: cards and metrics of the experts, through expert.h.
 * Thread:  one at a time (the router's lock).
 * Rule:    a card is read again only when its expert's state changed; speeds come from plan/ (models of text) or from a rule of
 *          thumb, and are estimates: what is seen corrects them in predict.h, not here.  An expert's place (slot) stays its own while it
 *          is withdrawn, so what was learned of it is there when it comes back; when no place is left, the one that was withdrawn
 *          first is used for another.
 *
 * The home of a conversation: of the nodes that are up and warm for the same expert (its id), the one whose name hashed with the conversation's
 * beginning gives the most (rendezvous hashing, Thaler and Ravishankar 1998).  Every front door finds the same one, knowing only who is
 * there; when one of N goes, its conversations alone move, and spread over all others.
 */
#ifndef TUTTI_ROUTE_LIVE_H
#define TUTTI_ROUTE_LIVE_H
#include "expert/expert.h"
#include "plan/device.h"
#include "route/candidate.h"
#include "route/policy.h"

struct ladders;
struct live_expert {
    struct expert *expert;   /* borrowed */
    struct candidate hint;   /* what was said from outside; zeros: nothing */
    bool is_composite;
    bool is_member;          /* of another node: hint and telemetry are what that node says */
    bool is_gone;            /* withdrawn: nobody asks it any more */
    uint64_t gone_at;        /* the how-manieth */
    int n_asking;            /* submits under way */
    uint64_t id_key;         /* of its id: the same on every node */
    int kin;                 /* candidate.h */
    enum expert_state seen;  /* when its card was read; EXPERT_STATE_COUNT: never */
    bool is_engine;          /* our own: can say how sure it is */
    int64_t created_s;
    bool was_unloaded;       /* since somebody looked last */
    uint64_t down_ns;        /* down: since when, or when it was tried again last; 0: it is not */
    uint64_t decisions[ROUTE_GOAL_COUNT]; /* times that it was chosen */
    uint64_t doubt_until_ns; /* it failed: rather the same expert elsewhere until then; 0: never */
    int n_doubts;            /* one after the other */
    bool is_doubted;         /* by live_doubts(): there is the same expert elsewhere, too */
};
/* Who is down is tried again by one job after so long: many come back only when they are asked.  Members say themselves when they are back. */
enum { LIVE_RETRY_S = 15 };
enum { LIVE_NODES_MAX = 2048 };
/* Who failed a job is doubted for a moment, longer when it fails again; who has not failed for a minute begins anew. */
enum { LIVE_DOUBT_MS = 500, LIVE_DOUBTS_MAX = 5 /* 16 s */, LIVE_FORGET_S = 60 };

struct live_node {
    uint64_t key;            /* of its name */
    bool is_member;
};

struct live {
    struct plan_device device; /* this machine */
    const struct ladders *ladders; /* borrowed; NULL: everything is on the first step */
    struct candidates world; /* all of them, by slot; those that are gone can do nothing and are down */
    struct live_expert *of;  /* by candidate */
    struct live_node *node_of; /* by node */
    int n_max, n_nodes_max;
    uint64_t n_gone_ever;
    uint64_t doubt_until_ns; /* of all: the latest */
};

/* device NULL: a small CPU.  false with err: out of memory; live_fini() is fine then, too. */
bool live_init(struct live *l, const struct plan_device *device, struct err *err);
void live_fini(struct live *l);
/* It is known later than live_init(): what was predicted of experts is predicted anew. */
void live_set_device(struct live *l, const struct plan_device *device);
/* Our name among nodes that know us: for homes. */
void live_set_self(struct live *l, const char *name);
/* The slot; -1 with err: there are too many, or out of memory.  node NULL: this process's own (a server elsewhere gets a node of its
 * own); else a member's, found by its name, as it fares now.  An expert that is there already gets another hint.
 * *is_another: what was learned of that slot is of somebody else. */
int live_add(struct live *l, struct expert *e, const struct route_node *node, const struct candidate *hint, bool is_composite, bool *is_another, struct err *err);
int live_find(const struct live *l, const struct expert *e); /* -1 */
void live_withdraw(struct live *l, int slot);
/* How the member of that name fares now; unknown names are passed over. */
void live_set_node(struct live *l, const struct route_node *node);
/* States, queues, and what became known since. */
void live_look(struct live *l);
/* A member's expert did not do a job that it was given. */
void live_doubt(struct live *l, int slot);
/* Sets is_doubted; false: of nobody.  After live_look(). */
bool live_doubts(struct live *l);
/* Sets is_home for a conversation (0: none) and a task; after live_look(). */
void live_find_homes(struct live *l, uint64_t session, enum expert_task task);
#endif
