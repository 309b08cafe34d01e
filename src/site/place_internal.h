/* site/place_internal.h - what the files of placement share: options, the state of a search, what a plan costs.
 *
 * A search never sees formulas: place_field.c has asked plan/ what each expert needs and does on each kind of device (struct opt), and the
 * cost of a plan is then sums and one waiting time for each device:
 *     cost = sum over experts  of  share-weighted static costs + room + edges
 *          + sum over devices  of  cl * (requests that wait there) * W,   W = sum(lambda work^2) / (1 - rho)   (M/G/1, exponential service)
 *          + sum over nodes that can sleep  of  ce * idle watts while awake
 * Every part but an expert's own grows when another expert is added: that is what makes place_exact.c's bound sound.
 */
#ifndef TUTTI_SITE_PLACE_INTERNAL_H
#define TUTTI_SITE_PLACE_INTERNAL_H
#include "site/place.h"

struct opt { /* an expert in one precision on one device of a kind of machine */
    short device, quant;
    bool owns;           /* it lies in the device's own memory */
    uint64_t bytes;
    double work_s;       /* of a usual request */
    double joules;       /* the same, above idle */
    double load_s;       /* from disk */
    double loss;         /* of precision, 0..1 */
};

struct opts {
    const struct opt *list;
    int n;
};

struct want_edge {
    const struct inv_edge *edge;
    int other; /* want at its other end; -1: the camera */
};

struct place_field { /* what does not change while a plan is looked for */
    const struct inventory *inv;
    struct arena *arena;
    int n_kinds, *kind_of;            /* [n_nodes]; kinds share the list of devices */
    struct opts *opts;                /* [n_kinds * n_wants] */
    int *device_at;                   /* [n_nodes + 1] index of a node's first device among all */
    uint64_t *device_cap;             /* [all devices] bytes of its own, or most of the node's that it may take; 0: none of its own */
    int *twin;                        /* [n_nodes] the first node that is alike in everything, itself too */
    bool *allowed;                    /* [n_wants * n_nodes] by `only`; NULL: none says so */
    struct want_facts {
        double per_hour, weight;      /* weight: per_hour, at least 1 */
        double p_cold;                /* it is not loaded when it is asked */
        int n_min, n_max;
        double best_s, best_j;
        const struct want_edge *edges; /* that touch it, ends with edge NULL; NULL: none */
    } *wants;
    double cl, ce, cc, cq;            /* cost of a weighted second, of a watt, of a dollar a month of room, of a share of precision */
    double busy_w_unknown;            /* stands for what nobody knows: the largest that is known */
};

struct rep {
    int node, opt;
};

struct state {
    const struct place_field *f;
    struct wset {
        struct rep *r; /* [cap] */
        int n, cap;
        double own;    /* static costs, room, being alone */
        double rtt_half_s, s_per_byte; /* to it, by shares: for edges */
    } *want;
    struct nset {
        uint64_t warm, cold;  /* bytes of those that stay, of the largest that does not */
        int n_warm, n_cold;
        double per_hour;
        struct resident {
            int want, opt;
            double share;
        } *in;
        int n, cap;
    } *node;
    struct dset {
        double p, rho, m2;    /* weight of those who wait, load, second moment */
        uint64_t warm, cold;
        int n;
    } *device;
    double cost;
    int n_missing;
    uint64_t n_looked_at;
};

/* place_field.c.  The public place_field_new() and _free() are in place.h. */
static inline const struct opts *field_opts(const struct place_field *f, int want, int node) { return &f->opts[f->kind_of[node] * f->inv->n_wants + want]; }
static inline bool field_allows(const struct place_field *f, int want, int node) { return !f->allowed || f->allowed[(size_t)want * f->inv->n_nodes + node]; }
struct plan_memory place_need(const struct inv_want *w, int quant, const struct inv_device *d);
/* A usual request: tokens a second, first token, all of it.  false: not known. */
bool place_speed(const struct inv_want *w, int quant, const struct inv_device *d, struct plan_range *tok_s, struct plan_range *ttft_s, struct plan_range *item_s);
double place_wait_s(double rho, double m2);
/* Of one replica with the whole traffic: times its share.  Room is paid in full. */
double place_static(const struct place_field *f, int want, int node, const struct opt *o);
double place_room(const struct place_field *f, int node, const struct opt *o);
double place_awake(const struct place_field *f, int node, int n_warm, double per_hour); /* watts */
double place_link_s(const struct place_field *f, int node); /* for a byte */
double place_edge_up(const struct place_field *f, const struct inv_edge *e, int node);  /* s: half a round trip and the piece on its link */

/* place_state.c: one owner. */
struct state *state_new(const struct place_field *f, struct err *err);
void state_free(struct state *s);
bool state_fits(const struct state *s, int want, int node, const struct opt *o);
/* What placing the one replica of a want there adds to the cost; alone counts a laptop; without wake it is a lower bound for any later state. */
double state_marginal(struct state *s, int want, int node, const struct opt *o, bool with_wake);
/* The want has no replicas before put, none after take.  false: out of memory. */
bool state_put(struct state *s, int want, const struct rep *r, int n);
void state_take(struct state *s, int want);

/* place_search.c: fills s; budget: looks at most at so many options.  place_exact.c: starts from the incumbent in s and leaves the best there. */
bool place_search(struct state *s, uint64_t budget, struct err *err);
bool place_exact(struct state *s, uint64_t budget, bool *is_exact, struct err *err);
int *place_order(const struct place_field *f, struct err *err); /* wants, hardest first; in the field's arena */

#define PLACE_ALONE_COST 100. /* an expert is only on machines that may leave */
#endif
