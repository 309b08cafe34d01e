/* tests/dtype/test_dtype.c - number formats against llama.cpp's own decoding. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "dtype/dtype.h"
#include "test.h"

static const struct { int id; const char *name; int len, bytes; } list[] = {
#define X(id, name, n, bytes) { id, #name, n, bytes },
    DTYPE_LIST(X)
#undef X
};
enum { N_LIST = sizeof(list) / sizeof(list[0]) };

static uint32_t bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}
static float from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

TEST(every_type_of_the_list_has_its_row_in_the_table)
{
    for (int i = 0; i < N_LIST; i++) {
        const struct dtype_info *info = dtype_info((uint32_t)list[i].id);
        REQUIRE(info, "id %d", list[i].id);
        CHECK(strcasecmp(info->name, list[i].name) == 0, "%s", info->name);
        CHECK(info->block_len == list[i].len && info->block_bytes == list[i].bytes, "%s", info->name);
        for (const char *p = info->name; *p; p++)
            CHECK(*p < 'A' || *p > 'Z', "%s", info->name);
        enum dtype t = DTYPE_F32;
        CHECK(dtype_from_name(list[i].name, &t) && (int)t == list[i].id, "%s", list[i].name);
        CHECK(dtype_from_name(info->name, &t) && (int)t == list[i].id, "%s", info->name);
    }
}

TEST(unknown_ids_and_names_are_refused)
{
    static const uint32_t gone[] = { 4, 5, 31, 32, 33, 36, 37, 38, 43, 1000, UINT32_MAX };
    enum dtype t = DTYPE_Q4_0;
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        CHECK(!dtype_info(gone[i]), "id %u", gone[i]);
    CHECK(!dtype_from_name("", &t) && !dtype_from_name("q4", &t) && !dtype_from_name("q4_0 ", &t));
    CHECK(t == DTYPE_Q4_0, "left alone");
}

TEST(row_sizes_are_checked)
{
    CHECK(dtype_row_bytes(DTYPE_Q4_K, 512) == 288);
    CHECK(dtype_row_bytes(DTYPE_Q4_K, 0) == 0);
    CHECK(dtype_row_bytes(DTYPE_Q4_K, 500) == 0);
    CHECK(dtype_row_bytes(DTYPE_F64, UINT64_MAX / 4) == 0, "overflow");
    CHECK(dtype_row_bytes(DTYPE_Q8_0, UINT64_MAX - 31) == 0, "overflow");
    CHECK(dtype_row_bytes((enum dtype)4, 32) == 0);
}

TEST(blocks_decode_to_the_bit)
{
    /* the types that llama.cpp itself has no decoder for (F32, integers) or no stand-alone meaning: no vectors */
    static const char *const without[] = { "f32", "f64", "i8", "i16", "i32", "i64", "q8_1", "q8_k" };
    for (int i = 0; i < N_LIST; i++) {
        char path[64], want_path[64];
        struct err err = { 0 };
        size_t n_bytes, n_want;
        const char *name = dtype_info((uint32_t)list[i].id)->name;
        bool skip = false;
        for (size_t k = 0; k < sizeof(without) / sizeof(without[0]); k++)
            skip |= strcmp(name, without[k]) == 0;
        if (skip)
            continue;
        snprintf(path, sizeof(path), "golden/blocks/%s.bin", name);
        snprintf(want_path, sizeof(want_path), "golden/blocks/%s.f32", name);
        char *blocks = file_read(test_shared(path), 1 << 20, &n_bytes, &err);
        REQUIRE(blocks, "%s", err.text);
        float *want = (float *)(void *)file_read(test_shared(want_path), 1 << 20, &n_want, &err);
        REQUIRE(want && n_want == 32 * 256 * 4);
        CHECK(n_bytes == dtype_row_bytes((enum dtype)list[i].id, 32 * 256), "%s: %zu bytes", name, n_bytes);
        float *got = malloc(n_want);
        REQUIRE(got);
        CHECK(dtype_to_f32(got, (enum dtype)list[i].id, blocks, 32 * 256), "%s", name);
        for (int k = 0; k < 32 * 256; k++)
            CHECK(bits(got[k]) == bits(want[k]), "%s[%d]: %.9g, not %.9g", name, k, got[k], want[k]);
        free(got), free(want), free(blocks);
    }
}

TEST(every_half_converts_there_and_back)
{
    for (uint32_t h = 0; h < 65536; h++) {
        const int exp = h >> 10 & 31, frac = h & 1023;
        const float f = dtype_f16_to_f32((uint16_t)h);
        double want = exp == 0 ? ldexp(frac, -24) : ldexp(1024 + frac, exp - 25);
        if (exp == 31 && frac) {
            CHECK(isnan(f) && (bits(f) & 0x400000) && bits(f) >> 31 == h >> 15, "%04x", h);
            CHECK(dtype_f32_to_f16(f) == (h | 0x200), "%04x", h);
            continue;
        }
        if (exp == 31)
            want = INFINITY;
        CHECK(bits(f) == bits((float)(h & 0x8000 ? -want : want)), "%04x: %.9g", h, f);
        CHECK(dtype_f32_to_f16(f) == h, "%04x", h);
    }
}

TEST(floats_round_to_the_nearest_half_even_on_ties)
{
    /* between each pair of neighbours: the middle goes to the even one, a hair off to the nearer one */
    for (uint32_t h = 0; h < 0x7bff; h++) {
        const float a = dtype_f16_to_f32((uint16_t)h), b = dtype_f16_to_f32((uint16_t)(h + 1));
        const float mid = a + (b - a) / 2;
        CHECK(dtype_f32_to_f16(mid) == h + (h & 1), "%04x", h);
        CHECK(dtype_f32_to_f16(nextafterf(mid, 0)) == h, "%04x", h);
        CHECK(dtype_f32_to_f16(nextafterf(mid, INFINITY)) == h + 1, "%04x", h);
        CHECK(dtype_f32_to_f16(-mid) == (0x8000 | (h + (h & 1))), "-%04x", h);
    }
    CHECK(dtype_f32_to_f16(65519.996f) == 0x7bff);
    CHECK(dtype_f32_to_f16(65520.0f) == 0x7c00);
    CHECK(dtype_f32_to_f16(1e30f) == 0x7c00 && dtype_f32_to_f16(-INFINITY) == 0xfc00);
    CHECK(dtype_f32_to_f16(1e-30f) == 0 && dtype_f32_to_f16(-0.0f) == 0x8000);
}

TEST(bf16_rounds_to_even_and_keeps_nan)
{
    for (uint32_t h = 0; h < 65536; h++) {
        const float f = dtype_bf16_to_f32((uint16_t)h);
        CHECK(bits(f) == h << 16, "%04x", h);
        CHECK(isnan(f) ? dtype_f32_to_bf16(f) == (h | 0x40) : dtype_f32_to_bf16(f) == h, "%04x", h);
    }
    CHECK(dtype_f32_to_bf16(from_bits(0x3f808000)) == 0x3f80);
    CHECK(dtype_f32_to_bf16(from_bits(0x3f808001)) == 0x3f81);
    CHECK(dtype_f32_to_bf16(from_bits(0x3f818000)) == 0x3f82);
    CHECK(dtype_f32_to_bf16(from_bits(0x7f7fffff)) == 0x7f80, "rounds to infinity");
    CHECK(dtype_f32_to_bf16(from_bits(0x7f800001)) == 0x7fc0, "the NaN whose payload is cut off");
}

TEST(any_bytes_decode_without_trouble)
{
    static float y[256];
    static uint8_t blocks[256 * 8];
    for (int i = 0; i < N_LIST; i++) {
        for (int round = 0; round < 200; round++) {
            for (size_t k = 0; k < sizeof(blocks); k++)
                blocks[k] = round == 0 ? 0 : round == 1 ? 0xff : (uint8_t)test_rand_u64();
            const bool numbers = list[i].id != DTYPE_Q8_1 && list[i].id != DTYPE_Q8_K;
            CHECK(dtype_to_f32(y, (enum dtype)list[i].id, blocks, 256) == numbers, "%s", list[i].name);
        }
    }
    CHECK(!dtype_to_f32(y, DTYPE_Q4_0, blocks, 33), "no multiple");
    CHECK(!dtype_to_f32(y, (enum dtype)5, blocks, 32), "no type");
}

TEST(a_half_that_is_infinite_or_nan_stays_visible)
{
    float y[256];
    uint8_t q8[34] = { 0x00, 0x7c, 1, 255 }, q4[18] = { 0x01, 0x7e, 0x99 };
    dtype_to_f32(y, DTYPE_Q8_0, q8, 32);
    CHECK(y[0] == INFINITY && y[1] == -INFINITY && isnan(y[2]), "inf x 1, inf x -1, inf x 0");
    dtype_to_f32(y, DTYPE_Q4_0, q4, 32);
    for (int i = 0; i < 32; i++)
        CHECK(isnan(y[i]));
}
