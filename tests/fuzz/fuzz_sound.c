/* tests/fuzz/fuzz_sound.c - sound from anywhere: a clean error, or numbers, no longer than the limit; the same in pieces as in one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "media/sound.h"

/* libsndfile 1.2.0 forgets 6 kB of libvorbis when it refuses a broken Ogg; not ours to mend. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libvorbis\nleak:libsndfile\n"; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sound_limits limits = { .max_bytes = 1 << 20, .max_s = 20 };
    struct err err = { 0 };
    struct sound s;
    if (!sound_decode(data, size, 0, &limits, &s, &err)) {
        if (!err.text[0] || err.code == ERR_NONE || err.code == ERR_INTERNAL)
            abort();
        return 0;
    }
    if (s.rate_hz < 1000 || (double)s.n > limits.max_s * s.rate_hz + 1)
        abort();
    for (size_t i = 0; i < s.n; i++)
        if (!isfinite(s.samples[i]))
            abort();
    if (sound_sniff(data, size) == SOUND_WAV) { /* ours to the last bit; a library's decoder may be lost in the middle of a broken file */
        struct sound_reader *r = sound_reader_new(data, size, 0, &limits, &err);
        float piece[997];
        size_t at = 0, got = 1;
        while (r && got > 0) {
            if (!sound_read(r, piece, 997, &got, &err) || at + got > s.n || (got && memcmp(piece, s.samples + at, got * sizeof(float)) != 0))
                abort();
            at += got;
        }
        if (!r || at != s.n)
            abort();
        sound_reader_free(r);
    }
    sound_fini(&s);
    return 0;
}
