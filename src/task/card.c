/* task/card.c - reading cards; start at make_card().  What a kind reads beyond the common keys is its own affair. */
#include "task/card.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

static const char *const task_words[] = {
#define X(name, word) word,
    EXPERT_TASKS(X)
#undef X
        NULL
};

const char *expert_task_name(enum expert_task t)
{
    for (int i = 0; i < EXPERT_TASK_COUNT; i++)
        if ((unsigned)t == 1u << i)
            return task_words[i];
    return "?";
}

bool expert_task_find(const char *word, enum expert_task *out)
{
    for (int i = 0; i < EXPERT_TASK_COUNT; i++)
        if (strcmp(task_words[i], word) == 0) {
            *out = (enum expert_task)(1 << i);
            return true;
        }
    return false;
}

static const char *const privacy_words[] = { "local", "lan", "cloud", NULL };
const char *expert_privacy_name(enum expert_privacy p) { return p < EXPERT_PRIVACY_COUNT ? privacy_words[p] : "?"; }

bool card_fail(const struct card *c, const struct yaml_node *at, struct err *err, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return yaml_fail(c->yaml, at ? at : c->node, err, "%s", text);
}

static const char *const common_keys[] = { "name", "task", "kind", "model", "description", "licence", "precision", "languages", "privacy", "threads",
                                           "batch", "batch_delay", "timeout", "keep", "memory", "quality", "price", "source", NULL };

bool card_check_keys(const struct card *c, const char *const *known, struct err *err)
{
    return yaml_check_keys(c->yaml, c->node, known, common_keys, err);
}

static bool copy(const struct card *c, const char *key, char *out, size_t max, struct err *err)
{
    const char *text = NULL;
    if (!yaml_text(c->yaml, c->node, key, &text, err))
        return false;
    if (!text)
        return true;
    if (strlen(text) >= max)
        return card_fail(c, yaml_get(c->node, key), err, "%s: longer than %zu bytes", key, max - 1);
    memcpy(out, text, strlen(text) + 1);
    return true;
}

/* ---- paths ---- */

bool card_resolve(const struct card *c, const struct yaml_node *node, char *path, size_t max, struct err *err)
{
    const char *name;
    if (!yaml_node_text(c->yaml, node, &name, err))
        return false;
    if (!*name)
        return card_fail(c, node, err, "a file's name is wanted");
    const char *const dirs[] = { c->models_dir, c->dir };
    int n = 0;
    if (*name == '/') {
        n = snprintf(path, max, "%s", name);
        if (n >= 0 && (size_t)n < max && access(path, F_OK) == 0)
            return true;
    } else {
        for (int i = 0; i < 2; i++) {
            if (!dirs[i])
                continue;
            n = snprintf(path, max, "%s/%s", dirs[i], name);
            if (n >= 0 && (size_t)n < max && access(path, F_OK) == 0)
                return true;
        }
    }
    if (n < 0 || (size_t)n >= max)
        return card_fail(c, node, err, "a file's name that is too long");
    card_fail(c, node, err, "%s: no such file%s%s%s%s%s", name, *name == '/' ? "" : c->models_dir ? " in " : " beside the card",
              *name != '/' && c->models_dir ? c->models_dir : "", *name != '/' && c->models_dir ? " or beside the card" : "",
              *name == '/' || c->models_dir ? "" : "; name the folder of models", *name == '/' || c->models_dir ? "" : " (--models DIR or TUTTI_MODELS)");
    err->code = ERR_NOT_FOUND;
    return false;
}

bool card_file(const struct card *c, const char *key, bool is_needed, char *path, size_t max, struct err *err)
{
    const struct yaml_node *node = yaml_get(c->node, key);
    path[0] = '\0';
    if (node)
        return card_resolve(c, node, path, max, err);
    return !is_needed || card_fail(c, NULL, err, "%s: a file is wanted", key);
}

/* ---- reading ---- */

static bool is_id(const char *s)
{
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p < 0x21 || strchr("\"'\\<>{}|^`", *p))
            return false;
    return *s != '\0';
}

static void id_from_name(struct card *c)
{
    const char *name = yaml_name(c->yaml), *slash = strrchr(name, '/');
    snprintf(c->id, sizeof(c->id), "%s", slash ? slash + 1 : name);
    char *dot = strrchr(c->id, '.');
    if (dot && dot > c->id && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0))
        *dot = '\0';
}

static bool read_keep(struct card *c, struct err *err)
{
    const struct yaml_node *n = yaml_get(c->node, "keep");
    if (n && n->kind == YAML_TEXT && strcmp(n->text, "always") == 0) {
        c->keep_ms = UINT64_MAX;
        return true;
    }
    if (!yaml_time(c->yaml, c->node, "keep", &c->keep_ms, err))
        return false;
    return !n || c->keep_ms > 0 || card_fail(c, n, err, "keep: a time above 0, or always");
}

static bool read_price(struct card *c, struct err *err)
{
    static const char *const keys[] = { "prompt", "answer", "item", NULL };
    const struct yaml_node *map = NULL;
    double prompt = 0, answer = 0, item = 0;
    if (!yaml_map(c->yaml, c->node, "price", &map, err))
        return false;
    if (map && (!yaml_check_keys(c->yaml, map, keys, NULL, err) || !yaml_number(c->yaml, map, "prompt", 0, 1e5, &prompt, err) ||
                !yaml_number(c->yaml, map, "answer", 0, 1e5, &answer, err) || !yaml_number(c->yaml, map, "item", 0, 1e5, &item, err)))
        return false;
    c->price = (struct card_price){ (float)prompt, (float)answer, (float)item };
    return true;
}

static bool read_common(struct card *c, struct err *err)
{
    const char *task = NULL;
    int privacy = EXPERT_LOCAL;
    int64_t threads = 0, batch = 0, quality = 0;
    if (!copy(c, "name", c->id, sizeof(c->id), err) || !yaml_text(c->yaml, c->node, "task", &task, err) ||
        !copy(c, "kind", c->kind, sizeof(c->kind), err) || !copy(c, "description", c->description, sizeof(c->description), err) ||
        !copy(c, "licence", c->licence, sizeof(c->licence), err) || !copy(c, "precision", c->precision, sizeof(c->precision), err) ||
        !copy(c, "languages", c->languages, sizeof(c->languages), err) ||
        !yaml_choice(c->yaml, c->node, "privacy", privacy_words, &privacy, err) ||
        !yaml_int(c->yaml, c->node, "threads", 1, 1024, &threads, err) || !yaml_int(c->yaml, c->node, "batch", 1, 256, &batch, err) ||
        !yaml_time(c->yaml, c->node, "batch_delay", &c->batch_delay_ms, err) || !yaml_time(c->yaml, c->node, "timeout", &c->timeout_ms, err) ||
        !read_keep(c, err) || !yaml_bytes(c->yaml, c->node, "memory", &c->memory_bytes, err) ||
        !yaml_int(c->yaml, c->node, "quality", 0, 10, &quality, err) || !read_price(c, err))
        return false;
    c->privacy = (enum expert_privacy)privacy;
    c->threads = (int)threads;
    c->batch = (int)batch;
    c->quality = (int)quality;
    if (!c->id[0])
        id_from_name(c);
    if (!is_id(c->id))
        return card_fail(c, yaml_get(c->node, "name"), err, "name: letters without spaces or quotes are wanted");
    if (!task)
        return card_fail(c, NULL, err, "task: what it does is wanted (classify, detect, ocr, transcribe, ...)");
    if (!expert_task_find(task, &c->task)) {
        const char *near = yaml_nearest(task, task_words);
        return card_fail(c, yaml_get(c->node, "task"), err, "task: '%s' is not known%s%s%s", task, near ? "; did you mean '" : "", near ? near : "",
                         near ? "'?" : "");
    }
    if (!c->kind[0])
        return card_fail(c, NULL, err, "kind: what runs it is wanted (onnx, tesseract, espeak, llm, server, remote, ...)");
    const struct yaml_node *model = yaml_get(c->node, "model");
    struct err missing;
    if (model && model->kind == YAML_TEXT && !card_resolve(c, model, c->model, sizeof(c->model), &missing))
        snprintf(c->model, sizeof(c->model), "%s", model->text); /* not there (yet), or no file at all: the kind says */
    return true;
}

static struct card *make_card(struct yaml *yaml, const struct yaml_node *node, bool owns_yaml, const char *dir, const char *models_dir,
                              struct err *err)
{
    struct card *c = calloc(1, sizeof(*c));
    if (!models_dir || !*models_dir)
        models_dir = getenv("TUTTI_MODELS");
    if (!c || !(c->dir = strdup(dir && *dir ? dir : ".")) || (models_dir && *models_dir && !(c->models_dir = strdup(models_dir)))) {
        err_set(err, ERR_NOMEM, "a card: no memory");
        goto fail;
    }
    c->yaml = yaml;
    c->node = node;
    if (node->kind != YAML_MAP || node->n_items == 0)
        yaml_fail(yaml, node, err, "a card is a map: name, task, kind, model, ...");
    else if (read_common(c, err)) {
        c->owns_yaml = owns_yaml;
        return c;
    }
fail:
    card_free(c);
    if (owns_yaml)
        yaml_free(yaml);
    return NULL;
}

struct card *card_parse(const char *name, const char *text, size_t n, const char *dir, const char *models_dir, struct err *err)
{
    struct yaml *y = yaml_parse(name, text, n, err);
    return y ? make_card(y, yaml_root(y), true, dir, models_dir, err) : NULL;
}

struct card *card_read(const char *path, const char *models_dir, struct err *err)
{
    struct yaml *y = yaml_read(path, err);
    if (!y)
        return NULL;
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    struct card *c = NULL;
    if (dir)
        c = make_card(y, yaml_root(y), true, dir, models_dir, err);
    else {
        err_set(err, ERR_NOMEM, "%s: no memory", path);
        yaml_free(y);
    }
    free(dir);
    return c;
}

struct card *card_from_node(struct yaml *yaml, const struct yaml_node *node, const char *dir, const char *models_dir, struct err *err)
{
    return make_card(yaml, node, false, dir, models_dir, err);
}

void card_free(struct card *c)
{
    if (!c)
        return;
    if (c->owns_yaml)
        yaml_free(c->yaml);
    free(c->dir);
    free(c->models_dir);
    free(c);
}

/* ---- writing it again: flow style, every text in quotes but plain ones as they were ---- */

static void put_node(struct buf *b, const struct yaml_node *n);

static void put_text(struct buf *b, const struct yaml_node *n)
{
    bool is_plain = !n->is_quoted && n->n_text > 0;
    for (size_t i = 0; i < n->n_text && is_plain; i++)
        is_plain = strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_./+-", n->text[i]) != NULL;
    if (is_plain && n->text[0] != '-')
        buf_append(b, n->text, n->n_text);
    else if (is_plain && n->text[1] >= '0' && n->text[1] <= '9')
        buf_append(b, n->text, n->n_text); /* a negative number */
    else
        buf_put_json(b, n->text, n->n_text);
}

static void put_node(struct buf *b, const struct yaml_node *n)
{
    if (n->kind == YAML_TEXT) {
        put_text(b, n);
        return;
    }
    buf_putc(b, n->kind == YAML_LIST ? '[' : '{');
    for (int i = 0; i < n->n_items; i++) {
        if (i > 0)
            buf_puts(b, ", ");
        if (n->kind == YAML_MAP) {
            buf_put_json(b, n->keys[i].text, n->keys[i].n_text);
            buf_puts(b, ": ");
        }
        put_node(b, &n->items[i]);
    }
    buf_putc(b, n->kind == YAML_LIST ? ']' : '}');
}

static bool is_whole(const struct card *c) { return c->node == yaml_root(c->yaml); }

const char *card_text_name(const struct card *c) { return is_whole(c) ? yaml_name(c->yaml) : c->id; }

bool card_put_text(const struct card *c, struct buf *out, struct err *err)
{
    if (is_whole(c)) {
        size_t n;
        const char *text = yaml_source(c->yaml, &n);
        buf_append(out, text, n);
        return buf_ok(out, c->id, err);
    }
    /* the name first: the reader's default would be another */
    buf_puts(out, "{\"name\": ");
    buf_put_json_text(out, c->id);
    for (int i = 0; i < c->node->n_items; i++) {
        if (strcmp(c->node->keys[i].text, "name") == 0)
            continue;
        buf_puts(out, ", ");
        buf_put_json(out, c->node->keys[i].text, c->node->keys[i].n_text);
        buf_puts(out, ": ");
        put_node(out, &c->node->items[i]);
    }
    buf_puts(out, "}\n");
    return buf_ok(out, c->id, err);
}
