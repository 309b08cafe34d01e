/* task/listen.c - see listen.h. */
#include "task/listen.h"

#include <stdlib.h>
#include <string.h>

void listen_init(struct listen *l, int rate_hz)
{
    *l = (struct listen){ .rate_hz = rate_hz };
}

void listen_fini(struct listen *l)
{
    sound_reader_free(l->reader);
    resampler_free(l->resampler);
    free(l->ready);
    listen_init(l, l->rate_hz);
}

bool listen_feed(struct listen *l, const struct task_request *rq, struct err *err)
{
    sound_reader_free(l->reader);
    l->reader = NULL, l->raw = NULL, l->n_raw = 0;
    l->is_last = rq->session == 0 || rq->session_end;
    l->is_flushed = false;
    if (rq->n_media == 0 && rq->session && rq->session_end)
        return true; /* only says that there is no more */
    if (rq->n_media != 1)
        return err_set(err, ERR_INPUT, "sound: one is wanted, %d came", rq->n_media);
    const struct task_media *m = &rq->media[0];
    if (m->form == MEDIA_ENCODED) {
        l->reader = sound_reader_new(m->bytes, m->n_bytes, l->rate_hz, NULL, err);
        return l->reader != NULL;
    }
    if (m->form != MEDIA_F32)
        return err_set(err, ERR_INPUT, "sound: a picture came instead");
    if (m->rate_hz < 1000 || m->rate_hz > 384000 || m->n_bytes % sizeof(float))
        return err_set(err, ERR_INPUT, "sound: %zu bytes of samples at %d Hz make no sense", m->n_bytes, m->rate_hz);
    l->raw = m->bytes;
    l->n_raw = m->n_bytes / sizeof(float);
    if (m->rate_hz == l->rate_hz)
        return true;
    if (l->resampler && l->raw_hz != m->rate_hz)
        return err_set(err, ERR_INPUT, "sound: the rate changed from %d to %d Hz within a session", l->raw_hz, m->rate_hz);
    if (!l->resampler && !(l->resampler = resampler_new(m->rate_hz, l->rate_hz, err)))
        return false;
    l->raw_hz = m->rate_hz;
    return true;
}

enum { PIECE = 4096 }; /* samples into the resampler at a time */

static bool refill(struct listen *l, struct err *err)
{
    const size_t n = l->n_raw < PIECE ? l->n_raw : PIECE;
    const size_t bound = resampler_bound(l->resampler, n);
    if (bound > l->cap_ready) {
        float *p = realloc(l->ready, bound * sizeof(float));
        if (!p)
            return err_set(err, ERR_NOMEM, "sound: no memory to resample");
        l->ready = p, l->cap_ready = bound;
    }
    l->at_ready = 0, l->n_ready = l->cap_ready;
    if (n == 0)
        l->is_flushed = true;
    if (!resampler_put(l->resampler, n ? l->raw : NULL, n, l->ready, &l->n_ready, err))
        return false;
    l->raw += n, l->n_raw -= n;
    return true;
}

bool listen_read(struct listen *l, float *out, size_t n, size_t *n_got, struct err *err)
{
    *n_got = 0;
    if (l->reader)
        return sound_read(l->reader, out, n, n_got, err);
    if (!l->resampler) {
        *n_got = n < l->n_raw ? n : l->n_raw;
        if (*n_got)
            memcpy(out, l->raw, *n_got * sizeof(float));
        l->raw += *n_got, l->n_raw -= *n_got;
        return true;
    }
    while (*n_got < n) {
        if (l->at_ready == l->n_ready) {
            if (l->n_raw == 0 && (!l->is_last || l->is_flushed))
                return true;
            if (!refill(l, err))
                return false;
            continue;
        }
        const size_t have = l->n_ready - l->at_ready, k = have < n - *n_got ? have : n - *n_got;
        memcpy(out + *n_got, l->ready + l->at_ready, k * sizeof(float));
        *n_got += k, l->at_ready += k;
    }
    return true;
}

/* ---- sessions ---- */

void *listen_state(struct listen_sessions *s, const struct task_request *rq, struct err *err)
{
    if (rq->session == 0)
        return s->make(s->self, err);
    int slot = 0;
    for (int i = 0; i < LISTEN_SESSIONS_MAX; i++) {
        if (s->slots[i].state && s->slots[i].id == rq->session) {
            slot = i;
            break;
        }
        if (s->slots[i].used < s->slots[slot].used)
            slot = i; /* free ones have never been used or were given back: 0 */
    }
    if (s->slots[slot].state && (s->slots[slot].id != rq->session || rq->session_start)) {
        s->free(s->slots[slot].state);
        s->slots[slot].state = NULL;
    }
    if (!s->slots[slot].state && !(s->slots[slot].state = s->make(s->self, err)))
        return NULL;
    s->slots[slot].id = rq->session;
    s->slots[slot].used = ++s->clock;
    return s->slots[slot].state;
}

void listen_done(struct listen_sessions *s, const struct task_request *rq, void *state)
{
    if (rq->session == 0) {
        s->free(state);
        return;
    }
    for (int i = 0; rq->session_end && i < LISTEN_SESSIONS_MAX; i++)
        if (s->slots[i].state == state) {
            s->free(state);
            s->slots[i].state = NULL, s->slots[i].used = 0;
        }
}

void listen_sessions_fini(struct listen_sessions *s)
{
    for (int i = 0; i < LISTEN_SESSIONS_MAX; i++)
        if (s->slots[i].state)
            s->free(s->slots[i].state);
    memset(s->slots, 0, sizeof(s->slots));
}
