/* task/head_fastestdet.c - FastestDet: one grid, [batch, 5 + classes, rows, columns]; plane 0 objectness, 1..4 box, then classes.
 *
 * score = objectness^0.6 * class^0.4; cx = (column + tanh(p1)) / columns, w = sigmoid(p3), fractions of the input
 * (github.com/dog-qiuqiu/FastestDet, example/onnx-runtime).
 */
#include <math.h>

#include "task/vision.h"

struct state {
    int output;
};

static bool open_fastestdet(struct vision *v, void *state, const struct yaml_node *map, struct err *err)
{
    v->threshold = 0.6f;
    v->max_iou = 0.45f;
    return vision_find_output(v, map, "output", 0, &((struct state *)state)->output, err);
}

static bool read_fastestdet(struct vision *v, const void *state, int slot, const struct vision_frame *f, const struct task_request *rq,
                            struct arena *arena, struct task_result *r, struct err *err)
{
    struct vision_output o;
    struct nms found;
    if (!vision_get(v, ((const struct state *)state)->output, slot, &o, err) || !nms_init(&found, arena, err))
        return false;
    if (o.n_dims != 3 || o.dims[0] < 6 || o.dims[1] < 1 || o.dims[2] < 1 || o.dims[1] * o.dims[2] > 1 << 24)
        return err_set(err, ERR_UNSUPPORTED, "fastestdet: an output of [batch, 5 + classes, rows, columns] is wanted");
    const float threshold = vision_threshold(v, rq), w_px = (float)f->in_w, h_px = (float)f->in_h;
    const int n_classes = (int)o.dims[0] - 5, rows = (int)o.dims[1], cols = (int)o.dims[2], plane = rows * cols;
    const float lowest = powf(threshold, 1 / 0.6f); /* the objectness below which no class helps */
    for (int i = 0; i < plane; i++) {
        int best = 0;
        if (!(o.x[i] > lowest))
            continue;
        for (int c = 1; c < n_classes; c++)
            if (o.x[(5 + c) * plane + i] > o.x[(5 + best) * plane + i])
                best = c;
        const float score = powf(o.x[i], 0.6f) * powf(o.x[(5 + best) * plane + i], 0.4f);
        if (!(score > threshold))
            continue;
        const float cx = ((float)(i % cols) + tanhf(o.x[plane + i])) / (float)cols * w_px;
        const float cy = ((float)(i / cols) + tanhf(o.x[2 * plane + i])) / (float)rows * h_px;
        const float w = w_px / (1 + expf(-o.x[3 * plane + i])), h = h_px / (1 + expf(-o.x[4 * plane + i]));
        nms_add(&found, &(struct nms_box){ cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, score, best, i });
    }
    return vision_emit_boxes(v, &found, f, rq, true, arena, r, err);
}

static const char *const keys[] = { "output", NULL };
const struct vision_head vision_head_fastestdet = {
    .name = "fastestdet", .tasks = EXPERT_DETECT, .keys = keys, .state_bytes = sizeof(struct state), .open = open_fastestdet, .read = read_fastestdet
};
