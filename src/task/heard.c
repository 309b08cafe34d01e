/* task/heard.c - see heard.h. */
#include "task/heard.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void heard_init(struct heard *h)
{
    *h = (struct heard){ 0 };
    buf_init(&h->texts, HEARD_TEXT_MAX);
}

void heard_fini(struct heard *h)
{
    buf_fini(&h->texts);
    free(h->segments), free(h->words), free(h->scores);
    *h = (struct heard){ 0 };
}

void heard_clear(struct heard *h)
{
    buf_clear(&h->texts);
    h->n_segments = h->n_words = h->n_scores = 0;
    h->language[0] = '\0';
}

static bool grow(void **items, size_t n, size_t *cap, size_t item_bytes, struct err *err)
{
    if (n < *cap)
        return true;
    if (n >= HEARD_ITEMS_MAX)
        return err_set(err, ERR_LIMIT, "sound: more than %d words or segments", HEARD_ITEMS_MAX);
    const size_t cap_new = *cap ? 2 * *cap : 64;
    void *p = realloc(*items, cap_new * item_bytes);
    if (!p)
        return err_set(err, ERR_NOMEM, "sound: no memory for what was heard");
    *items = p, *cap = cap_new;
    return true;
}

static bool keep_text(struct heard *h, const char *text, size_t n, size_t *offset, struct err *err)
{
    *offset = h->texts.len;
    buf_append(&h->texts, text, n);
    buf_putc(&h->texts, '\0');
    return buf_ok(&h->texts, "what was heard", err);
}

bool heard_add_segment(struct heard *h, const struct heard_segment *s, const char *text, size_t n, struct err *err)
{
    if (!grow((void **)&h->segments, h->n_segments, &h->cap_segments, sizeof(*h->segments), err))
        return false;
    struct heard_segment *to = &h->segments[h->n_segments];
    *to = *s;
    to->text = SIZE_MAX;
    if (text && !keep_text(h, text, n, &to->text, err))
        return false;
    h->n_segments++;
    return true;
}

bool heard_add_word(struct heard *h, const char *text, size_t n, double start_s, double end_s, float score, struct err *err)
{
    if (!grow((void **)&h->words, h->n_words, &h->cap_words, sizeof(*h->words), err))
        return false;
    struct heard_word *w = &h->words[h->n_words];
    *w = (struct heard_word){ .start_s = start_s, .end_s = end_s, .score = score };
    if (!keep_text(h, text, n, &w->text, err))
        return false;
    h->n_words++;
    return true;
}

bool heard_add_score(struct heard *h, float p, struct err *err)
{
    if (!grow((void **)&h->scores, h->n_scores, &h->cap_scores, sizeof(*h->scores), err))
        return false;
    h->scores[h->n_scores++] = p;
    return true;
}

const char *heard_text(const struct heard *h, size_t offset)
{
    return offset < h->texts.len ? h->texts.data + offset : "";
}

bool heard_emit(const struct heard *h, size_t first_segment, size_t first_word, double duration_s, const struct result_label *labels,
                int n_labels, bool is_text, const struct task_out *out, struct err *err)
{
    const size_t n_seg = h->n_segments - first_segment, n_words = h->n_words - first_word;
    struct result_segment *seg = arena_alloc(out->arena, n_seg ? n_seg : 1, sizeof(*seg), err);
    struct result_word *words = seg ? arena_alloc(out->arena, n_words ? n_words : 1, sizeof(*words), err) : NULL;
    size_t n_text = 1;
    for (size_t i = 0; i < n_seg; i++)
        n_text += strlen(heard_text(h, h->segments[first_segment + i].text)) + 1;
    char *text = words ? arena_alloc(out->arena, n_text, 1, err) : NULL;
    if (!text)
        return false;
    char *end = text;
    for (size_t i = 0; i < n_seg; i++) {
        const struct heard_segment *s = &h->segments[first_segment + i];
        const char *t = heard_text(h, s->text);
        seg[i] = (struct result_segment){ .start_s = s->start_s, .end_s = s->end_s, .text = s->text == SIZE_MAX ? NULL : t,
                                          .label = s->label, .score = s->score, .avg_logprob = s->avg_logprob,
                                          .no_speech_prob = s->no_speech_prob, .compression_ratio = s->compression_ratio,
                                          .temperature = s->temperature };
        if (*t && end > text)
            *end++ = ' ';
        const size_t n = strlen(t);
        memcpy(end, t, n);
        end += n;
    }
    *end = '\0';
    for (size_t i = 0; i < n_words; i++) {
        const struct heard_word *w = &h->words[first_word + i];
        words[i] = (struct result_word){ .text = heard_text(h, w->text), .score = w->score, .start_s = w->start_s, .end_s = w->end_s };
    }
    const struct task_result r = {
        .labels = labels, .n_labels = n_labels,
        .text = is_text ? text : NULL, .words = n_words ? words : NULL, .n_words = (int)n_words,
        .segments = seg, .n_segments = (int)n_seg, .scores = h->n_scores ? h->scores : NULL,
        .n_scores = (int)h->n_scores, .score_step_s = h->n_scores ? h->score_step_s : 0,
        .language = h->language[0] ? h->language : NULL, .duration_s = duration_s,
    };
    return task_emit_result(out, &r, err);
}
