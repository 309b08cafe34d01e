/* expert/server_turn.c - the loop of a server expert: whose turn it is, times, retries, ends; start at server_turn(). */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "expert/server_internal.h"

uint64_t server_now_ms(const struct expert_server *e) { return net_loop_now_ms(e->loop); }
void server_soon(struct expert_server *e) { net_wake_send(e->wake); }

/* ---- events ---- */

void work_emit(struct work *w, struct expert_event *ev)
{
    if (!job_is_cancelled(w->job))
        w->job->on_event(w->job->ctx, ev);
}

void work_progress(struct work *w, bool is_output)
{
    struct expert_server *e = w->server;
    w->progress_ms = server_now_ms(e);
    if (w->reading == READ_EVENTS && w->bound_ms != e->cfg.stall_ms) {
        w->bound_ms = e->cfg.stall_ms;
        server_soon(e); /* for its timer */
    }
    if (is_output && !w->has_output) {
        w->has_output = true;
        w->first_ns = clock_ns();
        w->talk.usage.prefill_ns = w->first_ns - w->started_ns;
    }
}

/* ---- the end of a job ---- */

static void work_free(struct work *w)
{
    talk_stop(w);
    buf_fini(&w->request);
    buf_fini(&w->before);
    buf_fini(&w->after);
    events_fini(&w->events);
    buf_fini(&w->whole);
    free(w);
}

static void count_end(struct expert_server *e, const struct work *w, const struct err *err)
{
    const enum expert_end end = expert_end_of(w->job->task, err);
    if (err || end == EXPERT_END_EMBED || w->talk.n_choices == 0)
        e->m.done_total[end]++; /* those of choices are counted where they end */
    e->m.prompt_tok_total += (uint64_t)w->talk.usage.n_prompt_tok;
    e->m.gen_tok_total += (uint64_t)w->talk.usage.n_gen_tok;
}

/* Speed against history; from the answers that are long enough to tell. */
static void watch_pace(struct work *w)
{
    struct expert_server *e = w->server;
    const double s = (double)w->talk.usage.decode_ns / 1e9;
    if (w->talk.usage.n_gen_tok < 16 || s < 0.2 || w->talk.n_choices != 1)
        return;
    const enum pace_verdict v = pace_add(&e->pace, e->running.n + 1, (w->talk.usage.n_gen_tok - 1) / s);
    if (v == PACE_SLOW)
        log_warn("%s: %.1f tokens/s, usually %.1f: does it still run on its accelerator?", e->id, e->pace.now, e->pace.usual);
    else if (v == PACE_NORMAL)
        log_warn("%s: %.1f tokens/s again", e->id, e->pace.now);
    pthread_mutex_lock(&e->lock);
    e->f.tok_s = e->pace.now, e->f.usual_tok_s = e->pace.usual, e->f.is_slow = e->pace.is_slow;
    e->m.is_degraded = e->pace.is_slow;
    pthread_mutex_unlock(&e->lock);
}

void work_end(struct work *w, const struct err *err)
{
    struct expert_server *e = w->server;
    struct job *job = w->job;
    const uint64_t now = clock_ns();
    if (!w->started_ns)
        w->talk.usage.queue_ns = now - job->priv.submitted_ns;
    else if (w->first_ns)
        w->talk.usage.decode_ns = now - w->first_ns;
    if (!w->talk.has_usage)
        w->talk.usage.n_gen_tok = w->talk.n_pieces;
    struct work_line *l = w->is_running ? &e->running : &e->waiting;
    QUEUE_REMOVE(l, w);
    if (!err)
        watch_pace(w);
    pthread_mutex_lock(&e->lock);
    e->n_open--;
    count_end(e, w, err);
    e->m.n_waiting = e->waiting.n, e->m.n_running = e->running.n;
    pthread_mutex_unlock(&e->lock);
    talk_stop(w);

    job_end(job, &w->talk.usage, err);
    work_free(w);
    job_unref(job);
    pthread_mutex_lock(&e->lock);
    if (--e->n_jobs == 0)
        pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    server_soon(e);
}

void work_again(struct work *w, uint64_t pause_ms, const struct err *err)
{
    struct expert_server *e = w->server;
    const struct err why = *err; /* may live in the work */
    if (w->has_output || w->n_attempts > e->cfg.n_retries || job_is_cancelled(w->job)) {
        work_end(w, &why);
        return;
    }
    talk_stop(w);
    QUEUE_REMOVE(&e->running, w);
    w->is_running = false;
    w->not_before_ms = pause_ms ? server_now_ms(e) + pause_ms : 0;
    struct work *behind = e->waiting.first; /* its place among those who wait is as old as it */
    while (behind && behind->ticket < w->ticket)
        behind = behind->next;
    QUEUE_INSERT(&e->waiting, w, behind);
    pthread_mutex_lock(&e->lock);
    e->f.retries_total++;
    pthread_mutex_unlock(&e->lock);
    server_soon(e);
}

/* ---- a turn ---- */

static void take_inbox(struct expert_server *e)
{
    pthread_mutex_lock(&e->lock);
    struct work *w = e->inbox.first;
    e->inbox = (struct work_line){ 0 };
    pthread_mutex_unlock(&e->lock);
    while (w) {
        struct work *next = w->next;
        QUEUE_PUSH(&e->waiting, w);
        w = next;
    }
}

static void sooner(uint64_t *at_ms, uint64_t t)
{
    if (t != 0 && (*at_ms == 0 || t < *at_ms))
        *at_ms = t;
}

/* Cancelled, late, or nobody may go on. */
static bool sweep_one(struct work *w, bool stop_now, uint64_t *next_ms)
{
    struct expert_server *e = w->server;
    const uint64_t deadline = w->job->deadline_ns, now = clock_ns();
    struct err why;
    if (job_must_end(w->job, stop_now ? e->id : NULL, now, &why)) {
        work_end(w, &why);
        return true;
    }
    if (deadline)
        sooner(next_ms, server_now_ms(e) + (deadline - now) / 1000000 + 1);
    return false;
}

static void sweep(struct expert_server *e, uint64_t *next_ms)
{
    pthread_mutex_lock(&e->lock);
    const bool stopping = e->stopping;
    const uint64_t until = e->drain_until_ns, now = clock_ns();
    pthread_mutex_unlock(&e->lock);
    const bool stop_now = stopping && now >= until;
    if (stopping && !stop_now)
        sooner(next_ms, server_now_ms(e) + (until - now) / 1000000 + 1);
    for (struct work *w = e->waiting.first, *next; w; w = next) {
        next = w->next;
        sweep_one(w, stop_now, next_ms);
    }
    for (struct work *w = e->running.first, *next; w; w = next) {
        next = w->next;
        if (!sweep_one(w, stop_now, next_ms) && w->call) {
            const bool is_held = job_is_held(w->job);
            if (is_held || w->is_held)
                w->progress_ms = server_now_ms(e); /* its own reader is slow, not the server */
            if (is_held != w->is_held)
                (is_held ? http_call_pause : http_call_resume)(w->call);
            w->is_held = is_held;
        }
    }
}

/* The timer ran so late that it was we who stood still (stopped, asleep): what the server said meanwhile is not read yet, so the time of everybody
 * begins anew. */
static void forgive_our_own(struct expert_server *e)
{
    enum { LATE_MS = 500 };
    const uint64_t now = server_now_ms(e);
    if (!e->due_ms || now < e->due_ms + LATE_MS)
        return;
    for (struct work *w = e->running.first; w; w = w->next)
        w->progress_ms = now;
}

/* A request that got no further for too long: that server hangs. */
static void watch_progress(struct expert_server *e, uint64_t *next_ms)
{
    const uint64_t now = server_now_ms(e);
    for (struct work *w = e->running.first, *next; w; w = next) {
        next = w->next;
        if (w->lost_by_ms) {
            if (now >= w->lost_by_ms)
                work_again(w, 0, &w->lost);
            else
                sooner(next_ms, w->lost_by_ms);
            continue;
        }
        if (w->bound_ms == 0 || job_is_held(w->job))
            continue;
        const uint64_t by_ms = w->progress_ms + w->bound_ms;
        if (now < by_ms) {
            sooner(next_ms, by_ms);
            continue;
        }
        struct err err = { 0 };
        char why[96];
        pthread_mutex_lock(&e->lock);
        e->f.stalls_total++;
        e->f.last_stall_ns = clock_ns();
        pthread_mutex_unlock(&e->lock);
        snprintf(why, sizeof(why), "no progress for %.1f s", (double)w->bound_ms / 1000);
        log_warn("%s: %s %s", e->id, why, w->has_output ? "in the middle of an answer" : "before the first piece of an answer");
        if (e->cfg.is_child) {
            child_fail(e, why); /* all that runs there with it */
            return;
        }
        err_set(&err, ERR_BUSY, "%s: %s", e->id, why);
        work_end(w, &err); /* asking the same again would take as long again */
    }
}

/* When its first progress is due; 0: no bound. */
static uint64_t begin(struct work *w)
{
    struct expert_server *e = w->server;
    struct err err = { 0 };
    QUEUE_REMOVE(&e->waiting, w);
    QUEUE_PUSH(&e->running, w);
    w->is_running = true;
    w->n_attempts++;
    w->not_before_ms = 0;
    if (!w->was_started) {
        w->was_started = true;
        w->started_ns = clock_ns();
        w->talk.usage.queue_ns = w->started_ns - w->job->priv.submitted_ns;
        work_emit(w, &(struct expert_event){ .kind = EXPERT_STARTED, .usage = &w->talk.usage });
    }
    w->progress_ms = server_now_ms(e);
    w->bound_ms = w->job->task & (EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_DESCRIBE) ? e->cfg.first_ms : e->cfg.whole_ms;
    const uint64_t by_ms = w->bound_ms ? w->progress_ms + w->bound_ms : 0;
    if (!talk_begin(w, &err))
        work_end(w, &err);
    return by_ms;
}

static void admit(struct expert_server *e, uint64_t *next_ms)
{
    const uint64_t now = server_now_ms(e);
    int n_ahead = e->running.n;
    for (struct work *w = e->waiting.first, *next; w; w = next) {
        next = w->next;
        const bool is_ready = !e->cfg.is_child || child_takes(e);
        if (is_ready && w->not_before_ms > now) {
            sooner(next_ms, w->not_before_ms);
        } else if (is_ready && e->running.n < e->cfg.n_parallel) {
            sooner(next_ms, begin(w));
            continue;
        }
        if (!w->was_queued && !w->was_started) {
            w->was_queued = true;
            work_emit(w, &(struct expert_event){ .kind = EXPERT_QUEUED, .n_ahead = n_ahead });
        }
        n_ahead++;
    }
}

static void publish(struct expert_server *e)
{
    static const enum expert_state of_child[] = { [SERVER_NONE] = EXPERT_COLD, [SERVER_ASKING] = EXPERT_LOADING, [SERVER_STARTING] = EXPERT_LOADING,
                                                  [SERVER_READY] = EXPERT_WARM, [SERVER_STOPPING] = EXPERT_COLD };
    enum expert_state s = e->cfg.is_child ? of_child[e->child.state] : EXPERT_WARM;
    if (s == EXPERT_WARM && e->running.n > 0)
        s = EXPERT_BUSY;
    pthread_mutex_lock(&e->lock);
    if (e->is_down || (e->stopping && e->n_jobs == 0))
        s = EXPERT_DOWN;
    const bool has_changed = s != e->m.state;
    e->m.state = s;
    e->m.n_waiting = e->waiting.n;
    e->m.n_running = e->running.n;
    snprintf(e->m.why, sizeof(e->m.why), "%s", s == EXPERT_DOWN ? e->down.text : "");
    if (has_changed)
        pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

void server_turn(void *ctx)
{
    struct expert_server *e = ctx;
    uint64_t next_ms = 0;
    take_inbox(e);
    sweep(e, &next_ms);
    forgive_our_own(e);
    watch_progress(e, &next_ms);
    pthread_mutex_lock(&e->lock);
    const bool is_wanted = !e->stopping && e->n_ready_waiters > 0, quit = e->quit;
    pthread_mutex_unlock(&e->lock);
    talk_hello(e);
    if (e->cfg.is_child)
        child_turn(e, is_wanted || e->waiting.n > 0 || e->running.n > 0);
    admit(e, &next_ms);
    if (e->cfg.is_child)
        sooner(&next_ms, child_next_ms(e));
    publish(e);
    if (quit && e->waiting.n + e->running.n == 0) {
        net_loop_stop(e->loop);
        return;
    }
    e->due_ms = next_ms;
    if (next_ms)
        net_timer_start(e->timer, next_ms > server_now_ms(e) ? next_ms - server_now_ms(e) : 0, 0);
    else
        net_timer_stop(e->timer);
}

void *server_main(void *arg)
{
    struct expert_server *e = arg;
    struct err err = { 0 };
    server_turn(e);
    net_loop_run(e->loop);
    child_close(e);
    http_client_free(e->client);
    e->client = NULL;
    if (e->history_path[0] && e->pace.is_changed && !pace_write(&e->pace, e->history_path, &err))
        log_warn("%s: %s", e->id, err.text);
    return NULL;
}
