/* cluster/devices.c - see devices.h; start reading at devices_scan(). */
#include "cluster/devices.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "hw/machine.h"
#include "hw/pci.h"

static void say(char *to, size_t size, const char *text)
{
    const size_t n = strlen(text);
    memcpy(to, text, n < size ? n + 1 : size - 1);
    to[size - 1] = '\0';
}

/* ---- ids: places, in characters that every layer takes, at most 63 of them ---- */

static void put_id(char id[DEVICE_ID_MAX], const char *kind, const char *place)
{
    char text[DEVICE_PATH_MAX + 16];
    const int share_bytes = 4; /* "::63" behind it */
    snprintf(text, sizeof(text), "%s-%s", kind, place);
    if (strlen(text) > DEVICE_ID_MAX - 1 - (size_t)share_bytes) /* cut, but still one of its own */
        snprintf(text + DEVICE_ID_MAX - 1 - share_bytes - 9, 10, "-%08x", hash_fnv32(place, strlen(place)));
    for (char *c = text; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr(".-_", *c)))
            *c = '_';
    say(id, DEVICE_ID_MAX, text);
}

/* "usb2-port1", "2-1-port4" -> "2-1", "2-1.4": the device that sits at a port. */
static bool device_at_port(const char *port, char *out, size_t size)
{
    const char *at = strstr(port, "-port");
    int bus, number;
    if (!at || at - port > 40 || sscanf(at, "-port%d", &number) != 1)
        return false;
    if (sscanf(port, "usb%d-", &bus) == 1)
        snprintf(out, size, "%d-%d", bus, number);
    else
        snprintf(out, size, "%.*s.%d", (int)(at - port), port, number);
    return true;
}

/* A connector's two sides are one place: the name on the lower bus.  Then the controller instead of the bus, which the kernel numbers
 * as they come. */
static void usb_place(const struct hw_root *root, const char *device, char *place, size_t size)
{
    char peer[64], other[64], resolved[HW_PATH_BYTES_MAX];
    const char *name = device;
    if (hw_link_name(root, peer, sizeof(peer), "sys/bus/usb/devices/%s/port/peer", device) && device_at_port(peer, other, sizeof(other)) &&
        atoi(other) < atoi(device))
        name = other;
    snprintf(place, size, "%s", name);
    if (!hw_resolve(root, resolved, sizeof(resolved), "sys/bus/usb/devices/%s", device))
        return;
    char *usb = strstr(resolved, "/usb"); /* .../0000:00:14.0/usb1/1-1 */
    while (usb && !(usb[4] >= '0' && usb[4] <= '9'))
        usb = strstr(usb + 1, "/usb");
    const char *ports = strchr(name, '-');
    if (!usb || !ports)
        return;
    *usb = '\0';
    const char *controller = strrchr(resolved, '/');
    if (controller && controller[1] && strcmp(controller + 1, "devices") != 0)
        snprintf(place, size, "%s%s", controller + 1, ports);
}

/* ---- what a scan finds ---- */

struct found {
    char id[DEVICE_ID_MAX], node[DEVICE_PATH_MAX], name[DEVICE_NAME_MAX], why[96];
    int numa_node;
};

static bool is_changed(const struct device *v, const struct found *f, bool is_healthy)
{
    return v->is_healthy != is_healthy || strcmp(v->node, f->node) != 0 || v->numa_node != f->numa_node;
}

static bool note(struct devices *d, const struct device_rule *rule, const struct found *f)
{
    const bool is_healthy = !f->why[0];
    for (int i = 0; i < d->n; i++) {
        struct device *v = &d->list[i];
        if (strcmp(v->id, f->id) != 0 || strcmp(v->rule->resource, rule->resource) != 0)
            continue;
        if (v->is_seen) /* found by two rules */
            return false;
        const bool changed = is_changed(v, f, is_healthy);
        v->rule = rule;
        v->is_seen = true;
        v->is_healthy = is_healthy;
        v->numa_node = f->numa_node;
        say(v->node, sizeof(v->node), f->node);
        say(v->name, sizeof(v->name), f->name);
        say(v->why, sizeof(v->why), f->why);
        return changed;
    }
    if (d->n == DEVICES_MAX) {
        d->is_cut = true;
        return false;
    }
    struct device *v = &d->list[d->n++];
    *v = (struct device){ .rule = rule, .is_seen = true, .is_healthy = is_healthy, .numa_node = f->numa_node };
    say(v->id, sizeof(v->id), f->id);
    say(v->node, sizeof(v->node), f->node);
    say(v->name, sizeof(v->name), f->name);
    say(v->why, sizeof(v->why), f->why);
    return true;
}

static void check_node(const struct hw_root *root, struct found *f)
{
    if (!f->node[0])
        say(f->why, sizeof(f->why), "it has no device node (no driver?)");
    else if (!f->why[0] && !hw_exists(root, "%s", f->node + 1))
        snprintf(f->why, sizeof(f->why), "%.60s is not there", f->node);
}

static void find_usb(const struct hw_root *root, const char *device, const char *name, struct found *f)
{
    char place[DEVICE_PATH_MAX], text[32];
    int64_t bus, number, v;
    *f = (struct found){ .numa_node = -1 };
    usb_place(root, device, place, sizeof(place));
    put_id(f->id, "usb", place);
    say(f->name, sizeof(f->name), name);
    if (hw_read_i64(root, &bus, "sys/bus/usb/devices/%s/busnum", device) && hw_read_i64(root, &number, "sys/bus/usb/devices/%s/devnum", device) && bus > 0 &&
        bus < 1000 && number > 0 && number < 1000)
        snprintf(f->node, sizeof(f->node), "/dev/bus/usb/%03d/%03d", (int)bus, (int)number);
    else
        say(f->why, sizeof(f->why), "the kernel does not answer for it"); /* a hanging attribute is one that is not there */
    if (hw_read_i64(root, &v, "sys/bus/usb/devices/%s/authorized", device) && v == 0)
        say(f->why, sizeof(f->why), "it is not authorized");
    if (hw_read(root, text, sizeof(text), "sys/bus/usb/devices/%s/power/runtime_status", device) && strcmp(text, "error") == 0)
        say(f->why, sizeof(f->why), "its bus reports an error");
    if (!f->why[0])
        check_node(root, f);
}

/* ---- the ways of a rule ---- */

static bool has_kind(const struct device_rule *r, const char *kind)
{
    for (int i = 0; i < r->n_kinds; i++)
        if (strcmp(r->kinds[i], kind) == 0)
            return true;
    return false;
}
static bool has_id(const struct device_rule *r, bool is_usb, unsigned vendor, unsigned device)
{
    for (int i = 0; i < r->n_ids; i++)
        if (r->ids[i].is_usb == is_usb && r->ids[i].vendor == vendor && r->ids[i].device == device)
            return true;
    return false;
}

static void check_pci(const struct hw_root *root, const char *address, struct found *f)
{
    size_t n = 0;
    char *config = hw_read_all(root, 4, &n, "sys/bus/pci/devices/%s/config", address);
    if (config && n >= 2 && (unsigned char)config[0] == 0xff && (unsigned char)config[1] == 0xff)
        say(f->why, sizeof(f->why), "it does not answer on its bus");
    free(config);
    f->numa_node = hw_pci_numa_node(root, address);
}

static bool scan_kinds(struct devices *d, const struct device_rule *r, const struct hw_root *root, const struct hw_machine *m)
{
    bool changed = false;
    for (int i = 0; i < m->n_accelerators; i++) {
        const struct hw_accelerator *a = &m->accelerators[i];
        struct found f = { .numa_node = -1 };
        char name[DEVICE_NAME_MAX];
        if (!has_kind(r, a->kind))
            continue;
        snprintf(name, sizeof(name), "%.80s%s%.24s", a->name, a->state[0] && strcmp(a->state, "ready") != 0 ? ", " : "",
                 strcmp(a->state, "ready") != 0 ? a->state : "");
        if (strcmp(a->bus, "usb") == 0) {
            find_usb(root, a->address, name, &f);
        } else {
            put_id(f.id, a->bus, a->address);
            say(f.name, sizeof(f.name), name);
            say(f.node, sizeof(f.node), a->device);
            if (strcmp(a->bus, "pcie") == 0)
                check_pci(root, a->address, &f);
            check_node(root, &f);
        }
        changed |= note(d, r, &f);
    }
    return changed;
}

static bool scan_usb_ids(struct devices *d, const struct device_rule *r, const struct hw_root *root)
{
    struct hw_names names;
    bool changed = false;
    hw_list(root, &names, "sys/bus/usb/devices");
    for (int i = 0; i < names.n && i < 1024; i++) {
        char vendor[16], product[16], name[DEVICE_NAME_MAX];
        struct found f;
        if (strchr(names.name[i], ':') || !hw_read(root, vendor, sizeof(vendor), "sys/bus/usb/devices/%s/idVendor", names.name[i]) ||
            !hw_read(root, product, sizeof(product), "sys/bus/usb/devices/%s/idProduct", names.name[i]) ||
            !has_id(r, true, (unsigned)strtoul(vendor, NULL, 16), (unsigned)strtoul(product, NULL, 16)))
            continue;
        if (!hw_read(root, name, sizeof(name), "sys/bus/usb/devices/%s/product", names.name[i]))
            snprintf(name, sizeof(name), "USB %.4s:%.4s", vendor, product);
        hw_copy(name, sizeof(name), name);
        find_usb(root, names.name[i], name, &f);
        changed |= note(d, r, &f);
    }
    hw_names_free(&names);
    return changed;
}

static bool pci_node(const struct hw_root *root, const char *address, char *node, size_t size)
{
    static const char *const classes[][2] = { { "accel", "/dev/accel/" }, { "apex", "/dev/" }, { "drm", "/dev/dri/" }, { "hailo_chardev", "/dev/" } };
    for (size_t c = 0; c < sizeof(classes) / sizeof(classes[0]); c++) {
        struct hw_names names;
        bool is_found = false;
        hw_list(root, &names, "sys/class/%s", classes[c][0]);
        for (int i = 0; i < names.n && i < 256 && !is_found; i++) {
            char at[64];
            if (strchr(names.name[i], '-')) /* connectors of a screen */
                continue;
            is_found = hw_link_name(root, at, sizeof(at), "sys/class/%s/%s/device", classes[c][0], names.name[i]) && strcmp(at, address) == 0;
            if (is_found)
                snprintf(node, size, "%s%.64s", classes[c][1], names.name[i]);
        }
        hw_names_free(&names);
        if (is_found)
            return true;
    }
    return false;
}

static bool scan_pci_ids(struct devices *d, const struct device_rule *r, const struct hw_root *root)
{
    struct hw_pci *list = calloc(HW_PCI_MAX, sizeof(*list));
    const int n = list ? hw_pci_scan(root, list, HW_PCI_MAX) : 0;
    bool changed = false;
    for (int i = 0; i < n; i++) {
        struct found f = { .numa_node = -1 };
        if (!has_id(r, false, list[i].vendor, list[i].device))
            continue;
        put_id(f.id, "pcie", list[i].address);
        snprintf(f.name, sizeof(f.name), "PCI %04x:%04x", list[i].vendor & 0xffffu, list[i].device & 0xffffu);
        pci_node(root, list[i].address, f.node, sizeof(f.node));
        check_pci(root, list[i].address, &f);
        check_node(root, &f);
        changed |= note(d, r, &f);
    }
    free(list);
    return changed;
}

static bool scan_path(struct devices *d, const struct device_rule *r, const char *path, const struct hw_root *root)
{
    const char *last = strrchr(path, '/') + 1;
    struct hw_names names;
    bool changed = false;
    hw_list(root, &names, "%.*s", (int)(last - path - 2), path + 1);
    for (int i = 0; i < names.n; i++) {
        struct found f = { .numa_node = -1 };
        if (fnmatch(last, names.name[i], FNM_PATHNAME | FNM_PERIOD) != 0)
            continue;
        if (snprintf(f.node, sizeof(f.node), "%.*s%s", (int)(last - path), path, names.name[i]) >= (int)sizeof(f.node))
            continue;
        put_id(f.id, "dev", f.node + 5);
        snprintf(f.name, sizeof(f.name), "%.100s", f.node);
        changed |= note(d, r, &f);
    }
    hw_names_free(&names);
    return changed;
}

bool devices_scan(struct devices *d, const struct hw_root *root)
{
    struct hw_machine *m = calloc(1, sizeof(*m));
    bool changed = false;
    for (int i = 0; i < d->n; i++)
        d->list[i].is_seen = false;
    if (m)
        hw_detect_accelerators(root, m);
    for (int i = 0; i < d->rules->n; i++) {
        const struct device_rule *r = &d->rules->list[i];
        if (m && r->n_kinds)
            changed |= scan_kinds(d, r, root, m);
        if (r->n_ids) {
            changed |= scan_usb_ids(d, r, root);
            changed |= scan_pci_ids(d, r, root);
        }
        for (int k = 0; k < r->n_paths; k++)
            changed |= scan_path(d, r, r->paths[k], root);
    }
    for (int i = 0; i < d->n; i++) {
        struct device *v = &d->list[i];
        if (v->is_seen)
            continue;
        changed |= v->is_healthy;
        v->is_healthy = false;
        v->node[0] = '\0';
        say(v->why, sizeof(v->why), "it is gone");
    }
    free(m);
    return changed;
}

const struct device *devices_find(const struct devices *d, const char *resource, const char *id)
{
    const char *share = strstr(id, "::");
    const size_t n = share ? (size_t)(share - id) : strlen(id);
    for (int i = 0; i < d->n; i++) {
        const struct device *v = &d->list[i];
        if (strlen(v->id) == n && memcmp(v->id, id, n) == 0 && strcmp(v->rule->resource, resource) == 0)
            return v;
    }
    return NULL;
}

/* ---- out ---- */

void devices_put_text(const struct devices *d, struct buf *out)
{
    if (d->n == 0)
        buf_puts(out, "no device that a rule names is here\n");
    for (int i = 0; i < d->n; i++) {
        const struct device *v = &d->list[i];
        char share[24] = "";
        if (v->rule->share > 1)
            snprintf(share, sizeof(share), ", shared by %d", v->rule->share);
        buf_printf(out, "%-24s %s\n    %s%s%s%s%s%s\n", v->rule->resource, v->id, v->name, v->node[0] && strcmp(v->name, v->node) != 0 ? ", " : "",
                   strcmp(v->name, v->node) != 0 ? v->node : "", share, v->is_healthy ? "" : ": ", v->is_healthy ? "" : v->why);
    }
}

void devices_put_json(const struct devices *d, struct buf *out)
{
    buf_putc(out, '[');
    for (int i = 0; i < d->n; i++) {
        const struct device *v = &d->list[i];
        const struct { const char *key, *text; } texts[] = { { "resource", v->rule->resource }, { "id", v->id }, { "name", v->name }, { "node", v->node }, { "why", v->why } };
        buf_putc(out, i ? ',' : '{');
        if (i)
            buf_putc(out, '{');
        for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
            buf_printf(out, "\"%s\":", texts[k].key);
            buf_put_json_text(out, texts[k].text);
            buf_putc(out, ',');
        }
        buf_printf(out, "\"healthy\":%s,\"share\":%d,\"numa_node\":", v->is_healthy ? "true" : "false", v->rule->share);
        if (v->numa_node >= 0)
            buf_printf(out, "%d}", v->numa_node);
        else
            buf_puts(out, "null}");
    }
    buf_puts(out, "]\n");
}
