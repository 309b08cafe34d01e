/* media/soundcard.c - see soundcard.h.  Declarations: alsa/pcm.h 1.2. */
#include "media/soundcard.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dl.h"
#include "media/sound.h"

enum { STREAM_PLAYBACK = 0, STREAM_CAPTURE = 1, FORMAT_S16_LE = 2, ACCESS_RW_INTERLEAVED = 3, RATE_MIN = 4000, RATE_MAX = 384000,
       PIECE = 1024, LATENCY_MS = 200, RETRIES_MAX = 5 };
static int (*snd_pcm_open)(void **, const char *, int, int);
static int (*snd_pcm_close)(void *);
static int (*snd_pcm_set_params)(void *, int, int, unsigned, unsigned, int, unsigned);
static long (*snd_pcm_readi)(void *, void *, unsigned long);
static long (*snd_pcm_writei)(void *, const void *, unsigned long);
static int (*snd_pcm_recover)(void *, int, int);
static int (*snd_pcm_drain)(void *);
static int (*snd_pcm_drop)(void *);
static const char *(*snd_strerror)(int);
static int (*snd_lib_error_set_handler)(void (*)(const char *, int, const char *, int, const char *, ...));
static const struct dl_symbol symbols[] = {
    { "snd_pcm_open", &snd_pcm_open },       { "snd_pcm_close", &snd_pcm_close },     { "snd_pcm_set_params", &snd_pcm_set_params },
    { "snd_pcm_readi", &snd_pcm_readi },     { "snd_pcm_writei", &snd_pcm_writei },   { "snd_pcm_recover", &snd_pcm_recover },
    { "snd_pcm_drain", &snd_pcm_drain },     { "snd_pcm_drop", &snd_pcm_drop },       { "snd_strerror", &snd_strerror },
    { "snd_lib_error_set_handler", &snd_lib_error_set_handler }, { NULL, NULL },
};
static struct dl lib = DL_INIT("libasound.so.2", "a microphone or loudspeaker", "apt-get install libasound2", symbols);

struct soundcard {
    void *pcm;
};

/* ALSA prints its own view of each failure to stderr; ours is one line. */
static void be_quiet(const char *file, int line, const char *function, int code, const char *fmt, ...)
{
    (void)file, (void)line, (void)function, (void)code, (void)fmt;
}

static struct soundcard *open_pcm(int stream, const char *name, int rate_hz, int latency_ms, struct err *err)
{
    if (rate_hz < RATE_MIN || rate_hz > RATE_MAX || latency_ms < 0 || latency_ms > 10000)
        return err_null(err, ERR_INPUT, "sound card: %d Hz with %d ms", rate_hz, latency_ms);
    if (!dl_load(&lib, err))
        return NULL;
    snd_lib_error_set_handler(be_quiet);
    struct soundcard *s = calloc(1, sizeof(*s));
    if (!s)
        return err_null(err, ERR_NOMEM, "sound card: no memory");
    const char *what = stream == STREAM_CAPTURE ? "microphone" : "loudspeaker";
    name = name ? name : "default";
    int rc = snd_pcm_open(&s->pcm, name, stream, 0);
    if (rc < 0) {
        err_set(err, rc == -EBUSY ? ERR_BUSY : ERR_NOT_FOUND, "%s %s: %s", what, name, rc == -EACCES ? "not allowed: add the user to the group `audio`" : snd_strerror(rc));
        free(s);
        return NULL;
    }
    rc = snd_pcm_set_params(s->pcm, FORMAT_S16_LE, ACCESS_RW_INTERLEAVED, 1, (unsigned)rate_hz, 1, (unsigned)(latency_ms ? latency_ms : LATENCY_MS) * 1000u);
    if (rc < 0) {
        err_set(err, ERR_UNSUPPORTED, "%s %s: mono at %d Hz: %s", what, name, rate_hz, snd_strerror(rc));
        soundcard_close(s);
        return NULL;
    }
    return s;
}

struct soundcard *soundcard_open_microphone(const char *name, int rate_hz, int latency_ms, struct err *err)
{
    return open_pcm(STREAM_CAPTURE, name, rate_hz, latency_ms, err);
}
struct soundcard *soundcard_open_loudspeaker(const char *name, int rate_hz, int latency_ms, struct err *err)
{
    return open_pcm(STREAM_PLAYBACK, name, rate_hz, latency_ms, err);
}

/* After a failed call: true when the next one may work. */
static bool recover(struct soundcard *s, long rc, int *retries, struct err *err)
{
    if (++*retries <= RETRIES_MAX && snd_pcm_recover(s->pcm, (int)rc, 1) >= 0)
        return true;
    return err_set(err, ERR_IO, "sound card: %s", snd_strerror((int)rc));
}

bool soundcard_hear(struct soundcard *s, float *samples, size_t n, struct err *err)
{
    int16_t s16[PIECE] = { 0 }; /* the plug-in `null` writes nothing */
    int retries = 0;
    for (size_t at = 0; at < n;) {
        const long got = snd_pcm_readi(s->pcm, s16, n - at < PIECE ? n - at : PIECE);
        if (got < 0) {
            if (!recover(s, got, &retries, err))
                return false;
            continue;
        }
        sound_s16_to_f32(s16, samples + at, (size_t)got);
        at += (size_t)got;
    }
    return true;
}

bool soundcard_say(struct soundcard *s, const float *samples, size_t n, struct err *err)
{
    int16_t s16[PIECE];
    int retries = 0;
    for (size_t at = 0; at < n;) {
        const size_t m = n - at < PIECE ? n - at : PIECE;
        sound_f32_to_s16(samples + at, s16, m);
        const long done = snd_pcm_writei(s->pcm, s16, m);
        if (done < 0) {
            if (!recover(s, done, &retries, err))
                return false;
            continue;
        }
        at += (size_t)done;
    }
    return true;
}

bool soundcard_drain(struct soundcard *s, struct err *err)
{
    const int rc = snd_pcm_drain(s->pcm);
    return rc >= 0 || err_set(err, ERR_IO, "sound card: %s", snd_strerror(rc));
}

void soundcard_close(struct soundcard *s)
{
    if (!s)
        return;
    snd_pcm_drop(s->pcm);
    snd_pcm_close(s->pcm);
    free(s);
}
