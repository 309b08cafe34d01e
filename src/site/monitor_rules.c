/* site/monitor_rules.c - the alerts: one row each, and how they are written. */
#include <stdio.h>
#include <string.h>

#include "site/monitor.h"
#include "site/monitor_internal.h"

#define NODES "nodes"
#define MACHINE "machine"
#define EXPERTS "experts"
#define ROUTER "router"

/* ORDER as written: the rows of a group stand together.  A new alert is a row here and its case in tests/site/monitoring/alerts.yaml. */
const struct monitor_rule monitor_rules[] = {
    { NODES, "TuttiNotReady", "tutti_ready == 0", "5m", "warning", "{{ $labels.node }} has no expert that can be asked",
      "No expert is up for five minutes, or it is being stopped. `curl http://{{ $labels.instance }}/healthz` says why." },
    { NODES, "TuttiRestarts", "changes(process_start_time_seconds{" MONITOR_TUTTI "}[30m]) > 3", "0m", "warning", "{{ $labels.node }} was started {{ $value }} times in half an hour",
      "Look at its log: `journalctl -u tutti`, or `kubectl logs --previous`." },
    { NODES, "TuttiNodeExporterGone", "up{" MONITOR_EXPORTER "} == 0", "5m", "warning", "node-exporter of {{ $labels.node }} does not answer",
      "Figures of the machine are missing: disk, network. The experts may be well." },
    { NODES, "TuttiCertificateExpiring", "tutti_certificate_expiry_timestamp_seconds - time() < 7 * 86400", "1h", "warning", "the certificate of {{ $labels.node }} ends in {{ $value | humanizeDuration }}",
      "Put a new one in its place and send SIGHUP." },

    { MACHINE, "TuttiHot", "tutti_temperature_limit_celsius - tutti_temperature_celsius < 5", "5m", "warning", "{{ $labels.node }} is {{ $value | printf \"%.0f\" }} degrees below where it slows down",
      "Fan, dust, sun. The governor does less by itself meanwhile (docs/governor.md)." },
    { MACHINE, "TuttiThrottled", "tutti_throttled == 1", "2m", "warning", "{{ $labels.node }} is slowed: {{ $labels.reason }}",
      "heat: cool it. weak supply: another power supply or cable. clock capped, gpu: the machine's own limits." },
    { MACHINE, "TuttiOnBatteryLow", "tutti_on_battery == 1 and tutti_battery_ratio < 0.2", "1m", "critical", "{{ $labels.node }} is on battery",
      "Below 20 %: plug it in, or it will go." },
    { MACHINE, "TuttiMemoryPressure", "tutti_memory_pressure_ratio > 0.2", "5m", "warning", "programs on {{ $labels.node }} wait for memory {{ $value | humanizePercentage }} of the time",
      "Fewer or smaller experts there: `tutti cluster plan`." },
    { MACHINE, "TuttiMemoryLow", "tutti_memory_available_bytes / tutti_memory_bytes < 0.05", "5m", "warning", "{{ $labels.node }} has {{ $value | humanizePercentage }} of its memory left",
      "The kernel may soon end a process. Fewer or smaller experts there." },
    { MACHINE, "TuttiModelsDiskFull", "tutti_models_disk_available_bytes / tutti_models_disk_bytes < 0.1", "15m", "warning", "the models' disk of {{ $labels.node }} has {{ $value | humanizePercentage }} left",
      "Remove models that nobody asks for." },
    { MACHINE, "TuttiAcceleratorVanished", "tutti_accelerator_up == 0", "30s", "critical", "{{ $labels.accelerator }} of {{ $labels.node }} is gone",
      "{{ $labels.resource }} was there and is not, or is not well. Unplug and plug it; a powered hub helps sticks that vanish under load." },
    { MACHINE, "TuttiAcceleratorHot", "tutti_accelerator_temperature_celsius > 90", "5m", "warning", "{{ $labels.accelerator }} of {{ $labels.node }} has {{ $value | printf \"%.0f\" }} degrees",
      "It will slow down or switch off." },
    { MACHINE, "TuttiOffline", "tutti_offline == 1", "2m", "warning", "{{ $labels.node }} reaches no server elsewhere", "The line is down, or all providers are. It answers alone." },

    { EXPERTS, "TuttiExpertDown", "tutti_model_state{state=\"down\"} == 1", "1m", "critical", "{{ $labels.model_name }} on {{ $labels.node }} is down",
      "`tutti expert list` and the log on {{ $labels.node }} say why." },
    { EXPERTS, "TuttiExpertDies", "increase(tutti_worker_deaths_total[15m]) > 3", "0m", "warning", "the process of {{ $labels.model_name }} on {{ $labels.node }} keeps ending",
      "{{ $value | printf \"%.0f\" }} times in a quarter of an hour: a broken model, or too little memory." },
    { EXPERTS, "TuttiExpertSlow", "tutti_expert_degraded == 1", "10m", "warning", "{{ $labels.model_name }} on {{ $labels.node }} works below 70 % of its usual speed",
      "Heat, another program, a worn card? The router asks others meanwhile." },
    { EXPERTS, "TuttiQueueLong", "tutti_num_requests_waiting > 8", "2m", "warning", "{{ $value }} requests wait for {{ $labels.model_name }} on {{ $labels.node }}",
      "More replicas, or a smaller model: `tutti cluster plan` with this traffic." },
    { EXPERTS, "TuttiErrors",
      "sum by (node, model_name) (rate(tutti_request_success_total{finished_reason=\"error\"}[10m])) / sum by (node, model_name) (rate(tutti_request_success_total[10m])) > 0.05", "5m",
      "critical", "{{ $value | humanizePercentage }} of the answers of {{ $labels.model_name }} on {{ $labels.node }} end with an error", "The log of {{ $labels.node }} names each." },
    { EXPERTS, "TuttiServerErrors", "sum by (node) (rate(tutti_http_responses_total{code=\"5xx\"}[10m])) / sum by (node) (rate(tutti_http_responses_total[10m])) > 0.05", "5m", "warning",
      "{{ $value | humanizePercentage }} of the responses of {{ $labels.node }} are 5xx", "Full queues and experts that are down are told by 503." },
    { EXPERTS, "TuttiFirstWordLate", "histogram_quantile(0.95, sum by (le, node, model_name) (rate(tutti_time_to_first_token_seconds_bucket[10m]))) > TTFT", "10m", "warning",
      "95 of 100 first words of {{ $labels.model_name }} on {{ $labels.node }} take up to {{ $value | humanizeDuration }}", "Above the objective. Queue, long prompts, a hot machine: the experts' dashboard shows which." },

    { ROUTER, "TuttiLadderDown", "tutti_governor_step > 0", "1h", "warning", "{{ $labels.node }} answers {{ $labels.class }} with less than its best for an hour",
      "Step {{ $value }} of the ladder. The router's dashboard shows the cause." },
    { ROUTER, "TuttiRouterRefuses", "rate(tutti_route_refused_total[10m]) > 0", "10m", "warning", "{{ $labels.node }} refuses requests that nobody may or can answer",
      "`tutti route why` lists them, with the rule that refused." },
    { ROUTER, "TuttiExpertsHang", "increase(tutti_route_hangs_total[15m]) > 3", "0m", "warning", "experts gave no answer in time, seen by {{ $labels.node }}",
      "{{ $value | printf \"%.0f\" }} times in a quarter of an hour." },
    { ROUTER, "TuttiMemberSilent", "tutti_member_age_seconds > 60 and on (member) label_replace(up{" MONITOR_TUTTI "} == 1, \"member\", \"$1\", \"node\", \"(.*)\")", "2m", "warning", "{{ $labels.node }} has heard nothing of {{ $labels.member }} for {{ $value | humanizeDuration }}",
      "It answers Prometheus, so the line between the two is cut, or one of them does not believe the other: `tutti cluster status` on {{ $labels.node }}." },
    { ROUTER, "TuttiMemberLosesJobs", "increase(tutti_member_jobs_lost_total[15m]) > 3", "0m", "warning", "{{ $labels.member }} does not end what {{ $labels.node }} gives it",
      "{{ $value | printf \"%.0f\" }} jobs in a quarter of an hour." },
    { ROUTER, "TuttiJournalDrops", "increase(tutti_route_journal_dropped_total[15m]) > 0", "0m", "warning", "{{ $labels.node }} cannot keep its decisions", "Its disk is full or too slow." },
};
const int monitor_n_rules = sizeof(monitor_rules) / sizeof(monitor_rules[0]);

/* ---- out ---- */

void monitor_put_text(struct buf *out, const char *s)
{
    buf_putc(out, '\'');
    for (; *s; s++) {
        buf_putc(out, *s);
        if (*s == '\'')
            buf_putc(out, *s);
    }
    buf_putc(out, '\'');
}

/* node: NULL, or a label that makes it one of several. */
static void put_rule(struct buf *out, const char *in, const struct monitor_rule *r, const char *node, const struct monitor_options *o)
{
    const char *ttft = strstr(r->expr, "TTFT");
    buf_printf(out, "%s- alert: %s\n%s  expr: ", in, r->alert, in);
    if (ttft) {
        char expr[400];
        snprintf(expr, sizeof(expr), "%.*s%g%s", (int)(ttft - r->expr), r->expr, o->ttft_s, ttft + 4);
        monitor_put_text(out, expr);
    } else {
        monitor_put_text(out, r->expr);
    }
    buf_printf(out, "\n%s  for: %s\n%s  labels: {severity: %s%s%s}\n%s  annotations:\n%s    summary: ", in, r->for_, in, r->severity, node ? ", node: " : "", node ? node : "", in, in);
    monitor_put_text(out, r->summary);
    buf_printf(out, "\n%s    description: ", in);
    monitor_put_text(out, r->what);
    buf_putc(out, '\n');
}

/* Nodes that are gone.  Who may leave (a laptop) is not missed. */
static void put_presence(struct buf *out, const char *in, const struct inventory *inv, const struct monitor_options *o)
{
    struct buf expr;
    int n_stay = 0, n_leave = 0;
    buf_init(&expr, 1 << 20);
    buf_puts(&expr, "up{" MONITOR_TUTTI);
    for (int i = 0; inv && i < inv->n_nodes; i++) {
        n_stay += !inv->nodes[i].may_leave;
        if (inv->nodes[i].may_leave)
            buf_printf(&expr, "%s%s", n_leave++ ? "|" : ",node!~\"", inv->nodes[i].name);
    }
    buf_puts(&expr, n_leave ? "\"} == 0" : "} == 0");
    out->failed |= expr.failed;
    buf_printf(out, "%s- name: tutti-presence\n%s  rules:\n", in, in);
    char rows[32];
    snprintf(rows, sizeof(rows), "%s  ", in);
    if (expr.data)
        put_rule(out, rows, &(struct monitor_rule){ .alert = "TuttiNodeGone", .expr = expr.data, .for_ = "1m", .severity = "critical", .summary = "{{ $labels.node }} does not answer",
                                               .what = "Is it on, is its cable in? The others go on without it." }, NULL, o);
    buf_fini(&expr);
    /* A target that its orchestrator took off the list is not 0 but absent. */
    for (int i = 0; inv && n_stay <= MONITOR_ABSENT_MAX && i < inv->n_nodes; i++) {
        char text[200];
        if (inv->nodes[i].may_leave)
            continue;
        snprintf(text, sizeof(text), "absent(up{" MONITOR_TUTTI ",node=\"%s\"})", inv->nodes[i].name);
        put_rule(out, rows, &(struct monitor_rule){ .alert = "TuttiNodeMissing", .expr = text, .for_ = "5m", .severity = "critical", .summary = "nobody knows {{ $labels.node }} any more",
                                                   .what = "The inventory has it, the list of targets has not: no tutti is scheduled there." }, inv->nodes[i].name, o);
    }
    if (n_stay > MONITOR_ABSENT_MAX) {
        char text[200];
        snprintf(text, sizeof(text), "count(up{" MONITOR_TUTTI "} == 1) < %d", n_stay);
        put_rule(out, rows, &(struct monitor_rule){ .alert = "TuttiNodesMissing", .expr = text, .for_ = "5m", .severity = "critical", .summary = "only {{ $value }} nodes answer",
                                                   .what = "The inventory has more that should always be there." }, NULL, o);
    }
}

static void put_groups(struct buf *out, const char *in, const struct inventory *inv, const struct monitor_options *o)
{
    char rows[32];
    snprintf(rows, sizeof(rows), "%s  ", in);
    put_presence(out, in, inv, o);
    for (int i = 0; i < monitor_n_rules; i++) {
        const struct monitor_rule *r = &monitor_rules[i];
        if (i == 0 || strcmp(r->group, monitor_rules[i - 1].group) != 0)
            buf_printf(out, "%s- name: tutti-%s\n%s  rules:\n", in, r->group, in);
        put_rule(out, rows, r, NULL, o);
    }
}

void monitor_put_rules(const struct inventory *inv, const struct monitor_options *o, struct buf *out)
{
    buf_puts(out, MONITOR_MADE_BY "groups:\n");
    put_groups(out, "  ", inv, o);
}

void monitor_put_prometheus_rule(const struct inventory *inv, const struct monitor_options *o, struct buf *out)
{
    buf_puts(out, MONITOR_MADE_BY "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: tutti\n");
    if (inv && inv->namespace_ && inv->namespace_[0])
        buf_printf(out, "  namespace: %s\n", inv->namespace_);
    buf_puts(out, "  labels: {app.kubernetes.io/name: tutti, app.kubernetes.io/component: monitoring}\nspec:\n  groups:\n");
    put_groups(out, "    ", inv, o);
}
