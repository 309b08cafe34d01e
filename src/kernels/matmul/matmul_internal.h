/* kernels/matmul/matmul_internal.h - what a packed group consists of; for the files of this folder.
 *
 * A group of 16 rows is a chain of units; a unit holds all that a kernel needs of a block of 32 along K (Q and MXFP4
 * types) or of a super block of 256 (K types, IQ4_XS), in the order in which it is read:
 *   per 32:   codes [sc], then d [m]
 *   per 256:  d [m], then eight times codes sc [mn]
 * Codes of a block (k = 4 j + i, row r; byte index r * 4 + i within a quad), those of these planes that the type has:
 *   one  [64]     1 bit each: quad j at bit j                                              (5-, 3-bit: high bit)
 *   two  [2][64]  2 bits each: plane p holds quads 4 p .. 4 p + 3, quad j at bits 2 (j % 4)  (2-, 3-bit: low bits; 6-bit: high bits)
 *   low  [4][64]  4 bits each: quad j (0..3) in the low, quad j + 4 in the high nibble       (4-, 5-, 6-bit types)
 *   byte [8][64]  8 bits each, biased: code = q + 128                                      (Q8_0)
 * Scales:
 *   d    [16] f16; m the same: second scale (Q4_1, Q5_1: minimum; Q2_K, Q4_K, Q5_K: dmin)
 *   sc   u8 or s8, [16] or [2][16]: scales of sub-blocks of 32 or 16 (MXFP4: exponents); mn [16]: of minima
 * Units are multiples of 16 bytes; only the group begins on 64.
 */
#ifndef TUTTI_KERNELS_MATMUL_MATMUL_INTERNAL_H
#define TUTTI_KERNELS_MATMUL_MATMUL_INTERNAL_H
#include "kernels/matmul/matmul.h"

/* The types of each layout, for tables of functions. */
#define MATMUL_PACKED_LIST(X)                                                                      \
    X(Q8_0) X(Q4_0) X(Q4_1) X(Q5_0) X(Q5_1) X(Q2_K) X(Q3_K) X(Q4_K) X(Q5_K) X(Q6_K) X(IQ4_NL) X(IQ4_XS) X(MXFP4)
#define MATMUL_ROWS_LIST(X)                                                                        \
    X(F32) X(F16) X(BF16) X(F64) X(I8) X(I16) X(I32) X(I64) X(IQ1_S) X(IQ1_M) X(IQ2_XXS) X(IQ2_XS) X(IQ2_S) \
    X(IQ3_XXS) X(IQ3_S) X(TQ1_0) X(TQ2_0) X(NVFP4) X(Q1_0) X(Q2_0)

/* Where things lie, in bytes; -1: the type has none. */
struct unit {
    int n_blocks;                    /* of 32 values: 1 or 8; 0: the type is not packed */
    int one, two[2], low, byte;      /* within a block */
    int sc, n_sc, mn;                /* within a block; n_sc: 16 or 32 bytes of sc */
    int first, block_bytes;          /* the first block in the unit; to the next */
    int d, m, bytes;                 /* within the unit */
};

/* Inlined with a constant type, all of it is constants. */
static inline __attribute__((always_inline)) struct unit unit_of(const enum dtype t)
{
    int one = 0, two = 0, low = 0, byte = 0, d = 1, m = 0, mn = 0;
    struct unit u = { .n_blocks = 1 };
    switch (t) {
    case DTYPE_Q8_0: byte = 1; break;
    case DTYPE_Q4_0:
    case DTYPE_IQ4_NL: low = 1; break;
    case DTYPE_Q4_1: low = m = 1; break;
    case DTYPE_Q5_0: low = one = 1; break;
    case DTYPE_Q5_1: low = one = m = 1; break;
    case DTYPE_MXFP4: low = 1, d = 0, u.n_sc = 16; break;
    case DTYPE_Q2_K: u.n_blocks = 8, two = m = 1, u.n_sc = 32; break;
    case DTYPE_Q3_K: u.n_blocks = 8, two = one = 1, u.n_sc = 32; break;
    case DTYPE_Q4_K: u.n_blocks = 8, low = m = mn = 1, u.n_sc = 16; break;
    case DTYPE_Q5_K: u.n_blocks = 8, low = one = m = mn = 1, u.n_sc = 16; break;
    case DTYPE_Q6_K: u.n_blocks = 8, low = two = 1, u.n_sc = 32; break;
    case DTYPE_IQ4_XS: u.n_blocks = 8, low = 1, u.n_sc = 16; break;
    default: u.n_blocks = 0;
    }
    int at = 0;
#define PLACE(field, n_bytes) (u.field = (n_bytes) > 0 ? at : -1, at += (n_bytes))
    PLACE(two[0], two * 64), PLACE(one, one * 64), PLACE(low, low * 256), PLACE(byte, byte * 512), PLACE(two[1], two * 64);
    PLACE(sc, u.n_sc), PLACE(mn, mn * 16);
    u.block_bytes = at;
    at = u.n_blocks == 1 ? at : 0;
    PLACE(d, d * 32), PLACE(m, m * 32);
#undef PLACE
    u.first = u.n_blocks == 1 ? 0 : at;
    u.bytes = u.n_blocks == 1 ? at : at + 8 * u.block_bytes;
    return u;
}

/* A block of 32 in a group: itself, and its unit for d and m. */
struct block {
    const uint8_t *at, *unit;
};
static inline __attribute__((always_inline)) struct block block_at(const struct unit *u, const uint8_t *group, size_t b)
{
    const size_t n = (size_t)u->n_blocks;
    const uint8_t *unit = group + b / n * (size_t)u->bytes;
    return (struct block){ unit + (size_t)u->first + b % n * (size_t)u->block_bytes, unit };
}

/* What a block of 32 codes of one row means: value = scale[h] * code + off[h], h = 0 for the first 16. */
struct row_block {
    int16_t code[32];
    float scale[2], off[2];
};
void weight_read_block(struct row_block *b, const struct weight *w, int row, int block);

/* The 16 values of the code books (IQ4_NL and IQ4_XS; MXFP4 doubled). */
extern const int8_t matmul_book_iq4nl[16], matmul_book_mxfp4[16];
#endif
