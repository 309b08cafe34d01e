/* token/token.h - text to token ids and back, as the vocabulary inside a GGUF file says.
 *
 * For:     llm/ (sampling: end of generation, pieces), expert/ and api/ (prompts in, streams out),
 *          cmd/ (model tokenize).
 * Callers: rooms above.
 * Touches: the model's mapping, read only: the gguf must outlive its vocab.  Thread: a vocab never
 *          changes after vocab_open(), any thread may use it; a token_list and a detok belong to one.
 * Rule:    any bytes are text: what is not UTF-8 counts as U+FFFD, a byte at a time (SentencePiece
 *          keeps the bytes).  Time grows as n log n at worst, whatever the text.  Ids from the
 *          caller may be wrong: they are nothing, not a crash.  A vocabulary of which the file lies
 *          is one error at vocab_open().
 * Start:   vocab.c (what the file says), tokenize.c (the way of a text), then the algorithm:
 *          spm.c, bpe.c, wpm.c, ugm.c; pretok.def holds the patterns, regex.c compiles them.
 */
#ifndef TUTTI_TOKEN_TOKEN_H
#define TUTTI_TOKEN_TOKEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "gguf/gguf.h"

struct vocab;

/* The vocabulary of a model file.  Owned by the caller; g is borrowed until vocab_free().
 * NULL with err: ERR_UNSUPPORTED for an algorithm or pre-tokenizer that we do not know. */
struct vocab *vocab_open(const struct gguf *g, struct err *err);
void vocab_free(struct vocab *v); /* NULL is fine */

/* ---- ask ---- */

enum vocab_kind {
    VOCAB_SPM, /* 'llama': SentencePiece BPE, merges by score, byte fallback */
    VOCAB_BPE, /* 'gpt2': byte-level BPE, merges by rank after a pre-tokenizer */
    VOCAB_WPM, /* 'bert': WordPiece */
    VOCAB_UGM, /* 't5': SentencePiece unigram, best path by score; no vectors in ../shared test it */
    VOCAB_KIND_COUNT
};

/* Tokens with a part to play.  ORDER VOCAB_ROLE */
enum vocab_role {
    VOCAB_BOS, VOCAB_EOS, VOCAB_EOT, VOCAB_EOM, VOCAB_UNK, VOCAB_SEP, VOCAB_PAD, VOCAB_MASK, VOCAB_NEWLINE,
    VOCAB_FIM_PRE, VOCAB_FIM_SUF, VOCAB_FIM_MID, VOCAB_FIM_PAD, VOCAB_FIM_REP, VOCAB_FIM_SEP, VOCAB_ROLE_COUNT
};

enum { TOKEN_NONE = -1 };

enum vocab_kind vocab_kind(const struct vocab *v);
const char *vocab_kind_name(const struct vocab *v); /* "llama", "gpt2", "bert", "t5" */
const char *vocab_pre_name(const struct vocab *v);  /* the pre-tokenizer: "qwen2", ...; "" when it has none */
int32_t vocab_size(const struct vocab *v);
int32_t vocab_role(const struct vocab *v, enum vocab_role role); /* TOKEN_NONE when absent */
bool vocab_is_eog(const struct vocab *v, int32_t id);     /* ends a generation: EOS, EOT, <|im_end|>, ... */
bool vocab_is_control(const struct vocab *v, int32_t id); /* control or unknown: hidden from text by default */
bool vocab_adds_bos(const struct vocab *v);               /* TOKEN_ADD_SPECIAL puts BOS (CLS) in front */
bool vocab_adds_eos(const struct vocab *v);               /* ... and EOS (SEP) behind */

/* The token as the file spells it ("Ġhello", "▁hello", "<|im_end|>"); borrowed; empty for a wrong id.
 * Templates want this of BOS and EOS. */
struct gguf_str vocab_text(const struct vocab *v, int32_t id);
/* The id of exactly this spelling, TOKEN_NONE when there is none. */
int32_t vocab_find(const struct vocab *v, const char *text, size_t n);
/* Appends the bytes that the token stands for (" hello", one byte of a character, ...); of control and
 * unknown tokens their spelling.  Nothing for a wrong id. */
void vocab_piece(const struct vocab *v, int32_t id, struct buf *out);

/* ---- text to ids ---- */

/* A growing array that is born with its maximum; also keeps the tokenizer's scratch memory, so that
 * a list that is used again allocates nothing. */
struct token_list {
    int32_t *ids; /* owned */
    size_t len, cap, max; /* tokens; max 0: nothing fits */
    struct token_scratch *scratch; /* owned, private to token/ */
};
void token_list_init(struct token_list *l, size_t max);
void token_list_fini(struct token_list *l); /* a zeroed one is fine */
bool token_list_push(struct token_list *l, int32_t id, struct err *err); /* ERR_LIMIT past max */

enum token_flags {
    TOKEN_ADD_SPECIAL = 1,  /* BOS/EOS/CLS/SEP as the model asks */
    TOKEN_PARSE_SPECIAL = 2 /* control tokens spelled out in the text become those tokens: for rendered
                             * templates, never for what a user wrote */
};

/* Appends the ids of n bytes of text to the list.  false with err (ERR_LIMIT: list full or text over
 * TOKEN_TEXT_MAX_BYTES; ERR_NOMEM); the list then is as long as before. */
enum { TOKEN_TEXT_MAX_BYTES = 16 << 20 };
bool vocab_tokenize(const struct vocab *v, const char *text, size_t n, unsigned flags, struct token_list *out,
                    struct err *err);

/* ---- ids to text, as they come ---- */

enum detok_flags {
    DETOK_SHOW_SPECIAL = 1, /* control and unknown tokens appear as they are spelled */
    DETOK_STRIP_SPACE = 2   /* the sequence begins here: drop the one space that SentencePiece put before
                             * its first word (nothing happens for vocabularies that put none) */
};

/* One per sequence; plain data, nothing to free. */
struct detok {
    unsigned flags;
    uint8_t n_held;  /* 0..3 */
    char held[4];    /* a character that is not complete yet */
    bool at_start;
};
void detok_init(struct detok *d, unsigned flags);
/* Appends what became complete with this token: whole characters of UTF-8 only, U+FFFD for bytes that
 * cannot become one.  Allocates nothing but out's growth (see buf_ok). */
void detok_push(const struct vocab *v, struct detok *d, int32_t id, struct buf *out);
/* The end: a character that stayed incomplete becomes U+FFFD. */
void detok_flush(struct detok *d, struct buf *out);
#endif
