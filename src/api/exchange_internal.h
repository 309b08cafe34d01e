/* api/exchange_internal.h - one request and its answer, whatever the protocol: body in, job, events out.
 *
 * For:     the protocols of this room (openai.c, audio.c, vision.c, ...): each embeds struct exchange as the first member
 *          of its own struct and brings a table of functions.
 * Touches: the stream, the job, the mailbox.  Thread: the loop's, except read(), which may run on another one.
 * Rule:    what is common lives here once: the body, large ones parsed elsewhere, finding the model, submitting, holding
 *          the job of a slow reader, pings, hang-up cancels, an error before or in the middle of an answer.  An exchange
 *          is freed when its stream is closed, its job's final event was delivered and nobody parses any more.
 * Start:   exchange.c, on_end().
 */
#ifndef TUTTI_API_EXCHANGE_INTERNAL_H
#define TUTTI_API_EXCHANGE_INTERNAL_H
#include "api/api.h"
#include "api/routed.h"
#include "api/wish.h"

/* The state of a request, and who moves it on:
 *   BODY    bytes come in                                     on_data, on_end
 *   PARSE   a large body is being read on another thread      on_parsed
 *   WAIT    the expert has it; nothing was sent yet           on_mail, exchange_tick
 *   STREAM  headers are out, more follows                     on_mail
 *   OVER    all was said; what is left is to be freed */
enum exchange_state { EXCHANGE_BODY, EXCHANGE_PARSE, EXCHANGE_WAIT, EXCHANGE_STREAM, EXCHANGE_OVER };

struct exchange;
struct exchange_way { /* how another protocol differs; each may be NULL */
    void (*on_head)(struct exchange *x, const struct http_head *head); /* at once; may set x->error: the answer after the body */
    void (*put_error)(struct buf *out, const struct openai_error *e);
    void (*fail)(struct exchange *x, const struct openai_error *e);    /* errors are no HTTP status; nothing was sent yet */
    bool can_fail_late;                                                 /* ... or something was */
    void (*refuse)(const struct api_call *call, const struct openai_error *e); /* there is no exchange: takes the stream */
};
struct exchange_ops {
    const char *id_prefix;   /* "chatcmpl-" */
    /* The body becomes x->job; sets task, model_id, is_sse, text_name.  Any thread: touches body, job, error, the request's
     * own fields, settings and cards of the env, never call.stream.  false with x->error, or with err. */
    bool (*read)(struct exchange *x, struct err *err);
    /* The model is known, the job about to be submitted.  false as above. */
    bool (*begin)(struct exchange *x, struct err *err);
    /* Every event that is not final.  May call exchange_fail(). */
    void (*on_event)(struct exchange *x, const struct expert_event *ev, uint64_t ns);
    /* EXPERT_DONE: ends with exchange_reply(), exchange_end(), exchange_fail() or exchange_ask(). */
    void (*on_done)(struct exchange *x, const struct expert_usage *usage, uint64_t ns);
    /* EXPERT_ERROR; true: it was dealt with, as in on_done().  NULL: it is the answer. */
    bool (*on_error)(struct exchange *x, const struct err *err);
    void (*fini)(struct exchange *x); /* its own fields; NULL: nothing to do */
    const struct exchange_way *way; /* NULL: as OpenAI has it */
};

enum { EXCHANGE_TYPE_MAX = 256 };

struct exchange {
    const struct exchange_ops *ops;
    struct api_call call;      /* call.stream NULL: the client is gone */
    struct exchange *prev, *next;
    enum exchange_state state;
    struct buf body;
    size_t n_body_bytes;       /* came, and are counted until the exchange is freed */
    char content_type[EXCHANGE_TYPE_MAX]; /* of the body; longer ones are cut */
    char *query;               /* owned; NULL: none */
    struct openai_error error; /* status 0: none so far */
    struct job *job;
    struct job *first;         /* NULL, or the job whose request `job` repeats for another expert */
    bool has_job;              /* the expert will still send a final event */
    bool is_parsing;           /* another thread is in read(), or in exchange_work() */
    bool is_held;              /* the job waits for a slow reader */
    bool is_any;               /* no model was named: another one may answer when the first cannot */
    bool has_answered;         /* the expert said something that on_event() took */
    struct mail_box box;
    struct api_model *model;
    struct api_model *chosen;  /* whom the router chose of ours; NULL: nobody yet, or somebody elsewhere */

    struct routed routed;      /* who answers, when the router chose */
    struct expert_wish wish;   /* of the headers; read() adds the body's */

    /* of the request, from read() */
    enum expert_task task;     /* which models are asked */
    const char *model_id;      /* until begin(); "" or NULL: any that can */
    const char *text_name;     /* the parameter that was too long, if so */
    bool is_sse;               /* answered by a stream of events: begun at once, pinged, errors inside */

    char id[48];
    int64_t created_s;
    uint64_t body_ns, first_ns;
    uint64_t headers_at_ms, quiet_since_ms, load_until_ms;
    uint64_t deadline_ms;      /* of the loop's clock; 0: none */
    net_fn *work_done;
    struct buf out;            /* one piece, or the whole reply */
};

/* Takes the stream.  n_bytes: of the struct that begins with the exchange, zeroed. */
void exchange_begin(const struct api_call *call, const struct http_head *head, const struct exchange_ops *ops, size_t n_bytes);
/* The body's bytes live as long as the job from now on (what the request points to lies there). */
void exchange_give_body(struct exchange *x);

/* Headers of a stream: SSE when x->is_sse, else of this type. */
void exchange_start(struct exchange *x, const char *type);
/* What is in x->out leaves; a reader that is slow slows its own job only. */
void exchange_send(struct exchange *x);
void exchange_end(struct exchange *x); /* sends, then ends the stream */
/* x->out as the whole answer, with the fields of whoever was chosen. */
void exchange_reply(struct exchange *x, const char *type);
/* The error as an answer, as an event, or by cutting off a stream of bytes; cancels the job. */
void exchange_fail(struct exchange *x, const struct openai_error *e);
void exchange_fail_with(struct exchange *x, const struct err *err);
/* Counted under the model that was asked and, when that was the router, under whom it chose as well. */
void exchange_observe(struct exchange *x, enum api_histogram h, uint64_t ns);
/* From on_done() and on_error(): the same request (not one of text) for another task or model.  false with err. */
bool exchange_ask(struct exchange *x, struct api_model *model, enum expert_task task, struct err *err);
/* From on_done(): work on another thread, then done on this one, if the client is still there; done ends as on_done() does.
 * work touches the request's own fields only.  false with err: neither will run. */
bool exchange_work(struct exchange *x, net_fn *work, net_fn *done, struct err *err);
void exchange_tick(void *env); /* every 50 ms while there are exchanges: headers that are due, pings, deadlines */

/* Those, for who writes a head of his own; returns their number. */
int exchange_fields(struct exchange *x, struct http_field out[API_FIELDS_MAX], const struct http_field *more, int n_more);

void openai_error_from(struct openai_error *e, const char *text_name, const struct err *err);
static inline const char *exchange_text(const struct buf *b) { return b->data ? b->data : ""; }
#endif
