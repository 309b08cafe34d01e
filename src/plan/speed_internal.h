/* plan/speed_internal.h - the model behind plan_speed_predict(), open for the tool that fits it.
 *
 * For:     plan/speed*.c, tools/fit-speed.
 * Rule:    a row is described by features; each belongs to one group, that is, scales one term of the time:
 *          log(term) = log(base) + sum of value * effect.  Effects are found by group and name.
 */
#ifndef TUTTI_PLAN_SPEED_INTERNAL_H
#define TUTTI_PLAN_SPEED_INTERNAL_H
#include <stdbool.h>
#include <stddef.h>

#include "plan/speed.h"

/* Terms of the time of one token (TG) and of one prompt (PP); ALL scales their sum.  ORDER SPEED_GROUP */
#define SPEED_GROUPS(X) \
    X(TG_ALL) X(TG_FIXED) X(TG_WEIGHTS) X(TG_COMPUTE) X(TG_KV) X(PP_ALL) X(PP_FIXED) X(PP_WEIGHTS) X(PP_COMPUTE) X(PP_ATTN)
enum speed_group {
#define X(id) SPEED_##id,
    SPEED_GROUPS(X)
#undef X
        SPEED_GROUP_COUNT
};
const char *speed_group_name(enum speed_group g);

enum { SPEED_NAME_BYTES = 44, SPEED_FEATURES_MAX = 160, SPEED_TAG_BYTES = 16 };

struct speed_feature {
    enum speed_group group;
    char name[SPEED_NAME_BYTES];
    double value, sd; /* sd: how far its effect is believed to be from 0 before any measurement */
};

struct speed_features {
    int n;
    struct speed_feature at[SPEED_FEATURES_MAX];
};

/* What a device's name says. */
struct speed_tags {
    char arch[SPEED_TAG_BYTES];   /* "ada", "zen3", "m2", "" */
    char form[SPEED_TAG_BYTES];   /* "desktop", "laptop", "ultra" (15 W), "server", "workstation", "" */
    char isa[SPEED_TAG_BYTES];    /* of CPUs: "sse", "avx", "avx2", "avx512", "arm", "riscv" */
    bool is_hosted;               /* "[host ...]": behind a small board */
    int n_devices;                /* "4x ..." */
    bool has_tensor;              /* NVIDIA: tensor cores */
};
void speed_tags(struct speed_tags *t, const char *device, enum plan_class cls);

void speed_features(struct speed_features *f, const struct plan_speed_query *q);
/* Base times in seconds of one test, before any effect; [SPEED_TG_ALL] and [SPEED_PP_ALL] are not set. */
void speed_bases(double base[SPEED_GROUP_COUNT], const struct plan_speed_query *q, const struct plan_test *t);

/* tutti's own engine on a CPU: its terms, with figures of a model as speed_bases() has them (speed_tutti.c). */
struct speed_usual {
    double active, layers, kv_bytes, attention; /* weights per token, layers, K/V bytes per position, layers x width */
};
bool speed_is_tutti(const struct plan_speed_query *q);
extern const double speed_tutti_spread[2][2];
void speed_tutti_bases(double base[SPEED_GROUP_COUNT], const struct plan_speed_query *q, const struct plan_test *t, double peak, const struct speed_usual *u);
/* Rates from effects: effect_sum[g] is the sum of value * effect of group g.  With share given, share[g] becomes
 * d log(time) / d effect_sum[g], averaged over tests as the rate is. */
double speed_tg_tps(const struct plan_speed_query *q, const double effect_sum[SPEED_GROUP_COUNT], double *share);
double speed_pp_tps(const struct plan_speed_query *q, const double effect_sum[SPEED_GROUP_COUNT], double *share);
/* Bandwidth, parameters and bits are known. */
bool speed_can_predict(const struct plan_speed_query *q);

/* "llama.cpp", "llamafile", "ollama", ... and "cuda", "metal", ... of a runtime's name. */
void speed_engine(char engine[SPEED_TAG_BYTES], char backend[SPEED_TAG_BYTES], const char *runtime, enum plan_class cls);
#endif
