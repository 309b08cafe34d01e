/* task/ocr_ctc.h - from the columns of a CTC recogniser to characters, and the spaces that it swallowed.
 *
 * For:     ocr_ppocr.c.
 * Touches: nothing.  Thread: any.
 * Rule:    greedy (Graves et al. 2006): best class of each step, runs of one class count once, blanks are dropped.  NaN never
 *          wins; if nothing does, the step is blank.
 */
#ifndef TUTTI_TASK_OCR_CTC_H
#define TUTTI_TASK_OCR_CTC_H
#include <stdbool.h>
#include <stdint.h>

struct ctc_char {
    int index;  /* class */
    int first, last; /* steps of its run */
    float p;    /* its highest probability in the run; 0: a space that was put in */
    bool wants_space; /* ctc_put_spaces()'s own: one goes before it */
};

/* probs: [n_steps][n_classes].  out: [n_steps].  *score: mean p of
 * what was kept, 0 when nothing was.  Returns how many. */
int ctc_greedy(const float *probs, int n_steps, int n_classes, int blank, struct ctc_char *out, float *score);

/* How much ink stands in each step's columns of the picture: is_ink[x] of n_columns, n_steps of them.  A space goes
 * where two characters have a gap between them that is wide for this line: at least a fifth of its height (height_px
 * columns) and twice its usual gap between letters.  Returns the new number; chars has room for 2 * n. */
int ctc_put_spaces(struct ctc_char *chars, int n, int space, const bool *is_ink, int n_columns, int n_steps, int height_px);
#endif
