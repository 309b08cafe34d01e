/* serve/config.c - see config.h; start reading at read_all(). */
#define _XOPEN_SOURCE 700 /* realpath */
#include "serve/config.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/label.h"
#include "cluster/wake.h"
#include "expert/speculate.h"
#include "net/addr.h"
#include "route/policy_yaml.h"
#include "wire/node_pb.h"

enum kind { PATH, TEXT, BYTES, COUNT, TIME, BOOL };

struct setting {
    const char *section, *key;
    enum kind kind;
    const char *preset;
    uint64_t min, max; /* 0 and 0: any */
    const char *help;
};

static const struct setting settings[CONFIG_COUNT] = {
#define X(name, section, key, kind, preset, min, max, help) { section, key, kind, preset, min, max, help },
    CONFIG_SETTINGS(X)
#undef X
};

static const char default_listen[] = "127.0.0.1:8080";
static const char *const lists[] = { "listen", "experts", "aliases", "route", "warm", NULL }, *const cluster_lists[] = { "nodes", NULL };

bool config_fail(const struct config *c, const struct yaml_node *at, struct err *err, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return c->yaml ? yaml_fail(c->yaml, at, err, "%s", text) : err_set(err, ERR_INPUT, "%s", text);
}

/* ---- paths ---- */

const char *config_resolve(struct config *c, const char *path, struct err *err)
{
    char full[CONFIG_PATH_MAX];
    const char *home = getenv("HOME");
    int n;
    if (path[0] == '~' && path[1] == '/' && home)
        n = snprintf(full, sizeof(full), "%s/%s", home, path + 2);
    else if (path[0] == '/' || !c->dir || strcmp(c->dir, ".") == 0)
        n = snprintf(full, sizeof(full), "%s", path);
    else
        n = snprintf(full, sizeof(full), "%s/%s", c->dir, path);
    if (n < 0 || (size_t)n >= sizeof(full))
        return err_null(err, ERR_INPUT, "%.100s...: a path that is too long", path);
    return arena_strndup(c->arena, full, (size_t)n, err);
}

/* ---- reading ---- */

static void set_preset(struct config *c, int i)
{
    const char *s = settings[i].preset;
    struct config_value *v = &c->value[i];
    *v = (struct config_value){ .from = CONFIG_DEFAULT };
    if (s && settings[i].kind == BOOL)
        v->number = strcmp(s, "true") == 0;
    else if (settings[i].kind == TEXT || settings[i].kind == PATH)
        v->text = s;
    else if (s)
        v->number = strtoull(s, NULL, 10);
}

static bool read_setting(struct config *c, const struct yaml_node *map, int i, struct err *err)
{
    const struct setting *s = &settings[i];
    const struct yaml_node *node = yaml_get(map, s->key);
    struct config_value *v = &c->value[i];
    bool flag = v->number != 0, ok = false;
    int64_t count = (int64_t)v->number;
    int n_guess;
    struct err why;
    if (!node)
        return true;
    switch (s->kind) {
    case PATH:
    case TEXT:
        ok = yaml_text(c->yaml, map, s->key, &v->text, err);
        if (ok && !*v->text)
            return config_fail(c, node, err, "%s: a value is wanted", s->key);
        if (ok && i == CONFIG_SPECULATE && !speculate_parse(s->key, v->text, &n_guess, &why))
            return config_fail(c, node, err, "%s", why.text);
        if (ok && s->kind == PATH)
            ok = (v->text = config_resolve(c, v->text, err)) != NULL;
        break;
    case BYTES: ok = yaml_bytes(c->yaml, map, s->key, &v->number, err); break;
    case TIME: ok = yaml_time(c->yaml, map, s->key, &v->number, err); break;
    case COUNT:
        ok = yaml_int(c->yaml, map, s->key, (int64_t)s->min, (int64_t)s->max, &count, err);
        v->number = (uint64_t)count;
        break;
    case BOOL:
        ok = yaml_bool(c->yaml, map, s->key, &flag, err);
        v->number = flag;
        break;
    }
    if (ok && (s->kind == BYTES || s->kind == TIME) && (v->number < s->min || (s->max && v->number > s->max)))
        return s->max ? config_fail(c, node, err, "%s: from %llu to %llu is possible", s->key, (unsigned long long)s->min, (unsigned long long)s->max)
                      : config_fail(c, node, err, "%s: at least %llu is wanted", s->key, (unsigned long long)s->min);
    v->from = CONFIG_FILE;
    v->line = node->line;
    v->column = node->column;
    return ok;
}

/* The keys of one section, or of the top when section is ""; the names of sections belong to the top. */
static void list_keys(const char *section, const char *out[CONFIG_COUNT + 8])
{
    int n = 0;
    for (int i = 0; i < CONFIG_COUNT; i++) {
        const struct setting *s = &settings[i];
        if (strcmp(s->section, section) == 0)
            out[n++] = s->key;
        else if (!*section && (i == 0 || strcmp(settings[i - 1].section, s->section) != 0))
            out[n++] = s->section;
    }
    out[n] = NULL;
}

static bool read_settings(struct config *c, const struct yaml_node *root, struct err *err)
{
    const char *keys[CONFIG_COUNT + 8];
    list_keys("", keys);
    if (!yaml_check_keys(c->yaml, root, keys, lists, err))
        return false;
    for (int i = 0; i < CONFIG_COUNT; i++) {
        const struct setting *s = &settings[i];
        const struct yaml_node *map = root;
        if (*s->section) {
            const struct yaml_node *node = yaml_get(root, s->section);
            map = NULL;
            if (node && node->kind == YAML_TEXT && node->n_text == 0)
                continue; /* "limits:" with nothing below */
            if (!yaml_map(c->yaml, root, s->section, &map, err))
                return false;
            list_keys(s->section, keys);
            if (!yaml_check_keys(c->yaml, map, keys, strcmp(s->section, "cluster") == 0 ? cluster_lists : NULL, err))
                return false;
        }
        if (map && !read_setting(c, map, i, err))
            return false;
    }
    const struct yaml_node *tls = yaml_get(root, "tls");
    if (!config_text(c, CONFIG_TLS_CERT) != !config_text(c, CONFIG_TLS_KEY))
        return config_fail(c, tls, err, "tls: both cert and key are wanted");
    return true;
}

static bool read_listens(struct config *c, const struct yaml_node *root, struct err *err)
{
    const struct yaml_node *node = yaml_get(root, "listen");
    struct net_addr addr;
    struct err why = { 0 };
    if (!node)
        return true;
    const int n = node->kind == YAML_LIST ? node->n_items : 1;
    if (node->kind == YAML_MAP || n < 1 || n > CONFIG_LISTENS_MAX)
        return config_fail(c, node, err, "listen: ADDR:PORT, or a list of 1 to %d of them, is wanted", CONFIG_LISTENS_MAX);
    c->n_listens = 0;
    for (int i = 0; i < n; i++) {
        const struct yaml_node *one = node->kind == YAML_LIST ? &node->items[i] : node;
        if (!yaml_node_text(c->yaml, one, &c->listen[i], err))
            return false;
        if (!net_addr_parse(&addr, c->listen[i], &why))
            return config_fail(c, one, err, "%s", why.text);
        c->n_listens++;
    }
    c->listen_from = (struct config_value){ .from = CONFIG_FILE, .line = node->line, .column = node->column };
    return true;
}

static bool add_expert(struct config *c, const struct yaml_node *node, struct err *err)
{
    const struct yaml_node *card = node->kind == YAML_MAP ? yaml_get(node, "card") : NULL;
    const char *path = NULL;
    if (c->n_experts == CONFIG_EXPERTS_MAX)
        return config_fail(c, node, err, "experts: at most %d are possible", CONFIG_EXPERTS_MAX);
    if (node->kind == YAML_LIST)
        return config_fail(c, node, err, "experts: a file, a folder or a card (name, task, kind, ...) is wanted");
    if (card && !yaml_node_text(c->yaml, card, &path, err))
        return false;
    if (node->kind == YAML_TEXT)
        path = node->text;
    if (path && !*path)
        return config_fail(c, node, err, "experts: a file, a folder or a card (name, task, kind, ...) is wanted");
    if (path && !(path = config_resolve(c, path, err)))
        return false;
    if (path && access(path, R_OK) != 0)
        return config_fail(c, card ? card : node, err, "%s: no such file or folder", path);
    c->experts[c->n_experts++] = (struct config_expert){ .node = node, .path = path, .has_changes = card && node->n_items > 1 };
    return true;
}

static bool read_experts(struct config *c, const struct yaml_node *root, struct err *err)
{
    const struct yaml_node *node = yaml_get(root, "experts");
    if (!node || (node->kind == YAML_TEXT && node->n_text == 0))
        return true;
    if (node->kind != YAML_LIST)
        return config_fail(c, node, err, "experts: a list is wanted");
    for (int i = 0; i < node->n_items; i++)
        if (!add_expert(c, &node->items[i], err))
            return false;
    return true;
}

static bool read_aliases(struct config *c, const struct yaml_node *root, struct err *err)
{
    const struct yaml_node *node = yaml_get(root, "aliases");
    if (!node || (node->kind == YAML_TEXT && node->n_text == 0))
        return true;
    if (node->kind != YAML_MAP || node->n_items > CONFIG_ALIASES_MAX)
        return config_fail(c, node, err, "aliases: a map of at most %d names is wanted (whisper-1: my-expert)", CONFIG_ALIASES_MAX);
    for (int i = 0; i < node->n_items; i++) {
        struct config_alias *a = &c->aliases[c->n_aliases++];
        a->name = node->keys[i].text;
        if (!yaml_node_text(c->yaml, &node->items[i], &a->expert, err))
            return false;
        if (!*a->name || !*a->expert)
            return config_fail(c, &node->items[i], err, "aliases: a name is empty");
    }
    return true;
}

static bool read_warm(struct config *c, const struct yaml_node *root, struct err *err)
{
    const struct yaml_node *list = yaml_get(root, "warm");
    const char *name;
    if (!list || (list->kind == YAML_TEXT && list->n_text == 0))
        return true;
    if (list->kind != YAML_LIST || list->n_items > CONFIG_EXPERTS_MAX)
        return config_fail(c, list, err, "warm: a list of names of experts is wanted");
    for (int i = 0; i < list->n_items; i++) {
        if (!yaml_node_text(c->yaml, &list->items[i], &name, err))
            return false;
        c->warm[c->n_warm++] = &list->items[i];
    }
    return true;
}

/* {url: https://jetson:8444, wake: aa:bb:cc:dd:ee:ff, name: jetson}; the name is the address' first word when it is not said. */
static bool read_node_map(struct config *c, const struct yaml_node *map, struct err *err)
{
    static const char *const keys[] = { "url", "wake", "name", NULL };
    const char *url = NULL, *mac = NULL, *name = NULL;
    uint8_t bytes[WAKE_MAC_BYTES];
    if (!yaml_check_keys(c->yaml, map, keys, NULL, err) || !yaml_text(c->yaml, map, "url", &url, err) || !yaml_text(c->yaml, map, "wake", &mac, err) || !yaml_text(c->yaml, map, "name", &name, err))
        return false;
    if (!url || !mac)
        return config_fail(c, map, err, "nodes: {url: https://HOST:PORT, wake: MAC} is wanted");
    if (!wake_parse_mac(mac, bytes))
        return config_fail(c, yaml_get(map, "wake"), err, "wake: '%.40s' is no MAC address (aa:bb:cc:dd:ee:ff)", mac);
    if (!name) {
        const char *host = strstr(url, "://");
        host = host ? host + 3 : url;
        if (!(name = arena_strndup(c->arena, host, strcspn(host, ".:/"), err)))
            return false;
    }
    if (!label_is_valid(name))
        return config_fail(c, map, err, "name: '%.70s': 1 to 63 of a-z, 0-9 and '-' are wanted", name);
    c->nodes[c->n_nodes] = url;
    c->wakes[c->n_wakes++] = (struct config_wake){ name, mac, c->n_nodes };
    return true;
}

static bool read_nodes(struct config *c, const struct yaml_node *root, struct err *err)
{
    const struct yaml_node *map = yaml_get(root, "cluster"), *list = map && map->kind == YAML_MAP ? yaml_get(map, "nodes") : NULL;
    if (!list || (list->kind == YAML_TEXT && list->n_text == 0))
        return true;
    if (list->kind != YAML_LIST || list->n_items > CONFIG_NODES_MAX)
        return config_fail(c, list, err, "nodes: a list of at most %d is wanted (https://jetson:8444, dns://tutti-nodes:8444)", CONFIG_NODES_MAX);
    for (int i = 0; i < list->n_items; i++) {
        if (list->items[i].kind == YAML_MAP ? !read_node_map(c, &list->items[i], err) : !yaml_node_text(c->yaml, &list->items[i], &c->nodes[i], err))
            return false;
        if (!strstr(c->nodes[i], "://"))
            return config_fail(c, &list->items[i], err, "nodes: https://HOST:PORT, http://127.0.0.1:PORT or dns://NAME:PORT is wanted");
        c->n_nodes++;
    }
    c->nodes_from = (struct config_value){ .from = CONFIG_FILE, .line = list->line, .column = list->column };
    return true;
}

static bool read_all(struct config *c, struct err *err)
{
    const struct yaml_node *root = yaml_root(c->yaml);
    if (root->kind != YAML_MAP)
        return config_fail(c, root, err, "a map is wanted: experts, listen, limits, ...");
    const struct yaml_node *route = yaml_get(root, "route");
    return read_settings(c, root, err) && read_listens(c, root, err) && read_experts(c, root, err) && read_aliases(c, root, err) && read_warm(c, root, err) && read_nodes(c, root, err) &&
           (!route || policy_take_yaml(c->policy, c->yaml, route, err));
}

/* ---- making ---- */

void config_free(struct config *c)
{
    if (!c)
        return;
    yaml_free(c->yaml);
    policy_free(c->policy);
    arena_free(c->arena);
    free(c);
}

static struct config *config_new(struct err *err)
{
    struct config *c = calloc(1, sizeof(*c));
    if (!c || !(c->arena = arena_new(16 << 20, err)) || !(c->policy = policy_new(err))) {
        config_free(c);
        return err_null(err, ERR_NOMEM, "config: out of memory");
    }
    for (int i = 0; i < CONFIG_COUNT; i++)
        set_preset(c, i);
    c->listen[0] = default_listen;
    c->n_listens = 1;
    const char *models = getenv("TUTTI_MODELS");
    if (models && *models)
        c->value[CONFIG_MODELS] = (struct config_value){ .from = CONFIG_ENVIRONMENT, .text = models };
    return c;
}

static struct config *config_of(struct yaml *y, const char *path, const char *dir, size_t n_dir, struct err *err)
{
    struct config *c = y ? config_new(err) : NULL;
    if (!c) {
        yaml_free(y);
        return NULL;
    }
    c->yaml = y;
    c->path = arena_strndup(c->arena, path, strlen(path), err);
    c->dir = c->path ? arena_strndup(c->arena, dir, n_dir, err) : NULL;
    if (c->dir && read_all(c, err))
        return c;
    config_free(c);
    return NULL;
}

struct config *config_parse(const char *name, const char *text, size_t n, const char *dir, struct err *err)
{
    return config_of(yaml_parse(name, text, n, err), name, dir, strlen(dir), err);
}

static bool find_default(char *out, size_t max)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    const int n = xdg && xdg[0] == '/' ? snprintf(out, max, "%s/tutti/tutti.yaml", xdg) /* relative values are to be ignored */
                  : home && home[0]    ? snprintf(out, max, "%s/.config/tutti/tutti.yaml", home)
                                       : -1;
    return n > 0 && (size_t)n < max && access(out, F_OK) == 0;
}

struct config *config_read(const char *path, struct err *err)
{
    char found[CONFIG_PATH_MAX];
    if (!path && !find_default(found, sizeof(found)))
        return config_new(err);
    if (!path)
        path = found;
    char full[PATH_MAX]; /* what is shown must be right wherever it is read */
    struct yaml *y = yaml_read(path, err);
    const bool is_full = y && realpath(path, full) != NULL;
    const char *slash = is_full ? strrchr(full, '/') : NULL;
    return config_of(y, path, slash ? full : ".", slash > full ? (size_t)(slash - full) : 1, err);
}

/* ---- asking and setting ---- */

const char *config_text(const struct config *c, enum config_id id) { return c->value[id].text; }
uint64_t config_number(const struct config *c, enum config_id id) { return c->value[id].number; }

void config_set_text(struct config *c, enum config_id id, const char *text)
{
    c->value[id] = (struct config_value){ .from = CONFIG_OPTION, .text = text };
}

void config_set_number(struct config *c, enum config_id id, uint64_t number)
{
    c->value[id] = (struct config_value){ .from = CONFIG_OPTION, .number = number };
}

void config_set_listen(struct config *c, const char *address)
{
    c->listen[0] = address;
    c->n_listens = 1;
    c->listen_from = (struct config_value){ .from = CONFIG_OPTION };
}

bool config_add_node(struct config *c, const char *url, struct err *err)
{
    if (c->n_nodes == CONFIG_NODES_MAX)
        return err_set(err, ERR_INPUT, "at most %d nodes are possible", CONFIG_NODES_MAX);
    c->nodes[c->n_nodes++] = url;
    c->nodes_from.from = CONFIG_OPTION;
    return true;
}

bool config_has_cluster(const struct config *c)
{
    return c->n_nodes > 0 || config_text(c, CONFIG_NODE_LISTEN) || config_number(c, CONFIG_NODE_MDNS);
}

bool config_set_experts(struct config *c, int n, char *const *paths, struct err *err)
{
    if (n > CONFIG_EXPERTS_MAX)
        return err_set(err, ERR_INPUT, "at most %d experts are possible", CONFIG_EXPERTS_MAX);
    for (int i = 0; i < n; i++)
        c->experts[i] = (struct config_expert){ .path = paths[i] };
    c->n_experts = n;
    return true;
}

/* ---- showing ---- */

static void put_from(const struct config *c, const struct config_value *v, const char *option, struct buf *out)
{
    const char *name = c->path ? strrchr(c->path, '/') : NULL;
    switch (v->from) {
    case CONFIG_DEFAULT: buf_puts(out, "  # default\n"); break;
    case CONFIG_FILE: buf_printf(out, "  # %s:%d:%d\n", name ? name + 1 : c->path, v->line, v->column); break;
    case CONFIG_OPTION: buf_printf(out, "  # --%s\n", option); break;
    case CONFIG_ENVIRONMENT: buf_puts(out, "  # environment\n"); break;
    }
}


static void put_value(const struct config *c, int i, struct buf *out)
{
    const struct setting *s = &settings[i];
    const struct config_value *v = &c->value[i];
    if ((s->kind == PATH || s->kind == TEXT) && !v->text) /* nothing to say, but what could be said */
        buf_printf(out, "%s# %s:", *s->section ? "  " : "", s->key);
    else
        buf_printf(out, "%s%s: ", *s->section ? "  " : "", s->key);
    switch (s->kind) {
    case PATH:
    case TEXT:
        if (v->text)
            buf_put_json_text(out, v->text);
        break;
    case BYTES:
    case COUNT: buf_printf(out, "%llu", (unsigned long long)v->number); break;
    case TIME: buf_printf(out, "%llums", (unsigned long long)v->number); break;
    case BOOL: buf_puts(out, v->number ? "true" : "false"); break;
    }
    put_from(c, v, i == CONFIG_KEYS ? "key-file" : i == CONFIG_KV_Q8 ? "kv-q8" : i == CONFIG_NODE_NAME ? "node-name" : i == CONFIG_NODE_LISTEN ? "node-listen" : s->key, out);
}

static void put_nodes(const struct config *c, struct buf *out)
{
    buf_puts(out, "  nodes: [");
    for (int i = 0; i < c->n_nodes; i++) {
        buf_puts(out, i ? ", " : "");
        const struct config_wake *w = c->wakes;
        while (w < c->wakes + c->n_wakes && w->i_node != i)
            w++;
        const bool can_wake = w < c->wakes + c->n_wakes;
        buf_puts(out, can_wake ? "{url: " : "");
        buf_put_json_text(out, c->nodes[i]);
        if (can_wake)
            buf_printf(out, ", wake: \"%s\", name: \"%s\"}", w->mac, w->node);
    }
    buf_putc(out, ']');
    put_from(c, &c->nodes_from, "node", out);
}

/* Only what is not a default: the rest is a page (docs/routing.md). */
static void put_route(const struct config *c, struct buf *out)
{
    struct buf b;
    buf_init(&b, 64 << 10);
    policy_put_yaml(c->policy, false, &b);
    buf_puts(out, b.len ? "route:\n" : "# route:  # default\n");
    for (char *line = b.len ? b.data : NULL, *end; line && (end = strchr(line, '\n')) != NULL; line = end + 1)
        buf_printf(out, "  %.*s\n", (int)(end - line), line);
    out->failed = out->failed || b.failed;
    buf_fini(&b);
}

void config_show(const struct config *c, struct buf *out)
{
    const char *section = "";
    buf_printf(out, "# %s\n", c->path ? c->path : "no tutti.yaml: all defaults");
    buf_puts(out, "listen: [");
    for (int i = 0; i < c->n_listens; i++) {
        buf_puts(out, i ? ", " : "");
        buf_put_json_text(out, c->listen[i]);
    }
    buf_putc(out, ']');
    put_from(c, &c->listen_from, "listen", out);
    for (int i = 0; i < CONFIG_COUNT; i++) {
        bool says_something = false; /* a section of comments alone would be no map */
        for (int k = 0; k < CONFIG_COUNT; k++)
            says_something = says_something || (strcmp(settings[k].section, settings[i].section) == 0 &&
                                                !((settings[k].kind == PATH || settings[k].kind == TEXT) && !c->value[k].text));
        if (strcmp(section, settings[i].section) != 0) {
            section = settings[i].section;
            if (*section)
                buf_printf(out, "%s%s:\n", says_something ? "" : "# ", section);
        }
        put_value(c, i, out);
        if (i == CONFIG_NODE_SHARE)
            put_nodes(c, out);
    }
    put_route(c, out);
    buf_puts(out, c->n_aliases ? "aliases:\n" : "");
    for (int i = 0; i < c->n_aliases; i++) {
        buf_puts(out, "  ");
        buf_put_json_text(out, c->aliases[i].name);
        buf_puts(out, ": ");
        buf_put_json_text(out, c->aliases[i].expert);
        buf_putc(out, '\n');
    }
    for (int i = 0; i < c->n_warm; i++) {
        buf_puts(out, i ? ", " : "warm: [");
        buf_put_json_text(out, c->warm[i]->text);
        buf_puts(out, i == c->n_warm - 1 ? "]\n" : "");
    }
    buf_puts(out, c->n_experts ? "experts:\n" : "experts: []\n");
    for (int i = 0; i < c->n_experts; i++) {
        const struct config_expert *e = &c->experts[i];
        const struct yaml_node *name = e->path ? NULL : yaml_get(e->node, "name");
        buf_puts(out, e->path ? "  - " : "  # - a card of its own: ");
        buf_put_json_text(out, e->path ? e->path : name && name->text ? name->text : "");
        if (e->node) {
            const struct config_value at = { .from = CONFIG_FILE, .line = e->node->line, .column = e->node->column };
            put_from(c, &at, "", out);
        } else {
            buf_puts(out, "  # command line\n");
        }
    }
}
