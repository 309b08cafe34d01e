/* rehearse/simulate.c - the loop: arrivals, decisions, queues, work, trouble; start at sim_run().  See simulate.h.
 *
 * A request:   arrives -> is decided -> WAY (link) -> QUEUED -> FIRST (to the first word) -> REST -> done
 *                            ^                |         |           |
 *                            +---- AGAIN <----+---------+-----------+  its expert or machine broke: noticed, decided again
 *                            +---- PARKED: nobody able is up; as long as `patience` says
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "route/policy_settings.h"
#include "rehearse/simulate_internal.h"

/* Governors turn once a second; where nothing else happens for ten minutes, less and less often, at the least once a minute. */
enum { QUIET_TICKS = 600, QUIET_STEP = 60 };
static const double tick_s = 1, tick_most_s = 60;

/* ---- alarms: a binary heap by time, then order ---- */

static bool is_sooner(const struct sim_alarm *a, const struct sim_alarm *b)
{
    return a->at_s < b->at_s || (a->at_s == b->at_s && (a->kind < b->kind || (a->kind == b->kind && a->serial < b->serial)));
}

bool sim_alarm(struct sim_engine *e, double at_s, enum sim_wake kind, int who, uint32_t gen)
{
    if (!(at_s < INFINITY))
        return true;
    if (e->n_heap == e->cap_heap) {
        const size_t cap = e->cap_heap ? 2 * e->cap_heap : 1024;
        struct sim_alarm *more = realloc(e->heap, cap * sizeof(*more));
        if (!more) {
            e->is_broken = true;
            return false;
        }
        e->heap = more, e->cap_heap = cap;
    }
    const struct sim_alarm a = { at_s > e->now_s ? at_s : e->now_s, e->serial++, (int32_t)kind, who, gen };
    size_t i = e->n_heap++;
    for (; i && is_sooner(&a, &e->heap[(i - 1) / 2]); i = (i - 1) / 2)
        e->heap[i] = e->heap[(i - 1) / 2];
    e->heap[i] = a;
    return true;
}

static struct sim_alarm next_alarm(struct sim_engine *e)
{
    const struct sim_alarm first = e->heap[0], last = e->heap[--e->n_heap];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < e->n_heap; i = k) {
        if (k + 1 < e->n_heap && is_sooner(&e->heap[k + 1], &e->heap[k]))
            k++;
        if (!is_sooner(&e->heap[k], &last))
            break;
        e->heap[i] = e->heap[k];
    }
    e->heap[i] = last;
    return first;
}

static const struct sim_event *event_at(const struct sim_engine *e, int i)
{
    return i < e->scripts[0]->n ? &e->scripts[0]->events[i] : &e->scripts[1]->events[i - e->scripts[0]->n];
}

static void wake(struct sim_engine *e, const struct sim_alarm *a)
{
    switch ((enum sim_wake)a->kind) {
    case SIM_WAKE_EVENT:
    case SIM_WAKE_OVER:
        sim_happen(e, event_at(e, a->who), a->kind == SIM_WAKE_OVER);
        break;
    case SIM_WAKE_FLAP:
        sim_flap(e, a->who);
        break;
    case SIM_WAKE_NOTICE:
        sim_notice(e, a->who);
        break;
    case SIM_WAKE_HEAT:
        if (a->gen == e->nodes[a->who].heat_gen)
            sim_heat_turn(e, a->who);
        break;
    case SIM_WAKE_BATTERY:
        if (a->gen == e->nodes[a->who].battery_gen) {
            sim_node_advance(e, a->who);
            sim_node_down(e, a->who, SIM_DOWN_BATTERY, true);
        }
        break;
    case SIM_WAKE_TICK:
        if (a->gen == e->tick_gen) {
            sim_tick(e);
            const int n = ++e->n_quiet_ticks - QUIET_TICKS;
            sim_alarm(e, e->now_s + (n > 0 ? fmin(tick_most_s, tick_s + (double)n / QUIET_STEP) : tick_s), SIM_WAKE_TICK, 0, e->tick_gen);
        }
        break;
    case SIM_WAKE_DEVICE:
        if (a->gen == e->devices[a->who].gen)
            sim_device_turn(e, a->who);
        break;
    case SIM_WAKE_LOADED:
        if (a->gen == e->experts[a->who].load_gen && e->experts[a->who].is_loading) {
            sim_end_loading(e, a->who);
            e->experts[a->who].is_warm = true;
            sim_start_next(e, a->who);
        }
        break;
    case SIM_WAKE_ARRIVED:
        if (a->gen == e->flight[a->who].gen && e->flight[a->who].state == SIM_WAY)
            sim_arrive(e, a->who);
        break;
    case SIM_WAKE_AGAIN:
        if (a->gen == e->flight[a->who].gen && e->flight[a->who].state == SIM_AGAIN)
            sim_dispatch(e, a->who);
        break;
    case SIM_WAKE_HEDGE:
        if (a->gen == e->flight[a->who].gen)
            sim_hedge(e, a->who);
        break;
    case SIM_WAKE_EXPIRED:
        if (a->gen == e->flight[a->who].gen) {
            struct sim_flight *q = &e->flight[a->who];
            const int c = q->c;
            const enum sim_state was = q->state;
            if (was == SIM_PARKED)
                sim_leave_parked(e, a->who);
            if (was == SIM_QUEUED || was == SIM_FIRST || was == SIM_REST)
                sim_brain_late(e, q);
            sim_leave(e, a->who);
            sim_fail(e, a->who, SIM_FAIL_LATE);
            if (was == SIM_FIRST || was == SIM_REST)
                sim_start_next(e, c);
        }
        break;
    }
}

/* ---- a run ---- */

static void set_events(struct sim_engine *e, int script)
{
    static const struct sim_script none;
    const struct sim *s = e->s;
    e->scripts[0] = &s->script;
    e->scripts[1] = script >= 0 && script < s->n_scripts ? &s->scripts[script] : &none;
    for (int i = 0; i < e->scripts[0]->n + e->scripts[1]->n; i++) {
        const struct sim_event *v = event_at(e, i);
        if (v->what == SIM_DO_FLOOD)
            continue;
        sim_alarm(e, v->at_s, SIM_WAKE_EVENT, i, 0);
        sim_alarm(e, v->at_s + v->for_s, SIM_WAKE_OVER, i, 0);
    }
}

static bool engine_new(struct sim_engine *e, const struct sim_options *o, struct err *err)
{
    const struct sim *s = e->s;
    const size_t n_nodes = (size_t)s->world.n_nodes, n_experts = (size_t)s->world.n;
    e->flight = calloc(SIM_FLIGHT_MAX, sizeof(*e->flight));
    e->nodes_seen = calloc(n_nodes, sizeof(*e->nodes_seen)), e->nodes = calloc(n_nodes, sizeof(*e->nodes));
    e->seen = calloc(n_experts, sizeof(*e->seen)), e->experts = calloc(n_experts, sizeof(*e->experts));
    e->devices = calloc((size_t)s->n_devices, sizeof(*e->devices)), e->barred = calloc((n_experts + 63) / 64, sizeof(*e->barred));
    e->verdicts = s->is_large ? calloc(n_experts, sizeof(*e->verdicts)) : e->decision.verdicts;
    free(e->f->nodes), free(e->f->experts);
    memset(e->f, 0, sizeof(*e->f));
    e->f->nodes = calloc(n_nodes, sizeof(*e->f->nodes)), e->f->experts = calloc(n_experts, sizeof(*e->f->experts));
    if (!e->flight || !e->nodes_seen || !e->nodes || !e->seen || !e->experts || !e->devices || !e->barred || !e->verdicts || !e->f->nodes || !e->f->experts)
        return err_set(err, ERR_NOMEM, "simulate: out of memory");
    if ((s->is_large && !(e->shortlist = shortlist_new(err))) || (e->policy == SIM_OURS && !(e->brain = sim_brain_new(s, o->seed, err))))
        return false;
    for (int i = 0; i < SIM_FLIGHT_MAX; i++)
        e->flight[i].next = i + 1 < SIM_FLIGHT_MAX ? i + 1 : -1;
    e->parked_head = e->parked_tail = -1;
    memset(e->last_at, -1, sizeof(e->last_at));
    rng_seed(&e->flaps, o->seed ^ 0xf1a9);
    rng_seed(&e->any, o->seed ^ 0xa9f1);
    e->world = (struct candidates){ .nodes = e->nodes_seen, .n_nodes = s->world.n_nodes, .list = e->seen, .n = s->world.n };
    memcpy(e->seen, s->world.list, (size_t)s->world.n * sizeof(*e->seen));
    e->f->last_done_s = e->f->last_fail_s = -1;
    sim_world_init(e);
    for (int c = 0; c < s->world.n; c++) {
        e->experts[c].head = e->experts[c].tail = -1;
        e->experts[c].is_warm = s->world.list[c].is_warm && sim_make_room(e, s->world.list[c].node, s->experts[c].bytes);
        e->experts[c].down = s->experts[c].bytes > s->nodes[s->world.list[c].node].memory_bytes ? SIM_DOWN_MEMORY : 0;
        e->seen[c].is_up = !e->experts[c].down;
        e->seen[c].wait_s = NAN;
        e->seen[c].prefix_tok = 0;
        if (e->seen[c].n_parallel < 1)
            e->seen[c].n_parallel = 1;
        sim_note_idle(e, c);
        e->experts[c].idle_since_s = 0;
    }
    for (int n = 0; n < s->world.n_nodes; n++)
        if (s->nodes[n].flap_every_s > 0)
            sim_alarm(e, -log(1 - rng_f64(&e->flaps)) * s->nodes[n].flap_every_s, SIM_WAKE_FLAP, n, 0);
    sim_brain_place(e);
    set_events(e, o->script);
    sim_load_init(&e->load, s, o);
    return true;
}

static void engine_free(struct sim_engine *e)
{
    sim_brain_free(e->brain);
    shortlist_free(e->shortlist);
    if (e->s->is_large)
        free(e->verdicts);
    free(e->nodes_seen), free(e->nodes), free(e->seen), free(e->experts), free(e->devices), free(e->barred);
    free(e->flight), free(e->heap);
    free(e);
}

/* Something happens: ticks come every second again. */
static void stir(struct sim_engine *e)
{
    if (e->n_quiet_ticks > QUIET_TICKS)
        sim_alarm(e, e->now_s + tick_s, SIM_WAKE_TICK, 0, ++e->tick_gen);
    e->n_quiet_ticks = 0;
}

static void loop(struct sim_engine *e)
{
    struct sim_arrival next;
    bool has_next = sim_load_next(&e->load, &next);
    sim_alarm(e, 0, SIM_WAKE_TICK, 0, 0);
    while (!e->is_broken && (has_next || e->n_flight > 0)) {
        if (has_next && (!e->n_heap || next.at_s < e->heap[0].at_s)) {
            e->now_s = next.at_s;
            stir(e);
            sim_take_in(e, &next);
            has_next = sim_load_next(&e->load, &next);
            continue;
        }
        const struct sim_alarm a = next_alarm(e);
        e->now_s = a.at_s;
        wake(e, &a);
        if (a.kind != SIM_WAKE_TICK)
            stir(e);
    }
    for (int d = 0; d < e->s->n_devices; d++)
        sim_device_advance(e, d);
    for (int n = 0; n < e->world.n_nodes; n++)
        sim_node_advance(e, n);
}

static double cpu_seconds(void)
{
    struct timespec t = { 0 };
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool sim_run(const struct sim *s, enum sim_policy p, const struct sim_options *o, struct sim_figures *f, struct err *err)
{
    struct sim_engine *e = calloc(1, sizeof(*e));
    const double begin_s = cpu_seconds();
    if (!e)
        return err_set(err, ERR_NOMEM, "simulate: out of memory");
    e->s = s, e->policy = p, e->f = f;
    bool ok = engine_new(e, o, err);
    if (ok) {
        loop(e);
        f->end_s = e->now_s;
        for (int n = 0; n < s->world.n_nodes; n++) {
            const float own = s->world.nodes[n].usd_per_kwh;
            f->idle_joules += f->nodes[n].idle_joules, f->work_joules += f->nodes[n].work_joules;
            f->usd_power += (f->nodes[n].idle_joules + f->nodes[n].work_joules) / 3.6e6 * (own >= 0 ? (double)own : (double)s->policy->setting[POLICY_ELECTRICITY]);
        }
        if (e->is_broken)
            ok = err_set(err, ERR_NOMEM, "simulate: out of memory");
    }
    f->cpu_s = cpu_seconds() - begin_s;
    engine_free(e);
    return ok;
}

void sim_figures_fini(struct sim_figures *f)
{
    free(f->nodes), free(f->experts);
    memset(f, 0, sizeof(*f));
}
