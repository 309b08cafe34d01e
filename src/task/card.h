/* task/card.h - the card of an expert: a YAML file that says what it does, what runs it and where its files are.
 *
 * For:     whoever opens experts: expert/, serve/, cmd/; and the tasks, which read their own options from it.
 * Callers: task/ and all rooms above.
 * Touches: the card's file; looks whether model files exist.
 * Rule:    constant once read.  Keys that neither card.c nor the kind knows are errors with line, column and the nearest
 *          known key.  A card is written by the machine's owner: its paths are trusted, the files behind them are not.
 * See:     docs/CARDS.md, the page for people.
 */
#ifndef TUTTI_TASK_CARD_H
#define TUTTI_TASK_CARD_H
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/yaml.h"

/* name, word.  ORDER EXPERT_TASK: bits of a set */
#define EXPERT_TASKS(X)                                                                            \
    X(CHAT, "chat") X(COMPLETE, "complete") X(EMBED, "embed")                                      \
    X(CLASSIFY, "classify") X(DETECT, "detect") X(FACES, "faces") X(SEGMENT, "segment")            \
    X(OCR, "ocr") X(DESCRIBE, "describe") X(EMBED_IMAGE, "embed-image") X(MOTION, "motion")        \
    X(VAD, "vad") X(WAKE, "wake") X(KEYWORD, "keyword") X(TRANSCRIBE, "transcribe")                \
    X(SPEAK, "speak") X(INFER, "infer") /* INFER: raw tensors */
enum expert_task_index {
#define X(name, word) EXPERT_TASK_INDEX_##name,
    EXPERT_TASKS(X)
#undef X
        EXPERT_TASK_COUNT
};
enum expert_task {
#define X(name, word) EXPERT_##name = 1 << EXPERT_TASK_INDEX_##name,
    EXPERT_TASKS(X)
#undef X
};
const char *expert_task_name(enum expert_task t); /* "chat" */
bool expert_task_find(const char *word, enum expert_task *out);

enum expert_privacy { EXPERT_LOCAL, EXPERT_LAN, EXPERT_CLOUD, EXPERT_PRIVACY_COUNT };
const char *expert_privacy_name(enum expert_privacy p); /* "local", "lan", "cloud" */

struct card_price { /* what a provider charges, USD; 0: nothing, or not said */
    float per_mtok_in, per_mtok_out; /* a million tokens of prompt, of answer */
    float per_item;                  /* a picture, an input, a request of sound */
};

struct card {
    struct yaml *yaml; /* the document; borrowed when node is a part of tutti.yaml */
    const struct yaml_node *node; /* the card's map */
    bool owns_yaml;
    char *dir;         /* of its file; owned */
    char *models_dir;  /* where `model` is looked for first; owned; NULL: only beside the card */

    /* what every card may say (docs/CARDS.md); zero or "" is the default */
    char id[128];         /* `name`; default: the file's name without .yaml */
    enum expert_task task;
    char kind[24];
    char model[512];      /* `model`, resolved; "" when there is none.  It may not exist: card_file() checks */
    char description[256], licence[64], precision[16], languages[64];
    enum expert_privacy privacy;
    int threads;          /* 0: by policy */
    int batch;            /* most requests in one run; 0: by preset, 1: none */
    uint64_t batch_delay_ms;
    uint64_t timeout_ms;  /* for one request; 0: 60 s */
    uint64_t keep_ms;     /* idle before it may be unloaded by itself; 0: 10 min; UINT64_MAX (`keep: always`) */
    uint64_t memory_bytes;/* what it needs; 0: not said */
    int quality;          /* tier 0..10; 0: not said */
    struct card_price price;
};

/* models_dir NULL: $TUTTI_MODELS, or none.  The caller owns the result; NULL with err. */
struct card *card_read(const char *path, const char *models_dir, struct err *err);
/* The same from text (tests, the worker's side); dir: what relative paths are relative to when models_dir has no such file. */
struct card *card_parse(const char *name, const char *text, size_t n, const char *dir, const char *models_dir, struct err *err);
/* A map inside another document (tutti.yaml), which must outlive the card. */
struct card *card_from_node(struct yaml *yaml, const struct yaml_node *node, const char *dir, const char *models_dir, struct err *err);
void card_free(struct card *c); /* NULL is fine */

/* Reading the card again in another process: its text, which card_parse() takes (same dir, same models_dir), and the name that
 * makes errors there point at the user's file.  A card that is a part of another document is written anew. */
bool card_put_text(const struct card *c, struct buf *out, struct err *err);
const char *card_text_name(const struct card *c);

/* Keys that the kind reads at the card's top level, a NULL-terminated list; all others but the common ones are errors. */
bool card_check_keys(const struct card *c, const char *const *known, struct err *err);
/* The path of the file that a text node names: below models_dir, else beside the card, else absolute.  ERR_NOT_FOUND names
 * all places that were looked at. */
bool card_resolve(const struct card *c, const struct yaml_node *node, char *path, size_t max, struct err *err);
/* yaml_get(), card_resolve(); a missing key is an error when needed, else path becomes "". */
bool card_file(const struct card *c, const char *key, bool is_needed, char *path, size_t max, struct err *err);
/* "CARD:LINE:COLUMN: ..." at a node, or at the card. */
bool card_fail(const struct card *c, const struct yaml_node *at, struct err *err, const char *fmt, ...) ERR_PRINTF(4, 5);
#endif
