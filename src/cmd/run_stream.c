/* cmd/run_stream.c - see run_stream.h; what gives the frames is pipeline/source.h. */
#include "cmd/run_stream.h"

#include <stdio.h>
#include <string.h>

#include "media/image.h"
#include "pipeline/source.h"

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

bool run_stream_is(const char *arg, enum expert_task task, double fps)
{
    if (task & LISTENING)
        return strcmp(arg, "mic") == 0 || strncmp(arg, "mic:", 4) == 0;
    if (!(task & SEEING) || strcmp(arg, "-") == 0)
        return false;
    return strncmp(arg, "/dev/video", 10) == 0 || strncmp(arg, "rtsp://", 7) == 0 || strncmp(arg, "rtsps://", 8) == 0 || !is_picture(arg, fps);
}

bool run_stream(const char *arg, double fps, run_stream_fn *fn, void *ctx, struct err *err)
{
    const struct source_options o = { .fps = fps };
    struct source *s = source_open(arg, &o, err);
    struct source_piece p;
    bool good = s != NULL;
    for (long n = 0; good; n++) {
        if (!source_next(s, &p, err)) {
            good = err->code == ERR_NONE;
            break;
        }
        good = fn(ctx, &p.media, p.t_s, n == 0, err);
    }
    source_close(s);
    return good;
}
