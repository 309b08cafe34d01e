/* bench/roofline.c - see roofline.h. */
#include "bench/roofline.h"

#include <math.h>
#include <stdio.h>

/* Prompts, one sequence, batches. */
static int kind_of(const struct bench_test *t) { return !t->is_decode ? 0 : t->batch == 1 ? 1 : 2; }

/* "pp512", "tg64 @ 2048", "tg64 x 8" */
static void name_test(char label[static 32], const struct bench_test *t)
{
    char depth[16] = "", batch[16] = "";
    if (t->depth > 0)
        snprintf(depth, sizeof(depth), " @ %d", t->depth);
    if (t->batch > 1)
        snprintf(batch, sizeof(batch), " x %d", t->batch);
    snprintf(label, 32, "%.10s%s%s", t->name, batch, depth);
}

void bench_roofline_make(struct bench_roofline *out, const struct bench_report *r)
{
    static const char *const kind_names[] = { "prompts", "one sequence", "sequences side by side" };
    double left = 0.5, right = 4096;
    int n_dots = 0, n_series = 0;
    *out = (struct bench_roofline){ 0 };
    for (int kind = 0, first = 0; kind < 3; kind++, first = n_dots) {
        for (int i = 0; i < r->n_tests; i++) {
            const struct bench_test *t = &r->tests[i];
            if (t->n_rounds < 1 || t->threads != r->machine.threads || kind_of(t) != kind)
                continue;
            const double ops = bench_work_ops(&t->work), x = ops / t->work.bytes;
            name_test(out->label[n_dots], t);
            out->dot[n_dots] = (struct chart_point){ .x = x, .y = t->tps_median * ops / 1e9, .y_low = t->tps_min * ops / 1e9, .y_high = t->tps_max * ops / 1e9,
                                                     .label = out->label[n_dots] };
            n_dots++;
            left = fmin(left, x / 1.5), right = fmax(right, x * 1.5);
        }
        if (n_dots > first)
            out->series[n_series++] = (struct chart_series){ kind_names[kind], &out->dot[first], n_dots - first, false, true, false };
    }
    for (enum bench_roof k = ROOF_INT8; k < BENCH_ROOFS; k++) {
        if (!isfinite(bench_limit(&r->limits, k)))
            continue;
        /* straight lines on logarithmic axes: the slope of memory up to the knee, once; then flat */
        const bool is_first = n_series == 0 || !out->series[n_series - 1].has_line;
        const double peak = bench_limit(&r->limits, k), knee = fmin(fmax(peak / r->limits.read_bps, left), right);
        const double x[ROOFLINE_ROOF_POINTS] = { is_first ? left : knee, knee, right };
        for (int i = 0; i < ROOFLINE_ROOF_POINTS; i++)
            out->roof[k][i] = (struct chart_point){ .x = x[i], .y = fmin(x[i] * r->limits.read_bps, peak) / 1e9 };
        snprintf(out->roof_name[k], sizeof(out->roof_name[k]), "limit: %s%s", is_first ? "memory, then " : "", bench_roof_names[k]);
        out->series[n_series++] = (struct chart_series){ out->roof_name[k], out->roof[k], ROOFLINE_ROOF_POINTS, true, false, !is_first };
    }
    if (n_series == 0) /* nothing was measured: empty axes */
        out->series[n_series++] = (struct chart_series){ 0 };
    snprintf(out->title, sizeof(out->title), "Roofline%s%.60s: what memory and arithmetic allow", r->has_model ? " of " : "", r->has_model ? r->model.name : "");
    out->chart = (struct chart){ out->title, { .label = "operations for each byte read", .is_log = true },
                                 { .label = "billions of operations a second", .is_log = true }, out->series, n_series, NULL, 0 };
}
