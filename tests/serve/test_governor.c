/* tests/serve/test_governor.c - a service on a machine that heats up, runs short of memory and recovers: sensors that are changed, time
 * that the test turns, real requests. */
#define _GNU_SOURCE
#include "service.h"

#include "../route/fake_sys.h"
#include "catalog/catalog.h"
#include "route/router.h"
#include "route/steward.h"

#define S(n) ((uint64_t)(n) * 1000000000u)

struct house {
    struct fake_sys sys;
    struct ladders *ladders;
    struct steward *steward;
    struct router_env env;
    struct expert *experts[2];
    struct service *v;
    uint64_t now;
};

static void begin(struct house *h, bool has_battery)
{
    struct err err = { 0 };
    memset(h, 0, sizeof(*h));
    struct fake *const fakes[] = { fake_new("big", EXPERT_WARM), fake_new("small", EXPERT_WARM) };
    fakes[0]->n_params = 8000000000;
    fakes[1]->n_params = 1500000000;
    for (int i = 0; i < 2; i++)
        fakes[i]->n_ctx = 4096, h->experts[i] = &fakes[i]->base;
    fake_sys_init(&h->sys, "A board", 85, 100);
    if (has_battery)
        fake_battery(&h->sys, 0.5, false);
    struct catalog *c = catalog_new(NULL, &err);
    h->ladders = c ? ladders_new(c, &err) : NULL;
    catalog_free(c);
    const struct steward_config sc = { .root = h->sys.root, .experts = h->experts, .n_experts = 2, .ladders = h->ladders };
    h->steward = h->ladders ? steward_new(&sc, &err) : NULL;
    CHECK(h->steward, "%s", err.text);
    h->env.ladders = h->ladders;
    steward_hooks(h->steward, &h->env.governor);
    h->v = start_fakes((struct serve_config){ .route = &h->env, .steward = h->steward }, fakes, 2);
    h->now = S(1000);
    steward_tick(h->steward, h->now);
}

static void finish(struct house *h)
{
    end(h->v);
    steward_free(h->steward);
    ladders_free(h->ladders);
}

static void pass(struct house *h, int seconds)
{
    for (int i = 0; i < seconds; i++)
        steward_tick(h->steward, h->now += S(1));
}

/* Who answers "auto:best", and which step the answer says that it is on. */
static void who(struct house *h, char expert[64], char ladder[64])
{
    struct answer a = post(h->v, "/v1/chat/completions", chat("words 2 0", ",\"model\":\"auto:best\""));
    const char *at = strstr(a.head.data, "tutti-ladder: ");
    CHECK(a.status == 200, "%d: %s", a.status, a.body.data);
    snprintf(ladder, 64, "%.*s", at ? (int)strcspn(at + 14, "\r") : 0, at ? at + 14 : "");
    at = strstr(a.head.data, "tutti-expert: ");
    snprintf(expert, 64, "%.*s", at ? (int)strcspn(at + 14, "\r") : 0, at ? at + 14 : "");
    answer_fini_(&a);
}

TEST(heat_leaves_the_small_model_and_calm_brings_the_big_one_back)
{
    struct house h;
    char expert[64], ladder[64];
    begin(&h, false);
    who(&h, expert, ladder);
    CHECK(strcmp(expert, "big") == 0 && !ladder[0], "%s %s", expert, ladder);
    CHECK(metric(h.v, "\ntutti_temperature_celsius ") == 40);
    /* a ramp: two degrees in a minute, up to five below the limit */
    for (double c = 40; c <= 81; c += 0.5, pass(&h, 15))
        fake_heat(&h.sys, c);
    CHECK(metric(h.v, "tutti_governor_share_ratio{class=\"llm\",knob=\"batch\"} ") < 1);
    CHECK(metric(h.v, "tutti_governor_step{class=\"llm\"} ") == 0, "batch and threads before the model");
    pass(&h, 6 * 60); /* it does not get cooler */
    CHECK(metric(h.v, "tutti_governor_step{class=\"llm\"} ") >= 1);
    who(&h, expert, ladder);
    CHECK(strncmp(ladder, "llm ", 4) == 0 && strstr(ladder, ": heat"), "%s", ladder);
    fake_heat(&h.sys, 30);
    pass(&h, 20 * 60);
    CHECK(metric(h.v, "tutti_governor_step{class=\"llm\"} ") == 0 && metric(h.v, "tutti_governor_share_ratio{class=\"llm\",knob=\"threads\"} ") == 1);
    who(&h, expert, ladder);
    CHECK(strcmp(expert, "big") == 0 && !ladder[0], "%s %s", expert, ladder);
    finish(&h);
}

TEST(a_low_battery_routes_to_the_small_model_until_it_is_plugged_in)
{
    struct house h;
    char expert[64], ladder[64];
    begin(&h, true);
    who(&h, expert, ladder);
    CHECK(strcmp(expert, "big") == 0 && !ladder[0], "%s %s", expert, ladder);
    fake_battery(&h.sys, 0.19, false);
    pass(&h, 5);
    who(&h, expert, ladder);
    CHECK(strcmp(expert, "small") == 0 && strcmp(ladder, "llm 1/3: battery") == 0, "%s %s", expert, ladder);
    CHECK(fabs(metric(h.v, "\ntutti_battery_ratio ") - 0.19) < 1e-6);
    fake_battery(&h.sys, 0.2, true);
    pass(&h, 5 * 60);
    who(&h, expert, ladder);
    CHECK(strcmp(expert, "big") == 0 && !ladder[0], "%s %s", expert, ladder);
    finish(&h);
}

TEST(no_memory_left_is_an_emergency_and_requests_are_still_answered)
{
    struct house h;
    char expert[64], ladder[64];
    begin(&h, false);
    fake_memory(&h.sys, 8, 0.1);
    pass(&h, 3);
    struct answer a = get(h.v, "/v1/tutti/experts");
    json_t *t = json_of(&a);
    CHECK(int_at(t, "machine.classes.llm.step") == 3 && strcmp(text_at(t, "machine.classes.llm.cause"), "memory") == 0, "%s", a.body.data);
    CHECK(strcmp(text_at(t, "machine.transitions.0.cause"), "memory") == 0 && int_at(t, "machine.transitions.0.down") == 1);
    json_decref(t);
    answer_fini_(&a);
    who(&h, expert, ladder);
    CHECK(expert[0] && strcmp(ladder, "llm 3/3: memory") == 0, "%s %s", expert, ladder);
    fake_memory(&h.sys, 8, 6);
    pass(&h, 15 * 60);
    who(&h, expert, ladder);
    CHECK(strcmp(expert, "big") == 0 && !ladder[0], "%s %s", expert, ladder);
    finish(&h);
}
