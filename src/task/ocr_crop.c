/* task/ocr_crop.c - see ocr_crop.h. */
#include "task/ocr_crop.h"

#include <math.h>
#include <string.h>

struct ocr_rect ocr_rect_flip(struct ocr_rect r)
{
    r.ux = -r.ux;
    r.uy = -r.uy;
    return r;
}

struct ocr_rect ocr_rect_turn(struct ocr_rect r)
{
    const struct ocr_rect t = { r.cx, r.cy, r.half_h, r.half_w, -r.uy, r.ux, r.score };
    return t;
}

void ocr_rect_box(const struct ocr_rect *r, float from, float to, float *x, float *y, float *w, float *h)
{
    const float mid = (from + to - 1) * r->half_w, half = fabsf(to - from) * r->half_w;
    const float reach_x = fabsf(r->ux) * half + fabsf(r->uy) * r->half_h, reach_y = fabsf(r->uy) * half + fabsf(r->ux) * r->half_h;
    *x = r->cx + mid * r->ux - reach_x;
    *y = r->cy + mid * r->uy - reach_y;
    *w = 2 * reach_x;
    *h = 2 * reach_y;
}

int ocr_crop_width(const struct ocr_rect *r, int height, int max)
{
    const float w = ceilf((float)height * r->half_w / r->half_h - 1e-4f);
    return w >= 1 ? (w < (float)max ? (int)w : max) : 1; /* NaN: 1 */
}

static float clampf(float v, float max) { return v > 0 ? (v < max ? v : max) : 0; }

void ocr_crop(const struct image *im, const struct ocr_rect *r, int height, int width, int out_w, float *out)
{
    const size_t plane = (size_t)height * (size_t)out_w;
    const float step_u = 2 * r->half_w / (float)width, step_v = 2 * r->half_h / (float)height;
    const float max_x = (float)(im->w - 1), max_y = (float)(im->h - 1);
    int n = (int)clampf(step_v, 8); /* samples each way: 1 until it shrinks by 2 */
    n = n < 1 ? 1 : n;
    const float each = 1.0f / (float)n, norm = 2.0f / 255 / (float)(n * n);
    float at_u[64], at_v[64]; /* of the samples within a pixel */
    for (int k = 0; k < n * n; k++) {
        at_u[k] = ((float)(k % n) + 0.5f) * each;
        at_v[k] = ((float)(k / n) + 0.5f) * each;
    }
    for (int y = 0; y < height; y++) {
        float *row = out + (size_t)y * (size_t)out_w;
        for (int x = 0; x < width; x++) {
            float sum[3] = { 0, 0, 0 };
            for (int k = 0; k < n * n; k++) {
                const float u = ((float)x + at_u[k]) * step_u - r->half_w;
                const float v = ((float)y + at_v[k]) * step_v - r->half_h;
                const float sx = clampf(r->cx + u * r->ux - v * r->uy - 0.5f, max_x);
                const float sy = clampf(r->cy + u * r->uy + v * r->ux - 0.5f, max_y);
                const int x0 = (int)sx, y0 = (int)sy, x1 = x0 < im->w - 1 ? x0 + 1 : x0, y1 = y0 < im->h - 1 ? y0 + 1 : y0;
                const float fx = sx - (float)x0, fy = sy - (float)y0;
                const uint8_t *top = im->px + (size_t)y0 * im->stride, *low = im->px + (size_t)y1 * im->stride;
                const float w00 = (1 - fx) * (1 - fy), w10 = fx * (1 - fy), w01 = (1 - fx) * fy, w11 = fx * fy;
                for (int c = 0; c < 3; c++) /* R, G, B -> B, G, R */
                    sum[2 - c] += w00 * top[x0 * 3 + c] + w10 * top[x1 * 3 + c] + w01 * low[x0 * 3 + c] + w11 * low[x1 * 3 + c];
            }
            for (int c = 0; c < 3; c++)
                row[(size_t)c * plane + (size_t)x] = sum[c] * norm - 1;
        }
        for (int c = 0; c < 3; c++)
            memset(row + (size_t)c * plane + width, 0, (size_t)(out_w - width) * sizeof(float));
    }
}

static float sum_at(const float *crop, size_t plane, int out_w, int x, int y) /* -3..3 */
{
    const float *p = crop + (size_t)y * (size_t)out_w + (size_t)x;
    return p[0] + p[plane] + p[2 * plane];
}

void ocr_crop_ink(const float *crop, int height, int width, int out_w, bool *is_ink)
{
    enum { BINS = 64 };
    const size_t plane = (size_t)height * (size_t)out_w;
    const int from = height / 6, to = height - height / 6;
    int count[BINS] = { 0 }, seen = 0, bin = 0;
    for (int x = 0; x < width; x++)
        for (int y = 0; y < height; y++)
            count[(int)clampf((sum_at(crop, plane, out_w, x, y) + 3) * BINS / 6, BINS - 1)]++;
    while (bin < BINS - 1 && (seen += count[bin]) * 2 < width * height)
        bin++;
    const float paper = ((float)bin + 0.5f) * 6 / BINS - 3; /* the median over the margins too: more than half is paper */
    float most = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int x = 0; x < width; x++) {
            float away = 0;
            for (int y = from; y < to; y++)
                away = fmaxf(away, fabsf(sum_at(crop, plane, out_w, x, y) - paper));
            most = pass == 0 ? fmaxf(most, away) : most;
            is_ink[x] = away > 0.5f * most;
        }
}
