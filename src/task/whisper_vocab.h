/* task/whisper_vocab.h - the tokens of a Whisper-class model: their bytes, which are special, which must not be said.
 *
 * For:     task/whisper_rules.c, task/whisper_task.c, task/ctc_task.c (characters and pieces).
 * Touches: files.  Thread: constant once read.
 * Rule:    files are outside data: ids are bounded, odd entries are left out, a token without bytes says nothing.
 * Source:  tokenizer.json / vocab.json / added_tokens.json / generation_config.json of the exports on Hugging Face; the
 *          byte alphabet is GPT-2's (openai/gpt-2, encoder.py, bytes_to_unicode()).
 */
#ifndef TUTTI_TASK_WHISPER_VOCAB_H
#define TUTTI_TASK_WHISPER_VOCAB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { WHISPER_VOCAB_MAX = 1 << 18, WHISPER_LANGUAGES_MAX = 128 };

struct whisper_vocab {
    int n;              /* ids are 0 .. n - 1 */
    uint32_t *offset;   /* [n + 1] into bytes; owned */
    char *bytes;        /* owned */
    uint8_t *suppress;  /* [n] bits: 1 never said, 2 not said first; owned */
    int eot, sot, sot_prev, transcribe, translate, no_speech, no_timestamps, timestamp_0; /* -1: has none */
    int n_languages;
    struct {
        int id;
        char code[8];
    } languages[WHISPER_LANGUAGES_MAX];
    bool is_multilingual;
};
enum { WHISPER_NEVER = 1, WHISPER_NOT_FIRST = 2 };

/* tokenizer: a tokenizer.json, or a vocab.json (then added: added_tokens.json).  config: a generation_config.json; added and
 * config may be NULL.  Frees nothing on failure that whisper_vocab_fini() would not. */
bool whisper_vocab_read(struct whisper_vocab *v, const char *tokenizer, const char *added, const char *config, struct err *err);
/* The same from texts (config may be NULL); for tests and fuzzing. */
bool whisper_vocab_parse(struct whisper_vocab *v, const char *tokenizer, size_t n_tokenizer, const char *added, size_t n_added,
                         const char *config, size_t n_config, struct err *err);
void whisper_vocab_fini(struct whisper_vocab *v);

int whisper_vocab_find(const struct whisper_vocab *v, const char *bytes, size_t n); /* the lowest id; -1: none */
int whisper_vocab_language(const struct whisper_vocab *v, const char *code);        /* its id; -1 */
const char *whisper_vocab_code(const struct whisper_vocab *v, int id);              /* "en"; NULL */
/* Appends the bytes of a token; of special tokens and timestamps nothing. */
void whisper_vocab_put(const struct whisper_vocab *v, int id, struct buf *out);
/* Ids of a text, at each place the longest token: not always the merges that the model was trained with, but the same text.
 * Returns how many, at most n_max. */
int whisper_vocab_encode(const struct whisper_vocab *v, const char *text, size_t n, int64_t *ids, int n_max);
#endif
