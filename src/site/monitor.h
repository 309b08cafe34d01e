/* site/monitor.h - what Prometheus and Grafana need to watch a cluster: rules, targets, Helm values, dashboards.
 *
 * For:     `tutti cluster monitoring`.
 * Callers: cmd/.
 * Touches: nothing but what monitor_write() writes.
 * Rule:    the same inventory gives the same bytes.  An alert is a row of monitor_rules.c, a panel a row of monitor_panels.c; every name
 *          in them is one that GET /metrics or node-exporter has (tests/site/test_monitoring.sh proves it against real ones).
 * Start:   monitor.c: the list of files.
 */
#ifndef TUTTI_SITE_MONITOR_H
#define TUTTI_SITE_MONITOR_H
#include "base/buf.h"
#include "site/inventory.h"

enum { MONITOR_TARGETS_MAX = 3, MONITOR_FILE_MAX_BYTES = 16 << 20 };

struct monitor_options {
    int port;      /* of `tutti serve` on the nodes */
    double ttft_s; /* objective: 95 of 100 first words come within this */
};

/* ---- rows ---- */

struct monitor_rule {
    const char *group, *alert;
    const char *expr;           /* PromQL; TTFT stands for the objective */
    const char *for_;           /* how long it must hold: "5m" */
    const char *severity;       /* "critical", "warning" */
    const char *summary, *what; /* with Prometheus' templates; what: what to do */
};
extern const struct monitor_rule monitor_rules[];
extern const int monitor_n_rules;

struct monitor_panel { /* ORDER as drawn: from left to right, line by line */
    const char *row;            /* a new row with this title begins; NULL: goes on */
    const char *title, *kind;   /* "timeseries", "stat", "bargauge", "table" */
    const char *unit;           /* Grafana's: "bytes", "percentunit", "s", "celsius", "watt", "joule", "short", "reqps" */
    int width;                  /* of 24 */
    struct {
        const char *expr, *legend;
    } of[MONITOR_TARGETS_MAX];
    const char *where;          /* what must be there to see something: "a battery"; NULL: always something */
};
struct monitor_dashboard {
    const char *uid, *title;
    const char *variables;      /* of monitor_grafana.c, separated by spaces: "arch node" */
    const struct monitor_panel *panels;
    int n_panels;
};
extern const struct monitor_dashboard monitor_dashboards[];
extern const int monitor_n_dashboards;

/* ---- files; inv NULL: what is the same for every cluster ---- */

void monitor_put_rules(const struct inventory *inv, const struct monitor_options *o, struct buf *out);          /* for Prometheus itself */
void monitor_put_prometheus_rule(const struct inventory *inv, const struct monitor_options *o, struct buf *out); /* for the operator */
void monitor_put_prometheus(const struct inventory *inv, const struct monitor_options *o, struct buf *out);     /* prometheus.yml */
void monitor_put_values(const struct inventory *inv, const struct monitor_options *o, struct buf *out);         /* kube-prometheus-stack */
void monitor_put_dashboard(const struct monitor_dashboard *d, struct buf *out);

/* What Prometheus will need, by the number of nodes and experts: docs/metrics.md. */
struct monitor_size {
    double series, memory_bytes, disk_bytes;
    int keep_days;
};
void monitor_reckon(const struct inventory *inv, struct monitor_size *out);
const struct inv_node *monitor_head(const struct inventory *inv); /* the node that watches the others; NULL: there is no node */

/* All of them below dir, which is made.  false with err. */
bool monitor_write(const struct inventory *inv, const struct monitor_options *o, const char *dir, struct err *err);
#endif
