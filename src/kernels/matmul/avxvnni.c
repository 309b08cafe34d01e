/* kernels/matmul/avxvnni.c - packed weights with AVX-VNNI (Alder Lake, Zen 5 and later): vpdpbusd on 256 bits; the
 * loop is in avx2_packed.inc, everything else is AVX2's. */
#include <immintrin.h>

#include "hw/cpu.h"

#define VNNI 1
#ifndef DPBUSD /* tests/kernels runs this file with the EVEX form of the instruction, on machines that have only that */
#define DPBUSD(acc, w, x) _mm256_dpbusd_avx_epi32(acc, w, x)
#define NAME(type) matmul_avxvnni_##type
#endif
#include "kernels/matmul/avx2_packed.inc"

const struct matmul_ops matmul_avxvnni = {
    .isa = "avxvnni",
    .need = CPU_AVX2 | CPU_AVXVNNI,
    .quantize = matmul_avx2_quantize,
    .scratch_bytes = matmul_avx2_scratch_bytes,
    .fn = {
#define X(name) [DTYPE_##name] = NAME(name),
        MATMUL_PACKED_LIST(X)
#undef X
    },
};
