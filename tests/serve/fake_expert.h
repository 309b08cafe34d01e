/* tests/serve/fake_expert.h - an expert without a model, that does what the prompt says:
 *   "words N US"  N words, US microseconds apart     "silent MS"  begins, then says nothing for MS, then a word
 *   "mute MS"     not even that it was heard         "refuse"     the prompt is too long
 *   "break"       a word, then an error              "choices"    (n, logprobs as asked)
 *   "flood N"     N words at once, then one each millisecond until somebody was held
 * Beyond text the prompt is the request's `prompt` (or what shall be spoken): "words N US" gives N results or pieces of
 * sound, "pieces N US" text before its result, "nothing" no result at all.  A thread for each job. */
#ifndef FAKE_EXPERT_H
#define FAKE_EXPERT_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expert/expert.h"

struct fake {
    struct expert base;
    char id[32];
    unsigned tasks;  /* 0: text */
    bool sees;
    int n_ctx;       /* 0: 8 */
    uint64_t n_params; /* 0: 1000 */
    enum expert_privacy privacy;
    bool is_lost;    /* every job ends as if a library were missing */
    atomic_bool is_cold; /* INFER: what its tensors are is known after the first job */
    _Atomic enum expert_state state;
    atomic_bool is_hurried; /* what it waits for is over */
    atomic_int n_running, n_cancelled, n_held, n_done, n_stopping;
};

struct fake_job { /* taken from a table, so that tests with failing allocations fail elsewhere */
    struct fake *f;
    struct job *j;
    atomic_bool is_taken;
};
static struct fake_job fake_jobs[256];

static struct fake_job *fake_take(struct fake *f, struct job *j)
{
    for (size_t i = 0; i < sizeof(fake_jobs) / sizeof(fake_jobs[0]); i++)
        if (!atomic_exchange(&fake_jobs[i].is_taken, true)) {
            fake_jobs[i].f = f;
            fake_jobs[i].j = j;
            return &fake_jobs[i];
        }
    return NULL;
}

static void fake_sleep(int us)
{
    if (us > 0)
        usleep((useconds_t)us);
}

/* There is more to say after i of n words, however long it takes until the thread that shall hold a flood gets its time. */
static bool fake_has_more(const struct fake_job *w, int i, int n, bool is_flood) { return i < n || (is_flood && w->f->n_held == 0 && i < n + 60000); }

/* Waits until us have passed, or less when the job is cancelled. */
static bool fake_wait(struct fake_job *w, long us)
{
    for (; us > 0 && !w->f->is_hurried && !job_is_cancelled(w->j) && !w->f->n_stopping; us -= 1000)
        fake_sleep(us < 1000 ? (int)us : 1000);
    bool held = false;
    while (job_is_held(w->j) && !job_is_cancelled(w->j) && !w->f->n_stopping) {
        if (!held)
            w->f->n_held++;
        held = true;
        fake_sleep(1000);
    }
    return !job_is_cancelled(w->j) && !w->f->n_stopping;
}

static void fake_say(struct fake_job *w, int choice, const char *text, struct expert_usage *u)
{
    const struct expert_token top[2] = { { 1, -0.25f, text, (int)strlen(text), NULL, 0 }, { 2, -1.5f, "\xc3", 1, NULL, 0 } };
    const struct expert_token t = { 1, -0.25f, text, (int)strlen(text), top, w->j->n_logprobs > 2 ? 2 : w->j->n_logprobs < 0 ? 0 : w->j->n_logprobs };
    u->n_gen_tok++;
    w->j->on_event(w->j->ctx, &(struct expert_event){ .kind = EXPERT_DELTA, .choice = choice, .text = text, .n_text = strlen(text), .tokens = &t, .n_tokens = 1 });
}

static const char *fake_prompt(const struct job *j, int i)
{
    if (j->task == EXPERT_SPEAK)
        return j->request.texts[0].text;
    if (!(j->task & (EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED)))
        return j->request.options.prompt ? j->request.options.prompt : "words 1 0";
    if (j->task != EXPERT_CHAT)
        return j->inputs[i].text ? j->inputs[i].text : "ids";
    json_t *m = json_object_get(j->vars, "messages");
    json_t *content = json_object_get(json_array_get(m, json_array_size(m) - 1), "content");
    if (json_is_array(content)) /* pictures came, too */
        content = json_object_get(json_array_get(content, 0), "text");
    const char *s = json_string_value(content);
    return s ? s : "";
}

static void fake_hear(struct fake_job *w, int i, bool is_piece)
{
    char text[32], half[32];
    snprintf(text, sizeof(text), "w%d <x>", i);
    snprintf(half, sizeof(half), "w%d", i);
    const struct result_word words[] = { { .text = half, .start_s = i, .end_s = i + 0.5 }, { .text = "<x>", .start_s = i + 0.5, .end_s = i + 1 } };
    const struct result_segment s = { .start_s = i, .end_s = i + 1, .text = text, .avg_logprob = -0.5f };
    const struct task_result r = { .text = text, .segments = &s, .n_segments = 1, .words = words, .n_words = w->j->request.options.wants_words ? 2 : 0,
                                   .language = "en", .duration_s = i + 1 };
    if (is_piece) {
        w->j->on_event(w->j->ctx, &(struct expert_event){ .kind = EXPERT_DELTA, .text = half, .n_text = strlen(half) });
        w->j->on_event(w->j->ctx, &(struct expert_event){ .kind = EXPERT_DELTA, .text = " <x>", .n_text = 4 });
    }
    w->j->on_event(w->j->ctx, &(struct expert_event){ .kind = EXPERT_RESULT, .result = &r });
}

static void fake_speak(struct fake_job *w, int i)
{
    float samples[1600];
    for (int k = 0; k < 1600; k++)
        samples[k] = k & 1 ? 0.5f : -0.5f;
    (void)i;
    w->j->on_event(w->j->ctx, &(struct expert_event){ .kind = EXPERT_AUDIO, .samples = samples, .n_samples = 1600, .rate_hz = 24000 });
}

static void fake_look(struct fake_job *w)
{
    static const struct result_label labels[] = { { "cat \"tabby\"", 0.75f }, { "dog", 0.01f } };
    static const struct result_box boxes[] = { { .label = "cat", .score = 0.5f, .x = 1, .y = 2, .w = 3, .h = 4 }, { .label = "cat", .score = 0.4f }, { .label = "cup" } };
    static const struct result_word words[] = { { .text = "STOP", .x = 1, .y = 2, .w = 3, .h = 4 } };
    static const float vector[] = { 1, 0, 0.5f };
    struct task_result r = { .width_px = 2, .height_px = 2 };
    const enum expert_task t = w->j->task;
    const int n_top = w->j->request.options.n_top ? w->j->request.options.n_top : 2;
    if (t == EXPERT_CLASSIFY)
        r.labels = labels, r.n_labels = n_top < 2 ? n_top : 2;
    else if (t == EXPERT_DETECT || t == EXPERT_FACES || t == EXPERT_SEGMENT)
        r.boxes = boxes, r.n_boxes = w->j->request.options.threshold > 0.45f ? 1 : 3;
    else if (t == EXPERT_OCR)
        r.text = "STOP", r.words = words, r.n_words = w->j->request.options.wants_words ? 1 : 0;
    else
        r.vector = vector, r.n_vector = 3;
    static const uint8_t pixels[4] = { 0, 1, 2, 3 };
    static const struct result_mask masks[] = { { 2, 2, pixels, -1 } };
    if (t == EXPERT_SEGMENT && w->j->request.options.wants_mask)
        r.masks = masks, r.n_masks = 1;
    w->j->on_event(w->j->ctx, &(struct expert_event){ .kind = EXPERT_RESULT, .result = &r });
}

/* Raw tensors: each input comes back as out_NAME; "big" is many numbers; the session's number as a tensor. */
static void fake_infer(struct fake_job *w)
{
    const struct task_request *rq = &w->j->request;
    static float big[60000];
    int64_t session[3] = { (int64_t)rq->session, rq->session_start, rq->session_end };
    struct tensor more[2] = { { .name = "big", .type = TENSOR_F32, .n_dims = 1, .dims = { 60000 }, .data = big, .n_bytes = sizeof(big) },
                              { .name = "session", .type = TENSOR_I64, .n_dims = 1, .dims = { 3 }, .data = session, .n_bytes = sizeof(session) } };
    for (int i = 0; i < rq->n_tensors + 2; i++) {
        struct tensor t = i < rq->n_tensors ? rq->tensors[i] : more[i - rq->n_tensors];
        char name[100];
        snprintf(name, sizeof(name), "out_%s", t.name);
        if (i < rq->n_tensors)
            t.name = name;
        bool is_wanted = rq->n_outputs == 0 && strcmp(t.name, "big") != 0;
        for (int k = 0; k < rq->n_outputs; k++)
            is_wanted = is_wanted || strcmp(rq->outputs[k], t.name) == 0;
        if (is_wanted)
            w->j->on_event(w->j->ctx, &(struct expert_event){ .kind = EXPERT_TENSOR, .tensor = &t });
    }
}

/* One step of a job beyond text. */
static void fake_media(struct fake_job *w, int i, const char *prompt)
{
    if (w->j->task == EXPERT_INFER)
        fake_infer(w);
    else if (w->j->task == EXPERT_TRANSCRIBE)
        fake_hear(w, i, strncmp(prompt, "pieces", 6) == 0);
    else if (w->j->task == EXPERT_SPEAK)
        fake_speak(w, i);
    else
        fake_look(w);
}

static void *fake_run(void *arg)
{
    struct fake_job *w = arg;
    struct fake *f = w->f;
    struct job *j = w->j;
    struct expert_usage u = { .n_prompt_tok = 5, .queue_ns = 1000, .prefill_ns = 2000000, .decode_ns = 3000000 };
    struct err err = { 0 };
    int n = 3, us = 0;
    const char *prompt = fake_prompt(j, 0);
    while (f->state == EXPERT_LOADING && !job_is_cancelled(j) && !f->n_stopping)
        fake_sleep(1000);
    if (sscanf(prompt, "mute %d", &us) == 1)
        fake_wait(w, us * 1000L), us = 0;
    if (j->task == EXPERT_INFER && j->request.n_tensors == 0) {
        fake_wait(w, 30000);
        f->is_cold = f->is_lost;
        err_set(&err, ERR_INPUT, "there is no input");
        if (!f->is_lost)
            goto out;
    }
    if (f->is_lost) {
        err_set(&err, ERR_NOT_FOUND, "a library is not here");
        goto out;
    }
    if (strcmp(prompt, "refuse") == 0) {
        err_set(&err, ERR_INPUT, "context_length_exceeded: the prompt has 9 tokens, the context 8");
        goto out;
    }
    j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_QUEUED });
    j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_STARTED, .usage = &u });
    if (j->task == EXPERT_EMBED) {
        for (int i = 0; i < j->n_inputs; i++) {
            const float v[4] = { 3, 4, (float)i, 0 };
            j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_VECTOR, .choice = i, .vector = v, .n_vector = 4 });
        }
        goto out;
    }
    if (sscanf(prompt, "silent %d", &us) == 1)
        fake_wait(w, us * 1000L), us = 0;
    const bool is_flood = sscanf(prompt, "flood %d", &n) == 1;
    if (sscanf(prompt, "words %d %d", &n, &us) < 1)
        sscanf(prompt, "pieces %d %d", &n, &us);
    if (!(j->task & (EXPERT_CHAT | EXPERT_COMPLETE))) {
        for (int i = 0; fake_has_more(w, i, n, is_flood) && strcmp(prompt, "nothing") != 0 && fake_wait(w, i < n ? us : 1000); i++) {
            fake_media(w, i, prompt);
            if (strcmp(prompt, "break") == 0) {
                err_set(&err, ERR_INTERNAL, "the model broke");
                break;
            }
        }
        goto out;
    }
    const int n_all = j->n_choices * (j->task == EXPERT_CHAT ? 1 : j->n_inputs);
    for (int i = 0; fake_has_more(w, i, n, is_flood); i++) {
        char text[32];
        snprintf(text, sizeof(text), "w%d ", i);
        if (!fake_wait(w, i < n ? us : 1000))
            break;
        for (int c = 0; c < n_all; c++)
            fake_say(w, c, text, &u);
        if (strcmp(prompt, "break") == 0) {
            err_set(&err, ERR_INTERNAL, "the model broke");
            goto out;
        }
    }
    for (int c = 0; c < n_all && !job_is_cancelled(j) && !f->n_stopping; c++)
        j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_CHOICE_END, .choice = c, .reason = c == 0 ? EXPERT_STOP : EXPERT_LENGTH });
out:
    if (f->n_stopping && err.code == ERR_NONE)
        err_set(&err, ERR_BUSY, "shutting down");
    if (job_is_cancelled(j)) {
        f->n_cancelled++;
        err_set(&err, ERR_CANCELLED, "cancelled");
    }
    f->n_running--;
    f->n_done++;
    atomic_store(&j->priv.expert, NULL);
    j->on_event(j->ctx, &(struct expert_event){ .kind = err.code ? EXPERT_ERROR : EXPERT_DONE, .usage = &u, .err = err.code ? &err : NULL });
    job_unref(j);
    w->is_taken = false;
    return NULL;
}

static atomic_int fake_threads;
static void *fake_thread(void *arg)
{
    fake_run(arg);
    fake_threads--;
    return NULL;
}

static bool fake_submit(struct expert *e, struct job *j, struct err *err)
{
    struct fake *f = (struct fake *)e;
    pthread_t t;
    if (f->state == EXPERT_DOWN || f->n_stopping)
        return err_set(err, ERR_BUSY, "%s is down", f->id);
    struct fake_job *w = fake_take(f, j);
    if (!w)
        return err_set(err, ERR_BUSY, "%s: the queue is full", f->id);
    f->n_running++;
    fake_threads++;
    pthread_create(&t, NULL, fake_thread, w);
    pthread_detach(t);
    return true;
}

static void fake_card(struct expert *e, struct expert_card *out)
{
    struct fake *f = (struct fake *)e;
    *out = (struct expert_card){ .tasks = f->tasks ? f->tasks : EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED, .sees = f->sees, .privacy = f->privacy, .kind = "fake", .n_ctx = f->n_ctx ? f->n_ctx : 8, .n_ctx_train = 8, .n_vocab = 10, .n_embd = 4,
                                 .n_params = f->n_params ? f->n_params : 1000, .file_bytes = 2000, .created_s = 1700000000, .kv_block_tok = 32 };
    snprintf(out->id, sizeof(out->id), "%s", f->id);
}

static void fake_metrics(struct expert *e, struct expert_metrics *out)
{
    struct fake *f = (struct fake *)e;
    *out = (struct expert_metrics){ .state = f->state, .n_running = f->n_running, .kv_total_tok = 320 };
    snprintf(out->why, sizeof(out->why), "it is only a fake");
}

static void fake_stop(struct expert *e, uint64_t drain_ns)
{
    struct fake *f = (struct fake *)e;
    (void)drain_ns;
    f->n_stopping++;
    while (fake_threads > 0)
        usleep(500);
}

static bool fake_info(struct expert *e, struct task_info *out)
{
    struct fake *f = (struct fake *)e;
    if (!(f->tasks & EXPERT_INFER) || f->is_cold)
        return false;
    *out = (struct task_info){ .tasks = f->tasks, .n_inputs = 1, .n_outputs = 1 };
    snprintf(out->inputs[0].name, TASK_NAME_MAX, "x");
    snprintf(out->outputs[0].name, TASK_NAME_MAX, "out_x");
    out->inputs[0].shape = out->outputs[0].shape = (struct tensor){ .type = TENSOR_F32, .n_dims = 2, .dims = { -1, 3 } };
    return true;
}

static void fake_wake(struct expert *e) { (void)e; }
static void fake_free(struct expert *e) { free(e); }
static bool fake_wait_ready(struct expert *e, struct err *err) { return (void)e, (void)err, true; }
static const struct expert_ops fake_ops = {
    .free = fake_free, .submit = fake_submit, .wake = fake_wake, .card = fake_card, .metrics = fake_metrics, .stop = fake_stop, .wait_ready = fake_wait_ready,
    .info = fake_info,
};

#endif
