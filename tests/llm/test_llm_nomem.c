/* tests/llm/test_llm_nomem.c - loading and a first step survive every failing allocation. */
#include "fail_alloc.h"
#include "hw/cpu.h"
#include "llm/llm.h"
#include "llm/tiny.h"

static bool load_and_step(void *path, struct err *err)
{
    struct kernels k;
    bool ok = false;
    kernels_choose(&k, cpu_flags());
    struct pool *pool = pool_new(1, err); /* threads have memory of their own that libc keeps */
    struct gguf *g = pool ? gguf_open(path, err) : NULL;
    struct llm_model *m = g ? llm_model_open(g, &k, pool, err) : NULL;
    struct llm_ctx *c = m ? llm_ctx_new(m, &(struct llm_ctx_options){ .n_ctx = 64, .n_batch_max = 8 }, err) : NULL;
    if (c)
        ok = llm_forward(c, &(struct llm_token){ .seq = llm_seq_new(c), .id = 1, .want_logits = true }, 1, err);
    llm_ctx_free(c);
    llm_model_free(m);
    gguf_close(g);
    pool_free(pool);
    return ok;
}

TEST(loading_a_model_survives_every_failing_allocation)
{
    const long n = fail_alloc_each(load_and_step, (void *)(uintptr_t)tiny_write("tiny.gguf", &(struct tiny){ .type = DTYPE_Q8_0 }), 1000);
    CHECK(n > 10, "%ld allocations", n);
}

