/* tools/train/model.h - a llama-shaped transformer: parameters, forward pass, gradients.
 *
 * For:     main.c (training, evaluation, sampling), export.c (where each matrix lies), optim.c.
 * Callers: tools/train only; tutti's own engine is src/llm and shares nothing with this but the formulas,
 *          so that each can check the other.
 * Touches: memory of its own; the pool.
 * Rule:    x += Wo attention(norm(x)), x += Wd (silu(Wg h) * Wu h) with h = norm(x); RMS norms without
 *          bias, rotary positions on pairs (2i, 2i + 1), tied embeddings.  Gradients are the same for any
 *          number of threads.
 *
 * Letters: T tokens of a batch = rows x ctx, D width, Q = heads x head width, G = kv heads x head width,
 *          F width of the feed-forward, V vocabulary, L layers.
 */
#ifndef TUTTI_TOOLS_TRAIN_MODEL_H
#define TUTTI_TOOLS_TRAIN_MODEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"

struct shape {
    int vocab, dim, n_layers, n_heads, n_kv_heads, head_dim, ffn, ctx;
    float rope_base, norm_eps;
};

/* Where things lie in the one array of parameters; the same for gradients and moments. */
struct layer_at {
    size_t norm1; /* [D] */
    size_t wqkv;  /* [Q + 2 G][D] */
    size_t wo;    /* [D][Q] */
    size_t norm2; /* [D] */
    size_t wgu;   /* [2 F][D]: gate, then up */
    size_t wd;    /* [D][F] */
};
enum { LAYERS_MAX = 64 };
struct layout {
    size_t embed; /* [V][D] */
    struct layer_at layer[LAYERS_MAX];
    size_t norm; /* [D] */
    size_t n;    /* all */
};

/* One batch: rows of ctx tokens.  A row may hold several documents; a token sees its own only. */
struct batch {
    int n_rows;
    const uint16_t *token;  /* [T] */
    const int32_t *target;  /* [T]: the next token, or -1 where nothing is to be learned */
    const uint16_t *start;  /* [T]: where in its row the token's document begins */
};

struct model;

bool shape_check(const struct shape *s, struct err *err);
struct model *model_new(const struct shape *s, struct pool *pool, unsigned cpu_flags, int max_rows, struct err *err);
void model_free(struct model *m);
void model_init_weights(struct model *m, uint64_t seed);

const struct shape *model_shape(const struct model *m);
const struct layout *model_layout(const struct model *m);
float *model_params(struct model *m);
float *model_grads(struct model *m);
const char *model_isa(const struct model *m);
struct gemm *model_gemm(struct model *m);

/* Mean loss (nats) over the targets, and how many there were.  With `backward`, model_grads() holds the
 * gradient of the mean.  losses, when not NULL, takes the loss of each token (0 where none).  false: memory. */
bool model_loss(struct model *m, const struct batch *b, bool backward, double *loss, size_t *n_targets,
                float *losses, struct err *err);
/* Logits of one token of the last model_loss(): what follows it.  logits [V]. */
void model_logits_at(struct model *m, size_t token_index, float *logits);
#endif
