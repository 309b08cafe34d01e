/* tests/onnx/test_check.c - files that must not get as far as ONNX Runtime; needs no library. */
#include <string.h>

#include "onnx/onnx_internal.h"
#include "test.h"
#include "write.h"

static struct onnx_bytes small_model(void)
{
    struct onnx_writer w;
    writer_begin(&w);
    writer_input(&w, "x", 1, (int64_t[]){ 1, 2 }, 2);
    writer_floats(&w, "w", (int64_t[]){ 2, 2 }, 2, (float[]){ 1, 2, 3, 4 });
    writer_node(&w, "MatMul", "x w", "y");
    writer_output(&w, "y", 1, (int64_t[]){ 1, 2 }, 2);
    return writer_finish(&w);
}

TEST(a_model_passes_and_every_shorter_one_does_not_crash)
{
    struct err err = { 0 };
    struct onnx_bytes m = small_model();
    CHECK(onnx_check(m.data, m.n, &err), "%s", err.text);
    int n_bad = 0;
    for (size_t n = 0; n < m.n; n++) {
        uint8_t *part = malloc(n ? n : 1); /* of its exact size: a sanitizer sees a step beyond */
        memcpy(part, m.data, n);
        n_bad += !onnx_check(part, n, &err);
        free(part);
    }
    CHECK(n_bad > (int)m.n - 8, "%d of %zu", n_bad, m.n);
    free(m.data);
}

/* A model whose one tensor says where its data lies. */
static bool with_location(const char *location, struct err *err)
{
    struct onnx_writer w;
    struct onnx_bytes entry = { 0 }, t = { 0 };
    writer_begin(&w);
    onnx_put_int(&t, 1, 1000);
    onnx_put_int(&t, 2, 1);
    onnx_put_text(&t, 8, "w");
    onnx_put_text(&entry, 1, "location");
    onnx_put_text(&entry, 2, location);
    onnx_put_message(&t, 13, &entry);
    onnx_put_int(&t, 14, 1);
    onnx_put_message(&w.graph, 5, &t);
    struct onnx_bytes m = writer_finish(&w);
    const bool good = onnx_check(m.data, m.n, err);
    free(m.data);
    return good;
}

TEST(external_data_stays_in_the_models_folder)
{
    static const struct {
        const char *location;
        bool good;
    } cases[] = {
        { "weights.bin", true },    { "sub/weights.bin", true }, { "a..b/w", true },    { "..w", true },      { "/etc/passwd", false },
        { "../secret", false },     { "sub/../../x", false },    { "sub/..", false },   { "..", false },      { "", false },
        { "..\\windows", false },   { "C:\\x", false },          { "a/b/../c", false }, { "./w.bin", true },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct err err = { 0 };
        CHECK(with_location(cases[i].location, &err) == cases[i].good, "\"%s\": %s", cases[i].location, err.text);
        CHECK(cases[i].good || strstr(err.text, "outside the model's folder"), "%s", err.text);
    }
}

TEST(tensors_do_not_claim_more_than_the_file_holds)
{
    static const struct {
        int64_t dims[3];
        bool good;
        const char *comment;
    } cases[] = {
        { { 2, 2, 1 }, true, "as it is" },
        { { 0, 7, 7 }, true, "empty" },
        { { 1 << 20, 1 << 20, 1 }, false, "a tera" },
        { { INT64_MAX, INT64_MAX, 2 }, false, "overflow" },
        { { -1, 2, 2 }, false, "negative" },
        { { 1 << 30, 0, 1 }, true, "empty after all" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct err err = { 0 };
        struct onnx_writer w;
        writer_begin(&w);
        struct onnx_bytes t = onnx_tensor("w", 1, cases[i].dims, 3, (float[4]){ 0 }, 16);
        onnx_put_message(&w.graph, 5, &t);
        struct onnx_bytes m = writer_finish(&w);
        CHECK(onnx_check(m.data, m.n, &err) == cases[i].good, "%s: %s", cases[i].comment, err.text);
        free(m.data);
    }
}

TEST(graphs_in_graphs_end_somewhere)
{
    struct err err = { 0 };
    struct onnx_bytes g = { 0 };
    onnx_put_text(&g, 2, "innermost");
    for (int i = 0; i < 100; i++) { /* graph > node > attribute > graph */
        struct onnx_bytes a = { 0 }, node = { 0 }, outer = { 0 };
        onnx_put_message(&a, 6, &g);
        onnx_put_message(&node, 5, &a);
        onnx_put_message(&outer, 1, &node);
        g = outer;
    }
    struct onnx_bytes m = { 0 };
    onnx_put_int(&m, 1, 7);
    onnx_put_message(&m, 7, &g);
    CHECK(!onnx_check(m.data, m.n, &err) && strstr(err.text, "deep"), "%s", err.text);
    free(m.data);
}

TEST(other_files_are_told_apart)
{
    struct err err = { 0 };
    struct onnx_facts facts, facts2;
    CHECK(!onnx_check((const uint8_t *)"\x20\0\0\0ORTM....", 12, &err) && err.code == ERR_UNSUPPORTED, "%s", err.text);
    CHECK(!onnx_check((const uint8_t *)"GGUF\3\0\0\0", 8, &err) && err.code == ERR_INPUT, "%s", err.text);
    struct onnx_bytes m = small_model();
    FILE *f = fopen(test_tmp("m.onnx"), "wb");
    REQUIRE(f);
    fwrite(m.data, 1, m.n, f);
    fclose(f);
    REQUIRE(onnx_check_facts(test_tmp("m.onnx"), 0, &facts, &err), "%s", err.text);
    CHECK(strlen(facts.hash) == 32);
    CHECK(!onnx_check_facts(test_tmp("m.onnx"), m.n - 1, &facts2, &err) && err.code == ERR_LIMIT, "%s", err.text);
    f = fopen(test_tmp("m2.onnx"), "wb");
    REQUIRE(f);
    m.data[m.n - 1] ^= 1; /* of the opset's number */
    fwrite(m.data, 1, m.n, f);
    fclose(f);
    REQUIRE(onnx_check_facts(test_tmp("m2.onnx"), 0, &facts2, &err), "%s", err.text);
    CHECK(strcmp(facts.hash, facts2.hash) != 0);
    free(m.data);
}
