/* quant/quantize.c - see quantize.h; plan: quant_new(), work: walk(). */
#include "quant/quantize.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/write.h"
#include "kernels/encode/encode.h"

enum {
    PIECE = 1 << 17, /* values; a multiple of every block.  512 KB of floats: they stay in the L2 cache of most machines */
    QUANTIZATION_VERSION = 2, /* of K formats since 2023 (llama.cpp, GGML_QNT_VERSION) */
};

struct quant {
    const struct gguf *model;
    struct gguf_writer *writer; /* keys and tensors are in it */
    struct quant_item *items;   /* owned; the model's order */
    uint64_t *first_piece;      /* owned; [n + 1]: pieces before each item */
    size_t n;
};

/* --- what becomes what ---------------------------------------------------------------------------------- */

/* An integer of the architecture; of an array (a value for each layer) the first. */
static int arch_int(const struct gguf *g, const char *tail)
{
    struct gguf_str arch;
    char key[128];
    if (!gguf_get_str(g, "general.architecture", &arch) || arch.len > 64)
        return 0;
    snprintf(key, sizeof(key), "%.*s.%s", (int)arch.len, arch.data, tail);
    const struct gguf_kv *kv = gguf_find(g, key);
    const int64_t v = kv ? gguf_kv_int(kv, 0) : 0;
    return v < 0 ? 0 : v > 1 << 20 ? 1 << 20 : (int)v;
}

static struct mix_model describe(const struct gguf *g)
{
    struct gguf_str arch = { "", 0 };
    struct mix_model m = { .is_tied = !gguf_find_tensor(g, "output.weight"), .n_layer = arch_int(g, "block_count"), .n_expert = arch_int(g, "expert_count") };
    const int n_head = arch_int(g, "attention.head_count"), n_head_kv = arch_int(g, "attention.head_count_kv");
    gguf_get_str(g, "general.architecture", &arch);
    m.gqa = n_head_kv > 0 ? n_head / n_head_kv : gguf_find_tensor(g, "blk.0.attn_v.weight") ? 1 : 0;
    m.is_falcon = arch.len == 6 && memcmp(arch.data, "falcon", 6) == 0;
    m.is_llama_70b = arch.len == 5 && memcmp(arch.data, "llama", 5) == 0 && m.n_layer == 80 && n_head != n_head_kv;
    for (size_t i = 0; i < gguf_n_tensors(g); i++)
        m.n_attn_v += mix_is_attn_v(gguf_tensor_at(g, i)->name);
    return m;
}

static int layer_of(const char *name)
{
    int layer = -1;
    return sscanf(name, "blk.%9d.", &layer) == 1 ? layer : -1;
}

/* By layer, then by name: the order in which the rules count. */
static int by_layer(const void *a, const void *b)
{
    const struct quant_item *x = *(struct quant_item *const *)a, *y = *(struct quant_item *const *)b;
    const int i = layer_of(x->tensor->name), k = layer_of(y->tensor->name);
    return i != k ? (i < k ? -1 : 1) : strcmp(x->tensor->name, y->tensor->name);
}

static bool is_number_type(enum dtype t)
{
    return t != DTYPE_Q8_1 && t != DTYPE_Q8_K && t != DTYPE_I8 && t != DTYPE_I16 && t != DTYPE_I32 && t != DTYPE_I64;
}

static void choose_type(struct quant_item *item, const struct quant_options *o, const struct mix_model *model, struct mix_counts *counts, bool *used)
{
    const struct gguf_tensor *t = item->tensor;
    item->wish = item->type = t->type;
    if (!mix_may_change(t->name, t->n_dims) || !is_number_type(t->type))
        return;
    item->wish = mix_wish(o->mix, model, counts, t->name, t->ne); /* asked in any case: it counts */
    if (o->pure)
        item->wish = o->mix->type;
    for (int i = 0; i < o->n_rules; i++)
        if (fnmatch(o->rules[i].glob, t->name, 0) == 0) {
            item->wish = o->rules[i].type;
            used[i] = true;
            break;
        }
    item->type = mix_fit(item->wish, t->ne[0]);
}

static bool choose_types(struct quant *q, const struct quant_options *o, struct err *err)
{
    const struct mix_model model = describe(q->model);
    struct mix_counts counts = { 0 };
    struct quant_item **sorted = malloc((q->n + 1) * sizeof(*sorted));
    bool *used = calloc((size_t)o->n_rules + 1, sizeof(*used));
    bool ok = (sorted && used) || err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; ok && i < q->n; i++) {
        q->items[i].tensor = gguf_tensor_at(q->model, i);
        sorted[i] = &q->items[i];
    }
    if (ok)
        qsort(sorted, q->n, sizeof(*sorted), by_layer);
    for (size_t i = 0; ok && i < q->n; i++)
        choose_type(sorted[i], o, &model, &counts, used);
    for (int i = 0; ok && i < o->n_rules; i++)
        if (!used[i])
            ok = err_set(err, ERR_INPUT, "'%s' matches no tensor that may be quantized", o->rules[i].glob);
    free(sorted);
    free(used);
    return ok;
}

static bool size_items(struct quant *q, const struct quant_options *o, struct err *err)
{
    for (size_t i = 0; i < q->n; i++) {
        struct quant_item *item = &q->items[i];
        const struct gguf_tensor *t = item->tensor;
        item->is_copied = item->type == t->type;
        item->n_values = t->ne[0] * t->ne[1] * t->ne[2] * t->ne[3]; /* gguf.h: fits */
        item->n_bytes = item->is_copied ? t->n_bytes : dtype_row_bytes(item->type, item->n_values);
        if (!item->is_copied && dtype_info(t->type)->block_len > 1 && !o->requantize)
            return err_set(err, ERR_INPUT, "tensor '%s' is %s already: quantizing twice loses more; --requantize does it all the same", t->name,
                           dtype_info(t->type)->name);
        q->first_piece[i + 1] = q->first_piece[i] + (item->n_values + PIECE - 1) / PIECE;
    }
    return true;
}

static void write_head(struct quant *q, const struct mix *mix)
{
    static const char *const ours[] = { "general.file_type", "general.quantization_version", "general.alignment", "split.no", "split.count",
                                        "split.tensors.count" };
    for (size_t i = 0; i < gguf_n_kv(q->model); i++) {
        const struct gguf_kv *kv = gguf_kv_at(q->model, i);
        bool is_ours = false;
        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
            is_ours |= strcmp(kv->key, ours[k]) == 0;
        if (!is_ours)
            gguf_write_kv(q->writer, kv);
    }
    gguf_write_u32(q->writer, "general.quantization_version", QUANTIZATION_VERSION);
    gguf_write_u32(q->writer, "general.file_type", mix->file_type);
    for (size_t i = 0; i < q->n; i++)
        gguf_write_tensor(q->writer, q->items[i].tensor->name, q->items[i].type, q->items[i].tensor->n_dims, q->items[i].tensor->ne);
}

struct quant *quant_new(const struct gguf *model, const struct quant_options *options, struct err *err)
{
    struct quant *q = calloc(1, sizeof(*q));
    if (!q)
        return err_null(err, ERR_NOMEM, "out of memory");
    q->model = model;
    q->n = gguf_n_tensors(model);
    q->items = calloc(q->n + 1, sizeof(*q->items));
    q->first_piece = calloc(q->n + 1, sizeof(*q->first_piece));
    q->writer = gguf_writer_new(err);
    if (!q->items || !q->first_piece || !q->writer) {
        err_set(err, ERR_NOMEM, "out of memory");
        goto fail;
    }
    if (q->n == 0) {
        err_set(err, ERR_INPUT, "the file holds no weights");
        goto fail;
    }
    if (!choose_types(q, options, err) || !size_items(q, options, err))
        goto fail;
    write_head(q, options->mix);
    return q;
fail:
    quant_free(q);
    return NULL;
}

void quant_free(struct quant *q)
{
    if (!q)
        return;
    gguf_writer_free(q->writer);
    free(q->items);
    free(q->first_piece);
    free(q);
}

size_t quant_n_items(const struct quant *q) { return q->n; }
const struct quant_item *quant_item_at(const struct quant *q, size_t i) { return &q->items[i]; }
uint64_t quant_file_bytes(const struct quant *q) { return gguf_writer_file_bytes(q->writer); }

/* --- the work ------------------------------------------------------------------------------------------- */

/* What the threads share. */
struct work {
    struct quant *q;
    const struct encode_ops *ops;
    const struct quant_watch *watch;
    struct piece_sums { double error, power; } *sums; /* [piece]: added in order at the end, so that the total does not depend on threads */
    float *x[64];      /* [thread][PIECE] */
    uint8_t *out[64];  /* the same as blocks */
    atomic_ullong done_bytes;
    uint64_t all_bytes;
    atomic_int failed; /* 1 + the thread that failed first */
    struct err err;    /* its */
};

/* NaN and infinities give NaN here, numbers give 0. */
static bool all_finite(const float *x, size_t n)
{
    float lane[16] = { 0 };
    float sum = 0.0f;
    for (size_t i = 0; i + 16 <= n; i += 16)
        for (int l = 0; l < 16; l++)
            lane[l] += x[i + l] * 0.0f;
    for (size_t i = n / 16 * 16; i < n; i++)
        sum += x[i] * 0.0f;
    for (int l = 0; l < 16; l++)
        sum += lane[l];
    return sum == 0.0f;
}

static double sum_squares(const float *x, size_t n)
{
    float lane[16] = { 0 };
    double sum = 0.0;
    for (size_t i = 0; i + 16 <= n; i += 16)
        for (int l = 0; l < 16; l++)
            lane[l] += x[i + l] * x[i + l];
    for (size_t i = n / 16 * 16; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    for (int l = 0; l < 16; l++)
        sum += (double)lane[l];
    return sum;
}

static bool load(const struct work *w, float *x, const struct quant_item *item, uint64_t from, size_t n, struct err *err)
{
    const struct gguf_tensor *t = item->tensor;
    const uint8_t *bytes = t->data + dtype_row_bytes(t->type, from);
    if (t->type == DTYPE_F16)
        w->ops->from_f16(x, bytes, n);
    else if (!dtype_to_f32(x, t->type, bytes, n))
        return err_set(err, ERR_UNSUPPORTED, "tensor '%s': %s has no meaning as numbers", t->name, dtype_info(t->type)->name);
    if (all_finite(x, n))
        return true;
    size_t i = 0;
    while (i + 1 < n && isfinite(x[i]))
        i++;
    return err_set(err, ERR_INPUT, "tensor '%s': value %" PRIu64 " of %" PRIu64 " is %s: the model is broken", t->name, from + i, item->n_values,
                   isnan(x[i]) ? "not a number" : "infinite");
}

static bool make_piece(struct work *w, int ith, uint64_t piece, size_t i, struct err *err)
{
    struct quant_item *item = &w->q->items[i];
    const struct gguf_tensor *t = item->tensor;
    const uint64_t from = (piece - w->q->first_piece[i]) * PIECE;
    const size_t n = item->n_values - from < PIECE ? (size_t)(item->n_values - from) : PIECE;
    const uint64_t in_at = dtype_row_bytes(t->type, from), in_bytes = dtype_row_bytes(t->type, n);
    bool ok;
    if (item->is_copied) {
        ok = gguf_writer_put(w->q->writer, i, in_at, t->data + in_at, (size_t)in_bytes, err);
    } else {
        ok = load(w, w->x[ith], item, from, n, err);
        if (ok) {
            w->sums[piece].power = sum_squares(w->x[ith], n);
            w->sums[piece].error = w->ops->to[item->type](w->out[ith], w->x[ith], n);
            ok = gguf_writer_put(w->q->writer, i, dtype_row_bytes(item->type, from), w->out[ith], (size_t)dtype_row_bytes(item->type, n), err);
        }
    }
    gguf_forget(w->q->model, t, (size_t)in_at, (size_t)in_bytes);
    atomic_fetch_add(&w->done_bytes, in_bytes);
    return ok;
}

static void walk(struct pool *pool, int ith, void *ctx)
{
    struct work *w = ctx;
    const uint64_t n_pieces = w->q->first_piece[w->q->n];
    size_t i = 0;
    for (int64_t p; (p = pool_take(pool)) < (int64_t)n_pieces;) {
        struct err err = { 0 };
        int none = 0;
        if (atomic_load(&w->failed))
            break;
        while (w->q->first_piece[i + 1] <= (uint64_t)p)
            i++;
        bool ok = !w->watch->is_stopped || !w->watch->is_stopped(w->watch->ctx) || err_set(&err, ERR_CANCELLED, "interrupted: nothing was written");
        ok = ok && make_piece(w, ith, (uint64_t)p, i, &err);
        if (!ok && atomic_compare_exchange_strong(&w->failed, &none, ith + 1))
            w->err = err;
        if (ith == 0 && w->watch->on_progress)
            w->watch->on_progress(w->watch->ctx, atomic_load(&w->done_bytes), w->all_bytes);
    }
}

static bool work_init(struct work *w, int n_threads, struct err *err)
{
    const uint64_t n_pieces = w->q->first_piece[w->q->n];
    w->sums = n_pieces < SIZE_MAX / sizeof(w->sums[0]) ? calloc((size_t)n_pieces, sizeof(w->sums[0])) : NULL;
    bool ok = w->sums != NULL;
    for (int t = 0; ok && t < n_threads; t++) {
        w->x[t] = malloc(PIECE * sizeof(float));
        w->out[t] = malloc(PIECE * sizeof(float)); /* F32 is the largest type */
        ok = w->x[t] && w->out[t];
    }
    for (size_t i = 0; i < w->q->n; i++)
        w->all_bytes += w->q->items[i].tensor->n_bytes;
    return ok || err_set(err, ERR_NOMEM, "out of memory");
}

bool quant_write(struct quant *q, const char *path, struct pool *pool, uint32_t cpu, const struct quant_watch *watch, struct err *err)
{
    struct work w = { .q = q, .ops = encode_choose(cpu), .watch = watch };
    const int most = (int)(sizeof(w.x) / sizeof(w.x[0]));
    if (pool_n_threads(pool) > most)
        pool_use(pool, most);
    bool ok = work_init(&w, pool_n_threads(pool) < most ? pool_n_threads(pool) : most, err) && gguf_writer_begin(q->writer, path, err);
    if (ok) {
        pool_run(pool, walk, &w);
        if (atomic_load(&w.failed)) {
            *err = w.err;
            ok = false;
        }
    }
    for (size_t i = 0; ok && i < q->n; i++)
        for (uint64_t p = q->first_piece[i]; p < q->first_piece[i + 1]; p++)
            q->items[i].error += w.sums[p].error, q->items[i].power += w.sums[p].power;
    ok = ok && gguf_writer_sync(q->writer, err) && gguf_writer_end(q->writer, err);
    if (!ok) { /* takes the half-written file away */
        gguf_writer_free(q->writer);
        q->writer = NULL;
    }
    free(w.sums);
    for (int t = 0; t < most; t++) {
        free(w.x[t]);
        free(w.out[t]);
    }
    return ok;
}
