/* base/yaml.c - reading YAML; start at yaml_parse().  libfyaml parses, build() copies its nodes into plain ones. */
#include "base/yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/utf8.h"

struct yaml {
    struct arena *arena;
    char *name, *source;
    size_t n_source;
    const struct yaml_node *root;
};

const struct yaml_node *yaml_root(const struct yaml *y) { return y->root; }
const char *yaml_name(const struct yaml *y) { return y->name; }

const char *yaml_source(const struct yaml *y, size_t *n)
{
    *n = y->n_source;
    return y->source;
}

bool yaml_fail(const struct yaml *y, const struct yaml_node *at, struct err *err, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (at)
        return err_set(err, ERR_INPUT, "%s:%d:%d: %s", y->name, at->line, at->column, text);
    return err_set(err, ERR_INPUT, "%s: %s", y->name, text);
}

/* ---- libfyaml's document to ours ---- */

static bool build(struct yaml *y, struct fy_node *from, struct yaml_node *to, int depth, struct err *err);

static bool build_text(struct yaml *y, struct fy_node *from, struct yaml_node *to, struct err *err)
{
    size_t n = 0;
    const char *text = fy_node_get_scalar(from, &n);
    struct fy_token *token = fy_node_get_scalar_token(from);
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    if (mark) {
        to->line = mark->line + 1;
        to->column = mark->column + 1;
    }
    if (fy_node_is_alias(from))
        return yaml_fail(y, to, err, "aliases (*name) are not read here: write the value out");
    const enum fy_node_style style = fy_node_get_style(from);
    to->kind = YAML_TEXT;
    to->is_quoted = style != FYNS_PLAIN && style != FYNS_ANY;
    if (text && memchr(text, '\0', n))
        return yaml_fail(y, to, err, "a zero byte in a text");
    to->text = arena_strndup(y->arena, text ? text : "", text ? n : 0, err);
    to->n_text = text ? n : 0;
    return to->text != NULL;
}

static struct yaml_node *new_items(struct yaml *y, int n, struct err *err)
{
    return arena_alloc(y->arena, (size_t)n, sizeof(struct yaml_node), err);
}

static void stand_at(struct yaml_node *to, const struct yaml_node *first)
{
    if (to->line == 0) {
        to->line = first->line;
        to->column = first->column;
    }
}

static bool build_list(struct yaml *y, struct fy_node *from, struct yaml_node *to, int depth, struct err *err)
{
    const int n = fy_node_sequence_item_count(from);
    struct yaml_node *items = new_items(y, n > 0 ? n : 0, err);
    void *it = NULL;
    to->kind = YAML_LIST;
    to->items = items;
    if (!items)
        return false;
    for (struct fy_node *item; to->n_items < n && (item = fy_node_sequence_iterate(from, &it)) != NULL; to->n_items++) {
        items[to->n_items].line = to->line;
        items[to->n_items].column = to->column;
        if (!build(y, item, &items[to->n_items], depth, err))
            return false;
        if (to->n_items == 0)
            stand_at(to, items);
    }
    return true;
}

static bool build_map(struct yaml *y, struct fy_node *from, struct yaml_node *to, int depth, struct err *err)
{
    const int n = fy_node_mapping_item_count(from);
    struct yaml_node *items = new_items(y, n > 0 ? n : 0, err), *keys = new_items(y, n > 0 ? n : 0, err);
    void *it = NULL;
    to->kind = YAML_MAP;
    to->items = items;
    to->keys = keys;
    if (!items || !keys)
        return false;
    for (struct fy_node_pair *pair; to->n_items < n && (pair = fy_node_mapping_iterate(from, &it)) != NULL; to->n_items++) {
        struct yaml_node *key = &keys[to->n_items], *item = &items[to->n_items];
        struct fy_node *k = fy_node_pair_key(pair), *v = fy_node_pair_value(pair);
        if (!k || !fy_node_is_scalar(k))
            return yaml_fail(y, to->line ? to : NULL, err, "a key that is no text");
        if (!build_text(y, k, key, err))
            return false;
        if (to->n_items == 0)
            stand_at(to, key);
        item->line = key->line;
        item->column = key->column;
        if (!v) {
            item->kind = YAML_TEXT;
            item->text = "";
        } else if (!build(y, v, item, depth, err)) {
            return false;
        }
    }
    return true;
}

static bool build(struct yaml *y, struct fy_node *from, struct yaml_node *to, int depth, struct err *err)
{
    if (depth >= YAML_MAX_DEPTH)
        return yaml_fail(y, to->line ? to : NULL, err, "more than %d levels deep", YAML_MAX_DEPTH);
    if (fy_node_get_tag_token(from))
        return yaml_fail(y, to->line ? to : NULL, err, "tags (!name) are not read here");
    switch (fy_node_get_type(from)) {
    case FYNT_SCALAR: return build_text(y, from, to, err);
    case FYNT_SEQUENCE: return build_list(y, from, to, depth + 1, err);
    case FYNT_MAPPING: return build_map(y, from, to, depth + 1, err);
    }
    return yaml_fail(y, NULL, err, "a node of no known kind");
}

/* ---- before libfyaml sees it ---- */

static bool check_bytes(const struct yaml *y, const char *text, size_t n, struct err *err)
{
    bool in_indent = true;
    struct yaml_node at = { .line = 1, .column = 1 };
    for (size_t i = 0; i < n; i++, at.column++) {
        const unsigned char c = (unsigned char)text[i];
        if (in_indent && c == '\t')
            return yaml_fail(y, &at, err, "a tab in the indentation: YAML wants spaces");
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return yaml_fail(y, &at, err, "a control character");
        if (c == '\n') {
            at.line++;
            at.column = 0;
        }
        in_indent = c == '\n' || (in_indent && c == ' ');
    }
    return true;
}

static void no_output(struct fy_diag *diag, void *user, const char *buf, size_t len)
{
    (void)diag;
    (void)user;
    (void)buf;
    (void)len;
}

static bool fail_as_parser(const struct yaml *y, struct fy_diag *diag, struct err *err)
{
    void *it = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &it);
    if (!e)
        return err_set(err, ERR_INPUT, "%s: this is no YAML", y->name);
    const struct yaml_node at = { .line = e->line > 0 ? e->line : 1, .column = e->column > 0 ? e->column : 1 };
    return yaml_fail(y, &at, err, "%s", e->msg);
}

static bool load(struct yaml *y, struct fy_parser *p, struct fy_diag *diag, struct err *err)
{
    struct fy_document *doc = fy_parse_load_document(p), *second = NULL;
    struct yaml_node *root = new_items(y, 1, err);
    bool ok = false;
    void *it = NULL;
    if (!root) {
        fy_parse_document_destroy(p, doc);
        return false;
    }
    root->line = root->column = 1;
    root->kind = YAML_MAP; /* an empty document */
    y->root = root;
    if (!doc)
        return fy_parser_get_stream_error(p) ? fail_as_parser(y, diag, err) : true;
    struct fy_node *from = fy_document_root(doc);
    if (fy_document_anchor_iterate(doc, &it))
        yaml_fail(y, NULL, err, "anchors (&name) are not read here: write the value out");
    else if ((second = fy_parse_load_document(p)) != NULL)
        yaml_fail(y, NULL, err, "a second document ('---'): one is wanted");
    else if (fy_parser_get_stream_error(p))
        fail_as_parser(y, diag, err);
    else if (!from || (fy_node_is_scalar(from) && fy_node_get_style(from) == FYNS_PLAIN && !*fy_node_get_scalar0(from)))
        ok = true;
    else {
        root->line = root->column = 0;
        ok = build(y, from, root, 0, err);
        if (root->line == 0)
            root->line = root->column = 1;
    }
    fy_parse_document_destroy(p, second);
    fy_parse_document_destroy(p, doc);
    return ok;
}

static bool parse(struct yaml *y, const char *text, size_t n, struct err *err)
{
    struct fy_diag_cfg dc;
    fy_diag_cfg_default(&dc);
    dc.fp = NULL;
    dc.output_fn = no_output;
    struct fy_diag *diag = fy_diag_create(&dc);
    if (!diag)
        return err_set(err, ERR_NOMEM, "%s: no memory", y->name);
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg pc = { .flags = FYPCF_QUIET | FYPCF_DISABLE_RECYCLING, .diag = diag };
    struct fy_parser *p = fy_parser_create(&pc);
    bool ok = false;
    if (!p || fy_parser_set_string(p, text, n) != 0)
        err_set(err, ERR_NOMEM, "%s: no memory", y->name);
    else
        ok = load(y, p, diag, err);
    if (p)
        fy_parser_destroy(p);
    fy_diag_destroy(diag);
    return ok;
}

struct yaml *yaml_parse(const char *name, const char *text, size_t n, struct err *err)
{
    struct yaml *y = calloc(1, sizeof(*y));
    if (!y)
        return err_null(err, ERR_NOMEM, "%s: no memory", name);
    y->arena = arena_new((size_t)YAML_MAX_BYTES * 32, err);
    y->name = y->arena ? arena_strndup(y->arena, name, strlen(name), err) : NULL;
    bool ok = y->name != NULL;
    if (ok && n > YAML_MAX_BYTES)
        ok = err_set(err, ERR_LIMIT, "%s: larger than %d bytes", name, YAML_MAX_BYTES);
    if (ok && !utf8_is_valid(text, n))
        ok = err_set(err, ERR_INPUT, "%s: this is no UTF-8 text", name);
    ok = ok && (y->source = arena_strndup(y->arena, text, n, err)) != NULL;
    y->n_source = n;
    if (ok && check_bytes(y, text, n, err) && parse(y, text, n, err))
        return y;
    yaml_free(y);
    return NULL;
}

struct yaml *yaml_read(const char *path, struct err *err)
{
    size_t n;
    char *text = file_read(path, YAML_MAX_BYTES, &n, err);
    if (!text)
        return NULL;
    struct yaml *y = yaml_parse(strcmp(path, "-") == 0 ? "stdin" : path, text, n, err);
    free(text);
    return y;
}

void yaml_free(struct yaml *y)
{
    if (!y)
        return;
    arena_free(y->arena);
    free(y);
}

/* ---- finding ---- */

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (map && map->kind == YAML_MAP)
        for (int i = 0; i < map->n_items; i++)
            if (strcmp(map->keys[i].text, key) == 0)
                return &map->items[i];
    return NULL;
}

enum { WORD_MAX = 40 };

/* Letters to put in, take out, change or swap with their neighbour. */
static int distance(const char *a, const char *b)
{
    int rows[3][WORD_MAX + 1];
    const int na = (int)strlen(a), nb = (int)strlen(b);
    if (na > WORD_MAX || nb > WORD_MAX)
        return WORD_MAX;
    for (int k = 0; k <= nb; k++)
        rows[0][k] = k;
    for (int i = 1; i <= na; i++) {
        int *const r = rows[i % 3];
        const int *const up = rows[(i + 2) % 3], *const up2 = rows[(i + 1) % 3];
        r[0] = i;
        for (int k = 1; k <= nb; k++) {
            int d = up[k - 1] + (a[i - 1] != b[k - 1]);
            d = up[k] + 1 < d ? up[k] + 1 : d;
            d = r[k - 1] + 1 < d ? r[k - 1] + 1 : d;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && up2[k - 2] + 1 < d)
                d = up2[k - 2] + 1;
            r[k] = d;
        }
    }
    return rows[na % 3][nb];
}

const char *yaml_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    int best_d = 3 < (int)strlen(word) / 2 + 1 ? 3 : (int)strlen(word) / 2 + 1;
    for (; names && *names; names++) {
        const int d = distance(word, *names);
        if (d < best_d) {
            best_d = d;
            best = *names;
        }
    }
    return best;
}

static bool is_in(const char *word, const char *const *names)
{
    for (; names && *names; names++)
        if (strcmp(word, *names) == 0)
            return true;
    return false;
}

bool yaml_check_keys(const struct yaml *y, const struct yaml_node *map, const char *const *known, const char *const *more, struct err *err)
{
    for (int i = 0; map && map->kind == YAML_MAP && i < map->n_items; i++) {
        const char *key = map->keys[i].text;
        if (is_in(key, known) || is_in(key, more))
            continue;
        const char *near = yaml_nearest(key, known);
        if (!near)
            near = yaml_nearest(key, more);
        return near ? yaml_fail(y, &map->keys[i], err, "'%s' is not known here; did you mean '%s'?", key, near)
                    : yaml_fail(y, &map->keys[i], err, "'%s' is not known here", key);
    }
    return true;
}

/* ---- values ---- */

static const char *const kind_names[] = { "a text", "a list", "a map" };

static bool get_kind(const struct yaml *y, const struct yaml_node *map, const char *key, enum yaml_kind kind, const struct yaml_node **out,
                     struct err *err)
{
    const struct yaml_node *n = yaml_get(map, key);
    if (!n)
        return true;
    if (n->kind != kind)
        return yaml_fail(y, n, err, "%s: %s is wanted, this is %s", key, kind_names[kind], kind_names[n->kind]);
    *out = n;
    return true;
}

bool yaml_map(const struct yaml *y, const struct yaml_node *map, const char *key, const struct yaml_node **out, struct err *err)
{
    return get_kind(y, map, key, YAML_MAP, out, err);
}

bool yaml_list(const struct yaml *y, const struct yaml_node *map, const char *key, const struct yaml_node **out, struct err *err)
{
    return get_kind(y, map, key, YAML_LIST, out, err);
}

bool yaml_text(const struct yaml *y, const struct yaml_node *map, const char *key, const char **out, struct err *err)
{
    const struct yaml_node *n = NULL;
    if (!get_kind(y, map, key, YAML_TEXT, &n, err))
        return false;
    if (n)
        *out = n->text;
    return true;
}

bool yaml_node_text(const struct yaml *y, const struct yaml_node *node, const char **out, struct err *err)
{
    if (node->kind != YAML_TEXT)
        return yaml_fail(y, node, err, "a text is wanted, this is %s", kind_names[node->kind]);
    *out = node->text;
    return true;
}

/* The number at the start of a plain text; *rest is what stands behind it.  C's own hexadecimals, infinities and locale
 * stay outside. */
static bool parse_number(const char *s, double *out, const char **rest)
{
    const char *p = s;
    if (*p == '-' || *p == '+')
        p++;
    if (!(*p >= '0' && *p <= '9') && !(*p == '.' && p[1] >= '0' && p[1] <= '9'))
        return false;
    if (*p == '0' && (p[1] == 'x' || p[1] == 'X'))
        return false;
    char *end;
    *out = strtod(s, &end);
    *rest = end;
    return isfinite(*out);
}

bool yaml_node_number(const struct yaml *y, const struct yaml_node *node, double min, double max, double *out, struct err *err)
{
    const char *rest;
    double v;
    if (node->kind != YAML_TEXT || node->is_quoted || !parse_number(node->text, &v, &rest) || *rest)
        return yaml_fail(y, node, err, "a number is wanted%s", node->kind == YAML_TEXT && node->is_quoted ? " (without quotes)" : "");
    if (v < min || v > max)
        return yaml_fail(y, node, err, "%s: %g to %g is possible", node->text, min, max);
    *out = v;
    return true;
}

bool yaml_number(const struct yaml *y, const struct yaml_node *map, const char *key, double min, double max, double *out, struct err *err)
{
    const struct yaml_node *n = yaml_get(map, key);
    return !n || yaml_node_number(y, n, min, max, out, err);
}

bool yaml_int(const struct yaml *y, const struct yaml_node *map, const char *key, int64_t min, int64_t max, int64_t *out, struct err *err)
{
    const struct yaml_node *n = yaml_get(map, key);
    if (!n)
        return true;
    char *end = NULL;
    errno = 0;
    const long long v = n->kind == YAML_TEXT && !n->is_quoted && *n->text ? strtoll(n->text, &end, 10) : 0;
    if (!end || *end || n->text[0] == ' ')
        return yaml_fail(y, n, err, "%s: a whole number is wanted", key);
    if (errno == ERANGE || v < min || v > max)
        return yaml_fail(y, n, err, "%s: %lld to %lld is possible", key, (long long)min, (long long)max);
    *out = v;
    return true;
}

bool yaml_bool(const struct yaml *y, const struct yaml_node *map, const char *key, bool *out, struct err *err)
{
    const struct yaml_node *n = yaml_get(map, key);
    if (!n)
        return true;
    const bool yes = n->kind == YAML_TEXT && !n->is_quoted && (strcmp(n->text, "true") == 0 || strcmp(n->text, "yes") == 0);
    const bool no = n->kind == YAML_TEXT && !n->is_quoted && (strcmp(n->text, "false") == 0 || strcmp(n->text, "no") == 0);
    if (!yes && !no)
        return yaml_fail(y, n, err, "%s: true or false is wanted", key);
    *out = yes;
    return true;
}

struct unit {
    const char *name;
    double factor;
};

static bool with_unit(const struct yaml *y, const struct yaml_node *n, const char *key, const struct unit *units, const char *what, double most,
                      double *out, struct err *err)
{
    const char *rest;
    double v;
    if (n->kind == YAML_TEXT && parse_number(n->text, &v, &rest) && v >= 0) {
        while (*rest == ' ')
            rest++;
        for (; units->name; units++)
            if (strcmp(units->name, rest) == 0 && v * units->factor <= most) {
                *out = v * units->factor;
                return true;
            }
    }
    return yaml_fail(y, n, err, "%s: %s", key, what);
}

bool yaml_bytes(const struct yaml *y, const struct yaml_node *map, const char *key, uint64_t *out, struct err *err)
{
    static const struct unit units[] = { { "", 1 }, { "B", 1 }, { "k", 1e3 }, { "kB", 1e3 }, { "KB", 1e3 }, { "M", 1e6 }, { "MB", 1e6 },
                                         { "G", 1e9 }, { "GB", 1e9 }, { "T", 1e12 }, { "TB", 1e12 }, { "KiB", 1024 }, { "MiB", 1048576 },
                                         { "GiB", 1073741824 }, { "TiB", 1099511627776 }, { NULL, 0 } };
    const struct yaml_node *n = yaml_get(map, key);
    double v;
    if (!n)
        return true;
    if (!with_unit(y, n, key, units, "an amount of memory is wanted: 512 MB, 2 GiB", 1e18, &v, err))
        return false;
    *out = (uint64_t)v;
    return true;
}

bool yaml_time(const struct yaml *y, const struct yaml_node *map, const char *key, uint64_t *out_ms, struct err *err)
{
    static const struct unit units[] = { { "", 1e3 }, { "ms", 1 }, { "s", 1e3 }, { "m", 6e4 }, { "min", 6e4 }, { "h", 3.6e6 }, { "d", 8.64e7 }, { NULL, 0 } };
    const struct yaml_node *n = yaml_get(map, key);
    double v;
    if (!n)
        return true;
    if (!with_unit(y, n, key, units, "a time is wanted: 250ms, 10s, 5m, 1h", 1e15, &v, err))
        return false;
    *out_ms = (uint64_t)v;
    return true;
}

bool yaml_choice(const struct yaml *y, const struct yaml_node *map, const char *key, const char *const *names, int *out, struct err *err)
{
    const struct yaml_node *n = yaml_get(map, key);
    char all[160] = "";
    if (!n)
        return true;
    for (int i = 0; names[i]; i++) {
        if (n->kind == YAML_TEXT && strcmp(n->text, names[i]) == 0) {
            *out = i;
            return true;
        }
        const size_t at = strlen(all);
        snprintf(all + at, sizeof(all) - at, "%s%s", i ? ", " : "", names[i]);
    }
    return yaml_fail(y, n, err, "%s: one of %s is wanted", key, all);
}

bool yaml_numbers(const struct yaml *y, const struct yaml_node *map, const char *key, int n, double *out, struct err *err)
{
    const struct yaml_node *list = yaml_get(map, key);
    if (!list)
        return true;
    if (list->kind == YAML_TEXT) {
        double v;
        if (!yaml_node_number(y, list, -1e300, 1e300, &v, err))
            return false;
        for (int i = 0; i < n; i++)
            out[i] = v;
        return true;
    }
    if (list->kind != YAML_LIST || list->n_items != n)
        return yaml_fail(y, list, err, "%s: a list of %d numbers is wanted, or one number for all", key, n);
    for (int i = 0; i < n; i++)
        if (!yaml_node_number(y, &list->items[i], -1e300, 1e300, &out[i], err))
            return false;
    return true;
}
