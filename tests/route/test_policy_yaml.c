/* tests/route/test_policy_yaml.c - policies as files: what is said, what is kept, what is refused, and that it can be written again. */
#include <math.h>
#include <string.h>

#include "route/policy_yaml.h"
#include "test.h"

static struct policy *parse(const char *text, struct err *err) { return policy_parse("p.yaml", text, strlen(text), err); }

TEST(what_is_said_is_taken_and_the_rest_keeps_its_default)
{
    struct err err = { 0 };
    struct policy *d = policy_new(&err), *p = parse("difficult_share: 0.3\n"
                                                    "goals:\n  balanced: {wrong: 90, joule: 0.02}\n  cheap: {usd: 1}\n"
                                                    "quiet:\n  - {from: \"22:00\", to: \"07:30\", max_busy_w: 40}\n"
                                                    "  - {from: 13:00, to: 24:00, node: desktop, max_step: {llm: 1, tts: 2}}\n", &err);
    REQUIRE(p && d, "%s", err.text);
    CHECK(p->weight[ROUTE_BALANCED][POLICY_WEIGHT_WRONG] == 90 && p->weight[ROUTE_CHEAP][POLICY_WEIGHT_USD] == 1);
    CHECK(p->weight[ROUTE_FAST][POLICY_WEIGHT_WRONG] == d->weight[ROUTE_FAST][POLICY_WEIGHT_WRONG] && fabsf(p->difficulty_cut - .7f) < 1e-6f);
    CHECK(p->n_quiet == 2 && p->quiet[0].from_minute == 1320 && p->quiet[0].to_minute == 450 && p->quiet[0].max_busy_w == 40);
    CHECK(isinf(p->quiet[1].max_busy_w) && p->quiet[1].min_step[ROUTE_CLASS_LLM] == 1 && p->quiet[1].min_step[ROUTE_CLASS_TTS] == 2 && strcmp(p->quiet[1].node, "desktop") == 0);
    policy_free(p), policy_free(d);
}

TEST(a_tutti_yaml_is_a_policy_file_too)
{
    struct err err = { 0 };
    struct policy *p = parse("listen: 127.0.0.1:8080\nroute:\n  quality_target: 0.85\n", &err);
    REQUIRE(p, "%s", err.text);
    CHECK(p->setting[POLICY_QUALITY_TARGET] == .85f);
    policy_free(p);
}

TEST(mistakes_have_a_place_and_the_nearest_word)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        { "dificult_share: 1\n", "p.yaml:1:1: 'dificult_share' is not known here; did you mean 'difficult_share'?" },
        { "goals: {balnced: {}}\n", "did you mean 'balanced'?" },
        { "goals: {balanced: {wrnog: 1}}\n", "did you mean 'wrong'?" },
        { "goals: {balanced: {wrong: -1}}\n", "p.yaml:1:27: " },
        { "difficult_share: 2\n", "p.yaml:1:18: " },
        { "quiet: [{from: \"25:00\", to: \"07:00\", max_busy_w: 1}]\n", "from: a time of day is wanted" },
        { "quiet: [{from: \"2200\", to: \"07:00\", max_busy_w: 1}]\n", "a time of day is wanted" },
        { "quiet: [{from: \"22:00\", max_busy_w: 1}]\n", "to: a time of day is wanted" },
        { "quiet: [{from: \"22:00\", to: \"07:00\"}]\n", "what is allowed is wanted" },
        { "quiet: [{from: \"22:00\", to: \"07:00\", max_step: {lmm: 1}}]\n", "did you mean 'llm'?" },
        { "quiet: 3\n", "quiet: a list is wanted" },
        { "difficult_share: 0.3\nquality_target: 0.8\n", "either this or quality_target" },
        { "- 1\n", "a policy is a map" },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct err err = { 0 };
        struct policy *p = parse(wrong[i].text, &err);
        CHECK(!p && strstr(err.text, wrong[i].why), "%zu: %s", i, err.text);
        policy_free(p);
    }
}

TEST(what_is_written_reads_the_same)
{
    struct err err = { 0 };
    struct policy *p = policy_new(&err);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < POLICY_SETTING_COUNT; i++) {
            const struct policy_key *k = &policy_setting_keys[i];
            p->setting[i] = k->min + (k->max - k->min) * .5f * (test_rand_f32() + 1);
        }
        if (round % 2)
            p->setting[POLICY_QUALITY_TARGET] = 0;
        else
            p->setting[POLICY_DIFFICULT_SHARE] = policy_setting_keys[POLICY_DIFFICULT_SHARE].preset;
        for (int g = 0; g < ROUTE_GOAL_COUNT; g++)
            for (int w = 0; w < POLICY_WEIGHT_COUNT; w++)
                p->weight[g][w] = test_rand_f32() + 1;
        p->n_quiet = round % 4;
        for (int i = 0; i < p->n_quiet; i++)
            p->quiet[i] = (struct policy_quiet){ .from_minute = (int)(test_rand_u64() % 1440), .to_minute = (int)(test_rand_u64() % 1440),
                                                 .max_busy_w = i == 1 ? INFINITY : 12.25f, .min_step = { (uint8_t)(test_rand_u64() % 3) }, .node = "a \"b\"" };
        policy_settle(p);
        for (int is_all = 0; is_all < 2; is_all++) {
            struct buf b;
            buf_init(&b, 1 << 16);
            policy_put_yaml(p, is_all, &b);
            struct policy *q = b.failed ? NULL : policy_parse("again", b.data ? b.data : "", b.len, &err);
            REQUIRE(q, "%s\n%s", err.text, b.data);
            CHECK(memcmp(p->weight, q->weight, sizeof(p->weight)) == 0 && memcmp(p->setting, q->setting, sizeof(p->setting)) == 0 && p->n_quiet == q->n_quiet);
            CHECK(p->difficulty_cut == q->difficulty_cut);
            for (int i = 0; i < p->n_quiet && i < q->n_quiet; i++)
                CHECK(memcmp(p->quiet[i].min_step, q->quiet[i].min_step, sizeof(p->quiet[i].min_step)) == 0 && p->quiet[i].max_busy_w == q->quiet[i].max_busy_w &&
                      p->quiet[i].from_minute == q->quiet[i].from_minute && strcmp(p->quiet[i].node, q->quiet[i].node) == 0);
            policy_free(q);
            buf_fini(&b);
        }
    }
    policy_free(p);
}
