/* api/transcribe.c - POST /v1/audio/transcriptions: a sound becomes text in one of five forms, or a stream of it. */
#include <stdlib.h>
#include <string.h>

#include "api/audio_internal.h"
#include "api/exchange_internal.h"
#include "api/openai.h"
#include "media/sound.h"
#include "wire/openai_audio.h"

enum { HEARD_MAX_BYTES = 64 << 20, MORE_MAX_BYTES = 1 << 20 };

struct hearing {
    struct exchange x; /* first */
    struct form form;
    struct openai_transcription asked;
    struct arena *arena;         /* texts of segments and words */
    struct buf text;             /* all of it */
    struct buf more;             /* ,"tutti":{...}, when it was routed */
    struct openai_segment *segments;
    struct openai_word *words;
    size_t n_segments, n_words, cap_segments, cap_words;
    size_t n_delta;              /* bytes of text that came piece by piece since the last result */
    char language[32];
    double duration_s;
};

static bool fail_too_long(struct exchange *x, double duration_s)
{
    const double most = x->call.env->max_audio_s;
    if (most <= 0 || duration_s <= most)
        return false;
    openai_fail(&x->error, 413, "limit_exceeded", "file", "file: %.1f s of sound; %.1f s are the limit", duration_s, most);
    return true;
}

/* A WAV file says at once how long it is; of the others it is seen while they are heard. */
static bool is_too_long(struct exchange *x, const struct form *f)
{
    struct err err;
    struct sound_reader *r = sound_sniff(f->file, f->n_file) == SOUND_WAV ? sound_reader_new(f->file, f->n_file, 0, NULL, &err) : NULL;
    const double duration_s = r ? sound_reader_s(r) : 0;
    sound_reader_free(r);
    return fail_too_long(x, duration_s);
}

static bool read_request(struct exchange *x, struct err *err)
{
    static const char *const names[] = { "file", NULL };
    struct hearing *h = (struct hearing *)x;
    struct openai_transcription *t = &h->asked;
    x->task = EXPERT_TRANSCRIBE;
    x->text_name = "file";
    if (!form_read(&h->form, x->content_type, x->query, names, exchange_text(&x->body), x->body.len, x->job->arena, &x->error) ||
        !openai_read_transcription(t, &h->form, &x->error) || is_too_long(x, &h->form))
        return false;
    struct task_media *m = arena_alloc(x->job->arena, 1, sizeof(*m), err);
    if (!m)
        return false;
    *m = (struct task_media){ .form = MEDIA_ENCODED, .bytes = h->form.file, .n_bytes = h->form.n_file };
    x->job->request = (struct task_request){
        .media = m, .n_media = 1,
        .options = { .language = t->language, .prompt = t->prompt, .temperature = (float)t->temperature, .wants_words = t->wants_words },
    };
    x->model_id = t->model;
    if (!wish_read_text(&x->wish, form_get(&h->form, "tutti", NULL), &x->error))
        return false;
    x->is_sse = t->stream;
    exchange_give_body(x);
    return true;
}

static bool begin(struct exchange *x, struct err *err)
{
    struct hearing *h = (struct hearing *)x;
    buf_init(&h->text, HEARD_MAX_BYTES);
    buf_init(&h->more, MORE_MAX_BYTES);
    return (h->arena = arena_new(HEARD_MAX_BYTES, err)) != NULL;
}

/* ---- what was heard ---- */

static const char *keep_text(struct hearing *h, const char *s, struct err *err) { return arena_strndup(h->arena, s ? s : "", s ? strlen(s) : 0, err); }

static bool grow(void **items, size_t *cap, size_t n, size_t item_bytes, struct err *err)
{
    if (n <= *cap)
        return true;
    const size_t more = n < 64 ? 64 : n + n / 2;
    void *p = more <= HEARD_MAX_BYTES / item_bytes ? realloc(*items, more * item_bytes) : NULL;
    if (!p)
        return err_set(err, ERR_NOMEM, "a transcript: out of memory");
    *items = p;
    *cap = more;
    return true;
}

static bool keep_result(struct hearing *h, const struct task_result *r, struct err *err)
{
    void *segments = h->segments, *words = h->words;
    if (!grow(&segments, &h->cap_segments, h->n_segments + (size_t)r->n_segments, sizeof(*h->segments), err))
        return false;
    h->segments = segments;
    if (!grow(&words, &h->cap_words, h->n_words + (size_t)r->n_words, sizeof(*h->words), err))
        return false;
    h->words = words;
    for (int i = 0; i < r->n_segments; i++) {
        const struct result_segment *s = &r->segments[i];
        struct openai_segment *to = &h->segments[h->n_segments];
        if (!s->text) /* only times: somebody spoke, nobody knows what */
            continue;
        *to = (struct openai_segment){ keep_text(h, s->text, err), s->start_s, s->end_s, s->avg_logprob, s->no_speech_prob, s->compression_ratio, s->temperature };
        if (!to->text)
            return false;
        h->n_segments++;
    }
    for (int i = 0; i < r->n_words; i++) {
        const struct result_word *w = &r->words[i];
        h->words[h->n_words] = (struct openai_word){ keep_text(h, w->text, err), w->start_s, w->end_s };
        if (!h->words[h->n_words].text)
            return false;
        h->n_words++;
    }
    for (size_t i = 0; r->language && r->language[i] && i + 1 < sizeof(h->language); i++)
        h->language[i] = r->language[i], h->language[i + 1] = '\0';
    if (r->duration_s > h->duration_s)
        h->duration_s = r->duration_s;
    return true;
}

static void add_text(struct hearing *h, const char *s, size_t n, bool is_new_part)
{
    struct exchange *x = &h->x;
    const size_t before = h->text.len;
    if (is_new_part && before > 0 && h->text.data[before - 1] != ' ' && n > 0 && s[0] != ' ')
        buf_putc(&h->text, ' ');
    buf_append(&h->text, s, n);
    if (!h->asked.stream || h->text.failed || h->text.len == before)
        return;
    openai_put_transcript_delta(&x->out, h->text.data + before, h->text.len - before);
    exchange_send(x);
}

static void on_event(struct exchange *x, const struct expert_event *ev, uint64_t ns)
{
    struct hearing *h = (struct hearing *)x;
    struct err err;
    if (ev->kind != EXPERT_DELTA && ev->kind != EXPERT_RESULT)
        return;
    if (x->first_ns == 0) {
        x->first_ns = ns;
        exchange_observe(x, API_TTFT, ns - x->body_ns);
    }
    if (ev->kind == EXPERT_DELTA) {
        add_text(h, ev->text, ev->n_text, h->n_delta == 0);
        h->n_delta += ev->n_text;
        return;
    }
    if (!keep_result(h, ev->result, &err)) {
        exchange_fail_with(x, &err);
        return;
    }
    if (fail_too_long(x, h->duration_s)) {
        exchange_fail(x, &x->error);
        return;
    }
    if (ev->result->text && h->n_delta == 0) /* else it came in pieces already */
        add_text(h, ev->result->text, strlen(ev->result->text), true);
    h->n_delta = 0;
}

/* NULL: nobody had to choose. */
static const char *say_route(struct hearing *h)
{
    if (!h->x.routed.is_there)
        return NULL;
    buf_puts(&h->more, ",\"tutti\":");
    routed_put(&h->more, &h->x.routed);
    return h->more.failed ? NULL : h->more.data;
}

static void on_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns)
{
    struct hearing *h = (struct hearing *)x;
    (void)usage, (void)ns;
    x->model->stats.counter[API_HEARD_S] += h->duration_s;
    x->model->stats.counter[API_MEDIA_BYTES] += (double)h->form.n_file;
    if (h->asked.stream) {
        if (x->state != EXCHANGE_STREAM)
            exchange_start(x, NULL);
        openai_put_transcript_done(&x->out, exchange_text(&h->text), h->text.len, h->duration_s, say_route(h));
        openai_put_chunk_end(&x->out);
        x->out.failed = x->out.failed || h->text.failed;
        exchange_end(x);
        return;
    }
    const struct openai_transcript r = { .text = exchange_text(&h->text), .language = h->language[0] ? h->language : NULL, .duration_s = h->duration_s,
                                         .segments = h->segments, .n_segments = (int)h->n_segments, .words = h->words, .n_words = (int)h->n_words, .more = say_route(h) };
    openai_put_transcript(&x->out, h->asked.format, &h->asked, false, &r);
    x->out.failed = x->out.failed || h->text.failed;
    exchange_reply(x, openai_transcript_type(h->asked.format));
}

static void fini(struct exchange *x)
{
    struct hearing *h = (struct hearing *)x;
    arena_free(h->arena);
    buf_fini(&h->text);
    buf_fini(&h->more);
    free(h->segments);
    free(h->words);
}

void audio_post_transcription(const struct api_call *call, const struct http_head *head)
{
    static const struct exchange_ops ops = { "transcript-", read_request, begin, on_event, on_done, NULL, fini, NULL };
    exchange_begin(call, head, &ops, sizeof(struct hearing));
}

void audio_post_translation(const struct api_call *call, const struct http_head *head)
{
    struct openai_error e;
    (void)head;
    openai_fail(&e, 400, "unsupported_value", NULL,
                "translations: no expert here translates what it hears; POST /v1/audio/transcriptions gives the text in the language that was spoken");
    openai_refuse(call, &e, NULL, 0);
}
