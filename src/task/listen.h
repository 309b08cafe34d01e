/* task/listen.h - the sound of requests as one stream of mono samples at the rate that a model wants.
 *
 * For:     every task that listens.
 * Touches: media/sound (which may load libsndfile or libsoxr).  Thread: its owner's.
 * Rule:    what comes out does not depend on how a live sound was cut into requests: the resampler lives as long as the
 *          session.  Encoded media are decoded as they are read, never held as a whole.
 *
 * The way of a request:  listen_feed(), then listen_read() until it gives fewer samples than asked for.
 */
#ifndef TUTTI_TASK_LISTEN_H
#define TUTTI_TASK_LISTEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "media/sound.h"
#include "task/task.h"

struct listen { /* begin with listen_init() */
    int rate_hz;
    struct sound_reader *reader; /* MEDIA_ENCODED */
    const float *raw;            /* MEDIA_F32, borrowed from the request */
    size_t n_raw;
    struct resampler *resampler; /* of raw sound at raw_hz */
    int raw_hz;
    float *ready;                /* what the resampler gave */
    size_t n_ready, at_ready, cap_ready;
    bool is_last, is_flushed;
};

void listen_init(struct listen *l, int rate_hz);
void listen_fini(struct listen *l);
/* Takes a request's media (exactly one sound), borrowed until it is read.  ERR_INPUT: no sound, not one, or broken. */
bool listen_feed(struct listen *l, const struct task_request *rq, struct err *err);
/* Up to n samples; fewer only when the request has no more. */
bool listen_read(struct listen *l, float *out, size_t n, size_t *n_got, struct err *err);

/* ---- what a task keeps for each live sound ---- */

enum { LISTEN_SESSIONS_MAX = 32 };
struct listen_sessions { /* zeroed: none */
    struct {
        uint64_t id, used;
        void *state;
    } slots[LISTEN_SESSIONS_MAX];
    uint64_t clock;
    void (*free)(void *state);
    void *(*make)(void *self, struct err *err);
    void *self;
};
/* The state of rq's session: made when the session starts, is new, or was forgotten (the one that was silent for longest
 * makes room).  For a request without session: made anew, and freed by listen_done(). */
void *listen_state(struct listen_sessions *s, const struct task_request *rq, struct err *err);
void listen_done(struct listen_sessions *s, const struct task_request *rq, void *state);
void listen_sessions_fini(struct listen_sessions *s);
#endif
