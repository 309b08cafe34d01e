/* cluster/node_internal.h - what node_service.c (who calls, Describe, Watch) and node_fetch.c (Fetch) share. */
#ifndef TUTTI_CLUSTER_NODE_INTERNAL_H
#define TUTTI_CLUSTER_NODE_INTERNAL_H
#include "base/arena.h"
#include "base/buf.h"
#include "cluster/cluster.h"
#include "cluster/node_service.h"
#include "net/grpc.h"
#include "route/live.h"
#include "wire/node_pb.h"

enum node_method { NODE_DESCRIBE, NODE_WATCH, NODE_FETCH, NODE_METHOD_COUNT };
enum { NODE_FETCHES_MAX = 4 /* at a time */ };

struct node_fetch;

struct node_call { /* one that another node makes */
    struct node_service *service;
    struct node_call *prev, *next;
    struct grpc_call *grpc;
    enum node_method method;
    bool has_ended;        /* the caller said all */
    char message[512];     /* its one message */
    size_t n_message;
    struct node_fetch *fetch; /* NODE_FETCH */
};

struct node_service {
    struct net_loop *loop;
    struct node_service_config config;
    struct live *live;     /* our experts as candidates; node 0 is this machine */
    int n_experts;
    struct { enum expert_state state; bool has_queue; } told[MEMBER_EXPERTS_MAX];
    uint64_t edition;
    struct node_call *calls;
    int n_calls, n_watchers, n_fetches;
    uint64_t files_edition; /* of the shared folder, when it was looked at last */
    struct net_timer *tick; /* runs while somebody watches */
    uint64_t said_ms;
    bool is_busy, is_draining, has_news;
    struct buf state;      /* the message at hand; its memory stays */
    struct arena *arena;
    struct node_service_stats stats;
};

/* node_fetch.c */
void node_fetch_begin(struct node_call *c);
void node_fetch_drain(struct node_call *c);
void node_fetch_close(struct node_call *c);

/* Brings `live` up to date; true when a state is another one than when it was told last. */
bool node_service_look(struct node_service *v);
void node_call_refuse(struct node_call *c, enum grpc_status status, const char *text);
#endif
