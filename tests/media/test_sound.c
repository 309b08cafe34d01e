/* tests/media/test_sound.c - sound comes back as it was written, at any rate; what is broken or too long is said. */
#include "media/sound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "test.h"

#define NEED(ok, err)                                                                              \
    do {                                                                                           \
        const bool ok_ = (ok);                                                                     \
        if (!ok_ && (err).code == ERR_UNSUPPORTED)                                                 \
            SKIP("%s", (err).text);                                                                \
        REQUIRE(ok_, "%s", (err).text);                                                            \
    } while (0)

/* libsndfile 1.2.0 forgets 6 kB of libvorbis when it refuses a broken Ogg; not ours to mend. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libvorbis\nleak:libsndfile\n"; }

static const double PI = 3.14159265358979323846;

static void put_le(uint8_t *p, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* A WAV with n frames of `channels`, each channel v(i) = sin(i / 10) * 0.9 / (c + 1); returns its size. */
static size_t write_wav(uint8_t *out, int tag, int bits, int channels, int n, bool is_extensible)
{
    const int fmt = is_extensible ? 40 : 16, bytes = bits / 8, data = n * channels * bytes;
    uint8_t *p = out;
    memcpy(p, "RIFF\0\0\0\0WAVELIST\5\0\0\0hello\0fmt ", 30); /* an odd chunk is padded */
    put_le(p + 4, (uint64_t)(4 + 14 + 8 + fmt + 8 + data), 4);
    p += 30;
    put_le(p, (uint64_t)fmt, 4), p += 4;
    memset(p, 0, (size_t)fmt);
    put_le(p, is_extensible ? 0xFFFE : (uint64_t)tag, 2), put_le(p + 2, (uint64_t)channels, 2), put_le(p + 4, 16000, 4);
    put_le(p + 8, (uint64_t)(16000 * channels * bytes), 4), put_le(p + 12, (uint64_t)(channels * bytes), 2), put_le(p + 14, (uint64_t)bits, 2);
    if (is_extensible) {
        put_le(p + 16, 22, 2), put_le(p + 18, (uint64_t)bits, 2), put_le(p + 24, (uint64_t)tag, 2);
        memcpy(p + 26, "\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71", 14);
    }
    p += fmt;
    memcpy(p, "data", 4), put_le(p + 4, (uint64_t)data, 4), p += 8;
    for (int i = 0; i < n; i++)
        for (int c = 0; c < channels; c++, p += bytes) {
            const double v = sin(i / 10.0) * 0.9 / (c + 1);
            if (tag == 1 && bits == 8)
                p[0] = (uint8_t)(128 + lrint(v * 127));
            else if (tag == 1)
                put_le(p, (uint64_t)llrint(v * (double)((1ll << (bits - 1)) - 1)), bytes);
            else if (bits == 32)
                memcpy(p, &(float){ (float)v }, 4);
            else if (bits == 64)
                memcpy(p, &v, 8);
            else
                p[0] = (uint8_t)(i * channels + c); /* all 256 codes of G.711 */
        }
    return (size_t)(p - out);
}

TEST(every_form_of_wav_is_read_and_mixed_to_mono)
{
    static const struct { int tag, bits; double most; } forms[] = { { 1, 8, 0.02 }, { 1, 16, 1e-4 }, { 1, 24, 1e-6 }, { 1, 32, 1e-6 }, { 3, 32, 1e-6 }, { 3, 64, 1e-6 } };
    uint8_t *wav = malloc(1 << 16);
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
        for (int channels = 1; channels <= 3; channels++)
            for (int ext = 0; ext < 2; ext++) {
                const size_t n = write_wav(wav, forms[i].tag, forms[i].bits, channels, 300, ext);
                struct sound s;
                REQUIRE(sound_decode(wav, n, 0, NULL, &s, &err), "%zu: %s", i, err.text);
                CHECK(s.n == 300 && s.rate_hz == 16000, "%zu samples at %d", s.n, s.rate_hz);
                const double gain = 0.9 * (channels == 1 ? 1 : channels == 2 ? 1.5 / 2 : (1 + 1 / 2. + 1 / 3.) / 3);
                double worst = 0;
                for (int k = 0; k < 300; k++)
                    worst = fmax(worst, fabs(s.samples[k] - gain * sin(k / 10.0)));
                CHECK(worst < forms[i].most, "form %zu, %d channels: %g", i, channels, worst);
                sound_fini(&s);
            }
    free(wav);
}

TEST(telephone_codes_follow_g711)
{
    /* code 0x80 / 0x00 are mu-law's largest values +-32124, 0xFF is 0; A-law 0xAA / 0x2A are +-32256, 0xD5 is 8 */
    uint8_t wav[1024];
    struct err err = { 0 };
    struct sound s;
    REQUIRE(sound_decode(wav, write_wav(wav, 7, 8, 1, 256, false), 0, NULL, &s, &err), "%s", err.text);
    CHECK(s.samples[0x80] * 32768 == 32124 && s.samples[0x00] * 32768 == -32124 && s.samples[0xFF] == 0 && s.samples[0xEF] * 32768 == 132);
    sound_fini(&s);
    REQUIRE(sound_decode(wav, write_wav(wav, 6, 8, 1, 256, false), 0, NULL, &s, &err), "%s", err.text);
    CHECK(s.samples[0xAA] * 32768 == 32256 && s.samples[0x2A] * 32768 == -32256 && s.samples[0xD5] * 32768 == 8 && s.samples[0x55] * 32768 == -8);
    sound_fini(&s);
}

TEST(int16_goes_through_unchanged)
{
    int16_t in[65536], out[65536];
    float f[65536];
    for (int i = 0; i < 65536; i++)
        in[i] = (int16_t)(i - 32768);
    sound_s16_to_f32(in, f, 65536);
    sound_f32_to_s16(f, out, 65536);
    CHECK(memcmp(in, out, sizeof(in)) == 0);
    const float odd[] = { 1, 2, -1, -2, NAN, INFINITY, -INFINITY, 0.9999999f };
    sound_f32_to_s16(odd, out, 8);
    CHECK(out[0] == 32767 && out[1] == 32767 && out[2] == -32768 && out[3] == -32768 && out[4] == 0 && out[5] == 32767 && out[6] == -32768 && out[7] == 32767);
}

TEST(a_broken_wav_is_an_error_and_a_stream_without_length_is_not)
{
    uint8_t wav[2048];
    struct err err = { 0 };
    struct sound s;
    const size_t n = write_wav(wav, 1, 16, 2, 100, false);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, wav, cut);
        const bool good = sound_decode(exact, cut, 0, NULL, &s, &err);
        CHECK(!good && err.code == ERR_INPUT && err.text[0], "%zu bytes", cut);
        if (good)
            sound_fini(&s);
        free(exact);
    }
    put_le(wav + n - 400 - 4, 0xFFFFFFFF, 4);
    REQUIRE(sound_decode(wav, n - 3, 0, NULL, &s, &err), "%s", err.text);
    CHECK(s.n == 99, "%zu", s.n);
    sound_fini(&s);
    uint8_t bad[2048];
    static const struct { int at; uint32_t v; int bytes; enum err_code code; } broken[] = {
        { 34, 2, 2, ERR_UNSUPPORTED }, /* ADPCM */      { 36, 0, 2, ERR_INPUT },   /* no channels */
        { 38, 0, 4, ERR_INPUT },       /* no rate */     { 46, 3, 2, ERR_INPUT },   /* bytes a frame */
        { 48, 12, 2, ERR_UNSUPPORTED }, /* bits */
    };
    for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
        memcpy(bad, wav, n);
        put_le(bad + broken[i].at, broken[i].v, broken[i].bytes);
        CHECK(!sound_decode(bad, n, 0, NULL, &s, &err) && err.code == broken[i].code, "%zu: %s", i, err.text);
    }
    CHECK(!sound_decode("no sound at all", 15, 0, NULL, &s, &err) && err.code == ERR_INPUT, "%s", err.text);
}

static float *sine(int n, double hz, int rate)
{
    float *s = malloc((size_t)n * sizeof(float));
    for (int i = 0; i < n; i++)
        s[i] = (float)(0.5 * sin(2 * PI * hz * i / rate));
    return s;
}

TEST(another_rate_keeps_time_pitch_and_loudness)
{
    static const int rates[][2] = { { 44100, 16000 }, { 8000, 16000 }, { 22050, 16000 }, { 48000, 16000 }, { 16000, 24000 }, { 16000, 16000 } };
    struct err err = { 0 };
    for (size_t k = 0; k < sizeof(rates) / sizeof(*rates); k++) {
        const int from = rates[k][0], to = rates[k][1], n = from * 2;
        float *in = sine(n, 440, from);
        struct buf wav;
        buf_init(&wav, 1 << 24);
        REQUIRE(sound_encode(SOUND_WAV, in, (size_t)n, from, &wav, &err), "%s", err.text);
        struct sound s;
        NEED(sound_decode(wav.data, wav.len, to, NULL, &s, &err), err);
        CHECK(abs((int)s.n - to * 2) <= 1 && s.rate_hz == to, "%d -> %d: %zu samples", from, to, s.n);
        double worst = 0;
        for (int i = to / 10; i < (int)s.n - to / 10; i++)
            worst = fmax(worst, fabs(s.samples[i] - 0.5 * sin(2 * PI * 440 * i / to)));
        CHECK(worst < 1e-3, "%d -> %d: %g", from, to, worst);
        /* in odd pieces: the same to the bit */
        struct sound_reader *r = sound_reader_new(wav.data, wav.len, to, NULL, &err);
        REQUIRE(r, "%s", err.text);
        CHECK(fabs(sound_reader_s(r) - 2) < 1e-9 && sound_reader_source_rate_hz(r) == from);
        size_t at = 0, got;
        float piece[777];
        bool is_same = true;
        do {
            REQUIRE(sound_read(r, piece, 1 + at % 777, &got, &err), "%s", err.text);
            is_same = is_same && at + got <= s.n && memcmp(piece, s.samples + at, got * sizeof(float)) == 0;
            at += got;
        } while (got > 0);
        CHECK(is_same && at == s.n, "%d -> %d: %zu of %zu", from, to, at, s.n);
        sound_reader_free(r);
        sound_fini(&s);
        buf_fini(&wav);
        free(in);
    }
}

static bool append(void *ctx, const void *bytes, size_t n)
{
    buf_append(ctx, bytes, n);
    return true;
}

/* The correlation of a and b when b begins `lag` samples later. */
static double correlation(const float *a, const float *b, int n, int lag)
{
    double ab = 0, aa = 1e-9, bb = 1e-9;
    for (int i = 0; i + lag < n; i++)
        ab += (double)a[i] * b[i + lag], aa += (double)a[i] * a[i], bb += (double)b[i + lag] * b[i + lag];
    return ab / sqrt(aa * bb);
}

TEST(every_form_that_is_written_is_read_again)
{
    static const enum sound_kind kinds[] = { SOUND_WAV, SOUND_FLAC, SOUND_OPUS, SOUND_OGG, SOUND_MP3 };
    static const int rates[] = { 16000, 22050, 24000, 48000 };
    struct err err = { 0 };
    for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
        for (int i = 0; i < 4; i++)
            for (int is_streamed = 0; is_streamed < 2; is_streamed++) {
                const int rate = rates[i], n = rate;
                float *in = sine(n, 300, rate);
                for (int j = 0; j < n; j++) /* a slow swell, so that a delay would be seen */
                    in[j] *= (float)sin(PI * j / n);
                struct buf b;
                buf_init(&b, 1 << 24);
                if (is_streamed) {
                    struct sound_writer *w = sound_writer_new(kinds[k], rate, append, &b, &err);
                    NEED(w != NULL, err);
                    for (int at = 0; at < n; at += 1000)
                        REQUIRE(sound_writer_put(w, in + at, (size_t)(n - at < 1000 ? n - at : 1000), &err), "%s", err.text);
                    REQUIRE(sound_writer_finish(w, &err), "%s", err.text);
                    sound_writer_free(w);
                } else {
                    NEED(sound_encode(kinds[k], in, (size_t)n, rate, &b, &err), err);
                }
                CHECK(sound_sniff(b.data, b.len) == kinds[k], "%s at %d", sound_kind_name(kinds[k]), rate);
                struct sound s;
                REQUIRE(sound_decode(b.data, b.len, rate, NULL, &s, &err), "%s at %d: %s", sound_kind_name(kinds[k]), rate, err.text);
                if (kinds[k] == SOUND_WAV || kinds[k] == SOUND_FLAC) {
                    double worst = s.n == (size_t)n ? 0 : 1e9;
                    for (int j = 0; j < n && (size_t)j < s.n; j++)
                        worst = fmax(worst, fabs(in[j] - s.samples[j]));
                    CHECK(worst <= 0.51 / 32768, "%s at %d: %g, %zu samples", sound_kind_name(kinds[k]), rate, worst, s.n);
                } else {
                    const int m = s.n < (size_t)n ? (int)s.n : n;
                    double best = 0;
                    for (int lag = 0; lag < rate / 8; lag += kinds[k] == SOUND_MP3 ? 1 : rate) /* an MP3 begins later */
                        best = fmax(best, correlation(in, s.samples, m, lag));
                    CHECK(best > 0.98 && abs((int)s.n - n) < rate / 8, "%s at %d: %g, %zu samples", sound_kind_name(kinds[k]), rate, best, s.n);
                }
                sound_fini(&s);
                buf_fini(&b);
                free(in);
            }
}

TEST(a_stream_leaves_while_it_is_written)
{
    static const enum sound_kind kinds[] = { SOUND_PCM, SOUND_WAV, SOUND_FLAC, SOUND_OPUS };
    struct err err = { 0 };
    float *in = sine(24000 * 3, 300, 24000);
    for (size_t k = 0; k < 4; k++) {
        struct buf b;
        buf_init(&b, 1 << 24);
        struct sound_writer *w = sound_writer_new(kinds[k], 24000, append, &b, &err);
        NEED(w != NULL, err);
        const size_t head = b.len;
        REQUIRE(sound_writer_put(w, in, 24000, &err), "%s", err.text);
        CHECK(b.len > head + 1000, "%s: %zu bytes after a second", sound_kind_name(kinds[k]), b.len);
        REQUIRE(sound_writer_put(w, in + 24000, 24000, &err) && sound_writer_finish(w, &err), "%s", err.text);
        CHECK(kinds[k] != SOUND_PCM || b.len == 96000);
        sound_writer_free(w);
        buf_fini(&b);
    }
    free(in);
}

static bool refuse(void *ctx, const void *bytes, size_t n)
{
    (void)bytes;
    size_t *left = ctx;
    *left -= n < *left ? n : *left;
    return *left > 0;
}

TEST(a_listener_who_hangs_up_stops_the_writer)
{
    struct err err = { 0 };
    float *in = sine(48000, 300, 24000);
    for (int kind = SOUND_WAV; kind <= SOUND_PCM; kind++) {
        size_t left = 500;
        struct sound_writer *w = sound_writer_new((enum sound_kind)kind, 24000, refuse, &left, &err);
        if (!w && err.code == ERR_UNSUPPORTED)
            continue;
        bool good = w != NULL;
        for (int i = 0; i < 40 && good; i++)
            good = sound_writer_put(w, in, 48000, &err);
        CHECK(!good && err.code == ERR_CANCELLED, "%s: %s", sound_kind_name((enum sound_kind)kind), err.text);
        sound_writer_free(w);
    }
    free(in);
}

TEST(too_long_is_said)
{
    struct err err = { 0 };
    struct sound s;
    struct buf b;
    buf_init(&b, 1 << 24);
    float *in = sine(32000, 300, 16000);
    REQUIRE(sound_encode(SOUND_WAV, in, 32000, 16000, &b, &err));
    const struct sound_limits one = { .max_bytes = 1 << 20, .max_s = 1 }, few = { .max_bytes = 1000, .max_s = 100 };
    CHECK(!sound_decode(b.data, b.len, 0, &one, &s, &err) && err.code == ERR_LIMIT, "%s", err.text);
    CHECK(!sound_decode(b.data, b.len, 0, &few, &s, &err) && err.code == ERR_LIMIT, "%s", err.text);
    CHECK(!sound_decode(b.data, b.len, 7, NULL, &s, &err) && err.code == ERR_INPUT, "%s", err.text);
    buf_fini(&b);
    free(in);
}

TEST(cut_and_bent_files_never_crash)
{
    static const enum sound_kind kinds[] = { SOUND_FLAC, SOUND_OPUS, SOUND_OGG, SOUND_MP3 };
    struct err err = { 0 };
    struct sound s;
    float *in = sine(24000, 300, 24000);
    REQUIRE(freopen("/dev/null", "w", stderr)); /* libmpg123 tells all about it */
    for (size_t k = 0; k < 4; k++) {
        struct buf b;
        buf_init(&b, 1 << 24);
        NEED(sound_encode(kinds[k], in, 24000, 24000, &b, &err), err);
        for (int i = 0; i < 60; i++) {
            size_t n = b.len;
            char *bent = malloc(n);
            memcpy(bent, b.data, n);
            if (i % 2)
                n = (size_t)(test_rand_u64() % n);
            else
                for (int j = 0; j < 5; j++)
                    bent[4 + test_rand_u64() % (n - 4)] = (char)test_rand_u64();
            if (sound_decode(bent, n, 16000, NULL, &s, &err))
                sound_fini(&s);
            else
                CHECK(err.text[0]);
            free(bent);
        }
        buf_fini(&b);
    }
    free(in);
}

TEST(recordings_are_read)
{
    size_t n;
    struct err err = { 0 };
    struct sound s;
    char *bytes = file_read(test_shared("models/media/speech/jfk_16k.wav"), 1 << 26, &n, &err);
    REQUIRE(bytes, "%s", err.text);
    REQUIRE(sound_decode(bytes, n, 16000, NULL, &s, &err), "%s", err.text);
    CHECK(s.n == 176000, "%zu", s.n);
    sound_fini(&s);
    free(bytes);
}

BENCH(decode_a_minute)
{
    static const enum sound_kind kinds[] = { SOUND_WAV, SOUND_FLAC, SOUND_MP3, SOUND_OGG, SOUND_OPUS };
    struct err err = { 0 };
    const int n = 60 * 44100;
    float *in = sine(n, 300, 44100);
    for (int i = 0; i < n; i++)
        in[i] = 0.7f * in[i] + 0.05f * test_rand_f32();
    for (size_t k = 0; k < 5; k++) {
        struct buf b;
        buf_init(&b, 1 << 26);
        const double t0 = (double)clock_ns() * 1e-6;
        NEED(sound_encode(kinds[k], in, (size_t)n, 44100, &b, &err), err);
        const double t1 = (double)clock_ns() * 1e-6;
        double best = 1e9;
        for (int i = 0; i < 3; i++) {
            struct sound s;
            const double t = (double)clock_ns() * 1e-6;
            REQUIRE(sound_decode(b.data, b.len, 16000, NULL, &s, &err), "%s", err.text);
            best = fmin(best, (double)clock_ns() * 1e-6 - t);
            sound_fini(&s);
        }
        printf("# 60 s %s 44.1 kHz -> 16 kHz: %.1f ms (written in %.0f ms, %zu bytes)\n", sound_kind_name(kinds[k]), best, t1 - t0, b.len);
        buf_fini(&b);
    }
    free(in);
}
