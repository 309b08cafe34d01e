/* tools/fit-speed/fit.h - effects from measurements: robust, with priors; and how good they are on devices left out.
 *
 * For:     fit.c (the numbers), main.c (what is left out when), report.c (files).
 */
#ifndef FIT_SPEED_FIT_H
#define FIT_SPEED_FIT_H
#include <stdio.h>

#include "advise/rows.h"
#include "plan/speed_internal.h"

enum { N_EFFECTS_MAX = 4096, X_MAX = SPEED_FEATURES_MAX, ROWS_FIT_MAX = 1 << 14, DEVICES_MAX = 4096, HELD_OUT = -2 };
enum { DECODE, PREFILL, N_WHAT };

struct row {
    struct plan_speed_query q;
    int device;                /* index into table.device_name */
    bool is_out;               /* belongs to the devices left out now */
    double measured[N_WHAT];   /* tokens per second; 0: none */
    double sd;                 /* of log(measured), by trust */
    int n_x[N_WHAT];
    struct {
        int effect;
        enum speed_group group;
        double value;
    } x[N_WHAT][X_MAX];
    double held_out[N_WHAT];   /* log(measured / predicted), its device not seen */
    double seen[N_WHAT];       /* the same, seen */
    double fold[N_WHAT];       /* the same, other rows of its device seen and this one not; NAN: it has no others */
};

struct table {
    int n, n_devices;
    struct row row[ROWS_FIT_MAX];
    char device_name[DEVICES_MAX][96];
};

struct effect {
    char name[SPEED_NAME_BYTES];
    enum speed_group group;
    double sd, value;
    bool is_device;
};

struct fit {
    int what;                  /* DECODE, PREFILL */
    int n_effects;
    struct effect effect[N_EFFECTS_MAX];
};

/* Index of an effect, made when it is new; -1: too many. */
int fit_effect(struct fit *f, enum speed_group g, const char *name, double sd);
/* Newton steps from the effects as they are, on all rows that are not out.  false: out of memory. */
bool fit_run(struct fit *f, const struct table *t, int steps);
/* log(measured / predicted); the effect of its own device counts or does not. */
double fit_residual(const struct fit *f, const struct row *r, bool with_device);

/* Quantiles of a class that its estimates are given with: its own held-out residuals, each device with the root of its
 * rows, and those of all classes with the weight of POOL_DEVICES devices.  without: a device left out; -1: none.
 * is_known: of devices of which other rows were seen. */
struct spread {
    double low, high;
};
struct spread report_spread(const struct table *t, int what, int cls, int without, bool is_known);

/* Writes src/plan/speed_fit.def, docs/speed-fit.md, docs/img/speed-*.svg below `root`. */
bool report_write(const struct table *t, const struct fit fit[N_WHAT], const char *root, struct err *err);
void report_print(const struct table *t, FILE *out);
#endif
