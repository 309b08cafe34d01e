/* base/clock.h - monotonic time.  For: timings, timeouts, rates.  Touches: the clock. */
#ifndef TUTTI_BASE_CLOCK_H
#define TUTTI_BASE_CLOCK_H
#include <stdint.h>
uint64_t clock_ns(void); /* since some fixed moment; never goes back */
/* The moment that is so far from now; UINT64_MAX: never. */
uint64_t clock_after_ns(uint64_t ns);
#endif
