/* plan/memory.c - bytes of weights, K/V, buffers; start reading at plan_memory_of(). */
#include "plan/memory.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { PAGE = 32 /* positions, as in llm/kv.c */, UBATCH = 512 };

static uint64_t up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }
static uint64_t max2(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Of the runtime whose name is in the text; -1 none that we know. */
static int find_engine(const char *runtime)
{
    static const struct {
        const char *word;
        enum plan_engine engine;
    } words[] = { { "tutti", PLAN_ENGINE_TUTTI },  { "vllm", PLAN_ENGINE_VLLM },      { "mlx", PLAN_ENGINE_MLX },   { "llama", PLAN_ENGINE_LLAMA_CPP },
                  { "ollama", PLAN_ENGINE_LLAMA_CPP }, { "rkllm", PLAN_ENGINE_OTHER }, { "mlc", PLAN_ENGINE_OTHER }, { "openvino", PLAN_ENGINE_OTHER },
                  { "core ml", PLAN_ENGINE_OTHER }, { "qnn", PLAN_ENGINE_OTHER },   { "tensorrt", PLAN_ENGINE_OTHER }, { "webllm", PLAN_ENGINE_OTHER },
                  { "executorch", PLAN_ENGINE_OTHER }, { "ipex", PLAN_ENGINE_OTHER }, { "cactus", PLAN_ENGINE_OTHER } };
    char lower[64];
    size_t n = 0;
    for (; runtime && runtime[n] && n + 1 < sizeof(lower); n++)
        lower[n] = (char)tolower((unsigned char)runtime[n]);
    lower[n] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(lower, words[i].word))
            return (int)words[i].engine;
    return -1;
}

bool plan_engine_is_known(const char *runtime) { return find_engine(runtime) >= 0; }

enum plan_engine plan_engine_of(const char *runtime)
{
    const int e = find_engine(runtime);
    return e >= 0 ? (enum plan_engine)e : runtime && runtime[0] ? PLAN_ENGINE_OTHER : PLAN_ENGINE_LLAMA_CPP;
}

/* A shape for a model of which only the number of weights is known: the power laws of plan/speed_features.c. */
static struct plan_model with_shape(const struct plan_model *given)
{
    struct plan_model m = *given;
    if (m.n_layer > 0)
        return m;
    const double billions = m.params / 1e9;
    m.n_layer = m.n_layer_full = (int)fmax(4, round(15.5 * pow(billions, 0.39)));
    m.n_embd = (int)up((uint64_t)fmax(256, 1950 * pow(billions, 0.33)), 128);
    m.d_k = m.d_v = 128;
    m.n_head = m.n_embd / 128 > 0 ? m.n_embd / 128 : 1;
    m.n_kv_head = (int)fmax(1, round(40e3 * sqrt(billions) / (m.n_layer * 2.0 * 2 * 128)));
    m.n_ff = 3 * m.n_embd;
    m.n_vocab = 128000;
    m.is_exact = false;
    return m;
}

static double kv_value_bytes(int kv_bits) { return kv_bits == 8 ? 34.0 / 32 : kv_bits == 4 ? 18.0 / 32 : 2; }

/* Bytes of one position in one layer that keeps K and V; latent attention keeps one row that serves as both. */
static double kv_layer_bytes(const struct plan_model *m, int kv_bits)
{
    return (double)(m->n_kv_head > 0 ? m->n_kv_head : 1) * (m->d_k + (m->kv_lora > 0 ? 0 : m->d_v)) * kv_value_bytes(kv_bits);
}

static int keeping_layers(const struct plan_model *m) { return m->n_layer - m->n_layer_linear; }

uint64_t plan_kv_bytes_per_tok(const struct plan_model *given, int kv_bits)
{
    const struct plan_model m = with_shape(given);
    return (uint64_t)(keeping_layers(&m) * kv_layer_bytes(&m, kv_bits));
}

static int context_of(const struct plan_model *m, const struct plan_memory_options *o)
{
    return o->n_ctx > 0 ? o->n_ctx : m->n_ctx_train > 0 && m->n_ctx_train < 4096 ? m->n_ctx_train : 4096;
}

/* Our pages: 32 positions, one page more per sequence, the same for all layers (llm/kv.c); codes in pairs and a scale for each position
 * (kernels/attn/attn.h), encoders floats. */
static uint64_t kv_page_part(int d, int bits)
{
    return bits == 32 ? up((uint64_t)d * PAGE * 4, 64) : up(up((uint64_t)d, 2) * PAGE * (bits == 8 ? 1 : 2) + PAGE * 4, 64);
}

static uint64_t kv_tutti(const struct plan_model *m, const struct plan_memory_options *o)
{
    const int bits = m->is_encoder ? 32 : o->kv_bits;
    const uint64_t n_seq = o->n_seq > 0 ? (uint64_t)o->n_seq : 1, pages = up((uint64_t)context_of(m, o) * n_seq, PAGE) / PAGE + n_seq;
    return pages * (uint64_t)(m->is_encoder ? 1 : m->n_layer) * (uint64_t)m->n_kv_head * (kv_page_part(m->d_k, bits) + kv_page_part(m->d_v, bits));
}

/* llama.cpp: whole contexts in steps of 256; window layers keep window + one batch; MLA keeps one latent row (llama-kv-cache-iswa.cpp). */
static uint64_t kv_others(const struct plan_model *m, const struct plan_memory_options *o)
{
    const uint64_t n_seq = o->n_seq > 0 ? (uint64_t)o->n_seq : 1, ctx = up((uint64_t)context_of(m, o), 256);
    uint64_t window = up((uint64_t)m->window + (uint64_t)(o->n_batch > 0 && o->n_batch < UBATCH ? o->n_batch : UBATCH), 256);
    const bool keeps_windows = o->engine == PLAN_ENGINE_LLAMA_CPP || o->engine == PLAN_ENGINE_VLLM || o->engine == PLAN_ENGINE_MLX;
    if (!keeps_windows || window > ctx)
        window = ctx;
    const double full = (double)ctx * (keeping_layers(m) - m->n_layer_window), part = (double)window * m->n_layer_window;
    return (uint64_t)((full + part) * kv_layer_bytes(m, o->kv_bits)) * n_seq + n_seq * (uint64_t)m->n_layer_linear * m->linear_state_bytes;
}

uint64_t plan_kv_bytes(const struct plan_model *given, const struct plan_memory_options *o)
{
    const struct plan_model m = with_shape(given);
    return o->engine == PLAN_ENGINE_TUTTI ? kv_tutti(&m, o) : kv_others(&m, o);
}

/* ---- buffers ---- */

static uint64_t acts(uint64_t n_tok, uint64_t cols) /* int8 codes, a scale for 32, a sum for 16: kernels/matmul/matmul.h */
{
    const uint64_t n = n_tok * cols;
    return up(n, 64) + up(n / 32 * 4, 64) + up(n / 16 * 2, 64);
}

/* Two states of 64 rows, their queries as codes, a page as floats: kernels/attn/run.c. */
static uint64_t attention(const struct plan_model *m)
{
    const uint64_t k = (uint64_t)m->d_k, v = (uint64_t)m->d_v;
    return 2 * 64 * (16 + up(v, 16)) * 4 + 64 * up(k, 2) * 2 + 64 * 4 + (PAGE * (k + v + 16) + 64 * PAGE) * 4;
}

/* As llm/ctx.c cuts its block. */
static uint64_t compute_tutti(const struct plan_model *m, const struct plan_memory_options *o)
{
    const uint64_t n_seq = o->n_seq > 0 ? (uint64_t)o->n_seq : 1, ctx = (uint64_t)context_of(m, o), f = 4;
    uint64_t nb = o->n_batch > 0 ? (uint64_t)o->n_batch : UBATCH;
    if (m->is_encoder && nb < ctx)
        nb = ctx;
    const uint64_t e = (uint64_t)m->n_embd, h = (uint64_t)m->n_head, cols = (uint64_t)(m->n_cols_max > 0 ? m->n_cols_max : m->n_ff > m->n_embd ? m->n_ff : m->n_embd);
    const uint64_t wide = max2(e, cols), n_q = h * (uint64_t)(m->d_q_head > 0 ? m->d_q_head : m->d_k), n_k = (uint64_t)m->n_kv_head * (uint64_t)m->d_k;
    const uint64_t n_v = m->kv_lora > 0 ? 0 : (uint64_t)m->n_kv_head * (uint64_t)m->d_v, rot = (uint64_t)m->n_rot;
    uint64_t all = nb * f * (3 * e + n_q + n_k + n_v + max2(h * (uint64_t)m->d_v, (uint64_t)m->q_lora) + 2 * rot);
    if (m->ff_floats)
        all += nb * f * (uint64_t)m->n_ff;
    if (m->ff_codes || (!m->ff_floats && m->n_expert == 0))
        all += acts(nb, up((uint64_t)m->n_ff, 32));
    if (m->kv_lora > 0)
        all += nb * f * h * max2((uint64_t)m->d_k, (uint64_t)m->d_v_head);
    all += acts(max2(nb, n_seq), up(wide, 32)) + n_seq * (uint64_t)m->n_vocab * f + nb * 12;
    if (m->n_expert > 0) {
        const uint64_t slots = nb * (uint64_t)m->n_expert_used, fe = (uint64_t)m->n_ff_expert;
        all += nb * (uint64_t)m->n_expert * f + slots * (2 * 12 + 4) + slots * f * (2 * e + fe) + acts(slots, up(max2(e, fe), 32));
    }
    const uint64_t threads = o->n_threads > 0 ? (uint64_t)o->n_threads : 8;
    const uint64_t each = 4 * wide * f + acts(4, up(wide, 32)) + (o->thread_bytes ? o->thread_bytes : 64 * wide) +
                          attention(m) + 2 * nb * 4 * 16 * f + 64 * 32 + 2 * (ctx / PAGE + 1) * 8;
    return all + threads * each;
}

/* llama.cpp with flash attention: logits and the widest activations of one micro-batch of 512 (llama 3.1 8B: 258 MiB, as it prints). */
static uint64_t compute_others(const struct plan_model *m, const struct plan_memory_options *o)
{
    const uint64_t nb = o->n_batch > 0 && o->n_batch < UBATCH ? (uint64_t)o->n_batch : UBATCH, widest = max2((uint64_t)m->n_ff * 2, (uint64_t)m->n_vocab);
    return nb * 4 * (widest + (uint64_t)m->n_embd) + (uint64_t)context_of(m, o) * nb * 2 / 16;
}

/* The runtime itself: code, driver context, workspaces.  NVIDIA about 0.4 GB for a CUDA context with cuBLAS, ROCm alike, Metal and
 * Vulkan 0.1 to 0.2 GB, a CPU process some 20 MB; vLLM keeps CUDA graphs and torch: about 2 GB.  Rounded, general knowledge, not checked against logs. */
static uint64_t runtime_bytes(const struct plan_memory_options *o)
{
    if (o->engine == PLAN_ENGINE_TUTTI)
        return 6 << 20;
    if (o->engine == PLAN_ENGINE_VLLM)
        return (uint64_t)2000 << 20;
    switch (o->cls) {
    case PLAN_NVIDIA: case PLAN_AMD: case PLAN_JETSON: return (uint64_t)400 << 20;
    case PLAN_INTEL: case PLAN_NPU: return (uint64_t)250 << 20;
    case PLAN_APPLE: return (uint64_t)150 << 20;
    case PLAN_CPU: case PLAN_SOC: case PLAN_CLASS_COUNT: break;
    }
    return 30 << 20;
}

struct plan_memory plan_memory_of(const struct plan_model *given, const struct plan_memory_options *o)
{
    const struct plan_model m = with_shape(given);
    struct plan_memory need = { .weights = m.weight_bytes, .kv = plan_kv_bytes(&m, o), .runtime = runtime_bytes(o), .is_exact = m.is_exact && o->engine == PLAN_ENGINE_TUTTI };
    need.compute = o->engine == PLAN_ENGINE_TUTTI ? compute_tutti(&m, o) : compute_others(&m, o);
    need.total = need.weights + need.kv + need.compute + need.runtime;
    return need;
}

/* ---- does it fit ---- */

static const char *const fits_names[] = { "fits", "tight", "split", "no" };
const char *plan_fits_name(enum plan_fits f) { return fits_names[f]; }

uint64_t plan_usable_bytes(const struct plan_device *d)
{
    if (d->mem_free_bytes > 0)
        return d->mem_free_bytes;
    const double all = (double)d->mem_bytes;
    /* macOS lets the GPU wire two thirds up to 36 GB, three quarters above, unless told otherwise (iogpu.wired_limit_mb). */
    if (d->cls == PLAN_APPLE)
        return (uint64_t)(all * (all > 36.5e9 ? 0.75 : 2.0 / 3));
    if (d->is_phone)
        return (uint64_t)(all * 0.6);
    if (d->is_unified || d->cls == PLAN_CPU || d->cls == PLAN_SOC || d->cls == PLAN_JETSON || d->cls == PLAN_NPU) /* the system and what else runs */
        return (uint64_t)(all > 24e9 ? all - 4e9 : all > 6e9 ? all - 2e9 : all * 0.7);
    return (uint64_t)(all - 0.3e9 > 0 ? all - 0.3e9 : 0); /* the screen, page tables, ECC */
}

struct plan_placement plan_place(const struct plan_model *given, const struct plan_memory *need, const struct plan_device *d, uint64_t host_bytes)
{
    const struct plan_model m = with_shape(given);
    const uint64_t n = d->n_devices > 1 ? (uint64_t)d->n_devices : 1, room = plan_usable_bytes(d) * n, fixed = (need->compute + need->runtime) * n;
    const uint64_t whole = need->weights + need->kv + fixed;
    struct plan_placement p = { .fits = PLAN_FITS, .n_layers = m.n_layer + 1, .n_layers_device = m.n_layer + 1, .device_bytes = whole, .share_device = 1 };
    if (whole <= room) {
        p.fits = (double)whole > 0.95 * (double)room ? PLAN_TIGHT : PLAN_FITS;
        return p;
    }
    /* layer by layer with its K/V; the rest is multiplied by the CPU in main memory */
    const double each = (double)(need->weights + need->kv) / p.n_layers;
    const double left = room > fixed ? (double)(room - fixed) : 0;
    p.n_layers_device = (int)(left / each);
    p.share_device = (double)p.n_layers_device / p.n_layers;
    p.device_bytes = fixed + (uint64_t)(each * p.n_layers_device);
    p.host_bytes = (uint64_t)(each * (p.n_layers - p.n_layers_device));
    const bool has_host = !d->is_unified && d->cls != PLAN_CPU && d->cls != PLAN_SOC && host_bytes > 0;
    p.fits = has_host && p.n_layers_device > 0 && p.host_bytes <= host_bytes ? PLAN_SPLIT : PLAN_TOO_LARGE;
    return p;
}
