/* route/thermal.h - how warm a machine gets from the watts that it draws: two stages of heat, of a few published machines.
 *
 * For:     simulate.c, the governor's tests and its picture (tools/heat-trace).
 * Touches: nothing.
 * Rule:    a Foster network of two RC stages (JEDEC JESD51-14 describes the form): the chip, which follows a load within seconds, and board
 *          or heat sink, which take minutes.  T = ambient + t_chip + t_board;  d t / d s = (R P - t) / tau, solved exactly for a step.
 *          thermal.c says where the figures of each machine are from, and which of them are assumed.
 */
#ifndef TUTTI_ROUTE_THERMAL_H
#define TUTTI_ROUTE_THERMAL_H

struct thermal_model {
    const char *name, *what;        /* where its figures are from: thermal.c */
    float idle_w, full_w;           /* of the whole board */
    float chip_c_w, chip_tau_s;     /* thermal resistance, time constant */
    float board_c_w, board_tau_s;
    float limit_c, critical_c;      /* where it slows down; where it would switch off, or slows down hard */
};

struct thermal_state {
    float chip_c, board_c;          /* above the ambient */
};

extern const struct thermal_model thermal_models[];
extern const int thermal_n_models;
const struct thermal_model *thermal_find(const char *name); /* NULL: none */

/* In balance at so many watts. */
void thermal_settle(const struct thermal_model *m, struct thermal_state *s, float w);
/* After dt_s at w watts: the temperature of the chip. */
float thermal_step(const struct thermal_model *m, struct thermal_state *s, float ambient_c, float w, float dt_s);
#endif
