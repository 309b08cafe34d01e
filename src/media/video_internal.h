/* media/video_internal.h - what the sources of video.h share; seen in media/ only. */
#ifndef TUTTI_MEDIA_VIDEO_INTERNAL_H
#define TUTTI_MEDIA_VIDEO_INTERNAL_H
#include <stdint.h>

#include "media/video.h"

enum { VIDEO_W_MAX = 1920, VIDEO_H_MAX = 1920, VIDEO_PICTURE_BYTES_MAX = 32 << 20 };

/* One kind of source.  next: as video_next(). */
struct video_source {
    bool (*next)(void *self, struct video_frame *frame, struct err *err);
    void (*close)(void *self);
};
struct video {
    const struct video_source *source;
    void *self;
};
struct video *video_wrap(const struct video_source *source, void *self, struct err *err); /* closes self when it fails */

/* ---- ffmpeg.c: pictures from a child ---- */
struct video *ffmpeg_open_fd(int fd, const char *path, const struct video_options *o, struct err *err); /* fd is borrowed; path NULL: a memfd */
struct video *ffmpeg_open_rtsp(const char *url, const struct video_options *o, struct err *err);

/* ---- camera.c ---- */
struct camera_io { /* the system calls of a camera, so that tests can be one */
    void *ctx;
    int (*open)(void *ctx, const char *path);
    int (*ioctl)(void *ctx, int fd, unsigned long request, void *arg); /* -1 with errno */
    void *(*map)(void *ctx, int fd, size_t n, long long offset);       /* NULL when it fails */
    void (*unmap)(void *ctx, void *p, size_t n);
    int (*wait)(void *ctx, int fd, int timeout_ms); /* 1: a frame is there, 0: time is up, -1 */
    void (*close)(void *ctx, int fd);
};
struct video *camera_open(const char *path, const struct video_options *o, const struct camera_io *io /* borrowed */, struct err *err);
/* YUYV (two pixels in four bytes: Y U Y V; Rec. 601, Y 16..235) to RGB or grey. */
void camera_yuyv_to_rgb(const uint8_t *yuyv, size_t stride, int w, int h, uint8_t *rgb);
void camera_yuyv_to_grey(const uint8_t *yuyv, size_t stride, int w, int h, uint8_t *grey);
#endif
