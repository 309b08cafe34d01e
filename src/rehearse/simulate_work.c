/* rehearse/simulate_work.c - what experts do: queues, loading, the first word, the rest; and leaving before the end.
 *
 * For:     simulate_ask.c (brings requests), simulate_trouble.c (takes them away), simulate.c (wakes).
 */
#include "route/predict.h"
#include "rehearse/simulate_internal.h"

/* ---- what the router sees ---- */

void sim_see_expert(struct sim_engine *e, int c)
{
    const struct sim_expert *x = &e->experts[c];
    struct candidate *seen = &e->seen[c];
    seen->n_running = x->n_active;
    seen->n_waiting = x->n_queued + x->n_way;
    seen->is_warm = x->is_warm;
}

/* A place is free and nobody waits, or not: for the question whether somebody could have served. */
void sim_note_idle(struct sim_engine *e, int c)
{
    struct sim_expert *x = &e->experts[c];
    const bool is_idle = !x->n_queued && !x->n_way && x->n_active < e->world.list[c].n_parallel;
    if (!is_idle)
        x->idle_since_s = INFINITY;
    else if (x->idle_since_s == INFINITY)
        x->idle_since_s = e->now_s;
    sim_see_expert(e, c);
}

double sim_first_work(const struct sim_engine *e, const struct sim_flight *q, int c)
{
    const struct candidate *k = &e->s->world.list[c];
    const struct route_request *rq = &q->a.rq;
    double w = (double)k->fixed_s;
    if (sim_class_of(e, q)->is_text) {
        const double prefill = k->prefill_tok_s > 0 ? (double)k->prefill_tok_s : (double)PREDICT_PREFILL_TOK_S;
        w += fmax(1, (double)rq->prompt_tok - (double)q->prefix_tok) / prefill;
    }
    if (rq->n_items > 0)
        w += (double)k->item_s;
    return w + (double)k->sound_s_s * fmin(1, (double)rq->sound_s);
}
double sim_rest_work(const struct sim_engine *e, const struct sim_flight *q, int c)
{
    const struct candidate *k = &e->s->world.list[c];
    const struct route_request *rq = &q->a.rq;
    double w = 0;
    if (sim_class_of(e, q)->is_text)
        w += (q->a.truth.gen_tok - 1) / (k->decode_tok_s > 0 ? (double)k->decode_tok_s : (double)PREDICT_DECODE_TOK_S);
    if (rq->n_items > 1)
        w += (double)(rq->n_items - 1) * (double)k->item_s;
    return w + (double)k->sound_s_s * ((double)rq->sound_s - fmin(1, (double)rq->sound_s));
}

/* ---- leaving an expert ---- */

/* Takes the request away from whoever has it; its joules so far are its own. */
void sim_leave(struct sim_engine *e, int i)
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
    sim_note_idle(e, q->c);
}

static void try_again(struct sim_engine *e, int i, double in_s)
{
    struct sim_flight *q = &e->flight[i];
    sim_note_tried(q, q->c);
    q->state = SIM_AGAIN;
    e->f->n_retried++;
    sim_alarm(e, e->now_s + in_s, SIM_WAKE_AGAIN, i, q->gen);
}

void sim_broke(struct sim_engine *e, int i)
{
    sim_leave(e, i);
    sim_brain_broke(e, &e->flight[i]);
    try_again(e, i, e->s->notice_s);
}

/* ---- working ---- */

static void begin(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    const int c = q->c, d = e->s->experts[c].device;
    struct sim_expert *x = &e->experts[c];
    const double work_s = sim_first_work(e, q, c) / sim_speed(e, c);
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

double sim_bytes_in_use(const struct sim_engine *e, int n)
{
    double sum = 0;
    int c;
    SIM_EXPERTS_OF(e->s, n, c)
        if (e->experts[c].is_warm || e->experts[c].is_loading)
            sum += e->s->experts[c].bytes;
    return sum;
}

/* Sends idle experts of the node away, the longest unused first, until so much is free.  false: not yet. */
bool sim_make_room(struct sim_engine *e, int n, double bytes)
{
    while (e->nodes[n].memory_bytes - sim_bytes_in_use(e, n) < bytes) {
        int oldest = -1, c;
        SIM_EXPERTS_OF(e->s, n, c) {
            const struct sim_expert *x = &e->experts[c];
            if (x->is_warm && !x->n_active && e->s->experts[c].bytes > 0 &&
                (oldest < 0 || x->used_s < e->experts[oldest].used_s))
                oldest = c;
        }
        if (oldest < 0)
            return false;
        e->experts[oldest].is_warm = false;
        sim_see_expert(e, oldest);
    }
    return true;
}

void sim_start_next(struct sim_engine *e, int c)
{
    struct sim_expert *x = &e->experts[c];
    const struct candidate *k = &e->s->world.list[c];
    const int places = sim_places(e, c);
    if (x->head >= 0 && !x->is_warm && !x->is_loading && sim_is_up(e, c)) {
        if (!sim_make_room(e, k->node, e->s->experts[c].bytes)) {
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
        sim_see_expert(e, c);
    }
    while (x->is_warm && x->head >= 0 && x->n_active < places && sim_is_up(e, c)) {
        const int i = x->head;
        x->head = e->flight[i].next;
        if (x->head < 0)
            x->tail = -1;
        x->n_queued--;
        begin(e, i);
    }
    sim_note_idle(e, c);
}

void sim_end_loading(struct sim_engine *e, int c)
{
    struct sim_expert *x = &e->experts[c];
    x->is_loading = false;
    x->used_s = e->now_s;
    sim_draw(e, c, false);
}

/* Somebody gave memory back: those who waited for it may load. */
void sim_wake_loaders(struct sim_engine *e, int n)
{
    int c;
    SIM_EXPERTS_OF(e->s, n, c)
        if (e->experts[c].waits_for_memory)
            sim_start_next(e, c);
}

void sim_arrive(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    struct sim_expert *x = &e->experts[q->c];
    if (!sim_is_up(e, q->c)) {
        sim_broke(e, i);
        return;
    }
    x->n_way--;
    q->arrived_s = e->now_s;
    q->state = SIM_QUEUED;
    q->next = -1;
    if (x->tail >= 0)
        e->flight[x->tail].next = i;
    else
        x->head = i;
    x->tail = i;
    x->n_queued++;
    sim_start_next(e, q->c);
}

static void answered(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    const int c = q->c, n = e->world.list[c].node;
    const struct candidate *k = &e->world.list[c];
    sim_leave(e, i);
    e->f->usd_tokens += ((double)k->usd_per_mtok_in * ((double)q->a.rq.prompt_tok - (double)q->prefix_tok) + (double)k->usd_per_mtok_out * q->a.truth.gen_tok) / 1e6 +
                        (double)k->usd_per_item * q->a.rq.n_items;
    const bool is_right = sim_is_right(e->s, c, &q->a);
    const bool is_rejected = q->is_checked && !is_right && q->a.truth.u_caught < e->s->caught && q->n_asked < SIM_TRIES_MAX;
    sim_brain_seen(e, q, is_rejected);
    if (is_rejected) {
        q->has_answer = true;
        q->answer_c = c;
        sim_note_tried(q, c);
        e->f->n_promoted++;
        q->is_checked = false;
        sim_dispatch(e, i);
    } else
        sim_finish(e, i, c, is_right);
    sim_start_next(e, c);
    sim_wake_loaders(e, n);
}

/* Whoever is through on this device. */
void sim_device_turn(struct sim_engine *e, int d)
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
            const double rest_s = q->state == SIM_FIRST ? sim_rest_work(e, q, q->c) / sim_speed(e, q->c) : 0;
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
