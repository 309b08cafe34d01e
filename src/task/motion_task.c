/* task/motion_task.c - `task: motion`, `kind: motion`: what moves before a camera that stands still.  No model, no library.
 *
 * For:     cameras: the cheap first stage that says when a better expert is worth its time.
 * Touches: media/motion.h; what decodes pictures.  Thread: the task's.
 * Rule:    a request of a session is the next frame (or frames), at its time_s when that is said: boxes of what moves now, a label for
 *          each region of the card.
 *          A request without session is a clip: several pictures, or a stream of JPEG pictures: then also segments, the
 *          times in which something moved.  Tasks have no clock: else `fps` of the card says how far frames are
 *          apart.
 *          Start reading at motion_run().
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/image.h"
#include "media/motion.h"
#include "media/resize.h"
#include "media/video.h"
#include "task/listen.h"
#include "task/task.h"

enum { REGIONS_MAX = 16, SEGMENTS_MAX = 1024, SCORES_MAX = 1 << 20, PICTURE_BYTES_MAX = 32 << 20 };

struct region {
    const char *name; /* of the card's document */
    float x, y, w, h; /* fractions of the picture */
};

struct motion_task {
    struct motion_config config;
    double fps, join_s;
    struct region regions[REGIONS_MAX];
    int n_regions;
    struct image grey;
    struct mjpeg mjpeg;
    float *scores; /* of one request: moving_frac of each frame */
    size_t n_scores, cap_scores;
    struct result_segment segments[SEGMENTS_MAX];
    int n_segments;
    struct listen_sessions sessions;
};

struct eye { /* one camera */
    struct motion *motion;
    int w, h;
    long n_frames;
    bool is_short; /* a few pictures: the first is the background */
    double time_s; /* that the request says; 0: by counting frames */
    struct motion_result last;
};

static void *make_eye(void *self, struct err *err)
{
    (void)self;
    struct eye *e = calloc(1, sizeof(*e));
    return e ? e : err_null(err, ERR_NOMEM, "motion: no memory");
}

static void free_eye(void *state)
{
    struct eye *e = state;
    motion_free(e->motion);
    free(e);
}

static void motion_task_free(void *self)
{
    struct motion_task *t = self;
    listen_sessions_fini(&t->sessions);
    image_fini(&t->grey);
    mjpeg_fini(&t->mjpeg);
    free(t->scores);
    free(t);
}

/* ---- the card ---- */

static bool read_regions(struct motion_task *t, const struct card *card, struct err *err)
{
    const struct yaml_node *map = NULL;
    if (!yaml_map(card->yaml, card->node, "regions", &map, err))
        return false;
    if (map && map->n_items > REGIONS_MAX)
        return card_fail(card, map, err, "regions: at most %d", REGIONS_MAX);
    for (int i = 0; map && i < map->n_items; i++) {
        double v[4];
        if (!yaml_numbers(card->yaml, map, map->keys[i].text, 4, v, err))
            return false;
        bool good = v[2] > 0 && v[3] > 0;
        for (int k = 0; k < 4; k++)
            good = good && v[k] >= 0 && v[k] <= 1;
        if (!good)
            return card_fail(card, &map->items[i], err, "%s: [x, y, width, height] as fractions of the picture, 0 to 1", map->keys[i].text);
        t->regions[t->n_regions++] = (struct region){ map->keys[i].text, (float)v[0], (float)v[1], (float)v[2], (float)v[3] };
    }
    return true;
}

static bool read_card(struct motion_task *t, const struct card *card, struct err *err)
{
    static const char *const keys[] = { "fps", "threshold", "min_area", "learn", "follow", "absorb", "join", "regions", NULL };
    double threshold = 10, min_area = 0.002;
    uint64_t learn_ms = 1000, follow_ms = 4000, absorb_ms = 60000, join_ms = 1000;
    const struct yaml *y = card->yaml;
    if (!card_check_keys(card, keys, err) || !yaml_number(y, card->node, "fps", 0.01, 1000, &t->fps, err) ||
        !yaml_number(y, card->node, "threshold", 1, 255, &threshold, err) || !yaml_number(y, card->node, "min_area", 0.00001, 1, &min_area, err) ||
        !yaml_time(y, card->node, "learn", &learn_ms, err) || !yaml_time(y, card->node, "follow", &follow_ms, err) ||
        !yaml_time(y, card->node, "absorb", &absorb_ms, err) || !yaml_time(y, card->node, "join", &join_ms, err) || !read_regions(t, card, err))
        return false;
    t->config = (struct motion_config){ .threshold = (float)threshold, .min_area_frac = (float)min_area, .learn_s = (float)learn_ms / 1000, .learn_frames = 2 /* of a slow camera too */,
                                        .follow_s = (float)follow_ms / 1000, .absorb_s = (float)absorb_ms / 1000 };
    t->join_s = (double)join_ms / 1000;
    return true;
}

static bool motion_task_open(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    (void)env;
    struct motion_task *t = calloc(1, sizeof(*t));
    if (!t)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    t->fps = 10;
    mjpeg_init(&t->mjpeg, PICTURE_BYTES_MAX);
    t->sessions = (struct listen_sessions){ .free = free_eye, .make = make_eye, .self = t };
    if (!read_card(t, card, err)) {
        motion_task_free(t);
        return false;
    }
    *self = t;
    return true;
}

static void motion_task_info(void *self, struct task_info *out)
{
    (void)self;
    out->tasks = EXPERT_MOTION;
    snprintf(out->runs_on, sizeof(out->runs_on), "built in, CPU, 1 thread");
}

/* ---- frames ---- */

static bool add_score(struct motion_task *t, float score, struct err *err)
{
    if (t->n_scores == t->cap_scores) {
        const size_t cap = t->cap_scores ? t->cap_scores * 2 : 64;
        float *more = cap <= SCORES_MAX ? realloc(t->scores, cap * sizeof(float)) : NULL;
        if (!more)
            return err_set(err, ERR_LIMIT, "motion: more than %zu frames at once", t->n_scores);
        t->scores = more, t->cap_scores = cap;
    }
    t->scores[t->n_scores++] = score;
    return true;
}

/* Something moves at t_s: the segment that ends about now goes on, or a new one begins. */
static void add_segment(struct motion_task *t, double t_s, float score)
{
    struct result_segment *s = t->n_segments > 0 ? &t->segments[t->n_segments - 1] : NULL;
    const double end_s = t_s + 1 / t->fps;
    if (s && t_s <= s->end_s + t->join_s) {
        s->end_s = end_s, s->score = score > s->score ? score : s->score;
    } else if (t->n_segments < SEGMENTS_MAX) {
        t->segments[t->n_segments++] = (struct result_segment){ .start_s = t_s, .end_s = end_s, .label = "motion", .score = score };
    }
}

static bool see(struct motion_task *t, struct eye *e, const struct image *grey, struct err *err)
{
    if (e->motion && (e->w != grey->w || e->h != grey->h)) { /* another camera, or the same in another mode: it learns anew */
        motion_free(e->motion);
        e->motion = NULL;
    }
    if (!e->motion) {
        struct motion_config c = t->config;
        if (e->is_short)
            c.learn_s = fminf(c.learn_s, 0.5f / (float)t->fps), c.learn_frames = 1;
        if (!(e->motion = motion_new(grey->w, grey->h, &c, err)))
            return false;
        e->w = grey->w, e->h = grey->h;
    }
    const double t_s = e->time_s > 0 ? e->time_s : (double)e->n_frames / t->fps;
    e->n_frames++;
    motion_frame(e->motion, grey->px, grey->stride, t_s, &e->last);
    if (e->last.n_boxes > 0)
        add_segment(t, t_s, e->last.boxes[0].score);
    return add_score(t, e->last.moving_frac, err);
}

static bool see_encoded(struct motion_task *t, struct eye *e, const struct task_media *m, const struct task_out *out, struct err *err)
{
    enum { PIECE = 1 << 16 };
    if (image_sniff(m->bytes, m->n_bytes) != IMAGE_JPEG)
        return image_decode(m->bytes, m->n_bytes, 1, NULL, &t->grey, err) && see(t, e, &t->grey, err);
    mjpeg_fini(&t->mjpeg);
    mjpeg_init(&t->mjpeg, PICTURE_BYTES_MAX);
    const size_t before = t->n_scores;
    for (size_t at = 0; at < m->n_bytes; at += PIECE) {
        const void *picture;
        size_t n;
        if (out->is_cancelled(out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (!mjpeg_put(&t->mjpeg, (const uint8_t *)m->bytes + at, m->n_bytes - at < PIECE ? m->n_bytes - at : PIECE, err))
            return false;
        while (mjpeg_next(&t->mjpeg, &picture, &n))
            if (!image_decode(picture, n, 1, NULL, &t->grey, err) || !see(t, e, &t->grey, err))
                return false;
    }
    return t->n_scores > before || err_set(err, ERR_INPUT, "motion: the picture is cut off");
}

static bool see_medium(struct motion_task *t, struct eye *e, const struct task_media *m, const struct task_out *out, struct err *err)
{
    if (m->form == MEDIA_ENCODED)
        return see_encoded(t, e, m, out, err);
    if (m->form == MEDIA_F32)
        return err_set(err, ERR_INPUT, "motion: a picture is wanted, a sound came");
    const int n_channels = m->form == MEDIA_RGB8 ? 3 : 1; /* task_run() has checked the size */
    const struct image raw = { .px = (uint8_t *)m->bytes, .w = m->width_px, .h = m->height_px, .n_channels = n_channels, .stride = (size_t)m->width_px * (size_t)n_channels };
    if (n_channels == 1)
        return see(t, e, &raw, err);
    return image_to_grey(&raw, &t->grey, err) && see(t, e, &t->grey, err);
}

static bool emit(struct motion_task *t, const struct eye *e, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    const bool is_clip = t->n_scores > 1;
    struct result_label *labels = arena_alloc(out->arena, (size_t)t->n_regions, sizeof(*labels), err);
    struct result_box *boxes = arena_alloc(out->arena, (size_t)e->last.n_boxes, sizeof(*boxes), err);
    if (!labels || !boxes)
        return false;
    for (int i = 0; i < t->n_regions; i++) {
        const struct region *r = &t->regions[i];
        const float w = (float)e->w, h = (float)e->h;
        labels[i] = (struct result_label){ r->name, motion_region(e->motion, (int)(r->x * w), (int)(r->y * h), (int)(r->w * w), (int)(r->h * h)) };
    }
    int n_boxes = 0;
    for (int i = 0; i < e->last.n_boxes; i++) {
        const struct motion_box *b = &e->last.boxes[i];
        if (b->score >= rq->options.threshold)
            boxes[n_boxes++] = (struct result_box){ .label = "motion", .score = b->score, .x = (float)b->x, .y = (float)b->y, .w = (float)b->w, .h = (float)b->h };
    }
    const struct task_result r = {
        .labels = labels, .n_labels = t->n_regions, .boxes = boxes, .n_boxes = n_boxes, .width_px = e->w, .height_px = e->h,
        .segments = t->segments, .n_segments = is_clip ? t->n_segments : 0,
        .scores = t->scores, .n_scores = rq->options.wants_scores ? (int)t->n_scores : 0, .score_step_s = 1 / t->fps,
        .duration_s = is_clip ? (double)t->n_scores / t->fps : 0,
        .note = e->last.is_learning ? (e->n_frames == 1 ? "the first picture: nothing to compare it with" : "still learning what the empty scene looks like")
                : e->last.is_new_scene ? "everything changed at once: learning anew" : NULL,
    };
    return task_emit_result(out, &r, err);
}

static bool motion_task_run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct motion_task *t = self;
    struct eye *e = listen_state(&t->sessions, rq, err);
    if (!e)
        return false;
    e->is_short = rq->session == 0 && rq->n_media > 1;
    e->time_s = rq->session != 0 && rq->n_media == 1 && isfinite(rq->time_s) ? rq->time_s : 0;
    t->n_scores = 0, t->n_segments = 0;
    bool good = true;
    for (int i = 0; i < rq->n_media && good; i++)
        good = see_medium(t, e, &rq->media[i], out, err);
    good = good && emit(t, e, rq, out, err);
    listen_done(&t->sessions, rq, e);
    return good;
}

const struct task_kind task_motion = { "motion", "motion", motion_task_open, motion_task_free, motion_task_info, motion_task_run, NULL };
