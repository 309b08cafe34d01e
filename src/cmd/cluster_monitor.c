/* cmd/cluster_monitor.c - `tutti cluster monitoring`: what Prometheus and Grafana need for an inventory. */
#include <stdio.h>

#include "site/monitor.h"
#include "cmd/catalog_open.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    const struct cmd_opt *out = cmd_opt_find(opts, "out");
    const struct monitor_options o = { .port = (int)cmd_opt_find(opts, "port")->i, .ttft_s = cmd_opt_find(opts, "ttft")->f };
    struct catalog *c = NULL;
    struct inventory *inv = NULL;
    struct err err;
    if (!out->given || !out->s[0]) { /* --out "$UNSET" would be / */
        fprintf(stderr, "tutti: --out DIR says where the files go; see `tutti cluster monitoring --help`\n");
        return 2;
    }
    const bool ok = (argc == 0 || ((c = cmd_catalog_open(opts, &err)) && (inv = inventory_read(argv[0], c, &err)))) && monitor_write(inv, &o, out->s, &err);
    inventory_free(inv);
    catalog_free(c);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    CMD_OPT_CATALOG,
    { .name = "out", .kind = OPT_TEXT, .value = "DIR", .help = "the folder that the files go to; it is made" },
    { .name = "port", .kind = OPT_INT, .value = "N", .min = 1, .max = 65535, .help = "where `tutti serve` listens on the nodes (8080)", .i = 8080 },
    { .name = "ttft", .kind = OPT_FLOAT, .value = "SECONDS", .min = 0.001, .max = 3600, .help = "objective: 95 of 100 first words come within this (5)", .f = 5 },
    { 0 },
};

const struct cmd cmd_cluster_monitoring = {
    .name = "cluster monitoring",
    .args = "[INVENTORY.yaml]",
    .max_args = 1,
    .help = "alerts, targets and dashboards for Prometheus and Grafana",
    .more = "Writes rules.yaml, prometheus.yml, dashboards and their provisioning; with\n"
            "Kubernetes also values.yaml (kube-prometheus-stack on the head node, node-exporter\n"
            "on the others), prometheus-rule.yaml and kustomization.yaml. Without an inventory:\n"
            "what is the same for every cluster. The same inventory gives the same files.\n"
            "docs/metrics.md\n",
    .opts = opts,
    .run = run,
};
