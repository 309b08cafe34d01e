/* cmd/ask.c - see ask.h. */
#include "cmd/ask.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "net/client.h"

enum { KEY_FILE_MAX_BYTES = 1 << 20, HEAD_MS = 5000, BODY_MAX_BYTES = 64 << 20 };

struct ask {
    struct net_loop *loop;
    struct buf *body;
    struct err *err;
    int status;
    bool ok;
};

static void on_head(void *ctx, const struct http_head *head) { ((struct ask *)ctx)->status = head->status; }
static void on_data(void *ctx, const char *bytes, size_t n) { buf_append(((struct ask *)ctx)->body, bytes, n); }
static void on_end(void *ctx, enum http_end how, const struct err *err)
{
    struct ask *a = ctx;
    a->ok = how == HTTP_END_DONE;
    if (!a->ok)
        *a->err = *err;
    net_loop_stop(a->loop);
}

/* "Bearer KEY" of the first line that is a key. */
static bool read_key(const char *path, char *out, size_t max, struct err *err)
{
    size_t n;
    char *text = file_read(path, KEY_FILE_MAX_BYTES, &n, err);
    bool ok = false;
    for (char *line = text ? strtok(text, "\n") : NULL; line && !ok; line = strtok(NULL, "\n")) {
        line[strcspn(line, "\r")] = '\0';
        ok = *line && *line != '#' && snprintf(out, max, "Bearer %s", line) < (int)max;
    }
    if (text && !ok)
        err_set(err, ERR_INPUT, "%.150s: no key in it", path);
    free(text);
    return ok;
}

bool ask_service(const char *url, const char *path, const char *key_file, struct buf *body, struct err *err)
{
    static const struct http_call_fns fns = { on_head, on_data, on_end };
    struct http_target target;
    struct ask a = { .body = body, .err = err };
    char key[300];
    if (!http_target_parse(&target, url, err) || (key_file && !read_key(key_file, key, sizeof(key), err)))
        return false;
    const struct http_field field = { "authorization", key };
    const struct http_ask ask = { .verb = HTTP_VERB_GET, .path = path, .fields = &field, .n_fields = key_file != NULL, .head_ms = HEAD_MS, .idle_ms = HEAD_MS, .max_body_bytes = BODY_MAX_BYTES };
    struct http_client *client = NULL;
    bool ok = (a.loop = net_loop_new(err)) && (client = http_client_new(a.loop, &target, NULL, err)) && http_client_call(client, &ask, &fns, &a, err);
    if (ok)
        net_loop_run(a.loop);
    http_client_free(client);
    net_loop_free(a.loop);
    if (!ok || !a.ok)
        return err_prefix(err, "%.100s", url);
    if (a.status == 200)
        return buf_ok(body, "the answer", err);
    for (size_t i = 0; i < body->len; i++) /* a stranger's words, on a line of ours */
        if (iscntrl((unsigned char)body->data[i]))
            body->data[i] = ' ';
    return err_set(err, a.status == 401 ? ERR_AUTH : ERR_IO, "%.100s: status %d: %.100s", url, a.status, body->data ? body->data : "");
}
