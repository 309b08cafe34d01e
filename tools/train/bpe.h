/* tools/train/bpe.h - byte-level byte-pair encoding, as GGUF calls "gpt2" with the pre-tokenizer "gpt-2".
 *
 * For:     learning a vocabulary from the corpus, text to ids and back while training, export.c.
 * Callers: tools/train only; tutti reads the result with src/token.
 * Touches: OUT/tokenizer.txt (a line for each merge).
 * Rule:    words are cut as GPT-2's pattern cuts ASCII; bytes from 0x80 count as letters, which differs
 *          from the pattern for some signs (the corpus has none).  Ties between pairs go to the lower
 *          ids: the same text gives the same vocabulary everywhere.
 */
#ifndef TUTTI_TOOLS_TRAIN_BPE_H
#define TUTTI_TOOLS_TRAIN_BPE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TOK_DOC, TOK_END, TOK_USER, TOK_BOT, TOK_SPECIAL_COUNT, TOK_BYTE0 = TOK_SPECIAL_COUNT };
extern const char *const bpe_special[TOK_SPECIAL_COUNT]; /* ORDER TOK */

struct bpe;
struct bpe_counter; /* words and how often they come */

struct bpe_counter *bpe_counter_new(struct err *err);
void bpe_counter_free(struct bpe_counter *c);
/* Each word of the text counts `times`. */
bool bpe_counter_add(struct bpe_counter *c, const char *text, size_t n, int times, struct err *err);

/* Learns n_vocab - 256 - specials merges (fewer when no pair comes twice).  Owned by the caller. */
struct bpe *bpe_learn(struct bpe_counter *c, int n_vocab, struct err *err);
struct bpe *bpe_load(const char *path, struct err *err);
bool bpe_save(const struct bpe *b, const char *path, struct err *err);
void bpe_free(struct bpe *b);

int bpe_n_vocab(const struct bpe *b);
/* The bytes of a token; none for specials. */
const char *bpe_bytes(const struct bpe *b, int id, size_t *n);
/* The two halves of token id; false when it is no merge. */
bool bpe_merge(const struct bpe *b, int id, int *left, int *right);
/* Writes at most cap ids, returns how many there are; not for several threads at once (it has a cache). */
size_t bpe_encode(struct bpe *b, const char *text, size_t n, uint16_t *ids, size_t cap);
/* Length of the first word of the text (n > 0): GPT-2's pattern. */
size_t bpe_word(const char *text, size_t n);
#endif
