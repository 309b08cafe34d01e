/* advise/recommend.c - what to buy; start reading at recommend_new(). */
#include "advise/recommend.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advise/model.h"
#include "advise/recommend_internal.h"

enum { ARENA_BYTES = 8 << 20, OFFERS_MAX = 64 };

const struct recommend_use_case recommend_uses[RECOMMEND_USE_COUNT] = {
#define X(id, name, size, ctx, what) { name, size, ctx, what },
    RECOMMEND_USES(X)
#undef X
};
const double recommend_factors[RECOMMEND_UPGRADES] = { 2, 5, 10 };

static const struct recommend_use_case *find_use(const char *name, struct err *err)
{
    for (int i = 0; i < RECOMMEND_USE_COUNT; i++)
        if (strcmp(recommend_uses[i].name, name) == 0)
            return &recommend_uses[i];
    return err_null(err, ERR_INPUT, "use case '%.40s': one of classify, chat, rag, code, reason, agents is wanted", name);
}

/* The dense language model of the catalog whose size is nearest to size_b and that has such contexts; of equals the newest. */
static const struct catalog_row *nearest_model(const struct catalog_table *t, double size_b, int ctx_tok)
{
    const struct catalog_row *best = NULL;
    double best_off = INFINITY;
    for (int i = 0; i < catalog_n_rows(t); i++) {
        const struct catalog_row *m = catalog_row(t, i);
        const double off = fabs(log(catalog_number(m, "params_b") / size_b));
        if (strcmp(catalog_text(m, "task"), "llm") != 0 || catalog_number_or(m, "n_experts", 0) > 0 || !(catalog_number(m, "n_layers") > 0) || isnan(off) ||
            catalog_number_or(m, "ctx_tok", ctx_tok) < ctx_tok)
            continue;
        if (off < best_off - 0.02 || (off < best_off + 0.02 && best && catalog_date(m, "date") > catalog_date(best, "date"))) {
            best = m;
            best_off = fmin(off, best_off);
        }
    }
    return best;
}

static bool set_model(struct recommend *r, struct catalog *c, const struct recommend_ask *ask, struct err *err)
{
    const struct catalog_table *t = catalog_table(c, "model", err);
    const struct recommend_use_case *use = t ? find_use(ask->use_case ? ask->use_case : "chat", err) : NULL;
    struct plan_model *m = &r->model;
    if (!use)
        return false;
    r->ctx_tok = ask->ctx_tok > 0 ? ask->ctx_tok : use->ctx_tok;
    if (ask->model) {
        if (!advise_model_find(m, c, ask->model, ask->quant, err))
            return false;
    } else {
        const struct catalog_row *row = nearest_model(t, isnan(ask->size_b) ? use->size_b : ask->size_b, r->ctx_tok);
        if (!row)
            return err_set(err, ERR_NOT_FOUND, "no model of that size in the catalog");
        if (!advise_model_of_row(m, row, ask->quant, err))
            return false;
    }
    if (!(m->weight_bytes > 0) || !(m->params > 0))
        return err_set(err, ERR_INPUT, "quantization '%.20s': not known; Q4_K_M, Q8_0, F16 are some", ask->quant);
    if (m->n_ctx_train > 0 && r->ctx_tok > m->n_ctx_train)
        return err_set(err, ERR_INPUT, "%s: made for contexts up to %d tokens, %d are asked", m->name, m->n_ctx_train, r->ctx_tok);
    return true;
}

static bool set_dock(struct recommend *r, struct catalog *c, const struct recommend_ask *ask, struct err *err)
{
    r->limits = ask->limits;
    if (!ask->dock)
        return true;
    const struct catalog_table *t = catalog_table(c, "dock", err);
    r->dock_row = t ? catalog_find(t, ask->dock, err) : NULL;
    if (!r->dock_row)
        return false;
    struct rec_request *l = &r->limits;
    l->connector_w = fmin(l->connector_w, catalog_number_or(r->dock_row, "safe_gpu_w", INFINITY));
    l->supply_w = fmin(l->supply_w, catalog_number_or(r->dock_row, "supply_w", INFINITY));
    const double slots = catalog_number_or(r->dock_row, "n_slots", 0), length = catalog_number_or(r->dock_row, "max_length_mm", 0);
    if (slots > 0 && !(l->max_slots > 0 && l->max_slots < slots))
        l->max_slots = slots;
    if (length > 0 && !(l->max_length_mm > 0 && l->max_length_mm < length))
        l->max_length_mm = length;
    return true;
}

/* One line for each piece of hardware: its best number and condition. */
static void keep_best_of_each(struct recommend *r)
{
    int n = 0;
    for (int i = 0; i < r->n_ok; i++) {
        bool is_new = true;
        for (int k = 0; k < n; k++)
            is_new = is_new && r->items[r->order[k]].hw.row != r->items[r->order[i]].hw.row;
        if (is_new)
            r->order[n++] = r->order[i];
    }
    r->n_ok = n;
}

static bool set_considered(struct recommend *r, struct catalog *c, const struct recommend_ask *ask, struct err *err)
{
    for (int i = 0; i < ask->n_consider; i++) {
        struct hardware hw;
        if (!hardware_find(c, ask->consider[i], &hw, err))
            return false;
        int best = -1; /* within the limits before outside, then by score */
        for (int k = 0; k < r->n; k++)
            if ((r->items[k].hw.row == hw.row || r->items[k].hw.chip == hw.chip) &&
                (best < 0 || (!r->verdicts[k].why && r->verdicts[best].why) || (!r->verdicts[k].why == !r->verdicts[best].why && r->verdicts[k].score > r->verdicts[best].score)))
                best = k;
        if (best < 0)
            return err_set(err, ERR_INPUT, "%s: not something that is sold for this", catalog_name(hw.row));
        r->considered[r->n_considered++] = best;
    }
    return true;
}

/* The cheapest offers whose GPUs hold the model, of different providers; one that stays before spot. */
static void set_offers(struct recommend *r, struct catalog *c, const struct price_book *book)
{
    struct cloud_offer all[OFFERS_MAX];
    const int n = price_cloud(book, NULL, all, OFFERS_MAX);
    for (int want = 0; want < RECOMMEND_OFFERS; want++) {
        int best = -1;
        for (int i = 0; i < n; i++) {
            const struct memory_of m = hardware_memory(c, &(struct hardware){ .row = all[i].gpu, .chip = all[i].gpu });
            const double need = r->n > 0 ? r->candidates[0].need_bytes : NAN;
            if (!(need <= all[i].n_gpus * m.usable_bytes) || (best >= 0 && price_is_spot(&all[best]) <= price_is_spot(&all[i]) && all[best].usd_hour <= all[i].usd_hour) ||
                (best >= 0 && price_is_spot(&all[best]) < price_is_spot(&all[i])) || (want > 0 && strcmp(all[i].provider, r->offers[0].provider) == 0))
                continue;
            best = i;
        }
        if (best >= 0)
            r->offers[r->n_offers++] = all[best];
    }
}

struct recommend *recommend_new(struct catalog *c, const struct price_book *book, const struct recommend_ask *ask, struct err *err)
{
    struct recommend *r = calloc(1, sizeof(*r));
    if (!r)
        return err_null(err, ERR_NOMEM, "recommend: out of memory");
    r->arena = arena_new(ARENA_BYTES, err);
    if (!r->arena || !set_model(r, c, ask, err) || !set_dock(r, c, ask, err) || !recommend_fill(r, c, book, ask, err))
        goto fail;
    r->verdicts = arena_alloc(r->arena, (size_t)r->n + 1, sizeof(*r->verdicts), err);
    r->order = r->verdicts ? arena_alloc(r->arena, (size_t)r->n + 1, sizeof(*r->order), err) : NULL;
    if (!r->order)
        goto fail;
    r->n_ok = rec_rank(&r->limits, r->candidates, r->n, r->verdicts, r->order);
    keep_best_of_each(r);
    const int first = r->n_ok > 0 ? r->order[0] : -1;
    rec_what_if(r->verdicts, r->n, first, r->what_if);
    for (int i = 0; i < RECOMMEND_UPGRADES; i++)
        r->upgrades[i] = rec_upgrade_path(r->candidates, r->verdicts, r->n, first, recommend_factors[i]);
    set_offers(r, c, book);
    if (!set_considered(r, c, ask, err))
        goto fail;
    for (int i = 0; i < r->n_ok; i++)
        hardware_use_cases(c, &r->items[r->order[i]].hw, &r->model, r->candidates[r->order[i]].n, r->items[r->order[i]].use);
    for (int i = 0; i < r->n_considered; i++)
        hardware_use_cases(c, &r->items[r->considered[i]].hw, &r->model, r->candidates[r->considered[i]].n, r->items[r->considered[i]].use);
    return r;
fail:
    recommend_free(r);
    return NULL;
}

void recommend_free(struct recommend *r)
{
    if (!r)
        return;
    arena_free(r->arena);
    free(r);
}

const char *recommend_name(const struct recommend *r, int i, char *text, size_t size)
{
    const struct rec_candidate *k = &r->candidates[i];
    char count[16] = "";
    if (k->n > 1)
        snprintf(count, sizeof(count), "%d x ", k->n);
    snprintf(text, size, "%s%s%s%s", count, k->is_used ? "used " : "", k->name, r->items[i].is_owned ? ", owned" : "");
    return text;
}
