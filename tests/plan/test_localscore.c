/* tests/plan/test_localscore.c - LocalScore to nine digits, against results that localscore.ai published. */
#include "plan/localscore.h"

#include <math.h>
#include <string.h>

#include "test.h"

/* github cjpais/LocalScore db.sqlite (commit ef2c21f, 2026-03-18): complete runs, full precision */
static const struct { const char *what; double pp, tg, ttft, score; } published[] = {
    { "RTX 3090, Llama 3.1 8B", 3552.2600615555557, 103.1011972222222, 357.87756411111104, 1007.7311028205496 },
    { "M1 Pro, Llama 3.2 1B", 1203.614117777778, 80.445292, 1001.8723564444444, 458.9075159606816 },
    { "EPYC 7352, Llama 3.2 1B", 265.81043611111113, 14.275531444444445, 5575.0480646666665, 87.96405316001204 },
    { "RTX 4060 Ti 16 GB, Qwen2.5 14B", 1266.2269161111112, 26.897190444444444, 1073.5788264444443, 316.56398706780027 },
    { "M4 Max, Llama 3.1 8B", 607.3142902222221, 51.57072388888889, 1994.348180444445, 250.4216746686272 },
    { "RX 6650 XT, Llama 3.1 8B", 563.1594346666667, 25.930536777777775, 2477.346977555556, 180.64197702101063 },
};

TEST(the_score_equals_published_results_to_nine_digits)
{
    for (size_t i = 0; i < sizeof(published) / sizeof(published[0]); i++) {
        const double got = localscore_of(published[i].pp, published[i].tg, published[i].ttft);
        CHECK(fabs(got - published[i].score) <= 1e-9 * published[i].score, "%s: %.15g, not %.15g", published[i].what, got, published[i].score);
    }
    CHECK(isnan(localscore_of(0, 1, 1)) && isnan(localscore_of(1, -1, 1)) && isnan(localscore_of(1, 1, NAN)));
}

TEST(the_nine_tests_are_averaged_before_the_root)
{
    /* run 1 of the same source: prompt_tps, gen_tps, ttft_ms of its nine tests */
    static const double run1[LOCALSCORE_N][3] = {
        { 4249.872075, 105.282166, 250.672818 }, { 3477.112141, 92.721585, 1189.345699 }, { 3977.157429, 102.282672, 525.019398 },
        { 3983.679023, 100.731124, 524.139498 }, { 4247.946691, 104.297869, 250.839071 }, { 4136.149437, 98.517938, 318.974284 },
        { 4342.074853, 106.304926, 97.720512 },  { 2920.63845, 109.532383, 30.370337 },   { 635.710455, 108.240112, 33.81646 },
    };
    struct localscore_case c[LOCALSCORE_N];
    int prompt = 0, gen = 0;
    memcpy(c, localscore_cases, sizeof(c));
    for (int i = 0; i < LOCALSCORE_N; i++) {
        c[i].prompt_tps = run1[i][0], c[i].gen_tps = run1[i][1], c[i].ttft_ms = run1[i][2];
        prompt += c[i].n_prompt, gen += c[i].n_gen;
    }
    CHECK(prompt == 11984 && gen == 9104, "%d, %d", prompt, gen);
    const struct localscore s = localscore_sum(c);
    CHECK(fabs(s.prompt_tps - published[0].pp) < 1e-6 && fabs(s.gen_tps - published[0].tg) < 1e-6 && fabs(s.ttft_ms - published[0].ttft) < 1e-6);
    CHECK(fabs(s.score - published[0].score) <= 1e-9 * s.score, "%.15g", s.score);
}

TEST(verdicts_change_at_1000_250_and_100)
{
    CHECK(strcmp(localscore_verdict(1000), "excellent") == 0 && strcmp(localscore_verdict(999.9), "passable") == 0);
    CHECK(strcmp(localscore_verdict(250), "passable") == 0 && strcmp(localscore_verdict(249.9), "below passable") == 0);
    CHECK(strcmp(localscore_verdict(100), "below passable") == 0 && strcmp(localscore_verdict(99.9), "poor") == 0 && !localscore_verdict(NAN));
}

/* A machine that behaves as the projection assumes is projected without error. */
TEST(a_projection_of_a_machine_without_noise_is_exact)
{
    const double c1 = 2e-3, c2 = 4e-7, s1 = 0.02, s2 = 1e-6; /* seconds */
    const int n = 256, depth = 1536, at = 4;
    const struct localscore_few few = {
        .pp16_s = 0.08, .pp64_s = 0.2, .n_chunk = n, .chunk_s = n * (c1 + c2 * n / 2), .depth = depth, .deep_chunk_s = n * (c1 + c2 * (depth + n / 2.0)),
        .step_s = s1 + s2 * at, .step_depth = at, .deep_step_s = s1 + s2 * (depth + n),
    };
    struct localscore_case c[LOCALSCORE_N];
    REQUIRE(localscore_project(&few, c));
    for (int i = 0; i < LOCALSCORE_N; i++) {
        const double p = c[i].n_prompt, t = p == 16 ? 0.08 : p == 64 ? 0.2 : p * (c1 + c2 * p / 2);
        CHECK(fabs(c[i].prompt_tps - p / t) < 1e-6 * p / t, "%g: %g", p, c[i].prompt_tps);
        CHECK(fabs(c[i].ttft_ms - 1e3 * (t + s1 + s2 * p)) < 1e-6 * c[i].ttft_ms);
        CHECK(fabs(c[i].gen_tps - 1 / (s1 + s2 * (p + c[i].n_gen / 2.0))) < 1e-6 * c[i].gen_tps);
    }
    struct localscore_few bad = few;
    bad.deep_step_s = bad.step_s / 2, bad.deep_chunk_s = 1000 * bad.chunk_s; /* noise: still figures above zero */
    CHECK(localscore_project(&bad, c) && localscore_sum(c).score > 0);
    bad.step_s = 1e-9, bad.deep_step_s = 1;
    CHECK(localscore_project(&bad, c) && localscore_sum(c).score > 0);
    bad.step_s = 0;
    CHECK(!localscore_project(&bad, c));
}
