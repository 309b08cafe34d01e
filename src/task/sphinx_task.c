/* task/sphinx_task.c - `kind: pocketsphinx`, `task: transcribe`: the floor that any Debian has.
 *
 * Good for commands (with a grammar) and drafts of clear US English; no dictation.  docs/CARDS.md has the figures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "task/sphinx.h"
#include "task/transcribe.h"

struct sphinx_task {
    struct transcriber t;
    struct onnx *onnx; /* of a Silero detector */
    struct sphinx *sphinx;
    int16_t *pcm;
    size_t cap_pcm;
    double split_s;   /* a pause that begins a new segment */
    float threshold;  /* least mean score of a chunk */
};

static void free_task(void *self)
{
    struct sphinx_task *s = self;
    transcriber_fini(&s->t);
    onnx_close(s->onnx);
    sphinx_close(s->sphinx);
    free(s->pcm);
    free(s);
}

/* The card's file or folder, else Debian's. */
static bool find(const struct card *card, const char *key, const char *otherwise, char *path, size_t max, struct err *err)
{
    if (!card_file(card, key, false, path, max, err))
        return false;
    if (*path)
        return true;
    snprintf(path, max, "%s", otherwise);
    return access(path, R_OK) == 0 ||
           err_set(err, ERR_NOT_FOUND, "pocketsphinx: no %s: apt-get install pocketsphinx-en-us, or say `%s` in the card", path, key);
}

struct gathering { /* words of one chunk on their way into segments */
    struct sphinx_task *s;
    struct heard *h;
    struct buf text;
    struct heard_segment segment;
    double start_s, sum;
    int n_words;
};

static bool end_segment(struct gathering *g, struct err *err)
{
    if (g->n_words == 0)
        return true;
    g->segment.score = (float)(g->sum / g->n_words);
    g->n_words = 0, g->sum = 0;
    const bool good = buf_ok(&g->text, "what was heard", err) && heard_add_segment(g->h, &g->segment, g->text.data, g->text.len, err);
    buf_clear(&g->text);
    return good;
}

static bool on_word(void *ctx, const char *word, double start_s, double end_s, float score, struct err *err)
{
    struct gathering *g = ctx;
    start_s += g->start_s, end_s += g->start_s;
    if (g->n_words > 0 && start_s - g->segment.end_s >= g->s->split_s && !end_segment(g, err))
        return false;
    if (g->n_words == 0)
        g->segment = (struct heard_segment){ .start_s = start_s };
    else
        buf_putc(&g->text, ' ');
    buf_puts(&g->text, word);
    g->segment.end_s = end_s;
    g->sum += score;
    g->n_words++;
    return heard_add_word(g->h, word, strlen(word), start_s, end_s, score, err);
}

static bool hear_chunk(void *self, const float *x, size_t n, double start_s, const struct task_request *rq, const struct task_out *out,
                       struct heard *heard, struct err *err)
{
    struct sphinx_task *s = self;
    struct gathering g = { .s = s, .h = heard, .start_s = start_s };
    const float threshold = rq->options.threshold > 0 ? rq->options.threshold : s->threshold;
    const size_t n_words = heard->n_words, n_segments = heard->n_segments;
    (void)out;
    if (n > s->cap_pcm) {
        int16_t *p = realloc(s->pcm, n * sizeof(*p));
        if (!p)
            return err_set(err, ERR_NOMEM, "pocketsphinx: no memory");
        s->pcm = p, s->cap_pcm = n;
    }
    sound_f32_to_s16(x, s->pcm, n);
    buf_init(&g.text, 1 << 16);
    bool good = sphinx_hear(s->sphinx, s->pcm, n, on_word, &g, err) && end_segment(&g, err);
    buf_fini(&g.text);
    double sum = 0;
    for (size_t i = n_words; i < heard->n_words; i++)
        sum += heard->words[i].score;
    if (good && threshold > 0 && sum < threshold * (double)(heard->n_words - n_words))
        heard->n_words = n_words, heard->n_segments = n_segments; /* too unsure: nothing was said */
    snprintf(heard->language, sizeof(heard->language), "en");
    return good;
}

static bool open_task(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { TRANSCRIBE_KEYS, "hmm", "dict", "lm", "grammar", "mode", "split", "threshold", NULL };
    static const char *const modes[] = { "accurate", "fast", NULL };
    /* Its noise tracker wants some silence around speech. */
    static const struct chunk_rules rules = { .min_s = 10, .max_s = 30, .gap_s = 2, .pause_s = 0.5, .pad_s = 0.5 };
    char hmm[sizeof(card->model)], dict[sizeof(card->model)], lm[sizeof(card->model)], grammar[sizeof(card->model)];
    int mode = 0;
    uint64_t split_ms = 400;
    double threshold = 0;
    struct sphinx_task *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    s->t.hear = hear_chunk, s->t.self = s;
    bool good = card_check_keys(card, keys, err) && yaml_choice(card->yaml, card->node, "mode", modes, &mode, err) &&
                yaml_time(card->yaml, card->node, "split", &split_ms, err) &&
                yaml_number(card->yaml, card->node, "threshold", 0, 1, &threshold, err) &&
                find(card, "hmm", SPHINX_MODEL_DIR "/en-us", hmm, sizeof(hmm), err) &&
                find(card, "dict", SPHINX_MODEL_DIR "/cmudict-en-us.dict", dict, sizeof(dict), err) &&
                find(card, "lm", SPHINX_MODEL_DIR "/en-us.lm.bin", lm, sizeof(lm), err) &&
                card_file(card, "grammar", false, grammar, sizeof(grammar), err) &&
                transcriber_open(&s->t, card, env, &rules, NULL, &s->onnx, err);
    s->split_s = (double)split_ms / 1000, s->threshold = (float)threshold;
    const struct sphinx_opts o = { .hmm = hmm, .dict = dict, .lm = lm, .jsgf = good && *grammar ? grammar : NULL, .is_fast = mode == 1 };
    if (!good || !(s->sphinx = sphinx_open(&o, err))) {
        free_task(s);
        return false;
    }
    *self = s;
    return true;
}

static void info(void *self, struct task_info *out)
{
    (void)self;
    out->tasks = EXPERT_TRANSCRIBE;
    out->memory_bytes = 105 << 20; /* seen with the US English language model */
    snprintf(out->runs_on, sizeof(out->runs_on), "pocketsphinx, CPU, 1 thread");
    snprintf(out->note, sizeof(out->note), "drafts and commands, US English; no dictation (docs/CARDS.md)");
}

static bool run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct sphinx_task *s = self;
    return transcriber_run(&s->t, rq, out, err);
}

const struct task_kind task_transcribe_pocketsphinx = { "pocketsphinx", "transcribe", open_task, free_task, info, run, NULL };
