/* gen-model/mix.c - which tensor gets which number format: the rules of llama-quantize without an importance
 * matrix (llama.cpp b10573, src/llama-quant.cpp: llama_tensor_get_type_impl, tensor_type_fallback), for dense
 * models that are no 70B, and for MoE with other than 8 experts. */
#include <strings.h>

#include "gen.h"

const struct mix mixes[] = {
    { "f32", DTYPE_F32, 0 },      { "f16", DTYPE_F16, 1 },      { "bf16", DTYPE_BF16, 32 },   { "q8_0", DTYPE_Q8_0, 7 },
    { "q4_0", DTYPE_Q4_0, 2 },    { "q4_1", DTYPE_Q4_1, 3 },    { "q5_0", DTYPE_Q5_0, 8 },    { "q5_1", DTYPE_Q5_1, 9 },
    { "q2_k", DTYPE_Q2_K, 10 },   { "q3_k_s", DTYPE_Q3_K, 11 }, { "q3_k_m", DTYPE_Q3_K, 12 }, { "q3_k_l", DTYPE_Q3_K, 13 },
    { "q4_k_s", DTYPE_Q4_K, 14 }, { "q4_k_m", DTYPE_Q4_K, 15 }, { "q5_k_s", DTYPE_Q5_K, 16 }, { "q5_k_m", DTYPE_Q5_K, 17 },
    { "q6_k", DTYPE_Q6_K, 18 },   { "iq4_nl", DTYPE_IQ4_NL, 25 }, { "iq4_xs", DTYPE_IQ4_XS, 30 }, { "mxfp4", DTYPE_MXFP4, 38 },
    { "q3_k", DTYPE_Q3_K, 12 },   { "q4_k", DTYPE_Q4_K, 15 },   { "q5_k", DTYPE_Q5_K, 17 }, /* other names of the _m ones */
};
const int n_mixes = sizeof(mixes) / sizeof(mixes[0]);

const struct mix *mix_find(const char *name)
{
    for (int i = 0; i < n_mixes; i++)
        if (strcasecmp(mixes[i].name, name) == 0)
            return &mixes[i];
    return NULL;
}

static bool fits(enum dtype type, uint64_t n) { return n % (uint64_t)dtype_info(type)->block_len == 0; }

static bool use_more_bits(int layer, int n_layer)
{
    return layer < n_layer / 8 || layer >= 7 * n_layer / 8 || (layer - n_layer / 8) % 3 == 2;
}

static enum dtype wanted(const struct mix *m, const struct shape *s, const struct weight *t)
{
    enum { Q2_K = 10, Q3_K_M = 12, Q3_K_L = 13, Q4_K_S = 14, Q4_K_M = 15, Q5_K_M = 17, IQ4_NL = 25, IQ4_XS = 30, MXFP4 = 38 };
    const int n = s->n_layer, i = t->layer, f = m->file_type, gqa = s->n_head / s->n_head_kv;
    const bool is_iq4 = f == IQ4_NL || f == IQ4_XS;
    if (t->role == ROLE_OUTPUT || (t->role == ROLE_EMBD && s->tied)) {
        if (f == MXFP4 || !fits(m->type, t->ne[0]) || m->type == DTYPE_Q8_0)
            return DTYPE_Q8_0;
        return DTYPE_Q6_K;
    }
    if (f == MXFP4) /* only experts; the tool's user wants the format in a dense model too */
        return t->n_dims == 3 || s->n_expert == 0 ? DTYPE_MXFP4 : DTYPE_Q8_0;
    if (t->role == ROLE_V) {
        if (f == Q2_K)
            return gqa >= 4 ? DTYPE_Q4_K : DTYPE_Q3_K;
        if (f == Q3_K_M)
            return i < 2 ? DTYPE_Q5_K : DTYPE_Q4_K;
        if (f == Q3_K_L || (is_iq4 && gqa >= 4) || (f == Q4_K_S && i < 4))
            return DTYPE_Q5_K;
        if ((f == Q4_K_M || f == Q5_K_M) && use_more_bits(i, n))
            return DTYPE_Q6_K;
    }
    if (t->role == ROLE_DOWN) {
        if (f == Q2_K)
            return DTYPE_Q3_K;
        if (f == Q3_K_M)
            return i < n / 16 ? DTYPE_Q5_K : DTYPE_Q4_K;
        if (f == Q3_K_L || ((is_iq4 || f == Q4_K_S) && i < n / 8))
            return DTYPE_Q5_K;
        if ((f == Q4_K_M || f == Q5_K_M) && use_more_bits(i, n))
            return DTYPE_Q6_K;
    }
    if (t->role == ROLE_ATTN_OUT)
        return f == Q2_K ? DTYPE_Q3_K : f == Q3_K_M ? DTYPE_Q4_K : f == Q3_K_L ? DTYPE_Q5_K : m->type;
    return m->type;
}

enum dtype mix_type(const struct mix *m, const struct shape *s, const struct weight *t, bool pure)
{
    if (t->role >= ROLE_ROUTER)
        return DTYPE_F32;
    enum dtype type = m->type;
    if (dtype_info(type)->block_len > 1 && !pure)
        type = wanted(m, s, t);
    if (fits(type, t->ne[0]))
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
    return fits(type, t->ne[0]) ? type : DTYPE_F16;
}
