/* plan/viability.c - see viability.h. */
#include "plan/viability.h"

static const char *const names[] = { "interactive", "background", "off-line", "non-viable" };
const char *plan_viability_name(enum plan_viability v) { return names[v]; }

const struct plan_use_case plan_use_cases[PLAN_USE_CASES] = {
    { "UC1", "classification, sentiment analysis, keyword extraction", 1024, 16 },
    { "UC2", "long document Q&A, RAG, short summary of extensive text", 4096, 256 },
    { "UC3", "complex reasoning, long-form creative writing, code generation", 1280, 3072 },
    { "UC4", "prompt expansion, explanation, creative writing, code generation", 384, 1152 },
};

enum plan_viability plan_viability_of(int n_prompt, int n_gen, double pp_tps, double tg_tps)
{
    const double prompt_max_s = 5, tg_min_tps = 10, background_max_s = 300, offline_max_s = 8 * 3600;
    if (!(pp_tps > 0) || !(tg_tps > 0))
        return PLAN_NOT_VIABLE;
    const double prompt_s = n_prompt / pp_tps, all_s = prompt_s + n_gen / tg_tps;
    if (prompt_s < prompt_max_s && tg_tps > tg_min_tps)
        return PLAN_INTERACTIVE;
    return all_s <= background_max_s ? PLAN_BACKGROUND : all_s <= offline_max_s ? PLAN_OFFLINE : PLAN_NOT_VIABLE;
}

void plan_viability_use_cases(const struct plan_speed_query *q, enum plan_viability out[PLAN_USE_CASES])
{
    struct plan_speed_query own = *q;
    for (int i = 0; i < PLAN_USE_CASES; i++) {
        own.work = plan_workload_one(plan_use_cases[i].n_prompt, plan_use_cases[i].n_gen, 0);
        const struct plan_speed s = plan_speed_predict(&own);
        out[i] = plan_viability_of(plan_use_cases[i].n_prompt, plan_use_cases[i].n_gen, s.pp_tps.mid, s.tg_tps.mid);
    }
}
