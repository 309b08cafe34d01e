/* llm/model.h - a loaded model as the forward pass sees it.
 *
 * For:     llm/ alone: load.c fills it, forward.c, attention.c and ffn.c read it.
 *
 * Letters of shapes, here and in the rooms above: n_tok tokens of the batch, E = n_embd, H = n_head,
 * G = n_head / n_kv (query heads that share one K/V head), dk = d_k, dv = d_v, F = n_ff.
 */
#ifndef TUTTI_LLM_MODEL_H
#define TUTTI_LLM_MODEL_H
#include "base/arena.h"
#include "llm/arch.h"
#include "llm/llm.h"
#include "llm/packing.h"

/* n matrices of one shape one after another: experts, heads. */
struct weight_stack {
    struct weight w; /* the first; w.data NULL: absent */
    int n;
    size_t stride_bytes;
};
static inline struct weight weight_stack_at(const struct weight_stack *s, int i)
{
    struct weight w = s->w;
    w.data += (size_t)i * s->stride_bytes;
    return w;
}

struct llm_layer { /* vectors: NULL when absent */
    const float *attn_norm, *attn_norm_b;
    struct weight qkv[3];        /* q, k, v; or all in [0] (fused, then [1] and [2] are absent) */
    const float *qkv_bias;       /* [n_q + n_k + n_v] */
    const float *q_norm, *k_norm; /* [d] per head */
    const float *sinks;          /* [H] */
    struct weight o;
    const float *o_bias;
    const float *post_attn_norm, *post_attn_norm_b;
    /* latent attention */
    struct weight q_a, q_b, kv_a;
    const float *q_a_norm, *kv_a_norm;
    struct weight_stack k_b, v_b; /* per head: [lora][nope], [v][lora] */
    /* feed-forward */
    const float *ffn_norm, *ffn_norm_b;
    struct weight gate, up, down; /* dense, or the shared expert; gate absent: fused into up (phi3) or none (gpt2) */
    bool up_holds_gate;
    const float *gate_bias, *up_bias, *down_bias;
    const float *post_ffn_norm, *post_ffn_norm_b;
    int n_ff;                     /* of the dense part */
    struct weight router;         /* absent: no experts */
    const float *router_bias, *select_bias;
    const float *shared_gate;     /* [E]: sigmoid gate of the shared expert */
    struct weight_stack gate_e, up_e, down_e;
    const float *gate_e_bias, *up_e_bias, *down_e_bias; /* [n_expert][..] */
    bool has_window, has_rope;
};

struct llm_rope_params {
    float base, factor, attn_factor;  /* factor >= 1 stretches; attn_factor multiplies cos and sin */
    bool is_yarn;
    int n_ctx_orig;
    const float *freqs;               /* [n_rot / 2] divide each angle; NULL: none */
};

struct llm_model {
    const struct gguf *gguf;          /* borrowed */
    const struct kernels *kernels;    /* borrowed */
    struct pool *pool;                /* borrowed */
    const struct llm_arch *arch;
    struct llm_info info;
    struct arena *arena;              /* layers, converted vectors */
    struct pack_item *items;          /* owned, [n_items]: all matrices, by layer */
    size_t n_items;
    struct packing *packing;          /* stage i is layer i, stage n_layer the output */

    int n_vocab, n_embd, n_layer, n_head, n_kv, d_k, d_v, n_rot, n_ctx_train;
    int d_q_head;                     /* values per head that q has: d_k, or nope + rope with latent attention */
    int n_q, n_k, n_v;                /* widths of the parts of the qkv buffer */
    int q_lora, kv_lora, d_nope, d_v_head; /* latent attention */
    int n_expert, n_expert_used, n_ff_expert, n_ff_max;
    enum llm_gate gate;
    bool gate_norm;
    float gate_scale;                 /* of expert weights */
    float eps, embd_scale, residual_scale, attn_scale, attn_cap, logit_scale, final_cap;
    float window_rope_base;           /* of window layers, where arch says that they have their own */
    int window;                       /* positions with itself; 0: none */
    struct llm_rope_params rope;      /* full layers */
    float yarn_log_mul;               /* deepseek2: YaRN's factor on the scores; 0: none */
    const float *rope_long, *rope_short; /* phi3: chosen by the context's length */
    int pooling;                      /* encoders: 1 mean, 2 first token (CLS), 3 last */

    const struct gguf_tensor *tok_embd; /* rows are read from the file */
    const float *pos_embd;            /* [n_ctx_train][E] */
    const float *type_embd;           /* [E] of token type 0 */
    const float *embd_norm, *embd_norm_b;
    const float *out_norm, *out_norm_b;
    struct weight output;
    const float *output_bias;
    struct llm_layer *layers;
    /* the widest things, for scratch memory */
    int n_cols_max;
};
#endif
