/* site/draw_json.c - a picture's data as JSON, and back; docs/json.md has its shape.
 *
 * For:     GET /topology.json, the data inside a page, `tutti cluster draw --live`.
 * Rule:    written: what is not known is left out.  Read: from another machine, so every kind, length and index is checked, and what
 *          is not there is not known.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/js.h"
#include "site/draw_internal.h"

/* ---- out ---- */

static void text(struct js *j, const char *name, const char *s)
{
    if (*s)
        js_key(j, name), buf_put_json_text(j->b, s);
}
static void number(struct js *j, const char *name, double v)
{
    if (isfinite(v) && fabs(v) < 1e18)
        js_key(j, name), buf_printf(j->b, "%.6g", v);
}
static void amount(struct js *j, const char *name, double v) /* 0 is not known */
{
    if (v > 0 && v < 9e15)
        js_key(j, name), buf_printf(j->b, "%.0f", v);
}
static void yes(struct js *j, const char *name, bool is)
{
    if (is)
        js_key(j, name), buf_puts(j->b, "true");
}
static void count(struct js *j, const char *name, int n) { js_key(j, name), buf_printf(j->b, "%d", n); }

static void put_node(struct js *j, const struct draw_node *n)
{
    js_open(j, NULL, '{');
    text(j, "name", n->name), text(j, "kind", n->kind), text(j, "arch", n->arch), text(j, "board", n->board), text(j, "address", n->address);
    text(j, "state", n->state), text(j, "why", n->why);
    yes(j, "head", n->is_head), yes(j, "wifi", n->is_wifi), yes(j, "may_leave", n->may_leave), yes(j, "can_wake", n->can_wake);
    if (n->link_gbit_s > 0)
        number(j, "link_gbit_s", n->link_gbit_s);
    if (n->rtt_s > 0)
        number(j, "rtt_s", n->rtt_s);
    amount(j, "used_bytes", (double)n->used_bytes), amount(j, "mem_bytes", (double)n->mem_bytes);
    number(j, "load", n->load), number(j, "watts", n->watts), number(j, "temperature_c", n->temperature_c), number(j, "battery", n->battery_frac);
    number(j, "jobs", n->jobs_total), number(j, "in_bytes", n->in_bytes), number(j, "out_bytes", n->out_bytes);
    char line[160], mem[2 * DRAW_WORDS + 8], a[DRAW_WORDS], c[DRAW_WORDS];
    words_node(line, sizeof(line), n);
    text(j, "line", line);
    char sub[300];
    words_sub(sub, sizeof(sub), n);
    text(j, "sub", sub);
    if (n->mem_bytes > 0) {
        snprintf(mem, sizeof(mem), "%s of %s", words_bytes(a, (double)n->used_bytes), words_bytes(c, (double)n->mem_bytes));
        text(j, "memory", mem);
    }
    js_open(j, "devices", '[');
    for (int i = 0; i < n->n_devices; i++) {
        js_open(j, NULL, '{');
        text(j, "name", n->devices[i].name), text(j, "chip", words_chip(n->devices[i].chip)), amount(j, "mem_bytes", (double)n->devices[i].mem_bytes);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    js_open(j, "steps", '{');
    for (int i = 0; i < ROUTE_CLASS_COUNT; i++)
        if (n->step[i] > 0)
            count(j, route_class_name((enum route_class)i), n->step[i]);
    js_shut(j, '}');
    js_shut(j, '}');
}

static void put_expert(struct js *j, const struct draw_expert *e)
{
    js_open(j, NULL, '{');
    text(j, "name", e->name), text(j, "task", e->task), text(j, "class", route_class_name(e->cls)), text(j, "model", e->model), text(j, "precision", e->precision);
    text(j, "runtime", e->runtime), text(j, "why", e->why), count(j, "node", e->node);
    if (e->device >= 0)
        count(j, "device", e->device);
    text(j, "state", draw_state_name(e->state)), amount(j, "bytes", (double)e->bytes), number(j, "share", e->share), number(j, "load", e->load);
    number(j, "tok_s", e->tok_s), number(j, "ttft_s", e->ttft_s), number(j, "item_s", e->item_s), number(j, "sound_s_s", e->sound_s_s);
    if (e->state != DRAW_PLANNED)
        count(j, "running", e->n_running), count(j, "waiting", e->n_waiting);
    char line[200];
    words_place(line, sizeof(line), e);
    text(j, "line", line);
    js_shut(j, '}');
}

static void put_box(struct js *j, const struct draw_flow_box *k)
{
    static const char *const kinds[] = { "source", "stage", "event", "sink" };
    js_open(j, NULL, '{');
    text(j, "kind", kinds[k->kind]), text(j, "name", k->name), text(j, "task", k->task), text(j, "gate", k->gate), text(j, "how", k->how);
    text(j, "experts", k->experts), text(j, "where", k->where);
    if (k->kind == DRAW_STAGE)
        text(j, "class", route_class_name(k->cls));
    yes(j, "optional", k->is_optional), number(j, "per_hour", k->per_hour);
    js_open(j, "after", '[');
    for (int i = 0; i < DRAW_BOXES_MAX; i++)
        if (k->after & 1u << i)
            count(j, NULL, i);
    js_shut(j, ']');
    js_shut(j, '}');
}

void draw_put_json(struct buf *b, const struct draw *d)
{
    struct js js = { b, false }, *j = &js;
    js_open(j, NULL, '{');
    text(j, "title", d->title), text(j, "self", d->self), yes(j, "live", d->is_live), text(j, "switch", d->net);
    if (d->net_gbit_s > 0)
        number(j, "switch_gbit_s", d->net_gbit_s);
    number(j, "latency", d->latency), number(j, "energy", d->energy), number(j, "cost", d->cost), number(j, "watts", d->watts), number(j, "usd_month", d->usd_month);
    js_open(j, "nodes", '[');
    for (int i = 0; i < d->n_nodes; i++)
        put_node(j, &d->nodes[i]);
    js_shut(j, ']');
    js_open(j, "experts", '[');
    for (int i = 0; i < d->n_experts; i++)
        put_expert(j, &d->experts[i]);
    js_shut(j, ']');
    js_open(j, "wants", '[');
    for (int i = 0; i < d->n_wants; i++) {
        const struct draw_want *w = &d->wants[i];
        js_open(j, NULL, '{');
        text(j, "name", w->name), text(j, "task", w->task), text(j, "model", w->model), text(j, "class", route_class_name(w->cls)), number(j, "per_hour", w->per_hour);
        amount(j, "missing", w->n_missing), text(j, "why", w->why), text(j, "buy", w->buy);
        js_shut(j, '}');
    }
    js_shut(j, ']');
    text(j, "cascade", d->cascade);
    js_open(j, "boxes", '[');
    for (int i = 0; i < d->n_boxes; i++)
        put_box(j, &d->boxes[i]);
    js_shut(j, ']');
    js_shut(j, '}');
}

/* ---- in ---- */

enum { TEXT_MAX = 1024 }; /* of a hostile node's names we keep so much */

static const char *get_text(struct draw *d, const json_t *o, const char *name)
{
    char cut[TEXT_MAX];
    const char *s = json_string_value(json_object_get(o, name));
    if (!s)
        return "";
    snprintf(cut, sizeof(cut), "%s", s);
    return draw_copy(d, cut);
}
static double get_number(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    const double x = json_is_number(v) ? json_number_value(v) : NAN;
    return fabs(x) < 1e18 ? x : NAN;
}
static double get_amount(const json_t *o, const char *name)
{
    const double x = get_number(o, name);
    return x > 0 && x < 9e15 ? x : 0;
}
static bool get_yes(const json_t *o, const char *name) { return json_is_true(json_object_get(o, name)); }
static int get_index(const json_t *o, const char *name, int n) /* -1: none */
{
    const json_t *v = json_object_get(o, name);
    const json_int_t i = json_is_integer(v) ? json_integer_value(v) : -1;
    return i >= 0 && i < n ? (int)i : -1;
}
static enum route_class get_class(const json_t *o)
{
    const char *s = json_string_value(json_object_get(o, "class"));
    for (int i = 0; s && i < ROUTE_CLASS_COUNT; i++)
        if (strcmp(s, route_class_name((enum route_class)i)) == 0)
            return (enum route_class)i;
    return ROUTE_CLASS_EMBED;
}
static enum draw_state get_state(const json_t *o)
{
    const char *s = json_string_value(json_object_get(o, "state"));
    for (int i = 0; s && i < DRAW_STATE_COUNT; i++)
        if (strcmp(s, draw_state_name((enum draw_state)i)) == 0)
            return (enum draw_state)i;
    return DRAW_PLANNED;
}

/* One of the words that become a CSS class. */
static const char *get_member_state(const json_t *o)
{
    static const char *const known[] = { "new", "up", "draining", "down", "refused" };
    const char *s = json_string_value(json_object_get(o, "state"));
    for (size_t i = 0; s && i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(s, known[i]) == 0)
            return known[i];
    return "";
}

static void read_node(struct draw *d, struct draw_node *n, const json_t *o)
{
    n->name = get_text(d, o, "name"), n->kind = get_text(d, o, "kind"), n->arch = get_text(d, o, "arch"), n->board = get_text(d, o, "board");
    n->address = get_text(d, o, "address"), n->state = get_member_state(o), n->why = get_text(d, o, "why");
    n->is_head = get_yes(o, "head"), n->is_wifi = get_yes(o, "wifi"), n->may_leave = get_yes(o, "may_leave"), n->can_wake = get_yes(o, "can_wake");
    const double link = get_number(o, "link_gbit_s"), rtt = get_number(o, "rtt_s");
    n->link_gbit_s = link > 0 ? link : 0, n->rtt_s = rtt > 0 ? rtt : 0;
    n->used_bytes = (uint64_t)get_amount(o, "used_bytes"), n->mem_bytes = (uint64_t)get_amount(o, "mem_bytes");
    n->load = get_number(o, "load"), n->watts = get_number(o, "watts"), n->temperature_c = get_number(o, "temperature_c"), n->battery_frac = get_number(o, "battery");
    n->jobs_total = get_number(o, "jobs"), n->in_bytes = get_number(o, "in_bytes"), n->out_bytes = get_number(o, "out_bytes");
    const json_t *list = json_object_get(o, "devices"), *steps = json_object_get(o, "steps");
    for (size_t i = 0; i < json_array_size(list) && n->n_devices < INV_DEVICES_MAX; i++) {
        const json_t *v = json_array_get(list, i);
        const char *chip = json_string_value(json_object_get(v, "chip"));
        n->devices[n->n_devices++] = (struct draw_device){ get_text(d, v, "name"), !chip || strcmp(chip, "CPU") == 0 ? DRAW_CPU : strcmp(chip, "GPU") == 0 ? DRAW_GPU : DRAW_STICK,
                                                           (uint64_t)get_amount(v, "mem_bytes") };
    }
    for (int i = 0; i < ROUTE_CLASS_COUNT; i++) {
        const int step = get_index(steps, route_class_name((enum route_class)i), 256);
        n->step[i] = step > 0 ? step : 0;
    }
}

static void read_expert(struct draw *d, struct draw_expert *e, const json_t *o)
{
    e->name = get_text(d, o, "name"), e->task = get_text(d, o, "task"), e->model = get_text(d, o, "model"), e->precision = get_text(d, o, "precision");
    e->runtime = get_text(d, o, "runtime"), e->why = get_text(d, o, "why"), e->cls = get_class(o), e->state = get_state(o);
    e->device = get_index(o, "device", d->nodes[e->node].n_devices);
    e->bytes = (uint64_t)get_amount(o, "bytes"), e->share = get_number(o, "share"), e->load = get_number(o, "load"), e->tok_s = get_number(o, "tok_s");
    e->ttft_s = get_number(o, "ttft_s"), e->item_s = get_number(o, "item_s"), e->sound_s_s = get_number(o, "sound_s_s");
    const int running = get_index(o, "running", 1 << 30), waiting = get_index(o, "waiting", 1 << 30);
    e->n_running = running > 0 ? running : 0, e->n_waiting = waiting > 0 ? waiting : 0;
}

static void read_box(struct draw *d, int i, const json_t *o)
{
    static const char *const kinds[] = { "source", "stage", "event", "sink" };
    struct draw_flow_box *k = &d->boxes[i];
    const char *kind = json_string_value(json_object_get(o, "kind"));
    k->kind = DRAW_STAGE;
    for (int w = 0; kind && w < 4; w++)
        if (strcmp(kind, kinds[w]) == 0)
            k->kind = (enum draw_box_kind)w;
    k->name = get_text(d, o, "name"), k->task = get_text(d, o, "task"), k->gate = get_text(d, o, "gate"), k->how = get_text(d, o, "how");
    k->experts = get_text(d, o, "experts"), k->where = get_text(d, o, "where"), k->cls = get_class(o), k->is_optional = get_yes(o, "optional");
    k->per_hour = get_number(o, "per_hour");
    const json_t *after = json_object_get(o, "after");
    for (size_t n = 0; n < json_array_size(after) && n < DRAW_BOXES_MAX; n++) {
        const json_t *v = json_array_get(after, n);
        const json_int_t at = json_is_integer(v) ? json_integer_value(v) : -1;
        if (at >= 0 && at < i)
            k->after |= 1u << at;
    }
}

static bool read_all(struct draw *d, const json_t *root, struct err *err)
{
    const json_t *nodes = json_object_get(root, "nodes"), *experts = json_object_get(root, "experts"), *wants = json_object_get(root, "wants"), *boxes = json_object_get(root, "boxes");
    const size_t n = json_array_size(nodes), m = json_array_size(experts), w = json_array_size(wants), k = json_array_size(boxes);
    if (n > DRAW_NODES_MAX || m > DRAW_EXPERTS_MAX || w > DRAW_EXPERTS_MAX || k > DRAW_BOXES_MAX)
        return err_set(err, ERR_LIMIT, "topology: more nodes or experts than can be drawn");
    if (!draw_room(d, (int)n, (int)m, (int)w, err))
        return false;
    d->self = get_text(d, root, "self"), d->is_live = get_yes(root, "live"), d->net = get_text(d, root, "switch"), d->cascade = get_text(d, root, "cascade");
    const double g = get_number(root, "switch_gbit_s");
    d->net_gbit_s = g > 0 ? g : 0;
    d->latency = get_number(root, "latency"), d->energy = get_number(root, "energy"), d->cost = get_number(root, "cost"), d->watts = get_number(root, "watts");
    d->usd_month = get_number(root, "usd_month");
    for (size_t i = 0; i < n; i++)
        read_node(d, &d->nodes[i], json_array_get(nodes, i));
    int last = 0;
    for (size_t i = 0; i < m; i++) {
        struct draw_expert *e = &d->experts[i];
        e->node = get_index(json_array_get(experts, i), "node", d->n_nodes);
        if (e->node < last) /* -1 too: they come by node */
            return err_set(err, ERR_INPUT, "topology: expert %zu lives on no node, or they are not in the order of nodes", i);
        last = e->node;
        read_expert(d, e, json_array_get(experts, i));
    }
    for (size_t i = 0; i < w; i++) {
        const json_t *o = json_array_get(wants, i);
        const int missing = get_index(o, "missing", 1 << 20);
        d->wants[i] = (struct draw_want){ .name = get_text(d, o, "name"), .task = get_text(d, o, "task"), .model = get_text(d, o, "model"), .cls = get_class(o),
                                          .per_hour = get_number(o, "per_hour"), .n_missing = missing > 0 ? missing : 0, .why = get_text(d, o, "why"), .buy = get_text(d, o, "buy") };
    }
    for (size_t i = 0; i < k; i++)
        read_box(d, (int)i, json_array_get(boxes, i));
    d->n_boxes = (int)k;
    return true;
}

struct draw *draw_read_json(const char *bytes, size_t n, struct err *err)
{
    json_error_t e;
    json_t *root = json_loadb(bytes, n, 0, &e);
    if (!json_is_object(root)) {
        json_decref(root);
        return err_null(err, ERR_INPUT, "topology: no JSON object: %.80s", root ? "something else" : e.text);
    }
    const char *title = json_string_value(json_object_get(root, "title"));
    char cut[TEXT_MAX];
    snprintf(cut, sizeof(cut), "%s", title && *title ? title : "cluster");
    struct draw *d = draw_new(cut, err);
    if (d && !read_all(d, root, err)) {
        draw_free(d);
        d = NULL;
    }
    json_decref(root);
    return d;
}
