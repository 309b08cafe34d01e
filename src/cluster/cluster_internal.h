/* cluster/cluster_internal.h - what the files of the cluster's view share: its thread, a node as it is known, what is told of it.
 *
 * For:     cluster.c (life, asking), members.c (a node's life), member_talk.c (asking it), member_said.c (what it says), discover*.c (where to look), peer*.c (jobs).
 * Callers: cluster/.
 * Thread:  everything here belongs to the cluster's thread, which runs the loop and all hooks (its own, or the one of the loop that it was given).  What other threads copy (member_node.said, experts,
 *          machine_json, models; the list of nodes) is changed under cluster.lock only: the loop reads it without, the others with the lock.
 * Rule:    a member_node is one address.  Several may lead to one node (list, DNS, mDNS): the first that answers is the member, the others are
 *          `is_alias` and rest until it is down.
 */
#ifndef TUTTI_CLUSTER_CLUSTER_INTERNAL_H
#define TUTTI_CLUSTER_CLUSTER_INTERNAL_H
#include <pthread.h>

#include "cluster/cluster.h"
#include "net/grpc_client.h"
#include "wire/node_pb.h"

struct peers;         /* peer.c's */
struct discover;      /* discover.c's */
struct discover_mdns; /* discover_mdns.c's */

struct member_expert {       /* an expert of another node */
    struct candidate c;      /* as that node said it; node: its index in cluster.nodes, slot: -1.  is_up, is_warm, n_running, n_waiting, wait_s and
                              * the speeds are of its last State */
    enum expert_state state;
    uint64_t memory_bytes;   /* 0: not known */
    char runs_on[64], languages[64] /* "en,de" */;
};

struct member_node {
    struct cluster *cluster;
    int index;               /* in cluster.nodes; for life */
    bool is_used;            /* false: the place is free */
    /* where */
    struct http_target target;
    int seed;                /* whose it is: index of the seed, SEED_MDNS */
    bool is_listed;          /* its seed still names it; one that is not listed goes when it is down */
    bool is_alias;           /* another place leads to the same node (or to ourselves) */
    bool is_settled;         /* it has answered or failed for the first time */
    /* the connection: hooks.down() was called before it goes.  Jobs travel on it, too. */
    struct h2_client *h2;    /* NULL: none */
    struct grpc_client_call *describing, *watching, *listing;
    bool is_brief;           /* what `describing` asked for */
    struct net_timer *silent /* nothing was said for too long */, *soon /* close, then try again */;
    uint64_t silent_by_ms;   /* when `silent` should run, on the loop's clock */
    enum member_state falls_to; /* what `soon` shall make of it; MEMBER_STATE_COUNT: it tries again */
    uint64_t tried_ms;
    uint64_t asked_ns, watched_ns; /* when the call was made: for rtt_s; 0: it was used */
    uint64_t second_ms;      /* States are counted from here */
    int n_in_second, n_states;
    bool is_described, is_up; /* is_up: hooks.up() was called, hooks.down() not yet */
    /* what it said */
    struct member said;      /* age_s is set when it is copied; node.step from its State */
    uint64_t heard_ns;       /* 0: never */
    uint64_t edition;
    uint64_t revocations;    /* number of the newest list that it knows; lock */
    uint64_t listed_ms;      /* when lists were compared last; 0: never */
    uint64_t trust_generation; /* of the context that h2 has */
    char device[NODE_PB_NAME_MAX], device_cls[32];
    char *machine_json;      /* NULL */
    struct member_expert *experts; /* in the order of its Description */
    int n_experts;
    struct node_pb_model *models; /* names in model_names */
    char *model_names;
    int n_models;
    void *peer;              /* peer.c's own; it takes it back in hooks.down() */
};

struct cluster_hooks {       /* of peer.c: each may be NULL; on the cluster's thread */
    void (*up)(struct member_node *n);    /* it was described and heard; said, experts and h2 are there */
    void (*state)(struct member_node *n); /* it said how it is, or described itself anew (the same experts) */
    void (*down)(struct member_node *n);  /* gone (said.why), or its experts are others: cancel what is on h2, forget n */
    void (*turn)(struct cluster *c);      /* after net_wake_send(c->wake), which any thread may call; set by any thread, lock */
    void (*stop)(struct cluster *c);      /* the cluster ends: cancel everything; before nodes and loop go */
};

enum { SEED_MDNS = -1, MEMBER_REFUSED_MS = 2000, MEMBER_STATES_MAX_HZ = 50, MEMBER_RTT_EACH = 10 /* States */, MEMBER_DESCRIBE_MS = 5000, MEMBERS_NAMED = 256 /* of more than so many not everything is said of each: metrics, log */ };

struct cluster {
    struct cluster_config config;
    struct net_loop *loop;
    struct net_wake *wake;         /* any thread: hooks.turn() is called in the loop */
    pthread_t thread;              /* the one that runs the loop; only who was given a loop may read it: cluster_is_here() */
    bool has_thread;               /* of its own */
    pthread_mutex_t lock;
    pthread_cond_t settled;        /* a place was settled, or an address book was read */
    bool is_stopping;              /* lock */
    int announced_port;            /* lock; 0: none yet */
    struct arena *arena;           /* of the message at hand: reset before each */
    struct member_node *nodes[MEMBERS_MAX]; /* [n_nodes]; a place lives as long as the cluster, and is used again */
    int n_nodes;
    int n_unread;                  /* address books (DNS) that nobody has read yet; lock */
    struct cluster_hooks hooks;
    struct peers *peers;           /* NULL until somebody wants an expert or gives a router */
    struct discover *discover;
    struct discover_mdns *mdns;
    uint64_t said_ms;              /* lines about nodes are counted from here */
    int n_said;
    uint64_t wakes_total;          /* packets that shall wake a node; lock */
    uint64_t refused_total;        /* States and Descriptions that were nonsense; lock */
};

/* Is this the thread that runs the loop?  Known of a loop that was given; else false. */
bool cluster_is_here(const struct cluster *c);

/* members.c */
/* From now on that address is looked at; one that is known is only marked as listed.  false with err: no address, too many. */
bool member_add(struct cluster *c, const char *url, int seed, struct err *err);
/* Those of a seed that are not listed any more go when they are down. */
void member_unlist(struct cluster *c, int seed);
void member_free(struct member_node *n);
const char *member_where(const struct member_node *n); /* "jetson", else its URL */
void member_set_state(struct member_node *n, enum member_state to, const char *why);
/* Soon it is taken for that: the hook, its calls, its connection; then it is tried again. */
void member_fall(struct member_node *n, enum member_state to, const char *why);
void member_listen_to(struct member_node *n); /* from now on its silence counts */
/* A switch that goes takes hundreds of nodes: that is no news a hundred times.  false: enough was said for now. */
bool member_may_say(struct cluster *c);

/* member_talk.c: asks what it is; from the answer on it is watched.  is_brief: only for the time that it takes.  false with err. */
bool member_describe(struct member_node *n, bool is_brief, struct err *err);

/* member_said.c: what a message says, into the node; under the lock.  false with err: nonsense, nothing changed. */
bool member_take_description(struct member_node *n, const struct node_pb_description *d, bool *is_other, struct err *err);
void member_take_state(struct member_node *n, const struct node_pb_state *s);
void member_forget(struct member_node *n); /* experts, machine, models */

/* member_trust.c */
/* TLS as of now, when it is another than before; config NULL: for the connection that there is. */
bool member_take_trust(struct member_node *n, struct h2_client_config *config, struct err *err);
/* After a State; when its list is another one than ours, the newer goes over. */
void member_compare_lists(struct member_node *n);

/* discover.c: the seeds of the configuration, DNS. */
bool discover_start(struct cluster *c, struct err *err);
void discover_stop(struct cluster *c);
/* discover_mdns.c: those of this network. */
bool discover_mdns_start(struct cluster *c, struct err *err);
void discover_mdns_announce(struct cluster *c, int port);
void discover_mdns_stop(struct cluster *c);
#endif
