/* kernels/encode/neon.c - body.inc in 4 lanes of NEON. */
#include "hw/cpu.h"
#define ENCODE_NEON 1
#define ENCODE_ISA neon
#define ENCODE_NEED CPU_NEON
#include "kernels/encode/body.inc"
