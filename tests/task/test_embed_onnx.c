/* tests/task/test_embed_onnx.c - the shared GloVe model through ONNX Runtime: the cosines and the vector that it must give. */
#include <math.h>

#include "onnx/library.h"
#include "onnx/write.h"
#include "try_task.h"

static const char glove[] = "task: embed\nkind: onnx\nmodel: embed/glove50_5k_mean.onnx\nvocab: embed/glove50_5k_vocab.txt\ninput: ids\noutput: embedding\n"
    "stop_words: the of and to in a is it was for on with as at by from that this are be or an his her its i you he she we they\n";

static double dot(const struct try_task *t, int a, int b)
{
    double sum = 0;
    for (int i = 0; i < t->n_dims; i++)
        sum += (double)t->vectors[a][i] * t->vectors[b][i];
    return sum;
}

TEST(the_shared_model_gives_the_cosines_of_its_description)
{
    struct try_task t;
    char models[512];
    snprintf(models, sizeof(models), "%s", test_shared("models"));
    try_ort_path = test_onnx_library();
    TRY_OPEN(&t, glove, models);
    static const struct { const char *text; } texts[] = { { "the bank raised interest rates" }, { "money and stock market prices" }, { "the dog runs in the garden" },
                                                          { "a cat and her animals play outside" } };
    struct task_text list[4];
    for (int i = 0; i < 4; i++)
        list[i] = (struct task_text) { texts[i].text, strlen(texts[i].text) };
    const struct task_request rq = { .task = EXPERT_EMBED, .texts = list, .n_texts = 4 };
    REQUIRE(try_run(&t, &rq) && t.n_vectors == 4 && t.n_dims == 50, "%s", t.err.text);
    CHECK(fabs(dot(&t, 0, 1) - 0.76) < 0.006 && fabs(dot(&t, 2, 3) - 0.67) < 0.006 && fabs(dot(&t, 2, 0) + 0.28) < 0.006, "%g %g %g", dot(&t, 0, 1),
          dot(&t, 2, 3), dot(&t, 2, 0));
    CHECK(fabs(dot(&t, 0, 0) - 1) < 1e-5);
    CHECK(!try_text(&t, EXPERT_EMBED, "the of qwxzy", (struct task_options) { 0 }) && t.err.code == ERR_INPUT, "%s", t.err.text);
    try_close(&t);
}

TEST(a_model_of_one_node_gives_its_mean_made_one_long)
{
    char model[600], vocab[600], yaml[1500];
    struct onnx_writer w;
    struct try_task t;
    try_ort_path = test_onnx_library();
    snprintf(model, sizeof(model), "%s", test_tmp("embed.onnx"));
    snprintf(vocab, sizeof(vocab), "%s", test_tmp("vocab.txt"));
    writer_begin(&w);
    writer_input(&w, "ids", 7, (int64_t[]) { -1, -1 }, 2);
    writer_floats(&w, "table", (int64_t[]) { 2, 2 }, 2, (float[]) { 6, 8, 0, -2 });
    writer_node(&w, "Gather", "table ids", "rows");
    writer_node(&w, "ReduceMean", "rows", "mean");
    writer_attr_ints(&w, "axes", (int64_t[]) { 1 }, 1);
    writer_attr_int(&w, "keepdims", 0);
    writer_output(&w, "mean", 1, (int64_t[]) { -1, 2 }, 2);
    writer_save(&w, model);
    FILE *f = fopen(vocab, "w");
    REQUIRE(f && fputs("up\ndown\n", f) >= 0 && fclose(f) == 0);
    snprintf(yaml, sizeof(yaml), "task: embed\nkind: onnx\nmodel: %s\nvocab: %s\n", model, vocab);
    REQUIRE(try_open(&t, yaml, NULL), "%s", t.err.text);
    REQUIRE(try_text(&t, EXPERT_EMBED, "Up and up", (struct task_options) { 0 }) && t.n_dims == 2, "%s", t.err.text);
    CHECK(fabsf(t.vectors[0][0] - 0.6f) < 1e-6f && fabsf(t.vectors[0][1] - 0.8f) < 1e-6f, "%g %g", t.vectors[0][0], t.vectors[0][1]);
    REQUIRE(try_text(&t, EXPERT_EMBED, "up down", (struct task_options) { 0 }), "%s", t.err.text);
    CHECK(fabsf(t.vectors[0][0] - 0.70710678f) < 1e-6f, "%g", t.vectors[0][0]);
    try_close(&t);
}
