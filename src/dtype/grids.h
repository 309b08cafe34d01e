/* dtype/grids.h - the fixed tables of GGUF's lattice and non-linear formats, in their shortest form.
 *
 * For:     dtype/iquants.c, dtype/micro.c, and kernels that unpack the same formats.
 * Touches: nothing.
 * Rule:    a grid's entry i is one point: coordinate j is lut[entry >> (bits * j) & mask], with two bits
 *          and a lut of 3 for the formats of eight coordinates, three bits and a lut of 8 for those of four.
 */
#ifndef TUTTI_DTYPE_GRIDS_H
#define TUTTI_DTYPE_GRIDS_H
#include <stdint.h>

/* Eight coordinates of 2 bits: magnitudes {8, 25, 43} (signs are stored apart). */
extern const uint16_t grid_iq2xxs[256], grid_iq2xs[512], grid_iq2s[1024];
/* Four coordinates of 3 bits: magnitude 8 c + 4, the last (7) is 62. */
extern const uint16_t grid_iq3xxs[256];
/* Four coordinates of 3 bits: magnitude 2 c + 1. */
extern const uint16_t grid_iq3s[512];
/* Eight coordinates of 2 bits: c - 1; shared by IQ1_S and IQ1_M. */
extern const uint16_t grid_iq1[2048];

static inline int grid_iq2_value(uint16_t point, int j) { return (const uint8_t[4]){ 8, 25, 43, 0 }[point >> 2 * j & 3]; }
static inline int grid_iq3xxs_value(uint16_t point, int j)
{
    const int c = point >> 3 * j & 7;
    return 8 * c + 4 + 2 * (c == 7);
}
static inline int grid_iq3s_value(uint16_t point, int j) { return 2 * (point >> 3 * j & 7) + 1; }
static inline int grid_iq1_value(uint16_t point, int j) { return (point >> 2 * j & 3) - 1; }

/* IQ2_XXS, IQ2_XS and IQ3_XXS store seven of eight signs; the eighth makes the number of minuses even. */
static inline unsigned grid_signs(unsigned seven) { return seven | (unsigned)(__builtin_popcount(seven & 127) & 1) << 7; }

extern const int8_t dtype_iq4_values[16];  /* IQ4_NL and IQ4_XS */
extern const int8_t dtype_e2m1_values[16]; /* MXFP4 and NVFP4: twice the value of E2M1 */
#endif
