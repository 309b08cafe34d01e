/* task/speech.h - how likely is it that somebody speaks in this frame: Silero's network, or loudness where there is none.
 *
 * For:     task/vad_task.c, task/chunks.c.
 * Touches: an ONNX session.  Thread: one.
 * Rule:    all that a stream needs lies in its struct speech_state, so that one model serves many streams.
 * Source:  ../shared/models/IO.md, audio/silero_vad_*.onnx.
 */
#ifndef TUTTI_TASK_SPEECH_H
#define TUTTI_TASK_SPEECH_H
#include "base/err.h"
#include "task/vad.h"

struct onnx_session;
struct speech;

enum { SPEECH_FRAME_MAX = 512 };

struct speech_state { /* zeroed: the start of a stream */
    float state[2 * 128];
    float context[64]; /* the last samples of the frame before */
    struct vad_energy energy;
};

/* model: a session of a Silero file, which the result then owns (and closes when this fails); NULL: loudness, at 16 kHz only.
 * rate_hz: 16000, or 8000 where the file can.  NULL with err. */
struct speech *speech_open(struct onnx_session *model, int rate_hz, struct err *err);
void speech_close(struct speech *s); /* NULL is fine; before the runtime */
int speech_rate_hz(const struct speech *s);
int speech_frame(const struct speech *s); /* samples: 512 at 16 kHz, 256 at 8 kHz; 32 ms */
struct onnx_session *speech_session(struct speech *s); /* NULL: loudness; may be run with any inputs between frames */
/* One frame of speech_frame() samples (-1..1). */
bool speech_put(struct speech *s, struct speech_state *st, const float *x, float *p, struct err *err);
#endif
