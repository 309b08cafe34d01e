/* tests/route/test_features.c - what a request shows at a glance, from its bytes alone. */
#include <string.h>

#include "route/features.h"
#include "test.h"

static struct features read_text(const char *text)
{
    struct features f;
    features_read(&(struct features_in){ .text = text, .n_bytes = strlen(text) }, &f);
    return f;
}

TEST(a_medium_is_what_its_bytes_say)
{
    static const struct {
        const char *bytes;
        size_t n;
        enum feature_medium want;
    } t[] = {
        { "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16, MEDIUM_PICTURE }, { "\xff\xd8\xff\xe0\0\x10JFIF", 10, MEDIUM_PICTURE }, { "GIF89a......", 12, MEDIUM_PICTURE },
        { "RIFF\x24\0\0\0WAVEfmt ", 16, MEDIUM_SOUND }, { "fLaC\0\0\0\x22", 8, MEDIUM_SOUND }, { "\0\0\0\x18" "ftypM4A ", 12, MEDIUM_SOUND },
        { "\0\0\0\x18" "ftypisom", 12, MEDIUM_VIDEO }, { "\x1a\x45\xdf\xa3....", 8, MEDIUM_VIDEO }, { "%PDF-1.7", 8, MEDIUM_PDF },
        { "just text, says image/png", 25, MEDIUM_UNKNOWN }, { "", 0, MEDIUM_UNKNOWN },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        CHECK(features_sniff(t[i].bytes, t[i].n) == t[i].want, "%zu: %d", i, (int)features_sniff(t[i].bytes, t[i].n));
}

TEST(code_is_told_from_prose_and_by_language)
{
    struct features f = read_text("what is wrong here?\n```python\ndef f(x):\n    return x\n```\n");
    CHECK(f.code == CODE_PYTHON && f.n_fences == 2 && f.code_frac > .3f, "%d %d %f", (int)f.code, f.n_fences, (double)f.code_frac);
    f = read_text("#include <stdio.h>\nint main(void)\n{\n    puts(\"x\");\n}\n");
    CHECK(f.code == CODE_C && f.code_frac > .8f, "%d %f", (int)f.code, (double)f.code_frac);
    f = read_text("SELECT name FROM t WHERE id = 3;");
    CHECK(f.code == CODE_SQL, "%d", (int)f.code);
    f = read_text("Import duties rose again. Let us be clear; this is not good.\nPrivate talks go on.");
    CHECK(f.code == CODE_NONE && f.code_frac == 0, "%d %f", (int)f.code, (double)f.code_frac);
}

TEST(questions_sentences_and_hints_are_counted)
{
    struct features f = read_text("Hello. Is this right? Answer as JSON with this schema: {\"a\": 1}");
    CHECK(f.n_questions == 1 && f.n_sentences == 2 && f.wants_json && f.has_json, "%d %d", f.n_questions, f.n_sentences);
    f = read_text("\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82\xe5\x90\x97\xef\xbc\x9f");
    CHECK(f.n_questions == 1 && f.n_sentences == 2, "%d %d", f.n_questions, f.n_sentences);
    f = read_text("look at https://example.org/x");
    CHECK(f.has_url && !f.wants_json && !f.has_json);
    f = read_text("");
    CHECK(f.turn_tok == 0 && f.n_words == 0 && f.n_lines == 0 && strcmp(f.language.code, "und") == 0);
}

TEST(secrets_need_their_check_digits)
{
    static const struct {
        const char *text;
        uint32_t want;
    } t[] = {
        { "my card is 4111 1111 1111 1111 thanks", SECRET_CARD },
        { "order 4111 1111 1111 1112 thanks", 0 },
        { "bitte an DE89 3704 0044 0532 0130 00 \xc3\xbc" "berweisen", SECRET_IBAN },
        { "bitte an DE88 3704 0044 0532 0130 00 \xc3\xbc" "berweisen", 0 },
        { "password: hunter2", SECRET_PASSWORD },
        { "how do I reset a password?", 0 },
        { "key sk-abcdefghijklmnopqrstuvwx", SECRET_KEY },
        { "-----BEGIN RSA PRIVATE KEY-----\nMII", SECRET_KEY },
        { "-----BEGIN CERTIFICATE-----\nMII", 0 },
        { "mail anna.b@example.org please", SECRET_EMAIL },
        { "use @override here, a@b", 0 },
        { "call +49 30 1234567 now", SECRET_PHONE },
        { "call (555) 123-4567 now", SECRET_PHONE },
        { "ssn 078-05-1120 of mine", SECRET_ID },
        { "in 1999 there were 12345678 of them", 0 },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        const struct features f = read_text(t[i].text);
        CHECK(f.secrets == t[i].want, "%s: %x, want %x", t[i].text, f.secrets, t[i].want);
        CHECK(f.is_private == ((t[i].want & ~(uint32_t)(SECRET_EMAIL | SECRET_PHONE)) != 0));
    }
}

TEST(a_long_text_is_read_at_its_head_and_tail_only)
{
    const size_t n = 1 << 20;
    struct features f;
    char *text = malloc(n);
    REQUIRE(text);
    memset(text, 'a', n);
    for (size_t i = 0; i < n; i += 5)
        text[i] = ' ';
    memcpy(text + n / 2, " 4111111111111111 ", 18);
    memcpy(text + n - 30, " password: hunter2 ", 19);
    features_read(&(struct features_in){ .text = text, .n_bytes = n }, &f);
    CHECK(f.n_read_bytes == FEATURES_HEAD_BYTES + FEATURES_TAIL_BYTES && f.n_text_bytes == n);
    CHECK(f.secrets == SECRET_PASSWORD, "%x", f.secrets);
    CHECK(f.turn_tok > n / 8 && f.turn_tok < n / 2, "%llu", (unsigned long long)f.turn_tok);
    free(text);
}

TEST(scripts_tell_their_language)
{
    static const char *const t[][2] = {
        { "ja", "\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf\xe4\xb8\x96\xe7\x95\x8c" }, { "zh", "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c" },
        { "ko", "\xec\x95\x88\xeb\x85\x95\xed\x95\x98\xec\x84\xb8\xec\x9a\x94" }, { "el", "\xce\xba\xce\xb1\xce\xbb\xce\xb7\xce\xbc\xce\xad\xcf\x81\xce\xb1" },
        { "en", "what is the weather like for you and your friends" }, { "de", "wie wird das Wetter und was kann ich nicht machen" }, { "und", "12 34 ??" },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        const struct features f = read_text(t[i][1]);
        CHECK(strcmp(f.language.code, t[i][0]) == 0, "%s: %s", t[i][0], f.language.code);
    }
}
