/* tests/kernels/amx_model.h - the tiles of AMX in plain C, so that any machine runs the kernels that use them.
 *
 * Include it before kernels/matmul/amx*.c.  It is stricter than the processor: what a processor would fault on, leave undefined or
 * silently accept (a shape that does not fit, a tile without one, a release without a configuration) ends the test.
 * Loads and stores touch exactly the bytes of the shape, so guarded margins and sanitizers see a step too far.
 * Semantics: Intel SDM volume 2, LDTILECFG, TILELOADD, TILESTORED, TILEZERO, TDPBSSD, TDPBF16PS.
 */
#ifndef TUTTI_TESTS_KERNELS_AMX_MODEL_H
#define TUTTI_TESTS_KERNELS_AMX_MODEL_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TILE_LOAD(tile, at, stride_bytes) model_load(tile, (const void *)(at), (long)(stride_bytes))
#define TILE_STORE(tile, at, stride_bytes) model_store(tile, (void *)(at), (long)(stride_bytes))
#define TILE_ZERO(tile) model_zero(tile)
#define TILES_CONFIGURE(shapes) model_configure(shapes)
#define TILES_RELEASE() model_release()
#define TILE_DOT_S8(c, a, b) model_dot_s8(c, a, b)
#define TILE_DOT_BF16(c, a, b) model_dot_bf16(c, a, b)
#include "kernels/matmul/amx_tiles.h"

static _Thread_local struct {
    int rows[8], colsb[8];
    uint8_t data[8][16][64];
} model;
/* Weak: one for all files that are compiled with this. */
__attribute__((weak)) _Thread_local bool amx_model_is_configured; /* between kernels it must not be */
__attribute__((weak)) _Thread_local long amx_model_n_dots;        /* products so far: that a test came through here at all */

#define MODEL_MUST(what)                                                       \
    do {                                                                       \
        if (!(what)) {                                                         \
            fprintf(stderr, "# AMX: %s: not so: %s\n", __func__, #what);       \
            abort();                                                           \
        }                                                                      \
    } while (0)

static inline void model_configure(const struct tile_shapes *s)
{
    MODEL_MUST(sizeof(*s) == 64);
    MODEL_MUST(s->palette == 1 && s->start_row == 0);
    for (int i = 0; i < 14; i++)
        MODEL_MUST(s->none[i] == 0);
    for (int i = 0; i < 16; i++) {
        MODEL_MUST(i < 8 || (s->rows[i] == 0 && s->colsb[i] == 0));
        MODEL_MUST(s->rows[i] <= 16 && s->colsb[i] <= 64);
        MODEL_MUST((s->rows[i] == 0) == (s->colsb[i] == 0));
    }
    memset(&model, 0, sizeof(model));
    for (int i = 0; i < 8; i++)
        model.rows[i] = s->rows[i], model.colsb[i] = s->colsb[i];
    amx_model_is_configured = true;
}

static inline void model_release(void)
{
    MODEL_MUST(amx_model_is_configured);
    memset(&model, 0, sizeof(model));
    amx_model_is_configured = false;
}

static inline void model_has(int tile)
{
    MODEL_MUST(amx_model_is_configured);
    MODEL_MUST(tile >= 0 && tile < 8);
    MODEL_MUST(model.rows[tile] > 0);
}

static inline void model_zero(int tile)
{
    model_has(tile);
    memset(model.data[tile], 0, sizeof(model.data[tile]));
}

static inline void model_load(int tile, const void *at, long stride)
{
    model_zero(tile);
    for (int r = 0; r < model.rows[tile]; r++)
        memcpy(model.data[tile][r], (const char *)at + r * stride, (size_t)model.colsb[tile]);
}

static inline void model_store(int tile, void *at, long stride)
{
    model_has(tile);
    for (int r = 0; r < model.rows[tile]; r++)
        memcpy((char *)at + r * stride, model.data[tile][r], (size_t)model.colsb[tile]);
}

static inline void model_shapes_fit(int c, int a, int b)
{
    model_has(c), model_has(a), model_has(b);
    MODEL_MUST(a != b && a != c && b != c);
    MODEL_MUST(model.colsb[c] % 4 == 0 && model.colsb[a] % 4 == 0 && model.colsb[b] % 4 == 0);
    MODEL_MUST(model.rows[c] == model.rows[a]);
    MODEL_MUST(model.colsb[a] / 4 == model.rows[b]);
    MODEL_MUST(model.colsb[c] == model.colsb[b]);
    amx_model_n_dots++;
}

static inline void model_dot_s8(int c, int a, int b)
{
    model_shapes_fit(c, a, b);
    for (int m = 0; m < model.rows[c]; m++) {
        int32_t sum[16];
        memcpy(sum, model.data[c][m], 64);
        for (int k = 0; k < model.colsb[a] / 4; k++) {
            const int8_t *x = (const int8_t *)&model.data[a][m][k * 4], *w = (const int8_t *)model.data[b][k];
            for (int n = 0; n < model.colsb[c] / 4; n++)
                sum[n] += x[0] * w[n * 4] + x[1] * w[n * 4 + 1] + x[2] * w[n * 4 + 2] + x[3] * w[n * 4 + 3];
        }
        memcpy(model.data[c][m], sum, 64);
    }
}

/* Subnormal is zero, for inputs and results. */
static inline float model_flush(float f) { return fabsf(f) < 0x1p-126f ? copysignf(0.0f, f) : f; }
static inline float model_bf16(const uint8_t *p)
{
    const uint32_t u = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 24;
    float f;
    memcpy(&f, &u, 4);
    return model_flush(f);
}

static inline void model_dot_bf16(int c, int a, int b)
{
    model_shapes_fit(c, a, b);
    for (int m = 0; m < model.rows[c]; m++)
        for (int n = 0; n < model.colsb[c] / 4; n++) {
            float even = 0, odd = 0, sum;
            for (int k = 0; k < model.colsb[a] / 4; k++) {
                even = model_flush(fmaf(model_bf16(&model.data[a][m][k * 4]), model_bf16(&model.data[b][k][n * 4]), even));
                odd = model_flush(fmaf(model_bf16(&model.data[a][m][k * 4 + 2]), model_bf16(&model.data[b][k][n * 4 + 2]), odd));
            }
            memcpy(&sum, &model.data[c][m][n * 4], 4);
            sum = model_flush(model_flush(sum) + model_flush(even + odd));
            memcpy(&model.data[c][m][n * 4], &sum, 4);
        }
}
#endif
