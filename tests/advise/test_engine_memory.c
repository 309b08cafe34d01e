/* tests/advise/test_engine_memory.c - what plan/ says that a model takes against what our engine then holds. */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "advise/model.h"
#include "hw/cpu.h"
#include "llm/llm.h"
#include "plan/memory.h"
#include "test.h"

static int n_compared;

static void compare(const char *path, const struct llm_ctx_options *opt, int n_threads)
{
    struct err err = { 0 };
    struct kernels k;
    struct plan_model m;
    kernels_choose(&k, cpu_flags());
    struct gguf *g = gguf_open(path, &err);
    REQUIRE(g != NULL, "%s", err.text);
    struct pool *pool = pool_new(n_threads, &err);
    struct llm_model *model = pool ? llm_model_open(g, &k, pool, &err) : NULL;
    struct llm_ctx *ctx = model ? llm_ctx_new(model, opt, &err) : NULL;
    if (ctx) {
        CHECK(advise_model_of_gguf(&m, g, &err), "%s", err.text);
        const struct plan_memory_options o = { .engine = PLAN_ENGINE_TUTTI, .cls = PLAN_CPU, .n_ctx = llm_ctx_n_ctx(ctx), .n_seq = opt->n_seq_max, .n_batch = opt->n_batch_max, .kv_bits = opt->kv_q8 ? 8 : 16,
                                              .n_threads = n_threads, .thread_bytes = matmul_scratch_bytes(&k.matmul, m.n_cols_max) };
        const struct plan_memory need = plan_memory_of(&m, &o);
        const struct llm_ctx_bytes held = llm_ctx_bytes(ctx);
        const struct llm_info *info = llm_model_info(model);
        const double real = (double)info->weight_bytes + (double)held.kv + (double)held.scratch, said = (double)(need.weights + need.kv + need.compute);
        CHECK(fabs(said / real - 1) < 0.03, "%s: said %.0f, holds %.0f: weights %llu of %llu, kv %llu of %zu, scratch %llu of %zu", path, said, real, (unsigned long long)need.weights,
              (unsigned long long)info->weight_bytes, (unsigned long long)need.kv, held.kv, (unsigned long long)need.compute, held.scratch);
        CHECK(fabs((double)need.weights / (double)info->weight_bytes - 1) < 0.001, "%s: weights %llu of %llu", path, (unsigned long long)need.weights, (unsigned long long)info->weight_bytes);
        CHECK(m.bytes_per_tok == info->bytes_per_tok && m.params == (double)info->n_params, "%s: %llu bytes per token of %llu", path, (unsigned long long)m.bytes_per_tok,
              (unsigned long long)info->bytes_per_tok);
        n_compared++;
    } else
        CHECK(err.code == ERR_UNSUPPORTED, "%s: %s", path, err.text);
    llm_ctx_free(ctx);
    llm_model_free(model);
    pool_free(pool);
    gguf_close(g);
}

static void compare_folder(const char *folder)
{
    static const struct llm_ctx_options options[] = {
        { .n_seq_max = 1 }, { .n_ctx = 256, .n_seq_max = 4, .n_batch_max = 64 }, { .n_ctx = 1000, .n_seq_max = 1, .n_batch_max = 128, .kv_q8 = true },
    };
    char path[1200];
    DIR *d = opendir(folder);
    REQUIRE(d != NULL, "%s", folder);
    int i = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strlen(e->d_name) > 5 && strcmp(e->d_name + strlen(e->d_name) - 5, ".gguf") == 0) {
            snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
            const int which = i++ % 3;
            compare(path, &options[which], which == 1 ? 3 : 1);
        }
    closedir(d);
}

TEST(memory_of_every_golden_architecture_within_3_percent)
{
    compare_folder(test_shared("golden/arch"));
    CHECK(n_compared >= 20, "%d models", n_compared);
}

TEST(memory_of_every_golden_quantization_within_3_percent)
{
    compare_folder(test_shared("golden/quant"));
    CHECK(n_compared >= 10, "%d models", n_compared);
}

TEST(memory_of_every_generated_model_within_3_percent)
{
    static const char *const models[][2] = { { "tiny-llama", "q4_k_m" }, { "tiny-odd", "q8_0" }, { "tiny-qwen2", "q5_0" }, { "tiny-moe", "f16" }, { "smollm2-135m", "q4_0" } };
    const int n = getenv("TEST_QUICK") ? 4 : 5;
    char self[400], command[900], path[256];
    const ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (len <= 0)
        SKIP("no /proc/self/exe");
    self[len] = '\0';
    for (int up = 0; up < 3 && strrchr(self, '/'); up++) /* build/tests/advise/test_x: build/tools/gen-model */
        *strrchr(self, '/') = '\0';
    snprintf(path, sizeof(path), "%s", test_tmp("model.gguf"));
    for (int i = 0; i < n; i++) {
        snprintf(command, sizeof(command), "'%s/tools/gen-model' --seed 1 %s %s '%s' >/dev/null 2>&1", self, models[i][0], models[i][1], path);
        if (system(command) != 0)
            SKIP("gen-model is not built or does not run here");
        compare(path, &(struct llm_ctx_options){ .n_ctx = 512, .n_seq_max = 2 }, 2);
    }
    CHECK(n_compared == n, "%d models", n_compared);
}
