/* plan/speed.h - how fast a model runs on a device: prompt and generated tokens per second, with ranges.
 *
 * For:     advise/ (fit tables), bench/ (what was expected), tools/fit-speed.
 * Touches: nothing.  Thread: any.
 * Rule:    a token takes a fixed time, the time to read its weights, to multiply them, and to read its K/V:
 *              t_decode(d)  = t0 + bytes / (e_w BW) + 2 active / (e_c peak) + kv(d) / (e_k BW)
 *              t_prefill(n) = n_ubatch t0' + weights / (e'_w BW) n_ubatch + 2 n active / (e'_c peak) + attention(n, d) / (e'_a peak)
 *          Every efficiency is a product of effects (class, runtime, architecture, number format, ...) fitted on
 *          measurements by tools/fit-speed; an effect that a device does not share is 1, so that the unknown falls
 *          back to its class.  More bandwidth, more peak, fewer bytes are never slower.  docs/plan.md has the derivation, the
 *          range of validity and what cross-validation over devices says.
 */
#ifndef TUTTI_PLAN_SPEED_H
#define TUTTI_PLAN_SPEED_H
#include <stddef.h>

#include "plan/device.h"
#include "plan/model.h"
#include "plan/range.h"

enum { PLAN_TESTS_MAX = 9 };

/* What is run: prompts of n_prompt tokens after `depth` cached ones, then n_gen tokens.  Several tests: rates are averaged. */
struct plan_workload {
    int n_tests;
    struct plan_test {
        int n_prompt, n_gen, depth;
    } test[PLAN_TESTS_MAX];
};
/* The nine of LocalScore (reference/localscore.md). */
struct plan_workload plan_workload_localscore(void);
/* Its tests with prompts and answers cut to what n_ctx positions hold. */
struct plan_workload plan_workload_within(int n_ctx);
struct plan_workload plan_workload_one(int n_prompt, int n_gen, int depth);
/* The notation of measured.tsv, column ctx_or_depth: "LS-9test", "pp1024+tg16", "d4096 pp512 tg128", "short", "ctx2048 pp512 tg128".
 * What it does not understand is a short chat (128 + 128). */
struct plan_workload plan_workload_parse(const char *text);

struct plan_speed_query {
    const char *device;       /* its name: architecture, form and host are read from it */
    enum plan_class cls;
    double mem_gb, bw_gbps, peak_tflops; /* 0: not known */
    double peak_int8_tops;    /* of CPUs, for tutti's engine; 0: from peak_tflops and the name */
    const char *runtime;      /* "llama.cpp CUDA", "llamafile CPU", ...; "" or NULL: llama.cpp */
    const char *model_name;   /* "" or NULL: not known; its family is read from it */
    const char *quant;
    double params, active_params, bpw; /* weights; bits */
    double kv_bytes_per_tok;  /* 0: estimated from params */
    struct plan_workload work;
};

struct plan_speed {
    struct plan_range pp_tps, tg_tps, ttft_ms; /* unknown where bandwidth or model is not known */
    /* of the first test, in seconds: what the time of a token is made of */
    double tg_fixed_s, tg_weights_s, tg_compute_s, tg_kv_s;
};

/* A device's name without "4x " and " [host ...]". */
void plan_device_base_name(char *out, size_t out_bytes, const char *device);

struct plan_speed plan_speed_predict(const struct plan_speed_query *q);
/* The query for a device and a model; fields that neither knows stay empty.  Texts are borrowed. */
struct plan_speed_query plan_speed_query_for(const struct plan_device *d, const struct plan_model *m, const char *runtime);
#endif
