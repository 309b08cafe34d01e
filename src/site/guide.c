/* site/guide.c - see guide.h: which rows of the table an inventory wants, and their texts with its names and addresses. */
#define _GNU_SOURCE /* strcasestr */
#include "site/guide.h"


#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 64 << 10, ARENA_BYTES_MAX = 256 << 20, FEW_NODES = 64 };

const char *guide_phase_heading(enum guide_phase p)
{
    static const char *const headings[] = {
#define X(id, heading) heading,
        GUIDE_PHASES(X)
#undef X
    };
    return p < GUIDE_PHASE_COUNT ? headings[p] : "";
}

/* ---- what a node is ---- */

static bool only_has(const char *s, const char *allowed) { return s && isalnum((unsigned char)s[0]) && strspn(s, allowed) == strlen(s) && strlen(s) < 128; }
/* An address or a host's name; anything else in the file is as good as nothing. */
static bool is_place(const char *s) { return only_has(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:-"); }
static bool is_number(const char *s) { return only_has(s, "0123456789.:abcdefABCDEF/"); }

static bool has_word(const char *text, const char *word) { return text && strcasestr(text, word) != NULL; }

static unsigned device_traits(const struct inv_node *n)
{
    unsigned t = 0;
    for (int i = 0; i < n->n_devices; i++) {
        const struct inv_device *d = &n->devices[i];
        const bool is_gpu_or_npu = i + 1 < n->n_devices; /* the last one is the CPU */
        if (strcmp(d->resource, "google.com/coral") == 0)
            t |= (has_word(d->name, "PCIe") || has_word(d->name, "M.2") ? GUIDE_CORAL_PCIE : GUIDE_CORAL_USB) | GUIDE_ANY_STICK;
        else if (strcmp(d->resource, "intel.com/ncs2") == 0)
            t |= GUIDE_NCS2 | GUIDE_ANY_STICK;
        else if (strncmp(d->resource, "hailo.ai/", 9) == 0)
            t |= GUIDE_HAILO | GUIDE_ANY_STICK | (has_word(d->name, "10H") || has_word(d->name, "HAT+ 2") ? GUIDE_HAILO10 : 0u);
        else if (strcmp(d->resource, "nvidia.com/gpu") == 0)
            t |= strcmp(n->board, "jetson") == 0 ? 0u : GUIDE_NVIDIA;
        else if (is_gpu_or_npu && (has_word(d->name, "Intel") || has_word(d->name, "Arc")))
            t |= GUIDE_INTEL;
        else if (is_gpu_or_npu && (has_word(d->name, "AMD") || has_word(d->name, "Radeon")))
            t |= GUIDE_AMD;
        else if (!is_gpu_or_npu && has_word(d->name, "Core Ultra") && strcmp(n->arch, "amd64") == 0)
            t |= GUIDE_INTEL; /* its GPU and NPU come with it */
    }
    return t;
}

static unsigned traits_of(const struct inventory *inv, int node)
{
    static const struct { const char *board; unsigned traits; } boards[] = {
        { "pc", GUIDE_PC }, { "server", GUIDE_PC }, { "laptop", GUIDE_PC | GUIDE_LAPTOP }, { "pi4", GUIDE_PI | GUIDE_PI4 }, { "pi5", GUIDE_PI | GUIDE_PI5 },
        { "jetson", GUIDE_JETSON }, { "mac", GUIDE_MAC },
    };
    const struct inv_node *n = &inv->nodes[node];
    unsigned t = device_traits(n) | (n->is_head ? GUIDE_HEAD : GUIDE_WORKER) | (inv->engine == INV_K3S ? GUIDE_K3S : GUIDE_LIST);
    for (size_t i = 0; i < sizeof(boards) / sizeof(boards[0]); i++)
        t |= strcmp(boards[i].board, n->board) == 0 ? boards[i].traits : 0;
    t |= t & GUIDE_MAC ? 0 : GUIDE_LINUX;
    t |= has_word(n->kind, "GTi14") ? GUIDE_GTI14 : 0;
    t |= is_place(n->address) && is_number(inv->gateway) && is_number(inv->subnet) ? GUIDE_ADDRESS : 0;
    t |= n->is_wifi ? GUIDE_WIFI : 0;
    t |= is_number(n->wake) ? GUIDE_WAKE : 0;
    t |= inv->n_nodes > 1 ? GUIDE_MANY : 0;
    t |= t & GUIDE_PC && strcmp(n->os, "ubuntu") == 0 ? GUIDE_NETPLAN : t & GUIDE_PC && strcmp(n->os, "debian") == 0 ? GUIDE_IFUPDOWN : 0;
    t |= inv->n_nodes <= FEW_NODES && is_place(inv->nodes[0].address) ? GUIDE_FEW : 0;
    for (int w = 0; w < inv->n_wants && !(t & GUIDE_MODEL_FILE); w++)
        t |= inv->wants[w].url && inv->wants[w].url[0] ? GUIDE_MODEL_FILE : 0;
    return t;
}

static bool holds(const struct guide_step *s, unsigned traits) { return (traits & s->all) == s->all && !(traits & s->none); }

/* ---- texts with names in them ---- */

/* Text of a file without what moves a terminal's cursor or breaks a line. */
static void put_clean(struct buf *b, const char *s)
{
    for (; *s; s++)
        buf_putc(b, (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
}

static void put_quoted(struct buf *b, const char *s)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/:@%+=,-";
    if (*s && *s != '=' && strspn(s, plain) == strlen(s)) {
        buf_puts(b, s);
        return;
    }
    buf_putc(b, '\'');
    for (; *s; s++)
        if (*s == '\'')
            buf_puts(b, "'\\''");
        else
            buf_putc(b, (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
    buf_putc(b, '\'');
}

struct names { /* of whom a text speaks */
    const struct guide *g;
    const struct guide_step *step;
    int node; /* -1: of all */
    bool is_command;
    bool speaks_of_node; /* out: the text names what differs from node to node */
};

static int head_of(const struct inventory *inv)
{
    for (int i = 0; i < inv->n_nodes; i++)
        if (inv->nodes[i].is_head)
            return i;
    return 0;
}

static void put_word(struct buf *b, const struct names *w, const char *s) { (w->is_command ? put_quoted : put_clean)(b, s ? s : ""); }

static void put_place(struct buf *b, const struct names *w, int node)
{
    const struct inventory *inv = w->g->inv;
    const struct inv_node *n = &inv->nodes[node];
    if (is_place(n->address)) {
        buf_puts(b, n->address);
        return;
    }
    put_word(b, w, n->name);
    if (is_place(inv->domain))
        buf_printf(b, ".%s", inv->domain);
}

static void put_nodes(struct buf *b, const struct names *w, bool with_addresses)
{
    const struct inventory *inv = w->g->inv;
    bool has_one = false;
    for (int i = 0; i < inv->n_nodes; i++) {
        if (with_addresses ? !is_place(inv->nodes[i].address) : !holds(w->step, w->g->traits[i]))
            continue;
        buf_puts(b, has_one ? " " : "");
        if (with_addresses)
            buf_printf(b, "%s ", inv->nodes[i].address);
        put_word(b, w, inv->nodes[i].name);
        has_one = true;
    }
}

/* The inventory's image, or one in a registry of the house. */
static void put_image(struct buf *b, const struct names *w)
{
    const struct inventory *inv = w->g->inv;
    if (only_has(inv->image, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/:@-"))
        buf_puts(b, inv->image);
    else
        buf_printf(b, "registry.%s:5000/tutti:" TUTTI_VERSION, is_place(inv->domain) ? inv->domain : "lan");
}

static void put_platforms(struct buf *b, const struct names *w)
{
    static const char *const archs[] = { "amd64", "arm64" };
    bool has_one = false;
    for (size_t a = 0; a < sizeof(archs) / sizeof(archs[0]); a++)
        for (int i = 0; i < w->g->inv->n_nodes; i++)
            if (strcmp(w->g->inv->nodes[i].arch, archs[a]) == 0) {
                buf_printf(b, "%slinux/%s", has_one ? "," : "", archs[a]);
                has_one = true;
                break;
            }
}

static void put_models(struct buf *b, const struct names *w)
{
    const struct inventory *inv = w->g->inv;
    buf_puts(b, "sudo mkdir -p /var/lib/tutti/models");
    for (int i = 0; i < inv->n_wants; i++) {
        const struct inv_want *x = &inv->wants[i];
        if (!x->url || !x->url[0])
            continue;
        const char *slash = strrchr(x->file && x->file[0] ? x->file : x->url, '/'), *name = slash ? slash + 1 : x->file && x->file[0] ? x->file : x->url;
        buf_puts(b, "\nsudo curl -fL -C - -o /var/lib/tutti/models/");
        put_quoted(b, name);
        buf_puts(b, " -- ");
        put_quoted(b, x->url);
    }
}

/* The value of {key}; false: no such name, the text stands as it is. */
static bool put_value(struct buf *b, struct names *w, const char *key, size_t n)
{
#define IS(name) (n == sizeof(name) - 1 && memcmp(key, name, n) == 0)
    const struct inventory *inv = w->g->inv;
    const int head = head_of(inv);
    const bool is_of_node = IS("node") || IS("address") || IS("cidr") || IS("mac") || IS("arch") || IS("node_ip");
    if (is_of_node) {
        w->speaks_of_node = true;
        if (w->node < 0)
            return true;
        const struct inv_node *x = &inv->nodes[w->node];
        const char *bits = inv->subnet ? strchr(inv->subnet, '/') : NULL;
        if (IS("node"))
            put_word(b, w, x->name);
        else if (IS("address"))
            put_place(b, w, w->node);
        else if (IS("cidr"))
            buf_printf(b, "%s%s", is_place(x->address) ? x->address : "", bits && is_number(inv->subnet) ? bits : "/24");
        else if (IS("mac"))
            buf_puts(b, is_number(x->wake) ? x->wake : "");
        else if (IS("arch"))
            put_word(b, w, x->arch);
        else if (is_place(x->address)) /* node_ip */
            buf_printf(b, " --node-ip %s", x->address);
        return true;
    }
    if (IS("head"))
        put_word(b, w, inv->nodes[head].name);
    else if (IS("head_at"))
        put_place(b, w, head);
    else if (IS("gateway") || IS("subnet"))
        buf_puts(b, is_number(IS("gateway") ? inv->gateway : inv->subnet) ? IS("gateway") ? inv->gateway : inv->subnet : "");
    else if (IS("namespace"))
        put_word(b, w, inv->namespace_);
    else if (IS("cluster"))
        put_word(b, w, inv->name);
    else if (IS("file")) {
        buf_puts(b, w->g->file[0] == '-' ? "./" : "");
        put_word(b, w, w->g->file);
    } else if (IS("nodes") || IS("pairs"))
        put_nodes(b, w, IS("pairs"));
    else if (IS("image"))
        put_image(b, w);
    else if (IS("platforms"))
        put_platforms(b, w);
    else if (IS("models"))
        put_models(b, w);
    else if (IS("switch_gbit"))
        buf_printf(b, "%g", inv->switch_gbit_s);
    else if (IS("n_k3s")) {
        int n_linux = 0;
        for (int i = 0; i < inv->n_nodes; i++)
            n_linux += (w->g->traits[i] & GUIDE_LINUX) != 0;
        buf_printf(b, "%d", n_linux);
    } else if (IS("n_workers")) {
        int n_workers = 0;
        for (int i = 0; i < inv->n_nodes; i++)
            n_workers += (w->g->traits[i] & (GUIDE_LINUX | GUIDE_WORKER)) == (GUIDE_LINUX | GUIDE_WORKER);
        buf_printf(b, "%d", n_workers);
    } else
        return false;
    return true;
#undef IS
}

static void put_text(struct buf *b, struct names *w, const char *text)
{
    for (const char *s = text; *s; s++) {
        const size_t n = *s == '{' ? strspn(s + 1, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;
        if (n > 0 && s[1 + n] == '}' && put_value(b, w, s + 1, n))
            s += 1 + n;
        else
            buf_putc(b, *s);
    }
}

static char *keep(struct guide *g, const struct buf *b, struct err *err)
{
    if (b->failed)
        return err_null(err, ERR_LIMIT, "guide: a text of more than %d bytes", TEXT_BYTES_MAX);
    return arena_strndup(g->arena, b->data ? b->data : "", b->len, err);
}

char *guide_printf(struct guide *g, struct err *err, const char *fmt, ...)
{
    struct buf b;
    va_list ap;
    buf_init(&b, TEXT_BYTES_MAX);
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < b.len; i++) /* names of the inventory come through here */
        if ((unsigned char)b.data[i] < 0x20 || b.data[i] == 0x7f)
            b.data[i] = '?';
    char *text = keep(g, &b, err);
    buf_fini(&b);
    return text;
}

/* ---- items ---- */

/* NULL with err. */
static const char *expand(struct guide *g, struct names *w, const char *text, bool is_command, struct err *err)
{
    struct buf b;
    buf_init(&b, TEXT_BYTES_MAX * 4);
    w->is_command = is_command;
    put_text(&b, w, text);
    const char *done = keep(g, &b, err);
    buf_fini(&b);
    return done;
}

static bool fill(struct guide *g, struct guide_item *it, struct names *w, struct err *err)
{
    const struct guide_step *s = it->step;
    return (it->title = expand(g, w, s->title, false, err)) && (it->command = expand(g, w, s->command, true, err)) && (it->why = expand(g, w, s->why, false, err)) &&
           (it->check = expand(g, w, s->check, true, err)) && (it->says = expand(g, w, s->says, false, err)) && (it->wrong = expand(g, w, s->wrong, false, err));
}

static const char *name_at(struct guide *g, int node, struct err *err)
{
    const struct inv_node *n = &g->inv->nodes[node];
    return is_place(n->address) ? guide_printf(g, err, "%s (%s)", n->name, n->address) : guide_printf(g, err, "%s", n->name);
}

static const char *name_all(struct guide *g, const struct guide_item *it, struct err *err)
{
    struct buf b;
    if (it->n_nodes == 1)
        return name_at(g, it->nodes[0], err);
    buf_init(&b, TEXT_BYTES_MAX * 8);
    buf_puts(&b, it->n_nodes == g->inv->n_nodes ? "all nodes: " : "");
    for (int i = 0; i < it->n_nodes; i++) {
        buf_puts(&b, i ? ", " : "");
        put_clean(&b, g->inv->nodes[it->nodes[i]].name);
    }
    char *text = keep(g, &b, err);
    buf_fini(&b);
    return text;
}

static bool add(struct guide *g, const struct guide_step *s, const int *nodes, int n_nodes, int node, bool *is_same, struct err *err)
{
    struct guide_item *it = &g->items[g->n_items];
    struct names w = { .g = g, .step = s, .node = node };
    *it = (struct guide_item){ .step = s, .node = node, .nodes = nodes, .n_nodes = n_nodes };
    if (!fill(g, it, &w, err))
        return false;
    *is_same = !w.speaks_of_node;
    const int head = head_of(g->inv);
    it->on = s->where == GUIDE_ON_DESK ? "where the inventory lies" : s->where == GUIDE_ON_HEAD ? name_at(g, head, err) : node >= 0 ? name_at(g, node, err) : name_all(g, it, err);
    g->n_items++;
    return it->on != NULL;
}

static bool add_step(struct guide *g, const struct guide_step *s, struct err *err)
{
    int *nodes = arena_alloc(g->arena, (size_t)g->inv->n_nodes, sizeof(*nodes), err), n = 0;
    bool is_same = true;
    for (int i = 0; nodes && i < g->inv->n_nodes; i++)
        if (holds(s, g->traits[i]))
            nodes[n++] = i;
    if (!nodes || n == 0)
        return nodes != NULL;
    if (!add(g, s, nodes, n, -1, &is_same, err))
        return false;
    if (is_same || s->where != GUIDE_ON_NODES)
        return true;
    g->n_items--; /* its texts differ from node to node: one item for each */
    for (int i = 0; i < n; i++)
        if (!add(g, s, &nodes[i], 1, nodes[i], &is_same, err))
            return false;
    return true;
}

bool guide_item_concerns(const struct guide_item *it, int node)
{
    if (node < 0 || it->step->where == GUIDE_ON_DESK)
        return true;
    for (int i = 0; i < it->n_nodes; i++)
        if (it->nodes[i] == node)
            return true;
    return false;
}

static bool make(struct guide *g, const char *file, struct catalog *c, struct err *err)
{
    const struct inventory *inv = g->inv;
    const size_t most = (size_t)guide_n_steps * (size_t)inv->n_nodes;
    if (!(g->file = guide_printf(g, err, "%s", file)) || !(g->name = guide_printf(g, err, "%s", inv->name)) || !(g->traits = arena_alloc(g->arena, (size_t)inv->n_nodes, sizeof(*g->traits), err)) ||
        !(g->items = calloc(most + 1, sizeof(*g->items))))
        return err->code != ERR_NONE ? false : err_set(err, ERR_NOMEM, "guide: out of memory");
    for (int i = 0; i < inv->n_nodes; i++)
        g->traits[i] = traits_of(inv, i);
    for (int s = 0; s < guide_n_steps; s++)
        if (!add_step(g, &guide_steps[s], err))
            return false;
    return guide_read_speeds(g, c, err) && guide_choose(g, err);
}

struct guide *guide_make(const struct inventory *inv, const char *file, struct catalog *c, struct err *err)
{
    struct guide *g = calloc(1, sizeof(*g));
    err_clear(err);
    if (!g)
        return err_null(err, ERR_NOMEM, "guide: out of memory");
    g->inv = inv;
    if (!(g->arena = arena_new(ARENA_BYTES_MAX, err)) || (inv->n_nodes < 1 && !err_set(err, ERR_INPUT, "guide: the inventory has no nodes")) || !make(g, file, c, err)) {
        guide_free(g);
        return NULL;
    }
    return g;
}

void guide_free(struct guide *g)
{
    if (!g)
        return;
    arena_free(g->arena);
    free(g->items);
    free(g);
}
