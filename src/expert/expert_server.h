/* expert/expert_server.h - an expert that is a server which speaks HTTP: somebody else's (remote), or a child of ours.
 *
 * For:     expert/open.c: cards of kind `remote` and `server`; after that everything goes through expert.h.
 * Callers: expert/.
 * Touches: the network, child processes, the history of its speed in the state folder.  A thread with an event loop.
 * Rule:    a job goes to the server when one of its places is free; until then it waits here and is never lost.  A job
 *          whose server fails before the answer's first piece is asked again (`retries`), one whose answer had begun ends
 *          with an error: nothing is answered twice.  A child is watched by what it produces: a request that makes no
 *          progress past its bound means it hangs, whatever its CPU does.
 * Start:   server_internal.h, the map of the parts; docs/CARDS.md, what a card may say.
 */
#ifndef TUTTI_EXPERT_EXPERT_SERVER_H
#define TUTTI_EXPERT_EXPERT_SERVER_H
#include "expert/expert.h"
#include "expert/open.h"

/* `kind: remote` and `kind: server`.  Takes the card over, also when it fails.  NULL with err. */
struct expert *expert_server_open(struct card *card, const struct expert_env *env, struct err *err);

struct expert_server_figures { /* for /metrics and tests; one moment */
    int pid;                  /* of the child; 0: none */
    uint64_t starts_total, deaths_total, stalls_total, port_losses_total, retries_total;
    uint64_t last_death_ns, last_stall_ns; /* when they were seen (clock_ns()); 0: never */
    double tok_s, usual_tok_s;   /* 0: not known */
    bool is_slow;
};
/* false: it is no server. */
bool expert_server_get_figures(struct expert *e, struct expert_server_figures *out);
#endif
