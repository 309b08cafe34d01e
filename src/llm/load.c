/* llm/load.c - from a GGUF file to a struct llm_model; start reading at llm_model_open().
 *
 * Everything is asked twice: first the shapes (keys), then each tensor against them, so that a file
 * that lies is an error here and the forward pass need not check.  Matrices are noted in a list while
 * the layers are read; packing.c brings them into the kernels' order while the model is used already.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llm/model.h"

enum { DIM_MAX = 1 << 20, LAYERS_MAX = 1024, EXPERTS_MAX = 1024, ARENA_BYTES = 1 << 30 };

struct loader {
    struct llm_model *m;
    const struct gguf *g;
    struct err *err;
    bool failed;
    size_t cap_items;
    int stage;       /* of what is read now: its layer, n_layer for the output */
    char prefix[32]; /* "blk.3." */
    uint64_t bytes_per_tok;
};

static bool fail(struct loader *l, enum err_code code, const char *fmt, ...) ERR_PRINTF(3, 4);
static bool fail(struct loader *l, enum err_code code, const char *fmt, ...)
{
    if (l->failed)
        return false; /* the first error is the one to tell */
    char text[192];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    l->failed = true;
    return err_set(l->err, code, "%s", text);
}

/* ---- keys ---- */

static const char *key_of(const struct loader *l, const char *name, char out[static 128])
{
    snprintf(out, 128, "%s.%s", l->m->arch->name, name);
    return out;
}

/* An integer key; an array (one value per layer) counts when all its elements are equal. */
static bool get_int(struct loader *l, const char *name, int min, int max, int *out)
{
    char key[128];
    const struct gguf_kv *kv = gguf_find(l->g, key_of(l, name, key));
    int64_t v;
    if (!kv)
        return false;
    if (kv->type == GGUF_ARRAY && kv->n > 0 && kv->elem_type != GGUF_STRING && kv->elem_type != GGUF_ARRAY) {
        v = gguf_kv_int(kv, 0);
        for (uint64_t i = 1; i < kv->n; i++)
            if (gguf_kv_int(kv, i) != v)
                return fail(l, ERR_UNSUPPORTED, "key '%s' differs between layers", key);
    } else if (!gguf_get_i64(l->g, key, &v))
        return fail(l, ERR_INPUT, "key '%s' is no integer", key);
    if (v < min || v > max)
        return fail(l, ERR_INPUT, "key '%s' is %" PRId64 ", it must be between %d and %d", key, v, min, max);
    *out = (int)v;
    return true;
}

static int need_int(struct loader *l, const char *name, int min, int max)
{
    char key[128];
    int v = 0;
    if (!get_int(l, name, min, max, &v))
        fail(l, ERR_INPUT, "key '%s' is missing", key_of(l, name, key));
    return v;
}

static float get_float(struct loader *l, const char *name, float otherwise)
{
    char key[128];
    float v;
    if (!gguf_get_f32(l->g, key_of(l, name, key), &v))
        return otherwise;
    if (!isfinite(v)) {
        fail(l, ERR_INPUT, "key '%s' is not finite", key);
        return otherwise;
    }
    return v;
}

static bool get_bool(struct loader *l, const char *name, bool otherwise)
{
    char key[128];
    bool v;
    return gguf_get_bool(l->g, key_of(l, name, key), &v) ? v : otherwise;
}

/* ---- tensors ---- */

static const struct gguf_tensor *find(struct loader *l, const char *name, char full[static 96])
{
    snprintf(full, 96, "%s%s", l->prefix, name);
    return gguf_find_tensor(l->g, full);
}

static bool has_shape(struct loader *l, const struct gguf_tensor *t, uint64_t a, uint64_t b, uint64_t c)
{
    if (t->ne[0] == a && t->ne[1] == b && t->ne[2] == c && t->ne[3] == 1)
        return true;
    return fail(l, ERR_INPUT, "tensor '%s' is %" PRIu64 " x %" PRIu64 " x %" PRIu64 ", it must be %" PRIu64 " x %" PRIu64 " x %" PRIu64,
                t->name, t->ne[0], t->ne[1], t->ne[2], a, b, c);
}

/* n floats (of n_rows rows): borrowed from the mapping when they lie there as such, else converted. */
static const float *vector_of(struct loader *l, const struct gguf_tensor *t, uint64_t n)
{
    if (t->type == DTYPE_F32 && (uintptr_t)t->data % sizeof(float) == 0)
        return (const float *)(const void *)t->data;
    const struct dtype_info *info = dtype_info((uint32_t)t->type);
    float *v = n % (uint64_t)info->block_len == 0 ? arena_alloc(l->m->arena, (size_t)n, sizeof(float), l->err) : NULL;
    if (!v) {
        l->failed = l->failed || l->err->code != ERR_NONE;
        fail(l, ERR_INPUT, "tensor '%s' has a type that a vector cannot have", t->name);
        return NULL;
    }
    if (!dtype_to_f32(v, t->type, t->data, (size_t)n))
        fail(l, ERR_UNSUPPORTED, "tensor '%s' has type %s, which is no vector of numbers", t->name, info->name);
    return v;
}

static const float *opt_vec(struct loader *l, const char *name, int n)
{
    char full[96];
    const struct gguf_tensor *t = l->failed ? NULL : find(l, name, full);
    return t && has_shape(l, t, (uint64_t)n, 1, 1) ? vector_of(l, t, (uint64_t)n) : NULL;
}

static const float *opt_table(struct loader *l, const char *name, int n, int n_rows)
{
    char full[96];
    const struct gguf_tensor *t = l->failed ? NULL : find(l, name, full);
    return t && has_shape(l, t, (uint64_t)n, (uint64_t)n_rows, 1) ? vector_of(l, t, (uint64_t)n * (uint64_t)n_rows) : NULL;
}

static const float *need_vec(struct loader *l, const char *name, int n)
{
    const float *v = opt_vec(l, name, n);
    if (!v)
        fail(l, ERR_INPUT, "tensor '%s%s' is missing", l->prefix, name);
    return v;
}

static bool note(struct loader *l, struct weight *w, const struct gguf_tensor *t, int n, size_t src_stride)
{
    struct llm_model *m = l->m;
    if (m->n_items == l->cap_items) {
        const size_t cap = l->cap_items ? l->cap_items * 2 : 64;
        struct pack_item *i = realloc(m->items, cap * sizeof(*i));
        if (!i)
            return fail(l, ERR_NOMEM, "out of memory");
        m->items = i;
        l->cap_items = cap;
    }
    m->items[m->n_items++] = (struct pack_item){ .w = w, .t = t, .n = n, .stage = l->stage, .src_stride = src_stride };
    return true;
}

/* The matrix [n_rows][n_cols]; with n > 1 a stack of n.  false when it is absent or wrong (then l->failed). */
static bool opt_stack(struct loader *l, struct weight *w, const char *name, int n_rows, int n_cols, int n)
{
    char full[96];
    const struct gguf_tensor *t = l->failed ? NULL : find(l, name, full);
    if (!t || !has_shape(l, t, (uint64_t)n_cols, (uint64_t)n_rows, (uint64_t)n))
        return false;
    const struct dtype_info *info = dtype_info((uint32_t)t->type);
    float one[256];
    if (n_cols % info->block_len != 0)
        return fail(l, ERR_INPUT, "tensor '%s' has rows of %d, no multiple of %s's block of %d", t->name, n_cols, info->name,
                    info->block_len);
    if (!dtype_to_f32(one, t->type, t->data, (size_t)info->block_len))
        return fail(l, ERR_UNSUPPORTED, "tensor '%s' has type %s, which is not for weights", t->name, info->name);
    if (matmul_acts_kind(t->type) == ACTS_Q8 && n_cols % 32 != 0)
        return fail(l, ERR_UNSUPPORTED, "tensor '%s' has rows of %d, no multiple of 32", t->name, n_cols);
    *w = weight_at(t->type, n_rows, n_cols, t->data);
    if (n_cols > l->m->n_cols_max)
        l->m->n_cols_max = n_cols;
    return note(l, w, t, n, t->n_bytes / (size_t)n);
}

static bool opt_mat(struct loader *l, struct weight *w, const char *name, int n_rows, int n_cols)
{
    return opt_stack(l, w, name, n_rows, n_cols, 1);
}

static void need_mat(struct loader *l, struct weight *w, const char *name, int n_rows, int n_cols)
{
    if (!opt_mat(l, w, name, n_rows, n_cols))
        fail(l, ERR_INPUT, "tensor '%s%s' is missing", l->prefix, name);
}

static void need_experts(struct loader *l, struct weight_stack *s, const char *name, int n_rows, int n_cols, int n)
{
    if (!opt_stack(l, &s->w, name, n_rows, n_cols, n))
        fail(l, ERR_INPUT, "tensor '%s%s' is missing", l->prefix, name);
    s->n = n;
}

/* ---- shapes ---- */

static void read_rope(struct loader *l)
{
    struct llm_model *m = l->m;
    struct gguf_str type = { "", 0 };
    char key[128];
    m->n_rot = m->d_k;
    get_int(l, "rope.dimension_count", 2, m->d_k, &m->n_rot);
    if (m->n_rot % 2 != 0)
        fail(l, ERR_INPUT, "rope dimensions: %d is odd", m->n_rot);
    m->rope.base = get_float(l, "rope.freq_base", 10000.0f);
    m->rope.factor = get_float(l, "rope.scaling.factor", 1.0f);
    gguf_get_str(l->g, key_of(l, "rope.scaling.type", key), &type);
    if (type.len == 4 && memcmp(type.data, "none", 4) == 0)
        m->rope.factor = 1.0f;
    m->rope.is_yarn = type.len == 4 && memcmp(type.data, "yarn", 4) == 0;
    /* cos and sin are multiplied by attn_factor; YaRN (arXiv 2309.00071, section 3.4) adds 1 + 0.1 ln factor, but
     * DeepSeek's files put that into the scores instead: yarn_log_multiplier. */
    m->rope.attn_factor = get_float(l, "rope.scaling.attn_factor", 1.0f);
    m->yarn_log_mul = m->rope.is_yarn ? get_float(l, "rope.scaling.yarn_log_multiplier", 0.0f) : 0.0f;
    if (m->rope.is_yarn && m->yarn_log_mul == 0.0f && m->rope.factor > 1.0f)
        m->rope.attn_factor *= 1.0f + 0.1f * logf(m->rope.factor);
    m->rope.n_ctx_orig = m->n_ctx_train;
    get_int(l, "rope.scaling.original_context_length", 1, INT32_MAX, &m->rope.n_ctx_orig);
    if (!(m->rope.base > 0) || !(m->rope.factor > 0))
        fail(l, ERR_INPUT, "rope: base %g, factor %g", (double)m->rope.base, (double)m->rope.factor);
    if (m->arch->rope == ROPE_NONE)
        m->n_rot = 0;
    m->rope.freqs = m->n_rot ? opt_vec(l, "rope_freqs.weight", m->n_rot / 2) : NULL;
    m->rope_long = m->n_rot ? opt_vec(l, "rope_factors_long.weight", m->n_rot / 2) : NULL;
    m->rope_short = m->n_rot ? opt_vec(l, "rope_factors_short.weight", m->n_rot / 2) : NULL;
}

static void read_heads(struct loader *l)
{
    struct llm_model *m = l->m;
    m->n_head = need_int(l, "attention.head_count", 1, 65536);
    m->n_kv = m->n_head;
    get_int(l, "attention.head_count_kv", 1, 65536, &m->n_kv);
    if (l->failed)
        return;
    m->d_k = m->n_embd / m->n_head;
    get_int(l, "attention.key_length", 1, 65536, &m->d_k);
    m->d_v = m->d_k;
    get_int(l, "attention.value_length", 1, 65536, &m->d_v);
    m->d_q_head = m->d_k;
    if (m->arch->mla) {
        m->d_q_head = need_int(l, "attention.key_length_mla", 1, 65536);
        m->d_v_head = need_int(l, "attention.value_length_mla", 1, 65536);
        m->kv_lora = need_int(l, "attention.kv_lora_rank", 1, 65536);
        get_int(l, "attention.q_lora_rank", 0, 65536, &m->q_lora);
    }
    if (!l->failed && (m->n_head % m->n_kv != 0 || m->d_k < 1 || m->d_v < 1 || (uint64_t)m->n_head * (uint64_t)m->d_k > DIM_MAX ||
                       (uint64_t)m->n_head * (uint64_t)m->d_v > DIM_MAX))
        fail(l, ERR_INPUT, "%d heads, %d for K and V, of %d and %d values make no sense", m->n_head, m->n_kv, m->d_k, m->d_v);
}

static void read_shapes(struct loader *l)
{
    struct llm_model *m = l->m;
    const struct llm_arch *a = m->arch;
    m->n_layer = need_int(l, "block_count", 1, LAYERS_MAX);
    m->n_embd = need_int(l, "embedding_length", 1, DIM_MAX);
    m->n_ctx_train = need_int(l, "context_length", 1, INT32_MAX);
    read_heads(l);
    if (l->failed)
        return;
    read_rope(l);
    m->eps = get_float(l, a->norm == NORM_LAYER ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 1e-5f);
    m->embd_scale = get_float(l, "embedding_scale", a->embd_sqrt ? sqrtf((float)m->n_embd) : 1.0f);
    m->residual_scale = get_float(l, "residual_scale", 1.0f);
    m->logit_scale = 1.0f / get_float(l, "logit_scale", 1.0f);
    m->attn_scale = get_float(l, "attention.scale", 1.0f / sqrtf((float)m->d_q_head));
    if (m->yarn_log_mul > 0.0f && m->rope.factor > 1.0f) {
        const float scale = 1.0f + m->yarn_log_mul * logf(m->rope.factor);
        m->attn_scale *= scale * scale;
    }
    /* The 27B variants of gemma 2 (46 layers) and 3 (62) scale by hidden / heads instead. */
    if ((strcmp(a->name, "gemma2") == 0 && m->n_layer == 46) || (strcmp(a->name, "gemma3") == 0 && m->n_layer == 62))
        m->attn_scale = 1.0f / sqrtf((float)(m->n_embd / m->n_head));
    m->attn_cap = get_float(l, "attn_logit_softcapping", a->attn_cap);
    m->final_cap = get_float(l, "final_logit_softcapping", a->final_cap);
    m->window = 0;
    if (a->window_period)
        get_int(l, "attention.sliding_window", 1, INT32_MAX, &m->window);
    m->window_rope_base = get_float(l, "rope.freq_base_swa", a->window_rope_base);
    m->pooling = 1;
    get_int(l, "pooling_type", 0, 4, &m->pooling);
    get_int(l, "expert_count", 0, EXPERTS_MAX, &m->n_expert);
    if (m->n_expert > 0) {
        m->n_expert_used = need_int(l, "expert_used_count", 1, m->n_expert);
        if (!get_int(l, "expert_feed_forward_length", 1, DIM_MAX, &m->n_ff_expert))
            m->n_ff_expert = need_int(l, "feed_forward_length", 1, DIM_MAX);
        int func = 0;
        m->gate = a->gate;
        if (get_int(l, "expert_gating_func", 0, 4, &func) && func > 0)
            m->gate = func == 2 ? GATE_SIGMOID : func == 1 ? GATE_SOFTMAX : GATE_TOPK_SOFTMAX;
        m->gate_norm = get_bool(l, "expert_weights_norm", a->gate_norm);
        m->gate_scale = get_float(l, "expert_weights_scale", 1.0f);
        if (m->gate_scale == 0.0f)
            m->gate_scale = 1.0f;
    }
    if (a->mla) {
        m->d_nope = m->d_q_head - m->n_rot;
        if (m->n_kv != 1 || m->d_nope < 1 || m->d_k != m->kv_lora + m->n_rot || m->d_v != m->kv_lora)
            fail(l, ERR_UNSUPPORTED, "latent attention of another shape: K %d, V %d, rank %d, rope %d, heads for K %d", m->d_k,
                 m->d_v, m->kv_lora, m->n_rot, m->n_kv);
    }
    m->n_q = m->n_head * m->d_q_head;
    m->n_k = m->n_kv * m->d_k;
    m->n_v = a->mla ? 0 : m->n_kv * m->d_v;
}

/* ---- layers ---- */

static void read_qkv_bias(struct loader *l, struct llm_layer *y)
{
    const struct llm_model *m = l->m;
    const float *all = opt_vec(l, "attn_qkv.bias", m->n_q + m->n_k + m->n_v);
    const float *b[3] = { opt_vec(l, "attn_q.bias", m->n_q), opt_vec(l, "attn_k.bias", m->n_k), opt_vec(l, "attn_v.bias", m->n_v) };
    const int n[3] = { m->n_q, m->n_k, m->n_v };
    y->qkv_bias = all;
    if (all || l->failed || (!b[0] && !b[1] && !b[2]))
        return;
    float *v = arena_alloc(l->m->arena, (size_t)(m->n_q + m->n_k + m->n_v), sizeof(float), l->err);
    if (!v) {
        l->failed = true;
        return;
    }
    y->qkv_bias = v;
    for (int i = 0; i < 3; v += n[i++])
        if (b[i])
            memcpy(v, b[i], (size_t)n[i] * sizeof(float));
}

static void read_attention(struct loader *l, struct llm_layer *y)
{
    const struct llm_model *m = l->m;
    if (m->arch->mla) {
        if (m->q_lora > 0) {
            need_mat(l, &y->q_a, "attn_q_a.weight", m->q_lora, m->n_embd);
            y->q_a_norm = need_vec(l, "attn_q_a_norm.weight", m->q_lora);
            need_mat(l, &y->q_b, "attn_q_b.weight", m->n_q, m->q_lora);
        } else
            need_mat(l, &y->q_b, "attn_q.weight", m->n_q, m->n_embd);
        need_mat(l, &y->kv_a, "attn_kv_a_mqa.weight", m->kv_lora + m->n_rot, m->n_embd);
        y->kv_a_norm = need_vec(l, "attn_kv_a_norm.weight", m->kv_lora);
        need_experts(l, &y->k_b, "attn_k_b.weight", m->kv_lora, m->d_nope, m->n_head);
        need_experts(l, &y->v_b, "attn_v_b.weight", m->d_v_head, m->kv_lora, m->n_head);
        need_mat(l, &y->o, "attn_output.weight", m->n_embd, m->n_head * m->d_v_head);
    } else {
        if (!opt_mat(l, &y->qkv[0], "attn_qkv.weight", m->n_q + m->n_k + m->n_v, m->n_embd)) {
            need_mat(l, &y->qkv[0], "attn_q.weight", m->n_q, m->n_embd);
            need_mat(l, &y->qkv[1], "attn_k.weight", m->n_k, m->n_embd);
            need_mat(l, &y->qkv[2], "attn_v.weight", m->n_v, m->n_embd);
        }
        read_qkv_bias(l, y);
        y->q_norm = opt_vec(l, "attn_q_norm.weight", m->d_k);
        y->k_norm = opt_vec(l, "attn_k_norm.weight", m->d_k);
        y->sinks = opt_vec(l, "attn_sinks.weight", m->n_head);
        need_mat(l, &y->o, "attn_output.weight", m->n_embd, m->n_head * m->d_v);
    }
    y->o_bias = opt_vec(l, "attn_output.bias", m->n_embd);
}

static void read_experts(struct loader *l, struct llm_layer *y)
{
    const struct llm_model *m = l->m;
    const int n = m->n_expert, f = m->n_ff_expert;
    y->router_bias = opt_vec(l, "ffn_gate_inp.bias", n);
    y->select_bias = opt_vec(l, "exp_probs_b.bias", n);
    need_experts(l, &y->gate_e, "ffn_gate_exps.weight", f, m->n_embd, n);
    need_experts(l, &y->up_e, "ffn_up_exps.weight", f, m->n_embd, n);
    need_experts(l, &y->down_e, "ffn_down_exps.weight", m->n_embd, f, n);
    y->gate_e_bias = opt_table(l, "ffn_gate_exps.bias", f, n);
    y->up_e_bias = opt_table(l, "ffn_up_exps.bias", f, n);
    y->down_e_bias = opt_table(l, "ffn_down_exps.bias", m->n_embd, n);
    y->shared_gate = opt_vec(l, "ffn_gate_inp_shexp.weight", m->n_embd);
}

/* The width of a dense part is its tensor's: files with several (shared experts) agree with no one key. */
static int rows_of(struct loader *l, const char *name)
{
    char full[96];
    const struct gguf_tensor *t = find(l, name, full);
    return t && t->ne[1] <= DIM_MAX ? (int)t->ne[1] : 0;
}

static void read_ffn(struct loader *l, struct llm_layer *y)
{
    struct llm_model *m = l->m;
    const bool has_experts = m->n_expert > 0 && opt_mat(l, &y->router, "ffn_gate_inp.weight", m->n_expert, m->n_embd);
    const char *up = has_experts ? "ffn_up_shexp.weight" : "ffn_up.weight", *gate = has_experts ? "ffn_gate_shexp.weight" : "ffn_gate.weight",
               *down = has_experts ? "ffn_down_shexp.weight" : "ffn_down.weight";
    if (has_experts)
        read_experts(l, y);
    y->n_ff = rows_of(l, up);
    if (y->n_ff > 0) {
        char full[96];
        const struct gguf_tensor *d = find(l, down, full);
        y->up_holds_gate = d && d->ne[0] * 2 == (uint64_t)y->n_ff && !find(l, gate, full);
        if (y->up_holds_gate)
            y->n_ff /= 2;
        need_mat(l, &y->up, up, y->up_holds_gate ? 2 * y->n_ff : y->n_ff, m->n_embd);
        if (!y->up_holds_gate)
            opt_mat(l, &y->gate, gate, y->n_ff, m->n_embd);
        if (y->up_holds_gate && y->n_ff % MATMUL_GROUP != 0)
            fail(l, ERR_UNSUPPORTED, "tensor '%s%s': a fused gate of %d rows, no multiple of %d", l->prefix, up, y->n_ff, MATMUL_GROUP);
        need_mat(l, &y->down, down, m->n_embd, y->n_ff);
        if (!has_experts) {
            y->up_bias = opt_vec(l, "ffn_up.bias", y->n_ff);
            y->gate_bias = opt_vec(l, "ffn_gate.bias", y->n_ff);
            y->down_bias = opt_vec(l, "ffn_down.bias", m->n_embd);
        }
    } else if (!has_experts)
        fail(l, ERR_INPUT, "tensor '%sffn_up.weight' is missing", l->prefix);
    if (y->n_ff > m->n_ff_max)
        m->n_ff_max = y->n_ff;
}

static void read_layer(struct loader *l, int i)
{
    struct llm_model *m = l->m;
    struct llm_layer *y = &m->layers[i];
    const struct llm_arch *a = m->arch;
    char name[64];
    l->stage = i;
    snprintf(l->prefix, sizeof(l->prefix), "blk.%d.", i);
    read_attention(l, y);
    if (a->post_norm) { /* bert's names */
        y->post_attn_norm = need_vec(l, "attn_output_norm.weight", m->n_embd);
        y->post_attn_norm_b = opt_vec(l, "attn_output_norm.bias", m->n_embd);
        y->post_ffn_norm = need_vec(l, "layer_output_norm.weight", m->n_embd);
        y->post_ffn_norm_b = opt_vec(l, "layer_output_norm.bias", m->n_embd);
    } else {
        y->attn_norm = need_vec(l, "attn_norm.weight", m->n_embd);
        y->attn_norm_b = opt_vec(l, "attn_norm.bias", m->n_embd);
        snprintf(name, sizeof(name), "%s.weight", a->ffn_norm ? a->ffn_norm : "ffn_norm");
        y->ffn_norm = need_vec(l, name, m->n_embd);
        snprintf(name, sizeof(name), "%s.bias", a->ffn_norm ? a->ffn_norm : "ffn_norm");
        y->ffn_norm_b = opt_vec(l, name, m->n_embd);
        if (!a->ffn_norm)
            y->post_attn_norm = opt_vec(l, "post_attention_norm.weight", m->n_embd);
        y->post_ffn_norm = opt_vec(l, "post_ffw_norm.weight", m->n_embd);
    }
    read_ffn(l, y);
    int period = a->window_period;
    get_int(l, "attention.sliding_window_pattern", 1, LAYERS_MAX, &period);
    y->has_window = m->window > 0 && i % period < period - 1;
    y->has_rope = m->n_rot > 0 && !(a->no_rope_period && i % a->no_rope_period == a->no_rope_period - 1);
    l->prefix[0] = '\0';
    l->stage = m->n_layer;
}

static void read_ends(struct loader *l)
{
    struct llm_model *m = l->m;
    const struct llm_arch *a = m->arch;
    const struct gguf_tensor *t = gguf_find_tensor(l->g, "token_embd.weight");
    if (!t) {
        fail(l, ERR_INPUT, "tensor 'token_embd.weight' is missing");
        return;
    }
    if (t->ne[1] < 1 || t->ne[1] > (1u << 24)) {
        fail(l, ERR_INPUT, "tensor 'token_embd.weight': a vocabulary of %" PRIu64, t->ne[1]);
        return;
    }
    m->n_vocab = (int)t->ne[1];
    m->tok_embd = t;
    if (!has_shape(l, t, (uint64_t)m->n_embd, (uint64_t)m->n_vocab, 1))
        return;
    if (a->post_norm) {
        m->embd_norm = need_vec(l, "token_embd_norm.weight", m->n_embd);
        m->embd_norm_b = opt_vec(l, "token_embd_norm.bias", m->n_embd);
        t = gguf_find_tensor(l->g, "token_types.weight");
        if (t && t->ne[0] == (uint64_t)m->n_embd && t->ne[1] >= 1)
            m->type_embd = vector_of(l, t, (uint64_t)m->n_embd * t->ne[1]); /* its first row is type 0 */
    } else {
        m->out_norm = need_vec(l, "output_norm.weight", m->n_embd);
        m->out_norm_b = opt_vec(l, "output_norm.bias", m->n_embd);
        if (a->tied_output || !opt_mat(l, &m->output, "output.weight", m->n_vocab, m->n_embd))
            need_mat(l, &m->output, "token_embd.weight", m->n_vocab, m->n_embd);
        m->output_bias = opt_vec(l, "output.bias", m->n_vocab);
    }
    if (a->learned_pos) {
        m->pos_embd = opt_table(l, "position_embd.weight", m->n_embd, m->n_ctx_train);
        if (!m->pos_embd)
            fail(l, ERR_INPUT, "tensor 'position_embd.weight' is missing");
    }
}

/* Where things will be is known: strides of stacks, and the sums that info tells. */
static void finish(struct loader *l)
{
    struct llm_model *m = l->m;
    uint64_t bytes = 0, per_tok = 0, active = 0, last = 0;
    for (size_t i = 0; i < m->n_items; i++) {
        const struct pack_item *p = &m->items[i];
        const size_t one = p->w->layout == WEIGHT_R16 ? p->packed_bytes : p->src_stride;
        bytes += one * (size_t)p->n;
        const bool is_routed = p->n > 1 && p->n == m->n_expert && !strstr(p->t->name, "attn_");
        per_tok += one * (size_t)(is_routed ? m->n_expert_used : p->n);
        const uint64_t multiplied = (uint64_t)p->w->n_rows * (uint64_t)p->w->n_cols * (uint64_t)(is_routed ? m->n_expert_used : p->n);
        active += multiplied;
        if (!m->arch->post_norm && (p->stage == m->n_layer || (p->stage == m->n_layer - 1 && strstr(p->t->name, ".ffn_")))) /* forward.c: keep_wanted() */
            last += multiplied;
    }
    for (int i = 0; i < m->n_layer; i++) {
        struct llm_layer *y = &m->layers[i];
        struct weight_stack *const stacks[] = { &y->k_b, &y->v_b, &y->gate_e, &y->up_e, &y->down_e };
        for (size_t s = 0; s < sizeof(stacks) / sizeof(stacks[0]); s++)
            if (stacks[s]->w.data)
                stacks[s]->stride_bytes = stacks[s]->w.layout == WEIGHT_R16
                                              ? weight_packed_bytes(stacks[s]->w.type, stacks[s]->w.n_rows, stacks[s]->w.n_cols)
                                              : stacks[s]->w.row_bytes * (size_t)stacks[s]->w.n_rows;
    }
    struct llm_info *f = &m->info;
    struct gguf_str name = { 0 };
    const char *path = gguf_path(m->gguf), *slash = strrchr(path, '/');
    f->arch = m->arch->name;
    if (gguf_get_str(m->gguf, "general.name", &name) && name.len > 0)
        snprintf(f->name, sizeof(f->name), "%.*s", (int)(name.len < 90 ? name.len : 90), name.data);
    else
        snprintf(f->name, sizeof(f->name), "%.90s", slash ? slash + 1 : path);
    f->n_vocab = m->n_vocab, f->n_embd = m->n_embd, f->n_layer = m->n_layer, f->n_head = m->n_head, f->n_kv_head = m->n_kv;
    f->n_ctx_train = m->n_ctx_train;
    f->is_encoder = m->arch->post_norm;
    for (size_t i = 0; i < gguf_n_tensors(m->gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(m->gguf, i);
        f->n_params += t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3];
    }
    f->active_params = active;
    f->last_params = last;
    f->weight_bytes = bytes;
    f->bytes_per_tok = per_tok;
    f->kv_bytes_per_tok_f16 = (uint64_t)m->n_layer * (uint64_t)m->n_kv * (uint64_t)(m->d_k + m->d_v) * 2;
}

struct llm_model *llm_model_open(const struct gguf *g, const struct kernels *k, struct pool *pool, struct err *err)
{
    struct gguf_str name = { 0 };
    if (!gguf_get_str(g, "general.architecture", &name))
        return err_null(err, ERR_INPUT, "%s: key 'general.architecture' is missing", gguf_path(g));
    const struct llm_arch *arch = llm_arch_find(name.data, name.len);
    if (!arch) {
        char known[200];
        llm_arch_names(known, sizeof(known));
        return err_null(err, ERR_UNSUPPORTED, "%s: architecture '%.*s' is not one of %s", gguf_path(g),
                        (int)(name.len < 40 ? name.len : 40), name.data, known);
    }
    struct llm_model *m = calloc(1, sizeof(*m));
    struct loader l = { .m = m, .g = g, .err = err };
    err_clear(err);
    if (!m || !(m->arena = arena_new(ARENA_BYTES, err))) {
        free(m);
        return err_null(err, ERR_NOMEM, "%s: out of memory", gguf_path(g));
    }
    m->gguf = g, m->kernels = k, m->pool = pool, m->arch = arch;
    read_shapes(&l);
    if (!l.failed && !(m->layers = arena_alloc(m->arena, (size_t)m->n_layer, sizeof(m->layers[0]), err)))
        l.failed = true;
    for (int i = 0; i < m->n_layer && !l.failed; i++)
        read_layer(&l, i);
    if (!l.failed)
        read_ends(&l);
    if (l.failed || !(m->packing = packing_start(g, m->items, m->n_items, m->n_layer + 1, pool_n_threads(pool), err))) {
        err_prefix(err, "%s", gguf_path(g));
        llm_model_free(m);
        m = NULL;
    } else
        finish(&l);
    return m;
}

void llm_model_free(struct llm_model *m)
{
    if (!m)
        return;
    packing_free(m->packing);
    free(m->items);
    arena_free(m->arena);
    free(m);
}

void llm_model_wait(const struct llm_model *m) { packing_wait(m->packing, m->n_layer); }

bool llm_model_is_packed(const struct llm_model *m) { return packing_is_done(m->packing); }

void llm_model_on_packed(struct llm_model *m, void (*fn)(void *ctx), void *ctx) { packing_on_all(m->packing, fn, ctx); }

const struct llm_info *llm_model_info(const struct llm_model *m) { return &m->info; }
