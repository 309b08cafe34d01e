/* tests/task/test_embed_static.c - cosines of the shared GloVe table, and of a table made here. */
#include <math.h>

#include "try_task.h"

static double cosine(const struct try_task *t, int a, int b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < t->n_dims; i++) {
        ab += (double)t->vectors[a][i] * t->vectors[b][i];
        aa += (double)t->vectors[a][i] * t->vectors[a][i];
        bb += (double)t->vectors[b][i] * t->vectors[b][i];
    }
    CHECK(fabs(aa - 1) < 1e-5 && fabs(bb - 1) < 1e-5, "lengths %g, %g", aa, bb);
    return ab / sqrt(aa * bb);
}

static const char glove[] = "task: embed\nkind: static\nmodel: embed/glove50_5k.safetensors\nvocab: embed/glove50_5k_vocab.txt\ntensor: table\n"
    "stop_words: the of and to in a is it was for on with as at by from that this are be or an his her its i you he she we they\n";

TEST(sentences_of_like_meaning_are_near_as_the_shared_data_says)
{
    static const struct { const char *a, *b; double cosine; } pairs[] = { /* shared/models/IO.md */
        { "the bank raised interest rates", "money and stock market prices", 0.76 },
        { "the dog runs in the garden", "a cat and her animals play outside", 0.67 },
        { "what is the weather today", "rain and wind in the morning", 0.50 },
        { "the dog runs in the garden", "the bank raised interest rates", -0.28 },
    };
    struct try_task t;
    char models[512];
    snprintf(models, sizeof(models), "%s", test_shared("models"));
    TRY_OPEN(&t, glove, models);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        const struct task_text texts[2] = { { pairs[i].a, strlen(pairs[i].a) }, { pairs[i].b, strlen(pairs[i].b) } };
        const struct task_request rq = { .task = EXPERT_EMBED, .texts = texts, .n_texts = 2 };
        REQUIRE(try_run(&t, &rq) && t.n_vectors == 2 && t.n_dims == 50, "%s", t.err.text);
        CHECK(fabs(cosine(&t, 0, 1) - pairs[i].cosine) < 0.006, "%s / %s: %g", pairs[i].a, pairs[i].b, cosine(&t, 0, 1));
    }
    CHECK(!try_text(&t, EXPERT_EMBED, "the of qwxzy", (struct task_options) { 0 }) && t.err.code == ERR_INPUT, "%s", t.err.text);
    try_close(&t);
}

static void put_file(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    REQUIRE(f && fwrite(data, 1, n, f) == n && fclose(f) == 0, "%s", path);
}

TEST(a_table_smaller_than_its_vocabulary_is_refused)
{
    static const char head[] = "{\"t\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}  ";
    unsigned char file[8 + sizeof(head) - 1 + 16] = { sizeof(head) - 1 };
    const float rows[4] = { 3, 4, 0, -2 };
    char yaml[1400], model[512], vocab[512];
    memcpy(file + 8, head, sizeof(head) - 1);
    memcpy(file + 8 + sizeof(head) - 1, rows, 16);
    snprintf(model, sizeof(model), "%s", test_tmp("t.safetensors"));
    snprintf(vocab, sizeof(vocab), "%s", test_tmp("vocab.txt"));
    put_file(model, file, sizeof(file));
    put_file(vocab, "up\ndown\n", 8);
    snprintf(yaml, sizeof(yaml), "task: embed\nkind: static\nmodel: %s\nvocab: %s\n", model, vocab);
    struct try_task t;
    REQUIRE(try_open(&t, yaml, NULL), "%s", t.err.text);
    REQUIRE(try_text(&t, EXPERT_EMBED, "Up!", (struct task_options) { 0 }) && t.n_dims == 2, "%s", t.err.text);
    CHECK(fabsf(t.vectors[0][0] - 0.6f) < 1e-6f && fabsf(t.vectors[0][1] - 0.8f) < 1e-6f);
    try_close(&t);
    put_file(vocab, "up\ndown\nleft\n", 13);
    CHECK(!try_open(&t, yaml, NULL) && t.err.code == ERR_INPUT && strstr(t.err.text, "3 words, but the table has 2"), "%s", t.err.text);
    try_close(&t);
}
