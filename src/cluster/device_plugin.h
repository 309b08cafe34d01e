/* cluster/device_plugin.h - devices as resources of Kubernetes: the kubelet's device plugin API v1beta1.
 *
 * For:     cmd/device_plugin.c, tests.
 * Callers: cmd/.
 * Touches: sockets in the kubelet's folder, what devices.h touches; device nodes in a folder of its own when it may make them.
 * Thread:  the loop's.
 * Rule:    one socket and one registration for each resource that any rule names and a device was ever seen of.  The kubelet
 *          is told the whole list whenever it changes.  When the kubelet starts again it deletes all sockets: they are made
 *          and registered anew.  Nothing is polled but a slow look in case an event was missed.
 *
 * A resource: IDLE (no device seen) -> LISTENING (socket) -> REGISTERING --ok--> REGISTERED
 *             REGISTERING --failed--> LISTENING, again after a growing pause; REGISTERED --kubelet.sock is a new one--> LISTENING
 * Format:  k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1; kubernetes.io, "Device Plugins".
 */
#ifndef TUTTI_CLUSTER_DEVICE_PLUGIN_H
#define TUTTI_CLUSTER_DEVICE_PLUGIN_H
#include "cluster/devices.h"
#include "net/loop.h"

struct device_plugin_options { /* borrowed until device_plugin_free() */
    const char *root;        /* NULL or "": the live machine */
    const char *kubelet_dir; /* NULL: /var/lib/kubelet/device-plugins */
    const char *nodes_dir;   /* where device nodes for numbers to come are made; NULL: /run/tutti/devices */
    uint32_t look_ms;        /* the slow look; 0: 10 s */
    uint32_t settle_ms;      /* after an event, so that a burst is one look; 0: 50 */
    uint32_t retry_ms;       /* first pause before registering again; 0: 500, doubled up to 30 s */
    void (*on_registered)(void *ctx, const char *resource); /* NULL */
    void *ctx;
};

struct device_plugin;
/* rules are borrowed.  NULL with err. */
struct device_plugin *device_plugin_new(struct net_loop *l, const struct device_rules *rules, const struct device_plugin_options *opt, struct err *err);
/* Takes the sockets away; runs the loop until all is closed.  NULL is fine. */
void device_plugin_free(struct device_plugin *p);
#endif
