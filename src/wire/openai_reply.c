/* wire/openai_reply.c - what goes back, written piece by piece without a tree. */
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "wire/openai.h"
#include "wire/put.h"


void openai_put_error(struct buf *out, const struct openai_error *e)
{
    /* The API's own words for types; clients mostly look at the status and the code. */
    const char *type = e->status == 429 ? "rate_limit_error" : e->status >= 500 ? "server_error" : "invalid_request_error";
    buf_puts(out, "{\"error\":{\"message\":");
    buf_put_json_text(out, e->message);
    buf_puts(out, ",\"type\":");
    buf_put_json_text(out, type);
    buf_puts(out, ",\"param\":");
    if (e->param[0])
        buf_put_json_text(out, e->param);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"code\":");
    if (e->code)
        buf_put_json_text(out, e->code);
    else
        buf_puts(out, "null");
    buf_puts(out, "}}");
}

/* ---- log-probabilities ---- */

static void put_logprob(struct buf *out, float v)
{
    put_f32(out, v < -9999.0f || isnan(v) ? -9999.0f : v); /* the API's word for "never" */
}

static void put_token(struct buf *out, const struct openai_token *t)
{
    buf_puts(out, "{\"token\":");
    buf_put_json(out, t->text, (size_t)t->n_text);
    buf_puts(out, ",\"logprob\":");
    put_logprob(out, t->logprob);
    buf_puts(out, ",\"bytes\":[");
    for (int i = 0; i < t->n_text; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_i64(out, (unsigned char)t->text[i]);
    }
    buf_putc(out, ']');
}

void openai_put_chat_logprob(struct buf *out, const struct openai_token *t)
{
    if (out->len > 0)
        buf_putc(out, ',');
    put_token(out, t);
    buf_puts(out, ",\"top_logprobs\":[");
    for (int i = 0; i < t->n_top; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_token(out, &t->top[i]);
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
}

void openai_completion_logprobs_init(struct openai_completion_logprobs *l, size_t max_bytes)
{
    buf_init(&l->tokens, max_bytes);
    buf_init(&l->logprobs, max_bytes);
    buf_init(&l->top, max_bytes);
    buf_init(&l->offsets, max_bytes);
    l->n_chars = 0;
}

void openai_completion_logprobs_fini(struct openai_completion_logprobs *l)
{
    buf_fini(&l->tokens);
    buf_fini(&l->logprobs);
    buf_fini(&l->top);
    buf_fini(&l->offsets);
}

void openai_completion_logprobs_clear(struct openai_completion_logprobs *l)
{
    buf_clear(&l->tokens);
    buf_clear(&l->logprobs);
    buf_clear(&l->top);
    buf_clear(&l->offsets);
}

void openai_completion_logprobs_add(struct openai_completion_logprobs *l, const struct openai_token *t)
{
    if (l->tokens.len > 0) {
        buf_putc(&l->tokens, ',');
        buf_putc(&l->logprobs, ',');
        buf_putc(&l->top, ',');
        buf_putc(&l->offsets, ',');
    }
    buf_put_json(&l->tokens, t->text, (size_t)t->n_text);
    put_logprob(&l->logprobs, t->logprob);
    put_i64(&l->offsets, (int64_t)l->n_chars);
    for (int i = 0; i < t->n_text; i++)
        l->n_chars += ((unsigned char)t->text[i] & 0xc0) != 0x80;
    buf_putc(&l->top, '{');
    for (int i = 0; i < t->n_top; i++) {
        if (i > 0)
            buf_putc(&l->top, ',');
        buf_put_json(&l->top, t->top[i].text, (size_t)t->top[i].n_text);
        buf_putc(&l->top, ':');
        put_logprob(&l->top, t->top[i].logprob);
    }
    buf_putc(&l->top, '}');
}

static void put_buf(struct buf *out, const struct buf *b)
{
    if (b->failed)
        out->failed = true;
    if (b->len > 0)
        buf_append(out, b->data, b->len);
}

static void put_logprobs(struct buf *out, enum openai_task task, const struct openai_choice *c)
{
    buf_puts(out, ",\"logprobs\":");
    if (!c->with_logprobs) {
        buf_puts(out, "null");
    } else if (task == OPENAI_CHAT) {
        buf_puts(out, "{\"content\":[");
        put_buf(out, c->chat_logprobs);
        buf_puts(out, "],\"refusal\":null}");
    } else {
        buf_puts(out, "{\"tokens\":[");
        put_buf(out, &c->logprobs->tokens);
        buf_puts(out, "],\"token_logprobs\":[");
        put_buf(out, &c->logprobs->logprobs);
        buf_puts(out, "],\"top_logprobs\":[");
        put_buf(out, &c->logprobs->top);
        buf_puts(out, "],\"text_offset\":[");
        put_buf(out, &c->logprobs->offsets);
        buf_puts(out, "]}");
    }
}

/* ---- answers ---- */

static void put_finish(struct buf *out, const char *reason)
{
    buf_puts(out, ",\"finish_reason\":");
    if (reason)
        buf_put_json_text(out, reason);
    else
        buf_puts(out, "null");
}

static void put_head(struct buf *out, const struct openai_head *h, const char *object)
{
    buf_puts(out, "{\"id\":");
    buf_put_json_text(out, h->id);
    buf_puts(out, ",\"object\":\"");
    buf_puts(out, object);
    buf_puts(out, "\",\"created\":");
    put_i64(out, h->created_s);
    buf_puts(out, ",\"model\":");
    buf_put_json_text(out, h->model);
    buf_puts(out, ",\"system_fingerprint\":\"tutti-" TUTTI_VERSION "\",\"choices\":[");
}

static void put_rate(struct buf *out, const char *name, int n, uint64_t ns)
{
    buf_printf(out, ",\"%s\":%.3f", name, ns > 0 ? (double)n * 1e9 / (double)ns : 0.0);
}

static void put_usage(struct buf *out, const struct openai_usage *u)
{
    buf_printf(out,
               "\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d,"
               "\"prompt_tokens_details\":{\"cached_tokens\":%d}}",
               u->n_prompt_tok, u->n_gen_tok, u->n_prompt_tok + u->n_gen_tok, u->n_cached_tok);
    if (u->queue_ns + u->prefill_ns + u->decode_ns == 0)
        return;
    /* Names as llama-server has them: its clients show these. */
    const int n_read = u->n_prompt_tok - u->n_cached_tok, n_decoded = u->n_gen_tok > 1 ? u->n_gen_tok - 1 : 0;
    buf_printf(out, ",\"timings\":{\"queue_ms\":%.3f,\"cache_n\":%d,\"prompt_n\":%d,\"prompt_ms\":%.3f,\"predicted_n\":%d,\"predicted_ms\":%.3f",
               (double)u->queue_ns / 1e6, u->n_cached_tok, n_read, (double)u->prefill_ns / 1e6, u->n_gen_tok,
               (double)u->decode_ns / 1e6);
    put_rate(out, "prompt_per_second", n_read, u->prefill_ns);
    put_rate(out, "predicted_per_second", n_decoded, u->decode_ns);
    buf_putc(out, '}');
}

void openai_put_reply_begin(struct buf *out, enum openai_task task, const struct openai_head *h)
{
    put_head(out, h, task == OPENAI_CHAT ? "chat.completion" : "text_completion");
}

void openai_put_reply_choice(struct buf *out, enum openai_task task, const struct openai_choice *c, bool is_first)
{
    if (!is_first)
        buf_putc(out, ',');
    buf_puts(out, "{\"index\":");
    put_i64(out, c->index);
    if (task == OPENAI_CHAT) {
        buf_puts(out, ",\"message\":{\"role\":\"assistant\",\"content\":");
        buf_put_json(out, c->text, c->n_text);
        buf_puts(out, ",\"refusal\":null}");
    } else {
        buf_puts(out, ",\"text\":");
        buf_put_json(out, c->text, c->n_text);
    }
    put_logprobs(out, task, c);
    put_finish(out, c->finish_reason);
    buf_putc(out, '}');
}

static void put_more(struct buf *out, const struct openai_head *h)
{
    if (h->more)
        buf_puts(out, h->more);
}

void openai_put_reply_end(struct buf *out, const struct openai_head *h, const struct openai_usage *u)
{
    buf_puts(out, "],");
    put_usage(out, u);
    put_more(out, h);
    buf_putc(out, '}');
}

/* ---- events ---- */

static const char *chunk_object(enum openai_task task)
{
    return task == OPENAI_CHAT ? "chat.completion.chunk" : "text_completion";
}

static void end_chunk(struct buf *out, const struct openai_head *h, bool with_usage)
{
    buf_puts(out, with_usage ? "],\"usage\":null" : "]");
    put_more(out, h);
    buf_puts(out, "}\n\n");
}

void openai_put_chunk_role(struct buf *out, const struct openai_head *h, int index, bool with_usage)
{
    buf_puts(out, "data: ");
    put_head(out, h, chunk_object(OPENAI_CHAT));
    buf_puts(out, "{\"index\":");
    put_i64(out, index);
    buf_puts(out, ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}");
    end_chunk(out, h, with_usage);
}

void openai_put_chunk(struct buf *out, enum openai_task task, const struct openai_head *h, const struct openai_choice *c,
                      bool with_usage)
{
    buf_puts(out, "data: ");
    put_head(out, h, chunk_object(task));
    buf_puts(out, "{\"index\":");
    put_i64(out, c->index);
    if (task != OPENAI_CHAT) {
        buf_puts(out, ",\"text\":");
        buf_put_json(out, c->text, c->n_text);
    } else if (c->finish_reason) {
        buf_puts(out, ",\"delta\":{}");
    } else {
        buf_puts(out, ",\"delta\":{\"content\":");
        buf_put_json(out, c->text, c->n_text);
        buf_putc(out, '}');
    }
    put_logprobs(out, task, c);
    put_finish(out, c->finish_reason);
    buf_putc(out, '}');
    end_chunk(out, h, with_usage);
}

void openai_put_chunk_usage(struct buf *out, enum openai_task task, const struct openai_head *h, const struct openai_usage *u)
{
    buf_puts(out, "data: ");
    put_head(out, h, chunk_object(task));
    buf_puts(out, "],");
    put_usage(out, u);
    put_more(out, h);
    buf_puts(out, "}\n\n");
}

void openai_put_chunk_error(struct buf *out, const struct openai_error *e)
{
    buf_puts(out, "data: ");
    openai_put_error(out, e);
    buf_puts(out, "\n\n");
}

void openai_put_chunk_end(struct buf *out) { buf_puts(out, "data: [DONE]\n\n"); }

/* ---- embeddings, models ---- */

void openai_put_embeddings_begin(struct buf *out) { buf_puts(out, "{\"object\":\"list\",\"data\":["); }

void openai_put_embedding(struct buf *out, int index, const float *v, int n, bool is_base64, bool is_first)
{
    if (!is_first)
        buf_putc(out, ',');
    buf_puts(out, "{\"object\":\"embedding\",\"index\":");
    put_i64(out, index);
    buf_puts(out, ",\"embedding\":");
    if (is_base64) { /* little-endian float32, as this machine has them */
        buf_putc(out, '"');
        put_base64(out, v, (size_t)n * sizeof(*v));
        buf_putc(out, '"');
    } else {
        buf_putc(out, '[');
        for (int i = 0; i < n; i++) {
            if (i > 0)
                buf_putc(out, ',');
            put_f32(out, v[i]);
        }
        buf_putc(out, ']');
    }
    buf_putc(out, '}');
}

void openai_put_embeddings_end(struct buf *out, const struct openai_head *h, int n_prompt_tok)
{
    buf_puts(out, "],\"model\":");
    buf_put_json_text(out, h->model);
    buf_printf(out, ",\"usage\":{\"prompt_tokens\":%d,\"total_tokens\":%d}", n_prompt_tok, n_prompt_tok);
    put_more(out, h);
    buf_putc(out, '}');
}

void openai_put_models_begin(struct buf *out) { buf_puts(out, "{\"object\":\"list\",\"data\":["); }
void openai_put_models_end(struct buf *out) { buf_puts(out, "]}"); }

void openai_put_model(struct buf *out, const struct openai_model *m)
{
    buf_puts(out, "{\"id\":");
    buf_put_json_text(out, m->id);
    buf_puts(out, ",\"object\":\"model\",\"created\":");
    put_i64(out, m->created_s);
    buf_puts(out, ",\"owned_by\":\"tutti\"");
    if (m->state) {
        buf_puts(out, ",\"state\":");
        buf_put_json_text(out, m->state);
    }
    if (m->tasks) {
        buf_puts(out, ",\"tasks\":[");
        for (int i = 0; m->tasks[i]; i++) {
            buf_puts(out, i ? "," : "");
            buf_put_json_text(out, m->tasks[i]);
        }
        buf_putc(out, ']');
    }
    if (m->n_ctx > 0)
        buf_printf(out,
                   ",\"max_model_len\":%d,\"meta\":{\"n_ctx\":%d,\"n_ctx_train\":%d,\"n_vocab\":%d,\"n_embd\":%d,\"n_params\":%llu,\"size\":%llu}",
                   m->n_ctx, m->n_ctx, m->n_ctx_train, m->n_vocab, m->n_embd, (unsigned long long)m->n_params,
                   (unsigned long long)m->file_bytes);
    buf_putc(out, '}');
}
