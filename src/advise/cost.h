/* advise/cost.h - what a machine from the catalog costs at a use, and what the same hours cost rented.
 *
 * For:     `tutti cost`.
 * Callers: cmd/.
 * Touches: the catalog that it is given.
 * Rule:    every figure knows where it is from: given by the user, a row of the catalog with its date, derived, or
 *          predicted (a range).  What is unknown stays NAN and is printed as such.
 */
#ifndef TUTTI_ADVISE_COST_H
#define TUTTI_ADVISE_COST_H
#include "advise/hardware.h"
#include "advise/price.h"
#include "plan/model.h"
#include "plan/money.h"
#include "plan/range.h"

enum { COST_SCENARIOS_MAX = 8, COST_MACHINES_MAX = 64 };

/* Numbers that were not given are NAN, texts NULL. */
struct cost_request {
    const char *on;         /* hardware; of the catalog */
    int count;              /* so many of it */
    bool is_used;           /* at the price of a used one */
    double usd, watts, idle_w, host_usd, host_w; /* instead of the catalog's, for one; host: what else must be bought or runs with it */
    bool trains;            /* draws training power while busy */
    double hours_day, on_hours_day; /* busy; switched on at least that long.  Not given: 8, and off after work */
    double usd_per_kwh;
    const char *region, *sector;
    double pue, maintenance_usd_year, years; /* not given: 1, 0, 3 */
    const char *cloud;      /* an offer by name; NULL: the cheapest with the same GPU */
    double cloud_usd_hour;
    double peak_machines, peak_hours_year;   /* so many more machines, for so long */
    struct plan_range tg_tps;                /* tokens per second of one, as given */
    const char *model;                       /* else predicted for this, as advise_model_find() takes it; NULL: no prices of tokens */
    double tokens_day;      /* given with tg_tps: sets hours_day */
    double requests_month, requests_per_s;   /* asked a month; done per second at full load */
};

struct cost_watts {
    struct watts watts;     /* of one */
    bool is_given;
};
struct cost_answer {
    struct hardware hw;
    int count;
    struct price price;     /* of one */
    struct cost_watts power;
    struct price kwh;
    const char *kwh_name;   /* row of the table; "" when given */
    struct money_rig rig;   /* all of them with their host */
    struct money_terms terms;
    struct money_use use;
    bool hours_are_default, hours_are_from_tokens;
    struct money_tco tco3, tco5;
    double owned_usd_year, owned_usd_hour;

    bool has_cloud;
    struct cloud_offer cloud; /* row NULL: given by the user */
    double cloud_usd_hour;    /* for as many GPUs as are owned */
    double breakeven_hours_year, breakeven_months;
    struct money_decision decision;
    int n_scenarios;
    struct money_scenario scenario[COST_SCENARIOS_MAX]; /* of money_patterns */

    double tflops;          /* peak FP16 of all, dense; NAN */
    double usd_per_tflops, usd_per_tflops_power, cloud_usd_per_tflops_hour;

    bool tps_is_given;      /* by the user; else predicted for the model */
    struct plan_model model;
    struct plan_range tg_tps, j_per_tok, owned_usd_mtok, cloud_usd_mtok;
    double requests_avg_per_s, owned_usd_request, cloud_usd_request;
};

/* false with err set: hardware or offer not found, or not a number where one is needed. */
bool cost_answer(struct catalog *c, const struct price_book *book, const struct cost_request *r, struct cost_answer *out, struct err *err);

/* Is `dear` worth it over `cheap`?  Either way round: the one with the higher price is the dear one.  Speed-ups: training by peak FP16, inference by
 * the given tokens per second, else by memory bandwidth. */
struct cost_pair {
    struct hardware dear, cheap;
    struct price dear_price, cheap_price;
    struct watts dear_watts, cheap_watts;
    struct money_case terms;
    struct money_payback payback;
    double dear_mem_gb, cheap_mem_gb;
};
struct cost_pair_request {
    const char *a, *b;
    double a_usd, b_usd;    /* NAN: the catalog's */
    double training_hours_month, inference_hours_month, usd_per_hour_saved, usd_per_kwh, pue;
    double inference_speedup_a_over_b; /* NAN: by bandwidth */
};
bool cost_compare(struct catalog *c, const struct price_book *book, const struct cost_pair_request *r, struct cost_pair *out, struct err *err);
#endif
