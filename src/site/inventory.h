/* site/inventory.h - the user's machines and wishes, from one YAML file: nodes, experts wanted, traffic, goals.
 *
 * For:     place.h (what goes where), manifests, the setup guide, monitoring, pictures, `tutti cluster ...`.
 * Callers: site/, cmd/.
 * Touches: the file; recordings of `tutti detect --record` that it names; the catalog that it is given.
 * Rule:    what is misspelt or impossible is FILE:LINE:COLUMN with the nearest word.  Every figure is the file's, the recording's or
 *          the catalog's; what nobody knows stays 0, NAN or "".  Names of nodes and experts are DNS labels (Kubernetes takes no others).
 *          docs/cluster.md lists the keys.
 */
#ifndef TUTTI_SITE_INVENTORY_H
#define TUTTI_SITE_INVENTORY_H
#include <stdbool.h>
#include <stdint.h>

#include "advise/device.h"
#include "base/arena.h"
#include "base/yaml.h"
#include "catalog/catalog.h"
#include "expert/expert.h"
#include "hw/machine.h"
#include "plan/model.h"

enum {
    INV_NAME_MAX = 64 /* with '\0' */, INV_NODES_MAX = 10000, INV_WANTS_MAX = 256, INV_DEVICES_MAX = 16 /* of a node */, INV_QUANTS_MAX = 6,
    INV_EDGES_MAX = 64, INV_ONLY_MAX = 32,
};

/* Who starts the containers.  ORDER INV_ENGINE */
enum inv_engine { INV_K3S, INV_LIST /* nobody: `tutti serve` by systemd on a plain list of nodes */ };
const char *inv_engine_name(enum inv_engine e); /* "k3s", "list" */

struct inv_device { /* what computes or infers in a node: its CPU (always the last), GPUs, sticks */
    const char *name;               /* "Raspberry Pi 5", "Coral USB Accelerator" */
    const char *resource;           /* "google.com/coral", "intel.com/ncs2", "nvidia.com/gpu", "hailo.ai/hailo"; "" a CPU, or a GPU that comes with it */
    const struct catalog_row *row;  /* NULL: a recording's own figures */
    struct device of;               /* figures for plan/; of.plan.name "" when it runs no language models (a stick) */
    bool runs_llm;
    uint64_t mem_bytes;             /* its own (a stick's, a card's); 0: the node's memory */
    double tops_int8, idle_w, busy_w; /* NAN: not known; busy_w above idle */
    double usd;                     /* NAN */
    int n_share;                    /* experts that it serves at a time (the device plugin's `share`); 0: as many as its memory holds */
};

struct inv_node {
    char name[INV_NAME_MAX];
    const char *kind;               /* as written: "Beelink GTi14", "Raspberry Pi 5 8GB" */
    const char *recording;          /* file, or NULL */
    const char *arch;               /* "amd64", "arm64" */
    const char *os;                 /* "debian", "raspberry-pi-os", "jetpack", "ubuntu"; for the guide */
    const char *board;              /* "pc", "pi4", "pi5", "jetson", "laptop", "mac", "server": which steps of the guide apply */
    const char *address;            /* "192.168.1.10"; "" not said */
    const char *wake;               /* MAC address for Wake-on-LAN; "" cannot be woken */
    bool is_head;                   /* runs K3s' server and the monitoring; one of them */
    bool is_wifi;
    bool may_leave;                 /* a laptop: nothing that must always be there is put on it alone */
    bool is_away;                   /* set by who knows (rebalance.h): nothing is put there */
    double link_gbit_s;             /* to the switch */
    double rtt_s;                   /* to the switch and back */
    uint64_t mem_bytes;             /* of the machine */
    uint64_t free_bytes;            /* what experts may use: by plan/'s arithmetic, or as the file says */
    uint64_t disk_bytes;            /* 0: not known */
    double idle_w, busy_w;          /* of the whole node at the wall; NAN; busy_w above idle */
    double usd;                     /* the machine's price; NAN */
    const struct inv_device *devices; /* [n_devices] the last one is the CPU; equal nodes share the list */
    int n_devices;
    const struct yaml_node *at;
};

struct inv_traffic { /* of one expert, in its busiest hour */
    double per_hour;                /* requests, or frames that come through the gate; 0: seldom */
    double prompt_tok, answer_tok;  /* language models: of a usual request */
    double sound_s;                 /* of a usual recording or speech */
};

struct inv_want { /* one expert that there shall be */
    char name[INV_NAME_MAX];
    unsigned task;                  /* bits of enum expert_task */
    const char *task_name;          /* "chat", "detect" */
    const char *model;              /* as written: "Qwen2.5 3B", "yolov8n.onnx"; "" by the card */
    const char *file, *url;         /* GGUF or ONNX on the nodes, where to get it; "" */
    const char *card;               /* ../cards/x.yaml, from the inventory's folder; "" */
    struct plan_model model_of[INV_QUANTS_MAX]; /* language models: one for each precision allowed, best first */
    int n_quants;                   /* 0: no language model */
    int n_ctx, n_parallel, kv_bits;
    uint64_t bytes;                 /* others: memory that it takes */
    double item_s;                  /* others: on a Raspberry Pi 5's CPU, for one input; scaled by what a device can do */
    double accelerated_s;           /* the same on `accelerator`; 0: scaled too */
    const char *accelerator;        /* "google.com/coral": wants that resource; "" runs on CPUs and GPUs */
    bool needs_accelerator;         /* false: it is faster with it and works without */
    int n_min, n_max;               /* replicas; 1, and as many as pay */
    const char *only[INV_ONLY_MAX];           /* names of nodes; none: all */
    int n_only;
    double quality;                 /* tier 0..10; 0: by its size (route/quality.h) */
    bool keeps_warm;                /* false: loaded when it is asked */
    struct inv_traffic traffic;
    const struct yaml_node *at;
};

struct inv_edge { /* of the cascade, for pictures and for placing its stages near each other */
    const char *from, *to;          /* experts; from "camera": the source */
    double per_hour, bytes;         /* pieces that pass the gate; size of one */
};

struct inventory {
    struct arena *arena;
    struct yaml *yaml;
    const char *name, *dir, *namespace_, *image, *domain, *cascade; /* "tutti", the image's name (without a digest: ""), "lan", a cascade's file or "" */
    enum inv_engine engine;
    const char *net_switch;         /* "Netgear GS108"; "" */
    double switch_gbit_s;           /* per port */
    const char *subnet, *gateway;   /* "192.168.1.0/24", "192.168.1.1"; "" */
    double usd_per_kwh;
    double latency, energy, cost;   /* weights of the goals, add up to 1 */
    struct inv_node *nodes;
    int n_nodes;
    struct inv_want *wants;
    int n_wants;
    struct inv_edge edges[INV_EDGES_MAX];
    int n_edges;
};

/* The caller owns the result, which borrows rows of c.  NULL with err. */
struct inventory *inventory_read(const char *path, struct catalog *c, struct err *err);
struct inventory *inventory_parse(const char *name, const char *text, size_t n, const char *dir, struct catalog *c, struct err *err);
void inventory_free(struct inventory *inv); /* NULL is fine */
int inventory_find_node(const struct inventory *inv, const char *name); /* -1 */
int inventory_find_want(const struct inventory *inv, const char *name); /* -1 */
#endif
