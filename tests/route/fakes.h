/* tests/route/fakes.h - experts that do as they are told, for tests of the router: one thread each, no models.
 *
 * What a fake does with its next jobs is `plan`: letters, one for each job, the last one again and again:
 *   w  words, then done        b  busy: refuses at the door       e  an error before the first word
 *   m  a word, then an error (dies mid-stream)                     h  hangs until it is cancelled
 *   0  done without a word     l  a loop of the same words         j  JSON that is broken        g  good JSON
 *   u  words that it is not sure of      c  the context is too short      i  the input is wrong
 */
#ifndef TUTTI_TEST_ROUTE_FAKES_H
#define TUTTI_TEST_ROUTE_FAKES_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "expert/expert.h"
#include "test.h"

enum { FAKE_JOBS_MAX = 512, FAKE_WORDS = 6 };

struct fake {
    struct expert base;
    const char *id, *plan;
    unsigned tasks;
    enum expert_privacy privacy;
    int quality;
    bool sees;
    struct card_price price;
    const char *kind;
    double billions;       /* of weights: how slow it is predicted to be */
    int pause_us;          /* between words */
    atomic_int state;      /* enum expert_state */
    atomic_int n_asked, n_done, n_cancelled, n_held, n_running;
    atomic_bool is_open;   /* h: let go */
    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *queue[FAKE_JOBS_MAX];
    int n_queue;
    bool quit, is_stopping;
    pthread_t threads[4];
    int n_threads;
};

static inline void fake_emit(struct job *j, const struct expert_event *ev) { j->on_event(j->ctx, ev); }

static inline void fake_nap(int us)
{
    const struct timespec t = { us / 1000000, us % 1000000 * 1000L };
    if (us > 0)
        nanosleep(&t, NULL);
}

static inline void fake_word(struct fake *f, struct job *j, const char *word, float logprob, struct expert_usage *u)
{
    const struct expert_token t = { 1, logprob, word, (int)strlen(word), NULL, 0 };
    fake_nap(f->pause_us);
    while (job_is_held(j) && !job_is_cancelled(j)) {
        f->n_held++;
        fake_nap(500);
    }
    u->n_gen_tok++;
    fake_emit(j, &(struct expert_event){ .kind = EXPERT_DELTA, .text = word, .n_text = strlen(word), .tokens = &t, .n_tokens = 1 });
}

static inline void fake_work(struct fake *f, struct job *j, char what)
{
    struct expert_usage u = { .n_prompt_tok = 5, .queue_ns = 1000 };
    struct err err = { 0 };
    char word[64];
    fake_emit(j, &(struct expert_event){ .kind = EXPERT_QUEUED });
    if (what == 'e')
        err_set(&err, ERR_INTERNAL, "%s broke", f->id);
    else if (what == 'c')
        err_set(&err, ERR_INPUT, "context_length_exceeded: the prompt has 9 tokens, the context 8");
    else if (what == 'i')
        err_set(&err, ERR_INPUT, "this makes no sense");
    if (err.code == ERR_NONE)
        fake_emit(j, &(struct expert_event){ .kind = EXPERT_STARTED, .usage = &u });
    if (what == 'h')
        while (!job_is_cancelled(j) && !f->is_open)
            fake_nap(1000);
    if (err.code == ERR_NONE && j->task == EXPERT_EMBED) {
        const float v[2] = { 3, 4 };
        for (int i = 0; i < j->n_inputs; i++)
            fake_emit(j, &(struct expert_event){ .kind = EXPERT_VECTOR, .choice = i, .vector = v, .n_vector = 2 });
    } else if (err.code == ERR_NONE && !(j->task & (EXPERT_CHAT | EXPERT_COMPLETE))) {
        const struct task_result r = { .text = f->id };
        fake_emit(j, &(struct expert_event){ .kind = EXPERT_RESULT, .result = &r });
    } else if (err.code == ERR_NONE) {
        for (int i = 0; i < (j->max_tokens ? j->max_tokens : FAKE_WORDS) && i < FAKE_WORDS && !job_is_cancelled(j) && what != '0' && what != 'j' && what != 'g'; i++) {
            snprintf(word, sizeof(word), "%.40s%d ", f->id, i);
            fake_word(f, j, what == 'l' ? "again and again " : word, what == 'u' ? -9 : -0.1f, &u);
            if (what == 'm' && i == 1) {
                err_set(&err, ERR_IO, "%s died", f->id);
                break;
            }
        }
        for (int i = 0; i < 60 && what == 'l' && !job_is_cancelled(j); i++)
            fake_word(f, j, "again and again ", -0.1f, &u);
        if (what == 'j' || what == 'g') {
            fake_word(f, j, "{\"a\": [1, ", -0.1f, &u);
            fake_word(f, j, what == 'g' ? "2]}" : "2", -0.1f, &u);
        }
        if (err.code == ERR_NONE && !job_is_cancelled(j))
            fake_emit(j, &(struct expert_event){ .kind = EXPERT_CHOICE_END, .reason = EXPERT_STOP });
    }
    pthread_mutex_lock(&f->lock);
    if (f->is_stopping && job_is_cancelled(j))
        err_set(&err, ERR_BUSY, "shutting down");
    pthread_mutex_unlock(&f->lock);
    if (job_is_cancelled(j)) {
        f->n_cancelled++;
        err_set(&err, ERR_CANCELLED, "cancelled");
    }
    f->n_running--;
    f->n_done++;
    atomic_store(&j->priv.expert, NULL);
    fake_emit(j, &(struct expert_event){ .kind = err.code ? EXPERT_ERROR : EXPERT_DONE, .usage = &u, .err = err.code ? &err : NULL });
    job_unref(j);
}

static inline char fake_next(struct fake *f)
{
    const int n = (int)strlen(f->plan), i = f->n_asked++;
    return f->plan[i < n ? i : n - 1];
}

static inline void *fake_main(void *arg)
{
    struct fake *f = arg;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        if (f->n_queue > 0) {
            struct job *j = f->queue[0];
            memmove(f->queue, f->queue + 1, (size_t)--f->n_queue * sizeof(f->queue[0]));
            pthread_mutex_unlock(&f->lock);
            fake_work(f, j, fake_next(f));
            pthread_mutex_lock(&f->lock);
        } else if (f->quit) {
            break;
        } else {
            pthread_cond_wait(&f->changed, &f->lock);
        }
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static inline bool fake_submit(struct expert *e, struct job *j, struct err *err)
{
    struct fake *f = (struct fake *)e;
    bool ok = true;
    pthread_mutex_lock(&f->lock);
    const int n = (int)strlen(f->plan);
    if (f->plan[f->n_asked < n ? f->n_asked : n - 1] == 'b') {
        f->n_asked++;
        ok = err_set(err, ERR_BUSY, "%s is busy", f->id);
    } else if (f->n_queue == FAKE_JOBS_MAX || f->quit) {
        ok = err_set(err, ERR_BUSY, "%s: the queue is full", f->id);
    }
    if (ok) {
        f->n_running++;
        f->queue[f->n_queue++] = j;
        pthread_cond_signal(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    return ok;
}

static inline void fake_card(struct expert *e, struct expert_card *out)
{
    const struct fake *f = (const struct fake *)e;
    *out = (struct expert_card){ .tasks = f->tasks, .privacy = f->privacy, .quality = f->quality, .sees = f->sees, .n_ctx = 8192, .n_seq_max = 4, .n_params = (uint64_t)(f->billions * 1e9),
                                 .file_bytes = (uint64_t)(f->billions * 6e8), .knows_tools = true, .price = f->price };
    snprintf(out->id, sizeof(out->id), "%s", f->id);
    snprintf(out->kind, sizeof(out->kind), "%s", f->kind);
}

static inline void fake_metrics(struct expert *e, struct expert_metrics *out)
{
    struct fake *f = (struct fake *)e;
    *out = (struct expert_metrics){ .state = (enum expert_state)f->state, .n_running = f->n_running };
}

static inline void fake_stop(struct expert *e, uint64_t drain_ns)
{
    struct fake *f = (struct fake *)e;
    (void)drain_ns;
    pthread_mutex_lock(&f->lock);
    f->is_stopping = true;
    pthread_mutex_unlock(&f->lock);
}
static inline void fake_wake(struct expert *e) { (void)e; }
static inline bool fake_ready(struct expert *e, struct err *err) { return (void)e, (void)err, true; }
static inline void fake_free(struct expert *e)
{
    struct fake *f = (struct fake *)e;
    pthread_mutex_lock(&f->lock);
    f->quit = true;
    f->is_open = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    for (int i = 0; i < f->n_threads; i++)
        pthread_join(f->threads[i], NULL);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
    free(f);
}

static const struct expert_ops fake_ops = { .free = fake_free, .submit = fake_submit, .wake = fake_wake, .card = fake_card, .metrics = fake_metrics, .stop = fake_stop,
                                            .wait_ready = fake_ready };

static inline struct fake *fake_new(const char *id, const char *plan, int quality)
{
    struct fake *f = calloc(1, sizeof(*f));
    f->base.ops = &fake_ops;
    f->id = id;
    f->plan = plan;
    f->quality = quality;
    f->billions = 1;
    f->kind = "fake";
    f->tasks = EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED;
    f->state = EXPERT_WARM;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    f->n_threads = 4;
    for (int i = 0; i < f->n_threads; i++)
        pthread_create(&f->threads[i], NULL, fake_main, f);
    return f;
}

/* ---- what the client sees ---- */

struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char text[8192], order[256]; /* a letter for each event: R Q S D C V T(result) . (done) ! (error) */
    size_t n_text;
    char experts[8][64];  /* of each ROUTED */
    int n_routed, n_finals, n_after; /* after: events behind the final one */
    struct err err;
    struct expert_usage usage;
    char last_expert[64];
    char id[32], why[256], ladder[64];
    int n_asked;
    float joules, usd;
    bool is_measured, is_done;
};

static inline void seen_on_event(void *ctx, const struct expert_event *ev)
{
    static const char letters[EXPERT_EVENT_COUNT] = { [EXPERT_ROUTED] = 'R', [EXPERT_PART] = 'P', [EXPERT_QUEUED] = 'Q', [EXPERT_STARTED] = 'S', [EXPERT_DELTA] = 'D', [EXPERT_CHOICE_END] = 'C',
                                                      [EXPERT_VECTOR] = 'V', [EXPERT_RESULT] = 'T', [EXPERT_DONE] = '.', [EXPERT_ERROR] = '!' };
    struct seen *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->n_after += s->n_finals > 0;
    const size_t n = strlen(s->order);
    if (n + 1 < sizeof(s->order))
        s->order[n] = letters[ev->kind];
    if (ev->route) {
        snprintf(s->last_expert, sizeof(s->last_expert), "%s", ev->route->expert);
        snprintf(s->id, sizeof(s->id), "%s", ev->route->id);
        snprintf(s->why, sizeof(s->why), "%s", ev->route->why);
        s->n_asked = ev->route->n_asked;
        s->joules = ev->route->joules;
        s->usd = ev->route->usd;
        s->is_measured = ev->route->is_measured;
        snprintf(s->ladder, sizeof(s->ladder), "%s", ev->route->ladder);
    }
    if (ev->kind == EXPERT_ROUTED && s->n_routed < 8)
        snprintf(s->experts[s->n_routed++], sizeof(s->experts[0]), "%s", ev->route->expert);
    if (ev->kind == EXPERT_DELTA && s->n_text + ev->n_text < sizeof(s->text)) {
        memcpy(s->text + s->n_text, ev->text, ev->n_text);
        s->n_text += ev->n_text;
    }
    if (ev->kind == EXPERT_ERROR)
        s->err = *ev->err;
    if (ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR) {
        s->usage = *ev->usage;
        s->n_finals++;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
}

static inline void seen_init(struct seen *s)
{
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
}

static inline void seen_wait(struct seen *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->n_finals == 0)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static inline struct job *chat_job(struct seen *s, const char *text)
{
    struct err err = { 0 };
    struct job *j = job_new(1 << 20, &err);
    j->task = EXPERT_CHAT;
    j->vars = json_pack("{s:[{s:s,s:s}]}", "messages", "role", "user", "content", text);
    j->on_event = seen_on_event;
    j->ctx = s;
    j->is_whole = true;
    return j;
}
#endif
