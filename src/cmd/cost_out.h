/* cmd/cost_out.h - the answer of `tutti cost` as JSON and as a page. */
#ifndef TUTTI_CMD_COST_OUT_H
#define TUTTI_CMD_COST_OUT_H
#include "advise/cost.h"

/* against NULL: nothing to compare with. */
int cost_print_json(const struct cost_answer *a, const struct cost_pair *against);
/* Cost over hours with the break-even point, TCO bars; path "-" is stdout. */
bool cost_write_page(const struct cost_answer *a, const struct cost_pair *against, const char *path, struct err *err);
/* "worth it", "never", ...; never NULL. */
const char *cost_payback_text(enum money_payback_verdict v);
#endif
