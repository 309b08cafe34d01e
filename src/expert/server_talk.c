/* expert/server_talk.c - one job's request to its server and the answer; start at talk_begin(), then on_end(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "expert/server_internal.h"
#include "wire/oip.h"
#include "wire/ollama.h"
#include "wire/openai_client.h"
#include "wire/put.h"

enum { REQUEST_BYTES_MAX = 256 << 20, EVENT_BYTES_MAX = 8 << 20, ERROR_BYTES_MAX = 64 << 10, TOKENS_MAX = 64, PICTURE_TEXT = 512,
       EXPLAIN_MS = 200 /* a connection breaks a moment before the death that explains it is seen */ };
static const char boundary[] = "tutti-8c1d5f0e2b7a49d6";

/* ---- requests ---- */

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

static bool put_text_request(struct work *w, struct err *err)
{
    const struct expert_server *e = w->server;
    const struct job *j = w->job;
    struct openai_request r = { .model = e->cfg.model, .vars = j->vars, .n_logprobs = -1 };
    struct openai_bias *biases = NULL;
    r.task = j->task == EXPERT_EMBED ? OPENAI_EMBEDDING : j->task == EXPERT_COMPLETE ? OPENAI_COMPLETION : OPENAI_CHAT;
    if (j->task != EXPERT_CHAT) {
        r.inputs = arena_alloc(j->arena, (size_t)j->n_inputs, sizeof(*r.inputs), err);
        if (!r.inputs)
            return false;
        r.n_inputs = j->n_inputs;
        for (int i = 0; i < j->n_inputs; i++)
            r.inputs[i] = (struct openai_input){ j->inputs[i].text, j->inputs[i].n_text, j->inputs[i].ids, j->inputs[i].n_ids };
    }
    if (j->task != EXPERT_EMBED) {
        fill_sampling(&r, j);
        for (int i = 0; i < j->n_stops && i < OPENAI_STOPS_MAX; i++)
            r.stops[r.n_stops++] = (struct openai_text){ j->stops[i].text, j->stops[i].n };
        r.n_logprobs = j->n_logprobs;
        r.ignore_eos = j->ignore_eos;
        r.stream = r.include_usage = true;
        if (j->sampling.n_bias > 0) {
            r.biases = biases = arena_alloc(j->arena, (size_t)j->sampling.n_bias, sizeof(*biases), err);
            if (!biases)
                return false;
            for (int i = 0; i < j->sampling.n_bias; i++)
                biases[r.n_biases++] = (struct openai_bias){ j->sampling.bias[i].id, j->sampling.bias[i].bias };
        }
    }
    return e->cfg.protocol == SERVER_OLLAMA ? ollama_put_request(&w->request, &r, err) : openai_put_request(&w->request, &r, err);
}

static const char *picture_type(const unsigned char *b, size_t n)
{
    if (n > 8 && memcmp(b, "\x89PNG", 4) == 0)
        return "image/png";
    if (n > 12 && memcmp(b, "RIFF", 4) == 0 && memcmp(b + 8, "WEBP", 4) == 0)
        return "image/webp";
    return n > 2 && b[0] == 'B' && b[1] == 'M' ? "image/bmp" : "image/jpeg";
}

/* A picture and what is asked of it, as a chat. */
static bool put_describe_request(struct work *w, struct err *err)
{
    const struct task_request *rq = &w->job->request;
    const char *prompt = rq->options.prompt ? rq->options.prompt : "Describe this picture.";
    struct buf url;
    buf_init(&url, REQUEST_BYTES_MAX);
    json_t *parts = json_array(), *vars = NULL;
    bool ok = parts && json_array_append_new(parts, json_pack("{s:s,s:s}", "type", "text", "text", prompt)) == 0;
    for (int i = 0; ok && i < rq->n_media; i++) {
        const struct task_media *m = &rq->media[i];
        if (m->form != MEDIA_ENCODED) {
            err_set(err, ERR_UNSUPPORTED, "a picture for a server: encoded as JPEG, PNG or WebP is wanted");
            json_decref(parts);
            buf_fini(&url);
            return false;
        }
        buf_clear(&url);
        buf_printf(&url, "data:%s;base64,", picture_type(m->bytes, m->n_bytes));
        put_base64(&url, m->bytes, m->n_bytes);
        ok = !url.failed && json_array_append_new(parts, json_pack("{s:s,s:{s:s}}", "type", "image_url", "image_url", "url", url.data)) == 0;
    }
    buf_fini(&url);
    if (ok)
        vars = json_pack("{s:[{s:s,s:o}]}", "messages", "role", "user", "content", parts);
    else
        json_decref(parts);
    if (!vars)
        return err_set(err, ERR_NOMEM, "a request: out of memory");
    struct openai_request r = { .task = OPENAI_CHAT, .model = w->server->cfg.model, .vars = vars, .n_logprobs = -1, .stream = true, .include_usage = true };
    ok = w->server->cfg.protocol == SERVER_OLLAMA ? ollama_put_request(&w->request, &r, err) : openai_put_request(&w->request, &r, err);
    json_decref(vars);
    return ok;
}

static const char *sound_name(const unsigned char *b, size_t n, const char **type)
{
    static const struct {
        const char *mark, *name, *type;
    } kinds[] = { { "RIFF", "sound.wav", "audio/wav" }, { "fLaC", "sound.flac", "audio/flac" }, { "OggS", "sound.ogg", "audio/ogg" },
                  { "\x1a\x45\xdf\xa3", "sound.webm", "audio/webm" } };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (n > 4 && memcmp(b, kinds[i].mark, 4) == 0) {
            *type = kinds[i].type;
            return kinds[i].name;
        }
    *type = "audio/mpeg";
    return "sound.mp3";
}

static void put_u32(struct buf *b, uint32_t v)
{
    const unsigned char le[] = { (unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16), (unsigned char)(v >> 24) };
    buf_append(b, le, 4);
}

/* Samples as a WAV file of 16 bits. */
static void put_wav(struct buf *b, const struct task_media *m)
{
    const size_t n = m->n_bytes / 4;
    const float *s = m->bytes;
    buf_puts(b, "RIFF"), put_u32(b, (uint32_t)(36 + 2 * n)), buf_puts(b, "WAVEfmt "), put_u32(b, 16), put_u32(b, 1 | 1 << 16);
    put_u32(b, (uint32_t)m->rate_hz), put_u32(b, (uint32_t)m->rate_hz * 2), put_u32(b, 2 | 16 << 16), buf_puts(b, "data"), put_u32(b, (uint32_t)(2 * n));
    for (size_t i = 0; i < n; i++) {
        const float x = s[i] > 1 ? 1 : s[i] > -1 ? s[i] : -1; /* NaN too */
        const int16_t v = (int16_t)lrintf(x * 32767);
        buf_append(b, &v, 2); /* little-endian machines only, as the rest of the program */
    }
}

static bool put_transcribe_request(struct work *w, struct http_piece *sound, struct err *err)
{
    const struct task_request *rq = &w->job->request;
    const struct task_options *o = &rq->options;
    const char *type, *name;
    char temperature[32];
    if (rq->n_media != 1)
        return err_set(err, ERR_INPUT, "one sound is wanted, these are %d", rq->n_media);
    *sound = (struct http_piece){ rq->media[0].bytes, rq->media[0].n_bytes };
    if (rq->media[0].form == MEDIA_F32) {
        put_wav(&w->request, &rq->media[0]);
        if (!buf_ok(&w->request, "a sound", err))
            return false;
        *sound = (struct http_piece){ w->request.data, w->request.len };
    } else if (rq->media[0].form != MEDIA_ENCODED) {
        return err_set(err, ERR_INPUT, "a sound is wanted, this is a picture");
    }
    name = sound_name(sound->bytes, sound->n, &type);
    snprintf(temperature, sizeof(temperature), "%g", (double)o->temperature);
    const struct openai_form_field fields[] = {
        { "model", w->server->cfg.model },
        { "response_format", "verbose_json" },
        { "language", o->language },
        { "prompt", o->prompt },
        { "temperature", o->temperature > 0 ? temperature : NULL },
        { "timestamp_granularities[]", "segment" },
        { "timestamp_granularities[]", o->wants_words ? "word" : NULL },
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (fields[i].value && strstr(fields[i].value, boundary))
            return err_set(err, ERR_INPUT, "%s: a text that no form can hold", fields[i].name);
    openai_put_form(&w->before, &w->after, boundary, fields, (int)(sizeof(fields) / sizeof(fields[0])), "file", name, type);
    return buf_ok(&w->before, "a request", err) && buf_ok(&w->after, "a request", err);
}

static bool put_speak_request(struct work *w, struct err *err)
{
    const struct task_request *rq = &w->job->request;
    const char *voice = rq->options.voice ? rq->options.voice : w->server->cfg.voice;
    struct buf *b = &w->request;
    if (rq->n_texts != 1)
        return err_set(err, ERR_INPUT, "one text is wanted, these are %d", rq->n_texts);
    buf_puts(b, "{\"model\":");
    buf_put_json(b, w->server->cfg.model, strlen(w->server->cfg.model));
    buf_puts(b, ",\"input\":");
    buf_put_json(b, rq->texts[0].text, rq->texts[0].n);
    buf_puts(b, ",\"voice\":");
    buf_put_json(b, *voice ? voice : "alloy", strlen(*voice ? voice : "alloy"));
    if (rq->options.speed > 0)
        buf_printf(b, ",\"speed\":%g", (double)rq->options.speed);
    buf_puts(b, ",\"response_format\":\"wav\"}");
    return buf_ok(b, "a request", err);
}

/* Tensors as they are behind the JSON, or inside it. */
static bool put_infer_request(struct work *w, struct http_piece *body, int *n_body, struct err *err)
{
    const struct task_request *rq = &w->job->request;
    const bool is_binary = w->server->cfg.is_binary;
    if (rq->n_tensors < 1 || rq->n_tensors > TASK_TENSORS_MAX)
        return err_set(err, ERR_INPUT, "inputs: 1 to %d tensors are wanted", TASK_TENSORS_MAX);
    if (!oip_put_request(&w->request, rq->tensors, rq->n_tensors, rq->outputs, rq->n_outputs, is_binary, rq->session, rq->session_start,
                         rq->session_end, err))
        return false;
    w->n_json = w->request.len;
    const bool fits = 1 + rq->n_tensors <= HTTP_PIECES_MAX;
    for (int i = 0; is_binary && i < rq->n_tensors && !fits; i++)
        buf_append(&w->request, rq->tensors[i].data, rq->tensors[i].n_bytes);
    if (!buf_ok(&w->request, "a request", err))
        return false;
    body[(*n_body)++] = (struct http_piece){ w->request.data, w->request.len };
    for (int i = 0; is_binary && i < rq->n_tensors && fits; i++)
        body[(*n_body)++] = (struct http_piece){ rq->tensors[i].data, rq->tensors[i].n_bytes };
    return true;
}

/* ---- answers: text ---- */

static void fail_talk(struct work *w, const struct err *err)
{
    if (!w->has_failed)
        w->fail = *err;
    w->has_failed = true;
}

static void emit_text(struct work *w, int choice, const char *text, size_t n, const struct expert_token *tokens, int n_tokens)
{
    if (n == 0 && n_tokens == 0)
        return;
    work_progress(w, true);
    w->n_pieces++;
    if (w->job->task == EXPERT_DESCRIBE) {
        buf_append(&w->before, text, n); /* which such a request does not use */
        return;
    }
    work_emit(w, &(struct expert_event){ .kind = EXPERT_DELTA, .choice = choice, .text = text, .n_text = n, .tokens = tokens, .n_tokens = n_tokens });
}

/* Reasoning stands between tags, as models write it themselves. */
static void emit_piece(struct work *w, int choice, const char *thought, size_t n_thought, const char *text, size_t n_text)
{
    struct choice *c = &w->choices[choice];
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
static void keep_tool_calls(struct choice *c, const json_t *calls)
{
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

static void end_choice(struct work *w, int choice, const char *reason)
{
    struct choice *c = &w->choices[choice];
    struct expert_server *e = w->server;
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
    w->has_output = true;
    pthread_mutex_lock(&e->lock);
    e->m.done_total[is_long ? EXPERT_END_LENGTH : EXPERT_END_STOP]++;
    pthread_mutex_unlock(&e->lock);
    if (w->job->task != EXPERT_DESCRIBE)
        work_emit(w, &(struct expert_event){ .kind = EXPERT_CHOICE_END, .choice = choice, .reason = is_long ? EXPERT_LENGTH : EXPERT_STOP });
}

static void take_usage(struct work *w, const struct openai_usage *u)
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

static void emit_tokens(struct work *w, const struct openai_piece *p)
{
    struct expert_token tokens[TOKENS_MAX], top[TOKENS_MAX][JOB_LOGPROBS_MAX];
    const size_t n = json_array_size(p->logprobs);
    for (size_t i = 0; i < n && i < TOKENS_MAX; i++)
        read_token(json_array_get(p->logprobs, i), &tokens[i], top[i]);
    emit_text(w, p->index, p->text, p->n_text, tokens, (int)(n < TOKENS_MAX ? n : TOKENS_MAX));
}

static bool take_openai(struct work *w, const char *json, size_t n)
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
            emit_piece(w, p.index, p.reasoning, p.n_reasoning, p.text, p.n_text);
        if (p.tool_calls) {
            keep_tool_calls(&w->choices[p.index], p.tool_calls);
            work_progress(w, true);
        }
        if (p.finish_reason)
            end_choice(w, p.index, p.finish_reason);
    }
    if (ok && a.has_usage)
        take_usage(w, &a.usage);
    w->is_done = w->is_done || (ok && a.is_done);
    openai_answer_fini(&a);
    if (!ok)
        fail_talk(w, &err);
    return ok;
}

static bool take_ollama(struct work *w, const char *json, size_t n)
{
    struct ollama_line l;
    struct err err = { 0 };
    const bool ok = ollama_read_line(&l, json, n, &err);
    if (ok) {
        emit_piece(w, 0, l.thinking, l.n_thinking, l.text, l.n_text);
        if (l.tool_calls)
            keep_tool_calls(&w->choices[0], l.tool_calls);
        if (l.is_done) {
            take_usage(w, &l.usage);
            end_choice(w, 0, l.done_reason);
            w->is_done = true;
        }
    } else {
        fail_talk(w, &err);
    }
    ollama_line_fini(&l);
    return ok;
}

static bool on_event(void *ctx, const char *data, size_t n)
{
    struct work *w = ctx;
    return w->server->cfg.protocol == SERVER_OLLAMA ? take_ollama(w, data, n) : take_openai(w, data, n);
}

/* ---- answers: sound ---- */

/* The header of a WAV file of 16 bits, mono or stereo, once it is whole.  false with err: another form. */
static bool read_wav_header(struct work *w, size_t *n_header, struct err *err)
{
    const unsigned char *b = (const unsigned char *)w->whole.data;
    const size_t n = w->whole.len;
    size_t at = 12;
    *n_header = 0;
    if (n < 12)
        return true;
    if (memcmp(b, "RIFF", 4) != 0 || memcmp(b + 8, "WAVE", 4) != 0)
        return err_set(err, ERR_IO, "the server's answer: not a WAV file");
    while (at + 8 <= n) {
        const uint32_t size = b[at + 4] | (uint32_t)b[at + 5] << 8 | (uint32_t)b[at + 6] << 16 | (uint32_t)b[at + 7] << 24;
        if (memcmp(b + at, "data", 4) == 0) {
            *n_header = at + 8;
            return w->rate_hz > 0 || err_set(err, ERR_IO, "the server's answer: a WAV file without a format");
        }
        if (size > 4096)
            return err_set(err, ERR_IO, "the server's answer: a WAV file with a strange header");
        if (at + 8 + size > n)
            return true; /* more must come */
        if (memcmp(b + at, "fmt ", 4) == 0 && size >= 16) {
            const unsigned char *f = b + at + 8;
            w->rate_hz = (int)(f[4] | (uint32_t)f[5] << 8 | (uint32_t)f[6] << 16);
            if (f[0] != 1 || f[2] != 1 || f[14] != 16 || w->rate_hz < 4000 || w->rate_hz > 192000)
                return err_set(err, ERR_UNSUPPORTED, "the server's answer: sound in another form than 16 bits, mono");
        }
        at += 8 + size + (size & 1);
    }
    return n < 4096 + 64 || err_set(err, ERR_IO, "the server's answer: a WAV file without sound");
}

static bool take_sound(struct work *w, const char *bytes, size_t n, struct err *err)
{
    size_t at = 0;
    buf_append(&w->whole, bytes, n);
    if (!buf_ok(&w->whole, "sound", err))
        return false;
    if (w->n_audio == 0) {
        if (!read_wav_header(w, &at, err))
            return false;
        if (at == 0)
            return true;
        w->n_audio = 1; /* the header is behind us */
    }
    while (w->whole.len - at >= 2) {
        float s[2400];
        int k = 0;
        for (; k < 2400 && w->whole.len - at >= 2; k++, at += 2) {
            const unsigned char *b = (const unsigned char *)w->whole.data + at;
            s[k] = (float)(int16_t)(b[0] | b[1] << 8) / 32768.0f;
        }
        work_progress(w, true);
        w->n_audio += (uint64_t)k * 2;
        work_emit(w, &(struct expert_event){ .kind = EXPERT_AUDIO, .samples = s, .n_samples = k, .rate_hz = w->rate_hz });
    }
    const char odd = w->whole.len > at ? w->whole.data[at] : 0;
    const bool has_odd = w->whole.len > at;
    buf_clear(&w->whole);
    if (has_odd)
        buf_append(&w->whole, &odd, 1);
    return true;
}

/* ---- answers: what is read whole ---- */

static void on_vector(void *ctx, int index, const float *v, int n)
{
    struct work *w = ctx;
    work_progress(w, true);
    work_emit(w, &(struct expert_event){ .kind = EXPERT_VECTOR, .choice = index, .vector = v, .n_vector = n });
}

static bool take_embeddings(struct work *w, struct err *err)
{
    struct openai_usage u = { 0 };
    const char *s = w->whole.data ? w->whole.data : "";
    const bool ok = w->server->cfg.protocol == SERVER_OLLAMA ? ollama_read_embeddings(s, w->whole.len, w->job->n_inputs, on_vector, w, &u, err)
                                                             : openai_read_embeddings(s, w->whole.len, w->job->n_inputs, on_vector, w, &u, err);
    if (ok)
        take_usage(w, &u);
    return ok;
}

static void emit_result(struct work *w, const struct task_result *r)
{
    work_progress(w, true);
    work_emit(w, &(struct expert_event){ .kind = EXPERT_RESULT, .result = r });
}

static bool take_transcript(struct work *w, struct err *err)
{
    struct arena *a = arena_new(64 << 20, err);
    struct openai_transcript t;
    bool ok = a && openai_read_transcript(&t, w->whole.data ? w->whole.data : "", w->whole.len, a, err);
    struct result_segment *segments = ok ? arena_alloc(a, (size_t)t.n_segments, sizeof(*segments), err) : NULL;
    struct result_word *words = segments ? arena_alloc(a, (size_t)t.n_words, sizeof(*words), err) : NULL;
    ok = ok && words;
    if (ok) {
        for (int i = 0; i < t.n_segments; i++) {
            const struct openai_segment *s = &t.segments[i];
            segments[i] = (struct result_segment){ .start_s = s->start_s, .end_s = s->end_s, .text = s->text + strspn(s->text, " "),
                                                   .avg_logprob = s->avg_logprob, .no_speech_prob = s->no_speech_prob,
                                                   .compression_ratio = s->compression_ratio, .temperature = s->temperature,
                                                   .score = s->avg_logprob < 0 ? expf(s->avg_logprob) : 0 };
        }
        for (int i = 0; i < t.n_words; i++)
            words[i] = (struct result_word){ .text = t.words[i].text + strspn(t.words[i].text, " "), .start_s = t.words[i].start_s, .end_s = t.words[i].end_s };
        const struct task_result r = { .text = t.text + strspn(t.text, " "), .segments = segments, .n_segments = t.n_segments, .words = words,
                                       .n_words = t.n_words, .language = t.language, .duration_s = t.duration_s };
        emit_result(w, &r);
    }
    arena_free(a);
    return ok;
}

static bool take_tensors(struct work *w, struct err *err)
{
    struct arena *a = arena_new((size_t)w->server->cfg.max_answer_bytes * 2 + (1 << 20), err);
    struct oip_request *r = a ? arena_alloc(a, 1, sizeof(*r), err) : NULL;
    const size_t n_json = w->n_json_answer ? w->n_json_answer : w->whole.len;
    bool ok = r != NULL;
    if (ok && n_json > w->whole.len)
        ok = err_set(err, ERR_IO, "the server's answer: shorter than its header says");
    if (ok && !oip_read_reply(r, w->whole.data ? w->whole.data : "", w->whole.len, n_json, a, err)) {
        err->code = ERR_IO;
        ok = err_prefix(err, "the server's answer");
    }
    for (int i = 0; ok && i < r->n_inputs; i++) {
        work_progress(w, true);
        work_emit(w, &(struct expert_event){ .kind = EXPERT_TENSOR, .tensor = &r->inputs[i] });
    }
    arena_free(a);
    return ok;
}

/* The answer has come in full: does it hold what it should? */
static bool take_end(struct work *w, struct err *err)
{
    switch (w->job->task) {
    case EXPERT_EMBED: return take_embeddings(w, err);
    case EXPERT_TRANSCRIBE: return take_transcript(w, err);
    case EXPERT_INFER: return take_tensors(w, err);
    case EXPERT_SPEAK: return w->n_audio > 0 || err_set(err, ERR_IO, "the server's answer: no sound in it");
    default: break;
    }
    if (w->reading == READ_WHOLE) /* the server does not stream */
        take_openai(w, w->whole.data ? w->whole.data : "", w->whole.len);
    else
        events_end(&w->events, on_event, w);
    if (w->has_failed) {
        *err = w->fail;
        return false;
    }
    if (w->n_ended < w->n_choices && !w->is_done)
        return err_set(err, ERR_IO, "the server's answer ended before it was complete");
    for (int i = 0; i < w->n_choices; i++)
        end_choice(w, i, NULL);
    if (w->job->task == EXPERT_DESCRIBE)
        emit_result(w, &(struct task_result){ .text = w->before.data ? w->before.data : "" });
    return true;
}

/* ---- a call's life ---- */

static void on_head(void *ctx, const struct http_head *h)
{
    struct work *w = ctx;
    const char *type = http_head_get(h, "content-type");
    const bool is_json = type && strncmp(type, "application/json", 16) == 0;
    const char *n_json = http_head_get(h, "inference-header-content-length");
    w->n_json_answer = n_json ? (size_t)strtoul(n_json, NULL, 10) : 0;
    w->status = h->status;
    if (h->status < 200 || h->status > 299)
        w->reading = READ_ERROR, w->whole.max_bytes = ERROR_BYTES_MAX;
    else if (w->job->task == EXPERT_SPEAK)
        w->reading = READ_AUDIO;
    else if (w->job->task & (EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_DESCRIBE) && !(is_json && w->server->cfg.protocol == SERVER_OPENAI))
        w->reading = READ_EVENTS;
    else
        w->reading = READ_WHOLE;
}

/* The server says what is wrong, or sends nonsense: what came is what counts. */
static void end_failed(struct work *w, const struct err *err)
{
    struct expert_server *e = w->server;
    struct err why = *err;
    err_prefix(&why, "%s", e->id);
    if (why.code == ERR_IO && !w->has_output)
        work_again(w, 0, &why);
    else
        work_end(w, &why);
}

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct work *w = ctx;
    struct err err = { 0 };
    bool ok = true;
    switch (w->reading) {
    case READ_EVENTS:
        ok = events_put(&w->events, bytes, n, on_event, w);
        if (!ok && !w->has_failed)
            err_set(&err, ERR_IO, "the server's answer: an event of more than %d bytes", EVENT_BYTES_MAX);
        break;
    case READ_AUDIO: ok = take_sound(w, bytes, n, &err); break;
    case READ_ERROR: buf_append(&w->whole, bytes, n); break; /* its begin says enough */
    case READ_WHOLE:
        buf_append(&w->whole, bytes, n);
        ok = buf_ok(&w->whole, "the server's answer", &err);
        work_progress(w, false);
        break;
    }
    if (!ok)
        end_failed(w, w->has_failed ? &w->fail : &err);
}

/* It answers: what it takes is asked once. */
static void want_info(struct expert_server *e)
{
    pthread_mutex_lock(&e->lock);
    if (!e->has_asked_info)
        e->n_hellos_asked++;
    e->has_asked_info = true;
    pthread_mutex_unlock(&e->lock);
}

static void on_end(void *ctx, enum http_end how, const struct err *err)
{
    struct work *w = ctx;
    struct expert_server *e = w->server;
    struct err why = { 0 };
    w->call = NULL;
    if (how == HTTP_END_DONE && w->status >= 200 && w->status < 300) {
        if (!take_end(w, &why)) {
            end_failed(w, &why);
            return;
        }
        if (e->cfg.is_child)
            child_answered(e);
        if (w->job->task == EXPERT_INFER)
            want_info(e);
        work_end(w, NULL);
    } else if (how == HTTP_END_DONE) {
        openai_read_error(w->status, w->whole.data ? w->whole.data : "", w->whole.len, &why);
        err_prefix(&why, "%s", e->id);
        if (w->status == 503 && e->cfg.is_child)
            work_again(w, 200, &why); /* ready, but not quite */
        else
            work_end(w, &why);
    } else if (how == HTTP_END_TOO_LONG || how == HTTP_END_BROKEN || how == HTTP_END_LATE) {
        why = *err;
        end_failed(w, &why);
    } else if (e->cfg.is_child && !child_is_gone(e)) {
        w->lost = *err; /* a death that explains it is seen in a moment */
        err_prefix(&w->lost, "%s", e->id);
        w->lost_by_ms = server_now_ms(e) + EXPLAIN_MS;
        if (how == HTTP_END_CONNECT) {
            pthread_mutex_lock(&e->lock);
            e->f.port_losses_total++;
            pthread_mutex_unlock(&e->lock);
            child_fail(e, "it lost its port");
        }
        server_soon(e);
    } else if (!e->cfg.is_child) {
        why = *err;
        err_prefix(&why, "%s", e->id);
        work_again(w, 200, &why);
    } /* else: child_is_gone() has seen to all that ran there */
}

static void reset_answer(struct work *w)
{
    for (int i = 0; w->choices && i < w->n_choices; i++)
        buf_fini(&w->choices[i].tool_calls);
    free(w->choices);
    w->choices = NULL;
    w->n_choices = w->n_ended = 0;
    w->is_done = w->has_failed = false;
    w->is_held = false;
    w->lost_by_ms = 0;
    w->status = 0;
    w->rate_hz = 0;
    w->n_audio = 0;
}

void talk_stop(struct work *w)
{
    http_call_cancel(w->call);
    w->call = NULL;
    reset_answer(w);
}

bool talk_begin(struct work *w, struct err *err)
{
    static const struct http_call_fns fns = { on_head, on_data, on_end };
    struct expert_server *e = w->server;
    const struct job *j = w->job;
    struct http_piece body[HTTP_PIECES_MAX] = { { 0 } };
    int n_body = 0;
    char path[1200], n_json[24];
    const char *what = "", *type = "application/json";
    bool ok;

    reset_answer(w);
    buf_fini(&w->request), buf_fini(&w->before), buf_fini(&w->after), buf_fini(&w->whole), events_fini(&w->events);
    buf_init(&w->request, REQUEST_BYTES_MAX);
    buf_init(&w->before, REQUEST_BYTES_MAX);
    buf_init(&w->after, 256);
    buf_init(&w->whole, (size_t)e->cfg.max_answer_bytes);
    events_init(&w->events, e->cfg.protocol == SERVER_OLLAMA ? EVENTS_LINES : EVENTS_SSE, EVENT_BYTES_MAX);
    const bool is_ollama = e->cfg.protocol == SERVER_OLLAMA;
    switch (j->task) {
    case EXPERT_CHAT: what = is_ollama ? "/api/chat" : "/chat/completions", ok = put_text_request(w, err); break;
    case EXPERT_COMPLETE: what = "/completions", ok = put_text_request(w, err); break;
    case EXPERT_EMBED: what = is_ollama ? "/api/embed" : "/embeddings", ok = put_text_request(w, err); break;
    case EXPERT_DESCRIBE: what = is_ollama ? "/api/chat" : "/chat/completions", ok = put_describe_request(w, err); break;
    case EXPERT_SPEAK: what = "/audio/speech", ok = put_speak_request(w, err); break;
    case EXPERT_TRANSCRIBE:
        what = "/audio/transcriptions";
        type = "multipart/form-data; boundary=tutti-8c1d5f0e2b7a49d6";
        ok = put_transcribe_request(w, &body[1], err);
        break;
    case EXPERT_INFER:
        what = "/infer";
        ok = put_infer_request(w, body, &n_body, err);
        if (e->cfg.is_binary)
            type = "application/octet-stream";
        break;
    default: ok = err_set(err, ERR_UNSUPPORTED, "%s cannot do '%s'", e->id, expert_task_name(j->task));
    }
    if (!ok)
        return false;
    if (j->task == EXPERT_TRANSCRIBE) {
        body[0] = (struct http_piece){ w->before.data, w->before.len };
        body[2] = (struct http_piece){ w->after.data, w->after.len };
        n_body = 3;
    } else if (j->task != EXPERT_INFER) {
        body[n_body++] = (struct http_piece){ w->request.data, w->request.len };
    }
    if (j->task & (EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_DESCRIBE)) {
        w->n_choices = j->task == EXPERT_DESCRIBE ? 1 : j->n_choices * (j->task == EXPERT_COMPLETE ? j->n_inputs : 1);
        w->choices = calloc((size_t)w->n_choices, sizeof(*w->choices));
        if (!w->choices) {
            w->n_choices = 0;
            return err_set(err, ERR_NOMEM, "%s: no memory for an answer", e->id);
        }
        for (int i = 0; i < w->n_choices; i++)
            buf_init(&w->choices[i].tool_calls, 1 << 20);
    }
    if (e->cfg.protocol == SERVER_OIP)
        snprintf(path, sizeof(path), "%s/v2/models/%s%s", e->cfg.base, e->cfg.model, what);
    else
        snprintf(path, sizeof(path), "%s%s", e->cfg.base, what);
    struct http_field fields[5] = { { "content-type", type }, { "accept", "*/*" }, { "user-agent", "tutti/" TUTTI_VERSION } };
    int n_fields = 3;
    if (e->cfg.key[0])
        fields[n_fields++] = (struct http_field){ "authorization", e->cfg.key };
    if (j->task == EXPERT_INFER && e->cfg.is_binary) {
        snprintf(n_json, sizeof(n_json), "%zu", w->n_json);
        fields[n_fields++] = (struct http_field){ "inference-header-content-length", n_json };
    }
    const struct http_ask ask = { .verb = HTTP_VERB_POST, .path = path, .fields = fields, .n_fields = n_fields, .body = body,
                                  .n_body = n_body, .may_repeat = true, .max_body_bytes = UINT32_MAX };
    w->reading = READ_WHOLE;
    w->call = http_client_call(e->client, &ask, &fns, w, err);
    return w->call != NULL || err_prefix(err, "%s", e->id);
}

/* ---- is a server there, and what does its model take? ---- */

static void copy_io(struct task_io *to, int *n_to, const struct tensor *from, int n)
{
    for (int i = 0; i < n && *n_to < TASK_IO_MAX; i++) {
        struct task_io *io = &to[(*n_to)++];
        snprintf(io->name, sizeof(io->name), "%s", from[i].name);
        io->shape = from[i];
        io->shape.name = io->name;
    }
}

/* A description that cannot be read is none: the model answers all the same. */
static struct task_info *read_info(const struct expert_server *e)
{
    struct err err = { 0 };
    struct tensor inputs[OIP_TENSORS_MAX], outputs[OIP_TENSORS_MAX];
    int n_inputs = 0, n_outputs = 0;
    struct arena *a = arena_new(1 << 20, &err);
    struct task_info *info = calloc(1, sizeof(*info));
    if (a && info && oip_read_model(e->hello_body.data ? e->hello_body.data : "", e->hello_body.len, inputs, &n_inputs, outputs, &n_outputs, a, &err)) {
        info->tasks = EXPERT_INFER;
        snprintf(info->runs_on, sizeof(info->runs_on), "%s", e->cfg.runs_on);
        copy_io(info->inputs, &info->n_inputs, inputs, n_inputs);
        copy_io(info->outputs, &info->n_outputs, outputs, n_outputs);
    } else {
        free(info);
        info = NULL;
    }
    arena_free(a);
    return info;
}

static void on_hello_head(void *ctx, const struct http_head *h)
{
    struct expert_server *e = ctx;
    struct err err = { 0 };
    if (h->status == 401 || h->status == 403)
        err_set(&err, ERR_AUTH, "%s: %s wants a key, or another one (status %d)", e->id, e->cfg.target.authority, h->status);
    else if (h->status >= 500)
        err_set(&err, ERR_BUSY, "%s: %s answers with status %d", e->id, e->cfg.target.authority, h->status);
    else if (h->status == 404 && e->cfg.protocol == SERVER_OIP)
        err_set(&err, ERR_NOT_FOUND, "%s: %s has no model '%.80s'", e->id, e->cfg.target.authority, e->cfg.model);
    pthread_mutex_lock(&e->lock);
    e->hello_err = err; /* any other answer comes from somebody who is there */
    pthread_mutex_unlock(&e->lock);
}

static void on_hello_data(void *ctx, const char *bytes, size_t n)
{
    struct expert_server *e = ctx;
    buf_append(&e->hello_body, bytes, n);
}

static void on_hello_end(void *ctx, enum http_end how, const struct err *err)
{
    struct expert_server *e = ctx;
    struct task_info *info = how == HTTP_END_DONE && e->cfg.protocol == SERVER_OIP ? read_info(e) : NULL;
    e->hello = NULL;
    buf_fini(&e->hello_body);
    pthread_mutex_lock(&e->lock);
    if (how != HTTP_END_DONE) {
        e->hello_err = *err;
        err_prefix(&e->hello_err, "%s", e->id);
    }
    if (info) {
        free(e->info);
        e->info = info;
    }
    e->n_hellos = e->n_hellos_asked;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

void talk_hello(struct expert_server *e)
{
    static const struct http_call_fns fns = { on_hello_head, on_hello_data, on_hello_end };
    struct err err = { 0 };
    char path[1200];
    const struct http_field fields[] = { { "user-agent", "tutti/" TUTTI_VERSION }, { "authorization", e->cfg.key } };
    pthread_mutex_lock(&e->lock);
    const bool is_due = e->n_hellos < e->n_hellos_asked;
    pthread_mutex_unlock(&e->lock);
    if (!is_due || e->hello || !e->client || (e->cfg.is_child && e->child.state != SERVER_READY))
        return;
    if (e->cfg.protocol == SERVER_OIP)
        snprintf(path, sizeof(path), "%s/v2/models/%s", e->cfg.base, e->cfg.model);
    else
        snprintf(path, sizeof(path), "%s%s", e->cfg.base, e->cfg.protocol == SERVER_OPENAI ? "/models" : e->cfg.health);
    const struct http_ask ask = { .verb = HTTP_VERB_GET, .path = path, .fields = fields, .n_fields = e->cfg.key[0] ? 2 : 1, .may_repeat = true,
                                  .head_ms = 10000, .idle_ms = 10000, .max_body_bytes = 4 << 20 };
    buf_init(&e->hello_body, 1 << 20);
    e->hello = http_client_call(e->client, &ask, &fns, e, &err);
    if (!e->hello)
        on_hello_end(e, HTTP_END_CONNECT, &err);
}
