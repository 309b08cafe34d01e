/* base/clock.c - see clock.h. */
#include "base/clock.h"

#include <time.h>

uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_after_ns(uint64_t ns)
{
    const uint64_t now = clock_ns();
    return ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
}
