/* hw/meter.h - what this machine's energy is measured by: found once, read often.
 *
 * For:     bench/sense.c (joules per token), route/telemetry.c (power, joules per request).
 * Touches: /sys below a root, by taps (hw/tap.h, whose warning on sick drivers holds).  Thread: one at a time.  Time is the caller's.
 * Rule:    a meter that cannot be read is not there; nothing is estimated here.  Energy counters (RAPL) are exact over any span and
 *          wrap; meters of power are integrated between calls of hw_meter_tick(), at most every 50 ms.
 *          The first that is there: RAPL, a power sensor of the board or the CPU (a GPU's says nothing about us), the battery.
 */
#ifndef TUTTI_HW_METER_H
#define TUTTI_HW_METER_H
#include "hw/root.h"

struct hw_meter;
/* now_ns 0: time begins with the first call that has one.  NULL with err: out of memory.  A machine without a meter gives one that knows nothing. */
struct hw_meter *hw_meter_open(const struct hw_root *r, uint64_t now_ns, struct err *err);
void hw_meter_close(struct hw_meter *m); /* NULL is fine */
/* What the joules are of: "RAPL, CPU packages", "hwmon power of ina3221", "battery, whole machine: BAT0"; NULL: no meter. */
const char *hw_meter_what(const struct hw_meter *m);
/* Reads counters of the processor: microseconds, no driver of a bus in between. */
bool hw_meter_is_quick(const struct hw_meter *m);
/* Why there is none, for people: "RAPL is readable by root only"; "" when there is one or nothing is known. */
const char *hw_meter_why_none(const struct hw_meter *m);
void hw_meter_tick(struct hw_meter *m, uint64_t now_ns);
/* Joules since hw_meter_open(), never going back; NAN without a meter. */
double hw_meter_joules(struct hw_meter *m, uint64_t now_ns);
#endif
