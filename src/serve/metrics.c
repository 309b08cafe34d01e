/* serve/metrics.c - see metrics.h; the names of the model metrics are vLLM's with our prefix, so that
 * schedulers of that protocol (Gateway API inference extension) find what they know. */
#include "serve/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/experts.h"
#include "base/clock.h"
#include "expert/keeper.h"
#include "route/router.h"
#include "route/steward.h"
#include "serve/metrics_internal.h"
#include "serve/metrics_machine.h"
#include "serve/nodes.h"

struct snapshot {
    struct expert_card card;
    struct expert_metrics m;
    char label[192]; /* model_name="..." */
};

/* Prometheus text format 0.0.4: backslash, quote and newline are escaped. */
void metrics_label(char *out, size_t max, const char *name, const char *value)
{
    size_t n = (size_t)snprintf(out, max, "%s=\"", name);
    for (; *value && n + 4 < max; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            out[n++] = '\\';
        out[n++] = *value == '\n' ? 'n' : *value;
    }
    out[n++] = '"';
    out[n] = '\0';
}

void metrics_head(struct buf *out, const char *prefix, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, name, help, prefix, name, type);
}

static void put_count(struct buf *out, const char *prefix, const char *name, const char *label, uint64_t v)
{
    buf_printf(out, "%s%s{%s} %llu\n", prefix, name, label, (unsigned long long)v);
}

/* Most figures are whole: those are not printed but put. */
static void put_sample(struct buf *out, const char *prefix, const char *name, const char *label, double v)
{
    buf_puts(out, prefix);
    buf_puts(out, name);
    buf_putc(out, '{');
    buf_puts(out, label);
    if (v >= 0 && v < 9e15 && v == (double)(uint64_t)v) {
        buf_append(out, "} ", 2);
        buf_put_u64(out, (uint64_t)v);
        buf_putc(out, '\n');
    } else {
        buf_printf(out, "} %.17g\n", v);
    }
}

/* One line for each model: EXPR may use `s`. */
#define EACH(name, type, help, EXPR)                                                                                  \
    do {                                                                                                              \
        metrics_head(out, prefix, name, type, help);                                                                      \
        for (int i = 0; i < n; i++) {                                                                                 \
            const struct snapshot *s = &snap[i];                                                                      \
            put_sample(out, prefix, name, s->label, (double)(EXPR));                                                  \
        }                                                                                                             \
    } while (0)

static void put_models(struct buf *out, const char *prefix, const struct snapshot *snap, int n, const struct api_env *env)
{
    EACH("num_requests_waiting", "gauge", "Requests that wait to be begun.", s->m.n_waiting);
    EACH("num_requests_running", "gauge", "Requests that are being answered.", s->m.n_running);
    EACH("kv_cache_usage_perc", "gauge", "Share of the K/V cache that is in use, 0 to 1.", s->m.kv_used_frac);
    EACH("prompt_tokens_total", "counter", "Tokens of prompts.", s->m.prompt_tok_total);
    EACH("generation_tokens_total", "counter", "Tokens generated.", s->m.gen_tok_total);
    EACH("prefix_cache_queries_total", "counter", "Prompt tokens that were looked for in the cache.", s->m.prefix_queries_tok);
    EACH("prefix_cache_hits_total", "counter", "Prompt tokens that were found in the cache.", s->m.prefix_hits_tok);
    EACH("num_preemptions_total", "counter", "Answers that were interrupted for want of cache and begun again.", s->m.preempted_total);
    EACH("forward_passes_total", "counter", "Passes over the model's weights.", s->m.steps_total);
    EACH("spec_decode_num_draft_tokens_total", "counter", "Tokens that were guessed ahead of answers.", s->m.guessed_tok_total);
    EACH("spec_decode_num_accepted_tokens_total", "counter", "Of those: guessed right, so that no pass of their own was needed.", s->m.guessed_right_tok_total);
    EACH("model_load_seconds", "gauge", "How long loading took.", (double)s->m.load_ns / 1e9);
    EACH("expert_degraded", "gauge", "1 while a server answers below 70 % of its usual speed.", s->m.is_degraded);
    EACH("worker_starts_total", "counter", "Processes that were begun for it.", s->m.starts_total);
    EACH("worker_deaths_total", "counter", "Processes of it that ended before they were told to.", s->m.deaths_total);
    EACH("worker_hangs_total", "counter", "Of those: ended because they were stopped or gave no answer in time.", s->m.hangs_total);
    EACH("worker_memory_bytes", "gauge", "Memory of its process, when it was looked at last.", s->m.memory_bytes);
    EACH("model_weight_bytes", "gauge", "Bytes of weights.", s->card.weight_bytes);
    EACH("model_kv_cache_bytes", "gauge", "Bytes of the K/V cache.", s->card.kv_bytes);

    metrics_head(out, prefix, "request_success_total", "counter", "Answers by the way they ended.");
    for (int i = 0; i < n; i++)
        for (int e = 0; e < EXPERT_END_COUNT; e++)
            buf_printf(out, "%srequest_success_total{%s,finished_reason=\"%s\"} %llu\n", prefix, snap[i].label,
                       e == EXPERT_END_CANCEL ? "abort" : expert_end_name((enum expert_end)e),
                       (unsigned long long)snap[i].m.done_total[e]);
    metrics_head(out, prefix, "cache_config_info", "gauge", "How the K/V cache is laid out.");
    for (int i = 0; i < n; i++) {
        const uint64_t block = snap[i].card.kv_block_tok;
        buf_printf(out, "%scache_config_info{%s,block_size=\"%llu\",num_gpu_blocks=\"%llu\"} 1\n", prefix, snap[i].label,
                   (unsigned long long)block, (unsigned long long)(block ? snap[i].m.kv_total_tok / block : 0));
    }
    metrics_head(out, prefix, "model_state", "gauge", "1 for the state that the model is in.");
    for (int i = 0; i < n; i++)
        for (int st = 0; st < EXPERT_STATE_COUNT; st++)
            buf_printf(out, "%smodel_state{%s,state=\"%s\"} %d\n", prefix, snap[i].label, expert_state_name((enum expert_state)st),
                       (int)snap[i].m.state == st);
    metrics_head(out, prefix, "model_info", "gauge", "1 for what a model is and can do.");
    for (int i = 0; i < n; i++) {
        char tasks[200], kind[64];
        experts_name_tasks(snap[i].card.tasks, ",", tasks, sizeof(tasks));
        metrics_label(kind, sizeof(kind), "kind", snap[i].card.kind);
        buf_printf(out, "%smodel_info{%s,%s,tasks=\"%s\"} 1\n", prefix, snap[i].label, kind, tasks);
    }
    for (int c = 0; c < API_COUNTER_COUNT; c++) {
        metrics_head(out, prefix, api_counter_name((enum api_counter)c), "counter", api_counter_help((enum api_counter)c));
        for (int i = 0; i < n; i++)
            put_sample(out, prefix, api_counter_name((enum api_counter)c), snap[i].label, env->models[i].stats.counter[c]);
    }
    for (int h = 0; h < API_HISTOGRAM_COUNT; h++) {
        char label[64];
        metrics_head(out, prefix, api_histogram_name((enum api_histogram)h), "histogram", api_histogram_help((enum api_histogram)h));
        for (int i = 0; i < n; i++)
            api_stats_put(&env->models[i].stats, (enum api_histogram)h, prefix, snap[i].label, out);
        for (int i = 0; i < env->n_autos; i++) { /* requests to "auto": under that name */
            metrics_label(label, sizeof(label), "model_name", env->autos[i].id);
            api_stats_put(&env->autos[i].stats, (enum api_histogram)h, prefix, label, out);
        }
    }
}

static void put_process(struct buf *out, int64_t started_s)
{
    metrics_head(out, "", "process_start_time_seconds", "gauge", "When it was started, since 1970.");
    buf_printf(out, "process_start_time_seconds %lld\n", (long long)started_s);
    unsigned long long total = 0, resident = 0;
    struct timespec cpu;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f) {
        if (fscanf(f, "%llu %llu", &total, &resident) == 2) {
            metrics_head(out, "", "process_resident_memory_bytes", "gauge", "Resident memory.");
            buf_printf(out, "process_resident_memory_bytes %llu\n", resident * (unsigned long long)sysconf(_SC_PAGESIZE));
        }
        fclose(f);
    }
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
        metrics_head(out, "", "process_cpu_seconds_total", "counter", "CPU time of all threads.");
        buf_printf(out, "process_cpu_seconds_total %.6f\n", (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    }
}

static void put_figure(struct buf *out, const char *prefix, const char *name, const char *type, const char *help, uint64_t v)
{
    metrics_head(out, prefix, name, type, help);
    buf_printf(out, "%s%s %llu\n", prefix, name, (unsigned long long)v);
}

static void put_keeper(struct buf *out, const char *prefix, struct keeper *keeper)
{
    struct keeper_figures k;
    keeper_get_figures(keeper, &k);
    put_figure(out, prefix, "expert_memory_bytes", "gauge", "Memory that experts hold, as declared or seen.", k.used_bytes);
    put_figure(out, prefix, "expert_memory_cap_bytes", "gauge", "Most that they may hold together; 0: no cap.", k.cap_bytes);
    put_figure(out, prefix, "experts_loaded", "gauge", "Experts that are loaded.", (uint64_t)k.n_in);
    put_figure(out, prefix, "experts_waiting_for_memory", "gauge", "Experts that wait until others make room.", (uint64_t)k.n_waiting);
    put_figure(out, prefix, "expert_loads_total", "counter", "Loads of experts.", k.loads_total);
    put_figure(out, prefix, "expert_evictions_total", "counter", "Experts that were idle and made room for others.", k.evictions_total);
    put_figure(out, prefix, "expert_refusals_total", "counter", "Experts that could not fit.", k.refusals_total);
}

static void put_http(struct buf *out, const char *prefix, const struct http_server *server)
{
    struct http_server_stats s;
    http_server_get_stats(server, &s);
    metrics_head(out, prefix, "http_connections", "gauge", "Connections that are open.");
    buf_printf(out, "%shttp_connections %d\n", prefix, s.n_connections);
    metrics_head(out, prefix, "http_connections_total", "counter", "Connections that were accepted.");
    buf_printf(out, "%shttp_connections_total %llu\n", prefix, (unsigned long long)s.accepted_total);
    metrics_head(out, prefix, "http_responses_total", "counter", "Responses by class of status.");
    for (int c = 2; c <= 5; c++) {
        char label[16];
        snprintf(label, sizeof(label), "code=\"%dxx\"", c);
        put_count(out, prefix, "http_responses_total", label, s.responses_total[c]);
    }
    metrics_head(out, prefix, "http_refused_total", "counter", "Connections that ended because of what the client did.");
    put_count(out, prefix, "http_refused_total", "reason=\"limit\"", s.refused_total);
    put_count(out, prefix, "http_refused_total", "reason=\"protocol\"", s.bad_total);
    put_count(out, prefix, "http_refused_total", "reason=\"slow\"", s.slow_total);
}

static void put_ready(struct buf *out, const char *prefix, const struct api_env *env, const struct snapshot *snap)
{
    int n_up = 0;
    for (int i = 0; i < env->n_models; i++)
        n_up += snap[i].m.state != EXPERT_DOWN && snap[i].m.state != EXPERT_LOADING;
    put_figure(out, prefix, "ready", "gauge", "1 while at least one expert can be asked and we are not going.", n_up > 0 && !env->is_draining);
    put_figure(out, prefix, "requests", "gauge", "Requests that were not fully dealt with yet.", (uint64_t)env->n_exchanges);
}

void metrics_put(struct buf *out, const struct metrics_source *from, const char *prefix)
{
    const struct api_env *env = from->env;
    const int n = env->n_models;
    struct snapshot *snap = calloc((size_t)n + 1, sizeof(*snap));
    if (!snap) {
        out->failed = true;
        return;
    }
    for (int i = 0; i < n; i++) {
        expert_get_card(env->models[i].expert, &snap[i].card);
        expert_get_metrics(env->models[i].expert, &snap[i].m);
        metrics_label(snap[i].label, sizeof(snap[i].label), "model_name", env->models[i].id);
    }
    put_models(out, prefix, snap, n, env);
    put_ready(out, prefix, env, snap);
    if (from->keeper)
        put_keeper(out, prefix, from->keeper);
    if (env->router)
        router_put_metrics(env->router, prefix, out);
    if (env->steward)
        steward_put_metrics(env->steward, prefix, out);
    if (from->machine)
        metrics_machine_put(from->machine, env->steward, prefix, out);
    serve_nodes_put_metrics(from->nodes, prefix, out);
    put_http(out, prefix, from->server);
    metrics_head(out, prefix, "build_info", "gauge", "Which tutti this is.");
    buf_printf(out, "%sbuild_info{version=\"%s\"} 1\n", prefix, TUTTI_VERSION);
    put_process(out, from->started_s);
    free(snap);
}
