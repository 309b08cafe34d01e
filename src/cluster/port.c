/* cluster/port.c - see port.h; start at on_request() and on_second(). */
#include "cluster/port.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "cluster/join.h"

enum { LOOK_MS = 1000, CHECK_EVERY = 15 /* looks: has somebody's certificate ended meanwhile? */, RENEW_AGAIN_MS = 60000, RENEW_LOG_MS = 3600000 };

struct node_port {
    struct net_loop *loop;
    struct http_server_config outer; /* whom nodes speak to */
    struct trust *trust;
    struct http_server *server;
    struct net_addr addr;
    struct join_desk *desk;
    struct net_timer *look;
    uint64_t generation;
    int n_looks;
    struct node_port_stats stats;
    /* renewal */
    const char *const *urls;
    int n_urls, next_url;
    struct join_ask *ask;       /* under way */
    bool is_answered;           /* it is freed by the next look */
    bool is_renewing_self;      /* on a thread of the pool */
    struct err self_err;
    struct buf key;
    uint64_t renew_at_ms, renew_logged_ms; /* 0: at once; never */
};

/* ---- requests ---- */

static void on_close_nothing(void *ctx, enum http_close why) { (void)ctx, (void)why; }

static void refuse(struct node_port *p, struct http_stream *s)
{
    static const struct http_stream_fns fns = { .on_close = on_close_nothing };
    char from[HTTP_FROM_MAX];
    http_stream_from(s, from);
    p->stats.refused_total++;
    join_desk_refused(p->desk, http_stream_peer(s), from, "no certificate");
    http_stream_take(s, &fns, NULL);
    http_stream_reply(s, 403, NULL, 0, NULL, 0);
}

static void on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    struct node_port *p = ctx;
    if (p->desk && join_desk_take(p->desk, s, head))
        return;
    if (p->trust && !http_stream_peer(s)[0])
        refuse(p, s);
    else
        p->outer.on_request(p->outer.ctx, s, head);
}

static const char *put_error(void *ctx, int status, const char *text, struct buf *body)
{
    const struct node_port *p = ctx;
    if (!p->trust && p->outer.put_error)
        return p->outer.put_error(p->outer.ctx, status, text, body);
    return "text/plain"; /* who breaks the protocol may be nobody: no word */
}

static void on_refused(void *ctx, const char *who, const char *from, const char *why)
{
    struct node_port *p = ctx;
    p->stats.refused_total++;
    if (p->desk)
        join_desk_refused(p->desk, who, from, why);
}

/* ---- contexts ---- */

static bool use_trust(struct node_port *p, struct err *err)
{
    p->generation = trust_generation(p->trust);
    struct tls_context *tls = trust_server_tls(p->trust, err);
    if (tls)
        http_server_set_tls(p->server, tls);
    return tls != NULL;
}

/* ---- renewal ---- */

static void renewed(struct node_port *p, const struct err *err)
{
    const uint64_t now = net_loop_now_ms(p->loop);
    if (err->code == ERR_NONE) {
        p->stats.renewed_total++;
        p->stats.renewal_why[0] = '\0';
        p->renew_logged_ms = 0;
        log_info("nodes: this node's certificate is a new one");
        return;
    }
    p->stats.renewal_failures_total++;
    snprintf(p->stats.renewal_why, sizeof(p->stats.renewal_why), "%s", err->text);
    p->renew_at_ms = now + RENEW_AGAIN_MS;
    if (p->renew_logged_ms && now - p->renew_logged_ms < RENEW_LOG_MS)
        return;
    p->renew_logged_ms = now ? now : 1;
    const uint64_t end = trust_expires_unix(p->trust), wall = (uint64_t)time(NULL);
    log_warn("nodes: the certificate cannot be renewed, it ends in %llu hours: %s", (unsigned long long)(end > wall ? (end - wall) / 3600 : 0), err->text);
}

static void renew_self(void *ctx)
{
    struct node_port *p = ctx;
    join_renew_now(p->trust, NULL, &p->self_err);
}

static void renewed_self(void *ctx)
{
    struct node_port *p = ctx;
    p->is_renewing_self = false;
    renewed(p, &p->self_err);
}

static void on_renewed(void *ctx, const void *message, size_t n, const struct err *said)
{
    struct node_port *p = ctx;
    struct err err = *said;
    if (err.code == ERR_NONE)
        join_take_renewal(p->trust, p->key.data, message, n, &err);
    p->is_answered = true;
    renewed(p, &err);
}

static void forget_key(struct node_port *p)
{
    if (p->key.data)
        OPENSSL_cleanse(p->key.data, p->key.len);
    buf_fini(&p->key);
    buf_init(&p->key, 16 << 10);
}

/* The authority as it was called when we joined; when that fails, the others in turn. */
static const char *next_url(struct node_port *p)
{
    for (int tries = 0; tries <= p->n_urls; tries++) {
        const int i = p->next_url++ % (p->n_urls + 1);
        const char *url = i == 0 ? trust_authority(p->trust) : p->urls[i - 1];
        if (strncmp(url, "https://", 8) == 0)
            return url;
    }
    return NULL;
}

static void begin_renewal(struct node_port *p)
{
    struct buf message;
    struct err err = { 0 };
    if (trust_holds_ca(p->trust)) {
        p->self_err = (struct err){ 0 };
        p->is_renewing_self = net_loop_work(p->loop, renew_self, renewed_self, p, &err);
    } else {
        const char *url = next_url(p);
        struct tls_context *tls = NULL;
        buf_init(&message, 32 << 10);
        forget_key(p);
        if (!url)
            err_set(&err, ERR_INPUT, "who holds the authority is not known");
        else if (join_put_renewal(p->trust, &p->key, &message, &err) && (tls = trust_client_tls(p->trust, &err)))
            p->ask = join_ask_new(p->loop, url, tls, "Renew", message.data, message.len, on_renewed, p, &err);
        buf_fini(&message);
    }
    if (err.code != ERR_NONE)
        renewed(p, &err);
}

static void on_second(void *ctx)
{
    struct node_port *p = ctx;
    const uint64_t now = net_loop_now_ms(p->loop);
    struct err err = { 0 };
    if (p->is_answered) {
        join_ask_free(p->ask);
        p->ask = NULL;
        p->is_answered = false;
        forget_key(p);
    }
    trust_refresh(p->trust);
    bool must_check = ++p->n_looks % CHECK_EVERY == 0;
    if (trust_generation(p->trust) != p->generation) {
        must_check = true;
        if (!use_trust(p, &err))
            log_error("nodes: %s; the old certificate stays", err.text);
    }
    if (must_check)
        p->stats.cut_total += (uint64_t)http_server_check_peers(p->server);
    if (!p->ask && !p->is_renewing_self && now >= p->renew_at_ms && trust_is_due(p->trust, (uint64_t)time(NULL)))
        begin_renewal(p);
}

/* ---- life ---- */

struct node_port *node_port_new(struct net_loop *l, const struct node_port_config *config, struct err *err)
{
    struct http_server_config http = config->http;
    if (!config->trust && !config->listen.is_loopback)
        return err_null(err, ERR_INPUT, "cluster: listen %s: that is beyond loopback, so certificates are needed: `tutti cluster init` on the first node, `tutti node join` on the others",
                        config->listen.text);
    struct node_port *p = calloc(1, sizeof(*p));
    if (!p)
        return err_null(err, ERR_NOMEM, "nodes: out of memory");
    p->loop = l;
    p->outer = config->http;
    p->trust = config->trust;
    p->urls = config->urls;
    p->n_urls = config->n_urls;
    buf_init(&p->key, 16 << 10);
    http.on_request = on_request;
    http.put_error = put_error;
    http.on_refused = on_refused;
    http.ctx = p;
    bool ok = (p->server = http_server_new(l, &http, err)) != NULL;
    if (ok && p->trust)
        ok = (p->desk = join_desk_new(l, p->trust, err)) && (p->look = net_timer_new(l, on_second, p, err)) && use_trust(p, err);
    if (ok && p->trust)
        net_timer_start(p->look, LOOK_MS, LOOK_MS);
    if (ok && http_server_listen(p->server, &config->listen, &p->addr, err))
        return p;
    node_port_free(p);
    return NULL;
}

const struct net_addr *node_port_addr(const struct node_port *p) { return &p->addr; }
struct http_server *node_port_server(struct node_port *p) { return p->server; }
void node_port_get_stats(const struct node_port *p, struct node_port_stats *out) { *out = p->stats; }

void node_port_free(struct node_port *p)
{
    if (!p)
        return;
    net_timer_free(p->look);
    join_ask_free(p->ask);
    http_server_free(p->server);
    join_desk_free(p->desk);
    while (p->is_renewing_self)
        net_loop_step(p->loop);
    forget_key(p);
    free(p);
}
