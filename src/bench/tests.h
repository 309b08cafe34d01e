/* bench/tests.h - which tests are run: lists by name, and "pp512,tg64@2048,tg64*4" of the user.
 *
 * For:     `tutti bench MODEL`.
 * Callers: cmd/bench.c.  Touches: memory.
 * Rule:    a test is ppN (a prompt of N tokens) or tgN (N generated ones), then @D behind D tokens, *B for B sequences side by
 *          side; each is run with every number of threads.  Prompts come first, then ascending batch, depth and tokens: pages
 *          and tables show them so.
 */
#ifndef TUTTI_BENCH_TESTS_H
#define TUTTI_BENCH_TESTS_H
#include "bench/bench.h"

enum { BENCH_TESTS_MAX = 256, BENCH_THREADS_MAX = 16 };

enum bench_list {
    BENCH_QUICK,  /* pp128, tg16 */
    BENCH_ENGINE, /* pp512, tg64 and tg64 behind 2048 */
    BENCH_USUAL,  /* prompts, depths and batches in a few minutes */
    BENCH_FULL,   /* everything: prompts to 8192, depths to 8192, batches to 16 */
};
/* The list as the user could write it. */
const char *bench_list_text(enum bench_list list);

/* Tests of `text` for each of threads[n_threads] (ascending).  n_ctx > 0: tests that pass it are cut to it (depth 0) or left out.
 * Twins are left out.  false with ERR_USAGE or ERR_LIMIT: what is wrong with which word. */
bool bench_tests_parse(const char *text, const int *threads, int n_threads, int n_ctx, struct bench_test out[static BENCH_TESTS_MAX], int *n, struct err *err);

/* "1,2,8" or "1-4" into ascending numbers of threads, each 1 .. max. */
bool bench_threads_parse(const char *text, int max, int out[static BENCH_THREADS_MAX], int *n, struct err *err);
/* 1, 2, .. 8, then doubled up to max, and max itself. */
int bench_threads_all(int max, int out[static BENCH_THREADS_MAX]);
#endif
