/* task/chunks.c - see chunks.h; start at on_frame(). */
#include "task/chunks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAME = 512,       /* samples: 32 ms */
    IDLE_SLACK = 64,   /* frames of silence that may gather before they are thrown away */
    MIN_SPEECH = 3,    /* frames: less is a click */
    MIN_PAUSE = 4,     /* frames: less is a consonant */
};

struct chunks {
    struct speech *speech;
    struct speech_state state;
    struct chunk_rules rules;
    int64_t min, max, gap, pause, pad; /* rules in frames */
    float *x;       /* [cap * FRAME]: samples from frame `base` on */
    float *p;       /* [cap]: probabilities of the complete frames */
    int64_t cap, base;
    int64_t n_p;    /* complete frames in x */
    size_t n_rest;  /* samples behind them */
    bool is_open;   /* a chunk has begun, at frame `start` of x; its last speech was `last` */
    int64_t start, last, n_speech;
    uint64_t n_seen; /* samples */
};

static int64_t frames_of(double s) { return (int64_t)(s * CHUNK_RATE_HZ / FRAME + 0.5); }

struct chunks *chunks_new(struct speech *speech, const struct chunk_rules *rules, struct err *err)
{
    struct chunks *c = calloc(1, sizeof(*c));
    if (!c)
        return err_null(err, ERR_NOMEM, "sound: no memory to cut it");
    c->speech = speech, c->rules = *rules;
    c->max = frames_of(rules->max_s);
    c->max = c->max < 32 ? 32 : c->max > CHUNK_MAX_S * CHUNK_RATE_HZ / FRAME ? CHUNK_MAX_S * CHUNK_RATE_HZ / FRAME : c->max;
    c->min = frames_of(rules->min_s), c->gap = frames_of(rules->gap_s);
    c->pad = frames_of(rules->pad_s) > c->max / 4 ? c->max / 4 : frames_of(rules->pad_s);
    c->pause = frames_of(rules->pause_s) > c->pad ? frames_of(rules->pause_s) : c->pad;
    c->pause = c->pause > MIN_PAUSE ? c->pause : MIN_PAUSE;
    c->gap = c->gap > c->pause ? c->gap : c->pause;
    c->cap = c->max + c->pad + IDLE_SLACK + 2;
    c->x = malloc((size_t)c->cap * FRAME * sizeof(float));
    c->p = malloc((size_t)c->cap * sizeof(float));
    if (!c->x || !c->p) {
        chunks_free(c);
        return err_null(err, ERR_NOMEM, "sound: no memory to cut it");
    }
    return c;
}

void chunks_free(struct chunks *c)
{
    if (c)
        free(c->x), free(c->p);
    free(c);
}

double chunks_seen_s(const struct chunks *c) { return (double)c->n_seen / CHUNK_RATE_HZ; }

static void forget(struct chunks *c, int64_t n) /* the first n frames */
{
    memmove(c->x, c->x + n * FRAME, ((size_t)(c->n_p - n) * FRAME + c->n_rest) * sizeof(float));
    memmove(c->p, c->p + n, (size_t)(c->n_p - n) * sizeof(float));
    c->base += n, c->n_p -= n;
}

static bool is_speech(float p) { return p >= vad_rules_default.start; }
static bool is_quiet(float p) { return !(p >= vad_rules_default.end); }

static bool emit(struct chunks *c, int64_t end, size_t n_rest, chunk_fn *fn, void *ctx, struct err *err)
{
    c->is_open = false;
    if (c->n_speech < MIN_SPEECH)
        return true;
    return fn(ctx, c->x + c->start * FRAME, (size_t)(end - c->start) * FRAME + n_rest, (double)(c->base + c->start) * FRAME / CHUNK_RATE_HZ, err);
}

/* The frames from x[0] on are a chunk under way, if there is speech in them. */
static void reopen(struct chunks *c)
{
    c->start = 0, c->last = 0, c->n_speech = 0;
    c->is_open = false;
    for (int64_t i = 0; i < c->n_p; i++) {
        if (is_speech(c->p[i]))
            c->is_open = true, c->n_speech++;
        if (!is_quiet(c->p[i]))
            c->last = i;
    }
}

/* Where a chunk that got too long is cut: the quietest place (five frames) of its last third. */
static int64_t quietest(const struct chunks *c)
{
    int64_t best = c->n_p;
    float best_sum = 1e9f;
    for (int64_t i = c->start + c->max * 2 / 3; i + 5 <= c->n_p; i++) {
        float sum = 0;
        for (int k = 0; k < 5; k++)
            sum += c->p[i + k];
        if (sum <= best_sum)
            best_sum = sum, best = i + 3;
    }
    return best_sum > 4.99f ? c->n_p : best; /* no quieter place */
}

static bool on_frame(struct chunks *c, chunk_fn *fn, void *ctx, struct err *err)
{
    const int64_t i = c->n_p;
    c->p[i] = 1.0f;
    if (c->speech && !speech_put(c->speech, &c->state, c->x + i * FRAME, &c->p[i], err))
        return false;
    c->n_p++;
    if (!c->is_open) {
        if (is_speech(c->p[i])) {
            c->is_open = true, c->last = i, c->n_speech = 1;
            c->start = i > c->pad ? i - c->pad : 0;
        } else if (c->n_p > c->pad + IDLE_SLACK) {
            forget(c, c->n_p - c->pad);
        }
        if (c->is_open && c->start > 0) {
            forget(c, c->start);
            c->last -= c->start, c->start = 0;
        }
        return true;
    }
    c->n_speech += is_speech(c->p[i]);
    if (!is_quiet(c->p[i]))
        c->last = i;
    const int64_t n_quiet = i - c->last, n = c->n_p - c->start;
    if (n_quiet >= c->gap || (n >= c->min && n_quiet >= c->pause)) {
        const int64_t end = c->last + 1 + c->pad < c->n_p ? c->last + 1 + c->pad : c->n_p;
        if (!emit(c, end, 0, fn, ctx, err))
            return false;
        const int64_t keep = c->n_p - c->last - 1 < c->pad ? c->n_p - c->last - 1 : c->pad;
        forget(c, c->n_p - keep);
    } else if (n >= c->max) {
        const int64_t cut = quietest(c);
        if (!emit(c, cut, 0, fn, ctx, err))
            return false;
        forget(c, cut);
        reopen(c);
    }
    return true;
}

bool chunks_put(struct chunks *c, const float *x, size_t n, chunk_fn *fn, void *ctx, struct err *err)
{
    c->n_seen += n;
    while (n > 0) {
        const size_t k = n < FRAME - c->n_rest ? n : FRAME - c->n_rest;
        memcpy(c->x + c->n_p * FRAME + c->n_rest, x, k * sizeof(float));
        c->n_rest += k, x += k, n -= k;
        if (c->n_rest < FRAME)
            return true;
        c->n_rest = 0;
        if (!on_frame(c, fn, ctx, err))
            return false;
    }
    return true;
}

bool chunks_finish(struct chunks *c, chunk_fn *fn, void *ctx, struct err *err)
{
    if (!c->is_open) {
        /* a sound shorter than a frame, or that begins to speak in its last one */
        if (c->n_rest == 0 || c->speech)
            return true;
        c->is_open = true, c->start = c->n_p, c->last = c->n_p, c->n_speech = MIN_SPEECH;
    }
    if (!c->speech)
        c->n_speech = MIN_SPEECH;
    const int64_t end = c->last + 1 + c->pad;
    return emit(c, end < c->n_p ? end : c->n_p, end < c->n_p ? 0 : c->n_rest, fn, ctx, err);
}
