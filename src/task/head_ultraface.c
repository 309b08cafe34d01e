/* task/head_ultraface.c - boxes and scores in two outputs, corners as fractions of the input: UltraFace, and SSD detectors of that form.
 *
 * ultraface: `scores` [batch, n, 2] (1 = face, softmax done), `boxes` [batch, n, 4] = x1, y1, x2, y2.
 * ssd: the same with classes, 0 = background unless `skip: 0`.
 */

#include "task/vision.h"

struct state {
    int scores, boxes;
    int skip;
};

static bool open_any(struct vision *v, struct state *s, const struct yaml_node *map, struct err *err)
{
    const int scores = vision_net_find(&v->net, true, "scores"), boxes = vision_net_find(&v->net, true, "boxes");
    int64_t skip = 1;
    v->threshold = 0.7f;
    v->max_iou = 0.3f;
    if (!vision_find_output(v, map, "scores", scores >= 0 ? scores : 0, &s->scores, err) ||
        !vision_find_output(v, map, "boxes", boxes >= 0 ? boxes : 1, &s->boxes, err) || !yaml_int(v->card->yaml, map, "skip", 0, 1, &skip, err))
        return false;
    s->skip = (int)skip;
    return true;
}

static bool open_ultraface(struct vision *v, void *state, const struct yaml_node *map, struct err *err) { return open_any(v, state, map, err); }

static bool open_ssd(struct vision *v, void *state, const struct yaml_node *map, struct err *err)
{
    const bool good = open_any(v, state, map, err);
    v->threshold = 0.5f;
    v->max_iou = 0.45f;
    return good;
}

static bool read_any(struct vision *v, const void *state, int slot, const struct vision_frame *f, const struct task_request *rq, struct arena *arena,
                     struct task_result *r, struct err *err)
{
    const struct state *s = state;
    struct vision_output scores, boxes;
    struct nms found;
    if (!vision_get(v, s->scores, slot, &scores, err) || !vision_get(v, s->boxes, slot, &boxes, err) || !nms_init(&found, arena, err))
        return false;
    if (scores.n_dims != 2 || boxes.n_dims != 2 || boxes.dims[1] != 4 || boxes.dims[0] != scores.dims[0] || scores.dims[1] <= s->skip || scores.dims[1] > 1 << 20)
        return err_set(err, ERR_UNSUPPORTED, "%s: scores of [batch, n, classes] and boxes of [batch, n, 4] are wanted", v->head->name);
    const float threshold = vision_threshold(v, rq), w = (float)f->in_w, h = (float)f->in_h;
    const int n_classes = (int)scores.dims[1];
    for (int64_t i = 0; i < scores.dims[0]; i++) {
        const float *p = scores.x + i * n_classes, *b = boxes.x + i * 4;
        int best = s->skip;
        for (int c = s->skip + 1; c < n_classes; c++)
            best = p[c] > p[best] ? c : best;
        if (p[best] > threshold)
            nms_add(&found, &(struct nms_box){ b[0] * w, b[1] * h, b[2] * w, b[3] * h, p[best], best - s->skip, (int)i });
    }
    return vision_emit_boxes(v, &found, f, rq, v->card->task == EXPERT_DETECT, arena, r, err);
}

static const char *const keys[] = { "scores", "boxes", "skip", NULL };
const struct vision_head vision_head_ultraface = {
    .name = "ultraface", .tasks = EXPERT_FACES, .keys = keys, .state_bytes = sizeof(struct state), .open = open_ultraface, .read = read_any
};
const struct vision_head vision_head_ssd = {
    .name = "ssd", .tasks = EXPERT_DETECT, .keys = keys, .state_bytes = sizeof(struct state), .open = open_ssd, .read = read_any
};
