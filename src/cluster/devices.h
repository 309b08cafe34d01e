/* cluster/devices.h - which devices of this machine a container may be given, under stable names, and are they well?
 *
 * For:     device_plugin.c (Kubernetes), `tutti device-plugin --list`.
 * Callers: cluster/, cmd/.
 * Touches: /sys and /dev below a root.  Thread: one at a time.
 * Rule:    a device's id is the place where it is plugged in (controller and port path, PCI address, node), never a number that
 *          counts up: a stick that boots its firmware changes its USB identity, its device number and sometimes its bus (the
 *          USB 2 and the USB 3 side of one connector) and stays the same device.  A device that was there once stays in the list as
 *          unhealthy when it is gone.
 * Start:   devices_scan(); what is looked for is device_rules.c.
 */
#ifndef TUTTI_CLUSTER_DEVICES_H
#define TUTTI_CLUSTER_DEVICES_H
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "hw/root.h"

enum {
    DEVICE_ID_MAX = 64 /* with '\0': Kubernetes takes 63 */, DEVICE_NAME_MAX = 128, DEVICE_RULES_MAX = 64, DEVICE_KINDS_MAX = 8,
    DEVICE_MOUNTS_MAX = 8, DEVICE_ENVS_MAX = 8, DEVICE_NODES_MAX = 8, DEVICES_MAX = 512, DEVICE_SHARE_MAX = 64, DEVICE_RENUMBERS_MAX = 16,
    DEVICE_PATH_MAX = 256,
};

struct device_rule { /* one kind of device under one resource name; several rules may share a name */
    char resource[DEVICE_NAME_MAX]; /* "google.com/coral" */
    char kinds[DEVICE_KINDS_MAX][24]; /* of data/ids.csv: "coral-usb" */
    int n_kinds;
    struct { bool is_usb; unsigned vendor, device; } ids[DEVICE_KINDS_MAX]; /* "usb: 1a6e:089a" */
    int n_ids;
    char paths[DEVICE_KINDS_MAX][DEVICE_PATH_MAX]; /* device nodes: "/dev/video*" */
    int n_paths;
    int share;      /* containers at a time; 1 */
    int renumbers;  /* USB: so many device numbers ahead are allowed too, because it gets a new one when its runtime boots it */
    struct { char host[DEVICE_PATH_MAX], container[DEVICE_PATH_MAX]; bool is_writable; } mounts[DEVICE_MOUNTS_MAX];
    int n_mounts;
    struct { char name[64], value[DEVICE_PATH_MAX]; } envs[DEVICE_ENVS_MAX];
    int n_envs;
};
struct device_rules {
    struct device_rule list[DEVICE_RULES_MAX];
    int n;
};

/* What is known by itself (device_rules.c). */
void device_rules_init(struct device_rules *r);
/* More of them from a YAML list; one for a resource that is there already replaces it.  false with err. */
bool device_rules_read(struct device_rules *r, const char *path, struct err *err);
bool device_rules_parse(struct device_rules *r, const char *name, const char *text, size_t n, struct err *err);

struct device {
    const struct device_rule *rule;
    char id[DEVICE_ID_MAX];
    char node[DEVICE_PATH_MAX];     /* "/dev/bus/usb/001/004"; "" while it is gone */
    char name[DEVICE_NAME_MAX];     /* for people: "Coral USB Accelerator, not booted" */
    bool is_healthy;
    char why[96];                   /* when it is not */
    int numa_node;                  /* -1: not known */
    bool is_seen;                   /* in the last scan */
};
struct devices {
    const struct device_rules *rules; /* borrowed */
    struct device list[DEVICES_MAX];
    int n;
    bool is_cut;                    /* there were more than DEVICES_MAX */
};

/* Looks again: known devices keep their place in the list.  true: something that the outside sees has changed. */
bool devices_scan(struct devices *d, const struct hw_root *root);
/* The device of an id, without the "::2" of a share; NULL. */
const struct device *devices_find(const struct devices *d, const char *resource, const char *id);
/* A table for people, or one JSON array. */
void devices_put_text(const struct devices *d, struct buf *out);
void devices_put_json(const struct devices *d, struct buf *out);
#endif
