/* serve/nodes.c - see nodes.h. */
#include "serve/nodes.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cluster/cluster.h"
#include "cluster/cluster_show.h"
#include "cluster/node_service.h"
#include "cluster/port.h"
#include "serve/serve_internal.h"

struct serve_nodes {
    struct serve *serve;
    struct node_service *service;
    struct node_port *port;     /* NULL: it does not listen */
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
    struct node_port_config k = { .listen = node->listen, .trust = node->trust, .http = n->serve->config.http, .urls = node->urls, .n_urls = node->n_urls };
    k.http.max_per_address = k.http.max_connections / 2; /* a connection that says nothing holds 42 KB of TLS */
    k.http.on_request = on_request;
    k.http.put_error = put_error;
    k.http.ctx = n;
    return !node->listens || (n->port = node_port_new(n->serve->loop, &k, err)) != NULL;
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
    if ((n->service = node_service_new(s->loop, &k, err)) && listen_for_nodes(n, node, err) && (!n->cluster || !s->router || cluster_feed(n->cluster, s->router, err))) {
        if (n->cluster && n->port)
            cluster_announce(n->cluster, node_port_addr(n->port)->port);
        return n;
    }
    serve_nodes_free(n);
    return NULL;
}

void serve_nodes_free(struct serve_nodes *n)
{
    if (!n)
        return;
    if (n->cluster)
        cluster_unfeed(n->cluster);
    node_port_free(n->port);
    node_service_free(n->service);
    free(n);
}

void serve_nodes_drain(struct serve_nodes *n)
{
    if (!n)
        return;
    node_service_drain(n->service);
    if (n->port)
        http_server_drain(node_port_server(n->port));
}

void serve_nodes_poke(struct serve_nodes *n)
{
    if (n)
        node_service_poke(n->service);
}

const struct net_addr *serve_nodes_addr(const struct serve_nodes *n) { return n && n->port ? node_port_addr(n->port) : NULL; }

void serve_nodes_put_json(struct serve_nodes *n, struct buf *out) { cluster_put_json(n ? n->cluster : NULL, n ? n->service : NULL, out); }

static void put_counter(struct buf *out, const char *prefix, const char *name, const char *help, uint64_t v)
{
    buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s counter\n%s%s %" PRIu64 "\n", prefix, name, help, prefix, name, prefix, name, v);
}

static void put_port(struct node_port *p, const char *prefix, struct buf *out)
{
    struct node_port_stats st;
    node_port_get_stats(p, &st);
    put_counter(out, prefix, "node_refused_total", "Connections and requests refused at the port for nodes: no certificate, or none that is believed.", st.refused_total);
    put_counter(out, prefix, "node_cut_total", "Connections of nodes that were cut: revoked, or their certificate is over.", st.cut_total);
    put_counter(out, prefix, "node_renewal_failures_total", "Attempts to renew this node's certificate that came to nothing.", st.renewal_failures_total);
}

void serve_nodes_put_metrics(struct serve_nodes *n, const char *prefix, struct buf *out)
{
    if (n)
        cluster_put_metrics(n->cluster, n->service, prefix, out);
    if (n && n->port)
        put_port(n->port, prefix, out);
}
