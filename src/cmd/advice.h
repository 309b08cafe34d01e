/* cmd/advice.h - what `cost` and `recommend` share: the catalog with its prices, dollars and dates as text, JSON numbers.
 *
 * For:     cmd/cost*.c, cmd/recommend*.c.
 * Touches: HOME and XDG_CONFIG_HOME (the user's own catalog rows).
 * Rule:    a price is written with its date, always.
 */
#ifndef TUTTI_CMD_ADVICE_H
#define TUTTI_CMD_ADVICE_H
#include "advise/price.h"
#include "base/buf.h"
#include "cmd/cmd.h"
#include "plan/range.h"

struct advice {
    struct catalog *catalog;
    struct price_book *book;
};
/* With the rows of --catalog or of the user's folder; false with err set. */
bool advice_open(struct advice *a, struct cmd_opt *opts, struct err *err);
void advice_close(struct advice *a);

/* The option's number; NAN when it was not given. */
double advice_number(struct cmd_opt *opts, const char *name);
/* The option's text; NULL when it was not given. */
const char *advice_text(struct cmd_opt *opts, const char *name);

enum { ADVICE_TEXT = 64 };
/* "$1,900", "$0.123", "unknown", "never" for infinity. */
const char *advice_usd(char text[ADVICE_TEXT], double usd);
/* "$1,800-2,000 (street, new, 2026-05)". */
const char *advice_price(char text[ADVICE_TEXT], const struct price *p);

/* "41-56", "100" for a point, "unknown"; three digits that matter. */
const char *advice_range(char text[ADVICE_TEXT], struct plan_range r);

/* The label, and beside it the text wrapped at 80 columns, every line from column `indent` on. */
void advice_item(const char *label, int indent, const char *text);

/* "key":number, with a comma before it unless it is the first of its object; what is not finite is null. */
void advice_json_number(struct buf *b, const char *key, double v);
void advice_json_text(struct buf *b, const char *key, const char *text); /* NULL or "": null */
void advice_json_range(struct buf *b, const char *key, struct plan_range r); /* {"low", "mid", "high"} or null */
void advice_json_price(struct buf *b, const char *key, const struct price *p);
/* Prints the buffer and frees it: 0, or 1 with the error printed. */
int advice_print_json(struct buf *b);
#endif
