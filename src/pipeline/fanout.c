/* pipeline/fanout.c - the fan-out as an expert: its thread walks every request through its phases; start reading at look_after().
 * What happens in a phase is fanout_run.c.
 *
 *   NEW --begin()--> BRANCHES --compose()--> ANSWER --on_answer(): the final event--> OVER
 *   NEW, BRANCHES --finish(): nobody can, all failed, cancelled, deadline, shutdown--> OVER
 *   BRANCHES, ANSWER (failed before its first word) --answer_plainly()--> OVER
 *
 * Who speaks to the client: the fan-out's thread until the answer is asked for, then the language model's, then (when that failed
 * without a word) the fan-out's again; never two at a time.  A request that is over stays until the last of its branches gave its
 * final event: a late branch still reads the picture.
 */
#include "pipeline/fanout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/thread.h"
#include "pipeline/fanout_internal.h"

enum { RUNS_MAX = 256 };
static const double PICTURE_S = 30, SOUND_S = 300;
static const uint64_t CARD_FRESH_NS = 1000000000u;

/* ---- what there is ---- */

/* A model that was not loaded yet may not know what it can: it is trusted with text. */
static unsigned tasks_of(const struct expert_card *c) { return c->tasks ? c->tasks : EXPERT_CHAT | EXPERT_COMPLETE; }

static void make_card(struct fanout *f, struct expert_card *out)
{
    unsigned tasks = f->elsewhere ? f->elsewhere(f->elsewhere_ctx, EXPERT_CLOUD) : 0;
    memset(out, 0, sizeof(*out));
    f->chat = NULL;
    snprintf(out->id, sizeof(out->id), "%s", f->id);
    snprintf(out->name, sizeof(out->name), "%.95s", f->id);
    snprintf(out->kind, sizeof(out->kind), "fanout");
    snprintf(out->description, sizeof(out->description), "several experts answer as one: pictures and sounds become words, a language model answers from them");
    out->tasks = EXPERT_CHAT;
    out->has_chat_template = true;
    out->n_seq_max = RUNS_MAX;
    for (int i = 0; i < f->n_experts; i++) {
        struct expert_card c;
        expert_get_card(f->experts[i], &c);
        tasks |= tasks_of(&c);
        if (!(tasks_of(&c) & EXPERT_CHAT))
            continue;
        out->n_ctx = c.n_ctx > out->n_ctx ? c.n_ctx : out->n_ctx;
        out->knows_tools |= c.knows_tools;
        if (!f->chat || c.quality > out->quality || (c.quality == out->quality && c.file_bytes > out->file_bytes)) {
            f->chat = f->experts[i]; /* the best one, for predictions: its words take most of the time */
            out->quality = c.quality;
            out->n_params = c.n_params;
            out->file_bytes = c.file_bytes;
            out->weight_bytes = c.weight_bytes;
            snprintf(out->architecture, sizeof(out->architecture), "%s", c.architecture);
            snprintf(out->quantization, sizeof(out->quantization), "%s", c.quantization);
        }
    }
    for (int m = 0; m < FANOUT_MEDIUM_COUNT; m++) {
        const enum fanout_medium medium = (enum fanout_medium)m;
        struct fanout_plan p;
        fanout_plan(&medium, 1, "", 0, tasks, &p);
        *(m == FANOUT_PICTURE ? &out->sees : &out->hears) = p.n_steps > 0;
    }
}

void fanout_get_card(struct expert *e, struct expert_card *out)
{
    struct fanout *f = (struct fanout *)e;
    const uint64_t now = clock_ns();
    pthread_mutex_lock(&f->card_lock);
    if (f->card_ns == 0 || now - f->card_ns > CARD_FRESH_NS) {
        make_card(f, &f->card);
        f->card_ns = now;
    }
    *out = f->card;
    pthread_mutex_unlock(&f->card_lock);
}

static bool may_have(const struct expert_wish *w, const struct expert_card *c)
{
    return w->security == WISH_SECURITY_NONE || c->privacy == EXPERT_LOCAL || (w->security == WISH_LAN && c->privacy == EXPERT_LAN);
}

/* Bits of the tasks that somebody can do who is allowed to see it. */
unsigned fanout_tasks_here(const struct fanout *f, const struct expert_wish *w)
{
    unsigned tasks = f->elsewhere && w->security != WISH_LOCAL ? f->elsewhere(f->elsewhere_ctx, w->security == WISH_LAN ? EXPERT_LAN : EXPERT_CLOUD) : 0;
    for (int i = 0; i < f->n_experts; i++) {
        struct expert_card c;
        expert_get_card(f->experts[i], &c);
        if (may_have(w, &c) && expert_get_state(f->experts[i]) != EXPERT_DOWN)
            tasks |= tasks_of(&c);
    }
    return tasks;
}

/* To the router, or to the first that takes it. */
bool fanout_submit_piece(struct fanout *f, struct job *j, struct fanout_who *who, struct err *err)
{
    struct err why = { 0 }; /* err stays as it is when it goes well: by then the answer may have come, on another thread */
    who->start_ns = who->end_ns = clock_ns();
    who->joules = NAN;
    snprintf(who->node, sizeof(who->node), "local");
    if (f->router) {
        if (expert_submit(f->router, j, &why))
            return true;
    } else {
        err_set(&why, ERR_UNSUPPORTED, "no expert here can do '%s'", expert_task_name(j->task));
    }
    for (int i = 0; !f->router && i < f->n_experts; i++) {
        struct expert_card c;
        expert_get_card(f->experts[i], &c);
        if (!(tasks_of(&c) & j->task) || !may_have(&j->wish, &c) || expert_get_state(f->experts[i]) == EXPERT_DOWN)
            continue;
        snprintf(who->expert, sizeof(who->expert), "%s", c.id);
        if (expert_submit(f->experts[i], j, &why))
            return true;
    }
    *err = why;
    return false;
}

/* ---- news, from any thread ---- */

void fanout_ring(struct fanout *f)
{
    f->has_news = true;
    pthread_cond_signal(&f->wake);
}

static void on_wake(struct expert *e)
{
    struct fanout *f = (struct fanout *)e;
    pthread_mutex_lock(&f->lock);
    fanout_ring(f);
    pthread_mutex_unlock(&f->lock);
}

/* ---- the thread ---- */

static void cancel_open(struct fanout_run *r, const uint64_t *late_ns) /* NULL: all of them; with the lock, which is given back for a moment */
{
    struct fanout *f = r->f;
    for (int i = 0; i < r->plan.n_steps; i++) {
        struct fanout_branch_run *b = &r->branches[i];
        if (b->is_over || (late_ns && *late_ns < b->deadline_ns))
            continue;
        b->is_late = b->is_over = true;
        b->who.end_ns = clock_ns();
        if (late_ns)
            err_set(&b->err, ERR_BUSY, "it took longer than %.3g s", (double)(b->deadline_ns - b->who.start_ns) / 1e9);
        pthread_mutex_unlock(&f->lock);
        job_cancel(b->job);
        pthread_mutex_lock(&f->lock);
    }
}

/* Why it must end before its answer is asked for. */
static bool must_end(const struct fanout_run *r, uint64_t now, struct err *err)
{
    if (job_is_cancelled(r->job))
        err_set(err, ERR_CANCELLED, "cancelled");
    else if (r->f->ends_now)
        err_set(err, ERR_BUSY, "%s is shutting down", r->f->id);
    else if (r->job->deadline_ns && now >= r->job->deadline_ns)
        err_set(err, ERR_BUSY, "the deadline has passed");
    return err->code != ERR_NONE;
}

static void look_at_branches(struct fanout *f, struct fanout_run *r, uint64_t now)
{
    struct err err = { 0 };
    bool all_over = true;
    if (must_end(r, now, &err)) {
        cancel_open(r, NULL);
        pthread_mutex_unlock(&f->lock);
        fanout_run_finish(r, &err);
        pthread_mutex_lock(&f->lock);
        return;
    }
    cancel_open(r, &now);
    for (int i = 0; i < r->plan.n_steps; i++) {
        struct fanout_branch_run *b = &r->branches[i];
        all_over = all_over && b->is_over;
        if (!b->is_over || b->is_told)
            continue;
        b->is_told = true;
        pthread_mutex_unlock(&f->lock);
        fanout_run_tell_branch(r, b);
        pthread_mutex_lock(&f->lock);
    }
    if (!all_over)
        return;
    pthread_mutex_unlock(&f->lock);
    fanout_run_compose(r);
    pthread_mutex_lock(&f->lock);
}

static void look_at_answer(struct fanout *f, struct fanout_run *r)
{
    if (r->has_failed_dumb) {
        const struct err why = r->answer_err;
        pthread_mutex_unlock(&f->lock);
        log_info("%s: the language model failed: %s", f->id, why.text);
        fanout_run_answer_plainly(r, &why);
        pthread_mutex_lock(&f->lock);
        return;
    }
    const bool ends = job_is_cancelled(r->job) || f->ends_now, is_held = job_is_held(r->job);
    if (!r->is_answer_open || (!ends && is_held == r->is_held))
        return;
    r->is_held = is_held;
    pthread_mutex_unlock(&f->lock);
    if (ends)
        job_cancel(r->answer);
    else
        job_hold(r->answer, is_held);
    pthread_mutex_lock(&f->lock);
}

static void forget(struct fanout *f, struct fanout_run *r)
{
    LIST_UNLINK(f->runs, r);
    f->n_runs--;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    for (int i = 0; r->branches && i < r->plan.n_steps; i++) {
        job_unref(r->branches[i].job);
        buf_fini(&r->branches[i].text);
    }
    job_unref(r->answer);
    fanout_request_fini(&r->rq);
    free(r->branches);
    job_unref(r->job);
    free(r);
    pthread_mutex_lock(&f->lock);
}

/* One step of one request.  true: it may be ready for the next one at once. */
static bool look_after(struct fanout *f, struct fanout_run *r, uint64_t now)
{
    const enum fanout_phase before = r->phase;
    struct err err = { 0 };
    switch (r->phase) {
    case FANOUT_NEW:
        pthread_mutex_unlock(&f->lock);
        if (must_end(r, now, &err))
            fanout_run_finish(r, &err);
        else
            fanout_run_begin(r);
        pthread_mutex_lock(&f->lock);
        break;
    case FANOUT_BRANCHES: look_at_branches(f, r, now); break;
    case FANOUT_ANSWER: look_at_answer(f, r); break;
    case FANOUT_OVER:
        if (r->n_open == 0 && !r->is_answer_open)
            forget(f, r);
        return false;
    }
    return r->phase != before;
}

static uint64_t next_deadline(const struct fanout *f)
{
    uint64_t ns = UINT64_MAX;
    for (const struct fanout_run *r = f->runs; r; r = r->next) {
        if (r->phase != FANOUT_BRANCHES)
            continue;
        if (r->job->deadline_ns && r->job->deadline_ns < ns)
            ns = r->job->deadline_ns;
        for (int i = 0; i < r->plan.n_steps; i++)
            if (!r->branches[i].is_over && r->branches[i].deadline_ns < ns)
                ns = r->branches[i].deadline_ns;
    }
    return ns;
}

static void *thread_main(void *arg)
{
    struct fanout *f = arg;
    pthread_mutex_lock(&f->lock);
    while (!f->quit) {
        f->has_news = false;
        const uint64_t now = clock_ns();
        for (struct fanout_run *r = f->runs, *next; r; r = next) {
            next = r->next; /* only this thread takes one out; new ones come in at the front */
            while (look_after(f, r, now)) {
            }
        }
        const uint64_t until = next_deadline(f);
        while (!f->has_news && !f->quit && thread_wait(&f->wake, &f->lock, until)) {
        }
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

/* ---- the calls of expert.h ---- */

static bool submit(struct expert *e, struct job *j, struct err *err)
{
    struct fanout *f = (struct fanout *)e;
    struct fanout_run *r = NULL;
    if (j->task != EXPERT_CHAT)
        return err_set(err, ERR_UNSUPPORTED, "%s cannot do '%s'", f->id, expert_task_name(j->task));
    if (!fanout_is_for(j))
        return err_set(err, ERR_UNSUPPORTED, "%s: only for messages with pictures or sounds", f->id);
    if (!(r = calloc(1, sizeof(*r))))
        return err_set(err, ERR_NOMEM, "%s: no memory", f->id);
    r->f = f;
    r->job = j; /* expert_submit() has taken the reference, forget() drops it */
    r->start_ns = clock_ns();
    pthread_mutex_lock(&f->lock);
    const bool is_full = f->n_runs >= RUNS_MAX, stops = f->stopping;
    if (!is_full && !stops) {
        LIST_LINK(f->runs, r);
        f->n_runs++;
        fanout_ring(f);
    }
    pthread_mutex_unlock(&f->lock);
    if (!is_full && !stops)
        return true;
    free(r);
    return stops ? err_set(err, ERR_BUSY, "%s is shutting down", f->id) : err_set(err, ERR_BUSY, "%s: %d requests are its limit", f->id, RUNS_MAX);
}

static void get_metrics(struct expert *e, struct expert_metrics *out)
{
    struct fanout *f = (struct fanout *)e;
    struct expert_card card;
    memset(out, 0, sizeof(*out));
    fanout_get_card(e, &card);
    pthread_mutex_lock(&f->card_lock);
    const enum expert_state chat = f->chat ? expert_get_state(f->chat) : EXPERT_WARM;
    pthread_mutex_unlock(&f->card_lock);
    pthread_mutex_lock(&f->lock);
    out->state = f->stopping ? EXPERT_DOWN : chat == EXPERT_COLD || chat == EXPERT_LOADING ? EXPERT_COLD : f->n_runs > 0 ? EXPERT_BUSY : EXPERT_WARM;
    if (f->stopping)
        snprintf(out->why, sizeof(out->why), "shutting down");
    out->n_running = f->n_runs;
    out->n_queue_max = RUNS_MAX;
    memcpy(out->done_total, f->done_total, sizeof(out->done_total));
    pthread_mutex_unlock(&f->lock);
}

static void stop(struct expert *e, uint64_t drain_ns)
{
    struct fanout *f = (struct fanout *)e;
    const uint64_t until = clock_after_ns(drain_ns);
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    while (f->n_runs > 0) {
        if (!f->ends_now && clock_ns() >= until) {
            f->ends_now = true;
            fanout_ring(f);
        }
        thread_wait(&f->changed, &f->lock, f->ends_now ? UINT64_MAX : until);
    }
    pthread_mutex_unlock(&f->lock);
}

static bool wait_ready(struct expert *e, struct err *err) { return (void)e, (void)err, true; }

static void free_fanout(struct expert *e)
{
    struct fanout *f = (struct fanout *)e;
    if (f->has_thread) {
        stop(e, 0);
        pthread_mutex_lock(&f->lock);
        f->quit = true;
        pthread_cond_signal(&f->wake);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->thread, NULL);
    }
    pthread_mutex_destroy(&f->lock);
    pthread_mutex_destroy(&f->card_lock);
    pthread_cond_destroy(&f->wake);
    pthread_cond_destroy(&f->changed);
    free(f->experts);
    free(f);
}

static const struct expert_ops ops = { .free = free_fanout, .submit = submit, .wake = on_wake, .card = fanout_get_card, .metrics = get_metrics, .stop = stop,
                                       .wait_ready = wait_ready };

struct expert *fanout_open(const struct fanout_env *env, struct err *err)
{
    struct fanout *f = calloc(1, sizeof(*f));
    if (!f)
        return err_null(err, ERR_NOMEM, "fan-out: no memory");
    f->base.ops = &ops;
    snprintf(f->id, sizeof(f->id), "%s", env->id ? env->id : "fanout");
    f->router = env->router;
    f->elsewhere = env->elsewhere, f->elsewhere_ctx = env->elsewhere_ctx;
    f->picture_ns = (uint64_t)((env->picture_s > 0 ? (double)env->picture_s : PICTURE_S) * 1e9);
    f->sound_ns = (uint64_t)((env->sound_s > 0 ? (double)env->sound_s : SOUND_S) * 1e9);
    pthread_mutex_init(&f->lock, NULL);
    pthread_mutex_init(&f->card_lock, NULL);
    thread_cond_init(&f->wake);
    thread_cond_init(&f->changed);
    f->experts = calloc((size_t)(env->n_experts > 0 ? env->n_experts : 0) + 1, sizeof(*f->experts));
    for (int i = 0; f->experts && i < env->n_experts; i++)
        f->experts[f->n_experts++] = env->experts[i];
    if (!f->experts)
        err_set(err, ERR_NOMEM, "fan-out: no memory");
    else if ((f->has_thread = thread_start(&f->thread, thread_main, f, "fan-out", err)))
        return &f->base;
    free_fanout(&f->base);
    return NULL;
}
