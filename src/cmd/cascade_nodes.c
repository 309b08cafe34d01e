/* cmd/cascade_nodes.c - see cascade_nodes.h; start reading at find(). */
#include "cmd/cascade_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/label.h"
#include "base/log.h"
#include "cluster/node_service.h"
#include "site/place.h"
#include "cluster/trust.h"
#include "cmd/catalog_open.h"
#include "wire/node_pb.h"

enum { NOT_SAID = (1u << EXPERT_TASK_COUNT) - 1 };

struct cascade_nodes {
    struct cascade_nodes_env env;
    char *urls; /* --nodes, cut into pieces */
    struct trust *trust;
    struct cluster *cluster;
    bool was_tried;
    struct catalog *catalog;
    struct inventory *inv;
    struct cluster_plan *plan; /* NULL: none */
};

/* ---- who is there ---- */

static bool split_urls(struct cascade_nodes *n, struct cluster_config *k, struct err *err)
{
    free(n->urls);
    if (!(n->urls = strdup(n->env.urls)))
        return err_set(err, ERR_NOMEM, "no memory");
    for (char *save = NULL, *url = strtok_r(n->urls, ",", &save); url; url = strtok_r(NULL, ",", &save)) {
        if (k->n_seeds == CLUSTER_SEEDS_MAX)
            return err_set(err, ERR_INPUT, "--nodes: at most %d", CLUSTER_SEEDS_MAX);
        if (!strstr(url, "://"))
            return err_set(err, ERR_INPUT, "--nodes: '%.60s': https://HOST:PORT, http://127.0.0.1:PORT or dns://NAME:PORT is wanted", url);
        k->seeds[k->n_seeds++] = url;
    }
    return true;
}

static bool open_cluster(struct cascade_nodes *n, struct err *err)
{
    const struct config *c = n->env.config ? n->env.config(n->env.ctx) : NULL;
    struct cluster_config k = { .self = "" };
    const char *trust = c ? config_text(c, CONFIG_NODE_TRUST) : NULL;
    if (n->env.urls && !split_urls(n, &k, err))
        return false;
    for (int i = 0; !n->env.urls && c && i < c->n_nodes; i++)
        k.seeds[k.n_seeds++] = c->nodes[i];
    k.uses_mdns = !n->env.urls && c && config_number(c, CONFIG_NODE_MDNS) != 0;
    if (k.n_seeds == 0 && !k.uses_mdns)
        return true; /* alone */
    if (trust && !(n->trust = trust_open(trust, err)))
        return false;
    for (int i = 0; c && i < c->n_wakes; i++)
        k.wakes[k.n_wakes++] = (struct cluster_wake){ c->wakes[i].node, c->wakes[i].mac };
    for (int i = 0; n->inv && i < n->inv->n_nodes && k.n_wakes < CLUSTER_SEEDS_MAX; i++)
        if (n->inv->nodes[i].wake[0])
            k.wakes[k.n_wakes++] = (struct cluster_wake){ n->inv->nodes[i].name, n->inv->nodes[i].wake };
    k.wake_to = c ? config_text(c, CONFIG_NODE_WAKE_TO) : NULL;
    k.wake_wait_ms = c ? (uint32_t)config_number(c, CONFIG_NODE_WAKE_WAIT) : 0;
    k.trust = n->trust;
    if (!(n->cluster = cluster_new(&k, err)))
        return false;
    cluster_wait(n->cluster, CLUSTER_WAIT_MS);
    return true;
}

struct cluster *cascade_nodes_cluster(struct cascade_nodes *n, struct err *err)
{
    if (!n->was_tried && !open_cluster(n, err))
        return NULL;
    n->was_tried = true;
    return n->cluster;
}

static bool get_member(struct cascade_nodes *n, const char *name, struct member *out)
{
    struct member *list = n->cluster ? calloc(MEMBERS_MAX, sizeof(*list)) : NULL;
    const int count = list ? cluster_get_members(n->cluster, list, MEMBERS_MAX) : 0;
    bool is_there = false;
    for (int i = 0; i < count && !is_there; i++)
        if ((is_there = strcmp(list[i].name, name) == 0))
            *out = list[i];
    free(list);
    return is_there;
}

/* May there be nodes that have not said their name yet? */
static bool is_anybody_missing(struct cascade_nodes *n)
{
    struct member *list = n->cluster ? calloc(MEMBERS_MAX, sizeof(*list)) : NULL;
    const int count = list ? cluster_get_members(n->cluster, list, MEMBERS_MAX) : 0;
    bool is_missing = count == 0;
    for (int i = 0; i < count; i++)
        is_missing |= !list[i].name[0];
    free(list);
    return is_missing;
}

/* ---- the plan ---- */

/* Where the plan put it; the replica that is up comes first, then the one with the most of its work.  NULL: it is no want, or it is nowhere. */
static const struct place *placed(struct cascade_nodes *n, const char *id)
{
    const int want = n->plan ? inventory_find_want(n->inv, id) : -1;
    const struct place *best = NULL;
    bool best_is_up = false;
    for (int i = 0; want >= 0 && i < n->plan->n; i++) {
        const struct place *p = &n->plan->list[i];
        struct member m;
        const bool is_up = p->want == want && get_member(n, n->inv->nodes[p->node].name, &m) && m.state == MEMBER_UP;
        if (p->want == want && (!best || (is_up && !best_is_up) || (is_up == best_is_up && p->share > best->share)))
            best = p, best_is_up = is_up;
    }
    return best;
}

static bool is_self(struct cascade_nodes *n, const char *node)
{
    const struct config *c = n->env.config ? n->env.config(n->env.ctx) : NULL;
    const char *said = c ? config_text(c, CONFIG_NODE_NAME) : NULL;
    char name[MEMBER_NAME_MAX];
    if (said)
        return strcmp(said, node) == 0;
    node_default_name(name, sizeof(name));
    return strcmp(name, node) == 0;
}

/* ---- who is meant ---- */

struct found {
    bool is_here;
    char node[MEMBER_NAME_MAX]; /* "": whoever is nearest */
    char id[CASCADE_NAME_MAX];
    unsigned tasks;
    const struct place *place;  /* NULL: not by the plan */
};

static unsigned tasks_of(struct expert *e)
{
    struct expert_card card;
    expert_get_card(e, &card);
    return card.tasks;
}

/* An expert of a node: what it can do, as that says, or as the inventory says; not known: all, and the file must say `task`. */
static bool find_there(struct cascade_nodes *n, struct found *f, struct err *err)
{
    struct err ignored = { 0 };
    struct cluster *c = cascade_nodes_cluster(n, err);
    if (!c)
        return err->code == ERR_NONE ? err_set(err, ERR_NOT_FOUND, "%s%s%s: no other nodes are known (cluster: nodes in tutti.yaml, or --nodes)", f->id, f->node[0] ? "@" : "", f->node) : false;
    struct expert *e = cluster_expert(c, f->node, f->id, &ignored);
    f->tasks = e ? tasks_of(e) : 0;
    if (f->place && !f->tasks)
        f->tasks = n->inv->wants[f->place->want].task;
    if (!f->tasks && f->node[0] && is_anybody_missing(n)) {
        log_warn("%s: the node %s was not seen yet", f->id, f->node);
        f->tasks = NOT_SAID;
    }
    return f->tasks ? true : err_set(err, ERR_NOT_FOUND, "%s", ignored.text);
}

static bool find(struct cascade_nodes *n, const struct cascade *c, const struct cascade_ref *ref, struct found *f, struct err *err)
{
    const char *at = ref->text ? strchr(ref->text, '@') : NULL;
    memset(f, 0, sizeof(*f));
    if (at && !strchr(ref->text, '/')) {
        if (at == ref->text || (size_t)(at - ref->text) >= sizeof(f->id) || !label_is_valid(at + 1))
            return err_set(err, ERR_INPUT, "'%.100s': EXPERT@NODE is wanted; a node's name is 1 to 63 of a-z, 0-9 and '-'", ref->text);
        snprintf(f->id, sizeof(f->id), "%.*s", (int)(at - ref->text), ref->text);
        snprintf(f->node, sizeof(f->node), "%s", at + 1);
        return find_there(n, f, err);
    }
    f->is_here = n->env.base.look(n->env.base.ctx, c, ref, &f->tasks, f->id, sizeof(f->id), err);
    const bool is_unknown = !f->is_here && err->code == ERR_NOT_FOUND && ref->text && !strchr(ref->text, '/');
    if (!f->is_here && !is_unknown)
        return false;
    if (is_unknown)
        snprintf(f->id, sizeof(f->id), "%s", ref->text);
    if ((f->place = placed(n, f->id)) && !is_self(n, n->inv->nodes[f->place->node].name)) {
        snprintf(f->node, sizeof(f->node), "%s", n->inv->nodes[f->place->node].name);
        f->is_here = false;
        err_clear(err);
        return find_there(n, f, err);
    }
    if (f->is_here)
        return true;
    struct err why = { 0 };
    struct cluster *others = cascade_nodes_cluster(n, &why);
    if (!others || !find_there(n, f, &why)) {
        if (why.code != ERR_NONE && why.code != ERR_NOT_FOUND)
            *err = why;
        return false; /* the message of who looked here is the better one */
    }
    err_clear(err);
    return true;
}

/* ---- the world ---- */

static bool look(void *ctx, const struct cascade *c, const struct cascade_ref *ref, unsigned *tasks, char *id, size_t max, struct err *err)
{
    struct found f;
    if (!find(ctx, c, ref, &f, err))
        return false;
    *tasks = f.tasks;
    snprintf(id, max, f.node[0] && !f.place ? "%s@%s" : "%s", f.id, f.node);
    return true;
}

static struct expert *open_ref(void *ctx, const struct cascade *c, const struct cascade_ref *ref, struct err *err)
{
    struct cascade_nodes *n = ctx;
    struct found f;
    if (!find(n, c, ref, &f, err))
        return NULL;
    if (f.is_here)
        return n->env.base.open(n->env.base.ctx, c, ref, err);
    return f.node[0] ? cluster_expect(n->cluster, f.node, f.id, err) : cluster_expert(n->cluster, "", f.id, err);
}

static void close_ref(void *ctx, struct expert *e)
{
    (void)ctx, (void)e; /* this machine's stay until cascade_cards_free(), others' are the cluster's */
}

static double watts(void *ctx, const struct cascade_ref *ref)
{
    struct cascade_nodes *n = ctx;
    return n->env.base.watts(n->env.base.ctx, ref);
}

struct cascade_world cascade_nodes_world(struct cascade_nodes *n)
{
    struct cascade_world w = n->env.base;
    w.ctx = n, w.look = look, w.open = open_ref, w.close = close_ref, w.watts = watts;
    return w;
}

bool cascade_nodes_where(struct cascade_nodes *n, const struct cascade *c, int k, int i, char *node, size_t n_node, char *why, size_t n_why)
{
    struct found f;
    struct err err = { 0 };
    struct member m = { .rtt_s = 0 };
    why[0] = '\0';
    snprintf(node, n_node, "here");
    if (!find(n, c, &c->stages[k].experts[i], &f, &err)) {
        snprintf(why, n_why, "%s", err.text);
        return false;
    }
    const char *because = f.place ? f.place->why : "";
    if (f.is_here) {
        snprintf(why, n_why, "%s", because);
        return true;
    }
    struct expert *e = cluster_expert(n->cluster, f.node, f.id, &err);
    struct expert_metrics metrics = { .state = EXPERT_DOWN };
    struct expert_card card = { .id = "" };
    if (e) {
        expert_get_metrics(e, &metrics);
        expert_get_card(e, &card);
    }
    const char *on = strstr(card.name, " on "); /* peer.c: "ID on NODE" */
    snprintf(node, n_node, "%s", f.node[0] ? f.node : on ? on + 4 : "?");
    const bool is_known = get_member(n, node, &m);
    if (!e || metrics.state == EXPERT_DOWN)
        snprintf(why, n_why, "%s%s%s", is_known && m.state != MEMBER_UP ? m.why[0] ? m.why : member_state_name(m.state) : !is_known ? "the node was not seen" : metrics.why[0] ? metrics.why : err.text,
                 *because ? "; " : "", because);
    else
        snprintf(why, n_why, "%s, %.2g ms away%s%s", expert_state_name(metrics.state), m.rtt_s * 1e3, *because ? "; " : "", because);
    return e && metrics.state != EXPERT_DOWN;
}

/* ---- life ---- */

struct cascade_nodes *cascade_nodes_new(const struct cascade_nodes_env *env, struct err *err)
{
    struct cascade_nodes *n = calloc(1, sizeof(*n));
    if (!n)
        return err_null(err, ERR_NOMEM, "no memory");
    n->env = *env;
    const bool good = !env->plan || ((n->catalog = cmd_catalog_open(env->opts, err)) && (n->inv = inventory_read(env->plan, n->catalog, err)) && (n->plan = cluster_plan_make(n->inv, NULL, err)));
    if (good && (!env->urls || cascade_nodes_cluster(n, err) || err->code == ERR_NONE) && (!env->plan || cascade_nodes_cluster(n, err) || err->code == ERR_NONE))
        return n;
    cascade_nodes_free(n);
    return NULL;
}

void cascade_nodes_free(struct cascade_nodes *n)
{
    if (!n)
        return;
    cluster_free(n->cluster);
    trust_free(n->trust);
    cluster_plan_free(n->plan);
    inventory_free(n->inv);
    catalog_free(n->catalog);
    free(n->urls);
    free(n);
}
