/* task/head_segment.c - a class for every pixel: scores [batch, classes, h, w], class numbers [batch, (1,) h, w], or with
 * `binary: true` one plane of probabilities.
 *
 * Result: labels with the share of the picture that is theirs (0..1), most first; on request a mask of class numbers at the model's
 * resolution, cut to the part that holds picture.  Not tried on a real model: tests/task has generated ones.
 */
#include <math.h>
#include <string.h>

#include "task/vision.h"

enum { CLASSES_MAX = 256 };

struct state {
    int output;
    bool is_binary;
    int skip; /* class 0..skip-1 is not listed (background) */
};

static bool open_segment(struct vision *v, void *state, const struct yaml_node *map, struct err *err)
{
    struct state *s = state;
    int64_t skip = 0;
    v->threshold = 0.005f;
    if (!vision_find_output(v, map, "output", 0, &s->output, err) || !yaml_bool(v->card->yaml, map, "binary", &s->is_binary, err) ||
        !yaml_int(v->card->yaml, map, "skip", 0, CLASSES_MAX, &skip, err))
        return false;
    s->skip = (int)skip;
    return true;
}

/* Class numbers of a part of the plane into px. */
static void argmax(const struct vision_output *o, int n_classes, size_t plane, int gw, int left, int top, int w, int h, float *best, uint8_t *px)
{
    for (int y = 0; y < h; y++) {
        const float *row = o->x + (size_t)(top + y) * (size_t)gw + (size_t)left;
        uint8_t *to = px + (size_t)y * (size_t)w;
        memcpy(best, row, (size_t)w * sizeof *best);
        for (int c = 1; c < n_classes; c++) {
            const float *x = row + (size_t)c * plane;
            for (int i = 0; i < w; i++) {
                to[i] = x[i] > best[i] ? (uint8_t)c : to[i];
                best[i] = x[i] > best[i] ? x[i] : best[i];
            }
        }
    }
}

static void round_off(const struct vision_output *o, bool is_binary, int gw, int left, int top, int w, int h, uint8_t *px)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            const float p = o->x[(size_t)(top + y) * (size_t)gw + (size_t)(left + x)];
            px[(size_t)y * (size_t)w + (size_t)x] = is_binary ? p > 0.5f : p >= 0 && p < CLASSES_MAX ? (uint8_t)p : 0;
        }
}

static int clamped(float v, int max) { return v < 0 ? 0 : v > (float)max ? max : (int)v; }

static bool read_segment(struct vision *v, const void *state, int slot, const struct vision_frame *f, const struct task_request *rq, struct arena *arena,
                         struct task_result *r, struct err *err)
{
    const struct state *s = state;
    struct vision_output o;
    size_t counts[CLASSES_MAX] = { 0 };
    if (!vision_get(v, s->output, slot, &o, err))
        return false;
    const int n_dims = o.n_dims;
    if ((n_dims != 2 && n_dims != 3) || o.n == 0 || o.n > 1u << 30)
        return err_set(err, ERR_UNSUPPORTED, "segment: an output of [batch, classes, height, width] is wanted");
    const int gh = (int)o.dims[n_dims - 2], gw = (int)o.dims[n_dims - 1];
    const int64_t n_classes = n_dims == 3 ? o.dims[0] : 1;
    if (n_classes > CLASSES_MAX)
        return err_set(err, ERR_UNSUPPORTED, "segment: %d classes, at most %d are read", (int)n_classes, CLASSES_MAX);
    /* the part that holds picture */
    const float sx = (float)gw / (float)f->in_w, sy = (float)gh / (float)f->in_h;
    const int left = clamped(f->map.off_x * sx + 0.5f, gw - 1), top = clamped(f->map.off_y * sy + 0.5f, gh - 1);
    int w = clamped((f->map.off_x + (float)f->w_px * f->map.scale_x) * sx + 0.5f, gw) - left;
    int h = clamped((f->map.off_y + (float)f->h_px * f->map.scale_y) * sy + 0.5f, gh) - top;
    w = w < 1 ? 1 : w;
    h = h < 1 ? 1 : h;
    const size_t n_px = (size_t)w * (size_t)h;
    uint8_t *px = arena_alloc(arena, n_px, 1, err);
    float *best = arena_alloc(arena, (size_t)w, sizeof *best, err);
    if (!px || !best)
        return false;
    if (n_classes > 1)
        argmax(&o, (int)n_classes, (size_t)gw * (size_t)gh, gw, left, top, w, h, best, px);
    else
        round_off(&o, s->is_binary, gw, left, top, w, h, px);
    for (size_t i = 0; i < n_px; i++)
        counts[px[i]]++;
    struct result_label *l = arena_alloc(arena, CLASSES_MAX, sizeof *l, err);
    if (!l)
        return false;
    const float threshold = vision_threshold(v, rq);
    const int n_top = vision_n_top(v, rq, CLASSES_MAX);
    int n = 0;
    for (int c = s->skip; c < CLASSES_MAX; c++) {
        const float share = (float)counts[c] / (float)n_px;
        if (counts[c] == 0 || share < threshold)
            continue;
        const char *name = labels_get(&v->labels, c, arena, err);
        if (!name)
            return false;
        int at = n++;
        for (; at > 0 && l[at - 1].score < share; at--)
            l[at] = l[at - 1];
        l[at] = (struct result_label){ name, share };
    }
    r->labels = l;
    r->n_labels = n < n_top ? n : n_top;
    if (rq->options.wants_mask) {
        struct result_mask *m = arena_alloc(arena, 1, sizeof *m, err);
        if (!m)
            return false;
        *m = (struct result_mask){ .w = w, .h = h, .pixels = px, .box = -1 };
        r->masks = m;
        r->n_masks = 1;
    }
    return true;
}

static const char *const keys[] = { "output", "binary", "skip", NULL };
const struct vision_head vision_head_segment = { .name = "segment", .tasks = EXPERT_SEGMENT, .keys = keys, .state_bytes = sizeof(struct state), .open = open_segment, .read = read_segment };
