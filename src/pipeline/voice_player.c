/* pipeline/voice_player.c - a ring of samples, a thread that empties it; start reading at play(). */
#include "pipeline/voice_player.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "media/sound.h"
#include "media/soundcard.h"

enum { STEP_MS = 20, PIECE_MAX = 4800 };

struct player {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool has_thread;
    bool at_life_speed, is_closing, has_failed;
    char device[96];
    bool is_card;
    FILE *file;
    uint64_t begin_ns;
    void (*on_change)(void *ctx);
    void *ctx;
    float *ring; /* [cap] */
    size_t cap, at, n;
    struct player_state s;
    struct resampler *resampler;
    int from_hz; /* of the resampler */
    struct err err;
    /* the thread's */
    struct sound_writer *writer;
    struct soundcard *card;
    uint64_t n_written; /* silence included */
};

/* ---- the outputs, on the player's thread ---- */

static bool to_file(void *ctx, const void *bytes, size_t n)
{
    FILE *f = ctx;
    return fwrite(bytes, 1, n, f) == n;
}

static bool open_output(struct player *p, int rate_hz, struct err *err)
{
    if (p->is_card && !p->card)
        return (p->card = soundcard_open_loudspeaker(p->device[0] ? p->device : NULL, rate_hz, PLAYER_CARD_MS, err)) != NULL;
    if (p->file && !p->writer)
        return (p->writer = sound_writer_new(SOUND_WAV, rate_hz, to_file, p->file, err)) != NULL;
    return true;
}

static bool write_out(struct player *p, const float *samples, size_t n, struct err *err)
{
    p->n_written += n;
    if (p->card)
        return soundcard_say(p->card, samples, n, err);
    if (!p->writer)
        return true;
    if (!sound_writer_put(p->writer, samples, n, err))
        return err->code == ERR_CANCELLED ? err_set(err, ERR_IO, "the sound cannot be written: %s", strerror(errno)) : false;
    return fflush(p->file) == 0 || err_set(err, ERR_IO, "the sound cannot be written: %s", strerror(errno));
}

static bool write_silence(struct player *p, uint64_t until, struct err *err)
{
    static const float zeros[PIECE_MAX];
    while (p->n_written < until) {
        const uint64_t n = until - p->n_written;
        if (!write_out(p, zeros, n < PIECE_MAX ? (size_t)n : PIECE_MAX, err))
            return false;
    }
    return true;
}

/* ---- the thread ---- */

/* How many samples may be heard by now; with the lock. */
static size_t allowed(const struct player *p, uint64_t now)
{
    const size_t step = (size_t)p->s.rate_hz * STEP_MS / 1000;
    if (p->is_card || !p->at_life_speed)
        return p->is_card ? step : PIECE_MAX;
    const uint64_t target = (uint64_t)((double)(now - p->begin_ns) / 1e9 * p->s.rate_hz) + step;
    return target > p->n_written ? (size_t)(target - p->n_written) : 0;
}

static void wait_step(struct player *p)
{
    thread_wait(&p->wake, &p->lock, clock_after_ns(STEP_MS * 1000000u));
}

/* The next samples to out; with the lock.  Dropped ones are gone by then. */
static size_t take(struct player *p, float *out, size_t most)
{
    size_t n = p->n < most ? p->n : most;
    n = n < PIECE_MAX ? n : PIECE_MAX;
    for (size_t i = 0; i < n; i++)
        out[i] = p->ring[(p->at + i) % p->cap];
    p->at = (p->at + n) % p->cap;
    p->n -= n;
    return n;
}

static void *play(void *arg)
{
    struct player *p = arg;
    float piece[PIECE_MAX];
    struct err err = { 0 };
    bool is_playing = false;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        if (p->n == 0) {
            is_playing = false;
            if (p->is_closing)
                break;
            pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        const uint64_t now = clock_ns();
        const int rate = p->s.rate_hz;
        const bool from_now = !is_playing && p->at_life_speed && !p->is_card;
        const size_t may = from_now ? (size_t)rate * STEP_MS / 1000 : allowed(p, now);
        if (may == 0) {
            wait_step(p);
            continue;
        }
        const size_t n = take(p, piece, may);
        is_playing = true;
        if (!p->s.first_ns)
            p->s.first_ns = now;
        p->s.n_heard += n;
        pthread_mutex_unlock(&p->lock);
        bool good = !p->has_failed && open_output(p, rate, &err) &&
                    (!from_now || write_silence(p, (uint64_t)((double)(now - p->begin_ns) / 1e9 * rate), &err)) && write_out(p, piece, n, &err);
        if (p->on_change)
            p->on_change(p->ctx);
        pthread_mutex_lock(&p->lock);
        if (!good && !p->has_failed) {
            p->has_failed = true;
            p->err = err;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- from outside ---- */

static bool start(struct player *p, const char *to, struct err *err)
{
    if (to && strncmp(to, "speaker", 7) == 0 && (!to[7] || to[7] == ':')) {
        p->is_card = true;
        snprintf(p->device, sizeof(p->device), "%s", to[7] ? to + 8 : "");
    } else if (to && strcmp(to, "-") == 0) {
        p->file = stdout;
    } else if (to && !(p->file = fopen(to, "wb"))) {
        return err_set(err, ERR_IO, "%s: %s", to, strerror(errno));
    }
    return p->has_thread = thread_start(&p->thread, play, p, "the player", err);
}

struct player *player_new(const char *to, bool at_life_speed, void (*on_change)(void *ctx), void *ctx, struct err *err)
{
    struct player *p = calloc(1, sizeof(*p));
    if (!p)
        return err_null(err, ERR_NOMEM, "the player: no memory");
    p->at_life_speed = at_life_speed;
    p->on_change = on_change;
    p->ctx = ctx;
    p->begin_ns = clock_ns();
    pthread_mutex_init(&p->lock, NULL);
    thread_cond_init(&p->wake);
    if (start(p, to, err))
        return p;
    struct err ignored;
    player_close(p, &ignored);
    return NULL;
}

/* With the lock. */
static bool append(struct player *p, const float *samples, size_t n, struct err *err)
{
    if (n > p->cap - p->n)
        return err_set(err, ERR_LIMIT, "the player: more than %d s of speech wait", PLAYER_S);
    for (size_t i = 0; i < n; i++)
        p->ring[(p->at + p->n + i) % p->cap] = samples[i];
    p->n += n;
    p->s.n_put += n;
    pthread_cond_signal(&p->wake);
    return true;
}

static bool put_at_rate(struct player *p, const float *samples, size_t n, int rate_hz, struct err *err)
{
    if (rate_hz == p->s.rate_hz)
        return append(p, samples, n, err);
    if (!p->resampler || p->from_hz != rate_hz) { /* another voice */
        resampler_free(p->resampler);
        p->from_hz = rate_hz;
        if (!(p->resampler = resampler_new(rate_hz, p->s.rate_hz, err)))
            return false;
    }
    size_t n_out = resampler_bound(p->resampler, n);
    float *out = malloc((n_out + 1) * sizeof(*out));
    bool ok = out ? resampler_put(p->resampler, samples, n, out, &n_out, err) && append(p, out, n_out, err) : err_set(err, ERR_NOMEM, "the player: no memory");
    free(out);
    return ok;
}

bool player_put(struct player *p, const float *samples, int n, int rate_hz, struct err *err)
{
    bool ok = true;
    if (n <= 0)
        return true;
    if (rate_hz < 4000 || rate_hz > 192000)
        return err_set(err, ERR_INPUT, "the player: %d Hz", rate_hz);
    pthread_mutex_lock(&p->lock);
    if (!p->ring) {
        p->cap = (size_t)rate_hz * PLAYER_S;
        p->ring = malloc(p->cap * sizeof(*p->ring));
        p->s.rate_hz = rate_hz;
        ok = p->ring || err_set(err, ERR_NOMEM, "the player: no memory");
    }
    if (ok && p->has_failed) {
        *err = p->err;
        ok = false;
    }
    ok = ok && put_at_rate(p, samples, (size_t)n, rate_hz, err);
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void player_get(struct player *p, struct player_state *out)
{
    pthread_mutex_lock(&p->lock);
    *out = p->s;
    pthread_mutex_unlock(&p->lock);
}

void player_mark(struct player *p)
{
    pthread_mutex_lock(&p->lock);
    p->s.first_ns = 0;
    pthread_mutex_unlock(&p->lock);
}

void player_drop(struct player *p)
{
    pthread_mutex_lock(&p->lock);
    p->s.n_dropped += p->n;
    p->n = 0;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

bool player_close(struct player *p, struct err *err)
{
    bool ok = true;
    if (!p)
        return true;
    if (p->has_thread) {
        pthread_mutex_lock(&p->lock);
        p->is_closing = true;
        pthread_cond_signal(&p->wake);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
    }
    if (p->has_failed) {
        *err = p->err;
        ok = false;
    }
    if (ok && p->card)
        ok = soundcard_drain(p->card, err);
    if (ok && p->file && !p->writer && p->has_thread) /* nobody said anything: an empty sound is one, too */
        ok = open_output(p, 16000, err);
    if (ok && p->writer)
        ok = sound_writer_finish(p->writer, err);
    sound_writer_free(p->writer);
    soundcard_close(p->card);
    if (p->file && p->file != stdout && fclose(p->file) != 0 && ok)
        ok = err_set(err, ERR_IO, "the sound cannot be written: %s", strerror(errno));
    resampler_free(p->resampler);
    free(p->ring);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p);
    return ok;
}
