/* cluster/fetch.c - see fetch.h; start reading at fetch_model(). */
#include "cluster/fetch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "cluster/cluster.h"
#include "cluster/file_hash.h"
#include "cluster/trust.h"
#include "net/grpc_client.h"
#include "wire/node_pb.h"

enum { SILENT_MS = 60000, RECKON_MS = 600000 /* the neighbour may have to reckon a checksum first */, N_TRIES = 5, SPARE_BYTES = 16 << 20, RETRY_MS = 1000, PATH_BYTES = 1024 };

struct getting { /* of one file, over several tries */
    struct fetch *f;
    struct net_loop *loop;
    struct arena *arena;
    struct net_timer *timer;   /* silence; the pause between tries */
    struct h2_client *h2;
    struct grpc_client_call *call;
    int fd;                    /* of the part; -1: none yet */
    char part[PATH_BYTES], path[PATH_BYTES];
    bool has_hash;
    unsigned char hash[NODE_PB_SHA256]; /* that is expected */
    struct file_hash *md;      /* of what is there */
    uint64_t at;
    bool has_first, is_new;    /* of this try: its first piece came; something new came */
    enum { TRY_AGAIN, FAILED, WHOLE, AFRESH } end;
    struct err *err;           /* FAILED, TRY_AGAIN: why */
};

/* ---- the part ---- */

static void drop_part(struct getting *g)
{
    if (g->fd >= 0)
        close(g->fd);
    if (g->part[0])
        unlink(g->part);
    g->fd = -1;
    g->part[0] = '\0';
    g->has_hash = false;
    g->at = 0;
}

static bool hash_afresh(struct getting *g, struct err *err)
{
    file_hash_free(g->md);
    g->md = file_hash_new(err);
    return g->md && file_hash_add_file(g->md, g->fd, g->at, NULL, err);
}

static bool lock_part(struct getting *g, struct err *err)
{
    return flock(g->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK || err_set(err, ERR_BUSY, "%s is being fetched by another process", g->f->name);
}

/* What an earlier time left: its name says which file it is of. */
static bool find_part(struct getting *g, struct err *err)
{
    char begin[NODE_PB_NAME_MAX + 4];
    DIR *d = opendir(g->f->dir);
    const int n = snprintf(begin, sizeof(begin), ".%s.", g->f->name);
    if (!d)
        return err_set(err, ERR_IO, "%.150s: %s", g->f->dir, strerror(errno));
    for (const struct dirent *e = readdir(d); e && g->fd < 0; e = readdir(d)) {
        struct stat st;
        if (strncmp(e->d_name, begin, (size_t)n) != 0 || strlen(e->d_name) != (size_t)n + 64 + 5 || strcmp(e->d_name + n + 64, ".part") != 0 ||
            !hex_read(g->hash, e->d_name + n, FILE_HASH_BYTES) || snprintf(g->part, sizeof(g->part), "%s/%s", g->f->dir, e->d_name) >= (int)sizeof(g->part))
            continue;
        g->fd = open(g->part, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (g->fd >= 0 && (fstat(g->fd, &st) != 0 || !S_ISREG(st.st_mode))) {
            close(g->fd);
            g->fd = -1;
        }
        if (g->fd >= 0)
            g->at = g->f->resumed_at = (uint64_t)st.st_size, g->has_hash = true;
    }
    closedir(d);
    if (g->fd < 0)
        g->part[0] = '\0';
    return g->fd < 0 || (lock_part(g, err) && hash_afresh(g, err));
}

static bool has_room(struct getting *g, struct err *err)
{
    struct statvfs v;
    if (statvfs(g->f->dir, &v) != 0)
        return true;
    const uint64_t room = (uint64_t)v.f_bavail * v.f_frsize, need = g->f->total_bytes - g->at;
    return (need <= UINT64_MAX - SPARE_BYTES && need + SPARE_BYTES <= room) ||
           err_set(err, ERR_LIMIT, "%s needs %.1f MB more, and %.100s has %.1f MB left", g->f->name, (double)need / 1e6, g->f->dir, (double)room / 1e6);
}

static bool make_part(struct getting *g, struct err *err)
{
    char hex[FILE_HASH_HEX];
    hex_put(hex, g->hash, FILE_HASH_BYTES);
    if (snprintf(g->part, sizeof(g->part), "%s/.%s.%s.part", g->f->dir, g->f->name, hex) >= (int)sizeof(g->part))
        return err_set(err, ERR_INPUT, "%.100s: a path that is too long", g->f->dir);
    g->fd = open(g->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (g->fd < 0)
        return err_set(err, ERR_IO, "%.200s: %s", g->part, strerror(errno));
    g->at = 0;
    return lock_part(g, err) && (ftruncate(g->fd, 0) == 0 || err_set(err, ERR_IO, "%.200s: %s", g->part, strerror(errno))) && hash_afresh(g, err);
}

/* Is the file there, and the same?  Another one is not overwritten. */
static bool is_here(struct getting *g, bool *is_same, struct err *err)
{
    unsigned char hash[NODE_PB_SHA256];
    struct stat st;
    *is_same = false;
    const int fd = open(g->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    struct file_hash *h = file_hash_new(err);
    bool ok = h && fstat(fd, &st) == 0 && (uint64_t)st.st_size == g->f->total_bytes && file_hash_add_file(h, fd, g->f->total_bytes, NULL, err) && file_hash_end(h, hash) &&
              memcmp(hash, g->hash, sizeof(hash)) == 0;
    file_hash_free(h);
    close(fd);
    *is_same = ok;
    return ok || err_set(err, ERR_INPUT, "%.150s is there already, and is another file than the neighbour's; take it away first", g->path);
}

/* ---- what comes ---- */

static void stop(struct getting *g, int end)
{
    grpc_client_cancel(g->call);
    g->call = NULL;
    g->end = end;
    net_loop_stop(g->loop);
}

/* The first piece says which file it is. */
static bool take_first(struct getting *g, const struct node_pb_piece *p, bool *is_same, struct err *err)
{
    *is_same = false;
    if (!p->has_sha256 || p->offset != g->at || p->n > 0)
        return err_set(err, ERR_INPUT, "the neighbour does not say which file it sends");
    g->f->total_bytes = p->total_bytes;
    memcpy(g->hash, p->sha256, sizeof(g->hash));
    if (g->has_hash ? g->at > p->total_bytes : false)
        return err_set(err, ERR_INPUT, "the neighbour says that the file has %" PRIu64 " bytes, but more of it are here", p->total_bytes);
    const bool is_old = g->has_hash;
    g->has_hash = true;
    return is_here(g, is_same, err) && (*is_same || (has_room(g, err) && (is_old || make_part(g, err))));
}

static bool take_piece(struct getting *g, const struct node_pb_piece *p, struct err *err)
{
    if (p->offset != g->at || p->n == 0 || p->n > g->f->total_bytes - g->at)
        return err_set(err, ERR_INPUT, "the neighbour sends what was not asked for");
    for (size_t n = 0; n < p->n;) {
        const ssize_t put = pwrite(g->fd, (const char *)p->data + n, p->n - n, (off_t)(g->at + n));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return err_set(err, errno == ENOSPC ? ERR_LIMIT : ERR_IO, "%.180s: %s", g->part, strerror(errno));
        n += (size_t)put;
    }
    file_hash_add(g->md, p->data, p->n);
    g->at += p->n;
    g->f->fetched_bytes += p->n;
    g->is_new = true;
    return true;
}

static void on_piece(void *ctx, const void *message, size_t n)
{
    struct getting *g = ctx;
    struct node_pb_piece p;
    bool is_same = false;
    arena_reset(g->arena);
    bool ok = node_pb_read_piece(&p, message, n, g->arena, g->err);
    ok = ok && (g->has_first ? take_piece(g, &p, g->err) : take_first(g, &p, &is_same, g->err));
    g->has_first = true;
    if (!ok) {
        stop(g, FAILED);
        return;
    }
    if (is_same) {
        g->f->was_here = true;
        stop(g, WHOLE);
        return;
    }
    net_timer_start(g->timer, g->f->silent_ms ? g->f->silent_ms : SILENT_MS, 0);
    if (g->f->on_progress)
        g->f->on_progress(g->f->ctx, g->at, g->f->total_bytes);
}

static void on_end(void *ctx, enum grpc_status status, const char *text)
{
    struct getting *g = ctx;
    char why[180];
    g->call = NULL;
    snprintf(why, sizeof(why), "%s%s%s", grpc_status_name(status), *text ? ": " : "", text);
    for (char *p = why; *p; p++) /* a stranger's words */
        if ((unsigned char)*p < ' ' || *p == 127)
            *p = ' ';
    if (status == GRPC_OK && g->has_first && g->at == g->f->total_bytes)
        g->end = WHOLE;
    else if ((status == GRPC_FAILED_PRECONDITION || status == GRPC_OUT_OF_RANGE) && g->has_hash)
        g->end = AFRESH; /* what is here is of a file that is no more */
    else if (status == GRPC_NOT_FOUND || status == GRPC_INVALID_ARGUMENT || status == GRPC_UNIMPLEMENTED || status == GRPC_UNAUTHENTICATED || status == GRPC_PERMISSION_DENIED)
        g->end = FAILED;
    else
        g->end = TRY_AGAIN;
    err_set(g->err, status == GRPC_NOT_FOUND ? ERR_NOT_FOUND : ERR_IO, "%s", status == GRPC_OK ? "the neighbour ended before the file was whole" : why);
    net_loop_stop(g->loop);
}

static void on_silent(void *ctx)
{
    struct getting *g = ctx;
    if (g->call) {
        err_set(g->err, ERR_IO, "the neighbour says nothing any more");
        stop(g, TRY_AGAIN);
    } else {
        net_loop_stop(g->loop); /* the pause is over */
    }
}

/* ---- tries ---- */

static bool begin_try(struct getting *g, const struct http_target *target)
{
    static const struct grpc_client_fns fns = { .on_message = on_piece, .on_end = on_end };
    struct h2_client_config config = { .idle_ms = RECKON_MS };
    struct node_pb_fetch ask = { .name = g->f->name, .offset = g->at, .has_sha256 = g->has_hash };
    struct buf out;
    buf_init(&out, 1024);
    memcpy(ask.sha256, g->hash, sizeof(g->hash));
    g->has_first = g->is_new = false;
    g->end = TRY_AGAIN;
    if (g->f->trust && !(config.tls = trust_client_tls(g->f->trust, g->err)))
        return false;
    node_pb_put_fetch(&out, &ask);
    bool ok = buf_ok(&out, "Fetch", g->err) && (g->h2 = h2_client_new(g->loop, target, &config, g->err)) &&
              (g->call = grpc_client_call(g->loop, g->h2, "/tutti.v1.Node/Fetch", NULL, 0, 0, NODE_PB_PIECE_MAX_BYTES + 1024, &fns, g, g->err));
    if (ok) {
        grpc_client_send(g->call, out.data, out.len);
        grpc_client_half_close(g->call);
        net_timer_start(g->timer, g->f->silent_ms ? g->f->silent_ms : RECKON_MS, 0);
        net_loop_run(g->loop);
        net_timer_stop(g->timer);
    }
    buf_fini(&out);
    grpc_client_cancel(g->call);
    g->call = NULL;
    h2_client_free(g->h2);
    g->h2 = NULL;
    return ok;
}

/* Whole: is it right?  Then it gets its name. */
static bool finish(struct getting *g, struct err *err)
{
    unsigned char hash[NODE_PB_SHA256];
    if (g->f->was_here) {
        drop_part(g);
        return true;
    }
    if (!file_hash_end(g->md, hash) || memcmp(hash, g->hash, sizeof(hash)) != 0) {
        drop_part(g);
        return err_set(err, ERR_INPUT, "%s: the checksum of what came is wrong; it was thrown away", g->f->name);
    }
    bool ok = fsync(g->fd) == 0;
    if (ok && link(g->part, g->path) == 0) /* never over a file that came meanwhile */
        unlink(g->part);
    else if (ok && errno != EEXIST) /* a file system without links */
        ok = rename(g->part, g->path) == 0;
    else
        ok = false;
    if (!ok)
        return err_set(err, ERR_IO, "%.200s: %s", g->path, strerror(errno));
    g->part[0] = '\0';
    return true;
}

static bool get(struct getting *g, const struct http_target *target, struct err *err)
{
    const int most = g->f->n_tries ? g->f->n_tries : N_TRIES;
    for (int left = most, n_afresh = 0; left > 0;) {
        if (!begin_try(g, target))
            return false;
        if (g->end == WHOLE)
            return finish(g, err);
        if (g->end == FAILED)
            return false;
        if (g->end == AFRESH && n_afresh++ < 2) {
            drop_part(g);
            continue;
        }
        left = g->is_new ? most : left - 1;
        if (left > 0) {
            net_timer_start(g->timer, RETRY_MS, 0);
            net_loop_run(g->loop);
        }
    }
    return g->at > 0 ? err_prefix(err, "%" PRIu64 " of %" PRIu64 " bytes are here, the same again goes on from there", g->at, g->f->total_bytes) : false;
}

bool fetch_model(struct fetch *f, struct err *err)
{
    struct http_target target;
    struct getting g = { .f = f, .fd = -1, .err = err };
    char inside[PATH_BYTES];
    err_clear(err);
    if (!node_pb_is_file_name(f->name))
        return err_set(err, ERR_INPUT, "'%.100s' is no name of a model file", f->name);
    if (!http_target_parse(&target, f->url, err))
        return false;
    if (target.is_tls != (f->trust != NULL))
        return err_set(err, ERR_INPUT, target.is_tls ? "%.150s: a certificate of the cluster is needed (--trust DIR)" : "%.150s: with --trust it is https://", f->url);
    if (snprintf(inside, sizeof(inside), "%s/x", f->dir) >= (int)sizeof(inside) || snprintf(g.path, sizeof(g.path), "%s/%s", f->dir, f->name) >= (int)sizeof(g.path))
        return err_set(err, ERR_INPUT, "%.100s: a path that is too long", f->dir);
    file_make_folders(inside, 0755);
    bool ok = (g.loop = net_loop_new(err)) && (g.arena = arena_new(NODE_PB_ARENA_BYTES, err)) && (g.timer = net_timer_new(g.loop, on_silent, &g, err)) && find_part(&g, err) &&
              get(&g, &target, err);
    if (g.fd >= 0)
        close(g.fd);
    file_hash_free(g.md);
    net_timer_free(g.timer);
    net_loop_free(g.loop);
    arena_free(g.arena);
    return ok;
}
