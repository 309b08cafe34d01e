/* route/router_show.c - what the router has done so far, for metrics; what it sees, for people and programs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "route/bandit.h"
#include "route/journal.h"
#include "route/predict.h"
#include "route/router_internal.h"

void router_get_figures(struct router *r, struct router_figures *out)
{
    pthread_mutex_lock(&r->figures_lock);
    *out = r->figures;
    pthread_mutex_unlock(&r->figures_lock);
    pthread_mutex_lock(&r->lock);
    out->n_jobs = r->n_trips;
    pthread_mutex_unlock(&r->lock);
}

void router_put_learned(struct router *r, struct buf *predictor, struct buf *bandit)
{
    router_enter(r);
    pthread_mutex_lock(&r->figures_lock);
    if (r->env.predictor)
        predictor_put(r->env.predictor, &r->live.world, predictor);
    if (r->env.bandit)
        bandit_put(r->env.bandit, &r->live.world, bandit);
    pthread_mutex_unlock(&r->figures_lock);
    pthread_mutex_unlock(&r->decide_lock);
}

bool router_take_learned(struct router *r, const char *predictor, const char *bandit, struct err *err)
{
    pthread_mutex_lock(&r->decide_lock);
    live_look(&r->live); /* names and nodes are known then */
    pthread_mutex_lock(&r->figures_lock);
    const bool ok = (!r->env.predictor || !predictor || predictor_take(r->env.predictor, &r->live.world, predictor, strlen(predictor), err)) &&
                    (!r->env.bandit || !bandit || bandit_take(r->env.bandit, &r->live.world, bandit, strlen(bandit), err));
    pthread_mutex_unlock(&r->figures_lock);
    free(r->learned);
    r->learned = ok && predictor ? strdup(predictor) : NULL;
    pthread_mutex_unlock(&r->decide_lock);
    return ok;
}

/* Prometheus text format 0.0.4: backslash, quote and newline are escaped. */
static void put_label(struct buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '\\' || *s == '"' || *s == '\n')
            buf_putc(out, '\\');
        buf_putc(out, *s == '\n' ? 'n' : *s);
    }
}

/* Prometheus gives the node that it asks the label `node`: the one that answers has another. */
static void put_expert(struct buf *out, const struct router *r, int i)
{
    buf_puts(out, "expert=\"");
    put_label(out, r->live.world.list[i].expert);
    buf_puts(out, "\",expert_node=\"");
    put_label(out, r->live.world.nodes[r->live.world.list[i].node].name);
    buf_putc(out, '"');
}

static void put_head(struct buf *out, const char *prefix, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", prefix, name, help, prefix, name, type);
}

static void put_count(struct buf *out, const char *prefix, const char *name, const char *help, uint64_t v)
{
    put_head(out, prefix, name, "counter", help);
    buf_printf(out, "%s%s %llu\n", prefix, name, (unsigned long long)v);
}

void router_put_metrics(struct router *r, const char *prefix, struct buf *out)
{
    struct router_figures f;
    uint64_t bucket[ROUTER_BUCKETS + 1], n = 0;
    router_get_figures(r, &f);
    put_head(out, prefix, "route_decisions_total", "counter", "Experts that were chosen, by what was asked for.");
    router_enter(r); /* before figures_lock, as everywhere */
    pthread_mutex_lock(&r->figures_lock);
    for (int i = 0; i < r->live.world.n; i++)
        for (int g = 0; g < ROUTE_GOAL_COUNT; g++)
            if (r->live.of[i].decisions[g]) {
                buf_printf(out, "%sroute_decisions_total{", prefix);
                put_expert(out, r, i);
                buf_printf(out, ",goal=\"%s\"} %llu\n", route_goal_name((enum route_goal)g), (unsigned long long)r->live.of[i].decisions[g]);
            }
    put_head(out, prefix, "route_energy_joules_total", "counter", "Energy of what an expert was asked through auto, by the machine's meter or reckoned from its watts.");
    for (int i = 0; i < r->live.world.n; i++)
        for (int k = 0; k < 2; k++)
            if (r->joules_of[i][k] > 0) {
                buf_printf(out, "%sroute_energy_joules_total{", prefix);
                put_expert(out, r, i);
                buf_printf(out, ",source=\"%s\"} %.9g\n", k ? "meter" : "estimate", r->joules_of[i][k]);
            }
    memcpy(bucket, r->bucket, sizeof(bucket));
    const double sum_s = r->decided_s;
    pthread_mutex_unlock(&r->figures_lock);
    pthread_mutex_unlock(&r->decide_lock);
    put_count(out, prefix, "route_promotions_total", "Answers of small experts that did not do: a better one was asked.", f.promotions);
    put_count(out, prefix, "route_retries_total", "Times that another expert was asked because one failed or hung.", f.retries);
    put_count(out, prefix, "route_hedges_total", "Times that an idle expert was asked, too, because the first was late.", f.hedges);
    put_count(out, prefix, "route_hedges_won_total", "Of those: it answered first.", f.hedges_won);
    put_count(out, prefix, "route_hangs_total", "Experts that gave no answer in time.", f.hangs);
    put_count(out, prefix, "route_forgiven_total", "Choices that a soft rule was against, when nobody else was left.", f.forgiven);
    put_count(out, prefix, "route_remembered_total", "Answers from memory, when nobody could answer.", f.remembered);
    put_count(out, prefix, "route_refused_total", "Requests that nobody may or can answer.", f.refused);
    put_head(out, prefix, "route_jobs", "gauge", "Requests that were routed and are being answered.");
    buf_printf(out, "%sroute_jobs %d\n", prefix, f.n_jobs);
    put_head(out, prefix, "route_decision_seconds", "histogram", "How long it took to choose an expert.");
    for (int i = 0; i < ROUTER_BUCKETS; i++) {
        n += bucket[i];
        buf_printf(out, "%sroute_decision_seconds_bucket{le=\"%g\"} %llu\n", prefix, router_bucket_s[i], (unsigned long long)n);
    }
    n += bucket[ROUTER_BUCKETS];
    buf_printf(out, "%sroute_decision_seconds_bucket{le=\"+Inf\"} %llu\n%sroute_decision_seconds_sum %.9g\n%sroute_decision_seconds_count %llu\n", prefix,
               (unsigned long long)n, prefix, sum_s, prefix, (unsigned long long)n);
    if (r->env.journal) {
        struct journal_figures j;
        journal_get_figures(r->env.journal, &j);
        put_count(out, prefix, "route_journal_written_total", "Decisions and outcomes that are in the journal.", j.written_total);
        put_count(out, prefix, "route_journal_dropped_total", "Those that were not written: its queue was full, or its file could not be written.", j.dropped_total);
        put_head(out, prefix, "route_journal_bytes", "gauge", "Size of the journal.");
        buf_printf(out, "%sroute_journal_bytes %llu\n", prefix, (unsigned long long)j.bytes);
    }
}

static void put_number(struct buf *b, const char *name, double v)
{
    if (isfinite(v) && v != 0)
        buf_printf(b, ",\"%s\":%.6g", name, v);
}

static void put_candidate(struct buf *b, const struct candidate *c, const struct route_node *n)
{
    bool is_first = true;
    buf_puts(b, "{\"expert\":");
    buf_put_json_text(b, c->expert);
    buf_puts(b, ",\"node\":");
    buf_put_json_text(b, n->name);
    buf_printf(b, ",\"class\":\"%s\",\"tasks\":[", route_class_name(c->cls));
    for (int i = 0; i < EXPERT_TASK_COUNT; i++)
        if (c->tasks & 1u << i) {
            buf_printf(b, "%s\"%s\"", is_first ? "" : ",", expert_task_name((enum expert_task)(1 << i)));
            is_first = false;
        }
    buf_printf(b, "],\"privacy\":\"%s\",\"up\":%s,\"warm\":%s,\"running\":%d,\"waiting\":%d", expert_privacy_name(c->privacy), c->is_up ? "true" : "false",
               c->is_warm ? "true" : "false", c->n_running, c->n_waiting);
    buf_printf(b, ",\"step\":%d", c->step); /* of its class's ladder */
    put_number(b, "quality", (double)c->quality);
    put_number(b, "params", c->params);
    put_number(b, "context_tok", c->n_ctx);
    put_number(b, "prefill_tok_s", (double)c->prefill_tok_s);
    put_number(b, "decode_tok_s", (double)c->decode_tok_s);
    put_number(b, "item_s", (double)c->item_s);
    put_number(b, "sound_s_s", (double)c->sound_s_s);
    put_number(b, "load_s", (double)c->load_s);
    put_number(b, "busy_w", (double)c->busy_w);
    put_number(b, "usd_per_mtok_in", (double)c->usd_per_mtok_in);
    put_number(b, "usd_per_mtok_out", (double)c->usd_per_mtok_out);
    buf_printf(b, ",\"measured\":%s}", c->is_measured ? "true" : "false");
}

void router_each_elsewhere(struct router *r, void (*fn)(void *ctx, const struct candidate *c), void *ctx)
{
    pthread_mutex_lock(&r->decide_lock);
    for (int i = 0; i < r->live.world.n; i++)
        if (r->live.of[i].is_member && !r->live.of[i].is_gone)
            fn(ctx, &r->live.world.list[i]);
    pthread_mutex_unlock(&r->decide_lock);
}

struct sought {
    const char *id;
    bool is_there;
};

static void compare(void *ctx, const struct candidate *c)
{
    struct sought *s = ctx;
    s->is_there |= strcmp(s->id, c->expert) == 0;
}

bool router_knows(struct router *r, const char *id)
{
    struct sought s = { .id = id };
    router_each_elsewhere(r, compare, &s);
    return s.is_there;
}

void router_put_candidates(struct router *r, struct buf *out)
{
    buf_putc(out, '[');
    router_enter(r);
    live_look(&r->live);
    const struct candidates *w = &r->live.world;
    for (int i = 0, n = 0; i < w->n; i++) {
        if (r->live.of[i].is_gone)
            continue;
        if (n++ > 0)
            buf_putc(out, ',');
        put_candidate(out, &w->list[i], &w->nodes[w->list[i].node]);
    }
    pthread_mutex_unlock(&r->decide_lock);
    buf_putc(out, ']');
}
