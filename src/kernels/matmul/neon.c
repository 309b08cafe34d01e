/* kernels/matmul/neon.c - NEON as every ARMv8 has it: quantizing activations, packed weights, rows. */
#include <arm_neon.h>

#include "hw/cpu.h"
#include "kernels/matmul/lanes8_rows.inc"

#define LEVEL 0
#define NAME(type) neon_##type
#include "kernels/matmul/neon_packed.inc"

void matmul_neon_quantize(struct acts *a, int tok0, int tok1)
{
    const size_t nb = (size_t)a->n_cols / 32, end = (size_t)tok1 * nb;
    for (size_t b = (size_t)tok0 * nb; b < end; b++) {
        const float *x = a->x + b * 32;
        uint32x4_t top = vdupq_n_u32(0);
        for (int i = 0; i < 8; i++)
            top = vmaxq_u32(top, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i * 4)), vdupq_n_u32(0x7fffffff)));
        /* magnitudes as integers order like the numbers, with NaN above infinity: see ref.c */
        const uint32_t bits = vmaxvq_u32(top);
        float most;
        memcpy(&most, &bits, 4);
        if (bits < 0x0d800000 || bits >= 0x7f800000) {
            a->d[b] = bits < 0x0d800000 ? 0.0f : most / 127.0f;
            memset(a->q + b * 32, 0, 32);
            a->sum[b * 2] = a->sum[b * 2 + 1] = 0;
            continue;
        }
        const float inv = 127.0f / most;
        int32x4_t q[8], qq = vdupq_n_s32(0);
        float32x4_t yq[8];
        for (int i = 0; i < 8; i++) {
            const float32x4_t y = vmulq_n_f32(vld1q_f32(x + i * 4), inv);
            q[i] = vcvtnq_s32_f32(y);
            qq = vmlaq_s32(qq, q[i], q[i]);
            yq[i] = vmulq_f32(y, vcvtq_f32_s32(q[i]));
        }
        /* lane i + half onto lane i, half = 16, 8, 4, 2, 1: the order that ref.c adds in */
        for (int half = 4; half > 0; half /= 2)
            for (int i = 0; i < half; i++)
                yq[i] = vaddq_f32(yq[i], yq[i + half]);
        const float32x2_t two = vadd_f32(vget_low_f32(yq[0]), vget_high_f32(yq[0]));
        const float sum_yq = vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
        a->d[b] = most / 127.0f * (sum_yq / (float)vaddvq_s32(qq));
        for (int h = 0; h < 2; h++) {
            const int16x8_t lo = vcombine_s16(vmovn_s32(q[4 * h]), vmovn_s32(q[4 * h + 1])),
                            hi = vcombine_s16(vmovn_s32(q[4 * h + 2]), vmovn_s32(q[4 * h + 3]));
            vst1q_s8(a->q + b * 32 + h * 16, vcombine_s8(vmovn_s16(lo), vmovn_s16(hi)));
            a->sum[b * 2 + (size_t)h] = vaddvq_s16(vaddq_s16(lo, hi));
        }
    }
}

/* Float rows; or a panel of 16 blocks: 8 KB of codes, 4 KB of scales and offsets. */
size_t matmul_neon_scratch_bytes(int n_cols)
{
    enum { PANEL = STRETCH * (512 + 2 * 2 * 64) };
    (void)n_cols;
    return (int)ROWS_SCRATCH > (int)PANEL ? ROWS_SCRATCH : PANEL;
}

const struct matmul_ops matmul_neon = {
    .isa = "neon",
    .need = CPU_NEON,
    .quantize = matmul_neon_quantize,
    .scratch_bytes = matmul_neon_scratch_bytes,
    .fn = {
#define X(name) [DTYPE_##name] = NAME(name),
        MATMUL_PACKED_LIST(X)
#undef X
#define X(name) [DTYPE_##name] = rows,
        MATMUL_ROWS_LIST(X)
#undef X
    },
};
