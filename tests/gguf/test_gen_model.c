/* tests/gguf/test_gen_model.c - the files of tools/gen-model open, and their weights are finite and of sane size. */
#include "gguf/gguf.h"
#include "test.h"

#include <math.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* build/tests/gguf/test_gen_model knows where build/tools/gen-model lies. */
static bool generate(const char *args)
{
    char cmd[600], self[400];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        SKIP("no /proc/self/exe");
    self[n] = '\0';
    for (int up = 0; up < 3; up++)
        *strrchr(self, '/') = '\0';
    strcat(self, "/tools/gen-model");
    if (access(self, X_OK) != 0)
        SKIP("%s is not built", self);
    snprintf(cmd, sizeof(cmd), "'%s' %s 2>/dev/null", self, args);
    const int rc = system(cmd);
    if (WIFEXITED(rc) && WEXITSTATUS(rc) >= 126)
        SKIP("%s does not run here", self);
    return rc == 0;
}

static void check_tensor(const struct gguf_tensor *t, const char *what)
{
    const uint64_t n = t->ne[0] * t->ne[1] * t->ne[2];
    const double want = 1.0 / sqrt((double)t->ne[0]);
    double sum = 0.0, sum_squares = 0.0;
    float *x = malloc(n * sizeof(*x));
    REQUIRE(x && dtype_to_f32(x, t->type, t->data, n), "%s %s", what, t->name);
    bool finite = true;
    for (uint64_t i = 0; i < n; i++) {
        finite = finite && isfinite(x[i]);
        sum += (double)x[i];
        sum_squares += (double)x[i] * (double)x[i];
    }
    free(x);
    CHECK(finite, "%s %s", what, t->name);
    const double std = sqrt(sum_squares / (double)n);
    if (t->n_dims == 1) /* norms and rope factors about 1, biases small */
        CHECK(std < 40.0, "%s %s: %g", what, t->name, std);
    else
        CHECK(std > 0.6 * want && std < 1.6 * want && fabs(sum / (double)n) < 0.1 * want, "%s %s: %g, wanted %g, mean %g", what,
              t->name, std, want, sum / (double)n);
}

TEST(all_types_give_weights_of_the_right_spread)
{
    static const char *const types[] = { "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k_m",
                                         "q4_k_m", "q5_k_m", "q6_k", "iq4_nl", "iq4_xs", "mxfp4" };
    static const char *const shapes[] = { "tiny-llama", "tiny-odd", "tiny-qwen2", "tiny-moe" };
    char args[300];
    const char *path = test_tmp("gen.gguf");
    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
            struct err err = { 0 };
            snprintf(args, sizeof(args), "%s%s %s '%s'", i % 2 ? "--pure " : "", shapes[s], types[i], path);
            REQUIRE(generate(args), "%s", args);
            struct gguf *g = gguf_open(path, &err);
            REQUIRE(g, "%s", err.text);
            for (size_t k = 0; k < gguf_n_tensors(g); k++)
                check_tensor(gguf_tensor_at(g, k), args);
            gguf_close(g);
        }
}

TEST(the_seed_decides_the_weights)
{
    char args[300];
    struct gguf *g[3];
    for (int i = 0; i < 3; i++) {
        struct err err = { 0 };
        char name[16];
        snprintf(name, sizeof(name), "s%d.gguf", i);
        const char *path = test_tmp(name);
        snprintf(args, sizeof(args), "--seed %d tiny-odd q8_0 '%s'", i == 2 ? 8 : 7, path);
        REQUIRE(generate(args));
        g[i] = gguf_open(path, &err);
        REQUIRE(g[i], "%s", err.text);
    }
    for (size_t k = 0; k < gguf_n_tensors(g[0]); k++) {
        const struct gguf_tensor *a = gguf_tensor_at(g[0], k), *b = gguf_tensor_at(g[1], k), *c = gguf_tensor_at(g[2], k);
        CHECK(memcmp(a->data, b->data, a->n_bytes) == 0 && memcmp(a->data, c->data, a->n_bytes) != 0, "%s", a->name);
    }
    for (int i = 0; i < 3; i++)
        gguf_close(g[i]);
}

TEST(the_vocabulary_is_ascii_and_without_doubles)
{
    struct err err = { 0 };
    char args[300];
    const char *path = test_tmp("v.gguf");
    snprintf(args, sizeof(args), "tiny-qwen2 f16 '%s'", path);
    REQUIRE(generate(args));
    struct gguf *g = gguf_open(path, &err);
    REQUIRE(g, "%s", err.text);
    const struct gguf_kv *tokens = gguf_find(g, "tokenizer.ggml.tokens");
    struct gguf_str seen[512];
    size_t cursor = 0;
    REQUIRE(tokens && tokens->n == 512);
    for (size_t i = 0; i < 512; i++) {
        seen[i] = gguf_kv_next_str(tokens, &cursor);
        REQUIRE(seen[i].len > 0);
        for (size_t c = 0; c < seen[i].len; c++) /* GPT-2 writes white space as U+0100 and more: C4 xx */
            CHECK((uint8_t)seen[i].data[c] < 0x7f || (c < 2 && (uint8_t)seen[i].data[0] == 0xc4), "token %zu", i);
        for (size_t k = 0; k < i; k++)
            CHECK(seen[k].len != seen[i].len || memcmp(seen[k].data, seen[i].data, seen[i].len) != 0, "tokens %zu and %zu", k, i);
    }
    gguf_close(g);
}

TEST(wrong_arguments_are_refused)
{
    CHECK(!generate("") && !generate("no-such-shape q8_0 /tmp/x.gguf") && !generate("tiny-llama q9_9 /tmp/x.gguf"));
    CHECK(!generate("tiny-llama q8_0 /nonexistent/x.gguf") && !generate("--seed x tiny-llama q8_0 /tmp/x.gguf"));
}
