/* kernels/vec/neon.c - norms, activations, softmax, rope with NEON; all is in lanes8.inc. */
#include "hw/cpu.h"
#include "kernels/vec/lanes8.inc"

const struct vec_ops vec_neon = {
    .isa = "neon", .need = CPU_NEON, .rmsnorm = rmsnorm, .layernorm = layernorm, .silu_mul = silu_mul, .gelu_mul = gelu_mul,
    .swiglu_oai = swiglu_oai, .softmax = softmax, .axpy = axpy, .rope_adjacent = rope_adjacent, .rope_halves = rope_halves,
};
