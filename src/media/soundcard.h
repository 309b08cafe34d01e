/* media/soundcard.h - a microphone and a loudspeaker, for live use.
 *
 * For:     cmd/ (listening and speaking at the terminal).
 * Touches: ALSA (libasound, loaded when first needed), its devices.  Thread: one at a time for each.
 * Rule:    mono floats; ALSA's "plug" layer makes whatever the device wants of them.  A stumble (overrun, underrun) is got over and
 *          counted, not an error.
 */
#ifndef TUTTI_MEDIA_SOUNDCARD_H
#define TUTTI_MEDIA_SOUNDCARD_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct soundcard;
/* name: an ALSA device, NULL: "default".  latency_ms: of the buffer (0: 200).  NULL with err: ERR_UNSUPPORTED (no ALSA: says how to
 * get it), ERR_NOT_FOUND (no such device), ERR_BUSY. */
struct soundcard *soundcard_open_microphone(const char *name, int rate_hz, int latency_ms, struct err *err);
struct soundcard *soundcard_open_loudspeaker(const char *name, int rate_hz, int latency_ms, struct err *err);
/* Waits until n samples were heard (pieces of 20..100 ms are usual). */
bool soundcard_hear(struct soundcard *s, float *samples, size_t n, struct err *err);
/* Waits while the buffer is full. */
bool soundcard_say(struct soundcard *s, const float *samples, size_t n, struct err *err);
/* Waits until everything was said. */
bool soundcard_drain(struct soundcard *s, struct err *err);
void soundcard_close(struct soundcard *s); /* NULL is fine; what was not said yet is dropped */
#endif
