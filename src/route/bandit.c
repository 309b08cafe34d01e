/* route/bandit.c - see bandit.h; start at bandit_gain(). */
#include "route/bandit.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "route/lines_internal.h"

enum {
    BANDIT_CELLS = 0
#define X(id, word, n) + (n)
    BANDIT_FEATURES(X)
#undef X
};

static const struct {
    const char *word;
    int n;
} features[BANDIT_FEATURE_COUNT] = {
#define X(id, word, n) { word, n },
    BANDIT_FEATURES(X)
#undef X
};

struct cell {
    _Atomic float mean;   /* part of the gain; atomic: read while another thread learns */
    _Atomic float spread; /* 1 / sqrt(n + 1) */
    float n;              /* outcomes, faded */
};
enum { EVERYBODY = ROUTE_SLOTS_MAX, SLOTS };
struct bandit {
    uint64_t seed;
    _Atomic uint64_t n;
    float exploration;
    struct cell *_Atomic of[SLOTS]; /* [BANDIT_CELLS] each, made when something is learned; EVERYBODY: how far predictions are off for all alike */
};

/* ---- contexts ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

void bandit_context_of(const struct route_request *rq, struct bandit_context *out)
{
    const struct intent_answer *in = rq->intent;
    const uint64_t tok = rq->prompt_tok;
    const float d = in ? in->difficulty : 0;
    out->value[BANDIT_FEATURE_ALWAYS] = 0;
    out->value[BANDIT_FEATURE_INTENT] = (uint8_t)(in ? (int)in->best : INTENT_COUNT); /* the last: no text */
    out->value[BANDIT_FEATURE_DIFFICULTY] = (uint8_t)(d < .25f ? 0 : d < .5f ? 1 : d < .75f ? 2 : 3);
    out->value[BANDIT_FEATURE_LENGTH] = (uint8_t)(tok < 64 ? 0 : tok < 512 ? 1 : tok < 4096 ? 2 : 3);
    out->value[BANDIT_FEATURE_TIME] = (uint8_t)(rq->minute_of_day >= 0 && rq->minute_of_day < 1440 ? rq->minute_of_day / 360 : 0);
    uint64_t h = mix(0, rq->session);
    h = mix(h, tok);
    h = mix(h, rq->gen_tok << 16 | (uint64_t)rq->task);
    for (int i = 0; i < BANDIT_FEATURE_COUNT; i++)
        h = mix(h, out->value[i]);
    out->hash = h;
}

/* ---- asking ---- */

static float get(const _Atomic float *v) { return atomic_load_explicit(v, memory_order_relaxed); }
static void put(_Atomic float *v, float to) { atomic_store_explicit(v, to, memory_order_relaxed); }

/* About normal: four uniform 16-bit numbers (Irwin-Hall), mean 0, deviation 1, within +-3.47. */
static float noise(uint64_t h)
{
    const float sum = (float)(h & 0xffff) + (float)(h >> 16 & 0xffff) + (float)(h >> 32 & 0xffff) + (float)(h >> 48);
    return (sum / 65535 - 2) * 1.7320508f;
}

static float clamp(float v, float most) { return v > most ? most : v > -most ? v : -most; /* NAN: -most; it never is */ }

float bandit_gain(const struct bandit *b, int slot, const struct bandit_context *ctx)
{
    if (slot < 0 || slot >= ROUTE_SLOTS_MAX)
        return 0;
    const struct cell *cell = atomic_load_explicit(&b->of[slot], memory_order_acquire);
    float mean = 0, least = 1; /* the spread of what is known best of such requests */
    for (int i = 0, at = 0; cell && i < BANDIT_FEATURE_COUNT; at += features[i++].n) {
        const struct cell *c = &cell[at + ctx->value[i]];
        const float spread = get(&c->spread);
        mean += get(&c->mean);
        least = spread < least ? spread : least;
    }
    if (b->exploration > 0)
        mean += b->exploration * least * noise(mix(mix(mix(ctx->hash, b->seed), (uint64_t)slot + 1), atomic_load_explicit(&b->n, memory_order_relaxed)));
    return clamp(mean, 1);
}

/* ---- learning ---- */

static void set(struct cell *c, float mean, float n)
{
    put(&c->mean, clamp(mean, 1));
    put(&c->spread, 1 / sqrtf(n + 1));
    c->n = n;
}

static void forget(struct cell *cell)
{
    for (int i = 0; i < BANDIT_CELLS; i++)
        set(&cell[i], 0, 0);
}
void bandit_forget(struct bandit *b, int slot)
{
    if (slot >= 0 && slot < ROUTE_SLOTS_MAX && b->of[slot])
        forget(b->of[slot]);
}

/* NULL: no memory, so nothing is learned. */
static struct cell *cells_of(struct bandit *b, int slot)
{
    struct cell *cell = b->of[slot];
    if (!cell && (cell = calloc(BANDIT_CELLS, sizeof(*cell))) != NULL) {
        forget(cell);
        atomic_store_explicit(&b->of[slot], cell, memory_order_release);
    }
    return cell;
}

struct bandit *bandit_new(uint64_t seed, float exploration, struct err *err)
{
    struct bandit *b = calloc(1, sizeof(*b));
    if (!b)
        return err_null(err, ERR_NOMEM, "bandit: out of memory");
    b->seed = seed;
    b->exploration = exploration > 0 && exploration <= 1 ? exploration : 0;
    return b;
}
void bandit_free(struct bandit *b)
{
    for (int i = 0; b && i < SLOTS; i++)
        free(b->of[i]);
    free(b);
}
uint64_t bandit_n(const struct bandit *b) { return b->n; }

static float sum_of(const struct cell *cell, const struct bandit_context *ctx)
{
    float sum = 0;
    for (int i = 0, at = 0; i < BANDIT_FEATURE_COUNT; at += features[i++].n)
        sum += get(&cell[at + ctx->value[i]].mean);
    return clamp(sum, 1);
}

/* Each active feature takes its share of what the sum is still off (normalised least mean squares). */
static void learn(struct cell *cell, const struct bandit_context *ctx, float truth)
{
    const float off = truth - sum_of(cell, ctx);
    for (int i = 0, at = 0; i < BANDIT_FEATURE_COUNT; at += features[i++].n) {
        struct cell *c = &cell[at + ctx->value[i]];
        const float share = fmaxf(BANDIT_LEAST_SHARE, 1 / (c->n + BANDIT_PRIOR));
        set(c, get(&c->mean) + share * off / BANDIT_FEATURE_COUNT, fminf(c->n + 1, 1 / BANDIT_LEAST_SHARE));
    }
}

void bandit_observe(struct bandit *b, int slot, const struct bandit_context *ctx, float outcome, float p_good)
{
    if (slot < 0 || slot >= ROUTE_SLOTS_MAX || !(outcome >= 0 && outcome <= 1) || !(p_good >= 0 && p_good <= 1))
        return;
    struct cell *all = cells_of(b, EVERYBODY), *own = cells_of(b, slot);
    if (!all || !own)
        return;
    learn(all, ctx, outcome - p_good);
    learn(own, ctx, outcome - p_good - sum_of(all, ctx));
    b->n++;
}

void bandit_recall(struct bandit *b, int slot, float gain)
{
    bandit_forget(b, slot);
    struct cell *cell = slot >= 0 && slot < ROUTE_SLOTS_MAX ? cells_of(b, slot) : NULL;
    if (cell)
        put(&cell[0].mean, gain); /* of ALWAYS, which every request has */
}

/* ---- keeping ---- */

/* Everybody stands under a name that no expert has. */
static const char ALL[] = "*";

static void put_slot(const struct bandit *b, int slot, const char *expert, const char *node, struct buf *out)
{
    const struct cell *of = b->of[slot];
    for (int f = 0, at = 0; of && f < BANDIT_FEATURE_COUNT && out->len < LEARNED_BYTES_MAX; at += features[f++].n)
        for (int v = 0; v < features[f].n; v++) {
            const struct cell *cell = &of[at + v];
            if (cell->n > 0)
                buf_printf(out, "%s\t%s\t%s\t%d\t%.6g\t%.6g\n", expert, node, features[f].word, v, (double)get(&cell->mean), (double)cell->n);
        }
}

void bandit_put(const struct bandit *b, const struct candidates *world, struct buf *out)
{
    put_slot(b, EVERYBODY, ALL, ALL, out);
    for (int i = 0; i < world->n; i++)
        if (world->list[i].slot >= 0 && world->list[i].slot < ROUTE_SLOTS_MAX)
            put_slot(b, world->list[i].slot, world->list[i].expert, world->nodes[world->list[i].node].name, out);
}

struct taking {
    struct bandit *b;
    const struct candidates *world;
};
static bool take_line(void *ctx, const struct line *l)
{
    const struct taking *t = ctx;
    int f = 0, at = 0;
    while (f < BANDIT_FEATURE_COUNT && strcmp(l->word, features[f].word) != 0)
        at += features[f++].n;
    if (f == BANDIT_FEATURE_COUNT || !(l->number[0] >= 0 && l->number[0] < features[f].n) || !(l->number[2] > 0))
        return false;
    const float mean = (float)l->number[1], n = fminf((float)l->number[2], 1 / BANDIT_LEAST_SHARE);
    struct cell *cell = l->n_expert == 1 && l->expert[0] == ALL[0] ? cells_of(t->b, EVERYBODY) : NULL;
    if (cell)
        set(&cell[at + (int)l->number[0]], mean, n);
    for (int i = 0; i < t->world->n; i++)
        if (line_is_of(l, t->world, i) && (cell = cells_of(t->b, t->world->list[i].slot)) != NULL)
            set(&cell[at + (int)l->number[0]], mean, n);
    return true;
}

bool bandit_take(struct bandit *b, const struct candidates *world, const char *text, size_t n, struct err *err)
{
    return lines_take(text, n, "what was learned", take_line, &(struct taking){ b, world }, err);
}
