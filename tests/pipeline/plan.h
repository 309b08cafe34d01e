/* tests/pipeline/plan.h - a world of fake experts for cascades: `motion` (task motion), `eye*` (detect), `face*`, `ear` (VAD), `stt`,
 * `llm*` (chat), `voice` (speak).  What a fake sees is in its frame's first bytes, what it does is told by its struct.
 *
 * A frame is MEDIA_GREY8, 8 x 8: byte 0 the motion in per cent, byte 1 how many persons, byte 2 how many cars, byte 3 1: ERR_INPUT. */
#ifndef TUTTI_TEST_PIPELINE_PLAN_H
#define TUTTI_TEST_PIPELINE_PLAN_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "expert/expert.h"
#include "pipeline/cascade_run.h"
#include "test.h"

enum { FAKES_MAX = 16, FAKE_QUEUE = 64 };
enum fake_mode { FAKE_GOOD, FAKE_FAILS /* every job ends ERR_IO */, FAKE_REFUSES /* submit says no */, FAKE_HOLDS /* until it is good again, or cancelled */, FAKE_ODD /* every third fails */ };

struct fake_expert {
    struct expert base;
    char id[CASCADE_NAME_MAX];
    unsigned task;
    _Atomic enum fake_mode mode;
    atomic_int delay_us;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *queue[FAKE_QUEUE];
    int n;
    bool is_ending, is_used;
    atomic_int n_done, n_running, n_most;
    char said[256]; /* of CHAT and SPEAK: what it was asked last */
};
static struct fake_expert fakes[FAKES_MAX];

static inline void fake_nap(long us) { nanosleep(&(struct timespec){ us / 1000000, us % 1000000 * 1000 }, NULL); }

static void fake_answer(struct fake_expert *f, struct job *j)
{
    static _Atomic unsigned turn;
    const unsigned char *px = j->request.n_media ? j->request.media[0].bytes : NULL;
    struct result_box boxes[16];
    struct err err = { 0 };
    struct expert_event ev = { .kind = EXPERT_RESULT };
    const int us = atomic_load(&f->delay_us);
    if (us)
        fake_nap(us);
    while (atomic_load(&f->mode) == FAKE_HOLDS && !job_is_cancelled(j))
        fake_nap(200);
    const enum fake_mode mode = atomic_load(&f->mode);
    if (job_is_cancelled(j))
        err_set(&err, ERR_CANCELLED, "cancelled");
    else if (mode == FAKE_FAILS || (mode == FAKE_ODD && atomic_fetch_add(&turn, 1) % 3 == 0))
        err_set(&err, ERR_IO, "%s is broken", f->id);
    else if (px && j->task != EXPERT_VAD && j->task != EXPERT_TRANSCRIBE && px[3] == 1)
        err_set(&err, ERR_INPUT, "no picture");
    if (err.code == ERR_NONE && j->task == EXPERT_CHAT) {
        const json_t *messages = json_object_get(j->vars, "messages"), *content = json_object_get(json_array_get(messages, json_array_size(messages) - 1), "content");
        const char *text = json_is_array(content) ? json_string_value(json_object_get(json_array_get(content, 0), "text")) : json_string_value(content);
        snprintf(f->said, sizeof(f->said), "%s%s", text ? text : "", json_array_size(content) == 2 ? " [picture]" : "");
        j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_DELTA, .text = "somebody ", .n_text = 9 });
        j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_DELTA, .text = "walks", .n_text = 5 });
    } else if (err.code == ERR_NONE && j->task == EXPERT_SPEAK) {
        static const float samples[160];
        snprintf(f->said, sizeof(f->said), "%.*s", (int)j->request.texts[0].n, j->request.texts[0].text);
        j->on_event(j->ctx, &(struct expert_event){ .kind = EXPERT_AUDIO, .samples = samples, .n_samples = 160, .rate_hz = 16000 });
    } else if (err.code == ERR_NONE && j->task == EXPERT_MOTION) {
        const float score = (float)px[0] / 100;
        boxes[0] = (struct result_box){ .label = "motion", .score = 1, .w = 4, .h = 4 };
        ev.result = &(struct task_result){ .scores = &score, .n_scores = 1, .boxes = boxes, .n_boxes = px[0] > 0, .width_px = 8, .height_px = 8 };
        j->on_event(j->ctx, &ev);
    } else if (err.code == ERR_NONE && j->task == EXPERT_VAD) {
        const float score = ((const float *)j->request.media[0].bytes)[0];
        ev.result = &(struct task_result){ .scores = &score, .n_scores = 1 };
        j->on_event(j->ctx, &ev);
    } else if (err.code == ERR_NONE && j->task == EXPERT_TRANSCRIBE) {
        char text[64];
        snprintf(text, sizeof(text), "%.1f s", (double)(j->request.media[0].n_bytes / 4) / j->request.media[0].rate_hz);
        ev.result = &(struct task_result){ .text = text };
        j->on_event(j->ctx, &ev);
    } else if (err.code == ERR_NONE) {
        int n = 0;
        for (int i = 0; i < px[1] && n < 16; i++)
            boxes[n++] = (struct result_box){ .label = j->task == EXPERT_FACES ? NULL : "person", .name = j->task == EXPERT_FACES ? "Ann" : NULL, .score = 0.9f, .x = (float)i, .w = 1, .h = 2 };
        for (int i = 0; i < px[2] && n < 16 && j->task != EXPERT_FACES; i++)
            boxes[n++] = (struct result_box){ .label = "car", .score = 0.7f, .w = 1, .h = 1 };
        ev.result = &(struct task_result){ .boxes = boxes, .n_boxes = n, .width_px = 8, .height_px = 8 };
        j->on_event(j->ctx, &ev);
    }
    atomic_fetch_add(&f->n_done, 1);
    j->on_event(j->ctx, err.code ? &(struct expert_event){ .kind = EXPERT_ERROR, .err = &err } : &(struct expert_event){ .kind = EXPERT_DONE });
}

static void *fake_main(void *arg)
{
    struct fake_expert *f = arg;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (f->n == 0 && !f->is_ending)
            pthread_cond_wait(&f->changed, &f->lock);
        if (f->n == 0)
            break;
        struct job *j = f->queue[0];
        memmove(&f->queue[0], &f->queue[1], (size_t)--f->n * sizeof(f->queue[0]));
        pthread_mutex_unlock(&f->lock);
        fake_answer(f, j);
        atomic_fetch_sub(&f->n_running, 1);
        job_unref(j);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

static bool fake_submit(struct expert *e, struct job *j, struct err *err)
{
    struct fake_expert *f = (struct fake_expert *)e;
    if (atomic_load(&f->mode) == FAKE_REFUSES)
        return err_set(err, ERR_BUSY, "%s refuses", f->id);
    pthread_mutex_lock(&f->lock);
    const bool room = f->n < FAKE_QUEUE;
    if (room) {
        f->queue[f->n++] = j; /* expert_submit() took a reference for us */
        const int now = atomic_fetch_add(&f->n_running, 1) + 1;
        if (now > atomic_load(&f->n_most))
            atomic_store(&f->n_most, now);
        pthread_cond_signal(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    return room || err_set(err, ERR_BUSY, "full");
}

static void fake_free_expert(struct expert *e) { (void)e; }
static void fake_wake_expert(struct expert *e) { (void)e; }
static void fake_card(struct expert *e, struct expert_card *out)
{
    memset(out, 0, sizeof(*out));
    snprintf(out->id, sizeof(out->id), "%s", ((struct fake_expert *)e)->id);
}
static void fake_metrics(struct expert *e, struct expert_metrics *out)
{
    (void)e;
    memset(out, 0, sizeof(*out));
    out->state = EXPERT_WARM;
}
static void fake_stop(struct expert *e, uint64_t drain_ns) { (void)e, (void)drain_ns; }
static bool fake_ready(struct expert *e, struct err *err) { return (void)e, (void)err, true; }
static const struct expert_ops fake_ops = { .free = fake_free_expert, .submit = fake_submit, .wake = fake_wake_expert, .card = fake_card, .metrics = fake_metrics,
                                            .stop = fake_stop, .wait_ready = fake_ready };

/* The fake of that id, made when it is not there yet; NULL: there is none of such a name. */
static struct fake_expert *fake_get(const char *id)
{
    static const struct { const char *begin; unsigned task; } kinds[] = { { "motion", EXPERT_MOTION }, { "eye", EXPERT_DETECT }, { "face", EXPERT_FACES }, { "ear", EXPERT_VAD },
                                                                         { "stt", EXPERT_TRANSCRIBE }, { "llm", EXPERT_CHAT }, { "voice", EXPERT_SPEAK } };
    for (int i = 0; i < FAKES_MAX; i++)
        if (fakes[i].is_used && strcmp(fakes[i].id, id) == 0)
            return &fakes[i];
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (int i = 0; i < FAKES_MAX && strncmp(id, kinds[k].begin, strlen(kinds[k].begin)) == 0; i++)
            if (!fakes[i].is_used) {
                struct fake_expert *f = &fakes[i];
                f->base.ops = &fake_ops, f->is_used = true, f->task = kinds[k].task;
                snprintf(f->id, sizeof(f->id), "%s", id);
                pthread_mutex_init(&f->lock, NULL);
                pthread_cond_init(&f->changed, NULL);
                return f;
            }
    return NULL;
}

static bool plan_look(void *ctx, const struct cascade *c, const struct cascade_ref *ref, unsigned *tasks, char *id, size_t max, struct err *err)
{
    (void)ctx, (void)c;
    struct fake_expert *f = ref->text ? fake_get(ref->text) : NULL;
    if (!f)
        return err_set(err, ERR_NOT_FOUND, "there is no '%s'", ref->text ? ref->text : "card");
    *tasks = f->task;
    snprintf(id, max, "%s", f->id);
    return true;
}

static struct expert *plan_open(void *ctx, const struct cascade *c, const struct cascade_ref *ref, struct err *err)
{
    (void)ctx, (void)c;
    struct fake_expert *f = fake_get(ref->text);
    if (!f)
        return err_null(err, ERR_NOT_FOUND, "there is no '%s'", ref->text);
    if (!f->thread)
        pthread_create(&f->thread, NULL, fake_main, f);
    return &f->base;
}
static void plan_close(void *ctx, struct expert *e) { (void)ctx, (void)e; }
static const struct cascade_world plan_world = { .look = plan_look, .open = plan_open, .close = plan_close };

static inline struct cascade *plan_parse(const char *text, struct err *err) { return cascade_parse("plan.yaml", text, strlen(text), ".", &plan_world, err); }

/* Ends the fakes' threads and forgets them. */
static inline void plan_end(void)
{
    for (int i = 0; i < FAKES_MAX; i++)
        if (fakes[i].is_used && fakes[i].thread) {
            pthread_mutex_lock(&fakes[i].lock);
            fakes[i].is_ending = true;
            pthread_cond_signal(&fakes[i].changed);
            pthread_mutex_unlock(&fakes[i].lock);
            pthread_join(fakes[i].thread, NULL);
        }
    memset(fakes, 0, sizeof(fakes));
}
#endif
