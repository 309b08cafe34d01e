/* cmd/run_stream.h - arguments of `tutti run CARD` that are no single picture or sound: videos, cameras, a microphone.
 *
 * For:     run_task.c.  Touches: what pipeline/source.h touches.
 */
#ifndef TUTTI_CMD_RUN_STREAM_H
#define TUTTI_CMD_RUN_STREAM_H
#include <stdbool.h>

#include "base/err.h"
#include "task/task.h"

/* For an expert that looks at pictures: /dev/videoN, rtsp://..., or a file that is no picture (then it is a video); a file of JPEG
 * pictures one after another when fps is given (else it is its first picture; motion takes all of it at once).
 * For one that listens: "mic" or "mic:DEVICE". */
bool run_stream_is(const char *arg, enum expert_task task, double fps);

/* Called with each frame (or 100 ms of sound); false ends the stream, with err. */
typedef bool run_stream_fn(void *ctx, const struct task_media *m, double t_s, bool is_first, struct err *err);
/* fps 0: 10 of a file, a camera's own.  Returns at the end of the stream or when fn says so. */
bool run_stream(const char *arg, double fps, run_stream_fn *fn, void *ctx, struct err *err);
#endif
