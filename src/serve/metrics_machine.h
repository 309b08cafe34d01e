/* serve/metrics_machine.h - the machine in GET /metrics: CPUs by kind of core, accelerators, the models' disk, the certificate.
 *
 * For:     serve/ makes one; metrics.c writes it out.  Heat, power, memory are the steward's (route/steward.h).
 * Touches: /proc/stat, /sys below a root, statvfs of the models' folder, the certificate.
 * Thread:  one of its own that looks when a scrape wishes it and sleeps otherwise; the functions: the loop's.
 * Rule:    a scrape never waits for a sensor: it shows what the last look saw, and asks for the next one.
 */
#ifndef TUTTI_SERVE_METRICS_MACHINE_H
#define TUTTI_SERVE_METRICS_MACHINE_H
#include "base/buf.h"
#include "base/err.h"

struct steward;
struct trust;

struct metrics_machine_config { /* borrowed until metrics_machine_free() */
    struct behind *behind;  /* a start that it looks behind; NULL: at once */
    const char *root;       /* as hw_root_open() takes it; NULL: this machine */
    const char *models_dir; /* whose disk is watched; NULL: none */
    const char *tls_cert;   /* NULL: none */
    const struct trust *trust; /* of the port for nodes; NULL: none */
};

struct metrics_machine;
/* Starts its thread, which looks once.  The caller owns the result; NULL with err. */
struct metrics_machine *metrics_machine_new(const struct metrics_machine_config *config, struct err *err);
void metrics_machine_free(struct metrics_machine *m); /* NULL is fine */
/* steward: NULL, or whose GPUs are shown with the other accelerators. */
void metrics_machine_put(struct metrics_machine *m, struct steward *steward, const char *prefix, struct buf *out);
#endif
