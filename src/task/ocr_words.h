/* task/ocr_words.h - the words that were read from a picture, collected into a result.
 *
 * For:     ocr_tesseract.c, ocr_ppocr.c.
 * Touches: memory that it keeps from picture to picture.  Thread: its owner's.
 * Rule:    words come in reading order; text is all of them with one space between.
 */
#ifndef TUTTI_TASK_OCR_WORDS_H
#define TUTTI_TASK_OCR_WORDS_H
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "task/result.h"

enum { OCR_WORDS_MAX = 200000, OCR_TEXT_BYTES_MAX = 16 << 20 };

struct ocr_words {
    struct result_word *words; /* text: set by _result() */
    size_t *begins;            /* of each word's text in `strings` */
    int n_words;
    struct result_box *boxes;  /* of lines; label: set by _result() */
    size_t *box_begins;
    int n_boxes;
    size_t cap_words, cap_boxes;
    struct buf strings, text;
};

void ocr_words_init(struct ocr_words *w);
void ocr_words_fini(struct ocr_words *w);
void ocr_words_clear(struct ocr_words *w); /* before each picture */
/* text is copied; w and h in px; empty words are dropped. */
bool ocr_words_add(struct ocr_words *w, const char *text, size_t n, const struct result_word *where, struct err *err);
/* A line with its text as label. */
bool ocr_words_add_line(struct ocr_words *w, const char *text, size_t n, const struct result_box *where, struct err *err);
/* Fills text, words, boxes of r, which borrows them until the next clear. */
bool ocr_words_result(struct ocr_words *w, struct task_result *r, struct err *err);
#endif
