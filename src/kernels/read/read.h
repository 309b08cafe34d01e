/* kernels/read/read.h - reads memory as fast as this instruction set can, and does nothing with it but add.
 *
 * For:     bench/sweep.c: bandwidth of memory and of each cache.
 * Rule:    sum of all 64-bit words, in any order (they wrap).  data lies on a multiple of 64 bytes; only whole
 *          pieces of n_streams * 128 bytes are read (read_bytes() says how much that is).
 */
#ifndef TUTTI_KERNELS_READ_READ_H
#define TUTTI_KERNELS_READ_READ_H
#include <stddef.h>
#include <stdint.h>

/* n_streams: 1, 2, 4, 8 or 16 places that are read in turn, 128 bytes at each; others count as 16. */
typedef uint64_t read_fn(const void *data, size_t n_bytes, int n_streams);
struct read_ops {
    const char *isa;
    uint32_t need;
    read_fn *sum;
};
extern const struct read_ops *const read_variants[]; /* best first, ends with ref */
extern const int read_n_variants;
const struct read_ops *read_choose(uint32_t cpu);

/* What sum() reads of n_bytes. */
static inline size_t read_bytes(size_t n_bytes, int n_streams) { return n_bytes / ((size_t)n_streams * 128) * ((size_t)n_streams * 128); }
#endif
