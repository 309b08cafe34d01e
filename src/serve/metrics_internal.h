/* serve/metrics_internal.h - Prometheus text format 0.0.4: what metrics*.c share. */
#ifndef TUTTI_SERVE_METRICS_INTERNAL_H
#define TUTTI_SERVE_METRICS_INTERNAL_H
#include <stddef.h>

#include "base/buf.h"

/* name="value": backslash, quote and newline are escaped; cut where it does not fit. */
void metrics_label(char *out, size_t max, const char *name, const char *value);
/* HELP and TYPE of a family. */
void metrics_head(struct buf *out, const char *prefix, const char *name, const char *type, const char *help);
#endif
