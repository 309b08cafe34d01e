/* media/sound_internal.h - what the parts of sound.h share; seen in media/ only. */
#ifndef TUTTI_MEDIA_SOUND_INTERNAL_H
#define TUTTI_MEDIA_SOUND_INTERNAL_H
#include "media/sound.h"

/* ---- WAV (sound_wav.c) ---- */
enum wav_form { WAV_U8, WAV_S16, WAV_S24, WAV_S32, WAV_F32, WAV_F64, WAV_ALAW, WAV_MULAW };
struct wav {
    enum wav_form form;
    int rate_hz, n_channels;
    size_t frame_bytes;
    const uint8_t *data; /* borrowed from the file's bytes */
    uint64_t n_frames;
};
bool wav_read_head(struct wav *w, const uint8_t *p, size_t n, struct err *err);
/* n frames from `first` as mono; the frames are there. */
void wav_get(const struct wav *w, uint64_t first, size_t n, float *mono);
enum { WAV_HEAD_BYTES = 44 };
/* A head for mono s16; n_samples UINT32_MAX: not known. */
void wav_put_head(uint8_t out[WAV_HEAD_BYTES], int rate_hz, uint32_t n_samples);

/* ---- libsndfile (sound_file.c) ---- */
struct sound_file;
/* Reading: bytes are borrowed until close. */
struct sound_file *sound_file_open(const void *bytes, size_t n_bytes, struct err *err);
int sound_file_rate_hz(const struct sound_file *f);
uint64_t sound_file_frames(const struct sound_file *f); /* 0: not known */
/* Up to n mono samples; *n_got 0 is the end. */
bool sound_file_get(struct sound_file *f, float *mono, size_t n, size_t *n_got, struct err *err);
/* Writing mono to emit in order, or, whole given, into it with the head patched at the end. */
struct sound_file *sound_file_create(enum sound_kind kind, int rate_hz, sound_emit_fn *emit, void *ctx, struct buf *whole, struct err *err);
bool sound_file_put(struct sound_file *f, const float *mono, size_t n, struct err *err);
/* Ends the file; when writing, false says that its end could not be written.  NULL is fine. */
bool sound_file_close(struct sound_file *f, struct err *err);
#endif
