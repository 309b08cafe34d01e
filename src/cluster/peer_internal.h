/* cluster/peer_internal.h - what peer.c (experts of other nodes as experts here, taking jobs in), peer_nodes.c (who has which) and peer_run.c
 * (one job's way) share.
 *
 * A job's way: submit (any thread) -> inbox (unless that was the cluster's own) -> the cluster's thread: a call on its node's connection -> events
 * -> one final event.
 *
 * Locks: peers.lock, held for moments; while it is held neither the router nor an event is called.
 */
#ifndef TUTTI_CLUSTER_PEER_INTERNAL_H
#define TUTTI_CLUSTER_PEER_INTERNAL_H
#include <pthread.h>

#include "cluster/cluster_internal.h"
#include "cluster/wake.h"
#include "expert/text_talk.h"
#include "wire/events.h"

struct peer_node;

struct peer {                /* an expert of another node; lives as long as the cluster */
    struct expert base;      /* first */
    struct peer_node *node;
    char id[ROUTE_NAME_MAX]; /* there; never changes */
    struct candidate c;      /* as its node said last; lock */
    enum expert_state state; /* lock */
    char runs_on[64], languages[64];
    uint64_t memory_bytes;
    bool is_there;           /* its node is up and has it; lock */
    bool is_stopping;        /* lock */
    uint64_t stop_ns;        /* what runs then ends; lock */
    int n_mine;              /* jobs of ours that have not ended; lock */
    int n_unseen;            /* of those: begun since its node said how it is; lock */
    uint64_t done_total, failed_total; /* lock */
};

struct peer_node {
    struct peers *peers;
    char name[MEMBER_NAME_MAX];
    struct member_node *at;  /* the cluster's thread's; NULL: it is down */
    char why[200];           /* ... for this reason; lock */
    bool is_up;              /* lock */
    bool can_wake;           /* and with what; constant */
    uint8_t mac[WAKE_MAC_BYTES];
    uint64_t waking_ns;      /* a job waits since then; 0: none; lock, as the next two */
    uint64_t packet_ns;      /* when it was called last */
    uint64_t rest_ns;        /* it did not come: not called again before */
    double rtt_s;            /* lock; NAN: not known */
    struct peer *list[MEMBER_EXPERTS_MAX * 2];
    int n;                   /* lock; grows only */
};

struct run { /* a job on its way */
    struct run *prev, *next;
    struct peer *peer;
    struct job *job;         /* one reference */
    struct h2_call *text;    /* one of these two; NULL: not begun, or over */
    struct grpc_client_call *task;
    struct text_talk talk;
    struct events events;
    struct buf whole;        /* an answer that is read as one; an error's text */
    int status;
    bool is_sse, was_started, is_held, has_output;
    bool is_waiting;         /* for its node to wake up */
    bool is_lost;            /* its node did not end it */
    struct member_node *at;  /* where it was sent; NULL: it was not.  A place lives as long as the cluster */
    uint64_t started_ns, first_ns;
    struct expert_usage usage;
    bool has_usage;
};

struct peers {
    struct cluster *cluster;
    pthread_mutex_t lock;
    pthread_cond_t changed;  /* is_adopted, n_mine */
    struct peer_node *nodes[MEMBERS_MAX];
    int n_nodes;             /* lock */
    struct run *inbox, **inbox_last; /* lock */
    bool is_adopted;         /* what was there before us is ours; lock */
    bool is_over, wants_unfeed; /* lock */
    struct router *router, *router_new; /* NULL: none; new: to be fed; lock for the latter */
    struct run *running;     /* the cluster's thread's, as what follows */
    struct net_timer *due;
    uint64_t due_ns;         /* when that runs; 0: it does not */
    struct arena *arena;     /* of the message at hand */
};

/* peer.c */
extern const struct expert_ops peer_ops;
/* From now on jobs may go to other nodes; router: told of their experts, NULL: as before.  Any thread.  NULL with err. */
struct peers *peers_get(struct cluster *c, struct router *router, struct err *err);

/* peer_nodes.c: cluster_hooks; on the cluster's thread */
void peer_node_up(struct member_node *at);
void peer_node_state(struct member_node *at);
void peer_node_down(struct member_node *at);
/* Its node is down and can be woken.  Under the lock. */
bool peer_node_may_wake(const struct peer_node *n, uint64_t now_ns);

/* peer_run.c; on the cluster's thread */
void run_begin(struct run *r);
/* Its request goes out.  false with err: nothing of it did, no event came. */
bool run_ask(struct run *r, uint64_t now_ns, struct err *err);
/* It was never on its way: no event, and it is not counted.  Frees it, not the reference to its job. */
void run_drop(struct run *r);
/* When somebody must look at it, as long as no flag changes; 0: never.  Under no lock. */
uint64_t run_due(const struct run *r);
/* The final event; err NULL: done.  Frees it. */
void run_end(struct run *r, const struct err *err);
/* A flag changed, or time passed; true: it has ended.  *next_ns: when it is due, if sooner. */
bool run_look(struct run *r, uint64_t now_ns, uint64_t *next_ns);
enum { WAKE_WAIT_MS = 90000, WAKE_EACH_MS = 5000, WAKE_REST_MS = 60000, WAKE_START_S = 30 /* for the router, until somebody has measured it */ };
enum { PEER_MESSAGE_BYTES_MAX = 32 << 20, PEER_REQUEST_BYTES_MAX = 64 << 20 };
#endif
