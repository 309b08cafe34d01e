/* advise/rows.c - tab-separated tables, cut up in place. */
#include "advise/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int count_lines(const char *text, size_t n)
{
    int lines = 0;
    for (size_t i = 0; i < n && lines <= ROWS_MAX + 1; i++)
        lines += text[i] == '\n' || i + 1 == n;
    return lines;
}

/* Cells of one line into out (at most max); returns how many there are. */
static int cut_line(char *line, const char **out, int max)
{
    int n = 0;
    for (char *p = line;; p++) {
        if (n < max)
            out[n] = p;
        n++;
        p += strcspn(p, "\t");
        if (!*p)
            return n;
        *p = '\0';
    }
}

bool rows_parse(struct rows *r, char *text, size_t n_bytes, struct err *err)
{
    memset(r, 0, sizeof(*r));
    if (memchr(text, 0, n_bytes))
        return err_set(err, ERR_INPUT, "a table is text: byte 0 in it");
    const int n_lines = count_lines(text, n_bytes);
    if (n_lines > ROWS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d lines", ROWS_MAX);
    char *next = text + (n_bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0); /* a byte order mark, as spreadsheets write */
    for (int line = 1; next && *next; line++) {
        char *at = next;
        next = strchr(at, '\n');
        if (next)
            *next++ = '\0';
        const size_t len = strlen(at);
        if (len > 0 && at[len - 1] == '\r')
            at[len - 1] = '\0';
        if (line == 1) {
            r->n_columns = cut_line(at, r->column, ROWS_COLUMNS_MAX);
            if (r->n_columns > ROWS_COLUMNS_MAX)
                return err_set(err, ERR_LIMIT, "line 1: %d columns, at most %d are possible", r->n_columns, ROWS_COLUMNS_MAX);
            r->cell = calloc((size_t)n_lines * (size_t)r->n_columns, sizeof(r->cell[0]));
            if (!r->cell)
                return err_set(err, ERR_NOMEM, "out of memory for %d lines", n_lines);
        } else if (*at) {
            const int n = cut_line(at, r->cell + (size_t)r->n * (size_t)r->n_columns, r->n_columns);
            if (n != r->n_columns) {
                err_set(err, ERR_INPUT, "line %d: %d cells, the header has %d", line, n, r->n_columns);
                rows_free(r);
                return false;
            }
            r->n++;
        }
    }
    return r->n_columns > 0 ? true : err_set(err, ERR_INPUT, "an empty table");
}

void rows_free(struct rows *r)
{
    free(r->cell);
    memset(r, 0, sizeof(*r));
}

int rows_column(const struct rows *r, const char *name)
{
    for (int i = 0; i < r->n_columns; i++)
        if (strcmp(r->column[i], name) == 0)
            return i;
    return -1;
}

const char *rows_text(const struct rows *r, int row, int column)
{
    return column < 0 ? "" : r->cell[(size_t)row * (size_t)r->n_columns + (size_t)column];
}

double rows_number(const struct rows *r, int row, int column)
{
    const char *text = rows_text(r, row, column);
    char *end;
    if (text[strspn(text, "0123456789.eE+-")] != '\0' || !strchr("0123456789.", text[0]) || !text[0])
        return 0;
    const double v = strtod(text, &end);
    return *end == '\0' && isfinite(v) && v > 0 ? v : 0;
}

bool rows_columns(const struct rows *r, struct rows_columns *c, struct err *err)
{
    *c = (struct rows_columns){
        .hardware = rows_column(r, "hardware"), .cls = rows_column(r, "class"), .mem_gb = rows_column(r, "mem_gb"), .mem_bw_gbps = rows_column(r, "mem_bw_gbps"),
        .peak = rows_column(r, "peak_fp16_tflops"), .runtime = rows_column(r, "runtime"), .model = rows_column(r, "model"), .params_b = rows_column(r, "params_b"),
        .active_b = rows_column(r, "active_b"), .quant = rows_column(r, "quant"), .bpw = rows_column(r, "bpw"), .ctx = rows_column(r, "ctx_or_depth"),
        .pp = rows_column(r, "pp_tps"), .tg = rows_column(r, "tg_tps"), .ttft = rows_column(r, "ttft_ms"), .trust = rows_column(r, "trust"),
    };
    const char *missing = c->hardware < 0 ? "hardware" : c->cls < 0 ? "class" : c->params_b < 0 ? "params_b" : NULL;
    return missing ? err_set(err, ERR_INPUT, "line 1: no column '%s'", missing) : true;
}

bool rows_query(const struct rows *r, const struct rows_columns *c, int row, struct plan_speed_query *q)
{
    /* what no model and no device has: more of it is a slip of the pen */
    static const double billions_max = 1e5, gbps_max = 1e6, tflops_max = 1e6, bits_max = 64;
    memset(q, 0, sizeof(*q));
    q->device = rows_text(r, row, c->hardware);
    q->mem_gb = rows_number(r, row, c->mem_gb);
    q->bw_gbps = rows_number(r, row, c->mem_bw_gbps);
    q->peak_tflops = rows_number(r, row, c->peak);
    q->runtime = rows_text(r, row, c->runtime);
    q->model_name = rows_text(r, row, c->model);
    q->quant = rows_text(r, row, c->quant);
    const double params_b = rows_number(r, row, c->params_b), active_b = rows_number(r, row, c->active_b);
    q->params = params_b * 1e9;
    q->active_params = (active_b > 0 ? active_b : params_b) * 1e9;
    q->bpw = rows_number(r, row, c->bpw);
    if (q->bpw <= 0)
        q->bpw = plan_quant_bpw(q->quant, q->params);
    q->work = plan_workload_parse(rows_text(r, row, c->ctx));
    return plan_class_parse(rows_text(r, row, c->cls), &q->cls) && params_b > 0 && params_b < billions_max && q->bw_gbps < gbps_max &&
           q->peak_tflops < tflops_max && q->bpw < bits_max;
}
