/* tools/fit-speed/report.c - what came out: the effects for plan/, the table and the pictures for docs/. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"
#include "page/chart.h"

enum { POOL_DEVICES = 8, MANY_DEVICES = 25, POINTS_MAX = 2000 };
/* Ranges hold at least 80 % of what is measured later; a little more here, since later devices differ from these. */
static const double q_of[N_WHAT] = { 0.055, 0.045 };

struct weighted {
    double v, w;
};
static int by_v(const void *a, const void *b)
{
    const double x = ((const struct weighted *)a)->v, y = ((const struct weighted *)b)->v;
    return (x > y) - (x < y);
}

static double quantile(struct weighted *v, int n, double q)
{
    double total = 0, at = 0;
    for (int i = 0; i < n; i++)
        total += v[i].w;
    qsort(v, (size_t)n, sizeof(*v), by_v);
    for (int i = 0; i < n; i++) {
        at += v[i].w;
        if (at >= q * total)
            return v[i].v;
    }
    return n ? v[n - 1].v : NAN;
}

struct spread report_spread(const struct table *t, int what, int cls, int without, bool is_known)
{
    static struct weighted v[ROWS_FIT_MAX];
    static int rows_of[DEVICES_MAX];
    double all = 0;
    int n = 0, n_devices = 0, last = -1;
    memset(rows_of, 0, sizeof(rows_of));
    for (int i = 0; i < t->n; i++)
        rows_of[t->row[i].device] += t->row[i].measured[what] > 0;
    for (int d = 0; d < t->n_devices; d++)
        all += d == without ? 0 : sqrt(rows_of[d]);
    for (int i = 0; i < t->n; i++) {
        const struct row *r = &t->row[i];
        const double v_row = is_known ? r->fold[what] : r->held_out[what];
        if (!(r->measured[what] > 0) || r->device == without || !isfinite(v_row))
            continue;
        const double w = 1 / sqrt(rows_of[r->device]); /* sums to sqrt(rows) over a device */
        n_devices += (int)r->q.cls == cls && r->device != last; /* rows of a device mostly stand together */
        last = r->device;
        v[n++] = (struct weighted){ v_row, ((int)r->q.cls == cls ? w : 0) + w * POOL_DEVICES * 2 / all };
    }
    /* the fewer devices a class has, the less its quantiles are worth: somewhat farther out */
    const double few = (double)n_devices / MANY_DEVICES, q = q_of[what] * (is_known || few > 1 ? 1 : few < 0.5 ? 0.5 : few);
    return (struct spread){ quantile(v, n, q), quantile(v, n, 1 - q) };
}

struct figures {
    int rows, devices;
    double median, device_median, within50, covered, seen;
};

static struct figures figures_of(const struct table *t, int k, int cls)
{
    static struct weighted e[ROWS_FIT_MAX], s[ROWS_FIT_MAX], d[DEVICES_MAX], one[ROWS_FIT_MAX];
    struct figures f = { 0 };
    int in50 = 0, covered = 0;
    for (int dev = 0; dev < t->n_devices; dev++) {
        int m = 0;
        for (int i = 0; i < t->n; i++) {
            const struct row *r = &t->row[i];
            if (r->device != dev || !(r->measured[k] > 0) || (cls != PLAN_CLASS_COUNT && (int)r->q.cls != cls))
                continue;
            const struct spread own = report_spread(t, k, (int)r->q.cls, dev, false); /* its own residuals do not help it */
            const double rel = fabs(exp(-r->held_out[k]) - 1);
            covered += r->held_out[k] >= own.low && r->held_out[k] <= own.high;
            in50 += rel <= 0.5;
            one[m++] = (struct weighted){ rel, 1 };
            e[f.rows] = (struct weighted){ rel, 1 };
            s[f.rows++] = (struct weighted){ fabs(exp(-r->seen[k]) - 1), 1 };
        }
        if (m > 0)
            d[f.devices++] = (struct weighted){ quantile(one, m, 0.5), 1 };
    }
    f.median = 100 * quantile(e, f.rows, 0.5), f.device_median = 100 * quantile(d, f.devices, 0.5), f.seen = 100 * quantile(s, f.rows, 0.5);
    f.within50 = 100.0 * in50 / (f.rows ? f.rows : 1), f.covered = 100.0 * covered / (f.rows ? f.rows : 1);
    return f;
}

static const char *class_label(int c) { return c == PLAN_CLASS_COUNT ? "all" : plan_class_name((enum plan_class)c); }

static void put_table(const struct table *t, FILE *out)
{
    fprintf(out, "| class | | rows | devices | median error | per device | within 50 %% | in range | seen |\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n");
    for (int c = 0; c <= PLAN_CLASS_COUNT; c++)
        for (int k = 0; k < N_WHAT; k++) {
            const struct figures f = figures_of(t, k, c);
            if (f.rows > 0)
                fprintf(out, "| %s | %s | %d | %d | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %.1f %% |\n", class_label(c), k ? "prefill" : "decode", f.rows, f.devices,
                        f.median, f.device_median, f.within50, f.covered, f.seen);
        }
}

void report_print(const struct table *t, FILE *out) { put_table(t, out); }

/* ---- files ---- */

static int by_group_and_name(const void *a, const void *b)
{
    const struct effect *x = a, *y = b;
    return x->group != y->group ? (x->group < y->group ? -1 : 1) : strcmp(x->name, y->name);
}

static FILE *create(const char *root, const char *path, struct err *err)
{
    char full[1024];
    snprintf(full, sizeof(full), "%s/%s", root, path);
    FILE *f = fopen(full, "w");
    if (!f)
        err_set(err, ERR_IO, "%s: cannot write", full);
    return f;
}

static bool write_effects(const struct table *t, const struct fit fit[N_WHAT], const char *root, struct err *err)
{
    const double too_small = 0.003; /* a third of a percent of one term */
    static struct effect e[2 * N_EFFECTS_MAX];
    int n = 0;
    FILE *f = create(root, "src/plan/speed_fit.def", err);
    if (!f)
        return false;
    for (int k = 0; k < N_WHAT; k++)
        for (int i = 0; i < fit[k].n_effects; i++)
            if (fabs(fit[k].effect[i].value) >= too_small)
                e[n++] = fit[k].effect[i];
    qsort(e, (size_t)n, sizeof(e[0]), by_group_and_name);
    fprintf(f, "/* plan/speed_fit.def - made by `make fit-speed` from %d measurements of %d devices; do not edit.\n *\n"
               " * EFFECT(term of the time, feature, log of the factor that a value of 1 puts on it)\n"
               " * SPREAD(class, 0 decode 1 prefill, quantiles of log(measured / predicted) on devices left out; the same where other rows\n"
               " * of the device were seen)\n */\n", t->n, t->n_devices);
    for (int i = 0; i < n; i++)
        fprintf(f, "EFFECT(%s, \"%s\", %.4f)\n", speed_group_name(e[i].group), e[i].name, e[i].value);
    for (int c = 0; c < PLAN_CLASS_COUNT; c++)
        for (int k = 0; k < N_WHAT; k++) {
            const struct spread s = report_spread(t, k, c, -1, false), known = report_spread(t, k, c, -1, true);
            fprintf(f, "SPREAD(\"%s\", %d, %.4f, %.4f, %.4f, %.4f)\n", plan_class_name((enum plan_class)c), k, s.low, s.high, known.low, known.high);
        }
    return fclose(f) == 0 ? true : err_set(err, ERR_IO, "src/plan/speed_fit.def: cannot write");
}

static bool write_picture(const struct table *t, int k, const char *root, struct err *err)
{
    static struct chart_point points[PLAN_CLASS_COUNT][POINTS_MAX];
    struct chart_series series[PLAN_CLASS_COUNT];
    int n_series = 0;
    for (int c = 0; c < PLAN_CLASS_COUNT; c++) {
        int n = 0;
        for (int i = 0; i < t->n && n < POINTS_MAX; i++)
            if ((int)t->row[i].q.cls == c && t->row[i].measured[k] > 0)
                points[c][n++] = (struct chart_point){ .x = t->row[i].measured[k], .y = exp(-t->row[i].held_out[k]) };
        if (n > 0)
            series[n_series++] = (struct chart_series){ .name = plan_class_name((enum plan_class)c), .points = points[c], .n = n, .has_dots = true };
    }
    const struct chart_note notes[] = { { CHART_NOTE_AT_Y, 0, 1, "exact" }, { CHART_NOTE_AT_Y, 0, 1.5, "+50 %" }, { CHART_NOTE_AT_Y, 0, 0.5, "-50 %" } };
    const struct chart chart = {
        .title = k ? "Prefill: predicted / measured, each device left out of the fit" : "Decode: predicted / measured, each device left out of the fit",
        .x = { .label = "measured, tokens/s", .is_log = true }, .y = { .label = "predicted / measured", .is_log = true, .min = 0.1, .max = 10 },
        .series = series, .n_series = n_series, .notes = notes, .n_notes = 3,
    };
    struct buf b;
    buf_init(&b, 8 << 20);
    FILE *f = NULL;
    bool ok = chart_write(&b, &chart, CHART_FILE, err) && buf_ok(&b, "picture", err) &&
              (f = create(root, k ? "docs/img/speed-prefill.svg" : "docs/img/speed-decode.svg", err)) != NULL;
    if (f && (fwrite(b.data, 1, b.len, f) != b.len) | (fclose(f) != 0))
        ok = err_set(err, ERR_IO, "docs/img: cannot write");
    buf_fini(&b);
    return ok;
}

bool report_write(const struct table *t, const struct fit fit[N_WHAT], const char *root, struct err *err)
{
    FILE *f;
    if (!write_effects(t, fit, root, err) || !write_picture(t, DECODE, root, err) || !write_picture(t, PREFILL, root, err) ||
        (f = create(root, "docs/speed-fit.md", err)) == NULL)
        return false;
    fprintf(f, "# Speed estimates on devices that the fit has not seen\n\n"
               "Made by `make fit-speed` from `../shared/reference/measured.tsv` (%d rows, %d devices). Each device was left out of the fit\n"
               "with all its rows (also \"4x\" and \"[host ...]\" rows of the same chip), then predicted. *median error*: of |predicted / measured - 1|\n"
               "over rows; *per device*: median over devices of the device's median; *in range*: measured lies in the stated range, whose\n"
               "quantiles were computed without that device; *seen*: the error when the device was part of the fit.\n\n", t->n, t->n_devices);
    put_table(t, f);
    fprintf(f, "\n![decode](img/speed-decode.svg)\n\n![prefill](img/speed-prefill.svg)\n\n## Farthest off\n\n| device | model | runtime | | measured | predicted |\n|---|---|---|---|---:|---:|\n");
    for (int i = 0; i < t->n; i++)
        for (int k = 0; k < N_WHAT; k++)
            if (t->row[i].measured[k] > 0 && fabs(t->row[i].held_out[k]) > 1.2)
                fprintf(f, "| %s | %s %s | %s | %s | %.4g | %.4g |\n", t->row[i].q.device, t->row[i].q.model_name, t->row[i].q.quant, t->row[i].q.runtime, k ? "prefill" : "decode",
                        t->row[i].measured[k], t->row[i].measured[k] * exp(-t->row[i].held_out[k]));
    return fclose(f) == 0 ? true : err_set(err, ERR_IO, "docs/speed-fit.md: cannot write");
}
