/* task/vad_task.c - `task: vad`: when somebody speaks.  `kind: onnx` is Silero, `kind: energy` loudness without a model.
 *
 * A request is a whole sound, or the next piece of a live one (session): then segments come with the request in which they
 * end, with times since the session's start. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/heard.h"
#include "task/listen.h"
#include "task/onnx_open.h"
#include "task/speech.h"
#include "task/task.h"

struct vad {
    const struct card *card;
    struct onnx *onnx;
    struct speech *speech;
    struct vad_rules rules;
    struct heard heard;
    struct listen_sessions sessions;
};

struct stream {
    struct listen listen;
    struct speech_state speech;
    struct vad_segments segments;
    float frame[SPEECH_FRAME_MAX];
    size_t n; /* samples in frame */
};

static void *make_stream(void *self, struct err *err)
{
    struct vad *v = self;
    struct stream *st = calloc(1, sizeof(*st));
    if (!st)
        return err_null(err, ERR_NOMEM, "voice activity: no memory");
    listen_init(&st->listen, speech_rate_hz(v->speech));
    return st;
}

static void free_stream(void *state)
{
    struct stream *st = state;
    listen_fini(&st->listen);
    free(st);
}

static void vad_free(void *self)
{
    struct vad *v = self;
    listen_sessions_fini(&v->sessions);
    speech_close(v->speech);
    onnx_close(v->onnx);
    heard_fini(&v->heard);
    free(v);
}

static bool read_rules(struct vad *v, const struct card *card, int64_t *rate_hz, struct err *err)
{
    double start = v->rules.start, end = v->rules.end;
    int64_t n_end = v->rules.n_end_frames, n_min = v->rules.n_min_frames;
    bool good = yaml_int(card->yaml, card->node, "rate", 8000, 16000, rate_hz, err) &&
                yaml_number(card->yaml, card->node, "start", 0.01, 1, &start, err) &&
                yaml_number(card->yaml, card->node, "end", 0.0, 1, &end, err) &&
                yaml_int(card->yaml, card->node, "end_frames", 1, 1000, &n_end, err) &&
                yaml_int(card->yaml, card->node, "min_frames", 0, 1000, &n_min, err);
    if (good && end > start)
        good = card_fail(card, yaml_get(card->node, "end"), err, "end: %g is above start: %g", end, start);
    v->rules = (struct vad_rules){ (float)start, (float)end, (int)n_end, (int)n_min };
    return good;
}

static bool open_speech(struct vad *v, const struct card *card, const struct task_env *env, int rate_hz, struct err *err)
{
    char model[sizeof(card->model)];
    struct card one = *card; /* frames of 32 ms are too small to share */
    one.threads = card->threads ? card->threads : 1;
    struct onnx_session *s = NULL;
    if (strcmp(card->kind, "onnx") == 0 &&
        (!task_onnx_model(card, model, sizeof(model), err) || !(v->onnx = task_onnx_open(&one, env, err)) ||
         !(s = task_onnx_session(v->onnx, card, env, model, err))))
        return false;
    return (v->speech = speech_open(s, rate_hz, err)) || (s && err_prefix(err, "%s", model));
}

static bool vad_open(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { ONNX_OPEN_KEYS, "rate", "start", "end", "end_frames", "min_frames", NULL };
    int64_t rate_hz = 16000;
    struct vad *v = calloc(1, sizeof(*v));
    if (!v)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    v->card = card;
    v->rules = vad_rules_default;
    heard_init(&v->heard);
    v->heard.score_step_s = 0.032;
    v->sessions = (struct listen_sessions){ .free = free_stream, .make = make_stream, .self = v };
    if (!card_check_keys(card, keys, err) || !read_rules(v, card, &rate_hz, err) || !open_speech(v, card, env, (int)rate_hz, err)) {
        vad_free(v);
        return false;
    }
    *self = v;
    return true;
}

static void vad_info(void *self, struct task_info *out)
{
    const struct vad *v = self;
    out->tasks = EXPERT_VAD;
    if (v->onnx)
        task_onnx_info(v->onnx, speech_session(v->speech), v->card, out);
    else
        snprintf(out->runs_on, sizeof(out->runs_on), "built in, CPU");
}

static bool put_segment(struct vad *v, int64_t start, int64_t end, float score, struct err *err)
{
    const struct heard_segment s = { .start_s = (double)start * 0.032, .end_s = (double)end * 0.032, .label = "speech", .score = score };
    return heard_add_segment(&v->heard, &s, NULL, 0, err);
}

static bool put_frame(struct vad *v, struct stream *st, const struct vad_rules *rules, bool wants_scores, struct err *err)
{
    float p, score;
    int64_t start, end;
    st->n = 0;
    if (!speech_put(v->speech, &st->speech, st->frame, &p, err))
        return false;
    if (wants_scores && !heard_add_score(&v->heard, p, err))
        return false;
    return !vad_put(&st->segments, rules, p, &start, &end, &score) || put_segment(v, start, end, score, err);
}

static bool hear(struct vad *v, struct stream *st, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    const size_t n_frame = (size_t)speech_frame(v->speech);
    const bool is_last = rq->session == 0 || rq->session_end;
    struct vad_rules rules = v->rules;
    if (rq->options.threshold > 0) {
        rules.start = rq->options.threshold;
        rules.end = rules.end < rules.start ? rules.end : rules.start;
    }
    heard_clear(&v->heard);
    if (!listen_feed(&st->listen, rq, err))
        return false;
    for (size_t got = 1; got > 0;) {
        if (out->is_cancelled(out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (!listen_read(&st->listen, st->frame + st->n, n_frame - st->n, &got, err))
            return false;
        st->n += got;
        if (st->n == n_frame && !put_frame(v, st, &rules, rq->options.wants_scores, err))
            return false;
    }
    const double seen_s = (double)st->segments.n_frames * 0.032 + (double)st->n / speech_rate_hz(v->speech);
    if (is_last && st->n > 0) { /* the last frame is filled up with silence */
        memset(st->frame + st->n, 0, (n_frame - st->n) * sizeof(float));
        if (!put_frame(v, st, &rules, rq->options.wants_scores, err))
            return false;
    }
    float score;
    int64_t start, end;
    if (is_last && vad_finish(&st->segments, &rules, &start, &end, &score) && !put_segment(v, start, end, score, err))
        return false;
    for (size_t i = 0; i < v->heard.n_segments; i++) /* of the filled frame only the sound counts */
        if (v->heard.segments[i].end_s > seen_s)
            v->heard.segments[i].end_s = seen_s;
    return heard_emit(&v->heard, 0, 0, seen_s, NULL, 0, false, out, err);
}

static bool vad_run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct vad *v = self;
    if (rq->task == EXPERT_INFER)
        return task_onnx_infer(speech_session(v->speech), rq, out, err);
    struct stream *st = listen_state(&v->sessions, rq, err);
    if (!st)
        return false;
    const bool good = hear(v, st, rq, out, err);
    listen_done(&v->sessions, rq, st);
    return good;
}

const struct task_kind task_vad_onnx = { "onnx", "vad", vad_open, vad_free, vad_info, vad_run, NULL };
const struct task_kind task_vad_energy = { "energy", "vad", vad_open, vad_free, vad_info, vad_run, NULL };
