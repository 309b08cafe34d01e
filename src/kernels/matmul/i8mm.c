/* kernels/matmul/i8mm.c - packed weights with the int8 matrix products of ARMv8.6 (smmla); the loop is in neon_packed.inc, everything else is NEON's. */
#include <arm_neon.h>

#include "hw/cpu.h"

#define LEVEL 2
#define NAME(type) i8mm_##type
#include "kernels/matmul/neon_packed.inc"

const struct matmul_ops matmul_i8mm = {
    .isa = "i8mm",
    .need = CPU_NEON | CPU_DOTPROD | CPU_I8MM,
    .quantize = matmul_neon_quantize,
    .scratch_bytes = matmul_neon_scratch_bytes,
    .fn = {
#define X(name) [DTYPE_##name] = NAME(name),
        MATMUL_PACKED_LIST(X)
#undef X
    },
};
