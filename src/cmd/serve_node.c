/* cmd/serve_node.c - see serve_node.h. */
#include "cmd/serve_node.h"

#include <stdio.h>
#include <string.h>

#include "base/label.h"
#include "cluster/node_service.h"
#include "cluster/trust.h"
#include "cmd/catalog_open.h"
#include "cmd/detect_internal.h"
#include "net/loop.h"
#include "wire/node_pb.h"

enum { MACHINE_MAX_BYTES = 1 << 20 };

/* What `tutti detect --json` says. */
static bool describe(struct buf *out, const struct hw_machine *machine, struct err *err)
{
    struct advise_bandwidth bw;
    struct hw_machine *own = machine ? NULL : hw_detect("", err);
    struct catalog *catalog = machine || own ? cmd_catalog_open(NULL, err) : NULL;
    if (catalog) {
        advise_bandwidth(catalog, machine ? machine : own, &bw);
        detect_put_json(out, machine ? machine : own, &bw, NULL);
    }
    catalog_free(catalog);
    hw_machine_free(own);
    return catalog && buf_ok(out, "detect", err);
}

static bool find_name(struct serve_node_here *h, const struct config *c, struct err *err)
{
    const char *said = config_text(c, CONFIG_NODE_NAME);
    if (said && !label_is_valid(said))
        return err_set(err, ERR_INPUT, "cluster: name '%.70s': 1 to 63 of a-z, 0-9 and '-' are wanted", said);
    if (h->node.trust) {
        if (said && strcmp(said, trust_name(h->node.trust)) != 0)
            return err_set(err, ERR_INPUT, "cluster: name '%s': but this node's certificate is for %s", said, trust_name(h->node.trust));
        snprintf(h->name, sizeof(h->name), "%s", trust_name(h->node.trust));
    } else if (said) {
        snprintf(h->name, sizeof(h->name), "%s", said);
    } else {
        node_default_name(h->name, sizeof(h->name));
    }
    return true;
}

bool serve_node_init(struct serve_node_here *h, const struct config *c, const struct hw_machine *machine, struct err *err)
{
    struct serve_node *n = &h->node;
    struct cluster_config k = { .uses_mdns = config_number(c, CONFIG_NODE_MDNS) != 0, .n_seeds = c->n_nodes };
    const char *listen = config_text(c, CONFIG_NODE_LISTEN), *trust = config_text(c, CONFIG_NODE_TRUST);
    memset(h, 0, sizeof(*h));
    buf_init(&h->machine, MACHINE_MAX_BYTES);
    if (!config_has_cluster(c))
        return true;
    if (trust && !(n->trust = trust_open(trust, err)))
        return false;
    if (!find_name(h, c, err) || (listen && !net_addr_parse(&n->listen, listen, err)) || !describe(&h->machine, machine, err))
        return false;
    n->name = h->name;
    n->life = node_draw_life();
    n->listens = listen != NULL;
    n->machine_json = h->machine.data;
    n->share_dir = config_text(c, CONFIG_NODE_SHARE);
    n->urls = c->nodes;
    n->n_urls = c->n_nodes;
    memcpy(k.seeds, c->nodes, (size_t)c->n_nodes * sizeof(*k.seeds));
    for (int i = 0; i < c->n_wakes; i++)
        k.wakes[k.n_wakes++] = (struct cluster_wake){ c->wakes[i].node, c->wakes[i].mac };
    k.wake_to = config_text(c, CONFIG_NODE_WAKE_TO);
    k.wake_wait_ms = (uint32_t)config_number(c, CONFIG_NODE_WAKE_WAIT);
    k.self = h->name;
    k.self_life = n->life;
    k.trust = n->trust;
    if (!(n->loop = h->loop = net_loop_new(err)))
        return false;
    k.loop = h->loop;
    return (n->cluster = cluster_new(&k, err)) != NULL;
}

void serve_node_fini(struct serve_node_here *h)
{
    cluster_free(h->node.cluster);
    net_loop_free(h->loop);
    trust_free(h->node.trust);
    buf_fini(&h->machine);
}
