/* tests/wire/test_openai.c - requests as a table: what is accepted, what is refused and with which words;
 * and replies, which a JSON reader must be able to read. */
#include "wire/openai.h"
#include "test.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "wire/put.h"

#define C OPENAI_CHAT
#define P OPENAI_COMPLETION
#define E OPENAI_EMBEDDING
#define M "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static const struct {
    int task, status; /* 0: accepted */
    const char *param, *body, *why;
} table[] = {
    { C, 0, "", "{" M "}", "the plainest" },
    { C, 0, "", "{\"model\":\"m\"," M ",\"future_field\":{\"a\":[1]}}", "unknown fields are ignored" },
    { C, 0, "", "{\"model\":null," M ",\"temperature\":null,\"stop\":null,\"tools\":null,\"n\":null,\"stream\":null}", "null is absent" },
    { C, 0, "", "{\"messages\":[{\"role\":\"developer\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]},{\"role\":\"user\",\"content\":\"b\"}]}", "parts" },
    { C, 0, "", "{\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"x\"}]}", "tool calls in the history" },
    { C, 0, "", "{" M ",\"response_format\":{\"type\":\"text\"},\"tool_choice\":\"auto\",\"tools\":[]}", "harmless formats" },
    { C, 0, "", "{" M ",\"top_k\":-1,\"max_tokens\":-1,\"seed\":-1,\"stop\":\"\"}", "what llama-server's clients send for 'default'" },
    { C, 0, "", "{" M ",\"max_tokens\":16.0,\"grammar\":\"\",\"guided_choice\":[]}", "a whole number with a point; empty constraints" },
    { C, 0, "", "{" M ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "usage" },
    { C, 0, "", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,aGk=\"}}]}]}", "a picture" },
    { C, 0, "", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":\"https://x/y\"}]}]}", "an address without its object" },
    { C, 0, "", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"aGk=\",\"format\":\"wav\"}}]}]}", "a sound" },
    { C, 0, "", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"data:audio/wav;base64,aGk=\"}}]}]}", "a sound as vLLM's clients send it" },
    { C, 400, "messages[0].content[0]", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"http://x/y.wav\"}}]}]}", "a sound elsewhere" },
    { P, 0, "", "{\"prompt\":\"a\"}", "text" },
    { P, 0, "", "{\"prompt\":[\"a\",\"b\"],\"logprobs\":3,\"best_of\":1}", "texts" },
    { P, 0, "", "{\"prompt\":[1,2,3]}", "ids" },
    { P, 0, "", "{\"prompt\":[[1,2],[3]],\"n\":2,\"best_of\":2}", "arrays of ids" },
    { P, 0, "", "{\"prompt\":\"a\",\"echo\":true,\"suffix\":null}", "echo" },
    { E, 0, "", "{\"input\":\"a\"}", "text" },
    { E, 0, "", "{\"input\":[[1],\"b\"],\"encoding_format\":\"base64\",\"dimensions\":5}", "mixed" },

    { C, 400, "", "", "no body" },
    { C, 400, "", "{", "half" },
    { C, 400, "", "[]", "not an object" },
    { C, 400, "", "{} x", "text behind" },
    { C, 400, "", "{\"a\":1,\"a\":2}", "duplicate keys" },
    { C, 400, "", "{\"a\":\"\xff\"}", "not UTF-8" },
    { C, 400, "", "{\"a\":\"\\ud800\"}", "lone surrogate" },
    { C, 400, "", "{\"a\":1e999}", "too large a number" },
    { C, 400, "messages", "{}", "no messages" },
    { C, 400, "messages", "{\"messages\":[]}", "none" },
    { C, 400, "messages", "{\"messages\":\"hi\"}", "a string" },
    { C, 400, "messages[0]", "{\"messages\":[\"hi\"]}", "strings" },
    { C, 400, "messages[0].role", "{\"messages\":[{\"content\":\"a\"}]}", "no role" },
    { C, 400, "messages[0].role", "{\"messages\":[{\"role\":\"king\",\"content\":\"a\"}]}", "unknown role" },
    { C, 400, "messages[1].content", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\"}]}", "no content" },
    { C, 400, "messages[0].content", "{\"messages\":[{\"role\":\"user\",\"content\":7}]}", "a number" },
    { C, 400, "messages[0].content[1]", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"x\"}}]}]}", "a picture that is none" },
    { C, 400, "messages[0].content[1]", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:,a\"}},{\"type\":\"input_audio\"}]}]}", "a sound without data beside a picture" },
    { C, 400, "messages[0].content[0]", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", "a picture without its address" },
    { C, 400, "messages[0].content[0]", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]}", "a sound without data" },
    { C, 400, "messages[0].content[0]", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}", "a part without text" },
    { C, 400, "messages[0].content[0]", "{\"messages\":[{\"role\":\"user\",\"content\":[\"a\"]}]}", "a part that is a string" },
    { C, 400, "messages[0].tool_calls[0].function", "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}]}", "broken arguments in the history" },
    { C, 400, "messages[0].tool_calls", "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":{}}]}", "calls that are no array" },
    { C, 400, "temperature", "{" M ",\"temperature\":2.1}", "too hot" },
    { C, 400, "temperature", "{" M ",\"temperature\":\"hot\"}", "a word" },
    { C, 400, "top_p", "{" M ",\"top_p\":1.01}", "over 1" },
    { C, 400, "n", "{" M ",\"n\":0}", "no choice" },
    { C, 400, "n", "{" M ",\"n\":129}", "too many choices" },
    { C, 400, "n", "{" M ",\"n\":1.5}", "half a choice" },
    { C, 400, "max_tokens", "{" M ",\"max_tokens\":0}", "nothing" },
    { C, 400, "max_tokens", "{" M ",\"max_tokens\":-2}", "less" },
    { C, 400, "stream", "{" M ",\"stream\":\"yes\"}", "a word for a boolean" },
    { C, 400, "stream_options", "{" M ",\"stream_options\":1}", "a number" },
    { C, 400, "stop", "{" M ",\"stop\":7}", "a number" },
    { C, 400, "stop", "{" M ",\"stop\":[\"a\",7]}", "a number inside" },
    { C, 400, "stop", "{" M ",\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]}", "seventeen" },
    { C, 400, "logprobs", "{" M ",\"logprobs\":5}", "chat has a boolean" },
    { C, 400, "top_logprobs", "{" M ",\"top_logprobs\":5}", "without logprobs" },
    { C, 400, "top_logprobs", "{" M ",\"logprobs\":true,\"top_logprobs\":21}", "too many" },
    { C, 400, "logit_bias", "{" M ",\"logit_bias\":{\"a\":1}}", "no id" },
    { C, 400, "logit_bias", "{" M ",\"logit_bias\":{\"1\":101}}", "too strong" },
    { C, 400, "logit_bias", "{" M ",\"logit_bias\":{\"99999999999\":1}}", "too large an id" },
    { C, 400, "response_format", "{" M ",\"response_format\":{\"type\":\"json_object\"}}", "JSON mode must not be ignored" },
    { C, 400, "response_format", "{" M ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{}}}", "nor a schema" },
    { C, 400, "response_format.type", "{" M ",\"response_format\":{\"type\":\"xml\"}}", "unknown" },
    { C, 400, "grammar", "{" M ",\"grammar\":\"root ::= a\"}", "a grammar" },
    { C, 400, "functions", "{" M ",\"functions\":[{\"name\":\"f\"}]}", "the old form of tools" },
    { C, 400, "tool_choice", "{" M ",\"tool_choice\":\"required\"}", "cannot be kept" },
    { C, 400, "tools[0]", "{" M ",\"tools\":[{\"type\":\"magic\"}]}", "unknown tool" },
    { C, 400, "modalities", "{" M ",\"modalities\":[\"text\",\"audio\"]}", "speech" },
    { C, 400, "model", "{" M ",\"model\":5}", "a number" },
    { C, 400, "chat_template_kwargs", "{" M ",\"chat_template_kwargs\":[]}", "an array" },
    { P, 400, "prompt", "{}", "no prompt" },
    { P, 400, "prompt", "{\"prompt\":[]}", "empty" },
    { P, 400, "prompt", "{\"prompt\":{}}", "an object" },
    { P, 400, "prompt[1]", "{\"prompt\":[1,\"a\"]}", "mixed" },
    { P, 400, "prompt[1]", "{\"prompt\":[\"a\",1]}", "mixed" },
    { P, 400, "prompt[0]", "{\"prompt\":[-1]}", "a negative id" }, /* param: see the test */
    { P, 400, "prompt[1]", "{\"prompt\":[[1],[]]}", "no ids" },
    { P, 400, "best_of", "{\"prompt\":\"a\",\"best_of\":3}", "cannot" },
    { P, 400, "suffix", "{\"prompt\":\"a\",\"suffix\":\"b\"}", "cannot" },
    { P, 400, "logprobs", "{\"prompt\":\"a\",\"logprobs\":true}", "completions have a number" },
    { P, 400, "logprobs", "{\"prompt\":\"a\",\"logprobs\":1,\"echo\":true}", "cannot" },
    { P, 400, "echo", "{\"prompt\":[1],\"echo\":true}", "cannot" },
    { E, 400, "input", "{}", "no input" },
    { E, 400, "encoding_format", "{\"input\":\"a\",\"encoding_format\":\"hex\"}", "unknown" },
    { E, 400, "dimensions", "{\"input\":\"a\",\"dimensions\":0}", "none" },
};

static struct arena *arena;
static struct openai_request r;
static struct openai_error e;

static bool read_body(int task, const char *body)
{
    struct err err;
    openai_request_fini(&r);
    arena_free(arena);
    arena = arena_new(1 << 20, &err);
    return openai_read_request(&r, task, body, strlen(body), arena, &e);
}

static void clean_up(void)
{
    openai_request_fini(&r);
    arena_free(arena);
    arena = NULL;
}

TEST(each_request_is_accepted_or_refused_with_its_field_named)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const bool ok = read_body(table[i].task, table[i].body);
        CHECK(ok == (table[i].status == 0) && e.status == table[i].status, "%s: %s: status %d, %s", table[i].why, table[i].body, e.status, e.message);
        if (!ok) {
            const char *param = strcmp(table[i].why, "a negative id") == 0 || (strcmp(table[i].why, "mixed") == 0 && strstr(table[i].body, "[1,"))
                                    ? "prompt" : table[i].param;
            CHECK(strcmp(e.param, param) == 0, "%s: param '%s', want '%s'", table[i].why, e.param, param);
            CHECK(e.message[0], "%s: no words", table[i].why);
        }
    }
    clean_up();
}

TEST(the_fields_of_a_chat_arrive)
{
    REQUIRE(read_body(C, "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},"
                         "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":[1]}\"}}]}],"
                         "\"temperature\":0.5,\"top_k\":7,\"seed\":-5,\"max_tokens\":3,\"max_completion_tokens\":9,\"stop\":[\"x\",\"\",\"yy\"],"
                         "\"logit_bias\":{\"5\":-100,\"7\":1.5},\"logprobs\":true,\"top_logprobs\":2,\"n\":3,\"stream\":true,"
                         "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"chat_template_kwargs\":{\"enable_thinking\":false},"
                         "\"dry_multiplier\":0.8,\"dry_sequence_breakers\":[\"\\n\"],\"repeat_penalty\":1.1}"), "%s", e.message);
    CHECK(strcmp(r.model, "m") == 0 && r.temperature == 0.5 && r.top_k == 7 && r.seed == -5 && r.max_tokens == 9 && r.n == 3);
    CHECK(r.given == (OPENAI_TEMPERATURE | OPENAI_TOP_K | OPENAI_SEED | OPENAI_MAX_TOKENS | OPENAI_N | OPENAI_TOP_LOGPROBS |
                      OPENAI_DRY_MULTIPLIER | OPENAI_REPETITION), "%x", r.given);
    CHECK(r.n_stops == 2 && strcmp(r.stops[1].text, "yy") == 0);
    CHECK(r.n_biases == 2 && r.biases[0].id == 5 && r.biases[0].bias == -100.0f);
    CHECK(r.n_logprobs == 2 && r.stream && !r.include_usage);
    CHECK(r.has_breakers && r.n_breakers == 1 && r.repetition_penalty == 1.1);
    char *vars = json_dumps(r.vars, JSON_COMPACT | JSON_SORT_KEYS);
    CHECK(vars && strcmp(vars, "{\"enable_thinking\":false,\"messages\":[{\"content\":\"a\\nb\",\"role\":\"system\"},"
                               "{\"content\":\"\",\"role\":\"assistant\",\"tool_calls\":[{\"function\":{\"arguments\":{\"x\":[1]},\"name\":\"f\"}}]}],"
                               "\"tools\":[{\"function\":{\"name\":\"f\"},\"type\":\"function\"}]}") == 0, "%s", vars);
    free(vars);
    REQUIRE(read_body(C, "{" M ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"none\"}"));
    CHECK(!json_object_get(r.vars, "tools"), "'none' hides the tools");
    clean_up();
}

TEST(completions_have_the_defaults_of_the_reference)
{
    REQUIRE(read_body(P, "{\"prompt\":[[1,2],[3]]}"));
    CHECK(r.max_tokens == 16 && r.n_logprobs == -1 && r.n_inputs == 2 && r.inputs[0].n_ids == 2 && r.inputs[1].ids[0] == 3);
    REQUIRE(read_body(P, "{\"prompt\":\"a\",\"max_tokens\":-1,\"logprobs\":0}"));
    CHECK(!(r.given & OPENAI_MAX_TOKENS) && r.n_logprobs == 0 && r.n_inputs == 1 && r.inputs[0].n_text == 1);
    clean_up();
}

TEST(deep_nesting_and_long_arrays_end_in_an_error_or_are_fine)
{
    struct buf b;
    struct err err;
    buf_init(&b, 16 << 20);
    for (int i = 0; i < 100000; i++)
        buf_putc(&b, '[');
    struct arena *a = arena_new(64 << 20, &err);
    CHECK(!openai_read_request(&r, C, b.data, b.len, a, &e) && e.status == 400, "%s", e.message);
    openai_request_fini(&r);
    buf_clear(&b);
    buf_puts(&b, "{\"prompt\":[1");
    for (int i = 1; i < 500000; i++)
        buf_puts(&b, ",2");
    buf_puts(&b, "]}");
    CHECK(openai_read_request(&r, P, b.data, b.len, a, &e) && r.inputs[0].n_ids == 500000, "%s", e.message);
    openai_request_fini(&r);
    arena_free(a);
    arena = arena_new(1000, &err);
    CHECK(!openai_read_request(&r, P, b.data, b.len, arena, &e) && e.status == 503, "the arena's limit: %s", e.message);
    buf_fini(&b);
    clean_up();
}

/* ---- replies ---- */

static void check_json(const struct buf *b, const char *want)
{
    json_error_t why;
    const char *from = strncmp(b->data, "data: ", 6) == 0 ? b->data + 6 : b->data;
    json_t *t = json_loads(from, 0, &why);
    CHECK(t, "%s: %s", why.text, b->data);
    char *got = t ? json_dumps(t, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    CHECK(got && strcmp(got, want) == 0, "got %s\nwant %s", got ? got : "", want);
    free(got);
    json_decref(t);
}

#define HEAD "\"created\":5,\"model\":\"m\\\"x\",\"system_fingerprint\":\"tutti-" TUTTI_VERSION "\""

TEST(replies_are_the_json_that_clients_expect)
{
    const struct openai_head h = { "id-1", 5, "m\"x", NULL };
    const struct openai_token top[] = { { "a", 1, -0.5f, NULL, 0 }, { "\xc3", 1, -INFINITY, NULL, 0 } }, tok = { "a", 1, -0.5f, top, 2 };
    struct buf b, lp;
    struct openai_completion_logprobs cl;
    buf_init(&b, 1 << 20);
    buf_init(&lp, 1 << 20);
    openai_put_chat_logprob(&lp, &tok);
    struct openai_choice c = { .index = 0, .text = "h\xc3\xa9\n\xff", .n_text = 5, .finish_reason = "stop", .with_logprobs = true, .chat_logprobs = &lp };
    openai_put_reply_begin(&b, C, &h);
    openai_put_reply_choice(&b, C, &c, true);
    c.index = 1, c.with_logprobs = false, c.text = "", c.n_text = 0, c.finish_reason = "length";
    openai_put_reply_choice(&b, C, &c, false);
    openai_put_reply_end(&b, &h, &(struct openai_usage){ 7, 4, 2, 0, 0, 0 });
    check_json(&b, "{\"id\":\"id-1\",\"object\":\"chat.completion\"," HEAD ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"h\xc3\xa9\\n\xef\xbf\xbd\",\"refusal\":null},"
                   "\"logprobs\":{\"content\":[{\"token\":\"a\",\"logprob\":-0.5,\"bytes\":[97],\"top_logprobs\":[{\"token\":\"a\",\"logprob\":-0.5,\"bytes\":[97]},{\"token\":\"\xef\xbf\xbd\",\"logprob\":-9999,\"bytes\":[195]}]}],\"refusal\":null},\"finish_reason\":\"stop\"},"
                   "{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"length\"}],"
                   "\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":4}}}");
    openai_completion_logprobs_init(&cl, 1 << 20);
    openai_completion_logprobs_add(&cl, &(struct openai_token){ "\xc3\xa9", 2, -1, NULL, 0 });
    openai_completion_logprobs_add(&cl, &tok);
    buf_clear(&b);
    c = (struct openai_choice){ .index = 0, .text = "x", .n_text = 1, .with_logprobs = true, .logprobs = &cl };
    openai_put_chunk(&b, P, &h, &c, true);
    check_json(&b, "{\"id\":\"id-1\",\"object\":\"text_completion\"," HEAD ",\"choices\":[{\"index\":0,\"text\":\"x\",\"logprobs\":{\"tokens\":[\"\xc3\xa9\",\"a\"],\"token_logprobs\":[-1,-0.5],"
                   "\"top_logprobs\":[{},{\"a\":-0.5,\"\xef\xbf\xbd\":-9999}],\"text_offset\":[0,1]},\"finish_reason\":null}],\"usage\":null}");
    openai_completion_logprobs_fini(&cl);
    buf_clear(&b);
    openai_put_chunk_role(&b, &h, 1, false);
    check_json(&b, "{\"id\":\"id-1\",\"object\":\"chat.completion.chunk\"," HEAD ",\"choices\":[{\"index\":1,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}");
    buf_clear(&b);
    c = (struct openai_choice){ .index = 0, .text = "", .finish_reason = "stop" };
    openai_put_chunk(&b, C, &h, &c, false);
    check_json(&b, "{\"id\":\"id-1\",\"object\":\"chat.completion.chunk\"," HEAD ",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}");
    CHECK(strcmp(b.data + b.len - 2, "\n\n") == 0);
    buf_clear(&b);
    openai_put_chunk_usage(&b, C, &h, &(struct openai_usage){ 3, 0, 2, 1000000, 2000000, 500000000 });
    CHECK(strstr(b.data, "\"choices\":[],\"usage\":{\"prompt_tokens\":3") && strstr(b.data, "\"predicted_per_second\":2.000"), "%s", b.data);
    buf_clear(&b);
    openai_put_error(&b, &(struct openai_error){ 404, "model_not_found", "model", "no \"x\"" });
    check_json(&b, "{\"error\":{\"message\":\"no \\\"x\\\"\",\"type\":\"invalid_request_error\",\"param\":\"model\",\"code\":\"model_not_found\"}}");
    buf_clear(&b);
    openai_put_error(&b, &(struct openai_error){ 503, NULL, "", "later" });
    check_json(&b, "{\"error\":{\"message\":\"later\",\"type\":\"server_error\",\"param\":null,\"code\":null}}");
    buf_clear(&b);
    const float v[] = { 1.0f, -0.25f };
    openai_put_embeddings_begin(&b);
    openai_put_embedding(&b, 0, v, 2, false, true);
    openai_put_embedding(&b, 1, v, 2, true, false);
    openai_put_embeddings_end(&b, &(struct openai_head){ .model = "m" }, 4);
    check_json(&b, "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":[1,-0.25]},{\"object\":\"embedding\",\"index\":1,\"embedding\":\"AACAPwAAgL4=\"}],"
                   "\"model\":\"m\",\"usage\":{\"prompt_tokens\":4,\"total_tokens\":4}}");
    buf_fini(&b);
    buf_fini(&lp);
}

TEST(numbers_read_back_as_they_were)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 20000; i++) {
        const uint32_t bits = (uint32_t)test_rand_u64();
        float v;
        memcpy(&v, &bits, sizeof(v));
        buf_clear(&b);
        put_f32(&b, v);
        CHECK(!isfinite(v) || strtof(b.data, NULL) == v, "%a became %s", v, b.data);
    }
    static const int64_t ints[] = { 0, 1, -1, INT64_MAX, INT64_MIN };
    for (size_t i = 0; i < 5; i++) {
        buf_clear(&b);
        put_i64(&b, ints[i]);
        CHECK(strtoll(b.data, NULL, 10) == ints[i], "%s", b.data);
    }
    buf_fini(&b);
}
