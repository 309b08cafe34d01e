/* cmd/run_out.c - see run_out.h; start at run_out_new(). */
#include "cmd/run_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "media/draw.h"
#include "media/image.h"
#include "media/sound.h"
#include "media/soundcard.h"

enum { OUT_MAX_BYTES = 1 << 30, JPEG_QUALITY = 90 };

struct run_out {
    char path[1024];
    bool is_picture, is_jpeg, has_picture;
    enum sound_kind kind;
    struct image image;
    struct sound_writer *writer; /* made with the first samples: they say the rate */
    bool is_speaker;
    struct soundcard *speaker;   /* likewise */
    struct buf bytes;
    bool failed;
    struct err err;
};

static bool ends_with(const char *path, const char *end)
{
    const size_t n = strlen(path), m = strlen(end);
    return n > m && strcasecmp(path + n - m, end) == 0;
}

static bool choose(struct run_out *o, enum expert_task task, struct err *err)
{
    static const char *const sounds[] = { ".wav", ".flac", ".opus", ".pcm" };
    const bool is_stdout = strcmp(o->path, "-") == 0;
    if (task == EXPERT_SPEAK) {
        o->is_speaker = strcmp(o->path, "speaker") == 0 || strncmp(o->path, "speaker:", 8) == 0;
        o->kind = is_stdout ? SOUND_WAV : o->is_speaker ? SOUND_PCM : SOUND_UNKNOWN;
        for (size_t i = 0; i < sizeof(sounds) / sizeof(sounds[0]); i++)
            if (ends_with(o->path, sounds[i]))
                o->kind = sound_kind_by_name(sounds[i] + 1);
        return o->kind != SOUND_UNKNOWN || err_set(err, ERR_INPUT, "--out %s: .wav, .flac, .opus, .pcm or speaker is possible", o->path);
    }
    o->is_picture = true;
    o->is_jpeg = ends_with(o->path, ".jpg") || ends_with(o->path, ".jpeg");
    if (!(task & (EXPERT_CLASSIFY | EXPERT_DETECT | EXPERT_FACES | EXPERT_SEGMENT | EXPERT_OCR | EXPERT_MOTION)))
        return err_set(err, ERR_INPUT, "--out: '%s' makes neither a picture nor a sound", expert_task_name(task));
    return o->is_jpeg || is_stdout || ends_with(o->path, ".png") || err_set(err, ERR_INPUT, "--out %s: .png or .jpg is possible", o->path);
}

struct run_out *run_out_new(const char *path, enum expert_task task, struct err *err)
{
    struct run_out *o = calloc(1, sizeof(*o));
    if (!o)
        return err_null(err, ERR_NOMEM, "--out: no memory");
    buf_init(&o->bytes, OUT_MAX_BYTES);
    snprintf(o->path, sizeof(o->path), "%s", path);
    if (strlen(path) < sizeof(o->path) ? choose(o, task, err) : err_set(err, ERR_INPUT, "--out: a name that is too long"))
        return o;
    run_out_end(o, false, err);
    return NULL;
}

bool run_out_picture(struct run_out *o, const void *bytes, size_t n, struct err *err)
{
    o->has_picture = image_decode(bytes, n, 3, NULL, &o->image, err);
    return o->has_picture;
}

static void draw_one(struct run_out *o, float x, float y, float w, float h, const char *label, float score, const struct result_box *points)
{
    struct draw_box b = { .x = x, .y = y, .w = w, .h = h, .label = label, .score = score };
    for (; points && b.n_points < points->n_points && b.n_points < DRAW_POINTS_MAX; b.n_points++) {
        b.points[b.n_points].x = points->points[b.n_points].x;
        b.points[b.n_points].y = points->points[b.n_points].y;
    }
    draw_boxes(&o->image, &b, 1);
}

void run_out_result(struct run_out *o, const struct task_result *r)
{
    char text[200];
    if (!o->has_picture)
        return;
    for (int i = 0; i < r->n_boxes; i++) {
        const struct result_box *b = &r->boxes[i];
        draw_one(o, b->x, b->y, b->w, b->h, b->name ? b->name : b->label, b->score, b);
    }
    for (int i = 0; i < r->n_words && r->n_boxes == 0; i++)
        if (r->words[i].w > 0)
            draw_one(o, r->words[i].x, r->words[i].y, r->words[i].w, r->words[i].h, NULL, 0, NULL);
    const float size_px = (float)o->image.h / 24 > 12 ? (float)o->image.h / 24 : 12;
    for (int i = 0; i < r->n_labels && i < 5; i++) { /* of the whole picture: a list at its top left */
        snprintf(text, sizeof(text), "%s %.0f %%", r->labels[i].label, 100 * (double)r->labels[i].score);
        const int y = (int)((float)i * size_px * 1.25f), w = draw_text_width(size_px, text);
        draw_fill(&o->image, 0, y, w + (int)size_px, (int)(size_px * 1.25f), (struct draw_colour){ 0, 0, 0 });
        draw_text(&o->image, (int)(size_px / 2), y, size_px, (struct draw_colour){ 255, 255, 255 }, text);
    }
}

static bool append(void *ctx, const void *bytes, size_t n)
{
    struct buf *b = ctx;
    buf_append(b, bytes, n);
    return !b->failed;
}

void run_out_audio(struct run_out *o, const float *samples, int n, int rate_hz)
{
    if (o->failed || o->is_picture || n <= 0)
        return;
    if (o->is_speaker) {
        if (!o->speaker)
            o->speaker = soundcard_open_loudspeaker(o->path[7] == ':' ? o->path + 8 : NULL, rate_hz, 0, &o->err);
        o->failed = !o->speaker || !soundcard_say(o->speaker, samples, (size_t)n, &o->err);
        return;
    }
    if (!o->writer)
        o->writer = sound_writer_new(o->kind, rate_hz, append, &o->bytes, &o->err);
    if (!o->writer || !sound_writer_put(o->writer, samples, (size_t)n, &o->err))
        o->failed = true;
}

/* A WAV that was written as it came says "length not known": now it is known. */
static void set_wav_lengths(struct buf *b)
{
    if (b->len < 44 || b->len > UINT32_MAX)
        return;
    for (int k = 0; k < 2; k++) {
        const size_t at = k ? 40 : 4;
        const uint32_t n = (uint32_t)(b->len - (k ? 44 : 8));
        for (int i = 0; i < 4; i++)
            b->data[at + (size_t)i] = (char)(n >> (8 * i));
    }
}

static bool finish(struct run_out *o, struct err *err)
{
    if (o->failed) {
        *err = o->err;
        return false;
    }
    if (o->is_picture)
        return !o->has_picture ? err_set(err, ERR_INPUT, "--out: there was no picture")
               : o->is_jpeg    ? image_encode_jpeg(&o->image, JPEG_QUALITY, &o->bytes, err)
                               : image_encode_png(&o->image, &o->bytes, err);
    if (!o->writer && !o->speaker)
        return err_set(err, ERR_INPUT, "nothing was said");
    if (o->speaker)
        return soundcard_drain(o->speaker, err);
    if (!sound_writer_finish(o->writer, err))
        return false;
    if (o->kind == SOUND_WAV)
        set_wav_lengths(&o->bytes);
    return true;
}

bool run_out_end(struct run_out *o, bool ok, struct err *err)
{
    ok = ok && finish(o, err) && buf_ok(&o->bytes, "--out", err) && (o->is_speaker || file_write(o->path, o->bytes.data, o->bytes.len, err) || err_prefix(err, "--out"));
    soundcard_close(o->speaker);
    sound_writer_free(o->writer);
    image_fini(&o->image);
    buf_fini(&o->bytes);
    free(o);
    return ok;
}
