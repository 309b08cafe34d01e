/* kernels/read/loop.h - the loop itself, as wide as the flags of the file that includes it allow.
 *
 * For:     ref.c, avx2.c, avx512.c beside it, which give it READ_WIDTH (bytes of a load).
 * Rule:    enough independent sums that additions never wait for each other.
 */
#ifndef TUTTI_KERNELS_READ_LOOP_H
#define TUTTI_KERNELS_READ_LOOP_H
#include "kernels/read/read.h"

#ifndef READ_WIDTH
#define READ_WIDTH 16
#endif
enum { READ_LOADS = 128 / READ_WIDTH, READ_SUMS = 8 };
typedef uint64_t read_vec __attribute__((vector_size(READ_WIDTH), may_alias));

static inline __attribute__((always_inline)) uint64_t read_loop(const char *p, size_t n_bytes, const int n_streams)
{
    const size_t part = read_bytes(n_bytes, n_streams) / (size_t)n_streams;
    read_vec sum[READ_SUMS] = { 0 };
    uint64_t all = 0;
    for (size_t k = 0; k < part; k += 128)
#pragma GCC unroll 16
        for (int t = 0; t < n_streams; t++)
#pragma GCC unroll 8
            for (int j = 0; j < READ_LOADS; j++)
                sum[(t * READ_LOADS + j) % READ_SUMS] += *(const read_vec *)(p + (size_t)t * part + k + (size_t)j * READ_WIDTH);
    for (int i = 0; i < READ_SUMS; i++)
        for (int j = 0; j < READ_WIDTH / 8; j++)
            all += sum[i][j];
    return all;
}

/* The number of streams known to the compiler. */
static inline uint64_t read_streams(const void *data, size_t n_bytes, int n_streams)
{
    switch (n_streams) {
    case 1: return read_loop(data, n_bytes, 1);
    case 2: return read_loop(data, n_bytes, 2);
    case 4: return read_loop(data, n_bytes, 4);
    case 8: return read_loop(data, n_bytes, 8);
    default: return read_loop(data, n_bytes, 16);
    }
}
#endif
