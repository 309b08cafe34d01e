/* kernels/peak/peak.h - how fast this core's units are when nothing else is in the way.
 *
 * For:     bench/: the limits beside which every measured figure is shown.
 * Rule:    independent multiply-adds on registers only; the return value is the number of operations done
 *          (a multiply-add counts two).  `sink` keeps the compiler honest.
 */
#ifndef TUTTI_KERNELS_PEAK_PEAK_H
#define TUTTI_KERNELS_PEAK_PEAK_H
#include <stddef.h>
#include <stdint.h>

typedef double peak_fn(long n_rounds, volatile int *sink);
struct peak_ops { /* NULL: this ISA adds nothing to the next */
    const char *isa;
    uint32_t need;
    peak_fn *int8, *f32, *bf16;
};
extern const struct peak_ops *const peak_variants[]; /* best first, ends with ref */
extern const int peak_n_variants;
/* The best of each kind; bf16 may stay NULL. */
struct peak_ops peak_choose(uint32_t cpu);
#endif
