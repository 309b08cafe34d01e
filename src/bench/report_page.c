/* bench/report_page.c - a run as one HTML page: roofline, throughput over batch, depth and threads, machines beside this one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report.h"
#include "bench/roofline.h"
#include "page/page.h"

enum { CELL = 40, NEIGHBOURS = 5 };

static void put_roofline(struct page *p, const struct bench_report *r)
{
    struct bench_roofline *line = calloc(1, sizeof(*line));
    if (line) {
        bench_roofline_make(line, r);
        page_chart(p, &line->chart);
    }
    free(line);
    page_note(p, "The slope is the memory: %.1f GB/s, read by all threads in this run; the flat parts are multiply-adds on registers, a multiply-add "
                 "counted as two. Decoding one sequence sits on the slope; prompts and batches move to the right.", r->limits.read_bps / 1e9);
    if (r->machine.theoretical_bps > 0)
        page_note(p, "In theory the memory gives %.1f GB/s (%s): %.0f %% of it were read.", r->machine.theoretical_bps / 1e9, r->machine.theoretical_from,
                  100 * r->limits.read_bps / r->machine.theoretical_bps);
}

static void put_memory(struct page *p, const struct bench_report *r)
{
    struct chart_point one[BENCH_READS_MAX] = { 0 }, all[BENCH_READS_MAX] = { 0 }, threads[BENCH_READS_MAX] = { 0 }, streams[BENCH_READS_MAX] = { 0 };
    int n_one = 0, n_all = 0, n_threads = 0, n_streams = 0;
    double most = 0;
    for (int i = 0; i < r->n_reads; i++) {
        const struct bench_read *k = &r->reads[i];
        const struct chart_point at = { .x = (double)k->bytes / 1024, .y = k->bps / 1e9 };
        if (k->kind == READ_OVER_SIZES && k->threads == 1)
            one[n_one++] = at;
        else if (k->kind == READ_OVER_SIZES)
            all[n_all++] = at;
        else if (most = fmax(most, at.y), k->kind == READ_OVER_THREADS)
            threads[n_threads++] = (struct chart_point){ .x = k->threads, .y = k->bps / 1e9 };
        else
            streams[n_streams++] = (struct chart_point){ .x = k->streams, .y = k->bps / 1e9 };
    }
    char name[32];
    snprintf(name, sizeof(name), "%d threads", r->machine.threads);
    const struct chart_series sizes[] = { { "1 thread", one, n_one, true, true, false }, { name, all, n_all, true, true, false } };
    const struct chart c = { "Reading memory: caches and beyond", { .label = "KiB for each thread", .is_log = true }, { .label = "GB/s, all threads together", .is_log = true },
                             sizes, n_all ? 2 : 1, NULL, 0 };
    const struct chart_series counts[] = { { "over threads (4 streams)", threads, n_threads, true, true, false },
                                           { "over streams (all threads)", streams, n_streams, true, true, false } };
    const struct chart d = { "Reading 256 MB", { .label = "threads, or streams of each thread", .is_log = true }, { .label = "GB/s", .min = 0, .max = 1.15 * most }, counts, n_streams ? 2 : 1, NULL, 0 };
    if (n_one)
        page_chart(p, &c);
    if (n_threads)
        page_chart(p, &d);
}

struct over { /* one of batch, depth, threads: a figure and its limit */
    struct chart_point measured[BENCH_TESTS_MAX], limit[BENCH_TESTS_MAX];
    int n;
};

static void add_over(struct over *o, double x, const struct bench_test *t)
{
    for (int i = 0; i < o->n; i++)
        if (o->measured[i].x == x) /* tg64 and tg128: the first is drawn */
            return;
    o->measured[o->n] = (struct chart_point){ .x = x, .y = t->tps_median, .y_low = t->tps_min, .y_high = t->tps_max };
    o->limit[o->n++] = (struct chart_point){ .x = x, .y = t->tps_median / t->share_median };
}

static void put_over(struct page *p, const struct over *o, const char *title, struct chart_axis x, const char *y)
{
    const struct chart_series s[] = { { "measured", o->measured, o->n, true, true, false }, { "what the limits allow", o->limit, o->n, true, false, true } };
    const struct chart c = { title, x, { .label = y }, s, 2, NULL, 0 };
    if (o->n > 1)
        page_chart(p, &c);
}

static void put_throughput(struct page *p, const struct bench_report *r)
{
    struct over *o = calloc(4, sizeof(*o)), *batch = o, *depth = o + 1, *tg = o + 2, *pp = o + 3;
    const struct bench_test *prompt = NULL;
    for (int i = 0; o && i < r->n_tests; i++) { /* ascending in threads, batch and depth */
        const struct bench_test *t = &r->tests[i];
        const bool is_widest = t->threads == r->machine.threads;
        if (t->n_rounds < 1)
            continue;
        if (t->is_decode && t->depth == 0 && is_widest)
            add_over(batch, t->batch, t);
        if (t->is_decode && t->batch == 1 && is_widest)
            add_over(depth, t->depth, t);
        if (t->is_decode && t->batch == 1 && t->depth == 0)
            add_over(tg, t->threads, t);
        if (!t->is_decode && t->n_tok >= 128 && t->n_tok <= 512 && (!prompt || prompt->n_tok == t->n_tok))
            prompt = t, add_over(pp, t->threads, t);
    }
    if (o) {
        put_over(p, batch, "Generation over batch", (struct chart_axis){ .label = "sequences side by side", .is_log = true }, "tokens/s, all together");
        put_over(p, depth, "Generation over depth", (struct chart_axis){ .label = "tokens before" }, "tokens/s, one sequence");
        put_over(p, tg, "Generation over threads", (struct chart_axis){ .label = "threads" }, "tokens/s, one sequence");
        put_over(p, pp, "Prompts over threads", (struct chart_axis){ .label = "threads" }, "tokens/s");
    }
    free(o);
}

static void put_results(struct page *p, const struct bench_report *r)
{
    enum { COLS = 9 };
    static const char *const head[COLS] = { "test", "threads", "depth", "batch", "tokens/s", "min", "max", "of limit", "J/token" };
    char(*text)[COLS][CELL] = calloc(BENCH_TESTS_MAX, sizeof(*text));
    const char **cell = calloc(BENCH_TESTS_MAX * COLS, sizeof(*cell));
    bool is_estimate = false, has_joules = false;
    int n = 0;
    for (int i = 0; i < r->n_tests; i++)
        has_joules |= isfinite(bench_joules_per_tok(r, &r->tests[i], &is_estimate));
    const int n_cols = has_joules ? COLS : COLS - 1;
    for (int i = 0; text && cell && i < r->n_tests; i++) {
        const struct bench_test *t = &r->tests[i];
        if (t->n_rounds < 1)
            continue;
        const double joules = bench_joules_per_tok(r, t, &is_estimate);
        snprintf(text[n][0], CELL, "%s", t->name), snprintf(text[n][1], CELL, "%d", t->threads);
        snprintf(text[n][2], CELL, "%d", t->depth), snprintf(text[n][3], CELL, "%d", t->batch);
        snprintf(text[n][4], CELL, "%.1f", t->tps_median), snprintf(text[n][5], CELL, "%.1f", t->tps_min), snprintf(text[n][6], CELL, "%.1f", t->tps_max);
        snprintf(text[n][7], CELL, "%.0f %% %s", 100 * t->share_median, bench_roof_names[t->roof]);
        snprintf(text[n][8], CELL, isfinite(joules) ? "%s%.3g" : "-", is_estimate ? "~" : "", joules);
        for (int k = 0; k < n_cols; k++)
            cell[n * n_cols + k] = text[n][k];
        n++;
    }
    page_table(p, head, "lrrrrrrrr", cell, n, n_cols, -1);
    free(cell);
    free(text);
    page_note(p, "Measured: medians of interleaved rounds. The limit is what memory reads or the multiply-adds of the units in use, whichever takes longer, "
                 "allowed right before and right after each test.");
    if (r->energy.meter)
        page_note(p, "Energy: measured by %s.", r->energy.meter);
    else if (isfinite(r->energy.estimate_w))
        page_note(p, "Energy (~): an estimate, not measured: %.0f W all the time (%s).", r->energy.estimate_w, r->energy.estimate_from);
}

static void put_score(struct page *p, const struct bench_report *r)
{
    enum { COLS = 4 };
    static const char *const head[COLS] = { "test", "prompt tokens/s", "generated tokens/s", "ms to first token" };
    char text[LOCALSCORE_N][COLS][CELL];
    const char *cell[LOCALSCORE_N * COLS];
    const struct bench_score *s = &r->score;
    page_section(p, "LocalScore");
    if (s->is_projected)
        page_text(p, "Projected from few measurements, within %.0f %%: %.0f, %s. The nine tests themselves: tutti bench --localscore.", 100 * s->error_frac, s->sum.score,
                  localscore_verdict(s->sum.score));
    else if (s->n_done == LOCALSCORE_N)
        page_text(p, "All nine tests measured: %.1f, %s.", s->sum.score, localscore_verdict(s->sum.score));
    else
        page_text(p, "Stopped after %d of nine tests: no score.", s->n_done);
    for (int i = 0; i < s->n_done; i++) {
        const struct localscore_case *c = &s->cases[i];
        snprintf(text[i][0], CELL, "pp%d+tg%d", c->n_prompt, c->n_gen), snprintf(text[i][1], CELL, "%.1f", c->prompt_tps);
        snprintf(text[i][2], CELL, "%.1f", c->gen_tps), snprintf(text[i][3], CELL, "%.0f", c->ttft_ms);
        for (int k = 0; k < COLS; k++)
            cell[i * COLS + k] = text[i][k];
    }
    page_table(p, head, "lrrr", cell, s->n_done, COLS, -1);
    page_note(p, "Score = 10 x cube root of (mean prompt tokens/s x mean generated tokens/s x 1000 / mean ms to the first token), by the published method of "
                 "localscore.ai; 1000 is read as excellent, 250 as passable, below 100 as poor. Scores compare for the same model: its own are of 1B, 8B and 14B "
                 "in Q4_K_M.");
}

static void put_comparison(struct page *p, const struct bench_report *r)
{
    const struct bench_compare *c = &r->compare;
    struct chart_bar bar[2 * NEIGHBOURS + 1] = { 0 };
    const int from = c->n_slower > NEIGHBOURS ? c->n_slower - NEIGHBOURS : 0, to = c->n_slower + NEIGHBOURS < c->n ? c->n_slower + NEIGHBOURS : c->n;
    int n = 0;
    if (!c->model || c->n == 0)
        return;
    for (int i = to - 1; i >= from - 1; i--) { /* fastest on top */
        if (i == c->n_slower - 1) {
            bar[n].label = "this machine", bar[n].is_marked = true, bar[n].part[0] = r->score.sum.score;
            if (r->score.is_projected)
                bar[n].low = r->score.sum.score * (1 - r->score.error_frac), bar[n].high = r->score.sum.score * (1 + r->score.error_frac);
            n++;
        }
        if (i >= from)
            bar[n].label = c->peer[i].name, bar[n++].part[0] = c->peer[i].score;
    }
    page_section(p, "Beside other machines");
    const struct chart_bars b = { "LocalScore of the nearest machines", { .label = "LocalScore" }, NULL, 0, bar, n };
    page_bars(p, &b);
    page_note(p, c->is_scaled ? "The others: predicted for this model from what users of localscore.ai measured with %s Q4_K_M, scaled by bytes and weights per token."
                              : "The others: measured by users of localscore.ai with %s Q4_K_M (the catalog has source and date of each).",
              c->model);
}

static void put_soak(struct page *p, const struct bench_report *r)
{
    const struct bench_soak *s = r->soak;
    struct chart_point *pt = calloc((size_t)s->n * 4 + 1, sizeof(*pt));
    if (!pt)
        return;
    struct chart_point *tg = pt, *pp = pt + s->n, *mhz = pt + 2 * s->n, *celsius = pt + 3 * s->n;
    bool has_mhz = false, has_celsius = false;
    for (int i = 0; i < s->n; i++) {
        const struct bench_soak_sample *k = &s->sample[i];
        tg[i].x = pp[i].x = mhz[i].x = celsius[i].x = k->t_s;
        tg[i].y = 100 * k->tg_tps / s->sample[0].tg_tps, pp[i].y = 100 * k->pp_tps / s->sample[0].pp_tps, mhz[i].y = k->mhz, celsius[i].y = k->temperature_c;
        has_mhz |= isfinite(k->mhz), has_celsius |= isfinite(k->temperature_c);
    }
    page_section(p, "Under load for long");
    if (isfinite(s->kept_frac))
        page_text(p, "After %.0f s the machine kept %.0f %% of its speed (generation %.1f to %.1f tokens/s, prompts %.1f to %.1f).", s->sample[s->n - 1].t_s,
                  100 * s->kept_frac, s->tg_first, s->tg_last, s->pp_first, s->pp_last);
    const struct chart_series speed[] = { { "generation", tg, s->n, true, false, false }, { "prompts", pp, s->n, true, false, true } };
    const struct chart cs = { "Speed over time", { .label = "seconds" }, { .label = "% of the first second" }, speed, 2, NULL, 0 };
    const struct chart_series f = { NULL, mhz, s->n, true, false, false }, t = { NULL, celsius, s->n, true, false, false };
    const struct chart cf = { "Frequency, mean of all CPUs", { .label = "seconds" }, { .label = "MHz" }, &f, 1, NULL, 0 };
    const struct chart ct = { "Temperature, hottest sensor", { .label = "seconds" }, { .label = "degrees Celsius" }, &t, 1, NULL, 0 };
    page_chart(p, &cs);
    if (has_mhz)
        page_chart(p, &cf);
    if (has_celsius)
        page_chart(p, &ct);
    free(pt);
}

static const struct bench_test *find_test(const struct bench_report *r, bool is_decode)
{
    for (int i = 0; i < r->n_tests; i++)
        if (r->tests[i].n_rounds > 0 && r->tests[i].is_decode == is_decode && r->tests[i].depth == 0 && r->tests[i].batch == 1 &&
            r->tests[i].threads == r->machine.threads)
            return &r->tests[i];
    return NULL;
}

static void put_figures(struct page *p, const struct bench_report *r)
{
    const struct bench_test *pp = find_test(r, false), *tg = find_test(r, true);
    char text[6][2][CELL];
    struct page_figure f[6];
    int n = 0;
#define FIGURE(label_text, value_fmt, value, note_fmt, ...)                                        \
    (snprintf(text[n][0], CELL, value_fmt, value), snprintf(text[n][1], CELL, note_fmt, __VA_ARGS__),     \
     f[n] = (struct page_figure){ label_text, text[n][0], text[n][1] }, n++)
    if (r->has_score && r->score.n_done == LOCALSCORE_N)
        FIGURE("LocalScore", "%.0f", r->score.sum.score, "%s%s", localscore_verdict(r->score.sum.score), r->score.is_projected ? ", projected" : "");
    if (tg)
        FIGURE("Generation, tokens/s", "%.1f", tg->tps_median, "%.0f %% of the limit", 100 * tg->share_median);
    if (pp)
        FIGURE("Prompt, tokens/s", "%.1f", pp->tps_median, "%.0f %% of the limit", 100 * pp->share_median);
    if (pp && isfinite(pp->ttft_ms))
        FIGURE("First token after", "%.0f ms", pp->ttft_ms, "prompt of %d tokens", pp->n_tok);
    FIGURE("Memory reads", "%.1f GB/s", r->limits.read_bps / 1e9, "%d threads", r->machine.threads);
    if (r->has_model && r->model.peak_bytes > 0)
        FIGURE("Memory used", "%.0f MB", (double)r->model.peak_bytes / 1e6, "loaded in %.1f s", r->model.load_ms / 1e3);
    else
        FIGURE("int8", "%.0f GOPS", r->limits.int8_ops / 1e9, "cpu level %s", r->machine.level);
#undef FIGURE
    page_figures(p, f, n);
}

bool bench_report_page(const struct bench_report *r, const char *path, struct err *err)
{
    char title[BENCH_TEXT_MAX + 16], sub[2 * BENCH_TEXT_MAX + 96], when[32];
    bench_time_text(r->time_s, when);
    snprintf(title, sizeof(title), "tutti bench: %s", r->machine.cpu[0] ? r->machine.cpu : "this machine");
    snprintf(sub, sizeof(sub), "%s%s%d threads, cpu level %s; measured %s with tutti %s%s", r->has_model ? r->model.name : "", r->has_model ? "; " : "",
             r->machine.threads, r->machine.level, when, r->version, r->is_interrupted ? "; stopped before its end" : "");
    struct page *p = page_new(title, sub, err);
    if (!p)
        return false;
    put_figures(p, r);
    page_section(p, "What the machine allows");
    put_roofline(p, r);
    put_memory(p, r);
    if (r->n_tests > 0) {
        page_section(p, "What the engine does");
        put_results(p, r);
        put_throughput(p, r);
    }
    if (r->has_score)
        put_score(p, r);
    put_comparison(p, r);
    if (r->soak && r->soak->n > 0)
        put_soak(p, r);
    const bool ok = page_save(p, path, err);
    page_free(p);
    return ok;
}
