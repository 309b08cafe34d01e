/* task/onnx_open.c - what tasks that run ONNX models share; see onnx_open.h. */
#include "task/onnx_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dtype/dtype.h"

struct onnx *task_onnx_open(const struct card *card, const struct task_env *env, struct err *err)
{
    struct onnx_places places;
    struct onnx_options options = { .n_threads = env->n_threads };
    if (card->threads > 0 && (env->n_threads <= 0 || card->threads < env->n_threads))
        options.n_threads = card->threads;
    char *text = malloc(5 * ONNX_PATH_MAX); /* too much for a stack: paths and the one that is found */
    if (!text)
        return err_null(err, ERR_NOMEM, "ONNX Runtime: out of memory");
    char *path = text + 4 * ONNX_PATH_MAX;
    onnx_places_here(&places, text);
    places.file = env->ort_path;
    struct onnx *o = onnx_find_library(&places, path, err) ? onnx_open(path, &options, err) : NULL;
    free(text);
    return o;
}

/* ---- the file ---- */

static const char *const precisions[] = { "int8", "fp16", "fp32", NULL };

/* Is anything but the CPU wished for? */
static bool wants_more_than_cpu(const struct card *card)
{
    const struct yaml_node *list = yaml_get(card->node, "providers");
    return list && list->kind == YAML_LIST && list->n_items > 0 && list->items[0].text && strcmp(list->items[0].text, "cpu") != 0;
}

bool task_onnx_model(const struct card *card, char *path, size_t max, struct err *err)
{
    /* the seeds' rules: INT8 first on a CPU, FP16 first on what has it in hardware, full precision as the last resort */
    static const int on_cpu[] = { 0, 2, 1 }, elsewhere[] = { 1, 0, 2 };
    const int *order = wants_more_than_cpu(card) ? elsewhere : on_cpu;
    const struct yaml_node *variants = NULL;
    if (!yaml_map(card->yaml, card->node, "variants", &variants, err))
        return false;
    if (!variants)
        return card_file(card, "model", true, path, max, err);
    if (!yaml_check_keys(card->yaml, variants, precisions, NULL, err))
        return false;
    if (variants->n_items == 0)
        return card_fail(card, variants, err, "variants: at least one of int8, fp16, fp32");
    for (int i = 0; i < 3; i++) {
        const struct yaml_node *v = yaml_get(variants, precisions[order[i]]);
        if (v && card_resolve(card, v, path, max, err))
            return true;
        if (v && err->code != ERR_NOT_FOUND)
            return false;
    }
    return false; /* what was said about the last one */
}

enum { PROVIDERS_MAX = 8, PROVIDERS_TEXT = 128 };

/* Of the card, else of the environment's "tensorrt,cuda,cpu", cut up in text. */
static bool choose_providers(const struct card *card, const struct task_env *env, const char *out[PROVIDERS_MAX + 1], char text[PROVIDERS_TEXT], bool *is_wish,
                             struct err *err)
{
    const struct yaml_node *list = NULL;
    int n = 0;
    if (!yaml_list(card->yaml, card->node, "providers", &list, err))
        return false;
    *is_wish = list != NULL;
    if (list && list->n_items > PROVIDERS_MAX)
        return card_fail(card, list, err, "providers: at most %d", PROVIDERS_MAX);
    for (; list && n < list->n_items; n++)
        if (!yaml_node_text(card->yaml, &list->items[n], &out[n], err))
            return false;
    if (!list && env->providers && strlen(env->providers) < PROVIDERS_TEXT) {
        char *rest = memcpy(text, env->providers, strlen(env->providers) + 1);
        for (char *word; n < PROVIDERS_MAX && (word = strtok_r(rest, ",", &rest));)
            out[n++] = word;
    }
    out[n] = NULL;
    return true;
}

struct onnx_session *task_onnx_session(struct onnx *o, const struct card *card, const struct task_env *env, const char *path, struct err *err)
{
    const char *providers[PROVIDERS_MAX + 1];
    char text[PROVIDERS_TEXT];
    struct onnx_session_options options = { .providers = providers, .cache_dir = env->cache_dir };
    if (!choose_providers(card, env, providers, text, &options.is_wish, err))
        return NULL;
    return onnx_session_open(o, path, &options, err);
}

/* ---- what it is ---- */

static void copy_io(const struct tensor *t, struct task_io *io)
{
    snprintf(io->name, sizeof io->name, "%s", t->name);
    io->shape = *t;
    io->shape.name = io->name;
}

void task_onnx_info(const struct onnx *o, const struct onnx_session *s, const struct card *card, struct task_info *out)
{
    const int n_in = onnx_n_inputs(s), n_out = onnx_n_outputs(s);
    for (int i = 0; i < n_in && i < TASK_IO_MAX; i++)
        copy_io(onnx_input_info(s, i), &out->inputs[i]);
    for (int i = 0; i < n_out && i < TASK_IO_MAX; i++)
        copy_io(onnx_output_info(s, i), &out->outputs[i]);
    out->n_inputs = n_in < TASK_IO_MAX ? n_in : TASK_IO_MAX;
    out->n_outputs = n_out < TASK_IO_MAX ? n_out : TASK_IO_MAX;
    out->tasks |= EXPERT_INFER;
    snprintf(out->runs_on, sizeof out->runs_on, "onnxruntime %s, %s%s%.16s, %d thread%s", onnx_version(o), onnx_provider(s), card->precision[0] ? ", " : "",
             card->precision, onnx_n_threads(o), onnx_n_threads(o) == 1 ? "" : "s");
}

/* ---- raw tensors ---- */

static bool is_aligned(const struct tensor *t)
{
    const size_t each = tensor_type_bytes(t->type);
    return each < 2 || (uintptr_t)t->data % each == 0;
}

static bool put_tensor(struct onnx_session *s, int i, const struct tensor *t, struct err *err)
{
    const struct tensor *info = onnx_input_info(s, i);
    if (t->type != info->type)
        return err_set(err, ERR_INPUT, "input %s is %s, %s came", info->name, tensor_type_name(info->type), tensor_type_name(t->type));
    if (!tensor_check(t, err))
        return false;
    if (t->type == TENSOR_STRING)
        return onnx_set_texts(s, i, t, err);
    if (is_aligned(t))
        return onnx_bind_input(s, i, t->data, t->dims, t->n_dims, err);
    if (!onnx_set_dims(s, i, t->dims, t->n_dims, err))
        return false;
    if (t->n_bytes)
        memcpy(onnx_input(s, i)->data, t->data, t->n_bytes);
    return true;
}

static const struct tensor *find_tensor(const struct task_request *rq, const char *name)
{
    for (int k = 0; k < rq->n_tensors; k++)
        if (strcmp(rq->tensors[k].name, name) == 0)
            return &rq->tensors[k];
    return NULL;
}

static bool put_all(struct onnx_session *s, const struct task_request *rq, struct err *err)
{
    for (int k = 0; k < rq->n_tensors; k++) {
        if (onnx_find_input(s, rq->tensors[k].name) < 0)
            return err_set(err, ERR_INPUT, "there is no input '%.80s'", rq->tensors[k].name);
        if (find_tensor(rq, rq->tensors[k].name) != &rq->tensors[k])
            return err_set(err, ERR_INPUT, "input '%.80s' came twice", rq->tensors[k].name);
    }
    for (int i = 0; i < onnx_n_inputs(s); i++) {
        const struct tensor *t = find_tensor(rq, onnx_input_info(s, i)->name);
        if (!t) /* what an earlier request gave may be gone */
            return err_set(err, ERR_INPUT, "input '%.80s' is missing", onnx_input_info(s, i)->name);
        if (!put_tensor(s, i, t, err))
            return false;
    }
    for (int k = 0; k < rq->n_outputs; k++)
        if (onnx_find_output(s, rq->outputs[k]) < 0)
            return err_set(err, ERR_INPUT, "there is no output '%.80s'", rq->outputs[k]);
    return true;
}

static bool emit_all(const struct onnx_session *s, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    const int n = rq->n_outputs > 0 ? rq->n_outputs : onnx_n_outputs(s);
    for (int k = 0; k < n; k++) {
        const int j = rq->n_outputs > 0 ? onnx_find_output(s, rq->outputs[k]) : k;
        const struct task_event ev = { .kind = TASK_TENSOR, .tensor = onnx_output(s, j) };
        if (!task_emit(out, &ev, err))
            return false;
    }
    return true;
}

bool task_onnx_infer(struct onnx_session *s, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    const bool good = put_all(s, rq, err) && onnx_run(s, err) && emit_all(s, rq, out, err);
    for (int i = 0; i < onnx_n_inputs(s); i++) { /* the request's memory is gone in a moment: fixed inputs get theirs back */
        const struct tensor *info = onnx_input_info(s, i);
        struct err ignored;
        if (info->type != TENSOR_STRING && tensor_count(info->dims, info->n_dims) >= 0)
            onnx_set_dims(s, i, info->dims, info->n_dims, &ignored);
    }
    return good;
}

/* ---- numbers ---- */

#define CONVERT(type, expression)                                                                  \
    do {                                                                                           \
        const type *x = t->data;                                                                   \
        for (size_t i = 0; i < count; i++)                                                         \
            y[i] = (float)(expression);                                                            \
    } while (0)

const float *task_onnx_floats(const struct onnx_session *s, int j, struct arena *arena, size_t *n, struct err *err)
{
    const struct tensor *t = onnx_output(s, j);
    if (!t)
        return err_null(err, ERR_INTERNAL, "output %d was not computed", j);
    const size_t count = (size_t)tensor_count(t->dims, t->n_dims);
    *n = count;
    if (t->type == TENSOR_F32)
        return t->data;
    float *y = arena_alloc(arena, count, sizeof *y, err);
    if (!y)
        return NULL;
    switch (t->type) {
    case TENSOR_F16: CONVERT(uint16_t, dtype_f16_to_f32(x[i])); break;
    case TENSOR_BF16: CONVERT(uint16_t, dtype_bf16_to_f32(x[i])); break;
    case TENSOR_F64: CONVERT(double, x[i]); break;
    case TENSOR_I8: CONVERT(int8_t, x[i]); break;
    case TENSOR_U8:
    case TENSOR_BOOL: CONVERT(uint8_t, x[i]); break;
    case TENSOR_I16: CONVERT(int16_t, x[i]); break;
    case TENSOR_U16: CONVERT(uint16_t, x[i]); break;
    case TENSOR_I32: CONVERT(int32_t, x[i]); break;
    case TENSOR_U32: CONVERT(uint32_t, x[i]); break;
    case TENSOR_I64: CONVERT(int64_t, x[i]); break;
    case TENSOR_U64: CONVERT(uint64_t, x[i]); break;
    default: return err_null(err, ERR_INPUT, "output %s is %s, numbers are wanted", t->name, tensor_type_name(t->type));
    }
    return y;
}
