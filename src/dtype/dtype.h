/* dtype/dtype.h - number formats of tensors: names, block layouts, and what their bits mean.
 *
 * For:     gguf/ (sizes), kernels/ (reference; kernels/encode/ writes them), llm/ (embedding rows).
 * Callers: rooms above; dtype/ knows no files and no models.
 * Touches: nothing.
 * Rule:    ids, block sizes and bit layouts are those of GGUF (ggml's type numbers); dequantizing
 *          is exact: one correct float for each code, the same on every machine.  ORDER DTYPE
 */
#ifndef TUTTI_DTYPE_DTYPE_H
#define TUTTI_DTYPE_DTYPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* GGUF id, NAME, values per block, bytes per block.  Ids 4, 5, 31..33, 36..38 were removed upstream. */
#define DTYPE_LIST(X)                                                                              \
    X(0, F32, 1, 4)                                                                                \
    X(1, F16, 1, 2)                                                                                \
    X(2, Q4_0, 32, 18)                                                                             \
    X(3, Q4_1, 32, 20)                                                                             \
    X(6, Q5_0, 32, 22)                                                                             \
    X(7, Q5_1, 32, 24)                                                                             \
    X(8, Q8_0, 32, 34)                                                                             \
    X(9, Q8_1, 32, 36)                                                                             \
    X(10, Q2_K, 256, 84)                                                                           \
    X(11, Q3_K, 256, 110)                                                                          \
    X(12, Q4_K, 256, 144)                                                                          \
    X(13, Q5_K, 256, 176)                                                                          \
    X(14, Q6_K, 256, 210)                                                                          \
    X(15, Q8_K, 256, 292)                                                                          \
    X(16, IQ2_XXS, 256, 66)                                                                        \
    X(17, IQ2_XS, 256, 74)                                                                         \
    X(18, IQ3_XXS, 256, 98)                                                                        \
    X(19, IQ1_S, 256, 50)                                                                          \
    X(20, IQ4_NL, 32, 18)                                                                          \
    X(21, IQ3_S, 256, 110)                                                                         \
    X(22, IQ2_S, 256, 82)                                                                          \
    X(23, IQ4_XS, 256, 136)                                                                        \
    X(24, I8, 1, 1)                                                                                \
    X(25, I16, 1, 2)                                                                               \
    X(26, I32, 1, 4)                                                                               \
    X(27, I64, 1, 8)                                                                               \
    X(28, F64, 1, 8)                                                                               \
    X(29, IQ1_M, 256, 56)                                                                          \
    X(30, BF16, 1, 2)                                                                              \
    X(34, TQ1_0, 256, 54)                                                                          \
    X(35, TQ2_0, 256, 66)                                                                          \
    X(39, MXFP4, 32, 17)                                                                           \
    X(40, NVFP4, 64, 36)                                                                           \
    X(41, Q1_0, 128, 18)                                                                           \
    X(42, Q2_0, 64, 18)

enum dtype {
#define X(id, name, n, bytes) DTYPE_##name = id,
    DTYPE_LIST(X)
#undef X
        DTYPE_ID_MAX = 42
};

struct dtype_info {
    const char *name;  /* lower case: "q4_k"; NULL for an id that does not exist */
    int block_len;     /* values per block */
    int block_bytes;
};

/* NULL when the id (as a file claims it) names no type. */
const struct dtype_info *dtype_info(uint32_t id);
/* By name, any case ("Q4_K", "q4_k"); false when unknown. */
bool dtype_from_name(const char *name, enum dtype *type);

/* Bytes of a row of n values; 0 when n is no multiple of the block or the size overflows. */
uint64_t dtype_row_bytes(enum dtype type, uint64_t n);

/* n values (a multiple of the block) to float.  false when the type has no meaning as numbers here
 * (Q8_1 and Q8_K are activations; integers are converted). */
bool dtype_to_f32(float *out, enum dtype type, const void *blocks, size_t n);

float dtype_f16_to_f32(uint16_t h);
uint16_t dtype_f32_to_f16(float f); /* round to nearest even */
static inline float dtype_bf16_to_f32(uint16_t h)
{
    union { uint32_t u; float f; } v = { .u = (uint32_t)h << 16 };
    return v.f;
}
uint16_t dtype_f32_to_bf16(float f); /* round to nearest even; NaN stays NaN */
#endif
