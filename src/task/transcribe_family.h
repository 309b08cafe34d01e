/* task/transcribe_family.h - the families of models that `kind: onnx`, `task: transcribe` knows, by the card's `family`.
 *
 * To add one: its file with a `const struct transcribe_family`, its line in TRANSCRIBE_FAMILIES. */
#ifndef TUTTI_TASK_TRANSCRIBE_FAMILY_H
#define TUTTI_TASK_TRANSCRIBE_FAMILY_H
#include "task/task.h"

struct transcribe_family { /* the functions are those of struct task_kind */
    const char *name;
    bool (*open)(void **self, const struct card *card, const struct task_env *env, struct err *err);
    void (*free)(void *self);
    void (*info)(void *self, struct task_info *out);
    bool (*run)(void *self, const struct task_request *rq, const struct task_out *out, struct err *err);
};

#define TRANSCRIBE_FAMILIES(X) /* alphabetical */ X(ctc) X(whisper)
#define X(name) extern const struct transcribe_family transcribe_##name;
TRANSCRIBE_FAMILIES(X)
#undef X
#endif
