/* tests/task/test_sphinx.c - PocketSphinx: words with times, no more errors than its own command-line tool.
 * TEST_DEEP=1 adds the longest recording (half a minute of work). */
#include "task/sphinx.h"

#include <math.h>
#include <time.h>
#include <unistd.h>

#include "task/hear.h"

static void need_sphinx(void)
{
    if (access(SPHINX_MODEL_DIR "/en-us.lm.bin", R_OK) != 0)
        SKIP("no pocketsphinx-en-us");
}

static struct hear *open_sphinx(const char *more)
{
    char card[1024];
    need_sphinx();
    snprintf(card, sizeof card, "task: transcribe\nkind: pocketsphinx\n%s", more);
    struct hear *h = hear_open_text("sphinx.yaml", card, ".");
    if (!h->task && strstr(h->err.text, "apt-get"))
        SKIP("%s", h->err.text);
    return h;
}

/* Words that must be changed, added or taken away (Levenshtein). */
static int word_errors(const char *want, const char *got)
{
    static int d[256][256];
    static char copy[2][8192];
    char *w[2][256];
    int n[2] = { 0, 0 };
    snprintf(copy[0], sizeof copy[0], "%s", want);
    snprintf(copy[1], sizeof copy[1], "%s", got);
    for (int k = 0; k < 2; k++)
        for (char *save, *t = strtok_r(copy[k], " \n", &save); t && n[k] < 255; t = strtok_r(NULL, " \n", &save))
            w[k][n[k]++] = t;
    for (int i = 0; i <= n[0]; i++)
        for (int j = 0; j <= n[1]; j++) {
            d[i][j] = i ? j ? d[i - 1][j - 1] + (strcmp(w[0][i - 1], w[1][j - 1]) != 0) : i : j;
            if (i && d[i - 1][j] + 1 < d[i][j])
                d[i][j] = d[i - 1][j] + 1;
            if (j && d[i][j - 1] + 1 < d[i][j])
                d[i][j] = d[i][j - 1] + 1;
        }
    return d[n[0]][n[1]];
}

static const struct {
    const char *sound, *said;
} speech[] = {
    { "speech/jfk_16k.wav", "and so my fellow americans ask not what your country can do for you ask what you can do for your country" },
    { "speech/quilter_16k.wav", "mr quilter is the apostle of the middle classes and we are glad to welcome his gospel" },
    { "speech/digits_16k.wav", "one zero zero zero one nine oh two one oh zero one eight zero three" },
    { "speech/silence2s_speech3s_silence2s_16k.wav", "and so my fellow americans" },
};
enum { N_SPEECH = sizeof(speech) / sizeof(speech[0]) };

static void run_tool(const char *sound, char *text, size_t max)
{
    char command[512], path[256];
    snprintf(path, sizeof path, "models/media/%s", sound);
    snprintf(command, sizeof command, "pocketsphinx_continuous -infile %s -logfn /dev/null 2>/dev/null", test_shared(path));
    FILE *f = popen(command, "r");
    text[f ? fread(text, 1, max - 1, f) : 0] = '\0';
    if (f)
        pclose(f);
}

TEST(no_more_words_are_wrong_than_with_the_librarys_own_tool)
{
    if (getenv("TEST_QUICK"))
        SKIP("takes 10 s; not with TEST_QUICK");
    if (access("/usr/bin/pocketsphinx_continuous", X_OK) != 0)
        SKIP("no pocketsphinx_continuous");
    test_shared("models");
    struct hear *h = open_sphinx("");
    REQUIRE(h->task, "%s", h->err.text);
    int n_ours = 0, n_tool = 0;
    for (int i = getenv("TEST_DEEP") ? 0 : 1; i < N_SPEECH; i++) {
        char tool[4096];
        run_tool(speech[i].sound, tool, sizeof tool);
        REQUIRE(hear_file(h, speech[i].sound, (struct task_options){ 0 }), "%s", h->err.text);
        n_ours += word_errors(speech[i].said, h->text);
        n_tool += word_errors(speech[i].said, tool);
        printf("# %s: %d errors, the tool %d: %s\n", speech[i].sound, word_errors(speech[i].said, h->text), word_errors(speech[i].said, tool), h->text);
    }
    CHECK(n_ours <= n_tool, "%d errors, the tool has %d", n_ours, n_tool);
    hear_close(h);
}

TEST(words_and_segments_carry_times_in_the_whole_recording)
{
    size_t n = 0;
    float *x = hear_wav("speech/quilter_16k.wav", &n);
    struct hear *h = open_sphinx("mode: fast\n");
    REQUIRE(h->task && x, "%s", h->err.text);
    enum { LEAD = 16000 * 7 };
    float *long_x = calloc(2 * n + 3 * LEAD, sizeof(float)); /* 7 s, the sentence, 7 s, the sentence, 7 s */
    memcpy(long_x + LEAD, x, n * sizeof(float));
    memcpy(long_x + 2 * LEAD + n, x, n * sizeof(float));
    REQUIRE(hear_samples(h, x, n, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    const int n_words = h->n_words;
    CHECK(word_errors(speech[1].said, h->text) <= 8, "%s", h->text);
    CHECK(strcmp(h->pieces, h->text) == 0, "%s", h->pieces);
    double last = 0;
    for (int i = 0; i < h->n_words; i++) {
        CHECK(h->words[i].start_s >= last - 1e-9 && h->words[i].end_s > h->words[i].start_s && h->words[i].score >= 0 && h->words[i].score <= 1);
        CHECK(!strpbrk(h->words[i].text, "<[(+"), "%s", h->words[i].text);
        last = h->words[i].end_s;
    }
    CHECK(h->words[0].start_s > 0.3 && h->words[0].start_s < 0.8 && last > 5.2 && last < 5.8, "%g-%g", h->words[0].start_s, last);
    REQUIRE(hear_samples(h, long_x, 2 * n + 3 * LEAD, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(h->n_results == 1 && h->n_segments >= 2 && abs(h->n_words - 2 * n_words) <= 6, "%d words, once %d", h->n_words, n_words);
    CHECK(strcmp(h->pieces, h->text) == 0);
    const double again = 14 + (double)n / 16000;
    int k = 0;
    while (k < h->n_words && h->words[k].start_s < again)
        k++;
    REQUIRE(k > 0 && k < h->n_words);
    CHECK(fabs(h->words[0].start_s - 7.5) < 0.4 && fabs(h->words[k].start_s - again - 0.5) < 0.4, "%g, %g", h->words[0].start_s, h->words[k].start_s - again);
    free(x), free(long_x), hear_close(h);
}

TEST(live_speech_is_told_at_its_pauses)
{
    size_t n = 0;
    float *x = hear_wav("speech/quilter_16k.wav", &n);
    struct hear *h = open_sphinx("mode: fast\n");
    REQUIRE(h->task && x, "%s", h->err.text);
    float *twice = calloc(2 * n + 64000, sizeof(float)); /* the sentence, 2 s, the sentence, 2 s */
    memcpy(twice, x, n * sizeof(float));
    memcpy(twice + n + 32000, x, n * sizeof(float));
    int said_at = 0, k = 0;
    hear_forget(h);
    for (size_t at = 0; at < 2 * n + 64000; at += 8000, k++) {
        const size_t m = 2 * n + 64000 - at < 8000 ? 2 * n + 64000 - at : 8000;
        const struct task_media sound = { .form = MEDIA_F32, .bytes = twice + at, .n_bytes = m * sizeof(float), .rate_hz = 16000 };
        const struct task_request rq = { .task = EXPERT_TRANSCRIBE, .media = &sound, .n_media = 1, .session = 3, .session_start = at == 0, .session_end = at + m == 2 * n + 64000 };
        REQUIRE(hear_request(h, &rq), "%s", h->err.text);
        if (!said_at && h->text[0])
            said_at = k;
    }
    CHECK(h->n_results == k && h->n_segments >= 2 && h->n_words >= 20, "%d segments, %d words", h->n_segments, h->n_words);
    CHECK(said_at > 8 && said_at <= 14, "the first words came with piece %d", said_at); /* the sentence ends in piece 11 */
    CHECK(strcmp(h->pieces, h->text) == 0, "'%s' '%s'", h->pieces, h->text);
    CHECK(h->words[h->n_words - 1].end_s > 2 + 5.85 + 5 && h->words[h->n_words - 1].end_s < 2 + 2 * 5.86, "%g", h->words[h->n_words - 1].end_s);
    free(x), free(twice), hear_close(h);
}

TEST(a_silero_model_can_cut_what_pocketsphinx_hears)
{
    char more[512];
    need_sphinx();
    test_onnx_library();
    snprintf(more, sizeof more, "mode: fast\nvad: %s\n", test_shared("models/audio/silero_vad_16k.onnx"));
    struct hear *h = open_sphinx(more);
    REQUIRE(h->task, "%s", h->err.text);
    REQUIRE(hear_file(h, "speech/silence2s_speech3s_silence2s_16k.wav", (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(h->n_words >= 3 && h->words[0].start_s > 1.8 && h->words[h->n_words - 1].end_s < 4.8, "%s", h->text);
    REQUIRE(hear_file(h, "sound/brown_noise_3s_16k.wav", (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(h->n_words == 0, "%s", h->text);
    hear_close(h);
}

TEST(silence_and_noise_say_nothing)
{
    struct hear *h = open_sphinx("mode: fast\n");
    REQUIRE(h->task, "%s", h->err.text);
    static float x[16000 * 3];
    REQUIRE(hear_samples(h, x, 16000 * 3, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    CHECK(h->n_results == 1 && h->n_words == 0 && h->text[0] == '\0' && fabs(h->duration_s - 3) < 1e-6, "%s", h->text);
    REQUIRE(hear_samples(h, x, 0, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    REQUIRE(hear_samples(h, x, 100, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    hear_close(h);
}

TEST(a_grammar_allows_its_sentences_only)
{
    char more[512];
    FILE *f = fopen(test_tmp("digits.gram"), "w");
    REQUIRE(f);
    fputs("#JSGF V1.0;\ngrammar digits;\npublic <digits> = (zero | oh | one | two | three | four | five | six | seven | eight | nine)+;\n", f);
    fclose(f);
    snprintf(more, sizeof more, "grammar: %s\n", test_tmp("digits.gram"));
    struct hear *h = open_sphinx(more);
    REQUIRE(h->task, "%s", h->err.text);
    REQUIRE(hear_file(h, "speech/digits_16k.wav", (struct task_options){ 0 }), "%s", h->err.text);
    printf("# with a grammar of digits: %d errors: %s\n", word_errors(speech[2].said, h->text), h->text);
    CHECK(word_errors(speech[2].said, h->text) <= 2, "%s", h->text);
    hear_close(h);

    f = fopen(test_tmp("bad.gram"), "w");
    fputs("this is no grammar", f);
    fclose(f);
    snprintf(more, sizeof more, "grammar: %s\n", test_tmp("bad.gram"));
    h = open_sphinx(more);
    CHECK(!h->task && strstr(h->err.text, "bad.gram"), "%s", h->err.text);
    hear_close(h);
}

BENCH(speed_and_word_errors)
{
    static const char *const modes[] = { "accurate", "fast" };
    for (int m = 0; m < 2; m++) {
        char more[64];
        snprintf(more, sizeof more, "mode: %s\n", modes[m]);
        clock_t t = clock();
        struct hear *h = open_sphinx(more);
        printf("# %s: open %.2f s\n", modes[m], (double)(clock() - t) / CLOCKS_PER_SEC);
        for (int i = 0; i < N_SPEECH; i++) {
            t = clock();
            hear_file(h, speech[i].sound, (struct task_options){ 0 });
            const double cpu_s = (double)(clock() - t) / CLOCKS_PER_SEC;
            printf("# %s %s: %d errors, RTF %.2f: %s\n", modes[m], speech[i].sound, word_errors(speech[i].said, h->text), cpu_s / h->duration_s, h->text);
        }
        hear_close(h);
    }
}
