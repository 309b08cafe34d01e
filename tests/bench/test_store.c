/* tests/bench/test_store.c - results are kept and found again; a damaged, foreign or absent file is an error and nothing worse. */
#include "bench/store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

/* A run of `model` with pp and tg as given. */
static struct bench_report *make_run(const char *model, double pp, double tg, int64_t time_s)
{
    struct bench_report *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->time_s = time_s, r->version = "0.1.0", r->machine.level = "ref", r->machine.cores = 4, r->machine.threads = 4;
    snprintf(r->machine.cpu, sizeof(r->machine.cpu), "Test CPU");
    r->limits = (struct bench_limits){ 20e9, 100e9, NAN, 50e9 };
    if (model) {
        r->has_model = true;
        snprintf(r->model.name, sizeof(r->model.name), "%s", model);
        r->model.file_bytes = 1000, r->model.info.active_params = 900, r->model.info.bytes_per_tok = 950;
        r->tests[0] = (struct bench_test){ .name = "pp512", .n_tok = 512, .batch = 1, .threads = 4, .n_rounds = 1, .tps_median = pp, .share_median = 0.5, .ttft_ms = NAN, .joules_per_tok = NAN };
        r->tests[1] = (struct bench_test){ .name = "tg64", .is_decode = true, .n_tok = 64, .batch = 1, .threads = 4, .n_rounds = 1, .tps_median = tg, .share_median = 0.8 };
        r->tests[2] = (struct bench_test){ .name = "tg16", .is_decode = true, .n_tok = 16, .batch = 8, .threads = 4, .n_rounds = 0 }; /* stopped before it */
        r->tests[3] = r->tests[1], r->tests[3].threads = 2, r->tests[3].tps_median = 1; /* on fewer threads: not kept */
        r->n_tests = 4;
    }
    return r;
}

static bool add(struct store *s, const char *model, double pp, double tg, int64_t time_s)
{
    struct err err = { 0 };
    struct bench_report *r = make_run(model, pp, tg, time_s);
    const bool ok = r && store_add(s, r, &err);
    CHECK(ok, "%s", err.text);
    free(r);
    return ok;
}

struct seen {
    int n, n_models;
    double last_tg;
    int64_t last_run;
};
static bool each(void *ctx, const struct store_row *row)
{
    struct seen *s = ctx;
    s->n++;
    s->n_models += row->model[0] != 0;
    if (strcmp(row->test, "tg64") == 0)
        s->last_tg = row->value;
    CHECK(row->run >= s->last_run, "oldest first");
    s->last_run = row->run;
    return true;
}

TEST(runs_are_kept_and_read_back_by_machine_and_model)
{
    struct err err = { 0 };
    char path[512];
    snprintf(path, sizeof(path), "%s/deep/tutti.db", test_tmp("store"));
    CHECK(!store_open(path, false, &err) && (err.code == ERR_NOT_FOUND || err.code == ERR_UNSUPPORTED), "%s", err.text);
    if (err.code == ERR_UNSUPPORTED)
        SKIP("built without the store");
    struct store *s = store_open(path, true, &err);
    REQUIRE(s, "%s", err.text);
    REQUIRE(add(s, "a", 100, 10, 1000) && add(s, NULL, 0, 0, 1001) && add(s, "a", 110, 11, 1002) && add(s, "b", 50, 5, 1003));
    store_close(s);
    s = store_open(path, false, &err);
    REQUIRE(s, "%s", err.text);
    char machine[BENCH_TEXT_MAX];
    store_machine_name("Test CPU", 4, machine);
    struct seen all = { 0 }, only_a = { 0 }, one = { 0 }, none = { 0 };
    CHECK(store_read(s, machine, NULL, 100, each, &all, &err) && all.n == 4 * 3 + 3 * 2, "%d", all.n); /* read, int8, f32 of each; pp, tg of three */
    CHECK(store_read(s, NULL, "a", 100, each, &only_a, &err) && only_a.n == 2 * 5 && only_a.last_tg == 11, "%d", only_a.n);
    CHECK(store_read(s, machine, "a", 1, each, &one, &err) && one.n == 5 && one.last_tg == 11, "the last run alone: %d", one.n);
    CHECK(store_read(s, "another machine", NULL, 100, each, &none, &err) && none.n == 0);
    struct store_measured m[8];
    const int n = store_measured(s, machine, m, 8, &err);
    REQUIRE(n == 4, "%d %s", n, err.text);
    CHECK(strcmp(m[0].model, "b") == 0 && strcmp(m[2].model, "a") == 0 && strcmp(m[2].test, "pp512") == 0 && m[2].tps == 110 && m[2].read_bps == 20e9 &&
          m[2].active_params == 900 && m[2].bytes_per_tok == 950 && m[2].threads == 4);
    CHECK(store_measured(s, machine, m, 2, &err) == 2);
    store_close(s);
}

static void put_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (f) {
        fwrite(bytes, 1, n, f);
        fclose(f);
    }
}

TEST(a_file_that_is_no_store_is_refused_and_left_as_it_is)
{
    struct err err = { 0 };
    const char text[] = "this is a letter to my aunt and certainly not a database; it is longer than a header\n";
    char back[sizeof(text)] = "", path[512];
    snprintf(path, sizeof(path), "%s", test_tmp("letter.db"));
    put_file(path, text, sizeof(text) - 1);
    CHECK(!store_open(path, true, &err), "opened");
    CHECK(err.text[0] && !strchr(err.text, '\n'), "%s", err.text);
    FILE *f = fopen(path, "rb");
    REQUIRE(f);
    CHECK(fread(back, 1, sizeof(back), f) == sizeof(text) - 1 && strcmp(back, text) == 0);
    fclose(f);
    CHECK(!store_open("/dev/null", true, &err) && !store_open("/", true, &err) && !store_open("/proc/nonexistent/x.db", true, &err));
}

/* Every cut and many flipped bytes of a good file: an error or an answer, never a crash. */
TEST(a_damaged_store_is_an_error_or_an_answer)
{
    struct err err = { 0 };
    char path[512], bad[512];
    snprintf(path, sizeof(path), "%s", test_tmp("good.db"));
    snprintf(bad, sizeof(bad), "%s", test_tmp("bad.db"));
    struct store *s = store_open(path, true, &err);
    if (!s && err.code == ERR_UNSUPPORTED)
        SKIP("built without the store");
    REQUIRE(s, "%s", err.text);
    for (int i = 0; i < 5; i++)
        add(s, "a", 100, 10, 1000 + i);
    store_close(s);
    FILE *f = fopen(path, "rb");
    REQUIRE(f);
    static char data[1 << 18], copy[1 << 18];
    const size_t n = fread(data, 1, sizeof(data), f);
    fclose(f);
    REQUIRE(n > 4096 && n < sizeof(data), "%zu", n);
    const int rounds = getenv("TEST_QUICK") ? 20 : 150;
    for (int i = 0; i < rounds; i++) {
        size_t len = n;
        memcpy(copy, data, n);
        if (i % 3 == 0)
            len = test_rand_u64() % n;
        for (int k = 0; k < 20; k++)
            copy[(i % 2 ? test_rand_u64() % 200 : test_rand_u64() % n)] = (char)test_rand_u64();
        put_file(bad, copy, len);
        struct seen seen = { 0 };
        struct store_measured m[4];
        err = (struct err){ 0 };
        s = store_open(bad, i % 5 == 0, &err);
        CHECK(s || err.text[0]);
        if (!s)
            continue;
        seen.last_run = INT64_MIN;
        if (!store_read(s, NULL, NULL, 100, each, &seen, &err))
            CHECK(err.text[0]);
        store_measured(s, "x", m, 4, &err);
        store_close(s);
    }
}

TEST(the_path_follows_xdg_and_home)
{
    char p[64];
    CHECK(store_path("/x", "/h", p, sizeof(p)) && strcmp(p, "/x/tutti/tutti.db") == 0);
    CHECK(store_path(NULL, "/h", p, sizeof(p)) && strcmp(p, "/h/.local/share/tutti/tutti.db") == 0);
    CHECK(store_path("relative", "/h", p, sizeof(p)) && strcmp(p, "/h/.local/share/tutti/tutti.db") == 0, "XDG: not absolute is as if unset");
    CHECK(!store_path(NULL, NULL, p, sizeof(p)) && !store_path(NULL, "", p, sizeof(p)) && !store_path("/x", NULL, p, 8));
}
