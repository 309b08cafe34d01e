/* cmd/route_simulate_out.c - a rehearsal as text, JSON, a picture, a page. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/out.h"
#include "cmd/route_simulate.h"
#include "cmd/save_chart.h"
#include "page/page.h"

enum { NAME = 200 };

static uint64_t n_failed(const struct sim_figures *f)
{
    uint64_t n = 0;
    for (int i = 0; i < SIM_FAIL_COUNT; i++)
        n += f->n_failed[i];
    return n;
}
static const char *expert_name(const struct rehearsal *r, int c, char out[NAME])
{
    const struct candidates *w = sim_world(r->sim);
    snprintf(out, NAME, "%s@%s", w->list[c].expert, w->nodes[w->list[c].node].name);
    return out;
}
/* What is shown of experts: each, or of very many those of one name together. */
struct shown {
    char name[NAME];
    uint64_t n_done, n_loads;
    double busy_s, joules;
    int n; /* experts in it */
};
enum { EACH_MAX = CHART_BARS_MAX, SHOWN_MAX = 256 };

/* The caller frees it; NULL: no memory. */
static struct shown *shown_of(const struct rehearsal *r, int which, int *n)
{
    const struct candidates *w = sim_world(r->sim);
    const struct sim_figures *f = r->figures[which];
    const bool is_each = w->n <= EACH_MAX;
    struct shown *s = calloc(SHOWN_MAX, sizeof(*s));
    *n = 0;
    for (int c = 0; s && c < w->n; c++) {
        int at = is_each ? *n : 0;
        while (at < *n && strcmp(s[at].name, w->list[c].expert) != 0)
            at++;
        if (at == *n && at == SHOWN_MAX) /* the last one stands for all that follow */
            at--;
        else if (at == *n)
            ++*n, is_each ? (void)expert_name(r, c, s[at].name) : (void)snprintf(s[at].name, NAME, "%s", at == SHOWN_MAX - 1 ? "others" : w->list[c].expert);
        const struct sim_expert_figures *x = &f->experts[c];
        s[at].n++, s[at].n_done += x->n_done, s[at].n_loads += x->n_loads, s[at].busy_s += x->busy_s, s[at].joules += x->joules;
    }
    for (int i = 0; i < *n && !is_each; i++) {
        const size_t at = strlen(s[i].name);
        snprintf(s[i].name + at, NAME - at, " x%d", s[i].n);
    }
    return s;
}
static int first_of(const struct rehearsal *r, enum sim_policy p)
{
    for (int i = 0; i < r->n; i++)
        if (r->policies[i] == p)
            return i;
    return -1;
}
static double total_joules(const struct sim_figures *f) { return f->idle_joules + f->work_joules; }

/* ---- text ---- */

static const char *duration(double s, char out[24])
{
    snprintf(out, 24, s < 1 ? "%.0f ms" : s < 100 ? "%.1f s" : s < 6000 ? "%.0f s" : "%.1f h", s < 1 ? s * 1e3 : s < 6000 ? s : s / 3600);
    return out;
}
static const char *energy(double j, char out[24])
{
    snprintf(out, 24, j < 1e3 ? "%.3g J" : j < 1e6 ? "%.3g kJ" : j < 1e9 ? "%.3g MJ" : "%.3g GJ", j < 1e3 ? j : j < 1e6 ? j / 1e3 : j < 1e9 ? j / 1e6 : j / 1e9);
    return out;
}

static bool put_policies(const struct rehearsal *r, FILE *to, struct err *err)
{
    struct out_table t;
    char a[24];
    out_table_init(&t, (const struct out_column[]){ { "policy", OUT_SHRINK }, { "right", OUT_RIGHT }, { "first", OUT_RIGHT }, { "all", OUT_RIGHT }, { "p95", OUT_RIGHT },
                                                    { "work", OUT_RIGHT }, { "+ idle", OUT_RIGHT }, { "missed", OUT_RIGHT }, { "failed", OUT_RIGHT } }, 9);
    for (int i = 0; i < r->n; i++) {
        const struct sim_figures *f = r->figures[i];
        out_row(&t);
        if (r->policies[i] == SIM_OURS)
            out_row_style(&t, OUT_BOLD);
        out_cell(&t, "%s", sim_policy_name(r->policies[i]));
        out_cell(&t, "%.1f %%", 100 * sim_quality(f));
        out_cell(&t, "%s", duration(sim_hist_at(&f->ttft, .5), a));
        out_cell(&t, "%s", duration(sim_hist_at(&f->total, .5), a));
        out_cell(&t, "%s", duration(sim_hist_at(&f->total, .95), a));
        out_cell(&t, "%s", energy(f->work_joules, a));
        out_cell(&t, "%s", energy(total_joules(f), a));
        out_cell(&t, "%.1f %%", 100.0 * (double)f->n_missed / (double)f->n_in);
        out_cell(&t, "%.1f %%", 100.0 * (double)n_failed(f) / (double)f->n_in);
    }
    const bool ok = out_table_print(&t, to, OUT_WIDTH, err);
    out_table_fini(&t);
    return ok;
}

static bool put_experts(const struct rehearsal *r, int which, FILE *to, struct err *err)
{
    const struct sim_figures *f = r->figures[which];
    int n = 0;
    struct shown *s = shown_of(r, which, &n);
    struct out_table t;
    char a[24];
    if (!s)
        return err_set(err, ERR_NOMEM, "route simulate: out of memory");
    out_table_init(&t, (const struct out_column[]){ { "expert", OUT_SHRINK }, { "answers", OUT_RIGHT }, { "busy", OUT_RIGHT }, { "energy", OUT_RIGHT }, { "loaded", OUT_RIGHT } }, 5);
    for (int i = 0; i < n; i++) {
        out_row(&t);
        out_cell(&t, "%s", s[i].name);
        out_cell(&t, "%llu", (unsigned long long)s[i].n_done);
        out_cell(&t, "%.1f %%", 100 * s[i].busy_s / f->end_s / s[i].n);
        out_cell(&t, "%s", energy(s[i].joules, a));
        out_cell(&t, "%llu", (unsigned long long)s[i].n_loads);
    }
    const bool ok = out_table_print(&t, to, OUT_WIDTH, err);
    out_table_fini(&t);
    free(s);
    return ok;
}

/* Less is better: "63 % less", "2.1x more". */
static const char *compared(double ours, double theirs, char out[32])
{
    if (!(theirs > 0) || !(ours > 0))
        snprintf(out, 32, "-");
    else if (ours <= theirs)
        snprintf(out, 32, "%.0f %% less", 100 * (1 - ours / theirs));
    else
        snprintf(out, 32, "%.0f %% more", 100 * (ours / theirs - 1));
    return out;
}

bool rehearsal_text(const struct rehearsal *r, FILE *to, struct err *err)
{
    const struct candidates *w = sim_world(r->sim);
    const struct sim_figures *f = r->figures[0];
    const int ours = first_of(r, SIM_OURS);
    char a[24], x[32], y[32];
    fprintf(to, "%s: %d nodes, %d experts, %llu requests in %s%s%s\n\n", r->name, w->n_nodes, w->n, (unsigned long long)f->n_in, duration(f->end_s, a),
            r->options.script >= 0 ? ", " : "", r->options.script >= 0 ? sim_script_name(r->sim, r->options.script) : "");
    if (!put_policies(r, to, err))
        return false;
    for (int i = 0; i < r->n; i++)
        for (int k = 0; k < SIM_FAIL_COUNT; k++)
            if (r->figures[i]->n_failed[k])
                fprintf(to, "%s: %llu failed: %s\n", sim_policy_name(r->policies[i]), (unsigned long long)r->figures[i]->n_failed[k], sim_failure_what((enum sim_failure)k));
    fputc('\n', to);
    for (int i = 0; ours >= 0 && i < r->n; i++)
        if (i != ours) {
            const struct sim_figures *o = r->figures[ours], *v = r->figures[i];
            fprintf(to, "against %s: %s energy, %s at p95, %+.1f points right", sim_policy_name(r->policies[i]), compared(o->work_joules, v->work_joules, x),
                    compared(sim_hist_at(&o->total, .95), sim_hist_at(&v->total, .95), y), 100 * (sim_quality(o) - sim_quality(v)));
            if (o->usd_tokens > 0 || v->usd_tokens > 0)
                fprintf(to, ", $%.2f against $%.2f", o->usd_tokens + o->usd_power, v->usd_tokens + v->usd_power);
            fputc('\n', to);
        }
    if (ours >= 0)
        fprintf(to, "\nwho answered for %s (%llu retried, %llu promoted, %llu degraded):\n", sim_policy_name(SIM_OURS), (unsigned long long)r->figures[ours]->n_retried,
                (unsigned long long)r->figures[ours]->n_promoted, (unsigned long long)r->figures[ours]->n_degraded);
    else
        fprintf(to, "\nwho answered for %s:\n", sim_policy_name(r->policies[0]));
    return put_experts(r, ours >= 0 ? ours : 0, to, err);
}

/* ---- JSON ---- */

static void put_number(FILE *to, const char *key, double v)
{
    if (isfinite(v))
        fprintf(to, ",\"%s\":%.6g", key, v);
    else
        fprintf(to, ",\"%s\":null", key);
}
static void put_hist(FILE *to, const char *key, const struct sim_hist *h)
{
    fprintf(to, ",\"%s\":{\"n\":%llu", key, (unsigned long long)h->n);
    put_number(to, "mean", h->n ? h->sum / (double)h->n : NAN);
    put_number(to, "p50", sim_hist_at(h, .5)), put_number(to, "p90", sim_hist_at(h, .9)), put_number(to, "p95", sim_hist_at(h, .95)), put_number(to, "p99", sim_hist_at(h, .99));
    fputc('}', to);
}
static void put_text(FILE *to, const char *s)
{
    struct buf b;
    buf_init(&b, 4096);
    buf_put_json_text(&b, s);
    fputs(b.data && !b.failed ? b.data : "\"\"", to);
    buf_fini(&b);
}

static void put_figures(const struct rehearsal *r, int i, FILE *to)
{
    const struct sim_figures *f = r->figures[i];
    const struct candidates *w = sim_world(r->sim);
    fprintf(to, "{\"policy\":\"%s\",\"n_in\":%llu,\"n_done\":%llu,\"failed\":{", sim_policy_name(r->policies[i]), (unsigned long long)f->n_in, (unsigned long long)f->n_done);
    for (int k = 0; k < SIM_FAIL_COUNT; k++)
        fprintf(to, "%s\"%s\":%llu", k ? "," : "", sim_failure_name((enum sim_failure)k), (unsigned long long)f->n_failed[k]);
    fprintf(to, "},\"n_missed\":%llu,\"n_retried\":%llu,\"n_hedged\":%llu,\"n_promoted\":%llu,\"n_degraded\":%llu,\"n_loads\":%llu,\"n_unjust\":%llu", (unsigned long long)f->n_missed,
            (unsigned long long)f->n_retried, (unsigned long long)f->n_hedged, (unsigned long long)f->n_promoted, (unsigned long long)f->n_degraded, (unsigned long long)f->n_loads, (unsigned long long)f->n_unjust);
    put_number(to, "quality", sim_quality(f)), put_number(to, "quality_noise", sim_noise(f)), put_number(to, "end_s", f->end_s);
    put_number(to, "work_joules", f->work_joules), put_number(to, "idle_joules", f->idle_joules), put_number(to, "load_joules", f->load_joules);
    put_number(to, "usd_tokens", f->usd_tokens), put_number(to, "usd_power", f->usd_power), put_number(to, "cpu_s", f->cpu_s);
    put_hist(to, "first_s", &f->ttft), put_hist(to, "total_s", &f->total);
    fputs(",\"classes\":[", to);
    for (int k = 0; k < sim_n_classes(r->sim); k++) {
        fprintf(to, "%s{\"name\":", k ? "," : "");
        put_text(to, sim_class_name(r->sim, k));
        fprintf(to, ",\"n_in\":%llu,\"n_done\":%llu,\"n_right\":%llu", (unsigned long long)f->classes[k].n_in, (unsigned long long)f->classes[k].n_done, (unsigned long long)f->classes[k].n_right);
        put_hist(to, "total_s", &f->classes[k].total);
        fputc('}', to);
    }
    fputs("],\"experts\":[", to);
    for (int c = 0; c < w->n; c++) {
        fprintf(to, "%s{\"expert\":", c ? "," : "");
        put_text(to, w->list[c].expert);
        fputs(",\"node\":", to);
        put_text(to, w->nodes[w->list[c].node].name);
        fprintf(to, ",\"n_done\":%llu,\"n_loads\":%llu", (unsigned long long)f->experts[c].n_done, (unsigned long long)f->experts[c].n_loads);
        put_number(to, "busy_s", f->experts[c].busy_s), put_number(to, "joules", f->experts[c].joules);
        fputc('}', to);
    }
    fputs("],\"nodes\":[", to);
    for (int n = 0; n < w->n_nodes; n++) {
        fprintf(to, "%s{\"node\":", n ? "," : "");
        put_text(to, w->nodes[n].name);
        put_number(to, "up_s", f->nodes[n].up_s), put_number(to, "idle_joules", f->nodes[n].idle_joules), put_number(to, "work_joules", f->nodes[n].work_joules);
        put_number(to, "max_c", f->nodes[n].max_c), put_number(to, "throttled_s", f->nodes[n].throttled_s);
        fputc('}', to);
    }
    fputs("]}", to);
}

void rehearsal_json(const struct rehearsal *r, FILE *to)
{
    fputs("{\"name\":", to);
    put_text(to, r->name);
    fprintf(to, ",\"seed\":%llu,\"script\":", (unsigned long long)r->options.seed);
    if (r->options.script >= 0)
        put_text(to, sim_script_name(r->sim, r->options.script));
    else
        fputs("null", to);
    fputs(",\"policies\":[", to);
    for (int i = 0; i < r->n; i++) {
        if (i)
            fputc(',', to);
        put_figures(r, i, to);
    }
    fputs("]}\n", to);
}

/* ---- pictures ---- */

struct picture {
    struct chart_point points[SIM_POLICY_COUNT];
    struct chart_series series[SIM_POLICY_COUNT];
    char labels[SIM_POLICY_COUNT][64];
    struct chart chart;
};

static void draw(const struct rehearsal *r, struct picture *p)
{
    for (int i = 0; i < r->n; i++) {
        const struct sim_figures *f = r->figures[i];
        snprintf(p->labels[i], sizeof(p->labels[i]), "%s, %.1f %% right", sim_policy_name(r->policies[i]), 100 * sim_quality(f));
        p->points[i] = (struct chart_point){ .x = sim_hist_at(&f->total, .95), .y = f->work_joules / (double)f->n_in, .label = p->labels[i], .is_marked = r->policies[i] == SIM_OURS };
        p->series[i] = (struct chart_series){ .name = p->labels[i], .points = &p->points[i], .n = 1, .has_dots = true };
    }
    p->chart = (struct chart){ .title = "Energy against waiting", .x = { .label = "95 of 100 answers are complete within, s", .is_log = true },
                               .y = { .label = "work above idle, J per request", .is_log = true }, .series = p->series, .n_series = r->n };
}

bool rehearsal_svg(const struct rehearsal *r, const char *path, struct err *err)
{
    struct picture *p = malloc(sizeof(*p));
    if (!p)
        return err_set(err, ERR_NOMEM, "route simulate: out of memory");
    draw(r, p);
    const bool ok = save_chart(&p->chart, path, err);
    free(p);
    return ok;
}

static void page_policies(const struct rehearsal *r, struct page *p)
{
    static const char *const heads[] = { "policy", "right", "first p50", "all p50", "p95", "p99", "work", "with idle", "missed", "failed" };
    enum { COLS = sizeof(heads) / sizeof(heads[0]) };
    char text[SIM_POLICY_COUNT][COLS][32], a[24];
    const char *cells[SIM_POLICY_COUNT * COLS];
    for (int i = 0; i < r->n; i++) {
        const struct sim_figures *f = r->figures[i];
        snprintf(text[i][0], 32, "%s", sim_policy_name(r->policies[i]));
        snprintf(text[i][1], 32, "%.1f %%", 100 * sim_quality(f));
        snprintf(text[i][2], 32, "%s", duration(sim_hist_at(&f->ttft, .5), a));
        snprintf(text[i][3], 32, "%s", duration(sim_hist_at(&f->total, .5), a));
        snprintf(text[i][4], 32, "%s", duration(sim_hist_at(&f->total, .95), a));
        snprintf(text[i][5], 32, "%s", duration(sim_hist_at(&f->total, .99), a));
        snprintf(text[i][6], 32, "%s", energy(f->work_joules, a));
        snprintf(text[i][7], 32, "%s", energy(total_joules(f), a));
        snprintf(text[i][8], 32, "%.1f %%", 100.0 * (double)f->n_missed / (double)f->n_in);
        snprintf(text[i][9], 32, "%.1f %%", 100.0 * (double)n_failed(f) / (double)f->n_in);
        for (int k = 0; k < COLS; k++)
            cells[i * COLS + k] = text[i][k];
    }
    page_table(p, heads, "lrrrrrrrrr", cells, r->n, COLS, first_of(r, SIM_OURS));
}

/* Who worked: joules by expert, a bar for each policy would be too much; the policy's own. */
static bool page_experts(const struct rehearsal *r, struct page *p, int which, struct err *err)
{
    const struct sim_figures *f = r->figures[which];
    static struct chart_bar bars[CHART_BARS_MAX];
    static char texts[CHART_BARS_MAX][64];
    int n = 0;
    char a[24];
    struct shown *s = shown_of(r, which, &n);
    if (!s)
        return err_set(err, ERR_NOMEM, "route simulate: out of memory");
    n = n < CHART_BARS_MAX ? n : CHART_BARS_MAX;
    for (int i = 0; i < n; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%llu answers, %s", (unsigned long long)s[i].n_done, energy(s[i].joules, a));
        bars[i] = (struct chart_bar){ .label = s[i].name, .part = { 100 * s[i].busy_s / f->end_s / s[i].n }, .text = texts[i] };
    }
    page_bars(p, &(struct chart_bars){ .title = "Who works", .value = { .label = "% of the time, by places" }, .bars = bars, .n_bars = n });
    free(s);
    return true;
}

bool rehearsal_html(const struct rehearsal *r, const char *path, struct err *err)
{
    char title[320];
    const int ours = first_of(r, SIM_OURS);
    snprintf(title, sizeof(title), "Rehearsal: %s", r->name);
    struct page *p = page_new(title, "tutti route simulate", err);
    struct picture *picture = malloc(sizeof(*picture));
    bool ok = p && (picture || err_set(err, ERR_NOMEM, "route simulate: out of memory"));
    if (ok) {
        char a[24];
        draw(r, picture);
        page_text(p, "%llu requests in %s of virtual time, seed %llu.", (unsigned long long)r->figures[0]->n_in, duration(r->figures[0]->end_s, a), (unsigned long long)r->options.seed);
        page_chart(p, &picture->chart);
        page_policies(r, p);
        page_note(p, "Right: share of all requests whose answer was right, failures count as wrong. Work: above what the machines draw when idle. "
                     "All policies see the same requests and the same machines; nothing here was measured.");
        page_section(p, ours >= 0 ? "Who answered (tutti)" : "Who answered");
        ok = page_experts(r, p, ours >= 0 ? ours : 0, err) && page_save(p, path, err);
    }
    free(picture);
    page_free(p);
    return ok;
}
