/* plan/model.h - a model as formulas see it: sizes, bits, what one token reads and keeps.
 *
 * For:     memory, speed, money; filled by advise/model.h from a catalog row or a GGUF file.
 * Touches: nothing.
 * Rule:    not known is 0.  Counts are weights, not billions; sizes are bytes.  From a file the shape and the bytes are
 *          exact (is_exact); from params and bits per weight they are estimates.
 */
#ifndef TUTTI_PLAN_MODEL_H
#define TUTTI_PLAN_MODEL_H
#include <stdbool.h>
#include <stdint.h>

struct plan_model {
    char name[96], arch[32], quant[24];
    bool is_exact;          /* weight_bytes, bytes_per_tok and the shape come from the file */
    double params;          /* weights stored */
    double active_params;   /* weights multiplied per token (MoE: chosen experts); == params for a dense model */
    double bpw;             /* bits per weight over the whole file */
    uint64_t weight_bytes;  /* of the file's tensors: params * bpw / 8 where there is no file */
    uint64_t bytes_per_tok; /* weights read for one token at decode */
    /* shape; n_layer 0: no shape known */
    int n_layer, n_embd, n_head, n_kv_head, d_k, d_v, n_ff, n_vocab, n_ctx_train;
    int n_expert, n_expert_used; /* 0: dense */
    /* layers by what they keep; n_layer is their sum */
    int n_layer_full;       /* K/V of every position */
    int n_layer_window;     /* K/V of the last `window` positions */
    int n_layer_linear;     /* a state of linear_state_bytes, whatever the context (Mamba, gated delta nets) */
    int window;             /* positions with itself; 0: none */
    uint64_t linear_state_bytes; /* of one layer and sequence */
    int q_lora, d_q_head, d_v_head; /* latent attention: rank of Q, values per head of Q and of the output */
    int n_ff_expert;        /* width of one expert */
    int n_cols_max;         /* the longest row of a matrix; 0: max(n_embd, n_ff) */
    bool ff_codes, ff_floats; /* what a dense layer's gate lets through is kept as codes, as floats; neither is said: codes, unless all is experts */
    bool is_encoder;        /* reads a text at once, keeps nothing (BERT) */
    int kv_lora, n_rot;     /* latent attention (MLA): one row of kv_lora + n_rot values per position; 0: none */
    /* quality, where the catalog knows it */
    int year;
};

/* Fills weight_bytes and bytes_per_tok from params, active_params (0: params) and bpw.  Units: bytes. */
void plan_model_size(struct plan_model *m);
/* Bits per weight over the whole file for a llama.cpp quantization name ("Q4_K_M", "F16", "MXFP4", "w4a16", "4bit");
 * 0 when not known.  params widens it: small models keep a larger share in Q6_K (measured file sizes, docs/plan.md). */
double plan_quant_bpw(const char *quant, double params);
#endif
