/* kernels/vec/avx2.c - norms, activations, softmax, rope with AVX2, FMA; all is in lanes8.inc. */
#include "hw/cpu.h"
#include "kernels/vec/lanes8.inc"

const struct vec_ops vec_avx2 = {
    .isa = "avx2", .need = CPU_AVX2, .rmsnorm = rmsnorm, .layernorm = layernorm, .silu_mul = silu_mul, .gelu_mul = gelu_mul,
    .swiglu_oai = swiglu_oai, .softmax = softmax, .axpy = axpy, .rope_adjacent = rope_adjacent, .rope_halves = rope_halves,
};
