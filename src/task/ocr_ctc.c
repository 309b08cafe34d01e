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

static bool is_space(int index, const int *spaces, int n_spaces)
{
    for (int i = 0; i < n_spaces; i++)
        if (spaces[i] == index)
            return true;
    return false;
}

int ctc_put_spaces(struct ctc_char *chars, int n, const float *probs, int n_steps, int n_classes, const int *spaces, int n_spaces,
                   const bool *is_ink, int n_columns, int height_px)
{
    static const float seen_p = 0.05f;
    const int seen_gap = (height_px + 4) / 5, wide_gap = height_px * 9 / 16;
    int n_new = 0;
    if (n_steps < 1 || n_columns < 1 || n_spaces < 1)
        return n;
    for (int i = 0; i < n; i++) {
        chars[i].wants_space = false;
        if (i == 0 || is_space(chars[i].index, spaces, n_spaces) || is_space(chars[i - 1].index, spaces, n_spaces))
            continue;
        const int from = (int)((int64_t)chars[i - 1].first * n_columns / n_steps);
        const int to = (int)((int64_t)(chars[i].last + 1) * n_columns / n_steps);
        const int gap = widest_gap(is_ink, from, to < n_columns ? to : n_columns);
        float p = 0;
        for (int t = chars[i - 1].first; t <= chars[i].last; t++)
            for (int k = 0; k < n_spaces; k++) {
                const float q = probs[(size_t)t * (size_t)n_classes + (size_t)spaces[k]];
                p = q > p ? q : p;
            }
        chars[i].wants_space = (p >= seen_p && gap >= seen_gap) || gap >= wide_gap;
        n_new += chars[i].wants_space;
    }
    for (int i = n, to = n + n_new; i-- > 0;) { /* from behind, so that nothing is overwritten */
        const struct ctc_char c = chars[i];
        chars[--to] = c;
        if (c.wants_space)
            chars[--to] = (struct ctc_char) { spaces[0], chars[i - 1].last, c.first, 0, false };
    }
    return n + n_new;
}
