/* site/draw.h - pictures of a cluster: its machines, its experts behind the gate, a cascade; as SVG, as a page, as code.
 *
 * For:     `tutti cluster draw`, GET /topology.
 * Callers: cmd/, serve/.
 * Touches: memory only.
 * Rule:    a picture is made in two steps: someone fills a struct draw in (a plan: draw_plan.c; a cascade: draw_cascade.c; a running
 *          node: serve/topology.c; a node's JSON: draw_read.c), and whoever draws knows nothing else.  The same struct gives the same
 *          bytes.  Names may be anything; texts never leave their boxes.  What is not known is NAN, 0, "" or -1, and is left out.
 *          Classes of experts differ by shape and colour.  docs/pictures.md shows them.
 */
#ifndef TUTTI_SITE_DRAW_H
#define TUTTI_SITE_DRAW_H
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "site/place.h"
#include "pipeline/cascade.h"
#include "route/candidate.h"

enum { DRAW_NODES_MAX = 10000, DRAW_EXPERTS_MAX = 40000, DRAW_BOXES_MAX = 28 };

/* What an expert does now; the first: it would live there.  ORDER DRAW_STATE */
enum draw_state { DRAW_PLANNED, DRAW_COLD, DRAW_LOADING, DRAW_WARM, DRAW_BUSY, DRAW_GONE, DRAW_STATE_COUNT };
const char *draw_state_name(enum draw_state s); /* "planned", "cold", ... */

enum draw_chip { DRAW_CPU, DRAW_GPU, DRAW_STICK };

struct draw_device {
    const char *name;            /* "Coral USB Accelerator" */
    enum draw_chip chip;
    uint64_t mem_bytes;          /* its own; 0 */
};

struct draw_node {
    const char *name, *kind, *arch, *board, *address;
    const char *state;           /* "up", "draining", "down", ...; "": a plan's */
    const char *why;             /* of a node that is not up */
    bool is_head;                /* stands above the switch: the head node, or the node that was asked */
    bool is_wifi, may_leave, can_wake;
    double link_gbit_s, rtt_s;   /* to the switch, and back */
    uint64_t used_bytes, mem_bytes; /* of experts; that they may use */
    double load;                 /* 0..1, of its busiest device; live: of the CPU */
    double watts, temperature_c, battery_frac;
    struct draw_device devices[INV_DEVICES_MAX];
    int n_devices;
    int step[ROUTE_CLASS_COUNT]; /* of each class's ladder; 0: all of it may be used */
    double jobs_total, in_bytes, out_bytes; /* live: between the node that was asked and it */
};

struct draw_expert { /* one replica */
    const char *name, *task, *model, *precision, *runtime, *why;
    enum route_class cls;
    int node, device;            /* device: of the node, -1 not known */
    enum draw_state state;
    uint64_t bytes;
    double share, load;          /* of the traffic of its name; of an hour */
    double tok_s, ttft_s, item_s, sound_s_s;
    int n_running, n_waiting;
};

struct draw_want { /* one name that clients or stages may ask for */
    const char *name, *task, *model;
    enum route_class cls;
    double per_hour;
    int n_missing;
    const char *why, *buy;       /* of what is missing */
};

enum draw_box_kind { DRAW_SOURCE, DRAW_STAGE, DRAW_EVENT, DRAW_SINK };
struct draw_flow_box { /* of the cascade's flowchart */
    enum draw_box_kind kind;
    const char *name, *task, *gate, *how; /* how: rate, queue, ... in words */
    const char *experts, *where; /* "yolox, then yolox-nano"; "jetson, pi5" */
    enum route_class cls;
    bool is_optional;
    double per_hour;             /* pieces that come in; NAN */
    uint32_t after;              /* bits of earlier boxes */
};

struct draw {
    struct arena *arena;         /* owns all texts and lists */
    const char *title;           /* "homelab" */
    const char *self;            /* live: the node that was asked; "" */
    bool is_live;
    const char *net;             /* the switch: "Netgear GS108"; "" */
    double net_gbit_s;
    double latency, energy, cost; /* weights of the goals; NAN */
    double watts, usd_month;     /* NAN */
    struct draw_node *nodes;
    int n_nodes;
    struct draw_expert *experts; /* by node, then device */
    int n_experts;
    struct draw_want *wants;
    int n_wants;
    const char *cascade;         /* its name; "": there is none */
    struct draw_flow_box boxes[DRAW_BOXES_MAX];
    int n_boxes;
};

/* Empty; the caller owns it.  NULL with err. */
struct draw *draw_new(const char *title, struct err *err);
void draw_free(struct draw *d); /* NULL is fine */
/* Lists of that length, all unknown; false with err. */
bool draw_room(struct draw *d, int n_nodes, int n_experts, int n_wants, struct err *err);
/* A copy in its arena; "" when memory is out (draw_room() and draw_new() said so before) or s is NULL. */
const char *draw_copy(struct draw *d, const char *s);
/* The class of a task by its word ("chat"); unknown words: EMBED. */
enum route_class draw_class_of(const char *task);
/* wants from the experts' names, in order; for who has no wants (a running node).  false with err. */
bool draw_count_wants(struct draw *d, struct err *err);

/* p NULL: the inventory alone.  Texts are copied. */
struct draw *draw_from_plan(const struct inventory *inv, const struct cluster_plan *p, struct err *err);
/* The cascade's boxes; where its stages run by the experts of d (by name).  false with err. */
bool draw_add_cascade(struct draw *d, const struct cascade *c, const struct inventory *inv, struct err *err);

enum draw_what { DRAW_TOPOLOGY, DRAW_EXPERTS, DRAW_CASCADE, DRAW_WHAT_COUNT };
const char *draw_what_name(enum draw_what w); /* "topology" */
bool draw_has(const struct draw *d, enum draw_what w);

enum draw_form {
    DRAW_WIDE, DRAW_NARROW,      /* inside a page, for a screen and for a phone (390 px): the page's style */
    DRAW_FILE, DRAW_FILE_NARROW, /* a file.svg of its own, for <img>: light and dark */
};
/* Appends.  ERR_INPUT when there is nothing of that. */
bool draw_svg(struct buf *b, const struct draw *d, enum draw_what what, enum draw_form form, struct err *err);
bool draw_dot(struct buf *b, const struct draw *d, enum draw_what what, struct err *err);     /* Graphviz */
bool draw_mermaid(struct buf *b, const struct draw *d, enum draw_what what, struct err *err); /* Mermaid flowchart */

/* One HTML file with everything in it.  is_served: it asks the node that sent it for /topology.json (live values), else it stands alone. */
bool draw_html(struct buf *b, const struct draw *d, enum draw_what first, bool is_served, struct err *err);
/* The same without any data: it asks for a key first. */
bool draw_html_locked(struct buf *b, struct err *err);
/* What is between the tabs and the foot: GET /topology?part, for a page whose cluster has other nodes or experts now. */
bool draw_html_part(struct buf *b, const struct draw *d, struct err *err);
/* The page's policy for content-security-policy, with the hashes of its script and style. */
bool draw_html_policy(char *out, size_t max);
/* docs/json.md.  What comes back is checked: every length, every index. */
void draw_put_json(struct buf *b, const struct draw *d);
struct draw *draw_read_json(const char *text, size_t n, struct err *err);
#endif
