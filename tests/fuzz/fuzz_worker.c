/* fuzz_worker.c - what a worker process says: an event in shared memory, read by a parent that does not trust it.
 * Also the other way: a request, as the worker reads it.  Input: a byte (which), 8 bytes of head length, head and blocks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "expert/pack.h"
#include "fuzz/fuzz.h"

static volatile uint64_t sum; /* so that every byte is really read */

static void read_text(const char *s)
{
    for (; s && *s; s++)
        sum += (unsigned char)*s;
}

static void read_tensor(const struct tensor *t)
{
    struct err err;
    read_text(t->name);
    if (!tensor_check(t, &err))
        abort();
    for (size_t i = 0; i < t->n_bytes; i++)
        sum += ((const uint8_t *)t->data)[i];
}

static void read_result(const struct task_result *r)
{
    for (int i = 0; i < r->n_labels; i++) {
        read_text(r->labels[i].label);
        if (!isfinite(r->labels[i].score))
            abort();
    }
    for (int i = 0; i < r->n_boxes; i++) {
        read_text(r->boxes[i].label);
        read_text(r->boxes[i].name);
        if (r->boxes[i].n_points < 0 || r->boxes[i].n_points > RESULT_POINTS_MAX || !isfinite(r->boxes[i].w))
            abort();
    }
    for (int i = 0; i < r->n_words; i++)
        read_text(r->words[i].text);
    for (int i = 0; i < r->n_segments; i++)
        read_text(r->segments[i].text);
    for (int i = 0; i < r->n_vector; i++)
        sum += r->vector[i] > 0;
    for (int i = 0; i < r->n_scores; i++)
        sum += r->scores[i] > 0;
    for (int i = 0; i < r->n_masks; i++)
        for (size_t k = 0; k < (size_t)r->masks[i].w * (size_t)r->masks[i].h; k++)
            sum += r->masks[i].pixels[k];
    read_text(r->text), read_text(r->language), read_text(r->note);
    struct buf out;
    buf_init(&out, 1 << 20);
    task_result_put_json(&out, r); /* what the API does with it */
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    struct task_event ev;
    struct task_request rq;
    if (size < 9)
        return 0;
    struct pack_size n = { data[1] | (size_t)data[2] << 8, size - 9 };
    if (n.n_head > n.n_whole)
        n.n_head = n.n_whole;
    /* in memory of exactly that size, as far apart as they are in life */
    uint8_t *head = aligned_alloc(64, (n.n_head + 127) / 64 * 64), *whole = aligned_alloc(64, (n.n_whole + 127) / 64 * 64);
    struct arena *a = arena_new(1 << 20, &err);
    if (head && whole && a) {
        memcpy(head, data + 9, n.n_head);
        memcpy(whole, data + 9, n.n_whole);
        if (data[0] & 1) {
            if (unpack_request(head, whole, n, a, &rq, &err)) {
                for (int i = 0; i < rq.n_texts; i++)
                    read_text(rq.texts[i].text);
                for (int i = 0; i < rq.n_tensors; i++)
                    read_tensor(&rq.tensors[i]);
                for (int i = 0; i < rq.n_media; i++)
                    for (size_t k = 0; k < rq.media[i].n_bytes; k++)
                        sum += ((const uint8_t *)rq.media[i].bytes)[k];
            } else if (err.code == ERR_NONE) {
                abort();
            }
        } else if (unpack_event(head, whole, n, a, &ev, &err)) {
            read_text(ev.text);
            for (int i = 0; i < ev.n_samples; i++)
                sum += ev.samples[i] > 0;
            if (ev.tensor)
                read_tensor(ev.tensor);
            if (ev.result)
                read_result(ev.result);
        } else if (err.code == ERR_NONE) {
            abort();
        }
    }
    arena_free(a);
    free(head);
    free(whole);
    return 0;
}
