/* media/image_pnm.c - PPM and PGM in their binary forms (P6, P5): what cameras, converters and ffmpeg write without a library.
 *
 * For:     image.c.  Touches: nothing.  Format: netpbm's ppm(5), pgm(5).
 * Rule:    the first picture of a file counts.  Values up to 255 (one byte each) are scaled to 0..255; deeper ones are
 *          ERR_UNSUPPORTED, so are the forms of text and of one bit (P1 to P4).
 */
#include <string.h>

#include "media/image_internal.h"

struct pnm {
    int w, h, most;
    size_t px_at, px_bytes;
};

static bool is_space(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The next number of the head at *at; comments ("# ..." to the end of the line) count as white space.  -1: there is none. */
static int read_number(const uint8_t *p, size_t n, size_t *at)
{
    size_t i = *at;
    while (i < n && (is_space(p[i]) || p[i] == '#')) {
        if (p[i] == '#')
            while (i < n && p[i] != '\n' && p[i] != '\r')
                i++;
        else
            i++;
    }
    int v = -1;
    for (; i < n && p[i] >= '0' && p[i] <= '9'; i++) {
        v = (v < 0 ? 0 : v) * 10 + (p[i] - '0');
        if (v > 1000000)
            return -1;
    }
    *at = i;
    return v;
}

static bool read_pnm(const uint8_t *p, size_t n, struct pnm *b, struct err *err)
{
    size_t at = 2; /* sniffed: "P6" or "P5" and a space */
    b->w = read_number(p, n, &at), b->h = read_number(p, n, &at), b->most = read_number(p, n, &at);
    if (b->w < 1 || b->h < 1 || b->w > IMAGE_SIDE_MAX || b->h > IMAGE_SIDE_MAX || b->most < 1 || at >= n || !is_space(p[at]))
        return err_set(err, ERR_INPUT, "PPM: byte %zu: the head is no width, height and largest value; sides are 1..%d", at, IMAGE_SIDE_MAX);
    if (b->most > 255)
        return err_set(err, ERR_UNSUPPORTED, "PPM: values up to %d are not supported: save it as PNG", b->most);
    b->px_at = at + 1, b->px_bytes = p[1] == '6' ? 3 : 1;
    const size_t want = (size_t)b->w * (size_t)b->h * b->px_bytes; /* at most 65500^2 * 3: fits */
    if (want > n - b->px_at)
        return err_set(err, ERR_INPUT, "PPM: %d x %d pixels take %zu bytes, %zu are there", b->w, b->h, want, n - b->px_at);
    return true;
}

bool image_head_pnm(const uint8_t *p, size_t n, struct image_head *head, struct err *err)
{
    struct pnm b;
    if (!read_pnm(p, n, &b, err))
        return false;
    head->w = b.w, head->h = b.h;
    return true;
}

bool image_decode_pnm(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err)
{
    struct pnm b;
    if (!read_pnm(p, n, &b, err) || !image_reserve(out, head->w, head->h, 3, err))
        return false;
    const size_t n_px = (size_t)b.w * (size_t)b.h;
    const uint8_t *s = p + b.px_at;
    uint8_t *d = out->px, scaled[256];
    for (int v = 0; v < 256; v++)
        scaled[v] = (uint8_t)(v >= b.most ? 255 : (v * 255 + b.most / 2) / b.most);
    for (size_t i = 0; i < n_px; i++, s += b.px_bytes, d += 3)
        for (size_t c = 0; c < 3; c++)
            d[c] = scaled[s[b.px_bytes == 3 ? c : 0]];
    image_pack(out, n_channels);
    return true;
}
