/* tools/train/gemm.c - packed panels and a register-blocked inner loop; start reading at gemm_run().
 *
 * B is packed into panels of NR columns, A into panels of MR rows, KC deep.  The inner loop holds an
 * MR x NR tile of C in registers and reads both panels in order.  With bf16 dot products two steps of
 * K lie beside each other in one 32-bit lane (half the precision of the factors, f32 sums).
 */
#include "gemm.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hw/cpu.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MR_MAX = 12, NR_MAX = 32, KC = 512, PANELS_PER_PIECE = 4 };

/* c [mr][nr] (+)= a b over k steps.  Element (i, step) of a is at a[i * ars + step * acs]; the nr values
 * of b's step lie together, steps are bs apart.  Packed panels are the case ars 1, acs mr, bs nr; for
 * bf16 a step is a pair and everything is packed. */
typedef void tile_fn(size_t k, const void *a, size_t ars, size_t acs, const void *b, size_t bs, float *c, size_t ldc,
                     bool accumulate);

struct kind {
    const char *name;
    tile_fn *tile;
    int mr, nr, pair; /* pair: 2 when two bf16 share a lane, else 1 */
};

struct gemm {
    struct pool *pool; /* borrowed */
    struct kind kind, f32; /* of large products, of small ones that are not packed */
    float *b_pack;         /* owned, grows */
    size_t b_pack_len;
    float *a_pack;         /* owned: one panel for each thread */
};

struct job {
    struct gemm *g;
    size_t m, n, k;
    struct mat a, b;
    float *c;
    size_t ldc;
    bool accumulate;
};

#if defined(__x86_64__)
#define ISA_AVX512 __attribute__((target("avx512f")))
#define ISA_AVX512BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

ISA_AVX512 static inline void store_tile(float *c, size_t ldc, __m512 acc[12][2], bool accumulate)
{
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++, c += ldc)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            const __m512 old = accumulate ? _mm512_loadu_ps(c + 16 * j) : _mm512_setzero_ps();
            _mm512_storeu_ps(c + 16 * j, _mm512_add_ps(old, acc[i][j]));
        }
}

ISA_AVX512 static void tile_avx512(size_t k, const void *pa, size_t ars, size_t acs, const void *pb, size_t bs, float *c,
                                   size_t ldc, bool accumulate)
{
    const float *a0 = pa, *a3 = a0 + 3 * ars, *a6 = a0 + 6 * ars, *a9 = a0 + 9 * ars, *b = pb;
    __m512 acc[12][2];
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++)
        acc[i][0] = acc[i][1] = _mm512_setzero_ps();
#define ROWS(first, p)                                                                                                 \
    _Pragma("GCC unroll 3") for (int i = 0; i < 3; i++)                                                                \
    {                                                                                                                  \
        const __m512 x = _mm512_set1_ps(p[(size_t)i * ars]);                                                           \
        acc[first + i][0] = _mm512_fmadd_ps(x, b0, acc[first + i][0]);                                                 \
        acc[first + i][1] = _mm512_fmadd_ps(x, b1, acc[first + i][1]);                                                 \
    }
    for (size_t s = 0; s < k; s++, a0 += acs, a3 += acs, a6 += acs, a9 += acs, b += bs) {
        const __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + 16);
        ROWS(0, a0)
        ROWS(3, a3)
        ROWS(6, a6)
        ROWS(9, a9)
    }
#undef ROWS
    store_tile(c, ldc, acc, accumulate);
}

ISA_AVX512BF16 static void tile_avx512bf16(size_t k, const void *pa, size_t ars, size_t acs, const void *pb, size_t bs,
                                           float *c, size_t ldc, bool accumulate)
{
    (void)ars, (void)acs, (void)bs; /* packed */
    const uint32_t *a = pa, *b = pb;
    __m512 acc[12][2];
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++)
        acc[i][0] = acc[i][1] = _mm512_setzero_ps();
    for (size_t s = 0; s < k; s++, a += 12, b += 32) {
        const __m512bh b0 = (__m512bh)_mm512_loadu_si512(b), b1 = (__m512bh)_mm512_loadu_si512(b + 16);
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) {
            const __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[i]);
            acc[i][0] = _mm512_dpbf16_ps(acc[i][0], x, b0);
            acc[i][1] = _mm512_dpbf16_ps(acc[i][1], x, b1);
        }
    }
    store_tile(c, ldc, acc, accumulate);
}

__attribute__((target("avx2,fma"))) static void tile_avx2(size_t k, const void *pa, size_t ars, size_t acs, const void *pb,
                                                          size_t bs, float *c, size_t ldc, bool accumulate)
{
    const float *a0 = pa, *a3 = a0 + 3 * ars, *b = pb;
    __m256 acc[6][2];
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++)
        acc[i][0] = acc[i][1] = _mm256_setzero_ps();
    for (size_t s = 0; s < k; s++, a0 += acs, a3 += acs, b += bs) {
        const __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) {
            const __m256 x = _mm256_broadcast_ss((i < 3 ? a0 : a3) + (size_t)(i % 3) * ars);
            acc[i][0] = _mm256_fmadd_ps(x, b0, acc[i][0]);
            acc[i][1] = _mm256_fmadd_ps(x, b1, acc[i][1]);
        }
    }
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++, c += ldc)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            const __m256 old = accumulate ? _mm256_loadu_ps(c + 8 * j) : _mm256_setzero_ps();
            _mm256_storeu_ps(c + 8 * j, _mm256_add_ps(old, acc[i][j]));
        }
}

/* Lanes that lie together: two steps of up to 16 lanes to pairs. */
ISA_AVX512BF16 static void pair_lanes(uint32_t *out, const float *even, const float *odd, size_t n)
{
    const __mmask16 m = n < 16 ? (__mmask16)((1u << n) - 1) : 0xffff;
    const __m256i lo = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(m, even));
    const __m256i hi = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(m, odd));
    const __m512i pairs = _mm512_or_si512(_mm512_cvtepu16_epi32(lo), _mm512_slli_epi32(_mm512_cvtepu16_epi32(hi), 16));
    _mm512_mask_storeu_epi32(out, m, pairs);
}

/* Steps that lie together: 4 lanes of 32 steps become 16 times 4 pairs.  Four at a time suit 12 and 32. */
ISA_AVX512BF16 static void pair_steps(uint32_t *out, size_t width, const float *p, size_t ls)
{
    __m512i r[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        r[i] = (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(p + (size_t)i * ls + 16), _mm512_loadu_ps(p + (size_t)i * ls));
    const __m512i t0 = _mm512_unpacklo_epi32(r[0], r[1]), t1 = _mm512_unpackhi_epi32(r[0], r[1]);
    const __m512i t2 = _mm512_unpacklo_epi32(r[2], r[3]), t3 = _mm512_unpackhi_epi32(r[2], r[3]);
    const __m512i u[4] = { _mm512_unpacklo_epi64(t0, t2), _mm512_unpackhi_epi64(t0, t2), _mm512_unpacklo_epi64(t1, t3),
                           _mm512_unpackhi_epi64(t1, t3) }; /* u[j] holds steps j, j + 4, j + 8, j + 12 */
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        _mm_storeu_si128((__m128i *)(void *)(out + (size_t)j * width), _mm512_castsi512_si128(u[j]));
        _mm_storeu_si128((__m128i *)(void *)(out + (size_t)(j + 4) * width), _mm512_extracti32x4_epi32(u[j], 1));
        _mm_storeu_si128((__m128i *)(void *)(out + (size_t)(j + 8) * width), _mm512_extracti32x4_epi32(u[j], 2));
        _mm_storeu_si128((__m128i *)(void *)(out + (size_t)(j + 12) * width), _mm512_extracti32x4_epi32(u[j], 3));
    }
}
#endif

static void tile_plain(size_t k, const void *pa, size_t ars, size_t acs, const void *pb, size_t bs, float *c, size_t ldc,
                       bool accumulate)
{
    typedef float lanes __attribute__((vector_size(32)));
    const float *a = pa, *b = pb;
    lanes acc[4] = { { 0 } };
    for (size_t s = 0; s < k; s++, a += acs, b += bs) {
        lanes x;
        memcpy(&x, b, sizeof(x));
        for (size_t i = 0; i < 4; i++)
            acc[i] += a[i * ars] * x;
    }
    for (size_t i = 0; i < 4; i++) {
        lanes old = { 0 };
        if (accumulate)
            memcpy(&old, c + i * ldc, sizeof(old));
        old += acc[i];
        memcpy(c + i * ldc, &old, sizeof(old));
    }
}

/* k steps of `width` lanes: lane i of step s is element (i, s), at p[i * ls + s * ss]; lanes past n are 0. */
static void pack_f32(float *out, const float *p, size_t ls, size_t ss, size_t n, size_t k, size_t width)
{
    if (n < width)
        memset(out, 0, k * width * sizeof(*out));
    if (ls == 1) {
        for (size_t s = 0; s < k; s++, out += width)
            memcpy(out, p + s * ss, n * sizeof(*out));
    } else {
        for (size_t i = 0; i < n; i++)
            for (size_t s = 0; s < k; s++)
                out[s * width + i] = p[i * ls + s * ss];
    }
}

#if defined(__x86_64__)
static uint32_t round_bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return (u + 0x7fff + (u >> 16 & 1)) >> 16; /* nearest even; no NaN gets this far */
}

static uint32_t pair_of(const float *p, size_t ss, size_t s, size_t k)
{
    return round_bf16(p[s * ss]) | (s + 1 < k ? round_bf16(p[(s + 1) * ss]) << 16 : 0);
}

ISA_AVX512BF16 static void pack_bf16(uint32_t *out, const float *p, size_t ls, size_t ss, size_t n, size_t k, size_t width)
{
    if (n < width)
        memset(out, 0, (k + 1) / 2 * width * sizeof(*out));
    if (ls == 1) {
        for (size_t s = 0; s + 1 < k; s += 2, out += width, p += 2 * ss)
            for (size_t i = 0; i < n; i += 16)
                pair_lanes(out + i, p + i, p + ss + i, n - i);
        for (size_t i = 0; k % 2 && i < n; i++)
            out[i] = round_bf16(p[i]);
        return;
    }
    size_t i = 0;
    for (; ss == 1 && i + 4 <= n; i += 4) {
        size_t s = 0;
        for (; s + 32 <= k; s += 32)
            pair_steps(out + s / 2 * width + i, width, p + i * ls + s, ls);
        for (; s < k; s += 2)
            for (size_t j = i; j < i + 4; j++)
                out[s / 2 * width + j] = pair_of(p + j * ls, ss, s, k);
    }
    for (; i < n; i++)
        for (size_t s = 0; s < k; s += 2)
            out[s / 2 * width + i] = pair_of(p + i * ls, ss, s, k);
}
#endif

static void pack(const struct kind *kind, float *out, const float *p, size_t ls, size_t ss, size_t n, size_t k,
                 size_t width)
{
#if defined(__x86_64__)
    if (kind->pair == 2) {
        pack_bf16((uint32_t *)(void *)out, p, ls, ss, n, k, width);
        return;
    }
#else
    (void)kind;
#endif
    pack_f32(out, p, ls, ss, n, k, width);
}

static void run_tiles(const struct job *j, float *a_pack, size_t panel, size_t k0, size_t kc)
{
    const struct kind *kind = &j->g->kind;
    const size_t mr = (size_t)kind->mr, nr = (size_t)kind->nr, steps = (kc + (size_t)kind->pair - 1) / (size_t)kind->pair;
    const size_t i0 = panel * mr, n_rows = j->m - i0 < mr ? j->m - i0 : mr;
    const bool accumulate = j->accumulate || k0 > 0;
    pack(kind, a_pack, j->a.p + i0 * j->a.rs + k0 * j->a.cs, j->a.rs, j->a.cs, n_rows, kc, mr);
    for (size_t j0 = 0, p = 0; j0 < j->n; j0 += nr, p++) {
        const float *b = j->g->b_pack + p * steps * nr;
        float *c = j->c + i0 * j->ldc + j0;
        const size_t n_cols = j->n - j0 < nr ? j->n - j0 : nr;
        if (n_rows == mr && n_cols == nr) {
            kind->tile(steps, a_pack, 1, mr, b, nr, c, j->ldc, accumulate);
            continue;
        }
        float edge[MR_MAX * NR_MAX]; /* a tile that hangs over the rim is made beside it */
        kind->tile(steps, a_pack, 1, mr, b, nr, edge, nr, false);
        for (size_t r = 0; r < n_rows; r++)
            for (size_t q = 0; q < n_cols; q++)
                c[r * j->ldc + q] = (accumulate ? c[r * j->ldc + q] : 0.0f) + edge[r * nr + q];
    }
}

static void run_job(struct pool *pool, int ith, void *ctx)
{
    const struct job *j = ctx;
    const struct kind *kind = &j->g->kind;
    const size_t nr = (size_t)kind->nr, mr = (size_t)kind->mr;
    const size_t n_b = (j->n + nr - 1) / nr, n_a = (j->m + mr - 1) / mr;
    float *a_pack = j->g->a_pack + (size_t)ith * MR_MAX * KC;
    for (size_t k0 = 0; k0 < j->k; k0 += KC) {
        const size_t kc = j->k - k0 < KC ? j->k - k0 : KC, steps = (kc + (size_t)kind->pair - 1) / (size_t)kind->pair;
        for (size_t p; (p = (size_t)pool_take(pool)) < n_b;) {
            const size_t j0 = p * nr;
            pack(kind, j->g->b_pack + p * steps * nr, j->b.p + k0 * j->b.rs + j0 * j->b.cs, j->b.cs, j->b.rs,
                 j->n - j0 < nr ? j->n - j0 : nr, kc, nr);
        }
        pool_barrier(pool);
        for (size_t p; (p = (size_t)pool_take(pool) * PANELS_PER_PIECE) < n_a;)
            for (size_t q = p; q < n_a && q < p + PANELS_PER_PIECE; q++)
                run_tiles(j, a_pack, q, k0, kc);
        if (k0 + KC < j->k)
            pool_barrier(pool);
    }
}

bool gemm_run(struct gemm *g, size_t m, size_t n, size_t k, struct mat a, struct mat b, float *c, size_t ldc,
              bool accumulate, struct err *err)
{
    const size_t need = ((n + NR_MAX - 1) / NR_MAX + 1) * NR_MAX * KC;
    if (need > g->b_pack_len) {
        free(g->b_pack);
        g->b_pack_len = 0;
        g->b_pack = aligned_alloc(64, need * sizeof(float));
        if (!g->b_pack)
            return err_set(err, ERR_NOMEM, "gemm: cannot reserve %zu bytes", need * sizeof(float));
        g->b_pack_len = need;
    }
    struct job job = { g, m, n, k, a, b, c, ldc, accumulate };
    pool_run(g->pool, run_job, &job);
    return true;
}

void gemm_small(const struct gemm *g, size_t m, size_t n, size_t k, const float *a, size_t ars, size_t acs, const float *b,
                size_t bs, float *c, size_t ldc, bool accumulate)
{
    const struct kind *kind = &g->f32;
    const size_t mr = (size_t)kind->mr, nr = (size_t)kind->nr;
    for (size_t j = 0; j < n; j += nr) {
        const size_t n_cols = n - j < nr ? n - j : nr;
        for (size_t i = 0; i < m; i += mr) {
            const size_t n_rows = m - i < mr ? m - i : mr;
            if (n_rows == mr && n_cols == nr) {
                kind->tile(k, a + i * ars, ars, acs, b + j, bs, c + i * ldc + j, ldc, accumulate);
                continue;
            }
            for (size_t r = i; r < i + n_rows; r++) { /* the rim; shapes here are chosen so that it is small */
                float sum[NR_MAX] = { 0 };
                for (size_t s = 0; s < k; s++)
                    for (size_t q = 0; q < n_cols; q++)
                        sum[q] += a[r * ars + s * acs] * b[s * bs + j + q];
                for (size_t q = 0; q < n_cols; q++)
                    c[r * ldc + j + q] = (accumulate ? c[r * ldc + j + q] : 0.0f) + sum[q];
            }
        }
    }
}

struct gemm *gemm_new(struct pool *pool, unsigned cpu_flags, struct err *err)
{
    struct gemm *g = calloc(1, sizeof(*g));
    if (!g)
        return err_null(err, ERR_NOMEM, "gemm: out of memory");
    g->pool = pool;
    g->f32 = (struct kind){ "plain", tile_plain, 4, 8, 1 };
#if defined(__x86_64__)
    if (cpu_flags & CPU_AVX512)
        g->f32 = (struct kind){ "avx512", tile_avx512, 12, 32, 1 };
    else if (cpu_flags & CPU_AVX2)
        g->f32 = (struct kind){ "avx2", tile_avx2, 6, 16, 1 };
    g->kind = g->f32;
    if ((cpu_flags & CPU_AVX512) && (cpu_flags & CPU_AVX512BF16))
        g->kind = (struct kind){ "avx512 bf16", tile_avx512bf16, 12, 32, 2 };
#else
    (void)cpu_flags;
    g->kind = g->f32;
#endif
    g->a_pack = aligned_alloc(64, (size_t)pool_n_threads(pool) * MR_MAX * KC * sizeof(float));
    if (!g->a_pack) {
        free(g);
        return err_null(err, ERR_NOMEM, "gemm: out of memory");
    }
    return g;
}

void gemm_free(struct gemm *g)
{
    if (!g)
        return;
    free(g->a_pack);
    free(g->b_pack);
    free(g);
}

const char *gemm_isa(const struct gemm *g) { return g->kind.name; }
