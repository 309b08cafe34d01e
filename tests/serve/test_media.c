/* tests/serve/test_media.c - sound and pictures over the API, with experts that do what the prompt says (fake_expert.h):
 * forms, streams, refusals, hostile bodies, clients that go away.  What real experts answer is test_media.sh's business. */
#define _GNU_SOURCE /* memmem */
#include "service.h"

static struct service *start_media(void)
{
    struct fake *const fakes[] = { fake_new("text", EXPERT_WARM), fake_new("ear", EXPERT_WARM), fake_new("mouth", EXPERT_WARM), fake_new("eye", EXPERT_WARM), fake_new("seer", EXPERT_WARM) };
    fakes[1]->tasks = EXPERT_TRANSCRIBE;
    fakes[2]->tasks = EXPERT_SPEAK;
    fakes[3]->tasks = EXPERT_CLASSIFY | EXPERT_DETECT | EXPERT_FACES | EXPERT_SEGMENT | EXPERT_OCR | EXPERT_EMBED_IMAGE;
    fakes[4]->tasks = EXPERT_CHAT;
    fakes[4]->sees = true;
    static const struct serve_alias aliases[] = { { "whisper-1", "ear" } };
    return start_fakes((struct serve_config){ .aliases = aliases, .n_aliases = 1, .max_image_px = 100, .max_audio_s = 5, .max_requests = 50 }, fakes, 5);
}

#define FORM "content-type: multipart/form-data; boundary=b\r\n"
#define FIELD(name, value) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_PART "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n"

static struct answer transcribe(const struct service *v, const char *fields) /* FIELD()... */
{
    char body[4096];
    snprintf(body, sizeof(body), "%s" FILE_PART "--b--\r\n", fields);
    return ask_with(v, "POST", "/v1/audio/transcriptions", FORM, body);
}

/* ---- hearing ---- */

TEST(a_transcript_comes_in_five_forms)
{
    struct service *v = start_media();
    struct answer a = transcribe(v, FIELD("model", "whisper-1") FIELD("prompt", "words 2 0"));
    CHECK(a.status == 200 && strcmp(a.body.data, "{\"text\":\"w0 <x> w1 <x>\",\"usage\":{\"type\":\"duration\",\"seconds\":2}}") == 0, "%d %s", a.status, a.body.data);
    CHECK(strstr(a.head.data, "content-type: application/json"), "%s", a.head.data);
    answer_fini_(&a);
    a = transcribe(v, FIELD("response_format", "text") FIELD("prompt", "words 2 0"));
    CHECK(strcmp(a.body.data, "w0 <x> w1 <x>\n") == 0 && strstr(a.head.data, "text/plain"), "%s", a.body.data);
    answer_fini_(&a);
    a = transcribe(v, FIELD("response_format", "srt") FIELD("prompt", "words 2 0"));
    CHECK(strcmp(a.body.data, "1\n00:00:00,000 --> 00:00:01,000\nw0 <x>\n\n2\n00:00:01,000 --> 00:00:02,000\nw1 <x>\n\n") == 0, "%s", a.body.data);
    answer_fini_(&a);
    a = transcribe(v, FIELD("response_format", "vtt") FIELD("prompt", "words 1 0"));
    CHECK(strcmp(a.body.data, "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nw0 &lt;x&gt;\n\n") == 0 && strstr(a.head.data, "text/vtt"), "%s", a.body.data);
    answer_fini_(&a);
    a = transcribe(v, FIELD("response_format", "verbose_json") FIELD("timestamp_granularities[]", "word") FIELD("timestamp_granularities[]", "segment") FIELD("prompt", "words 2 0"));
    json_t *t = json_of(&a);
    CHECK(strcmp(text_at(t, "task"), "transcribe") == 0 && strcmp(text_at(t, "language"), "en") == 0 && int_at(t, "segments.1.id") == 1 && strcmp(text_at(t, "segments.1.text"), "w1 <x>") == 0, "%s", a.body.data);
    CHECK(strcmp(text_at(t, "words.2.word"), "w1") == 0 && json_number_value(at(t, "words.3.end")) == 2 && json_number_value(at(t, "segments.0.avg_logprob")) == -0.5, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    a = transcribe(v, FIELD("prompt", "nothing"));
    CHECK(a.status == 200 && strstr(a.body.data, "{\"text\":\"\""), "%s", a.body.data);
    answer_fini_(&a);
    /* the sound itself as the body, or inside JSON */
    a = ask_with(v, "POST", "/v1/audio/transcriptions?prompt=words+1+0", "content-type: audio/wav\r\n", "RIFF");
    CHECK(strstr(a.body.data, "{\"text\":\"w0 <x>\""), "%s", a.body.data);
    answer_fini_(&a);
    a = ask_with(v, "POST", "/v1/audio/transcriptions", "content-type: application/json\r\n", "{\"file\":\"data:audio/wav;base64,UklGRg==\",\"prompt\":\"words 1 0\"}");
    CHECK(strstr(a.body.data, "{\"text\":\"w0 <x>\""), "%s", a.body.data);
    answer_fini_(&a);
    CHECK(metric(v, "tutti_audio_heard_seconds_total{model_name=\"ear\"} ") == 2 + 2 + 2 + 1 + 2 + 0 + 1 + 1, "%g", metric(v, "tutti_audio_heard_seconds_total{model_name=\"ear\"} "));
    end(v);
}

TEST(a_transcript_streams_piece_by_piece)
{
    struct service *v = start_media();
    static const char *const prompts[] = { FIELD("prompt", "words 2 1000"), FIELD("prompt", "pieces 2 1000") };
    for (int i = 0; i < 2; i++) {
        char fields[300], joined[100] = "";
        snprintf(fields, sizeof(fields), "%s" FIELD("stream", "true"), prompts[i]);
        struct answer a = transcribe(v, fields);
        CHECK(a.status == 200 && strstr(a.head.data, "content-type: text/event-stream"), "%s", a.head.data);
        int n_done = 0, n_end = 0, n_deltas = 0;
        for (const char *p = a.body.data, *stop; *p; p = stop + 2) {
            stop = strstr(p, "\n\n");
            REQUIRE(stop && strncmp(p, "data: ", 6) == 0, "%s", p);
            if (strncmp(p, "data: [DONE]", 12) == 0) {
                n_end++;
                continue;
            }
            json_t *t = json_loadb(p + 6, (size_t)(stop - p - 6), 0, NULL);
            REQUIRE(t, "%s", p);
            if (strcmp(text_at(t, "type"), "transcript.text.delta") == 0) {
                n_deltas++;
                snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s", text_at(t, "delta"));
            } else {
                n_done++;
                CHECK(strcmp(text_at(t, "type"), "transcript.text.done") == 0 && strcmp(text_at(t, "text"), joined) == 0 && int_at(t, "usage.seconds") == 2, "%s", p);
            }
            json_decref(t);
        }
        CHECK(strcmp(joined, "w0 <x> w1 <x>") == 0 && n_done == 1 && n_end == 1 && n_deltas == (i ? 4 : 2), "%s", a.body.data);
        answer_fini_(&a);
    }
    struct answer a = transcribe(v, FIELD("prompt", "break") FIELD("stream", "true"));
    CHECK(a.status == 200 && strstr(a.body.data, "w0") && strstr(a.body.data, "\"message\":\"the model broke\"") && !strstr(a.body.data, "DONE"), "%s", a.body.data);
    answer_fini_(&a);
    end(v);
}

TEST(what_cannot_be_heard_is_refused)
{
    struct service *v = start_media();
    check_error(transcribe(v, FIELD("model", "nobody")), 404, "model_not_found", "unknown model");
    check_error(transcribe(v, FIELD("model", "eye")), 400, "unsupported_value", "a model that is deaf");
    check_error(transcribe(v, FIELD("response_format", "xml")), 400, "invalid_value", "unknown form");
    check_error(transcribe(v, FIELD("prompt", "break")), 500, "", "an expert that breaks");
    check_error(transcribe(v, FIELD("prompt", "words 9 0")), 413, "limit_exceeded", "9 s of 5 are seen while they are heard");
    uint8_t wav[44 + 16000 * 2] = "RIFF\xa4\x7d\0\0WAVEfmt \x10\0\0\0\1\0\1\0\xa0\x0f\0\0\x40\x1f\0\0\2\0\x10\0data\0\x7d\0\0"; /* 4 s at 4 kHz */
    for (int slow = 0; slow <= 1; slow++) {
        wav[25] = slow ? 0x07 : 0x0f; /* 1952 Hz: 8.2 s */
        const int fd = dial(v);
        send_bytes(fd, "POST", "/v1/audio/transcriptions", "content-type: audio/wav\r\n", wav, sizeof(wav));
        struct answer a = hear(fd);
        CHECK(a.status == (slow ? 413 : 200), "%d %s", a.status, a.body.data);
        answer_fini_(&a);
    }
    check_error(ask_with(v, "POST", "/v1/audio/transcriptions", FORM, FIELD("model", "ear") "--b--\r\n"), 400, "missing_required_parameter", "no file");
    check_error(ask_with(v, "POST", "/v1/audio/transcriptions", FORM, FIELD("model", "ear")), 400, "invalid_form", "half a form");
    check_error(ask_with(v, "POST", "/v1/audio/transcriptions", "content-type: multipart/form-data\r\n", FILE_PART "--b--\r\n"), 400, "invalid_form", "no boundary");
    check_error(ask_with(v, "POST", "/v1/audio/transcriptions", "", ""), 400, "missing_required_parameter", "nothing at all");
    check_error(ask_with(v, "POST", "/v1/audio/transcriptions", "content-type: application/json\r\n", "{\"file\":1}"), 400, "invalid_value", "a number");
    check_error(ask_with(v, "POST", "/v1/audio/translations", FORM, FILE_PART "--b--\r\n"), 400, "unsupported_value", "translations");
    check_error(get(v, "/v1/audio/speech"), 405, "method_not_allowed", "GET");
    end(v);
}

/* ---- speaking ---- */

static struct answer speak(const struct service *v, const char *input, const char *more)
{
    char body[512];
    snprintf(body, sizeof(body), "{\"input\":\"%s\"%s}", input, more);
    return post(v, "/v1/audio/speech", body);
}

TEST(speech_comes_as_wav_and_as_bare_samples)
{
    struct service *v = start_media();
    struct answer a = speak(v, "words 3 0", ",\"model\":\"mouth\",\"voice\":\"alloy\"");
    CHECK(a.status == 200 && strstr(a.head.data, "content-type: audio/wav") && strstr(a.head.data, "transfer-encoding: chunked"), "%s", a.head.data);
    CHECK(a.body.len >= 44 + 3 * 3200 && memcmp(a.body.data, "RIFF", 4) == 0 && memcmp(a.body.data + 8, "WAVE", 4) == 0, "%zu bytes", a.body.len);
    answer_fini_(&a);
    a = speak(v, "words 3 0", ",\"response_format\":\"pcm\"");
    CHECK(a.status == 200 && strstr(a.head.data, "content-type: audio/pcm") && a.body.len == 3 * 3200, "%zu bytes", a.body.len);
    const int16_t *pcm = (const int16_t *)(const void *)a.body.data;
    CHECK(a.body.len < 4 || (pcm[0] == -16384 && pcm[1] == 16384), "%d %d", pcm[0], pcm[1]);
    answer_fini_(&a);
    a = speak(v, "nothing", ",\"response_format\":\"pcm\"");
    CHECK(a.status == 200 && a.body.len == 0, "%d, %zu bytes", a.status, a.body.len);
    answer_fini_(&a);
    a = speak(v, "words 2 0", ",\"response_format\":\"pcm\",\"stream_format\":\"sse\"");
    CHECK(a.status == 200 && strstr(a.head.data, "text/event-stream") && strstr(a.body.data, "{\"type\":\"speech.audio.delta\",\"audio\":\"AMAAQ") && strstr(a.body.data, "speech.audio.done"), "%.200s", a.body.data);
    answer_fini_(&a);
    CHECK(fabs(metric(v, "tutti_audio_spoken_seconds_total{model_name=\"mouth\"} ") - 8 * 1600 / 24000.0) < 1e-9);
    end(v);
}

TEST(the_first_sound_leaves_before_the_last_is_made)
{
    struct service *v = start_media();
    const int fd = dial(v);
    char piece[8192];
    send_request(fd, "POST", "/v1/audio/speech", "", "{\"input\":\"words 3000 20000\"}"); /* a minute of work */
    struct buf got;
    buf_init(&got, 1 << 20);
    for (ssize_t n; got.len < 4000 && (n = recv_on(fd, piece, sizeof(piece))) > 0;)
        buf_append(&got, piece, (size_t)n);
    CHECK(v->fake[2]->n_running == 1 && got.len > 0 && memmem(got.data, got.len, "RIFF", 4), "all of it was waited for");
    buf_fini(&got);
    close(fd); /* and a hang-up ends the work */
    CHECK(wait_until(&v->fake[2]->n_cancelled, 1), "not cancelled");
    end(v);
}

TEST(what_cannot_be_spoken_is_refused_and_what_breaks_is_cut_off)
{
    struct service *v = start_media();
    check_error(speak(v, "a", ",\"response_format\":\"mp3\""), 400, "unsupported_value", "mp3");
    check_error(speak(v, "a", ",\"model\":\"ear\""), 400, "unsupported_value", "a model that is mute");
    check_error(speak(v, "", ""), 400, "invalid_value", "nothing to say");
    check_error(speak(v, "refuse", ""), 400, "context_length_exceeded", "too long");
    check_error(post(v, "/v1/audio/speech", "{"), 400, "invalid_json", "half a body");
    const int fd = dial(v);
    char raw[16384];
    size_t n = 0;
    send_request(fd, "POST", "/v1/audio/speech", "", "{\"input\":\"break\"}");
    for (ssize_t k; n < sizeof(raw) && (k = recv_on(fd, raw + n, sizeof(raw) - n)) > 0;)
        n += (size_t)k;
    CHECK(n < 5 || memcmp(raw + n - 5, "0\r\n\r\n", 5) != 0, "half a sound looks like a whole one");
    close(fd);
    end(v);
}

/* ---- seeing ---- */

enum { BMP_MAX = 1024 };
static size_t make_bmp(uint8_t out[BMP_MAX], int w, int h) /* a multiple of three bytes, for base64 */
{
    const uint32_t n_px = (uint32_t)((w * 3 + 3) / 4 * 4 * h);
    const uint32_t fields[] = { 54 + n_px, 0, 54, 40, (uint32_t)w, (uint32_t)h, 24u << 16 | 1, 0, n_px, 2835, 2835, 0, 0 };
    memset(out, 0x80, BMP_MAX);
    memcpy(out, "BM", 2);
    memcpy(out + 2, fields, sizeof(fields));
    return (54 + n_px + 2) / 3 * 3;
}

static struct answer look(const struct service *v, const char *path)
{
    uint8_t bmp[BMP_MAX];
    const int fd = dial(v);
    send_bytes(fd, "POST", path, "content-type: image/bmp\r\n", bmp, make_bmp(bmp, 2, 2));
    return hear(fd);
}

static const char *bmp_url(int w, int h)
{
    static char out[2048] = "data:image/bmp;base64,";
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t b[BMP_MAX];
    const size_t n = make_bmp(b, w, h);
    char *p = out + 22;
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t x = (uint32_t)b[i] << 16 | (uint32_t)b[i + 1] << 8 | b[i + 2];
        *p++ = digits[x >> 18], *p++ = digits[x >> 12 & 63], *p++ = digits[x >> 6 & 63], *p++ = digits[x & 63];
    }
    *p = '\0';
    return out;
}

TEST(pictures_are_looked_at_by_who_can)
{
    struct service *v = start_media();
    struct answer a = look(v, "/v1/tutti/vision/classify");
    CHECK(a.status == 200 && strncmp(a.body.data, "{\"model\":\"eye\",", 15) == 0, "%s", a.body.data);
    json_t *t = json_of(&a);
    CHECK(strcmp(text_at(t, "labels.0.label"), "cat \"tabby\"") == 0 && json_number_value(at(t, "labels.0.score")) == 0.75 && int_at(t, "width") == 2, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    a = look(v, "/v1/tutti/vision/classify?top=1&model=eye");
    t = json_of(&a);
    CHECK(json_array_size(at(t, "labels")) == 1, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    a = look(v, "/v1/tutti/vision/detect?threshold=0.46");
    t = json_of(&a);
    CHECK(json_array_size(at(t, "boxes")) == 1 && json_number_value(at(t, "boxes.0.box.3")) == 4, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    static const char *const others[][2] = { { "/v1/tutti/vision/faces", "boxes" }, { "/v1/tutti/vision/segment", "boxes" }, { "/v1/tutti/vision/ocr", "words" }, { "/v1/tutti/vision/embed", "embedding" } };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        a = look(v, others[i][0]);
        t = json_of(&a);
        CHECK(a.status == 200 && json_array_size(json_object_get(t, others[i][1])) > 0, "%s: %s", others[i][0], a.body.data);
        json_decref(t);
        answer_fini_(&a);
    }
    a = look(v, "/v1/tutti/vision/segment?mask=true");
    t = json_of(&a);
    CHECK(int_at(t, "masks.0.box") == -1 && strncmp(text_at(t, "masks.0.png"), "iVBORw0KGgo", 11) == 0 && json_array_size(at(t, "boxes")) == 3, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    char body[512];
    snprintf(body, sizeof(body), "{\"image\":\"%s\",\"model\":\"eye\"}", bmp_url(2, 2));
    a = ask_with(v, "POST", "/v1/tutti/vision/ocr", "content-type: application/json\r\n", body);
    CHECK(a.status == 200 && strstr(a.body.data, "\"text\":\"STOP\""), "%s", a.body.data);
    answer_fini_(&a);
    CHECK(metric(v, "tutti_images_total{model_name=\"eye\"} ") == 9);
    end(v);
}

TEST(what_is_no_picture_or_too_large_is_refused)
{
    struct service *v = start_media();
    uint8_t bmp[BMP_MAX];
    check_error(ask_with(v, "POST", "/v1/tutti/vision/classify", "content-type: image/png\r\n", "not a picture"), 400, "invalid_value", "text");
    check_error(ask_with(v, "POST", "/v1/tutti/vision/classify", "", ""), 400, "missing_required_parameter", "nothing");
    int fd = dial(v);
    send_bytes(fd, "POST", "/v1/tutti/vision/classify", "", bmp, make_bmp(bmp, 11, 10));
    check_error(hear(fd), 413, "limit_exceeded", "110 pixels of 100");
    check_error(look(v, "/v1/tutti/vision/classify?model=ear"), 400, "unsupported_value", "a model that is blind");
    check_error(look(v, "/v1/tutti/vision/classify?threshold=7"), 400, "invalid_value", "a threshold above 1");
    check_error(look(v, "/v1/tutti/vision/classify?prompt=break"), 500, "", "an expert that breaks");
    check_error(look(v, "/v1/tutti/vision/taste"), 404, "not_found", "another sense");
    check_error(ask_with(v, "POST", "/v1/tutti/vision/ocr", "content-type: application/json\r\n", "{\"image\":\"https://example.org/a.png\"}"), 400, "unsupported_value", "an address");
    end(v);
}

TEST(without_a_vision_language_model_a_cascade_says_what_it_can)
{
    struct service *v = start_media();
    struct answer a = look(v, "/v1/tutti/vision/describe");
    json_t *t = json_of(&a);
    const char *s = text_at(t, "text");
    CHECK(a.status == 200 && strstr(s, "No vision-language model") && strstr(s, "cat \"tabby\" (75 %)") && !strstr(s, "dog") && strstr(s, "2 x cat, 1 x cup") && strstr(s, "\"STOP\""), "%s", a.body.data);
    CHECK(json_array_size(at(t, "models")) == 3 && json_is_null(at(t, "model")) && *text_at(t, "note"), "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    CHECK(v->fake[3]->n_done == 3, "%d", v->fake[3]->n_done);
    check_error(look(v, "/v1/tutti/vision/describe?prompt=break"), 500, "", "every stage breaks");
    check_error(look(v, "/v1/tutti/vision/describe?model=eye"), 400, "unsupported_value", "one that is named cannot");
    end(v);
}

static struct answer chat_image(const struct service *v, const char *model, const char *url)
{
    char body[4096];
    snprintf(body, sizeof(body), "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"words 1 0\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"%s\"}}]}]}", model, url);
    return post(v, "/v1/chat/completions", body);
}

TEST(pictures_in_messages_go_to_models_that_see)
{
    struct service *v = start_media();
    struct answer a = chat_image(v, "seer", bmp_url(2, 2));
    CHECK(a.status == 200 && strstr(a.body.data, "\"content\":\"w0 \""), "%s", a.body.data);
    answer_fini_(&a);
    a = chat_image(v, "", bmp_url(2, 2)); /* none was named: one that sees is taken */
    CHECK(a.status == 200 && strstr(a.body.data, "\"model\":\"seer\""), "%s", a.body.data);
    answer_fini_(&a);
    a = chat_image(v, "text", bmp_url(2, 2));
    CHECK(a.status == 400 && strstr(a.body.data, "reads text only") && strstr(a.body.data, "seer") && strstr(a.body.data, "\"param\":\"messages[0].content[1]\""), "%s", a.body.data);
    answer_fini_(&a);
    check_error(chat_image(v, "seer", "https://example.org/a.png"), 400, "unsupported_value", "an address");
    check_error(chat_image(v, "seer", "a.png"), 400, "invalid_value", "a name");
    check_error(chat_image(v, "seer", "data:image/png;base64,aGk="), 400, "invalid_value", "no picture");
    check_error(chat_image(v, "seer", "data:image/png;base64,a"), 400, "invalid_value", "half a byte");
    check_error(chat_image(v, "seer", bmp_url(11, 10)), 413, "limit_exceeded", "too large");
    end(v);
}

TEST(addresses_of_pictures_are_passed_on_only_where_that_is_allowed)
{
    struct fake *const fakes[] = { fake_new("seer", EXPERT_WARM) };
    fakes[0]->tasks = EXPERT_CHAT;
    fakes[0]->sees = true;
    struct service *v = start_fakes((struct serve_config){ .allows_remote_images = true }, fakes, 1);
    struct answer a = chat_image(v, "seer", "https://example.org/a.png");
    CHECK(a.status == 200 && strstr(a.body.data, "\"content\":\"w0 \""), "%s", a.body.data);
    answer_fini_(&a);
    check_error(chat_image(v, "seer", "ftp://example.org/a.png"), 400, "invalid_value", "another protocol");
    end(v);
}

TEST(a_slow_reader_holds_its_own_speech)
{
    struct service *v = start_media();
    const int fd = dial(v), small = 128 << 10;
    char piece[65536];
    size_t n = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    send_request(fd, "POST", "/v1/audio/speech", "", "{\"input\":\"flood 12000\"}"); /* 38 MB: more than any kernel buffers */
    WAIT_UNTIL(v->fake[2]->n_held > 0);
    CHECK(v->fake[2]->n_held > 0, "nobody was held");
    struct answer quick = speak(v, "words 1 0", ",\"response_format\":\"pcm\"");
    CHECK(quick.status == 200 && quick.body.len == 3200, "another one waits");
    answer_fini_(&quick);
    for (ssize_t k; (k = recv_on(fd, piece, sizeof(piece))) > 0;)
        n += (size_t)k;
    CHECK(n > 12000 * 3200, "%zu bytes", n);
    close(fd);
    end(v);
}

TEST(some_minutes_of_speech_wait_for_their_reader_and_hold_nobody)
{
    struct service *v = start_media();
    const int fd = dial(v), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    send_request(fd, "POST", "/v1/audio/speech", "", "{\"input\":\"words 2400 0\"}"); /* 7.7 MB */
    WAIT_UNTIL(v->fake[2]->n_done > 0);
    CHECK(v->fake[2]->n_done == 1 && v->fake[2]->n_held == 0, "%d done, %d held", (int)v->fake[2]->n_done, (int)v->fake[2]->n_held);
    close(fd);
    end(v);
}

/* ---- experts that fail ---- */

TEST(another_expert_answers_when_none_was_named_and_the_first_cannot)
{
    struct fake *const fakes[] = { fake_new("down", EXPERT_DOWN), fake_new("lost", EXPERT_WARM), fake_new("good", EXPERT_WARM), fake_new("words", EXPERT_WARM) };
    for (int i = 0; i < 3; i++)
        fakes[i]->tasks = EXPERT_TRANSCRIBE | EXPERT_CLASSIFY | EXPERT_DETECT;
    fakes[1]->is_lost = true;
    struct service *v = start_fakes((struct serve_config){ 0 }, fakes, 4);
    struct answer a = transcribe(v, FIELD("prompt", "words 1 0"));
    CHECK(a.status == 200 && strstr(a.body.data, "{\"text\":\"w0 <x>\"") && fakes[1]->n_done == 1 && fakes[2]->n_done == 1, "%s", a.body.data);
    answer_fini_(&a);
    a = look(v, "/v1/tutti/vision/classify");
    CHECK(a.status == 200 && strncmp(a.body.data, "{\"model\":\"good\"", 15) == 0, "%s", a.body.data);
    answer_fini_(&a);
    a = look(v, "/v1/tutti/vision/describe");
    CHECK(a.status == 200 && strstr(a.body.data, "cat"), "%s", a.body.data);
    answer_fini_(&a);
    check_error(transcribe(v, FIELD("model", "lost")), 503, "expert_unavailable", "one that was named has the word");
    check_error(transcribe(v, FIELD("model", "down")), 503, "overloaded", "one that is down");
    check_error(transcribe(v, FIELD("prompt", "refuse")), 400, "context_length_exceeded", "what the client did wrong is wrong everywhere");
    fakes[2]->is_lost = true;
    check_error(transcribe(v, ""), 503, "expert_unavailable", "nobody is left");
    check_error(look(v, "/v1/tutti/vision/describe"), 503, "expert_unavailable", "nor for the cascade");
    end(v);
}

/* ---- who is there ---- */

TEST(experts_of_all_kinds_are_listed)
{
    struct service *v = start_media();
    struct answer a = get(v, "/v1/models");
    json_t *t = json_of(&a);
    CHECK(json_array_size(at(t, "data")) == 10 && strcmp(text_at(t, "data.1.tasks.0"), "transcribe") == 0, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    a = get(v, "/v1/tutti/experts");
    t = json_of(&a);
    CHECK(json_array_size(at(t, "experts")) == 5 && strcmp(text_at(t, "experts.3.tasks.1"), "detect") == 0 && strcmp(text_at(t, "experts.3.kind"), "fake") == 0, "%s", a.body.data);
    CHECK(json_is_true(at(t, "experts.4.sees")) && strcmp(text_at(t, "experts.0.state"), "warm") == 0 && strcmp(text_at(t, "experts.0.privacy"), "local") == 0, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    a = get(v, "/v1/tutti/experts/whisper-1");
    CHECK(a.status == 200 && strstr(a.body.data, "\"id\":\"ear\""), "%s", a.body.data);
    answer_fini_(&a);
    check_error(get(v, "/v1/tutti/experts/nobody"), 404, "model_not_found", "nobody");
    a = get(v, "/");
    CHECK(strstr(a.body.data, "transcribe") && strstr(a.body.data, "/v1/tutti/vision/"), "%s", a.body.data);
    answer_fini_(&a);
    a = get(v, "/metrics");
    CHECK(strstr(a.body.data, "tutti_model_info{model_name=\"mouth\",kind=\"fake\",tasks=\"speak\"} 1"), "%s", a.body.data);
    answer_fini_(&a);
    end(v);
}

/* ---- clients that do harm ---- */

TEST(uploads_that_stop_in_their_middle_leave_nothing_behind)
{
    struct service *v = start_media();
    for (int i = 0; i < 20; i++) {
        const int fd = dial(v);
        static const char head[] = "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: h\r\n" FORM "Content-Length: 30000000\r\n\r\n" FIELD("model", "ear");
        CHECK(send(fd, head, sizeof(head) - 1, MSG_NOSIGNAL) == sizeof(head) - 1);
        close(fd);
    }
    struct answer a = transcribe(v, FIELD("prompt", "words 1 0"));
    CHECK(a.status == 200, "%s", a.body.data);
    answer_fini_(&a);
    a = ask_with(v, "POST", "/v1/audio/transcriptions", FORM "Content-Length: 99999999999\r\n", NULL);
    CHECK(a.status == 413, "%d", a.status);
    answer_fini_(&a);
    CHECK(v->fake[1]->n_done == 1, "%d", v->fake[1]->n_done);
    end(v);
}

TEST(a_large_upload_is_read_on_another_thread_and_its_bytes_live_as_long_as_the_job)
{
    struct service *v = start_media();
    struct buf b;
    buf_init(&b, 8 << 20);
    buf_puts(&b, FIELD("prompt", "words 2 20000") "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n");
    for (int i = 0; i < 200000; i++)
        buf_puts(&b, "\r\n--c\r\nxy");
    buf_puts(&b, "\r\n--b--\r\n");
    for (int hang = 0; hang <= 1; hang++) {
        const int fd = dial(v);
        send_bytes(fd, "POST", "/v1/audio/transcriptions", FORM, b.data, b.len);
        if (hang) {
            close(fd); /* while it is parsed, or while the expert listens */
            continue;
        }
        struct answer a = hear(fd);
        CHECK(a.status == 200 && strstr(a.body.data, "w1 <x>"), "%s", a.body.data);
        answer_fini_(&a);
    }
    buf_fini(&b);
    end(v);
}

TEST(bodies_that_together_are_too_large_are_told_so)
{
    struct fake *const fakes[] = { fake_new("ear", EXPERT_WARM) };
    static char body[100000];
    fakes[0]->tasks = EXPERT_TRANSCRIBE;
    struct service *v = start_fakes((struct serve_config){ .max_bodies_bytes = 250000 }, fakes, 1);
    memset(body, 'x', sizeof(body));
    int fd[2];
    for (int i = 0; i < 2; i++) {
        fd[i] = dial(v);
        send_bytes(fd[i], "POST", "/v1/audio/transcriptions?prompt=silent+60000", "", body, sizeof(body));
    }
    CHECK(wait_until(&fakes[0]->n_running, 2));
    const int third = dial(v);
    send_bytes(third, "POST", "/v1/audio/transcriptions?prompt=words+1+0", "", body, sizeof(body));
    check_error(hear(third), 503, "overloaded", "the third");
    close(fd[0]);
    CHECK(wait_until(&fakes[0]->n_cancelled, 1));
    struct answer a = { 0 };
    for (int i = 0; i < 6000 && a.status != 200; i++) { /* its bytes are given back a moment after its job is over */
        answer_fini_(&a);
        usleep(i > 0 ? 10000 : 0);
        const int fourth = dial(v);
        send_bytes(fourth, "POST", "/v1/audio/transcriptions?prompt=words+1+0", "", body, sizeof(body));
        a = hear(fourth);
    }
    CHECK(a.status == 200, "%s", a.body.data);
    answer_fini_(&a);
    close(fd[1]);
    end(v);
}

TEST(more_requests_than_the_limit_are_told_so)
{
    struct service *v = start_media();
    int fd[60];
    for (int i = 0; i < 60; i++) {
        fd[i] = dial(v);
        send_request(fd[i], "POST", "/v1/audio/transcriptions?prompt=silent+60000", "content-type: audio/wav\r\n", "RIFF");
        if (i < 50)
            CHECK(wait_until(&v->fake[1]->n_running, i + 1), "%d", i);
    }
    check_error(hear(fd[59]), 503, "overloaded", "the sixtieth");
    for (int i = 0; i < 59; i++)
        close(fd[i]);
    CHECK(wait_until(&v->fake[1]->n_cancelled, 50), "%d", v->fake[1]->n_cancelled);
    end(v);
}

/* ---- a client that others wrote ---- */

TEST(the_openai_client_hears_speaks_and_sees)
{
    char line[512], command[512];
    int n_ok = 0;
    bool is_over = false;
    const char *client = getenv("TUTTI_CLIENT");
    snprintf(line, sizeof(line), "%s/node_modules/openai", client ? client : "");
    if (!client || access(line, R_OK) != 0 || system("command -v node >/dev/null 2>&1") != 0)
        SKIP("no OpenAI client (npm ci --prefix DIR with tests/serve/client's files, then TUTTI_CLIENT=DIR)");
    struct service *v = start_media();
    snprintf(command, sizeof(command), "FAKE=1 no_proxy='*' node tests/serve/client/media.mjs http://%s ear mouth seer text 2>&1", serve_addr(v->s)->text);
    FILE *f = popen(command, "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (strncmp(line, "ok ", 3) == 0)
            n_ok++;
        else if (strstr(line, " client tests, 0 failed"))
            is_over = true;
        else
            CHECK(false, "%s", line);
    }
    CHECK(f && pclose(f) == 0 && is_over && n_ok >= 10, "%d", n_ok);
    end(v);
}
