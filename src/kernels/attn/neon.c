/* kernels/attn/neon.c - attention with NEON; all is in lanes8.inc. */
#include "hw/cpu.h"
#include "kernels/attn/lanes8.inc"

static void part(const struct attn_job *job, const struct attn_queries *q, int pos0, float *state, void *scratch)
{
    (void)q;
    part_floats(job, pos0, state, scratch);
}

const struct attn_ops attn_neon = { .isa = "neon", .need = CPU_NEON, .part = part };
