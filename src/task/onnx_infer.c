/* task/onnx_infer.c - any ONNX model as it is: raw tensors in, raw tensors out (`kind: onnx`, `task: infer`). */
#include <stdlib.h>
#include <sys/stat.h>

#include "task/onnx_open.h"

struct infer {
    const struct card *card;
    struct onnx *o;
    struct onnx_session *s;
    uint64_t file_bytes;
};

static void infer_free(void *self)
{
    struct infer *t = self;
    if (!t)
        return;
    onnx_session_close(t->s);
    onnx_close(t->o);
    free(t);
}

static bool infer_open(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    static const char *const keys[] = { ONNX_OPEN_KEYS, NULL };
    char path[1024];
    struct stat st;
    struct infer *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_NOMEM, "%s: out of memory", card->id);
    t->card = card;
    if (card_check_keys(card, keys, err) && task_onnx_model(card, path, sizeof path, err) && (t->o = task_onnx_open(card, env, err)) &&
        (t->s = task_onnx_session(t->o, card, env, path, err))) {
        t->file_bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
        *self = t;
        return true;
    }
    infer_free(t);
    return false;
}

static void infer_info(void *self, struct task_info *out)
{
    const struct infer *t = self;
    out->memory_bytes = t->card->memory_bytes ? t->card->memory_bytes : 2 * t->file_bytes + 40000000; /* as in vision.c */
    task_onnx_info(t->o, t->s, t->card, out);
}

static bool infer_run(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    return task_onnx_infer(((struct infer *)self)->s, rq, out, err);
}

const struct task_kind task_onnx_infer_kind = { .kind = "onnx", .task = "infer", .open = infer_open, .free = infer_free, .info = infer_info, .run = infer_run };
