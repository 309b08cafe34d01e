/* tests/media/test_video.c - pictures out of streams, files and cameras, whole and in order; what is hostile gets nowhere. */
#include "media/video.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "proc/ask.h"
#include "proc/child.h"
#include "test.h"

/* The sources' insides: a camera is tested through calls of its own. */
#include "media/video_internal.h"

/* ---- MJPEG ---- */

/* Something with the structure of a JPEG: segments (one holds an end of image, as a thumbnail does), scans, stuffed bytes. */
static size_t fake_jpeg(uint8_t *p, uint8_t mark)
{
    static const uint8_t head[] = { 0xFF, 0xD8, 0xFF, 0xE1, 0, 8, 0xFF, 0xD8, 0xFF, 0xD9, 1, 2, 0xFF, 0xFF, 0xC0, 0, 3, 7, 0xFF, 0xDA, 0, 4, 9, 9 };
    static const uint8_t tail[] = { 1, 2, 0xFF, 0, 0xFF, 0xD3, 4, 0xFF, 0xDA, 0, 2, 5, 0xFF, 0xFF, 0xD9 };
    memcpy(p, head, sizeof(head));
    p[sizeof(head)] = mark;
    memcpy(p + sizeof(head) + 1, tail, sizeof(tail));
    return sizeof(head) + 1 + sizeof(tail);
}

TEST(pictures_come_out_whole_however_the_stream_is_cut)
{
    uint8_t stream[4096];
    size_t n = 0, one = 0;
    struct err err;
    for (uint8_t k = 0; k < 20; k++) {
        if (k % 3 == 1)
            n += (size_t)sprintf((char *)stream + n, "\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n");
        if (k % 5 == 4)
            memcpy(stream + n, "\xFF\xD8\xFF\x00 no picture", 15), n += 15;
        n += one = fake_jpeg(stream + n, k);
    }
    for (size_t piece = 1; piece < 200; piece++) {
        struct mjpeg m;
        mjpeg_init(&m, 200);
        int k = 0;
        for (size_t at = 0; at < n; at += piece) {
            const void *p;
            size_t got;
            REQUIRE(mjpeg_put(&m, stream + at, n - at < piece ? n - at : piece, &err), "%s", err.text);
            while (mjpeg_next(&m, &p, &got)) {
                CHECK(got == one && ((const uint8_t *)p)[24] == k, "pieces of %zu: picture %d has %zu bytes", piece, k, got);
                k++;
            }
        }
        REQUIRE(k == 20, "pieces of %zu: %d pictures", piece, k);
        mjpeg_fini(&m);
    }
}

TEST(a_picture_that_never_ends_is_dropped_and_the_next_one_read)
{
    struct mjpeg m;
    struct err err;
    uint8_t jpeg[64], junk[1000];
    const size_t one = fake_jpeg(jpeg, 7);
    memset(junk, 5, sizeof(junk));
    mjpeg_init(&m, 5000);
    const void *p;
    size_t got;
    int n_limits = 0;
    REQUIRE(mjpeg_put(&m, jpeg, 25, &err));
    for (int i = 0; i < 20; i++) {
        n_limits += !mjpeg_put(&m, junk, sizeof(junk), &err) && err.code == ERR_LIMIT;
        CHECK(!mjpeg_next(&m, &p, &got));
        CHECK(m.bytes.cap < 20000, "%zu bytes held", m.bytes.cap);
    }
    CHECK(n_limits == 1, "%d", n_limits);
    REQUIRE(mjpeg_put(&m, jpeg, one, &err) && mjpeg_next(&m, &p, &got));
    CHECK(got == one && memcmp(p, jpeg, one) == 0);
    mjpeg_fini(&m);
}

/* ---- files, through ffmpeg ---- */

/* A video of 2 s, 20 frames a second, 160 x 120, made by ffmpeg itself; skips without it. */
static const char *make_video(const char *name)
{
    char path[CHILD_PATH_BYTES], out[64];
    size_t n;
    if (!child_find("ffmpeg", path))
        SKIP("no ffmpeg (apt-get install ffmpeg)");
    const char *file = test_tmp(name);
    const char *argv[] = { "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=20:duration=2", "-y", file, NULL };
    if (ask_program(argv, 60000, out, sizeof(out), &n) != ASK_DONE)
        SKIP("this ffmpeg cannot make a test video");
    return file;
}

TEST(frames_of_a_file_come_at_the_rate_and_size_that_is_asked_for)
{
    char *file = strdup(make_video("a.mp4"));
    struct err err = { 0 };
    struct video_frame f;
    size_t n_file;
    char *bytes = file_read(file, 1 << 24, &n_file, &err);
    REQUIRE(bytes, "%s", err.text);
    for (int k = 0; k < 4; k++) {
        const struct video_options o = { .fps = k == 1 ? 5 : 0, .max_w = k == 2 ? 80 : 0, .is_grey = k == 3 };
        struct video *v = k % 2 ? video_open_bytes(bytes, n_file, &o, &err) : video_open_file(file, &o, &err);
        REQUIRE(v, "%s", err.text);
        int n = 0;
        while (video_next(v, &f, &err)) {
            CHECK(f.w == (k == 2 ? 80 : 160) && f.h == (k == 2 ? 60 : 120) && f.form == (k == 3 ? FRAME_GREY8 : FRAME_RGB8), "%d: %d x %d", k, f.w, f.h);
            CHECK(fabs(f.t_s - n / (k == 1 ? 5.0 : 10.0)) < 1e-9 && f.n_bytes == (size_t)(f.w * f.h * (k == 3 ? 1 : 3)));
            n++;
        }
        CHECK(err.code == ERR_NONE && n == (k == 1 ? 10 : 20), "%d: %d frames: %s", k, n, err.text);
        CHECK(!video_next(v, &f, &err) && err.code == ERR_NONE, "the end stays the end");
        video_close(v);
    }
    /* stopped in the middle, and cut in the middle */
    struct video *v = video_open_file(file, NULL, &err);
    REQUIRE(v && video_next(v, &f, &err), "%s", err.text);
    video_close(v);
    v = video_open_bytes(bytes, n_file / 3, NULL, &err);
    REQUIRE(v, "%s", err.text);
    CHECK(!video_next(v, &f, &err) && err.code == ERR_INPUT && strstr(err.text, "video:"), "%s", err.text);
    video_close(v);
    free(bytes);
    free(file);
}

TEST(what_is_no_video_is_said_and_what_names_other_files_gets_nowhere)
{
    make_video("b.mp4"); /* skips without ffmpeg */
    struct err err = { 0 };
    struct video_frame f;
    static const char *const bad[] = {
        "hello, this is no video at all, only some text that goes on and on\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '/etc/passwd'\n",
        "\x1A\x45\xDF\xA3\x01\x00\x00\x00\x00\x00\x00\x1F\x42\x86",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct video *v = video_open_bytes(bad[i], strlen(bad[i]), NULL, &err);
        REQUIRE(v, "%s", err.text);
        CHECK(!video_next(v, &f, &err) && err.code == ERR_INPUT && err.text[0], "%zu: %s", i, err.text);
        video_close(v);
    }
    CHECK(!video_open_file("/nowhere/x.mp4", NULL, &err) && err.code == ERR_NOT_FOUND, "%s", err.text);
    CHECK(!video_open_bytes("", 0, NULL, &err) && err.code == ERR_INPUT);
    CHECK(!video_open_rtsp("http://127.0.0.1/", NULL, &err) && err.code == ERR_INPUT, "%s", err.text);
    CHECK(!video_open_rtsp("-i /etc/passwd", NULL, &err) && err.code == ERR_INPUT, "%s", err.text);
}

/* ---- cameras ---- */

struct fake { /* a camera with one format, whose frames carry their number */
    uint32_t format;
    bool is_queued[4], is_on, is_gone;
    int n_frames, n_open, n_maps, n_lost;
    uint8_t memory[4][4096];
};
enum { CW = 32, CH = 16 };

static int fake_open(void *ctx, const char *path)
{
    struct fake *f = ctx;
    if (strcmp(path, "/dev/video9") == 0)
        return errno = ENOENT, -1;
    return f->n_open++, 77;
}
static void fake_close(void *ctx, int fd) { (void)fd; ((struct fake *)ctx)->n_open--; }
static int fake_wait(void *ctx, int fd, int ms) { (void)fd, (void)ms; return ((struct fake *)ctx)->is_gone ? -1 : 1; }
static void *fake_map(void *ctx, int fd, size_t n, long long offset)
{
    (void)fd, (void)n;
    struct fake *f = ctx;
    return f->n_maps++, f->memory[offset / 4096];
}
static void fake_unmap(void *ctx, void *p, size_t n) { (void)p, (void)n; ((struct fake *)ctx)->n_maps--; }
static int fake_ioctl(void *ctx, int fd, unsigned long request, void *arg)
{
    (void)fd;
    struct fake *f = ctx;
    struct v4l2_buffer *b = arg;
    struct v4l2_format *format = arg;
    switch (request) {
    case VIDIOC_QUERYCAP: ((struct v4l2_capability *)arg)->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING; return 0;
    case VIDIOC_S_FMT: /* as drivers do: answers with what it has */
        format->fmt.pix.width = CW, format->fmt.pix.height = CH, format->fmt.pix.pixelformat = f->format, format->fmt.pix.bytesperline = 2 * CW + 16;
        return 0;
    case VIDIOC_REQBUFS: ((struct v4l2_requestbuffers *)arg)->count = 4; return 0;
    case VIDIOC_QUERYBUF: b->length = 4096, b->m.offset = b->index * 4096; return 0;
    case VIDIOC_QBUF: return f->is_queued[b->index] ? (errno = EINVAL, -1) : (f->is_queued[b->index] = true, 0);
    case VIDIOC_STREAMON: f->is_on = true; return 0;
    case VIDIOC_STREAMOFF: f->is_on = false; return 0;
    case VIDIOC_DQBUF:
        for (b->index = 0; b->index < 4 && !f->is_queued[b->index]; b->index++)
            ;
        if (b->index == 4)
            return errno = EAGAIN, -1;
        f->is_queued[b->index] = false;
        memset(f->memory[b->index], f->n_frames + 16, 4096);
        b->bytesused = f->format == V4L2_PIX_FMT_YUYV ? (2 * CW + 16) * CH : 100;
        b->flags = f->n_lost-- > 0 ? V4L2_BUF_FLAG_ERROR : 0;
        b->timestamp.tv_sec = 1000 + f->n_frames / 10, b->timestamp.tv_usec = f->n_frames % 10 * 100000;
        f->n_frames++;
        return 0;
    default: return errno = ENOTTY, -1;
    }
}

TEST(a_camera_gives_its_frames_and_gets_its_buffers_back)
{
    static const uint32_t formats[] = { V4L2_PIX_FMT_MJPEG, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_YUYV };
    struct err err = { 0 };
    for (int k = 0; k < 3; k++) {
        static struct fake fake;
        fake = (struct fake){ .format = formats[k], .n_lost = 3 };
        const struct camera_io io = { &fake, fake_open, fake_ioctl, fake_map, fake_unmap, fake_wait, fake_close };
        const struct video_options o = { .is_grey = k == 2 };
        struct video *v = camera_open("/dev/video0", &o, &io, &err);
        REQUIRE(v, "%s", err.text);
        for (int i = 0; i < 100; i++) {
            struct video_frame f;
            REQUIRE(video_next(v, &f, &err), "%d: %s", i, err.text);
            CHECK(fabs(f.t_s - i / 10.0) < 1e-6, "frame %d at %g s", i, f.t_s);
            const uint8_t *p = f.bytes;
            if (k == 0)
                CHECK(f.form == FRAME_JPEG && f.n_bytes == 100 && p[0] == i + 16 + 3);
            else
                CHECK(f.form == (k == 1 ? FRAME_RGB8 : FRAME_GREY8) && f.w == CW && f.h == CH && f.n_bytes == (k == 1 ? CW * CH * 3 : CW * CH));
            if (k == 2)
                CHECK(abs(p[0] - (i + 3) * 255 / 219) <= 1, "%d: %d", i, p[0]);
        }
        fake.is_gone = true;
        struct video_frame f;
        CHECK(!video_next(v, &f, &err) && err.code == ERR_IO, "%s", err.text);
        video_close(v);
        CHECK(!fake.is_on && fake.n_open == 0 && fake.n_maps == 0);
        fake.format = V4L2_PIX_FMT_H264;
        CHECK(!camera_open("/dev/video0", NULL, &io, &err) && err.code == ERR_UNSUPPORTED && fake.n_open == 0, "%s", err.text);
        CHECK(!camera_open("/dev/video9", NULL, &io, &err) && err.code == ERR_NOT_FOUND, "%s", err.text);
    }
}

TEST(yuyv_becomes_the_colours_of_rec_601)
{
    /* white, black, red, green, blue at 75 % and full: from the standard's matrix in double */
    static const int colours[][3] = { { 255, 255, 255 }, { 0, 0, 0 }, { 255, 0, 0 }, { 0, 255, 0 }, { 0, 0, 255 }, { 191, 96, 30 } };
    for (size_t i = 0; i < sizeof(colours) / sizeof(*colours); i++) {
        const double r = colours[i][0], g = colours[i][1], b = colours[i][2];
        const double y = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255, u = 128 + (-37.797 * r - 74.203 * g + 112 * b) / 255,
                     v = 128 + (112 * r - 93.786 * g - 18.214 * b) / 255;
        const uint8_t yuyv[4] = { (uint8_t)lrint(y), (uint8_t)lrint(u), (uint8_t)lrint(y), (uint8_t)lrint(v) };
        uint8_t rgb[6];
        camera_yuyv_to_rgb(yuyv, 4, 2, 1, rgb);
        for (int c = 0; c < 3; c++)
            CHECK(abs(rgb[c] - colours[i][c]) <= 2 && rgb[c] == rgb[c + 3], "colour %zu channel %d: %d", i, c, rgb[c]);
    }
}
