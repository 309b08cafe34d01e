/* expert/expert.h - the one boundary: a model that can do tasks, whatever stands behind it.
 *
 * For:     api/, route/, pipeline/, cmd/: they submit jobs and read cards, and cannot tell a local model
 *          from a remote one except by its card.
 * Callers: rooms above; expert_<kind>.c implement struct expert_ops.
 * Touches: what the kind touches.  Thread: all functions from any thread, except that expert_free() is
 *          the last one.
 * Rule:    submitting never blocks.  A job that was accepted gets exactly one final event, whatever
 *          happens: answer, bad input, cancel, deadline, shutdown.
 * Start:   job.h (what goes in, what comes out), then expert_llm.h (models of our own engine).
 */
#ifndef TUTTI_EXPERT_EXPERT_H
#define TUTTI_EXPERT_EXPERT_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "expert/job.h"

struct expert_card { /* plain facts, copied out; what is not known yet (cold, loading) is 0 or "" */
    char id[128];           /* what clients call it */
    char name[96];          /* what its file calls it */
    char kind[24];          /* "llm", "onnx", "server", ...: what its card says */
    char architecture[32];
    char quantization[16];  /* the type of most of the weights: "q4_k" */
    unsigned tasks;         /* bits of enum expert_task; not known yet: 0 */
    int n_ctx, n_ctx_train;
    int n_vocab, n_embd;
    int n_seq_max;          /* sequences at a time */
    uint64_t n_params;
    uint64_t file_bytes, weight_bytes, kv_bytes;
    uint64_t kv_block_tok;  /* positions of a page */
    bool has_chat_template; /* false: chats are rendered by a plain one of ours */
    bool knows_tools;       /* its template reads `tools` */
    int64_t created_s;      /* of the file, since 1970 */
    enum expert_privacy privacy;
    /* of cards (expert_open_card); "" and 0 otherwise */
    char description[256], languages[64], runs_on[64], note[160];
    int quality;
    struct card_price price;
    bool sees, hears;       /* CHAT: pictures, sounds inside messages are understood */
    int rate_hz;            /* SPEAK */
};

/* The states and who makes the transitions: cold -> loading (open, or the first job when lazy), loading ->
 * warm | down (the loader), warm <-> busy (the scheduler), any -> down (stop, or a broken model). */
enum expert_state { EXPERT_COLD, EXPERT_LOADING, EXPERT_WARM, EXPERT_BUSY, EXPERT_DOWN, EXPERT_STATE_COUNT };
const char *expert_state_name(enum expert_state s);

enum expert_end { EXPERT_END_STOP, EXPERT_END_LENGTH, EXPERT_END_EMBED, EXPERT_END_CANCEL, EXPERT_END_ERROR, EXPERT_END_COUNT };
const char *expert_end_name(enum expert_end e); /* "stop", "length", "embed", "cancel", "error" */
enum expert_end expert_end_of(enum expert_task task, const struct err *err); /* of a job as a whole; err NULL: done */

struct expert_metrics { /* one moment, copied out */
    enum expert_state state;
    char why[256];        /* EXPERT_DOWN: the reason */
    int n_waiting;        /* generations that are queued (prompts not begun) */
    int n_running;
    int n_queue_max;
    double wait_s;        /* until a new request begins, where that is known otherwise than by the counts; 0: it is not */
    double kv_used_frac;
    uint64_t kv_total_tok;
    uint64_t prompt_tok_total, gen_tok_total;
    uint64_t prefix_queries_tok, prefix_hits_tok; /* prompt tokens asked for, found */
    uint64_t preempted_total;
    uint64_t steps_total; /* forward passes */
    uint64_t guessed_tok_total, guessed_right_tok_total; /* tokens guessed ahead of an answer, and those of them that it said */
    uint64_t done_total[EXPERT_END_COUNT]; /* choices by reason (embeddings: jobs) */
    uint64_t load_ns;     /* how long loading took; of an expert that is ready before its weights are packed: until they are */
    bool is_degraded;     /* works, but far slower than it used to (servers: pace.h) */
    /* of experts in processes of their own; 0 otherwise */
    uint64_t starts_total, deaths_total; /* of its process: begun, ended before they were told to */
    uint64_t hangs_total;  /* ended because they were stopped or gave no answer in time */
    uint64_t memory_bytes; /* its own, when it was looked at last */
};

/* How much of what it has an expert may use for now, as shares 0 < x <= 1; 1 is all of it.  The governor turns these
 * (route/governor.h); whatever they say, one thread, one request and the shortest useful text always remain. */
struct expert_limits {
    float threads; /* that compute; a library in a worker process works for that share of the time instead */
    float batch;   /* requests at a time: sequences that run, requests in one run */
    float context; /* longest text that is accepted */
    float input;   /* pixels of the longer side, where the model takes any size */
};

struct expert;

struct expert_ops { /* one constant table per kind; every function is there */
    void (*free)(struct expert *e);
    bool (*submit)(struct expert *e, struct job *j, struct err *err);
    void (*wake)(struct expert *e); /* a flag of one of its jobs changed */
    void (*card)(struct expert *e, struct expert_card *out);
    void (*metrics)(struct expert *e, struct expert_metrics *out);
    void (*stop)(struct expert *e, uint64_t drain_ns);
    bool (*wait_ready)(struct expert *e, struct err *err);
    bool (*info)(struct expert *e, struct task_info *out); /* NULL: it is no task of task.h */
    void (*unload)(struct expert *e); /* gives its memory back when nothing runs or waits; NULL: it cannot */
    void (*limit)(struct expert *e, const struct expert_limits *limits); /* NULL: it cannot be told (servers) */
};

struct expert { /* first member of each kind's own struct */
    const struct expert_ops *ops;
};

/* expert_stop(e, 0) and frees; afterwards no event comes.  NULL is fine. */
void expert_free(struct expert *e);
/* Takes the job in.  true: exactly one final event will come, and the expert holds its own reference until
 * then.  false with err and no event: ERR_BUSY (queue full, down, stopping), ERR_UNSUPPORTED (cannot do
 * that task), ERR_INPUT (a field that makes no sense whatever the model). */
bool expert_submit(struct expert *e, struct job *j, struct err *err);
void expert_get_card(struct expert *e, struct expert_card *out);
void expert_get_metrics(struct expert *e, struct expert_metrics *out);
enum expert_state expert_get_state(struct expert *e);
/* What task.h says of it once it was loaded (tensors of INFER, memory, what it runs on).  false: an expert of text, or not
 * known yet. */
bool expert_get_info(struct expert *e, struct task_info *out);
/* Accepts no more jobs; those accepted may go on for drain_ns (0: not at all), then they end with
 * ERR_BUSY "shutting down".  Returns when all is still; a second call from another thread shortens the first. */
void expert_stop(struct expert *e, uint64_t drain_ns);
/* Gives its memory back as soon as nothing runs or waits; the next job loads it again.  Does not wait for that. */
void expert_unload(struct expert *e);
/* From now on, for what begins: work that runs is finished.  Experts that cannot be told ignore it. */
void expert_limit(struct expert *e, const struct expert_limits *limits);
/* Loads it if need be and blocks until it is warm; false with err when it went down instead.  For cmd/ and tests. */
bool expert_wait_ready(struct expert *e, struct err *err);
#endif
