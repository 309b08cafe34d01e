/* link-relay/tcp.c - connections whose bytes take their time; start at tcp_poll_done(). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay.h"

enum { LINKS_MAX = 128, CONNS_MAX = 1000, CHUNK_BYTES = 16 << 10, QUEUE_BYTES_MAX = 1 << 20 };
enum kind { BYTES, END, RESET };

struct chunk {
    struct chunk *next;
    uint64_t due_ns;
    enum kind kind;
    size_t n, at;
    char bytes[];
};

struct side { /* what comes from this end */
    int fd;          /* -1: not there (yet) */
    struct chunk *first, **last;
    size_t n_queued;
    bool is_over;    /* no more comes from it */
    bool must_write; /* the other end takes no more at the moment */
};

struct conn {
    struct link *link;
    struct side side[2]; /* 0: who called, 1: who answers */
    bool is_connecting, is_dead;
    int ends_passed;
};

struct link {
    int fd, node[2];
    struct sockaddr_in target;
};

static struct link links[LINKS_MAX];
static struct conn *conns[CONNS_MAX];
static int n_links, n_conns;
static struct { struct conn *c; int side; struct link *l; } asked[LINKS_MAX + 2 * CONNS_MAX]; /* whom a pollfd is about */

static bool read_addr(struct sockaddr_in *out, const char *s, size_t n)
{
    char text[64];
    if (n >= sizeof(text))
        return false;
    memcpy(text, s, n);
    text[n] = '\0';
    char *colon = strrchr(text, ':');
    if (!colon)
        return false;
    *colon = '\0';
    memset(out, 0, sizeof(*out));
    out->sin_family = AF_INET;
    out->sin_port = htons((uint16_t)atoi(colon + 1));
    return inet_pton(AF_INET, text, &out->sin_addr) == 1;
}

bool tcp_add(struct relay *r, const char *spec)
{
    const char *colon = strchr(spec, ':'), *eq = strchr(spec, '='), *comma = strchr(spec, ',');
    struct link *l = &links[n_links];
    struct sockaddr_in at;
    const int one = 1;
    errno = 0;
    if (n_links == LINKS_MAX || !colon || !eq || !comma || colon > eq || eq > comma)
        return false;
    l->node[0] = node_number(r, spec, (size_t)(colon - spec));
    l->node[1] = node_number(r, colon + 1, (size_t)(eq - colon - 1));
    if (l->node[0] < 0 || l->node[1] < 0 || !read_addr(&at, eq + 1, (size_t)(comma - eq - 1)) || !read_addr(&l->target, comma + 1, strlen(comma + 1)))
        return false;
    l->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return false;
    setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(l->fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(l->fd, 256) != 0)
        return false;
    n_links++;
    return true;
}

int tcp_count(void) { return n_conns; }

static struct way *way_of(struct relay *r, const struct conn *c, int side) { return &r->ways[c->link->node[side]][c->link->node[!side]]; }

static void put(struct relay *r, struct conn *c, int side, enum kind kind, const char *bytes, size_t n)
{
    struct side *s = &c->side[side];
    struct chunk *k = malloc(sizeof(*k) + n);
    if (!k) {
        c->is_dead = true;
        return;
    }
    *k = (struct chunk){ .kind = kind, .n = n, .due_ns = way_due(way_of(r, c, side), n, now_ns()) };
    if (n)
        memcpy(k->bytes, bytes, n);
    *s->last = k;
    s->last = &k->next;
    s->n_queued += n;
    s->is_over |= kind != BYTES;
}

static void pop(struct side *s)
{
    struct chunk *k = s->first;
    s->n_queued -= k->n;
    s->first = k->next;
    if (!s->first)
        s->last = &s->first;
    free(k);
}

static void close_conn(struct conn *c)
{
    const struct linger now = { 1, 0 }; /* a reset, unless both ends were told */
    for (int i = 0; i < 2; i++) {
        while (c->side[i].first)
            pop(&c->side[i]);
        if (c->side[i].fd < 0)
            continue;
        if (c->ends_passed < 2)
            setsockopt(c->side[i].fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        close(c->side[i].fd);
    }
    free(c);
}

void tcp_cut(int from, int to)
{
    for (int i = 0; i < n_conns; i++) {
        const int a = conns[i]->link->node[0], b = conns[i]->link->node[1];
        const bool is_that = (from == -1 || from == a) && (to == -1 || to == b), is_back = (from == -1 || from == b) && (to == -1 || to == a);
        conns[i]->is_dead |= is_that || is_back;
    }
}

/* The way there and back must be free for somebody to be reached. */
static void connect_to(struct relay *r, struct conn *c)
{
    const int one = 1;
    if (way_of(r, c, 0)->is_held || way_of(r, c, 1)->is_held)
        return;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        c->is_dead = true;
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->side[1].fd = fd;
    c->is_connecting = connect(fd, (const struct sockaddr *)&c->link->target, sizeof(c->link->target)) != 0;
    c->is_dead |= c->is_connecting && errno != EINPROGRESS;
}

static void pump_side(struct relay *r, struct conn *c, int side, uint64_t now, uint64_t *next)
{
    struct side *s = &c->side[side];
    const int out = c->side[!side].fd;
    s->must_write = false;
    while (!c->is_dead && s->first && out >= 0 && !c->is_connecting && !way_of(r, c, side)->is_held) {
        struct chunk *k = s->first;
        if (k->due_ns > now) {
            *next = k->due_ns < *next ? k->due_ns : *next;
            return;
        }
        if (k->kind == RESET) {
            c->is_dead = true;
            return;
        }
        if (k->kind == END) {
            shutdown(out, SHUT_WR);
            c->ends_passed++;
            pop(s);
            continue;
        }
        const ssize_t n = send(out, k->bytes + k->at, k->n - k->at, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            s->must_write = true;
            return;
        }
        if (n < 0) {
            c->is_dead = true;
            return;
        }
        k->at += (size_t)n;
        if (k->at == k->n)
            pop(s);
    }
}

uint64_t tcp_pump(struct relay *r, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (int i = 0; i < n_conns; i++) {
        struct conn *c = conns[i];
        if (!c->is_dead && c->side[1].fd < 0)
            connect_to(r, c);
        for (int k = 0; k < 2; k++)
            pump_side(r, c, k, now, &next);
        if (c->is_dead || c->ends_passed == 2) {
            close_conn(c);
            conns[i--] = conns[--n_conns];
        }
    }
    return next;
}

int tcp_poll_fill(void *list, int max)
{
    struct pollfd *fds = list;
    int n = 0;
    for (int i = 0; i < n_links && n < max && n_conns < CONNS_MAX; i++) {
        asked[n].l = &links[i], asked[n].c = NULL;
        fds[n++] = (struct pollfd){ .fd = links[i].fd, .events = POLLIN };
    }
    for (int i = 0; i < n_conns; i++)
        for (int k = 0; k < 2 && n < max; k++) {
            struct conn *c = conns[i];
            const bool connects = k == 1 && c->is_connecting;
            const bool reads = !c->side[k].is_over && c->side[k].n_queued < QUEUE_BYTES_MAX && !connects, writes = c->side[!k].must_write || connects;
            if (c->side[k].fd < 0 || !(reads || writes))
                continue;
            asked[n].c = c, asked[n].side = k;
            fds[n++] = (struct pollfd){ .fd = c->side[k].fd, .events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)) };
        }
    return n;
}

static void take_caller(struct link *l)
{
    const int one = 1, fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct conn *c = fd >= 0 && n_conns < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;
    if (!c) {
        if (fd >= 0)
            close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->link = l;
    c->side[0] = (struct side){ .fd = fd, .last = &c->side[0].first };
    c->side[1] = (struct side){ .fd = -1, .last = &c->side[1].first };
    conns[n_conns++] = c;
}

static void take_bytes(struct relay *r, struct conn *c, int side, short what)
{
    static char bytes[CHUNK_BYTES];
    struct side *s = &c->side[side];
    if (side == 1 && c->is_connecting) {
        int why = 0;
        socklen_t len = sizeof(why);
        getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &why, &len);
        c->is_connecting = false;
        c->is_dead |= why != 0;
        return;
    }
    if (!(what & (POLLIN | POLLHUP | POLLERR)) || s->is_over)
        return;
    const ssize_t n = recv(s->fd, bytes, sizeof(bytes), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    put(r, c, side, n > 0 ? BYTES : n == 0 ? END : RESET, bytes, n > 0 ? (size_t)n : 0);
}

void tcp_poll_done(struct relay *r, void *list, int n)
{
    const struct pollfd *fds = list;
    for (int i = 0; i < n; i++) { /* nobody is freed before tcp_pump() */
        if (!fds[i].revents)
            continue;
        if (!asked[i].c)
            take_caller(asked[i].l);
        else
            take_bytes(r, asked[i].c, asked[i].side, fds[i].revents);
    }
}
