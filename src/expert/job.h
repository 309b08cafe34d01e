/* expert/job.h - what somebody wants from an expert, and what flows back.
 *
 * For:     api/ makes jobs out of requests, cmd/ out of a command line; experts work on them.
 * Callers: api/, cmd/, bench/, route/ and the experts themselves.
 * Touches: memory.  Thread: the maker fills a job in and submits it; from then on nobody writes to it
 *          but through job_cancel() and job_hold(), which any thread may call.
 * Rule:    a job is counted: job_new() gives one reference to the maker, a successful expert_submit()
 *          takes another, which the expert drops after the job's one final event (EXPERT_DONE or
 *          EXPERT_ERROR).  All that a job points to lives in its arena (or is a json value that it
 *          owns), so it dies with the job and not before.
 */
#ifndef TUTTI_EXPERT_JOB_H
#define TUTTI_EXPERT_JOB_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "llm/sample.h"
#include "task/task.h"

/* ---- what flows back ---- */

enum expert_event_kind {
    EXPERT_ROUTED,     /* route: who answers ("auto" only); before all others, and again when another one takes over */
    EXPERT_PART,       /* part: one of several experts that answer together (fan-out) is through; any time before the end */
    EXPERT_QUEUED,     /* n_ahead: generations before this one; at most once, from the expert's thread */
    EXPERT_STARTED,    /* the prompts are tokens, work begins: usage.n_prompt_tok, n_cached_tok are known */
    EXPERT_DELTA,      /* choice, text, tokens */
    EXPERT_CHOICE_END, /* choice, reason: no more deltas of this choice */
    EXPERT_VECTOR,     /* choice: which input; vector, n_vector: not normalised */
    EXPERT_RESULT,     /* result: what was seen, read, heard; TRANSCRIBE of long sound: several, each with new segments */
    EXPERT_AUDIO,      /* samples: the next piece of speech */
    EXPERT_TENSOR,     /* tensor: one output of INFER */
    EXPERT_DONE,       /* usage; final */
    EXPERT_ERROR,      /* err, usage so far; final.  Cancelled: ERR_CANCELLED */
    EXPERT_EVENT_COUNT
};

enum expert_stop_reason { EXPERT_STOP, EXPERT_LENGTH, EXPERT_STOP_REASON_COUNT };
const char *expert_stop_reason_name(enum expert_stop_reason r); /* "stop", "length" */

struct expert_token {
    int32_t id;
    float logprob;    /* of the raw distribution; 0 unless job.n_logprobs >= 0 */
    const char *text; /* the token's own bytes, perhaps part of a character */
    int n_text;
    const struct expert_token *top; /* the n_top likeliest, best first; their own n_top is 0 */
    int n_top;
};

struct expert_route { /* what the router decided for a job; texts are borrowed for the call */
    char id[32];              /* of the decision: `tutti route why ID` */
    const char *expert, *node;
    const char *why;          /* one line */
    const char *intent;       /* "code"; "" for what is no text */
    int n_asked;              /* experts so far, this one included: more than 1 after a promotion or a failure */
    bool is_degraded;         /* a lower step of a ladder answers */
    const char *ladder;       /* "llm 1/3: heat" when it is; else "" */
    float ttft_s, total_s;    /* predicted */
    float joules, usd;        /* NAN: not known */
    bool is_measured;         /* joules: by a meter; false: estimated.  Known at the end only */
};

struct expert_part { /* who said what, when several answer as one; texts are borrowed for the call */
    enum expert_task task;
    const char *expert, *node; /* "" when nobody was asked; "local" */
    int medium;           /* of the request's pictures and sounds, from 0; -1: of none */
    float start_ms, ms;   /* since the job came; it took */
    float joules;         /* NAN: not known */
    bool is_measured;     /* joules: by a meter */
    const char *text;     /* what it said; of the language model "": that is the answer */
    const char *error;    /* NULL, or why it said nothing; the others went on */
};

struct expert_usage { /* over all choices */
    int n_prompt_tok;   /* the prompt, once, however many choices */
    int n_cached_tok;   /* of those: found in the cache */
    int n_gen_tok;      /* generated, an end-of-answer token included */
    int n_guessed_tok, n_guessed_right_tok; /* guessed ahead (speculate.h), and right */
    uint64_t queue_ns;   /* submitted -> started */
    uint64_t prefill_ns; /* started -> first token; 0 when there was none */
    uint64_t decode_ns;  /* first token -> end */
    /* of a job that another machine did; else NULL and 0 */
    const char *node;    /* its name: lives as long as the expert */
    uint64_t bytes_out, bytes_in; /* of the request and the answer, on the way */
    float busy_w;        /* what works there draws above idle, as it says; 0: not known */
};

struct expert_event { /* all pointers are borrowed for the call */
    enum expert_event_kind kind;
    int choice;         /* input * n_choices + number of the choice */
    int n_ahead;
    const char *text;   /* whole characters of UTF-8, '\0'-terminated; may be empty when tokens came */
    size_t n_text;
    const struct expert_token *tokens; /* those whose text ended with this delta */
    int n_tokens;
    enum expert_stop_reason reason;
    const char *stop;   /* EXPERT_CHOICE_END: the stop string that was met; NULL: an end token or length */
    const float *vector;
    int n_vector;
    const struct task_result *result;
    const float *samples; /* mono, -1..1 */
    int n_samples, rate_hz;
    const struct tensor *tensor;
    const struct expert_usage *usage;
    const struct expert_route *route; /* EXPERT_ROUTED; EXPERT_DONE of a routed job: with what it took */
    const struct expert_part *part;
    const struct err *err;
};

/* Called on one of the expert's threads, never two at a time for a job; must not block and must not call
 * back into the expert (job_cancel() and job_hold() may be called).  Not called from expert_submit(). */
typedef void expert_on_event(void *ctx, const struct expert_event *ev);

/* ---- what is wanted ---- */

enum job_priority { JOB_INTERACTIVE, JOB_BATCH, JOB_PRIORITY_COUNT };

struct job_input { /* text, or ids when text is NULL */
    const char *text;
    size_t n_text;
    const int32_t *ids;
    int n_ids;
    bool raw;     /* no BOS in front even where the model asks for one */
    bool special; /* control tokens that are spelled out in the text become those tokens */
};

struct job_text {
    const char *text;
    size_t n;
};

enum { JOB_STOPS_MAX = 16, JOB_STOP_BYTES_MAX = 256, JOB_LOGPROBS_MAX = 20, JOB_CHOICES_MAX = 128, JOB_INPUTS_MAX = 2048 };

struct expert;

/* What the request says about how it wants to be served; the router heeds it, experts do not see it. */
enum wish_security { WISH_SECURITY_NONE, WISH_LOCAL /* this machine only: "airgap", "private" */, WISH_LAN /* machines of the house: "internal" */ };
struct expert_wish {
    enum wish_security security;
    float deadline_s;      /* the whole answer; 0: none */
    float ttft_s;          /* objective: the first word; 0: none */
    float budget_usd, budget_joules; /* at most; 0: none */
    float quality;         /* least tier, 0..10; 0: none */
    bool no_degrade;       /* rather an error than a lower step of a ladder */
    char trace[56];        /* W3C traceparent of this hop; "": none */
    char only[128];        /* for the router: the experts of this id and no others, on whichever node; "": whoever is best */
    int hops;              /* services of ours that the request has gone through: a remote expert may point back at its asker */
};

struct job {
    struct arena *arena; /* for whatever the maker puts into the job */

    enum expert_task task;
    json_t *vars;    /* CHAT: object of the template's variables: messages, tools, what the request adds.
                      * Owned by the job; the expert adds bos_token, eos_token and add_generation_prompt
                      * when absent; parts of `content` must be texts by then */
    const struct job_input *inputs; /* COMPLETE, EMBED */
    int n_inputs;
    struct task_request request;    /* all tasks beyond these three: media, texts, tensors, options (EMBED comes as inputs);
                                     * expert_submit() sets request.task.  What it points to lives in the arena, or on_free
                                     * gives it back */
    void (*on_free)(void *ctx);     /* NULL, or called when the job is freed */
    void *free_ctx;

    struct sampler_params sampling;  /* from sampler_defaults(); the maker chooses a seed, dry_breakers is the expert's */
    const struct job_text *dry_breakers; /* texts; NULL and n 0: newline, colon, quote, star */
    int n_dry_breakers;
    int n_choices;   /* default 1; choice i has seed + i */
    int max_tokens;  /* per choice; 0: until the context is full */
    const struct job_text *stops;
    int n_stops;
    int n_logprobs;  /* -1 (default): none; 0: of the token itself; n: and of the n likeliest */
    bool ignore_eos; /* benches: goes on to max_tokens */
    int speculate;   /* tokens guessed ahead, which changes the speed alone: 0 as the expert does, -1 none, n always up to n */
    const int32_t *forced; /* benches: what the answer's first n_forced tokens are, whatever is drawn; NULL: none */
    int n_forced;
    bool show_special; /* control tokens appear in the text */
    bool is_whole;   /* nobody sees the answer before its end: the router may judge all of it first */

    struct expert_wish wish;

    enum job_priority priority;
    uint64_t deadline_ns; /* a moment of clock_ns(); past it the job ends as ERR_BUSY; 0: none */

    expert_on_event *on_event; /* needed */
    void *ctx;                 /* must live until the final event */

    struct { /* the expert's and job.c's own */
        _Atomic int refs;
        _Atomic bool cancelled, held;
        struct expert *_Atomic expert;
        uint64_t submitted_ns;
    } priv;
};

/* Defaults everywhere; the arena takes up to limit_bytes.  NULL with err set. */
struct job *job_new(size_t limit_bytes, struct err *err);
struct job *job_ref(struct job *j);
void job_unref(struct job *j); /* NULL is fine; the last one frees */

/* Nobody wants the answer any more: takes effect within one step of the expert, queued or running; the
 * final event (ERR_CANCELLED, or what came first) still comes.  Before submission: submitting ends so too.
 * Whoever frees the expert makes sure that nobody is inside job_cancel() or job_hold() of its jobs. */
void job_cancel(struct job *j);
bool job_is_cancelled(const struct job *j);
/* The reader is slow: pause (keeps memory, gives no more deltas) and go on. */
void job_hold(struct job *j, bool hold);
bool job_is_held(const struct job *j);

/* ---- for experts ---- */

/* Why it must end now: it is cancelled, its expert stops (of that name; NULL: it does not), its deadline has passed.  false: it may go on. */
bool job_must_end(const struct job *j, const char *stopping, uint64_t now_ns, struct err *why);
/* Sends the one final event; err NULL: done.  Nobody wakes the expert for it any more; the reference stays the caller's. */
void job_end(struct job *j, const struct expert_usage *usage, const struct err *err);
#endif
