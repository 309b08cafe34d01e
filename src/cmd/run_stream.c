/* cmd/run_stream.c - see run_stream.h. */
#include "cmd/run_stream.h"

#include <stdio.h>
#include <string.h>

#include "media/image.h"
#include "media/soundcard.h"
#include "media/video.h"

enum { MICROPHONE_HZ = 16000, MICROPHONE_PIECE = 1600 };
static const unsigned SEEING = EXPERT_CLASSIFY | EXPERT_DETECT | EXPERT_FACES | EXPERT_SEGMENT | EXPERT_OCR | EXPERT_DESCRIBE | EXPERT_EMBED_IMAGE | EXPERT_MOTION;
static const unsigned LISTENING = EXPERT_VAD | EXPERT_WAKE | EXPERT_KEYWORD;

static bool is_picture(const char *path, double fps)
{
    unsigned char head[64];
    FILE *f = fopen(path, "rb");
    if (!f)
        return true; /* whoever opens it says why not */
    const size_t n = fread(head, 1, sizeof(head), f);
    fclose(f);
    const enum image_kind kind = image_sniff(head, n);
    return n == 0 || (kind != IMAGE_UNKNOWN && !(kind == IMAGE_JPEG && fps > 0));
}

enum run_stream run_stream_find(const char *arg, enum expert_task task, double fps)
{
    if (task & LISTENING)
        return strcmp(arg, "mic") == 0 || strncmp(arg, "mic:", 4) == 0 ? RUN_STREAM_MICROPHONE : RUN_STREAM_NONE;
    if (!(task & SEEING) || strcmp(arg, "-") == 0)
        return RUN_STREAM_NONE;
    if (strncmp(arg, "/dev/video", 10) == 0)
        return RUN_STREAM_CAMERA;
    if (strncmp(arg, "rtsp://", 7) == 0 || strncmp(arg, "rtsps://", 8) == 0)
        return RUN_STREAM_RTSP;
    return is_picture(arg, fps) ? RUN_STREAM_NONE : RUN_STREAM_FILE;
}

static bool run_video(enum run_stream kind, const char *arg, double fps, run_stream_fn *fn, void *ctx, struct err *err)
{
    const struct video_options o = { .fps = fps };
    struct video *v = kind == RUN_STREAM_CAMERA ? video_open_camera(arg, &o, err) : kind == RUN_STREAM_RTSP ? video_open_rtsp(arg, &o, err) : video_open_file(arg, &o, err);
    struct video_frame f;
    bool good = v != NULL;
    for (long n = 0; good; n++) {
        if (!video_next(v, &f, err)) {
            good = err->code == ERR_NONE;
            break;
        }
        const struct task_media m = { .form = f.form == FRAME_JPEG ? MEDIA_ENCODED : f.form == FRAME_RGB8 ? MEDIA_RGB8 : MEDIA_GREY8,
                                      .bytes = f.bytes, .n_bytes = f.n_bytes, .width_px = f.w, .height_px = f.h };
        good = fn(ctx, &m, f.t_s, n == 0, err);
    }
    video_close(v);
    return good;
}

static bool run_microphone(const char *arg, run_stream_fn *fn, void *ctx, struct err *err)
{
    float samples[MICROPHONE_PIECE];
    struct soundcard *s = soundcard_open_microphone(arg[3] == ':' ? arg + 4 : NULL, MICROPHONE_HZ, 0, err);
    bool good = s != NULL;
    for (long n = 0; good; n++) {
        const struct task_media m = { .form = MEDIA_F32, .bytes = samples, .n_bytes = sizeof(samples), .rate_hz = MICROPHONE_HZ };
        good = soundcard_hear(s, samples, MICROPHONE_PIECE, err) && fn(ctx, &m, (double)n * MICROPHONE_PIECE / MICROPHONE_HZ, n == 0, err);
    }
    soundcard_close(s);
    return good;
}

bool run_stream(enum run_stream kind, const char *arg, double fps, run_stream_fn *fn, void *ctx, struct err *err)
{
    return kind == RUN_STREAM_MICROPHONE ? run_microphone(arg, fn, ctx, err) : run_video(kind, arg, fps, fn, ctx, err);
}
