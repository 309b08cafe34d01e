/* link-relay/relay.h - what the two faces share: how the way from one node to another is, now. */
#ifndef LINK_RELAY_H
#define LINK_RELAY_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NODES_MAX = 16, NAME_BYTES_MAX = 16, NEVER_MS = 1 << 30 };

struct way { /* from one node to another */
    uint64_t delay_ns, free_ns; /* free: when its last byte has left */
    double bits_s;              /* 0: no limit */
    bool is_held;               /* nothing comes through */
    uint64_t bytes, lost;
};

struct relay {
    char names[NODES_MAX][NAME_BYTES_MAX];
    int n_nodes;
    struct way ways[NODES_MAX][NODES_MAX];
};

static inline uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* When bytes that are given to it now arrive. */
static inline uint64_t way_due(struct way *w, size_t n, uint64_t now)
{
    const uint64_t begin = w->free_ns > now ? w->free_ns : now;
    w->free_ns = begin + (w->bits_s > 0 ? (uint64_t)((double)n * 8e9 / w->bits_s) : 0);
    w->bytes += n;
    return w->free_ns + w->delay_ns;
}

/* The number of a name, which is made when it is new; -1: too many. */
int node_number(struct relay *r, const char *name, size_t n);

/* ---- connections: tcp.c ---- */
bool tcp_add(struct relay *r, const char *spec); /* A:B=LISTEN,TARGET */
void tcp_cut(int from, int to);                  /* -1: all */
int tcp_poll_fill(void *fds, int max);
void tcp_poll_done(struct relay *r, void *fds, int n);
uint64_t tcp_pump(struct relay *r, uint64_t now); /* moves what is due; when the next is */
int tcp_count(void);

/* ---- frames: frames.c ---- */
bool frames_add(struct relay *r, const char *spec); /* A=INTERFACE */
int frames_poll_fill(void *fds, int max);
void frames_poll_done(struct relay *r, void *fds, int n);
uint64_t frames_pump(struct relay *r, uint64_t now);
#endif
