/* tests/expert/fake_worker.h - a test program that is its own worker: the task `fake` does what its request says.
 *
 * The request's first medium is a line of text:
 *   say WORDS      a result with that text          batch        how many requests ran at once
 *   pid            its process                      count        a session's requests so far
 *   input          the share of the picture's side that shall be looked at, in percent
 *   crash, hang, stop, grow, exit                   what libraries do
 *   crash-once F   crashes unless the file F is there, which it makes (F: below the cache folder)
 *   cancel         computes until it is cancelled   busy MS      computes so long
 *   audio N        N pieces of speech               big MB       a result of that size
 *   socket, write F, read F, fork, exec             what a worker that was taken over would try: the answer is what errno says
 *   env NAME       what that variable says
 *   bad N          the Nth way to talk nonsense     sniff        the first bytes of the second medium
 * The card's key `open` is one of crash, fail, slow.  */
#ifndef TUTTI_TEST_FAKE_WORKER_H
#define TUTTI_TEST_FAKE_WORKER_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "expert/expert_worker.h"
#include "expert/pack.h"
#include "expert/worker.h"
#include "expert/worker_internal.h"
#include "test.h"

/* ---- the child's side ---- */

static void fake_pass(long ms) { nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL); }
static volatile int *fake_null;
static int fake_counts[64], fake_runs = -1;

static void fake_crash(void)
{
    signal(SIGSEGV, SIG_DFL); /* sanitizers would print a page */
    *fake_null = 1;
    abort();
}

static bool fake_open(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { "open", "batch_max", NULL };
    const char *open = "";
    *self = (void *)(size_t)env;
    if (!card_check_keys(card, keys, err) || !yaml_text(card->yaml, card->node, "open", &open, err))
        return false;
    if (strcmp(open, "crash") == 0)
        fake_crash();
    if (strcmp(open, "fail") == 0)
        return err_set(err, ERR_NOT_FOUND, "the fake has no model");
    if (strcmp(open, "slow") == 0)
        fake_pass(30);
    return true;
}

static void fake_free(void *self) { (void)self; }

static void fake_info(void *self, struct task_info *out)
{
    (void)self;
    out->n_batch_max = 8;
    snprintf(out->runs_on, sizeof(out->runs_on), "a fake");
}

static bool fake_say(const struct task_out *out, const char *text, struct err *err)
{
    return task_emit_result(out, &(struct task_result){ .text = text }, err);
}

static void fake_bad(int how, uint32_t batch)
{
    struct worker_msg m = { .kind = WORKER_EVENT, .n = batch, .n_head = 64, .n_whole = 64 };
    switch (how) {
    case 0: m.slot = 77; break;
    case 1: m.at = ~0ull - 63; break;
    case 2: m.n_whole = ~0ull - 63; break;
    case 3: m.n_head = 1 << 30; break;
    case 4: m.kind = 99; break;
    case 5: m.kind = WORKER_DONE, m.slot = 500; break;
    case 6: m.kind = WORKER_READY; break;
    case 7: m.at = 1; break;
    case 8: /* twice done */
        m.kind = WORKER_DONE;
        send(WORKER_FD_SOCKET, &m, WORKER_MSG_SHORT, 0);
        break;
    case 9: /* half a message */
        send(WORKER_FD_SOCKET, &m, 5, 0);
        return;
    }
    send(WORKER_FD_SOCKET, &m, WORKER_MSG_SHORT, 0);
}

static bool fake_one(const struct task_env *env, const struct task_request *rq, const struct task_out *out, int n_batch, struct err *err)
{
    char text[256], word[32] = "", arg[200] = "";
    fake_runs++; /* of one request each, when `bad` is asked */
    snprintf(text, sizeof(text), "%.*s", (int)rq->media[0].n_bytes, (const char *)rq->media[0].bytes);
    sscanf(text, "%31s %199[^\n]", word, arg);
    const int n = atoi(arg);
    errno = 0;
    if (strcmp(word, "say") == 0)
        return fake_say(out, arg, err);
    if (strcmp(word, "pid") == 0 || strcmp(word, "batch") == 0) {
        snprintf(text, sizeof(text), "%d", word[0] == 'p' ? (int)getpid() : n_batch);
        return fake_say(out, text, err);
    }
    if (strcmp(word, "input") == 0) {
        snprintf(text, sizeof(text), "%.0f", (double)rq->options.input_share * 100);
        return fake_say(out, text, err);
    }
    if (strcmp(word, "count") == 0) {
        if (rq->session_start)
            fake_counts[rq->session % 64] = 0;
        snprintf(text, sizeof(text), "%d", ++fake_counts[rq->session % 64]);
        return fake_say(out, text, err);
    }
    if (strcmp(word, "crash") == 0)
        fake_crash();
    if (strcmp(word, "crash-once") == 0) {
        snprintf(text, sizeof(text), "%s/%s", env->cache_dir, arg);
        if (access(text, F_OK) == 0)
            return fake_say(out, "survived", err);
        close(open(text, O_CREAT | O_WRONLY, 0600));
        fake_crash();
    }
    if (strcmp(word, "exit") == 0)
        _exit(7);
    while (strcmp(word, "hang") == 0)
        pause();
    if (strcmp(word, "stop") == 0) {
        raise(SIGSTOP);
        return fake_say(out, "went on", err);
    }
    if (strcmp(word, "grow") == 0)
        for (int i = 0;; i++) {
            while (i >= 100)
                pause(); /* 400 MB are enough to be seen, and no more than a small machine has */
            char *p = malloc(4 << 20);
            if (!p)
                return err_set(err, ERR_NOMEM, "no memory for a picture");
            memset(p, 1, 4 << 20);
            fake_pass(1);
        }
    if (strcmp(word, "busy") == 0) {
        fake_pass(n);
        return fake_say(out, "done", err);
    }
    if (strcmp(word, "cancel") == 0) {
        while (!out->is_cancelled(out->ctx))
            fake_pass(1);
        return err_set(err, ERR_CANCELLED, "cancelled");
    }
    if (strcmp(word, "audio") == 0) {
        static float samples[2400];
        for (int i = 0; i < n; i++) {
            samples[0] = (float)i;
            if (!task_emit_audio(out, samples, 2400, 24000, err))
                return false;
        }
        return true;
    }
    if (strcmp(word, "big") == 0) {
        float *v = arena_alloc(out->arena, (size_t)n << 18, sizeof(*v), err);
        if (!v)
            return false;
        v[(n << 18) - 1] = 5;
        return task_emit_result(out, &(struct task_result){ .vector = v, .n_vector = n << 18 }, err);
    }
    if (strcmp(word, "sniff") == 0) {
        snprintf(text, sizeof(text), "%.*s", 5, (const char *)rq->media[1].bytes);
        return fake_say(out, text, err);
    }
    if (strcmp(word, "env") == 0)
        return fake_say(out, getenv(arg) ? "there" : "not there", err);
    if (strcmp(word, "bad") == 0) {
        fake_bad(n, 1 + (uint32_t)fake_runs);
        return fake_say(out, "after nonsense", err);
    }
    if (strcmp(word, "socket") == 0)
        close(socket(AF_INET, SOCK_STREAM, 0));
    else if (strcmp(word, "write") == 0)
        close(open(arg, O_CREAT | O_WRONLY, 0600));
    else if (strcmp(word, "read") == 0)
        close(open(arg, O_RDONLY));
    else if (strcmp(word, "fork") == 0) {
        if (fork() == 0)
            _exit(0);
    } else if (strcmp(word, "exec") == 0)
        execl("/bin/true", "true", (char *)NULL);
    else
        return err_set(err, ERR_INPUT, "the fake does not know '%s'", word);
    snprintf(text, sizeof(text), "%s", errno == EPERM || errno == EACCES || errno == EBADF ? "refused" : "done");
    return fake_say(out, text, err);
}

static bool fake_run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err) { return fake_one(self, rq, out, 1, err); }
static void fake_run_batch(void *self, const struct task_request *const *rqs, const struct task_out *const *outs, struct err *errs, int n)
{
    for (int i = 0; i < n; i++)
        fake_one(self, rqs[i], outs[i], n, &errs[i]);
}

static const struct task_kind fake_kind = { .kind = "fake", .open = fake_open, .free = fake_free, .info = fake_info, .run = fake_run, .run_batch = fake_run_batch };

/* Before main(): a process that a supervisor started is a worker and nothing else. */
__attribute__((constructor)) static void fake_begin(int argc, char **argv)
{
    static const struct task_kind *const kinds[] = { &fake_kind, NULL };
    if (argc == 2 && strcmp(argv[1], "worker") == 0)
        _exit(worker_main(kinds));
}

/* ---- the parent's side ---- */

struct answer {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct job *job;
    char text[256];
    float last_sample;
    int n_audio, n_started, n_queued, n_results, n_final, n_vector;
    bool after_final, is_done, out_of_order;
    struct err err;
    uint64_t final_ns;
};

static void answer_event(void *ctx, const struct expert_event *ev)
{
    struct answer *a = ctx;
    pthread_mutex_lock(&a->lock);
    a->after_final |= a->n_final > 0;
    switch (ev->kind) {
    case EXPERT_ROUTED:
    case EXPERT_PART: break;
    case EXPERT_QUEUED: a->n_queued++; break;
    case EXPERT_STARTED: a->n_started++; break;
    case EXPERT_RESULT:
        a->n_results++;
        if (ev->result->text)
            snprintf(a->text, sizeof(a->text), "%s", ev->result->text);
        if (ev->result->n_vector > 0) {
            a->n_vector = ev->result->n_vector;
            a->last_sample = ev->result->vector[a->n_vector - 1];
        }
        break;
    case EXPERT_AUDIO:
        a->out_of_order |= ev->samples[0] != (float)a->n_audio;
        a->n_audio++;
        break;
    case EXPERT_DONE:
    case EXPERT_ERROR:
        a->n_final++;
        a->final_ns = clock_ns();
        a->is_done = ev->kind == EXPERT_DONE;
        if (ev->err)
            a->err = *ev->err;
        break;
    default: break;
    }
    pthread_cond_broadcast(&a->cond);
    pthread_mutex_unlock(&a->lock);
}

static struct job *answer_job(struct answer *a, const char *line)
{
    struct err err;
    memset(a, 0, sizeof(*a));
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->cond, NULL);
    struct job *j = job_new(1 << 20, &err);
    struct task_media *m = arena_alloc(j->arena, 2, sizeof(*m), &err);
    j->task = EXPERT_CLASSIFY;
    m[0].bytes = arena_strndup(j->arena, line, strlen(line), &err);
    m[0].n_bytes = strlen(line);
    j->request.media = m;
    j->request.n_media = 1;
    if (strncmp(line, "audio", 5) == 0) {
        j->task = EXPERT_SPEAK;
        struct task_text *t = arena_alloc(j->arena, 1, sizeof(*t), &err);
        *t = (struct task_text){ "x", 1 };
        j->request.texts = t;
        j->request.n_texts = 1;
    }
    j->on_event = answer_event;
    j->ctx = a;
    a->job = j;
    return j;
}

static bool answer_ask(struct answer *a, struct expert *e, const char *line)
{
    answer_job(a, line);
    struct err err;
    const bool ok = expert_submit(e, a->job, &err);
    if (!ok)
        a->err = err;
    return ok;
}

static void answer_wait(struct answer *a)
{
    pthread_mutex_lock(&a->lock);
    while (!a->n_final)
        pthread_cond_wait(&a->cond, &a->lock);
    pthread_mutex_unlock(&a->lock);
}

static void answer_wait_started(struct answer *a)
{
    pthread_mutex_lock(&a->lock);
    while (!a->n_started && !a->n_final)
        pthread_cond_wait(&a->cond, &a->lock);
    pthread_mutex_unlock(&a->lock);
}

static void answer_free(struct answer *a)
{
    CHECK(a->n_final <= 1 && !a->after_final);
    job_unref(a->job);
}

/* One request, from beginning to end.  true: done. */
static bool answer_of(struct answer *a, struct expert *e, const char *line)
{
    const bool ok = answer_ask(a, e, line);
    if (ok)
        answer_wait(a);
    else
        CHECK(ok, "%s", a->err.text);
    answer_free(a);
    return a->is_done;
}

static struct expert *fake_expert(const char *more, struct keeper *keeper, const char *cache_dir)
{
    struct err err = { 0 };
    char text[512];
    snprintf(text, sizeof(text), "name: fake\ntask: classify\nkind: fake\n%s", more);
    struct card *c = card_parse("fake.yaml", text, strlen(text), "/no/such/folder", NULL, &err);
    CHECK(c, "%s", err.text);
    const struct expert_env env = { .keeper = keeper, .cache_dir = cache_dir, .n_threads = 1 };
    struct expert *e = c ? expert_worker_open(c, &env, &err) : NULL;
    CHECK(e, "%s", err.text);
    return e;
}

static inline struct expert_metrics fake_metrics(struct expert *e)
{
    struct expert_metrics m;
    expert_get_metrics(e, &m);
    return m;
}
#endif
