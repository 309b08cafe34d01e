/* kernels/matmul/avx2_packed.c - packed weights with AVX2: vpmaddubsw; all is in avx2_packed.inc. */
#define VNNI 0
#define NAME(type) matmul_avx2_##type
#include "kernels/matmul/avx2_packed.inc"
