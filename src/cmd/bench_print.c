/* cmd/bench_print.c - what `tutti bench` says to people; start at bench_print(). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/bench_internal.h"
#include "cmd/out.h"

static void print_head(const struct bench_report *r)
{
    const struct bench_limits *l = &r->limits;
    char line[4 * BENCH_TEXT_MAX];
    int n = snprintf(line, sizeof(line), "%s%scpu level %s, %d threads; limits measured now: read %.1f GB/s, int8 %.0f GOPS, ", r->machine.cpu,
                     r->machine.cpu[0] ? ", " : "", r->machine.level, r->machine.threads, l->read_bps / 1e9, l->int8_ops / 1e9);
    if (isfinite(l->bf16_flops) && n > 0 && (size_t)n < sizeof(line))
        n += snprintf(line + n, sizeof(line) - (size_t)n, "bf16 %.0f, ", l->bf16_flops / 1e9);
    if (n > 0 && (size_t)n < sizeof(line))
        snprintf(line + n, sizeof(line) - (size_t)n, "f32 %.0f GFLOPS", l->f32_flops / 1e9);
    out_wrap(stdout, 0, OUT_WIDTH, line);
    if (r->machine.theoretical_bps > 0) {
        snprintf(line, sizeof(line), "memory in theory: %.1f GB/s (%s); %.0f %% of it were read", r->machine.theoretical_bps / 1e9, r->machine.theoretical_from,
                 100 * l->read_bps / r->machine.theoretical_bps);
        out_wrap(stdout, 0, OUT_WIDTH, line);
    }
    if (r->has_model) {
        const double params = (double)r->model.info.n_params;
        n = snprintf(line, sizeof(line), "%s: %.3g %s weights, %.0f MB; loaded in %.2f s", r->model.name, params / (params >= 1e9 ? 1e9 : 1e6),
                     params >= 1e9 ? "billion" : "million", (double)r->model.file_bytes / 1e6, r->model.load_ms / 1e3);
        if (r->model.peak_bytes > 0 && n > 0 && (size_t)n < sizeof(line))
            snprintf(line + n, sizeof(line) - (size_t)n, ", %.0f MB of memory in use", (double)r->model.peak_bytes / 1e6);
        out_wrap(stdout, 0, OUT_WIDTH, line);
    }
}

/* One table: figures side by side over threads or streams, a row for each size. */
static bool print_row(const struct bench_report *r, enum bench_read_kind kind, const char *title, struct err *err)
{
    char text[BENCH_READS_MAX][24];
    struct out_column col[OUT_COLUMNS_MAX] = { { "", OUT_LEFT } };
    struct out_table t;
    int n = 1;
    for (int i = 0; i < r->n_reads && n < 12; i++)
        if (r->reads[i].kind == kind) {
            snprintf(text[n], sizeof(text[n]), "%d", kind == READ_OVER_THREADS ? r->reads[i].threads : r->reads[i].streams);
            col[n] = (struct out_column){ text[n], OUT_RIGHT };
            n++;
        }
    if (n == 1)
        return true;
    printf("\n%s\n", title);
    out_table_init(&t, col, n);
    out_row(&t);
    out_cell(&t, "GB/s");
    for (int i = 0, at = 1; i < r->n_reads && at < n; i++)
        if (r->reads[i].kind == kind)
            out_number(&t, r->reads[i].bps / 1e9), at++;
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    return ok;
}

static bool print_reads(const struct bench_report *r, struct err *err)
{
    char all[32];
    struct out_table t;
    int n = 0;
    if (!print_row(r, READ_OVER_THREADS, "memory reads, 256 MB, over threads (4 streams each)", err) ||
        !print_row(r, READ_OVER_STREAMS, "memory reads, 256 MB, all threads, over streams of each", err))
        return false;
    for (int i = 0; i < r->n_reads; i++)
        n += r->reads[i].kind == READ_OVER_SIZES;
    if (!n)
        return true;
    snprintf(all, sizeof(all), "%d threads GB/s", r->machine.threads);
    printf("\nreads over sizes: through the caches to memory\n");
    out_table_init(&t, (const struct out_column[]){ { "KiB of a thread", OUT_RIGHT }, { "1 thread GB/s", OUT_RIGHT }, { all, OUT_RIGHT } }, r->machine.threads > 1 ? 3 : 2);
    for (int i = 0; i < r->n_reads; i++) {
        const struct bench_read *k = &r->reads[i];
        if (k->kind != READ_OVER_SIZES || k->threads != 1)
            continue;
        out_row(&t);
        out_cell(&t, "%lld", (long long)k->bytes / 1024), out_number(&t, k->bps / 1e9);
        for (int m = i + 1; m < r->n_reads; m++)
            if (r->reads[m].kind == READ_OVER_SIZES && r->reads[m].threads > 1 && r->reads[m].bytes == k->bytes)
                out_number(&t, r->reads[m].bps / 1e9);
    }
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    return ok;
}

static bool print_peaks(const struct bench_report *r, struct err *err)
{
    struct out_table t;
    if (r->n_peaks == 0)
        return true;
    printf("\nmultiply-adds on registers, billions of operations a second\n");
    out_table_init(&t, (const struct out_column[]){ { "set", OUT_LEFT }, { "unit", OUT_LEFT }, { "threads", OUT_RIGHT }, { "GOPS", OUT_RIGHT } }, 4);
    for (int i = 0; i < r->n_peaks; i++) {
        out_row(&t);
        out_cell(&t, "%s", r->peaks[i].isa), out_cell(&t, "%s", r->peaks[i].unit), out_cell(&t, "%d", r->peaks[i].threads);
        out_number(&t, r->peaks[i].ops / 1e9);
    }
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    return ok;
}

static bool print_tests(const struct bench_report *r, struct err *err)
{
    struct out_column col[OUT_COLUMNS_MAX] = { { "test", OUT_LEFT } };
    struct out_table t;
    bool is_estimate = false, has_joules = false, has_threads = false, has_ttft = false;
    int n = 0, n_cols = 1;
    for (int i = 0; i < r->n_tests; i++) {
        if (r->tests[i].n_rounds < 1)
            continue;
        n++;
        has_threads |= r->tests[i].threads != r->machine.threads;
        has_ttft |= isfinite(r->tests[i].ttft_ms);
        has_joules |= isfinite(bench_joules_per_tok(r, &r->tests[i], &is_estimate));
    }
    if (n == 0)
        return true;
    if (has_threads)
        col[n_cols++] = (struct out_column){ "threads", OUT_RIGHT };
    static const char *const heads[] = { "depth", "batch", "tokens/s", "min", "max", "of limit" };
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
        col[n_cols++] = (struct out_column){ heads[i], OUT_RIGHT };
    if (has_ttft)
        col[n_cols++] = (struct out_column){ "ttft ms", OUT_RIGHT };
    if (has_joules)
        col[n_cols++] = (struct out_column){ "J/token", OUT_RIGHT };
    printf("\n");
    out_table_init(&t, col, n_cols);
    for (int i = 0; i < r->n_tests; i++) {
        const struct bench_test *k = &r->tests[i];
        if (k->n_rounds < 1)
            continue;
        out_row(&t);
        out_cell(&t, "%s", k->name);
        if (has_threads)
            out_cell(&t, "%d", k->threads);
        out_cell(&t, "%d", k->depth), out_cell(&t, "%d", k->batch), out_cell(&t, "%.1f", k->tps_median);
        out_cell(&t, "%.1f", k->tps_min), out_cell(&t, "%.1f", k->tps_max), out_cell(&t, "%.0f %% %s", 100 * k->share_median, bench_roof_names[k->roof]);
        if (has_ttft && isfinite(k->ttft_ms))
            out_cell(&t, "%.1f", k->ttft_ms);
        else if (has_ttft)
            out_cell(&t, "%s", "");
        if (has_joules)
            out_cell(&t, "%s%.3g", is_estimate ? "~" : "", bench_joules_per_tok(r, k, &is_estimate));
    }
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    char line[3 * BENCH_TEXT_MAX];
    if (r->energy.meter)
        snprintf(line, sizeof(line), "energy: measured by %s", r->energy.meter);
    else if (isfinite(r->energy.estimate_w))
        snprintf(line, sizeof(line), "~ energy is an estimate, not measured: %.0f W all the time (%s)%s%s", r->energy.estimate_w, r->energy.estimate_from,
                 r->energy.why_none[0] ? "; " : "", r->energy.why_none);
    else
        snprintf(line, sizeof(line), "energy: not known, no meter%s%s", r->energy.why_none[0] ? ": " : "", r->energy.why_none);
    out_wrap(stdout, 0, OUT_WIDTH, line);
    return ok;
}

static bool print_score(const struct bench_report *r, struct err *err)
{
    const struct bench_score *s = &r->score;
    struct out_table t;
    bool ok = true;
    if (!r->has_score || s->n_done == 0)
        return true;
    printf("\n");
    if (!s->is_projected) {
        out_table_init(&t, (const struct out_column[]){ { "LocalScore test", OUT_LEFT }, { "pp tokens/s", OUT_RIGHT }, { "of limit", OUT_RIGHT }, { "tg tokens/s", OUT_RIGHT },
                                                         { "of limit", OUT_RIGHT }, { "ttft ms", OUT_RIGHT } }, 6);
        for (int i = 0; i < s->n_done; i++) {
            const struct localscore_case *c = &s->cases[i];
            out_row(&t);
            out_cell(&t, "pp%d+tg%d", c->n_prompt, c->n_gen), out_cell(&t, "%.1f", c->prompt_tps), out_cell(&t, "%.0f %%", 100 * s->prompt_share[i]);
            out_cell(&t, "%.1f", c->gen_tps), out_cell(&t, "%.0f %%", 100 * s->gen_share[i]), out_cell(&t, "%.1f", c->ttft_ms);
        }
        ok = out_table_print(&t, stdout, OUT_WIDTH, err);
        out_table_fini(&t);
    }
    if (s->n_done < LOCALSCORE_N) {
        printf("LocalScore: %d of nine tests, no score\n", s->n_done);
        return ok;
    }
    if (s->is_projected)
        printf("LocalScore %.0f +- %.0f %% (projected; --localscore measures it): %s\n", s->sum.score, 100 * s->error_frac, localscore_verdict(s->sum.score));
    else
        printf("LocalScore %.1f (measured): %s\n", s->sum.score, localscore_verdict(s->sum.score));
    printf("  means of nine tests: pp %.1f, tg %.1f tokens/s, ttft %.0f ms\n", s->sum.prompt_tps, s->sum.gen_tps, s->sum.ttft_ms);
    if (!r->compare.model || r->compare.is_scaled)
        printf("  scores compare for the same model: LocalScore's are of 1B, 8B and 14B Q4_K_M\n");
    return ok;
}

static void print_comparison(const struct bench_report *r)
{
    const struct bench_compare *c = &r->compare;
    char line[6 * BENCH_TEXT_MAX];
    if (!c->model || c->n == 0)
        return;
    const struct bench_peer *a = c->n_slower > 0 ? &c->peer[c->n_slower - 1] : NULL, *b = c->n_slower < c->n ? &c->peer[c->n_slower] : NULL;
    char low[BENCH_TEXT_MAX + 16] = "", high[BENCH_TEXT_MAX + 16] = "";
    if (a)
        snprintf(low, sizeof(low), "%.100s (%.0f)", a->name, a->score);
    if (b)
        snprintf(high, sizeof(high), "%.100s (%.0f)", b->name, b->score);
    const int n = a && b ? snprintf(line, sizeof(line), "  between %s and %s", low, high)
                         : snprintf(line, sizeof(line), "  %s than all %d machines, nearest %s", a ? "faster" : "slower", c->n, a ? low : high);
    if (n > 0 && (size_t)n < sizeof(line))
        snprintf(line + n, sizeof(line) - (size_t)n, c->is_scaled ? "; predicted for this model from %s Q4_K_M on localscore.ai" : "; measured with %s Q4_K_M on localscore.ai (catalog)",
                 c->model);
    out_wrap(stdout, 2, OUT_WIDTH, line + 2);
}

static void print_soak(const struct bench_report *r)
{
    const struct bench_soak *s = r->soak;
    if (!s || s->n == 0)
        return;
    printf("\n%8s %12s %12s %8s %8s %8s\n", "seconds", "pp tokens/s", "tg tokens/s", "MHz", "C", "W");
    const int step = s->n <= 20 ? 1 : (s->n + 19) / 20;
    for (int i = 0; i < s->n; i += step) {
        const struct bench_soak_sample *k = &s->sample[i < s->n ? i : s->n - 1];
        char mhz[32], c[32], w[32];
        printf("%8.0f %12.1f %12.1f %8s %8s %8s\n", k->t_s, k->pp_tps, k->tg_tps, out_format_number(mhz, k->mhz), out_format_number(c, k->temperature_c),
               out_format_number(w, k->watts));
    }
    if (isfinite(s->kept_frac))
        printf("kept %.0f %% of its speed over %.0f s (generation %.1f to %.1f tokens/s)\n", 100 * s->kept_frac, s->sample[s->n - 1].t_s, s->tg_first, s->tg_last);
}

bool bench_print(const struct bench_report *r, struct err *err)
{
    print_head(r);
    if (r->ppl.n_chunks > 0)
        printf("perplexity %.4f over %d chunks of %d tokens\n", r->ppl.value, r->ppl.n_chunks, r->ppl.n_ctx);
    const bool ok = print_reads(r, err) && print_peaks(r, err) && print_tests(r, err) && print_score(r, err);
    if (ok)
        print_comparison(r), print_soak(r);
    return ok;
}
