/* tests/bench/test_report.c - a run is written as JSON, CSV and a page, whatever is missing in it; machines compare. */
#include "bench/report.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "test.h"

static struct bench_report *empty(void)
{
    struct bench_report *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->version = "0.1.0", r->machine.level = "ref", r->machine.cores = r->machine.threads = 2;
    r->limits = (struct bench_limits){ NAN, NAN, NAN, NAN };
    r->energy.estimate_w = NAN;
    return r;
}

static struct bench_report *full(void)
{
    struct bench_report *r = empty();
    if (!r)
        return NULL;
    snprintf(r->machine.cpu, sizeof(r->machine.cpu), "A \"CPU\" & <more>");
    r->limits = (struct bench_limits){ 10e9, 200e9, NAN, 40e9 };
    r->has_model = true, r->model.path = "m \"x\".gguf", r->model.arch = "llama", r->model.file_bytes = 807694464, r->model.load_ms = 12.5;
    snprintf(r->model.name, sizeof(r->model.name), "model");
    r->model.info = (struct llm_info){ .n_params = 1235814432, .active_params = 1235814432, .bytes_per_tok = 807694464, .kv_bytes_per_tok_f16 = 32768 };
    r->reads[0] = (struct bench_read){ READ_OVER_THREADS, 1, 4, 256 << 20, 5e9 };
    r->reads[1] = (struct bench_read){ READ_OVER_STREAMS, 2, 16, 256 << 20, 9e9 };
    r->reads[2] = (struct bench_read){ READ_OVER_SIZES, 1, 4, 16384, 90e9 };
    r->n_reads = 3;
    r->peaks[0] = (struct bench_peak){ "ref", "int8", 1, 4e9 };
    r->n_peaks = 1;
    r->tests[0] = (struct bench_test){ .name = "pp512", .n_tok = 512, .batch = 1, .n_rounds = 3, .tps_median = 300, .tps_min = 290, .tps_max = 310, .share_median = 0.7,
                                       .ttft_ms = 1700, .joules_per_tok = NAN };
    r->tests[1] = (struct bench_test){ .name = "tg64", .is_decode = true, .n_tok = 64, .batch = 1, .n_rounds = 3, .tps_median = 10, .tps_min = 9, .tps_max = 11,
                                       .share_median = 0.9, .ttft_ms = NAN, .joules_per_tok = NAN };
    r->tests[2] = (struct bench_test){ .name = "tg16", .is_decode = true, .n_tok = 16, .batch = 8 }; /* not run */
    r->n_tests = 3;
    r->energy.estimate_w = 65;
    r->has_score = true;
    memcpy(r->score.cases, localscore_cases, sizeof(r->score.cases));
    for (int i = 0; i < LOCALSCORE_N; i++)
        r->score.cases[i].prompt_tps = 265.81043611111113, r->score.cases[i].gen_tps = 14.275531444444445, r->score.cases[i].ttft_ms = 5575.0480646666665;
    r->score.n_done = LOCALSCORE_N, r->score.sum = localscore_sum(r->score.cases);
    r->soak = calloc(1, sizeof(*r->soak));
    if (r->soak) {
        r->soak->n = 2, r->soak->wanted_s = 60, r->soak->kept_frac = 0.9;
        r->soak->sample[0] = (struct bench_soak_sample){ 1, 300, 10, 3000, 50, NAN };
        r->soak->sample[1] = (struct bench_soak_sample){ 2, 290, 9, 2900, 60, NAN };
    }
    return r;
}

static json_t *parse(const struct bench_report *r)
{
    struct err err = { 0 };
    struct buf b;
    json_error_t why;
    json_t *j = NULL;
    buf_init(&b, 1 << 20);
    if (bench_report_json(r, &b, &err))
        j = json_loads(b.data, JSON_REJECT_DUPLICATES, &why);
    CHECK(j, "%s%s", err.text, b.data ? b.data : "");
    buf_fini(&b);
    return j;
}

/* docs/json.md names exactly these */
static const char *const top[] = { "machine", "time", "version", "interrupted", "model", "model_info", "limits", "memory_reads", "peaks", "results", "energy",
                                   "localscore", "comparison", "soak" };

TEST(the_json_has_every_field_and_null_for_what_is_unknown)
{
    struct bench_report *r = full(), *e = empty();
    REQUIRE(r && e);
    json_t *j = parse(r), *k = parse(e);
    REQUIRE(j && k);
    CHECK(json_object_size(j) == sizeof(top) / sizeof(top[0]) && json_object_size(k) == json_object_size(j));
    for (size_t i = 0; i < sizeof(top) / sizeof(top[0]); i++)
        CHECK(json_object_get(j, top[i]) && json_object_get(k, top[i]), "%s", top[i]);
    json_t *results = json_object_get(j, "results"), *first = json_array_get(results, 0);
    CHECK(json_array_size(results) == 2, "what was not run is not there");
    for (const char *const *f = (const char *const[]){ "test", "threads", "depth", "batch", "tps", "share_of_limit", NULL }; *f; f++)
        CHECK(json_object_get(first, *f), "%s", *f);
    CHECK(json_real_value(json_object_get(first, "tps")) == 300 && strcmp(json_string_value(json_object_get(first, "joules_kind")), "estimated") == 0);
    CHECK(fabs(json_real_value(json_object_get(first, "joules_per_token")) - 65.0 / 300) < 1e-4);
    CHECK(json_is_null(json_object_get(json_object_get(j, "limits"), "bf16_gflops")));
    json_t *score = json_object_get(j, "localscore");
    CHECK(fabs(json_real_value(json_object_get(score, "score")) - 87.96405316001204) < 1e-9 && strcmp(json_string_value(json_object_get(score, "verdict")), "poor") == 0);
    CHECK(json_array_size(json_object_get(score, "cases")) == LOCALSCORE_N);
    CHECK(strcmp(json_string_value(json_object_get(json_object_get(j, "machine"), "cpu")), "A \"CPU\" & <more>") == 0);
    for (const char *const *f = (const char *const[]){ "model", "model_info", "localscore", "comparison", "soak", NULL }; *f; f++)
        CHECK(json_is_null(json_object_get(k, *f)), "%s", *f);
    json_decref(j), json_decref(k);
    free(r->soak), free(r), free(e);
}

TEST(every_line_of_the_csv_has_the_columns_of_its_head)
{
    struct err err = { 0 };
    struct buf b;
    struct bench_report *r = full();
    int n_lines = 0;
    REQUIRE(r);
    buf_init(&b, 1 << 20);
    REQUIRE(bench_report_csv(r, &b, &err), "%s", err.text);
    for (char *line = strtok(b.data, "\n"); line; line = strtok(NULL, "\n"), n_lines++) {
        int commas = 0;
        for (char *c = line; *c; c++)
            commas += *c == ',';
        CHECK(commas == 12, "%s", line);
        CHECK(!strstr(line, "nan"), "%s", line);
    }
    CHECK(n_lines > 40, "%d", n_lines);
    buf_fini(&b);
    free(r->soak), free(r);
}

TEST(a_page_is_written_for_a_full_run_and_for_an_empty_one)
{
    struct err err = { 0 };
    struct bench_report *r = full(), *e = empty();
    struct stat st;
    REQUIRE(r && e);
    CHECK(bench_report_page(r, test_tmp("full.html"), &err) && stat(test_tmp("full.html"), &st) == 0 && st.st_size > 10000, "%s", err.text);
    r->has_score = false, r->n_tests = 0, r->soak->n = 0, r->n_reads = 0;
    CHECK(bench_report_page(r, test_tmp("less.html"), &err), "%s", err.text);
    CHECK(bench_report_page(e, test_tmp("empty.html"), &err), "%s", err.text);
    free(r->soak), free(r), free(e);
}

TEST(an_official_model_is_placed_between_machines_and_another_is_scaled)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    struct bench_compare *out = calloc(1, sizeof(*out));
    REQUIRE(c && out);
    const struct localscore m2 = { 805, 56.5, 1670, localscore_of(805, 56.5, 1670) };
    REQUIRE(bench_compare(c, 1235814432, 1235814432, 807694464, &m2, out, &err), "%s", err.text);
    CHECK(out->model && strcmp(out->model, "Llama 3.2 1B Instruct") == 0 && !out->is_scaled && out->n > 20 && out->n < BENCH_PEERS_MAX);
    CHECK(out->n_slower > 0 && out->n_slower < out->n);
    for (int i = 1; i < out->n; i++)
        CHECK(out->peer[i - 1].score <= out->peer[i].score);
    CHECK(out->peer[out->n_slower - 1].score <= m2.score && out->peer[out->n_slower].score > m2.score);
    const double slowest = out->peer[0].score;
    REQUIRE(bench_compare(c, 494e6, 494e6, 400e6, &m2, out, &err));
    CHECK(out->model && out->is_scaled && out->peer[0].score > slowest, "a smaller model is faster");
    REQUIRE(bench_compare(c, 2e6, 2e6, 2e6, &m2, out, &err));
    CHECK(!out->model && out->n == 0, "too far away to say anything");
    catalog_free(c);
    free(out);
}
