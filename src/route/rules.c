/* route/rules.c - one function for each rule and each early exit; see rules.h. */
#include "route/rules.h"

#include <math.h>
#include <string.h>

static const char *const early_names[] = {
#define X(id, word, what) word,
    ROUTE_EARLIES(X)
#undef X
};
static const char *const early_whats[] = {
#define X(id, word, what) what,
    ROUTE_EARLIES(X)
#undef X
};
const char *route_early_name(int e) { return (unsigned)e < ROUTE_EARLY_COUNT ? early_names[e] : ""; }
const char *route_early_what(int e) { return (unsigned)e < ROUTE_EARLY_COUNT ? early_whats[e] : ""; }

/* ---- early exits: does it apply? ---- */

static bool early_AIRGAP(const struct ask *a) { return a->farthest == EXPERT_LOCAL; }
static bool early_PICTURE(const struct ask *a) { return a->needs_sight; }
static bool early_SOUND(const struct ask *a) { return a->needs_hearing; }
static bool early_SHORT(const struct ask *a)
{
    const struct route_request *rq = a->rq;
    const float *set = a->policy->setting;
    const uint64_t answer_tok = rq->max_gen_tok ? rq->max_gen_tok : rq->gen_tok;
    if (!a->is_text || a->needs_sight || a->needs_hearing || rq->goal == ROUTE_BEST || a->wish.quality > 0 || a->is_difficult)
        return false;
    if (rq->intent && !rq->intent->degrade_ok && !(a->difficulty < rq->intent->difficulty)) /* (too few words: easy) */
        return false;
    return (float)rq->prompt_tok < set[POLICY_SHORT_PROMPT_TOK] && (float)answer_tok < set[POLICY_SHORT_ANSWER_TOK];
}

/* Too few words ("Hello") tell nothing about difficulty: an easy one. */
static float difficulty_of(const struct route_request *rq)
{
    enum { FEW_TOK = 6 };
    static const float EASY = .2f;
    const float d = rq->intent->difficulty;
    return rq->features && rq->features->turn_tok < FEW_TOK && d > EASY ? EASY : d;
}

void ask_of(struct ask *a, const struct policy *p, const struct route_request *rq)
{
    const struct features *f = rq->features;
    memset(a, 0, sizeof(*a));
    a->policy = p;
    a->rq = rq;
    if (rq->wish)
        a->wish = *rq->wish;
    a->farthest = EXPERT_CLOUD;
    if (f && f->is_private)
        a->farthest = (enum expert_privacy)p->setting[POLICY_SECRETS_TO];
    if (a->wish.security == WISH_LAN && a->farthest > EXPERT_LAN)
        a->farthest = EXPERT_LAN;
    if (a->wish.security == WISH_LOCAL || rq->goal == ROUTE_PRIVATE)
        a->farthest = EXPERT_LOCAL;
    a->is_text = (rq->task & (EXPERT_CHAT | EXPERT_COMPLETE)) != 0;
    a->needs_sight = a->is_text && rq->needs_sight;
    a->needs_hearing = a->is_text && rq->needs_hearing;
    a->difficulty = a->is_text && rq->intent ? difficulty_of(rq) : (float)NAN;
    a->is_difficult = a->difficulty > p->difficulty_cut; /* NAN: no */
    a->need_ctx = rq->prompt_tok < UINT64_MAX - rq->gen_tok ? rq->prompt_tok + (rq->gen_tok ? rq->gen_tok : 1) : UINT64_MAX;
    for (int i = 0; i < p->n_quiet; i++)
        if (policy_is_within(&p->quiet[i], rq->minute_of_day))
            a->quiet[a->n_quiet++] = &p->quiet[i];
    a->quality = quality_of(&p->quality, rq->intent ? rq->intent->best : INTENT_CHAT, a->difficulty);
#define X(id, word, what) a->early |= (uint32_t)early_##id(a) << ROUTE_EARLY_##id;
    ROUTE_EARLIES(X)
#undef X
}

/* ---- rules: does it exclude? ---- */

struct look { /* what a rule sees */
    const struct ask *a;
    const struct candidate *c;
    const struct route_node *node;
    const struct route_guess *guess;
    bool was_tried;
};

static bool rule_TASK(const struct look *l) { return !(l->c->tasks & l->a->rq->task); }
static bool rule_SIGHT(const struct look *l) { return l->a->needs_sight && !l->c->sees; }
static bool rule_HEARING(const struct look *l) { return l->a->needs_hearing && !l->c->hears; }
static bool rule_TOOLS(const struct look *l) { return l->a->rq->needs_tools && l->a->is_text && !l->c->knows_tools; }
static bool rule_PRIVACY(const struct look *l) { return l->c->privacy > l->a->farthest || l->node->distance > l->a->farthest; }
static bool rule_CONTEXT(const struct look *l) { return l->c->n_ctx > 0 && l->a->is_text && l->a->need_ctx > (uint64_t)l->c->n_ctx; }
static bool rule_DOWN(const struct look *l) { return !l->c->is_up || !l->node->is_up; }
static bool rule_TIER(const struct look *l) { return l->a->wish.quality > 0 && !(l->c->quality >= l->a->wish.quality); }
static bool rule_TRIED(const struct look *l) { return l->was_tried; }
static bool rule_BUDGET(const struct look *l) /* what is not known passes: nobody could be asked otherwise */
{
    return (l->a->wish.budget_usd > 0 && l->guess->usd > l->a->wish.budget_usd) || (l->a->wish.budget_joules > 0 && l->guess->joules > l->a->wish.budget_joules);
}
static bool rule_LADDER(const struct look *l) { return l->c->step < l->node->step[l->c->cls]; }
static bool rule_QUIET(const struct look *l)
{
    for (int i = 0; i < l->a->n_quiet; i++) {
        const struct policy_quiet *q = l->a->quiet[i];
        if (q->node[0] ? strcmp(q->node, l->node->name) != 0 : l->node->distance == EXPERT_CLOUD)
            continue;
        if (l->c->busy_w > q->max_busy_w || l->c->step < q->min_step[l->c->cls])
            return true;
    }
    return false;
}
static bool rule_DEADLINE(const struct look *l) { return l->a->wish.deadline_s > 0 && l->guess->total_s > l->a->wish.deadline_s; }
static bool rule_EARLY(const struct look *l)
{
    return (l->a->early & 1u << ROUTE_EARLY_SHORT) && l->c->cls == ROUTE_CLASS_LLM && l->c->quality > l->a->policy->setting[POLICY_SMALL_TIER];
}
static bool rule_DIFFICULT(const struct look *l) { return l->guess->p_good < l->a->least_p; }

enum route_rule rules_first(const struct ask *a, const struct candidate *c, const struct route_node *node, const struct route_guess *guess, bool was_tried)
{
    const struct look l = { a, c, node, guess, was_tried };
#define X(id, word, kind, why)   \
    if (rule_##id(&l))           \
        return ROUTE_RULE_##id;
    ROUTE_RULES(X)
#undef X
    return ROUTE_RULE_NONE;
}

bool rules_is_too_weak(const struct ask *a, const struct candidate *c, const struct route_guess *guess)
{
    return rule_DIFFICULT(&(struct look){ .a = a, .c = c, .guess = guess });
}
