/* media/resample.c - other sample rates through libsoxr; see sound.h.
 *
 * For:     sound.c, sound_write.c, device.c.  Touches: libsoxr, loaded when first needed.  Declarations: soxr.h 0.1.3.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/dl.h"
#include "media/sound.h"

enum { SOXR_MQ = 2, RATE_MIN = 1000, RATE_MAX = 384000 };
struct soxr_quality_spec {
    double precision, phase_response, passband_end, stopband_begin;
    void *e;
    unsigned long flags;
};
static void *(*soxr_create)(double, double, unsigned, const char **, const void *, const struct soxr_quality_spec *, const void *);
static struct soxr_quality_spec (*soxr_quality_spec)(unsigned long, unsigned long);
static const char *(*soxr_process)(void *, const void *, size_t, size_t *, void *, size_t, size_t *);
static void (*soxr_delete)(void *);
static const struct dl_symbol symbols[] = {
    { "soxr_create", &soxr_create }, { "soxr_quality_spec", &soxr_quality_spec },
    { "soxr_process", &soxr_process }, { "soxr_delete", &soxr_delete }, { NULL, NULL },
};
static struct dl lib = DL_INIT("libsoxr.so.0", "sound at another sample rate", "apt-get install libsoxr0", symbols);

struct resampler {
    void *soxr; /* NULL: the rates are the same */
    double ratio; /* out / in */
    uint64_t n_in, n_out;
};

struct resampler *resampler_new(int from_hz, int to_hz, struct err *err)
{
    if (from_hz < RATE_MIN || to_hz < RATE_MIN || from_hz > RATE_MAX || to_hz > RATE_MAX)
        return err_null(err, ERR_INPUT, "sound: from %d Hz to %d Hz, rates are %d..%d", from_hz, to_hz, RATE_MIN, RATE_MAX);
    if (from_hz != to_hz && !dl_load(&lib, err))
        return NULL;
    struct resampler *r = calloc(1, sizeof(*r));
    if (!r)
        return err_null(err, ERR_NOMEM, "sound: no memory");
    r->ratio = (double)to_hz / from_hz;
    if (from_hz == to_hz)
        return r;
    const struct soxr_quality_spec quality = soxr_quality_spec(SOXR_MQ, 0);
    const char *why = NULL;
    r->soxr = soxr_create(from_hz, to_hz, 1, &why, NULL, &quality, NULL);
    if (!r->soxr) {
        free(r);
        return err_null(err, ERR_NOMEM, "sound: from %d Hz to %d Hz: %s", from_hz, to_hz, why ? why : "no memory");
    }
    return r;
}

void resampler_free(struct resampler *r)
{
    if (r && r->soxr)
        soxr_delete(r->soxr);
    free(r);
}

/* What went in can come out once, and no more: in * ratio, rounded, less what came already. */
size_t resampler_bound(const struct resampler *r, size_t n)
{
    return (size_t)(ceil((double)(r->n_in + n) * r->ratio) - (double)r->n_out) + 16;
}

bool resampler_put(struct resampler *r, const float *in, size_t n, float *out, size_t *n_out, struct err *err)
{
    const size_t most = *n_out;
    *n_out = 0;
    if (!r->soxr) {
        if (n > most)
            return err_set(err, ERR_INTERNAL, "sound: room for %zu samples, %zu come", most, n);
        if (n > 0)
            memcpy(out, in, n * sizeof(float));
        *n_out = n;
        return true;
    }
    if (n == 0 && in)
        return true;
    size_t taken = 0, made = 0;
    for (;;) { /* once for what comes in; at the end until nothing comes out */
        const char *why = soxr_process(r->soxr, in, n, &taken, out + *n_out, most - *n_out, &made);
        if (why || (in && taken != n))
            return err_set(err, ERR_INTERNAL, "sound: resampling: %s", why ? why : "input left over");
        *n_out += made;
        if (in || made == 0 || *n_out == most)
            break;
    }
    r->n_in += n, r->n_out += *n_out;
    return true;
}
