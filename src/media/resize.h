/* media/resize.h - pictures to the size, order and numbers that a model wants, in one pass; and geometry of pictures.
 *
 * For:     task/ (inputs of ONNX and TFLite models), media/ itself.
 * Touches: nothing but one scratch block.  Thread: any; a `struct resizer` is its owner's.
 * Rule:    "bilinear": half-pixel centres, src = (dst + 0.5) * (src_size / dst_size) - 0.5, edges clamped, no antialiasing.
 *          "area": the mean over the source rectangle of each destination pixel with fractional edge weights; for shrinking,
 *          an axis that grows is bilinear.  (shared/models/IO.md; tests/media/test_resize.c judges both in double.)
 *          Sums are floats: within 1e-3 grey levels of the exact value.
 */
#ifndef TUTTI_MEDIA_RESIZE_H
#define TUTTI_MEDIA_RESIZE_H
#include <stdbool.h>
#include <stddef.h>

#include "media/image.h"

enum fit {
    FIT_STRETCH,   /* to w x h, whatever the aspect */
    FIT_LETTERBOX, /* r = min(w / src_w, h / src_h); the picture becomes int(src_w * r) x int(src_h * r), the rest is `fill` */
    FIT_COVER,     /* the short side becomes `short_px`, the long one what comes nearest to the aspect, then the centre w x h
                    * is cut out (short_px >= max(w, h)) */
    FIT_HEIGHT,    /* to height h; width ceil(h * src_w / src_h), at most w; the rest to the right is `fill` (text lines) */
    FIT_COUNT
};
enum filter { FILTER_BILINEAR, FILTER_AREA, FILTER_COUNT }; /* FILTER_AREA is bilinear where a picture grows */
enum pixel_order { ORDER_RGB, ORDER_BGR, ORDER_GREY, ORDER_COUNT };
enum pixel_layout { LAYOUT_NCHW, LAYOUT_NHWC, LAYOUT_COUNT };
enum pixel_type { PIXEL_F32, PIXEL_U8, PIXEL_I8, PIXEL_TYPE_COUNT }; /* integers are rounded and saturated */

/* What a model wants.  out = (v * scale - mean[c]) / std[c], v = 0..255, c = channel in output order. */
struct pixel_spec {
    int w, h;
    enum fit fit;
    bool is_centred; /* FIT_LETTERBOX: the picture in the middle, not top left */
    int short_px;    /* FIT_COVER */
    enum filter filter;
    enum pixel_order order;
    enum pixel_layout layout;
    enum pixel_type type;
    float scale;             /* 0 counts as 1 */
    float mean[3], std[3];   /* std 0 counts as 1 */
    float fill;              /* what lies beside the picture: a v (0..255) that is normalised too, or ... */
    bool is_fill_raw;        /* ... written as it is */
};

/* Where the picture lies in the output: x_src = (x_out - off_x) / scale_x; the same for y. */
struct pixel_map {
    float scale_x, scale_y, off_x, off_y;
    int w, h; /* pixels of the output that hold picture (FIT_HEIGHT, FIT_LETTERBOX: the rest is fill) */
};

/* Keeps its scratch memory between calls: no allocation in steady state.  Begin with { 0 }. */
struct resizer {
    void *block; /* owned */
    size_t cap_bytes;
};
void resizer_fini(struct resizer *r);

size_t pixel_spec_bytes(const struct pixel_spec *s); /* of one output picture: w * h * channels * type; 0 when s makes no sense */
/* Writes the output picture at out (pixel_spec_bytes() of them, for example a bound model input).
 * `from` may be a view; pixels outside it are never read.  *map may be NULL. */
bool image_to_pixels(struct resizer *r, const struct image *from, const struct pixel_spec *s, void *out, struct pixel_map *map,
                     struct err *err);

/* Stretch to w x h, same channels. */
bool image_resize(struct resizer *r, const struct image *from, int w, int h, enum filter filter, struct image *out, struct err *err);
/* quarter_turns: clockwise quarter turns, 0..3. */
bool image_rotate(const struct image *from, int quarter_turns, struct image *out, struct err *err);
/* Applies an EXIF orientation 1..8. */
bool image_orient(const struct image *from, int orientation, struct image *out, struct err *err);
/* Cuts out the quadrangle whose corners are given in source pixels (x, y; a pixel's centre is at +0.5), clockwise from what becomes
 * the top left, as an upright w x h picture: perspective, bilinear, edges clamped.  ERR_INPUT when the corners make no quadrangle. */
bool image_crop_quad(const struct image *from, const float quad[4][2], int w, int h, struct image *out, struct err *err);
/* RGB to grey by Rec. 601: 0.299 R + 0.587 G + 0.114 B.  A grey one is copied. */
bool image_to_grey(const struct image *from, struct image *out, struct err *err);
#endif
