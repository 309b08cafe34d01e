/* tests/onnx/library.h - ONNX Runtime for tests: as the program would find it, and in build/node_modules (npm i --prefix build ...);
 * ends the test as skipped when there is none. */
#ifndef TUTTI_TESTS_ONNX_LIBRARY_H
#define TUTTI_TESTS_ONNX_LIBRARY_H
#include "onnx/onnx.h"
#include "test.h"

static inline const char *test_onnx_library(void)
{
    static char path[ONNX_PATH_MAX], text[4 * ONNX_PATH_MAX];
    struct onnx_places p;
    struct err err = { 0 };
    struct onnx_places build = { .cwd = "build" };
    onnx_places_here(&p, text);
    if (!(p.env && p.env[0]) && onnx_find_library(&build, path, &err))
        return path;
    if (!onnx_find_library(&p, path, &err))
        SKIP("no ONNX Runtime (%s)", err.text);
    return path;
}

/* With n_threads threads. */
static inline struct onnx *test_onnx(int n_threads)
{
    struct err err = { 0 };
    struct onnx *o = onnx_open(test_onnx_library(), &(struct onnx_options){ .n_threads = n_threads }, &err);
    if (!o)
        SKIP("%s", err.text);
    return o;
}
#endif
