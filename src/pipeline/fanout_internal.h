/* pipeline/fanout_internal.h - what the parts of a fan-out share: the table's lines, what messages bring, what was found.
 *
 * For:     fanout.c (the expert), fanout_run.c (a request of it), fanout_plan.c (what is asked of whom), fanout_words.c (messages in, prompt and plain words out).
 * Touches: memory.  Thread: the fan-out's own, but for the say functions: the expert's that found it.
 */
#ifndef TUTTI_PIPELINE_FANOUT_INTERNAL_H
#define TUTTI_PIPELINE_FANOUT_INTERNAL_H
#include <jansson.h>
#include <pthread.h>

#include "pipeline/fanout.h"

enum fanout_when {
    FANOUT_ALWAYS,    /* for every medium of its kind */
    FANOUT_USUALLY,   /* its words are in the question, or nobody's are */
    FANOUT_ASKED,     /* only when its words are in the question */
};

struct fanout_branch {
    enum fanout_medium medium;
    enum fanout_when when;
    enum expert_task task;
    const char *fact;   /* how what it found is called */
    bool is_quoted;     /* somebody else's words: quoted as data */
    void (*say)(struct buf *out, const struct task_result *r); /* a result in words; several results are appended */
    const char *words;  /* of questions that want it: word beginnings and phrases, '|' between them, lower case */
};

/* fanout_words.c: what stands in results, in words. */
void fanout_say_text(struct buf *out, const struct task_result *r);
void fanout_say_boxes(struct buf *out, const struct task_result *r);
void fanout_say_faces(struct buf *out, const struct task_result *r);
void fanout_say_labels(struct buf *out, const struct task_result *r);

/* ---- what the messages bring ---- */

struct fanout_asset { /* a picture or a sound */
    enum fanout_medium kind;
    int message;          /* whose it is */
    char param[64];       /* "messages[0].content[1]" */
    void *bytes;          /* owned; NULL: an address, which is not fetched */
    size_t n_bytes;
};
struct fanout_request {
    struct fanout_asset assets[FANOUT_MEDIA_MAX];
    int n_assets;
    struct buf question;  /* the texts of the last user's message */
};
/* false with err (ERR_INPUT, ERR_LIMIT, ERR_NOMEM); fini is needed in both cases. */
bool fanout_read(struct fanout_request *r, const json_t *messages, struct err *err);
void fanout_request_fini(struct fanout_request *r);

/* ---- what was found, and what becomes of it ---- */

struct fanout_fact {
    const struct fanout_branch *branch;
    int medium;
    const char *text;     /* NULL: it failed */
    size_t n;
    const char *error;    /* why */
};
/* The messages with facts instead of pictures and sounds; at most max_bytes of facts.  The caller owns the result; NULL: no memory. */
json_t *fanout_put_facts(const json_t *messages, const struct fanout_request *r, const struct fanout_fact *facts, int n_facts, size_t max_bytes);
/* The answer without a language model. */
void fanout_put_plain(struct buf *out, const struct fanout_request *r, const struct fanout_fact *facts, int n_facts);

/* ---- a request at work ---- */

struct fanout_who { /* answered a piece */
    char expert[128], node[64];
    float joules;
    bool is_measured;
    uint64_t start_ns, end_ns;
};

struct fanout_run;
struct fanout_branch_run {
    struct fanout_run *run;
    const struct fanout_step *step;
    struct job *job;
    struct fanout_who who;
    struct buf text;      /* of its expert's thread until is_over */
    size_t n_delta;       /* bytes that came as pieces since the last result */
    uint64_t deadline_ns;
    struct err err;
    bool is_over, is_late, is_told; /* under the lock */
};

enum fanout_phase { FANOUT_NEW, FANOUT_BRANCHES, FANOUT_ANSWER, FANOUT_OVER };
struct fanout_run {
    struct fanout *f;
    struct fanout_run *prev, *next;
    struct job *job;
    uint64_t start_ns;
    enum fanout_phase phase;
    struct fanout_request rq;
    struct fanout_plan plan;
    struct task_media media[FANOUT_MEDIA_MAX];
    struct fanout_branch_run *branches;
    int n_open;           /* branches whose final event is missing; under the lock */
    struct job *answer;
    struct fanout_who answer_who;
    bool has_spoken;      /* a word of the answer went to the client; the answer's thread */
    bool is_answer_open;  /* its final event is missing; under the lock */
    bool has_failed_dumb; /* it failed without a word; under the lock */
    bool is_held;
    struct err answer_err;
};

struct fanout {
    struct expert base;
    char id[128];
    struct expert **experts;
    int n_experts;
    unsigned (*elsewhere)(void *ctx, enum expert_privacy most);
    void *elsewhere_ctx;
    struct expert *router;
    uint64_t picture_ns, sound_ns;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, changed;
    struct fanout_run *runs;
    int n_runs;
    bool has_news, stopping, ends_now, quit;
    uint64_t done_total[EXPERT_END_COUNT];
    pthread_mutex_t card_lock;
    struct expert_card card;
    struct expert *chat;  /* whose state is ours, for whoever predicts; NULL: no language model */
    uint64_t card_ns;
};

/* fanout.c */
void fanout_ring(struct fanout *f); /* the thread has something to look at; under the lock */
void fanout_get_card(struct expert *e, struct expert_card *out);
unsigned fanout_tasks_here(const struct fanout *f, const struct expert_wish *w); /* of those who may see it */
/* To the router, or to the first that takes it.  err is written to only when it returns false. */
bool fanout_submit_piece(struct fanout *f, struct job *j, struct fanout_who *who, struct err *err);

/* fanout_run.c: on the fan-out's thread, without the lock */
void fanout_run_begin(struct fanout_run *r);
void fanout_run_tell_branch(struct fanout_run *r, struct fanout_branch_run *b); /* its part of the answer */
void fanout_run_compose(struct fanout_run *r); /* all branches are over or late */
void fanout_run_answer_plainly(struct fanout_run *r, const struct err *why); /* why: of the language model; NULL: there is none */
void fanout_run_finish(struct fanout_run *r, const struct err *err); /* NULL: well; the final event */
#endif
