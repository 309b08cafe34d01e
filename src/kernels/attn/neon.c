/* kernels/attn/neon.c - attention with NEON: two q registers stand for eight lanes; all is in lanes8.inc. */
#include "hw/cpu.h"
#include "kernels/attn/lanes8.inc"

const struct attn_ops attn_neon = { .isa = "neon", .need = CPU_NEON, .run = run, .put = put };
