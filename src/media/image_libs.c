/* media/image_libs.c - JPEG, PNG and WebP through libturbojpeg, libspng and libwebp, with our own declarations.
 *
 * For:     image.c, image.h.  Touches: the three libraries, loaded when first needed.
 * Rule:    sizes were capped by image.c; what the library then finds must be of the size that we made room for.
 *          Declarations: turbojpeg.h 2.1 (TurboJPEG 2 API, also in 3.x), spng.h 0.7, webp/decode.h 1.2.
 */
#include <string.h>

#include "base/dl.h"
#include "media/image_internal.h"

/* ---- JPEG ---- */
enum { TJPF_RGB = 0, TJPF_GRAY = 6, TJPF_CMYK = 11, TJCS_CMYK = 3, TJCS_YCCK = 4, TJSAMP_420 = 2, TJSAMP_GRAY = 3, TJERR_WARNING = 0,
       TJFLAG_LIMITSCANS = 32768 };
static void *(*tjInitDecompress)(void);
static void *(*tjInitCompress)(void);
static int (*tjDestroy)(void *);
static int (*tjDecompressHeader3)(void *, const unsigned char *, unsigned long, int *, int *, int *, int *);
static int (*tjDecompress2)(void *, const unsigned char *, unsigned long, unsigned char *, int, int, int, int, int);
static int (*tjCompress2)(void *, const unsigned char *, int, int, int, int, unsigned char **, unsigned long *, int, int, int);
static void (*tjFree)(unsigned char *);
static char *(*tjGetErrorStr2)(void *);
static int (*tjGetErrorCode)(void *);
static const struct dl_symbol jpeg_symbols[] = {
    { "tjInitDecompress", &tjInitDecompress }, { "tjInitCompress", &tjInitCompress },
    { "tjDestroy", &tjDestroy },               { "tjDecompressHeader3", &tjDecompressHeader3 },
    { "tjDecompress2", &tjDecompress2 },       { "tjCompress2", &tjCompress2 },
    { "tjFree", &tjFree },                     { "tjGetErrorStr2", &tjGetErrorStr2 },
    { "tjGetErrorCode", &tjGetErrorCode },     { NULL, NULL },
};
static struct dl jpeg_lib = DL_INIT("libturbojpeg.so.0", "JPEG", "apt-get install libturbojpeg0", jpeg_symbols);

/* The library paints what it can of a broken picture and calls that a warning.  Half a picture is an error here; these two are harmless. */
static bool is_harmless(void *tj)
{
    const char *text = tjGetErrorStr2(tj);
    return tjGetErrorCode(tj) == TJERR_WARNING && (strstr(text, "extraneous bytes") || strstr(text, "Invalid SOS parameters"));
}

/* Adobe's CMYK is stored as light, not ink: 255 is none. */
static void cmyk_to_rgb(struct image *im)
{
    const size_t n = (size_t)im->w * (size_t)im->h;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *s = im->px + 4 * i;
        const uint32_t k = s[3];
        const uint8_t r = (uint8_t)(s[0] * k / 255), g = (uint8_t)(s[1] * k / 255), b = (uint8_t)(s[2] * k / 255);
        uint8_t *d = im->px + 3 * i;
        d[0] = r, d[1] = g, d[2] = b;
    }
    im->n_channels = 3, im->stride = (size_t)im->w * 3;
}

bool image_decode_jpeg(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err)
{
    if (!dl_load(&jpeg_lib, err))
        return false;
    void *tj = tjInitDecompress();
    if (!tj)
        return err_set(err, ERR_NOMEM, "JPEG: no memory for a decoder");
    int w, h, sampling, space;
    bool good = false;
    if (tjDecompressHeader3(tj, p, n, &w, &h, &sampling, &space) != 0 && !is_harmless(tj)) {
        err_set(err, ERR_INPUT, "JPEG: %s", tjGetErrorStr2(tj));
    } else if (w != head->w || h != head->h) {
        err_set(err, ERR_INPUT, "JPEG: two frame heads, %d x %d and %d x %d", head->w, head->h, w, h);
    } else {
        const bool is_cmyk = space == TJCS_CMYK || space == TJCS_YCCK;
        const int format = is_cmyk ? TJPF_CMYK : n_channels == 1 ? TJPF_GRAY : TJPF_RGB;
        good = image_reserve(out, w, h, is_cmyk ? 4 : n_channels, err);
        if (good && tjDecompress2(tj, p, n, out->px, w, (int)out->stride, h, format, TJFLAG_LIMITSCANS) != 0 && !is_harmless(tj))
            good = err_set(err, ERR_INPUT, "JPEG: %s", tjGetErrorStr2(tj));
        if (good && is_cmyk) {
            cmyk_to_rgb(out);
            image_pack(out, n_channels);
        }
    }
    tjDestroy(tj);
    return good;
}

bool image_encode_jpeg(const struct image *im, int quality, struct buf *out, struct err *err)
{
    if (im->w < 1 || im->h < 1)
        return err_set(err, ERR_INPUT, "JPEG: an empty picture");
    if (!dl_load(&jpeg_lib, err))
        return false;
    void *tj = tjInitCompress();
    if (!tj)
        return err_set(err, ERR_NOMEM, "JPEG: no memory for an encoder");
    unsigned char *jpeg = NULL;
    unsigned long n = 0;
    const bool is_grey = im->n_channels == 1;
    quality = quality < 1 ? 1 : quality > 100 ? 100 : quality;
    bool good = tjCompress2(tj, im->px, im->w, (int)im->stride, im->h, is_grey ? TJPF_GRAY : TJPF_RGB, &jpeg, &n,
                            is_grey ? TJSAMP_GRAY : TJSAMP_420, quality, 0) == 0;
    if (good) {
        buf_append(out, jpeg, n);
        good = buf_ok(out, "JPEG", err);
    } else {
        err_set(err, ERR_INTERNAL, "JPEG: %s", tjGetErrorStr2(tj));
    }
    tjFree(jpeg);
    tjDestroy(tj);
    return good;
}

/* ---- PNG ---- */
enum { SPNG_FMT_RGBA8 = 1, SPNG_FMT_RGB8 = 4, SPNG_DECODE_TRNS = 1, PNG_CHUNK_MAX = 4 << 20, PNG_CACHE_MAX = 8 << 20 };
static void *(*spng_ctx_new)(int);
static void (*spng_ctx_free)(void *);
static int (*spng_set_png_buffer)(void *, const void *, size_t);
static int (*spng_set_image_limits)(void *, uint32_t, uint32_t);
static int (*spng_set_chunk_limits)(void *, size_t, size_t);
static int (*spng_decoded_image_size)(void *, int, size_t *);
static int (*spng_decode_image)(void *, void *, size_t, int, int);
static const char *(*spng_strerror)(int);
static const struct dl_symbol png_symbols[] = {
    { "spng_ctx_new", &spng_ctx_new },
    { "spng_ctx_free", &spng_ctx_free },
    { "spng_set_png_buffer", &spng_set_png_buffer },
    { "spng_set_image_limits", &spng_set_image_limits },
    { "spng_set_chunk_limits", &spng_set_chunk_limits },
    { "spng_decoded_image_size", &spng_decoded_image_size },
    { "spng_decode_image", &spng_decode_image },
    { "spng_strerror", &spng_strerror },
    { NULL, NULL },
};
static struct dl png_lib = DL_INIT("libspng.so.0", "PNG", "apt-get install libspng0", png_symbols);

bool image_decode_png(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err)
{
    if (!dl_load(&png_lib, err))
        return false;
    void *png = spng_ctx_new(0);
    if (!png)
        return err_set(err, ERR_NOMEM, "PNG: no memory for a decoder");
    const int format = head->has_alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8;
    size_t size = 0;
    int rc = spng_set_image_limits(png, (uint32_t)head->w, (uint32_t)head->h);
    rc = rc ? rc : spng_set_chunk_limits(png, PNG_CHUNK_MAX, PNG_CACHE_MAX);
    rc = rc ? rc : spng_set_png_buffer(png, p, n);
    rc = rc ? rc : spng_decoded_image_size(png, format, &size);
    bool good = rc == 0;
    if (!good)
        err_set(err, ERR_INPUT, "PNG: %s", spng_strerror(rc));
    good = good && image_reserve(out, head->w, head->h, head->has_alpha ? 4 : 3, err);
    if (good && size != out->stride * (size_t)out->h)
        good = err_set(err, ERR_INPUT, "PNG: decodes to %zu bytes, not %d x %d pixels", size, head->w, head->h);
    if (good && (rc = spng_decode_image(png, out->px, size, format, head->has_alpha ? SPNG_DECODE_TRNS : 0)) != 0)
        good = err_set(err, ERR_INPUT, "PNG: %s", spng_strerror(rc));
    if (good)
        image_pack(out, n_channels);
    spng_ctx_free(png);
    return good;
}

/* ---- WebP ---- */
static int (*WebPGetInfo)(const uint8_t *, size_t, int *, int *);
static uint8_t *(*WebPDecodeRGBInto)(const uint8_t *, size_t, uint8_t *, size_t, int);
static uint8_t *(*WebPDecodeRGBAInto)(const uint8_t *, size_t, uint8_t *, size_t, int);
static const struct dl_symbol webp_symbols[] = {
    { "WebPGetInfo", &WebPGetInfo },
    { "WebPDecodeRGBInto", &WebPDecodeRGBInto },
    { "WebPDecodeRGBAInto", &WebPDecodeRGBAInto },
    { NULL, NULL },
};
static struct dl webp_lib = DL_INIT("libwebp.so.7", "WebP", "apt-get install libwebp7", webp_symbols);

bool image_decode_webp(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err)
{
    if (!dl_load(&webp_lib, err))
        return false;
    int w, h;
    if (!WebPGetInfo(p, n, &w, &h))
        return err_set(err, ERR_INPUT, "WebP: broken head");
    if (w != head->w || h != head->h)
        return err_set(err, ERR_INPUT, "WebP: %d x %d pixels in the file's head, %d x %d in the picture's", head->w, head->h, w, h);
    if (!image_reserve(out, w, h, head->has_alpha ? 4 : 3, err))
        return false;
    if (!(head->has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto)(p, n, out->px, out->stride * (size_t)h, (int)out->stride))
        return err_set(err, ERR_INPUT, "WebP: broken or cut off picture data");
    image_pack(out, n_channels);
    return true;
}
