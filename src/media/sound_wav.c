/* media/sound_wav.c - WAV by ourselves: integers of 8 to 32 bits, floats, A-law, mu-law; plain and extensible heads.
 *
 * For:     sound.c.  Touches: nothing.  Format: Microsoft RIFF, WAVEFORMATEX and WAVEFORMATEXTENSIBLE; ITU-T G.711.
 * Rule:    a length that passes the end of the file is an error, but for those that streams write because they do not
 *          know it yet (0 at the end of the file, or from 0x7FFF0000 on): then the sound goes on to the end.
 */
#include <math.h>
#include <string.h>

#include "media/sound_internal.h"

enum { RATE_MIN = 1000, RATE_MAX = 384000, CHANNELS_MAX = 64, UNKNOWN_FROM = 0x7FFF0000 };

static uint32_t le16(const uint8_t *p) { return (uint32_t)(p[0] | p[1] << 8); }
static uint32_t le32(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

static bool read_format(struct wav *w, const uint8_t *p, size_t n, struct err *err)
{
    if (n < 16)
        return err_set(err, ERR_INPUT, "WAV: a format of %zu bytes, at least 16", n);
    uint32_t tag = le16(p);
    const uint32_t bits = le16(p + 14), block = le16(p + 12);
    if (tag == 0xFFFE) { /* extensible: the tag is the head of a GUID */
        static const uint8_t rest[14] = { 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71 };
        if (n < 40 || memcmp(p + 26, rest, sizeof(rest)) != 0)
            return err_set(err, ERR_UNSUPPORTED, "WAV: an extensible format that is neither PCM nor float, A-law, mu-law");
        tag = le16(p + 24);
    }
    static const struct { uint32_t tag, bits; enum wav_form form; } forms[] = {
        { 1, 8, WAV_U8 },   { 1, 16, WAV_S16 }, { 1, 24, WAV_S24 }, { 1, 32, WAV_S32 },
        { 3, 32, WAV_F32 }, { 3, 64, WAV_F64 }, { 6, 8, WAV_ALAW }, { 7, 8, WAV_MULAW },
    };
    size_t i = 0;
    while (i < sizeof(forms) / sizeof(*forms) && (forms[i].tag != tag || forms[i].bits != bits))
        i++;
    if (i == sizeof(forms) / sizeof(*forms))
        return err_set(err, ERR_UNSUPPORTED, "WAV: format %u with %u bits is not supported: PCM 8/16/24/32, float 32/64, A-law, mu-law are", tag, bits);
    w->form = forms[i].form;
    w->n_channels = (int)le16(p + 2);
    const uint32_t rate = le32(p + 4);
    w->frame_bytes = (size_t)w->n_channels * (bits / 8);
    if (w->n_channels < 1 || w->n_channels > CHANNELS_MAX)
        return err_set(err, ERR_INPUT, "WAV: %d channels, 1..%d are possible", w->n_channels, CHANNELS_MAX);
    if (rate < RATE_MIN || rate > RATE_MAX)
        return err_set(err, ERR_INPUT, "WAV: a rate of %u Hz, %d..%d are possible", rate, RATE_MIN, RATE_MAX);
    if (block != w->frame_bytes)
        return err_set(err, ERR_INPUT, "WAV: %u bytes a frame, %d channels of %u bits need %zu", block, w->n_channels, bits, w->frame_bytes);
    w->rate_hz = (int)rate;
    return true;
}

bool wav_read_head(struct wav *w, const uint8_t *p, size_t n, struct err *err)
{
    bool has_format = false;
    *w = (struct wav){ 0 };
    for (size_t at = 12; n >= 8 && at <= n - 8;) {
        size_t len = le32(p + at + 4);
        const uint8_t *body = p + at + 8;
        const size_t left = n - at - 8;
        if (memcmp(p + at, "data", 4) == 0) {
            if (!has_format)
                return err_set(err, ERR_INPUT, "WAV: byte %zu: samples before their format", at);
            if (len >= UNKNOWN_FROM || len == 0)
                len = left;
            if (len > left)
                return err_set(err, ERR_INPUT, "WAV: byte %zu: %zu bytes of samples, the file has %zu (cut off?)", at, len, left);
            w->data = body, w->n_frames = len / w->frame_bytes;
            return true;
        }
        if (len > left)
            return err_set(err, ERR_INPUT, "WAV: byte %zu: a chunk of %zu bytes, the file has %zu", at, len, left);
        if (memcmp(p + at, "fmt ", 4) == 0) {
            if (!read_format(w, body, len, err))
                return false;
            has_format = true;
        }
        if (left - len < (len & 1))
            break;
        at += 8 + len + (len & 1);
    }
    return err_set(err, ERR_INPUT, "WAV: no samples in %zu bytes", n);
}

/* ITU-T G.711, as 16 bit. */
static int from_mulaw(uint8_t b)
{
    b = (uint8_t)~b;
    const int v = (((b & 15) << 3) + 0x84) << (b >> 4 & 7);
    return b & 0x80 ? 0x84 - v : v - 0x84;
}
static int from_alaw(uint8_t b)
{
    b ^= 0x55;
    const int e = b >> 4 & 7, m = (b & 15) << 4, v = e == 0 ? m + 8 : (m + 0x108) << (e - 1);
    return b & 0x80 ? v : -v;
}

static float get_one(enum wav_form form, const uint8_t *p)
{
    double d;
    float f;
    switch (form) {
    case WAV_U8: return (float)(p[0] - 128) / 128.f;
    case WAV_S16: return (float)(int16_t)le16(p) / 32768.f;
    case WAV_S24: return (float)((int32_t)((uint32_t)p[0] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 24) >> 8) / 8388608.f;
    case WAV_S32: return (float)((double)(int32_t)le32(p) / 2147483648.0);
    case WAV_F32:
        memcpy(&f, p, sizeof(f)); /* little-endian machines only, as all of tutti */
        return fabsf(f) < 1e30f ? f : 0; /* no NaN, no infinity, and sums of channels stay numbers */
    case WAV_F64:
        memcpy(&d, p, sizeof(d));
        return fabs(d) < 1e30 ? (float)d : 0;
    case WAV_ALAW: return (float)from_alaw(p[0]) / 32768.f;
    case WAV_MULAW: return (float)from_mulaw(p[0]) / 32768.f;
    }
    return 0;
}

void wav_get(const struct wav *w, uint64_t first, size_t n, float *mono)
{
    const uint8_t *p = w->data + (size_t)first * w->frame_bytes;
    const size_t step = w->frame_bytes / (size_t)w->n_channels;
    if (w->form == WAV_S16 && w->n_channels == 1) { /* the usual one, in a loop that the compiler sees through */
        for (size_t i = 0; i < n; i++)
            mono[i] = (float)(int16_t)le16(p + 2 * i) / 32768.f;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float sum = 0;
        for (int c = 0; c < w->n_channels; c++, p += step)
            sum += get_one(w->form, p);
        mono[i] = sum / (float)w->n_channels;
    }
}

static void put_le(uint8_t *p, uint32_t v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

void wav_put_head(uint8_t out[WAV_HEAD_BYTES], int rate_hz, uint32_t n_samples)
{
    const bool is_known = n_samples < (UINT32_MAX - WAV_HEAD_BYTES) / 2;
    memcpy(out, "RIFF....WAVEfmt ", 16);
    memcpy(out + 36, "data", 4);
    put_le(out + 4, is_known ? 2 * n_samples + WAV_HEAD_BYTES - 8 : UINT32_MAX, 4);
    put_le(out + 16, 16, 4);                     /* the format's length */
    put_le(out + 20, 1, 2), put_le(out + 22, 1, 2); /* PCM, mono */
    put_le(out + 24, (uint32_t)rate_hz, 4), put_le(out + 28, (uint32_t)rate_hz * 2, 4);
    put_le(out + 32, 2, 2), put_le(out + 34, 16, 2);
    put_le(out + 40, is_known ? 2 * n_samples : UINT32_MAX, 4);
}
