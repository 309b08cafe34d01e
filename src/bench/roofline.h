/* bench/roofline.h - the picture of limits and tests: operations for each byte read against operations a second.
 *
 * For:     `tutti bench --html`, `--roofline`, docs/SPEED.md.
 * Callers: bench/report_page.c, cmd/bench.c.  Touches: memory.
 * Rule:    roofs are those that were measured; a test stands where its bytes and operations put it, on most threads of
 *          the run, its line from the slowest to the fastest round.  Nothing is drawn that was not measured.
 */
#ifndef TUTTI_BENCH_ROOFLINE_H
#define TUTTI_BENCH_ROOFLINE_H
#include "bench/report.h"
#include "page/chart.h"

enum { ROOFLINE_ROOF_POINTS = 3 };
struct bench_roofline {
    struct chart_point roof[BENCH_ROOFS][ROOFLINE_ROOF_POINTS];
    struct chart_point dot[BENCH_TESTS_MAX]; /* prompts, one sequence, batches: one after the other */
    char label[BENCH_TESTS_MAX][32], roof_name[BENCH_ROOFS][32], title[2 * BENCH_TEXT_MAX];
    struct chart_series series[BENCH_ROOFS + 3];
    struct chart chart; /* borrows all of the above */
};
void bench_roofline_make(struct bench_roofline *out, const struct bench_report *r);
#endif
