/* tools/train/data.h - from the corpus folder to rows of tokens: reading, splitting, mixing.
 *
 * For:     main.c.
 * Callers: tools/train only.
 * Touches: DIR/NN-*.txt or DIR/NN-*.txt.xz (through `xz -dc`), memory.
 * Rule:    documents are separated by a line "<|doc|>".  One document in 40, chosen by the hash of its
 *          text, is held out: it teaches nothing.  Rows follow from seed and number alone, so a
 *          training that goes on sees what it would have seen.
 */
#ifndef TUTTI_TOOLS_TRAIN_DATA_H
#define TUTTI_TOOLS_TRAIN_DATA_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bpe.h"

/* What a file holds and how it is told to the model. */
enum source_kind {
    SOURCE_BOOK,     /* long text, cut anywhere */
    SOURCE_TEXT,     /* short text, kept whole */
    SOURCE_STORY,    /* short stories: alone, or as the answer to "tell me a story about ..." */
    SOURCE_CHAT,     /* User: / Bot: */
    SOURCE_DIALOGUE, /* A: / B: */
};

struct source_plan {
    const char *prefix, *name; /* of the file; for reports */
    enum source_kind kind;
    int vocab_times;           /* weight of its words when the vocabulary is learned */
    double keep_frac;          /* the first part of the file (files go from simple to hard) */
    double share[3]; /* of the tokens: at the beginning, after 22 %, and at the end of the first cycle; lines between */
    double share_again; /* in the second cycle */
};
extern const struct source_plan source_plans[];
extern const int n_source_plans;
/* progress 0..1 through the first cycle, above 1 in the second; all together need not be 1 */
double source_share(const struct source_plan *plan, double progress);

struct corpus;
/* Reads all files of the plan; dies early with the name of a file that is missing. */
struct corpus *corpus_open(const char *dir, struct err *err);
void corpus_close(struct corpus *c);
struct bpe *corpus_learn_vocab(struct corpus *c, int n_vocab, struct err *err);
/* Texts become tokens; `bpe` is borrowed until corpus_close(). */
bool corpus_tokenize(struct corpus *c, struct bpe *bpe, struct err *err);
/* Training tokens of one source (an epoch of it), and documents held out. */
void corpus_count(const struct corpus *c, int source, uint64_t *n_tokens, uint64_t *n_docs, uint64_t *n_held);
/* All text, training part, for the search for copied runs: borrowed. */
const char *corpus_text(const struct corpus *c, int source, size_t *n);

struct row_buf { /* ctx of each; the caller's memory */
    uint16_t *token, *start;
    int32_t *target;
};

struct feed; /* endless rows of the training part */
struct feed *feed_new(struct corpus *c, int ctx, uint64_t seed, struct err *err); /* borrows the corpus */
void feed_free(struct feed *f);
/* progress chooses the mix: source_share(). */
bool feed_row(struct feed *f, double progress, struct row_buf row, struct err *err);
uint64_t feed_served(const struct feed *f, int source); /* tokens so far */

/* Rows of one source's held-out documents; false when row number i does not exist. */
bool corpus_held_row(struct corpus *c, int source, int ctx, int i, struct row_buf row);
#endif
