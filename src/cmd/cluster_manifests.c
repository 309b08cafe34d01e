/* cmd/cluster_manifests.c - `tutti cluster manifests`: the plan of an inventory as files for Kubernetes, or for systemd. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site/manifest.h"
#include "cmd/catalog_open.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"

/* "REF", or "RUNTIME=REF": a '=' is in no image's name. */
static bool read_images(struct manifest_options *o, const struct cmd_opt *images, char runtime[MANIFEST_IMAGES_MAX][100], struct err *err)
{
    for (int i = 0; i < images->n; i++) {
        const char *text = images->list[i], *equal = strchr(text, '='), *ref = equal ? equal + 1 : text;
        if (o->n_images == MANIFEST_IMAGES_MAX || (equal && (equal == text || equal - text >= 100)))
            return err_set(err, ERR_INPUT, "--image %.60s: REF, or RUNTIME=REF for what runs in one of others (at most %d)", text, MANIFEST_IMAGES_MAX);
        if (!*ref || strlen(ref) > 512 || strspn(ref, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/:@") != strlen(ref))
            return err_set(err, ERR_INPUT, "--image %.80s: this is no name of an image (registry.lan:5000/tutti@sha256:...)", ref);
        const char *digest = strstr(ref, "@");
        if (digest && (strncmp(digest, "@sha256:", 8) != 0 || strlen(digest) != 8 + 64 || strspn(digest + 8, "0123456789abcdef") != 64))
            return err_set(err, ERR_INPUT, "--image %.80s: a digest is sha256: and 64 hex digits", ref);
        snprintf(runtime[i], 100, "%.*s", equal ? (int)(equal - text) : 0, text);
        o->images[o->n_images++] = (struct manifest_image){ runtime[i], ref };
    }
    return true;
}

static bool write_all(struct inventory *inv, struct catalog *c, const struct manifest_options *o, const char *out, struct err *err)
{
    int n_removed = 0;
    struct cluster_plan *plan = cluster_plan_make(inv, c, err);
    struct manifests *m = plan ? manifests_make(plan, o, err) : NULL;
    const bool ok = m && manifests_write(m, out, &n_removed, err);
    for (int i = 0; ok && i < m->n_warnings; i++)
        fprintf(stderr, "tutti: %s\n", m->warnings[i]);
    if (ok) {
        printf("%s: %d files", out, m->n);
        if (n_removed)
            printf(", %d of an earlier run removed", n_removed);
        printf("\n%s\n", inv->engine == INV_K3S ? "next: the secrets and the models (docs/kubernetes.md), then kubectl apply -k" : "next: each node's folder to /etc/tutti of that node (docs/kubernetes.md)");
    }
    manifests_free(m);
    cluster_plan_free(plan);
    return ok;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    char runtime[MANIFEST_IMAGES_MAX][100];
    struct manifest_options o = { .n_images = 0 };
    struct err err = { 0 };
    const struct cmd_opt *out = cmd_opt_find(opts, "out");
    (void)argc;
    if (!out->given || !out->s[0]) { /* --out "$UNSET" would be / */
        fprintf(stderr, "tutti: cluster manifests: into which folder? --out DIR\n");
        return 2;
    }
    if (!read_images(&o, cmd_opt_find(opts, "image"), runtime, &err)) {
        cmd_fail(&err);
        return 2;
    }
    const char *slash = strrchr(argv[0], '/');
    o.source = slash ? slash + 1 : argv[0];
    struct catalog *c = cmd_catalog_open(opts, &err);
    struct inventory *inv = c ? inventory_read(argv[0], c, &err) : NULL;
    const bool ok = inv && write_all(inv, c, &o, out->s, &err);
    inventory_free(inv);
    catalog_free(c);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "out", .kind = OPT_TEXT, .value = "DIR", .help = "into this folder; files of others in it are left alone" },
    { .name = "image", .kind = OPT_LIST, .value = "REF", .help = "tutti's image, best by its digest; RUNTIME=REF for a runtime of others" },
    CMD_OPT_CATALOG,
    { 0 },
};
const struct cmd cmd_cluster_manifests = {
    .name = "cluster manifests",
    .args = "INVENTORY.yaml",
    .min_args = 1,
    .max_args = 1,
    .help = "the plan as Kubernetes objects, or as systemd units",
    .more = "\nWhat `tutti cluster plan` decides, as a folder for kubectl apply -k; with\n"
            "`engine: list` a tutti.yaml and a systemd unit for each node instead. The same\n"
            "inventory gives the same bytes; what an earlier run wrote is replaced.\n"
            "docs/kubernetes.md\n",
    .opts = opts,
    .run = run,
};
