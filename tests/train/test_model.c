/* tests/train/test_model.c - the trainer's gradients against finite differences, and its thread rule. */
#include "../../tools/train/gemm.c"
#include "../../tools/train/model.c"

#include "test.h"

static const struct shape small = { 64, 32, 2, 4, 2, 8, 64, 16, 10000.0f, 1e-5f };

struct example {
    uint16_t token[32], start[32];
    int32_t target[32];
    struct batch batch;
};

static void make_example(struct example *e)
{
    for (int i = 0; i < 32; i++) {
        e->token[i] = (uint16_t)(test_rand_u64() % 64);
        e->target[i] = i % 7 == 3 ? -1 : (int32_t)(test_rand_u64() % 64);
        e->start[i] = i % 16 >= 5 ? 5 : 0; /* two documents in a row */
    }
    e->batch = (struct batch){ 2, e->token, e->target, e->start };
}

static void check_gradients(unsigned cpu)
{
    if (cpu & ~cpu_flags())
        SKIP("not on this machine");
    struct err err;
    struct example e;
    make_example(&e);
    struct pool *pool = pool_new(1, &err);
    struct model *m = model_new(&small, pool, cpu, 2, &err);
    REQUIRE(m, "%s", err.text);
    model_init_weights(m, 7);
    for (size_t i = 0; i < m->at.n; i++) /* gains away from 1, embeddings of a size that matters */
        m->params[i] += 0.2f * test_rand_f32();
    double loss;
    size_t n;
    REQUIRE(model_loss(m, &e.batch, true, &loss, &n, NULL, &err));
    CHECK(n == 27 - 0 || n > 20, "%zu targets", n);
    float *grad = malloc(m->at.n * sizeof(*grad));
    REQUIRE(grad);
    memcpy(grad, m->grads, m->at.n * sizeof(*grad));
    /* Along random directions, one for each kind of parameter and one for all: (f(w + h u) - f(w - h u)) / 2h = g u. */
    const struct { const char *name; size_t from, len; } parts[] = {
        { "embed", m->at.embed, 64 * 32 },
        { "norm1", m->at.layer[0].norm1, 32 },
        { "wqkv", m->at.layer[0].wqkv, 64 * 32 },
        { "wo", m->at.layer[0].wo, 32 * 32 },
        { "norm2", m->at.layer[1].norm2, 32 },
        { "gate and up", m->at.layer[0].wgu, 128 * 32 },
        { "down", m->at.layer[1].wd, 32 * 64 },
        { "norm", m->at.norm, 32 },
        { "all", 0, m->at.n },
    };
    float *keep = malloc(m->at.n * sizeof(*keep));
    REQUIRE(keep);
    memcpy(keep, m->params, m->at.n * sizeof(*keep));
    for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
        double norm = 0.0, want = 0.0;
        for (size_t i = parts[p].from; i < parts[p].from + parts[p].len; i++)
            norm += (double)grad[i] * grad[i];
        norm = sqrt(norm);
        REQUIRE(norm > 1e-6, "%s has no gradient", parts[p].name);
        double f[2];
        const double h = 0.02 / (norm > 1.0 ? norm : 1.0);
        for (int side = 0; side < 2; side++) {
            memcpy(m->params, keep, m->at.n * sizeof(*keep));
            for (size_t i = parts[p].from; i < parts[p].from + parts[p].len; i++)
                m->params[i] += (float)((side ? -h : h) * grad[i] / norm);
            REQUIRE(model_loss(m, &e.batch, false, &f[side], &n, NULL, &err));
        }
        want = (f[0] - f[1]) / (2 * h); /* along the gradient itself: its length */
        CHECK(fabs(want - norm) < 0.01 * norm + 1e-4, "%s: |gradient| %g, differences say %g", parts[p].name, norm, want);
    }
    memcpy(m->params, keep, m->at.n * sizeof(*keep));
    /* Single parameters: a direction along the gradient is blind to what stands across it. */
    for (int k = 0; k < 200; k++) {
        const size_t i = test_rand_u64() % m->at.n;
        const float w = m->params[i], h = 0.02f;
        double f[2];
        for (int side = 0; side < 2; side++) {
            m->params[i] = w + (side ? -h : h);
            REQUIRE(model_loss(m, &e.batch, false, &f[side], &n, NULL, &err));
        }
        m->params[i] = w;
        const double want = (f[0] - f[1]) / (2.0 * h);
        CHECK(fabs(want - grad[i]) < 0.02 * fabs(want) + 2e-4, "parameter %zu: %g, differences say %g", i, grad[i], want);
    }
    free(keep);
    free(grad);
    model_free(m);
    pool_free(pool);
}

TEST(gradients_agree_with_finite_differences) { check_gradients(0); }
TEST(gradients_agree_with_finite_differences_in_avx2) { check_gradients(CPU_AVX2); }
TEST(gradients_agree_with_finite_differences_in_avx512) { check_gradients(CPU_AVX2 | CPU_AVX512); }

TEST(threads_do_not_change_a_bit)
{
    struct err err;
    struct example e;
    make_example(&e);
    float *grad[2] = { NULL, NULL };
    double loss[2];
    for (int k = 0; k < 2; k++) {
        struct pool *pool = pool_new(1 + 2 * k, &err);
        struct model *m = model_new(&small, pool, cpu_flags(), 2, &err);
        REQUIRE(m, "%s", err.text);
        model_init_weights(m, 7);
        size_t n;
        REQUIRE(model_loss(m, &e.batch, true, &loss[k], &n, NULL, &err));
        grad[k] = malloc(m->at.n * sizeof(float));
        REQUIRE(grad[k]);
        memcpy(grad[k], m->grads, m->at.n * sizeof(float));
        if (k)
            CHECK(memcmp(grad[0], grad[1], m->at.n * sizeof(float)) == 0);
        model_free(m);
        pool_free(pool);
    }
    CHECK(loss[0] == loss[1], "%.17g and %.17g", loss[0], loss[1]);
    free(grad[0]);
    free(grad[1]);
}

TEST(a_document_does_not_see_its_neighbour)
{
    struct err err;
    struct example e;
    make_example(&e);
    struct pool *pool = pool_new(1, &err);
    struct model *m = model_new(&small, pool, cpu_flags(), 2, &err);
    REQUIRE(m, "%s", err.text);
    model_init_weights(m, 7);
    float before[32], after[32];
    double loss;
    size_t n;
    REQUIRE(model_loss(m, &e.batch, false, &loss, &n, before, &err));
    e.token[2] ^= 1; /* first document of the first row: tokens 0..4 */
    REQUIRE(model_loss(m, &e.batch, false, &loss, &n, after, &err));
    for (int i = 0; i < 32; i++)
        CHECK((before[i] == after[i]) == (i < 2 || i >= 5 || e.target[i] < 0), "token %d: %g, %g", i, before[i], after[i]);
    model_free(m);
    pool_free(pool);
}

TEST(products_agree_with_sums_in_double_for_every_inner_loop)
{
    struct err err;
    struct pool *pool = pool_new(2, &err);
    const unsigned levels[] = { 0, CPU_AVX2, CPU_AVX512, CPU_AVX512 | CPU_AVX512BF16 };
    const size_t m = 29, n = 75, k = 531; /* rims in every direction, two blocks deep */
    float *a = malloc(m * k * sizeof(float)), *b = malloc(n * k * sizeof(float)), *c = malloc(m * n * sizeof(float));
    REQUIRE(pool && a && b && c);
    for (size_t i = 0; i < m * k; i++)
        a[i] = test_rand_f32();
    for (size_t i = 0; i < n * k; i++)
        b[i] = test_rand_f32();
    for (int l = 0; l < 4; l++) {
        if (levels[l] & ~cpu_flags())
            continue;
        struct gemm *g = gemm_new(pool, levels[l], &err);
        REQUIRE(g);
        for (int form = 0; form < 4; form++) { /* each operand lying, standing */
            const struct mat ma = { a, form & 1 ? 1 : k, form & 1 ? m : 1 }, mb = { b, form & 2 ? 1 : n, form & 2 ? k : 1 };
            for (size_t i = 0; i < m * n; i++)
                c[i] = 1.0f;
            REQUIRE(gemm_run(g, m, n, k, ma, mb, c, n, true, &err));
            double worst = 0.0;
            for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < n; j++) {
                    double want = 1.0;
                    for (size_t s = 0; s < k; s++)
                        want += (double)ma.p[i * ma.rs + s * ma.cs] * mb.p[s * mb.rs + j * mb.cs];
                    worst = fmax(worst, fabs(want - c[i * n + j]));
                }
            /* bf16 keeps 8 bits: 2^-8 of each product, which add up like a walk */
            CHECK(worst < (levels[l] & CPU_AVX512BF16 ? 0.25 : 1e-4), "%s, form %d: off by %g", gemm_isa(g), form, worst);
        }
        gemm_small(g, m, n, k, a, 1, m, b, n, c, n, false);
        for (size_t i = 0; i < m * n; i += 7) {
            double want = 0.0;
            for (size_t s = 0; s < k; s++)
                want += (double)a[s * m + i / n] * b[s * n + i % n];
            CHECK(fabs(want - c[i]) < 1e-4, "%s, small: %g for %g", gemm_isa(g), c[i], want);
        }
        gemm_free(g);
    }
    free(a);
    free(b);
    free(c);
    pool_free(pool);
}
