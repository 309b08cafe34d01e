/* tests/task/test_chunks.c - long sound is cut at pauses, loses no speech, and does not care how it was put in. */
#include "task/chunks.h"

#include <math.h>
#include <string.h>

#include "test.h"

static const struct chunk_rules RULES = { .min_s = 10, .max_s = 30, .gap_s = 2, .pause_s = 0.3, .pad_s = 0.2 };

struct got {
    double start_s[64], end_s[64];
    int n;
    double sum; /* of samples * position: the content */
};

static bool on_chunk(void *ctx, const float *x, size_t n, double start_s, struct err *err)
{
    struct got *g = ctx;
    (void)err;
    for (size_t i = 0; i < n; i++)
        g->sum += fabs((double)x[i]) * (double)(i + 1);
    if (g->n < 64)
        g->start_s[g->n] = start_s, g->end_s[g->n] = start_s + (double)n / CHUNK_RATE_HZ, g->n++;
    return true;
}

/* A voice (two tones, four syllables a second) in the intervals, faint noise elsewhere; ends with start 0, end 0. */
static float *sound(double total_s, const double (*voice)[2], size_t *n)
{
    *n = (size_t)(total_s * CHUNK_RATE_HZ);
    float *x = calloc(*n, sizeof(float));
    for (size_t i = 0; i < *n; i++)
        x[i] = 0.001f * test_rand_f32();
    for (; (*voice)[1] > 0; voice++)
        for (size_t i = (size_t)((*voice)[0] * CHUNK_RATE_HZ); i < (size_t)((*voice)[1] * CHUNK_RATE_HZ) && i < *n; i++)
            x[i] += (0.2f * (float)sin((double)i * 0.08) + 0.1f * (float)sin((double)i * 0.21)) * (float)(1.02 + sin((double)i * 0.0015)); /* syllables */
    return x;
}

static struct got cut(const float *x, size_t n, size_t n_piece, const struct chunk_rules *rules, bool detect)
{
    struct got g = { .n = 0 };
    struct err err = { 0 };
    struct speech *s = detect ? speech_open(NULL, CHUNK_RATE_HZ, &err) : NULL;
    struct chunks *c = chunks_new(s, rules, &err);
    CHECK(c, "%s", err.text);
    for (size_t at = 0; at < n; at += n_piece)
        CHECK(chunks_put(c, x + at, n - at < n_piece ? n - at : n_piece, on_chunk, &g, &err), "%s", err.text);
    CHECK(chunks_finish(c, on_chunk, &g, &err), "%s", err.text);
    CHECK(fabs(chunks_seen_s(c) - (double)n / CHUNK_RATE_HZ) < 1e-9);
    chunks_free(c), speech_close(s);
    return g;
}

TEST(chunks_end_at_pauses_after_ten_seconds_and_at_long_gaps_before)
{
    static const double voice[][2] = { { 3, 6 }, { 6.6, 9 }, { 9.5, 14 }, { 14.5, 20 }, { 25, 27 }, { 33, 34 }, { 0, 0 } };
    size_t n;
    float *x = sound(40, voice, &n);
    const struct got g = cut(x, n, 1024, &RULES, true);
    static const double want[][2] = { { 3, 14 }, { 14.5, 20 }, { 25, 27 }, { 33, 34 } };
    REQUIRE(g.n == 4, "%d", g.n);
    for (int i = 0; i < 4; i++)
        CHECK(fabs(g.start_s[i] - (want[i][0] - 0.2)) < 0.1 && fabs(g.end_s[i] - (want[i][1] + 0.2)) < 0.12, "%d: %.3f-%.3f", i, g.start_s[i], g.end_s[i]);
    free(x);
}

TEST(no_chunk_is_longer_than_the_most_and_no_speech_is_lost)
{
    static const double voice[][2] = { { 1, 24 }, { 24.1, 70 }, { 0, 0 } }; /* nearly no pause */
    size_t n;
    float *x = sound(75, voice, &n);
    const struct got g = cut(x, n, 4096, &RULES, true);
    REQUIRE(g.n >= 3, "%d", g.n);
    CHECK(g.start_s[0] < 1 && g.end_s[g.n - 1] > 70, "%g-%g", g.start_s[0], g.end_s[g.n - 1]);
    for (int i = 0; i < g.n; i++)
        CHECK(g.end_s[i] - g.start_s[i] <= 30.05, "%g", g.end_s[i] - g.start_s[i]);
    for (int i = 1; i < g.n; i++)
        CHECK(fabs(g.start_s[i] - g.end_s[i - 1]) < 1e-9, "a hole between %g and %g", g.end_s[i - 1], g.start_s[i]);
    free(x);
}

TEST(pieces_of_any_size_give_the_same_chunks)
{
    static const double voice[][2] = { { 0, 4 }, { 5, 12 }, { 12.6, 13 }, { 17, 17.05 }, { 18, 23 }, { 0, 0 } };
    size_t n;
    float *x = sound(23.01, voice, &n);
    const struct got want = cut(x, n, n, &RULES, true);
    static const size_t pieces[] = { 1, 160, 512, 5000 };
    REQUIRE(want.n >= 2);
    for (int i = 0; i < 4; i++) {
        const struct got g = cut(x, n, pieces[i], &RULES, true);
        CHECK(g.n == want.n && memcmp(g.start_s, want.start_s, sizeof(double) * (size_t)g.n) == 0 && g.sum == want.sum, "piece %zu: %d chunks, want %d", pieces[i], g.n, want.n);
    }
    free(x);
}

TEST(without_a_detector_everything_is_heard)
{
    static const double voice[][2] = { { 0, 0 } };
    size_t n;
    float *x = sound(65.3, voice, &n);
    const struct got g = cut(x, n, 999, &RULES, false);
    REQUIRE(g.n == 3, "%d", g.n);
    CHECK(g.start_s[0] == 0 && fabs(g.end_s[2] - 65.3) < 1e-3, "%g", g.end_s[2]);
    CHECK(cut(x, 100, 7, &RULES, false).n == 1 && cut(x, 0, 7, &RULES, false).n == 0);
    free(x);
}

TEST(rules_that_make_no_sense_are_bent_not_broken)
{
    static const struct chunk_rules odd[] = { { 0, 0, 0, 0, 0 }, { 100, 1000, 0, 50, 50 }, { 50, 1, 1, 1, 1 } };
    size_t n;
    static const double voice[][2] = { { 1, 4 }, { 5, 30 }, { 0, 0 } };
    float *x = sound(32, voice, &n);
    for (int i = 0; i < 3; i++) {
        const struct got g = cut(x, n, 1000, &odd[i], true);
        CHECK(g.n >= 1, "%d", i);
    }
    free(x);
}
