/* expert/answer.c - see answer.h; start reading at answer_push(), then answer_take(). */
#include "expert/answer.h"

#include <stdlib.h>
#include <string.h>

#include "expert/stops.h"

enum { TEXT_MAX_BYTES = 1 << 20 /* far more than a stop and a token */ };

bool answer_out_init(struct answer_out *o, struct err *err)
{
    buf_init(&o->pieces, 64 << 20);
    o->tokens = calloc(ANSWER_TOKENS_MAX * (1 + JOB_LOGPROBS_MAX), sizeof(*o->tokens));
    return o->tokens || err_set(err, ERR_NOMEM, "expert: no memory for events");
}

void answer_out_fini(struct answer_out *o)
{
    buf_fini(&o->pieces);
    free(o->tokens);
}

bool answer_init(struct answer *a, const struct job_text *stops, int n_stops, unsigned detok_flags, int n_logprobs,
                 struct err *err)
{
    *a = (struct answer){ .stops = stops, .n_stops = n_stops, .stop = -1, .n_top_max = n_logprobs > 0 ? n_logprobs : 0 };
    detok_init(&a->detok, detok_flags);
    buf_init(&a->text, TEXT_MAX_BYTES);
    a->max_tokens = n_stops ? ANSWER_TOKENS_MAX : 32;
    a->tokens = malloc((size_t)a->max_tokens * sizeof(*a->tokens));
    if (a->n_top_max)
        a->top = malloc((size_t)a->max_tokens * (size_t)a->n_top_max * sizeof(*a->top));
    if (a->tokens && (a->top || !a->n_top_max))
        return true;
    return err_set(err, ERR_NOMEM, "expert: no memory for an answer");
}

void answer_fini(struct answer *a)
{
    buf_fini(&a->text);
    free(a->tokens);
    free(a->top);
    a->tokens = NULL;
    a->top = NULL;
}

static void keep_token(struct answer *a, int32_t id, float logprob, const struct token_logprob *top, int n_top,
                       size_t n_before)
{
    if (a->n_tokens == a->max_tokens) /* a crowd of tokens without text behind a held stop: nobody misses them */
        return;
    if (n_top > a->n_top_max)
        n_top = a->n_top_max;
    a->tokens[a->n_tokens] = (struct answer_token){ .id = id, .logprob = logprob, .n_top = n_top,
                                                    .begin = a->n_given + n_before,
                                                    .end = a->n_given + a->text.len + (a->detok.n_held > 0) };
    if (n_top)
        memcpy(a->top + (size_t)a->n_tokens * (size_t)a->n_top_max, top, (size_t)n_top * sizeof(*top));
    a->n_tokens++;
}

bool answer_push(struct answer *a, const struct vocab *v, int32_t id, float logprob, const struct token_logprob *top,
                 int n_top)
{
    const size_t n_before = a->text.len;
    size_t begin;
    if (a->ended)
        return true;
    detok_push(v, &a->detok, id, &a->text);
    keep_token(a, id, logprob, top, n_top, n_before);
    a->stop = stops_find(a->stops, a->n_stops, a->text.data, a->text.len, n_before, &begin);
    if (a->stop >= 0) {
        a->text.len = a->n_ready = begin;
        a->ended = true;
        return true;
    }
    a->n_ready = a->text.len - stops_held(a->stops, a->n_stops, a->text.data, a->text.len);
    return false;
}

void answer_end(struct answer *a)
{
    if (a->ended)
        return;
    a->ended = true;
    const size_t n_before = a->text.len;
    size_t begin;
    detok_flush(&a->detok, &a->text);
    a->n_ready = a->text.len;
    a->stop = stops_find(a->stops, a->n_stops, a->text.data, a->text.len, n_before, &begin);
    if (a->stop >= 0)
        a->text.len = a->n_ready = begin;
}

/* Tokens that leave with the bytes before `given`: those that end there; at the end all that began before a stop. */
static int count_leaving(const struct answer *a, uint64_t given)
{
    int n = 0;
    while (n < a->n_tokens && (a->ended ? a->stop < 0 || a->tokens[n].begin < given : a->tokens[n].end <= given))
        n++;
    return n;
}

static void put_token(struct expert_token *t, const struct vocab *v, struct buf *pieces, int32_t id, float logprob)
{
    const size_t n_before = pieces->len;
    vocab_piece(v, id, pieces);
    *t = (struct expert_token){ .id = id, .logprob = logprob, .n_text = (int)(pieces->len - n_before) };
}

/* The pieces buffer may move while it grows, so texts are pointed to at the end. */
static void point_to_texts(struct expert_token *tokens, int n, const char **text)
{
    for (int i = 0; i < n; i++) {
        tokens[i].text = *text;
        *text += tokens[i].n_text;
    }
}

bool answer_take(struct answer *a, const struct vocab *v, struct answer_out *o, struct expert_event *ev)
{
    const uint64_t given = a->n_given + a->n_ready;
    const int n = count_leaving(a, given);
    if (a->n_ready == 0 && n == 0)
        return false;
    buf_clear(&o->pieces);
    buf_append(&o->pieces, a->text.data, a->n_ready);
    buf_putc(&o->pieces, '\0');
    const size_t n_text = a->n_ready;
    struct expert_token *top = o->tokens + n;
    for (int i = 0; i < n; i++) {
        put_token(&o->tokens[i], v, &o->pieces, a->tokens[i].id, a->tokens[i].logprob);
        o->tokens[i].n_top = a->tokens[i].n_top;
        o->tokens[i].top = top;
        for (int k = 0; k < a->tokens[i].n_top; k++, top++) {
            const struct token_logprob *t = &a->top[(size_t)i * (size_t)a->n_top_max + (size_t)k];
            put_token(top, v, &o->pieces, t->id, t->logprob);
        }
    }
    if (o->pieces.failed || a->text.failed)
        return false; /* answer_failed() says so */
    const char *text = o->pieces.data + n_text + 1;
    for (int i = 0; i < n; i++) { /* in the order in which they were put */
        point_to_texts(&o->tokens[i], 1, &text);
        point_to_texts((struct expert_token *)(o->tokens[i].top), o->tokens[i].n_top, &text);
    }

    if (a->n_ready) {
        memmove(a->text.data, a->text.data + a->n_ready, a->text.len - a->n_ready);
        a->text.len -= a->n_ready;
    }
    a->n_given = given;
    a->n_ready = 0;
    memmove(a->tokens, a->tokens + n, (size_t)(a->n_tokens - n) * sizeof(*a->tokens));
    if (a->n_top_max)
        memmove(a->top, a->top + (size_t)n * (size_t)a->n_top_max,
                (size_t)(a->n_tokens - n) * (size_t)a->n_top_max * sizeof(*a->top));
    a->n_tokens -= n;

    ev->kind = EXPERT_DELTA;
    ev->text = o->pieces.data;
    ev->n_text = n_text;
    ev->tokens = o->tokens;
    ev->n_tokens = n;
    return true;
}

bool answer_failed(const struct answer *a, const struct answer_out *o) { return a->text.failed || o->pieces.failed; }
