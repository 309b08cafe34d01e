/* site/place_fleet.c - a plan as a fleet file, so that `tutti route simulate` rehearses it: figures are the plan's, traffic the inventory's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/yaml.h"
#include "site/place.h"
#include "route/fleet.h"

static void put_ms(struct buf *b, const char *key, double s) { buf_printf(b, ", %s: %.0fms", key, s > .001 ? 1e3 * s : 1); }

static void put_text(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, ", %s: ", key);
    buf_put_json_text(b, value);
}

static void put_node(const struct inv_node *n, const char *name, int count, struct buf *b)
{
    buf_printf(b, "  - {name: %s, distance: lan", name);
    if (count > 1)
        buf_printf(b, ", count: %d", count);
    put_ms(b, "rtt", n->rtt_s);
    buf_printf(b, ", link_mbit_s: %.6g, memory_free: %llu", 1e3 * n->link_gbit_s, (unsigned long long)n->free_bytes);
    if (!isnan(n->idle_w))
        buf_printf(b, ", idle_w: %.4g", n->idle_w);
    if (!isnan(n->busy_w))
        buf_printf(b, ", busy_w: %.4g", n->busy_w);
    put_text(b, "note", n->kind);
    buf_puts(b, "}\n");
}

static void put_expert(const struct cluster_plan *p, const struct place *r, const char *node, struct buf *b)
{
    const struct inv_want *w = &p->inv->wants[r->want];
    const double prompt = w->traffic.prompt_tok;
    buf_printf(b, "  - {name: %s, node: %s", w->name, node);
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

/* ---- equal nodes, one after the other, are one with a count ---- */

struct group {
    uint64_t key;   /* of all that is said of the node and its experts, but the name; 0: no expert is on it */
    int count;      /* 0: of the group of one before it */
    char name[INV_NAME_MAX];
};

static struct group *read_groups(const struct cluster_plan *p, int *n_used, struct err *err)
{
    const struct inventory *inv = p->inv;
    struct group *g = calloc((size_t)inv->n_nodes + 1, sizeof(*g));
    struct buf b;
    if (!g)
        return err_null(err, ERR_NOMEM, "--fleet: out of memory");
    buf_init(&b, 64 << 10);
    for (int i = 0; i < p->n; i++) {
        struct group *of = &g[p->list[i].node];
        buf_clear(&b);
        if (!of->key)
            put_node(&inv->nodes[p->list[i].node], "", 1, &b);
        put_expert(p, &p->list[i], "", &b);
        of->key = (of->key * 0x9e3779b97f4a7c15u ^ hash_fnv64(b.data, b.len)) | 1;
    }
    buf_fini(&b);
    for (int i = 0, head = -1; i < inv->n_nodes; i++) {
        if (!g[i].key)
            continue;
        ++*n_used;
        if (head >= 0 && g[i].key == g[head].key)
            g[head].count++;
        else
            g[head = i].count = 1;
    }
    return g;
}

/* Box-1, Box-2, Box-3: "Box", whose number is said by its count; else as the first is called. */
static void name_group(const struct inventory *inv, struct group *g, int head)
{
    const char *first = inv->nodes[head].name;
    const size_t n = strlen(first);
    snprintf(g[head].name, sizeof(g[head].name), "%s", first);
    if (g[head].count < 2 || n < 3 || strcmp(first + n - 2, "-1") != 0)
        return;
    for (int i = 0, at = 0; i < inv->n_nodes; i++) {
        char want[INV_NAME_MAX + 16];
        const bool is_mine = i >= head && at < g[head].count && g[i].key;
        snprintf(want, sizeof(want), is_mine ? "%.*s-%d" : "%.*s", (int)n - 2, first, ++at);
        at -= !is_mine;
        if ((strcmp(inv->nodes[i].name, want) == 0) != is_mine)
            return;
    }
    g[head].name[n - 2] = '\0';
}

bool cluster_plan_put_fleet(const struct cluster_plan *p, struct buf *b, struct err *err)
{
    const struct inventory *inv = p->inv;
    double per_hour = 0;
    int n_used = 0;
    if (p->n == 0)
        return err_set(err, ERR_INPUT, "--fleet: nothing is placed");
    struct group *groups = read_groups(p, &n_used, err);
    if (!groups)
        return false;
    bool ok = (n_used <= FLEET_NODES_MAX && p->n <= FLEET_EXPERTS_MAX) ||
              err_set(err, ERR_LIMIT, "--fleet: the plan has %d experts on %d nodes; `tutti route simulate` takes at most %d on %d", p->n, n_used, FLEET_EXPERTS_MAX, FLEET_NODES_MAX);
    const size_t begun = b->len;
    buf_printf(b, "# The plan of %s as a fleet: made by `tutti cluster plan --fleet`, rehearsed by `tutti route simulate`.\nnodes:\n", inv->name);
    for (int i = 0; i < inv->n_nodes && ok; i++)
        if (groups[i].count) {
            name_group(inv, groups, i);
            put_node(&inv->nodes[i], groups[i].name, groups[i].count, b);
        }
    buf_puts(b, "experts:\n");
    for (int i = 0; i < p->n && ok; i++)
        if (groups[p->list[i].node].count)
            put_expert(p, &p->list[i], groups[p->list[i].node].name, b);
    free(groups);
    if (!ok)
        return false;
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
    return b->len - begun <= YAML_MAX_BYTES ||
           err_set(err, ERR_LIMIT, "--fleet: %zu bytes, a fleet file has at most %d: its nodes differ too much to be counted", b->len - begun, YAML_MAX_BYTES);
}
