/* cmd/route_simulate.h - a rehearsal and the forms in which it is told.
 *
 * For:     route_simulate.c (runs it), route_simulate_out.c (text, JSON, pictures).
 */
#ifndef TUTTI_CMD_ROUTE_SIMULATE_H
#define TUTTI_CMD_ROUTE_SIMULATE_H
#include <stdio.h>

#include "base/buf.h"
#include "rehearse/simulate.h"

struct rehearsal {
    char name[256];
    struct sim *sim;
    struct sim_options options;
    enum sim_policy policies[SIM_POLICY_COUNT];
    struct sim_figures *figures[SIM_POLICY_COUNT];
    int n;
};

bool rehearsal_text(const struct rehearsal *r, FILE *to, struct err *err);
void rehearsal_json(const struct rehearsal *r, FILE *to);
bool rehearsal_svg(const struct rehearsal *r, const char *path, struct err *err);
bool rehearsal_html(const struct rehearsal *r, const char *path, struct err *err);
#endif
