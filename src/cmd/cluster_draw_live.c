/* cmd/cluster_draw_live.c - see cluster_draw_live.h. */
#include "cmd/cluster_draw_live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "net/client.h"

enum { WAIT_MS = 20000, BODY_MAX = 64 << 20 };

struct visit {
    struct buf body;
    int status;
    bool is_over;
    struct err err;
};
static void on_head(void *ctx, const struct http_head *head) { ((struct visit *)ctx)->status = head->status; }
static void on_data(void *ctx, const char *bytes, size_t n) { buf_append(&((struct visit *)ctx)->body, bytes, n); }
static void on_end(void *ctx, enum http_end how, const struct err *err)
{
    struct visit *v = ctx;
    v->is_over = true;
    if (how != HTTP_END_DONE)
        v->err = *err;
}

static bool read_bearer(const char *path, char *out, size_t max, struct err *err)
{
    size_t n;
    char *text = path ? file_read(path, 1 << 16, &n, err) : NULL;
    out[0] = '\0';
    if (!text)
        return !path;
    snprintf(out, max, "Bearer %.*s", (int)strcspn(text, " \t\r\n"), text);
    free(text);
    return true;
}

struct draw *cluster_draw_live(const char *url, const char *key_file, struct err *err)
{
    struct http_target target;
    char bearer[512];
    struct visit v = { 0 };
    struct draw *d = NULL;
    const struct http_call_fns fns = { on_head, on_data, on_end };
    if (!http_target_parse(&target, url, err) || !read_bearer(key_file, bearer, sizeof(bearer), err))
        return NULL;
    buf_init(&v.body, BODY_MAX);
    struct net_loop *loop = net_loop_new(err);
    struct http_client *client = loop ? http_client_new(loop, &target, &(struct http_client_config){ 0 }, err) : NULL;
    const struct http_field fields[] = { { "authorization", bearer } };
    const struct http_ask ask = { .verb = HTTP_VERB_GET, .path = "/topology.json", .fields = fields, .n_fields = bearer[0] ? 1 : 0, .may_repeat = true, .head_ms = WAIT_MS,
                                  .idle_ms = WAIT_MS, .max_body_bytes = BODY_MAX };
    if (client && http_client_call(client, &ask, &fns, &v, err)) {
        while (!v.is_over)
            net_loop_step(loop);
        if (v.err.code != ERR_NONE)
            *err = v.err;
        else if (v.status != 200)
            err_set(err, ERR_INPUT, "%.100s: it answered %d%s", url, v.status, v.status == 401 ? ": it wants a key (--key-file)" : v.status == 404 ? ": is it tutti?" : "");
        else if (buf_ok(&v.body, "topology", err))
            d = draw_read_json(v.body.data ? v.body.data : "", v.body.len, err);
    }
    memset(bearer, 0, sizeof(bearer));
    http_client_free(client);
    net_loop_free(loop);
    buf_fini(&v.body);
    return d;
}
