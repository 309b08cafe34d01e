/* tests/kernels/test_encode.c - the quantizers: against plain ones, against figures of llama.cpp, every variant against plain C. */
#include "check.h" /* first: it asks for _GNU_SOURCE */

#include <math.h>

#include "base/rng.h"
#include "hw/cpu.h"
#include "kernels/encode/encode.h"

static const enum dtype writable[] = {
    DTYPE_F32,  DTYPE_F16,  DTYPE_BF16, DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0,   DTYPE_Q5_1,
    DTYPE_Q2_K, DTYPE_Q3_K, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_IQ4_NL, DTYPE_IQ4_XS, DTYPE_MXFP4,
};
enum { N_WRITABLE = sizeof(writable) / sizeof(writable[0]), ROW = 4096 };

/* What a plain quantizer of the same block length and code range loses: scale from min and max, scales
 * kept as floats (so it is the better for that), no search. */
static double plain_error(const float *x, enum dtype t)
{
    static const struct { enum dtype t; int len, hi, affine; } plain[] = {
        { DTYPE_Q8_0, 32, 255, 0 }, { DTYPE_Q4_0, 32, 15, 0 }, { DTYPE_Q4_1, 32, 15, 1 }, { DTYPE_Q5_0, 32, 31, 0 },
        { DTYPE_Q5_1, 32, 31, 1 },  { DTYPE_Q2_K, 16, 3, 1 },  { DTYPE_Q3_K, 16, 7, 0 },  { DTYPE_Q4_K, 32, 15, 1 },
        { DTYPE_Q5_K, 32, 31, 1 },  { DTYPE_Q6_K, 16, 63, 0 }, { DTYPE_IQ4_NL, 32, 15, 0 }, { DTYPE_IQ4_XS, 32, 15, 0 },
        { DTYPE_MXFP4, 32, 13, 0 },
    };
    double error = 0;
    for (size_t p = 0; p < sizeof(plain) / sizeof(plain[0]); p++) {
        if (plain[p].t != t)
            continue;
        for (int b = 0; b < ROW; b += plain[p].len) {
            float lo = x[b], hi = x[b];
            for (int i = 0; i < plain[p].len; i++)
                lo = fminf(lo, x[b + i]), hi = fmaxf(hi, x[b + i]);
            if (!plain[p].affine) /* codes -n .. n - 1, the larger side gets the longer end */
                hi = fmaxf(-lo, hi), lo = -hi, hi -= 2 * hi / (float)(plain[p].hi + 1);
            const float d = (hi - lo) / (float)plain[p].hi;
            for (int i = 0; i < plain[p].len; i++) {
                float q = d > 0 ? rintf((x[b + i] - lo) / d) : 0;
                q = fminf(q, (float)plain[p].hi);
                error += pow(x[b + i] - (q * d + lo), 2);
            }
        }
    }
    return error;
}

static float gauss(void)
{
    float s = 0;
    for (int i = 0; i < 12; i++)
        s += test_rand_f32();
    return s / 2;
}

static void fill(float *x, int kind)
{
    for (int i = 0; i < ROW; i++) {
        if (kind == 0)
            x[i] = 0.02f * gauss(); /* weights */
        else if (kind == 1)
            x[i] = test_rand_f32() + 0.7f; /* off centre */
        else
            x[i] = gauss() * (i % 97 == 0 ? 8.0f : 0.3f) * (i / 256 % 2 ? 1e-2f : 1.0f); /* outliers, uneven groups */
    }
}

TEST(quantizers_lose_no_more_than_a_plain_one)
{
    static float x[ROW], y[ROW];
    static uint8_t blocks[ROW * 4];
    const bool show = getenv("TEST_SHOW") != NULL;
    for (int kind = 0; kind < 3; kind++) {
        fill(x, kind);
        double power = 0;
        for (int i = 0; i < ROW; i++)
            power += (double)x[i] * x[i];
        for (int t = 0; t < N_WRITABLE; t++) {
            const char *name = dtype_info(writable[t])->name;
            REQUIRE(encode_row(blocks, writable[t], x, ROW), "%s", name);
            REQUIRE(dtype_to_f32(y, writable[t], blocks, ROW), "%s", name);
            double error = 0;
            for (int i = 0; i < ROW; i++)
                error += pow((double)x[i] - y[i], 2);
            const double plain = plain_error(x, writable[t]);
            if (show)
                printf("# %d %-7s NMSE %.3e, plain %.3e\n", kind, name, error / power, plain / power);
            if (writable[t] == DTYPE_F32)
                CHECK(error == 0);
            else if (writable[t] == DTYPE_F16 || writable[t] == DTYPE_BF16)
                CHECK(error / power < (writable[t] == DTYPE_F16 ? 1e-7 : 6e-6), "%s", name);
            else
                CHECK(error <= 1.1 * plain, "%s, kind %d: %g, plain %g", name, kind, error / power, plain / power);
        }
    }
}

TEST(quantizing_twice_loses_little_more)
{
    static float x[ROW], y[ROW], z[ROW];
    static uint8_t blocks[ROW * 4];
    fill(x, 0);
    for (int t = 0; t < N_WRITABLE; t++) {
        double first = 0, second = 0;
        encode_row(blocks, writable[t], x, ROW);
        dtype_to_f32(y, writable[t], blocks, ROW);
        encode_row(blocks, writable[t], y, ROW);
        dtype_to_f32(z, writable[t], blocks, ROW);
        for (int i = 0; i < ROW; i++)
            first += pow(x[i] - y[i], 2), second += pow(y[i] - z[i], 2);
        CHECK(second <= 0.15 * first, "%s: %g after %g", dtype_info(writable[t])->name, second, first);
    }
}

TEST(odd_inputs_give_finite_blocks)
{
    static float x[ROW], y[ROW];
    static uint8_t blocks[ROW * 4 + 1];
    static const float odd[] = { 0.0f, -0.0f, 1e-45f, -1e-40f, 1e-20f, 1e-7f, 1.0f, -1.0f, 65504.0f, 1e10f, -1e30f, 3e38f,
                                 INFINITY, -INFINITY, NAN };
    enum { N_ODD = sizeof(odd) / sizeof(odd[0]) };
    for (int t = 0; t < N_WRITABLE; t++) {
        const char *name = dtype_info(writable[t])->name;
        const bool plain = writable[t] == DTYPE_F32 || writable[t] == DTYPE_F16 || writable[t] == DTYPE_BF16;
        for (int round = 0; round < 3 * N_ODD; round++) {
            const float v = odd[round % N_ODD];
            for (int i = 0; i < ROW; i++) /* all the same; one among others; mixed at random */
                x[i] = round < N_ODD ? v : round < 2 * N_ODD ? (i % 64 == 7 ? v : test_rand_f32()) : odd[test_rand_u64() % N_ODD];
            memset(blocks, 0xa5, sizeof(blocks));
            REQUIRE(encode_row(blocks + 1, writable[t], x, ROW), "%s", name); /* unaligned too */
            REQUIRE(dtype_to_f32(y, writable[t], blocks + 1, ROW), "%s", name);
            for (int i = 0; i < ROW && !plain; i++)
                CHECK(isfinite(y[i]), "%s: %g became %g", name, x[i], y[i]);
            if (round < N_ODD && v == 0.0f)
                for (int i = 0; i < ROW; i++)
                    CHECK(y[i] == 0.0f, "%s: %g", name, y[i]);
            if (round < N_ODD && fabsf(v) == 1.0f)
                for (int i = 0; i < ROW; i++)
                    CHECK(fabsf(y[i] - v) < 2e-2f, "%s: %g", name, y[i]);
        }
    }
}

/* Normal numbers of deviation 0.02 and, for kind 1, with outliers and uneven groups: the same on every machine. */
enum { N_NORMAL = 65536 };
static void fill_normal(float *x, int kind)
{
    struct rng r;
    rng_seed(&r, 14);
    for (int i = 0; i < N_NORMAL; i++) {
        double s = -6.0;
        for (int k = 0; k < 12; k++)
            s += rng_f64(&r);
        x[i] = (float)s * 0.02f;
        if (kind == 1)
            x[i] *= (i % 97 == 0 ? 8.0f : 1.0f) * (i / 256 % 2 ? 1e-2f : 1.0f);
    }
}

/* NMSE of ggml_quantize_chunk() without an importance matrix, rows of 256, on fill_normal(): llama.cpp as bundled with
 * node-llama-cpp 3.22.1 (2026-09-28), built with gcc 12 -O3 -march=native on a Zen 4, 2026-11-22. */
static const struct { enum dtype type; double nmse[2]; } llama[] = {
    { DTYPE_Q8_0, { 2.8021e-05, 7.7992e-05 } },   { DTYPE_Q4_0, { 7.2382e-03, 1.9648e-02 } }, { DTYPE_Q4_1, { 6.0086e-03, 9.4533e-03 } },
    { DTYPE_Q5_0, { 1.7780e-03, 5.1131e-03 } },   { DTYPE_Q5_1, { 1.4055e-03, 2.1864e-03 } }, { DTYPE_Q2_K, { 8.6407e-02, 1.1571e-01 } },
    { DTYPE_Q3_K, { 2.2495e-02, 3.8010e-02 } },   { DTYPE_Q4_K, { 5.0092e-03, 8.1553e-03 } }, { DTYPE_Q5_K, { 1.2752e-03, 2.0698e-03 } },
    { DTYPE_Q6_K, { 3.1065e-04, 6.8266e-04 } },   { DTYPE_IQ4_NL, { 5.7090e-03, 1.2041e-02 } }, { DTYPE_IQ4_XS, { 5.7895e-03, 1.2417e-02 } },
    { DTYPE_MXFP4, { 1.2921e-02, 2.3251e-02 } },
};

TEST(quantizers_lose_less_than_llama_quantize_and_say_how_much)
{
    static float x[N_NORMAL], y[N_NORMAL];
    static uint8_t blocks[N_NORMAL * 2];
    const struct encode_ops *ops = encode_choose(cpu_flags());
    const int n = getenv("TEST_QUICK") ? N_NORMAL / 8 : N_NORMAL;
    for (int kind = 0; kind < 2; kind++) {
        fill_normal(x, kind);
        for (size_t t = 0; t < sizeof(llama) / sizeof(llama[0]); t++) {
            const char *name = dtype_info(llama[t].type)->name;
            double error = 0, power = 0;
            const double said = ops->to[llama[t].type](blocks, x, (size_t)n);
            REQUIRE(dtype_to_f32(y, llama[t].type, blocks, (size_t)n));
            for (int i = 0; i < n; i++)
                error += pow((double)x[i] - (double)y[i], 2), power += (double)x[i] * (double)x[i];
            CHECK(fabs(said - error) <= 1e-4 * error, "%s: says %g, lost %g", name, said, error);
            /* an eighth of the numbers strays by some percent */
            CHECK(error / power <= (n == N_NORMAL ? 0.995 : 1.05) * llama[t].nmse[kind], "%s, kind %d: %g, llama.cpp %g", name, kind, error / power,
                  llama[t].nmse[kind]);
            if (getenv("TEST_SHOW"))
                printf("# %d %-7s NMSE %.4e, %.3f of llama.cpp's\n", kind, name, error / power, error / power / llama[t].nmse[kind]);
        }
    }
}

TEST(all_variants_write_the_same_bytes)
{
    static float x[ROW + 32];
    static const float odd[] = { 0.0f, -0.0f, 1e-45f, -1e-40f, 1e-30f, 1e-20f, 1e-7f, 65504.0f, 1e10f, -1e30f, 3e38f, INFINITY, -INFINITY, NAN };
    struct guarded want, got;
    for (int t = 0; t < N_WRITABLE; t++) {
        const struct dtype_info *info = dtype_info(writable[t]);
        for (int round = 0; round < 6; round++) {
            /* whole batches, and a tail of each kind */
            const size_t n = round < 3 ? ROW : (size_t)info->block_len * (1 + test_rand_u64() % 17);
            if (n > ROW)
                continue;
            fill(x, round % 3);
            for (int k = 0; k < 40 && round % 2; k++)
                x[test_rand_u64() % n] = odd[test_rand_u64() % (sizeof(odd) / sizeof(odd[0]))];
            guarded_new(&want, (size_t)dtype_row_bytes(writable[t], n), 0);
            const double error = encode_variants[encode_n_variants - 1]->to[writable[t]](want.data, x, n);
            CHECK(guarded_intact(&want), "%s", info->name);
            for (int v = 0; v < encode_n_variants - 1; v++) {
                if (encode_variants[v]->need & ~cpu_flags())
                    continue;
                guarded_new(&got, want.n, (size_t)round);
                const double e = encode_variants[v]->to[writable[t]](got.data, x, n);
                CHECK(memcmp(got.data, want.data, want.n) == 0, "%s by %s, %zu values, round %d", info->name, encode_variants[v]->isa, n, round);
                CHECK(e == error || (isnan(e) && isnan(error)), "%s by %s: error %g, not %g", info->name, encode_variants[v]->isa, e, error);
                CHECK(guarded_intact(&got), "%s by %s", info->name, encode_variants[v]->isa);
                guarded_free(&got);
            }
            guarded_free(&want);
        }
    }
}

TEST(halves_become_floats_alike_in_all_variants)
{
    static uint16_t h[65536 + 8];
    static float out[65536 + 8];
    for (int i = 0; i < 65536 + 7; i++)
        h[i] = (uint16_t)i;
    for (int v = 0; v < encode_n_variants; v++) {
        if (encode_variants[v]->need & ~cpu_flags())
            continue;
        encode_variants[v]->from_f16(out, h, 65536 + 7);
        for (int i = 0; i < 65536 + 7; i++) {
            const float want = dtype_f16_to_f32(h[i]);
            CHECK(memcmp(&out[i], &want, 4) == 0, "%04x by %s", h[i], encode_variants[v]->isa);
        }
    }
}

TEST(what_is_not_written_is_refused)
{
    uint8_t block[64];
    float x[32] = { 0 };
    CHECK(!encode_row(block, DTYPE_IQ1_S, x, 32) && !encode_row(block, DTYPE_Q8_1, x, 32) && !encode_row(block, (enum dtype)5, x, 32));
    CHECK(!encode_row(block, DTYPE_Q4_0, x, 31), "no multiple");
}
