/* tests/advise/test_recommend.c - the catalog as candidates: the seeds' conversation and tiers replayed, limits held for
 * random requests, the common mistakes that a purchase makes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advise/fit.h"
#include "advise/recommend.h"
#include "test.h"

struct book {
    struct catalog *c;
    struct price_book *b;
};
static struct book open_book(void)
{
    struct err err = { 0 };
    struct book k = { .c = catalog_new(NULL, &err) };
    k.b = k.c ? price_book_new(k.c, &err) : NULL;
    CHECK(k.b, "%s", err.text);
    return k;
}
static void close_book(struct book *k)
{
    price_book_free(k->b);
    catalog_free(k->c);
}

static struct recommend_ask asked(double budget_usd, double size_b)
{
    return (struct recommend_ask){ .limits = { .budget_usd = budget_usd, .wants_inference = true, .max_power_w = INFINITY, .connector_w = INFINITY, .supply_w = INFINITY,
                                               .allows_used = true, .terms = { 0.15, 1, 0, 3 }, .use = { 1460, 1460 } },
                                   .size_b = size_b, .quant = "Q4_K_M", .os = "Linux" };
}
static struct recommend *answer(struct book *k, const struct recommend_ask *a)
{
    struct err err = { 0 };
    struct recommend *r = recommend_new(k->c, k->b, a, &err);
    CHECK(r, "%s", err.text);
    if (!r)
        exit(1);
    return r;
}
/* The cheapest candidate of that name, those within the limits first; -1 none. */
static int find(const struct recommend *r, const char *name, int n_cards)
{
    int best = -1;
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->candidates[i].name, name) == 0 && r->candidates[i].n == n_cards && (best < 0 || (!r->verdicts[i].why && r->verdicts[best].why) ||
             (!r->verdicts[i].why == !r->verdicts[best].why && r->verdicts[i].total_usd < r->verdicts[best].total_usd)))
            best = i;
    return best;
}
static bool is_refused_for(const struct recommend *r, const char *name, int n_cards, enum rec_why why)
{
    const int i = find(r, name, n_cards);
    return i >= 0 && r->verdicts[i].why & 1u << why;
}
static bool is_chosen(const struct recommend *r, const char *name, int n_cards)
{
    const int i = find(r, name, n_cards);
    return i >= 0 && r->verdicts[i].why == 0;
}
static bool warns(const struct recommend *r, const char *name, enum rec_warn w)
{
    const int i = find(r, name, 1);
    return i >= 0 && r->verdicts[i].warn & 1u << w;
}

/* Seed 000, lines 1463 to the end: first cards under 400 dollars, then the 40 series for the Beelink dock, at last a
 * workstation card that the dock bears all day. */
TEST(the_gpu_conversation_ends_at_a_16_gb_single_slot_card_of_at_most_140_w)
{
    struct book k = open_book();
    struct recommend_ask a = asked(400, 8);
    a.dock = "beelink ex dock";
    struct recommend *r = answer(&k, &a);
    CHECK(r->limits.connector_w == 375 && r->limits.supply_w == 600);
    /* what the first answer named is among what fits the budget: 3060 12 GB, A770 16 GB, 4060 8 GB */
    CHECK(is_chosen(r, "GeForce RTX 3060 12GB", 1) && is_chosen(r, "Arc A770 16GB", 1) && is_chosen(r, "GeForce RTX 4060", 1));
    recommend_free(r);

    a = asked(900, 14), a.dock = "beelink ex dock", a.limits.cls_mask = 1 << PLAN_NVIDIA;
    r = answer(&k, &a);
    CHECK(is_chosen(r, "GeForce RTX 4070 Ti Super", 1) && warns(r, "GeForce RTX 4070 Ti Super", REC_WARN_CONNECTOR), "285 W are over 70 %% of 375");
    CHECK(!warns(r, "GeForce RTX 4070 Super", REC_WARN_CONNECTOR));
    CHECK(is_refused_for(r, "GeForce RTX 4090", 1, REC_WHY_CONNECTOR), "450 W");
    recommend_free(r);

    a = asked(1200, 14), a.dock = "beelink ex dock", a.limits.max_slots = 1, a.limits.needs_ecc = a.limits.needs_duty = true;
    a.limits.use = (struct money_use){ 8760, 8760 };
    r = answer(&k, &a);
    REQUIRE(r->n_ok > 0);
    const struct rec_candidate *c = &r->candidates[r->order[0]];
    CHECK(strcmp(c->name, "RTX A4000") == 0, "%s", c->name);
    CHECK(c->mem_bytes == 16e9 && c->slots == 1 && c->max_card_w <= 140 && c->has_ecc && c->is_for_duty && c->n == 1);
    CHECK(!(r->verdicts[r->order[0]].warn & 1u << REC_WARN_CONNECTOR) && r->verdicts[r->order[0]].mem_frac <= 0.7, "room at the connector and in the memory");
    recommend_free(r);
    close_book(&k);
}

TEST(fit_and_recommend_say_the_same_of_any_choice)
{
    struct book k = open_book();
    struct recommend_ask a = asked(4000, 14);
    struct err err = { 0 };
    a.ctx_tok = 16384;
    struct recommend *r = answer(&k, &a);
    int pairs = 0;
    for (int i = 0; i < r->n_ok; i++) {
        const struct rec_candidate *c = &r->candidates[r->order[i]];
        struct device d;
        struct fit_row row;
        REQUIRE(device_of_row(&d, k.c, r->items[r->order[i]].hw.row, &err), "%s", err.text);
        device_times(&d, c->n);
        fit_one(&row, &d, NULL, &r->model, &(struct fit_options){ .n_ctx = 16384 });
        CHECK(c->tg_tps.mid == row.tg_tps.mid && c->pp_tps.low == row.pp_tps.low, "%s: %g, fit %g", c->name, c->tg_tps.mid, row.tg_tps.mid);
        for (int u = 0; u < PLAN_USE_CASES; u++)
            CHECK(r->items[r->order[i]].use[u] == row.use[u], "%s UC%d", c->name, u + 1);
        CHECK(row.place.fits != PLAN_TOO_LARGE && row.place.fits != PLAN_SPLIT, "%s", c->name);
        pairs += c->n > 1;
    }
    CHECK(r->n_ok > 20 && pairs > 0, "%d choices, %d of two cards", r->n_ok, pairs);
    recommend_free(r);
    close_book(&k);
}

TEST(a_price_of_years_ago_ranks_behind_one_of_today)
{
    struct book k = open_book();
    struct recommend_ask a = asked(1500, 14);
    struct recommend *r = answer(&k, &a);
    int now = -1, old = -1;
    for (int i = 0; i < r->n_ok; i++) {
        const char *name = r->candidates[r->order[i]].name;
        now = strcmp(name, "GeForce RTX 4060 Ti 16GB") == 0 ? i : now; /* street price of 2026 */
        old = strcmp(name, "Radeon RX 7800 XT") == 0 ? i : old; /* launch price of 2023; as dear, faster */
    }
    CHECK(now >= 0 && old > now && warns(r, "Radeon RX 7800 XT", REC_WARN_OLD_PRICE), "%d %d", now, old);
    for (int i = 0; i < r->n; i++) /* its used price of today is known: nobody sells a new one at that of 2020 */
        CHECK(strcmp(r->candidates[i].name, "GeForce RTX 3090") != 0 || r->candidates[i].is_used);
    recommend_free(r);
    close_book(&k);
}

/* Seed 004: four tiers for 32B and 70B models. */
TEST(tier_1_entry_cards_run_14b_and_not_32b)
{
    struct book k = open_book();
    struct recommend_ask a = asked(INFINITY, NAN);
    static const char *const entry[] = { "GeForce RTX 3060 12GB", "GeForce RTX 4070", "GeForce RTX 4060 Ti 16GB" };
    a.model = "Qwen2.5 14B", a.ctx_tok = 4096;
    struct recommend *r = answer(&k, &a);
    for (int i = 0; i < 3; i++)
        CHECK(is_chosen(r, entry[i], 1) && r->candidates[find(r, entry[i], 1)].tg_tps.mid > 10, "%s", entry[i]);
    recommend_free(r);
    a.model = "Qwen2.5 Coder 32B";
    r = answer(&k, &a);
    for (int i = 0; i < 3; i++)
        CHECK(is_refused_for(r, entry[i], 1, REC_WHY_MEMORY), "%s", entry[i]);
    CHECK(is_refused_for(r, "GeForce RTX 4060", 1, REC_WHY_MEMORY));
    recommend_free(r);
    close_book(&k);
}

TEST(tier_2_a_24_gb_card_runs_32b_at_4_bits_and_a_used_3090_is_the_cheapest)
{
    struct book k = open_book();
    struct recommend_ask a = asked(INFINITY, NAN);
    a.model = "DeepSeek R1 Distill Qwen 32B", a.ctx_tok = 4096, a.limits.cls_mask = 1 << PLAN_NVIDIA, a.owns_pc = true, a.owned_mem_gb = 64, a.limits.supply_w = 1000;
    a.limits.priority = REC_PRIORITY_COST, a.limits.min_tg_tps = 20;
    struct recommend *r = answer(&k, &a);
    CHECK(is_chosen(r, "GeForce RTX 3090", 1) && is_chosen(r, "GeForce RTX 4090", 1));
    CHECK(warns(r, "GeForce RTX 3090", REC_WARN_HEADROOM), "19.8 GB of weights in 24 GiB leave little for the context");
    const int i = find(r, "GeForce RTX 3090", 1);
    CHECK(r->items[i].price.kind == PRICE_USED && r->items[i].price.low_usd == 700 && r->items[i].price.date[0]);
    for (int n = 0; n < r->n; n++) /* the cheapest way to 24 GB in one card */
        if (r->verdicts[n].why == 0 && r->candidates[n].n == 1 && r->candidates[n].mem_bytes < 30e9)
            CHECK(r->verdicts[n].total_usd >= r->verdicts[i].total_usd, "%s", r->candidates[n].name);
    recommend_free(r);
    a.ctx_tok = 32768;
    r = answer(&k, &a);
    CHECK(is_refused_for(r, "GeForce RTX 3090", 1, REC_WHY_MEMORY), "very long contexts do not fit");
    recommend_free(r);
    close_book(&k);
}

TEST(tier_3_two_24_gb_cards_or_one_of_48_run_70b_at_4_bits_and_32b_at_16_bits_needs_80_gb)
{
    struct book k = open_book();
    struct recommend_ask a = asked(INFINITY, NAN);
    a.model = "DeepSeek R1 Distill Llama 70B", a.ctx_tok = 4096;
    struct recommend *r = answer(&k, &a);
    CHECK(is_refused_for(r, "GeForce RTX 3090", 1, REC_WHY_MEMORY) && is_chosen(r, "GeForce RTX 3090", 2) && is_chosen(r, "GeForce RTX 4090", 2) && is_chosen(r, "RTX 6000 Ada", 1));
    const struct rec_candidate *two = &r->candidates[find(r, "GeForce RTX 3090", 2)];
    CHECK(two->tg_tps.low < 16.3 && two->tg_tps.high > 10, "measured 16.3 with two 3090: predicted %g-%g", two->tg_tps.low, two->tg_tps.high);
    CHECK(r->items[find(r, "GeForce RTX 3090", 2)].supply_w >= 1000);
    recommend_free(r);
    a.model = "Qwen2.5 32B", a.quant = "F16";
    r = answer(&k, &a);
    CHECK(is_refused_for(r, "RTX 6000 Ada", 1, REC_WHY_MEMORY) && !is_refused_for(r, "H100 PCIe 80GB", 1, REC_WHY_MEMORY));
    CHECK(warns(r, "H100 PCIe 80GB", REC_WARN_QUANTIZE), "mistake 6");
    recommend_free(r);
    close_book(&k);
}

TEST(tier_4_unified_memory_runs_70b_more_slowly_and_a_16_gb_laptop_does_not_run_32b)
{
    struct book k = open_book();
    struct recommend_ask a = asked(INFINITY, NAN);
    a.model = "DeepSeek R1 Distill Llama 70B", a.ctx_tok = 4096;
    struct recommend *r = answer(&k, &a);
    CHECK(is_chosen(r, "Mac Studio M4 Max 64GB", 1) && is_refused_for(r, "Mac Studio M4 Max 36GB", 1, REC_WHY_MEMORY));
    CHECK(r->candidates[find(r, "Mac Studio M4 Max 64GB", 1)].tg_tps.mid < r->candidates[find(r, "GeForce RTX 3090", 2)].tg_tps.mid);
    recommend_free(r);
    a.model = "Qwen2.5 Coder 32B", a.limits.place = REC_MOBILE;
    r = answer(&k, &a);
    CHECK(is_chosen(r, "MacBook Pro 16 M4 Max 64GB", 1) && is_refused_for(r, "Laptop with RTX 4090 Laptop 16GB", 1, REC_WHY_MEMORY));
    CHECK(is_refused_for(r, "GeForce RTX 4090", 1, REC_WHY_PLACE), "cards are not carried about");
    for (int i = 0; i < r->n_ok; i++)
        CHECK(r->candidates[r->order[i]].has_battery);
    recommend_free(r);
    close_book(&k);
}

static double pick(double a, double b) { return a + (b - a) * (test_rand_f32() + 1) / 2; }
static bool seldom(void) { return test_rand_u64() % 4 == 0; }

TEST(no_request_is_answered_above_its_budget_or_with_what_does_not_fit)
{
    struct book k = open_book();
    const int rounds = getenv("TEST_QUICK") ? 5 : 30;
    int chosen = 0;
    for (int round = 0; round < rounds; round++) {
        struct recommend_ask a = asked(exp(pick(log(80), log(20000))), exp(pick(log(0.5), log(120))));
        a.limits.place = (enum rec_place)(test_rand_u64() % REC_PLACE_COUNT);
        a.limits.priority = (enum rec_priority)(test_rand_u64() % REC_PRIORITY_COUNT);
        a.limits.allows_used = !seldom();
        if (seldom())
            a.limits.max_power_w = pick(20, 800);
        if (seldom())
            a.limits.wants_training = true, a.train = (enum plan_train_kind)(test_rand_u64() % PLAN_TRAIN_COUNT);
        if (seldom())
            a.dock = "razer core x";
        if (seldom())
            a.owns_pc = true, a.owned_mem_gb = 64, a.limits.supply_w = 650;
        a.quant = seldom() ? "F16" : "Q4_K_M";
        a.ctx_tok = 1024 << test_rand_u64() % 4;
        struct recommend *r = answer(&k, &a);
        for (int i = 0; i < r->n_ok; i++) {
            const struct rec_candidate *c = &r->candidates[r->order[i]];
            const struct recommend_item *item = &r->items[r->order[i]];
            double sum = c->n * item->price.high_usd;
            for (int p = 0; p < item->n_parts; p++)
                sum += item->parts[p].usd;
            CHECK(sum <= a.limits.budget_usd && fabs(sum - r->verdicts[r->order[i]].total_usd) < 0.01, "%s: %g of %g", c->name, sum, a.limits.budget_usd);
            CHECK(c->need_bytes <= c->usable_bytes && c->usable_bytes <= c->mem_bytes && c->need_bytes >= 0, "%s", c->name);
            CHECK(item->price.date[0], "%s: a price without a date", c->name);
            CHECK(c->load_w + c->host_load_w <= a.limits.max_power_w);
            chosen++;
        }
        recommend_free(r);
    }
    CHECK(chosen > 20, "%d", chosen);
    close_book(&k);
}

TEST(mistake_1_a_4090_for_inference_alone)
{
    struct book k = open_book();
    struct recommend_ask a = asked(INFINITY, 8);
    a.consider[a.n_consider++] = "rtx 4090";
    struct recommend *r = answer(&k, &a);
    REQUIRE(r->n_considered == 1);
    CHECK(r->verdicts[r->considered[0]].warn & 1u << REC_WARN_OVERKILL);
    recommend_free(r);
    close_book(&k);
}

TEST(mistakes_4_and_5_memory_without_bandwidth_and_a_consumer_card_in_a_rack)
{
    struct book k = open_book();
    struct recommend_ask a = asked(INFINITY, 14);
    struct recommend *r = answer(&k, &a);
    CHECK(warns(r, "DGX Spark 128GB", REC_WARN_BANDWIDTH) && !warns(r, "GeForce RTX 4090", REC_WARN_BANDWIDTH));
    recommend_free(r);
    a.limits.place = REC_DATACENTRE;
    r = answer(&k, &a);
    CHECK(is_refused_for(r, "GeForce RTX 4090", 1, REC_WHY_PLACE) && warns(r, "GeForce RTX 4090", REC_WARN_CONSUMER));
    for (int i = 0; i < r->n_ok; i++)
        CHECK(r->candidates[r->order[i]].is_for_duty);
    recommend_free(r);
    close_book(&k);
}

/* The seeds' "Raspberry Pi 5 + Coral" (001-27): an Edge TPU runs no LLM, so it is no candidate. */
TEST(accelerators_that_run_no_llm_are_not_offered)
{
    struct book k = open_book();
    struct recommend_ask a = asked(400, 3);
    a.limits.place = REC_EDGE;
    struct recommend *r = answer(&k, &a);
    REQUIRE(r->n_ok > 0);
    for (int i = 0; i < r->n; i++)
        CHECK(!strstr(r->candidates[i].name, "Coral") && !strstr(r->candidates[i].name, "Compute Stick"));
    for (int i = 0; i < r->n_ok; i++)
        CHECK(r->candidates[r->order[i]].load_w <= 75);
    recommend_free(r);
    close_book(&k);
}

/* 001-71: layers are split, so one answer keeps the speed of one card. */
TEST(two_cards_hold_more_and_answer_no_faster)
{
    struct book k = open_book();
    struct recommend_ask a = asked(INFINITY, 8);
    struct recommend *r = answer(&k, &a);
    const int one = find(r, "GeForce RTX 4070", 1), two = find(r, "GeForce RTX 4070", 2);
    REQUIRE(one >= 0 && two >= 0);
    CHECK(r->candidates[two].tg_tps.mid <= r->candidates[one].tg_tps.mid && r->candidates[two].mem_bytes == 2 * r->candidates[one].mem_bytes);
    recommend_free(r);
    close_book(&k);
}

TEST(what_is_owned_costs_nothing_and_two_clouds_stand_beside)
{
    struct book k = open_book();
    struct recommend_ask a = asked(50, 8);
    a.owned[a.n_owned++] = "rtx 3060 12gb", a.owns_pc = true, a.owned_mem_gb = 32, a.limits.supply_w = 650;
    struct recommend *r = answer(&k, &a);
    REQUIRE(r->n_ok > 0);
    CHECK(r->items[r->order[0]].is_owned && r->verdicts[r->order[0]].total_usd == 0);
    REQUIRE(r->n_offers == 2);
    CHECK(strcmp(r->offers[0].provider, r->offers[1].provider) != 0 && r->offers[0].date[0] && r->offers[1].date[0]);
    recommend_free(r);
    close_book(&k);
}

TEST(training_asks_for_memory_and_for_hardware_that_trains)
{
    struct book k = open_book();
    struct recommend_ask a = asked(INFINITY, 8);
    a.limits.wants_inference = false, a.limits.wants_training = true, a.train = PLAN_TRAIN_FULL;
    struct recommend *r = answer(&k, &a);
    CHECK(is_refused_for(r, "GeForce RTX 4090", 1, REC_WHY_MEMORY), "16 bytes a weight: 128 GB");
    recommend_free(r);
    a.train = PLAN_TRAIN_QLORA;
    r = answer(&k, &a);
    CHECK(is_chosen(r, "GeForce RTX 4090", 1) && is_refused_for(r, "Raspberry Pi 5", 1, REC_WHY_TRAINING));
    CHECK(warns(r, "Mac Studio M4 Max 64GB", REC_WARN_APPLE_TRAINS) && is_chosen(r, "Mac Studio M4 Max 64GB", 1));
    recommend_free(r);
    close_book(&k);
}

TEST(names_that_are_not_known_are_errors)
{
    struct book k = open_book();
    struct err err = { 0 };
    struct recommend_ask a = asked(500, 8);
    a.model = "no such model";
    CHECK(!recommend_new(k.c, k.b, &a, &err) && err.text[0]);
    a.model = NULL, a.dock = "no such dock", err_clear(&err);
    CHECK(!recommend_new(k.c, k.b, &a, &err) && err.text[0]);
    a.dock = NULL, a.quant = "Q99", err_clear(&err);
    CHECK(!recommend_new(k.c, k.b, &a, &err) && strstr(err.text, "Q99"));
    a.quant = "Q4_K_M", a.use_case = "gaming", err_clear(&err);
    CHECK(!recommend_new(k.c, k.b, &a, &err) && strstr(err.text, "gaming"));
    a.use_case = NULL, a.model = "Llama 2 7B", a.ctx_tok = 100000, err_clear(&err);
    CHECK(!recommend_new(k.c, k.b, &a, &err) && strstr(err.text, "4096"));
    close_book(&k);
}
