/* bench/compare.c - see compare.h. */
#include "bench/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_nine_tests(const struct catalog_row *r)
{
    return strcmp(catalog_text(r, "test"), "LS-9test") == 0 && catalog_number(r, "params_b") > 0 && catalog_number(r, "pp_tps") > 0 &&
           catalog_number(r, "tg_tps") > 0 && catalog_number(r, "ttft_ms") > 0 && catalog_number(r, "bpw") > 0;
}

/* LocalScore's own models, which most people ran. */
static bool is_official(const char *model)
{
    static const char *const name[] = { "Llama 3.2 1B Instruct", "Meta Llama 3.1 8B Instruct", "Qwen2.5 14B Instruct" };
    for (int i = 0; i < 3; i++)
        if (strcmp(model, name[i]) == 0)
            return true;
    return false;
}

static int by_score(const void *a, const void *b)
{
    const struct bench_peer *x = a, *y = b;
    return x->score < y->score ? -1 : x->score > y->score ? 1 : strcmp(x->name, y->name);
}

static void add_peer(struct bench_compare *out, const struct bench_peer *p)
{
    for (int i = 0; i < out->n; i++)
        if (strcmp(out->peer[i].name, p->name) == 0) {
            if (p->score > out->peer[i].score)
                out->peer[i] = *p;
            return;
        }
    if (out->n < BENCH_PEERS_MAX)
        out->peer[out->n++] = *p;
}

bool bench_compare(struct catalog *c, double params, double active, double bytes_per_tok, const struct localscore *ours, struct bench_compare *out,
                   struct err *err)
{
    const struct catalog_table *t = catalog_table(c, "measured", err);
    const struct catalog_row *nearest = NULL;
    const double bpw = 8 * bytes_per_tok / active; /* of what is read: near the file's for the models in question */
    double best = log(4);
    *out = (struct bench_compare){ 0 };
    if (!t)
        return false;
    if (!(params > 0) || !(active > 0) || !(bytes_per_tok > 0) || isnan(ours->score))
        return true;
    for (int i = 0; i < catalog_n_rows(t); i++) {
        const struct catalog_row *r = catalog_row(t, i);
        if (!is_nine_tests(r) || strcmp(catalog_text(r, "quant"), "Q4_K_M") != 0 || !is_official(catalog_text(r, "model")))
            continue;
        const double far = fabs(log(params / (catalog_number(r, "params_b") * 1e9)));
        if (far < best)
            best = far, nearest = r;
    }
    if (!nearest)
        return true;
    const double their_bpw = catalog_number(nearest, "bpw"), their_params = catalog_number(nearest, "params_b") * 1e9;
    out->model = catalog_text(nearest, "model");
    out->is_scaled = best > 0.03 || fabs(log(bpw / their_bpw)) > 0.1 || fabs(log(active / params)) > 0.2;
    const double more_bytes = out->is_scaled ? bytes_per_tok / (their_params * their_bpw / 8) : 1, more_work = out->is_scaled ? active / their_params : 1;
    for (int i = 0; i < catalog_n_rows(t); i++) {
        const struct catalog_row *r = catalog_row(t, i);
        if (!is_nine_tests(r) || strcmp(catalog_text(r, "quant"), "Q4_K_M") != 0 || strcmp(catalog_text(r, "model"), out->model) != 0)
            continue;
        struct bench_peer p = { catalog_text(r, "hardware"), catalog_text(r, "runtime"), catalog_source(r), catalog_text(r, "date"),
                                catalog_number(r, "pp_tps") / more_work, catalog_number(r, "tg_tps") / more_bytes, catalog_number(r, "ttft_ms") * more_work, 0 };
        p.score = localscore_of(p.prompt_tps, p.gen_tps, p.ttft_ms);
        add_peer(out, &p);
    }
    qsort(out->peer, (size_t)out->n, sizeof(out->peer[0]), by_score);
    while (out->n_slower < out->n && out->peer[out->n_slower].score <= ours->score)
        out->n_slower++;
    return true;
}
