/* tests/media/test_motion.c - motion is seen where and when something moves, and not when only light or noise changes. */
#include "media/motion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "media/image.h"
#include "media/video.h"
#include "test.h"

enum { W = 320, H = 180 };

struct scene {
    double noise, drift; /* grey levels; grey levels a second */
    int jump_at;         /* frame at which a lamp goes on; 0: never */
    int x, y, side;      /* a square that is 50 levels lighter; side 0: none */
};

static void draw(uint8_t *px, const struct scene *s, int frame, double t)
{
    const double light = s->drift * t + (s->jump_at && frame >= s->jump_at ? 40 : 0);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            double v = 70 + 40 * sin(x * 0.05) * cos(y * 0.04) + light;
            v += s->noise > 0 ? s->noise * 1.7 * (double)test_rand_f32() : 0; /* uniform: deviation as the name says */
            if (x >= s->x && x < s->x + s->side && y >= s->y && y < s->y + s->side)
                v += 50;
            px[y * W + x] = (uint8_t)fmin(255, fmax(0, v + 0.5));
        }
}

TEST(an_empty_scene_stays_still_under_noise_and_drifting_light)
{
    static const struct scene scenes[] = { { 0 }, { .noise = 4 }, { .noise = 10 }, { .drift = 1.5 }, { .drift = -1.5, .noise = 5 } };
    static uint8_t px[W * H];
    struct err err;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(*scenes); i++) {
        struct motion *m = motion_new(W, H, NULL, &err);
        REQUIRE(m, "%s", err.text);
        int n_boxes = 0;
        for (int k = 0; k < 150; k++) {
            struct motion_result r;
            draw(px, &scenes[i], k, k / 10.0);
            motion_frame(m, px, W, k / 10.0, &r);
            n_boxes += r.n_boxes;
            CHECK(r.is_learning == (k < 10), "frame %d", k);
        }
        CHECK(n_boxes == 0, "scene %zu: %d boxes", i, n_boxes);
        motion_free(m);
    }
}

TEST(a_square_that_moves_is_boxed_and_its_region_scores)
{
    static uint8_t px[W * H];
    struct err err;
    struct motion *m = motion_new(W, H, NULL, &err);
    REQUIRE(m, "%s", err.text);
    for (int k = 0; k < 100; k++) {
        struct motion_result r;
        struct scene s = { .noise = 4 };
        if (k >= 30 && k < 70)
            s.side = 40, s.x = 20 + 5 * (k - 30), s.y = 60;
        draw(px, &s, k, k / 10.0);
        motion_frame(m, px, W, k / 10.0, &r);
        if (s.side == 0) {
            CHECK(r.n_boxes == 0, "frame %d: %d boxes", k, r.n_boxes);
        } else {
            REQUIRE(r.n_boxes == 1, "frame %d: %d boxes", k, r.n_boxes);
            const struct motion_box b = r.boxes[0];
            CHECK(abs(b.x - s.x) <= 4 && abs(b.y - s.y) <= 4 && abs(b.x + b.w - s.x - 40) <= 4 && abs(b.y + b.h - 100) <= 4, "frame %d: %d %d %d %d", k, b.x, b.y, b.w, b.h);
            CHECK(b.score > 0.6f && r.moving_frac > 0.02f && r.moving_frac < 0.04f, "%g %g", b.score, r.moving_frac);
            CHECK(motion_region(m, s.x + 4, s.y + 4, 32, 32) == 1 && motion_region(m, 0, 120, W, 60) == 0, "frame %d", k);
        }
    }
    motion_free(m);
}

TEST(a_lamp_is_no_motion)
{
    static uint8_t px[W * H];
    struct err err;
    struct motion *m = motion_new(W, H, NULL, &err);
    REQUIRE(m, "%s", err.text);
    const struct scene s = { .noise = 3, .jump_at = 40 };
    for (int k = 0; k < 80; k++) {
        struct motion_result r;
        draw(px, &s, k, k / 10.0);
        motion_frame(m, px, W, k / 10.0, &r);
        CHECK(r.n_boxes == 0, "frame %d: %d boxes", k, r.n_boxes);
    }
    motion_free(m);
}

TEST(another_camera_is_a_new_scene)
{
    static uint8_t px[W * H];
    struct err err;
    struct motion *m = motion_new(W, H, NULL, &err);
    REQUIRE(m, "%s", err.text);
    int n_scenes = 0;
    for (int k = 0; k < 60; k++) {
        struct motion_result r;
        draw(px, &(struct scene){ 0 }, k, 0);
        for (int i = 0; i < W * H && k >= 30; i++)
            px[i] = (uint8_t)(px[i] ^ ((i / 16 ^ i / W / 16) & 1 ? 0x70 : 0x38));
        motion_frame(m, px, W, k / 10.0, &r);
        CHECK(r.n_boxes == 0, "frame %d", k);
        n_scenes += r.is_new_scene;
    }
    CHECK(n_scenes == 1, "%d", n_scenes);
    motion_free(m);
}

TEST(what_stands_still_becomes_background_after_its_time)
{
    static uint8_t px[W * H];
    struct err err;
    const struct motion_config c = { .absorb_s = 3 };
    struct motion *m = motion_new(W, H, &c, &err);
    REQUIRE(m, "%s", err.text);
    for (int k = 0; k < 100; k++) {
        struct motion_result r;
        const struct scene s = { .x = 100, .y = 50, .side = k >= 20 ? 40 : 0 };
        draw(px, &s, k, 0);
        motion_frame(m, px, W, k / 10.0, &r);
        CHECK(r.n_boxes == (k >= 20 && k < 50) || k == 50, "frame %d: %d", k, r.n_boxes);
    }
    motion_free(m);
}

TEST(odd_sizes_and_strange_times_are_fine)
{
    static const int sizes[][2] = { { 32, 32 }, { 33, 35 }, { 401, 227 }, { 801, 33 }, { 1921, 131 }, { 3333, 70 }, { 7001, 300 } };
    struct err err;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        const int w = sizes[i][0], h = sizes[i][1];
        struct motion *m = motion_new(w, h, NULL, &err);
        REQUIRE(m, "%s", err.text);
        uint8_t *px = malloc((size_t)w * (size_t)h); /* exactly, so that a sanitizer sees the first byte too far */
        static const double t[] = { 0, 1, 2, 2, 1, NAN, 3, 1e9, 1e9 + 1, 1e9 + 2 };
        for (int k = 0; k < 10; k++) {
            struct motion_result r;
            for (int j = 0; j < w * h; j++)
                px[j] = (uint8_t)(100 + (k == 9 && j % w < w / 3 && j / w < h / 2 ? 100 : 0));
            motion_frame(m, px, (size_t)w, t[k], &r);
            CHECK(r.n_boxes == (k == 9), "%d x %d frame %d: %d boxes", w, h, k, r.n_boxes);
        }
        free(px);
        motion_free(m);
    }
    CHECK(!motion_new(31, 100, NULL, &err) && err.code == ERR_INPUT);
}

TEST(the_man_in_the_room_is_seen_from_his_coming_to_his_going)
{
    struct err err = { 0 };
    const struct video_options o = { .fps = 2 };
    struct video *v = video_open_file(test_shared("models/media/video/person_walk_2fps.mjpeg"), &o, &err);
    REQUIRE(v, "%s", err.text);
    struct motion *m = NULL;
    struct image im = { 0 };
    struct video_frame f;
    double from_s = -1, to_s = -1;
    int n_gaps = 0;
    while (video_next(v, &f, &err)) {
        struct motion_result r;
        const bool good = image_decode(f.bytes, f.n_bytes, 1, NULL, &im, &err);
        if (!good && err.code == ERR_UNSUPPORTED)
            SKIP("%s", err.text);
        REQUIRE(good, "%s", err.text);
        if (!m)
            REQUIRE((m = motion_new(im.w, im.h, NULL, &err)), "%s", err.text);
        motion_frame(m, im.px, im.stride, f.t_s, &r);
        if (r.n_boxes > 0) {
            from_s = from_s < 0 ? f.t_s : from_s;
            n_gaps += to_s >= 0 && f.t_s > to_s + 0.6;
            to_s = f.t_s;
        }
    }
    REQUIRE(err.code == ERR_NONE, "%s", err.text);
    CHECK(from_s >= 4 && from_s <= 5 && to_s >= 15 && to_s <= 17.5 && n_gaps == 0, "from %g to %g s, %d gaps", from_s, to_s, n_gaps);
    motion_free(m);
    image_fini(&im);
    video_close(v);
}

BENCH(frames_of_640x360)
{
    enum { BW = 640, BH = 360, N = 16 };
    uint8_t *px = malloc((size_t)BW * BH * N);
    struct err err;
    for (int k = 0; k < N; k++)
        for (int y = 0; y < BH; y++)
            for (int x = 0; x < BW; x++) {
                const int is_square = k % 8 > 2 && x > 100 + 5 * k && x < 240 + 5 * k && y > 40 && y < 350;
                px[((size_t)k * BH + (size_t)y) * BW + (size_t)x] = (uint8_t)(100 + 30 * sin(x * 0.05) + 4 * test_rand_f32() + (is_square ? 50 : 0));
            }
    for (int n = 2; n <= N; n *= 8) { /* frames that are still in the cache, as after decoding; and frames out of memory */
        struct motion *m = motion_new(BW, BH, NULL, &err);
        double best = 1e9;
        for (int round = 0; round < 50; round++) {
            const double t = (double)clock_ns() * 1e-6;
            for (int i = 0; i < 48; i++) {
                struct motion_result r;
                motion_frame(m, px + (size_t)((i + 2) % n) * BW * BH, BW, (round * 48 + i) / 30.0, &r);
            }
            best = fmin(best, ((double)clock_ns() * 1e-6 - t) / 48);
        }
        printf("# motion 640 x 360, %d frames in turn: %.4f ms a frame\n", n, best);
        motion_free(m);
    }
    free(px);
}
