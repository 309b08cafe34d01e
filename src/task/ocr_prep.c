/* task/ocr_prep.c - threshold, letter height, shadows, enlargement; start at ocr_prep_look(). */
#include "task/ocr_prep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE_PX = 32, SHADOW_REACH_PX = 8, PAPER_CONTRAST = 16 };

static bool want_bytes(void *buffer, size_t *cap, size_t n, struct err *err)
{
    void **p = buffer;
    if (n <= *cap)
        return true;
    void *more = realloc(*p, n);
    if (!more)
        return err_set(err, ERR_NOMEM, "picture to read: cannot get %zu bytes", n);
    *p = more;
    *cap = n;
    return true;
}

/* Otsu 1979: the threshold that separates two classes of grey best; pixels <= it are dark. */
static int threshold_of(const uint8_t *gray, size_t n, double *dark_frac)
{
    size_t count[256] = { 0 }, below = 0;
    for (size_t i = 0; i < n; i++)
        count[gray[i]]++;
    double sum = 0, sum_below = 0, best = -1;
    int at = 127;
    for (int v = 0; v < 256; v++)
        sum += (double)v * (double)count[v];
    *dark_frac = 0;
    for (int v = 0; v < 255; v++) {
        below += count[v];
        sum_below += (double)v * (double)count[v];
        if (below == 0 || below == n)
            continue;
        const double a = (double)below, b = (double)(n - below), d = sum_below / a - (sum - sum_below) / b;
        if (a * b * d * d > best) {
            best = a * b * d * d;
            at = v;
            *dark_frac = a / (double)n;
        }
    }
    return at;
}

/* Does the paper's brightness differ from tile to tile?  A tile's paper is the value that 90 % of its pixels do not pass. */
static bool is_light_uneven(const uint8_t *gray, int w, int h)
{
    size_t tiles[256] = { 0 }, n_tiles = 0;
    for (int ty = 0; ty + TILE_PX <= h; ty += TILE_PX)
        for (int tx = 0; tx + TILE_PX <= w; tx += TILE_PX) {
            int count[256] = { 0 }, left = TILE_PX * TILE_PX / 10, v = 255;
            for (int y = 0; y < TILE_PX; y++)
                for (int x = 0; x < TILE_PX; x++)
                    count[gray[(size_t)(ty + y) * (size_t)w + (size_t)(tx + x)]]++;
            while (v > 0 && (left -= count[v]) >= 0)
                v--;
            tiles[v]++;
            n_tiles++;
        }
    if (n_tiles < 8)
        return false;
    size_t seen = 0;
    int low = 0, high = 255;
    for (; low < 255 && (seen += tiles[low]) * 20 < n_tiles; low++)
        ;
    for (seen = 0; high > 0 && (seen += tiles[high]) * 20 < n_tiles; high--)
        ;
    return low * 5 < high * 4;
}

/* out[i] = the largest of in[i - r .. i + r], stride apart. */
static void spread_max(const uint8_t *in, uint8_t *out, int n, size_t stride, int r)
{
    int best = -1; /* index of the largest in the window */
    for (int i = 0; i < n; i++) {
        const int from = i > r ? i - r : 0, to = i + r < n - 1 ? i + r : n - 1;
        if (best < from) {
            best = from;
            for (int k = from; k <= to; k++)
                if (in[(size_t)k * stride] >= in[(size_t)best * stride])
                    best = k;
        } else if (in[(size_t)to * stride] >= in[(size_t)best * stride]) {
            best = to;
        }
        out[(size_t)i * stride] = in[(size_t)best * stride];
    }
}

/* even = gray / paper, where paper is the local maximum, smoothed.  The mask's memory holds the steps between. */
static bool take_out_shadows(struct ocr_prep *p, const uint8_t *gray, int w, int h, int reach, struct err *err)
{
    const size_t n = (size_t)w * (size_t)h;
    if (!want_bytes(&p->mask, &p->cap_mask, n, err) || !want_bytes(&p->even, &p->cap_even, n, err) ||
        !want_bytes(&p->rows, &p->cap_rows, (size_t)w * sizeof(float), err))
        return false;
    for (int y = 0; y < h; y++)
        spread_max(gray + (size_t)y * (size_t)w, p->mask + (size_t)y * (size_t)w, w, 1, reach);
    for (int x = 0; x < w; x++)
        spread_max(p->mask + x, p->even + x, h, (size_t)w, reach);
    /* Box means, rows first (into mask), then columns by running sums of whole rows (rows[]). */
    for (int y = 0; y < h; y++) {
        const uint8_t *in = p->even + (size_t)y * (size_t)w;
        uint8_t *out = p->mask + (size_t)y * (size_t)w;
        int sum = 0, count = 0;
        for (int x = -reach; x < w; x++) {
            if (x + reach < w)
                sum += in[x + reach], count++;
            if (x - reach - 1 >= 0)
                sum -= in[x - reach - 1], count--;
            if (x >= 0)
                out[x] = (uint8_t)(sum / count);
        }
    }
    memset(p->rows, 0, (size_t)w * sizeof(float));
    int count = 0;
    for (int y = -reach; y < h; y++) {
        const int add = y + reach, drop = y - reach - 1;
        for (int x = 0; x < w && add < h; x++)
            p->rows[x] += p->mask[(size_t)add * (size_t)w + (size_t)x];
        for (int x = 0; x < w && drop >= 0; x++)
            p->rows[x] -= p->mask[(size_t)drop * (size_t)w + (size_t)x];
        count += (add < h) - (drop >= 0);
        for (int x = 0; x < w && y >= 0; x++) {
            const float paper = p->rows[x] / (float)count, v = (float)gray[(size_t)y * (size_t)w + (size_t)x];
            const float flat = paper > 1 ? v / paper * 250 : v;
            p->even[(size_t)y * (size_t)w + (size_t)x] = (uint8_t)(flat < 255 ? flat : 255);
        }
    }
    return true;
}

/* The median height of what looks like a letter; 0 when there are fewer than four. */
static bool letter_height(struct ocr_prep *p, const uint8_t *gray, int w, int h, int *median_px, struct err *err)
{
    const size_t n = (size_t)w * (size_t)h;
    double dark_frac;
    const int t = threshold_of(gray, n, &dark_frac);
    *median_px = 0;
    if (!want_bytes(&p->mask, &p->cap_mask, n, err))
        return false;
    const bool ink_is_dark = dark_frac <= 0.5;
    for (size_t i = 0; i < n; i++)
        p->mask[i] = (gray[i] <= t) == ink_is_dark;
    if (!blobs_find(&p->blobs, p->mask, w, h, err))
        return false;
    int heights[257] = { 0 }, n_letters = 0;
    for (int i = 0; i < p->blobs.n_blobs; i++) {
        const struct blob *b = &p->blobs.blobs[i];
        const int bw = b->x1 - b->x0 + 1, bh = b->y1 - b->y0 + 1;
        if (bh < 4 || bh > 256 || bw > 6 * bh || bh > 12 * bw || b->n_px < 6 || b->n_px * 8 < bw * bh)
            continue;
        heights[bh]++;
        n_letters++;
    }
    if (n_letters < 4)
        return true;
    for (int seen = 0; *median_px < 256 && (seen += heights[*median_px]) * 2 < n_letters; ++*median_px)
        ;
    return true;
}

bool ocr_prep_look(struct ocr_prep *p, const uint8_t *gray, int w, int h, struct err *err)
{
    if (w < 1 || h < 1 || (int64_t)w * h > OCR_PREP_PX_MAX)
        return err_set(err, ERR_LIMIT, "picture to read: %d x %d is not between 1 and 2^27 pixels", w, h);
    uint8_t low = 255, high = 0;
    for (size_t i = 0; i < (size_t)w * (size_t)h; i++) {
        low = gray[i] < low ? gray[i] : low;
        high = gray[i] > high ? gray[i] : high;
    }
    p->is_blank = high - low <= PAPER_CONTRAST;
    double dark_frac;
    threshold_of(gray, (size_t)w * (size_t)h, &dark_frac);
    p->is_uneven = dark_frac < 0.5 && is_light_uneven(gray, w, h);
    if (p->is_uneven && !take_out_shadows(p, gray, w, h, SHADOW_REACH_PX, err))
        return false;
    return letter_height(p, p->is_uneven ? p->even : gray, w, h, &p->text_px, err);
}

int ocr_prep_factor(int text_px, int w, int h)
{
    int factor = text_px <= 0 || text_px >= 12 ? 1 : text_px >= 6 ? 2 : 3;
    while (factor > 1 && (int64_t)w * h * factor * factor > OCR_PREP_PX_MAX / 4)
        factor--;
    return factor;
}

/* Keys 1981, a = -1/2. */
static float cubic(float x)
{
    x = fabsf(x);
    return x < 1 ? (1.5f * x - 2.5f) * x * x + 1 : x < 2 ? ((-0.5f * x + 2.5f) * x - 4) * x + 2 : 0;
}

const uint8_t *ocr_prep_scale(struct ocr_prep *p, const uint8_t *gray, int w, int h, int factor, struct err *err)
{
    if (w < 1 || h < 1 || factor < 2 || factor > 4 || (int64_t)w * h * factor * factor > OCR_PREP_PX_MAX)
        return err_null(err, ERR_LIMIT, "picture to read: %d x %d cannot be enlarged by %d", w, h, factor);
    const int out_w = w * factor, out_h = h * factor;
    if (!want_bytes(&p->scaled, &p->cap_scaled, (size_t)out_w * (size_t)out_h, err) ||
        !want_bytes(&p->rows, &p->cap_rows, (size_t)w * sizeof(float), err))
        return NULL;
    float weight[4][4]; /* [phase][tap] */
    int first[4];       /* the first tap, relative to out / factor */
    for (int k = 0; k < factor; k++) {
        const float at = ((float)k + 0.5f) / (float)factor - 0.5f;
        first[k] = (int)floorf(at) - 1;
        for (int i = 0; i < 4; i++)
            weight[k][i] = cubic(at - (float)(first[k] + i));
    }
    for (int y = 0; y < out_h; y++) {
        const float *wy = weight[y % factor];
        const uint8_t *in[4];
        for (int i = 0; i < 4; i++) {
            int from = y / factor + first[y % factor] + i;
            from = from < 0 ? 0 : from >= h ? h - 1 : from;
            in[i] = gray + (size_t)from * (size_t)w;
        }
        for (int x = 0; x < w; x++)
            p->rows[x] = wy[0] * in[0][x] + wy[1] * in[1][x] + wy[2] * in[2][x] + wy[3] * in[3][x];
        uint8_t *out = p->scaled + (size_t)y * (size_t)out_w;
        for (int x = 0; x < out_w; x++) {
            const float *wx = weight[x % factor];
            float sum = 0.5f;
            for (int i = 0; i < 4; i++) {
                int from = x / factor + first[x % factor] + i;
                from = from < 0 ? 0 : from >= w ? w - 1 : from;
                sum += wx[i] * p->rows[from];
            }
            out[x] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
    }
    return p->scaled;
}

void ocr_prep_fini(struct ocr_prep *p)
{
    free(p->even);
    free(p->scaled);
    free(p->mask);
    free(p->rows);
    blobs_fini(&p->blobs);
    memset(p, 0, sizeof(*p));
}
