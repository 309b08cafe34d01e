/* kernels/read/avx2.c - 32-byte loads. */
#define READ_WIDTH 32
#include "hw/cpu.h"
#include "kernels/read/loop.h"

static uint64_t sum(const void *data, size_t n_bytes, int n_streams) { return read_streams(data, n_bytes, n_streams); }
const struct read_ops read_avx2 = { "avx2", CPU_AVX2, sum };
