/* base/rng.h - repeatable random numbers (splitmix64: Steele, Lea, Flood, OOPSLA 2014).
 *
 * For:     the sampler (one per sequence), random weights, tests.  Not for secrets.
 * Rule:    the same seed gives the same numbers on every machine.
 */
#ifndef TUTTI_BASE_RNG_H
#define TUTTI_BASE_RNG_H
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline void rng_seed(struct rng *r, uint64_t seed) { r->state = seed; }
static inline uint64_t rng_u64(struct rng *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
/* Uniform in [0, 1), 53 bits. */
static inline double rng_f64(struct rng *r) { return (double)(rng_u64(r) >> 11) * 0x1p-53; }
#endif
