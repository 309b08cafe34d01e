/* plan/speed.c - the time of a token and of a prompt from features and fitted effects; start at plan_speed_predict(). */
#include "plan/speed.h"

#include <math.h>
#include <string.h>

#include "plan/speed_internal.h"

struct effect {
    enum speed_group group;
    const char *name;
    double value;
};
static const struct effect effects[] = { /* sorted by group, then name: strcmp */
#define EFFECT(group, name, value) { SPEED_##group, name, value },
#define SPREAD(cls, what, low, high, known_low, known_high)
#include "plan/speed_fit.def"
#undef EFFECT
#undef SPREAD
    { SPEED_GROUP_COUNT, "", 0 },
};
/* How far measurements lie from estimates, of devices that the fit had not seen and of those that it had: quantiles of log(measured / predicted). */
static const struct quantiles {
    const char *cls;
    int what; /* 0 decode, 1 prefill */
    double low[2], high[2]; /* [1]: where the device itself was measured */
} spreads[] = {
#define EFFECT(group, name, value)
#define SPREAD(cls, what, low, high, known_low, known_high) { cls, what, { low, known_low }, { high, known_high } },
#include "plan/speed_fit.def"
    { "", 0, { -1.0, -1.0 }, { 1.0, 1.0 } },
};

static const char *const group_names[] = {
#define X(id) #id,
    SPEED_GROUPS(X)
#undef X
};
const char *speed_group_name(enum speed_group g) { return group_names[g]; }

static double effect_of(enum speed_group group, const char *name)
{
    size_t low = 0, high = sizeof(effects) / sizeof(effects[0]) - 1;
    while (low < high) {
        const size_t mid = (low + high) / 2;
        const int order = effects[mid].group != group ? (effects[mid].group < group ? -1 : 1) : strcmp(effects[mid].name, name);
        if (order == 0)
            return effects[mid].value;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return 0;
}

bool speed_can_predict(const struct plan_speed_query *q) { return q->bw_gbps > 0 && q->params > 0 && q->bpw > 0; }

/* ---- times ---- */

/* Time of one decode step with `depth` positions in the cache. */
static double tg_time(const double base[SPEED_GROUP_COUNT], const double sum[SPEED_GROUP_COUNT], double part[SPEED_GROUP_COUNT])
{
    double t = 0;
    for (int g = SPEED_TG_FIXED; g <= SPEED_TG_KV; g++)
        t += part[g] = base[g] * exp(sum[g] + sum[SPEED_TG_ALL]);
    return part[SPEED_TG_ALL] = t;
}

static double pp_time(const double base[SPEED_GROUP_COUNT], const double sum[SPEED_GROUP_COUNT], double part[SPEED_GROUP_COUNT])
{
    double t = 0;
    for (int g = SPEED_PP_FIXED; g <= SPEED_PP_ATTN; g++)
        t += part[g] = base[g] * exp(sum[g] + sum[SPEED_PP_ALL]);
    return part[SPEED_PP_ALL] = t;
}

/* Mean rate over the tests: units / time of each; share[g] = sum over tests of rate * part / time. */
static double mean_rate(const struct plan_speed_query *q, const double *sum, double *share, bool is_tg)
{
    double rate = 0, base[SPEED_GROUP_COUNT] = { 0 }, part[SPEED_GROUP_COUNT] = { 0 }, shares[SPEED_GROUP_COUNT] = { 0 };
    for (int i = 0; i < q->work.n_tests; i++) {
        const struct plan_test *t = &q->work.test[i];
        speed_bases(base, q, t);
        const double time = is_tg ? tg_time(base, sum, part) : pp_time(base, sum, part), r = (is_tg ? 1.0 : t->n_prompt) / time;
        rate += r;
        for (int g = 0; g < SPEED_GROUP_COUNT; g++)
            shares[g] += r * part[g] / time;
    }
    if (share)
        for (int g = 0; g < SPEED_GROUP_COUNT; g++)
            share[g] = shares[g] / rate;
    return rate / q->work.n_tests;
}

double speed_tg_tps(const struct plan_speed_query *q, const double sum[SPEED_GROUP_COUNT], double *share) { return mean_rate(q, sum, share, true); }
double speed_pp_tps(const struct plan_speed_query *q, const double sum[SPEED_GROUP_COUNT], double *share) { return mean_rate(q, sum, share, false); }

/* ---- the estimate ---- */

static struct plan_range spread(double mid, double low, double high) { return (struct plan_range){ mid * exp(low), mid, mid * exp(high) }; }

static struct plan_range around(double mid, const char *cls, int what, bool is_known)
{
    const struct quantiles *s = spreads;
    while (s->cls[0] && (s->what != what || strcmp(s->cls, cls) != 0))
        s++;
    double low = s->low[is_known], high = s->high[is_known];
    if (is_known && strcmp(cls, "cpu") == 0) /* the same part with other memory modules: only half as well known */
        low = (low + s->low[0]) / 2, high = (high + s->high[0]) / 2;
    return spread(mid, low, high);
}

struct plan_speed plan_speed_predict(const struct plan_speed_query *q)
{
    struct plan_speed out = { plan_unknown(), plan_unknown(), plan_unknown(), 0, 0, 0, 0 };
    if (!speed_can_predict(q) || q->work.n_tests < 1)
        return out;
    static _Thread_local struct speed_features f;
    double sum[SPEED_GROUP_COUNT] = { 0 }, base[SPEED_GROUP_COUNT] = { 0 }, part[SPEED_GROUP_COUNT] = { 0 };
    bool is_known[2] = { false, false };
    const bool is_tutti = speed_is_tutti(q); /* no public measurement has an effect on it */
    f.n = 0;
    if (!is_tutti)
        speed_features(&f, q);
    for (int i = 0; i < f.n; i++) {
        const double effect = effect_of(f.at[i].group, f.at[i].name);
        sum[f.at[i].group] += f.at[i].value * effect;
        if (effect != 0 && strncmp(f.at[i].name, "d:", 2) == 0)
            is_known[f.at[i].group == SPEED_PP_ALL] = true;
    }
    const char *cls = plan_class_name(q->cls);
    const double tg = speed_tg_tps(q, sum, NULL), pp = speed_pp_tps(q, sum, NULL);
    out.tg_tps = is_tutti ? spread(tg, speed_tutti_spread[0][0], speed_tutti_spread[0][1]) : around(tg, cls, 0, is_known[0]);
    out.pp_tps = is_tutti ? spread(pp, speed_tutti_spread[1][0], speed_tutti_spread[1][1]) : around(pp, cls, 1, is_known[1]);
    /* the first token: the prompt and one step; each as uncertain as its rate */
    double pp_ms = 0, tg_ms = 0;
    for (int i = 0; i < q->work.n_tests; i++) {
        speed_bases(base, q, &q->work.test[i]);
        pp_ms += 1e3 * pp_time(base, sum, part) / q->work.n_tests;
        tg_ms += 1e3 * tg_time(base, sum, part) / q->work.n_tests;
        if (i == 0) {
            out.tg_fixed_s = part[SPEED_TG_FIXED], out.tg_weights_s = part[SPEED_TG_WEIGHTS];
            out.tg_compute_s = part[SPEED_TG_COMPUTE], out.tg_kv_s = part[SPEED_TG_KV];
        }
    }
    out.ttft_ms.mid = pp_ms + tg_ms;
    out.ttft_ms.low = pp_ms * out.pp_tps.mid / out.pp_tps.high + tg_ms * out.tg_tps.mid / out.tg_tps.high;
    out.ttft_ms.high = pp_ms * out.pp_tps.mid / out.pp_tps.low + tg_ms * out.tg_tps.mid / out.tg_tps.low;
    return out;
}

struct plan_speed_query plan_speed_query_for(const struct plan_device *d, const struct plan_model *m, const char *runtime)
{
    return (struct plan_speed_query){
        .device = d->name, .cls = d->cls, .mem_gb = (double)d->mem_bytes / 1e9, .bw_gbps = d->bw_gbps,
        .peak_tflops = d->fp16_tflops > 0 ? d->fp16_tflops : d->cls == PLAN_CPU || d->cls == PLAN_SOC ? d->fp32_tflops : 0,
        .peak_int8_tops = d->source[PLAN_FIG_INT8] == PLAN_MEASURED ? d->int8_tops : 0, .runtime = runtime, .model_name = m->name, .quant = m->quant, .params = m->params, .active_params = m->active_params, .bpw = m->bpw,
        .work = plan_workload_localscore(),
    };
}
