/* route/trip_hold.c - words that are not shown yet: a small expert's answer, until it was looked at.  Events are copied whole, in
 * order, into memory of their own that is bounded. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "route/router_internal.h"

enum { HELD_BYTES = 8 << 20, HELD_TEXT_BYTES = 1 << 20 };

struct held_event {
    struct held_event *next;
    struct expert_event ev;
};

struct held {
    struct arena *arena;
    struct held_event *first, **last;
    struct buf text;    /* of the first choice */
    int n_tok;
    double logprob_sum;
    bool is_cut;
};

struct held *held_new(void)
{
    struct err err;
    struct held *h = calloc(1, sizeof(*h));
    if (!h)
        return NULL;
    h->last = &h->first;
    buf_init(&h->text, HELD_TEXT_BYTES);
    if ((h->arena = arena_new(HELD_BYTES, &err)) != NULL)
        return h;
    free(h);
    return NULL;
}

void held_free(struct held *h)
{
    if (!h)
        return;
    arena_free(h->arena);
    buf_fini(&h->text);
    free(h);
}

/* Tokens with their texts and those that might have been. */
static const struct expert_token *copy_tokens(struct arena *a, const struct expert_token *from, int n, struct err *err)
{
    struct expert_token *to = arena_alloc(a, (size_t)n, sizeof(*to), err);
    for (int i = 0; to && i < n; i++) {
        to[i] = from[i];
        to[i].text = from[i].n_text > 0 ? arena_strndup(a, from[i].text, (size_t)from[i].n_text, err) : "";
        to[i].top = from[i].n_top > 0 ? copy_tokens(a, from[i].top, from[i].n_top, err) : NULL;
        if (!to[i].text || (from[i].n_top > 0 && !to[i].top))
            return NULL;
    }
    return to;
}

bool held_add(struct held *h, const struct expert_event *ev)
{
    struct err err;
    struct held_event *e = arena_alloc(h->arena, 1, sizeof(*e), &err);
    if (!e)
        return false;
    e->ev = *ev;
    if (ev->text && !(e->ev.text = arena_strndup(h->arena, ev->text, ev->n_text, &err)))
        return false;
    if (ev->stop && !(e->ev.stop = arena_strndup(h->arena, ev->stop, strlen(ev->stop), &err)))
        return false;
    if (ev->n_tokens > 0 && !(e->ev.tokens = copy_tokens(h->arena, ev->tokens, ev->n_tokens, &err)))
        return false;
    if (ev->kind == EXPERT_DELTA)
        buf_append(&h->text, ev->text, ev->n_text);
    if (ev->kind == EXPERT_CHOICE_END && (ev->reason == EXPERT_LENGTH || ev->stop))
        h->is_cut = true;
    for (int i = 0; i < ev->n_tokens; i++)
        h->logprob_sum += (double)ev->tokens[i].logprob;
    h->n_tok += ev->n_tokens;
    *h->last = e;
    h->last = &e->next;
    return !h->text.failed;
}

int held_n_tok(const struct held *h) { return h->n_tok; }

enum answer_fault held_check(const struct held *h, bool is_whole, bool wants_json, double logprob_least)
{
    const struct answer_seen a = { .text = h->text.data ? h->text.data : "", .n = h->text.len, .is_whole = is_whole, .is_cut = h->is_cut, .wants_json = wants_json, .n_tok = h->n_tok,
                                   .logprob_sum = h->logprob_sum, .logprob_least = logprob_least };
    return answer_check(&a);
}

void held_show(const struct held *h, struct trip *t)
{
    for (const struct held_event *e = h->first; e; e = e->next)
        trip_emit(t, &e->ev);
}
