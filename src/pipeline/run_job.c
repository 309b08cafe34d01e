/* pipeline/run_job.c - a stage's experts: jobs to them, results from them, the next one while one is down.  Start at run_start().
 *
 * A seat:  up --job ends BUSY, IO, ... or it cannot be opened--> down for 1 s, 2 s, ... 60 s --its time is over, a piece comes--> asked
 *          again --a result--> up.  A piece that a seat failed is given to the next seat, so it is not lost.
 * Threads: on_event() and on_free() are the expert's; they touch one struct work and the kept of its subject, and ring. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "media/image.h"
#include "pipeline/run_internal.h"
#include "wire/put.h"

enum { JOB_BYTES_MAX = 64 << 20, PAUSE_FIRST_MS = 1000, PAUSE_MOST_MS = 60000, JPEG_QUALITY = 85 };
static const unsigned SESSIONS = EXPERT_MOTION | EXPERT_VAD | EXPERT_WAKE | EXPERT_KEYWORD;

void run_ring(struct cascade_run *r)
{
    const uint64_t one = 1;
    while (write(r->bell, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
}

/* ---- the expert's side ---- */

static void on_event(void *ctx, const struct expert_event *ev)
{
    struct work *w = ctx;
    struct cascade_run *r = w->run;
    struct kept *kept = &w->subject->kept[w->stage];
    const enum expert_task task = r->c->stages[w->stage].task;
    struct err err = { 0 };
    bool good = true;
    if (ev->kind == EXPERT_RESULT) {
        good = kept_take(kept, task, ev->result, &err);
        w->has_result = true;
    } else if (ev->kind == EXPERT_DELTA) {
        good = kept_say(kept, task, ev->text, ev->n_text, &err);
        w->has_result = true;
        if (r->hooks.on_text && w->subject->is_event && ev->n_text > 0)
            r->hooks.on_text(r->hooks.ctx, ((struct event *)w->subject)->id, w->stage, ev->text, ev->n_text);
    } else if (ev->kind == EXPERT_AUDIO) {
        kept->has = w->has_result = true;
        if (r->hooks.on_audio && w->subject->is_event)
            r->hooks.on_audio(r->hooks.ctx, ((struct event *)w->subject)->id, w->stage, ev->samples, ev->n_samples, ev->rate_hz);
    } else if (ev->kind == EXPERT_ROUTED && ev->route && ev->route->expert) {
        snprintf(kept->expert, sizeof(kept->expert), "%s", ev->route->expert);
    }
    if (!good && w->err.code == ERR_NONE)
        w->err = err;
    if (ev->kind != EXPERT_DONE && ev->kind != EXPERT_ERROR)
        return;
    if (ev->kind == EXPERT_ERROR)
        w->err = *ev->err;
    if (ev->usage && ev->usage->node) {
        w->node = ev->usage->node, w->bytes_out = ev->usage->bytes_out, w->bytes_in = ev->usage->bytes_in;
        w->there_ns = ev->usage->prefill_ns + ev->usage->decode_ns, w->there_w = ev->usage->busy_w;
    }
    if (ev->route && isfinite(ev->route->joules))
        w->joules = ev->route->joules, w->is_measured = ev->route->is_measured;
    pthread_mutex_lock(&r->lock);
    w->final = true;
    w->end_ns = clock_ns();
    pthread_mutex_unlock(&r->lock);
    run_ring(r);
}

static void on_free(void *ctx)
{
    struct work *w = ctx;
    struct cascade_run *r = w->run;
    pthread_mutex_lock(&r->lock);
    w->freed = true;
    pthread_mutex_unlock(&r->lock);
    run_ring(r);
}

/* ---- making a job ---- */

static struct expr_world world_of(struct kept_world *w) { return (struct expr_world){ .ctx = w, .get = kept_get, .now_s = w->t_s }; }

static char *write_prompt(struct cascade_run *r, const struct cascade_stage *p, const struct subject *s, struct arena *a, struct err *err)
{
    struct kept_world w;
    const struct kept *views[CASCADE_STAGES_MAX];
    struct buf b;
    run_world(r, s, &w, views);
    const struct expr_world x = world_of(&w);
    buf_init(&b, KEPT_TEXT_MAX * 4);
    expr_text_put(p->prompt, &x, &b);
    char *text = buf_ok(&b, p->name, err) ? arena_strndup(a, b.data ? b.data : "", b.len, err) : NULL;
    buf_fini(&b);
    return text;
}

/* A frame as a data URL: as it came when it is a file's bytes, else as JPEG, or PNG where there is no JPEG library. */
static char *write_picture(const struct task_media *m, struct arena *a, struct err *err)
{
    struct buf file, url;
    const void *bytes = m->bytes;
    size_t n = m->n_bytes;
    const char *mime = "image/jpeg";
    buf_init(&file, JOB_BYTES_MAX / 4);
    buf_init(&url, JOB_BYTES_MAX / 2);
    bool good = true;
    if (m->form == MEDIA_ENCODED) {
        const enum image_kind kind = image_sniff(bytes, n);
        mime = kind == IMAGE_PNG ? "image/png" : kind == IMAGE_WEBP ? "image/webp" : kind == IMAGE_BMP ? "image/bmp" : "image/jpeg";
    } else {
        const int channels = m->form == MEDIA_GREY8 ? 1 : 3;
        const struct image im = { .px = (uint8_t *)m->bytes, .w = m->width_px, .h = m->height_px, .n_channels = channels, .stride = (size_t)m->width_px * (size_t)channels };
        if (!image_encode_jpeg(&im, JPEG_QUALITY, &file, err)) {
            buf_clear(&file);
            mime = "image/png";
            good = image_encode_png(&im, &file, err);
        }
        bytes = file.data, n = file.len;
    }
    char *text = NULL;
    if (good) {
        buf_printf(&url, "data:%s;base64,", mime);
        put_base64(&url, bytes, n);
        text = buf_ok(&url, "a picture", err) ? arena_strndup(a, url.data, url.len, err) : NULL;
    }
    buf_fini(&file);
    buf_fini(&url);
    return text;
}

static bool make_chat(struct cascade_run *r, const struct cascade_stage *p, const struct subject *s, const struct task_media *m, struct job *j, struct err *err)
{
    char *text = write_prompt(r, p, s, j->arena, err), *url = NULL;
    if (!text || (p->sees && m && !(url = write_picture(m, j->arena, err))))
        return false;
    json_t *content = url ? json_pack("[{s:s,s:s},{s:s,s:{s:s}}]", "type", "text", "text", text, "type", "image_url", "image_url", "url", url) : json_string(text);
    json_t *messages = json_array();
    if (p->system)
        json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "system", "content", p->system));
    json_array_append_new(messages, json_pack("{s:s,s:o}", "role", "user", "content", content));
    j->vars = json_pack("{s:o}", "messages", messages);
    j->max_tokens = p->max_tokens;
    return j->vars || err_set(err, ERR_NOMEM, "no memory");
}

static const struct task_media *media_of(struct subject *s, struct task_media *own)
{
    if (!s->is_event)
        return &((struct piece *)s)->media;
    struct event *e = (struct event *)s;
    if (e->sound) {
        *own = (struct task_media){ .form = MEDIA_F32, .bytes = e->sound, .n_bytes = (size_t)e->n_sound * sizeof(float), .rate_hz = e->rate_hz };
        return own;
    }
    return e->best ? &e->best->media : NULL;
}

static struct job *make_job(struct cascade_run *r, struct work *w, struct err *err)
{
    struct stage_run *g = &r->stages[w->stage];
    const struct cascade_stage *p = g->plan;
    struct task_media own;
    const struct task_media *m = media_of(w->subject, &own);
    struct job *j = job_new(JOB_BYTES_MAX, err);
    if (!j)
        return NULL;
    bool good = true;
    j->task = p->task;
    j->on_event = on_event, j->ctx = w;
    j->request.options = p->options;
    if (p->timeout_s > 0)
        j->deadline_ns = clock_ns() + (uint64_t)(p->timeout_s * 1e9);
    if (p->task == EXPERT_CHAT) {
        good = make_chat(r, p, w->subject, m, j, err);
    } else if (p->task == EXPERT_SPEAK) {
        struct task_text *t = arena_alloc(j->arena, 1, sizeof(*t), err);
        good = t && (t->text = write_prompt(r, p, w->subject, j->arena, err));
        if (good)
            t->n = strlen(t->text), j->request.texts = t, j->request.n_texts = 1;
    } else {
        struct task_media *copy = m ? arena_alloc(j->arena, 1, sizeof(*copy), err) : NULL;
        good = copy || (m ? false : err_set(err, ERR_INPUT, "%s: the event has no picture", p->name));
        if (good)
            *copy = *m, j->request.media = copy, j->request.n_media = 1;
        if (good && p->prompt)
            good = (j->request.options.prompt = write_prompt(r, p, w->subject, j->arena, err)) != NULL;
    }
    if (good && (p->task & SESSIONS)) {
        j->request.session = r->session ^ (uint64_t)(w->stage + 1) << 48;
        j->request.session += j->request.session == 0;
        j->request.session_start = !g->seats[w->expert].has_session;
        j->request.time_s = w->subject->t_s;
        g->seats[w->expert].has_session = true;
    }
    if (!good) {
        job_unref(j);
        return NULL;
    }
    j->on_free = on_free, j->free_ctx = w;
    return j;
}

/* ---- seats ---- */

static void set_down(struct cascade_run *r, int k, int i, const struct err *why)
{
    struct expert_seat *seat = &r->stages[k].seats[i];
    const bool was_up = seat->retry_ns == 0;
    seat->pause_ns = was_up ? PAUSE_FIRST_MS * 1000000ull : seat->pause_ns * 2;
    if (seat->pause_ns > PAUSE_MOST_MS * 1000000ull)
        seat->pause_ns = PAUSE_MOST_MS * 1000000ull;
    seat->retry_ns = clock_ns() + seat->pause_ns;
    seat->has_session = false;
    seat->is_gone = seat->e && expert_get_state(seat->e) == EXPERT_DOWN;
    if (was_up)
        log_warn("%s: %s cannot answer: %s", r->c->stages[k].name, r->c->stages[k].ids[i], why->text);
}

static bool open_seat(struct cascade_run *r, int k, int i, struct err *err)
{
    struct expert_seat *seat = &r->stages[k].seats[i];
    if (!seat->e)
        seat->e = r->world->open(r->world->ctx, r->c, &r->c->stages[k].experts[i], err);
    return seat->e != NULL;
}

/* Who is meant may be somebody else by now: the same expert on another machine. */
static void open_again(struct cascade_run *r, int k, int i)
{
    struct expert_seat *seat = &r->stages[k].seats[i];
    struct err ignored = { 0 };
    struct expert *e = seat->e ? r->world->open(r->world->ctx, r->c, &r->c->stages[k].experts[i], &ignored) : NULL;
    if (!e)
        return;
    r->world->close(r->world->ctx, seat->e);
    seat->e = e;
}

static bool is_due(const struct expert_seat *seat)
{
    return !seat->retry_ns || clock_ns() >= seat->retry_ns || (seat->is_gone && seat->e && expert_get_state(seat->e) != EXPERT_DOWN);
}

bool run_open_first(struct cascade_run *r, int k, struct err *err)
{
    struct err first = { 0 };
    for (int i = 0; i < r->c->stages[k].n_experts; i++) {
        if (open_seat(r, k, i, i == 0 ? &first : err))
            return true;
        set_down(r, k, i, i == 0 ? &first : err);
    }
    *err = first;
    return err_prefix(err, "%s", r->c->stages[k].name);
}

/* The seats after `failed` (-1: none failed yet), best first; a seat that is down is passed over until its time comes. */
static int choose(struct cascade_run *r, int k, unsigned failed, struct err *err)
{
    struct stage_run *g = &r->stages[k];
    for (int i = 0; i < g->plan->n_experts; i++) {
        struct expert_seat *seat = &g->seats[i];
        if ((failed & 1u << i) || !is_due(seat))
            continue;
        if (seat->retry_ns) {
            const uint64_t now = clock_ns();
            seat->retry_ns = seat->retry_ns < now ? seat->retry_ns : now;
            open_again(r, k, i);
        }
        if (open_seat(r, k, i, err) && (expert_get_state(seat->e) != EXPERT_DOWN || seat->retry_ns || g->plan->n_experts == 1))
            return i;
        if (seat->e)
            err_set(err, ERR_BUSY, "%s is down", g->plan->ids[i]);
        set_down(r, k, i, err);
    }
    return -1;
}

static bool submit(struct cascade_run *r, struct work *w, struct err *err)
{
    struct stage_run *g = &r->stages[w->stage];
    struct job *j = make_job(r, w, err);
    if (!j)
        return false;
    kept_clear(&w->subject->kept[w->stage]);
    snprintf(w->subject->kept[w->stage].expert, CASCADE_NAME_MAX, "%s", g->plan->ids[w->expert]);
    w->final = w->freed = w->has_result = w->is_measured = false;
    w->node = NULL;
    w->joules = NAN;
    err_clear(&w->err);
    w->submitted_ns = clock_ns();
    w->job = j;
    if (expert_submit(g->seats[w->expert].e, j, err))
        return true;
    w->job = NULL;
    job_unref(j);
    return false;
}

static bool is_of_the_piece(enum err_code code) { return code == ERR_INPUT || code == ERR_LIMIT || code == ERR_NOMEM; }

/* Gives it to the best seat that can; failed: those that could not.  false: nobody, and it is finished. */
static bool give(struct cascade_run *r, struct work *w, unsigned failed)
{
    struct stage_run *g = &r->stages[w->stage];
    struct err err = { 0 };
    for (int i; (i = choose(r, w->stage, failed, &err)) >= 0;) {
        w->expert = i;
        if (submit(r, w, &err))
            return true;
        if (is_of_the_piece(err.code))
            break;
        failed |= 1u << i;
        set_down(r, w->stage, i, &err);
    }
    struct subject *s = w->subject;
    w->subject = NULL;
    g->n_running--;
    run_finish(r, s, w->stage, false, CASCADE_DROP_ERROR);
    return false;
}

/* What the meter counted since it was read last goes to the jobs that ran meanwhile: before one begins, when one ended. */
static void read_meter(struct cascade_run *r)
{
    const double now = r->world->joules ? r->world->joules(r->world->meter) : NAN, since = now - r->meter_j;
    int n = 0;
    if (isnan(now))
        return;
    for (int k = 0; k < r->c->n_stages; k++)
        n += r->stages[k].n_running;
    for (int k = 0; k < r->c->n_stages; k++)
        for (int i = 0; i < r->c->stages[k].parallel; i++)
            if (r->stages[k].work[i].subject && isfinite(since))
                r->stages[k].work[i].metered_j += since / n;
    r->meter_j = now;
}

bool run_start(struct cascade_run *r, int k, struct subject *s)
{
    struct stage_run *g = &r->stages[k];
    struct work *w = g->work;
    while (w->subject)
        w++; /* n_running < parallel <= WORK_MAX: there is one */
    read_meter(r);
    w->run = r, w->stage = k, w->subject = s, w->is_again = false, w->metered_j = 0;
    g->n_running++;
    return give(r, w, 0);
}

/* ---- the end of a job ---- */

static struct cascade_edge *edge_to(struct stage_run *g, const char *node)
{
    struct cascade_stage_figures *f = &g->f;
    int i = 0;
    while (i < f->n_edges && strcmp(f->edges[i].node, node) != 0)
        i++;
    if (i == f->n_edges && i < CASCADE_EDGES_MAX)
        snprintf(f->edges[f->n_edges++].node, CASCADE_PLACE_MAX, "%s", node);
    return &f->edges[i < CASCADE_EDGES_MAX ? i : CASCADE_EDGES_MAX - 1];
}

static void pay_edge(struct stage_run *g, const struct work *w, double ms, double joules)
{
    struct cascade_edge *e = edge_to(g, w->node);
    e->jobs++;
    e->failed += w->err.code != ERR_NONE;
    e->bytes_out += w->bytes_out, e->bytes_in += w->bytes_in;
    e->ms += ms, e->there_ms += (double)w->there_ns / 1e6;
    e->joules += joules;
    e->is_measured = w->is_measured;
    if (w->err.code == ERR_NONE)
        g->f.edge = (int)(e - g->f.edges);
}

static void pay(struct cascade_run *r, struct work *w)
{
    struct stage_run *g = &r->stages[w->stage];
    const double ms = (double)(w->end_ns - w->submitted_ns) / 1e6;
    double watts = g->plan->watts, joules = w->joules, busy_ms = ms;
    if (isnan(watts) && w->node)
        watts = w->there_w > 0 ? (double)w->there_w : NAN, busy_ms = (double)w->there_ns / 1e6;
    else if (isnan(watts) && r->world->watts)
        watts = r->world->watts(r->world->ctx, &g->plan->experts[w->expert]);
    const bool is_metered = isnan(joules) && isfinite(r->meter_j) && !w->node; /* our meter does not see other machines */
    if (isnan(joules))
        joules = is_metered ? w->metered_j : w->node && w->err.code != ERR_NONE ? 0 : watts * busy_ms / 1000;
    if (w->node)
        pay_edge(g, w, ms, joules);
    else if (w->err.code == ERR_NONE)
        g->f.edge = -1;
    g->f.ms += ms;
    g->f.joules += joules; /* one that is not known: nor is the sum */
    g->f.is_measured = w->is_measured || is_metered;
    g->level_ms -= ms;
    if (isfinite(joules))
        g->level_joules -= joules;
    w->subject->kept[w->stage].ms = (float)ms;
}

/* Why a piece gave nothing: once for each stage, that a run in which nothing works does not end without a word. */
static void say(struct stage_run *g, const struct err *why)
{
    if (why->code == ERR_NONE)
        return;
    if (g->has_said)
        log_debug("%s: %s", g->plan->name, why->text);
    else
        log_warn("%s: %s", g->plan->name, why->text);
    g->has_said = true;
}

static void over(struct cascade_run *r, struct work *w)
{
    struct stage_run *g = &r->stages[w->stage];
    struct expert_seat *seat = &g->seats[w->expert];
    struct subject *s = w->subject;
    read_meter(r);
    pay(r, w);
    if (w->err.code == ERR_NONE || is_of_the_piece(w->err.code)) {
        if (seat->retry_ns && w->err.code == ERR_NONE && w->submitted_ns >= seat->retry_ns) { /* not one that was under way when it went down */
            log_warn("%s: %s is back", g->plan->name, g->plan->ids[w->expert]);
            seat->retry_ns = 0;
            seat->is_gone = false;
        }
        if (w->expert != g->now && w->err.code == ERR_NONE && seat->retry_ns == 0) {
            if (w->expert > g->now)
                g->f.fallbacks++;
            else
                g->f.returns++;
            g->now = w->expert;
        }
        say(g, &w->err);
        w->subject = NULL;
        g->n_running--;
        s->kept[w->stage].has |= w->err.code == ERR_NONE;
        run_finish(r, s, w->stage, w->err.code == ERR_NONE, CASCADE_DROP_ERROR);
        return;
    }
    if (w->err.code == ERR_CANCELLED) {
        w->subject = NULL;
        g->n_running--;
        run_finish(r, s, w->stage, false, CASCADE_DROP_CANCELLED);
        return;
    }
    if (g->plan->n_experts == 1 && !w->is_again) { /* nobody else is there; a process that died is back at once */
        struct err err = w->err;
        w->is_again = true;
        seat->has_session = false;
        open_again(r, w->stage, w->expert);
        if (submit(r, w, &err))
            return;
        w->err = err;
    }
    /* it is the expert's fault: the next one */
    set_down(r, w->stage, w->expert, &w->err);
    give(r, w, 1u << w->expert);
}

void run_reap(struct cascade_run *r)
{
    for (int k = 0; k < r->c->n_stages; k++)
        for (int i = 0; i < r->c->stages[k].parallel; i++) {
            struct work *w = &r->stages[k].work[i];
            if (!w->subject)
                continue;
            pthread_mutex_lock(&r->lock);
            bool final = w->final;
            pthread_mutex_unlock(&r->lock);
            if (final && w->job) {
                struct job *j = w->job;
                w->job = NULL;
                job_unref(j);
            }
            pthread_mutex_lock(&r->lock);
            const bool freed = final && w->freed; /* the expert has let go of the piece's bytes */
            pthread_mutex_unlock(&r->lock);
            if (freed)
                over(r, w);
        }
}

void run_cancel_jobs(struct cascade_run *r, bool events_only)
{
    for (int k = 0; k < r->c->n_stages; k++)
        for (int i = 0; i < r->c->stages[k].parallel && (!events_only || r->c->stages[k].each_event); i++)
            if (r->stages[k].work[i].subject && r->stages[k].work[i].job)
                job_cancel(r->stages[k].work[i].job);
}

void run_close_experts(struct cascade_run *r)
{
    for (int k = 0; k < r->c->n_stages; k++)
        for (int i = 0; i < r->c->stages[k].n_experts; i++)
            if (r->stages[k].seats[i].e)
                r->world->close(r->world->ctx, r->stages[k].seats[i].e);
}
