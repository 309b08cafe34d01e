/* task/onnx_open.h - what all tasks share that run ONNX models: the library, a session as the card wants it, raw tensors.
 *
 * For:     the kinds of task/ whose card says `kind: onnx`.
 * Touches: what onnx/ touches.  Thread: the task's.
 * Keys:    `providers` (a list: cuda, tensorrt, openvino, migraphx, cpu; best first), `variants` (a map of files by precision:
 *          int8, fp16, fp32; instead of `model`), `threads`.  A kind names ONNX_OPEN_KEYS among the keys that it knows.
 */
#ifndef TUTTI_TASK_ONNX_OPEN_H
#define TUTTI_TASK_ONNX_OPEN_H
#include "onnx/onnx.h"
#include "task/task.h"

#define ONNX_OPEN_KEYS "providers", "variants"

/* Finds and loads the library (env->ort_path, else as onnx_places_here() says), with the card's threads, at most the
 * environment's.  The caller owns the result.  NULL with err: says how to get it. */
struct onnx *task_onnx_open(const struct card *card, const struct task_env *env, struct err *err);

/* The model's file: `model`, or of `variants` the one that is best here (INT8 on a CPU, FP16 elsewhere) and exists. */
bool task_onnx_model(const struct card *card, char *path, size_t max, struct err *err);
/* A session of the file at `path` on the card's providers, optimised models cached below env->cache_dir. */
struct onnx_session *task_onnx_session(struct onnx *o, const struct card *card, const struct task_env *env, const char *path, struct err *err);

/* Inputs, outputs, what it runs on; adds INFER to the tasks. */
void task_onnx_info(const struct onnx *o, const struct onnx_session *s, const struct card *card, struct task_info *out);

/* INFER: the request's tensors in by name, without a copy where their memory is aligned for their type; the wanted outputs emitted. */
bool task_onnx_infer(struct onnx_session *s, const struct task_request *rq, const struct task_out *out, struct err *err);

/* An output as 32-bit floats: in place when it is that already, else converted into the arena (F16, BF16, integers, F64, bool).
 * *n: elements.  NULL with err. */
const float *task_onnx_floats(const struct onnx_session *s, int j, struct arena *arena, size_t *n, struct err *err);
#endif
