/* tests/task/test_mel.c - features of sound against the definitions in double, and figures that others computed. */
#include "task/mel.h"

#include <math.h>
#include <string.h>

#include "test.h"
#include "task/wav.h"

static const double PI = 3.14159265358979323846;

/* The definition, straight: torch.stft(center=True, pad_mode="reflect"), |.|^2, filters of librosa or torchaudio. */
static double *reference(const struct mel_opts *o, const float *x, size_t n, size_t *n_frames)
{
    const int n_bins = o->n_fft / 2 + 1, half = o->n_fft / 2;
    const double f_max = o->f_max_hz ? o->f_max_hz : o->rate_hz / 2.0;
    *n_frames = 1 + n / (size_t)o->hop;
    double *out = calloc(*n_frames * (size_t)o->n_mel, sizeof(double)), *power = calloc((size_t)n_bins, sizeof(double));
    double *y = calloc((size_t)o->n_fft, sizeof(double));
    for (size_t t = 0; t < *n_frames; t++) {
        for (int i = 0; i < o->n_fft; i++) {
            long at = (long)(t * (size_t)o->hop) + i - half;
            if (at < 0)
                at = -at;
            if (at >= (long)n)
                at = 2 * ((long)n - 1) - at;
            const int w = i - (o->n_fft - o->n_window) / 2;
            y[i] = w < 0 || w >= o->n_window ? 0 : x[at] * (0.5 - 0.5 * cos(2 * PI * w / o->n_window));
        }
        for (int k = 0; k < n_bins; k++) {
            double re = 0, im = 0;
            for (int i = 0; i < o->n_fft; i++) {
                const double a = -2 * PI * ((i * k) % o->n_fft) / o->n_fft;
                re += y[i] * cos(a), im += y[i] * sin(a);
            }
            power[k] = re * re + im * im;
        }
        for (int b = 0; b < o->n_mel; b++) {
            double f[3];
            for (int i = 0; i < 3; i++) {
                if (o->scale == MEL_HTK) {
                    const double lo = 2595 * log10(1 + o->f_min_hz / 700.0), hi = 2595 * log10(1 + f_max / 700);
                    f[i] = 700 * (pow(10, (lo + (hi - lo) * (b + i) / (o->n_mel + 1)) / 2595) - 1);
                } else { /* librosa.mel_frequencies(): both ends are below and above 1 kHz here */
                    const double lo = o->f_min_hz / (200.0 / 3), hi = 15 + log(f_max / 1000) / log(6.4) * 27;
                    const double m = lo + (hi - lo) * (b + i) / (o->n_mel + 1);
                    f[i] = m < 15 ? 200.0 / 3 * m : 1000 * exp(log(6.4) / 27 * (m - 15));
                }
            }
            for (int k = 0; k < n_bins; k++) {
                const double hz = (double)k * o->rate_hz / o->n_fft;
                const double w = fmax(0, fmin((hz - f[0]) / (f[1] - f[0]), (f[2] - hz) / (f[2] - f[1])));
                out[t * (size_t)o->n_mel + (size_t)b] += power[k] * w * (o->scale == MEL_SLANEY ? 2 / (f[2] - f[0]) : 1);
            }
        }
    }
    free(power), free(y);
    return out;
}

static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = 0.3f * (float)sin(2 * PI * 440 * (double)i / 16000) + 0.05f * test_rand_f32();
}

TEST(band_powers_agree_with_the_definition_in_double_at_the_edges_too)
{
    static const struct mel_opts opts[] = {
        { MEL_SLANEY, 16000, 400, 400, 160, 80, 0, 8000 },
        { MEL_SLANEY, 16000, 400, 400, 160, 128, 0, 0 },
        { MEL_HTK, 16000, 512, 400, 160, 64, 0, 8000 },
        { MEL_HTK, 8000, 256, 200, 80, 40, 20, 4000 },
    };
    for (size_t c = 0; c < sizeof(opts) / sizeof(opts[0]); c++) {
        enum { N = 3333 };
        float x[N];
        size_t n_frames;
        struct err err = { 0 };
        fill(x, N);
        double *want = reference(&opts[c], x, N, &n_frames);
        struct mel *m = mel_new(&opts[c], &err);
        REQUIRE(m, "%s", err.text);
        REQUIRE(mel_frames(m, N) == n_frames);
        float *got = malloc(n_frames * (size_t)opts[c].n_mel * sizeof(float));
        mel_power(m, x, N, N, 0, n_frames, got);
        for (size_t i = 0; i < n_frames * (size_t)opts[c].n_mel; i++)
            CHECK(fabs(got[i] - want[i]) <= 2e-5 * want[i] + 1e-7, "case %zu, value %zu: %g, want %g", c, i, got[i], want[i]);
        float part[512]; /* any run of frames is the same as in the whole */
        mel_power(m, x, N, N, n_frames - 2, 1, part);
        CHECK(memcmp(part, got + (n_frames - 2) * (size_t)opts[c].n_mel, (size_t)opts[c].n_mel * sizeof(float)) == 0);
        free(got), free(want), mel_free(m);
    }
}

TEST(zeros_behind_the_signal_need_not_be_there)
{
    enum { N = 1000, TOTAL = 4000, MEL = 80 };
    float x[TOTAL] = { 0 };
    struct err err = { 0 };
    struct mel *m = mel_new(&(struct mel_opts){ MEL_SLANEY, 16000, 400, 400, 160, MEL, 0, 8000 }, &err);
    REQUIRE(m, "%s", err.text);
    fill(x, N);
    const size_t n_frames = mel_frames(m, TOTAL);
    float *a = malloc(n_frames * MEL * sizeof(float)), *b = malloc(n_frames * MEL * sizeof(float));
    mel_power(m, x, TOTAL, TOTAL, 0, n_frames, a);
    mel_power(m, x, N, TOTAL, 0, n_frames, b);
    CHECK(memcmp(a, b, n_frames * MEL * sizeof(float)) == 0);
    /* a signal shorter than the window, even of one sample, is mirrored as often as needed */
    mel_power(m, x, 1, 1, 0, 1, a);
    mel_power(m, x, 7, 7, 0, 1, a);
    for (int i = 0; i < MEL; i++)
        CHECK(isfinite(a[i]));
    free(a), free(b), mel_free(m);
}

TEST(whisper_scaling_is_logarithm_floor_and_shift_with_bands_first)
{
    const float power[3 * 2] = { 1.0f, 1e-3f, 1e-12f, 100.0f, 0.0f, 1e-7f }; /* [frame][band] */
    float out[6];
    mel_to_whisper(power, 3, 2, out);
    /* loudest 100 -> 2; floor -6 */
    const double want[6] = { (0 + 4) / 4.0, (-6 + 4) / 4.0, (-6 + 4) / 4.0, (-3 + 4) / 4.0, (2 + 4) / 4.0, (-6 + 4) / 4.0 };
    for (int i = 0; i < 6; i++)
        CHECK(fabs(out[i] - want[i]) < 1e-6, "%d: %g", i, out[i]);
}

TEST(coefficients_of_the_word_yes_are_those_of_torchaudio)
{
    size_t n;
    float *x = wav_read(test_shared("models/media/speech/word_yes_16k.wav"), &n);
    REQUIRE(x);
    struct err err = { 0 };
    struct mel *m = mel_new(&(struct mel_opts){ MEL_HTK, 16000, 512, 400, 160, 64, 0, 8000 }, &err);
    REQUIRE(m, "%s", err.text);
    const size_t t = mel_frames(m, n);
    REQUIRE(t == 101);
    float *db = malloc(t * 64 * sizeof(float)), *mfcc = malloc(t * 64 * sizeof(float)), *dct = malloc(64 * 64 * sizeof(float));
    mel_power(m, x, n, n, 0, t, db);
    mel_to_db(db, t * 64, 80);
    mel_dct_matrix(64, 64, dct);
    mel_to_mfcc(db, t, 64, 64, dct, mfcc);
    /* ../shared/models/IO.md, audio/kws_matchboxnet_33.onnx; its 86.225 has two digits swapped: in double it is 86.25198 */
    const double c0[4] = { -376.910, -356.381, -351.911, -349.752 }, c1[4] = { 79.324, 87.189, 97.415, 86.252 };
    for (size_t i = 0; i < 4; i++) {
        CHECK(fabs(mfcc[i] - c0[i]) < 2e-3, "%zu: %.4f", i, mfcc[i]);
        CHECK(fabs(mfcc[t + 50 + i] - c1[i]) < 2e-3, "%zu: %.4f", i, mfcc[t + 50 + i]);
    }
    free(x), free(db), free(mfcc), free(dct), mel_free(m);
}

TEST(figures_out_of_range_are_refused)
{
    static const struct mel_opts bad[] = {
        { MEL_HTK, 0, 512, 400, 160, 64, 0, 0 },      { MEL_HTK, 16000, 512, 513, 160, 64, 0, 0 },
        { MEL_HTK, 16000, 512, 400, 0, 64, 0, 0 },    { MEL_HTK, 16000, 512, 400, 160, 0, 0, 0 },
        { MEL_HTK, 16000, 512, 400, 160, 64, 0, 9000 }, { MEL_HTK, 16000, 512, 400, 160, 64, 5000, 4000 },
        { MEL_HTK, 16000, 514, 400, 160, 64, 0, 0 },  { MEL_HTK, 16000, 512, 400, 160, 99999, 0, 0 },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = { 0 };
        CHECK(!mel_new(&bad[i], &err) && err.code != ERR_NONE && err.text[0], "%zu", i);
    }
}

BENCH(log_mel_of_30_s)
{
    enum { N = 480000 };
    float *x = malloc(N * sizeof(float)), *p = malloc(3001 * 80 * sizeof(float));
    struct err err = { 0 };
    fill(x, N);
    struct mel *m = mel_new(&(struct mel_opts){ MEL_SLANEY, 16000, 400, 400, 160, 80, 0, 8000 }, &err);
    for (int i = 0; i < 5; i++) {
        const double t0 = test_clock_ms();
        mel_power(m, x, N, N, 0, 3001, p);
        printf("# log-mel of 30 s: %.2f ms\n", test_clock_ms() - t0);
    }
    mel_free(m), free(x), free(p);
}
