/* site/manifest_list.c - without Kubernetes: for each node of the list a folder with its tutti.yaml, its cards, and the systemd unit. */
#include <stdio.h>
#include <string.h>

#include "site/manifest_internal.h"

/* The unit that the package has, too: deploy/systemd/tutti.service. */
__asm__(".pushsection .rodata\n"
        ".global tutti_unit_text\n"
        "tutti_unit_text: .incbin \"deploy/systemd/tutti.service\"\n"
        ".byte 0\n"
        ".popsection\n");

static bool put_node(struct manifest_work *w, int node, const struct pod *pod)
{
    const char *name = w->inv->nodes[node].name;
    char path[200];
    static const char kind[] = "[Service]\n";
    const char *service = strstr(tutti_unit_text, kind);
    snprintf(path, sizeof(path), "%s/tutti.yaml", name);
    struct buf *b = manifest_add(w, path, "What this node serves, and whom it knows: /etc/tutti/tutti.yaml.");
    if (!b || !manifest_put_config(w, pod, false, b))
        return false;
    snprintf(path, sizeof(path), "%s/tutti.service", name);
    b = manifest_add(w, path, "The unit of this node: /etc/systemd/system/tutti.service.  MemoryMax: as limits.memory of a container, src/site/manifest_pods.c.");
    if (!b || !service)
        return b != NULL && err_set(w->err, ERR_INPUT, "manifests: the unit has no [Service]");
    service += strlen(kind);
    buf_append(b, tutti_unit_text, (size_t)(service - tutti_unit_text));
    if (pod->bytes)
        buf_printf(b, "MemoryMax=%" PRIu64 "M\n", manifest_mib(pod->bytes) + MANIFEST_DOOR_MIB + MANIFEST_BODIES_MIB + (pod->spare_bytes >> 20));
    buf_puts(b, service);
    for (int i = 0; i < pod->n_places; i++) {
        const struct inv_want *want = &w->inv->wants[w->plan->list[pod->places[i]].want];
        bool is_there = false;
        snprintf(path, sizeof(path), "%s/%s.card.yaml", name, want->name);
        for (int k = 0; k < w->out->n; k++)
            is_there = is_there || strcmp(w->out->list[k].path, path) == 0;
        if (!want->card[0] || is_there)
            continue;
        b = manifest_add(w, path, "A card that the inventory names.");
        if (!b || !manifest_read_card(w, want, b))
            return false;
    }
    return true;
}

bool manifest_put_units(struct manifest_work *w)
{
    for (int i = 0, k = 0; i < w->inv->n_nodes; i++) {
        struct pod none = { .node = i, .device = -1, .resource = "", .runtime = "" };
        const struct pod *pod = &none;
        snprintf(none.name, sizeof(none.name), "%s", w->inv->nodes[i].name);
        if (k < w->n_pods && w->pods[k].node == i)
            pod = &w->pods[k++];
        if (!put_node(w, i, pod))
            return false;
    }
    return true;
}
