/* task/transcribe.c - see transcribe.h; start at transcriber_run(). */
#include "task/transcribe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stream {
    struct listen listen;
    struct chunks *chunks;
    bool has_said;
};

static const double LIVE_MIN_S = 0.5; /* somebody waits: a live sound is cut at its next pause */

static void free_stream(void *state)
{
    struct stream *st = state;
    listen_fini(&st->listen);
    chunks_free(st->chunks);
    free(st);
}

static void *make_stream(void *self, struct err *err)
{
    struct transcriber *t = self;
    struct stream *st = calloc(1, sizeof(*st));
    if (!st)
        return err_null(err, ERR_NOMEM, "speech to text: no memory");
    struct chunk_rules rules = t->rules;
    if (t->rq->session)
        rules.min_s = LIVE_MIN_S;
    listen_init(&st->listen, CHUNK_RATE_HZ);
    if ((st->chunks = chunks_new(t->speech, &rules, err)))
        return st;
    free_stream(st);
    return NULL;
}

/* Times in seconds, from a map. */
static bool read_rules(struct chunk_rules *r, const struct card *card, struct err *err)
{
    static const char *const keys[] = { "min", "max", "gap", "pause", "pad", NULL };
    const struct yaml_node *map = NULL;
    if (!yaml_map(card->yaml, card->node, "chunk", &map, err) || (map && !yaml_check_keys(card->yaml, map, keys, NULL, err)))
        return false;
    double *const to[] = { &r->min_s, &r->max_s, &r->gap_s, &r->pause_s, &r->pad_s };
    for (int i = 0; i < 5; i++) {
        uint64_t ms = (uint64_t)(*to[i] * 1000);
        if (!yaml_time(card->yaml, map, keys[i], &ms, err))
            return false;
        if (ms > CHUNK_MAX_S * 1000)
            return card_fail(card, yaml_get(map, keys[i]), err, "%s: at most %d s", keys[i], CHUNK_MAX_S);
        *to[i] = (double)ms / 1000;
    }
    if (r->max_s < 1 || r->max_s < r->min_s)
        return card_fail(card, map, err, "chunk: max is below min or below 1 s");
    return true;
}

bool transcriber_open(struct transcriber *t, const struct card *card, const struct task_env *env, const struct chunk_rules *rules,
                      struct onnx *o, struct onnx **own, struct err *err)
{
    const char *vad = "energy";
    char path[sizeof(card->model)];
    struct onnx_session *s = NULL;
    heard_init(&t->heard);
    t->rules = *rules;
    t->sessions = (struct listen_sessions){ .free = free_stream, .make = make_stream, .self = t };
    if (!read_rules(&t->rules, card, err) || !yaml_text(card->yaml, card->node, "vad", &vad, err))
        return false;
    if (strcmp(vad, "none") == 0)
        return true;
    if (strcmp(vad, "energy") != 0) {
        struct card one = *card;
        one.threads = 1;
        if (!card_file(card, "vad", true, path, sizeof(path), err) || (!o && !(o = *own = task_onnx_open(&one, env, err))) ||
            !(s = task_onnx_session(o, card, env, path, err)))
            return false;
    }
    return (t->speech = speech_open(s, CHUNK_RATE_HZ, err)) != NULL;
}

void transcriber_fini(struct transcriber *t)
{
    if (t->sessions.free)
        listen_sessions_fini(&t->sessions);
    speech_close(t->speech);
    heard_fini(&t->heard);
}

static bool on_chunk(void *ctx, const float *x, size_t n, double start_s, struct err *err)
{
    struct transcriber *t = ctx;
    struct heard *h = &t->heard;
    size_t first = h->n_segments;
    if (t->out->is_cancelled(t->out->ctx))
        return err_set(err, ERR_CANCELLED, "cancelled");
    if (!t->hear(t->self, x, n, start_s, t->rq, t->out, h, err))
        return false;
    for (; first < h->n_segments; first++) {
        const char *text = heard_text(h, h->segments[first].text);
        if (!*text)
            continue;
        if (t->has_said && !task_emit_text(t->out, " ", 1, err))
            return false;
        if (!task_emit_text(t->out, text, strlen(text), err))
            return false;
        t->has_said = true;
    }
    return true;
}

static bool hear(struct transcriber *t, struct stream *st, struct err *err)
{
    const struct task_request *rq = t->rq;
    float x[4096];
    const size_t n_max = sizeof(x) / sizeof(x[0]);
    if (!listen_feed(&st->listen, rq, err))
        return false;
    for (size_t got = n_max; got == n_max;) {
        if (t->out->is_cancelled(t->out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (!listen_read(&st->listen, x, n_max, &got, err) || !chunks_put(st->chunks, x, got, on_chunk, t, err))
            return false;
    }
    if ((rq->session == 0 || rq->session_end) && !chunks_finish(st->chunks, on_chunk, t, err))
        return false;
    return heard_emit(&t->heard, 0, 0, chunks_seen_s(st->chunks), NULL, 0, true, t->out, err);
}

bool transcriber_run(struct transcriber *t, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    t->rq = rq, t->out = out;
    heard_clear(&t->heard);
    struct stream *st = listen_state(&t->sessions, rq, err);
    if (!st)
        return false;
    t->has_said = st->has_said;
    const bool good = hear(t, st, err);
    st->has_said = t->has_said;
    listen_done(&t->sessions, rq, st);
    t->rq = NULL, t->out = NULL;
    return good;
}
