/* tests/wire/test_client_codecs.c - OpenAI and Ollama from the client's side: what is written can be read by our own server,
 * what servers send is read or refused, and streams are cut into the same events however they arrive. */
#include "test.h"
#include "wire/events.h"
#include "wire/multipart.h"
#include "wire/ollama.h"
#include "wire/openai_client.h"

#include <math.h>
#include <string.h>

static struct err err;

/* ---- events ---- */

static bool put_event(void *ctx, const char *data, size_t n)
{
    struct buf *b = ctx;
    buf_putc(b, '[');
    buf_append(b, data, n);
    buf_putc(b, ']');
    return strcmp(data, "STOP") != 0;
}

static const struct {
    enum events_kind kind;
    const char *bytes, *events;
} streams[] = {
    { EVENTS_SSE, "data: a\n\ndata: b\n\n", "[a][b]" },
    { EVENTS_SSE, "data: a\r\n\r\ndata: b\r\rdata: c\n\r\n", "[a][b][c]" },
    { EVENTS_SSE, ": ping\n\nevent: x\nid: 7\ndata: a\ndata:b\ndata:  c\nretry: 10\n\n", "[a\nb\n c]" },
    { EVENTS_SSE, "data\n\ndata:\n\ndatax: no\n\n", "[][]" },
    { EVENTS_SSE, "\xef\xbb\xbf" "data: bom\n\n", "[bom]" },
    { EVENTS_SSE, "data: never ended\n", "" },
    { EVENTS_SSE, "data: STOP\n\ndata: more\n\n", "[STOP]" },
    { EVENTS_LINES, "{1}\n\n{2}\r\n{3}", "[{1}][{2}][{3}]" },
};

TEST(a_stream_has_the_same_events_however_it_is_cut)
{
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
        for (size_t piece = 1; piece <= strlen(streams[i].bytes); piece++) {
            struct events e;
            struct buf out;
            bool goes_on = true;
            const size_t n = strlen(streams[i].bytes);
            events_init(&e, streams[i].kind, 1000);
            buf_init(&out, 1000);
            for (size_t at = 0; at < n && goes_on; at += piece)
                goes_on = events_put(&e, streams[i].bytes + at, n - at < piece ? n - at : piece, put_event, &out);
            if (goes_on)
                events_end(&e, put_event, &out);
            CHECK(strcmp(out.data ? out.data : "", streams[i].events) == 0, "%zu in pieces of %zu: %s", i, piece, out.data);
            events_fini(&e);
            buf_fini(&out);
        }
}

TEST(an_event_without_end_is_bounded)
{
    struct events e;
    struct buf out;
    events_init(&e, EVENTS_SSE, 100);
    buf_init(&out, 1000);
    bool goes_on = true;
    for (int i = 0; i < 1000 && goes_on; i++)
        goes_on = events_put(&e, "data: 0123456789\n", 17, put_event, &out);
    CHECK(!goes_on && e.data.failed, "no bound");
    events_fini(&e);
    buf_fini(&out);
}

/* ---- requests ---- */

TEST(what_the_client_writes_our_server_reads)
{
    struct openai_request r = { .task = OPENAI_CHAT, .model = "m \"1\"", .n_logprobs = 3, .stream = true, .include_usage = true, .ignore_eos = true };
    struct openai_request back = { 0 };
    struct openai_error e = { 0 };
    struct openai_bias bias[2] = { { 5, 1.5f }, { 70, -100 } };
    struct buf b;
    struct arena *a = arena_new(1 << 20, &err);
    r.vars = json_loads("{\"messages\":[{\"role\":\"user\",\"content\":\"hi \\u20ac\"},{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":"
                        "[{\"type\":\"function\",\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]}],"
                        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"enable_thinking\":false}", 0, NULL);
    REQUIRE(r.vars, "json");
    r.given = OPENAI_TEMPERATURE | OPENAI_TOP_K | OPENAI_SEED | OPENAI_MAX_TOKENS | OPENAI_N | OPENAI_MIN_P;
    r.temperature = 0.25, r.top_k = 7, r.seed = 99, r.max_tokens = 12, r.n = 2, r.min_p = 0.125;
    r.stops[0] = (struct openai_text){ "\n\n", 2 }, r.n_stops = 1;
    r.biases = bias, r.n_biases = 2;
    buf_init(&b, 1 << 20);
    REQUIRE(openai_put_request(&b, &r, &err), "%s", err.text);
    CHECK(strstr(b.data, "\"arguments\":\"{\\\"x\\\":1}\""), "arguments are text: %s", b.data);
    REQUIRE(openai_read_request(&back, OPENAI_CHAT, b.data, b.len, a, &e), "%s", e.message);
    CHECK(strcmp(back.model, r.model) == 0 && back.stream && back.include_usage && back.ignore_eos && back.n_logprobs == 3, "%s", b.data);
    CHECK((back.given & r.given) == r.given && back.temperature == 0.25 && back.top_k == 7 && back.seed == 99 && back.max_tokens == 12 && back.n == 2 &&
              back.min_p == 0.125 && !(back.given & OPENAI_TOP_P), "%s", b.data);
    CHECK(back.n_stops == 1 && back.n_biases == 2 && back.biases[1].bias == -100, "%s", b.data);
    CHECK(json_equal(back.vars, r.vars), "variables: %s", b.data);
    openai_request_fini(&back);
    json_decref(r.vars);

    const int32_t ids[] = { 1, 2, 3 };
    struct openai_input in[2] = { { "one", 3, NULL, 0 }, { "two", 3, NULL, 0 } }, tok = { NULL, 0, ids, 3 };
    r = (struct openai_request){ .task = OPENAI_EMBEDDING, .model = "m", .inputs = in, .n_inputs = 2, .n_logprobs = -1 };
    buf_clear(&b);
    memset(&back, 0, sizeof(back));
    REQUIRE(openai_put_request(&b, &r, &err) && openai_read_request(&back, OPENAI_EMBEDDING, b.data, b.len, a, &e), "%s", e.message);
    CHECK(back.n_inputs == 2 && strcmp(back.inputs[1].text, "two") == 0, "%s", b.data);
    openai_request_fini(&back);
    r = (struct openai_request){ .task = OPENAI_COMPLETION, .model = "m", .inputs = &tok, .n_inputs = 1, .n_logprobs = -1 };
    buf_clear(&b);
    memset(&back, 0, sizeof(back));
    REQUIRE(openai_put_request(&b, &r, &err) && openai_read_request(&back, OPENAI_COMPLETION, b.data, b.len, a, &e), "%s", e.message);
    CHECK(back.n_inputs == 1 && back.inputs[0].n_ids == 3, "%s", b.data);
    openai_request_fini(&back);
    buf_fini(&b);
    arena_free(a);
}

TEST(a_form_around_a_file_is_read_by_our_own_parser)
{
    struct buf b, after;
    struct multipart m;
    const struct openai_form_field fields[] = { { "model", "w" }, { "prompt", NULL }, { "timestamp_granularities[]", "word" } };
    buf_init(&b, 4096), buf_init(&after, 100);
    openai_put_form(&b, &after, "xyz", fields, 3, "file", "a.wav", "audio/wav");
    buf_append(&b, "RIFF\r\n--xy", 10);
    buf_append(&b, after.data, after.len);
    REQUIRE(multipart_parse(&m, "multipart/form-data; boundary=xyz", b.data, b.len, &err), "%s", err.text);
    CHECK(m.n_parts == 3 && strcmp(m.parts[2].filename, "a.wav") == 0 && m.parts[2].n == 10, "%d parts", m.n_parts);
    buf_fini(&b), buf_fini(&after);
}

TEST(ollama_gets_its_options_and_pictures)
{
    struct openai_request r = { .task = OPENAI_CHAT, .model = "m", .n_logprobs = -1 };
    struct buf b;
    buf_init(&b, 1 << 16);
    r.vars = json_loads("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"what\"},{\"type\":\"image_url\",\"image_url\":"
                        "{\"url\":\"data:image/png;base64,QUJD\"}}]}]}", 0, NULL);
    r.given = OPENAI_MAX_TOKENS | OPENAI_TEMPERATURE, r.max_tokens = 5, r.temperature = 0.5;
    r.stops[0] = (struct openai_text){ "x", 1 }, r.n_stops = 1;
    REQUIRE(ollama_put_request(&b, &r, &err), "%s", err.text);
    json_t *j = json_loadb(b.data, b.len, 0, NULL);
    CHECK(j && json_integer_value(json_object_get(json_object_get(j, "options"), "num_predict")) == 5, "%s", b.data);
    CHECK(strstr(b.data, "\"images\":[\"QUJD\"]") && strstr(b.data, "\"content\":\"what\"") && strstr(b.data, "\"stop\":[\"x\"]"), "%s", b.data);
    json_decref(j);
    json_decref(r.vars);
    r.vars = json_loads("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://x/y.png\"}}]}]}", 0, NULL);
    buf_clear(&b);
    CHECK(!ollama_put_request(&b, &r, &err) && err.code == ERR_UNSUPPORTED, "a URL: %s", err.text);
    json_decref(r.vars);
    buf_fini(&b);
}

/* ---- answers ---- */

TEST(answers_are_read_or_refused_with_a_reason)
{
    static const struct {
        const char *json, *text, *says; /* says: NULL when it is fine */
    } table[] = {
        { "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}]}", "hi", NULL },
        { "{\"choices\":[{\"message\":{\"content\":\"whole\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}", "whole", NULL },
        { "{\"choices\":[{\"delta\":{\"content\":null,\"reasoning_content\":\"hm\"}}]}", "", NULL },
        { "{\"choices\":[],\"usage\":{\"prompt_tokens\":-3}}", "", NULL },
        { "[DONE]", "", NULL },
        { "{}", "", "choices" },
        { "[]", "", "object" },
        { "{\"choices\":", "", "object" },
        { "{\"choices\":7}", "", "array" },
        { "{\"choices\":[7]}", "", "object" },
        { "{\"choices\":[{\"delta\":7}]}", "", "object" },
        { "{\"choices\":[{\"index\":-1,\"delta\":{}}]}", "", "index" },
        { "{\"choices\":[{\"delta\":{\"content\":7}}]}", "", "string" },
        { "{\"choices\":[{\"delta\":{},\"finish_reason\":7}]}", "", "finish_reason" },
        { "{\"error\":{\"message\":\"no more memory\"}}", "", "no more memory" },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct openai_answer a;
        struct openai_piece p = { .text = "" };
        err_clear(&err);
        bool ok = openai_read_answer(&a, OPENAI_CHAT, table[i].json, strlen(table[i].json), &err);
        for (int k = 0; ok && k < a.n_choices; k++)
            ok = openai_answer_piece(&a, k, &p, &err);
        CHECK(ok == (table[i].says == NULL) && (ok || strstr(err.text, table[i].says)), "%s: %s", table[i].json, err.text);
        CHECK(!ok || strcmp(p.text, table[i].text) == 0, "%s: '%s'", table[i].json, p.text);
        openai_answer_fini(&a);
    }
}

/* What openai_event.c takes must be what the tree gives: the same event with a list in it, which only the tree reads. */
TEST(the_usual_event_is_read_as_by_the_tree)
{
    static const char *const usual[] = {
        "{\"id\":\"x\",\"created\":1700000000,\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}",
        "{\"choices\":[{\"index\":3,\"delta\":{\"content\":\"a \\\"b\\\\ \\n\xc3\xa9\"},\"finish_reason\":null}],\"usage\":null}",
        " { \"choices\" : [ { \"delta\" : { } , \"index\" : 1 , \"finish_reason\" : \"length\" } ] , \"n\" : -0 , \"b\" : true } ",
        "{\"choices\":[{\"delta\":{\"content\":\"one\",\"content\":\"two\"}}]}",
        "{\"choices\":[{\"delta\":{\"content\":\"one\"},\"delta\":{\"content\":null}}]}",
    };
    int n_usual = 0, n_ok = 0;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        for (int round = 0; round < 4000; round++) {
            char fast[400], slow[420];
            size_t n = strlen(usual[i]);
            struct openai_answer a[2];
            struct openai_piece p[2] = { { .text = "" }, { .text = "" } };
            memcpy(fast, usual[i], n);
            for (int k = 0; round > 0 && k < 1 + (int)(test_rand_u64() % 2); k++) { /* broken in one place or two */
                static const char bytes[] = "{}[]\",:\\0123-.en tlu\t\x01\x80\xc3/";
                const size_t at = test_rand_u64() % n;
                if (test_rand_u64() % 3) {
                    fast[at] = bytes[test_rand_u64() % (sizeof(bytes) - 1)];
                } else {
                    memmove(fast + at, fast + at + 1, n - at - 1);
                    n--;
                }
            }
            const char *open = memchr(fast, '{', n);
            if (!open)
                continue;
            const size_t head = (size_t)(open - fast) + 1;
            const char *rest = fast + head;
            while (rest < fast + n && strchr(" \t\n\r", *rest))
                rest++;
            const bool is_empty = rest < fast + n && *rest == '}';
            memcpy(slow, fast, head);
            size_t n_slow = head + (size_t)sprintf(slow + head, "\"list\":[0]%s", is_empty ? "" : ",");
            memcpy(slow + n_slow, fast + head, n - head);
            n_slow += n - head;
            bool ok[2];
            for (int k = 0; k < 2; k++) {
                ok[k] = openai_read_answer(&a[k], OPENAI_CHAT, k ? slow : fast, k ? n_slow : n, &err);
                if (ok[k] && a[k].n_choices == 1)
                    ok[k] = openai_answer_piece(&a[k], 0, &p[k], &err);
            }
            CHECK(!ok[1] || !a[1].event.is_there, "the slow way is the fast one: %.*s", (int)n_slow, slow);
            n_usual += ok[0] && a[0].event.is_there;
            n_ok += ok[0];
            CHECK(round > 0 || a[0].event.is_there, "%s is not usual", usual[i]);
            CHECK(ok[0] == ok[1], "%d %d: %.*s", ok[0], ok[1], (int)n, fast);
            if (ok[0] && ok[1])
                CHECK(a[0].n_choices == a[1].n_choices && p[0].index == p[1].index && p[0].n_text == p[1].n_text && memcmp(p[0].text, p[1].text, p[0].n_text) == 0 &&
                          !p[0].finish_reason == !p[1].finish_reason && (!p[0].finish_reason || strcmp(p[0].finish_reason, p[1].finish_reason) == 0),
                      "%.*s", (int)n, fast);
            for (int k = 0; k < 2; k++)
                openai_answer_fini(&a[k]);
        }
    CHECK(n_usual > 1000, "%d of %d", n_usual, n_ok);
}

TEST(errors_of_servers_keep_their_words_and_kind)
{
    static const struct {
        int status;
        const char *body, *says;
        enum err_code code;
    } table[] = {
        { 400, "{\"error\":{\"message\":\"bad field\"}}", "bad field", ERR_INPUT },
        { 503, "{\"error\":{\"code\":503,\"message\":\"Loading model\"}}", "Loading model", ERR_BUSY },
        { 404, "{\"error\":\"model 'x' not found\"}", "not found", ERR_NOT_FOUND },
        { 401, "{\"object\":\"error\",\"message\":\"no key\"}", "no key", ERR_AUTH },
        { 422, "{\"detail\":\"wrong\"}", "wrong", ERR_INPUT },
        { 500, "<html>oops</html>", "500", ERR_IO },
        { 502, "", "502", ERR_BUSY },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        CHECK(!openai_read_error(table[i].status, table[i].body, strlen(table[i].body), &err), "true");
        CHECK(err.code == table[i].code && strstr(err.text, table[i].says), "%s: %s", table[i].body, err.text);
    }
}

static void on_vector(void *ctx, int index, const float *v, int n)
{
    float *sum = ctx;
    sum[index] += v[0] * 100 + (float)n;
}

TEST(embeddings_are_complete_or_refused)
{
    static const struct {
        const char *json;
        bool ok;
    } table[] = {
        { "{\"data\":[{\"index\":1,\"embedding\":[2,3]},{\"index\":0,\"embedding\":[1,2,3]}],\"usage\":{\"prompt_tokens\":5}}", true },
        { "{\"data\":[{\"embedding\":[1,2,3]},{\"embedding\":[2,3]}]}", true },
        { "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[1]}]}", false },
        { "{\"data\":[{\"index\":0,\"embedding\":[1]}]}", false },
        { "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":2,\"embedding\":[1]}]}", false },
        { "{\"data\":[{\"index\":0,\"embedding\":[\"x\"]},{\"index\":1,\"embedding\":[1]}]}", false },
        { "{\"data\":[{\"index\":0,\"embedding\":[]},{\"index\":1,\"embedding\":[1]}]}", false },
        { "{\"data\":7}", false },
        { "", false },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        float sum[2] = { 0 };
        struct openai_usage u = { 0 };
        const bool ok = openai_read_embeddings(table[i].json, strlen(table[i].json), 2, on_vector, sum, &u, &err);
        CHECK(ok == table[i].ok, "%s: %s", table[i].json, err.text);
        CHECK(!ok || (sum[0] == 103 && sum[1] == 202), "%g %g", (double)sum[0], (double)sum[1]);
    }
}

TEST(transcripts_have_words_where_servers_put_them)
{
    static const char *const table[] = {
        "{\"text\":\"a b\",\"language\":\"english\",\"duration\":2.5,\"segments\":[{\"start\":0,\"end\":2,\"text\":\"a b\",\"avg_logprob\":-0.5}],"
        "\"words\":[{\"word\":\"a\",\"start\":0,\"end\":1},{\"word\":\"b\",\"start\":1,\"end\":2}]}",
        "{\"text\":\"a b\",\"language\":\"english\",\"duration\":2.5,\"segments\":[{\"start\":0,\"end\":2,\"text\":\"a b\",\"avg_logprob\":-0.5,"
        "\"words\":[{\"word\":\"a\",\"start\":0,\"end\":1},{\"word\":\"b\",\"start\":1,\"end\":2}]}]}",
    };
    for (size_t i = 0; i < 2; i++) {
        struct arena *a = arena_new(1 << 20, &err);
        struct openai_transcript t;
        REQUIRE(openai_read_transcript(&t, table[i], strlen(table[i]), a, &err), "%s", err.text);
        CHECK(t.n_words == 2 && strcmp(t.words[1].text, "b") == 0 && t.words[1].end_s == 2 && t.n_segments == 1 && t.duration_s == 2.5, "%zu", i);
        arena_free(a);
    }
    struct arena *a = arena_new(1 << 20, &err);
    struct openai_transcript t;
    CHECK(!openai_read_transcript(&t, "{\"segments\":[]}", 15, a, &err), "no text");
    arena_free(a);
}

TEST(ollama_lines_are_read_or_refused)
{
    static const struct {
        const char *json;
        bool ok, is_done;
    } table[] = {
        { "{\"message\":{\"role\":\"assistant\",\"content\":\"x\"},\"done\":false}", true, false },
        { "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"eval_count\":3}", true, true },
        { "{\"error\":\"boom\"}", false, false },
        { "{\"done\":false}", false, false },
        { "{\"message\":7}", false, false },
        { "nonsense", false, false },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct ollama_line l;
        const bool ok = ollama_read_line(&l, table[i].json, strlen(table[i].json), &err);
        CHECK(ok == table[i].ok && (!ok || l.is_done == table[i].is_done), "%s: %s", table[i].json, err.text);
        ollama_line_fini(&l);
    }
}
