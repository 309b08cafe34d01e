/* kernels/kernels.c - see kernels.h. */
#include "kernels/kernels.h"

void kernels_choose(struct kernels *k, uint32_t cpu)
{
    matmul_choose(&k->matmul, cpu);
    k->attn = attn_choose(cpu);
    k->vec = vec_choose(cpu);
}
