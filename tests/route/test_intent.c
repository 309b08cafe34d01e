/* tests/route/test_intent.c - the shipped model on plain requests, media before words, what is odd, and a training that can be repeated. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "route/intent.h"
#include "route/train.h"
#include "test.h"

static struct intent_answer decide(const struct intent_model *m, const char *text, const struct features_media *media, int n_media)
{
    struct features f;
    struct intent_answer a;
    features_read(&(struct features_in){ .text = text, .n_bytes = strlen(text), .media = media, .n_media = n_media }, &f);
    intent_decide(m, &f, text, strlen(text), &a);
    return a;
}

TEST(plain_requests_find_their_intent)
{
    static const struct {
        const char *text;
        enum intent want;
    } t[] = {
        { "write a python function that reverses a list", INTENT_CODE },
        { "Summarize the following article in three sentences:", INTENT_SUMMARIZE },
        { "turn off the lights in the kitchen", INTENT_TOOL_USE },
        { "transcribe this audio file", INTENT_STT },
        { "read this text aloud", INTENT_TTS },
        { "what is 17 times 23", INTENT_MATH },
        { "who painted the Mona Lisa?", INTENT_CHAT },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        const struct intent_answer a = decide(intent_model_shipped(), t[i].text, NULL, 0);
        CHECK(a.best == t[i].want, "%s: %s", t[i].text, intent_name(a.best));
    }
}

TEST(what_fits_nothing_is_chat)
{
    static const char *const t[] = { "", "?!", "....", "snorgle bimfa tuwek", "\xf0\x9f\x98\x80", "xqj" };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        const struct intent_answer a = decide(intent_model_shipped(), t[i], NULL, 0);
        CHECK(a.best == INTENT_CHAT, "%s: %s", t[i], intent_name(a.best));
    }
    int n_chat = 0;
    for (int i = 0; i < 300; i++) {
        char text[64];
        const size_t n = 8 + test_rand_u64() % 40;
        for (size_t k = 0; k < n; k++)
            text[k] = k % 7 == 6 ? ' ' : (char)('a' + test_rand_u64() % 26);
        text[n] = '\0';
        n_chat += decide(intent_model_shipped(), text, NULL, 0).best == INTENT_CHAT;
    }
    CHECK(n_chat > 240, "%d of 300", n_chat);
    printf("# random letters: %d of 300 are chat\n", n_chat);
}

TEST(a_passage_that_is_pasted_does_not_hide_what_is_asked)
{
    static const char passage[] = "The old ferry left the pier a little after nine. Three women with baskets sat under the roof and talked about the price of "
                                  "fish, while a boy counted gulls. Nobody noticed that the captain had forgotten his hat on a post near the ticket booth. ";
    static const struct {
        const char *text;
        enum intent want;
    } t[] = { { "Please read this aloud: ", INTENT_TTS }, { "Summarize the text in two sentences: ", INTENT_SUMMARIZE }, { "Compute an embedding vector of this paragraph: ", INTENT_EMBED } };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        char text[4096];
        snprintf(text, sizeof(text), "%s%s%s%s%s", t[i].text, passage, passage, passage, passage);
        const struct intent_answer a = decide(intent_model_shipped(), text, NULL, 0);
        CHECK(a.best == t[i].want, "%s: %s", t[i].text, intent_name(a.best));
    }
}

TEST(an_attached_medium_decides_over_words)
{
    const struct features_media png = { "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16 }, wav = { "RIFF\x24\0\0\0WAVEfmt ", 16 };
    static const char *const texts[] = { "", "what is 3 + 4", "write a python function", "summarize this" };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(decide(intent_model_shipped(), texts[i], &png, 1).best == INTENT_VISION);
        CHECK(decide(intent_model_shipped(), texts[i], &wav, 1).best == INTENT_STT);
    }
}

TEST(a_smaller_model_will_do_for_what_is_easy_of_its_kind)
{
    for (int k = 0; k < INTENT_COUNT; k++)
        CHECK(intent_may_degrade((enum intent)k, 0) && !intent_may_degrade((enum intent)k, 1), "%s", intent_name((enum intent)k));
    CHECK(intent_may_degrade(INTENT_CHAT, .5f) && !intent_may_degrade(INTENT_MATH, .5f) && !intent_may_degrade(INTENT_CODE, .5f));
    const struct intent_answer a = decide(intent_model_shipped(), "hello there", NULL, 0);
    CHECK(a.degrade_ok == intent_may_degrade(a.best, a.difficulty));
}

TEST(probabilities_sum_to_one_whatever_the_bytes)
{
    char text[600];
    for (int i = 0; i < 300; i++) {
        const size_t n = test_rand_u64() % sizeof(text);
        struct features f;
        struct intent_answer a;
        float sum = 0;
        for (size_t k = 0; k < n; k++)
            text[k] = (char)test_rand_u64();
        features_read(&(struct features_in){ .text = text, .n_bytes = n }, &f);
        intent_decide(intent_model_shipped(), &f, text, n, &a);
        for (int k = 0; k < INTENT_COUNT; k++)
            sum += a.p[k];
        CHECK(fabsf(sum - 1) < 1e-3f && a.difficulty >= 0 && a.difficulty <= 1 && a.best != a.second, "%f", (double)sum);
    }
}

static bool write_lines(const char *path, const char *const *lines, size_t n)
{
    FILE *f = fopen(path, "w");
    for (size_t i = 0; f && i < n; i++)
        fprintf(f, "%s\n", lines[i]);
    return f && fclose(f) == 0;
}

TEST(the_same_lines_and_seed_train_the_same_model)
{
    static const char *const lines[] = { "# a remark", "math\t[[add|sum up|total]] [[2 and 3|4 and 5]]", "code\twrite a [[c|go|rust]] function", "chat\thello [[there|you]]",
                                         "{\"text\":\"what is love\",\"intent\":\"chat\",\"source\":\"b\",\"difficult\":true}",
                                         "{\"text\":\"fix this loop\",\"intent\":\"code\",\"source\":\"b\",\"difficult\":false}",
                                         "{\"text\":\"is it A or B\",\"weak\":false,\"strong\":true}", "{\"text\":\"one and one\",\"weak\":true,\"strong\":true}" };
    struct train_set set = { 0 };
    struct train_figures figures;
    struct err err = { 0 };
    char path[2][256], source[256];
    static char bytes[2][1 << 21];
    size_t n[2];
    struct train_options o = train_default;
    snprintf(source, sizeof(source), "%s", test_tmp("a.tsv"));
    REQUIRE(write_lines(source, lines, sizeof(lines) / sizeof(lines[0])));
    REQUIRE(train_set_add(&set, source, &err), "%s", err.text);
    CHECK(set.n > 12, "%zu", set.n);
    o.n_folds = 2, o.n_rounds = 3;
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof(path[i]), "%s", test_tmp(i ? "m1" : "m0"));
        REQUIRE(train_model(&set, &o, path[i], &figures, NULL, &err), "%s", err.text);
        FILE *f = fopen(path[i], "rb");
        REQUIRE(f);
        n[i] = fread(bytes[i], 1, sizeof(bytes[i]), f);
        fclose(f);
    }
    CHECK(n[0] == n[1] && n[0] > 1000 && memcmp(bytes[0], bytes[1], n[0]) == 0);
    struct intent_model *m = intent_model_open(path[0], &err);
    REQUIRE(m, "%s", err.text);
    CHECK(decide(m, "write a go function", NULL, 0).best == INTENT_CODE);
    CHECK(decide(m, "sum up 2 and 3", NULL, 0).best == INTENT_MATH);
    intent_model_free(m);
    FILE *f = fopen(path[0], "wb");
    REQUIRE(f && fwrite(bytes[0], 1, n[0] - 1, f) == n[0] - 1 && fclose(f) == 0);
    CHECK(!intent_model_open(path[0], &err) && err.code == ERR_INPUT, "a cut file: %s", err.text);
    train_set_fini(&set);
}

TEST(a_line_that_is_wrong_is_told_with_its_place)
{
    static const char *const bad[] = { "maths\tx", "no tab", "{\"text\":1}", "{\"text\":\"a\",\"intent\":\"nothing\"}", "{" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct train_set set = { 0 };
        struct err err = { 0 };
        const char *lines[] = { "chat\tfine", bad[i] };
        REQUIRE(write_lines(test_tmp("bad.tsv"), lines, 2));
        CHECK(!train_set_add(&set, test_tmp("bad.tsv"), &err) && strstr(err.text, "bad.tsv:2: "), "%s: %s", bad[i], err.text);
        train_set_fini(&set);
    }
}

TEST(apgr_is_a_half_for_chance_and_more_for_knowledge)
{
    static const int8_t gain[] = { 1, 0, 0, 1, 0, 0, 0, 1 };
    float good[8], bad[8];
    for (int i = 0; i < 8; i++)
        good[i] = gain[i], bad[i] = (float)-gain[i];
    CHECK(fabs(train_apgr(good, gain, 8) - (1 - 1.5 / 8)) < 1e-9, "%f", train_apgr(good, gain, 8));
    CHECK(fabs(train_apgr(bad, gain, 8) - 1.5 / 8) < 1e-9);
    CHECK(isnan(train_apgr(good, (const int8_t[8]){ 0 }, 8)));
}
