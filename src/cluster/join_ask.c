/* cluster/join_ask.c - who joins, and who asks for a new certificate: the other side of join.h; start at join_now(). */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/label.h"
#include "cluster/join.h"
#include "cluster/trust_ca.h"
#include "cluster/trust_file.h"
#include "net/grpc_client.h"
#include "wire/join_pb.h"

#define ASK_NS (20 * UINT64_C(1000000000))
enum { ANSWER_MAX_BYTES = JOIN_LIST_MAX_BYTES + (64 << 10), ARENA_BYTES = 3 * JOIN_LIST_MAX_BYTES };

/* ---- one call ---- */

struct join_ask {
    struct net_loop *loop;
    struct h2_client *client;
    struct grpc_client_call *call;
    join_answer_fn *fn;
    void *ctx;
    struct buf answer;
    bool has_answer;
};

static void on_message(void *ctx, const void *message, size_t n)
{
    struct join_ask *a = ctx;
    buf_append(&a->answer, message, n);
    a->has_answer = true;
}

static void on_end(void *ctx, enum grpc_status status, const char *text)
{
    struct join_ask *a = ctx;
    struct err err = { 0 };
    a->call = NULL;
    if (status == GRPC_PERMISSION_DENIED)
        err_set(&err, ERR_AUTH, "refused: %s", text[0] ? text : "no certificate of this cluster");
    else if (status != GRPC_OK)
        err_set(&err, status == GRPC_UNAVAILABLE ? ERR_BUSY : ERR_IO, "%s", text[0] ? text : grpc_status_name(status));
    else if (!a->has_answer || a->answer.failed)
        err_set(&err, ERR_IO, "the answer is empty or too long");
    a->fn(a->ctx, a->answer.data ? a->answer.data : "", a->answer.len, &err);
}

struct join_ask *join_ask_new(struct net_loop *l, const char *url, struct tls_context *tls, const char *method, const void *message, size_t n, join_answer_fn *fn,
                              void *ctx, struct err *err)
{
    static const struct grpc_client_fns fns = { .on_message = on_message, .on_end = on_end };
    const struct h2_client_config config = { .tls = tls };
    struct http_target target;
    char path[64];
    struct join_ask *a = calloc(1, sizeof(*a));
    if (!a || !http_target_parse(&target, url, err)) {
        if (!a)
            err_set(err, ERR_NOMEM, "nodes: out of memory");
        free(a);
        tls_context_free(tls);
        return NULL;
    }
    a->loop = l, a->fn = fn, a->ctx = ctx;
    buf_init(&a->answer, ANSWER_MAX_BYTES);
    snprintf(path, sizeof(path), "%s%s", JOIN_PATH, method);
    if ((a->client = h2_client_new(l, &target, &config, err)) &&
        (a->call = grpc_client_call(l, a->client, path, NULL, 0, ASK_NS, ANSWER_MAX_BYTES, &fns, a, err))) {
        grpc_client_send(a->call, message, n);
        grpc_client_half_close(a->call);
        return a;
    }
    join_ask_free(a);
    return NULL;
}

void join_ask_free(struct join_ask *a)
{
    if (!a)
        return;
    grpc_client_cancel(a->call);
    h2_client_free(a->client);
    buf_fini(&a->answer);
    free(a);
}

/* ---- and waiting for it ---- */

struct waiting {
    struct net_loop *loop;
    struct buf answer;
    struct err err;
};

static void on_answer(void *ctx, const void *message, size_t n, const struct err *err)
{
    struct waiting *w = ctx;
    w->err = *err;
    buf_append(&w->answer, message, n);
    net_loop_stop(w->loop);
}

/* tls is taken over. */
static bool ask_and_wait(const char *url, struct tls_context *tls, const char *method, const struct buf *message, struct buf *answer, struct err *err)
{
    struct waiting w = { .loop = net_loop_new(err) };
    struct join_ask *a = NULL;
    buf_init(&w.answer, ANSWER_MAX_BYTES);
    if (!w.loop)
        tls_context_free(tls);
    else if ((a = join_ask_new(w.loop, url, tls, method, message->data, message->len, on_answer, &w, err)))
        net_loop_run(w.loop);
    join_ask_free(a);
    net_loop_free(w.loop);
    *answer = w.answer;
    if (!a)
        return false;
    if (w.err.code == ERR_NONE)
        return buf_ok(answer, "the answer", err);
    return err_set(err, w.err.code, "%s", w.err.text);
}

/* ---- joining ---- */

/* The key of an attempt that came to nothing is used again: the authority knows it then. */
static char *key_for(const char *dir, struct err *err)
{
    struct buf key;
    char *kept = trust_file_folder(dir, err) && trust_file_exists(dir, "node.key") ? trust_file_read(dir, "node.key", err) : NULL;
    if (kept || err->code != ERR_NONE)
        return kept;
    buf_init(&key, 16 << 10);
    if (trust_cert_make_key(&key, err) && trust_file_write(dir, "node.key", key.data, key.len, 0600, err))
        return key.data;
    buf_fini(&key);
    return NULL;
}

static bool check_reply(const struct join_reply *r, const struct trust_token *token, const char *name, const char *key, struct err *err)
{
    unsigned char hash[32];
    struct trust_cert said;
    uint64_t number;
    if (!trust_cert_hash(r->ca, hash) || memcmp(hash, token->ca_hash, sizeof(hash)) != 0)
        return err_set(err, ERR_INPUT, "the answer names another authority than the token");
    if (!trust_cert_read(&said, r->certificate, r->ca, err))
        return false;
    if (strcmp(said.name, name) != 0 || !trust_cert_is_of(r->certificate, key))
        return err_set(err, ERR_INPUT, "the certificate that came is for somebody else");
    return !r->revocations[0] || trust_cert_read_list(&number, r->revocations, r->ca, err);
}

static bool keep(const char *temp, const char *dir, const struct join_reply *r, const char *key, const char *url, struct err *err)
{
    char path[TRUST_PATH_MAX];
    struct buf own;
    buf_init(&own, 32 << 10);
    buf_puts(&own, key);
    buf_puts(&own, r->certificate);
    bool ok = buf_ok(&own, "the certificate", err) && trust_file_write(temp, "ca.pem", r->ca, strlen(r->ca), 0644, err) &&
              trust_file_write(temp, "authority", url, strlen(url), 0644, err) &&
              (!r->revocations[0] || trust_file_write(temp, "revoked.pem", r->revocations, strlen(r->revocations), 0644, err)) &&
              trust_file_write(temp, "node.pem", own.data, own.len, 0600, err);
    if (own.data)
        OPENSSL_cleanse(own.data, own.len);
    buf_fini(&own);
    if (ok && rename(temp, dir) != 0)
        ok = err_set(err, ERR_IO, "%s: %s", dir, errno == ENOTEMPTY || errno == EEXIST ? "there is something in it that is no cluster's" : strerror(errno));
    if (ok && trust_file_path(path, sizeof(path), dir, "node.key", err))
        unlink(path); /* node.pem has it */
    if (ok)
        trust_file_sync_folder(dir);
    return ok;
}

bool join_now(const char *dir, const char *url, const char *token_text, const char *name, struct err *err)
{
    char temp[TRUST_PATH_MAX];
    struct trust_token token;
    struct buf request, message, answer = { 0 };
    struct join_reply r;
    if (!trust_token_parse(&token, token_text, err))
        return false;
    if (!label_is_valid(name))
        return err_set(err, ERR_INPUT, "'%.80s' is no name for a node: small letters, digits and hyphens, at most 63 (--name NAME)", name);
    if (trust_file_exists(dir, "node.pem"))
        return err_set(err, ERR_INPUT, "%s: this machine is in a cluster already (`tutti cluster trust` says which); to join anew, move that folder away first", dir);
    if (snprintf(temp, sizeof(temp), "%s.join", dir) >= (int)sizeof(temp) - 16)
        return err_set(err, ERR_INPUT, "%.80s...: the path is too long", dir);
    char *key = key_for(temp, err);
    if (!key)
        return false;
    const struct tls_node who = { .pin = token.ca_hash, .uri = TRUST_AUTHORITY_URI };
    struct tls_context *tls = NULL;
    struct arena *arena = NULL;
    buf_init(&request, 16 << 10), buf_init(&message, 32 << 10);
    bool ok = trust_cert_make_request(&request, key, name, err);
    if (ok) {
        join_pb_put_join(&message, token_text, request.data);
        ok = buf_ok(&message, "the request", err) && (tls = tls_node_new(&who, err)) && ask_and_wait(url, tls, "Join", &message, &answer, err);
    }
    ok = ok && (arena = arena_new(ARENA_BYTES, err)) && join_pb_read_reply(&r, answer.data, answer.len, arena, err) && check_reply(&r, &token, name, key, err) &&
         keep(temp, dir, &r, key, url, err);
    if (message.data)
        OPENSSL_cleanse(message.data, message.len);
    OPENSSL_cleanse(&token, sizeof(token));
    OPENSSL_cleanse(key, strlen(key));
    free(key);
    arena_free(arena);
    buf_fini(&request), buf_fini(&message), buf_fini(&answer);
    return ok;
}

/* ---- staying ---- */

bool join_put_renewal(struct trust *t, struct buf *key, struct buf *message, struct err *err)
{
    struct buf request;
    buf_init(&request, 16 << 10);
    const bool ok = trust_cert_make_key(key, err) && trust_cert_make_request(&request, key->data, trust_name(t), err);
    if (ok)
        join_pb_put_renew(message, request.data);
    buf_fini(&request);
    return ok && buf_ok(message, "the request", err);
}

bool join_take_renewal(struct trust *t, const char *key, const void *message, size_t n, struct err *err)
{
    struct join_reply r;
    struct err late = { 0 };
    struct arena *arena = arena_new(ARENA_BYTES, err);
    const bool ok = arena && join_pb_read_reply(&r, message, n, arena, err) && trust_take_certificate(t, key, r.certificate, err);
    if (ok && r.revocations[0])
        trust_take_revocations(t, r.revocations, strlen(r.revocations), &late); /* not newer: no harm */
    arena_free(arena);
    return ok;
}

bool join_take_revocations(struct trust *t, const void *message, size_t n, struct err *err)
{
    const char *list;
    struct arena *arena = arena_new(ARENA_BYTES, err);
    const bool is_newer = arena && join_pb_read_revocations(&list, message, n, arena, err) && list[0] && trust_take_revocations(t, list, strlen(list), err);
    arena_free(arena);
    return is_newer;
}

bool join_renew_now(struct trust *t, const char *url, struct err *err)
{
    struct buf key, message, answer = { 0 };
    struct tls_context *tls = NULL;
    if (trust_holds_ca(t))
        return trust_ca_renew_self(t, err);
    if (!url && !trust_authority(t)[0])
        return err_set(err, ERR_INPUT, "who holds the authority is not known: say its URL");
    buf_init(&key, 16 << 10), buf_init(&message, 32 << 10);
    const bool ok = join_put_renewal(t, &key, &message, err) && (tls = trust_client_tls(t, err)) &&
                    ask_and_wait(url ? url : trust_authority(t), tls, "Renew", &message, &answer, err) && join_take_renewal(t, key.data, answer.data, answer.len, err);
    if (key.data)
        OPENSSL_cleanse(key.data, key.len);
    buf_fini(&key), buf_fini(&message), buf_fini(&answer);
    return ok;
}
