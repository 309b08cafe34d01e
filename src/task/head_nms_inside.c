/* task/head_nms_inside.c - detectors whose graph ends with the suppression of overlaps.
 *
 * One output [batch, n, 6 (+ masks)]: x1, y1, x2, y2, score, class (YOLOv8 exported with nms, YOLOv10); with prototypes in another
 * output it segments.  Or four, named in the card: `boxes` [batch, n, 4] = x1, y1, x2, y2, `scores` [batch, n], `classes` [batch, n],
 * and optionally `count` [batch, 1] (EfficientNMS).  Pixels of the input, or fractions of it with `fractions: true`;
 * `y_first: true`: y1, x1, y2, x2 (both are TensorFlow's way: TFLite_Detection_PostProcess).
 * Not tried on a real model: tests/task has generated ones.
 */
#include "task/masks.h"
#include "task/vision.h"

struct state {
    int output, proto;                  /* one output; proto -1: none */
    int boxes, scores, classes, count;  /* four of them; boxes -1: one; count -1: all n */
    bool is_fraction, is_y_first;
};

static bool open_inside(struct vision *v, void *state, const struct yaml_node *map, struct err *err)
{
    struct state *s = state;
    v->threshold = 0.25f;
    v->max_iou = 1; /* done already */
    s->boxes = s->count = s->proto = -1;
    if (!yaml_bool(v->card->yaml, map, "fractions", &s->is_fraction, err) || !yaml_bool(v->card->yaml, map, "y_first", &s->is_y_first, err))
        return false;
    if (map && yaml_get(map, "boxes"))
        return vision_find_output(v, map, "boxes", -1, &s->boxes, err) && vision_find_output(v, map, "scores", -1, &s->scores, err) &&
               vision_find_output(v, map, "classes", -1, &s->classes, err) && (!yaml_get(map, "count") || vision_find_output(v, map, "count", -1, &s->count, err));
    for (int j = 0; j < v->net.ops->n_outputs(v->net.self); j++)
        if (v->net.ops->output_info(v->net.self, j)->n_dims == 4)
            s->proto = j;
    if (v->card->task == EXPERT_SEGMENT && s->proto < 0)
        return card_fail(v->card, map, err, "head: to segment, nms-inside wants an output of prototypes [batch, masks, height, width]");
    return vision_find_output(v, map, "output", s->proto == 0 ? 1 : 0, &s->output, err);
}

struct rows { /* one box a row, wherever its parts are */
    const float *box, *score, *cls, *coef;
    size_t box_step, one_step; /* floats from row to row */
    int64_t n;
};

static bool find_rows(struct vision *v, const struct state *s, int slot, int64_t n_masks, struct rows *rows, struct err *err)
{
    struct vision_output o, scores, classes, count;
    if (s->boxes < 0) {
        if (!vision_get(v, s->output, slot, &o, err))
            return false;
        if (o.n_dims != 2 || o.dims[1] != 6 + n_masks)
            return err_set(err, ERR_UNSUPPORTED, "nms-inside: an output of [batch, n, %d] is wanted", (int)(6 + n_masks));
        *rows = (struct rows){ o.x, o.x + 4, o.x + 5, o.x + 6, (size_t)o.dims[1], (size_t)o.dims[1], o.dims[0] };
        return true;
    }
    if (!vision_get(v, s->boxes, slot, &o, err) || !vision_get(v, s->scores, slot, &scores, err) || !vision_get(v, s->classes, slot, &classes, err))
        return false;
    if (o.n_dims != 2 || o.dims[1] != 4 || scores.n != (size_t)o.dims[0] || classes.n != scores.n)
        return err_set(err, ERR_UNSUPPORTED, "nms-inside: boxes of [batch, n, 4], scores and classes of [batch, n] are wanted");
    *rows = (struct rows){ o.x, scores.x, classes.x, NULL, 4, 1, o.dims[0] };
    if (s->count < 0)
        return true;
    if (!vision_get(v, s->count, slot, &count, err) || count.n != 1)
        return err_set(err, ERR_UNSUPPORTED, "nms-inside: a count of [batch, 1] is wanted");
    if (count.x[0] >= 0 && count.x[0] < (float)rows->n)
        rows->n = (int64_t)count.x[0];
    return true;
}

static bool read_inside(struct vision *v, const void *state, int slot, const struct vision_frame *f, const struct task_request *rq, struct arena *arena,
                        struct task_result *r, struct err *err)
{
    const struct state *s = state;
    struct vision_output proto = { 0 };
    struct rows rows = { 0 };
    struct nms found;
    if (s->proto >= 0 && !vision_get(v, s->proto, slot, &proto, err))
        return false;
    const int64_t n_masks = s->proto >= 0 ? proto.dims[0] : 0;
    if (n_masks > MASKS_PROTOTYPES_MAX || !nms_init(&found, arena, err))
        return n_masks > MASKS_PROTOTYPES_MAX ? err_set(err, ERR_UNSUPPORTED, "nms-inside: %d prototypes", (int)n_masks) : false;
    if (!find_rows(v, s, slot, n_masks, &rows, err))
        return false;
    const int x = s->is_y_first ? 1 : 0; /* where a corner's x stands */
    const float threshold = vision_threshold(v, rq), sx = s->is_fraction ? (float)f->in_w : 1, sy = s->is_fraction ? (float)f->in_h : 1;
    for (int64_t i = 0; i < rows.n && i < INT32_MAX; i++) {
        const float *b = rows.box + (size_t)i * rows.box_step, score = rows.score[(size_t)i * rows.one_step], cls = rows.cls[(size_t)i * rows.one_step];
        if (score >= threshold && cls >= 0 && cls < 1e6f)
            nms_add(&found, &(struct nms_box){ b[x] * sx, b[1 - x] * sy, b[2 + x] * sx, b[3 - x] * sy, score, (int)cls, (int)i });
    }
    if (!vision_emit_boxes(v, &found, f, rq, true, arena, r, err))
        return false;
    if (s->proto < 0 || !rq->options.wants_mask)
        return true;
    const float **coef = arena_alloc(arena, (size_t)r->n_boxes, sizeof *coef, err);
    if (!coef)
        return false;
    for (int i = 0; i < r->n_boxes; i++)
        coef[i] = rows.coef + (size_t)found.boxes[i].source * rows.box_step;
    return masks_make(&proto, coef, 1, f, arena, r, err);
}

static const char *const keys[] = { "output", "boxes", "scores", "classes", "count", "fractions", "y_first", NULL };
const struct vision_head vision_head_nms_inside = { .name = "nms-inside", .tasks = EXPERT_DETECT | EXPERT_SEGMENT, .keys = keys, .state_bytes = sizeof(struct state), .open = open_inside, .read = read_inside };
