/* wire/openai.h - the OpenAI HTTP API as structs: requests read from JSON, replies written as JSON.
 *
 * For:     api/openai.c; later the remote expert, which speaks it from the other side.
 * Callers: api/.
 * Touches: memory.  Thread: any; the functions keep nothing.
 * Rule:    a request is either read in full or refused with one precise error: what it asks for and we
 *          cannot do (files inside messages, JSON mode, ...) is refused and never ignored, fields that nobody knows are
 *          ignored.  Numbers are checked against their range here.  Writing builds no tree.
 * Start:   openai_request.c (fields are a table), openai_reply.c.
 */
#ifndef TUTTI_WIRE_OPENAI_H
#define TUTTI_WIRE_OPENAI_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* ---- errors ---- */

struct openai_error {
    int status;        /* of HTTP; 0: no error */
    const char *code;  /* constant, or NULL: "model_not_found", "context_length_exceeded", ... */
    char param[96];    /* the field: "messages[1].content"; "" */
    char message[512];
};

/* Fills e and returns false. */
bool openai_fail(struct openai_error *e, int status, const char *code, const char *param, const char *fmt, ...)
    ERR_PRINTF(5, 6);
/* {"error":{"message":..,"type":..,"param":..,"code":..}} */
void openai_put_error(struct buf *out, const struct openai_error *e);

/* ---- requests ---- */

enum { OPENAI_STOPS_MAX = 16, OPENAI_STOP_BYTES_MAX = 256, OPENAI_CHOICES_MAX = 128, OPENAI_LOGPROBS_MAX = 20,
       OPENAI_INPUTS_MAX = 2048, OPENAI_BREAKERS_MAX = 16, OPENAI_BIASES_MAX = 4096 };

struct openai_text {
    const char *text;
    size_t n;
};

struct openai_input { /* text, or ids when text is NULL */
    const char *text;
    size_t n_text;
    const int32_t *ids;
    int n_ids;
};

struct openai_bias {
    int32_t id;
    float bias;
};

/* Which of the numbers the request names; the others have the model's or the server's defaults. */
enum openai_given {
    OPENAI_TEMPERATURE = 1 << 0, OPENAI_TOP_P = 1 << 1, OPENAI_TOP_K = 1 << 2, OPENAI_MIN_P = 1 << 3,
    OPENAI_TYPICAL_P = 1 << 4, OPENAI_REPETITION = 1 << 5, OPENAI_REPEAT_LAST_N = 1 << 6, OPENAI_PRESENCE = 1 << 7,
    OPENAI_FREQUENCY = 1 << 8, OPENAI_DRY_MULTIPLIER = 1 << 9, OPENAI_DRY_BASE = 1 << 10,
    OPENAI_DRY_ALLOWED = 1 << 11, OPENAI_DRY_LAST_N = 1 << 12, OPENAI_SEED = 1 << 13, OPENAI_MAX_TOKENS = 1 << 14,
    OPENAI_N = 1 << 15, OPENAI_TOP_LOGPROBS = 1 << 16, OPENAI_DIMENSIONS = 1 << 17
};

enum { OPENAI_IMAGES_MAX = 16 };
struct openai_image { /* inside a message; the message keeps it */
    const char *url;  /* borrowed from the tree, and from vars */
    size_t n;
    bool is_remote;   /* http(s)://; else data: */
    char param[64];   /* "messages[0].content[1]" */
};

enum { OPENAI_SOUNDS_MAX = 4 };
struct openai_sound { /* inside a message; the message keeps it */
    const char *data; /* borrowed like a picture's url: base64, or a whole data URL */
    size_t n;
    char param[64];
};

enum openai_task { OPENAI_CHAT, OPENAI_COMPLETION, OPENAI_EMBEDDING };

struct openai_request { /* texts point into `tree` or the arena: both must outlive them */
    enum openai_task task;
    json_t *tree;      /* owned: openai_request_fini() */
    const char *model; /* "" when the request names none */

    json_t *vars;      /* CHAT, owned: variables for the chat template: messages, tools, and what the request
                        * adds (chat_template_kwargs, reasoning_effort) */
    struct openai_image images[OPENAI_IMAGES_MAX]; /* CHAT */
    int n_images;
    struct openai_sound sounds[OPENAI_SOUNDS_MAX]; /* CHAT */
    int n_sounds;
    struct openai_input *inputs; /* COMPLETION, EMBEDDING */
    int n_inputs;

    unsigned given;    /* enum openai_given */
    double temperature, top_p, min_p, typical_p, repetition_penalty, presence_penalty, frequency_penalty,
        dry_multiplier, dry_base;
    int64_t top_k, repeat_last_n, dry_allowed_length, dry_last_n, seed, max_tokens, n, top_logprobs, dimensions;
    struct openai_text stops[OPENAI_STOPS_MAX];
    int n_stops;
    struct openai_text breakers[OPENAI_BREAKERS_MAX];
    int n_breakers;
    bool has_breakers;
    struct openai_bias *biases;
    int n_biases;
    int n_logprobs;    /* -1: none */
    bool stream, include_usage, echo, ignore_eos, is_base64;
};

/* Reads one body.  false with e filled in; openai_request_fini() is needed in both cases. */
bool openai_read_request(struct openai_request *r, enum openai_task task, const char *body, size_t n, struct arena *a,
                         struct openai_error *e);
void openai_request_fini(struct openai_request *r); /* a zeroed one is fine */

/* ---- replies ---- */

struct openai_head { /* what every reply of one request repeats */
    const char *id;      /* "chatcmpl-..." */
    int64_t created_s;
    const char *model;
    const char *more;    /* members that are added behind all others: ",\"tutti\":{...}"; NULL: none */
};

struct openai_usage {
    int n_prompt_tok, n_cached_tok, n_gen_tok;
    uint64_t queue_ns, prefill_ns, decode_ns; /* for "timings"; all 0: left out */
};

struct openai_token {
    const char *text;
    int n_text;
    float logprob;
    const struct openai_token *top;
    int n_top;
};

/* Pieces of an array that grows while tokens come: elements joined by commas, without the brackets. */
void openai_put_chat_logprob(struct buf *out, const struct openai_token *t);

/* Log-probabilities of a completion: four lists that grow side by side. */
struct openai_completion_logprobs {
    struct buf tokens, logprobs, top, offsets;
    size_t n_chars; /* of the text so far, which the offsets count */
};
void openai_completion_logprobs_init(struct openai_completion_logprobs *l, size_t max_bytes);
void openai_completion_logprobs_fini(struct openai_completion_logprobs *l);
void openai_completion_logprobs_clear(struct openai_completion_logprobs *l); /* keeps n_chars */
void openai_completion_logprobs_add(struct openai_completion_logprobs *l, const struct openai_token *t);

struct openai_choice {
    int index;
    const char *text;
    size_t n_text;
    const char *finish_reason; /* NULL: null */
    bool with_logprobs;
    const struct buf *chat_logprobs;                        /* CHAT */
    const struct openai_completion_logprobs *logprobs;      /* COMPLETION */
};

/* A whole answer: begin, a choice each, end. */
void openai_put_reply_begin(struct buf *out, enum openai_task task, const struct openai_head *h);
void openai_put_reply_choice(struct buf *out, enum openai_task task, const struct openai_choice *c, bool is_first);
void openai_put_reply_end(struct buf *out, const struct openai_head *h, const struct openai_usage *u);

/* Events of a stream, each `data: {...}\n\n`. */
void openai_put_chunk_role(struct buf *out, const struct openai_head *h, int index, bool with_usage); /* CHAT: the first of a choice */
/* A piece; with a finish_reason and no text: the last of a choice.  with_usage: "usage":null. */
void openai_put_chunk(struct buf *out, enum openai_task task, const struct openai_head *h, const struct openai_choice *c,
                      bool with_usage);
void openai_put_chunk_usage(struct buf *out, enum openai_task task, const struct openai_head *h, const struct openai_usage *u);
void openai_put_chunk_error(struct buf *out, const struct openai_error *e);
void openai_put_chunk_end(struct buf *out); /* data: [DONE] */

void openai_put_embeddings_begin(struct buf *out);
void openai_put_embedding(struct buf *out, int index, const float *v, int n, bool is_base64, bool is_first);
void openai_put_embeddings_end(struct buf *out, const struct openai_head *h, int n_prompt_tok);

struct openai_model {
    const char *id;
    int64_t created_s;
    int n_ctx, n_ctx_train, n_vocab, n_embd; /* "meta", as llama-server writes it; 0: left out */
    uint64_t n_params, file_bytes;
    const char *state; /* "warm"; NULL: left out */
    const char *const *tasks; /* "chat", "detect", ...; NULL-terminated; NULL: left out */
};
void openai_put_model(struct buf *out, const struct openai_model *m);
void openai_put_models_begin(struct buf *out);
void openai_put_models_end(struct buf *out);
#endif
