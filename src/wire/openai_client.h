/* wire/openai_client.h - the OpenAI HTTP API from the other side: requests written, answers read.
 *
 * For:     expert_server.c: servers as experts; tools/load-gen.
 * Callers: rooms above.
 * Touches: memory.  Thread: any; the functions keep nothing.
 * Rule:    what a server sends is checked as what a client sends is: types, ranges, sizes; a field that nobody needs
 *          is skipped.  Requests say only what was given: a server's own defaults stay in force.
 * Start:   openai_client.c.
 */
#ifndef TUTTI_WIRE_OPENAI_CLIENT_H
#define TUTTI_WIRE_OPENAI_CLIENT_H
#include "wire/openai.h"
#include "wire/openai_audio.h"

/* ---- requests ---- */

/* The body of CHAT, COMPLETION or EMBEDDING: model, vars or inputs, what `given` names, stops, biases, n_logprobs
 * (-1: none), stream, include_usage, ignore_eos.  false with err: no memory, or a completion with log-probabilities. */
bool openai_put_request(struct buf *out, const struct openai_request *r, struct err *err);
/* A form (multipart/form-data) around a file: what stands before it, and behind it.  Fields with a NULL value are left out. */
struct openai_form_field {
    const char *name, *value;
};
void openai_put_form(struct buf *before, struct buf *after, const char *boundary, const struct openai_form_field *fields, int n_fields,
                     const char *file_field, const char *file_name, const char *type);

/* ---- answers ---- */

struct openai_event {  /* private: the usual event of a chat (openai_event.c) */
    bool is_there, has_finish;
    int index;
    size_t n_text;
    char text[1024], finish[32];
};

struct openai_answer { /* of a chat or completion: one event of a stream, or all of it */
    json_t *tree;      /* owned: openai_answer_fini(); NULL where `event` says it all */
    struct openai_event event;
    enum openai_task task;
    bool is_done;      /* data: [DONE] */
    int n_choices;
    bool has_usage;
    struct openai_usage usage;
};

struct openai_piece { /* texts are borrowed from the answer; "" and 0 when absent */
    int index;
    const char *text, *reasoning;
    size_t n_text, n_reasoning;
    const char *finish_reason; /* NULL: goes on */
    json_t *tool_calls;        /* NULL */
    json_t *logprobs;          /* array of {token, logprob, top_logprobs}; NULL */
};
/* false with err: no JSON of that form (ERR_IO), or the server's own error (its code and text). */
bool openai_read_answer(struct openai_answer *a, enum openai_task task, const char *json, size_t n, struct err *err);
void openai_answer_fini(struct openai_answer *a); /* a zeroed one is fine */
/* Choice i of the answer; false with err when it is of another form. */
bool openai_answer_piece(const struct openai_answer *a, int i, struct openai_piece *out, struct err *err);

/* The error of an answer with a status of 400 or more; in any of the forms that are about.  Always returns false. */
bool openai_read_error(int status, const char *body, size_t n, struct err *err);

/* Every vector of an answer, each exactly once.  false with err. */
typedef void openai_vector_fn(void *ctx, int index, const float *v, int n);
bool openai_read_embeddings(const char *body, size_t n, int n_inputs, openai_vector_fn *fn, void *ctx, struct openai_usage *usage, struct err *err);

/* A transcript of json or verbose_json; its texts and lists live in the arena. */
bool openai_read_transcript(struct openai_transcript *t, const char *body, size_t n, struct arena *a, struct err *err);
#endif
