/* task/ctc_task.c - the family `ctc` of `task: transcribe`: samples -> logits by frame -> letters or pieces (wav2vec2 and its kind).
 *
 * Greedy: the best token of each frame, runs and blanks dropped (Graves et al. 2006).  Words have times. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "task/transcribe.h"
#include "task/transcribe_family.h"

enum { TOKENS_MAX = 1 << 17, TOKEN_MAX = 64 };

struct ctc {
    const struct card *card;
    struct transcriber t;
    struct onnx *onnx;
    struct onnx_session *session;
    int in_sound, in_mask, out_logits;
    bool normalize, lower;
    char (*tokens)[TOKEN_MAX]; /* [n]; "" says nothing */
    int n_tokens, blank;
    char space[TOKEN_MAX];     /* begins a word: a token of its own ("|") or the beginning of pieces (U+2581) */
};

static void free_ctc(void *self)
{
    struct ctc *c = self;
    transcriber_fini(&c->t);
    onnx_session_close(c->session);
    onnx_close(c->onnx);
    free(c->tokens);
    free(c);
}

/* vocab.json ({"a": 5, "|": 4, "<pad>": 0}) or lines "piece [id]". */
static bool put_token(struct ctc *c, const char *text, size_t n, int64_t id)
{
    if (id < 0 || id >= TOKENS_MAX || n >= TOKEN_MAX)
        return false;
    memcpy(c->tokens[id], text, n);
    c->tokens[id][n] = '\0';
    if (id >= c->n_tokens)
        c->n_tokens = (int)id + 1;
    return true;
}

static bool read_tokens(struct ctc *c, const char *path, struct err *err)
{
    size_t n;
    json_error_t e;
    char *text = file_read(path, 16 << 20, &n, err);
    if (!text)
        return false;
    if (!(c->tokens = calloc(TOKENS_MAX, sizeof(*c->tokens)))) {
        free(text);
        return err_set(err, ERR_NOMEM, "%s: no memory", path);
    }
    json_t *map = json_loadb(text, n, 0, &e), *id;
    const char *key;
    if (json_is_object(map)) {
        json_object_foreach(map, key, id)
            put_token(c, key, strlen(key), json_is_integer(id) ? json_integer_value(id) : -1);
    } else {
        int64_t line = 0;
        for (char *p = text; *p; line++) {
            const size_t len = strcspn(p, "\n");
            const size_t word = strcspn(p, " \t\r\n");
            char *rest = p + word, *end;
            const int64_t number = word < len ? strtoll(rest, &end, 10) : -1;
            put_token(c, p, word, word < len && end > rest ? number : line);
            p += len + (p[len] == '\n');
        }
    }
    json_decref(map);
    free(text);
    return c->n_tokens > 1 || err_set(err, ERR_INPUT, "%s: holds no tokens", path);
}

static bool read_card(struct ctc *c, const struct card *card, struct err *err)
{
    char path[sizeof(card->model)];
    const char *blank = NULL, *space = "|";
    int64_t blank_id = -1;
    c->normalize = true;
    if (!card_file(card, "tokens", true, path, sizeof(path), err) || !read_tokens(c, path, err) ||
        !yaml_bool(card->yaml, card->node, "normalize", &c->normalize, err) || !yaml_bool(card->yaml, card->node, "lower", &c->lower, err) ||
        !yaml_text(card->yaml, card->node, "blank", &blank, err) || !yaml_text(card->yaml, card->node, "space", &space, err))
        return false;
    static const char *const usual[] = { "<pad>", "<blk>", "<blank>", "[PAD]", "_", NULL };
    const char *const said[] = { blank, NULL };
    for (const char *const *b = blank ? said : usual; *b && blank_id < 0; b++)
        for (int i = 0; i < c->n_tokens && blank_id < 0; i++)
            blank_id = strcmp(c->tokens[i], *b) == 0 ? i : -1;
    if (blank_id < 0)
        return card_fail(card, yaml_get(card->node, "blank"), err, "blank: the tokens have no '%s'", blank ? blank : "<pad>");
    c->blank = (int)blank_id;
    snprintf(c->space, sizeof(c->space), "%s", space);
    return true;
}

static bool open_model(struct ctc *c, const struct card *card, const struct task_env *env, struct err *err)
{
    char path[sizeof(card->model)];
    if (!task_onnx_model(card, path, sizeof(path), err) || !(c->onnx = task_onnx_open(card, env, err)) ||
        !(c->session = task_onnx_session(c->onnx, card, env, path, err)))
        return false;
    c->in_mask = onnx_find_input(c->session, "attention_mask");
    c->in_sound = c->in_mask == 0 ? 1 : 0;
    c->out_logits = onnx_find_output(c->session, "logits") > 0 ? onnx_find_output(c->session, "logits") : 0;
    const int n = onnx_n_inputs(c->session);
    const struct tensor *in = n > c->in_sound ? onnx_input_info(c->session, c->in_sound) : NULL;
    if (n != (c->in_mask >= 0 ? 2 : 1) || !in || in->type != TENSOR_F32 || in->n_dims != 2 || (c->in_mask >= 0 && onnx_input_info(c->session, c->in_mask)->type != TENSOR_I64) ||
        onnx_output_info(c->session, c->out_logits)->type != TENSOR_F32)
        return err_set(err, ERR_UNSUPPORTED, "%s: is no model of samples [1, n] to logits [1, frames, tokens]", path);
    return true;
}

struct word { /* letters on their way */
    struct buf text, all;
    int first, last, n;
    double sum;
};

static bool end_word(struct ctc *c, struct word *w, double frame_s, double start_s, struct heard *heard, struct err *err)
{
    if (w->text.len == 0)
        return true;
    if (c->lower)
        for (size_t i = 0; i < w->text.len; i++)
            if (w->text.data[i] >= 'A' && w->text.data[i] <= 'Z')
                w->text.data[i] = (char)(w->text.data[i] + 32);
    if (w->all.len)
        buf_putc(&w->all, ' ');
    buf_append(&w->all, w->text.data, w->text.len);
    const bool good = heard_add_word(heard, w->text.data, w->text.len, start_s + w->first * frame_s, start_s + (w->last + 1) * frame_s,
                                     (float)(w->sum / w->n), err);
    buf_clear(&w->text);
    w->n = 0, w->sum = 0;
    return good;
}

/* logits [n_frames][n_vocab] of n_s seconds */
static bool read_words(struct ctc *c, const float *logits, int n_frames, int n_vocab, double start_s, double n_s, struct heard *heard, struct err *err)
{
    struct word w = { .n = 0 };
    const double frame_s = n_s / n_frames;
    const size_t n_space = strlen(c->space), first_word = heard->n_words;
    bool good = true;
    int before = c->blank;
    double sum = 0;
    buf_init(&w.text, 4096), buf_init(&w.all, 1 << 20);
    for (int t = 0; good && t < n_frames; t++, logits += n_vocab) {
        int best = 0;
        double total = 0;
        for (int i = 1; i < n_vocab; i++)
            best = logits[i] > logits[best] ? i : best;
        const bool is_new = best != before;
        before = best;
        if (!is_new || best == c->blank || best >= c->n_tokens || c->tokens[best][0] == '<' || c->tokens[best][0] == '\0') {
            w.last = !is_new && best != c->blank ? t : w.last;
            continue;
        }
        const char *token = c->tokens[best];
        if (n_space && strncmp(token, c->space, n_space) == 0) {
            good = end_word(c, &w, frame_s, start_s, heard, err);
            token += n_space;
        }
        if (!*token)
            continue;
        for (int i = 0; i < n_vocab; i++)
            total += exp((double)logits[i] - logits[best]);
        if (w.text.len == 0)
            w.first = t;
        w.last = t, w.n++, w.sum += 1 / total;
        buf_puts(&w.text, token);
    }
    good = good && end_word(c, &w, frame_s, start_s, heard, err) && buf_ok(&w.all, "what was heard", err);
    for (size_t i = first_word; good && i < heard->n_words; i++)
        sum += heard->words[i].score;
    if (good && heard->n_words > first_word) {
        const struct heard_segment s = { .start_s = heard->words[first_word].start_s, .end_s = heard->words[heard->n_words - 1].end_s,
                                         .score = (float)(sum / (double)(heard->n_words - first_word)) };
        good = heard_add_segment(heard, &s, w.all.data, w.all.len, err);
    }
    buf_fini(&w.text), buf_fini(&w.all);
    return good;
}

static bool hear_chunk(void *self, const float *x, size_t n, double start_s, const struct task_request *rq, const struct task_out *out, struct heard *heard,
                       struct err *err)
{
    struct ctc *c = self;
    (void)rq, (void)out;
    if (n < 1600)
        return true;
    const int64_t dims[2] = { 1, (int64_t)n };
    if (!onnx_set_dims(c->session, c->in_sound, dims, 2, err) || (c->in_mask >= 0 && !onnx_set_dims(c->session, c->in_mask, dims, 2, err)))
        return false;
    float *to = onnx_input(c->session, c->in_sound)->data;
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i], square += (double)x[i] * x[i];
    mean /= (double)n;
    const double scale = 1 / sqrt(square / (double)n - mean * mean + 1e-7); /* Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm() */
    for (size_t i = 0; i < n; i++)
        to[i] = c->normalize ? (float)((x[i] - mean) * scale) : x[i];
    for (size_t i = 0; c->in_mask >= 0 && i < n; i++)
        ((int64_t *)onnx_input(c->session, c->in_mask)->data)[i] = 1;
    if (!onnx_run(c->session, err))
        return false;
    const struct tensor *t = onnx_output(c->session, c->out_logits);
    if (t->n_dims != 3 || t->dims[0] != 1 || t->dims[1] < 1 || t->dims[1] > 1 << 20 || t->dims[2] <= c->blank || t->dims[2] > TOKENS_MAX)
        return err_set(err, ERR_UNSUPPORTED, "ctc: the model's output is not [1, frames, tokens], or has no blank");
    return read_words(c, t->data, (int)t->dims[1], (int)t->dims[2], start_s, (double)n / CHUNK_RATE_HZ, heard, err);
}

static bool open_ctc(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { ONNX_OPEN_KEYS, TRANSCRIBE_KEYS, "family", "tokens", "blank", "space", "normalize", "lower", NULL };
    static const struct chunk_rules rules = { .min_s = 10, .max_s = 30, .gap_s = 2, .pause_s = 0.3, .pad_s = 0.2 };
    struct ctc *c = calloc(1, sizeof(*c));
    if (!c)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    c->card = card;
    c->t.hear = hear_chunk, c->t.self = c;
    if (!card_check_keys(card, keys, err) || !read_card(c, card, err) || !open_model(c, card, env, err) ||
        !transcriber_open(&c->t, card, env, &rules, c->onnx, NULL, err)) {
        free_ctc(c);
        return false;
    }
    *self = c;
    return true;
}

static void info(void *self, struct task_info *out)
{
    const struct ctc *c = self;
    out->tasks = EXPERT_TRANSCRIBE;
    task_onnx_info(c->onnx, c->session, c->card, out);
}

static bool run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct ctc *c = self;
    if (rq->task == EXPERT_INFER)
        return task_onnx_infer(c->session, rq, out, err);
    return transcriber_run(&c->t, rq, out, err);
}

const struct transcribe_family transcribe_ctc = { "ctc", open_ctc, free_ctc, info, run };
