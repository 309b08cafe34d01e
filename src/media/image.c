/* media/image.c - see image.h: memory, what kind a picture is, limits, the order of things when one is decoded. */
#include "media/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "media/image_internal.h"
#include "media/resize.h"

const struct image_limits image_default_limits = { .max_bytes = (size_t)64 << 20, .max_px = 64000000 };

static const struct image_format {
    const char *name;
    bool (*head)(const uint8_t *p, size_t n, struct image_head *head, struct err *err);
    bool (*decode)(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err);
} formats[IMAGE_KIND_COUNT] = {
    [IMAGE_UNKNOWN] = { "picture", NULL, NULL },
    [IMAGE_JPEG] = { "JPEG", image_head_jpeg, image_decode_jpeg },
    [IMAGE_PNG] = { "PNG", image_head_png, image_decode_png },
    [IMAGE_WEBP] = { "WebP", image_head_webp, image_decode_webp },
    [IMAGE_BMP] = { "BMP", image_head_bmp, image_decode_bmp },
    [IMAGE_PNM] = { "PPM", image_head_pnm, image_decode_pnm },
};

bool image_reserve(struct image *im, int w, int h, int bytes_per_px, struct err *err)
{
    if (w < 1 || h < 1 || w > IMAGE_SIDE_MAX || h > IMAGE_SIDE_MAX)
        return err_set(err, ERR_INPUT, "picture: %d x %d pixels, sides are 1..%d", w, h, IMAGE_SIDE_MAX);
    const size_t stride = (size_t)w * (size_t)bytes_per_px, bytes = stride * (size_t)h; /* at most 65500^2 * 4: fits */
    if (im->cap_bytes < bytes) {
        uint8_t *px = malloc(bytes);
        if (!px)
            return err_set(err, ERR_NOMEM, "picture: no memory for %d x %d pixels (%zu bytes)", w, h, bytes);
        image_fini(im);
        im->px = px, im->cap_bytes = bytes;
    }
    im->w = w, im->h = h, im->n_channels = bytes_per_px, im->stride = stride;
    return true;
}

bool image_resize_memory(struct image *im, int w, int h, int n_channels, struct err *err)
{
    return image_reserve(im, w, h, n_channels == 1 ? 1 : 3, err);
}

void image_fini(struct image *im)
{
    if (im->cap_bytes > 0)
        free(im->px);
    *im = (struct image){ 0 };
}

struct image image_view(const struct image *of, int x, int y, int w, int h)
{
    const int64_t x0 = x > 0 ? x : 0, y0 = y > 0 ? y : 0;
    int64_t x1 = (int64_t)x + w, y1 = (int64_t)y + h;
    x1 = x1 < of->w ? x1 : of->w, y1 = y1 < of->h ? y1 : of->h;
    struct image v = { 0 };
    if (x1 <= x0 || y1 <= y0)
        return v;
    v.px = of->px + (size_t)y0 * of->stride + (size_t)x0 * (size_t)of->n_channels;
    v.w = (int)(x1 - x0), v.h = (int)(y1 - y0), v.n_channels = of->n_channels, v.stride = of->stride;
    return v;
}

enum image_kind image_sniff(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    if (n >= 3 && p[0] == 0xFF && p[1] == 0xD8 && p[2] == 0xFF)
        return IMAGE_JPEG;
    if (n >= 8 && memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0)
        return IMAGE_PNG;
    if (n >= 12 && memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WEBP", 4) == 0)
        return IMAGE_WEBP;
    /* "BM" alone would take many texts: the head's own length must be one that exists */
    if (n >= 18 && p[0] == 'B' && p[1] == 'M' && (image_le32(p + 14) == 12 || (image_le32(p + 14) >= 40 && image_le32(p + 14) <= 124)))
        return IMAGE_BMP;
    if (n >= 3 && p[0] == 'P' && (p[1] == '5' || p[1] == '6') && (p[2] == '\n' || p[2] == ' ' || p[2] == '\t' || p[2] == '\r'))
        return IMAGE_PNM;
    return IMAGE_UNKNOWN;
}

/* The head of any kind; *kind says which. */
static bool read_head(const void *bytes, size_t n, enum image_kind *kind, struct image_head *head, struct err *err)
{
    *kind = image_sniff(bytes, n);
    if (*kind == IMAGE_UNKNOWN)
        return err_set(err, ERR_INPUT, "picture: neither JPEG nor PNG, WebP, BMP, PPM by its first bytes");
    *head = (struct image_head){ .orientation = 1 };
    if (!formats[*kind].head(bytes, n, head, err))
        return false;
    if (head->w < 1 || head->h < 1 || head->w > IMAGE_SIDE_MAX || head->h > IMAGE_SIDE_MAX)
        return err_set(err, ERR_INPUT, "%s: %d x %d pixels, sides are 1..%d", formats[*kind].name, head->w, head->h, IMAGE_SIDE_MAX);
    return true;
}

bool image_peek(const void *bytes, size_t n_bytes, struct image_info *info, struct err *err)
{
    struct image_head head;
    if (!read_head(bytes, n_bytes, &info->kind, &head, err))
        return false;
    const bool is_turned = head.orientation >= 5;
    info->w = is_turned ? head.h : head.w, info->h = is_turned ? head.w : head.h;
    info->orientation = head.orientation;
    return true;
}

bool image_decode(const void *bytes, size_t n_bytes, int n_channels, const struct image_limits *limits, struct image *out, struct err *err)
{
    enum image_kind kind;
    struct image_head head;
    if (!limits)
        limits = &image_default_limits;
    if (n_bytes > limits->max_bytes)
        return err_set(err, ERR_LIMIT, "picture: %zu bytes, the limit is %zu", n_bytes, limits->max_bytes);
    if (!read_head(bytes, n_bytes, &kind, &head, err))
        return false;
    if ((uint64_t)head.w * (uint64_t)head.h > limits->max_px)
        return err_set(err, ERR_LIMIT, "%s: %d x %d pixels, the limit is %llu pixels", formats[kind].name, head.w, head.h,
                       (unsigned long long)limits->max_px);
    if (head.is_animated)
        return err_set(err, ERR_UNSUPPORTED, "%s: an animation: give one picture, or a video", formats[kind].name);
    if (head.orientation == 1)
        return formats[kind].decode(bytes, n_bytes, &head, n_channels, out, err);
    struct image stored = { 0 };
    const bool good = formats[kind].decode(bytes, n_bytes, &head, n_channels, &stored, err) && image_orient(&stored, head.orientation, out, err);
    image_fini(&stored);
    return good;
}

void image_pack(struct image *im, int to)
{
    const size_t n = (size_t)im->w * (size_t)im->h;
    uint8_t *d = im->px;
    const uint8_t *s = im->px;
    if (im->n_channels == 4) { /* (c * a + 255 * (255 - a)) / 255, rounded */
        for (size_t i = 0; i < n; i++, s += 4) {
            uint32_t c[3];
            for (int k = 0; k < 3; k++)
                c[k] = s[3] == 255 ? s[k] : (uint32_t)((s[k] * s[3] + 255 * (255 - s[3]) + 127) / 255);
            if (to == 1) {
                *d++ = image_luma(c[0], c[1], c[2]);
            } else {
                d[0] = (uint8_t)c[0], d[1] = (uint8_t)c[1], d[2] = (uint8_t)c[2];
                d += 3;
            }
        }
    } else if (im->n_channels == 3 && to == 1) {
        for (size_t i = 0; i < n; i++)
            d[i] = image_luma(s[3 * i], s[3 * i + 1], s[3 * i + 2]);
    } else if (im->n_channels == 1 && to == 3) {
        for (size_t i = n; i-- > 0;)
            d[3 * i] = d[3 * i + 1] = d[3 * i + 2] = s[i];
    }
    im->n_channels = to, im->stride = (size_t)im->w * (size_t)to;
}
