/* tests/kernels/test_matmul.c - every matmul variant of this machine against what the formats mean.
 *
 * The judge is a sum in double of exact block values; the bound for each output follows from the number of
 * float roundings on the way: (blocks + 8) * 2^-23 * sum of |terms|.
 * `test_matmul --bench` prints GB/s (one token) and G multiply-adds/s (many) for each type and variant. */
#include "check.h" /* first: it asks for _GNU_SOURCE */

#include <math.h>

#include "hw/cpu.h"
#include "kernels/encode/encode.h"
#include "kernels/matmul/matmul_internal.h"

#if defined(__x86_64__)
/* AVX-VNNI on a machine that has AVX-512 VNNI only: the same file, with the other form of its one instruction. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512vl,avx512bw,avx512vnni"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512vl,avx512bw,avx512vnni")
#endif
#define DPBUSD(acc, w, x) _mm256_dpbusd_epi32(acc, w, x)
#define NAME(type) evex_##type
#define matmul_avxvnni evex_ops
#define X(name) static matmul_fn evex_##name;
MATMUL_PACKED_LIST(X)
#undef X
#define EXPORT static
extern const struct matmul_ops evex_ops;
#include "kernels/matmul/avxvnni.c"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
/* AMX on tiles in plain C (amx_model.h): the same files again, made by the Makefile. */
extern const struct matmul_ops emulated_amx;
extern _Thread_local bool amx_model_is_configured;
extern _Thread_local long amx_model_n_dots;
#endif

static const enum dtype types[] = {
    DTYPE_F32,   DTYPE_F16,    DTYPE_BF16,  DTYPE_Q8_0,    DTYPE_Q4_0,   DTYPE_Q4_1,    DTYPE_Q5_0,   DTYPE_Q5_1,
    DTYPE_Q2_K,  DTYPE_Q3_K,   DTYPE_Q4_K,  DTYPE_Q5_K,    DTYPE_Q6_K,   DTYPE_IQ4_NL,  DTYPE_IQ4_XS, DTYPE_MXFP4,
    DTYPE_NVFP4, DTYPE_Q1_0,   DTYPE_Q2_0,  DTYPE_TQ1_0,   DTYPE_TQ2_0,  DTYPE_IQ1_S,   DTYPE_IQ1_M,  DTYPE_IQ2_XXS,
    DTYPE_IQ2_XS, DTYPE_IQ2_S, DTYPE_IQ3_XXS, DTYPE_IQ3_S,
};
enum { N_TYPES = sizeof(types) / sizeof(types[0]) };

/* --- making weights ------------------------------------------------------------------------------------ */

enum fill { FILL_RANDOM, FILL_ONES, FILL_ZEROS, FILL_EXTREMES, FILL_COUNT }; /* of the codes */
enum scale { SCALE_RANDOM, SCALE_ZERO, SCALE_MAX, SCALE_TINY, SCALE_COUNT };

/* Where a block keeps its F16 scales; -1: none. */
static void scale_offsets(enum dtype t, int at[2])
{
    at[0] = 0, at[1] = -1;
    switch (t) {
    case DTYPE_Q4_1: case DTYPE_Q5_1: case DTYPE_Q4_K: case DTYPE_Q5_K: at[1] = 2; break;
    case DTYPE_Q2_K: at[0] = 80, at[1] = 82; break;
    case DTYPE_Q3_K: at[0] = 108; break;
    case DTYPE_Q6_K: at[0] = 208; break;
    case DTYPE_TQ1_0: at[0] = 52; break;
    case DTYPE_TQ2_0: at[0] = 64; break;
    case DTYPE_IQ1_M: case DTYPE_MXFP4: case DTYPE_NVFP4: case DTYPE_F32: case DTYPE_F16: case DTYPE_BF16: at[0] = -1; break;
    default: break;
    }
}

static float random_scale(enum scale scale)
{
    switch (scale) {
    case SCALE_ZERO: return check_below(4) ? 0.0f : -0.0f;
    case SCALE_MAX: return check_below(2) ? 65504.0f : -65504.0f;
    case SCALE_TINY: return (float)(check_below(2047) - 1023) * 0x1p-24f; /* subnormal halves */
    default: return test_rand_f32() * (check_below(8) ? 0.05f : 1.0f);
    }
}

static void make_rows(uint8_t *rows, enum dtype t, int n_rows, int n_cols, enum fill fill, enum scale scale)
{
    const struct dtype_info *info = dtype_info((uint32_t)t);
    const size_t n_blocks = (size_t)n_rows * (size_t)n_cols / (size_t)info->block_len;
    int at[2];
    scale_offsets(t, at);
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *p = rows + b * (size_t)info->block_bytes;
        if (t == DTYPE_F32 || t == DTYPE_F16 || t == DTYPE_BF16) {
            const float v = fill == FILL_EXTREMES ? random_scale(scale) : random_scale(scale) * test_rand_f32();
            encode_row(p, t, &v, 1);
            continue;
        }
        for (int i = 0; i < info->block_bytes; i++)
            p[i] = fill == FILL_ONES ? 0xff : fill == FILL_ZEROS ? 0 : (uint8_t)test_rand_u64();
        if (fill == FILL_EXTREMES)
            for (int i = 0; i < info->block_bytes; i++)
                p[i] = (uint8_t[8]){ 0x00, 0xff, 0xf0, 0x0f, 0x80, 0x7f, 0x88, 0x77 }[check_below(8)];
        for (int s = 0; s < 2; s++)
            if (at[s] >= 0) {
                const uint16_t h = dtype_f32_to_f16(random_scale(scale));
                memcpy(p + at[s], &h, 2);
            }
        if (t == DTYPE_IQ1_M) /* the top nibble of the half; the others are random bits of it */
            p[55] = (uint8_t)((p[55] & 15) | (scale == SCALE_ZERO ? 0x00 : scale == SCALE_MAX ? 0x70 : 0x20));
        if (t == DTYPE_IQ1_M && scale == SCALE_MAX)
            p[53] = (uint8_t)(p[53] & 0xbf); /* not infinite: the exponent's lowest bit is off */
        if (t == DTYPE_MXFP4)
            p[0] = (uint8_t)(scale == SCALE_ZERO ? 0 : scale == SCALE_MAX ? 200 : scale == SCALE_TINY ? check_below(40) : 110 + check_below(20));
    }
}

/* --- making activations -------------------------------------------------------------------------------- */

enum { X_RANDOM, X_OUTLIERS, X_EXTREME, X_ZERO, X_SAWTOOTH, X_TINY, X_COUNT };

static void make_x(float *x, int n, int kind)
{
    for (int i = 0; i < n; i++) {
        switch (kind) {
        case X_OUTLIERS: x[i] = check_gauss() * (check_below(50) ? 0.1f : 30.0f); break;
        case X_EXTREME: x[i] = check_below(2) ? 3.0f : -3.0f; break; /* every code +-127 */
        case X_ZERO: x[i] = i / 32 % 3 ? 0.0f : -0.0f; break;
        case X_SAWTOOTH: x[i] = (float)(i % 255 - 127); break;
        case X_TINY: x[i] = test_rand_f32() * (i / 32 % 2 ? 1e-38f : 1e-20f); break;
        default: x[i] = check_gauss(); break;
        }
    }
}

/* --- the quantizer ------------------------------------------------------------------------------------- */

static struct guarded acts_mem;
static void acts_new(struct acts *a, const float *x, int n_tok, int n_cols)
{
    guarded_new(&acts_mem, acts_bytes(n_tok, n_cols), 0);
    acts_place(a, acts_mem.data, n_tok, n_cols);
    a->x = x;
}

static const struct matmul_ops *ref(void) { return matmul_variants[matmul_n_variants - 1]; }

/* Those of the list that this machine can run, best first, ref last. */
static const struct matmul_ops *variant[16];
static int n_variants;
__attribute__((constructor)) static void list_variants(void)
{
    for (int v = 0; v < matmul_n_variants; v++)
        if ((matmul_variants[v]->need & ~cpu_flags()) == 0)
            variant[n_variants++] = matmul_variants[v];
#if defined(__x86_64__)
    if ((cpu_flags() & (CPU_AVX512 | CPU_AVXVNNI)) == CPU_AVX512) {
        variant[n_variants] = variant[n_variants - 1];
        variant[n_variants++ - 1] = &evex_ops;
    }
    if ((emulated_amx.need & ~cpu_flags() & ~(uint32_t)CPU_AMX) == 0) {
        variant[n_variants] = variant[n_variants - 1];
        variant[n_variants++ - 1] = &emulated_amx;
    }
#endif
}

TEST(the_quantizer_means_what_the_header_says)
{
    enum { K = 96, T = 40 };
    static float x[K * T];
    for (int kind = 0; kind < X_COUNT; kind++) {
        struct acts a;
        make_x(x, K * T, kind);
        acts_new(&a, x, T, K);
        ref()->quantize(&a, 0, T);
        for (int b = 0; b < K * T / 32; b++) {
            float most = 0;
            int sum[2] = { 0, 0 };
            for (int i = 0; i < 32; i++)
                most = fmaxf(most, fabsf(x[b * 32 + i])), sum[i / 16] += a.q[b * 32 + i];
            CHECK(a.sum[b * 2] == sum[0] && a.sum[b * 2 + 1] == sum[1]);
            const double step = most / 127.0f;
            double error = 0, plain_error = 0; /* with the factor that fits best, and with max / 127 */
            CHECK(fabs(a.d[b] - step) <= step * 0.02 || (most < 0x1p-100f && a.d[b] == 0), "%g of %g", a.d[b], most);
            for (int i = 0; i < 32; i++) {
                const float v = x[b * 32 + i];
                CHECK(a.q[b * 32 + i] >= -127, "-128 never");
                CHECK(fabs(v - step * a.q[b * 32 + i]) <= step * 0.5001 || most < 0x1p-100f, "%g as %d x %g", v, a.q[b * 32 + i], step);
                error += (v - (double)a.d[b] * a.q[b * 32 + i]) * (v - (double)a.d[b] * a.q[b * 32 + i]);
                plain_error += (v - step * a.q[b * 32 + i]) * (v - step * a.q[b * 32 + i]);
            }
            CHECK(error <= plain_error + 1e-6 * step * step || most < 0x1p-100f, "squared error %g, with max / 127 %g", error, plain_error);
        }
        CHECK(guarded_intact(&acts_mem));
        guarded_free(&acts_mem);
    }
}

TEST(a_number_that_is_none_spoils_its_block_and_no_other)
{
    enum { K = 128 };
    for (int v = 0; v < n_variants; v++) {
        if (!variant[v]->quantize)
            continue;
        for (int at = 0; at < 32; at++) {
            static const float bad[] = { NAN, INFINITY, -INFINITY, -NAN };
            float x[K];
            struct acts a;
            make_x(x, K, X_RANDOM);
            x[32 + at] = bad[at % 4];
            x[32 + (at + 5) % 32] = bad[at / 4 % 4];
            acts_new(&a, x, 1, K);
            variant[v]->quantize(&a, 0, 1);
            CHECK(!isfinite(a.d[1]), "%s: %g", variant[v]->isa, a.d[1]);
            CHECK(isfinite(a.d[0]) && isfinite(a.d[2]) && isfinite(a.d[3]));
            for (int i = 32; i < 64; i++)
                CHECK(a.q[i] == 0);
            guarded_free(&acts_mem);
        }
    }
}

TEST(quantizers_agree_to_the_bit)
{
    for (int v = 0; v < n_variants; v++) {
        const struct matmul_ops *o = variant[v];
        if (!o->quantize)
            continue;
        for (int round = 0; round < 60; round++) {
            const int n_cols = 32 * (1 + check_below(round < 30 ? 9 : 40)), n_tok = 1 + check_below(7);
            const size_t n = (size_t)n_cols * (size_t)n_tok;
            const int tok0 = check_below(n_tok), tok1 = tok0 + 1 + check_below(n_tok - tok0);
            struct guarded gx;
            struct acts a, b;
            guarded_new(&gx, n * 4, (size_t)check_below(4) * 4);
            float *x = (float *)(void *)gx.data;
            make_x(x, (int)n, round % X_COUNT);
            if (round % 7 == 0) /* ties: x / d = k + 1/2 exactly */
                for (size_t i = 0; i < n; i++)
                    x[i] = i % 32 == 0 ? 127.0f : (float)(check_below(253) - 126) + 0.5f;
            acts_new(&a, x, n_tok, n_cols);
            struct guarded mem_a = acts_mem;
            acts_new(&b, x, n_tok, n_cols);
            ref()->quantize(&a, tok0, tok1);
            o->quantize(&b, tok0, tok1);
            CHECK(memcmp(mem_a.data, acts_mem.data, mem_a.n) == 0, "%s: %d x %d, rows %d..%d, kind %d", o->isa, n_tok, n_cols,
                  tok0, tok1, round % X_COUNT);
            CHECK(guarded_intact(&mem_a) && guarded_intact(&acts_mem) && guarded_intact(&gx));
            guarded_free(&mem_a), guarded_free(&acts_mem), guarded_free(&gx);
        }
    }
}

/* --- packing ------------------------------------------------------------------------------------------- */

TEST(packed_blocks_mean_what_the_file_means)
{
    for (int i = 0; i < N_TYPES; i++) {
        const enum dtype t = types[i];
        const int len = dtype_info((uint32_t)t)->block_len;
        if (weight_layout_of(t) != WEIGHT_R16)
            continue;
        for (int round = 0; round < 8; round++) {
            const int n_rows = 1 + check_below(40), n_cols = len * (1 + check_below(4));
            const size_t row_bytes = (size_t)dtype_row_bytes(t, (uint64_t)n_cols);
            struct guarded src, dst;
            guarded_new(&src, row_bytes * (size_t)n_rows, 1);
            guarded_new(&dst, weight_packed_bytes(t, n_rows, n_cols), 0);
            make_rows(src.data, t, n_rows, n_cols, (enum fill)(round % FILL_COUNT), (enum scale)(round / 2 % SCALE_COUNT));
            weight_pack(dst.data, t, n_rows, n_cols, src.data, 0, (n_rows + 15) / 16);
            const struct weight w = weight_at(t, n_rows, n_cols, dst.data);
            CHECK(w.group_bytes % 64 == 0 && w.group_bytes * (size_t)weight_n_groups(&w) == dst.n);
            float *want = malloc((size_t)n_cols * 4);
            for (int r = 0; r < n_rows; r++) {
                dtype_to_f32(want, t, src.data + (size_t)r * row_bytes, (size_t)n_cols);
                for (int k = 0; k < n_cols; k++) {
                    struct row_block b;
                    if (k % 32 == 0)
                        weight_read_block(&b, &w, r, k / 32);
                    const double s = b.scale[k % 32 / 16], o = b.off[k % 32 / 16], got = s * b.code[k % 32] + o;
                    CHECK(fabs(got - (double)want[k]) <= 0x1p-23 * (fabs(s * b.code[k % 32]) + fabs(o)), "%s[%d][%d]: %g, not %g",
                          dtype_info((uint32_t)t)->name, r, k, got, want[k]);
                }
            }
            CHECK(guarded_intact(&src) && guarded_intact(&dst));
            free(want), guarded_free(&src), guarded_free(&dst);
        }
    }
}

/* --- products ------------------------------------------------------------------------------------------ */

struct problem {
    struct weight w;
    struct guarded rows, packed, x, acts;
    struct acts a;
    int n_tok;
    double *want, *bound; /* [n_tok][n_rows] */
};

static void problem_new(struct problem *p, enum dtype t, int n_rows, int n_cols, int n_tok, enum fill fill, enum scale scale, int x_kind)
{
    const size_t row_bytes = (size_t)dtype_row_bytes(t, (uint64_t)n_cols);
    const bool packed = weight_layout_of(t) == WEIGHT_R16;
    memset(p, 0, sizeof(*p));
    p->n_tok = n_tok;
    /* files align tensors to 32 bytes, not to 64 */
    guarded_new(&p->rows, row_bytes * (size_t)n_rows, 32);
    make_rows(p->rows.data, t, n_rows, n_cols, fill, scale);
    if (packed) {
        guarded_new(&p->packed, weight_packed_bytes(t, n_rows, n_cols), 0);
        weight_pack(p->packed.data, t, n_rows, n_cols, p->rows.data, 0, (n_rows + 15) / 16);
    }
    p->w = weight_at(t, n_rows, n_cols, packed ? p->packed.data : p->rows.data);
    guarded_new(&p->x, (size_t)n_tok * (size_t)n_cols * 4, 0);
    make_x((float *)(void *)p->x.data, n_tok * n_cols, x_kind);
    acts_new(&p->a, (float *)(void *)p->x.data, n_tok, n_cols);
    p->acts = acts_mem;
    ref()->quantize(&p->a, 0, n_tok);
}

static void problem_solve(struct problem *p)
{
    const int n_rows = p->w.n_rows, n_cols = p->w.n_cols, nb = n_cols / 32;
    const size_t n = (size_t)n_rows * (size_t)p->n_tok;
    p->want = calloc(n, sizeof(double));
    p->bound = calloc(n, sizeof(double));
    float *row = malloc((size_t)n_cols * 4);
    for (int r = 0; r < n_rows; r++) {
        if (p->w.layout == WEIGHT_ROWS)
            dtype_to_f32(row, p->w.type, p->w.data + (size_t)r * p->w.row_bytes, (size_t)n_cols);
        for (int t = 0; t < p->n_tok; t++) {
            double y = 0, size = 0, low = 0;
            if (p->w.layout == WEIGHT_ROWS) {
                for (int k = 0; k < n_cols; k++) {
                    const double term = (double)row[k] * p->a.x[(size_t)t * (size_t)n_cols + (size_t)k];
                    y += term, size += fabs(term);
                }
            } else {
                for (int b = 0; b < nb; b++) {
                    struct row_block o;
                    const size_t at = (size_t)t * (size_t)nb + (size_t)b;
                    weight_read_block(&o, &p->w, r, b);
                    for (int h = 0; h < 2; h++) {
                        int dot = 0;
                        for (int i = 0; i < 16; i++)
                            dot += o.code[h * 16 + i] * p->a.q[at * 32 + (size_t)(h * 16 + i)];
                        const double s = (double)o.scale[h] * dot, c = (double)o.off[h] * p->a.sum[at * 2 + (size_t)h];
                        y += p->a.d[at] * (s + c), size += p->a.d[at] * (fabs(s) + fabs(c));
                        /* scale * d may lie below the normal range: half a step of the subnormals, times dot */
                        low += 0x1p-149 * (fabs((double)dot) + abs(p->a.sum[at * 2 + (size_t)h]) + 1);
                    }
                }
            }
            p->want[(size_t)t * (size_t)n_rows + (size_t)r] = y;
            p->bound[(size_t)t * (size_t)n_rows + (size_t)r] = (nb + 8) * 0x1p-23 * size + 2 * low + 1e-40;
        }
    }
    free(row);
}

static void problem_free(struct problem *p)
{
    CHECK(guarded_intact(&p->rows) && guarded_intact(&p->x) && guarded_intact(&p->acts), "an input was written to");
    if (p->packed.mem)
        CHECK(guarded_intact(&p->packed), "a weight was written to");
    guarded_free(&p->rows), guarded_free(&p->packed), guarded_free(&p->x), guarded_free(&p->acts);
    free(p->want), free(p->bound);
}

/* The relative error of one multiply-add that a variant is allowed: those that round float activations to
 * bfloat16 (8 bits) for a weight that has no more. */
static double coarse(const struct matmul_ops *o, enum dtype t)
{
    const bool bf16_unit = strcmp(o->isa, "avx512bf16") == 0 || strcmp(o->isa, "amx") == 0;
    return bf16_unit && (t == DTYPE_BF16 || t == DTYPE_F16) ? 0x1p-8 : 0;
}

static void run_and_check(const struct matmul_ops *o, const struct problem *p, int group0, int group1, int ldy, size_t shift)
{
    const int n_rows = p->w.n_rows, row1 = group1 * 16 < n_rows ? group1 * 16 : n_rows;
    const char *name = dtype_info((uint32_t)p->w.type)->name;
    struct guarded y, scratch, y1;
    guarded_new(&y, ((size_t)(p->n_tok - 1) * (size_t)ldy + (size_t)n_rows) * 4, shift);
    guarded_new(&y1, (size_t)n_rows * 4, shift);
    guarded_new(&scratch, o->scratch_bytes ? o->scratch_bytes(p->w.n_cols) : 64, 0);
    float *out = (float *)(void *)y.data, *one = (float *)(void *)y1.data;
    uint32_t canary;
    memset(&canary, GUARD, 4);
    o->fn[p->w.type](out, (size_t)ldy, &p->w, group0, group1, &p->a, p->n_tok, scratch.data);
    for (int t = 0; t < p->n_tok; t++) {
        for (int r = 0; r < (t + 1 < p->n_tok ? ldy : n_rows); r++) {
            const float *got = &out[(size_t)t * (size_t)ldy + (size_t)r];
            if (r < group0 * 16 || r >= row1) {
                CHECK(memcmp(got, &canary, 4) == 0, "%s %s: wrote y[%d][%d], outside rows %d..%d of %d", o->isa, name, t, r,
                      group0 * 16, row1, n_rows);
                continue;
            }
            const size_t at = (size_t)t * (size_t)n_rows + (size_t)r;
            const double size = p->bound[at] / ((p->w.n_cols / 32 + 8) * 0x1p-23);
            if (size > 1e37) /* partial sums may overflow in another order */
                continue;
            CHECK(fabs((double)*got - p->want[at]) <= p->bound[at] + coarse(o, p->w.type) * size,
                  "%s %s: y[%d][%d] is %.9g, not %.9g (bound %g); %d x %d, %d tokens", o->isa, name, t, r, (double)*got, p->want[at],
                  p->bound[at], n_rows, p->w.n_cols, p->n_tok);
        }
    }
    /* a token's result does not depend on its neighbours, nor a group's on the split */
    const int t = check_below(p->n_tok);
    struct acts a = p->a;
    a.x += (size_t)t * (size_t)a.n_cols, a.q += (size_t)t * (size_t)a.n_cols;
    a.d += (size_t)t * (size_t)(a.n_cols / 32), a.sum += (size_t)t * (size_t)(a.n_cols / 16);
    const int g = group0 + check_below(group1 - group0);
    o->fn[p->w.type](one, 0, &p->w, g, g + 1, &a, 1, scratch.data);
    for (int r = g * 16; r < g * 16 + 16 && r < n_rows; r++)
        CHECK(memcmp(&one[r], &out[(size_t)t * (size_t)ldy + (size_t)r], 4) == 0 || isnan(one[r]),
              "%s %s: row %d of token %d is %.9g alone and %.9g among %d", o->isa, name, r, t, one[r],
              out[(size_t)t * (size_t)ldy + (size_t)r], p->n_tok);
    CHECK(guarded_intact(&y) && guarded_intact(&y1) && guarded_intact(&scratch), "%s %s: wrote beyond the margins", o->isa, name);
    guarded_free(&y), guarded_free(&y1), guarded_free(&scratch);
}

TEST(every_variant_multiplies_right)
{
    static const int tok_counts[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 33, 40, 67 };
    for (int i = 0; i < N_TYPES; i++) {
        const int len = dtype_info((uint32_t)types[i])->block_len;
        for (int round = 0; round < 36; round++) {
            struct problem p;
            const int n_tok = tok_counts[round % 18], n_rows = round % 4 == 0 ? 16 * (1 + check_below(4)) : 1 + check_below(70);
            const int unit = len < 32 ? 32 : len, n_cols = unit * (1 + check_below(round < 18 ? 3 : 640 / unit + 2));
            problem_new(&p, types[i], n_rows, n_cols, n_tok, round < 12 ? FILL_RANDOM : (enum fill)check_below(FILL_COUNT),
                        round < 12 ? SCALE_RANDOM : (enum scale)check_below(SCALE_COUNT), round < 6 ? X_RANDOM : check_below(X_COUNT));
            problem_solve(&p);
            const int n_groups = weight_n_groups(&p.w), g0 = check_below(n_groups), g1 = g0 + 1 + check_below(n_groups - g0);
            for (int v = 0; v < n_variants; v++)
                if (variant[v]->fn[types[i]])
                    run_and_check(variant[v], &p, g0, g1, n_rows + check_below(5), (size_t)check_below(4) * 4);
            problem_free(&p);
        }
    }
}

/* Every pair of extreme code and extreme activation, where 16-bit sums would overflow first. */
TEST(extreme_codes_do_not_overflow)
{
    for (int i = 0; i < N_TYPES; i++) {
        const int len = dtype_info((uint32_t)types[i])->block_len;
        if (weight_layout_of(types[i]) != WEIGHT_R16)
            continue;
        for (int round = 0; round < 16; round++) {
            struct problem p;
            problem_new(&p, types[i], 16, len * 2 < 64 ? 64 : len * 2, 9, FILL_ONES, SCALE_RANDOM, X_EXTREME);
            float *x = (float *)(void *)p.x.data;
            static const uint8_t pattern[4] = { 0xff, 0x00, 0x80, 0x7f };
            const struct dtype_info *info = dtype_info((uint32_t)types[i]);
            int at[2];
            scale_offsets(types[i], at);
            for (size_t k = 0; k < p.rows.n; k++) {
                const int in = (int)(k % (size_t)info->block_bytes);
                if (in != at[0] && in != at[0] + 1 && (at[1] < 0 || (in != at[1] && in != at[1] + 1)) && !(types[i] == DTYPE_MXFP4 && in == 0))
                    p.rows.data[k] = pattern[round % 4];
            }
            for (size_t k = 0; k < p.x.n / 4; k++)
                x[k] = round / 4 == 0 ? 1.0f : round / 4 == 1 ? -1.0f : round / 4 == 2 ? (k % 2 ? 1.0f : -1.0f) : (k % 4 < 2 ? 1.0f : -1.0f);
            weight_pack(p.packed.data, types[i], 16, p.w.n_cols, p.rows.data, 0, 1);
            ref()->quantize(&p.a, 0, 9);
            problem_solve(&p);
            for (int v = 0; v < n_variants; v++)
                if (variant[v]->fn[types[i]])
                    run_and_check(variant[v], &p, 0, 1, 16, 0);
            problem_free(&p);
        }
    }
}

#if defined(__x86_64__)
/* So that few tokens can go the one way and many the other: several stretches of K, tiles of all heights, odd groups. */
TEST(tiles_of_amx_compute_bit_for_bit_what_avx512_computes)
{
    if (emulated_amx.need & ~cpu_flags() & ~(uint32_t)CPU_AMX)
        SKIP("the kernels of AMX use AVX-512 with BF16, which this machine does not have");
    const bool is_here = cpu_flags() & CPU_AMX;
    for (int i = 0; i < N_TYPES; i++) {
        const int unit = dtype_info((uint32_t)types[i])->block_len;
        if (weight_layout_of(types[i]) != WEIGHT_R16)
            continue;
        for (int round = 0; round < 14; round++) {
            const int n_tok = round == 0 ? 65 : 16 + check_below(30), n_rows = 1 + check_below(90), ldy = n_rows + check_below(3);
            const int n_cols = unit * (1 + check_below(1500 / unit));
            struct problem p;
            problem_new(&p, types[i], n_rows, n_cols, n_tok, (enum fill)(round < 8 ? FILL_RANDOM : check_below(FILL_COUNT)), SCALE_RANDOM, round < 10 ? X_RANDOM : check_below(X_COUNT));
            const int n_groups = weight_n_groups(&p.w), g0 = check_below(n_groups), g1 = g0 + 1 + check_below(n_groups - g0);
            const size_t n = (size_t)n_tok * (size_t)ldy;
            float *want = calloc(n, 4), *got = calloc(n, 4);
            void *scratch = aligned_alloc(64, (emulated_amx.scratch_bytes(n_cols) + 63) / 64 * 64);
            for (int v = 0; v < n_variants; v++)
                if (strcmp(variant[v]->isa, "avx512") == 0)
                    variant[v]->fn[types[i]](want, (size_t)ldy, &p.w, g0, g1, &p.a, n_tok, scratch);
            for (int native = 0; native <= is_here; native++) {
                const struct matmul_ops *o = native ? matmul_variants[0] : &emulated_amx;
                const long dots = amx_model_n_dots;
                memset(got, 0, n * 4);
                o->fn[types[i]](got, (size_t)ldy, &p.w, g0, g1, &p.a, n_tok, scratch);
                CHECK(!amx_model_is_configured && (native || amx_model_n_dots > dots));
                CHECK(strcmp(o->isa, "amx") == 0 && memcmp(want, got, n * 4) == 0, "%s: %s tiles: %d rows (groups %d..%d), %d columns, %d tokens",
                      dtype_info((uint32_t)types[i])->name, native ? "the processor's" : "emulated", n_rows, g0, g1, n_cols, n_tok);
            }
            free(want), free(got), free(scratch);
            problem_free(&p);
        }
    }
}
#endif

TEST(a_choice_has_a_function_for_every_type_at_every_level)
{
    for (int l = 0; l < cpu_n_levels; l++) {
        const struct cpu_level *chosen;
        struct err err;
        struct matmul_set set;
        uint32_t use;
        if (!cpu_choose(cpu_levels[l].name, cpu_flags(), &use, &chosen, &err))
            continue;
        matmul_choose(&set, use);
        CHECK(set.quantize != NULL);
        for (int i = 0; i < N_TYPES; i++)
            CHECK(set.fn[types[i]] && set.isa[types[i]], "%s %s", cpu_levels[l].name, dtype_info((uint32_t)types[i])->name);
        CHECK(matmul_scratch_bytes(&set, 4096) % 64 == 0);
        if (strcmp(cpu_levels[l].name, "ref") == 0)
            CHECK(set.fn[DTYPE_Q4_K] == ref()->fn[DTYPE_Q4_K]);
    }
}

/* --- speed --------------------------------------------------------------------------------------------- */

static double peak_gbps; /* a read loop of the same moment, over what no cache holds */

static void probe_memory(void)
{
    const size_t n = (size_t)96 << 20;
    uint64_t *mem = malloc(n), sum = 0;
    double best;
    memset(mem, 1, n);
    CHECK_TIME(best, 0.3, {
        uint64_t s[8] = { 0 };
        for (size_t i = 0; i < n / 8; i += 8)
            for (int k = 0; k < 8; k++)
                s[k] += mem[i + (size_t)k];
        for (int k = 0; k < 8; k++)
            sum += s[k];
    });
    peak_gbps = (double)n / best * 1e-9;
    printf("# memory read, 1 thread: %.1f GB/s (%u)\n", peak_gbps, (unsigned)(sum & 1));
    free(mem);
}

BENCH(matmul)
{
    const char *only = getenv("BENCH_TYPE"), *isa = getenv("BENCH_ISA");
    const double budget = getenv("BENCH_SECONDS") ? atof(getenv("BENCH_SECONDS")) : 0.1;
    enum { ROWS = 1024, COLS = 2048, BIG_ROWS = 16384, TOKS = 128 };
    probe_memory();
    printf("# one thread; %d x %d; GB/s: one token from L2/L3 | from memory (%d rows); G multiply-adds/s with 4, 16 and %d tokens\n", ROWS,
           COLS, BIG_ROWS, TOKS);
    for (int i = 0; i < N_TYPES; i++) {
        const char *name = dtype_info((uint32_t)types[i])->name;
        struct problem p;
        if (only && strcmp(only, name) != 0)
            continue;
        const bool rare = weight_layout_of(types[i]) == WEIGHT_ROWS && types[i] != DTYPE_F32 && types[i] != DTYPE_F16 && types[i] != DTYPE_BF16;
        const int big_rows = rare ? 1024 : BIG_ROWS;
        problem_new(&p, types[i], big_rows, COLS, TOKS, FILL_RANDOM, SCALE_RANDOM, X_RANDOM);
        float *y = malloc((size_t)big_rows * TOKS * 4);
        const double bytes = p.w.layout == WEIGHT_R16 ? (double)p.w.group_bytes / 16 : (double)p.w.row_bytes;
        for (int v = 0; v < n_variants; v++) {
            const struct matmul_ops *o = variant[v];
            if (!o->fn[types[i]] || (isa && strcmp(isa, o->isa) != 0))
                continue;
            struct guarded scratch;
            double s1, s1_big, s[3];
            guarded_new(&scratch, o->scratch_bytes ? o->scratch_bytes(COLS) : 64, 0);
            const bool slow = v == n_variants - 1; /* ref: small and once */
            const int n_groups = slow ? 2 : ROWS / 16, rows = n_groups * 16;
            CHECK_TIME(s1, slow ? 0 : budget, o->fn[types[i]](y, (size_t)big_rows, &p.w, 0, n_groups, &p.a, 1, scratch.data));
            s1_big = 0;
            if (!slow && !rare)
                CHECK_TIME(s1_big, budget, o->fn[types[i]](y, (size_t)big_rows, &p.w, 0, big_rows / 16, &p.a, 1, scratch.data));
            for (int k = 0; k < 3; k++)
                CHECK_TIME(s[k], slow ? 0 : budget,
                           o->fn[types[i]](y, (size_t)big_rows, &p.w, 0, n_groups, &p.a, (int[]){ 4, 16, TOKS }[k], scratch.data));
            printf("%-8s %-11s %7.2f |%6.2f GB/s   %8.1f %8.1f %8.1f G/s\n", name, o->isa, bytes * rows / s1 * 1e-9,
                   s1_big > 0 ? bytes * big_rows / s1_big * 1e-9 : 0.0, 4e-9 * rows * COLS / s[0], 16e-9 * rows * COLS / s[1],
                   1e-9 * TOKS * rows * COLS / s[2]);
            guarded_free(&scratch);
        }
        free(y);
        problem_free(&p);
    }
}

BENCH(quantizer)
{
    enum { K = 4096, T = 64 };
    float *x = malloc(K * T * 4);
    struct acts a;
    make_x(x, K * T, X_RANDOM);
    acts_new(&a, x, T, K);
    for (int v = 0; v < n_variants; v++) {
        double s;
        if (!variant[v]->quantize)
            continue;
        CHECK_TIME(s, 0.1, variant[v]->quantize(&a, 0, T));
        printf("quantize %-11s %7.2f G values/s\n", variant[v]->isa, K * T / s * 1e-9);
    }
    guarded_free(&acts_mem);
    free(x);
}
