/* plan/speed_tutti.c - base times of tutti's own engine on CPUs, which no public table has measured.
 *
 * For:     plan/speed.c.
 * Touches: nothing.  Thread: any.
 * Rule:    e of the weights and of the multiply-adds are those of docs/SPEED.md (one machine: two cores of Zen 4, 135M to 1B
 *          weights, Q8_0 to Q4_0, 2026-11-21): decode read 0.67-1.0 of the probe, and data sheets are some 1.25 probes; prefill
 *          did 0.5-0.86 of the int8 peak.  Other machines: the spread below, wider than was seen on that one.
 */
#include <stdio.h>
#include <string.h>

#include "plan/speed_internal.h"

bool speed_is_tutti(const struct plan_speed_query *q)
{
    return q->runtime && strncmp(q->runtime, "tutti", 5) == 0 && (q->cls == PLAN_CPU || q->cls == PLAN_SOC);
}

/* Quantiles of log(measured / predicted) as we believe them: 0 decode, 1 prefill. */
const double speed_tutti_spread[2][2] = { { -0.50, 0.32 }, { -0.60, 0.45 } };

/* int8 multiply-adds for each one of the stated peak: VNNI does 4 for one of fp32, two-step AVX2 about 2.  Of Arm cores the
 * peak is that of fp16, of which sdot would do 2; we count 1.25 until a real one was measured. */
static double int8_per_peak(const struct plan_speed_query *q)
{
    struct speed_tags t;
    speed_tags(&t, q->device ? q->device : "", q->cls);
    return strcmp(t.isa, "avx512") == 0 ? 4 : strcmp(t.isa, "arm") == 0 ? 1.25 : strcmp(t.isa, "avx2") == 0 || !t.isa[0] ? 2 : 1;
}

void speed_tutti_bases(double base[SPEED_GROUP_COUNT], const struct plan_speed_query *q, const struct plan_test *t, double peak, const struct speed_usual *u)
{
    enum { CHUNK = 512 };
    const double bw = q->bw_gbps * 1e9, int8 = q->peak_int8_tops > 0 ? q->peak_int8_tops * 1e12 : peak * int8_per_peak(q);
    const double n = t->n_prompt > 0 ? t->n_prompt : 1, depth = t->depth, mid = depth + t->n_prompt + t->n_gen / 2.0;
    const double chunks = (double)(((int)n + CHUNK - 1) / CHUNK), in_chunk = n < CHUNK ? n : CHUNK;
    const double read = u->active * q->bpw / 8, stored = q->params * q->bpw / 8, touched = read * in_chunk < stored ? read * in_chunk : stored;
    base[SPEED_TG_FIXED] = u->layers * 20e-6;                 /* five barriers a layer, each some microseconds */
    base[SPEED_TG_WEIGHTS] = read / (0.82 * bw);
    base[SPEED_TG_COMPUTE] = 2 * u->active / (0.6 * int8);
    base[SPEED_TG_KV] = mid * u->kv_bytes / (0.5 * bw);
    base[SPEED_PP_FIXED] = chunks * u->layers * 40e-6;
    base[SPEED_PP_WEIGHTS] = chunks * touched / (0.82 * bw);
    base[SPEED_PP_COMPUTE] = 2 * u->active * n / (0.65 * int8);
    base[SPEED_PP_ATTN] = 4 * n * (depth + n / 2) * u->attention / (0.3 * peak);
}
