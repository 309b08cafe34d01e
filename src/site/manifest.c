/* site/manifest.c - see manifest.h; start at manifests_make(): the plan's places become pods, pods become files.
 *
 * Pods: what runs in our own engine on a node's CPU is one process with one budget of memory; what needs a device of its own, or a
 * program of others, is a pod of its own, so that it can ask for that resource and have that image. */
#include "site/manifest_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 64 << 20, FILES_MAX = 40000 };

/* ---- files ---- */

struct buf *manifest_add(struct manifest_work *w, const char *path, const char *what)
{
    struct manifests *m = w->out;
    if (m->n == m->n_max) {
        const int n = m->n_max ? 2 * m->n_max : 32;
        struct manifest_file *list = n <= FILES_MAX ? realloc(m->list, (size_t)n * sizeof(*list)) : NULL;
        if (!list)
            return err_null(w->err, ERR_NOMEM, "manifests: out of memory");
        m->list = list, m->n_max = n;
    }
    struct manifest_file *f = &m->list[m->n];
    if ((size_t)snprintf(f->path, sizeof(f->path), "%s", path) >= sizeof(f->path))
        return err_null(w->err, ERR_LIMIT, "manifests: %.60s...: the name is too long", path);
    m->n++;
    buf_init(&f->text, FILE_MAX_BYTES);
    buf_printf(&f->text, MANIFEST_MARK " from %s; change that, not this.\n", w->opt->source);
    for (const char *line = what, *end; *line; line = *end ? end + 1 : end) {
        end = strchr(line, '\n');
        end = end ? end : line + strlen(line);
        buf_printf(&f->text, "# %.*s\n", (int)(end - line), line);
    }
    return &f->text;
}

void manifest_warn(struct manifest_work *w, const char *fmt, ...)
{
    struct buf b;
    va_list ap;
    if (w->out->n_warnings == MANIFEST_WARNINGS_MAX)
        return;
    buf_init(&b, 1000);
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    for (int i = 0; i < w->out->n_warnings && b.data; i++)
        if (strcmp(w->out->warnings[i], b.data) == 0)
            buf_fini(&b), b.data = NULL;
    if (b.data)
        w->out->warnings[w->out->n_warnings++] = b.data;
}

void manifest_put_block(struct buf *b, int indent, const char *text, size_t n)
{
    const char *end = text + n;
    while (text < end) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        const char *stop = nl ? nl : end;
        if (stop > text)
            buf_printf(b, "%*s%.*s", indent, "", (int)(stop - text), text);
        buf_putc(b, '\n');
        text = stop + 1;
    }
}

uint64_t manifest_mib(uint64_t bytes) { return (bytes >> 20) + ((bytes & 0xfffff) != 0); }

/* ---- model files ---- */

void manifest_model_file(const struct inventory *inv, const struct place *p, char *out, size_t size)
{
    const struct inv_want *want = &inv->wants[p->want];
    const char *name = want->file[0] ? want->file : want->model, *quant = "", *dot = strrchr(name, '.');
    const bool is_file = want->file[0] || (dot && strspn(dot + 1, "abcdefghijklmnopqrstuvwxyz") == strlen(dot + 1) && strlen(dot) <= 7);
    if (is_file) { /* below the models' folder, wherever it lay when the inventory was written */
        while (*name == '/' || strncmp(name, "./", 2) == 0 || strncmp(name, "../", 3) == 0)
            name += *name == '/' ? 1 : name[1] == '/' ? 2 : 3;
        snprintf(out, size, "%s", name);
        return;
    }
    if (want->n_quants > 0) {
        name = want->model_of[p->quant].name;
        quant = want->model_of[p->quant].quant;
    }
    size_t n = 0;
    for (; *name && n + 40 < size; name++)
        if (isalnum((unsigned char)*name) || strchr("._", *name))
            out[n++] = *name;
        else if (n > 0 && out[n - 1] != '-')
            out[n++] = '-';
    while (n > 0 && out[n - 1] == '-')
        n--;
    out[n] = '\0';
    if (n > 0 && want->n_quants > 0 && !strstr(out, quant))
        snprintf(out + n, size - n, "-%s", quant);
    n = strlen(out);
    if (n > 0)
        snprintf(out + n, size - n, "%s", want->n_quants > 0 ? ".gguf" : ".bin");
}

/* ---- pods ---- */

/* Our own engine and what its workers load, on the CPU. */
bool manifest_is_own(const struct manifest_work *w, const struct place *p)
{
    const struct inv_node *node = &w->inv->nodes[p->node];
    return p->device == node->n_devices - 1 && (w->inv->wants[p->want].n_quants == 0 || plan_engine_of(p->runtime) == PLAN_ENGINE_TUTTI);
}

static const char *image_of(const struct manifest_work *w, const char *runtime)
{
    const struct manifest_options *o = w->opt;
    const char *found = NULL;
    for (int i = 0; i < o->n_images; i++)
        if (strcmp(o->images[i].runtime, runtime) == 0)
            found = o->images[i].ref;
    return found;
}

static struct pod *find_pod(struct manifest_work *w, const struct place *p, bool own)
{
    for (int i = w->n_pods - 1; i >= 0 && w->pods[i].node == p->node; i--) {
        struct pod *pod = &w->pods[i];
        if (own ? pod->device < 0 : pod->device == p->device) /* one claim for one device, whatever uses it */
            return pod->n_places < POD_PLACES_MAX ? pod : NULL;
    }
    return NULL;
}

static void name_pod(struct manifest_work *w, struct pod *pod, const char *node, const char *what)
{
    char base[POD_NAME_MAX - 4];
    unsigned k = 1;
    snprintf(base, sizeof(base), "%.40s%s%.18s", node, what[0] ? "-" : "", what);
    snprintf(pod->name, sizeof(pod->name), "%s", base);
    for (int i = 0; i < w->n_pods; i++)
        if (strcmp(w->pods[i].name, pod->name) == 0) {
            snprintf(pod->name, sizeof(pod->name), "%s-%u", base, ++k % 1000);
            i = -1;
        }
    for (size_t n = strlen(pod->name); n > 0 && pod->name[n - 1] == '-'; n--)
        pod->name[n - 1] = '\0';
}

static struct pod *new_pod(struct manifest_work *w, const struct place *p, bool own)
{
    const struct inv_node *node = &w->inv->nodes[p->node];
    struct pod *pod = &w->pods[w->n_pods];
    *pod = (struct pod){ .node = p->node, .device = own ? -1 : p->device, .resource = "", .runtime = own ? "" : p->runtime, .image = w->image };
    if (!own && p->device < node->n_devices - 1) {
        const char *r = node->devices[p->device].resource;
        pod->resource = r && r[0] ? r : "tutti.local/render"; /* a GPU that came with the machine: its render node */
        w->has_nvidia = w->has_nvidia || strcmp(pod->resource, "nvidia.com/gpu") == 0;
        w->has_devices = w->has_devices || strcmp(pod->resource, "nvidia.com/gpu") != 0;
        if (strcmp(pod->resource, "nvidia.com/gpu") != 0 && !manifest_is_ours(pod->resource))
            manifest_warn(w, "%s: %s is no resource that `tutti device-plugin` knows by itself: give it a rule (docs/device-plugin.md)", node->name, pod->resource);
    }
    name_pod(w, pod, node->name, own ? "" : w->inv->wants[p->want].name);
    w->n_pods++;
    return pod;
}

/* Servers of others are no part of tutti's image. */
static void choose_image(struct manifest_work *w, struct pod *pod, const struct place *p)
{
    const char *ref = image_of(w, p->runtime), *name = w->inv->wants[p->want].name;
    if (w->inv->engine == INV_LIST || manifest_is_own(w, p) || w->inv->wants[p->want].n_quants == 0)
        return;
    if (!ref)
        manifest_warn(w, "%s on %s runs in %s, which tutti's image does not have: say one that has both, --image '%s=REF@sha256:...' (docs/kubernetes.md)", name,
                      w->inv->nodes[p->node].name, p->runtime, p->runtime);
    else if (pod->image != w->image && strcmp(pod->image, ref) != 0)
        manifest_warn(w, "%s on %s shares its device with an expert of another image (%s): one image must have both", name, w->inv->nodes[p->node].name, pod->image);
    else
        pod->image = ref;
}

static void add_bytes(struct pod *pod, uint64_t bytes, bool stays)
{
    if (stays)
        pod->warm_bytes += bytes;
    else if (bytes > pod->cold_bytes)
        pod->cold_bytes = bytes;
    pod->bytes = pod->warm_bytes + pod->cold_bytes;
}

static void find_coldest(struct manifest_work *w)
{
    for (int i = 0, best = 0; i < w->n_pods; i++) {
        best = i > 0 && w->pods[i - 1].node == w->pods[i].node ? best : i;
        w->pods[best].holds_coldest = false;
        best = w->pods[i].cold_bytes > w->pods[best].cold_bytes ? i : best;
        w->pods[best].holds_coldest = true;
    }
}

static int by_node(const void *a, const void *b)
{
    const struct place *const *x = a, *const *y = b;
    return (*x)->node != (*y)->node ? ((*x)->node < (*y)->node ? -1 : 1) : *x < *y ? -1 : *x > *y;
}

static bool make_pods(struct manifest_work *w)
{
    const struct cluster_plan *plan = w->plan;
    const struct place **order = calloc((size_t)plan->n + 1, sizeof(*order));
    int *n_on = calloc((size_t)w->inv->n_nodes + 1, sizeof(*n_on));
    w->pods = calloc((size_t)plan->n + 1, sizeof(*w->pods));
    bool ok = order && n_on && w->pods;
    for (int i = 0; ok && i < plan->n; i++)
        order[i] = &plan->list[i];
    if (ok)
        qsort(order, (size_t)plan->n, sizeof(*order), by_node);
    for (int i = 0; ok && i < plan->n; i++) {
        const struct place *p = order[i];
        const bool own = w->inv->engine == INV_LIST || manifest_is_own(w, p); /* without containers: one service on each node */
        struct pod *pod = find_pod(w, p, own);
        if (!pod)
            pod = new_pod(w, p, own);
        pod->places[pod->n_places++] = (int)(p - plan->list);
        choose_image(w, pod, p);
        if (!p->is_device_memory)
            add_bytes(pod, p->bytes, w->inv->wants[p->want].keeps_warm);
        pod->disk_bytes += w->inv->wants[p->want].n_quants > 0 ? w->inv->wants[p->want].model_of[p->quant].weight_bytes : p->bytes;
        pod->load += p->load;
        n_on[p->node]++;
    }
    if (ok)
        find_coldest(w);
    for (int i = 0; ok && i < w->n_pods; i++)
        w->pods[i].spare_bytes = plan->nodes[w->pods[i].node].free_bytes / (uint64_t)n_on[w->pods[i].node] * (uint64_t)w->pods[i].n_places;
    free(order);
    free(n_on);
    return ok || err_set(w->err, ERR_NOMEM, "manifests: out of memory");
}

/* ---- from plan to files ---- */

static void judge_images(struct manifest_work *w)
{
    for (int i = 0; i < w->opt->n_images; i++)
        if (!strstr(w->opt->images[i].ref, "@sha256:"))
            manifest_warn(w, "--image %s: a tag may mean something else tomorrow; a digest (REF@sha256:...) does not", w->opt->images[i].ref);
    if (!image_of(w, "") && w->inv->image[0] && !strstr(w->inv->image, "@sha256:"))
        manifest_warn(w, "image %s: a tag may mean something else tomorrow; say a digest: --image REF@sha256:...", w->inv->image);
    if (!image_of(w, "") && !w->inv->image[0])
        manifest_warn(w, "no image was said: " MANIFEST_IMAGE " is written; build it by deploy/Containerfile and say --image REF@sha256:...");
}

struct manifests *manifests_make(const struct cluster_plan *plan, const struct manifest_options *opt, struct err *err)
{
    const struct inventory *inv = plan->inv;
    struct manifest_work w = { .plan = plan, .inv = inv, .opt = opt, .err = err, .ns = inv->namespace_ && inv->namespace_[0] ? inv->namespace_ : "tutti" };
    w.out = calloc(1, sizeof(*w.out));
    if (!w.out)
        return err_null(err, ERR_NOMEM, "manifests: out of memory");
    const char *said = image_of(&w, "");
    w.image = said ? said : inv->image && inv->image[0] ? inv->image : MANIFEST_IMAGE;
    if (inv->engine == INV_K3S)
        judge_images(&w);
    for (int i = 0; i < plan->n_misses; i++)
        manifest_warn(&w, "%s: %d of it have no place: %s", inv->wants[plan->misses[i].want].name, plan->misses[i].n_missing, plan->misses[i].why);
    bool ok = make_pods(&w) && (inv->engine == INV_K3S ? manifest_put_workloads(&w) && manifest_put_surroundings(&w) : manifest_put_units(&w));
    for (int i = 0; ok && i < w.out->n; i++)
        ok = buf_ok(&w.out->list[i].text, w.out->list[i].path, err);
    free(w.pods);
    if (!ok) {
        manifests_free(w.out);
        return NULL;
    }
    return w.out;
}

void manifests_free(struct manifests *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->n; i++)
        buf_fini(&m->list[i].text);
    for (int i = 0; i < m->n_warnings; i++)
        free(m->warnings[i]);
    free(m->list);
    free(m);
}
