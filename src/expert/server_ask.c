/* expert/server_ask.c - a job as its server's dialect: path, type and body of the request; start at ask_put(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expert/server_internal.h"
#include "wire/oip.h"
#include "wire/ollama.h"
#include "wire/openai_client.h"
#include "wire/put.h"

static const char boundary[] = "tutti-8c1d5f0e2b7a49d6";

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
    buf_put_json_text(b, w->server->cfg.model);
    buf_puts(b, ",\"input\":");
    buf_put_json(b, rq->texts[0].text, rq->texts[0].n);
    buf_puts(b, ",\"voice\":");
    buf_put_json_text(b, *voice ? voice : "alloy");
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

bool ask_put(struct work *w, struct ask_parts *p, struct err *err)
{
    const struct expert_server *e = w->server;
    const bool is_ollama = e->cfg.protocol == SERVER_OLLAMA;
    const char *chat = is_ollama ? "/api/chat" : "/chat/completions";
    text_put_fn *put = is_ollama ? ollama_put_request : openai_put_request;
    bool ok;
    switch (w->job->task) {
    case EXPERT_CHAT: p->what = chat, ok = text_talk_ask(&w->request, w->job, e->cfg.model, put, err); break;
    case EXPERT_COMPLETE: p->what = "/completions", ok = text_talk_ask(&w->request, w->job, e->cfg.model, put, err); break;
    case EXPERT_EMBED: p->what = is_ollama ? "/api/embed" : "/embeddings", ok = text_talk_ask(&w->request, w->job, e->cfg.model, put, err); break;
    case EXPERT_DESCRIBE: p->what = chat, ok = put_describe_request(w, err); break;
    case EXPERT_SPEAK: p->what = "/audio/speech", ok = put_speak_request(w, err); break;
    case EXPERT_TRANSCRIBE:
        p->what = "/audio/transcriptions";
        p->type = "multipart/form-data; boundary=tutti-8c1d5f0e2b7a49d6";
        ok = put_transcribe_request(w, &p->body[1], err);
        p->body[0] = (struct http_piece){ w->before.data, w->before.len };
        p->body[2] = (struct http_piece){ w->after.data, w->after.len };
        p->n_body = 3;
        return ok;
    case EXPERT_INFER:
        p->what = "/infer";
        if (e->cfg.is_binary)
            p->type = "application/octet-stream";
        return put_infer_request(w, p->body, &p->n_body, err);
    default: return err_set(err, ERR_UNSUPPORTED, "%s cannot do '%s'", e->id, expert_task_name(w->job->task));
    }
    p->body[p->n_body++] = (struct http_piece){ w->request.data, w->request.len };
    return ok;
}
