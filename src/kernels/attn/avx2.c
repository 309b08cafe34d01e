/* kernels/attn/avx2.c - attention with AVX2, FMA and F16C; all is in lanes8.inc. */
#include "hw/cpu.h"
#include "kernels/attn/lanes8.inc"

const struct attn_ops attn_avx2 = { .isa = "avx2", .need = CPU_AVX2, .run = run, .put = put };
