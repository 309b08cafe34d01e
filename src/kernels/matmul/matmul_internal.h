/* kernels/matmul/matmul_internal.h - where the planes of a packed group lie; for the files of this folder.
 *
 * A group of 16 rows with K columns; nb = K / 32, ns = K / 256 ("super blocks" of the K types).
 * Codes (k = 32 b + 4 j + i, row r; byte index r * 4 + i within a quad):
 *   low  [nb][4][64]  4 bits each: quad j (0..3) in the low, quad j + 4 in the high nibble    (4-, 5-, 6-bit types)
 *   two  [nb][2][64]  2 bits each: plane p holds quads 4 p .. 4 p + 3, quad j at bits 2 (j % 4)  (2-, 3-bit: low bits; 6-bit: high bits)
 *   one  [nb][64]     1 bit each: quad j at bit j                                              (5-, 3-bit: high bit)
 *   byte [nb][8][64]  8 bits each, biased: code = q + 128                                      (Q8_0)
 * Scales:
 *   d    [nb or ns][16] f16; m the same: second scale (Q4_1, Q5_1: minimum; Q2_K, Q4_K, Q5_K: dmin)
 *   sc   u8 or s8, [nb][16] or [2 nb][16]: scales of sub-blocks of 32 or 16; mn [nb][16]: of minima
 *   e    [nb][16] u8: exponents (MXFP4)
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

struct planes { /* byte offsets in a group; 0 is the first plane; SIZE_MAX: the type has no such plane */
    size_t low, two, one, byte, d, m, sc, mn, end;
};
struct planes weight_planes(enum dtype type, int n_cols);

/* What a block of 32 codes of one row means: value = scale[h] * code + off[h], h = 0 for the first 16. */
struct row_block {
    int16_t code[32];
    float scale[2], off[2];
};
void weight_read_block(struct row_block *b, const struct weight *w, int row, int block);

/* The 16 values of the code books (IQ4_NL and IQ4_XS; MXFP4 doubled). */
extern const int8_t matmul_book_iq4nl[16], matmul_book_mxfp4[16];
#endif
