/* task/ocr_ctc.c - see ocr_ctc.h. */
#include "task/ocr_ctc.h"

#include <stddef.h>

int ctc_greedy(const float *probs, int n_steps, int n_classes, int blank, struct ctc_char *out, float *score)
{
    int n = 0, before = blank;
    for (int t = 0; t < n_steps; t++) {
        const float *row = probs + (size_t)t * (size_t)n_classes;
        int best = blank;
        float p = 0;
        for (int c = 0; c < n_classes; c++)
            if (row[c] > p)
                p = row[c], best = c;
        if (best != blank && best == before) {
            out[n - 1].last = t;
            if (p > out[n - 1].p)
                out[n - 1].p = p;
        } else if (best != blank) {
            out[n++] = (struct ctc_char) { best, t, t, p, false };
        }
        before = best;
    }
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += out[i].p;
    *score = n ? (float)(sum / n) : 0;
    return n;
}

/* The widest stretch without ink between columns from and to. */
static int widest_gap(const bool *is_ink, int from, int to)
{
    int best = 0, run = 0;
    for (int x = from; x < to; x++) {
        run = is_ink[x] ? 0 : run + 1;
        best = run > best ? run : best;
    }
    return best;
}

int ctc_put_spaces(struct ctc_char *chars, int n, int space, const bool *is_ink, int n_columns, int n_steps, int height_px)
{
    enum { GAPS_MAX = 64 };
    int count[GAPS_MAX] = { 0 }, n_gaps = 0, n_spaces = 0; /* gaps of letters that stand together */
    if (n < 3 || n_steps < 1 || n_columns < 1)
        return n;
    for (int pass = 0; pass < 2; pass++) {
        int usual = 0;
        for (int seen = 0; pass && usual < GAPS_MAX - 1 && (seen += count[usual]) * 2 < n_gaps; usual++)
            ;
        int least = (height_px + 4) / 5;
        least = least > 2 * usual + 1 ? least : 2 * usual + 1;
        for (int i = 0; i < n; i++) {
            chars[i].wants_space = false;
            if (i == 0 || chars[i].index == space || chars[i - 1].index == space)
                continue;
            const int from = (int)((int64_t)chars[i - 1].first * n_columns / n_steps);
            const int to = (int)((int64_t)(chars[i].last + 1) * n_columns / n_steps);
            const int gap = widest_gap(is_ink, from, to < n_columns ? to : n_columns);
            if (pass == 0) {
                count[gap < GAPS_MAX ? gap : GAPS_MAX - 1]++;
                n_gaps++;
            } else if (gap >= least) {
                chars[i].wants_space = true;
                n_spaces++;
            }
        }
    }
    for (int i = n, to = n + n_spaces; i-- > 0;) { /* from behind, so that nothing is overwritten */
        const struct ctc_char c = chars[i];
        chars[--to] = c;
        if (c.wants_space)
            chars[--to] = (struct ctc_char) { space, chars[i - 1].last, c.first, 0, false };
    }
    return n + n_spaces;
}
