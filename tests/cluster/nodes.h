/* tests/cluster/nodes.h - nodes in this process: each a thread with a loop, a port on loopback and a tutti.v1.Node of fake experts, or with a handler of
 * the test's own that misbehaves.  Include it first. */
#ifndef NODES_H
#define NODES_H
#include "test.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cluster/cluster.h"
#include "cluster/node_service.h"
#include "net/grpc.h"
#include "serve/fake_expert.h"
#include "wire/node_pb.h"

struct test_node {
    char name[64], url[100];
    struct net_addr at;
    uint64_t life;
    struct fake fakes[3];
    struct expert *experts[3];
    int n_experts;
    const char *share_dir, *cache_dir;
    void (*handler)(void *node, struct http_stream *s, const struct http_head *head); /* NULL: a node as it should be */
    /* running */
    struct net_loop *loop;
    struct http_server *server;
    struct node_service *service;
    struct net_wake *wake;
    pthread_t thread;
    atomic_int wish; /* 1: end, 2: hang until it is 0, 3: drain, 4: poke */
    atomic_int n_requests;
};

static inline void node_on_wake(void *ctx)
{
    struct test_node *n = ctx;
    while (n->wish == 2)
        usleep(1000);
    if (n->wish == 1)
        net_loop_stop(n->loop);
    if (n->wish == 3)
        node_service_drain(n->service);
    if (n->wish == 4)
        node_service_poke(n->service);
}

static inline void node_on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    struct test_node *n = ctx;
    n->n_requests++;
    if (n->handler)
        n->handler(n, s, head);
    else if (!node_service_take(n->service, s, head))
        grpc_refuse(s, GRPC_UNIMPLEMENTED, "no");
}

static inline void *node_run(void *ctx)
{
    struct test_node *n = ctx;
    net_loop_run(n->loop);
    http_server_free(n->server);
    node_service_free(n->service);
    net_wake_free(n->wake);
    net_loop_free(n->loop);
    return NULL;
}

static inline void node_init(struct test_node *n, const char *name)
{
    memset(n, 0, sizeof(*n));
    signal(SIGPIPE, SIG_IGN);
    snprintf(n->name, sizeof(n->name), "%s", name);
    n->n_experts = 2;
    for (int i = 0; i < 3; i++) {
        n->fakes[i].base.ops = &fake_ops;
        n->fakes[i].state = EXPERT_WARM;
        n->experts[i] = &n->fakes[i].base;
        snprintf(n->fakes[i].id, sizeof(n->fakes[i].id), "%.20s-%d", name, i);
    }
}

/* On the port that it had before, if any. */
static inline void node_start(struct test_node *n)
{
    struct err err = { 0 };
    struct net_addr want, bound;
    n->wish = 0;
    n->life = node_draw_life();
    const struct node_service_config k = { .name = n->name, .life = n->life, .machine_json = "{\"cpu\":1}", .experts = n->experts, .n_experts = n->n_experts, .share_dir = n->share_dir };
    const struct http_server_config http = { .on_request = node_on_request, .ctx = n };
    bool ok = net_addr_parse(&want, n->at.port ? n->at.text : "127.0.0.1:0", &err) && (n->loop = net_loop_new(&err)) && (n->service = node_service_new(n->loop, &k, &err)) &&
              (n->server = http_server_new(n->loop, &http, &err)) && http_server_listen(n->server, &want, &bound, &err) && (n->wake = net_wake_new(n->loop, node_on_wake, n, &err)) &&
              pthread_create(&n->thread, NULL, node_run, n) == 0;
    if (!ok) {
        test_fail(__FILE__, __LINE__, "node_start", "%s", err.text);
        exit(1);
    }
    n->at = bound;
    snprintf(n->url, sizeof(n->url), "http://%s", bound.text);
}

static inline void node_say(struct test_node *n, int wish)
{
    n->wish = wish;
    if (wish)
        net_wake_send(n->wake);
}

static inline void node_end(struct test_node *n)
{
    node_say(n, 1);
    pthread_join(n->thread, NULL);
}

/* Of that node as the cluster sees it; false: it is not known. */
static inline bool member_of(struct cluster *c, const char *name, struct member *out)
{
    static struct member list[MEMBERS_MAX];
    const int n = cluster_get_members(c, list, MEMBERS_MAX);
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0 || strcmp(list[i].url, name) == 0) {
            *out = list[i];
            return true;
        }
    return false;
}

/* Seconds until it is so, at most 60: machines that test may be slow.  Below 0: it did not happen. */
static inline double wait_state(struct cluster *c, const char *name, enum member_state want)
{
    struct member m;
    const uint64_t since = clock_ns();
    for (int turns = 0; turns < 30000; turns++) { /* a minute; not by the clock: somebody may stop us meanwhile */
        if (member_of(c, name, &m) && m.state == want)
            return (double)(clock_ns() - since) / 1e9;
        usleep(2000);
    }
    return -1;
}

static inline struct cluster *see(const char *self, int n, const char *const *urls)
{
    struct cluster_config k = { .self = self, .n_seeds = n };
    struct err err = { 0 };
    for (int i = 0; i < n; i++)
        k.seeds[i] = urls[i];
    struct cluster *c = cluster_new(&k, &err);
    if (!c) {
        test_fail(__FILE__, __LINE__, "cluster_new", "%s", err.text);
        exit(1);
    }
    return c;
}
#endif
