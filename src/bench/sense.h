/* bench/sense.h - what this machine lets us feel while it works: energy, temperature, frequency, our own memory.
 *
 * For:     bench/: joules per token, the throttling curve, peak memory.
 * Callers: bench/, cmd/bench.c.
 * Touches: /proc and /sys below a root.  Thread: one at a time.
 * Rule:    a meter that cannot be read is not there; nothing is estimated here.
 *          Energy counters (RAPL) are exact over any span and wrap; meters of power are integrated between calls of
 *          sense_tick(), at most every 50 ms.
 */
#ifndef TUTTI_BENCH_SENSE_H
#define TUTTI_BENCH_SENSE_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct sense;

/* root: "" for this machine, or a folder with its proc/ and sys/.  NULL with err set: out of memory, no such folder. */
struct sense *sense_open(const char *root, struct err *err);
void sense_close(struct sense *s); /* NULL is fine */

/* What the joules are of: "RAPL, CPU packages", "hwmon power1 of ina3221", "battery, whole machine"; NULL: no meter. */
const char *sense_meter(const struct sense *s);
/* Why there is none, for people: "RAPL is readable by root only"; "" when there is one or nothing is known. */
const char *sense_why_none(const struct sense *s);
void sense_tick(struct sense *s);
/* Joules since sense_open(), never going back; NAN without a meter. */
double sense_joules(struct sense *s);

double sense_temperature_c(struct sense *s); /* the hottest sensor of the CPU or the board; NAN */
double sense_mhz(struct sense *s);           /* mean over the CPUs that are online; NAN */

/* Of this process: resident memory now, and the most since it began or since sense_reset_peak(). 0: not known. */
int64_t sense_rss_bytes(void);
int64_t sense_peak_bytes(void);
/* false: this system does not let us; the peak is then since the start. */
bool sense_reset_peak(void);
#endif
