/* site/manifest.h - what a plan becomes on the machines: Kubernetes objects that Kustomize takes, or a tutti.yaml and a systemd unit for each node.
 *
 * For:     `tutti cluster manifests`.
 * Callers: cmd/.
 * Touches: manifests_make(): cards that the inventory names; manifests_write(): one folder.
 * Thread:  any.
 * Rule:    every number is the plan's or one of the constants below; the same plan gives the same bytes.  Secrets are named, never made.
 *          No container is privileged or sees the host's network; the only ones that see folders of the host are the device plugin and
 *          the labels' writer, in a namespace of their own.  A folder's files that are not ours are never touched.
 * Start:   manifest.c.
 */
#ifndef TUTTI_SITE_MANIFEST_H
#define TUTTI_SITE_MANIFEST_H
#include "base/arena.h"
#include "base/buf.h"
#include "site/place.h"

enum {
    MANIFEST_API_PORT = 8080, MANIFEST_NODE_PORT = 8444, /* tutti serve's own, and the port for nodes */
    MANIFEST_USER = 65532,          /* as deploy/Containerfile has it */
    MANIFEST_BODIES_MIB = 64,       /* limits.bodies in every tutti.yaml here: what requests under way may hold beside the models */
    MANIFEST_DOOR_MIB = 64,         /* a front door without experts: 18 MB when idle (measured), the rest for its work */
    MANIFEST_SMALL_MIB = 32,        /* device plugin, labels: 7 MB (measured) */
    MANIFEST_STATE_MIB = 64,        /* certificate, decisions, measured speeds of one pod */
    MANIFEST_IDLE_MCPU = 10,        /* what an idle pod asks for */
    MANIFEST_PROBE_S = 5, MANIFEST_LOAD_S = 900, /* loading gigabytes from an SD card; deploy/systemd/tutti.service waits as long */
    MANIFEST_DRAIN_S = 60,          /* answers under way may end */
    MANIFEST_LABELS_S = 3600,       /* how often labels are written; they expire after three times that */
    MANIFEST_IMAGES_MAX = 16, MANIFEST_WARNINGS_MAX = 64,
};
#define MANIFEST_MARK "# made by `tutti cluster manifests`"
#define MANIFEST_IMAGE "tutti:" TUTTI_VERSION /* when nobody says one */

struct manifest_image { const char *runtime, *ref; }; /* runtime "": all that have none of their own */
struct manifest_options { /* borrowed */
    struct manifest_image images[MANIFEST_IMAGES_MAX];
    int n_images;
    const char *source;    /* what the head comments call the inventory: its file's name */
};

struct manifest_file { char path[200]; struct buf text; }; /* "monitoring/podmonitor.yaml" */
struct manifests {
    struct manifest_file *list;
    int n, n_max;
    char *warnings[MANIFEST_WARNINGS_MAX]; /* one line each */
    int n_warnings;
};

/* The caller owns the result.  NULL with err. */
struct manifests *manifests_make(const struct cluster_plan *plan, const struct manifest_options *opt, struct err *err);
void manifests_free(struct manifests *m); /* NULL is fine */
/* Looks first whether anything of others is in the way and then writes all; what an earlier run wrote and this one does not is removed. */
bool manifests_write(const struct manifests *m, const char *dir, int *n_removed, struct err *err);

/* Under which name the model file of a place is looked for below the models' folder.  "" when the expert has none. */
void manifest_model_file(const struct inventory *inv, const struct place *p, char *out, size_t size);
#endif
