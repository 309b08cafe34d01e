/* task/ocr_order.h - pieces of text found on a page, in the order in which a person reads them.
 *
 * For:     ocr_ppocr.c.
 * Touches: nothing.  Thread: any.
 * Rule:    pieces whose heights overlap by half make one row, read from left to right: so a table is read row by row.
 *          Columns of running text (a gap down the page between two blocks of long lines) are read one after the other;
 *          a piece that spans both, a heading, divides what is above it from what is below.
 */
#ifndef TUTTI_TASK_OCR_ORDER_H
#define TUTTI_TASK_OCR_ORDER_H

struct ocr_item {
    float x, y, w, h; /* upright box, px */
    int row;          /* filled in: row of the page, from 0, in reading order */
};

/* order[k]: the item that is read as the kth; scratch: [n] ints. */
void ocr_order(struct ocr_item *items, int n, int *order, int *scratch);
#endif
