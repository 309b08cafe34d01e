/* api/openai_internal.h - what openai.c (requests in), openai_answer.c (events out) and api.c share. */
#ifndef TUTTI_API_OPENAI_INTERNAL_H
#define TUTTI_API_OPENAI_INTERNAL_H
#include "api/openai.h"

/* The state of a request, and who moves it on:
 *   BODY    bytes come in                                     on_data, on_end (openai.c)
 *   PARSE   a large body is being read on another thread      read_done
 *   WAIT    the expert has it; nothing was sent yet           on_mail, openai_tick
 *   STREAM  headers are out, events follow                    on_mail
 *   OVER    all was said; what is left is to be freed */
enum exchange_state { EXCHANGE_BODY, EXCHANGE_PARSE, EXCHANGE_WAIT, EXCHANGE_STREAM, EXCHANGE_OVER };

struct choice {
    struct buf text;          /* of the whole answer when it is sent in one piece */
    struct buf chat_logprobs; /* CHAT */
    struct openai_completion_logprobs logprobs; /* COMPLETION */
    const char *finish_reason;
    bool has_begun;           /* its first chunk is out */
    uint64_t last_ns;         /* when the last piece came */
    float *vector;            /* EMBEDDING */
    int n_vector;
};

struct exchange {
    struct api_call call;      /* call.stream NULL: the client is gone */
    struct exchange *prev, *next;
    enum exchange_state state;
    enum openai_task task;
    struct buf body;
    struct openai_request request;
    struct openai_error error;
    struct job *job;
    bool has_job;              /* the expert will still send a final event */
    bool is_parsing;           /* another thread holds body, request, job */
    bool is_held;              /* the job waits for a slow reader */
    struct mail_box box;
    struct api_model *model;

    /* of the request, kept when its JSON is gone */
    bool stream, include_usage, echo, is_base64, with_logprobs;
    int n_choices, n_dimensions;
    struct choice *choices;    /* n_choices: of all inputs */
    int n_all_choices;

    char id[48];
    struct openai_head head;   /* points into this struct and to the model */
    uint64_t body_ns, submit_ns, first_ns;
    uint64_t headers_at_ms, quiet_since_ms, load_until_ms;
    struct buf out;            /* one event, or the whole reply */
};

void exchange_maybe_free(struct exchange *x);
/* openai_answer.c */
bool reply_begin(struct exchange *x, struct err *err);
void reply_fini(struct exchange *x);
void reply_on_mail(void *ctx, const struct expert_event *ev, uint64_t ns); /* a mail_fn */
void reply_fail(struct exchange *x, const struct openai_error *e);
void reply_tick(struct exchange *x, uint64_t now_ms);
void openai_error_from(struct openai_error *e, enum openai_task task, const struct err *err);
void openai_tick(void *env); /* every 50 ms while there are exchanges: headers that are due, pings, deadlines */
#endif
