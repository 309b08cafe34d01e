/* task/ocr_order.c - rows, and columns of running text; start at ocr_order(). */
#include "task/ocr_order.h"

#include <stdbool.h>
#include <stddef.h>

/* A block is a column when its lines are this many times longer than high and there are this many of them: cells of
 * tables are shorter. */
static const float column_aspect = 8;
enum { COLUMN_LINES_MIN = 3 };
static const float span_frac = 0.6f; /* of the page's width: a heading over columns */

typedef float key_fn(const struct ocr_item *it);
static float by_middle(const struct ocr_item *it) { return it->y + it->h / 2; }
static float by_left(const struct ocr_item *it) { return it->x; }

/* Bottom-up merge sort of idx[0..n): stable, no worst case. */
static void sort_by(key_fn *key, const struct ocr_item *items, int *idx, int n, int *scratch)
{
    for (int len = 1; len < n; len *= 2)
        for (int at = 0; at + len < n; at += 2 * len) {
            const int mid = at + len, end = mid + len < n ? mid + len : n;
            int a = at, b = mid, o = 0;
            while (a < mid || b < end)
                scratch[o++] = b == end || (a < mid && key(&items[idx[a]]) <= key(&items[idx[b]])) ? idx[a++] : idx[b++];
            for (int i = 0; i < o; i++)
                idx[at + i] = scratch[i];
        }
}

static float overlap(float a0, float a1, float b0, float b1)
{
    return (a1 < b1 ? a1 : b1) - (a0 > b0 ? a0 : b0);
}

/* idx[0..n) becomes rows from top to bottom, each from left to right. */
static void order_rows(struct ocr_item *items, int *idx, int n, int *scratch, int *row)
{
    sort_by(by_middle, items, idx, n, scratch);
    for (int at = 0; at < n;) {
        const struct ocr_item *first = &items[idx[at]];
        float top = first->y, bottom = first->y + first->h; /* of the row: a running mean */
        int end = at + 1;
        for (; end < n; end++) {
            const struct ocr_item *it = &items[idx[end]];
            const float least = it->h < bottom - top ? it->h : bottom - top;
            if (overlap(top, bottom, it->y, it->y + it->h) < 0.5f * least)
                break;
            const float k = (float)(end - at);
            top = (top * k + it->y) / (k + 1);
            bottom = (bottom * k + it->y + it->h) / (k + 1);
        }
        sort_by(by_left, items, idx + at, end - at, scratch);
        for (int i = at; i < end; i++)
            items[idx[i]].row = *row;
        ++*row;
        at = end;
    }
}

static bool is_column(const struct ocr_item *items, const int *idx, int n)
{
    int n_long = 0;
    for (int i = 0; i < n; i++)
        n_long += items[idx[i]].w >= column_aspect * items[idx[i]].h;
    return n >= COLUMN_LINES_MIN && n_long * 2 >= n;
}

/* Sorts idx by x and finds the first gap behind which a second column begins; 0: none. */
static int find_gutter(const struct ocr_item *items, int *idx, int n, int *scratch)
{
    sort_by(by_left, items, idx, n, scratch);
    float right = 0, top = 0, bottom = 0, height = 0;
    for (int i = 0; i < n; i++) {
        const struct ocr_item *it = &items[idx[i]];
        if (i >= COLUMN_LINES_MIN && it->x - right >= height / (float)i && is_column(items, idx, i) &&
            is_column(items, idx + i, n - i)) {
            float t = it->y, b = it->y + it->h; /* do the two stand side by side? */
            for (int k = i + 1; k < n; k++) {
                const struct ocr_item *o = &items[idx[k]];
                t = o->y < t ? o->y : t;
                b = o->y + o->h > b ? o->y + o->h : b;
            }
            const float least = b - t < bottom - top ? b - t : bottom - top;
            if (overlap(top, bottom, t, b) >= 0.5f * least)
                return i;
        }
        right = i == 0 || it->x + it->w > right ? it->x + it->w : right;
        top = i == 0 || it->y < top ? it->y : top;
        bottom = i == 0 || it->y + it->h > bottom ? it->y + it->h : bottom;
        height += it->h;
    }
    return 0;
}

static void order_columns(struct ocr_item *items, int *idx, int n, int *scratch, int *row)
{
    while (n > 0) {
        const int left = find_gutter(items, idx, n, scratch);
        const int here = left ? left : n;
        order_rows(items, idx, here, scratch, row);
        idx += here;
        n -= here;
    }
}

void ocr_order(struct ocr_item *items, int n, int *order, int *scratch)
{
    int row = 0;
    float x0 = 0, x1 = 0;
    for (int i = 0; i < n; i++) {
        order[i] = i;
        x0 = i == 0 || items[i].x < x0 ? items[i].x : x0;
        x1 = i == 0 || items[i].x + items[i].w > x1 ? items[i].x + items[i].w : x1;
    }
    sort_by(by_middle, items, order, n, scratch);
    /* Bands between spanning pieces; a page without columns is one band of rows. */
    bool has_columns = false;
    for (int pass = 0; pass < 2; pass++) {
        for (int at = 0, end; at < n; at = end) {
            const bool spans = items[order[at]].w >= span_frac * (x1 - x0);
            for (end = at + 1; end < n && spans == (items[order[end]].w >= span_frac * (x1 - x0)); end++)
                ;
            if (pass == 0) {
                if (!spans && find_gutter(items, order + at, end - at, scratch))
                    has_columns = true;
                sort_by(by_middle, items, order + at, end - at, scratch);
            } else if (spans) {
                order_rows(items, order + at, end - at, scratch, &row);
            } else {
                order_columns(items, order + at, end - at, scratch, &row);
            }
        }
        if (pass == 0 && !has_columns) {
            order_rows(items, order, n, scratch, &row);
            return;
        }
    }
}
