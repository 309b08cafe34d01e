/* pipeline/fanout_run.c - one request of a fan-out from its messages to its final event; start reading at fanout_run_begin(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "pipeline/fanout_internal.h"

enum { STEP_TEXT_BYTES = 64 << 10, STEP_JOB_BYTES = 1 << 16, PART_TEXT_BYTES = 4000, FACTS_LEAST_BYTES = 2000, FACTS_MOST_BYTES = 64 << 10,
       CTX_ASSUMED_TOK = 4096 };
static const double BRANCHES_FRAC = 0.6; /* of the time that is left, when there is a deadline */

/* ---- what experts say, on their threads ---- */

static void keep_route(struct fanout_who *w, const struct expert_route *r)
{
    if (!r)
        return;
    snprintf(w->expert, sizeof(w->expert), "%s", r->expert ? r->expert : "");
    snprintf(w->node, sizeof(w->node), "%s", r->node && r->node[0] ? r->node : "local");
    w->joules = r->joules;
    w->is_measured = r->is_measured;
}

static void on_branch(void *ctx, const struct expert_event *ev)
{
    struct fanout_branch_run *b = ctx;
    struct fanout *f = b->run->f;
    switch (ev->kind) {
    case EXPERT_ROUTED: keep_route(&b->who, ev->route); break;
    case EXPERT_DELTA:
        if (b->n_delta == 0 && b->text.len > 0)
            buf_putc(&b->text, ' ');
        buf_append(&b->text, ev->text, ev->n_text);
        b->n_delta += ev->n_text;
        break;
    case EXPERT_RESULT:
        if (b->n_delta == 0) /* else its text came in pieces */
            b->step->branch->say(&b->text, ev->result);
        b->n_delta = 0;
        break;
    case EXPERT_DONE:
    case EXPERT_ERROR:
        pthread_mutex_lock(&f->lock);
        if (!b->is_late) {
            keep_route(&b->who, ev->route);
            b->who.end_ns = clock_ns();
            if (ev->kind == EXPERT_ERROR)
                b->err = *ev->err;
            b->is_over = true;
        }
        b->run->n_open--;
        fanout_ring(f);
        pthread_mutex_unlock(&f->lock);
        break;
    default: break;
    }
}

/* ---- to the client ---- */

static void tell_part(struct fanout_run *r, enum expert_task task, int medium, const struct fanout_who *w, const char *text, const char *error)
{
    const struct expert_part p = { .task = task, .expert = w->expert, .node = w->node, .medium = medium, .start_ms = (float)(w->start_ns - r->start_ns) / 1e6f,
                                   .ms = (float)(w->end_ns - w->start_ns) / 1e6f, .joules = w->joules, .is_measured = w->is_measured, .text = text, .error = error };
    r->job->on_event(r->job->ctx, &(struct expert_event){ .kind = EXPERT_PART, .part = &p });
}

/* Without the lock; the fan-out's thread. */
void fanout_run_finish(struct fanout_run *r, const struct err *err)
{
    job_end(r->job, &(struct expert_usage){ 0 }, err);
    pthread_mutex_lock(&r->f->lock);
    r->phase = FANOUT_OVER;
    r->f->done_total[expert_end_of(EXPERT_CHAT, err)]++;
    pthread_mutex_unlock(&r->f->lock);
}

/* The answer's events pass through, from the language model's thread. */
static void on_answer(void *ctx, const struct expert_event *ev)
{
    struct fanout_run *r = ctx;
    struct fanout *f = r->f;
    struct err err = { 0 };
    if (ev->kind == EXPERT_ROUTED || ev->kind == EXPERT_PART) {
        keep_route(&r->answer_who, ev->route);
        return;
    }
    if (ev->kind != EXPERT_DONE && ev->kind != EXPERT_ERROR) {
        r->has_spoken |= ev->kind == EXPERT_DELTA && ev->n_text > 0;
        r->job->on_event(r->job->ctx, ev);
        return;
    }
    keep_route(&r->answer_who, ev->route);
    r->answer_who.end_ns = clock_ns();
    pthread_mutex_lock(&f->lock);
    const bool is_dumb = ev->kind == EXPERT_ERROR && !r->has_spoken && !job_is_cancelled(r->job) && !f->ends_now;
    const bool is_stopped = f->ends_now;
    pthread_mutex_unlock(&f->lock);
    if (ev->kind == EXPERT_ERROR)
        err = *ev->err;
    if (is_stopped && err.code == ERR_CANCELLED && !job_is_cancelled(r->job))
        err_set(&err, ERR_BUSY, "%s is shutting down", f->id);
    if (!is_dumb) {
        struct expert_usage u = ev->usage ? *ev->usage : (struct expert_usage){ 0 };
        u.prefill_ns += r->answer_who.start_ns - r->start_ns; /* looking and listening is how this one reads a prompt */
        tell_part(r, EXPERT_CHAT, -1, &r->answer_who, "", err.code ? err.text : NULL);
        job_end(r->job, &u, err.code ? &err : NULL);
    }
    pthread_mutex_lock(&f->lock);
    if (is_dumb) {
        r->has_failed_dumb = true;
        r->answer_err = err;
    } else {
        r->phase = FANOUT_OVER;
        f->done_total[expert_end_of(EXPERT_CHAT, err.code ? &err : NULL)]++;
    }
    r->is_answer_open = false;
    fanout_ring(f);
    pthread_mutex_unlock(&f->lock);
}

/* ---- the phases, on the fan-out's thread, without the lock ---- */

static void submit_branch(struct fanout_run *r, struct fanout_branch_run *b)
{
    struct fanout *f = r->f;
    const struct fanout_asset *a = &r->rq.assets[b->step->medium];
    const uint64_t now = clock_ns(), limit = a->kind == FANOUT_PICTURE ? f->picture_ns : f->sound_ns;
    bool ok = a->bytes != NULL;
    b->deadline_ns = now + limit;
    if (r->job->deadline_ns && r->job->deadline_ns > now) {
        const uint64_t share = (uint64_t)((double)(r->job->deadline_ns - now) * BRANCHES_FRAC);
        b->deadline_ns = r->plan.has_chat && share < limit ? now + share : b->deadline_ns;
    }
    b->who = (struct fanout_who){ .start_ns = now, .end_ns = now, .joules = NAN };
    if (!ok)
        err_set(&b->err, ERR_UNSUPPORTED, "%s: addresses of pictures are not fetched", a->param);
    ok = ok && (b->job = job_new(STEP_JOB_BYTES, &b->err));
    if (ok) {
        struct job *j = b->job;
        j->task = b->step->task;
        j->request = (struct task_request){ .media = &r->media[b->step->medium], .n_media = 1 };
        if (j->task == EXPERT_DESCRIBE && r->rq.question.len > 0) /* who sees may as well look for what is asked */
            j->request.options.prompt = r->rq.question.data;
        j->wish = r->job->wish;
        j->priority = r->job->priority;
        j->deadline_ns = b->deadline_ns;
        j->on_event = on_branch;
        j->ctx = b;
        pthread_mutex_lock(&f->lock);
        r->n_open++;
        pthread_mutex_unlock(&f->lock);
        ok = fanout_submit_piece(f, j, &b->who, &b->err);
    }
    if (ok)
        return;
    pthread_mutex_lock(&f->lock);
    r->n_open -= b->job != NULL;
    b->is_over = true;
    pthread_mutex_unlock(&f->lock);
}

void fanout_run_begin(struct fanout_run *r)
{
    struct fanout *f = r->f;
    enum fanout_medium kinds[FANOUT_MEDIA_MAX];
    struct err err = { 0 };
    const bool is_read = fanout_read(&r->rq, json_object_get(r->job->vars, "messages"), &err);
    for (int i = 0; is_read && i < r->rq.n_assets; i++) {
        kinds[i] = r->rq.assets[i].kind;
        r->media[i] = (struct task_media){ .form = MEDIA_ENCODED, .bytes = r->rq.assets[i].bytes, .n_bytes = r->rq.assets[i].n_bytes };
    }
    if (is_read) {
        fanout_plan(kinds, r->rq.n_assets, r->rq.question.data ? r->rq.question.data : "", r->rq.question.len, fanout_tasks_here(f, &r->job->wish), &r->plan);
        if (r->plan.n_steps == 0)
            err_set(&err, ERR_UNSUPPORTED, "no expert here that may be asked can look at it or listen to it");
        else if (!(r->branches = calloc((size_t)r->plan.n_steps, sizeof(*r->branches))))
            err_set(&err, ERR_NOMEM, "%s: no memory", f->id);
    }
    if (err.code) {
        fanout_run_finish(r, &err);
        return;
    }
    for (int i = 0; i < r->plan.n_steps; i++) {
        r->branches[i].run = r;
        r->branches[i].step = &r->plan.steps[i];
        buf_init(&r->branches[i].text, STEP_TEXT_BYTES);
    }
    pthread_mutex_lock(&f->lock);
    r->phase = FANOUT_BRANCHES;
    pthread_mutex_unlock(&f->lock);
    for (int i = 0; i < r->plan.n_steps; i++)
        submit_branch(r, &r->branches[i]);
}

void fanout_run_tell_branch(struct fanout_run *r, struct fanout_branch_run *b)
{
    char text[PART_TEXT_BYTES + 1] = "";
    size_t n = b->err.code || b->text.len == 0 ? 0 : b->text.len;
    if (n > PART_TEXT_BYTES)
        n = PART_TEXT_BYTES - utf8_incomplete_tail(b->text.data, PART_TEXT_BYTES);
    if (n > 0)
        memcpy(text, b->text.data, n);
    text[n] = '\0';
    tell_part(r, b->step->task, b->step->medium, &b->who, text, b->err.code ? b->err.text : NULL);
}

static int make_facts(const struct fanout_run *r, struct fanout_fact *facts)
{
    int n_good = 0;
    for (int i = 0; i < r->plan.n_steps; i++) {
        const struct fanout_branch_run *b = &r->branches[i];
        const bool ok = b->err.code == ERR_NONE;
        facts[i] = (struct fanout_fact){ .branch = b->step->branch, .medium = b->step->medium, .text = !ok ? NULL : b->text.data ? b->text.data : "",
                                         .n = ok ? b->text.len : 0, .error = b->err.text };
        n_good += ok;
    }
    return n_good;
}

void fanout_run_answer_plainly(struct fanout_run *r, const struct err *why)
{
    const struct expert_usage none = { 0 };
    struct fanout_fact facts[FANOUT_STEPS_MAX];
    struct buf text;
    buf_init(&text, 1 << 20);
    make_facts(r, facts);
    fanout_put_plain(&text, &r->rq, facts, r->plan.n_steps);
    if (text.failed || !text.data) {
        const struct err none_left = { ERR_NOMEM, "no memory for the answer" };
        buf_fini(&text);
        fanout_run_finish(r, &none_left);
        return;
    }
    if (why)
        tell_part(r, EXPERT_CHAT, -1, &r->answer_who, "", why->text);
    r->job->on_event(r->job->ctx, &(struct expert_event){ .kind = EXPERT_STARTED, .usage = &none });
    for (int c = 0; c < r->job->n_choices; c++) {
        r->job->on_event(r->job->ctx, &(struct expert_event){ .kind = EXPERT_DELTA, .choice = c, .text = text.data, .n_text = text.len });
        r->job->on_event(r->job->ctx, &(struct expert_event){ .kind = EXPERT_CHOICE_END, .choice = c, .reason = EXPERT_STOP });
    }
    buf_fini(&text);
    fanout_run_finish(r, NULL);
}

/* The client's job with facts instead of pictures; what it points to is the client's, which lives until the answer's end. */
static struct job *make_answer(struct fanout_run *r, const struct fanout_fact *facts, struct err *err)
{
    const struct job *from = r->job;
    struct expert_card card;
    fanout_get_card(&r->f->base, &card);
    const size_t room = (size_t)(card.n_ctx > 0 ? card.n_ctx : CTX_ASSUMED_TOK) * 2; /* bytes: half of a context of 4 a token */
    const size_t most = room < FACTS_LEAST_BYTES ? FACTS_LEAST_BYTES : room > FACTS_MOST_BYTES ? FACTS_MOST_BYTES : room;
    struct job *j = job_new(STEP_JOB_BYTES, err);
    json_t *messages = j ? fanout_put_facts(json_object_get(from->vars, "messages"), &r->rq, facts, r->plan.n_steps, most) : NULL;
    json_t *vars = messages ? json_copy(from->vars) : NULL; /* shallow */
    if (!vars || json_object_set(vars, "messages", messages) != 0) {
        json_decref(messages);
        json_decref(vars);
        job_unref(j);
        return err_null(err, ERR_NOMEM, "%s: no memory for a prompt", r->f->id);
    }
    json_decref(messages);
    j->vars = vars;
    j->task = EXPERT_CHAT;
    j->sampling = from->sampling;
    j->dry_breakers = from->dry_breakers;
    j->n_dry_breakers = from->n_dry_breakers;
    j->n_choices = from->n_choices;
    j->max_tokens = from->max_tokens;
    j->stops = from->stops;
    j->n_stops = from->n_stops;
    j->n_logprobs = from->n_logprobs;
    j->ignore_eos = from->ignore_eos;
    j->show_special = from->show_special;
    j->wish = from->wish;
    j->priority = from->priority;
    j->deadline_ns = from->deadline_ns;
    j->on_event = on_answer;
    j->ctx = r;
    return j;
}

static void fail_all(struct fanout_run *r)
{
    struct err err = r->branches[0].err;
    char all[sizeof(err.text)] = "";
    size_t n = 0;
    for (int i = 0; i < r->plan.n_steps && n < sizeof(all); i++)
        n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s: %.120s", i ? "; " : "", expert_task_name(r->branches[i].step->task), r->branches[i].err.text);
    err_set(&err, err.code, "all that were asked failed: %.220s", all);
    fanout_run_finish(r, &err);
}

/* All branches are over or late. */
void fanout_run_compose(struct fanout_run *r)
{
    struct fanout *f = r->f;
    struct fanout_fact facts[FANOUT_STEPS_MAX];
    struct err err = { 0 };
    if (make_facts(r, facts) == 0) {
        fail_all(r);
        return;
    }
    if (!r->plan.has_chat) {
        fanout_run_answer_plainly(r, NULL);
        return;
    }
    r->answer_who = (struct fanout_who){ .joules = NAN };
    r->answer = make_answer(r, facts, &err);
    pthread_mutex_lock(&f->lock);
    r->phase = FANOUT_ANSWER;
    r->is_answer_open = r->answer != NULL;
    pthread_mutex_unlock(&f->lock);
    if (r->answer && fanout_submit_piece(f, r->answer, &r->answer_who, &err))
        return;
    pthread_mutex_lock(&f->lock);
    r->is_answer_open = false;
    pthread_mutex_unlock(&f->lock);
    r->answer_who.start_ns = r->answer_who.end_ns = clock_ns();
    log_info("%s: no language model answers: %s", f->id, err.text);
    fanout_run_answer_plainly(r, &err);
}

