/* task/transcribe_onnx.c - `kind: onnx`, `task: transcribe`: hands the card to the family that it names. */
#include <stdlib.h>

#include "task/transcribe_family.h"

static const struct transcribe_family *const families[] = {
#define X(name) &transcribe_##name,
    TRANSCRIBE_FAMILIES(X)
#undef X
};
static const char *const names[] = {
#define X(name) #name,
    TRANSCRIBE_FAMILIES(X)
#undef X
        NULL
};

struct transcribe {
    const struct transcribe_family *family;
    void *self;
};

static bool open_family(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    int which = -1;
    if (!yaml_choice(card->yaml, card->node, "family", names, &which, err))
        return false;
    if (which < 0)
        return card_fail(card, NULL, err, "family: what kind of model is it? whisper or ctc");
    struct transcribe *t = calloc(1, sizeof(*t));
    if (!t)
        return err_set(err, ERR_NOMEM, "%s: no memory", card->id);
    t->family = families[which];
    if (!t->family->open(&t->self, card, env, err)) {
        free(t);
        return false;
    }
    *self = t;
    return true;
}

static void free_family(void *self)
{
    struct transcribe *t = self;
    t->family->free(t->self);
    free(t);
}

static void info(void *self, struct task_info *out)
{
    struct transcribe *t = self;
    t->family->info(t->self, out);
}

static bool run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct transcribe *t = self;
    return t->family->run(t->self, rq, out, err);
}

const struct task_kind task_transcribe_onnx = { "onnx", "transcribe", open_family, free_family, info, run, NULL };
