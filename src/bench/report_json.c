/* bench/report_json.c - a run as JSON (docs/json.md) and as CSV; start at bench_report_json(). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/report.h"

double bench_joules_per_tok(const struct bench_report *r, const struct bench_test *t, bool *is_estimate)
{
    *is_estimate = !r->energy.meter;
    return t->n_rounds < 1 ? (double)NAN : r->energy.meter ? t->joules_per_tok : r->energy.estimate_w / t->tps_median;
}

void bench_time_text(int64_t time_s, char text[static 32])
{
    struct tm tm;
    const time_t t = (time_t)time_s;
    if (!gmtime_r(&t, &tm) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        memcpy(text, "unknown", 8);
}

static void put(struct buf *b, const char *key, const char *fmt, double v)
{
    buf_printf(b, "\"%s\":", key);
    if (isfinite(v))
        buf_printf(b, fmt, v);
    else
        buf_puts(b, "null");
}
static void put_str(struct buf *b, const char *key, const char *s)
{
    buf_printf(b, "\"%s\":", key);
    if (s && s[0])
        buf_put_json_text(b, s);
    else
        buf_puts(b, "null");
}
static void put_bytes(struct buf *b, const char *key, int64_t n) { put(b, key, "%.0f", n > 0 ? (double)n : (double)NAN); }

static void put_head(const struct bench_report *r, struct buf *b)
{
    char when[32];
    bench_time_text(r->time_s, when);
    buf_puts(b, "{\"machine\":{");
    put_str(b, "cpu", r->machine.cpu), buf_puts(b, ",");
    put_str(b, "cpu_level", r->machine.level);
    buf_printf(b, ",\"cores\":%d,\"threads\":%d,", r->machine.cores, r->machine.threads);
    put_bytes(b, "memory_bytes", r->machine.memory_bytes);
    buf_puts(b, "},"), put_str(b, "time", when);
    buf_puts(b, ","), put_str(b, "version", r->version);
    buf_printf(b, ",\"interrupted\":%s,", r->is_interrupted ? "true" : "false");
    put_str(b, "model", r->has_model ? r->model.path : NULL);
    if (!r->has_model) {
        buf_puts(b, ",\"model_info\":null");
        return;
    }
    buf_puts(b, ",\"model_info\":{");
    put_str(b, "name", r->model.name), buf_puts(b, ","), put_str(b, "arch", r->model.arch);
    buf_printf(b, ",\"params\":%" PRIu64 ",\"active_params\":%" PRIu64 ",\"file_bytes\":%" PRIu64 ",\"weight_bytes\":%" PRIu64 ",\"bytes_per_token\":%" PRIu64
                  ",\"kv_bytes_per_token\":%" PRIu64 ",",
               r->model.info.n_params, r->model.info.active_params, r->model.file_bytes, r->model.info.weight_bytes, r->model.info.bytes_per_tok,
               r->model.info.kv_bytes_per_tok_f16);
    put(b, "load_ms", "%.1f", r->model.load_ms), buf_puts(b, ",");
    put_bytes(b, "load_peak_bytes", r->model.load_peak_bytes), buf_puts(b, ",");
    put_bytes(b, "peak_bytes", r->model.peak_bytes);
    buf_puts(b, "}");
}

static void put_limits(const struct bench_report *r, struct buf *b)
{
    static const char *const over[READ_KINDS] = { "threads", "streams", "sizes" };
    const struct bench_limits *l = &r->limits;
    buf_puts(b, ",\"limits\":{"), put(b, "read_gbps", "%.2f", l->read_bps / 1e9);
    buf_puts(b, ","), put(b, "int8_gops", "%.1f", l->int8_ops / 1e9);
    buf_puts(b, ","), put(b, "bf16_gflops", "%.1f", l->bf16_flops / 1e9);
    buf_puts(b, ","), put(b, "f32_gflops", "%.1f", l->f32_flops / 1e9);
    buf_puts(b, ","), put(b, "theoretical_gbps", "%.1f", r->machine.theoretical_bps > 0 ? r->machine.theoretical_bps / 1e9 : (double)NAN);
    buf_puts(b, ","), put_str(b, "theoretical_from", r->machine.theoretical_bps > 0 ? r->machine.theoretical_from : NULL);
    buf_puts(b, "},\"memory_reads\":[");
    for (int i = 0; i < r->n_reads; i++) {
        const struct bench_read *k = &r->reads[i];
        buf_printf(b, "%s{\"over\":\"%s\",\"threads\":%d,\"streams\":%d,\"bytes\":%" PRId64 ",", i ? "," : "", over[k->kind], k->threads, k->streams, k->bytes);
        put(b, "gbps", "%.2f", k->bps / 1e9), buf_puts(b, "}");
    }
    buf_puts(b, "],\"peaks\":[");
    for (int i = 0; i < r->n_peaks; i++) {
        const struct bench_peak *k = &r->peaks[i];
        buf_printf(b, "%s{\"isa\":\"%s\",\"unit\":\"%s\",\"threads\":%d,", i ? "," : "", k->isa, k->unit, k->threads);
        put(b, "gops", "%.1f", k->ops / 1e9), buf_puts(b, "}");
    }
    buf_puts(b, "]");
}

static void put_results(const struct bench_report *r, struct buf *b)
{
    int n = 0;
    buf_puts(b, ",\"results\":[");
    for (int i = 0; i < r->n_tests; i++) {
        const struct bench_test *t = &r->tests[i];
        bool is_estimate;
        if (t->n_rounds < 1)
            continue;
        const double joules = bench_joules_per_tok(r, t, &is_estimate);
        buf_printf(b, "%s{\"test\":\"%s\",\"threads\":%d,\"depth\":%d,\"batch\":%d,", n++ ? "," : "", t->name, t->threads, t->depth, t->batch);
        put(b, "tps", "%.2f", t->tps_median), buf_puts(b, ",");
        put(b, "tps_min", "%.2f", t->tps_min), buf_puts(b, ",");
        put(b, "tps_max", "%.2f", t->tps_max), buf_puts(b, ",");
        put(b, "share_of_limit", "%.3f", t->share_median), buf_puts(b, ",");
        put_str(b, "limit", bench_roof_names[t->roof]), buf_puts(b, ",");
        put(b, "bytes_per_token", "%.0f", t->work.bytes), buf_puts(b, ",");
        put(b, "ops_per_token", "%.0f", bench_work_ops(&t->work)), buf_puts(b, ",");
        put(b, "ttft_ms", "%.2f", t->ttft_ms), buf_puts(b, ",");
        put(b, "joules_per_token", "%.4g", joules);
        buf_printf(b, ",\"joules_kind\":%s}", !isfinite(joules) ? "null" : is_estimate ? "\"estimated\"" : "\"measured\"");
    }
    if (r->ppl.n_chunks > 0)
        buf_printf(b, "%s{\"test\":\"ppl\",\"threads\":%d,\"depth\":%d,\"batch\":%d,\"tps\":null,\"share_of_limit\":null,\"ppl\":%.6f}", n ? "," : "",
                   r->machine.threads, r->ppl.n_ctx, r->ppl.n_chunks, r->ppl.value);
    buf_puts(b, "],\"energy\":{"), put_str(b, "meter", r->energy.meter);
    buf_puts(b, ","), put_str(b, "why_none", r->energy.why_none);
    buf_puts(b, ","), put(b, "estimate_w", "%.1f", r->energy.meter ? (double)NAN : r->energy.estimate_w);
    buf_puts(b, ","), put_str(b, "estimate_from", r->energy.meter ? NULL : r->energy.estimate_from);
    buf_puts(b, "}");
}

static void put_score(const struct bench_report *r, struct buf *b)
{
    const struct bench_score *s = &r->score;
    if (!r->has_score) {
        buf_puts(b, ",\"localscore\":null");
        return;
    }
    buf_puts(b, ",\"localscore\":{"), put(b, "score", "%.12g", s->sum.score);
    buf_puts(b, ","), put_str(b, "verdict", localscore_verdict(s->sum.score));
    buf_printf(b, ",\"kind\":\"%s\",", s->is_projected ? "projected" : "measured");
    put(b, "error_frac", "%.3f", s->is_projected ? s->error_frac : (double)NAN), buf_puts(b, ",");
    put(b, "avg_prompt_tps", "%.12g", s->sum.prompt_tps), buf_puts(b, ",");
    put(b, "avg_gen_tps", "%.12g", s->sum.gen_tps), buf_puts(b, ",");
    put(b, "avg_ttft_ms", "%.12g", s->sum.ttft_ms), buf_puts(b, ",\"cases\":[");
    for (int i = 0; i < s->n_done; i++) {
        const struct localscore_case *c = &s->cases[i];
        buf_printf(b, "%s{\"prompt\":%d,\"gen\":%d,", i ? "," : "", c->n_prompt, c->n_gen);
        put(b, "prompt_tps", "%.12g", c->prompt_tps), buf_puts(b, ",");
        put(b, "gen_tps", "%.12g", c->gen_tps), buf_puts(b, ",");
        put(b, "ttft_ms", "%.12g", c->ttft_ms), buf_puts(b, ",");
        put(b, "prompt_share_of_limit", "%.3f", s->is_projected ? (double)NAN : s->prompt_share[i]), buf_puts(b, ",");
        put(b, "gen_share_of_limit", "%.3f", s->is_projected ? (double)NAN : s->gen_share[i]), buf_puts(b, "}");
    }
    buf_puts(b, "]}");
}

static void put_comparison(const struct bench_report *r, struct buf *b)
{
    const struct bench_compare *c = &r->compare;
    if (!c->model || c->n == 0) {
        buf_puts(b, ",\"comparison\":null");
        return;
    }
    buf_puts(b, ",\"comparison\":{"), put_str(b, "model", c->model);
    buf_printf(b, ",\"kind\":\"%s\",", c->is_scaled ? "predicted" : "catalog");
    put_str(b, "slower", c->n_slower > 0 ? c->peer[c->n_slower - 1].name : NULL), buf_puts(b, ",");
    put_str(b, "faster", c->n_slower < c->n ? c->peer[c->n_slower].name : NULL), buf_puts(b, ",\"machines\":[");
    for (int i = 0; i < c->n; i++) {
        const struct bench_peer *p = &c->peer[i];
        buf_puts(b, i ? ",{" : "{");
        put_str(b, "name", p->name), buf_puts(b, ","), put_str(b, "runtime", p->runtime), buf_puts(b, ",");
        put(b, "score", "%.1f", p->score), buf_puts(b, ",");
        put(b, "prompt_tps", "%.4g", p->prompt_tps), buf_puts(b, ",");
        put(b, "gen_tps", "%.4g", p->gen_tps), buf_puts(b, ",");
        put(b, "ttft_ms", "%.4g", p->ttft_ms), buf_puts(b, ",");
        put_str(b, "source", p->source), buf_puts(b, ","), put_str(b, "date", p->date), buf_puts(b, "}");
    }
    buf_puts(b, "]}");
}

static void put_soak(const struct bench_report *r, struct buf *b)
{
    const struct bench_soak *s = r->soak;
    if (!s) {
        buf_puts(b, ",\"soak\":null");
        return;
    }
    buf_puts(b, ",\"soak\":{"), put(b, "seconds", "%.1f", s->wanted_s), buf_puts(b, ",");
    put(b, "kept_frac", "%.3f", s->kept_frac), buf_puts(b, ",");
    put(b, "tg_first", "%.2f", s->tg_first), buf_puts(b, ","), put(b, "tg_last", "%.2f", s->tg_last), buf_puts(b, ",");
    put(b, "pp_first", "%.2f", s->pp_first), buf_puts(b, ","), put(b, "pp_last", "%.2f", s->pp_last), buf_puts(b, ",\"samples\":[");
    for (int i = 0; i < s->n; i++) {
        const struct bench_soak_sample *k = &s->sample[i];
        buf_puts(b, i ? ",{" : "{");
        put(b, "t_s", "%.2f", k->t_s), buf_puts(b, ",");
        put(b, "pp_tps", "%.2f", k->pp_tps), buf_puts(b, ",");
        put(b, "tg_tps", "%.2f", k->tg_tps), buf_puts(b, ",");
        put(b, "mhz", "%.0f", k->mhz), buf_puts(b, ",");
        put(b, "temperature_c", "%.1f", k->temperature_c), buf_puts(b, ",");
        put(b, "watts", "%.2f", k->watts), buf_puts(b, "}");
    }
    buf_puts(b, "]}");
}

bool bench_report_json(const struct bench_report *r, struct buf *b, struct err *err)
{
    put_head(r, b);
    put_limits(r, b);
    put_results(r, b);
    put_score(r, b);
    put_comparison(r, b);
    put_soak(r, b);
    buf_puts(b, "}\n");
    return buf_ok(b, "bench", err);
}

/* ---- CSV ---- */

struct csv_line {
    const char *section, *test, *unit, *kind;
    int threads, depth, batch, streams; /* 0 of streams, -1 of the others: empty */
    int64_t bytes;
    double value, min, max, share;
};

static void put_cell(struct buf *b, const char *fmt, double v)
{
    buf_puts(b, ",");
    if (isfinite(v))
        buf_printf(b, fmt, v);
}

static void put_line(struct buf *b, const struct csv_line *l)
{
    if (!isfinite(l->value))
        return;
    buf_printf(b, "%s,%s", l->section, l->test);
    put_cell(b, "%.0f", l->threads < 0 ? (double)NAN : l->threads);
    put_cell(b, "%.0f", l->depth < 0 ? (double)NAN : l->depth);
    put_cell(b, "%.0f", l->batch < 0 ? (double)NAN : l->batch);
    put_cell(b, "%.0f", l->streams > 0 ? l->streams : (double)NAN);
    put_cell(b, "%.0f", l->bytes > 0 ? (double)l->bytes : (double)NAN);
    put_cell(b, "%.6g", l->value);
    buf_printf(b, ",%s", l->unit);
    put_cell(b, "%.6g", l->min), put_cell(b, "%.6g", l->max), put_cell(b, "%.4g", l->share);
    buf_printf(b, ",%s\n", l->kind);
}

bool bench_report_csv(const struct bench_report *r, struct buf *b, struct err *err)
{
    const int n = r->machine.threads;
    const struct csv_line limit = { "limits", "", "", "measured", n, -1, -1, 0, 0, NAN, NAN, NAN, NAN };
    struct csv_line l = limit;
    buf_puts(b, "section,test,threads,depth,batch,streams,bytes,value,unit,min,max,share_of_limit,kind\n");
    l.test = "read", l.value = r->limits.read_bps / 1e9, l.unit = "GB/s", put_line(b, &l);
    l.test = "int8", l.value = r->limits.int8_ops / 1e9, l.unit = "GOPS", put_line(b, &l);
    l.test = "bf16", l.value = r->limits.bf16_flops / 1e9, l.unit = "GFLOPS", put_line(b, &l);
    l.test = "f32", l.value = r->limits.f32_flops / 1e9, put_line(b, &l);
    for (int i = 0; i < r->n_reads; i++) {
        static const char *const over[READ_KINDS] = { "threads", "streams", "sizes" };
        l = limit, l.section = "memory_reads", l.test = over[r->reads[i].kind], l.threads = r->reads[i].threads, l.streams = r->reads[i].streams;
        l.bytes = r->reads[i].bytes, l.value = r->reads[i].bps / 1e9, l.unit = "GB/s", put_line(b, &l);
    }
    for (int i = 0; i < r->n_peaks; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%s-%s", r->peaks[i].isa, r->peaks[i].unit);
        l = limit, l.section = "peaks", l.test = name, l.threads = r->peaks[i].threads, l.value = r->peaks[i].ops / 1e9, l.unit = "GOPS", put_line(b, &l);
    }
    for (int i = 0; i < r->n_tests; i++) {
        const struct bench_test *t = &r->tests[i];
        bool is_estimate;
        if (t->n_rounds < 1)
            continue;
        const double joules = bench_joules_per_tok(r, t, &is_estimate);
        l = (struct csv_line){ "results", t->name, "tokens/s", "measured", t->threads, t->depth, t->batch, 0, 0, t->tps_median, t->tps_min, t->tps_max, t->share_median };
        put_line(b, &l);
        l.min = l.max = l.share = NAN;
        l.section = "ttft", l.value = t->ttft_ms, l.unit = "ms", put_line(b, &l);
        l.section = "energy", l.value = joules, l.unit = "J/token", l.kind = is_estimate ? "estimated" : "measured", put_line(b, &l);
    }
    if (r->has_model) {
        l = limit, l.section = "model";
        l.test = "load", l.value = r->model.load_ms, l.unit = "ms", put_line(b, &l);
        l.test = "peak_memory", l.value = r->model.peak_bytes > 0 ? (double)r->model.peak_bytes / 1e6 : (double)NAN, l.unit = "MB", put_line(b, &l);
    }
    if (r->ppl.n_chunks > 0) {
        l = limit, l.section = "perplexity", l.test = "ppl", l.depth = r->ppl.n_ctx, l.batch = r->ppl.n_chunks, l.value = r->ppl.value, put_line(b, &l);
    }
    if (r->has_score) {
        l = limit, l.section = "localscore", l.kind = r->score.is_projected ? "projected" : "measured";
        for (int i = 0; i < r->score.n_done; i++) {
            const struct localscore_case *c = &r->score.cases[i];
            char name[48];
            snprintf(name, sizeof(name), "pp%d+tg%d", c->n_prompt, c->n_gen);
            l.test = name, l.value = c->prompt_tps, l.unit = "prompt tokens/s", put_line(b, &l);
            l.value = c->gen_tps, l.unit = "generated tokens/s", put_line(b, &l);
            l.value = c->ttft_ms, l.unit = "ms to first token", put_line(b, &l);
        }
        l.test = "score", l.value = r->score.sum.score, l.unit = "", put_line(b, &l);
    }
    for (int i = 0; r->soak && i < r->soak->n; i++) {
        const struct bench_soak_sample *k = &r->soak->sample[i];
        char name[32];
        snprintf(name, sizeof(name), "%.1fs", k->t_s);
        l = limit, l.section = "soak", l.test = name;
        l.value = k->tg_tps, l.unit = "generated tokens/s", put_line(b, &l);
        l.value = k->pp_tps, l.unit = "prompt tokens/s", put_line(b, &l);
        l.value = k->mhz, l.unit = "MHz", put_line(b, &l);
        l.value = k->temperature_c, l.unit = "C", put_line(b, &l);
        l.value = k->watts, l.unit = "W", put_line(b, &l);
    }
    return buf_ok(b, "bench", err);
}
