/* plan/speed_features.c - a query as features, and the base times that effects scale. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plan/speed_internal.h"

/* ---- runtime ---- */

static bool has(const char *text, const char *part)
{
    const size_t n = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < n && text[i] && tolower((unsigned char)text[i]) == part[i])
            i++;
        if (i == n)
            return true;
    }
    return false;
}

void speed_engine(char engine[SPEED_TAG_BYTES], char backend[SPEED_TAG_BYTES], const char *runtime, enum plan_class cls)
{
    static const char *const engines[] = { "llamafile", "ollama", "mlx", "mlc", "vllm", "rkllm", "genie", "openvino", "ipex", "executorch",
                                           "cactus", "tensorrt", "exllama", "tutti", "onnx", "litert" };
    static const char *const backends[] = { "cuda", "rocm", "vulkan", "metal", "sycl", "npu", "hexagon", "cpu" };
    static const char *const usual[] = { [PLAN_NVIDIA] = "cuda", [PLAN_AMD] = "rocm", [PLAN_INTEL] = "sycl", [PLAN_APPLE] = "metal", [PLAN_CPU] = "cpu",
                                         [PLAN_SOC] = "cpu", [PLAN_JETSON] = "cuda", [PLAN_NPU] = "npu" };
    snprintf(engine, SPEED_TAG_BYTES, "llama.cpp");
    snprintf(backend, SPEED_TAG_BYTES, "%s", usual[cls]);
    for (size_t i = 0; i < sizeof(engines) / sizeof(engines[0]); i++)
        if (has(runtime, engines[i])) {
            snprintf(engine, SPEED_TAG_BYTES, "%s", engines[i]);
            break;
        }
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
        if (has(runtime, backends[i])) {
            snprintf(backend, SPEED_TAG_BYTES, "%s", backends[i]);
            break;
        }
}

/* ---- number format: families that kernels treat alike ---- */

static const char *quant_family(const char *quant, double bpw)
{
    if (has(quant, "mxfp4") || has(quant, "nvfp4"))
        return "mx4";
    if (has(quant, "q4_0") || has(quant, "q4_1") || has(quant, "iq4_nl"))
        return "q4_0";
    if (has(quant, "iq"))
        return "iq";
    if (has(quant, "bf16"))
        return "bf16";
    if (has(quant, "q8_") || has(quant, "w8a8") || has(quant, "8bit") || has(quant, "int8") || has(quant, "fp8"))
        return "q8";
    if (has(quant, "q6_"))
        return "k6";
    if (has(quant, "q5_"))
        return "k5";
    if (has(quant, "q4_k"))
        return "k4";
    if (has(quant, "q3_"))
        return "k3";
    if (has(quant, "q2_"))
        return "k2";
    return bpw >= 12 ? "f16" : bpw >= 7 ? "q8" : "w4";
}

/* ---- base times ---- */

/* Layers, K/V bytes and attention width of a usual transformer of so many weights: power laws through Llama 3.2 1B (16 layers, 32 KiB per
 * position, 2048 wide), 3.1 8B (32, 128 KiB, 4096), Qwen2.5 14B (48, 192 KiB, 5120), Llama 3 70B (80, 320 KiB, 8192).  Models of experts have the K/V of dense ones of their active size and layers
 * between (Qwen3 30B-A3B: 48 layers, 96 KiB; gpt-oss 120B: 36, 72 KiB). */
static double usual_layers(double params) { return 15.5 * pow(params / 1e9, 0.39); }
static double usual_kv_bytes(double params) { return 40e3 * pow(params / 1e9, 0.5); }
static double usual_attention(double params) { return 30e3 * pow(params / 1e9, 0.72); } /* layers x width */

/* Where no peak is known: FLOP per byte of bandwidth of devices of the class and time (medians of measured.tsv). */
static double peak_flops(const struct plan_speed_query *q)
{
    static const double per_byte[] = { [PLAN_NVIDIA] = 40, [PLAN_AMD] = 100, [PLAN_INTEL] = 230, [PLAN_APPLE] = 30, [PLAN_CPU] = 20, [PLAN_SOC] = 15,
                                       [PLAN_JETSON] = 150, [PLAN_NPU] = 150 };
    return q->peak_tflops > 0 ? q->peak_tflops * 1e12 : q->bw_gbps * 1e9 * per_byte[q->cls];
}

static double active(const struct plan_speed_query *q)
{
    const double a = q->active_params > 0 && q->active_params < q->params ? q->active_params : q->params;
    return a;
}

void speed_bases(double base[SPEED_GROUP_COUNT], const struct plan_speed_query *q, const struct plan_test *t)
{
    enum { UBATCH = 512 };
    const double bw = q->bw_gbps * 1e9, peak = peak_flops(q), a = active(q), read = a * q->bpw / 8, stored = q->params * q->bpw / 8;
    const double kv = q->kv_bytes_per_tok > 0 ? q->kv_bytes_per_tok : usual_kv_bytes(a);
    const double layers = usual_layers(sqrt(q->params * a)), n = t->n_prompt > 0 ? t->n_prompt : 1, depth = t->depth;
    const double mid = depth + (q->work.n_tests > 1 || t->n_prompt > 0 ? n : 0) + t->n_gen / 2.0; /* the average step of the generation */
    if (speed_is_tutti(q)) {
        speed_tutti_bases(base, q, t, peak, &(struct speed_usual){ a, layers, kv, usual_attention(a) });
        return;
    }
    base[SPEED_TG_FIXED] = layers * 20e-6;
    base[SPEED_TG_WEIGHTS] = read / (0.75 * bw);
    base[SPEED_TG_COMPUTE] = 2 * a / (0.15 * peak);
    base[SPEED_TG_KV] = mid * kv / (0.5 * bw);
    /* a prompt goes through in pieces of 512 tokens; each reads the weights once (of experts: those that any of its tokens chose) */
    const double pieces = ceil(n / UBATCH), m = n < UBATCH ? n : UBATCH, share = a < q->params ? 1 - pow(1 - a / q->params, m) : 1;
    base[SPEED_PP_FIXED] = pieces * usual_layers(q->params) * 40e-6; /* experts are dispatched one by one: by what is stored */
    base[SPEED_PP_WEIGHTS] = pieces * (read > stored * share ? read : stored * share) / (0.75 * bw);
    base[SPEED_PP_COMPUTE] = 2 * a * n / (0.4 * peak);
    base[SPEED_PP_ATTN] = 4 * n * (depth + n / 2) * usual_attention(q->params) / (0.2 * peak);
}

/* ---- features ----
 * "bal:" is a power of peak / bandwidth on a term that falls as peak rises: between 0 and 1 (the fit keeps it there) more of
 * either is never slower.  "bw:" and "size:" are powers far below 1 on terms that fall, or rise, with the first power. */

static void put(struct speed_features *f, enum speed_group g, double sd, double value, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void put(struct speed_features *f, enum speed_group g, double sd, double value, const char *fmt, ...)
{
    if (f->n == SPEED_FEATURES_MAX || value == 0)
        return;
    struct speed_feature *x = &f->at[f->n++];
    va_list args;
    va_start(args, fmt);
    vsnprintf(x->name, sizeof(x->name), fmt, args);
    va_end(args);
    x->group = g, x->sd = sd, x->value = value;
}

/* ollama is llama.cpp with a server of its own: what holds for the one holds, nearly, for the other. */
static void put_runtime(struct speed_features *f, enum speed_group g, double sd, const char *cls, const char *engine)
{
    const bool is_ollama = strcmp(engine, "ollama") == 0;
    put(f, g, sd, 1, "r:%s/%s", cls, is_ollama ? "llama.cpp" : engine);
    put(f, g, 0.3 * sd, is_ollama, "r:%s/ollama", cls);
}

static const char *memory_bucket(double gb)
{
    return gb <= 0 ? "?" : gb <= 8.6 ? "8" : gb <= 12.5 ? "12" : gb <= 16.5 ? "16" : gb <= 25 ? "24" : gb <= 33 ? "32" : gb <= 50 ? "48" : gb <= 66 ? "64" : gb <= 100 ? "96" : "128+";
}

static const char *model_family(const char *name)
{
    return has(name, "gemma") ? "gemma" : has(name, "nemotron") ? "nemotron" : has(name, "qwen3.5") || has(name, "qwen3.6") ? "qwen3.5" : has(name, "gpt-oss") ? "gpt-oss" :
           has(name, "qwen3") ? "qwen3" : has(name, "qwen") ? "qwen2" : has(name, "phi") ? "phi" : has(name, "llama") ? "llama" : "";
}

void speed_features(struct speed_features *f, const struct plan_speed_query *q)
{
    struct speed_tags t;
    char engine[SPEED_TAG_BYTES], backend[SPEED_TAG_BYTES];
    speed_tags(&t, q->device ? q->device : "", q->cls);
    speed_engine(engine, backend, q->runtime ? q->runtime : "", q->cls);
    const char *c = plan_class_name(q->cls), *quant = quant_family(q->quant ? q->quant : "", q->bpw), *family = model_family(q->model_name ? q->model_name : "");
    const bool is_gpu = q->cls != PLAN_CPU && q->cls != PLAN_SOC;
    const char *side = is_gpu ? "gpu" : "cpu";
    const double a = active(q), size = log(a / 4e9), is_moe = a < 0.8 * q->params;
    static const double bw_ref[] = { [PLAN_NVIDIA] = 500, [PLAN_AMD] = 400, [PLAN_INTEL] = 250, [PLAN_APPLE] = 250, [PLAN_CPU] = 70, [PLAN_SOC] = 35,
                                     [PLAN_JETSON] = 120, [PLAN_NPU] = 40 };
    const double bw = log(q->bw_gbps / bw_ref[q->cls]), balance = log(peak_flops(q) / (q->bw_gbps * 1e9)) - 4;
    f->n = 0;
    /* decode: weights */
    put(f, SPEED_TG_WEIGHTS, 0.5, 1, "1");
    put(f, SPEED_TG_WEIGHTS, 0.5, 1, "c:%s", c);
    put(f, SPEED_TG_WEIGHTS, 0.25, 1, "b:%s/%s", c, backend);
    put_runtime(f, SPEED_TG_WEIGHTS, 0.25, c, engine);
    put(f, SPEED_TG_WEIGHTS, 0.15, 1, "q:%s/%s", side, quant);
    put(f, SPEED_TG_WEIGHTS, 0.08, 1, "q:%s/%s", c, quant);
    put(f, SPEED_TG_WEIGHTS, 0.3, is_moe, "moe:%s", side);
    put(f, SPEED_TG_WEIGHTS, 0.1, bw, "bw:%s", c);
    if (family[0])
        put(f, SPEED_TG_ALL, 0.1, 1, "m:%s/%s", side, family);
    put(f, SPEED_TG_ALL, 0.2, 1, "f:%s/%s", c, t.form);
    put(f, SPEED_TG_ALL, 0.15, 1, "a:%s/%s", c, t.arch);
    put(f, SPEED_TG_ALL, 0.5, t.n_devices > 1, "multi");
    /* decode: compute */
    put(f, SPEED_TG_COMPUTE, 1, 1, "1");
    put(f, SPEED_TG_COMPUTE, 1, 1, "c:%s", c);
    put(f, SPEED_TG_COMPUTE, 0.3, 1, "q:%s/%s", side, quant);
    if (q->cls == PLAN_CPU)
        put(f, SPEED_TG_COMPUTE, 0.5, 1, "f:%s", t.form);
    put(f, SPEED_TG_COMPUTE, 0.5, 1, "a:%s/%s", c, t.arch);
    if (t.isa[0])
        put(f, SPEED_TG_COMPUTE, 1, 1, "i:%s", t.isa);
    if (q->cls == PLAN_NVIDIA && !t.has_tensor)
        put(f, SPEED_TG_COMPUTE, 0.5, 1, "no-tensor");
    put(f, SPEED_TG_COMPUTE, 1, q->peak_tflops <= 0, "no-peak:%s", c);
    put_runtime(f, SPEED_TG_COMPUTE, 0.5, c, engine);
    /* decode: fixed */
    put(f, SPEED_TG_FIXED, 1, 1, "1");
    put(f, SPEED_TG_FIXED, 0.7, 1, "c:%s", c);
    put_runtime(f, SPEED_TG_FIXED, 0.5, c, engine);
    put(f, SPEED_TG_FIXED, 0.5, 1, "b:%s/%s", c, backend);
    put(f, SPEED_TG_FIXED, 0.4, 1, "a:%s/%s", c, t.arch);
    put(f, SPEED_TG_FIXED, 0.3, 1, "f:%s/%s", c, t.form);
    put(f, SPEED_TG_FIXED, 0.7, t.is_hosted, "host");
    put(f, SPEED_TG_FIXED, 0.7, is_moe, "moe:%s", side);
    if (family[0])
        put(f, SPEED_TG_FIXED, 0.3, 1, "m:%s/%s", side, family);
    /* decode: K/V */
    put(f, SPEED_TG_KV, 1, 1, "1");
    put(f, SPEED_TG_KV, 0.7, 1, "c:%s", c);
    put_runtime(f, SPEED_TG_KV, 0.5, c, engine);
    put(f, SPEED_TG_KV, 0.5, 1, "b:%s/%s", c, backend);
    if (family[0])
        put(f, SPEED_TG_KV, 0.7, 1, "m:%s", family);
    put(f, SPEED_TG_KV, 0.5, is_moe, "moe");
    if (q->cls == PLAN_CPU) {
        put(f, SPEED_TG_ALL, 0.15, 1, "i:%s", t.isa);
        put(f, SPEED_TG_ALL, 0.15, 1, "mem:%s", memory_bucket(q->mem_gb));
        put(f, SPEED_TG_ALL, 0.1, 1, "mem:%s/%s", t.form, memory_bucket(q->mem_gb));
        put(f, SPEED_TG_COMPUTE, 0.25, balance, "bal:%s", c);
    }
    /* this very device, where it was measured: no more than its class would let expect */
    char base[SPEED_NAME_BYTES - 3];
    plan_device_base_name(base, sizeof(base), q->device ? q->device : "");
    put(f, SPEED_TG_ALL, q->cls == PLAN_CPU ? 0.08 : 0.15, 1, "d:%s", base);
    put(f, SPEED_PP_ALL, 0.25, 1, "d:%s", base);
    /* prefill */
    put(f, SPEED_PP_COMPUTE, 0.7, 1, "1");
    put(f, SPEED_PP_COMPUTE, 1, 1, "c:%s", c);
    put(f, SPEED_PP_COMPUTE, 0.4, 1, "b:%s/%s", c, backend);
    put_runtime(f, SPEED_PP_COMPUTE, 0.4, c, engine);
    put(f, SPEED_PP_COMPUTE, 0.3, 1, "q:%s/%s", side, quant);
    put(f, SPEED_PP_COMPUTE, 0.2, 1, "q:%s/%s", c, quant);
    put(f, SPEED_PP_COMPUTE, 0.5, is_moe, "moe:%s", side);
    put(f, SPEED_PP_COMPUTE, 0.1, size, "size:%s", c);
    put(f, SPEED_PP_COMPUTE, 1, q->peak_tflops <= 0, "no-peak:%s", c);
    put(f, SPEED_PP_COMPUTE, 0.25, balance, "bal:%s", c);
    if (t.isa[0])
        put(f, SPEED_PP_COMPUTE, 0.7, 1, "i:%s", t.isa);
    if (q->cls == PLAN_NVIDIA && !t.has_tensor)
        put(f, SPEED_PP_COMPUTE, 0.5, 1, "no-tensor");
    if (q->cls == PLAN_CPU) {
        put(f, SPEED_PP_ALL, 0.1, 1, "mem:%s", memory_bucket(q->mem_gb));
        if (!strcmp(quant, "bf16") || !strcmp(quant, "f16"))
            put(f, SPEED_PP_COMPUTE, 0.3, 1, "q:%s/%s", t.isa, quant);
    }
    put(f, SPEED_PP_ALL, 0.3, 1, "f:%s/%s", c, t.form);
    put(f, SPEED_PP_ALL, 0.3, 1, "a:%s/%s", c, t.arch);
    if (family[0])
        put(f, SPEED_PP_ALL, 0.15, 1, "m:%s/%s", side, family);
    put(f, SPEED_PP_ALL, 0.5, t.n_devices > 1, "multi");
    put(f, SPEED_PP_ALL, 0.3, t.n_devices > 1 ? log(t.n_devices) : 0, "multi-n");
    put(f, SPEED_PP_ALL, 0.5, t.is_hosted, "host");
    put(f, SPEED_PP_FIXED, 1, 1, "1");
    put(f, SPEED_PP_FIXED, 0.7, 1, "c:%s", c);
    put_runtime(f, SPEED_PP_FIXED, 0.5, c, engine);
    put(f, SPEED_PP_FIXED, 0.5, 1, "b:%s/%s", c, backend);
    put(f, SPEED_PP_WEIGHTS, 0.5, 1, "1");
    put(f, SPEED_PP_WEIGHTS, 0.5, 1, "c:%s", c);
    put(f, SPEED_PP_ATTN, 1, 1, "1");
    put(f, SPEED_PP_ATTN, 1, 1, "c:%s", c);
    put_runtime(f, SPEED_PP_ATTN, 0.5, c, engine);
    put(f, SPEED_PP_ATTN, 0.5, 1, "b:%s/%s", c, backend);
    if (family[0])
        put(f, SPEED_PP_ATTN, 0.7, 1, "m:%s", family);
}
