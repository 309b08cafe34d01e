/* tests/wire/test_openai_audio.c - requests for sound, and transcripts in the API's five forms. */
#include "wire/openai_audio.h"
#include "test.h"

#include <math.h>
#include <string.h>

static struct form f;
static struct openai_error e;

static bool read_it(struct openai_transcription *t, const char *query)
{
    static struct arena *a;
    static const char *const names[] = { "file", NULL };
    struct err err = { 0 };
    if (!a)
        a = arena_new(1 << 20, &err);
    arena_reset(a);
    return form_read(&f, "audio/wav", query, names, "RIFF", 4, a, &e) && openai_read_transcription(t, &f, &e);
}

static const struct openai_segment segments[] = {
    { .text = " Hello <you> & me.\n", .start_s = 0, .end_s = 1.2345 },
    { .text = "a --> b", .start_s = 3661.5, .end_s = 3662, .avg_logprob = -0.25f },
};
static const struct openai_word words[] = { { "Hello", 0, 0.5 }, { "you", 0.5, 1.25 } };
static const struct openai_transcript heard = { .text = "Hello <you> & me. a --> b", .language = "en", .duration_s = 3662.25,
                                                .segments = segments, .n_segments = 2, .words = words, .n_words = 2 };

static const char *put(enum openai_transcript_format form, const char *query, const struct openai_transcript *r)
{
    static struct buf b;
    static struct openai_transcription t;
    buf_fini(&b);
    buf_init(&b, 1 << 16);
    if (!read_it(&t, query))
        return e.message;
    openai_put_transcript(&b, form, &t, false, r);
    return b.failed ? "failed" : b.data;
}

TEST(requests_are_read_or_refused)
{
    struct openai_transcription t;
    REQUIRE(read_it(&t, "model=m&language=en&prompt=a+b&response_format=verbose_json&timestamp_granularities[]=word&temperature=0.5"), "%s", e.message);
    CHECK(strcmp(t.model, "m") == 0 && strcmp(t.language, "en") == 0 && strcmp(t.prompt, "a b") == 0 && t.format == OPENAI_VERBOSE_JSON && t.temperature == 0.5);
    CHECK(t.wants_words && !t.wants_segments && !t.stream);
    REQUIRE(read_it(&t, "stream=true"), "%s", e.message);
    CHECK(t.stream && t.model[0] == '\0' && !t.language && t.format == OPENAI_JSON && t.wants_segments && !t.wants_words);
    static const char *const bad[][3] = {
        { "response_format=xml", "response_format", "verbose_json" },
        { "temperature=2", "temperature", "from 0 to 1" },
        { "stream=maybe", "stream", "true or false" },
        { "timestamp_granularities[]=word", "timestamp_granularities", "verbose_json" },
        { "response_format=verbose_json&timestamp_granularities[]=letter", "timestamp_granularities", "letter" },
        { "include[]=logprobs", "include", "log-prob" },
        { "stream=true&response_format=srt", "response_format", "events" },
        { "language=0123456789012345678901234567890123", "language", "short code" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!read_it(&t, bad[i][0]) && e.status == 400 && strcmp(e.param, bad[i][1]) == 0 && strstr(e.message, bad[i][2]), "%s: %s", bad[i][0], e.message);
}

TEST(a_transcript_has_the_five_forms_of_the_api)
{
    const char *s = put(OPENAI_TEXT, "", &heard);
    CHECK(strcmp(s, "Hello <you> & me. a --> b\n") == 0, "%s", s);
    s = put(OPENAI_JSON, "", &heard);
    CHECK(strcmp(s, "{\"text\":\"Hello <you> & me. a --> b\",\"usage\":{\"type\":\"duration\",\"seconds\":3663}}") == 0, "%s", s);
    s = put(OPENAI_SRT, "", &heard);
    CHECK(strcmp(s, "1\n00:00:00,000 --> 00:00:01,235\nHello <you> & me.\n\n2\n01:01:01,500 --> 01:01:02,000\na -> b\n\n") == 0 ||
              strcmp(s, "1\n00:00:00,000 --> 00:00:01,234\nHello <you> & me.\n\n2\n01:01:01,500 --> 01:01:02,000\na -> b\n\n") == 0, "%s", s);
    s = put(OPENAI_VTT, "", &heard);
    CHECK(strncmp(s, "WEBVTT\n\n00:00:00.000 --> 00:00:01.23", 36) == 0 && strstr(s, "\nHello &lt;you&gt; &amp; me.\n\n") && strstr(s, "a --&gt; b"), "%s", s);
    s = put(OPENAI_VERBOSE_JSON, "response_format=verbose_json&timestamp_granularities[]=word&timestamp_granularities[]=segment", &heard);
    json_t *t = json_loads(s, 0, NULL), *first = json_array_get(json_object_get(t, "segments"), 0), *second = json_array_get(json_object_get(t, "segments"), 1);
    REQUIRE(t, "%s", s);
    CHECK(strcmp(json_string_value(json_object_get(t, "task")), "transcribe") == 0 && strcmp(json_string_value(json_object_get(t, "language")), "en") == 0);
    CHECK(json_number_value(json_object_get(t, "duration")) == 3662.25 && json_integer_value(json_object_get(second, "seek")) == 366150, "%s", s);
    CHECK(json_is_array(json_object_get(first, "tokens")) && json_integer_value(json_object_get(first, "id")) == 0 && json_number_value(json_object_get(second, "avg_logprob")) == -0.25);
    const json_t *w = json_array_get(json_object_get(t, "words"), 1);
    CHECK(strcmp(json_string_value(json_object_get(w, "word")), "you") == 0 && json_number_value(json_object_get(w, "end")) == 1.25);
    json_decref(t);
    s = put(OPENAI_VERBOSE_JSON, "response_format=verbose_json", &heard);
    CHECK(strstr(s, "\"segments\"") && !strstr(s, "\"words\""), "%s", s);
    s = put(OPENAI_VERBOSE_JSON, "response_format=verbose_json&timestamp_granularities[]=word", &heard);
    CHECK(!strstr(s, "\"segments\"") && strstr(s, "\"words\""), "%s", s);
}

TEST(a_transcript_without_times_is_one_cue)
{
    const struct openai_transcript r = { .text = "only text", .duration_s = 2 }, none = { .text = "" };
    const char *s = put(OPENAI_SRT, "", &r);
    CHECK(strcmp(s, "1\n00:00:00,000 --> 00:00:02,000\nonly text\n\n") == 0, "%s", s);
    s = put(OPENAI_VTT, "", &none);
    CHECK(strcmp(s, "WEBVTT\n\n") == 0, "%s", s);
    const struct openai_segment odd = { .text = "x", .start_s = NAN, .end_s = INFINITY };
    const struct openai_transcript wild = { .text = "x", .segments = &odd, .n_segments = 1, .duration_s = -1 };
    s = put(OPENAI_VERBOSE_JSON, "response_format=verbose_json", &wild);
    json_t *t = json_loads(s, 0, NULL);
    CHECK(t, "%s", s);
    json_decref(t);
}

TEST(what_shall_be_spoken_is_checked)
{
    static const struct {
        int status;
        const char *param, *body;
    } table[] = {
        { 0, "", "{\"input\":\"hi\"}" },
        { 0, "", "{\"model\":\"espeak\",\"input\":\"hi\",\"voice\":\"alloy\",\"response_format\":\"pcm\",\"speed\":0.25,\"stream_format\":\"sse\"}" },
        { 0, "", "{\"input\":\"hi\",\"voice\":{\"id\":\"x\"},\"instructions\":\"loud\"}" },
        { 400, "input", "{}" },
        { 400, "input", "{\"input\":\"\"}" },
        { 400, "input", "{\"input\":7}" },
        { 400, "model", "{\"model\":7,\"input\":\"a\"}" },
        { 400, "voice", "{\"input\":\"a\",\"voice\":7}" },
        { 400, "speed", "{\"input\":\"a\",\"speed\":5}" },
        { 400, "speed", "{\"input\":\"a\",\"speed\":\"1\"}" },
        { 400, "response_format", "{\"input\":\"a\",\"response_format\":\"mp3\"}" },
        { 400, "response_format", "{\"input\":\"a\",\"response_format\":\"midi\"}" },
        { 400, "stream_format", "{\"input\":\"a\",\"stream_format\":\"x\"}" },
        { 400, "", "{\"input\":" },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct openai_speech s;
        const bool ok = openai_read_speech(&s, table[i].body, strlen(table[i].body), &e);
        CHECK(ok == (table[i].status == 0) && (ok || (e.status == table[i].status && strcmp(e.param, table[i].param) == 0)), "%s: %s", table[i].body, e.message);
        openai_speech_fini(&s);
    }
    struct openai_speech s;
    CHECK(!openai_read_speech(&s, "{\"input\":\"a\",\"response_format\":\"mp3\"}", 37, &e) && strstr(e.message, "wav, flac, opus, pcm"), "%s", e.message);
    openai_speech_fini(&s);
    static char body[20000] = "{\"input\":\"";
    for (int i = 0; i < OPENAI_SPEECH_INPUT_MAX; i++)
        strcat(body + 2 * i, "\xc3\xa9"); /* characters, not bytes */
    strcat(body, "\"}");
    CHECK(openai_read_speech(&s, body, strlen(body), &e), "%s", e.message);
    openai_speech_fini(&s);
    body[10 + 2 * OPENAI_SPEECH_INPUT_MAX] = '\0';
    strcat(body, "x\"}");
    CHECK(!openai_read_speech(&s, body, strlen(body), &e) && strstr(e.message, "4097"), "%s", e.message);
    openai_speech_fini(&s);
}

TEST(events_are_one_line_of_json_each)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    openai_put_transcript_delta(&b, "a\n\"", 3);
    openai_put_transcript_done(&b, "ab", 2, 1.5, NULL);
    openai_put_transcript_done(&b, "ab", 2, 1.5, ",\"tutti\":{}");
    openai_put_speech_delta(&b, "hi", 2);
    openai_put_speech_done(&b);
    int n = 0;
    for (const char *p = b.data, *end; *p; p = end + 2, n++) {
        end = strstr(p, "\n\n");
        REQUIRE(end && strncmp(p, "data: ", 6) == 0, "%s", p);
        json_t *t = json_loadb(p + 6, (size_t)(end - p - 6), 0, NULL);
        CHECK(t && json_is_string(json_object_get(t, "type")), "%s", p);
        json_decref(t);
    }
    CHECK(n == 5);
    buf_fini(&b);
}
