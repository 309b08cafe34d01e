/* kernels/matmul/amx_tiles.h - the instructions of AMX: eight tiles of up to 16 rows of 64 bytes, and their products.
 *
 * For:     amx.c and amx_rows.c; tests/kernels/amx_model.h defines the same names in plain C and comes first there.
 * Rule:    written out instead of the compilers' intrinsics: those of gcc 12 do not say that a load of a tile (or of the
 *          configuration) reads memory, and stores in front of it may then be dropped or moved behind it.
 *
 * Numbers of tiles are literals.  A tile that is loaded, stored or multiplied must be configured, and shapes must fit:
 * c [m][n] += a [m][k] b [k / 4][n][4] (int8) or b [k / 2][n][2] (bfloat16), where rows(c) = rows(a), colsb(a) = 4 rows(b),
 * colsb(c) = colsb(b).  Intel SDM volume 2, LDTILECFG, TILELOADD, TDPBSSD, TDPBF16PS.
 */
#ifndef TUTTI_KERNELS_MATMUL_AMX_TILES_H
#define TUTTI_KERNELS_MATMUL_AMX_TILES_H
#include <stdalign.h>
#include <stdint.h>

struct tile_shapes { /* what LDTILECFG reads: 64 bytes */
    alignas(64) uint8_t palette; /* 1 */
    uint8_t start_row, none[14]; /* 0 */
    uint16_t colsb[16];          /* bytes in a row; from the ninth on 0 */
    uint8_t rows[16];
};

#ifndef TILE_LOAD
/* All tiles become zero. */
#define TILES_CONFIGURE(shapes) __asm__ volatile("ldtilecfg %0" : : "m"(*(shapes)) : "memory")
/* Back to the state in which the kernel has nothing to save for this thread. */
#define TILES_RELEASE() __asm__ volatile("tilerelease" : : : "memory")
#define TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile : :)
#define TILE_LOAD(tile, at, stride_bytes) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"((const void *)(at)), "r"((long)(stride_bytes)) : "memory")
#define TILE_STORE(tile, at, stride_bytes) \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"((void *)(at)), "r"((long)(stride_bytes)) : "memory")
/* c += a b, int8 signed by signed into int32 */
#define TILE_DOT_S8(c, a, b) __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)
/* c += a b, bfloat16 into float; zeros for what is subnormal */
#define TILE_DOT_BF16(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)
#endif
#endif
