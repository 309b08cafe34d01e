/* tests/advise/test_price.c - prices are tied to the hardware that they mean and never come without a date. */
#include <math.h>
#include <string.h>

#include "advise/price.h"
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
static const struct catalog_row *hw(struct book *k, const char *name)
{
    struct err err = { 0 };
    const struct catalog_row *r = catalog_find_in(k->c, "gpu soc machine accelerator cpu phone", name, &err);
    CHECK(r, "%s", err.text);
    return r;
}

TEST(street_prices_come_before_launch_prices_and_all_have_a_date)
{
    struct book k = open_book();
    struct price p = price_of(k.b, hw(&k, "rtx 4090"), false);
    CHECK(p.kind == PRICE_NEW && p.low_usd == 1800 && p.high_usd == 2000 && strcmp(p.date, "2026-05") == 0 && p.source[0], "%g %g %s", p.low_usd, p.high_usd, p.date);
    p = price_of(k.b, hw(&k, "rtx 3090"), true);
    CHECK(p.kind == PRICE_USED && p.low_usd == 700 && p.high_usd == 1000 && strcmp(p.date, "2026-05") == 0);
    p = price_of(k.b, hw(&k, "rtx a4000"), false);
    CHECK(p.kind == PRICE_LAUNCH && p.low_usd == 1000 && strcmp(p.date, "2021") == 0);
    CHECK(price_of(k.b, hw(&k, "rtx a4000"), true).kind == PRICE_UNKNOWN, "no used price is made up");
    p = price_of(k.b, hw(&k, "raspberry pi 5"), false);
    CHECK(p.high_usd >= p.low_usd && p.date[0]);
    const struct catalog_table *gpus = catalog_table(k.c, "gpu", &(struct err){ 0 });
    REQUIRE(gpus);
    for (int i = 0; i < catalog_n_rows(gpus); i++)
        for (int used = 0; used < 2; used++) {
            p = price_of(k.b, catalog_row(gpus, i), used);
            CHECK(p.kind == PRICE_UNKNOWN ? isnan(p.low_usd) : p.low_usd > 0 && p.high_usd >= p.low_usd && strlen(p.date) >= 4 && p.source[0], "%s",
                  catalog_name(catalog_row(gpus, i)));
        }
    close_book(&k);
}

TEST(cloud_offers_are_found_by_their_gpu_cheapest_first)
{
    struct book k = open_book();
    struct cloud_offer o[16];
    int n = price_cloud(k.b, hw(&k, "rtx 4090"), o, 16);
    REQUIRE(n >= 2);
    for (int i = 0; i < n; i++)
        CHECK(strstr(catalog_text(o[i].row, "gpu"), "4090") && o[i].date[0] && o[i].source[0] && (i == 0 || o[i - 1].usd_hour / o[i - 1].n_gpus <= o[i].usd_hour / o[i].n_gpus));
    CHECK(price_cloud(k.b, hw(&k, "rtx a4000"), o, 16) == 0);
    CHECK(price_cloud(k.b, NULL, o, 16) == 16);
    struct err err = { 0 };
    CHECK(price_cloud_find(k.b, "runpod on-demand rtx 4090", &o[0], &err) && o[0].usd_hour == 0.6, "%s", err.text);
    CHECK(!price_cloud_find(k.b, "moon base", &o[0], &err) && err.text[0]);
    close_book(&k);
}

TEST(electricity_has_a_region_a_date_and_one_currency)
{
    struct book k = open_book();
    struct err err = { 0 };
    struct price p;
    const char *name;
    CHECK(price_kwh(k.c, NULL, "residential", &p, &name, &err) && p.low_usd > 0.05 && p.low_usd < 0.5 && p.date[0], "%s", err.text);
    CHECK(price_kwh(k.c, "us: new york", "residential", &p, &name, &err) && strstr(name, "New York"), "%s", err.text);
    CHECK(!price_kwh(k.c, "germany", "residential", &p, &name, &err) && strstr(err.text, "EUR") && strstr(err.text, "--kwh"), "%s", err.text);
    err_clear(&err);
    CHECK(!price_kwh(k.c, "atlantis", "residential", &p, &name, &err) && strstr(err.text, "--kwh"), "%s", err.text);
    close_book(&k);
}

TEST(dates_are_written_as_exactly_as_they_are_known)
{
    char d[12];
    CHECK(strcmp(price_date_text(d, 20260310), "2026-03-10") == 0 && strcmp(price_date_text(d, 20260300), "2026-03") == 0);
    CHECK(strcmp(price_date_text(d, 20260000), "2026") == 0 && strcmp(price_date_text(d, 0), "") == 0);
}
