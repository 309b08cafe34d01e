/* tests/route/test_steward.c - the governor at work: a machine that can be changed, experts that note what they are told, time by hand. */
#include "route/steward.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "fake_sys.h"
#include "patience.h"
#include "route/router.h"

#define S(n) ((uint64_t)(n) * 1000000000u)

struct fake {
    struct expert base;
    struct expert_card card;
    struct expert_metrics m;
    struct expert_limits limits;
    int n_limits, n_unloads;
};

static void get_card(struct expert *e, struct expert_card *out) { *out = ((struct fake *)e)->card; }
static void get_metrics(struct expert *e, struct expert_metrics *out) { *out = ((struct fake *)e)->m; }
static void unload(struct expert *e) { ((struct fake *)e)->n_unloads++; }
static void limit(struct expert *e, const struct expert_limits *l)
{
    struct fake *f = (struct fake *)e;
    f->limits = *l;
    f->n_limits++;
}
static const struct expert_ops ops = { .card = get_card, .metrics = get_metrics, .unload = unload, .limit = limit };

enum { BIG, SMALL, EYES, SERVER, N_FAKES };
static struct fake fakes[N_FAKES];
static struct expert *experts[N_FAKES];
static struct fake_sys sys;
static int n_heard;

static void on_transition(void *ctx, const struct governor_transition *t)
{
    (void)t;
    n_heard++;
    CHECK(ctx == &n_heard);
}

static void pass(long ms) { nanosleep(&(struct timespec){ 0, ms * 1000000 }, NULL); }

static struct steward *begin(struct ladders **l)
{
    struct err err = { 0 };
    memset(fakes, 0, sizeof(fakes));
    for (int i = 0; i < N_FAKES; i++) {
        fakes[i].base.ops = &ops;
        fakes[i].m.state = EXPERT_WARM;
        fakes[i].limits = (struct expert_limits){ 1, 1, 1, 1 };
        experts[i] = &fakes[i].base;
    }
    fakes[BIG].card = (struct expert_card){ .id = "big", .kind = "llm", .tasks = EXPERT_CHAT, .n_params = 8000000000, .weight_bytes = 4900000000 };
    fakes[SMALL].card = (struct expert_card){ .id = "small", .kind = "llm", .tasks = EXPERT_CHAT, .n_params = 1500000000, .weight_bytes = 900000000 };
    fakes[EYES].card = (struct expert_card){ .id = "eyes", .kind = "onnx", .tasks = EXPERT_DETECT, .quantization = "int8", .file_bytes = 9000000 };
    fakes[SERVER].card = (struct expert_card){ .id = "server", .kind = "remote", .tasks = EXPERT_CHAT, .privacy = EXPERT_LAN };
    struct catalog *c = catalog_new(NULL, &err);
    *l = c ? ladders_new(c, &err) : NULL;
    catalog_free(c);
    fake_sys_init(&sys, "A board", 85, 100);
    fake_watts(&sys, 5);
    const struct steward_config config = { .root = sys.root, .experts = experts, .n_experts = N_FAKES, .ladders = *l, .on_transition = on_transition, .ctx = &n_heard };
    struct steward *s = *l ? steward_new(&config, &err) : NULL;
    CHECK(s, "%s", err.text);
    return s;
}

TEST(heat_turns_the_knobs_of_local_experts_and_calm_turns_them_back)
{
    struct ladders *l;
    struct steward *s = begin(&l);
    REQUIRE(s);
    struct route_node node = { .name = "local", .is_up = true };
    struct steward_state st;
    char words[64];
    uint64_t now = S(1000);
    steward_tick(s, now);
    steward_get_node(s, &node);
    CHECK(fabsf(node.headroom_c - 45) < 0.1f && node.step[ROUTE_CLASS_LLM] == 0 && node.is_up && strcmp(node.name, "local") == 0);
    CHECK(fakes[BIG].n_limits == 0 && n_heard == 0, "nothing is said while nothing changes");
    fake_heat(&sys, 86); /* above the limit */
    for (int i = 0; i < 10; i++)
        steward_tick(s, now += S(1));
    CHECK(n_heard == 1, "%d", n_heard);
    CHECK(fakes[BIG].limits.threads < 0.3f && fakes[BIG].limits.batch < 0.6f && fakes[EYES].limits.threads < 0.3f);
    CHECK(fakes[SERVER].n_limits == 0, "a server elsewhere does not heat us");
    CHECK(fakes[BIG].n_unloads == 0, "heat gives no memory back");
    steward_get_node(s, &node);
    CHECK(node.step[ROUTE_CLASS_LLM] == 3 && node.step[ROUTE_CLASS_VISION] == 3, "%d", node.step[ROUTE_CLASS_LLM]);
    steward_put_ladder(s, ROUTE_CLASS_LLM, words, sizeof(words));
    CHECK(strcmp(words, "llm 3/3: heat") == 0, "%s", words);
    steward_get_state(s, &st);
    CHECK(st.n_ticks == 11 && st.governor.transitions_total[GOVERNOR_HEAT][ROUTE_CLASS_COUNT][1] == 1);
    fake_heat(&sys, 40);
    for (int i = 0; i < 12 * 60; i++)
        steward_tick(s, now += S(1));
    steward_get_node(s, &node);
    CHECK(node.step[ROUTE_CLASS_LLM] == 0 && fakes[BIG].limits.threads == 1 && fakes[BIG].limits.batch == 1 && fakes[EYES].limits.threads == 1);
    steward_put_ladder(s, ROUTE_CLASS_LLM, words, sizeof(words));
    CHECK(words[0] == '\0', "%s", words);
    steward_free(s);
    ladders_free(l);
}

TEST(memory_that_runs_out_asks_those_to_unload_that_the_ladder_has_left)
{
    struct ladders *l;
    struct steward *s = begin(&l);
    REQUIRE(s);
    uint64_t now = S(1000);
    steward_tick(s, now);
    fake_memory(&sys, 8, 0.2);
    for (int i = 0; i < 5; i++)
        steward_tick(s, now += S(1));
    CHECK(fakes[BIG].n_unloads == 1 && fakes[SMALL].n_unloads == 1 && fakes[SERVER].n_unloads == 0, "%d %d", fakes[BIG].n_unloads, fakes[SMALL].n_unloads);
    CHECK(fakes[BIG].limits.context < 0.3f && fakes[EYES].limits.input < 0.6f);
    steward_free(s);
    ladders_free(l);
}

TEST(deaths_hangs_and_late_answers_are_seen_and_a_lost_upstream_is_said)
{
    struct ladders *l;
    struct steward *s = begin(&l);
    REQUIRE(s);
    struct route_node node = { .name = "local" };
    struct steward_state st;
    struct router_governor hooks;
    uint64_t now = S(1000);
    steward_hooks(s, &hooks);
    fakes[EYES].m.deaths_total = 7; /* of old: before we looked */
    steward_tick(s, now);
    fakes[EYES].m.hangs_total = 1;
    steward_tick(s, now += S(1));
    struct candidates world = { .nodes = &node, .n_nodes = 1 };
    hooks.see(hooks.ctx, &world);
    CHECK(node.step[ROUTE_CLASS_VISION] == 1 && node.step[ROUTE_CLASS_LLM] == 0);
    now += S(120);
    hooks.ended(hooks.ctx, &(struct router_outcome){ .cls = ROUTE_CLASS_LLM, .n_hung = 1 });
    steward_tick(s, now);
    hooks.see(hooks.ctx, &world);
    CHECK(node.step[ROUTE_CLASS_LLM] == 1);
    now += S(120);
    for (int i = 0; i < 10; i++)
        hooks.ended(hooks.ctx, &(struct router_outcome){ .cls = ROUTE_CLASS_STT, .had_deadline = true, .missed_deadline = true });
    steward_tick(s, now);
    steward_get_state(s, &st);
    CHECK(st.governor.now[ROUTE_CLASS_STT].batch < 1 && !st.governor.is_offline);
    fakes[SERVER].m.state = EXPERT_DOWN;
    steward_tick(s, now += S(1));
    steward_get_state(s, &st);
    CHECK(st.governor.is_offline);
    steward_free(s);
    ladders_free(l);
}

TEST(its_thread_looks_once_a_second_while_something_works_and_at_once_when_something_is_wrong)
{
    struct ladders *l;
    struct err err = { 0 };
    struct steward *s = begin(&l);
    struct steward_state st;
    REQUIRE(s);
    for (int i = 0; i < N_FAKES; i++)
        fakes[i].m.state = EXPERT_COLD;
    REQUIRE(steward_start(s, &err), "%s", err.text);
    WAIT_UNTIL((steward_get_state(s, &st), st.n_ticks >= 1));
    const uint64_t n = st.n_ticks;
    CHECK(n >= 1);
    pass(50);
    steward_get_state(s, &st);
    CHECK(st.n_ticks <= n + 1, "all is cold: half a minute may pass");
    steward_saw_fault(s, ROUTE_CLASS_LLM);
    WAIT_UNTIL((steward_get_state(s, &st), st.governor.now[ROUTE_CLASS_LLM].step != 0));
    CHECK(st.governor.now[ROUTE_CLASS_LLM].step == 1);
    fake_watts(&sys, 7);
    CHECK(steward_meter(s));
    double before = steward_joules(s);
    for (int i = 0; i < 20; i++) {
        pass(1);
        const double j = steward_joules(s);
        CHECK(j >= before, "%g after %g", j, before);
        before = j;
    }
    CHECK(before >= 0 && before < 1000, "%g", before);
    steward_free(s);
    ladders_free(l);
}

TEST(who_asks_before_its_thread_has_looked_gets_what_it_saw)
{
    struct ladders *l;
    struct err err = { 0 };
    struct steward *s = begin(&l);
    struct route_node node = { .name = "local", .is_up = true };
    REQUIRE(s);
    steward_get_node(s, &node);
    CHECK(isnan(node.temperature_c), "nobody has looked, and nobody will");
    REQUIRE(steward_start(s, &err), "%s", err.text);
    steward_get_node(s, &node);
    CHECK(node.temperature_c > 0, "%g", (double)node.temperature_c);
    CHECK(steward_meter(s));
    steward_free(s);
    ladders_free(l);
}
