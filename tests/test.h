/* tests/test.h - the whole test framework: TEST(name_of_a_behaviour) { CHECK(...); }
 *
 * Every tests/<room>/test_<module>.c becomes one program that runs its tests, each in a process of
 * its own with a time limit, and prints TAP.  TEST_JOBS etc. are not needed: tools/run-tests.sh runs
 * the programs and adds up.  TEST_QUICK=1 makes long tests
 * shorter (sanitizers, emulators).  TEST_NO_FORK=1 runs them in this process (for gdb); a word as argument
 * runs the tests whose name contains it.  BENCH(name) { ... } runs only with --bench, and then alone.
 */
#ifndef TUTTI_TEST_H
#define TUTTI_TEST_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct test {
    const char *name;
    void (*fn)(void);
    bool is_bench;
    struct test *next;
};
void test_register(struct test *t);
void test_fail(const char *file, int line, const char *cond, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void test_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#define TEST(id) TEST_REGISTER(id, false)
#define BENCH(id) TEST_REGISTER(id, true)
#define TEST_REGISTER(id, bench)                                                                   \
    static void test_##id(void);                                                                   \
    __attribute__((constructor)) static void register_##id(void)                                   \
    {                                                                                              \
        static struct test t = { #id, test_##id, bench, NULL };                                    \
        test_register(&t);                                                                         \
    }                                                                                              \
    static void test_##id(void)

/* Says what is wrong and goes on; at most 20 complaints are printed for each test. */
#define CHECK(cond, ...)                                                                           \
    do {                                                                                           \
        if (!(cond))                                                                               \
            test_fail(__FILE__, __LINE__, #cond, " " __VA_ARGS__);                                      \
    } while (0)
/* For what the rest of the test stands on: ends the test. */
#define REQUIRE(cond, ...)                                                                         \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            test_fail(__FILE__, __LINE__, #cond, " " __VA_ARGS__);                                      \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define SKIP(...) test_skip(__VA_ARGS__)

/* The folder with shared test data ("../shared" beside the project, or $TUTTI_SHARED); ends the test
 * as skipped when it is not there.  test_shared("vocab/extra.inp") is a path in a static buffer. */
const char *test_shared(const char *path);
/* Repeatable random numbers; the seed is printed with each failure, TEST_SEED= sets it. */
uint64_t test_rand_u64(void);
float test_rand_f32(void); /* uniform in [-1, 1) */
/* A path for a scratch file below a folder that is removed after the test. */
const char *test_tmp(const char *name);
#endif
