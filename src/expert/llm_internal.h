/* expert/llm_internal.h - what the parts of an LLM expert share: expert_llm.c (door and lists), front.c (loading,
 * prompts), residence.c (when the model is in memory), schedule.c (the engine thread), batch.c (what a pass evaluates).
 *
 * A job's way:  submit -> inbox -> front thread (render, tokenize) -> ready -> engine thread: live -> final event.
 * Whoever moves a work between the lists holds the lock; only the engine thread sends events and ends a work,
 * so events never overlap.  A work belongs to the thread of its list; in the inbox (and ready) to the lock.
 */
#ifndef TUTTI_EXPERT_LLM_INTERNAL_H
#define TUTTI_EXPERT_LLM_INTERNAL_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "expert/answer.h"
#include "expert/expert.h"
#include "expert/expert_llm.h"
#include "expert/keeper.h"
#include "expert/speculate.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "llm/llm.h"
#include "llm/sample.h"
#include "template/template.h"
#include "token/token.h"

struct work;
struct draft;

enum { KV_PAGE_TOK = 32 };

enum gen_state {
    GEN_WAITING, /* for a sequence: admit(); again after preempt() */
    GEN_RUNNING, /* has a sequence: its tokens are evaluated, new ones drawn */
    GEN_ENDED    /* end_choice() */
};

struct gen { /* one choice of a job */
    struct work *work;
    enum gen_state state;
    int choice;    /* as in events */
    int prompt;    /* which */
    int seq;       /* while running */
    int32_t *tokens; /* [max_tokens] prompt and answer; made when it first runs, kept while preempted */
    int n_prompt, n_tokens, max_tokens;
    int n_done;    /* tokens evaluated: llm_seq_len() */
    int n_chunk;   /* tokens in the batch at hand; the last of all wants logits when n_done + n_chunk == n_tokens */
    struct guess *guess; /* made with the tokens when answers may be guessed ahead; NULL: never.  What is guessed stands in tokens + n_tokens */
    int n_guess;   /* guessed tokens behind those in the batch at hand; each wants logits */
    int row;       /* its first logits in the batch at hand */
    int n_drawn;   /* rows from there on from which sample_rows() has drawn */
    struct sampler sampler;
    struct answer answer;
};

struct drawn { /* from one row of logits */
    int32_t id;
    float logprob;
    int n_top;
    struct token_logprob top[JOB_LOGPROBS_MAX];
};

struct prompt {
    int32_t *ids; /* owned */
    int n;
    bool evaluated; /* once: other choices find its pages */
    bool running;   /* a choice is evaluating it: the others wait for its pages */
};

struct work { /* a job inside the expert */
    struct work *prev, *next;
    struct job *job; /* one reference */
    uint64_t ticket; /* order of submission */
    /* front.c */
    struct prompt *prompts; /* [n_prompts] */
    int n_prompts;
    struct gen *gens; /* [n_gens]; none for embeddings */
    int n_gens;
    uint64_t *dry_breakers; /* owned; NULL: the expert's */
    struct job_text stops[JOB_STOPS_MAX + 1]; /* the job's, and one of the plain template */
    int n_stops;
    bool failed;
    struct err err;
    /* schedule.c */
    int n_running, n_ended; /* choices */
    int n_embedded;         /* prompts */
    uint64_t last_turn;     /* embeddings: when it was served last */
    bool was_queued, was_started;
    struct expert_usage usage;
    uint64_t started_ns, first_ns;
};

struct work_list {
    struct work *first, *last;
    int n;
};
void work_free(struct work *w); /* not the job */

struct expert_llm {
    struct expert base; /* first */

    /* set by expert_llm_open(), constant afterwards */
    struct expert_llm_options opt; /* with the defaults filled in as far as they are known */
    char id[128];
    char *draft_path;    /* owned; NULL: none */
    char *template_text; /* owned; NULL: the file's */
    char *prefix_dir;    /* owned; NULL: prefixes are not kept */
    struct gguf *gguf;

    /* set by load() on the front thread before the state is warm, constant afterwards */
    struct kernels kernels;
    struct vocab *vocab;
    struct pool *pool;
    struct llm_model *model;
    struct template *template; /* NULL: an encoder, no chat */
    bool is_plain_template;
    unsigned tasks;
    int n_vocab, n_embd, n_limit_tok; /* n_limit_tok: longest prompt and answer */
    int32_t *eog; /* [n_eog] tokens that end an answer */
    int n_eog;

    /* front thread */
    struct token_list tokens;
    struct buf rendered;
    uint64_t *dry_breakers; /* of the default texts, made when first wanted; handed over with the work */

    /* engine thread (made by load(), before warm) */
    struct llm_ctx *ctx;
    struct prefix_store *prefix; /* NULL: none */
    struct sampler_scratch **scratch; /* [n_threads] */
    float *logits_copy;         /* [n_threads][n_vocab] */
    struct answer_out out;
    struct llm_token *batch;    /* [n_batch_max] */
    struct gen **running;       /* [n_seq_max], NULL: free */
    struct gen **sampled;       /* [n_seq_max] those with logits in this batch */
    int n_sampled, n_rows;      /* n_rows: rows of logits */
    bool has_prompts;           /* the batch reads some */
    struct drawn *drawn;        /* [n_seq_max + GUESS_MAX] a row of logits each */
    struct guess_offer *offers; /* [n_seq_max] */
    struct speculation speculation;
    struct draft *draft;        /* NULL: none */
    float *vector;              /* [n_embd] */
    struct work_list live;
    int n_running;
    int n_seq;                  /* sequences that may begin now: opt.n_seq_max or less */
    uint64_t turn;              /* of the loop */
    uint64_t next_deadline_ns;  /* of the live works and the inbox; 0: none */
    double prefill_ns_per_tok;  /* measured; 0: not yet */
    double pass_ns;             /* of a pass beyond that, mostly reading weights; measured; 0: not yet */
    struct expert_metrics mine; /* counters; publish() copies them to m */

    /* under the lock */
    pthread_mutex_t lock;
    pthread_cond_t front_wake, engine_wake, changed; /* changed: state, n_jobs */
    struct work_list inbox, ready;
    int n_open;         /* accepted and not finished: what the queue's bound counts */
    int n_jobs;         /* ... or finished, but the final event is still under way */
    uint64_t n_tickets;
    bool stopping, quit;
    bool wants_warm, wants_unload, give_back; /* for the front thread: load although no job waits; unload when nothing runs */
    bool is_engine_idle;                      /* it sleeps and has no work: the model may go */
    uint64_t retry_ns;                        /* down and lazy: a job after that tries again */
    bool flags_changed;  /* cancel, hold, a deadline, stop: look at all works */
    uint64_t drain_until_ns; /* stopping: jobs may go on until then */
    struct err down;         /* state down: why */
    struct expert_metrics m;
    struct expert_card card;

    struct keeper_seat *seat; /* NULL: no keeper.  Never called with the lock held */
    _Atomic float threads_share, batch_share, context_share; /* expert_limit(); each is looked at alone, whenever something begins */
    bool has_begun;           /* front thread: keeper_begin() */
    uint64_t need_bytes;      /* front thread: what a load is expected to take */
    uint64_t load_begun_ns;   /* front thread, and the thread that packs last */
    _Atomic uint64_t held_bytes; /* while loaded */

    bool has_front, has_engine;
    pthread_t front, engine;
};

/* front.c */
void *front_main(void *arg);
/* What is left of a whole when only a share may be used; at least `least`, and never more than the whole. */
int llm_share(int whole, float share, int least);
/* schedule.c */
void *engine_main(void *arg);
/* batch.c */
int batch_guess_max(const struct expert_llm *e);             /* rows of logits beside one for each sequence */
int batch_build(struct expert_llm *e, bool may_guess);       /* e->batch, e->sampled; returns how many tokens */
/* A pass of the n tokens of that, all weights packed, took so long, and so long with drawing. */
void batch_note(struct expert_llm *e, int n, double forward_ns, double ns);
/* ahead.c: guesses, n_room at most, for the n_streams answers of a batch without prompts: g->n_guess of each. */
void ahead_guess(struct expert_llm *e, int n_streams, int n_room);
/* What load() makes for the engine thread; false with err. */
bool engine_init(struct expert_llm *e, struct err *err);
void engine_fini(struct expert_llm *e);
/* prefix.c */
void prefix_open(struct expert_llm *e); /* after engine_init(), when it was asked for */
/* The sequence has n_reused of these tokens, whole pages; goes on with what the file has.  Returns how many it has then. */
int prefix_fetch(struct expert_llm *e, int seq, const int32_t *ids, int n_ids, int n_reused);
bool prefix_keep_page(struct expert_llm *e); /* writes one; false: nothing is wanted */
/* residence.c: the model comes and goes; all on the front thread, none with the lock held but where it says so. */
bool residence_join(struct expert_llm *e, struct keeper *keeper, struct err *err);
enum residence { RESIDENCE_GO, RESIDENCE_NO, RESIDENCE_QUIT };
enum residence residence_ask(struct expert_llm *e, struct err *err); /* waits for memory; jobs may end meanwhile */
void residence_loaded(struct expert_llm *e, uint64_t load_ns);
void residence_watch_packing(struct expert_llm *e, uint64_t begun_ns); /* behind residence_loaded() */
void residence_unload(struct expert_llm *e); /* everything that load() made; the engine thread sleeps */
void residence_gave(struct expert_llm *e);
#endif
