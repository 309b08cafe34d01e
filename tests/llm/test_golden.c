/* tests/llm/test_golden.c - every golden model, both regimes, every CPU level of this machine, 1 and 2 threads:
 * NMSE against the reference at or below 1.1 times llama.cpp's (shared/golden/README.md). */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "hw/cpu.h"
#include "llm/llm.h"
#include "test.h"

struct golden { /* one row of table.tsv, and its files */
    char dir[16], name[40];
    int n_rows, n_cols;
    double bar[2]; /* batch, step */
    int32_t *tok;
    int n_tok;
    float *ref;
};

static bool load(struct golden *g)
{
    char path[160];
    size_t n;
    struct err err = { 0 };
    snprintf(path, sizeof(path), "golden/%s/%s.tok", g->dir, g->name);
    g->tok = (int32_t *)(void *)file_read(test_shared(path), 1 << 24, &n, &err);
    g->n_tok = (int)(n / 4);
    snprintf(path, sizeof(path), "golden/%s/%s.ref", g->dir, g->name);
    g->ref = (float *)(void *)file_read(test_shared(path), 1 << 28, &n, &err);
    return g->tok && g->ref && n == (size_t)g->n_rows * (size_t)g->n_cols * 4;
}

static double nmse(const float *ref, const float *got, size_t n)
{
    double num = 0, den = 0;
    for (size_t i = 0; i < n; i++)
        num += ((double)ref[i] - got[i]) * ((double)ref[i] - got[i]), den += (double)ref[i] * ref[i];
    return isfinite(num) ? num / den : INFINITY;
}

/* Logits of all tokens into out; as one batch or one at a time. */
static bool evaluate(struct llm_model *m, const struct golden *g, bool by_step, float *out, struct err *err)
{
    const struct llm_info *info = llm_model_info(m);
    const int n = g->n_tok;
    const struct llm_ctx_options opt = { .n_ctx = info->is_encoder ? n : 256, .n_batch_max = n, .n_logits_max = n };
    struct llm_ctx *c = llm_ctx_new(m, &opt, err);
    struct llm_token tok[512];
    bool ok = c && n <= 512;
    if (ok && info->is_encoder)
        ok = llm_embed(c, g->tok, n, out, err);
    else if (ok) {
        const int seq = llm_seq_new(c);
        for (int i = 0; i < n; i++)
            tok[i] = (struct llm_token){ .seq = seq, .pos = i, .id = g->tok[i], .want_logits = true };
        for (int i = 0; ok && i < n; i += by_step ? 1 : n) {
            ok = llm_forward(c, tok + i, by_step ? 1 : n, err);
            if (ok)
                memcpy(out + (size_t)i * (size_t)g->n_cols, llm_logits(c, 0), (size_t)(by_step ? 1 : n) * (size_t)g->n_cols * 4);
        }
    }
    llm_ctx_free(c);
    return ok;
}

/* TEST_QUICK (sanitizers, emulators): one thread, and of levels below the best one only every sixth model, others at each level.
 * TEST_OWN_LEVEL (another emulated machine has the rest): every third model, at the best level only. */
static bool is_quick(void) { return getenv("TEST_QUICK") != NULL; }
static bool is_own_level_only(void) { const char *v = getenv("TEST_OWN_LEVEL"); return v && *v; }

/* The level that every machine with AVX-512 has: the kernels of AMX on tiles in plain C (tests/kernels/amx_model.h). */
static const char EMULATED_AMX[] = "amx, emulated";
#if defined(__x86_64__)
extern const struct matmul_ops emulated_amx;
static bool choose(struct kernels *k, const char *level, struct err *err)
{
    const bool is_emulated = strcmp(level, EMULATED_AMX) == 0;
    uint32_t use;
    if (!cpu_choose(is_emulated ? "avx512" : level, cpu_flags(), &use, NULL, err))
        return false;
    kernels_choose(k, use);
    if (!is_emulated)
        return true;
    for (int t = 0; t <= DTYPE_ID_MAX; t++)
        k->matmul.fn[t] = emulated_amx.fn[t] ? emulated_amx.fn[t] : k->matmul.fn[t];
    k->matmul.scratch_bytes[k->matmul.n_scratch++] = emulated_amx.scratch_bytes;
    return (emulated_amx.need & ~use & ~(uint32_t)CPU_AMX) == 0 || err_set(err, ERR_UNSUPPORTED, "%s: this machine has no AVX-512 with BF16", level);
}
#else
static bool choose(struct kernels *k, const char *level, struct err *err)
{
    uint32_t use;
    if (!cpu_choose(level, cpu_flags(), &use, NULL, err))
        return false;
    kernels_choose(k, use);
    return true;
}
#endif

static void check_model(struct golden *g, const char *level)
{
    char path[160];
    struct err err = { 0 };
    struct kernels k;
    REQUIRE(load(g), "%s: cannot read", g->name);
    REQUIRE(choose(&k, level, &err), "%s", err.text);
    snprintf(path, sizeof(path), "golden/%s/%s.gguf", g->dir, g->name);
    const size_t n = (size_t)g->n_rows * (size_t)g->n_cols;
    float *first = malloc(n * 4), *out = malloc(n * 4);
    for (int threads = 1; threads <= (is_quick() ? 1 : 2); threads++) {
        struct pool *pool = pool_new(threads, &err);
        struct gguf *f = gguf_open(test_shared(path), &err);
        struct llm_model *m = f ? llm_model_open(f, &k, pool, &err) : NULL;
        CHECK(m, "%s: %s", g->name, err.text);
        for (int step = 0; m && step < (threads == 1 ? 2 : 1); step++) { /* steps of 2 threads: test_llm_ctx.c */
            const bool ok = evaluate(m, g, step == 1, out, &err);
            const double e = ok ? nmse(g->ref, out, n) : INFINITY;
            CHECK(ok && e <= g->bar[step], "%s %s %s %d threads: nmse %.3e, bar %.3e (%.2f) %s", level, g->name, step ? "step" : "batch",
                  threads, e, g->bar[step], e / g->bar[step], err.text);
            if (getenv("TEST_VERBOSE"))
                printf("# %-7s %-18s %-5s %d: %.3e, bar %.3e, ratio %.3f\n", level, g->name, step ? "step" : "batch", threads, e, g->bar[step], e / g->bar[step]);
            if (threads == 1 && step == 0)
                memcpy(first, out, n * 4);
            else if (memcmp(first, out, n * 4) != 0) {
                size_t i = 0;
                while (!memcmp(&first[i], &out[i], 4))
                    i++;
                CHECK(false, "%s %s: %d threads %s differ from 1 thread batch at %zu: %.9g %.9g", level, g->name, threads,
                      step ? "step" : "batch", i, (double)first[i], (double)out[i]);
            }
        }
        llm_model_free(m);
        gguf_close(f);
        pool_free(pool);
    }
    free(first), free(out), free(g->tok), free(g->ref);
}

static void check_level(const char *level)
{
    size_t n;
    struct err err = { 0 };
    struct kernels k;
    uint32_t use;
    if (!choose(&k, level, &err))
        SKIP("%s", err.text);
    const struct cpu_level *best;
    const bool is_best = cpu_choose(NULL, cpu_flags(), &use, &best, &err) && strcmp(best->name, level) == 0;
    if (is_own_level_only() && !is_best)
        SKIP("%s: another machine has it (TEST_OWN_LEVEL)", level);
    int turn = 0; /* which sixth: by the level's place */
    while (turn < cpu_n_levels && strcmp(cpu_levels[turn].name, level) != 0)
        turn++;
    char *table = file_read(test_shared("golden/table.tsv"), 1 << 20, &n, &err), *save = NULL;
    REQUIRE(table);
    int n_models = 0;
    for (char *line = strtok_r(table, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct golden g = { 0 };
        char rest[8][64] = { "" };
        if (strncmp(line, "dir\t", 4) == 0)
            continue;
        const int got = sscanf(line, "%15s %39s %d %d %63s %63s %63s %63s %63s %63s", g.dir, g.name, &g.n_rows, &g.n_cols, rest[0], rest[1],
                               rest[2], rest[3], rest[4], rest[5]);
        REQUIRE(got >= 10, "table.tsv: %s", line);
        g.bar[0] = atof(rest[4]);
        g.bar[1] = atof(rest[5]);
        const char *only = getenv("TEST_MODEL");
        const bool is_wanted = is_own_level_only() ? (n_models + turn) % 3 == 0 : is_best || (!is_quick() && level != EMULATED_AMX) || (n_models + turn) % 6 == 0;
        if (only ? strcmp(only, g.name) == 0 : is_wanted)
            check_model(&g, level);
        n_models++;
    }
    CHECK(n_models > 40, "%d models", n_models);
    free(table);
}

TEST(golden_models_hold_at_level_ref) { check_level("ref"); }
#if defined(__x86_64__)
TEST(golden_models_hold_at_level_avx2) { check_level("avx2"); }
TEST(golden_models_hold_at_level_avxvnni) { check_level("avxvnni"); }
TEST(golden_models_hold_at_level_avx512) { check_level("avx512"); }
TEST(golden_models_hold_at_level_amx) { check_level("amx"); }
TEST(golden_models_hold_on_emulated_tiles_of_amx) { check_level(EMULATED_AMX); }
#else
TEST(golden_models_hold_at_level_neon) { check_level("neon"); }
TEST(golden_models_hold_at_level_dotprod) { check_level("dotprod"); }
TEST(golden_models_hold_at_level_i8mm) { check_level("i8mm"); }
#endif
