/* tests/task/test_ocr_onnx.c - the PP-OCR models on the shared pictures: what shared/models/MANIFEST.tsv says, and better. */
#include "media/image.h"
#include "media/resize.h"
#include "ocr_truth.h"
#include "onnx/library.h"
#include "onnx/write.h"
#include "try_task.h"

#define CARD                                                                                                    \
    "task: ocr\nkind: onnx\n"                                                                                   \
    "models: {detect: ocr/ppocr_v3_en_det.onnx, angle: ocr/ppocr_mobile_v2_angle_cls.onnx, recognize: ocr/ppocr_en_number_v2_rec.onnx}\n" \
    "dictionary: ocr/en_dict.txt\n"

static void open_ocr(struct try_task *t, char models[512])
{
    snprintf(models, 512, "%s", test_shared("models"));
    try_ort_path = test_onnx_library();
    TRY_OPEN(t, CARD, models);
}

TEST(the_shared_pictures_are_read)
{
    static const int most_wrong[] = { 0, 0, 0, 12, 40 }; /* ORDER truths; 0, 0, 0, 6, 23 when this was written */
    static const int n_boxes[] = { 1, 2, 15, 0, 0 }; /* of MANIFEST.tsv; 0: it does not say */
    struct try_task t;
    char models[512], path[700];
    open_ocr(&t, models);
    for (int i = 0; i < N_TRUTHS; i++) {
        snprintf(path, sizeof(path), "%s/media/text/%s", models, truths[i].file);
        REQUIRE(try_file(&t, EXPERT_OCR, path), "%s: %s", truths[i].file, t.err.text);
        const int wrong = try_distance(t.text.data, truths[i].text);
        printf("# %s: %d of %zu characters wrong; %.0f ms\n", truths[i].file, wrong, strlen(truths[i].text), (double)(clock_ns() - t.began_ns) / 1e6);
        if (getenv("TEST_SHOW"))
            printf("# %s\n", t.text.data);
        CHECK(wrong <= most_wrong[i], "%s: \"%s\"", truths[i].file, t.text.data);
        int n = 0;
        for (const char *at = t.json.data; (at = strstr(at, "{\"label\":")); at++)
            n++;
        CHECK(n_boxes[i] == 0 || n == n_boxes[i], "%s: %d boxes", truths[i].file, n);
    }
    try_close(&t);
}

/* The picture turned clockwise by quarter turns, as raw pixels; read again. */
static bool read_turned(struct try_task *t, const char *path, int quarter_turns)
{
    size_t n;
    struct image im = { 0 }, turned = { 0 };
    char *bytes = file_read(path, 64 << 20, &n, &t->err);
    bool good = bytes && image_decode(bytes, n, 3, NULL, &im, &t->err) && image_rotate(&im, quarter_turns, &turned, &t->err);
    if (good) {
        const struct task_media m = { .form = MEDIA_RGB8, .bytes = turned.px, .n_bytes = (size_t)turned.w * (size_t)turned.h * 3,
                                      .width_px = turned.w, .height_px = turned.h };
        const struct task_request rq = { .task = EXPERT_OCR, .media = &m, .n_media = 1 };
        good = try_run(t, &rq);
    }
    free(bytes);
    image_fini(&im);
    image_fini(&turned);
    return good;
}

TEST(text_upside_down_or_running_downwards_is_read)
{
    struct try_task t;
    char models[512], path[700];
    open_ocr(&t, models);
    snprintf(path, sizeof(path), "%s/media/text/sign_exit.jpg", models);
    REQUIRE(read_turned(&t, path, 2), "%s", t.err.text);
    CHECK(strstr(t.text.data, "Main Street") && strstr(t.text.data, "EXIT 24"), "upside down: \"%s\"", t.text.data);
    REQUIRE(read_turned(&t, path, 1), "%s", t.err.text);
    CHECK(strstr(t.text.data, "Main Street"), "downwards: \"%s\"", t.text.data);
    REQUIRE(read_turned(&t, path, 3), "%s", t.err.text);
    CHECK(strstr(t.text.data, "Main Street"), "upwards: \"%s\"", t.text.data);
    try_close(&t);
}

TEST(a_slanted_page_is_read)
{
    struct try_task t;
    char models[512], path[700];
    open_ocr(&t, models);
    snprintf(path, sizeof(path), "%s/media/text/receipt.png", models);
    size_t n;
    char *bytes = file_read(path, 64 << 20, &n, &t.err);
    struct image im = { 0 };
    REQUIRE(bytes && image_decode(bytes, n, 3, NULL, &im, &t.err), "%s", t.err.text);
    enum { SIDE = 640 };
    uint8_t *px = malloc(SIDE * SIDE * 3);
    for (int y = 0; y < SIDE; y++) /* turned by 12 degrees, nearest pixel */
        for (int x = 0; x < SIDE; x++) {
            const float dx = (float)x - SIDE / 2, dy = (float)y - SIDE / 2;
            const int sx = (int)(0.97815f * dx + 0.20791f * dy + (float)im.w / 2), sy = (int)(-0.20791f * dx + 0.97815f * dy + (float)im.h / 2);
            const bool inside = sx >= 0 && sy >= 0 && sx < im.w && sy < im.h;
            memcpy(px + (y * SIDE + x) * 3, inside ? im.px + (size_t)sy * im.stride + (size_t)sx * 3 : (const uint8_t[]) { 247, 244, 236 }, 3);
        }
    const struct task_media m = { .form = MEDIA_RGB8, .bytes = px, .n_bytes = SIDE * SIDE * 3, .width_px = SIDE, .height_px = SIDE };
    const struct task_request rq = { .task = EXPERT_OCR, .media = &m, .n_media = 1 };
    REQUIRE(try_run(&t, &rq), "%s", t.err.text);
    static const char *const lines[] = { "CORNER SHOP", "12 Mill Road", "Bread", "2.40", "Apples", "TOTAL", "6.75", "CHANGE", "3.25", "Thank you" };
    int n_found = 0;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        n_found += strstr(t.text.data, lines[i]) != NULL;
    CHECK(n_found >= 9, "%d of 10: \"%s\"", n_found, t.text.data);
    CHECK(strstr(t.json.data, "\"points\":"), "%.200s", t.json.data);
    free(px);
    free(bytes);
    image_fini(&im);
    try_close(&t);
}

/* ---- a detector and a recogniser of a few nodes, so that the path is tried without shared data ---- */

/* Text is where it is dark; each stretch of dark columns is an A. */
static void write_models(const char *detect, const char *recognize, int n_classes)
{
    struct onnx_writer w;
    writer_begin(&w);
    writer_input(&w, "x", 1, (int64_t[]) { 1, 3, -1, -1 }, 4);
    writer_floats(&w, "sharp", (int64_t[]) { 1 }, 1, (float[]) { -20 });
    writer_node(&w, "ReduceMean", "x", "mean");
    writer_attr_ints(&w, "axes", (int64_t[]) { 1 }, 1);
    writer_attr_int(&w, "keepdims", 1);
    writer_node(&w, "Mul", "mean sharp", "dark");
    writer_node(&w, "Sigmoid", "dark", "p");
    writer_output(&w, "p", 1, (int64_t[]) { 1, 1, -1, -1 }, 4);
    writer_save(&w, detect);
    const float weight[4] = { 10, -10, 0, 0 }, bias[4] = { 0, -5, -20, -20 }; /* blank, A, B, space */
    writer_begin(&w);
    writer_input(&w, "x", 1, (int64_t[]) { -1, 3, 32, -1 }, 4);
    writer_floats(&w, "weight", (int64_t[]) { 1, n_classes }, 2, weight);
    writer_floats(&w, "bias", (int64_t[]) { n_classes }, 1, bias);
    writer_ints(&w, "last", (int64_t[]) { 1 }, 1, (int64_t[]) { 2 });
    writer_node(&w, "ReduceMean", "x", "columns");
    writer_attr_ints(&w, "axes", (int64_t[]) { 1, 2 }, 2);
    writer_attr_int(&w, "keepdims", 0);
    writer_node(&w, "Unsqueeze", "columns last", "steps");
    writer_node(&w, "MatMul", "steps weight", "scaled");
    writer_node(&w, "Add", "scaled bias", "logits");
    writer_node(&w, "Softmax", "logits", "probs");
    writer_attr_int(&w, "axis", -1);
    writer_output(&w, "probs", 1, (int64_t[]) { -1, -1, n_classes }, 3);
    writer_save(&w, recognize);
}

TEST(the_path_works_on_models_of_a_few_nodes)
{
    char detect[512], recognize[512], dict[512], yaml[2000];
    struct try_task t;
    try_ort_path = test_onnx_library();
    snprintf(detect, sizeof(detect), "%s", test_tmp("detect.onnx"));
    snprintf(recognize, sizeof(recognize), "%s", test_tmp("recognize.onnx"));
    snprintf(dict, sizeof(dict), "%s", test_tmp("dict.txt"));
    write_models(detect, recognize, 4);
    FILE *f = fopen(dict, "w");
    REQUIRE(f && fputs("A\nB\n", f) >= 0 && fclose(f) == 0);
    snprintf(yaml, sizeof(yaml), "task: ocr\nkind: onnx\nmodels: {detect: %s, recognize: %s}\ndictionary: %s\ndetect: {unclip: 0}\n", detect, recognize, dict);
    REQUIRE(try_open(&t, yaml, NULL), "%s", t.err.text);
    enum { W = 320, H = 96 };
    static uint8_t px[W * H * 3];
    memset(px, 255, sizeof(px));
    for (int line = 0; line < 2; line++) /* two lines of dark blocks that hang together at the bottom */
        for (int y = 10 + line * 50; y < 34 + line * 50; y++)
            for (int x = 20; x < (line ? 140 : 220); x++)
                memset(px + (y * W + x) * 3, (x - 20) % 80 >= 70 && (y < 30 + line * 50) ? 255 : 0, 3);
    const struct task_media m = { .form = MEDIA_RGB8, .bytes = px, .n_bytes = sizeof(px), .width_px = W, .height_px = H };
    const struct task_request rq = { .task = EXPERT_OCR, .media = &m, .n_media = 1 };
    REQUIRE(try_run(&t, &rq), "%s", t.err.text);
    CHECK(strcmp(t.text.data, "A A A A A") == 0, "read \"%s\" %s", t.text.data, t.json.data);
    memset(px, 255, sizeof(px));
    REQUIRE(try_run(&t, &rq) && t.text.len == 0, "an empty page: %s \"%s\"", t.err.text, t.text.data);
    try_close(&t);
    f = fopen(dict, "w"); /* one character too many */
    REQUIRE(f && fputs("A\nB\nC\n", f) >= 0 && fclose(f) == 0);
    REQUIRE(try_open(&t, yaml, NULL), "%s", t.err.text);
    for (int x = 20; x < 200; x++)
        for (int y = 10; y < 34; y++)
            memset(px + (y * W + x) * 3, 0, 3);
    CHECK(!try_run(&t, &rq) && t.err.code == ERR_INPUT && strstr(t.err.text, "dictionary"), "%s", t.err.text);
    try_close(&t);
    snprintf(yaml, sizeof(yaml), "task: ocr\nkind: onnx\nmodels: {detect: %s}\ndictionary: %s\n", detect, dict);
    CHECK(!try_open(&t, yaml, NULL) && strstr(t.err.text, "recognize is missing"), "%s", t.err.text);
    try_close(&t);
}
