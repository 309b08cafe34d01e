/* task/wake_task.c - `task: wake`: openWakeWord's three stages: sound -> mel frames -> embeddings -> how sure it is.
 *
 * The front end and the embedding are the same for all words; the classifier is the card's `model`, so a card is a word.
 * Steps of 80 ms; about 2 s of sound decide, so a complete sound gets `pad` seconds of silence before and after.
 * Live sound (session): a segment comes with the request in which the word was heard first, times since the start.
 * Source:  ../shared/models/IO.md, audio/oww_*.onnx; github.com/dscripka/openWakeWord, openwakeword/utils.py.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/heard.h"
#include "task/listen.h"
#include "task/onnx_open.h"

enum {
    RATE_HZ = 16000,
    STEP = 1280,             /* samples: 80 ms */
    LEAD = 480,              /* samples before a step that its first mel frame reads */
    BANDS = 32, FRAMES = 76, /* mel frames that an embedding sees: 0.76 s */
    FRAMES_OF_STEP = 8,
    EMBED = 96, HISTORY_MAX = 128, /* embeddings that a classifier sees: 16 in all known ones */
};

struct wake {
    const struct card *card;
    struct onnx *onnx;
    struct onnx_session *mel, *embed, *word;
    int n_history; /* embeddings */
    char label[128];
    float threshold;
    double pad_s;
    struct heard heard;
    struct listen_sessions sessions;
};

struct stream {
    struct listen listen;
    float x[LEAD + STEP]; /* as the models want it: -32768..32767 */
    size_t n;             /* new samples in x + LEAD */
    float mel[FRAMES][BANDS];
    float embed[HISTORY_MAX][EMBED]; /* the last n_history, oldest first */
    int n_embed;
    int64_t n_steps;
    bool is_firing;
};

static void *make_stream(void *self, struct err *err)
{
    (void)self;
    struct stream *st = calloc(1, sizeof(*st));
    if (!st)
        return err_null(err, ERR_NOMEM, "wake word: no memory");
    listen_init(&st->listen, RATE_HZ);
    for (int i = 0; i < FRAMES; i++)
        for (int b = 0; b < BANDS; b++)
            st->mel[i][b] = 1.0f;
    return st;
}

static void free_stream(void *state)
{
    struct stream *st = state;
    listen_fini(&st->listen);
    free(st);
}

/* One session of the three; its only input gets these dims, and one run on silence shows what comes out. */
static bool open_stage(struct wake *w, struct onnx_session **s, const struct card *card, const struct task_env *env, const char *path,
                       const int64_t *dims, int n_dims, int64_t n_out, struct err *err)
{
    if (!(*s = task_onnx_session(w->onnx, card, env, path, err)))
        return false;
    const struct tensor *in = onnx_input_info(*s, 0);
    if (onnx_n_inputs(*s) != 1 || in->type != TENSOR_F32 || in->n_dims != n_dims)
        return err_set(err, ERR_UNSUPPORTED, "%s: is no stage of openWakeWord (one input of %d dimensions)", path, n_dims);
    if (!onnx_set_dims(*s, 0, dims, n_dims, err) || !onnx_run(*s, err))
        return err_prefix(err, "%s", path);
    const struct tensor *out = onnx_output(*s, 0);
    if (out->type != TENSOR_F32 || tensor_count(out->dims, out->n_dims) != n_out)
        return err_set(err, ERR_UNSUPPORTED, "%s: is no stage of openWakeWord (%lld numbers out)", path, (long long)n_out);
    return true;
}

static bool open_stages(struct wake *w, const struct card *card, const struct task_env *env, struct err *err)
{
    char mel[sizeof(card->model)], embed[sizeof(card->model)], word[sizeof(card->model)];
    struct card one = *card; /* a step takes a few milliseconds: not worth sharing */
    one.threads = card->threads ? card->threads : 1;
    if (!card_file(card, "melspectrogram", true, mel, sizeof(mel), err) || !card_file(card, "embedding", true, embed, sizeof(embed), err) ||
        !task_onnx_model(card, word, sizeof(word), err) || !(w->onnx = task_onnx_open(&one, env, err)))
        return false;
    if (!open_stage(w, &w->mel, card, env, mel, (const int64_t[]){ 1, LEAD + STEP }, 2, FRAMES_OF_STEP * BANDS, err) ||
        !open_stage(w, &w->embed, card, env, embed, (const int64_t[]){ 1, FRAMES, BANDS, 1 }, 4, EMBED, err) ||
        !(w->word = task_onnx_session(w->onnx, card, env, word, err)))
        return false;
    const struct tensor *in = onnx_input_info(w->word, 0);
    if (in->n_dims != 3 || in->dims[1] < 1 || in->dims[1] > HISTORY_MAX || in->dims[2] != EMBED)
        return err_set(err, ERR_UNSUPPORTED, "%s: is no classifier of openWakeWord (input [1, 16, %d])", word, EMBED);
    w->n_history = (int)in->dims[1];
    onnx_session_close(w->word);
    w->word = NULL;
    return open_stage(w, &w->word, card, env, word, (const int64_t[]){ 1, w->n_history, EMBED }, 3, 1, err);
}

static void wake_free(void *self)
{
    struct wake *w = self;
    listen_sessions_fini(&w->sessions);
    onnx_session_close(w->mel), onnx_session_close(w->embed), onnx_session_close(w->word);
    onnx_close(w->onnx);
    heard_fini(&w->heard);
    free(w);
}

static bool wake_open(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { ONNX_OPEN_KEYS, "melspectrogram", "embedding", "word", "threshold", "pad", NULL };
    struct wake *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    w->card = card;
    heard_init(&w->heard);
    w->heard.score_step_s = (double)STEP / RATE_HZ;
    w->sessions = (struct listen_sessions){ .free = free_stream, .make = make_stream, .self = w };
    const char *word = card->id;
    double threshold = 0.5;
    uint64_t pad_ms = 1000;
    if (!card_check_keys(card, keys, err) || !yaml_text(card->yaml, card->node, "word", &word, err) ||
        !yaml_number(card->yaml, card->node, "threshold", 0.001, 1, &threshold, err) ||
        !yaml_time(card->yaml, card->node, "pad", &pad_ms, err) || !open_stages(w, card, env, err)) {
        wake_free(w);
        return false;
    }
    snprintf(w->label, sizeof(w->label), "%s", word);
    w->threshold = (float)threshold;
    w->pad_s = (double)(pad_ms < 10000 ? pad_ms : 10000) / 1000;
    *self = w;
    return true;
}

static void wake_info(void *self, struct task_info *out)
{
    const struct wake *w = self;
    out->tasks = EXPERT_WAKE;
    task_onnx_info(w->onnx, w->word, w->card, out); /* raw tensors: the classifier's */
}

/* x is full: *p becomes what the classifier says, 0 until it has seen enough. */
static bool step(struct wake *w, struct stream *st, float *p, struct err *err)
{
    *p = 0;
    st->n = 0;
    st->n_steps++;
    memcpy(onnx_input(w->mel, 0)->data, st->x, sizeof(st->x));
    memmove(st->x, st->x + STEP, LEAD * sizeof(float));
    if (!onnx_run(w->mel, err))
        return false;
    const float *mel = onnx_output(w->mel, 0)->data;
    memmove(st->mel, st->mel[FRAMES_OF_STEP], sizeof(st->mel[0]) * (FRAMES - FRAMES_OF_STEP));
    for (int i = 0; i < FRAMES_OF_STEP * BANDS; i++) {
        const float v = mel[i] / 10.0f + 2.0f;
        st->mel[FRAMES - FRAMES_OF_STEP + i / BANDS][i % BANDS] = isfinite(v) ? v : 1.0f;
    }
    memcpy(onnx_input(w->embed, 0)->data, st->mel, sizeof(st->mel));
    if (!onnx_run(w->embed, err))
        return false;
    if (st->n_embed == w->n_history)
        memmove(st->embed, st->embed[1], sizeof(st->embed[0]) * (size_t)(w->n_history - 1));
    else
        st->n_embed++;
    memcpy(st->embed[st->n_embed - 1], onnx_output(w->embed, 0)->data, sizeof(st->embed[0]));
    if (st->n_embed < w->n_history)
        return true;
    if (!onnx_set_dims(w->word, 0, (const int64_t[]){ 1, w->n_history, EMBED }, 3, err))
        return false;
    memcpy(onnx_input(w->word, 0)->data, st->embed, sizeof(st->embed[0]) * (size_t)w->n_history);
    if (!onnx_run(w->word, err))
        return false;
    memcpy(p, onnx_output(w->word, 0)->data, sizeof(float));
    return true;
}

struct hearing { /* what one request adds up */
    float threshold, best;
    double before_s; /* silence that stands before the sound */
    bool wants_scores;
};

static bool put(struct wake *w, struct stream *st, struct hearing *h, const float *x, size_t n, struct err *err)
{
    while (n > 0) {
        const size_t k = n < STEP - st->n ? n : STEP - st->n;
        for (size_t i = 0; i < k; i++)
            st->x[LEAD + st->n + i] = x ? x[i] * 32768.0f : 0.0f;
        st->n += k, n -= k, x = x ? x + k : NULL;
        if (st->n < STEP)
            return true;
        float p;
        if (!step(w, st, &p, err) || (h->wants_scores && !heard_add_score(&w->heard, p, err)))
            return false;
        const double end_s = (double)(st->n_steps * STEP) / RATE_HZ - h->before_s;
        h->best = p > h->best ? p : h->best;
        if (p < h->threshold) {
            st->is_firing = false;
            continue;
        }
        if (!st->is_firing) {
            const struct heard_segment s = { .start_s = end_s - w->heard.score_step_s, .label = w->label };
            if (!heard_add_segment(&w->heard, &s, NULL, 0, err))
                return false;
            st->is_firing = true;
        } else if (w->heard.n_segments == 0) {
            continue; /* it was told with the request before */
        }
        struct heard_segment *s = &w->heard.segments[w->heard.n_segments - 1];
        s->end_s = end_s;
        s->score = p > s->score ? p : s->score;
    }
    return true;
}

static bool hear(struct wake *w, struct stream *st, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct hearing h = { .threshold = rq->options.threshold > 0 ? rq->options.threshold : w->threshold,
                         .before_s = rq->session ? 0 : w->pad_s, .wants_scores = rq->options.wants_scores };
    const size_t n_pad = (size_t)(h.before_s * RATE_HZ);
    float x[2048];
    double heard_s = 0;
    heard_clear(&w->heard);
    if (!listen_feed(&st->listen, rq, err) || !put(w, st, &h, NULL, n_pad, err))
        return false;
    for (size_t got = sizeof(x) / sizeof(x[0]); got == sizeof(x) / sizeof(x[0]);) {
        if (out->is_cancelled(out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (!listen_read(&st->listen, x, sizeof(x) / sizeof(x[0]), &got, err) || !put(w, st, &h, x, got, err))
            return false;
        heard_s += (double)got / RATE_HZ;
    }
    if (rq->session == 0 && !put(w, st, &h, NULL, n_pad, err))
        return false;
    if (rq->session)
        heard_s = (double)(st->n_steps * STEP + (int64_t)st->n) / RATE_HZ;
    return heard_emit(&w->heard, 0, 0, heard_s, &(struct result_label){ w->label, h.best }, 1, false, out, err);
}

static bool wake_run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct wake *w = self;
    if (rq->task == EXPERT_INFER)
        return task_onnx_infer(w->word, rq, out, err);
    struct stream *st = listen_state(&w->sessions, rq, err);
    if (!st)
        return false;
    const bool good = hear(w, st, rq, out, err);
    listen_done(&w->sessions, rq, st);
    return good;
}

const struct task_kind task_wake_onnx = { "onnx", "wake", wake_open, wake_free, wake_info, wake_run, NULL };
