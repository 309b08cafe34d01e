/* tools/fit-speed/main.c - fits plan/speed on measurements and judges it on devices that it was not shown.
 *
 *     fit-speed MEASURED.tsv [ROOT]     with ROOT (the project's folder): writes its files there
 *
 * Plain C, nothing random: the same table gives the same files.  No row of a device that is left out is used while
 * its residuals are computed; "4x X" and "X [host ...]" are left out together with "X".
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "fit.h"

static struct table table;
static struct fit fits[N_WHAT], kept;

/* Chosen once by cross-validation (docs/plan.md): how wide the priors of the features are, and how far a measurement
 * by the tester's trust lies from the truth of its device. */
static const double prior_scale[N_WHAT] = { 0.75, 1.0 };
static const double sd_of_trust[3] = { 0.06, 0.075, 0.125 };

static int device_index(const char *name)
{
    for (int i = 0; i < table.n_devices; i++)
        if (strcmp(table.device_name[i], name) == 0)
            return i;
    if (table.n_devices == DEVICES_MAX)
        return -1;
    snprintf(table.device_name[table.n_devices], sizeof(table.device_name[0]), "%s", name);
    return table.n_devices++;
}

static bool add_row(const struct rows *t, const struct rows_columns *c, int i, struct err *err)
{
    static struct speed_features f;
    struct row *r = &table.row[table.n];
    char base[96];
    if (table.n == ROWS_FIT_MAX)
        return err_set(err, ERR_LIMIT, "more than %d rows", ROWS_FIT_MAX);
    memset(r, 0, sizeof(*r));
    if (!rows_query(t, c, i, &r->q) || !speed_can_predict(&r->q) || r->q.params < 5e7)
        return true; /* what cannot be predicted cannot teach; toys of a few million weights neither */
    plan_device_base_name(base, sizeof(base), r->q.device);
    r->device = device_index(base);
    r->measured[DECODE] = rows_number(t, i, c->tg), r->measured[PREFILL] = rows_number(t, i, c->pp);
    const char trust = rows_text(t, i, c->trust)[0];
    r->sd = sd_of_trust[trust == 'A' ? 0 : trust == 'B' ? 1 : 2];
    speed_features(&f, &r->q);
    for (int j = 0; j < f.n; j++) {
        const int k = f.at[j].group >= SPEED_PP_ALL ? PREFILL : DECODE;
        const bool is_device = strncmp(f.at[j].name, "d:", 2) == 0;
        const int e = fit_effect(&fits[k], f.at[j].group, f.at[j].name, f.at[j].sd * (is_device ? 1 : prior_scale[k]));
        if (e < 0 || r->device < 0)
            return err_set(err, ERR_LIMIT, "too many effects or devices");
        r->x[k][r->n_x[k]].effect = e;
        r->x[k][r->n_x[k]].group = f.at[j].group;
        r->x[k][r->n_x[k]++].value = f.at[j].value;
    }
    table.n++;
    return true;
}

static bool cross_validate(int k)
{
    kept = fits[k];
    bool ok = true;
    for (int d = 0; ok && d < table.n_devices; d++) {
        bool is_any = false;
        for (int i = 0; i < table.n; i++) {
            table.row[i].is_out = table.row[i].device == d;
            is_any |= table.row[i].is_out && table.row[i].measured[k] > 0;
        }
        if (!is_any)
            continue;
        fits[k] = kept;
        ok = fit_run(&fits[k], &table, 4);
        for (int i = 0; i < table.n; i++)
            if (table.row[i].is_out && table.row[i].measured[k] > 0)
                table.row[i].held_out[k] = fit_residual(&fits[k], &table.row[i], false);
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%s %d of %d devices%s", k ? "prefill" : "decode", d + 1, table.n_devices, d + 1 < table.n_devices ? "" : "\n");
    }
    for (int i = 0; i < table.n; i++)
        table.row[i].is_out = false;
    fits[k] = kept;
    return ok;
}

/* What a row is worth when other rows of its device are known: every FOLDS-th row of each device is left out. */
static bool fold_rows(int k)
{
    enum { FOLDS = 8 };
    static int place[ROWS_FIT_MAX], count[DEVICES_MAX];
    bool ok = true;
    memset(count, 0, sizeof(count));
    for (int i = 0; i < table.n; i++)
        place[i] = table.row[i].measured[k] > 0 ? count[table.row[i].device]++ : 0;
    for (int f = 0; ok && f < FOLDS; f++) {
        for (int i = 0; i < table.n; i++)
            table.row[i].is_out = place[i] % FOLDS == f;
        fits[k] = kept;
        ok = fit_run(&fits[k], &table, 4);
        for (int i = 0; i < table.n; i++)
            if (table.row[i].is_out && table.row[i].measured[k] > 0)
                table.row[i].fold[k] = count[table.row[i].device] > 1 ? fit_residual(&fits[k], &table.row[i], true) : NAN;
    }
    for (int i = 0; i < table.n; i++)
        table.row[i].is_out = false;
    fits[k] = kept;
    return ok;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    struct rows t;
    struct rows_columns c;
    size_t n;
    if (argc < 2) {
        fprintf(stderr, "usage: fit-speed MEASURED.tsv [ROOT]\n");
        return 2;
    }
    char *text = file_read(argv[1], 64 << 20, &n, &err);
    bool ok = text && rows_parse(&t, text, n, &err) && rows_columns(&t, &c, &err);
    for (int i = 0; ok && i < t.n; i++)
        ok = add_row(&t, &c, i, &err);
    for (int k = 0; ok && k < N_WHAT; k++) {
        fits[k].what = k;
        if (!fit_run(&fits[k], &table, 30))
            ok = err_set(&err, ERR_INTERNAL, "the equations have no solution");
        for (int i = 0; ok && i < table.n; i++)
            if (table.row[i].measured[k] > 0)
                table.row[i].seen[k] = fit_residual(&fits[k], &table.row[i], true);
        ok = ok && cross_validate(k) && fold_rows(k);
    }
    if (ok)
        report_print(&table, stdout);
    if (ok && argc > 2)
        ok = report_write(&table, fits, argv[2], &err);
    if (!ok)
        fprintf(stderr, "fit-speed: %s\n", err.text);
    return ok ? 0 : 1;
}
