/* task/blobs.c - one pass joins each row's runs to those above (union-find), a second one sorts runs by blob. */
#include "task/blobs.h"

#include <stdlib.h>
#include <string.h>

static bool grow(void *items, size_t *cap, size_t want, size_t item_bytes, struct err *err)
{
    if (want <= *cap)
        return true;
    size_t n = *cap ? *cap : 256;
    while (n < want)
        n *= 2;
    void **p = items, *more = realloc(*p, n * item_bytes);
    if (!more)
        return err_set(err, ERR_NOMEM, "regions of a picture: cannot get %zu bytes", n * item_bytes);
    *p = more;
    *cap = n;
    return true;
}

static int root_of(struct blob_run *runs, int i)
{
    while (runs[i].parent != i) {
        runs[i].parent = runs[runs[i].parent].parent; /* halve the path */
        i = runs[i].parent;
    }
    return i;
}

static bool find_runs(struct blobs *b, const uint8_t *mask, int w, int h, struct err *err)
{
    int above = 0, here = 0; /* the runs of the row above begin at `above` and end before `here` */
    for (int y = 0; y < h; y++) {
        const uint8_t *row = mask + (size_t)y * (size_t)w;
        const int begin = b->n_found;
        int up = above;
        for (int x = 0; x < w;) {
            const uint8_t *at = row + x;
            while (x < w && !*at)
                x++, at++;
            if (x == w)
                break;
            const int x0 = x;
            while (x < w && *at)
                x++, at++;
            if (!grow(&b->found, &b->cap_found, (size_t)b->n_found + 1, sizeof(*b->found), err))
                return false;
            const int me = b->n_found++;
            b->found[me] = (struct blob_run) { y, x0, x - 1, me };
            while (up < here && b->found[up].x1 < x0 - 1)
                up++;
            for (int k = up; k < here && b->found[k].x0 <= x; k++) { /* touches, corners too */
                const int a = root_of(b->found, k), c = root_of(b->found, me);
                if (a < c) /* the earliest run is the root */
                    b->found[c].parent = a;
                else
                    b->found[a].parent = c;
            }
        }
        above = begin;
        here = b->n_found;
    }
    return true;
}

bool blobs_find(struct blobs *b, const uint8_t *mask, int w, int h, struct err *err)
{
    b->n_blobs = b->n_runs = b->n_found = 0;
    if (w < 1 || h < 1 || (int64_t)w * h > 1 << 28)
        return err_set(err, ERR_LIMIT, "regions of a picture: %d x %d is not between 1 and 2^28 pixels", w, h);
    if (!find_runs(b, mask, w, h, err) || !grow(&b->runs, &b->cap_runs, (size_t)b->n_found, sizeof(*b->runs), err))
        return false;
    /* Roots become blobs, in order; a run's parent becomes its blob. */
    for (int i = 0; i < b->n_found; i++) {
        struct blob_run *r = &b->found[i];
        const int root = root_of(b->found, i);
        if (root == i) {
            if (!grow(&b->blobs, &b->cap_blobs, (size_t)b->n_blobs + 1, sizeof(*b->blobs), err))
                return false;
            b->blobs[b->n_blobs++] = (struct blob) { .x0 = r->x0, .y0 = r->y, .x1 = r->x1, .y1 = r->y };
        }
    }
    int n = 0;
    for (int i = 0; i < b->n_found; i++) /* a root stands before its runs: it tells them its number as ~number */
        if (b->found[i].parent == i)
            b->found[i].parent = ~n++;
        else {
            const int p = b->found[i].parent;
            b->found[i].parent = b->found[p].parent;
        }
    for (int i = 0; i < b->n_found; i++) {
        const struct blob_run *r = &b->found[i];
        struct blob *o = &b->blobs[~r->parent];
        o->n_runs++;
        o->n_px += r->x1 - r->x0 + 1;
        o->x0 = r->x0 < o->x0 ? r->x0 : o->x0;
        o->x1 = r->x1 > o->x1 ? r->x1 : o->x1;
        o->y1 = r->y > o->y1 ? r->y : o->y1;
    }
    for (int i = 0, at = 0; i < b->n_blobs; i++) {
        b->blobs[i].first_run = at;
        at += b->blobs[i].n_runs;
        b->blobs[i].n_runs = 0;
    }
    for (int i = 0; i < b->n_found; i++) {
        struct blob *o = &b->blobs[~b->found[i].parent];
        b->runs[o->first_run + o->n_runs++] = b->found[i];
    }
    b->n_runs = b->n_found;
    return true;
}

void blobs_fini(struct blobs *b)
{
    free(b->blobs);
    free(b->runs);
    free(b->found);
    memset(b, 0, sizeof(*b));
}
