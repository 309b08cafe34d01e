/* tools/fit-speed/fit.h - effects from measurements: robust, with priors. */
#ifndef FIT_SPEED_FIT_H
#define FIT_SPEED_FIT_H
#include "advise/rows.h"
#include "plan/speed_internal.h"

enum { N_EFFECTS_MAX = 4096, X_MAX = SPEED_FEATURES_MAX + 2 };

struct row {
    struct plan_speed_query q;
    char base_name[96];
    int device;              /* index of base_name */
    double measured[2];      /* decode, prefill; 0: none */
    double sd;               /* of log(measured), by trust */
    int n_x[2];
    struct { int effect; enum speed_group group; double value; } x[2][X_MAX];
    double held_out[2];      /* log(measured / predicted), its device not seen */
    double seen[2];
};

struct effect {
    char name[SPEED_NAME_BYTES];
    enum speed_group group;
    double sd, value;
    bool is_device;          /* known devices only: never written */
};

struct fit {
    int what;                /* 0 decode, 1 prefill */
    int n_effects;
    struct effect effect[N_EFFECTS_MAX];
};

/* Fits on all rows but those of device `left_out` (-1: none), starting from the effects as they are. */
bool fit_run(struct fit *f, const struct row *rows, int n, int left_out, int steps);
/* log(measured / predicted) of a row; with_device: the effect of its own device counts. */
double fit_residual(const struct fit *f, const struct row *r, bool with_device);
/* Index of an effect, made when it is new; -1: too many. */
int fit_effect(struct fit *f, enum speed_group g, const char *name, double sd, bool is_device);
#endif
