/* tests/gguf/test_gguf.c - good files and what is asked of them; damaged ones are in test_gguf_bad.c. */
#define _DEFAULT_SOURCE /* mincore */
#include "gguf/build.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct gguf *open_image(const struct image *m)
{
    struct err err = { 0 };
    struct gguf *g = gguf_open_memory(m->at, m->n, "image", &err);
    CHECK(g != NULL, "%s", err.text);
    return g;
}

static bool is_str(struct gguf_str s, const char *want) { return s.data && s.len == strlen(want) && memcmp(s.data, want, s.len) == 0; }

static void check_small_model(uint32_t version)
{
    static struct image m;
    struct gguf_str s;
    int64_t i = 0;
    float f = 0;
    bool b = false;
    put_small_model(&m, version);
    struct gguf *g = open_image(&m);
    REQUIRE(g);
    CHECK(gguf_version(g) == version && gguf_n_kv(g) == 20 && gguf_n_tensors(g) == 3 && gguf_n_parts(g) == 1);
    CHECK(gguf_file_bytes(g) == m.n && strcmp(gguf_path(g), "image") == 0);

    CHECK(gguf_get_str(g, "general.architecture", &s) && is_str(s, "llama"));
    CHECK(gguf_get_str(g, "a.string", &s) && is_str(s, "two\nlines"));
    CHECK(gguf_get_i64(g, "a.u8", &i) && i == 200);
    CHECK(gguf_get_i64(g, "a.i8", &i) && i == -100);
    CHECK(gguf_get_i64(g, "a.u16", &i) && i == 60000);
    CHECK(gguf_get_i64(g, "a.i16", &i) && i == -30000);
    CHECK(gguf_get_i64(g, "a.u32", &i) && i == 4000000000);
    CHECK(gguf_get_i64(g, "a.i32", &i) && i == -2000000000);
    CHECK(gguf_get_i64(g, "a.i64", &i) && i == INT64_MIN);
    CHECK(gguf_kv_uint(gguf_find(g, "a.u64"), 0) == UINT64_MAX);
    CHECK(gguf_get_f32(g, "a.f32", &f) && f == 1.5f);
    CHECK(gguf_get_f32(g, "a.f64", &f) && f == -2.25f);
    CHECK(gguf_get_bool(g, "a.bool", &b) && b);

    const struct gguf_tensor *t = gguf_find_tensor(g, "token_embd.weight");
    REQUIRE(t);
    CHECK(t->type == DTYPE_Q8_0 && t->n_dims == 2 && t->ne[0] == 64 && t->ne[1] == 4 && t->ne[2] == 1 && t->n_bytes == 272 && t->data[5] == 5);
    t = gguf_find_tensor(g, "blk.0.x");
    REQUIRE(t);
    CHECK(t->type == DTYPE_F16 && t->n_dims == 4 && t->ne[1] == 3 && t->n_bytes == 24 && t->data[0] == (uint8_t)320);
    CHECK(gguf_tensor_at(g, 1) == gguf_find_tensor(g, "output_norm.weight"));
    CHECK(!gguf_find_tensor(g, "blk.0.y") && !gguf_find_tensor(g, "") && !gguf_find(g, "token_embd.weight"));
    gguf_close(g);
}

TEST(a_version_3_file_opens_and_all_in_it_is_found) { check_small_model(3); }
TEST(a_version_2_file_opens_and_all_in_it_is_found) { check_small_model(2); }

TEST(numbers_convert_only_without_loss)
{
    static struct image m;
    uint32_t u = 77;
    int64_t i = 77;
    float f = 77;
    bool b = true;
    struct gguf_str s = { "77", 2 };
    put_small_model(&m, 3);
    struct gguf *g = open_image(&m);
    REQUIRE(g);
    CHECK(!gguf_get_u32(g, "a.i8", &u) && !gguf_get_u32(g, "a.u64", &u) && !gguf_get_u32(g, "a.f32", &u) && !gguf_get_u32(g, "a.bool", &u));
    CHECK(!gguf_get_u32(g, "b.i16s", &u) && !gguf_get_u32(g, "absent", &u) && u == 77, "left as it was");
    CHECK(!gguf_get_i64(g, "a.u64", &i) && !gguf_get_i64(g, "a.f64", &i) && !gguf_get_i64(g, "a.string", &i) && i == 77);
    CHECK(!gguf_get_f32(g, "a.string", &f) && !gguf_get_f32(g, "a.bool", &f) && !gguf_get_f32(g, "absent", &f) && f == 77);
    CHECK(!gguf_get_bool(g, "a.u8", &b) && b && !gguf_get_str(g, "b.strings", &s) && !gguf_get_str(g, "a.u8", &s) && s.len == 2);
    CHECK(gguf_get_u32(g, "c.small", &u) && u == 5 && gguf_get_f32(g, "c.small", &f) && f == 5.0f);
    gguf_close(g);
}

TEST(elements_of_arrays_are_read_in_order)
{
    static struct image m;
    size_t cursor = 0;
    put_small_model(&m, 3);
    struct gguf *g = open_image(&m);
    REQUIRE(g);
    const struct gguf_kv *kv = gguf_find(g, "b.strings");
    REQUIRE(kv && kv->type == GGUF_ARRAY && kv->elem_type == GGUF_STRING && kv->n == 3);
    CHECK(is_str(gguf_kv_next_str(kv, &cursor), "one") && is_str(gguf_kv_next_str(kv, &cursor), ""));
    CHECK(is_str(gguf_kv_next_str(kv, &cursor), "three") && !gguf_kv_next_str(kv, &cursor).data);
    kv = gguf_find(g, "b.i16s");
    REQUIRE(kv && kv->n == 4 && kv->n_bytes == 8);
    CHECK(gguf_kv_int(kv, 1) == -2 && gguf_kv_float(kv, 3) == -4.0 && gguf_kv_int(kv, 4) == 0);
    kv = gguf_find(g, "b.bools");
    CHECK(gguf_kv_int(kv, 0) == 0 && gguf_kv_int(kv, 1) == 1);
    kv = gguf_find(g, "b.empty");
    CHECK(kv && kv->n == 0 && !gguf_kv_next_str(kv, &(size_t){ 0 }).data);
    kv = gguf_find(g, "b.nested");
    CHECK(kv && kv->elem_type == GGUF_ARRAY && kv->n == 2 && gguf_kv_int(kv, 0) == 0);
    kv = gguf_find(g, "a.i8");
    CHECK(kv && kv->n == 1 && kv->elem_type == GGUF_I8 && gguf_kv_int(kv, 0) == -100, "scalars count as arrays of one");
    gguf_close(g);
}

TEST(value_types_have_the_names_of_the_specification)
{
    CHECK(strcmp(gguf_type_name(GGUF_U8), "u8") == 0 && strcmp(gguf_type_name(GGUF_F64), "f64") == 0);
    CHECK(strcmp(gguf_type_name((enum gguf_type)99), "?") == 0);
}

TEST(alignment_of_8_and_of_4096_hold)
{
    static struct image m;
    for (uint64_t a = 8; a <= 4096; a *= 512) {
        put_head(&m, 3, 2, 1);
        put_key_int(&m, "general.alignment", GGUF_U32, a);
        put_tensor(&m, "x", 1, (uint64_t[]){ 2 }, DTYPE_F32, 0);
        put_tensor(&m, "y", 1, (uint64_t[]){ 2 }, DTYPE_F32, a);
        while (m.n % a)
            put_int(&m, 0, 1);
        const size_t start = m.n;
        put_data(&m, a + 8);
        struct gguf *g = open_image(&m);
        REQUIRE(g);
        CHECK(gguf_find_tensor(g, "x")->data == m.at + start && gguf_find_tensor(g, "y")->data == m.at + start + a);
        gguf_close(g);
    }
}

static const char *write_image(const struct image *m, const char *name)
{
    const char *path = test_tmp(name);
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(m->at, 1, m->n, f) == m->n);
    if (f)
        fclose(f);
    return path;
}

/* One part of a split model with two tensors of 8 floats, which say where they come from. */
static void make_part(struct image *m, int64_t part, int64_t claimed_part, int64_t n_parts, int64_t n_tensors)
{
    char name[32];
    put_head(m, 3, 2, part == 0 ? 4 : 3);
    put_key_int(m, "split.no", GGUF_U16, (uint64_t)claimed_part);
    put_key_int(m, "split.count", GGUF_U16, (uint64_t)n_parts);
    put_key_int(m, "split.tensors.count", GGUF_I32, (uint64_t)n_tensors);
    if (part == 0)
        put_key_text(m, "general.name", "split");
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "t%d.%d", (int)part, i);
        put_tensor(m, name, 1, (uint64_t[]){ 8 }, DTYPE_F32, (uint64_t)(32 * i));
    }
    put_data(m, 64);
    m->at[m->n - 64] = (uint8_t)part;
}

TEST(a_split_model_opens_by_its_first_part)
{
    static struct image m;
    struct err err = { 0 };
    const char *first = NULL;
    size_t total = 0;
    for (int part = 2; part >= 0; part--) {
        char name[32];
        make_part(&m, part, part, 3, 6);
        total += m.n;
        snprintf(name, sizeof(name), "m-%05d-of-00003.gguf", part + 1);
        first = write_image(&m, name);
    }
    struct gguf *g = gguf_open(first, &err);
    REQUIRE(g, "%s", err.text);
    CHECK(gguf_n_parts(g) == 3 && gguf_n_tensors(g) == 6 && gguf_file_bytes(g) == total && gguf_n_kv(g) == 4);
    for (int part = 0; part < 3; part++) {
        char name[32];
        snprintf(name, sizeof(name), "t%d.0", part);
        const struct gguf_tensor *t = gguf_find_tensor(g, name);
        CHECK(t && t->part == part && t->data[0] == part);
        if (t)
            gguf_forget(g, t, 0, t->n_bytes);
        CHECK(t && t->data[0] == part, "what was forgotten is read again from the file");
    }
    gguf_close(g);
}

static void check_split_fails(const char *path, const char *want)
{
    struct err err = { 0 };
    struct gguf *g = gguf_open(path, &err);
    CHECK(!g && strstr(err.text, want) && !strchr(err.text, '\n'), "wanted '%s', got '%s'", want, err.text);
    gguf_close(g);
}

TEST(a_split_model_with_a_missing_or_wrong_part_says_which)
{
    static struct image m;
    char first[256];
    make_part(&m, 0, 0, 3, 6);
    snprintf(first, sizeof(first), "%s", write_image(&m, "m-00001-of-00003.gguf"));
    make_part(&m, 1, 1, 3, 6);
    const char *second = write_image(&m, "m-00002-of-00003.gguf");
    check_split_fails(first, "m-00003-of-00003.gguf");
    check_split_fails(first, "part 3 of 3 is missing");
    check_split_fails(second, "part 2 of 3 of a split model: name the first part, -00001-of-00003.gguf");
    make_part(&m, 1, 1, 3, 6);
    write_image(&m, "m-00003-of-00003.gguf");
    check_split_fails(first, "tensor 't1.0' appears twice");
    make_part(&m, 2, 1, 3, 6);
    write_image(&m, "m-00003-of-00003.gguf");
    check_split_fails(first, "m-00003-of-00003.gguf: not part 3 of 3");
    make_part(&m, 2, 2, 4, 6);
    write_image(&m, "m-00003-of-00003.gguf");
    check_split_fails(first, "m-00003-of-00003.gguf: not part 3 of 3");
    make_part(&m, 2, 2, 3, 6);
    m.n -= 40;
    write_image(&m, "m-00003-of-00003.gguf");
    check_split_fails(first, "m-00003-of-00003.gguf: tensor 't2.0' ends at byte");
    make_part(&m, 2, 2, 3, 6);
    write_image(&m, "m-00003-of-00003.gguf");
    make_part(&m, 0, 0, 3, 7);
    check_split_fails(write_image(&m, "m-00001-of-00003.gguf"), "the parts have 6 tensors");
    make_part(&m, 0, 0, 3, 6);
    check_split_fails(write_image(&m, "other.gguf"), "its name does not end in -00001-of-00003.gguf");
    make_part(&m, 0, 0, 60000, 6);
    check_split_fails(write_image(&m, "n-00001-of-60000.gguf"), "n-00002-of-60000.gguf");
    struct err err = { 0 };
    CHECK(!gguf_open_memory(m.at, m.n, "memory", &err) && strstr(err.text, "split"), "%s", err.text);
}

TEST(opening_does_not_read_the_weights)
{
    static struct image m;
    struct err err = { 0 };
    const uint64_t n = 1u << 30; /* one tensor of a GiB that lies in a hole of the file */
    put_head(&m, 3, 1, 0);
    put_tensor(&m, "big", 2, (uint64_t[]){ 1 << 20, n >> 20 }, DTYPE_I8, 0);
    const char *path = write_image(&m, "big.gguf");
    const uint64_t size = (m.n + 31) / 32 * 32 + n;
    if (truncate(path, (off_t)size) != 0)
        SKIP("no sparse files here");
    struct gguf *g = gguf_open(path, &err);
    REQUIRE(g, "%s", err.text);
    const int fd = open(path, O_RDONLY);
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    REQUIRE(map != MAP_FAILED);
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), n_pages = (size_t)(size / page);
    unsigned char *in = calloc(n_pages + 1, 1);
    REQUIRE(in && mincore(map, size, in) == 0);
    size_t n_in = 0;
    for (size_t i = 0; i < n_pages; i++)
        n_in += in[i] & 1;
    CHECK(n_in * page < (8u << 20), "%zu of %zu pages were read", n_in, n_pages);
    munmap(map, size);
    close(fd);
    free(in);
    gguf_close(g);
}

TEST(two_hundred_thousand_tensors_open_quickly)
{
    const uint64_t n = 200000;
    struct err err = { 0 };
    static struct image m; /* a piece at a time */
    const char *path = test_tmp("many.gguf");
    FILE *f = fopen(path, "wb");
    REQUIRE(f);
    put_head(&m, 3, n, 0);
    for (uint64_t i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof(name), "blk.%d.weight", (int)i);
        put_tensor(&m, name, 1, (uint64_t[]){ 1 }, DTYPE_I8, i * 32);
        fwrite(m.at, 1, m.n, f);
        m.n = 0;
    }
    for (uint64_t i = 0; i < n + 1; i++)
        fwrite((const char[32]){ 0 }, 1, 32, f);
    fclose(f);
    const clock_t start = clock(); /* of this process: others may keep the machine or the disk busy */
    struct gguf *g = gguf_open(path, &err);
    const double ms = (double)(clock() - start) * 1e3 / CLOCKS_PER_SEC;
    REQUIRE(g, "%s", err.text);
    CHECK(gguf_n_tensors(g) == n && gguf_find_tensor(g, "blk.123456.weight") == gguf_tensor_at(g, 123456));
    CHECK(ms < 5000, "%.0f ms", ms); /* 40 ms here; a quadratic search would take minutes */
    gguf_close(g);
}

static void open_folder(const char *folder, int at_least)
{
    char path[512];
    int n = 0;
    DIR *d = opendir(folder);
    REQUIRE(d);
    for (const struct dirent *e; (e = readdir(d));) {
        struct err err = { 0 };
        const size_t len = strlen(e->d_name);
        if (len < 5 || strcmp(e->d_name + len - 5, ".gguf") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        struct gguf *g = gguf_open(path, &err);
        CHECK(g != NULL, "%s", err.text);
        CHECK(!g || gguf_find(g, "general.architecture"), "%s", path);
        gguf_close(g);
        n++;
    }
    closedir(d);
    CHECK(n >= at_least, "%d files in %s", n, folder);
}

TEST(the_golden_architectures_open) { open_folder(test_shared("golden/arch"), 20); }
TEST(the_golden_number_formats_open) { open_folder(test_shared("golden/quant"), 20); }
TEST(the_vocabularies_open) { open_folder(test_shared("vocab"), 10); }
TEST(the_small_language_models_open) { open_folder(test_shared("models/llm"), 10); }
