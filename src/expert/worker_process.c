/* expert/worker_process.c - the worker process seen from its parent: made, fed, listened to, ended.  Nothing that it says is
 * believed: lengths, slots and order are checked, a wrong one ends it. */
#define _GNU_SOURCE /* memfd_create, fallocate */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "expert/supervisor_internal.h"
#include "proc/memory.h"

enum { KEEP_PAGES_BYTES = 8 << 20, ACK_BYTES = 16 << 20, WORKER_FILES = 256, WORKER_ENV_MAX = 128 };
_Static_assert(ACK_BYTES + 2 * WORKER_EVENT_MAX < WORKER_OUT_BYTES, "a ring in which so much is not acknowledged takes any event");

/* ---- made and ended ---- */

/* Of fixed size, so that the other side cannot cut it off under our hands. */
static int shared_memory(const char *name, size_t n, uint8_t **map, struct err *err)
{
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    *map = NULL;
    if (fd >= 0 && ftruncate(fd, (off_t)n) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p != MAP_FAILED) {
            *map = p;
            return fd;
        }
    }
    err_set(err, ERR_NOMEM, "no shared memory for a worker: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool send_msg(const struct expert_worker *e, const struct worker_msg *m)
{
    ssize_t rc;
    while ((rc = send(e->socket_fd, m, WORKER_MSG_SHORT, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return rc == (ssize_t)WORKER_MSG_SHORT;
}

/* The card and where things are, for the child to open. */
static bool send_open(struct expert_worker *e, struct err *err)
{
    struct buf card;
    buf_init(&card, YAML_MAX_BYTES);
    if (!card_put_text(e->card, &card, err)) {
        buf_fini(&card);
        return false;
    }
    const char *const text[WORKER_TEXTS] = { card_text_name(e->card), card.data, e->card->dir, e->card->models_dir, e->cache_dir, e->data_dir, e->ort_path,
                                               e->providers };
    struct worker_open *o = (struct worker_open *)(e->in + WORKER_DATA_AT);
    char *at = (char *)(o + 1);
    /* Address space holds more than what is used: libraries, files that are mapped, threads' stacks, and ours. */
    o->memory_bytes = e->limit_bytes ? 2 * e->limit_bytes + (4ull << 30) : 0;
    o->n_threads = e->n_threads;
    for (int i = 0; i < WORKER_TEXTS; i++) {
        const size_t n = text[i] ? strlen(text[i]) + 1 : 0;
        o->n_text[i] = (uint32_t)n;
        if (n > 0)
            memcpy(at, text[i], n);
        at += n;
    }
    buf_fini(&card);
    const struct worker_msg m = { .kind = WORKER_OPEN, .at = WORKER_DATA_AT };
    return send_msg(e, &m) || err_set(err, ERR_IO, "the worker ended at once");
}

/* What a library may need to find its things; keys and tokens of ours are none of its business. */
static void pick_environment(const char *env[static WORKER_ENV_MAX])
{
    static const char *const names[] = { "PATH", "HOME", "LANG", "LC_", "TZ", "LD_LIBRARY_PATH", "XDG_DATA_HOME", "TUTTI_ORT", "TUTTI_CPU", "TUTTI_MODELS",
                                         "TESSDATA_PREFIX", "CUDA_", "NVIDIA_", "ROCM_", "HSA_", "ONEAPI_", "ASAN_OPTIONS", "UBSAN_OPTIONS",
                                         "TSAN_OPTIONS", "LSAN_OPTIONS" };
    int n = 0;
    for (char **v = environ; v && *v && n < WORKER_ENV_MAX - 1; v++)
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            const size_t len = strlen(names[i]);
            if (strncmp(*v, names[i], len) == 0 && ((*v)[len] == '=' || names[i][len - 1] == '_')) {
                env[n++] = *v;
                break;
            }
        }
    env[n] = NULL;
}

bool process_start(struct expert_worker *e, struct err *err)
{
    const char *env[WORKER_ENV_MAX];
    int sockets[2] = { -1, -1 }, words[2] = { -1, -1 }, in = -1, out = -1;
    bool ok = false;
    pick_environment(env);
    e->last_words[0] = '\0';
    e->read_to = e->acked = 0;
    e->batch = 0;
    e->in_used = WORKER_DATA_AT;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0 || pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0)
        err_set(err, ERR_IO, "no socket for a worker: %s", strerror(errno));
    else if ((in = shared_memory("tutti-in", WORKER_IN_BYTES, &e->in, err)) >= 0 && (out = shared_memory("tutti-out", WORKER_OUT_BYTES, &e->out, err)) >= 0) {
        const struct child_spec spec = { .program = CHILD_SELF, .argv = (const char *[]){ "tutti", "worker", NULL }, .env = env,
                                         .fds = (int[]){ -1, -1, words[1], sockets[1], in, out }, .n_fds = WORKER_FDS,
                                         .limits = { .files = WORKER_FILES } };
        fcntl(sockets[0], F_SETFL, O_NONBLOCK);
        ok = child_start(&e->child, &spec, err);
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    if (sockets[1] >= 0)
        close(sockets[1]);
    if (words[1] >= 0)
        close(words[1]);
    e->socket_fd = sockets[0];
    e->words_fd = words[0];
    if (ok) {
        atomic_store(&e->pid, e->child.pid);
        ok = send_open(e, err);
    }
    if (!ok)
        process_end(e, NULL);
    return ok;
}

void process_end(struct expert_worker *e, struct child_end *end)
{
    struct child_end unused;
    end = end ? end : &unused;
    *end = (struct child_end){ 0 };
    atomic_store(&e->pid, 0);
    child_stop(&e->child, 0, end);
    if (e->words_fd >= 0) {
        process_hear_words(e);
        close(e->words_fd);
    }
    if (e->socket_fd >= 0)
        close(e->socket_fd);
    if (e->in)
        munmap(e->in, WORKER_IN_BYTES);
    if (e->out)
        munmap(e->out, WORKER_OUT_BYTES);
    e->in = e->out = NULL;
    e->words_fd = e->socket_fd = -1;
}

uint64_t process_own_bytes(const struct expert_worker *e)
{
    struct memory_use use;
    const pid_t pid = atomic_load(&e->pid);
    return pid > 0 && memory_of_tree(pid, &use) ? use.own_bytes : 0;
}

/* ---- fed ---- */

bool process_run(struct expert_worker *e)
{
    struct worker_control *c = (struct worker_control *)e->in;
    size_t at = WORKER_DATA_AT;
    for (uint32_t i = 0; i < e->n_slots; i++) {
        struct request *r = e->slot[i];
        struct task_request rq = r->job->request;
        rq.texts = r->texts;
        rq.n_texts = r->n_texts;
        rq.options.input_share = atomic_load(&e->input_share);
        atomic_store_explicit(&c->is_cancelled[i], 0, memory_order_relaxed);
        c->request[i].at = at;
        c->request[i].n_head = r->size.n_head;
        c->request[i].n_whole = r->size.n_whole;
        pack_request(e->in + at, r->size, &rq);
        at += (r->size.n_whole + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN;
    }
    if (at > e->in_used)
        e->in_used = at;
    e->read_to = e->acked = 0; /* the ring begins anew with each batch: its first pages stay warm */
    const struct worker_msg m = { .kind = WORKER_RUN, .slot = e->n_slots, .n = ++e->batch };
    return send_msg(e, &m);
}

void process_cancel(struct expert_worker *e, uint32_t slot)
{
    struct worker_control *c = (struct worker_control *)e->in;
    atomic_store_explicit(&c->is_cancelled[slot], 1, memory_order_relaxed);
}

void process_forget_pages(struct expert_worker *e)
{
    if (e->in_used > KEEP_PAGES_BYTES && madvise(e->in + WORKER_DATA_AT, WORKER_IN_BYTES - WORKER_DATA_AT, MADV_REMOVE) == 0)
        e->in_used = WORKER_DATA_AT;
    if (e->read_to % WORKER_OUT_BYTES > KEEP_PAGES_BYTES && madvise(e->out, WORKER_OUT_BYTES, MADV_REMOVE) == 0)
        log_debug("%s: shared pages given back", e->card->id);
}

/* ---- heard ---- */

/* What it prints is kept as its last words, line by line. */
void process_hear_words(struct expert_worker *e)
{
    char text[1024];
    ssize_t n;
    for (int i = 0; i < 64 && (n = read(e->words_fd, text, sizeof(text) - 1)) > 0; i++) {
        text[n] = '\0';
        char *save = NULL;
        for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
            for (char *p = line; *p; p++)
                if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
                    *p = '?';
            snprintf(e->last_words, sizeof(e->last_words), "%s", line);
            log_debug("%s: worker: %s", e->card->id, line);
        }
    }
}

static void to_err(const struct worker_msg *m, struct err *err)
{
    char text[sizeof(m->text)];
    memcpy(text, m->text, sizeof(text));
    text[sizeof(text) - 1] = '\0';
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    const bool is_code = m->code > ERR_NONE && m->code < ERR_COUNT && m->code != ERR_AUTH;
    err_set(err, is_code ? (enum err_code)m->code : ERR_INTERNAL, "%s", utf8_is_valid(text, strlen(text)) && text[0] ? text : "failed without a word");
}

static bool hear_ready(struct expert_worker *e, const struct worker_msg *m, struct err *err)
{
    struct task_info info;
    if (m->at >= WORKER_OUT_BYTES || m->n_whole != sizeof(info) || sizeof(info) > WORKER_OUT_BYTES - m->at)
        return err_set(err, ERR_INTERNAL, "nonsense instead of what it is");
    memcpy(&info, e->out + m->at, sizeof(info));
    info.runs_on[sizeof(info.runs_on) - 1] = info.note[sizeof(info.note) - 1] = '\0';
    bool ok = info.n_inputs >= 0 && info.n_inputs <= TASK_IO_MAX && info.n_outputs >= 0 && info.n_outputs <= TASK_IO_MAX && info.n_batch_max >= 1 &&
              info.rate_hz >= 0 && info.tasks > 0 && info.tasks < 1u << EXPERT_TASK_COUNT && utf8_is_valid(info.runs_on, strlen(info.runs_on)) &&
              utf8_is_valid(info.note, strlen(info.note));
    for (int i = 0; i < TASK_IO_MAX; i++) {
        struct task_io *const both[] = { &info.inputs[i], &info.outputs[i] };
        for (int k = 0; k < 2; k++) {
            struct task_io *io = both[k];
            io->name[sizeof(io->name) - 1] = '\0';
            io->shape.name = NULL; /* points to name[] where it is copied to: expert_get_info() */
            io->shape.data = NULL;
            io->shape.n_bytes = 0;
            ok = ok && io->shape.n_dims >= 0 && io->shape.n_dims <= TENSOR_DIMS_MAX && (unsigned)io->shape.type < TENSOR_TYPE_COUNT &&
                 utf8_is_valid(io->name, strlen(io->name));
        }
    }
    if (!ok)
        return err_set(err, ERR_INTERNAL, "nonsense instead of what it is");
    e->read_to = e->acked = (m->at + m->n_whole + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN;
    pthread_mutex_lock(&e->lock);
    e->info = info;
    snprintf(e->facts.runs_on, sizeof(e->facts.runs_on), "%s", info.runs_on);
    snprintf(e->facts.note, sizeof(e->facts.note), "%s", info.note);
    e->facts.tasks = info.tasks;
    e->facts.rate_hz = info.rate_hz;
    pthread_mutex_unlock(&e->lock);
    return true;
}

/* Does this event belong to what was asked? */
static bool is_fitting(const struct request *r, const struct task_event *ev)
{
    const enum expert_task t = r->job->task;
    switch (ev->kind) {
    case TASK_TEXT: return ev->input == 0 && (t & (EXPERT_TRANSCRIBE | EXPERT_OCR | EXPERT_DESCRIBE));
    case TASK_AUDIO: return ev->input == 0 && t == EXPERT_SPEAK;
    case TASK_TENSOR: return ev->input == 0 && t == EXPERT_INFER;
    case TASK_RESULT: return t == EXPERT_EMBED ? ev->input == r->n_vectors && ev->result->n_vector > 0 : ev->input == 0 && t != EXPERT_INFER;
    case TASK_EVENT_COUNT: break;
    }
    return false;
}

static void pass_on(struct request *r, const struct task_event *ev)
{
    struct job *j = r->job;
    struct expert_event out = { .choice = ev->input };
    switch (ev->kind) {
    case TASK_TEXT:
        out.kind = EXPERT_DELTA;
        out.text = ev->text;
        out.n_text = ev->n_text;
        break;
    case TASK_AUDIO:
        out.kind = EXPERT_AUDIO;
        out.samples = ev->samples;
        out.n_samples = ev->n_samples;
        out.rate_hz = ev->rate_hz;
        break;
    case TASK_TENSOR:
        out.kind = EXPERT_TENSOR;
        out.tensor = ev->tensor;
        break;
    case TASK_RESULT:
        out.kind = j->task == EXPERT_EMBED ? EXPERT_VECTOR : EXPERT_RESULT;
        out.result = ev->result;
        out.vector = ev->result->vector;
        out.n_vector = ev->result->n_vector;
        r->n_vectors++;
        break;
    case TASK_EVENT_COUNT: return;
    }
    if (!r->first_ns) {
        r->first_ns = clock_ns();
        r->usage.prefill_ns = r->first_ns - r->started_ns;
    }
    r->has_sent = true;
    j->on_event(j->ctx, &out);
}

/* What was read since the last ACK: a long stream holds some megabytes, not the whole ring. */
static void forget_read(struct expert_worker *e)
{
    const size_t page = 4096 * 16, from = (e->acked % WORKER_OUT_BYTES + page - 1) / page * page, to = e->read_to % WORKER_OUT_BYTES / page * page;
    if (from < to)
        madvise(e->out + from, to - from, MADV_REMOVE);
    else if (e->acked % WORKER_OUT_BYTES > e->read_to % WORKER_OUT_BYTES) {
        if (from < WORKER_OUT_BYTES)
            madvise(e->out + from, WORKER_OUT_BYTES - from, MADV_REMOVE);
        if (to > 0)
            madvise(e->out, to, MADV_REMOVE);
    }
}

static bool hear_event(struct expert_worker *e, const struct worker_msg *m, struct err *err)
{
    const size_t at = m->at % WORKER_OUT_BYTES;
    const struct pack_size size = { m->n_head, m->n_whole };
    if (m->slot >= e->n_slots || m->n != e->batch || m->at % PACK_ALIGN != 0 || m->at < e->read_to || m->at - e->read_to > WORKER_OUT_BYTES || size.n_head > size.n_whole ||
        size.n_head > PACK_HEAD_MAX || size.n_whole > WORKER_EVENT_MAX || size.n_whole > WORKER_OUT_BYTES - at ||
        m->at + size.n_whole - e->acked > WORKER_OUT_BYTES)
        return err_set(err, ERR_INTERNAL, "an event that lies nowhere");
    struct request *r = e->slot[m->slot];
    if (r) {
        struct task_event ev;
        struct err bad;
        if (size.n_head > e->head_cap) {
            uint8_t *more = realloc(e->head, size.n_head);
            if (!more)
                return err_set(err, ERR_NOMEM, "no memory for a result");
            e->head = more;
            e->head_cap = size.n_head;
        }
        if (size.n_head > 0)
            memcpy(e->head, e->out + at, size.n_head);
        arena_reset(e->arena);
        if (unpack_event(e->head, e->out + at, size, e->arena, &ev, &bad) &&
            (is_fitting(r, &ev) || err_set(&bad, ERR_INTERNAL, "not what was asked for"))) {
            pass_on(r, &ev);
        } else { /* a wrong answer, or a worker that was taken over: the job alone hears of it */
            err_prefix(&bad, "%s: the worker's result", e->card->id);
            slot_end(e, m->slot, &bad);
        }
    }
    e->read_to = (m->at + size.n_whole + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN;
    e->until_ns = clock_ns() + e->timeout_ns;
    if (e->read_to - e->acked > ACK_BYTES) {
        forget_read(e);
        e->acked = e->read_to;
        const struct worker_msg ack = { .kind = WORKER_ACK, .at = e->acked };
        return send_msg(e, &ack) || err_set(err, ERR_IO, "it is gone");
    }
    return true;
}

static bool hear_done(struct expert_worker *e, const struct worker_msg *m, struct err *err)
{
    if (m->slot >= e->n_slots || m->n != e->batch || e->is_done[m->slot])
        return err_set(err, ERR_INTERNAL, "an answer that nobody asked for");
    struct request *r = e->slot[m->slot];
    e->is_done[m->slot] = true;
    e->n_open_slots--;
    if (r) {
        struct err why = { 0 };
        e->slot[m->slot] = NULL;
        e->n_jobs_in_slots--;
        if (m->code != ERR_NONE)
            to_err(m, &why);
        else if (r->job->task == EXPERT_EMBED && r->n_vectors != r->n_texts)
            err_set(&why, ERR_INTERNAL, "%s: %d vectors are missing", e->card->id, r->n_texts - r->n_vectors);
        request_end(e, r, why.code != ERR_NONE ? &why : NULL);
    }
    if (e->n_open_slots == 0)
        batch_end(e);
    return true;
}

bool process_hear(struct expert_worker *e, struct err *err)
{
    for (;;) {
        struct worker_msg m;
        memset(&m, 0, sizeof(m));
        const ssize_t n = recv(e->socket_fd, &m, sizeof(m), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0)
            return err_set(err, ERR_IO, "%s", ""); /* how it ended is known when it is reaped */
        if (n < (ssize_t)WORKER_MSG_SHORT)
            return err_set(err, ERR_INTERNAL, "a message of %zd bytes", n);
        bool ok = false;
        if (e->phase == PHASE_STARTING && m.kind == WORKER_READY) {
            if ((ok = hear_ready(e, &m, err)))
                e->phase = PHASE_IDLE;
        } else if (e->phase == PHASE_STARTING && m.kind == WORKER_FAILED) {
            to_err(&m, err);
            e->is_down = true;
        } else if (e->phase == PHASE_RUNNING && m.kind == WORKER_EVENT) {
            ok = hear_event(e, &m, err);
        } else if (e->phase == PHASE_RUNNING && m.kind == WORKER_DONE) {
            ok = hear_done(e, &m, err);
        } else {
            err_set(err, ERR_INTERNAL, "a message out of turn");
        }
        if (!ok)
            return false;
        for (uint32_t i = 0; i < e->n_slots; i++)
            if (e->slot[i] && job_is_held(e->slot[i]->job))
                return true; /* its reader is slow: what else there is stays where it is */
    }
}
