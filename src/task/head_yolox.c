/* task/head_yolox.c - YOLOX and YOLOv5: [batch, cells, 5 + classes] = x, y, w, h, objectness, class scores (sigmoids done).
 *
 * yolox: x, y, w, h are to be unfolded with the grid: cx = (x + column) * stride, w = exp(w) * stride (Ge et al. 2021, section 2.3;
 * github.com/Megvii-BaseDetection/YOLOX demo_postprocess).  Cells: the grids of the strides behind each other, row by row.
 * yolov5 (and v7, and YOLOX exported with decode_in_inference): they are pixels of the input already.
 */
#include <math.h>

#include "task/vision.h"

enum { STRIDES_MAX = 8, CLASSES_MAX = 100000 };

struct state {
    int output;
    bool is_decoded;
    int strides[STRIDES_MAX], n_strides;
};

static bool open_any(struct vision *v, struct state *s, const struct yaml_node *map, struct err *err)
{
    const struct yaml_node *list = NULL;
    if (!vision_find_output(v, map, "output", 0, &s->output, err) || !yaml_list(v->card->yaml, map, "strides", &list, err))
        return false;
    if (list && (list->n_items < 1 || list->n_items > STRIDES_MAX))
        return card_fail(v->card, list, err, "strides: 1 to %d numbers", STRIDES_MAX);
    s->n_strides = list ? list->n_items : 3;
    for (int i = 0; i < s->n_strides; i++) {
        double stride = 8 << i;
        if (list && !yaml_node_number(v->card->yaml, &list->items[i], 1, 1024, &stride, err))
            return false;
        s->strides[i] = (int)stride;
    }
    v->max_iou = 0.45f;
    return true;
}

static bool open_yolox(struct vision *v, void *state, const struct yaml_node *map, struct err *err)
{
    v->threshold = 0.35f;
    return open_any(v, state, map, err);
}

static bool open_yolov5(struct vision *v, void *state, const struct yaml_node *map, struct err *err)
{
    ((struct state *)state)->is_decoded = true;
    v->threshold = 0.25f;
    return open_any(v, state, map, err);
}

/* One cell whose objectness is high enough. */
static void take_cell(struct nms *found, const float *o, int n_classes, float threshold, bool is_decoded, float col, float row, float stride, int cell)
{
    int best = 0;
    for (int c = 1; c < n_classes; c++)
        if (o[5 + c] > o[5 + best])
            best = c;
    const float score = o[4] * o[5 + best];
    if (!(score >= threshold))
        return;
    const float cx = is_decoded ? o[0] : (o[0] + col) * stride, cy = is_decoded ? o[1] : (o[1] + row) * stride;
    const float w = is_decoded ? o[2] : expf(o[2]) * stride, h = is_decoded ? o[3] : expf(o[3]) * stride;
    nms_add(found, &(struct nms_box){ cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, score, best, cell });
}

static bool read_any(struct vision *v, const void *state, int slot, const struct vision_frame *f, const struct task_request *rq, struct arena *arena,
                     struct task_result *r, struct err *err)
{
    const struct state *s = state;
    struct vision_output o;
    struct nms found;
    if (!vision_get(v, s->output, slot, &o, err) || !nms_init(&found, arena, err))
        return false;
    if (o.n_dims != 2 || o.dims[1] < 6 || o.dims[1] > CLASSES_MAX)
        return err_set(err, ERR_UNSUPPORTED, "%s: an output of [batch, cells, 5 + classes] is wanted", v->head->name);
    const float threshold = vision_threshold(v, rq);
    const int64_t n_cells = o.dims[0];
    const int step = (int)o.dims[1];
    int64_t cell = 0;
    for (; cell < n_cells && s->is_decoded; cell++)
        if (o.x[cell * step + 4] >= threshold) /* class scores are at most 1 */
            take_cell(&found, o.x + cell * step, step - 5, threshold, true, 0, 0, 0, (int)cell);
    for (int k = 0; k < s->n_strides && !s->is_decoded; k++) {
        const int stride = s->strides[k], rows = f->in_h / stride, cols = f->in_w / stride;
        if (n_cells - cell < (int64_t)rows * cols)
            break;
        for (int y = 0; y < rows; y++)
            for (int x = 0; x < cols; x++, cell++)
                if (o.x[cell * step + 4] >= threshold)
                    take_cell(&found, o.x + cell * step, step - 5, threshold, false, (float)x, (float)y, (float)stride, (int)cell);
    }
    if (cell != n_cells)
        return err_set(err, ERR_UNSUPPORTED, "%s: %d cells do not fit an input of %d x %d with these strides", v->head->name, (int)n_cells, f->in_w, f->in_h);
    return vision_emit_boxes(v, &found, f, rq, true, arena, r, err);
}

static const char *const yolox_keys[] = { "output", "strides", NULL };
static const char *const yolov5_keys[] = { "output", NULL };
const struct vision_head vision_head_yolox = {
    .name = "yolox", .tasks = EXPERT_DETECT, .keys = yolox_keys, .state_bytes = sizeof(struct state), .open = open_yolox, .read = read_any
};
const struct vision_head vision_head_yolov5 = {
    .name = "yolov5", .tasks = EXPERT_DETECT, .keys = yolov5_keys, .state_bytes = sizeof(struct state), .open = open_yolov5, .read = read_any
};
