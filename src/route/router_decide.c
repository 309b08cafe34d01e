/* route/router_decide.c - who is asked: the world as it is now, the policy's word, the job handed over; start reading at router_ask(). */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "route/journal.h"
#include "route/policy_settings.h"
#include "route/router_internal.h"

const double router_bucket_s[ROUTER_BUCKETS] = { 2e-6, 5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 250e-6, 1e-3, 10e-3 };

/* Caches that are gone with the models that had them. */
static void forget_unloaded(struct router *r)
{
    for (int i = 0; i < r->live.world.n; i++) {
        if (!r->live.of[i].was_unloaded)
            continue;
        r->live.of[i].was_unloaded = false;
        pthread_mutex_lock(&r->figures_lock);
        affinity_forget(&r->affinity, (uint32_t)i);
        pthread_mutex_unlock(&r->figures_lock);
    }
}

/* Who has the beginning of this conversation in its cache. */
static void fill_prefixes(struct trip *t)
{
    struct router *r = t->r;
    const uint64_t keys[] = { t->session_key, t->system_key };
    uint32_t slots[AFFINITY_WAYS], toks[AFFINITY_WAYS];
    for (size_t k = 0; k < 2; k++) {
        pthread_mutex_lock(&r->figures_lock);
        const int n = affinity_find(&r->affinity, keys[k], slots, toks);
        pthread_mutex_unlock(&r->figures_lock);
        for (int i = 0; i < n; i++) {
            struct candidate *c = slots[i] < (uint32_t)r->live.world.n ? &r->live.world.list[slots[i]] : NULL;
            if (c && c->is_warm && toks[i] > c->prefix_tok)
                c->prefix_tok = toks[i] < t->request.prompt_tok ? toks[i] : (uint32_t)t->request.prompt_tok;
        }
    }
}

static bool is_another(const struct trip *t, const struct candidate *c) { return t->wish.only[0] && strcmp(t->wish.only, c->expert) != 0; }

/* Not who was named, asked already, in doubt, not better than who was, or for requests that want several experts. */
static bool is_tried(const void *trip, const struct candidate *c)
{
    const struct trip *t = trip;
    const bool is_for_one = t->is_for_pieces || !(t->request.needs_sight || t->request.needs_hearing);
    if (is_another(t, c) || (is_for_one && t->r->live.of[c->slot].is_composite) || (t->quality_above > 0 && c->quality <= t->quality_above))
        return true;
    if (t->heeds_doubts && t->r->live.of[c->slot].is_doubted)
        return true;
    for (int i = 0; i < t->n_tried; i++)
        if (t->tried[i] == c->slot)
            return true;
    return false;
}

/* Why nobody is left. */
static bool explain_none(const struct trip *t, const struct route_decision *d, const struct candidates *w, struct err *err)
{
    int best = -1; /* who came furthest */
    for (int i = 0; i < d->n; i++)
        if (d->verdicts[i].rule != ROUTE_RULE_NONE && !is_another(t, &w->list[i]) && !(d->verdicts[i].rule == ROUTE_RULE_TRIED && t->r->live.of[w->list[i].slot].is_composite) &&
            (best < 0 || d->verdicts[i].rule > d->verdicts[best].rule))
            best = i;
    if (best < 0 && t->wish.only[0]) /* of a thousand that are ruled out not all are looked at */
        return err_set(err, ERR_BUSY, "no expert here may answer '%s': %s is down", expert_task_name(t->request.task), t->wish.only);
    if (best < 0)
        return err_set(err, ERR_UNSUPPORTED, "no expert here can do '%s'", expert_task_name(t->request.task));
    const enum route_rule rule = d->verdicts[best].rule;
    if (rule == ROUTE_RULE_CONTEXT)
        return err_set(err, ERR_INPUT, "context_length_exceeded: the prompt has about %llu tokens, the longest context here is %d",
                       (unsigned long long)t->request.prompt_tok, w->list[best].n_ctx);
    return err_set(err, !route_rule_is_hard(rule) || rule == ROUTE_RULE_DOWN || rule == ROUTE_RULE_TRIED ? ERR_BUSY : ERR_UNSUPPORTED, "no expert here may answer '%s': %s %s", expert_task_name(t->request.task), w->list[best].expert,
                   route_rule_why(rule));
}

static bool is_wanted(const struct candidate *c, const struct route_guess *g, const struct trip_wants *want)
{
    return (!want->is_idle || (c->n_running + c->n_waiting == 0 && c->is_warm)) && (want->quality_above <= 0 || c->quality > want->quality_above) &&
           (want->within_s <= 0 || !(g->total_s > want->within_s));
}

/* One answer of text, which somebody can look at. */
static bool can_be_judged(const struct job *j)
{
    return j->task & (EXPERT_CHAT | EXPERT_COMPLETE) && j->n_choices == 1 && (j->task == EXPERT_CHAT || j->n_inputs == 1);
}

/* Shall its answer be looked at before it is shown?  It is small, and a better one might be asked. */
static bool is_on_probation(const struct trip *t, const struct route_decision *d, const struct candidates *w, int i)
{
    const struct policy *p = t->r->env.policy;
    if (!can_be_judged(t->outer) || p->weight[t->goal][POLICY_WEIGHT_CATCH] <= 0)
        return false;
    if (d->is_small_first)
        return true;
    for (int k = 0; k < d->n && w->list[i].quality <= p->setting[POLICY_SMALL_TIER]; k++)
        if (w->list[k].quality > w->list[i].quality && (d->verdicts[k].rule == ROUTE_RULE_NONE || d->verdicts[k].rule == ROUTE_RULE_EARLY))
            return true;
    return false;
}

/* A small model of this machine stands in for servers elsewhere, none of which can be reached: how long its answer may be; 0: as asked. */
static int short_answer(const struct trip *t, const struct route_decision *d, const struct candidates *w, int i)
{
    const struct policy *p = t->r->env.policy;
    bool is_gone = false;
    if (!t->has_intent || w->list[i].privacy != EXPERT_LOCAL || w->list[i].quality > p->setting[POLICY_SMALL_TIER] || t->wish.no_degrade)
        return 0;
    for (int k = 0; k < d->n; k++) {
        const enum route_rule rule = d->verdicts[k].rule;
        if (w->list[k].privacy == EXPERT_LOCAL)
            continue;
        if (rule == ROUTE_RULE_NONE || !route_rule_is_hard(rule))
            return 0;
        is_gone = is_gone || rule == ROUTE_RULE_DOWN || rule == ROUTE_RULE_TRIED;
    }
    return is_gone ? (int)p->setting[POLICY_OFFLINE_TOK] : 0;
}

static void count_decision(struct router *r, double s)
{
    int i = 0;
    while (i < ROUTER_BUCKETS && s > router_bucket_s[i])
        i++;
    r->bucket[i]++;
    r->decided_s += s;
}

static float electricity(const struct router *r, const struct route_node *n)
{
    return n->usd_per_kwh >= 0 ? n->usd_per_kwh : r->env.policy->setting[POLICY_ELECTRICITY];
}

/* Not by the queue or by loading, and by so much that no other setting of this machine would help. */
static bool is_hopeless(const struct trip *t, const struct route_guess *g)
{
    static const float FAR = 2;
    const float alone_s = g->total_s - g->queue_s - g->load_s;
    return t->wish.deadline_s > 0 && alone_s > FAR * t->wish.deadline_s;
}

/* Fills in what a leg needs to know of the one that is chosen; *e: who it is. */
static bool decide(struct trip *t, const struct trip_wants *want, struct leg *like, struct expert **e, struct err *err)
{
    struct router *r = t->r;
    struct route_decision *d = r->decision;
    bool ok = false;
    if (t->n_tried == TRIP_TRIED_MAX)
        return err_set(err, ERR_BUSY, "%d experts were asked, and none took it", t->n_tried);
    router_enter(r);
    const uint64_t begun_ns = clock_ns();
    live_look(&r->live);
    forget_unloaded(r);
    const bool is_first = !t->is_read;
    if (is_first)
        trip_read(t);
    t->is_read = true;
    if (r->env.governor.see)
        r->env.governor.see(r->env.governor.ctx, &r->live.world);
    fill_prefixes(t);
    live_find_homes(&r->live, t->session_key, t->request.task);
    t->quality_above = fmaxf(t->quality_above, want->quality_above);
    const struct candidates *w;
    int at = -1;
    t->heeds_doubts = live_doubts(&r->live);
    for (bool again = true; again && at < 0;) {
        again = t->heeds_doubts; /* when nobody else is left, those in doubt are asked, too */
        w = shortlist_make(r->shortlist, r->env.policy, r->env.predictor, &t->request, &r->live.world, is_tried, t);
        uint64_t tried[ROUTE_CANDIDATES_MAX / 64] = { 0 };
        for (int i = 0; i < w->n; i++)
            tried[i / 64] |= (uint64_t)is_tried(t, &w->list[i]) << (i % 64);
        policy_decide(r->env.policy, r->env.predictor, r->env.bandit, &t->request, w, tried, d);
        for (int i = 0; i < d->n_able && at < 0; i++)
            if (is_wanted(&w->list[d->order[i]], &d->verdicts[d->order[i]].guess, want))
                at = i;
        t->heeds_doubts = false;
    }
    if (at >= 0) {
        const int i = d->order[at];
        const struct candidate *c = &w->list[i];
        struct live_expert *le = &r->live.of[c->slot];
        t->tried[t->n_tried++] = (uint16_t)c->slot;
        *like = (struct leg){ .slot = c->slot, .kin = c->kin > 0 ? c->kin - 1 : c->slot, .is_small = is_first && at == 0 && is_on_probation(t, d, w, i), .is_sure_known = le->is_engine, .is_forgiven = d->verdicts[i].is_forgiven, .is_hedge = want->is_hedge, .is_better = want->quality_above > 0,
                              .quality = c->quality, .busy_w = c->busy_w, .usd_in = c->usd_per_mtok_in, .usd_out = c->usd_per_mtok_out, .usd_item = c->usd_per_item, .usd_kwh = electricity(r, &w->nodes[c->node]),
                              .is_here = c->node == 0, .guess = d->verdicts[i].guess };
        snprintf(like->expert, sizeof(like->expert), "%s", c->expert);
        snprintf(like->node, sizeof(like->node), "%s", w->nodes[c->node].name);
        if (is_first)
            t->is_hopeless = is_hopeless(t, &like->guess);
        if (at == 0)
            policy_put_why(&t->request, w, d, like->why, sizeof(like->why));
        else
            snprintf(like->why, sizeof(like->why), "%.100s on %.60s: %s", c->expert, w->nodes[c->node].name, want->is_hedge ? "the first one was late" : "better than the one before");
        if (r->env.governor.put_ladder && c->node == 0)
            r->env.governor.put_ladder(r->env.governor.ctx, c->cls, like->ladder, sizeof(like->ladder));
        like->short_tok = short_answer(t, d, w, i);
        if (like->short_tok > 0)
            snprintf(like->ladder, sizeof(like->ladder), "llm: offline, short answers");
        *e = le->expert;
        le->n_asking++;
        le->decisions[t->goal]++;
        if (le->down_ns)
            le->down_ns = clock_ns();
        ok = true;
    } else {
        explain_none(t, d, w, err);
    }
    const double s = (double)(clock_ns() - begun_ns) / 1e9;
    if (is_first && r->env.journal)
        journal_decided(r->env.journal, t->id, (int64_t)time(NULL), &t->request, w, d);
    pthread_mutex_lock(&r->figures_lock);
    count_decision(r, s);
    if (ok) {
        r->figures.forgiven += like->is_forgiven;
        r->figures.hedges += want->is_hedge;
        r->figures.promotions += want->quality_above > 0;
        if (is_first)
            r->figures.decisions[t->goal]++;
        else
            r->figures.retries += !want->is_hedge && want->quality_above <= 0;
    } else if (is_first) {
        r->figures.refused++;
    }
    pthread_mutex_unlock(&r->figures_lock);
    pthread_mutex_unlock(&r->decide_lock);
    return ok;
}

void router_count(struct router *r, enum router_event what)
{
    struct router_figures *f = &r->figures;
    pthread_mutex_lock(&r->figures_lock);
    f->hedges_won += what == ROUTER_HEDGE_WON;
    f->hangs += what == ROUTER_HANG;
    f->remembered += what == ROUTER_REMEMBERED;
    pthread_mutex_unlock(&r->figures_lock);
}

/* The bytes of a job that are wrong are wrong for everybody; another expert may take what this one cannot. */
bool router_may_retry(const struct err *err)
{
    return err->code != ERR_INPUT || strstr(err->text, "context_length_exceeded") != NULL;
}

/* It was asked: whoever withdraws it need not wait any more. */
static void asked(struct router *r, int slot)
{
    pthread_mutex_lock(&r->decide_lock);
    struct live_expert *le = &r->live.of[slot];
    if (--le->n_asking == 0 && le->is_gone)
        pthread_cond_broadcast(&r->unasked);
    pthread_mutex_unlock(&r->decide_lock);
}

bool router_ask(struct trip *t, const struct trip_wants *wants, struct err *err)
{
    struct err why = { 0 };
    struct leg like;
    struct expert *e = NULL;
    while (decide(t, wants, &like, &e, err)) {
        struct leg *leg = leg_begin(t, &like, err);
        if (!leg) {
            asked(t->r, like.slot);
            return false;
        }
        struct job *j = job_ref(leg->job); /* its final event may come before expert_submit() returns */
        const bool ok = expert_submit(e, j, err);
        asked(t->r, like.slot);
        if (!ok)
            leg_abandon(leg);
        job_unref(j);
        if (ok)
            return true;
        why = *err;
        if (!router_may_retry(err))
            return false;
    }
    if (why.code != ERR_NONE)
        *err = why;
    return false;
}

/* ---- joules, shared out among those that run ---- */

double router_joules(struct router *r, int change)
{
    const double now = r->env.governor.joules ? r->env.governor.joules(r->env.governor.ctx) : (double)NAN;
    pthread_mutex_lock(&r->figures_lock);
    if (r->n_busy > 0 && now > r->joules_seen)
        r->joules_each += (now - r->joules_seen) / r->n_busy;
    r->joules_seen = now;
    r->n_busy += change;
    const double each = r->joules_each;
    pthread_mutex_unlock(&r->figures_lock);
    return now >= 0 ? each : (double)NAN;
}
