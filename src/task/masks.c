/* task/masks.c - see masks.h. */
#include "task/masks.h"

#include <math.h>

struct plane { /* the weighted sum of the prototypes, over a part of their grid */
    float *x;  /* [h][w] */
    int left, top, w, h;
};

static int bounded(float v, int max) { return v < 0 ? 0 : v > (float)max ? max : (int)v; }

/* The part of the grid under the box, and one cell around it. */
static bool sum_up(struct plane *p, const struct vision_output *proto, const float *coef, int step, const struct result_box *b, const struct vision_frame *f,
                   struct arena *arena, struct err *err)
{
    const int n = (int)proto->dims[0], gh = (int)proto->dims[1], gw = (int)proto->dims[2];
    const float sx = f->map.scale_x * (float)gw / (float)f->in_w, sy = f->map.scale_y * (float)gh / (float)f->in_h;
    const float ox = f->map.off_x * (float)gw / (float)f->in_w, oy = f->map.off_y * (float)gh / (float)f->in_h;
    p->left = bounded(b->x * sx + ox - 1, gw - 1);
    p->top = bounded(b->y * sy + oy - 1, gh - 1);
    p->w = bounded((b->x + b->w) * sx + ox + 2, gw) - p->left;
    p->h = bounded((b->y + b->h) * sy + oy + 2, gh) - p->top;
    p->w = p->w < 1 ? 1 : p->w;
    p->h = p->h < 1 ? 1 : p->h;
    p->x = arena_alloc(arena, (size_t)p->w * (size_t)p->h, sizeof *p->x, err);
    if (!p->x)
        return false;
    for (int k = 0; k < n; k++) {
        const float c = coef[(size_t)k * (size_t)step];
        for (int y = 0; y < p->h; y++) {
            const float *from = proto->x + ((size_t)k * (size_t)gh + (size_t)(p->top + y)) * (size_t)gw + (size_t)p->left;
            float *to = p->x + (size_t)y * (size_t)p->w;
            for (int x = 0; x < p->w; x++)
                to[x] += c * from[x];
        }
    }
    return true;
}

static float at(const struct plane *p, float x, float y) /* bilinear, in cells of the plane, centres at +0.5 */
{
    const float cx = fminf(fmaxf(x - 0.5f, 0), (float)(p->w - 1)), cy = fminf(fmaxf(y - 0.5f, 0), (float)(p->h - 1));
    const int x0 = (int)cx, y0 = (int)cy, x1 = x0 + 1 < p->w ? x0 + 1 : x0, y1 = y0 + 1 < p->h ? y0 + 1 : y0;
    const float fx = cx - (float)x0, fy = cy - (float)y0;
    const float *r0 = p->x + (size_t)y0 * (size_t)p->w, *r1 = p->x + (size_t)y1 * (size_t)p->w;
    return (r0[x0] * (1 - fx) + r0[x1] * fx) * (1 - fy) + (r1[x0] * (1 - fx) + r1[x1] * fx) * fy;
}

bool masks_make(const struct vision_output *proto, const float *const *coef, int step, const struct vision_frame *f, struct arena *arena,
                struct task_result *r, struct err *err)
{
    size_t n_bytes = 0;
    struct result_mask *m = arena_alloc(arena, (size_t)r->n_boxes, sizeof *m, err);
    if (!m)
        return false;
    const float sx = f->map.scale_x * (float)proto->dims[2] / (float)f->in_w, sy = f->map.scale_y * (float)proto->dims[1] / (float)f->in_h;
    const float ox = f->map.off_x * (float)proto->dims[2] / (float)f->in_w, oy = f->map.off_y * (float)proto->dims[1] / (float)f->in_h;
    for (int i = 0; i < r->n_boxes; i++) {
        const struct result_box *b = &r->boxes[i];
        struct plane p;
        const int w = (int)ceilf(b->w), h = (int)ceilf(b->h);
        n_bytes += (size_t)w * (size_t)h;
        if (n_bytes > MASKS_BYTES_MAX)
            break;
        if (!sum_up(&p, proto, coef[i], step, b, f, arena, err))
            return false;
        uint8_t *px = arena_alloc(arena, (size_t)w * (size_t)h, 1, err);
        if (!px)
            return false;
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                px[(size_t)y * (size_t)w + (size_t)x] = at(&p, (b->x + (float)x + 0.5f) * sx + ox - (float)p.left, (b->y + (float)y + 0.5f) * sy + oy - (float)p.top) > 0;
        m[r->n_masks++] = (struct result_mask){ .w = w, .h = h, .pixels = px, .box = i };
    }
    r->masks = m;
    return true;
}
