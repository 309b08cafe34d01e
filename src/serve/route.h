/* serve/route.h - what `auto` stands on in a service: the policy of tutti.yaml, this machine, what was learned, the journal.
 *
 * For:     cmd/serve.c.
 * Touches: the catalog, the journal's file; a thread that detects this machine (some 10 ms) and reads what was learned, behind the start: who
 *          decides with the router, or looks at what it knows, waits for it.
 * Rule:    the service works without any of it: what cannot be opened is one warning, and `auto` chooses without.
 */
#ifndef TUTTI_SERVE_ROUTE_H
#define TUTTI_SERVE_ROUTE_H
#include "catalog/catalog.h"
#include "hw/machine.h"
#include "route/router.h"
#include "serve/serve.h"

struct serve_route_config { /* borrowed until serve_route_fini() */
    const struct policy *policy;
    struct catalog *catalog;           /* NULL: opened for a moment */
    const struct hw_machine *machine;  /* NULL: detected */
    bool is_node;                      /* others are told at once what this machine is: it is detected before serve_route_init() returns */
    const char *journal_path;          /* NULL: nothing is kept */
    struct behind *behind;             /* the start; NULL: it is over */
};

struct serve_route {
    struct router_env env; /* for serve_config.route */
    struct predictor *predictor;
    struct bandit *bandit;
    struct journal *journal;
    struct ladders *ladders;
    struct plan_device device;
    struct router *router; /* whose learning is kept now and then; NULL */
    const char *journal_path;
    struct behind *behind;
};

/* false with err: out of memory.  serve_route_fini() is needed in both cases. */
bool serve_route_init(struct serve_route *r, const struct serve_route_config *config, struct err *err);
/* Once the service listens, before anything is asked: what this machine is and what was learned in earlier lives, into the router that was made
 * with env (NULL is fine); from then on it is kept every minute in which something was decided. */
void serve_route_begin(struct serve_route *r, struct router *router);
/* What was learned in this one, for the next; in the file when it returns.  Before the router goes. */
void serve_route_keep(struct serve_route *r);
void serve_route_fini(struct serve_route *r); /* after serve_free(); a zeroed one is fine */
#endif
