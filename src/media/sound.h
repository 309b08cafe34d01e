/* media/sound.h - sound in memory: decoded to float mono at the rate that is asked for, and encoded piece by piece.
 *
 * For:     task/ (voice activity, speech to text, wake words), api/ (audio answers), cmd/.
 * Touches: WAV is our own; libsndfile (FLAC, MP3, Ogg, Opus) and libsoxr (other rates) are loaded when first needed (base/dl.h).
 * Thread:  any; a reader or writer is its owner's.
 * Rule:    what a sound is, its content says, never a name.  Samples are floats, -1..1 for what fits, channels averaged to mono.
 *          An int16 sample s is s / 32768 and goes back to the same s.  Malformed input is ERR_INPUT, too long is ERR_LIMIT.
 */
#ifndef TUTTI_MEDIA_SOUND_H
#define TUTTI_MEDIA_SOUND_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum sound_kind { SOUND_UNKNOWN, SOUND_WAV, SOUND_FLAC, SOUND_MP3, SOUND_OGG, SOUND_OPUS, SOUND_PCM, SOUND_KIND_COUNT };
/* By the first bytes; SOUND_PCM (bare s16le) cannot be told by content and never comes out. */
enum sound_kind sound_sniff(const void *bytes, size_t n_bytes);
const char *sound_kind_name(enum sound_kind kind);          /* "wav" */
enum sound_kind sound_kind_by_name(const char *name);       /* "wav", "flac", "mp3", "ogg", "opus", "pcm"; else SOUND_UNKNOWN */

/* What a caller lets a stranger's sound cost.  NULL where one is asked: sound_default_limits. */
struct sound_limits {
    size_t max_bytes; /* encoded */
    double max_s;     /* decoded length */
};
extern const struct sound_limits sound_default_limits; /* 512 MiB, 4 hours */

/* ---- read: a piece at a time ---- */
struct sound_reader;
/* rate_hz: what comes out, 1000..384000, 0 = as it is stored.  bytes are borrowed until _free. */
struct sound_reader *sound_reader_new(const void *bytes, size_t n_bytes, int rate_hz, const struct sound_limits *limits, struct err *err);
void sound_reader_free(struct sound_reader *r); /* NULL is fine */
int sound_reader_source_rate_hz(const struct sound_reader *r);
double sound_reader_s(const struct sound_reader *r);        /* length as the head says; 0 when it does not know */
/* Up to n mono samples into out; *n_got < n only at the end (then 0 from there on).  A broken end is an error. */
bool sound_read(struct sound_reader *r, float *out, size_t n, size_t *n_got, struct err *err);

/* All of it.  Owned: sound_fini(). */
struct sound {
    float *samples;
    size_t n;
    int rate_hz;
};
bool sound_decode(const void *bytes, size_t n_bytes, int rate_hz, const struct sound_limits *limits, struct sound *out, struct err *err);
void sound_fini(struct sound *s);

/* ---- resample: mono, streaming (libsoxr, medium quality) ---- */
struct resampler;
struct resampler *resampler_new(int from_hz, int to_hz, struct err *err); /* the same rates: a copy, no library */
void resampler_free(struct resampler *r);
/* Takes n samples (NULL, 0: there will be no more) and appends what is ready, at most *n_out of them, to out; *n_out says how many
 * came.  resampler_bound() of n is always enough. */
size_t resampler_bound(const struct resampler *r, size_t n);
bool resampler_put(struct resampler *r, const float *in, size_t n, float *out, size_t *n_out, struct err *err);

/* ---- write: a piece at a time ---- */
/* Gets encoded bytes in order; false stops the writer (its call then fails with ERR_CANCELLED). */
typedef bool sound_emit_fn(void *ctx, const void *bytes, size_t n_bytes);
struct sound_writer;
/* kind: WAV (s16, the length is not known: sizes 0xFFFFFFFF), FLAC (16 bit), OPUS (Ogg; the rate is raised to the next that Opus
 * knows), MP3 (where libsndfile can), OGG (Vorbis), PCM (s16le without a head).  rate_hz 8000..48000. */
struct sound_writer *sound_writer_new(enum sound_kind kind, int rate_hz, sound_emit_fn *emit, void *ctx, struct err *err);
bool sound_writer_put(struct sound_writer *w, const float *samples, size_t n, struct err *err);
bool sound_writer_finish(struct sound_writer *w, struct err *err); /* the last bytes; then free it */
void sound_writer_free(struct sound_writer *w);

/* All of it, appended to out, with true lengths in the head. */
bool sound_encode(enum sound_kind kind, const float *samples, size_t n, int rate_hz, struct buf *out, struct err *err);

void sound_f32_to_s16(const float *in, int16_t *out, size_t n); /* round, saturate; NaN is 0 */
void sound_s16_to_f32(const int16_t *in, float *out, size_t n);
#endif
