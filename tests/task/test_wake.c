/* tests/task/test_wake.c - wake words: the three stages, first with tiny graphs, then with openWakeWord's files. */
#include <math.h>
#include <time.h>

#include "../onnx/write.h"
#include "task/hear.h"

/* Stages that can be followed by hand: each mel value is the loudest |sample| of the 1760 (so v / 10 + 2), an embedding the
 * mean over its 76 frames, the word's score the largest of 4 embeddings / 1000. */
static void write_fakes(void)
{
    struct onnx_writer w;
    writer_begin(&w);
    writer_input(&w, "input", 1, (int64_t[]){ -1, -1 }, 2);
    writer_ints(&w, "shape", (int64_t[]){ 4 }, 1, (int64_t[]){ 1, 1, 8, 32 });
    writer_node(&w, "Abs", "input", "a");
    writer_node(&w, "ReduceMax", "a", "m");
    writer_attr_int(&w, "keepdims", 0);
    writer_node(&w, "Expand", "m shape", "output");
    writer_output(&w, "output", 1, (int64_t[]){ -1, 1, -1, 32 }, 4);
    writer_save(&w, test_tmp("mel.onnx"));

    writer_begin(&w);
    writer_input(&w, "input_1", 1, (int64_t[]){ -1, 76, 32, 1 }, 4);
    writer_ints(&w, "shape", (int64_t[]){ 4 }, 1, (int64_t[]){ 1, 1, 1, 96 });
    writer_node(&w, "ReduceMean", "input_1", "m");
    writer_attr_int(&w, "keepdims", 0);
    writer_node(&w, "Expand", "m shape", "conv2d_19");
    writer_output(&w, "conv2d_19", 1, (int64_t[]){ -1, 1, 1, 96 }, 4);
    writer_save(&w, test_tmp("embed.onnx"));

    writer_begin(&w);
    writer_input(&w, "x.1", 1, (int64_t[]){ 1, 4, 96 }, 3);
    writer_floats(&w, "scale", (int64_t[]){ 1, 1 }, 2, (float[]){ 0.001f });
    writer_node(&w, "ReduceMax", "x.1", "m");
    writer_attr_ints(&w, "axes", (int64_t[]){ 1, 2 }, 2);
    writer_attr_int(&w, "keepdims", 0);
    writer_node(&w, "Mul", "m scale", "53");
    writer_output(&w, "53", 1, (int64_t[]){ 1, 1 }, 2);
    writer_save(&w, test_tmp("word.onnx"));
}

static struct hear *open_fakes(const char *more)
{
    char card[2048], mel[256], embed[256], word[256];
    write_fakes();
    snprintf(mel, sizeof mel, "%s", test_tmp("mel.onnx"));
    snprintf(embed, sizeof embed, "%s", test_tmp("embed.onnx"));
    snprintf(word, sizeof word, "%s", test_tmp("word.onnx"));
    snprintf(card, sizeof card, "task: wake\nkind: onnx\nmodel: %s\nmelspectrogram: %s\nembedding: %s\nword: hello\n%s", word, mel, embed, more);
    return hear_open_text("wake.yaml", card, "/");
}

/* The same in plain C, over the whole sound (with its padding) at once. */
static int reference(const float *x, long n, float *score)
{
    const int n_steps = (int)(n / 1280);
    static double step_mel[4096], embed[4096];
    for (int k = 0; k < n_steps; k++) {
        double m = 0;
        for (long i = (long)k * 1280 - 480; i < (long)(k + 1) * 1280; i++)
            m = i >= 0 && fabs(x[i] * 32768.0) > m ? fabs(x[i] * 32768.0) : m;
        step_mel[k] = m / 10 + 2;
        embed[k] = 0;
        for (int f = 0; f < 76; f++) { /* frame f back from the newest belongs to step k - f / 8; before the start: 1 */
            const int of = k - f / 8;
            embed[k] += (of >= 0 ? step_mel[of] : 1) / 76;
        }
        score[k] = 0;
        for (int i = k - 3; k >= 3 && i <= k; i++)
            score[k] = (float)fmax(score[k], embed[i] / 1000);
    }
    return n_steps;
}

TEST(the_three_stages_keep_their_history_however_live_sound_was_cut)
{
    enum { N = 1280 * 30 + 700 };
    static float x[N], want[64];
    struct hear *h = open_fakes("pad: 0\n");
    REQUIRE(h->task, "%s", h->err.text);
    for (int i = 0; i < N; i++)
        x[i] = test_rand_f32() * (i / 5000 % 2 ? 0.3f : 0.05f);
    const int n_want = reference(x, N, want);
    static const size_t pieces[] = { N, 160, 1280, 1281, 4000 };
    for (int k = 0; k < 5; k++) {
        REQUIRE(k ? hear_live(h, x, N, pieces[k], (struct task_options){ .wants_scores = true })
                  : hear_samples(h, x, N, 16000, (struct task_options){ .wants_scores = true }), "%s", h->err.text);
        REQUIRE(h->n_scores == n_want, "%d, want %d", h->n_scores, n_want);
        for (int i = 0; i < n_want; i++)
            CHECK(fabsf(h->scores[i] - want[i]) < 1e-4f * (1 + want[i]), "piece %zu, step %d: %g, want %g", pieces[k], i, h->scores[i], want[i]);
    }
    hear_close(h);
}

TEST(a_word_is_one_segment_with_its_peak_and_live_it_is_told_at_once)
{
    enum { N = 1280 * 40 };
    static float x[N], want[64];
    struct hear *h = open_fakes("pad: 0\nthreshold: 0.5\n");
    REQUIRE(h->task, "%s", h->err.text);
    for (int i = 1280 * 20; i < 1280 * 25; i++)
        x[i] = i % 2 ? 0.5f : -0.5f;
    reference(x, N, want);
    int first = 0, last = 0;
    float peak = 0;
    for (int i = 0; i < 40; i++)
        if (want[i] >= 0.5f) {
            first = first ? first : i;
            last = i;
            peak = fmaxf(peak, want[i]);
        }
    REQUIRE(first > 15 && last > first, "%d %d", first, last);
    REQUIRE(hear_samples(h, x, N, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    REQUIRE(h->n_segments == 1, "%d", h->n_segments);
    CHECK(fabs(h->segments[0].start_s - first * 0.08) < 1e-9 && fabs(h->segments[0].end_s - (last + 1) * 0.08) < 1e-9);
    CHECK(fabsf(h->segments[0].score - peak) < 1e-4f && strcmp(h->segments[0].label, "hello") == 0);
    CHECK(h->n_labels == 1 && fabsf(h->labels[0].score - peak) < 1e-4f && strcmp(h->labels[0].label, "hello") == 0);
    REQUIRE(hear_live(h, x, N, 1280, (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(h->n_segments == 1 && fabs(h->segments[0].start_s - first * 0.08) < 1e-9, "%d", h->n_segments);
    REQUIRE(hear_samples(h, x, N, 16000, (struct task_options){ .threshold = 0.999f * 2 * peak }), "%s", h->err.text);
    CHECK(h->n_segments == 0);
    hear_close(h);
}

TEST(a_stage_of_another_shape_is_refused)
{
    write_fakes();
    char card[2048], mel[256], embed[256];
    snprintf(mel, sizeof mel, "%s", test_tmp("mel.onnx"));
    snprintf(embed, sizeof embed, "%s", test_tmp("embed.onnx"));
    snprintf(card, sizeof card, "task: wake\nkind: onnx\nmodel: %s\nmelspectrogram: %s\nembedding: %s\n", embed, mel, mel);
    struct hear *h = hear_open_text("wake.yaml", card, "/");
    CHECK(!h->task && strstr(h->err.text, "openWakeWord"), "%s", h->err.text);
    hear_close(h);
}

TEST(openwakeword_hears_its_words_and_nothing_else)
{
    static const char *const others[] = { "speech/wake_alexa_16k.wav", "speech/wake_hey_mycroft_16k.wav", "speech/jfk_16k.wav", "speech/quilter_16k.wav", "speech/digits_16k.wav" };
    static const struct {
        const char *card, *word, *hit, *miss;
        double score, peak_s;
    } cases[] = { { "oww-jarvis", "jarvis", "speech/wake_hey_jarvis_16k.wav", "speech/wake_computer_16k.wav", 0.9994, 1.32 },
                  { "oww-computer", "computer", "speech/wake_computer_16k.wav", "speech/wake_hey_jarvis_16k.wav", 0.9991, 1.24 } };
    for (int c = 0; c < 2; c++) {
        struct hear *h = hear_open(cases[c].card);
        REQUIRE(h->task, "%s", h->err.text);
        REQUIRE(hear_file(h, cases[c].hit, (struct task_options){ .wants_scores = true }), "%s", h->err.text);
        int best = 0;
        for (int i = 0; i < h->n_scores; i++)
            best = h->scores[i] > h->scores[best] ? i : best;
        const double peak_s = (best + 1) * 0.08 - 1;
        REQUIRE(h->n_segments == 1 && h->n_labels == 1, "%d", h->n_segments);
        CHECK(strcmp(h->segments[0].label, cases[c].word) == 0 && fabs(h->labels[0].score - cases[c].score) < 1e-4, "%s %.5f", h->segments[0].label, h->labels[0].score);
        CHECK(fabs(peak_s - cases[c].peak_s) < 0.081 && h->segments[0].start_s < peak_s && peak_s < h->segments[0].end_s + 1e-9, "peak %.3f, %.3f-%.3f", peak_s,
              h->segments[0].start_s, h->segments[0].end_s);
        REQUIRE(hear_file(h, cases[c].miss, (struct task_options){ 0 }), "%s", h->err.text);
        CHECK(h->n_segments == 0 && h->labels[0].score < 0.0015f, "%g", h->labels[0].score);
        for (int i = 0; i < 5; i++) {
            REQUIRE(hear_file(h, others[i], (struct task_options){ 0 }), "%s", h->err.text);
            CHECK(h->n_segments == 0 && h->labels[0].score < 0.0015f, "%s: %g", others[i], h->labels[0].score);
        }
        hear_close(h);
    }
}

BENCH(wake_word_share_of_a_core)
{
    struct hear *h = hear_open("oww-jarvis");
    size_t n = 0;
    float *x = hear_wav("speech/jfk_16k.wav", &n);
    for (int i = 0; i < 3; i++) {
        const clock_t t = clock();
        hear_live(h, x, n, 1280, (struct task_options){ 0 });
        const double cpu_s = (double)(clock() - t) / CLOCKS_PER_SEC;
        printf("# wake word, live in pieces of 80 ms: %.2f %% of a core (%.2f ms a step)\n", 100 * cpu_s / ((double)n / 16000), cpu_s * 1e3 / (double)(n / 1280));
    }
    hear_close(h), free(x);
}
