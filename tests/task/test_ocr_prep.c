/* tests/task/test_ocr_prep.c - shadows go, small letters grow. */
#include <math.h>
#include <string.h>

#include "task/ocr_prep.h"
#include "test.h"

enum { W = 400, H = 320 };
static uint8_t px[W * H];

/* Rows of bars of height px on paper that darkens to the right down to `dark` of its brightness. */
static void draw(int height, float dark)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const float light = 230 * (1 - (1 - dark) * (float)x / W);
            const bool ink = y % (3 * height) >= height && y % (3 * height) < 2 * height && x % (height + 4) < height / 2;
            px[y * W + x] = (uint8_t)(ink ? light * 0.3f : light);
        }
}

TEST(letters_are_measured_and_small_ones_are_enlarged)
{
    struct ocr_prep p = { 0 };
    struct err err = { 0 };
    static const struct { int height, factor; } cases[] = { { 5, 3 }, { 8, 2 }, { 11, 2 }, { 14, 1 }, { 40, 1 } };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        draw(cases[i].height, 1);
        REQUIRE(ocr_prep_look(&p, px, W, H, &err), "%s", err.text);
        CHECK(!p.is_uneven && p.text_px == cases[i].height, "%d: %d", cases[i].height, p.text_px);
        CHECK(ocr_prep_factor(p.text_px, W, H) == cases[i].factor);
    }
    memset(px, 255, sizeof(px));
    CHECK(ocr_prep_look(&p, px, W, H, &err) && p.text_px == 0 && ocr_prep_factor(0, W, H) == 1);
    CHECK(!ocr_prep_look(&p, px, 0, H, &err) && err.code == ERR_LIMIT);
    ocr_prep_fini(&p);
}

TEST(a_shadow_is_taken_out_and_the_ink_stays)
{
    struct ocr_prep p = { 0 };
    struct err err = { 0 };
    draw(9, 0.3f); /* the paper on the right is darker than ... the ink on the left is not far */
    REQUIRE(ocr_prep_look(&p, px, W, H, &err), "%s", err.text);
    REQUIRE(p.is_uneven && p.text_px == 9, "%d %d", p.is_uneven, p.text_px);
    for (int y = 0; y < H; y += 7)
        for (int x = 0; x < W; x += 5) {
            const bool ink = y % 27 >= 9 && y % 27 < 18 && x % 13 < 4;
            CHECK(ink ? p.even[y * W + x] < 128 : p.even[y * W + x] > 190, "%d,%d: %d", x, y, p.even[y * W + x]);
        }
    ocr_prep_fini(&p);
}

TEST(enlarging_keeps_flat_areas_flat_and_straight_slopes_straight)
{
    struct ocr_prep p = { 0 };
    struct err err = { 0 };
    for (int i = 0; i < W * H; i++)
        px[i] = (uint8_t)(i % 200 / 2);
    for (int factor = 2; factor <= 4; factor++) {
        const uint8_t *out = ocr_prep_scale(&p, px, 200, 3, factor, &err);
        REQUIRE(out, "%s", err.text);
        for (int x = 4 * factor; x < 196 * factor; x++) {
            const float want = (((float)x + 0.5f) / (float)factor - 0.5f) / 2 - 0.25f; /* px is x / 2 rounded down */
            CHECK(fabsf((float)out[x] - want) <= 1, "x %d: %d, want %g", x, out[x], want);
        }
    }
    CHECK(!ocr_prep_scale(&p, px, 200, 3, 5, &err));
    ocr_prep_fini(&p);
}
