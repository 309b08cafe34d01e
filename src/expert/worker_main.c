/* expert/worker_main.c - see worker.h: enters the sandbox, opens the card's task, answers batch after batch.
 *
 * Nothing of the model or of a request was read before the sandbox is entered; the card comes from the machine's owner. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "expert/pack.h"
#include "expert/worker.h"
#include "expert/worker_internal.h"
#include "onnx/onnx.h"
#include "proc/sandbox.h"

enum { RUN_ARENA_BYTES = 1 << 30, RUN_ARENA_KEEP = 16 << 20 /* larger ones are given back after the batch */ };

struct worker {
    const uint8_t *in;
    uint8_t *out;
    uint64_t head, acked; /* of the ring, counted without end */
    uint32_t batch;       /* its number */
    struct card *card;
    struct task *task;
    struct arena *requests;
    struct slot {
        struct worker *worker;
        uint32_t number;
        struct arena *arena;
        struct task_request rq;
        struct task_out out;
        struct err why_lost; /* an event that could not be sent */
    } slot[WORKER_BATCH_MAX];
};

/* ---- messages ---- */

static bool send_msg(const struct worker_msg *m, size_t n)
{
    ssize_t rc;
    while ((rc = send(WORKER_FD_SOCKET, m, n, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return rc == (ssize_t)n;
}

/* false: the parent is gone. */
static bool next_msg(struct worker_msg *m)
{
    ssize_t rc;
    while ((rc = recv(WORKER_FD_SOCKET, m, sizeof(*m), 0)) < 0 && errno == EINTR)
        ;
    return rc >= (ssize_t)WORKER_MSG_SHORT;
}

static _Noreturn void leave(int status)
{
    fflush(NULL);
    _exit(status); /* no exit handlers: libraries crash there, and leak checkers want ptrace */
}

static void send_error(const struct worker *w, uint32_t kind, uint32_t slot, const struct err *err)
{
    struct worker_msg m = { .kind = kind, .slot = slot, .n = w->batch, .code = (uint32_t)err->code };
    memcpy(m.text, err->text, sizeof(m.text));
    m.text[sizeof(m.text) - 1] = '\0';
    if (!send_msg(&m, sizeof(m)))
        leave(0);
}

/* ---- what a task says ---- */

/* Room for n bytes in the ring, in one piece. */
static uint64_t claim(struct worker *w, size_t n)
{
    const size_t at = w->head % WORKER_OUT_BYTES;
    if (n > WORKER_OUT_BYTES - at)
        w->head += WORKER_OUT_BYTES - at;
    while (w->head + n - w->acked > WORKER_OUT_BYTES) {
        struct worker_msg m;
        if (!next_msg(&m))
            leave(0);
        if (m.kind == WORKER_ACK)
            w->acked = m.at;
    }
    const uint64_t claimed = w->head;
    w->head += (n + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN;
    return claimed;
}

static bool is_cancelled(void *ctx)
{
    const struct slot *s = ctx;
    const struct worker_control *c = (const struct worker_control *)s->worker->in;
    return atomic_load_explicit(&c->is_cancelled[s->number], memory_order_relaxed) != 0;
}

static bool emit(void *ctx, const struct task_event *ev)
{
    struct slot *s = ctx;
    struct worker *w = s->worker;
    if (is_cancelled(s) || s->why_lost.code != ERR_NONE)
        return false;
    const struct pack_size size = pack_event_size(ev);
    if (size.n_whole > WORKER_EVENT_MAX || size.n_head > PACK_HEAD_MAX)
        return err_set(&s->why_lost, ERR_LIMIT, "a result of %.0f MB: at most %.0f MB are possible", (double)size.n_whole / 1e6,
                       (double)WORKER_EVENT_MAX / 1e6);
    const uint64_t at = claim(w, size.n_whole);
    pack_event(w->out + at % WORKER_OUT_BYTES, size, ev);
    const struct worker_msg m = { .kind = WORKER_EVENT, .slot = s->number, .n = w->batch, .at = at, .n_head = size.n_head, .n_whole = size.n_whole };
    if (!send_msg(&m, WORKER_MSG_SHORT))
        leave(0);
    return true;
}

/* ---- a batch ---- */

static void run_batch(struct worker *w, uint32_t n)
{
    const struct worker_control *c = (const struct worker_control *)w->in;
    const struct task_request *rqs[WORKER_BATCH_MAX];
    const struct task_out *outs[WORKER_BATCH_MAX];
    struct err errs[WORKER_BATCH_MAX];
    uint32_t slot_of[WORKER_BATCH_MAX];
    int n_run = 0;
    arena_reset(w->requests);
    for (uint32_t i = 0; i < n; i++) {
        struct slot *s = &w->slot[i];
        struct err err;
        const struct pack_size size = { c->request[i].n_head, c->request[i].n_whole };
        const uint8_t *at = w->in + c->request[i].at;
        err_clear(&s->why_lost);
        if (!s->arena)
            s->arena = arena_new(RUN_ARENA_BYTES, &err);
        if (!s->arena || !unpack_request(at, at, size, w->requests, &s->rq, &err)) {
            send_error(w, WORKER_DONE, i, &err);
            continue;
        }
        arena_reset(s->arena);
        s->worker = w;
        s->number = i;
        s->out = (struct task_out){ .ctx = s, .emit = emit, .is_cancelled = is_cancelled, .arena = s->arena };
        rqs[n_run] = &s->rq;
        outs[n_run] = &s->out;
        slot_of[n_run++] = i;
    }
    if (n_run == 1) {
        err_clear(&errs[0]);
        if (task_run(w->task, rqs[0], outs[0], &errs[0]))
            err_clear(&errs[0]);
        else if (errs[0].code == ERR_NONE)
            err_set(&errs[0], ERR_INTERNAL, "failed without a word");
    } else if (n_run > 1) {
        task_run_batch(w->task, rqs, outs, errs, n_run);
    }
    for (int i = 0; i < n_run; i++) {
        const struct slot *s = &w->slot[slot_of[i]];
        const struct err *why = s->why_lost.code != ERR_NONE ? &s->why_lost : &errs[i];
        if (why->code != ERR_NONE) {
            send_error(w, WORKER_DONE, slot_of[i], why);
            continue;
        }
        const struct worker_msg m = { .kind = WORKER_DONE, .slot = slot_of[i], .n = w->batch };
        if (!send_msg(&m, WORKER_MSG_SHORT))
            leave(0);
    }
    for (uint32_t i = 0; i < n; i++)
        if (w->slot[i].arena && arena_used_bytes(w->slot[i].arena) > RUN_ARENA_KEEP) {
            arena_free(w->slot[i].arena);
            w->slot[i].arena = NULL;
        }
}

/* ---- opening ---- */

static const char *dir_of(const char *path, char dir[static PATH_MAX])
{
    snprintf(dir, PATH_MAX, "%s", path);
    char *slash = strrchr(dir, '/');
    if (!slash)
        return NULL;
    slash[slash == dir] = '\0';
    return dir;
}

/* Address space: what we have now (sanitizers map terabytes) and so much more. */
static void limit_memory(uint64_t more)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    const bool ok = f && fscanf(f, "%ld", &pages) == 1;
    if (f)
        fclose(f);
    if (!ok || more == 0)
        return;
    struct rlimit r;
    const rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
    if (getrlimit(RLIMIT_AS, &r) == 0 && (r.rlim_max == RLIM_INFINITY || most < r.rlim_max)) {
        r.rlim_cur = r.rlim_max = most;
        setrlimit(RLIMIT_AS, &r);
    }
}

static const struct task_kind *find(const struct task_kind *const *more, const struct card *card, struct err *err)
{
    for (; more && *more; more++)
        if (strcmp((*more)->kind, card->kind) == 0)
            return *more;
    return task_find_kind(card, err);
}

/* The user's folders, which may not be there yet: a sandbox lets in only what exists.  What cannot be made is done without. */
static void make_folders(const char *path)
{
    if (path && *path) {
        file_make_folders(path, 0700);
        mkdir(path, 0700);
    }
}

/* Anything but the CPU is reached through /dev. */
static bool wants_device(const char *providers) { return providers && providers[0] && strcmp(providers, "cpu") != 0; }

static bool enter_sandbox(const struct card *card, const struct task_env *env, const struct task_kind *kind, struct err *err)
{
    char model_dir[PATH_MAX], ort_dir[PATH_MAX];
    const char *read[8], *write[2];
    int n = 0;
    const unsigned needs = task_kind_needs(kind);
    make_folders(env->cache_dir);
    make_folders(env->data_dir);
    const char *const all[] = { card->dir, card->models_dir, card->model[0] ? dir_of(card->model, model_dir) : NULL, env->data_dir,
                                env->ort_path ? dir_of(env->ort_path, ort_dir) : NULL };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i])
            read[n++] = all[i];
    read[n] = NULL;
    n = 0;
    if (env->cache_dir)
        write[n++] = env->cache_dir;
    write[n] = NULL;
    struct sandbox *s = sandbox_new(&(struct sandbox_rules){ .read = read, .write = write, .may_exec = needs & TASK_NEEDS_PROGRAMS,
                                                             .may_use_devices = (needs & TASK_NEEDS_DEVICES) || wants_device(env->providers) }, err);
    if (!s)
        return false;
    const int rc = sandbox_enter(s);
    sandbox_free(s);
    return rc == 0 || err_set(err, ERR_IO, "cannot enter the sandbox: %s", strerror(rc));
}

static bool open_task(struct worker *w, const struct task_kind *const *more, struct err *err)
{
    static struct task_env env;
    static char ort_path[ONNX_PATH_MAX], places_text[4 * ONNX_PATH_MAX];
    const struct worker_open *o = (const struct worker_open *)(w->in + WORKER_DATA_AT);
    const char *text[WORKER_TEXTS], *at = (const char *)(o + 1);
    for (int i = 0; i < WORKER_TEXTS; i++) {
        text[i] = o->n_text[i] > 0 ? strdup(at) : NULL; /* kept for good: the requests will lie there */
        if (o->n_text[i] > 0 && !text[i])
            return err_set(err, ERR_NOMEM, "no memory");
        at += o->n_text[i];
    }
    const int n_threads = o->n_threads;
    const uint64_t memory_bytes = o->memory_bytes;
    w->card = card_parse(text[WORKER_CARD_NAME], text[WORKER_CARD], strlen(text[WORKER_CARD]), text[WORKER_DIR], text[WORKER_MODELS], err);
    const struct task_kind *kind = w->card ? find(more, w->card, err) : NULL;
    if (!kind)
        return false;
    /* The library is looked for while folders can still be read; a task that needs none does not miss it. */
    struct onnx_places places;
    struct err none;
    onnx_places_here(&places, places_text);
    if (text[WORKER_ORT])
        places.file = text[WORKER_ORT];
    env = (struct task_env){ .cache_dir = text[WORKER_CACHE], .data_dir = text[WORKER_DATA], .n_threads = n_threads, .providers = text[WORKER_PROVIDERS],
                             .ort_path = onnx_find_library(&places, ort_path, &none) ? ort_path : text[WORKER_ORT] };
    limit_memory(memory_bytes);
    return enter_sandbox(w->card, &env, kind, err) && (w->task = task_open_kind(kind, w->card, &env, err));
}

/* One policy for threads, told to libraries that read it when they are loaded; and no library talks to the world. */
static void set_environment(int n_threads)
{
    char n[16];
    snprintf(n, sizeof(n), "%d", n_threads > 0 ? n_threads : 1);
    setenv("OMP_THREAD_LIMIT", n, 1);
    setenv("OMP_NUM_THREADS", n, 1);
    setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
    setenv("OPENBLAS_NUM_THREADS", n, 1);
    setenv("ORT_DISABLE_TELEMETRY", "1", 1);
}

static bool say_ready(struct worker *w)
{
    const struct task_info *info = task_get_info(w->task);
    const uint64_t at = claim(w, sizeof(*info));
    memcpy(w->out + at % WORKER_OUT_BYTES, info, sizeof(*info));
    const struct worker_msg m = { .kind = WORKER_READY, .at = at, .n_whole = sizeof(*info) };
    return send_msg(&m, WORKER_MSG_SHORT);
}

int worker_main(const struct task_kind *const *more)
{
    static struct worker w;
    struct worker_msg m;
    struct err err;
    prctl(PR_SET_NAME, "tutti-worker");
    w.in = mmap(NULL, WORKER_IN_BYTES, PROT_READ, MAP_SHARED, WORKER_FD_IN, 0);
    w.out = mmap(NULL, WORKER_OUT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, WORKER_FD_OUT, 0);
    if (w.in == MAP_FAILED || w.out == MAP_FAILED || !next_msg(&m) || m.kind != WORKER_OPEN) {
        fprintf(stderr, "tutti worker: this is a part of tutti that tutti starts itself\n");
        return 2;
    }
    const struct worker_open *o = (const struct worker_open *)(w.in + WORKER_DATA_AT);
    set_environment(o->n_threads);
    w.requests = arena_new(RUN_ARENA_BYTES, &err);
    if (!w.requests || !open_task(&w, more, &err)) {
        send_error(&w, WORKER_FAILED, 0, &err);
        leave(1);
    }
    if (!say_ready(&w))
        leave(0);
    while (next_msg(&m))
        if (m.kind == WORKER_RUN) {
            w.batch = m.n;
            w.head = w.acked = 0;
            run_batch(&w, m.slot);
        } else if (m.kind == WORKER_ACK)
            w.acked = m.at;
    leave(0);
}
