/* api/mail_media.c - see mail_media_internal.h; one function writes, one reads, and both name every pointer once. */
#include <stdint.h>
#include <string.h>

#include "api/mail_media_internal.h"

struct writer {
    struct buf *b;
    size_t begin; /* of the record */
};

static void align(struct writer *w)
{
    static const char zeros[8];
    const size_t over = (w->b->len - w->begin) % 8;
    if (over)
        buf_append(w->b, zeros, 8 - over);
}

/* A copy of n bytes; its offset in the record, 0 when there is nothing. */
static size_t put(struct writer *w, const void *bytes, size_t n)
{
    if (!bytes)
        return 0;
    align(w);
    const size_t at = w->b->len - w->begin;
    buf_append(w->b, bytes, n);
    return at;
}

static size_t put_text(struct writer *w, const char *s)
{
    if (!s)
        return 0;
    const size_t at = w->b->len - w->begin;
    buf_append(w->b, s, strlen(s) + 1);
    return at;
}

/* The pointer at that place of the record becomes an offset. */
static void patch(struct writer *w, size_t at, size_t offset)
{
    const void *p = (const void *)(uintptr_t)offset;
    if (!w->b->failed)
        memcpy(w->b->data + w->begin + at, &p, sizeof(p));
}

/* Array A of n structs; each text field of its items is copied behind it. */
#define FIELD(type, at, i, field) ((at) + (size_t)(i) * sizeof(struct type) + offsetof(struct type, field))

static size_t put_result(struct writer *w, const struct task_result *r)
{
#define RESULT(field) (at + offsetof(struct task_result, field))
/* An array that is there and empty says "nothing found": it stays one. */
#define ARRAY(field, n)                                                                                                \
    const size_t field##_at = put(w, r->field, (size_t)(n) * sizeof(*r->field));                                       \
    patch(w, RESULT(field), field##_at)
    const size_t at = put(w, r, sizeof(*r));
    ARRAY(labels, r->n_labels);
    for (int i = 0; labels_at && i < r->n_labels; i++)
        patch(w, FIELD(result_label, labels_at, i, label), put_text(w, r->labels[i].label));
    ARRAY(boxes, r->n_boxes);
    for (int i = 0; boxes_at && i < r->n_boxes; i++) {
        patch(w, FIELD(result_box, boxes_at, i, label), put_text(w, r->boxes[i].label));
        patch(w, FIELD(result_box, boxes_at, i, name), put_text(w, r->boxes[i].name));
    }
    ARRAY(words, r->n_words);
    for (int i = 0; words_at && i < r->n_words; i++)
        patch(w, FIELD(result_word, words_at, i, text), put_text(w, r->words[i].text));
    ARRAY(segments, r->n_segments);
    for (int i = 0; segments_at && i < r->n_segments; i++) {
        patch(w, FIELD(result_segment, segments_at, i, text), put_text(w, r->segments[i].text));
        patch(w, FIELD(result_segment, segments_at, i, label), put_text(w, r->segments[i].label));
    }
    ARRAY(masks, r->n_masks);
    for (int i = 0; masks_at && i < r->n_masks; i++)
        patch(w, FIELD(result_mask, masks_at, i, pixels), put(w, r->masks[i].pixels, (size_t)r->masks[i].w * (size_t)r->masks[i].h));
    ARRAY(vector, r->n_vector);
    ARRAY(scores, r->n_scores);
    patch(w, RESULT(text), put_text(w, r->text));
    patch(w, RESULT(language), put_text(w, r->language));
    patch(w, RESULT(note), put_text(w, r->note));
    return at;
#undef ARRAY
#undef RESULT
}

static size_t put_tensor(struct writer *w, const struct tensor *t)
{
    const size_t at = put(w, t, sizeof(*t));
    patch(w, at + offsetof(struct tensor, name), put_text(w, t->name));
    patch(w, at + offsetof(struct tensor, data), put(w, t->data, t->n_bytes));
    return at;
}

static size_t put_part(struct writer *w, const struct expert_part *p)
{
    const size_t at = put(w, p, sizeof(*p));
    patch(w, at + offsetof(struct expert_part, expert), put_text(w, p->expert));
    patch(w, at + offsetof(struct expert_part, node), put_text(w, p->node));
    patch(w, at + offsetof(struct expert_part, text), put_text(w, p->text));
    patch(w, at + offsetof(struct expert_part, error), put_text(w, p->error));
    return at;
}

static size_t put_route(struct writer *w, const struct expert_route *r)
{
    const size_t at = put(w, r, sizeof(*r));
    patch(w, at + offsetof(struct expert_route, expert), put_text(w, r->expert));
    patch(w, at + offsetof(struct expert_route, node), put_text(w, r->node));
    patch(w, at + offsetof(struct expert_route, why), put_text(w, r->why));
    patch(w, at + offsetof(struct expert_route, intent), put_text(w, r->intent));
    patch(w, at + offsetof(struct expert_route, ladder), put_text(w, r->ladder));
    return at;
}

void mail_media_write(struct buf *b, size_t begin, size_t ev_at, const struct expert_event *ev)
{
    struct writer w = { b, begin };
    patch(&w, ev_at + offsetof(struct expert_event, result), ev->result ? put_result(&w, ev->result) : 0);
    patch(&w, ev_at + offsetof(struct expert_event, samples), put(&w, ev->samples, (size_t)ev->n_samples * sizeof(float)));
    patch(&w, ev_at + offsetof(struct expert_event, tensor), ev->tensor ? put_tensor(&w, ev->tensor) : 0);
    patch(&w, ev_at + offsetof(struct expert_event, part), ev->part ? put_part(&w, ev->part) : 0);
    patch(&w, ev_at + offsetof(struct expert_event, route), ev->route ? put_route(&w, ev->route) : 0);
}

/* ---- and back ---- */

#define POINT(p) ((p) = (p) ? (const void *)(record + (uintptr_t)(p)) : NULL)

static void get_result(char *record, struct task_result *r)
{
    POINT(r->labels);
    POINT(r->boxes);
    POINT(r->words);
    POINT(r->segments);
    POINT(r->masks);
    POINT(r->vector);
    POINT(r->scores);
    POINT(r->text);
    POINT(r->language);
    POINT(r->note);
    /* What was written here may be written here: the record is the mailbox's own. */
    for (int i = 0; r->labels && i < r->n_labels; i++)
        POINT(((struct result_label *)(uintptr_t)r->labels)[i].label);
    for (int i = 0; r->boxes && i < r->n_boxes; i++) {
        struct result_box *box = (struct result_box *)(uintptr_t)r->boxes + i;
        POINT(box->label);
        POINT(box->name);
    }
    for (int i = 0; r->words && i < r->n_words; i++)
        POINT(((struct result_word *)(uintptr_t)r->words)[i].text);
    for (int i = 0; r->segments && i < r->n_segments; i++) {
        struct result_segment *s = (struct result_segment *)(uintptr_t)r->segments + i;
        POINT(s->text);
        POINT(s->label);
    }
    for (int i = 0; r->masks && i < r->n_masks; i++)
        POINT(((struct result_mask *)(uintptr_t)r->masks)[i].pixels);
}

void mail_media_read(char *record, struct expert_event *ev)
{
    POINT(ev->result);
    POINT(ev->samples);
    POINT(ev->tensor);
    POINT(ev->part);
    POINT(ev->route);
    if (ev->route) {
        struct expert_route *r = (struct expert_route *)(uintptr_t)ev->route;
        POINT(r->expert);
        POINT(r->node);
        POINT(r->why);
        POINT(r->intent);
        POINT(r->ladder);
    }
    if (ev->part) {
        struct expert_part *p = (struct expert_part *)(uintptr_t)ev->part;
        POINT(p->expert);
        POINT(p->node);
        POINT(p->text);
        POINT(p->error);
    }
    if (ev->result)
        get_result(record, (struct task_result *)(uintptr_t)ev->result);
    if (ev->tensor) {
        struct tensor *t = (struct tensor *)(uintptr_t)ev->tensor;
        POINT(t->name);
        t->data = t->data ? record + (uintptr_t)t->data : NULL;
    }
}
