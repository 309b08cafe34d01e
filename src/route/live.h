/* route/live.h - the experts of this process as candidates of the policy: what they are, what they will take, how they fare now.
 *
 * For:     router.c; /v1/tutti/experts.
 * Callers: route/.
 * Touches: cards and metrics of the experts, through expert.h.
 * Thread:  one at a time (the router's lock).
 * Rule:    a card is read again only when its expert's state changed; speeds come from plan/ (models of text) or from a rule of
 *          thumb, and are estimates: what is seen corrects them in predict.h, not here.
 */
#ifndef TUTTI_ROUTE_LIVE_H
#define TUTTI_ROUTE_LIVE_H
#include "expert/expert.h"
#include "plan/device.h"
#include "route/candidate.h"

struct ladders;
struct live_expert {
    struct expert *expert;   /* borrowed */
    struct candidate hint;   /* what was said from outside; zeros: nothing */
    bool is_composite;
    enum expert_state seen;  /* when its card was read; EXPERT_STATE_COUNT: never */
    bool is_engine;          /* our own: can say how sure it is */
    int64_t created_s;
    bool was_unloaded;       /* since somebody looked last */
    uint64_t down_ns;        /* down: since when, or when it was tried again last; 0: it is not */
};
/* Who is down is tried again by one job after so long: many come back only when they are asked. */
enum { LIVE_RETRY_S = 15 };

struct live {
    struct plan_device device; /* this machine */
    const struct ladders *ladders; /* borrowed; NULL: everything is on the first step */
    struct route_node nodes[ROUTE_NODES_MAX];
    struct candidate list[ROUTE_CANDIDATES_MAX];
    struct live_expert of[ROUTE_CANDIDATES_MAX]; /* by candidate */
    struct candidates world;
};

/* device NULL: a small CPU. */
void live_init(struct live *l, const struct plan_device *device);
/* false with err: there are too many. */
bool live_add(struct live *l, struct expert *e, const struct candidate *hint, bool is_composite, struct err *err);
/* States, queues, and what became known since. */
void live_look(struct live *l);
#endif
