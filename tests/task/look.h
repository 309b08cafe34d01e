/* tests/task/look.h - a card opened as a task, pictures put through it, the last result kept as plain data. */
#ifndef TUTTI_TESTS_TASK_LOOK_H
#define TUTTI_TESTS_TASK_LOOK_H
#include <string.h>

#include "base/file.h"
#include "onnx/library.h"
#include "task/task.h"
#include "test.h"

enum { LOOK_MAX = 64, LOOK_VECTOR_MAX = 2048 };

struct seen {
    int n_labels, n_boxes, n_vector, n_masks, n_results, width_px, height_px;
    struct {
        char label[64];
        float score;
    } labels[LOOK_MAX];
    struct {
        char label[64], name[64];
        float score, name_score, x, y, w, h;
        int n_points;
        struct result_point points[RESULT_POINTS_MAX];
    } boxes[LOOK_MAX];
    float vector[LOOK_VECTOR_MAX];
    struct {
        int w, h, box;
        size_t n_set; /* pixels that are not 0 */
        uint8_t first, middle;
    } masks[LOOK_MAX];
    char note[160];
    struct tensor tensor; /* the last one; data is gone */
    float tensor_values[16];
    int n_tensors;
};

static inline bool look_emit(void *ctx, const struct task_event *ev)
{
    struct seen *s = ctx;
    if (ev->kind == TASK_TENSOR) {
        s->tensor = *ev->tensor;
        memcpy(s->tensor_values, ev->tensor->data, ev->tensor->n_bytes < sizeof s->tensor_values ? ev->tensor->n_bytes : sizeof s->tensor_values);
        s->n_tensors++;
    }
    if (ev->kind != TASK_RESULT)
        return true;
    const struct task_result *r = ev->result;
    const int n_results = s->n_results;
    memset(s, 0, sizeof *s);
    s->n_results = n_results + 1;
    s->n_labels = r->n_labels < LOOK_MAX ? r->n_labels : LOOK_MAX;
    s->n_boxes = r->n_boxes < LOOK_MAX ? r->n_boxes : LOOK_MAX;
    s->n_masks = r->n_masks < LOOK_MAX ? r->n_masks : LOOK_MAX;
    s->n_vector = r->n_vector;
    s->width_px = r->width_px;
    s->height_px = r->height_px;
    for (int i = 0; i < s->n_labels; i++) {
        snprintf(s->labels[i].label, 64, "%s", r->labels[i].label);
        s->labels[i].score = r->labels[i].score;
    }
    for (int i = 0; i < s->n_boxes; i++) {
        const struct result_box *b = &r->boxes[i];
        snprintf(s->boxes[i].label, 64, "%s", b->label ? b->label : "face");
        snprintf(s->boxes[i].name, 64, "%s", b->name ? b->name : "");
        s->boxes[i].score = b->score, s->boxes[i].name_score = b->name_score;
        s->boxes[i].x = b->x, s->boxes[i].y = b->y, s->boxes[i].w = b->w, s->boxes[i].h = b->h;
        s->boxes[i].n_points = b->n_points;
        memcpy(s->boxes[i].points, b->points, sizeof b->points);
    }
    for (int i = 0; i < s->n_masks; i++) {
        const struct result_mask *m = &r->masks[i];
        s->masks[i].w = m->w, s->masks[i].h = m->h, s->masks[i].box = m->box;
        s->masks[i].first = m->pixels[0];
        s->masks[i].middle = m->pixels[(size_t)(m->h / 2) * (size_t)m->w + (size_t)(m->w / 2)];
        for (int p = 0; p < m->w * m->h; p++)
            s->masks[i].n_set += m->pixels[p] != 0;
    }
    if (r->vector && r->n_vector <= LOOK_VECTOR_MAX)
        memcpy(s->vector, r->vector, (size_t)r->n_vector * sizeof(float));
    snprintf(s->note, sizeof s->note, "%s", r->note ? r->note : "");
    return true;
}
static inline bool look_go_on(void *ctx)
{
    (void)ctx;
    return false;
}

struct look {
    struct card *card;
    struct task_env env;
    struct task *task;
    struct arena *arena;
    struct seen seen;
    struct err err;
};

static inline bool look_start(struct look *l, struct card *card)
{
    l->card = card;
    l->arena = arena_new(256 << 20, &l->err);
    l->env.ort_path = test_onnx_library();
    if (!l->env.n_threads)
        l->env.n_threads = 1;
    l->task = card ? task_open(card, &l->env, &l->err) : NULL;
    return l->task != NULL;
}
/* A card of examples/cards with the shared models.  Skips without them. */
static inline bool look_open_example(struct look *l, const char *name)
{
    char path[200];
    memset(l, 0, sizeof *l);
    snprintf(path, sizeof path, "examples/cards/%s.yaml", name);
    const char *models = test_shared("models");
    return look_start(l, card_read(path, models, &l->err));
}
/* A card as text; files beside it lie in `dir`. */
static inline bool look_open_text(struct look *l, const char *text, const char *dir)
{
    const struct task_env env = l->env;
    memset(l, 0, sizeof *l);
    l->env = env;
    return look_start(l, card_parse("test.yaml", text, strlen(text), dir, NULL, &l->err));
}
static inline void look_close(struct look *l)
{
    task_free(l->task);
    card_free(l->card);
    arena_free(l->arena);
    l->task = NULL;
    l->card = NULL;
    l->arena = NULL;
}

static inline bool look_run(struct look *l, const struct task_request *rq)
{
    const struct task_out out = { &l->seen, look_emit, look_go_on, l->arena };
    memset(&l->seen, 0, sizeof l->seen);
    err_clear(&l->err);
    arena_reset(l->arena);
    return task_run(l->task, rq, &out, &l->err);
}
static inline bool look_at(struct look *l, enum expert_task task, const void *bytes, size_t n_bytes, struct task_options options)
{
    const struct task_media m = { .form = MEDIA_ENCODED, .bytes = bytes, .n_bytes = n_bytes };
    return look_run(l, &(struct task_request){ .task = task, .media = &m, .n_media = 1, .options = options });
}
static inline bool look_at_file(struct look *l, enum expert_task task, const char *path)
{
    size_t n;
    char *bytes = file_read(path, 16 << 20, &n, &l->err);
    const bool good = bytes && look_at(l, task, bytes, n, (struct task_options){ 0 });
    free(bytes);
    return good;
}
/* Raw RGB pixels. */
static inline bool look_at_pixels(struct look *l, enum expert_task task, const void *rgb, int w, int h, struct task_options options)
{
    const struct task_media m = { .form = MEDIA_RGB8, .bytes = rgb, .n_bytes = (size_t)w * (size_t)h * 3, .width_px = w, .height_px = h };
    return look_run(l, &(struct task_request){ .task = task, .media = &m, .n_media = 1, .options = options });
}
#endif
