/* kernels/matmul/dotprod.c - packed weights with the dot products of ARMv8.2 (sdot); the loop is in neon_packed.inc, everything else is NEON's. */
#include <arm_neon.h>

#include "hw/cpu.h"

#define LEVEL 1
#define NAME(type) dotprod_##type
#include "kernels/matmul/neon_packed.inc"

const struct matmul_ops matmul_dotprod = {
    .isa = "dotprod",
    .need = CPU_NEON | CPU_DOTPROD,
    .quantize = matmul_neon_quantize,
    .scratch_bytes = matmul_neon_scratch_bytes,
    .fn = {
#define X(name) [DTYPE_##name] = NAME(name),
        MATMUL_PACKED_LIST(X)
#undef X
    },
};
