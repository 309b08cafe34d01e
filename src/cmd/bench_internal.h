/* cmd/bench_internal.h - what bench.c and bench_print.c share.
 *
 * For:     cmd/ alone.
 */
#ifndef TUTTI_CMD_BENCH_INTERNAL_H
#define TUTTI_CMD_BENCH_INTERNAL_H
#include "bench/report.h"

/* The report for people, in 80 columns, on stdout. */
bool bench_print(const struct bench_report *r, struct err *err);
/* "90s", "10m", "1.5h", a bare number of seconds: 1 .. 7 days.  false: none of these. */
bool bench_parse_duration(const char *text, double *seconds);
/* This machine's CPU, as runs are kept under; "" when unknown. */
void bench_machine(struct bench_report *r);
/* The store's file by the environment; false: no home. */
bool bench_store_file(char *path, size_t size);
#endif
