/* kernels/encode/ref.c - body.inc in one lane, plain C: gives the formats their meaning, judges the others, runs everywhere. */
#include "hw/cpu.h"
#define ENCODE_ISA ref
#define ENCODE_NEED 0
#include "kernels/encode/body.inc"
