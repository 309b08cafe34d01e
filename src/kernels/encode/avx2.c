/* kernels/encode/avx2.c - body.inc in 8 lanes of AVX2. */
#include "hw/cpu.h"
#define ENCODE_ISA avx2
#define ENCODE_NEED CPU_AVX2
#include "kernels/encode/body.inc"
