/* advise/fit.h - which models run on a device, how well, and which of them is the best choice.
 *
 * For:     `tutti fit`, the end of `tutti detect`.
 * Touches: the catalog that it is given.
 * Rule:    all figures are predictions with ranges; a device that was measured carries corrections (plan_device).
 */
#ifndef TUTTI_ADVISE_FIT_H
#define TUTTI_ADVISE_FIT_H
#include "advise/device.h"
#include "plan/memory.h"
#include "plan/speed.h"
#include "plan/viability.h"

struct fit_options { /* zero means the default */
    int n_ctx;          /* 4096 */
    int n_users;        /* 1 */
    int kv_bits;        /* 16 */
    double disk_gbps;   /* that the model is read from; default 3.5 (a usual NVMe SSD) */
    const char *runtime; /* NULL: the device's */
};

struct fit_row {
    struct plan_model model;
    struct plan_memory need;
    struct plan_placement place;
    bool is_memory_known;
    bool is_offloaded;             /* some layers stay in main memory: speeds are of both together */
    struct plan_range pp_tps, tg_tps, ttft_ms; /* one user; prompts and answers of LocalScore's nine tests, within n_ctx */
    struct plan_range users_tps;   /* all users together at decode */
    enum plan_viability use[PLAN_USE_CASES], nine[PLAN_TESTS_MAX]; /* UC1 to UC4; LocalScore's nine tests, whatever n_ctx is */
    double load_disk_s, load_link_s; /* reading the file; copying it to the device, NAN for unified memory */
    char runtime[48];
    bool is_best;
    char why[160];                 /* of the best */
};

/* One model on one device; host: the CPU beside a card, NULL when not known (a usual PC is assumed and said). */
void fit_one(struct fit_row *out, const struct device *d, const struct device *host, const struct plan_model *m, const struct fit_options *opt);

/* The usual ladder of models: name and quantizations to show, from 0.6 to 671 billion weights. */
struct fit_candidate {
    const char *model, *quants; /* "Q4_K_M Q8_0" */
};
extern const struct fit_candidate fit_ladder[];
extern const int fit_n_ladder;

/* Marks the best of the rows: the most capable model that answers interactively; else the fastest that fits.  -1: none fits. */
int fit_mark_best(struct fit_row *rows, int n);

/* What detect says at its end: the best choice for this machine's best device.  false: nothing fits, or its memory is not known. */
struct fit_summary {
    struct device device;
    bool has_best;          /* speeds are known */
    struct fit_row best;
    struct fit_row largest; /* that fits in memory at all */
};
bool fit_summary(struct fit_summary *out, struct catalog *c, const struct hw_machine *m);
#endif
