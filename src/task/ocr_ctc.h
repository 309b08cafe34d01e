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

/* Puts spaces between characters where the network all but saw one and there is a gap: some step between the two gives a
 * space at least 0.05, and the picture has a fifth of its height (height_px) in columns without ink there (is_ink[x] of
 * n_columns, n_steps of them); or the gap is wider than half the height.  On the shared pictures pairs within words stay
 * below 0.02, lost spaces are above 0.08; gaps alone do not tell them apart (IR of FIRST in capitals: half the height).
 * spaces: the classes that are spaces, the first is put in.  probs as above.  Returns the new number; room for 2 * n. */
int ctc_put_spaces(struct ctc_char *chars, int n, const float *probs, int n_steps, int n_classes, const int *spaces, int n_spaces,
                   const bool *is_ink, int n_columns, int height_px);
#endif
