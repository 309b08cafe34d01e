/* tests/fuzz/fuzz_voice.c - any bytes as a voice's JSON, then as text: cut into sentences, turned into numbers. */
#include <stdlib.h>

#include "fuzz.h"
#include "task/sentences.h"
#include "task/voice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct phonemes p;
    static int64_t ids[VOICE_IDS_MAX];
    struct voice v;
    struct err err;
    const bool good = voice_parse(&v, (const char *)data, size, &err);
    for (size_t at = 0, k; at < size; at += k) {
        k = sentence_next((const char *)data + at, size - at, 24);
        if (k < 1 || k > size - at)
            abort();
        if (good && phonemes_by_letters(&p, (const char *)data + at, k, &err) && voice_ids(&v, &p, ids) > VOICE_IDS_MAX)
            abort();
    }
    if (good)
        voice_fini(&v);
    return 0;
}
