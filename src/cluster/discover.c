/* cluster/discover.c - where to look for nodes: the configuration's list, and names that have many addresses.
 *
 * For:     cluster.c.
 * Touches: the resolver, on another thread than the loop's.
 * Rule:    `http://127.0.0.1:8444-8460` is each of these ports.
 *          `dns://name:port` is looked up at the start and every few seconds (a headless Service changes its addresses as pods come and go);
 *          what is not named any more is forgotten when it is down, never before. */
#include <netdb.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "cluster/cluster_internal.h"

enum { DNS_EACH_MS = 5000, DNS_RETRY_MS = 1000, ADDRESSES_MAX = MEMBERS_MAX, ADDRESS_MAX = INET6_ADDRSTRLEN };

struct dns_seed {
    struct discover *all;
    int seed;
    char host[256], port[8];
    bool is_tls;
    struct net_timer *timer;
    bool is_read;
    char failed[160];        /* the last complaint: each is said once */
    /* of the look-up under way: its worker's until it is done */
    bool is_busy;
    char list[ADDRESSES_MAX][ADDRESS_MAX];
    int n;
    char why[160];
};

struct discover {
    struct cluster *cluster;
    struct dns_seed *dns[CLUSTER_SEEDS_MAX];
    int n_dns;
};

/* On a worker's thread. */
static void look_up(void *ctx)
{
    struct dns_seed *d = ctx;
    const struct addrinfo want = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    d->n = 0;
    d->why[0] = '\0';
    const int rc = getaddrinfo(d->host, d->port, &want, &found);
    if (rc != 0)
        snprintf(d->why, sizeof(d->why), "%s", gai_strerror(rc));
    for (const struct addrinfo *a = found; a && rc == 0; a = a->ai_next)
        if (d->n == ADDRESSES_MAX)
            snprintf(d->why, sizeof(d->why), "more than %d addresses; the others are left out", ADDRESSES_MAX);
        else if (getnameinfo(a->ai_addr, a->ai_addrlen, d->list[d->n], ADDRESS_MAX, NULL, 0, NI_NUMERICHOST) == 0)
            d->n++;
    if (found)
        freeaddrinfo(found);
}

static void on_looked_up(void *ctx)
{
    struct dns_seed *d = ctx;
    struct cluster *c = d->all->cluster;
    struct err err = { 0 };
    char url[300];
    d->is_busy = false;
    if (d->n > 0) /* a resolver that is away takes nobody from us */
        member_unlist(c, d->seed);
    for (int i = 0; i < d->n; i++) {
        snprintf(url, sizeof(url), strchr(d->list[i], ':') ? "%s://[%s]:%s" : "%s://%s:%s", d->is_tls ? "https" : "http", d->list[i], d->port);
        if (!member_add(c, url, d->seed, &err))
            snprintf(d->why, sizeof(d->why), "%.150s", err.text);
    }
    if (d->why[0] && strcmp(d->why, d->failed) != 0)
        log_warn("cluster: dns://%s:%s: %s", d->host, d->port, d->why);
    memcpy(d->failed, d->why, sizeof(d->failed));
    pthread_mutex_lock(&c->lock);
    if (!d->is_read) {
        c->n_unread--;
        pthread_cond_broadcast(&c->settled);
    }
    d->is_read = true;
    pthread_mutex_unlock(&c->lock);
    if (d->timer)
        net_timer_start(d->timer, d->n > 0 ? DNS_EACH_MS : DNS_RETRY_MS, 0);
}

static void begin(void *ctx)
{
    struct dns_seed *d = ctx;
    struct err err;
    if (d->is_busy)
        return;
    d->is_busy = net_loop_work(d->all->cluster->loop, look_up, on_looked_up, d, &err);
    if (!d->is_busy)
        net_timer_start(d->timer, DNS_RETRY_MS, 0);
}

/* dns://name:port */
static bool add_dns(struct discover *v, const char *seed, int index, struct err *err)
{
    char url[300];
    struct http_target t;
    struct cluster *c = v->cluster;
    snprintf(url, sizeof(url), "http://%.280s", seed + strlen("dns://"));
    if (!http_target_parse(&t, url, err) || t.prefix[0])
        return err_set(err, ERR_INPUT, "cluster: node %.200s: dns://NAME:PORT is wanted", seed);
    struct dns_seed *d = calloc(1, sizeof(*d));
    if (!d || !(d->timer = net_timer_new(c->loop, begin, d, err))) {
        free(d);
        return err_set(err, ERR_NOMEM, "cluster: out of memory");
    }
    v->dns[v->n_dns++] = d;
    d->all = v;
    d->seed = index;
    d->is_tls = c->config.trust != NULL;
    snprintf(d->host, sizeof(d->host), "%s", t.host);
    snprintf(d->port, sizeof(d->port), "%d", t.port);
    c->n_unread++;
    net_timer_start(d->timer, 0, 0);
    return true;
}

/* "http://host:20000-20999": the address before the last number, which the others follow.  false: no range. */
static bool read_range(const char *seed, int *first, int *last, size_t *n_host)
{
    const char *colon = strrchr(seed, ':');
    int n = 0;
    if (!colon || sscanf(colon, ":%d-%d%n", first, last, &n) != 2 || colon[n])
        return false;
    *n_host = (size_t)(colon - seed);
    return true;
}

static bool add_listed(struct cluster *c, const char *seed, int index, struct err *err)
{
    char url[300];
    int first, last;
    size_t n_host;
    if (!read_range(seed, &first, &last, &n_host))
        return member_add(c, seed, index, err);
    if (first < 1 || last < first || last > 65535 || n_host > 256)
        return err_set(err, ERR_INPUT, "cluster: node %.200s: https://HOST:PORT-PORT wants ports from 1 to 65535, the lower one first", seed);
    for (int port = first; port <= last; port++) {
        snprintf(url, sizeof(url), "%.*s:%d", (int)n_host, seed, port);
        if (!member_add(c, url, index, err))
            return false;
    }
    return true;
}

bool discover_start(struct cluster *c, struct err *err)
{
    struct discover *v = c->discover = calloc(1, sizeof(*v));
    if (!v)
        return err_set(err, ERR_NOMEM, "cluster: out of memory");
    v->cluster = c;
    for (int i = 0; i < c->config.n_seeds; i++) {
        const char *s = c->config.seeds[i];
        if (strncmp(s, "dns://", 6) == 0 ? !add_dns(v, s, i, err) : !add_listed(c, s, i, err))
            return false;
    }
    return true;
}

void discover_stop(struct cluster *c)
{
    struct discover *v = c->discover;
    if (!v)
        return;
    for (int i = 0; i < v->n_dns; i++) {
        net_timer_free(v->dns[i]->timer);
        v->dns[i]->timer = NULL;
        while (v->dns[i]->is_busy)
            net_loop_step(c->loop);
        free(v->dns[i]);
    }
    free(v);
    c->discover = NULL;
}
