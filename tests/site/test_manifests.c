/* tests/site/test_manifests.c - manifests: every object is of a kind and has only the fields that are written down below, nothing is
 * privileged, every number is the plan's, and a folder keeps what is not ours. */
#include "test.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/yaml.h"
#include "site/manifest.h"
#include "serve/config.h"

/* ---- the schema of what we emit: PATH:TYPE, from the Kubernetes API reference (v1.32); `pod` is a PodSpec, `container` a Container.
 * s text, n name (DNS label or subdomain), i count, q quantity, b bool, S map of texts, m map, l list of maps, t list of texts; ! must be there. */
static const char schema[] =
    "*.apiVersion:s! *.kind:s! *.metadata:m! *.metadata.name:n! *.metadata.namespace:n *.metadata.labels:S "
    "ServiceAccount.automountServiceAccountToken:b! "
    "PriorityClass.value:i! PriorityClass.globalDefault:b PriorityClass.description:s "
    "ConfigMap.data:S! RuntimeClass.handler:n! "
    "Service.spec:m! Service.spec.type:s Service.spec.clusterIP:s Service.spec.publishNotReadyAddresses:b Service.spec.selector:S! Service.spec.ports:l! "
    "Service.spec.ports.name:n! Service.spec.ports.port:i! Service.spec.ports.targetPort:s! "
    "DaemonSet.spec:m! DaemonSet.spec.selector:m! DaemonSet.spec.selector.matchLabels:S! DaemonSet.spec.updateStrategy:m DaemonSet.spec.updateStrategy.type:s! "
    "DaemonSet.spec.updateStrategy.rollingUpdate:m DaemonSet.spec.updateStrategy.rollingUpdate.maxUnavailable:i DaemonSet.spec.template:m! "
    "Deployment.spec:m! Deployment.spec.replicas:i! Deployment.spec.strategy:m! Deployment.spec.strategy.type:s! Deployment.spec.selector:m! Deployment.spec.selector.matchLabels:S! Deployment.spec.template:m! "
    "StatefulSet.spec:m! StatefulSet.spec.replicas:i! StatefulSet.spec.serviceName:n! StatefulSet.spec.selector:m! StatefulSet.spec.selector.matchLabels:S! StatefulSet.spec.template:m! "
    "StatefulSet.spec.volumeClaimTemplates:l! StatefulSet.spec.volumeClaimTemplates.metadata:m! StatefulSet.spec.volumeClaimTemplates.metadata.name:n! StatefulSet.spec.volumeClaimTemplates.spec:m! "
    "StatefulSet.spec.volumeClaimTemplates.spec.accessModes:t! StatefulSet.spec.volumeClaimTemplates.spec.resources:m! StatefulSet.spec.volumeClaimTemplates.spec.resources.requests:m! "
    "StatefulSet.spec.volumeClaimTemplates.spec.resources.requests.storage:q! "
    "template.metadata:m! template.metadata.labels:S! template.metadata.annotations:S template.spec:m! "
    "pod.hostname:n pod.serviceAccountName:n! pod.automountServiceAccountToken:b! pod.enableServiceLinks:b! pod.priorityClassName:n! pod.terminationGracePeriodSeconds:i! pod.nodeSelector:S pod.runtimeClassName:n "
    "pod.tolerations:l pod.tolerations.key:s pod.tolerations.operator:s! pod.tolerations.effect:s pod.securityContext:m! pod.securityContext.runAsNonRoot:b pod.securityContext.runAsUser:i! "
    "pod.securityContext.runAsGroup:i! pod.securityContext.fsGroup:i pod.securityContext.seccompProfile:m! pod.securityContext.seccompProfile.type:s! pod.affinity:m pod.affinity.nodeAffinity:m! "
    "pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution:m! pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms:l! "
    "pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.matchExpressions:l! pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.matchExpressions.key:s! "
    "pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.matchExpressions.operator:s! pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.matchExpressions.values:t! "
    "pod.initContainers:l pod.containers:l! pod.volumes:l! pod.volumes.name:n! pod.volumes.configMap:m pod.volumes.configMap.name:n! pod.volumes.secret:m pod.volumes.secret.secretName:n! "
    "pod.volumes.secret.items:l pod.volumes.secret.items.key:s! pod.volumes.secret.items.path:s! pod.volumes.emptyDir:m pod.volumes.emptyDir.sizeLimit:q! pod.volumes.persistentVolumeClaim:m "
    "pod.volumes.persistentVolumeClaim.claimName:n! pod.volumes.persistentVolumeClaim.readOnly:b pod.volumes.hostPath:m pod.volumes.hostPath.path:s! pod.volumes.hostPath.type:s! "
    "container.name:n! container.image:s! container.imagePullPolicy:s! container.command:t container.args:t! container.env:l container.env.name:s! container.env.value:s! container.ports:l container.ports.name:n! container.ports.containerPort:i! "
    "container.startupProbe:m container.readinessProbe:m container.livenessProbe:m container.*Probe.httpGet:m! container.*Probe.httpGet.path:s! container.*Probe.httpGet.port:s! container.*Probe.periodSeconds:i! container.*Probe.failureThreshold:i "
    "container.securityContext:m! container.securityContext.allowPrivilegeEscalation:b! container.securityContext.readOnlyRootFilesystem:b! container.securityContext.capabilities:m! "
    "container.securityContext.capabilities.drop:t! container.securityContext.capabilities.add:t container.resources:m! container.resources.requests:m! container.resources.requests.cpu:q! container.resources.requests.memory:q! "
    "container.resources.limits:m! container.resources.limits.memory:q! container.resources.limits.*:i "
    "container.volumeMounts:l! container.volumeMounts.name:n! container.volumeMounts.mountPath:s! container.volumeMounts.readOnly:b "
    "NetworkPolicy.spec:m! NetworkPolicy.spec.podSelector:m! NetworkPolicy.spec.podSelector.matchLabels:S NetworkPolicy.spec.policyTypes:t! NetworkPolicy.spec.ingress:l NetworkPolicy.spec.egress:l "
    "NetworkPolicy.spec.ingress.from:l NetworkPolicy.spec.egress.to:l NetworkPolicy.spec.ingress.from.podSelector:m NetworkPolicy.spec.ingress.from.podSelector.matchLabels:S "
    "NetworkPolicy.spec.ingress.from.namespaceSelector:m NetworkPolicy.spec.ingress.from.namespaceSelector.matchLabels:S NetworkPolicy.spec.egress.to.podSelector:m NetworkPolicy.spec.egress.to.podSelector.matchLabels:S "
    "NetworkPolicy.spec.egress.to.namespaceSelector:m NetworkPolicy.spec.egress.to.namespaceSelector.matchLabels:S NetworkPolicy.spec.ingress.ports:l! NetworkPolicy.spec.egress.ports:l! "
    "NetworkPolicy.spec.ingress.ports.protocol:s! NetworkPolicy.spec.ingress.ports.port:i! NetworkPolicy.spec.egress.ports.protocol:s! NetworkPolicy.spec.egress.ports.port:i! "
    "PodDisruptionBudget.spec:m! PodDisruptionBudget.spec.maxUnavailable:i! PodDisruptionBudget.spec.selector:m! PodDisruptionBudget.spec.selector.matchLabels:S! "
    "PersistentVolume.spec:m! PersistentVolume.spec.capacity:m! PersistentVolume.spec.capacity.storage:q! PersistentVolume.spec.accessModes:t! PersistentVolume.spec.persistentVolumeReclaimPolicy:s! "
    "PersistentVolume.spec.storageClassName:n! PersistentVolume.spec.local:m! PersistentVolume.spec.local.path:s! PersistentVolume.spec.claimRef:m! PersistentVolume.spec.claimRef.namespace:n! PersistentVolume.spec.claimRef.name:n! "
    "PersistentVolume.spec.nodeAffinity:m! PersistentVolume.spec.nodeAffinity.required:m! PersistentVolume.spec.nodeAffinity.required.nodeSelectorTerms:l! "
    "PersistentVolume.spec.nodeAffinity.required.nodeSelectorTerms.matchExpressions:l! PersistentVolume.spec.nodeAffinity.required.nodeSelectorTerms.matchExpressions.key:s! "
    "PersistentVolume.spec.nodeAffinity.required.nodeSelectorTerms.matchExpressions.operator:s! PersistentVolume.spec.nodeAffinity.required.nodeSelectorTerms.matchExpressions.values:t! "
    "PersistentVolumeClaim.spec:m! PersistentVolumeClaim.spec.accessModes:t! PersistentVolumeClaim.spec.storageClassName:n PersistentVolumeClaim.spec.volumeName:n PersistentVolumeClaim.spec.resources:m! "
    "PersistentVolumeClaim.spec.resources.requests:m! PersistentVolumeClaim.spec.resources.requests.storage:q! "
    "PodMonitor.spec:m! PodMonitor.spec.selector:m! PodMonitor.spec.selector.matchLabels:S! PodMonitor.spec.podMetricsEndpoints:l! PodMonitor.spec.podMetricsEndpoints.port:s! PodMonitor.spec.podMetricsEndpoints.path:s! "
    "PodMonitor.spec.podMetricsEndpoints.authorization:m PodMonitor.spec.podMetricsEndpoints.authorization.type:s! PodMonitor.spec.podMetricsEndpoints.authorization.credentials:m! "
    "PodMonitor.spec.podMetricsEndpoints.authorization.credentials.name:n! PodMonitor.spec.podMetricsEndpoints.authorization.credentials.key:s! PodMonitor.spec.podMetricsEndpoints.relabelings:l "
    "PodMonitor.spec.podMetricsEndpoints.relabelings.sourceLabels:t! PodMonitor.spec.podMetricsEndpoints.relabelings.targetLabel:s! Kustomization.resources:t! ";
static const char *const kinds[][2] = {
    { "Namespace", "v1" }, { "ServiceAccount", "v1" }, { "PriorityClass", "scheduling.k8s.io/v1" }, { "ConfigMap", "v1" }, { "Service", "v1" }, { "DaemonSet", "apps/v1" },
    { "Deployment", "apps/v1" }, { "StatefulSet", "apps/v1" }, { "NetworkPolicy", "networking.k8s.io/v1" }, { "PodDisruptionBudget", "policy/v1" }, { "PersistentVolume", "v1" },
    { "PersistentVolumeClaim", "v1" }, { "RuntimeClass", "node.k8s.io/v1" }, { "PodMonitor", "monitoring.coreos.com/v1" }, { "Kustomization", "kustomize.config.k8s.io/v1beta1" },
};

/* Does a rule's path fit?  '*' stands for what has no dot. */
static bool fits(const char *rule, size_t n, const char *path)
{
    for (const char *end = rule + n; rule < end; rule++) {
        if (*rule == '*') {
            if (rule + 1 == end) /* resources: nvidia.com/gpu */
                return *path != '\0';
            while (*path && *path != '.' && !(rule[1] == 'P' && strncmp(path, "Probe", 5) == 0))
                path++;
        } else if (*rule != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

static const char *find_rule(const char *path)
{
    for (const char *r = schema; *r;) {
        const char *colon = strchr(r, ':'), *blank = strchr(colon, ' ');
        if (fits(r, (size_t)(colon - r), path))
            return colon + 1;
        r = blank + 1;
    }
    return NULL;
}

static bool is_name(const char *s)
{
    const size_t n = strlen(s);
    return n > 0 && n <= 63 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && s[0] != '-' && s[n - 1] != '-';
}

static bool is_leaf_good(char type, const struct yaml_node *v)
{
    const char *t = v->text;
    const size_t digits = t ? strspn(t, "0123456789") : 0;
    if (type == 'm' || type == 'S')
        return v->kind == YAML_MAP;
    if (type == 'l' || type == 't')
        return v->kind == YAML_LIST;
    if (v->kind != YAML_TEXT)
        return false;
    switch (type) {
    case 'n': return is_name(t);
    case 'i': return digits > 0 && !t[digits] && !v->is_quoted;
    case 'q': return digits > 0 && (!t[digits] || !strcmp(t + digits, "Mi") || !strcmp(t + digits, "m"));
    case 'b': return !v->is_quoted && (!strcmp(t, "true") || !strcmp(t, "false"));
    default: return true;
    }
}

static void check_map(const struct yaml_node *map, const char *path);
static void check_value(const struct yaml_node *v, const char *path)
{
    const char *rule = find_rule(path), *tail = strrchr(path, '.');
    CHECK(rule, "line %d: %s is not in the schema", v->line, path);
    if (!rule)
        return;
    CHECK(is_leaf_good(rule[0], v), "line %d: %s is no '%c'", v->line, path, rule[0]);
    tail = tail ? tail + 1 : path;
    const char *inner = !strcmp(tail, "template") ? "template" : !strcmp(path, "template.spec") ? "pod" : !strcmp(tail, "containers") || !strcmp(tail, "initContainers") ? "container" : path;
    if (rule[0] == 'm')
        check_map(v, inner);
    for (int i = 0; rule[0] == 'l' && v->kind == YAML_LIST && i < v->n_items; i++)
        check_map(&v->items[i], inner);
    for (int i = 0; (rule[0] == 'S' || rule[0] == 't') && i < v->n_items; i++)
        CHECK(v->items[i].kind == YAML_TEXT, "line %d: %s holds a text only", v->items[i].line, path);
}

static void check_map(const struct yaml_node *map, const char *path)
{
    char child[600];
    if (map->kind != YAML_MAP)
        return;
    for (int i = 0; i < map->n_items; i++) {
        snprintf(child, sizeof(child), "%s.%s", path, map->keys[i].text);
        if (!find_rule(child) && (!strncmp(child, "Namespace", 9) || strstr(child, ".metadata") || strstr(child, ".apiVersion") || strstr(child, ".kind")))
            snprintf(child, sizeof(child), "*%s.%s", strchr(path, '.') ? strchr(path, '.') : "", map->keys[i].text);
        check_value(&map->items[i], child);
    }
    for (const char *r = schema; *r;) { /* what must be there */
        const char *colon = strchr(r, ':'), *blank = strchr(colon, ' ');
        const size_t n = strlen(path);
        if (blank[-1] == '!' && !strncmp(r, path, n) && r[n] == '.' && !memchr(r + n + 1, '.', (size_t)(colon - r) - n - 1)) {
            snprintf(child, sizeof(child), "%.*s", (int)(colon - r - (int)n - 1), r + n + 1);
            CHECK(yaml_get(map, child), "line %d: %s lacks %s", map->line, path, child);
        }
        r = blank + 1;
    }
}

/* ---- documents ---- */

typedef void doc_fn(void *ctx, const struct manifest_file *f, const struct yaml *y);
static void each_document(const struct manifests *m, doc_fn *fn, void *ctx)
{
    for (int i = 0; i < m->n; i++) {
        const char *at = m->list[i].text.data, *end = at + m->list[i].text.len;
        while (at < end) {
            const char *next = strstr(at, "\n---\n");
            const char *stop = next ? next + 1 : end;
            struct err err = { 0 };
            struct yaml *y = yaml_parse(m->list[i].path, at, (size_t)(stop - at), &err);
            CHECK(y, "%s", err.text);
            if (y && yaml_root(y)->n_items > 0)
                fn(ctx, &m->list[i], y);
            yaml_free(y);
            at = next ? next + 5 : end;
        }
    }
}

static const char *text_at(const struct yaml_node *n, const char *path)
{
    char key[100];
    while (n && *path) {
        const size_t k = strcspn(path, "/");
        snprintf(key, sizeof(key), "%.*s", (int)k, path);
        n = n->kind == YAML_LIST ? (atoi(key) < n->n_items ? &n->items[atoi(key)] : NULL) : yaml_get(n, key);
        path += k + (path[k] == '/');
    }
    return n && n->kind == YAML_TEXT ? n->text : NULL;
}
static const struct yaml_node *node_at(const struct yaml_node *n, const char *a, const char *b, const char *c)
{
    n = yaml_get(n, a);
    n = n && b ? yaml_get(n, b) : n;
    return n && c ? yaml_get(n, c) : n;
}

struct seen { int n, hosts, experts; uint64_t request_mib[64]; char names[400][140]; int n_names; const struct cluster_plan *plan; int places_found[512]; };

static void check_document(void *ctx, const struct manifest_file *f, const struct yaml *y)
{
    struct seen *s = ctx;
    const struct yaml_node *root = yaml_root(y);
    const char *kind = text_at(root, "kind"), *name = text_at(root, "metadata/name"), *ns = text_at(root, "metadata/namespace");
    bool is_known = false;
    char id[140];
    REQUIRE(kind, "%s: an object without a kind", f->path);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        is_known = is_known || (!strcmp(kinds[i][0], kind) && !strcmp(kinds[i][1], text_at(root, "apiVersion")));
    CHECK(is_known, "%s: %s", f->path, kind);
    if (strcmp(kind, "Kustomization") == 0) {
        return;
    }
    check_map(root, kind);
    snprintf(id, sizeof(id), "%s/%s/%s", kind, ns ? ns : "", name ? name : "");
    for (int i = 0; i < s->n_names; i++)
        CHECK(strcmp(s->names[i], id) != 0, "%s is there twice", id);
    if (s->n_names < 400)
        memcpy(s->names[s->n_names++], id, sizeof(id));
    s->n++;

    const struct yaml_node *pod = node_at(root, "spec", "template", "spec"), *volumes = pod ? yaml_get(pod, "volumes") : NULL;
    const bool is_apart = ns && strcmp(ns, "tutti-devices") == 0;
    for (int i = 0; volumes && i < volumes->n_items; i++)
        if (yaml_get(&volumes->items[i], "hostPath")) {
            CHECK(is_apart, "%s: a folder of the host", id);
            s->hosts++;
        }
    for (int k = 0; pod && k < 2; k++) {
        const struct yaml_node *list = yaml_get(pod, k ? "containers" : "initContainers");
        for (int i = 0; list && i < list->n_items; i++) {
            const struct yaml_node *c = &list->items[i];
            CHECK(!strcmp(text_at(c, "securityContext/allowPrivilegeEscalation"), "false") && !strcmp(text_at(c, "securityContext/readOnlyRootFilesystem"), "true") &&
                      !strcmp(text_at(c, "securityContext/capabilities/drop/0"), "ALL"), "%s", id);
            CHECK(!node_at(c, "securityContext", "capabilities", "add") || !strcmp(name, "tutti-device-plugin"), "%s", id);
        }
    }
    if (pod) {
        CHECK(!strcmp(text_at(pod, "automountServiceAccountToken"), "false") && !strcmp(text_at(pod, "securityContext/seccompProfile/type"), "RuntimeDefault"), "%s", id);
        CHECK(is_apart || (!strcmp(text_at(pod, "securityContext/runAsNonRoot"), "true") && atoi(text_at(pod, "securityContext/runAsUser")) > 0), "%s", id);
        CHECK(is_apart || (text_at(pod, "containers/0/readinessProbe/httpGet/path") && text_at(pod, "containers/0/startupProbe/httpGet/path") && text_at(pod, "containers/0/livenessProbe/httpGet/path")), "%s", id);
    }
}

/* ---- numbers ---- */

static uint64_t mib_of(uint64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

/* Which node a tutti.yaml is for, by its experts: each place of the plan is in one of them, with its bytes. */
static uint64_t take_places(struct seen *s, const struct yaml_node *root, int node, int *resources)
{
    const struct cluster_plan *p = s->plan;
    const struct yaml_node *experts = yaml_get(root, "experts");
    uint64_t warm = 0, cold = 0;
    for (int i = 0; experts && i < experts->n_items; i++) {
        const char *name = text_at(&experts->items[i], "name");
        const uint64_t bytes = strtoull(text_at(&experts->items[i], "memory"), NULL, 10);
        int found = -1;
        for (int k = 0; k < p->n && found < 0; k++)
            if (p->list[k].node == node && !s->places_found[k] && !strcmp(p->inv->wants[p->list[k].want].name, name) && p->list[k].bytes == bytes)
                found = k;
        CHECK(found >= 0, "%s with %" PRIu64 " bytes on %s is not in the plan", name, bytes, p->inv->nodes[node].name);
        if (found < 0)
            continue;
        s->places_found[found] = 1;
        s->experts++;
        const struct place *at = &p->list[found];
        const struct inv_want *want = &p->inv->wants[at->want];
        *resources += at->device != p->inv->nodes[node].n_devices - 1;
        CHECK(want->n_quants == 0 || !strcmp(text_at(&experts->items[i], "precision"), want->model_of[at->quant].quant), "%s", name);
        if (at->is_device_memory)
            continue;
        if (want->keeps_warm)
            warm += bytes;
        else
            cold = bytes > cold ? bytes : cold;
    }
    return warm + cold;
}

static void check_numbers(void *ctx, const struct manifest_file *f, const struct yaml *y)
{
    struct seen *s = ctx;
    static char config_of[140];
    static uint64_t bytes;
    static int resources;
    const struct yaml_node *root = yaml_root(y);
    const char *kind = text_at(root, "kind"), *name = text_at(root, "metadata/name"), *yaml = text_at(root, "data/tutti.yaml");
    struct err err = { 0 };
    if (yaml) { /* a tutti.yaml that tutti serve would read */
        struct config *c = config_parse(name, yaml, strlen(yaml), "/etc/tutti", &err);
        CHECK(c, "%s: %s", name, err.text);
        config_free(c);
    }
    if (strcmp(f->path, "experts.yaml") != 0)
        return;
    if (yaml) {
        struct yaml *t = yaml_parse(name, yaml, strlen(yaml), &err);
        int node = -1;
        REQUIRE(t, "%s", err.text);
        const char *pod = text_at(yaml_root(t), "cluster/name");
        for (int i = 0; i < s->plan->inv->n_nodes; i++) { /* "node" or "node-expert" */
            const size_t n = strlen(s->plan->inv->nodes[i].name);
            if (!strncmp(pod, s->plan->inv->nodes[i].name, n) && (!pod[n] || pod[n] == '-') && (node < 0 || n > strlen(s->plan->inv->nodes[node].name)))
                node = i;
        }
        REQUIRE(node >= 0, "%s", pod);
        resources = 0;
        bytes = take_places(s, yaml_root(t), node, &resources);
        const char *said = text_at(yaml_root(t), "memory");
        CHECK(bytes == (said ? strtoull(said, NULL, 10) : 0), "%s: %s, the plan has %" PRIu64, name, said, bytes);
        snprintf(config_of, sizeof(config_of), "%s", name);
        yaml_free(t);
    } else if (!strcmp(kind, "Deployment")) {
        const struct yaml_node *pod = node_at(root, "spec", "template", "spec");
        const char *host = text_at(pod, "nodeSelector/kubernetes.io\\hostname");
        const struct yaml_node *selector = yaml_get(pod, "nodeSelector"), *limits = node_at(&yaml_get(pod, "containers")->items[0], "resources", "limits", NULL);
        host = selector ? yaml_get(selector, "kubernetes.io/hostname")->text : "";
        const int node = inventory_find_node(s->plan->inv, host);
        REQUIRE(node >= 0 && !strcmp(config_of, name), "%s", name);
        const uint64_t request = strtoull(text_at(pod, "containers/0/resources/requests/memory"), NULL, 10), limit = strtoull(yaml_get(limits, "memory")->text, NULL, 10);
        CHECK(request <= mib_of(bytes) + MANIFEST_DOOR_MIB, "%s: asks for %" PRIu64 " MiB", name, request);
        CHECK(limit >= mib_of(bytes) + MANIFEST_DOOR_MIB + MANIFEST_BODIES_MIB && limit <= mib_of(bytes + s->plan->nodes[node].free_bytes) + MANIFEST_DOOR_MIB + MANIFEST_BODIES_MIB, "%s: %" PRIu64, name, limit);
        CHECK(limits->n_items == (resources ? 2 : 1), "%s: %d resources", name, limits->n_items - 1);
        CHECK(!yaml_get(limits, "nvidia.com/gpu") || (text_at(pod, "runtimeClassName") && !strcmp(text_at(pod, "runtimeClassName"), "nvidia")), "%s", name);
        if (node < 64)
            s->request_mib[node] += request - MANIFEST_DOOR_MIB;
    }
}

/* ---- inventories ---- */

static struct catalog *catalog;
static struct inventory *inv;
static struct cluster_plan *plan;
static struct manifests *make(const char *text, const char *image)
{
    struct err err = { 0 };
    struct manifest_options o = { .source = "inventory.yaml" };
    if (image)
        o.images[o.n_images++] = (struct manifest_image){ "", image };
    if (!catalog)
        catalog = catalog_new(NULL, &err);
    inv = catalog ? inventory_parse("inventory.yaml", text, strlen(text), "", catalog, &err) : NULL;
    plan = inv ? cluster_plan_make(inv, catalog, &err) : NULL;
    struct manifests *m = plan ? manifests_make(plan, &o, &err) : NULL;
    if (!m)
        test_fail(__FILE__, __LINE__, "manifests", "%s", err.text);
    return m;
}
static void done(struct manifests *m)
{
    manifests_free(m);
    cluster_plan_free(plan);
    inventory_free(inv);
    plan = NULL;
    inv = NULL;
}

static void check_all(const struct manifests *m, int n_at_least)
{
    static struct seen s, t;
    memset(&s, 0, sizeof(s));
    memset(&t, 0, sizeof(t));
    s.plan = t.plan = plan;
    REQUIRE(plan->n < 512);
    each_document(m, check_document, &s);
    each_document(m, check_numbers, &t);
    CHECK(s.n >= n_at_least, "%d objects", s.n);
    CHECK(t.experts == plan->n, "%d of %d places", t.experts, plan->n);
    for (int i = 0; i < inv->n_nodes && i < 64; i++) /* rounding: at most a MiB for each pod */
        CHECK(t.request_mib[i] <= mib_of(plan->nodes[i].used_bytes) + 16, "%s: %" PRIu64 " MiB are asked for, the plan uses %" PRIu64, inv->nodes[i].name, t.request_mib[i], mib_of(plan->nodes[i].used_bytes));
    for (int i = 0; i < m->n; i++)
        CHECK(!strncmp(m->list[i].text.data, MANIFEST_MARK, strlen(MANIFEST_MARK)), "%s", m->list[i].path);
}

static const struct manifest_file *file(const struct manifests *m, const char *path)
{
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->list[i].path, path))
            return &m->list[i];
    return NULL;
}
static bool has(const struct manifests *m, const char *path, const char *text) { return file(m, path) && strstr(file(m, path)->text.data, text); }

#define HOUSE                                                                                                                                       \
    "nodes:\n  - {name: head, machine: \"epyc 9354\", memory: 64 GB, gpus: [rtx 4090], head: true}\n  - {name: pi5, machine: Raspberry Pi 5 8GB, accelerators: [Coral USB Accelerator]}\n" \
    "  - {name: pi4, machine: Raspberry Pi 4 8GB, accelerators: [Intel Neural Compute Stick 2]}\n"                                                  \
    "experts:\n  - {name: chat, task: chat, model: Qwen2.5 3B, ctx: 4096, traffic: {per_hour: 30}}\n"                                             \
    "  - {name: small, task: chat, model: Qwen2.5 0.5B, ctx: 2048, only: [pi5], traffic: {per_hour: 30}}\n"                                       \
    "  - {name: rare, task: chat, model: Qwen2.5 1.5B, ctx: 2048, only: [pi5], keeps_warm: false}\n"                                              \
    "  - {name: detector, task: detect, model: d.tflite, accelerator: google.com/coral, needs_accelerator: true, memory: 100 MB, item: 90ms}\n"   \
    "  - {name: classifier, task: classify, model: c.onnx, accelerator: intel.com/ncs2, needs_accelerator: true, memory: 100 MB, item: 40ms}\n"

TEST(a_house_becomes_objects_with_the_plans_numbers)
{
    struct manifests *m = make(HOUSE, "r.lan/tutti@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    REQUIRE(m);
    check_all(m, 30);
    CHECK(has(m, "experts.yaml", "google.com/coral: 1") && has(m, "experts.yaml", "intel.com/ncs2: 1") && has(m, "experts.yaml", "nvidia.com/gpu: 1") && has(m, "runtimeclass.yaml", "handler: nvidia"));
    CHECK(has(m, "devices.yaml", "values: [pi5, pi4]"), "%s", file(m, "devices.yaml")->text.data);
    CHECK(has(m, "experts.yaml", "warm: [small]") && !has(m, "experts.yaml", "image: \"tutti:"));
    for (int i = 0; i < m->n_warnings; i++)
        CHECK(!strstr(m->warnings[i], "tag") && !strstr(m->warnings[i], "no image"), "%s", m->warnings[i]);
    done(m);
}

TEST(the_same_inventory_gives_the_same_bytes)
{
    struct manifests *a = make(HOUSE, NULL);
    struct cluster_plan *p = plan;
    struct inventory *v = inv;
    struct manifests *b = make(HOUSE, NULL);
    REQUIRE(a && b && a->n == b->n);
    for (int i = 0; i < a->n; i++)
        CHECK(!strcmp(a->list[i].path, b->list[i].path) && !strcmp(a->list[i].text.data, b->list[i].text.data), "%s", a->list[i].path);
    done(b);
    plan = p, inv = v;
    done(a);
}

TEST(one_node_without_devices_has_no_device_plugin)
{
    struct manifests *m = make("nodes:\n  - {name: a, machine: Raspberry Pi 5 8GB}\nexperts:\n  - {name: chat, task: chat, model: Qwen2.5 0.5B, ctx: 2048}\n", "r.lan/tutti:1");
    REQUIRE(m);
    check_all(m, 20);
    CHECK(!file(m, "devices.yaml") && !file(m, "runtimeclass.yaml") && !has(m, "kustomization.yaml", "devices.yaml"));
    CHECK(m->n_warnings == 1 && strstr(m->warnings[0], "r.lan/tutti:1: a tag"), "%d", m->n_warnings);
    done(m);
}

TEST(forty_nodes)
{
    struct manifests *m = make("nodes:\n  - {name: w, count: 38, machine: Raspberry Pi 5 8GB}\n  - {name: c, machine: Raspberry Pi 5 8GB, accelerators: [Coral USB]}\n"
                               "  - {name: h, machine: \"epyc 9354\", memory: 128 GB, gpus: [rtx 4090], head: true}\n"
                               "experts:\n  - {name: chat, task: chat, model: Qwen2.5 0.5B, ctx: 2048, replicas: {min: 30, max: 40}, traffic: {per_hour: 9000}}\n"
                               "  - {name: big, task: chat, model: Qwen2.5 7B, ctx: 4096, traffic: {per_hour: 30}}\n", NULL);
    REQUIRE(m);
    check_all(m, 100);
    done(m);
}

TEST(a_plan_without_experts_is_front_doors)
{
    struct manifests *m = make("nodes:\n  - {name: a, machine: Raspberry Pi 5 8GB}\nexperts: []\n", NULL);
    REQUIRE(m);
    check_all(m, 12);
    CHECK(!file(m, "experts.yaml") && !file(m, "storage.yaml"));
    done(m);
}

TEST(a_list_becomes_a_configuration_and_a_unit_for_each_node)
{
    struct manifests *m = make("engine: list\n" HOUSE, NULL);
    REQUIRE(m);
    CHECK(m->n == 6 && !file(m, "kustomization.yaml"), "%d", m->n);
    static struct seen s;
    memset(&s, 0, sizeof(s));
    s.plan = plan;
    for (int i = 0; i < 3; i++) {
        char path[200];
        struct err err = { 0 };
        int resources = 0;
        snprintf(path, sizeof(path), "%s/tutti.yaml", inv->nodes[i].name);
        const struct manifest_file *f = file(m, path);
        REQUIRE(f, "%s", path);
        struct config *c = config_parse(path, f->text.data, f->text.len, "/etc/tutti", &err);
        CHECK(c && c->n_nodes == 2, "%s", err.text);
        config_free(c);
        struct yaml *y = yaml_parse(path, f->text.data, f->text.len, &err);
        REQUIRE(y, "%s", err.text);
        const uint64_t bytes = take_places(&s, yaml_root(y), i, &resources);
        const char *said = text_at(yaml_root(y), "memory");
        CHECK(bytes == (said ? strtoull(said, NULL, 10) : 0), "%s", path);
        yaml_free(y);
        snprintf(path, sizeof(path), "%s/tutti.service", inv->nodes[i].name);
        CHECK(has(m, path, "[Service]\nMemoryMax=") == (bytes > 0) && has(m, path, "Type=notify"), "%s", path);
    }
    CHECK(s.experts == plan->n);
    done(m);
}

TEST(a_folder_keeps_what_is_not_ours)
{
    struct manifests *m = make(HOUSE, NULL), few = { .n = 0 };
    struct err err = { 0 };
    char dir[512], path[600];
    int n_removed = -1;
    REQUIRE(m);
    snprintf(dir, sizeof(dir), "%s", test_tmp("out"));
    REQUIRE(manifests_write(m, dir, &n_removed, &err), "%s", err.text);
    CHECK(n_removed == 0);
    snprintf(path, sizeof(path), "%s/mine.yaml", dir);
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    fputs("mine: true\n", f);
    fclose(f);
    few.list = m->list;
    few.n = 2;
    REQUIRE(manifests_write(&few, dir, &n_removed, &err), "%s", err.text);
    CHECK(n_removed == m->n - 2 && access(path, F_OK) == 0, "%d removed of %d", n_removed, m->n);
    snprintf(path, sizeof(path), "%s/monitoring", dir);
    CHECK(access(path, F_OK) != 0);

    /* somebody's file, somebody's link in the way: nothing at all is written */
    snprintf(path, sizeof(path), "%s/network.yaml", dir);
    CHECK((f = fopen(path, "w")) && fputs("theirs: true\n", f) >= 0 && fclose(f) == 0);
    CHECK(!manifests_write(m, dir, &n_removed, &err) && strstr(err.text, "network.yaml"), "%s", err.text);
    CHECK(unlink(path) == 0 && symlink("/etc/hostname", path) == 0);
    CHECK(!manifests_write(m, dir, &n_removed, &err));
    snprintf(path, sizeof(path), "%s/rbac.yaml", dir);
    CHECK(access(path, F_OK) != 0);
    done(m);
}
