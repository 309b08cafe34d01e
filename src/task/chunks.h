/* task/chunks.h - long sound cut at its pauses into pieces that a recogniser can take.
 *
 * For:     task/transcribe.c.
 * Touches: memory of one chunk (rules.max_s).  Thread: its owner's.
 * Rule:    pieces come in order, do not overlap but in silence, and hold every frame that the detector calls speech.  What
 *          comes out does not depend on how the sound was put in.
 */
#ifndef TUTTI_TASK_CHUNKS_H
#define TUTTI_TASK_CHUNKS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "task/speech.h"

struct chunk_rules {
    double min_s;   /* a chunk that is this long ends at the next pause; */
    double max_s;   /* one that gets this long is cut where it is quietest (at most CHUNK_MAX_S) */
    double gap_s;   /* a pause of this length ends any chunk */
    double pause_s; /* what counts as a pause; at least pad_s */
    double pad_s;   /* silence left on both sides */
};
enum { CHUNK_RATE_HZ = 16000, CHUNK_MAX_S = 60 };

struct chunks;
/* x: borrowed for the call.  start_s: since the start of the sound.  false stops the cutting with err. */
typedef bool chunk_fn(void *ctx, const float *x, size_t n, double start_s, struct err *err);

/* speech: borrowed, 16 kHz; NULL: everything is speech.  NULL with err. */
struct chunks *chunks_new(struct speech *speech, const struct chunk_rules *rules, struct err *err);
void chunks_free(struct chunks *c); /* NULL is fine */
bool chunks_put(struct chunks *c, const float *x, size_t n, chunk_fn *fn, void *ctx, struct err *err);
bool chunks_finish(struct chunks *c, chunk_fn *fn, void *ctx, struct err *err); /* the sound is over; then free it */
double chunks_seen_s(const struct chunks *c); /* how much was put in */
#endif
