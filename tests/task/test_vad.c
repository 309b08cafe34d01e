/* tests/task/test_vad.c - voice activity: rules, loudness, and Silero against a direct run of its file. */
#include "task/vad.h"

#include <math.h>
#include <time.h>

#include "../onnx/write.h"
#include "task/hear.h"

/* ---- rules ---- */

static int segments_of(const float *p, int n, struct vad_rules rules, int64_t (*out)[2])
{
    struct vad_segments v = { 0 };
    float score;
    int k = 0;
    for (int i = 0; i < n; i++)
        k += vad_put(&v, &rules, p[i], &out[k][0], &out[k][1], &score);
    return k + vad_finish(&v, &rules, &out[k][0], &out[k][1], &score);
}

TEST(speech_begins_loud_ends_after_quiet_frames_and_short_speech_is_dropped)
{
    const struct vad_rules rules = { 0.5f, 0.35f, 3, 4 };
    static const struct {
        const char *why;
        float p[16];
        int n, n_segments;
        int64_t first[2];
    } cases[] = {
        { "nothing", { 0.1f, 0.49f, 0.1f }, 3, 0, { 0 } },
        { "plain; the end is where quiet began", { 0, 0.5f, 0.9f, 0.9f, 0.9f, 0.1f, 0.1f, 0.1f, 0 }, 9, 1, { 1, 5 } },
        { "between the thresholds it goes on", { 0.6f, 0.4f, 0.4f, 0.4f, 0.1f, 0.1f, 0.36f, 0.1f, 0.1f, 0.1f }, 10, 1, { 0, 7 } },
        { "too short", { 0, 0.9f, 0.9f, 0.9f, 0.1f, 0.1f, 0.1f }, 7, 0, { 0 } },
        { "it may last to the end of the sound", { 0, 0, 0.9f, 0.9f, 0.9f, 0.1f }, 6, 1, { 2, 6 } },
        { "too short at the end of the sound", { 0, 0, 0, 0.9f, 0.9f, 0.9f }, 6, 0, { 0 } },
        { "two", { 0.9f, 0.9f, 0.9f, 0.9f, 0, 0, 0, 0.9f, 0.9f, 0.9f, 0.9f, 0, 0, 0 }, 14, 2, { 0, 4 } },
        { "NaN is quiet", { 0.9f, 0.9f, 0.9f, 0.9f, 0.9f, 0, NAN, 0 }, 8, 1, { 0, 8 } },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t got[16][2];
        const int n = segments_of(cases[i].p, cases[i].n, rules, got);
        CHECK(n == cases[i].n_segments, "%s: %d", cases[i].why, n);
        CHECK(n == 0 || (got[0][0] == cases[i].first[0] && got[0][1] == cases[i].first[1]), "%s: %d-%d", cases[i].why, (int)got[0][0], (int)got[0][1]);
    }
}

TEST(loudness_tells_a_voice_like_burst_from_the_noise_around_it)
{
    struct vad_energy v = { 0 };
    float x[VAD_ENERGY_FRAME];
    int n_wrong = 0;
    for (int frame = 0; frame < 400; frame++) { /* 12.8 s; bursts of 1 s every 3 s */
        const bool is_loud = frame % 94 >= 62;
        for (int i = 0; i < VAD_ENERGY_FRAME; i++) {
            const double t = (frame * VAD_ENERGY_FRAME + i) / 16000.0;
            x[i] = 0.003f * test_rand_f32() + (is_loud ? 0.1f * (float)(sin(2 * 3.14159265358979 * 180 * t) + 0.5 * sin(2 * 3.14159265358979 * 720 * t)) : 0);
        }
        const float p = vad_energy_put(&v, x);
        CHECK(p >= 0 && p <= 1);
        n_wrong += frame > 63 && (p >= 0.5f) != is_loud; /* it learns the noise first */
    }
    CHECK(n_wrong <= 4, "%d frames are wrong", n_wrong);
}

TEST(loudness_needs_no_model_and_gives_segments_as_a_task)
{
    enum { N = 16000 * 8 };
    float *x = calloc(N, sizeof(float));
    for (int i = 0; i < N; i++) {
        const double t = i / 16000.0;
        x[i] = 0.002f * test_rand_f32() + (t >= 3 && t < 5 ? 0.2f * (float)sin(2 * 3.14159265358979 * 300 * t) : 0);
    }
    struct hear *h = hear_open_text("energy.yaml", "task: vad\nkind: energy\n", ".");
    REQUIRE(h->task, "%s", h->err.text);
    REQUIRE(hear_samples(h, x, N, 16000, (struct task_options){ 0 }), "%s", h->err.text);
    REQUIRE(h->n_segments == 1, "%d", h->n_segments);
    CHECK(fabs(h->segments[0].start_s - 3) < 0.07 && fabs(h->segments[0].end_s - 5) < 0.1, "%g-%g", h->segments[0].start_s, h->segments[0].end_s);
    CHECK(strcmp(h->segments[0].label, "speech") == 0 && fabs(h->duration_s - 8) < 1e-9);
    hear_close(h), free(x);
}

TEST(a_card_that_makes_no_sense_is_told_with_its_place)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "task: vad\nkind: energy\nstart: 0.3\nend: 0.4\n", "3" },
        { "task: vad\nkind: energy\nstrat: 0.3\n", "start" },
        { "task: vad\nkind: energy\nrate: 8000\n", "16000" },
        { "task: vad\nkind: energy\nend_frames: 0\n", "end_frames" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hear *h = hear_open_text("bad.yaml", cases[i].text, ".");
        CHECK(!h->task && strstr(h->err.text, cases[i].want), "%zu: %s", i, h->err.text);
        hear_close(h);
    }
}

/* ---- a tiny graph with Silero's inputs and outputs ---- */

/* output = largest |sample|, stateN = state + 1: what a frame saw and how many there were can be read off. */
static void write_fake(const char *path)
{
    struct onnx_writer w;
    writer_begin(&w);
    writer_input(&w, "input", 1, (int64_t[]){ -1, -1 }, 2);
    writer_input(&w, "state", 1, (int64_t[]){ 2, -1, 128 }, 3);
    writer_input(&w, "sr", 7, NULL, 0);
    writer_floats(&w, "one", (int64_t[]){ 1 }, 1, (float[]){ 1 });
    writer_floats(&w, "tiny", (int64_t[]){ 1 }, 1, (float[]){ 1.0f / 1024 });
    writer_node(&w, "Abs", "input", "a");
    writer_node(&w, "ReduceMax", "a", "m");
    writer_attr_ints(&w, "axes", (int64_t[]){ 1 }, 1);
    writer_attr_int(&w, "keepdims", 1);
    writer_node(&w, "Add", "state one", "stateN");
    writer_node(&w, "ReduceMax", "state", "s"); /* frames before this one */
    writer_attr_int(&w, "keepdims", 0);
    writer_node(&w, "Mul", "s tiny", "t");
    writer_node(&w, "Add", "m t", "output");
    writer_output(&w, "output", 1, (int64_t[]){ -1, 1 }, 2);
    writer_output(&w, "stateN", 1, (int64_t[]){ 2, -1, 128 }, 3);
    writer_save(&w, path);
}

TEST(frames_carry_context_and_state_and_do_not_depend_on_how_sound_was_cut)
{
    enum { N = 512 * 20 + 100 };
    write_fake(test_tmp("fake.onnx"));
    char card[512], dir[256];
    snprintf(dir, sizeof dir, "%s", test_tmp("fake.onnx"));
    snprintf(card, sizeof card, "task: vad\nkind: onnx\nmodel: %s\nmin_frames: 1\n", dir);
    struct hear *h = hear_open_text("fake.yaml", card, "/");
    REQUIRE(h->task, "%s", h->err.text);
    float *x = calloc(N, sizeof(float)), want[21];
    for (int i = 0; i < N; i++)
        x[i] = 0.4f * test_rand_f32();
    for (int f = 0; f < 21; f++) { /* 64 samples before the frame count, and zeros behind the end */
        float m = 0;
        for (int i = f * 512 - 64; i < f * 512 + 512; i++)
            m = i >= 0 && i < N && fabsf(x[i]) > m ? fabsf(x[i]) : m;
        want[f] = m + (float)f / 1024;
    }
    const struct task_options scores = { .wants_scores = true };
    REQUIRE(hear_samples(h, x, N, 16000, scores), "%s", h->err.text);
    REQUIRE(h->n_scores == 21 && fabs(h->score_step_s - 0.032) < 1e-12, "%d", h->n_scores);
    for (int f = 0; f < 21; f++)
        CHECK(fabsf(h->scores[f] - want[f]) < 1e-6f, "%d: %g, want %g", f, h->scores[f], want[f]);
    static const size_t pieces[] = { 1, 100, 512, 777, 5000 };
    for (size_t k = 0; k < 5; k++) {
        REQUIRE(hear_live(h, x, N, pieces[k], scores), "%s", h->err.text);
        REQUIRE(h->n_scores == 21, "%zu: %d", pieces[k], h->n_scores);
        for (int f = 0; f < 21; f++)
            CHECK(fabsf(h->scores[f] - want[f]) < 1e-6f, "piece %zu, %d: %g, want %g", pieces[k], f, h->scores[f], want[f]);
    }
    hear_close(h), free(x);
}

TEST(raw_tensors_in_between_do_not_disturb_a_live_sound)
{
    write_fake(test_tmp("fake.onnx"));
    char card[512];
    snprintf(card, sizeof card, "task: vad\nkind: onnx\nmodel: %s\n", test_tmp("fake.onnx"));
    struct hear *h = hear_open_text("fake.yaml", card, "/");
    REQUIRE(h->task, "%s", h->err.text);
    float x[512] = { 0.25f }, raw[3] = { 0.5f, -0.75f, 0.1f }, state[256] = { 0 };
    int64_t rate = 1;
    const struct tensor in[3] = { { .name = "input", .type = TENSOR_F32, .n_dims = 2, .dims = { 1, 3 }, .data = raw, .n_bytes = sizeof raw },
                                  { .name = "state", .type = TENSOR_F32, .n_dims = 3, .dims = { 2, 1, 128 }, .data = state, .n_bytes = sizeof state },
                                  { .name = "sr", .type = TENSOR_I64, .n_dims = 0, .data = &rate, .n_bytes = sizeof rate } };
    const struct task_media m = { .form = MEDIA_F32, .bytes = x, .n_bytes = sizeof x, .rate_hz = 16000 };
    for (int i = 0; i < 3; i++) {
        const struct task_request live = { .task = EXPERT_VAD, .media = &m, .n_media = 1, .session = 9, .session_start = i == 0, .options = { .wants_scores = true } };
        hear_forget(h);
        REQUIRE(hear_request(h, &live), "%s", h->err.text);
        CHECK(h->n_scores == 1 && h->scores[0] == 0.25f + (float)i / 1024, "%d: %g", i, h->scores[0]);
        const struct task_request infer = { .task = EXPERT_INFER, .tensors = in, .n_tensors = 3 };
        REQUIRE(hear_request(h, &infer), "%s", h->err.text);
        CHECK(h->n_tensors == 2 && h->tensor0 == 0.75f, "%d, %g", h->n_tensors, h->tensor0);
    }
    hear_close(h);
}

TEST(other_rates_are_resampled_and_live_sound_is_as_the_whole)
{
    enum { N = 48000 * 4 };
    float *x = calloc(N, sizeof(float)), want[256];
    for (int i = 0; i < N; i++) {
        const double t = i / 48000.0;
        x[i] = 0.002f * test_rand_f32() + (t >= 1.5 && t < 3 ? 0.2f * (float)sin(2 * 3.14159265358979 * 300 * t) : 0);
    }
    struct hear *h = hear_open_text("energy.yaml", "task: vad\nkind: energy\n", ".");
    REQUIRE(h->task, "%s", h->err.text);
    if (!hear_samples(h, x, N, 48000, (struct task_options){ .wants_scores = true })) {
        if (strstr(h->err.text, "soxr"))
            SKIP("%s", h->err.text);
        REQUIRE(false, "%s", h->err.text);
    }
    const int n_scores = h->n_scores;
    CHECK(n_scores == 125 && fabs(h->duration_s - 4) < 0.001, "%d, %g s", n_scores, h->duration_s);
    REQUIRE(h->n_segments == 1);
    CHECK(fabs(h->segments[0].start_s - 1.5) < 0.07 && fabs(h->segments[0].end_s - 3) < 0.1, "%g-%g", h->segments[0].start_s, h->segments[0].end_s);
    memcpy(want, h->scores, sizeof(float) * (size_t)n_scores);
    for (size_t at = 0; at < N; at += 1000) {
        const size_t k = N - at < 1000 ? N - at : 1000;
        const struct task_media m = { .form = MEDIA_F32, .bytes = x + at, .n_bytes = k * sizeof(float), .rate_hz = 48000 };
        const struct task_request rq = { .task = EXPERT_VAD, .media = &m, .n_media = 1, .session = 5, .session_start = at == 0, .session_end = at + k == N, .options = { .wants_scores = true } };
        if (at == 0)
            hear_forget(h);
        REQUIRE(hear_request(h, &rq), "%s", h->err.text);
    }
    CHECK(h->n_scores == n_scores && h->n_segments == 1, "%d scores", h->n_scores);
    for (int i = 0; i < n_scores && i < h->n_scores; i++)
        CHECK(fabsf(h->scores[i] - want[i]) < 1e-3f, "%d: %g, want %g", i, h->scores[i], want[i]);
    hear_close(h), free(x);
}

TEST(two_live_sounds_at_a_time_do_not_see_each_other)
{
    write_fake(test_tmp("fake.onnx"));
    char card[512];
    snprintf(card, sizeof card, "task: vad\nkind: onnx\nmodel: %s\n", test_tmp("fake.onnx"));
    struct hear *h = hear_open_text("fake.yaml", card, "/");
    REQUIRE(h->task, "%s", h->err.text);
    float x[512] = { 0 };
    const struct task_media m = { .form = MEDIA_F32, .bytes = x, .n_bytes = sizeof x, .rate_hz = 16000 };
    for (int i = 0; i < 3; i++)
        for (uint64_t session = 1; session <= 40; session++) { /* more than are kept: the oldest start anew, nothing breaks */
            const struct task_request rq = { .task = EXPERT_VAD, .media = &m, .n_media = 1, .session = session, .session_start = i == 0, .options = { .wants_scores = true } };
            hear_forget(h);
            REQUIRE(hear_request(h, &rq), "%s", h->err.text);
            if (i == 0)
                CHECK(h->n_scores == 1 && h->scores[0] == 0, "session %d frame %d: %g", (int)session, i, h->scores[0]);
        }
    for (int i = 0; i < 3; i++)
        for (uint64_t session = 100; session <= 110; session++) {
            const struct task_request rq = { .task = EXPERT_VAD, .media = &m, .n_media = 1, .session = session, .session_start = i == 0, .options = { .wants_scores = true } };
            hear_forget(h);
            REQUIRE(hear_request(h, &rq), "%s", h->err.text);
            CHECK(h->n_scores == 1 && h->scores[0] == (float)i / 1024, "session %d frame %d: %g", (int)session, i, h->scores[0]);
        }
    hear_close(h);
}

TEST(another_model_than_silero_is_refused_when_it_is_opened)
{
    struct onnx_writer w;
    writer_begin(&w);
    writer_input(&w, "x", 1, (int64_t[]){ 1, 4 }, 2);
    writer_node(&w, "Abs", "x", "y");
    writer_output(&w, "y", 1, (int64_t[]){ 1, 4 }, 2);
    writer_save(&w, test_tmp("other.onnx"));
    char card[512];
    snprintf(card, sizeof card, "task: vad\nkind: onnx\nmodel: %s\n", test_tmp("other.onnx"));
    struct hear *h = hear_open_text("other.yaml", card, "/");
    CHECK(!h->task && h->err.code == ERR_UNSUPPORTED && strstr(h->err.text, "Silero"), "%s", h->err.text);
    hear_close(h);
}

/* ---- the real files ---- */

/* Straight through ONNX Runtime's session: no code of task/. */
static int direct(const char *model, int rate_hz, const float *x, size_t n, float *p)
{
    struct err err = { 0 };
    struct onnx *o = test_onnx(1);
    struct onnx_session *s = onnx_session_open(o, model, NULL, &err);
    if (!s)
        return -1;
    const int frame = rate_hz / 125 * 4, ctx = rate_hz / 250;
    const int in = onnx_find_input(s, "input"), state = onnx_find_input(s, "state"), sr = onnx_find_input(s, "sr");
    float context[64] = { 0 };
    onnx_set_dims(s, in, (int64_t[]){ 1, frame + ctx }, 2, &err);
    onnx_set_dims(s, state, (int64_t[]){ 2, 1, 128 }, 3, &err);
    onnx_set_dims(s, sr, NULL, 0, &err);
    *(int64_t *)onnx_input(s, sr)->data = rate_hz;
    int k = 0;
    for (size_t at = 0; at < n; at += (size_t)frame, k++) {
        float *to = onnx_input(s, in)->data;
        memcpy(to, context, (size_t)ctx * sizeof(float));
        for (int i = 0; i < frame; i++)
            to[ctx + i] = at + (size_t)i < n ? x[at + (size_t)i] : 0;
        memcpy(context, to + frame, (size_t)ctx * sizeof(float));
        if (!onnx_run(s, &err))
            return -1;
        p[k] = *(const float *)onnx_output(s, onnx_find_output(s, "output"))->data;
        memcpy(onnx_input(s, state)->data, onnx_output(s, onnx_find_output(s, "stateN"))->data, 256 * sizeof(float));
    }
    onnx_session_close(s), onnx_close(o);
    return k;
}

static void check_silero(const char *card, const char *model, int rate_hz, const char *sound)
{
    static float want[4096];
    size_t n = 0;
    float *x = hear_wav(sound, &n);
    REQUIRE(x, "%s", sound);
    if (rate_hz == 8000) { /* every other sample will do to compare */
        for (size_t i = 0; i < n / 2; i++)
            x[i] = x[2 * i];
        n /= 2;
    }
    char path[128];
    snprintf(path, sizeof path, "models/%s", model);
    const int k = direct(test_shared(path), rate_hz, x, n, want);
    REQUIRE(k > 0);
    char text[256];
    snprintf(text, sizeof text, "task: vad\nkind: onnx\nmodel: %s\nrate: %d\n", model, rate_hz);
    struct hear *h = hear_open_text(card, text, test_shared("models"));
    REQUIRE(h->task, "%s", h->err.text);
    REQUIRE(hear_samples(h, x, n, rate_hz, (struct task_options){ .wants_scores = true }), "%s", h->err.text);
    REQUIRE(h->n_scores == k, "%d frames, want %d", h->n_scores, k);
    for (int i = 0; i < k; i++)
        CHECK(fabsf(h->scores[i] - want[i]) <= 1e-4f, "%s %s frame %d: %g, want %g", model, sound, i, h->scores[i], want[i]);
    hear_close(h), free(x);
}

TEST(silero_agrees_with_a_direct_run_frame_by_frame)
{
    check_silero("a.yaml", "audio/silero_vad_16k.onnx", 16000, "speech/jfk_16k.wav");
    check_silero("b.yaml", "audio/silero_vad_16k.onnx", 16000, "speech/quilter_16k.wav");
    check_silero("c.yaml", "audio/silero_vad_8k16k.onnx", 16000, "speech/jfk_16k.wav");
    check_silero("d.yaml", "audio/silero_vad_8k16k.onnx", 8000, "speech/jfk_16k.wav");
}

TEST(silero_finds_the_segments_that_the_manifest_says)
{
    static const struct {
        const char *sound;
        double at[10];
        int n;
    } cases[] = { { "speech/jfk_16k.wav", { 0.35, 2.24, 3.30, 3.84, 3.97, 4.42, 5.41, 7.65, 8.19, 10.59 }, 5 },
                  { "speech/quilter_16k.wav", { 0.54, 5.50 }, 1 },
                  { "speech/silence2s_speech3s_silence2s_16k.wav", { 2.34, 4.26 }, 1 } };
    static const char *const cards[] = { "silero-vad", "silero-vad-8k16k" };
    for (int c = 0; c < 2; c++) {
        struct hear *h = hear_open(cards[c]);
        REQUIRE(h->task, "%s", h->err.text);
        for (size_t i = 0; i < 3; i++) {
            REQUIRE(hear_file(h, cases[i].sound, (struct task_options){ 0 }), "%s", h->err.text);
            REQUIRE(h->n_segments == cases[i].n, "%s: %d segments", cases[i].sound, h->n_segments);
            for (int k = 0; k < cases[i].n; k++)
                CHECK(fabs(h->segments[k].start_s - cases[i].at[2 * k]) <= 0.006 && fabs(h->segments[k].end_s - cases[i].at[2 * k + 1]) <= 0.006 &&
                          h->segments[k].score > 0.5f,
                      "%s: %.3f-%.3f %.2f", cases[i].sound, h->segments[k].start_s, h->segments[k].end_s, h->segments[k].score);
        }
        /* ../shared/models/IO.md: the first 16 probabilities of jfk */
        static const float first[16] = { 0.002f, 0.085f, 0.302f, 0.133f, 0.083f, 0.043f, 0.055f, 0.053f, 0.031f, 0.038f, 0.343f, 0.946f, 0.933f, 0.857f, 0.973f, 0.988f };
        REQUIRE(hear_file(h, "speech/jfk_16k.wav", (struct task_options){ .wants_scores = true }), "%s", h->err.text);
        for (int i = 0; i < 16; i++)
            CHECK(fabsf(h->scores[i] - first[i]) < 6e-4f, "%d: %g", i, h->scores[i]);
        static const char *const quiet[] = { "sound/brown_noise_3s_16k.wav", "sound/digital_silence_2s_16k.wav", "sound/tone_440hz_1s_16k.wav" };
        for (int i = 0; i < 3; i++) {
            REQUIRE(hear_file(h, quiet[i], (struct task_options){ .wants_scores = true }), "%s", h->err.text);
            CHECK(h->n_segments == 0);
            for (int k = 0; k < h->n_scores; k++)
                CHECK(h->scores[k] < 0.04f, "%s frame %d: %g", quiet[i], k, h->scores[k]);
        }
        hear_close(h);
    }
}

BENCH(silero_share_of_a_core)
{
    static const char *const cards[] = { "silero-vad", "silero-vad-8k16k" };
    for (int c = 0; c < 2; c++) {
        struct hear *h = hear_open(cards[c]);
        size_t n;
        float *x = hear_wav("speech/jfk_16k.wav", &n);
        for (int i = 0; i < 3; i++) {
            const clock_t t = clock();
            hear_live(h, x, n, 512, (struct task_options){ 0 });
            const double cpu_s = (double)(clock() - t) / CLOCKS_PER_SEC;
            printf("# %s, live in pieces of 32 ms: %.2f %% of a core (%.0f us a frame)\n", cards[c], 100 * cpu_s / ((double)n / 16000), cpu_s * 1e6 / (double)(n / 512));
        }
        hear_close(h);
        static float p[4096]; /* the bare model on the same sound, its opening taken off */
        const char *file = test_shared(c ? "models/audio/silero_vad_8k16k.onnx" : "models/audio/silero_vad_16k.onnx");
        double cpu_s[2];
        for (int k = 0; k < 2; k++) {
            const clock_t t = clock();
            direct(file, 16000, x, k ? n : 512, p);
            cpu_s[k] = (double)(clock() - t) / CLOCKS_PER_SEC;
        }
        printf("# %s, the model alone: %.0f us a frame\n", cards[c], (cpu_s[1] - cpu_s[0]) * 1e6 / ((double)n / 512 - 1));
        free(x);
    }
}
