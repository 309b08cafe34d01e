/* route/simulate.c - the loop: arrivals, decisions, queues, work, trouble; start at sim_run().  See simulate.h.
 *
 * A request:   arrives -> is decided -> WAY (link) -> QUEUED -> FIRST (to the first word) -> REST -> done
 *                            ^                |         |           |
 *                            +---- AGAIN <----+---------+-----------+  its expert or machine broke: noticed, decided again
 *                            +---- PARKED: nobody able is up; as long as `patience` says
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "route/predict.h"
#include "route/simulate_internal.h"

enum { TRIES_MAX = 4 /* as router.h */ };
static const double tick_s = 1, resend_s = 0.2;

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

/* ---- what the router sees ---- */

static const struct sim_class *class_of(const struct sim_engine *e, const struct sim_flight *q) { return &e->s->classes[q->a.cls]; }

static void see_expert(struct sim_engine *e, int c)
{
    const struct sim_expert *x = &e->experts[c];
    struct candidate *seen = &e->seen[c];
    seen->n_running = x->n_active;
    seen->n_waiting = x->n_queued + x->n_way;
    seen->is_warm = x->is_warm;
}

/* A place is free and nobody waits, or not: for the question whether somebody could have served. */
static void note_idle(struct sim_engine *e, int c)
{
    struct sim_expert *x = &e->experts[c];
    const bool is_idle = !x->n_queued && !x->n_way && x->n_active < e->world.list[c].n_parallel;
    if (!is_idle)
        x->idle_since_s = INFINITY;
    else if (x->idle_since_s == INFINITY)
        x->idle_since_s = e->now_s;
    see_expert(e, c);
}

/* ---- a request's ends ---- */

static void flight_free(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    q->state = SIM_FREE;
    q->gen++;
    q->next = e->free_head;
    e->free_head = i;
    e->n_flight--;
}

static double first_work(const struct sim_engine *e, const struct sim_flight *q, int c)
{
    const struct candidate *k = &e->s->world.list[c];
    const struct route_request *rq = &q->a.rq;
    double w = (double)k->fixed_s;
    if (class_of(e, q)->is_text) {
        const double prefill = k->prefill_tok_s > 0 ? (double)k->prefill_tok_s : (double)PREDICT_PREFILL_TOK_S;
        w += fmax(1, (double)rq->prompt_tok - (double)q->prefix_tok) / prefill;
    }
    if (rq->n_items > 0)
        w += (double)k->item_s;
    return w + (double)k->sound_s_s * fmin(1, (double)rq->sound_s);
}
static double rest_work(const struct sim_engine *e, const struct sim_flight *q, int c)
{
    const struct candidate *k = &e->s->world.list[c];
    const struct route_request *rq = &q->a.rq;
    double w = 0;
    if (class_of(e, q)->is_text)
        w += (q->a.truth.gen_tok - 1) / (k->decode_tok_s > 0 ? (double)k->decode_tok_s : (double)PREDICT_DECODE_TOK_S);
    if (rq->n_items > 1)
        w += (double)(rq->n_items - 1) * (double)k->item_s;
    return w + (double)k->sound_s_s * ((double)rq->sound_s - fmin(1, (double)rq->sound_s));
}

static void decide(struct sim_engine *e, struct sim_flight *q, const uint64_t *tried)
{
    const struct sim_class *k = class_of(e, q);
    struct route_request *rq = &q->a.rq;
    int cached = -1;
    rq->features = &q->a.features;
    rq->intent = k->is_text ? &q->a.intent : NULL;
    rq->wish = &k->wish;
    if (q->a.is_follow_up && (cached = e->last_at[q->a.cls][q->a.session]) >= 0)
        e->seen[cached].prefix_tok = (uint32_t)(rq->prompt_tok - q->a.features.turn_tok);
    policy_decide(e->s->policy, sim_brain_predictor(e->brain), sim_brain_bandit(e->brain), rq, &e->world, tried, &e->decision);
    if (cached >= 0)
        e->seen[cached].prefix_tok = 0;
}

/* Failed although somebody able was up and free: either all the time that it would have taken, or now and not asked. */
static bool is_unjust(struct sim_engine *e, struct sim_flight *q, enum sim_failure why)
{
    static const uint64_t none[SIM_TRIED_WORDS];
    decide(e, q, none);
    for (int c = 0; c < e->world.n; c++) {
        const struct sim_expert *x = &e->experts[c];
        const enum route_rule rule = e->decision.verdicts[c].rule;
        if (!sim_is_up(e, c) || (rule != ROUTE_RULE_NONE && rule != ROUTE_RULE_DOWN && route_rule_is_hard(rule)))
            continue;
        if (e->s->experts[c].bytes > e->nodes[e->world.list[c].node].memory_bytes)
            continue;
        const double up_s = e->now_s - fmax(x->up_since_s, q->a.at_s), free_s = e->now_s - fmax(fmax(x->up_since_s, x->idle_since_s), q->a.at_s);
        const double needs_s = (x->is_warm ? 0 : (double)e->world.list[c].load_s * e->s->experts[c].load) +
                               (first_work(e, q, c) + rest_work(e, q, c)) / fmax(1e-3, sim_speed(e, c) * e->nodes[e->world.list[c].node].speed);
        if (why == SIM_FAIL_LATE ? free_s > needs_s + 2 * e->s->notice_s : x->idle_since_s < INFINITY && up_s > 2 * e->s->notice_s)
            return true;
    }
    return false;
}

static void fail(struct sim_engine *e, int i, enum sim_failure why)
{
    struct sim_flight *q = &e->flight[i];
    e->f->n_failed[why]++;
    e->f->n_missed++;
    e->f->n_unjust += is_unjust(e, q, why);
    e->f->last_fail_s = e->now_s;
    e->f->request_joules += q->joules;
    flight_free(e, i);
}

static void finish(struct sim_engine *e, int i, int c, bool is_right)
{
    struct sim_flight *q = &e->flight[i];
    struct sim_figures *f = e->f;
    const double back_s = (double)e->world.nodes[e->world.list[c].node].rtt_s / 2 / e->nodes[e->world.list[c].node].link;
    const double total_s = e->now_s - q->a.at_s + back_s, first_s = q->first_s - q->a.at_s + back_s;
    const struct expert_wish *w = &class_of(e, q)->wish;
    f->n_done++;
    f->n_right += is_right;
    f->n_missed += (w->ttft_s > 0 && first_s > (double)w->ttft_s) || (w->deadline_s > 0 && total_s > (double)w->deadline_s);
    f->n_degraded += q->is_degraded;
    sim_hist_add(&f->ttft, first_s);
    sim_hist_add(&f->total, total_s);
    f->request_joules += q->joules;
    f->classes[q->a.cls].n_done++;
    f->classes[q->a.cls].n_right += is_right;
    sim_hist_add(&f->classes[q->a.cls].total, total_s);
    f->experts[c].n_done++;
    f->last_done_s = e->now_s;
    if (q->a.session >= 0)
        e->last_at[q->a.cls][q->a.session] = c;
    flight_free(e, i);
}

/* ---- leaving an expert ---- */

static void start_next(struct sim_engine *e, int c);

/* Takes the request away from whoever has it; its joules so far are its own. */
static void leave(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    struct sim_expert *x = &e->experts[q->c];
    const int d = e->s->experts[q->c].device;
    switch (q->state) {
    case SIM_WAY:
        x->n_way--;
        break;
    case SIM_QUEUED:
        for (int *at = &x->head, before = -1; *at >= 0; before = *at, at = &e->flight[*at].next)
            if (*at == i) {
                *at = q->next;
                if (x->tail == i)
                    x->tail = before;
                x->n_queued--;
                break;
            }
        break;
    case SIM_FIRST:
    case SIM_REST:
        sim_device_advance(e, d);
        q->attempt_joules = e->devices[d].joules - q->joules_from;
        q->joules += q->attempt_joules;
        e->f->experts[q->c].joules += q->attempt_joules;
        e->f->experts[q->c].busy_s += e->now_s - q->begun_s;
        sim_device_remove(e, d, q->slot);
        sim_device_changed(e, d);
        x->n_active--;
        x->used_s = e->now_s;
        break;
    default:
        return;
    }
    note_idle(e, q->c);
}

static void dispatch(struct sim_engine *e, int i);

static void try_again(struct sim_engine *e, int i, double in_s)
{
    struct sim_flight *q = &e->flight[i];
    q->tried[q->c / 64] |= (uint64_t)1 << (q->c % 64);
    q->state = SIM_AGAIN;
    e->f->n_retried++;
    sim_alarm(e, e->now_s + in_s, SIM_WAKE_AGAIN, i, q->gen);
}

static void broke(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    leave(e, i);
    sim_brain_broke(e, q->c);
    try_again(e, i, e->s->notice_s);
}

/* ---- working ---- */

static void begin(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    const int c = q->c, d = e->s->experts[c].device;
    struct sim_expert *x = &e->experts[c];
    const double work_s = first_work(e, q, c) / sim_speed(e, c);
    x->n_active++;
    q->state = SIM_FIRST;
    q->begun_s = e->now_s;
    if (!sim_device_add(e, d, i, work_s, sim_busy_w(e, c), &q->slot)) { /* the description's n_parallel are checked: cannot be */
        e->is_broken = true;
        return;
    }
    q->joules_from = e->devices[d].joules;
    sim_device_changed(e, d);
}

static double bytes_in_use(const struct sim_engine *e, int n)
{
    double sum = 0;
    for (int c = 0; c < e->world.n; c++)
        if (e->world.list[c].node == n && (e->experts[c].is_warm || e->experts[c].is_loading))
            sum += e->s->experts[c].bytes;
    return sum;
}

/* Sends idle experts of the node away, the longest unused first, until so much is free.  false: not yet. */
static bool make_room(struct sim_engine *e, int n, double bytes)
{
    while (e->nodes[n].memory_bytes - bytes_in_use(e, n) < bytes) {
        int oldest = -1;
        for (int c = 0; c < e->world.n; c++) {
            const struct sim_expert *x = &e->experts[c];
            if (e->world.list[c].node == n && x->is_warm && !x->n_active && e->s->experts[c].bytes > 0 &&
                (oldest < 0 || x->used_s < e->experts[oldest].used_s))
                oldest = c;
        }
        if (oldest < 0)
            return false;
        e->experts[oldest].is_warm = false;
        see_expert(e, oldest);
    }
    return true;
}

static void start_next(struct sim_engine *e, int c)
{
    struct sim_expert *x = &e->experts[c];
    const struct candidate *k = &e->s->world.list[c];
    const int places = sim_places(e, c);
    if (x->head >= 0 && !x->is_warm && !x->is_loading && sim_is_up(e, c)) {
        if (!make_room(e, k->node, e->s->experts[c].bytes)) {
            x->waits_for_memory = true;
            return;
        }
        x->waits_for_memory = false;
        const double load_s = (double)k->load_s * e->s->experts[c].load;
        if (load_s > 0) {
            /* loading is mostly waiting for a disk: it takes no other's speed, and is drawn as work */
            x->is_loading = true;
            x->load_gen++;
            e->f->n_loads++;
            e->f->experts[c].n_loads++;
            x->load_from_s = e->now_s;
            sim_alarm(e, e->now_s + load_s, SIM_WAKE_LOADED, c, x->load_gen);
            sim_draw(e, c, true);
        } else
            x->is_warm = true;
        see_expert(e, c);
    }
    while (x->is_warm && x->head >= 0 && x->n_active < places && sim_is_up(e, c)) {
        const int i = x->head;
        x->head = e->flight[i].next;
        if (x->head < 0)
            x->tail = -1;
        x->n_queued--;
        begin(e, i);
    }
    note_idle(e, c);
}

static void end_loading(struct sim_engine *e, int c)
{
    struct sim_expert *x = &e->experts[c];
    x->is_loading = false;
    x->used_s = e->now_s;
    sim_draw(e, c, false);
}

/* Somebody gave memory back: those who waited for it may load. */
static void wake_loaders(struct sim_engine *e, int n)
{
    for (int c = 0; c < e->world.n; c++)
        if (e->world.list[c].node == n && e->experts[c].waits_for_memory)
            start_next(e, c);
}

static void arrive(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    struct sim_expert *x = &e->experts[q->c];
    if (!sim_is_up(e, q->c)) {
        broke(e, i);
        return;
    }
    x->n_way--;
    q->state = SIM_QUEUED;
    q->next = -1;
    if (x->tail >= 0)
        e->flight[x->tail].next = i;
    else
        x->head = i;
    x->tail = i;
    x->n_queued++;
    start_next(e, q->c);
}

static void answered(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    const int c = q->c, n = e->world.list[c].node;
    leave(e, i);
    const bool is_right = sim_is_right(e->s, c, &q->a);
    const bool is_rejected = q->is_checked && !is_right && q->a.truth.u_caught < e->s->caught && q->n_asked < TRIES_MAX;
    sim_brain_seen(e, q, is_rejected);
    if (is_rejected) {
        q->has_answer = true;
        q->answer_c = c;
        q->tried[c / 64] |= (uint64_t)1 << (c % 64);
        e->f->n_promoted++;
        q->is_checked = false;
        dispatch(e, i);
    } else
        finish(e, i, c, is_right);
    start_next(e, c);
    wake_loaders(e, n);
}

/* Whoever is through on this device. */
static void device_turn(struct sim_engine *e, int d)
{
    struct sim_device *v = &e->devices[d];
    sim_device_advance(e, d);
    bool again = true;
    while (again) {
        again = false;
        for (int s = 0; s < v->n; s++) {
            if (v->until[s] > v->work + 1e-9 * (1 + v->work))
                continue;
            const int i = v->active[s];
            struct sim_flight *q = &e->flight[i];
            const double rest_s = q->state == SIM_FIRST ? rest_work(e, q, q->c) / sim_speed(e, q->c) : 0;
            if (q->state == SIM_FIRST)
                q->first_s = e->now_s;
            if (rest_s > 0) {
                q->state = SIM_REST;
                v->until[s] = v->work + rest_s;
            } else {
                answered(e, i);
                again = true; /* the list has changed */
                break;
            }
        }
    }
    sim_device_changed(e, d);
}

/* ---- asking ---- */

static bool has_room(const struct sim_engine *e, int c) { return e->experts[c].n_queued + e->experts[c].n_way < SIM_QUEUE_MAX; }

static int choose(struct sim_engine *e, const struct sim_flight *q, bool *is_full)
{
    const struct route_decision *d = &e->decision;
    *is_full = false;
    if (e->policy == SIM_OURS) {
        for (int k = 0; k < d->n_able; k++) {
            if (has_room(e, d->order[k]))
                return d->order[k];
            *is_full = true;
        }
        return -1;
    }
    uint64_t tried[SIM_TRIED_WORDS];
    memcpy(tried, q->tried, sizeof(tried));
    for (int c; (c = sim_choose_rival(e, d, tried)) >= 0;) {
        if (has_room(e, c))
            return c;
        *is_full = true;
        tried[c / 64] |= (uint64_t)1 << (c % 64);
    }
    return -1;
}

static void park(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    memset(q->tried, 0, sizeof(q->tried));
    q->state = SIM_PARKED;
    q->next = -1;
    if (e->parked_tail >= 0)
        e->flight[e->parked_tail].next = i;
    else
        e->parked_head = i;
    e->parked_tail = i;
}

static void leave_parked(struct sim_engine *e, int i)
{
    for (int *at = &e->parked_head, before = -1; *at >= 0; before = *at, at = &e->flight[*at].next)
        if (*at == i) {
            *at = e->flight[i].next;
            if (e->parked_tail == i)
                e->parked_tail = before;
            return;
        }
}

static void unpark(struct sim_engine *e)
{
    int i = e->parked_head;
    e->parked_head = e->parked_tail = -1;
    while (i >= 0) {
        const int next = e->flight[i].next;
        dispatch(e, i);
        i = next;
    }
}

static void dispatch(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    bool is_full = false;
    decide(e, q, q->tried);
    const int c = q->n_asked < TRIES_MAX ? choose(e, q, &is_full) : -1;
    if (c < 0) {
        if (q->has_answer) /* the small one's, which a check did not like */
            finish(e, i, q->answer_c, sim_is_right(e->s, q->answer_c, &q->a));
        else if (q->n_asked >= TRIES_MAX)
            fail(e, i, SIM_FAIL_LOST);
        else if (is_full)
            fail(e, i, SIM_FAIL_BUSY);
        else if (e->now_s - q->a.at_s < e->s->patience_s)
            park(e, i);
        else
            fail(e, i, q->n_asked ? SIM_FAIL_LOST : SIM_FAIL_NOBODY);
        return;
    }
    const struct route_node *node = &e->world.nodes[e->world.list[c].node];
    const double link = e->nodes[e->world.list[c].node].link;
    const struct route_verdict *v = &e->decision.verdicts[c];
    double way_s = (double)node->rtt_s / 2 / link;
    if (q->a.rq.n_bytes && node->link_bytes_s > 0 && !isinf(node->link_bytes_s))
        way_s += (double)q->a.rq.n_bytes / ((double)node->link_bytes_s * link);
    if (q->a.truth.u_link < e->s->nodes[e->world.list[c].node].loss)
        way_s += resend_s;
    q->c = c;
    q->n_asked++;
    q->sent_s = e->now_s;
    q->guess = v->guess;
    q->is_checked = e->policy == SIM_OURS && e->decision.is_small_first && c == e->decision.order[0];
    q->is_degraded = v->is_forgiven || e->nodes_seen[e->world.list[c].node].step[e->world.list[c].cls] > 0;
    q->prefix_tok = q->a.is_follow_up && e->last_at[q->a.cls][q->a.session] == c && e->experts[c].is_warm ? (float)(q->a.rq.prompt_tok - q->a.features.turn_tok) : 0;
    q->state = SIM_WAY;
    e->experts[c].n_way++;
    note_idle(e, c);
    if (way_s > 0)
        sim_alarm(e, e->now_s + way_s, SIM_WAKE_ARRIVED, i, q->gen);
    else
        arrive(e, i);
}

static void take_in(struct sim_engine *e, struct sim_arrival *a)
{
    e->f->n_in++;
    e->f->classes[a->cls].n_in++;
    const int i = e->free_head;
    if (i < 0) { /* more than SIM_FLIGHT_MAX at a time */
        e->f->n_failed[SIM_FAIL_BUSY]++, e->f->n_missed++;
        e->f->last_fail_s = e->now_s;
        return;
    }
    struct sim_flight *q = &e->flight[i];
    const uint32_t gen = q->gen;
    e->free_head = q->next;
    memset(q, 0, sizeof(*q));
    q->gen = gen;
    q->a = *a;
    const double deadline_s = (double)class_of(e, q)->wish.deadline_s;
    if (++e->n_flight > (int)e->f->n_flight_most)
        e->f->n_flight_most = (uint64_t)e->n_flight;
    if (deadline_s > 0)
        sim_alarm(e, a->at_s + deadline_s, SIM_WAKE_EXPIRED, i, q->gen);
    dispatch(e, i);
}

/* ---- trouble ---- */

/* Everything that this expert has breaks. */
static void drop_all(struct sim_engine *e, int c)
{
    struct sim_expert *x = &e->experts[c];
    if (x->is_loading)
        end_loading(e, c);
    x->is_warm = x->waits_for_memory = false;
    for (int i; (i = x->head) >= 0;)
        broke(e, i);
    const int d = e->s->experts[c].device;
    for (int s = e->devices[d].n - 1; s >= 0; s--)
        if (e->flight[e->devices[d].active[s]].c == c)
            broke(e, e->devices[d].active[s]);
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
    for (int c = 0; c < e->world.n; c++)
        if (e->world.list[c].node == n) {
            if (was_up && o->down)
                drop_all(e, c);
            if (!was_up && !o->down)
                e->experts[c].up_since_s = e->now_s;
            sim_alarm(e, e->now_s + e->s->notice_s, SIM_WAKE_NOTICE, c, 0);
        }
    sim_node_changed(e, n);
}

static void notice(struct sim_engine *e, int c)
{
    const int n = e->world.list[c].node;
    const bool was_up = e->seen[c].is_up && e->nodes_seen[n].is_up;
    e->seen[c].is_up = !e->experts[c].down && !e->nodes[n].down;
    e->nodes_seen[n].is_up = !e->nodes[n].down;
    see_expert(e, c);
    if (!was_up && e->seen[c].is_up)
        unpark(e);
}

/* Its speed has changed: whoever works there is through at another moment. */
static void renew(struct sim_engine *e, int n)
{
    for (int d = 0; d < e->s->n_devices; d++)
        if (e->devices[d].node == n) {
            sim_device_advance(e, d);
            sim_device_changed(e, d);
        }
}

static void memory_changed(struct sim_engine *e, int n)
{
    for (int c = 0; c < e->world.n; c++) {
        if (e->world.list[c].node != n)
            continue;
        const bool fits = e->s->experts[c].bytes <= e->nodes[n].memory_bytes;
        if (fits == !!(e->experts[c].down & SIM_DOWN_MEMORY))
            expert_down(e, c, SIM_DOWN_MEMORY, !fits);
    }
    /* what is too much now: first the idle ones, then those that work (the kernel would not wait) */
    if (make_room(e, n, 0))
        return;
    for (int c = e->world.n - 1; c >= 0 && bytes_in_use(e, n) > e->nodes[n].memory_bytes; c--)
        if (e->world.list[c].node == n && (e->experts[c].is_warm || e->experts[c].is_loading) && e->s->experts[c].bytes > 0)
            drop_all(e, c);
}

static void happen(struct sim_engine *e, const struct sim_event *v, bool is_over)
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
            wake_loaders(e, v->node);
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

static const struct sim_event *event_at(const struct sim_engine *e, int i)
{
    return i < e->scripts[0]->n ? &e->scripts[0]->events[i] : &e->scripts[1]->events[i - e->scripts[0]->n];
}

static void heat_turn(struct sim_engine *e, int n)
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

static void flap(struct sim_engine *e, int n)
{
    const struct sim_node_truth *t = &e->s->nodes[n];
    const bool goes = !(e->nodes[n].down & SIM_DOWN_FLAP);
    sim_node_down(e, n, SIM_DOWN_FLAP, goes);
    sim_alarm(e, e->now_s - log(1 - rng_f64(&e->flaps)) * (goes ? t->flap_for_s : t->flap_every_s), SIM_WAKE_FLAP, n, 0);
}

/* Once a second: thermometers are read, governors turn. */
static void tick(struct sim_engine *e)
{
    for (int n = 0; n < e->world.n_nodes; n++) {
        sim_node_advance(e, n);
        sim_see_node(e, n);
        e->nodes_seen[n].memory_free_bytes = (float)(e->nodes[n].memory_bytes - bytes_in_use(e, n));
    }
    sim_brain_tick(e);
    for (int i = e->parked_head; i >= 0;) { /* out of patience */
        const int next = e->flight[i].next;
        if (e->now_s - e->flight[i].a.at_s >= e->s->patience_s) {
            unpark(e);
            break;
        }
        i = next;
    }
}

static void wake(struct sim_engine *e, const struct sim_alarm *a)
{
    switch ((enum sim_wake)a->kind) {
    case SIM_WAKE_EVENT:
    case SIM_WAKE_OVER:
        happen(e, event_at(e, a->who), a->kind == SIM_WAKE_OVER);
        break;
    case SIM_WAKE_FLAP:
        flap(e, a->who);
        break;
    case SIM_WAKE_NOTICE:
        notice(e, a->who);
        break;
    case SIM_WAKE_HEAT:
        if (a->gen == e->nodes[a->who].heat_gen)
            heat_turn(e, a->who);
        break;
    case SIM_WAKE_BATTERY:
        if (a->gen == e->nodes[a->who].battery_gen) {
            sim_node_advance(e, a->who);
            sim_node_down(e, a->who, SIM_DOWN_BATTERY, true);
        }
        break;
    case SIM_WAKE_TICK:
        tick(e);
        break;
    case SIM_WAKE_DEVICE:
        if (a->gen == e->devices[a->who].gen)
            device_turn(e, a->who);
        break;
    case SIM_WAKE_LOADED:
        if (a->gen == e->experts[a->who].load_gen && e->experts[a->who].is_loading) {
            end_loading(e, a->who);
            e->experts[a->who].is_warm = true;
            start_next(e, a->who);
        }
        break;
    case SIM_WAKE_ARRIVED:
        if (a->gen == e->flight[a->who].gen && e->flight[a->who].state == SIM_WAY)
            arrive(e, a->who);
        break;
    case SIM_WAKE_AGAIN:
        if (a->gen == e->flight[a->who].gen && e->flight[a->who].state == SIM_AGAIN)
            dispatch(e, a->who);
        break;
    case SIM_WAKE_EXPIRED:
        if (a->gen == e->flight[a->who].gen) {
            struct sim_flight *q = &e->flight[a->who];
            const int c = q->c;
            const enum sim_state was = q->state;
            if (was == SIM_PARKED)
                leave_parked(e, a->who);
            leave(e, a->who);
            fail(e, a->who, SIM_FAIL_LATE);
            if (was == SIM_FIRST || was == SIM_REST)
                start_next(e, c);
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
    e->flight = calloc(SIM_FLIGHT_MAX, sizeof(*e->flight));
    if (!e->flight || (e->policy == SIM_OURS && !(e->brain = sim_brain_new(s, o->seed, err))))
        return e->flight ? false : err_set(err, ERR_NOMEM, "simulate: out of memory");
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
        e->experts[c].is_warm = s->world.list[c].is_warm && make_room(e, s->world.list[c].node, s->experts[c].bytes);
        e->experts[c].down = s->experts[c].bytes > s->nodes[s->world.list[c].node].memory_bytes ? SIM_DOWN_MEMORY : 0;
        e->seen[c].is_up = !e->experts[c].down;
        e->seen[c].wait_s = NAN;
        e->seen[c].prefix_tok = 0;
        if (e->seen[c].n_parallel < 1)
            e->seen[c].n_parallel = 1;
        note_idle(e, c);
        e->experts[c].idle_since_s = 0;
    }
    for (int n = 0; n < s->world.n_nodes; n++)
        if (s->nodes[n].flap_every_s > 0)
            sim_alarm(e, -log(1 - rng_f64(&e->flaps)) * s->nodes[n].flap_every_s, SIM_WAKE_FLAP, n, 0);
    set_events(e, o->script);
    sim_load_init(&e->load, s, o);
    return true;
}

static void loop(struct sim_engine *e)
{
    struct sim_arrival next;
    bool has_next = sim_load_next(&e->load, &next);
    sim_alarm(e, 0, SIM_WAKE_TICK, 0, 0);
    while (!e->is_broken && (has_next || e->n_flight > 0)) {
        if (has_next && (!e->n_heap || next.at_s < e->heap[0].at_s)) {
            e->now_s = next.at_s;
            take_in(e, &next);
            has_next = sim_load_next(&e->load, &next);
            continue;
        }
        const struct sim_alarm a = next_alarm(e);
        e->now_s = a.at_s;
        wake(e, &a);
        if (a.kind == SIM_WAKE_TICK)
            sim_alarm(e, e->now_s + tick_s, SIM_WAKE_TICK, 0, 0);
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
    memset(f, 0, sizeof(*f));
    e->s = s, e->policy = p, e->f = f;
    bool ok = engine_new(e, o, err);
    if (ok) {
        loop(e);
        f->end_s = e->now_s;
        for (int n = 0; n < s->world.n_nodes; n++)
            f->idle_joules += f->nodes[n].idle_joules, f->work_joules += f->nodes[n].work_joules;
        if (e->is_broken)
            ok = err_set(err, ERR_NOMEM, "simulate: out of memory");
    }
    f->cpu_s = cpu_seconds() - begin_s;
    sim_brain_free(e->brain);
    free(e->flight);
    free(e->heap);
    free(e);
    return ok;
}
