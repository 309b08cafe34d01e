/* task/vision_net.c - see vision_net.h: ONNX Runtime's side of it. */
#include "task/vision_net.h"

#include <string.h>

#include "task/onnx_open.h"

static int n_inputs(void *s) { return onnx_n_inputs(s); }
static int n_outputs(void *s) { return onnx_n_outputs(s); }
static const struct tensor *input_info(void *s, int i) { return onnx_input_info(s, i); }
static const struct tensor *output_info(void *s, int j) { return onnx_output_info(s, j); }
static const struct tensor *input(void *s, int i) { return onnx_input(s, i); }
static const struct tensor *output(void *s, int j) { return onnx_output(s, j); }
static bool set_dims(void *s, int i, const int64_t *dims, int n_dims, struct err *err) { return onnx_set_dims(s, i, dims, n_dims, err); }
static bool run(void *s, struct err *err) { return onnx_run(s, err); }
static const float *floats(void *s, int j, struct arena *arena, size_t *n, struct err *err) { return task_onnx_floats(s, j, arena, n, err); }

struct vision_net vision_net_onnx(struct onnx_session *s)
{
    static const struct vision_net_ops ops = { n_inputs, n_outputs, input_info, output_info, input, output, set_dims, run, floats };
    return (struct vision_net){ s, &ops };
}

int vision_net_find(const struct vision_net *net, bool is_output, const char *name)
{
    const int n = is_output ? net->ops->n_outputs(net->self) : net->ops->n_inputs(net->self);
    for (int i = 0; i < n; i++)
        if (strcmp((is_output ? net->ops->output_info : net->ops->input_info)(net->self, i)->name, name) == 0)
            return i;
    return -1;
}
