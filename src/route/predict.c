/* route/predict.c - see predict.h; start at predict(). */
#include "route/predict.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "route/lines_internal.h"

static const unsigned TEXT_TASKS = EXPERT_CHAT | EXPERT_COMPLETE, SOUND_TASKS = EXPERT_TRANSCRIBE | EXPERT_SPEAK;
static const unsigned PICTURE_TASKS = EXPERT_CLASSIFY | EXPERT_DETECT | EXPERT_FACES | EXPERT_SEGMENT | EXPERT_OCR | EXPERT_DESCRIBE | EXPERT_EMBED_IMAGE;

struct correction {
    _Atomic float factor; /* read while another thread learns; each value is right by itself */
    float mean, deviation; /* of logs */
    _Atomic uint32_t n;
};
enum { PAGE_SLOTS = 64 };
struct page { /* made when the first of its slots learns something */
    struct correction at[PAGE_SLOTS][PREDICT_KIND_COUNT];
};
struct predictor {
    struct page *_Atomic pages[ROUTE_SLOTS_MAX / PAGE_SLOTS];
};

static const char *const kinds[PREDICT_KIND_COUNT] = {
#define X(id, word) word,
    PREDICT_KINDS(X)
#undef X
};

_Static_assert((int)PREDICT_KIND_COUNT == (int)ROUTE_FACTORS, "a guess holds all its corrections");

/* ---- one request on one candidate ---- */

static const struct correction *corrections_of(const struct predictor *p, int slot)
{
    const struct page *page = p && slot >= 0 && slot < ROUTE_SLOTS_MAX ? atomic_load_explicit(&p->pages[slot / PAGE_SLOTS], memory_order_acquire) : NULL;
    return page ? page->at[slot % PAGE_SLOTS] : NULL;
}
static float factor_of(const struct correction *k, enum predict_kind kind) { return k ? atomic_load_explicit(&k[kind].factor, memory_order_relaxed) : 1; }

static float known(float v) { return v > 0 ? v : 0; } /* NAN, too */

void predict(const struct predictor *p, const struct route_request *rq, const struct route_node *node, const struct candidate *c, float usd_per_kwh,
             struct route_guess *out)
{
    const struct correction *k = corrections_of(p, c->slot);
    const float f_ttft = factor_of(k, PREDICT_TTFT), f_prefill = factor_of(k, PREDICT_PREFILL), f_decode = factor_of(k, PREDICT_DECODE);
    const bool is_text = (c->tasks & rq->task & TEXT_TASKS) != 0;
    const float prefill = c->prefill_tok_s > 0 ? c->prefill_tok_s : is_text ? PREDICT_PREFILL_TOK_S : INFINITY;
    const float decode = c->decode_tok_s > 0 ? c->decode_tok_s : is_text ? PREDICT_DECODE_TOK_S : INFINITY;
    const float tok_s = f_ttft * f_prefill / prefill;
    const float prompt_tok = (float)rq->prompt_tok, gen_tok = (float)rq->gen_tok;
    const float item_s = c->item_s > 0 ? c->item_s : c->tasks & rq->task & PICTURE_TASKS ? PREDICT_ITEM_S : 0;
    const float sound_s_s = c->sound_s_s > 0 ? c->sound_s_s : c->tasks & rq->task & SOUND_TASKS ? PREDICT_SOUND_S_S : 0;
    const float sound = known(rq->sound_s), begin = sound < 1 ? sound : 1;
    const float there_s = known(node->rtt_s) + (rq->n_bytes && node->link_bytes_s > 0 ? (float)rq->n_bytes / node->link_bytes_s : 0);
    const float fresh_s = known(c->fixed_s) + (rq->n_items > 0 ? item_s : 0) + sound_s_s * begin;
    const float cached_tok = c->prefix_tok && prompt_tok > 1 ? fminf((float)c->prefix_tok, prompt_tok - 1) : 0;
    const float first_s = f_ttft * (there_s + fresh_s) + tok_s * prompt_tok;
    const float rest_s = f_decode * ((gen_tok > 1 ? (gen_tok - 1) / decode : 0) + (rq->n_items > 1 ? (float)(rq->n_items - 1) * item_s : 0) +
                                     sound_s_s * (sound - begin));
    const float saved_s = tok_s * cached_tok;
    const float work_s = first_s - f_ttft * there_s - saved_s + rest_s;
    const int n_parallel = c->n_parallel > 0 ? c->n_parallel : 1, n_ahead = c->n_running + c->n_waiting - n_parallel + 1;
    const int n_beside = c->n_running < n_parallel ? c->n_running : n_parallel - 1;
    const float wait_s = c->wait_s >= 0 ? c->wait_s : n_ahead > 0 ? (float)n_ahead * work_s / (float)n_parallel : 0; /* NAN: by the counts */

    out->queue_s = wait_s + (node->distance == EXPERT_CLOUD ? 0 : PREDICT_BESIDE_FRAC * (float)n_beside * work_s);
    out->load_s = c->is_warm ? 0 : known(c->load_s);
    out->prefix_s = saved_s;
    out->ttft_s = out->queue_s + out->load_s + first_s - saved_s;
    out->total_s = out->ttft_s + rest_s;
    out->busy_s = out->load_s + work_s;
    out->joules = factor_of(k, PREDICT_JOULES) * c->busy_w * out->busy_s; /* NAN stays */
    const float usd = c->usd_per_mtok_in * (prompt_tok - cached_tok) * 1e-6f + c->usd_per_mtok_out * gen_tok * 1e-6f + c->usd_per_item * (float)rq->n_items;
    const float kwh_usd = node->usd_per_kwh >= 0 ? node->usd_per_kwh : usd_per_kwh;
    out->usd = !isnan(out->joules) ? usd + out->joules * kwh_usd / 3.6e6f : usd > 0 ? usd : NAN;
    for (int i = 0; i < PREDICT_KIND_COUNT; i++)
        out->factor[i] = factor_of(k, (enum predict_kind)i);
    out->is_measured = c->is_measured || (k && k[PREDICT_TTFT].n >= 3);
}

/* ---- what to expect of a text ---- */

static const uint16_t usual_tok[INTENT_COUNT] = {
#define X(id, word, degrade, tok, ...) tok,
    INTENTS(X)
#undef X
};

uint64_t predict_gen_tok(const struct intent_answer *intent, uint64_t turn_tok, uint64_t max_gen_tok)
{
    uint64_t tok = usual_tok[intent ? intent->best : INTENT_CHAT];
    if (intent && intent->best == INTENT_CODE && turn_tok > tok)
        tok = turn_tok < 2000 ? turn_tok : 2000; /* code that is to be changed comes back whole */
    return max_gen_tok && max_gen_tok < tok ? max_gen_tok : tok;
}

void route_request_of(struct route_request *rq, enum expert_task task, enum route_goal goal, const struct expert_wish *wish, const struct features *features,
                      const struct intent_answer *intent, uint64_t max_gen_tok)
{
    *rq = (struct route_request){ .task = task, .goal = goal, .wish = wish, .features = features, .intent = intent, .max_gen_tok = max_gen_tok };
    rq->prompt_tok = features->prompt_tok;
    rq->gen_tok = (unsigned)task & TEXT_TASKS ? predict_gen_tok(intent, features->turn_tok, max_gen_tok) : 0;
    if ((unsigned)task & TEXT_TASKS) {
        rq->needs_sight = (features->media & (MEDIUM_PICTURE | MEDIUM_VIDEO)) != 0;
        rq->needs_hearing = (features->media & MEDIUM_SOUND) != 0;
        rq->needs_tools = features->has_tools;
    }
}

/* ---- learning ---- */

struct predictor *predictor_new(struct err *err)
{
    struct predictor *p = calloc(1, sizeof(*p));
    return p ? p : err_null(err, ERR_NOMEM, "predictor: out of memory");
}

void predictor_free(struct predictor *p)
{
    for (int i = 0; p && i < ROUTE_SLOTS_MAX / PAGE_SLOTS; i++)
        free(p->pages[i]);
    free(p);
}

static const float LOG_MAX = 2.7725887f; /* log 16 */

static void set(struct correction *k, float mean, float deviation, uint32_t n)
{
    k->mean = fmaxf(-LOG_MAX, fminf(LOG_MAX, mean));
    k->deviation = fmaxf(.05f, fminf(LOG_MAX, deviation));
    k->n = n;
    atomic_store_explicit(&k->factor, k->n ? expf(k->mean) : 1, memory_order_relaxed);
}

static void forget(struct correction *k)
{
    for (int i = 0; i < PREDICT_KIND_COUNT; i++)
        set(&k[i], 0, 1, 0);
}
void predictor_forget(struct predictor *p, int slot)
{
    if (corrections_of(p, slot))
        forget(p->pages[slot / PAGE_SLOTS]->at[slot % PAGE_SLOTS]);
}

/* NULL: no such slot, or no memory, so nothing is learned. */
static struct correction *corrections_to(struct predictor *p, int slot)
{
    if (slot < 0 || slot >= ROUTE_SLOTS_MAX)
        return NULL;
    struct page *page = p->pages[slot / PAGE_SLOTS];
    if (!page && (page = calloc(1, sizeof(*page))) != NULL) {
        for (int i = 0; i < PAGE_SLOTS; i++)
            forget(page->at[i]);
        atomic_store_explicit(&p->pages[slot / PAGE_SLOTS], page, memory_order_release);
    }
    return page ? page->at[slot % PAGE_SLOTS] : NULL;
}

void predictor_observe(struct predictor *p, int slot, enum predict_kind kind, float predicted, float actual)
{
    struct correction *all = (unsigned)kind < PREDICT_KIND_COUNT && predicted > 0 && actual > 0 && !isinf(predicted) && !isinf(actual) ? corrections_to(p, slot) : NULL;
    if (!all)
        return;
    struct correction *k = &all[kind];
    const float far = 3 * k->deviation, off = fmaxf(-far, fminf(far, logf(actual / predicted)));
    const float share = fmaxf(1.f / 16, 1 / ((float)k->n + 2)); /* + 1 for the estimate that we began with */
    set(k, k->mean + share * off, k->deviation + share * (fabsf(off) - k->deviation), k->n < UINT32_MAX ? k->n + 1 : k->n);
}

float predictor_factor(const struct predictor *p, int slot, enum predict_kind kind) { return factor_of(corrections_of(p, slot), kind); }

uint32_t predictor_n(const struct predictor *p, int slot, enum predict_kind kind)
{
    const struct correction *k = corrections_of(p, slot);
    return k ? k[kind].n : 0;
}

void predictor_recall(struct predictor *p, int slot, const struct route_guess *g)
{
    struct correction *k = corrections_to(p, slot);
    for (int i = 0; k && i < PREDICT_KIND_COUNT; i++) {
        k[i].n = g->is_measured ? 3 : 0;
        atomic_store_explicit(&k[i].factor, g->factor[i], memory_order_relaxed);
    }
}

/* ---- keeping ---- */

void predictor_put(const struct predictor *p, const struct candidates *world, struct buf *out)
{
    for (int i = 0; i < world->n && out->len < LEARNED_BYTES_MAX; i++) {
        const struct candidate *c = &world->list[i];
        const struct correction *k = corrections_of(p, c->slot);
        for (int kind = 0; k && kind < PREDICT_KIND_COUNT; kind++)
            if (k[kind].n)
                buf_printf(out, "%s\t%s\t%s\t%.6g\t%.6g\t%u\n", c->expert, world->nodes[c->node].name, kinds[kind], (double)k[kind].mean, (double)k[kind].deviation, k[kind].n);
    }
}

struct taking {
    struct predictor *p;
    const struct candidates *world;
};
static bool take_line(void *ctx, const struct line *l)
{
    const struct taking *t = ctx;
    int kind = 0;
    while (kind < PREDICT_KIND_COUNT && strcmp(l->word, kinds[kind]) != 0)
        kind++;
    if (kind == PREDICT_KIND_COUNT || !(l->number[2] >= 1 && l->number[2] <= 4e9))
        return false;
    for (int i = 0; i < t->world->n; i++) {
        struct correction *k = line_is_of(l, t->world, i) ? corrections_to(t->p, t->world->list[i].slot) : NULL;
        if (k)
            set(&k[kind], (float)l->number[0], (float)l->number[1], (uint32_t)l->number[2]);
    }
    return true;
}

bool predictor_take(struct predictor *p, const struct candidates *world, const char *text, size_t n, struct err *err)
{
    return lines_take(text, n, "corrections", take_line, &(struct taking){ p, world }, err);
}
