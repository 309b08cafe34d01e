/* media/sound_write.c - sound out, a piece at a time; see sound.h.
 *
 * WAV and PCM are ours; the rest goes through sound_file.c, at another rate first where the form does not know ours.
 */
#include <stdlib.h>
#include <string.h>

#include "media/sound_internal.h"

enum { PIECE = 2048, WRITE_RATE_MIN = 8000, WRITE_RATE_MAX = 48000 };

struct sound_writer {
    enum sound_kind kind;
    sound_emit_fn *emit;
    void *ctx;
    struct sound_file *file; /* NULL: WAV and PCM */
    struct resampler *resampler;
    float *resampled;
    size_t cap;
};

static const int opus_rates[] = { 8000, 12000, 16000, 24000, 48000 };
static const int mp3_rates[] = { 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000 };

/* The lowest rate that the form knows and that loses nothing. */
static int rate_of(enum sound_kind kind, int rate_hz)
{
    const int *rates = kind == SOUND_OPUS ? opus_rates : mp3_rates;
    const size_t n = kind == SOUND_OPUS ? sizeof(opus_rates) / sizeof(int) : sizeof(mp3_rates) / sizeof(int);
    if (kind == SOUND_OPUS || kind == SOUND_MP3)
        for (size_t i = 0; i < n; i++)
            if (rates[i] >= rate_hz)
                return rates[i];
    return rate_hz;
}

static bool emit(struct sound_writer *w, const void *bytes, size_t n, struct err *err)
{
    return w->emit(w->ctx, bytes, n) || err_set(err, ERR_CANCELLED, "sound: nobody takes it any more");
}

/* whole: for all of it at once; else NULL.  n_samples: for its head, or UINT32_MAX. */
static struct sound_writer *writer_new(enum sound_kind kind, int rate_hz, sound_emit_fn *fn, void *ctx, struct buf *whole, uint32_t n_samples, struct err *err)
{
    if (rate_hz < WRITE_RATE_MIN || rate_hz > WRITE_RATE_MAX)
        return err_null(err, ERR_INPUT, "sound: writing at %d Hz, %d..%d are possible", rate_hz, WRITE_RATE_MIN, WRITE_RATE_MAX);
    if (kind <= SOUND_UNKNOWN || kind >= SOUND_KIND_COUNT)
        return err_null(err, ERR_INPUT, "sound: no form to write");
    struct sound_writer *w = calloc(1, sizeof(*w));
    if (!w)
        return err_null(err, ERR_NOMEM, "sound: no memory");
    w->kind = kind, w->emit = fn, w->ctx = ctx;
    if (kind == SOUND_WAV) {
        uint8_t head[WAV_HEAD_BYTES];
        wav_put_head(head, rate_hz, n_samples);
        if (!emit(w, head, sizeof(head), err))
            goto fail;
    } else if (kind != SOUND_PCM) {
        const int at_hz = rate_of(kind, rate_hz);
        if (at_hz != rate_hz && !(w->resampler = resampler_new(rate_hz, at_hz, err)))
            goto fail;
        if (!(w->file = sound_file_create(kind, at_hz, fn, ctx, whole, err)))
            goto fail;
    }
    return w;
fail:
    sound_writer_free(w);
    return NULL;
}

struct sound_writer *sound_writer_new(enum sound_kind kind, int rate_hz, sound_emit_fn *fn, void *ctx, struct err *err)
{
    return writer_new(kind, rate_hz, fn, ctx, NULL, UINT32_MAX, err);
}

void sound_writer_free(struct sound_writer *w)
{
    if (!w)
        return;
    struct err ignored;
    sound_file_close(w->file, &ignored);
    resampler_free(w->resampler);
    free(w->resampled);
    free(w);
}

static bool put_resampled(struct sound_writer *w, const float *samples, size_t n, struct err *err)
{
    size_t got = resampler_bound(w->resampler, n);
    if (got > w->cap) {
        float *more = realloc(w->resampled, got * sizeof(float));
        if (!more)
            return err_set(err, ERR_NOMEM, "sound: no memory");
        w->resampled = more, w->cap = got;
    }
    return resampler_put(w->resampler, samples, n, w->resampled, &got, err) && (got == 0 || sound_file_put(w->file, w->resampled, got, err));
}

bool sound_writer_put(struct sound_writer *w, const float *samples, size_t n, struct err *err)
{
    int16_t s16[PIECE];
    for (size_t at = 0, m; at < n; at += m) {
        m = n - at < PIECE ? n - at : PIECE;
        bool good;
        if (!w->file) {
            sound_f32_to_s16(samples + at, s16, m); /* little-endian machines only, as all of tutti */
            good = emit(w, s16, m * sizeof(*s16), err);
        } else {
            good = w->resampler ? put_resampled(w, samples + at, m, err) : sound_file_put(w->file, samples + at, m, err);
        }
        if (!good)
            return false;
    }
    return true;
}

bool sound_writer_finish(struct sound_writer *w, struct err *err)
{
    if (w->resampler && !put_resampled(w, NULL, 0, err))
        return false;
    struct sound_file *f = w->file;
    w->file = NULL;
    return sound_file_close(f, err);
}

static bool append(void *ctx, const void *bytes, size_t n)
{
    buf_append(ctx, bytes, n);
    return !((struct buf *)ctx)->failed;
}

bool sound_encode(enum sound_kind kind, const float *samples, size_t n, int rate_hz, struct buf *out, struct err *err)
{
    struct sound_writer *w = writer_new(kind, rate_hz, append, out, out, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, err);
    bool good = w && sound_writer_put(w, samples, n, err) && sound_writer_finish(w, err);
    sound_writer_free(w);
    return good && buf_ok(out, "sound", err);
}
