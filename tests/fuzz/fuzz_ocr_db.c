/* tests/fuzz/fuzz_ocr_db.c - hostile maps of text probabilities, and crops of what is found in them.
 * First two bytes: width, height; then a byte for each cell (the last ones are NaN, infinities and the like). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "task/ocr_crop.h"
#include "task/ocr_db.h"
#include "task/ocr_order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MAX = 32, HEIGHT = 16, WIDTH = 64 };
    static const float odd[8] = { NAN, INFINITY, -INFINITY, 3e38f, -1, 1e-40f, 0.3f, 0.30001f };
    if (size < 2)
        return 0;
    const int w = data[0] % 80 + 1, h = data[1] % 80 + 1;
    struct ocr_db db = { 0 };
    struct ocr_rect rects[MAX];
    struct err err;
    float *map = calloc((size_t)w * (size_t)h, sizeof(float)), *crop = malloc(3 * HEIGHT * WIDTH * sizeof(float));
    uint8_t *px = calloc((size_t)w * (size_t)h, 3);
    int n = 0;
    for (size_t i = 2; map && i < size && i - 2 < (size_t)w * (size_t)h; i++)
        map[i - 2] = data[i] >= 248 ? odd[data[i] - 248] : (float)data[i] / 247;
    if (map && crop && px && ocr_db_find(&db, map, w, h, &ocr_db_defaults, rects, MAX, &n, &err)) {
        const struct image im = { .px = px, .w = w, .h = h, .n_channels = 3, .stride = (size_t)w * 3 };
        struct ocr_item items[MAX];
        int order[MAX], scratch[MAX];
        for (int i = 0; i < n; i++) {
            bool is_ink[WIDTH];
            const struct ocr_rect turned = i % 3 == 0 ? rects[i] : i % 3 == 1 ? ocr_rect_turn(rects[i]) : ocr_rect_flip(rects[i]);
            const int width = ocr_crop_width(&turned, HEIGHT, WIDTH);
            ocr_crop(&im, &turned, HEIGHT, width, WIDTH, crop);
            ocr_crop_ink(crop, HEIGHT, width, WIDTH, is_ink);
            ocr_rect_box(&turned, 0, 1, &items[i].x, &items[i].y, &items[i].w, &items[i].h);
            if (!isfinite(items[i].x) || !isfinite(items[i].w) || !(rects[i].score <= 1))
                abort();
        }
        ocr_order(items, n, order, scratch);
    }
    ocr_db_fini(&db);
    free(map);
    free(crop);
    free(px);
    return 0;
}
