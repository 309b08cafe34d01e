/* task/speak.h - what all voices share: pieces of sound of a steady length, voices' names, speed.
 *
 * For:     speak_flite.c, speak_espeak.c, speak_onnx.c.
 * Touches: nothing but memory.  Thread: its owner's.
 * Rule:    the first piece is 50 ms, so that it can be heard soon; those behind it 80 ms.
 */
#ifndef TUTTI_TASK_SPEAK_H
#define TUTTI_TASK_SPEAK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task/task.h"

enum { SPEAK_FIRST_MS = 50, SPEAK_PIECE_MS = 80, SPEAK_RATE_MAX_HZ = 192000, SPEAK_TEXT_BYTES_MAX = 1 << 20,
       SPEAK_SENTENCE_BYTES = 240 };

struct speak_out { /* begin with speak_begin() */
    const struct task_out *out;
    int rate_hz;
    int n_sent;        /* pieces */
    int n_held, n_max; /* samples */
    float held[SPEAK_RATE_MAX_HZ / 1000 * SPEAK_PIECE_MS];
};

bool speak_begin(struct speak_out *s, const struct task_out *out, int rate_hz, struct err *err);
bool speak_put(struct speak_out *s, const float *samples, size_t n, struct err *err);
bool speak_put_s16(struct speak_out *s, const int16_t *samples, size_t n, struct err *err);
bool speak_end(struct speak_out *s, struct err *err); /* what is held back */

/* A name that may stand in a command line or a symbol: 1..max letters, digits, _ + - (not first); NULL is refused. */
bool speak_name_ok(const char *name, size_t max);
/* The request's text: valid UTF-8 with something in it, at most SPEAK_TEXT_BYTES_MAX. */
bool speak_check_text(const struct task_request *rq, struct err *err);
/* The request's speed, else `normal`; 0.25..4. */
bool speak_speed(const struct task_request *rq, double normal, double *out, struct err *err);
#endif
