/* pipeline/source.c - which source reads what; see source.h.  Start at source_open(); stdin is source_pipe.c. */
#include "pipeline/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "media/image.h"
#include "media/sound.h"
#include "media/soundcard.h"
#include "media/video.h"
#include "pipeline/source_internal.h"

enum { HEAD_BYTES = 64, PICTURES_MAX = 100000, PICTURE_BYTES_MAX = 64 << 20, PIECE_MS = 100, MICROPHONE_HZ = 16000, PIECE_MS_MAX = 2000 };

struct source *source_wrap(const struct source_ops *ops, void *self, bool is_live, bool is_sound, struct err *err)
{
    struct source *s = calloc(1, sizeof(*s));
    if (!s) {
        ops->close(self);
        return err_null(err, ERR_NOMEM, "source: no memory");
    }
    s->ops = ops, s->self = self, s->is_live = is_live, s->is_sound = is_sound;
    return s;
}

/* ---- videos, cameras ---- */

static bool video_piece(void *self, const atomic_bool *stop, struct source_piece *p, struct err *err)
{
    struct video_frame f;
    (void)stop;
    if (!video_next(self, &f, err))
        return false;
    p->media = (struct task_media){ .form = f.form == FRAME_JPEG ? MEDIA_ENCODED : f.form == FRAME_RGB8 ? MEDIA_RGB8 : MEDIA_GREY8,
                                    .bytes = f.bytes, .n_bytes = f.n_bytes, .width_px = f.w, .height_px = f.h };
    p->t_s = f.t_s;
    return true;
}
static void video_done(void *self) { video_close(self); }

static struct source *open_video(struct video *v, bool is_live, struct err *err)
{
    static const struct source_ops ops = { video_piece, video_done };
    return v ? source_wrap(&ops, v, is_live, false, err) : NULL;
}

/* ---- folders of pictures ---- */

struct folder {
    char **paths;
    int n, at;
    double fps;
    char *bytes;
};

static void folder_done(void *self)
{
    struct folder *f = self;
    for (int i = 0; i < f->n; i++)
        free(f->paths[i]);
    free(f->paths);
    free(f->bytes);
    free(f);
}

static bool folder_piece(void *self, const atomic_bool *stop, struct source_piece *p, struct err *err)
{
    struct folder *f = self;
    size_t n;
    free(f->bytes);
    f->bytes = NULL;
    if (f->at == f->n || atomic_load(stop))
        return false;
    if (!(f->bytes = file_read(f->paths[f->at], PICTURE_BYTES_MAX, &n, err)))
        return false;
    p->media = (struct task_media){ .form = MEDIA_ENCODED, .bytes = f->bytes, .n_bytes = n };
    p->t_s = f->at++ / f->fps;
    return true;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static size_t read_head(const char *path, unsigned char head[HEAD_BYTES])
{
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(head, 1, HEAD_BYTES, f) : 0;
    if (f)
        fclose(f);
    return n;
}

static bool is_picture(const char *path)
{
    unsigned char head[HEAD_BYTES];
    const size_t n = read_head(path, head);
    return n > 0 && image_sniff(head, n) != IMAGE_UNKNOWN;
}

static bool list_pictures(struct folder *f, const char *path, struct err *err)
{
    DIR *d = opendir(path);
    int cap = 0;
    bool good = d || err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    for (struct dirent *e; good && (e = readdir(d)) != NULL;) {
        char file[1024];
        struct stat st;
        if (e->d_name[0] == '.' || snprintf(file, sizeof(file), "%s/%s", path, e->d_name) >= (int)sizeof(file) || stat(file, &st) != 0 || !S_ISREG(st.st_mode) || !is_picture(file))
            continue;
        if (f->n == PICTURES_MAX)
            good = err_set(err, ERR_LIMIT, "%s: more than %d pictures", path, PICTURES_MAX);
        if (good && f->n == cap) {
            cap = cap ? cap * 2 : 64;
            char **more = realloc(f->paths, (size_t)cap * sizeof(*more));
            good = more || err_set(err, ERR_NOMEM, "no memory");
            f->paths = more ? more : f->paths;
        }
        if (good)
            good = (f->paths[f->n] = strdup(file)) != NULL || err_set(err, ERR_NOMEM, "no memory");
        f->n += good;
    }
    if (d)
        closedir(d);
    if (f->n > 0)
        qsort(f->paths, (size_t)f->n, sizeof(f->paths[0]), by_name);
    return good && (f->n > 0 || err_set(err, ERR_INPUT, "%s: no pictures in it", path));
}

static struct source *open_folder(const char *path, double fps, struct err *err)
{
    static const struct source_ops ops = { folder_piece, folder_done };
    struct folder *f = calloc(1, sizeof(*f));
    if (!f)
        return err_null(err, ERR_NOMEM, "no memory");
    f->fps = fps > 0 ? fps : 1;
    if (list_pictures(f, path, err))
        return source_wrap(&ops, f, false, false, err);
    folder_done(f);
    return NULL;
}

/* ---- sound ---- */

struct listener { /* a microphone, or a sound file */
    struct soundcard *card;
    struct file_map map;
    struct sound_reader *reader;
    float *samples;
    size_t n_piece;
    int rate_hz;
    uint64_t n_heard;
};

static void listener_done(void *self)
{
    struct listener *l = self;
    soundcard_close(l->card);
    sound_reader_free(l->reader);
    file_map_close(&l->map);
    free(l->samples);
    free(l);
}

static bool listener_piece(void *self, const atomic_bool *stop, struct source_piece *p, struct err *err)
{
    struct listener *l = self;
    size_t n = l->n_piece;
    if (atomic_load(stop) || !(l->card ? soundcard_hear(l->card, l->samples, n, err) : sound_read(l->reader, l->samples, l->n_piece, &n, err)) || n == 0)
        return false;
    p->media = (struct task_media){ .form = MEDIA_F32, .bytes = l->samples, .n_bytes = n * sizeof(float), .rate_hz = l->rate_hz };
    p->t_s = (double)l->n_heard / l->rate_hz;
    l->n_heard += n;
    return true;
}

static struct source *open_sound(const char *path, const char *microphone, int piece_ms, struct err *err)
{
    static const struct source_ops ops = { listener_piece, listener_done };
    struct listener *l = calloc(1, sizeof(*l));
    if (!l)
        return err_null(err, ERR_NOMEM, "no memory");
    l->rate_hz = MICROPHONE_HZ;
    l->n_piece = (size_t)(MICROPHONE_HZ / 1000 * (piece_ms > 0 && piece_ms <= PIECE_MS_MAX ? piece_ms : PIECE_MS));
    bool good = (l->samples = calloc(l->n_piece, sizeof(float))) != NULL || err_set(err, ERR_NOMEM, "no memory");
    if (good && path)
        good = file_map_open(&l->map, path, err) && (l->reader = sound_reader_new(l->map.data, l->map.size, MICROPHONE_HZ, NULL, err)) != NULL;
    else if (good)
        good = (l->card = soundcard_open_microphone(microphone, MICROPHONE_HZ, 0, err)) != NULL;
    if (good)
        return source_wrap(&ops, l, path == NULL, true, err);
    listener_done(l);
    return NULL;
}

/* ---- opening ---- */

static bool is_sound_file(const char *path)
{
    unsigned char head[HEAD_BYTES];
    const size_t n = read_head(path, head);
    return n > 0 && sound_sniff(head, n) != SOUND_UNKNOWN;
}

static bool is_jpeg_file(const char *path)
{
    unsigned char head[HEAD_BYTES];
    const size_t n = read_head(path, head);
    return n > 0 && image_sniff(head, n) == IMAGE_JPEG;
}

static struct source *open_any(const char *what, const struct source_options *o, struct err *err)
{
    struct video_options v = { .fps = o->fps, .max_w = o->max_w, .max_h = o->max_h };
    struct stat st;
    if (strcmp(what, "-") == 0)
        return source_open_pipe(0, o, err);
    if (strcmp(what, "mic") == 0 || strncmp(what, "mic:", 4) == 0)
        return open_sound(NULL, what[3] ? what + 4 : NULL, o->piece_ms, err);
    if (strncmp(what, "/dev/video", 10) == 0)
        return open_video(video_open_camera(what, &v, err), true, err);
    if (strncmp(what, "rtsp://", 7) == 0 || strncmp(what, "rtsps://", 8) == 0)
        return open_video(video_open_rtsp(what, &v, err), true, err);
    if (stat(what, &st) != 0)
        return err_null(err, ERR_NOT_FOUND, "%s: %s", what, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return open_folder(what, o->fps, err);
    if (is_sound_file(what))
        return open_sound(what, NULL, o->piece_ms, err);
    if (v.fps == 0 && is_jpeg_file(what))
        v.fps = SOURCE_PICTURES_FPS;
    return open_video(video_open_file(what, &v, err), false, err);
}

struct source *source_open(const char *what, const struct source_options *o, struct err *err)
{
    static const struct source_options none = { 0 };
    struct source *s = open_any(what, o ? o : &none, err);
    if (s)
        s->is_paced = o && o->is_paced && !s->is_live;
    return s;
}

struct by_fn {
    bool (*next)(void *ctx, struct source_piece *p, struct err *err);
    void (*close)(void *ctx);
    void *ctx;
};
static bool fn_piece(void *self, const atomic_bool *stop, struct source_piece *p, struct err *err)
{
    struct by_fn *f = self;
    return !atomic_load(stop) && f->next(f->ctx, p, err);
}
static void fn_done(void *self)
{
    struct by_fn *f = self;
    if (f->close)
        f->close(f->ctx);
    free(f);
}

struct source *source_open_fn(bool (*next_fn)(void *ctx, struct source_piece *p, struct err *err), void (*close_fn)(void *ctx), void *ctx, bool is_live, bool is_sound,
                              struct err *err)
{
    static const struct source_ops ops = { fn_piece, fn_done };
    struct by_fn *f = calloc(1, sizeof(*f));
    if (!f)
        return err_null(err, ERR_NOMEM, "no memory");
    *f = (struct by_fn){ next_fn, close_fn, ctx };
    return source_wrap(&ops, f, is_live, is_sound, err);
}

bool source_is_live(const struct source *s) { return s->is_live || s->is_paced; }
bool source_is_sound(const struct source *s) { return s->is_sound; }

static void pace(struct source *s, double t_s)
{
    const uint64_t now = clock_ns();
    if (s->begin_ns == 0)
        s->begin_ns = now - (uint64_t)(t_s * 1e9);
    for (uint64_t at = s->begin_ns + (uint64_t)(t_s * 1e9), left; !atomic_load(&s->stop) && (left = clock_ns()) < at;) {
        left = at - left < 100000000 ? at - left : 100000000;
        nanosleep(&(struct timespec){ 0, (long)left }, NULL);
    }
}

bool source_next(struct source *s, struct source_piece *p, struct err *err)
{
    err_clear(err);
    if (atomic_load(&s->stop) || !s->ops->next(s->self, &s->stop, p, err))
        return false;
    if (s->is_paced)
        pace(s, p->t_s);
    return true;
}

void source_stop(struct source *s) { atomic_store(&s->stop, true); }

void source_close(struct source *s)
{
    if (s)
        s->ops->close(s->self);
    free(s);
}
