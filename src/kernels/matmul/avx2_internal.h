/* kernels/matmul/avx2_internal.h - what the files of AVX2 and AVX-VNNI share. */
#ifndef TUTTI_KERNELS_MATMUL_AVX2_INTERNAL_H
#define TUTTI_KERNELS_MATMUL_AVX2_INTERNAL_H
#include "kernels/matmul/matmul_internal.h"

#define X(name) matmul_fn matmul_avx2_##name, matmul_avxvnni_##name;
MATMUL_PACKED_LIST(X)
#undef X
acts_quantize_fn matmul_avx2_quantize;
size_t matmul_avx2_scratch_bytes(int n_cols);
#endif
