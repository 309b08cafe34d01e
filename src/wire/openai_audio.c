/* wire/openai_audio.c - see openai_audio.h: requests first, then the five forms of a transcript. */
#include "wire/openai_audio.h"

#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "wire/openai_internal.h"
#include "wire/put.h"

#define BAD(param, ...) openai_fail(e, 400, "invalid_value", param, __VA_ARGS__)
#define CANNOT(param, ...) openai_fail(e, 400, "unsupported_value", param, __VA_ARGS__)

/* ---- what is asked for ---- */

static const struct {
    const char *name, *type;
} transcript_formats[] = { /* ORDER openai_transcript_format */
    { "json", "application/json" },
    { "text", "text/plain; charset=utf-8" },
    { "srt", "text/plain; charset=utf-8" },
    { "vtt", "text/vtt; charset=utf-8" },
    { "verbose_json", "application/json" },
};
_Static_assert(sizeof(transcript_formats) / sizeof(transcript_formats[0]) == OPENAI_TRANSCRIPT_FORMAT_COUNT, "one line each");

const char *openai_transcript_type(enum openai_transcript_format f) { return transcript_formats[f].type; }

static bool read_granularities(struct openai_transcription *t, const struct form *f, struct openai_error *e)
{
    static const char *const names[] = { "timestamp_granularities[]", "timestamp_granularities" };
    for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        int from = 0;
        for (const char *s; (s = form_get(f, names[k], &from)) != NULL;) {
            if (t->format != OPENAI_VERBOSE_JSON)
                return BAD("timestamp_granularities", "timestamp_granularities: only verbose_json has room for them");
            if (strcmp(s, "word") == 0)
                t->wants_words = true;
            else if (strcmp(s, "segment") == 0)
                t->wants_segments = true;
            else
                return BAD("timestamp_granularities", "timestamp_granularities: 'word' or 'segment' is wanted, this is '%.40s'", s);
        }
    }
    if (!t->wants_words) /* the API's default */
        t->wants_segments = true;
    return true;
}

bool openai_read_transcription(struct openai_transcription *t, const struct form *f, struct openai_error *e)
{
    const char *s;
    *t = (struct openai_transcription){ .format = OPENAI_JSON };
    t->model = (s = form_get(f, "model", NULL)) ? s : "";
    t->language = form_get(f, "language", NULL);
    t->prompt = form_get(f, "prompt", NULL);
    if (t->language && strlen(t->language) > 32)
        return BAD("language", "language: a short code such as 'en' is wanted");
    if ((s = form_get(f, "response_format", NULL)) != NULL) {
        int k = 0;
        while (k < OPENAI_TRANSCRIPT_FORMAT_COUNT && strcmp(transcript_formats[k].name, s) != 0)
            k++;
        if (k == OPENAI_TRANSCRIPT_FORMAT_COUNT)
            return BAD("response_format", "response_format: one of json, text, srt, vtt, verbose_json is wanted, this is '%.40s'", s);
        t->format = (enum openai_transcript_format)k;
    }
    if (form_get(f, "include[]", NULL) || form_get(f, "include", NULL))
        return CANNOT("include", "include: log-probabilities of transcripts are not supported");
    if (!form_number(f, "temperature", 0, 1, &t->temperature, e) || !form_flag(f, "stream", &t->stream, e) || !read_granularities(t, f, e))
        return false;
    if (t->stream && t->format != OPENAI_JSON && t->format != OPENAI_TEXT)
        return BAD("response_format", "response_format: a stream comes as events; leave it out, or take json");
    return true;
}

static const struct {
    const char *name, *type;
} speech_formats[] = { /* ORDER openai_speech_format */
    { "wav", "audio/wav" },
    { "flac", "audio/flac" },
    { "opus", "audio/ogg; codecs=opus" },
    { "pcm", "audio/pcm;rate=24000;channels=1" },
};
_Static_assert(sizeof(speech_formats) / sizeof(speech_formats[0]) == OPENAI_SPEECH_FORMAT_COUNT, "one line each");

const char *openai_speech_type(enum openai_speech_format f) { return speech_formats[f].type; }

static bool read_text(const json_t *tree, const char *name, const char **out, size_t *n, struct openai_error *e)
{
    const json_t *v = openai_field(tree, name);
    if (!v)
        return true;
    if (!json_is_string(v))
        return BAD(name, "%s: a string is wanted, this is %s", name, openai_type_name(v));
    *out = json_string_value(v);
    if (n)
        *n = json_string_length(v);
    return true;
}

static size_t count_characters(const char *s, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xc0) != 0x80;
    return count;
}

static bool read_speech_format(struct openai_speech *s, struct openai_error *e)
{
    const char *name = NULL, *stream = NULL;
    if (!read_text(s->tree, "response_format", &name, NULL, e) || !read_text(s->tree, "stream_format", &stream, NULL, e))
        return false;
    if (stream && strcmp(stream, "sse") != 0 && strcmp(stream, "audio") != 0)
        return BAD("stream_format", "stream_format: 'audio' or 'sse' is wanted, this is '%.40s'", stream);
    s->is_sse = stream && strcmp(stream, "sse") == 0;
    if (!name) /* the API's own default is mp3, which is not made here; the content type says what came */
        return true;
    int k = 0;
    while (k < OPENAI_SPEECH_FORMAT_COUNT && strcmp(speech_formats[k].name, name) != 0)
        k++;
    if (k < OPENAI_SPEECH_FORMAT_COUNT) {
        s->format = (enum openai_speech_format)k;
        return true;
    }
    if (strcmp(name, "mp3") == 0 || strcmp(name, "aac") == 0)
        return CANNOT("response_format", "response_format: '%s' is not made here; possible are wav, flac, opus, pcm", name);
    return BAD("response_format", "response_format: one of wav, flac, opus, pcm is wanted, this is '%.40s'", name);
}

bool openai_read_speech(struct openai_speech *s, const char *body, size_t n, struct openai_error *e)
{
    *s = (struct openai_speech){ .model = "", .speed = 1, .format = OPENAI_WAV };
    *e = (struct openai_error){ 0 };
    if (!(s->tree = openai_load(body, n, e)))
        return false;
    const json_t *voice = openai_field(s->tree, "voice"), *speed = openai_field(s->tree, "speed");
    if (!read_text(s->tree, "model", &s->model, NULL, e) || !read_text(s->tree, "input", &s->input, &s->n_input, e) || !read_speech_format(s, e))
        return false;
    if (!s->input)
        return openai_fail(e, 400, "missing_required_parameter", "input", "input: missing");
    const size_t n_chars = count_characters(s->input, s->n_input);
    if (n_chars == 0 || n_chars > OPENAI_SPEECH_INPUT_MAX)
        return BAD("input", "input: 1 to %d characters are possible, these are %zu", OPENAI_SPEECH_INPUT_MAX, n_chars);
    if (memchr(s->input, '\0', s->n_input))
        return BAD("input", "input: a character of code 0 cannot be spoken");
    if (json_is_object(voice))
        voice = openai_field(voice, "id");
    if (voice && !json_is_string(voice))
        return BAD("voice", "voice: a string is wanted, this is %s", openai_type_name(voice));
    if (voice)
        s->voice = json_string_value(voice);
    if (speed && !json_is_number(speed))
        return BAD("speed", "speed: a number is wanted, this is %s", openai_type_name(speed));
    if (speed)
        s->speed = json_number_value(speed);
    if (!(s->speed >= 0.25 && s->speed <= 4))
        return BAD("speed", "speed: a number from 0.25 to 4 is wanted, this is %g", s->speed);
    return true;
}

void openai_speech_fini(struct openai_speech *s)
{
    json_decref(s->tree);
    *s = (struct openai_speech){ 0 };
}

/* ---- the five forms ---- */


/* Milliseconds are as fine as players go, and as our experts hear. */
static void put_seconds(struct buf *out, double s) { buf_printf(out, "%.10g", isfinite(s) ? round(s * 1000) / 1000 : 0.0); }

/* 00:00:03,320 */
static void put_clock(struct buf *out, double s, char point)
{
    const double most_ms = 359999999; /* 99 h 59 min: two digits of hours */
    const double ms = isfinite(s) && s > 0 ? fmin(round(s * 1000), most_ms) : 0;
    const unsigned t = (unsigned)ms;
    buf_printf(out, "%02u:%02u:%02u%c%03u", t / 3600000, t / 60000 % 60, t / 1000 % 60, point, t % 1000);
}

/* A cue is one block: no empty line, and no arrow, inside; WebVTT has three letters with a meaning. */
static void put_cue_text(struct buf *out, const char *s, bool is_vtt)
{
    s += strspn(s, " \t\r\n");
    size_t n = strlen(s);
    while (n > 0 && strchr(" \t\r\n", s[n - 1]))
        n--;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n' || s[i] == '\r')
            buf_putc(out, ' ');
        else if (is_vtt && s[i] == '&')
            buf_puts(out, "&amp;");
        else if (is_vtt && s[i] == '<')
            buf_puts(out, "&lt;");
        else if (is_vtt && s[i] == '>')
            buf_puts(out, "&gt;");
        else if (!is_vtt && n - i >= 3 && memcmp(s + i, "-->", 3) == 0)
            buf_puts(out, "->"), i += 2;
        else
            buf_putc(out, s[i]);
    }
}

static void put_cues(struct buf *out, const struct openai_transcript *r, bool is_vtt)
{
    const struct openai_segment all = { .text = r->text, .start_s = 0, .end_s = r->duration_s };
    const int n = r->n_segments > 0 ? r->n_segments : r->text[0] != '\0';
    if (is_vtt)
        buf_puts(out, "WEBVTT\n\n");
    for (int i = 0; i < n; i++) {
        const struct openai_segment *s = r->n_segments > 0 ? &r->segments[i] : &all;
        const char point = is_vtt ? '.' : ',';
        if (!is_vtt)
            buf_printf(out, "%d\n", i + 1);
        put_clock(out, s->start_s, point);
        buf_puts(out, " --> ");
        put_clock(out, s->end_s, point);
        buf_putc(out, '\n');
        put_cue_text(out, s->text, is_vtt);
        buf_puts(out, "\n\n");
    }
}

static void put_usage(struct buf *out, double duration_s)
{
    buf_printf(out, "\"usage\":{\"type\":\"duration\",\"seconds\":%.0f}", isfinite(duration_s) && duration_s > 0 ? ceil(duration_s) : 0.0);
}

static void put_segment(struct buf *out, const struct openai_segment *s, int id)
{
    buf_printf(out, "{\"id\":%d,\"seek\":%.0f,\"start\":", id, isfinite(s->start_s) && s->start_s > 0 ? floor(s->start_s * 100) : 0.0); /* frames of 10 ms */
    put_seconds(out, s->start_s);
    buf_puts(out, ",\"end\":");
    put_seconds(out, s->end_s);
    buf_puts(out, ",\"text\":");
    buf_put_json_text(out, s->text);
    buf_puts(out, ",\"tokens\":[],\"temperature\":");
    put_f32(out, s->temperature);
    buf_puts(out, ",\"avg_logprob\":");
    put_f32(out, s->avg_logprob);
    buf_puts(out, ",\"compression_ratio\":");
    put_f32(out, s->compression_ratio);
    buf_puts(out, ",\"no_speech_prob\":");
    put_f32(out, s->no_speech_prob);
    buf_putc(out, '}');
}

static void put_verbose(struct buf *out, const struct openai_transcription *t, bool is_translation, const struct openai_transcript *r)
{
    buf_printf(out, "{\"task\":\"%s\",\"language\":", is_translation ? "translate" : "transcribe");
    buf_put_json_text(out, r->language ? r->language : t->language ? t->language : "");
    buf_puts(out, ",\"duration\":");
    put_seconds(out, r->duration_s);
    buf_puts(out, ",\"text\":");
    buf_put_json_text(out, r->text);
    if (t->wants_segments) {
        buf_puts(out, ",\"segments\":[");
        for (int i = 0; i < r->n_segments; i++) {
            if (i > 0)
                buf_putc(out, ',');
            put_segment(out, &r->segments[i], i);
        }
        buf_putc(out, ']');
    }
    if (t->wants_words) {
        buf_puts(out, ",\"words\":[");
        for (int i = 0; i < r->n_words; i++) {
            buf_puts(out, i > 0 ? ",{\"word\":" : "{\"word\":");
            buf_put_json_text(out, r->words[i].text);
            buf_puts(out, ",\"start\":");
            put_seconds(out, r->words[i].start_s);
            buf_puts(out, ",\"end\":");
            put_seconds(out, r->words[i].end_s);
            buf_putc(out, '}');
        }
        buf_putc(out, ']');
    }
    buf_putc(out, ',');
    put_usage(out, r->duration_s);
    buf_puts(out, r->more ? r->more : "");
    buf_putc(out, '}');
}

void openai_put_transcript(struct buf *out, enum openai_transcript_format f, const struct openai_transcription *t, bool is_translation,
                           const struct openai_transcript *r)
{
    switch (f) {
    case OPENAI_JSON:
        buf_puts(out, "{\"text\":");
        buf_put_json_text(out, r->text);
        buf_putc(out, ',');
        put_usage(out, r->duration_s);
        buf_puts(out, r->more ? r->more : "");
        buf_putc(out, '}');
        break;
    case OPENAI_TEXT:
        buf_puts(out, r->text);
        buf_putc(out, '\n');
        break;
    case OPENAI_SRT:
    case OPENAI_VTT: put_cues(out, r, f == OPENAI_VTT); break;
    case OPENAI_VERBOSE_JSON: put_verbose(out, t, is_translation, r); break;
    case OPENAI_TRANSCRIPT_FORMAT_COUNT: break;
    }
}

/* ---- events ---- */

void openai_put_transcript_delta(struct buf *out, const char *text, size_t n)
{
    buf_puts(out, "data: {\"type\":\"transcript.text.delta\",\"delta\":");
    buf_put_json(out, text, n);
    buf_puts(out, "}\n\n");
}

void openai_put_transcript_done(struct buf *out, const char *text, size_t n, double duration_s, const char *more)
{
    buf_puts(out, "data: {\"type\":\"transcript.text.done\",\"text\":");
    buf_put_json(out, text, n);
    buf_putc(out, ',');
    put_usage(out, duration_s);
    buf_puts(out, more ? more : "");
    buf_puts(out, "}\n\n");
}

void openai_put_speech_delta(struct buf *out, const void *bytes, size_t n)
{
    buf_puts(out, "data: {\"type\":\"speech.audio.delta\",\"audio\":\"");
    put_base64(out, bytes, n);
    buf_puts(out, "\"}\n\n");
}

void openai_put_speech_done(struct buf *out)
{
    buf_puts(out, "data: {\"type\":\"speech.audio.done\",\"usage\":{\"input_tokens\":0,\"output_tokens\":0,\"total_tokens\":0}}\n\n");
}
