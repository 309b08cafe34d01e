/* tests/bench/test_tests.c - which tests a list means, which numbers of threads, and what is refused with which words. */
#include "bench/tests.h"

#include <string.h>

#include "test.h"

static struct bench_test got[BENCH_TESTS_MAX];

TEST(a_list_becomes_tests_in_ascending_order_on_each_number_of_threads)
{
    struct err err = { 0 };
    const int threads[] = { 1, 4 };
    int n = 0;
    REQUIRE(bench_tests_parse("tg64*4,tg64@2048,pp512,tg16*8@512,tg64,pp512", threads, 2, 0, got, &n, &err), "%s", err.text);
    static const struct { const char *name; bool is_decode; int n_tok, depth, batch; } want[] = {
        { "pp512", false, 512, 0, 1 }, { "tg64", true, 64, 0, 1 }, { "tg64", true, 64, 2048, 1 }, { "tg64", true, 64, 0, 4 }, { "tg16", true, 16, 512, 8 },
    };
    REQUIRE(n == 10, "twins once: %d", n);
    for (int i = 0; i < n; i++) {
        CHECK(strcmp(got[i].name, want[i % 5].name) == 0 && got[i].is_decode == want[i % 5].is_decode && got[i].n_tok == want[i % 5].n_tok, "%d: %s", i, got[i].name);
        CHECK(got[i].depth == want[i % 5].depth && got[i].batch == want[i % 5].batch && got[i].threads == threads[i / 5], "%d", i);
    }
}

TEST(every_list_of_ours_can_be_parsed_and_is_cut_to_the_context)
{
    struct err err = { 0 };
    const int one = 1;
    int n = 0;
    for (enum bench_list list = BENCH_QUICK; list <= BENCH_FULL; list++) {
        CHECK(bench_tests_parse(bench_list_text(list), &one, 1, 0, got, &n, &err) && n >= 2, "%s", err.text);
        REQUIRE(bench_tests_parse(bench_list_text(list), &one, 1, 100, got, &n, &err), "%s", err.text);
        CHECK(n >= 2 && !got[0].is_decode && got[n - 1].is_decode);
        for (int i = 0; i < n; i++)
            CHECK(got[i].depth + got[i].n_tok <= 100, "%s @ %d", got[i].name, got[i].depth);
    }
}

TEST(what_is_no_test_is_named)
{
    static const char *const bad[] = { "", "pp", "tg0", "pp512,", ",pp512", "xx12", "tg64@", "tg64*0", "tg64*65", "tg64@1@2", "tg64*2*2", "tg64 ", "pp-5", "tg99999999999", "pp1048577" };
    const int one = 1;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = { 0 };
        int n = 0;
        CHECK(!bench_tests_parse(bad[i], &one, 1, 0, got, &n, &err) && err.code == ERR_INPUT && strstr(err.text, "ppN"), "'%s': %s", bad[i], err.text);
    }
    struct err err = { 0 };
    char many[8 * 300] = "";
    int n = 0;
    for (int i = 0; i < 300; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "%spp%d", i ? "," : "", 100 + i);
    CHECK(!bench_tests_parse(many, &one, 1, 0, got, &n, &err) && err.code == ERR_LIMIT && n == BENCH_TESTS_MAX);
}

TEST(threads_are_numbers_and_ranges)
{
    static const struct { const char *text; int n, first, last; } cases[] = { /* n 0: refused */
        { "2", 1, 2, 2 }, { "1-4", 4, 1, 4 }, { "8,1,2", 3, 1, 8 }, { "1,1", 1, 1, 1 }, { "3-3,2", 2, 2, 3 },
        { "", 0, 0, 0 }, { "0", 0, 0, 0 }, { "65", 0, 0, 0 }, { "4-1", 0, 0, 0 }, { "1-40", 0, 0, 0 }, { "1,", 0, 0, 0 }, { "a", 0, 0, 0 }, { "1-", 0, 0, 0 }, { "-2", 0, 0, 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = { 0 };
        int k[BENCH_THREADS_MAX], n = 0;
        const bool ok = bench_threads_parse(cases[i].text, 64, k, &n, &err);
        CHECK(ok == (cases[i].n > 0), "'%s': %s", cases[i].text, err.text);
        if (ok)
            CHECK(n == cases[i].n && k[0] == cases[i].first && k[n - 1] == cases[i].last, "'%s'", cases[i].text);
    }
    int all[BENCH_THREADS_MAX];
    CHECK(bench_threads_all(1, all) == 1 && all[0] == 1);
    CHECK(bench_threads_all(2, all) == 2 && all[1] == 2);
    const int n = bench_threads_all(96, all);
    CHECK(n == 12 && all[7] == 8 && all[8] == 16 && all[n - 1] == 96, "%d", n);
}
