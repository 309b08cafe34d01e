/* plan/viability.h - is it usable for this task?  Seed 002's use cases and levels.
 *
 * For:     fit tables, recommend, bench.
 * Rule:    a level is decided by the estimate's middle; the low and high ends of the range may say otherwise, and the
 *          caller shows both.  Thresholds (seed 002, "Levels of interactiveness"): interactive: the prompt takes less than
 *          5 s and more than 10 tokens/s come out; background: all done within 300 s; off-line: within a few hours or
 *          overnight, which is 8 h here; else non-viable.
 */
#ifndef TUTTI_PLAN_VIABILITY_H
#define TUTTI_PLAN_VIABILITY_H
#include "plan/speed.h"


enum plan_viability { PLAN_INTERACTIVE, PLAN_BACKGROUND, PLAN_OFFLINE, PLAN_NOT_VIABLE, PLAN_VIABILITY_COUNT };
const char *plan_viability_name(enum plan_viability v); /* "interactive", "background", "off-line", "non-viable" */

/* Rates in tokens/s; one that is not above 0 or not known is non-viable. */
enum plan_viability plan_viability_of(int n_prompt, int n_gen, double pp_tps, double tg_tps);

/* UC1..UC4 of seed 002; they are four of the nine LocalScore tests. */
struct plan_use_case {
    const char *name, *what;
    int n_prompt, n_gen;
};
enum { PLAN_USE_CASES = 4 };
extern const struct plan_use_case plan_use_cases[PLAN_USE_CASES];

/* The four use cases for a device and model, speeds predicted for each one's own prompt and answer. */
void plan_viability_use_cases(const struct plan_speed_query *q, enum plan_viability out[PLAN_USE_CASES]);
#endif
