/* site/inventory_want.c - an expert of the inventory: its model in the precisions allowed, its traffic, where it may be; start at inv_read_want(). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "advise/model.h"
#include "site/inventory_internal.h"
#include "plan/memory.h"
#include "route/quality.h"

static const char *const want_keys[] = { "name", "task", "tasks", "model", "quants", "file", "url", "card", "ctx", "parallel", "kv_bits", "memory", "item", "item_accelerated", "accelerator",
                                         "needs_accelerator", "replicas", "only", "quality", "keeps_warm", "traffic", "note", NULL };
static const char *const replica_keys[] = { "min", "max", NULL };
static const char *const traffic_keys[] = { "per_hour", "prompt_tok", "answer_tok", "sound", NULL };

/* As route/fleet_derive.c: the share of the stated peak that networks for pictures and sound reach at batch 1 (rough, +-2x), and whisper's steps. */
static const double PEAK_FRAC = .15, READ_FRAC = .6;
enum { WHISPER_FRAMES_S = 50, WHISPER_TOK_S = 4, RUNTIME_BYTES = 150000000 /* ONNX Runtime or a server with its buffers */ };

static bool read_tasks(struct inv_reader *r, const struct yaml_node *map, struct inv_want *w, struct err *err)
{
    static const char *const words[] = {
#define X(name, word) word,
        EXPERT_TASKS(X)
#undef X
            NULL
    };
    const struct yaml_node *one = yaml_get(map, "task"), *many = NULL;
    if (!yaml_list(r->y, map, "tasks", &many, err))
        return false;
    for (int i = one ? -1 : 0; i < (many ? many->n_items : 0); i++) {
        const struct yaml_node *at = i < 0 ? one : &many->items[i];
        enum expert_task t;
        if (at->kind != YAML_TEXT || !expert_task_find(at->text, &t)) {
            const char *near = at->kind == YAML_TEXT ? yaml_nearest(at->text, words) : NULL;
            return yaml_fail(r->y, at, err, "task: chat, detect, transcribe, ... is wanted%s%s%s", near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        w->task |= (unsigned)t;
        if (!w->task_name)
            w->task_name = expert_task_name(t);
    }
    return w->task != 0 || yaml_fail(r->y, map, err, "task: what %s does is wanted (chat, detect, transcribe, ...)", w->name);
}

static bool read_replicas(struct inv_reader *r, const struct yaml_node *map, struct inv_want *w, struct err *err)
{
    const struct yaml_node *at = yaml_get(map, "replicas");
    int64_t min = 1, max = 0;
    if (at && at->kind == YAML_MAP) {
        if (!yaml_check_keys(r->y, at, replica_keys, NULL, err) || !yaml_int(r->y, at, "min", 0, INV_NODES_MAX, &min, err) || !yaml_int(r->y, at, "max", 1, INV_NODES_MAX, &max, err))
            return false;
    } else if (!yaml_int(r->y, map, "replicas", 0, INV_NODES_MAX, &min, err))
        return false;
    w->n_min = (int)min, w->n_max = (int)(max ? max : min > 1 ? min : 1);
    return w->n_min <= w->n_max || yaml_fail(r->y, at, err, "replicas: min is above max");
}

static bool read_only(struct inv_reader *r, const struct yaml_node *map, struct inv_want *w, struct err *err)
{
    const struct yaml_node *list = NULL;
    if (!yaml_list(r->y, map, "only", &list, err))
        return false;
    if (list && list->n_items > INV_ONLY_MAX)
        return yaml_fail(r->y, list, err, "only: at most %d nodes can be named", INV_ONLY_MAX);
    for (int i = 0; list && i < list->n_items; i++) {
        const char *name;
        if (!yaml_node_text(r->y, &list->items[i], &name, err))
            return false;
        if (inventory_find_node(r->inv, name) < 0) {
            const char *names[65] = { NULL };
            for (int k = 0; k < r->inv->n_nodes && k < 64; k++)
                names[k] = r->inv->nodes[k].name;
            const char *near = yaml_nearest(name, names);
            return yaml_fail(r->y, &list->items[i], err, "only: there is no node '%.60s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        w->only[w->n_only++] = name;
    }
    return true;
}

static bool read_seconds(struct inv_reader *r, const struct yaml_node *map, const char *key, double *out, struct err *err)
{
    uint64_t ms = UINT64_MAX;
    if (!yaml_time(r->y, map, key, &ms, err))
        return false;
    if (ms != UINT64_MAX)
        *out = (double)ms / 1e3;
    return true;
}

static bool read_traffic(struct inv_reader *r, const struct yaml_node *map, struct inv_want *w, struct err *err)
{
    const struct yaml_node *at = NULL;
    struct inv_traffic *t = &w->traffic;
    return yaml_map(r->y, map, "traffic", &at, err) && (!at || yaml_check_keys(r->y, at, traffic_keys, NULL, err)) && yaml_number(r->y, at, "per_hour", 0, 1e9, &t->per_hour, err) &&
           yaml_number(r->y, at, "prompt_tok", 1, 1e7, &t->prompt_tok, err) && yaml_number(r->y, at, "answer_tok", 0, 1e7, &t->answer_tok, err) &&
           read_seconds(r, at, "sound", &t->sound_s, err);
}

/* ---- models ---- */

static bool has_suffix(const char *s, const char *end)
{
    const size_t n = strlen(s), e = strlen(end);
    return n >= e && !strcmp(s + n - e, end);
}

static bool add_precision(struct inv_reader *r, const struct yaml_node *at, const char *model, const char *quant, struct inv_want *w, struct err *err)
{
    struct err why = { 0 };
    struct plan_model *m = &w->model_of[w->n_quants];
    if (w->n_quants == INV_QUANTS_MAX)
        return yaml_fail(r->y, at, err, "quants: at most %d are possible", INV_QUANTS_MAX);
    if (!advise_model_find(m, r->catalog, model, quant, &why))
        return yaml_fail(r->y, at, err, "model: %s", why.text);
    if (!(m->weight_bytes > 0) || m->weight_bytes > UINT64_C(1) << 50)
        return yaml_fail(r->y, at, err, "model: the size of %s is not known", m->name);
    for (int i = 0; i < w->n_quants; i++)
        if (!strcmp(w->model_of[i].quant, m->quant) && w->model_of[i].weight_bytes == m->weight_bytes)
            return true;
    w->n_quants++;
    for (int i = w->n_quants - 1; i > 0 && w->model_of[i].bpw > w->model_of[i - 1].bpw; i--) {
        const struct plan_model swap = w->model_of[i];
        w->model_of[i] = w->model_of[i - 1], w->model_of[i - 1] = swap;
    }
    return true;
}

static bool read_language_model(struct inv_reader *r, const struct yaml_node *map, const char *model, struct inv_want *w, struct err *err)
{
    static const char *const usual[] = { "Q8_0", "Q6_K", "Q4_K_M" };
    const struct yaml_node *list = NULL, *at = yaml_get(map, "model");
    if (!yaml_list(r->y, map, "quants", &list, err))
        return false;
    const bool is_file = has_suffix(model, ".gguf");
    if (is_file && list)
        return yaml_fail(r->y, list, err, "quants: a file has the one that it has");
    if (is_file && !(model = inv_path(r, model, err)))
        return false;
    const int n = list ? list->n_items : is_file ? 1 : (int)(sizeof(usual) / sizeof(usual[0]));
    if (n == 0)
        return yaml_fail(r->y, list, err, "quants: at least one is wanted: [Q8_0, Q4_K_M]");
    for (int i = 0; i < n; i++) {
        const char *quant = list ? NULL : usual[i];
        if ((list && !yaml_node_text(r->y, &list->items[i], &quant, err)) || !add_precision(r, list ? &list->items[i] : at, model, quant, w, err))
            return false;
    }
    if (w->traffic.prompt_tok == 0)
        w->traffic.prompt_tok = 512;
    if (w->traffic.answer_tok == 0 && !(w->task & EXPERT_EMBED))
        w->traffic.answer_tok = 128;
    if (w->n_ctx == 0)
        w->n_ctx = w->model_of[0].n_ctx_train > 0 && w->model_of[0].n_ctx_train < 8192 ? w->model_of[0].n_ctx_train : 8192;
    if (!(w->quality > 0))
        w->quality = (double)quality_tier(w->model_of[0].params, w->model_of[0].active_params, (float)w->model_of[0].bpw);
    return true;
}

/* A network for pictures or sound that the catalog knows: its size, and its time on a Raspberry Pi 5's CPU as plan/ reckons. */
static void derive_network(struct inv_reader *r, const struct catalog_row *row, struct inv_want *w)
{
    struct device pi;
    struct err ignored = { 0 };
    const double params = 1e9 * catalog_number_or(row, "params_b", 0), forward = 1e9 * catalog_number_or(row, "forward_gflops", 0);
    if (!w->bytes && params > 0)
        w->bytes = (uint64_t)(params * 2) + RUNTIME_BYTES;
    if (w->item_s > 0 || !device_of_spec(&pi, r->catalog, "Raspberry Pi 5", &ignored))
        return;
    const double peak = 1e12 * (pi.plan.fp16_tflops > 0 ? pi.plan.fp16_tflops : pi.plan.fp32_tflops);
    if (forward > 0 && peak > 0)
        w->item_s = forward / (PEAK_FRAC * peak);
    else if (!strcmp(catalog_text(row, "task"), "stt") && peak > 0 && pi.plan.bw_gbps > 0)
        w->item_s = w->traffic.sound_s * (WHISPER_FRAMES_S * params / (PEAK_FRAC * peak) + WHISPER_TOK_S * params / (READ_FRAC * pi.plan.bw_gbps * 1e9));
}

static bool is_language(const struct catalog_row *row)
{
    const char *task = row ? catalog_text(row, "task") : "llm";
    return !strcmp(task, "llm") || !strcmp(task, "embed");
}

static bool read_model(struct inv_reader *r, const struct yaml_node *map, struct inv_want *w, struct err *err)
{
    struct err why = { 0 };
    const struct catalog_table *models = catalog_table(r->catalog, "model", err);
    if (!models)
        return false;
    char name[128];
    snprintf(name, sizeof(name), "%.120s", w->model);
    char *colon = strrchr(name, ':');
    if (colon && plan_quant_bpw(colon + 1, 1e9) > 0)
        *colon = '\0';
    const struct catalog_row *row = name[0] ? catalog_find(models, name, &why) : NULL;
    const bool is_text = (w->task & (EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED | EXPERT_DESCRIBE)) != 0;
    if (w->model[0] && (row ? is_language(row) : is_text) && !w->bytes)
        return read_language_model(r, map, w->model, w, err);
    if (yaml_get(map, "quants"))
        return yaml_fail(r->y, yaml_get(map, "quants"), err, "quants: are of language models");
    if (row)
        derive_network(r, row, w);
    if (!w->bytes)
        return yaml_fail(r->y, map, err, "memory: what %s takes is wanted: memory: 300 MB", w->name);
    if (!(w->item_s > 0))
        return yaml_fail(r->y, map, err, "item: how long one input of %s takes on a Raspberry Pi 5's CPU is wanted: item: 80ms", w->name);
    return true;
}

bool inv_read_want(struct inv_reader *r, const struct yaml_node *map, struct err *err)
{
    struct inventory *inv = r->inv;
    struct inv_want *w = &inv->wants[inv->n_wants];
    const char *name;
    int64_t ctx = 0, parallel = 1, kv_bits = 16;
    if (map->kind != YAML_MAP)
        return yaml_fail(r->y, map, err, "experts: a map for each is wanted: name, task, model, ...");
    *w = (struct inv_want){ .model = "", .file = "", .url = "", .card = "", .accelerator = "", .keeps_warm = true, .traffic = { .sound_s = 5 }, .at = map };
    if (!yaml_check_keys(r->y, map, want_keys, NULL, err) || !inv_read_name(r, map, 0, &name, err))
        return false;
    if (inventory_find_want(inv, name) >= 0 || !strcmp(name, "camera"))
        return yaml_fail(r->y, yaml_get(map, "name"), err, strcmp(name, "camera") ? "experts: %s is there twice" : "experts: %s is what edges call the source", name);
    snprintf(w->name, sizeof(w->name), "%s", name);
    if (!read_tasks(r, map, w, err) || !yaml_text(r->y, map, "model", &w->model, err) || !yaml_text(r->y, map, "file", &w->file, err) || !yaml_text(r->y, map, "url", &w->url, err) ||
        !yaml_text(r->y, map, "card", &w->card, err) || !yaml_int(r->y, map, "ctx", 16, 1 << 24, &ctx, err) || !yaml_int(r->y, map, "parallel", 1, 1024, &parallel, err) ||
        !yaml_int(r->y, map, "kv_bits", 4, 16, &kv_bits, err) || !yaml_bytes(r->y, map, "memory", &w->bytes, err) || !read_seconds(r, map, "item", &w->item_s, err) ||
        !read_seconds(r, map, "item_accelerated", &w->accelerated_s, err) || !yaml_text(r->y, map, "accelerator", &w->accelerator, err) ||
        !yaml_bool(r->y, map, "needs_accelerator", &w->needs_accelerator, err) || !yaml_number(r->y, map, "quality", 0, 10, &w->quality, err) ||
        !yaml_bool(r->y, map, "keeps_warm", &w->keeps_warm, err) || !read_replicas(r, map, w, err) || !read_only(r, map, w, err) || !read_traffic(r, map, w, err))
        return false;
    if (kv_bits != 16 && kv_bits != 8 && kv_bits != 4)
        return yaml_fail(r->y, yaml_get(map, "kv_bits"), err, "kv_bits: 16, 8 or 4");
    if (w->needs_accelerator && !w->accelerator[0])
        return yaml_fail(r->y, yaml_get(map, "needs_accelerator"), err, "needs_accelerator: which? accelerator: google.com/coral");
    if (w->bytes > UINT64_C(1) << 50)
        return yaml_fail(r->y, yaml_get(map, "memory"), err, "memory: more than 1 PB");
    w->n_ctx = (int)ctx, w->n_parallel = (int)parallel, w->kv_bits = (int)kv_bits;
    if (!read_model(r, map, w, err))
        return false;
    inv->n_wants++;
    return true;
}
