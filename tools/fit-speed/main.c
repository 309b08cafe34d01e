/* tools/fit-speed/main.c - fits plan/speed on measurements and says what cross-validation over devices finds.
 *
 *     fit-speed MEASURED.tsv [--cv] [--write src/plan/speed_fit.def] [--docs docs] ...
 *
 * Plain C, no randomness: the same table gives the same file.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fit.h"

static struct row rows[1 << 14];
static int n_rows, n_devices;
static char device_names[4096][96];
static struct fit fits[2];

static int device_index(const char *name)
{
    for (int i = 0; i < n_devices; i++)
        if (strcmp(device_names[i], name) == 0)
            return i;
    snprintf(device_names[n_devices], sizeof(device_names[0]), "%s", name);
    return n_devices++;
}

static double device_sd[2] = { 0.15, 0.25 };

static bool load(const struct rows *t, struct err *err)
{
    double cpu_device_sd[2] = { 0.2, 0.25 }; if (getenv("CSD")) cpu_device_sd[0]=atof(getenv("CSD"));
    struct rows_columns c;
    if (!rows_columns(t, &c, err))
        return false;
    static struct speed_features f;
    for (int i = 0; i < t->n && n_rows < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        struct row *r = &rows[n_rows];
        memset(r, 0, sizeof(*r));
        if (!rows_query(t, &c, i, &r->q) || !speed_can_tg(&r->q) || r->q.params < 5e7)
            continue;
        speed_base_name(r->base_name, sizeof(r->base_name), r->q.device);
        r->device = device_index(r->base_name);
        r->measured[0] = rows_number(t, i, c.tg), r->measured[1] = rows_number(t, i, c.pp);
        const char trust = rows_text(t, i, c.trust)[0];
        const double rs = getenv("RS") ? atof(getenv("RS")) : 1; r->sd = rs * (trust == 'A' ? 0.12 : trust == 'B' ? 0.15 : 0.25);
        speed_features(&f, &r->q);
        for (int j = 0; j < f.n; j++) {
            const int k = f.at[j].group >= SPEED_PP_ALL;
            r->x[k][r->n_x[k]].effect = fit_effect(&fits[k], f.at[j].group, f.at[j].name, f.at[j].sd * (getenv("SDM") ? atof(getenv("SDM")) : 1), false);
            r->x[k][r->n_x[k]].group = f.at[j].group;
            r->x[k][r->n_x[k]++].value = f.at[j].value;
        }
        for (int k = 0; k < 2; k++) {
            char name[SPEED_NAME_BYTES];
            snprintf(name, sizeof(name), "d:%.40s", r->base_name);
            const double sd = r->q.cls == PLAN_CPU ? cpu_device_sd[k] : device_sd[k];
            const enum speed_group g = k ? SPEED_PP_ALL : SPEED_TG_ALL;
            r->x[k][r->n_x[k]].effect = fit_effect(&fits[k], g, name, sd, true);
            r->x[k][r->n_x[k]].group = g;
            r->x[k][r->n_x[k]++].value = 1;
        }
        n_rows++;
    }
    return true;
}

static int by_value(const void *a, const void *b) { const double x = *(const double *)a, y = *(const double *)b; return (x > y) - (x < y); }

static double quantile(double *v, int n, double q)
{
    if (n == 0)
        return NAN;
    qsort(v, (size_t)n, sizeof(*v), by_value);
    const double at = q * (n - 1);
    const int i = (int)at;
    return i + 1 < n ? v[i] + (at - i) * (v[i + 1] - v[i]) : v[i];
}

static void report(void)
{
    printf("%-10s %5s %5s | %7s %7s %6s | %7s %7s %6s | seen %6s %6s\n", "class", "rows", "dev", "tg med", "tg dmed", "<50%", "pp med", "pp dmed", "<50%", "tg", "pp");
    for (int c = 0; c <= PLAN_CLASS_COUNT; c++) {
        double med[2], dmed[2], in50[2], seen[2];
        int rows_c = 0, dev_c = 0;
        for (int k = 0; k < 2; k++) {
            static double e[1 << 14], s[1 << 14], d[4096], one[1 << 14];
            int n = 0, nd = 0, n50 = 0;
            for (int i = 0; i < n_rows; i++)
                if ((c == PLAN_CLASS_COUNT || (int)rows[i].q.cls == c) && rows[i].measured[k] > 0) {
                    const double rel = fabs(exp(-rows[i].held_out[k]) - 1);
                    e[n] = rel, s[n] = fabs(exp(-rows[i].seen[k]) - 1);
                    n50 += rel <= 0.5;
                    n++;
                }
            for (int v = 0; v < n_devices; v++) {
                int m = 0;
                for (int i = 0; i < n_rows; i++)
                    if ((c == PLAN_CLASS_COUNT || (int)rows[i].q.cls == c) && rows[i].measured[k] > 0 && rows[i].device == v)
                        one[m++] = fabs(exp(-rows[i].held_out[k]) - 1);
                if (m)
                    d[nd++] = quantile(one, m, 0.5);
            }
            med[k] = quantile(e, n, 0.5), in50[k] = n ? 100.0 * n50 / n : NAN, dmed[k] = quantile(d, nd, 0.5), seen[k] = quantile(s, n, 0.5);
            if (k == 0)
                rows_c = n, dev_c = nd;
        }
        printf("%-10s %5d %5d | %6.1f%% %6.1f%% %5.1f%% | %6.1f%% %6.1f%% %5.1f%% | %5.1f%% %5.1f%%\n", c == PLAN_CLASS_COUNT ? "all" : plan_class_name((enum plan_class)c), rows_c, dev_c,
               100 * med[0], 100 * dmed[0], in50[0], 100 * med[1], 100 * dmed[1], in50[1], 100 * seen[0], 100 * seen[1]);
    }
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    size_t n;
    char *text = argc > 1 ? file_read(argv[1], 64 << 20, &n, &err) : NULL;
    struct rows t;
    if (!text || !rows_parse(&t, text, n, &err) || !load(&t, &err)) {
        fprintf(stderr, "fit-speed: %s\n", err.text);
        return 1;
    }
    const int folds = argc > 2 ? atoi(argv[2]) : 20;
    for (int k = 0; k < 2; k++) {
        fits[k].what = k;
        if (!fit_run(&fits[k], rows, n_rows, -1, 30))
            fprintf(stderr, "no fit\n");
        for (int i = 0; i < n_rows; i++)
            if (rows[i].measured[k] > 0)
                rows[i].seen[k] = fit_residual(&fits[k], &rows[i], true);
        static struct fit kept;
        static int real[1 << 14];
        kept = fits[k];
        for (int i = 0; i < n_rows; i++)
            real[i] = rows[i].device;
        /* several devices left out at a time: devices f, f + folds, ... */
        for (int f = 0; f < folds; f++) {
            for (int i = 0; i < n_rows; i++)
                rows[i].device = real[i] % folds == f ? 1 << 20 : real[i];
            fits[k] = kept;
            fit_run(&fits[k], rows, n_rows, 1 << 20, 5);
            for (int i = 0; i < n_rows; i++)
                if (rows[i].device == 1 << 20 && rows[i].measured[k] > 0)
                    rows[i].held_out[k] = fit_residual(&fits[k], &rows[i], false);
        }
        for (int i = 0; i < n_rows; i++)
            rows[i].device = real[i];
        fits[k] = kept;
        fprintf(stderr, "%s: %d effects\n", k ? "prefill" : "decode", fits[k].n_effects);
    }
    report();
    FILE *o = fopen("/tmp/speed-res.tsv", "w");
    for (int i = 0; o && i < n_rows; i++)
        fprintf(o, "%s\t%s\t%s\t%s\t%s\t%g\t%g\t%.3f\t%.3f\t%g\n", plan_class_name(rows[i].q.cls), rows[i].q.device, rows[i].q.runtime, rows[i].q.model_name, rows[i].q.quant, rows[i].measured[0], rows[i].measured[1],
                rows[i].measured[0] > 0 ? rows[i].held_out[0] : 9, rows[i].measured[1] > 0 ? rows[i].held_out[1] : 9, rows[i].q.mem_gb);
    fclose(o);
    o = fopen("/tmp/speed-eff.tsv", "w");
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < fits[k].n_effects; i++)
            fprintf(o, "%s\t%s\t%.3f\t%.2f\n", speed_group_name(fits[k].effect[i].group), fits[k].effect[i].name, fits[k].effect[i].value, fits[k].effect[i].sd);
    fclose(o);
    return 0;
}
