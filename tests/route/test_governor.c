/* tests/route/test_governor.c - the governor on traces (heat in a closed loop, battery, memory) and on thousands of random ones.
 *
 * `build/tests/route/test_governor --bench picture` writes docs/img/governor.svg.
 */
#include "route/governor.h"

#include <math.h>
#include <string.h>

#include "page/chart.h"
#include "route/heat.h"
#include "test.h"

#define S(n) ((uint64_t)((n) * 1e9))
enum { MINUTE = 60 };

static struct ladders *rules(void)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    struct ladders *l = c ? ladders_new(c, &err) : NULL;
    CHECK(l, "%s", err.text);
    catalog_free(c);
    return l;
}

static struct telemetry calm(void)
{
    return (struct telemetry){ .temperature_c = 40, .limit_c = 85, .critical_c = 100, .headroom_c = 45, .power_w = 3, .power_limit_w = NAN, .battery_frac = NAN,
                               .battery_w = NAN, .memory_total_bytes = 8e9f, .memory_free_bytes = 6e9f, .pressure_frac = 0, .stall_frac = 0, .busy_frac = 0,
                               .cpu_pressure_frac = 0, .gpu_temperature_c = NAN, .gpu_headroom_c = NAN, .gpu_busy_frac = NAN,
                               .gpu_memory_total_bytes = NAN, .gpu_memory_free_bytes = NAN, .gpu_power_w = NAN, .gpu_power_limit_w = NAN };
}

static bool is_full_service(const struct governor *g)
{
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
        if (g->now[c].is_limited || g->now[c].step > 0 || g->now[c].threads < 1 || g->now[c].batch < 1 || g->now[c].context < 1 || g->now[c].input < 1)
            return false;
    return true;
}

/* ---- the rules that always hold, watched from outside ---- */

struct watcher {
    uint64_t down_ns, up_ns;                               /* last transition */
    uint64_t knob_ns[ROUTE_CLASS_COUNT][ROUTE_KNOB_COUNT][2]; /* last move up, down */
    uint8_t depth[ROUTE_CLASS_COUNT][ROUTE_KNOB_COUNT];
    int n_down, n_up, n_urgent, n_turns;
    bool was_down;
};

static void watch(struct watcher *w, const struct governor *g, const struct governor_transition *t, int n, uint64_t now)
{
    int n_down = 0, n_up = 0;
    for (int i = 0; i < n; i++) {
        uint64_t *last = t[i].is_down ? &w->down_ns : &w->up_ns;
        CHECK(t[i].knobs != 0 && t[i].from != t[i].to && t[i].is_down == (t[i].to > t[i].from));
        CHECK(t[i].is_urgent || *last == 0 || now - *last >= S(60), "%s after %.1f s", t[i].is_down ? "down" : "up", (double)(now - *last) / 1e9);
        CHECK(t[i].is_down || w->down_ns == 0 || now - w->down_ns >= S(60), "up %.1f s after a step down", (double)(now - w->down_ns) / 1e9);
        CHECK(t[i].is_down || t[i].from - t[i].to == 1, "up is a step at a time");
        w->n_turns += w->was_down != t[i].is_down;
        w->was_down = t[i].is_down;
        n_down += t[i].is_down && !t[i].is_urgent;
        n_up += !t[i].is_down;
        w->n_urgent += t[i].is_urgent;
        w->n_down += t[i].is_down;
        w->n_up += !t[i].is_down;
        *last = now;
    }
    CHECK(n_down <= 1 && n_up <= 1);
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++) {
        CHECK(g->now[c].step < g->rules->n_steps[c]);
        for (int k = 0; k < ROUTE_KNOB_COUNT; k++) {
            const uint8_t depth = g->now[c].depth[k];
            if (depth == w->depth[c][k])
                continue;
            uint64_t *last = &w->knob_ns[c][k][depth > w->depth[c][k]];
            CHECK(*last == 0 || now - *last >= S(60), "%s of %s moved twice in %.1f s", route_knob_name((enum route_knob)k), route_class_name((enum route_class)c),
                  (double)(now - *last) / 1e9);
            *last = now;
            w->depth[c][k] = depth;
        }
    }
}

/* ---- heat, in a closed loop: what the governor takes away cools the machine ---- */

struct loop {
    const struct thermal_model *m;
    struct thermal_state s;
    struct governor g;
    struct watcher w;
    float ambient_c, c, load, hottest_c;
    uint64_t now;
    const char *last; /* what the last transition was */
    char line[160];
};

/* What is left of the power above idle: threads count fully, batches little, a smaller model at the same number of requests works less. */
static float watts(const struct loop *l)
{
    const struct governor_limits *n = &l->g.now[ROUTE_CLASS_LLM];
    return l->m->idle_w + (l->m->full_w - l->m->idle_w) * l->load * n->threads * (0.8f + 0.2f * n->batch) * powf(0.7f, n->step);
}

static void loop_init(struct loop *l, const struct ladders *rules, const char *machine, float ambient_c)
{
    memset(l, 0, sizeof(*l));
    l->m = thermal_find(machine);
    l->ambient_c = ambient_c;
    thermal_settle(l->m, &l->s, l->m->idle_w);
    governor_init(&l->g, rules);
    l->now = S(1000);
}

static void loop_second(struct loop *l)
{
    struct telemetry t = calm();
    struct governor_transition out[GOVERNOR_TRANSITIONS_MAX];
    l->c = thermal_step(l->m, &l->s, l->ambient_c, watts(l), 1);
    l->hottest_c = fmaxf(l->hottest_c, l->c);
    t.temperature_c = roundf(l->c / 0.55f) * 0.55f; /* the steps of a Pi's sensor */
    t.limit_c = l->m->limit_c;
    t.critical_c = l->m->critical_c;
    t.headroom_c = t.limit_c - t.temperature_c;
    l->now += S(1);
    const int n = governor_step(&l->g, &(struct governor_input){ .now = &t }, l->now, out);
    watch(&l->w, &l->g, out, n, l->now);
    l->last = NULL;
    if (n > 0) {
        governor_put_transition(&out[n - 1], l->g.rules, l->line, sizeof(l->line));
        l->last = l->line;
    }
}

TEST(machines_that_get_too_hot_stay_below_their_limit_without_swinging_and_come_back)
{
    struct ladders *r = rules();
    REQUIRE(r);
    for (int i = 0; i < thermal_n_models; i++)
        for (float ambient_c = 15; ambient_c <= 35; ambient_c += 5) {
            struct loop l;
            loop_init(&l, r, thermal_models[i].name, ambient_c);
            l.load = 1;
            for (int s = 0; s < 4 * 3600; s++)
                loop_second(&l);
            const float unruled_c = ambient_c + (l.m->chip_c_w + l.m->board_c_w) * l.m->full_w;
            const struct watcher hot = l.w;
            const float hottest_c = l.hottest_c;
            CHECK(hottest_c < l.m->limit_c, "%s at %g C of air: %.1f C, the limit is %g", l.m->name, (double)ambient_c, (double)hottest_c, (double)l.m->limit_c);
            CHECK(hot.n_down <= 4 * 60 / 32 + 8 && hot.n_turns <= 2 * (4 * 60 / 32 + 8), "%s at %g C of air: %d down in four hours", l.m->name, (double)ambient_c, hot.n_down);
            if (unruled_c < l.m->limit_c - 8)
                CHECK(hot.n_down == 0, "%s at %g C of air needs no governor", l.m->name, (double)ambient_c);
            l.load = 0;
            int calm_s = 0;
            while (calm_s < 3600 && !is_full_service(&l.g))
                loop_second(&l), calm_s++;
            CHECK(calm_s <= 20 * MINUTE, "%s: full service after %d s of calm", l.m->name, calm_s);
            printf("# %-14s at %2.0f C of air, 4 h of full load: %5.1f C at most (limit %.0f, unruled %.0f), %d down, %d up; back after %d s\n", l.m->name,
                   (double)ambient_c, (double)hottest_c, (double)l.m->limit_c, (double)unruled_c, hot.n_down, hot.n_up, calm_s);
        }
    ladders_free(r);
}

TEST(loads_that_come_and_go_do_not_make_it_swing)
{
    struct ladders *r = rules();
    REQUIRE(r);
    for (int period_s = 20; period_s <= 1280; period_s *= 2) {
        struct loop l;
        loop_init(&l, r, "pi5", 25);
        for (int s = 0; s < 4 * 3600; s++) {
            l.load = s / period_s % 2 ? 0.1f : 1;
            loop_second(&l);
        }
        CHECK(l.hottest_c < l.m->limit_c, "period %d s: %.1f C", period_s, (double)l.hottest_c);
        CHECK(l.w.n_turns <= 4 * 3600 / period_s + 16 && l.w.n_turns <= 60, "period %d s: turns %d times", period_s, l.w.n_turns);
        printf("# pi5, a load that changes every %4d s: %.1f C at most, %d down, %d up, turns %d times in 4 h\n", period_s, (double)l.hottest_c, l.w.n_down, l.w.n_up,
               l.w.n_turns);
    }
    ladders_free(r);
}

/* ---- battery, memory, faults ---- */

TEST(a_battery_that_empties_leaves_small_models_until_it_is_plugged_in)
{
    struct ladders *r = rules();
    struct governor g;
    struct watcher w = { 0 };
    struct governor_transition out[GOVERNOR_TRANSITIONS_MAX];
    REQUIRE(r);
    governor_init(&g, r);
    struct telemetry t = calm();
    t.on_battery = true;
    uint64_t now = S(10);
    float charge = 0.5f;
    for (; charge > 0.1f; charge -= 0.01f / 30, now += S(1)) { /* 1 % in 30 s */
        t.battery_frac = charge;
        watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
        if (charge >= 0.2f)
            CHECK(is_full_service(&g), "at %.1f %%", (double)charge * 100);
        if (charge < 0.195f)
            CHECK(g.now[ROUTE_CLASS_LLM].step >= 1, "at %.1f %% there are small models only", (double)charge * 100);
    }
    CHECK(w.n_urgent == 0 && w.n_down <= 5, "%d", w.n_down);
    char words[64];
    governor_put_ladder(&g, ROUTE_CLASS_LLM, words, sizeof(words));
    CHECK(strncmp(words, "llm ", 4) == 0 && strstr(words, "/3: battery"), "%s", words);
    /* plugged in */
    t.on_battery = false;
    int s = 0;
    for (; s < 3600 && !is_full_service(&g); s++, now += S(1))
        watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
    CHECK(s <= 8 * MINUTE, "%d s", s);
    /* unplugged with next to nothing in it: at once */
    t.on_battery = true, t.battery_frac = 0.05f;
    now += S(600);
    watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
    CHECK(w.n_urgent == 1 && g.now[ROUTE_CLASS_LLM].step == 3 && g.now[ROUTE_CLASS_LLM].threads < 1);
    ladders_free(r);
}

TEST(memory_that_runs_short_takes_context_and_resolution_before_the_model)
{
    struct ladders *r = rules();
    struct governor g;
    struct watcher w = { 0 };
    struct governor_transition out[GOVERNOR_TRANSITIONS_MAX];
    REQUIRE(r);
    governor_init(&g, r);
    struct telemetry t = calm();
    uint64_t now = S(10);
    const struct governor_limits *llm = &g.now[ROUTE_CLASS_LLM], *vision = &g.now[ROUTE_CLASS_VISION];
    for (int s = 0; s < 200; s++, now += S(1)) { /* slowly: 9 % are left in the end */
        t.memory_free_bytes = t.memory_total_bytes * fmaxf(0.09f, 0.5f - 0.005f * (float)s);
        watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
        CHECK(llm->step == 0 || (llm->context < 0.3f && vision->input < 0.6f), "context %g, resolution %g, step %d", (double)llm->context, (double)vision->input, llm->step);
    }
    CHECK(llm->context < 1 && vision->input < 1 && llm->step == 0, "context %g, step %d", (double)llm->context, llm->step);
    for (int s = 0; s < 300; s++, now += S(1)) { /* it helps nothing: then the model */
        watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
        CHECK(llm->step == 0 || (llm->context < 0.3f && vision->input < 0.6f), "context %g, resolution %g, step %d", (double)llm->context, (double)vision->input, llm->step);
    }
    CHECK(w.n_urgent == 0 && llm->step > 0);
    governor_init(&g, r);
    memset(&w, 0, sizeof(w));
    /* all at once */
    now += S(60);
    t.memory_free_bytes = 0.02f * t.memory_total_bytes;
    watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
    CHECK(w.n_urgent == 1 && llm->step == 3 && vision->step == 3 && llm->context < 0.3f, "step %d, context %g", llm->step, (double)llm->context);
    /* pressure alone does it, too */
    governor_init(&g, r);
    memset(&w, 0, sizeof(w));
    t = calm();
    t.pressure_frac = 0.7f;
    now += S(1);
    watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
    CHECK(w.n_urgent == 1 && out[0].cause == GOVERNOR_PRESSURE);
    t.pressure_frac = 0;
    int s = 0;
    for (; s < 7200 && !is_full_service(&g); s++, now += S(1))
        watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
    CHECK(s <= 12 * MINUTE, "%d s", s);
    /* 2 GiB of 64 are enough */
    t.memory_total_bytes = 64e9f, t.memory_free_bytes = 2e9f;
    for (int i = 0; i < 120; i++, now += S(1))
        governor_step(&g, &(struct governor_input){ .now = &t }, now, out);
    CHECK(is_full_service(&g));
    ladders_free(r);
}

TEST(an_emergency_goes_at_once_and_knobs_that_have_just_moved_follow)
{
    struct ladders *r = rules();
    struct governor g;
    struct watcher w = { 0 };
    struct governor_transition out[GOVERNOR_TRANSITIONS_MAX];
    REQUIRE(r);
    governor_init(&g, r);
    struct telemetry t = calm();
    uint64_t now = S(10);
    const struct governor_limits *llm = &g.now[ROUTE_CLASS_LLM];
    t.headroom_c = 5;
    watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
    CHECK(w.n_down == 1 && w.n_urgent == 0 && llm->batch < 1 && llm->threads >= 1, "the first step of heat is the batch");
    now += S(5);
    t.headroom_c = -1;
    for (int i = 0; i < 3; i++, now += S(1)) /* the smoothed value follows */
        watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
    CHECK(w.n_urgent == 1, "%d", w.n_urgent);
    CHECK(llm->threads < 0.3f && llm->step == 3, "threads and model go at once");
    CHECK(llm->batch > 0.4f, "the batch moved seconds ago");
    now += S(60);
    watch(&w, &g, out, governor_step(&g, &(struct governor_input){ .now = &t }, now, out), now);
    CHECK(llm->batch < 0.3f, "and follows when its minute is over");
    char line[160];
    governor_put_transition(&(struct governor_transition){ .is_down = true, .cause = GOVERNOR_HEAT, .cls = -1, .from = 0, .to = 2, .knobs = 3, .value = 3.1f }, r, line, sizeof(line));
    CHECK(strcmp(line, "down to step 2 of 8: heat (3.1 C below the limit soon): threads, batch") == 0, "%s", line);
    ladders_free(r);
}

TEST(faults_and_late_answers_step_their_own_class_down_for_a_while)
{
    struct ladders *r = rules();
    struct governor g;
    struct watcher w = { 0 };
    struct governor_transition out[GOVERNOR_TRANSITIONS_MAX];
    REQUIRE(r);
    governor_init(&g, r);
    const struct telemetry t = calm();
    uint64_t now = S(10);
    struct governor_input in = { .now = &t };
    in.cls[ROUTE_CLASS_STT].n_faults = 1;
    watch(&w, &g, out, governor_step(&g, &in, now, out), now);
    CHECK(g.now[ROUTE_CLASS_STT].step == 1 && g.now[ROUTE_CLASS_LLM].step == 0 && out[0].cls == ROUTE_CLASS_STT);
    in.cls[ROUTE_CLASS_STT].n_faults = 0;
    for (int s = 0; s < 280; s++, now += S(1)) {
        watch(&w, &g, out, governor_step(&g, &in, now, out), now);
        CHECK(g.now[ROUTE_CLASS_STT].step == 1, "one fault, one step, for five minutes");
    }
    int s = 0;
    for (; s < 600 && !is_full_service(&g); s++, now += S(1))
        watch(&w, &g, out, governor_step(&g, &in, now, out), now);
    CHECK(s < 60, "%d", s);
    /* answers */
    for (int i = 0; i < 30; i++, now += S(1)) {
        in.cls[ROUTE_CLASS_LLM].n_done = 1;
        in.cls[ROUTE_CLASS_LLM].n_late = i % 2;
        watch(&w, &g, out, governor_step(&g, &in, now, out), now);
    }
    CHECK(g.now[ROUTE_CLASS_LLM].batch < 1 && g.now[ROUTE_CLASS_VISION].batch >= 1, "half of them late: fewer at a time");
    in.cls[ROUTE_CLASS_LLM].n_late = 0;
    for (s = 0; s < 1800 && !is_full_service(&g); s++, now += S(1))
        watch(&w, &g, out, governor_step(&g, &in, now, out), now);
    CHECK(s < 10 * MINUTE, "%d", s);
    /* upstreams */
    in.n_upstreams = 2;
    governor_step(&g, &in, now, out);
    CHECK(g.is_offline);
    in.n_upstreams_up = 1;
    governor_step(&g, &in, now += S(1), out);
    CHECK(!g.is_offline);
    /* quiet hours */
    in.is_quiet = true;
    now += S(1);
    watch(&w, &g, out, governor_step(&g, &in, now, out), now);
    CHECK(g.now[ROUTE_CLASS_LLM].threads <= 0.5f && g.now[ROUTE_CLASS_LLM].step == 0);
    in.is_quiet = false;
    for (s = 0; s < 1800 && !is_full_service(&g); s++, now += S(1))
        watch(&w, &g, out, governor_step(&g, &in, now, out), now);
    CHECK(s <= 6 * MINUTE, "%d", s);
    ladders_free(r);
}

/* ---- whatever the telemetry does ---- */

static float between(float a, float b) { return a + (b - a) * 0.5f * (test_rand_f32() + 1); }
static bool happens(float p) { return between(0, 1) < p; }

/* One second of a random life: walks, jumps, sensors that come and go. */
static void live(struct telemetry *t, struct governor_input *in)
{
    t->headroom_c += between(-2, 2);
    t->memory_free_bytes = fminf(fmaxf(t->memory_free_bytes + between(-2e8f, 2e8f), 0), t->memory_total_bytes);
    t->pressure_frac = fminf(fmaxf(t->pressure_frac + between(-0.05f, 0.05f), 0), 1);
    t->power_w = fmaxf(t->power_w + between(-1, 1), 0);
    if (happens(0.01f))
        t->headroom_c = happens(0.2f) ? NAN : between(-10, 50);
    if (isnan(t->headroom_c) && happens(0.1f))
        t->headroom_c = 20;
    if (happens(0.01f))
        t->battery_frac = happens(0.3f) ? NAN : between(0, 1);
    if (happens(0.02f))
        t->on_battery = happens(0.5f);
    if (happens(0.005f))
        t->memory_free_bytes = between(0, 1) * t->memory_total_bytes;
    if (happens(0.02f))
        t->slow = happens(0.7f) ? 0 : (unsigned)(test_rand_u64() % (1u << TELEMETRY_SLOW_COUNT));
    if (happens(0.01f))
        t->gpu_headroom_c = happens(0.3f) ? NAN : between(-5, 40);
    if (happens(0.005f))
        in->is_quiet = happens(0.3f);
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++) {
        in->cls[c].n_done = happens(0.3f);
        in->cls[c].n_late = in->cls[c].n_done && happens(0.3f);
        in->cls[c].n_faults = happens(0.002f);
    }
}

static int depth_of(const struct governor *g, int cls)
{
    int n = 0;
    for (int k = 0; k < ROUTE_KNOB_COUNT; k++)
        n += g->now[cls].depth[k];
    return n;
}

TEST(random_lives_keep_the_rules_and_calm_brings_full_service_back)
{
    struct ladders *r = rules();
    REQUIRE(r);
    const int n_lives = getenv("TEST_QUICK") ? 100 : 1000;
    int longest_s = 0, n_transitions = 0;
    for (int i = 0; i < n_lives; i++) {
        struct governor g;
        struct watcher w = { 0 };
        struct governor_transition out[GOVERNOR_TRANSITIONS_MAX];
        struct telemetry t = calm();
        struct governor_input in = { .now = &t, .power_cap_w = happens(0.3f) ? 5 : 0 };
        uint64_t now = S(1) + test_rand_u64() % S(1e6);
        governor_init(&g, r);
        for (int s = 0; s < 1200; s++) {
            live(&t, &in);
            now += happens(0.02f) ? S(between(0.01f, 90)) : S(1);
            watch(&w, &g, out, governor_step(&g, &in, now, out), now);
        }
        t = calm();
        t.power_w = 1;
        in = (struct governor_input){ .now = &t, .power_cap_w = in.power_cap_w };
        int s = 0;
        for (; s < 7200 && !is_full_service(&g); s++, now += S(1))
            watch(&w, &g, out, governor_step(&g, &in, now, out), now);
        longest_s = s > longest_s ? s : longest_s;
        n_transitions += w.n_down + w.n_up;
        CHECK(s <= 60 * MINUTE, "full service after %d s of calm", s);
        for (s = 0; s < 300; s++, now += S(1)) {
            watch(&w, &g, out, governor_step(&g, &in, now, out), now);
            CHECK(is_full_service(&g), "and it stays");
        }
    }
    printf("# %d lives, %d transitions; full service after at most %d s of calm\n", n_lives, n_transitions, longest_s);
    ladders_free(r);
}

TEST(the_worse_it_is_the_more_it_steps_down)
{
    struct ladders *r = rules();
    REQUIRE(r);
    const int n = getenv("TEST_QUICK") ? 2000 : 20000;
    struct governor g;
    struct governor_transition out[GOVERNOR_TRANSITIONS_MAX];
    struct telemetry t = calm();
    struct governor_input in = { .now = &t };
    uint64_t now = S(100);
    governor_init(&g, r);
    for (int i = 0; i < n; i++) {
        live(&t, &in);
        now += S(between(0.5f, 3));
        struct governor a = g, b = g; /* the same past; b has it worse in one thing */
        struct telemetry worse = t;
        struct governor_input with = in;
        with.now = &worse;
        switch (test_rand_u64() % 4) {
        case 0: worse.headroom_c -= between(0, 10); break;
        case 1: worse.memory_free_bytes *= between(0, 1); break;
        case 2: worse.pressure_frac = fminf(1, worse.pressure_frac + between(0, 0.5f)); break;
        default: worse.battery_frac *= between(0, 1); break;
        }
        governor_step(&a, &in, now, out);
        governor_step(&b, &with, now, out);
        for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
            for (int cause = 0; cause < GOVERNOR_CAUSE_COUNT; cause++)
                if (b.values[cause][ROUTE_CLASS_COUNT] < a.values[cause][ROUTE_CLASS_COUNT] && b.levels[cause][ROUTE_CLASS_COUNT].level < a.levels[cause][ROUTE_CLASS_COUNT].level)
                    /* it may only be that another cause, worse off, went first */
                    CHECK(depth_of(&b, c) >= depth_of(&g, c) || b.down_ns == now, "%s is worse and %s does more", governor_cause_name((enum governor_cause)cause), route_class_name((enum route_class)c));
        g = a;
    }
    ladders_free(r);
}

TEST(no_telemetry_is_no_reason_to_step_down)
{
    struct ladders *r = rules();
    struct governor g;
    struct governor_transition out[GOVERNOR_TRANSITIONS_MAX];
    REQUIRE(r);
    governor_init(&g, r);
    for (int s = 1; s < 600; s++)
        CHECK(governor_step(&g, &(struct governor_input){ 0 }, S(s), out) == 0 && is_full_service(&g));
    ladders_free(r);
}

/* ---- the picture ---- */

enum { PICTURE_S = 65 * MINUTE };

BENCH(picture)
{
    static struct chart_point hot[PICTURE_S / 5], cool[PICTURE_S / 5], share[PICTURE_S / 5];
    struct chart_note notes[CHART_NOTES_MAX];
    static char words[CHART_NOTES_MAX][24];
    struct err err = { 0 };
    struct loop l, bare;
    struct ladders *r = rules();
    int n = 0, n_notes = 0;
    REQUIRE(r);
    loop_init(&l, r, "pi5", 22);
    loop_init(&bare, r, "pi5", 22);
    for (int s = 0; s < PICTURE_S; s++) {
        l.load = bare.load = s >= 5 * MINUTE && s < 50 * MINUTE;
        loop_second(&l);
        bare.c = thermal_step(bare.m, &bare.s, 22, bare.m->idle_w + (bare.m->full_w - bare.m->idle_w) * bare.load, 1);
        if (l.last)
            printf("# %2d:%02d %.1f C %s\n", s / 60, s % 60, (double)l.c, l.last);
        if (l.last && n_notes < CHART_NOTES_MAX - 1) {
            snprintf(words[n_notes], sizeof(words[0]), "%d", l.g.levels[GOVERNOR_HEAT][ROUTE_CLASS_COUNT].level);
            notes[n_notes] = (struct chart_note){ CHART_NOTE_POINT, s / 60.0, (double)l.c, words[n_notes] };
            n_notes++;
        }
        if (s % 5 == 0 && n < PICTURE_S / 5) {
            const double share_left = l.load > 0 ? (double)((watts(&l) - l.m->idle_w) / (l.m->full_w - l.m->idle_w)) : 0;
            hot[n] = (struct chart_point){ .x = s / 60.0, .y = fmin((double)bare.c, 125) };
            cool[n] = (struct chart_point){ .x = s / 60.0, .y = (double)l.c };
            share[n++] = (struct chart_point){ .x = s / 60.0, .y = 100 * share_left };
        }
    }
    notes[n_notes++] = (struct chart_note){ CHART_NOTE_AT_Y, 0, 80, "limit: 80 C" };
    const struct chart_series series[] = { { "governed", cool, n, true, false, false }, { "ungoverned (reckoned)", hot, n, true, false, true },
                                           { "work done, % of full", share, n, true, false, true } };
    const struct chart c = { .title = "A Raspberry Pi 5 without a cooler, 45 minutes of full load", .x = { .label = "minutes", .min = 0, .max = PICTURE_S / 60.0 },
                             .y = { .label = "C; %", .min = 0, .max = 125 }, .series = series, .n_series = 3, .notes = notes, .n_notes = n_notes };
    struct buf b;
    buf_init(&b, 1 << 20);
    REQUIRE(chart_write(&b, &c, CHART_FILE, &err), "%s", err.text);
    FILE *f = fopen("docs/img/governor.svg", "w");
    REQUIRE(f && fwrite(b.data, 1, b.len, f) == b.len && fclose(f) == 0);
    buf_fini(&b);
    ladders_free(r);
}
