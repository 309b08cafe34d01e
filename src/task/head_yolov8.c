/* task/head_yolov8.c - YOLOv8 and its family (v9, 11, 12; detect and -seg) without NMS in the graph.
 *
 * Output [batch, 4 + classes + masks, anchors]: cx, cy, w, h in pixels of the input, class scores (sigmoids done), mask coefficients;
 * the other way round ([batch, anchors, ...]) is understood too.  -seg: prototypes [batch, masks, h, w] in another output.
 * Not tried on a real model: tests/task has a generated one.
 */
#include "task/masks.h"
#include "task/vision.h"

struct state {
    int output, proto; /* proto -1: none */
};

static bool open_yolov8(struct vision *v, void *state, const struct yaml_node *map, struct err *err)
{
    struct state *s = state;
    v->threshold = 0.25f;
    v->max_iou = 0.45f;
    s->proto = -1;
    for (int j = 0; j < v->net.ops->n_outputs(v->net.self); j++)
        if (v->net.ops->output_info(v->net.self, j)->n_dims == 4)
            s->proto = j;
    if (v->card->task == EXPERT_SEGMENT && s->proto < 0)
        return card_fail(v->card, map, err, "head: to segment, yolov8 wants an output of prototypes [batch, masks, height, width]");
    return vision_find_output(v, map, "output", s->proto == 0 ? 1 : 0, &s->output, err);
}

/* The best class of every anchor, class by class so that the compiler can take many anchors at once. */
static bool best_classes(const float *scores, size_t class_step, size_t anchor_step, int n_classes, size_t n_anchors, struct arena *arena, float **best,
                         int **cls, struct err *err)
{
    *best = arena_alloc(arena, n_anchors, sizeof **best, err);
    *cls = *best ? arena_alloc(arena, n_anchors, sizeof **cls, err) : NULL;
    if (!*cls)
        return false;
    for (size_t a = 0; a < n_anchors; a++)
        (*best)[a] = scores[a * anchor_step];
    for (int c = 1; c < n_classes; c++) {
        const float *row = scores + (size_t)c * class_step;
        if (anchor_step == 1)
            for (size_t a = 0; a < n_anchors; a++) {
                (*cls)[a] = row[a] > (*best)[a] ? c : (*cls)[a];
                (*best)[a] = row[a] > (*best)[a] ? row[a] : (*best)[a];
            }
        else
            for (size_t a = 0; a < n_anchors; a++)
                if (row[a * anchor_step] > (*best)[a]) {
                    (*best)[a] = row[a * anchor_step];
                    (*cls)[a] = c;
                }
    }
    return true;
}

static bool read_yolov8(struct vision *v, const void *state, int slot, const struct vision_frame *f, const struct task_request *rq, struct arena *arena,
                        struct task_result *r, struct err *err)
{
    const struct state *s = state;
    struct vision_output o, proto = { 0 };
    struct nms found;
    if (!vision_get(v, s->output, slot, &o, err) || (s->proto >= 0 && !vision_get(v, s->proto, slot, &proto, err)) || !nms_init(&found, arena, err))
        return false;
    const int64_t n_masks = s->proto >= 0 ? proto.dims[0] : 0;
    if (o.n_dims != 2 || n_masks > MASKS_PROTOTYPES_MAX)
        return err_set(err, ERR_UNSUPPORTED, "yolov8: an output of [batch, 4 + classes, anchors] is wanted");
    const bool is_turned = v->labels.n > 0 ? o.dims[0] != 4 + n_masks + v->labels.n && o.dims[1] == 4 + n_masks + v->labels.n : o.dims[0] > o.dims[1];
    const int64_t n_values = o.dims[is_turned], n_anchors = o.dims[!is_turned];
    const size_t value_step = is_turned ? 1 : (size_t)n_anchors, anchor_step = is_turned ? (size_t)n_values : 1;
    if (n_values - 4 - n_masks < 1 || n_values > 1 << 20 || n_anchors < 1 || n_anchors > 1 << 24)
        return err_set(err, ERR_UNSUPPORTED, "yolov8: an output of [batch, 4 + classes + %d masks, anchors] is wanted", (int)n_masks);
    const float threshold = vision_threshold(v, rq);
    float *best;
    int *cls;
    if (!best_classes(o.x + 4 * value_step, value_step, anchor_step, (int)(n_values - 4 - n_masks), (size_t)n_anchors, arena, &best, &cls, err))
        return false;
    for (size_t a = 0; a < (size_t)n_anchors; a++) {
        if (!(best[a] >= threshold))
            continue;
        const float *p = o.x + a * anchor_step;
        const float cx = p[0], cy = p[value_step], w = p[2 * value_step], h = p[3 * value_step];
        nms_add(&found, &(struct nms_box){ cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, best[a], cls[a], (int)a });
    }
    if (!vision_emit_boxes(v, &found, f, rq, true, arena, r, err))
        return false;
    if (s->proto < 0 || !rq->options.wants_mask)
        return true;
    const float **coef = arena_alloc(arena, (size_t)r->n_boxes, sizeof *coef, err);
    if (!coef)
        return false;
    for (int i = 0; i < r->n_boxes; i++)
        coef[i] = o.x + (size_t)found.boxes[i].source * anchor_step + (size_t)(n_values - n_masks) * value_step;
    return masks_make(&proto, coef, (int)value_step, f, arena, r, err);
}

static const char *const keys[] = { "output", NULL };
const struct vision_head vision_head_yolov8 = { .name = "yolov8", .tasks = EXPERT_DETECT | EXPERT_SEGMENT, .keys = keys, .state_bytes = sizeof(struct state), .open = open_yolov8, .read = read_yolov8 };
