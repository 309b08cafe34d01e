/* expert/server_hello.c - is a server there, and what does its model take?  Asked when somebody wants to know; start at
 * talk_hello(). */
#include <stdio.h>
#include <stdlib.h>

#include "expert/server_internal.h"
#include "wire/oip.h"

static void copy_io(struct task_io *to, int *n_to, const struct tensor *from, int n)
{
    for (int i = 0; i < n && *n_to < TASK_IO_MAX; i++) {
        struct task_io *io = &to[(*n_to)++];
        snprintf(io->name, sizeof(io->name), "%s", from[i].name);
        io->shape = from[i];
        io->shape.name = io->name;
    }
}

/* A description that cannot be read is none: the model answers all the same. */
static struct task_info *read_info(const struct expert_server *e)
{
    struct err err = { 0 };
    struct tensor inputs[OIP_TENSORS_MAX], outputs[OIP_TENSORS_MAX];
    int n_inputs = 0, n_outputs = 0;
    struct arena *a = arena_new(1 << 20, &err);
    struct task_info *info = calloc(1, sizeof(*info));
    if (a && info && oip_read_model(e->hello_body.data ? e->hello_body.data : "", e->hello_body.len, inputs, &n_inputs, outputs, &n_outputs, a, &err)) {
        info->tasks = EXPERT_INFER;
        snprintf(info->runs_on, sizeof(info->runs_on), "%s", e->cfg.runs_on);
        copy_io(info->inputs, &info->n_inputs, inputs, n_inputs);
        copy_io(info->outputs, &info->n_outputs, outputs, n_outputs);
    } else {
        free(info);
        info = NULL;
    }
    arena_free(a);
    return info;
}

static void on_hello_head(void *ctx, const struct http_head *h)
{
    struct expert_server *e = ctx;
    struct err err = { 0 };
    if (h->status == 401 || h->status == 403)
        err_set(&err, ERR_AUTH, "%s: %s wants a key, or another one (status %d)", e->id, e->cfg.target.authority, h->status);
    else if (h->status >= 500)
        err_set(&err, ERR_BUSY, "%s: %s answers with status %d", e->id, e->cfg.target.authority, h->status);
    else if (h->status == 404 && e->cfg.protocol == SERVER_OIP)
        err_set(&err, ERR_NOT_FOUND, "%s: %s has no model '%.80s'", e->id, e->cfg.target.authority, e->cfg.model);
    pthread_mutex_lock(&e->lock);
    e->hello_err = err; /* any other answer comes from somebody who is there */
    pthread_mutex_unlock(&e->lock);
}

static void on_hello_data(void *ctx, const char *bytes, size_t n)
{
    struct expert_server *e = ctx;
    buf_append(&e->hello_body, bytes, n);
}

static void on_hello_end(void *ctx, enum http_end how, const struct err *err)
{
    struct expert_server *e = ctx;
    struct task_info *info = how == HTTP_END_DONE && e->cfg.protocol == SERVER_OIP ? read_info(e) : NULL;
    e->hello = NULL;
    buf_fini(&e->hello_body);
    pthread_mutex_lock(&e->lock);
    if (how != HTTP_END_DONE) {
        e->hello_err = *err;
        err_prefix(&e->hello_err, "%s", e->id);
    }
    if (info) {
        free(e->info);
        e->info = info;
    }
    e->n_hellos = e->n_hellos_asked;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

void talk_hello(struct expert_server *e)
{
    static const struct http_call_fns fns = { on_hello_head, on_hello_data, on_hello_end };
    struct err err = { 0 };
    char path[1200];
    const struct http_field fields[] = { { "user-agent", "tutti/" TUTTI_VERSION }, { "authorization", e->cfg.key } };
    pthread_mutex_lock(&e->lock);
    const bool is_due = e->n_hellos < e->n_hellos_asked;
    pthread_mutex_unlock(&e->lock);
    if (!is_due || e->hello || !e->client || (e->cfg.is_child && e->child.state != SERVER_READY))
        return;
    if (e->cfg.protocol == SERVER_OIP)
        snprintf(path, sizeof(path), "%s/v2/models/%s", e->cfg.base, e->cfg.model);
    else
        snprintf(path, sizeof(path), "%s%s", e->cfg.base, e->cfg.protocol == SERVER_OPENAI ? "/models" : e->cfg.health);
    const struct http_ask ask = { .verb = HTTP_VERB_GET, .path = path, .fields = fields, .n_fields = e->cfg.key[0] ? 2 : 1, .may_repeat = true,
                                  .head_ms = 10000, .idle_ms = 10000, .max_body_bytes = 4 << 20 };
    buf_init(&e->hello_body, 1 << 20);
    e->hello = http_client_call(e->client, &ask, &fns, e, &err);
    if (!e->hello)
        on_hello_end(e, HTTP_END_CONNECT, &err);
}
