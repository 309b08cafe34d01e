/* tests/plan/test_memory.c - bytes of models that everyone knows, and where they fit. */
#include <math.h>
#include <string.h>

#include "plan/memory.h"
#include "test.h"

static struct plan_model llama_8b(const char *quant)
{
    struct plan_model m = { .params = 8.03e9, .bpw = plan_quant_bpw(quant, 8.03e9), .n_layer = 32, .n_layer_full = 32, .n_embd = 4096, .n_head = 32, .n_kv_head = 8, .d_k = 128, .d_v = 128,
                            .n_ff = 14336, .n_vocab = 128256, .n_ctx_train = 131072, .n_rot = 128 };
    plan_model_size(&m);
    return m;
}
static const double GIB = 1073741824.0;

TEST(cache_of_llama_8b_is_128_kib_per_position)
{
    const struct plan_model m = llama_8b("Q4_K_M");
    CHECK(plan_kv_bytes_per_tok(&m, 16) == 128 << 10, "%llu", (unsigned long long)plan_kv_bytes_per_tok(&m, 16));
    struct plan_memory_options o = { .engine = PLAN_ENGINE_LLAMA_CPP, .n_ctx = 8192 };
    CHECK((double)plan_kv_bytes(&m, &o) == GIB, "8k: 1 GiB (seed-errors 001-20)");
    o.n_ctx = 131072;
    CHECK((double)plan_kv_bytes(&m, &o) == 16 * GIB, "128k: 16 GiB");
    o.kv_bits = 8;
    CHECK(fabs((double)plan_kv_bytes(&m, &o) / GIB - 8.5) < 1e-9, "q8_0: 8.5 bits");
    o = (struct plan_memory_options){ .engine = PLAN_ENGINE_TUTTI, .n_ctx = 8192, .n_seq = 4 };
    CHECK((double)plan_kv_bytes(&m, &o) == (4 * 8192 + 4 * 32) * (131072.0 + 32 * 8 * 2 * 4), "ours: four sequences, a page more for each; a float scale for K and V of each head");
}

TEST(windows_and_latent_attention_keep_less)
{
    /* Gemma 3 12B: 48 layers, 40 with a window of 1024; 8 heads of 256 */
    const struct plan_model gemma = { .params = 11.77e9, .bpw = 4.9, .n_layer = 48, .n_layer_full = 8, .n_layer_window = 40, .window = 1024, .n_embd = 3840, .n_head = 16, .n_kv_head = 8, .d_k = 256,
                                      .d_v = 256, .n_ff = 15360, .n_vocab = 262144 };
    const double layer = 8 * 256 * 2 * 2;
    struct plan_memory_options o = { .engine = PLAN_ENGINE_LLAMA_CPP, .n_ctx = 32768 };
    CHECK((double)plan_kv_bytes(&gemma, &o) == layer * (8 * 32768.0 + 40 * 1536.0), "window + batch: %llu", (unsigned long long)plan_kv_bytes(&gemma, &o));
    o.engine = PLAN_ENGINE_TUTTI;
    CHECK((double)plan_kv_bytes(&gemma, &o) > layer * 48 * 32768.0, "our pages keep all positions");
    /* DeepSeek V3: 61 layers, one row of 512 + 64 */
    const struct plan_model v3 = { .params = 671e9, .active_params = 37e9, .bpw = 4.8, .n_layer = 61, .n_layer_full = 61, .n_embd = 7168, .n_head = 128, .n_kv_head = 1, .d_k = 576, .d_v = 512,
                                   .kv_lora = 512, .n_rot = 64, .n_ff = 18432, .n_vocab = 129280 };
    CHECK(plan_kv_bytes_per_tok(&v3, 16) == 61 * 576 * 2, "%llu", (unsigned long long)plan_kv_bytes_per_tok(&v3, 16));
    /* layers with a state do not grow */
    const struct plan_model hybrid = { .params = 27e9, .bpw = 4.8, .n_layer = 64, .n_layer_full = 16, .n_layer_linear = 48, .linear_state_bytes = 1 << 20, .n_embd = 5120, .n_head = 24, .n_kv_head = 4,
                                       .d_k = 256, .d_v = 256, .n_ff = 17408, .n_vocab = 248320 };
    CHECK(plan_kv_bytes_per_tok(&hybrid, 16) == 16 * 4 * 512 * 2, "%llu", (unsigned long long)plan_kv_bytes_per_tok(&hybrid, 16));
}

TEST(a_70b_model_fits_where_people_found_that_it_fits)
{
    struct plan_model m = { .params = 70.55e9, .bpw = plan_quant_bpw("Q4_K_M", 70.55e9), .n_layer = 80, .n_layer_full = 80, .n_embd = 8192, .n_head = 64, .n_kv_head = 8, .d_k = 128, .d_v = 128, .n_ff = 28672,
                            .n_vocab = 128256 };
    plan_model_size(&m);
    CHECK(fabs((double)m.weight_bytes / 42.5e9 - 1) < 0.01, "42.5 GB");
    const struct plan_memory_options o = { .engine = PLAN_ENGINE_LLAMA_CPP, .cls = PLAN_NVIDIA, .n_ctx = 4096 };
    const struct plan_memory need = plan_memory_of(&m, &o);
    struct plan_device d = { .cls = PLAN_NVIDIA, .n_devices = 1, .mem_bytes = 24000000000u };
    CHECK(plan_place(&m, &need, &d, 0).fits == PLAN_TOO_LARGE, "not on one card of 24 GB (001-52)");
    const struct plan_placement split = plan_place(&m, &need, &d, 64000000000u);
    CHECK(split.fits == PLAN_SPLIT && split.n_layers_device > 35 && split.n_layers_device < 48 && split.device_bytes <= plan_usable_bytes(&d), "%d layers on the card", split.n_layers_device);
    d.n_devices = 2;
    CHECK(plan_place(&m, &need, &d, 0).fits <= PLAN_TIGHT, "on two (001-16)");
    d = (struct plan_device){ .cls = PLAN_APPLE, .n_devices = 1, .is_unified = true, .mem_bytes = 64000000000u };
    CHECK(plan_place(&m, &need, &d, 0).fits <= PLAN_TIGHT, "64 GB Mac: 48 GB for its GPU");
    d.mem_bytes = 36000000000u;
    CHECK(plan_place(&m, &need, &d, 64000000000u).fits == PLAN_TOO_LARGE, "unified memory has no host memory behind it");
}

TEST(more_of_anything_never_needs_less)
{
    for (int e = 0; e <= PLAN_ENGINE_OTHER; e++) {
        uint64_t last = 0;
        for (int ctx = 512; ctx <= 131072; ctx *= 2) {
            const struct plan_model m = llama_8b("Q8_0");
            const struct plan_memory_options o = { .engine = (enum plan_engine)e, .cls = PLAN_NVIDIA, .n_ctx = ctx };
            const struct plan_memory need = plan_memory_of(&m, &o);
            CHECK(need.total > last && need.total == need.weights + need.kv + need.compute + need.runtime, "engine %d, context %d", e, ctx);
            last = need.total;
            struct plan_memory_options two = o;
            two.n_seq = 2;
            CHECK(plan_memory_of(&m, &two).kv > need.kv, "two sequences");
        }
        last = 0;
        for (double p = 2e8; p < 1e12; p *= 2) { /* no shape known */
            struct plan_model m = { .params = p, .bpw = 4.8 };
            plan_model_size(&m);
            const uint64_t total = plan_memory_of(&m, &(struct plan_memory_options){ .engine = (enum plan_engine)e }).total;
            CHECK(total > last, "%g weights", p);
            last = total;
        }
    }
}

TEST(engines_are_read_from_runtimes)
{
    CHECK(plan_engine_of("llama.cpp CUDA") == PLAN_ENGINE_LLAMA_CPP && plan_engine_of("ollama") == PLAN_ENGINE_LLAMA_CPP && plan_engine_of("vLLM CUDA") == PLAN_ENGINE_VLLM, "names");
    CHECK(plan_engine_of("tutti") == PLAN_ENGINE_TUTTI && plan_engine_of("") == PLAN_ENGINE_LLAMA_CPP && plan_engine_of("RKLLM NPU") == PLAN_ENGINE_OTHER, "names");
    CHECK(plan_engine_is_known("llamafile CUDA") && plan_engine_is_known("TensorRT-LLM") && !plan_engine_is_known("lama.cpp") && !plan_engine_is_known(""), "typed names");
}
