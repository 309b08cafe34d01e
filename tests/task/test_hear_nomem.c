/* tests/task/test_hear_nomem.c - what listens survives every failing allocation of ours. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "../onnx/library.h"
#include "fail_alloc.h"
#include "task/mel.h"
#include "task/task.h"
#include "task/tiny_whisper.h"
#include "task/whisper_vocab.h"
#include "test.h"

static bool features(void *arg, struct err *err)
{
    (void)arg;
    struct mel *m = mel_new(&(struct mel_opts){ MEL_SLANEY, 16000, 400, 400, 160, 80, 0, 0 }, err);
    mel_free(m);
    return m != NULL;
}

static bool tokens(void *arg, struct err *err)
{
    struct whisper_vocab v;
    const bool good = whisper_vocab_parse(&v, arg, strlen(arg), NULL, 0, NULL, 0, err);
    whisper_vocab_fini(&v);
    return good;
}

static bool on_event(void *ctx, const struct task_event *ev)
{
    (void)ctx, (void)ev;
    return true;
}
static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

struct run {
    const char *card, *ort;
    float *x;
    size_t n;
};

/* Opens the card, hears one whole sound and a live one, closes. */
static bool hear(void *arg, struct err *err)
{
    const struct run *r = arg;
    const struct task_env env = { .n_threads = 1, .ort_path = r->ort };
    struct arena *arena = arena_new(1 << 20, err);
    struct card *c = arena ? card_parse("nomem.yaml", r->card, strlen(r->card), "/", "/", err) : NULL;
    struct task *t = c ? task_open(c, &env, err) : NULL;
    const struct task_out out = { NULL, on_event, never, arena };
    const struct task_media m = { .form = MEDIA_F32, .bytes = r->x, .n_bytes = r->n * sizeof(float), .rate_hz = 16000 };
    bool good = t != NULL;
    for (int i = 0; good && i < 3; i++) {
        const struct task_request rq = { .task = c->task, .media = &m, .n_media = 1, .options = { .wants_scores = true }, .session = i ? 7 : 0, .session_start = i == 1 };
        good = task_run(t, &rq, &out, err);
        arena_reset(arena);
    }
    task_free(t), card_free(c), arena_free(arena);
    return good;
}

TEST(features_and_tokens_survive_every_failing_allocation)
{
    fail_alloc_each(features, NULL, 1000);
    fail_alloc_each(tokens, (void *)tiny_tokenizer(), 300);
}

TEST(voice_activity_survives_every_failing_allocation)
{
    static float x[16000];
    for (int i = 0; i < 16000; i++)
        x[i] = 0.001f * test_rand_f32() + (i > 8000 ? 0.2f * (float)sin(i * 0.1) : 0);
    struct run r = { "task: vad\nkind: energy\nmin_frames: 2\n", NULL, x, 16000 };
    fail_alloc_each(hear, &r, 300);
}

TEST(a_whisper_model_survives_every_failing_allocation)
{
    static struct tiny_whisper tiny;
    static float x[20000];
    char card[2048], enc[256], dec[256], tok[256];
    const char *ort = test_onnx_library();
    struct onnx *keep = test_onnx(1); /* the library is loaded before anything is counted */
    tiny_init(&tiny);
    snprintf(enc, sizeof enc, "%s", test_tmp("enc.onnx"));
    snprintf(dec, sizeof dec, "%s", test_tmp("dec.onnx"));
    snprintf(tok, sizeof tok, "%s", test_tmp("tokenizer.json"));
    FILE *f = fopen(tok, "w");
    REQUIRE(f);
    fputs(tiny_tokenizer(), f);
    fclose(f);
    tiny_write_encoder(&tiny, enc);
    tiny_write_decoder(&tiny, TINY_MERGED, 7, dec);
    for (int i = 0; i < 20000; i++)
        x[i] = 0.2f * test_rand_f32();
    snprintf(card, sizeof card, "task: transcribe\nkind: onnx\nfamily: whisper\nencoder: %s\ndecoder: %s\ntokenizer: %s\ncontext: 12\nvad: none\ntemperatures: [0]\n", enc, dec, tok);
    struct run r = { card, ort, x, 20000 };
    fail_alloc_each(hear, &r, getenv("TEST_QUICK") ? 20 : 120);
    onnx_close(keep);
}
