/* expert/supervisor.c - the thread of a worker expert: its queue, its process's life, and time; which requests run together: supervisor_batch.c.
 *
 * A turn: take in what was submitted; end what nobody wants or whose time is over; look at the process; start, feed or
 * end it; sleep until something is said or due.  Start reading at supervisor_main().
 *
 * When a process ends in the middle:
 *  - a job that has sent nothing and was in no other death runs again, alone, before the others; otherwise: an error.
 *    (Of a batch nobody knows whose fault it was: each runs again alone, so that only the guilty one sees a second death.)
 *  - it is started again at once, then after 0.1, 0.2, 0.4 ... 30 s while none answers.  After CRASHES_MAX in a row the expert
 *    is down: what waits gets the reason, and the next job after the pause tries again.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "expert/supervisor_internal.h"
#include "proc/memory.h"

enum { DEATHS_MAX = 2, CRASHES_MAX = 5, END_MS = 250 };
#define MS(n) ((uint64_t)(n) * 1000000u)
static const uint64_t LOOK_NS = MS(200), GRACE_NS = MS(1000), BACK_OFF_NS = MS(100), BACK_OFF_MAX_NS = MS(30000),
                      REST_MAX_NS = MS(2000), OPEN_NS = MS(120000);

/* ---- ends of jobs ---- */

void request_end(struct expert_worker *e, struct request *r, const struct err *err)
{
    struct job *j = r->job;
    const uint64_t now = clock_ns();
    if (!r->was_started)
        r->usage.queue_ns = now - j->priv.submitted_ns;
    else if (r->first_ns)
        r->usage.decode_ns = now - r->first_ns;
    else
        r->usage.prefill_ns = now - r->started_ns;
    pthread_mutex_lock(&e->lock);
    e->n_open--; /* who gets the event may submit again */
    e->m.done_total[expert_end_of(j->task, err)]++;
    pthread_mutex_unlock(&e->lock);
    job_end(j, &r->usage, err);
    free(r);
    job_unref(j);
    pthread_mutex_lock(&e->lock);
    if (--e->n_jobs == 0)
        pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static void end_queue(struct expert_worker *e, const struct err *err)
{
    for (struct request *r; (r = e->queue.first);) {
        QUEUE_REMOVE(&e->queue, r);
        request_end(e, r, err);
    }
}

void slot_end(struct expert_worker *e, uint32_t i, const struct err *err)
{
    struct request *r = e->slot[i];
    process_cancel(e, i);
    e->slot[i] = NULL;
    e->n_jobs_in_slots--;
    /* Ended when waiting for it would cost more than loading anew; later when others are in the same batch. */
    uint64_t grace = e->load_ns > GRACE_NS ? e->load_ns : GRACE_NS;
    if (e->n_jobs_in_slots > 0 && grace < 4 * e->run_ns * e->n_slots)
        grace = 4 * e->run_ns * e->n_slots;
    e->kill_ns = clock_ns() + grace;
    request_end(e, r, err);
}

/* ---- what others see ---- */

static void publish(struct expert_worker *e)
{
    const uint64_t own = e->phase == PHASE_NONE || e->phase == PHASE_WAITING ? 0 : e->own_bytes;
    pthread_mutex_lock(&e->lock);
    struct expert_metrics *m = &e->m;
    m->n_waiting = e->queue.n;
    m->n_running = e->n_jobs_in_slots;
    m->memory_bytes = own;
    m->deaths_total = e->n_deaths;
    switch (e->phase) {
    case PHASE_NONE: m->state = e->is_down ? EXPERT_DOWN : e->queue.n > 0 ? EXPERT_LOADING : EXPERT_COLD; break;
    case PHASE_WAITING:
    case PHASE_STARTING: m->state = EXPERT_LOADING; break;
    case PHASE_IDLE: m->state = EXPERT_WARM; break;
    case PHASE_RUNNING: m->state = EXPERT_BUSY; break;
    }
    snprintf(m->why, sizeof(m->why), "%s", e->is_down ? e->down.text : "");
    pthread_mutex_unlock(&e->lock);
}

/* An attempt to load ended: who waits for it is told. */
static void tell_loaded(struct expert_worker *e)
{
    publish(e);
    pthread_mutex_lock(&e->lock);
    e->wants_warm = false;
    e->n_loads++;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

/* ---- the process's life ---- */

/* There is no process from here on; its memory is the keeper's again.  end: how it ended; may be NULL. */
static void end_process(struct expert_worker *e, struct child_end *end)
{
    process_end(e, end);
    e->phase = PHASE_NONE;
    e->kill_ns = e->until_ns = 0;
    e->n_sessions = 0;
    e->began = false;
    if (e->seat)
        keeper_gave(e->seat); /* from here on it asks for nothing; what it asked before meant the process that is gone */
    pthread_mutex_lock(&e->lock);
    e->give_back = e->wants_unload = false;
    pthread_mutex_unlock(&e->lock);
}

/* Its batches made it larger than all experts together may be: smaller ones from now on. */
static void learn_batch(struct expert_worker *e)
{
    const int n = e->n_batch_max < e->info.n_batch_max ? e->n_batch_max : e->info.n_batch_max;
    const uint64_t cap_bytes = e->seat && n > 1 ? keeper_cap_bytes(e->seat) : 0;
    if (cap_bytes && process_own_bytes(e) > cap_bytes) {
        e->n_batch_max = n / 2;
        log_info("%s: %d requests at once take more memory than there may be: %d from now on", e->card->id, n, e->n_batch_max);
    }
}

static void unload(struct expert_worker *e, const char *why)
{
    learn_batch(e);
    log_info("%s: unloaded (%s)", e->card->id, why);
    end_process(e, NULL);
}

static void go_down(struct expert_worker *e, const struct err *why)
{
    e->is_down = true;
    pthread_mutex_lock(&e->lock);
    e->down = *why;
    e->down_until_ns = e->retry_ns;
    pthread_mutex_unlock(&e->lock);
    if (!e->is_quiet)
        log_error("%s: %s", e->card->id, why->text);
    tell_loaded(e); /* whoever hears of it finds it so */
    end_queue(e, why);
}

/* All that it asked for has come; only the word that it is all is missing. */
static bool is_complete(const struct request *r)
{
    const enum expert_task t = r->job->task;
    return t == EXPERT_EMBED ? r->n_vectors == r->n_texts : r->has_sent && !(t & (EXPERT_TRANSCRIBE | EXPERT_SPEAK | EXPERT_INFER));
}

/* What becomes of the jobs of a process that has ended, from the last to the first: they run again before the others, or end with err.
 * blames: the death may be their fault: once more, alone; is_final: not when it was alone already. */
static void empty_slots(struct expert_worker *e, const struct err *err, bool blames, bool is_final)
{
    for (uint32_t i = e->n_slots; i-- > 0;) {
        struct request *r = e->slot[i];
        if (!r)
            continue;
        e->slot[i] = NULL;
        e->n_jobs_in_slots--;
        if (is_complete(r)) {
            request_end(e, r, NULL);
        } else if (r->has_sent || r->job->request.session != 0 ||
                   (blames && (++r->n_deaths >= DEATHS_MAX || (is_final && e->n_slots == 1)))) {
            request_end(e, r, err);
        } else {
            r->alone |= blames;
            QUEUE_INSERT(&e->queue, r, e->queue.first);
        }
    }
    e->n_slots = e->n_open_slots = 0;
}

/* The process is no good any more, or gone: ends it, and says what becomes of its jobs.
 * why: of our own ("" : how it ended says it); is_final: trying again at once would help nobody. */
static void lose(struct expert_worker *e, const char *why, bool is_final)
{
    struct child_end end;
    char how[CHILD_END_BYTES];
    struct err err;
    const bool was_starting = e->phase == PHASE_STARTING;
    const uint64_t now = clock_ns();
    if (!why[0] && e->phase == PHASE_RUNNING)
        process_hear(e, &err); /* what it said before it ended still counts */
    /* when it closed its socket its end is near: how it ends by itself is worth knowing */
    const bool is_reaped = !why[0] && child_wait(&e->child, END_MS, &end);
    end_process(e, is_reaped ? NULL : &end);
    child_end_text(&end, how);
    e->n_failures++;
    e->n_deaths++;
    uint64_t wait_ns = e->n_failures <= 1 ? 0 : BACK_OFF_NS << (e->n_failures < 12 ? e->n_failures - 2 : 10);
    wait_ns = wait_ns < BACK_OFF_MAX_NS ? wait_ns : BACK_OFF_MAX_NS;
    e->retry_ns = now + wait_ns;

    const char *code = why[0] ? why : how;
    if (is_final)
        err_set(&err, ERR_INTERNAL, "%.200s", code);
    else
        err_set(&err, ERR_INTERNAL, "%s: its worker %.80s%s%s%.60s%s", e->card->id, code, was_starting ? " while loading" : "",
                e->last_words[0] ? " (" : "", e->last_words, e->last_words[0] ? ")" : "");
    log_warn("%s", err.text);
    empty_slots(e, &err, true, is_final);
    if (e->n_failures >= CRASHES_MAX) {
        if (wait_ns < MS(1000))
            e->retry_ns = now + MS(1000);
        go_down(e, &err);
    } else {
        publish(e);
    }
}

/* A job was cancelled, and the task does not listen.  Whoever was in the same batch runs again and is not to blame. */
static void end_deaf(struct expert_worker *e)
{
    const struct err err = { ERR_INTERNAL, "its worker was ended because of another request" };
    log_info("%s: the worker does not stop when it is cancelled: ended", e->card->id);
    end_process(e, NULL);
    empty_slots(e, &err, false, false);
}

/* It said itself that it cannot open its card. */
static void cannot_open(struct expert_worker *e, const struct err *why)
{
    end_process(e, NULL);
    e->n_failures++;
    const uint64_t wait_ns = MS(5000) << (e->n_failures < 4 ? e->n_failures - 1 : 3);
    e->retry_ns = clock_ns() + (wait_ns < BACK_OFF_MAX_NS ? wait_ns : BACK_OFF_MAX_NS);
    go_down(e, why);
}

static void start(struct expert_worker *e)
{
    struct err err = { 0 };
    enum keeper_answer answer = KEEPER_GO;
    if (e->seat)
        answer = keeper_ask(e->seat, e->need_bytes, &e->keeper_again_ms, &err);
    e->phase = PHASE_WAITING;
    e->is_down = false;
    if (answer == KEEPER_WAIT) {
        publish(e);
        return;
    }
    if (answer == KEEPER_NO) {
        e->phase = PHASE_NONE;
        err_prefix(&err, "%s", e->card->id);
        e->retry_ns = clock_ns();
        go_down(e, &err);
        return;
    }
    e->phase = PHASE_STARTING;
    e->began_ns = clock_ns();
    e->until_ns = e->began_ns + (e->timeout_ns > OPEN_NS ? e->timeout_ns : OPEN_NS);
    e->look_ns = e->began_ns + LOOK_NS;
    publish(e);
    if (!process_start(e, &err)) {
        err_prefix(&err, "%s", e->card->id);
        cannot_open(e, &err);
        return;
    }
    pthread_mutex_lock(&e->lock);
    e->m.starts_total++;
    pthread_mutex_unlock(&e->lock);
}

static void loaded(struct expert_worker *e)
{
    const uint64_t now = clock_ns();
    e->load_ns = now - e->began_ns;
    e->until_ns = 0;
    e->idle_since_ns = now;
    e->began = true; /* the keeper takes it so */
    e->own_bytes = process_own_bytes(e);
    pthread_mutex_lock(&e->lock);
    e->m.load_ns = e->load_ns;
    e->down = (struct err){ 0 };
    pthread_mutex_unlock(&e->lock);
    if (e->seat)
        keeper_loaded(e->seat, e->load_ns);
    log_info("%s: ready after %.0f ms%s%s", e->card->id, (double)e->load_ns / 1e6, e->info.runs_on[0] ? " on " : "", e->info.runs_on);
    tell_loaded(e);
}

/* While it works or loads: is it stopped, is it too large, is it late? */
static void look(struct expert_worker *e, uint64_t now)
{
    const char state = process_state(e->child.pid);
    const uint64_t own = process_own_bytes(e);
    char why[120];
    e->look_ns = now + LOOK_NS;
    e->own_bytes = own;
    if (state == 'T' || state == 't') {
        pthread_mutex_lock(&e->lock);
        e->m.hangs_total++;
        pthread_mutex_unlock(&e->lock);
        lose(e, "was stopped by somebody", false);
    } else if (e->limit_bytes && own > e->limit_bytes) {
        snprintf(why, sizeof(why), "used %.0f MB of memory, more than its bound of %.0f MB", (double)own / 1e6, (double)e->limit_bytes / 1e6);
        lose(e, why, false);
    }
}

static void hang(struct expert_worker *e)
{
    char why[200];
    pthread_mutex_lock(&e->lock);
    e->m.hangs_total++;
    pthread_mutex_unlock(&e->lock);
    snprintf(why, sizeof(why), "%.120s: no answer within %.3g s; its worker was ended", e->card->id,
             (double)(e->phase == PHASE_STARTING && e->timeout_ns < OPEN_NS ? OPEN_NS : e->timeout_ns) / 1e9);
    lose(e, why, true);
}

/* ---- batches ---- */

static void run_batch(struct expert_worker *e, uint64_t now)
{
    if (!batch_fill(e, now))
        return;
    e->phase = PHASE_RUNNING;
    e->n_open_slots = e->n_slots;
    e->began_ns = now;
    e->until_ns = now + e->timeout_ns;
    e->look_ns = now + LOOK_NS;
    e->kill_ns = 0;
    pthread_mutex_lock(&e->lock);
    e->m.steps_total++;
    pthread_mutex_unlock(&e->lock);
    publish(e);
    if (!process_run(e)) {
        lose(e, "", false);
        return;
    }
    for (uint32_t i = 0; i < e->n_slots; i++) {
        struct request *r = e->slot[i];
        r->started_ns = now;
        if (r->was_started)
            continue;
        r->was_started = true;
        r->usage.queue_ns = now - r->job->priv.submitted_ns;
        r->job->on_event(r->job->ctx, &(struct expert_event){ .kind = EXPERT_STARTED, .usage = &r->usage });
    }
}

void batch_end(struct expert_worker *e)
{
    const uint64_t now = clock_ns(), each = (now - e->began_ns) / e->n_slots;
    e->run_ns = e->run_ns ? (e->run_ns * 7 + each) / 8 : each;
    const float share = atomic_load(&e->time_share);
    const uint64_t rest = share > 0 && share < 1 ? (uint64_t)((double)(now - e->began_ns) * (1 / (double)share - 1)) : 0;
    e->rest_ns = now + (rest < REST_MAX_NS ? rest : REST_MAX_NS);
    e->phase = PHASE_IDLE;
    e->n_slots = 0;
    e->n_failures = 0;
    e->until_ns = e->kill_ns = 0;
    e->idle_since_ns = now;
    process_forget_pages(e);
}

/* ---- a turn ---- */

static void note(uint64_t *next, uint64_t t)
{
    if (t != 0 && t < *next)
        *next = t;
}

/* Ends what nobody wants or whose time is over; the next such moment goes to *next. */
static void sweep(struct expert_worker *e, uint64_t now, bool stop_now, uint64_t *next)
{
    const char *stopping = stop_now ? e->card->id : NULL;
    struct err why;
    for (struct request *r = e->queue.first, *following; r; r = following) {
        following = r->next;
        if (job_must_end(r->job, stopping, now, &why)) {
            QUEUE_REMOVE(&e->queue, r);
            request_end(e, r, &why);
        } else {
            note(next, r->job->deadline_ns);
        }
    }
    for (uint32_t i = 0; i < e->n_slots; i++) {
        if (!e->slot[i])
            continue;
        if (job_must_end(e->slot[i]->job, stopping, now, &why))
            slot_end(e, i, &why);
        else
            note(next, e->slot[i]->job->deadline_ns);
    }
    if (stop_now && e->phase == PHASE_RUNNING)
        e->kill_ns = now;
}

static bool is_held(const struct expert_worker *e)
{
    for (uint32_t i = 0; i < e->n_slots; i++)
        if (e->slot[i] && job_is_held(e->slot[i]->job))
            return true;
    return false;
}

static void tell_queued(struct expert_worker *e)
{
    int n_ahead = e->n_jobs_in_slots;
    for (struct request *r = e->queue.first; r; r = r->next, n_ahead++)
        if (!r->was_queued) {
            r->was_queued = true;
            r->job->on_event(r->job->ctx, &(struct expert_event){ .kind = EXPERT_QUEUED, .n_ahead = n_ahead });
        }
}

/* The process and time.  *next: when to come again at the latest. */
static void step(struct expert_worker *e, bool wants_warm, bool give_back, bool wants_unload, bool stopping, uint64_t now, uint64_t *next)
{
    if (e->phase == PHASE_STARTING || e->phase == PHASE_RUNNING) {
        if (e->kill_ns && now >= e->kill_ns) { /* nobody wants it, and it does not listen */
            end_deaf(e);
        } else if (e->until_ns && now >= e->until_ns) {
            if (is_held(e)) {
                const struct err slow = { ERR_LIMIT, "nobody takes the answer: the reader is too slow" };
                for (uint32_t i = 0; i < e->n_slots; i++)
                    if (e->slot[i] && job_is_held(e->slot[i]->job))
                        slot_end(e, i, &slow);
                e->until_ns = now + e->timeout_ns;
            } else {
                hang(e);
            }
        } else if (now >= e->look_ns) {
            look(e, now);
        }
    }
    if (wants_warm && (e->phase == PHASE_IDLE || e->phase == PHASE_RUNNING))
        tell_loaded(e); /* it is */
    const bool has_work = e->queue.n > 0;
    if (e->phase == PHASE_IDLE) {
        note(next, batch_forget_sessions(e, now));
        if (e->seat)
            keeper_pin(e->seat, e->n_sessions > 0);
        if (give_back || (wants_unload && !has_work)) {
            unload(e, give_back ? "others need the memory" : "asked to");
        } else if (has_work) {
            if (!e->began && e->seat && !keeper_begin(e->seat)) {
                unload(e, "others need the memory");
            } else {
                e->began = true;
                if (now < e->rest_ns)
                    note(next, e->rest_ns);
                else if (!batch_waits(e, now, next))
                    run_batch(e, now);
                if (e->phase == PHASE_IDLE && e->queue.n == 0)
                    note(next, now); /* all of it ended at the door */
            }
        } else if (e->began) {
            e->began = false;
            e->own_bytes = process_own_bytes(e);
            if (e->seat)
                keeper_end(e->seat);
        }
    }
    if (e->phase == PHASE_IDLE && e->queue.n == 0 && e->keep_ns != UINT64_MAX) {
        if (now >= e->idle_since_ns + e->keep_ns)
            unload(e, "idle");
        else
            note(next, e->idle_since_ns + e->keep_ns);
    }
    if (e->phase == PHASE_NONE || e->phase == PHASE_WAITING) {
        const bool wanted = !stopping && (e->queue.n > 0 || wants_warm);
        if (wanted && (now >= e->retry_ns || wants_warm))
            start(e);
        else if (wanted)
            note(next, e->retry_ns);
        else if (e->phase == PHASE_WAITING) {
            e->phase = PHASE_NONE;
            keeper_withdraw(e->seat);
        }
    }
    if (e->phase == PHASE_WAITING)
        note(next, clock_ns() + MS(e->keeper_again_ms > 0 ? e->keeper_again_ms : 1000));
    if (e->phase == PHASE_STARTING || e->phase == PHASE_RUNNING) {
        note(next, e->until_ns);
        note(next, e->kill_ns);
        note(next, e->look_ns);
    }
}

static void sleep_until(struct expert_worker *e, uint64_t next)
{
    struct pollfd p[4] = { { .fd = e->wake_fd, .events = POLLIN }, { .fd = -1 }, { .fd = -1 }, { .fd = -1 } };
    if (e->phase == PHASE_STARTING || e->phase == PHASE_IDLE || e->phase == PHASE_RUNNING) {
        p[1] = (struct pollfd){ .fd = is_held(e) ? -1 : e->socket_fd, .events = POLLIN };
        p[2] = (struct pollfd){ .fd = e->words_fd, .events = POLLIN };
        p[3] = (struct pollfd){ .fd = e->child.fd, .events = POLLIN };
    }
    const uint64_t now = clock_ns();
    const uint64_t wait_ms = next == UINT64_MAX ? 0 : next > now ? (next - now + 999999u) / 1000000u : 0;
    const int n = poll(p, 4, next == UINT64_MAX ? -1 : wait_ms > 3600000 ? 3600000 : (int)wait_ms);
    if (n <= 0)
        return;
    uint64_t count;
    if (p[0].revents && read(e->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        log_warn("%s: an eventfd cannot be read: %s", e->card->id, strerror(errno));
    if (p[2].revents & POLLIN) {
        process_hear_words(e);
    } else if (p[2].revents) { /* it closed its stderr: that is its business */
        close(e->words_fd);
        e->words_fd = -1;
    }
    if (p[1].revents) {
        struct err err = { 0 };
        const bool was_starting = e->phase == PHASE_STARTING;
        const bool ok = process_hear(e, &err);
        if (!ok && was_starting && e->is_down)
            cannot_open(e, &err);
        else if (!ok && err.text[0]) {
            err_prefix(&err, "sent");
            lose(e, err.text, false);
        } else if (!ok)
            lose(e, "", false);
        else if (was_starting && e->phase == PHASE_IDLE)
            loaded(e);
    } else if (p[3].revents) {
        lose(e, "", false);
    }
}

void *supervisor_main(void *arg)
{
    struct expert_worker *e = arg;
    for (;;) {
        uint64_t next = UINT64_MAX;
        const uint64_t now = clock_ns();
        pthread_mutex_lock(&e->lock);
        for (struct request *r; (r = e->inbox.first);) {
            QUEUE_REMOVE(&e->inbox, r);
            QUEUE_PUSH(&e->queue, r);
        }
        const bool quit = e->quit, stopping = e->stopping, stop_now = e->stopping && now >= e->drain_until_ns;
        const bool wants_warm = e->wants_warm, give_back = e->give_back, wants_unload = e->wants_unload;
        if (e->phase == PHASE_NONE || e->phase == PHASE_WAITING)
            e->wants_unload = false; /* it is not loaded */
        if (e->stopping && !stop_now)
            note(&next, e->drain_until_ns);
        pthread_mutex_unlock(&e->lock);
        if (quit && e->queue.n == 0 && e->n_jobs_in_slots == 0)
            break;
        sweep(e, now, stop_now, &next);
        step(e, wants_warm, give_back, wants_unload, stopping, now, &next);
        if (e->queue.n > 0)
            tell_queued(e);
        publish(e);
        sleep_until(e, next);
    }
    if (e->phase == PHASE_WAITING)
        keeper_withdraw(e->seat);
    end_process(e, NULL);
    tell_loaded(e);
    return NULL;
}
