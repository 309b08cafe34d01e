/* expert/pace.c - see pace.h. */
#include "expert/pace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static const double SLOW_FRAC = 0.7, NORMAL_FRAC = 0.8;

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *v, int n)
{
    double s[PACE_KEPT];
    memcpy(s, v, (size_t)n * sizeof(*v));
    qsort(s, (size_t)n, sizeof(*s), by_size);
    return n % 2 ? s[n / 2] : (s[n / 2 - 1] + s[n / 2]) / 2;
}

static void push_past(struct pace_load *l, double v)
{
    l->past[l->at_past] = v;
    l->at_past = (l->at_past + 1) % PACE_KEPT;
    if (l->n_past < PACE_KEPT)
        l->n_past++;
}

enum pace_verdict pace_add(struct pace *p, int n_running, double tok_s)
{
    struct pace_load *l = &p->loads[n_running < 2 ? 0 : n_running < 4 ? 1 : n_running < 8 ? 2 : 3];
    if (!(tok_s > 0) || tok_s > 1e9)
        return PACE_SAME;
    if (l->n_recent == PACE_RECENT && !p->is_slow) { /* the oldest of the recent becomes history */
        push_past(l, l->recent[l->at_recent]);
        p->is_changed = true;
    }
    l->recent[l->at_recent] = tok_s;
    l->at_recent = (l->at_recent + 1) % PACE_RECENT;
    if (l->n_recent < PACE_RECENT)
        l->n_recent++;
    if (l->n_recent < PACE_RECENT || l->n_past < PACE_LEAST)
        return PACE_SAME;
    p->now = median(l->recent, PACE_RECENT);
    p->usual = median(l->past, l->n_past);
    if (!p->is_slow && p->now < SLOW_FRAC * p->usual) {
        p->is_slow = true;
        return PACE_SLOW;
    }
    if (p->is_slow && p->now > NORMAL_FRAC * p->usual) {
        p->is_slow = false;
        return PACE_NORMAL;
    }
    return PACE_SAME;
}

bool pace_read(struct pace *p, const char *path, struct err *err)
{
    struct err why = { 0 };
    size_t n = 0;
    memset(p, 0, sizeof(*p));
    char *text = file_read(path, 1 << 20, &n, &why);
    if (!text)
        return access(path, F_OK) != 0 || err_set(err, why.code, "%s", why.text);
    bool ok = true;
    for (char *line = text; *line && ok;) {
        char *end = line + strcspn(line, "\n"), *rest;
        const long load = strtol(line, &rest, 10);
        const double v = strtod(rest, &rest);
        ok = rest == end && load >= 0 && load < PACE_LOADS && v > 0 && v < 1e9;
        if (ok)
            push_past(&p->loads[load], v);
        line = *end ? end + 1 : end;
    }
    free(text);
    if (!ok)
        memset(p, 0, sizeof(*p));
    return ok || err_set(err, ERR_INPUT, "%s: not a history of speeds; it begins anew", path);
}

bool pace_write(struct pace *p, const char *path, struct err *err)
{
    char tmp[1024];
    if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
        return err_set(err, ERR_INPUT, "%s: the path is too long", path);
    FILE *f = fopen(tmp, "w");
    if (!f)
        return err_set(err, ERR_IO, "%s: %s", tmp, strerror(errno));
    for (int i = 0; i < PACE_LOADS; i++) {
        const struct pace_load *l = &p->loads[i];
        for (int k = 0; k < l->n_past; k++) /* oldest first */
            fprintf(f, "%d %.6g\n", i, l->past[(l->at_past + PACE_KEPT - l->n_past + k) % PACE_KEPT]);
        for (int k = 0; k < l->n_recent && !p->is_slow; k++) {
            const int from = l->n_recent < PACE_RECENT ? 0 : l->at_recent;
            fprintf(f, "%d %.6g\n", i, l->recent[(from + k) % PACE_RECENT]);
        }
    }
    const bool ok = fflush(f) == 0 && !ferror(f);
    if (fclose(f) != 0 || !ok || rename(tmp, path) != 0) {
        err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
        unlink(tmp);
        return false;
    }
    p->is_changed = false;
    return true;
}
