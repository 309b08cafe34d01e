/* fuzz_smi.c - what nvidia-smi prints: a program from outside, its text is input. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "hw/gpu_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), version[16];
    struct hw_gpu gpus[4];
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    const int n = smi_parse(text, gpus, 4);
    for (int i = 0; i < n; i++)
        if (strlen(gpus[i].name) >= sizeof(gpus[i].name) || gpus[i].vram_bytes < 0 || gpus[i].link_width > 32 || gpus[i].compute_minor > 9)
            abort();
    smi_parse_cuda(text, version, sizeof(version));
    free(text);
    return 0;
}
