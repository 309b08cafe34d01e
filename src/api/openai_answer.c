/* api/openai_answer.c - events of the expert become a reply or a stream of events; start at reply_on_mail(). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/openai_internal.h"
#include "base/clock.h"

enum { REPLY_MAX_BYTES = 60 << 20, PING_MS = 1000 };

static const char *or_empty(const struct buf *b) { return b->data ? b->data : ""; }

bool reply_begin(struct exchange *x, struct err *err)
{
    enum { CHOICES_MAX = JOB_INPUTS_MAX };
    if (x->n_all_choices > CHOICES_MAX)
        return err_set(err, ERR_INPUT, "%d answers are wanted, %d is the limit of one request", x->n_all_choices, CHOICES_MAX);
    x->choices = calloc((size_t)x->n_all_choices, sizeof(*x->choices));
    if (!x->choices)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (int i = 0; i < x->n_all_choices; i++) {
        struct choice *c = &x->choices[i];
        buf_init(&c->text, REPLY_MAX_BYTES);
        buf_init(&c->chat_logprobs, REPLY_MAX_BYTES);
        openai_completion_logprobs_init(&c->logprobs, REPLY_MAX_BYTES);
    }
    return true;
}

void reply_fini(struct exchange *x)
{
    for (int i = 0; x->choices && i < x->n_all_choices; i++) {
        buf_fini(&x->choices[i].text);
        buf_fini(&x->choices[i].chat_logprobs);
        openai_completion_logprobs_fini(&x->choices[i].logprobs);
        free(x->choices[i].vector);
    }
    free(x->choices);
}

/* ---- a stream ---- */

static void start_stream(struct exchange *x)
{
    static const struct http_field sse[] = {
        { "content-type", "text/event-stream" }, { "cache-control", "no-cache" }, { "x-accel-buffering", "no" },
    };
    struct http_field fields[API_FIELDS_MAX];
    const int n = api_fields(&x->call, fields, sse, 3);
    http_stream_start(x->call.stream, 200, fields, n, -1);
    x->state = EXCHANGE_STREAM;
    x->quiet_since_ms = net_loop_now_ms(x->call.env->loop);
}

/* What is in x->out leaves; a reader that is slow slows its own job only. */
static void send_out(struct exchange *x)
{
    if (x->out.failed) {
        http_stream_reset(x->call.stream);
        return;
    }
    if (x->out.len > 0)
        http_stream_write(x->call.stream, x->out.data, x->out.len);
    buf_clear(&x->out);
    x->quiet_since_ms = net_loop_now_ms(x->call.env->loop);
    if (x->has_job && !x->is_held && http_stream_queued(x->call.stream) > HTTP_QUEUE_HIGH_BYTES) {
        x->is_held = true;
        job_hold(x->job, true);
    }
}

static void begin_choice(struct exchange *x, int i)
{
    struct choice *c = &x->choices[i];
    if (c->has_begun)
        return;
    c->has_begun = true;
    if (x->task == OPENAI_CHAT) {
        openai_put_chunk_role(&x->out, &x->head, i, x->include_usage);
    } else if (x->echo) {
        const struct job_input *in = &x->job->inputs[i / x->n_choices];
        openai_put_chunk(&x->out, x->task, &x->head, &(struct openai_choice){ .index = i, .text = in->text, .n_text = in->n_text },
                         x->include_usage);
    }
}

/* ---- tokens ---- */

enum { TOPS_MAX = JOB_LOGPROBS_MAX };

static void add_logprobs(struct exchange *x, struct choice *c, const struct expert_event *ev)
{
    for (int i = 0; i < ev->n_tokens; i++) {
        const struct expert_token *from = &ev->tokens[i];
        struct openai_token top[TOPS_MAX];
        const int n_top = from->n_top < TOPS_MAX ? from->n_top : TOPS_MAX;
        for (int k = 0; k < n_top; k++)
            top[k] = (struct openai_token){ from->top[k].text, from->top[k].n_text, from->top[k].logprob, NULL, 0 };
        const struct openai_token t = { from->text, from->n_text, from->logprob, top, n_top };
        if (x->task == OPENAI_CHAT)
            openai_put_chat_logprob(&c->chat_logprobs, &t);
        else
            openai_completion_logprobs_add(&c->logprobs, &t);
    }
}

static void on_delta(struct exchange *x, const struct expert_event *ev, uint64_t ns)
{
    struct choice *c = &x->choices[ev->choice];
    struct api_stats *stats = &x->model->stats;
    if (x->first_ns == 0) {
        x->first_ns = ns;
        api_stats_observe(stats, API_TTFT, ns - x->body_ns);
    }
    if (c->last_ns != 0)
        api_stats_observe(stats, API_ITL, ns - c->last_ns);
    c->last_ns = ns;
    if (x->with_logprobs)
        add_logprobs(x, c, ev);
    if (!x->stream) {
        buf_append(&c->text, ev->text, ev->n_text);
        return;
    }
    if (ev->n_text == 0 && !(x->with_logprobs && ev->n_tokens > 0))
        return;
    begin_choice(x, ev->choice);
    openai_put_chunk(&x->out, x->task, &x->head,
                     &(struct openai_choice){ .index = ev->choice, .text = ev->text, .n_text = ev->n_text,
                                              .with_logprobs = x->with_logprobs, .chat_logprobs = &c->chat_logprobs,
                                              .logprobs = &c->logprobs },
                     x->include_usage);
    if (c->chat_logprobs.failed || c->logprobs.tokens.failed)
        x->out.failed = true;
    buf_clear(&c->chat_logprobs);
    openai_completion_logprobs_clear(&c->logprobs);
    send_out(x);
}

static void on_choice_end(struct exchange *x, const struct expert_event *ev)
{
    struct choice *c = &x->choices[ev->choice];
    c->finish_reason = expert_stop_reason_name(ev->reason);
    if (!x->stream)
        return;
    begin_choice(x, ev->choice);
    openai_put_chunk(&x->out, x->task, &x->head,
                     &(struct openai_choice){ .index = ev->choice, .text = "", .finish_reason = c->finish_reason },
                     x->include_usage);
    send_out(x);
}

/* ---- embeddings ---- */

static bool keep_vector(struct exchange *x, const struct expert_event *ev, struct openai_error *e)
{
    struct choice *c = &x->choices[ev->choice];
    const int n = x->n_dimensions ? x->n_dimensions : ev->n_vector;
    if (n > ev->n_vector)
        return openai_fail(e, 400, "invalid_value", "dimensions", "dimensions: %d are wanted, '%.100s' has %d", n, x->model->id, ev->n_vector);
    c->vector = c->vector ? c->vector : malloc((size_t)n * sizeof(*c->vector));
    if (!c->vector)
        return openai_fail(e, 503, "overloaded", NULL, "out of memory");
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)ev->vector[i] * (double)ev->vector[i];
    const double scale = sum > 0 ? 1.0 / sqrt(sum) : 0; /* of length 1, as clients of this API expect */
    for (int i = 0; i < n; i++)
        c->vector[i] = (float)((double)ev->vector[i] * scale);
    c->n_vector = n;
    return true;
}

/* ---- the end ---- */

static void put_answers(struct exchange *x, const struct openai_usage *u)
{
    openai_put_reply_begin(&x->out, x->task, &x->head);
    for (int i = 0; i < x->n_all_choices; i++) {
        struct choice *c = &x->choices[i];
        struct buf whole = c->text;
        if (x->echo) {
            const struct job_input *in = &x->job->inputs[i / x->n_choices];
            buf_init(&whole, REPLY_MAX_BYTES);
            buf_append(&whole, in->text, in->n_text);
            buf_append(&whole, or_empty(&c->text), c->text.len);
        }
        openai_put_reply_choice(&x->out, x->task,
                                &(struct openai_choice){ .index = i, .text = or_empty(&whole), .n_text = whole.len,
                                                         .finish_reason = c->finish_reason, .with_logprobs = x->with_logprobs,
                                                         .chat_logprobs = &c->chat_logprobs, .logprobs = &c->logprobs },
                                i == 0);
        if (whole.failed || c->text.failed || c->chat_logprobs.failed || c->logprobs.tokens.failed)
            x->out.failed = true;
        if (x->echo)
            buf_fini(&whole);
    }
    openai_put_reply_end(&x->out, u);
}

static void put_vectors(struct exchange *x, const struct openai_usage *u)
{
    openai_put_embeddings_begin(&x->out);
    for (int i = 0; i < x->n_all_choices; i++)
        openai_put_embedding(&x->out, i, x->choices[i].vector, x->choices[i].n_vector, x->is_base64, i == 0);
    openai_put_embeddings_end(&x->out, x->head.model, u->n_prompt_tok);
}

static void on_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns)
{
    const struct openai_usage u = { usage->n_prompt_tok, usage->n_cached_tok, usage->n_gen_tok,
                                    usage->queue_ns, usage->prefill_ns, usage->decode_ns };
    struct api_stats *stats = &x->model->stats;
    api_stats_observe(stats, API_E2E, ns - x->body_ns);
    api_stats_observe(stats, API_QUEUE, u.queue_ns);
    if (x->task != OPENAI_EMBEDDING) {
        api_stats_observe(stats, API_PREFILL, u.prefill_ns);
        api_stats_observe(stats, API_DECODE, u.decode_ns);
    }
    if (x->stream) {
        if (x->state != EXCHANGE_STREAM)
            start_stream(x);
        if (x->include_usage)
            openai_put_chunk_usage(&x->out, x->task, &x->head, &u);
        openai_put_chunk_end(&x->out);
        send_out(x);
        http_stream_end(x->call.stream);
    } else {
        buf_clear(&x->out);
        if (x->task == OPENAI_EMBEDDING)
            put_vectors(x, &u);
        else
            put_answers(x, &u);
        struct err err;
        if (!buf_ok(&x->out, "the answer", &err)) {
            openai_error_from(&x->error, x->task, &err);
            reply_fail(x, &x->error);
            return;
        }
        api_reply(&x->call, 200, "application/json", x->out.data, x->out.len, NULL, 0);
    }
    x->state = EXCHANGE_OVER;
}

void reply_fail(struct exchange *x, const struct openai_error *e)
{
    if (x->has_job)
        job_cancel(x->job);
    if (x->call.stream && x->state != EXCHANGE_OVER) {
        buf_clear(&x->out);
        if (x->state == EXCHANGE_STREAM) {
            openai_put_chunk_error(&x->out, e);
            send_out(x);
            http_stream_end(x->call.stream);
        } else {
            openai_put_error(&x->out, e);
            api_reply(&x->call, e->status, "application/json", or_empty(&x->out), x->out.len, NULL, 0);
        }
    }
    x->state = EXCHANGE_OVER;
}

void reply_on_mail(void *ctx, const struct expert_event *ev, uint64_t ns)
{
    struct exchange *x = ctx;
    const bool is_final = ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR;
    if (is_final)
        x->has_job = false;
    if (x->call.stream && x->state != EXCHANGE_OVER) {
        if (x->stream && x->state == EXCHANGE_WAIT && ev->kind != EXPERT_ERROR)
            start_stream(x); /* before the prompt is read: the client knows that it was heard */
        switch (ev->kind) {
        case EXPERT_QUEUED: break;
        case EXPERT_STARTED: x->load_until_ms = 0; break;
        case EXPERT_DELTA: on_delta(x, ev, ns); break;
        case EXPERT_CHOICE_END: on_choice_end(x, ev); break;
        case EXPERT_VECTOR:
            if (!keep_vector(x, ev, &x->error))
                reply_fail(x, &x->error);
            break;
        case EXPERT_DONE: on_done(x, ev->usage, ns); break;
        case EXPERT_ERROR:
            openai_error_from(&x->error, x->task, ev->err);
            reply_fail(x, &x->error);
            break;
        case EXPERT_RESULT:
        case EXPERT_AUDIO:
        case EXPERT_TENSOR:
        case EXPERT_EVENT_COUNT: break;
        }
    }
    if (is_final)
        exchange_maybe_free(x);
}

void reply_tick(struct exchange *x, uint64_t now_ms)
{
    static const char ping[] = ": ping\n\n";
    if (!x->call.stream || (x->state != EXCHANGE_WAIT && x->state != EXCHANGE_STREAM))
        return;
    if (x->load_until_ms && now_ms >= x->load_until_ms && expert_get_state(x->model->expert) == EXPERT_LOADING) {
        openai_fail(&x->error, 503, "loading", "model", "the model '%.200s' is still being loaded", x->model->id);
        reply_fail(x, &x->error);
        return;
    }
    if (x->state == EXCHANGE_WAIT && x->stream && now_ms >= x->headers_at_ms)
        start_stream(x);
    if (x->state == EXCHANGE_STREAM && now_ms - x->quiet_since_ms >= PING_MS &&
        http_stream_queued(x->call.stream) <= HTTP_QUEUE_HIGH_BYTES) {
        http_stream_write(x->call.stream, ping, strlen(ping));
        x->quiet_since_ms = now_ms;
    }
}
