/* cmd/cluster_draw.c - `tutti cluster draw INVENTORY.yaml --out FILE`: machines, experts, a cascade as picture, page or code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "site/draw.h"
#include "cmd/cascade_ids.h"
#include "cmd/catalog_open.h"
#include "cmd/cluster_draw_live.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"

enum { OUT_BYTES_MAX = 256 << 20, SAVED_BYTES_MAX = 64 << 20 };

/* ---- a cascade's stages by the inventory's experts ---- */

static bool look_want(void *ctx, const char *id, bool sees, unsigned *tasks)
{
    const struct inventory *inv = ctx;
    const int i = inventory_find_want(inv, id);
    if (i < 0) {
        if (strcmp(id, "auto") != 0 && strncmp(id, "auto:", 5) != 0)
            return false;
        *tasks = 0;
        for (int k = 0; k < inv->n_wants; k++)
            *tasks |= inv->wants[k].task;
        *tasks |= EXPERT_CHAT;
        return true;
    }
    (void)sees;
    *tasks = inv->wants[i].task;
    return true;
}

/* The cascade's file: beside the inventory, or from here. */
static void cascade_path(const struct inventory *inv, char *out, size_t max)
{
    snprintf(out, max, "%s/%s", inv->dir && *inv->dir ? inv->dir : ".", inv->cascade);
    if (inv->cascade[0] == '/' || access(out, R_OK) != 0)
        snprintf(out, max, "%s", inv->cascade);
}

static bool add_cascade(struct draw *d, struct inventory *inv, struct err *err)
{
    char path[1200];
    struct cmd_expert_env env;
    struct cascade_ids ids = { .ctx = inv, .look = look_want };
    cmd_expert_env(&env, NULL);
    env.env.llm.is_lazy = true;
    cascade_path(inv, path, sizeof(path));
    struct cascade_cards *cards = cascade_cards_new(&env.env, &ids, err);
    struct cascade_world world;
    struct cascade *c = NULL;
    if (cards) {
        world = cascade_cards_world(cards);
        c = cascade_read(path, &world, err);
    }
    const bool ok = c && draw_add_cascade(d, c, inv, err);
    cascade_cards_free(cards);
    cascade_free(c);
    cmd_expert_env_fini(&env);
    return ok;
}

static struct draw *read_inventory(const char *path, struct cmd_opt *opts, bool has_cascade, struct err *err)
{
    struct catalog *catalog = cmd_catalog_open(opts, err);
    struct inventory *inv = catalog ? inventory_read(path, catalog, err) : NULL;
    struct cluster_plan *plan = inv ? cluster_plan_make(inv, catalog, err) : NULL;
    struct draw *d = plan ? draw_from_plan(inv, plan, err) : NULL;
    if (d && has_cascade && inv->cascade && *inv->cascade && !add_cascade(d, inv, err)) {
        draw_free(d);
        d = NULL;
    }
    cluster_plan_free(plan);
    inventory_free(inv);
    catalog_free(catalog);
    return d;
}

/* What --out x.json or GET /topology.json said once. */
static struct draw *read_saved(const char *path, struct err *err)
{
    size_t n;
    char *text = file_read(path, SAVED_BYTES_MAX, &n, err);
    struct draw *d = text ? draw_read_json(text, n, err) : NULL;
    if (text && !d)
        err_prefix(err, "%.150s", path);
    free(text);
    return d;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

/* ---- what it is written as ---- */

enum format { FORMAT_SVG, FORMAT_HTML, FORMAT_DOT, FORMAT_MERMAID, FORMAT_JSON, FORMAT_COUNT };

static bool format_of(const char *path, enum format *out)
{
    static const char *const ends[FORMAT_COUNT] = { ".svg", ".html", ".dot", ".mmd", ".json" };
    for (int i = 0; i < FORMAT_COUNT; i++)
        if (ends_with(path, ends[i])) {
            *out = (enum format)i;
            return true;
        }
    return false;
}

static bool what_of(const char *word, enum draw_what *out)
{
    for (int i = 0; i < DRAW_WHAT_COUNT; i++)
        if (strcmp(word, draw_what_name((enum draw_what)i)) == 0) {
            *out = (enum draw_what)i;
            return true;
        }
    return false;
}

/* The lines that put the picture into a page; on stderr, so that --out /dev/stdout stays the picture. */
static void print_snippet(const char *path, enum format f, enum draw_what what, const struct draw *d)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    if (f == FORMAT_SVG)
        fprintf(stderr, "wrote %s; in a page:\n    <img src=\"%s\" alt=\"%s\" style=\"max-width:100%%;height:auto\">\n", path, file, draw_what_name(what));
    else if (f == FORMAT_HTML)
        fprintf(stderr, "wrote %s; in a page:\n    <iframe src=\"%s\" title=\"%s\" style=\"width:100%%;height:80vh;border:0\"></iframe>\n", path, file, draw_what_name(what));
    else if (f == FORMAT_DOT)
        fprintf(stderr, "wrote %s; as a picture:\n    dot -Tsvg %s -o %.*s.svg\n", path, path, (int)(strlen(path) - 4), path);
    else if (f == FORMAT_MERMAID)
        fprintf(stderr, "wrote %s; in Markdown:\n    ```mermaid\n    (the file's text)\n    ```\n", path);
    else
        fprintf(stderr, "wrote %s: %d nodes, %d experts\n", path, d->n_nodes, d->n_wants);
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct err err = { 0 };
    const struct cmd_opt *live = cmd_opt_find(opts, "live"), *key = cmd_opt_find(opts, "key-file");
    const char *out = cmd_opt_find(opts, "out")->s, *word = cmd_opt_find(opts, "what")->s;
    enum draw_what what = DRAW_TOPOLOGY;
    enum format format;
    if ((argc == 1) == live->given) {
        fprintf(stderr, "tutti: cluster draw: %s; see `tutti cluster draw --help`\n",
                live->given ? "an inventory or --live, not both" : "an INVENTORY.yaml or --live URL is wanted");
        return 2;
    }
    if (!out || !format_of(out, &format)) {
        fprintf(stderr, "tutti: cluster draw: --out FILE is wanted, with one of .svg, .html, .dot, .mmd, .json at its end\n");
        return 2;
    }
    if (!what_of(word, &what)) {
        fprintf(stderr, "tutti: --what %.40s: one of topology, experts, cascade is wanted\n", word);
        return 2;
    }
    struct draw *d = live->given                    ? cluster_draw_live(live->s, key->s, &err)
                     : ends_with(argv[0], ".json") ? read_saved(argv[0], &err)
                                                   : read_inventory(argv[0], opts, what == DRAW_CASCADE || format == FORMAT_HTML || format == FORMAT_JSON, &err);
    if (!d)
        return cmd_fail(&err);
    struct buf b;
    bool ok = false;
    buf_init(&b, OUT_BYTES_MAX);
    switch (format) {
    case FORMAT_SVG: ok = draw_svg(&b, d, what, cmd_opt_find(opts, "narrow")->given ? DRAW_FILE_NARROW : DRAW_FILE, &err); break;
    case FORMAT_HTML: ok = draw_html(&b, d, what, false, &err); break;
    case FORMAT_DOT: ok = draw_dot(&b, d, what, &err); break;
    case FORMAT_MERMAID: ok = draw_mermaid(&b, d, what, &err); break;
    default: draw_put_json(&b, d), buf_putc(&b, '\n'), ok = buf_ok(&b, "picture", &err);
    }
    ok = ok && file_write(out, b.data, b.len, &err);
    if (ok && !cmd_opt_find(opts, "quiet")->given)
        print_snippet(out, format, what, d);
    buf_fini(&b);
    draw_free(d);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt options[] = {
    { .name = "out", .kind = OPT_TEXT, .value = "FILE", .help = "what to write: .svg, .html (interactive), .dot (Graphviz), .mmd (Mermaid), .json" },
    { .name = "what", .kind = OPT_TEXT, .value = "WHAT", .s = "topology", .help = "topology, experts or cascade; a page has all of them and opens with this one" },
    { .name = "live", .kind = OPT_TEXT, .value = "URL", .help = "what a running node sees now (http://beelink:8080) instead of an inventory's plan" },
    { .name = "key-file", .kind = OPT_TEXT, .value = "FILE", .help = "with --live: the node's key is the file's first line" },
    { .name = "narrow", .kind = OPT_FLAG, .help = "an .svg for phones, 390 units wide" },
    { .name = "quiet", .kind = OPT_FLAG, .help = "do not print the lines that put the picture into a page" },
    CMD_OPT_CATALOG,
    { .name = NULL },
};

const struct cmd cmd_cluster_draw = {
    .name = "cluster draw",
    .args = "INVENTORY.yaml",
    .max_args = 1,
    .help = "draw the cluster: machines, experts, a cascade",
    .more = "\nTopology: machines, accelerators, links with their speeds, where each expert lives.  Experts: what the gate sends where.\n"
            "Cascade: its stages, gates and rates, and which machine each stage runs on.  Figures are the plan's estimates; with --live\n"
            "the node's.  Pictures follow the reader's light or dark scheme.  GET /topology of any node is the page, live.\n"
            "Instead of an inventory: a .json that --out FILE.json wrote.\n",
    .opts = options,
    .run = run,
};
