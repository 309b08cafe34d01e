/* pipeline/source.h - where a stream comes from: videos, cameras, folders of pictures, stdin, microphones, sound files.
 *
 * For:     cascade_run.h, cmd/run_stream.c.
 * Callers: cmd/, pipeline/.
 * Touches: files, stdin, media/video.h, media/soundcard.h.  Thread: one at a time.
 * Rule:    pieces come in order of time; their bytes are as they came (JPEG undecoded: a worker decodes them).
 */
#ifndef TUTTI_PIPELINE_SOURCE_H
#define TUTTI_PIPELINE_SOURCE_H
#include <stdbool.h>

#include "base/err.h"
#include "task/task.h"

enum { SOURCE_PICTURES_FPS = 2 }; /* of pictures one after another, which say no times: slow, so that what needs time has enough frames */
struct source_options { /* 0: the default */
    double fps;         /* media/video.h; JPEG pictures in a file, "-": SOURCE_PICTURES_FPS; a folder of pictures: 1 */
    int max_w, max_h;
    bool is_sound;      /* "-", a file: sound is expected */
    int piece_ms;       /* of sound: 100 */
    bool is_live;       /* "-": by the clock, does not wait */
    bool is_paced;      /* a file gives its pieces at the speed of life, as if it were live */
};

struct source_piece {
    struct task_media media; /* borrowed until the next call */
    double t_s;              /* since the first */
};

struct source;
/* "/dev/video0", "rtsp://...", "mic", "mic:DEVICE", "-" (JPEG pictures, PNM pictures, or a WAV, one after another), a folder of
 * pictures (by name), a sound file, a video file.  NULL with err. */
struct source *source_open(const char *what, const struct source_options *o, struct err *err);
/* By a function: tests, other rooms.  next as source_next(); close may be NULL. */
struct source *source_open_fn(bool (*next)(void *ctx, struct source_piece *p, struct err *err), void (*close)(void *ctx), void *ctx, bool is_live, bool is_sound,
                              struct err *err);
bool source_is_live(const struct source *s);  /* does not wait for a slow reader */
bool source_is_sound(const struct source *s);
/* Waits for the next piece.  false: an error, or the end (err->code ERR_NONE). */
bool source_next(struct source *s, struct source_piece *p, struct err *err);
/* Any thread: source_next() ends soon, where it can be told to (stdin, folders, files between two frames). */
void source_stop(struct source *s);
void source_close(struct source *s); /* NULL is fine */
#endif
