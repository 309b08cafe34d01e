/* kernels/matmul/avx512_internal.h - what the avx512*.c of this folder share. */
#ifndef TUTTI_KERNELS_MATMUL_AVX512_INTERNAL_H
#define TUTTI_KERNELS_MATMUL_AVX512_INTERNAL_H
#include "kernels/matmul/matmul_internal.h"

#define MATMUL_AVX512_PACKED(X) \
    X(Q8_0) X(Q4_0) X(Q4_1) X(Q5_0) X(Q5_1) X(Q2_K) X(Q3_K) X(Q4_K) X(Q5_K) X(Q6_K) X(IQ4_NL) X(IQ4_XS) X(MXFP4)

/* As rows of the file, dequantized on the way. */
#define MATMUL_AVX512_ANY_ROWS(X)                                                                              \
    X(IQ1_S) X(IQ1_M) X(IQ2_XXS) X(IQ2_XS) X(IQ2_S) X(IQ3_XXS) X(IQ3_S) X(TQ1_0) X(TQ2_0) X(NVFP4) X(Q1_0) X(Q2_0) \
    X(I8) X(I16) X(I32) X(I64) X(F64)

#define X(name) matmul_fn matmul_avx512_##name;
MATMUL_AVX512_PACKED(X)
#undef X
matmul_fn matmul_avx512_F32, matmul_avx512_F16, matmul_avx512_BF16, matmul_avx512_any_rows;
/* Bytes of scratch that the packed and the row functions want. */
size_t matmul_avx512_packed_scratch_bytes(int n_cols), matmul_avx512_rows_scratch_bytes(int n_cols);
#endif
