/* site/manifest_pods.c - what runs: front doors, experts, the authority, the device plugin, the labels' writer; with their ConfigMaps.
 *
 * All containers: not root where they need not be, no capability, nothing that can be written but what is mounted, the runtime's
 * seccomp filter.  /sys and /proc of a container show the host's machine: `tutti detect` needs no mount. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "site/manifest_internal.h"

static const char container_security[] =
    "          securityContext:\n"
    "            allowPrivilegeEscalation: false\n"
    "            readOnlyRootFilesystem: true\n"
    "            capabilities: {drop: [ALL]}\n";

static void put_pod_security(struct buf *b, int indent)
{
    buf_printf(b, "%*ssecurityContext:\n%*srunAsNonRoot: true\n%*srunAsUser: %d\n%*srunAsGroup: %d\n%*sfsGroup: %d\n%*sseccompProfile: {type: RuntimeDefault}\n", indent, "",
               indent + 2, "", indent + 2, "", MANIFEST_USER, indent + 2, "", MANIFEST_USER, indent + 2, "", MANIFEST_USER, indent + 2, "");
}

static void put_ports_and_probes(struct buf *b)
{
    buf_printf(b,
               "          ports:\n"
               "            - {name: api, containerPort: %d}\n"
               "            - {name: node, containerPort: %d}\n"
               "          # /healthz says 200 when the models that are to be warm are warm; it needs no key\n"
               "          startupProbe: {httpGet: {path: /healthz, port: api}, periodSeconds: %d, failureThreshold: %d}\n"
               "          readinessProbe: {httpGet: {path: /healthz, port: api}, periodSeconds: %d}\n"
               "          livenessProbe: {httpGet: {path: /v2/health/live, port: api}, periodSeconds: %d, failureThreshold: 6}\n",
               MANIFEST_API_PORT, MANIFEST_NODE_PORT, MANIFEST_PROBE_S, MANIFEST_LOAD_S / MANIFEST_PROBE_S, MANIFEST_PROBE_S, 2 * MANIFEST_PROBE_S);
}

static void put_environment(struct buf *b)
{
    buf_puts(b, "          env:\n"
                "            - {name: HOME, value: /state}\n"
                "            - {name: XDG_DATA_HOME, value: /state}\n"
                "            - {name: XDG_STATE_HOME, value: /state}\n"
                "            - {name: XDG_CACHE_HOME, value: /state/cache}\n");
}

static void put_image(struct buf *b, const char *image)
{
    buf_puts(b, "          image: ");
    buf_put_json_text(b, image);
    buf_puts(b, "\n          imagePullPolicy: IfNotPresent\n");
}

/* A certificate by the token, once: what is joined already stays so.  A node is called as its pod's hostname. */
static void put_join(struct buf *b, const struct manifest_work *w)
{
    buf_puts(b, "      initContainers:\n        - name: join\n");
    put_image(b, w->image);
    buf_printf(b, "          args: [node, join, \"https://tutti-authority.%s.svc:%d\", --token-file, /run/secrets/tutti/join/token, --if-needed]\n", w->ns, MANIFEST_NODE_PORT);
    put_environment(b);
    buf_puts(b, container_security);
    buf_printf(b, "          resources: {requests: {cpu: %dm, memory: %dMi}, limits: {memory: %dMi}}\n", MANIFEST_IDLE_MCPU, MANIFEST_SMALL_MIB, MANIFEST_SMALL_MIB);
    buf_puts(b, "          volumeMounts:\n"
                "            - {name: state, mountPath: /state}\n"
                "            - {name: join, mountPath: /run/secrets/tutti/join, readOnly: true}\n");
}

static void put_config_map(struct buf *b, const struct manifest_work *w, const char *name)
{
    buf_printf(b, "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  namespace: %s\n  labels: {app.kubernetes.io/name: tutti, app.kubernetes.io/part-of: tutti}\ndata:\n", name, w->ns);
}

static void put_labels(struct buf *b, int indent, const char *component, const char *instance)
{
    buf_printf(b, "%*slabels:\n%*sapp.kubernetes.io/name: tutti\n%*sapp.kubernetes.io/part-of: tutti\n%*sapp.kubernetes.io/component: %s\n", indent, "", indent + 2, "", indent + 2, "",
               indent + 2, "", component);
    if (instance)
        buf_printf(b, "%*sapp.kubernetes.io/instance: %s\n", indent + 2, "", instance);
}

/* A change of its configuration starts a pod again; the same text never does. */
static void put_template_head(struct buf *b, const char *component, const char *instance, const struct buf *config)
{
    buf_puts(b, "  template:\n    metadata:\n");
    put_labels(b, 6, component, instance);
    buf_printf(b, "      annotations: {tutti.local/config: \"%016llx\"}\n", (unsigned long long)hash_fnv64(config->data ? config->data : "", config->len));
    buf_puts(b, "    spec:\n");
}

static void put_common_volumes(struct buf *b, const char *config)
{
    buf_printf(b, "        - {name: config, configMap: {name: %s}}\n"
                  "        - name: keys # which keys clients must send; docs/kubernetes.md makes it\n"
                  "          secret: {secretName: tutti-keys, items: [{key: keys, path: keys}]}\n"
                  "        - name: join # a token of `tutti cluster token`\n"
                  "          secret: {secretName: tutti-join}\n"
                  "        - {name: tmp, emptyDir: {sizeLimit: %dMi}}\n", config, MANIFEST_STATE_MIB);
}

static const char common_mounts[] = "          volumeMounts:\n"
                                    "            - {name: config, mountPath: /etc/tutti, readOnly: true}\n"
                                    "            - {name: keys, mountPath: /run/secrets/tutti/keys, readOnly: true}\n"
                                    "            - {name: state, mountPath: /state}\n"
                                    "            - {name: tmp, mountPath: /tmp}\n";

/* ---- front doors ---- */

/* A front door: serves what others have, so it is small. */
static void put_door_container(struct buf *b, const char *image)
{
    buf_puts(b, "      containers:\n        - name: tutti\n");
    put_image(b, image);
    buf_puts(b, "          args: [serve, --config, /etc/tutti/tutti.yaml]\n");
    put_environment(b);
    put_ports_and_probes(b);
    buf_puts(b, container_security);
    buf_printf(b, "          resources: {requests: {cpu: %dm, memory: %dMi}, limits: {memory: %dMi}}\n", MANIFEST_IDLE_MCPU, MANIFEST_DOOR_MIB, MANIFEST_DOOR_MIB + MANIFEST_BODIES_MIB);
    buf_puts(b, common_mounts);
}

static bool put_doors(struct manifest_work *w)
{
    struct buf config;
    buf_init(&config, 1 << 20);
    struct buf *b = manifest_add(w, "nodes.yaml",
                                 "A front door on every node: any of them answers, there is no master.  It sees what its machine is by the container's own /sys and\n"
                                 "/proc: no folder of the host is mounted.  Memory: MANIFEST_DOOR_MIB and limits.bodies (src/site/manifest.h).");
    bool ok = b && manifest_put_config(w, NULL, true, &config) && buf_ok(&config, "manifests", w->err);
    if (ok) {
        put_config_map(b, w, "tutti-door");
        buf_puts(b, "  tutti.yaml: |\n");
        manifest_put_block(b, 4, config.data, config.len);
        buf_printf(b, "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: tutti-door\n  namespace: %s\n", w->ns);
        put_labels(b, 2, "door", NULL);
        buf_puts(b, "spec:\n  selector: {matchLabels: {app.kubernetes.io/name: tutti, app.kubernetes.io/component: door}}\n"
                    "  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}\n");
        put_template_head(b, "door", NULL, &config);
        buf_printf(b, "      serviceAccountName: tutti\n      automountServiceAccountToken: false\n      enableServiceLinks: false\n      priorityClassName: tutti-door\n"
                      "      terminationGracePeriodSeconds: %d\n"
                      "      tolerations: # also where only the control plane runs, and on nodes kept for GPUs\n"
                      "        - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}\n"
                      "        - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}\n", MANIFEST_DRAIN_S);
        put_pod_security(b, 6);
        put_join(b, w);
        put_door_container(b, w->image);
        buf_puts(b, "      volumes:\n");
        put_common_volumes(b, "tutti-door");
        buf_printf(b, "        - {name: state, emptyDir: {sizeLimit: %dMi}}\n", MANIFEST_STATE_MIB);
    }
    buf_fini(&config);
    return ok;
}

/* ---- experts ---- */

static bool put_cards(struct manifest_work *w, const struct pod *pod, struct buf *b)
{
    for (int i = 0; i < pod->n_places; i++) {
        const struct inv_want *want = &w->inv->wants[w->plan->list[pod->places[i]].want];
        struct buf card;
        bool is_twice = false;
        for (int k = 0; k < i; k++)
            is_twice = is_twice || w->plan->list[pod->places[k]].want == w->plan->list[pod->places[i]].want;
        if (!want->card[0] || is_twice)
            continue;
        buf_init(&card, 1 << 20);
        const bool ok = manifest_read_card(w, want, &card);
        if (ok) {
            buf_printf(b, "  %s.card.yaml: |\n", want->name);
            manifest_put_block(b, 4, card.data ? card.data : "", card.len);
        }
        buf_fini(&card);
        if (!ok)
            return false;
    }
    return true;
}

static void put_numbers(struct buf *b, const struct manifest_work *w, const struct pod *pod)
{
    for (int i = 0; i < pod->n_places; i++) {
        const struct place *p = &w->plan->list[pod->places[i]];
        const struct inv_want *want = &w->inv->wants[p->want];
        buf_printf(b, "# %s: %s%s%" PRIu64 " bytes%s, at work %.4g of an hour\n", want->name, want->n_quants > 0 ? want->model_of[p->quant].quant : "",
                   want->n_quants > 0 ? ", " : "", p->bytes, p->is_device_memory ? " of the device's own" : "", p->load);
    }
}

static void put_pin(struct buf *b, const struct manifest_work *w, const struct pod *pod)
{
    const struct inv_node *node = &w->inv->nodes[pod->node];
    buf_printf(b, "      nodeSelector: {kubernetes.io/hostname: %s, kubernetes.io/arch: %s}\n", node->name, node->arch && node->arch[0] ? node->arch : "amd64");
    if (strcmp(pod->resource, "nvidia.com/gpu") == 0)
        buf_puts(b, "      runtimeClassName: nvidia\n      tolerations:\n        - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}\n");
}

static bool put_expert_pod(struct manifest_work *w, const struct pod *pod, struct buf *b)
{
    struct buf config;
    char name[POD_NAME_MAX + 16];
    snprintf(name, sizeof(name), "tutti-%s", pod->name);
    buf_init(&config, 8 << 20);
    bool ok = manifest_put_config(w, pod, true, &config) && buf_ok(&config, "manifests", w->err);
    if (ok) {
        put_config_map(b, w, name);
        buf_puts(b, "  tutti.yaml: |\n");
        manifest_put_block(b, 4, config.data, config.len);
        ok = put_cards(w, pod, b);
    }
    if (ok) {
        const uint64_t mib = manifest_mib(pod->bytes), asked = manifest_mib(pod->holds_coldest ? pod->bytes : pod->warm_bytes);
        const int mcpu = pod->load * 1000 > MANIFEST_IDLE_MCPU ? (int)(pod->load * 1000 + .999) : MANIFEST_IDLE_MCPU;
        buf_puts(b, "---\n");
        put_numbers(b, w, pod);
        buf_printf(b, "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: %s\n  namespace: %s\n", name, w->ns);
        put_labels(b, 2, "expert", pod->name);
        buf_printf(b, "spec:\n  replicas: 1\n  strategy: {type: Recreate} # two of it would not fit\n  selector: {matchLabels: {app.kubernetes.io/name: tutti, app.kubernetes.io/instance: %s}}\n", pod->name);
        put_template_head(b, "expert", pod->name, &config);
        buf_printf(b, "      hostname: %s\n      serviceAccountName: tutti\n      automountServiceAccountToken: false\n      enableServiceLinks: false\n      priorityClassName: tutti-expert\n"
                      "      terminationGracePeriodSeconds: %d\n", pod->name, MANIFEST_DRAIN_S);
        put_pin(b, w, pod);
        put_pod_security(b, 6);
        put_join(b, w);
        buf_puts(b, "      containers:\n        - name: tutti\n");
        put_image(b, pod->image);
        buf_puts(b, "          command: [/usr/bin/tutti]\n          args: [serve, --config, /etc/tutti/tutti.yaml]\n");
        put_environment(b);
        put_ports_and_probes(b);
        buf_puts(b, container_security);
        buf_printf(b, "          # from the plan; how: see the head\n"
                      "          resources:\n            requests: {cpu: %dm, memory: %" PRIu64 "Mi}\n            limits:\n              memory: %" PRIu64 "Mi\n",
                   mcpu, asked + MANIFEST_DOOR_MIB, mib + MANIFEST_DOOR_MIB + MANIFEST_BODIES_MIB + (pod->spare_bytes >> 20));
        if (pod->resource[0])
            buf_printf(b, "              %s: 1\n", pod->resource);
        buf_puts(b, common_mounts);
        buf_printf(b, "            - {name: models, mountPath: /models, readOnly: true}\n      volumes:\n");
        put_common_volumes(b, name);
        buf_printf(b, "        - {name: state, persistentVolumeClaim: {claimName: %s}}\n        - {name: models, persistentVolumeClaim: {claimName: tutti-models-%s, readOnly: true}}\n", name,
                   w->inv->nodes[pod->node].name);
        buf_printf(b, "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: %s\n  namespace: %s\n", name, w->ns);
        put_labels(b, 2, "expert", pod->name);
        buf_printf(b, "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: %dMi}}}\n", MANIFEST_STATE_MIB);
    }
    buf_fini(&config);
    return ok;
}

static bool put_experts(struct manifest_work *w)
{
    struct buf *b = w->n_pods == 0 ? NULL : manifest_add(w, "experts.yaml",
                                 "The experts, each where the plan put it: one pod for what runs in tutti's own engine on a node's CPU, one for each device.\n"
                                 "requests.memory: bytes of its places that stay loaded and of the node's largest that does not, rounded up to MiB, and a server's own\n"
                                 "(MANIFEST_DOOR_MIB); limits.memory: with its own largest that does not stay, its share of what the plan leaves free, and limits.bodies; requests.cpu: the part of an hour that they are at work, of one core.\n"
                                 "Models are read from /var/lib/tutti/models of the node (storage.yaml).");
    if (w->n_pods > 0 && !b)
        return false;
    for (int i = 0; i < w->n_pods; i++)
        if (!put_expert_pod(w, &w->pods[i], b))
            return false;
    return true;
}

/* ---- who holds the CA ---- */

static bool put_authority(struct manifest_work *w)
{
    const struct inv_node *head = NULL;
    struct buf config;
    for (int i = 0; i < w->inv->n_nodes; i++)
        if (w->inv->nodes[i].is_head)
            head = &w->inv->nodes[i];
    buf_init(&config, 1 << 20);
    struct buf *b = manifest_add(w, "authority.yaml",
                                 "Who holds the cluster's certificate authority: needed when a node joins or renews its certificate, not for requests.\n"
                                 "Its keys are made in the cluster, by its first start, and stay on its disk.");
    bool ok = b && manifest_put_config(w, NULL, true, &config) && buf_ok(&config, "manifests", w->err);
    if (ok) {
        buf_printf(b, "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: tutti-authority\n  namespace: %s\n", w->ns);
        put_labels(b, 2, "authority", NULL);
        buf_puts(b, "spec:\n  replicas: 1\n  serviceName: tutti-authority\n  selector: {matchLabels: {app.kubernetes.io/name: tutti, app.kubernetes.io/component: authority}}\n");
        put_template_head(b, "authority", NULL, &config);
        buf_printf(b, "      serviceAccountName: tutti\n      automountServiceAccountToken: false\n      enableServiceLinks: false\n      priorityClassName: tutti-door\n"
                      "      terminationGracePeriodSeconds: %d\n", MANIFEST_DRAIN_S);
        if (head)
            buf_printf(b, "      nodeSelector: {kubernetes.io/hostname: %s}\n      tolerations:\n        - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}\n", head->name);
        put_pod_security(b, 6);
        buf_puts(b, "      initContainers:\n        - name: init\n");
        put_image(b, w->image);
        buf_puts(b, "          args: [cluster, init, --if-needed]\n");
        put_environment(b);
        buf_puts(b, container_security);
        buf_printf(b, "          resources: {requests: {cpu: %dm, memory: %dMi}, limits: {memory: %dMi}}\n          volumeMounts:\n            - {name: state, mountPath: /state}\n", MANIFEST_IDLE_MCPU,
                   MANIFEST_SMALL_MIB, MANIFEST_SMALL_MIB);
        put_door_container(b, w->image);
        buf_printf(b, "      volumes:\n        - {name: config, configMap: {name: tutti-door}}\n"
                      "        - {name: keys, secret: {secretName: tutti-keys, items: [{key: keys, path: keys}]}}\n"
                      "        - {name: tmp, emptyDir: {sizeLimit: %dMi}}\n"
                      "  volumeClaimTemplates:\n    - metadata: {name: state}\n      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: %dMi}}}\n", MANIFEST_STATE_MIB, MANIFEST_STATE_MIB);
    }
    buf_fini(&config);
    return ok;
}

/* ---- devices and labels: the only ones that see folders of the host ---- */

static const char host_pod[] =
    "      serviceAccountName: tutti-devices\n      automountServiceAccountToken: false\n      enableServiceLinks: false\n"
    "      priorityClassName: system-node-critical\n"
    "      tolerations: [{operator: Exists}]\n"
    "      # root, because the host's folder is root's; of root's rights it has none but those that are named\n"
    "      securityContext: {runAsUser: 0, runAsGroup: 0, seccompProfile: {type: RuntimeDefault}}\n"
    "      terminationGracePeriodSeconds: 10\n";

static void put_host_resources(struct buf *b)
{
    buf_printf(b, "          resources: {requests: {cpu: %dm, memory: %dMi}, limits: {memory: %dMi}}\n", MANIFEST_IDLE_MCPU, MANIFEST_SMALL_MIB, 2 * MANIFEST_SMALL_MIB);
}

static bool node_has_ours(const struct manifest_work *w, int node)
{
    const struct inv_node *n = &w->inv->nodes[node];
    for (int i = 0; i < n->n_devices; i++)
        if (n->devices[i].resource && n->devices[i].resource[0] && strcmp(n->devices[i].resource, "nvidia.com/gpu") != 0)
            return true;
    for (int i = 0; i < w->n_pods; i++)
        if (w->pods[i].node == node && w->pods[i].resource[0] && strcmp(w->pods[i].resource, "nvidia.com/gpu") != 0)
            return true;
    return false;
}

static bool put_devices(struct manifest_work *w)
{
    bool any = false;
    for (int i = 0; i < w->inv->n_nodes; i++)
        any = any || node_has_ours(w, i);
    w->has_devices = any;
    if (!any)
        return true;
    struct buf *b = manifest_add(w, "devices.yaml",
                                 "Accelerators as resources (docs/device-plugin.md), on the nodes of the inventory that have some.  What the plugin needs of its host: the\n"
                                 "kubelet's folder, to make a socket in; /sys and /dev to look at; a folder for nodes of USB numbers to come (MKNOD).  Nothing else.");
    if (!b)
        return false;
    buf_puts(b, "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: tutti-device-plugin\n  namespace: tutti-devices\n");
    put_labels(b, 2, "device-plugin", NULL);
    buf_puts(b, "spec:\n  selector: {matchLabels: {app.kubernetes.io/name: tutti, app.kubernetes.io/component: device-plugin}}\n"
                "  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}\n  template:\n    metadata:\n");
    put_labels(b, 6, "device-plugin", NULL);
    buf_puts(b, "    spec:\n");
    buf_puts(b, host_pod);
    buf_puts(b, "      affinity:\n        nodeAffinity:\n          requiredDuringSchedulingIgnoredDuringExecution:\n            nodeSelectorTerms:\n              - matchExpressions:\n"
                "                  - key: kubernetes.io/hostname\n                    operator: In\n                    values: [");
    int n = 0;
    for (int i = 0; i < w->inv->n_nodes; i++)
        if (node_has_ours(w, i))
            buf_printf(b, "%s%s", n++ ? ", " : "", w->inv->nodes[i].name);
    buf_puts(b, "]\n      containers:\n        - name: device-plugin\n");
    put_image(b, w->image);
    buf_puts(b, "          args: [device-plugin, --root, /host]\n"
                "          securityContext:\n"
                "            allowPrivilegeEscalation: false\n"
                "            readOnlyRootFilesystem: true\n"
                "            capabilities: {drop: [ALL], add: [MKNOD]}\n");
    put_host_resources(b);
    buf_puts(b, "          volumeMounts:\n"
                "            - {name: kubelet, mountPath: /var/lib/kubelet/device-plugins}\n"
                "            - {name: numbers, mountPath: /run/tutti/devices}\n"
                "            - {name: sys, mountPath: /host/sys, readOnly: true}\n"
                "            - {name: dev, mountPath: /host/dev, readOnly: true}\n"
                "      volumes:\n"
                "        - {name: kubelet, hostPath: {path: /var/lib/kubelet/device-plugins, type: Directory}}\n"
                "        - {name: numbers, hostPath: {path: /run/tutti/devices, type: DirectoryOrCreate}}\n"
                "        - {name: sys, hostPath: {path: /sys, type: Directory}}\n"
                "        - {name: dev, hostPath: {path: /dev, type: Directory}}\n");
    return true;
}

static bool put_nfd(struct manifest_work *w)
{
    struct buf *b = manifest_add(w, "nfd/labels.yaml",
                                 "What `tutti detect` finds as labels of each node, where Node Feature Discovery runs: kubectl apply -k DIR/nfd.\n"
                                 "The file is written again every hour and expires by itself (MANIFEST_LABELS_S).");
    if (!b)
        return false;
    buf_puts(b, "---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata:\n  name: tutti-labels\n  namespace: tutti-devices\n");
    put_labels(b, 2, "labels", NULL);
    buf_puts(b, "spec:\n  selector: {matchLabels: {app.kubernetes.io/name: tutti, app.kubernetes.io/component: labels}}\n  template:\n    metadata:\n");
    put_labels(b, 6, "labels", NULL);
    buf_puts(b, "    spec:\n");
    buf_puts(b, host_pod);
    buf_puts(b, "      containers:\n        - name: labels\n");
    put_image(b, w->image);
    buf_printf(b, "          args: [detect, --format, nfd, --out, /features.d/tutti, --every, \"%d\"]\n", MANIFEST_LABELS_S);
    buf_puts(b, container_security);
    put_host_resources(b);
    buf_puts(b, "          volumeMounts:\n            - {name: features, mountPath: /features.d}\n      volumes:\n"
                "        - {name: features, hostPath: {path: /etc/kubernetes/node-feature-discovery/features.d, type: DirectoryOrCreate}}\n");
    b = manifest_add(w, "nfd/kustomization.yaml", "For clusters with Node Feature Discovery: kubectl apply -k DIR/nfd");
    if (b)
        buf_puts(b, "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - labels.yaml\n");
    return b != NULL;
}

bool manifest_put_workloads(struct manifest_work *w)
{
    return put_authority(w) && put_doors(w) && put_experts(w) && put_devices(w) && put_nfd(w);
}
