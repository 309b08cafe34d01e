/* tools/aarch64-count/driver.c - one call of one kernel, to be counted from outside (tools/aarch64-count.sh).
 *
 * Usage: driver LEVEL TYPE TOKENS; prints "multiply-adds weights bytes".  64 rows, 2048 columns; values do not matter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/matmul/matmul_internal.h"

enum { ROWS = 64, COLS = 2048, TOKENS_MAX = 64 };
extern const struct matmul_ops matmul_neon, matmul_dotprod, matmul_i8mm;

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    const struct matmul_ops *ops = strcmp(argv[1], "i8mm") == 0 ? &matmul_i8mm : strcmp(argv[1], "dotprod") == 0 ? &matmul_dotprod : &matmul_neon;
    const int n_tok = atoi(argv[3]);
    enum dtype type = DTYPE_Q8_0;
    for (uint32_t t = 0; t <= DTYPE_ID_MAX; t++)
        if (dtype_info(t) && strcmp(dtype_info(t)->name, argv[2]) == 0)
            type = (enum dtype)t;
    const bool is_packed = weight_layout_of(type) == WEIGHT_R16;
    const size_t bytes = is_packed ? weight_packed_bytes(type, ROWS, COLS) : (size_t)dtype_row_bytes(type, COLS) * ROWS;
    void *data = aligned_alloc(64, (bytes + 63) / 64 * 64), *acts = aligned_alloc(64, (acts_bytes(TOKENS_MAX, COLS) + 63) / 64 * 64);
    void *scratch = aligned_alloc(64, (ops->scratch_bytes(COLS) + 63) / 64 * 64);
    float *y = calloc(ROWS * TOKENS_MAX, sizeof(float)), *x = calloc(COLS * TOKENS_MAX, sizeof(float));
    if (!data || !acts || !scratch || !y || !x || n_tok < 1 || n_tok > TOKENS_MAX || !ops->fn[type])
        return 1;
    memset(data, 0, bytes);
    struct acts a = { .x = x };
    acts_place(&a, acts, TOKENS_MAX, COLS);
    ops->quantize(&a, 0, n_tok);
    const struct weight w = weight_at(type, ROWS, COLS, data);
    ops->fn[type](y, ROWS, &w, 0, ROWS / 16, &a, n_tok, scratch);
    printf("%ld %d %zu\n", (long)ROWS * COLS * n_tok, ROWS * COLS, bytes);
    return 0;
}
