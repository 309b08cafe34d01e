/* pipeline/kept.c - see kept.h: copies; the names are in kept_names.c. */
#include "pipeline/kept.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"

void kept_clear(struct kept *k)
{
    if (k->arena)
        arena_reset(k->arena);
    buf_clear(&k->said);
    k->n_pieces = 0, k->has = false, k->r = (struct task_result){ 0 }, k->boxes = NULL, k->score = 0, k->label = "", k->expert[0] = '\0', k->ms = 0;
}

void kept_fini(struct kept *k)
{
    arena_free(k->arena);
    buf_fini(&k->said);
    memset(k, 0, sizeof(*k));
}

/* The longest start of at most n bytes that is whole characters. */
static size_t cut(const char *s, size_t n) { return n - utf8_incomplete_tail(s, n); }

static bool begin(struct kept *k, enum expert_task task, struct err *err)
{
    if (!k->arena && !(k->arena = arena_new(KEPT_BYTES_MAX, err)))
        return false;
    if (k->said.max_bytes == 0)
        buf_init(&k->said, KEPT_TEXT_MAX);
    if (!k->label)
        k->label = "";
    k->task = task;
    return true;
}

static int least(int n, int max) { return n < 0 ? 0 : n < max ? n : max; }

static bool copy_text(struct kept *k, const char **text, struct err *err)
{
    if (!*text)
        return true;
    const size_t n = strlen(*text);
    return (*text = arena_strndup(k->arena, *text, n < KEPT_TEXT_MAX ? n : cut(*text, KEPT_TEXT_MAX), err)) != NULL;
}

static void *copy(struct kept *k, const void *from, int n, size_t item, struct err *err)
{
    void *to = arena_alloc(k->arena, (size_t)n, item, err);
    if (to && n > 0)
        memcpy(to, from, (size_t)n * item);
    return to;
}

static void take_score(struct kept *k, float score, const char *label)
{
    if (isfinite(score) && (score > k->score || !k->label[0]) && label)
        k->label = label;
    if (isfinite(score) && score > k->score)
        k->score = score;
}

static bool take_boxes(struct kept *k, const struct task_result *r, struct err *err)
{
    const int n = least(r->n_boxes, KEPT_BOXES_MAX);
    struct result_box *boxes = copy(k, r->boxes, n, sizeof(*boxes), err);
    k->boxes = boxes ? arena_alloc(k->arena, (size_t)n, sizeof(*k->boxes), err) : NULL;
    if (!k->boxes)
        return false;
    const float w = r->width_px > 0 ? (float)r->width_px : NAN, h = r->height_px > 0 ? (float)r->height_px : NAN;
    for (int i = 0; i < n; i++) {
        struct result_box *b = &boxes[i];
        if (!copy_text(k, &b->label, err) || !copy_text(k, &b->name, err))
            return false;
        k->boxes[i] = (struct kept_box){ b, b->x / w, b->y / h, b->w / w, b->h / h, b->w / w * (b->h / h) };
        if (k->task != EXPERT_MOTION)
            take_score(k, b->score, b->label ? b->label : "");
    }
    k->r.boxes = boxes, k->r.n_boxes = n;
    return true;
}

static bool take_labels(struct kept *k, const struct task_result *r, struct err *err)
{
    const int n = least(r->n_labels, KEPT_LABELS_MAX);
    struct result_label *labels = copy(k, r->labels, n, sizeof(*labels), err);
    if (!labels)
        return false;
    for (int i = 0; i < n; i++) {
        if (!copy_text(k, &labels[i].label, err))
            return false;
        if (k->task != EXPERT_MOTION)
            take_score(k, labels[i].score, labels[i].label);
    }
    k->r.labels = labels, k->r.n_labels = n;
    return true;
}

static bool take_words(struct kept *k, const struct task_result *r, struct err *err)
{
    const int n = least(r->n_words, KEPT_WORDS_MAX);
    struct result_word *words = copy(k, r->words, n, sizeof(*words), err);
    if (!words)
        return false;
    for (int i = 0; i < n; i++)
        if (!copy_text(k, &words[i].text, err))
            return false;
    k->r.words = words, k->r.n_words = n;
    return true;
}

static bool take_segments(struct kept *k, const struct task_result *r, struct err *err)
{
    const int n = least(r->n_segments, KEPT_SEGMENTS_MAX);
    struct result_segment *segments = copy(k, r->segments, n, sizeof(*segments), err);
    if (!segments)
        return false;
    for (int i = 0; i < n; i++) {
        if (!copy_text(k, &segments[i].text, err) || !copy_text(k, &segments[i].label, err))
            return false;
        take_score(k, segments[i].score, segments[i].label ? segments[i].label : "");
    }
    k->r.segments = segments, k->r.n_segments = n;
    return true;
}

bool kept_take(struct kept *k, enum expert_task task, const struct task_result *r, struct err *err)
{
    if (!begin(k, task, err))
        return false;
    k->has = true;
    const bool has_come = k->n_pieces > 0; /* piece by piece, before its result */
    k->n_pieces = 0;
    if (r->text && r->text[0] && !has_come) { /* long sounds come in several results: their texts are one */
        if (k->said.len > 0)
            buf_putc(&k->said, ' ');
        const size_t n = strlen(r->text), room = k->said.max_bytes - k->said.len;
        buf_append(&k->said, r->text, n <= room ? n : cut(r->text, room));
    }
    if ((r->n_boxes > 0 && !take_boxes(k, r, err)) || (r->n_labels > 0 && !take_labels(k, r, err)) || (r->n_words > 0 && !take_words(k, r, err)) ||
        (r->n_segments > 0 && !take_segments(k, r, err)))
        return false;
    for (int i = 0; i < r->n_scores; i++) /* MOTION: of the last frame */
        if (isfinite(r->scores[i]) && (r->scores[i] > k->score || task == EXPERT_MOTION))
            k->score = r->scores[i];
    if (r->width_px > 0)
        k->r.width_px = r->width_px, k->r.height_px = r->height_px;
    if (r->duration_s > 0)
        k->r.duration_s = r->duration_s;
    if (r->language) {
        k->r.language = r->language;
        if (!copy_text(k, &k->r.language, err))
            return false;
    }
    return true;
}

bool kept_say(struct kept *k, enum expert_task task, const char *text, size_t n, struct err *err)
{
    if (!begin(k, task, err))
        return false;
    k->has = true;
    if (k->n_pieces++ == 0 && k->said.len > 0)
        buf_putc(&k->said, ' ');
    const size_t room = k->said.max_bytes - k->said.len;
    buf_append(&k->said, text, n <= room ? n : cut(text, room));
    return !k->said.failed || err_set(err, ERR_NOMEM, "no memory");
}

const char *kept_text(const struct kept *k) { return k->said.len > 0 && !k->said.failed ? k->said.data : ""; }

void kept_get_result(const struct kept *k, struct cascade_result *out)
{
    *out = (struct cascade_result){ .text = "", .expert = "" };
    if (k && k->has)
        *out = (struct cascade_result){ .seen = &k->r, .text = kept_text(k), .expert = k->expert, .score = k->score, .ms = k->ms };
}
