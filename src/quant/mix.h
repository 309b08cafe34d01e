/* quant/mix.h - which tensor gets which number format: "q4_k_m" and its like, a format for most matrices and better ones for
 * those that suffer most.
 *
 * For:     quant/quantize.h, tools/gen-model.
 * Touches: nothing.
 * Rule:    the choice is that of llama-quantize without an importance matrix (llama.cpp of 2026-09-28, src/llama-quant.cpp:
 *          tensor_allows_quantization, llama_tensor_get_type_impl, tensor_type_fallback), so that files of one name are of one size.
 */
#ifndef TUTTI_QUANT_MIX_H
#define TUTTI_QUANT_MIX_H
#include <stdbool.h>
#include <stdint.h>

#include "dtype/dtype.h"

struct mix {
    const char *name;   /* "q4_k_m", as one types it */
    enum dtype type;    /* of most matrices */
    uint32_t file_type; /* general.file_type */
};
extern const struct mix mixes[];
extern const int n_mixes;
/* By name, any case; NULL when unknown. */
const struct mix *mix_find(const char *name);

/* What the rules ask of a model. */
struct mix_model {
    bool is_falcon, is_llama_70b;
    bool is_tied;   /* no output.weight: the token embedding is the output, too */
    int n_layer, n_expert;
    int gqa;        /* heads of Q for one of K and V */
    int n_attn_v;   /* tensors for which mix_is_attn_v() */
};
bool mix_is_attn_v(const char *tensor);

/* Norms, vectors, routers, positions and other small things stay as they are. */
bool mix_may_change(const char *tensor, int n_dims);

/* Some rules count: hand in a zeroed one before the first tensor, and the tensors by layer (those of none first). */
struct mix_counts {
    int attn_v, ffn_down;
};
/* The format of a tensor that may change, before mix_fit(). */
enum dtype mix_wish(const struct mix *m, const struct mix_model *model, struct mix_counts *counts, const char *tensor, const uint64_t ne[4]);
/* The wish where its blocks divide rows of n_cols, else a format of blocks of 32, else F16. */
enum dtype mix_fit(enum dtype wish, uint64_t n_cols);
#endif
