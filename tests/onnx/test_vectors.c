/* tests/onnx/test_vectors.c - the numbers of ../shared/models/VECTORS.tsv, made with ONNX Runtime 1.30, come out of the pinned one to 1e-3.
 *
 * Input: x[i] = scale * ((i * 37) mod 256) / 255.  A model's scale and free dimensions are in the table below.
 */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "library.h"
#include "media/image.h"

static const struct {
    const char *file;
    float scale;
    int64_t dims[4]; /* for the free ones, in order */
} models[] = {
    { "vision/mobilenet_v2_int8_dyn.onnx", 1, { 1 } },
    { "vision/mobilenet_v2_int8_qdq.onnx", 1, { 1 } },
    { "vision/yolox_nano_416.onnx", 255, { 0 } },
    { "vision/fastestdet_352.onnx", 1, { 0 } },
    { "vision/ultraface_slim_320.onnx", 1, { 0 } },
    { "vision/ultraface_rfb_320.onnx", 1, { 0 } },
    { "vision/yunet_n_320.onnx", 255, { 0 } },
    { "vision/yunet_n_dynamic.onnx", 255, { 1, 64, 96 } },
    { "ocr/ppocr_v3_en_det.onnx", 1, { 1, 64, 320 } },
    { "ocr/ppocr_en_number_v2_rec.onnx", 1, { 1, 320 } },
    { "ocr/ppocr_mobile_v2_angle_cls.onnx", 1, { 1, 48, 192 } },
    { "audio/silero_vad_16k.onnx", 1, { 1, 576, 1 } },
    { "audio/silero_vad_8k16k.onnx", 1, { 1, 576, 1 } },
    { "audio/oww_melspectrogram.onnx", 10000, { 1, 1760 } },
    { "audio/oww_embedding.onnx", 1, { 1 } },
    { "audio/oww_jarvis.onnx", 1, { 1 } },
    { "audio/oww_computer.onnx", 1, { 1 } },
    { "audio/kws_matchboxnet_33.onnx", 1, { 1, 101 } },
};
enum { N_MODELS = sizeof(models) / sizeof(*models) };

static bool feed(struct onnx_session *s, int m, struct err *err)
{
    int k = 0;
    for (int i = 0; i < onnx_n_inputs(s); i++) {
        const struct tensor *t = onnx_input_info(s, i);
        int64_t d[TENSOR_DIMS_MAX];
        for (int n = 0; n < t->n_dims; n++)
            d[n] = t->dims[n] < 0 && k < 4 ? models[m].dims[k++] : t->dims[n];
        if (!onnx_set_dims(s, i, d, t->n_dims, err))
            return false;
        t = onnx_input(s, i);
        if (t->type == TENSOR_I64) /* sr */
            *(int64_t *)t->data = 16000;
        for (size_t x = 0; t->type == TENSOR_F32 && i == 0 && x < t->n_bytes / 4; x++)
            ((float *)t->data)[x] = models[m].scale * (float)((x * 37) % 256) / 255;
    }
    return true;
}

/* A line of the file: "FILE\tOUTPUT\tSHAPE\tSUM\tV V V". */
static void check_line(const struct onnx_session *s, char *line)
{
    char *part[5] = { line };
    for (int i = 1; i < 5; i++)
        if (!(part[i] = strchr(part[i - 1], '\t')))
            return;
        else
            *part[i]++ = '\0';
    const int j = onnx_find_output(s, part[1]);
    REQUIRE(j >= 0, "%s has no output %s", part[0], part[1]);
    const struct tensor *t = onnx_output(s, j);
    double sum = 0, size = 0;
    const float *x = t->data;
    char shape[100] = "";
    for (int i = 0; i < t->n_dims; i++)
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%d", i ? "x" : "", (int)t->dims[i]);
    CHECK(strcmp(shape, part[2]) == 0, "%s: %s, not %s", part[1], shape, part[2]);
    for (size_t i = 0; i < t->n_bytes / 4; i++) {
        sum += (double)x[i];
        size += fabs((double)x[i]);
    }
    const double want = strtod(part[3], NULL), near = fmax(1e-3 * fabs(want), 1e-5 * size);
    CHECK(fabs(sum - want) <= near, "%s %s: the sum is %.8g, not %.8g", part[0], part[1], sum, want);
    int i = 0;
    for (char *p = part[4], *end; (size_t)i < t->n_bytes / 4; p = end, i++) {
        const double v = strtod(p, &end);
        if (end == p)
            break;
        CHECK(fabs((double)x[i] - v) <= 1e-3 * fabs(v) + 1e-6 + 1e-5 * size / (double)(t->n_bytes / 4), "%s %s[%d]: %.7g, not %.7g", part[0], part[1], i, (double)x[i], v);
    }
    CHECK(i > 0, "%s", part[1]);
}

TEST(every_model_answers_its_test_vector_as_a_newer_runtime_did)
{
    struct err err = { 0 };
    size_t n;
    char *text = file_read(test_shared("models/VECTORS.tsv"), 1 << 20, &n, &err);
    if (!text)
        SKIP("no shared data");
    struct onnx *o = test_onnx(1);
    for (int m = 0; m < N_MODELS; m++) {
        char path[600];
        snprintf(path, sizeof path, "models/%s", models[m].file);
        struct onnx_session *s = onnx_session_open(o, test_shared(path), NULL, &err);
        REQUIRE(s, "%s", err.text);
        REQUIRE(feed(s, m, &err) && onnx_run(s, &err), "%s", err.text);
        int n_lines = 0;
        for (const char *line = text; *line;) {
            const char *end = strchr(line, '\n');
            const size_t len = end ? (size_t)(end - line) : strlen(line);
            if (strncmp(line, models[m].file, strlen(models[m].file)) == 0 && line[strlen(models[m].file)] == '\t') {
                char copy[1024];
                snprintf(copy, sizeof copy, "%.*s", (int)(len < 1000 ? len : 1000), line);
                check_line(s, copy);
                n_lines++;
            }
            line += len + (end != NULL);
        }
        CHECK(n_lines > 0, "%s is not in VECTORS.tsv", models[m].file);
        onnx_session_close(s);
    }
    onnx_close(o);
    free(text);
}

/* The two lines of VECTORS.tsv whose input is no formula. */
TEST(a_text_vector_and_a_map_of_text_come_out_as_a_newer_runtime_made_them)
{
    static const float first[5] = { -0.2174577f, 0.1496449f, -0.06414396f, 0.08486253f, -0.08355550f };
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    struct onnx_session *s = onnx_session_open(o, test_shared("models/embed/glove50_5k_mean.onnx"), NULL, &err);
    REQUIRE(s, "%s", err.text);
    REQUIRE(onnx_set_dims(s, 0, (const int64_t[]){ 1, 3 }, 2, &err), "%s", err.text);
    memcpy(onnx_input(s, 0)->data, (const int64_t[]){ 10, 100, 1000 }, 3 * sizeof(int64_t));
    REQUIRE(onnx_run(s, &err), "%s", err.text);
    const struct tensor *t = onnx_output(s, 0);
    double sum = 0;
    REQUIRE(t->n_bytes == 50 * sizeof(float));
    for (int i = 0; i < 50; i++)
        sum += (double)((const float *)t->data)[i];
    CHECK(fabs(sum + 0.52277391) <= 1e-3 * 0.523, "%.8g", sum);
    for (int i = 0; i < 5; i++)
        CHECK(fabsf(((const float *)t->data)[i] - first[i]) <= 1e-3f * fabsf(first[i]), "%d: %.7g", i, (double)((const float *)t->data)[i]);
    onnx_session_close(s);

    static const float mean[3] = { 0.485f, 0.456f, 0.406f }, std[3] = { 0.229f, 0.224f, 0.225f };
    struct image im = { 0 };
    size_t n;
    char *bytes = file_read(test_shared("models/media/text/line_hello.png"), 1 << 22, &n, &err);
    REQUIRE(bytes, "%s", err.text);
    if (!image_decode(bytes, n, 3, NULL, &im, &err))
        SKIP("%s", err.text);
    REQUIRE(im.w == 320 && im.h == 48);
    s = onnx_session_open(o, test_shared("models/ocr/ppocr_v3_en_det.onnx"), NULL, &err);
    REQUIRE(s && onnx_set_dims(s, 0, (const int64_t[]){ 1, 3, 64, 320 }, 4, &err), "%s", err.text);
    float *x = onnx_input(s, 0)->data;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 64; y++)
            for (int k = 0; k < 320; k++)
                x[(c * 64 + y) * 320 + k] = ((y < 48 ? (float)im.px[(size_t)y * im.stride + (size_t)k * 3 + 2 - (size_t)c] : 255) / 255 - mean[c]) / std[c];
    REQUIRE(onnx_run(s, &err), "%s", err.text);
    t = onnx_output(s, 0);
    REQUIRE(t->n_bytes == 64 * 320 * sizeof(float));
    int n_text = 0;
    sum = 0;
    for (int i = 0; i < 64 * 320; i++) {
        sum += (double)((const float *)t->data)[i];
        n_text += ((const float *)t->data)[i] > 0.3f;
    }
    CHECK(fabs(sum - 2115.9466) <= 1e-3 * 2115.9466 && abs(n_text - 2131) <= 2, "%.8g, %d cells", sum, n_text);
    onnx_session_close(s);
    onnx_close(o);
    image_fini(&im);
    free(bytes);
}
