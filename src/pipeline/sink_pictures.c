/* pipeline/sink_pictures.c - a folder with a picture of each event: its frame with boxes, labels and the description below.
 *
 * Rule:    only files that look like ours (TIME-ID.jpg) are ever removed; at most `keep` of them and none older than `age`. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "media/draw.h"
#include "pipeline/sink_internal.h"

enum { JPEG_QUALITY = 88, NAMES_MAX = 1 << 16 };

struct album {
    char dir[900];
    struct image image;
    struct buf bytes;
    uint64_t n_written;
};

static void album_close(struct sink *s)
{
    struct album *a = s->self;
    if (!a)
        return;
    image_fini(&a->image);
    buf_fini(&a->bytes);
    free(a);
}

static bool album_open(struct sink *s, struct err *err)
{
    struct album *a = calloc(1, sizeof(*a));
    s->self = a;
    if (!a)
        return err_set(err, ERR_NOMEM, "no memory");
    buf_init(&a->bytes, 64 << 20);
    if (!sink_path(s, s->plan->to, a->dir, sizeof(a->dir), err))
        return false;
    struct stat st;
    if (stat(a->dir, &st) == 0)
        return S_ISDIR(st.st_mode) || err_set(err, ERR_INPUT, "%s: no folder", a->dir);
    return mkdir(a->dir, 0777) == 0 || err_set(err, ERR_NOT_FOUND, "%s: %s", a->dir, strerror(errno));
}

/* "2026-11-21T19-33-00-125Z-7.jpg" */
static bool is_ours(const char *name)
{
    static const char form[] = "dddd-dd-ddTdd-dd-dd-dddZ-";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? name[i] < '0' || name[i] > '9' : name[i] != form[i])
            return false;
    const char *p = name + sizeof(form) - 1;
    const size_t n = strspn(p, "0123456789");
    return n > 0 && strcmp(p + n, ".jpg") == 0;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Names begin with the time, so their order is that of age. */
static void tidy(const struct sink *s)
{
    const struct album *a = s->self;
    DIR *d = opendir(a->dir);
    char **names = d ? malloc(NAMES_MAX * sizeof(*names)) : NULL;
    int n = 0;
    for (struct dirent *e; names && n < NAMES_MAX && (e = readdir(d)) != NULL;)
        if (is_ours(e->d_name) && (names[n] = strdup(e->d_name)))
            n++;
    if (d)
        closedir(d);
    if (n > 1)
        qsort(names, (size_t)n, sizeof(*names), by_name);
    for (int i = 0; i < n; i++) {
        char path[1200];
        struct stat st;
        snprintf(path, sizeof(path), "%s/%s", a->dir, names[i]);
        const bool is_old = stat(path, &st) == 0 && difftime(time(NULL), st.st_mtime) > s->plan->max_age_s;
        if (i < n - s->plan->max_files || is_old)
            unlink(path);
        free(names[i]);
    }
    free(names);
}

static void draw(struct album *a, const struct record *r)
{
    struct draw_box boxes[SINK_BOXES_MAX];
    for (int i = 0; i < r->n_boxes; i++)
        boxes[i] = (struct draw_box){ .x = r->boxes[i].x, .y = r->boxes[i].y, .w = r->boxes[i].w, .h = r->boxes[i].h, .label = r->boxes[i].label, .score = r->boxes[i].score };
    draw_boxes(&a->image, boxes, r->n_boxes);
    const float size = (float)a->image.h / 28 < 12 ? 12 : (float)a->image.h / 28;
    const int high = (int)(size * 1.4f);
    draw_fill(&a->image, 0, a->image.h - high, a->image.w, high, (struct draw_colour){ 0, 0, 0 });
    draw_text(&a->image, 4, a->image.h - high + 1, size, (struct draw_colour){ 255, 255, 255 }, r->caption);
}

static bool take_pixels(struct album *a, const struct task_media *m, struct err *err)
{
    if (m->form == MEDIA_ENCODED)
        return image_decode(m->bytes, m->n_bytes, 3, NULL, &a->image, err);
    if (!image_resize_memory(&a->image, m->width_px, m->height_px, 3, err))
        return false;
    const uint8_t *from = m->bytes;
    const size_t n = (size_t)m->width_px * (size_t)m->height_px;
    if (m->form == MEDIA_RGB8)
        memcpy(a->image.px, from, n * 3);
    else
        for (size_t i = 0; i < n; i++)
            a->image.px[i * 3] = a->image.px[i * 3 + 1] = a->image.px[i * 3 + 2] = from[i];
    return true;
}

static bool album_send(struct sink *s, const struct record *r, struct err *err)
{
    struct album *a = s->self;
    char part[1100];
    if (!take_pixels(a, &r->media, err))
        return err->code == ERR_BUSY || err->code == ERR_IO ? err_set(err, ERR_INTERNAL, "no picture") : false;
    draw(a, r);
    buf_clear(&a->bytes);
    if (!image_encode_jpeg(&a->image, JPEG_QUALITY, &a->bytes, err))
        return false;
    snprintf(part, sizeof(part), "%s.part", r->path);
    FILE *f = fopen(part, "wbe");
    bool good = f && fwrite(a->bytes.data, 1, a->bytes.len, f) == a->bytes.len;
    good = f && fclose(f) == 0 && good;
    if (!good || rename(part, r->path) != 0) {
        err_set(err, ERR_INTERNAL, "%s: %s", r->path, strerror(errno));
        unlink(part);
        return false;
    }
    if (a->n_written++ % 16 == 0 || s->plan->max_files < 64)
        tidy(s);
    return true;
}

const struct sink_ops sink_pictures = { album_open, album_send, album_close };
