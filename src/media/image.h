/* media/image.h - pictures in memory: 8 bits a channel, decoded from JPEG, PNG, WebP, BMP, PPM and encoded to PNG, JPEG.
 *
 * For:     task/ (what looks at pictures), media/video.h, cmd/ (annotated pictures).
 * Touches: libturbojpeg, libspng, libwebp, each loaded when first needed (base/dl.h); BMP, PPM and the PNG encoder are our own.
 * Thread:  any; an image is its owner's.
 * Rule:    what a picture is, its content says, never a name.  Its size is read and capped before a pixel is decoded.
 *          The EXIF orientation is applied: row 0 is what a person would call the top.  Transparency is laid on white.
 *          16-bit channels lose their lower half.  Malformed input is ERR_INPUT, too large is ERR_LIMIT.
 */
#ifndef TUTTI_MEDIA_IMAGE_H
#define TUTTI_MEDIA_IMAGE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Begin with { 0 }; image_decode() and others use the memory again when it is large enough. */
struct image {
    uint8_t *px;      /* row y begins at px + y * stride; channels interleaved */
    int w, h;         /* pixels; 0 when empty */
    int n_channels;   /* 3: R, G, B.  1: grey */
    size_t stride;    /* bytes from row to row, >= w * n_channels */
    size_t cap_bytes; /* owned memory at px; 0: px is borrowed (a view, see image_view) */
};

/* Makes room for w x h pixels; contents undefined; rows without gaps.  Sides 1..IMAGE_SIDE_MAX. */
enum { IMAGE_SIDE_MAX = 65500 };
bool image_resize_memory(struct image *im, int w, int h, int n_channels, struct err *err);
void image_fini(struct image *im); /* a zeroed one is fine */
/* The part of `of` that lies inside x, y, w, h (clipped to it) without a copy; borrowed from `of`, do not fini.
 * Empty (w = h = 0) when nothing is left. */
struct image image_view(const struct image *of, int x, int y, int w, int h);

enum image_kind { IMAGE_UNKNOWN, IMAGE_JPEG, IMAGE_PNG, IMAGE_WEBP, IMAGE_BMP, IMAGE_PNM, IMAGE_KIND_COUNT };
/* By the first bytes. */
enum image_kind image_sniff(const void *bytes, size_t n_bytes);

struct image_info {
    enum image_kind kind;
    int w, h;        /* as the picture will come out: orientation applied */
    int orientation; /* EXIF 1..8; 1 = as stored */
};
/* Reads the head only; needs no library. */
bool image_peek(const void *bytes, size_t n_bytes, struct image_info *info, struct err *err);

/* What a caller lets a stranger's picture cost.  NULL where one is asked: image_default_limits. */
struct image_limits {
    size_t max_bytes; /* encoded */
    uint64_t max_px;  /* w * h; RGB takes three bytes for each, a progressive JPEG up to nine while it is decoded */
};
extern const struct image_limits image_default_limits; /* 64 MiB, 64 million pixels */

/* n_channels 3: RGB (a grey picture is spread).  1: grey (of JPEG: the Y plane, the cheapest). */
bool image_decode(const void *bytes, size_t n_bytes, int n_channels, const struct image_limits *limits, struct image *out,
                  struct err *err);

/* Append to out; out's max_bytes bounds the result. */
bool image_encode_png(const struct image *im, struct buf *out, struct err *err); /* own encoder, no library */
bool image_encode_jpeg(const struct image *im, int quality /* 1..100 */, struct buf *out, struct err *err);
#endif
