/* rehearse/simulate_ask.c - a request that wants an expert: decided, sent, parked, failed or done.
 *
 * For:     simulate.c (arrivals), simulate_work.c (answers), simulate_trouble.c (experts that broke).
 */
#include <string.h>

#include "rehearse/simulate_internal.h"

static const double resend_s = 0.2, hedge_least_s = 2, hedge_factor = 3; /* the last two as router.h */

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

/* Failed although somebody able, whom no governor keeps back, was up and free: all the time that it would have taken, or now. */
static bool is_unjust(struct sim_engine *e, struct sim_flight *q, enum sim_failure why)
{
    if (why == SIM_FAIL_LATE && q->state == SIM_REST) /* it was being answered */
        return false;
    sim_decide(e, q, NULL, true);
    for (int c = 0; c < e->world.n; c++) {
        const struct sim_expert *x = &e->experts[c];
        const enum route_rule rule = e->verdicts[c].rule;
        const bool is_kept_back = (rule == ROUTE_RULE_LADDER || rule == ROUTE_RULE_QUIET) && (why == SIM_FAIL_LATE || !e->verdicts[c].is_forgiven);
        if (!sim_is_up(e, c) || is_kept_back || (rule != ROUTE_RULE_NONE && rule != ROUTE_RULE_DOWN && route_rule_is_hard(rule)))
            continue;
        if (e->s->experts[c].bytes > e->nodes[e->world.list[c].node].memory_bytes)
            continue;
        const double up_s = e->now_s - x->up_since_s, free_s = e->now_s - fmax(fmax(x->up_since_s, x->idle_since_s), q->a.at_s);
        const double needs_s = (x->is_warm ? 0 : (double)e->world.list[c].load_s * e->s->experts[c].load) +
                               (sim_first_work(e, q, c) + sim_rest_work(e, q, c)) / fmax(1e-3, sim_speed(e, c) * e->nodes[e->world.list[c].node].speed);
        if (why == SIM_FAIL_LATE ? free_s > needs_s + 2 * e->s->notice_s : x->idle_since_s < INFINITY && up_s > 2 * e->s->notice_s)
            return true;
    }
    return false;
}

void sim_fail(struct sim_engine *e, int i, enum sim_failure why)
{
    struct sim_flight *q = &e->flight[i];
    e->f->n_failed[why]++;
    e->f->n_missed++;
    e->f->n_unjust += is_unjust(e, q, why);
    e->f->last_fail_s = e->now_s;
    e->f->request_joules += q->joules;
    flight_free(e, i);
}

void sim_finish(struct sim_engine *e, int i, int c, bool is_right)
{
    struct sim_flight *q = &e->flight[i];
    struct sim_figures *f = e->f;
    const double back_s = (double)e->world.nodes[e->world.list[c].node].rtt_s / 2 / e->nodes[e->world.list[c].node].link;
    const double total_s = e->now_s - q->a.at_s + back_s, first_s = q->first_s - q->a.at_s + back_s;
    const struct expert_wish *w = &sim_class_of(e, q)->wish;
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

/* ---- asking ---- */

static bool has_room(const struct sim_engine *e, int c) { return e->experts[c].n_queued + e->experts[c].n_way < SIM_QUEUE_MAX; }

static size_t barred_words(const struct sim_engine *e) { return ((size_t)e->world.n + 63) / 64; }
static bool is_able(const struct sim_engine *e, int c) { return e->verdicts[c].rule == ROUTE_RULE_NONE || e->verdicts[c].rule == ROUTE_RULE_DOWN || !route_rule_is_hard(e->verdicts[c].rule); }

void sim_note_tried(struct sim_flight *q, int c)
{
    if (q->n_tried < (int)(sizeof(q->tried) / sizeof(q->tried[0]))) /* an attempt ends once, and is hedged once: it is not full */
        q->tried[q->n_tried++] = c;
}

static void bar_tried(struct sim_engine *e, const struct sim_flight *q)
{
    memset(e->barred, 0, barred_words(e) * sizeof(*e->barred));
    for (int i = 0; i < q->n_tried; i++)
        sim_bar(e->barred, q->tried[i]);
}

/* Of very many: those who are full are known before. */
static int choose_of_many(struct sim_engine *e, struct sim_flight *q, bool *is_full)
{
    bar_tried(e, q);
    bool is_any_full = false;
    for (int c = 0; c < e->world.n; c++)
        if (!has_room(e, c))
            sim_bar(e->barred, c), is_any_full = true;
    sim_decide(e, q, e->barred, false);
    const int c = e->policy == SIM_OURS ? e->best : sim_choose_rival(e, e->barred);
    if (c >= 0 || !is_any_full)
        return c;
    bar_tried(e, q);
    sim_decide(e, q, e->barred, true);
    for (int i = 0; i < e->world.n && !*is_full; i++)
        *is_full = is_able(e, i) && !has_room(e, i);
    return -1;
}

/* As the router asks one after the other: whoever is full counts as asked, and soft rules are forgiven when nobody else is left. */
static int choose(struct sim_engine *e, struct sim_flight *q, bool *is_full)
{
    *is_full = false;
    if (e->s->is_large)
        return choose_of_many(e, q, is_full);
    bar_tried(e, q);
    for (;;) {
        sim_decide(e, q, e->barred, false);
        const int c = e->policy == SIM_OURS ? e->best : sim_choose_rival(e, e->barred);
        if (c < 0 || has_room(e, c))
            return c;
        *is_full = true;
        sim_bar(e->barred, c);
    }
}

static void park(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    q->n_tried = 0;
    q->state = SIM_PARKED;
    q->next = -1;
    if (e->parked_tail >= 0)
        e->flight[e->parked_tail].next = i;
    else
        e->parked_head = i;
    e->parked_tail = i;
}

void sim_leave_parked(struct sim_engine *e, int i)
{
    for (int *at = &e->parked_head, before = -1; *at >= 0; before = *at, at = &e->flight[*at].next)
        if (*at == i) {
            *at = e->flight[i].next;
            if (e->parked_tail == i)
                e->parked_tail = before;
            return;
        }
}

void sim_unpark(struct sim_engine *e)
{
    int i = e->parked_head;
    e->parked_head = e->parked_tail = -1;
    while (i >= 0) {
        const int next = e->flight[i].next;
        sim_dispatch(e, i);
        i = next;
    }
}

static void send(struct sim_engine *e, int i, int c)
{
    struct sim_flight *q = &e->flight[i];
    const struct route_node *node = &e->world.nodes[e->world.list[c].node];
    const double link = e->nodes[e->world.list[c].node].link;
    const struct route_verdict *v = &e->verdicts[c];
    double way_s = (double)node->rtt_s / 2 / link;
    if (q->a.rq.n_bytes && node->link_bytes_s > 0 && !isinf(node->link_bytes_s))
        way_s += (double)q->a.rq.n_bytes / ((double)node->link_bytes_s * link);
    if (q->a.truth.u_link < e->s->nodes[e->world.list[c].node].loss)
        way_s += resend_s;
    q->c = c;
    q->n_asked++;
    q->sent_s = e->now_s;
    q->guess = v->guess;
    q->is_checked = e->policy == SIM_OURS && e->decision.is_small_first && c == e->best;
    q->is_degraded = v->is_forgiven || e->nodes_seen[e->world.list[c].node].step[e->world.list[c].cls] > 0;
    q->prefix_tok = q->a.is_follow_up && e->last_at[q->a.cls][q->a.session] == c && e->experts[c].is_warm ? (float)(q->a.rq.prompt_tok - q->a.features.turn_tok) : 0;
    q->hedge_s = e->now_s + fmax(hedge_least_s, hedge_factor * (double)v->guess.ttft_s);
    if (sim_class_of(e, q)->wish.deadline_s > 0) /* while there is still time for another one */
        q->hedge_s = fmin(q->hedge_s, fmax(e->now_s + hedge_least_s, q->a.at_s + (double)sim_class_of(e, q)->wish.deadline_s / 2));
    sim_alarm(e, q->hedge_s, SIM_WAKE_HEDGE, i, q->gen);
    q->state = SIM_WAY;
    e->experts[c].n_way++;
    sim_note_idle(e, c);
    if (way_s > 0)
        sim_alarm(e, e->now_s + way_s, SIM_WAKE_ARRIVED, i, q->gen);
    else
        sim_arrive(e, i);
}

static bool is_idle(const struct sim_engine *e, int c) { return e->experts[c].idle_since_s != INFINITY && e->experts[c].is_warm; }

/* No first word yet, far later than predicted: the router asks an idle one, too, and takes the first answer.  Here the request moves:
 * what the first one did so far is lost, what it would go on doing is not reckoned. */
void sim_hedge(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    if ((q->state != SIM_QUEUED && q->state != SIM_FIRST) || e->now_s < q->hedge_s || q->n_asked >= SIM_TRIES_MAX)
        return;
    bar_tried(e, q);
    for (int c = 0; e->s->is_large && c < e->world.n; c++)
        if (!is_idle(e, c))
            sim_bar(e->barred, c);
    for (int c = q->c; c >= 0;) {
        sim_bar(e->barred, c);
        sim_decide(e, q, e->barred, false);
        c = e->policy == SIM_OURS ? e->best : sim_choose_rival(e, e->barred);
        if (c < 0 || !is_idle(e, c))
            continue;
        const int before = q->c;
        sim_leave(e, i);
        sim_note_tried(q, before);
        e->f->n_hedged++;
        send(e, i, c);
        sim_start_next(e, before);
        return;
    }
    q->hedge_s = e->now_s + hedge_least_s; /* nobody was idle: once more */
    sim_alarm(e, q->hedge_s, SIM_WAKE_HEDGE, i, q->gen);
}

void sim_dispatch(struct sim_engine *e, int i)
{
    struct sim_flight *q = &e->flight[i];
    bool is_full = false;
    const int c = q->n_asked < SIM_TRIES_MAX ? choose(e, q, &is_full) : -1;
    if (c < 0) {
        if (q->has_answer) /* the small one's, which a check did not like */
            sim_finish(e, i, q->answer_c, sim_is_right(e->s, q->answer_c, &q->a));
        else if (q->n_asked >= SIM_TRIES_MAX)
            sim_fail(e, i, SIM_FAIL_LOST);
        else if (is_full)
            sim_fail(e, i, SIM_FAIL_BUSY);
        else if (e->now_s - q->a.at_s < e->s->patience_s)
            park(e, i);
        else
            sim_fail(e, i, q->n_asked ? SIM_FAIL_LOST : SIM_FAIL_NOBODY);
        return;
    }
    send(e, i, c);
}

void sim_take_in(struct sim_engine *e, const struct sim_arrival *a)
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
    const double deadline_s = (double)sim_class_of(e, q)->wish.deadline_s;
    if (++e->n_flight > (int)e->f->n_flight_most)
        e->f->n_flight_most = (uint64_t)e->n_flight;
    if (deadline_s > 0)
        sim_alarm(e, a->at_s + deadline_s, SIM_WAKE_EXPIRED, i, q->gen);
    sim_dispatch(e, i);
}
