/* cluster/device_rules.c - the table of what a device plugin offers, and how a file adds to it.
 *
 * A rule in YAML, the shape of the seeds' ConfigMap and more:
 *     - name: google.com/coral      resource, as a pod asks for it
 *       path: /dev/apex_*           device nodes (* and ? in the last part), or a list
 *       usb: "1a6e:089a"            or a list; pci: the same
 *       kind: coral-usb             what data/ids.csv calls it, or a list: all identities at once
 *       share: 1                    containers at a time
 *       renumbers: 8                USB device numbers ahead that are allowed too
 *       mounts: [{host: /a, container: /b, writable: false}]
 *       env: {NAME: value}
 */
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "cluster/devices.h"

/* ORDER as offered. Vendors' own names where there is one that people use. */
static const char builtin[] =
    "- {name: google.com/coral, kind: [coral-usb, coral-pcie], renumbers: 8}\n" /* both identities of the stick: data/ids.csv */
    "- {name: intel.com/ncs2, kind: ncs2, renumbers: 8}\n"
    "- {name: hailo.ai/hailo, kind: [hailo8, hailo8l, hailo10h]}\n"
    "- {name: tutti.local/npu, path: /dev/accel/accel*}\n"
    "- {name: tutti.local/render, path: /dev/dri/renderD*, share: 4}\n"
    "- {name: tutti.local/video, path: /dev/video*}\n";

/* "vendor-domain/name": a DNS name, a slash, letters, digits, '-', '_', '.' */
static bool check_resource(const struct yaml *y, const struct yaml_node *at, const char *s, struct err *err)
{
    const char *slash = strchr(s, '/');
    const size_t n = strlen(s);
    bool ok = slash && slash > s && slash[1] && !strchr(slash + 1, '/') && n < DEVICE_NAME_MAX && strlen(slash + 1) <= 63;
    for (size_t i = 0; ok && i < n; i++)
        ok = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || strchr("./-", s[i]) || (s + i > slash && ((s[i] >= 'A' && s[i] <= 'Z') || s[i] == '_'));
    return ok || yaml_fail(y, at, err, "'%.60s' is no resource name: write DOMAIN/NAME, for example google.com/coral", s);
}

/* One text or a list of them. */
typedef bool take_fn(struct device_rule *r, const struct yaml *y, const struct yaml_node *at, const char *text, struct err *err);
static bool each(struct device_rule *r, const struct yaml *y, const struct yaml_node *map, const char *key, take_fn *take, struct err *err)
{
    const struct yaml_node *v = yaml_get(map, key);
    const char *text = NULL;
    if (!v)
        return true;
    const bool is_list = v->kind == YAML_LIST;
    for (int i = 0; i < (is_list ? v->n_items : 1); i++) {
        const struct yaml_node *at = is_list ? &v->items[i] : v;
        if (!yaml_node_text(y, at, &text, err) || !take(r, y, at, text, err))
            return false;
    }
    return true;
}

static bool copy(const struct yaml *y, const struct yaml_node *at, char *to, size_t size, const char *text, struct err *err)
{
    const size_t n = strlen(text);
    if (n == 0 || n >= size)
        return yaml_fail(y, at, err, "1 to %zu bytes are possible here", size - 1);
    memcpy(to, text, n + 1);
    return true;
}

static bool too_many(const struct yaml *y, const struct yaml_node *at, int max, struct err *err)
{
    return yaml_fail(y, at, err, "more than %d of them in one rule: write another rule of the same name", max);
}

static bool take_kind(struct device_rule *r, const struct yaml *y, const struct yaml_node *at, const char *text, struct err *err)
{
    if (r->n_kinds == DEVICE_KINDS_MAX)
        return too_many(y, at, DEVICE_KINDS_MAX, err);
    return copy(y, at, r->kinds[r->n_kinds++], sizeof(r->kinds[0]), text, err);
}

static bool check_path(const struct yaml *y, const struct yaml_node *at, const char *text, struct err *err)
{
    if (text[0] != '/' || strstr(text, "/../") || strstr(text, "//"))
        return yaml_fail(y, at, err, "'%.80s' is no absolute path", text);
    return true;
}

static bool take_path(struct device_rule *r, const struct yaml *y, const struct yaml_node *at, const char *text, struct err *err)
{
    if (r->n_paths == DEVICE_KINDS_MAX)
        return too_many(y, at, DEVICE_KINDS_MAX, err);
    const char *last = strrchr(text, '/'), *star = strpbrk(text, "*?[");
    if (!check_path(y, at, text, err))
        return false;
    if (strncmp(text, "/dev/", 5) != 0 || !last[1])
        return yaml_fail(y, at, err, "'%.80s' is no device node: it must lie in /dev", text);
    if (star && star < last)
        return yaml_fail(y, at, err, "'%.80s': * and ? are for the last part of a path only", text);
    return copy(y, at, r->paths[r->n_paths++], sizeof(r->paths[0]), text, err);
}

static bool take_id(struct device_rule *r, bool is_usb, const struct yaml *y, const struct yaml_node *at, const char *text, struct err *err)
{
    char *end;
    const unsigned long vendor = strtoul(text, &end, 16);
    const bool has_vendor = end == text + 4 && *end == ':';
    const unsigned long device = has_vendor ? strtoul(text + 5, &end, 16) : 0;
    if (r->n_ids == DEVICE_KINDS_MAX)
        return too_many(y, at, DEVICE_KINDS_MAX, err);
    if (!has_vendor || strlen(text) != 9 || *end || strspn(text, "0123456789abcdefABCDEF:") != 9)
        return yaml_fail(y, at, err, "'%.40s' is no identity: write VENDOR:DEVICE as lsusb and lspci -nn do, in quotes: \"1a6e:089a\"", text);
    r->ids[r->n_ids].is_usb = is_usb;
    r->ids[r->n_ids].vendor = (unsigned)vendor;
    r->ids[r->n_ids++].device = (unsigned)device;
    return true;
}
static bool take_usb(struct device_rule *r, const struct yaml *y, const struct yaml_node *at, const char *text, struct err *err)
{
    return take_id(r, true, y, at, text, err);
}
static bool take_pci(struct device_rule *r, const struct yaml *y, const struct yaml_node *at, const char *text, struct err *err)
{
    return take_id(r, false, y, at, text, err);
}

static bool take_mounts(struct device_rule *r, const struct yaml *y, const struct yaml_node *map, struct err *err)
{
    static const char *const keys[] = { "host", "container", "writable", NULL };
    const struct yaml_node *list = NULL;
    if (!yaml_list(y, map, "mounts", &list, err))
        return false;
    for (int i = 0; list && i < list->n_items; i++) {
        const struct yaml_node *m = &list->items[i];
        const char *host = NULL, *container = NULL;
        bool is_writable = false;
        if (r->n_mounts == DEVICE_MOUNTS_MAX)
            return too_many(y, m, DEVICE_MOUNTS_MAX, err);
        if (m->kind != YAML_MAP)
            return yaml_fail(y, m, err, "a mount is a map: {host: PATH, container: PATH}");
        if (!yaml_check_keys(y, m, keys, NULL, err) || !yaml_text(y, m, "host", &host, err) || !yaml_text(y, m, "container", &container, err) ||
            !yaml_bool(y, m, "writable", &is_writable, err))
            return false;
        if (!host)
            return yaml_fail(y, m, err, "a mount needs its path on the host: host: PATH");
        container = container ? container : host;
        if (!check_path(y, m, host, err) || !check_path(y, m, container, err) || !copy(y, m, r->mounts[r->n_mounts].host, DEVICE_PATH_MAX, host, err) ||
            !copy(y, m, r->mounts[r->n_mounts].container, DEVICE_PATH_MAX, container, err))
            return false;
        r->mounts[r->n_mounts++].is_writable = is_writable;
    }
    return true;
}

static bool take_envs(struct device_rule *r, const struct yaml *y, const struct yaml_node *map, struct err *err)
{
    const struct yaml_node *env = NULL;
    if (!yaml_map(y, map, "env", &env, err))
        return false;
    for (int i = 0; env && i < env->n_items; i++) {
        const char *name = env->keys[i].text, *value = NULL;
        if (r->n_envs == DEVICE_ENVS_MAX)
            return too_many(y, &env->keys[i], DEVICE_ENVS_MAX, err);
        if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
            return yaml_fail(y, &env->keys[i], err, "'%.60s' is no name of a variable", name);
        if (!yaml_node_text(y, &env->items[i], &value, err) || !copy(y, &env->keys[i], r->envs[r->n_envs].name, sizeof(r->envs[0].name), name, err) ||
            !copy(y, &env->items[i], r->envs[r->n_envs].value, sizeof(r->envs[0].value), value, err))
            return false;
        r->n_envs++;
    }
    return true;
}

static bool read_rule(struct device_rule *r, const struct yaml *y, const struct yaml_node *map, struct err *err)
{
    static const char *const keys[] = { "name", "kind", "path", "usb", "pci", "share", "renumbers", "mounts", "env", NULL };
    const char *name = NULL;
    int64_t share = 1, renumbers = 0;
    memset(r, 0, sizeof(*r));
    if (map->kind != YAML_MAP)
        return yaml_fail(y, map, err, "a rule is a map: {name: DOMAIN/NAME, path: /dev/...}");
    if (!yaml_check_keys(y, map, keys, NULL, err) || !yaml_text(y, map, "name", &name, err))
        return false;
    if (!name)
        return yaml_fail(y, map, err, "a rule needs the name of its resource: name: google.com/coral");
    if (!check_resource(y, yaml_get(map, "name"), name, err) || !each(r, y, map, "kind", take_kind, err) || !each(r, y, map, "path", take_path, err) ||
        !each(r, y, map, "usb", take_usb, err) || !each(r, y, map, "pci", take_pci, err) || !yaml_int(y, map, "share", 1, DEVICE_SHARE_MAX, &share, err) ||
        !yaml_int(y, map, "renumbers", 0, DEVICE_RENUMBERS_MAX, &renumbers, err) || !take_mounts(r, y, map, err) || !take_envs(r, y, map, err))
        return false;
    if (r->n_kinds + r->n_paths + r->n_ids == 0)
        return yaml_fail(y, map, err, "%s: say which devices: kind, path, usb or pci", name);
    memcpy(r->resource, name, strlen(name) + 1);
    r->share = (int)share;
    r->renumbers = (int)renumbers;
    return true;
}

/* What was there before gives way to rules of the same name. */
static bool merge(struct device_rules *rules, const struct device_rules *fresh, const struct yaml *y, struct err *err)
{
    int n = 0;
    for (int k = 0; k < rules->n; k++) {
        bool is_replaced = false;
        for (int i = 0; i < fresh->n && !is_replaced; i++)
            is_replaced = strcmp(rules->list[k].resource, fresh->list[i].resource) == 0;
        if (!is_replaced)
            rules->list[n++] = rules->list[k];
    }
    if (n + fresh->n > DEVICE_RULES_MAX)
        return yaml_fail(y, NULL, err, "more than %d rules", DEVICE_RULES_MAX);
    memcpy(rules->list + n, fresh->list, (size_t)fresh->n * sizeof(fresh->list[0]));
    rules->n = n + fresh->n;
    return true;
}

static bool add_all(struct device_rules *rules, const struct yaml *y, struct err *err)
{
    const struct yaml_node *root = yaml_root(y);
    if (root->kind != YAML_LIST)
        return yaml_fail(y, root, err, "this is no list of rules (- name: DOMAIN/NAME ...)");
    if (root->n_items > DEVICE_RULES_MAX)
        return yaml_fail(y, root, err, "more than %d rules", DEVICE_RULES_MAX);
    struct device_rules *fresh = calloc(1, sizeof(*fresh));
    bool ok = fresh != NULL || err_set(err, ERR_NOMEM, "%s: out of memory", yaml_name(y));
    for (int i = 0; ok && i < root->n_items; i++)
        ok = read_rule(&fresh->list[fresh->n++], y, &root->items[i], err);
    ok = ok && merge(rules, fresh, y, err);
    free(fresh);
    return ok;
}

bool device_rules_parse(struct device_rules *r, const char *name, const char *text, size_t n, struct err *err)
{
    struct yaml *y = yaml_parse(name, text, n, err);
    const bool ok = y && add_all(r, y, err);
    yaml_free(y);
    return ok;
}

bool device_rules_read(struct device_rules *r, const char *path, struct err *err)
{
    struct yaml *y = yaml_read(path, err);
    const bool ok = y && add_all(r, y, err);
    yaml_free(y);
    return ok;
}

void device_rules_init(struct device_rules *r)
{
    struct err err;
    r->n = 0;
    device_rules_parse(r, "built in", builtin, sizeof(builtin) - 1, &err); /* tests/cluster/test_devices.c: it reads */
}
