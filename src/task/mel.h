/* task/mel.h - sound as pictures: power by mel bands and frames, as the trainers of models make them.
 *
 * For:     task/whisper_task.c (log-mel of 80 or 128 bands), task/keyword_task.c (MFCC).
 * Touches: memory at mel_new() only.  Thread: one at a time for each struct mel.
 * Rule:    frame t is centred on sample t * hop: the signal goes on by reflection at both ends, as in
 *          torch.stft(center=True).  Bands are rows of triangles over the FFT's bins.
 * Start:   mel_new(), mel_power(), then the one of the last three that the model wants.
 */
#ifndef TUTTI_TASK_MEL_H
#define TUTTI_TASK_MEL_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum mel_scale {
    MEL_HTK,    /* mel = 2595 log10(1 + f / 700); triangles with peak 1 (torchaudio's default) */
    MEL_SLANEY, /* linear below 1 kHz, logarithmic above; triangles with area 1 (librosa's default, Whisper) */
};

struct mel_opts {
    enum mel_scale scale;
    int rate_hz;
    int n_fft;    /* see task/fft.h */
    int n_window; /* periodic Hann, centred in n_fft; 1 .. n_fft */
    int hop;      /* samples from frame to frame */
    int n_mel;    /* bands */
    float f_min_hz, f_max_hz; /* f_max_hz 0: rate / 2 */
};

enum { MEL_BANDS_MAX = 512, MEL_HOP_MAX = 1 << 14 };

struct mel;

/* Owned by the caller.  NULL with err set: ERR_INPUT (a figure out of range), ERR_UNSUPPORTED (n_fft), ERR_NOMEM. */
struct mel *mel_new(const struct mel_opts *o, struct err *err);
void mel_free(struct mel *m); /* NULL is fine */

/* Frames of a signal of n samples: 1 + n / hop. */
size_t mel_frames(const struct mel *m, size_t n);
/* Power in each band: out[n_frames][n_mel] of the frames first, first + 1, ...  The signal is the n samples of x,
 * then zeros up to n_total (>= n, > 0); frames beyond it read its reflection. */
void mel_power(struct mel *m, const float *x, size_t n, size_t n_total, size_t first, size_t n_frames, float *out);

/* Whisper's scaling, and its layout: power[n_frames][n_mel] -> out[n_mel][n_frames], log10, floor 8 below the
 * loudest, (v + 4) / 4.  Source: openai/whisper, audio.py, log_mel_spectrogram(). */
void mel_to_whisper(const float *power, size_t n_frames, int n_mel, float *out);
/* Decibels in place: 10 log10(max(1e-10, p)), then at least (loudest - top_db).  torchaudio AmplitudeToDB("power"). */
void mel_to_db(float *power, size_t n, float top_db);
/* DCT-II, orthonormal, over the bands: db[n_frames][n_mel] -> out[n_coef][n_frames].  matrix: mel_dct_matrix(). */
void mel_to_mfcc(const float *db, size_t n_frames, int n_mel, int n_coef, const float *matrix, float *out);
/* matrix[n_coef][n_mel] = s cos(pi / n_mel (b + 0.5) c), s = sqrt(2 / n_mel), for c = 0 sqrt(1 / n_mel). */
void mel_dct_matrix(int n_mel, int n_coef, float *matrix);
#endif
