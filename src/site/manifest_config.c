/* site/manifest_config.c - tutti.yaml of a node, made from its places: experts with their cards, memory, who the others are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cluster/cluster.h"
#include "site/manifest_internal.h"

enum { CARD_MAX_BYTES = 64 << 10 };

/* As it is seen from the inventory's folder. */
bool manifest_read_card(struct manifest_work *w, const struct inv_want *want, struct buf *b)
{
    char path[1200];
    size_t n = 0;
    const bool is_whole = want->card[0] == '/';
    snprintf(path, sizeof(path), "%s%s%s", is_whole || !w->inv->dir ? "" : w->inv->dir, !is_whole && w->inv->dir && w->inv->dir[0] ? "/" : "", want->card);
    char *text = file_read(path, CARD_MAX_BYTES, &n, w->err);
    if (!text)
        return false;
    buf_append(b, text, n);
    free(text);
    return true;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

static const char *kind_of(const struct manifest_work *w, const struct inv_want *want, const struct place *p)
{
    const char *file = want->file[0] ? want->file : want->model;
    if (want->n_quants > 0)
        return manifest_is_own(w, p) ? "llm" : "server";
    return ends_with(file, ".tflite") ? "edgetpu" : ends_with(file, ".onnx") ? "onnx" : "server";
}

static void put_text(struct buf *b, const char *key, const char *value)
{
    buf_printf(b, "%s: ", key);
    buf_put_json_text(b, value);
    buf_putc(b, '\n');
}

static void put_expert(struct manifest_work *w, const struct place *p, bool is_k8s, struct buf *b)
{
    const struct inv_want *want = &w->inv->wants[p->want];
    const char *kind = kind_of(w, want, p);
    char file[400];
    buf_printf(b, "  # %s\n", p->why);
    if (want->card[0]) {
        buf_printf(b, "  - card: %s%s.card.yaml\n    name: %s\n    memory: %" PRIu64 "\n", is_k8s ? "/etc/tutti/" : "", want->name, want->name, p->bytes);
        return;
    }
    manifest_model_file(w->inv, p, file, sizeof(file));
    buf_printf(b, "  - name: %s\n    task: %s\n    kind: %s\n", want->name, want->task_name, kind);
    if (file[0])
        put_text(b, "    model", file);
    if (want->n_quants > 0) {
        put_text(b, "    precision", want->model_of[p->quant].quant);
        buf_printf(b, "    %s: %d\n    parallel: %d\n", strcmp(kind, "llm") == 0 ? "ctx" : "context", want->n_ctx, want->n_parallel);
        if (strcmp(kind, "llm") == 0 && want->kv_bits == 8)
            buf_puts(b, "    kv_q8: true\n");
    } else {
        manifest_warn(w, "%s: it has no card: one with task, kind and file was written; say `card: FILE` where it needs labels, voices or preparation", want->name);
    }
    buf_printf(b, "    memory: %" PRIu64 "\n", p->bytes);
    if (want->keeps_warm)
        buf_puts(b, "    keep: always\n");
}

static void put_warm(struct manifest_work *w, const struct pod *pod, struct buf *b)
{
    int n = 0;
    for (int i = 0; i < pod->n_places; i++) {
        const struct inv_want *want = &w->inv->wants[w->plan->list[pod->places[i]].want];
        if (want->keeps_warm)
            buf_printf(b, "%s%s", n++ ? ", " : "warm: [", want->name);
    }
    if (n)
        buf_puts(b, "] # loaded at the start: not ready before\n");
}

/* Whom it knows, and as whom. */
static void put_cluster(struct manifest_work *w, const struct pod *pod, bool is_k8s, struct buf *b)
{
    buf_puts(b, "cluster:\n");
    if (pod)
        buf_printf(b, "  name: %s\n", pod->name);
    buf_printf(b, "  listen: 0.0.0.0:%d\n  trust: %s/tutti/trust\n", MANIFEST_NODE_PORT, is_k8s ? "/state" : "/var/lib");
    if (is_k8s) {
        buf_printf(b, "  nodes: [\"dns://tutti-nodes.%s.svc:%d\"]\n", w->ns, MANIFEST_NODE_PORT);
        return;
    }
    buf_puts(b, "  share: /var/lib/tutti/models\n"); /* so that a model is downloaded once per house */
    int n = 0;
    if (w->inv->n_nodes > CLUSTER_SEEDS_MAX)
        manifest_warn(w, "%d nodes: each is told of the %d after it; give them a DNS name with all addresses, or mdns: true", w->inv->n_nodes, CLUSTER_SEEDS_MAX);
    for (int k = 1; k < w->inv->n_nodes && k <= CLUSTER_SEEDS_MAX; k++) {
        const struct inv_node *node = &w->inv->nodes[(pod->node + k) % w->inv->n_nodes];
        const bool has_address = node->address[0] != '\0', has_domain = !has_address && w->inv->domain[0];
        buf_printf(b, "%s\"https://%s%s%s:%d\"", n++ ? ", " : "  nodes: [", has_address ? node->address : node->name, has_domain ? "." : "",
                   has_domain ? w->inv->domain : "", MANIFEST_NODE_PORT);
    }
    buf_puts(b, n ? "]\n" : "");
}

bool manifest_put_config(struct manifest_work *w, const struct pod *pod, bool is_k8s, struct buf *b)
{
    buf_printf(b, "listen: 0.0.0.0:%d\nkeys: %s\n", MANIFEST_API_PORT, is_k8s ? "/run/secrets/tutti/keys/keys" : "/etc/tutti/keys");
    buf_printf(b, "models: %s\n", is_k8s ? "/models" : "/var/lib/tutti/models");
    if (pod && pod->bytes) /* those that stay, and the largest of those that are loaded when they are asked */
        buf_printf(b, "memory: %" PRIu64 " # of the plan: all experts here together\n", pod->bytes);
    buf_printf(b, "limits: {bodies: %d MiB}\n", MANIFEST_BODIES_MIB);
    if (is_k8s || w->inv->n_nodes > 1)
        put_cluster(w, pod, is_k8s, b);
    if (!pod || pod->n_places == 0)
        return true;
    put_warm(w, pod, b);
    buf_puts(b, "experts:\n");
    for (int i = 0; i < pod->n_places; i++)
        put_expert(w, &w->plan->list[pod->places[i]], is_k8s, b);
    return true;
}
