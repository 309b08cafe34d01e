/* media/video.c - see video.h: which source reads what; MJPEG in memory. */
#define _GNU_SOURCE /* memfd_create */
#include "media/video.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "media/image.h"
#include "media/video_internal.h"

struct video *video_wrap(const struct video_source *source, void *self, struct err *err)
{
    struct video *v = malloc(sizeof(*v));
    if (!v) {
        source->close(self);
        return err_null(err, ERR_NOMEM, "video: no memory");
    }
    *v = (struct video){ source, self };
    return v;
}

bool video_next(struct video *v, struct video_frame *frame, struct err *err)
{
    err_clear(err);
    return v->source->next(v->self, frame, err);
}

void video_close(struct video *v)
{
    if (v)
        v->source->close(v->self);
    free(v);
}

/* ---- JPEG pictures in memory ---- */

struct pictures {
    struct mjpeg mjpeg;
    const uint8_t *bytes; /* borrowed, or those of map */
    size_t n, at;
    struct file_map map;
    double fps;
    long n_frames;
};

static bool pictures_next(void *self, struct video_frame *frame, struct err *err)
{
    struct pictures *p = self;
    enum { PIECE = 1 << 16 };
    while (!mjpeg_next(&p->mjpeg, &frame->bytes, &frame->n_bytes)) {
        const size_t n = p->n - p->at < PIECE ? p->n - p->at : PIECE;
        if (n == 0)
            return false;
        p->at += n;
        if (!mjpeg_put(&p->mjpeg, p->bytes + p->at - n, n, err))
            return false;
    }
    frame->form = FRAME_JPEG, frame->w = frame->h = 0;
    frame->t_s = (double)p->n_frames++ / p->fps;
    return true;
}

static void pictures_close(void *self)
{
    struct pictures *p = self;
    mjpeg_fini(&p->mjpeg);
    file_map_close(&p->map);
    free(p);
}

static struct video *open_pictures(const uint8_t *bytes, size_t n, const struct file_map *map, const struct video_options *o, struct err *err)
{
    static const struct video_source source = { pictures_next, pictures_close };
    struct pictures *p = calloc(1, sizeof(*p));
    if (!p)
        return err_null(err, ERR_NOMEM, "video: no memory");
    mjpeg_init(&p->mjpeg, VIDEO_PICTURE_BYTES_MAX);
    p->bytes = bytes, p->n = n, p->fps = o && o->fps > 0 ? o->fps : 25;
    if (map)
        p->map = *map;
    return video_wrap(&source, p, err);
}

/* ---- opening ---- */

static bool write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        const ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done, n -= (size_t)done;
    }
    return true;
}

struct video *video_open_bytes(const void *bytes, size_t n, const struct video_options *o, struct err *err)
{
    if (image_sniff(bytes, n) == IMAGE_JPEG)
        return open_pictures(bytes, n, NULL, o, err);
    if (n == 0)
        return err_null(err, ERR_INPUT, "video: empty");
    const int fd = memfd_create("video", MFD_CLOEXEC);
    struct video *v = NULL;
    if (fd < 0 || !write_all(fd, bytes, n))
        err_set(err, ERR_IO, "video: no memory for a copy of %zu bytes: %s", n, strerror(errno));
    else
        v = ffmpeg_open_fd(fd, NULL, o, err);
    if (fd >= 0)
        close(fd);
    return v;
}

struct video *video_open_file(const char *path, const struct video_options *o, struct err *err)
{
    struct file_map map;
    if (!file_map_open(&map, path, err))
        return NULL;
    if (image_sniff(map.data, map.size) == IMAGE_JPEG) {
        struct video *v = open_pictures(map.data, map.size, &map, o, err);
        return v;
    }
    const bool is_empty = map.size == 0;
    file_map_close(&map);
    if (is_empty)
        return err_null(err, ERR_INPUT, "%s: empty", path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_null(err, ERR_IO, "%s: %s", path, strerror(errno));
    struct video *v = ffmpeg_open_fd(fd, path, o, err);
    close(fd);
    return v;
}

struct video *video_open_rtsp(const char *url, const struct video_options *o, struct err *err)
{
    if (strncmp(url, "rtsp://", 7) != 0 && strncmp(url, "rtsps://", 8) != 0)
        return err_null(err, ERR_INPUT, "%s: not an address that begins with rtsp:// or rtsps://", url);
    return ffmpeg_open_rtsp(url, o, err);
}
