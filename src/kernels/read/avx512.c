/* kernels/read/avx512.c - 64-byte loads. */
#define READ_WIDTH 64
#include "hw/cpu.h"
#include "kernels/read/loop.h"

static uint64_t sum(const void *data, size_t n_bytes, int n_streams) { return read_streams(data, n_bytes, n_streams); }
const struct read_ops read_avx512 = { "avx512", CPU_AVX512, sum };
