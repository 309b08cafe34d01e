/* tests/route/test_router.c - the expert `auto` over experts that fail in every way: tests/route/fakes.h. */
#include "fakes.h"

#include <math.h>

#include "route/bandit.h"
#include "route/policy_settings.h"
#include "route/predict.h"
#include "route/router.h"

struct house {
    struct fake *fakes[6];
    struct expert *experts[6];
    int n;
    struct policy *policy;
    struct predictor *predictor;
    struct bandit *bandit;
    bool is_unteachable; /* what a busy machine does to times must not change who is chosen */
    struct router *router;
};

static void house_open(struct house *h, const struct router_env *like)
{
    struct err err = { 0 };
    struct router_env env = like ? *like : (struct router_env){ 0 };
    env.policy = h->policy = policy_new(&err);
    env.predictor = h->predictor = predictor_new(&err);
    env.bandit = h->bandit = bandit_new(1, 0, &err);
    if (h->is_unteachable) {
        env.predictor = NULL;
        env.bandit = NULL;
    }
    for (int i = 0; i < h->n; i++)
        h->experts[i] = &h->fakes[i]->base;
    h->router = router_new(&env, h->experts, h->n, &err);
    CHECK(h->router != NULL, "%s", err.text);
}

static void house_close(struct house *h)
{
    for (int i = 0; i < h->n; i++)
        h->fakes[i]->is_open = true;
    router_free(h->router);
    for (int i = 0; i < h->n; i++)
        expert_free(h->experts[i]);
    predictor_free(h->predictor);
    bandit_free(h->bandit);
    policy_free(h->policy);
}

static bool ask(struct house *h, enum route_goal goal, struct job *j, struct seen *s)
{
    struct err err = { 0 };
    const bool ok = expert_submit(router_expert(h->router, goal), j, &err);
    if (ok)
        seen_wait(s);
    else
        s->err = err;
    return ok;
}

static struct fake *find(struct house *h, const char *id)
{
    for (int i = 0; i < h->n; i++)
        if (strcmp(h->fakes[i]->id, id) == 0)
            return h->fakes[i];
    return NULL;
}

static const char words_one[] = "one0 one1 one2 one3 one4 one5 ", words_two[] = "two0 two1 two2 two3 two4 two5 ";

TEST(a_job_goes_to_one_expert_and_its_events_come_back)
{
    struct house h = { .n = 1, .fakes = { fake_new("one", "w", 5) } };
    struct seen s;
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "What is the capital of France?");
    CHECK(ask(&h, ROUTE_BALANCED, j, &s), "%s", s.err.text);
    CHECK(strcmp(s.order, "RQSDDDDDDC.") == 0, "%s", s.order);
    CHECK(strcmp(s.text, words_one) == 0 && s.usage.n_gen_tok == 6 && s.n_after == 0, "%s", s.text);
    CHECK(strcmp(s.experts[0], "one") == 0 && strncmp(s.id, "rt_", 3) == 0 && s.why[0] && s.n_asked == 1, "%s %s", s.experts[0], s.id);
    job_unref(j);
    struct router_figures f;
    router_get_figures(h.router, &f);
    CHECK(f.decisions[ROUTE_BALANCED] == 1 && f.retries == 0, "%d", (int)f.decisions[ROUTE_BALANCED]);
    house_close(&h);
}

static void *tell_later(void *ctx)
{
    struct house *h = ctx;
    const struct plan_device device = { .cls = PLAN_CPU, .n_devices = 1, .is_unified = true, .bw_gbps = 60, .fp32_tflops = 1, .cores = 8, .load_w = 77 };
    struct err err = { 0 };
    CHECK(router_take_learned(h->router, NULL, NULL, &err));
    router_know(h->router, &device);
    return NULL;
}

TEST(what_is_asked_before_the_machine_is_known_waits_for_that)
{
    struct house h = { .fakes = { fake_new("one", "w", 5) }, .n = 1 };
    struct buf b;
    pthread_t t;
    house_open(&h, NULL);
    router_expect(h.router);
    REQUIRE(pthread_create(&t, NULL, tell_later, &h) == 0);
    buf_init(&b, 1 << 20);
    router_put_candidates(h.router, &b);
    buf_putc(&b, '\0');
    CHECK(strstr(b.data, "\"busy_w\":77"), "%s", b.data);
    pthread_join(t, NULL);
    buf_fini(&b);
    house_close(&h);
}

TEST(who_is_busy_breaks_or_is_too_small_is_replaced_before_anything_was_said)
{
    static const char *const plans[] = { "b", "e", "c" };
    for (size_t p = 0; p < 3; p++) {
        struct house h = { .n = 2, .fakes = { fake_new("one", plans[p], 8), fake_new("two", "w", 7) } };
        struct seen s;
        house_open(&h, NULL);
        seen_init(&s);
        struct job *j = chat_job(&s, "What is the capital of France?");
        CHECK(ask(&h, ROUTE_BEST, j, &s) && strcmp(s.text, words_two) == 0 && s.n_finals == 1 && s.n_after == 0, "%s: %s %s", plans[p], s.text, s.err.text);
        CHECK(strcmp(s.last_expert, "two") == 0, "%s", s.last_expert);
        CHECK(h.fakes[0]->n_asked == 1, "%s was not asked first", h.fakes[0]->id);
        job_unref(j);
        house_close(&h);
    }
}

TEST(a_wrong_input_is_wrong_for_everybody)
{
    struct house h = { .n = 2, .fakes = { fake_new("one", "i", 8), fake_new("two", "i", 7) } };
    struct seen s;
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "hello");
    CHECK(ask(&h, ROUTE_BEST, j, &s) && s.err.code == ERR_INPUT && s.n_finals == 1 && h.fakes[0]->n_asked + h.fakes[1]->n_asked == 1, "%s", s.err.text);
    job_unref(j);
    house_close(&h);
}

TEST(when_all_fail_the_last_error_is_the_answer_and_when_nobody_takes_it_nothing_was_accepted)
{
    struct house h = { .n = 2, .fakes = { fake_new("one", "e", 8), fake_new("two", "e", 7) } };
    struct seen s;
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "hello");
    CHECK(ask(&h, ROUTE_BEST, j, &s) && s.err.code == ERR_INTERNAL && s.n_finals == 1, "%s", s.err.text);
    job_unref(j);
    house_close(&h);

    struct house k = { .n = 2, .fakes = { fake_new("one", "b", 8), fake_new("two", "b", 7) } };
    house_open(&k, NULL);
    seen_init(&s);
    j = chat_job(&s, "hello");
    CHECK(!ask(&k, ROUTE_BEST, j, &s) && s.err.code == ERR_BUSY && s.n_finals == 0 && s.order[0] == '\0', "%s %s", s.err.text, s.order);
    job_unref(j);
    seen_init(&s);
    j = chat_job(&s, "hello");
    j->task = EXPERT_OCR;
    CHECK(!ask(&k, ROUTE_BEST, j, &s) && s.err.code == ERR_UNSUPPORTED, "%s", s.err.text);
    job_unref(j);
    house_close(&k);
}

TEST(death_in_the_middle_is_an_error_and_never_a_mixture)
{
    struct house h = { .n = 2, .fakes = { fake_new("one", "m", 8), fake_new("two", "w", 7) } };
    struct seen s;
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "What is the capital of France?");
    CHECK(ask(&h, ROUTE_BEST, j, &s) && strcmp(s.text, "one0 one1 ") == 0 && s.err.code == ERR_IO && s.n_finals == 1 && s.n_routed == 1, "%s %s", s.text, s.err.text);
    CHECK(h.fakes[1]->n_asked == 0, "another one was asked");
    job_unref(j);
    house_close(&h);
}

/* Another machine goes in the middle of its answer: who sees nothing before the end gets somebody else's, who has read half of it an error. */
TEST(a_machine_that_dies_in_the_middle_is_replaced_where_nobody_has_seen_its_words)
{
    for (int is_whole = 0; is_whole < 2; is_whole++) {
        struct house h = { .n = 2, .fakes = { fake_new("one", "m", 8), fake_new("two", "w", 7) } };
        struct seen s;
        h.fakes[0]->privacy = h.fakes[1]->privacy = EXPERT_LAN;
        house_open(&h, NULL);
        seen_init(&s);
        struct job *j = chat_job(&s, "What is the capital of France?");
        j->is_whole = is_whole;
        const bool ok = ask(&h, ROUTE_BEST, j, &s);
        job_unref(j);
        CHECK(ok && (s.err.code == ERR_NONE) == is_whole && s.n_finals == 1, "%d %s", s.n_finals, s.err.text);
        CHECK(!is_whole || (strcmp(s.text, words_two) == 0 && strcmp(s.last_expert, "two") == 0), "%s %s", s.text, s.last_expert);
        CHECK(is_whole || (strncmp(s.text, words_two, strlen(words_two)) != 0 && h.fakes[1]->n_asked == 0), "%s", s.text);
        house_close(&h);
    }
}

TEST(cancelling_reaches_the_expert_and_ends_the_job_once)
{
    struct house h = { .n = 1, .fakes = { fake_new("one", "h", 8) } };
    struct seen s;
    struct err err = { 0 };
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "hello");
    CHECK(expert_submit(router_expert(h.router, ROUTE_FAST), j, &err), "%s", err.text);
    job_cancel(j);
    seen_wait(&s);
    CHECK(s.err.code == ERR_CANCELLED && s.n_finals == 1, "%s", s.err.text);
    job_unref(j);
    house_close(&h);
}

TEST(a_slow_reader_holds_the_expert)
{
    struct house h = { .n = 1, .fakes = { fake_new("one", "w", 8) } };
    struct seen s;
    struct err err = { 0 };
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "hello");
    job_hold(j, true);
    CHECK(expert_submit(router_expert(h.router, ROUTE_FAST), j, &err), "%s", err.text);
    while (h.fakes[0]->n_held == 0)
        fake_nap(1000);
    CHECK(s.n_text == 0, "%s", s.text);
    job_hold(j, false);
    seen_wait(&s);
    CHECK(strcmp(s.text, words_one) == 0, "%s", s.text);
    job_unref(j);
    house_close(&h);
}

TEST(stopping_ends_what_runs_and_refuses_what_comes)
{
    struct house h = { .n = 1, .fakes = { fake_new("one", "h", 8) } };
    struct seen s;
    struct err err = { 0 };
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "hello");
    CHECK(expert_submit(router_expert(h.router, ROUTE_FAST), j, &err), "%s", err.text);
    expert_stop(router_expert(h.router, ROUTE_FAST), 0);
    CHECK(s.n_finals == 1 && s.err.code == ERR_BUSY, "%s", s.err.text);
    CHECK(!expert_submit(router_expert(h.router, ROUTE_FAST), j, &err) && err.code == ERR_BUSY, "%s", err.text);
    job_unref(j);
    house_close(&h);
}

TEST(who_hangs_is_left_for_another_and_may_not_speak_any_more)
{
    struct house h = { .n = 2, .fakes = { fake_new("one", "h", 8), fake_new("two", "w", 7) } };
    const struct router_env env = { .care = { .hang_s = 0.05f, .hedge_s = -1 } };
    struct seen s;
    house_open(&h, &env);
    seen_init(&s);
    struct job *j = chat_job(&s, "What is the capital of France?");
    CHECK(ask(&h, ROUTE_BEST, j, &s) && strcmp(s.text, words_two) == 0 && s.n_finals == 1, "%s %s", s.text, s.err.text);
    CHECK(s.n_routed == 2 && strcmp(s.experts[0], "one") == 0 && strcmp(s.experts[1], "two") == 0, "%d", s.n_routed);
    job_unref(j);
    house_close(&h);
    CHECK(s.n_after == 0, "%d events behind the end", s.n_after);
}

TEST(when_the_first_is_late_an_idle_one_is_asked_too_and_the_first_answer_wins)
{
    struct house h = { .n = 2, .fakes = { fake_new("one", "h", 8), fake_new("two", "w", 7) } };
    const struct router_env env = { .care = { .hedge_s = 0.02f, .hedge_factor = 0.001f } };
    struct seen s;
    house_open(&h, &env);
    seen_init(&s);
    struct job *j = chat_job(&s, "What is the capital of France?");
    CHECK(ask(&h, ROUTE_BEST, j, &s) && strcmp(s.text, words_two) == 0 && s.n_finals == 1, "%s %s", s.text, s.err.text);
    job_unref(j);
    struct router_figures f;
    router_get_figures(h.router, &f);
    CHECK(f.hedges == 1 && f.hedges_won == 1, "%d %d", (int)f.hedges, (int)f.hedges_won);
    house_close(&h);
    CHECK(h.n == 2 && s.n_after == 0, "%d", s.n_after);
}

TEST(a_deadline_does_not_wait_for_a_late_hedge)
{
    struct house h = { .n = 2, .fakes = { fake_new("one", "h", 8), fake_new("two", "w", 7) } };
    const struct router_env env = { .care = { .hedge_s = 0.02f, .hedge_factor = 1e6f } };
    struct seen s;
    house_open(&h, &env);
    seen_init(&s);
    struct job *j = chat_job(&s, "What is the capital of France?");
    j->wish.deadline_s = 0.2f;
    CHECK(ask(&h, ROUTE_BEST, j, &s) && strcmp(s.text, words_two) == 0 && s.n_finals == 1, "%s %s", s.text, s.err.text);
    job_unref(j);
    house_close(&h);
}

static void note_outcome(void *ctx, const struct router_outcome *o) { *(struct router_outcome *)ctx = *o; }

/* A client that wants everything within a microsecond must not turn the machine down for all others. */
TEST(a_deadline_that_nobody_could_meet_is_no_miss_of_this_machine)
{
    static const struct {
        float deadline_s;
        bool counts;
    } cases[] = { { 1e-6f, false }, { 1000, true } };
    for (int i = 0; i < 2; i++) {
        struct house h = { .n = 1, .fakes = { fake_new("one", "w", 5) } };
        struct router_outcome o = { .n_hung = -1 };
        const struct router_env env = { .governor = { .ctx = &o, .ended = note_outcome } };
        struct seen s;
        house_open(&h, &env);
        seen_init(&s);
        struct job *j = chat_job(&s, "What is the capital of France?");
        j->wish.deadline_s = cases[i].deadline_s;
        ask(&h, ROUTE_BALANCED, j, &s);
        job_unref(j);
        house_close(&h);
        CHECK(o.n_hung == 0 && o.had_deadline == cases[i].counts, "%d: %d %d", i, o.n_hung, o.had_deadline);
    }
}

TEST(a_late_request_goes_to_another_one_as_soon_as_that_is_idle)
{
    struct house h = { .n = 2, .fakes = { fake_new("one", "h", 8), fake_new("two", "hw", 7) } };
    const struct router_env env = { .care = { .hedge_s = 0.02f, .hedge_factor = 0.001f } };
    struct seen s, busy;
    struct err err = { 0 };
    house_open(&h, &env);
    seen_init(&s), seen_init(&busy);
    struct job *first = chat_job(&busy, "hello"), *j = chat_job(&s, "What is the capital of France?");
    CHECK(expert_submit(&h.fakes[1]->base, first, &err), "%s", err.text);
    while (h.fakes[1]->n_running == 0)
        fake_nap(1000);
    CHECK(expert_submit(router_expert(h.router, ROUTE_BEST), j, &err), "%s", err.text);
    fake_nap(100000); /* some looks in vain */
    CHECK(h.fakes[1]->n_asked == 1, "%d", h.fakes[1]->n_asked);
    job_cancel(first);
    seen_wait(&s);
    CHECK(strcmp(s.text, words_two) == 0 && s.n_finals == 1, "%s %s", s.text, s.err.text);
    job_unref(first);
    job_unref(j);
    house_close(&h);
}

TEST(what_is_private_goes_nowhere_else_whatever_fails)
{
    static const char *const texts[] = { "hello there", "my password: hunter2secret is not accepted, why?" };
    for (int k = 0; k < 6; k++) {
        struct house h = { .n = 3, .fakes = { fake_new("here", k & 1 ? "e" : "b", 3), fake_new("there", "w", 9), fake_new("lan", "w", 8) } };
        h.fakes[1]->privacy = EXPERT_CLOUD;
        h.fakes[2]->privacy = EXPERT_LAN;
        struct seen s;
        house_open(&h, NULL);
        seen_init(&s);
        struct job *j = chat_job(&s, texts[k / 4]);
        if (k < 4)
            j->wish.security = k < 2 ? WISH_LOCAL : WISH_LAN;
        ask(&h, k < 2 ? ROUTE_BEST : ROUTE_BALANCED, j, &s);
        CHECK(h.fakes[1]->n_asked == 0, "case %d went to the cloud", k);
        CHECK(k >= 2 || h.fakes[2]->n_asked == 0, "case %d left this machine", k);
        job_unref(j);
        house_close(&h);
    }
}

TEST(a_budget_keeps_a_provider_out_whose_card_says_its_price)
{
    for (int k = 0; k < 2; k++) {
        struct house h = { .n = 2, .fakes = { fake_new("here", "w", 3), fake_new("provider", "w", 9) } };
        h.fakes[1]->privacy = EXPERT_CLOUD;
        h.fakes[1]->price = (struct card_price){ .per_mtok_in = 10, .per_mtok_out = 30 };
        struct seen s;
        house_open(&h, NULL);
        seen_init(&s);
        struct job *j = chat_job(&s, "prove that there are infinitely many primes, step by step");
        j->wish.budget_usd = k == 0 ? 1e-6f : 10;
        ask(&h, ROUTE_BEST, j, &s);
        CHECK(h.fakes[1]->n_asked == k, "with %g USD the provider was asked %d times", (double)j->wish.budget_usd, (int)h.fakes[1]->n_asked);
        job_unref(j);
        house_close(&h);
    }
}

TEST(a_conversation_goes_on_where_its_beginning_is_in_the_cache)
{
    struct house h = { .n = 3, .fakes = { fake_new("one", "w", 7), fake_new("two", "w", 7), fake_new("three", "w", 7) }, .is_unteachable = true };
    struct seen s;
    char first[64] = "";
    house_open(&h, NULL);
    for (int turn = 0; turn < 4; turn++) {
        seen_init(&s);
        struct job *j = chat_job(&s, "Tell me about the history of Florence in the time of the Medici.");
        json_t *messages = json_object_get(j->vars, "messages");
        for (int k = 0; k < turn; k++) {
            json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "assistant", "content", "It was a city of bankers, painters and quarrels, and it is a long story."));
            json_array_append_new(messages, json_pack("{s:s,s:s}", "role", "user", "content", "Go on, please."));
        }
        CHECK(ask(&h, ROUTE_FAST, j, &s), "%s", s.err.text);
        if (turn == 0)
            snprintf(first, sizeof(first), "%s", s.last_expert);
        else
            CHECK(strcmp(first, s.last_expert) == 0, "turn %d: %s, the first was %s", turn, s.last_expert, first);
        job_unref(j);
    }
    CHECK(find(&h, first) != NULL, "%s", first);
    house_close(&h);
}

TEST(embeddings_and_pictures_find_those_that_can)
{
    struct house h = { .n = 2, .fakes = { fake_new("one", "w", 7), fake_new("eye", "w", 5) } };
    h.fakes[1]->tasks = EXPERT_DETECT;
    struct seen s;
    struct err err = { 0 };
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "");
    json_decref(j->vars);
    j->vars = NULL;
    j->task = EXPERT_DETECT;
    struct task_media *m = arena_alloc(j->arena, 1, sizeof(*m), &err);
    *m = (struct task_media){ .form = MEDIA_ENCODED, .bytes = "\x89PNG\r\n\x1a\n", .n_bytes = 8 };
    j->request.media = m;
    j->request.n_media = 1;
    CHECK(ask(&h, ROUTE_BALANCED, j, &s) && strcmp(s.last_expert, "eye") == 0 && strcmp(s.order, "RQST.") == 0, "%s %s", s.order, s.err.text);
    job_unref(j);
    seen_init(&s);
    j = chat_job(&s, "");
    json_decref(j->vars);
    j->vars = NULL;
    j->task = EXPERT_EMBED;
    const struct job_input in[2] = { { .text = "a", .n_text = 1 }, { .text = "b", .n_text = 1 } };
    j->inputs = in;
    j->n_inputs = 2;
    CHECK(ask(&h, ROUTE_BALANCED, j, &s) && strcmp(s.last_expert, "one") == 0 && strcmp(s.order, "RQSVV.") == 0, "%s %s", s.order, s.err.text);
    job_unref(j);
    house_close(&h);
}

/* ---- small first ---- */

static struct house small_and_big(const char *small_plan, const char *big_plan)
{
    struct house h = { .n = 2, .fakes = { fake_new("tiny", small_plan, 4), fake_new("big", big_plan, 9) } };
    h.fakes[0]->billions = 0.5;
    h.fakes[1]->billions = 4;
    h.fakes[0]->kind = "llm";
    return h;
}

static const char tiny_words[] = "tiny0 tiny1 tiny2 tiny3 tiny4 tiny5 ", big_words[] = "big0 big1 big2 big3 big4 big5 ";

TEST(a_small_expert_is_tried_first_and_its_answer_is_shown_when_it_will_do)
{
    for (int whole = 0; whole < 2; whole++) {
        struct house h = small_and_big("w", "w");
        struct seen s;
        house_open(&h, NULL);
        seen_init(&s);
        struct job *j = chat_job(&s, "Hi! How are you today?");
        j->is_whole = whole;
        CHECK(ask(&h, ROUTE_CHEAP, j, &s) && strcmp(s.text, tiny_words) == 0 && s.n_routed == 1, "%s %s %s", s.text, s.err.text, s.why);
        CHECK(strcmp(s.order, "RQSDDDDDDC.") == 0 && h.fakes[1]->n_asked == 0, "%s", s.order);
        job_unref(j);
        house_close(&h);
    }
}

TEST(an_answer_that_will_not_do_is_replaced_by_a_better_expert_s)
{
    static const struct {
        char plan[2];
        const char *text;
    } cases[] = { { "0", "Hi! How are you today?" }, { "l", "Hi! How are you today?" }, { "u", "Hi! How are you today?" }, { "j", "Hi! Greet me, answer as JSON." } };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
        for (int whole = 0; whole < 2; whole++) {
            struct house h = small_and_big(cases[k].plan, "w");
            struct seen s;
            house_open(&h, &(struct router_env){ .care = { .probation_s = 30 } });
            seen_init(&s);
            struct job *j = chat_job(&s, cases[k].text);
            j->is_whole = whole;
            CHECK(ask(&h, ROUTE_CHEAP, j, &s) && strcmp(s.text, big_words) == 0 && s.n_finals == 1, "%s: %s %s", cases[k].plan, s.text, s.err.text);
            CHECK(h.fakes[0]->n_asked == 1 && h.fakes[1]->n_asked == 1 && strcmp(s.last_expert, "big") == 0 && s.n_asked == 2, "%s %d", s.last_expert, s.n_asked);
            job_unref(j);
            struct router_figures f;
            router_get_figures(h.router, &f);
            CHECK(f.promotions == 1, "%d", (int)f.promotions);
            house_close(&h);
        }
}

TEST(good_json_of_a_small_expert_is_good_enough)
{
    struct house h = small_and_big("g", "w");
    struct seen s;
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "Hi! Greet me, answer as JSON.");
    CHECK(ask(&h, ROUTE_CHEAP, j, &s) && strcmp(s.text, "{\"a\": [1, 2]}") == 0, "%s %s", s.text, s.err.text);
    job_unref(j);
    house_close(&h);
}

TEST(when_the_better_one_fails_the_small_one_s_answer_is_better_than_none)
{
    static const char *const big[] = { "b", "e" };
    for (size_t k = 0; k < 2; k++) {
        struct house h = small_and_big("u", big[k]);
        struct seen s;
        house_open(&h, NULL);
        seen_init(&s);
        struct job *j = chat_job(&s, "Hi! How are you today?");
        CHECK(ask(&h, ROUTE_CHEAP, j, &s) && strcmp(s.text, tiny_words) == 0 && s.err.code == ERR_NONE && s.n_finals == 1, "%s: %s %s", big[k], s.text, s.err.text);
        CHECK(strcmp(s.last_expert, "tiny") == 0, "%s", s.last_expert);
        job_unref(j);
        house_close(&h);
    }
}

TEST(a_small_expert_that_dies_in_probation_has_said_nothing)
{
    struct house h = small_and_big("m", "w");
    struct seen s;
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "Hi! How are you today?");
    CHECK(ask(&h, ROUTE_CHEAP, j, &s) && strcmp(s.text, big_words) == 0 && s.n_finals == 1, "%s %s", s.text, s.err.text);
    job_unref(j);
    house_close(&h);
}

TEST(a_stream_is_held_back_no_longer_than_its_probation)
{
    struct house h = small_and_big("w", "w");
    struct seen s;
    house_open(&h, &(struct router_env){ .care = { .probation_tok = 3, .probation_s = 30 } });
    seen_init(&s);
    struct job *j = chat_job(&s, "Hi! How are you today?");
    j->is_whole = false;
    h.fakes[0]->pause_us = 2000;
    CHECK(ask(&h, ROUTE_CHEAP, j, &s) && strcmp(s.text, tiny_words) == 0, "%s %s", s.text, s.err.text);
    job_unref(j);
    seen_init(&s);
    j = chat_job(&s, "Hi! How are you today?");
    j->is_whole = false;
    h.fakes[0]->plan = "wm"; /* dies after two words, which nobody has seen */
    CHECK(ask(&h, ROUTE_CHEAP, j, &s) && strcmp(s.text, big_words) == 0, "%s %s", s.text, s.err.text);
    job_unref(j);
    house_close(&h);
}

TEST(nobody_waits_longer_than_he_said_for_a_better_answer)
{
    struct house h = small_and_big("u", "w");
    struct seen s;
    h.fakes[1]->billions = 400; /* minutes */
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "Hi! How are you today?");
    CHECK(ask(&h, ROUTE_CHEAP, j, &s) && strcmp(s.text, tiny_words) == 0 && h.fakes[1]->n_asked == 0, "%s %s", s.text, s.err.text);
    job_unref(j);
    house_close(&h);
}

/* ---- everything at once ---- */

/* Is it what one of the experts says, from its beginning? */
static bool is_of_one(const struct house *h, const char *text)
{
    char all[1024], json[] = "{\"a\": [1, 2]}";
    if (strncmp(text, json, strlen(text)) == 0)
        return true;
    for (int i = 0; i < h->n; i++) {
        size_t n = 0;
        for (int w = 0; w < FAKE_WORDS; w++)
            n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%d ", h->fakes[i]->id, w);
        if (strncmp(text, all, strlen(text)) == 0)
            return true;
    }
    size_t n = 0;
    while (strncmp(text + n, "again and again ", 16) == 0)
        n += 16;
    return text[n] == '\0';
}

TEST(whatever_dies_hangs_and_lies_each_job_ends_once_and_no_answer_is_a_mixture)
{
    enum { AT_A_TIME = 12, PLAN = 400 };
    static const char letters[] = "wwwwwmmeebh0luc";
    const int rounds = getenv("TEST_QUICK") ? 8 : 30;
    static const char *const ids[] = { "ant", "bee", "cat", "dog" };
    static char plans[4][PLAN + 1];
    struct house h = { .n = 4 };
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < PLAN; k++)
            plans[i][k] = letters[test_rand_u64() % (sizeof(letters) - 1)];
        h.fakes[i] = fake_new(ids[i], plans[i], 3 + 2 * i);
        h.fakes[i]->billions = 0.5 + i;
        h.fakes[i]->kind = i == 0 ? "llm" : "fake";
    }
    h.fakes[3]->privacy = EXPERT_CLOUD;
    house_open(&h, &(struct router_env){ .care = { .hang_s = 0.03f, .hedge_s = 0.01f, .hedge_factor = 0.001f, .n_tries_max = 8 } });
    int n_done = 0, n_failed = 0, n_refused = 0;
    for (int r = 0; r < rounds; r++) {
        static struct seen seen[AT_A_TIME];
        struct job *jobs[AT_A_TIME];
        bool ok[AT_A_TIME];
        for (int i = 0; i < AT_A_TIME; i++) {
            struct err err = { 0 };
            seen_init(&seen[i]);
            jobs[i] = chat_job(&seen[i], i % 3 ? "Hi! How are you today?" : "Write a function that sorts a list of numbers in Python and explain how it works.");
            jobs[i]->is_whole = i % 2 == 0;
            jobs[i]->wish.security = i % 4 == 0 ? WISH_LOCAL : WISH_SECURITY_NONE;
            jobs[i]->deadline_ns = clock_ns() + 3000000000u; /* all may hang */
            ok[i] = expert_submit(router_expert(h.router, (enum route_goal)(test_rand_u64() % ROUTE_GOAL_COUNT)), jobs[i], &err);
            if (i % 5 == 4 && ok[i])
                job_cancel(jobs[i]);
        }
        for (int i = 0; i < AT_A_TIME; i++) {
            if (ok[i])
                seen_wait(&seen[i]);
            const struct seen *s = &seen[i];
            CHECK(s->n_finals == (ok[i] ? 1 : 0), "round %d, job %d: %d final events", r, i, s->n_finals);
            CHECK(is_of_one(&h, s->text), "round %d, job %d: a mixture: %s (%s)", r, i, s->text, s->order);
            CHECK(i % 4 != 0 || strcmp(s->last_expert, "dog") != 0, "round %d, job %d left this machine", r, i);
            for (int k = 0; k < s->n_routed; k++)
                CHECK(i % 4 != 0 || strcmp(s->experts[k], "dog") != 0, "round %d, job %d left this machine", r, i);
            n_done += ok[i] && s->err.code == ERR_NONE;
            n_failed += ok[i] && s->err.code != ERR_NONE;
            n_refused += !ok[i];
            job_unref(jobs[i]);
        }
        for (int i = 0; i < AT_A_TIME; i++)
            CHECK(seen[i].n_after == 0, "events behind the end");
    }
    printf("# %d answered, %d failed, %d refused\n", n_done, n_failed, n_refused);
    CHECK(n_done * 5 > n_failed, "%d answered, %d failed", n_done, n_failed); /* loaded machines look hung more often */
    house_close(&h);
}

TEST(cancelling_works_in_every_phase)
{
    static const struct {
        const char *one, *two;
        int wait_ms;
    } cases[] = { { "h", "w", 0 }, { "h", "w", 5 }, { "e", "h", 0 }, { "e", "h", 3 }, { "0", "h", 5 }, { "u", "h", 5 }, { "l", "h", 2 }, { "h", "h", 60 } };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        struct house h = small_and_big(cases[k].one, cases[k].two);
        struct seen s;
        struct err err = { 0 };
        house_open(&h, &(struct router_env){ .care = { .hang_s = 0.02f, .hedge_s = 0.01f, .hedge_factor = 0.001f } });
        seen_init(&s);
        struct job *j = chat_job(&s, "Hi! How are you today?");
        if (expert_submit(router_expert(h.router, ROUTE_CHEAP), j, &err)) {
            fake_nap(cases[k].wait_ms * 1000);
            job_cancel(j);
            seen_wait(&s);
            CHECK(s.n_finals == 1, "case %zu", k);
        }
        job_unref(j);
        house_close(&h);
        CHECK(s.n_after == 0, "case %zu", k);
    }
}

TEST(a_deadline_ends_what_hangs)
{
    struct house h = { .n = 1, .fakes = { fake_new("one", "h", 8) } };
    struct seen s;
    house_open(&h, NULL);
    seen_init(&s);
    struct job *j = chat_job(&s, "hello");
    j->deadline_ns = clock_ns() + 20000000;
    CHECK(ask(&h, ROUTE_BEST, j, &s) && s.err.code == ERR_BUSY && s.n_finals == 1, "%s", s.err.text);
    job_unref(j);
    house_close(&h);
}

TEST(a_composite_expert_is_asked_only_for_what_is_seen_or_heard_and_never_by_itself)
{
    struct house h = { .n = 1, .fakes = { fake_new("one", "w", 7) } };
    struct fake *fan = fake_new("fan", "w", 9);
    struct seen s;
    struct err err = { 0 };
    fan->sees = true;
    house_open(&h, NULL);
    CHECK(router_add(h.router, &fan->base, NULL, true, &err), "%s", err.text);
    for (int k = 0; k < 3; k++) {
        seen_init(&s);
        struct job *j = chat_job(&s, "What is in this picture?");
        if (k > 0) {
            json_decref(j->vars);
            j->vars = json_pack("{s:[{s:s,s:[{s:s,s:s},{s:s,s:{s:s}}]}]}", "messages", "role", "user", "content", "type", "text", "text", "What is in this picture?", "type", "image_url",
                                "image_url", "url", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ");
        }
        struct expert *door = k < 2 ? router_expert(h.router, ROUTE_BEST) : router_expert_for_pieces(h.router, ROUTE_BEST);
        const bool ok = expert_submit(door, j, &err);
        if (ok)
            seen_wait(&s);
        CHECK(k == 0 ? strcmp(s.last_expert, "one") == 0 : k == 1 ? strcmp(s.last_expert, "fan") == 0 : !ok && err.code == ERR_UNSUPPORTED, "%d: %s %s", k, s.last_expert, err.text);
        job_unref(j);
    }
    house_close(&h);
    expert_free(&fan->base);
}

/* ---- nobody is there ---- */

TEST(what_was_answered_before_is_answered_from_memory_when_nobody_is_there)
{
    struct house h = { .n = 1, .fakes = { fake_new("one", "w", 7) } };
    struct seen s;
    house_open(&h, &(struct router_env){ .care = { .n_remembered = 4 } });
    static const struct {
        const char *text, *plan;
        float temperature;
        bool is_down, is_answered, from_memory;
    } cases[] = {
        { "What is the capital of  France?", "w", 0, false, true, false }, { "what is the capital of france? ", "w", 0, true, true, true },
        { "What is the capital of France?", "e", 0, false, true, true },   { "What is the capital of France?", "w", 0.8f, true, false, false },
        { "What is the capital of Spain?", "w", 0, true, false, false },   { "What is the capital of Italy?", "m", 0, false, true, false },
        { "What is the capital of Italy?", "w", 0, true, false, false },
    };
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        h.fakes[0]->plan = cases[k].plan;
        h.fakes[0]->state = cases[k].is_down ? EXPERT_DOWN : EXPERT_WARM;
        seen_init(&s);
        struct job *j = chat_job(&s, cases[k].text);
        j->sampling.temperature = cases[k].temperature;
        const bool ok = ask(&h, ROUTE_BALANCED, j, &s);
        CHECK(ok == cases[k].is_answered, "case %zu: %s", k, s.err.text);
        CHECK(!cases[k].from_memory || (strcmp(s.text, words_one) == 0 && strcmp(s.last_expert, "memory") == 0 && s.n_finals == 1 && s.err.code == ERR_NONE), "case %zu: %s %s %s", k, s.text,
              s.last_expert, s.order);
        CHECK(cases[k].from_memory || !ok || strcmp(s.last_expert, "one") == 0, "case %zu: %s", k, s.last_expert);
        job_unref(j);
    }
    struct router_figures f;
    router_get_figures(h.router, &f);
    CHECK(f.remembered == 2, "%d", (int)f.remembered);
    house_close(&h);
}

TEST(a_small_model_that_stands_in_for_servers_that_are_gone_is_brief)
{
    struct house h = { .n = 2, .fakes = { fake_new("tiny", "w", 3), fake_new("far", "w", 9) } };
    struct seen s;
    h.fakes[1]->privacy = EXPERT_CLOUD;
    house_open(&h, NULL);
    h.policy->setting[POLICY_OFFLINE_TOK] = 2;
    for (int down = 0; down < 2; down++) {
        h.fakes[1]->state = down ? EXPERT_DOWN : EXPERT_WARM;
        seen_init(&s);
        struct job *j = chat_job(&s, "Hi! How are you today?");
        CHECK(ask(&h, down ? ROUTE_BALANCED : ROUTE_BEST, j, &s), "%s", s.err.text);
        CHECK(strcmp(s.text, down ? "tiny0 tiny1 " : "far0 far1 far2 far3 far4 far5 ") == 0, "%s", s.text);
        CHECK((strstr(s.ladder, "offline") != NULL) == down, "%s", s.ladder);
        job_unref(j);
    }
    house_close(&h);
}

/* ---- what it took ---- */

static double meter(void *ctx) { return 10 * (*(atomic_int *)ctx)++; } /* ten joules between any two looks */

TEST(joules_are_measured_where_there_is_a_meter_and_shared_out)
{
    struct house h = { .n = 1, .fakes = { fake_new("one", "w", 7) } };
    atomic_int n_looks = 0;
    struct seen s[2];
    struct err err = { 0 };
    house_open(&h, &(struct router_env){ .governor = { .ctx = &n_looks, .joules = meter } });
    seen_init(&s[0]);
    struct job *j = chat_job(&s[0], "hello");
    CHECK(ask(&h, ROUTE_FAST, j, &s[0]) && s[0].is_measured && fabsf(s[0].joules - 10) < 1e-3f, "%g J", (double)s[0].joules);
    CHECK(fabsf(s[0].usd - 10 / 3.6e6f * h.policy->setting[POLICY_ELECTRICITY]) < 1e-9f, "%g USD", (double)s[0].usd);
    job_unref(j);
    h.fakes[0]->plan = "h";
    h.fakes[0]->n_asked = 0;
    struct job *two[2];
    for (int i = 0; i < 2; i++) {
        seen_init(&s[i]);
        two[i] = chat_job(&s[i], "hello");
        CHECK(expert_submit(router_expert(h.router, ROUTE_FAST), two[i], &err), "%s", err.text);
    }
    h.fakes[0]->is_open = true; /* both go on: 10 J for the first alone, 10 for both, 10 for who is last */
    for (int i = 0; i < 2; i++)
        seen_wait(&s[i]);
    CHECK(fabsf(s[0].joules + s[1].joules - 30) < 1e-3f, "%g + %g J", (double)s[0].joules, (double)s[1].joules);
    job_unref(two[0]);
    job_unref(two[1]);
    house_close(&h);

    struct house k = { .n = 1, .fakes = { fake_new("far", "w", 7) } };
    k.fakes[0]->privacy = EXPERT_CLOUD;
    house_open(&k, &(struct router_env){ .governor = { .ctx = &n_looks, .joules = meter } });
    seen_init(&s[0]);
    j = chat_job(&s[0], "hello");
    CHECK(ask(&k, ROUTE_FAST, j, &s[0]) && !s[0].is_measured && isnan(s[0].joules), "what others take nobody here can measure: %g", (double)s[0].joules);
    job_unref(j);
    house_close(&k);
}
