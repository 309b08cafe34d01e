/* media/video.h - frames, one after the other: of video files, MJPEG streams, RTSP and cameras.
 *
 * For:     cmd/ and serve/, which hand frames to experts (media/motion.h, detectors).
 * Touches: ffmpeg as a child process in a sandbox (proc/): it reads a file descriptor, writes pictures to a pipe, and may open
 *          neither files nor sockets (RTSP: sockets, but no files); /dev/videoN.  A stream of JPEG pictures is cut here, without ffmpeg.
 * Thread:  one at a time for each video; the one that opens it must live on (proc/child.h).
 * Rule:    frames come out as they are: JPEG pictures undecoded (who looks at them decodes them, in a worker), others as pixels.  What a
 *          stranger's file can cost is limited: pixels, CPU seconds, memory of the child.  video_close() stops at any time.
 */
#ifndef TUTTI_MEDIA_VIDEO_H
#define TUTTI_MEDIA_VIDEO_H
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum frame_form { FRAME_JPEG, FRAME_RGB8, FRAME_GREY8, FRAME_FORM_COUNT };
struct video_frame { /* borrowed until the next call */
    enum frame_form form;
    const void *bytes; /* pixels without gaps, or a whole JPEG */
    size_t n_bytes;
    int w, h;          /* pixels; of JPEG: 0, not looked at */
    double t_s;        /* since the first frame */
};

struct video_options {   /* 0: the default in brackets */
    double fps;          /* frames a second that come out of a file or RTSP [10]; that an MJPEG stream has [25]; that a camera is asked for [its own] */
    int max_w, max_h;    /* larger frames are scaled down, a camera's size is chosen by it [1920 x 1920; a camera: 640 x 480] */
    bool is_grey;        /* pixels as FRAME_GREY8; JPEG stays JPEG */
    int timeout_ms;      /* most silence before the next frame [10000]; before the first one of a file or RTSP three times that */
    int max_cpu_s;       /* of the child [600] */
};

struct video;
/* A file by its path, any form: MJPEG (by its first bytes), or whatever ffmpeg reads.  NULL with err: ERR_NOT_FOUND, ERR_UNSUPPORTED
 * (no ffmpeg: says how to get it). */
struct video *video_open_file(const char *path, const struct video_options *o, struct err *err);
/* The same from memory; borrowed until close when it is MJPEG, else copied. */
struct video *video_open_bytes(const void *bytes, size_t n_bytes, const struct video_options *o, struct err *err);
/* rtsp://... or rtsps://...; only addresses that the machine's owner configured. */
struct video *video_open_rtsp(const char *url, const struct video_options *o, struct err *err);
/* "/dev/video0": MJPEG where the camera has it, else YUYV turned into pixels. */
struct video *video_open_camera(const char *path, const struct video_options *o, struct err *err);
/* false: an error, or the end (err->code ERR_NONE). */
bool video_next(struct video *v, struct video_frame *frame, struct err *err);
void video_close(struct video *v); /* NULL is fine */

/* ---- streams of JPEG pictures, also with text between them (multipart/x-mixed-replace) ---- */
struct mjpeg {
    struct buf bytes;
    size_t max_picture_bytes;
    size_t start, at; /* where the picture that is being looked for or read begins; up to where it was looked at */
    int state;        /* mjpeg.c */
};
void mjpeg_init(struct mjpeg *m, size_t max_picture_bytes);
void mjpeg_fini(struct mjpeg *m);
/* More of the stream, to be followed by mjpeg_next() until it says false.  ERR_LIMIT: the picture that is being read is larger than
 * allowed; it is dropped, these bytes are taken, and the stream can go on. */
bool mjpeg_put(struct mjpeg *m, const void *bytes, size_t n, struct err *err);
/* The next whole picture, borrowed until the next put; false: more bytes are needed.  What is no JPEG is skipped. */
bool mjpeg_next(struct mjpeg *m, const void **picture, size_t *n_bytes);
#endif
