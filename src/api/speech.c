/* api/speech.c - POST /v1/audio/speech: text becomes sound, encoded and sent piece by piece as the expert speaks. */
#include <stdlib.h>
#include <string.h>

#include "api/audio_internal.h"
#include "api/exchange_internal.h"
#include "media/sound.h"
#include "wire/openai_audio.h"

struct speaking {
    struct exchange x; /* first */
    struct openai_speech asked;
    struct sound_writer *writer; /* NULL until the first piece: then its rate is known */
    struct resampler *resampler; /* of pcm, which the API has at one rate */
    float *resampled;
    size_t cap;
};

static bool read_request(struct exchange *x, struct err *err)
{
    struct speaking *s = (struct speaking *)x;
    struct openai_speech *q = &s->asked;
    x->task = EXPERT_SPEAK;
    x->text_name = "input";
    if (!openai_read_speech(q, exchange_text(&x->body), x->body.len, &x->error) || !wish_read_json(&x->wish, json_object_get(q->tree, "tutti"), &x->error))
        return false;
    struct task_text *t = arena_alloc(x->job->arena, 1, sizeof(*t), err);
    if (!t || !(t->text = arena_strndup(x->job->arena, q->input, q->n_input, err)))
        return false;
    t->n = q->n_input;
    const char *voice = q->voice ? arena_strndup(x->job->arena, q->voice, strlen(q->voice), err) : NULL;
    if (q->voice && !voice)
        return false;
    x->job->request = (struct task_request){ .texts = t, .n_texts = 1, .options = { .voice = voice, .speed = (float)q->speed } };
    x->model_id = q->model;
    x->is_sse = q->is_sse;
    return true;
}

/* Clients of the API must name a voice, and know these: they mean "yours" to whoever has voices of its own. */
static bool is_api_voice(const char *s)
{
    static const char *const names[] = { "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse" };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], s) == 0)
            return true;
    return false;
}

static bool begin(struct exchange *x, struct err *err)
{
    struct task_options *o = &x->job->request.options;
    struct expert_card card;
    (void)err;
    expert_get_card(x->model->expert, &card);
    const bool speaks_api = strcmp(card.kind, "remote") == 0 || strcmp(card.kind, "server") == 0; /* knows what they mean itself */
    if (o->voice && !speaks_api && is_api_voice(o->voice))
        o->voice = NULL;
    return true;
}

/* ---- out ---- */

static bool on_bytes(void *ctx, const void *bytes, size_t n)
{
    struct speaking *s = ctx;
    if (s->asked.is_sse)
        openai_put_speech_delta(&s->x.out, bytes, n);
    else
        buf_append(&s->x.out, bytes, n);
    return true; /* a buffer that failed is seen when it is sent */
}

static bool open_writer(struct speaking *s, int rate_hz, struct err *err)
{
    static const enum sound_kind kinds[] = { SOUND_WAV, SOUND_FLAC, SOUND_OPUS, SOUND_PCM }; /* ORDER openai_speech_format */
    if (s->asked.format == OPENAI_PCM && rate_hz != OPENAI_PCM_HZ) {
        if (!(s->resampler = resampler_new(rate_hz, OPENAI_PCM_HZ, err)))
            return false;
        rate_hz = OPENAI_PCM_HZ;
    }
    s->writer = sound_writer_new(kinds[s->asked.format], rate_hz, on_bytes, s, err);
    return s->writer != NULL;
}

/* samples NULL: the end. */
static bool put_samples(struct speaking *s, const float *samples, size_t n, struct err *err)
{
    if (s->resampler) {
        const size_t most = resampler_bound(s->resampler, n);
        if (most > s->cap) {
            float *more = realloc(s->resampled, most * sizeof(float));
            if (!more)
                return err_set(err, ERR_NOMEM, "speech: out of memory");
            s->resampled = more;
            s->cap = most;
        }
        size_t n_out = most;
        if (!resampler_put(s->resampler, samples, n, s->resampled, &n_out, err))
            return false;
        samples = s->resampled;
        n = n_out;
    }
    if (n > 0 && !sound_writer_put(s->writer, samples, n, err))
        return false;
    return true;
}

static void send_pieces(struct speaking *s)
{
    struct exchange *x = &s->x;
    struct err err;
    if (x->state != EXCHANGE_STREAM && !buf_ok(&x->out, "speech", &err)) {
        exchange_fail_with(x, &err);
        return;
    }
    if (x->out.len == 0 && !x->out.failed)
        return;
    if (x->state != EXCHANGE_STREAM)
        exchange_start(x, openai_speech_type(s->asked.format));
    exchange_send(x);
}

static void on_event(struct exchange *x, const struct expert_event *ev, uint64_t ns)
{
    struct speaking *s = (struct speaking *)x;
    struct err err;
    if (ev->kind != EXPERT_AUDIO)
        return;
    if (x->first_ns == 0) {
        x->first_ns = ns;
        exchange_observe(x, API_TTFT, ns - x->body_ns);
    }
    if ((!s->writer && !open_writer(s, ev->rate_hz, &err)) || !put_samples(s, ev->samples, (size_t)ev->n_samples, &err)) {
        exchange_fail_with(x, &err);
        return;
    }
    if (ev->rate_hz > 0)
        x->model->stats.counter[API_SPOKEN_S] += (double)ev->n_samples / ev->rate_hz;
    send_pieces(s);
}

static void on_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns)
{
    struct speaking *s = (struct speaking *)x;
    struct expert_card card;
    struct err err;
    (void)usage, (void)ns;
    expert_get_card(x->model->expert, &card);
    if ((!s->writer && !open_writer(s, card.rate_hz > 0 ? card.rate_hz : OPENAI_PCM_HZ, &err)) || /* nothing to say is silence */
        !put_samples(s, NULL, 0, &err) || !sound_writer_finish(s->writer, &err)) {
        exchange_fail_with(x, &err);
        return;
    }
    if (x->state != EXCHANGE_STREAM && !buf_ok(&x->out, "speech", &err)) {
        exchange_fail_with(x, &err);
        return;
    }
    if (x->state != EXCHANGE_STREAM)
        exchange_start(x, openai_speech_type(s->asked.format));
    if (s->asked.is_sse)
        openai_put_speech_done(&x->out);
    exchange_end(x);
}

static void fini(struct exchange *x)
{
    struct speaking *s = (struct speaking *)x;
    sound_writer_free(s->writer);
    resampler_free(s->resampler);
    free(s->resampled);
    openai_speech_fini(&s->asked);
}

void audio_post_speech(const struct api_call *call, const struct http_head *head)
{
    static const struct exchange_ops ops = { "speech-", read_request, begin, on_event, on_done, NULL, fini, NULL };
    exchange_begin(call, head, &ops, sizeof(struct speaking));
}

enum { POST = 1 << HTTP_VERB_POST };
const struct api_route audio_routes[] = {
    { "/v1/audio/transcriptions", POST, audio_post_transcription },
    { "/v1/audio/translations", POST, audio_post_translation },
    { "/v1/audio/speech", POST, audio_post_speech },
};
const int audio_n_routes = sizeof(audio_routes) / sizeof(audio_routes[0]);
