/* task/blobs.h - connected parts of a mask (8 neighbours), found by runs: each part's box, size and its rows of pixels.
 *
 * For:     ocr_db.c (text regions of a probability map), ocr_prep.c (how tall are the letters).
 * Touches: memory that it keeps from call to call.  Thread: its owner's.
 * Rule:    linear in the number of pixels whatever the mask; at most one run for two pixels.
 */
#ifndef TUTTI_TASK_BLOBS_H
#define TUTTI_TASK_BLOBS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct blob_run { /* pixels x0..x1 of row y, both included */
    int y, x0, x1;
    int parent; /* blobs_find()'s own */
};
struct blob {
    int x0, y0, x1, y1; /* box, both corners included */
    int n_px;
    int first_run, n_runs; /* of blobs.runs: its runs lie together, by y, then x */
};
struct blobs { /* zeroed: empty; blobs_fini() frees */
    struct blob *blobs; /* [n_blobs] */
    int n_blobs;
    struct blob_run *runs; /* [n_runs] */
    int n_runs;
    struct blob_run *found; /* scratch, as found: by y, then x */
    int n_found;
    size_t cap_blobs, cap_runs, cap_found;
};

/* mask: [h][w], non-zero is inside; w, h >= 1 and w * h <= 2^28.  Blobs come in the order of their first pixel. */
bool blobs_find(struct blobs *b, const uint8_t *mask, int w, int h, struct err *err);
void blobs_fini(struct blobs *b);
#endif
