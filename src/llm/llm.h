/* llm/llm.h - language models: weights ready to run, and contexts in which sequences are evaluated.
 *
 * For:     expert/ (the scheduler), cmd/ (run, model logits), bench/.
 * Callers: rooms above.
 * Touches: the model's mapping, the thread pool, memory.  Thread: a model never changes after open
 *          and may be shared; a context belongs to one thread at a time.
 * Rule:    the unit of work is a batch of (sequence, position, token).  What a token computes does not depend
 *          on the other tokens of the batch, on the number of threads, or on whether its prefix came from
 *          the cache: the same input gives the same logits, to the bit.
 *          The K/V cache lies in pages of 32 positions; full pages are found again by their content
 *          (a chain of hashes, compared token by token), so that sequences share prefixes.
 * Start:   forward.c (llm_forward: a line per step), arch.c (what each architecture is), load.c, kv.c.
 */
#ifndef TUTTI_LLM_LLM_H
#define TUTTI_LLM_LLM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"

struct llm_model;
struct llm_ctx;

/* ---- a model ---- */

struct llm_info { /* plain facts; texts are borrowed from the model */
    const char *arch;  /* "llama", "qwen2", ... */
    char name[96];     /* general.name, else the file's name */
    int n_vocab, n_embd, n_layer, n_head, n_kv_head;
    int n_ctx_train;
    bool is_encoder;   /* gives one vector for a text (bert), no next token */
    uint64_t n_params, active_params; /* all; multiplied for one token (without the embedding table) */
    uint64_t last_params;    /* of the active ones: what only a token goes through whose logits are wanted */
    uint64_t weight_bytes;   /* what we hold or map for the weights */
    uint64_t bytes_per_tok;  /* weights read for one token at decode (MoE: active experts only) */
    uint64_t kv_bytes_per_tok_f16; /* of values in 16 bits, without their scales (1 to 3 % more) */
};

/* Returns when everything is checked; the weights are packed meanwhile and later, by as many threads as the pool has, in the order
 * in which a pass wants them: the first pass packs, too, where it must.  g, k and pool are borrowed until llm_model_free().
 * NULL with err: what tensor or key is missing, or has which wrong shape; ERR_UNSUPPORTED names the architecture. */
struct llm_model *llm_model_open(const struct gguf *g, const struct kernels *k, struct pool *pool, struct err *err);
void llm_model_free(struct llm_model *m); /* NULL is fine */
void llm_model_wait(const struct llm_model *m); /* until all weights are packed: for who measures */
bool llm_model_is_packed(const struct llm_model *m); /* no pass has to wait for weights any more */
/* fn is called once, when all weights are packed: from a thread of the model's, which llm_model_free() waits for, from one of a pass, or at once. */
void llm_model_on_packed(struct llm_model *m, void (*fn)(void *ctx), void *ctx);
const struct llm_info *llm_model_info(const struct llm_model *m);

/* ---- a context ---- */

struct llm_ctx_options { /* zero means the default */
    int n_ctx;          /* longest sequence; default min(trained context, 4096); never more than learned positions (gpt2, bert) */
    int n_kv_tok;       /* all sequences together; default n_ctx * n_seq_max */
    int n_seq_max;      /* sequences at a time; default 1 */
    int n_batch_max;    /* tokens of one llm_forward(); default 512; bounds scratch memory */
    int n_logits_max;   /* logits rows of one llm_forward(); default n_seq_max; bounds memory */
    bool kv_q8;         /* keep K and V in 8 bits instead of 16 */
};

struct llm_ctx *llm_ctx_new(const struct llm_model *m, const struct llm_ctx_options *opt, struct err *err);
void llm_ctx_free(struct llm_ctx *c); /* NULL is fine */
int llm_ctx_n_ctx(const struct llm_ctx *c);
int llm_ctx_n_batch_max(const struct llm_ctx *c);
int llm_ctx_kv_free_tok(const struct llm_ctx *c);  /* positions that could be given out now */
int llm_ctx_kv_total_tok(const struct llm_ctx *c);
/* What a context holds at most: K/V pages (touched as they are first written), and all else. */
struct llm_ctx_bytes {
    size_t kv, scratch;
};
struct llm_ctx_bytes llm_ctx_bytes(const struct llm_ctx *c);

/* ---- sequences ---- */

/* A free sequence 0 .. n_seq_max - 1, empty; -1 when all are taken. */
int llm_seq_new(struct llm_ctx *c);
/* Gives it back; its full pages stay findable until their memory is needed. */
void llm_seq_free(struct llm_ctx *c, int seq);
int llm_seq_len(const struct llm_ctx *c, int seq); /* positions evaluated */
/* On an empty sequence: takes over cached pages that begin with these tokens; returns how many
 * of the n tokens need not be evaluated (a multiple of 32, less than n: the last one is always left). */
int llm_seq_reuse(struct llm_ctx *c, int seq, const int32_t *tokens, int n);
/* Forgets positions >= n_keep (a regenerated answer, a rejected draft).  Returns the new length: less than
 * n_keep (a multiple of 32) when a shared page could not be copied; evaluate the rest again. */
int llm_seq_truncate(struct llm_ctx *c, int seq, int n_keep);

/* Pages of a sequence as bytes, to be kept elsewhere (expert/prefix_store.h). */
enum { LLM_PAGE_TOK = 32 };
size_t llm_page_bytes(const struct llm_ctx *c);
/* What these bytes depend on beside model and tokens: the cache's type and shape, the order of its bytes, the context's length. */
uint64_t llm_page_kind(const struct llm_ctx *c);
void llm_seq_get_page(const struct llm_ctx *c, int seq, int page, void *out); /* one that is full */
/* Goes on where the sequence ends (a multiple of 32) with 32 tokens that were evaluated elsewhere.  false, nothing changed: no page is
 * free, the context is full, an id is not in the vocabulary. */
bool llm_seq_put_page(struct llm_ctx *c, int seq, const int32_t ids[LLM_PAGE_TOK], const void *in);

/* ---- evaluate ---- */

struct llm_token {
    int32_t seq, pos, id;  /* tokens of one sequence stand together, positions count on from llm_seq_len() */
    bool want_logits;
};

/* Evaluates the batch (1 <= n <= n_batch_max).  false with err and nothing changed: ERR_INPUT for ids or positions that
 * make no sense, ERR_LIMIT when a sequence passes n_ctx or too many logits are wanted, ERR_BUSY when no pages are free. */
bool llm_forward(struct llm_ctx *c, const struct llm_token *tok, int n, struct err *err);
/* Logits [n_vocab] of the i-th token of that batch that wanted them; may be overwritten by the caller;
 * valid until the next llm_forward().  NULL when there are not so many. */
float *llm_logits(struct llm_ctx *c, int i);

/* The pooled vector [n_embd] of n tokens, not normalised (api/ does that): encoders pool as the file says;
 * a decoder model gives the mean of its last hidden states after the final norm.  Needs a free sequence. */
bool llm_embed(struct llm_ctx *c, const int32_t *ids, int n, float *out, struct err *err);
#endif
