/* media/image_internal.h - what the decoders of pictures share; seen in media/ only. */
#ifndef TUTTI_MEDIA_IMAGE_INTERNAL_H
#define TUTTI_MEDIA_IMAGE_INTERNAL_H
#include "media/image.h"

static inline uint32_t image_be16(const uint8_t *p) { return (uint32_t)(p[0] << 8 | p[1]); }
static inline uint32_t image_be32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }
static inline uint32_t image_le16(const uint8_t *p) { return (uint32_t)(p[0] | p[1] << 8); }
static inline uint32_t image_le32(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

/* What a head says before anything is decoded; w and h as stored. */
struct image_head {
    int w, h;
    int orientation; /* 1..8 */
    bool has_alpha, is_animated;
};
bool image_head_jpeg(const uint8_t *p, size_t n, struct image_head *head, struct err *err);
bool image_head_png(const uint8_t *p, size_t n, struct image_head *head, struct err *err);
bool image_head_webp(const uint8_t *p, size_t n, struct image_head *head, struct err *err);
bool image_head_bmp(const uint8_t *p, size_t n, struct image_head *head, struct err *err);
bool image_head_pnm(const uint8_t *p, size_t n, struct image_head *head, struct err *err);
/* The orientation in a TIFF block (what EXIF is), 1 when there is none or the block is broken. */
int image_exif_orientation(const uint8_t *tiff, size_t n);

/* Decode into out as 1 or 3 channels; out's memory comes from image_reserve(). */
bool image_decode_jpeg(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err);
bool image_decode_png(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err);
bool image_decode_webp(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err);
bool image_decode_bmp(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err);
bool image_decode_pnm(const uint8_t *p, size_t n, const struct image_head *head, int n_channels, struct image *out, struct err *err);

/* Memory for rows of w * bytes_per_px bytes without gaps; sets w, h, stride and n_channels to bytes_per_px (4: for a decoder's RGBA). */
bool image_reserve(struct image *im, int w, int h, int bytes_per_px, struct err *err);
/* In place: n_channels 4 (RGBA, laid on white), 3 or 1 becomes `to` (3 or 1) channels; rows close up.  3 from 1 needs memory for 3. */
void image_pack(struct image *im, int to);
static inline uint8_t image_luma(uint32_t r, uint32_t g, uint32_t b) /* Rec. 601 in 16 bits, rounded */
{
    return (uint8_t)((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
}
#endif
