/* plan/localscore.c - see localscore.h. */
#include "plan/localscore.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

const struct localscore_case localscore_cases[LOCALSCORE_N] = {
    { .n_prompt = 1024, .n_gen = 16 },   { .n_prompt = 4096, .n_gen = 256 },  { .n_prompt = 2048, .n_gen = 256 },
    { .n_prompt = 2048, .n_gen = 768 },  { .n_prompt = 1024, .n_gen = 1024 }, { .n_prompt = 1280, .n_gen = 3072 },
    { .n_prompt = 384, .n_gen = 1152 },  { .n_prompt = 64, .n_gen = 1024 },   { .n_prompt = 16, .n_gen = 1536 },
};

double localscore_of(double prompt_tps, double gen_tps, double ttft_ms)
{
    if (!(prompt_tps > 0) || !(gen_tps > 0) || !(ttft_ms > 0))
        return NAN;
    return 10.0 * cbrt(prompt_tps * gen_tps * 1000.0 / ttft_ms);
}

struct localscore localscore_sum(const struct localscore_case cases[static LOCALSCORE_N])
{
    struct localscore s = { 0 };
    for (int i = 0; i < LOCALSCORE_N; i++) {
        s.prompt_tps += cases[i].prompt_tps / LOCALSCORE_N;
        s.gen_tps += cases[i].gen_tps / LOCALSCORE_N;
        s.ttft_ms += cases[i].ttft_ms / LOCALSCORE_N;
    }
    s.score = localscore_of(s.prompt_tps, s.gen_tps, s.ttft_ms);
    return s;
}

const char *localscore_verdict(double score)
{
    return isnan(score) ? NULL : score >= 1000 ? "excellent" : score >= 250 ? "passable" : score >= 100 ? "below passable" : "poor";
}

bool localscore_project(const struct localscore_few *f, struct localscore_case cases[static LOCALSCORE_N])
{
    if (!(f->pp16_s > 0) || !(f->pp64_s > 0) || !(f->chunk_s > 0) || !(f->deep_chunk_s > 0) || !(f->step_s > 0) || !(f->deep_step_s > 0) ||
        f->n_chunk < 1 || f->depth < f->n_chunk || f->step_depth < 0)
        return false;
    const double n = f->n_chunk;
    /* seconds per token of a chunk: c1 + c2 * (its middle); noise must not turn the slope around, nor make the rest negative */
    const double c = f->chunk_s / n, c2 = fmin(fmax((f->deep_chunk_s - f->chunk_s) / n / f->depth, 0), 0.9 * c * 2 / n), c1 = c - c2 * n / 2;
    const double steepest = f->step_depth > 0 ? 0.9 * f->step_s / f->step_depth : INFINITY;
    const double s2 = fmin(fmax((f->deep_step_s - f->step_s) / (f->depth + f->n_chunk - f->step_depth), 0), steepest), s1 = f->step_s - s2 * f->step_depth;
    memcpy(cases, localscore_cases, sizeof(localscore_cases));
    for (int i = 0; i < LOCALSCORE_N; i++) {
        struct localscore_case *to = &cases[i];
        const double p = to->n_prompt, g = to->n_gen;
        const double prompt_s = to->n_prompt == 16 ? f->pp16_s : to->n_prompt == 64 ? f->pp64_s : p * (c1 + c2 * p / 2);
        to->prompt_tps = p / prompt_s;
        to->gen_tps = 1 / (s1 + s2 * (p + g / 2));
        to->ttft_ms = (prompt_s + s1 + s2 * p) * 1e3;
    }
    return true;
}
