/* tests/expert/collect.h - a job's events gathered for the tests that wait for them. */
#ifndef TUTTI_TEST_EXPERT_COLLECT_H
#define TUTTI_TEST_EXPERT_COLLECT_H
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "expert/expert_llm.h"
#include "test.h"

enum { COLLECT_CHOICES = 8, COLLECT_TEXT = 8192, COLLECT_IDS = 1024 };

struct collect {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct job *job;
    int n_queued, n_started, n_deltas, n_final, n_vectors;
    bool bad_utf8, after_final, is_done;
    int gate_at; /* the delta at which the engine waits for collect_open_gate(), 0: none */
    bool is_slow; /* every delta takes 1 ms longer than the one before until the gate opens: 300 of them 45 s */
    bool is_gate_open;
    struct err err;
    struct expert_usage usage;
    struct {
        char text[COLLECT_TEXT], by_tokens[COLLECT_TEXT];
        size_t n, n_by_tokens;
        int32_t ids[COLLECT_IDS];
        float logprob[COLLECT_IDS], top_logprob[COLLECT_IDS];
        int n_ids, n_ends, n_top_min;
        enum expert_stop_reason reason;
        char stop[64];
    } choice[COLLECT_CHOICES];
    float vector[2048];
    int n_vector;
};

static void collect_event(void *ctx, const struct expert_event *ev)
{
    struct collect *c = ctx;
    pthread_mutex_lock(&c->lock);
    c->after_final |= c->n_final > 0;
    if (ev->usage)
        c->usage = *ev->usage;
    const int k = ev->choice < COLLECT_CHOICES ? ev->choice : 0;
    switch (ev->kind) {
    case EXPERT_ROUTED:
    case EXPERT_PART: break;
    case EXPERT_QUEUED: c->n_queued++; break;
    case EXPERT_STARTED: c->n_started++; break;
    case EXPERT_DELTA:
        c->n_deltas++;
        c->bad_utf8 |= !utf8_is_valid(ev->text, ev->n_text) || strlen(ev->text) != ev->n_text;
        if (c->choice[k].n + ev->n_text < COLLECT_TEXT) {
            memcpy(c->choice[k].text + c->choice[k].n, ev->text, ev->n_text + 1);
            c->choice[k].n += ev->n_text;
        }
        for (int i = 0; i < ev->n_tokens && c->choice[k].n_ids < COLLECT_IDS; i++) {
            const struct expert_token *t = &ev->tokens[i];
            if (c->choice[k].n_by_tokens + (size_t)t->n_text < COLLECT_TEXT) {
                memcpy(c->choice[k].by_tokens + c->choice[k].n_by_tokens, t->text, (size_t)t->n_text);
                c->choice[k].n_by_tokens += (size_t)t->n_text;
            }
            if (t->n_top)
                c->choice[k].top_logprob[c->choice[k].n_ids] = t->top[0].logprob;
            if (!c->choice[k].n_ids || t->n_top < c->choice[k].n_top_min)
                c->choice[k].n_top_min = t->n_top;
            c->choice[k].logprob[c->choice[k].n_ids] = t->logprob;
            c->choice[k].ids[c->choice[k].n_ids++] = t->id;
        }
        if (c->is_slow && !c->is_gate_open) {
            const long ms = c->n_deltas < 900 ? c->n_deltas : 900;
            pthread_mutex_unlock(&c->lock);
            nanosleep(&(struct timespec){ 0, ms * 1000000 }, NULL);
            pthread_mutex_lock(&c->lock);
        }
        if (c->n_deltas == c->gate_at) {
            pthread_cond_broadcast(&c->cond);
            while (!c->is_gate_open)
                pthread_cond_wait(&c->cond, &c->lock);
        }
        break;
    case EXPERT_CHOICE_END:
        c->choice[k].n_ends++;
        c->choice[k].reason = ev->reason;
        snprintf(c->choice[k].stop, sizeof(c->choice[k].stop), "%s", ev->stop ? ev->stop : "");
        break;
    case EXPERT_VECTOR:
        c->n_vectors++;
        c->n_vector = ev->n_vector;
        memcpy(c->vector, ev->vector, (size_t)(ev->n_vector < 2048 ? ev->n_vector : 2048) * sizeof(float));
        break;
    case EXPERT_DONE:
    case EXPERT_ERROR:
        c->n_final++;
        c->is_done = ev->kind == EXPERT_DONE;
        if (ev->err)
            c->err = *ev->err;
        break;
    case EXPERT_RESULT:
    case EXPERT_AUDIO:
    case EXPERT_TENSOR:
    case EXPERT_EVENT_COUNT: break;
    }
    pthread_cond_broadcast(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

/* A completion of this prompt, greedy; change what you like before collect_submit(). */
static inline struct job *collect_job(struct collect *c, const char *prompt)
{
    struct err err = { 0 };
    memset(c, 0, sizeof(*c));
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->cond, NULL);
    struct job *j = job_new(1 << 20, &err);
    struct job_input *in = arena_alloc(j->arena, 1, sizeof(*in), &err);
    in->text = arena_strndup(j->arena, prompt, strlen(prompt), &err);
    in->n_text = strlen(prompt);
    j->inputs = in;
    j->n_inputs = 1;
    j->sampling.temperature = 0;
    j->max_tokens = 60;
    j->on_event = collect_event;
    j->ctx = c;
    c->job = j;
    return j;
}

static inline bool collect_submit(struct collect *c, struct expert *e)
{
    const bool ok = expert_submit(e, c->job, &c->err);
    CHECK(ok, "%s", c->err.text);
    return ok;
}

static inline void collect_wait(struct collect *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->n_final)
        pthread_cond_wait(&c->cond, &c->lock);
    pthread_mutex_unlock(&c->lock);
    CHECK(c->n_final == 1 && !c->after_final && !c->bad_utf8);
}

static inline void collect_wait_deltas(struct collect *c, int n)
{
    pthread_mutex_lock(&c->lock);
    while (!c->n_final && c->n_deltas < n)
        pthread_cond_wait(&c->cond, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static inline void collect_wait_queued(struct collect *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->n_final && !c->n_queued)
        pthread_cond_wait(&c->cond, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

/* Lets the engine go on that stands at c->gate_at: what the test did until then came before the next token. */
static inline void collect_open_gate(struct collect *c)
{
    pthread_mutex_lock(&c->lock);
    c->is_gate_open = true;
    pthread_cond_broadcast(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

static inline void collect_free(struct collect *c)
{
    job_unref(c->job);
    c->job = NULL;
}

/* Opens, or ends the test as skipped when the file is not there. */
static inline struct expert *collect_open(const char *shared_path, struct expert_llm_options opt)
{
    struct err err = { 0 };
    struct expert *e = expert_llm_open(test_shared(shared_path), &opt, &err);
    CHECK(e && expert_wait_ready(e, &err), "%s", err.text);
    return e;
}
#endif
