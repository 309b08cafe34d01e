/* task/embed_static.c - kind static, task embed: the mean of word vectors from a table (GloVe, word2vec, fastText as safetensors).
 *
 * For:     docs/CARDS.md, "Text as vectors": the smallest model that knows that a cat is an animal.
 * Touches: its two files; the table stays mapped.  Thread: one.
 * Rule:    a vector has length 1.  Text of which no word is known is an error, never zeros.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task/safetensors.h"
#include "task/task.h"
#include "task/wordlist.h"

enum { WORDS_MAX = 8192, DIMS_MAX = 65536 };

struct embed_static {
    struct safetensors file;
    struct wordlist *words;
    const struct tensor *table; /* [n_words][n_dims] */
    int n_dims;
    float *row, *sum; /* [n_dims] */
    int64_t numbers[WORDS_MAX];
};

static void free_static(void *self)
{
    struct embed_static *e = self;
    safetensors_close(&e->file);
    wordlist_free(e->words);
    free(e->row);
    free(e->sum);
    free(e);
}

static bool open_files(struct embed_static *e, const struct card *c, struct err *err)
{
    static const char *const keys[] = { "vocab", "tensor", "stop_words", NULL };
    const char *stop = NULL, *name = NULL;
    char vocab[512], model[512];
    if (!card_check_keys(c, keys, err) || !yaml_text(c->yaml, c->node, "stop_words", &stop, err) ||
        !yaml_text(c->yaml, c->node, "tensor", &name, err) || !card_file(c, "model", true, model, sizeof(model), err) ||
        !card_file(c, "vocab", true, vocab, sizeof(vocab), err) || !safetensors_open(&e->file, model, err))
        return false;
    e->words = wordlist_read(vocab, stop, err);
    if (!e->words)
        return false;
    e->table = name ? safetensors_find(&e->file, name) : e->file.n_tensors == 1 ? &e->file.tensors[0] : NULL;
    if (!e->table)
        return card_fail(c, yaml_get(c->node, "tensor"), err, "tensor: the model has %d tensors, none is '%s'", e->file.n_tensors, name ? name : "the only one");
    const enum tensor_type type = e->table->type;
    if (e->table->n_dims != 2 || (type != TENSOR_F32 && type != TENSOR_F16 && type != TENSOR_BF16) || e->table->dims[1] < 1 ||
        e->table->dims[1] > DIMS_MAX)
        return err_set(err, ERR_UNSUPPORTED, "%s: a table of F32, F16 or BF16 with at most %d columns is wanted", c->model, DIMS_MAX);
    if (e->table->dims[0] < wordlist_count(e->words))
        return err_set(err, ERR_INPUT, "%s: %d words, but the table has %lld rows", vocab, wordlist_count(e->words), (long long)e->table->dims[0]);
    e->n_dims = (int)e->table->dims[1];
    e->row = calloc((size_t)e->n_dims, sizeof(float));
    e->sum = calloc((size_t)e->n_dims, sizeof(float));
    return (e->row && e->sum) || err_set(err, ERR_NOMEM, "%s: no memory", c->id);
}

static bool open_static(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    (void)env;
    struct embed_static *e = calloc(1, sizeof(*e));
    if (!e)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    if (!open_files(e, card, err)) {
        free_static(e);
        return false;
    }
    *self = e;
    return true;
}

static void info_static(void *self, struct task_info *out)
{
    const struct embed_static *e = self;
    out->tasks = EXPERT_EMBED;
    out->memory_bytes = e->table->n_bytes;
    snprintf(out->runs_on, sizeof(out->runs_on), "a table of %lld words, CPU", (long long)e->table->dims[0]);
}

static bool run_static(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct embed_static *e = self;
    for (int i = 0; i < rq->n_texts; i++) {
        const int n = wordlist_numbers(e->words, rq->texts[i].text, rq->texts[i].n, e->numbers, WORDS_MAX);
        if (n == 0)
            return err_set(err, ERR_INPUT, "text %d: none of its words is in the vocabulary of %d", i, wordlist_count(e->words));
        memset(e->sum, 0, (size_t)e->n_dims * sizeof(float));
        for (int k = 0; k < n; k++) {
            safetensors_row(e->table, (size_t)e->numbers[k] * (size_t)e->n_dims, (size_t)e->n_dims, e->row);
            for (int d = 0; d < e->n_dims; d++)
                e->sum[d] += e->row[d];
        }
        double square = 0;
        for (int d = 0; d < e->n_dims; d++)
            square += (double)e->sum[d] * (double)e->sum[d];
        if (!(square > 0) || !isfinite(square))
            return err_set(err, ERR_INPUT, "text %d: its words add up to nothing", i);
        const float scale = (float)(1 / sqrt(square));
        for (int d = 0; d < e->n_dims; d++)
            e->sum[d] *= scale;
        const struct task_result r = { .vector = e->sum, .n_vector = e->n_dims };
        const struct task_event ev = { .kind = TASK_RESULT, .input = i, .result = &r };
        if (!task_emit(out, &ev, err))
            return false;
    }
    return true;
}

const struct task_kind task_embed_static = { "static", "embed", open_static, free_static, info_static, run_static, NULL };
