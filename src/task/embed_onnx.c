/* task/embed_onnx.c - kind onnx, task embed: a model that takes the numbers of words and gives a vector.
 *
 * For:     docs/CARDS.md, "Text as vectors".
 * Touches: the model, its vocabulary.  Thread: one.
 * Rule:    one text a run (such models have no number for "nothing here"); the vector is made 1 long.  Text of which no word is
 *          known is an error, never zeros.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/onnx_open.h"
#include "task/wordlist.h"

enum { WORDS_MAX = 8192, DIMS_MAX = 65536 };

struct embed_onnx {
    struct onnx *o;
    struct onnx_session *s;
    const struct card *card;
    struct wordlist *words;
    int input, output;
    int64_t numbers[WORDS_MAX];
};

static void close_embed(void *self)
{
    struct embed_onnx *e = self;
    onnx_session_close(e->s);
    onnx_close(e->o);
    wordlist_free(e->words);
    free(e);
}

static bool open_parts(struct embed_onnx *e, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { "vocab", "stop_words", "input", "output", ONNX_OPEN_KEYS, NULL };
    const struct card *c = e->card;
    const char *stop = NULL, *input = NULL, *output = NULL;
    char vocab[512], path[512];
    if (!card_check_keys(c, keys, err) || !yaml_text(c->yaml, c->node, "stop_words", &stop, err) || !yaml_text(c->yaml, c->node, "input", &input, err) ||
        !yaml_text(c->yaml, c->node, "output", &output, err) || !card_file(c, "vocab", true, vocab, sizeof(vocab), err) ||
        !task_onnx_model(c, path, sizeof(path), err) || !(e->words = wordlist_read(vocab, stop, err)) || !(e->o = task_onnx_open(c, env, err)) ||
        !(e->s = task_onnx_session(e->o, c, env, path, err)))
        return false;
    e->input = input ? onnx_find_input(e->s, input) : 0;
    e->output = output ? onnx_find_output(e->s, output) : 0;
    if (e->input < 0 || e->output < 0)
        return card_fail(c, yaml_get(c->node, e->input < 0 ? "input" : "output"), err, "the model has nothing of that name");
    const struct tensor *in = onnx_input_info(e->s, e->input);
    if (onnx_n_inputs(e->s) != 1 || in->type != TENSOR_I64 || in->n_dims != 2)
        return err_set(err, ERR_UNSUPPORTED, "%s: one input of INT64 [N,words] is wanted", path);
    return true;
}

static bool open_embed(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    struct embed_onnx *e = calloc(1, sizeof(*e));
    if (!e)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    e->card = card;
    if (!open_parts(e, env, err)) {
        close_embed(e);
        return false;
    }
    *self = e;
    return true;
}

static void info_embed(void *self, struct task_info *out)
{
    const struct embed_onnx *e = self;
    task_onnx_info(e->o, e->s, e->card, out);
    out->tasks |= EXPERT_EMBED;
}

static bool run_embed(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct embed_onnx *e = self;
    if (rq->task == EXPERT_INFER)
        return task_onnx_infer(e->s, rq, out, err);
    for (int i = 0; i < rq->n_texts; i++) {
        const int n = wordlist_numbers(e->words, rq->texts[i].text, rq->texts[i].n, e->numbers, WORDS_MAX);
        const int64_t dims[2] = { 1, n };
        size_t n_vector;
        if (n == 0)
            return err_set(err, ERR_INPUT, "text %d: none of its words is in the vocabulary of %d", i, wordlist_count(e->words));
        if (out->is_cancelled(out->ctx))
            return err_set(err, ERR_CANCELLED, "cancelled");
        if (!onnx_set_dims(e->s, e->input, dims, 2, err))
            return false;
        memcpy(onnx_input(e->s, e->input)->data, e->numbers, (size_t)n * sizeof(int64_t));
        if (!onnx_run(e->s, err))
            return false;
        const float *v = task_onnx_floats(e->s, e->output, out->arena, &n_vector, err);
        float *unit = v && n_vector <= DIMS_MAX ? arena_alloc(out->arena, n_vector, sizeof(float), err) : NULL;
        double square = 0;
        for (size_t d = 0; unit && d < n_vector; d++)
            square += (double)v[d] * (double)v[d];
        if (!v || (!unit && n_vector <= DIMS_MAX))
            return false;
        if (!(square > 0) || !isfinite(square))
            return err_set(err, ERR_INPUT, "text %d: the model gave no vector of at most %d numbers", i, DIMS_MAX);
        const float scale = (float)(1 / sqrt(square));
        for (size_t d = 0; d < n_vector; d++)
            unit[d] = v[d] * scale;
        const struct task_result r = { .vector = unit, .n_vector = (int)n_vector };
        const struct task_event ev = { .kind = TASK_RESULT, .input = i, .result = &r };
        if (!task_emit(out, &ev, err))
            return false;
    }
    return true;
}

const struct task_kind task_embed_onnx = { "onnx", "embed", open_embed, close_embed, info_embed, run_embed, NULL };
