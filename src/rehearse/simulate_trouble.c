/* rehearse/simulate_trouble.c - what happens to the world: machines and experts that go and come back, heat, memory, links.
 *
 * For:     simulate.c.
 */
#include <string.h>

#include "rehearse/simulate_internal.h"

/* ---- trouble ---- */

/* Everything that this expert has breaks. */
static void drop_all(struct sim_engine *e, int c)
{
    struct sim_expert *x = &e->experts[c];
    if (x->is_loading)
        sim_end_loading(e, c);
    x->is_warm = x->waits_for_memory = false;
    for (int i; (i = x->head) >= 0;)
        sim_broke(e, i);
    const int d = e->s->experts[c].device;
    for (int s = e->devices[d].n - 1; s >= 0; s--)
        if (e->flight[e->devices[d].active[s]].c == c)
            sim_broke(e, e->devices[d].active[s]);
    x->load_gen++;
}

static void expert_down(struct sim_engine *e, int c, unsigned why, bool is_down)
{
    struct sim_expert *x = &e->experts[c];
    const bool was_up = sim_is_up(e, c);
    x->down = is_down ? x->down | why : x->down & ~why;
    if (was_up && !sim_is_up(e, c))
        drop_all(e, c);
    if (!was_up && sim_is_up(e, c))
        x->up_since_s = e->now_s;
    sim_alarm(e, e->now_s + e->s->notice_s, SIM_WAKE_NOTICE, c, 0);
}

void sim_node_down(struct sim_engine *e, int n, unsigned why, bool is_down)
{
    struct sim_node *o = &e->nodes[n];
    const bool was_up = !o->down;
    sim_node_advance(e, n);
    o->down = is_down ? o->down | why : o->down & ~why;
    int c;
    SIM_EXPERTS_OF(e->s, n, c) {
        if (was_up && o->down)
            drop_all(e, c);
        if (!was_up && !o->down)
            e->experts[c].up_since_s = e->now_s;
        sim_alarm(e, e->now_s + e->s->notice_s, SIM_WAKE_NOTICE, c, 0);
    }
    sim_node_changed(e, n);
}

void sim_notice(struct sim_engine *e, int c)
{
    const int n = e->world.list[c].node;
    const bool was_up = e->seen[c].is_up && e->nodes_seen[n].is_up;
    e->seen[c].is_up = !e->experts[c].down && !e->nodes[n].down;
    e->nodes_seen[n].is_up = !e->nodes[n].down;
    sim_see_expert(e, c);
    if (!was_up && e->seen[c].is_up)
        sim_unpark(e);
}

/* Its speed has changed: whoever works there is through at another moment. */
static void renew(struct sim_engine *e, int n)
{
    int c, last = -1; /* its experts' devices come in the order of their first expert */
    SIM_EXPERTS_OF(e->s, n, c)
        if (e->s->experts[c].device > last) {
            last = e->s->experts[c].device;
            sim_device_advance(e, last);
            sim_device_changed(e, last);
        }
}

static void memory_changed(struct sim_engine *e, int n)
{
    int c;
    SIM_EXPERTS_OF(e->s, n, c) {
        const bool fits = e->s->experts[c].bytes <= e->nodes[n].memory_bytes;
        if (fits == !!(e->experts[c].down & SIM_DOWN_MEMORY))
            expert_down(e, c, SIM_DOWN_MEMORY, !fits);
    }
    /* what is too much now: first the idle ones, then those that work (the kernel would not wait) */
    if (sim_make_room(e, n, 0))
        return;
    const struct fleet *f = e->s->fleet;
    for (int i = f->first[n + 1] - 1; i >= f->first[n] && sim_bytes_in_use(e, n) > e->nodes[n].memory_bytes; i--)
        if ((e->experts[f->of[i]].is_warm || e->experts[f->of[i]].is_loading) && e->s->experts[f->of[i]].bytes > 0)
            drop_all(e, f->of[i]);
}

void sim_happen(struct sim_engine *e, const struct sim_event *v, bool is_over)
{
    struct sim_node *o = v->node >= 0 ? &e->nodes[v->node] : NULL;
    const struct sim_node_truth *t = v->node >= 0 ? &e->s->nodes[v->node] : NULL;
    if (o)
        sim_node_advance(e, v->node);
    switch (v->what) {
    case SIM_DO_NODE_LOST:
        o->lost_n += is_over ? -1u : 1u;
        sim_node_down(e, v->node, SIM_DOWN_SCRIPT, o->lost_n > 0);
        return;
    case SIM_DO_EXPERT_LOST:
        e->experts[v->candidate].lost_n += is_over ? -1u : 1u;
        expert_down(e, v->candidate, SIM_DOWN_SCRIPT, e->experts[v->candidate].lost_n > 0);
        return;
    case SIM_DO_UPSTREAM:
        for (int n = 0; n < e->world.n_nodes; n++)
            if (e->world.nodes[n].distance == EXPERT_CLOUD)
                sim_node_down(e, n, SIM_DOWN_UPSTREAM, !is_over);
        return;
    case SIM_DO_HEAT:
        o->ambient_c = is_over ? t->ambient_c : v->to;
        break;
    case SIM_DO_TEMPERATURE:
        if (!is_over)
            o->c = v->to;
        break;
    case SIM_DO_UNPLUG:
        o->on_battery = is_over ? t->on_battery : true;
        if (!o->on_battery && (o->down & SIM_DOWN_BATTERY))
            sim_node_down(e, v->node, SIM_DOWN_BATTERY, false);
        break;
    case SIM_DO_BATTERY:
        if (!is_over)
            o->battery_j = t->battery_j * v->to;
        break;
    case SIM_DO_MEMORY:
        o->memory_bytes += is_over ? v->to : -v->to;
        memory_changed(e, v->node);
        if (is_over)
            sim_wake_loaders(e, v->node);
        return;
    case SIM_DO_SLOW:
        o->speed = is_over ? 1 : v->to;
        renew(e, v->node);
        break;
    case SIM_DO_LINK:
        o->link = is_over ? 1 : v->to;
        break;
    case SIM_DO_FLOOD: /* simulate_load.c */
    case SIM_DO_COUNT:
        return;
    }
    sim_node_changed(e, v->node);
}

void sim_heat_turn(struct sim_engine *e, int n)
{
    const struct sim_node_truth *t = &e->s->nodes[n];
    struct sim_node *o = &e->nodes[n];
    sim_node_advance(e, n);
    const bool was = o->is_throttled;
    const double slack = 1e-6; /* the moment was solved for: it is there but for rounding */
    if (o->down & SIM_DOWN_HEAT) {
        if (o->c <= t->limit_c - 20 + slack)
            sim_node_down(e, n, SIM_DOWN_HEAT, false);
    } else if (o->c >= t->limit_c + 15 - slack) {
        sim_node_down(e, n, SIM_DOWN_HEAT, true);
    }
    o->is_throttled = o->is_throttled ? o->c > t->limit_c - 5 + slack : o->c >= t->limit_c - slack;
    if (o->is_throttled != was)
        renew(e, n);
    sim_node_changed(e, n);
}

void sim_flap(struct sim_engine *e, int n)
{
    const struct sim_node_truth *t = &e->s->nodes[n];
    const bool goes = !(e->nodes[n].down & SIM_DOWN_FLAP);
    sim_node_down(e, n, SIM_DOWN_FLAP, goes);
    sim_alarm(e, e->now_s - log(1 - rng_f64(&e->flaps)) * (goes ? t->flap_for_s : t->flap_every_s), SIM_WAKE_FLAP, n, 0);
}

/* Once a second: thermometers are read, governors turn. */
void sim_tick(struct sim_engine *e)
{
    for (int n = 0; n < e->world.n_nodes; n++) {
        sim_node_advance(e, n);
        sim_see_node(e, n);
        e->nodes_seen[n].memory_free_bytes = (float)(e->nodes[n].memory_bytes - sim_bytes_in_use(e, n));
    }
    sim_brain_tick(e);
    for (int i = e->parked_head; i >= 0;) { /* out of patience */
        const int next = e->flight[i].next;
        if (e->now_s - e->flight[i].a.at_s >= e->s->patience_s) {
            sim_unpark(e);
            break;
        }
        i = next;
    }
}
