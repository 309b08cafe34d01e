/* plan/recommend.h - which of these candidates to buy: limits first, then a score that can be explained.
 *
 * For:     `tutti recommend`; advise/recommend.h makes candidates from the catalog.
 * Callers: advise/.
 * Touches: nothing; pure functions of candidates and request.
 * Rule:    what breaks a limit is never chosen: not above the budget (at the high end of its price), not without room for
 *          the model, not where a figure that a limit asks for is unknown.  Every refusal has its reason.
 */
#ifndef TUTTI_PLAN_RECOMMEND_H
#define TUTTI_PLAN_RECOMMEND_H
#include <stdbool.h>
#include <stdint.h>

#include "plan/device.h"
#include "plan/money.h"
#include "plan/range.h"

/* name on the command line, what it means.  ORDER REC_PLACE */
#define REC_PLACES(X)                                                      \
    X(HOME, "home", "a desk at home: no server parts, nothing that needs a rack") \
    X(OFFICE, "office", "an office: as at home")                           \
    X(EDGE, "edge", "at the edge: a board or small machine of at most 75 W") \
    X(MOBILE, "mobile", "carried about: has a battery")                    \
    X(DATACENTRE, "datacentre", "a rack: made for 24 hours a day")
enum rec_place {
#define X(id, name, what) REC_##id,
    REC_PLACES(X)
#undef X
        REC_PLACE_COUNT
};

/* ORDER REC_PRIORITY */
#define REC_PRIORITIES(X)                                                    \
    X(BALANCED, "balanced", "speed, cost and power count alike")             \
    X(SPEED, "speed", "the fastest that the limits allow")                   \
    X(COST, "cost", "the cheapest that does it")                             \
    X(EFFICIENCY, "efficiency", "most tokens per joule")                     \
    X(QUIET, "quiet", "least heat, and so least noise")
enum rec_priority {
#define X(id, name, what) REC_PRIORITY_##id,
    REC_PRIORITIES(X)
#undef X
        REC_PRIORITY_COUNT
};

/* How loud under load.  Not measured: by the heat that must leave (seed 001, section 8: 200 W quiet, 320 W moderate,
 * 450 W loud) and by how it is cooled. */
enum rec_noise { REC_NOISE_UNKNOWN, REC_NOISE_SILENT, REC_NOISE_QUIET, REC_NOISE_MODERATE, REC_NOISE_LOUD, REC_NOISE_COUNT };
enum rec_noise rec_noise_of(double watts, bool is_passive_server_part);

/* Why something is not chosen.  ORDER REC_WHY */
#define REC_WHYS(X)                                                              \
    X(BUDGET, "costs more than the budget")                                      \
    X(PRICE, "has no price in the catalog")                                      \
    X(MEMORY, "does not hold the model")                                         \
    X(TRAINING, "cannot do that training")                                       \
    X(PLACE, "is not for that place")                                            \
    X(POWER, "draws more power than allowed")                                    \
    X(CONNECTOR, "draws more than the dock's connector carries")                 \
    X(SUPPLY, "needs a larger power supply than there is")                       \
    X(SLOTS, "is too wide")                                                      \
    X(LENGTH, "is too long")                                                     \
    X(ECC, "has no ECC memory")                                                  \
    X(DUTY, "is not made for 24 hours a day")                                    \
    X(EFFORT, "takes more work to set up than wanted")                           \
    X(NOISE, "is louder than wanted")                                            \
    X(SLOW, "is slower than wanted")                                             \
    X(SPEED, "has no speed prediction")                                          \
    X(USED, "is only sold used at that price")                                   \
    X(VENDOR, "is from another vendor or line")
enum rec_why {
#define X(id, text) REC_WHY_##id,
    REC_WHYS(X)
#undef X
        REC_WHY_COUNT
};
const char *rec_why_text(enum rec_why w);

/* What to know about a choice.  ORDER REC_WARN; the seeds' common mistakes are among them (001, section 19). */
enum rec_warn {
    REC_WARN_HEADROOM,     /* the model takes more than 70 % of the memory */
    REC_WARN_CONNECTOR,    /* over 70 % of what the dock's connector carries */
    REC_WARN_OVERKILL,     /* mistake 1: a card that is bought for training does inference only */
    REC_WARN_POWER,        /* mistake 3: power is over 15 % of hardware + power */
    REC_WARN_BANDWIDTH,    /* mistake 4: room for far more than it can read at a useful speed */
    REC_WARN_CONSUMER,     /* mistake 5: a consumer card for 24 hours a day or in a rack */
    REC_WARN_QUANTIZE,     /* mistake 6: 16 bits a weight asked where 4 would do */
    REC_WARN_CLOUD,        /* renting is cheaper at that use */
    REC_WARN_STEADY_CLOUD, /* renting costs more: owning pays at that use (the seeds' "24/7 in the cloud") */
    REC_WARN_APPLE_TRAINS, /* M-series can train: LoRA, slowly */
    REC_WARN_USED,         /* a used price: no warranty */
    REC_WARN_OLD_PRICE,    /* a launch price or one of years ago, not one of today */
    REC_WARN_SLOW,         /* under 10 tokens a second: not interactive */
    REC_WARN_COUNT
};

struct rec_candidate {
    const char *name;       /* borrowed */
    enum plan_class cls;
    bool is_machine;        /* complete: needs no host, supply or case (a Mac, a board, a small PC) */
    int n;                  /* equal cards together; 1 for machines */
    double card_usd, card_usd_high; /* of all n; NAN unknown.  The budget is held against the high end */
    bool is_used, is_launch_price;
    bool is_stale_price;    /* a price of years ago: nobody knows what it costs today */
    double host_usd;        /* board, supply, memory, case that must be bought with it, high end; 0 for machines */
    double mem_bytes;       /* of all n */
    double usable_bytes;    /* what a model may take of it: less for unified memory */
    double need_bytes;      /* predicted for the asked model at its context (inference) or training; NAN unknown */
    double need_q4_bytes;   /* the same with 4-bit weights; NAN when 4 bits were asked */
    struct plan_range tg_tps, pp_tps; /* predicted */
    double bw_gbps, fp16_tflops;
    double idle_w, load_w;  /* of all n; NAN unknown */
    double host_idle_w, host_load_w; /* of the host around it */
    double max_card_w;      /* of one card: its board power */
    double supply_need_w;   /* what its supply must give: rec_supply_w() in a PC, 4/3 of the card on a dock; 0 brings its own */
    double slots;           /* of one card; 0 unknown */
    double length_mm;       /* 0 unknown */
    bool has_ecc, is_for_duty, is_consumer, is_server_part, has_battery;
    bool can_train;
    int effort;             /* 1 works out of the box .. 5 for tinkerers; 0 unknown */
    double cloud_usd_hour;  /* cheapest offer of the same card; NAN none */
    int tag;                /* the caller's: index of its row */
};

struct rec_request {
    double budget_usd;      /* everything that must be bought; INFINITY: no limit */
    enum rec_place place;
    enum rec_priority priority;
    bool wants_inference, wants_training;
    double min_tg_tps;      /* 0: none */
    double max_power_w;     /* of the whole machine; INFINITY */
    double connector_w;     /* what a dock's connector carries for good; INFINITY: no dock */
    double supply_w;        /* of the dock or machine already owned; INFINITY: it is bought with the host */
    double max_slots;       /* 0: any */
    double max_length_mm;   /* 0: any */
    bool needs_ecc, needs_duty, allows_used;
    int max_effort;         /* 0: any */
    enum rec_noise max_noise; /* UNKNOWN: any */
    int cls_mask;           /* bits 1 << plan_class; 0: any */
    struct money_terms terms;
    struct money_use use;   /* hours of the machine in a year */
};

struct rec_verdict {
    uint32_t why;           /* bits 1 << rec_why; 0: within all limits */
    uint32_t warn;          /* bits 1 << rec_warn */
    double total_usd;       /* card at its high end + host */
    double tco_usd;         /* over terms.years: purchase, power, upkeep */
    double tok_per_joule;   /* whole machine */
    double usd_per_mtok;    /* owned, at that use */
    double mem_frac;        /* need / memory */
    double score;           /* higher is better; -INFINITY where a figure is missing */
};

/* One candidate against the request. */
struct rec_verdict rec_judge(const struct rec_request *r, const struct rec_candidate *c);
/* All of them: verdicts[n], and in order[n] the indices of those within the limits, best first.  Returns how many. */
int rec_rank(const struct rec_request *r, const struct rec_candidate *c, int n, struct rec_verdict *verdicts, int *order);

/* What would change the answer: for each limit the best candidate that breaks this one alone and scores above the
 * first choice (any such candidate when nothing was chosen); -1 none.  out[REC_WHY_COUNT]. */
void rec_what_if(const struct rec_verdict *verdicts, int n, int first, int *out);

/* The upgrade path: the cheapest way to `factor` times the tokens per second that candidate `from` gives, as `count`
 * machines of candidate `index` side by side (many users; one answer gets no faster by more machines).
 * Only candidates that hold the model and have price and speed; limits of budget and power do not count. */
struct rec_upgrade {
    int index, count; /* index -1: none */
    double usd, tg_tps;
    bool speeds_one_answer; /* a single machine does it */
};
struct rec_upgrade rec_upgrade_path(const struct rec_candidate *c, const struct rec_verdict *v, int n, int from, double factor);

/* The supply for n cards of card_w each, in W: host 250 (CPU, board, drives) + 4/3 of the cards (a card's peaks are
 * that much over its board power), rounded up to a size that is sold.  Gives NVIDIA's 850 W for a 450 W card and
 * 750 W for 320 W (seed-errors 001-61).  0 when no size is large enough. */
double rec_supply_w(double card_w, int n);
/* Main memory of the host in GB: 1.5 to 2 times the cards' memory, rounded up to a kit (16, 32, 48, 64, 96, 128 ...);
 * at least 16. */
double rec_host_mem_gb(double vram_gb);
#endif
