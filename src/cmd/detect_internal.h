/* cmd/detect_internal.h - what the files of `tutti detect` share. */
#ifndef TUTTI_CMD_DETECT_INTERNAL_H
#define TUTTI_CMD_DETECT_INTERNAL_H
#include <stdio.h>

#include "advise/bandwidth.h"
#include "advise/fit.h"
#include "base/buf.h"
#include "hw/machine.h"

/* One line of JSON, docs/json.md "tutti detect". */
void detect_put_json(struct buf *b, const struct hw_machine *m, const struct advise_bandwidth *bw, const struct fit_summary *runs);
/* Kubernetes Node Feature Discovery, local feature file: NAME=VALUE lines. */
void detect_put_nfd(struct buf *b, const struct hw_machine *m);
/* Prometheus text exposition format 0.0.4. */
void detect_put_prometheus(struct buf *b, const struct hw_machine *m, const struct advise_bandwidth *bw);
/* For people, 80 columns. */
void detect_print(FILE *to, const struct hw_machine *m, const struct advise_bandwidth *bw, const struct fit_summary *runs);
/* What runs here: the best choice and the largest model that fits (detect_runs.c); runs NULL: nothing is known. */
void detect_print_runs(FILE *to, const struct fit_summary *runs);
void detect_put_runs(struct buf *b, const struct fit_summary *runs);
#endif
