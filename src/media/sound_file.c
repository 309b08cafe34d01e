/* media/sound_file.c - FLAC, MP3, Ogg Vorbis and Opus through libsndfile, from and to memory.
 *
 * For:     sound.c, sound_write.c.  Touches: libsndfile, loaded when first needed; no file.
 * Rule:    declarations: sndfile.h 1.1.  What the library wants to write behind its back into a stream that has left
 *          already (FLAC's length) is dropped: such streams say "length unknown", which their readers know.  An MP3's first
 *          frame, empty until its end is known, is dropped as well, or readers would believe that there is nothing.
 */
#include <stdio.h> /* SEEK_CUR, SEEK_END */
#include <stdlib.h>
#include <string.h>

#include "base/dl.h"
#include "media/sound_internal.h"

enum { SFM_READ = 0x10, SFM_WRITE = 0x20, SFC_SET_OGG_PAGE_LATENCY_MS = 0x1302, SFC_SET_CLIPPING = 0x10C0, SFC_SET_BITRATE_MODE = 0x1305, BITRATE_MODE_CONSTANT = 0,
       FORMAT_FLAC = 0x170000 | 0x0002, FORMAT_VORBIS = 0x200000 | 0x0060, FORMAT_OPUS = 0x200000 | 0x0064,
       FORMAT_MP3 = 0x230000 | 0x0082, TYPE_MASK = 0x0FFF0000, TYPE_FLAC = 0x170000,
       CHANNELS_MAX = 64, RATE_MIN = 1000, RATE_MAX = 384000, PIECE = 4096, PAGE_LATENCY_MS = 100 };
struct sf_info {
    int64_t frames;
    int samplerate, channels, format, sections, seekable;
};
struct sf_virtual_io {
    int64_t (*get_filelen)(void *);
    int64_t (*seek)(int64_t, int, void *);
    int64_t (*read)(void *, int64_t, void *);
    int64_t (*write)(const void *, int64_t, void *);
    int64_t (*tell)(void *);
};
static void *(*sf_open_virtual)(struct sf_virtual_io *, int, struct sf_info *, void *);
static int (*sf_close)(void *);
static int (*sf_error)(void *);
static const char *(*sf_strerror)(void *);
static int (*sf_command)(void *, int, void *, int);
static int64_t (*sf_readf_float)(void *, float *, int64_t);
static int64_t (*sf_writef_float)(void *, const float *, int64_t);
static int64_t (*sf_writef_short)(void *, const short *, int64_t);
static const struct dl_symbol symbols[] = {
    { "sf_open_virtual", &sf_open_virtual }, { "sf_close", &sf_close },
    { "sf_error", &sf_error },               { "sf_strerror", &sf_strerror },
    { "sf_command", &sf_command },           { "sf_readf_float", &sf_readf_float },
    { "sf_writef_float", &sf_writef_float }, { "sf_writef_short", &sf_writef_short },
    { NULL, NULL },
};
static struct dl lib = DL_INIT("libsndfile.so.1", "sound in FLAC, MP3, Ogg or Opus", "apt-get install libsndfile1", symbols);

struct sound_file {
    void *sf;
    struct sf_info info;
    /* reading */
    const uint8_t *bytes;
    uint64_t got; /* frames so far */
    float *piece; /* [PIECE][channels] */
    /* writing */
    sound_emit_fn *emit;
    void *ctx;
    struct buf *whole;
    size_t whole_at; /* where in it this file begins */
    bool is_refused; /* emit said no */
    /* both */
    int64_t size, pos;
};

static int64_t io_filelen(void *u) { return ((struct sound_file *)u)->size; }
static int64_t io_tell(void *u) { return ((struct sound_file *)u)->pos; }
static int64_t io_seek(int64_t to, int whence, void *u)
{
    struct sound_file *f = u;
    const int64_t from = whence == SEEK_CUR ? f->pos : whence == SEEK_END ? f->size : 0;
    int64_t at;
    if (__builtin_add_overflow(from, to, &at) || at < 0 || at > f->size)
        return -1;
    return f->pos = at;
}
static int64_t io_read(void *out, int64_t n, void *u)
{
    struct sound_file *f = u;
    n = n < 0 ? 0 : n < f->size - f->pos ? n : f->size - f->pos;
    memcpy(out, f->bytes + f->pos, (size_t)n);
    f->pos += n;
    return n;
}
static bool is_empty_frame(const struct sound_file *f, const uint8_t *p, int64_t n)
{
    bool is_empty = f->info.format == FORMAT_MP3 && f->pos == 0 && n > 4;
    for (int64_t i = 4; i < n && is_empty; i++) /* behind the frame's head */
        is_empty = p[i] == 0;
    return is_empty;
}
static int64_t io_write(const void *p, int64_t n, void *u)
{
    struct sound_file *f = u;
    if (n <= 0)
        return 0;
    const int64_t old = f->size - f->pos < n ? f->size - f->pos : n; /* bytes that overwrite */
    if (f->whole) {
        if (old > 0 && !f->whole->failed)
            memcpy(f->whole->data + f->whole_at + f->pos, p, (size_t)old);
        buf_append(f->whole, (const char *)p + old, (size_t)(n - old));
    } else if (n > old && !f->is_refused && !is_empty_frame(f, p, n)) {
        f->is_refused = !f->emit(f->ctx, (const char *)p + old, (size_t)(n - old));
    }
    f->pos += n;
    f->size = f->pos > f->size ? f->pos : f->size;
    return n;
}
static struct sf_virtual_io io = { io_filelen, io_seek, io_read, io_write, io_tell };

struct sound_file *sound_file_open(const void *bytes, size_t n_bytes, struct err *err)
{
    if (!dl_load(&lib, err))
        return NULL;
    struct sound_file *f = calloc(1, sizeof(*f));
    if (!f)
        return err_null(err, ERR_NOMEM, "sound: no memory");
    f->bytes = bytes, f->size = (int64_t)n_bytes;
    f->sf = sf_open_virtual(&io, SFM_READ, &f->info, f);
    if (!f->sf)
        err_set(err, ERR_INPUT, "sound: %s", sf_strerror(NULL));
    else if (f->info.channels < 1 || f->info.channels > CHANNELS_MAX || f->info.samplerate < RATE_MIN || f->info.samplerate > RATE_MAX)
        err_set(err, ERR_INPUT, "sound: %d channels at %d Hz, 1..%d at %d..%d are possible", f->info.channels, f->info.samplerate, CHANNELS_MAX, RATE_MIN, RATE_MAX);
    else if (!(f->piece = calloc((size_t)PIECE * (size_t)f->info.channels, sizeof(float))))
        err_set(err, ERR_NOMEM, "sound: no memory");
    else
        return f;
    struct err ignored;
    sound_file_close(f, &ignored);
    return NULL;
}

int sound_file_rate_hz(const struct sound_file *f) { return f->info.samplerate; }
uint64_t sound_file_frames(const struct sound_file *f) { return f->info.frames > 0 && f->info.frames < INT64_MAX / 2 ? (uint64_t)f->info.frames : 0; }

bool sound_file_get(struct sound_file *f, float *mono, size_t n, size_t *n_got, struct err *err)
{
    n = n < PIECE ? n : PIECE;
    int64_t got = sf_readf_float(f->sf, f->piece, (int64_t)n);
    got = got < 0 ? 0 : got > (int64_t)n ? (int64_t)n : got;
    f->got += (uint64_t)got, *n_got = (size_t)got;
    if (got == 0 && sf_error(f->sf) != 0)
        return err_set(err, ERR_INPUT, "sound: after %llu samples: %s", (unsigned long long)f->got, sf_strerror(f->sf));
    if (got == 0 && (f->info.format & TYPE_MASK) == TYPE_FLAC && f->got < sound_file_frames(f))
        return err_set(err, ERR_INPUT, "sound: ends after %llu of %llu samples", (unsigned long long)f->got, (unsigned long long)sound_file_frames(f));
    const int ch = f->info.channels;
    for (int64_t i = 0; i < got; i++) {
        float sum = 0;
        for (int c = 0; c < ch; c++)
            sum += f->piece[i * ch + c];
        mono[i] = sum == sum && sum < 1e30f && sum > -1e30f ? sum / (float)ch : 0;
    }
    return true;
}

struct sound_file *sound_file_create(enum sound_kind kind, int rate_hz, sound_emit_fn *emit, void *ctx, struct buf *whole, struct err *err)
{
    if (!dl_load(&lib, err))
        return NULL;
    struct sound_file *f = calloc(1, sizeof(*f));
    if (!f)
        return err_null(err, ERR_NOMEM, "sound: no memory");
    f->emit = emit, f->ctx = ctx, f->whole = whole, f->whole_at = whole ? whole->len : 0;
    f->info = (struct sf_info){ .samplerate = rate_hz, .channels = 1,
                                .format = kind == SOUND_FLAC ? FORMAT_FLAC : kind == SOUND_OGG ? FORMAT_VORBIS : kind == SOUND_MP3 ? FORMAT_MP3 : FORMAT_OPUS };
    f->sf = sf_open_virtual(&io, SFM_WRITE, &f->info, f);
    if (!f->sf) {
        err_set(err, ERR_UNSUPPORTED, "sound: this libsndfile cannot write %s at %d Hz: %s", sound_kind_name(kind), rate_hz, sf_strerror(NULL));
        free(f);
        return NULL;
    }
    double latency_ms = PAGE_LATENCY_MS; /* of Ogg pages: what a listener waits for */
    if (kind == SOUND_OPUS)
        sf_command(f->sf, SFC_SET_OGG_PAGE_LATENCY_MS, &latency_ms, sizeof(latency_ms));
    int constant = BITRATE_MODE_CONSTANT; /* so that readers can tell a stream's length, which no head says */
    if (kind == SOUND_MP3)
        sf_command(f->sf, SFC_SET_BITRATE_MODE, &constant, sizeof(constant));
    sf_command(f->sf, SFC_SET_CLIPPING, NULL, 1);
    return f;
}

static bool is_written(struct sound_file *f, bool good, struct err *err)
{
    if (f->is_refused)
        return err_set(err, ERR_CANCELLED, "sound: nobody takes it any more");
    if (f->whole && !buf_ok(f->whole, "sound", err))
        return false;
    return good || err_set(err, ERR_INTERNAL, "sound: %s", sf_strerror(f->sf));
}

bool sound_file_put(struct sound_file *f, const float *mono, size_t n, struct err *err)
{
    bool good = true;
    if ((f->info.format & TYPE_MASK) != TYPE_FLAC) {
        good = sf_writef_float(f->sf, mono, (int64_t)n) == (int64_t)n;
        return is_written(f, good, err);
    }
    int16_t s16[1024]; /* by our rule of rounding, not the library's */
    for (size_t at = 0, m; at < n && good; at += m) {
        m = n - at < 1024 ? n - at : 1024;
        sound_f32_to_s16(mono + at, s16, m);
        good = sf_writef_short(f->sf, s16, (int64_t)m) == (int64_t)m;
    }
    return is_written(f, good, err);
}

bool sound_file_close(struct sound_file *f, struct err *err)
{
    if (!f)
        return true;
    const bool is_writing = f->bytes == NULL;
    bool good = !f->sf || sf_close(f->sf) == 0;
    if (is_writing && f->is_refused)
        good = err_set(err, ERR_CANCELLED, "sound: nobody takes it any more");
    else if (is_writing && f->whole && !buf_ok(f->whole, "sound", err))
        good = false;
    else if (is_writing && !good)
        err_set(err, ERR_INTERNAL, "sound: its end could not be written");
    free(f->piece);
    free(f);
    return good || !is_writing;
}
