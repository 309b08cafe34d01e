/* task/kinds.c - every pair of kind and task that there is: one declaration, one line in the table.
 *
 * To add one: write task/<name>.c with a `const struct task_kind`, then add it here (docs/adding.md). */
#include <string.h>

#include "task/task.h"

#define TASK_KINDS(X)                                                                              \
    X(task_edgetpu)                                                                                \
    X(task_embed_onnx)                                                                             \
    X(task_embed_static)                                                                           \
    X(task_keyword_onnx)                                                                           \
    X(task_motion)                                                                                 \
    X(task_ocr_onnx)                                                                               \
    X(task_ocr_tesseract)                                                                          \
    X(task_onnx_classify)                                                                          \
    X(task_onnx_detect)                                                                            \
    X(task_onnx_embed_image)                                                                       \
    X(task_onnx_faces)                                                                             \
    X(task_onnx_infer_kind)                                                                        \
    X(task_onnx_segment)                                                                           \
    X(task_speak_espeak)                                                                           \
    X(task_speak_flite)                                                                            \
    X(task_speak_onnx)                                                                             \
    X(task_transcribe_onnx)                                                                        \
    X(task_transcribe_pocketsphinx)                                                                \
    X(task_vad_energy)                                                                             \
    X(task_vad_onnx)                                                                               \
    X(task_wake_onnx)

#define X(name) extern const struct task_kind name;
TASK_KINDS(X)
#undef X

const struct task_kind *const task_kinds[] = {
#define X(name) &name,
    TASK_KINDS(X)
#undef X
        NULL
};
const int task_n_kinds = sizeof(task_kinds) / sizeof(task_kinds[0]) - 1;

/* What is not listed needs nothing of these. */
static const struct {
    const char *kind, *task; /* task NULL: all */
    unsigned needs;
} needs[] = {
    { "espeak", NULL, TASK_NEEDS_PROGRAMS },
    { "onnx", "speak", TASK_NEEDS_PROGRAMS }, /* phonemes by espeak-ng */
    { "edgetpu", NULL, TASK_NEEDS_DEVICES },
};

unsigned task_kind_needs(const struct task_kind *k)
{
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
        if (strcmp(needs[i].kind, k->kind) == 0 && (!needs[i].task || (k->task && strcmp(needs[i].task, k->task) == 0)))
            return needs[i].needs;
    return 0;
}
