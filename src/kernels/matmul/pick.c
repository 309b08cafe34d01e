/* kernels/matmul/pick.c - the list of variants and the choice among them; and the memory of activations. */
#include <string.h>

#include "kernels/matmul/matmul.h"

#define VARIANT(isa) extern const struct matmul_ops matmul_##isa;
#include "kernels/matmul/variants.def"

const struct matmul_ops *const matmul_variants[] = {
#define VARIANT(isa) &matmul_##isa,
#include "kernels/matmul/variants.def"
};
const int matmul_n_variants = sizeof(matmul_variants) / sizeof(matmul_variants[0]);

void matmul_choose(struct matmul_set *set, uint32_t cpu)
{
    memset(set, 0, sizeof(*set));
    for (int v = 0; v < matmul_n_variants; v++) {
        const struct matmul_ops *o = matmul_variants[v];
        if (o->need & ~cpu)
            continue;
        if (!set->quantize)
            set->quantize = o->quantize;
        if (o->scratch_bytes && set->n_scratch < (int)(sizeof(set->scratch_bytes) / sizeof(set->scratch_bytes[0])))
            set->scratch_bytes[set->n_scratch++] = o->scratch_bytes;
        for (int t = 0; t <= DTYPE_ID_MAX; t++)
            if (!set->fn[t] && o->fn[t]) {
                set->fn[t] = o->fn[t];
                set->isa[t] = o->isa;
            }
    }
}

size_t matmul_scratch_bytes(const struct matmul_set *set, int n_cols)
{
    size_t most = 64;
    for (int i = 0; i < set->n_scratch; i++) {
        const size_t n = set->scratch_bytes[i](n_cols);
        most = n > most ? n : most;
    }
    return (most + 63) / 64 * 64;
}

static size_t up64(size_t n) { return (n + 63) / 64 * 64; }

size_t acts_bytes(int n_tok, int n_cols)
{
    const size_t n = (size_t)n_tok * (size_t)n_cols;
    return up64(n) + up64(n / 32 * sizeof(float)) + up64(n / 16 * sizeof(int16_t));
}

void acts_place(struct acts *a, void *mem, int n_tok, int n_cols)
{
    const size_t n = (size_t)n_tok * (size_t)n_cols;
    a->n_cols = n_cols;
    a->q = mem;
    a->d = (float *)((char *)mem + up64(n));
    a->sum = (int16_t *)((char *)a->d + up64(n / 32 * sizeof(float)));
}
