/* tests/serve/test_serve.c - the service in this process, over real sockets, with experts that do what the
 * prompt says (fake_expert.h).  What a real model answers is test_serve.sh's business. */
#define _GNU_SOURCE /* memmem */
#include "service.h"

/* ---- answers ---- */

TEST(a_chat_is_answered_in_one_piece)
{
    struct service *v = start();
    struct answer a = post(v, "/v1/chat/completions", chat("words 4 100", ",\"n\":2,\"model\":\"two\",\"logprobs\":true,\"top_logprobs\":2"));
    json_t *t = json_of(&a);
    CHECK(a.status == 200 && strstr(a.head.data, "content-type: application/json") && strstr(a.head.data, "x-request-id: req_"), "%s", a.head.data);
    CHECK(strcmp(text_at(t, "choices.0.message.content"), "w0 w1 w2 w3 ") == 0 && strcmp(text_at(t, "choices.1.message.content"), "w0 w1 w2 w3 ") == 0, "%s", a.body.data);
    CHECK(strcmp(text_at(t, "choices.0.finish_reason"), "stop") == 0 && strcmp(text_at(t, "choices.1.finish_reason"), "length") == 0);
    CHECK(strcmp(text_at(t, "model"), "two") == 0 && strcmp(text_at(t, "object"), "chat.completion") == 0 && strncmp(text_at(t, "id"), "chatcmpl-", 9) == 0);
    CHECK(int_at(t, "usage.prompt_tokens") == 5 && int_at(t, "usage.completion_tokens") == 8 && int_at(t, "usage.total_tokens") == 13);
    CHECK(json_array_size(at(t, "choices.0.logprobs.content")) == 4 && strcmp(text_at(t, "choices.1.logprobs.content.3.top_logprobs.0.token"), "w3 ") == 0);
    json_decref(t);
    answer_fini_(&a);
    end(v);
}

TEST(a_chat_streams_as_the_standard_says)
{
    struct service *v = start();
    struct answer a = post(v, "/v1/chat/completions", chat("words 3 100", ",\"n\":2,\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
    CHECK(a.status == 200 && strstr(a.head.data, "content-type: text/event-stream") && strstr(a.head.data, "cache-control: no-cache") &&
          strstr(a.head.data, "x-accel-buffering: no"), "%s", a.head.data);
    char id[64] = "", text[2][64] = { "", "" };
    int n_roles[2] = { 0 }, n_ends[2] = { 0 }, n_usage = 0, n_done = 0, n = 0;
    for (const char *p = a.body.data, *end; *p; p = end + 2, n++) {
        end = strstr(p, "\n\n");
        REQUIRE(end, "an event without its end: %s", p);
        if (p[0] == ':')
            continue;
        REQUIRE(strncmp(p, "data: ", 6) == 0, "%s", p);
        CHECK(n_done == 0, "something behind [DONE]");
        if (strncmp(p, "data: [DONE]", 12) == 0) {
            n_done++;
            continue;
        }
        json_t *t = json_loadb(p + 6, (size_t)(end - p - 6), 0, NULL);
        REQUIRE(t, "%s", p);
        if (!id[0])
            snprintf(id, sizeof(id), "%s", text_at(t, "id"));
        CHECK(strcmp(id, text_at(t, "id")) == 0 && strcmp(text_at(t, "object"), "chat.completion.chunk") == 0 && int_at(t, "created") > 0 && strcmp(text_at(t, "model"), "one") == 0);
        CHECK(at(t, "usage") != NULL, "each chunk has usage, null but for the last");
        if (json_array_size(at(t, "choices")) == 0) {
            n_usage++;
            CHECK(int_at(t, "usage.completion_tokens") == 6, "%s", p);
        } else {
            const int c = int_at(t, "choices.0.index");
            CHECK(json_is_null(at(t, "usage")) && n_usage == 0);
            CHECK(n_ends[c] == 0, "a chunk of a choice that has ended");
            if (at(t, "choices.0.delta.role"))
                n_roles[c]++;
            CHECK(n_roles[c] == 1, "the first chunk has the role");
            snprintf(text[c] + strlen(text[c]), sizeof(text[c]) - strlen(text[c]), "%s", text_at(t, "choices.0.delta.content"));
            n_ends[c] += json_is_string(at(t, "choices.0.finish_reason"));
        }
        json_decref(t);
    }
    CHECK(n_done == 1 && n_usage == 1 && n_ends[0] == 1 && n_ends[1] == 1 && strcmp(text[0], "w0 w1 w2 ") == 0 && strcmp(text[1], text[0]) == 0, "%s", a.body.data);
    answer_fini_(&a);
    end(v);
}

TEST(completions_take_several_prompts_and_echo_them)
{
    struct service *v = start();
    struct answer a = post(v, "/v1/completions", "{\"prompt\":[\"words 2 0\",\"b\"],\"echo\":true,\"n\":2}");
    json_t *t = json_of(&a);
    CHECK(json_array_size(at(t, "choices")) == 4 && strcmp(text_at(t, "choices.1.text"), "words 2 0w0 w1 ") == 0 && strcmp(text_at(t, "choices.2.text"), "bw0 w1 ") == 0, "%s", a.body.data);
    CHECK(strcmp(text_at(t, "object"), "text_completion") == 0);
    json_decref(t);
    answer_fini_(&a);
    a = post(v, "/v1/completions", "{\"prompt\":\"words 2 0\",\"logprobs\":1}");
    t = json_of(&a);
    CHECK(int_at(t, "choices.0.logprobs.text_offset.1") == 3 && strcmp(text_at(t, "choices.0.logprobs.tokens.1"), "w1 ") == 0, "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    a = post(v, "/v1/completions", "{\"prompt\":\"words 2 0\",\"echo\":true,\"stream\":true}");
    CHECK(strstr(a.body.data, "\"text\":\"words 2 0\"") && strstr(a.body.data, "\"text\":\"w1 \"") && strstr(a.body.data, "data: [DONE]\n\n"), "%s", a.body.data);
    answer_fini_(&a);
    end(v);
}

TEST(embeddings_have_length_one_and_come_as_numbers_or_base64)
{
    struct service *v = start();
    struct answer a = post(v, "/v1/embeddings", "{\"input\":[\"a\",[1,2]]}");
    json_t *t = json_of(&a);
    CHECK(fabs(json_real_value(at(t, "data.0.embedding.0")) - 0.6) < 1e-6 && int_at(t, "data.1.index") == 1 && json_array_size(at(t, "data.1.embedding")) == 4, "%s", a.body.data);
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        char path[32];
        snprintf(path, sizeof(path), "data.1.embedding.%d", i);
        sum += pow(json_number_value(at(t, path)), 2);
    }
    CHECK(fabs(sum - 1) < 1e-6, "%g", sum);
    json_decref(t);
    answer_fini_(&a);
    a = post(v, "/v1/embeddings", "{\"input\":\"a\",\"encoding_format\":\"base64\",\"dimensions\":2}");
    t = json_of(&a);
    CHECK(strcmp(text_at(t, "data.0.embedding"), "mpkZP83MTD8=") == 0, "%s", a.body.data); /* 0.6, 0.8 */
    json_decref(t);
    answer_fini_(&a);
    check_error(post(v, "/v1/embeddings", "{\"input\":\"a\",\"dimensions\":5}"), 400, "invalid_value", "more dimensions than there are");
    end(v);
}

/* ---- refusals ---- */

TEST(what_cannot_be_answered_is_refused_with_the_right_words)
{
    struct service *v = start();
    check_error(post(v, "/v1/chat/completions", "{"), 400, "invalid_json", "half a body");
    check_error(post(v, "/v1/chat/completions", ""), 400, "invalid_json", "no body");
    check_error(post(v, "/v1/chat/completions", chat("a", ",\"model\":\"three\"")), 404, "model_not_found", "unknown model");
    check_error(post(v, "/v1/chat/completions", chat("refuse", "")), 400, "context_length_exceeded", "too long");
    check_error(post(v, "/v1/chat/completions", chat("refuse", ",\"stream\":true")), 400, "context_length_exceeded", "too long, streaming");
    check_error(post(v, "/v1/chat/completions", chat("a", ",\"response_format\":{\"type\":\"json_object\"}")), 400, "unsupported_value", "JSON mode");
    check_error(get(v, "/v1/models/three"), 404, "model_not_found", "unknown model");
    check_error(get(v, "/v9"), 404, "not_found", "unknown path");
    check_error(post(v, "/v1/completions", "{\"prompt\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\",\"l\",\"m\",\"n\",\"o\",\"p\",\"q\"],\"n\":128}"), 400, "invalid_value", "too many answers");
    struct answer a = get(v, "/v1/chat/completions");
    CHECK(a.status == 405 && strstr(a.head.data, "allow: POST, OPTIONS"), "%s", a.head.data);
    answer_fini_(&a);
    a = ask_with(v, "DELETE", "/v1/models", "", NULL);
    CHECK(a.status == 405 && strstr(a.head.data, "allow: GET, HEAD, OPTIONS"), "%s", a.head.data);
    answer_fini_(&a);
    a = ask_with(v, "HEAD", "/v1/models", "", NULL);
    CHECK(a.status == 200 && a.body.len == 0, "%s", a.head.data);
    answer_fini_(&a);
    a = ask_with(v, "POST", "/v1/chat/completions", "X-Request-Id: my-id.7\r\nContent-Length: 33554433\r\n", NULL);
    CHECK(a.status == 413 && strstr(a.body.data, "\"code\":\"limit_exceeded\""), "%s", a.body.data);
    answer_fini_(&a);
    a = ask_with(v, "GET", "/healthz", "X-Request-Id: my-id.7\r\n", NULL);
    CHECK(strstr(a.head.data, "x-request-id: my-id.7\r\n"), "%s", a.head.data);
    answer_fini_(&a);
    a = ask_with(v, "GET", "/healthz", "X-Request-Id: bad id\r\n", NULL);
    CHECK(strstr(a.head.data, "x-request-id: req_"), "%s", a.head.data);
    answer_fini_(&a);
    end(v);
}

TEST(an_error_in_the_middle_of_a_stream_ends_it_without_a_fake_reason)
{
    struct service *v = start();
    struct answer a = post(v, "/v1/chat/completions", chat("break", ",\"stream\":true"));
    CHECK(a.status == 200 && strstr(a.body.data, "w0 ") && strstr(a.body.data, "data: {\"error\":{\"message\":\"the model broke\""), "%s", a.body.data);
    CHECK(!strstr(a.body.data, "\"finish_reason\":\"") && !strstr(a.body.data, "[DONE]"), "%s", a.body.data);
    answer_fini_(&a);
    check_error(post(v, "/v1/chat/completions", chat("break", "")), 500, "", "the same in one piece");
    end(v);
}

/* ---- time ---- */

TEST(headers_come_at_once_and_a_ping_every_second_of_silence)
{
    struct service *v = start();
    for (int mute = 0; mute <= 1; mute++) {
        const int fd = dial(v);
        char piece[4096];
        v->fake[0]->is_hurried = false;
        const uint64_t t0 = clock_ns();
        send_request(fd, "POST", "/v1/chat/completions", "", chat(mute ? "mute 600000" : "silent 600000", ",\"stream\":true"));
        const ssize_t n = recv_on(fd, piece, sizeof(piece) - 1);
        REQUIRE(n > 0, "nothing came");
        piece[n] = '\0';
        CHECK(strstr(piece, "HTTP/1.1 200") && !strstr(piece, "data:"), "%s", piece);
        struct buf rest;
        buf_init(&rest, 1 << 20);
        for (ssize_t k; (k = recv_on(fd, piece, sizeof(piece))) > 0;) {
            buf_append(&rest, piece, (size_t)k);
            if (strstr(rest.data, ": ping\n\n"))
                v->fake[0]->is_hurried = true; /* the silence is over */
        }
        const int all_s = (int)((clock_ns() - t0) / 1000000000); /* a busy machine is silent for longer */
        int n_pings = 0;
        for (const char *p = rest.data; (p = strstr(p, ": ping\n\n")) != NULL; p++)
            n_pings++;
        CHECK(n_pings >= 1 && n_pings <= all_s + 1 && strstr(rest.data, "[DONE]"), "%d pings: %s", n_pings, rest.data);
        buf_fini(&rest);
        close(fd);
    }
    end(v);
}

TEST(a_hang_up_cancels_its_job_and_no_other)
{
    struct service *v = start();
    const int other = dial(v);
    send_request(other, "POST", "/v1/chat/completions", "", chat("words 100 5000", ",\"stream\":true"));
    for (int how = 0; how < 4; how++) { /* streaming or not, with a reset or without */
        const int fd = dial(v);
        send_request(fd, "POST", "/v1/chat/completions", "", chat("words 100000 10000", how & 1 ? ",\"stream\":true" : ""));
        CHECK(wait_until(&v->fake[0]->n_running, 2), "way %d: it does not run", how);
        usleep(20000);
        if (how & 2) {
            const struct linger now = { 1, 0 };
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        }
        close(fd);
        CHECK(wait_until(&v->fake[0]->n_running, 1), "way %d: it goes on", how); /* 500 ms are promised */
    }
    CHECK(v->fake[0]->n_cancelled == 4, "%d", (int)v->fake[0]->n_cancelled);
    struct answer a = hear(other);
    CHECK(strstr(a.body.data, "w99 ") && strstr(a.body.data, "[DONE]"), "%s", a.body.data);
    answer_fini_(&a);
    CHECK(metric(v, "tutti_num_requests_running{model_name=\"one\"}") == 0);
    end(v);
}

struct stream_job {
    struct service *v;
    struct answer a;
    uint64_t ms;
};

static void *stream_thread(void *arg)
{
    struct stream_job *s = arg;
    const uint64_t t0 = clock_ns();
    s->a = post(s->v, "/v1/chat/completions", chat("words 50 4000", ",\"stream\":true"));
    s->ms = (clock_ns() - t0) / 1000000;
    return NULL;
}

TEST(eight_streams_flow_side_by_side)
{
    struct service *v = start();
    struct stream_job s[8];
    pthread_t t[8];
    for (int i = 0; i < 8; i++) {
        s[i] = (struct stream_job){ .v = v };
        pthread_create(&t[i], NULL, stream_thread, &s[i]);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(t[i], NULL);
        CHECK(s[i].a.status == 200 && strstr(s[i].a.body.data, "w49 ") && strstr(s[i].a.body.data, "[DONE]"), "stream %d: %.200s", i, s[i].a.body.data);
        answer_fini_(&s[i].a);
    }
    CHECK(metric(v, "tutti_time_to_first_token_seconds_count{model_name=\"one\"}") == 8);
    CHECK(metric(v, "tutti_inter_token_latency_seconds_count{model_name=\"one\"}") == 8 * 49);
    end(v);
}

TEST(a_slow_reader_holds_its_own_job_only)
{
    struct service *v = start();
    const int fd = dial(v), small = 65536;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    send_request(fd, "POST", "/v1/chat/completions", "", chat("flood 25000", ",\"stream\":true")); /* 6 MB, more than the sockets hold */
    WAIT_UNTIL(v->fake[0]->n_held > 0);
    CHECK(v->fake[0]->n_held > 0, "the job runs on while nobody reads");
    struct answer a = post(v, "/v1/chat/completions", chat("words 3 0", ",\"stream\":true"));
    CHECK(strstr(a.body.data, "[DONE]"), "%s", a.body.data);
    answer_fini_(&a);
    a = hear(fd);
    CHECK(strstr(a.body.data, "w24999 ") && strstr(a.body.data, "[DONE]"), "%zu bytes", a.body.len);
    answer_fini_(&a);
    end(v);
}

TEST(large_bodies_are_read_aside_and_a_hang_up_meanwhile_is_fine)
{
    struct service *v = start();
    struct buf b;
    buf_init(&b, 32 << 20);
    buf_puts(&b, "{\"messages\":[{\"role\":\"system\",\"content\":\"");
    while (b.len < 8 << 20)
        buf_puts(&b, "all work and no play ");
    buf_puts(&b, "\"},{\"role\":\"user\",\"content\":\"words 2 0\"}]}");
    struct answer a = post(v, "/v1/chat/completions", b.data);
    CHECK(a.status == 200 && strstr(a.body.data, "w0 w1 "), "%d %.200s", a.status, a.body.data);
    answer_fini_(&a);
    for (int i = 0; i < 5; i++) {
        const int fd = dial(v);
        send_request(fd, "POST", "/v1/chat/completions", "", b.data);
        usleep((useconds_t)(i * 5000));
        close(fd);
    }
    a = get(v, "/healthz");
    CHECK(a.status == 200);
    answer_fini_(&a);
    buf_fini(&b);
    end(v);
}

TEST(random_hang_ups_leave_nothing_behind)
{
    struct service *v = start();
    static const char *const prompts[] = { "words 5 1000", "words 1000 100", "silent 50", "refuse", "break", "words 0 0" };
    for (int i = 0; i < 150; i++) {
        const int fd = dial(v);
        send_request(fd, "POST", i % 7 ? "/v1/chat/completions" : "/v1/embeddings", "",
                     i % 7 ? chat(prompts[test_rand_u64() % 6], test_rand_u64() % 2 ? ",\"stream\":true,\"n\":3" : "") : "{\"input\":\"a\"}");
        usleep((useconds_t)(test_rand_u64() % 4000));
        close(fd);
    }
    CHECK(wait_until(&v->fake[0]->n_running, 0), "%d still run", (int)v->fake[0]->n_running);
    for (int i = 0; i < 6000 && metric(v, "\ntutti_http_connections ") > 1; i++)
        usleep(10000);
    CHECK(metric(v, "\ntutti_http_connections ") == 1);
    end(v);
}

/* ---- life ---- */

TEST(requests_wait_for_a_model_that_is_being_loaded)
{
    struct service *v = start_with((struct serve_config){ .load_wait_ms = 300 }, EXPERT_LOADING);
    struct answer a = get(v, "/healthz");
    CHECK(a.status == 503 && strstr(a.body.data, "\"status\":\"loading\"") && strstr(a.head.data, "retry-after: "), "%s", a.body.data);
    answer_fini_(&a);
    a = post(v, "/v1/chat/completions", chat("words 2 0", ""));
    CHECK(strstr(a.head.data, "retry-after: "), "%s", a.head.data);
    check_error(a, 503, "loading", "longer than the limit");
    end(v);
    v = start_with((struct serve_config){ .load_wait_ms = 600000 }, EXPERT_LOADING);
    const int fd = dial(v);
    send_request(fd, "POST", "/v1/chat/completions", "", chat("words 2 0", ""));
    usleep(200000);
    v->fake[0]->state = v->fake[1]->state = EXPERT_WARM;
    a = hear(fd);
    CHECK(a.status == 200 && strstr(a.body.data, "w1 "), "%s", a.body.data);
    answer_fini_(&a);
    a = get(v, "/healthz");
    CHECK(a.status == 200, "%s", a.body.data);
    answer_fini_(&a);
    v->fake[1]->state = EXPERT_DOWN;
    a = get(v, "/healthz");
    CHECK(a.status == 200 && strstr(a.body.data, "degraded") && strstr(a.body.data, "down: it is only a fake"), "%s", a.body.data);
    answer_fini_(&a);
    check_error(post(v, "/v1/chat/completions", chat("a", ",\"model\":\"two\"")), 503, "overloaded", "a model that is down");
    end(v);
}

TEST(the_service_ends_when_no_model_could_be_loaded)
{
    struct service *v = start_with((struct serve_config){ 0 }, EXPERT_DOWN);
    WAIT_UNTIL(v->is_over);
    CHECK(v->is_over && !v->ok);
    end(v);
}

TEST(stopping_lets_the_running_finish_and_refuses_the_new)
{
    struct service *v = start();
    const int fd = dial(v);
    send_request(fd, "POST", "/v1/chat/completions", "", chat("words 100 1000000", ",\"stream\":true"));
    CHECK(wait_until(&v->fake[0]->n_running, 1));
    serve_stop(v->s);
    struct answer a = get(v, "/healthz");
    for (int i = 0; i < 6000 && a.status == 200; i++) { /* until it was seen */
        answer_fini_(&a);
        usleep(10000);
        a = get(v, "/healthz");
    }
    CHECK(a.status == 503 && strstr(a.body.data, "shutting down"), "%s", a.body.data);
    answer_fini_(&a);
    check_error(post(v, "/v1/chat/completions", chat("words 2 0", "")), 503, "shutting_down", "a new request");
    CHECK(!v->is_over, "it did not wait");
    v->fake[0]->is_hurried = true;
    a = hear(fd);
    CHECK(strstr(a.body.data, "w99 ") && strstr(a.body.data, "[DONE]"), "%s", a.body.data);
    answer_fini_(&a);
    WAIT_UNTIL(v->is_over);
    CHECK(v->is_over && v->ok, "it goes on");
    end(v);
}

TEST(stopping_twice_ends_at_once)
{
    struct service *v = start();
    const int fd = dial(v);
    send_request(fd, "POST", "/v1/chat/completions", "", chat("words 100000 10000", ",\"stream\":true"));
    CHECK(wait_until(&v->fake[0]->n_running, 1));
    serve_stop(v->s);
    usleep(50000);
    CHECK(!v->is_over);
    serve_stop(v->s);
    WAIT_UNTIL(v->is_over);
    CHECK(v->is_over);
    end(v); /* checks with the sanitizers that nothing is left */
    close(fd);
}

/* ---- who may ask ---- */

static const char *write_keys(const char *text)
{
    const char *path = test_tmp("keys");
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    chmod(path, 0600);
    return path;
}

TEST(with_a_key_file_only_its_keys_open_anything_but_the_health)
{
    char path[200];
    snprintf(path, sizeof(path), "%s", write_keys("# ours\n\n  first-key-1 \r\nsecond-key-2"));
    struct service *v = start_with((struct serve_config){ .key_file = path }, EXPERT_WARM);
    static const struct {
        int status;
        const char *path, *fields;
    } cases[] = {
        { 200, "/healthz", "" },
        { 401, "/v1/models", "" },
        { 401, "/metrics", "" },
        { 401, "/", "" },
        { 401, "/nowhere", "" },
        { 401, "/v1/models", "Authorization: Bearer first-key-2\r\n" },
        { 401, "/v1/models", "Authorization: Bearer first-key-1x\r\n" },
        { 401, "/v1/models", "Authorization: Bearer first-key-\r\n" },
        { 401, "/v1/models", "Authorization: Bearer \r\n" },
        { 401, "/v1/models", "Authorization: Basic first-key-1\r\n" },
        { 401, "/v1/models", "Authorization: Bearer # ours\r\n" },
        { 401, "/v1/models", "X-Api-Key: nonsense-key\r\n" },
        { 200, "/v1/models", "Authorization: Bearer first-key-1\r\n" },
        { 200, "/v1/models", "authorization: bearer  second-key-2\r\n" },
        { 200, "/v1/models", "X-Api-Key: second-key-2\r\n" },
        { 200, "/metrics", "X-Api-Key: second-key-2\r\n" },
        { 404, "/nowhere", "X-Api-Key: second-key-2\r\n" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a = ask_with(v, "GET", cases[i].path, cases[i].fields, NULL);
        CHECK(a.status == cases[i].status, "%s %s: %d, want %d", cases[i].path, cases[i].fields, a.status, cases[i].status);
        if (a.status == 401)
            CHECK(strstr(a.body.data, "\"code\":\"invalid_api_key\"") && strstr(a.head.data, "www-authenticate: Bearer"), "%s", a.body.data);
        answer_fini_(&a);
    }
    end(v);
}

TEST(beyond_loopback_a_key_file_is_needed_and_it_must_hold_keys)
{
    struct err err = { 0 };
    struct serve_config config = { 0 };
    static const char *const wide[] = { "0.0.0.0:0", "[::]:0", "10.1.2.3:0" };
    for (int i = 0; i < 3; i++) {
        REQUIRE(net_addr_parse(&config.listen, wide[i], &err));
        CHECK(!serve_new(&config, &err) && strstr(err.text, "key file"), "%s: %s", wide[i], err.text);
    }
    REQUIRE(net_addr_parse(&config.listen, "127.0.0.1:0", &err));
    config.key_file = "/nowhere/keys";
    CHECK(!serve_new(&config, &err) && strstr(err.text, "/nowhere/keys"), "%s", err.text);
    config.key_file = write_keys("# nothing\n");
    CHECK(!serve_new(&config, &err) && strstr(err.text, "no key"), "%s", err.text);
    config.key_file = write_keys("fine-key-1\nshort\n");
    CHECK(!serve_new(&config, &err) && strstr(err.text, "line 2"), "%s", err.text);
    config.key_file = NULL;
    REQUIRE(net_addr_parse(&config.listen, "[::1]:0", &err));
    struct serve *s = serve_new(&config, &err); /* no model at all: allowed, it answers 404 */
    CHECK(s || strstr(err.text, "address"), "%s", err.text); /* machines without IPv6 say so */
    serve_free(s);
}

TEST(web_pages_from_elsewhere_may_not_use_a_service_without_keys)
{
    struct service *v = start();
    static const struct {
        int status;
        const char *origin;
    } cases[] = {
        { 403, "https://evil.example" }, { 403, "http://localhost.evil.example" }, { 403, "null" }, { 403, "http://127.0.0.1.evil.example" },
        { 403, "file://" }, { 200, "http://localhost:3000" }, { 200, "http://127.0.0.1" }, { 200, "https://[::1]:5" }, { 200, "vscode-webview://abc" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char fields[200], allow[200];
        snprintf(fields, sizeof(fields), "Origin: %s\r\n", cases[i].origin);
        snprintf(allow, sizeof(allow), "access-control-allow-origin: %s\r\n", cases[i].origin);
        struct answer a = ask_with(v, "GET", "/v1/models", fields, NULL);
        CHECK(a.status == cases[i].status, "%s: %d", cases[i].origin, a.status);
        CHECK((strstr(a.head.data, allow) != NULL) == (cases[i].status == 200), "%s: %s", cases[i].origin, a.head.data);
        answer_fini_(&a);
    }
    struct answer a = ask_with(v, "OPTIONS", "/v1/chat/completions", "Origin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n", NULL);
    CHECK(a.status == 204 && strstr(a.head.data, "access-control-allow-methods: POST, OPTIONS") && strstr(a.head.data, "access-control-allow-headers: authorization") &&
          !strstr(a.head.data, "content-length"), "%s", a.head.data);
    answer_fini_(&a);
    a = ask_with(v, "OPTIONS", "*", "", NULL);
    CHECK(a.status == 204, "%s", a.head.data);
    answer_fini_(&a);
    end(v);
}

/* ---- what is going on ---- */

TEST(models_and_pages_say_what_is_here)
{
    struct service *v = start();
    struct answer a = get(v, "/v1/models");
    json_t *t = json_of(&a);
    CHECK(json_array_size(at(t, "data")) == 7 && strcmp(text_at(t, "data.2.id"), "auto") == 0 && strcmp(text_at(t, "data.1.id"), "two") == 0 && strcmp(text_at(t, "data.0.object"), "model") == 0 &&
          int_at(t, "data.0.created") == 1700000000 && *text_at(t, "data.0.owned_by"), "%s", a.body.data);
    json_decref(t);
    answer_fini_(&a);
    static const char *const known[] = { "/v1/models/two", "/v1/models/two.gguf", "/v1/models/%74wo", "/", "/v1/models/" };
    for (size_t i = 0; i < 5; i++) {
        a = get(v, known[i]);
        CHECK(a.status == 200 && strstr(a.body.data, "two"), "%s: %s", known[i], a.body.data);
        answer_fini_(&a);
    }
    end(v);
}

TEST(metrics_are_what_prometheus_reads)
{
    struct service *v = start();
    for (int i = 0; i < 3; i++) {
        struct answer a = post(v, "/v1/chat/completions", chat("words 4 100", ""));
        answer_fini_(&a);
    }
    struct answer a = get(v, "/metrics");
    CHECK(a.status == 200 && strstr(a.head.data, "content-type: text/plain; version=0.0.4; charset=utf-8"), "%s", a.head.data);
    char typed[128] = "";
    double last_bucket = -1;
    for (char *line = strtok(a.body.data, "\n"); line; line = strtok(NULL, "\n")) {
        char name[128], *end;
        if (sscanf(line, "# TYPE %127s", name) == 1) {
            snprintf(typed, sizeof(typed), "%s", name);
            last_bucket = -1;
            continue;
        }
        if (line[0] == '#')
            continue;
        CHECK(typed[0] && strncmp(line, typed, strlen(typed)) == 0, "%s stands under TYPE %s", line, typed);
        const char *value = strrchr(line, ' ');
        REQUIRE(value, "%s", line);
        const double d = strtod(value + 1, &end);
        CHECK(*end == '\0' && end > value + 1, "%s", line);
        if (strstr(line, "_bucket{model_name=\"one\"")) {
            CHECK(d >= last_bucket, "buckets add up: %s", line);
            last_bucket = d;
        }
    }
    answer_fini_(&a);
    CHECK(metric(v, "tutti_e2e_request_latency_seconds_count{model_name=\"one\"}") == 3);
    CHECK(metric(v, "tutti_inter_token_latency_seconds_count{model_name=\"one\"}") == 9);
    CHECK(metric(v, "tutti_num_requests_running{model_name=\"two\"}") == 0);
    CHECK(metric(v, "tutti_cache_config_info{model_name=\"one\",block_size=\"32\",num_gpu_blocks=\"10\"}") == 1);
    a = get(v, "/metrics?names=vllm");
    CHECK(strstr(a.body.data, "vllm:num_requests_running{model_name=\"one\"}"), "%.300s", a.body.data);
    answer_fini_(&a);
    end(v);
}
