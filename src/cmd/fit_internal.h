/* cmd/fit_internal.h - the parts of `tutti fit`, one file each.
 *
 * For:     cmd/fit*.c alone.
 * Rule:    what returns an int returns an exit status, its error line already printed.
 */
#ifndef TUTTI_CMD_FIT_INTERNAL_H
#define TUTTI_CMD_FIT_INTERNAL_H
#include "advise/fit.h"
#include "cmd/cmd.h"

enum { FIT_DEVICES_MAX = 24, FIT_ROWS_MAX = 400 };

struct fit_job {
    struct catalog *catalog;
    struct cmd_opt *opts;
    struct fit_options options;
    bool is_json, is_explained;
    int n_devices;
    struct device device[FIT_DEVICES_MAX];
    bool has_host;              /* the last device is the CPU of the machine whose card comes before */
    char measured[160];         /* "corrected by the bench of 2026-11-21: decode x 1.12, prefill x 0.94"; "" */
    int n_rows;                 /* of each device */
    struct plan_model model[FIT_ROWS_MAX];
};

/* The table at path ("-": stdin) with pred_pp pred_tg pp_low pp_high tg_low tg_high added, as TSV on stdout. */
int fit_rows(const char *path, struct catalog *c);
/* The tables of all devices, or JSON. 0; 1: nothing fits, or an error. */
int fit_tables(struct fit_job *j);
/* Seed 001's edge devices x model sizes, with today's figures. */
int fit_matrix_edge(struct catalog *c, bool is_json);
/* All devices of the job as one: the layers split over a link between them (a row of the table interconnect). */
int fit_split(struct fit_job *j, const char *link);
/* "38-85": two digits that matter; "-" when it does not run or is not known. */
struct out_table;
void fit_put_range(struct out_table *t, struct plan_range r, bool runs);
/* Where nothing says how fast the memory is, 0.1 s of reading does. */
void fit_probe(struct device *cpu);
/* What `tutti bench` measured on this machine corrects its CPU's predictions; nothing kept, nothing done. */
void fit_correct(struct fit_job *j, struct device *cpu);
#endif
