/* kernels/attn/avx512_internal.h - the part of avx512.c that works on codes. */
#ifndef TUTTI_KERNELS_ATTN_AVX512_INTERNAL_H
#define TUTTI_KERNELS_ATTN_AVX512_INTERNAL_H
#include "kernels/attn/attn_internal.h"

void attn_part_codes_512(const struct attn_job *job, const struct attn_queries *q, int pos0, float *state, void *scratch);
#endif
