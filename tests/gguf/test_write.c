/* tests/gguf/test_write.c - what gguf/write.h writes, gguf/gguf.h reads; mistakes are reported, not written. */
#include "gguf/write.h"
#include "test.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static void put_keys(struct gguf_writer *w)
{
    static const struct gguf_str words[] = { { "a", 1 }, { "", 0 }, { "caf\xc3\xa9", 5 } };
    gguf_write_str(w, "general.architecture", "llama");
    gguf_write_u32(w, "n", 4000000000u);
    gguf_write_f32(w, "x", -0.125f);
    gguf_write_bool(w, "yes", true);
    gguf_write_strs(w, "words", words, 3);
    gguf_write_i32s(w, "types", (const int32_t[]){ 1, -2 }, 2);
    gguf_write_f32s(w, "scores", (const float[]){ 0.5f, -1.0f, 3.0f }, 3);
    gguf_write_strs(w, "none", NULL, 0);
}

TEST(what_is_written_is_read_back)
{
    struct err err = { 0 };
    const char *path = test_tmp("a.gguf");
    const float v[5] = { 1, 2, 3, 4, 5 };
    uint8_t q[2 * 34];
    uint32_t u = 0;
    float f = 0;
    bool b = false;
    size_t cursor = 0;
    for (size_t i = 0; i < sizeof(q); i++)
        q[i] = (uint8_t)i;
    struct gguf_writer *w = gguf_writer_new(&err);
    REQUIRE(w);
    put_keys(w);
    gguf_write_tensor(w, "vector", DTYPE_F32, 1, (const uint64_t[]){ 5 });
    gguf_write_tensor(w, "matrix", DTYPE_Q8_0, 2, (const uint64_t[]){ 32, 2 });
    CHECK(gguf_writer_data_bytes(w) == 32 + 96);
    REQUIRE(gguf_writer_begin(w, path, &err), "%s", err.text);
    CHECK(!exists(path), "the name appears when the file is complete");
    gguf_writer_data(w, v, 8);
    gguf_writer_data(w, v + 2, 12);
    CHECK(gguf_writer_next(w, &err), "%s", err.text);
    gguf_writer_data(w, q, sizeof(q));
    CHECK(gguf_writer_next(w, &err), "%s", err.text);
    CHECK(gguf_writer_end(w, &err), "%s", err.text);
    gguf_writer_free(w);

    struct gguf *g = gguf_open(path, &err);
    REQUIRE(g, "%s", err.text);
    CHECK(gguf_version(g) == 3 && gguf_n_kv(g) == 8 && gguf_n_tensors(g) == 2);
    CHECK(gguf_get_u32(g, "n", &u) && u == 4000000000u && gguf_get_f32(g, "x", &f) && f == -0.125f && gguf_get_bool(g, "yes", &b) && b);
    const struct gguf_kv *kv = gguf_find(g, "words");
    REQUIRE(kv && kv->n == 3);
    gguf_kv_next_str(kv, &cursor), gguf_kv_next_str(kv, &cursor);
    CHECK(memcmp(gguf_kv_next_str(kv, &cursor).data, "caf\xc3\xa9", 5) == 0);
    CHECK(gguf_kv_int(gguf_find(g, "types"), 1) == -2 && gguf_kv_float(gguf_find(g, "scores"), 2) == 3.0 && gguf_find(g, "none")->n == 0);
    const struct gguf_tensor *t = gguf_find_tensor(g, "vector");
    CHECK(t && t->n_bytes == 20 && memcmp(t->data, v, 20) == 0);
    t = gguf_find_tensor(g, "matrix");
    CHECK(t && t->type == DTYPE_Q8_0 && t->ne[1] == 2 && t->n_bytes == 68 && memcmp(t->data, q, 68) == 0);
    gguf_close(g);
}

TEST(an_incomplete_file_never_gets_the_name)
{
    struct err err = { 0 };
    char path[192], tmp[200];
    snprintf(path, sizeof(path), "%s", test_tmp("b.gguf"));
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    for (int how = 0; how < 4; how++) {
        struct gguf_writer *w = gguf_writer_new(&err);
        REQUIRE(w);
        gguf_write_tensor(w, "x", DTYPE_F32, 1, (const uint64_t[]){ 8 });
        REQUIRE(gguf_writer_begin(w, path, &err), "%s", err.text);
        CHECK(exists(tmp));
        const uint8_t bytes[64] = { 0 };
        gguf_writer_data(w, bytes, how == 1 ? 31 : how == 2 ? 33 : 32);
        if (how == 1)
            CHECK(!gguf_writer_next(w, &err) && strstr(err.text, "lacks 1 bytes"), "%s", err.text);
        if (how == 2)
            CHECK(!gguf_writer_next(w, &err) && strstr(err.text, "too many bytes"), "%s", err.text);
        if (how == 3)
            CHECK(!gguf_writer_end(w, &err) && strstr(err.text, "0 of 1 tensors"), "%s", err.text);
        gguf_writer_free(w); /* how 0: given up */
        CHECK(!exists(path) && !exists(tmp), "case %d", how);
    }
}

TEST(what_no_file_can_hold_is_refused)
{
    struct err err = { 0 };
    struct gguf_writer *w = gguf_writer_new(&err);
    REQUIRE(w);
    gguf_write_tensor(w, "x", DTYPE_Q8_0, 1, (const uint64_t[]){ 33 });
    CHECK(!gguf_writer_begin(w, test_tmp("c.gguf"), &err) && strstr(err.text, "tensor 'x'"), "%s", err.text);
    gguf_writer_free(w);
    w = gguf_writer_new(&err);
    REQUIRE(w);
    CHECK(!gguf_writer_begin(w, "/nonexistent/c.gguf", &err) && strstr(err.text, "/nonexistent/c.gguf"), "%s", err.text);
    gguf_writer_free(w);
    gguf_writer_free(NULL);
}
