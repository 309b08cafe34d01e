/* wire/kubelet_pb.h - the messages of Kubernetes' device plugin API v1beta1 (proto/deviceplugin.proto), in and out.
 *
 * For:     cluster/device_plugin.c.
 * Callers: cluster/.
 * Touches: an arena.  Thread: any; nothing is kept.
 * Rule:    what comes in lies in the arena, whose limit bounds it whatever the message claims; identifiers are checked for
 *          their characters by whoever looks them up.
 */
#ifndef TUTTI_WIRE_KUBELET_PB_H
#define TUTTI_WIRE_KUBELET_PB_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* ---- out: we to the kubelet ---- */

/* RegisterRequest: endpoint is the name of our socket beside the kubelet's. */
void kubelet_pb_put_register(struct buf *out, const char *endpoint, const char *resource, bool has_preferred);
/* DevicePluginOptions. */
void kubelet_pb_put_options(struct buf *out, bool has_preferred);
/* One Device of ListAndWatchResponse; numa_node -1: not known. */
void kubelet_pb_put_device(struct buf *out, const char *id, bool is_healthy, int numa_node);
/* Parts of a ContainerAllocateResponse, then the response around it (frees inner). */
void kubelet_pb_put_env(struct buf *container, const char *name, const char *value);
void kubelet_pb_put_mount(struct buf *container, const char *container_path, const char *host_path, bool is_read_only);
void kubelet_pb_put_node(struct buf *container, const char *container_path, const char *host_path, const char *permissions);
void kubelet_pb_put_container(struct buf *out, struct buf *container); /* AllocateResponse, PreferredAllocationResponse */
void kubelet_pb_put_id(struct buf *container, const char *id);         /* of ContainerPreferredAllocationResponse */

/* ---- in: the kubelet to us ---- */

enum { KUBELET_CONTAINERS_MAX = 64, KUBELET_IDS_MAX = 4096 };
struct kubelet_container {
    char **ids;      /* AllocateRequest: given; PreferredAllocationRequest: that may be given */
    int n_ids;
    char **must;     /* PreferredAllocationRequest: that must be among them */
    int n_must, n_wanted;
};
/* AllocateRequest, PreferredAllocationRequest.  false with err: broken, or more than the limits above. */
bool kubelet_pb_read_allocate(struct kubelet_container **out, int *n, const void *bytes, size_t n_bytes, struct arena *a, struct err *err);
bool kubelet_pb_read_preferred(struct kubelet_container **out, int *n, const void *bytes, size_t n_bytes, struct arena *a, struct err *err);
#endif
