/* advise/hardware.h - one thing to buy: its row, the chip inside, its watts.
 *
 * For:     cost and recommend.
 * Callers: advise/, cmd/.
 * Touches: the catalog that it is given.
 * Rule:    a row of the table machine is bought, its chip (a row of soc or gpu) has the figures; other rows are both.
 */
#ifndef TUTTI_ADVISE_HARDWARE_H
#define TUTTI_ADVISE_HARDWARE_H
#include "catalog/catalog.h"
#include "plan/device.h"
#include "plan/speed.h"
#include "plan/viability.h"

#define HARDWARE_TABLES "gpu machine soc accelerator cpu phone"

/* After the number of "2x rtx 3090" or "2 x rtx 3090", which goes to *n; the text itself, *n untouched, when it has none. */
const char *hardware_after_count(const char *text, int *n);

struct hardware {
    const struct catalog_row *row;  /* what is bought; borrowed from the catalog */
    const struct catalog_row *chip; /* what computes; the same row for a card or board */
    bool is_machine;                /* complete: a machine, board or phone; not a card, CPU or stick */
};
/* By name; false with err set when nothing or several things are meant. */
bool hardware_find(struct catalog *c, const char *query, struct hardware *out, struct err *err);
/* The same for a row that is known already. */
bool hardware_of(struct catalog *c, const struct catalog_row *row, struct hardware *out, struct err *err);

/* What it draws.  From the table power_card; without a row there, derived from the maker's board power (tdp_w): training
 * draws all of it, inference and idle the share that the cards of that table have at the median. */
extern const double hardware_inference_share, hardware_idle_share;
struct watts {
    double idle_w, inference_w, training_w; /* NAN: not known */
    enum plan_source source;                /* PLAN_CATALOG, PLAN_DERIVED, PLAN_UNKNOWN */
    char from[160];                         /* "seed 001 section 17, 2026-04" or "0.61 and 0.08 of 140 W board power" */
};
struct watts hardware_watts(struct catalog *c, const struct hardware *hw);

/* Predicted as `tutti fit` does: n of them together, LocalScore's prompts and answers within ctx_tok; unknown for what runs no language models. */
struct plan_speed hardware_speed(struct catalog *c, const struct hardware *hw, const struct plan_model *m, int ctx_tok, int n);
/* The four use cases of seed 002 as plan/viability.h judges them; all non-viable for what runs no language models. */
void hardware_use_cases(struct catalog *c, const struct hardware *hw, const struct plan_model *m, int n, enum plan_viability out[PLAN_USE_CASES]);

/* Bytes of one device, and those of them that a model may use; as `tutti fit` counts them (the catalog's GB are 10^9 bytes:
 * a card of 24 GB has 7 % more, seed-errors 001-24, so this errs to the safe side).  0 for what runs no language models. */
struct memory_of {
    double mem_bytes, usable_bytes;
};
struct memory_of hardware_memory(struct catalog *c, const struct hardware *hw);
/* Bytes that the model needs on n of them together with llama.cpp: weights, K/V of the context, and on each the buffers and the runtime.
 * NAN: not known. */
double hardware_need_bytes(struct catalog *c, const struct hardware *hw, const struct plan_model *m, int ctx_tok, int n);
#endif
