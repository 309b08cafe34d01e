/* tests/task/test_blobs.c - parts of masks, judged by flood fill. */
#include <string.h>

#include "task/blobs.h"
#include "test.h"

enum { W = 23, H = 17 };

static int flood(const uint8_t *mask, int *label, int x, int y, int name)
{
    if (x < 0 || y < 0 || x >= W || y >= H || !mask[y * W + x] || label[y * W + x])
        return 0;
    label[y * W + x] = name;
    int n = 1;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++)
            n += flood(mask, label, x + dx, y + dy, name);
    return n;
}

TEST(parts_of_random_masks_are_those_that_a_flood_finds)
{
    struct blobs b = { 0 };
    struct err err = { 0 };
    for (int round = 0; round < 200; round++) {
        uint8_t mask[W * H];
        int label[W * H] = { 0 };
        const float density = (float)(round % 20) / 20;
        for (int i = 0; i < W * H; i++)
            mask[i] = (test_rand_f32() + 1) / 2 < density;
        REQUIRE(blobs_find(&b, mask, W, H, &err), "%s", err.text);
        int n = 0, n_runs = 0;
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                if (mask[y * W + x] && !label[y * W + x]) {
                    const int n_px = flood(mask, label, x, y, n + 1);
                    REQUIRE(n < b.n_blobs, "round %d: more than %d parts", round, b.n_blobs);
                    const struct blob *o = &b.blobs[n];
                    int x0 = W, y0 = H, x1 = -1, y1 = -1, covered = 0;
                    for (int i = 0; i < W * H; i++)
                        if (label[i] == n + 1) {
                            x0 = i % W < x0 ? i % W : x0, x1 = i % W > x1 ? i % W : x1;
                            y0 = i / W < y0 ? i / W : y0, y1 = i / W > y1 ? i / W : y1;
                        }
                    for (int i = 0; i < o->n_runs; i++) {
                        const struct blob_run *r = &b.runs[o->first_run + i];
                        for (int k = r->x0; k <= r->x1; k++)
                            covered += label[r->y * W + k] == n + 1;
                    }
                    CHECK(o->n_px == n_px && covered == n_px, "round %d part %d", round, n);
                    CHECK(o->x0 == x0 && o->x1 == x1 && o->y0 == y0 && o->y1 == y1, "round %d part %d", round, n);
                    n_runs += o->n_runs;
                    n++;
                }
        CHECK(n == b.n_blobs && n_runs == b.n_runs, "round %d: %d parts, found %d", round, n, b.n_blobs);
    }
    blobs_fini(&b);
}

TEST(a_size_that_is_none_is_refused)
{
    struct blobs b = { 0 };
    struct err err = { 0 };
    uint8_t one = 1;
    CHECK(!blobs_find(&b, &one, 0, 1, &err) && err.code == ERR_LIMIT);
    CHECK(!blobs_find(&b, &one, 1 << 20, 1 << 20, &err) && err.code == ERR_LIMIT);
    CHECK(blobs_find(&b, &one, 1, 1, &err) && b.n_blobs == 1 && b.blobs[0].n_px == 1);
    blobs_fini(&b);
}
