/* quant/mix.c - see mix.h; the rules are in mix_wish(). */
#include "quant/mix.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { /* general.file_type (gguf-py/gguf/constants.py, LlamaFileType) */
    FT_F32 = 0, FT_F16 = 1, FT_Q4_0 = 2, FT_Q4_1 = 3, FT_Q8_0 = 7, FT_Q5_0 = 8, FT_Q5_1 = 9, FT_Q2_K = 10, FT_Q3_K_S = 11, FT_Q3_K_M = 12,
    FT_Q3_K_L = 13, FT_Q4_K_S = 14, FT_Q4_K_M = 15, FT_Q5_K_S = 16, FT_Q5_K_M = 17, FT_Q6_K = 18, FT_IQ4_NL = 25, FT_IQ4_XS = 30, FT_BF16 = 32,
    FT_MXFP4 = 38,
};

const struct mix mixes[] = {
    { "f32", DTYPE_F32, FT_F32 },          { "f16", DTYPE_F16, FT_F16 },          { "bf16", DTYPE_BF16, FT_BF16 },
    { "q8_0", DTYPE_Q8_0, FT_Q8_0 },       { "q4_0", DTYPE_Q4_0, FT_Q4_0 },       { "q4_1", DTYPE_Q4_1, FT_Q4_1 },
    { "q5_0", DTYPE_Q5_0, FT_Q5_0 },       { "q5_1", DTYPE_Q5_1, FT_Q5_1 },       { "q2_k", DTYPE_Q2_K, FT_Q2_K },
    { "q3_k_s", DTYPE_Q3_K, FT_Q3_K_S },   { "q3_k_m", DTYPE_Q3_K, FT_Q3_K_M },   { "q3_k_l", DTYPE_Q3_K, FT_Q3_K_L },
    { "q4_k_s", DTYPE_Q4_K, FT_Q4_K_S },   { "q4_k_m", DTYPE_Q4_K, FT_Q4_K_M },   { "q5_k_s", DTYPE_Q5_K, FT_Q5_K_S },
    { "q5_k_m", DTYPE_Q5_K, FT_Q5_K_M },   { "q6_k", DTYPE_Q6_K, FT_Q6_K },       { "iq4_nl", DTYPE_IQ4_NL, FT_IQ4_NL },
    { "iq4_xs", DTYPE_IQ4_XS, FT_IQ4_XS }, { "mxfp4", DTYPE_MXFP4, FT_MXFP4 },
    /* other names of the _m ones */
    { "q3_k", DTYPE_Q3_K, FT_Q3_K_M },     { "q4_k", DTYPE_Q4_K, FT_Q4_K_M },     { "q5_k", DTYPE_Q5_K, FT_Q5_K_M },
};
const int n_mixes = sizeof(mixes) / sizeof(mixes[0]);

const struct mix *mix_find(const char *name)
{
    for (int i = 0; i < n_mixes; i++)
        if (strcasecmp(mixes[i].name, name) == 0)
            return &mixes[i];
    return NULL;
}

static bool has(const char *name, const char *part) { return strstr(name, part) != NULL; }

bool mix_is_attn_v(const char *tensor)
{
    return has(tensor, "attn_v.weight") || has(tensor, "attn_qkv.weight") || has(tensor, "attn_kv_b.weight");
}

bool mix_may_change(const char *tensor, int n_dims)
{
    static const char *const kept[] = {
        "_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup", "laurel", "per_layer_model_proj", "position_embd",
        "token_types", "ssm_conv1d", "shortconv.conv.weight", "indexer.k_proj.weight", "indexer.q_proj.weight", "time_mix_first.weight",
        "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight", "time_mix_v2.weight",
        "time_mix_a0.weight", "time_mix_a1.weight", "time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight",
        "time_mix_decay_w1.weight", "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight", "attn_rel_b.weight", "sam.pos_embd",
        "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger", "a.rvq.codebook", "mm.a.code_embd",
    };
    const size_t n = strlen(tensor);
    if (n_dims < 2 || n < 6 || strcmp(tensor + n - 6, "weight") != 0)
        return false;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (has(tensor, kept[i]))
            return false;
    return true;
}

/* The first and the last eighth of the layers, and every third between. */
static bool use_more_bits(int i, int n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

static bool fits(enum dtype type, uint64_t n) { return n % (uint64_t)dtype_info(type)->block_len == 0; }

static enum dtype wish_attn_v(const struct mix *m, const struct mix_model *model, int i)
{
    const bool is_iq4 = m->file_type == FT_IQ4_NL || m->file_type == FT_IQ4_XS;
    enum dtype type = m->type;
    if (m->file_type == FT_Q2_K)
        type = model->gqa >= 4 ? DTYPE_Q4_K : DTYPE_Q3_K;
    else if (m->file_type == FT_Q3_K_M)
        type = i < 2 ? DTYPE_Q5_K : DTYPE_Q4_K;
    else if (m->file_type == FT_Q3_K_L || (is_iq4 && model->gqa >= 4) || (m->file_type == FT_Q4_K_S && i < 4))
        type = DTYPE_Q5_K;
    else if ((m->file_type == FT_Q4_K_M || m->file_type == FT_Q5_K_M) && use_more_bits(i, model->n_attn_v))
        type = DTYPE_Q6_K;
    if (model->is_llama_70b && (type == DTYPE_Q3_K || type == DTYPE_Q4_K)) /* an eighth of attn_q's size: better costs little */
        type = DTYPE_Q5_K;
    return model->n_expert == 8 ? DTYPE_Q8_0 : type;
}

static enum dtype wish_ffn_down(const struct mix *m, const struct mix_model *model, int i)
{
    const bool is_iq4 = m->file_type == FT_IQ4_NL || m->file_type == FT_IQ4_XS, falcon = model->is_falcon;
    const int n = model->n_layer;
    switch (m->file_type) {
    case FT_Q2_K: return DTYPE_Q3_K;
    case FT_Q3_K_M: return i < n / 16 ? DTYPE_Q5_K : !falcon || use_more_bits(i, n) ? DTYPE_Q4_K : DTYPE_Q3_K;
    case FT_Q3_K_L: return falcon ? DTYPE_Q4_K : DTYPE_Q5_K;
    case FT_Q4_K_M:
        if (falcon)
            return i < n / 16 ? DTYPE_Q6_K : use_more_bits(i, n) ? DTYPE_Q5_K : DTYPE_Q4_K;
        return use_more_bits(i, n) ? DTYPE_Q6_K : m->type;
    case FT_Q5_K_M: return use_more_bits(i, n) ? DTYPE_Q6_K : m->type;
    default: return i < n / 8 && (is_iq4 || (m->file_type == FT_Q4_K_S && !falcon)) ? DTYPE_Q5_K : m->type;
    }
}

static enum dtype wish_attn_output(const struct mix *m, const struct mix_model *model)
{
    const uint32_t f = m->file_type;
    if (model->is_falcon)
        return f == FT_Q3_K_L ? DTYPE_Q4_K : m->type;
    if (model->n_expert == 8)
        return f == FT_Q2_K || f == FT_Q3_K_S || f == FT_Q3_K_M || f == FT_Q4_K_S || f == FT_Q4_K_M || f == FT_IQ4_NL || f == FT_IQ4_XS ? DTYPE_Q5_K
                                                                                                                                    : m->type;
    return f == FT_Q2_K ? DTYPE_Q3_K : f == FT_Q3_K_M ? DTYPE_Q4_K : f == FT_Q3_K_L ? DTYPE_Q5_K : m->type;
}

enum dtype mix_wish(const struct mix *m, const struct mix_model *model, struct mix_counts *counts, const char *tensor, const uint64_t ne[4])
{
    const bool is_embedding = strcmp(tensor, "token_embd.weight") == 0 || strcmp(tensor, "per_layer_token_embd.weight") == 0;
    if (dtype_info(m->type)->block_len == 1)
        return m->type;
    if (strcmp(tensor, "output.weight") == 0 || (is_embedding && model->is_tied)) {
        if (m->file_type == FT_MXFP4 || model->is_falcon || !fits(m->type, ne[0]) || m->type == DTYPE_Q8_0)
            return DTYPE_Q8_0;
        return DTYPE_Q6_K;
    }
    if (m->file_type == FT_MXFP4) /* experts; all else is small */
        return ne[2] > 1 ? DTYPE_MXFP4 : DTYPE_Q8_0;
    if (is_embedding)
        return m->type;
    if (mix_is_attn_v(tensor))
        return wish_attn_v(m, model, counts->attn_v++);
    if (has(tensor, "attn_k.weight"))
        return model->n_expert == 8 ? DTYPE_Q8_0 : m->type;
    if (has(tensor, "attn_output.weight"))
        return wish_attn_output(m, model);
    if (has(tensor, "ffn_down")) {
        int layer = counts->ffn_down++;
        if (model->n_expert > 1 && sscanf(tensor, "blk.%9d.", &layer) != 1) /* several of them in a layer */
            layer = 0;
        return wish_ffn_down(m, model, layer);
    }
    return m->type;
}

enum dtype mix_fit(enum dtype wish, uint64_t n_cols)
{
    enum dtype type = wish;
    if (fits(type, n_cols))
        return type;
    switch (type) { /* rows that no block of 256 divides */
    case DTYPE_IQ4_XS: type = DTYPE_IQ4_NL; break;
    case DTYPE_Q2_K:
    case DTYPE_Q3_K: type = DTYPE_Q4_0; break;
    case DTYPE_Q4_K: type = DTYPE_Q5_0; break;
    case DTYPE_Q5_K: type = DTYPE_Q5_1; break;
    case DTYPE_Q6_K: type = DTYPE_Q8_0; break;
    default: break;
    }
    return fits(type, n_cols) ? type : DTYPE_F16;
}
