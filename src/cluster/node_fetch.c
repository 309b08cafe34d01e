/* cluster/node_fetch.c - a model file for a neighbour: tutti.v1.Node.Fetch.  Start reading at node_fetch_begin().
 *
 *   open --> checksum (kept, or reckoned on another thread) --> [ read a piece on another thread --> send it --> wait until it was taken ]* --> end
 *
 * Rule:    of each call no more than a piece is read ahead; what a slow reader holds is that, the stream's queue and its window. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/node_files.h"
#include "cluster/node_internal.h"

struct node_fetch {
    struct node_call *call;       /* NULL: it is over; whoever works frees this */
    int fd;
    uint64_t n_bytes, at;
    bool is_at_work, is_waiting;  /* for the reader */
    _Atomic bool is_unwanted;
    /* the worker's while it is at work */
    char name[NODE_PB_NAME_MAX];
    unsigned char hash[NODE_PB_SHA256];
    struct err err;
    size_t n_read;
    char *bytes;                  /* NODE_PB_PIECE_MAX_BYTES */
};

static void release(struct node_fetch *f)
{
    close(f->fd);
    free(f->bytes);
    free(f);
}

void node_fetch_close(struct node_call *c)
{
    struct node_fetch *f = c->fetch;
    if (!f)
        return;
    c->service->n_fetches--;
    c->fetch = NULL;
    f->call = NULL;
    f->is_unwanted = true;
    if (!f->is_at_work)
        release(f);
}

static void next(struct node_fetch *f);

static void send_piece(struct node_fetch *f, const struct node_pb_piece *p)
{
    struct node_service *v = f->call->service;
    struct buf out;
    buf_init(&out, NODE_PB_PIECE_MAX_BYTES + 256);
    node_pb_put_piece(&out, p);
    if (out.failed) {
        node_call_refuse(f->call, GRPC_RESOURCE_EXHAUSTED, "out of memory");
    } else {
        grpc_send(f->call->grpc, out.data, out.len);
        v->stats.fetched_bytes_total += p->n;
    }
    buf_fini(&out);
}

static void read_piece(void *ctx)
{
    struct node_fetch *f = ctx;
    const size_t want = f->n_bytes - f->at < NODE_PB_PIECE_MAX_BYTES ? (size_t)(f->n_bytes - f->at) : NODE_PB_PIECE_MAX_BYTES;
    ssize_t got;
    do
        got = pread(f->fd, f->bytes, want, (off_t)f->at);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        err_set(&f->err, ERR_IO, "%.100s: %s", f->name, got < 0 ? strerror(errno) : "the file became shorter");
    f->n_read = got > 0 ? (size_t)got : 0;
}

static void on_read(void *ctx)
{
    struct node_fetch *f = ctx;
    f->is_at_work = false;
    if (!f->call) {
        release(f);
    } else if (f->err.code != ERR_NONE) {
        node_call_refuse(f->call, GRPC_DATA_LOSS, f->err.text);
    } else {
        send_piece(f, &(struct node_pb_piece){ .offset = f->at, .data = f->bytes, .n = f->n_read });
        f->at += f->n_read;
        next(f);
    }
}

static void work(struct node_fetch *f, net_fn *what, net_fn *done)
{
    struct err err;
    f->is_at_work = net_loop_work(f->call->service->loop, what, done, f, &err);
    if (!f->is_at_work)
        node_call_refuse(f->call, GRPC_RESOURCE_EXHAUSTED, err.text);
}

static void next(struct node_fetch *f)
{
    if (f->at >= f->n_bytes)
        grpc_finish(f->call->grpc, GRPC_OK, NULL);
    else if (grpc_is_full(f->call->grpc))
        f->is_waiting = true;
    else
        work(f, read_piece, on_read);
}

void node_fetch_drain(struct node_call *c)
{
    struct node_fetch *f = c->fetch;
    if (f && f->is_waiting) {
        f->is_waiting = false;
        next(f);
    }
}

static void reckon(void *ctx)
{
    struct node_fetch *f = ctx;
    node_files_hash(f->name, f->fd, f->hash, &f->is_unwanted, &f->err);
}

static void on_reckoned(void *ctx)
{
    struct node_fetch *f = ctx;
    struct node_pb_fetch want;
    struct err err = { 0 };
    f->is_at_work = false;
    if (!f->call) {
        release(f);
        return;
    }
    struct node_call *c = f->call;
    arena_reset(c->service->arena);
    const bool ok = node_pb_read_fetch(&want, c->message, c->n_message, c->service->arena, &err); /* it was read before */
    if (f->err.code != ERR_NONE || !ok) {
        node_call_refuse(c, GRPC_DATA_LOSS, ok ? f->err.text : err.text);
    } else if (want.has_sha256 && memcmp(want.sha256, f->hash, sizeof(f->hash)) != 0) {
        node_call_refuse(c, GRPC_FAILED_PRECONDITION, "the file is another one now: its checksum is not the one that is expected");
    } else {
        struct node_pb_piece first = { .total_bytes = f->n_bytes, .offset = f->at, .has_sha256 = true };
        memcpy(first.sha256, f->hash, sizeof(f->hash));
        send_piece(f, &first);
        next(f);
    }
}

void node_fetch_begin(struct node_call *c)
{
    struct node_service *v = c->service;
    struct node_pb_fetch want;
    struct err err = { 0 };
    uint64_t n_bytes = 0;
    arena_reset(v->arena);
    if (!node_pb_read_fetch(&want, c->message, c->n_message, v->arena, &err)) {
        node_call_refuse(c, GRPC_INVALID_ARGUMENT, err.text);
        return;
    }
    if (v->n_fetches >= NODE_FETCHES_MAX) {
        node_call_refuse(c, GRPC_UNAVAILABLE, "others are fetching; try again in a while");
        return;
    }
    const int fd = node_files_open(v->config.share_dir, want.name, &n_bytes, &err);
    if (fd < 0) {
        node_call_refuse(c, GRPC_NOT_FOUND, err.text);
        return;
    }
    struct node_fetch *f = want.offset <= n_bytes ? calloc(1, sizeof(*f)) : NULL;
    if (!f || !(f->bytes = malloc(NODE_PB_PIECE_MAX_BYTES))) {
        free(f);
        close(fd);
        node_call_refuse(c, want.offset > n_bytes ? GRPC_OUT_OF_RANGE : GRPC_RESOURCE_EXHAUSTED, want.offset > n_bytes ? "the file is not that long" : "out of memory");
        return;
    }
    f->call = c;
    f->fd = fd;
    f->n_bytes = n_bytes;
    f->at = want.offset;
    memcpy(f->name, want.name, strlen(want.name) + 1);
    c->fetch = f;
    v->n_fetches++;
    v->stats.fetches_total++;
    work(f, reckon, on_reckoned);
}
