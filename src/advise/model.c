/* advise/model.c - models as plan/ wants them. */
#include "advise/model.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/matmul/matmul.h"
#include "llm/arch.h"

/* ---- from a file ---- */

struct reader {
    const struct gguf *g;
    char arch[64];
};

static int key_int(const struct reader *r, const char *name, int otherwise)
{
    char key[160];
    snprintf(key, sizeof(key), "%s.%s", r->arch, name);
    const struct gguf_kv *kv = gguf_find(r->g, key);
    if (!kv || kv->elem_type == GGUF_STRING || kv->elem_type == GGUF_ARRAY || kv->n < 1)
        return otherwise;
    int64_t most = 0; /* a list has one value per layer */
    for (uint64_t i = 0; i < kv->n && i < 4096; i++)
        most = gguf_kv_int(kv, i) > most ? gguf_kv_int(kv, i) : most;
    return most > 0 && most < 1 << 30 ? (int)most : otherwise;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), e = strlen(end);
    return n >= e && strcmp(s + n - e, end) == 0;
}

/* Tables that are looked up and vectors that come as matrices: read, never multiplied. */
static bool is_table(const char *name)
{
    return !ends_with(name, ".weight") || strncmp(name, "position_embd", 13) == 0 || strncmp(name, "token_types", 11) == 0 || strstr(name, "norm") != NULL ||
           strncmp(name, "rope_f", 6) == 0;
}

static void add_matrix(struct plan_model *m, const struct gguf_tensor *t)
{
    const uint64_t n = t->ne[2] * t->ne[3];
    const bool is_routed = n > 1 && m->n_expert > 0 && n == (uint64_t)m->n_expert && !strstr(t->name, "attn_");
    uint64_t bytes = t->n_bytes;
    if (t->ne[0] < 1 << 24 && t->ne[1] < 1 << 24 && weight_layout_of(t->type) == WEIGHT_R16) {
        const uint64_t packed = weight_packed_bytes(t->type, (int)t->ne[1], (int)t->ne[0]);
        bytes = packed > 0 && packed < UINT64_MAX / n ? packed * n : bytes;
    }
    m->weight_bytes += bytes;
    m->bytes_per_tok += is_routed ? bytes / n * (uint64_t)m->n_expert_used : bytes;
    m->active_params += (double)t->ne[0] * (double)t->ne[1] * (double)(is_routed ? (uint64_t)m->n_expert_used : n);
    if (t->ne[0] < 1 << 24 && (int)t->ne[0] > m->n_cols_max)
        m->n_cols_max = (int)t->ne[0];
    if (ends_with(t->name, ".ffn_down.weight") || ends_with(t->name, ".ffn_down_shexp.weight"))
        *(matmul_acts_kind(t->type) == ACTS_Q8 ? &m->ff_codes : &m->ff_floats) = true;
}

static void sum_tensors(struct plan_model *m, const struct gguf *g, const struct llm_arch *arch)
{
    const bool has_output = gguf_find_tensor(g, "output.weight") && !(arch && arch->tied_output);
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        m->params += (double)t->ne[0] * (double)t->ne[1] * (double)t->ne[2] * (double)t->ne[3];
        if (strcmp(t->name, "token_embd.weight") == 0) {
            m->n_vocab = t->ne[1] < 1 << 30 ? (int)t->ne[1] : 0;
            if (has_output || m->is_encoder)
                continue; /* looked up, a row per token */
        } else if (t->n_dims < 2 || is_table(t->name) || (strcmp(t->name, "output.weight") == 0 && !has_output))
            continue;
        add_matrix(m, t);
        if ((strstr(t->name, "ffn_up.") || strstr(t->name, "ffn_up_shexp.")) && t->ne[1] < 1 << 24) {
            char down[96];
            const struct gguf_tensor *d;
            const char *at = strstr(t->name, "ffn_up");
            snprintf(down, sizeof(down), "%.*sffn_down%s", (int)(at - t->name), t->name, at + 6);
            d = gguf_find_tensor(g, down);
            const int width = d && d->ne[0] < 1 << 24 ? (int)d->ne[0] : (int)t->ne[1]; /* a fused gate doubles the rows of up */
            m->n_ff = width > m->n_ff ? width : m->n_ff;
        }
    }
}

bool advise_model_of_gguf(struct plan_model *m, const struct gguf *g, struct err *err)
{
    struct reader r = { .g = g };
    struct gguf_str s = { 0 };
    memset(m, 0, sizeof(*m));
    if (!gguf_get_str(g, "general.architecture", &s) || s.len == 0 || s.len >= sizeof(r.arch))
        return err_set(err, ERR_INPUT, "%s: key 'general.architecture' is missing", gguf_path(g));
    memcpy(r.arch, s.data, s.len);
    snprintf(m->arch, sizeof(m->arch), "%.31s", r.arch);
    const char *path = gguf_path(g), *slash = strrchr(path, '/');
    snprintf(m->name, sizeof(m->name), "%.90s", slash ? slash + 1 : path);
    const struct llm_arch *arch = llm_arch_find(r.arch, strlen(r.arch));
    m->is_encoder = arch && arch->post_norm;
    m->n_layer = key_int(&r, "block_count", 0), m->n_embd = key_int(&r, "embedding_length", 0), m->n_head = key_int(&r, "attention.head_count", 0);
    if (m->n_layer < 1 || m->n_embd < 1 || m->n_head < 1 || m->n_layer > 4096)
        return err_set(err, ERR_INPUT, "%s: no language model: keys '%s.block_count', 'embedding_length', 'attention.head_count'", gguf_path(g), r.arch);
    m->n_kv_head = key_int(&r, "attention.head_count_kv", m->n_head);
    m->d_k = key_int(&r, "attention.key_length", m->n_embd / m->n_head);
    m->d_v = key_int(&r, "attention.value_length", m->d_k);
    m->n_ctx_train = key_int(&r, "context_length", 0);
    m->n_expert = key_int(&r, "expert_count", 0), m->n_expert_used = key_int(&r, "expert_used_count", 0);
    m->n_ff_expert = key_int(&r, "expert_feed_forward_length", m->n_expert ? key_int(&r, "feed_forward_length", 0) : 0);
    m->kv_lora = key_int(&r, "attention.kv_lora_rank", 0), m->q_lora = m->kv_lora ? key_int(&r, "attention.q_lora_rank", 0) : 0;
    m->d_q_head = key_int(&r, "attention.key_length_mla", m->d_k), m->d_v_head = key_int(&r, "attention.value_length_mla", 0);
    m->n_rot = arch && arch->rope == ROPE_NONE ? 0 : key_int(&r, "rope.dimension_count", m->d_k);
    const int period = key_int(&r, "attention.sliding_window_pattern", arch ? arch->window_period : 0);
    m->window = arch && !arch->window_period ? 0 : key_int(&r, "attention.sliding_window", 0);
    if (m->window > 0 && period > 1)
        for (int i = 0; i < m->n_layer; i++)
            m->n_layer_window += i % period < period - 1;
    m->n_layer_full = m->n_layer - m->n_layer_window;
    sum_tensors(m, g, arch);
    m->bpw = m->params > 0 ? 8.0 * (double)gguf_file_bytes(g) / m->params : 0;
    uint32_t type;
    const struct gguf_tensor *down = gguf_find_tensor(g, "blk.0.ffn_gate.weight");
    if (gguf_get_u32(g, "general.file_type", &type) && down)
        snprintf(m->quant, sizeof(m->quant), "%s", dtype_info((uint32_t)down->type)->name);
    m->is_exact = true;
    return true;
}

/* ---- from the catalog ---- */

static int cell_int(const struct catalog_row *row, const char *column)
{
    const double v = catalog_number_or(row, column, 0);
    return v > 0 && v < 1e9 ? (int)v : 0;
}

bool advise_model_of_row(struct plan_model *m, const struct catalog_row *row, const char *quant, struct err *err)
{
    memset(m, 0, sizeof(*m));
    snprintf(m->name, sizeof(m->name), "%.90s", catalog_name(row));
    snprintf(m->quant, sizeof(m->quant), "%.23s", quant);
    snprintf(m->arch, sizeof(m->arch), "%.31s", catalog_text(row, "family"));
    m->params = 1e9 * catalog_number_or(row, "params_b", 0);
    m->active_params = 1e9 * catalog_number_or(row, "active_b", m->params / 1e9);
    m->bpw = plan_quant_bpw(quant, m->params);
    if (!(m->params > 0))
        return err_set(err, ERR_INPUT, "%s: its number of weights is not known", m->name);
    if (!(m->bpw > 0))
        return err_set(err, ERR_INPUT, "quantization '%s' is not known", quant);
    m->n_layer = cell_int(row, "n_layers"), m->n_embd = cell_int(row, "n_embd"), m->n_head = cell_int(row, "n_heads");
    m->n_kv_head = cell_int(row, "n_kv_heads"), m->d_k = cell_int(row, "n_head_dim"), m->d_v = cell_int(row, "n_v_head_dim");
    m->n_ff = cell_int(row, "n_ff"), m->n_vocab = cell_int(row, "n_vocab"), m->n_ctx_train = cell_int(row, "ctx_tok");
    m->window = cell_int(row, "window_tok"), m->n_layer_window = cell_int(row, "n_window_layers"), m->n_layer_linear = cell_int(row, "n_linear_layers");
    m->n_expert = cell_int(row, "n_experts"), m->n_expert_used = cell_int(row, "n_experts_used"), m->n_ff_expert = cell_int(row, "n_expert_ff");
    m->kv_lora = cell_int(row, "n_kv_lora"), m->q_lora = cell_int(row, "n_q_lora"), m->n_rot = cell_int(row, "n_rope_dim");
    if (m->n_layer > 0 && (m->n_embd < 1 || m->n_head < 1))
        m->n_layer = 0; /* half a shape is none */
    if (m->d_k == 0 && m->n_head > 0)
        m->d_k = m->n_embd / m->n_head;
    if (m->d_v == 0)
        m->d_v = m->d_k;
    if (m->n_kv_head == 0)
        m->n_kv_head = m->n_head;
    if (m->kv_lora > 0) {
        m->d_q_head = m->d_k, m->d_v_head = m->d_v;
        m->d_k = m->kv_lora + m->n_rot, m->d_v = m->kv_lora, m->n_kv_head = 1;
    }
    if (m->n_rot == 0)
        m->n_rot = m->d_k;
    if (m->n_layer_window + m->n_layer_linear > m->n_layer)
        m->n_layer_window = m->n_layer_linear = 0;
    m->n_layer_full = m->n_layer - m->n_layer_window - m->n_layer_linear;
    m->linear_state_bytes = m->n_layer_linear > 0 ? (uint64_t)m->n_embd * 128 * 2 : 0; /* a state of 128 values per channel, F16 */
    plan_model_size(m);
    return true;
}

/* "8b", "0.6b", "30b-a3b". */
static bool model_of_size(struct plan_model *m, const char *text, const char *quant)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    const double params = strtod(text, &end);
    double active = params;
    if (*end != 'b' && *end != 'B')
        return false;
    end++;
    if (end[0] == '-' && (end[1] == 'a' || end[1] == 'A') && isdigit((unsigned char)end[2])) {
        active = strtod(end + 2, &end);
        if (*end == 'b' || *end == 'B')
            end++;
    }
    if (*end || !(params > 0.01 && params < 1e4) || !(active > 0) || active > params)
        return false;
    memset(m, 0, sizeof(*m));
    snprintf(m->name, sizeof(m->name), "%.40s", text);
    snprintf(m->quant, sizeof(m->quant), "%.23s", quant);
    m->params = params * 1e9, m->active_params = active * 1e9, m->bpw = plan_quant_bpw(quant, m->params);
    plan_model_size(m);
    return m->bpw > 0;
}

bool advise_model_find(struct plan_model *m, struct catalog *c, const char *text, const char *quant, struct err *err)
{
    if (ends_with(text, ".gguf")) {
        struct gguf *g = gguf_open(text, err);
        const bool ok = g && advise_model_of_gguf(m, g, err);
        gguf_close(g);
        return ok;
    }
    char name[128], chosen[24];
    snprintf(name, sizeof(name), "%.120s", text);
    snprintf(chosen, sizeof(chosen), "%.23s", quant);
    char *colon = strrchr(name, ':');
    if (colon && plan_quant_bpw(colon + 1, 1e9) > 0) {
        *colon = '\0';
        snprintf(chosen, sizeof(chosen), "%.23s", colon + 1);
    }
    if (model_of_size(m, name, chosen))
        return true;
    const struct catalog_table *t = catalog_table(c, "model", err);
    const struct catalog_row *row = t ? catalog_find(t, name, err) : NULL;
    return row && advise_model_of_row(m, row, chosen, err);
}
