/* cluster/device_watch.c - see device_watch.h. */
#include "cluster/device_watch.h"

#include <dirent.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

struct device_watch {
    int inotify, uevents; /* -1: none */
    struct net_watch *on_inotify, *on_uevents;
    net_fn *on_change;
    void *ctx;
    char dev[1024];
};

enum { EVENTS = IN_CREATE | IN_DELETE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO, BUSES_MAX = 64 };

/* The folders where nodes appear; a bus that comes later is told by its parent, and then watched too. */
static void watch_folders(struct device_watch *w)
{
    static const char *const folders[] = { "", "/accel", "/dri", "/bus", "/bus/usb" };
    char path[1100];
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", w->dev, folders[i]);
        inotify_add_watch(w->inotify, path, EVENTS); /* what is not there is not watched; a second time changes nothing */
    }
    snprintf(path, sizeof(path), "%s/bus/usb", w->dev);
    DIR *d = opendir(path);
    int n = 0;
    for (struct dirent *e; d && n < BUSES_MAX && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "%s/bus/usb/%.16s", w->dev, e->d_name);
        inotify_add_watch(w->inotify, path, EVENTS);
        n++;
    }
    if (d)
        closedir(d);
}

static void on_inotify(void *ctx)
{
    struct device_watch *w = ctx;
    char bytes[4096];
    bool any = false;
    while (read(w->inotify, bytes, sizeof(bytes)) > 0)
        any = true;
    if (!any)
        return;
    watch_folders(w);
    w->on_change(w->ctx);
}

static void on_uevents(void *ctx)
{
    struct device_watch *w = ctx;
    char bytes[8192];
    bool any = false;
    while (recv(w->uevents, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        any = true;
    if (any)
        w->on_change(w->ctx);
}

static void open_uevents(struct device_watch *w, struct net_loop *l)
{
    struct err err;
    const struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = 1 /* the kernel's own, not udev's */ };
    w->uevents = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    if (w->uevents >= 0 && bind(w->uevents, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
        (w->on_uevents = net_watch_new(l, w->uevents, on_uevents, w, &err)) != NULL)
        return;
    if (w->uevents >= 0)
        close(w->uevents);
    w->uevents = -1; /* a container without the host's network has none: inotify must do */
}

struct device_watch *device_watch_new(struct net_loop *l, const char *root, const char *extra, net_fn *on_change, void *ctx, struct err *err)
{
    struct device_watch *w = calloc(1, sizeof(*w));
    if (!w)
        return err_null(err, ERR_NOMEM, "devices: out of memory");
    w->on_change = on_change;
    w->ctx = ctx;
    w->uevents = -1;
    w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    const bool fits = snprintf(w->dev, sizeof(w->dev), "%s/dev", root) < (int)sizeof(w->dev) - 64;
    if (w->inotify < 0 || !fits) {
        err_set(err, ERR_IO, fits ? "devices: no inotify: raise fs.inotify.max_user_instances" : "devices: %.60s...: the path is too long", root);
        device_watch_free(w);
        return NULL;
    }
    watch_folders(w);
    if (extra)
        inotify_add_watch(w->inotify, extra, EVENTS);
    if (!(w->on_inotify = net_watch_new(l, w->inotify, on_inotify, w, err))) {
        device_watch_free(w);
        return NULL;
    }
    if (!root[0])
        open_uevents(w, l);
    return w;
}

void device_watch_free(struct device_watch *w)
{
    if (!w)
        return;
    net_watch_free(w->on_inotify);
    net_watch_free(w->on_uevents);
    if (w->inotify >= 0)
        close(w->inotify);
    if (w->uevents >= 0)
        close(w->uevents);
    free(w);
}
