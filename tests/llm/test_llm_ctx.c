/* tests/llm/test_llm_ctx.c - contexts on a tiny model of our own: same input, same logits, whatever stands around it. */
#include "hw/cpu.h"
#include "llm/llm.h"
#include "llm/tiny.h"

struct loaded {
    struct kernels kernels;
    struct pool *pool;
    struct gguf *g;
    struct llm_model *m;
    struct err err;
};

static bool load(struct loaded *l, const char *path, int threads)
{
    *l = (struct loaded){ 0 };
    kernels_choose(&l->kernels, cpu_flags());
    l->pool = pool_new(threads, &l->err);
    l->g = gguf_open(path, &l->err);
    l->m = l->g ? llm_model_open(l->g, &l->kernels, l->pool, &l->err) : NULL;
    return l->m != NULL;
}

static void unload(struct loaded *l)
{
    llm_model_free(l->m);
    gguf_close(l->g);
    pool_free(l->pool);
}

/* Feeds ids[from..n) in steps and copies the last logits. */
static bool feed(struct llm_ctx *c, int seq, const int32_t *ids, int from, int n, int step, float *last, struct err *err)
{
    struct llm_token tok[64];
    for (int at = from; at < n; at += step) {
        const int k = n - at < step ? n - at : step;
        for (int i = 0; i < k; i++)
            tok[i] = (struct llm_token){ .seq = seq, .pos = at + i, .id = ids[at + i], .want_logits = at + i == n - 1 };
        if (!llm_forward(c, tok, k, err))
            return false;
    }
    memcpy(last, llm_logits(c, 0), TINY_VOCAB * sizeof(float));
    return true;
}

static void random_ids(int32_t *ids, int n)
{
    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)(test_rand_u64() % TINY_VOCAB);
}

TEST(logits_do_not_depend_on_steps_threads_neighbours_or_a_shared_prefix)
{
    static const enum dtype types[] = { DTYPE_F32, DTYPE_F16, DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q5_1, DTYPE_IQ4_NL };
    enum { N = 150 };
    int32_t ids[N], other[N];
    float want[TINY_VOCAB], got[TINY_VOCAB];
    random_ids(ids, N), random_ids(other, N);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        const struct tiny t = { .type = types[i] };
        const char *path = tiny_write("tiny.gguf", &t), *name = dtype_info(types[i])->name;
        for (int threads = 1; threads <= 3; threads++) {
            struct loaded l;
            struct err err = { 0 };
            REQUIRE(load(&l, path, threads), "%s", l.err.text);
            const struct llm_ctx_options opt = { .n_ctx = 200, .n_seq_max = 3, .n_batch_max = 64, .n_logits_max = 3 };
            struct llm_ctx *c = llm_ctx_new(l.m, &opt, &err);
            REQUIRE(c, "%s", err.text);
            for (int step = 1; step <= 64; step = step * 3 + 1) {
                const int seq = llm_seq_new(c);
                CHECK(feed(c, seq, ids, 0, N, step, got, &err), "%s", err.text);
                if (threads == 1 && step == 1)
                    memcpy(want, got, sizeof(want));
                CHECK(memcmp(want, got, sizeof(want)) == 0, "%s: %d threads, steps of %d", name, threads, step);
                llm_seq_truncate(c, seq, 0); /* its pages are not full any more: nothing to reuse */
                llm_seq_free(c, seq);
            }
            /* a first sequence leaves its pages behind; a second takes them over, while a third runs beside it */
            int a = llm_seq_new(c);
            feed(c, a, ids, 0, N, 64, got, &err);
            llm_seq_free(c, a);
            a = llm_seq_new(c);
            const int b = llm_seq_new(c), have = llm_seq_reuse(c, a, ids, N);
            CHECK(have == 128, "%d positions came from the cache", have);
            feed(c, b, other, 0, 100, 64, got, &err);
            for (int k = have; k < N; k++) {
                const struct llm_token tok[2] = { { b, 100 + k - have, other[k], false }, { a, k, ids[k], true } };
                CHECK(llm_forward(c, tok, 2, &err), "%s", err.text);
            }
            CHECK(memcmp(want, llm_logits(c, 0), sizeof(want)) == 0, "%s: beside a neighbour, behind a shared prefix", name);
            /* back to the middle of a shared page and on again */
            const int kept = llm_seq_truncate(c, a, 70);
            CHECK(kept == 70 && feed(c, a, ids, kept, N, 64, got, &err));
            CHECK(memcmp(want, got, sizeof(want)) == 0, "%s: after truncation", name);
            llm_ctx_free(c);
            unload(&l);
        }
    }
}

TEST(the_cache_runs_full_says_so_and_goes_on_when_there_is_room)
{
    enum { N = 96 };
    int32_t ids[N];
    float last[TINY_VOCAB];
    struct loaded l;
    struct err err = { 0 };
    random_ids(ids, N);
    REQUIRE(load(&l, tiny_write("tiny.gguf", &(struct tiny){ 0 }), 1), "%s", l.err.text);
    const struct llm_ctx_options opt = { .n_ctx = 128, .n_kv_tok = 128, .n_seq_max = 4, .n_batch_max = 64 };
    struct llm_ctx *c = llm_ctx_new(l.m, &opt, &err);
    REQUIRE(c, "%s", err.text);
    int seq[4], n = 0;
    const int total = llm_ctx_kv_free_tok(c);
    CHECK(total >= 128 && total == llm_ctx_kv_total_tok(c));
    for (; n < 4; n++) {
        ids[0] = n; /* no shared prefix */
        seq[n] = llm_seq_new(c);
        if (!feed(c, seq[n], ids, 0, N, 32, last, &err))
            break;
    }
    CHECK(n == 2 && err.code == ERR_BUSY, "%d sequences, %s", n, err.text);
    CHECK(llm_seq_len(c, seq[n]) % 32 == 0);
    llm_seq_free(c, seq[0]);
    CHECK(feed(c, seq[n], ids, llm_seq_len(c, seq[n]), N, 32, last, &err), "%s", err.text);
    for (int i = 1; i <= n; i++)
        llm_seq_free(c, seq[i]);
    CHECK(llm_ctx_kv_free_tok(c) == total, "%d of %d positions came back", llm_ctx_kv_free_tok(c), total);
    llm_ctx_free(c);
    unload(&l);
}

TEST(senseless_batches_are_refused_and_change_nothing)
{
    struct loaded l;
    struct err err = { 0 };
    REQUIRE(load(&l, tiny_write("tiny.gguf", &(struct tiny){ 0 }), 1), "%s", l.err.text);
    const struct llm_ctx_options opt = { .n_ctx = 40, .n_seq_max = 2, .n_batch_max = 48 };
    struct llm_ctx *c = llm_ctx_new(l.m, &opt, &err);
    REQUIRE(c, "%s", err.text);
    const int s = llm_seq_new(c);
    const struct { struct llm_token tok[3]; int n; enum err_code code; const char *why; } bad[] = {
        { { { s, 0, TINY_VOCAB, true } }, 1, ERR_INPUT, "id past the vocabulary" },
        { { { s, 0, -1, true } }, 1, ERR_INPUT, "negative id" },
        { { { s, 1, 0, true } }, 1, ERR_INPUT, "position that does not follow" },
        { { { 1, 0, 0, true } }, 1, ERR_INPUT, "sequence not in use" },
        { { { 7, 0, 0, true } }, 1, ERR_INPUT, "no such sequence" },
        { { { s, 0, 0, true }, { s, 2, 0, true } }, 2, ERR_INPUT, "hole" },
        { { { s, 0, 0, true }, { s, 1, 0, true }, { s, 2, 0, true } }, 3, ERR_LIMIT, "more logits than there is room for" },
        { { { 0 } }, 0, ERR_INPUT, "nothing" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err_clear(&err);
        CHECK(!llm_forward(c, bad[i].tok, bad[i].n, &err) && err.code == bad[i].code, "%s: %s", bad[i].why, err.text);
        CHECK(llm_seq_len(c, s) == 0);
    }
    struct llm_token tok[48];
    for (int i = 0; i < 41; i++)
        tok[i] = (struct llm_token){ s, i, 1, false };
    CHECK(!llm_forward(c, tok, 41, &err) && err.code == ERR_LIMIT, "%s", err.text);
    CHECK(llm_forward(c, tok, 40, &err) && llm_seq_len(c, s) == 40 && !llm_logits(c, 0));
    llm_ctx_free(c);
    unload(&l);
}

TEST(a_q8_cache_stays_close_to_an_f16_one)
{
    enum { N = 100 };
    int32_t ids[N];
    float a[TINY_VOCAB], b[TINY_VOCAB];
    struct loaded l;
    struct err err = { 0 };
    random_ids(ids, N);
    REQUIRE(load(&l, tiny_write("tiny.gguf", &(struct tiny){ .heads = 2, .head_rows = 2 }), 1), "%s", l.err.text);
    for (int q8 = 0; q8 < 2; q8++) {
        const struct llm_ctx_options opt = { .n_ctx = 128, .n_batch_max = 64, .kv_q8 = q8 };
        struct llm_ctx *c = llm_ctx_new(l.m, &opt, &err);
        REQUIRE(c, "%s", err.text);
        CHECK(feed(c, llm_seq_new(c), ids, 0, N, 50, q8 ? b : a, &err), "%s", err.text);
        llm_ctx_free(c);
    }
    double num = 0, den = 0;
    for (int i = 0; i < TINY_VOCAB; i++)
        num += (double)(a[i] - b[i]) * (a[i] - b[i]), den += (double)a[i] * a[i];
    CHECK(num / den < 1e-3 && num > 0, "nmse %g", num / den);
    unload(&l);
}

TEST(a_known_architecture_under_another_name_gives_the_same_logits)
{
    static const char *const same[] = { "internlm2" }; /* llama in all but the prefix of its keys */
    enum { N = 20 };
    int32_t ids[N];
    float want[TINY_VOCAB], got[TINY_VOCAB];
    random_ids(ids, N);
    for (int i = -1; i < (int)(sizeof(same) / sizeof(same[0])); i++) {
        struct loaded l;
        struct err err = { 0 };
        REQUIRE(load(&l, tiny_write("tiny.gguf", &(struct tiny){ .arch = i < 0 ? "llama" : same[i] }), 1), "%s", l.err.text);
        struct llm_ctx *c = llm_ctx_new(l.m, &(struct llm_ctx_options){ 0 }, &err);
        REQUIRE(c, "%s", err.text);
        CHECK(feed(c, llm_seq_new(c), ids, 0, N, N, i < 0 ? want : got, &err), "%s", err.text);
        CHECK(i < 0 || memcmp(want, got, sizeof(want)) == 0, "%s", same[i]);
        llm_ctx_free(c);
        unload(&l);
    }
}

TEST(a_model_that_lacks_something_is_refused_with_its_name)
{
    const struct { struct tiny t; const char *says; } bad[] = {
        { { .arch = "perceptron" }, "architecture 'perceptron' is not one of" },
        { { .leave_out = "blk.1.ffn_down.weight" }, "tensor 'blk.1.ffn_down.weight' is missing" },
        { { .leave_out = "blk.0.attn_norm.weight" }, "tensor 'blk.0.attn_norm.weight' is missing" },
        { { .leave_out = "token_embd.weight" }, "tensor 'token_embd.weight' is missing" },
        { { .leave_out = "output_norm.weight" }, "tensor 'output_norm.weight' is missing" },
        { { .wrong = "blk.1.attn_k.weight" }, "tensor 'blk.1.attn_k.weight' is 64 x 33 x 1, it must be 64 x 32 x 1" },
        { { .heads = 3 }, "make no sense" },
        { { .heads = 16 }, "blk.0.attn_k.weight' is" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct loaded l;
        CHECK(!load(&l, tiny_write("bad.gguf", &bad[i].t), 1) && strstr(l.err.text, bad[i].says), "%s", l.err.text);
        unload(&l);
    }
}
