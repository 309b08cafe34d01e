/* tests/plan/test_recommend.c - limits hold for any request; reasons, order, what-if and upgrade paths are right. */
#include <math.h>
#include <string.h>

#include "plan/recommend.h"
#include "test.h"

enum { N = 40 };

static struct rec_candidate card(const char *name, double usd, double gb, double tps, double watts)
{
    return (struct rec_candidate){ .name = name, .cls = PLAN_NVIDIA, .n = 1, .card_usd = usd, .card_usd_high = usd, .host_usd = 500,
                                   .mem_bytes = gb * 1e9, .usable_bytes = gb * 0.95e9, .need_bytes = 10e9, .need_q4_bytes = NAN,
                                   .tg_tps = { tps * 0.8, tps, tps * 1.2 }, .pp_tps = { tps * 20, tps * 25, tps * 30 }, .bw_gbps = tps * 12,
                                   .fp16_tflops = tps, .idle_w = 10, .load_w = watts, .host_idle_w = 30, .host_load_w = 80, .max_card_w = watts,
                                   .supply_need_w = watts * 4 / 3, .slots = 2.0, .length_mm = 250, .has_ecc = true, .is_for_duty = true, .can_train = true,
                                   .effort = 1, .cloud_usd_hour = NAN };
}

static struct rec_request any(void)
{
    return (struct rec_request){ .budget_usd = INFINITY, .wants_inference = true, .max_power_w = INFINITY, .connector_w = INFINITY, .supply_w = INFINITY,
                                 .allows_used = true, .terms = { 0.15, 1, 0, 3 }, .use = { 1000, 2000 } };
}

static double pick(double a, double b) { return a + (b - a) * (test_rand_f32() + 1) / 2; }
static double pick_or(double a, double b, double other) { return test_rand_u64() % 4 ? pick(a, b) : other; }
static bool coin(void) { return test_rand_u64() & 1; }
static bool seldom(void) { return test_rand_u64() % 6 == 0; }

TEST(nothing_above_the_budget_and_nothing_that_does_not_fit_is_chosen_for_any_request)
{
    static struct rec_candidate c[N];
    static struct rec_verdict v[N];
    int order[N], chosen = 0;
    for (int round = 0; round < 3000; round++) {
        for (int i = 0; i < N; i++) {
            c[i] = card("x", pick_or(50, 9000, NAN), pick(4, 96), pick(1, 200), pick_or(5, 600, NAN));
            c[i].card_usd_high = coin() ? NAN : c[i].card_usd * pick(1, 1.5);
            c[i].host_usd = pick(0, 1500);
            c[i].need_bytes = pick_or(1e9, 80e9, NAN), c[i].need_q4_bytes = pick_or(1e9, 80e9, NAN);
            if (test_rand_u64() % 8 == 0)
                c[i].tg_tps = plan_unknown();
            c[i].slots = (int)(test_rand_u64() % 4), c[i].length_mm = pick_or(150, 350, 0), c[i].effort = (int)(test_rand_u64() % 6);
            c[i].has_ecc = coin(), c[i].is_for_duty = coin(), c[i].is_consumer = coin(), c[i].is_server_part = coin(), c[i].has_battery = coin();
            c[i].can_train = coin(), c[i].is_machine = coin(), c[i].is_used = coin(), c[i].cls = (enum plan_class)(test_rand_u64() % PLAN_CLASS_COUNT);
            c[i].cloud_usd_hour = pick_or(0.1, 5, NAN), c[i].n = 1 + (int)(test_rand_u64() % 4);
        }
        struct rec_request r = any();
        r.budget_usd = pick_or(100, 10000, INFINITY), r.place = (enum rec_place)(test_rand_u64() % REC_PLACE_COUNT);
        r.priority = (enum rec_priority)(test_rand_u64() % REC_PRIORITY_COUNT);
        r.wants_training = coin(), r.wants_inference = coin(), r.min_tg_tps = seldom() ? pick(1, 60) : 0, r.max_power_w = seldom() ? pick(100, 900) : INFINITY;
        r.connector_w = seldom() ? pick(75, 600) : INFINITY, r.supply_w = seldom() ? pick(150, 1200) : INFINITY, r.max_slots = seldom() ? 1 + (int)coin() : 0;
        r.max_length_mm = seldom() ? pick(160, 340) : 0, r.needs_ecc = seldom(), r.needs_duty = seldom(), r.allows_used = coin();
        r.max_effort = seldom() ? 3 : 0, r.max_noise = seldom() ? REC_NOISE_MODERATE : REC_NOISE_UNKNOWN;
        r.cls_mask = !seldom() ? 0 : 1 << (test_rand_u64() % PLAN_CLASS_COUNT);
        const int n = rec_rank(&r, c, N, v, order);
        for (int k = 0; k < n; k++) {
            const struct rec_candidate *x = &c[order[k]];
            const double price = (isnan(x->card_usd_high) ? x->card_usd : x->card_usd_high) + x->host_usd, watts = x->load_w + x->host_load_w;
            CHECK(isfinite(price) && price <= r.budget_usd);
            CHECK(x->need_bytes <= x->usable_bytes);
            CHECK(isinf(r.max_power_w) || watts <= r.max_power_w);
            CHECK(isinf(r.connector_w) || x->is_machine || x->max_card_w * x->n <= r.connector_w);
            CHECK(r.max_slots == 0 || x->is_machine || (x->slots > 0 && x->slots * x->n <= r.max_slots));
            CHECK(!r.needs_ecc || x->has_ecc);
            CHECK(!r.needs_duty || x->is_for_duty);
            CHECK(!r.wants_training || x->can_train);
            CHECK(r.allows_used || !x->is_used);
            CHECK(!r.max_effort || (x->effort > 0 && x->effort <= r.max_effort));
            CHECK(!(r.min_tg_tps > 0) || !plan_is_known(x->tg_tps) || x->tg_tps.mid >= r.min_tg_tps);
            CHECK(!r.wants_inference || plan_is_known(x->tg_tps));
            CHECK(k == 0 || v[order[k - 1]].score >= v[order[k]].score);
            chosen++;
        }
        int what[REC_WHY_COUNT];
        rec_what_if(v, N, n ? order[0] : -1, what);
        for (int w = 0; w < REC_WHY_COUNT; w++)
            CHECK(what[w] < 0 || (v[what[w]].why == 1u << w && (!n || v[what[w]].score > v[order[0]].score)));
    }
    CHECK(chosen > 1000, "%d: the requests are too hard to show anything", chosen);
}

TEST(a_refusal_says_which_limit_and_what_would_change_it)
{
    struct rec_candidate c[] = { card("slow", 300, 12, 20, 120), card("fast", 900, 24, 60, 300), card("faster", 2000, 24, 200, 400), card("small", 200, 8, 50, 100) };
    struct rec_verdict v[4];
    int order[4], what[REC_WHY_COUNT];
    struct rec_request r = any();
    r.budget_usd = 1500, r.max_power_w = 300;
    REQUIRE(rec_rank(&r, c, 4, v, order) == 1);
    CHECK(order[0] == 0);
    CHECK(v[1].why == 1u << REC_WHY_POWER && v[2].why == (1u << REC_WHY_POWER | 1u << REC_WHY_BUDGET) && v[3].why == 1u << REC_WHY_MEMORY);
    rec_what_if(v, 4, 0, what);
    CHECK(what[REC_WHY_POWER] == 1 && what[REC_WHY_BUDGET] == -1);
    for (int w = 0; w < REC_WHY_COUNT; w++)
        CHECK(strlen(rec_why_text((enum rec_why)w)) > 5);
    CHECK(v[0].warn & 1u << REC_WARN_HEADROOM, "10 of 12 GB");
    r.priority = REC_PRIORITY_SPEED, r.budget_usd = r.max_power_w = INFINITY;
    REQUIRE(rec_rank(&r, c, 4, v, order) == 3);
    CHECK(order[0] == 2 && order[2] == 0);
    r.priority = REC_PRIORITY_COST;
    REQUIRE(rec_rank(&r, c, 4, v, order) == 3);
    CHECK(order[0] == 0 && order[2] == 2);
}

/* The seeds' common mistakes that a purchase can make (seed 001, section 19). */
TEST(mistake_1_a_dear_card_for_inference_alone_is_overkill)
{
    const struct rec_candidate c[] = { card("cheap", 250, 16, 45, 120), card("dear", 1500, 24, 90, 280) };
    struct rec_verdict v[2];
    int order[2];
    struct rec_request r = any();
    rec_rank(&r, c, 2, v, order);
    CHECK((v[1].warn & 1u << REC_WARN_OVERKILL) && !(v[0].warn & 1u << REC_WARN_OVERKILL));
    r.wants_training = true;
    rec_rank(&r, c, 2, v, order);
    CHECK(!(v[1].warn & 1u << REC_WARN_OVERKILL), "who trains uses the compute");
}

TEST(mistake_3_power_that_weighs_is_said)
{
    struct rec_candidate c = card("x", 600, 24, 50, 200);
    struct rec_request r = any();
    r.use = (struct money_use){ 8760, 8760 };
    CHECK(rec_judge(&r, &c).warn & 1u << REC_WARN_POWER);
    r.use = (struct money_use){ 208, 208 };
    CHECK(!(rec_judge(&r, &c).warn & 1u << REC_WARN_POWER));
}

TEST(mistake_4_memory_that_cannot_be_read_fast_is_said)
{
    struct rec_candidate c = card("wide", 3000, 128, 30, 120);
    struct rec_request r = any();
    c.bw_gbps = 273;
    CHECK(rec_judge(&r, &c).warn & 1u << REC_WARN_BANDWIDTH);
    c = card("fast", 3000, 24, 90, 120), c.bw_gbps = 1008;
    CHECK(!(rec_judge(&r, &c).warn & 1u << REC_WARN_BANDWIDTH));
}

TEST(mistake_5_a_consumer_card_in_a_rack_is_refused_and_said)
{
    struct rec_candidate c = card("gamer", 1600, 24, 90, 450);
    struct rec_request r = any();
    c.is_consumer = true, c.is_for_duty = c.has_ecc = false, r.place = REC_DATACENTRE;
    const struct rec_verdict v = rec_judge(&r, &c);
    CHECK((v.why & 1u << REC_WHY_PLACE) && (v.warn & 1u << REC_WARN_CONSUMER));
}

TEST(mistake_6_sixteen_bits_where_four_would_do_is_said)
{
    struct rec_candidate c = card("x", 1600, 24, 90, 450);
    const struct rec_request r = any();
    c.need_bytes = 16e9, c.need_q4_bytes = 5e9;
    CHECK(rec_judge(&r, &c).warn & 1u << REC_WARN_QUANTIZE);
    c.need_q4_bytes = NAN;
    CHECK(!(rec_judge(&r, &c).warn & 1u << REC_WARN_QUANTIZE));
}

TEST(renting_and_owning_are_weighed_at_the_use_that_was_asked)
{
    struct rec_candidate c = card("x", 1600, 24, 90, 300);
    struct rec_request r = any();
    c.cloud_usd_hour = 0.6, r.use = (struct money_use){ 8760, 8760 };
    CHECK(rec_judge(&r, &c).warn & 1u << REC_WARN_STEADY_CLOUD);
    r.use = (struct money_use){ 200, 200 };
    CHECK((rec_judge(&r, &c).warn & 1u << REC_WARN_CLOUD) && !(rec_judge(&r, &c).warn & 1u << REC_WARN_STEADY_CLOUD));
    c.cls = PLAN_APPLE, r.wants_training = true;
    CHECK(rec_judge(&r, &c).warn & 1u << REC_WARN_APPLE_TRAINS);
}

TEST(the_upgrade_path_is_the_cheapest_and_says_whether_one_answer_gets_faster)
{
    const struct rec_candidate c[] = { card("a", 500, 24, 30, 120), card("b", 1200, 24, 75, 300), card("c", 9000, 24, 400, 700), card("tiny", 100, 8, 300, 50) };
    struct rec_verdict v[4];
    int order[4];
    struct rec_request r = any();
    r.budget_usd = 1100;
    rec_rank(&r, c, 4, v, order);
    struct rec_upgrade u = rec_upgrade_path(c, v, 4, 0, 2);
    CHECK(u.index == 1 && u.count == 1 && u.speeds_one_answer && u.usd == 1700, "two of a are 2000");
    u = rec_upgrade_path(c, v, 4, 0, 5);
    CHECK(u.index == 1 && u.count == 2 && !u.speeds_one_answer && u.tg_tps == 150);
    CHECK(rec_upgrade_path(c, v, 4, -1, 2).index == -1);
}

TEST(supply_and_memory_come_in_the_sizes_that_are_sold)
{
    CHECK(rec_supply_w(450, 1) == 850 && rec_supply_w(320, 1) == 750 && rec_supply_w(140, 1) == 450 && rec_supply_w(450, 2) == 1600);
    CHECK(rec_supply_w(450, 9) == 0 && rec_supply_w(NAN, 1) == 0);
    CHECK(rec_host_mem_gb(24) == 48 && rec_host_mem_gb(16) == 32 && rec_host_mem_gb(8) == 16 && rec_host_mem_gb(48) == 96 && rec_host_mem_gb(5000) == 0);
    CHECK(rec_noise_of(200, false) == REC_NOISE_QUIET && rec_noise_of(450, false) == REC_NOISE_LOUD && rec_noise_of(70, true) == REC_NOISE_LOUD);
}
