/* pipeline/sink.c - queues and threads of sinks; lines in files.  See sink.h. */
#include "pipeline/sink_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "pipeline/event_json.h"

enum { PAUSE_FIRST_MS = 500, PAUSE_MOST_MS = 30000 };

struct sinks {
    const struct cascade *c;
    struct sink sinks[CASCADE_SINKS_MAX + 1];
    int n;
    struct cascade_sink_plan to_stdout;
    bool is_closed;
};

const char *sink_kind_name(enum cascade_sink_kind kind)
{
    static const char *const names[CASCADE_SINK_COUNT] = { "jsonl", "webhook", "mqtt", "pictures" };
    return names[kind];
}

/* ---- records ---- */

static void unref(struct record *r)
{
    if (atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    free(r->line);
    free((void *)r->media.bytes);
    free(r);
}

static void add_boxes(struct record *r, const struct cascade *c, const struct cascade_event *e)
{
    for (int k = 0; k < e->n_stages; k++) {
        const struct task_result *seen = e->results[k].seen;
        if (!seen || c->stages[k].task == EXPERT_MOTION || c->stages[k].each_event)
            continue;
        for (int i = 0; i < seen->n_boxes && r->n_boxes < SINK_BOXES_MAX; i++) {
            const struct result_box *b = &seen->boxes[i];
            r->boxes[r->n_boxes].x = b->x, r->boxes[r->n_boxes].y = b->y, r->boxes[r->n_boxes].w = b->w, r->boxes[r->n_boxes].h = b->h;
            r->boxes[r->n_boxes].score = b->score;
            snprintf(r->boxes[r->n_boxes++].label, CASCADE_NAME_MAX, "%s", b->name ? b->name : b->label ? b->label : expert_task_name(c->stages[k].task));
        }
    }
}

/* "DIR/2026-11-21T19-33-00-125Z-7.jpg" */
static void name_picture(const struct sink *s, const struct cascade_event *e, char *path, size_t max)
{
    char dir[900], time[TIME_TEXT_BYTES];
    struct err err;
    time_text(time, e->start_unix_ms);
    for (char *p = time; *p; p++)
        *p = *p == ':' || *p == '.' ? '-' : *p;
    if (!sink_path(s, s->plan->to, dir, sizeof(dir), &err) || snprintf(path, max, "%s/%s-%llu.jpg", dir, time, (unsigned long long)e->id) >= (int)max)
        path[0] = '\0';
}

static bool has_room(struct sink *s)
{
    pthread_mutex_lock(&s->lock);
    const bool room = s->n < s->plan->queue && !s->is_closing;
    pthread_mutex_unlock(&s->lock);
    return room;
}

static struct record *make_record(struct sinks *all, const struct cascade_event *e)
{
    struct record *r = calloc(1, sizeof(*r));
    struct buf b;
    if (!r)
        return NULL;
    atomic_store(&r->refs, 1);
    for (int i = 0; i < all->n && e->best; i++)
        if (all->sinks[i].plan->kind == CASCADE_SINK_PICTURES && !r->path[0] && has_room(&all->sinks[i])) {
            void *bytes = malloc(e->best->n_bytes);
            if (!bytes)
                break;
            memcpy(bytes, e->best->bytes, e->best->n_bytes);
            r->media = *e->best;
            r->media.bytes = bytes;
            name_picture(&all->sinks[i], e, r->path, sizeof(r->path));
            add_boxes(r, all->c, e);
            snprintf(r->caption, sizeof(r->caption), "%s", e->text);
        }
    buf_init(&b, SINK_LINE_MAX);
    event_put_json(&b, all->c, e, r->path[0] ? r->path : NULL);
    buf_putc(&b, '\n');
    if (b.failed) {
        buf_fini(&b);
        unref(r);
        return NULL;
    }
    r->line = b.data, r->n_line = b.len;
    return r;
}

/* ---- the thread ---- */

bool sink_pause(struct sink *s, int ms)
{
    const uint64_t until = clock_ns() + (uint64_t)ms * 1000000;
    while (!atomic_load(&s->must_end) && clock_ns() < until)
        nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
    return !atomic_load(&s->must_end);
}

/* true: sent; false: it cannot be. */
static bool deliver(struct sink *s, const struct record *r)
{
    struct err err = { 0 };
    int pause_ms = PAUSE_FIRST_MS;
    for (int attempt = 0;; attempt++) {
        if (s->ops->send(s, r, &err)) {
            s->is_bad = false;
            return true;
        }
        const bool again = (err.code == ERR_BUSY || err.code == ERR_IO) && attempt < s->plan->retries;
        pthread_mutex_lock(&s->lock);
        snprintf(s->f.why, sizeof(s->f.why), "%s", err.text);
        s->f.retries += again;
        pthread_mutex_unlock(&s->lock);
        if (!s->is_bad)
            log_warn("%s %s: %s", sink_kind_name(s->plan->kind), s->plan->to, err.text);
        s->is_bad = true;
        if (!again || !sink_pause(s, pause_ms))
            return false;
        pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
        err_clear(&err);
    }
}

static void *sink_main(void *arg)
{
    struct sink *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->n == 0 && !s->is_closing)
            pthread_cond_wait(&s->changed, &s->lock);
        if (s->n == 0 || atomic_load(&s->must_end))
            break;
        struct record *r = s->queue[0];
        memmove(&s->queue[0], &s->queue[1], (size_t)--s->n * sizeof(s->queue[0]));
        s->is_busy = true;
        pthread_mutex_unlock(&s->lock);
        const bool good = deliver(s, r);
        unref(r);
        pthread_mutex_lock(&s->lock);
        s->is_busy = false;
        if (good)
            s->f.sent++;
        else if (atomic_load(&s->must_end))
            s->f.dropped++;
        else
            s->f.failed++;
        pthread_cond_broadcast(&s->changed);
    }
    for (int i = 0; i < s->n; i++)
        unref(s->queue[i]);
    s->f.dropped += (uint64_t)s->n;
    s->n = 0;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void put(struct sink *s, struct record *r)
{
    pthread_mutex_lock(&s->lock);
    while (s->plan->kind == CASCADE_SINK_JSONL && s->n == s->plan->queue && !s->is_closing)
        pthread_cond_wait(&s->changed, &s->lock);
    s->f.given++;
    if (s->n == s->plan->queue || s->is_closing || (s->plan->kind == CASCADE_SINK_PICTURES && !r->path[0])) {
        s->f.dropped++;
    } else {
        atomic_fetch_add(&r->refs, 1);
        s->queue[s->n++] = r;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
}

void sinks_put(struct sinks *s, const struct cascade_event *e)
{
    struct record *r = s->n > 0 ? make_record(s, e) : NULL;
    for (int i = 0; i < s->n; i++)
        if (r) {
            put(&s->sinks[i], r);
        } else {
            pthread_mutex_lock(&s->sinks[i].lock);
            s->sinks[i].f.given++, s->sinks[i].f.dropped++;
            pthread_mutex_unlock(&s->sinks[i].lock);
        }
    if (r)
        unref(r);
}

/* ---- life ---- */

static const struct sink_ops *ops_of(enum cascade_sink_kind kind)
{
    static const struct sink_ops *const ops[CASCADE_SINK_COUNT] = { &sink_jsonl, &sink_webhook, &sink_mqtt, &sink_pictures };
    return ops[kind];
}

static bool fail_at(const struct cascade *c, const struct cascade_sink_plan *plan, struct err *err)
{
    if (plan->at && !strstr(err->text, yaml_name(c->yaml)))
        err_prefix(err, "%s:%d:%d", yaml_name(c->yaml), plan->at->line, plan->at->column);
    return false;
}

/* May it be written, or, when it is not there, made? */
static bool check_path(const struct sink *s, struct err *err)
{
    char path[1024], *slash;
    const bool is_folder = s->plan->kind == CASCADE_SINK_PICTURES;
    struct stat st;
    if (strcmp(s->plan->to, "-") == 0)
        return true;
    if (!sink_path(s, s->plan->to, path, sizeof(path), err))
        return false;
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode) != is_folder)
            return err_set(err, ERR_INPUT, "%s: %s folder", path, is_folder ? "no" : "a");
        return access(path, W_OK) == 0 || err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    }
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/';)
        path[--n] = '\0';
    slash = strrchr(path, '/');
    if (slash)
        *(slash == path ? slash + 1 : slash) = '\0';
    const char *dir = slash ? path : ".";
    return access(dir, W_OK | X_OK) == 0 || err_set(err, ERR_IO, "%s: %s", dir, strerror(errno));
}

bool sinks_check(const struct cascade *c, struct err *err)
{
    bool good = true;
    for (int i = 0; good && i < c->n_sinks; i++) {
        const struct cascade_sink_plan *plan = &c->sinks[i];
        struct sink s = { .ops = ops_of(plan->kind), .c = c, .plan = plan };
        if (plan->kind == CASCADE_SINK_JSONL || plan->kind == CASCADE_SINK_PICTURES) {
            good = check_path(&s, err);
        } else {
            good = s.ops->open(&s, err); /* reads the address and the secrets; asks nobody */
            s.ops->close(&s);
        }
        if (!good)
            fail_at(c, plan, err);
    }
    return good;
}

static bool open_one(struct sinks *all, const struct cascade_sink_plan *plan, struct err *err)
{
    struct sink *s = &all->sinks[all->n];
    s->ops = ops_of(plan->kind), s->c = all->c, s->plan = plan;
    s->f.kind = plan->kind, s->f.to = plan->to;
    if (!(s->queue = calloc((size_t)plan->queue, sizeof(*s->queue))))
        return err_set(err, ERR_NOMEM, "no memory");
    pthread_mutex_init(&s->lock, NULL);
    thread_cond_init(&s->changed);
    all->n++;
    if (!s->ops->open(s, err))
        return fail_at(all->c, plan, err);
    return s->has_thread = thread_start(&s->thread, sink_main, s, "a sink", err);
}

struct sinks *sinks_open(const struct cascade *c, bool with_stdout, struct err *err)
{
    struct sinks *s = calloc(1, sizeof(*s));
    bool good = s != NULL;
    if (!s)
        return err_null(err, ERR_NOMEM, "no memory");
    s->c = c;
    s->to_stdout = (struct cascade_sink_plan){ .kind = CASCADE_SINK_JSONL, .to = "-", .queue = 64 };
    for (int i = 0; good && i < c->n_sinks; i++)
        good = open_one(s, &c->sinks[i], err);
    if (good && with_stdout)
        good = open_one(s, &s->to_stdout, err);
    if (good)
        return s;
    sinks_free(s);
    return NULL;
}

static void wait_still(struct sink *s, uint64_t until_ns)
{
    pthread_mutex_lock(&s->lock);
    s->is_closing = true;
    pthread_cond_broadcast(&s->changed);
    while ((s->n > 0 || s->is_busy) && thread_wait(&s->changed, &s->lock, until_ns)) {
    }
    pthread_mutex_unlock(&s->lock);
}

void sinks_close(struct sinks *s, int drain_ms)
{
    const uint64_t until = clock_ns() + (uint64_t)(drain_ms > 0 ? drain_ms : 0) * 1000000;
    for (int i = 0; i < s->n && !s->is_closed; i++)
        wait_still(&s->sinks[i], until);
    for (int i = 0; i < s->n && !s->is_closed; i++) {
        atomic_store(&s->sinks[i].must_end, true);
        if (s->sinks[i].has_thread)
            pthread_join(s->sinks[i].thread, NULL);
        s->sinks[i].ops->close(&s->sinks[i]);
    }
    s->is_closed = true;
}

int sinks_get(struct sinks *s, struct sink_figures *out, int max)
{
    int n = 0;
    for (; n < s->n && n < max; n++) {
        pthread_mutex_lock(&s->sinks[n].lock);
        out[n] = s->sinks[n].f;
        pthread_mutex_unlock(&s->sinks[n].lock);
    }
    return n;
}

void sinks_free(struct sinks *s)
{
    if (!s)
        return;
    sinks_close(s, 0);
    for (int i = 0; i < s->n; i++) {
        free(s->sinks[i].queue);
        pthread_cond_destroy(&s->sinks[i].changed);
        pthread_mutex_destroy(&s->sinks[i].lock);
    }
    free(s);
}

/* ---- for the kinds ---- */

bool sink_path(const struct sink *s, const char *path, char *out, size_t max, struct err *err)
{
    const char *home = strncmp(path, "~/", 2) == 0 ? getenv("HOME") : NULL;
    const int n = home ? snprintf(out, max, "%s%s", home, path + 1) : path[0] == '/' ? snprintf(out, max, "%s", path) : snprintf(out, max, "%s/%s", s->c->dir, path);
    return (size_t)n < max || err_set(err, ERR_INPUT, "%.40s...: a path that is too long", path);
}

bool sink_secret(const struct sink *s, const char *path, char out[SINK_SECRET_MAX], struct err *err)
{
    char where[1024];
    size_t n;
    if (!sink_path(s, path, where, sizeof(where), err))
        return false;
    char *text = file_read(where, SINK_SECRET_MAX - 1, &n, err);
    if (!text)
        return false;
    text[strcspn(text, "\r\n")] = '\0';
    snprintf(out, SINK_SECRET_MAX, "%s", text);
    free(text);
    return out[0] || err_set(err, ERR_INPUT, "%s: empty", where);
}

/* ---- lines in a file ---- */

static bool jsonl_open(struct sink *s, struct err *err)
{
    char path[1024];
    if (strcmp(s->plan->to, "-") == 0) {
        s->self = stdout;
        return true;
    }
    if (!sink_path(s, s->plan->to, path, sizeof(path), err))
        return false;
    return (s->self = fopen(path, "ae")) != NULL || err_set(err, ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
}

static bool jsonl_send(struct sink *s, const struct record *r, struct err *err)
{
    return (fwrite(r->line, 1, r->n_line, s->self) == r->n_line && fflush(s->self) == 0) || err_set(err, ERR_INTERNAL, "%s", strerror(errno));
}

static void jsonl_close(struct sink *s)
{
    if (s->self && s->self != stdout)
        fclose(s->self);
}

const struct sink_ops sink_jsonl = { jsonl_open, jsonl_send, jsonl_close };
