/* cluster/cluster.h - the other nodes, as this process sees them: who is there, how they fare, and their experts as experts of ours.
 *
 * For:     serve/ (the front door on every node), `tutti cascade run --cluster`, `tutti cluster status`.
 * Callers: serve/, cmd/.
 * Touches: the network: one HTTP/2 connection to each node for everything, on a thread with an event loop of its own or on the loop that it is given.
 * Thread:  any, except where it says.  On a loop that it is given: cluster_new(), _feed(), _unfeed() and _free() on the thread that runs that loop.
 * Rule:    no master and no shared state: what is known of a node is what that node said to us, with its age; a node that is silent for
 *          MEMBER_SILENT_MS is down for us and for nobody else.  A node's experts live as long as the cluster (their slots are used again
 *          by the same name), so whoever holds one may always submit: it is refused when the node is gone.
 * Start:   cluster.c (life, asking), members.c (who is there), peer.c (a job's way to a node and back), member_said.c (what it says), discover*.c (where to look).
 */
#ifndef TUTTI_CLUSTER_CLUSTER_H
#define TUTTI_CLUSTER_CLUSTER_H
#include "base/buf.h"
#include "base/err.h"
#include "expert/expert.h"
#include "route/candidate.h"

struct trust; /* trust.h: our certificate, whom we believe */
struct router;
struct net_loop;

enum { MEMBER_NAME_MAX = 64, MEMBERS_MAX = 1024, MEMBER_EXPERTS_MAX = 64 /* of one node */, CLUSTER_SEEDS_MAX = 64 };
/* Once a second a node says how it is; after so long it is taken for gone, and looked for again that often. */
enum { MEMBER_HZ = 1, MEMBER_SILENT_MS = 2500, MEMBER_RETRY_MS = 1000 };

enum member_state { MEMBER_NEW, MEMBER_UP, MEMBER_DRAINING, MEMBER_DOWN, MEMBER_REFUSED /* certificate, version */, MEMBER_STATE_COUNT };
const char *member_state_name(enum member_state s);

struct cluster_wake { const char *node, *mac; }; /* a node that can be woken, by its name: "jetson", "aa:bb:cc:dd:ee:ff" */

struct cluster_config { /* texts are borrowed until cluster_free() */
    struct net_loop *loop;          /* the one that hears clients: a job goes from their socket to a node's without another thread (docs/decisions/0023).
                                     * Borrowed, freed after the cluster; NULL: a thread of its own */
    const char *self;               /* our node's name: what answers with this name is ourselves and left out; NULL or "": we are no node */
    uint64_t self_life;             /* our life (node_service.h): another node of our name is refused by it */
    const char *seeds[CLUSTER_SEEDS_MAX]; /* "https://jetson:8444", "http://127.0.0.1:8444" (loopback only), "dns://tutti-nodes.tutti.svc:8444" */
    int n_seeds;
    bool uses_mdns;                 /* look for _tutti._tcp, too */
    struct trust *trust;            /* NULL: in the clear, and then only on loopback */
    struct cluster_wake wakes[CLUSTER_SEEDS_MAX]; /* a job for one of these that is down wakes it, and waits for it */
    int n_wakes;
    const char *wake_to;            /* ADDR:PORT of the packets; NULL: 255.255.255.255:9 */
    uint32_t wake_wait_ms;          /* most that a job waits; 0: 90 s */
};

struct member { /* one node, now; a copy */
    char name[MEMBER_NAME_MAX], url[300], version[32], why[200];
    enum member_state state;
    uint64_t life;
    double age_s, rtt_s;            /* since it said something; NAN: never */
    struct route_node node;         /* its telemetry, as the policy wants it */
    int n_experts;
    uint64_t jobs_total, bytes_out_total, bytes_in_total, lost_total; /* between us and it */
};

struct cluster;
/* It looks around as soon as its loop runs.  The caller owns the result; NULL with err. */
struct cluster *cluster_new(const struct cluster_config *config, struct err *err);
/* The experts that come and go are added to and withdrawn from this router from now on.  Before the first job. */
bool cluster_feed(struct cluster *c, struct router *r, struct err *err);
/* ... and no more: withdrawn when this returns.  Jobs go on; on a loop that was given, which nobody runs any more, they end with ERR_BUSY.  Before router_free() */
void cluster_unfeed(struct cluster *c);
void cluster_free(struct cluster *c); /* jobs that are under way end with ERR_BUSY; its experts are gone.  NULL is fine */

/* Where we listen for nodes: said by mDNS from now on, where that is used. */
void cluster_announce(struct cluster *c, int port);
int cluster_n_members(struct cluster *c);
int cluster_get_members(struct cluster *c, struct member *out, int max);
/* What a node said of itself: `tutti detect --json`.  false: nothing yet. */
bool cluster_get_machine(struct cluster *c, const char *name, struct buf *out);
/* An expert of another node, by its id there; node NULL or "": the best of those that have it.  Borrowed until cluster_free(); NULL:
 * nobody who was ever seen has it (err says who is there). */
struct expert *cluster_expert(struct cluster *c, const char *node, const char *id, struct err *err);
/* The same of a node that may never have been seen: down until it is there and has it. */
struct expert *cluster_expect(struct cluster *c, const char *node, const char *id, struct err *err);
/* A candidate of one of its experts, as its node said: for --explain and pictures.  Returns how many. */
int cluster_get_candidates(struct cluster *c, struct candidate *out, int max);
/* Where a model file of that name may be fetched (fetch.h): URLs of nodes that are up and have it.  Returns how many. */
int cluster_find_model(struct cluster *c, const char *name, char (*urls)[300], int max);
/* What experts of nodes that are up can do and send no further than that: bits of enum expert_task. */
unsigned cluster_get_tasks(struct cluster *c, enum expert_privacy most);
/* Waits until every seed answered or was found to be down, at most so long.  For cmd/. */
enum { CLUSTER_WAIT_MS = 20000 /* for who answers late; a machine that is off is known to be down sooner */ };
void cluster_wait(struct cluster *c, uint64_t ms);
#endif
