/* tests/task/hear.h - runs listening cards in this process and keeps what they emit. */
#ifndef TUTTI_TESTS_TASK_HEAR_H
#define TUTTI_TESTS_TASK_HEAR_H
#include <string.h>

#include "../onnx/library.h"
#include "task/task.h"
#include "test.h"
#include "wav.h"

struct heard_segment_copy {
    double start_s, end_s;
    float score, avg_logprob, no_speech_prob, compression_ratio, temperature;
    char text[512], label[64];
};
struct heard_word_copy {
    double start_s, end_s;
    float score;
    char text[64];
};

struct hear { /* one open card and the last run's results */
    struct card *card;
    struct task *task;
    struct arena *arena;
    struct heard_segment_copy segments[256];
    struct heard_word_copy words[512];
    int n_segments, n_words, n_labels, n_scores, n_results;
    struct {
        char label[64];
        float score;
    } labels[64];
    float scores[4096];
    double score_step_s, duration_s;
    char text[8192];     /* of the results */
    char pieces[8192];   /* the TASK_TEXT events one after another */
    char language[16];
    int n_tensors;
    float tensor0; /* the first number of the first one */
    bool cancel;
    struct err err;
};

static inline bool hear_emit(void *ctx, const struct task_event *ev)
{
    struct hear *h = ctx;
    if (ev->kind == TASK_TEXT)
        strncat(h->pieces, ev->text, sizeof(h->pieces) - strlen(h->pieces) - 1);
    if (ev->kind == TASK_TENSOR && h->n_tensors++ == 0 && ev->tensor->n_bytes >= sizeof(float))
        memcpy(&h->tensor0, ev->tensor->data, sizeof(float));
    if (ev->kind != TASK_RESULT)
        return true;
    const struct task_result *r = ev->result;
    h->n_results++;
    for (int i = 0; i < r->n_segments && h->n_segments < 256; i++) {
        struct heard_segment_copy *s = &h->segments[h->n_segments++];
        const struct result_segment *g = &r->segments[i];
        *s = (struct heard_segment_copy){ .start_s = g->start_s, .end_s = g->end_s, .score = g->score, .avg_logprob = g->avg_logprob,
                                          .no_speech_prob = g->no_speech_prob, .compression_ratio = g->compression_ratio, .temperature = g->temperature };
        snprintf(s->text, sizeof s->text, "%s", r->segments[i].text ? r->segments[i].text : "");
        snprintf(s->label, sizeof s->label, "%s", r->segments[i].label ? r->segments[i].label : "");
    }
    for (int i = 0; i < r->n_words && h->n_words < 512; i++) {
        struct heard_word_copy *w = &h->words[h->n_words++];
        *w = (struct heard_word_copy){ r->words[i].start_s, r->words[i].end_s, r->words[i].score, "" };
        snprintf(w->text, sizeof w->text, "%s", r->words[i].text);
    }
    h->n_labels = 0;
    for (int i = 0; i < r->n_labels && h->n_labels < 64; i++, h->n_labels++) {
        snprintf(h->labels[i].label, sizeof h->labels[i].label, "%s", r->labels[i].label);
        h->labels[i].score = r->labels[i].score;
    }
    for (int i = 0; i < r->n_scores && h->n_scores < 4096; i++)
        h->scores[h->n_scores++] = r->scores[i];
    h->score_step_s = r->score_step_s, h->duration_s = r->duration_s;
    if (r->text && r->text[0]) {
        if (h->text[0])
            strncat(h->text, " ", sizeof(h->text) - strlen(h->text) - 1);
        strncat(h->text, r->text, sizeof(h->text) - strlen(h->text) - 1);
    }
    snprintf(h->language, sizeof h->language, "%s", r->language ? r->language : "");
    return true;
}

static inline bool hear_is_cancelled(void *ctx) { return ((struct hear *)ctx)->cancel; }

/* The card's text; files below dir.  NULL with a failed check. */
static inline struct hear *hear_open_text(const char *name, const char *text, const char *dir)
{
    static struct task_env env = { .n_threads = 1 };
    struct hear *h = calloc(1, sizeof(*h));
    h->arena = arena_new(64 << 20, &h->err);
    h->card = card_parse(name, text, strlen(text), dir, dir, &h->err);
    if (h->card) {
        if (strcmp(h->card->kind, "onnx") == 0)
            env.ort_path = test_onnx_library();
        h->task = task_open(h->card, &env, &h->err);
    }
    return h;
}

/* A card of examples/cards on the project's models. */
static inline struct hear *hear_open(const char *card)
{
    char path[256];
    snprintf(path, sizeof path, "examples/cards/%s.yaml", card);
    FILE *f = fopen(path, "rb");
    static char text[16384];
    if (!f)
        SKIP("no %s here", path);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    return hear_open_text(path, text, test_shared("models"));
}

static inline void hear_close(struct hear *h)
{
    task_free(h->task);
    card_free(h->card);
    arena_free(h->arena);
    free(h);
}

static inline void hear_forget(struct hear *h)
{
    h->n_segments = h->n_words = h->n_labels = h->n_scores = h->n_results = h->n_tensors = 0;
    h->text[0] = h->pieces[0] = '\0';
}

static inline bool hear_request(struct hear *h, const struct task_request *rq)
{
    const struct task_out out = { h, hear_emit, hear_is_cancelled, h->arena };
    const bool good = task_run(h->task, rq, &out, &h->err);
    arena_reset(h->arena);
    return good;
}

/* Samples at rate_hz as one complete sound. */
static inline bool hear_samples(struct hear *h, const float *x, size_t n, int rate_hz, struct task_options options)
{
    const struct task_media m = { .form = MEDIA_F32, .bytes = x, .n_bytes = n * sizeof(float), .rate_hz = rate_hz };
    const struct task_request rq = { .task = h->card->task, .media = &m, .n_media = 1, .options = options };
    hear_forget(h);
    return hear_request(h, &rq);
}

/* The same in pieces of n_piece samples, as one session. */
static inline bool hear_live(struct hear *h, const float *x, size_t n, size_t n_piece, struct task_options options)
{
    static uint64_t session = 1;
    session++;
    hear_forget(h);
    for (size_t at = 0; at < n; at += n_piece) {
        const size_t k = n - at < n_piece ? n - at : n_piece;
        const struct task_media m = { .form = MEDIA_F32, .bytes = x + at, .n_bytes = k * sizeof(float), .rate_hz = 16000 };
        const struct task_request rq = { .task = h->card->task, .media = &m, .n_media = 1, .options = options, .session = session,
                                         .session_start = at == 0, .session_end = at + k == n };
        if (!hear_request(h, &rq))
            return false;
    }
    return true;
}

/* A file of the shared recordings, encoded as it is. */
static inline bool hear_file(struct hear *h, const char *name, struct task_options options)
{
    char path[256];
    static char bytes[1 << 22];
    snprintf(path, sizeof path, "models/media/%s", name);
    FILE *f = fopen(test_shared(path), "rb");
    if (!f)
        SKIP("no %s", path);
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    const struct task_media m = { .form = MEDIA_ENCODED, .bytes = bytes, .n_bytes = n };
    const struct task_request rq = { .task = h->card->task, .media = &m, .n_media = 1, .options = options };
    hear_forget(h);
    return hear_request(h, &rq);
}

static inline float *hear_wav(const char *name, size_t *n)
{
    char path[256];
    snprintf(path, sizeof path, "models/media/%s", name);
    return wav_read(test_shared(path), n);
}
#endif
