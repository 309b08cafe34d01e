/* tests/task/test_ctc.c - acoustic models with CTC: a graph whose frames of 20 ms say the letter that their level spells. */
#include <math.h>

#include "../onnx/write.h"
#include "task/hear.h"

/* tokens: 0 <pad>, 1 |, 2 A, 3 B, 4 C; level of token v: v / 10.  logit = 2000 (2 v x - v^2): the nearest level wins. */
enum { FRAME = 320, V = 5 };

static void write_model(const char *path, bool has_mask)
{
    static float w[V][1][FRAME], b[V];
    struct onnx_writer o;
    for (int v = 0; v < V; v++) {
        b[v] = -2000 * (v / 10.0f) * (v / 10.0f);
        for (int i = 0; i < FRAME; i++)
            w[v][0][i] = 2000 * 2 * (v / 10.0f) / FRAME;
    }
    writer_begin(&o);
    writer_input(&o, "input_values", 1, (int64_t[]){ -1, -1 }, 2);
    if (has_mask)
        writer_input(&o, "attention_mask", 7, (int64_t[]){ -1, -1 }, 2);
    writer_floats(&o, "w", (int64_t[]){ V, 1, FRAME }, 3, &w[0][0][0]);
    writer_floats(&o, "b", (int64_t[]){ V }, 1, b);
    writer_ints(&o, "i1", (int64_t[]){ 1 }, 1, (int64_t[]){ 1 });
    const char *x = "input_values";
    if (has_mask) {
        writer_node(&o, "Cast", "attention_mask", "mask");
        writer_attr_int(&o, "to", 1);
        writer_node(&o, "Mul", "input_values mask", "masked");
        x = "masked";
    }
    char in[64];
    snprintf(in, sizeof in, "%s i1", x);
    writer_node(&o, "Unsqueeze", in, "x3");
    writer_node(&o, "Conv", "x3 w b", "y");
    writer_attr_ints(&o, "strides", (int64_t[]){ FRAME }, 1);
    writer_attr_ints(&o, "kernel_shape", (int64_t[]){ FRAME }, 1);
    writer_node(&o, "Transpose", "y", "logits");
    writer_attr_ints(&o, "perm", (int64_t[]){ 0, 2, 1 }, 3);
    writer_output(&o, "logits", 1, (int64_t[]){ -1, -1, V }, 3);
    writer_save(&o, path);
}

static struct hear *open_ctc(bool has_mask, const char *tokens, const char *more)
{
    char model[256], card[2048];
    snprintf(model, sizeof model, "%s", test_tmp("ctc.onnx"));
    write_model(model, has_mask);
    FILE *f = fopen(test_tmp("tokens.txt"), "w");
    fputs(tokens, f);
    fclose(f);
    snprintf(card, sizeof card, "task: transcribe\nkind: onnx\nfamily: ctc\nmodel: %s\ntokens: %s\nvad: none\n%s", model, test_tmp("tokens.txt"), more);
    return hear_open_text("ctc.yaml", card, "/");
}

/* A letter a frame: '-' is the blank. */
static size_t spell(const char *text, float *x)
{
    size_t n = 0;
    for (; *text; text++)
        for (int i = 0; i < FRAME; i++)
            x[n++] = (float)(strchr("-|ABC", *text) - "-|ABC") / 10.0f;
    return n;
}

static const char json[] = "{\"<pad>\":0,\"|\":1,\"A\":2,\"B\":3,\"C\":4}";

TEST(runs_become_one_letter_blanks_go_and_words_have_times)
{
    static const struct {
        const char *sound, *text;
        int n_words;
    } cases[] = {
        { "--AAA-A--|-BB-CC|C---------", "aa bc c", 3 },
        { "---------------", "", 0 },
        { "|||A|||||-----", "a", 1 },
        { "ABCABC", "abcabc", 1 },
    };
    static float x[FRAME * 64];
    for (int mask = 0; mask < 2; mask++) {
        struct hear *h = open_ctc(mask, json, "normalize: false\nlower: true\n");
        REQUIRE(h->task, "%s", h->err.text);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            const size_t n = spell(cases[i].sound, x);
            REQUIRE(hear_samples(h, x, n, 16000, (struct task_options){ 0 }), "%s", h->err.text);
            CHECK(strcmp(h->text, cases[i].text) == 0 && h->n_words == cases[i].n_words, "%s: '%s'", cases[i].sound, h->text);
        }
        const size_t n = spell(cases[0].sound, x);
        REQUIRE(hear_samples(h, x, n, 16000, (struct task_options){ 0 }), "%s", h->err.text);
        const double want[3][2] = { { 2 * 0.02, 7 * 0.02 }, { 11 * 0.02, 16 * 0.02 }, { 17 * 0.02, 18 * 0.02 } };
        for (int i = 0; i < 3 && i < h->n_words; i++)
            CHECK(fabs(h->words[i].start_s - want[i][0]) < 1e-6 && fabs(h->words[i].end_s - want[i][1]) < 1e-6 && h->words[i].score > 0.9f, "%d: %g-%g %g", i,
                  h->words[i].start_s, h->words[i].end_s, h->words[i].score);
        CHECK(h->n_segments == 1 && fabs(h->segments[0].start_s - 0.04) < 1e-6);
        hear_close(h);
    }
}

TEST(tokens_may_be_pieces_that_begin_words_and_lines_with_numbers)
{
    static float x[FRAME * 64];
    struct hear *h = open_ctc(false, "<blk> 0\nx 1\n\xe2\x96\x81he 2\nl 3\n\xe2\x96\x81o 4\n", "normalize: false\nspace: \"\xe2\x96\x81\"\n");
    REQUIRE(h->task, "%s", h->err.text);
    const size_t n = spell("AAB-BC--A-", x); /* _he l l _o _he */
    REQUIRE(hear_samples(h, x, n, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(strcmp(h->text, "hell o he") == 0, "%s", h->text);
    hear_close(h);
}

TEST(sound_is_brought_to_mean_zero_and_variance_one_when_the_card_says_so)
{
    static float x[FRAME * 20];
    struct hear *h = open_ctc(false, json, "");
    REQUIRE(h->task, "%s", h->err.text);
    for (int i = 0; i < FRAME * 20; i++)
        x[i] = 5 + 0.01f * (float)(i % 2); /* mean zero in each frame then: nothing but blanks */
    REQUIRE(hear_samples(h, x, FRAME * 20, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(h->text[0] == '\0', "%s", h->text);
    hear_close(h);
}

TEST(cards_without_blank_or_family_are_told)
{
    struct hear *h = open_ctc(false, "{\"a\":0,\"b\":1}", "");
    CHECK(!h->task && strstr(h->err.text, "blank"), "%s", h->err.text);
    hear_close(h);
    h = open_ctc(false, "", "");
    CHECK(!h->task && strstr(h->err.text, "tokens"), "%s", h->err.text);
    hear_close(h);
    h = hear_open_text("x.yaml", "task: transcribe\nkind: onnx\nmodel: x.onnx\n", "/");
    CHECK(!h->task && strstr(h->err.text, "family"), "%s", h->err.text);
    hear_close(h);
}
