/* token/token_internal.h - what the files of token/ share: the vocabulary's insides and scratch memory.
 *
 * For:     token/ alone.
 */
#ifndef TUTTI_TOKEN_TOKEN_INTERNAL_H
#define TUTTI_TOKEN_TOKEN_INTERNAL_H
#include "token/pretok.h"
#include "token/strings.h"
#include "token/token.h"

/* What a token is; the first six are the types of the format, more than one may be set. */
enum {
    ATTR_NORMAL = 1, ATTR_UNKNOWN = 2, ATTR_CONTROL = 4, ATTR_USER_DEFINED = 8, ATTR_UNUSED = 16, ATTR_BYTE = 32,
    ATTR_EOG = 64,         /* ends a generation */
    ATTR_STRIPS_RIGHT = 128 /* white space behind it is dropped (Phi-3) */
};
/* Recognised in text before anything else looks at it. */
#define ATTR_SPECIAL (ATTR_CONTROL | ATTR_USER_DEFINED | ATTR_UNKNOWN)

/* Tokens that are looked for in the text, sorted by their bytes, so that a walk narrows a range. */
struct special_set {
    int32_t *id; /* owned, [n] */
    uint32_t n;
    uint32_t starts[256 / 32]; /* bit c: some token starts with byte c */
    uint32_t *length;          /* owned, [n_lengths]: the lengths that occur, longest first */
    uint32_t n_lengths;
};

struct charsmap { /* SentencePiece's normalizer: a double array trie and its replacements, in the mapping */
    const uint8_t *trie;
    uint32_t n_units; /* of 4 bytes */
    const char *replacement;
    size_t n_bytes;
};

struct vocab {
    enum vocab_kind kind;
    struct hasher hasher;
    struct strings tokens, merges;
    uint8_t *attr;        /* owned, [n_tokens] */
    const struct gguf_kv *scores; /* borrowed, at least n_tokens numbers; NULL: all are 0 */
    int32_t role[VOCAB_ROLE_COUNT];
    bool add_bos, add_eos;
    bool space_prefix;  /* SPM, UGM: a space in front of the text and behind special tokens */
    bool chunks;        /* SPM: no token has U+2581 behind something else, so words are independent */
    bool lowercase, strip_accents;   /* WPM */
    bool merge_spaces;               /* UGM */
    float unknown_score;             /* UGM */
    struct charsmap charsmap;        /* UGM */
    uint64_t *prefix;                /* UGM, owned: bits of hashes; see ugm_open() */
    uint32_t prefix_mask;
    int32_t strips_left; /* white space in front of this token is dropped (<mask> of some); or TOKEN_NONE */
    struct special_set user_defined, special; /* for text as it comes, and with TOKEN_PARSE_SPECIAL */
    struct pretok *pretok;  /* BPE */
    int32_t byte_token[256]; /* TOKEN_NONE where the vocabulary lacks it */
    char pre_name[48];
};

static inline bool has_attr(const struct vocab *v, int32_t id, unsigned attr) { return v->attr[id] & attr; }
/* Never NaN. */
float vocab_score(const struct vocab *v, int32_t id);

/* ---- scratch ---- */

/* A piece of a word that may still grow. */
struct symbol {
    uint64_t hash;
    uint32_t at, n_bytes; /* in the word; n_bytes 0: swallowed by its left neighbour */
    int32_t prev, next;   /* -1: none */
};

struct candidate { /* a merge that could be done */
    uint64_t key;  /* the lowest goes first: rank or score above, left symbol below */
    uint32_t n_bytes; /* of both symbols when it was found: else it is stale */
    uint32_t right;
};

struct span { /* a special token in the text */
    uint32_t at, n_bytes;
    int32_t id;
    enum { SPAN_FREE, SPAN_COVERED, SPAN_TAKEN } state;
};

struct step { /* unigram: the best way to a position */
    double score;
    uint32_t from;
    int32_t id;
};

/* Arrays that grow and stay; each belongs to the one call that runs. */
struct token_scratch {
    struct symbol *symbol;
    struct candidate *heap;
    struct span *span;
    uint32_t *limit; /* special.c */
    char *clean, *word;
    uint64_t *hash;
    struct step *step;
    size_t cap_symbol, cap_heap, cap_span, cap_limit, cap_clean, cap_word, cap_hash, cap_step;
};

/* Makes room for n items; keeps what is there. */
bool scratch_reserve(void **array, size_t *cap, size_t n, size_t item_bytes, struct err *err);
#define SCRATCH(s, field, n, err) scratch_reserve((void **)&(s)->field, &(s)->cap_##field, n, sizeof(*(s)->field), err)

/* ---- the way of a text; each false with err ---- */

struct tokenize {
    const struct vocab *v;
    struct token_list *out;
    struct token_scratch *s; /* out's */
    struct err *err;
};

static inline bool emit(const struct tokenize *t, int32_t id) { return token_list_push(t->out, id, t->err); }
/* The token of a byte that no token covers, or UNK, or nothing. */
bool emit_byte(const struct tokenize *t, unsigned char byte);

/* What is no UTF-8 becomes U+FFFD and, when asked, a space becomes U+2581; *text may move to scratch->clean. */
bool clean_text(const struct tokenize *t, const char **text, size_t *n, bool escape_spaces);

/* WordPiece and unigram try all lengths at a place, but not beyond this: it bounds the work. */
enum { TRIED_BYTES_MAX = HASHER_POWERS };

/* special.c: the tokens that have a bit of attr and none of but_not. */
bool special_open(struct special_set *set, const struct vocab *v, unsigned attr, unsigned but_not, struct err *err);
void special_close(struct special_set *set);
/* Finds them in the text: *n_spans of them in scratch->span, in order, not overlapping. */
bool special_find(const struct tokenize *t, const struct special_set *set, const char *text, size_t n, size_t *n_spans);
/* The length of the longest one at most n bytes long that the text starts with; 0: none. */
uint32_t special_longest(const struct special_set *set, const struct vocab *v, const char *text, size_t n, int32_t *id);

/* One stretch of plain text between special tokens.  n > 0. */
bool spm_tokenize(const struct tokenize *t, const char *text, size_t n, bool with_space);
bool bpe_tokenize(const struct tokenize *t, const char *text, size_t n);
bool wpm_tokenize(const struct tokenize *t, const char *text, size_t n);
bool ugm_open(struct vocab *v, const struct gguf *g, struct err *err);
bool ugm_tokenize(const struct tokenize *t, const char *text, size_t n);

/* merge.c: merges the n symbols of a word, best first, until none is left.  find gives the key of a merge
 * (lower is better), false when there is none. */
typedef bool merge_find_fn(const struct vocab *v, const char *word, const struct symbol *left,
                           const struct symbol *right, uint32_t *key);
bool merge_symbols(const struct tokenize *t, const char *word, size_t n, merge_find_fn *find);

/* ---- the byte alphabet of GPT-2: each byte is a printable character ---- */

/* Writes 1 or 2 bytes of UTF-8. */
size_t alphabet_put(unsigned char byte, char out[2]);
/* The byte that the character stands for, -1 when it is not of the alphabet. */
int alphabet_byte(uint32_t cp);
#endif
