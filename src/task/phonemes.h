/* task/phonemes.h - a sentence as the sounds (or letters) that a voice model was trained on.
 *
 * For:     speak_onnx.c.
 * Touches: espeak-ng as a child process, once for each clause; never linked (GPL-3+).  Thread: its owner's.
 * Rule:    code points in canonical decomposition, as Piper's phonemizer gives them: IPA by espeak-ng without its marks of
 *          foreign words "(en)"; , ; : and a blank between clauses, the mark of the end behind the last one.
 */
#ifndef TUTTI_TASK_PHONEMES_H
#define TUTTI_TASK_PHONEMES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { PHONEMES_MAX = 8192 };

struct phonemes {
    int32_t cp[PHONEMES_MAX];
    int n;
};

typedef bool phonemes_cancelled(void *ctx);

/* voice: espeak-ng's name for the language, checked by the caller.  Fills p anew. */
bool phonemes_by_espeak(struct phonemes *p, const char *text, size_t n, const char *voice, phonemes_cancelled *is_cancelled, void *ctx,
                        struct err *err);
/* The text's own letters in lower case. */
bool phonemes_by_letters(struct phonemes *p, const char *text, size_t n, struct err *err);
#endif
