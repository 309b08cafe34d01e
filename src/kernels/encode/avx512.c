/* kernels/encode/avx512.c - body.inc in 16 lanes of AVX-512. */
#include "hw/cpu.h"
#define ENCODE_ISA avx512
#define ENCODE_NEED CPU_AVX512
#include "kernels/encode/body.inc"
