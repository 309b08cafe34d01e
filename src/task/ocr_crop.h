/* task/ocr_crop.h - lines of text cut out of a picture, turned upright, as a recogniser wants them.
 *
 * For:     ocr_onnx.c.
 * Touches: nothing.  Thread: any.
 * Rule:    bilinear with half-pixel centres and clamped edges; where a line shrinks by two or more, several samples are
 *          averaged for each pixel.  No pixel outside the picture is read, whatever the rectangle.
 */
#ifndef TUTTI_TASK_OCR_CROP_H
#define TUTTI_TASK_OCR_CROP_H
#include <stdbool.h>

#include "media/image.h"
#include "task/ocr_db.h"

/* The same rectangle read from its other end, or turned by a quarter clockwise. */
struct ocr_rect ocr_rect_flip(struct ocr_rect r);
struct ocr_rect ocr_rect_turn(struct ocr_rect r);
/* Upright box around the part from fraction from to fraction to (0..1) of the way of reading. */
void ocr_rect_box(const struct ocr_rect *r, float from, float to, float *x, float *y, float *w, float *h);

/* Width of a line at that height, 1..max. */
int ocr_crop_width(const struct ocr_rect *r, int height, int max);
/* out: planes B, G, R of [height][out_w], (v / 255 - 0.5) / 0.5; the line fills width columns, the rest is 0.
 * im has 3 channels. */
void ocr_crop(const struct image *im, const struct ocr_rect *r, int height, int width, int out_w, float *out);
/* Which of the line's columns have ink in the middle of their height: is_ink[width]. */
void ocr_crop_ink(const float *crop, int height, int width, int out_w, bool *is_ink);
#endif
