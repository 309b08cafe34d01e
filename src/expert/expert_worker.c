/* expert/expert_worker.c - the door of a worker expert: opening, taking jobs in, saying how things stand, closing.
 * What happens to a job then: supervisor_internal.h; start reading at expert_worker_open(). */
#include "expert/expert_worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "expert/supervisor_internal.h"
#include "hw/cpu.h"
#include "proc/memory.h"
#include "task/onnx_rules.h"

enum { DEFAULT_QUEUE = 512, DEFAULT_BATCH = 8, DEFAULT_TIMEOUT_MS = 60000, DEFAULT_KEEP_MS = 600000, EVENT_ARENA_BYTES = 256 << 20 };
static const uint64_t PROCESS_BYTES = 48u << 20, BOUND_LEAST_BYTES = 1u << 30;

/* From any thread. */
static void wake_up(struct expert_worker *e)
{
    const uint64_t one = 1;
    if (write(e->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        log_warn("%s: an eventfd cannot be written: %s", e->card->id, strerror(errno));
}

/* ---- what can be said of a request without the process ---- */

static bool is_text(const char *s, size_t n) { return s && utf8_is_valid(s, n) && (n == 0 || !memchr(s, 0, n)); }

static bool check_request(const struct task_request *rq, struct err *err)
{
    const char *const words[] = { rq->options.language, rq->options.voice, rq->options.prompt };
    if (rq->n_media < 0 || rq->n_media > TASK_MEDIA_MAX || rq->n_texts < 0 || rq->n_texts > TASK_TEXTS_MAX || rq->n_tensors < 0 ||
        rq->n_tensors > TASK_TENSORS_MAX || rq->n_outputs < 0 || rq->n_outputs > TASK_TENSORS_MAX)
        return err_set(err, ERR_INPUT, "too many inputs at once");
    for (int i = 0; i < rq->n_media; i++)
        if (!rq->media[i].bytes && rq->media[i].n_bytes > 0)
            return err_set(err, ERR_INTERNAL, "medium %d has no bytes", i);
    for (int i = 0; i < rq->n_texts; i++)
        if (!is_text(rq->texts[i].text, rq->texts[i].n))
            return err_set(err, ERR_INPUT, "text %d is not UTF-8, or holds a zero byte", i);
    for (int i = 0; i < rq->n_tensors; i++) {
        if (!rq->tensors[i].name || !is_text(rq->tensors[i].name, strlen(rq->tensors[i].name)))
            return err_set(err, ERR_INPUT, "input %d has no name", i);
        if (!tensor_check(&rq->tensors[i], err))
            return false;
    }
    for (int i = 0; i < rq->n_outputs; i++)
        if (!rq->outputs[i] || !is_text(rq->outputs[i], strlen(rq->outputs[i])))
            return err_set(err, ERR_INPUT, "output %d has no name", i);
    for (int i = 0; i < 3; i++)
        if (words[i] && !is_text(words[i], strlen(words[i])))
            return err_set(err, ERR_INPUT, "an option is not UTF-8");
    return true;
}

/* EMBED may come as the inputs that experts of text take. */
static bool take_inputs(struct job *j, struct request *r, struct err *err)
{
    r->texts = j->request.texts;
    r->n_texts = j->request.n_texts;
    if (j->task != EXPERT_EMBED || r->n_texts > 0)
        return true;
    struct task_text *t = arena_alloc(j->arena, (size_t)j->n_inputs, sizeof(*t), err);
    if (!t)
        return false;
    for (int i = 0; i < j->n_inputs; i++) {
        if (!j->inputs[i].text)
            return err_set(err, ERR_UNSUPPORTED, "input %d: this expert takes text, not token ids", i);
        t[i] = (struct task_text){ j->inputs[i].text, j->inputs[i].n_text };
    }
    r->texts = t;
    r->n_texts = j->n_inputs;
    return true;
}

static bool prepare(struct request *r, struct job *j, struct err *err)
{
    r->job = j;
    if (!take_inputs(j, r, err))
        return false;
    struct task_request rq = j->request;
    rq.texts = r->texts;
    rq.n_texts = r->n_texts;
    if (!check_request(&rq, err))
        return false;
    r->size = pack_request_size(&rq);
    const size_t room = WORKER_IN_BYTES - WORKER_DATA_AT - PACK_ALIGN;
    return r->size.n_whole <= room ||
           err_set(err, ERR_LIMIT, "the request has %.0f MB: at most %.0f MB are possible", (double)r->size.n_whole / 1e6, (double)room / 1e6);
}

/* ---- the calls of expert.h ---- */

static bool submit(struct expert *base, struct job *j, struct err *err)
{
    struct expert_worker *e = (struct expert_worker *)base;
    struct request *r = calloc(1, sizeof(*r));
    if (!r)
        return err_set(err, ERR_NOMEM, "%s: no memory for a job", e->card->id);
    bool ok = prepare(r, j, err);
    pthread_mutex_lock(&e->lock);
    if (!ok)
        err_prefix(err, "%s", e->card->id);
    else if (e->stopping)
        ok = err_set(err, ERR_BUSY, "%s is shutting down", e->card->id);
    else if (e->m.state == EXPERT_DOWN && clock_ns() < e->down_until_ns)
        ok = err_set(err, ERR_BUSY, "%s is down: %.180s", e->card->id, e->down.text);
    else if (!((e->info.tasks ? e->info.tasks : (unsigned)(e->card->task | EXPERT_INFER)) & j->task))
        ok = err_set(err, ERR_UNSUPPORTED, "%s cannot do '%s'", e->card->id, expert_task_name(j->task));
    else if (e->n_open >= e->n_queue_max)
        ok = err_set(err, ERR_BUSY, "%s: the queue is full (%d jobs)", e->card->id, e->n_open);
    if (ok) {
        e->n_open++;
        e->n_jobs++;
        QUEUE_PUSH(&e->inbox, r);
        wake_up(e);
    }
    pthread_mutex_unlock(&e->lock);
    if (!ok)
        free(r);
    return ok;
}

static void wake(struct expert *base)
{
    struct expert_worker *e = (struct expert_worker *)base;
    wake_up(e);
}

static void get_card(struct expert *base, struct expert_card *out)
{
    struct expert_worker *e = (struct expert_worker *)base;
    pthread_mutex_lock(&e->lock);
    *out = e->facts;
    pthread_mutex_unlock(&e->lock);
}

static void get_metrics(struct expert *base, struct expert_metrics *out)
{
    struct expert_worker *e = (struct expert_worker *)base;
    pthread_mutex_lock(&e->lock);
    *out = e->m;
    out->n_waiting += e->inbox.n;
    out->n_queue_max = e->n_queue_max;
    pthread_mutex_unlock(&e->lock);
}

static bool get_info(struct expert *base, struct task_info *out)
{
    struct expert_worker *e = (struct expert_worker *)base;
    pthread_mutex_lock(&e->lock);
    *out = e->info;
    pthread_mutex_unlock(&e->lock);
    for (int i = 0; i < TASK_IO_MAX; i++) {
        out->inputs[i].shape.name = out->inputs[i].name;
        out->outputs[i].shape.name = out->outputs[i].name;
    }
    return out->tasks != 0;
}

static void stop(struct expert *base, uint64_t drain_ns)
{
    struct expert_worker *e = (struct expert_worker *)base;
    const uint64_t until = clock_after_ns(drain_ns);
    pthread_mutex_lock(&e->lock);
    if (!e->stopping || until < e->drain_until_ns)
        e->drain_until_ns = until;
    e->stopping = true;
    wake_up(e);
    pthread_cond_broadcast(&e->changed);
    while (e->n_jobs > 0)
        pthread_cond_wait(&e->changed, &e->lock);
    pthread_mutex_unlock(&e->lock);
}

static bool wait_ready(struct expert *base, struct err *err)
{
    struct expert_worker *e = (struct expert_worker *)base;
    pthread_mutex_lock(&e->lock);
    bool ok = e->m.state == EXPERT_WARM || e->m.state == EXPERT_BUSY;
    if (!ok && !e->stopping) {
        const uint64_t n = e->n_loads;
        e->wants_warm = true;
        wake_up(e);
        while (e->n_loads == n && !e->stopping)
            pthread_cond_wait(&e->changed, &e->lock);
        ok = e->n_loads != n && !e->stopping && e->down.code == ERR_NONE; /* not its state: it may be unloaded again by now */
    }
    if (!ok && e->stopping)
        err_set(err, ERR_BUSY, "%s is shutting down", e->card->id);
    else if (!ok)
        *err = e->down;
    pthread_mutex_unlock(&e->lock);
    return ok;
}

static void unload(struct expert *base)
{
    struct expert_worker *e = (struct expert_worker *)base;
    pthread_mutex_lock(&e->lock);
    e->wants_unload = true;
    wake_up(e);
    pthread_mutex_unlock(&e->lock);
}

static void limit(struct expert *base, const struct expert_limits *l)
{
    struct expert_worker *e = (struct expert_worker *)base;
    atomic_store(&e->time_share, l->threads);
    atomic_store(&e->batch_share, l->batch);
    atomic_store(&e->input_share, l->input);
    wake_up(e);
}

static void free_expert(struct expert *base)
{
    struct expert_worker *e = (struct expert_worker *)base;
    if (e->has_thread) {
        stop(base, 0);
        pthread_mutex_lock(&e->lock);
        e->quit = true;
        wake_up(e);
        pthread_mutex_unlock(&e->lock);
        pthread_join(e->thread, NULL);
    }
    keeper_leave(e->seat);
    if (e->wake_fd >= 0)
        close(e->wake_fd);
    arena_free(e->arena);
    free(e->head);
    free(e->cache_dir);
    free(e->data_dir);
    free(e->ort_path);
    card_free(e->card);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

static const struct expert_ops ops = {
    .free = free_expert,
    .submit = submit,
    .wake = wake,
    .card = get_card,
    .metrics = get_metrics,
    .stop = stop,
    .wait_ready = wait_ready,
    .info = get_info,
    .unload = unload,
    .limit = limit,
};

/* ---- what the keeper calls ---- */

static void give_back(void *ctx)
{
    struct expert_worker *e = ctx;
    pthread_mutex_lock(&e->lock);
    e->give_back = true;
    wake_up(e);
    pthread_mutex_unlock(&e->lock);
}

static uint64_t observe(void *ctx) { return process_own_bytes(ctx); }
static void memory_changed(void *ctx) { wake_up(ctx); }

/* ---- opening ---- */

static void fill_facts(struct expert_worker *e)
{
    const struct card *c = e->card;
    struct expert_card *f = &e->facts;
    struct stat st;
    snprintf(f->id, sizeof(f->id), "%s", c->id);
    snprintf(f->kind, sizeof(f->kind), "%s", c->kind);
    snprintf(f->quantization, sizeof(f->quantization), "%s", c->precision);
    snprintf(f->description, sizeof(f->description), "%s", c->description);
    snprintf(f->languages, sizeof(f->languages), "%s", c->languages);
    f->tasks = c->task;
    f->privacy = c->privacy;
    f->quality = c->quality;
    f->price = c->price;
    if (c->model[0] && stat(c->model, &st) == 0 && S_ISREG(st.st_mode)) {
        f->created_s = (int64_t)st.st_mtime;
        f->file_bytes = (uint64_t)st.st_size;
    }
}

static bool copy_text(char **to, const char *from) { return !from || (*to = strdup(from)); }

static void set_bounds(struct expert_worker *e)
{
    const struct card *c = e->card;
    e->timeout_ns = (c->timeout_ms ? c->timeout_ms : DEFAULT_TIMEOUT_MS) * 1000000u;
    e->keep_ns = c->keep_ms == UINT64_MAX ? UINT64_MAX : (c->keep_ms ? c->keep_ms : DEFAULT_KEEP_MS) * 1000000u;
    e->batch_delay_ns = c->batch_delay_ms * 1000000u;
    /* not said: its file once in memory and a half again for what is computed; measured from the second load on */
    e->need_bytes = c->memory_bytes ? c->memory_bytes : e->facts.file_bytes + e->facts.file_bytes / 2 + PROCESS_BYTES;
    const uint64_t machine = memory_available_bytes("") / 5 * 4;
    e->limit_bytes = c->memory_bytes ? 2 * c->memory_bytes : machine > BOUND_LEAST_BYTES ? machine : BOUND_LEAST_BYTES;
}

struct expert *expert_worker_open(struct card *card, const struct expert_env *env, struct err *err)
{
    struct expert_worker *e = calloc(1, sizeof(*e));
    if (!e) {
        err_set(err, ERR_NOMEM, "%s: no memory", card->id);
        card_free(card);
        return NULL;
    }
    e->base.ops = &ops;
    e->card = card;
    e->m.state = EXPERT_COLD;
    e->time_share = e->batch_share = e->input_share = 1;
    e->child.fd = e->socket_fd = e->words_fd = -1;
    e->n_queue_max = DEFAULT_QUEUE;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    const int cores = cpu_default_threads(), most = env->n_threads > 0 && env->n_threads < cores ? env->n_threads : cores;
    const struct task_preset *preset = env->presets ? &env->presets->of[preset_modality_of(card->task)] : NULL;
    e->n_threads = card->threads ? card->threads : preset && preset->n_threads > 0 && preset->n_threads < most ? preset->n_threads : most;
    e->n_batch_max = card->batch ? card->batch : preset ? preset->n_batch : DEFAULT_BATCH;
    e->is_quiet = env->is_quiet;
    onnx_rules_providers(env->catalog, env->host, preset_modality_of(card->task), e->providers, sizeof(e->providers));
    fill_facts(e);
    set_bounds(e);
    e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (e->wake_fd < 0)
        err_set(err, ERR_IO, "%s: no eventfd: %s", card->id, strerror(errno));
    else if (!copy_text(&e->cache_dir, env->cache_dir) || !copy_text(&e->data_dir, env->data_dir) || !copy_text(&e->ort_path, env->ort_path))
        err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    else if ((e->arena = arena_new(EVENT_ARENA_BYTES, err)) &&
             (!env->keeper || (e->seat = keeper_join(env->keeper, &(struct keeper_client){ .id = card->id, .ctx = e, .give_back = give_back,
                                                                                            .observe = observe, .wake = memory_changed }, err))) &&
             (e->has_thread = thread_start(&e->thread, supervisor_main, e, e->card->id, err)))
        return &e->base;
    free_expert(&e->base);
    return NULL;
}

int expert_worker_pid(struct expert *e) { return atomic_load(&((struct expert_worker *)e)->pid); }
