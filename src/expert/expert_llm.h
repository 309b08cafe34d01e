/* expert/expert_llm.h - an expert that is a GGUF model in our own engine.
 *
 * For:     serve/, cmd/ (run), bench/: they open it; everything after that goes through expert.h.
 * Callers: rooms above.
 * Touches: the model's file, memory, threads: a front thread (loads the model, then renders templates and
 *          tokenizes), an engine thread (the scheduler) and its pool.
 * Rule:    opening checks the file's head and returns; the rest of loading is the front thread's work, and
 *          jobs may be submitted meanwhile.  Unloading (idle, or asked to) happens there too, while the engine thread
 *          sleeps.  Idle it uses no CPU.
 */
#ifndef TUTTI_EXPERT_EXPERT_LLM_H
#define TUTTI_EXPERT_EXPERT_LLM_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "expert/expert.h"

struct keeper;

struct expert_llm_options { /* zero means the default */
    const char *id;    /* what clients call it; default: the file's name without .gguf */
    int n_ctx;         /* longest sequence; default min(trained context, 4096) */
    int n_kv_tok;      /* K/V positions of all sequences; default n_ctx * min(n_seq_max, 4) */
    int n_seq_max;     /* sequences at a time; default 8 */
    int n_batch_max;   /* tokens of one step; default 512 */
    int n_queue_max;   /* jobs accepted and not finished; default 512 */
    int n_threads;     /* default cpu_default_threads() */
    bool kv_q8;
    const char *draft; /* a smaller model with the same vocabulary that guesses (draft.h): its file; NULL: none; copied */
    int speculate;     /* tokens guessed ahead (speculate.h): 0 as many as pay, -1 none, n always up to n */
    uint32_t cpu;      /* enum cpu_flag bits that may be used; 0: all that the machine has */
    const char *chat_template; /* instead of the file's; borrowed for the call */
    const char *prefix_dir; /* prefixes that many prompts have are kept in files below it (prefix_store.h); NULL: they are not; borrowed for the call */
    uint64_t prefix_bytes;  /* at most, for each model */
    bool is_quiet;     /* a failed load is not logged: whoever waits for it says so */
    bool is_lazy;      /* loaded by the first job or expert_wait_ready(); after a failed load the next job tries again */
    uint64_t keep_ms;  /* idle before it is unloaded by itself; 0: never */
    struct keeper *keeper; /* asked before loading, and told to make room; NULL: nobody */
};

/* NULL with err: no such file, no model, no memory.  Owned by the caller (expert_free). */
struct expert *expert_llm_open(const char *path, const struct expert_llm_options *opt, struct err *err);
#endif
