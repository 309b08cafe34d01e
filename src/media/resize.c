/* media/resize.c - see resize.h; start reading at image_to_pixels().
 *
 * Both filters are sums of neighbours with weights, along y and along x (struct axis).  For each output row the source
 * rows are summed into one row of floats, that row is summed into the pixels of the output, those are normalised and
 * stored.  Everything works on one output row at a time, so it stays in the first cache.
 */
#include "media/resize.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "media/image_internal.h"

enum { SPEC_SIDE_MAX = 16384, LANES = 4 };

/* Output i of an axis is the sum over k < count[i] of weight[i * max_taps + k] * source[start[i] + k]. */
struct axis {
    int n, max_taps;
    int *start, *count;
    float *weight;
    bool is_even; /* every count is max_taps */
};

void resizer_fini(struct resizer *r)
{
    free(r->block);
    *r = (struct resizer){ 0 };
}

/* ---- where the picture goes ---- */

struct plan {
    int all_w, all_h;     /* the whole picture resized */
    int first_x, first_y; /* what of it is seen (FIT_COVER) ... */
    int w, h;             /* ... and how much */
    int x, y;             /* where it lies in the output */
    struct pixel_map map;
};

static bool plan_fit(const struct image *from, const struct pixel_spec *s, struct plan *p, struct err *err)
{
    const double sw = from->w, sh = from->h;
    *p = (struct plan){ .all_w = s->w, .all_h = s->h, .w = s->w, .h = s->h };
    double rx = s->w / sw, ry = s->h / sh;
    if (s->fit == FIT_LETTERBOX) {
        rx = ry = rx < ry ? rx : ry;
        p->all_w = (int)(sw * rx), p->all_h = (int)(sh * ry);
        p->all_w = p->all_w < 1 ? 1 : p->all_w, p->all_h = p->all_h < 1 ? 1 : p->all_h;
        p->w = p->all_w, p->h = p->all_h;
        if (s->is_centred)
            p->x = (s->w - p->w) / 2, p->y = (s->h - p->h) / 2;
    } else if (s->fit == FIT_COVER) {
        if (s->short_px < s->w || s->short_px < s->h || s->short_px > SPEC_SIDE_MAX)
            return err_set(err, ERR_INPUT, "resize: a short side of %d cannot hold %d x %d", s->short_px, s->w, s->h);
        const double r = s->short_px / (sw < sh ? sw : sh), longest = r * (sw < sh ? sh : sw);
        if (longest > 1 << 24)
            return err_set(err, ERR_LIMIT, "resize: a picture of %d x %d is too long for a short side of %d", from->w, from->h, s->short_px);
        p->all_w = sw < sh ? s->short_px : (int)(longest + 0.5), p->all_h = sw < sh ? (int)(longest + 0.5) : s->short_px;
        p->first_x = (p->all_w - s->w) / 2, p->first_y = (p->all_h - s->h) / 2;
        rx = p->all_w / sw, ry = p->all_h / sh;
    } else if (s->fit == FIT_HEIGHT) {
        const double w = ceil(s->h * sw / sh);
        p->all_w = p->w = w > s->w ? s->w : w < 1 ? 1 : (int)w;
        rx = p->w / sw;
    }
    p->map = (struct pixel_map){ (float)rx, (float)ry, (float)(p->x - p->first_x), (float)(p->y - p->first_y), p->w, p->h };
    return true;
}

/* ---- weights ---- */

static int taps_of(int src_n, int all_n, enum filter f) { return f == FILTER_AREA && all_n < src_n ? src_n / all_n + 2 : 2; }

static void axis_fill(struct axis *a, int src_n, int all_n, int first, enum filter f)
{
    const double ratio = (double)src_n / all_n;
    for (int i = 0; i < a->n; i++) {
        float *w = a->weight + (size_t)i * (size_t)a->max_taps;
        if (f == FILTER_AREA && all_n < src_n) {
            const double from = (first + i) * ratio, to = (first + i + 1) * ratio;
            const int k0 = (int)from;
            int n = 0;
            for (int k = k0; k < src_n && k < to && n < a->max_taps; k++) {
                const double lo = k > from ? k : from, hi = k + 1 < to ? k + 1 : to;
                w[n++] = (float)((hi - lo) / ratio);
            }
            a->start[i] = k0, a->count[i] = n;
        } else {
            double at = (first + i + 0.5) * ratio - 0.5;
            at = at < 0 ? 0 : at > src_n - 1 ? src_n - 1 : at;
            const int k0 = at > src_n - 2 && src_n > 1 ? src_n - 2 : (int)at;
            const double part = at - k0;
            a->start[i] = k0, a->count[i] = 2;
            w[0] = (float)(1 - part), w[1] = (float)part;
            if (part == 0 || src_n == 1)
                a->count[i] = 1, w[0] = 1;
        }
    }
}

/* As many taps for every pixel, the new ones of weight 0: no branch that depends on the pixel. */
static void pad_taps(struct axis *a, int src_n)
{
    a->is_even = src_n >= a->max_taps;
    for (int i = 0; i < a->n && a->is_even; i++) {
        float *w = a->weight + (size_t)i * (size_t)a->max_taps;
        const int over = a->start[i] + a->max_taps - src_n, shift = over > 0 ? over : 0, n = a->count[i];
        memmove(w + shift, w, (size_t)n * sizeof(*w));
        for (int k = 0; k < a->max_taps; k++)
            if (k < shift || k >= shift + n)
                w[k] = 0;
        a->start[i] -= shift, a->count[i] = a->max_taps;
    }
}

/* ---- the two sums ---- */

/* row[i] = sum over rows k of w[k] * p[k * stride + i].  The compiler makes SIMD of these loops (Makefile: -O3). */
static inline __attribute__((always_inline)) void sum_rows_body(float *restrict row, const uint8_t *restrict p, size_t stride, const float *w, int count, size_t n)
{
    if (count == 1) {
        for (size_t i = 0; i < n; i++)
            row[i] = w[0] * (float)p[i];
        return;
    }
    const uint8_t *restrict q = p + stride;
    const float w0 = w[0], w1 = w[1];
    for (size_t i = 0; i < n; i++)
        row[i] = w0 * (float)p[i] + w1 * (float)q[i];
    for (int k = 2; k < count; k++) {
        q += stride;
        const float wk = w[k];
        for (size_t i = 0; i < n; i++)
            row[i] += wk * (float)q[i];
    }
}

static void sum_rows_plain(float *restrict row, const uint8_t *restrict p, size_t stride, const float *w, int count, size_t n) { sum_rows_body(row, p, stride, w, count, n); }
#if defined(__x86_64__)
/* The same operations in the same order, so the same bits; 8 at a time. */
__attribute__((target("avx2"))) static void sum_rows_avx2(float *restrict row, const uint8_t *restrict p, size_t stride, const float *w, int count, size_t n)
{
    sum_rows_body(row, p, stride, w, count, n);
}
#endif

typedef float f32x4 __attribute__((vector_size(16)));
static inline f32x4 load4(const float *p)
{
    f32x4 v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* line[x] = (R, G, B, undefined).  row has one float more than its pixels need.  n_taps: the same for every x (pad_taps()). */
static inline __attribute__((always_inline)) void sum_columns_body(f32x4 *restrict line, const float *restrict row, const struct axis *a, int col0, int n_taps)
{
    const float *w = a->weight;
    for (int x = 0; x < a->n; x++, w += a->max_taps) {
        const float *p = row + 3 * (size_t)(a->start[x] - col0);
        f32x4 sum = load4(p) * w[0];
        for (int k = 1; k < n_taps; k++)
            sum += load4(p + 3 * (size_t)k) * w[k];
        line[x] = sum;
    }
}

static void sum_columns_rgb(f32x4 *restrict line, const float *restrict row, const struct axis *a, int col0)
{
    if (!a->is_even) /* a picture narrower than the taps */
        for (int x = 0; x < a->n; x++) {
            const float *p = row + 3 * (size_t)(a->start[x] - col0), *w = a->weight + (size_t)x * (size_t)a->max_taps;
            f32x4 sum = load4(p) * w[0];
            for (int k = 1; k < a->count[x]; k++)
                sum += load4(p + 3 * (size_t)k) * w[k];
            line[x] = sum;
        }
    else if (a->max_taps == 2) /* numbers of taps that the compiler can unroll */
        sum_columns_body(line, row, a, col0, 2);
    else if (a->max_taps == 3)
        sum_columns_body(line, row, a, col0, 3);
    else if (a->max_taps == 4)
        sum_columns_body(line, row, a, col0, 4);
    else
        sum_columns_body(line, row, a, col0, a->max_taps);
}

static void sum_columns_grey(f32x4 *restrict line, const float *restrict row, const struct axis *a, int col0)
{
    for (int x = 0; x < a->n; x++) {
        const float *p = row + (a->start[x] - col0), *w = a->weight + (size_t)x * (size_t)a->max_taps;
        float sum = p[0] * w[0];
        for (int k = 1; k < a->count[x]; k++)
            sum += p[k] * w[k];
        line[x] = (f32x4){ sum, sum, sum, sum };
    }
}

/* ---- out ---- */

struct store {
    void *out;
    int w, h, n_channels; /* of the output */
    enum pixel_type type;
    size_t plane, step;   /* elements from channel to channel and from pixel to pixel */
    int lane[3];          /* which lane of a line is channel c */
    float mul[3], add[3], fill[3];
};

static inline int round_to(float v, int lo, int hi) /* NaN: lo */
{
    return v > (float)lo ? (v < (float)hi ? (int)(v - (float)lo + 0.5f) + lo : hi) : lo;
}

/* n pixels of a line at (x, y) of the output. */
static void store_line(const struct store *s, int x, int y, const f32x4 *line, int n)
{
    const size_t at = ((size_t)y * (size_t)s->w + (size_t)x) * s->step, step = s->step;
    for (int c = 0; c < s->n_channels; c++) {
        const float *restrict p = (const float *)line + s->lane[c];
        const float mul = s->mul[c], add = s->add[c];
        const size_t first = at + (size_t)c * s->plane;
        if (s->type == PIXEL_F32) {
            float *restrict d = (float *)s->out + first;
            if (step == 1)
                for (int i = 0; i < n; i++)
                    d[i] = p[LANES * i] * mul + add;
            else
                for (int i = 0; i < n; i++)
                    d[(size_t)i * step] = p[LANES * i] * mul + add;
        } else if (s->type == PIXEL_U8) {
            uint8_t *d = (uint8_t *)s->out + first;
            for (int i = 0; i < n; i++)
                d[(size_t)i * step] = (uint8_t)round_to(p[LANES * i] * mul + add, 0, 255);
        } else {
            int8_t *d = (int8_t *)s->out + first;
            for (int i = 0; i < n; i++)
                d[(size_t)i * step] = (int8_t)round_to(p[LANES * i] * mul + add, -128, 127);
        }
    }
}

static void store_fill(const struct store *s, int x, int y, int n)
{
    const size_t at = ((size_t)y * (size_t)s->w + (size_t)x) * s->step;
    for (int c = 0; c < s->n_channels; c++) {
        const size_t first = at + (size_t)c * s->plane;
        for (int i = 0; i < n; i++) {
            const size_t k = first + (size_t)i * s->step;
            if (s->type == PIXEL_F32)
                ((float *)s->out)[k] = s->fill[c];
            else if (s->type == PIXEL_U8)
                ((uint8_t *)s->out)[k] = (uint8_t)round_to(s->fill[c], 0, 255);
            else
                ((int8_t *)s->out)[k] = (int8_t)round_to(s->fill[c], -128, 127);
        }
    }
}

static void plan_store(struct store *s, const struct pixel_spec *spec, void *out)
{
    *s = (struct store){ .out = out, .w = spec->w, .h = spec->h, .n_channels = spec->order == ORDER_GREY ? 1 : 3, .type = spec->type };
    const bool is_nchw = spec->layout == LAYOUT_NCHW;
    s->step = is_nchw ? 1 : (size_t)s->n_channels, s->plane = is_nchw ? (size_t)spec->w * (size_t)spec->h : 1;
    const float scale = spec->scale == 0 ? 1 : spec->scale;
    for (int c = 0; c < s->n_channels; c++) {
        const float std = spec->std[c] == 0 ? 1 : spec->std[c];
        s->lane[c] = spec->order == ORDER_BGR ? 2 - c : c;
        s->mul[c] = scale / std, s->add[c] = -spec->mean[c] / std;
        s->fill[c] = spec->is_fill_raw ? spec->fill : spec->fill * s->mul[c] + s->add[c];
    }
}

size_t pixel_spec_bytes(const struct pixel_spec *s)
{
    if (s->w < 1 || s->h < 1 || s->w > SPEC_SIDE_MAX || s->h > SPEC_SIDE_MAX)
        return 0;
    return (size_t)s->w * (size_t)s->h * (s->order == ORDER_GREY ? 1 : 3) * (s->type == PIXEL_F32 ? sizeof(float) : 1);
}

/* Cuts the scratch block up; false with err when there is no memory. */
static bool plan_scratch(struct resizer *r, struct axis *ax, struct axis *ay, size_t row_floats, f32x4 **line, float **row, struct err *err)
{
    const size_t nx = (size_t)ax->n, ny = (size_t)ay->n, wx = nx * (size_t)ax->max_taps, wy = ny * (size_t)ay->max_taps;
    const size_t bytes = nx * sizeof(f32x4) + (row_floats + LANES + wx + wy) * sizeof(float) + 2 * (nx + ny) * sizeof(int);
    if (r->cap_bytes < bytes) {
        void *block = aligned_alloc(16, (bytes + 15) / 16 * 16);
        if (!block)
            return err_set(err, ERR_NOMEM, "resize: no memory (%zu bytes)", bytes);
        resizer_fini(r);
        r->block = block, r->cap_bytes = bytes;
    }
    *line = r->block;
    *row = (float *)(*line + nx);
    ax->weight = *row + row_floats + LANES, ay->weight = ax->weight + wx;
    ax->start = (int *)(ay->weight + wy), ax->count = ax->start + nx;
    ay->start = ax->count + nx, ay->count = ay->start + ny;
    memset(*row + row_floats, 0, LANES * sizeof(float));
    return true;
}

bool image_to_pixels(struct resizer *r, const struct image *from, const struct pixel_spec *s, void *out, struct pixel_map *map, struct err *err)
{
    struct plan p;
    if (from->w < 1 || from->h < 1)
        return err_set(err, ERR_INPUT, "resize: an empty picture");
    if (pixel_spec_bytes(s) == 0)
        return err_set(err, ERR_INPUT, "resize: to %d x %d pixels, sides are 1..%d", s->w, s->h, SPEC_SIDE_MAX);
    if (!plan_fit(from, s, &p, err))
        return false;
    struct axis ax = { .n = p.w, .max_taps = taps_of(from->w, p.all_w, s->filter) };
    struct axis ay = { .n = p.h, .max_taps = taps_of(from->h, p.all_h, s->filter) };
    f32x4 *line = NULL;
    float *row = NULL;
    const size_t ch = (size_t)from->n_channels;
    if (!plan_scratch(r, &ax, &ay, (size_t)from->w * ch, &line, &row, err))
        return false;
    axis_fill(&ax, from->w, p.all_w, p.first_x, s->filter);
    pad_taps(&ax, from->w);
    axis_fill(&ay, from->h, p.all_h, p.first_y, s->filter);
#if defined(__x86_64__)
    void (*const sum_rows)(float *restrict, const uint8_t *restrict, size_t, const float *, int, size_t) = __builtin_cpu_supports("avx2") ? sum_rows_avx2 : sum_rows_plain;
#else
    void (*const sum_rows)(float *restrict, const uint8_t *restrict, size_t, const float *, int, size_t) = sum_rows_plain;
#endif
    const int col0 = ax.start[0], col1 = ax.start[ax.n - 1] + ax.count[ax.n - 1];
    struct store st;
    plan_store(&st, s, out);

    for (int y = 0; y < p.y; y++)
        store_fill(&st, 0, y, s->w);
    for (int y = 0; y < p.h; y++) {
        sum_rows(row, from->px + (size_t)ay.start[y] * from->stride + (size_t)col0 * ch, from->stride,
                 ay.weight + (size_t)y * (size_t)ay.max_taps, ay.count[y], (size_t)(col1 - col0) * ch);
        (ch == 3 ? sum_columns_rgb : sum_columns_grey)(line, row, &ax, col0);
        if (ch == 3 && s->order == ORDER_GREY)
            for (int x = 0; x < p.w; x++)
                line[x][0] = 0.299f * line[x][0] + 0.587f * line[x][1] + 0.114f * line[x][2];
        store_fill(&st, 0, p.y + y, p.x);
        store_line(&st, p.x, p.y + y, line, p.w);
        store_fill(&st, p.x + p.w, p.y + y, s->w - p.x - p.w);
    }
    for (int y = p.y + p.h; y < s->h; y++)
        store_fill(&st, 0, y, s->w);
    if (map)
        *map = p.map;
    return true;
}

bool image_resize(struct resizer *r, const struct image *from, int w, int h, enum filter filter, struct image *out, struct err *err)
{
    const struct pixel_spec s = { .w = w, .h = h, .filter = filter, .order = from->n_channels == 1 ? ORDER_GREY : ORDER_RGB,
                                  .layout = LAYOUT_NHWC, .type = PIXEL_U8 };
    if (pixel_spec_bytes(&s) == 0)
        return err_set(err, ERR_INPUT, "resize: to %d x %d pixels, sides are 1..%d", w, h, SPEC_SIDE_MAX);
    return image_resize_memory(out, w, h, from->n_channels, err) && image_to_pixels(r, from, &s, out->px, NULL, err);
}
