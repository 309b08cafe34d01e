/* pipeline/cascade_run.c - the life of a running cascade: pool, the source's thread, the loop, the figures.  Start at cascade_run_go(). */
#include "pipeline/cascade_run.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "pipeline/run_internal.h"

enum { TICK_MS = 1000, SLACK_PIECES = 8, SLACK_SOUND = 64, EVENTS_MAX = 256 };

/* ---- pool ---- */

void run_piece_unref(struct cascade_run *r, struct piece *p)
{
    if (--p->refs > 0)
        return;
    for (int k = 0; k < r->c->n_stages; k++)
        kept_clear(&p->s.kept[k]);
    pthread_mutex_lock(&r->lock);
    p->next = r->free;
    r->free = p;
    pthread_cond_signal(&r->has_free);
    pthread_mutex_unlock(&r->lock);
}

static bool make_pool(struct cascade_run *r, struct err *err)
{
    const struct cascade *c = r->c;
    int pieces = c->is_sound ? SLACK_SOUND : SLACK_PIECES, events = 2;
    for (int k = 0; k < c->n_stages; k++)
        *(c->stages[k].each_event ? &events : &pieces) += c->stages[k].queue + c->stages[k].parallel;
    r->n_events = c->events.when ? events < EVENTS_MAX ? events : EVENTS_MAX : 0;
    pieces += r->n_events;
    r->n_pieces = c->frames > r->n_events + c->n_stages + 2 ? c->frames : c->frames ? r->n_events + c->n_stages + 2 : pieces;
    r->pieces = calloc((size_t)r->n_pieces, sizeof(*r->pieces));
    r->events = calloc((size_t)r->n_events + 1, sizeof(*r->events));
    if (!r->pieces || !r->events)
        return err_set(err, ERR_NOMEM, "no memory for %d frames", r->n_pieces);
    for (int i = 0; i < r->n_pieces; i++) {
        r->pieces[i].next = r->free;
        r->free = &r->pieces[i];
    }
    for (int i = 0; i < r->n_events; i++)
        r->events[i].s.is_event = true;
    return true;
}

/* ---- the source's thread ---- */

static bool fill_piece(struct cascade_run *r, struct piece *p, const struct source_piece *from, struct err *err)
{
    const size_t n = from->media.n_bytes;
    if (n == 0 || n > RUN_PIECE_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "a frame of %zu bytes", n);
    if (n > p->cap) {
        uint8_t *bytes = realloc(p->bytes, n);
        if (!bytes)
            return err_set(err, ERR_NOMEM, "no memory for a frame of %zu bytes", n);
        atomic_fetch_add(&r->pool_bytes, n - p->cap);
        p->bytes = bytes, p->cap = n;
    }
    memcpy(p->bytes, from->media.bytes, n);
    p->media = from->media;
    p->media.bytes = p->bytes;
    p->s.t_s = from->t_s;
    p->s.done = p->s.got = 0;
    p->refs = 1;
    p->is_hit = false;
    p->next = NULL;
    return true;
}

/* A free piece; a file waits for one, a live source does not.  NULL: none, or the end. */
static struct piece *take_free(struct cascade_run *r)
{
    pthread_mutex_lock(&r->lock);
    while (!r->free && !r->is_live && atomic_load(&r->n_stops) == 0)
        pthread_cond_wait(&r->has_free, &r->lock);
    struct piece *p = r->free;
    if (p)
        r->free = p->next;
    else if (r->is_live)
        r->n_lost++;
    pthread_mutex_unlock(&r->lock);
    return p;
}

static void give_back(struct cascade_run *r, struct piece *p)
{
    pthread_mutex_lock(&r->lock);
    p->next = r->free;
    r->free = p;
    pthread_mutex_unlock(&r->lock);
}

static void *source_main(void *arg)
{
    struct cascade_run *r = arg;
    struct source_piece from;
    struct err err = { 0 };
    while (atomic_load(&r->n_stops) == 0 && source_next(r->source, &from, &err)) {
        struct piece *p = take_free(r);
        if (!p) {
            run_ring(r);
            continue;
        }
        if (!fill_piece(r, p, &from, &err)) {
            give_back(r, p);
            break;
        }
        pthread_mutex_lock(&r->lock);
        *(r->inbox_last ? &r->inbox_last->next : &r->inbox) = p;
        r->inbox_last = p;
        pthread_mutex_unlock(&r->lock);
        run_ring(r);
    }
    pthread_mutex_lock(&r->lock);
    r->source_err = err;
    r->source_over = true;
    pthread_mutex_unlock(&r->lock);
    run_ring(r);
    return NULL;
}

/* ---- the engine ---- */

static bool take_inbox(struct cascade_run *r)
{
    pthread_mutex_lock(&r->lock);
    struct piece *p = r->inbox;
    const uint64_t n_lost = r->n_lost;
    const bool is_over = r->source_over;
    r->inbox = r->inbox_last = NULL;
    r->n_lost = 0;
    pthread_mutex_unlock(&r->lock);
    for (int k = 0; k < r->c->n_stages && n_lost; k++)
        if ((r->piece_stages & 1u << k) && r->c->stages[k].after == 0)
            r->stages[k].f.in += n_lost, r->stages[k].f.dropped[CASCADE_DROP_QUEUE] += n_lost;
    r->n_given += n_lost;
    for (struct piece *next; p; p = next) {
        next = p->next;
        p->next = NULL;
        p->s.unix_ms = r->begin_unix_ms + (int64_t)(p->s.t_s * 1000);
        r->n_given++;
        if (p->s.t_s > r->now_s || r->n_given == n_lost + 1)
            r->now_s = p->s.t_s;
        r->end_s = r->now_s;
        *(r->under_way_last ? &r->under_way_last->next : &r->under_way) = p;
        r->under_way_last = p;
        run_pump(r); /* one after the other: what a queue drops depends on it */
    }
    return is_over;
}

static void publish(struct cascade_run *r)
{
    struct cascade_figures f = { .n_stages = r->c->n_stages, .pieces = r->n_given, .events = r->n_events_over, .events_dropped = r->n_events_dropped,
                                 .stream_s = r->end_s, .wall_s = (double)(clock_ns() - r->begin_ns) / 1e9 };
    for (int k = 0; k < r->c->n_stages; k++) {
        struct stage_run *g = &r->stages[k];
        f.stages[k] = g->f;
        f.stages[k].waiting = (uint64_t)g->n_queue, f.stages[k].running = (uint64_t)g->n_running, f.stages[k].expert = g->now;
    }
    f.pool_bytes = atomic_load(&r->pool_bytes);
    pthread_mutex_lock(&r->figures_lock);
    r->figures = f;
    pthread_mutex_unlock(&r->figures_lock);
}

static bool is_still(const struct cascade_run *r)
{
    bool still = !r->under_way && !r->hits && !r->open;
    for (int i = 0; i < r->n_events; i++)
        still = still && r->events[i].state == EVENT_FREE;
    return still;
}

static void heed_stops(struct cascade_run *r)
{
    const int n = atomic_load(&r->n_stops);
    if (n > 0 && !r->is_stopping) {
        r->is_stopping = true;
        pthread_mutex_lock(&r->lock);
        pthread_cond_broadcast(&r->has_free);
        pthread_mutex_unlock(&r->lock);
        source_stop(r->source);
        run_cancel_queues(r, false);
    }
    if (n > 1)
        run_cancel_jobs(r, false);
    if (atomic_exchange(&r->cancels_events, false)) {
        run_cancel_queues(r, true);
        run_cancel_jobs(r, true);
    }
}

static void loop(struct cascade_run *r)
{
    uint64_t ticked_ns = clock_ns(), rings;
    for (;;) {
        heed_stops(r);
        run_reap(r);
        const bool is_over = take_inbox(r);
        if (is_over) {
            pthread_mutex_lock(&r->lock);
            r->is_draining = r->inbox == NULL;
            pthread_mutex_unlock(&r->lock);
        }
        run_pump(r);
        heed_stops(r);
        if (r->hooks.on_tick && clock_ns() - ticked_ns >= TICK_MS * 1000000ull) {
            ticked_ns = clock_ns();
            publish(r);
            r->hooks.on_tick(r->hooks.ctx, &r->figures);
        }
        if (r->is_draining && is_still(r))
            break;
        struct pollfd fd = { .fd = r->bell, .events = POLLIN };
        if (poll(&fd, 1, r->hooks.on_tick ? TICK_MS : -1) > 0)
            while (read(r->bell, &rings, sizeof(rings)) < 0 && errno == EINTR) {
            }
    }
}

static bool choose_policies(struct cascade_run *r, struct err *err)
{
    for (int k = 0; k < r->c->n_stages; k++) {
        struct stage_run *g = &r->stages[k];
        const struct cascade_stage *p = g->plan;
        g->policy = p->has_policy ? p->policy : r->is_live ? CASCADE_DROP_OLDEST : CASCADE_BLOCK;
        if (g->policy == CASCADE_BLOCK && r->is_live)
            return yaml_fail(r->c->yaml, p->at, err, "%s: drop: block would make a live source wait, which it cannot; drop-oldest, drop-newest, keep-best are possible", p->name);
        g->cap_queue = g->policy != CASCADE_BLOCK ? p->queue : p->each_event ? r->n_events : r->n_pieces;
        free(g->queue);
        if (!(g->queue = calloc((size_t)g->cap_queue + 1, sizeof(*g->queue))))
            return err_set(err, ERR_NOMEM, "no memory");
    }
    return true;
}

bool cascade_run_go(struct cascade_run *r, struct source *source, struct err *err)
{
    pthread_t thread;
    struct timespec now;
    r->source = source;
    r->is_live = source_is_live(source);
    if (source_is_sound(source) != r->c->is_sound)
        return err_set(err, ERR_INPUT, "the source gives %s, the stages want %s", source_is_sound(source) ? "sound" : "pictures", r->c->is_sound ? "sound" : "pictures");
    if (!choose_policies(r, err))
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    r->begin_unix_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    r->begin_ns = clock_ns();
    if (!thread_start(&thread, source_main, r, "the source", err))
        return false;
    loop(r);
    pthread_join(thread, NULL);
    publish(r);
    if (r->source_err.code != ERR_NONE && r->source_err.code != ERR_CANCELLED) {
        *err = r->source_err;
        return false;
    }
    return true;
}

void cascade_run_stop(struct cascade_run *r)
{
    atomic_fetch_add(&r->n_stops, 1);
    run_ring(r);
}

void cascade_run_get(struct cascade_run *r, struct cascade_figures *out)
{
    pthread_mutex_lock(&r->figures_lock);
    *out = r->figures;
    pthread_mutex_unlock(&r->figures_lock);
}

/* ---- life ---- */

static void init_stage(struct cascade_run *r, int k)
{
    struct stage_run *g = &r->stages[k];
    g->plan = &r->c->stages[k];
    expr_state_init(&g->gate_state);
    g->f.edge = -1;
    g->next_s = g->last_open_s = g->seen_s = -INFINITY;
    g->interval_s = g->plan->rate > 0 ? 1 / g->plan->rate : 0;
    g->level_ms = g->plan->budget_ms, g->level_joules = g->plan->budget_joules;
    if (g->plan->n_experts > 0)
        *(g->plan->each_event ? &r->event_stages : &r->piece_stages) |= 1u << k;
}

struct cascade_run *cascade_run_new(const struct cascade *c, const struct cascade_world *world, const struct cascade_hooks *hooks, struct err *err)
{
    struct cascade_run *r = calloc(1, sizeof(*r));
    bool good = r != NULL;
    if (!r)
        return err_null(err, ERR_NOMEM, "no memory");
    r->c = c, r->world = world;
    if (hooks)
        r->hooks = *hooks;
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->figures_lock, NULL);
    pthread_cond_init(&r->has_free, NULL);
    r->quiet_until_s = -INFINITY;
    r->meter_j = NAN;
    expr_state_init(&r->when_state);
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    r->session = ((uint64_t)(uintptr_t)r ^ (uint64_t)t.tv_nsec << 20 ^ (uint64_t)t.tv_sec) * 0x9e3779b97f4a7c15u ^ (uint64_t)getpid();
    r->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->bell < 0)
        good = err_set(err, ERR_IO, "eventfd: %s", strerror(errno));
    for (int k = 0; k < c->n_stages; k++)
        init_stage(r, k);
    good = good && make_pool(r, err);
    for (int k = 0; good && k < c->n_stages; k++)
        good = c->stages[k].n_experts == 0 || run_open_first(r, k, err);
    if (good)
        return r;
    cascade_run_free(r);
    return NULL;
}

void cascade_run_free(struct cascade_run *r)
{
    if (!r)
        return;
    run_close_experts(r);
    for (int i = 0; r->pieces && i < r->n_pieces; i++) {
        free(r->pieces[i].bytes);
        for (int k = 0; k < CASCADE_STAGES_MAX; k++)
            kept_fini(&r->pieces[i].s.kept[k]);
    }
    for (int i = 0; r->events && i < r->n_events; i++) {
        free(r->events[i].sound);
        for (int k = 0; k < CASCADE_STAGES_MAX; k++)
            kept_fini(&r->events[i].s.kept[k]);
    }
    for (int k = 0; k < CASCADE_STAGES_MAX; k++)
        free(r->stages[k].queue);
    free(r->before);
    free(r->pieces);
    free(r->events);
    if (r->bell >= 0)
        close(r->bell);
    pthread_cond_destroy(&r->has_free);
    pthread_mutex_destroy(&r->figures_lock);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
