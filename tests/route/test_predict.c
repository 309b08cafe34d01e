/* tests/route/test_predict.c - what a request takes, by the formulas, and how predictions come nearer to what is seen. */
#include <math.h>
#include <string.h>

#include "route/predict.h"
#include "test.h"

static bool near(float a, float b) { return fabsf(a - b) <= 1e-4f * fabsf(b) + 1e-6f; }

static const struct route_node here = { .name = "here", .is_up = true, .link_bytes_s = INFINITY, .usd_per_kwh = NAN };
static const struct candidate model = { .expert = "m", .tasks = EXPERT_CHAT, .fixed_s = .01f, .prefill_tok_s = 100, .decode_tok_s = 10, .load_s = 3, .busy_w = 20,
                                        .is_up = true, .is_warm = true, .n_parallel = 1, .wait_s = NAN };

TEST(times_energy_and_money_are_as_the_formulas_say)
{
    struct route_guess g;
    struct route_request rq = { .task = EXPERT_CHAT, .prompt_tok = 200, .gen_tok = 51 };
    predict(NULL, &rq, &here, &model, .36f, &g);
    CHECK(near(g.ttft_s, 2.01f) && near(g.total_s, 7.01f) && g.queue_s == 0 && g.load_s == 0 && g.prefix_s == 0);
    CHECK(near(g.joules, 20 * 7.01f) && near(g.usd, 20 * 7.01f * .36f / 3.6e6f) && !g.is_measured);
    struct candidate c = model;
    c.is_warm = false, c.prefix_tok = 500; /* at most all but the last token */
    predict(NULL, &rq, &here, &c, .36f, &g);
    CHECK(near(g.load_s, 3) && near(g.prefix_s, 1.99f) && near(g.ttft_s, 3.02f) && near(g.joules, 20 * (3.02f + 5)));
    c = model, c.n_running = 1, c.n_waiting = 2; /* three before it, one at a time */
    predict(NULL, &rq, &here, &c, .36f, &g);
    CHECK(near(g.queue_s, 3 * 7.01f) && near(g.joules, 20 * 7.01f));
    c.n_waiting = 0, c.n_parallel = 4; /* one beside it */
    predict(NULL, &rq, &here, &c, .36f, &g);
    CHECK(near(g.queue_s, PREDICT_BESIDE_FRAC * 7.01f));
    c.wait_s = 1.5f, c.n_running = 0;
    predict(NULL, &rq, &here, &c, .36f, &g);
    CHECK(near(g.queue_s, 1.5f));
}

TEST(a_provider_costs_its_prices_and_the_way_there)
{
    struct route_guess g;
    struct route_node far = here;
    struct candidate c = model;
    far.distance = EXPERT_CLOUD, far.rtt_s = .1f, far.link_bytes_s = 1e6f;
    c.busy_w = NAN, c.usd_per_mtok_in = 2, c.usd_per_mtok_out = 10;
    struct route_request rq = { .task = EXPERT_CHAT, .prompt_tok = 1000, .gen_tok = 101, .n_bytes = 500000 };
    predict(NULL, &rq, &far, &c, .36f, &g);
    CHECK(near(g.ttft_s, .1f + .5f + .01f + 10) && isnan(g.joules) && near(g.usd, 2e-3f + 101e-5f));
}

TEST(pictures_and_sound_take_their_time_and_the_unknown_is_never_free)
{
    struct route_guess g;
    struct candidate c = { .tasks = EXPERT_DETECT, .item_s = .05f, .busy_w = 10, .is_up = true, .is_warm = true, .n_parallel = 1, .wait_s = NAN };
    struct route_request rq = { .task = EXPERT_DETECT, .n_items = 3 };
    predict(NULL, &rq, &here, &c, 0, &g);
    CHECK(near(g.ttft_s, .05f) && near(g.total_s, .15f));
    c.item_s = 0;
    predict(NULL, &rq, &here, &c, 0, &g);
    CHECK(near(g.total_s, 3 * PREDICT_ITEM_S));
    c.tasks = EXPERT_TRANSCRIBE, c.sound_s_s = .1f;
    rq = (struct route_request){ .task = EXPERT_TRANSCRIBE, .sound_s = 60 };
    predict(NULL, &rq, &here, &c, 0, &g);
    CHECK(near(g.ttft_s, .1f) && near(g.total_s, 6));
    c.sound_s_s = 0;
    predict(NULL, &rq, &here, &c, 0, &g);
    CHECK(near(g.total_s, 60 * PREDICT_SOUND_S_S));
    c = model, c.prefill_tok_s = c.decode_tok_s = 0;
    rq = (struct route_request){ .task = EXPERT_CHAT, .prompt_tok = 100, .gen_tok = 9 };
    predict(NULL, &rq, &here, &c, 0, &g);
    CHECK(near(g.total_s, .01f + 100 / PREDICT_PREFILL_TOK_S + 8 / PREDICT_DECODE_TOK_S));
}

TEST(corrections_come_near_the_truth_stay_bounded_and_shrug_at_outliers)
{
    struct err err = { 0 };
    struct predictor *p = predictor_new(&err);
    REQUIRE(p);
    for (int i = 0; i < 200; i++) { /* three times slower than planned, and it scatters */
        const float f = predictor_factor(p, 5, PREDICT_DECODE);
        predictor_observe(p, 5, PREDICT_DECODE, f * 1.f, 3 * expf(.1f * test_rand_f32()));
    }
    const float f = predictor_factor(p, 5, PREDICT_DECODE);
    CHECK(f > 2.8f && f < 3.2f, "%g", (double)f);
    predictor_observe(p, 5, PREDICT_DECODE, f, 1000 * f); /* the machine slept */
    CHECK(predictor_factor(p, 5, PREDICT_DECODE) < 1.05f * f, "%g", (double)predictor_factor(p, 5, PREDICT_DECODE));
    CHECK(predictor_n(p, 5, PREDICT_DECODE) == 201 && predictor_factor(p, 4, PREDICT_DECODE) == 1 && predictor_factor(p, 5, PREDICT_TTFT) == 1);
    for (int i = 0; i < 400; i++) /* it became faster: what is old fades */
        predictor_observe(p, 5, PREDICT_DECODE, predictor_factor(p, 5, PREDICT_DECODE), .5f);
    CHECK(predictor_factor(p, 5, PREDICT_DECODE) < .55f);
    for (int i = 0; i < 4000; i++)
        predictor_observe(p, 6, PREDICT_TTFT, 1e-6f, 1e6f);
    CHECK(predictor_factor(p, 6, PREDICT_TTFT) <= 16.01f);
    predictor_observe(p, -1, PREDICT_TTFT, 1, 1), predictor_observe(p, 1 << 20, PREDICT_TTFT, 1, 1);
    predictor_observe(p, 7, PREDICT_TTFT, 0, 1), predictor_observe(p, 7, PREDICT_TTFT, 1, NAN), predictor_observe(p, 7, PREDICT_TTFT, INFINITY, 1);
    CHECK(predictor_n(p, 7, PREDICT_TTFT) == 0);
    predictor_forget(p, 5);
    CHECK(predictor_factor(p, 5, PREDICT_DECODE) == 1);
    predictor_free(p);
}

TEST(corrections_act_on_what_they_are_of)
{
    struct err err = { 0 };
    struct predictor *p = predictor_new(&err);
    struct route_guess plain, g;
    struct route_request rq = { .task = EXPERT_CHAT, .prompt_tok = 200, .gen_tok = 51 };
    struct candidate c = model;
    c.slot = 3;
    predict(p, &rq, &here, &c, 0, &plain);
    for (int i = 0; i < 300; i++)
        predictor_observe(p, 3, PREDICT_JOULES, predictor_factor(p, 3, PREDICT_JOULES), 2);
    predict(p, &rq, &here, &c, 0, &g);
    CHECK(near(g.joules, 2 * plain.joules) && g.total_s == plain.total_s && !g.is_measured);
    for (int i = 0; i < 300; i++)
        predictor_observe(p, 3, PREDICT_TTFT, predictor_factor(p, 3, PREDICT_TTFT), 1.5f);
    predict(p, &rq, &here, &c, 0, &g);
    CHECK(near(g.ttft_s, 1.5f * plain.ttft_s) && near(g.total_s - g.ttft_s, 5) && g.is_measured);
    predictor_free(p);
}

TEST(what_was_learned_can_be_kept_and_taken_again_by_name)
{
    struct err err = { 0 };
    struct route_node nodes[2] = { { .name = "a" }, { .name = "b" } };
    struct candidate list[3] = { { .expert = "x", .node = 0, .slot = 0 }, { .expert = "x", .node = 1, .slot = 1 }, { .expert = "y", .node = 1, .slot = 2 } };
    const struct candidates world = { nodes, 2, list, 3 };
    struct predictor *p = predictor_new(&err), *q = predictor_new(&err);
    struct buf b;
    buf_init(&b, 1 << 16);
    predictor_observe(p, 1, PREDICT_TTFT, 1, 2), predictor_observe(p, 2, PREDICT_JOULES, 4, 1);
    predictor_put(p, &world, &b);
    REQUIRE(b.len > 0);
    list[0].slot = 7, list[1].slot = 8, list[2].slot = 9; /* the next service has others in other places */
    CHECK(predictor_take(q, &world, b.data, b.len, &err), "%s", err.text);
    CHECK(near(predictor_factor(q, 8, PREDICT_TTFT), predictor_factor(p, 1, PREDICT_TTFT)) && predictor_n(q, 8, PREDICT_TTFT) == 1);
    CHECK(near(predictor_factor(q, 9, PREDICT_JOULES), predictor_factor(p, 2, PREDICT_JOULES)) && predictor_n(q, 7, PREDICT_TTFT) == 0);
    static const char *const wrong[] = { "x\ta\tttft\t0\t1\n", "x\ta\ttftt\t0\t1\t1\n", "x\ta\tttft\tnan\t1\t1\n", "x\ta\tttft\t0\t1\t0\n", "x\ta\tttft\t0\t1\t1\t1\n", "x" };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        CHECK(!predictor_take(q, &world, wrong[i], strlen(wrong[i]), &err) && strstr(err.text, "line 1"), "%zu", i);
    CHECK(predictor_take(q, &world, "gone\ta\tttft\t0\t1\t1\n\n", 19, &err));
    buf_fini(&b);
    predictor_free(p), predictor_free(q);
}

TEST(an_answer_is_as_long_as_its_kind_and_the_request_allow)
{
    struct intent_answer in = { .best = INTENT_CLASSIFY };
    CHECK(predict_gen_tok(&in, 10, 0) < 20 && predict_gen_tok(&in, 10, 5) == 5);
    in.best = INTENT_LONG_FORM;
    CHECK(predict_gen_tok(&in, 10, 0) > 1000 && predict_gen_tok(&in, 10, 300) == 300);
    in.best = INTENT_CODE;
    CHECK(predict_gen_tok(&in, 1500, 0) == 1500 && predict_gen_tok(NULL, 0, 0) > 0);
    const struct features f = { .media = MEDIUM_PICTURE | MEDIUM_SOUND, .has_tools = true, .prompt_tok = 42 };
    struct route_request rq;
    route_request_of(&rq, EXPERT_CHAT, ROUTE_FAST, NULL, &f, &in, 0);
    CHECK(rq.needs_sight && rq.needs_hearing && rq.needs_tools && rq.prompt_tok == 42 && rq.goal == ROUTE_FAST);
    route_request_of(&rq, EXPERT_TRANSCRIBE, ROUTE_FAST, NULL, &f, NULL, 0);
    CHECK(!rq.needs_sight && !rq.needs_hearing && rq.gen_tok == 0);
}
