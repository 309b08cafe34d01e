/* kernels/matmul/neon_internal.h - what the files of NEON, dotprod and i8mm share. */
#ifndef TUTTI_KERNELS_MATMUL_NEON_INTERNAL_H
#define TUTTI_KERNELS_MATMUL_NEON_INTERNAL_H
#include "kernels/matmul/matmul.h"

acts_quantize_fn matmul_neon_quantize;
size_t matmul_neon_scratch_bytes(int n_cols);
#endif
