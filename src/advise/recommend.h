/* advise/recommend.h - what to buy: candidates from the catalog with prices, predicted speeds and a whole system each.
 *
 * For:     `tutti recommend`.
 * Callers: cmd/.  Start reading at recommend_new().
 * Touches: the catalog that it is given; never the network.
 * Rule:    plan/recommend.h decides; here its candidates are made.  Prices have dates, speeds are ranges, what is assumed
 *          is said in docs/recommend.md.
 */
#ifndef TUTTI_ADVISE_RECOMMEND_H
#define TUTTI_ADVISE_RECOMMEND_H
#include "advise/hardware.h"
#include "advise/price.h"
#include "base/arena.h"
#include "plan/model.h"
#include "plan/recommend.h"
#include "plan/train.h"

enum { RECOMMEND_NAMES_MAX = 16, RECOMMEND_UPGRADES = 3, RECOMMEND_OFFERS = 2 };

/* What people use models for, with the size that we take when no model is named.  Sizes and contexts are our judgement from
 * the seeds' use cases (002) and tiers (004).  ORDER RECOMMEND_USE */
#define RECOMMEND_USES(X)                                                                       \
    X(CLASSIFY, "classify", 3, 2048, "classification, extraction, short answers")               \
    X(CHAT, "chat", 8, 8192, "chat and writing")                                                \
    X(RAG, "rag", 8, 16384, "questions about long documents")                                   \
    X(CODE, "code", 32, 16384, "code")                                                          \
    X(REASON, "reason", 32, 16384, "long chains of thought")                                    \
    X(AGENTS, "agents", 70, 32768, "agents with tools and long contexts")
enum recommend_use {
#define X(id, name, size, ctx, what) RECOMMEND_##id,
    RECOMMEND_USES(X)
#undef X
        RECOMMEND_USE_COUNT
};
struct recommend_use_case {
    const char *name;
    double size_b; /* billions of weights */
    int ctx_tok;
    const char *what;
};
extern const struct recommend_use_case recommend_uses[RECOMMEND_USE_COUNT];

struct recommend_ask {
    struct rec_request limits; /* connector, supply and slots of a dock are filled in here from `dock` */
    const char *model;         /* as advise_model_find() takes it: a name of the catalog or a GGUF file; NULL: by size */
    double size_b;             /* NAN: from use_case */
    const char *use_case;      /* of RECOMMEND_USES; NULL: chat */
    const char *quant;         /* "Q4_K_M" */
    int ctx_tok;               /* 0: of the use case */
    enum plan_train_kind train;
    const char *os;            /* "Linux", "Windows", "macOS": for the effort of setting up */
    const char *dock;          /* a row of the table dock that is owned, with the computer before it; NULL */
    bool owns_pc;              /* board, CPU, case and disk are there; limits.supply_w and owned_mem_gb say what it has */
    double owned_mem_gb;       /* 0: memory is bought */
    const char *owned[RECOMMEND_NAMES_MAX];    /* cards and machines that are there already: they cost nothing */
    int n_owned;
    const char *consider[RECOMMEND_NAMES_MAX]; /* only these are shown, with their place among all */
    int n_consider;
};

/* One line of the parts list. */
struct recommend_part {
    const char *kind;  /* "supply", "memory", ... */
    char what[80];     /* "Power supply 850 W" */
    double usd;        /* high end */
    const char *date, *source;
};
enum { RECOMMEND_PARTS_MAX = 8 };

struct recommend_item { /* beside candidate i */
    struct hardware hw;
    struct price price; /* of one */
    bool is_owned;
    enum plan_viability use[PLAN_USE_CASES]; /* predicted, for one user; of those in order[] and considered[] */
    int n_parts;
    struct recommend_part parts[RECOMMEND_PARTS_MAX];
    double supply_w, host_mem_gb; /* that the system should have; 0: machines */
};

struct recommend {
    struct arena *arena; /* everything below */
    struct plan_model model;
    const struct catalog_row *dock_row; /* NULL: none */
    int ctx_tok;
    struct rec_request limits;  /* as used */
    int n, n_ok;
    struct rec_candidate *candidates;
    struct recommend_item *items;
    struct rec_verdict *verdicts;
    int *order;                 /* n_ok indices, best first; one line for each piece of hardware */
    int what_if[REC_WHY_COUNT]; /* -1: none */
    struct rec_upgrade upgrades[RECOMMEND_UPGRADES]; /* to 2, 5 and 10 times */
    int n_offers;
    struct cloud_offer offers[RECOMMEND_OFFERS]; /* cheapest that hold the model, of different providers */
    int n_considered;
    int considered[RECOMMEND_NAMES_MAX];         /* the best candidate for each name */
};
extern const double recommend_factors[RECOMMEND_UPGRADES];

/* The caller owns the result; it borrows from catalog and book.  NULL with err set: a name is not known, or no memory. */
struct recommend *recommend_new(struct catalog *c, const struct price_book *book, const struct recommend_ask *ask, struct err *err);
void recommend_free(struct recommend *r); /* NULL is fine */
/* "2 x used GeForce RTX 3090": what a narrow table cuts is the end */
const char *recommend_name(const struct recommend *r, int i, char *text, size_t size);
#endif
