/* task/sphinx.h - PocketSphinx: words with times out of one chunk of speech.
 *
 * For:     task/sphinx_task.c.
 * Touches: libpocketsphinx.so.3 (loaded when first needed; no header of it is used), its model files.  Thread: one.
 * Rule:    what a chunk says depends on that chunk alone, never on what was heard before.
 */
#ifndef TUTTI_TASK_SPHINX_H
#define TUTTI_TASK_SPHINX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sphinx_opts {
    const char *hmm;  /* folder of the acoustic model */
    const char *dict; /* words and their sounds */
    const char *lm;   /* language model, or ... */
    const char *jsgf; /* ... a grammar: the only sentences that there are */
    bool is_fast;     /* 2 to 3 times faster, more errors */
};
#define SPHINX_MODEL_DIR "/usr/share/pocketsphinx/model/en-us"

struct sphinx;

/* About a second and 100 MB with the language model.  NULL with err: no library, no model, a grammar that is none. */
struct sphinx *sphinx_open(const struct sphinx_opts *o, struct err *err);
void sphinx_close(struct sphinx *s); /* NULL is fine */

/* One word (no silences, no noises), times in seconds since the chunk's start; score: its posterior, 0..1. */
typedef bool sphinx_word_fn(void *ctx, const char *word, double start_s, double end_s, float score, struct err *err);
/* 16 kHz mono.  Less than 0.1 s says nothing.  Calls fn in order. */
bool sphinx_hear(struct sphinx *s, const int16_t *pcm, size_t n, sphinx_word_fn *fn, void *ctx, struct err *err);
#endif
