/* tests/route/test_bandit.c - what outcomes teach: it finds who is good at what, forgets, repeats itself, and knows its place. */
#include <math.h>
#include <string.h>

#include "route/bandit.h"
#include "test.h"

static struct bandit_context context_of(enum intent intent, float difficulty, uint64_t session)
{
    const struct intent_answer in = { .best = intent, .difficulty = difficulty };
    const struct route_request rq = { .task = EXPERT_CHAT, .intent = &in, .prompt_tok = 100, .session = session, .minute_of_day = 600 };
    struct bandit_context c;
    bandit_context_of(&rq, &c);
    return c;
}

TEST(it_learns_who_is_better_or_worse_than_predicted_and_at_what)
{
    struct err err = { 0 };
    struct bandit *b = bandit_new(1, 0, &err);
    const struct bandit_context code = context_of(INTENT_CODE, .5f, 0), chat = context_of(INTENT_CHAT, .5f, 0);
    for (int i = 0; i < 1500; i++) { /* predicted .6; slot 3 is better at code and worse at chat than slot 4 */
        bandit_observe(b, 3, &code, test_rand_f32() < .6f, .6f); /* 0.8 */
        bandit_observe(b, 4, &code, test_rand_f32() < -.2f, .6f); /* 0.4 */
        bandit_observe(b, 3, &chat, test_rand_f32() < -.2f, .6f);
        bandit_observe(b, 4, &chat, test_rand_f32() < .6f, .6f);
    }
    CHECK(bandit_gain(b, 3, &code) > .1f && bandit_gain(b, 4, &code) < -.1f, "%g %g", (double)bandit_gain(b, 3, &code), (double)bandit_gain(b, 4, &code));
    CHECK(bandit_gain(b, 3, &chat) < -.1f && bandit_gain(b, 4, &chat) > .1f, "%g %g", (double)bandit_gain(b, 3, &chat), (double)bandit_gain(b, 4, &chat));
    CHECK(bandit_gain(b, 9, &chat) == 0);
    CHECK(bandit_n(b) == 6000);
    bandit_free(b);
}

TEST(what_is_off_for_all_alike_is_nobodys_fault)
{
    struct err err = { 0 };
    struct bandit *b = bandit_new(1, 0, &err);
    const struct bandit_context c = context_of(INTENT_CHAT, .5f, 0);
    for (int i = 0; i < 3000; i++) /* predictions are .2 too high; slot 0 is asked far more often */
        bandit_observe(b, i % 10 ? 0 : 1, &c, test_rand_f32() < .2f, .8f);
    CHECK(fabsf(bandit_gain(b, 0, &c)) < .09f && fabsf(bandit_gain(b, 1, &c)) < .15f, "%g %g", (double)bandit_gain(b, 0, &c), (double)bandit_gain(b, 1, &c));
    bandit_free(b);
}

TEST(it_forgets_slowly_and_at_a_word)
{
    struct err err = { 0 };
    struct bandit *b = bandit_new(1, 0, &err);
    const struct bandit_context c = context_of(INTENT_CHAT, .5f, 0);
    for (int i = 0; i < 600; i++) /* one does what is predicted, the other more */
        bandit_observe(b, 0, &c, 1, .5f), bandit_observe(b, 1, &c, .5f, .5f);
    const float before = bandit_gain(b, 0, &c);
    CHECK(before > .15f, "%g", (double)before);
    for (int i = 0; i < 10; i++)
        bandit_observe(b, 0, &c, 0, .5f), bandit_observe(b, 1, &c, .5f, .5f);
    CHECK(bandit_gain(b, 0, &c) > .5f * before); /* a bad hour is not a new life */
    for (int i = 0; i < 1500; i++)
        bandit_observe(b, 0, &c, 0, .5f), bandit_observe(b, 1, &c, .5f, .5f);
    CHECK(bandit_gain(b, 0, &c) < -.15f, "%g", (double)bandit_gain(b, 0, &c));
    bandit_forget(b, 0);
    CHECK(bandit_gain(b, 0, &c) == 0);
    bandit_free(b);
}

TEST(the_same_seed_and_history_give_the_same_gains_and_exploration_narrows)
{
    struct err err = { 0 };
    struct bandit *b = bandit_new(7, .2f, &err), *again = bandit_new(7, .2f, &err), *other = bandit_new(8, .2f, &err);
    float begin = 0, end = 0, mean = 0;
    int n_differ = 0;
    for (uint64_t i = 0; i < 400; i++) {
        const struct bandit_context c = context_of(INTENT_CHAT, .5f, i);
        const float g = bandit_gain(b, 1, &c);
        CHECK(g == bandit_gain(b, 1, &c) && g == bandit_gain(again, 1, &c) && g >= -1 && g <= 1);
        n_differ += g != bandit_gain(other, 1, &c);
        begin += g * g, mean += g;
    }
    CHECK(n_differ > 390 && fabsf(mean / 400) < .05f && sqrtf(begin / 400) > .15f && sqrtf(begin / 400) < .25f, "%g", (double)sqrtf(begin / 400));
    for (uint64_t i = 0; i < 400; i++) {
        const struct bandit_context c = context_of(INTENT_CHAT, .5f, i);
        bandit_observe(b, 1, &c, .5f, .5f);
        end += bandit_gain(b, 1, &c) * bandit_gain(b, 1, &c);
    }
    CHECK(end < begin / 4, "%g %g", (double)end, (double)begin);
    bandit_free(b), bandit_free(again), bandit_free(other);
}

TEST(nonsense_teaches_nothing)
{
    struct err err = { 0 };
    struct bandit *b = bandit_new(1, NAN, &err);
    const struct bandit_context c = context_of(INTENT_CHAT, .5f, 0);
    bandit_observe(b, -1, &c, 1, .5f), bandit_observe(b, 1 << 20, &c, 1, .5f), bandit_observe(b, 0, &c, NAN, .5f), bandit_observe(b, 0, &c, 2, .5f), bandit_observe(b, 0, &c, 1, NAN);
    CHECK(bandit_n(b) == 0 && bandit_gain(b, 0, &c) == 0 && bandit_gain(b, -1, &c) == 0);
    bandit_free(b);
}

TEST(what_was_learned_can_be_kept_and_taken_again_by_name)
{
    struct err err = { 0 };
    struct route_node node = { .name = "n" };
    struct candidate list[2] = { { .expert = "x", .slot = 0 }, { .expert = "y", .slot = 1 } };
    const struct candidates world = { &node, 1, list, 2 };
    struct bandit *b = bandit_new(1, 0, &err), *q = bandit_new(1, 0, &err);
    const struct bandit_context c = context_of(INTENT_MATH, .9f, 0);
    struct buf text;
    buf_init(&text, 1 << 16);
    for (int i = 0; i < 20; i++)
        bandit_observe(b, 1, &c, 0, .7f), bandit_observe(b, 0, &c, 1, .7f);
    bandit_put(b, &world, &text);
    list[1].slot = 44;
    CHECK(bandit_take(q, &world, text.data, text.len, &err), "%s", err.text);
    CHECK(fabsf(bandit_gain(q, 44, &c) - bandit_gain(b, 1, &c)) < 1e-5f && bandit_gain(b, 1, &c) < -.05f);
    CHECK(!bandit_take(q, &world, "x\tn\tintent\t99\t0\t1\n", 19, &err) && !bandit_take(q, &world, "x\tn\tmood\t0\t0\t1\n", 16, &err));
    buf_fini(&text);
    bandit_free(b), bandit_free(q);
}
