/* task/ocr_prep.h - what a grey picture needs before a reader of letters sees it: even light and letters large enough.
 *
 * For:     ocr_tesseract.c.
 * Touches: memory that it keeps from call to call.  Thread: its owner's.
 * Rule:    boxes found in the prepared picture are boxes of the original times `scale`.
 */
#ifndef TUTTI_TASK_OCR_PREP_H
#define TUTTI_TASK_OCR_PREP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "task/blobs.h"

struct ocr_prep { /* zeroed: empty; ocr_prep_fini() frees */
    uint8_t *even;   /* [h][w] with the shadows taken out; see is_uneven */
    bool is_uneven;  /* light paper whose brightness varies by more than a fifth */
    bool is_blank;   /* no two pixels differ by more than paper does */
    int text_px;     /* median height of the letters; 0: too few to say */
    uint8_t *scaled; /* ocr_prep_scale()'s */
    uint8_t *mask;
    float *rows;
    size_t cap_even, cap_scaled, cap_mask, cap_rows;
    struct blobs blobs;
};

enum { OCR_PREP_PX_MAX = 1 << 27 };

/* Looks at grey [h][w] and fills even, is_uneven and text_px. */
bool ocr_prep_look(struct ocr_prep *p, const uint8_t *gray, int w, int h, struct err *err);
/* How many times larger letters of text_px should be: 1, 2 or 3.  Tesseract's network sees lines of 36 rows; letters
 * below 12 px lose strokes (on bill.png x2 finds the row that x1 loses; letters of 14 px get worse by it). */
int ocr_prep_factor(int text_px, int w, int h);
/* Catmull-Rom, factor 2..4: the result is [h * factor][w * factor], borrowed until the next call.  NULL with err. */
const uint8_t *ocr_prep_scale(struct ocr_prep *p, const uint8_t *gray, int w, int h, int factor, struct err *err);
void ocr_prep_fini(struct ocr_prep *p);
#endif
