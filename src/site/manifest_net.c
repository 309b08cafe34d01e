/* site/manifest_net.c - what surrounds the pods: namespaces, rights, services, who may talk to whom, disks, monitoring, the kustomization. */
#include <stdio.h>
#include <string.h>

#include "site/manifest_internal.h"

static bool put_namespaces(struct manifest_work *w)
{
    struct buf *b = manifest_add(w, "namespace.yaml",
                                 "What people talk to runs under Kubernetes' strictest standard; what must see folders of the host (devices, labels) runs apart from it.");
    if (!b)
        return false;
    buf_printf(b, "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: %s\n  labels:\n    app.kubernetes.io/part-of: tutti\n    pod-security.kubernetes.io/enforce: restricted\n", w->ns);
    buf_puts(b, "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: tutti-devices\n  labels:\n    app.kubernetes.io/part-of: tutti\n"
                "    pod-security.kubernetes.io/enforce: privileged # for hostPath; no container here is privileged\n");
    return true;
}

static bool put_rights(struct manifest_work *w)
{
    struct buf *b = manifest_add(w, "rbac.yaml",
                                 "Accounts without any right: nothing of tutti asks the API server, so there is no Role, and no token is mounted.\n"
                                 "Priorities: front doors outlive experts when memory is short.");
    if (!b)
        return false;
    buf_printf(b, "---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: tutti\n  namespace: %s\nautomountServiceAccountToken: false\n", w->ns);
    buf_puts(b, "---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: tutti-devices\n  namespace: tutti-devices\nautomountServiceAccountToken: false\n"
                "---\napiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata:\n  name: tutti-door\nvalue: 20000\nglobalDefault: false\ndescription: tutti's front doors\n"
                "---\napiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata:\n  name: tutti-expert\nvalue: 10000\nglobalDefault: false\ndescription: tutti's experts\n");
    return true;
}

static bool put_services(struct manifest_work *w)
{
    struct buf *b = manifest_add(w, "services.yaml", "tutti: the front door (any node's).  tutti-nodes: who is there, by DNS.  tutti-authority: who signs certificates.");
    if (!b)
        return false;
    buf_printf(b, "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: tutti\n  namespace: %s\n  labels: {app.kubernetes.io/part-of: tutti}\nspec:\n  type: ClusterIP\n"
                  "  selector: {app.kubernetes.io/name: tutti, app.kubernetes.io/component: door}\n  ports:\n    - {name: api, port: %d, targetPort: api}\n", w->ns, MANIFEST_API_PORT);
    buf_printf(b, "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: tutti-nodes\n  namespace: %s\n  labels: {app.kubernetes.io/part-of: tutti}\nspec:\n  clusterIP: None\n"
                  "  selector: {app.kubernetes.io/name: tutti}\n  ports:\n    - {name: node, port: %d, targetPort: node}\n", w->ns, MANIFEST_NODE_PORT);
    buf_printf(b, "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: tutti-authority\n  namespace: %s\n  labels: {app.kubernetes.io/part-of: tutti}\nspec:\n  clusterIP: None\n"
                  "  publishNotReadyAddresses: true # nodes join before anything is ready\n"
                  "  selector: {app.kubernetes.io/name: tutti, app.kubernetes.io/component: authority}\n  ports:\n    - {name: node, port: %d, targetPort: node}\n", w->ns, MANIFEST_NODE_PORT);
    return true;
}

static void put_policy(struct buf *b, const char *ns, const char *name, const char *spec)
{
    buf_printf(b, "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: %s\n  namespace: %s\nspec:\n%s", name, ns, spec);
}

static bool put_policies(struct manifest_work *w)
{
    char spec[900];
    struct buf *b = manifest_add(w, "network.yaml",
                                 "Nothing may be reached, nothing may be asked, but: nodes by nodes, front doors by clients, names of the cluster's DNS.\n"
                                 "Experts of servers elsewhere need a policy of yours that lets them out.");
    if (!b)
        return false;
    put_policy(b, w->ns, "default-deny", "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n");
    snprintf(spec, sizeof(spec),
             "  podSelector: {matchLabels: {app.kubernetes.io/name: tutti}}\n  policyTypes: [Ingress, Egress]\n"
             "  ingress:\n    - from: [{podSelector: {matchLabels: {app.kubernetes.io/name: tutti}}}]\n      ports: [{protocol: TCP, port: %d}]\n"
             "  egress:\n    - to: [{podSelector: {matchLabels: {app.kubernetes.io/name: tutti}}}]\n      ports: [{protocol: TCP, port: %d}]\n",
             MANIFEST_NODE_PORT, MANIFEST_NODE_PORT);
    put_policy(b, w->ns, "nodes", spec);
    put_policy(b, w->ns, "dns",
               "  podSelector: {matchLabels: {app.kubernetes.io/name: tutti}}\n  policyTypes: [Egress]\n  egress:\n"
               "    - to:\n        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}\n          podSelector: {matchLabels: {k8s-app: kube-dns}}\n"
               "      ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]\n");
    snprintf(spec, sizeof(spec),
             "  podSelector: {matchLabels: {app.kubernetes.io/name: tutti, app.kubernetes.io/component: door}}\n  policyTypes: [Ingress]\n"
             "  ingress: # from anywhere: keys say who may\n    - ports: [{protocol: TCP, port: %d}]\n", MANIFEST_API_PORT);
    put_policy(b, w->ns, "clients", spec);
    put_policy(b, "tutti-devices", "default-deny", "  podSelector: {}\n  policyTypes: [Ingress, Egress]\n");
    return true;
}

static bool put_budget(struct manifest_work *w)
{
    struct buf *b = w->n_pods == 0 ? NULL : manifest_add(w, "availability.yaml", "When nodes are drained: one pod of experts at a time.  (Draining passes over DaemonSets.)");
    if (b)
        buf_printf(b, "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata:\n  name: tutti-experts\n  namespace: %s\nspec:\n  maxUnavailable: 1\n"
                      "  selector: {matchLabels: {app.kubernetes.io/name: tutti, app.kubernetes.io/component: expert}}\n", w->ns);
    return b || w->n_pods == 0;
}

/* Models of a node: a folder of its disk, handed in read-only. */
static bool put_storage(struct manifest_work *w)
{
    struct buf *b = w->n_pods == 0 ? NULL : manifest_add(w, "storage.yaml",
                                 "The models' folder of each node, /var/lib/tutti/models (make it before: pods wait for it), for the experts there to read.\n"
                                 "storage: the bytes of the models that the plan put there, rounded up to MiB; nothing enforces it.");
    for (int i = 0; i < w->n_pods && b; i++) {
        const struct inv_node *node = &w->inv->nodes[w->pods[i].node];
        uint64_t bytes = 0;
        if (i > 0 && w->pods[i - 1].node == w->pods[i].node)
            continue;
        for (int k = i; k < w->n_pods && w->pods[k].node == w->pods[i].node; k++)
            bytes += w->pods[k].disk_bytes;
        const unsigned long long mib = manifest_mib(bytes) ? manifest_mib(bytes) : 1;
        buf_printf(b, "---\napiVersion: v1\nkind: PersistentVolume\nmetadata:\n  name: %s-models-%s\n  labels: {app.kubernetes.io/part-of: tutti}\nspec:\n  capacity: {storage: %lluMi}\n"
                      "  accessModes: [ReadOnlyMany]\n  persistentVolumeReclaimPolicy: Retain\n  storageClassName: tutti-models\n  local: {path: /var/lib/tutti/models}\n"
                      "  claimRef: {namespace: %s, name: tutti-models-%s}\n"
                      "  nodeAffinity:\n    required:\n      nodeSelectorTerms:\n        - matchExpressions:\n            - {key: kubernetes.io/hostname, operator: In, values: [%s]}\n",
                   w->ns, node->name, mib, w->ns, node->name, node->name);
        buf_printf(b, "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: tutti-models-%s\n  namespace: %s\n  labels: {app.kubernetes.io/part-of: tutti}\nspec:\n"
                      "  accessModes: [ReadOnlyMany]\n  storageClassName: tutti-models\n  volumeName: %s-models-%s\n  resources: {requests: {storage: %lluMi}}\n", node->name, w->ns, w->ns,
                   node->name, mib);
    }
    return b || w->n_pods == 0;
}

static bool put_runtime_class(struct manifest_work *w)
{
    struct buf *b = manifest_add(w, "runtimeclass.yaml",
                                 "NVIDIA's container runtime, which K3s finds by itself when nvidia-container-toolkit is installed (newer K3s make this very object, too).\n"
                                 "nvidia.com/gpu comes from NVIDIA's own device plugin: docs/kubernetes.md.");
    if (b)
        buf_puts(b, "---\napiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata:\n  name: nvidia\nhandler: nvidia\n");
    return b != NULL;
}

static bool put_monitoring(struct manifest_work *w)
{
    struct buf *b = manifest_add(w, "monitoring/podmonitor.yaml",
                                 "For clusters with the Prometheus operator in the namespace `monitoring`: kubectl apply -k DIR/monitoring.\n"
                                 "Secret tutti-keys: its entry `metrics` is one of the keys.");
    if (!b)
        return false;
    buf_printf(b, "---\napiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata:\n  name: tutti\n  namespace: %s\n  labels: {app.kubernetes.io/part-of: tutti}\nspec:\n"
                  "  selector: {matchLabels: {app.kubernetes.io/name: tutti}}\n  podMetricsEndpoints:\n    - port: api\n      path: /metrics\n"
                  "      authorization: {type: Bearer, credentials: {name: tutti-keys, key: metrics}}\n"
                  "      relabelings:\n        - {sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: node}\n", w->ns);
    buf_printf(b, "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: prometheus\n  namespace: %s\nspec:\n  podSelector: {matchLabels: {app.kubernetes.io/name: tutti}}\n"
                  "  policyTypes: [Ingress]\n  ingress:\n    - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]\n      ports: [{protocol: TCP, port: %d}]\n", w->ns,
               MANIFEST_API_PORT);
    b = manifest_add(w, "monitoring/kustomization.yaml", "For clusters with the Prometheus operator: kubectl apply -k DIR/monitoring");
    if (b)
        buf_puts(b, "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - podmonitor.yaml\n");
    return b != NULL;
}

bool manifest_put_surroundings(struct manifest_work *w)
{
    if (!put_namespaces(w) || !put_rights(w) || !put_services(w) || !put_policies(w) || !put_budget(w) || !put_storage(w) || (w->has_nvidia && !put_runtime_class(w)) || !put_monitoring(w))
        return false;
    const int n = w->out->n;
    struct buf *b = manifest_add(w, "kustomization.yaml",
                                 "kubectl apply -k DIR; before that the secrets tutti-keys and tutti-join, and the models on the nodes: docs/kubernetes.md.\n"
                                 "Changes of yours belong into a kustomization of your own that names this folder as a resource.");
    if (!b)
        return false;
    buf_puts(b, "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n");
    for (int i = 0; i < n; i++)
        if (!strchr(w->out->list[i].path, '/'))
            buf_printf(b, "  - %s\n", w->out->list[i].path);
    return true;
}
