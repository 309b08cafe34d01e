/* tests/task/test_vision_heads.c - heads for which no real model is at hand, on generated graphs; kinds of inputs; cards that are wrong. */
#include <math.h>

#include "look.h"
#include "onnx/write.h"

#define DIMS(...) (int64_t[]){ __VA_ARGS__ }, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))
enum { F32 = 1, U8 = 2, I64 = 7, F16 = 10 };

/* The folder of scratch files, where cards find their models. */
static const char *here(void)
{
    static char dir[512];
    snprintf(dir, sizeof dir, "%s", test_tmp("x"));
    *strrchr(dir, '/') = '\0';
    return dir;
}

/* An output that is always the same. */
static void constant_output(struct onnx_writer *w, const char *name, const int64_t *dims, int n_dims, const float *data)
{
    char inner[32];
    snprintf(inner, sizeof inner, "c_%s", name);
    writer_floats(w, inner, dims, n_dims, data);
    writer_node(w, "Identity", inner, name);
    writer_output(w, name, F32, dims, n_dims);
}

static void begin_with_input(struct onnx_writer *w, int type, const int64_t *dims, int n_dims)
{
    writer_begin(w);
    writer_input(w, "images", type, dims, n_dims);
}

/* Left part red, right part blue; a column at `split`. */
static uint8_t *two_colours(int w, int h, int split)
{
    uint8_t *px = calloc((size_t)w * (size_t)h, 3);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            px[((size_t)y * (size_t)w + (size_t)x) * 3 + (x < split ? 0 : 2)] = 255;
    return px;
}

static bool near(float a, double b, double d) { return fabs((double)a - b) <= d; }

static void check_box(const struct seen *s, int i, const char *label, double score, double x, double y, double w, double h)
{
    CHECK(i < s->n_boxes && strcmp(s->boxes[i].label, label) == 0 && near(s->boxes[i].score, score, 1e-5) && near(s->boxes[i].x, x, 0.01) && near(s->boxes[i].y, y, 0.01) &&
              near(s->boxes[i].w, w, 0.01) && near(s->boxes[i].h, h, 0.01),
          "box %d of %d: %s %.3f [%.2f %.2f %.2f %.2f]", i, s->n_boxes, s->boxes[i].label, (double)s->boxes[i].score, (double)s->boxes[i].x, (double)s->boxes[i].y,
          (double)s->boxes[i].w, (double)s->boxes[i].h);
}

/* ---- YOLOv8 ---- */

enum { ANCHORS = 6, CLASSES = 3 };
/* cx, cy, w, h, scores: two of one class over each other, one of another class there, one elsewhere, one too weak, one outside in part */
static const float anchors[ANCHORS][4 + CLASSES] = {
    { 16, 16, 8, 8, 0.9f, 0.1f, 0 },  { 17, 16, 8, 8, 0.8f, 0.1f, 0 },  { 16, 16, 8, 8, 0.1f, 0.7f, 0 },
    { 40, 40, 10, 20, 0, 0, 0.6f },   { 50, 10, 4, 4, 0.2f, 0.1f, 0 },  { 62, 62, 8, 8, 0, 0.5f, 0 },
};

static void yolov8_model(const char *path, bool is_turned)
{
    struct onnx_writer w;
    float x[ANCHORS * (4 + CLASSES)];
    for (int a = 0; a < ANCHORS; a++)
        for (int v = 0; v < 4 + CLASSES; v++)
            x[is_turned ? a * (4 + CLASSES) + v : v * ANCHORS + a] = anchors[a][v];
    begin_with_input(&w, F32, DIMS(1, 3, 64, 64));
    constant_output(&w, "output0", (int64_t[]){ 1, is_turned ? ANCHORS : 4 + CLASSES, is_turned ? 4 + CLASSES : ANCHORS }, 3, x);
    writer_save(&w, path);
}

TEST(yolov8_boxes_are_suppressed_per_class_and_mapped_to_the_picture)
{
    for (int is_turned = 0; is_turned < 2; is_turned++) {
        struct look l = { 0 };
        uint8_t *px = two_colours(128, 64, 64); /* letterbox into 64 x 64: half size, 16 rows above and below */
        yolov8_model(test_tmp("v8.onnx"), is_turned);
        REQUIRE(look_open_text(&l, "task: detect\nkind: onnx\nmodel: v8.onnx\nlabels: [cat, dog, bird]\ninput: {fit: letterbox, centre: true, scale: 1/255}\nhead: yolov8\n", here()),
                "%s", l.err.text);
        REQUIRE(look_at_pixels(&l, EXPERT_DETECT, px, 128, 64, (struct task_options){ 0 }), "%s", l.err.text);
        CHECK(l.seen.n_boxes == 3, "%d: the one in the fill below the picture is dropped", l.seen.n_boxes);
        check_box(&l.seen, 0, "cat", 0.9, 24, 0, 16, 8);
        check_box(&l.seen, 1, "dog", 0.7, 24, 0, 16, 8);
        check_box(&l.seen, 2, "bird", 0.6, 70, 28, 20, 36);
        REQUIRE(look_at_pixels(&l, EXPERT_DETECT, px, 128, 64, (struct task_options){ .threshold = 0.75f, .n_top = 1 }), "%s", l.err.text);
        CHECK(l.seen.n_boxes == 1);
        free(px);
        look_close(&l);
    }
}

/* Two prototypes over 16 x 16 cells: left half positive, top half positive. */
static void put_prototypes(struct onnx_writer *w)
{
    static float proto[2][16][16];
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 16; x++) {
            proto[0][y][x] = x < 8 ? 1 : -1;
            proto[1][y][x] = y < 8 ? 1 : -1;
        }
    constant_output(w, "proto", DIMS(1, 2, 16, 16), &proto[0][0][0]);
}

static void check_masks(const struct look *l)
{
    REQUIRE(l->seen.n_boxes == 2 && l->seen.n_masks == 2, "%d boxes, %d masks", l->seen.n_boxes, l->seen.n_masks);
    CHECK(l->seen.masks[0].w == 32 && l->seen.masks[0].h == 32 && l->seen.masks[0].box == 0, "%d x %d", l->seen.masks[0].w, l->seen.masks[0].h);
    CHECK(l->seen.masks[0].n_set > 32 * 14 && l->seen.masks[0].n_set < 32 * 18 && l->seen.masks[0].first == 1, "%zu: the left half", l->seen.masks[0].n_set);
    CHECK(l->seen.masks[1].n_set > 32 * 14 && l->seen.masks[1].n_set < 32 * 18 && l->seen.masks[1].first == 0, "%zu: the lower half", l->seen.masks[1].n_set);
}

TEST(yolov8_seg_gives_each_box_its_mask)
{
    /* one class; box in the middle, twice, far enough in class: two classes */
    static const float v[2][4 + 2 + 2] = { { 32, 32, 32, 32, 0.9f, 0, 1, 0 }, { 32, 32, 32, 32, 0, 0.8f, 0, -1 } };
    struct onnx_writer w;
    struct look l = { 0 };
    float x[16];
    uint8_t *px = two_colours(64, 64, 32);
    for (int a = 0; a < 2; a++)
        for (int k = 0; k < 8; k++)
            x[k * 2 + a] = v[a][k];
    begin_with_input(&w, F32, DIMS(1, 3, 64, 64));
    constant_output(&w, "output0", DIMS(1, 8, 2), x);
    put_prototypes(&w);
    writer_save(&w, test_tmp("seg.onnx"));
    REQUIRE(look_open_text(&l, "task: segment\nkind: onnx\nmodel: seg.onnx\nlabels: [a, b]\ninput: {fit: letterbox, scale: 1/255}\nhead: yolov8\n", here()), "%s", l.err.text);
    REQUIRE(look_at_pixels(&l, EXPERT_SEGMENT, px, 64, 64, (struct task_options){ .wants_mask = true }), "%s", l.err.text);
    check_masks(&l);
    free(px);
    look_close(&l);
}

TEST(a_graph_that_suppresses_overlaps_itself_is_read_as_it_is)
{
    static const float rows[4][8] = { { 16, 16, 48, 48, 0.9f, 0, 1, 0 }, { 16, 16, 48, 48, 0.8f, 1, 0, -1 }, { 0, 0, 5, 5, 0.1f, 0, 0, 0 }, { 0 } };
    struct onnx_writer w;
    struct look l = { 0 };
    uint8_t *px = two_colours(64, 64, 32);
    begin_with_input(&w, F32, DIMS(1, 3, 64, 64));
    put_prototypes(&w);
    constant_output(&w, "output0", DIMS(1, 4, 8), &rows[0][0]);
    writer_save(&w, test_tmp("inside.onnx"));
    REQUIRE(look_open_text(&l, "task: segment\nkind: onnx\nmodel: inside.onnx\nlabels: [a, b]\ninput: {fit: letterbox, scale: 1/255}\nhead: nms-inside\n", here()), "%s", l.err.text);
    REQUIRE(look_at_pixels(&l, EXPERT_SEGMENT, px, 64, 64, (struct task_options){ .wants_mask = true }), "%s", l.err.text);
    check_box(&l.seen, 0, "a", 0.9, 16, 16, 32, 32);
    check_masks(&l);
    look_close(&l);

    /* four outputs, fractions, a count of one */
    begin_with_input(&w, F32, DIMS(1, 3, 64, 64));
    constant_output(&w, "det_boxes", DIMS(1, 2, 4), (float[]){ 0.25f, 0.25f, 0.5f, 0.75f, 0, 0, 1, 1 });
    constant_output(&w, "det_scores", DIMS(1, 2), (float[]){ 0.9f, 0.8f });
    constant_output(&w, "det_classes", DIMS(1, 2), (float[]){ 1, 0 });
    constant_output(&w, "num_dets", DIMS(1, 1), (float[]){ 1 });
    writer_save(&w, test_tmp("four.onnx"));
    REQUIRE(look_open_text(&l, "task: detect\nkind: onnx\nmodel: four.onnx\ninput: {fit: stretch}\n"
                               "head: {type: nms-inside, boxes: det_boxes, scores: det_scores, classes: det_classes, count: num_dets, fractions: true}\n", here()),
            "%s", l.err.text);
    REQUIRE(look_at_pixels(&l, EXPERT_DETECT, px, 64, 64, (struct task_options){ 0 }), "%s", l.err.text);
    CHECK(l.seen.n_boxes == 1);
    check_box(&l.seen, 0, "class 1", 0.9, 16, 16, 16, 32);
    free(px);
    look_close(&l);
}

TEST(yolov5_and_ssd_forms_are_read)
{
    struct onnx_writer w;
    struct look l = { 0 };
    uint8_t *px = two_colours(64, 64, 32);
    begin_with_input(&w, F32, DIMS(1, 3, 64, 64));
    constant_output(&w, "output", DIMS(1, 2, 7), (float[]){ 32, 32, 16, 8, 0.9f, 0.1f, 0.8f, 32, 32, 16, 8, 0.1f, 1, 1 });
    writer_save(&w, test_tmp("v5.onnx"));
    REQUIRE(look_open_text(&l, "task: detect\nkind: onnx\nmodel: v5.onnx\nlabels: [a, b]\nhead: yolov5\n", here()), "%s", l.err.text);
    REQUIRE(look_at_pixels(&l, EXPERT_DETECT, px, 64, 64, (struct task_options){ 0 }), "%s", l.err.text);
    CHECK(l.seen.n_boxes == 1);
    check_box(&l.seen, 0, "b", 0.72, 24, 28, 16, 8);
    look_close(&l);

    begin_with_input(&w, F32, DIMS(1, 3, 64, 64));
    constant_output(&w, "scores", DIMS(1, 2, 3), (float[]){ 0.1f, 0.2f, 0.7f, 0.9f, 0.05f, 0.05f });
    constant_output(&w, "boxes", DIMS(1, 2, 4), (float[]){ 0, 0, 0.5f, 0.5f, 0, 0, 1, 1 });
    writer_save(&w, test_tmp("ssd.onnx"));
    REQUIRE(look_open_text(&l, "task: detect\nkind: onnx\nmodel: ssd.onnx\nlabels: [a, b]\nhead: ssd\n", here()), "%s", l.err.text);
    REQUIRE(look_at_pixels(&l, EXPERT_DETECT, px, 64, 64, (struct task_options){ 0 }), "%s", l.err.text);
    CHECK(l.seen.n_boxes == 1, "background does not count");
    check_box(&l.seen, 0, "b", 0.7, 0, 0, 32, 32);
    free(px);
    look_close(&l);
}

/* ---- segmentation: the model hands the colour planes through, so the class of a pixel is its colour ---- */

TEST(a_pictures_classes_come_with_their_share_and_a_mask)
{
    struct onnx_writer w;
    struct look l = { 0 };
    uint8_t *px = two_colours(80, 40, 20); /* a quarter red, the rest blue; letterboxed: the lower half of the input is fill */
    begin_with_input(&w, F32, DIMS(1, 3, 32, 32));
    writer_node(&w, "Identity", "images", "planes");
    writer_output(&w, "planes", F32, DIMS(1, 3, 32, 32));
    writer_save(&w, test_tmp("planes.onnx"));
    REQUIRE(look_open_text(&l, "task: segment\nkind: onnx\nmodel: planes.onnx\nlabels: [red, green, blue]\ninput: {fit: letterbox, fill: 100}\n", here()), "%s", l.err.text);
    REQUIRE(look_at_pixels(&l, EXPERT_SEGMENT, px, 80, 40, (struct task_options){ .wants_mask = true }), "%s", l.err.text);
    REQUIRE(l.seen.n_labels == 2 && l.seen.n_masks == 1, "%d labels", l.seen.n_labels);
    CHECK(strcmp(l.seen.labels[0].label, "blue") == 0 && near(l.seen.labels[0].score, 0.75, 1e-6), "%s %.3f", l.seen.labels[0].label, (double)l.seen.labels[0].score);
    CHECK(strcmp(l.seen.labels[1].label, "red") == 0 && near(l.seen.labels[1].score, 0.25, 1e-6));
    CHECK(l.seen.masks[0].w == 32 && l.seen.masks[0].h == 16 && l.seen.masks[0].box == -1 && l.seen.masks[0].first == 0 && l.seen.masks[0].middle == 2);
    REQUIRE(look_at_pixels(&l, EXPERT_SEGMENT, px, 80, 40, (struct task_options){ .threshold = 0.5f }), "%s", l.err.text);
    CHECK(l.seen.n_labels == 1 && l.seen.n_masks == 0);
    look_close(&l);

    /* free sides: the picture decides, or less of it (expert_limit()), down to two multiples */
    begin_with_input(&w, F32, DIMS(1, 3, -1, -1));
    writer_node(&w, "Identity", "images", "planes");
    writer_output(&w, "planes", F32, DIMS(1, 3, -1, -1));
    writer_save(&w, test_tmp("free.onnx"));
    REQUIRE(look_open_text(&l, "task: segment\nkind: onnx\nmodel: free.onnx\nlabels: [red, green, blue]\ninput: {multiple: 8, max_side: 64}\n", here()), "%s", l.err.text);
    static const struct {
        float share;
        int w, h;
    } shares[] = { { 0, 64, 32 }, { 1, 64, 32 }, { 0.5f, 32, 16 }, { 0.1f, 16, 8 }, { -3, 64, 32 }, { 9, 64, 32 } };
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        REQUIRE(look_at_pixels(&l, EXPERT_SEGMENT, px, 80, 40, (struct task_options){ .wants_mask = true, .input_share = shares[i].share }), "%s", l.err.text);
        CHECK(l.seen.n_masks == 1 && l.seen.masks[0].w == shares[i].w && l.seen.masks[0].h == shares[i].h, "%g: %d x %d", (double)shares[i].share, l.seen.masks[0].w,
              l.seen.masks[0].h);
        CHECK(near(l.seen.labels[0].score, 0.75, 0.07) && l.seen.width_px == 80);
    }
    look_close(&l);

    /* class numbers of 64 bits, one plane, found inside the graph */
    begin_with_input(&w, F32, DIMS(1, 3, 32, 32));
    writer_node(&w, "ArgMax", "images", "classes");
    writer_attr_int(&w, "axis", 1);
    writer_attr_int(&w, "keepdims", 0);
    writer_output(&w, "classes", I64, DIMS(1, 32, 32));
    writer_save(&w, test_tmp("argmax.onnx"));
    REQUIRE(look_open_text(&l, "task: segment\nkind: onnx\nmodel: argmax.onnx\nlabels: [red, green, blue]\ninput: {fit: stretch}\nhead: {type: segment, skip: 1}\n", here()), "%s",
            l.err.text);
    REQUIRE(look_at_pixels(&l, EXPERT_SEGMENT, px, 80, 40, (struct task_options){ 0 }), "%s", l.err.text);
    CHECK(l.seen.n_labels == 1 && strcmp(l.seen.labels[0].label, "blue") == 0, "red is skipped");
    look_close(&l);

    /* one plane of probabilities: the red one, over 255 */
    begin_with_input(&w, F32, DIMS(1, 1, 32, 32));
    writer_node(&w, "Identity", "images", "p");
    writer_output(&w, "p", F32, DIMS(1, 1, 32, 32));
    writer_save(&w, test_tmp("binary.onnx"));
    for (int i = 0; i < 80 * 40; i++)
        memset(px + i * 3, i % 80 < 40 ? 255 : 0, 3);
    REQUIRE(look_open_text(&l, "task: segment\nkind: onnx\nmodel: binary.onnx\nlabels: [no, yes]\ninput: {colour: grey, scale: 1/255}\nhead: {type: segment, binary: true}\n", here()),
            "%s", l.err.text);
    REQUIRE(look_at_pixels(&l, EXPERT_SEGMENT, px, 80, 40, (struct task_options){ 0 }), "%s", l.err.text);
    CHECK(l.seen.n_labels == 2 && near(l.seen.labels[0].score, 0.5, 1e-6));
    look_close(&l);
    free(px);
}

/* ---- inputs: types, layouts, batches ---- */

TEST(every_type_and_layout_of_input_gets_the_same_picture)
{
    static const struct {
        int type;
        bool is_nhwc;
        const char *card, *comment;
    } cases[] = {
        { F32, false, "{colour: rgb}", "floats" },
        { F32, true, "{colour: rgb}", "floats, channels last" },
        { F16, false, "{colour: rgb}", "half floats" },
        { U8, true, "{colour: rgb, layout: nhwc}", "bytes, channels last" },
        { U8, false, "{colour: rgb, layout: nchw}", "bytes" },
    };
    uint8_t *px = two_colours(32, 32, 32); /* red all over */
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct onnx_writer w;
        struct look l = { 0 };
        char card[400];
        const int64_t nchw[] = { 1, 3, 32, 32 }, nhwc[] = { 1, 32, 32, 3 };
        begin_with_input(&w, cases[i].type, cases[i].is_nhwc ? nhwc : nchw, 4);
        writer_node(&w, "Cast", "images", "f");
        writer_attr_int(&w, "to", F32);
        writer_node(&w, "ReduceMean", "f", "mean");
        writer_attr_ints(&w, "axes", cases[i].is_nhwc ? (int64_t[]){ 1, 2 } : (int64_t[]){ 2, 3 }, 2);
        writer_attr_int(&w, "keepdims", 0);
        writer_node(&w, "Cast", "mean", "half");
        writer_attr_int(&w, "to", F16);
        writer_output(&w, "half", F16, DIMS(1, 3)); /* outputs of half floats are read too */
        writer_save(&w, test_tmp("t.onnx"));
        snprintf(card, sizeof card, "task: embed-image\nkind: onnx\nmodel: t.onnx\ninput: %s\nhead: {type: embed, normalise: false}\n", cases[i].card);
        REQUIRE(look_open_text(&l, card, here()), "%s: %s", cases[i].comment, l.err.text);
        REQUIRE(look_at_pixels(&l, EXPERT_EMBED_IMAGE, px, 32, 32, (struct task_options){ 0 }), "%s: %s", cases[i].comment, l.err.text);
        CHECK(l.seen.n_vector == 3 && l.seen.vector[0] == 255 && l.seen.vector[1] == 0 && l.seen.vector[2] == 0, "%s: %g %g %g", cases[i].comment, (double)l.seen.vector[0],
              (double)l.seen.vector[1], (double)l.seen.vector[2]);
        look_close(&l);
    }
    free(px);
}

static void colour_model(const char *path, int64_t batch)
{
    struct onnx_writer w;
    begin_with_input(&w, F32, (int64_t[]){ batch, 3, 8, 8 }, 4);
    writer_node(&w, "ReduceMean", "images", "mean");
    writer_attr_ints(&w, "axes", (int64_t[]){ 2, 3 }, 2);
    writer_attr_int(&w, "keepdims", 0);
    writer_output(&w, "mean", F32, (int64_t[]){ batch, 3 }, 2);
    writer_save(&w, path);
}

TEST(requests_share_runs_up_to_the_batch_whether_it_is_free_or_fixed)
{
    enum { N = 7 };
    static const int64_t batches[] = { -1, 3, 1 };
    for (int b = 0; b < 3; b++) {
        struct look l = { 0 };
        static struct seen seen[N];
        uint8_t px[N][3];
        struct task_media media[N];
        struct task_request rqs[N];
        struct task_out outs[N];
        const struct task_request *rq[N];
        const struct task_out *out[N];
        struct err errs[N];
        colour_model(test_tmp("b.onnx"), batches[b]);
        REQUIRE(look_open_text(&l, "task: classify\nkind: onnx\nmodel: b.onnx\nlabels: [red, green, blue]\nbatch: 4\nhead: {type: classify, activation: none, top: 1}\n", here()), "%s",
                l.err.text);
        CHECK(task_get_info(l.task)->n_batch_max == (b == 0 ? 4 : (int)batches[b]), "%d", task_get_info(l.task)->n_batch_max);
        for (int i = 0; i < N; i++) {
            memset(px[i], 0, 3);
            px[i][i % 3] = (uint8_t)(100 + i);
            media[i] = (struct task_media){ .form = MEDIA_RGB8, .bytes = px[i], .n_bytes = 3, .width_px = 1, .height_px = 1 };
            rqs[i] = (struct task_request){ .task = EXPERT_CLASSIFY, .media = &media[i], .n_media = i == 4 ? 0 : 1 }; /* number 4 brings nothing */
            outs[i] = (struct task_out){ &seen[i], look_emit, look_go_on, l.arena };
            rq[i] = &rqs[i];
            out[i] = &outs[i];
            memset(&seen[i], 0, sizeof seen[i]);
        }
        task_run_batch(l.task, rq, out, errs, N);
        for (int i = 0; i < N; i++) {
            static const char *const colours[] = { "red", "green", "blue" };
            CHECK((errs[i].code == ERR_NONE) == (i != 4), "%d: %s", i, errs[i].text);
            CHECK(i == 4 || (seen[i].n_results == 1 && seen[i].n_labels == 1 && strcmp(seen[i].labels[0].label, colours[i % 3]) == 0 && seen[i].labels[0].score == (float)(100 + i)),
                  "batch %d, %d: %s %g", (int)batches[b], i, seen[i].labels[0].label, (double)seen[i].labels[0].score);
        }
        look_close(&l);
    }
}

TEST(raw_tensors_go_through_any_model)
{
    struct look l = { 0 };
    float x[2 * 3 * 64];
    colour_model(test_tmp("raw.onnx"), -1);
    for (int i = 0; i < 2 * 3 * 64; i++)
        x[i] = (float)(i / 64);
    static const char *const cards[] = { "task: infer\nkind: onnx\nmodel: raw.onnx\n", "task: classify\nkind: onnx\nmodel: raw.onnx\n" };
    for (int c = 0; c < 2; c++) {
        REQUIRE(look_open_text(&l, cards[c], here()), "%s", l.err.text);
        const struct task_info *info = task_get_info(l.task);
        CHECK((info->tasks & EXPERT_INFER) && info->n_inputs == 1 && strcmp(info->inputs[0].name, "images") == 0 && info->inputs[0].shape.dims[0] == -1 && info->n_outputs == 1);
        CHECK(strstr(info->runs_on, "onnxruntime 1."), "%s", info->runs_on);
        struct tensor t = { .name = "images", .type = TENSOR_F32, .n_dims = 4, .dims = { 2, 3, 8, 8 }, .data = x, .n_bytes = sizeof x };
        struct task_request rq = { .task = EXPERT_INFER, .tensors = &t, .n_tensors = 1 };
        REQUIRE(look_run(&l, &rq), "%s", l.err.text);
        CHECK(l.seen.n_tensors == 1 && l.seen.tensor.dims[0] == 2 && l.seen.tensor_values[0] == 0 && l.seen.tensor_values[5] == 5);
        t.data = (char *)x + 1; /* not aligned: copied */
        t.dims[0] = 1;
        t.n_bytes = sizeof x / 2;
        CHECK(look_run(&l, &rq), "%s", l.err.text);
        t.data = x;
        t.name = "picture";
        CHECK(!look_run(&l, &rq) && strstr(l.err.text, "no input 'picture'"), "%s", l.err.text);
        t.name = "images";
        t.type = TENSOR_I32;
        CHECK(!look_run(&l, &rq) && strstr(l.err.text, "is FP32, INT32 came"), "%s", l.err.text);
        rq.n_tensors = 0;
        CHECK(!look_run(&l, &rq) && l.err.code == ERR_INPUT, "%s", l.err.text);
        const char *outputs[] = { "max" };
        t.type = TENSOR_F32;
        rq = (struct task_request){ .task = EXPERT_INFER, .tensors = &t, .n_tensors = 1, .outputs = outputs, .n_outputs = 1 };
        CHECK(!look_run(&l, &rq) && strstr(l.err.text, "no output 'max'"), "%s", l.err.text);
        look_close(&l);
    }
}

/* ---- cards that are wrong ---- */

TEST(a_wrong_card_is_told_where_and_why)
{
    static const struct {
        const char *card, *says;
    } cases[] = {
        { "task: detect\nkind: onnx\nmodel: b.onnx\nhead: yolx\n", "did you mean 'yolox'" },
        { "task: detect\nkind: onnx\nmodel: b.onnx\n", "head: one of fastestdet, nms-inside, ssd, yolov5, yolov8, yolox is wanted" },
        { "task: faces\nkind: onnx\nmodel: b.onnx\nhead: yunet\n", "wants an output 'cls_8'" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\ninput: {size: [9, 9]}\n", "test.yaml:4:" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\ninput: {fit: stretchy}\n", "stretch" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\ninput: {colour: grey}\n", "1 channels" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\ninput: {scale: 1/0}\n", "scale" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\ninput: {std: [1, 0, 1]}\n", "std" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\ninput: {name: frob}\n", "no input 'frob'; its first is 'images'" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\nhead: {output: frob}\n", "no output 'frob'" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\nheads: classify\n", "heads" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\nhead: {threshhold: 1}\n", "threshold" },
        { "task: classify\nkind: onnx\nmodel: none.onnx\n", "no such file" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\nlabels: none.txt\n", "no such file" },
        { "task: classify\nkind: onnx\nmodel: b.onnx\nidentify: {model: b.onnx}\n", "belongs to task: faces" },
        { "task: segment\nkind: onnx\nmodel: b.onnx\nhead: yolov8\n", "prototypes" },
        { "task: classify\nkind: onnx\nvariants: {int4: b.onnx}\n", "int4" },
    };
    colour_model(test_tmp("b.onnx"), 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct look l = { 0 };
        CHECK(!look_open_text(&l, cases[i].card, here()) && strstr(l.err.text, cases[i].says), "%d: %s", (int)i, l.err.text);
        look_close(&l);
    }
}

TEST(of_variants_the_cpu_takes_eight_bits_and_what_is_missing_is_passed_over)
{
    static const struct {
        const char *card;
        bool good;
    } cases[] = {
        { "task: infer\nkind: onnx\nvariants: {fp32: bad.onnx, int8: b.onnx}\n", true },
        { "task: infer\nkind: onnx\nvariants: {fp32: b.onnx, int8: missing.onnx}\n", true },
        { "task: infer\nkind: onnx\nvariants: {fp16: bad.onnx, fp32: b.onnx}\n", true },
        { "task: infer\nkind: onnx\nproviders: [cuda]\nvariants: {fp16: b.onnx, fp32: bad.onnx}\n", true },
        { "task: infer\nkind: onnx\nvariants: {fp32: missing.onnx}\n", false },
    };
    colour_model(test_tmp("b.onnx"), 1);
    FILE *f = fopen(test_tmp("bad.onnx"), "w");
    REQUIRE(f);
    fputs("bad", f);
    fclose(f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct look l = { 0 };
        CHECK(look_open_text(&l, cases[i].card, here()) == cases[i].good, "%d: %s", (int)i, l.err.text);
        look_close(&l);
    }
}

TEST(a_model_whose_outputs_do_not_fit_the_head_is_an_error_at_the_run)
{
    static const char *const heads[] = { "yolox", "yolov5", "yolov8", "fastestdet", "nms-inside" };
    uint8_t px[3] = { 255, 0, 0 };
    colour_model(test_tmp("b.onnx"), 1);
    for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
        struct look l = { 0 };
        char card[200];
        snprintf(card, sizeof card, "task: detect\nkind: onnx\nmodel: b.onnx\nhead: %s\n", heads[i]);
        REQUIRE(look_open_text(&l, card, here()), "%s", l.err.text);
        CHECK(!look_at_pixels(&l, EXPERT_DETECT, px, 1, 1, (struct task_options){ 0 }) && l.err.code == ERR_UNSUPPORTED, "%s: %s", heads[i], l.err.text);
        look_close(&l);
    }
}

/* ---- models that answer nonsense ---- */

static float nonsense(void)
{
    static const float odd[] = { NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 3e38f, 0, -0.0f, 1, 0.99f, 1e-30f, 40 };
    const uint64_t r = test_rand_u64();
    return r % 3 == 0 ? odd[(r >> 8) % 12] : 2 * test_rand_f32();
}

static void nonsense_output(struct onnx_writer *w, const char *name, const int64_t *dims, int n_dims)
{
    const size_t n = onnx_count(dims, n_dims);
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = nonsense();
    constant_output(w, name, dims, n_dims, x);
    free(x);
}

TEST(numbers_that_are_none_and_boxes_without_end_do_no_harm)
{
    static const struct {
        const char *task, *head;
        struct {
            const char *name;
            int64_t dims[4];
            int n;
        } outputs[4];
    } cases[] = {
        { "classify", "classify", { { "a", { 1, 9 }, 2 } } },
        { "classify", "{type: classify, activation: sigmoid}", { { "a", { 1, 9 }, 2 } } },
        { "embed-image", "embed", { { "a", { 1, 9 }, 2 } } },
        { "detect", "yolox", { { "a", { 1, 84, 9 }, 3 } } },
        { "detect", "yolov5", { { "a", { 1, 200, 9 }, 3 } } },
        { "detect", "yolov8", { { "a", { 1, 9, 200 }, 3 } } },
        { "detect", "fastestdet", { { "a", { 1, 9, 8, 8 }, 4 } } },
        { "detect", "nms-inside", { { "a", { 1, 50, 6 }, 3 } } },
        { "detect", "{type: nms-inside, boxes: a, scores: b, classes: c, count: d}", { { "a", { 1, 50, 4 }, 3 }, { "b", { 1, 50 }, 2 }, { "c", { 1, 50 }, 2 }, { "d", { 1, 1 }, 2 } } },
        { "detect", "ssd", { { "scores", { 1, 50, 4 }, 3 }, { "boxes", { 1, 50, 4 }, 3 } } },
        { "faces", "ultraface", { { "scores", { 1, 50, 2 }, 3 }, { "boxes", { 1, 50, 4 }, 3 } } },
        { "segment", "segment", { { "a", { 1, 5, 16, 16 }, 4 } } },
        { "segment", "segment", { { "a", { 1, 16, 16 }, 3 } } },
        { "segment", "{type: segment, binary: true}", { { "a", { 1, 1, 16, 16 }, 4 } } },
        { "segment", "yolov8", { { "a", { 1, 10, 100 }, 3 }, { "p", { 1, 4, 16, 16 }, 4 } } },
        { "segment", "nms-inside", { { "a", { 1, 50, 10 }, 3 }, { "p", { 1, 4, 16, 16 }, 4 } } },
    };
    const int rounds = getenv("TEST_QUICK") ? 2 : 10;
    uint8_t *px = two_colours(100, 40, 50);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases) * (size_t)rounds; i++) {
        const size_t k = i % (sizeof(cases) / sizeof(*cases));
        struct onnx_writer w;
        struct look l = { 0 };
        char card[300];
        begin_with_input(&w, F32, DIMS(1, 3, 64, 64));
        for (int j = 0; j < 4 && cases[k].outputs[j].name; j++)
            nonsense_output(&w, cases[k].outputs[j].name, cases[k].outputs[j].dims, cases[k].outputs[j].n);
        writer_save(&w, test_tmp("n.onnx"));
        snprintf(card, sizeof card, "task: %s\nkind: onnx\nmodel: n.onnx\ninput: {fit: letterbox}\nhead: %s\n", cases[k].task, cases[k].head);
        REQUIRE(look_open_text(&l, card, here()), "%s: %s", cases[k].head, l.err.text);
        const bool good = look_at_pixels(&l, l.card->task, px, 100, 40, (struct task_options){ .wants_mask = true });
        CHECK(good || l.err.text[0], "%s", cases[k].head);
        for (int b = 0; b < l.seen.n_boxes; b++)
            CHECK(l.seen.boxes[b].x >= 0 && l.seen.boxes[b].y >= 0 && l.seen.boxes[b].x + l.seen.boxes[b].w <= 100.01f && l.seen.boxes[b].y + l.seen.boxes[b].h <= 40.01f &&
                      l.seen.boxes[b].w > 0 && l.seen.boxes[b].h > 0,
                  "%s", cases[k].head);
        look_close(&l);
    }
    free(px);
}
