/* cmd/run_out.c - see run_out.h; start at run_out_new(). */
#include "cmd/run_out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "media/sound.h"

enum { OUT_MAX_BYTES = 1 << 30 };

struct run_out {
    char path[1024];
    enum sound_kind kind;
    struct sound_writer *writer; /* made with the first samples: they say the rate */
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
        o->kind = is_stdout ? SOUND_WAV : SOUND_UNKNOWN;
        for (size_t i = 0; i < sizeof(sounds) / sizeof(sounds[0]); i++)
            if (ends_with(o->path, sounds[i]))
                o->kind = sound_kind_by_name(sounds[i] + 1);
        return o->kind != SOUND_UNKNOWN || err_set(err, ERR_INPUT, "--out %s: .wav, .flac, .opus or .pcm is possible", o->path);
    }
    return err_set(err, ERR_INPUT, "--out: '%s' makes no sound", expert_task_name(task));
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
    (void)o;
    (void)bytes;
    (void)n;
    (void)err;
    return true;
}

void run_out_result(struct run_out *o, const struct task_result *r)
{
    (void)o;
    (void)r;
}

static bool append(void *ctx, const void *bytes, size_t n)
{
    struct buf *b = ctx;
    buf_append(b, bytes, n);
    return !b->failed;
}

void run_out_audio(struct run_out *o, const float *samples, int n, int rate_hz)
{
    if (o->failed || n <= 0)
        return;
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
    if (!o->writer)
        return err_set(err, ERR_INPUT, "nothing was said");
    if (!sound_writer_finish(o->writer, err))
        return false;
    if (o->kind == SOUND_WAV)
        set_wav_lengths(&o->bytes);
    return true;
}

static bool save(struct run_out *o, struct err *err)
{
    const bool is_stdout = strcmp(o->path, "-") == 0;
    FILE *f = is_stdout ? stdout : fopen(o->path, "wb");
    if (!f)
        return err_set(err, ERR_IO, "--out %s: %s", o->path, strerror(errno));
    bool ok = fwrite(o->bytes.data, 1, o->bytes.len, f) == o->bytes.len && fflush(f) == 0;
    if (!is_stdout)
        ok = fclose(f) == 0 && ok;
    return ok || err_set(err, ERR_IO, "--out %s: %s", o->path, strerror(errno));
}

bool run_out_end(struct run_out *o, bool ok, struct err *err)
{
    ok = ok && finish(o, err) && buf_ok(&o->bytes, "--out", err) && save(o, err);
    sound_writer_free(o->writer);
    buf_fini(&o->bytes);
    free(o);
    return ok;
}
