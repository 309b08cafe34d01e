/* llm/arch.h - what makes an architecture: a short description, not code.
 *
 * For:     llm/ alone.
 * Rule:    one forward pass serves all; it asks these flags.  What the file itself shows (a bias, a
 *          Q/K norm, a fused QKV, experts, sinks, a tied output) is not repeated here.
 *          To add an architecture: one entry in arch.c, its golden file in the tests; docs/adding.md.
 */
#ifndef TUTTI_LLM_ARCH_H
#define TUTTI_LLM_ARCH_H
#include <stdbool.h>

#include "gguf/gguf.h"

enum llm_norm { NORM_RMS, NORM_LAYER };
enum llm_rope { ROPE_NONE, ROPE_ADJACENT, ROPE_HALVES };
enum llm_act { ACT_SILU, ACT_GELU, ACT_SWIGLU_OAI };
enum llm_gate { /* how router logits become weights; expert_gating_func in the file overrides */
    GATE_SOFTMAX,       /* softmax over all experts, then the best k */
    GATE_SIGMOID,
    GATE_TOPK_SOFTMAX,  /* the best k, then softmax over those */
};

struct llm_arch {
    const char *name;      /* general.architecture */
    enum llm_norm norm;
    enum llm_rope rope;
    enum llm_act act;
    enum llm_gate gate;
    bool gate_norm;        /* the k weights are divided by their sum */
    bool embd_sqrt;        /* embeddings x sqrt(hidden) */
    bool post_norm;        /* encoder: normalise after each residual, no causal mask */
    bool learned_pos;      /* position_embd.weight is added */
    bool tied_output;      /* never has output.weight */
    bool mla;              /* latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1) */
    int window_period;     /* layers whose index mod period < period - 1 see a sliding window; 0: none */
    float window_rope_base; /* rope base of window layers, without scaling; 0: the same rope everywhere */
    int no_rope_period;    /* layers with index mod period == period - 1 have no rope; 0: all have */
    float attn_cap, final_cap; /* softcaps when the file names none */
    const char *ffn_norm;  /* tensor name, NULL: ffn_norm */
};

/* NULL when we do not know the name. */
const struct llm_arch *llm_arch_find(const char *name, size_t n);
/* All names, comma-separated, for error texts. */
void llm_arch_names(char *out, size_t n_bytes);
#endif
