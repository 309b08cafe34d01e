/* llm/ctx.h - a context: the cache, the scratch memory of one forward pass, and the batch in work.
 *
 * For:     llm/ alone: ctx.c makes it, forward.c tells the story, attention.c, ffn.c and product.c are its steps.
 * Thread:  the pool's threads walk through forward.c together; what is per thread is indexed by ith.
 */
#ifndef TUTTI_LLM_CTX_H
#define TUTTI_LLM_CTX_H
#include "llm/kv.h"
#include "llm/model.h"

enum {
    SMALL = 4,       /* up to so many tokens every thread prepares inputs for itself instead of waiting */
    TILE_GROUPS = 4, /* row groups of one piece of work at prefill */
    FEW = 32,        /* up to so many tokens reading the weights takes a good part of the time */
    PIECE_BYTES = 48 << 10, /* no piece of weights smaller than this, then */
    TOKENS = 8,      /* taken at once where each is little work: their rows are one stream */
    AHEAD = 4,       /* rows of a tall narrow piece that are asked for before they are written: no hardware foresees them */
};

struct thread_scratch { /* one per thread, nothing shared */
    float *norm;             /* [SMALL][widest input] */
    void *acts;              /* acts_bytes(SMALL, n_cols_max) */
    void *matmul, *attn;     /* the kernels' scratch */
    float *tile, *gate;      /* [n_batch_max][TILE_GROUPS * 16] */
    struct attn_row *rows;   /* [ATTN_ROWS] */
    const uint8_t **k, **v;  /* [pages of a sequence] */
};

struct run { /* tokens of one sequence that stand together in the batch */
    int seq, first, n; /* tok[first] .. tok[first + n - 1] */
};

struct moe_slot { /* one (token, chosen expert) */
    int tok, expert;
    float weight;
};

struct llm_ctx {
    const struct llm_model *m;
    struct kv kv;
    int n_ctx, n_batch_max, n_logits_max, n_threads;
    double *freq[2];         /* [n_rot / 2]: angle per position; [0] full, [1] window layers */
    float rope_mult[2];

    void *memory;            /* one block for all that follows */
    size_t memory_bytes;
    float *x;                /* [n_tok][E] the residual stream */
    float *norm;             /* [n_tok][E] normalised input of a product */
    float *qkv;              /* [n_tok][n_q + n_k + n_v] */
    float *att;              /* [n_tok][H * d_v] */
    float *tmp;              /* [n_tok][E] an output before its norm */
    float *ff;               /* [n_tok][n_ff_max], for layers that multiply it as floats */
    void *ff_acts;           /* acts_bytes(n_batch_max, n_ff_max), for the others */
    float *cs;               /* [2][n_tok][n_rot] cos, sin */
    float *latent;           /* latent attention: [n_tok][H * d_k], queries in the latent space */
    void *acts_mem;          /* acts_bytes(n_batch_max, n_cols_max) */
    float *logits;           /* [n_logits_max][n_vocab] */
    struct thread_scratch *thread;
    /* experts */
    float *router;           /* [n_tok][n_expert] */
    struct moe_slot *slot;   /* [n_tok * n_expert_used], sorted by expert, then by token */
    int *expert_first;       /* [n_expert + 1] into slot */
    int *slot_of;            /* [n_tok][n_expert_used] */
    float *moe_in;           /* [n_slot][E] */
    float *moe_ff;           /* [n_slot][n_ff_expert] */
    float *moe_out;          /* [n_slot][E] */
    void *moe_acts;          /* for n_slot rows of max(E, n_ff_expert) */

    /* the batch in work */
    const struct llm_token *tok;
    int n_tok, n_runs, n_want;
    struct run *run;         /* [n_batch_max] */
    int *want;               /* [n_logits_max] rows of x */
    bool sees_all;           /* encoder: no causal mask */
    bool keeps_all;          /* every row of x is wanted behind the last layer */
};

/* What the pool's threads walk through (forward.c). */
void llm_walk(struct pool *p, int ith, void *ctx);

/* ---- product.c: inputs prepared, weights multiplied ---- */

/* Whether another token of a step is this thread's to do, and which: for (int t = 0, end = 0; next_token(c, &t, &end); t++).  Each is given out
 * once; *end: behind those that the thread has taken already. */
bool next_token(const struct llm_ctx *c, int *t, int *end);

/* Rows of a batch ready to be multiplied: normalised when norm is given, quantized when a weight asks.
 * With few tokens every thread makes its own copy and nobody waits; else all share one, and wait. */
struct input {
    const float *x;             /* [n_tok][n_cols] */
    const float *norm, *norm_b; /* NULL: as it is */
    int n_cols;
};
struct acts product_input(struct llm_ctx *c, int ith, const struct input *in, int kinds);

struct product { /* y[t][r] = W x + bias; or add_to[t][r] += scale * (W x + bias) */
    const struct weight *w;
    float *y;
    size_t ldy;
    const float *bias;
    float *add_to;  /* NULL: y is the result */
    float scale;
};
/* All rows of all n products, handed out in pieces; no barrier at the end. */
void product_run(struct llm_ctx *c, int ith, const struct product *p, int n, const struct acts *a, int n_tok);
/* How the groups of a matrix are handed out.  Few tokens: long pieces first, each a share of what is left, since memory is
 * read fastest in long runs; short ones at the end, so that all are ready together.  Many: equal pieces. */
struct split {
    int n_groups, share, least;
    int64_t piece; /* the piece at hand: groups [at, at + n); after a false split_find() the number of pieces */
    int at, n;
};
void split_start(struct split *s, const struct llm_ctx *c, const struct weight *w, int n_tok);
/* Goes forward to `piece` (never back); false: there are fewer. */
bool split_find(struct split *s, int64_t piece, int *g0, int *g1);
/* A matrix of its own in this thread: all groups, no sharing. */
void product_alone(struct llm_ctx *c, int ith, float *y, size_t ldy, const struct weight *w, const struct acts *a, int n_tok);

/* ---- attention.c, ffn.c: one layer's halves; both end with a barrier, x updated ---- */
void attention_step(struct llm_ctx *c, int ith, int layer);
void ffn_step(struct llm_ctx *c, int ith, int layer);

/* out of norm kind of the architecture, one row */
void norm_row(const struct llm_model *m, float *out, const float *x, const float *w, const float *b, int n);
/* x += scale * norm(y), all tokens, pieces and a barrier: post norms (gemma 2, 3). */
void add_normed(struct llm_ctx *c, const float *y, const float *w, const float *b);
/* x = norm(x), all tokens, pieces and a barrier: encoders. */
void norm_in_place(struct llm_ctx *c, const float *w, const float *b);
#endif
