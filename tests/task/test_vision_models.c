/* tests/task/test_vision_models.c - the cards of examples/cards on the shared pictures: the results of ../shared/models/MANIFEST.tsv.
 * Needs ../shared and ONNX Runtime; all is skipped without them. */
#include <math.h>

#include "base/clock.h"
#include "look.h"
#include "media/resize.h"

enum { ANY = -1 };

/* Boxes that must be there: label, score, corners (0: not said); the n of them, and no others unless it is ANY. */
struct wanted {
    const char *card, *picture;
    enum expert_task task;
    int n; /* boxes in all */
    struct {
        const char *label;
        double score;
        double corners[4];
    } boxes[5];
};

static const struct wanted boxes[] = {
    { "yolox", "photo/cat_tabby.jpg", EXPERT_DETECT, ANY, { { "cat", 0.79, { 0 } } } },
    { "yolox", "photo/dog_bicycle_truck.jpg", EXPERT_DETECT, ANY, { { "dog", 0.86, { 0 } }, { "bicycle", 0.80, { 0 } }, { "car", 0.80, { 0 } } } },
    { "yolox", "photo/coffee_cup.jpg", EXPERT_DETECT, ANY, { { "cup", 0.89, { 0 } }, { "dining table", 0.76, { 0 } } } },
    { "yolox", "photo/airplane.jpg", EXPERT_DETECT, ANY, { { "airplane", 0.88, { 0 } } } },
    { "yolox", "photo/dog_human.jpg", EXPERT_DETECT, ANY, { { "person", 0.83, { 0 } }, { "person", 0.67, { 0 } } } },
    { "yolox", "photo/jockey_horse.jpg", EXPERT_DETECT, ANY, { { "horse", 0.92, { 0 } }, { "person", 0.66, { 0 } } } },
    { "yolox", "photo/soccer.jpg", EXPERT_DETECT, ANY, { { "person", 0.91, { 0 } }, { "person", 0.89, { 0 } }, { "person", 0.89, { 0 } }, { "sports ball", 0.86, { 0 } } } },
    { "yolox", "photo/street_cars.jpg", EXPERT_DETECT, ANY, { { "car", 0.85, { 0 } }, { "car", 0.78, { 0 } }, { "car", 0.62, { 0 } } } },
    { "yolox", "video/person_walk_frames/01.jpg", EXPERT_DETECT, 0, { { 0 } } },
    { "yolox", "video/person_walk_frames/06.jpg", EXPERT_DETECT, 1, { { "person", 0.85, { 0 } } } },
    { "yolox", "video/person_walk_frames/09.jpg", EXPERT_DETECT, 1, { { "person", 0.89, { 0 } } } },
    { "yolox", "video/person_walk_frames/16.jpg", EXPERT_DETECT, 1, { { "person", 0.88, { 0 } } } },
    { "yolox", "video/person_walk_frames/18.jpg", EXPERT_DETECT, 0, { { 0 } } },
    { "fastestdet", "photo/cat_tabby.jpg", EXPERT_DETECT, ANY, { { "cat", 0.73, { 0 } } } },
    { "fastestdet", "photo/dog_bicycle_truck.jpg", EXPERT_DETECT, ANY, { { "dog", 0.78, { 0 } }, { "car", 0.77, { 0 } }, { "bicycle", 0.74, { 0 } } } },
    { "fastestdet", "photo/airplane.jpg", EXPERT_DETECT, ANY, { { "airplane", 0.94, { 0 } } } },
    { "fastestdet", "photo/street_cars.jpg", EXPERT_DETECT, ANY, { { "car", 0.92, { 0 } }, { "car", 0.84, { 0 } }, { "car", 0.80, { 0 } } } },
    { "fastestdet", "video/person_walk_frames/06.jpg", EXPERT_DETECT, ANY, { { "person", 0.90, { 0 } } } },
    { "fastestdet", "video/person_walk_frames/09.jpg", EXPERT_DETECT, ANY, { { "person", 0.93, { 0 } } } },
    { "fastestdet", "video/person_walk_frames/16.jpg", EXPERT_DETECT, ANY, { { "person", 0.89, { 0 } } } },
    { "ultraface-slim", "photo/astronaut.jpg", EXPERT_FACES, 1, { { "face", 1.00, { 178, 62, 273, 174 } } } },
    { "ultraface-slim", "photo/grace_hopper.jpg", EXPERT_FACES, 1, { { "face", 1.00, { 160, 115, 349, 330 } } } },
    { "ultraface-slim", "photo/cat_chelsea.png", EXPERT_FACES, 0, { { 0 } } },
    { "ultraface-slim", "photo/coffee_cup.jpg", EXPERT_FACES, 1, { { "face", 0.82, { 0 } } } },
    { "ultraface-rfb", "photo/astronaut.jpg", EXPERT_FACES, 1, { { "face", 1.00, { 179, 63, 269, 173 } } } },
    { "ultraface-rfb", "photo/grace_hopper.jpg", EXPERT_FACES, 1, { { "face", 1.00, { 171, 122, 357, 336 } } } },
    { "ultraface-rfb", "photo/coffee_cup.jpg", EXPERT_FACES, 0, { { 0 } } },
    { "ultraface-rfb", "photo/cat_chelsea.png", EXPERT_FACES, 2, { { "face", 0.97, { 0 } }, { "face", 0.75, { 0 } } } },
    { "yunet", "photo/astronaut.jpg", EXPERT_FACES, 1, { { "face", 0.94, { 180, 60, 270, 178 } } } },
    { "yunet", "photo/grace_hopper.jpg", EXPERT_FACES, 1, { { "face", 0.94, { 169, 111, 353, 337 } } } },
    { "yunet", "photo/cat_chelsea.png", EXPERT_FACES, 0, { { 0 } } },
    { "yunet", "photo/coffee_cup.jpg", EXPERT_FACES, 0, { { 0 } } },
    { "yunet", "photo/dog_human.jpg", EXPERT_FACES, 1, { { "face", 0, { 0 } } } },
    { "yunet-dynamic", "photo/astronaut.jpg", EXPERT_FACES, 1, { { "face", 0, { 178, 66, 270, 176 } } } }, /* 512 x 512: not quite as in 320 x 320 */
    { "yunet-dynamic", "photo/soccer.jpg", EXPERT_FACES, ANY, { { "face", 0.93, { 0 } }, { "face", 0.91, { 0 } }, { "face", 0.90, { 0 } } } }, /* three faces (and a knee) */
};
enum { N_BOXES = sizeof(boxes) / sizeof(*boxes) };

/* Is the wanted box among those that were seen?  Each stands for one only. */
static bool find_box(const struct seen *s, const char *label, double score, const double *corners, bool *used)
{
    for (int i = 0; i < s->n_boxes; i++) {
        const double c[4] = { (double)s->boxes[i].x, (double)s->boxes[i].y, (double)(s->boxes[i].x + s->boxes[i].w), (double)(s->boxes[i].y + s->boxes[i].h) };
        bool good = !used[i] && strcmp(s->boxes[i].label, label) == 0 && (score == 0 || fabs((double)s->boxes[i].score - score) <= 0.016);
        for (int k = 0; k < 4; k++)
            good = good && (corners[2] == 0 || fabs(c[k] - corners[k]) <= 4);
        if (good)
            return used[i] = true;
    }
    return false;
}

static void say(const struct wanted *w, const struct seen *s)
{
    for (int i = 0; i < s->n_boxes; i++)
        printf("# %s %s: %s %.3f [%.0f,%.0f,%.0f,%.0f]\n", w->card, w->picture, s->boxes[i].label, (double)s->boxes[i].score, (double)s->boxes[i].x, (double)s->boxes[i].y,
               (double)(s->boxes[i].x + s->boxes[i].w), (double)(s->boxes[i].y + s->boxes[i].h));
}

static void check_boxes(const char *card)
{
    struct look l;
    char path[200];
    REQUIRE(look_open_example(&l, card), "%s", l.err.text);
    for (int i = 0; i < N_BOXES; i++) {
        const struct wanted *w = &boxes[i];
        bool used[LOOK_MAX] = { false }, good = true;
        if (strcmp(w->card, card) != 0)
            continue;
        snprintf(path, sizeof path, "models/media/%s", w->picture);
        REQUIRE(look_at_file(&l, w->task, test_shared(path)), "%s: %s", w->picture, l.err.text);
        for (int k = 0; k < 5 && w->boxes[k].label; k++)
            good = good && find_box(&l.seen, w->boxes[k].label, w->boxes[k].score, w->boxes[k].corners, used);
        CHECK(good && (w->n == ANY || w->n == l.seen.n_boxes), "%s %s: not what the manifest says", card, w->picture);
        if (!good || (w->n != ANY && w->n != l.seen.n_boxes))
            say(w, &l.seen);
        for (int k = 0; k < l.seen.n_boxes; k++) {
            const float x2 = l.seen.boxes[k].x + l.seen.boxes[k].w, y2 = l.seen.boxes[k].y + l.seen.boxes[k].h;
            CHECK(l.seen.boxes[k].x >= 0 && l.seen.boxes[k].y >= 0 && x2 <= (float)l.seen.width_px + 0.01f && y2 <= (float)l.seen.height_px + 0.01f);
        }
    }
    look_close(&l);
}

TEST(yolox_sees_what_the_manifest_says) { check_boxes("yolox"); }
TEST(fastestdet_sees_what_the_manifest_says) { check_boxes("fastestdet"); }
TEST(ultraface_slim_sees_what_the_manifest_says) { check_boxes("ultraface-slim"); }
TEST(ultraface_rfb_sees_what_the_manifest_says) { check_boxes("ultraface-rfb"); }
TEST(yunet_sees_what_the_manifest_says) { check_boxes("yunet"); }
TEST(yunet_with_a_free_size_sees_the_same_and_small_faces_too) { check_boxes("yunet-dynamic"); }

TEST(landmarks_lie_where_a_face_has_them)
{
    struct look l;
    REQUIRE(look_open_example(&l, "yunet"), "%s", l.err.text);
    REQUIRE(look_at_file(&l, EXPERT_FACES, test_shared("models/media/photo/astronaut.jpg")), "%s", l.err.text);
    REQUIRE(l.seen.n_boxes == 1 && l.seen.boxes[0].n_points == 5);
    const struct result_point *p = l.seen.boxes[0].points;
    CHECK(p[0].x < p[2].x && p[2].x < p[1].x, "the nose lies between the eyes");
    CHECK(p[0].y < p[2].y && p[2].y < p[3].y && p[3].x < p[4].x, "eyes, nose, mouth from above");
    for (int j = 0; j < 5; j++)
        CHECK(p[j].x > 170 && p[j].x < 280 && p[j].y > 60 && p[j].y < 180, "point %d: %.0f, %.0f", j, (double)p[j].x, (double)p[j].y);
    look_close(&l);
}

static const struct {
    const char *card, *picture;
    const char *label; /* the first one, or with score 0: among the first five */
    double score;      /* this model quantises activations by their largest: a picture decoded a little differently moves it by some 0.08 */
} classes[] = {
    { "mobilenet", "photo/cat_tabby.jpg", "Egyptian cat", 0.77 },
    { "mobilenet", "photo/coffee_cup.jpg", "espresso", 0.99 },
    { "mobilenet", "photo/dog_bicycle_truck.jpg", "malamute, malemute, Alaskan malamute", 0.74 },
    { "mobilenet", "photo/dog_human.jpg", "Rhodesian ridgeback", 0.65 },
    { "mobilenet", "photo/jockey_horse.jpg", "sorrel", 0.95 },
    { "mobilenet-qdq", "photo/cat_tabby.jpg", "tabby, tabby cat", 0 },
    { "mobilenet-qdq", "photo/cat_tabby.jpg", "tiger cat", 0 },
    { "mobilenet-qdq", "photo/cat_tabby.jpg", "Egyptian cat", 0 },
    { "mobilenet-qdq", "photo/coffee_cup.jpg", "espresso", 0 },
    { "mobilenet-qdq", "photo/dog_bicycle_truck.jpg", "malamute, malemute, Alaskan malamute", 0 },
};

static void check_classes(const char *card)
{
    struct look l;
    char path[200];
    REQUIRE(look_open_example(&l, card), "%s", l.err.text);
    for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
        bool good = false;
        if (strcmp(classes[i].card, card) != 0)
            continue;
        snprintf(path, sizeof path, "models/media/%s", classes[i].picture);
        REQUIRE(look_at_file(&l, EXPERT_CLASSIFY, test_shared(path)), "%s", l.err.text);
        CHECK(l.seen.n_labels == 5, "%d", l.seen.n_labels);
        for (int k = 0; k < l.seen.n_labels; k++)
            if (strncmp(l.seen.labels[k].label, classes[i].label, strcspn(classes[i].label, ",")) == 0)
                good = good || classes[i].score == 0 || (k == 0 && fabs((double)l.seen.labels[k].score - classes[i].score) <= 0.1);
        CHECK(good, "%s %s: first is %s %.3f, not %s %.2f", card, classes[i].picture, l.seen.labels[0].label, (double)l.seen.labels[0].score, classes[i].label,
              classes[i].score);
    }
    look_close(&l);
}
TEST(mobilenet_sees_what_the_manifest_says) { check_classes("mobilenet"); }
TEST(mobilenet_in_eight_bits_sees_what_the_manifest_says) { check_classes("mobilenet-qdq"); }

static double cosine(const float *a, const float *b, int n)
{
    double dot = 0, aa = 0, bb = 0;
    for (int i = 0; i < n; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return dot / sqrt(aa * bb);
}

TEST(embeddings_of_alike_pictures_lie_near)
{
    static float v[4][LOOK_VECTOR_MAX];
    static const char *const pictures[] = { "cat_tabby.jpg", "cat_chelsea.png", "airplane.jpg", "cat_chelsea.ppm" };
    struct look l;
    REQUIRE(look_open_example(&l, "mobilenet-embed"), "%s", l.err.text);
    for (int i = 0; i < 3; i++) {
        char path[200];
        snprintf(path, sizeof path, "models/media/photo/%s", pictures[i]);
        REQUIRE(look_at_file(&l, EXPERT_EMBED_IMAGE, test_shared(path)), "%s", l.err.text);
        REQUIRE(l.seen.n_vector == 1000);
        memcpy(v[i], l.seen.vector, sizeof v[i]);
        double sum = 0, norm = 0;
        for (int k = 0; k < 1000; k++) {
            sum += (double)v[i][k];
            norm += (double)v[i][k] * (double)v[i][k];
        }
        CHECK(fabs(norm - 1) < 1e-4 && fabs(sum) < 1e-3, "length^2 %g, sum %g", norm, sum);
    }
    CHECK(cosine(v[0], v[1], 1000) > cosine(v[0], v[2], 1000) + 0.1, "two cats %.3f, cat and airplane %.3f", cosine(v[0], v[1], 1000), cosine(v[0], v[2], 1000));
    look_close(&l);
}

TEST(a_batch_gives_what_single_runs_give_and_a_bad_picture_fails_alone)
{
    enum { N = 4 };
    static const char *const pictures[N] = { "cat_tabby.jpg", "coffee_cup.jpg", NULL, "jockey_horse.jpg" };
    static struct seen seen[N], alone;
    struct look l;
    struct task_media media[N];
    struct task_request rqs[N];
    struct task_out outs[N];
    const struct task_request *rq[N];
    const struct task_out *out[N];
    struct err errs[N];
    struct arena *arenas[N];
    REQUIRE(look_open_example(&l, "mobilenet"), "%s", l.err.text);
    CHECK(task_get_info(l.task)->n_batch_max > 1);
    for (int i = 0; i < N; i++) {
        char path[200];
        size_t n = 4;
        snprintf(path, sizeof path, "models/media/photo/%s", pictures[i] ? pictures[i] : "");
        char *bytes = pictures[i] ? file_read(test_shared(path), 16 << 20, &n, &l.err) : strdup("junk");
        REQUIRE(bytes, "%s", l.err.text);
        media[i] = (struct task_media){ .form = MEDIA_ENCODED, .bytes = bytes, .n_bytes = n };
        rqs[i] = (struct task_request){ .task = EXPERT_CLASSIFY, .media = &media[i], .n_media = 1 };
        arenas[i] = arena_new(16 << 20, &l.err);
        outs[i] = (struct task_out){ &seen[i], look_emit, look_go_on, arenas[i] };
        rq[i] = &rqs[i];
        out[i] = &outs[i];
    }
    task_run_batch(l.task, rq, out, errs, N);
    for (int i = 0; i < N; i++) {
        CHECK((errs[i].code == ERR_NONE) == (pictures[i] != NULL), "%d: %s", i, errs[i].text);
        CHECK(seen[i].n_results == (pictures[i] != NULL));
        if (!pictures[i])
            continue;
        REQUIRE(look_run(&l, &rqs[i]), "%s", l.err.text);
        alone = l.seen;
        REQUIRE(alone.n_labels == seen[i].n_labels);
        for (int k = 0; k < alone.n_labels; k++) /* this model quantises by the largest value of a batch: not to the bit */
            CHECK(k > 0 || (strcmp(alone.labels[k].label, seen[i].labels[k].label) == 0 && fabsf(alone.labels[k].score - seen[i].labels[k].score) < 0.15f), "%s %.3f, in a batch %s %.3f",
                  alone.labels[k].label, (double)alone.labels[k].score, seen[i].labels[k].label, (double)seen[i].labels[k].score);
    }
    for (int i = 0; i < N; i++) {
        free((void *)media[i].bytes);
        arena_free(arenas[i]);
    }
    look_close(&l);
}

/* ---- speed: from decoded pixels to results, against the bare run of the session on the same thread ---- */

static int by_size(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

static void race(const char *card, const char *model, enum expert_task task)
{
    enum { ROUNDS = 41 };
    static double whole[ROUNDS], bare[ROUNDS], ratio[ROUNDS];
    struct look l;
    struct err err = { 0 };
    struct image im = { 0 };
    size_t n;
    REQUIRE(look_open_example(&l, card), "%s", l.err.text);
    struct onnx *o = test_onnx(1);
    struct onnx_session *s = onnx_session_open(o, test_shared(model), NULL, &err);
    REQUIRE(s, "%s", err.text);
    const struct tensor *info = onnx_input_info(s, 0);
    const struct pixel_spec spec = { .w = (int)info->dims[3], .h = (int)info->dims[2], .scale = 1 };
    struct resizer resizer = { 0 };
    char *bytes = file_read(test_shared("models/media/photo/dog_bicycle_truck.jpg"), 16 << 20, &n, &err);
    REQUIRE(bytes && image_decode(bytes, n, 3, NULL, &im, &err), "%s", err.text);
    REQUIRE(onnx_set_dims(s, 0, (int64_t[]){ 1, 3, spec.h, spec.w }, 4, &err) && image_to_pixels(&resizer, &im, &spec, onnx_input(s, 0)->data, NULL, &err), "%s", err.text);
    for (int i = -3; i < ROUNDS; i++) {
        const uint64_t t0 = clock_ns();
        REQUIRE(look_at_pixels(&l, task, im.px, im.w, im.h, (struct task_options){ 0 }), "%s", l.err.text);
        const uint64_t t1 = clock_ns();
        REQUIRE(onnx_run(s, &err), "%s", err.text);
        const uint64_t t2 = clock_ns();
        if (i < 0)
            continue;
        whole[i] = (double)(t1 - t0) / 1e6;
        bare[i] = (double)(t2 - t1) / 1e6;
        ratio[i] = whole[i] / bare[i];
    }
    qsort(whole, ROUNDS, sizeof *whole, by_size);
    qsort(bare, ROUNDS, sizeof *bare, by_size);
    qsort(ratio, ROUNDS, sizeof *ratio, by_size);
    printf("# %-16s pixels to results %7.2f ms, bare run %7.2f ms (medians of %d, minima %.2f, %.2f): + %.2f ms, ratio %.3f\n", card, whole[ROUNDS / 2], bare[ROUNDS / 2], ROUNDS, whole[0],
           bare[0], whole[ROUNDS / 2] - bare[ROUNDS / 2], ratio[ROUNDS / 2]);
    free(bytes);
    image_fini(&im);
    resizer_fini(&resizer);
    onnx_session_close(s);
    onnx_close(o);
    look_close(&l);
}

BENCH(pixels_to_results_against_the_bare_run)
{
    race("yolox", "models/vision/yolox_nano_416.onnx", EXPERT_DETECT);
    race("mobilenet", "models/vision/mobilenet_v2_int8_dyn.onnx", EXPERT_CLASSIFY);
    race("mobilenet-qdq", "models/vision/mobilenet_v2_int8_qdq.onnx", EXPERT_CLASSIFY);
    race("ultraface-slim", "models/vision/ultraface_slim_320.onnx", EXPERT_FACES);
    race("fastestdet", "models/vision/fastestdet_352.onnx", EXPERT_DETECT);
    race("yunet", "models/vision/yunet_n_320.onnx", EXPERT_FACES);
}
