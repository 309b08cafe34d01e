/* site/monitor_stack.c - Prometheus and Grafana themselves: targets without Kubernetes, Helm values with it, and how much they need. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "site/monitor.h"
#include "site/monitor_internal.h"

/* What was counted (docs/metrics.md): series of one service, of one expert, of `auto`'s names, of node-exporter on a small machine; with
 * Kubernetes its own (kubelet, cAdvisor, kube-state-metrics) for each node. */
enum { SERIES_SERVICE = 330, SERIES_EXPERT = 150, SERIES_AUTO = 500, SERIES_EXPORTER = 700, SERIES_KUBERNETES = 2500 };
enum { SCRAPE_S = 15, KEEP_DAYS = 30, KEEP_DAYS_LEAST = 7 };
/* prometheus.io/docs/prometheus/latest/storage: "1-2 bytes per sample".  Memory for a series in the head: 8 KiB, our estimate with room. */
static const double SAMPLE_BYTES = 2, SERIES_BYTES = 8192, BASE_BYTES = 256.0 * (1 << 20), DISK_DEFAULT_BYTES = 8e9, DISK_SHARE = 0.1, MEMORY_SHARE = 0.25;

const struct inv_node *monitor_head(const struct inventory *inv)
{
    for (int i = 0; i < inv->n_nodes; i++)
        if (inv->nodes[i].is_head)
            return &inv->nodes[i];
    return inv->n_nodes > 0 ? &inv->nodes[0] : NULL;
}

void monitor_reckon(const struct inventory *inv, struct monitor_size *out)
{
    const struct inv_node *head = monitor_head(inv);
    double experts = 0;
    for (int i = 0; i < inv->n_wants; i++)
        experts += inv->wants[i].n_max > 0 && inv->wants[i].n_max < inv->n_nodes ? inv->wants[i].n_max : inv->n_nodes;
    out->series = inv->n_nodes * (double)(SERIES_SERVICE + SERIES_AUTO + SERIES_EXPORTER + (inv->engine == INV_K3S ? SERIES_KUBERNETES : 0)) + experts * SERIES_EXPERT;
    out->memory_bytes = BASE_BYTES + out->series * SERIES_BYTES;
    const double most = head && head->mem_bytes ? (double)head->mem_bytes * MEMORY_SHARE : INFINITY;
    if (out->memory_bytes > most && most > BASE_BYTES)
        out->memory_bytes = most; /* more would be taken from the experts: fewer series, or a head with more memory */
    const double room = head && head->disk_bytes ? (double)head->disk_bytes * DISK_SHARE : DISK_DEFAULT_BYTES, a_day = out->series / SCRAPE_S * 86400 * SAMPLE_BYTES;
    out->keep_days = KEEP_DAYS;
    while (out->keep_days > KEEP_DAYS_LEAST && out->keep_days * a_day > room)
        out->keep_days--;
    out->disk_bytes = fmin(room, fmax(1e9, ceil(out->keep_days * a_day * 1.25 / 1e9) * 1e9));
}

/* An IPv6 address stands in brackets; a node without an address is asked by its name. */
static void put_target(struct buf *out, const struct inventory *inv, const struct inv_node *n, int port)
{
    char text[400];
    if (n->address && n->address[0])
        snprintf(text, sizeof(text), strchr(n->address, ':') ? "[%.200s]:%d" : "%.200s:%d", n->address, port);
    else if (inv->domain && inv->domain[0])
        snprintf(text, sizeof(text), "%.100s.%.200s:%d", n->name, inv->domain, port);
    else
        snprintf(text, sizeof(text), "%.100s:%d", n->name, port);
    monitor_put_text(out, text);
}

static void put_job(struct buf *out, const struct inventory *inv, const char *job, int port, const char *more)
{
    buf_printf(out, "  - job_name: %s\n%s    static_configs:\n", job, more);
    for (int i = 0; i < inv->n_nodes; i++) {
        buf_puts(out, "      - targets: [");
        put_target(out, inv, &inv->nodes[i], port);
        buf_printf(out, "]\n        labels: {node: %s, role: %s}\n", inv->nodes[i].name, inv->nodes[i].is_head ? "head" : "worker");
    }
}

void monitor_put_prometheus(const struct inventory *inv, const struct monitor_options *o, struct buf *out)
{
    struct monitor_size z;
    monitor_reckon(inv, &z);
    buf_printf(out, MONITOR_MADE_BY
               "# For a Prometheus without Kubernetes, on %s. Start it with\n"
               "#   --storage.tsdb.retention.time=%dd --storage.tsdb.retention.size=%.0fGB\n"
               "# Some %.0f series: about %.0f MB of memory.\n"
               "global:\n  scrape_interval: %ds\n  evaluation_interval: %ds\n  external_labels: {cluster: ",
               monitor_head(inv) ? monitor_head(inv)->name : "any node", z.keep_days, z.disk_bytes / 1e9, z.series, z.memory_bytes / 1e6, SCRAPE_S, SCRAPE_S);
    monitor_put_text(out, inv->name && inv->name[0] ? inv->name : "tutti");
    buf_puts(out, "}\nrule_files: [rules.yaml]\nscrape_configs:\n");
    put_job(out, inv, "tutti", o->port,
            "    # beyond loopback `tutti serve` wants a key: one of its key file, beside this file, readable for Prometheus alone\n"
            "    authorization: {credentials_file: tutti.key}\n");
    put_job(out, inv, "node", MONITOR_EXPORTER_PORT, "");
    buf_puts(out, "  - job_name: prometheus\n    static_configs:\n      - targets: ['localhost:9090']\n");
}

void monitor_put_values(const struct inventory *inv, const struct monitor_options *o, struct buf *out)
{
    const struct inv_node *head = monitor_head(inv);
    struct monitor_size z;
    char on_head[200];
    (void)o;
    monitor_reckon(inv, &z);
    snprintf(on_head, sizeof(on_head), "{kubernetes.io/hostname: %s}", head ? head->name : "head");
    const double memory_mib = ceil(z.memory_bytes / (1 << 20) / 64) * 64;
    buf_printf(out, MONITOR_MADE_BY
               "# For the Helm chart kube-prometheus-stack (keys as of 88.5.3): all of it on %s, node-exporter on every node. Its images are for\n"
               "# amd64 and arm64. Some %.0f series.\n"
               "#   helm repo add prometheus-community https://prometheus-community.github.io/helm-charts\n"
               "#   helm upgrade --install monitoring prometheus-community/kube-prometheus-stack --namespace monitoring --create-namespace --values values.yaml\n",
               head ? head->name : "head", z.series);
    /* K3s runs these in one process, without ports of their own */
    buf_puts(out, "kubeControllerManager: {enabled: false}\nkubeScheduler: {enabled: false}\nkubeProxy: {enabled: false}\nkubeEtcd: {enabled: false}\n");
    buf_printf(out, "prometheusOperator:\n  nodeSelector: %s\n  admissionWebhooks:\n    patch:\n      nodeSelector: %s\n  resources:\n    requests: {cpu: 20m, memory: 64Mi}\n    limits: {memory: 160Mi}\n", on_head, on_head);
    buf_printf(out, "prometheus:\n  prometheusSpec:\n    nodeSelector: %s\n    scrapeInterval: %ds\n    evaluationInterval: %ds\n    retention: %dd\n    retentionSize: %.0fGB\n", on_head, SCRAPE_S, SCRAPE_S,
               z.keep_days, z.disk_bytes / 1e9);
    buf_puts(out, "    # rules and monitors of every release, ours too\n    ruleSelectorNilUsesHelmValues: false\n    podMonitorSelectorNilUsesHelmValues: false\n    serviceMonitorSelectorNilUsesHelmValues: false\n");
    buf_printf(out, "    resources:\n      requests: {cpu: 100m, memory: %.0fMi}\n      limits: {memory: %.0fMi}\n", memory_mib, ceil(memory_mib * 1.5 / 64) * 64);
    buf_printf(out, "    storageSpec:\n      volumeClaimTemplate:\n        spec:\n%s          accessModes: [ReadWriteOnce]\n          resources: {requests: {storage: %.0fG}}\n",
               inv->engine == INV_K3S ? "          storageClassName: local-path # K3s brings it\n" : "", ceil(z.disk_bytes / 1e9 * 1.2));
    buf_printf(out, "alertmanager:\n  alertmanagerSpec:\n    nodeSelector: %s\n    resources:\n      requests: {cpu: 10m, memory: 32Mi}\n      limits: {memory: 96Mi}\n", on_head);
    buf_printf(out, "grafana:\n  nodeSelector: %s\n  resources:\n    requests: {cpu: 20m, memory: 128Mi}\n    limits: {memory: 320Mi}\n"
                    "  sidecar:\n    dashboards: {enabled: true, label: grafana_dashboard, labelValue: \"1\", searchNamespace: ALL}\n",
               on_head);
    buf_printf(out, "kube-state-metrics:\n  nodeSelector: %s\n", on_head);
    buf_puts(out, "nodeExporter: {enabled: true}\nprometheus-node-exporter:\n  # it has no nodeSelector: it is what the workers run\n  resources:\n    requests: {cpu: 10m, memory: 24Mi}\n    limits: {memory: 64Mi}\n"
                  "  prometheus:\n    monitor:\n      relabelings: # the dashboards' label\n        - {sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}\n");
}
