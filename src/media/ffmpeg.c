/* media/ffmpeg.c - frames out of Debian's ffmpeg command, a child process that can do nothing else; see video.h.
 *
 * For:     video.c.  Touches: a child process (proc/), two pipes.
 * Rule:    files come in as descriptor 3, pictures go out through a pipe as PPM or PGM (each says its own size), complaints through
 *          another.  DEPENDENCIES.md section 8: a whitelist of protocols (else ffmpeg fetches what a playlist names), landlock and
 *          seccomp, limits on memory and CPU time.
 */
#define _GNU_SOURCE /* pipe2 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "media/video_internal.h"
#include "proc/child.h"
#include "proc/sandbox.h"

enum { MEMORY_MAX = 1 << 30, FILES_MAX = 64, ARGS_MAX = 40, PIPE_BYTES = 1 << 18, COMPLAINT_MAX = 160, START_FACTOR = 3 };

struct ffmpeg {
    struct child child;
    int out, complaints; /* our ends */
    double fps;
    int timeout_ms, w_max, h_max;
    uint8_t *bytes; /* what came: [len] of [cap] */
    size_t len, cap;
    size_t used; /* of the frame that was handed out */
    long n_frames;
    char complaint[COMPLAINT_MAX]; /* the first line that it wrote to stderr */
    bool has_line, has_begun; /* something came */
};

static void ffmpeg_close(void *self)
{
    struct ffmpeg *f = self;
    if (f->child.pid)
        child_stop(&f->child, 0, NULL);
    if (f->out >= 0)
        close(f->out);
    if (f->complaints >= 0)
        close(f->complaints);
    free(f->bytes);
    free(f);
}

static void read_complaint(struct ffmpeg *f)
{
    char text[512];
    const ssize_t n = read(f->complaints, text, sizeof(text));
    if (n <= 0) {
        close(f->complaints);
        f->complaints = -1;
    }
    size_t at = strlen(f->complaint);
    for (ssize_t i = 0; i < n && !f->has_line; i++) {
        f->has_line = text[i] == '\n' && at > 0;
        if (!f->has_line && at + 1 < sizeof(f->complaint) && (unsigned char)text[i] >= ' ')
            f->complaint[at++] = text[i];
    }
    f->complaint[at] = '\0';
}

/* More bytes from the child; *is_end at its end.  false with err: nothing for timeout_ms (its start may take longer: a cold disk), no memory. */
static bool read_more(struct ffmpeg *f, bool *is_end, struct err *err)
{
    const size_t need = f->len + PIPE_BYTES;
    if (need > f->cap) {
        uint8_t *more = realloc(f->bytes, need * 2);
        if (!more)
            return err_set(err, ERR_NOMEM, "video: no memory");
        f->bytes = more, f->cap = need * 2;
    }
    const int wait_ms = f->has_begun ? f->timeout_ms : START_FACTOR * f->timeout_ms;
    const uint64_t until = clock_ns() + (uint64_t)wait_ms * 1000000u;
    for (;;) {
        struct pollfd fds[2] = { { f->out, POLLIN, 0 }, { f->complaints, POLLIN, 0 } }; /* a descriptor of -1 is passed over */
        const uint64_t now = clock_ns();
        const int n = poll(fds, 2, now < until ? (int)((until - now) / 1000000u) + 1 : 0);
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_IO, "video: %s", strerror(errno));
        if (n == 0)
            return err_set(err, ERR_IO, "video: no picture for %d s", wait_ms / 1000);
        if (n > 0 && fds[1].revents)
            read_complaint(f);
        if (n <= 0 || !fds[0].revents)
            continue;
        const ssize_t got = read(f->out, f->bytes + f->len, f->cap - f->len);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return err_set(err, ERR_IO, "video: %s", strerror(errno));
        f->len += (size_t)got;
        f->has_begun = true;
        *is_end = got == 0;
        return true;
    }
}

/* "P6\n640 360\n255\n": 1 and all set; 0: more bytes are needed; -1: that is none.  Strict: it is our own ffmpeg that writes. */
static int read_head(const struct ffmpeg *f, struct video_frame *frame, size_t *head_bytes)
{
    int number[3] = { 0 }, k = 0;
    if (f->len < 3)
        return 0;
    if (f->bytes[0] != 'P' || (f->bytes[1] != '6' && f->bytes[1] != '5') || f->bytes[2] != '\n')
        return -1;
    for (size_t i = 3; i < f->len && i < 32; i++) {
        const uint8_t c = f->bytes[i];
        if (c >= '0' && c <= '9') {
            number[k] = number[k] * 10 + (c - '0');
            if (number[k] > 65535)
                return -1;
        } else if (c == ' ' || c == '\n') {
            if (++k == 3) {
                frame->w = number[0], frame->h = number[1];
                frame->form = f->bytes[1] == '6' ? FRAME_RGB8 : FRAME_GREY8;
                *head_bytes = i + 1;
                return frame->w > 0 && frame->h > 0 && frame->w <= f->w_max && frame->h <= f->h_max && number[2] == 255 ? 1 : -1;
            }
        } else {
            return -1;
        }
    }
    return f->len < 32 ? 0 : -1;
}

/* "/proc/self/fd/3: Invalid data ..." says nothing to anybody but the child. */
static const char *without_input(const char *complaint)
{
    static const char input[] = "/proc/self/fd/3: ";
    return strncmp(complaint, input, sizeof(input) - 1) == 0 ? complaint + sizeof(input) - 1 : complaint;
}

/* The child has closed its pipe: the end, or an error when it failed before the first frame or died. */
static bool end(struct ffmpeg *f, struct err *err)
{
    struct child_end how;
    char text[CHILD_END_BYTES];
    while (f->complaints >= 0 && !f->has_line) /* it closes them when it ends */
        read_complaint(f);
    if (!child_wait(&f->child, f->timeout_ms, &how))
        child_stop(&f->child, 0, &how);
    if (how.by_signal)
        return err_set(err, how.code == SIGXCPU || how.code == SIGKILL ? ERR_LIMIT : ERR_INPUT, "video: ffmpeg %s after %ld frames", child_end_text(&how, text), f->n_frames);
    if (f->n_frames == 0 && strstr(f->complaint, "matches no streams")) /* a sound, for example */
        return err_set(err, ERR_INPUT, "video: there are no pictures in it");
    if (f->n_frames == 0)
        return err_set(err, ERR_INPUT, "video: %s", f->complaint[0] ? without_input(f->complaint) : "ffmpeg finds no pictures in it");
    return false;
}

static bool ffmpeg_next(void *self, struct video_frame *frame, struct err *err)
{
    struct ffmpeg *f = self;
    if (f->used > 0) {
        memmove(f->bytes, f->bytes + f->used, f->len - f->used);
        f->len -= f->used, f->used = 0;
    }
    if (!f->child.pid)
        return false;
    for (bool is_end = false;;) {
        size_t head;
        const int has_head = read_head(f, frame, &head);
        if (has_head < 0)
            return err_set(err, ERR_INTERNAL, "video: ffmpeg wrote something that is no picture");
        if (has_head) {
            frame->n_bytes = (size_t)frame->w * (size_t)frame->h * (frame->form == FRAME_RGB8 ? 3 : 1);
            if (f->len >= head + frame->n_bytes) {
                frame->bytes = f->bytes + head;
                f->used = head + frame->n_bytes;
                frame->t_s = (double)f->n_frames++ / f->fps;
                return true;
            }
        }
        if (is_end)
            return end(f, err);
        if (!read_more(f, &is_end, err))
            return false;
    }
}

/* input: what stands behind -i.  fd -1: none. */
static struct video *start(const char *const *before, const char *input, int fd, const struct sandbox_rules *rules, const struct video_options *o, struct err *err)
{
    static const struct video_source source = { ffmpeg_next, ffmpeg_close };
    static const struct video_options none;
    o = o ? o : &none;
    struct ffmpeg *f = calloc(1, sizeof(*f));
    if (!f)
        return err_null(err, ERR_NOMEM, "video: no memory");
    f->out = f->complaints = -1;
    f->fps = o->fps > 0 ? o->fps : 10;
    f->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : 10000;
    f->w_max = o->max_w > 0 ? o->max_w : VIDEO_W_MAX, f->h_max = o->max_h > 0 ? o->max_h : VIDEO_H_MAX;

    char filter[160];
    snprintf(filter, sizeof(filter), "fps=%g,scale=w='min(iw,%d)':h='min(ih,%d)':force_original_aspect_ratio=decrease", f->fps, f->w_max, f->h_max);
    const char *argv[ARGS_MAX] = { "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1" };
    int n = 7;
    for (int i = 0; before[i]; i++)
        argv[n++] = before[i];
    const char *const rest[] = { "-i", input, "-map", "0:v:0", "-an", "-sn", "-dn", "-threads", "1", "-filter_threads", "1", "-vf", filter, "-f", "image2pipe",
                                 "-c:v", o->is_grey ? "pgm" : "ppm", "-pix_fmt", o->is_grey ? "gray" : "rgb24", "pipe:1", NULL };
    memcpy(argv + n, rest, sizeof(rest));

    int out[2] = { -1, -1 }, complaints[2] = { -1, -1 };
    struct sandbox *sandbox = sandbox_new(rules, err);
    bool good = sandbox != NULL;
    if (good && (pipe2(out, O_CLOEXEC) != 0 || pipe2(complaints, O_CLOEXEC) != 0))
        good = err_set(err, ERR_IO, "video: %s", strerror(errno));
    if (good) {
        const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
        const int fds[] = { -1, out[1], complaints[1], fd };
        const struct child_spec spec = { .argv = argv, .env = env, .fds = fds, .n_fds = fd >= 0 ? 4 : 3, .sandbox = sandbox,
                                         .limits = { .memory_bytes = MEMORY_MAX, .cpu_s = o->max_cpu_s > 0 ? o->max_cpu_s : 600, .files = FILES_MAX } };
        good = child_start(&f->child, &spec, err);
        if (!good && err->code == ERR_NOT_FOUND)
            err_set(err, ERR_UNSUPPORTED, "video: ffmpeg is missing, and this needs it: apt-get install ffmpeg");
    }
    sandbox_free(sandbox);
    f->out = out[0], f->complaints = complaints[0];
    if (out[1] >= 0)
        close(out[1]);
    if (complaints[1] >= 0)
        close(complaints[1]);
    if (!good) {
        ffmpeg_close(f);
        return NULL;
    }
    return video_wrap(&source, f, err);
}

struct video *ffmpeg_open_fd(int fd, const char *path, const struct video_options *o, struct err *err)
{
    static const char *const before[] = { "-protocol_whitelist", "file,pipe", NULL };
    const char *const read[] = { "/proc", path, NULL };
    const struct sandbox_rules rules = { .read = read, .may_exec = true };
    return start(before, "/proc/self/fd/3", fd, &rules, o, err);
}

struct video *ffmpeg_open_rtsp(const char *url, const struct video_options *o, struct err *err)
{
    static const char *const before[] = { "-protocol_whitelist", "rtp,rtsp,rtsps,tcp,tls,udp", "-rtsp_transport", "tcp", "-timeout", "5000000", NULL };
    const struct sandbox_rules rules = { .may_exec = true, .may_connect = true };
    return start(before, url, -1, &rules, o, err);
}
