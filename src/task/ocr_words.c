/* task/ocr_words.c - see ocr_words.h. */
#include "task/ocr_words.h"

#include <stdlib.h>
#include <string.h>

void ocr_words_init(struct ocr_words *w)
{
    memset(w, 0, sizeof(*w));
    buf_init(&w->strings, OCR_TEXT_BYTES_MAX);
    buf_init(&w->text, OCR_TEXT_BYTES_MAX);
}

void ocr_words_fini(struct ocr_words *w)
{
    free(w->words);
    free(w->begins);
    free(w->boxes);
    free(w->box_begins);
    buf_fini(&w->strings);
    buf_fini(&w->text);
    memset(w, 0, sizeof(*w));
}

void ocr_words_clear(struct ocr_words *w)
{
    w->n_words = w->n_boxes = 0;
    buf_clear(&w->strings);
    buf_clear(&w->text);
}

/* Room for one more in two arrays that grow together. */
static bool grow(void *items, size_t item_bytes, size_t **begins, size_t *cap, size_t n, struct err *err)
{
    if (n < *cap)
        return true;
    if (n >= OCR_WORDS_MAX)
        return err_set(err, ERR_LIMIT, "text in a picture: more than %d words", OCR_WORDS_MAX);
    const size_t more = *cap ? *cap * 2 : 256;
    void **p = items, *a = realloc(*p, more * item_bytes);
    if (a)
        *p = a;
    size_t *b = a ? realloc(*begins, more * sizeof(size_t)) : NULL;
    if (!b)
        return err_set(err, ERR_NOMEM, "text in a picture: cannot get memory for %zu words", more);
    *begins = b;
    *cap = more;
    return true;
}

static bool put_string(struct ocr_words *w, const char *text, size_t n, size_t *begin, struct err *err)
{
    *begin = w->strings.len;
    buf_append(&w->strings, text, n);
    buf_append(&w->strings, "", 1);
    return buf_ok(&w->strings, "text in a picture", err);
}

bool ocr_words_add(struct ocr_words *w, const char *text, size_t n, const struct result_word *where, struct err *err)
{
    if (n == 0)
        return true;
    if (!grow(&w->words, sizeof(*w->words), &w->begins, &w->cap_words, (size_t)w->n_words, err) ||
        !put_string(w, text, n, &w->begins[w->n_words], err))
        return false;
    w->words[w->n_words++] = *where;
    return true;
}

bool ocr_words_add_line(struct ocr_words *w, const char *text, size_t n, const struct result_box *where, struct err *err)
{
    if (n == 0)
        return true;
    if (!grow(&w->boxes, sizeof(*w->boxes), &w->box_begins, &w->cap_boxes, (size_t)w->n_boxes, err) ||
        !put_string(w, text, n, &w->box_begins[w->n_boxes], err))
        return false;
    w->boxes[w->n_boxes++] = *where;
    return true;
}

bool ocr_words_result(struct ocr_words *w, struct task_result *r, struct err *err)
{
    for (int i = 0; i < w->n_boxes; i++)
        w->boxes[i].label = w->strings.data + w->box_begins[i];
    buf_clear(&w->text);
    buf_append(&w->text, "", 0);
    for (int i = 0; i < w->n_words; i++) {
        w->words[i].text = w->strings.data + w->begins[i];
        buf_puts(&w->text, i ? " " : "");
        buf_puts(&w->text, w->words[i].text);
    }
    if (!buf_ok(&w->text, "text in a picture", err))
        return false;
    r->text = w->text.data ? w->text.data : "";
    r->words = w->words;
    r->n_words = w->n_words;
    r->boxes = w->boxes;
    r->n_boxes = w->n_boxes;
    return true;
}
