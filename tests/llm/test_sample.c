/* tests/llm/test_sample.c - each step of the sampler against its formula, and draws against chances. */
#include "llm/sample.h"
#include "test.h"

#include <math.h>
#include <string.h>

enum { N_VOCAB_MAX = 5000, N_CTX = 256 };

static struct sampler_params plain(void) /* temperature 1, nothing else */
{
    struct sampler_params p = sampler_defaults();
    p.temperature = 1, p.top_k = 0, p.top_p = 1, p.min_p = 0;
    return p;
}

struct bench {
    struct sampler_scratch *w;
    int n_vocab;
};

static struct bench bench_new(int n_vocab)
{
    struct err err = { 0 };
    struct bench b = { .w = sampler_scratch_new(n_vocab, N_CTX, &err), .n_vocab = n_vocab };
    CHECK(b.w, "%s", err.text);
    return b;
}

static int32_t pick(struct bench *b, struct sampler *s, const float *logits, const int32_t *hist, int n, int n_prompt)
{
    static float copy[N_VOCAB_MAX];
    memcpy(copy, logits, (size_t)b->n_vocab * sizeof(float));
    return sampler_next(s, b->w, copy, hist, n, n_prompt);
}

/* The answer of temperature 0 after the penalties. */
static int32_t pick_best(struct bench *b, struct sampler_params p, const float *logits, const int32_t *hist, int n,
                         int n_prompt)
{
    struct sampler s;
    p.temperature = 0;
    sampler_init(&s, &p);
    return pick(b, &s, logits, hist, n, n_prompt);
}

/* Draws n times; the sum of (seen - expected)^2 / expected, and none where none is expected. */
static double chi_square(struct bench *b, struct sampler_params p, const float *logits, const double *want, int n)
{
    int seen[N_VOCAB_MAX] = { 0 };
    struct sampler s;
    p.seed = 42;
    sampler_init(&s, &p);
    for (int i = 0; i < n; i++) {
        const int32_t t = pick(b, &s, logits, NULL, 0, 0);
        if (t < 0 || t >= b->n_vocab)
            return INFINITY;
        seen[t]++;
    }
    double sum = 0;
    for (int i = 0; i < b->n_vocab; i++) {
        const double e = want[i] * n;
        if (e == 0 && seen[i])
            return INFINITY;
        if (e > 0)
            sum += (seen[i] - e) * (seen[i] - e) / e;
    }
    return sum;
}

static void softmax(const float *l, const bool *in, int n, float temperature, double *p)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += p[i] = !in || in[i] ? exp((double)l[i] / temperature) : 0;
    for (int i = 0; i < n; i++)
        p[i] /= sum;
}

TEST(temperature_zero_takes_the_first_of_the_largest)
{
    struct bench b = bench_new(100);
    float l[100];
    for (int i = 0; i < 100; i++)
        l[i] = (float)(i % 10);
    CHECK(pick_best(&b, plain(), l, NULL, 0, 0) == 9);
    l[77] = 9.5f;
    CHECK(pick_best(&b, plain(), l, NULL, 0, 0) == 77);
    sampler_scratch_free(b.w);
}

TEST(nan_and_infinite_logits_neither_hang_nor_win)
{
    struct bench b = bench_new(50);
    float l[50];
    struct sampler s;
    const struct sampler_params kinds[] = { plain(), sampler_defaults(),
                                            { .temperature = 0, .top_p = 1, .typical_p = 1, .repetition_penalty = 1 },
                                            { .temperature = 1, .top_k = 0, .top_p = 0.5f, .min_p = 0.1f, .typical_p = 0.5f,
                                              .repetition_penalty = 1 } };
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        sampler_init(&s, &kinds[k]);
        for (int i = 0; i < 50; i++)
            l[i] = NAN;
        CHECK(pick(&b, &s, l, NULL, 0, 0) == -1, "all NaN, kind %zu", k);
        l[13] = -2;
        CHECK(pick(&b, &s, l, NULL, 0, 0) == 13, "one number, kind %zu", k);
        for (int i = 0; i < 50; i++)
            l[i] = -INFINITY;
        CHECK(pick(&b, &s, l, NULL, 0, 0) == -1, "all -inf, kind %zu", k);
        l[3] = INFINITY, l[4] = NAN, l[5] = 1;
        CHECK(pick(&b, &s, l, NULL, 0, 0) == 3, "+inf, kind %zu", k);
    }
    sampler_scratch_free(b.w);
}

TEST(draws_follow_the_softmax_at_each_temperature)
{
    struct bench b = bench_new(20);
    float l[20];
    double want[20];
    for (int i = 0; i < 20; i++)
        l[i] = 2 * test_rand_f32();
    for (int k = 0; k < 3; k++) {
        struct sampler_params p = plain();
        p.temperature = (const float[]){ 0.5f, 1, 1.7f }[k];
        softmax(l, NULL, 20, p.temperature, want);
        const double x = chi_square(&b, p, l, want, 20000);
        CHECK(x < 43.8, "temperature %g: chi square %g of 19 degrees (0.1%%: 43.8)", p.temperature, x);
    }
    sampler_scratch_free(b.w);
}

/* The oracle sorts; what the sampler may draw must be exactly its set. */
static int compare_desc(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return x[0] != y[0] ? (x[0] < y[0]) - (x[0] > y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

static void oracle(const float *l, int n, const struct sampler_params *p, double *want)
{
    static double row[N_VOCAB_MAX][3]; /* key, id, weight */
    static bool in[N_VOCAB_MAX];
    double sum = 0, mean = 0, mass = 0;
    int have = n, kept = 0;
    for (int i = 0; i < n; i++)
        row[i][0] = l[i], row[i][1] = i, row[i][2] = exp(l[i]);
    qsort(row, (size_t)n, sizeof(row[0]), compare_desc);
    if (p->top_k > 0 && p->top_k < have)
        have = p->top_k;
    if (p->typical_p < 1) {
        for (int i = 0; i < have; i++)
            sum += row[i][2];
        for (int i = 0; i < have; i++)
            mean += row[i][2] / sum * log(row[i][2] / sum);
        for (int i = 0; i < have; i++)
            row[i][0] = -fabs(log(row[i][2] / sum) - mean);
        qsort(row, (size_t)have, sizeof(row[0]), compare_desc);
        for (kept = 0; kept < have && mass < p->typical_p * sum; kept++)
            mass += row[kept][2];
        have = kept;
        for (int i = 0; i < have; i++)
            row[i][0] = row[i][2];
        qsort(row, (size_t)have, sizeof(row[0]), compare_desc);
    }
    sum = mass = 0;
    for (int i = 0; i < have; i++)
        sum += row[i][2];
    if (p->top_p < 1) {
        for (kept = 0; kept < have && (kept == 0 || mass < p->top_p * sum); kept++)
            mass += row[kept][2];
        have = kept;
    }
    while (have > 1 && row[have - 1][2] < p->min_p * row[0][2])
        have--;
    memset(in, 0, sizeof(in));
    for (int i = 0; i < have; i++)
        in[(int)row[i][1]] = true;
    softmax(l, in, n, p->temperature, want);
}

TEST(truncation_keeps_what_sorting_would_keep)
{
    static float l[N_VOCAB_MAX];
    static double want[N_VOCAB_MAX];
    for (int k = 0; k < 60; k++) {
        const int n = k % 3 == 0 ? 4000 : 50;
        struct bench b = bench_new(n);
        struct sampler_params p = plain();
        for (int i = 0; i < n; i++)
            l[i] = 3 * test_rand_f32();
        p.temperature = 0.9f;
        p.top_k = (const int[]){ 0, 1, 5, 40, 300, 1000 }[test_rand_u64() % 6];
        p.top_p = (const float[]){ 1, 0.3f, 0.9f, 0 }[test_rand_u64() % 4];
        p.min_p = (const float[]){ 0, 0.1f, 0.6f, 1 }[test_rand_u64() % 4];
        p.typical_p = (const float[]){ 1, 0.5f, 0.9f }[test_rand_u64() % 3];
        oracle(l, n, &p, want);
        const double x = chi_square(&b, p, l, want, 300);
        CHECK(isfinite(x), "k %d, p %g, min %g, typical %g, n %d: drew what should be cut", p.top_k, p.top_p, p.min_p,
              p.typical_p, n);
        sampler_scratch_free(b.w);
    }
}

TEST(truncated_draws_follow_their_chances)
{
    struct bench b = bench_new(50);
    float l[50];
    double want[50];
    for (int i = 0; i < 50; i++)
        l[i] = 2 * test_rand_f32();
    struct sampler_params p = plain();
    p.top_k = 30, p.top_p = 0.8f, p.min_p = 0.02f, p.temperature = 1.3f;
    oracle(l, 50, &p, want);
    const double x = chi_square(&b, p, l, want, 20000);
    CHECK(x < 60, "chi square %g of at most 29 degrees (0.1%%: 58.3)", x);
    sampler_scratch_free(b.w);
}

TEST(the_same_seed_draws_the_same_and_another_seed_does_not)
{
    struct bench b = bench_new(1000), other = bench_new(1000);
    float l[1000];
    struct sampler_params p = sampler_defaults();
    struct sampler s[3];
    int n_differ = 0;
    p.top_k = 0, p.top_p = 1, p.min_p = 0;
    for (int i = 0; i < 3; i++) {
        p.seed = i == 2 ? 8 : 7;
        sampler_init(&s[i], &p);
    }
    for (int k = 0; k < 100; k++) {
        for (int i = 0; i < 1000; i++)
            l[i] = test_rand_f32();
        const int32_t a = pick(&b, &s[0], l, NULL, 0, 0);
        const int32_t c = pick(&b, &s[2], l, NULL, 0, 0); /* a neighbour on the same scratch */
        CHECK(a == pick(&other, &s[1], l, NULL, 0, 0));
        n_differ += a != c;
    }
    CHECK(n_differ > 80);
    sampler_scratch_free(b.w);
    sampler_scratch_free(other.w);
}

TEST(bias_adds_and_minus_100_bans)
{
    struct bench b = bench_new(10);
    const float l[10] = { 1, 2, 3, 500 };
    const struct sampler_bias bias[] = { { 3, -100 }, { 0, 2.5f } };
    struct sampler_params p = plain();
    struct err err = { 0 };
    p.bias = bias, p.n_bias = 2;
    CHECK(pick_best(&b, p, l, NULL, 0, 0) == 0);
    CHECK(sampler_check(&p, 10, &err));
    CHECK(!sampler_check(&p, 3, &err) && err.code == ERR_INPUT);
    sampler_scratch_free(b.w);
}

TEST(repetition_penalty_divides_or_multiplies_within_its_window)
{
    struct bench b = bench_new(4);
    const int32_t hist[] = { 0, 0, 1, 1 };
    struct sampler_params p = plain();
    p.repetition_penalty = 2;
    CHECK(pick_best(&b, p, (const float[]){ 3, 2.9f, 1.4f, -1 }, hist, 4, 4) == 0); /* 1.5, 1.45, 1.4, -1 */
    CHECK(pick_best(&b, p, (const float[]){ 3, 2.9f, 1.6f, -1 }, hist, 4, 4) == 2);
    CHECK(pick_best(&b, p, (const float[]){ -1, -1, -1.9f, -3 }, hist, 4, 4) == 2); /* -2, -2, -1.9, -3 */
    p.penalty_last_n = 2;
    CHECK(pick_best(&b, p, (const float[]){ 3, 3.1f, 1.6f, -1 }, hist, 4, 4) == 0);
    p.penalty_last_n = 0;
    CHECK(pick_best(&b, p, (const float[]){ 3, 3.1f, 1.6f, -1 }, hist, 4, 4) == 1);
    sampler_scratch_free(b.w);
}

TEST(frequency_and_presence_count_the_answer_and_not_the_prompt)
{
    struct bench b = bench_new(4);
    const int32_t hist[] = { 0, 0, 0, 1, 1, 2 }; /* the prompt is the three zeros */
    struct sampler_params p = plain();
    p.frequency_penalty = 1;
    CHECK(pick_best(&b, p, (const float[]){ 0, 1.9f, 0.9f, -9 }, hist, 6, 3) == 0); /* 0, -0.1, -0.1 */
    CHECK(pick_best(&b, p, (const float[]){ 0, 2.1f, 0.9f, -9 }, hist, 6, 3) == 1);
    p.frequency_penalty = 0, p.presence_penalty = 1;
    CHECK(pick_best(&b, p, (const float[]){ 0, 0.9f, 1.1f, -9 }, hist, 6, 3) == 2);
    CHECK(pick_best(&b, p, (const float[]){ 0, 0.9f, 0.95f, -9 }, hist, 6, 3) == 0);
    sampler_scratch_free(b.w);
}

TEST(dry_grows_with_the_length_of_the_repeated_run_and_stops_at_breakers)
{
    struct bench b = bench_new(100);
    float l[100] = { 0 };
    int32_t hist[] = { 5, 6, 7, 8, 1, 2, 5, 6, 7 };
    struct sampler_params p = plain();
    p.dry_multiplier = 1, p.dry_base = 2, p.dry_allowed_length = 2;
    l[8] = 1.9f; /* the run 5 6 7 of 3: 8 loses 1 * 2^(3 - 2) */
    l[9] = 0.01f;
    CHECK(pick_best(&b, p, l, hist, 9, 9) == 9);
    l[8] = 2.1f;
    CHECK(pick_best(&b, p, l, hist, 9, 9) == 8);
    uint64_t breakers[2] = { 1u << 6, 0 }; /* 6 breaks: the run is only 7 */
    p.dry_breakers = breakers;
    l[8] = 0.1f;
    CHECK(pick_best(&b, p, l, hist, 9, 9) == 8);
    p.dry_breakers = NULL;
    CHECK(pick_best(&b, p, l, hist, 9, 9) == 9);
    p.dry_last_n = 4; /* the first run is out of sight */
    CHECK(pick_best(&b, p, l, hist, 9, 9) == 8);
    for (int i = 0; i < 100; i++) /* nothing stays behind in the scratch */
        l[i] = 0;
    CHECK(pick_best(&b, plain(), l, hist, 9, 0) == 0);
    sampler_scratch_free(b.w);
}

TEST(dry_finds_the_same_runs_as_the_plain_search)
{
    struct bench b = bench_new(4);
    for (int k = 0; k < 300; k++) {
        int32_t hist[40];
        const int n = 2 + (int)(test_rand_u64() % 38);
        double lose[4] = { 0 };
        float l[4];
        for (int i = 0; i < n; i++)
            hist[i] = (int32_t)(test_rand_u64() % 3);
        for (int i = 0; i < n - 1; i++) { /* the definition */
            int len = 0;
            while (len <= i && hist[i - len] == hist[n - 1 - len])
                len++;
            const double loss = len >= 2 ? 0.8 * pow(1.1, len - 2) : 0;
            if (loss > lose[hist[i + 1]])
                lose[hist[i + 1]] = loss;
        }
        struct sampler_params p = plain();
        p.dry_multiplier = 0.8f, p.dry_base = 1.1f, p.temperature = 0;
        struct sampler s;
        sampler_init(&s, &p);
        for (int i = 0; i < 4; i++)
            l[i] = 0;
        sampler_next(&s, b.w, l, hist, n, n);
        for (int i = 0; i < 4; i++)
            CHECK(fabs(l[i] + lose[i]) < 1e-4, "token %d lost %g, not %g", i, -l[i], lose[i]);
    }
    sampler_scratch_free(b.w);
}

TEST(parameters_out_of_range_are_named)
{
    const struct { struct sampler_params p; const char *name; } bad[] = {
#define BAD(field, value) { { .repetition_penalty = 1, .dry_base = 1, .dry_allowed_length = 1, .field = value }, #field }
        BAD(temperature, -1), BAD(temperature, NAN), BAD(top_k, -1), BAD(top_p, 1.5f), BAD(min_p, -0.1f),
        BAD(typical_p, 2), BAD(frequency_penalty, INFINITY), BAD(dry_last_n, -2),
#undef BAD
    };
    struct err err = { 0 };
    struct sampler_params p = sampler_defaults();
    CHECK(sampler_check(&p, 10, &err), "%s", err.text);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!sampler_check(&bad[i].p, 10, &err), "%s", bad[i].name);
        CHECK(strstr(err.text, bad[i].name), "%s: %s", bad[i].name, err.text);
    }
}

TEST(logprobs_are_the_log_softmax_and_ranked)
{
    float l[1000];
    struct token_logprob top[20];
    double sum = 0;
    for (int i = 0; i < 1000; i++)
        l[i] = 5 * test_rand_f32();
    l[500] = l[501] = 6; /* equal: the smaller id first */
    for (int i = 0; i < 1000; i++)
        sum += exp((double)l[i]);
    const double log_sum = logits_log_sum(l, 1000);
    CHECK(fabs(log_sum - log(sum)) < 1e-5, "%g, %g", log_sum, log(sum));
    REQUIRE(logits_top(l, 1000, log_sum, top, 20) == 20);
    CHECK(top[0].id == 500 && top[1].id == 501);
    for (int i = 0; i < 20; i++) {
        int n_larger = 0;
        for (int k = 0; k < 1000; k++)
            n_larger += l[k] > l[top[i].id];
        CHECK(n_larger == (i == 1 ? 0 : i), "rank %d", i);
        CHECK(fabs(top[i].logprob - (l[top[i].id] - log(sum))) < 1e-5);
    }
    CHECK(logits_top(l, 3, log_sum, top, 20) == 3);
    CHECK(logits_top(l, 1000, log_sum, top, 0) == 0);
}
