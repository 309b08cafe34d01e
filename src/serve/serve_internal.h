/* serve/serve_internal.h - what serve.c and front.c share. */
#ifndef TUTTI_SERVE_SERVE_INTERNAL_H
#define TUTTI_SERVE_SERVE_INTERNAL_H
#include "api/api.h"
#include "route/predict.h"
#include "route/router.h"
#include "serve/keys.h"
#include "serve/nodes.h"
#include "serve/serve.h"
#include "serve/topology.h"

struct serve {
    struct serve_config config;
    struct net_loop *loop;
    bool owns_loop;
    struct http_server *server;
    struct net_addr addr;
    struct api_env env;
    bool has_env;
    struct api_model *models;
    struct api_alias *aliases;
    struct expert_card *cards; /* whose ids the models borrow */
    struct policy *policy;       /* the defaults, when the configuration has none */
    struct predictor *predictor; /* the same */
    struct router *router;
    struct expert *fanout;       /* which the router may choose */
    struct api_model autos[ROUTE_GOAL_COUNT];
    struct keys *keys;
    struct topology *topology;   /* NULL: nobody has looked yet */
    struct serve_nodes *nodes;   /* NULL: it is alone */
    struct metrics_machine *machine; /* NULL: /metrics goes without it */
    int64_t started_s;         /* since 1970 */
    struct net_wake *stop;
    struct net_timer *watch, *drain;
    uint64_t quiet_since_ms;   /* while draining: since when no request is left; 0: not yet */
    bool all_down, is_forced;
    struct warmer *warmer;     /* NULL: nothing is to be warm */
    bool was_ready;            /* nothing is loaded any more that was begun at the start */
};

/* front.c */
void front_on_request(void *serve, struct http_stream *s, const struct http_head *head);
const char *front_put_error(void *serve, int status, const char *text, struct buf *body);
#endif
