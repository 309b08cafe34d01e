/* task/head_yunet.c - YuNet: faces with five landmarks; for strides 8, 16, 32 outputs cls_S, obj_S [batch, n, 1], bbox_S [batch, n, 4],
 * kps_S [batch, n, 10], cells row by row.
 *
 * score = sqrt(cls * obj), both clamped to 0..1; cx = (column + b0) * S, w = exp(b2) * S; landmark j = ((k[2j] + column) * S, ...):
 * right eye, left eye, nose, right and left corner of the mouth, the person's own sides (Wu et al. 2023; OpenCV's FaceDetectorYN).
 */
#include <math.h>
#include <stdio.h>

#include "task/vision.h"

enum { LEVELS = 3, POINTS = 5 };
enum part { CLS, OBJ, BBOX, KPS, PARTS };

struct state {
    int outputs[LEVELS][PARTS];
};

static const char *const part_names[PARTS] = { "cls", "obj", "bbox", "kps" };
static const int part_values[PARTS] = { 1, 1, 4, 2 * POINTS };

static bool open_yunet(struct vision *v, void *state, const struct yaml_node *map, struct err *err)
{
    struct state *s = state;
    v->threshold = 0.6f;
    v->max_iou = 0.3f;
    for (int l = 0; l < LEVELS; l++)
        for (int p = 0; p < PARTS; p++) {
            char name[16];
            snprintf(name, sizeof name, "%s_%d", part_names[p], 8 << l);
            s->outputs[l][p] = vision_net_find(&v->net, true, name);
            if (s->outputs[l][p] < 0)
                return card_fail(v->card, map, err, "head: yunet wants an output '%s', which the model does not have", name);
        }
    return true;
}

static float clamp01(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

struct level {
    struct vision_output part[PARTS];
    int cols;
};

static bool read_yunet(struct vision *v, const void *state, int slot, const struct vision_frame *f, const struct task_request *rq, struct arena *arena,
                       struct task_result *r, struct err *err)
{
    enum { CELL_MAX = 1 << 24 };
    const struct state *s = state;
    const float threshold = vision_threshold(v, rq);
    struct level levels[LEVELS];
    struct nms found;
    if (!nms_init(&found, arena, err))
        return false;
    for (int l = 0; l < LEVELS; l++) {
        struct level *level = &levels[l];
        const int stride = 8 << l, cells = (f->in_w / stride) * (f->in_h / stride);
        level->cols = f->in_w / stride;
        for (int p = 0; p < PARTS; p++) {
            if (!vision_get(v, s->outputs[l][p], slot, &level->part[p], err))
                return false;
            if (level->part[p].n != (size_t)cells * (size_t)part_values[p] || cells > CELL_MAX)
                return err_set(err, ERR_UNSUPPORTED, "yunet: %s_%d does not fit an input of %d x %d", part_names[p], stride, f->in_w, f->in_h);
        }
        for (int i = 0; i < cells; i++) {
            const float score = sqrtf(clamp01(level->part[CLS].x[i]) * clamp01(level->part[OBJ].x[i]));
            const float *b = level->part[BBOX].x + (size_t)i * 4, step = (float)stride;
            if (!(score >= threshold))
                continue;
            const float cx = ((float)(i % level->cols) + b[0]) * step, cy = ((float)(i / level->cols) + b[1]) * step;
            const float w = expf(b[2]) * step, h = expf(b[3]) * step;
            nms_add(&found, &(struct nms_box){ cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, score, 0, l * CELL_MAX + i });
        }
    }
    if (!vision_emit_boxes(v, &found, f, rq, false, arena, r, err))
        return false;
    struct result_box *boxes = (struct result_box *)r->boxes; /* in our arena */
    for (int k = 0; k < r->n_boxes; k++) {
        const int l = found.boxes[k].source / CELL_MAX, i = found.boxes[k].source % CELL_MAX;
        const float *p = levels[l].part[KPS].x + (size_t)i * 2 * POINTS, step = (float)(8 << l);
        boxes[k].n_points = POINTS;
        for (int j = 0; j < POINTS; j++)
            boxes[k].points[j] = (struct result_point){ vision_x(f, (p[2 * j] + (float)(i % levels[l].cols)) * step),
                                                        vision_y(f, (p[2 * j + 1] + (float)(i / levels[l].cols)) * step) };
    }
    return true;
}

static const char *const keys[] = { NULL };
const struct vision_head vision_head_yunet = {
    .name = "yunet", .tasks = EXPERT_FACES, .keys = keys, .state_bytes = sizeof(struct state), .open = open_yunet, .read = read_yunet
};
