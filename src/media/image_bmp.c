/* media/image_bmp.c - Windows bitmaps: 1, 4, 8 (palette), 16, 24, 32 bits, plain or with bit fields, bottom or top first.
 *
 * For:     image.c.  Touches: nothing.  Format: BITMAPCOREHEADER, BITMAPINFOHEADER .. BITMAPV5HEADER (Microsoft, wingdi.h).
 * Rule:    run-length coding, JPEG and PNG inside a BMP are ERR_UNSUPPORTED.  The fourth byte of 32 bits counts as nothing
 *          unless a mask says that it is alpha, and most writers leave it 0: it is ignored always.
 */
#include <stdlib.h>

#include "media/image_internal.h"

enum { FILE_HEAD = 14, CORE_HEAD = 12, INFO_HEAD = 40, BI_RGB = 0, BI_BITFIELDS = 3, BI_ALPHABITFIELDS = 6 };

struct bmp {
    int w, h, bits;
    bool is_top_first;
    uint32_t compression;
    size_t palette_at, palette_entry_bytes, n_palette, px_at, row_bytes;
    uint32_t mask[3]; /* R, G, B of 16 and 32 bits */
};

static bool read_bmp(const uint8_t *p, size_t n, struct bmp *b, struct err *err)
{
    const size_t head = image_le32(p + FILE_HEAD); /* sniffed: 18 bytes are there */
    if (n < FILE_HEAD + head)
        return err_set(err, ERR_INPUT, "BMP: ends after %zu bytes, in its head", n);
    const uint8_t *q = p + FILE_HEAD;
    b->px_at = image_le32(p + 10);
    if (head == CORE_HEAD) {
        b->w = (int)image_le16(q + 4), b->h = (int)image_le16(q + 6), b->bits = (int)image_le16(q + 10);
        b->palette_entry_bytes = 3;
    } else {
        const int32_t h = (int32_t)image_le32(q + 8);
        if (h == INT32_MIN)
            return err_set(err, ERR_INPUT, "BMP: byte 22: a height of %d", h);
        b->w = (int32_t)image_le32(q + 4), b->h = abs(h), b->is_top_first = h < 0;
        b->bits = (int)image_le16(q + 14), b->compression = image_le32(q + 16);
        b->n_palette = image_le32(q + 32), b->palette_entry_bytes = 4;
    }
    if (b->w < 1 || b->h < 1 || b->w > IMAGE_SIDE_MAX || b->h > IMAGE_SIDE_MAX)
        return err_set(err, ERR_INPUT, "BMP: %d x %d pixels, sides are 1..%d", b->w, b->h, IMAGE_SIDE_MAX);
    if (b->bits != 1 && b->bits != 4 && b->bits != 8 && b->bits != 16 && b->bits != 24 && b->bits != 32)
        return err_set(err, ERR_INPUT, "BMP: byte 28: %d bits a pixel", b->bits);
    const bool has_masks = b->compression == BI_BITFIELDS || b->compression == BI_ALPHABITFIELDS;
    if (b->compression != BI_RGB && !(has_masks && (b->bits == 16 || b->bits == 32)))
        return err_set(err, ERR_UNSUPPORTED, "BMP: byte 30: compression %u is not supported: save it as PNG", b->compression);
    const size_t masks_at = FILE_HEAD + INFO_HEAD; /* in the longer heads they lie in the head itself */
    if (has_masks) {
        if (n < masks_at + 12)
            return err_set(err, ERR_INPUT, "BMP: ends after %zu bytes, in its masks", n);
        for (int c = 0; c < 3; c++)
            b->mask[c] = image_le32(p + masks_at + 4 * (size_t)c);
    } else if (b->bits == 16) {
        b->mask[0] = 0x7C00, b->mask[1] = 0x03E0, b->mask[2] = 0x001F;
    } else {
        b->mask[0] = 0xFF0000, b->mask[1] = 0x00FF00, b->mask[2] = 0x0000FF;
    }
    b->palette_at = FILE_HEAD + head;
    if (b->bits <= 8) {
        const size_t most = (size_t)1 << b->bits;
        b->n_palette = b->n_palette == 0 || b->n_palette > most ? most : b->n_palette;
        if (b->palette_at + b->n_palette * b->palette_entry_bytes > n)
            return err_set(err, ERR_INPUT, "BMP: ends after %zu bytes, in its palette", n);
    }
    b->row_bytes = ((size_t)b->w * (size_t)b->bits + 31) / 32 * 4;
    if (b->px_at > n || b->row_bytes * (size_t)b->h > n - b->px_at)
        return err_set(err, ERR_INPUT, "BMP: %d rows of %zu bytes from byte %zu, the file has %zu", b->h, b->row_bytes, b->px_at, n);
    return true;
}

bool image_head_bmp(const uint8_t *p, size_t n, struct image_head *head, struct err *err)
{
    struct bmp b = { 0 };
    if (!read_bmp(p, n, &b, err))
        return false;
    head->w = b.w, head->h = b.h;
    return true;
}

/* The bits of v under mask as 0..255. */
static uint8_t take(uint32_t v, uint32_t mask)
{
    if (mask == 0)
        return 0;
    const int shift = __builtin_ctz(mask);
    const uint64_t top = mask >> shift;
    return (uint8_t)(((uint64_t)((v & mask) >> shift) * 255 + top / 2) / top);
}

static void read_row(const uint8_t *p, const struct bmp *b, const uint8_t *row, uint8_t *d)
{
    const bool is_bgr = b->bits == 32 && b->mask[0] == 0xFF0000 && b->mask[1] == 0xFF00 && b->mask[2] == 0xFF;
    for (int x = 0; x < b->w; x++, d += 3) {
        if (b->bits == 24 || is_bgr) {
            const uint8_t *s = row + (size_t)x * (size_t)(b->bits / 8);
            d[0] = s[2], d[1] = s[1], d[2] = s[0];
        } else if (b->bits >= 16) {
            const uint32_t v = b->bits == 16 ? image_le16(row + 2 * (size_t)x) : image_le32(row + 4 * (size_t)x);
            for (int c = 0; c < 3; c++)
                d[c] = take(v, b->mask[c]);
        } else {
            const size_t bit = (size_t)x * (size_t)b->bits;
            const size_t i = (size_t)(row[bit / 8] >> (8 - b->bits - (int)(bit % 8))) & (((size_t)1 << b->bits) - 1);
            const uint8_t *s = p + b->palette_at + (i < b->n_palette ? i : 0) * b->palette_entry_bytes;
            d[0] = s[2], d[1] = s[1], d[2] = s[0];
        }
    }
}

bool image_decode_bmp(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err)
{
    struct bmp b = { 0 };
    if (!read_bmp(p, n, &b, err) || !image_reserve(out, head->w, head->h, 3, err))
        return false;
    for (int y = 0; y < b.h; y++)
        read_row(p, &b, p + b.px_at + b.row_bytes * (size_t)(b.is_top_first ? y : b.h - 1 - y), out->px + out->stride * (size_t)y);
    image_pack(out, n_channels);
    return true;
}
