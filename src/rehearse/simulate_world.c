/* rehearse/simulate_world.c - heat, power, batteries and shared devices of a simulation; exact between events, no time steps.
 *
 * For:     simulate.c.
 * Rule:    what is computed holds from the last change to the next: constant watts give an exponential temperature and a linear
 *          battery, a constant rate gives linear progress, so crossings are solved for, not looked for.
 *
 * Heat: C dT/dt = P - (T - ambient) / R, that is T(t) = end + (T0 - end) exp(-t / heat_s), end = ambient_c + c_per_w * watts
 * (one RC element; Skadron et al., "Temperature-aware microarchitecture", ISCA 2003, section 4.1 has the same per block).  Above
 * limit_c the node is slowed to throttled_speed at as many joules for the same work, until it is 5 degrees below; 15 above it
 * switches off, until it is 20 below.
 */
#include <string.h>

#include "rehearse/simulate_internal.h"

enum { RELEASE_C = 5, TRIP_C = 15, RESTART_C = 20 };
static const double battery_full_s = 7200; /* charged from empty in two hours */

static double node_watts(const struct sim_engine *e, int n)
{
    const float idle = e->s->world.nodes[n].idle_w;
    return e->nodes[n].down & ~(unsigned)(SIM_DOWN_FLAP | SIM_DOWN_UPSTREAM) ? 0 : (isnan(idle) ? 0 : (double)idle) + e->nodes[n].watts;
}
static double end_c(const struct sim_engine *e, int n)
{
    return e->nodes[n].ambient_c + e->s->nodes[n].c_per_w * node_watts(e, n);
}

void sim_node_advance(struct sim_engine *e, int n)
{
    const struct sim_node_truth *t = &e->s->nodes[n];
    struct sim_node *o = &e->nodes[n];
    struct sim_node_figures *f = &e->f->nodes[n];
    const double dt = e->now_s - o->since_s;
    if (dt <= 0)
        return;
    const double watts = node_watts(e, n);
    if (watts > 0 || !o->down) {
        f->up_s += dt;
        f->idle_joules += dt * (watts - o->watts);
        f->work_joules += dt * o->watts;
    }
    if (o->is_throttled)
        f->throttled_s += dt;
    if (!isnan(t->limit_c)) {
        const double end = end_c(e, n);
        o->c = end + (o->c - end) * exp(-dt / t->heat_s);
        f->max_c = fmax(f->max_c, o->c);
    }
    if (t->battery_j > 0)
        o->battery_j = o->on_battery ? fmax(0, o->battery_j - watts * dt) : fmin(t->battery_j, o->battery_j + t->battery_j / battery_full_s * dt);
    o->since_s = e->now_s;
}

/* Seconds until the temperature is at `c`; INFINITY: never. */
static double heat_in(const struct sim_engine *e, int n, double c)
{
    const double end = end_c(e, n), from = e->nodes[n].c;
    if ((c >= from) == (c >= end) || from == end)
        return from == c ? 0 : INFINITY;
    return e->s->nodes[n].heat_s * log((from - end) / (c - end));
}

void sim_node_changed(struct sim_engine *e, int n)
{
    const struct sim_node_truth *t = &e->s->nodes[n];
    struct sim_node *o = &e->nodes[n];
    double in_s = INFINITY;
    o->heat_gen++, o->battery_gen++;
    if (!isnan(t->limit_c)) {
        if (o->down & SIM_DOWN_HEAT)
            in_s = heat_in(e, n, t->limit_c - RESTART_C);
        else if (o->is_throttled)
            in_s = fmin(heat_in(e, n, t->limit_c - RELEASE_C), heat_in(e, n, t->limit_c + TRIP_C));
        else
            in_s = heat_in(e, n, t->limit_c);
    }
    if (in_s < INFINITY)
        sim_alarm(e, e->now_s + in_s, SIM_WAKE_HEAT, n, o->heat_gen);
    if (t->battery_j > 0 && o->on_battery && node_watts(e, n) > 0)
        sim_alarm(e, e->now_s + o->battery_j / node_watts(e, n), SIM_WAKE_BATTERY, n, o->battery_gen);
}

/* ---- devices ---- */

double sim_speed(const struct sim_engine *e, int c) { return e->s->experts[c].speed * (double)sim_brain_share(e, c, false); }
double sim_busy_w(const struct sim_engine *e, int c)
{
    const float w = e->s->world.list[c].busy_w;
    return isnan(w) ? 0 : (double)w * e->s->experts[c].watts * (double)sim_brain_share(e, c, false);
}
int sim_places(const struct sim_engine *e, int c)
{
    const int n = e->world.list[c].n_parallel, left = (int)((float)n * sim_brain_share(e, c, true));
    return left < 1 ? 1 : left;
}

/* A loading expert draws what it draws at work; its joules are those of loading. */
void sim_draw(struct sim_engine *e, int c, bool is_loading)
{
    const int n = e->world.list[c].node;
    const float w = e->s->world.list[c].busy_w;
    const double watts = isnan(w) ? 0 : (double)w * e->s->experts[c].watts;
    sim_node_advance(e, n);
    e->nodes[n].watts = fmax(0, e->nodes[n].watts + (is_loading ? watts : -watts));
    if (!is_loading) {
        const double joules = watts * (e->now_s - e->experts[c].load_from_s);
        e->f->load_joules += joules;
        e->f->experts[c].joules += joules;
    }
    sim_node_changed(e, n);
}

void sim_device_advance(struct sim_engine *e, int d)
{
    struct sim_device *v = &e->devices[d];
    const double dt = e->now_s - v->since_s;
    if (dt > 0 && v->n) {
        v->work += dt * v->rate;
        v->joules += dt * v->watts / v->n;
    }
    v->since_s = e->now_s;
}

void sim_device_changed(struct sim_engine *e, int d)
{
    struct sim_device *v = &e->devices[d];
    struct sim_node *o = &e->nodes[v->node];
    const double pace = o->speed * (o->is_throttled ? e->s->nodes[v->node].throttled_speed : 1);
    double sum_w = 0, soonest = INFINITY;
    for (int i = 0; i < v->n; i++) {
        sum_w += v->busy_w[i];
        soonest = fmin(soonest, v->until[i]);
    }
    /* n at a time share what `gain` of them would use; whoever shares draws what one draws, slowed down as the work is. */
    v->rate = v->n ? pace * fmin(1, v->gain / v->n) : 0;
    const double watts = v->n ? sum_w / v->n * (o->is_throttled ? e->s->nodes[v->node].throttled_speed : 1) : 0;
    if (watts != v->watts) {
        sim_node_advance(e, v->node);
        o->watts += watts - v->watts;
        if (o->watts < 1e-9)
            o->watts = 0;
        v->watts = watts;
        sim_node_changed(e, v->node);
    }
    v->gen++;
    if (v->n)
        sim_alarm(e, e->now_s + fmax(0, soonest - v->work) / v->rate, SIM_WAKE_DEVICE, d, v->gen);
}

bool sim_device_add(struct sim_engine *e, int d, int who, double work_s, double busy_w, int *slot)
{
    struct sim_device *v = &e->devices[d];
    if (v->n == SIM_ACTIVE_MAX)
        return false;
    sim_device_advance(e, d);
    v->active[v->n] = who, v->until[v->n] = v->work + work_s, v->busy_w[v->n] = busy_w;
    *slot = v->n++;
    return true;
}

/* The last one takes its place; whoever that is learns of it. */
void sim_device_remove(struct sim_engine *e, int d, int slot)
{
    struct sim_device *v = &e->devices[d];
    sim_device_advance(e, d);
    const int last = --v->n;
    if (slot != last) {
        v->active[slot] = v->active[last], v->until[slot] = v->until[last], v->busy_w[slot] = v->busy_w[last];
        if (v->active[slot] >= 0)
            e->flight[v->active[slot]].slot = slot;
    }
}

bool sim_is_up(const struct sim_engine *e, int c) { return !e->experts[c].down && !e->nodes[e->s->world.list[c].node].down; }

void sim_see_node(struct sim_engine *e, int n)
{
    const struct sim_node_truth *t = &e->s->nodes[n];
    const struct sim_node *o = &e->nodes[n];
    struct route_node *seen = &e->nodes_seen[n];
    if (!isnan(t->limit_c)) {
        seen->temperature_c = (float)o->c;
        seen->headroom_c = (float)(t->limit_c - o->c);
    }
    seen->power_w = (float)node_watts(e, n);
    seen->is_throttled = o->is_throttled;
    seen->on_battery = o->on_battery;
    seen->battery_frac = t->battery_j > 0 ? (float)(o->battery_j / t->battery_j) : NAN;
}

void sim_world_init(struct sim_engine *e)
{
    const struct sim *s = e->s;
    for (int n = 0; n < s->world.n_nodes; n++) {
        const struct sim_node_truth *t = &s->nodes[n];
        struct sim_node *o = &e->nodes[n];
        o->ambient_c = t->ambient_c;
        o->battery_j = t->battery_j * t->battery_frac;
        o->on_battery = t->on_battery;
        o->memory_bytes = t->memory_bytes;
        o->speed = o->link = 1;
        o->c = end_c(e, n); /* it has been idle for long */
        e->f->nodes[n].max_c = o->c;
        e->nodes_seen[n] = s->world.nodes[n];
        sim_see_node(e, n);
        sim_node_changed(e, n);
    }
    for (int c = 0; c < s->world.n; c++) {
        const int d = s->experts[c].device;
        if (d >= 0) {
            e->devices[d].node = s->world.list[c].node;
            e->devices[d].gain = fmax(e->devices[d].gain, s->experts[c].gain);
        }
    }
}
