/* llm/packing.c - see packing.h; start reading at packing_start(). */
#include "llm/packing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/behind.h"
#include "base/bulk.h"
#include "base/checked.h"
#include "base/thread.h"
#include "hw/cpu.h"

enum {
    PIECE_BYTES = 512 << 10, /* of the file; a piece given back costs an interruption of all our cores */
};

struct packing {
    const struct gguf *g;
    struct pack_item *items;
    size_t n_items;
    int n_stages;
    uint8_t *mem;
    size_t mem_bytes;
    _Atomic int64_t taken;      /* pieces */
    _Atomic int64_t *left;      /* [n_stages] pieces that are not packed */
    _Atomic int n_ready;        /* stages, from the front; grows under the lock */
    _Atomic bool stop;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n_running;              /* detached threads; under the lock */
    void (*on_all)(void *ctx);  /* under the lock; NULL: nobody asked, or it was called */
    void *on_all_ctx;
};

static bool is_packed(const struct pack_item *i) { return i->w->layout == WEIGHT_R16; }

static int step_of(const struct pack_item *i)
{
    const size_t group = i->src_stride / (size_t)i->w->n_rows * MATMUL_GROUP;
    return group < PIECE_BYTES ? (int)(PIECE_BYTES / (group + 1)) : 1;
}

static int64_t n_pieces(const struct pack_item *i)
{
    const int step = step_of(i);
    return is_packed(i) ? (int64_t)i->n * ((weight_n_groups(i->w) + step - 1) / step) : 0;
}

static void pack_piece(const struct packing *p, const struct pack_item *i, int64_t piece)
{
    const struct weight *w = i->w;
    const int step = step_of(i), n_groups = weight_n_groups(w), per_matrix = (n_groups + step - 1) / step;
    const size_t matrix = (size_t)(piece / per_matrix), row_bytes = i->src_stride / (size_t)w->n_rows;
    const int g0 = (int)(piece % per_matrix) * step, g1 = g0 + step < n_groups ? g0 + step : n_groups, row0 = g0 * MATMUL_GROUP,
              row1 = g1 * MATMUL_GROUP < w->n_rows ? g1 * MATMUL_GROUP : w->n_rows;
    weight_pack(p->mem + i->packed_at + matrix * i->packed_bytes, w->type, w->n_rows, w->n_cols, i->t->data + matrix * i->src_stride, g0, g1);
    gguf_forget(p->g, i->t, matrix * i->src_stride + (size_t)row0 * row_bytes, (size_t)(row1 - row0) * row_bytes);
}

/* Lets go of the lock.  Who gets the call: whoever sees first that it is wanted and that all is packed. */
static void unlock_and_tell(struct packing *p)
{
    void (*fn)(void *) = atomic_load(&p->n_ready) == p->n_stages ? p->on_all : NULL;
    void *ctx = p->on_all_ctx;
    if (fn)
        p->on_all = NULL;
    pthread_mutex_unlock(&p->lock);
    if (fn)
        fn(ctx);
}

/* A stage has no pieces left: all that are complete are ready, and at the end the edges of pieces go back too. */
static void tell_ready(struct packing *p)
{
    pthread_mutex_lock(&p->lock);
    int n = atomic_load(&p->n_ready);
    const int was = n;
    while (n < p->n_stages && atomic_load(&p->left[n]) == 0)
        n++;
    if (n == p->n_stages && was < n)
        for (size_t i = 0; i < p->n_items; i++)
            if (is_packed(&p->items[i]))
                gguf_forget(p->g, p->items[i].t, 0, p->items[i].t->n_bytes);
    atomic_store(&p->n_ready, n);
    pthread_cond_broadcast(&p->changed);
    unlock_and_tell(p);
}

/* Threads walk the same list and take every piece once; until all stages up to this one are ready, or nothing is left to take. */
static void pack_until(struct packing *p, int stage)
{
    int64_t mine = -1, before = 0;
    for (size_t i = 0; i < p->n_items; i++) {
        const struct pack_item *item = &p->items[i];
        const int64_t n = n_pieces(item);
        for (;;) {
            if (mine < before) {
                if (atomic_load(&p->stop) || atomic_load(&p->n_ready) > stage)
                    return;
                mine = atomic_fetch_add(&p->taken, 1);
            }
            if (mine >= before + n)
                break;
            pack_piece(p, item, mine - before);
            if (atomic_fetch_sub(&p->left[item->stage], 1) == 1)
                tell_ready(p);
            mine = -1;
        }
        before += n;
    }
}

/* Detached, since nobody has reason to wait for it once all is packed; unlocking is the last that it does with p. */
static void *run(void *arg)
{
    struct packing *p = arg;
    behind_others();
    pack_until(p, p->n_stages);
    pthread_mutex_lock(&p->lock);
    p->n_running--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* How many of n began. */
static int start_threads(struct packing *p, int n)
{
    int n_started = 0;
    struct err why; /* of fewer than n: those that there are take longer */
    pthread_mutex_lock(&p->lock);
    for (pthread_t t; n_started < n && thread_start(&t, run, p, "packing", &why); n_started++)
        pthread_detach(t);
    p->n_running = n_started;
    pthread_mutex_unlock(&p->lock);
    return n_started;
}

static bool place(struct packing *p, struct err *err)
{
    size_t total = 0, all;
    for (size_t k = 0; k < p->n_items; k++) {
        struct pack_item *i = &p->items[k];
        if (!is_packed(i))
            continue;
        i->packed_bytes = weight_packed_bytes(i->w->type, i->w->n_rows, i->w->n_cols);
        i->packed_at = total;
        if (i->packed_bytes == 0 || !checked_mul_size(i->packed_bytes, (size_t)i->n, &all) || !checked_add_size(total, all, &total))
            return err_set(err, ERR_LIMIT, "tensor '%s' is too large", i->t->name);
        p->left[i->stage] += n_pieces(i);
    }
    p->mem_bytes = total;
    if (total > 0 && !(p->mem = bulk_new(total)))
        return err_set(err, ERR_NOMEM, "out of memory for %zu bytes of weights", total);
    if (total > 0)
        bulk_spread(p->mem, total, cpu_memory_nodes());
    for (size_t k = 0; k < p->n_items; k++)
        if (is_packed(&p->items[k]))
            p->items[k].w->data = p->mem + p->items[k].packed_at;
    return true;
}

struct packing *packing_start(const struct gguf *g, struct pack_item *items, size_t n_items, int n_stages, int n_threads, struct err *err)
{
    struct packing *p = calloc(1, sizeof(*p));
    if (!p)
        return err_null(err, ERR_NOMEM, "out of memory");
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->g = g, p->items = items, p->n_items = n_items, p->n_stages = n_stages;
    p->left = calloc((size_t)n_stages, sizeof(p->left[0]));
    if (!p->left) {
        err_set(err, ERR_NOMEM, "out of memory");
        goto fail;
    }
    if (!place(p, err))
        goto fail;
    tell_ready(p); /* stages without anything to pack */
    if (atomic_load(&p->n_ready) == n_stages)
        return p;
    if (start_threads(p, n_threads) == 0)
        pack_until(p, n_stages); /* then it takes as long as it takes */
    return p;
fail:
    packing_free(p);
    return NULL;
}

void packing_free(struct packing *p)
{
    if (!p)
        return;
    atomic_store(&p->stop, true);
    pthread_mutex_lock(&p->lock);
    while (p->n_running > 0)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    bulk_free(p->mem, p->mem_bytes);
    free((void *)p->left);
    free(p);
}

void packing_wait(struct packing *p, int stage)
{
    if (atomic_load_explicit(&p->n_ready, memory_order_acquire) > stage)
        return;
    pack_until(p, stage);
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->n_ready) <= stage)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void packing_on_all(struct packing *p, void (*fn)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&p->lock);
    p->on_all = fn;
    p->on_all_ctx = ctx;
    unlock_and_tell(p);
}

bool packing_is_done(struct packing *p) { return atomic_load_explicit(&p->n_ready, memory_order_acquire) == p->n_stages; }
