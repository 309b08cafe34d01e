/* task/ocr_db.h - a map of text probabilities becomes rectangles around lines, slanted ones too.
 *
 * For:     ocr_ppocr.c: the second half of a DB text detector (Liao et al. 2020, "Real-time Scene Text Detection with
 *          Differentiable Binarization"): threshold, connected parts, mean score, growth ("unclip").
 * Touches: memory that it keeps from call to call.  Thread: its owner's.
 * Rule:    the map is not trusted: NaN is no text, infinities count as 1; no box leaves the map by more than its growth.
 */
#ifndef TUTTI_TASK_OCR_DB_H
#define TUTTI_TASK_OCR_DB_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "task/blobs.h"

struct ocr_rect { /* in pixels of the map: centre, half lengths, direction of the long way of reading */
    float cx, cy, half_w, half_h; /* along (ux, uy) and across it */
    float ux, uy;                 /* unit vector; (1, 0) when upright */
    float score;                  /* mean probability inside, before growing */
};

struct ocr_db_options {
    float threshold; /* p above it is text: 0.3 */
    float min_score; /* 0.6 */
    float unclip;    /* each side grows by area * unclip / perimeter: 1.5 */
    int min_side_px; /* 3 */
};
extern const struct ocr_db_options ocr_db_defaults;

struct ocr_db { /* zeroed: empty; ocr_db_fini() frees */
    struct blobs blobs;
    uint8_t *mask;
    size_t cap_mask;
    float *hull; /* points x, y */
    size_t cap_hull;
};

/* prob: [h][w].  Writes up to max_rects rectangles, topmost first, and says how many in *n; when there are more, the
 * rest is left out.  A part whose smallest rectangle is clearly smaller than its box is taken as slanted. */
bool ocr_db_find(struct ocr_db *db, const float *prob, int w, int h, const struct ocr_db_options *o,
                 struct ocr_rect *rects, int max_rects, int *n, struct err *err);
void ocr_db_fini(struct ocr_db *db);
#endif
