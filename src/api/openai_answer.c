/* api/openai_answer.c - events of an expert of text become a reply or a stream of events; start at chat_on_event(). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/openai_internal.h"
#include "base/clock.h"

enum { REPLY_MAX_BYTES = 60 << 20 };

bool chat_begin_answer(struct chat *a, struct err *err)
{
    enum { CHOICES_MAX = JOB_INPUTS_MAX };
    if (a->n_all_choices > CHOICES_MAX)
        return err_set(err, ERR_INPUT, "%d answers are wanted, %d is the limit of one request", a->n_all_choices, CHOICES_MAX);
    a->choices = calloc((size_t)a->n_all_choices, sizeof(*a->choices));
    if (!a->choices)
        return err_set(err, ERR_NOMEM, "out of memory");
    buf_init(&a->more, REPLY_MAX_BYTES);
    for (int i = 0; i < a->n_all_choices; i++) {
        struct choice *c = &a->choices[i];
        buf_init(&c->text, REPLY_MAX_BYTES);
        buf_init(&c->chat_logprobs, REPLY_MAX_BYTES);
        openai_completion_logprobs_init(&c->logprobs, REPLY_MAX_BYTES);
    }
    return true;
}

void chat_fini_answer(struct chat *a)
{
    for (int i = 0; a->choices && i < a->n_all_choices; i++) {
        buf_fini(&a->choices[i].text);
        buf_fini(&a->choices[i].chat_logprobs);
        openai_completion_logprobs_fini(&a->choices[i].logprobs);
        free(a->choices[i].vector);
    }
    free(a->choices);
    buf_fini(&a->more);
}

static void begin_choice(struct chat *a, int i)
{
    struct choice *c = &a->choices[i];
    if (c->has_begun)
        return;
    c->has_begun = true;
    if (a->task == OPENAI_CHAT) {
        openai_put_chunk_role(&a->x.out, &a->head, i, a->include_usage);
    } else if (a->echo) {
        const struct job_input *in = &a->x.job->inputs[i / a->n_choices];
        openai_put_chunk(&a->x.out, a->task, &a->head, &(struct openai_choice){ .index = i, .text = in->text, .n_text = in->n_text },
                         a->include_usage);
    }
}

/* ---- tokens ---- */

enum { TOPS_MAX = JOB_LOGPROBS_MAX };

static void add_logprobs(struct chat *a, struct choice *c, const struct expert_event *ev)
{
    for (int i = 0; i < ev->n_tokens; i++) {
        const struct expert_token *from = &ev->tokens[i];
        struct openai_token top[TOPS_MAX];
        const int n_top = from->n_top < TOPS_MAX ? from->n_top : TOPS_MAX;
        for (int k = 0; k < n_top; k++)
            top[k] = (struct openai_token){ from->top[k].text, from->top[k].n_text, from->top[k].logprob, NULL, 0 };
        const struct openai_token t = { from->text, from->n_text, from->logprob, top, n_top };
        if (a->task == OPENAI_CHAT)
            openai_put_chat_logprob(&c->chat_logprobs, &t);
        else
            openai_completion_logprobs_add(&c->logprobs, &t);
    }
}

static void on_delta(struct chat *a, const struct expert_event *ev, uint64_t ns)
{
    struct choice *c = &a->choices[ev->choice];
    if (a->x.first_ns == 0) {
        a->x.first_ns = ns;
        exchange_observe(&a->x, API_TTFT, ns - a->x.body_ns);
    }
    if (c->last_ns != 0)
        exchange_observe(&a->x, API_ITL, ns - c->last_ns);
    c->last_ns = ns;
    if (a->with_logprobs)
        add_logprobs(a, c, ev);
    if (!a->stream) {
        buf_append(&c->text, ev->text, ev->n_text);
        return;
    }
    if (ev->n_text == 0 && !(a->with_logprobs && ev->n_tokens > 0))
        return;
    begin_choice(a, ev->choice);
    openai_put_chunk(&a->x.out, a->task, &a->head,
                     &(struct openai_choice){ .index = ev->choice, .text = ev->text, .n_text = ev->n_text,
                                              .with_logprobs = a->with_logprobs, .chat_logprobs = &c->chat_logprobs,
                                              .logprobs = &c->logprobs },
                     a->include_usage);
    if (c->chat_logprobs.failed || c->logprobs.tokens.failed)
        a->x.out.failed = true;
    buf_clear(&c->chat_logprobs);
    openai_completion_logprobs_clear(&c->logprobs);
    exchange_send(&a->x);
}

static void put_choice_end(struct chat *a, int i)
{
    begin_choice(a, i);
    openai_put_chunk(&a->x.out, a->task, &a->head,
                     &(struct openai_choice){ .index = i, .text = "", .finish_reason = a->choices[i].finish_reason },
                     a->include_usage);
}

/* Of a request that was routed the last chunk says what it took: the end of a choice waits until it is known whether it is the last. */
static void put_waiting_end(struct chat *a)
{
    if (a->last > 0)
        put_choice_end(a, a->last - 1);
    a->last = 0;
}

static void on_choice_end(struct chat *a, const struct expert_event *ev)
{
    a->choices[ev->choice].finish_reason = expert_stop_reason_name(ev->reason);
    if (!a->stream)
        return;
    put_waiting_end(a);
    a->last = ev->choice + 1;
    if (!a->x.routed.is_there)
        put_waiting_end(a);
    exchange_send(&a->x);
}

/* Who was chosen is the model of the answer. */
static void name_model(struct chat *a)
{
    if (a->x.routed.is_there)
        a->head.model = a->x.routed.expert;
}

static void say_route(struct chat *a)
{
    if (!a->x.routed.is_there)
        return;
    buf_puts(&a->more, ",\"tutti\":");
    routed_put(&a->more, &a->x.routed);
    a->head.more = a->more.failed ? NULL : a->more.data;
}

/* ---- embeddings ---- */

static bool keep_vector(struct chat *a, int choice, const float *vector, int n_vector, struct openai_error *e)
{
    struct choice *c = &a->choices[choice];
    const int n = a->n_dimensions ? a->n_dimensions : n_vector;
    if (n > n_vector)
        return openai_fail(e, 400, "invalid_value", "dimensions", "dimensions: %d are wanted, '%.100s' has %d", n, a->x.model->id, n_vector);
    free(c->vector);
    c->vector = malloc((size_t)n * sizeof(*c->vector));
    if (!c->vector)
        return openai_fail(e, 503, "overloaded", NULL, "out of memory");
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)vector[i] * (double)vector[i];
    const double scale = sum > 0 ? 1.0 / sqrt(sum) : 0; /* of length 1, as clients of this API expect */
    for (int i = 0; i < n; i++)
        c->vector[i] = (float)((double)vector[i] * scale);
    c->n_vector = n;
    return true;
}

/* ---- the end ---- */

static void put_answers(struct chat *a, const struct openai_usage *u)
{
    openai_put_reply_begin(&a->x.out, a->task, &a->head);
    for (int i = 0; i < a->n_all_choices; i++) {
        struct choice *c = &a->choices[i];
        struct buf whole = c->text;
        if (a->echo) {
            const struct job_input *in = &a->x.job->inputs[i / a->n_choices];
            buf_init(&whole, REPLY_MAX_BYTES);
            buf_append(&whole, in->text, in->n_text);
            buf_append(&whole, exchange_text(&c->text), c->text.len);
        }
        openai_put_reply_choice(&a->x.out, a->task,
                                &(struct openai_choice){ .index = i, .text = exchange_text(&whole), .n_text = whole.len,
                                                         .finish_reason = c->finish_reason, .with_logprobs = a->with_logprobs,
                                                         .chat_logprobs = &c->chat_logprobs, .logprobs = &c->logprobs },
                                i == 0);
        if (whole.failed || c->text.failed || c->chat_logprobs.failed || c->logprobs.tokens.failed)
            a->x.out.failed = true;
        if (a->echo)
            buf_fini(&whole);
    }
    openai_put_reply_end(&a->x.out, &a->head, u);
}

static void put_vectors(struct chat *a, const struct openai_usage *u)
{
    openai_put_embeddings_begin(&a->x.out);
    for (int i = 0; i < a->n_all_choices; i++)
        openai_put_embedding(&a->x.out, i, a->choices[i].vector, a->choices[i].n_vector, a->is_base64, i == 0);
    openai_put_embeddings_end(&a->x.out, &a->head, u->n_prompt_tok);
}

void chat_on_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns)
{
    struct chat *a = (struct chat *)x;
    const struct openai_usage u = { usage->n_prompt_tok, usage->n_cached_tok, usage->n_gen_tok,
                                    usage->queue_ns, usage->prefill_ns, usage->decode_ns };
    (void)ns;
    if (a->task != OPENAI_EMBEDDING) {
        exchange_observe(x, API_PREFILL, u.prefill_ns);
        exchange_observe(x, API_DECODE, u.decode_ns);
    }
    name_model(a);
    if (a->stream) {
        if (x->state != EXCHANGE_STREAM)
            exchange_start(x, NULL);
        if (a->include_usage)
            put_waiting_end(a);
        say_route(a);
        put_waiting_end(a);
        if (a->include_usage)
            openai_put_chunk_usage(&x->out, a->task, &a->head, &u);
        openai_put_chunk_end(&x->out);
        exchange_end(x);
        return;
    }
    say_route(a);
    buf_clear(&x->out);
    for (int i = 0; a->task == OPENAI_EMBEDDING && i < a->n_all_choices; i++)
        if (!a->choices[i].vector) {
            openai_fail(&x->error, 500, NULL, NULL, "'%.100s' gave no vector for input %d", x->model->id, i);
            exchange_fail(x, &x->error);
            return;
        }
    if (a->task == OPENAI_EMBEDDING)
        put_vectors(a, &u);
    else
        put_answers(a, &u);
    exchange_reply(x, "application/json");
}

void chat_on_event(struct exchange *x, const struct expert_event *ev, uint64_t ns)
{
    struct chat *a = (struct chat *)x;
    name_model(a);
    if (ev->choice < 0 || ev->choice >= a->n_all_choices) { /* servers of others answer here, too */
        openai_fail(&x->error, 500, NULL, NULL, "'%.100s' gave an answer %d that nobody asked for", x->model->id, ev->choice);
        exchange_fail(x, &x->error);
        return;
    }
    switch (ev->kind) {
    case EXPERT_DELTA: on_delta(a, ev, ns); break;
    case EXPERT_CHOICE_END: on_choice_end(a, ev); break;
    case EXPERT_VECTOR:
        if (!keep_vector(a, ev->choice, ev->vector, ev->n_vector, &x->error))
            exchange_fail(x, &x->error);
        break;
    case EXPERT_RESULT: /* of a task that embeds */
        if (a->task == OPENAI_EMBEDDING && ev->result->vector &&
            !keep_vector(a, ev->choice, ev->result->vector, ev->result->n_vector, &x->error))
            exchange_fail(x, &x->error);
        break;
    default: break;
    }
}
