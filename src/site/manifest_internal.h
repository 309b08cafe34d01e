/* site/manifest_internal.h - what the files of manifest*.c share: pods, helpers for YAML. */
#ifndef TUTTI_SITE_MANIFEST_INTERNAL_H
#define TUTTI_SITE_MANIFEST_INTERNAL_H
#include <inttypes.h>

#include "site/manifest.h"

enum { POD_PLACES_MAX = 64, POD_NAME_MAX = 64 };

struct pod { /* one `tutti serve` with the experts of a node that share a runtime and a device */
    char name[POD_NAME_MAX];      /* also of its tutti node */
    int node, device;             /* device -1: its CPU */
    const char *resource;         /* "" none */
    const char *runtime;          /* "" our own */
    const char *image;
    int places[POD_PLACES_MAX];   /* indices of the plan's list */
    int n_places;
    uint64_t warm_bytes, cold_bytes; /* of the node's memory: of places that stay loaded; the largest of those that do not */
    uint64_t bytes;               /* both */
    bool holds_coldest;           /* the node's largest place that does not stay loaded is here: the plan left room for one of them */
    uint64_t spare_bytes;         /* its share of what the plan leaves free on the node */
    uint64_t disk_bytes;          /* of the models' files as far as the plan knows them */
    double load;                  /* sum over its places: part of an hour */
};

struct manifest_work {
    const struct cluster_plan *plan;
    const struct inventory *inv;
    const struct manifest_options *opt;
    struct manifests *out;
    struct pod *pods;
    int n_pods;
    const char *ns, *image;       /* namespace; of pods without a runtime of their own */
    bool has_devices;             /* some node has something for our device plugin */
    bool has_nvidia;
    struct err *err;
};

/* A new file with its head comment: mark, source, then `what` (lines without "# ").  NULL: out of memory. */
struct buf *manifest_add(struct manifest_work *w, const char *path, const char *what);
void manifest_warn(struct manifest_work *w, const char *fmt, ...) ERR_PRINTF(2, 3);
/* Each line of text behind so many blanks. */
void manifest_put_block(struct buf *b, int indent, const char *text, size_t n);
bool manifest_is_own(const struct manifest_work *w, const struct place *p); /* by our own engine or its workers, on the CPU */
uint64_t manifest_mib(uint64_t bytes); /* rounded up */
bool manifest_is_ours(const char *resource); /* does `tutti device-plugin` offer it by itself? */

extern const char tutti_unit_text[]; /* manifest_list.c: deploy/systemd/tutti.service */
/* tutti.yaml of a pod (NULL: of the front doors), and its cards.  is_k8s: paths and addresses of a container. */
bool manifest_put_config(struct manifest_work *w, const struct pod *pod, bool is_k8s, struct buf *b);
bool manifest_read_card(struct manifest_work *w, const struct inv_want *want, struct buf *b);

bool manifest_put_workloads(struct manifest_work *w); /* manifest_pods.c: front doors, experts, authority, devices, labels */
bool manifest_put_surroundings(struct manifest_work *w); /* manifest_net.c: namespaces, rights, services, policies, disks, monitoring, kustomization */
bool manifest_put_units(struct manifest_work *w); /* manifest_list.c */
#endif
