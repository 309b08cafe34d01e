/* tests/llm/test_packing.c - weights are packed while the model is in use already: nobody reads what is not there yet. */
#include <stdatomic.h>

#include "hw/cpu.h"
#include "llm/llm.h"
#include "llm/packing.h"
#include "llm/tiny.h"

/* A tiny file and what opens it. */
struct bench {
    struct kernels kernels;
    struct pool *pool;
    struct gguf *g;
};

static bool set_up(struct bench *b, const char *path, int threads)
{
    struct err err = { 0 };
    kernels_choose(&b->kernels, cpu_flags());
    b->pool = pool_new(threads, &err);
    b->g = gguf_open(path, &err);
    CHECK(b->pool && b->g, "%s", err.text);
    return b->pool && b->g;
}

static struct llm_model *open_model(struct bench *b)
{
    struct err err = { 0 };
    struct llm_model *m = llm_model_open(b->g, &b->kernels, b->pool, &err);
    CHECK(m != NULL, "%s", err.text);
    return m;
}

static void put_away(struct bench *b)
{
    gguf_close(b->g);
    pool_free(b->pool);
}

static bool first_logits(const char *path, int threads, bool waits, float *out)
{
    struct bench b;
    struct err err = { 0 };
    struct llm_model *m = set_up(&b, path, threads) ? open_model(&b) : NULL;
    if (m && waits)
        llm_model_wait(m);
    struct llm_ctx *c = m ? llm_ctx_new(m, &(struct llm_ctx_options){ .n_ctx = 64, .n_batch_max = 8 }, &err) : NULL;
    const bool ok = c && llm_forward(c, &(struct llm_token){ .seq = llm_seq_new(c), .id = 1, .want_logits = true }, 1, &err);
    if (ok)
        memcpy(out, llm_logits(c, 0), TINY_VOCAB * sizeof(float));
    llm_ctx_free(c);
    llm_model_free(m);
    put_away(&b);
    return ok;
}

TEST(a_pass_that_begins_before_the_weights_are_packed_gives_the_same)
{
    const char *path = tiny_write("tiny.gguf", &(struct tiny){ .type = DTYPE_Q8_0 });
    float want[TINY_VOCAB], got[TINY_VOCAB];
    CHECK(first_logits(path, 1, true, want), "%s", path);
    for (int i = 0; i < 20; i++) {
        CHECK(first_logits(path, 1 + i % 3, false, got), "%d", i);
        CHECK(memcmp(want, got, sizeof(want)) == 0, "%d", i);
    }
}

TEST(a_model_may_go_while_it_is_packed)
{
    struct bench b;
    REQUIRE(set_up(&b, tiny_write("tiny.gguf", &(struct tiny){ .type = DTYPE_Q4_0 }), 3));
    for (int i = 0; i < 30; i++)
        llm_model_free(open_model(&b));
    put_away(&b);
}

static void count_call(void *ctx) { atomic_fetch_add((_Atomic int *)ctx, 1); }

TEST(who_asks_is_told_once_when_all_is_packed)
{
    struct bench b;
    REQUIRE(set_up(&b, tiny_write("tiny.gguf", &(struct tiny){ .type = DTYPE_Q8_0 }), 3));
    for (int i = 0; i < 30; i++) {
        _Atomic int n = 0;
        struct llm_model *m = open_model(&b);
        REQUIRE(m != NULL);
        if (i % 2)
            llm_model_wait(m);
        llm_model_on_packed(m, count_call, (void *)&n);
        llm_model_wait(m);
        llm_model_free(m); /* whoever packed last has spoken then */
        CHECK(atomic_load(&n) == 1, "%d: %d times", i, atomic_load(&n));
    }
    put_away(&b);
}

/* Matrices of several pieces, and stacks of them, end up as weight_pack() alone would have put them. */
TEST(many_threads_pack_what_one_would)
{
    enum { ROWS = 4096 + 5, COLS = 256, N = 2 };
    static const enum dtype type = DTYPE_Q4_K;
    const size_t row = (size_t)dtype_row_bytes(type, COLS), one = row * ROWS, bytes = weight_packed_bytes(type, ROWS, COLS);
    uint8_t *src = aligned_alloc(64, (N * one + 63) / 64 * 64), *want = calloc(N, bytes);
    for (size_t i = 0; i < N * one; i++)
        src[i] = (uint8_t)test_rand_u64();
    for (int e = 0; e < N; e++)
        weight_pack(want + (size_t)e * bytes, type, ROWS, COLS, src + (size_t)e * one, 0, (ROWS + 15) / 16);
    struct err err = { 0 };
    struct gguf *g = gguf_open(tiny_write("tiny.gguf", &(struct tiny){ .type = DTYPE_F32 }), &err);
    const struct gguf_tensor t = { .name = "t", .type = type, .data = src, .n_bytes = 0 }; /* 0: nothing of it may be given back */
    for (int threads = 1; threads <= 3; threads++) {
        struct weight w = weight_at(type, ROWS, COLS, src);
        struct pack_item item = { .w = &w, .t = &t, .n = N, .stage = 1, .src_stride = one };
        struct packing *p = packing_start(g, &item, 1, 3, threads, &err);
        CHECK(p != NULL, "%s", err.text);
        packing_wait(p, 0);
        packing_wait(p, 2);
        CHECK(memcmp(w.data, want, N * bytes) == 0, "%d threads", threads);
        packing_free(p);
    }
    gguf_close(g);
    free(src), free(want);
}
