/* tests/bench/test_report.c - a run is written as JSON, CSV and a page, whatever is missing in it; machines compare. */
#include "bench/report.h"
#include "bench/roofline.h"

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
    r->tests[0] = (struct bench_test){ .name = "pp512", .n_tok = 512, .batch = 1, .threads = 2, .n_rounds = 3, .roof = ROOF_INT8, .tps_median = 300, .tps_min = 290, .tps_max = 310, .share_median = 0.7,
                                       .ttft_ms = 1700, .joules_per_tok = NAN, .work = { 1577528, { 0, 1.95e9, 0, 8.4e6 } } };
    r->tests[1] = (struct bench_test){ .name = "tg64", .is_decode = true, .n_tok = 64, .batch = 1, .threads = 2, .n_rounds = 3, .tps_median = 10, .tps_min = 9, .tps_max = 11,
                                       .share_median = 0.9, .ttft_ms = NAN, .joules_per_tok = NAN, .work = { 808743040, { 0, 2.47e9, 0, 1e6 } } };
    r->tests[2] = (struct bench_test){ .name = "tg16", .is_decode = true, .n_tok = 16, .batch = 8, .threads = 2 }; /* not run */
    r->tests[3] = r->tests[1], r->tests[3].threads = 1; /* fewer threads */
    r->n_tests = 4;
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
    CHECK(json_array_size(results) == 3, "what was not run is not there");
    for (const char *const *f = (const char *const[]){ "test", "threads", "depth", "batch", "tps", "share_of_limit", "limit", "bytes_per_token", "ops_per_token", NULL }; *f; f++)
        CHECK(json_object_get(first, *f), "%s", *f);
    CHECK(strcmp(json_string_value(json_object_get(first, "limit")), "int8") == 0 &&
          json_integer_value(json_object_get(first, "ops_per_token")) == 1958400000 && json_integer_value(json_object_get(first, "bytes_per_token")) == 1577528);
    CHECK(json_integer_value(json_object_get(json_array_get(results, 2), "threads")) == 1);
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

TEST(a_roofline_has_the_measured_roofs_and_the_tests_on_most_threads_below_them)
{
    struct bench_report *r = full(), *e = empty();
    struct bench_roofline *line = calloc(1, sizeof(*line));
    struct err err = { 0 };
    struct buf b;
    REQUIRE(r && e && line);
    bench_roofline_make(line, r);
    CHECK(line->chart.n_series == 4, "prompts, one sequence, int8, f32: bf16 was not measured; %d", line->chart.n_series);
    const struct chart_series *prompt = &line->chart.series[0], *one = &line->chart.series[1], *int8 = &line->chart.series[2];
    REQUIRE(prompt->n == 1 && one->n == 1 && int8->n == ROOFLINE_ROOF_POINTS);
    CHECK(fabs(prompt->points[0].y - 300 * 1.9584) < 1e-6 && fabs(prompt->points[0].x - 1.9584e9 / 1577528) < 1e-6 && strcmp(prompt->points[0].label, "pp512") == 0);
    CHECK(prompt->points[0].y_low < prompt->points[0].y && prompt->points[0].y < prompt->points[0].y_high);
    CHECK(fabs(int8->points[0].y - int8->points[0].x * 10) < 1e-6 && int8->points[1].x == 20 && int8->points[2].y == 200, "the slope is memory, the flat part the unit");
    CHECK(line->chart.series[3].points[0].x == 4 && line->chart.series[3].points[2].y == 40);
    buf_init(&b, 1 << 20);
    CHECK(chart_write(&b, &line->chart, CHART_FILE, &err), "%s", err.text);
    buf_clear(&b);
    bench_roofline_make(line, e);
    CHECK(line->chart.n_series == 1, "nothing measured: empty axes");
    buf_fini(&b);
    free(line), free(r->soak), free(r), free(e);
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
