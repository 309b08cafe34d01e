/* task/whisper_task.c - the family `whisper` of `task: transcribe`: log-mel, encoder, decoder, fallback.
 *
 * Start at hear_chunk().  Source: openai/whisper, transcribe.py and decoding.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "task/mel.h"
#include "task/transcribe.h"
#include "task/transcribe_family.h"
#include "task/whisper_model.h"
#include "task/whisper_rules.h"
#include "task/whisper_vocab.h"

enum { HOP = 160, SEGMENTS_MAX = 256, TEMPERATURES_MAX = 8 };

struct whisper {
    struct transcriber t;
    struct onnx *onnx;
    struct whisper_model model;
    struct whisper_vocab vocab;
    struct mel *mel;
    float *power;   /* [n_frames][n_mel] */
    float *logits;  /* [n_vocab] of the step in work */
    int n_context;  /* most ids in one window, prompt included */
    bool timestamps, translate, condition;
    char language[8]; /* "" : heard */
    float max_ratio, min_logprob, max_no_speech;
    float temperatures[TEMPERATURES_MAX];
    int n_temperatures;
    int64_t ids[WHISPER_IDS_MAX], best_ids[WHISPER_IDS_MAX];
    int64_t before[WHISPER_IDS_MAX]; /* what was said before in this sound (condition) */
    int n_before;
};

struct said { /* one attempt at a window */
    int n_prompt, n; /* ids: the prompt, then n tokens without the end */
    float temperature, avg_logprob, no_speech, ratio;
};

static void free_whisper(void *self)
{
    struct whisper *w = self;
    transcriber_fini(&w->t);
    whisper_model_fini(&w->model);
    onnx_close(w->onnx);
    whisper_vocab_fini(&w->vocab);
    mel_free(w->mel);
    free(w->power), free(w->logits);
    free(w);
}

/* ---- one window ---- */

/* Row's softmax at one id. */
static float probability(const float *row, int n, int id)
{
    double sum = 0;
    float top = -INFINITY;
    if (id < 0 || id >= n)
        return 0;
    for (int i = 0; i < n; i++)
        top = row[i] > top ? row[i] : top;
    for (int i = 0; i < n; i++)
        sum += exp((double)row[i] - top);
    return (float)(exp((double)row[id] - top) / sum);
}

static bool room_for_logits(struct whisper *w, struct err *err)
{
    if (!w->logits && !(w->logits = malloc((size_t)w->model.n_vocab * sizeof(float))))
        return err_set(err, ERR_NOMEM, "whisper: no memory");
    return true;
}

/* The language that is likeliest behind <|startoftranscript|>. */
static bool detect_language(struct whisper *w, int *id, struct err *err)
{
    const int64_t sot = w->vocab.sot;
    const float *row;
    int n_rows;
    whisper_restart(&w->model);
    if (!whisper_decode(&w->model, &sot, 1, &row, &n_rows, err))
        return false;
    *id = -1;
    for (int i = 0; i < w->vocab.n_languages; i++) {
        const int k = w->vocab.languages[i].id;
        if (k < w->model.n_vocab && (*id < 0 || row[k] > row[*id]))
            *id = k;
    }
    whisper_restart(&w->model);
    return true;
}

/* <|startofprev|> words, <|startoftranscript|> <|en|> <|transcribe|> <|notimestamps|>: returns how many; *sot: where it begins. */
static int put_prompt(struct whisper *w, int language, const char *prompt, int *sot)
{
    const struct whisper_vocab *v = &w->vocab;
    int n = 0;
    if (v->sot_prev >= 0 && ((prompt && *prompt) || (w->condition && w->n_before > 0))) {
        const int n_max = w->n_context / 2 - 1;
        int n_words = 0;
        w->ids[n++] = v->sot_prev;
        if (prompt && *prompt) {
            char spaced[1024];
            const int len = snprintf(spaced, sizeof(spaced), " %s", prompt);
            n_words = whisper_vocab_encode(v, spaced, (size_t)(len < (int)sizeof(spaced) ? len : (int)sizeof(spaced) - 1), w->ids + n, n_max);
        }
        const int n_old = !w->condition ? 0 : w->n_before < n_max - n_words ? w->n_before : n_max - n_words;
        memcpy(w->ids + n + n_words, w->before + w->n_before - n_old, (size_t)n_old * sizeof(int64_t));
        n += n_words + n_old;
    }
    *sot = n;
    w->ids[n++] = v->sot;
    if (v->is_multilingual) {
        if (language >= 0)
            w->ids[n++] = language;
        w->ids[n++] = w->translate && v->translate >= 0 ? v->translate : v->transcribe;
    }
    if (!w->timestamps && v->no_timestamps >= 0)
        w->ids[n++] = v->no_timestamps;
    return n;
}

/* Tokens until the end, in w->ids behind the prompt. */
static bool say(struct whisper *w, int language, const char *prompt, float temperature, const struct task_out *out, struct said *s, struct err *err)
{
    struct rng rng;
    int sot, n_rows;
    double sum = 0;
    const float *rows;
    rng_seed(&rng, 1 + (uint64_t)(temperature * 10)); /* the same sound says the same words */
    *s = (struct said){ .temperature = temperature };
    const int n_prompt = s->n_prompt = put_prompt(w, language, prompt, &sot);
    const int n_most = w->n_context / 2 < w->n_context - n_prompt ? w->n_context / 2 : w->n_context - n_prompt;
    whisper_restart(&w->model);
    while (s->n < n_most) {
        if (out->is_cancelled(out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (!whisper_decode(&w->model, w->ids, n_prompt + s->n, &rows, &n_rows, err) || !room_for_logits(w, err))
            return false;
        const int n_vocab = w->model.n_vocab;
        if (s->n == 0) /* the first run has a row for each id of the prompt */
            s->no_speech = n_rows > sot ? probability(rows + (size_t)sot * (size_t)n_vocab, n_vocab, w->vocab.no_speech) : 0;
        memcpy(w->logits, rows + (size_t)(n_rows - 1) * (size_t)n_vocab, (size_t)n_vocab * sizeof(float));
        whisper_bar(&w->vocab, w->logits, n_vocab, w->ids + n_prompt, s->n, w->timestamps, 50);
        float logprob = 0;
        const int id = whisper_choose(w->logits, n_vocab, temperature, &rng, &logprob);
        sum += logprob;
        if (id < 0 || id == w->vocab.eot)
            break;
        w->ids[n_prompt + s->n++] = id;
    }
    s->avg_logprob = (float)(sum / (s->n + 1));
    return true;
}

static bool put_text(const struct whisper *w, const int64_t *tokens, int n, struct buf *text, struct err *err)
{
    buf_clear(text);
    for (int i = 0; i < n; i++)
        if (w->vocab.timestamp_0 < 0 || tokens[i] < w->vocab.timestamp_0)
            whisper_vocab_put(&w->vocab, (int)tokens[i], text); /* special ones have no bytes */
    return buf_ok(text, "whisper", err);
}

/* Attempts at rising temperatures until one is good; the ids of the last are in w->ids. */
static bool say_well(struct whisper *w, int language, const struct task_request *rq, const struct task_out *out, struct buf *text, struct said *s, struct err *err)
{
    for (int i = 0; i < w->n_temperatures; i++) {
        if (i + 1 < w->n_temperatures && w->temperatures[i] < rq->options.temperature)
            continue;
        if (!say(w, language, rq->options.prompt, w->temperatures[i], out, s, err) || !put_text(w, w->ids + s->n_prompt, s->n, text, err))
            return false;
        s->ratio = whisper_compression_ratio(text->data ? text->data : "", text->len);
        const bool is_bad = s->ratio > w->max_ratio || s->avg_logprob < w->min_logprob;
        const bool is_silent = s->no_speech > w->max_no_speech && s->avg_logprob < w->min_logprob;
        if (!is_bad || is_silent)
            break;
    }
    return true;
}

/* ---- a chunk ---- */

/* Bytes that are no UTF-8 (a character cut by the end of a segment) become U+FFFD; spaces around go. */
static bool add_segment(struct whisper *w, const int64_t *tokens, const struct whisper_segment *g, double at_s, const struct said *s, struct buf *text,
                        struct heard *heard, struct err *err)
{
    char clean[4096];
    size_t n = 0;
    if (!put_text(w, tokens + g->first, g->n, text, err))
        return false;
    for (size_t i = 0; i < text->len && n + 4 < sizeof(clean);) {
        uint32_t cp;
        const size_t len = utf8_decode(text->data + i, text->len - i, &cp);
        if ((n == 0 && text->data[i] == ' ') || text->data[i] == '\0') {
            i++;
            continue;
        }
        memcpy(clean + n, len ? text->data + i : "\xef\xbf\xbd", len ? len : 3);
        n += len ? len : 3, i += len ? len : 1;
    }
    while (n > 0 && clean[n - 1] == ' ')
        n--;
    if (n == 0 || g->end_s <= g->start_s)
        return true;
    const struct heard_segment seg = { .start_s = at_s + g->start_s, .end_s = at_s + g->end_s, .score = expf(s->avg_logprob < 0 ? s->avg_logprob : 0),
                                       .avg_logprob = s->avg_logprob, .no_speech_prob = s->no_speech, .compression_ratio = s->ratio, .temperature = s->temperature };
    return heard_add_segment(heard, &seg, clean, n, err);
}

static void remember(struct whisper *w, const int64_t *tokens, int n)
{
    const int n_max = w->n_context / 2;
    for (int i = 0; i < n; i++) {
        if (w->n_before == n_max) {
            memmove(w->before, w->before + 1, (size_t)(n_max - 1) * sizeof(int64_t));
            w->n_before--;
        }
        w->before[w->n_before++] = tokens[i];
    }
}

static bool hear_window(struct whisper *w, const float *x, size_t n, double at_s, const struct task_request *rq, const struct task_out *out, struct buf *text,
                        struct heard *heard, double *seek_s, struct err *err)
{
    const size_t n_frames = (size_t)w->model.n_frames, n_window = n_frames * HOP;
    const double window_s = (double)(n < n_window ? n : n_window) / CHUNK_RATE_HZ;
    struct whisper_segment segments[SEGMENTS_MAX];
    struct said s = { 0 };
    int language = -1;
    mel_power(w->mel, x, n < n_window ? n : n_window, n_window, 0, n_frames, w->power);
    mel_to_whisper(w->power, n_frames, w->model.n_mel, whisper_mel(&w->model));
    if (!whisper_encode(&w->model, err))
        return false;
    const char *code = rq->options.language ? rq->options.language : w->language;
    if (w->vocab.is_multilingual) {
        language = *code ? whisper_vocab_language(&w->vocab, code) : heard->language[0] ? whisper_vocab_language(&w->vocab, heard->language) : -1;
        if (*code && language < 0)
            return err_set(err, ERR_INPUT, "language '%s' is not known to this model", code);
        if (language < 0 && !detect_language(w, &language, err))
            return false;
        code = whisper_vocab_code(&w->vocab, language);
    }
    snprintf(heard->language, sizeof(heard->language), "%s", code ? code : "");
    if (!say_well(w, language, rq, out, text, &s, err))
        return false;
    *seek_s = window_s;
    if (s.no_speech > w->max_no_speech && s.avg_logprob < w->min_logprob)
        return true; /* nobody spoke */
    memcpy(w->best_ids, w->ids + s.n_prompt, (size_t)s.n * sizeof(int64_t));
    const int n_segments = whisper_cut(&w->vocab, w->best_ids, s.n, window_s, segments, SEGMENTS_MAX, seek_s);
    for (int i = 0; i < n_segments; i++) {
        segments[i].end_s = segments[i].end_s < window_s ? segments[i].end_s : window_s;
        if (!add_segment(w, w->best_ids, &segments[i], at_s, &s, text, heard, err))
            return false;
    }
    if (s.temperature > 0.5f)
        w->n_before = 0; /* what was guessed leads on to more guesses */
    else
        remember(w, w->best_ids, s.n);
    return true;
}

static bool hear_chunk(void *self, const float *x, size_t n, double start_s, const struct task_request *rq, const struct task_out *out, struct heard *heard,
                       struct err *err)
{
    struct whisper *w = self;
    struct buf text;
    bool good = true;
    if (heard->n_segments == 0)
        w->n_before = 0;
    buf_init(&text, 1 << 20);
    for (size_t at = 0; good && at + HOP * 10 <= n;) { /* less than 0.1 s says nothing */
        double seek_s;
        good = hear_window(w, x + at, n - at, start_s + (double)at / CHUNK_RATE_HZ, rq, out, &text, heard, &seek_s, err);
        const size_t step = good ? (size_t)(seek_s * CHUNK_RATE_HZ + 0.5) : 0;
        at += step > HOP * 20 ? step : HOP * 20;
    }
    buf_fini(&text);
    return good;
}

/* ---- the card ---- */

static bool read_card(struct whisper *w, const struct card *card, struct err *err)
{
    char tokenizer[sizeof(card->model)], added[sizeof(card->model)], config[sizeof(card->model)];
    const struct yaml_node *list = NULL;
    const char *language = "";
    double ratio = 2.4, logprob = -1, silent = 0.6;
    int64_t n_context = 448;
    w->timestamps = true;
    w->n_temperatures = 6;
    for (int i = 0; i < 6; i++)
        w->temperatures[i] = 0.2f * (float)i;
    if (!card_file(card, "tokenizer", true, tokenizer, sizeof(tokenizer), err) || !card_file(card, "added_tokens", false, added, sizeof(added), err) ||
        !card_file(card, "generation_config", false, config, sizeof(config), err) ||
        !whisper_vocab_read(&w->vocab, tokenizer, *added ? added : NULL, *config ? config : NULL, err) ||
        !yaml_bool(card->yaml, card->node, "multilingual", &w->vocab.is_multilingual, err) ||
        !yaml_bool(card->yaml, card->node, "timestamps", &w->timestamps, err) || !yaml_bool(card->yaml, card->node, "translate", &w->translate, err) ||
        !yaml_bool(card->yaml, card->node, "condition", &w->condition, err) || !yaml_text(card->yaml, card->node, "language", &language, err) ||
        !yaml_int(card->yaml, card->node, "context", 8, WHISPER_IDS_MAX, &n_context, err) ||
        !yaml_number(card->yaml, card->node, "max_compression", 0, 1000, &ratio, err) ||
        !yaml_number(card->yaml, card->node, "min_logprob", -1000, 0, &logprob, err) ||
        !yaml_number(card->yaml, card->node, "max_no_speech", 0, 1, &silent, err) || !yaml_list(card->yaml, card->node, "temperatures", &list, err))
        return false;
    if (list && (list->n_items < 1 || list->n_items > TEMPERATURES_MAX))
        return card_fail(card, list, err, "temperatures: 1 to %d are wanted", TEMPERATURES_MAX);
    for (int i = 0; list && i < list->n_items; i++) {
        double t = 0;
        if (!yaml_node_number(card->yaml, &list->items[i], 0, 10, &t, err))
            return false;
        w->temperatures[i] = (float)t, w->n_temperatures = list->n_items;
    }
    if (*language && w->vocab.is_multilingual && whisper_vocab_language(&w->vocab, language) < 0)
        return card_fail(card, yaml_get(card->node, "language"), err, "language: '%s' is not known to this model", language);
    if (w->vocab.is_multilingual && w->vocab.transcribe < 0)
        return card_fail(card, yaml_get(card->node, "multilingual"), err, "multilingual: the tokenizer has no <|transcribe|>");
    snprintf(w->language, sizeof(w->language), "%s", language);
    w->timestamps = w->timestamps && w->vocab.timestamp_0 >= 0;
    w->max_ratio = (float)ratio, w->min_logprob = (float)logprob, w->max_no_speech = (float)silent;
    w->n_context = (int)n_context;
    return true;
}

static bool open_whisper(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { ONNX_OPEN_KEYS, TRANSCRIBE_KEYS, "family", "encoder", "decoder", "decoder_with_past", "tokenizer", "added_tokens",
                                        "generation_config", "bands", "multilingual", "timestamps", "translate", "condition", "language", "context",
                                        "max_compression", "min_logprob", "max_no_speech", "temperatures", NULL };
    struct whisper *w = calloc(1, sizeof(*w));
    if (!w)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    w->t.hear = hear_chunk, w->t.self = w;
    bool good = card_check_keys(card, keys, err) && read_card(w, card, err) && (w->onnx = task_onnx_open(card, env, err)) &&
                whisper_model_open(&w->model, w->onnx, card, env, err);
    if (good) {
        const double window_s = (double)w->model.n_frames * HOP / CHUNK_RATE_HZ;
        const struct chunk_rules rules = { .min_s = window_s / 3, .max_s = window_s, .gap_s = 2, .pause_s = 0.3, .pad_s = 0.2 };
        const struct mel_opts o = { MEL_SLANEY, CHUNK_RATE_HZ, 400, 400, HOP, w->model.n_mel, 0, 8000 };
        w->power = malloc((size_t)w->model.n_frames * (size_t)w->model.n_mel * sizeof(float));
        good = (w->power || err_set(err, ERR_NOMEM, "%s: no memory", card->id)) && (w->mel = mel_new(&o, err)) &&
               transcriber_open(&w->t, card, env, &rules, w->onnx, NULL, err);
    }
    if (!good) {
        free_whisper(w);
        return false;
    }
    *self = w;
    return true;
}

static void info(void *self, struct task_info *out)
{
    static const char *const forms[] = { "decoder without cache", "decoder pair", "merged decoder" };
    const struct whisper *w = self;
    out->tasks = EXPERT_TRANSCRIBE;
    snprintf(out->runs_on, sizeof(out->runs_on), "onnxruntime %s, %s, %s", onnx_version(w->onnx), onnx_provider(w->model.encoder), forms[w->model.form]);
}

static bool run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct whisper *w = self;
    return transcriber_run(&w->t, rq, out, err);
}

const struct transcribe_family transcribe_whisper = { "whisper", open_whisper, free_whisper, info, run };
