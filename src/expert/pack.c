/* expert/pack.c - see pack.h.  Each thing is written by put_x() and read by get_x(), which stand side by side and name the
 * same fields in the same order; all numbers take 8 bytes. */
#include "expert/pack.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/utf8.h"

/* ---- the pen and the eye ---- */

struct pen {
    uint8_t *to;     /* NULL: only counts */
    size_t at, block; /* where the next head byte and the next block go */
};

struct eye {
    const uint8_t *head, *whole;
    struct pack_size size;
    size_t at;
    bool is_bad;
    struct arena *arena;
    struct err *err;
};

static size_t aligned(size_t n, size_t to) { return (n + to - 1) / to * to; }

static void put(struct pen *p, const void *bytes, size_t n)
{
    if (p->to && n > 0)
        memcpy(p->to + p->at, bytes, n);
    if (p->to && n % 8)
        memset(p->to + p->at + n, 0, 8 - n % 8);
    p->at += aligned(n, 8);
}

static const void *get(struct eye *e, size_t n)
{
    if (e->is_bad || n > e->size.n_head - e->at || aligned(n, 8) > e->size.n_head - e->at) {
        e->is_bad = true;
        return NULL;
    }
    const void *p = e->head + e->at;
    e->at += aligned(n, 8);
    return p;
}

static void put_u64(struct pen *p, uint64_t v) { put(p, &v, sizeof(v)); }
static uint64_t get_u64(struct eye *e)
{
    uint64_t v = 0;
    const void *from = get(e, sizeof(v));
    if (from)
        memcpy(&v, from, sizeof(v));
    return v;
}

static void put_int(struct pen *p, int64_t v) { put_u64(p, (uint64_t)v); }
static int64_t get_int(struct eye *e, int64_t min, int64_t max)
{
    const int64_t v = (int64_t)get_u64(e);
    e->is_bad |= v < min || v > max;
    return e->is_bad ? 0 : v;
}

static void put_num(struct pen *p, double v) { put(p, &v, sizeof(v)); }
static double get_num(struct eye *e)
{
    double v = 0;
    const void *from = get(e, sizeof(v));
    if (from)
        memcpy(&v, from, sizeof(v));
    if (!e->is_bad && !isfinite(v))
        e->is_bad = !err_set(e->err, ERR_INTERNAL, "a number that is not finite (byte %zu)", e->at - sizeof(v));
    return e->is_bad ? 0 : v;
}
static float get_f32(struct eye *e)
{
    const double v = get_num(e);
    e->is_bad |= fabs(v) > 3e38;
    return e->is_bad ? 0.0f : (float)v;
}

/* Texts end with '\0', which is not counted; NULL has the length -1. */
static void put_text(struct pen *p, const char *s, size_t n)
{
    put_int(p, s ? (int64_t)n : -1);
    if (!s)
        return;
    put(p, s, n);
    put_u64(p, 0);
}
static const char *get_text(struct eye *e, size_t *n)
{
    const int64_t len = get_int(e, -1, PACK_HEAD_MAX);
    *n = 0;
    if (len < 0 || e->is_bad)
        return NULL;
    const char *s = get(e, (size_t)len);
    get_u64(e);
    if (e->is_bad || s[len] != '\0' || memchr(s, 0, (size_t)len) || !utf8_is_valid(s, (size_t)len)) {
        e->is_bad = true; /* the bytes up to the next 8 and the 8 behind them are 0: one stands at its end in any case */
        return NULL;
    }
    *n = (size_t)len;
    return s;
}
static void put_str(struct pen *p, const char *s) { put_text(p, s, s ? strlen(s) : 0); }
static const char *get_str(struct eye *e)
{
    size_t n;
    return get_text(e, &n);
}

/* Large things that stay where they are. */
static void put_block(struct pen *p, const void *bytes, size_t n)
{
    put_u64(p, n > 0 ? p->block : 0);
    put_u64(p, n);
    if (n == 0)
        return;
    if (p->to)
        memcpy(p->to + p->block, bytes, n);
    p->block = aligned(p->block + n, PACK_ALIGN);
}
static const void *get_block(struct eye *e, size_t n_expected, bool any, size_t *n_out)
{
    const uint64_t at = get_u64(e), n = get_u64(e);
    if (!e->is_bad && n == 0 && (any || n_expected == 0)) {
        if (n_out)
            *n_out = 0;
        return e->whole;
    }
    if (e->is_bad || at % PACK_ALIGN != 0 || at < e->size.n_head || at > e->size.n_whole || n > e->size.n_whole - at || (!any && n != n_expected)) {
        e->is_bad = true;
        return NULL;
    }
    if (n_out)
        *n_out = (size_t)n;
    return e->whole + at;
}

/* How many items follow, each of at least 8 bytes: a count that the head cannot hold is refused before memory is asked for. */
static int get_count(struct eye *e)
{
    return (int)get_int(e, 0, e->is_bad ? 0 : (int64_t)((e->size.n_head - e->at) / 8));
}
static void *get_array(struct eye *e, int n, size_t item_bytes)
{
    void *p = n > 0 && !e->is_bad ? arena_alloc(e->arena, (size_t)n, item_bytes, e->err) : NULL;
    e->is_bad |= n > 0 && !p;
    return p;
}

/* ---- tensors ---- */

static void put_tensor(struct pen *p, const struct tensor *t)
{
    put_str(p, t->name);
    put_int(p, t->type);
    put_int(p, t->n_dims);
    for (int i = 0; i < t->n_dims; i++)
        put_int(p, t->dims[i]);
    put_block(p, t->data, t->n_bytes);
}

static void get_tensor(struct eye *e, struct tensor *t)
{
    t->name = get_str(e);
    e->is_bad |= !t->name;
    t->type = (enum tensor_type)get_int(e, 0, TENSOR_TYPE_COUNT - 1);
    t->n_dims = (int)get_int(e, 0, TENSOR_DIMS_MAX);
    for (int i = 0; i < t->n_dims && !e->is_bad; i++)
        t->dims[i] = get_int(e, 0, INT64_MAX);
    t->data = (void *)(size_t)get_block(e, 0, true, &t->n_bytes);
    if (!e->is_bad && t->type == TENSOR_STRING) { /* its lengths are structure */
        void *copy = get_array(e, t->n_bytes < INT32_MAX ? (int)t->n_bytes + 1 : INT32_MAX, 1);
        if (copy)
            t->data = memcpy(copy, t->data, t->n_bytes);
    }
    if (!e->is_bad && !tensor_check(t, e->err))
        e->is_bad = true;
}

/* ---- requests ---- */

static void put_request(struct pen *p, const struct task_request *rq)
{
    const struct task_options *o = &rq->options;
    put_u64(p, rq->task);
    put_int(p, rq->n_media);
    for (int i = 0; i < rq->n_media; i++) {
        const struct task_media *m = &rq->media[i];
        put_int(p, m->form);
        put_int(p, m->width_px);
        put_int(p, m->height_px);
        put_int(p, m->rate_hz);
        put_block(p, m->bytes, m->n_bytes);
    }
    put_int(p, rq->n_texts);
    for (int i = 0; i < rq->n_texts; i++)
        put_text(p, rq->texts[i].text, rq->texts[i].n);
    put_int(p, rq->n_tensors);
    for (int i = 0; i < rq->n_tensors; i++)
        put_tensor(p, &rq->tensors[i]);
    put_int(p, rq->n_outputs);
    for (int i = 0; i < rq->n_outputs; i++)
        put_str(p, rq->outputs[i]);
    put_num(p, (double)o->threshold);
    put_int(p, o->n_top);
    put_str(p, o->language);
    put_str(p, o->voice);
    put_num(p, (double)o->speed);
    put_num(p, (double)o->temperature);
    put_str(p, o->prompt);
    put_int(p, o->wants_words);
    put_int(p, o->wants_mask);
    put_int(p, o->wants_scores);
    put_num(p, (double)o->input_share);
    put_u64(p, rq->session);
    put_int(p, rq->session_start);
    put_int(p, rq->session_end);
    put_num(p, rq->time_s);
}

static void get_request(struct eye *e, struct task_request *rq)
{
    struct task_options *o = &rq->options;
    rq->task = (enum expert_task)get_u64(e);
    rq->n_media = (int)get_int(e, 0, TASK_MEDIA_MAX);
    struct task_media *media = get_array(e, rq->n_media, sizeof(*media));
    for (int i = 0; i < rq->n_media && !e->is_bad; i++) {
        struct task_media *m = &media[i];
        m->form = (enum media_form)get_int(e, 0, MEDIA_FORM_COUNT - 1);
        m->width_px = (int)get_int(e, 0, INT32_MAX);
        m->height_px = (int)get_int(e, 0, INT32_MAX);
        m->rate_hz = (int)get_int(e, 0, INT32_MAX);
        m->bytes = get_block(e, 0, true, &m->n_bytes);
    }
    rq->media = media;
    rq->n_texts = (int)get_int(e, 0, TASK_TEXTS_MAX);
    struct task_text *texts = get_array(e, rq->n_texts, sizeof(*texts));
    for (int i = 0; i < rq->n_texts && !e->is_bad; i++) {
        texts[i].text = get_text(e, &texts[i].n);
        e->is_bad |= !texts[i].text;
    }
    rq->texts = texts;
    rq->n_tensors = (int)get_int(e, 0, TASK_TENSORS_MAX);
    struct tensor *tensors = get_array(e, rq->n_tensors, sizeof(*tensors));
    for (int i = 0; i < rq->n_tensors && !e->is_bad; i++)
        get_tensor(e, &tensors[i]);
    rq->tensors = tensors;
    rq->n_outputs = (int)get_int(e, 0, TASK_TENSORS_MAX);
    const char **outputs = get_array(e, rq->n_outputs, sizeof(*outputs));
    for (int i = 0; i < rq->n_outputs && !e->is_bad; i++) {
        outputs[i] = get_str(e);
        e->is_bad |= !outputs[i];
    }
    rq->outputs = outputs;
    o->threshold = get_f32(e);
    o->n_top = (int)get_int(e, INT32_MIN, INT32_MAX);
    o->language = get_str(e);
    o->voice = get_str(e);
    o->speed = get_f32(e);
    o->temperature = get_f32(e);
    o->prompt = get_str(e);
    o->wants_words = get_int(e, 0, 1);
    o->wants_mask = get_int(e, 0, 1);
    o->wants_scores = get_int(e, 0, 1);
    o->input_share = get_f32(e);
    rq->session = get_u64(e);
    rq->session_start = get_int(e, 0, 1);
    rq->session_end = get_int(e, 0, 1);
    rq->time_s = get_num(e);
}

/* ---- results ---- */

static void put_box(struct pen *p, const struct result_box *b)
{
    put_str(p, b->label);
    put_str(p, b->name);
    put_num(p, (double)b->score);
    put_num(p, (double)b->name_score);
    put_num(p, (double)b->x);
    put_num(p, (double)b->y);
    put_num(p, (double)b->w);
    put_num(p, (double)b->h);
    put_int(p, b->n_points);
    for (int i = 0; i < b->n_points; i++) {
        put_num(p, (double)b->points[i].x);
        put_num(p, (double)b->points[i].y);
    }
}

static void get_box(struct eye *e, struct result_box *b)
{
    b->label = get_str(e);
    b->name = get_str(e);
    b->score = get_f32(e);
    b->name_score = get_f32(e);
    b->x = get_f32(e);
    b->y = get_f32(e);
    b->w = get_f32(e);
    b->h = get_f32(e);
    b->n_points = (int)get_int(e, 0, RESULT_POINTS_MAX);
    for (int i = 0; i < b->n_points; i++) {
        b->points[i].x = get_f32(e);
        b->points[i].y = get_f32(e);
    }
}

static void put_word(struct pen *p, const struct result_word *w)
{
    put_str(p, w->text);
    put_num(p, (double)w->score);
    put_num(p, (double)w->x);
    put_num(p, (double)w->y);
    put_num(p, (double)w->w);
    put_num(p, (double)w->h);
    put_num(p, w->start_s);
    put_num(p, w->end_s);
    put_int(p, w->line);
}

static void get_word(struct eye *e, struct result_word *w)
{
    w->text = get_str(e);
    e->is_bad |= !w->text;
    w->score = get_f32(e);
    w->x = get_f32(e);
    w->y = get_f32(e);
    w->w = get_f32(e);
    w->h = get_f32(e);
    w->start_s = get_num(e);
    w->end_s = get_num(e);
    w->line = (int)get_int(e, 0, INT32_MAX);
}

static void put_segment(struct pen *p, const struct result_segment *s)
{
    put_num(p, s->start_s);
    put_num(p, s->end_s);
    put_str(p, s->text);
    put_str(p, s->label);
    put_num(p, (double)s->score);
    put_num(p, (double)s->avg_logprob);
    put_num(p, (double)s->no_speech_prob);
    put_num(p, (double)s->compression_ratio);
    put_num(p, (double)s->temperature);
}

static void get_segment(struct eye *e, struct result_segment *s)
{
    s->start_s = get_num(e);
    s->end_s = get_num(e);
    s->text = get_str(e);
    s->label = get_str(e);
    s->score = get_f32(e);
    s->avg_logprob = get_f32(e);
    s->no_speech_prob = get_f32(e);
    s->compression_ratio = get_f32(e);
    s->temperature = get_f32(e);
}

static void put_floats(struct pen *p, const float *f, int n)
{
    put_int(p, n);
    put_block(p, f, (size_t)n * sizeof(*f));
}

static const float *get_floats(struct eye *e, int *n)
{
    *n = (int)get_int(e, 0, INT32_MAX / (int)sizeof(float));
    const float *f = get_block(e, (size_t)*n * sizeof(*f), false, NULL);
    return *n > 0 ? f : NULL;
}

/* An empty list is not an absent one: "no boxes" and "no detector". */
enum { HAS_LABELS = 1, HAS_BOXES = 2, HAS_WORDS = 4, HAS_SEGMENTS = 8, HAS_ALL = 15 };
static const struct task_result nothing = {
    .labels = (const struct result_label[1]){ { .label = NULL } },
    .boxes = (const struct result_box[1]){ { .label = NULL } },
    .words = (const struct result_word[1]){ { .text = NULL } },
    .segments = (const struct result_segment[1]){ { .text = NULL } },
};

static void put_result(struct pen *p, const struct task_result *r)
{
    put_int(p, (r->labels ? HAS_LABELS : 0) | (r->boxes ? HAS_BOXES : 0) | (r->words ? HAS_WORDS : 0) | (r->segments ? HAS_SEGMENTS : 0));
    put_int(p, r->n_labels);
    for (int i = 0; i < r->n_labels; i++) {
        put_str(p, r->labels[i].label);
        put_num(p, (double)r->labels[i].score);
    }
    put_int(p, r->n_boxes);
    for (int i = 0; i < r->n_boxes; i++)
        put_box(p, &r->boxes[i]);
    put_str(p, r->text);
    put_int(p, r->n_words);
    for (int i = 0; i < r->n_words; i++)
        put_word(p, &r->words[i]);
    put_int(p, r->n_segments);
    for (int i = 0; i < r->n_segments; i++)
        put_segment(p, &r->segments[i]);
    put_floats(p, r->vector, r->n_vector);
    put_floats(p, r->scores, r->n_scores);
    put_num(p, r->score_step_s);
    put_int(p, r->n_masks);
    for (int i = 0; i < r->n_masks; i++) {
        const struct result_mask *m = &r->masks[i];
        put_int(p, m->w);
        put_int(p, m->h);
        put_int(p, m->box);
        put_block(p, m->pixels, (size_t)m->w * (size_t)m->h);
    }
    put_str(p, r->language);
    put_num(p, r->duration_s);
    put_int(p, r->width_px);
    put_int(p, r->height_px);
    put_str(p, r->note);
}

static void get_result(struct eye *e, struct task_result *r)
{
    const int has = (int)get_int(e, 0, HAS_ALL);
    r->n_labels = get_count(e);
    struct result_label *labels = get_array(e, r->n_labels, sizeof(*labels));
    for (int i = 0; i < r->n_labels && !e->is_bad; i++) {
        labels[i].label = get_str(e);
        labels[i].score = get_f32(e);
        e->is_bad |= !labels[i].label;
    }
    r->labels = r->n_labels > 0 ? labels : has & HAS_LABELS ? nothing.labels : NULL;
    r->n_boxes = get_count(e);
    struct result_box *boxes = get_array(e, r->n_boxes, sizeof(*boxes));
    for (int i = 0; i < r->n_boxes && !e->is_bad; i++)
        get_box(e, &boxes[i]);
    r->boxes = r->n_boxes > 0 ? boxes : has & HAS_BOXES ? nothing.boxes : NULL;
    r->text = get_str(e);
    r->n_words = get_count(e);
    struct result_word *words = get_array(e, r->n_words, sizeof(*words));
    for (int i = 0; i < r->n_words && !e->is_bad; i++)
        get_word(e, &words[i]);
    r->words = r->n_words > 0 ? words : has & HAS_WORDS ? nothing.words : NULL;
    r->n_segments = get_count(e);
    struct result_segment *segments = get_array(e, r->n_segments, sizeof(*segments));
    for (int i = 0; i < r->n_segments && !e->is_bad; i++)
        get_segment(e, &segments[i]);
    r->segments = r->n_segments > 0 ? segments : has & HAS_SEGMENTS ? nothing.segments : NULL;
    r->vector = get_floats(e, &r->n_vector);
    r->scores = get_floats(e, &r->n_scores);
    r->score_step_s = get_num(e);
    r->n_masks = get_count(e);
    struct result_mask *masks = get_array(e, r->n_masks, sizeof(*masks));
    for (int i = 0; i < r->n_masks && !e->is_bad; i++) {
        struct result_mask *m = &masks[i];
        m->w = (int)get_int(e, 0, 1 << 20);
        m->h = (int)get_int(e, 0, 1 << 20);
        m->box = (int)get_int(e, -1, r->n_boxes - 1);
        m->pixels = get_block(e, (size_t)m->w * (size_t)m->h, false, NULL);
    }
    r->masks = masks;
    r->language = get_str(e);
    r->duration_s = get_num(e);
    r->width_px = (int)get_int(e, 0, INT32_MAX);
    r->height_px = (int)get_int(e, 0, INT32_MAX);
    r->note = get_str(e);
}

/* ---- events ---- */

static void put_event(struct pen *p, const struct task_event *ev)
{
    put_int(p, ev->kind);
    put_int(p, ev->input);
    switch (ev->kind) {
    case TASK_TEXT: put_text(p, ev->text, ev->n_text); break;
    case TASK_AUDIO:
        put_int(p, ev->rate_hz);
        put_floats(p, ev->samples, ev->n_samples);
        break;
    case TASK_TENSOR: put_tensor(p, ev->tensor); break;
    case TASK_RESULT: put_result(p, ev->result); break;
    case TASK_EVENT_COUNT: break;
    }
}

static void get_event(struct eye *e, struct task_event *ev)
{
    ev->kind = (enum task_event_kind)get_int(e, 0, TASK_EVENT_COUNT - 1);
    ev->input = (int)get_int(e, 0, TASK_TEXTS_MAX - 1);
    if (e->is_bad)
        return;
    switch (ev->kind) {
    case TASK_TEXT:
        ev->text = get_text(e, &ev->n_text);
        e->is_bad |= !ev->text;
        break;
    case TASK_AUDIO:
        ev->rate_hz = (int)get_int(e, 1, 1 << 20);
        ev->samples = get_floats(e, &ev->n_samples);
        break;
    case TASK_TENSOR: {
        struct tensor *t = get_array(e, 1, sizeof(*t));
        if (t)
            get_tensor(e, t);
        ev->tensor = t;
        break;
    }
    case TASK_RESULT: {
        struct task_result *r = get_array(e, 1, sizeof(*r));
        if (r)
            get_result(e, r);
        ev->result = r;
        break;
    }
    case TASK_EVENT_COUNT: break;
    }
}

/* ---- the door ---- */

static struct pack_size size_of(const struct pen *p)
{
    /* while counting, blocks began at 0; they follow the head */
    return (struct pack_size){ p->at, p->block > 0 ? aligned(p->at, PACK_ALIGN) + p->block : p->at };
}

struct pack_size pack_request_size(const struct task_request *rq)
{
    struct pen p = { 0 };
    put_request(&p, rq);
    return size_of(&p);
}

struct pack_size pack_event_size(const struct task_event *ev)
{
    struct pen p = { 0 };
    put_event(&p, ev);
    return size_of(&p);
}

void pack_request(uint8_t *to, struct pack_size size, const struct task_request *rq)
{
    struct pen p = { to, 0, aligned(size.n_head, PACK_ALIGN) };
    put_request(&p, rq);
}

void pack_event(uint8_t *to, struct pack_size size, const struct task_event *ev)
{
    struct pen p = { to, 0, aligned(size.n_head, PACK_ALIGN) };
    put_event(&p, ev);
}

static bool finish(struct eye *e)
{
    if (!e->is_bad && e->at == e->size.n_head)
        return true;
    if (e->err->code == ERR_NONE)
        err_set(e->err, ERR_INTERNAL, "malformed at byte %zu of %zu", e->at, e->size.n_head);
    return false;
}

bool unpack_request(const uint8_t *head, const uint8_t *whole, struct pack_size size, struct arena *a, struct task_request *out, struct err *err)
{
    struct eye e = { .head = head, .whole = whole, .size = size, .arena = a, .err = err };
    memset(out, 0, sizeof(*out));
    err_clear(err);
    get_request(&e, out);
    return finish(&e);
}

bool unpack_event(const uint8_t *head, const uint8_t *whole, struct pack_size size, struct arena *a, struct task_event *out, struct err *err)
{
    struct eye e = { .head = head, .whole = whole, .size = size, .arena = a, .err = err };
    memset(out, 0, sizeof(*out));
    err_clear(err);
    get_event(&e, out);
    return finish(&e);
}
