/* cmd/route_show.h - a decision of the router for people and for programs: what was asked, who may, what each term counts, who wins and why.
 *
 * For:     `tutti route`, `tutti route why`.  Touches: stdout, or the buffer it is given.
 * Rule:    nothing is reckoned here: what is shown is what was decided by, and the terms add up to the score before your eyes.
 */
#ifndef TUTTI_CMD_ROUTE_SHOW_H
#define TUTTI_CMD_ROUTE_SHOW_H
#include "base/buf.h"
#include "pipeline/fanout.h"
#include "route/policy.h"

struct route_shown { /* all borrowed */
    const struct route_request *rq; /* features, too; intent NULL: no text */
    const struct candidates *world;
    const struct route_decision *d;
    double decide_us; /* all three stages; NAN: not measured */
    const struct fanout_plan *fanout; /* what several experts would be asked about its pictures and sounds; NULL */
};

/* explain: every candidate with its terms; else the best few.  false with err: out of memory. */
bool route_show_text(const struct route_shown *s, bool explain, struct err *err);
/* One object (docs/json.md, "route"). */
void route_show_json(const struct route_shown *s, struct buf *out);
#endif
