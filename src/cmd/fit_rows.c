/* cmd/fit_rows.c - `tutti fit --rows FILE.tsv`: estimates beside every line of a table. */
#include <stdio.h>
#include <stdlib.h>

#include "advise/rows.h"
#include "base/file.h"
#include "catalog/catalog.h"
#include "cmd/cmd.h"
#include "cmd/fit_internal.h"

enum { FILE_BYTES_MAX = 256 << 20 };

static void put_cell(double v)
{
    if (isfinite(v) && v > 0)
        printf("\t%.5g", v);
    else
        putchar('\t');
}

/* A table may leave the bandwidth of a known device open. */
static void complete(struct plan_speed_query *q, struct catalog *c)
{
    char base[96];
    struct err ignored = { 0 };
    if (q->bw_gbps > 0)
        return;
    plan_device_base_name(base, sizeof(base), q->device);
    const struct catalog_row *row = catalog_find_in(c, q->cls == PLAN_CPU ? "cpu soc" : "gpu soc accelerator", base, &ignored);
    if (row)
        q->bw_gbps = catalog_number_or(row, "mem_bw_gbps", 0);
}

static void print_row(const struct rows *r, const struct rows_columns *cols, int i, struct catalog *c)
{
    struct plan_speed_query q;
    struct plan_speed s = { plan_unknown(), plan_unknown(), plan_unknown(), 0, 0, 0, 0 };
    for (int k = 0; k < r->n_columns; k++)
        printf("%s%s", k ? "\t" : "", rows_text(r, i, k));
    if (rows_query(r, cols, i, &q)) {
        complete(&q, c);
        s = plan_speed_predict(&q);
    }
    put_cell(s.pp_tps.mid), put_cell(s.tg_tps.mid);
    put_cell(s.pp_tps.low), put_cell(s.pp_tps.high);
    put_cell(s.tg_tps.low), put_cell(s.tg_tps.high);
    putchar('\n');
}

int fit_rows(const char *path, struct catalog *c)
{
    struct err err = { 0 };
    struct rows r = { 0 };
    struct rows_columns cols;
    size_t n;
    char *text = file_read(path, FILE_BYTES_MAX, &n, &err);
    bool ok = text != NULL;
    if (ok && (!rows_parse(&r, text, n, &err) || !rows_columns(&r, &cols, &err)))
        ok = err_prefix(&err, "%s", path);
    if (ok) {
        for (int k = 0; k < r.n_columns; k++)
            printf("%s%s", k ? "\t" : "", r.column[k]);
        printf("\tpred_pp\tpred_tg\tpp_low\tpp_high\ttg_low\ttg_high\n");
        for (int i = 0; i < r.n; i++)
            print_row(&r, &cols, i, c);
        if (fflush(stdout) != 0 || ferror(stdout))
            ok = err_set(&err, ERR_IO, "stdout: cannot write");
    }
    rows_free(&r);
    free(text);
    return ok ? 0 : cmd_fail(&err);
}
