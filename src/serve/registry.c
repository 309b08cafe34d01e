/* serve/registry.c - see registry.h; start reading at each_entry(). */
#include "serve/registry.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/log.h"
#include "expert/speculate.h"
#include "gguf/gguf.h"

/* One expert: a card (taken over), or a file of our own engine.  at: where the config names it, NULL: nowhere. */
struct found {
    struct card *card;
    const char *path; /* when card is NULL */
    const struct yaml_node *at;
};
typedef bool found_fn(void *ctx, const struct found *f, struct err *err);

struct walk {
    struct registry *r;
    struct config *c;
    const struct expert_env *env;
    found_fn *fn;
    void *ctx;
};

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), n_end = strlen(end);
    return n > n_end && strcmp(s + n - n_end, end) == 0;
}
static bool is_card_file(const char *path) { return ends_with(path, ".yaml") || ends_with(path, ".yml"); }

static bool fail_at(const struct walk *w, const struct yaml_node *at, struct err *err, const char *what, const char *why)
{
    return at ? config_fail(w->c, at, err, "%s: %s", what, why) : err_set(err, ERR_INPUT, "%s: %s", what, why);
}

/* The place in tutti.yaml comes first when the card itself does not say one. */
static bool say_where(const struct walk *w, const struct yaml_node *at, struct err *err)
{
    char where[CONFIG_PATH_MAX + 32];
    if (!at || !w->c->yaml)
        return false;
    const int n = snprintf(where, sizeof(where), "%s:", yaml_name(w->c->yaml));
    if (n > 0 && strncmp(err->text, where, (size_t)n) == 0)
        return false; /* it says so itself */
    return err_prefix(err, "%s:%d:%d", yaml_name(w->c->yaml), at->line, at->column);
}

/* ---- one file ---- */

static bool visit_file(struct walk *w, const char *path, const struct yaml_node *at, struct err *err)
{
    struct found f = { .path = path, .at = at };
    if (is_card_file(path) && !(f.card = card_read(path, w->env->models_dir, err)))
        return say_where(w, at, err);
    return w->fn(w->ctx, &f, err) || say_where(w, at, err);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool visit_folder(struct walk *w, const char *folder, const struct yaml_node *at, struct err *err)
{
    char *names[CONFIG_EXPERTS_MAX];
    int n = 0, n_good = 0;
    DIR *d = opendir(folder);
    if (!d)
        return fail_at(w, at, err, folder, "cannot be read");
    for (const struct dirent *e; n < CONFIG_EXPERTS_MAX && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.' || !(is_card_file(e->d_name) || ends_with(e->d_name, ".gguf")))
            continue;
        const size_t max = strlen(folder) + strlen(e->d_name) + 2;
        if (!(names[n] = malloc(max)))
            break;
        snprintf(names[n++], max, "%s/%s", folder, e->d_name);
    }
    closedir(d);
    qsort(names, (size_t)n, sizeof(names[0]), by_text);
    for (int i = 0; i < n; i++) {
        struct err why = { 0 };
        char *path = w->c ? arena_strndup(w->c->arena, names[i], strlen(names[i]), &why) : NULL;
        if (path && visit_file(w, path, NULL, &why)) {
            n_good++;
        } else {
            log_warn("%s: left out: %s", names[i], why.text);
            w->r->n_left_out++;
        }
        free(names[i]);
    }
    return n_good > 0 || fail_at(w, at, err, folder, "no card (*.yaml) or model (*.gguf) in it could be used");
}

/* ---- cards in tutti.yaml ---- */

/* The card's keys, those that tutti.yaml says otherwise replaced, new ones behind. */
static bool visit_changed(struct walk *w, const struct config_expert *e, struct err *err)
{
    struct registry *r = w->r;
    struct yaml *doc = is_card_file(e->path) ? yaml_read(e->path, err) : NULL;
    if (!doc)
        return is_card_file(e->path) ? say_where(w, e->node, err)
                                     : config_fail(w->c, e->node, err, "card: %s: a card is wanted (.yaml); for a model write kind: llm and model: FILE", e->path);
    if (r->n_docs == CONFIG_EXPERTS_MAX) {
        yaml_free(doc);
        return config_fail(w->c, e->node, err, "experts: at most %d are possible", CONFIG_EXPERTS_MAX);
    }
    r->docs[r->n_docs++] = doc;
    const struct yaml_node *old = yaml_root(doc);
    const size_t max = (size_t)old->n_items + (size_t)e->node->n_items;
    struct yaml_node *keys = arena_alloc(w->c->arena, max, sizeof(*keys), err), *items = keys ? arena_alloc(w->c->arena, max, sizeof(*items), err) : NULL;
    struct yaml_node *merged = items ? arena_alloc(w->c->arena, 1, sizeof(*merged), err) : NULL;
    if (!merged)
        return false;
    *merged = (struct yaml_node){ .kind = YAML_MAP, .line = 1, .column = 1, .keys = keys, .items = items };
    for (int pass = 0; pass < 2; pass++) {
        const struct yaml_node *from = pass ? e->node : old;
        for (int i = 0; i < from->n_items; i++) {
            if (pass ? strcmp(from->keys[i].text, "card") == 0 : yaml_get(e->node, from->keys[i].text) != NULL)
                continue;
            keys[merged->n_items] = from->keys[i];
            items[merged->n_items++] = from->items[i];
        }
    }
    const char *slash = strrchr(e->path, '/');
    char *dir = arena_strndup(w->c->arena, slash ? e->path : ".", slash == e->path ? 1 : slash ? (size_t)(slash - e->path) : 1, err);
    struct found f = { .card = dir ? card_from_node(doc, merged, dir, w->env->models_dir, err) : NULL, .at = e->node };
    return (f.card && w->fn(w->ctx, &f, err)) || say_where(w, e->node, err);
}

static bool visit_inline(struct walk *w, const struct config_expert *e, struct err *err)
{
    const struct yaml_node *name = yaml_get(e->node, "name");
    if (!name)
        return config_fail(w->c, e->node, err, "experts: a card that is written here needs a name (or is it `card: FILE`?)");
    struct found f = { .card = card_from_node(w->c->yaml, e->node, w->c->dir, w->env->models_dir, err), .at = e->node };
    return f.card && w->fn(w->ctx, &f, err);
}

static bool each_entry(struct walk *w, struct err *err)
{
    for (int i = 0; i < w->c->n_experts; i++) {
        const struct config_expert *e = &w->c->experts[i];
        struct stat st;
        bool ok;
        if (!e->path)
            ok = visit_inline(w, e, err);
        else if (e->has_changes)
            ok = visit_changed(w, e, err);
        else if (stat(e->path, &st) == 0 && S_ISDIR(st.st_mode))
            ok = visit_folder(w, e->path, e->node, err);
        else
            ok = visit_file(w, e->path, e->node, err);
        if (!ok)
            return false;
    }
    return true;
}

/* ---- opening ---- */

static bool add_expert(struct walk *w, struct expert *e, const struct found *f, struct err *err)
{
    struct registry *r = w->r;
    struct expert_card card, other;
    if (!e)
        return false;
    expert_get_card(e, &card);
    for (int i = 0; i < r->n_experts; i++) {
        expert_get_card(r->experts[i], &other);
        if (strcmp(other.id, card.id) == 0) {
            expert_free(e);
            return f->at ? config_fail(w->c, f->at, err, "two experts are called '%s'", card.id) : err_set(err, ERR_INPUT, "two models are called '%s'", card.id);
        }
    }
    if (r->n_experts == CONFIG_EXPERTS_MAX) {
        expert_free(e);
        return err_set(err, ERR_LIMIT, "at most %d experts are possible", CONFIG_EXPERTS_MAX);
    }
    r->experts[r->n_experts++] = e;
    return true;
}

static bool open_one(void *ctx, const struct found *f, struct err *err)
{
    struct walk *w = ctx;
    return add_expert(w, f->card ? expert_open_card(f->card, w->env, err) : expert_open(f->path, w->env, err), f, err);
}

bool registry_open(struct registry *r, struct config *c, const struct expert_env *env, struct err *err)
{
    struct walk w = { .r = r, .c = c, .env = env, .fn = open_one };
    w.ctx = &w;
    *r = (struct registry){ 0 };
    return each_entry(&w, err);
}

void registry_fini(struct registry *r)
{
    for (int i = 0; i < r->n_experts; i++)
        expert_free(r->experts[i]);
    for (int i = 0; i < r->n_docs; i++)
        yaml_free(r->docs[i]);
    *r = (struct registry){ 0 };
}

/* ---- checking ---- */

struct check {
    struct walk w;
    struct buf *out;
    struct { char text[128]; } id[CONFIG_EXPERTS_MAX]; /* as clients call them */
    int n_ids;
};

static void note_id(struct check *k, const char *id, size_t n)
{
    if (k->n_ids < CONFIG_EXPERTS_MAX)
        snprintf(k->id[k->n_ids++].text, sizeof(k->id[0].text), "%.*s", (int)n, id);
}

static bool check_aliases(const struct check *k, struct err *err)
{
    const struct config *c = k->w.c;
    const struct yaml_node *map = c->yaml ? yaml_get(yaml_root(c->yaml), "aliases") : NULL;
    const char *names[CONFIG_EXPERTS_MAX + 1];
    for (int i = 0; i < k->n_ids; i++)
        names[i] = k->id[i].text;
    names[k->n_ids] = NULL;
    for (int i = 0; i < c->n_aliases && k->n_ids > 0; i++) { /* no experts: those of the command line will be served */
        const struct config_alias *a = &c->aliases[i];
        bool is_there = false;
        for (int j = 0; j < k->n_ids; j++) {
            if (strcmp(names[j], a->name) == 0)
                return config_fail(c, yaml_get(map, a->name), err, "aliases: an expert is called '%s', too", a->name);
            is_there |= strcmp(names[j], a->expert) == 0;
        }
        const char *near = is_there ? NULL : yaml_nearest(a->expert, names);
        if (!is_there)
            return config_fail(c, yaml_get(map, a->name), err, "aliases: there is no expert '%s'%s%s%s", a->expert, near ? "; did you mean '" : "",
                               near ? near : "", near ? "'?" : "");
    }
    return true;
}

static bool check_model(const char *path, struct err *err)
{
    struct gguf *g = gguf_open(path, err);
    gguf_close(g);
    return g != NULL;
}

static bool check_one(void *ctx, const struct found *f, struct err *err)
{
    struct check *k = ctx;
    if (!f->card) {
        const char *slash = strrchr(f->path, '/'), *name = slash ? slash + 1 : f->path;
        if (!check_model(f->path, err))
            return false;
        note_id(k, name, ends_with(name, ".gguf") ? strlen(name) - 5 : strlen(name));
        buf_printf(k->out, "ok  %-24s llm\n", name);
        return true;
    }
    char path[CONFIG_PATH_MAX], line[256];
    note_id(k, f->card->id, strlen(f->card->id));
    snprintf(line, sizeof(line), "ok  %-24s %s, %s\n", f->card->id, expert_task_name(f->card->task), f->card->kind);
    if (strcmp(f->card->kind, "llm") == 0) {
        const bool ok = card_file(f->card, "model", true, path, sizeof(path), err) && check_model(path, err);
        card_free(f->card);
        if (!ok)
            return false;
    } else if (!add_expert(&k->w, expert_open_card(f->card, k->w.env, err), f, err)) {
        return false;
    }
    buf_puts(k->out, line);
    return true;
}

bool registry_check(struct config *c, const struct expert_env *env, struct buf *out, struct err *err)
{
    struct registry r = { 0 };
    struct check *k = calloc(1, sizeof(*k));
    if (!k)
        return err_set(err, ERR_NOMEM, "no memory");
    k->w = (struct walk){ .r = &r, .c = c, .env = env, .fn = check_one, .ctx = k };
    k->out = out;
    const bool ok = each_entry(&k->w, err) && check_aliases(k, err);
    registry_fini(&r);
    free(k);
    return ok;
}

bool registry_has_cards(const struct config *c)
{
    for (int i = 0; i < c->n_experts; i++)
        if (!c->experts[i].path || c->experts[i].has_changes || !ends_with(c->experts[i].path, ".gguf"))
            return true;
    return false;
}

void registry_env(const struct config *c, struct expert_env *env)
{
    if (config_text(c, CONFIG_MODELS))
        env->models_dir = config_text(c, CONFIG_MODELS);
    if (config_text(c, CONFIG_CACHE))
        env->cache_dir = config_text(c, CONFIG_CACHE);
    if (config_text(c, CONFIG_DATA))
        env->data_dir = config_text(c, CONFIG_DATA);
    if (config_text(c, CONFIG_ONNXRUNTIME))
        env->ort_path = config_text(c, CONFIG_ONNXRUNTIME);
    env->n_threads = (int)config_number(c, CONFIG_THREADS);
    env->llm.n_ctx = (int)config_number(c, CONFIG_CTX);
    env->llm.n_threads = (int)config_number(c, CONFIG_THREADS);
    env->llm.n_seq_max = (int)config_number(c, CONFIG_PARALLEL);
    env->llm.prefix_dir = config_text(c, CONFIG_PREFIX_CACHE);
    env->llm.prefix_bytes = config_number(c, CONFIG_PREFIX_BYTES);
    env->llm.kv_q8 = config_number(c, CONFIG_KV_Q8) != 0;
    struct err err; /* config_read() and the option's reader have looked at it */
    speculate_parse("speculate", config_text(c, CONFIG_SPECULATE), &env->llm.speculate, &err);
}

bool registry_warm(const struct registry *r, const struct config *c, struct expert *out[CONFIG_EXPERTS_MAX], int *n, struct err *err)
{
    struct expert_card card;
    *n = 0;
    for (int i = 0; i < c->n_warm; i++) {
        struct expert *found = NULL;
        for (int k = 0; k < r->n_experts && !found; k++) {
            expert_get_card(r->experts[k], &card);
            found = strcmp(card.id, c->warm[i]->text) == 0 ? r->experts[k] : NULL;
        }
        if (!found)
            return config_fail(c, c->warm[i], err, "warm: there is no expert '%.60s'", c->warm[i]->text);
        out[(*n)++] = found;
    }
    return true;
}
