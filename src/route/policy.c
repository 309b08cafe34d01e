/* route/policy.c - rules, predictions, terms, order; start at policy_decide(). */
#include "route/policy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expert/job.h"
#include "route/bandit.h"
#include "route/policy_settings.h"
#include "route/predict.h"
#include "route/rules.h"

/* ---- names ---- */

static const char *const goals[] = {
#define X(id, word, help) word,
    ROUTE_GOALS(X)
#undef X
};
const char *route_goal_name(enum route_goal g) { return (unsigned)g < ROUTE_GOAL_COUNT ? goals[g] : "?"; }
bool route_goal_by_name(const char *word, enum route_goal *out)
{
    for (int i = 0; i < ROUTE_GOAL_COUNT; i++)
        if (strcmp(word, goals[i]) == 0 || (!*word && i == ROUTE_BALANCED)) {
            *out = (enum route_goal)i;
            return true;
        }
    return false;
}

static const struct {
    const char *word, *why;
    bool is_hard;
} rules[] = {
#define HARD true
#define SOFT false
#define X(id, word, kind, why) { word, why, kind },
    ROUTE_RULES(X)
#undef X
#undef HARD
#undef SOFT
};
const char *route_rule_name(enum route_rule r) { return (unsigned)r < ROUTE_RULE_COUNT ? rules[r].word : ""; }
const char *route_rule_why(enum route_rule r) { return (unsigned)r < ROUTE_RULE_COUNT ? rules[r].why : ""; }
bool route_rule_is_hard(enum route_rule r) { return (unsigned)r < ROUTE_RULE_COUNT && rules[r].is_hard; }

static const struct {
    const char *word, *what;
} terms[] = {
#define X(id, word, what) { word, what },
    ROUTE_TERMS(X)
#undef X
};
const char *route_term_name(enum route_term t) { return (unsigned)t < ROUTE_TERM_COUNT ? terms[t].word : "?"; }
const char *route_term_what(enum route_term t) { return (unsigned)t < ROUTE_TERM_COUNT ? terms[t].what : "?"; }

static const struct {
    const char *word;
    unsigned tasks;
} classes[] = {
#define X(id, word, tasks) { word, tasks },
    ROUTE_CLASSES(X)
#undef X
};
const char *route_class_name(enum route_class c) { return (unsigned)c < ROUTE_CLASS_COUNT ? classes[c].word : "?"; }
enum route_class route_class_of(unsigned tasks)
{
    for (int i = 0; i < ROUTE_CLASS_COUNT; i++)
        if (tasks & classes[i].tasks)
            return (enum route_class)i;
    return ROUTE_CLASS_EMBED;
}

/* ---- making ---- */

const struct policy_key policy_weight_keys[POLICY_WEIGHT_COUNT] = {
#define X(id, key, balanced, fast, best, cheap, private, help) { key, help, (float)(balanced), 0, 1e6f },
    POLICY_WEIGHTS(X)
#undef X
};
const struct policy_key policy_setting_keys[POLICY_SETTING_COUNT] = {
#define X(id, key, preset, min, max, help) { key, help, (float)(preset), (float)(min), (float)(max) },
    POLICY_SETTINGS(X)
#undef X
};
static const float weight_presets[POLICY_WEIGHT_COUNT][ROUTE_GOAL_COUNT] = {
#define X(id, key, balanced, fast, best, cheap, private, help) { (float)(balanced), (float)(fast), (float)(best), (float)(cheap), (float)(private) },
    POLICY_WEIGHTS(X)
#undef X
};

struct policy *policy_new(struct err *err)
{
    struct policy *p = calloc(1, sizeof(*p));
    if (!p)
        return err_null(err, ERR_NOMEM, "policy: out of memory");
    for (int w = 0; w < POLICY_WEIGHT_COUNT; w++)
        for (int g = 0; g < ROUTE_GOAL_COUNT; g++)
            p->weight[g][w] = weight_presets[w][g];
    for (int i = 0; i < POLICY_SETTING_COUNT; i++)
        p->setting[i] = policy_setting_keys[i].preset;
    quality_fill(&p->quality);
    policy_settle(p);
    return p;
}
void policy_free(struct policy *p) { free(p); }

void policy_settle(struct policy *p)
{
    const float *set = p->setting;
    p->difficulty_cut = set[POLICY_QUALITY_TARGET] > 0 ? quality_cut_of_target(set[POLICY_QUALITY_TARGET], set[POLICY_WEAK_TIER], set[POLICY_STRONG_TIER])
                                                       : quality_cut_of_share(set[POLICY_DIFFICULT_SHARE]);
}

bool policy_is_within(const struct policy_quiet *q, int minute)
{
    return q->from_minute <= q->to_minute ? minute >= q->from_minute && minute < q->to_minute : minute >= q->from_minute || minute < q->to_minute;
}

/* ---- terms ---- */

/* One candidate that may answer; what its terms are made of. */
struct scene {
    const struct ask *a;
    const float *weight;  /* of the goal, in seconds a unit */
    const struct candidate *c;
    const struct route_node *node;
    const struct route_guess *g;
    float joules;         /* known or assumed */
    float gain;           /* of the bandit, -1..1 */
    int64_t so_far_us;    /* terms before LEARNED */
    const struct route_verdict *bigger; /* PROMOTION: who would be asked; NULL: nobody */
};

static const float SCORE_MAX_S = 1e9f; /* 30 years: sums of terms stay far from the ends of int64_t */

static int64_t us_of(float s)
{
    return !(s > -SCORE_MAX_S) ? (s < 0 ? (int64_t)-1e15 : 0) : s > SCORE_MAX_S ? (int64_t)1e15 : (int64_t)(s * 1e6f + (s < 0 ? -.5f : .5f));
}

/* Seconds that a term counts as.  TTFT: a stated objective for the first word that is missed counts three times over. */
static float term_TTFT(const struct scene *s)
{
    const float first_s = s->g->ttft_s - s->g->queue_s - s->g->load_s + s->g->prefix_s;
    const float late_s = s->a->wish.ttft_s > 0 && s->g->ttft_s > s->a->wish.ttft_s ? s->g->ttft_s - s->a->wish.ttft_s : 0;
    return s->weight[POLICY_WEIGHT_FIRST] * (first_s + 3 * late_s);
}
static float term_TOTAL(const struct scene *s) { return s->weight[POLICY_WEIGHT_REST] * (s->g->total_s - s->g->ttft_s); }
static float term_QUEUE(const struct scene *s) { return s->weight[POLICY_WEIGHT_QUEUE] * s->g->queue_s; }
static float term_LOAD(const struct scene *s) { return s->weight[POLICY_WEIGHT_LOAD] * s->g->load_s; }
static float term_AFFINITY(const struct scene *s) { return -s->weight[POLICY_WEIGHT_FIRST] * s->g->prefix_s; }
/* Front doors that know nothing of each other agree on the home: it gets the conversation unless it is slower by more than this.  Of what
 * is over in a moment, differences below some 50 ms are noise, and no reason to leave a cache. */
static float term_HOME(const struct scene *s)
{
    static const float LEAST_S = .2f;
    const float first_s = s->g->ttft_s - s->g->queue_s - s->g->load_s, rest_s = s->g->total_s - s->g->ttft_s;
    const float time_s = s->weight[POLICY_WEIGHT_FIRST] * first_s + s->weight[POLICY_WEIGHT_REST] * rest_s;
    return s->c->is_home ? -s->weight[POLICY_WEIGHT_HOME] * fmaxf(LEAST_S, time_s) : 0;
}
static float term_ENERGY(const struct scene *s) { return s->weight[POLICY_WEIGHT_JOULE] * s->joules; }
static float term_PRICE(const struct scene *s) { return s->weight[POLICY_WEIGHT_USD] * (s->g->usd > 0 ? s->g->usd : 0); }
static float term_HEAT(const struct scene *s)
{
    const float from_c = s->a->policy->setting[POLICY_HEADROOM_C];
    const float short_frac = s->node->headroom_c < from_c ? fminf(1, (from_c - s->node->headroom_c) / from_c) : 0; /* NAN: 0 */
    return s->weight[POLICY_WEIGHT_HEAT] * (short_frac * short_frac + (s->node->is_throttled ? 1 : 0));
}
static float term_BATTERY(const struct scene *s)
{
    if (!s->node->on_battery)
        return 0;
    const float empty_frac = s->node->battery_frac >= 0 && s->node->battery_frac <= 1 ? 1 - s->node->battery_frac : .5f;
    return s->weight[POLICY_WEIGHT_BATTERY] * s->joules * (1 + empty_frac);
}
static float term_QUALITY(const struct scene *s) { return s->weight[POLICY_WEIGHT_WRONG] * (1 - s->g->p_good); }
/* What was learned is a difference of chances, so it counts as QUALITY does; at most a share of the whole. */
static float term_LEARNED(const struct scene *s)
{
    const float most_s = s->a->policy->setting[POLICY_LEARNED_FRAC] * fabsf((float)s->so_far_us) * 1e-6f;
    return fmaxf(-most_s, fminf(most_s, -s->weight[POLICY_WEIGHT_WRONG] * s->gain));
}
/* Its answer is wrong with 1 - p, a check notices CATCH of that, and then costs what the bigger one does instead of a wrong answer. */
static float term_PROMOTION(const struct scene *s)
{
    if (!s->bigger)
        return 0;
    const float saved_s = s->weight[POLICY_WEIGHT_WRONG] - (float)s->bigger->score_us * 1e-6f;
    return saved_s > 0 ? -s->weight[POLICY_WEIGHT_CATCH] * (1 - s->g->p_good) * saved_s : 0;
}

static void score(struct route_verdict *v, struct scene *s)
{
    int64_t sum = 0;
#define X(id, word, what)                                       \
    s->so_far_us = sum;                                         \
    sum += v->term_us[ROUTE_TERM_##id] = us_of(term_##id(s));
    ROUTE_TERMS(X)
#undef X
    v->score_us = sum;
}

/* ---- small first ---- */

/* Of those whose chance is near the best, the one that scores best: who is asked when a smaller one failed. */
static int find_bigger(const struct route_decision *d, float best_p, float near)
{
    int big = -1;
    for (int k = 0; k < d->n_able; k++) {
        const struct route_verdict *v = &d->verdicts[d->order[k]];
        if (v->guess.p_good >= best_p - near && (big < 0 || v->score_us < d->verdicts[big].score_us))
            big = d->order[k];
    }
    return big;
}

/* Can the bigger one still answer in time and budget after the small one's answer was found wanting? */
static bool can_follow(const struct ask *a, const struct route_guess *small, const struct route_guess *big)
{
    const struct expert_wish *w = &a->wish;
    const float budget_s = w->deadline_s > 0 ? w->deadline_s : a->policy->setting[POLICY_PATIENCE_S];
    return small->total_s + big->total_s <= budget_s && !(w->ttft_s > 0 && small->total_s + big->ttft_s > w->ttft_s) &&
           !(w->budget_usd > 0 && small->usd + big->usd > w->budget_usd) && !(w->budget_joules > 0 && small->joules + big->joules > w->budget_joules);
}

/* ---- order ---- */

struct key {
    int64_t score_us;
    uint16_t i;
};
static bool is_before(struct key a, struct key b) { return a.score_us < b.score_us || (a.score_us == b.score_us && a.i < b.i); }

/* Best first; equal scores in the candidates' order.  Shell's sort: short lists, no recursion, no allocation. */
static void sort_order(struct route_decision *d)
{
    static const int gaps[] = { 57, 23, 10, 4, 1 };
    struct key keys[ROUTE_CANDIDATES_MAX];
    for (int k = 0; k < d->n_able; k++)
        keys[k] = (struct key){ d->verdicts[d->order[k]].score_us, d->order[k] };
    for (unsigned g = 0; g < sizeof(gaps) / sizeof(gaps[0]); g++)
        for (int k = gaps[g]; k < d->n_able; k++) {
            const struct key one = keys[k];
            int at = k;
            for (; at >= gaps[g] && is_before(one, keys[at - gaps[g]]); at -= gaps[g])
                keys[at] = keys[at - gaps[g]];
            keys[at] = one;
        }
    for (int k = 0; k < d->n_able; k++)
        d->order[k] = keys[k].i;
}

/* ---- who may ---- */

static void judge(const struct ask *a, const struct predictor *predictor, const struct candidates *world, const uint64_t *tried, struct route_decision *d)
{
    const float usd_per_kwh = a->policy->setting[POLICY_ELECTRICITY];
    for (int i = 0; i < d->n; i++) {
        const struct candidate *c = &world->list[i];
        struct route_verdict *v = &d->verdicts[i];
        predict(predictor, a->rq, &world->nodes[c->node], c, usd_per_kwh, &v->guess);
        v->guess.p_good = quality_p(&a->quality, c->quality);
        v->is_forgiven = false;
        v->rule = rules_first(a, c, &world->nodes[c->node], &v->guess, tried && (tried[i / 64] >> (i % 64) & 1));
    }
}

/* A wish for no lower step: who is weaker than one that the governor or quiet hours keep back may not stand in for it. */
static void refuse_stand_ins(const struct candidates *world, struct route_decision *d)
{
    float kept_back = 0;
    for (int i = 0; i < d->n; i++)
        if ((d->verdicts[i].rule == ROUTE_RULE_LADDER || d->verdicts[i].rule == ROUTE_RULE_QUIET) && world->list[i].quality > kept_back)
            kept_back = world->list[i].quality;
    for (int i = 0; i < d->n; i++)
        if (d->verdicts[i].rule == ROUTE_RULE_NONE && world->list[i].quality < kept_back)
            d->verdicts[i].rule = ROUTE_RULE_LADDER;
}

/* The best chance that is to be had without waiting for long: whoever is overrun raises nobody's standard. */
static float best_chance(const struct policy *p, const struct route_decision *d)
{
    float best = 0;
    for (int i = 0; i < d->n; i++) {
        const struct route_guess *g = &d->verdicts[i].guess;
        if (d->verdicts[i].rule == ROUTE_RULE_NONE && g->p_good > best && g->queue_s + g->load_s <= p->setting[POLICY_DIFFICULT_WAIT_S])
            best = g->p_good;
    }
    return best;
}

/* Nobody is left: those come back whom only the mildest of the soft rules excluded. */
static void forgive(const struct ask *a, struct route_decision *d)
{
    int mildest = ROUTE_RULE_NONE;
    for (int i = 0; i < d->n; i++) {
        const enum route_rule r = d->verdicts[i].rule;
        if (r == ROUTE_RULE_NONE)
            return;
        if (!route_rule_is_hard(r) && !(r == ROUTE_RULE_LADDER && a->wish.no_degrade) && (int)r > mildest)
            mildest = (int)r;
    }
    for (int i = 0; i < d->n; i++)
        d->verdicts[i].is_forgiven = mildest != ROUTE_RULE_NONE && (int)d->verdicts[i].rule == mildest;
}

void policy_decide(const struct policy *p, const struct predictor *predictor, const struct bandit *bandit, const struct route_request *rq,
                   const struct candidates *world, const uint64_t *tried, struct route_decision *d)
{
    struct ask a;
    struct bandit_context context;
    ask_of(&a, p, rq);
    if (bandit)
        bandit_context_of(rq, &context);
    d->n = world->n < ROUTE_CANDIDATES_MAX ? world->n : ROUTE_CANDIDATES_MAX;
    d->n_able = 0;
    d->early = a.early ? __builtin_ctz(a.early) : -1;
    d->difficulty_cut = p->difficulty_cut;
    d->is_difficult = a.is_difficult;
    d->is_small_first = false;
    d->promotion = -1;

    judge(&a, predictor, world, tried, d);
    if (a.wish.no_degrade)
        refuse_stand_ins(world, d);
    const float *weight = p->weight[(unsigned)rq->goal < ROUTE_GOAL_COUNT ? rq->goal : ROUTE_BALANCED];
    if (a.is_difficult && weight[POLICY_WEIGHT_STRICT] > 0) {
        a.least_p = best_chance(p, d) - p->setting[POLICY_DIFFICULT_LOSS];
        for (int i = 0; i < d->n; i++)
            if (d->verdicts[i].rule == ROUTE_RULE_NONE && rules_is_too_weak(&a, &world->list[i], &d->verdicts[i].guess))
                d->verdicts[i].rule = ROUTE_RULE_DIFFICULT;
    }
    forgive(&a, d);

    struct scene s = { .a = &a, .weight = weight };
    float best_p = 0;
    for (int i = 0; i < d->n; i++) {
        struct route_verdict *v = &d->verdicts[i];
        if (v->rule != ROUTE_RULE_NONE && !v->is_forgiven) {
            memset(v->term_us, 0, sizeof(v->term_us));
            v->score_us = 0;
            v->gain = 0;
            continue;
        }
        s.c = &world->list[i], s.node = &world->nodes[s.c->node], s.g = &v->guess;
        s.joules = v->guess.joules >= 0 ? v->guess.joules : p->setting[POLICY_ASSUMED_W] * v->guess.busy_s;
        s.gain = v->gain = bandit ? bandit_gain(bandit, s.c->kin > 0 ? s.c->kin - 1 : s.c->slot, &context) : 0;
        score(v, &s);
        d->order[d->n_able++] = (uint16_t)i;
        best_p = v->guess.p_good > best_p ? v->guess.p_good : best_p;
    }

    static const float NEAR_P = .03f;
    const int big = a.is_text && weight[POLICY_WEIGHT_CATCH] > 0 && d->n_able > 1 ? find_bigger(d, best_p, NEAR_P) : -1;
    for (int k = 0; big >= 0 && k < d->n_able; k++) {
        struct route_verdict *v = &d->verdicts[d->order[k]];
        s.c = &world->list[d->order[k]], s.g = &v->guess, s.bigger = &d->verdicts[big];
        if (d->order[k] == big || v->guess.p_good >= best_p - NEAR_P || v->guess.p_good < p->setting[POLICY_SMALL_FIRST_P] ||
            s.c->cls != ROUTE_CLASS_LLM || !can_follow(&a, s.g, &s.bigger->guess))
            continue;
        v->score_us += v->term_us[ROUTE_TERM_PROMOTION] = us_of(term_PROMOTION(&s));
    }
    sort_order(d);
    d->is_small_first = d->n_able > 1 && d->verdicts[d->order[0]].term_us[ROUTE_TERM_PROMOTION] < 0;
    d->promotion = d->is_small_first ? big : -1;
}

/* ---- for people ---- */

static int put_seconds(char *out, size_t max, float s)
{
    return snprintf(out, max, s < 1 ? "%.0f ms" : s < 100 ? "%.1f s" : "%.0f s", (double)(s < 1 ? s * 1e3f : s));
}

void policy_put_why(const struct route_request *rq, const struct candidates *world, const struct route_decision *d, char *out, size_t max)
{
    char first[24], total[24];
    if (!max)
        return;
    if (!d->n_able) { /* why those are out who came furthest through the rules */
        int furthest = ROUTE_RULE_NONE;
        for (int i = 0; i < d->n; i++)
            furthest = (int)d->verdicts[i].rule > furthest ? (int)d->verdicts[i].rule : furthest;
        snprintf(out, max, d->n ? "nobody can do it: %s" : "there are no experts%s", route_rule_why((enum route_rule)furthest));
        return;
    }
    const int i = d->order[0];
    const struct candidate *c = &world->list[i];
    const struct route_verdict *v = &d->verdicts[i];
    put_seconds(first, sizeof(first), v->guess.ttft_s);
    put_seconds(total, sizeof(total), v->guess.total_s);
    int n = (rq->task & (EXPERT_CHAT | EXPERT_COMPLETE))
                ? snprintf(out, max, "%s on %s: %s to the first word, %s in all", c->expert, world->nodes[c->node].name, first, total)
                : snprintf(out, max, "%s on %s: %s", c->expert, world->nodes[c->node].name, total);
    if (n > 0 && (size_t)n < max && v->guess.joules >= 0)
        n += snprintf(out + n, max - (size_t)n, v->guess.joules < 100 ? ", %.2g J" : ", %.0f J", (double)v->guess.joules);
    if (n > 0 && (size_t)n < max && v->is_forgiven)
        n += snprintf(out + n, max - (size_t)n, "; nobody else was left (%s)", route_rule_name(v->rule));
    if (n > 0 && (size_t)n < max && d->early >= 0)
        n += snprintf(out + n, max - (size_t)n, "; %s", route_early_name(d->early));
    if (n > 0 && (size_t)n < max && d->is_small_first)
        n += snprintf(out + n, max - (size_t)n, "; %s if that will not do", world->list[d->promotion].expert);
    else if (n > 0 && (size_t)n < max && d->n_able > 1) {
        const struct candidate *other = &world->list[d->order[1]];
        put_seconds(total, sizeof(total), d->verdicts[d->order[1]].guess.total_s);
        snprintf(out + n, max - (size_t)n, "; next %s on %s: %s", other->expert, world->nodes[other->node].name, total);
    }
}
