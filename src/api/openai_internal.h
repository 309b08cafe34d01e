/* api/openai_internal.h - what openai.c (requests in) and openai_answer.c (events out) share: text from models. */
#ifndef TUTTI_API_OPENAI_INTERNAL_H
#define TUTTI_API_OPENAI_INTERNAL_H
#include "api/exchange_internal.h"
#include "api/openai.h"

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

struct chat { /* and completions, and embeddings */
    struct exchange x; /* first */
    enum openai_task task;
    struct openai_request request;

    /* of the request, kept when its JSON is gone */
    bool stream, include_usage, echo, is_base64, with_logprobs;
    int n_choices, n_dimensions;
    struct choice *choices;    /* n_choices: of all inputs */
    int n_all_choices;
    struct openai_head head;   /* points into this struct and to the model */
    int last;                  /* of a stream that was routed: the choice whose end waits for what it took, plus 1; 0: none */
    struct buf more;           /* the object `tutti` */
};

/* chat_media.c */
bool chat_check_media(const struct exchange *x, const struct openai_request *r, struct openai_error *e); /* any thread */
/* x->model sees and hears what the request brings, or is changed for one that does when none was named.  false with e. */
bool chat_pick_perceiving(struct exchange *x, const struct openai_request *r, struct openai_error *e);
/* openai_answer.c */
bool chat_begin_answer(struct chat *c, struct err *err);
void chat_fini_answer(struct chat *c);
void chat_on_event(struct exchange *x, const struct expert_event *ev, uint64_t ns);
void chat_on_done(struct exchange *x, const struct expert_usage *usage, uint64_t ns);
#endif
