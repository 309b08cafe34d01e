/* task/masks.h - masks of boxes from prototypes: sigmoid(coefficients . prototypes) > 0.5 inside the box (YOLACT, Bolya et al. 2019).
 *
 * For:     head_yolov8.c, head_nms_inside.c.  Touches: the caller's arena, at most MASKS_BYTES_MAX of it for pixels.
 */
#ifndef TUTTI_TASK_MASKS_H
#define TUTTI_TASK_MASKS_H
#include "task/vision.h"

enum { MASKS_BYTES_MAX = 64 << 20, MASKS_PROTOTYPES_MAX = 1024 };

/* proto [n_proto][h][w] covers the model's input.  coef[i]: the n_proto numbers of box i of r, `step` floats apart.  Fills r->masks: one
 * for each box, covering the box's pixels; boxes beyond MASKS_BYTES_MAX get none. */
bool masks_make(const struct vision_output *proto, const float *const *coef, int step, const struct vision_frame *f, struct arena *arena,
                struct task_result *r, struct err *err);
#endif
