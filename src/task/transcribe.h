/* task/transcribe.h - what all speech to text shares: sound in, voice activity, chunks, times in the whole recording.
 *
 * For:     task/sphinx_task.c, task/whisper_task.c, task/ctc_task.c: they bring a function that hears one chunk.
 * Touches: the detector's model when the card names one.  Thread: the task's.
 * Keys:    `vad` (`energy`, `none`, or the file of a Silero model), `chunk` {min, max, gap, pause, pad: times}.
 * Rule:    each chunk's text is emitted as soon as it is heard (TASK_TEXT); a complete sound ends with one TASK_RESULT with
 *          all segments and words, a piece of a live one with those that it completed.
 */
#ifndef TUTTI_TASK_TRANSCRIBE_H
#define TUTTI_TASK_TRANSCRIBE_H
#include "task/chunks.h"
#include "task/heard.h"
#include "task/listen.h"
#include "task/onnx_open.h"
#include "task/task.h"

/* Appends the segments and words of n samples (16 kHz, -1..1), times with start_s added. */
typedef bool transcribe_fn(void *self, const float *x, size_t n, double start_s, const struct task_request *rq, const struct task_out *out,
                           struct heard *heard, struct err *err);

#define TRANSCRIBE_KEYS "vad", "chunk"

struct transcriber {
    transcribe_fn *hear;
    void *self;
    struct chunk_rules rules;
    struct speech *speech; /* NULL: no detector */
    struct heard heard;
    struct listen_sessions sessions;
    const struct task_request *rq; /* of the run */
    const struct task_out *out;
    bool has_said; /* something was emitted as text in this request or session */
};

/* rules: the recogniser's own, which the card's keys change.  o: for a Silero model; NULL: its own library is opened (*own,
 * which the caller closes after transcriber_fini()). */
bool transcriber_open(struct transcriber *t, const struct card *card, const struct task_env *env, const struct chunk_rules *rules,
                      struct onnx *o, struct onnx **own, struct err *err);
void transcriber_fini(struct transcriber *t);
bool transcriber_run(struct transcriber *t, const struct task_request *rq, const struct task_out *out, struct err *err);
#endif
