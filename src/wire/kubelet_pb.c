/* wire/kubelet_pb.c - see kubelet_pb.h. */
#include "wire/kubelet_pb.h"

#include "gen/deviceplugin.pb-c.h"
#include "wire/pb.h"

enum { INNER_MAX_BYTES = 64 << 10 };

void kubelet_pb_put_options(struct buf *out, bool has_preferred) { pb_put_uint(out, 2, has_preferred); }

void kubelet_pb_put_register(struct buf *out, const char *endpoint, const char *resource, bool has_preferred)
{
    struct buf options;
    pb_put_string(out, 1, "v1beta1");
    pb_put_string(out, 2, endpoint);
    pb_put_string(out, 3, resource);
    buf_init(&options, INNER_MAX_BYTES);
    kubelet_pb_put_options(&options, has_preferred);
    pb_put_inner(out, 4, &options);
}

void kubelet_pb_put_device(struct buf *out, const char *id, bool is_healthy, int numa_node)
{
    struct buf device, topology, node;
    buf_init(&device, INNER_MAX_BYTES);
    pb_put_string(&device, 1, id);
    pb_put_string(&device, 2, is_healthy ? "Healthy" : "Unhealthy");
    if (numa_node >= 0) {
        buf_init(&topology, INNER_MAX_BYTES);
        buf_init(&node, INNER_MAX_BYTES);
        pb_put_uint(&node, 1, (uint64_t)numa_node);
        pb_put_inner(&topology, 1, &node);
        pb_put_inner(&device, 3, &topology);
    }
    pb_put_inner(out, 1, &device);
}

static void put_pair(struct buf *out, unsigned field, const char *name, const char *value)
{
    struct buf pair;
    buf_init(&pair, INNER_MAX_BYTES);
    pb_put_string(&pair, 1, name);
    pb_put_string(&pair, 2, value);
    pb_put_inner(out, field, &pair);
}
void kubelet_pb_put_env(struct buf *container, const char *name, const char *value) { put_pair(container, 1, name, value); }

void kubelet_pb_put_mount(struct buf *container, const char *container_path, const char *host_path, bool is_read_only)
{
    struct buf mount;
    buf_init(&mount, INNER_MAX_BYTES);
    pb_put_string(&mount, 1, container_path);
    pb_put_string(&mount, 2, host_path);
    pb_put_uint(&mount, 3, is_read_only);
    pb_put_inner(container, 2, &mount);
}

void kubelet_pb_put_node(struct buf *container, const char *container_path, const char *host_path, const char *permissions)
{
    struct buf node;
    buf_init(&node, INNER_MAX_BYTES);
    pb_put_string(&node, 1, container_path);
    pb_put_string(&node, 2, host_path);
    pb_put_string(&node, 3, permissions);
    pb_put_inner(container, 3, &node);
}

void kubelet_pb_put_id(struct buf *container, const char *id) { pb_put_string(container, 1, id); }
void kubelet_pb_put_container(struct buf *out, struct buf *container) { pb_put_inner(out, 1, container); }

static bool check_counts(size_t n_containers, struct err *err)
{
    return n_containers <= KUBELET_CONTAINERS_MAX || err_set(err, ERR_LIMIT, "%zu containers at once: %d are possible", n_containers, KUBELET_CONTAINERS_MAX);
}
static bool check_ids(size_t n, struct err *err)
{
    return n <= KUBELET_IDS_MAX || err_set(err, ERR_LIMIT, "%zu devices for a container: %d are possible", n, KUBELET_IDS_MAX);
}

bool kubelet_pb_read_allocate(struct kubelet_container **out, int *n, const void *bytes, size_t n_bytes, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const V1beta1__AllocateRequest *m = v1beta1__allocate_request__unpack(&pieces, n_bytes, bytes);
    if (!m)
        return err_set(err, ERR_INPUT, "this is no AllocateRequest");
    if (!check_counts(m->n_container_requests, err) || !(*out = arena_alloc(a, m->n_container_requests, sizeof(**out), err)))
        return false;
    *n = (int)m->n_container_requests;
    for (int i = 0; i < *n; i++) {
        if (!check_ids(m->container_requests[i]->n_devices_ids, err))
            return false;
        (*out)[i] = (struct kubelet_container){ .ids = m->container_requests[i]->devices_ids, .n_ids = (int)m->container_requests[i]->n_devices_ids };
    }
    return true;
}

bool kubelet_pb_read_preferred(struct kubelet_container **out, int *n, const void *bytes, size_t n_bytes, struct arena *a, struct err *err)
{
    ProtobufCAllocator pieces = pb_pieces(a);
    const V1beta1__PreferredAllocationRequest *m = v1beta1__preferred_allocation_request__unpack(&pieces, n_bytes, bytes);
    if (!m)
        return err_set(err, ERR_INPUT, "this is no PreferredAllocationRequest");
    if (!check_counts(m->n_container_requests, err) || !(*out = arena_alloc(a, m->n_container_requests, sizeof(**out), err)))
        return false;
    *n = (int)m->n_container_requests;
    for (int i = 0; i < *n; i++) {
        const V1beta1__ContainerPreferredAllocationRequest *c = m->container_requests[i];
        if (!check_ids(c->n_available_deviceids, err) || !check_ids(c->n_must_include_deviceids, err))
            return false;
        (*out)[i] = (struct kubelet_container){ .ids = c->available_deviceids, .n_ids = (int)c->n_available_deviceids, .must = c->must_include_deviceids,
                                                .n_must = (int)c->n_must_include_deviceids, .n_wanted = c->allocation_size };
    }
    return true;
}
