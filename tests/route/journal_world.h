/* tests/route/journal_world.h - random worlds, requests and decisions for the journal's tests.  What is not known is NAN now and then.
 * Members are set one by one in memory of zeros, so that what was read back can be compared byte by byte. */
#ifndef TUTTI_TESTS_ROUTE_JOURNAL_WORLD_H
#define TUTTI_TESTS_ROUTE_JOURNAL_WORLD_H
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "route/journal.h"
#include "test.h"

struct world {
    struct route_node nodes[ROUTE_NODES_MAX];
    struct candidate list[ROUTE_CANDIDATES_MAX];
    struct candidates all;
    struct expert_wish wish;
    struct features features;
    struct intent_answer intent;
    struct route_request request;
    struct route_decision decision;
};

static inline unsigned any(unsigned n) { return (unsigned)(test_rand_u64() % n); }
static inline bool maybe(void) { return any(2); }
static inline float upto(float max) { return any(8) ? (test_rand_f32() + 1) / 2 * max : any(2) ? 0 : max; }
static inline float upto_or_nan(float max) { return any(4) ? upto(max) : NAN; }

static inline void random_nodes(struct world *w)
{
    for (int i = 0; i < w->all.n_nodes; i++) {
        struct route_node *n = &w->nodes[i];
        n->distance = any(EXPERT_PRIVACY_COUNT), n->is_up = any(8) != 0, n->rtt_s = upto(.2f),
        n->link_bytes_s = i ? upto(1e8f) + 1 : INFINITY, n->idle_w = upto_or_nan(20), n->usd_per_kwh = upto_or_nan(.5f),
        n->is_throttled = !any(6), n->temperature_c = upto_or_nan(100), n->headroom_c = upto_or_nan(40), n->power_w = upto_or_nan(200),
        n->battery_frac = upto_or_nan(1), n->on_battery = maybe(), n->memory_free_bytes = upto_or_nan(1e11f),
        n->pressure_frac = upto_or_nan(1), n->busy_frac = upto_or_nan(1);
        snprintf(n->name, sizeof(n->name), "node-%d", i);
        for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
            n->step[c] = any(4) ? 0 : (uint8_t)any(4);
    }
}

static inline void random_candidates(struct world *w)
{
    for (int i = 0; i < w->all.n; i++) {
        struct candidate *c = &w->list[i];
        c->node = (int)any((unsigned)w->all.n_nodes), c->slot = i, c->tasks = (unsigned)test_rand_u64() & ((1u << EXPERT_TASK_COUNT) - 1),
        c->sees = maybe(), c->hears = maybe(), c->knows_tools = maybe(), c->quality = upto(10), c->n_ctx = (int)any(100000),
        c->params = (double)upto(1e11f), c->bits = upto(16), c->input_px = (int)any(1280), c->step = (uint8_t)any(4), c->fixed_s = upto(.1f),
        c->prefill_tok_s = upto(4000), c->decode_tok_s = upto(200), c->item_s = upto(1), c->sound_s_s = upto(1), c->load_s = upto(20),
        c->busy_w = upto_or_nan(300), c->usd_per_mtok_in = upto(10), c->usd_per_mtok_out = upto(30), c->usd_per_item = upto(.01f),
        c->is_measured = maybe(), c->is_up = any(6) != 0, c->is_warm = maybe(), c->n_running = (int)any(4), c->n_waiting = (int)any(8),
        c->n_parallel = 1 + (int)any(8), c->wait_s = upto_or_nan(30), c->prefix_tok = any(2000);
        c->cls = any(ROUTE_CLASS_COUNT);
        c->tasks |= maybe() ? EXPERT_CHAT : 0;
        c->privacy = w->nodes[c->node].distance;
        c->is_accelerated = maybe();
        snprintf(c->kind, sizeof(c->kind), "%s", maybe() ? "llm" : "");
        snprintf(c->expert, sizeof(c->expert), "expert-%d-%s", i, maybe() ? "8b-q4_k_m" : "\xc3\xa4");
    }
}

static inline void random_request(struct world *w)
{
    static const char *const languages[] = { "en", "de", "zh", "und" };
    float sum = 0;
    w->wish.security = any(3), w->wish.deadline_s = maybe() ? upto(60) : 0, w->wish.ttft_s = maybe() ? upto(5) : 0,
    w->wish.budget_usd = maybe() ? upto(1) : 0, w->wish.budget_joules = maybe() ? upto(1000) : 0, w->wish.quality = maybe() ? upto(10) : 0,
    w->wish.no_degrade = maybe();
    w->features.media = any(32), w->features.n_text_bytes = test_rand_u64() >> any(64), w->features.n_read_bytes = any(6144),
    w->features.prompt_tok = any(10000), w->features.turn_tok = any(1000), w->features.n_lines = (int)any(100),
    w->features.n_sentences = (int)any(100), w->features.n_questions = (int)any(9), w->features.n_fences = (int)any(9),
    w->features.n_words = (int)any(900), w->features.code = any(CODE_COUNT), w->features.code_frac = upto(1), w->features.has_json = maybe(),
    w->features.wants_json = maybe(), w->features.has_tools = maybe(), w->features.has_url = maybe(), w->features.has_digits = maybe(),
    w->features.secrets = any(128), w->features.is_private = !any(6);
    snprintf(w->features.language.code, sizeof(w->features.language.code), "%s", languages[any(4)]);
    w->features.language.confidence = upto(1);
    w->intent.best = any(INTENT_COUNT), w->intent.second = any(INTENT_COUNT), w->intent.difficulty = upto(1), w->intent.degrade_ok = maybe();
    for (int i = 0; i < INTENT_COUNT; i++)
        sum += w->intent.p[i] = upto(1) + 1e-6f;
    for (int i = 0; i < INTENT_COUNT; i++)
        w->intent.p[i] /= sum;
    w->request.task = any(3) ? EXPERT_CHAT : (enum expert_task)(1u << any(EXPERT_TASK_COUNT)), w->request.goal = any(ROUTE_GOAL_COUNT),
    w->request.wish = maybe() ? &w->wish : NULL, w->request.features = any(8) ? &w->features : NULL,
    w->request.intent = any(4) ? &w->intent : NULL, w->request.prompt_tok = any(30000), w->request.gen_tok = any(4000),
    w->request.max_gen_tok = any(4000), w->request.n_items = (int)any(4), w->request.sound_s = upto(60), w->request.n_bytes = any(10000000),
    w->request.needs_sight = !any(6), w->request.needs_hearing = !any(6), w->request.needs_tools = !any(6),
    w->request.session = test_rand_u64(), w->request.minute_of_day = (int)any(1440);
}

/* What a policy could have said; terms that add up. */
static inline void random_decision(struct world *w)
{
    struct route_decision *d = &w->decision;
    memset(d, 0, sizeof(*d));
    d->n = w->all.n, d->n_able = w->all.n ? (int)any((unsigned)w->all.n + 1) : 0;
    d->early = (int)any(4) - 1, d->difficulty_cut = upto(1), d->is_difficult = maybe(), d->is_small_first = maybe();
    d->promotion = (int)any((unsigned)w->all.n + 1) - 1;
    for (int i = 0; i < d->n_able; i++)
        d->order[i] = (uint16_t)any((unsigned)w->all.n);
    for (int i = 0; i < d->n; i++) {
        struct route_verdict *v = &d->verdicts[i];
        v->rule = (enum route_rule)((int)any(ROUTE_RULE_COUNT + 1) - 1);
        v->is_forgiven = maybe();
        for (int k = 0; k < ROUTE_FACTORS; k++)
            v->guess.factor[k] = i % 2 ? upto(4) : 1;
        v->gain = v->rule == ROUTE_RULE_NONE || v->is_forgiven ? test_rand_f32() : 0;
        for (int t = 0; t < ROUTE_TERM_COUNT && (v->rule == ROUTE_RULE_NONE || v->is_forgiven); t++)
            v->score_us += v->term_us[t] = (int64_t)(test_rand_u64() >> 8) >> any(56);
        v->guess.ttft_s = upto(10), v->guess.total_s = upto(100), v->guess.queue_s = upto(10), v->guess.load_s = upto(10), v->guess.joules = upto_or_nan(100),
        v->guess.usd = upto_or_nan(1), v->guess.p_good = upto(1), v->guess.prefix_s = upto(1), v->guess.busy_s = upto(10), v->guess.is_measured = maybe();
    }
}

/* n 0: as many as it happens to be. */
static inline void random_world(struct world *w, int n_nodes, int n)
{
    memset(w, 0, sizeof(*w));
    w->all = (struct candidates){ .nodes = w->nodes, .n_nodes = n_nodes ? n_nodes : 1 + (int)any(8), .list = w->list, .n = n ? n : (int)any(40) };
    random_nodes(w);
    random_candidates(w);
    random_request(w);
    random_decision(w);
}

/* NULL or what differs between what was journalled and what was read. */
static inline const char *difference(const struct world *w, const struct journal_entry *e)
{
    struct route_request a, b;
    memcpy(&a, &w->request, sizeof(a)), memcpy(&b, &e->request, sizeof(b));
    if (a.wish ? !b.wish || memcmp(a.wish, b.wish, sizeof(*a.wish)) != 0 : b.wish != NULL)
        return "wish";
    if (a.features ? !b.features || memcmp(a.features, b.features, sizeof(*a.features)) != 0 : b.features != NULL)
        return "features";
    if (a.intent ? !b.intent || memcmp(a.intent, b.intent, sizeof(*a.intent)) != 0 : b.intent != NULL)
        return "intent";
    a.wish = b.wish = NULL, a.features = b.features = NULL, a.intent = b.intent = NULL;
    if ((a.session != 0) != (b.session != 0) || (a.session && a.session == b.session))
        return "session"; /* kept under another number */
    a.session = b.session = 0;
    if (memcmp(&a, &b, sizeof(a)) != 0)
        return "request";
    if (w->all.n != e->world.n || w->all.n_nodes != e->world.n_nodes)
        return "world";
    if (memcmp(w->nodes, e->world.nodes, (size_t)w->all.n_nodes * sizeof(*w->nodes)) != 0)
        return "nodes";
    if (memcmp(w->list, e->world.list, (size_t)w->all.n * sizeof(*w->list)) != 0)
        return "candidates";
    const struct route_decision *d = &w->decision, *f = &e->decision;
    if (d->n != f->n || d->n_able != f->n_able || d->early != f->early || d->is_difficult != f->is_difficult || d->is_small_first != f->is_small_first || d->promotion != f->promotion ||
        memcmp(&d->difficulty_cut, &f->difficulty_cut, sizeof(float)) != 0 || memcmp(d->order, f->order, (size_t)d->n_able * sizeof(*d->order)) != 0)
        return "decision";
    if (memcmp(d->verdicts, f->verdicts, (size_t)d->n * sizeof(*d->verdicts)) != 0)
        return "verdicts";
    return NULL;
}
#endif
