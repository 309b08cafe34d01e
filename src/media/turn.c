/* media/turn.c - the geometry of resize.h that is no resizing: turns, mirrors, perspective crops, grey. */
#include <math.h>
#include <string.h>

#include "media/image_internal.h"
#include "media/resize.h"

bool image_orient(const struct image *from, int orientation, struct image *out, struct err *err)
{
    if (from->w < 1 || from->h < 1 || orientation < 1 || orientation > 8)
        return err_set(err, ERR_INPUT, "picture: %d x %d pixels, orientation %d (1..8)", from->w, from->h, orientation);
    /* Where the first output pixel comes from, and whether x and y change places.  ORDER EXIF */
    static const struct { bool from_right, from_bottom, is_swapped; } ways[8] = {
        { 0, 0, 0 }, { 1, 0, 0 }, { 1, 1, 0 }, { 0, 1, 0 }, { 0, 0, 1 }, { 0, 1, 1 }, { 1, 1, 1 }, { 1, 0, 1 },
    };
    const bool swap = ways[orientation - 1].is_swapped;
    const int w = swap ? from->h : from->w, h = swap ? from->w : from->h, ch = from->n_channels;
    if (!image_resize_memory(out, w, h, ch, err))
        return false;
    const ptrdiff_t px = ch, row = (ptrdiff_t)from->stride;
    const ptrdiff_t sx = ways[orientation - 1].from_right ? -px : px, sy = ways[orientation - 1].from_bottom ? -row : row;
    const uint8_t *origin = from->px + (sx < 0 ? (from->w - 1) * px : 0) + (sy < 0 ? (from->h - 1) * row : 0);
    const ptrdiff_t dx = swap ? sy : sx, dy = swap ? sx : sy;
    enum { TILE = 32 }; /* both sides of a transposition stay in the cache */
    for (int ty = 0; ty < h; ty += TILE)
        for (int tx = 0; tx < w; tx += TILE)
            for (int y = ty; y < h && y < ty + TILE; y++) {
                const uint8_t *s = origin + y * dy + tx * dx;
                uint8_t *d = out->px + (size_t)y * out->stride + (size_t)tx * (size_t)ch;
                for (int x = tx; x < w && x < tx + TILE; x++, s += dx, d += ch)
                    for (int c = 0; c < ch; c++)
                        d[c] = s[c];
            }
    return true;
}

bool image_rotate(const struct image *from, int quarter_turns, struct image *out, struct err *err)
{
    static const int orientation[4] = { 1, 6, 3, 8 };
    return image_orient(from, orientation[quarter_turns & 3], out, err);
}

bool image_to_grey(const struct image *from, struct image *out, struct err *err)
{
    if (!image_resize_memory(out, from->w, from->h, 1, err))
        return false;
    for (int y = 0; y < from->h; y++) {
        const uint8_t *s = from->px + (size_t)y * from->stride;
        uint8_t *d = out->px + (size_t)y * out->stride;
        if (from->n_channels == 1)
            memcpy(d, s, (size_t)from->w);
        else
            for (int x = 0; x < from->w; x++)
                d[x] = image_luma(s[3 * x], s[3 * x + 1], s[3 * x + 2]);
    }
    return true;
}

/* The projective map of the unit square onto a quadrangle: Heckbert, Fundamentals of Texture Mapping and Image Warping (1989), 2.2.
 * x = (m[0] u + m[1] v + m[2]) / (m[6] u + m[7] v + 1), y likewise with m[3..5]. */
static bool square_to_quad(const float q[4][2], double m[8])
{
    double area = 0;
    for (int i = 0; i < 4; i++) {
        const int j = (i + 1) & 3;
        if (!isfinite(q[i][0]) || !isfinite(q[i][1]) || fabsf(q[i][0]) > 1e6f || fabsf(q[i][1]) > 1e6f)
            return false;
        area += (double)q[i][0] * q[j][1] - (double)q[j][0] * q[i][1];
    }
    const double sx = q[0][0] - (double)q[1][0] + q[2][0] - q[3][0], sy = q[0][1] - (double)q[1][1] + q[2][1] - q[3][1];
    const double x1 = q[1][0] - (double)q[2][0], x2 = q[3][0] - (double)q[2][0], y1 = q[1][1] - (double)q[2][1], y2 = q[3][1] - (double)q[2][1];
    const double det = x1 * y2 - x2 * y1;
    if (fabs(area) < 1e-3 || fabs(det) < 1e-6)
        return false;
    const double g = (sx * y2 - x2 * sy) / det, h = (x1 * sy - sx * y1) / det;
    m[0] = q[1][0] - (double)q[0][0] + g * q[1][0], m[1] = q[3][0] - (double)q[0][0] + h * q[3][0], m[2] = q[0][0];
    m[3] = q[1][1] - (double)q[0][1] + g * q[1][1], m[4] = q[3][1] - (double)q[0][1] + h * q[3][1], m[5] = q[0][1];
    m[6] = g, m[7] = h;
    return 1 + g > 1e-6 && 1 + h > 1e-6 && 1 + g + h > 1e-6; /* the horizon does not cross it */
}

static double clamp(double v, double hi) { return v > 0 ? (v < hi ? v : hi) : 0; }

bool image_crop_quad(const struct image *from, const float quad[4][2], int w, int h, struct image *out, struct err *err)
{
    double m[8];
    if (from->w < 1 || from->h < 1 || !square_to_quad(quad, m))
        return err_set(err, ERR_INPUT, "picture: corners (%g, %g) (%g, %g) (%g, %g) (%g, %g) make no quadrangle", quad[0][0], quad[0][1],
                       quad[1][0], quad[1][1], quad[2][0], quad[2][1], quad[3][0], quad[3][1]);
    if (!image_resize_memory(out, w, h, from->n_channels, err))
        return false;
    const int ch = from->n_channels;
    for (int y = 0; y < h; y++) {
        const double v = (y + 0.5) / h;
        uint8_t *d = out->px + (size_t)y * out->stride;
        for (int x = 0; x < w; x++, d += ch) {
            const double u = (x + 0.5) / w, z = m[6] * u + m[7] * v + 1;
            const double sx = clamp((m[0] * u + m[1] * v + m[2]) / z - 0.5, from->w - 1), sy = clamp((m[3] * u + m[4] * v + m[5]) / z - 0.5, from->h - 1);
            const int x0 = (int)sx, y0 = (int)sy, x1 = x0 + 1 < from->w ? ch : 0;
            const float fx = (float)(sx - x0), fy = (float)(sy - y0);
            const uint8_t *p = from->px + (size_t)y0 * from->stride + (size_t)x0 * (size_t)ch, *q = y0 + 1 < from->h ? p + from->stride : p;
            for (int c = 0; c < ch; c++) {
                const float top = (float)p[c] + fx * (float)(p[c + x1] - p[c]), low = (float)q[c] + fx * (float)(q[c + x1] - q[c]);
                d[c] = (uint8_t)(top + fy * (low - top) + 0.5f);
            }
        }
    }
    return true;
}
