/* pipeline/source_pipe.c - what comes through stdin: JPEG pictures (with or without text between them), PNM pictures (P5, P6), or
 * one WAV of 16-bit PCM, read as it comes.
 *
 * Rule:    a pipe that nobody writes to costs nothing but a look every 200 ms whether it shall stop. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "media/image.h"
#include "media/sound.h"
#include "media/video.h"
#include "pipeline/source_internal.h"

enum { READ_BYTES = 1 << 16, PICTURE_MAX = 64 << 20, VAIN_MAX = PICTURE_MAX, HEAD_MAX = 4096, LOOK_MS = 200, PIECE_MS = 100, CHANNELS_MAX = 8 };

enum pipe_form { PIPE_JPEG, PIPE_PNM, PIPE_WAV };
struct stream {
    int fd;
    enum pipe_form form;
    struct buf bytes;  /* read, not used yet */
    size_t used;       /* of them: given out with the last piece */
    bool is_end;
    struct mjpeg mjpeg;
    double fps;        /* 0: by the clock */
    uint64_t begin_ns, n_pieces;
    int channels, rate_hz;
    size_t n_piece;    /* samples */
    float *samples;
    uint64_t n_heard;
    uint64_t left;     /* of the WAV's data, bytes */
};

static void stream_done(void *self)
{
    struct stream *s = self;
    mjpeg_fini(&s->mjpeg);
    buf_fini(&s->bytes);
    free(s->samples);
    free(s);
}

/* More bytes; false: an error, or the end (is_end). */
static bool more(struct stream *s, const atomic_bool *stop, struct err *err)
{
    char bytes[READ_BYTES];
    struct pollfd p = { .fd = s->fd, .events = POLLIN };
    for (;;) {
        if (stop && atomic_load(stop))
            return false;
        const int n = poll(&p, 1, LOOK_MS);
        if (n > 0)
            break;
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_IO, "stdin: %s", strerror(errno));
    }
    ssize_t n;
    while ((n = read(s->fd, bytes, sizeof(bytes))) < 0 && errno == EINTR) {
    }
    if (n < 0)
        return err_set(err, ERR_IO, "stdin: %s", strerror(errno));
    s->is_end = n == 0;
    buf_append(&s->bytes, bytes, (size_t)n);
    return n > 0 && buf_ok(&s->bytes, "stdin: a picture", err);
}

static void drop(struct stream *s, size_t n)
{
    memmove(s->bytes.data, s->bytes.data + n, s->bytes.len - n);
    s->bytes.len -= n;
}

static double time_of(struct stream *s)
{
    const uint64_t now = clock_ns();
    if (s->n_pieces++ == 0)
        s->begin_ns = now;
    return s->fps > 0 ? (double)(s->n_pieces - 1) / s->fps : (double)(now - s->begin_ns) / 1e9;
}

/* ---- JPEG ---- */

static bool next_jpeg(struct stream *s, const atomic_bool *stop, struct source_piece *p, struct err *err)
{
    uint64_t n_vain = 0;
    while (!mjpeg_next(&s->mjpeg, &p->media.bytes, &p->media.n_bytes)) {
        if (n_vain > VAIN_MAX)
            return err_set(err, ERR_INPUT, "stdin: no picture in %d MiB", VAIN_MAX >> 20);
        if (s->bytes.len == 0 && !more(s, stop, err))
            return false;
        n_vain += s->bytes.len;
        const bool good = mjpeg_put(&s->mjpeg, s->bytes.data, s->bytes.len, err);
        buf_clear(&s->bytes);
        if (!good)
            return false;
    }
    return true;
}

/* ---- PNM ---- */

/* The length of the picture at the start, 0: more bytes are wanted; false: it is none. */
static bool pnm_length(const struct stream *s, size_t *length, struct err *err)
{
    const char *p = s->bytes.data;
    const size_t n = s->bytes.len;
    uint64_t v[3];
    size_t at = 2;
    *length = 0;
    if (n >= 2 && (p[0] != 'P' || (p[1] != '5' && p[1] != '6')))
        return err_set(err, ERR_INPUT, "stdin: picture %llu does not begin with P5 or P6", (unsigned long long)s->n_pieces + 1);
    for (int i = 0; i < 3; i++) {
        for (bool in_comment = false; at < n; at++) {
            if (in_comment)
                in_comment = p[at] != '\n';
            else if (p[at] == '#')
                in_comment = true;
            else if (!isspace((unsigned char)p[at]))
                break;
        }
        v[i] = 0;
        const size_t digits = at;
        for (; at < n && isdigit((unsigned char)p[at]) && at - digits < 6; at++)
            v[i] = v[i] * 10 + (uint64_t)(p[at] - '0');
        if (at >= n)
            return n < HEAD_MAX || err_set(err, ERR_INPUT, "stdin: a PNM head of more than %d bytes", HEAD_MAX);
        if (at == digits || !isspace((unsigned char)p[at]) || v[i] == 0)
            return err_set(err, ERR_INPUT, "stdin: a broken PNM head");
    }
    if (v[0] > IMAGE_SIDE_MAX || v[1] > IMAGE_SIDE_MAX || v[2] > 65535)
        return err_set(err, ERR_LIMIT, "stdin: a PNM picture of %llu x %llu", (unsigned long long)v[0], (unsigned long long)v[1]);
    const uint64_t bytes = at + 1 + v[0] * v[1] * (p[1] == '6' ? 3 : 1) * (v[2] > 255 ? 2 : 1);
    if (bytes > PICTURE_MAX)
        return err_set(err, ERR_LIMIT, "stdin: a PNM picture of %llu bytes", (unsigned long long)bytes);
    *length = (size_t)bytes;
    return true;
}

static bool next_pnm(struct stream *s, const atomic_bool *stop, struct source_piece *p, struct err *err)
{
    size_t length;
    drop(s, s->used);
    s->used = 0;
    while (s->bytes.len > 0 && isspace((unsigned char)s->bytes.data[0]))
        drop(s, 1);
    while (pnm_length(s, &length, err) && (length == 0 || s->bytes.len < length))
        if (!more(s, stop, err)) {
            if (s->is_end && err->code == ERR_NONE && s->bytes.len > 0)
                return err_set(err, ERR_INPUT, "stdin: the last picture is cut off");
            return false;
        }
    if (err->code != ERR_NONE)
        return false;
    s->used = length;
    p->media.bytes = s->bytes.data, p->media.n_bytes = length;
    return true;
}

/* ---- WAV ---- */

static unsigned le(const char *p, int n)
{
    unsigned v = 0;
    for (int i = n - 1; i >= 0; i--)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

/* Reads the chunks up to the data. */
static bool wav_head(struct stream *s, struct err *err)
{
    size_t at = 12;
    for (;;) {
        while (s->bytes.len < at + 8 || (memcmp(s->bytes.data + at, "data", 4) != 0 && s->bytes.len < at + 8 + le(s->bytes.data + at + 4, 4)))
            if (s->bytes.len > HEAD_MAX * 16 || !more(s, NULL, err))
                return err->code ? false : err_set(err, ERR_INPUT, "stdin: a WAV without data");
        const char *c = s->bytes.data + at;
        const unsigned n = le(c + 4, 4);
        if (memcmp(c, "data", 4) == 0) {
            s->left = n == 0xFFFFFFFFu || n == 0 ? UINT64_MAX : n;
            break;
        }
        if (memcmp(c, "fmt ", 4) == 0 && n >= 16) {
            s->channels = (int)le(c + 10, 2), s->rate_hz = (int)le(c + 12, 4);
            if (le(c + 22, 2) != 16 || s->channels < 1 || s->channels > CHANNELS_MAX || s->rate_hz < 8000 || s->rate_hz > 192000)
                return err_set(err, ERR_UNSUPPORTED, "stdin: WAV of %d channels, %d Hz, %u bits; 16 bits, up to %d channels and 8 to 192 kHz are read", s->channels, s->rate_hz,
                               le(c + 22, 2), CHANNELS_MAX);
        }
        at += 8 + (size_t)n + (n & 1);
    }
    if (s->rate_hz == 0)
        return err_set(err, ERR_INPUT, "stdin: a WAV without a format");
    drop(s, at + 8);
    return true;
}

static bool next_wav(struct stream *s, const atomic_bool *stop, struct source_piece *p, struct err *err)
{
    const size_t frame = (size_t)s->channels * 2;
    while (s->bytes.len < s->n_piece * frame && s->bytes.len < s->left)
        if (!more(s, stop, err)) {
            if (err->code != ERR_NONE || !s->is_end)
                return false;
            break;
        }
    size_t n = s->bytes.len < s->left ? s->bytes.len : (size_t)s->left;
    n = n / frame < s->n_piece ? n / frame : s->n_piece;
    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        float sum = 0;
        for (int c = 0; c < s->channels; c++)
            sum += (float)(int16_t)le(s->bytes.data + i * frame + (size_t)c * 2, 2) / 32768;
        s->samples[i] = sum / (float)s->channels;
    }
    drop(s, n * frame);
    s->left -= s->left == UINT64_MAX ? 0 : n * frame;
    p->media = (struct task_media){ .form = MEDIA_F32, .bytes = s->samples, .n_bytes = n * sizeof(float), .rate_hz = s->rate_hz };
    p->t_s = (double)s->n_heard / s->rate_hz;
    s->n_heard += n;
    return true;
}

/* ---- opening ---- */

static bool stream_piece(void *self, const atomic_bool *stop, struct source_piece *p, struct err *err)
{
    struct stream *s = self;
    if (s->form == PIPE_WAV)
        return next_wav(s, stop, p, err);
    p->media = (struct task_media){ .form = MEDIA_ENCODED };
    if (!(s->form == PIPE_JPEG ? next_jpeg(s, stop, p, err) : next_pnm(s, stop, p, err)))
        return false;
    p->t_s = time_of(s);
    return true;
}

static bool begin(struct stream *s, const struct source_options *o, struct err *err)
{
    while (s->bytes.len < 12)
        if (!more(s, NULL, err))
            return err->code ? false : err_set(err, ERR_INPUT, "stdin: %s", s->bytes.len ? "neither JPEG, PNM nor WAV" : "nothing came");
    const char *p = s->bytes.data;
    if (memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WAVE", 4) == 0) {
        s->form = PIPE_WAV;
        if (!wav_head(s, err))
            return false;
        const int ms = o->piece_ms > 0 && o->piece_ms <= 2000 ? o->piece_ms : PIECE_MS;
        s->n_piece = (size_t)s->rate_hz * (size_t)ms / 1000;
        return (s->samples = calloc(s->n_piece, sizeof(float))) != NULL || err_set(err, ERR_NOMEM, "no memory");
    }
    s->form = p[0] == 'P' && (p[1] == '5' || p[1] == '6') ? PIPE_PNM : PIPE_JPEG;
    return true;
}

struct source *source_open_pipe(int fd, const struct source_options *o, struct err *err)
{
    static const struct source_ops ops = { stream_piece, stream_done };
    struct stream *s = calloc(1, sizeof(*s));
    if (!s)
        return err_null(err, ERR_NOMEM, "no memory");
    s->fd = fd, s->fps = o->is_live ? 0 : o->fps > 0 ? o->fps : SOURCE_PICTURES_FPS;
    buf_init(&s->bytes, PICTURE_MAX + 2 * READ_BYTES);
    mjpeg_init(&s->mjpeg, PICTURE_MAX);
    if (begin(s, o, err))
        return source_wrap(&ops, s, o->is_live, s->form == PIPE_WAV, err);
    stream_done(s);
    return NULL;
}
