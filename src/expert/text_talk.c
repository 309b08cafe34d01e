/* expert/text_talk.c - see text_talk.h; start at text_talk_ask(), then text_talk_take(). */
#include "expert/text_talk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "wire/openai_client.h"

enum { TOKENS_MAX = 64 };

/* ---- the request ---- */

/* What the job says differently from the usual: servers have their own usual. */
static void fill_sampling(struct openai_request *r, const struct job *j)
{
    const struct sampler_params u = sampler_defaults(), *s = &j->sampling;
#define GIVEN(bit, field, value)                                                                   \
    if (s->value != u.value)                                                                       \
        r->field = s->value, r->given |= (bit)
    GIVEN(OPENAI_TEMPERATURE, temperature, temperature);
    GIVEN(OPENAI_TOP_P, top_p, top_p);
    GIVEN(OPENAI_TOP_K, top_k, top_k);
    GIVEN(OPENAI_MIN_P, min_p, min_p);
    GIVEN(OPENAI_TYPICAL_P, typical_p, typical_p);
    GIVEN(OPENAI_REPETITION, repetition_penalty, repetition_penalty);
    GIVEN(OPENAI_REPEAT_LAST_N, repeat_last_n, penalty_last_n);
    GIVEN(OPENAI_PRESENCE, presence_penalty, presence_penalty);
    GIVEN(OPENAI_FREQUENCY, frequency_penalty, frequency_penalty);
    GIVEN(OPENAI_DRY_MULTIPLIER, dry_multiplier, dry_multiplier);
    if (s->seed != u.seed)
        r->seed = (int64_t)(s->seed & INT32_MAX), r->given |= OPENAI_SEED;
    if (j->max_tokens > 0)
        r->max_tokens = j->max_tokens, r->given |= OPENAI_MAX_TOKENS;
    if (j->n_choices > 1)
        r->n = j->n_choices, r->given |= OPENAI_N;
}

bool text_talk_ask(struct buf *out, const struct job *j, const char *model, text_put_fn *put, struct err *err)
{
    const int n_inputs = j->task == EXPERT_CHAT ? 0 : j->n_inputs, n_biases = j->task == EXPERT_EMBED ? 0 : j->sampling.n_bias;
    struct openai_request r = { .model = model, .vars = j->vars, .n_logprobs = -1 };
    r.task = j->task == EXPERT_EMBED ? OPENAI_EMBEDDING : j->task == EXPERT_COMPLETE ? OPENAI_COMPLETION : OPENAI_CHAT;
    r.inputs = calloc((size_t)n_inputs + 1, sizeof(*r.inputs));
    r.biases = calloc((size_t)n_biases + 1, sizeof(*r.biases));
    bool ok = (r.inputs && r.biases) || err_set(err, ERR_NOMEM, "a request: out of memory");
    for (int i = 0; ok && i < n_inputs; i++)
        r.inputs[r.n_inputs++] = (struct openai_input){ j->inputs[i].text, j->inputs[i].n_text, j->inputs[i].ids, j->inputs[i].n_ids };
    for (int i = 0; ok && i < n_biases; i++)
        r.biases[r.n_biases++] = (struct openai_bias){ j->sampling.bias[i].id, j->sampling.bias[i].bias };
    if (j->task != EXPERT_EMBED) {
        fill_sampling(&r, j);
        for (int i = 0; i < j->n_stops && i < OPENAI_STOPS_MAX; i++)
            r.stops[r.n_stops++] = (struct openai_text){ j->stops[i].text, j->stops[i].n };
        r.n_logprobs = j->n_logprobs;
        r.ignore_eos = j->ignore_eos;
        r.stream = r.include_usage = true;
    }
    if (ok)
        ok = put(out, &r, err);
    free(r.inputs);
    free(r.biases);
    return ok;
}

/* ---- life ---- */

bool text_talk_begin(struct text_talk *w, const struct job *job, struct buf *said, const struct text_talk_fns *fns, void *ctx, struct err *err)
{
    const struct text_talk before = *w;
    *w = (struct text_talk){ .job = job, .said = said, .fns = fns, .ctx = ctx, .usage = before.usage, .has_usage = before.has_usage, .n_pieces = before.n_pieces };
    if (!(job->task & (EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_DESCRIBE)))
        return true;
    const int n = job->task == EXPERT_DESCRIBE ? 1 : job->n_choices * (job->task == EXPERT_COMPLETE ? job->n_inputs : 1);
    if (!(w->choices = calloc((size_t)n, sizeof(*w->choices))))
        return err_set(err, ERR_NOMEM, "no memory for an answer");
    w->n_choices = n;
    for (int i = 0; i < n; i++)
        buf_init(&w->choices[i].tool_calls, 1 << 20);
    return true;
}

void text_talk_fini(struct text_talk *w)
{
    for (int i = 0; i < w->n_choices; i++)
        buf_fini(&w->choices[i].tool_calls);
    free(w->choices);
    w->choices = NULL;
    w->n_choices = 0;
}

/* ---- the answer ---- */

void text_talk_fail(struct text_talk *w, const struct err *err)
{
    if (!w->has_failed)
        w->fail = *err;
    w->has_failed = true;
}

static void emit_text(struct text_talk *w, int choice, const char *text, size_t n, const struct expert_token *tokens, int n_tokens)
{
    if (n == 0 && n_tokens == 0)
        return;
    w->fns->progress(w->ctx, true);
    w->n_pieces++;
    if (w->job->task == EXPERT_DESCRIBE) {
        buf_append(w->said, text, n);
        return;
    }
    w->fns->emit(w->ctx, &(struct expert_event){ .kind = EXPERT_DELTA, .choice = choice, .text = text, .n_text = n, .tokens = tokens, .n_tokens = n_tokens });
}

/* Reasoning stands between tags, as models write it themselves. */
void text_talk_piece(struct text_talk *w, int choice, const char *thought, size_t n_thought, const char *text, size_t n_text)
{
    struct text_choice *c = &w->choices[choice];
    if (n_thought > 0) {
        if (!c->is_thinking)
            emit_text(w, choice, "<think>", 7, NULL, 0);
        c->is_thinking = true;
        emit_text(w, choice, thought, n_thought, NULL, 0);
    }
    if (n_text > 0 && c->is_thinking) {
        c->is_thinking = false;
        emit_text(w, choice, "</think>", 8, NULL, 0);
    }
    emit_text(w, choice, text, n_text, NULL, 0);
}

/* Pieces of calls: names and arguments (text, or an object) collect in the form that many models write. */
void text_talk_tool_calls(struct text_talk *w, int choice, const json_t *calls)
{
    struct text_choice *c = &w->choices[choice];
    json_t *call;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)calls, i, call)
    {
        const json_t *fn = json_object_get(call, "function"), *name = json_object_get(fn, "name"), *args = json_object_get(fn, "arguments");
        if (json_is_string(name)) {
            buf_puts(&c->tool_calls, c->tool_calls.len ? "}\n</tool_call>\n<tool_call>\n{\"name\":" : "<tool_call>\n{\"name\":");
            buf_put_json(&c->tool_calls, json_string_value(name), json_string_length(name));
            buf_puts(&c->tool_calls, ",\"arguments\":");
        }
        if (json_is_string(args)) {
            buf_append(&c->tool_calls, json_string_value(args), json_string_length(args));
        } else if (args) {
            char *text = json_dumps(args, JSON_COMPACT);
            buf_puts(&c->tool_calls, text ? text : "{}");
            free(text);
        }
    }
}

void text_talk_end_choice(struct text_talk *w, int choice, const char *reason)
{
    struct text_choice *c = &w->choices[choice];
    const bool is_long = reason && strcmp(reason, "length") == 0;
    if (c->is_ended)
        return;
    if (c->is_thinking)
        emit_text(w, choice, "</think>", 8, NULL, 0);
    if (c->tool_calls.len > 0 && !c->tool_calls.failed) {
        buf_puts(&c->tool_calls, "}\n</tool_call>");
        emit_text(w, choice, c->tool_calls.data, c->tool_calls.len, NULL, 0);
    }
    c->is_ended = true;
    w->n_ended++;
    w->fns->emit(w->ctx, &(struct expert_event){ .kind = EXPERT_CHOICE_END, .choice = choice, .reason = is_long ? EXPERT_LENGTH : EXPERT_STOP });
}

void text_talk_usage(struct text_talk *w, const struct openai_usage *u)
{
    w->usage.n_prompt_tok = u->n_prompt_tok;
    w->usage.n_cached_tok = u->n_cached_tok;
    w->usage.n_gen_tok = u->n_gen_tok;
    w->has_usage = true;
}

/* A token with its alternatives; texts are borrowed from the tree. */
static void read_token(const json_t *o, struct expert_token *t, struct expert_token *top)
{
    const json_t *text = json_object_get(o, "token"), *list = json_object_get(o, "top_logprobs");
    *t = (struct expert_token){ .id = -1, .logprob = (float)json_number_value(json_object_get(o, "logprob")),
                                .text = json_is_string(text) ? json_string_value(text) : "", .n_text = (int)json_string_length(text), .top = top };
    for (size_t i = 0; top && i < json_array_size(list) && i < JOB_LOGPROBS_MAX; i++)
        read_token(json_array_get(list, i), &top[t->n_top++], NULL);
}

static void emit_tokens(struct text_talk *w, const struct openai_piece *p)
{
    struct expert_token tokens[TOKENS_MAX], top[TOKENS_MAX][JOB_LOGPROBS_MAX];
    const size_t n = json_array_size(p->logprobs);
    for (size_t i = 0; i < n && i < TOKENS_MAX; i++)
        read_token(json_array_get(p->logprobs, i), &tokens[i], top[i]);
    emit_text(w, p->index, p->text, p->n_text, tokens, (int)(n < TOKENS_MAX ? n : TOKENS_MAX));
}

bool text_talk_take(struct text_talk *w, const char *json, size_t n)
{
    struct openai_answer a;
    struct openai_piece p;
    struct err err = { 0 };
    bool ok = openai_read_answer(&a, w->job->task == EXPERT_COMPLETE ? OPENAI_COMPLETION : OPENAI_CHAT, json, n, &err);
    for (int i = 0; ok && i < a.n_choices; i++) {
        ok = openai_answer_piece(&a, i, &p, &err) &&
             (p.index < w->n_choices || err_set(&err, ERR_IO, "the server's answer: choice %d was not asked for", p.index));
        if (!ok || w->choices[p.index].is_ended)
            continue;
        if (p.logprobs && w->job->n_logprobs >= 0)
            emit_tokens(w, &p);
        else
            text_talk_piece(w, p.index, p.reasoning, p.n_reasoning, p.text, p.n_text);
        if (p.tool_calls) {
            text_talk_tool_calls(w, p.index, p.tool_calls);
            w->fns->progress(w->ctx, true);
        }
        if (p.finish_reason)
            text_talk_end_choice(w, p.index, p.finish_reason);
    }
    if (ok && a.has_usage)
        text_talk_usage(w, &a.usage);
    w->is_done = w->is_done || (ok && a.is_done);
    openai_answer_fini(&a);
    if (!ok)
        text_talk_fail(w, &err);
    return ok;
}

bool text_talk_end(struct text_talk *w, struct err *err)
{
    if (w->has_failed) {
        *err = w->fail;
        return false;
    }
    if (w->n_ended < w->n_choices && !w->is_done)
        return err_set(err, ERR_IO, "the server's answer ended before it was complete");
    for (int i = 0; i < w->n_choices; i++)
        text_talk_end_choice(w, i, NULL);
    return true;
}
