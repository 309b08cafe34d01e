/* fake-nodes/nodes.h - what the parts of the fake nodes share: main.c (options, life, what stdin says), node.c (tutti.v1.Node of each), jobs.c
 * (what each answers). */
#ifndef FAKE_NODES_H
#define FAKE_NODES_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/rng.h"
#include "net/grpc.h"

struct options {
    const char *host, *prefix, *model, *tasks;
    int nodes, port, tok_s, prompt_tok_s, ttft_ms, slots, tokens, quality, params_m, sorts;
    int item_ms, seed;
    unsigned task_bits;
};

enum fault { FAULT_NONE, FAULT_HANG /* says and answers nothing; its connections stay */, FAULT_REFUSE /* says how it is, refuses jobs */, FAULT_CUT /* breaks off answers */ };

struct watcher { /* somebody who watches a node */
    struct node *node;
    struct watcher *prev, *next;
    struct grpc_call *grpc;
    bool is_describe;
};

struct fake_job { /* one that a node was given */
    struct node *node;
    struct fake_job *prev, *next; /* of its node, newest first */
    struct http_stream *stream;
    struct net_timer *timer;
    struct buf body, out;
    uint64_t began_ms;
    int path, n_prompt_tok, n_tok, max_tok;
    bool is_ready /* its body is complete */, is_running, is_stream, with_usage;
};

struct node {
    struct nodes *all;
    int index;
    char name[64];
    struct http_server *server; /* NULL: dead */
    uint64_t life, said_ms;
    bool has_news, is_draining;
    enum fault fault;
    int slow;                   /* times as slow; 1: as it should be */
    struct watcher *watchers;
    struct fake_job *jobs;
    int n_running, n_waiting;
    unsigned long long n_jobs, n_done, n_refused;
    double temperature_c;
};

struct nodes {
    struct options o;
    struct net_loop *loop;
    struct net_timer *tick;
    struct node *list; /* [o.nodes] */
    struct arena *arena; /* of the message at hand */
    struct buf message;  /* the same */
    struct rng rng;
    unsigned long long n_states, n_described;
    bool is_leaving;
};

/* node.c */
/* Each 50 ms: says how those are who have something to say, or have said nothing for a second. */
void nodes_tick(struct nodes *all);
/* false: the path is none of tutti.v1.Node. */
bool node_take(struct node *n, struct http_stream *s, const struct http_head *head);

/* jobs.c */
void job_take(struct node *n, struct http_stream *s, const struct http_head *head);
#endif
