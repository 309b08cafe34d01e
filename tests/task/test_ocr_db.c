/* tests/task/test_ocr_db.c - rectangles drawn into a map are found again, grown by the formula; nonsense is survived. */
#include <math.h>
#include <string.h>

#include "task/ocr_db.h"
#include "test.h"

enum { W = 320, H = 200, MAX = 64 };
static float map[W * H];

/* p inside the rectangle around (cx, cy), turned by deg clockwise. */
static void draw(float cx, float cy, float half_w, float half_h, float deg, float p)
{
    const float u = cosf(deg * 3.14159265f / 180), v = sinf(deg * 3.14159265f / 180);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const float dx = (float)x + 0.5f - cx, dy = (float)y + 0.5f - cy;
            if (fabsf(dx * u + dy * v) < half_w && fabsf(dy * u - dx * v) < half_h)
                map[y * W + x] = p;
        }
}

static int find(struct ocr_rect *out)
{
    struct ocr_db db = { 0 };
    struct err err = { 0 };
    int n = -1;
    CHECK(ocr_db_find(&db, map, W, H, &ocr_db_defaults, out, MAX, &n, &err), "%s", err.text);
    ocr_db_fini(&db);
    return n;
}

TEST(an_upright_line_is_its_box_grown_on_every_side)
{
    struct ocr_rect r[MAX];
    memset(map, 0, sizeof(map));
    draw(100, 50, 60, 10, 0, 0.9f);
    REQUIRE(find(r) == 1);
    const float grow = 120 * 20 * 1.5f / (2 * (120 + 20));
    CHECK(r[0].ux == 1 && r[0].uy == 0 && fabsf(r[0].score - 0.9f) < 1e-5f);
    CHECK(fabsf(r[0].cx - 100) < 1e-3f && fabsf(r[0].cy - 50) < 1e-3f);
    CHECK(fabsf(r[0].half_w - 60 - grow) < 1e-3f && fabsf(r[0].half_h - 10 - grow) < 1e-3f);
}

TEST(slanted_lines_keep_their_direction_and_size)
{
    static const float degs[] = { 10, 30, 45, 60, 80, -10, -35, -70 };
    for (size_t i = 0; i < sizeof(degs) / sizeof(*degs); i++) {
        struct ocr_rect r[MAX];
        memset(map, 0, sizeof(map));
        draw(160, 100, 70, 8, degs[i], 0.8f);
        REQUIRE(find(r) == 1, "%g degrees", degs[i]);
        const float got = atan2f(r[0].uy, r[0].ux) * 180 / 3.14159265f;
        const float grow = 140 * 16 * 1.5f / (2 * (140 + 16));
        CHECK(fabsf(got - degs[i]) < 1.5f, "%g degrees: got %g", degs[i], got);
        CHECK(fabsf(r[0].half_w - 70 - grow) < 3 && fabsf(r[0].half_h - 8 - grow) < 2, "%g degrees: %g x %g", degs[i],
              r[0].half_w, r[0].half_h);
        CHECK(fabsf(r[0].cx - 160) < 1.5f && fabsf(r[0].cy - 100) < 1.5f);
    }
}

TEST(faint_and_tiny_parts_are_no_text)
{
    struct ocr_rect r[MAX];
    memset(map, 0, sizeof(map));
    draw(60, 40, 30, 8, 0, 0.4f);   /* above the threshold, below the score */
    draw(200, 40, 30, 1, 0, 0.9f);  /* two rows */
    draw(60, 140, 30, 8, 0, 0.29f);
    CHECK(find(r) == 0);
    draw(200, 140, 30, 8, 0, 0.9f);
    CHECK(find(r) == 1);
}

TEST(hostile_maps_give_finite_rectangles)
{
    static const float odd[] = { NAN, INFINITY, -INFINITY, 3e38f, -1, 1e-40f, 0.31f, 1 };
    for (int round = 0; round < 20; round++) {
        struct ocr_rect r[MAX];
        for (int i = 0; i < W * H; i++)
            map[i] = odd[test_rand_u64() % (round % 8 + 1)];
        const int n = find(r);
        for (int i = 0; i < n; i++)
            CHECK(isfinite(r[i].cx) && isfinite(r[i].cy) && r[i].half_w < 1000 && r[i].half_h < 1000 && r[i].score <= 1);
    }
    struct ocr_rect r[MAX];
    for (int i = 0; i < W * H; i++) /* more parts than room */
        map[i] = i / W % 5 < 3 && i % W % 5 < 3 ? 1 : 0;
    CHECK(find(r) == MAX);
    struct ocr_db db = { 0 };
    struct err err = { 0 };
    int n;
    CHECK(!ocr_db_find(&db, map, 0, 5, &ocr_db_defaults, r, MAX, &n, &err) && err.code == ERR_LIMIT);
}
