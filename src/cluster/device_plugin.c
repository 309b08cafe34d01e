/* cluster/device_plugin.c - see device_plugin.h; start reading at look(), then on_request(). */
#define _DEFAULT_SOURCE /* mknod(), makedev() */
#include "cluster/device_plugin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"
#include "cluster/device_watch.h"
#include "net/grpc_client.h"
#include "wire/kubelet_pb.h"

enum {
    RETRY_MAX_MS = 30000,
    REGISTER_NS = 5 * 1000 * 1000 * 1000ll,
    MESSAGE_MAX_BYTES = 1 << 20,
    LIST_MAX_BYTES = 4 << 20,
    CALLS_MAX = 64, /* of one resource at a time; the kubelet has one or two */
};

struct resource;

enum method { METHOD_OPTIONS, METHOD_LIST, METHOD_PREFERRED, METHOD_ALLOCATE, METHOD_PRE_START, METHOD_COUNT };
static const char *const methods[METHOD_COUNT] = { "GetDevicePluginOptions", "ListAndWatch", "GetPreferredAllocation", "Allocate", "PreStartContainer" };

struct call { /* one that the kubelet makes */
    struct resource *resource;
    struct call *prev, *next;
    struct grpc_call *grpc;
    enum method method;
    struct buf message;
    bool has_ended; /* the kubelet said all */
};

struct resource {
    struct device_plugin *plugin;
    char name[DEVICE_NAME_MAX];
    char socket[64];        /* beside the kubelet's */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct http_server *server; /* NULL: IDLE */
    dev_t socket_dev;       /* of our socket's file, and its inode: is it still ours? */
    ino_t socket_inode;
    struct call *calls;
    int n_calls;
    /* registering */
    struct h2_client *kubelet;
    struct grpc_client_call *registering;
    struct net_timer *retry;
    uint32_t pause_ms;
    bool is_registered;
};

struct device_plugin {
    struct net_loop *loop;
    struct device_plugin_options opt;
    const struct device_rules *rules;
    struct hw_root *root;
    struct devices *devices;
    struct resource *resources; /* [n_resources], one for each name among the rules */
    int n_resources;
    struct device_watch *watch;
    struct net_timer *soon, *slow;
    char kubelet_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    dev_t kubelet_dev;
    ino_t kubelet_inode;   /* 0: it was not there */
    bool has_warned_nodes;
};

/* ---- ListAndWatch ---- */

static void put_share(char id[DEVICE_ID_MAX], const struct device *v, int i)
{
    if (v->rule->share > 1)
        snprintf(id, DEVICE_ID_MAX, "%.*s::%d", DEVICE_ID_MAX - 5, v->id, i % 100);
    else
        snprintf(id, DEVICE_ID_MAX, "%s", v->id);
}

static void send_list(struct call *c)
{
    const struct devices *d = c->resource->plugin->devices;
    struct buf out;
    buf_init(&out, LIST_MAX_BYTES);
    for (int i = 0; i < d->n; i++) {
        const struct device *v = &d->list[i];
        char id[DEVICE_ID_MAX];
        for (int k = 0; k < v->rule->share && strcmp(v->rule->resource, c->resource->name) == 0; k++) {
            put_share(id, v, k);
            kubelet_pb_put_device(&out, id, v->is_healthy, v->numa_node);
        }
    }
    if (out.failed)
        grpc_finish(c->grpc, GRPC_RESOURCE_EXHAUSTED, "out of memory");
    else
        grpc_send(c->grpc, out.data ? out.data : "", out.len);
    buf_fini(&out);
}

/* ---- Allocate ---- */

/* A stick that its runtime boots comes back under one of the next device numbers, whose node is not there yet when the container
 * starts, and a container's list of allowed devices cannot be changed later.  A node of that number in a folder of ours stands for
 * it: the container gets it under the name that it will have. */
static void put_numbers_ahead(struct device_plugin *p, const struct device *v, struct buf *container)
{
    int bus, number;
    if (v->rule->renumbers == 0 || sscanf(v->node, "/dev/bus/usb/%3d/%3d", &bus, &number) != 2)
        return;
    for (int i = 1; i <= v->rule->renumbers; i++) {
        char inside[64], here[DEVICE_PATH_MAX];
        const int next = (number - 1 + i) % 127 + 1; /* 1..127, around */
        snprintf(inside, sizeof(inside), "/dev/bus/usb/%03d/%03d", bus, next);
        if (snprintf(here, sizeof(here), "%s/usb-%03d-%03d", p->opt.nodes_dir, bus, next) >= (int)sizeof(here))
            return;
        file_make_folders(here, 0755);
        if (mknod(here, S_IFCHR | 0660, makedev(189, (unsigned)((bus - 1) * 128 + next - 1))) != 0 && errno != EEXIST) {
            if (!p->has_warned_nodes)
                log_warn("device-plugin: %s: %s: a stick that boots inside a container will not be seen there; give the plugin CAP_MKNOD", here, strerror(errno));
            p->has_warned_nodes = true;
            return;
        }
        kubelet_pb_put_node(container, inside, here, "rwm");
    }
}

static bool allocate(struct resource *r, const struct kubelet_container *want, struct buf *out, enum grpc_status *status, struct err *err)
{
    struct device_plugin *p = r->plugin;
    struct buf container, nodes;
    const struct device_rule *rule = NULL;
    buf_init(&container, MESSAGE_MAX_BYTES);
    buf_init(&nodes, MESSAGE_MAX_BYTES);
    for (int i = 0; i < want->n_ids; i++) {
        const struct device *v = devices_find(p->devices, r->name, want->ids[i]);
        *status = v ? GRPC_UNAVAILABLE : GRPC_NOT_FOUND;
        if (!v)
            err_set(err, ERR_NOT_FOUND, "%s: there is no device %.63s", r->name, want->ids[i]);
        else if (!v->is_healthy)
            err_set(err, ERR_BUSY, "%s: %s: %s", r->name, v->id, v->why);
        if (!v || !v->is_healthy) {
            buf_fini(&container);
            buf_fini(&nodes);
            return false;
        }
        kubelet_pb_put_node(&container, v->node, v->node, "rwm");
        put_numbers_ahead(p, v, &container);
        if (nodes.len)
            buf_putc(&nodes, ',');
        buf_puts(&nodes, v->node);
        rule = v->rule;
    }
    for (int i = 0; rule && i < rule->n_mounts; i++)
        kubelet_pb_put_mount(&container, rule->mounts[i].container, rule->mounts[i].host, !rule->mounts[i].is_writable);
    for (int i = 0; rule && i < rule->n_envs; i++)
        kubelet_pb_put_env(&container, rule->envs[i].name, rule->envs[i].value);
    buf_putc(&nodes, '\0');
    if (!nodes.failed)
        kubelet_pb_put_env(&container, "TUTTI_DEVICES", nodes.data);
    buf_fini(&nodes);
    kubelet_pb_put_container(out, &container);
    return true;
}

static bool has_text(char *const *list, int n, const char *s)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i], s) == 0)
            return true;
    return false;
}

/* What must be first; then devices of the same NUMA node before others, another device before a second share of one. */
static void prefer(struct resource *r, const struct kubelet_container *want, struct buf *out)
{
    const struct devices *d = r->plugin->devices;
    struct buf container;
    const char *taken[KUBELET_IDS_MAX];
    int n = 0, numa_node = -1;
    buf_init(&container, MESSAGE_MAX_BYTES);
    for (int i = 0; i < want->n_must && n < want->n_wanted; i++) {
        const struct device *v = devices_find(d, r->name, want->must[i]);
        taken[n++] = want->must[i];
        numa_node = v && numa_node < 0 ? v->numa_node : numa_node;
    }
    for (int pass = 0; pass < 4; pass++) /* 0: new device, same node; 1: new device; 2: same node; 3: any */
        for (int i = 0; i < want->n_ids && n < want->n_wanted && n < KUBELET_IDS_MAX; i++) {
            const struct device *v = devices_find(d, r->name, want->ids[i]);
            bool is_new = v && !has_text(want->must, want->n_must, want->ids[i]), is_other = true;
            for (int k = 0; k < n && is_new; k++) {
                is_new = strcmp(taken[k], want->ids[i]) != 0;
                is_other = is_other && devices_find(d, r->name, taken[k]) != v;
            }
            const bool is_near = v && (numa_node < 0 || v->numa_node < 0 || v->numa_node == numa_node);
            if (!is_new || (pass < 2 && !is_other) || (pass % 2 == 0 && !is_near))
                continue;
            taken[n++] = want->ids[i];
            numa_node = numa_node < 0 ? v->numa_node : numa_node;
        }
    for (int i = 0; i < n; i++)
        kubelet_pb_put_id(&container, taken[i]);
    kubelet_pb_put_container(out, &container);
}

/* ---- calls of the kubelet ---- */

static void look(struct device_plugin *p);

static void answer(struct call *c)
{
    struct resource *r = c->resource;
    struct kubelet_container *list = NULL;
    enum grpc_status status = GRPC_INVALID_ARGUMENT;
    struct err err;
    struct buf out;
    int n = 0;
    struct arena *a = arena_new(MESSAGE_MAX_BYTES * 8, &err);
    bool ok = a != NULL;
    buf_init(&out, LIST_MAX_BYTES);
    const void *bytes = c->message.data ? c->message.data : "";
    switch (c->method) {
    case METHOD_OPTIONS: kubelet_pb_put_options(&out, true); break;
    case METHOD_ALLOCATE:
        ok = ok && kubelet_pb_read_allocate(&list, &n, bytes, c->message.len, a, &err);
        if (ok)
            look(r->plugin); /* what is given away is what is there now */
        for (int i = 0; ok && i < n; i++)
            ok = allocate(r, &list[i], &out, &status, &err);
        break;
    case METHOD_PREFERRED:
        ok = ok && kubelet_pb_read_preferred(&list, &n, bytes, c->message.len, a, &err);
        for (int i = 0; ok && i < n; i++)
            prefer(r, &list[i], &out);
        break;
    case METHOD_PRE_START: break; /* an empty message */
    case METHOD_LIST:
    case METHOD_COUNT: break;
    }
    if (ok && out.failed)
        ok = err_set(&err, ERR_NOMEM, "out of memory"), status = GRPC_RESOURCE_EXHAUSTED;
    if (ok) {
        grpc_send(c->grpc, out.data ? out.data : "", out.len);
        grpc_finish(c->grpc, GRPC_OK, NULL);
    } else {
        log_warn("device-plugin: %s: %s", methods[c->method], err.text);
        grpc_finish(c->grpc, status, err.text);
    }
    buf_fini(&out);
    arena_free(a);
}

static void on_message(void *ctx, const void *message, size_t n)
{
    struct call *c = ctx;
    if (c->message.len == 0 && n > 0)
        buf_append(&c->message, message, n);
}
static void on_call_end(void *ctx)
{
    struct call *c = ctx;
    c->has_ended = true;
    if (c->message.failed)
        grpc_finish(c->grpc, GRPC_RESOURCE_EXHAUSTED, "out of memory");
    else if (c->method == METHOD_LIST)
        send_list(c);
    else
        answer(c);
}
static void on_call_close(void *ctx)
{
    struct call *c = ctx;
    LIST_UNLINK(c->resource->calls, c);
    c->resource->n_calls--;
    buf_fini(&c->message);
    free(c);
}

static void on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    static const char service[] = "/v1beta1.DevicePlugin/";
    static const struct grpc_fns fns = { .on_message = on_message, .on_end = on_call_end, .on_close = on_call_close };
    struct resource *r = ctx;
    int m = METHOD_COUNT;
    if (grpc_is_call(head) && strncmp(head->path, service, sizeof(service) - 1) == 0)
        for (m = 0; m < METHOD_COUNT && strcmp(head->path + sizeof(service) - 1, methods[m]) != 0; m++)
            ;
    if (m == METHOD_COUNT) {
        grpc_refuse(s, GRPC_UNIMPLEMENTED, "this socket speaks v1beta1.DevicePlugin");
        return;
    }
    struct call *c = r->n_calls < CALLS_MAX ? calloc(1, sizeof(*c)) : NULL;
    if (!c) {
        grpc_refuse(s, GRPC_RESOURCE_EXHAUSTED, "too many calls at a time");
        return;
    }
    c->resource = r;
    c->method = (enum method)m;
    buf_init(&c->message, MESSAGE_MAX_BYTES);
    LIST_LINK(r->calls, c);
    r->n_calls++;
    c->grpc = grpc_accept(r->plugin->loop, s, head, MESSAGE_MAX_BYTES, false, &fns, c);
    if (!c->grpc)
        on_call_close(c);
}

/* ---- registering ---- */

static void register_soon(struct resource *r)
{
    net_timer_start(r->retry, r->pause_ms, 0);
    r->pause_ms = r->pause_ms * 2 < RETRY_MAX_MS ? r->pause_ms * 2 : RETRY_MAX_MS;
}

static void on_registered(void *ctx, enum grpc_status status, const char *text)
{
    struct resource *r = ctx;
    r->registering = NULL;
    r->is_registered = status == GRPC_OK;
    if (r->is_registered) {
        r->pause_ms = r->plugin->opt.retry_ms;
        log_info("device-plugin: %s is registered with the kubelet", r->name);
        if (r->plugin->opt.on_registered)
            r->plugin->opt.on_registered(r->plugin->opt.ctx, r->name);
        return;
    }
    log_warn("device-plugin: the kubelet does not take %s: %s %s; asked again in %u ms", r->name, grpc_status_name(status), text, (unsigned)r->pause_ms);
    register_soon(r);
}

static void register_now(void *ctx)
{
    static const struct grpc_client_fns fns = { .on_end = on_registered };
    struct resource *r = ctx;
    struct device_plugin *p = r->plugin;
    struct http_target target;
    struct err err;
    char url[sizeof(p->kubelet_path) + 8];
    struct buf out;
    if (r->registering || r->is_registered || !r->server || p->kubelet_inode == 0)
        return;
    snprintf(url, sizeof(url), "unix:%s", p->kubelet_path);
    if (!r->kubelet && (!http_target_parse(&target, url, &err) ||
                        !(r->kubelet = h2_client_new(p->loop, &target, &(struct h2_client_config){ .idle_ms = 1000 }, &err)))) {
        log_warn("device-plugin: %s", err.text);
        register_soon(r);
        return;
    }
    buf_init(&out, MESSAGE_MAX_BYTES);
    kubelet_pb_put_register(&out, r->socket, r->name, true);
    if (!out.failed)
        r->registering = grpc_client_call(p->loop, r->kubelet, "/v1beta1.Registration/Register", NULL, 0, REGISTER_NS, MESSAGE_MAX_BYTES, &fns, r, &err);
    if (r->registering) {
        grpc_client_send(r->registering, out.data, out.len);
        grpc_client_half_close(r->registering);
    } else {
        register_soon(r);
    }
    buf_fini(&out);
}

/* ---- sockets ---- */

static bool is_ours(const struct resource *r)
{
    struct stat st;
    return stat(r->path, &st) == 0 && st.st_dev == r->socket_dev && st.st_ino == r->socket_inode;
}

static bool open_socket(struct resource *r, struct err *err)
{
    struct http_server_config config = { .max_connections = 64, .max_body_bytes = MESSAGE_MAX_BYTES + 1024, .on_request = on_request, .ctx = r };
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct stat st;
    if (!r->server && !(r->server = http_server_new(r->plugin->loop, &config, err)))
        return false;
    http_server_stop_listening(r->server); /* a socket that the kubelet has deleted */
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(to.sun_path, r->path, sizeof(to.sun_path));
    unlink(r->path);
    const mode_t mask = umask(0077);
    const bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
    umask(mask);
    if (!ok || stat(r->path, &st) != 0) {
        err_set(err, ERR_IO, "%s: %s", r->path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    r->socket_dev = st.st_dev;
    r->socket_inode = st.st_ino;
    return http_server_listen_fd(r->server, fd, NULL, err);
}

static bool has_device(const struct device_plugin *p, const struct resource *r)
{
    for (int i = 0; i < p->devices->n; i++)
        if (strcmp(p->devices->list[i].rule->resource, r->name) == 0)
            return true;
    return false;
}

/* Each resource goes as far as it can. */
static void tend(struct device_plugin *p)
{
    struct stat st;
    const bool is_there = stat(p->kubelet_path, &st) == 0;
    const bool is_new = is_there && (st.st_ino != p->kubelet_inode || st.st_dev != p->kubelet_dev);
    p->kubelet_inode = is_there ? st.st_ino : 0;
    p->kubelet_dev = is_there ? st.st_dev : 0;
    for (int i = 0; i < p->n_resources; i++) {
        struct resource *r = &p->resources[i];
        struct err err;
        if (!has_device(p, r))
            continue;
        if (!r->server || !is_ours(r)) {
            r->is_registered = false;
            if (!open_socket(r, &err)) {
                log_warn("device-plugin: %s", err.text);
                register_soon(r); /* the folder may come */
                continue;
            }
        }
        if (is_new) {
            r->is_registered = false;
            r->pause_ms = p->opt.retry_ms;
        }
        register_now(r);
    }
}

/* ---- looking ---- */

static void look(struct device_plugin *p)
{
    if (devices_scan(p->devices, p->root))
        for (int i = 0; i < p->n_resources; i++)
            for (struct call *c = p->resources[i].calls; c; c = c->next)
                if (c->method == METHOD_LIST && c->has_ended)
                    send_list(c);
}

static void on_look(void *ctx)
{
    struct device_plugin *p = ctx;
    look(p);
    tend(p);
}
static void on_retry(void *ctx)
{
    struct resource *r = ctx;
    tend(r->plugin);
}
static void on_change(void *ctx)
{
    struct device_plugin *p = ctx;
    net_timer_start(p->soon, p->opt.settle_ms, 0);
}

/* ---- life ---- */

static bool add_resources(struct device_plugin *p, struct err *err)
{
    p->resources = calloc((size_t)p->rules->n + 1, sizeof(p->resources[0]));
    if (!p->resources)
        return err_set(err, ERR_NOMEM, "device-plugin: out of memory");
    for (int i = 0; i < p->rules->n; i++) {
        const char *name = p->rules->list[i].resource;
        int k = 0;
        while (k < p->n_resources && strcmp(p->resources[k].name, name) != 0)
            k++;
        if (k < p->n_resources)
            continue;
        struct resource *r = &p->resources[p->n_resources++];
        r->plugin = p;
        r->pause_ms = p->opt.retry_ms;
        snprintf(r->name, sizeof(r->name), "%s", name);
        snprintf(r->socket, sizeof(r->socket), "tutti-%.50s.sock", name);
        for (char *c = r->socket; *c; c++)
            if (*c == '/')
                *c = '_';
        if (snprintf(r->path, sizeof(r->path), "%s/%s", p->opt.kubelet_dir, r->socket) >= (int)sizeof(r->path))
            return err_set(err, ERR_INPUT, "device-plugin: %s/%s: too long for a socket's path (%zu bytes)", p->opt.kubelet_dir, r->socket, sizeof(r->path) - 1);
        if (!(r->retry = net_timer_new(p->loop, on_retry, r, err)))
            return false;
    }
    return true;
}

struct device_plugin *device_plugin_new(struct net_loop *l, const struct device_rules *rules, const struct device_plugin_options *opt, struct err *err)
{
    struct device_plugin *p = calloc(1, sizeof(*p));
    if (!p)
        return err_null(err, ERR_NOMEM, "device-plugin: out of memory");
    p->loop = l;
    p->rules = rules;
    p->opt = *opt;
    p->opt.root = opt->root ? opt->root : "";
    p->opt.kubelet_dir = opt->kubelet_dir ? opt->kubelet_dir : "/var/lib/kubelet/device-plugins";
    p->opt.nodes_dir = opt->nodes_dir ? opt->nodes_dir : "/run/tutti/devices";
    p->opt.look_ms = opt->look_ms ? opt->look_ms : 10000;
    p->opt.settle_ms = opt->settle_ms ? opt->settle_ms : 50;
    p->opt.retry_ms = opt->retry_ms ? opt->retry_ms : 500;
    p->devices = calloc(1, sizeof(*p->devices));
    bool ok = p->devices || err_set(err, ERR_NOMEM, "device-plugin: out of memory");
    if (ok && snprintf(p->kubelet_path, sizeof(p->kubelet_path), "%s/kubelet.sock", p->opt.kubelet_dir) >= (int)sizeof(p->kubelet_path))
        ok = err_set(err, ERR_INPUT, "device-plugin: %.60s...: too long for a socket's path", p->opt.kubelet_dir);
    ok = ok && (p->root = hw_root_open(p->opt.root, err)) && add_resources(p, err) && (p->soon = net_timer_new(l, on_look, p, err)) &&
         (p->slow = net_timer_new(l, on_look, p, err)) && (p->watch = device_watch_new(l, p->opt.root, p->opt.kubelet_dir, on_change, p, err));
    if (!ok) {
        device_plugin_free(p);
        return NULL;
    }
    p->devices->rules = rules;
    net_timer_start(p->slow, p->opt.look_ms, p->opt.look_ms);
    on_look(p);
    return p;
}

void device_plugin_free(struct device_plugin *p)
{
    if (!p)
        return;
    device_watch_free(p->watch);
    net_timer_free(p->soon);
    net_timer_free(p->slow);
    for (int i = 0; i < p->n_resources; i++) {
        struct resource *r = &p->resources[i];
        net_timer_free(r->retry);
        grpc_client_cancel(r->registering);
        h2_client_free(r->kubelet);
        if (r->server && is_ours(r))
            unlink(r->path);
        http_server_free(r->server);
    }
    free(p->resources);
    hw_root_free(p->root);
    free(p->devices);
    free(p);
}
