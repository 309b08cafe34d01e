/* tests/advise/test_recommend_nomem.c - whichever allocation fails: one line, nothing left behind. */
#include <math.h>

#include "advise/cost.h"
#include "advise/recommend.h"
#include "fail_alloc.h"
#include "test.h"

static bool answer(void *arg, struct err *err)
{
    const struct recommend_ask ask = { .limits = { .budget_usd = 1500, .wants_inference = true, .max_power_w = INFINITY, .connector_w = INFINITY,
                                                   .supply_w = INFINITY, .terms = { 0.15, 1, 0, 3 }, .use = { 1000, 1000 } },
                                       .size_b = 8, .quant = "Q4_K_M", .dock = arg };
    struct catalog *c = catalog_new(NULL, err);
    struct price_book *b = c ? price_book_new(c, err) : NULL;
    struct recommend *r = b ? recommend_new(c, b, &ask, err) : NULL;
    const bool ok = r;
    recommend_free(r);
    price_book_free(b);
    catalog_free(c);
    return ok;
}

TEST(recommend_survives_every_failing_allocation)
{
    CHECK(fail_alloc_each(answer, "beelink ex dock", getenv("TEST_QUICK") ? 10 : 40) > 8);
}
