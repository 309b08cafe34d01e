/* plan/money.h - what a machine costs: purchase, power, upkeep, and the same work rented.
 *
 * For:     `tutti cost`, `tutti recommend`; anyone who asks "what does a token cost here".
 * Callers: advise/, cmd/.
 * Touches: nothing; pure functions of their arguments.
 * Rule:    a figure that is not known is NAN and makes the result NAN, never a guess; what is never
 *          reached is INFINITY.  Arguments that make no sense (negative, infinite) give NAN.
 *          Prices have no date here: whoever prints them adds it.
 *
 * Source of the formulas: shared/seeds 001, sections 10, 15, 17, 19, put right where
 * reference/seed-errors.md says so (named at each function); docs/seeds.md lists both.
 */
#ifndef TUTTI_PLAN_MONEY_H
#define TUTTI_PLAN_MONEY_H
#include <stdbool.h>

#define MONEY_HOURS_YEAR 8760.0 /* 365 days; a leap year has 0.3 % more */
#define MONEY_DAYS_YEAR 365.0
#define MONEY_MONTHS_YEAR 12.0

/* What is owned.  idle_w is drawn while it is on and does nothing, busy_w while it works. */
struct money_rig {
    double purchase_usd;
    double idle_w, busy_w;
};

/* How it is used in a year: 0 <= busy <= on <= 8760 for one machine. */
struct money_use {
    double busy_hours_year, on_hours_year;
};

/* The terms under which it runs. */
struct money_terms {
    double usd_per_kwh;
    double pue;                  /* facility power / machine power; 1 at home without cooling, 1.3 the seeds' default */
    double maintenance_usd_year; /* labour, space, replacements */
    double years;                /* written off over so many years */
};

/* Power in USD for each hour: watts * pue * usd_per_kwh / 1000.  pue >= 1. */
double money_power_usd_hour(double watts, const struct money_terms *t);
/* Power in USD for a year: busy_w in busy hours, idle_w in the rest of the hours that it is on. */
double money_power_usd_year(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use);
/* What is paid whether it works or not, in USD a year: purchase / years + maintenance. */
double money_fixed_usd_year(const struct money_rig *rig, const struct money_terms *t);
/* The whole of a year in USD: fixed + power. */
double money_owned_usd_year(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use);
/* One hour of work on the owned machine in USD: the year's cost / busy hours.  Right at this use and no
 * other (seed-errors 001-08: spreading the fixed part over 8760 h is only true at 100 % use).
 * INFINITY when it never works. */
double money_owned_usd_hour(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use);

/* Busy hours a year at which owning costs as much as renting:
 *     (fixed + idle power of the hours it is on) / (cloud_usd_hour - extra power of a busy hour)
 * idle_on_hours is how long it is on in a year without working or not (0: switched off after work).
 * More than 8760: one machine never gets there (001-67).  INFINITY when renting an hour costs no more than
 * the power of an hour. */
double money_breakeven_hours(const struct money_rig *rig, const struct money_terms *t, double cloud_usd_hour, double idle_on_hours);
/* The same in months of use at busy_hours_year: after so many months the purchase is earned back:
 *     purchase / (busy * cloud - power - maintenance) * 12.  INFINITY when it never is. */
double money_breakeven_months(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use, double cloud_usd_hour);

/* Total cost of ownership over t->years (the seeds ask for 3 and 5). */
struct money_tco {
    double hardware_usd, power_usd, cooling_usd, maintenance_usd, total_usd;
    double power_frac;    /* (power + cooling) / total */
    double power_hw_frac; /* (power + cooling) / (hardware + power + cooling): the seeds' "power as % of TCO" */
};
/* power: what the machine draws; cooling: what PUE adds to it. */
struct money_tco money_tco(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use);

/* The seeds' thresholds on power_hw_frac (001 line 1280): over 30 % major, over 15 % significant. */
enum money_power { MONEY_POWER_UNKNOWN, MONEY_POWER_MINOR, MONEY_POWER_SIGNIFICANT, MONEY_POWER_MAJOR, MONEY_POWER_COUNT };
enum money_power money_power_weight(double power_hw_frac);
/* What to do about it, one line; never NULL. */
const char *money_power_advice(enum money_power p);

/* USD for each peak TFLOPS of the card; with_power adds the power of t->years at `use`. */
double money_usd_per_tflops(const struct money_rig *rig, const struct money_terms *t, const struct money_use *use, double tflops, bool with_power);
/* USD for a rented hour of one peak TFLOPS. */
double money_cloud_usd_per_tflops_hour(double cloud_usd_hour, double tflops);
/* USD per million tokens at usd_hour and tok_per_s while busy: usd_hour / (3600 * tok_per_s) * 1e6.
 * INFINITY when no token comes. */
double money_usd_per_mtok(double usd_hour, double tok_per_s);
/* USD per request: usd_hour / (3600 * requests_per_s), at that average rate (001-69: 1 M requests a month are
 * 0.39 per second, not 10). */
double money_usd_per_request(double usd_hour, double requests_per_s);
/* Average requests per second of so many a month (30 days). */
double money_requests_per_s(double requests_month);
/* Busy machine hours a year: requests a month, each machine doing capacity_rps at full load. */
double money_busy_hours_year(double requests_month, double capacity_rps);

/* Is the dear card worth it over the cheap one?  Hours are those of the cheap card; the dear one needs
 * hours / speedup for the same work (training by compute, inference by memory bandwidth). */
struct money_pair {
    double price_usd, inference_w, training_w;
};
struct money_case {
    double training_hours_month, inference_hours_month;
    double training_speedup, inference_speedup; /* dear over cheap, > 0; 1 = the card is on as long as before */
    double usd_per_hour_saved; /* what an hour of waiting for training is worth (the seeds: 50) */
    double usd_per_kwh, pue;
    double life_months;        /* longer than this is too long (the seeds: 24) */
};
enum money_payback_verdict {
    MONEY_PAYBACK_UNKNOWN,
    MONEY_PAYBACK_AT_ONCE, /* it is no dearer and costs no more to run */
    MONEY_PAYBACK_WORTH,   /* within life_months */
    MONEY_PAYBACK_LATE,    /* after life_months */
    MONEY_PAYBACK_NEVER,   /* saves nothing */
    MONEY_PAYBACK_COUNT
};
struct money_payback {
    double price_diff_usd, time_usd_month, power_usd_month; /* power: dear - cheap, may be negative */
    double months; /* INFINITY when never; 0 at once */
    enum money_payback_verdict verdict;
};
struct money_payback money_payback(const struct money_pair *dear, const struct money_pair *cheap, const struct money_case *c);

/* The seeds' patterns of use (001 lines 1030 and 1230); ends with a NULL name. */
struct money_pattern {
    const char *name;
    double hours_year;
};
extern const struct money_pattern money_patterns[]; /* hobby, part-time, full-time, always-on */
struct money_scenario {
    double cloud_usd_year, owned_usd_year, saved_usd_year; /* saved by the cheaper one */
    bool own_is_cheaper;
};
/* Switched off after work, as in the seeds. */
struct money_scenario money_scenario(const struct money_rig *rig, const struct money_terms *t, double hours_year, double cloud_usd_hour);

/* Cloud, own or both.  Machine k of those that the peak needs is busy hours[k] a year; it is bought when that
 * is more than the break-even, rented otherwise (the seeds' fixed limits of 2,000 and 8,000 hours are wrong:
 * 001-67).  Close to the break-even (within a fifth) the answer hangs on prices that move. */
enum money_choice { MONEY_CHOICE_UNKNOWN, MONEY_CHOICE_CLOUD, MONEY_CHOICE_HYBRID, MONEY_CHOICE_OWN, MONEY_CHOICE_COUNT };
struct money_decision {
    enum money_choice choice;
    int n_own, n_rent;
    bool is_close;
    double rent_usd_year, own_usd_year, mixed_usd_year; /* everything rented; everything owned; as decided */
};
struct money_decision money_decide(const struct money_rig *rig, const struct money_terms *t, const double *hours, int n, double cloud_usd_hour);
/* Spreads machine hours over machines: as many as run all year, one for the rest, and peak_machines more for
 * peak_hours each.  Returns how many of hours[max] were filled; 0 when they would not fit. */
int money_spread_hours(double machine_hours_year, int peak_machines, double peak_hours, double *hours, int max);
const char *money_choice_name(enum money_choice c); /* "cloud", "hybrid", "own", "unknown" */
#endif
