/* advise/price.c - prices tied to hardware; start reading at price_book_new(). */
#include "advise/price.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


enum { STALE_YEARS = 3, OFFERS_MAX = 32, MEANT_MAX = 4 }; /* "A100 80GB" may be the PCIe card or the SXM module */

struct street {
    const struct catalog_row *row, *hw;
};
struct offer {
    const struct catalog_row *row, *gpu[MEANT_MAX];
    int n_meant;
};
struct price_book {
    struct catalog *catalog;
    struct street *street;
    struct offer *offers; /* cheapest per GPU first */
    int n_street, n_offers, newest_year;
};

static const struct {
    const char *name, *people;
} KIND[PRICE_KIND_COUNT] = {
#define X(id, name, people) { name, people },
    PRICE_KINDS(X)
#undef X
};
const char *price_kind_name(enum price_kind k) { return KIND[k].name; }
const char *price_kind_people(enum price_kind k) { return KIND[k].people; }

struct price price_given(double usd) { return (struct price){ .kind = PRICE_GIVEN, .low_usd = usd, .high_usd = usd, .source = "" }; }

const char *price_date_text(char out[12], int date)
{
    const int y = date / 10000 % 10000, m = date / 100 % 100, d = date % 100;
    if (date <= 0)
        out[0] = '\0';
    else if (m == 0)
        snprintf(out, 12, "%04d", y);
    else if (d == 0)
        snprintf(out, 12, "%04d-%02d", y, m);
    else
        snprintf(out, 12, "%04d-%02d-%02d", y, m, d);
    return out;
}

static double usd_per_gpu(const struct catalog_row *offer)
{
    const double n = catalog_number_or(offer, "n_gpus", 1);
    return catalog_number(offer, "price_usd_h") / (n > 0 ? n : 1);
}
static int by_usd_per_gpu(const void *a, const void *b)
{
    const double x = usd_per_gpu(((const struct offer *)a)->row), y = usd_per_gpu(((const struct offer *)b)->row);
    return x < y ? -1 : x > y ? 1 : strcmp(catalog_name(((const struct offer *)a)->row), catalog_name(((const struct offer *)b)->row));
}

static bool read_street(struct price_book *b, const struct catalog_table *t, struct err *err)
{
    b->street = calloc((size_t)catalog_n_rows(t) + 1, sizeof(*b->street));
    if (!b->street)
        return err_set(err, ERR_NOMEM, "prices: out of memory");
    for (int i = 0; i < catalog_n_rows(t); i++) {
        struct err ignored = { 0 }; /* a price of something that the catalog has no row for: memory kits, old boards */
        const struct catalog_row *r = catalog_row(t, i), *hw = catalog_find_in(b->catalog, "gpu soc machine accelerator cpu phone", catalog_text(r, "hardware"), &ignored);
        const int year = catalog_date(r, "date") / 10000;
        b->newest_year = year > b->newest_year ? year : b->newest_year;
        if (hw)
            b->street[b->n_street++] = (struct street){ r, hw };
    }
    return true;
}

static bool read_offers(struct price_book *b, const struct catalog_table *t, const struct catalog_table *gpus, struct err *err)
{
    b->offers = calloc((size_t)catalog_n_rows(t) + 1, sizeof(*b->offers));
    if (!b->offers)
        return err_set(err, ERR_NOMEM, "prices: out of memory");
    for (int i = 0; i < catalog_n_rows(t); i++) {
        struct offer *o = &b->offers[b->n_offers];
        o->row = catalog_row(t, i);
        if (!(usd_per_gpu(o->row) > 0) || !(catalog_number_or(o->row, "n_gpus", 0) >= 1))
            continue; /* no GPU in it */
        o->n_meant = catalog_find_all(gpus, catalog_text(o->row, "gpu"), o->gpu, MEANT_MAX);
        b->n_offers++;
    }
    qsort(b->offers, (size_t)b->n_offers, sizeof(*b->offers), by_usd_per_gpu);
    return true;
}

struct price_book *price_book_new(struct catalog *c, struct err *err)
{
    struct price_book *b = calloc(1, sizeof(*b));
    if (!b)
        return err_null(err, ERR_NOMEM, "prices: out of memory");
    b->catalog = c;
    const struct catalog_table *street = catalog_table(c, "price_street", err), *cloud = street ? catalog_table(c, "cloud", err) : NULL;
    const struct catalog_table *gpus = cloud ? catalog_table(c, "gpu", err) : NULL;
    if (gpus && read_street(b, street, err) && read_offers(b, cloud, gpus, err))
        return b;
    price_book_free(b);
    return NULL;
}

void price_book_free(struct price_book *b)
{
    if (!b)
        return;
    free(b->street);
    free(b->offers);
    free(b);
}

static struct price price_from(enum price_kind kind, const struct catalog_row *r, const char *low, const char *high, int date)
{
    struct price p = { .kind = kind, .low_usd = catalog_number(r, low), .source = catalog_source(r) };
    p.high_usd = catalog_number_or(r, high, p.low_usd);
    price_date_text(p.date, date);
    if (!(p.low_usd > 0) || !(p.high_usd >= p.low_usd))
        return (struct price){ .kind = PRICE_UNKNOWN, .low_usd = NAN, .high_usd = NAN, .source = "" };
    return p;
}

struct price price_launch(const struct catalog_row *hw)
{
    return price_from(PRICE_LAUNCH, hw, "launch_price_usd", "price_max_usd", (int)catalog_number_or(hw, "year", 0) * 10000);
}

struct price price_of(const struct price_book *b, const struct catalog_row *hw, bool is_used)
{
    const struct catalog_row *latest = NULL;
    for (int i = 0; i < b->n_street; i++) {
        const struct catalog_row *r = b->street[i].row;
        if (b->street[i].hw != hw || (strcmp(catalog_text(r, "condition"), "used") == 0) != is_used)
            continue;
        /* of one day, the wider look at the market: the range that reaches higher */
        const int newer = latest ? catalog_date(r, "date") - catalog_date(latest, "date") : 1;
        if (newer > 0 || (newer == 0 && catalog_number_or(r, "price_max_usd", 0) > catalog_number_or(latest, "price_max_usd", 0)))
            latest = r;
    }
    if (latest)
        return price_from(is_used ? PRICE_USED : PRICE_NEW, latest, "price_usd", "price_max_usd", catalog_date(latest, "date"));
    if (is_used)
        return price_from(PRICE_UNKNOWN, hw, "", "", 0);
    const struct price list = price_from(PRICE_LIST, hw, "price_usd", "price_max_usd", catalog_date(hw, "date"));
    return list.kind == PRICE_LIST ? list : price_launch(hw);
}

bool price_is_stale(const struct price_book *b, const struct price *p)
{
    const long year = strtol(p->date, NULL, 10); /* "" of what was given: 0 */
    return year > 0 && year <= b->newest_year - STALE_YEARS;
}

static struct cloud_offer offer_of(const struct offer *o)
{
    struct cloud_offer c = { .row = o->row, .gpu = o->n_meant > 0 ? o->gpu[0] : NULL, .provider = catalog_text(o->row, "provider"),
                             .kind = catalog_text(o->row, "kind"), .source = catalog_source(o->row),
                             .n_gpus = (int)catalog_number_or(o->row, "n_gpus", 1), .usd_hour = catalog_number(o->row, "price_usd_h") };
    c.usd_hour_high = catalog_number_or(o->row, "price_max_usd_h", c.usd_hour);
    price_date_text(c.date, catalog_date(o->row, "date"));
    return c;
}

int price_cloud(const struct price_book *b, const struct catalog_row *hw, struct cloud_offer *out, int max)
{
    int n = 0;
    for (int i = 0; i < b->n_offers && n < max; i++) {
        const struct offer *o = &b->offers[i];
        bool is_meant = !hw && o->n_meant > 0;
        for (int k = 0; k < o->n_meant && hw; k++)
            is_meant |= o->gpu[k] == hw;
        if (is_meant) {
            out[n] = offer_of(o);
            out[n].gpu = hw ? hw : o->gpu[0];
            n++;
        }
    }
    return n;
}

bool price_is_spot(const struct cloud_offer *o) { return strstr(o->kind, "spot"); }

bool price_cloud_usual(const struct price_book *b, const struct catalog_row *hw, struct cloud_offer *out)
{
    struct cloud_offer all[OFFERS_MAX];
    const int n = price_cloud(b, hw, all, OFFERS_MAX);
    int best = 0;
    while (best + 1 < n && price_is_spot(&all[best]))
        best++;
    if (n > 0)
        *out = all[best];
    return n > 0;
}

bool price_cloud_find(const struct price_book *b, const char *query, struct cloud_offer *out, struct err *err)
{
    const struct catalog_table *t = catalog_table(b->catalog, "cloud", err);
    const struct catalog_row *r = t ? catalog_find(t, query, err) : NULL;
    for (int i = 0; r && i < b->n_offers; i++)
        if (b->offers[i].row == r) {
            *out = offer_of(&b->offers[i]);
            return true;
        }
    return r ? err_set(err, ERR_INPUT, "%s: an offer without a GPU", catalog_name(r)) : false;
}

bool price_kwh(struct catalog *c, const char *region, const char *sector, struct price *out, const char **name, struct err *err)
{
    const struct catalog_table *t = catalog_table(c, "price_electricity", err);
    if (!t)
        return false;
    char query[128];
    snprintf(query, sizeof(query), "%s, %s", region ? region : "US: average", sector);
    /* The same region was read in several months: the latest. */
    const struct catalog_row *found[32], *latest = NULL;
    const int n = catalog_find_all(t, query, found, 32);
    for (int i = 0; i < n; i++)
        if (strcmp(catalog_text(found[i], "region"), catalog_text(found[0], "region")) != 0)
            return err_set(err, ERR_INPUT, "electricity in '%.40s': several regions are meant: %s, %s, ...", region, catalog_text(found[0], "region"),
                           catalog_text(found[i], "region"));
        else if (!latest || catalog_date(found[i], "date") > catalog_date(latest, "date"))
            latest = found[i];
    if (!latest)
        return err_set(err, ERR_NOT_FOUND, "electricity in '%.40s' (%s): not in the catalog (`tutti catalog price_electricity`); give --kwh USD", region ? region : "US", sector);
    if (strcmp(catalog_text(latest, "currency"), "USD") != 0)
        return err_set(err, ERR_INPUT, "electricity in %s: %s %s per kWh (%s); give it in dollars with --kwh", catalog_text(latest, "region"),
                       catalog_text(latest, "price_per_kwh"), catalog_text(latest, "currency"), catalog_text(latest, "date"));
    *out = (struct price){ .kind = PRICE_NEW, .source = catalog_source(latest) };
    out->low_usd = out->high_usd = catalog_number(latest, "price_per_kwh");
    price_date_text(out->date, catalog_date(latest, "date"));
    *name = catalog_name(latest);
    return true;
}
