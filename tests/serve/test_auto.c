/* tests/serve/test_auto.c - `model: "auto"` over HTTP: who answers, what is said of it, wishes of bodies and headers. */
#define _GNU_SOURCE
#include "service.h"

static struct service *start_house(struct serve_config config)
{
    struct fake *f[4] = { fake_new("small", EXPERT_WARM), fake_new("large", EXPERT_WARM), fake_new("eye", EXPERT_WARM), fake_new("ear", EXPERT_WARM) };
    f[0]->n_ctx = f[1]->n_ctx = 4096;
    f[0]->n_params = 500000000;
    f[1]->n_params = 8000000000;
    f[2]->tasks = EXPERT_DETECT | EXPERT_OCR;
    f[3]->tasks = EXPERT_TRANSCRIBE | EXPERT_SPEAK;
    return start_fakes(config, f, 4);
}

static const char *field_of(const struct answer *a, const char *name)
{
    static char value[4][400];
    static int turn;
    char *out = value[turn++ % 4], key[64];
    snprintf(key, sizeof(key), "\r\n%s: ", name);
    const char *p = strcasestr(a->head.data, key);
    out[0] = '\0';
    if (p)
        snprintf(out, sizeof(value[0]), "%.*s", (int)strcspn(p + strlen(key), "\r"), p + strlen(key));
    return out;
}

TEST(an_answer_says_who_gave_it_and_why)
{
    struct service *v = start_house((struct serve_config){ 0 });
    static const char *const models[] = { "auto", "auto:fast", "auto:best", "auto:cheap", "auto:private" };
    for (size_t i = 0; i < 5; i++) {
        char more[64];
        snprintf(more, sizeof(more), ",\"model\":\"%s\"", models[i]);
        struct answer a = post(v, "/v1/chat/completions", chat("words 3 0", more));
        json_t *t = json_of(&a);
        const char *expert = text_at(t, "tutti.expert");
        CHECK(a.status == 200 && (strcmp(expert, "small") == 0 || strcmp(expert, "large") == 0), "%s: %d %s", models[i], a.status, a.body.data);
        CHECK(strcmp(text_at(t, "model"), expert) == 0 && strcmp(field_of(&a, "tutti-expert"), expert) == 0, "%s %s", a.head.data, a.body.data);
        CHECK(strcmp(text_at(t, "choices.0.message.content"), "w0 w1 w2 ") == 0, "%s", a.body.data);
        CHECK(strncmp(text_at(t, "tutti.route"), "rt_", 3) == 0 && strcmp(field_of(&a, "tutti-route"), text_at(t, "tutti.route")) == 0 && strcmp(field_of(&a, "tutti-node"), "local") == 0 &&
              field_of(&a, "tutti-why")[0] && strstr(field_of(&a, "tutti-joules"), " estimated") && strcmp(text_at(t, "tutti.joules_are"), "estimated") == 0 &&
              json_is_number(at(t, "tutti.joules")) && int_at(t, "tutti.asked") == 1 && *text_at(t, "tutti.intent"), "%s %s", a.head.data, a.body.data);
        json_decref(t);
        answer_fini_(&a);
    }
    struct answer a = post(v, "/v1/chat/completions", chat("words 3 0", ",\"model\":\"large\""));
    CHECK(a.status == 200 && !strstr(a.head.data, "tutti-expert") && !strstr(a.body.data, "\"tutti\":"), "a named model: %s %s", a.head.data, a.body.data);
    answer_fini_(&a);
    a = post(v, "/v1/chat/completions", chat("words 3 0", ""));
    CHECK(a.status == 200 && strstr(a.body.data, "\"model\":\"small\"") && !strstr(a.body.data, "\"tutti\":"), "no model: %s", a.body.data);
    answer_fini_(&a);
    CHECK(metric(v, "tutti_route_decision_seconds_count ") == 5, "%g", metric(v, "tutti_route_decision_seconds_count "));
    end(v);
}

TEST(a_stream_says_it_in_its_last_chunk)
{
    struct service *v = start_house((struct serve_config){ 0 });
    static const char *const more[] = { ",\"model\":\"auto\",\"stream\":true", ",\"model\":\"auto\",\"stream\":true,\"n\":3", ",\"model\":\"auto\",\"stream\":true,\"stream_options\":{\"include_usage\":true}" };
    for (int k = 0; k < 3; k++) {
        struct answer a = post(v, "/v1/chat/completions", chat("words 3 0", more[k]));
        const char *first = strstr(a.body.data, "\"tutti\":{\"route\":\"rt_"), *end_of = strstr(a.body.data, "data: [DONE]");
        CHECK(a.status == 200 && first && !strstr(first + 10, "\"tutti\":{"), "%d: once: %s", k, a.body.data);
        const char *last = end_of ? end_of - 2 : NULL; /* the begin of the last chunk */
        while (last && last > a.body.data && strncmp(last, "data: ", 6) != 0)
            last--;
        CHECK(last && first > last, "%d: in the last one: %s", k, a.body.data);
        CHECK(k == 2 ? strstr(last, "\"usage\":{") != NULL : strstr(last, "\"finish_reason\":\"") != NULL, "%d: %s", k, last);
        CHECK(field_of(&a, "tutti-expert")[0] && !strstr(a.body.data, "\"model\":\"auto\""), "%d: %s", k, a.head.data);
        answer_fini_(&a);
    }
    end(v);
}

TEST(every_endpoint_knows_auto)
{
    struct service *v = start_house((struct serve_config){ 0 });
    struct answer a = post(v, "/v1/embeddings", "{\"model\":\"auto\",\"input\":[\"a\",\"b\"]}");
    json_t *t = json_of(&a);
    CHECK(strncmp(field_of(&a, "tutti-route"), "rt_", 3) == 0 && strcmp(field_of(&a, "tutti-expert"), text_at(t, "tutti.expert")) == 0, "%s", a.head.data);
    CHECK(a.status == 200 && json_array_size(at(t, "data")) == 2 && *text_at(t, "tutti.expert") && strcmp(text_at(t, "model"), text_at(t, "tutti.expert")) == 0, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    a = post(v, "/v1/completions", "{\"model\":\"auto:fast\",\"prompt\":\"words 2 0\"}");
    CHECK(a.status == 200 && strstr(a.body.data, "w0 w1 ") && strstr(a.body.data, "\"tutti\":{"), "%s", a.body.data);
    answer_fini_(&a);
    static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\0\0\0\0\x3a\x7e\x9b\x55\0\0\0\nIDATx\x9c\x63\x60\0\0\0\2\0\1\x48\xaf\xa4\x71\0\0\0\0IEND\xae\x42\x60\x82";
    int fd = dial(v);
    send_bytes(fd, "POST", "/v1/tutti/vision/detect?model=auto&tutti=%7B%22security_level%22:%22private%22%7D", "Content-Type: image/png\r\n", png, sizeof(png) - 1);
    a = hear(fd);
    t = json_of(&a);
    CHECK(a.status == 200 && strcmp(text_at(t, "model"), "eye") == 0 && strcmp(text_at(t, "tutti.expert"), "eye") == 0 && strcmp(field_of(&a, "tutti-expert"), "eye") == 0, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    a = post(v, "/v1/audio/speech", "{\"model\":\"auto\",\"input\":\"words 2 0\",\"voice\":\"alloy\",\"response_format\":\"pcm\",\"tutti\":{\"quality\":1}}");
    CHECK(a.status == 400, "nobody has said how good the voice is: %d", a.status);
    answer_fini_(&a);
    a = post(v, "/v1/audio/speech", "{\"model\":\"auto\",\"input\":\"words 2 0\",\"voice\":\"alloy\",\"response_format\":\"pcm\"}");
    CHECK(a.status == 200 && a.body.len > 1000 && strcmp(field_of(&a, "tutti-expert"), "ear") == 0, "%s", a.head.data);
    answer_fini_(&a);
    a = get(v, "/v1/models/auto:best");
    CHECK(a.status == 200 && strstr(a.body.data, "\"id\":\"auto:best\"") && strstr(a.body.data, "\"detect\""), "%s", a.body.data);
    answer_fini_(&a);
    a = get(v, "/v1/tutti/experts");
    t = json_of(&a);
    CHECK(json_array_size(at(t, "candidates")) >= 4 && strcmp(text_at(t, "candidates.1.expert"), "large") == 0 && strcmp(text_at(t, "candidates.1.node"), "local") == 0, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    end(v);
}

TEST(wishes_that_make_no_sense_are_refused_with_their_name)
{
    struct service *v = start_house((struct serve_config){ 0 });
    static const struct {
        const char *fields, *more, *param;
    } cases[] = {
        { "", ",\"model\":\"auto\",\"tutti\":{\"deadline\":3}", "tutti.deadline" },
        { "", ",\"model\":\"auto\",\"tutti\":{\"deadline_ms\":-3}", "tutti.deadline_ms" },
        { "", ",\"model\":\"auto\",\"tutti\":{\"deadline_ms\":\"soon\"}", "tutti.deadline_ms" },
        { "", ",\"model\":\"auto\",\"tutti\":{\"security_level\":\"secret\"}", "tutti.security_level" },
        { "", ",\"model\":\"auto\",\"tutti\":{\"degrade\":1}", "tutti.degrade" },
        { "", ",\"model\":\"auto\",\"tutti\":7", "tutti" },
        { "", ",\"tutti\":{\"quality\":11}", "tutti.quality" },
        { "tutti-quality: 11\r\n", "", "tutti-quality" },
        { "tutti-deadline-ms: 1e\r\n", ",\"model\":\"auto\"", "tutti-deadline-ms" },
        { "tutti-security-level: open\r\n", ",\"model\":\"auto\"", "tutti-security-level" },
        { "tutti-degrade: no\r\n", ",\"model\":\"auto\"", "tutti-degrade" },
        { "tutti-hops: 1x\r\n", "", "tutti-hops" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a = ask_with(v, "POST", "/v1/chat/completions", cases[i].fields, chat("words 1 0", cases[i].more));
        json_t *t = json_of(&a);
        CHECK(a.status == 400 && strcmp(text_at(t, "error.param"), cases[i].param) == 0, "case %zu: %d %s", i, a.status, a.body.data);
        json_decref(t);
        answer_fini_(&a);
    }
    struct answer a = ask_with(v, "POST", "/v1/chat/completions", "tutti-deadline-ms: 60000\r\ntutti-security-level: airgap\r\ntutti-degrade: false\r\n",
                               chat("words 1 0", ",\"model\":\"auto\",\"tutti\":{\"ttft_ms\":5000,\"budget_joules\":100000,\"budget_usd\":1,\"security_level\":\"public\"}"));
    CHECK(a.status == 200, "%s", a.body.data);
    answer_fini_(&a);
    end(v);
}

TEST(a_request_that_goes_round_in_circles_ends)
{
    struct service *v = start_house((struct serve_config){ 0 });
    struct answer a = ask_with(v, "POST", "/v1/chat/completions", "tutti-hops: 3\r\n", chat("words 1 0", ",\"model\":\"auto\""));
    CHECK(a.status == 200, "%s", a.body.data);
    answer_fini_(&a);
    a = ask_with(v, "POST", "/v1/chat/completions", "tutti-hops: 4\r\n", chat("words 1 0", ",\"model\":\"auto\""));
    CHECK(a.status == 508 && strstr(a.body.data, "loop_detected"), "%d %s", a.status, a.body.data);
    answer_fini_(&a);
    end(v);
}

TEST(a_deadline_holds_for_auto_and_for_named_models)
{
    struct service *v = start_house((struct serve_config){ 0 });
    static const char *const more[] = { ",\"model\":\"auto\",\"tutti\":{\"deadline_ms\":80}", ",\"model\":\"large\",\"tutti\":{\"deadline_ms\":80}" };
    for (int k = 0; k < 2; k++)
        check_error(post(v, "/v1/chat/completions", chat("mute 20000", more[k])), 504, "deadline_exceeded", more[k]);
    end(v);
}

#define FORM "content-type: multipart/form-data; boundary=b\r\n"
#define FIELD(name, value) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

static struct answer hear_sound(const struct service *v, const char *headers, const char *fields) /* FIELD()... */
{
    char head[400], body[4096];
    snprintf(head, sizeof(head), FORM "%s", headers);
    snprintf(body, sizeof(body), "%s--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--b--\r\n", fields);
    return ask_with(v, "POST", "/v1/audio/transcriptions", head, body);
}

TEST(a_transcript_says_who_heard_it)
{
    struct service *v = start_house((struct serve_config){ 0 });
    static const char *const json_forms[] = { FIELD("response_format", "json"), FIELD("response_format", "verbose_json"), "" };
    for (int i = 0; i < 3; i++) {
        char fields[1000];
        snprintf(fields, sizeof(fields), FIELD("model", "auto") FIELD("prompt", "words 2 0") "%s", json_forms[i]);
        struct answer a = hear_sound(v, "tutti-security-level: airgap\r\ntutti-deadline-ms: 60000\r\n", fields);
        json_t *t = json_of(&a);
        CHECK(a.status == 200 && strcmp(text_at(t, "text"), "w0 <x> w1 <x>") == 0 && strcmp(text_at(t, "tutti.expert"), "ear") == 0, "%d %s", a.status, a.body.data);
        CHECK(strncmp(text_at(t, "tutti.route"), "rt_", 3) == 0 && strcmp(field_of(&a, "tutti-route"), text_at(t, "tutti.route")) == 0, "%s %s", a.head.data, a.body.data);
        json_decref(t);
        answer_fini_(&a);
    }
    static const char *const others[] = { FIELD("response_format", "text"), FIELD("response_format", "srt"), FIELD("response_format", "vtt") };
    for (int i = 0; i < 3; i++) {
        char fields[1000];
        snprintf(fields, sizeof(fields), FIELD("model", "auto") "%s", others[i]);
        struct answer a = hear_sound(v, "", fields);
        CHECK(a.status == 200 && strcmp(field_of(&a, "tutti-expert"), "ear") == 0 && !strstr(a.body.data, "tutti"), "%s %s", a.head.data, a.body.data);
        answer_fini_(&a);
    }
    struct answer a = hear_sound(v, "", FIELD("model", "auto:best") FIELD("stream", "true") FIELD("prompt", "pieces 2 0"));
    const char *done = strstr(a.body.data, "\"transcript.text.done\""), *route = strstr(a.body.data, "\"tutti\":{\"route\":\"rt_");
    CHECK(a.status == 200 && done && route > done && !strstr(route + 10, "\"tutti\":"), "%s", a.body.data);
    answer_fini_(&a);
    a = hear_sound(v, "", FIELD("model", "ear"));
    CHECK(a.status == 200 && !strstr(a.body.data, "tutti") && !strstr(a.head.data, "tutti-expert"), "a named model: %s", a.body.data);
    answer_fini_(&a);
    end(v);
}

TEST(wishes_come_with_forms_in_headers_and_in_a_field)
{
    struct service *v = start_house((struct serve_config){ 0 });
    static const struct {
        const char *headers, *fields, *param;
    } cases[] = {
        { "tutti-quality: 11\r\n", FIELD("model", "auto"), "tutti-quality" },
        { "tutti-security-level: open\r\n", FIELD("model", "ear"), "tutti-security-level" },
        { "", FIELD("model", "auto") FIELD("tutti", "{\"deadline\":1}"), "tutti.deadline" },
        { "", FIELD("model", "auto") FIELD("tutti", "7"), "tutti" },
        { "", FIELD("model", "auto") FIELD("tutti", "{"), "tutti" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a = hear_sound(v, cases[i].headers, cases[i].fields);
        json_t *t = json_of(&a);
        CHECK(a.status == 400 && strcmp(text_at(t, "error.param"), cases[i].param) == 0, "case %zu: %d %s", i, a.status, a.body.data);
        json_decref(t);
        answer_fini_(&a);
    }
    check_error(hear_sound(v, "tutti-deadline-ms: 80\r\n", FIELD("model", "auto") FIELD("prompt", "mute 20000")), 504, "deadline_exceeded", "auto");
    check_error(hear_sound(v, "tutti-deadline-ms: 80\r\n", FIELD("model", "ear") FIELD("prompt", "mute 20000")), 504, "deadline_exceeded", "named");
    end(v);
}

TEST(a_goal_that_nobody_knows_is_told_those_that_there_are)
{
    struct service *v = start_house((struct serve_config){ 0 });
    struct answer all[] = {
        post(v, "/v1/chat/completions", chat("words 1 0", ",\"model\":\"auto:nonsense\"")),
        post(v, "/v1/embeddings", "{\"model\":\"auto:nonsense\",\"input\":\"a\"}"),
        post(v, "/v1/audio/speech", "{\"model\":\"auto:nonsense\",\"input\":\"a\",\"voice\":\"alloy\",\"response_format\":\"pcm\"}"),
        hear_sound(v, "", FIELD("model", "auto:nonsense")),
        get(v, "/v1/models/auto:nonsense"),
        post(v, "/v2/models/auto:nonsense/infer", "{\"inputs\":[{\"name\":\"text_input\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"a\"]}]}"),
        get(v, "/v2/models/auto:nonsense"),
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        CHECK(all[i].status == 404 && strstr(all[i].body.data, "auto, auto:fast, auto:best, auto:cheap, auto:private"), "%zu: %d %s", i, all[i].status, all[i].body.data);
        answer_fini_(&all[i]);
    }
    end(v);
}

TEST(wishes_to_a_named_model_hold_where_there_is_nothing_to_choose)
{
    struct service *v = start_house((struct serve_config){ 0 });
    struct answer a = post(v, "/v1/chat/completions", chat("words 1 0", ",\"model\":\"small\",\"tutti\":{\"quality\":10,\"budget_joules\":0.001,\"budget_usd\":0.0000001,\"ttft_ms\":1,\"degrade\":false,\"deadline_ms\":60000,\"security_level\":\"private\"}"));
    CHECK(a.status == 200 && strstr(a.body.data, "\"model\":\"small\"") && !strstr(a.body.data, "\"tutti\":"), "those that choose are without effect: %s", a.body.data);
    answer_fini_(&a);
    end(v);
}

TEST(what_is_private_stays_here_whoever_is_asked)
{
    struct fake *f[4] = { fake_new("far", EXPERT_WARM), fake_new("near", EXPERT_WARM), fake_new("ear", EXPERT_WARM), fake_new("far-ear", EXPERT_WARM) };
    f[0]->n_ctx = f[1]->n_ctx = 4096;
    f[0]->privacy = f[3]->privacy = EXPERT_CLOUD;
    f[2]->tasks = f[3]->tasks = EXPERT_TRANSCRIBE;
    struct service *v = start_fakes((struct serve_config){ 0 }, f, 4);
    static const char private[] = "tutti-security-level: private\r\n";
    struct answer a = ask_with(v, "POST", "/v1/chat/completions", private, chat("words 1 0", ",\"model\":\"auto\""));
    CHECK(a.status == 200 && strstr(a.body.data, "\"model\":\"near\""), "auto: %s", a.body.data);
    answer_fini_(&a);
    check_error(ask_with(v, "POST", "/v1/chat/completions", private, chat("words 1 0", ",\"model\":\"far\"")), 400, "privacy", "named");
    a = ask_with(v, "POST", "/v1/chat/completions", private, chat("words 1 0", ""));
    CHECK(a.status == 200 && strstr(a.body.data, "\"model\":\"near\""), "none named: %s", a.body.data);
    answer_fini_(&a);
    f[2]->is_lost = true; /* the next one would be asked, if it were here */
    a = hear_sound(v, private, "");
    CHECK(a.status == 503 && f[3]->n_done == 0, "%d %s", a.status, a.body.data);
    answer_fini_(&a);
    a = hear_sound(v, "", "");
    CHECK(a.status == 200 && f[3]->n_done == 1, "nothing private: %d %s", a.status, a.body.data);
    answer_fini_(&a);
    CHECK(f[0]->n_done == 0, "%d", f[0]->n_done);
    end(v);
}

TEST(a_model_of_the_user_s_that_is_called_auto_keeps_its_name)
{
    struct fake *f[2] = { fake_new("one", EXPERT_WARM), fake_new("auto", EXPERT_WARM) };
    struct service *v = start_fakes((struct serve_config){ 0 }, f, 2);
    struct answer a = post(v, "/v1/chat/completions", chat("words 1 0", ",\"model\":\"auto\""));
    CHECK(a.status == 200 && strstr(a.body.data, "\"model\":\"auto\"") && !strstr(a.head.data, "tutti-expert"), "%s", a.body.data);
    answer_fini_(&a);
    a = get(v, "/v1/models");
    json_t *t = json_of(&a);
    CHECK(json_array_size(at(t, "data")) == 6, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    end(v);
}

TEST(an_expert_that_breaks_is_replaced_or_said_never_mixed)
{
    struct service *v = start_house((struct serve_config){ 0 });
    v->fake[0]->is_lost = true; /* every job of it ends with an error before the first word */
    for (int k = 0; k < 4; k++) {
        struct answer a = post(v, "/v1/chat/completions", chat("words 2 0", k % 2 ? ",\"model\":\"auto:fast\"" : ",\"model\":\"auto:cheap\",\"stream\":true"));
        CHECK(a.status == 200 && strcmp(k % 2 ? field_of(&a, "tutti-expert") : "large", "large") == 0 && strstr(a.body.data, "\"model\":\"large\""), "%d: %s %s", k, a.head.data, a.body.data);
        answer_fini_(&a);
    }
    struct answer a = post(v, "/v1/chat/completions", chat("break", ",\"model\":\"auto:best\",\"stream\":true"));
    CHECK(strstr(a.body.data, "\"error\":") && !strstr(a.body.data, "[DONE]"), "%s", a.body.data);
    answer_fini_(&a);
    end(v);
}
