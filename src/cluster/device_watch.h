/* cluster/device_watch.h - tells when devices may have come or gone: the kernel's uevents, and changes below /dev.
 *
 * For:     device_plugin.c.
 * Touches: a netlink socket (where we may have one), inotify.  Thread: the loop's.
 * Rule:    says "look again", never what: whoever is told scans.  Uses no CPU while nothing changes.  Where neither source
 *          can be had it says so, and whoever asked must look by the clock.
 */
#ifndef TUTTI_CLUSTER_DEVICE_WATCH_H
#define TUTTI_CLUSTER_DEVICE_WATCH_H
#include "net/loop.h"

struct device_watch;
/* root: "" for the live machine, or a folder with a dev/ below it; extra: one more folder (the kubelet's), or NULL.
 * on_change is called on the loop.  NULL with err. */
struct device_watch *device_watch_new(struct net_loop *l, const char *root, const char *extra, net_fn *on_change, void *ctx, struct err *err);
void device_watch_free(struct device_watch *w); /* NULL is fine */
#endif
