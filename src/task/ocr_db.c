/* task/ocr_db.c - see ocr_db.h; start at ocr_db_find(). */
#include "task/ocr_db.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct ocr_db_options ocr_db_defaults = { 0.3f, 0.6f, 1.5f, 3 };

/* The smallest rectangle is taken when it saves a quarter of the upright box, or a tenth for a long line (one of aspect 10
 * that is tilted by half a degree). */
static const float slanted_area_frac = 0.75f, slanted_long_frac = 0.9f, long_aspect = 4;

static float cross(const float *o, const float *a, const float *b)
{
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
}

/* Andrew's monotone chain over the ends of the runs, which come sorted by y (then x): hull[0..n) counter-clockwise
 * in a picture's coordinates.  Room for 2 * 2 * n_runs + 2 points. */
static int make_hull(float *hull, const struct blob_run *runs, int n_runs)
{
    int n = 0;
    for (int pass = 0; pass < 2; pass++) { /* down one side, up the other */
        const int floor_n = n + 2;
        for (int i = 0; i < n_runs * 2; i++) {
            const int k = pass ? n_runs * 2 - 1 - i : i;
            const struct blob_run *r = &runs[k / 2];
            /* pixels are squares: their outer corners would add one everywhere; centres plus a constant do */
            const float p[2] = { (float)(k % 2 ? r->x1 : r->x0), (float)r->y };
            while (n >= floor_n && cross(hull + 2 * (n - 2), hull + 2 * (n - 1), p) <= 0)
                n--;
            hull[2 * n] = p[0];
            hull[2 * n + 1] = p[1];
            n++;
        }
        if (pass == 0 && n > 1)
            n--; /* the last point begins the way back */
    }
    return n > 1 ? n - 1 : n; /* it ends where it began */
}

/* The rectangle of least area around a hull has a side along one of its edges (Freeman and Shapira 1975). */
static bool least_rect(const float *hull, int n, struct ocr_rect *out)
{
    float best = INFINITY;
    for (int i = 0; i < n; i++) {
        const float *a = hull + 2 * i, *b = hull + 2 * ((i + 1) % n);
        const float len = hypotf(b[0] - a[0], b[1] - a[1]);
        if (!(len > 0))
            continue;
        const float ux = (b[0] - a[0]) / len, uy = (b[1] - a[1]) / len;
        float lo_u = INFINITY, hi_u = -INFINITY, lo_v = INFINITY, hi_v = -INFINITY;
        for (int k = 0; k < n; k++) {
            const float u = hull[2 * k] * ux + hull[2 * k + 1] * uy, v = hull[2 * k + 1] * ux - hull[2 * k] * uy;
            lo_u = fminf(lo_u, u), hi_u = fmaxf(hi_u, u);
            lo_v = fminf(lo_v, v), hi_v = fmaxf(hi_v, v);
        }
        const float w = hi_u - lo_u + 1, h = hi_v - lo_v + 1; /* + 1: from centres to edges of pixels */
        if (w * h >= best)
            continue;
        best = w * h;
        const float mu = (lo_u + hi_u) / 2, mv = (lo_v + hi_v) / 2;
        *out = (struct ocr_rect) { .cx = mu * ux - mv * uy + 0.5f, .cy = mu * uy + mv * ux + 0.5f,
                                   .half_w = w / 2, .half_h = h / 2, .ux = ux, .uy = uy };
    }
    if (best == INFINITY)
        return false;
    if (out->half_w < out->half_h) { /* the long side is the way of reading */
        *out = (struct ocr_rect) { out->cx, out->cy, out->half_h, out->half_w, -out->uy, out->ux, 0 };
    }
    if (out->ux < 0 || (out->ux == 0 && out->uy < 0)) /* ... from left to right, else downwards */
        out->ux = -out->ux, out->uy = -out->uy;
    return true;
}

static float clamp01(float p) { return p > 0 ? (p < 1 ? p : 1) : 0; } /* NaN: 0 */

/* Mean of p over the pixels whose centres lie in the rectangle; x0..y1 is the part's box, which all of it is near to. */
static float mean_inside(const float *prob, int w, int h, const struct ocr_rect *r, const struct blob *b)
{
    const int reach = 2;
    double sum = 0;
    int64_t n = 0;
    for (int y = b->y0 > reach ? b->y0 - reach : 0; y <= b->y1 + reach && y < h; y++)
        for (int x = b->x0 > reach ? b->x0 - reach : 0; x <= b->x1 + reach && x < w; x++) {
            const float dx = (float)x + 0.5f - r->cx, dy = (float)y + 0.5f - r->cy;
            if (fabsf(dx * r->ux + dy * r->uy) > r->half_w || fabsf(dy * r->ux - dx * r->uy) > r->half_h)
                continue;
            sum += clamp01(prob[(size_t)y * (size_t)w + (size_t)x]);
            n++;
        }
    return n ? (float)(sum / (double)n) : 0;
}

/* Mean of p over the part itself: for long lines, which paper that is not flat bends out of every rectangle (page.png). */
static float mean_of_part(const float *prob, int w, const struct blob_run *runs, int n_runs)
{
    double sum = 0;
    int64_t n = 0;
    for (int i = 0; i < n_runs; i++)
        for (int x = runs[i].x0; x <= runs[i].x1; x++, n++)
            sum += clamp01(prob[(size_t)runs[i].y * (size_t)w + (size_t)x]);
    return n ? (float)(sum / (double)n) : 0;
}

bool ocr_db_find(struct ocr_db *db, const float *prob, int w, int h, const struct ocr_db_options *o,
                 struct ocr_rect *rects, int max_rects, int *n, struct err *err)
{
    *n = 0;
    if (w < 1 || h < 1 || (int64_t)w * h > 1 << 28)
        return err_set(err, ERR_LIMIT, "text map: %d x %d is not between 1 and 2^28 cells", w, h);
    const size_t n_px = (size_t)w * (size_t)h;
    if (n_px > db->cap_mask) {
        uint8_t *more = realloc(db->mask, n_px);
        if (!more)
            return err_set(err, ERR_NOMEM, "text map: cannot get %zu bytes", n_px);
        db->mask = more;
        db->cap_mask = n_px;
    }
    for (size_t i = 0; i < n_px; i++)
        db->mask[i] = prob[i] > o->threshold;
    if (!blobs_find(&db->blobs, db->mask, w, h, err))
        return false;
    for (int i = 0; i < db->blobs.n_blobs && *n < max_rects; i++) {
        const struct blob *b = &db->blobs.blobs[i];
        const int bw = b->x1 - b->x0 + 1, bh = b->y1 - b->y0 + 1;
        if (bw < o->min_side_px || bh < o->min_side_px)
            continue;
        struct ocr_rect upright = { (float)b->x0 + (float)bw / 2, (float)b->y0 + (float)bh / 2, (float)bw / 2, (float)bh / 2,
                                    1, 0, 0 }, r = upright, least = upright;
        const size_t n_hull = 4 * (size_t)b->n_runs + 2;
        if (n_hull > db->cap_hull) {
            float *more = realloc(db->hull, n_hull * 2 * sizeof(float));
            if (!more)
                return err_set(err, ERR_NOMEM, "text map: cannot get %zu bytes", n_hull * 2 * sizeof(float));
            db->hull = more;
            db->cap_hull = n_hull;
        }
        const int n_points = make_hull(db->hull, db->blobs.runs + b->first_run, b->n_runs);
        if (least_rect(db->hull, n_points, &least)) {
            const float frac = least.half_w * least.half_h / (upright.half_w * upright.half_h);
            if (frac < (least.half_w >= long_aspect * least.half_h ? slanted_long_frac : slanted_area_frac))
                r = least;
        }
        if (r.half_h * 2 < (float)o->min_side_px)
            continue;
        r.score = r.half_w >= long_aspect * r.half_h ? mean_of_part(prob, w, db->blobs.runs + b->first_run, b->n_runs) : mean_inside(prob, w, h, &r, b);
        if (!(r.score >= o->min_score))
            continue;
        const float grow = r.half_w * r.half_h * o->unclip / (r.half_w + r.half_h); /* (4 ab) * unclip / (4 (a + b)) */
        r.half_w += grow;
        r.half_h += grow;
        rects[(*n)++] = r;
    }
    return true;
}

void ocr_db_fini(struct ocr_db *db)
{
    blobs_fini(&db->blobs);
    free(db->mask);
    free(db->hull);
    memset(db, 0, sizeof(*db));
}
