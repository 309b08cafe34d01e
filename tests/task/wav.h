/* tests/task/wav.h - the plain 16 kHz mono int16 WAV files of the test data, read without any of our code. */
#ifndef TUTTI_TESTS_TASK_WAV_H
#define TUTTI_TESTS_TASK_WAV_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Samples / 32768; owned by the caller.  NULL when it is no such file.  Chunks before "data" are walked. */
static inline float *wav_read(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    uint8_t h[12];
    float *x = NULL;
    *n = 0;
    if (!f)
        return NULL;
    if (fread(h, 1, 12, f) == 12 && memcmp(h, "RIFF", 4) == 0)
        while (!x && fread(h, 1, 8, f) == 8) {
            const uint32_t size = (uint32_t)h[4] | (uint32_t)h[5] << 8 | (uint32_t)h[6] << 16 | (uint32_t)h[7] << 24;
            if (memcmp(h, "data", 4) != 0) {
                fseek(f, (long)size + (long)(size & 1), SEEK_CUR);
                continue;
            }
            int16_t *pcm = malloc(size + 2);
            *n = fread(pcm, 2, size / 2, f);
            x = malloc((*n + 1) * sizeof(float));
            for (size_t i = 0; i < *n; i++)
                x[i] = pcm[i] / 32768.0f;
            free(pcm);
        }
    fclose(f);
    return x;
}

static inline double test_clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}
#endif
