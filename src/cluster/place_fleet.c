/* cluster/place_fleet.c - a plan as a fleet file, so that `tutti route simulate` rehearses it: figures are the plan's, traffic the inventory's. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cluster/place.h"
#include "route/candidate.h"

static bool is_used(const struct cluster_plan *p, int node)
{
    for (int i = 0; i < p->n; i++)
        if (p->list[i].node == node)
            return true;
    return false;
}

static void put_ms(struct buf *b, const char *key, double s) { buf_printf(b, ", %s: %.0fms", key, s > .001 ? 1e3 * s : 1); }

static void put_text(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, ", %s: ", key);
    buf_put_json(b, value, strlen(value));
}

static void put_expert(const struct cluster_plan *p, const struct place *r, struct buf *b)
{
    const struct inv_want *w = &p->inv->wants[r->want];
    const double prompt = w->traffic.prompt_tok;
    buf_printf(b, "  - {name: %s, node: %s", w->name, p->inv->nodes[r->node].name);
    buf_puts(b, ", tasks: [");
    for (unsigned bit = 1, n = 0; bit && bit <= w->task; bit <<= 1)
        if (w->task & bit)
            buf_printf(b, "%s%s", n++ ? ", " : "", expert_task_name((enum expert_task)bit));
    buf_putc(b, ']');
    if (w->quality > 0)
        buf_printf(b, ", quality: %.2f", w->quality);
    if (w->n_quants) {
        const double first = r->ttft_s.mid;
        buf_printf(b, ", params_b: %.6g, bits: %.3g, ctx: %d, parallel: %d", w->model_of[r->quant].params / 1e9, fmin(64, fmax(.5, w->model_of[r->quant].bpw)), w->n_ctx, w->n_parallel);
        if (plan_is_known(r->tok_s) && first > 1 / r->tok_s.mid)
            buf_printf(b, ", decode_tok_s: %.4g, prefill_tok_s: %.4g", r->tok_s.mid, prompt / (first - 1 / r->tok_s.mid));
        if (w->task & (EXPERT_EMBED | EXPERT_DESCRIBE))
            put_ms(b, "item", r->item_s.mid);
        if (w->task & EXPERT_DESCRIBE)
            buf_puts(b, ", sees: true");
    } else if (w->task & (EXPERT_TRANSCRIBE | EXPERT_SPEAK))
        buf_printf(b, ", sound_s_s: %.4g", r->item_s.mid / (w->traffic.sound_s > 0 ? w->traffic.sound_s : 1));
    else
        put_ms(b, "item", r->item_s.mid);
    if (!isnan(r->busy_w))
        buf_printf(b, ", busy_w: %.4g", r->busy_w);
    if (!w->keeps_warm)
        buf_puts(b, ", warm: false");
    put_text(b, "note", "by tutti cluster plan");
    buf_puts(b, "}\n");
}

static const char *load_of(const struct inv_want *w, char *out, size_t size)
{
    const unsigned t = w->task;
    if (t & (EXPERT_CHAT | EXPERT_COMPLETE))
        snprintf(out, size, "task: chat, prompt_tok: %.0f, gen_tok: %.0f", w->traffic.prompt_tok, fmax(1, w->traffic.answer_tok));
    else if (t & (EXPERT_TRANSCRIBE | EXPERT_SPEAK))
        snprintf(out, size, "task: %s, sound: %.3g, bytes: %.0f kB", w->task_name, w->traffic.sound_s, 32 * w->traffic.sound_s);
    else
        snprintf(out, size, "task: %s, items: 1, bytes: %s", w->task_name, t & EXPERT_EMBED ? "2 kB" : "100 kB");
    return out;
}

bool cluster_plan_put_fleet(const struct cluster_plan *p, struct buf *b, struct err *err)
{
    const struct inventory *inv = p->inv;
    double per_hour = 0;
    int n_used = 0;
    for (int i = 0; i < inv->n_nodes; i++)
        n_used += is_used(p, i);
    if (n_used > ROUTE_NODES_MAX || p->n > ROUTE_CANDIDATES_MAX)
        return err_set(err, ERR_LIMIT, "--fleet: the plan has %d experts on %d nodes; `tutti route simulate` takes at most %d on %d", p->n, n_used, ROUTE_CANDIDATES_MAX, ROUTE_NODES_MAX);
    if (p->n == 0)
        return err_set(err, ERR_INPUT, "--fleet: nothing is placed");
    buf_printf(b, "# The plan of %s as a fleet: made by `tutti cluster plan --fleet`, rehearsed by `tutti route simulate`.\nnodes:\n", inv->name);
    for (int i = 0; i < inv->n_nodes; i++) {
        const struct inv_node *n = &inv->nodes[i];
        if (!is_used(p, i))
            continue;
        buf_printf(b, "  - {name: %s, distance: lan", n->name);
        put_ms(b, "rtt", n->rtt_s);
        buf_printf(b, ", link_mbit_s: %.6g, memory_free: %llu", 1e3 * n->link_gbit_s, (unsigned long long)n->free_bytes);
        if (!isnan(n->idle_w))
            buf_printf(b, ", idle_w: %.4g", n->idle_w);
        if (!isnan(n->busy_w))
            buf_printf(b, ", busy_w: %.4g", n->busy_w);
        put_text(b, "note", n->kind);
        buf_puts(b, "}\n");
    }
    buf_puts(b, "experts:\n");
    for (int i = 0; i < p->n; i++)
        put_expert(p, &p->list[i], b);
    for (int i = 0, of = -1; i < p->n; i++)
        if (p->list[i].want != of)
            per_hour += fmax(1, inv->wants[of = p->list[i].want].traffic.per_hour);
    buf_printf(b, "simulate:\n  requests: 5000\n  arrivals: {process: poisson, per_s: %.6g}\n  workload:\n", per_hour / 3600);
    for (int i = 0, of = -1; i < p->n; i++) {
        char load[160];
        if (p->list[i].want == of)
            continue;
        const struct inv_want *w = &inv->wants[of = p->list[i].want];
        buf_printf(b, "    - {name: %s, share: %.6g, %s}\n", w->name, fmax(1, w->traffic.per_hour), load_of(w, load, sizeof(load)));
    }
    return true;
}
