/* task/mel.c - windows, FFTs and triangles; start at mel_power(). */
#include "task/mel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "task/fft.h"

static const double PI = 3.14159265358979323846;

struct mel {
    struct mel_opts o;
    struct fft *fft;
    float *window;  /* [n_window] */
    float *frame;   /* [n_fft] */
    float *bins;    /* [n_fft / 2 + 1] */
    int *first, *n; /* per band: its bins that are not zero */
    float *weight;  /* all bands' weights one after another */
};

static double mel_of(enum mel_scale s, double hz)
{
    if (s == MEL_HTK)
        return 2595.0 * log10(1.0 + hz / 700.0);
    /* Slaney's Auditory Toolbox as in librosa.hz_to_mel(): 200 / 3 Hz a mel up to 1 kHz = 15 mel, then ln(6.4) / 27. */
    return hz < 1000.0 ? hz * 3.0 / 200.0 : 15.0 + log(hz / 1000.0) / (log(6.4) / 27.0);
}

static double hz_of(enum mel_scale s, double mel)
{
    if (s == MEL_HTK)
        return 700.0 * (pow(10.0, mel / 2595.0) - 1.0);
    return mel < 15.0 ? mel * 200.0 / 3.0 : 1000.0 * exp((mel - 15.0) * log(6.4) / 27.0);
}

/* Triangles between three neighbouring points that are equally far apart in mel. */
static bool make_bank(struct mel *m, struct err *err)
{
    const struct mel_opts *o = &m->o;
    const int n_bins = o->n_fft / 2 + 1;
    const double lo = mel_of(o->scale, o->f_min_hz), hi = mel_of(o->scale, o->f_max_hz);
    size_t used = 0;
    for (int pass = 0; pass < 2; pass++) { /* count, then fill */
        used = 0;
        for (int b = 0; b < o->n_mel; b++) {
            double f[3];
            for (int i = 0; i < 3; i++)
                f[i] = hz_of(o->scale, lo + (hi - lo) * (b + i) / (o->n_mel + 1));
            m->first[b] = m->n[b] = 0;
            for (int k = 0; k < n_bins; k++) {
                const double hz = (double)k * o->rate_hz / o->n_fft;
                const double w = fmin((hz - f[0]) / (f[1] - f[0]), (f[2] - hz) / (f[2] - f[1]));
                if (!(w > 0))
                    continue;
                if (m->n[b]++ == 0)
                    m->first[b] = k;
                if (pass)
                    m->weight[used] = (float)(o->scale == MEL_SLANEY ? w * 2.0 / (f[2] - f[0]) : w);
                used++;
            }
        }
        if (!pass && !(m->weight = calloc(used + 1, sizeof(float))))
            return err_set(err, ERR_NOMEM, "mel: cannot allocate %zu weights", used);
    }
    return true;
}

struct mel *mel_new(const struct mel_opts *opts, struct err *err)
{
    struct mel_opts o = *opts;
    if (o.f_max_hz == 0)
        o.f_max_hz = (float)o.rate_hz / 2;
    if (o.rate_hz < 1000 || o.rate_hz > 384000 || o.n_fft < 2 || o.n_fft > FFT_N_MAX || o.n_window < 1 ||
        o.n_window > o.n_fft || o.hop < 1 || o.hop > MEL_HOP_MAX || o.n_mel < 1 || o.n_mel > MEL_BANDS_MAX ||
        !(o.f_min_hz >= 0) || !(o.f_max_hz > o.f_min_hz) || o.f_max_hz > (float)o.rate_hz / 2)
        return err_null(err, ERR_INPUT, "mel: a figure is out of range (rate %d Hz, fft %d, window %d, hop %d, bands %d)",
                        o.rate_hz, o.n_fft, o.n_window, o.hop, o.n_mel);
    struct mel *m = calloc(1, sizeof(*m));
    if (!m)
        return err_null(err, ERR_NOMEM, "mel: out of memory");
    m->o = o;
    m->window = calloc((size_t)o.n_window, sizeof(float));
    m->frame = calloc((size_t)o.n_fft, sizeof(float));
    m->bins = calloc((size_t)o.n_fft / 2 + 1, sizeof(float));
    m->first = calloc((size_t)o.n_mel, sizeof(int));
    m->n = calloc((size_t)o.n_mel, sizeof(int));
    if (!m->window || !m->frame || !m->bins || !m->first || !m->n) {
        mel_free(m);
        return err_null(err, ERR_NOMEM, "mel: out of memory");
    }
    for (int i = 0; i < o.n_window; i++)
        m->window[i] = (float)(0.5 - 0.5 * cos(2 * PI * i / o.n_window));
    if (!(m->fft = fft_new(o.n_fft, err)) || !make_bank(m, err)) {
        mel_free(m);
        return NULL;
    }
    return m;
}

void mel_free(struct mel *m)
{
    if (!m)
        return;
    fft_free(m->fft);
    free(m->window), free(m->frame), free(m->bins), free(m->first), free(m->n), free(m->weight);
    free(m);
}

size_t mel_frames(const struct mel *m, size_t n)
{
    return 1 + n / (size_t)m->o.hop;
}

/* The signal at position i, which may lie outside: mirrored at both ends without repeating the last sample. */
static float sample(const float *x, size_t n, ptrdiff_t n_total, ptrdiff_t i)
{
    if (n_total == 1)
        i = 0;
    while (i < 0 || i >= n_total)
        i = i < 0 ? -i : 2 * (n_total - 1) - i;
    return (size_t)i < n ? x[i] : 0.0f;
}

void mel_power(struct mel *m, const float *x, size_t n, size_t n_total, size_t first, size_t n_frames, float *out)
{
    const struct mel_opts *o = &m->o;
    const int off = (o->n_fft - o->n_window) / 2;
    for (size_t t = 0; t < n_frames; t++, out += o->n_mel) {
        /* of the window's first value */
        const ptrdiff_t at = (ptrdiff_t)((first + t) * (size_t)o->hop) - o->n_fft / 2 + off;
        const ptrdiff_t end = at + o->n_window;
        if (at >= (ptrdiff_t)n && end <= (ptrdiff_t)n_total) { /* only zeros */
            memset(out, 0, (size_t)o->n_mel * sizeof(float));
            continue;
        }
        if (at >= 0 && end <= (ptrdiff_t)n)
            for (int i = 0; i < o->n_window; i++)
                m->frame[off + i] = x[at + i] * m->window[i];
        else
            for (int i = 0; i < o->n_window; i++)
                m->frame[off + i] = sample(x, n, (ptrdiff_t)n_total, at + i) * m->window[i];
        fft_power(m->fft, m->frame, m->bins);
        const float *w = m->weight;
        for (int b = 0; b < o->n_mel; b++) {
            const float *bin = m->bins + m->first[b];
            float sum = 0;
            for (int k = 0; k < m->n[b]; k++)
                sum += bin[k] * w[k];
            w += m->n[b];
            out[b] = sum;
        }
    }
}

void mel_to_whisper(const float *power, size_t n_frames, int n_mel, float *out)
{
    const size_t n = n_frames * (size_t)n_mel;
    float top = 1e-10f;
    for (size_t i = 0; i < n; i++)
        top = power[i] > top ? power[i] : top;
    const float floor_ = log10f(top) - 8.0f;
    for (size_t t = 0; t < n_frames; t++)
        for (int b = 0; b < n_mel; b++) {
            const float p = power[t * (size_t)n_mel + (size_t)b];
            const float v = log10f(p > 1e-10f ? p : 1e-10f);
            out[(size_t)b * n_frames + t] = ((v > floor_ ? v : floor_) + 4.0f) / 4.0f;
        }
}

void mel_to_db(float *power, size_t n, float top_db)
{
    float top = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        power[i] = 10.0f * log10f(power[i] > 1e-10f ? power[i] : 1e-10f);
        top = power[i] > top ? power[i] : top;
    }
    for (size_t i = 0; i < n; i++)
        power[i] = power[i] > top - top_db ? power[i] : top - top_db;
}

void mel_dct_matrix(int n_mel, int n_coef, float *matrix)
{
    for (int c = 0; c < n_coef; c++)
        for (int b = 0; b < n_mel; b++)
            matrix[c * n_mel + b] =
                (float)(sqrt((c ? 2.0 : 1.0) / n_mel) * cos(PI / n_mel * (b + 0.5) * c));
}

void mel_to_mfcc(const float *db, size_t n_frames, int n_mel, int n_coef, const float *matrix, float *out)
{
    for (int c = 0; c < n_coef; c++)
        for (size_t t = 0; t < n_frames; t++) {
            double sum = 0;
            for (int b = 0; b < n_mel; b++)
                sum += (double)db[t * (size_t)n_mel + (size_t)b] * matrix[c * n_mel + b];
            out[(size_t)c * n_frames + t] = (float)sum;
        }
}
