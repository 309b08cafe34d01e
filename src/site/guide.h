/* site/guide.h - the setup guide for the user's own boxes: an ordered checklist made from an inventory, and the choice of a stack.
 *
 * For:     `tutti cluster guide`.
 * Callers: cmd/, tests.
 * Touches: nothing: a pure function of an inventory and the catalog.
 * Rule:    a step is there only when a node has what it is about.  Names and addresses come from a file: in commands they are quoted for the
 *          shell, in pages escaped, everywhere without control characters.  Every step and every figure says where it is from and
 *          when it was looked up; what nobody measured here is not called measured.
 * Start:   guide_steps.c (the table of steps: a new step is one row), guide_stack.c (the comparison), guide.c (how rows become a guide).
 */
#ifndef TUTTI_SITE_GUIDE_H
#define TUTTI_SITE_GUIDE_H
#include "base/buf.h"
#include "site/inventory.h"

/* What a node is and has, as far as steps ask. */
enum guide_trait {
    GUIDE_HEAD = 1 << 0, GUIDE_WORKER = 1 << 1, GUIDE_K3S = 1 << 2, GUIDE_LIST = 1 << 3,
    GUIDE_PC = 1 << 4 /* firmware of a PC: PCs, laptops, servers */, GUIDE_LAPTOP = 1 << 5, GUIDE_GTI14 = 1 << 6, GUIDE_PI = 1 << 7, GUIDE_PI4 = 1 << 8,
    GUIDE_PI5 = 1 << 9, GUIDE_JETSON = 1 << 10, GUIDE_MAC = 1 << 11, GUIDE_ADDRESS = 1 << 12 /* the inventory names one */, GUIDE_WIFI = 1 << 13,
    GUIDE_WAKE = 1 << 14, GUIDE_CORAL_USB = 1 << 15, GUIDE_CORAL_PCIE = 1 << 16, GUIDE_NCS2 = 1 << 17, GUIDE_HAILO = 1 << 18,
    GUIDE_HAILO10 = 1 << 19, GUIDE_NVIDIA = 1 << 20 /* a card, no Jetson */, GUIDE_INTEL = 1 << 21 /* its GPU or NPU */, GUIDE_AMD = 1 << 22 /* its GPU */,
    GUIDE_MANY = 1 << 23 /* of the inventory: more than one node */, GUIDE_LINUX = 1 << 24, GUIDE_NETPLAN = 1 << 25 /* Ubuntu Server */,
    GUIDE_MODEL_FILE = 1 << 26 /* of the inventory: experts whose file can be had by a URL */, GUIDE_IFUPDOWN = 1 << 27 /* Debian without a desktop */,
    GUIDE_FEW = 1 << 28 /* of the inventory: as many nodes as fit a file of hosts */, GUIDE_ANY_STICK = 1 << 29 /* what tutti's device plug-in offers */,
};

/* heading.  ORDER GUIDE_PHASE */
#define GUIDE_PHASES(X)                                                                                                                              \
    X(FIRMWARE, "Firmware")                                                                                                                          \
    X(SYSTEM, "Operating systems")                                                                                                                   \
    X(NETWORK, "Network and time")                                                                                                                   \
    X(DRIVERS, "Drivers and runtimes of the accelerators")                                                                                           \
    X(K3S, "K3s")                                                                                                                                    \
    X(TUTTI, "tutti")                                                                                                                                \
    X(MONITOR, "Monitoring")                                                                                                                         \
    X(CHECK, "Check")
enum guide_phase {
#define X(id, heading) GUIDE_PHASE_##id,
    GUIDE_PHASES(X)
#undef X
        GUIDE_PHASE_COUNT
};
const char *guide_phase_heading(enum guide_phase p);

enum guide_where { GUIDE_ON_NODES /* on each for which it holds */, GUIDE_ON_HEAD /* once, when it holds for any */, GUIDE_ON_DESK /* once, where the inventory lies */ };

/* One row of the table.  Texts may name {node} {address} {cidr} {gateway} {mac} of the node, and {head} {head_at} {cluster} {namespace} {image} {subnet}
 * {file} {nodes} {pairs} {models} {image} {platforms} {n_k3s} {n_workers} {switch_gbit} of all.  In command and check a name stands outside quotes: its value is quoted where it must be. */
struct guide_step {
    const char *id; /* kept for ever: pages remember by it what is done */
    enum guide_phase phase;
    enum guide_where where;
    unsigned all, none; /* traits that the node must have, must not have */
    const char *title;
    const char *command; /* lines for a shell, or "" when something else is to be done: `why` says what */
    const char *why;
    const char *check, *says; /* a command, and what it must say */
    const char *wrong;        /* what goes wrong, and what to do then */
    const char *source, *date; /* looked up */
};
extern const struct guide_step guide_steps[];
extern const int guide_n_steps;

struct guide_item { /* a step of this guide; texts belong to the guide */
    const struct guide_step *step;
    int node;     /* of the inventory: the only one; -1: `on` */
    const char *on; /* "pi5 (192.168.1.13)", "all workers: ..." */
    const int *nodes; /* whom it concerns, for filters */
    int n_nodes;
    const char *title, *command, *why, *check, *says, *wrong;
};

/* The comparison.  ORDER GUIDE_GROUP */
#define GUIDE_GROUPS(X)                                                                                                                              \
    X(ORCHESTRATOR, "Who starts the programs")                                                                                                       \
    X(CONTAINERS, "Containers")                                                                                                                      \
    X(ENGINES, "Engines")                                                                                                                            \
    X(PROTOCOL, "Between the nodes")
enum guide_group {
#define X(id, heading) GUIDE_GROUP_##id,
    GUIDE_GROUPS(X)
#undef X
        GUIDE_GROUP_COUNT
};
const char *guide_group_heading(enum guide_group g);

struct guide_option { /* a row of the comparison */
    enum guide_group group;
    const char *name, *gives, *costs, *source, *date;
};
extern const struct guide_option guide_options[];
extern const int guide_n_options;

enum { GUIDE_REASONS_MAX = 8, GUIDE_CHOSEN_MAX = 8 };
struct guide_choice { /* of a group, for this inventory */
    const struct guide_option *chosen[GUIDE_CHOSEN_MAX];
    const char *role[GUIDE_CHOSEN_MAX]; /* what it is chosen for: "all nodes", "jetson" */
    int n_chosen;
    const char *reasons[GUIDE_REASONS_MAX]; /* computed from the inventory */
    int n_reasons;
};

struct guide_speed { /* one measured row of data/protocol.csv */
    const char *payload, *protocol;
    double p50_us, ratio; /* to the fastest of this payload */
    double request_bytes;
};

struct guide {
    const struct inventory *inv; /* borrowed */
    struct arena *arena;
    const char *name, *file;     /* the inventory's, cleaned; file: for commands */
    unsigned *traits;            /* [inv->n_nodes] */
    struct guide_item *items;
    int n_items;
    struct guide_choice choices[GUIDE_GROUP_COUNT];
    struct guide_speed speeds[32];
    int n_speeds;
    const char *speeds_where;    /* machine, command and day of the measurement */
};

/* file: how the inventory is called in commands.  c: data/protocol.csv.  The caller owns the result, which borrows inv.  NULL with err. */
struct guide *guide_make(const struct inventory *inv, const char *file, struct catalog *c, struct err *err);
void guide_free(struct guide *g); /* NULL is fine */
bool guide_item_concerns(const struct guide_item *it, int node);

/* node: only what concerns it; -1: all.  Text: at most 80 columns, commands excepted (a command is one line or it is wrong). */
void guide_put_text(const struct guide *g, int node, struct buf *out);
void guide_put_json(const struct guide *g, int node, struct buf *out); /* docs/json.md */
void guide_put_html(const struct guide *g, int node, struct buf *out); /* one self-contained page */

/* For the files of the guide. */
char *guide_printf(struct guide *g, struct err *err, const char *fmt, ...) ERR_PRINTF(3, 4); /* in its arena; NULL with err */
bool guide_choose(struct guide *g, struct err *err);                                          /* guide_stack.c */
bool guide_read_speeds(struct guide *g, struct catalog *c, struct err *err);
#endif
