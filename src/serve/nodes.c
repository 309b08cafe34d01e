/* serve/nodes.c - see nodes.h. */
#include "serve/nodes.h"

#include <stdlib.h>

#include "cluster/cluster.h"
#include "cluster/cluster_show.h"
#include "cluster/node_service.h"
#include "serve/serve_internal.h"

struct serve_nodes {
    struct serve *serve;
    struct node_service *service;
    struct http_server *server; /* NULL: it does not listen */
    struct net_addr addr;
    struct cluster *cluster;    /* borrowed; NULL: it sees nobody */
};

static void on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    struct serve_nodes *n = ctx;
    if (!node_service_take(n->service, s, head))
        front_on_request(n->serve, s, head);
}

static const char *put_error(void *ctx, int status, const char *text, struct buf *body)
{
    struct serve_nodes *n = ctx;
    return front_put_error(n->serve, status, text, body);
}

static bool listen_for_nodes(struct serve_nodes *n, const struct serve_node *node, struct err *err)
{
    struct http_server_config http = n->serve->config.http;
    if (!node->listens)
        return true;
    if (!node->listen.is_loopback)
        return err_set(err, ERR_INPUT, "cluster: listen %s: that is beyond loopback, so certificates are needed: `tutti cluster init`, then cluster: trust", node->listen.text);
    http.on_request = on_request;
    http.put_error = put_error;
    http.ctx = n;
    return (n->server = http_server_new(n->serve->loop, &http, err)) != NULL && http_server_listen(n->server, &node->listen, &n->addr, err);
}

struct serve_nodes *serve_nodes_new(struct serve *s, const struct serve_node *node, struct err *err)
{
    struct serve_nodes *n = calloc(1, sizeof(*n));
    if (!n)
        return err_null(err, ERR_NOMEM, "cluster: out of memory");
    n->serve = s;
    n->cluster = node->cluster;
    struct node_service_config k = {
        .name = node->name, .life = node->life, .machine_json = node->machine_json, .share_dir = node->share_dir, .trust = node->trust, .steward = s->config.steward,
        .experts = s->config.experts, .n_experts = s->config.n_experts, .predictor = s->predictor,
    };
    if (s->config.route) {
        k.device = s->config.route->device;
        k.ladders = s->config.route->ladders;
        k.predictor = s->config.route->predictor ? s->config.route->predictor : s->predictor;
    }
    if ((n->service = node_service_new(s->loop, &k, err)) && listen_for_nodes(n, node, err))
        return n;
    serve_nodes_free(n);
    return NULL;
}

void serve_nodes_free(struct serve_nodes *n)
{
    if (!n)
        return;
    http_server_free(n->server);
    node_service_free(n->service);
    free(n);
}

void serve_nodes_drain(struct serve_nodes *n)
{
    if (!n)
        return;
    node_service_drain(n->service);
    if (n->server)
        http_server_drain(n->server);
}

void serve_nodes_poke(struct serve_nodes *n)
{
    if (n)
        node_service_poke(n->service);
}

const struct net_addr *serve_nodes_addr(const struct serve_nodes *n) { return n && n->server ? &n->addr : NULL; }

void serve_nodes_put_json(struct serve_nodes *n, struct buf *out) { cluster_put_json(n ? n->cluster : NULL, n ? n->service : NULL, out); }

void serve_nodes_put_metrics(struct serve_nodes *n, const char *prefix, struct buf *out)
{
    if (n)
        cluster_put_metrics(n->cluster, n->service, prefix, out);
}
