/* advise/price.h - what hardware, a rented hour and a kWh cost, with the date of the price.
 *
 * For:     cost and recommend.
 * Callers: advise/, cmd/.
 * Touches: the catalog that it is given.
 * Rule:    a price never goes without its date and source; what the catalog does not know is PRICE_UNKNOWN, never a guess.
 *          Ranges keep both ends: a budget is held against the high one.
 */
#ifndef TUTTI_ADVISE_PRICE_H
#define TUTTI_ADVISE_PRICE_H
#include <stdbool.h>

#include "catalog/catalog.h"

/* name in --json, what people read.  ORDER PRICE */
#define PRICE_KINDS(X)                          \
    X(UNKNOWN, "unknown", "not known")          \
    X(GIVEN, "given", "given")                  \
    X(NEW, "street_new", "street, new")         \
    X(USED, "street_used", "street, used")      \
    X(LIST, "list", "list price")               \
    X(LAUNCH, "launch", "launch price")
enum price_kind {
#define X(id, name, people) PRICE_##id,
    PRICE_KINDS(X)
#undef X
        PRICE_KIND_COUNT
};
const char *price_kind_name(enum price_kind k);
const char *price_kind_people(enum price_kind k);

struct price {
    enum price_kind kind;
    double low_usd, high_usd; /* equal for a single figure; NAN when unknown */
    char date[12];            /* "2026-05"; "" when given */
    const char *source;       /* borrowed from the catalog; "" when given */
};
static inline double price_mid(const struct price *p) { return (p->low_usd + p->high_usd) / 2; }
struct price price_given(double usd);

/* The launch price of a row, with the year; of a row with several sizes of memory the range from the smallest to the largest. */
struct price price_launch(const struct catalog_row *hw);

/* All prices of a catalog, each already tied to the hardware that it means.  Owned by the caller; must not outlive the
 * catalog.  NULL with err set when a table cannot be read. */
struct price_book;
struct price_book *price_book_new(struct catalog *c, struct err *err);
void price_book_free(struct price_book *b); /* NULL is fine */

/* The price of a row of gpu, soc, cpu, accelerator, phone or machine: the latest street price, new or used; without one, and
 * not used, the row's list price with its date, or its launch price with its year.  is_used asks for the price of a used one. */
struct price price_of(const struct price_book *b, const struct catalog_row *hw, bool is_used);

/* Three or more years before the newest price of the catalog: what was asked then is asked no more. */
bool price_is_stale(const struct price_book *b, const struct price *p);

/* Offers of a rented machine, cheapest per GPU first, with this GPU (hw NULL: with any that the catalog knows). */
struct cloud_offer {
    const struct catalog_row *row; /* of the table cloud; NULL: none */
    const struct catalog_row *gpu; /* the row of gpu that it means (the first where several may be meant) */
    const char *provider, *kind, *source; /* borrowed from the catalog */
    int n_gpus;
    double usd_hour, usd_hour_high; /* of the whole machine; equal for a single figure */
    char date[12];
};
int price_cloud(const struct price_book *b, const struct catalog_row *hw, struct cloud_offer *out, int max);
/* The cheapest offer of one such GPU that stays, not spot; spot where there is nothing else.  false: none. */
bool price_cloud_usual(const struct price_book *b, const struct catalog_row *hw, struct cloud_offer *out);
bool price_is_spot(const struct cloud_offer *o);
/* The offer of that name in the table cloud. */
bool price_cloud_find(const struct price_book *b, const char *query, struct cloud_offer *out, struct err *err);

/* Electricity in USD per kWh: a row of price_electricity by region ("US: Pacific", "germany") and sector
 * ("residential", "commercial", "industrial"); region NULL: the average of the United States.  *name is the row's.
 * A region that is priced in another currency is an error that says so: exchange rates are not ours to guess. */
bool price_kwh(struct catalog *c, const char *region, const char *sector, struct price *out, const char **name, struct err *err);

/* "2026-05" from 20260500, "2026" from 20260000, "" from 0. */
const char *price_date_text(char out[12], int date);
#endif
