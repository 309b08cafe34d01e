/* task/edgetpu.c - `kind: edgetpu`: TensorFlow Lite models on a Coral Edge TPU (classify, detect, segment, embed-image, infer).
 *
 * For:     pictures through the heads of vision.c, and raw tensors.
 * Touches: libtensorflowlite_c and libedgetpu, loaded by the card; the stick (USB) or card (PCIe); the model's file.
 * Rule:    models are those that edgetpu_compiler made (`..._edgetpu.tflite`).  `device: cpu` runs a model without the stick, by
 *          TensorFlow Lite alone.  Declarations: tensorflow/lite/c/c_api.h 2.x, edgetpu_c.h (libedgetpu 16).
 *          Tried on a fake of both libraries only (tests/task/test_edgetpu.c): no stick is at hand.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/dl.h"
#include "task/task.h"
#include "task/vision.h"

/* ---- the libraries ---- */

enum { LITE_OK = 0, EDGETPU_PCI = 0, EDGETPU_USB = 1 };
struct lite_quantization {
    float scale;
    int32_t zero_point;
};
struct edgetpu_device {
    int type;
    const char *path;
};
static const char *(*TfLiteVersion)(void);
static void *(*TfLiteModelCreateFromFile)(const char *);
static void (*TfLiteModelDelete)(void *);
static void *(*TfLiteInterpreterOptionsCreate)(void);
static void (*TfLiteInterpreterOptionsDelete)(void *);
static void (*TfLiteInterpreterOptionsSetNumThreads)(void *, int32_t);
static void (*TfLiteInterpreterOptionsAddDelegate)(void *, void *);
static void *(*TfLiteInterpreterCreate)(const void *, const void *);
static void (*TfLiteInterpreterDelete)(void *);
static int (*TfLiteInterpreterAllocateTensors)(void *);
static int (*TfLiteInterpreterInvoke)(void *);
static int32_t (*TfLiteInterpreterGetInputTensorCount)(const void *);
static int32_t (*TfLiteInterpreterGetOutputTensorCount)(const void *);
static void *(*TfLiteInterpreterGetInputTensor)(const void *, int32_t);
static const void *(*TfLiteInterpreterGetOutputTensor)(const void *, int32_t);
static int (*TfLiteTensorType)(const void *);
static int32_t (*TfLiteTensorNumDims)(const void *);
static int32_t (*TfLiteTensorDim)(const void *, int32_t);
static size_t (*TfLiteTensorByteSize)(const void *);
static void *(*TfLiteTensorData)(const void *);
static const char *(*TfLiteTensorName)(const void *);
static struct lite_quantization (*TfLiteTensorQuantizationParams)(const void *);
#define SYMBOL(name) { #name, &name }
static const struct dl_symbol lite_symbols[] = {
    SYMBOL(TfLiteVersion), SYMBOL(TfLiteModelCreateFromFile), SYMBOL(TfLiteModelDelete), SYMBOL(TfLiteInterpreterOptionsCreate),
    SYMBOL(TfLiteInterpreterOptionsDelete), SYMBOL(TfLiteInterpreterOptionsSetNumThreads), SYMBOL(TfLiteInterpreterOptionsAddDelegate),
    SYMBOL(TfLiteInterpreterCreate), SYMBOL(TfLiteInterpreterDelete), SYMBOL(TfLiteInterpreterAllocateTensors), SYMBOL(TfLiteInterpreterInvoke),
    SYMBOL(TfLiteInterpreterGetInputTensorCount), SYMBOL(TfLiteInterpreterGetOutputTensorCount), SYMBOL(TfLiteInterpreterGetInputTensor),
    SYMBOL(TfLiteInterpreterGetOutputTensor), SYMBOL(TfLiteTensorType), SYMBOL(TfLiteTensorNumDims), SYMBOL(TfLiteTensorDim),
    SYMBOL(TfLiteTensorByteSize), SYMBOL(TfLiteTensorData), SYMBOL(TfLiteTensorName), SYMBOL(TfLiteTensorQuantizationParams), { NULL, NULL },
};
static struct edgetpu_device *(*edgetpu_list_devices)(size_t *);
static void (*edgetpu_free_devices)(struct edgetpu_device *);
static void *(*edgetpu_create_delegate)(int, const char *, const void *, size_t);
static void (*edgetpu_free_delegate)(void *);
static const struct dl_symbol tpu_symbols[] = {
    SYMBOL(edgetpu_list_devices), SYMBOL(edgetpu_free_devices), SYMBOL(edgetpu_create_delegate), SYMBOL(edgetpu_free_delegate), { NULL, NULL },
};
static const char LITE_FROM[] = "Debian has no package: build libtensorflowlite_c.so from TensorFlow's sources (tensorflow/lite/c), or give its path as `library` of the card";
static const char TPU_FROM[] = "get libedgetpu1-std from Coral's repository (coral.ai/software), or give its path as `delegate` of the card";

/* ---- one model ---- */

struct edgetpu {
    struct dl lite, tpu;
    void *delegate, *model, *interpreter;
    char device[16];
    int n_inputs, n_outputs;
    char names[2][TASK_IO_MAX][TASK_NAME_MAX];
    struct tensor tensors[2][TASK_IO_MAX]; /* inputs, outputs: in the interpreter's memory */
    struct lite_quantization quantization[TASK_IO_MAX]; /* of outputs */
    struct vision v;
    bool has_vision;
    const struct card *card;
    uint64_t file_bytes;
};

static int n_inputs(void *self) { return ((struct edgetpu *)self)->n_inputs; }
static int n_outputs(void *self) { return ((struct edgetpu *)self)->n_outputs; }
static const struct tensor *input(void *self, int i) { return &((struct edgetpu *)self)->tensors[0][i]; }
static const struct tensor *output(void *self, int j) { return &((struct edgetpu *)self)->tensors[1][j]; }

static bool set_dims(void *self, int i, const int64_t *dims, int n_dims, struct err *err)
{
    const struct tensor *t = input(self, i);
    bool is_same = t->n_dims == n_dims;
    for (int k = 0; is_same && k < n_dims; k++)
        is_same = t->dims[k] == dims[k];
    return is_same || err_set(err, ERR_UNSUPPORTED, "input %s: compiled models have fixed sizes", t->name);
}

static bool run(void *self, struct err *err)
{
    struct edgetpu *e = self;
    return TfLiteInterpreterInvoke(e->interpreter) == LITE_OK || err_set(err, ERR_IO, "Edge TPU %s: the run failed (was it unplugged?)", e->device);
}

/* real = scale * (q - zero_point); a scale of 0 is no quantization. */
static const float *floats(void *self, int j, struct arena *arena, size_t *n, struct err *err)
{
    const struct edgetpu *e = self;
    const struct tensor *t = output(self, j);
    const struct lite_quantization q = e->quantization[j];
    const size_t each = tensor_type_bytes(t->type);
    *n = each ? t->n_bytes / each : 0;
    if (t->type == TENSOR_F32)
        return t->data;
    float *x = arena_alloc(arena, *n, sizeof(float), err);
    if (!x)
        return NULL;
    const float scale = q.scale != 0 ? q.scale : 1, zero = q.scale != 0 ? (float)q.zero_point : 0;
    for (size_t i = 0; i < *n; i++) {
        switch (t->type) {
        case TENSOR_U8: x[i] = scale * ((float)((const uint8_t *)t->data)[i] - zero); break;
        case TENSOR_I8: x[i] = scale * ((float)((const int8_t *)t->data)[i] - zero); break;
        case TENSOR_I16: x[i] = scale * ((float)((const int16_t *)t->data)[i] - zero); break;
        case TENSOR_I32: x[i] = scale * ((float)((const int32_t *)t->data)[i] - zero); break;
        default: return err_null(err, ERR_UNSUPPORTED, "output %s is %s, which no head reads", t->name, tensor_type_name(t->type));
        }
    }
    return x;
}

static const struct vision_net_ops net_ops = { n_inputs, n_outputs, input, output, input, output, set_dims, run, floats };

/* ---- opening ---- */

static bool load(struct dl *lib, const char *path, const char *need, const char *get_it, const struct dl_symbol *symbols, struct err *err)
{
    *lib = (struct dl)DL_INIT(path, need, get_it, symbols);
    return dl_load(lib, err);
}

static bool find_device(struct edgetpu *e, const char *want, struct err *err)
{
    size_t n = 0;
    char here[128] = "";
    struct edgetpu_device *devices = edgetpu_list_devices(&n), *found = NULL;
    int n_usb = 0, n_pci = 0;
    for (size_t i = 0; devices && i < n; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%s:%d", devices[i].type == EDGETPU_USB ? "usb" : "pci", devices[i].type == EDGETPU_USB ? n_usb++ : n_pci++);
        const size_t at = strlen(here);
        snprintf(here + at, sizeof(here) - at, "%s%s", at ? ", " : "", name);
        if (!found && (strcmp(want, "any") == 0 || strcmp(want, name) == 0)) {
            found = &devices[i];
            snprintf(e->device, sizeof(e->device), "%s", name);
        }
    }
    if (found)
        e->delegate = edgetpu_create_delegate(found->type, found->path, NULL, 0);
    if (devices)
        edgetpu_free_devices(devices);
    if (!found)
        return err_set(err, ERR_NOT_FOUND, "no Edge TPU %s%s%s: is it plugged in, and may this user open it (group plugdev, Coral's udev rules)? `device: cpu` runs without it",
                       strcmp(want, "any") == 0 ? "is here" : want, here[0] ? "; here are " : "", here);
    return e->delegate || err_set(err, ERR_BUSY, "Edge TPU %s cannot be opened: somebody else uses it, or may not", e->device);
}

static bool take_tensor(struct edgetpu *e, bool is_output, int i, struct err *err)
{
    static const struct { int lite; enum tensor_type type; } types[] = {
        { 1, TENSOR_F32 }, { 2, TENSOR_I32 }, { 3, TENSOR_U8 }, { 4, TENSOR_I64 }, { 6, TENSOR_BOOL }, { 7, TENSOR_I16 }, { 9, TENSOR_I8 }, { 10, TENSOR_F16 }, { 11, TENSOR_F64 },
    };
    const void *from = is_output ? TfLiteInterpreterGetOutputTensor(e->interpreter, i) : TfLiteInterpreterGetInputTensor(e->interpreter, i);
    struct tensor *t = &e->tensors[is_output][i];
    const char *name = from ? TfLiteTensorName(from) : NULL;
    snprintf(e->names[is_output][i], TASK_NAME_MAX, "%s", name ? name : "");
    *t = (struct tensor){ .name = e->names[is_output][i], .type = TENSOR_TYPE_COUNT };
    if (!from)
        return err_set(err, ERR_INPUT, "the model has no tensor %d", i);
    for (size_t k = 0; k < sizeof(types) / sizeof(*types); k++)
        if (types[k].lite == TfLiteTensorType(from))
            t->type = types[k].type;
    t->n_dims = TfLiteTensorNumDims(from), t->data = TfLiteTensorData(from), t->n_bytes = TfLiteTensorByteSize(from);
    if (t->type == TENSOR_TYPE_COUNT || t->n_dims < 0 || t->n_dims > TENSOR_DIMS_MAX || !t->data)
        return err_set(err, ERR_UNSUPPORTED, "tensor %s: a type or shape that is not supported", t->name);
    for (int d = 0; d < t->n_dims; d++)
        t->dims[d] = TfLiteTensorDim(from, d);
    if (is_output)
        e->quantization[i] = TfLiteTensorQuantizationParams(from);
    return tensor_check(t, err);
}

static bool open_model(struct edgetpu *e, const char *path, const struct task_env *env, struct err *err)
{
    e->model = TfLiteModelCreateFromFile(path);
    if (!e->model)
        return err_set(err, ERR_INPUT, "%s: no TensorFlow Lite model", path);
    void *options = TfLiteInterpreterOptionsCreate();
    if (!options)
        return err_set(err, ERR_NOMEM, "%s: no memory", path);
    const int n_threads = e->card->threads > 0 && e->card->threads < env->n_threads ? e->card->threads : env->n_threads;
    TfLiteInterpreterOptionsSetNumThreads(options, n_threads > 0 ? n_threads : 1);
    if (e->delegate)
        TfLiteInterpreterOptionsAddDelegate(options, e->delegate);
    e->interpreter = TfLiteInterpreterCreate(e->model, options);
    TfLiteInterpreterOptionsDelete(options);
    if (!e->interpreter || TfLiteInterpreterAllocateTensors(e->interpreter) != LITE_OK)
        return err_set(err, ERR_INPUT, "%s: not runnable on %s (compiled by edgetpu_compiler?)", path, e->delegate ? "an Edge TPU" : "the CPU");
    e->n_inputs = TfLiteInterpreterGetInputTensorCount(e->interpreter), e->n_outputs = TfLiteInterpreterGetOutputTensorCount(e->interpreter);
    if (e->n_inputs < 1 || e->n_outputs < 1 || e->n_inputs > TASK_IO_MAX || e->n_outputs > TASK_IO_MAX)
        return err_set(err, ERR_UNSUPPORTED, "%s: %d inputs and %d outputs", path, e->n_inputs, e->n_outputs);
    bool good = true;
    for (int i = 0; i < e->n_inputs && good; i++)
        good = take_tensor(e, false, i, err);
    for (int j = 0; j < e->n_outputs && good; j++)
        good = take_tensor(e, true, j, err);
    return good || err_prefix(err, "%s", path);
}

static void edgetpu_close(void *self)
{
    struct edgetpu *e = self;
    if (e->has_vision)
        vision_fini(&e->v);
    if (e->interpreter)
        TfLiteInterpreterDelete(e->interpreter);
    if (e->model)
        TfLiteModelDelete(e->model);
    if (e->delegate) /* after the interpreter that uses it */
        edgetpu_free_delegate(e->delegate);
    free(e);
}

static bool open_all(struct edgetpu *e, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { "library", "delegate", "device", VISION_INPUT_KEY, "labels", "head", NULL };
    const char *lite = "libtensorflowlite_c.so", *tpu = "libedgetpu.so.1", *device = "any";
    char path[sizeof(card->model)];
    struct stat st;
    if (!card_check_keys(card, keys, err) || !yaml_text(card->yaml, card->node, "library", &lite, err) ||
        !yaml_text(card->yaml, card->node, "delegate", &tpu, err) || !yaml_text(card->yaml, card->node, "device", &device, err) ||
        !card_file(card, "model", true, path, sizeof(path), err))
        return false;
    if (stat(path, &st) == 0)
        e->file_bytes = (uint64_t)st.st_size;
    if (!load(&e->lite, lite, "the kind edgetpu", LITE_FROM, lite_symbols, err))
        return false;
    if (strcmp(device, "cpu") != 0 && (!load(&e->tpu, tpu, "the kind edgetpu", TPU_FROM, tpu_symbols, err) || !find_device(e, device, err)))
        return false;
    if (!open_model(e, path, env, err))
        return false;
    if (card->task == EXPERT_INFER)
        return true;
    const struct vision_net net = { e, &net_ops };
    e->has_vision = true;
    return vision_open_net(&e->v, card, &net, keys, err);
}

static bool edgetpu_open(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    if (!(card->task & (EXPERT_CLASSIFY | EXPERT_DETECT | EXPERT_SEGMENT | EXPERT_EMBED_IMAGE | EXPERT_INFER)))
        return card_fail(card, yaml_get(card->node, "task"), err, "task: edgetpu can classify, detect, segment, embed-image, infer");
    struct edgetpu *e = calloc(1, sizeof(*e));
    if (!e)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    e->card = card;
    if (!open_all(e, card, env, err)) {
        edgetpu_close(e);
        return false;
    }
    *self = e;
    return true;
}

static void edgetpu_info(void *self, struct task_info *out)
{
    const struct edgetpu *e = self;
    out->tasks = e->card->task | EXPERT_INFER;
    out->memory_bytes = e->card->memory_bytes ? e->card->memory_bytes : 2 * e->file_bytes + 20000000;
    out->n_inputs = e->n_inputs, out->n_outputs = e->n_outputs;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < (k ? e->n_outputs : e->n_inputs); i++) {
            struct task_io *io = k ? &out->outputs[i] : &out->inputs[i];
            snprintf(io->name, sizeof(io->name), "%s", e->tensors[k][i].name);
            io->shape = e->tensors[k][i];
            io->shape.name = io->name, io->shape.data = NULL, io->shape.n_bytes = 0;
        }
    if (e->delegate)
        snprintf(out->runs_on, sizeof(out->runs_on), "TensorFlow Lite %.20s, Edge TPU %s", TfLiteVersion(), e->device);
    else
        snprintf(out->runs_on, sizeof(out->runs_on), "TensorFlow Lite %.20s, CPU", TfLiteVersion());
    snprintf(out->note, sizeof(out->note), "%s", e->delegate ? "" : "`device: cpu`: no Edge TPU is used");
}

/* ---- running ---- */

static bool infer(struct edgetpu *e, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    for (int i = 0; i < e->n_inputs; i++) {
        const struct tensor *to = &e->tensors[0][i], *from = NULL;
        for (int k = 0; k < rq->n_tensors && !from; k++)
            if (strcmp(rq->tensors[k].name, to->name) == 0)
                from = &rq->tensors[k];
        if (!from)
            return err_set(err, ERR_INPUT, "input '%s' is missing", to->name);
        if (from->type != to->type || !set_dims(e, i, from->dims, from->n_dims, err) || from->n_bytes != to->n_bytes) {
            char shape[120];
            tensor_describe(to, shape, sizeof(shape));
            return err_set(err, ERR_INPUT, "input '%s': %s is wanted", to->name, shape);
        }
        memcpy(to->data, from->data, to->n_bytes);
    }
    for (int k = 0; k < rq->n_outputs; k++) {
        bool is_known = false;
        for (int j = 0; j < e->n_outputs; j++)
            is_known = is_known || strcmp(rq->outputs[k], e->tensors[1][j].name) == 0;
        if (!is_known)
            return err_set(err, ERR_INPUT, "the model has no output '%s'", rq->outputs[k]);
    }
    if (!run(e, err))
        return false;
    for (int j = 0; j < e->n_outputs; j++) {
        const struct task_event ev = { .kind = TASK_TENSOR, .tensor = &e->tensors[1][j] };
        bool is_wanted = rq->n_outputs == 0;
        for (int k = 0; k < rq->n_outputs; k++)
            is_wanted = is_wanted || strcmp(rq->outputs[k], ev.tensor->name) == 0;
        if (is_wanted && !task_emit(out, &ev, err))
            return false;
    }
    return true;
}

static bool edgetpu_run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct edgetpu *e = self;
    struct task_result r = { 0 };
    struct image picture;
    if (rq->task == EXPERT_INFER)
        return infer(e, rq, out, err);
    return vision_picture(&e->v.in, rq, &picture, err) && vision_look(&e->v, &picture, rq, out->arena, &r, err) && task_emit_result(out, &r, err);
}

const struct task_kind task_edgetpu = { "edgetpu", NULL, edgetpu_open, edgetpu_close, edgetpu_info, edgetpu_run, NULL };
