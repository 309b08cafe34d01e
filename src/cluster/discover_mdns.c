/* cluster/discover_mdns.c - nodes of this network find each other: multicast DNS, DNS-SD's _tutti._tcp.  Start reading at discover_mdns_start().
 *
 * For:     cluster.c.
 * Touches: UDP port 5353, 224.0.0.251; all interfaces with certificates, loopback alone without.
 * Thread:  the cluster's.
 * Rule:    a socket of our own instead of avahi: no daemon, no library, and containers have neither (DEPENDENCIES.md).  What is heard is a
 *          hint where to look and no more: a node is who its certificate says.  At most PLACES_MAX places are taken from it.  It asks when it
 *          begins and every half minute; who has not answered for two minutes is forgotten when it is down.  IPv4. */
#define _DEFAULT_SOURCE /* ip_mreq, IFF_... */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "cluster/cluster_internal.h"
#include "wire/mdns.h"

enum { INTERFACES_MAX = 16, PLACES_MAX = 128, PACKETS_AT_ONCE = 32, ASK_MS = 30000, FORGET_EACH = 4 /* questions */, ANSWER_EACH_MS = 250 };
static const uint64_t first_ms[] = { 1000, 2000 }; /* a packet may be lost */

struct discover_mdns {
    struct cluster *cluster;
    int fd;
    struct net_watch *watch;
    struct net_timer *timer;
    struct in_addr interfaces[INTERFACES_MAX];
    int n_interfaces, n_asked;
    int port; /* that we announce; 0: none */
    uint64_t answered_ms;
    unsigned char packet[MDNS_PACKET_MAX_BYTES];
};

/* Interfaces come and go (Wi-Fi): joined again with each question; what is joined already stays. */
static void join_all(struct discover_mdns *d)
{
    struct ifaddrs *all = NULL;
    struct ip_mreq group = { .imr_multiaddr.s_addr = htonl(0xe00000fb) };
    const bool is_clear = d->cluster->config.trust == NULL;
    d->n_interfaces = 0;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *i = all; i && d->n_interfaces < INTERFACES_MAX; i = i->ifa_next) {
        const bool is_loopback = (i->ifa_flags & IFF_LOOPBACK) != 0;
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP) || is_loopback != is_clear || (!is_loopback && !(i->ifa_flags & IFF_MULTICAST)))
            continue;
        group.imr_interface = ((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
        if (setsockopt(d->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) == 0 || errno == EADDRINUSE)
            d->interfaces[d->n_interfaces++] = group.imr_interface;
    }
    freeifaddrs(all);
}

/* A question, or our answer with the address of each interface. */
static void send_all(struct discover_mdns *d, bool is_answer)
{
    const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(MDNS_PORT), .sin_addr.s_addr = htonl(0xe00000fb) };
    struct mdns_node me = { .port = d->port, .is_tls = d->cluster->config.trust != NULL };
    struct buf out;
    if (is_answer)
        snprintf(me.name, sizeof(me.name), "%s", d->cluster->config.self);
    buf_init(&out, MDNS_PACKET_MAX_BYTES);
    for (int i = 0; i < d->n_interfaces; i++) {
        buf_clear(&out);
        if (is_answer)
            mdns_put_answer(&out, &me, (const unsigned char *)&d->interfaces[i]);
        else
            mdns_put_question(&out);
        if (!out.failed && setsockopt(d->fd, IPPROTO_IP, IP_MULTICAST_IF, &d->interfaces[i], sizeof(d->interfaces[i])) == 0)
            (void)!sendto(d->fd, out.data, out.len, 0, (const struct sockaddr *)&to, sizeof(to)); /* a lost packet is asked for again */
    }
    buf_fini(&out);
}

static void answer(struct discover_mdns *d)
{
    const uint64_t now_ms = net_loop_now_ms(d->cluster->loop);
    if (d->port == 0 || (d->answered_ms && now_ms - d->answered_ms < ANSWER_EACH_MS))
        return;
    d->answered_ms = now_ms;
    send_all(d, true);
}

static void take_found(struct discover_mdns *d, const struct mdns_node *n, const struct sockaddr_in *from)
{
    struct cluster *c = d->cluster;
    char host[INET_ADDRSTRLEN], url[64];
    struct err err;
    int n_places = 0;
    for (int i = 0; i < c->n_nodes; i++)
        n_places += c->nodes[i]->is_used && c->nodes[i]->seed == SEED_MDNS;
    if (n_places >= PLACES_MAX || n->is_tls != (c->config.trust != NULL) || (c->config.self && strcmp(c->config.self, n->name) == 0) ||
        !inet_ntop(AF_INET, &from->sin_addr, host, sizeof(host)))
        return;
    snprintf(url, sizeof(url), "http%s://%s:%d", n->is_tls ? "s" : "", host, n->port);
    if (!member_add(c, url, SEED_MDNS, &err))
        log_debug("cluster: mDNS: %s", err.text);
}

static void on_readable(void *ctx)
{
    struct discover_mdns *d = ctx;
    for (int i = 0; i < PACKETS_AT_ONCE; i++) {
        struct sockaddr_in from;
        socklen_t n_from = sizeof(from);
        struct mdns_packet p;
        struct err err;
        const ssize_t n = recvfrom(d->fd, d->packet, sizeof(d->packet), MSG_DONTWAIT, (struct sockaddr *)&from, &n_from);
        if (n < 0)
            return;
        if (n_from != sizeof(from) || from.sin_family != AF_INET || !mdns_read(&p, d->packet, (size_t)n, &err))
            continue;
        if (p.asks_for_us)
            answer(d);
        for (int k = 0; k < p.n_found; k++)
            take_found(d, &p.found[k], &from);
    }
}

static void ask(void *ctx)
{
    struct discover_mdns *d = ctx;
    const int n = d->n_asked++;
    if (n > 0 && n % FORGET_EACH == 0)
        member_unlist(d->cluster, SEED_MDNS);
    join_all(d);
    send_all(d, false);
    net_timer_start(d->timer, n < (int)(sizeof(first_ms) / sizeof(first_ms[0])) ? first_ms[n] : ASK_MS, 0);
}

void discover_mdns_announce(struct cluster *c, int port)
{
    if (!c->mdns || c->mdns->port == port || !c->config.self || !c->config.self[0])
        return;
    c->mdns->port = port;
    join_all(c->mdns);
    answer(c->mdns);
}

bool discover_mdns_start(struct cluster *c, struct err *err)
{
    struct discover_mdns *d = c->mdns = calloc(1, sizeof(*d));
    const struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(MDNS_PORT) };
    const int on = 1;
    const unsigned char hops = 255, loop = 1;
    if (!d)
        return err_set(err, ERR_NOMEM, "cluster: out of memory");
    d->cluster = c;
    d->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const bool ok = d->fd >= 0 && setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 && setsockopt(d->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 &&
                    setsockopt(d->fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof(hops)) == 0 && setsockopt(d->fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof(loop)) == 0 &&
                    bind(d->fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
    if (!ok) { /* the list and DNS work without */
        log_warn("cluster: mDNS: port %d: %s; nodes are not found by themselves", MDNS_PORT, strerror(errno));
        discover_mdns_stop(c);
        return true;
    }
    if (!(d->watch = net_watch_new(c->loop, d->fd, on_readable, d, err)) || !(d->timer = net_timer_new(c->loop, ask, d, err)))
        return false;
    net_timer_start(d->timer, 0, 0);
    return true;
}

void discover_mdns_stop(struct cluster *c)
{
    struct discover_mdns *d = c->mdns;
    if (!d)
        return;
    net_watch_free(d->watch);
    net_timer_free(d->timer);
    if (c->loop)
        net_loop_poll(c->loop); /* the descriptor outlives its watch */
    if (d->fd >= 0)
        close(d->fd);
    free(d);
    c->mdns = NULL;
}
