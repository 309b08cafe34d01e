/* tests/onnx/test_onnx.c - models of a few operators through ONNX Runtime: buffers, shapes, links, texts, errors. */
#include <dirent.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "library.h"
#include "write.h"

#define DIMS(...) (int64_t[]){ __VA_ARGS__ }, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

enum { F32 = 1, I64 = 7, STRING = 8 };

/* y = 2 x, x [rows, 3] */
static const char *doubling(const char *name, int64_t rows)
{
    struct onnx_writer w;
    const char *path = test_tmp(name);
    writer_begin(&w);
    writer_input(&w, "x", F32, (int64_t[]){ rows, 3 }, 2);
    writer_floats(&w, "two", (int64_t[]){ 1 }, 1, (float[]){ 2 });
    writer_node(&w, "Mul", "x two", "y");
    writer_output(&w, "y", F32, (int64_t[]){ rows, 3 }, 2);
    writer_metadata(&w, "author", "nobody");
    writer_save(&w, path);
    return path;
}

TEST(fixed_shapes_are_bound_once_and_read_in_place)
{
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    struct onnx_session *s = onnx_session_open(o, doubling("a.onnx", 2), NULL, &err);
    REQUIRE(s, "%s", err.text);
    CHECK(onnx_n_inputs(s) == 1 && onnx_n_outputs(s) == 1 && onnx_find_input(s, "x") == 0 && onnx_find_output(s, "x") == -1);
    const struct tensor *x = onnx_input(s, 0);
    CHECK(strcmp(x->name, "x") == 0 && x->type == TENSOR_F32 && x->n_dims == 2 && x->dims[0] == 2 && x->dims[1] == 3 && x->n_bytes == 24);
    CHECK((uintptr_t)x->data % 64 == 0);
    CHECK(onnx_output(s, 0) == NULL);
    const void *place = NULL;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 6; i++)
            ((float *)x->data)[i] = (float)(i + round);
        REQUIRE(onnx_run(s, &err), "%s", err.text);
        const struct tensor *y = onnx_output(s, 0);
        REQUIRE(y && y->n_bytes == 24);
        for (int i = 0; i < 6; i++)
            CHECK(((float *)y->data)[i] == 2.0f * (float)(i + round));
        CHECK(!place || place == y->data, "the output moved");
        place = y->data;
    }
    CHECK(strcmp(onnx_provider(s), "cpu") == 0);
    onnx_session_close(s);
    onnx_close(o);
}

TEST(a_free_dimension_takes_any_size_and_the_buffer_stays_when_it_is_large_enough)
{
    static const int64_t rows[] = { 4, 2, 4, 7, 0, 1 };
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    struct onnx_session *s = onnx_session_open(o, doubling("b.onnx", -1), NULL, &err);
    REQUIRE(s, "%s", err.text);
    CHECK(onnx_input_info(s, 0)->dims[0] == -1 && onnx_input(s, 0)->data == NULL);
    CHECK(!onnx_run(s, &err) && strstr(err.text, "input x was not given"), "%s", err.text);
    const void *at_four = NULL;
    for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
        REQUIRE(onnx_set_dims(s, 0, (int64_t[]){ rows[k], 3 }, 2, &err), "%s", err.text);
        float *x = onnx_input(s, 0)->data;
        CHECK(rows[k] > 4 || !at_four || at_four == x || k > 3);
        at_four = x;
        for (int64_t i = 0; i < rows[k] * 3; i++)
            x[i] = (float)i;
        REQUIRE(onnx_run(s, &err), "%s", err.text);
        const struct tensor *y = onnx_output(s, 0);
        REQUIRE(y && y->dims[0] == rows[k] && y->n_bytes == (size_t)rows[k] * 12);
        for (int64_t i = 0; i < rows[k] * 3; i++)
            CHECK(((float *)y->data)[i] == (float)(2 * i));
    }
    CHECK(!onnx_set_dims(s, 0, DIMS(2, 4), &err) && strstr(err.text, "dimension 1 of input x is 3, 4 came"), "%s", err.text);
    CHECK(!onnx_set_dims(s, 0, DIMS(2), &err) && err.code == ERR_INPUT);
    CHECK(!onnx_set_dims(s, 0, DIMS(INT64_MAX / 2, 3), &err) && err.code == ERR_LIMIT, "%s", err.text);
    CHECK(!onnx_set_dims(s, 0, DIMS((int64_t)1 << 30, 3), &err) && err.code == ERR_LIMIT, "%s", err.text);
    onnx_session_close(s);
    onnx_close(o);
}

TEST(the_callers_memory_is_an_input_without_a_copy)
{
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    struct onnx_session *s = onnx_session_open(o, doubling("c.onnx", -1), NULL, &err);
    REQUIRE(s, "%s", err.text);
    float mine[6] = { 1, 2, 3, 4, 5, 6 };
    REQUIRE(onnx_bind_input(s, 0, mine, DIMS(2, 3), &err), "%s", err.text);
    REQUIRE(onnx_run(s, &err), "%s", err.text);
    CHECK(((float *)onnx_output(s, 0)->data)[5] == 12);
    mine[5] = 10; /* the session reads it where it lies */
    REQUIRE(onnx_run(s, &err), "%s", err.text);
    CHECK(((float *)onnx_output(s, 0)->data)[5] == 20);
    REQUIRE(onnx_set_dims(s, 0, DIMS(1, 3), &err), "%s", err.text);
    CHECK(onnx_input(s, 0)->data != mine);
    onnx_session_close(s);
    onnx_close(o);
}

TEST(outputs_of_one_session_are_inputs_of_the_next_without_a_copy)
{
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    for (int is_free = 0; is_free < 2; is_free++) {
        struct onnx_session *a = onnx_session_open(o, doubling("d.onnx", is_free ? -1 : 2), NULL, &err);
        struct onnx_session *b = onnx_session_open(o, doubling("e.onnx", -1), NULL, &err);
        struct onnx_session *c = onnx_session_open(o, doubling("f.onnx", -1), NULL, &err); /* a fan-out */
        REQUIRE(a && b && c, "%s", err.text);
        CHECK(!onnx_link(b, 0, a, 0, &err) && strstr(err.text, "has not run yet"), "%s", err.text);
        for (int round = 1; round <= 3; round++) {
            const int64_t rows = is_free ? round : 2;
            REQUIRE(onnx_set_dims(a, 0, (int64_t[]){ rows, 3 }, 2, &err));
            ((float *)onnx_input(a, 0)->data)[2] = (float)round;
            REQUIRE(onnx_run(a, &err), "%s", err.text);
            if (round == 1)
                REQUIRE(onnx_link(b, 0, a, 0, &err) && onnx_link(c, 0, a, 0, &err), "%s", err.text);
            REQUIRE(onnx_run(b, &err) && onnx_run(c, &err), "%s", err.text);
            CHECK(onnx_output(b, 0)->dims[0] == rows && ((float *)onnx_output(b, 0)->data)[2] == 4.0f * (float)round);
            CHECK(((float *)onnx_output(c, 0)->data)[2] == 4.0f * (float)round);
            CHECK(onnx_input(b, 0)->data == onnx_output(a, 0)->data, "a copy was made");
        }
        REQUIRE(onnx_set_dims(b, 0, DIMS(1, 3), &err)); /* unlinks */
        ((float *)onnx_input(b, 0)->data)[2] = 5;
        REQUIRE(onnx_run(b, &err), "%s", err.text);
        CHECK(((float *)onnx_output(b, 0)->data)[2] == 10);
        onnx_session_close(c);
        onnx_session_close(b);
        onnx_session_close(a);
    }
    onnx_close(o);
}

TEST(outputs_whose_size_depends_on_the_data_come_as_they_are)
{
    struct onnx_writer w;
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    const char *path = test_tmp("nonzero.onnx");
    writer_begin(&w);
    writer_input(&w, "x", F32, DIMS(5));
    writer_node(&w, "NonZero", "x", "where");
    writer_output(&w, "where", I64, DIMS(1, -1));
    writer_save(&w, path);
    struct onnx_session *s = onnx_session_open(o, path, NULL, &err);
    REQUIRE(s, "%s", err.text);
    for (int n = 0; n <= 5; n++) {
        for (int i = 0; i < 5; i++)
            ((float *)onnx_input(s, 0)->data)[i] = i < n ? 1 : 0;
        REQUIRE(onnx_run(s, &err), "%s", err.text);
        const struct tensor *t = onnx_output(s, 0);
        CHECK(t->type == TENSOR_I64 && t->n_dims == 2 && t->dims[1] == n && (n == 0 || ((int64_t *)t->data)[n - 1] == n - 1));
    }
    onnx_session_close(s);
    onnx_close(o);
}

TEST(texts_go_in_and_come_out)
{
    static const char bytes[] = "\x05\0\0\0hello\0\0\0\0\x03\0\0\0\xc3\xa9!";
    struct onnx_writer w;
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    const char *path = test_tmp("texts.onnx");
    writer_begin(&w);
    writer_input(&w, "in", STRING, DIMS(-1));
    writer_node(&w, "Identity", "in", "out");
    writer_output(&w, "out", STRING, DIMS(-1));
    writer_save(&w, path);
    struct onnx_session *s = onnx_session_open(o, path, NULL, &err);
    REQUIRE(s, "%s", err.text);
    for (int n = 3; n >= 0; n--) {
        static const size_t ends[] = { 0, 9, 13, 20 };
        struct tensor t = { .name = "in", .type = TENSOR_STRING, .n_dims = 1, .dims = { n }, .data = (void *)bytes, .n_bytes = ends[n] };
        REQUIRE(onnx_set_texts(s, 0, &t, &err), "%s", err.text);
        REQUIRE(onnx_run(s, &err), "%s", err.text);
        const struct tensor *out = onnx_output(s, 0);
        CHECK(out->dims[0] == n && out->n_bytes == ends[n] && memcmp(out->data, bytes, ends[n]) == 0 && tensor_check(out, &err), "%d: %zu bytes", n, out->n_bytes);
    }
    CHECK(!onnx_set_dims(s, 0, DIMS(1), &err) && strstr(err.text, "takes texts"), "%s", err.text);
    onnx_session_close(s);
    onnx_close(o);
}

TEST(external_data_beside_the_model_is_read_and_above_it_is_not)
{
    struct onnx_writer w;
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    for (int is_outside = 0; is_outside < 2; is_outside++) {
        struct onnx_bytes place = { 0 }, t = { 0 };
        FILE *f = fopen(test_tmp("weights.bin"), "wb");
        REQUIRE(f && fwrite((float[]){ 5 }, 4, 1, f) == 1 && fclose(f) == 0);
        writer_begin(&w);
        writer_input(&w, "x", F32, DIMS(1));
        onnx_put_int(&t, 1, 1);
        onnx_put_int(&t, 2, F32);
        onnx_put_text(&t, 8, "w");
        onnx_put_text(&place, 1, "location");
        onnx_put_text(&place, 2, is_outside ? "../weights.bin" : "weights.bin");
        onnx_put_message(&t, 13, &place);
        onnx_put_int(&t, 14, 1);
        onnx_put_message(&w.graph, 5, &t);
        writer_node(&w, "Mul", "x w", "y");
        writer_output(&w, "y", F32, DIMS(1));
        writer_save(&w, test_tmp("external.onnx"));
        struct onnx_session *s = onnx_session_open(o, test_tmp("external.onnx"), NULL, &err);
        CHECK((s != NULL) == !is_outside, "%s", err.text);
        CHECK(s || strstr(err.text, "outside the model's folder"), "%s", err.text);
        if (!s)
            continue;
        *(float *)onnx_input(s, 0)->data = 3;
        CHECK(onnx_run(s, &err) && *(float *)onnx_output(s, 0)->data == 15, "%s", err.text);
        onnx_session_close(s);
    }
    onnx_close(o);
}

TEST(what_is_no_model_is_an_error_of_one_line)
{
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    const char *path = test_tmp("bad.onnx");
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "", "empty" },
        { "hello, I am no model\n", "not an ONNX model" },
        { "\x3a\x00", "names no version" },
        { "\x08\x07\x3a\x00", "" }, /* an empty graph: ORT's words */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        FILE *f = fopen(path, "wb");
        REQUIRE(f);
        fwrite(cases[i].text, 1, i == 2 ? 2 : i == 3 ? 4 : strlen(cases[i].text), f);
        fclose(f);
        err_clear(&err);
        CHECK(!onnx_session_open(o, path, NULL, &err) && strstr(err.text, cases[i].says) && !strchr(err.text, '\n') && strstr(err.text, "bad.onnx"), "%s", err.text);
    }
    CHECK(!onnx_session_open(o, test_tmp("none.onnx"), NULL, &err) && err.code == ERR_NOT_FOUND, "%d %s", err.code, err.text);
    struct onnx_writer w;
    writer_begin(&w);
    writer_input(&w, "x", F32, DIMS(1));
    writer_node(&w, "Frobnicate", "x", "y");
    writer_output(&w, "y", F32, DIMS(1));
    writer_save(&w, path);
    CHECK(!onnx_session_open(o, path, NULL, &err) && strstr(err.text, "Frobnicate"), "%s", err.text);
    onnx_close(o);
}

TEST(a_run_that_fails_leaves_the_session_usable)
{
    struct onnx_writer w;
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    const char *path = test_tmp("gather.onnx");
    writer_begin(&w);
    writer_input(&w, "i", I64, DIMS(1));
    writer_floats(&w, "table", DIMS(3), (float[]){ 10, 20, 30 });
    writer_node(&w, "Gather", "table i", "y");
    writer_output(&w, "y", F32, DIMS(1));
    writer_save(&w, path);
    struct onnx_session *s = onnx_session_open(o, path, NULL, &err);
    REQUIRE(s, "%s", err.text);
    for (int64_t i = 0; i < 5; i++) {
        *(int64_t *)onnx_input(s, 0)->data = i;
        const bool good = onnx_run(s, &err);
        CHECK(good == (i < 3), "%d: %s", (int)i, err.text);
        CHECK(i < 3 || !strchr(err.text, '\n'));
    }
    *(int64_t *)onnx_input(s, 0)->data = 1;
    CHECK(onnx_run(s, &err) && *(float *)onnx_output(s, 0)->data == 20);
    onnx_session_close(s);
    onnx_close(o);
}

TEST(the_arena_is_bounded)
{
    struct onnx_writer w;
    struct err err = { 0 };
    const char *path = test_tmp("big.onnx");
    struct onnx *o = onnx_open(test_onnx_library(), &(struct onnx_options){ .n_threads = 1, .arena_max_bytes = 8 << 20 }, &err);
    REQUIRE(o, "%s", err.text);
    writer_begin(&w);
    writer_input(&w, "shape", I64, DIMS(1));
    writer_node(&w, "ConstantOfShape", "shape", "zeros");
    writer_node(&w, "ReduceSum", "zeros", "sum");
    writer_output(&w, "sum", F32, DIMS(-1));
    writer_save(&w, path);
    struct onnx_session *s = onnx_session_open(o, path, NULL, &err);
    REQUIRE(s, "%s", err.text);
    *(int64_t *)onnx_input(s, 0)->data = 1000;
    CHECK(onnx_run(s, &err), "%s", err.text);
    *(int64_t *)onnx_input(s, 0)->data = 1 << 28; /* 1 GiB */
    CHECK(!onnx_run(s, &err), "a tensor beyond the limit was made");
    *(int64_t *)onnx_input(s, 0)->data = (int64_t)1 << 60;
    CHECK(!onnx_run(s, &err));
    *(int64_t *)onnx_input(s, 0)->data = 1000;
    CHECK(onnx_run(s, &err), "%s", err.text);
    onnx_session_close(s);
    onnx_close(o);
}

static int n_threads_now(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    const struct dirent *e;
    while (d && (e = readdir(d)))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

TEST(threads_are_those_that_were_asked_for)
{
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    struct onnx_session *s = onnx_session_open(o, doubling("h.onnx", 2), NULL, &err);
    REQUIRE(s && onnx_run(s, &err), "%s", err.text);
    CHECK(n_threads_now() == 1, "%d", n_threads_now());
    onnx_session_close(s);
    onnx_close(o);
    o = test_onnx(3);
    s = onnx_session_open(o, doubling("i.onnx", 2), NULL, &err);
    REQUIRE(s && onnx_run(s, &err), "%s", err.text);
    CHECK(n_threads_now() == 3 && onnx_n_threads(o) == 3, "%d", n_threads_now());
    onnx_session_close(s);
    onnx_close(o);
}

TEST(a_provider_that_is_not_there_falls_back_to_the_cpu)
{
    static const char *const wish[] = { "tensorrt", "cuda", "openvino", "migraphx", "frob", "cpu", NULL };
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    struct onnx_session *s = onnx_session_open(o, doubling("j.onnx", 2), &(struct onnx_session_options){ .providers = wish }, &err);
    REQUIRE(s, "%s", err.text);
    CHECK(onnx_provider(s)[0] != '\0');
    CHECK(onnx_run(s, &err), "%s", err.text);
    CHECK(onnx_names_provider(o, "CPUExecutionProvider") && !onnx_names_provider(o, "FrobExecutionProvider"));
    onnx_session_close(s);
    onnx_close(o);
}

TEST(a_missing_library_says_how_to_get_one)
{
    struct err err = { 0 };
    char path[ONNX_PATH_MAX];
    const char *dir = test_tmp("empty");
    const struct onnx_places none = { .cwd = dir, .program_dir = dir, .data_home = dir };
    CHECK(!onnx_find_library(&none, path, &err) && err.code == ERR_NOT_FOUND && strstr(err.text, "npm i --ignore-scripts onnxruntime-node@1.27.0"), "%s", err.text);
    const struct onnx_places wrong = { .env = "/no/such/file.so", .cwd = "build" };
    CHECK(!onnx_find_library(&wrong, path, &err) && strstr(err.text, "TUTTI_ORT says /no/such/file.so"), "%s", err.text);
    CHECK(!onnx_open("/no/such/file.so", NULL, &err) && err.code == ERR_NOT_FOUND);
    CHECK(!onnx_open("libm.so.6", NULL, &err) && strstr(err.text, "OrtGetApiBase"), "%s", err.text);
}
