/* tests/task/test_keyword.c - which word a short sound is: MFCCs into a tiny graph, then MatchboxNet's answers. */
#include <math.h>

#include "../onnx/write.h"
#include "task/hear.h"
#include "task/mel.h"

/* logits = mean over time of coefficients 1..3 */
static void write_fake(const char *path)
{
    struct onnx_writer w;
    writer_begin(&w);
    writer_input(&w, "audio_signal", 1, (int64_t[]){ 1, 64, -1 }, 3);
    writer_ints(&w, "which", (int64_t[]){ 3 }, 1, (int64_t[]){ 1, 2, 3 });
    writer_node(&w, "ReduceMean", "audio_signal", "m");
    writer_attr_ints(&w, "axes", (int64_t[]){ 2 }, 1);
    writer_attr_int(&w, "keepdims", 0);
    writer_node(&w, "Gather", "m which", "logits");
    writer_attr_int(&w, "axis", 1);
    writer_output(&w, "logits", 1, (int64_t[]){ 1, 3 }, 2);
    writer_save(&w, path);
}

static struct hear *open_fake(const char *more)
{
    char card[1024];
    write_fake(test_tmp("kws.onnx"));
    snprintf(card, sizeof card, "task: keyword\nkind: onnx\nmodel: %s\nlabels: [ay, bee, see]\n%s", test_tmp("kws.onnx"), more);
    return hear_open_text("kws.yaml", card, "/");
}

TEST(labels_are_the_softmax_of_what_the_model_says_of_the_coefficients)
{
    enum { N = 12345 };
    static float x[N];
    struct hear *h = open_fake("");
    REQUIRE(h->task, "%s", h->err.text);
    for (int i = 0; i < N; i++)
        x[i] = 0.2f * (float)sin(i * 0.05) + 0.01f * test_rand_f32();
    struct err err = { 0 };
    struct mel *m = mel_new(&(struct mel_opts){ MEL_HTK, 16000, 512, 400, 160, 64, 0, 0 }, &err);
    REQUIRE(m, "%s", err.text);
    const size_t t = mel_frames(m, N);
    float *db = malloc(t * 64 * sizeof(float)), *mfcc = malloc(t * 64 * sizeof(float)), *dct = malloc(64 * 64 * sizeof(float));
    mel_power(m, x, N, N, 0, t, db);
    mel_to_db(db, t * 64, 80);
    mel_dct_matrix(64, 64, dct);
    mel_to_mfcc(db, t, 64, 64, dct, mfcc);
    double logit[3] = { 0 }, sum = 0;
    for (int c = 0; c < 3; c++) {
        for (size_t i = 0; i < t; i++)
            logit[c] += mfcc[(size_t)(c + 1) * t + i] / (double)t;
        sum += exp(logit[c]);
    }
    REQUIRE(hear_samples(h, x, N, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    REQUIRE(h->n_labels == 3);
    static const char *const names[] = { "ay", "bee", "see" };
    for (int i = 0; i < 3; i++)
        for (int c = 0; c < 3; c++)
            if (strcmp(h->labels[i].label, names[c]) == 0)
                CHECK(fabs(h->labels[i].score - exp(logit[c]) / sum) < 1e-3, "%s: %g, want %g", names[c], h->labels[i].score, exp(logit[c]) / sum);
    CHECK(h->labels[0].score >= h->labels[1].score && h->labels[1].score >= h->labels[2].score);
    REQUIRE(hear_samples(h, x, N, 16000, (struct task_options){ .n_top = 1 }) && h->n_labels == 1);
    free(db), free(mfcc), free(dct), mel_free(m), hear_close(h);
}

TEST(sound_that_is_no_word_is_an_error)
{
    static float x[16000 * 5];
    struct hear *h = open_fake("max: 2s\n");
    REQUIRE(h->task, "%s", h->err.text);
    CHECK(!hear_samples(h, x, 16000 * 5, 16000, (struct task_options){ 0 }) && h->err.code == ERR_INPUT && strstr(h->err.text, "max"), "%s", h->err.text);
    CHECK(!hear_samples(h, x, 0, 16000, (struct task_options){ 0 }) && h->err.code == ERR_INPUT && strstr(h->err.text, "empty"), "%s", h->err.text);
    CHECK(hear_samples(h, x, 1, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(hear_samples(h, x, 32000, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    hear_close(h);
}

TEST(matchboxnet_answers_as_the_notes_say)
{
    static const char *const digits[] = { "zero", "one", "two", "three", "four", "five", "two", "seven", "eight", "nine" }; /* six is heard as two */
    struct hear *h = hear_open("kws-matchboxnet");
    REQUIRE(h->task, "%s", h->err.text);
    REQUIRE(hear_file(h, "speech/word_yes_16k.wav", (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(strcmp(h->labels[0].label, "yes") == 0, "%s", h->labels[0].label);
    CHECK(fabs(log(h->labels[0].score / h->labels[1].score) - (8.72 - 4.10)) < 0.02, "%g", log(h->labels[0].score / h->labels[1].score));
    REQUIRE(hear_file(h, "speech/word_no_16k.wav", (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(strcmp(h->labels[0].label, "go") == 0, "%s", h->labels[0].label);
    for (int d = 0; d < 10; d++) {
        char name[64];
        snprintf(name, sizeof name, "speech/digits/%d_lucas_16k.wav", d);
        REQUIRE(hear_file(h, name, (struct task_options){ 0 }), "%s", h->err.text);
        CHECK(strcmp(h->labels[0].label, digits[d]) == 0, "%d is heard as %s", d, h->labels[0].label);
    }
    hear_close(h);
}
