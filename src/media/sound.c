/* media/sound.c - see sound.h: what kind a sound is, reading it in pieces, all of it; start at sound_read(). */
#include "media/sound.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "media/sound_internal.h"

enum { PIECE = 4096, OUT_RATE_MIN = 1000, OUT_RATE_MAX = 384000 };

const struct sound_limits sound_default_limits = { .max_bytes = (size_t)512 << 20, .max_s = 4 * 3600.0 };

/* ORDER SOUND_KIND */
static const char *const kinds[SOUND_KIND_COUNT] = { "unknown", "wav", "flac", "mp3", "ogg", "opus", "pcm" };
const char *sound_kind_name(enum sound_kind kind) { return kinds[kind < SOUND_KIND_COUNT ? kind : SOUND_UNKNOWN]; }
enum sound_kind sound_kind_by_name(const char *name)
{
    for (int k = SOUND_UNKNOWN + 1; k < SOUND_KIND_COUNT; k++)
        if (strcmp(kinds[k], name) == 0)
            return (enum sound_kind)k;
    return SOUND_UNKNOWN;
}

enum sound_kind sound_sniff(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    if (n >= 12 && memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WAVE", 4) == 0)
        return SOUND_WAV;
    if (n >= 4 && memcmp(p, "fLaC", 4) == 0)
        return SOUND_FLAC;
    if (n >= 36 && memcmp(p, "OggS", 4) == 0)
        return memcmp(p + 28, "OpusHead", 8) == 0 ? SOUND_OPUS : SOUND_OGG;
    if (n >= 10 && memcmp(p, "ID3", 3) == 0)
        return SOUND_MP3;
    /* an MPEG frame head (ISO 11172-3, 2.4.1.3): sync, a version, a layer, a bit rate and a sample rate that exist */
    if (n >= 4 && p[0] == 0xFF && (p[1] & 0xE0) == 0xE0 && (p[1] >> 3 & 3) != 1 && (p[1] >> 1 & 3) != 0 && p[2] >> 4 != 15 && p[2] >> 4 != 0 && (p[2] >> 2 & 3) != 3)
        return SOUND_MP3;
    return SOUND_UNKNOWN;
}

/* ---- read ---- */

struct sound_reader {
    struct wav wav;
    struct sound_file *file; /* NULL: wav */
    int source_hz, rate_hz;
    uint64_t n_read, max_frames;  /* of the source */
    struct resampler *resampler;  /* NULL: the same rate */
    bool is_ended;
    float *out; /* resampled, not yet taken: out[out_at .. out_n) of out_cap */
    size_t out_at, out_n, out_cap;
    float in[PIECE];
};

static bool open_source(struct sound_reader *r, const void *bytes, size_t n, const struct sound_limits *limits, struct err *err)
{
    if (n > limits->max_bytes)
        return err_set(err, ERR_LIMIT, "sound: %zu bytes, the limit is %zu", n, limits->max_bytes);
    const enum sound_kind kind = sound_sniff(bytes, n);
    if (kind == SOUND_UNKNOWN)
        return err_set(err, ERR_INPUT, "sound: neither WAV nor FLAC, MP3, Ogg, Opus by its first bytes");
    if (kind == SOUND_WAV) {
        if (!wav_read_head(&r->wav, bytes, n, err))
            return false;
        r->source_hz = r->wav.rate_hz;
    } else {
        if (!(r->file = sound_file_open(bytes, n, err)))
            return false;
        r->source_hz = sound_file_rate_hz(r->file);
    }
    r->max_frames = (uint64_t)(limits->max_s * r->source_hz);
    const double s = sound_reader_s(r);
    if (s > limits->max_s)
        return err_set(err, ERR_LIMIT, "sound: %.0f s long, the limit is %.0f s", s, limits->max_s);
    return true;
}

struct sound_reader *sound_reader_new(const void *bytes, size_t n_bytes, int rate_hz, const struct sound_limits *limits, struct err *err)
{
    if (rate_hz != 0 && (rate_hz < OUT_RATE_MIN || rate_hz > OUT_RATE_MAX))
        return err_null(err, ERR_INPUT, "sound: a rate of %d Hz is asked for, %d..%d are possible", rate_hz, OUT_RATE_MIN, OUT_RATE_MAX);
    struct sound_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return err_null(err, ERR_NOMEM, "sound: no memory");
    if (!open_source(r, bytes, n_bytes, limits ? limits : &sound_default_limits, err))
        goto fail;
    r->rate_hz = rate_hz ? rate_hz : r->source_hz;
    if (r->rate_hz != r->source_hz && !(r->resampler = resampler_new(r->source_hz, r->rate_hz, err)))
        goto fail;
    return r;
fail:
    sound_reader_free(r);
    return NULL;
}

void sound_reader_free(struct sound_reader *r)
{
    if (!r)
        return;
    struct err ignored;
    sound_file_close(r->file, &ignored);
    resampler_free(r->resampler);
    free(r->out);
    free(r);
}

int sound_reader_source_rate_hz(const struct sound_reader *r) { return r->source_hz; }
double sound_reader_s(const struct sound_reader *r)
{
    const uint64_t n = r->file ? sound_file_frames(r->file) : r->wav.n_frames;
    return (double)n / r->source_hz;
}

/* Up to n mono samples at the source's rate; 0 at the end. */
static bool read_source(struct sound_reader *r, float *mono, size_t n, size_t *n_got, struct err *err)
{
    if (r->file) {
        if (!sound_file_get(r->file, mono, n, n_got, err))
            return false;
    } else {
        const uint64_t left = r->wav.n_frames - r->n_read;
        *n_got = n < left ? n : (size_t)left;
        wav_get(&r->wav, r->n_read, *n_got, mono);
    }
    r->n_read += *n_got;
    if (r->n_read > r->max_frames)
        return err_set(err, ERR_LIMIT, "sound: longer than the limit of %.0f s", (double)r->max_frames / r->source_hz);
    return true;
}

static bool read_resampled(struct sound_reader *r, struct err *err)
{
    size_t got;
    if (!read_source(r, r->in, PIECE, &got, err))
        return false;
    r->is_ended = got == 0;
    const size_t most = resampler_bound(r->resampler, got);
    if (most > r->out_cap) {
        float *more = realloc(r->out, most * sizeof(float));
        if (!more)
            return err_set(err, ERR_NOMEM, "sound: no memory");
        r->out = more, r->out_cap = most;
    }
    r->out_at = 0, r->out_n = r->out_cap;
    return resampler_put(r->resampler, got ? r->in : NULL, got, r->out, &r->out_n, err);
}

bool sound_read(struct sound_reader *r, float *out, size_t n, size_t *n_got, struct err *err)
{
    *n_got = 0;
    while (*n_got < n) {
        if (r->out_at < r->out_n) {
            const size_t m = n - *n_got < r->out_n - r->out_at ? n - *n_got : r->out_n - r->out_at;
            memcpy(out + *n_got, r->out + r->out_at, m * sizeof(float));
            r->out_at += m, *n_got += m;
        } else if (r->is_ended) {
            break;
        } else if (r->resampler) {
            if (!read_resampled(r, err))
                return false;
        } else {
            size_t got;
            if (!read_source(r, out + *n_got, n - *n_got, &got, err))
                return false;
            r->is_ended = got == 0;
            *n_got += got;
        }
    }
    return true;
}

bool sound_decode(const void *bytes, size_t n_bytes, int rate_hz, const struct sound_limits *limits, struct sound *out, struct err *err)
{
    *out = (struct sound){ 0 };
    struct sound_reader *r = sound_reader_new(bytes, n_bytes, rate_hz, limits, err);
    if (!r)
        return false;
    out->rate_hz = r->rate_hz;
    /* the head may lie: what it says is where we begin, within reason (30 s at a time) */
    const double said = sound_reader_s(r) * r->rate_hz + 64, piece = 30.0 * r->rate_hz;
    size_t cap = (size_t)(said < piece ? said : piece);
    bool good = true;
    for (;;) {
        float *more = realloc(out->samples, (cap + 1) * sizeof(float));
        if (!more) {
            good = err_set(err, ERR_NOMEM, "sound: no memory for %zu samples", cap);
            break;
        }
        out->samples = more;
        size_t got;
        good = sound_read(r, out->samples + out->n, cap - out->n, &got, err);
        out->n += good ? got : 0;
        if (!good || out->n < cap)
            break;
        if (!checked_mul_size(cap, 2, &cap) || cap > SIZE_MAX / 2 / sizeof(float)) {
            good = err_set(err, ERR_LIMIT, "sound: too long");
            break;
        }
    }
    if (good && out->n > 0) { /* give back what was too much */
        float *fit = realloc(out->samples, out->n * sizeof(float));
        out->samples = fit ? fit : out->samples;
    }
    sound_reader_free(r);
    if (!good)
        sound_fini(out);
    return good;
}

void sound_fini(struct sound *s)
{
    free(s->samples);
    *s = (struct sound){ 0 };
}

void sound_f32_to_s16(const float *in, int16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float v = in[i] * 32768.f;
        out[i] = (int16_t)(v >= 32767.f ? 32767 : v > -32768.f ? (int)(v + 32768.5f) - 32768 : v == v ? -32768 : 0);
    }
}

void sound_s16_to_f32(const int16_t *in, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)in[i] / 32768.f;
}
