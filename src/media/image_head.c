/* media/image_head.c - sizes and orientation out of the heads of JPEG, PNG and WebP, without a library.
 *
 * For:     image.c.  Touches: nothing.
 * Rule:    every length is checked against what is there; nothing is believed but w, h, orientation and alpha.
 *          JPEG: ITU-T T.81 annex B.  PNG: W3C PNG section 5.  WebP: RFC 9649.  EXIF: CIPA DC-008 (TIFF 6.0 section 2).
 */
#include <string.h>

#include "media/image_internal.h"

int image_exif_orientation(const uint8_t *t, size_t n)
{
    if (n < 8)
        return 1;
    const bool is_le = memcmp(t, "II*\0", 4) == 0;
    if (!is_le && memcmp(t, "MM\0*", 4) != 0)
        return 1;
    const size_t ifd = is_le ? image_le32(t + 4) : image_be32(t + 4);
    if (ifd > n - 2)
        return 1;
    const size_t n_entries = is_le ? image_le16(t + ifd) : image_be16(t + ifd);
    for (size_t i = 0, at = ifd + 2; i < n_entries && at + 12 <= n; i++, at += 12) {
        const uint8_t *e = t + at;
        const uint32_t tag = is_le ? image_le16(e) : image_be16(e), type = is_le ? image_le16(e + 2) : image_be16(e + 2);
        if (tag != 0x0112 || type != 3) /* Orientation, SHORT */
            continue;
        const uint32_t v = is_le ? image_le16(e + 8) : image_be16(e + 8);
        return v >= 1 && v <= 8 ? (int)v : 1;
    }
    return 1;
}

bool image_head_jpeg(const uint8_t *p, size_t n, struct image_head *head, struct err *err)
{
    size_t at = 2; /* behind SOI */
    while (at + 4 <= n) {
        if (p[at] != 0xFF)
            return err_set(err, ERR_INPUT, "JPEG: byte %zu: no marker where one must be", at);
        const uint8_t m = p[at + 1];
        if (m == 0xFF || m == 0x01 || (m >= 0xD0 && m <= 0xD7)) { /* a fill byte, or a marker without a length */
            at += m == 0xFF ? 1 : 2;
            continue;
        }
        const size_t len = image_be16(p + at + 2);
        if (len < 2 || len > n - at - 2)
            return err_set(err, ERR_INPUT, "JPEG: byte %zu: a segment of %zu bytes, %zu are left", at, len, n - at - 2);
        const uint8_t *body = p + at + 4;
        if (m >= 0xC0 && m <= 0xCF && m != 0xC4 && m != 0xC8 && m != 0xCC) { /* a frame head */
            if (len < 8)
                return err_set(err, ERR_INPUT, "JPEG: byte %zu: a frame head of %zu bytes", at, len);
            head->h = (int)image_be16(body + 1), head->w = (int)image_be16(body + 3);
            return true;
        }
        if (m == 0xDA || m == 0xD9 || m == 0xD8)
            return err_set(err, ERR_INPUT, "JPEG: byte %zu: no frame head before marker %02X", at, m);
        if (m == 0xE1 && len >= 16 && memcmp(body, "Exif\0", 6) == 0)
            head->orientation = image_exif_orientation(body + 6, len - 8);
        at += 2 + len;
    }
    return err_set(err, ERR_INPUT, "JPEG: ends after %zu bytes, before its frame head", n);
}

bool image_head_png(const uint8_t *p, size_t n, struct image_head *head, struct err *err)
{
    if (n < 33 || image_be32(p + 8) != 13 || memcmp(p + 12, "IHDR", 4) != 0)
        return err_set(err, ERR_INPUT, "PNG: byte 8: no IHDR chunk");
    const uint32_t w = image_be32(p + 16), h = image_be32(p + 20);
    if (w > INT32_MAX || h > INT32_MAX)
        return err_set(err, ERR_INPUT, "PNG: byte 16: %u x %u pixels", w, h);
    head->w = (int)w, head->h = (int)h;
    head->has_alpha = p[25] == 4 || p[25] == 6;
    for (size_t at = 33; at + 12 <= n;) { /* length, name, body, CRC */
        const size_t len = image_be32(p + at);
        if (len > n - at - 12)
            break; /* the decoder says it better */
        if (memcmp(p + at + 4, "tRNS", 4) == 0)
            head->has_alpha = true;
        else if (memcmp(p + at + 4, "eXIf", 4) == 0)
            head->orientation = image_exif_orientation(p + at + 8, len);
        at += 12 + len;
    }
    return true;
}

bool image_head_webp(const uint8_t *p, size_t n, struct image_head *head, struct err *err)
{
    if (n < 30)
        return err_set(err, ERR_INPUT, "WebP: ends after %zu bytes", n);
    const uint8_t *c = p + 12;
    if (memcmp(c, "VP8X", 4) == 0) {
        head->has_alpha = c[8] & 0x10, head->is_animated = c[8] & 0x02;
        head->w = 1 + (int)(image_le32(c + 11) >> 8), head->h = 1 + (int)(image_le32(c + 14) >> 8);
        for (size_t at = 12; at + 8 <= n;) {
            const size_t len = image_le32(p + at + 4);
            if (len > n - at - 8)
                break;
            if (memcmp(p + at, "EXIF", 4) == 0) /* some writers keep JPEG's prefix */
                head->orientation = len > 6 && memcmp(p + at + 8, "Exif\0", 6) == 0 ? image_exif_orientation(p + at + 14, len - 6)
                                                                                   : image_exif_orientation(p + at + 8, len);
            at += 8 + len + (len & 1);
        }
    } else if (memcmp(c, "VP8 ", 4) == 0) {
        if (memcmp(c + 11, "\x9d\x01\x2a", 3) != 0)
            return err_set(err, ERR_INPUT, "WebP: byte 23: no key frame");
        head->w = (int)(image_le16(c + 14) & 0x3FFF), head->h = (int)(image_le16(c + 16) & 0x3FFF);
    } else if (memcmp(c, "VP8L", 4) == 0) {
        if (c[8] != 0x2F)
            return err_set(err, ERR_INPUT, "WebP: byte 20: no lossless head");
        const uint32_t v = image_le32(c + 9);
        head->w = 1 + (int)(v & 0x3FFF), head->h = 1 + (int)(v >> 14 & 0x3FFF), head->has_alpha = v >> 28 & 1;
    } else {
        return err_set(err, ERR_INPUT, "WebP: byte 12: no VP8, VP8L or VP8X chunk");
    }
    return true;
}
