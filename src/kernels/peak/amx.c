/* kernels/peak/amx.c - products of full tiles that stay in their registers. */
#include "hw/cpu.h"
#include "kernels/matmul/amx_tiles.h"
#include "kernels/peak/peak.h"

/* Four sums of 16 x 16, two tiles for each side: what a kernel that reuses its tiles can have at most. */
static void start(void)
{
    struct tile_shapes s = { .palette = 1 };
    for (int i = 0; i < 8; i++)
        s.rows[i] = 16, s.colsb[i] = 64;
    TILES_CONFIGURE(&s);
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    TILE_ZERO(4);
    TILE_ZERO(5);
    TILE_ZERO(6);
    TILE_ZERO(7);
}

static double int8(long n_rounds, volatile int *sink)
{
    start();
    for (long r = 0; r < n_rounds; r++) {
        TILE_DOT_S8(0, 4, 6);
        TILE_DOT_S8(1, 4, 7);
        TILE_DOT_S8(2, 5, 6);
        TILE_DOT_S8(3, 5, 7);
    }
    TILES_RELEASE();
    *sink = 0;
    return 2.0 * 4 * 16 * 16 * 64 * (double)n_rounds;
}

static double bf16(long n_rounds, volatile int *sink)
{
    start();
    for (long r = 0; r < n_rounds; r++) {
        TILE_DOT_BF16(0, 4, 6);
        TILE_DOT_BF16(1, 4, 7);
        TILE_DOT_BF16(2, 5, 6);
        TILE_DOT_BF16(3, 5, 7);
    }
    TILES_RELEASE();
    *sink = 0;
    return 2.0 * 4 * 16 * 16 * 32 * (double)n_rounds;
}

const struct peak_ops peak_amx = { .isa = "amx", .need = CPU_AMX, .int8 = int8, .bf16 = bf16 };
