/* tests/media/drawn.h - pictures drawn for tests: smooth waves and edges, different in each channel, no symmetry. */
#ifndef TUTTI_TESTS_DRAWN_H
#define TUTTI_TESTS_DRAWN_H
#include <math.h>
#include <string.h>

#include "media/image.h"
#include "test.h"

static inline void draw_waves(struct image *im, int w, int h, int n_channels)
{
    struct err err;
    if (!image_resize_memory(im, w, h, n_channels, &err))
        abort();
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < n_channels; c++) {
                const double wave = 100 * sin(x * 0.07 + c) * cos(y * 0.05 + 2 * c) + 20 * x / w + 50 * y / h;
                const int block = x > w / 3 && x < w / 2 && y > h / 4 && y < h / 2 ? 60 : 0;
                im->px[(size_t)y * im->stride + (size_t)(x * n_channels + c)] = (uint8_t)fmin(255, fmax(0, 110 + wave - block));
            }
}

static inline bool is_same_image(const struct image *a, const struct image *b)
{
    if (a->w != b->w || a->h != b->h || a->n_channels != b->n_channels)
        return false;
    for (int y = 0; y < a->h; y++)
        if (memcmp(a->px + (size_t)y * a->stride, b->px + (size_t)y * b->stride, (size_t)(a->w * a->n_channels)) != 0)
            return false;
    return true;
}

/* Mean absolute difference in grey levels; 1e9 when the forms differ. */
static inline double image_distance(const struct image *a, const struct image *b)
{
    if (a->w != b->w || a->h != b->h || a->n_channels != b->n_channels)
        return 1e9;
    double sum = 0;
    for (int y = 0; y < a->h; y++)
        for (int i = 0; i < a->w * a->n_channels; i++)
            sum += abs(a->px[(size_t)y * a->stride + (size_t)i] - b->px[(size_t)y * b->stride + (size_t)i]);
    return sum / ((double)a->w * a->h * a->n_channels);
}
#endif
