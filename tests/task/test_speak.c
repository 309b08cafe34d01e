/* tests/task/test_speak.c - voices: pieces of the right length, steady speech, words that cannot become options. */
#include <math.h>

#include "task/speak.h"
#include "try_task.h"

static const char fox[] = "The quick brown fox jumps over the lazy dog. And then it went home to sleep.";

static double rms_of(const float *s, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)s[i] * s[i];
    return sqrt(sum / (n > 0 ? n : 1));
}

/* What every voice must do. */
static void check_voice(struct try_task *t, int rate_hz)
{
    REQUIRE(try_text(t, EXPERT_SPEAK, fox, (struct task_options) { 0 }), "%s", t->err.text);
    const int n = t->n_samples;
    const double first_ms = (double)t->first_ns / 1e6, all_ms = (double)(clock_ns() - t->began_ns) / 1e6;
    printf("# first audio after %.1f ms, %.1f s of speech in %.1f ms, %d pieces\n", first_ms, (double)n / rate_hz, all_ms, t->n_pieces);
    CHECK(t->rate_hz == rate_hz && n > 3 * rate_hz && n < 8 * rate_hz, "%d samples at %d Hz", n, t->rate_hz);
    CHECK(t->longest_piece <= rate_hz / 10 && t->n_pieces >= n / (rate_hz / 10), "%d pieces of at most %d", t->n_pieces, t->longest_piece);
    CHECK(rms_of(t->samples, n) > 0.01 && rms_of(t->samples, n) < 0.5, "loudness %g", rms_of(t->samples, n));
    CHECK(first_ms < all_ms); /* 100 ms are promised; a disk that is cold and has others to serve takes seconds */
    float *before = malloc((size_t)n * sizeof(float));
    memcpy(before, t->samples, (size_t)n * sizeof(float));
    REQUIRE(try_text(t, EXPERT_SPEAK, fox, (struct task_options) { 0 }), "%s", t->err.text);
    CHECK(t->n_samples == n, "the same text twice: %d and %d samples", n, t->n_samples);
    free(before);
    REQUIRE(try_text(t, EXPERT_SPEAK, fox, (struct task_options) { .speed = 2 }), "%s", t->err.text);
    CHECK(t->n_samples < 0.7 * n && t->n_samples > 0.35 * n, "twice as fast: %d of %d samples", t->n_samples, n);
    t->stop_after = 2;
    CHECK(!try_text(t, EXPERT_SPEAK, fox, (struct task_options) { 0 }) && t->err.code == ERR_CANCELLED && t->n_pieces == 2, "%s", t->err.text);
    t->stop_after = 0;
    REQUIRE(try_text(t, EXPERT_SPEAK, fox, (struct task_options) { 0 }) && t->n_samples == n, "after a cancel: %s", t->err.text);
    static const char *const refused[] = { "", "  \n", "\xff\xfe" };
    for (int i = 0; i < 3; i++)
        CHECK(!try_text(t, EXPERT_SPEAK, refused[i], (struct task_options) { 0 }) && t->err.code == ERR_INPUT);
    CHECK(!try_text(t, EXPERT_SPEAK, "x", (struct task_options) { .speed = 9 }) && t->err.code == ERR_INPUT);
    CHECK(!try_text(t, EXPERT_SPEAK, "x", (struct task_options) { .voice = "--help" }) && t->err.code == ERR_INPUT, "%s", t->err.text);
    CHECK(!try_text(t, EXPERT_SPEAK, "x", (struct task_options) { .voice = "nosuch" }) && t->err.code == ERR_INPUT, "%s", t->err.text);
}

TEST(flite_speaks_in_pieces)
{
    struct try_task t;
    TRY_OPEN(&t, "task: speak\nkind: flite\nvoice: slt\n", NULL);
    check_voice(&t, 16000);
    CHECK(!try_text(&t, EXPERT_SPEAK, "Guten Tag", (struct task_options) { .language = "de" }) && t.err.code == ERR_UNSUPPORTED);
    REQUIRE(try_text(&t, EXPERT_SPEAK, fox, (struct task_options) { .voice = "kal16", .language = "en-US" }), "%s", t.err.text);
    CHECK(t.rate_hz == 16000 && t.n_samples > 16000);
    try_close(&t);
    TRY_OPEN(&t, "task: speak\nkind: flite\nvoice: kal\nspeed: 1.5\n", NULL); /* a second one in the same process */
    REQUIRE(try_text(&t, EXPERT_SPEAK, fox, (struct task_options) { 0 }), "%s", t.err.text);
    CHECK(t.rate_hz == 8000 && task_get_info(t.task)->rate_hz == 8000);
    try_close(&t);
}

TEST(espeak_speaks_in_pieces_and_in_languages)
{
    struct try_task t;
    TRY_OPEN(&t, "task: speak\nkind: espeak\nvoice: en\n", NULL);
    check_voice(&t, 22050);
    REQUIRE(try_text(&t, EXPERT_SPEAK, "Guten Tag, Welt.", (struct task_options) { .language = "de" }), "%s", t.err.text);
    const int german = t.n_samples;
    REQUIRE(try_text(&t, EXPERT_SPEAK, "Guten Tag, Welt.", (struct task_options) { 0 }), "%s", t.err.text);
    CHECK(german > 10000 && german != t.n_samples, "German and English sound the same");
    REQUIRE(try_text(&t, EXPERT_SPEAK, "--version", (struct task_options) { 0 }) && t.n_samples > 5000, "text is no option: %s", t.err.text);
    enum { LONG = 60000 };
    char *text = malloc(LONG + 1); /* more than a pipe holds at once in either direction; cancelled early */
    for (int i = 0; i < LONG; i++)
        text[i] = fox[i % (int)(sizeof(fox) - 1)];
    text[LONG] = '\0';
    t.stop_after = 10;
    CHECK(!try_text(&t, EXPERT_SPEAK, text, (struct task_options) { 0 }) && t.err.code == ERR_CANCELLED, "%s", t.err.text);
    free(text);
    try_close(&t);
}

TEST(names_that_could_be_options_or_paths_are_refused)
{
    static const char *const good[] = { "en", "en-us", "de+f3", "mb-de2", "slt", "9a_b" };
    static const char *const bad[] = { "", "-v", "+f", "a b", "../x", "a/b", "a;b", "a\nb", "\xc3\xa4", "aaaaaaaaaaaaaaaaa" };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        CHECK(speak_name_ok(good[i], 16), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        CHECK(!speak_name_ok(bad[i], 16), "%s", bad[i]);
    CHECK(!speak_name_ok(NULL, 16));
}
