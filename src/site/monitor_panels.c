/* site/monitor_panels.c - the dashboards: one row for each panel.
 *
 * $node, $arch, $model are the variables at the top of a dashboard (monitor_grafana.c); $__rate_interval is Grafana's: long enough
 * for a rate.  `node` is the label of the scrape's target; a machine's architecture comes from tutti_machine_info of the same instance.
 */
#include "site/monitor.h"
#include "site/monitor_internal.h"

#define ARCH " * on (instance) group_left (arch) tutti_machine_info"
#define N "node=~\"$node\""
#define M "node=~\"$node\",model_name=~\"$model\""
#define RATE "[$__rate_interval]"
#define QUANTILE(q, family, by) "histogram_quantile(" q ", sum by (le, " by ") (rate(" family "_bucket{" M "}" RATE ")))"

static const struct monitor_panel overview[] = {
    { "Now", "Nodes", "stat", "short", 4, { { "count(up{" MONITOR_TUTTI "} == 1)", "answer" }, { "count(up{" MONITOR_TUTTI "})", "known" } }, NULL },
    { NULL, "Experts", "stat", "short", 4, { { "sum(tutti_model_state{state=~\"warm|busy\"})", "warm" }, { "sum(tutti_model_state{state=\"down\"})", "down" } }, NULL },
    { NULL, "Answers", "stat", "reqps", 4, { { "sum(rate(tutti_request_success_total" RATE "))", "a second" } }, NULL },
    { NULL, "Words", "stat", "short", 4, { { "sum(rate(tutti_generation_tokens_total" RATE "))", "tokens a second" } }, NULL },
    { NULL, "Power", "stat", "watt", 4, { { "sum(tutti_power_watts)", "all meters" } }, "a power meter" },
    { NULL, "Alerts", "stat", "short", 4, { { "count(ALERTS{alertstate=\"firing\"}) or vector(0)", "firing" } }, NULL },
    { "By architecture", "CPU in use", "timeseries", "percentunit", 8, { { "sum by (arch) (sum by (instance) (rate(tutti_cpu_seconds_total{mode=\"busy\"}" RATE "))" ARCH ") / sum by (arch) (sum by (instance) (tutti_cpus)" ARCH ")", "{{arch}}" } }, NULL },
    { NULL, "Memory in use", "timeseries", "bytes", 8, { { "sum by (arch) ((tutti_memory_bytes - tutti_memory_available_bytes)" ARCH ")", "{{arch}}" }, { "sum by (arch) (tutti_memory_bytes" ARCH ")", "{{arch}}, there is" } }, NULL },
    { NULL, "Models' disks in use", "timeseries", "percentunit", 8, { { "1 - sum by (arch) (tutti_models_disk_available_bytes" ARCH ") / sum by (arch) (tutti_models_disk_bytes" ARCH ")", "{{arch}}" } }, NULL },
    { NULL, "Nodes", "timeseries", "short", 8, { { "count by (arch) (tutti_machine_info)", "{{arch}}" } }, NULL },
    { NULL, "Tokens a second", "timeseries", "short", 8, { { "sum by (arch) (sum by (instance) (rate(tutti_generation_tokens_total" RATE "))" ARCH ")", "{{arch}}" } }, NULL },
    { NULL, "Power", "timeseries", "watt", 8, { { "sum by (arch) (tutti_power_watts" ARCH ")", "{{arch}}" } }, "a power meter" },
    { "The machines, as node-exporter sees them", "CPU", "timeseries", "percentunit", 8, { { "1 - avg by (node) (rate(node_cpu_seconds_total{mode=\"idle\"}" RATE "))", "{{node}}" } }, "node-exporter" },
    { NULL, "Memory in use", "timeseries", "percentunit", 8, { { "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes", "{{node}}" } }, "node-exporter" },
    { NULL, "Root disk in use", "timeseries", "percentunit", 8, { { "1 - node_filesystem_avail_bytes{mountpoint=\"/\"} / node_filesystem_size_bytes{mountpoint=\"/\"}", "{{node}}" } }, "node-exporter" },
    { NULL, "Network in", "timeseries", "Bps", 8, { { "sum by (node) (rate(node_network_receive_bytes_total{device!~\"lo|veth.*|cni.*|flannel.*\"}" RATE "))", "{{node}}" } }, "node-exporter" },
    { NULL, "Network out", "timeseries", "Bps", 8, { { "sum by (node) (rate(node_network_transmit_bytes_total{device!~\"lo|veth.*|cni.*|flannel.*\"}" RATE "))", "{{node}}" } }, "node-exporter" },
    { NULL, "Disk traffic", "timeseries", "Bps", 8, { { "sum by (node) (rate(node_disk_read_bytes_total" RATE "))", "{{node}} reads" }, { "sum by (node) (rate(node_disk_written_bytes_total" RATE "))", "{{node}} writes" } }, "node-exporter" },
};

static const struct monitor_panel nodes[] = {
    { "Who they are", "Machines", "table", "short", 24, { { "tutti_machine_info{arch=~\"$arch\"," N "}", "" } }, NULL },
    { "Load", "CPU by kind of core", "timeseries", "percentunit", 8, { { "sum by (node, core) (rate(tutti_cpu_seconds_total{mode=\"busy\"," N "}" RATE ")) / sum by (node, core) (tutti_cpus{" N "})", "{{node}} {{core}}" } }, NULL },
    { NULL, "Memory available", "timeseries", "bytes", 8, { { "tutti_memory_available_bytes{" N "}", "{{node}}" } }, NULL },
    { NULL, "Waiting for memory and CPU", "timeseries", "percentunit", 8, { { "tutti_memory_pressure_ratio{" N "}", "{{node}} memory" }, { "tutti_cpu_pressure_ratio{" N "}", "{{node}} CPU" } }, "a kernel with PSI" },
    { NULL, "Memory of experts", "timeseries", "bytes", 8, { { "tutti_expert_memory_bytes{" N "}", "{{node}}" }, { "tutti_expert_memory_cap_bytes{" N "} > 0", "{{node}} at most" } }, "experts in processes" },
    { NULL, "Models' disk left", "timeseries", "bytes", 8, { { "tutti_models_disk_available_bytes{" N "}", "{{node}}" } }, NULL },
    { NULL, "The service itself", "timeseries", "bytes", 8, { { "process_resident_memory_bytes{" MONITOR_TUTTI "," N "}", "{{node}}" } }, NULL },
    { "Heat", "Temperature by sensor", "timeseries", "celsius", 8, { { "tutti_sensor_temperature_celsius{" N "}", "{{node}} {{sensor}}" } }, "a thermometer" },
    { NULL, "Degrees left until it slows down", "timeseries", "celsius", 8, { { "tutti_temperature_limit_celsius{" N "} - tutti_temperature_celsius{" N "}", "{{node}}" } }, "a thermometer" },
    { NULL, "Slowed by", "timeseries", "short", 8, { { "tutti_throttled{" N "}", "{{node}} {{reason}}" } }, NULL },
    { "Power", "Drawn", "timeseries", "watt", 8, { { "tutti_power_watts{" N "}", "{{node}}" }, { "tutti_battery_power_watts{" N "}", "{{node}} battery" } }, "a power meter" },
    { NULL, "Energy in a day", "timeseries", "joule", 8, { { "increase(tutti_energy_joules_total{" N "}[1d])", "{{node}}" } }, "a power meter" },
    { NULL, "Battery", "timeseries", "percentunit", 8, { { "tutti_battery_ratio{" N "}", "{{node}}" } }, "a battery" },
};

static const struct monitor_panel accelerators[] = {
    { "Present", "Accelerators", "table", "short", 12, { { "tutti_accelerator_info{" N "}", "" } }, "an accelerator" },
    { NULL, "There and well", "timeseries", "short", 12, { { "tutti_accelerator_up{" N "}", "{{node}} {{accelerator}}" } }, "an accelerator" },
    { "Work", "Utilisation", "timeseries", "percentunit", 8, { { "tutti_accelerator_utilization_ratio{" N "}", "{{node}} {{accelerator}}" } }, "a GPU" },
    { NULL, "Memory in use", "timeseries", "bytes", 8, { { "tutti_accelerator_memory_used_bytes{" N "}", "{{node}} {{accelerator}}" }, { "tutti_accelerator_memory_bytes{" N "}", "{{node}} {{accelerator}}, there is" } }, "a GPU with memory of its own" },
    { NULL, "Requests a second by what runs them", "timeseries", "reqps", 8, { { "sum by (node, kind) (sum by (node, model_name) (rate(tutti_request_success_total{" N "}" RATE ")) * on (node, model_name) group_left (kind) tutti_model_info)", "{{node}} {{kind}}" } }, NULL },
    { "Heat and power", "Temperature", "timeseries", "celsius", 12, { { "tutti_accelerator_temperature_celsius{" N "}", "{{node}} {{accelerator}}" } }, "an accelerator with a thermometer" },
    { NULL, "Power", "timeseries", "watt", 12, { { "tutti_accelerator_power_watts{" N "}", "{{node}} {{accelerator}}" }, { "tutti_accelerator_power_limit_watts{" N "}", "{{node}} {{accelerator}} at most" } }, "an NVIDIA card" },
};

static const struct monitor_panel experts[] = {
    { "Latency", "First word, 95 of 100 within", "timeseries", "s", 8, { { QUANTILE("0.95", "tutti_time_to_first_token_seconds", "model_name"), "{{model_name}}" } }, NULL },
    { NULL, "Between words, 95 of 100 within", "timeseries", "s", 8, { { QUANTILE("0.95", "tutti_inter_token_latency_seconds", "model_name"), "{{model_name}}" } }, NULL },
    { NULL, "Whole answer, half and 95 of 100 within", "timeseries", "s", 8, { { QUANTILE("0.5", "tutti_e2e_request_latency_seconds", "model_name"), "{{model_name}} half" }, { QUANTILE("0.95", "tutti_e2e_request_latency_seconds", "model_name"), "{{model_name}} 95 %" } }, NULL },
    { NULL, "In the queue, 95 of 100 within", "timeseries", "s", 8, { { QUANTILE("0.95", "tutti_request_queue_time_seconds", "model_name"), "{{model_name}}" } }, NULL },
    { NULL, "Prompt, 95 of 100 within", "timeseries", "s", 8, { { QUANTILE("0.95", "tutti_request_prefill_time_seconds", "model_name"), "{{model_name}}" } }, NULL },
    { NULL, "Waiting and running", "timeseries", "short", 8, { { "sum by (model_name) (tutti_num_requests_waiting{" M "})", "{{model_name}} waiting" }, { "sum by (model_name) (tutti_num_requests_running{" M "})", "{{model_name}} running" } }, NULL },
    { "Throughput", "Answers a second by their end", "timeseries", "reqps", 8, { { "sum by (model_name, finished_reason) (rate(tutti_request_success_total{" M "}" RATE "))", "{{model_name}} {{finished_reason}}" } }, NULL },
    { NULL, "Tokens a second", "timeseries", "short", 8, { { "sum by (model_name) (rate(tutti_generation_tokens_total{" M "}" RATE "))", "{{model_name}}" } }, NULL },
    { NULL, "Prompt tokens a second", "timeseries", "short", 8, { { "sum by (model_name) (rate(tutti_prompt_tokens_total{" M "}" RATE "))", "{{model_name}}" } }, NULL },
    { NULL, "K/V cache in use", "timeseries", "percentunit", 8, { { "tutti_kv_cache_usage_perc{" M "}", "{{node}} {{model_name}}" } }, NULL },
    { NULL, "Prompt tokens found in the cache", "timeseries", "percentunit", 8, { { "sum by (model_name) (rate(tutti_prefix_cache_hits_total{" M "}" RATE ")) / sum by (model_name) (rate(tutti_prefix_cache_queries_total{" M "}" RATE "))", "{{model_name}}" } }, NULL },
    { NULL, "Pictures and sound", "timeseries", "short", 8, { { "sum by (model_name) (rate(tutti_images_total{" M "}" RATE "))", "{{model_name}} pictures a second" }, { "sum by (model_name) (rate(tutti_audio_heard_seconds_total{" M "}" RATE "))", "{{model_name}} seconds heard a second" } }, NULL },
    { "Energy", "Watts by expert", "timeseries", "watt", 12, { { "sum by (expert, source) (rate(tutti_route_energy_joules_total{" N "}" RATE "))", "{{expert}} ({{source}})" } }, NULL },
    { NULL, "Joules for a token", "timeseries", "joule", 12, { { "sum(rate(tutti_route_energy_joules_total{" N "}" RATE ")) / sum(rate(tutti_generation_tokens_total{" N "}" RATE "))", "all" } }, NULL },
    { "Life", "State", "table", "short", 12, { { "tutti_model_state{" M "} == 1", "" } }, NULL },
    { NULL, "Slow, dying, hanging", "timeseries", "short", 12, { { "tutti_expert_degraded{" M "}", "{{node}} {{model_name}} slow" }, { "increase(tutti_worker_deaths_total{" M "}[15m])", "{{node}} {{model_name}} died" }, { "increase(tutti_worker_hangs_total{" M "}[15m])", "{{node}} {{model_name}} hung" } }, NULL },
};

static const struct monitor_panel router[] = {
    { "Decisions", "By goal", "timeseries", "reqps", 8, { { "sum by (goal) (rate(tutti_route_decisions_total{" N "}" RATE "))", "{{goal}}" } }, NULL },
    { NULL, "By expert", "timeseries", "reqps", 8, { { "sum by (expert) (rate(tutti_route_decisions_total{" N "}" RATE "))", "{{expert}}" } }, NULL },
    { NULL, "By the node that answers", "timeseries", "reqps", 8, { { "sum by (expert_node) (rate(tutti_route_decisions_total{" N "}" RATE "))", "{{expert_node}}" } }, NULL },
    { NULL, "Time to decide, half and 95 of 100 within", "timeseries", "s", 8, { { "histogram_quantile(0.5, sum by (le) (rate(tutti_route_decision_seconds_bucket{" N "}" RATE ")))", "half" }, { "histogram_quantile(0.95, sum by (le) (rate(tutti_route_decision_seconds_bucket{" N "}" RATE ")))", "95 %" } }, NULL },
    { NULL, "Asked again", "timeseries", "short", 8, { { "sum by (node) (increase(tutti_route_retries_total{" N "}[15m]))", "{{node}} another one" }, { "sum by (node) (increase(tutti_route_promotions_total{" N "}[15m]))", "{{node}} a better one" }, { "sum by (node) (increase(tutti_route_hedges_total{" N "}[15m]))", "{{node}} an idle one, too" } }, NULL },
    { NULL, "Refused, hung, from memory", "timeseries", "short", 8, { { "sum by (node) (increase(tutti_route_refused_total{" N "}[15m]))", "{{node}} refused" }, { "sum by (node) (increase(tutti_route_hangs_total{" N "}[15m]))", "{{node}} hung" }, { "sum by (node) (increase(tutti_route_remembered_total{" N "}[15m]))", "{{node}} from memory" } }, NULL },
    { "The ladder", "Step by class (0: all of it)", "timeseries", "short", 8, { { "tutti_governor_step{" N "}", "{{node}} {{class}}" } }, NULL },
    { NULL, "What is left of each knob", "timeseries", "percentunit", 8, { { "tutti_governor_share_ratio{" N "} < 1", "{{node}} {{class}} {{knob}}" } }, "something that is turned down" },
    { NULL, "Steps by cause, in a quarter of an hour", "timeseries", "short", 8, { { "sum by (reason, direction) (increase(tutti_governor_transitions_total{" N "}[15m]))", "{{reason}} {{direction}}" } }, NULL },
    { "Other nodes, as each sees them", "There", "timeseries", "short", 8, { { "tutti_member_up{" N "}", "{{node}} sees {{member}}" } }, "a cluster" },
    { NULL, "To a node and back", "timeseries", "s", 8, { { "tutti_member_rtt_seconds{" N "}", "{{node}} to {{member}}" } }, "a cluster" },
    { NULL, "Jobs to other nodes", "timeseries", "reqps", 8, { { "sum by (node, member) (rate(tutti_member_jobs_total{" N "}" RATE "))", "{{node}} to {{member}}" }, { "sum by (node, member) (increase(tutti_member_jobs_lost_total{" N "}[15m]))", "{{node}} to {{member}} lost in a quarter of an hour" } }, "a cluster" },
    { NULL, "Bytes to and from other nodes", "timeseries", "Bps", 12, { { "sum by (node) (rate(tutti_member_sent_bytes_total{" N "}" RATE "))", "{{node}} sends" }, { "sum by (node) (rate(tutti_member_received_bytes_total{" N "}" RATE "))", "{{node}} gets" } }, "a cluster" },
    { NULL, "Since they said something", "timeseries", "s", 12, { { "tutti_member_age_seconds{" N "}", "{{node}} of {{member}}" } }, "a cluster" },
    { "The journal", "Decisions kept", "timeseries", "short", 12, { { "sum by (node) (rate(tutti_route_journal_written_total{" N "}" RATE "))", "{{node}} a second" }, { "sum by (node) (increase(tutti_route_journal_dropped_total{" N "}[15m]))", "{{node}} lost in a quarter of an hour" } }, "keep_decisions" },
    { NULL, "Being answered", "timeseries", "short", 12, { { "tutti_route_jobs{" N "}", "{{node}} routed" }, { "tutti_requests{" N "}", "{{node}} all" } }, NULL },
};

#define PANELS(list) list, sizeof(list) / sizeof(list[0])
const struct monitor_dashboard monitor_dashboards[] = {
    { "tutti-overview", "tutti / the cluster", "", PANELS(overview) },
    { "tutti-nodes", "tutti / nodes by architecture", "arch node", PANELS(nodes) },
    { "tutti-accelerators", "tutti / accelerators", "arch node", PANELS(accelerators) },
    { "tutti-experts", "tutti / experts", "arch node model", PANELS(experts) },
    { "tutti-router", "tutti / router and ladder", "arch node", PANELS(router) },
};
const int monitor_n_dashboards = sizeof(monitor_dashboards) / sizeof(monitor_dashboards[0]);
