/* media/motion.c - see motion.h; start reading at motion_frame().
 *
 * Loops over cells are written without branches, so that the compiler turns them into SIMD (Makefile: -O3); what has
 * branches (regions) looks at moving cells alone.
 */
#include "media/motion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS_WIDE_MAX = 200, SIDE_MIN = 32, SIDE_MAX = 16384,
       BINS = 512, BIN_ZERO = 256, BINS_A_LEVEL = 2, SAMPLE_STEP = 7,
       NEIGHBOURS_MIN = 4 /* of 9 */ };
static const float DEVIATIONS = 5, DEVIATION_START = 1.5f, NEW_SCENE_FRAC = 0.7f;

struct motion {
    struct motion_config config;
    int w, h, cell; /* cell: a power of two */
    int nx, ny;     /* cells */
    double first_s, last_s;
    int n_learned; /* frames so far, up to learn_frames */
    bool has_frame;
    float *now, *mean, *deviation, *still_s; /* [ny][nx], grey levels; seconds that a moving cell has not changed */
    float *over;     /* |difference| / threshold */
    uint8_t *raw;    /* [ny + 2][nx + 2] with a margin of zeros: over the threshold */
    uint8_t *moving; /* [ny][nx]: and not alone */
    uint8_t *blocks; /* [block_ny + 2][block_nx + 2] with a margin of zeros: 2 x 2 cells each; all zero between frames */
    int block_nx, block_ny;
    uint16_t *sums;  /* [w] */
    int *stack;      /* one for each block */
    void *block;
};

struct motion *motion_new(int w, int h, const struct motion_config *config, struct err *err)
{
    if (w < SIDE_MIN || h < SIDE_MIN || w > SIDE_MAX || h > SIDE_MAX)
        return err_null(err, ERR_INPUT, "motion: frames of %d x %d pixels, sides are %d..%d", w, h, SIDE_MIN, SIDE_MAX);
    struct motion *m = calloc(1, sizeof(*m));
    if (!m)
        return err_null(err, ERR_NOMEM, "motion: no memory");
    m->config = config ? *config : (struct motion_config){ 0 };
    struct motion_config *c = &m->config;
    c->threshold = c->threshold > 0 ? c->threshold : 10, c->min_area_frac = c->min_area_frac > 0 ? c->min_area_frac : 0.002f;
    c->learn_s = c->learn_s > 0 ? c->learn_s : 1, c->follow_s = c->follow_s > 0 ? c->follow_s : 4;
    c->absorb_s = c->absorb_s > 0 ? c->absorb_s : 60;
    m->w = w, m->h = h;
    for (m->cell = 2; w / m->cell > CELLS_WIDE_MAX; m->cell *= 2)
        ;
    m->nx = w / m->cell, m->ny = h / m->cell;
    m->block_nx = (m->nx + 1) / 2, m->block_ny = (m->ny + 1) / 2;
    const size_t n = (size_t)m->nx * (size_t)m->ny, margin = (size_t)(m->nx + 2) * (size_t)(m->ny + 2);
    const size_t n_blocks = (size_t)(m->block_nx + 2) * (size_t)(m->block_ny + 2);
    const size_t n_padded = (n + 3) / 4 * 4; /* floats of a field */
    char *p = m->block = calloc(1, 5 * n_padded * sizeof(float) + n_blocks * sizeof(int) + (size_t)(w + w % 2) * sizeof(uint16_t) + margin + n + n_blocks);
    if (!p) {
        motion_free(m);
        return err_null(err, ERR_NOMEM, "motion: no memory for frames of %d x %d pixels", w, h);
    }
    float **floats[] = { &m->now, &m->mean, &m->deviation, &m->still_s, &m->over };
    for (int i = 0; i < 5; i++, p += n_padded * sizeof(float)) /* calloc's memory fits f32x4 */
        *floats[i] = (float *)p;
    m->stack = (int *)p, p += n_blocks * sizeof(int);
    m->sums = (uint16_t *)p, p += (size_t)(w + w % 2) * sizeof(uint16_t);
    m->raw = (uint8_t *)p, p += margin;
    m->moving = (uint8_t *)p, p += n;
    m->blocks = (uint8_t *)p;
    return m;
}

void motion_free(struct motion *m)
{
    if (m)
        free(m->block);
    free(m);
}

/* ---- the picture in cells ---- */

static void add_rows(uint16_t *restrict sum, const uint8_t *restrict p, const uint8_t *restrict q, int n)
{
    for (int i = 0; i < n; i++)
        sum[i] = (uint16_t)(sum[i] + p[i] + q[i]);
}

static void sum_four_rows(uint16_t *restrict sum, const uint8_t *restrict p, size_t stride, int n)
{
    const uint8_t *restrict q = p + stride, *restrict r = q + stride, *restrict s = r + stride;
    for (int i = 0; i < n; i++)
        sum[i] = (uint16_t)(p[i] + q[i] + r[i] + s[i]);
}

/* out[i] = in[2i] + in[2i + 1]; the pair is one 32-bit word, so this is a shift and an addition (little-endian). */
static void add_pairs_u16(int32_t *restrict out, const uint16_t *restrict in, int n)
{
    const uint32_t *restrict two = (const uint32_t *)in; /* in is aligned, and aliasing is allowed (Makefile) */
    for (int i = 0; i < n; i++)
        out[i] = (int32_t)((two[i] & 0xFFFF) + (two[i] >> 16));
}

static void add_pairs(int32_t *restrict out, const int32_t *restrict in, int n)
{
    for (int i = 0; i < n; i++)
        out[i] = in[2 * i] + in[2 * i + 1];
}

/* Cells of up to 16 pixels: sums fit 16 bits (16 * 16 * 255 < 65536); larger cells look at every second, fourth, ... row and column. */
static void fill_cells(struct motion *m, const uint8_t *grey, size_t stride)
{
    const int cell = m->cell, step = cell > 16 ? cell / 16 : 1, nx = m->nx, n = nx * cell / step; /* n: at most 16 * CELLS_WIDE_MAX */
    const float scale = 1.f / (float)((cell / step) * (cell / step));
    uint8_t thin[2][16 * CELLS_WIDE_MAX];
    int32_t pairs[2][8 * CELLS_WIDE_MAX];
    for (int y = 0; y < m->ny; y++) {
        if (cell == 4) /* pictures of 400 to 800 pixels: the usual ones */
            sum_four_rows(m->sums, grey + (size_t)y * 4 * stride, stride, n);
        else
            memset(m->sums, 0, (size_t)n * sizeof(*m->sums));
        for (int k = 0; k < cell && cell != 4; k += 2 * step) {
            const uint8_t *p = grey + (size_t)(y * cell + k) * stride, *q = p + (size_t)step * stride;
            if (step > 1) {
                for (int i = 0; i < n; i++)
                    thin[0][i] = p[i * step], thin[1][i] = q[i * step];
                p = thin[0], q = thin[1];
            }
            add_rows(m->sums, p, q, n);
        }
        add_pairs_u16(pairs[0], m->sums, n / 2);
        int at = 0;
        for (int left = n / 2; left > nx; left /= 2, at ^= 1)
            add_pairs(pairs[at ^ 1], pairs[at], left / 2);
        float *restrict now = m->now + (size_t)y * (size_t)nx;
        const int32_t *restrict sums = pairs[at];
        for (int x = 0; x < nx; x++)
            now[x] = (float)sums[x] * scale;
    }
}

/* ---- the model ---- */

/* By how much everything became lighter: the median over some cells, when it is a level at least. */
static float common_shift(const struct motion *m, int n)
{
    int bins[BINS] = { 0 }, n_seen = 0;
    for (int i = 0; i < n; i += SAMPLE_STEP, n_seen++) {
        const int bin = (int)((m->now[i] - m->mean[i]) * BINS_A_LEVEL + BIN_ZERO + 0.5f); /* -255..255 levels: 0.5 .. 1022.5 */
        bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
    }
    int at = 0;
    for (int left = n_seen / 2; at < BINS - 1 && left >= bins[at]; at++)
        left -= bins[at];
    const float shift = (float)(at - BIN_ZERO) / BINS_A_LEVEL;
    return fabsf(shift) >= 1 ? shift : 0;
}

struct rates { float follow, dt_s, absorb_s, threshold, shift; };

typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
static inline f32x4 keep_where(i32x4 mask, f32x4 v) { return (f32x4)((i32x4)v & mask); } /* else 0 */
static inline f32x4 larger(f32x4 a, f32x4 b) { return (f32x4)(((i32x4)a & (a > b)) | ((i32x4)b & ~(a > b))); }

/* All cells, four at a time (arrays are padded): difference, threshold, update. */
static void update_cells(struct motion *m, const struct rates *r, int n)
{
    const f32x4 *restrict now = (const f32x4 *)m->now;
    f32x4 *restrict mean = (f32x4 *)m->mean, *restrict deviation = (f32x4 *)m->deviation;
    f32x4 *restrict still_s = (f32x4 *)m->still_s, *restrict over = (f32x4 *)m->over;
    const f32x4 zero = { 0 }, least = zero + r->threshold, one = zero + 1.f;
    for (int i = 0; i < (n + 3) / 4; i++) {
        const f32x4 old = mean[i] + r->shift, diff = now[i] - old, size = (f32x4)((i32x4)diff & 0x7FFFFFFF);
        const f32x4 o = size / larger(DEVIATIONS * deviation[i], least);
        const i32x4 is_over = o > one;
        const f32x4 t = keep_where(is_over, still_s[i] + r->dt_s);
        const i32x4 is_old = t > r->absorb_s; /* only where it is over: else t is 0 */
        still_s[i] = keep_where(~is_old, t);
        /* a moving cell leaves the model alone until it is absorbed */
        mean[i] = old + (keep_where(is_old, diff) + keep_where(~is_over, diff * r->follow));
        deviation[i] += keep_where(~is_over, (size - deviation[i]) * (r->follow * 0.25f));
        over[i] = o;
    }
    const int nx = m->nx;
    for (int y = 0; y < m->ny; y++) {
        uint8_t *restrict raw = m->raw + (size_t)(y + 1) * (size_t)(nx + 2) + 1;
        const float *restrict row = m->over + (size_t)y * (size_t)nx;
        for (int x = 0; x < nx; x++) {
            const int whole = (int)row[x]; /* 0..255; exactly 1 counts as over, as any sum may */
            raw[x] = whole > 0;
        }
    }
}

/* moving = raw, where at least NEIGHBOURS_MIN of the nine cells around are raw.  Returns how many. */
static int keep_crowds(struct motion *m)
{
    const int nx = m->nx; /* a byte that is written might be m's, as far as the compiler knows */
    const size_t wide = (size_t)nx + 2;
    int n_moving = 0;
    for (int y = 0; y < m->ny; y++) {
        const uint8_t *restrict a = m->raw + (size_t)y * wide, *restrict b = a + wide, *restrict c = b + wide;
        uint8_t *restrict d = m->moving + (size_t)y * (size_t)nx;
        for (int x = 0; x < nx; x++) {
            const uint8_t crowd = (uint8_t)(a[x] + a[x + 1] + a[x + 2] + b[x] + b[x + 1] + b[x + 2] + c[x] + c[x + 1] + c[x + 2]);
            d[x] = (uint8_t)(crowd >= NEIGHBOURS_MIN) & b[x + 1];
        }
        for (int x = 0; x < nx; x++)
            n_moving += d[x];
    }
    return n_moving;
}

/* ---- regions ---- */

struct region { int x0, y0, x1, y1, n; float over; }; /* cells, x1 and y1 inclusive */

/* The four cells of a block into r. */
static void add_block(const struct motion *m, int bx, int by, struct region *r)
{
    for (int y = 2 * by; y < 2 * by + 2 && y < m->ny; y++)
        for (int x = 2 * bx; x < 2 * bx + 2 && x < m->nx; x++) {
            const int i = y * m->nx + x;
            if (!m->moving[i])
                continue;
            r->x0 = x < r->x0 ? x : r->x0, r->x1 = x > r->x1 ? x : r->x1, r->y0 = y < r->y0 ? y : r->y0, r->y1 = y > r->y1 ? y : r->y1;
            r->n++, r->over += m->over[i];
        }
}

/* Everything that hangs together with block `at`, over corners too; its blocks become 0. */
static struct region grow(struct motion *m, int at)
{
    struct region r = { m->nx, m->ny, -1, -1, 0, 0 };
    const int wide = m->block_nx + 2; /* blocks have a margin of zeros */
    int top = 0;
    m->stack[top++] = at, m->blocks[at] = 0;
    while (top > 0) {
        const int i = m->stack[--top];
        add_block(m, i % wide - 1, i / wide - 1, &r);
        for (int y = i - wide; y <= i + wide; y += wide)
            for (int k = y - 1; k <= y + 1; k++)
                if (m->blocks[k]) {
                    m->blocks[k] = 0;
                    m->stack[top++] = k; /* each block once: the stack cannot overflow */
                }
    }
    return r;
}

/* Blocks of 2 x 2 cells in which something moves: what is closer than two cells belongs together. */
static void fill_blocks(struct motion *m)
{
    for (int by = 0; by < m->block_ny; by++) {
        const uint8_t *a = m->moving + (size_t)(2 * by) * (size_t)m->nx, *b = 2 * by + 1 < m->ny ? a + m->nx : a;
        uint8_t *d = m->blocks + (size_t)(by + 1) * (size_t)(m->block_nx + 2) + 1;
        for (int bx = 0; bx < m->nx / 2; bx++)
            d[bx] = a[2 * bx] | a[2 * bx + 1] | b[2 * bx] | b[2 * bx + 1];
        if (m->nx & 1)
            d[m->block_nx - 1] = a[m->nx - 1] | b[m->nx - 1];
    }
}

static void find_boxes(struct motion *m, struct motion_result *out)
{
    const int n = (m->block_nx + 2) * (m->block_ny + 2);
    const float least = m->config.min_area_frac * (float)(m->nx * m->ny);
    int area[MOTION_BOXES_MAX];
    fill_blocks(m);
    for (int i = 0; i < n; i++) {
        if (!m->blocks[i])
            continue;
        const struct region r = grow(m, i);
        if ((float)r.n < least)
            continue;
        int k = out->n_boxes < MOTION_BOXES_MAX ? out->n_boxes++ : MOTION_BOXES_MAX;
        for (; k > 0 && area[k - 1] < r.n; k--)
            if (k < MOTION_BOXES_MAX)
                area[k] = area[k - 1], out->boxes[k] = out->boxes[k - 1];
        if (k == MOTION_BOXES_MAX)
            continue;
        area[k] = r.n;
        const float score = r.over / (float)r.n / 4;
        out->boxes[k] = (struct motion_box){ r.x0 * m->cell, r.y0 * m->cell, (r.x1 - r.x0 + 1) * m->cell, (r.y1 - r.y0 + 1) * m->cell,
                                             score < 1 ? score : 1 };
    }
}

static void begin_anew(struct motion *m, int n)
{
    memcpy(m->mean, m->now, (size_t)n * sizeof(float));
    memset(m->still_s, 0, (size_t)n * sizeof(float));
    memset(m->moving, 0, (size_t)n);
}

void motion_frame(struct motion *m, const uint8_t *grey, size_t stride, double t_s, struct motion_result *out)
{
    const int n = m->nx * m->ny;
    out->moving_frac = 0, out->is_new_scene = false, out->n_boxes = 0;
    fill_cells(m, grey, stride);
    if (!m->has_frame) {
        begin_anew(m, n);
        for (int i = 0; i < n; i++)
            m->deviation[i] = DEVIATION_START;
        m->has_frame = true, m->first_s = m->last_s = t_s, m->n_learned = 1;
        out->is_learning = true;
        return;
    }
    const double dt = t_s > m->last_s ? t_s - m->last_s : 0, age = m->last_s + dt - m->first_s;
    m->last_s += dt;
    out->is_learning = age < (double)m->config.learn_s || m->n_learned < m->config.learn_frames;
    m->n_learned += m->n_learned < m->config.learn_frames;
    const struct rates rates = {
        .follow = (float)(1 - exp(-dt / (out->is_learning ? (double)m->config.learn_s / 4 : (double)m->config.follow_s))),
        .dt_s = (float)dt, .absorb_s = out->is_learning ? 0 : m->config.absorb_s, .threshold = m->config.threshold, .shift = common_shift(m, n),
    };
    update_cells(m, &rates, n);
    if (out->is_learning) {
        memset(m->moving, 0, (size_t)n);
        return;
    }
    const int n_moving = keep_crowds(m);
    out->moving_frac = (float)n_moving / (float)n;
    out->is_new_scene = out->moving_frac > NEW_SCENE_FRAC;
    if (out->is_new_scene)
        begin_anew(m, n);
    else if (n_moving > 0)
        find_boxes(m, out);
}

float motion_region(const struct motion *m, int x, int y, int w, int h)
{
    const int x0 = x < 0 ? 0 : x / m->cell, y0 = y < 0 ? 0 : y / m->cell;
    const int64_t x1 = ((int64_t)x + w + m->cell - 1) / m->cell, y1 = ((int64_t)y + h + m->cell - 1) / m->cell;
    int n = 0, n_moving = 0;
    for (int v = y0; v < y1 && v < m->ny; v++)
        for (int u = x0; u < x1 && u < m->nx; u++)
            n++, n_moving += m->moving[v * m->nx + u] != 0;
    return n > 0 ? (float)n_moving / (float)n : 0;
}
