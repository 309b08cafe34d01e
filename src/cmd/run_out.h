/* cmd/run_out.h - what `tutti run --out FILE` writes: the picture with its boxes drawn, or the sound that was spoken.
 *
 * For:     run_task.c.  Touches: the file; it appears only when all went well.
 */
#ifndef TUTTI_CMD_RUN_OUT_H
#define TUTTI_CMD_RUN_OUT_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "task/card.h"
#include "task/result.h"

struct run_out;
/* path: .png, .jpg for pictures; .wav, .flac, .opus, .pcm for speech, or "speaker", "speaker:DEVICE"; "-":
 * stdout (speech as WAV).  NULL with err: an end that is not
 * possible for that task. */
struct run_out *run_out_new(const char *path, enum expert_task task, struct err *err);
/* The picture that results will be drawn on, as its file's bytes. */
bool run_out_picture(struct run_out *o, const void *bytes, size_t n, struct err *err);
void run_out_result(struct run_out *o, const struct task_result *r);
void run_out_audio(struct run_out *o, const float *samples, int n, int rate_hz);
/* Writes what came (ok) or forgets it; frees.  false with err. */
bool run_out_end(struct run_out *o, bool ok, struct err *err);
#endif
