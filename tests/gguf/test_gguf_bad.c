/* tests/gguf/test_gguf_bad.c - damaged, lying and hostile files: one line, at once, no crash. */
#include "gguf/build.h"
#include "test.h"

#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { OPEN_MS_MAX = 5000 };
#else
enum { OPEN_MS_MAX = 1000 };
#endif

/* Opens, wants one line with `want` in it (NULL: may also open), within a second of computing. */
static void check_refused(const void *bytes, size_t n, const char *want, const char *comment)
{
    struct err err = { 0 };
    const clock_t start = clock();
    struct gguf *g = gguf_open_memory(bytes, n, "FILE", &err);
    const double ms = (double)(clock() - start) * 1e3 / CLOCKS_PER_SEC;
    CHECK(ms < OPEN_MS_MAX, "%s: %.0f ms", comment, ms);
    CHECK(!g, "%s: opened", comment);
    CHECK(g || (err.code != ERR_NONE && strncmp(err.text, "FILE: ", 6) == 0 && !strchr(err.text, '\n') && strstr(err.text, want)),
          "%s: wanted '%s', got '%s'", comment, want, err.text);
    gguf_close(g);
}

/* Reads all that can be asked; under a sanitizer this is what proves that offsets were checked. */
static uint64_t walk(const struct gguf *g)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < gguf_n_kv(g); i++) {
        const struct gguf_kv *kv = gguf_kv_at(g, i);
        size_t cursor = 0;
        for (uint64_t k = 0; k < kv->n && kv->elem_type != GGUF_ARRAY; k++) {
            const struct gguf_str s = gguf_kv_next_str(kv, &cursor);
            sum += (uint64_t)gguf_kv_int(kv, k) + (s.len ? (uint8_t)s.data[0] + (uint8_t)s.data[s.len - 1] : 0);
        }
    }
    for (size_t i = 0; i < gguf_n_tensors(g); i++)
        sum += gguf_tensor_at(g, i)->data[0] + (uint64_t)gguf_tensor_at(g, i)->data[gguf_tensor_at(g, i)->n_bytes - 1];
    return sum;
}

typedef void make_fn(struct image *m);

static void wrong_magic(struct image *m) { put_small_model(m, 3), m->at[0] = 'g'; }
static void empty(struct image *m) { m->n = 0; }
static void three_bytes(struct image *m) { put_small_model(m, 3), m->n = 3; }
static void lfs_pointer(struct image *m)
{
    m->n = 0;
    put_bytes(m, "version https://git-lfs.github.com/spec/v1\n", 43);
}
static void version_1(struct image *m) { put_small_model(m, 1); }
static void version_0(struct image *m) { put_small_model(m, 0); }
static void version_4(struct image *m) { put_small_model(m, 4); }
static void big_endian(struct image *m) { put_small_model(m, 0x03000000); }
static void many_tensors(struct image *m) { put_head(m, 3, 1ull << 60, 0), put_data(m, 100); }
static void all_tensors(struct image *m) { put_head(m, 3, UINT64_MAX, 0), put_data(m, 100); }
static void many_keys(struct image *m) { put_head(m, 3, 0, 1ull << 60), put_data(m, 100); }
static void one_key_too_many(struct image *m) { put_head(m, 3, 0, 2), put_key_text(m, "a", "as long as two short keys"); }
static void keys_beyond_limit(struct image *m)
{
    put_head(m, 3, 0, 0);
    m->n = sizeof(m->at);
    memset(m->at + 24, 0, m->n - 24);
    m->at[16] = 0xff, m->at[17] = 0x0f;
}
static void long_key(struct image *m) { put_head(m, 3, 0, 1), put_u64(m, 1ull << 63), put_data(m, 100); }
static void key_of_70000(struct image *m) { put_head(m, 3, 0, 1), put_u64(m, 70000), put_data(m, 100); }
static void empty_key(struct image *m) { put_head(m, 3, 0, 1), put_key_int(m, "", GGUF_U8, 1), put_data(m, 100); }
static void key_with_newline(struct image *m) { put_head(m, 3, 0, 1), put_key_int(m, "a\nb", GGUF_U8, 1); }
static void key_with_escape(struct image *m) { put_head(m, 3, 0, 1), put_key_int(m, "a\x1b[2J", GGUF_U8, 1); }
static void key_not_utf8(struct image *m) { put_head(m, 3, 0, 1), put_key_int(m, "a\xff", GGUF_U8, 1); }
static void key_with_nul(struct image *m)
{
    put_head(m, 3, 0, 1), put_u64(m, 3), put_bytes(m, "a\0b", 3), put_u32(m, GGUF_U8), put_int(m, 1, 1);
}
static void key_twice(struct image *m) { put_head(m, 3, 0, 2), put_key_int(m, "same", GGUF_U8, 1), put_key_int(m, "same", GGUF_U8, 1); }
static void unknown_type(struct image *m) { put_head(m, 3, 0, 1), put_key(m, "a", 13), put_data(m, 64); }
static void unknown_element(struct image *m) { put_head(m, 3, 0, 1), put_array(m, "a", 4000000000u, 1), put_data(m, 64); }
static void long_string(struct image *m) { put_head(m, 3, 0, 1), put_key(m, "a", GGUF_STRING), put_u64(m, 1ull << 63), put_data(m, 64); }
static void string_one_too_long(struct image *m)
{
    put_head(m, 3, 0, 1), put_key(m, "a", GGUF_STRING), put_u64(m, 4), put_bytes(m, "abc", 3);
}
static void long_array(struct image *m) { put_head(m, 3, 0, 1), put_array(m, "a", GGUF_U8, 1ull << 60), put_data(m, 64); }
static void overflowing_array(struct image *m) { put_head(m, 3, 0, 1), put_array(m, "a", GGUF_U64, 1ull << 61), put_data(m, 64); }
static void long_string_array(struct image *m) { put_head(m, 3, 0, 1), put_array(m, "a", GGUF_STRING, UINT64_MAX / 8), put_data(m, 64); }
static void short_string_array(struct image *m)
{
    put_head(m, 3, 0, 1), put_array(m, "a", GGUF_STRING, 2), put_text(m, "one"), put_u64(m, 100), put_bytes(m, "two", 3);
}
static void deep_array(struct image *m)
{
    put_head(m, 3, 0, 1), put_array(m, "a", GGUF_ARRAY, 1);
    for (int i = 0; i < 5000; i++)
        put_u32(m, GGUF_ARRAY), put_u64(m, 1);
}
static void nested_lie(struct image *m)
{
    put_head(m, 3, 0, 1), put_array(m, "a", GGUF_ARRAY, 1), put_u32(m, GGUF_I64), put_u64(m, 1ull << 62), put_data(m, 64);
}
static void nested_unknown(struct image *m)
{
    put_head(m, 3, 0, 1), put_array(m, "a", GGUF_ARRAY, 1), put_u32(m, 77), put_u64(m, 1), put_data(m, 64);
}
static void bool_of_2(struct image *m) { put_head(m, 3, 0, 1), put_key_int(m, "a", GGUF_BOOL, 2); }
static void alignment_0(struct image *m) { put_head(m, 3, 0, 1), put_key_int(m, "general.alignment", GGUF_U32, 0); }
static void alignment_3(struct image *m) { put_head(m, 3, 0, 1), put_key_int(m, "general.alignment", GGUF_U32, 48); }
static void alignment_huge(struct image *m) { put_head(m, 3, 0, 1), put_key_int(m, "general.alignment", GGUF_U32, 1u << 31); }
static void alignment_text(struct image *m) { put_head(m, 3, 0, 1), put_key_text(m, "general.alignment", "32"); }

static void tensor(struct image *m, uint32_t n_dims, const uint64_t *ne, uint32_t type, uint64_t offset)
{
    put_head(m, 3, 1, 0);
    put_tensor(m, "blk.3.ffn_up.weight", n_dims, ne, type, offset);
    put_data(m, 128);
}
#define NE (const uint64_t[])
static void no_dims(struct image *m) { tensor(m, 0, NE{ 1 }, DTYPE_F32, 0); }
static void five_dims(struct image *m) { tensor(m, 5, NE{ 1, 1, 1, 1, 1 }, DTYPE_F32, 0); }
static void many_dims(struct image *m) { put_head(m, 3, 1, 0), put_text(m, "x"), put_u32(m, UINT32_MAX), put_data(m, 64); }
static void zero_dim(struct image *m) { tensor(m, 2, NE{ 4, 0 }, DTYPE_F32, 0); }
static void product_overflows(struct image *m) { tensor(m, 4, NE{ 1ull << 32, 1ull << 31, 4, 1 }, DTYPE_F32, 0); }
static void product_wraps_to_small(struct image *m) { tensor(m, 2, NE{ 1ull << 33, 1ull << 31 }, DTYPE_F32, 0); }
static void bytes_overflow(struct image *m) { tensor(m, 1, NE{ 1ull << 62 }, DTYPE_F64, 0); }
static void negative_dim(struct image *m) { tensor(m, 1, NE{ (uint64_t)-32 }, DTYPE_F32, 0); }
static void half_block(struct image *m) { tensor(m, 2, NE{ 48, 2 }, DTYPE_Q8_0, 0); }
static void removed_type(struct image *m) { tensor(m, 1, NE{ 32 }, 4, 0); }
static void type_beyond(struct image *m) { tensor(m, 1, NE{ 32 }, 43, 0); }
static void type_negative(struct image *m) { tensor(m, 1, NE{ 32 }, 0xffffffff, 0); }
static void too_long(struct image *m) { tensor(m, 1, NE{ 33 }, DTYPE_F32, 0); }
static void offset_beyond(struct image *m) { tensor(m, 1, NE{ 8 }, DTYPE_F32, 128); }
static void offset_overflows(struct image *m) { tensor(m, 1, NE{ 8 }, DTYPE_F32, UINT64_MAX - 31); }
static void offset_odd(struct image *m) { tensor(m, 1, NE{ 8 }, DTYPE_F32, 16); }
static void tensor_twice(struct image *m)
{
    put_head(m, 3, 2, 0), put_tensor(m, "x", 1, NE{ 8 }, DTYPE_F32, 0), put_tensor(m, "x", 1, NE{ 8 }, DTYPE_F32, 32), put_data(m, 64);
}
static void tensors_overlap(struct image *m)
{
    put_head(m, 3, 3, 0);
    put_tensor(m, "x", 1, NE{ 32 }, DTYPE_F32, 0), put_tensor(m, "y", 1, NE{ 32 }, DTYPE_F32, 0), put_tensor(m, "z", 1, NE{ 32 }, DTYPE_F32, 0);
    put_data(m, 128);
}
static void long_name(struct image *m)
{
    put_head(m, 3, 1, 0);
    put_tensor(m, "0123456789012345678901234567890123456789012345678901234567890123x", 1, NE{ 8 }, DTYPE_F32, 0);
    put_data(m, 64);
}
static void no_name(struct image *m) { put_head(m, 3, 1, 0), put_tensor(m, "", 1, NE{ 8 }, DTYPE_F32, 0), put_data(m, 64); }
static void name_with_newline(struct image *m) { put_head(m, 3, 1, 0), put_tensor(m, "a\r\nb", 1, NE{ 8 }, DTYPE_F32, 0), put_data(m, 64); }
static void no_data(struct image *m) { put_head(m, 3, 1, 0), put_tensor(m, "x", 1, NE{ 8 }, DTYPE_F32, 0); }
static void split_nonsense(struct image *m) { put_head(m, 3, 0, 1), put_key_int(m, "split.count", GGUF_I64, (uint64_t)-1); }
static void split_text(struct image *m) { put_head(m, 3, 0, 1), put_key_text(m, "split.count", "3"); }

static const struct {
    make_fn *make;
    const char *want, *comment;
} bad[] = {
    { wrong_magic, "not a GGUF file", "wrong magic" },
    { empty, "the file is empty", "no byte at all" },
    { three_bytes, "not a GGUF file", "shorter than the magic" },
    { lfs_pointer, "git lfs pull", "a Git LFS pointer" },
    { version_1, "GGUF version 1; versions 2 and 3", "version 1" },
    { version_0, "GGUF version 0", "version 0" },
    { version_4, "GGUF version 4", "version 4" },
    { big_endian, "big-endian", "big-endian" },
    { many_tensors, "1152921504606846976 tensors do not fit", "2^60 tensors" },
    { all_tensors, "18446744073709551615 tensors do not fit", "2^64 - 1 tensors" },
    { many_keys, "1152921504606846976 keys do not fit", "2^60 keys" },
    { one_key_too_many, "passes the end of the file", "one key too many" },
    { keys_beyond_limit, "key 0 has 0 bytes", "4095 keys of zeros" },
    { long_key, "key 0 has 9223372036854775808 bytes", "a key of 2^63 bytes" },
    { key_of_70000, "key 0 has 70000 bytes", "a key longer than the specification allows" },
    { empty_key, "key 0 has 0 bytes", "a key without a name" },
    { key_with_newline, "key 0 is not printable", "a key that would break the line" },
    { key_with_escape, "key 0 is not printable", "a key that would move the cursor" },
    { key_not_utf8, "key 0 is not printable", "a key that is no UTF-8" },
    { key_with_nul, "key 0 is not printable", "a key with a 0 inside" },
    { key_twice, "key 'same' appears twice", "a key twice" },
    { unknown_type, "key 'a': byte 33: value type 13 does not exist", "a value type that does not exist" },
    { unknown_element, "value type 4000000000 does not exist", "an element type that does not exist" },
    { long_string, "string of 9223372036854775808 bytes passes the end", "a string of 2^63 bytes" },
    { string_one_too_long, "string of 4 bytes passes the end", "a string one byte too long" },
    { long_array, "1152921504606846976 values of type u8 pass the end", "an array of 2^60 bytes" },
    { overflowing_array, "values of type u64 pass the end", "an array whose size wraps" },
    { long_string_array, "values of type string pass the end", "an array of 2^61 strings" },
    { short_string_array, "string of 100 bytes passes the end", "an array whose last string is cut" },
    { deep_array, "nested deeper than 4", "5000 nested arrays" },
    { nested_lie, "values of type i64 pass the end", "a nested array of 2^62 numbers" },
    { nested_unknown, "value type 77 does not exist", "a nested type that does not exist" },
    { bool_of_2, "2 is no truth value", "a bool of 2" },
    { alignment_0, "'general.alignment' is 0", "alignment 0" },
    { alignment_3, "'general.alignment' is 48", "alignment 48" },
    { alignment_huge, "'general.alignment' is 2147483648", "alignment 2^31" },
    { alignment_text, "'general.alignment' is of type string", "alignment as text" },
    { no_dims, "0 dimensions", "a tensor without dimensions" },
    { five_dims, "5 dimensions", "five dimensions" },
    { many_dims, "4294967295 dimensions", "2^32 - 1 dimensions" },
    { zero_dim, "dimension 1 is 0", "a dimension of 0" },
    { product_overflows, "product of its dimensions overflows", "2^65 values" },
    { product_wraps_to_small, "product of its dimensions overflows", "2^64 values, which wrap to 0" },
    { bytes_overflow, "size in bytes overflows", "2^65 bytes" },
    { negative_dim, "product of its dimensions overflows", "a negative dimension" },
    { half_block, "rows of 48 values are no multiple of the 32 in a block of q8_0", "a row of one and a half blocks" },
    { removed_type, "tensor type 4 is unknown", "a type that was removed" },
    { type_beyond, "tensor type 43 is unknown", "a type that does not exist" },
    { type_negative, "tensor type 4294967295 is unknown", "a negative type" },
    { too_long, "tensor 'blk.3.ffn_up.weight' ends at byte 228 of 224", "a tensor one value too long" },
    { offset_beyond, "ends at byte 256 of 224", "a tensor that starts at the end" },
    { offset_overflows, "which overflows", "an offset that wraps" },
    { offset_odd, "no multiple of the alignment 32", "an offset that is not aligned" },
    { tensor_twice, "tensor 'x' appears twice", "a tensor twice" },
    { tensors_overlap, "3 tensors overlap", "tensors on top of each other" },
    { long_name, "tensor 0 has 65 bytes", "a tensor's name of 65 bytes" },
    { no_name, "tensor 0 has 0 bytes", "a tensor without a name" },
    { name_with_newline, "tensor 0 is not printable", "a tensor's name that would break the line" },
    { no_data, "ends at byte", "no data at all" },
    { split_nonsense, "'split.count' is no number", "minus one part" },
    { split_text, "'split.count' is no number", "parts as text" },
};

TEST(each_kind_of_damage_gives_its_line)
{
    static struct image m;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bad[i].make(&m);
        check_refused(m.at, m.n, bad[i].want, bad[i].comment);
    }
}

TEST(a_file_cut_at_any_byte_is_refused)
{
    static struct image m;
    put_small_model(&m, 3);
    struct err err = { 0 };
    struct gguf *g = gguf_open_memory(m.at, m.n, "FILE", &err);
    REQUIRE(g, "%s", err.text);
    gguf_close(g);
    for (size_t n = 0; n < m.n; n++) {
        uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read beyond it */
        REQUIRE(exact);
        memcpy(exact, m.at, n);
        check_refused(exact, n, "", "cut");
        free(exact);
    }
}

TEST(a_flipped_bit_anywhere_does_no_harm)
{
    static struct image m;
    put_small_model(&m, 3);
    uint8_t *exact = malloc(m.n);
    REQUIRE(exact);
    memcpy(exact, m.at, m.n);
    int n_open = 0;
    for (size_t bit = 0; bit < m.n * 8; bit++) {
        struct err err = { 0 };
        exact[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct gguf *g = gguf_open_memory(exact, m.n, "FILE", &err);
        if (g)
            n_open++, walk(g);
        else
            CHECK(err.text[0] && !strchr(err.text, '\n'), "bit %zu", bit);
        gguf_close(g);
        exact[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK(n_open > 0);
    free(exact);
}

TEST(random_damage_does_no_harm)
{
    static struct image m;
    static const uint64_t nasty[] = { 0, 1, 0x7f, 0xff, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX, 1ull << 32, 1ull << 63, 9 };
    put_small_model(&m, 3);
    uint8_t *exact = malloc(m.n);
    REQUIRE(exact);
    for (int round = 0; round < 20000; round++) {
        struct err err = { 0 };
        memcpy(exact, m.at, m.n);
        for (uint64_t k = test_rand_u64() % 3 + 1; k > 0; k--) {
            const uint64_t v = nasty[test_rand_u64() % (sizeof(nasty) / sizeof(nasty[0]))];
            const size_t n = (size_t)1 << test_rand_u64() % 4, at = test_rand_u64() % (m.n - 8);
            memcpy(exact + at, &v, n);
        }
        struct gguf *g = gguf_open_memory(exact, m.n, "FILE", &err);
        if (g)
            walk(g);
        else
            CHECK(err.text[0] && !strchr(err.text, '\n'), "round %d", round);
        gguf_close(g);
    }
    free(exact);
}

/* A file that is nearly all hole: claims that a size check alone would believe. */
static void check_sparse(const char *comment, const struct image *m, const char *want)
{
    struct err err = { 0 };
    const char *path = test_tmp("sparse.gguf");
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(m->at, 1, m->n, f) == m->n);
    fclose(f);
    if (truncate(path, (off_t)1 << 38) != 0) /* 256 GiB */
        SKIP("no sparse files here");
    const clock_t start = clock();
    struct gguf *g = gguf_open(path, &err);
    const double ms = (double)(clock() - start) * 1e3 / CLOCKS_PER_SEC;
    CHECK(!g && strstr(err.text, want) && !strchr(err.text, '\n'), "%s: '%s'", comment, err.text);
    CHECK(ms < OPEN_MS_MAX, "%s: %.0f ms", comment, ms);
    gguf_close(g);
}

TEST(lies_in_a_huge_sparse_file_cost_no_time_and_no_memory)
{
    static struct image m;
    if (getenv("TEST_RUN"))
        SKIP("an emulator takes seconds to map 256 GiB");
    put_head(&m, 3, 1ull << 32, 1);
    put_key_int(&m, "a", GGUF_U8, 1);
    check_sparse("2^32 tensors", &m, "tensors, at most");
    put_head(&m, 3, 0, 1ull << 32);
    check_sparse("2^32 keys", &m, "keys, at most");
    put_head(&m, 3, 1, 1);
    put_array(&m, "a", GGUF_STRING, 1ull << 34);
    check_sparse("2^34 empty strings", &m, "more than 64 MiB of metadata");
    put_head(&m, 3, 1, 1);
    put_array(&m, "a", GGUF_BOOL, 1ull << 37);
    check_sparse("2^37 truth values", &m, "more than 64 MiB of metadata");
    put_head(&m, 3, 1, 1);
    put_array(&m, "a", GGUF_ARRAY, 1ull << 33);
    check_sparse("2^33 empty arrays", &m, "more than 64 MiB of metadata");
    put_head(&m, 3, 100000, 0);
    check_sparse("100000 tensors of zeros", &m, "tensor 0 has 0 bytes");
}

TEST(what_is_no_file_is_refused)
{
    struct err err = { 0 };
    CHECK(!gguf_open("/", &err) && strstr(err.text, "not a regular file"), "%s", err.text);
    CHECK(!gguf_open("/nonexistent/model.gguf", &err) && err.code == ERR_NOT_FOUND, "%s", err.text);
    CHECK(!gguf_open("/dev/zero", &err) && strstr(err.text, "not a regular file"), "%s", err.text);
}

TEST(a_long_path_does_not_push_the_reason_out_of_the_line)
{
    char name[250];
    struct err err = { 0 };
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    const char *file = test_tmp(name);
    FILE *f = fopen(file, "wb");
    if (!f)
        SKIP("no such path here");
    fclose(f);
    CHECK(!gguf_open(file, &err) && strstr(err.text, "the file is empty"), "%s", err.text);
}
