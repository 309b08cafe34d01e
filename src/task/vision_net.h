/* task/vision_net.h - what computes for vision.c: a session of ONNX Runtime, or an interpreter of TensorFlow Lite (edgetpu.c).
 *
 * For:     vision.c, vision_input.c, head_*.c, faces.c: they see tensors, not libraries.
 * Touches: what the library touches.  Thread: the task's.
 * Rule:    as onnx.h says of its functions of the same names; `floats` gives an output as 32-bit floats, in place when it is that.
 */
#ifndef TUTTI_TASK_VISION_NET_H
#define TUTTI_TASK_VISION_NET_H
#include "base/arena.h"
#include "base/tensor.h"
#include "onnx/onnx.h"

struct vision_net_ops {
    int (*n_inputs)(void *self);
    int (*n_outputs)(void *self);
    const struct tensor *(*input_info)(void *self, int i);
    const struct tensor *(*output_info)(void *self, int j);
    const struct tensor *(*input)(void *self, int i);
    const struct tensor *(*output)(void *self, int j);
    bool (*set_dims)(void *self, int i, const int64_t *dims, int n_dims, struct err *err);
    bool (*run)(void *self, struct err *err);
    const float *(*floats)(void *self, int j, struct arena *arena, size_t *n, struct err *err);
};

struct vision_net { /* borrows what it stands for */
    void *self;
    const struct vision_net_ops *ops;
};
struct vision_net vision_net_onnx(struct onnx_session *s);
/* -1: none. */
int vision_net_find(const struct vision_net *net, bool is_output, const char *name);
#endif
