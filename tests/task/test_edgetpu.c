/* tests/task/test_edgetpu.c - the kind `edgetpu` on a fake: this program plays libtensorflowlite_c and libedgetpu (it is linked with
 * -rdynamic and loads itself: `library: ""`).  A model is a text file that says what it is. */
#include <stdarg.h>
#include <stdlib.h>

#include "try_task.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"

/* ---- the fake ---- */

enum { SIDE = 4 };
struct fake_tensor {
    const char *name;
    int type, n_dims, dims[4];
    size_t n_bytes;
    float scale;
    int zero;
    uint8_t data[256];
};
struct fake_model {
    char kind; /* 'c' classify, 'd' detect */
    int n_outputs;
    struct fake_tensor input, outputs[4];
};
static int n_sticks = 1, n_open, n_delegates, is_unplugged, added_delegate;

const char *TfLiteVersion(void) { return "2.fake"; }
void *TfLiteModelCreateFromFile(const char *path)
{
    FILE *f = fopen(path, "r");
    char word[16] = "";
    if (!f || fscanf(f, "%15s", word) != 1 || (word[0] != 'c' && word[0] != 'd')) {
        if (f)
            fclose(f);
        return NULL;
    }
    fclose(f);
    struct fake_model *m = calloc(1, sizeof(*m));
    m->kind = word[0];
    m->input = (struct fake_tensor){ "image", 3, 4, { 1, SIDE, SIDE, 3 }, SIDE * SIDE * 3, 1 / 128.f, 128, { 0 } };
    if (m->kind == 'c') {
        m->n_outputs = 1;
        m->outputs[0] = (struct fake_tensor){ "scores", 3, 2, { 1, 3 }, 3, 1 / 256.f, 0, { 0 } };
    } else {
        m->n_outputs = 4;
        m->outputs[0] = (struct fake_tensor){ "boxes", 1, 3, { 1, 2, 4 }, 32, 0, 0, { 0 } };
        m->outputs[1] = (struct fake_tensor){ "classes", 1, 2, { 1, 2 }, 8, 0, 0, { 0 } };
        m->outputs[2] = (struct fake_tensor){ "scores", 1, 2, { 1, 2 }, 8, 0, 0, { 0 } };
        m->outputs[3] = (struct fake_tensor){ "count", 1, 1, { 1 }, 4, 0, 0, { 0 } };
    }
    n_open++;
    return m;
}
void TfLiteModelDelete(void *m) { n_open--, free(m); }
void *TfLiteInterpreterOptionsCreate(void) { return malloc(1); }
void TfLiteInterpreterOptionsDelete(void *o) { free(o); }
void TfLiteInterpreterOptionsSetNumThreads(void *o, int32_t n) { (void)o, (void)n; }
void TfLiteInterpreterOptionsAddDelegate(void *o, void *d) { (void)o, added_delegate = d != NULL; }
void *TfLiteInterpreterCreate(const void *m, const void *o) { (void)o; return n_open++, (void *)m; }
void TfLiteInterpreterDelete(void *i) { (void)i, n_open--; }
int TfLiteInterpreterAllocateTensors(void *i) { (void)i; return 0; }
int TfLiteInterpreterInvoke(void *i)
{
    struct fake_model *m = i;
    int sum[3] = { 0 };
    for (int k = 0; k < SIDE * SIDE * 3; k++)
        sum[k % 3] += m->input.data[k];
    for (int c = 0; c < 3 && m->kind == 'c'; c++)
        m->outputs[0].data[c] = (uint8_t)(sum[c] / (SIDE * SIDE));
    if (m->kind == 'd') { /* y1, x1, y2, x2; the second counts for nothing */
        static const float boxes[8] = { 0.25f, 0.5f, 0.75f, 1, 0, 0, 1, 1 }, classes[2] = { 1, 0 }, scores[2] = { 0.9f, 0.8f }, count = 1;
        memcpy(m->outputs[0].data, boxes, 32), memcpy(m->outputs[1].data, classes, 8), memcpy(m->outputs[2].data, scores, 8), memcpy(m->outputs[3].data, &count, 4);
    }
    return is_unplugged;
}
int32_t TfLiteInterpreterGetInputTensorCount(const void *i) { (void)i; return 1; }
int32_t TfLiteInterpreterGetOutputTensorCount(const void *i) { return ((const struct fake_model *)i)->n_outputs; }
void *TfLiteInterpreterGetInputTensor(const void *i, int32_t k) { (void)k; return &((struct fake_model *)i)->input; }
const void *TfLiteInterpreterGetOutputTensor(const void *i, int32_t k) { return &((const struct fake_model *)i)->outputs[k]; }
int TfLiteTensorType(const void *t) { return ((const struct fake_tensor *)t)->type; }
int32_t TfLiteTensorNumDims(const void *t) { return ((const struct fake_tensor *)t)->n_dims; }
int32_t TfLiteTensorDim(const void *t, int32_t d) { return ((const struct fake_tensor *)t)->dims[d]; }
size_t TfLiteTensorByteSize(const void *t) { return ((const struct fake_tensor *)t)->n_bytes; }
void *TfLiteTensorData(const void *t) { return ((struct fake_tensor *)t)->data; }
const char *TfLiteTensorName(const void *t) { return ((const struct fake_tensor *)t)->name; }
struct fake_quantization { float scale; int32_t zero; };
struct fake_quantization TfLiteTensorQuantizationParams(const void *t)
{
    return (struct fake_quantization){ ((const struct fake_tensor *)t)->scale, ((const struct fake_tensor *)t)->zero };
}
struct fake_device { int type; const char *path; };
struct fake_device *edgetpu_list_devices(size_t *n)
{
    *n = (size_t)n_sticks;
    struct fake_device *d = calloc((size_t)n_sticks + 1, sizeof(*d));
    for (int i = 0; i < n_sticks; i++)
        d[i] = (struct fake_device){ i == 1 ? 0 : 1, "/dev/fake" };
    return d;
}
void edgetpu_free_devices(struct fake_device *d) { free(d); }
void *edgetpu_create_delegate(int type, const char *path, const void *options, size_t n)
{
    (void)type, (void)options, (void)n;
    return strcmp(path, "/dev/fake") == 0 ? (n_delegates++, malloc(1)) : NULL;
}
void edgetpu_free_delegate(void *d) { n_delegates--, free(d); }

/* ---- tests ---- */

static const char *make_card(const char *model, const char *rest)
{
    static char card[2048];
    char path[512];
    snprintf(path, sizeof(path), "%s", test_tmp("model.tflite"));
    FILE *f = fopen(path, "w");
    fprintf(f, "%s\n", model);
    fclose(f);
    snprintf(card, sizeof(card), "kind: edgetpu\nmodel: %s\nlibrary: \"\"\ndelegate: \"\"\n%s", path, rest);
    return card;
}

static bool look(struct try_task *t, enum expert_task task, int w, int h)
{
    static uint8_t px[64 * 64 * 3];
    for (int i = 0; i < w * h * 3; i++)
        px[i] = i % 3 == 1 ? 200 : 50; /* green */
    const struct task_media m = { .form = MEDIA_RGB8, .bytes = px, .n_bytes = (size_t)(w * h * 3), .width_px = w, .height_px = h };
    const struct task_request rq = { .task = task, .media = &m, .n_media = 1 };
    return try_run(t, &rq);
}

TEST(a_classifier_runs_on_the_stick_through_the_same_head)
{
    struct try_task t;
    REQUIRE(try_open(&t, make_card("classify", "task: classify\nlabels: [red, green, blue]\nhead: {type: classify, activation: none, top: 1}\n"), NULL), "%s", t.err.text);
    CHECK(strcmp(task_get_info(t.task)->runs_on, "TensorFlow Lite 2.fake, Edge TPU usb:0") == 0 && added_delegate == 1, "%s", task_get_info(t.task)->runs_on);
    for (int i = 0; i < 3; i++) {
        REQUIRE(look(&t, EXPERT_CLASSIFY, 20, 10), "%s", t.err.text);
        CHECK(strstr(t.json.data, "\"labels\":[{\"label\":\"green\",\"score\":0.78"), "%s", t.json.data); /* 200 / 256 */
    }
    is_unplugged = 1;
    CHECK(!look(&t, EXPERT_CLASSIFY, 20, 10) && t.err.code == ERR_IO, "%s", t.err.text);
    try_close(&t);
    CHECK(n_open == 0 && n_delegates == 0, "%d %d", n_open, n_delegates);
}

TEST(a_detector_with_tensorflows_own_suppression_runs_through_nms_inside)
{
    struct try_task t;
    const char *rest = "task: detect\nlabels: [cat, dog]\nhead: {type: nms-inside, boxes: boxes, scores: scores, classes: classes, count: count, fractions: true, y_first: true}\n";
    REQUIRE(try_open(&t, make_card("detect", rest), NULL), "%s", t.err.text);
    REQUIRE(look(&t, EXPERT_DETECT, 40, 20), "%s", t.err.text);
    CHECK(strstr(t.json.data, "\"boxes\":[{\"label\":\"dog\",\"score\":0.9,\"box\":[20,5,20,10]}]"), "%s", t.json.data);
    try_close(&t);
}

TEST(raw_tensors_go_in_and_out)
{
    struct try_task t;
    REQUIRE(try_open(&t, make_card("classify", "task: infer\n"), NULL), "%s", t.err.text);
    const struct task_info *info = task_get_info(t.task);
    CHECK(info->n_inputs == 1 && info->n_outputs == 1 && strcmp(info->inputs[0].name, "image") == 0 && info->inputs[0].shape.type == TENSOR_U8);
    uint8_t px[48] = { 7 };
    struct tensor in = { .name = "image", .type = TENSOR_U8, .n_dims = 4, .dims = { 1, 4, 4, 3 }, .data = px, .n_bytes = 48 };
    struct task_request rq = { .task = EXPERT_INFER, .tensors = &in, .n_tensors = 1 };
    CHECK(try_run(&t, &rq), "%s", t.err.text);
    in.dims[1] = 3, in.n_bytes = 36;
    CHECK(!try_run(&t, &rq) && t.err.text[0], "%s", t.err.text);
    in = (struct tensor){ .name = "other", .type = TENSOR_U8, .n_dims = 1, .dims = { 48 }, .data = px, .n_bytes = 48 };
    CHECK(!try_run(&t, &rq) && t.err.code == ERR_INPUT && strstr(t.err.text, "image"), "%s", t.err.text);
    try_close(&t);
}

TEST(what_is_missing_is_said_in_one_line)
{
    struct try_task t;
    const char *classify = "task: classify\nlabels: [a, b, c]\n";
    CHECK(!try_open(&t, "kind: edgetpu\ntask: classify\nmodel: /dev/null\nlibrary: /nowhere/libtensorflowlite_c.so\n", NULL) && t.err.code == ERR_UNSUPPORTED &&
              strstr(t.err.text, "libtensorflowlite_c.so"), "%s", t.err.text);
    try_close(&t);
    CHECK(!try_open(&t, "kind: edgetpu\ntask: classify\nmodel: /dev/null\nlibrary: \"\"\ndelegate: /nowhere/libedgetpu.so.1\n", NULL) && t.err.code == ERR_UNSUPPORTED &&
              strstr(t.err.text, "coral.ai"), "%s", t.err.text);
    try_close(&t);
    n_sticks = 0;
    CHECK(!try_open(&t, make_card("classify", classify), NULL) && t.err.code == ERR_NOT_FOUND && strstr(t.err.text, "plugged in"), "%s", t.err.text);
    try_close(&t);
    CHECK(try_open(&t, make_card("classify", "task: classify\nlabels: [a, b, c]\ndevice: cpu\n"), NULL), "%s", t.err.text);
    CHECK(t.task && strstr(task_get_info(t.task)->runs_on, "CPU"));
    try_close(&t);
    n_sticks = 2;
    CHECK(!try_open(&t, make_card("classify", "task: classify\ndevice: usb:7\n"), NULL) && strstr(t.err.text, "usb:0, pci:0"), "%s", t.err.text);
    try_close(&t);
    CHECK(!try_open(&t, make_card("none", classify), NULL) && t.err.code == ERR_INPUT && strstr(t.err.text, "no TensorFlow Lite model"), "%s", t.err.text);
    try_close(&t);
    CHECK(!try_open(&t, make_card("classify", "task: speak\n"), NULL) && t.err.code == ERR_INPUT, "%s", t.err.text);
    try_close(&t);
    CHECK(!try_open(&t, make_card("classify", "task: classify\nlabel: [a]\n"), NULL) && strstr(t.err.text, "labels"), "%s", t.err.text);
    try_close(&t);
    CHECK(n_open == 0 && n_delegates == 0, "%d %d", n_open, n_delegates);
}
