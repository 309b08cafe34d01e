/* route/features.h - what can be seen of a request at a glance: form, media, language, secrets.  Stage 1 of the router.
 *
 * For:     intent.c, the rules and the policy of route/, `tutti route`.
 * Callers: route/, api/, cmd/.
 * Touches: nothing; no allocation.  Thread: any.
 * Rule:    one pass over at most FEATURES_HEAD_BYTES + FEATURES_TAIL_BYTES of the text, whatever its length; counts are of
 *          what was read.  What a medium is, its first bytes say, never a declared type.  Nothing of the text is kept.
 */
#ifndef TUTTI_ROUTE_FEATURES_H
#define TUTTI_ROUTE_FEATURES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "route/language.h"

enum { FEATURES_HEAD_BYTES = 4096, FEATURES_TAIL_BYTES = 2048 };

enum feature_medium { /* a set */
    MEDIUM_PICTURE = 1 << 0,
    MEDIUM_SOUND = 1 << 1,
    MEDIUM_VIDEO = 1 << 2,
    MEDIUM_PDF = 1 << 3,
    MEDIUM_UNKNOWN = 1 << 4,
};
/* By the first bytes (16 are enough for most, 512 for all). */
enum feature_medium features_sniff(const void *bytes, size_t n_bytes);

/* ORDER FEATURE_CODE: features_code_name() */
enum feature_code { CODE_NONE, CODE_C, CODE_PYTHON, CODE_JS, CODE_JAVA, CODE_GO, CODE_RUST, CODE_SHELL, CODE_SQL, CODE_HTML, CODE_PHP, CODE_RUBY, CODE_OTHER, CODE_COUNT };
const char *features_code_name(enum feature_code code); /* "python" */

enum feature_secret { /* a set: why a text should stay private */
    SECRET_KEY = 1 << 0,      /* a private key block, an API key, a token */
    SECRET_PASSWORD = 1 << 1, /* "password: ..." */
    SECRET_CARD = 1 << 2,     /* a payment card's number with its check digit */
    SECRET_IBAN = 1 << 3,     /* a bank account with its check digits */
    SECRET_EMAIL = 1 << 4,    /* somebody's address */
    SECRET_PHONE = 1 << 5,    /* +49 ..., (555) 123-4567 */
    SECRET_ID = 1 << 6,       /* a US social security number */
};

struct features_media {
    const void *bytes;
    size_t n_bytes;
};
struct features_in { /* all borrowed for the call */
    const char *text;     /* the last user turn; need not be UTF-8; NULL with n_bytes 0 */
    size_t n_bytes;
    size_t n_context_bytes; /* of the turns, tools and system text before it */
    const struct features_media *media;
    int n_media;
    bool has_tools;       /* the request offers tools */
    bool wants_json;      /* the request states a JSON format or schema */
};

/* Field, its word in JSON, what `tutti route` says of it ("": nothing).  The journal keeps them in this order: a new flag comes last. */
#define FEATURE_COUNTS(X)                                                                                    \
    X(n_lines, "lines", "line")                                                                              \
    X(n_sentences, "sentences", "sentence")                                                                  \
    X(n_questions, "questions", "question")                                                                  \
    X(n_fences, "fences", "code fence")                                                                      \
    X(n_words, "words", "word")
#define FEATURE_FLAGS(X)                                                                                     \
    X(has_json, "has_json", "holds JSON")    /* an object or an array */                                     \
    X(wants_json, "wants_json", "wants JSON") /* stated by the request or asked for in words ("as JSON") */  \
    X(has_tools, "has_tools", "offers tools") /* as given */                                                 \
    X(has_url, "has_url", "holds an address")                                                                \
    X(has_digits, "has_digits", "")                                                                          \
    X(is_private, "private", "private")      /* a key, password, card, account or ID: not for other people's machines */

enum {
#define X(...) +1
    FEATURE_FLAG_COUNT = FEATURE_FLAGS(X)
#undef X
};

struct features {
    uint32_t media;       /* of enum feature_medium */
    uint64_t n_text_bytes, n_read_bytes;
    uint64_t prompt_tok;  /* estimate, context included */
    uint64_t turn_tok;    /* estimate, of the last user turn alone */
#define X(field, ...) int field;
    FEATURE_COUNTS(X)
#undef X
    enum feature_code code; /* what the code in it is written in */
    float code_frac;      /* share of lines that look like code, 0..1 */
#define X(field, ...) bool field;
    FEATURE_FLAGS(X)
#undef X
    uint32_t secrets;     /* of enum feature_secret */
    struct language_guess language;
};

void features_read(const struct features_in *in, struct features *out);
#endif
