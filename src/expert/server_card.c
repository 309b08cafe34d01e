/* expert/server_card.c - what a card of kind `remote` or `server` says; start reading at server_read_card(). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "expert/server_internal.h"

#define COMMON_KEYS "protocol", "tasks", "sees", "hears", "context", "parallel", "queue", "retries", "first_token", "stall", "voice", "max_answer", "binary"
static const char *const remote_keys[] = { COMMON_KEYS, "url", "key_env", "key_file", "ca_file", NULL };
static const char *const child_keys[] = { COMMON_KEYS, "command", "env", "runtime", "served_name", "base", "health", "ready", "grace", "size",
                                          "starts_per_minute", "start_tries", NULL };
static const char *const protocols[] = { "openai", "ollama", "oip", NULL };
_Static_assert(sizeof(protocols) / sizeof(protocols[0]) == SERVER_PROTOCOL_COUNT + 1, "one name each");

enum { COMMAND_BYTES_MAX = 64 << 10, KEY_BYTES_MAX = 480 };

/* ---- words ---- */

bool server_split(const char *line, struct buf *out, struct err *err)
{
    for (const char *c = line; *c;) {
        char quote = 0;
        if (*c == ' ' || *c == '\t' || *c == '\n') {
            c++;
            continue;
        }
        for (; *c && (quote || (*c != ' ' && *c != '\t' && *c != '\n')); c++) {
            if (quote ? *c == quote : *c == '\'' || *c == '"')
                quote = quote ? 0 : *c;
            else if (*c == '\\' && quote != '\'' && c[1])
                buf_putc(out, *++c);
            else
                buf_putc(out, *c);
        }
        if (quote)
            return err_set(err, ERR_INPUT, "a %s quote that does not end", quote == '"' ? "double" : "single");
        buf_putc(out, '\0');
    }
    return buf_ok(out, "a command", err);
}

static bool put_word(const struct card *card, const struct yaml_node *node, struct buf *out, struct err *err)
{
    const char *text;
    if (!yaml_node_text(card->yaml, node, &text, err))
        return false;
    buf_puts(out, text);
    buf_putc(out, '\0');
    return buf_ok(out, "a command", err);
}

static bool read_command(struct server_config *c, const struct card *card, struct err *err)
{
    const struct yaml_node *n = yaml_get(card->node, "command"), *env = NULL;
    const char *text = NULL;
    if (n && n->kind == YAML_LIST) {
        for (int i = 0; i < n->n_items; i++)
            if (!put_word(card, &n->items[i], &c->command, err))
                return false;
    } else if (!yaml_text(card->yaml, card->node, "command", &text, err)) {
        return false;
    } else if (text && !server_split(text, &c->command, err)) {
        return card_fail(card, n, err, "command: there is a quote that does not end");
    }
    if (n && c->command.len == 0)
        return card_fail(card, n, err, "command: a program and its arguments are wanted");
    if (!yaml_map(card->yaml, card->node, "env", &env, err))
        return false;
    for (int i = 0; env && i < env->n_items; i++) {
        if (!yaml_node_text(card->yaml, &env->items[i], &text, err))
            return false;
        buf_printf(&c->environ, "%s=%s", env->keys[i].text, text);
        buf_putc(&c->environ, '\0');
    }
    return buf_ok(&c->environ, "env", err);
}

/* ---- a key ---- */

static bool is_own_host(const struct http_target *t)
{
    return t->is_unix || strcmp(t->host, "localhost") == 0 || strncmp(t->host, "127.", 4) == 0 || strcmp(t->host, "::1") == 0;
}

static bool read_key(struct server_config *c, const struct card *card, struct err *err)
{
    const char *env = NULL, *file = NULL, *key = NULL;
    char path[1024];
    char *text = NULL;
    size_t n = 0;
    if (!yaml_text(card->yaml, card->node, "key_env", &env, err) || !yaml_text(card->yaml, card->node, "key_file", &file, err))
        return false;
    if (env && file)
        return card_fail(card, yaml_get(card->node, "key_file"), err, "key_file: there is a key_env already");
    if (env) {
        key = getenv(env);
        if (!key || !*key) {
            card_fail(card, yaml_get(card->node, "key_env"), err, "key_env: the environment has no %s: export %s=...", env, env);
            err->code = ERR_AUTH;
            return false;
        }
    }
    if (file) {
        if (!card_resolve(card, yaml_get(card->node, "key_file"), path, sizeof(path), err) || !(text = file_read(path, 4096, &n, err)))
            return false;
        while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
            text[--n] = '\0';
        key = text;
    }
    bool ok = true;
    if (key && !c->target.is_tls && !is_own_host(&c->target))
        log_warn("%s: its key goes over the network in clear (http, not https)", card->id);
    if (key) {
        for (const char *k = key; *k; k++)
            ok = ok && *k > 0x20 && *k < 0x7f;
        ok = ok && *key && strlen(key) <= KEY_BYTES_MAX;
        if (ok)
            snprintf(c->key, sizeof(c->key), "Bearer %s", key);
        else
            card_fail(card, yaml_get(card->node, env ? "key_env" : "key_file"), err, "the key has bytes that no key has, or is too long");
    }
    free(text);
    return ok;
}

/* ---- where ---- */

static bool is_private_host(const char *host)
{
    unsigned a, b;
    const size_t n = strlen(host);
    if (sscanf(host, "%u.%u.", &a, &b) == 2)
        return a == 10 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) || (a == 169 && b == 254);
    return strncasecmp(host, "fd", 2) == 0 ? strchr(host, ':') != NULL
                                           : strncasecmp(host, "fe80:", 5) == 0 || !strchr(host, '.') ||
                                                 (n > 6 && strcmp(host + n - 6, ".local") == 0) || (n > 4 && strcmp(host + n - 4, ".lan") == 0);
}

static bool read_url(struct expert_server *e, const struct card *card, struct err *err)
{
    struct server_config *c = &e->cfg;
    const char *url = NULL;
    struct err why = { 0 };
    if (!yaml_text(card->yaml, card->node, "url", &url, err))
        return false;
    if (!url)
        return card_fail(card, NULL, err, "url: where the server is, for example http://192.168.1.20:8080/v1");
    if (!http_target_parse(&c->target, url, &why))
        return card_fail(card, yaml_get(card->node, "url"), err, "%s", why.text);
    snprintf(c->base, sizeof(c->base), "%s", c->target.prefix[0] ? c->target.prefix : c->protocol == SERVER_OPENAI ? "/v1" : "");
    c->target.prefix[0] = '\0';
    e->card.privacy = card->privacy;
    if (!yaml_get(card->node, "privacy"))
        e->card.privacy = is_own_host(&c->target) ? EXPERT_LOCAL : is_private_host(c->target.host) ? EXPERT_LAN : EXPERT_CLOUD;
    snprintf(c->runs_on, sizeof(c->runs_on), "%.60s", c->target.authority);
    return card_file(card, "ca_file", false, c->ca_file, sizeof(c->ca_file), err);
}

/* ---- the rest ---- */

static bool read_tasks(struct server_config *c, const struct card *card, struct err *err)
{
    const struct yaml_node *list = NULL;
    if (!yaml_list(card->yaml, card->node, "tasks", &list, err) || !yaml_bool(card->yaml, card->node, "sees", &c->sees, err) ||
        !yaml_bool(card->yaml, card->node, "hears", &c->hears, err))
        return false;
    c->tasks = card->task;
    if (card->task == EXPERT_CHAT && !list && c->protocol == SERVER_OPENAI)
        c->tasks |= EXPERT_COMPLETE;
    for (int i = 0; list && i < list->n_items; i++) {
        const char *word;
        enum expert_task t;
        if (!yaml_node_text(card->yaml, &list->items[i], &word, err))
            return false;
        if (!expert_task_find(word, &t))
            return card_fail(card, &list->items[i], err, "tasks: '%s' is not known", word);
        c->tasks |= t;
    }
    if (c->sees)
        c->tasks |= EXPERT_DESCRIBE;
    if (c->tasks & EXPERT_DESCRIBE)
        c->sees = true;
    static const unsigned can[] = {
        [SERVER_OPENAI] = EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED | EXPERT_TRANSCRIBE | EXPERT_SPEAK | EXPERT_DESCRIBE,
        [SERVER_OLLAMA] = EXPERT_CHAT | EXPERT_EMBED | EXPERT_DESCRIBE,
        [SERVER_OIP] = EXPERT_INFER,
    };
    for (int i = 0; i < EXPERT_TASK_COUNT; i++)
        if (c->tasks & ~can[c->protocol] & 1u << i)
            return card_fail(card, yaml_get(card->node, list ? "tasks" : "task"), err, "%s: a server of protocol %s cannot do that",
                             expert_task_name((enum expert_task)(1u << i)), protocols[c->protocol]);
    return true;
}

static bool read_model(struct server_config *c, const struct card *card, struct err *err)
{
    const char *raw = NULL, *served = NULL;
    struct stat st;
    if (!yaml_text(card->yaml, card->node, "model", &raw, err) || !yaml_text(card->yaml, card->node, "served_name", &served, err))
        return false;
    if (!raw && !c->is_child && c->protocol != SERVER_OPENAI)
        return card_fail(card, NULL, err, "model: its name on that server is wanted");
    snprintf(c->model, sizeof(c->model), "%s", served ? served : raw ? raw : card->id);
    snprintf(c->model_path, sizeof(c->model_path), "%s", card->model[0] ? card->model : raw ? raw : "");
    c->memory_bytes = card->memory_bytes;
    if (c->memory_bytes == 0 && c->is_child && stat(c->model_path, &st) == 0 && S_ISREG(st.st_mode))
        c->memory_bytes = (uint64_t)st.st_size;
    return true;
}

static bool copy_text(const struct card *card, const char *key, char *out, size_t max, struct err *err)
{
    const char *text = NULL;
    if (!yaml_text(card->yaml, card->node, key, &text, err))
        return false;
    if (text && strlen(text) >= max)
        return card_fail(card, yaml_get(card->node, key), err, "%s: longer than %zu bytes", key, max - 1);
    if (text)
        snprintf(out, max, "%s", text);
    return true;
}

static bool read_int(const struct card *card, const char *key, int min, int max, int *out, struct err *err)
{
    int64_t v = *out;
    const bool ok = yaml_int(card->yaml, card->node, key, min, max, &v, err);
    *out = (int)v;
    return ok;
}

static bool read_child(struct server_config *c, const struct card *card, struct err *err)
{
    char base[sizeof(c->base)] = "";
    if (!read_command(c, card, err) || !copy_text(card, "runtime", c->runtime, sizeof(c->runtime), err) ||
        !copy_text(card, "health", c->health, sizeof(c->health), err) || !copy_text(card, "base", base, sizeof(base), err) ||
        !yaml_time(card->yaml, card->node, "ready", &c->ready_ms, err) || !yaml_time(card->yaml, card->node, "grace", &c->grace_ms, err) ||
        !yaml_number(card->yaml, card->node, "size", 0.001, 10000, &c->params_b, err) ||
        !read_int(card, "starts_per_minute", 1, 1000000, &c->n_starts_per_min, err) || !read_int(card, "start_tries", 1, 1000000, &c->n_start_tries, err))
        return false;
    if (c->runtime[0] && c->command.len > 0 && strcmp(c->runtime, "auto") != 0)
        return card_fail(card, yaml_get(card->node, "runtime"), err, "runtime: there is a command already");
    if (c->health[0] && c->health[0] != '/')
        return card_fail(card, yaml_get(card->node, "health"), err, "health: a path that begins with '/' is wanted");
    snprintf(c->base, sizeof(c->base), "%s", yaml_get(card->node, "base") ? base : c->protocol == SERVER_OPENAI ? "/v1" : "");
    return true;
}

bool server_read_card(struct expert_server *e, const struct card *card, struct err *err)
{
    struct server_config *c = &e->cfg;
    int protocol = SERVER_OPENAI;
    *c = (struct server_config){ .is_child = strcmp(card->kind, "server") == 0, .n_queue_max = 512, .n_retries = 3, .n_start_tries = 3,
                                 .n_starts_per_min = 10, .first_ms = 120000, .stall_ms = 15000, .ready_ms = 300000, .grace_ms = 5000,
                                 .max_answer_bytes = 64 << 20 };
    c->n_parallel = c->is_child ? 4 : 16;
    c->is_binary = true;
    buf_init(&c->command, COMMAND_BYTES_MAX);
    buf_init(&c->environ, COMMAND_BYTES_MAX);
    if (!card_check_keys(card, c->is_child ? child_keys : remote_keys, err) ||
        !yaml_choice(card->yaml, card->node, "protocol", protocols, &protocol, err))
        return false;
    c->protocol = (enum server_protocol)protocol;
    if (!read_tasks(c, card, err) || !read_model(c, card, err) || !(c->is_child ? read_child(c, card, err) : read_url(e, card, err) && read_key(c, card, err)) ||
        !yaml_bool(card->yaml, card->node, "binary", &c->is_binary, err) || !read_int(card, "context", 16, 1 << 24, &c->n_ctx, err) || !read_int(card, "parallel", 1, 1024, &c->n_parallel, err) ||
        !read_int(card, "queue", 1, 100000, &c->n_queue_max, err) || !read_int(card, "retries", 0, 1000, &c->n_retries, err) ||
        !yaml_time(card->yaml, card->node, "first_token", &c->first_ms, err) || !yaml_time(card->yaml, card->node, "stall", &c->stall_ms, err) ||
        !yaml_bytes(card->yaml, card->node, "max_answer", &c->max_answer_bytes, err) || !copy_text(card, "voice", c->voice, sizeof(c->voice), err))
        return false;
    c->whole_ms = card->timeout_ms ? card->timeout_ms : 60000;
    c->keep_ms = card->keep_ms ? card->keep_ms : 600000;
    if (!c->health[0])
        snprintf(c->health, sizeof(c->health), "%s", c->protocol == SERVER_OIP ? "/v2/health/ready" : c->protocol == SERVER_OLLAMA ? "/api/version" : "/health");

    struct expert_card *k = &e->card;
    snprintf(k->id, sizeof(k->id), "%s", card->id);
    snprintf(k->name, sizeof(k->name), "%.90s", c->model);
    snprintf(k->kind, sizeof(k->kind), "%s", card->kind);
    snprintf(k->quantization, sizeof(k->quantization), "%.15s", card->precision);
    snprintf(k->description, sizeof(k->description), "%s", card->description);
    snprintf(k->languages, sizeof(k->languages), "%s", card->languages);
    snprintf(k->runs_on, sizeof(k->runs_on), "%s", c->runs_on);
    k->tasks = c->tasks;
    k->sees = c->sees;
    k->hears = c->hears;
    k->n_ctx = c->n_ctx;
    k->n_seq_max = c->n_parallel;
    k->file_bytes = c->memory_bytes;
    k->quality = card->quality;
    k->price = card->price;
    k->has_chat_template = true; /* the server's */
    k->knows_tools = (c->tasks & EXPERT_CHAT) != 0;
    if (c->is_child)
        k->privacy = EXPERT_LOCAL;
    return true;
}

void server_config_fini(struct server_config *c)
{
    buf_fini(&c->command);
    buf_fini(&c->environ);
}
