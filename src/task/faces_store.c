/* task/faces_store.c - see faces_store.h. */
#include "task/faces_store.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"

enum { FILE_BYTES_MAX = 256 << 20 };

bool faces_store_path(const char *data_dir, const char *card_id, char *path, size_t max, struct err *err)
{
    if (!data_dir || !*data_dir)
        return err_set(err, ERR_NOT_FOUND, "faces: there is no data folder to keep them in (HOME or XDG_DATA_HOME)");
    if (strchr(card_id, '/') || card_id[0] == '.')
        return err_set(err, ERR_INPUT, "faces: '%.80s' cannot be a file's name", card_id);
    const int n = snprintf(path, max, "%s/faces/%s.tsv", data_dir, card_id);
    return (n > 0 && (size_t)n < max) || err_set(err, ERR_INPUT, "faces: a data folder whose name is too long");
}

bool faces_store_check_name(const char *name, struct err *err)
{
    const size_t n = strlen(name);
    if (n == 0 || n >= FACE_NAME_MAX)
        return err_set(err, ERR_INPUT, "a name of 1 to %d bytes is wanted", FACE_NAME_MAX - 1);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 127)
            return err_set(err, ERR_INPUT, "a name without control characters is wanted");
    return utf8_is_valid(name, n) || err_set(err, ERR_INPUT, "a name in UTF-8 is wanted");
}

/* ---- reading ---- */

/* "name\t0.1 0.2 ...": numbers behind the ones that are there.  *n_values 0: the first line decides. */
static bool read_line(struct faces_store *s, char *line, struct err *err)
{
    char *tab = strchr(line, '\t');
    if (!tab)
        return err_set(err, ERR_INPUT, "a name, a tab and numbers are wanted");
    *tab = '\0';
    if (!faces_store_check_name(line, err))
        return false;
    struct face *f = &s->faces[s->n];
    memcpy(f->name, line, strlen(line) + 1);
    float *to = s->values + (size_t)s->n * (size_t)s->n_values;
    int n = 0;
    for (char *p = tab + 1, *end; *p; p = end) {
        const float x = strtof(p, &end);
        if (end == p || !isfinite(x) || n == s->n_values)
            return err_set(err, ERR_INPUT, "%d numbers are wanted", s->n_values);
        to[n++] = x;
        while (*end == ' ')
            end++;
    }
    if (n == 0 || n != s->n_values)
        return err_set(err, ERR_INPUT, "%d numbers, the first line has %d", n, s->n_values);
    f->values = to;
    s->n++;
    return true;
}

static int count_numbers(const char *line)
{
    int n = 0;
    const char *p = strchr(line, '\t');
    for (; p && *p && *p != '\n'; p++)
        n += (*p == '\t' || *p == ' ') && p[1] && p[1] != ' ' && p[1] != '\n';
    return n;
}

bool faces_store_load(struct faces_store *s, const char *path, struct err *err)
{
    size_t n_bytes;
    int n_lines = 0, line_number = 0;
    *s = (struct faces_store){ 0 };
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    char *text = file_read(path, FILE_BYTES_MAX, &n_bytes, err);
    if (!text)
        return false;
    for (const char *p = text; *p; p++)
        n_lines += *p == '\n';
    s->n_values = count_numbers(text);
    bool good = s->n_values <= FACE_VALUES_MAX && n_lines <= FACES_MAX;
    if (!good)
        err_set(err, ERR_LIMIT, "%s: more than %d lines or %d numbers", path, FACES_MAX, FACE_VALUES_MAX);
    if (good && (!(s->faces = calloc((size_t)n_lines + 1, sizeof *s->faces)) ||
                 !(s->values = calloc(((size_t)n_lines + 1) * (size_t)(s->n_values + 1), sizeof *s->values))))
        good = err_set(err, ERR_NOMEM, "%s: out of memory", path);
    for (char *p = text, *stop; good && (stop = strchr(p, '\n')); p = stop + 1) {
        *stop = '\0';
        line_number++;
        if (!read_line(s, p, err))
            good = err_prefix(err, "%s:%d", path, line_number);
    }
    free(text);
    if (!good)
        faces_store_fini(s);
    return good;
}

void faces_store_fini(struct faces_store *s)
{
    free(s->faces);
    free(s->values);
    *s = (struct faces_store){ 0 };
}

/* ---- writing ---- */

static void write_face(FILE *f, const char *name, const float *values, int n, double length)
{
    fprintf(f, "%s\t", name);
    for (int i = 0; i < n; i++)
        fprintf(f, "%s%.9g", i ? " " : "", (double)values[i] / length);
    fputc('\n', f);
}

/* All but those called `without`, and one more when there is one. */
static bool rewrite(const char *path, const struct faces_store *s, const char *without, const char *name, const float *values, int n_values, double length,
                    struct err *err)
{
    char temporary[1100];
    const int n = snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    FILE *f = n > 0 && (size_t)n < sizeof temporary ? fopen(temporary, "wx") : NULL;
    if (!f)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    for (int i = 0; i < s->n; i++)
        if (!without || strcmp(s->faces[i].name, without) != 0)
            write_face(f, s->faces[i].name, s->faces[i].values, s->n_values, 1);
    if (name)
        write_face(f, name, values, n_values, length);
    const bool is_written = !ferror(f);
    if (fclose(f) != 0 || !is_written || rename(temporary, path) != 0) {
        err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
        unlink(temporary);
        return false;
    }
    return true;
}

static bool make_folder(const char *path, struct err *err)
{
    char dir[1100];
    snprintf(dir, sizeof dir, "%s", path);
    for (char *p = dir + 1; *p; p++) /* each parent */
        if (*p == '/') {
            *p = '\0';
            if (mkdir(dir, 0700) != 0 && errno != EEXIST)
                return err_set(err, ERR_IO, "%s: %s", dir, strerror(errno));
            *p = '/';
        }
    return true;
}

bool faces_store_add(const char *path, const char *name, const float *values, int n_values, struct err *err)
{
    struct faces_store s;
    double sum = 0;
    if (!faces_store_check_name(name, err))
        return false;
    for (int i = 0; i < n_values; i++)
        sum += (double)values[i] * (double)values[i];
    if (n_values < 1 || n_values > FACE_VALUES_MAX || !(sum > 0) || !isfinite(sum))
        return err_set(err, ERR_INPUT, "%s: an embedding of %d numbers that cannot be kept", name, n_values);
    if (!make_folder(path, err) || !faces_store_load(&s, path, err))
        return false;
    bool good = s.n < FACES_MAX;
    if (!good)
        err_set(err, ERR_LIMIT, "%s: %d pictures are the most that are kept", path, FACES_MAX);
    else if (s.n > 0 && s.n_values != n_values)
        good = err_set(err, ERR_INPUT, "%s: holds faces of another model (%d numbers, not %d); remove them first", path, s.n_values, n_values);
    good = good && rewrite(path, &s, NULL, name, values, n_values, sqrt(sum), err);
    faces_store_fini(&s);
    return good;
}

bool faces_store_remove(const char *path, const char *name, int *n_removed, struct err *err)
{
    struct faces_store s;
    bool good = true;
    *n_removed = 0;
    if (!faces_store_load(&s, path, err))
        return false;
    for (int i = 0; i < s.n; i++)
        *n_removed += strcmp(s.faces[i].name, name) == 0;
    if (*n_removed)
        good = rewrite(path, &s, name, NULL, NULL, 0, 1, err);
    faces_store_fini(&s);
    return good;
}

const struct face *faces_store_nearest(const struct faces_store *s, const float *values, int n_values, float *cosine)
{
    const struct face *best = NULL;
    double sum = 0;
    *cosine = -1;
    if (n_values != s->n_values)
        return NULL;
    for (int i = 0; i < n_values; i++)
        sum += (double)values[i] * (double)values[i];
    for (int k = 0; k < s->n && sum > 0; k++) {
        float dot = 0;
        for (int i = 0; i < n_values; i++)
            dot += values[i] * s->faces[k].values[i];
        dot /= (float)sqrt(sum);
        if (!best || dot > *cosine) {
            best = &s->faces[k];
            *cosine = dot;
        }
    }
    return best;
}
