/* kernels/matmul/amx_internal.h - what the amx*.c of this folder share. */
#ifndef TUTTI_KERNELS_MATMUL_AMX_INTERNAL_H
#define TUTTI_KERNELS_MATMUL_AMX_INTERNAL_H
#include "kernels/matmul/matmul_internal.h"

matmul_fn matmul_amx_BF16;
size_t matmul_amx_rows_scratch_bytes(int n_cols);
#endif
