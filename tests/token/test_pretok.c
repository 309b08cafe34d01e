/* tests/token/test_pretok.c - every pattern of pretok.def against PCRE2, and what must hold for all of them. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/utf8.h"
#include "test.h"
#include "token/pretok.h"
#include "token/regex.h"

enum { TEXT_CHARS = 24, TEXT_BYTES = 4 * TEXT_CHARS + 1 };

/* Blocks that Unicode 14 (PCRE2 10.42) and 15 (utf8proc 2.8) agree on; no white space beyond ASCII, see regex.h. */
static uint32_t random_char(void)
{
    static const uint32_t block[][2] = {
        { 0x20, 0x7e }, { 0x20, 0x7e }, { 'A', 'Z' }, { 'a', 'z' }, { '0', '9' }, { ' ', ' ' }, { ' ', ' ' }, { '\n', '\n' },
        { '\t', '\r' }, { '\'', '\'' }, { 0xa1, 0xff }, { 0x1c0, 0x1cf }, { 0x2b0, 0x2ff }, { 0x300, 0x34f }, { 0x391, 0x3a1 },
        { 0x3b1, 0x3c9 }, { 0x410, 0x44f }, { 0x5d0, 0x5ea }, { 0x627, 0x64a }, { 0x660, 0x669 }, { 0x905, 0x94d },
        { 0x1f88, 0x1f8f }, { 0x2010, 0x2027 }, { 0x2160, 0x2188 }, { 0x2200, 0x22ff }, { 0x3001, 0x3020 }, { 0x3041, 0x3096 },
        { 0x30a1, 0x30fa }, { 0x4e00, 0x9fa5 }, { 0xac00, 0xd7a3 }, { 0xff01, 0xff5e }, { 0x10400, 0x1044f }, { 0x1f600, 0x1f64f },
        { 0x20000, 0x2a6d6 }, { 0xe000, 0xe010 }, { 0x01, 0x1f }, { 0x7f, 0x84 }, { 0x0378, 0x0379 }, { 0x200b, 0x200d },
    };
    static const char *const often = "'sS'tT're've'll'dLMlIMGABZ<sentinel:1>  .,!?/";
    if (test_rand_u64() % 4 == 0)
        return (uint32_t)(unsigned char)often[test_rand_u64() % strlen(often)];
    const uint32_t *b = block[test_rand_u64() % (sizeof(block) / sizeof(block[0]))];
    return b[0] + (uint32_t)(test_rand_u64() % (b[1] - b[0] + 1));
}

static size_t random_text(char *text)
{
    size_t n = 0;
    const size_t n_chars = test_rand_u64() % TEXT_CHARS;
    uint32_t cp = ' ';
    for (size_t i = 0; i < n_chars; i++) {
        if (i == 0 || test_rand_u64() % 3) /* runs of one character are where the rules differ */
            cp = random_char();
        n += utf8_encode(cp, text + n);
    }
    text[n] = '\0';
    return n;
}

static void compare(const char *rule, const char *pattern)
{
    int code;
    PCRE2_SIZE at;
    struct err err = { 0 };
    struct regex *ours = regex_new(pattern, &err);
    pcre2_code *theirs = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY, &code, &at, NULL);
    CHECK(ours, "%s: %s", rule, err.text);
    CHECK(theirs, "%s: PCRE2 error %d at %zu of %s", rule, code, (size_t)at, pattern);
    pcre2_match_data *match = theirs ? pcre2_match_data_create_from_pattern(theirs, NULL) : NULL;
    for (int round = 0; ours && match && round < 1500; round++) {
        char text[TEXT_BYTES];
        const size_t n = random_text(text);
        for (size_t i = 0; i < n; i++) {
            if (((unsigned char)text[i] & 0xc0) == 0x80)
                continue;
            const int rc = pcre2_match(theirs, (PCRE2_SPTR)text + i, n - i, 0, PCRE2_ANCHORED, match, NULL);
            const size_t want = rc > 0 ? pcre2_get_ovector_pointer(match)[1] : 0, got = regex_match(ours, text + i, n - i);
            CHECK(want == got, "%s: %s: '%s' takes %zu bytes, PCRE2 %zu", rule, pattern, text + i, got, want);
        }
    }
    pcre2_match_data_free(match);
    pcre2_code_free(theirs);
    regex_free(ours);
}

TEST(every_pattern_matches_what_pcre2_matches)
{
    const char *rule, *pattern;
    for (int i = 0; (rule = pretok_rule_name(i)) != NULL; i++)
        for (int level = 0; (pattern = pretok_rule_pattern(i, level)) != NULL; level++)
            if (pattern[0] != '@')
                compare(rule, pattern);
}

TEST(every_pattern_takes_linear_time_and_a_bad_one_is_known)
{
    const char *rule, *pattern;
    struct err err = { 0 };
    for (int i = 0; (rule = pretok_rule_name(i)) != NULL; i++)
        for (int level = 0; (pattern = pretok_rule_pattern(i, level)) != NULL; level++) {
            struct regex *r = pattern[0] == '@' ? NULL : regex_new(pattern, &err);
            CHECK(!r || regex_is_linear(r) == 1, "%s: %s", rule, pattern);
            CHECK(!r || (regex_n_states(r) < 200 && regex_n_classes(r) < 60), "%s: %d states, %d classes", rule,
                  r ? regex_n_states(r) : 0, r ? regex_n_classes(r) : 0);
            regex_free(r);
        }
    static const char *const bad[] = { "\\s+$", "a*b|a", "\\s*[\\r\\n]+|\\s{4}(?!\\S)|\\s", "<[0-9]+>|[0-9]" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct regex *r = regex_new(bad[i], &err);
        CHECK(r && regex_is_linear(r) == 0, "%s", bad[i]);
        regex_free(r);
    }
}

TEST(what_lies_outside_the_subset_is_refused_with_its_place)
{
    static const struct {
        const char *pattern, *why;
    } bad[] = {
        { "a(b", "byte 3: ( is not closed" },   { "a)b", "byte 1: unexpected )" },     { "[ab", "byte 3: [ is not closed" },
        { "*a", "byte 0: unexpected character" }, { "\\q", "byte 0: unknown escape" },  { "\\p{Greek}", "byte 2: unknown property" },
        { "a{2,1}", "byte 1: bad {n,m}" },      { "(?=ab)", "byte 4: lookahead is for one character" },
        { "[z-a]", "byte 4: bad range" },       { "((((((((((a))))))))))", "byte 8: too deep" }, { "\xff", "byte 0: not UTF-8" },
        { "(?:a{1000}){1000}", "too long" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = { 0 };
        struct regex *r = regex_new(bad[i].pattern, &err);
        CHECK(!r && err.code == ERR_UNSUPPORTED && strstr(err.text, bad[i].why), "'%s': %s", bad[i].pattern, err.text);
        regex_free(r);
    }
}

/* ---- whole rules ---- */

struct pieces {
    char text[512]; /* the words with bars between */
    const char *next;
};

static bool add_piece(void *ctx, const char *word, size_t n)
{
    struct pieces *p = ctx;
    CHECK(n > 0 && word == p->next, "a gap or an overlap before '%.*s'", (int)n, word);
    p->next = word + n;
    const size_t len = strlen(p->text);
    if (len + n + 2 < sizeof(p->text)) {
        if (len > 0)
            p->text[len] = '|';
        memcpy(p->text + len + (len > 0), word, n);
        p->text[len + (len > 0) + n] = '\0';
    }
    return true;
}

static const char *split(struct pieces *p, const char *name, const char *text)
{
    struct err err = { 0 };
    struct pretok *t = pretok_new(name, strlen(name), &err);
    *p = (struct pieces){ .next = text };
    CHECK(t, "%s", err.text);
    if (t)
        pretok_split(t, text, strlen(text), add_piece, p);
    CHECK(*p->next == '\0', "%s: not to its end: '%s'", name, text);
    pretok_free(t);
    return p->text;
}

TEST(the_rules_cut_words_as_their_models_do)
{
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        { "gpt-2", "I'm  at 12345 km/h!", "I|'m| | at| 12345| km|/|h|!" },
        { "llama-bpe", "I'M  at 12345\n\n x", "I|'M| | at| |123|45|\n\n| x" },
        { "qwen2", "a 12 ", "a| |1|2| " },
        { "tekken", "HTTPServer École ÉCOLE iPhone", "HTTPServer| École| ÉCOLE| i|Phone" },
        { "gpt-4o", "McDonald's DON'T a/b\n/c 1234", "Mc|Donald's| DON'T| a|/b|\n|/c| |123|4" },
        { "jais-2", "a      b", "a|    | | b" },
        { "afmoe", "x1234567y", "x|1|234|567|y" },
        { "superbpe", "12345, 678", "12|345|, |678" },
        { "tiny_aya", "12345 12345y 12345.", "12|345| |123|45|y| |12|345|." },
        { "deepseek-llm", "end.  \t", "end|.|  \t" },
        { "deepseek-v3", "1234 日本語です word", "123|4| |日本語です| word" },
        { "kimi-k2", "你好world 12345", "你好|world| |123|45" },
        { "gemma4", "a b\n\nc", "a b|\n\n|c" },
        { "bloom", "Hi there, you", "Hi| there|,| you" },
        { "chameleon", "IMGIMGABZ<sentinel:12>x", "IMGIMGABZ|<|sentinel|:|1|2|>|x" },
        { "smollm", "abc 123", "abc| |1|2|3" },
        { "llama-bpe", "a\xc2\xa0\xe3\x80\x80" "b", "a|\xc2\xa0|\xe3\x80\x80" "b" }, /* no-break and ideographic space */
    };
    struct pieces p;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK(strcmp(split(&p, cases[i].name, cases[i].text), cases[i].want) == 0, "%s: %s", cases[i].name, p.text);
}

TEST(under_every_name_the_words_together_are_the_text)
{
    int rule;
    const char *name;
    for (int i = 0; (name = pretok_name(i, &rule)) != NULL; i++)
        for (int round = 0; round < 40; round++) {
            char text[TEXT_BYTES];
            struct pieces p;
            random_text(text);
            split(&p, name, text);
        }
}

TEST(an_unknown_name_is_unsupported)
{
    struct err err = { 0 };
    CHECK(!pretok_new("gpt-2 ", 6, &err) && err.code == ERR_UNSUPPORTED && strstr(err.text, "'gpt-2 '"), "%s", err.text);
    CHECK(!pretok_new("", 0, &err));
}
