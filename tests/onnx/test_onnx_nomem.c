/* tests/onnx/test_onnx_nomem.c - a session whose nth allocation fails says so in one line and keeps nothing. */
#include <string.h>

#include "fail_alloc.h"
#include "library.h"
#include "write.h"

static struct onnx *library;

static bool open_and_run(void *path, struct err *err)
{
    struct onnx_session *s = onnx_session_open(library, path, NULL, err);
    if (!s)
        return false;
    static const char text[] = "\x02\0\0\0hi";
    const struct tensor t = { .name = "t", .type = TENSOR_STRING, .n_dims = 1, .dims = { 1 }, .data = (void *)text, .n_bytes = 6 };
    const bool good = onnx_set_dims(s, 0, (int64_t[]){ 3, 2 }, 2, err) && onnx_set_texts(s, 1, &t, err) && onnx_run(s, err) &&
                      onnx_set_dims(s, 0, (int64_t[]){ 300, 2 }, 2, err) && onnx_run(s, err);
    onnx_session_close(s);
    return good;
}

TEST(a_session_survives_every_failing_allocation)
{
    struct onnx_writer w;
    char path[512];
    struct err err = { 0 };
    library = test_onnx(1);
    snprintf(path, sizeof path, "%s", test_tmp("m.onnx"));
    writer_begin(&w);
    writer_input(&w, "x", 1, (int64_t[]){ -1, 2 }, 2);
    writer_input(&w, "t", 8, (int64_t[]){ 1 }, 1);
    writer_node(&w, "Relu", "x", "y");
    writer_node(&w, "Identity", "t", "u");
    writer_output(&w, "y", 1, (int64_t[]){ -1, 2 }, 2);
    writer_output(&w, "u", 8, (int64_t[]){ 1 }, 1);
    writer_metadata(&w, "k", "v");
    writer_save(&w, path);
    REQUIRE(open_and_run(path, &err), "%s", err.text); /* what the library keeps for good is there now */
    CHECK(fail_alloc_each(open_and_run, path, 200) > 5);
    onnx_close(library);
}
