/* task/task.c - the door to the kinds: finds one for a card, checks requests before the model sees them. */
#include "task/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task {
    const struct task_kind *kind;
    void *self;
    struct task_info info;
};

/* ---- emitting ---- */

bool task_emit(const struct task_out *out, const struct task_event *ev, struct err *err)
{
    if (out->emit(out->ctx, ev))
        return true;
    return err_set(err, ERR_CANCELLED, "cancelled");
}

bool task_emit_result(const struct task_out *out, const struct task_result *r, struct err *err)
{
    const struct task_event ev = { .kind = TASK_RESULT, .result = r };
    return task_emit(out, &ev, err);
}

bool task_emit_text(const struct task_out *out, const char *text, size_t n, struct err *err)
{
    const struct task_event ev = { .kind = TASK_TEXT, .text = text, .n_text = n };
    return task_emit(out, &ev, err);
}

bool task_emit_audio(const struct task_out *out, const float *samples, int n_samples, int rate_hz, struct err *err)
{
    const struct task_event ev = { .kind = TASK_AUDIO, .samples = samples, .n_samples = n_samples, .rate_hz = rate_hz };
    return task_emit(out, &ev, err);
}

/* ---- opening ---- */

static void unknown_kind(const struct card *card, struct err *err)
{
    const char *names[64] = { "llm", "server", "remote" }; /* those are no tasks (expert/) */
    int n = 3;
    for (int i = 0; i < task_n_kinds && n < 63; i++)
        names[n++] = task_kinds[i]->kind;
    names[n] = NULL;
    const char *near = yaml_nearest(card->kind, names);
    card_fail(card, yaml_get(card->node, "kind"), err, "kind: '%s' is not known%s%s%s", card->kind, near ? "; did you mean '" : "", near ? near : "",
              near ? "'?" : "");
}

const struct task_kind *task_find_kind(const struct card *card, struct err *err)
{
    char tasks[120] = "";
    bool has_kind = false;
    for (int i = 0; i < task_n_kinds; i++) {
        const struct task_kind *k = task_kinds[i];
        if (strcmp(k->kind, card->kind) != 0)
            continue;
        if (!k->task || strcmp(k->task, expert_task_name(card->task)) == 0)
            return k;
        const size_t at = strlen(tasks);
        snprintf(tasks + at, sizeof(tasks) - at, "%s%s", has_kind ? ", " : "", k->task);
        has_kind = true;
    }
    if (has_kind)
        card_fail(card, yaml_get(card->node, "task"), err, "task: %s cannot %s; it can %s", card->kind, expert_task_name(card->task), tasks);
    else
        unknown_kind(card, err);
    return NULL;
}

struct task *task_open(const struct card *card, const struct task_env *env, struct err *err)
{
    const struct task_kind *kind = task_find_kind(card, err);
    return kind ? task_open_kind(kind, card, env, err) : NULL;
}

struct task *task_open_kind(const struct task_kind *kind, const struct card *card, const struct task_env *env, struct err *err)
{
    struct task *t = calloc(1, sizeof(*t));
    if (!t)
        return err_null(err, ERR_NOMEM, "%s: no memory", card->id);
    t->kind = kind;
    if (!kind->open(&t->self, card, env, err)) {
        free(t);
        return NULL;
    }
    kind->info(t->self, &t->info);
    if (t->info.tasks == 0)
        t->info.tasks = card->task;
    if (t->info.n_batch_max < 1 || !kind->run_batch)
        t->info.n_batch_max = 1;
    return t;
}

void task_free(struct task *t)
{
    if (!t)
        return;
    t->kind->free(t->self);
    free(t);
}

const struct task_info *task_get_info(const struct task *t) { return &t->info; }

/* ---- running ---- */

static bool wants_media(enum expert_task t)
{
    return t & (EXPERT_CLASSIFY | EXPERT_DETECT | EXPERT_FACES | EXPERT_SEGMENT | EXPERT_OCR | EXPERT_DESCRIBE | EXPERT_EMBED_IMAGE |
                EXPERT_MOTION | EXPERT_VAD | EXPERT_WAKE | EXPERT_KEYWORD | EXPERT_TRANSCRIBE);
}

static bool check(const struct task *t, const struct task_request *rq, struct err *err)
{
    if (!(t->info.tasks & rq->task))
        return err_set(err, ERR_UNSUPPORTED, "this expert cannot do '%s'", expert_task_name(rq->task));
    if (rq->n_media < 0 || rq->n_media > TASK_MEDIA_MAX || rq->n_texts < 0 || rq->n_texts > TASK_TEXTS_MAX || rq->n_tensors < 0 ||
        rq->n_tensors > TASK_TENSORS_MAX)
        return err_set(err, ERR_INPUT, "too many inputs at once");
    if (wants_media(rq->task) && rq->n_media < 1)
        return err_set(err, ERR_INPUT, "%s: a picture or a sound is wanted", expert_task_name(rq->task));
    for (int i = 0; i < rq->n_media; i++) {
        const struct task_media *m = &rq->media[i];
        const uint64_t area = (uint64_t)(m->width_px < 0 ? 0 : m->width_px) * (uint64_t)(m->height_px < 0 ? 0 : m->height_px);
        const bool is_right = m->form == MEDIA_ENCODED ? m->n_bytes > 0
                              : m->form == MEDIA_RGB8  ? area > 0 && area * 3 == m->n_bytes
                              : m->form == MEDIA_GREY8 ? area > 0 && area == m->n_bytes
                                                       : m->form == MEDIA_F32 && m->rate_hz > 0 && m->n_bytes % sizeof(float) == 0;
        if (m->form == MEDIA_ENCODED && m->n_bytes == 0)
            return err_set(err, ERR_INPUT, "it is empty: a picture or a sound is wanted");
        if (!is_right)
            return err_set(err, ERR_INPUT, "medium %d: %zu bytes do not fit its size", i, m->n_bytes);
    }
    if (rq->task == EXPERT_SPEAK && rq->n_texts != 1)
        return err_set(err, ERR_INPUT, "speak: one text is wanted");
    if (rq->task == EXPERT_EMBED && rq->n_texts < 1)
        return err_set(err, ERR_INPUT, "embed: a text is wanted");
    for (int i = 0; i < rq->n_tensors; i++)
        if (!tensor_check(&rq->tensors[i], err))
            return false;
    return true;
}

bool task_run(struct task *t, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    return check(t, rq, err) && t->kind->run(t->self, rq, out, err);
}

void task_run_batch(struct task *t, const struct task_request *const *rqs, const struct task_out *const *outs, struct err *errs, int n)
{
    bool all_right = t->kind->run_batch && n > 1 && n <= t->info.n_batch_max;
    for (int i = 0; i < n; i++) {
        err_clear(&errs[i]);
        all_right = check(t, rqs[i], &errs[i]) && all_right;
    }
    if (all_right) {
        t->kind->run_batch(t->self, rqs, outs, errs, n);
        return;
    }
    for (int i = 0; i < n; i++)
        if (errs[i].code == ERR_NONE)
            t->kind->run(t->self, rqs[i], outs[i], &errs[i]);
}
