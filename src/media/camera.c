/* media/camera.c - frames of a camera: Video4Linux2, MJPEG or YUYV, buffers mapped, nothing copied for MJPEG; see video.h.
 *
 * For:     video.h.  Touches: /dev/videoN by open, ioctl, mmap, poll; tests put their own camera behind struct camera_io.
 * Rule:    a buffer belongs to the caller from video_next() to the next one, then it goes back to the driver.
 *          Interface: linux/videodev2.h (kernel documentation, "Video for Linux API", capturing with memory mapping).
 */
#define _GNU_SOURCE /* O_CLOEXEC, MAP_ */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "media/video_internal.h"

enum { BUFFERS = 4, SIDE_MAX = 8192 };

struct camera {
    const struct camera_io *io;
    int fd, w, h, timeout_ms;
    bool is_mjpeg, is_grey, is_streaming, has_first;
    size_t stride;
    struct { void *p; size_t n; } buffers[BUFFERS];
    unsigned n_buffers;
    int held; /* the buffer that the caller looks at; -1: none */
    double first_s;
    uint8_t *px; /* YUYV turned into pixels */
};

/* ---- the real calls ---- */
static int real_open(void *ctx, const char *path) { (void)ctx; return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC); }
static int real_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
    (void)ctx;
    int rc;
    do
        rc = ioctl(fd, request, arg);
    while (rc < 0 && errno == EINTR);
    return rc;
}
static void *real_map(void *ctx, int fd, size_t n, long long offset)
{
    (void)ctx;
    void *p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, (off_t)offset);
    return p == MAP_FAILED ? NULL : p;
}
static void real_unmap(void *ctx, void *p, size_t n) { (void)ctx; munmap(p, n); }
static int real_wait(void *ctx, int fd, int timeout_ms)
{
    (void)ctx;
    struct pollfd f = { fd, POLLIN, 0 };
    const int n = poll(&f, 1, timeout_ms);
    return n > 0 && !(f.revents & POLLIN) ? -1 : n < 0 && errno == EINTR ? 0 : n;
}
static void real_close(void *ctx, int fd) { (void)ctx; close(fd); }
static const struct camera_io real_io = { NULL, real_open, real_ioctl, real_map, real_unmap, real_wait, real_close };

struct video *video_open_camera(const char *path, const struct video_options *o, struct err *err) { return camera_open(path, o, &real_io, err); }

/* ---- pixels ---- */

static uint8_t clamp(int v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

void camera_yuyv_to_rgb(const uint8_t *yuyv, size_t stride, int w, int h, uint8_t *rgb)
{
    for (int y = 0; y < h; y++, yuyv += stride)
        for (int x = 0; x < w; x++, rgb += 3) { /* Rec. 601 in 1/256: 298 = 256 * 255 / 219, ... */
            const uint8_t *p = yuyv + 4 * (x / 2);
            const int l = 298 * (p[2 * (x & 1)] - 16), u = p[1] - 128, v = p[3] - 128;
            rgb[0] = clamp((l + 409 * v + 128) >> 8), rgb[1] = clamp((l - 100 * u - 208 * v + 128) >> 8), rgb[2] = clamp((l + 516 * u + 128) >> 8);
        }
}

void camera_yuyv_to_grey(const uint8_t *yuyv, size_t stride, int w, int h, uint8_t *grey)
{
    for (int y = 0; y < h; y++, yuyv += stride)
        for (int x = 0; x < w; x++)
            *grey++ = clamp((298 * (yuyv[2 * x] - 16) + 128) >> 8);
}

/* ---- life ---- */

static void camera_close(void *self)
{
    struct camera *c = self;
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (c->is_streaming)
        c->io->ioctl(c->io->ctx, c->fd, VIDIOC_STREAMOFF, &type);
    for (unsigned i = 0; i < c->n_buffers; i++)
        if (c->buffers[i].p)
            c->io->unmap(c->io->ctx, c->buffers[i].p, c->buffers[i].n);
    if (c->fd >= 0)
        c->io->close(c->io->ctx, c->fd);
    free(c->px);
    free(c);
}

static int call(struct camera *c, unsigned long request, void *arg) { return c->io->ioctl(c->io->ctx, c->fd, request, arg); }

static bool queue(struct camera *c, unsigned i, struct err *err)
{
    struct v4l2_buffer b = { .index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP };
    return call(c, VIDIOC_QBUF, &b) == 0 || err_set(err, ERR_IO, "camera: %s", strerror(errno));
}

static bool set_format(struct camera *c, const char *path, const struct video_options *o, struct err *err)
{
    static const uint32_t formats[] = { V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_JPEG, V4L2_PIX_FMT_YUYV };
    struct v4l2_format f = { 0 };
    size_t i = 0;
    for (; i < sizeof(formats) / sizeof(*formats); i++) {
        f = (struct v4l2_format){ .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
        f.fmt.pix.width = (uint32_t)(o->max_w > 0 ? o->max_w : 640), f.fmt.pix.height = (uint32_t)(o->max_h > 0 ? o->max_h : 480);
        f.fmt.pix.pixelformat = formats[i], f.fmt.pix.field = V4L2_FIELD_ANY;
        if (call(c, VIDIOC_S_FMT, &f) == 0 && f.fmt.pix.pixelformat == formats[i])
            break;
    }
    if (i == sizeof(formats) / sizeof(*formats))
        return err_set(err, ERR_UNSUPPORTED, "%s: the camera has neither MJPEG nor YUYV", path);
    c->is_mjpeg = formats[i] != V4L2_PIX_FMT_YUYV;
    c->w = (int)f.fmt.pix.width, c->h = (int)f.fmt.pix.height, c->stride = f.fmt.pix.bytesperline;
    if (c->w < 2 || c->h < 1 || c->w > SIDE_MAX || c->h > SIDE_MAX || c->w % 2)
        return err_set(err, ERR_UNSUPPORTED, "%s: the camera wants %d x %d pixels", path, c->w, c->h);
    c->stride = c->stride < (size_t)c->w * 2 ? (size_t)c->w * 2 : c->stride;
    if (!c->is_mjpeg && !(c->px = malloc((size_t)c->w * (size_t)c->h * 3)))
        return err_set(err, ERR_NOMEM, "camera: no memory");
    if (o->fps > 0) { /* a wish */
        struct v4l2_streamparm p = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE };
        p.parm.capture.timeperframe.numerator = 1000, p.parm.capture.timeperframe.denominator = (uint32_t)(o->fps * 1000);
        call(c, VIDIOC_S_PARM, &p);
    }
    return true;
}

static bool start(struct camera *c, const char *path, struct err *err)
{
    struct v4l2_requestbuffers want = { .count = BUFFERS, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP };
    if (call(c, VIDIOC_REQBUFS, &want) != 0 || want.count < 1)
        return err_set(err, ERR_UNSUPPORTED, "%s: the camera gives no buffers: %s", path, strerror(errno));
    c->n_buffers = want.count < BUFFERS ? want.count : BUFFERS;
    for (unsigned i = 0; i < c->n_buffers; i++) {
        struct v4l2_buffer b = { .index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP };
        if (call(c, VIDIOC_QUERYBUF, &b) != 0)
            return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
        c->buffers[i].n = b.length;
        c->buffers[i].p = c->io->map(c->io->ctx, c->fd, b.length, b.m.offset);
        if (!c->buffers[i].p)
            return err_set(err, ERR_IO, "%s: its buffers cannot be mapped: %s", path, strerror(errno));
        if (!queue(c, i, err))
            return false;
    }
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (call(c, VIDIOC_STREAMON, &type) != 0)
        return err_set(err, errno == EBUSY ? ERR_BUSY : ERR_IO, "%s: %s", path, errno == EBUSY ? "somebody else uses the camera" : strerror(errno));
    return c->is_streaming = true;
}

static bool camera_next(void *self, struct video_frame *frame, struct err *err)
{
    struct camera *c = self;
    if (c->held >= 0) {
        const unsigned i = (unsigned)c->held;
        c->held = -1;
        if (!queue(c, i, err))
            return false;
    }
    for (;;) {
        const int n = c->io->wait(c->io->ctx, c->fd, c->timeout_ms);
        if (n <= 0)
            return err_set(err, ERR_IO, n == 0 ? "camera: no picture for %d s" : "camera: it is gone", c->timeout_ms / 1000);
        struct v4l2_buffer b = { .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP };
        if (call(c, VIDIOC_DQBUF, &b) != 0) {
            if (errno == EAGAIN)
                continue;
            return err_set(err, ERR_IO, "camera: %s", errno == ENODEV ? "it is gone" : strerror(errno));
        }
        if (b.index >= c->n_buffers || b.bytesused > c->buffers[b.index].n)
            return err_set(err, ERR_IO, "camera: buffer %u with %u bytes, which it does not have", b.index, b.bytesused);
        const bool is_whole = !(b.flags & V4L2_BUF_FLAG_ERROR) && b.bytesused > 0 &&
                              (c->is_mjpeg || b.bytesused >= c->stride * (size_t)(c->h - 1) + (size_t)c->w * 2);
        if (!is_whole) { /* a frame that the driver lost */
            if (!queue(c, b.index, err))
                return false;
            continue;
        }
        c->held = (int)b.index;
        const double t_s = (double)b.timestamp.tv_sec + (double)b.timestamp.tv_usec * 1e-6;
        c->first_s = c->has_first ? c->first_s : t_s, c->has_first = true;
        *frame = (struct video_frame){ .form = FRAME_JPEG, .bytes = c->buffers[b.index].p, .n_bytes = b.bytesused, .t_s = t_s - c->first_s };
        if (!c->is_mjpeg) {
            (c->is_grey ? camera_yuyv_to_grey : camera_yuyv_to_rgb)(frame->bytes, c->stride, c->w, c->h, c->px);
            frame->form = c->is_grey ? FRAME_GREY8 : FRAME_RGB8, frame->w = c->w, frame->h = c->h;
            frame->bytes = c->px, frame->n_bytes = (size_t)c->w * (size_t)c->h * (c->is_grey ? 1 : 3);
        }
        return true;
    }
}

struct video *camera_open(const char *path, const struct video_options *o, const struct camera_io *io, struct err *err)
{
    static const struct video_source source = { camera_next, camera_close };
    static const struct video_options none;
    o = o ? o : &none;
    struct camera *c = calloc(1, sizeof(*c));
    if (!c)
        return err_null(err, ERR_NOMEM, "camera: no memory");
    c->io = io, c->held = -1, c->is_grey = o->is_grey, c->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : 10000;
    struct v4l2_capability cap = { 0 };
    c->fd = io->open(io->ctx, path);
    bool good = c->fd >= 0;
    if (!good)
        err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, errno == EACCES ? "not allowed: add the user to the group `video`" : strerror(errno));
    if (good && call(c, VIDIOC_QUERYCAP, &cap) != 0)
        good = err_set(err, ERR_INPUT, "%s: no camera", path);
    const uint32_t caps = cap.capabilities & V4L2_CAP_DEVICE_CAPS ? cap.device_caps : cap.capabilities;
    if (good && (!(caps & V4L2_CAP_VIDEO_CAPTURE) || !(caps & V4L2_CAP_STREAMING)))
        good = err_set(err, ERR_UNSUPPORTED, "%s: this device of the camera gives no pictures (try the next /dev/videoN)", path);
    good = good && set_format(c, path, o, err) && start(c, path, err);
    if (!good) {
        camera_close(c);
        return NULL;
    }
    return video_wrap(&source, c, err);
}
