/* plan/range.h - an estimate: the value we expect, and between which two it lies in at least 80 % of cases.
 *
 * For:     plan/, advise/, cmd/: everything that is predicted and not measured.
 * Touches: nothing.
 * Rule:    low <= mid <= high; a point (catalog, measured) has all three equal; not known is all NAN.
 */
#ifndef TUTTI_PLAN_RANGE_H
#define TUTTI_PLAN_RANGE_H
#include <math.h>
#include <stdbool.h>

struct plan_range {
    double low, mid, high;
};

static inline struct plan_range plan_point(double v) { return (struct plan_range){ v, v, v }; }
static inline struct plan_range plan_unknown(void) { return plan_point((double)NAN); }
static inline bool plan_is_known(struct plan_range r) { return isfinite(r.mid); }
/* k * r, k >= 0. */
static inline struct plan_range plan_scale(struct plan_range r, double k) { return (struct plan_range){ r.low * k, r.mid * k, r.high * k }; }
/* k / r for rates to times and back: the ends change places; k, r > 0. */
static inline struct plan_range plan_invert(struct plan_range r, double k) { return (struct plan_range){ k / r.high, k / r.mid, k / r.low }; }
/* a + b as if both erred the same way: never too narrow. */
static inline struct plan_range plan_add(struct plan_range a, struct plan_range b)
{
    return (struct plan_range){ a.low + b.low, a.mid + b.mid, a.high + b.high };
}
#endif
