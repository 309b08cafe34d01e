/* cmd/detect_internal.h - what the files of `tutti detect` share. */
#ifndef TUTTI_CMD_DETECT_INTERNAL_H
#define TUTTI_CMD_DETECT_INTERNAL_H
#include <stdio.h>

#include "advise/bandwidth.h"
#include "base/buf.h"
#include "hw/machine.h"

/* One line of JSON, docs/json.md "tutti detect". */
void detect_put_json(struct buf *b, const struct hw_machine *m, const struct advise_bandwidth *bw);
/* Kubernetes Node Feature Discovery, local feature file: NAME=VALUE lines. */
void detect_put_nfd(struct buf *b, const struct hw_machine *m);
/* Prometheus text exposition format 0.0.4. */
void detect_put_prometheus(struct buf *b, const struct hw_machine *m, const struct advise_bandwidth *bw);
/* For people, 80 columns. */
void detect_print(FILE *to, const struct hw_machine *m, const struct advise_bandwidth *bw);
#endif
