/* kernels/kernels.h - the inner loops that this machine will use, chosen once.
 *
 * For:     llm/ (the engine holds one `struct kernels`), tools/train, benches, tests/kernels.
 * Callers: llm/ and above.
 * Touches: nothing; no threads: a caller hands each thread its pieces.
 * Rule:    every operation is a folder: <op>.h says what it computes (the formula), ref.c means it in
 *          plain C, <isa>.c does the same faster, variants.def lists them best first.  Integers agree to
 *          the bit between variants; floats stay within a bound that the test derives.  What a variant computes
 *          for one token does not depend on how many other tokens are in the batch, nor on the split
 *          of the work: so a text does not depend on threads or neighbours.
 *          To add an ISA: one file per op, one line in its variants.def, flags in the Makefile.
 */
#ifndef TUTTI_KERNELS_KERNELS_H
#define TUTTI_KERNELS_KERNELS_H
#include <stdint.h>

#include "kernels/attn/attn.h"
#include "kernels/matmul/matmul.h"
#include "kernels/vec/vec.h"

struct kernels {
    struct matmul_set matmul; /* one function per weight type, each the best that the flags allow */
    const struct attn_ops *attn;
    const struct vec_ops *vec;
};

/* Fills k with the best variants among `cpu` (enum cpu_flag bits, already masked by TUTTI_CPU). */
void kernels_choose(struct kernels *k, uint32_t cpu);
#endif
