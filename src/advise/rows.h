/* advise/rows.h - a table of measurements or of questions: tab-separated, one header line, cells as text.
 *
 * For:     `tutti fit --rows`, tools/fit-speed.
 * Touches: nothing (the caller reads the file).
 * Rule:    columns are found by name; a cell that is empty, not a number, or a span ("4-16") counts as not known.  A line
 *          that has not as many cells as the header is an error with its number.  Nothing is quoted.
 */
#ifndef TUTTI_ADVISE_ROWS_H
#define TUTTI_ADVISE_ROWS_H
#include "base/err.h"
#include "plan/speed.h"

enum { ROWS_COLUMNS_MAX = 64, ROWS_MAX = 1 << 20 };

struct rows {
    int n_columns, n;
    const char *column[ROWS_COLUMNS_MAX]; /* in text */
    const char **cell;                    /* owned; [n][n_columns], in text */
};

/* Cuts up text in place (text[n_bytes] is '\0'); it stays the caller's and must live as long as the rows.
 * false with err "line 7: 18 cells, the header has 19". */
bool rows_parse(struct rows *r, char *text, size_t n_bytes, struct err *err);
void rows_free(struct rows *r); /* a zeroed one is fine */

/* -1: no such column. */
int rows_column(const struct rows *r, const char *name);
const char *rows_text(const struct rows *r, int row, int column);  /* "" when column < 0 */
double rows_number(const struct rows *r, int row, int column);     /* finite and > 0; else 0 */

/* The columns of measured.tsv that ask a question. */
struct rows_columns {
    int hardware, cls, mem_gb, mem_bw_gbps, peak, runtime, model, params_b, active_b, quant, bpw, ctx, pp, tg, ttft, trust;
};
/* false with err: which of hardware, class, params_b is missing. */
bool rows_columns(const struct rows *r, struct rows_columns *c, struct err *err);
/* The question of one row; texts are borrowed from it.  false: its class is not known, or it has no model size. */
bool rows_query(const struct rows *r, const struct rows_columns *c, int row, struct plan_speed_query *q);
#endif
