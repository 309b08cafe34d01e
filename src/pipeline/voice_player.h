/* pipeline/voice_player.h - speech on its way out: to a loudspeaker, a WAV file or stdout, at the speed of life or as fast as it goes.
 *
 * For:     voice.c.
 * Callers: pipeline/.
 * Touches: the file, ALSA, a thread of its own.
 * Thread:  any; the callback comes from the player's thread, without a lock.
 * Rule:    put() never blocks; at most PLAYER_S seconds wait, more is refused.  What is dropped is never heard: of a loudspeaker
 *          at most its own buffer (PLAYER_CARD_MS).  A file at the speed of life is what a listener beside the source would have
 *          heard: silence where nobody spoke, and its begin is the source's.
 */
#ifndef TUTTI_PIPELINE_VOICE_PLAYER_H
#define TUTTI_PIPELINE_VOICE_PLAYER_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { PLAYER_S = 60, PLAYER_CARD_MS = 80 };

struct player;
/* to: "speaker", "speaker:DEVICE", FILE.wav, "-" (WAV on stdout), NULL: nowhere (what is put counts as heard at once).
 * at_life_speed: a file or stdout; a loudspeaker always is.  on_change: something was heard, or all was; may be NULL.  NULL with err. */
struct player *player_new(const char *to, bool at_life_speed, void (*on_change)(void *ctx), void *ctx, struct err *err);
/* The next samples; the first ones fix the rate, others are brought to it.  false with err: too much waits, no rate, a broken output. */
bool player_put(struct player *p, const float *samples, int n, int rate_hz, struct err *err);
struct player_state {
    uint64_t n_put, n_heard, n_dropped; /* samples at rate_hz; put = heard + dropped + waiting */
    int rate_hz;                        /* 0: nothing came yet */
    uint64_t first_ns;                  /* clock_ns() when something was heard first since player_mark(); 0: not yet */
};
void player_get(struct player *p, struct player_state *out);
void player_mark(struct player *p);     /* a new answer: first_ns is 0 again */
void player_drop(struct player *p);     /* what waits is not wanted any more */
bool player_close(struct player *p, struct err *err); /* waits until all was heard, finishes the file, frees.  NULL is fine */
#endif
