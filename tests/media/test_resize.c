/* tests/media/test_resize.c - every resize against its definition in double; geometry; letterboxes; the numbers of models. */
#include "media/resize.h"

#include <stdlib.h>

#include "base/clock.h"
#include "drawn.h"

/* The value of channel c at output (x, y) when `im` is resized to w x h, as resize.h defines it. */
static double reference(const struct image *im, int w, int h, int x, int y, int c, enum filter f)
{
    double sum = 0, all = 0;
    const double rx = (double)im->w / w, ry = (double)im->h / h;
    const bool ax = f == FILTER_AREA && w < im->w, ay = f == FILTER_AREA && h < im->h;
    double cx = (x + 0.5) * rx - 0.5, cy = (y + 0.5) * ry - 0.5;
    cx = fmin(im->w - 1, fmax(0, cx)), cy = fmin(im->h - 1, fmax(0, cy));
    for (int sy = 0; sy < im->h; sy++) {
        const double wy = ay ? fmin(sy + 1, (y + 1) * ry) - fmax(sy, y * ry) : 1 - fabs(sy - cy);
        if (wy <= 0)
            continue;
        for (int sx = 0; sx < im->w; sx++) {
            const double wx = ax ? fmin(sx + 1, (x + 1) * rx) - fmax(sx, x * rx) : 1 - fabs(sx - cx);
            if (wx <= 0)
                continue;
            sum += wx * wy * im->px[(size_t)sy * im->stride + (size_t)(sx * im->n_channels + c)], all += wx * wy;
        }
    }
    return sum / all;
}

TEST(stretching_is_what_its_definition_says)
{
    static const int cases[][4] = { { 50, 40, 100, 80 }, { 100, 80, 50, 40 }, { 97, 61, 31, 17 }, { 31, 17, 97, 61 }, { 64, 64, 64, 64 },
                                    { 1, 1, 5, 3 },      { 2, 1, 1, 2 },      { 90, 7, 13, 50 },  { 3, 200, 3, 10 },  { 200, 90, 1, 1 } };
    struct image im = { 0 };
    struct resizer r = { 0 };
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (int ch = 1; ch <= 3; ch += 2)
            for (int f = 0; f < FILTER_COUNT; f++) {
                draw_waves(&im, cases[i][0], cases[i][1], ch);
                const struct pixel_spec s = { .w = cases[i][2], .h = cases[i][3], .filter = (enum filter)f, .order = ORDER_RGB };
                float *out = malloc(pixel_spec_bytes(&s));
                REQUIRE(image_to_pixels(&r, &im, &s, out, NULL, &err), "%s", err.text);
                double worst = 0;
                for (int c = 0; c < 3; c++)
                    for (int y = 0; y < s.h; y++)
                        for (int x = 0; x < s.w; x++)
                            worst = fmax(worst, fabs(out[(c * s.h + y) * s.w + x] - reference(&im, s.w, s.h, x, y, ch == 1 ? 0 : c, s.filter)));
                CHECK(worst < 1e-3, "case %zu, %d channels, filter %d: %g", i, ch, f, worst);
                free(out);
            }
    image_fini(&im), resizer_fini(&r);
}

TEST(a_view_never_reads_beside_itself)
{
    struct image im = { 0 }, copy = { 0 };
    struct resizer r = { 0 };
    struct err err = { 0 };
    draw_waves(&im, 60, 50, 3);
    const struct image v = image_view(&im, 11, 7, 20, 30);
    REQUIRE(image_resize_memory(&copy, 20, 30, 3, &err));
    for (int y = 0; y < 30; y++)
        memcpy(copy.px + (size_t)y * copy.stride, v.px + (size_t)y * v.stride, 60);
    const struct pixel_spec s = { .w = 33, .h = 21, .filter = FILTER_AREA, .order = ORDER_BGR };
    float *a = malloc(pixel_spec_bytes(&s)), *b = malloc(pixel_spec_bytes(&s));
    REQUIRE(image_to_pixels(&r, &v, &s, a, NULL, &err) && image_to_pixels(&r, &copy, &s, b, NULL, &err), "%s", err.text);
    CHECK(memcmp(a, b, pixel_spec_bytes(&s)) == 0);
    free(a), free(b), image_fini(&im), image_fini(&copy), resizer_fini(&r);
}

TEST(letterbox_keeps_the_aspect_and_says_where_the_picture_lies)
{
    struct image im = { 0 };
    struct resizer r = { 0 };
    struct err err = { 0 };
    draw_waves(&im, 100, 60, 3);
    for (int centred = 0; centred < 2; centred++) {
        const struct pixel_spec s = { .w = 50, .h = 50, .fit = FIT_LETTERBOX, .is_centred = centred, .order = ORDER_BGR, .fill = 114,
                                      .scale = 1 / 255.f, .mean = { 0.1f, 0.2f, 0.3f }, .std = { 0.5f, 0.25f, 2 } };
        float out[3][50][50];
        struct pixel_map map;
        REQUIRE(image_to_pixels(&r, &im, &s, out, &map, &err), "%s", err.text);
        const int y0 = centred ? 10 : 0;
        CHECK(map.w == 50 && map.h == 30 && map.scale_x == 0.5f && map.scale_y == 0.5f && map.off_x == 0 && map.off_y == (float)y0);
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 50; y++)
                for (int x = 0; x < 50; x++) {
                    const double v = y < y0 || y >= y0 + 30 ? 114 : reference(&im, 50, 30, x, y - y0, 2 - c, FILTER_BILINEAR);
                    const double want = (v / 255 - s.mean[c]) / s.std[c];
                    REQUIRE(fabs(out[c][y][x] - want) < 2e-5, "%d %d %d: %g, not %g", c, y, x, out[c][y][x], want);
                }
    }
    image_fini(&im), resizer_fini(&r);
}

TEST(cover_cuts_the_centre_of_the_short_side_resize)
{
    struct image im = { 0 };
    struct resizer r = { 0 };
    struct err err = { 0 };
    draw_waves(&im, 130, 90, 3);
    const struct pixel_spec s = { .w = 22, .h = 24, .fit = FIT_COVER, .short_px = 30, .filter = FILTER_AREA, .layout = LAYOUT_NHWC };
    float out[24][22][3];
    struct pixel_map map;
    REQUIRE(image_to_pixels(&r, &im, &s, out, &map, &err), "%s", err.text);
    for (int y = 0; y < 24; y++)
        for (int x = 0; x < 22; x++)
            for (int c = 0; c < 3; c++) { /* 130 * 30 / 90 = 43 wide; (43 - 22) / 2 = 10, (30 - 24) / 2 = 3 */
                const double want = reference(&im, 43, 30, x + 10, y + 3, c, FILTER_AREA);
                REQUIRE(fabs(out[y][x][c] - want) < 1e-3, "%d %d %d: %g, not %g", y, x, c, out[y][x][c], want);
            }
    CHECK(map.off_x == -10 && map.off_y == -3 && fabsf(map.scale_x - 43.f / 130) < 1e-6f);
    const struct pixel_spec bad = { .w = 40, .h = 24, .fit = FIT_COVER, .short_px = 30 };
    CHECK(!image_to_pixels(&r, &im, &bad, out, NULL, &err) && err.code == ERR_INPUT, "%s", err.text);
    image_fini(&im), resizer_fini(&r);
}

TEST(a_text_line_keeps_its_aspect_and_is_filled_up_to_the_right)
{
    struct image im = { 0 };
    struct resizer r = { 0 };
    struct err err = { 0 };
    draw_waves(&im, 70, 40, 3);
    const struct pixel_spec s = { .w = 100, .h = 32, .fit = FIT_HEIGHT, .scale = 1 / 255.f, .mean = { .5f, .5f, .5f }, .std = { .5f, .5f, .5f }, .is_fill_raw = true };
    float out[3][32][100];
    struct pixel_map map;
    REQUIRE(image_to_pixels(&r, &im, &s, out, &map, &err), "%s", err.text);
    CHECK(map.w == 56 && map.h == 32);
    CHECK(out[0][5][56] == 0 && out[2][31][99] == 0 && out[1][10][55] != 0);
    CHECK(fabs(out[1][10][55] - (reference(&im, 56, 32, 55, 10, 1, FILTER_BILINEAR) / 255 - .5) / .5) < 1e-4);
    image_fini(&im), resizer_fini(&r);
}

TEST(integers_are_rounded_and_saturated)
{
    struct image im = { 0 }, small = { 0 };
    struct resizer r = { 0 };
    struct err err = { 0 };
    draw_waves(&im, 64, 48, 3);
    struct pixel_spec s = { .w = 32, .h = 24, .filter = FILTER_AREA, .layout = LAYOUT_NHWC, .type = PIXEL_U8 };
    uint8_t u[24 * 32 * 3];
    int8_t i8[24 * 32 * 3];
    REQUIRE(image_to_pixels(&r, &im, &s, u, NULL, &err), "%s", err.text);
    s.type = PIXEL_I8;
    for (int c = 0; c < 3; c++)
        s.mean[c] = 128;
    REQUIRE(image_to_pixels(&r, &im, &s, i8, NULL, &err), "%s", err.text);
    REQUIRE(image_resize(&r, &im, 32, 24, FILTER_AREA, &small, &err), "%s", err.text);
    for (int i = 0; i < 24 * 32 * 3; i++) {
        const double want = reference(&im, 32, 24, i / 3 % 32, i / 96, i % 3, FILTER_AREA);
        REQUIRE(fabs(u[i] - want) <= 0.501 && small.px[i] == u[i], "%d: %d for %g", i, u[i], want);
        REQUIRE(i8[i] == u[i] - 128, "%d: %d for %d", i, i8[i], u[i]);
    }
    s.type = PIXEL_U8, s.scale = 10;
    REQUIRE(image_to_pixels(&r, &im, &s, u, NULL, &err));
    int n_top = 0;
    for (int i = 0; i < 24 * 32 * 3; i++)
        n_top += u[i] == 255;
    CHECK(n_top > 1000, "%d", n_top);
    image_fini(&im), image_fini(&small), resizer_fini(&r);
}

TEST(grey_out_of_colour_is_rec_601)
{
    struct image im = { 0 }, grey = { 0 };
    struct resizer r = { 0 };
    struct err err = { 0 };
    draw_waves(&im, 40, 30, 3);
    const struct pixel_spec s = { .w = 40, .h = 30, .order = ORDER_GREY };
    float out[30 * 40];
    REQUIRE(image_to_pixels(&r, &im, &s, out, NULL, &err) && image_to_grey(&im, &grey, &err), "%s", err.text);
    for (int i = 0; i < 1200; i++) {
        const double want = 0.299 * im.px[3 * i] + 0.587 * im.px[3 * i + 1] + 0.114 * im.px[3 * i + 2];
        REQUIRE(fabs(out[i] - want) < 1e-3 && fabs(grey.px[i] - want) <= 0.51, "%d", i);
    }
    image_fini(&im), image_fini(&grey), resizer_fini(&r);
}

TEST(turns_add_up)
{
    struct image im = { 0 }, a = { 0 }, b = { 0 };
    struct err err = { 0 };
    draw_waves(&im, 70, 45, 3);
    REQUIRE(image_rotate(&im, 1, &a, &err) && a.w == 45 && a.h == 70, "%s", err.text);
    CHECK(memcmp(a.px + 3 * 44, im.px, 3) == 0, "the left top goes to the right top");
    REQUIRE(image_rotate(&a, 3, &b, &err));
    CHECK(is_same_image(&im, &b));
    REQUIRE(image_rotate(&im, 2, &a, &err) && image_rotate(&a, 2, &b, &err));
    CHECK(is_same_image(&im, &b));
    for (int o = 1; o <= 8; o++) { /* 6 and 8 undo each other, the rest undo themselves */
        REQUIRE(image_orient(&im, o, &a, &err) && image_orient(&a, o == 6 ? 8 : o == 8 ? 6 : o, &b, &err));
        CHECK(is_same_image(&im, &b), "orientation %d", o);
    }
    CHECK(!image_orient(&im, 9, &a, &err) && err.code == ERR_INPUT);
    image_fini(&im), image_fini(&a), image_fini(&b);
}

TEST(an_upright_quadrangle_is_a_plain_crop)
{
    struct image im = { 0 }, out = { 0 };
    struct err err = { 0 };
    draw_waves(&im, 80, 60, 3);
    const float quad[4][2] = { { 10, 5 }, { 50, 5 }, { 50, 35 }, { 10, 35 } };
    REQUIRE(image_crop_quad(&im, quad, 40, 30, &out, &err), "%s", err.text);
    struct image v = image_view(&im, 10, 5, 40, 30);
    CHECK(is_same_image(&v, &out));
    const float side[4][2] = { { 50, 5 }, { 50, 35 }, { 10, 35 }, { 10, 5 } }; /* begins at the right top: turned back */
    struct image turned = { 0 };
    REQUIRE(image_crop_quad(&im, side, 30, 40, &out, &err) && image_rotate(&v, 3, &turned, &err), "%s", err.text);
    CHECK(image_distance(&turned, &out) == 0);
    const float flat[4][2] = { { 0, 0 }, { 5, 5 }, { 10, 10 }, { 20, 20 } }, far[4][2] = { { 0, 0 }, { NAN, 1 }, { 1, 1 }, { 0, 1 } };
    CHECK(!image_crop_quad(&im, flat, 30, 40, &out, &err) && err.code == ERR_INPUT);
    CHECK(!image_crop_quad(&im, far, 30, 40, &out, &err) && err.code == ERR_INPUT);
    const float outside[4][2] = { { -50, -50 }, { 200, -40 }, { 210, 150 }, { -60, 170 } };
    CHECK(image_crop_quad(&im, outside, 300, 200, &out, &err), "%s", err.text);
    image_fini(&im), image_fini(&out), image_fini(&turned);
}

BENCH(to_tensors)
{
    static const struct { const char *what; int w, h; struct pixel_spec s; } cases[] = {
        { "1280x720 -> 640x640 letterbox f32 NCHW", 1280, 720, { .w = 640, .h = 640, .fit = FIT_LETTERBOX, .fill = 114, .scale = 1 / 255.f } },
        { "1920x1080 -> 640x640 letterbox f32 NCHW", 1920, 1080, { .w = 640, .h = 640, .fit = FIT_LETTERBOX, .fill = 114 } },
        { "640x480 -> 416x416 letterbox f32 NCHW BGR", 640, 480, { .w = 416, .h = 416, .fit = FIT_LETTERBOX, .order = ORDER_BGR, .fill = 114 } },
        { "640x480 -> 256, 224x224 area f32 NCHW", 640, 480, { .w = 224, .h = 224, .fit = FIT_COVER, .short_px = 256, .filter = FILTER_AREA } },
        { "1280x720 -> 352x352 area f32 NCHW", 1280, 720, { .w = 352, .h = 352, .filter = FILTER_AREA } },
        { "3840x2160 -> 416x416 letterbox f32 NCHW", 3840, 2160, { .w = 416, .h = 416, .fit = FIT_LETTERBOX } },
        { "1280x720 -> 320x320 u8 NHWC", 1280, 720, { .w = 320, .h = 320, .layout = LAYOUT_NHWC, .type = PIXEL_U8 } },
    };
    struct image im = { 0 };
    struct resizer r = { 0 };
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        draw_waves(&im, cases[i].w, cases[i].h, 3);
        void *out = malloc(pixel_spec_bytes(&cases[i].s));
        double best = 1e9;
        for (int k = 0; k < 50; k++) {
            const double t = (double)clock_ns() * 1e-6;
            REQUIRE(image_to_pixels(&r, &im, &cases[i].s, out, NULL, &err), "%s", err.text);
            best = fmin(best, (double)clock_ns() * 1e-6 - t);
        }
        printf("# %s: %.3f ms\n", cases[i].what, best);
        free(out);
    }
    image_fini(&im), resizer_fini(&r);
}
