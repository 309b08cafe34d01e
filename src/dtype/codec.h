/* dtype/codec.h - what the files of dtype/ share: signatures of the codecs and little-endian fields.
 *
 * For:     dtype/ only.
 * Rule:    a codec works on whole blocks and knows nothing of rows; blocks have no alignment.  Decoders
 *          multiply in the order that keeps every product exact, so that only a final sum rounds.
 */
#ifndef TUTTI_DTYPE_CODEC_H
#define TUTTI_DTYPE_CODEC_H
#include "dtype/dtype.h"

typedef void codec_decode_fn(float *out, const uint8_t *block, size_t n_blocks);

codec_decode_fn codec_decode_F32, codec_decode_F16, codec_decode_BF16, codec_decode_F64; /* float.c */
codec_decode_fn codec_decode_I8, codec_decode_I16, codec_decode_I32, codec_decode_I64;
codec_decode_fn codec_decode_Q4_0, codec_decode_Q4_1, codec_decode_Q5_0, codec_decode_Q5_1, codec_decode_Q8_0; /* legacy.c */
codec_decode_fn codec_decode_Q2_K, codec_decode_Q3_K, codec_decode_Q4_K, codec_decode_Q5_K, codec_decode_Q6_K; /* kquants.c */
codec_decode_fn codec_decode_IQ1_S, codec_decode_IQ1_M, codec_decode_IQ2_XXS, codec_decode_IQ2_XS; /* iquants.c */
codec_decode_fn codec_decode_IQ2_S, codec_decode_IQ3_XXS, codec_decode_IQ3_S;
codec_decode_fn codec_decode_IQ4_NL, codec_decode_IQ4_XS; /* iq4.c */
codec_decode_fn codec_decode_TQ1_0, codec_decode_TQ2_0; /* ternary.c */
codec_decode_fn codec_decode_MXFP4, codec_decode_NVFP4, codec_decode_Q1_0, codec_decode_Q2_0; /* micro.c */

static inline uint16_t get_u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t get_u32(const uint8_t *p) { return get_u16(p) | (uint32_t)get_u16(p + 2) << 16; }
static inline float get_f16(const uint8_t *p) { return dtype_f16_to_f32(get_u16(p)); }
#endif
