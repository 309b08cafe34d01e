/* expert/server_talk.c - one job's call to its server and the answer; start at talk_begin(), then on_end(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "expert/server_internal.h"
#include "wire/oip.h"
#include "wire/ollama.h"
#include "wire/openai_client.h"

enum { EVENT_BYTES_MAX = 8 << 20, ERROR_BYTES_MAX = 64 << 10,
       EXPLAIN_MS = 200, /* a connection breaks a moment before the death that explains it is seen */
       PAUSE_MS = 200 /* before a server is asked again that somebody else runs, or that is not quite ready */ };

/* ---- answers: text ---- */

static void on_text(void *ctx, struct expert_event *ev)
{
    struct work *w = ctx;
    struct expert_server *e = w->server;
    if (ev->kind == EXPERT_CHOICE_END) {
        w->has_output = true;
        pthread_mutex_lock(&e->lock);
        e->m.done_total[ev->reason == EXPERT_LENGTH ? EXPERT_END_LENGTH : EXPERT_END_STOP]++;
        pthread_mutex_unlock(&e->lock);
    }
    if (w->job->task != EXPERT_DESCRIBE)
        work_emit(w, ev);
}

static void on_progress(void *ctx, bool is_output) { work_progress(ctx, is_output); }
static const struct text_talk_fns text_fns = { on_text, on_progress };

static bool take_ollama(struct work *w, const char *json, size_t n)
{
    struct ollama_line l;
    struct err err = { 0 };
    const bool ok = ollama_read_line(&l, json, n, &err);
    if (ok) {
        text_talk_piece(&w->talk, 0, l.thinking, l.n_thinking, l.text, l.n_text);
        if (l.tool_calls)
            text_talk_tool_calls(&w->talk, 0, l.tool_calls);
        if (l.is_done) {
            text_talk_usage(&w->talk, &l.usage);
            text_talk_end_choice(&w->talk, 0, l.done_reason);
            w->talk.is_done = true;
        }
    } else {
        text_talk_fail(&w->talk, &err);
    }
    ollama_line_fini(&l);
    return ok;
}

static bool on_event(void *ctx, const char *data, size_t n)
{
    struct work *w = ctx;
    return w->server->cfg.protocol == SERVER_OLLAMA ? take_ollama(w, data, n) : text_talk_take(&w->talk, data, n);
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
        text_talk_usage(&w->talk, &u);
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
        text_talk_take(&w->talk, w->whole.data ? w->whole.data : "", w->whole.len);
    else
        events_end(&w->events, on_event, w);
    if (!text_talk_end(&w->talk, err))
        return false;
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
        if (!ok && !w->talk.has_failed)
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
        end_failed(w, w->talk.has_failed ? &w->talk.fail : &err);
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
            work_again(w, PAUSE_MS, &why);
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
        work_again(w, PAUSE_MS, &why);
    } /* else: child_is_gone() has seen to all that ran there */
}

static void reset_answer(struct work *w)
{
    text_talk_fini(&w->talk);
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
    struct ask_parts ask_parts = { .type = "application/json" };
    char hops[16], path[1200], n_json[24];

    reset_answer(w);
    buf_fini(&w->request), buf_fini(&w->before), buf_fini(&w->after), buf_fini(&w->whole), events_fini(&w->events);
    buf_init(&w->request, REQUEST_BYTES_MAX);
    buf_init(&w->before, REQUEST_BYTES_MAX);
    buf_init(&w->after, 256);
    buf_init(&w->whole, (size_t)e->cfg.max_answer_bytes);
    events_init(&w->events, e->cfg.protocol == SERVER_OLLAMA ? EVENTS_LINES : EVENTS_SSE, EVENT_BYTES_MAX);
    if (!ask_put(w, &ask_parts, err))
        return false;
    if (!text_talk_begin(&w->talk, j, &w->before /* which such a request does not use */, &text_fns, w, err))
        return err_prefix(err, "%s", e->id);
    if (e->cfg.protocol == SERVER_OIP)
        snprintf(path, sizeof(path), "%s/v2/models/%s%s", e->cfg.base, e->cfg.model, ask_parts.what);
    else
        snprintf(path, sizeof(path), "%s%s", e->cfg.base, ask_parts.what);
    snprintf(hops, sizeof(hops), "%d", j->wish.hops + 1);
    struct http_field fields[7] = { { "content-type", ask_parts.type }, { "accept", "*/*" }, { "user-agent", "tutti/" TUTTI_VERSION }, { "tutti-hops", hops } };
    int n_fields = 4;
    if (j->wish.trace[0])
        fields[n_fields++] = (struct http_field){ "traceparent", j->wish.trace };
    if (e->cfg.key[0])
        fields[n_fields++] = (struct http_field){ "authorization", e->cfg.key };
    if (j->task == EXPERT_INFER && e->cfg.is_binary) {
        snprintf(n_json, sizeof(n_json), "%zu", w->n_json);
        fields[n_fields++] = (struct http_field){ "inference-header-content-length", n_json };
    }
    const struct http_ask ask = { .verb = HTTP_VERB_POST, .path = path, .fields = fields, .n_fields = n_fields, .body = ask_parts.body,
                                  .n_body = ask_parts.n_body, .may_repeat = true, .max_body_bytes = UINT32_MAX };
    w->reading = READ_WHOLE;
    w->call = http_client_call(e->client, &ask, &fns, w, err);
    return w->call != NULL || err_prefix(err, "%s", e->id);
}
