/* cmd/fit_tables.c - `tutti fit`: a table for each device, or JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/advice.h"
#include "cmd/fit_internal.h"
#include "cmd/out.h"

static const char *shown_fits(const struct fit_row *r) { return r->is_memory_known ? plan_fits_name(r->place.fits) : "?"; }

static const char *two_digits(char text[32], double v)
{
    snprintf(text, 32, v >= 9.95 ? "%.0f" : v >= 0.995 ? "%.1f" : "%.2f", v >= 995 ? 10 * round(v / 10) : v);
    return text;
}

void fit_put_range(struct out_table *t, struct plan_range r, bool runs)
{
    char low[32], high[32];
    if (!runs || !plan_is_known(r))
        out_cell(t, "-");
    else
        out_cell(t, "%s-%s", two_digits(low, r.low), two_digits(high, r.high));
}

static const char use_letter[PLAN_VIABILITY_COUNT] = { 'I', 'B', 'O', '-' };

/* One letter for each use case: I interactive, B background, O off-line, - non-viable. */
static void put_uses(char text[PLAN_USE_CASES + 1], const struct fit_row *r)
{
    const bool runs = !r->is_memory_known || r->place.fits != PLAN_TOO_LARGE;
    for (int u = 0; u < PLAN_USE_CASES; u++)
        text[u] = runs ? use_letter[r->use[u]] : '-';
    text[PLAN_USE_CASES] = '\0';
}

static int put_figure(char *to, size_t size, double v, const char *unit, enum plan_source from)
{
    char text[32];
    return v > 0 ? snprintf(to, size, ", %s %s (%s)", out_format_number(text, v), unit, plan_source_name(from)) : 0;
}

static void print_head(const struct fit_job *j, const struct device *d)
{
    const struct plan_device *p = &d->plan;
    char is[200]; /* after the name; on a line of its own where that gets too long */
    int n = snprintf(is, sizeof(is), "%s", plan_class_people(p->cls));
    n += put_figure(is + n, sizeof(is) - (size_t)n, (double)p->mem_bytes / 1e9, "GB", p->source[PLAN_FIG_MEM]);
    n += put_figure(is + n, sizeof(is) - (size_t)n, p->bw_gbps, "GB/s", p->source[PLAN_FIG_BW]);
    printf("%s%.78s%s:%s%s\n", out_style(stdout, OUT_BOLD), p->name, out_style_end(stdout), out_text_width(p->name) + 2 + n > OUT_WIDTH ? "\n  " : " ", is);
    if (j->is_explained && d->steps[0])
        printf("%s%s", d->steps, d->steps[strlen(d->steps) - 1] == '\n' ? "" : "\n");
    if (j->is_explained && d->row)
        out_wrap(stdout, 0, OUT_WIDTH, catalog_source(d->row));
    if (j->measured[0] && p->cls == PLAN_CPU && (p->tg_correction != 1 || p->pp_correction != 1))
        printf("%s\n", j->measured);
}

static void explain(const struct fit_row *r, const struct device *d)
{
    struct plan_speed_query q = plan_speed_query_for(&d->plan, &r->model, r->runtime);
    q.work = plan_workload_one(1024, 128, 0);
    const struct plan_speed s = plan_speed_predict(&q);
    printf("%s %s: needs %.2f GB = weights %.2f + K/V %.2f + buffers %.2f + runtime %.2f\n", r->model.name, r->model.quant, (double)r->need.total / 1e9, (double)r->need.weights / 1e9,
           (double)r->need.kv / 1e9, (double)r->need.compute / 1e9, (double)r->need.runtime / 1e9);
    if (plan_is_known(s.tg_tps))
        printf("  a token after 1024: %.2f ms = fixed %.2f + weights %.2f (%.2f GB)\n    + multiply-adds %.2f + K/V %.2f\n", 1e3 / s.tg_tps.mid, 1e3 * s.tg_fixed_s, 1e3 * s.tg_weights_s,
               (double)r->model.bytes_per_tok / 1e9, 1e3 * s.tg_compute_s, 1e3 * s.tg_kv_s);
    printf("  load: %.1f s from the disk%s", r->load_disk_s, isfinite(r->load_link_s) ? "" : "\n");
    if (isfinite(r->load_link_s))
        printf(", %.1f s over the link\n", r->load_link_s);
    printf("  LocalScore's nine tests:");
    for (int i = 0; i < PLAN_TESTS_MAX; i++)
        printf(" %c", use_letter[r->nine[i]]);
    printf("\n");
    if (r->place.fits == PLAN_SPLIT)
        printf("  %d of %d layers on the device, the rest in main memory\n", r->place.n_layers_device, r->place.n_layers);
}

static bool print_table(const struct fit_job *j, const struct device *d, const struct fit_row *rows, int best, struct err *err)
{
    static const struct out_column one[] = { { "", OUT_LEFT }, { "model", OUT_SHRINK }, { "quant", OUT_LEFT }, { "GB", OUT_RIGHT }, { "fits", OUT_LEFT }, { "prompt/s", OUT_RIGHT },
                                             { "decode/s", OUT_RIGHT }, { "first s", OUT_RIGHT }, { "use", OUT_LEFT } };
    static const struct out_column several[] = { { "", OUT_LEFT }, { "model", OUT_SHRINK }, { "quant", OUT_LEFT }, { "GB", OUT_RIGHT }, { "fits", OUT_LEFT }, { "prompt/s", OUT_RIGHT },
                                                 { "decode/s", OUT_RIGHT }, { "first s", OUT_RIGHT }, { "use", OUT_LEFT }, { "all/s", OUT_RIGHT } };
    const bool is_several = j->options.n_users > 1;
    struct out_table t;
    print_head(j, d);
    out_table_init(&t, is_several ? several : one, is_several ? 10 : 9);
    for (int i = 0; i < j->n_rows; i++) {
        const struct fit_row *r = &rows[i];
        const bool runs = !r->is_memory_known || r->place.fits != PLAN_TOO_LARGE;
        char uses[PLAN_USE_CASES + 1];
        put_uses(uses, r);
        out_row(&t);
        out_row_style(&t, i == best ? OUT_GOOD : runs ? OUT_PLAIN : OUT_DIM);
        out_cell(&t, "%s", i == best ? "*" : "");
        out_cell(&t, "%s", r->model.name);
        out_cell(&t, "%s", r->model.quant);
        out_number(&t, (double)r->need.total / 1e9);
        out_cell(&t, "%s", shown_fits(r));
        fit_put_range(&t, r->pp_tps, runs);
        fit_put_range(&t, r->tg_tps, runs);
        fit_put_range(&t, plan_scale(r->ttft_ms, 1e-3), runs);
        out_cell(&t, "%s", uses);
        if (is_several)
            fit_put_range(&t, r->users_tps, runs);
    }
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    for (int i = 0; ok && i < j->n_rows && j->is_explained; i++)
        explain(&rows[i], d);
    if (ok && best >= 0) {
        char line[400];
        snprintf(line, sizeof(line), "* %s %s with %s: %s", rows[best].model.name, rows[best].model.quant, rows[best].runtime, rows[best].why);
        out_wrap(stdout, 0, OUT_WIDTH, line);
    }
    return ok;
}

/* ---- JSON ---- */

static void put_bytes(struct buf *b, const char *key, uint64_t v) { buf_printf(b, ",\"%s\":%" PRIu64, key, v); }

static void put_device(struct buf *b, const struct fit_job *j, const struct device *d)
{
    static const char *const figures[] = { "memory", "bandwidth", "fp16", "fp32", "int8", "cores", "load_w", "idle_w", "price", "link" };
    const struct plan_device *p = &d->plan;
    buf_puts(b, "{");
    advice_json_text(b, "name", p->name);
    advice_json_text(b, "class", plan_class_name(p->cls));
    advice_json_text(b, "runtime", p->runtime);
    advice_json_number(b, "n_devices", p->n_devices);
    if (p->mem_bytes > 0)
        put_bytes(b, "memory_bytes", p->mem_bytes), put_bytes(b, "usable_bytes", plan_usable_bytes(p));
    else
        buf_puts(b, ",\"memory_bytes\":null,\"usable_bytes\":null");
    advice_json_number(b, "bandwidth_gbps", p->bw_gbps > 0 ? p->bw_gbps : (double)NAN);
    advice_json_number(b, "fp16_tflops", p->fp16_tflops > 0 ? p->fp16_tflops : (double)NAN);
    advice_json_number(b, "fp32_tflops", p->fp32_tflops > 0 ? p->fp32_tflops : (double)NAN);
    advice_json_number(b, "link_gbps", p->link_gbps > 0 ? p->link_gbps : (double)NAN);
    buf_puts(b, ",\"from\":{");
    for (int f = 0; f < PLAN_FIG_COUNT; f++)
        advice_json_text(b, figures[f], p->source[f] == PLAN_UNKNOWN ? NULL : plan_source_name(p->source[f]));
    buf_puts(b, "}");
    advice_json_text(b, "steps", d->steps);
    advice_json_text(b, "catalog_source", d->row ? catalog_source(d->row) : NULL);
    advice_json_text(b, "corrected", p->cls == PLAN_CPU && (p->tg_correction != 1 || p->pp_correction != 1) ? j->measured : NULL);
}

static void put_row(struct buf *b, const struct fit_row *r)
{
    const bool runs = !r->is_memory_known || r->place.fits != PLAN_TOO_LARGE;
    buf_puts(b, "{");
    advice_json_text(b, "model", r->model.name);
    advice_json_text(b, "quant", r->model.quant);
    advice_json_text(b, "runtime", r->runtime);
    advice_json_number(b, "params", r->model.params);
    advice_json_number(b, "active_params", r->model.active_params);
    put_bytes(b, "weight_bytes", r->need.weights);
    put_bytes(b, "kv_bytes", r->need.kv);
    put_bytes(b, "compute_bytes", r->need.compute);
    put_bytes(b, "runtime_bytes", r->need.runtime);
    put_bytes(b, "total_bytes", r->need.total);
    buf_printf(b, ",\"is_exact\":%s", r->need.is_exact ? "true" : "false");
    advice_json_text(b, "fits", r->is_memory_known ? plan_fits_name(r->place.fits) : NULL);
    advice_json_number(b, "layers_on_device", r->is_memory_known ? r->place.n_layers_device : (double)NAN);
    advice_json_number(b, "layers", r->place.n_layers);
    advice_json_range(b, "pp_tps", runs ? r->pp_tps : plan_unknown());
    advice_json_range(b, "tg_tps", runs ? r->tg_tps : plan_unknown());
    advice_json_range(b, "ttft_ms", runs ? r->ttft_ms : plan_unknown());
    advice_json_range(b, "users_tps", runs ? r->users_tps : plan_unknown());
    advice_json_number(b, "load_disk_s", r->load_disk_s);
    advice_json_number(b, "load_link_s", r->load_link_s);
    buf_puts(b, ",\"use_cases\":{");
    for (int u = 0; u < PLAN_USE_CASES; u++)
        advice_json_text(b, plan_use_cases[u].name, plan_viability_name(runs ? r->use[u] : PLAN_NOT_VIABLE));
    buf_puts(b, "},\"localscore_cases\":[");
    for (int i = 0; i < PLAN_TESTS_MAX; i++)
        buf_printf(b, "%s\"%s\"", i ? "," : "", plan_viability_name(runs ? r->nine[i] : PLAN_NOT_VIABLE));
    buf_printf(b, "],\"is_best\":%s", r->is_best ? "true" : "false");
    advice_json_text(b, "why", r->is_best ? r->why : NULL);
    buf_puts(b, "}");
}

int fit_tables(struct fit_job *j)
{
    struct err err = { 0 };
    struct buf b;
    struct fit_row *rows = calloc((size_t)j->n_rows, sizeof(*rows));
    bool ok = rows != NULL || err_set(&err, ERR_NOMEM, "fit: out of memory"), any = false, is_tutti = false;
    buf_init(&b, 64 << 20);
    buf_printf(&b, "{\"n_ctx\":%d,\"n_users\":%d,\"devices\":[", j->options.n_ctx, j->options.n_users);
    for (int i = 0; ok && i < j->n_devices; i++) {
        const struct device *d = &j->device[i], *host = j->has_host && i + 1 < j->n_devices && !d->plan.is_unified ? &j->device[j->n_devices - 1] : NULL;
        for (int k = 0; k < j->n_rows; k++)
            fit_one(&rows[k], d, host, &j->model[k], &j->options);
        const int best = fit_mark_best(rows, j->n_rows);
        for (int k = 0; k < j->n_rows; k++)
            any |= !rows[k].is_memory_known || rows[k].place.fits != PLAN_TOO_LARGE;
        if (j->is_json) {
            if (i)
                buf_puts(&b, ",");
            put_device(&b, j, d);
            buf_puts(&b, ",\"models\":[");
            for (int k = 0; k < j->n_rows; k++) {
                if (k)
                    buf_puts(&b, ",");
                put_row(&b, &rows[k]);
            }
            buf_puts(&b, "]}");
        } else {
            if (i)
                printf("\n");
            ok = print_table(j, d, rows, best, &err);
            is_tutti |= j->n_rows > 0 && strncmp(rows[0].runtime, "tutti", 5) == 0;
        }
    }
    free(rows);
    if (ok && j->is_json) {
        buf_puts(&b, "]}");
        return advice_print_json(&b) ? 1 : any ? 0 : 1;
    }
    buf_fini(&b);
    if (ok)
        printf("All speeds are predictions: 80 %% of machines lie within; context %d, %d user%s.\nuse: UC1 classify 1024+16, UC2 read 4096+256, UC3 reason 1280+3072,\n"
               "     UC4 write 384+1152; I interactive, B background (5 min), O off-line (8 h)\n", j->options.n_ctx, j->options.n_users, j->options.n_users > 1 ? "s" : "");
    if (ok && is_tutti)
        printf("tutti CPU is estimated from its own figures on one machine (docs/SPEED.md);\nits speed on yours: tutti bench\n");
    return ok ? any ? 0 : 1 : cmd_fail(&err);
}
