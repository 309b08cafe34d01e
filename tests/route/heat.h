/* tests/route/heat.h - how warm a machine gets from the watts that it draws, for the governor's tests: two stages of heat, of a few published machines.
 *
 * A Foster network of two RC stages (JEDEC JESD51-14 describes the form): the chip, which follows a load within seconds, and board
 * or heat sink, which take minutes.  T = ambient + t_chip + t_board;  d t / d s = (R P - t) / tau, solved exactly for a step.
 */
#ifndef TUTTI_TESTS_ROUTE_HEAT_H
#define TUTTI_TESTS_ROUTE_HEAT_H
#include <math.h>
#include <string.h>

struct thermal_model {
    const char *name, *what;        /* where its figures are from: below */
    float idle_w, full_w;           /* of the whole board */
    float chip_c_w, chip_tau_s;     /* thermal resistance, time constant */
    float board_c_w, board_tau_s;
    float limit_c, critical_c;      /* where it slows down; where it would switch off, or slows down hard */
};

struct thermal_state {
    float chip_c, board_c;          /* above the ambient */
};

/* Watts: wall power measured by github geerlingguy/sbc-reviews (data/power_board.csv).  How the resistances follow:
 *  - Pi 5 without a cooler: about 50 C idle at 22 C of air and 2.8 W: 10 C/W in all; with it the limit of 80 C is reached
 *    after two minutes of stress, as measured ("within a few minutes"; pidiylab.com, Raspberry Pi 5 cooling guide, 2026-03-18).
 *  - Pi 5 with the Active Cooler: 72 C at most in benchmarks of some 9.7 W (phoronix.com/review/raspberry-pi-5-benchmarks/2, 2023-09-28): 5 C/W.
 *  - Jetson Orin Nano: 15 W mode; 87 C for sustained work, off at 97 C (ai-hpc.github.io, Orin Nano Power and Thermal Guide, read
 *    2026-11-21); the heat sink without a fan is assumed to have 4.2 C/W and four minutes.
 *  - Minisforum MS-R1: 17 W idle, 30.3 W stressed; its cooling is assumed: 2 C/W, a fan that is full of dust. */
static const struct thermal_model thermal_models[] = {
    { "pi5", "Raspberry Pi 5 without a cooler", 2.8f, 9.7f, 2, 4, 8, 170, 80, 85 },
    { "pi5-cooler", "Raspberry Pi 5 with Active Cooler", 2.8f, 9.7f, 1.5f, 4, 3.5f, 90, 80, 85 },
    { "jetson-passive", "Jetson Orin Nano 8GB, 15 W mode, without a fan", 4.5f, 15, 0.8f, 3, 3.4f, 240, 87, 97 },
    { "minipc-dusty", "Minisforum MS-R1, a fan full of dust", 17, 30.3f, 0.5f, 3, 1.5f, 200, 85, 95 },
};
static const int thermal_n_models = sizeof(thermal_models) / sizeof(thermal_models[0]);

/* NULL: none */
static const struct thermal_model *thermal_find(const char *name)
{
    for (int i = 0; i < thermal_n_models; i++)
        if (strcmp(thermal_models[i].name, name) == 0)
            return &thermal_models[i];
    return NULL;
}

/* In balance at so many watts. */
static void thermal_settle(const struct thermal_model *m, struct thermal_state *s, float w)
{
    s->chip_c = m->chip_c_w * w;
    s->board_c = m->board_c_w * w;
}

/* After dt_s at w watts: the temperature of the chip. */
static float thermal_step(const struct thermal_model *m, struct thermal_state *s, float ambient_c, float w, float dt_s)
{
    s->chip_c += (m->chip_c_w * w - s->chip_c) * (1 - expf(-dt_s / m->chip_tau_s));
    s->board_c += (m->board_c_w * w - s->board_c) * (1 - expf(-dt_s / m->board_tau_s));
    return ambient_c + s->chip_c + s->board_c;
}
#endif
