/* cluster/trust_ca.c - see trust_ca.h; start at trust_ca_join(). */
#define _DEFAULT_SOURCE /* mkdtemp() */
#include "cluster/trust_ca.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/label.h"
#include "cluster/trust_file.h"
#include "cluster/trust_state.h"

static uint64_t now_unix(void)
{
    const time_t t = time(NULL);
    return t > TRUST_EARLY_S ? (uint64_t)t : TRUST_EARLY_S;
}

static void forget(char *secret)
{
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}

/* ---- tokens ---- */

bool trust_token_parse(struct trust_token *t, const char *text, struct err *err)
{
    static const char digits[] = "0123456789abcdef";
    *t = (struct trust_token){ .id = "" };
    const bool ok = strlen(text) == 7 + 8 + 1 + 32 + 1 + 64 && memcmp(text, "tutti1.", 7) == 0 && strspn(text + 7, digits) == 8 && text[15] == '.' &&
                    strspn(text + 16, digits) == 32 && text[48] == '.' && strspn(text + 49, digits) == 64;
    if (!ok)
        return err_set(err, ERR_INPUT, "this is no token: one looks like tutti1.ID.SECRET.HASH, of 8, 32 and 64 hex digits (`tutti cluster token` makes one)");
    memcpy(t->id, text + 7, 8);
    memcpy(t->secret, text + 16, 32);
    return hex_read(t->ca_hash, text + 49, 32);
}

static bool hash_secret(char out[65], const char *salt, const char *secret)
{
    unsigned char hash[32];
    char both[65];
    snprintf(both, sizeof(both), "%.32s%.32s", salt, secret);
    const bool ok = EVP_Digest(both, 64, hash, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_cleanse(both, sizeof(both));
    if (ok)
        hex_put(out, hash, sizeof(hash));
    return ok;
}

/* Every token is hashed and compared as a whole, whichever it is; with none at all one that cannot be right is.  -1: no such token. */
static int find_token(const struct trust_state *s, const struct trust_token *t)
{
    static const struct state_token nobody = { .id = "--------", .salt = "00000000000000000000000000000000", .hash = "-" };
    int found = -1;
    for (int i = 0; i < s->n_tokens || i == 0; i++) {
        const struct state_token *k = s->n_tokens > 0 ? &s->tokens[i] : &nobody;
        char hash[65] = "";
        const bool is_hashed = hash_secret(hash, k->salt, t->secret);
        const int differs = CRYPTO_memcmp(k->id, t->id, 8) | CRYPTO_memcmp(k->hash, hash, 64);
        if (is_hashed && differs == 0)
            found = i;
    }
    return found;
}

/* ---- the list ---- */

static bool write_list(const char *dir, struct trust_state *s, struct err *err)
{
    struct trust_revoked *of = calloc((size_t)s->n_nodes + 1, sizeof(*of));
    char *ca = trust_file_read(dir, "ca.pem", err), *key = ca ? trust_file_read(s->dir, "ca.key", err) : NULL;
    struct buf list;
    int n = 0;
    buf_init(&list, TRUST_FILE_MAX_BYTES);
    for (int i = 0; of && i < s->n_nodes; i++)
        if (s->nodes[i].revoked_unix > 0) {
            of[n] = (struct trust_revoked){ .at_unix = s->nodes[i].revoked_unix };
            memcpy(of[n++].serial, s->nodes[i].cert.serial, TRUST_SERIAL_MAX);
        }
    bool ok = of ? key != NULL : err_set(err, ERR_NOMEM, "the revocation list: out of memory");
    ok = ok && trust_cert_make_list(&list, ca, key, s->number, of, n, err) && trust_file_write(dir, "revoked.pem", list.data, list.len, 0644, err);
    buf_fini(&list);
    forget(key);
    free(ca);
    free(of);
    return ok;
}

/* After a crash between the state and the list. */
static bool mend_list(const char *dir, struct trust_state *s, struct err *err)
{
    uint64_t number = 0;
    struct err none = { 0 };
    if (s->number == 0)
        return true;
    char *ca = trust_file_read(dir, "ca.pem", err), *list = trust_file_exists(dir, "revoked.pem") ? trust_file_read(dir, "revoked.pem", &none) : NULL;
    const bool is_there = ca && list && trust_cert_read_list(&number, list, ca, &none) && number >= s->number;
    free(list);
    const bool ok = ca && (is_there || write_list(dir, s, err));
    free(ca);
    return ok;
}

static struct trust_state *open_state(const char *dir, struct err *err)
{
    struct trust_state *s = trust_state_open(dir, err);
    if (s && !mend_list(dir, s, err)) {
        trust_state_close(s);
        return NULL;
    }
    return s;
}

/* ---- signing ---- */

static bool sign(const char *dir, struct trust_state *s, const char *request, bool is_authority, const char *token, struct buf *cert, struct trust_cert *said, struct err *err)
{
    const uint64_t now = now_unix();
    char *ca = trust_file_read(dir, "ca.pem", err), *key = ca ? trust_file_read(s->dir, "ca.key", err) : NULL;
    struct trust_cert house;
    bool ok = key && trust_cert_read(&house, ca, NULL, err);
    if (ok) {
        const uint64_t by = now + TRUST_NODE_DAYS * UINT64_C(86400);
        ok = house.expires_unix > now || err_set(err, ERR_INPUT, "the authority's own certificate is over: a new cluster is needed (`tutti cluster init`)");
        ok = ok && trust_cert_sign(cert, said, ca, key, request, is_authority, now - TRUST_EARLY_S, by < house.expires_unix ? by : house.expires_unix, err);
    }
    forget(key);
    free(ca);
    if (!ok)
        return false;
    struct state_node n = { .cert = *said };
    snprintf(n.token, sizeof(n.token), "%s", token);
    return trust_state_add(s, &n, err) && trust_state_write(s, now, err);
}

static bool is_living(const struct state_node *n, uint64_t now) { return n->revoked_unix == 0 && n->cert.expires_unix > now; }

struct name_look { int n_living; bool is_other_key, is_same_token, is_key_revoked; };
static struct name_look look(const struct trust_state *s, const char *name, const char *key, const char *token)
{
    const uint64_t now = now_unix();
    struct name_look k = { 0 };
    for (int i = 0; i < s->n_nodes; i++) {
        const struct state_node *n = &s->nodes[i];
        const bool is_key = strcmp(n->cert.key, key) == 0;
        k.is_key_revoked = k.is_key_revoked || (is_key && n->revoked_unix > 0);
        if (strcmp(n->cert.name, name) != 0 || !is_living(n, now))
            continue;
        k.n_living++;
        k.is_other_key = k.is_other_key || !is_key;
        k.is_same_token = k.is_same_token || (is_key && strcmp(n->token, token) == 0);
    }
    return k;
}

static enum trust_refusal join_locked(const char *dir, struct trust_state *s, const struct trust_token *token, const char *request, struct buf *cert,
                                      struct trust_cert *said, struct err *err)
{
    char name[TRUST_NAME_MAX], key[TRUST_HASH_MAX];
    const int at = find_token(s, token);
    struct state_token *t = at >= 0 ? &s->tokens[at] : NULL;
    if (!t || t->expires_unix <= now_unix())
        return err_set(err, ERR_AUTH, t ? "token %s is over" : "token %s is wrong or unknown", token->id), TRUST_BAD_TOKEN;
    if (!trust_cert_read_request(request, name, key, err))
        return TRUST_BAD_REQUEST;
    const struct name_look k = look(s, name, key, token->id);
    const bool is_again = k.is_same_token && !k.is_other_key;
    if (t->uses <= 0 && !is_again)
        return err_set(err, ERR_AUTH, "token %s is used up", token->id), TRUST_BAD_TOKEN;
    if (k.is_key_revoked)
        return err_set(err, ERR_INPUT, "%s: its key was revoked", name), TRUST_BAD_REQUEST;
    if (k.is_other_key)
        return err_set(err, ERR_BUSY, "%s: another node has this name; choose one (--name), or take its certificate back: tutti cluster revoke %s", name, name), TRUST_NAME_TAKEN;
    if (k.n_living >= TRUST_CERTS_PER_NODE)
        return err_set(err, ERR_LIMIT, "%s: it has %d certificates", name, k.n_living), TRUST_BAD_REQUEST;
    t->uses -= is_again ? 0 : 1;
    return sign(dir, s, request, false, token->id, cert, said, err) ? TRUST_FINE : TRUST_FAILED;
}

enum trust_refusal trust_ca_join(const char *dir, const char *text, const char *request, struct buf *cert, struct trust_cert *said, struct err *err)
{
    struct trust_token token;
    if (!trust_token_parse(&token, text, err))
        return err_set(err, ERR_AUTH, "what it sent is no token"), TRUST_BAD_TOKEN;
    struct trust_state *s = open_state(dir, err);
    const enum trust_refusal r = s ? join_locked(dir, s, &token, request, cert, said, err) : TRUST_FAILED;
    trust_state_close(s);
    OPENSSL_cleanse(&token, sizeof(token));
    return r;
}

enum trust_refusal trust_ca_renew(const char *dir, const char *name, const char *request, struct buf *cert, struct trust_cert *said, struct err *err)
{
    char asked[TRUST_NAME_MAX], key[TRUST_HASH_MAX];
    if (!trust_cert_read_request(request, asked, key, err))
        return TRUST_BAD_REQUEST;
    if (strcmp(asked, name) != 0)
        return err_set(err, ERR_INPUT, "%s asks for a certificate for %s", name, asked), TRUST_BAD_REQUEST;
    struct trust_state *s = open_state(dir, err);
    enum trust_refusal r = TRUST_FAILED;
    if (s) {
        const struct name_look k = look(s, name, key, "");
        if (k.n_living == 0 || k.is_key_revoked)
            err_set(err, ERR_AUTH, "%s: it has no living certificate", name), r = TRUST_BAD_REQUEST;
        else if (k.n_living >= TRUST_CERTS_PER_NODE)
            err_set(err, ERR_LIMIT, "%s: it has %d certificates", name, k.n_living), r = TRUST_BAD_REQUEST;
        else if (sign(dir, s, request, false, "-", cert, said, err))
            r = TRUST_FINE;
    }
    trust_state_close(s);
    return r;
}

bool trust_ca_renew_self(struct trust *t, struct err *err)
{
    struct buf key, request, cert;
    struct trust_cert said;
    buf_init(&key, 16 << 10), buf_init(&request, 16 << 10), buf_init(&cert, 16 << 10);
    struct trust_state *s = open_state(trust_dir(t), err);
    const bool ok = s && trust_cert_make_key(&key, err) && trust_cert_make_request(&request, key.data, trust_name(t), err) &&
                    sign(trust_dir(t), s, request.data, true, "-", &cert, &said, err) && trust_take_certificate(t, key.data, cert.data, err);
    trust_state_close(s);
    if (key.data)
        OPENSSL_cleanse(key.data, key.len);
    buf_fini(&key), buf_fini(&request), buf_fini(&cert);
    return ok;
}

/* ---- what people ask for ---- */

static void take_away(const char *dir)
{
    static const char *const files[] = { "ca/ca.key", "ca/state", "ca/lock", "ca.pem", "node.pem" };
    char path[TRUST_PATH_MAX];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (snprintf(path, sizeof(path), "%s/%s", dir, files[i]) < (int)sizeof(path))
            unlink(path);
    if (snprintf(path, sizeof(path), "%s/ca", dir) < (int)sizeof(path))
        rmdir(path);
    rmdir(dir);
}

static bool fill(const char *dir, const char *name, struct err *err)
{
    char ca_dir[TRUST_PATH_MAX];
    struct buf ca_key, ca, key, request, cert, own;
    struct trust_cert said;
    struct trust_state *s = NULL;
    struct buf *all[] = { &ca_key, &ca, &key, &request, &cert, &own };
    static const char empty[] = "tutti-authority 1\nlist 0\n";
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        buf_init(all[i], 32 << 10);
    bool ok = trust_file_path(ca_dir, sizeof(ca_dir), dir, "ca", err) && trust_file_folder(ca_dir, err) && trust_cert_make_key(&ca_key, err) &&
              trust_cert_make_ca(&ca, ca_key.data, err) && trust_file_write(ca_dir, "ca.key", ca_key.data, ca_key.len, 0600, err) &&
              trust_file_write(ca_dir, "state", empty, sizeof(empty) - 1, 0600, err) && trust_file_write(dir, "ca.pem", ca.data, ca.len, 0644, err);
    ok = ok && trust_cert_make_key(&key, err) && trust_cert_make_request(&request, key.data, name, err) && (s = trust_state_open(dir, err)) &&
         sign(dir, s, request.data, true, "-", &cert, &said, err);
    if (ok) {
        buf_append(&own, key.data, key.len);
        buf_append(&own, cert.data, cert.len);
        ok = buf_ok(&own, "the certificate", err) && trust_file_write(dir, "node.pem", own.data, own.len, 0600, err);
    }
    trust_state_close(s);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i]->data)
            OPENSSL_cleanse(all[i]->data, all[i]->len);
        buf_fini(all[i]);
    }
    return ok;
}

bool trust_ca_init(const char *dir, const char *name, struct err *err)
{
    char temp[TRUST_PATH_MAX], above[TRUST_PATH_MAX];
    if (!label_is_valid(name))
        return err_set(err, ERR_INPUT, "'%.80s' is no name for a node: small letters, digits and hyphens, at most 63", name);
    if (trust_file_exists(dir, "ca.pem"))
        return err_set(err, ERR_INPUT, "%s: this machine is in a cluster already (`tutti cluster trust` says which)", dir);
    if (snprintf(temp, sizeof(temp), "%s.XXXXXX", dir) >= (int)sizeof(temp) - 64)
        return err_set(err, ERR_INPUT, "%.80s...: the path is too long", dir);
    snprintf(above, sizeof(above), "%s", dir);
    char *slash = strrchr(above, '/');
    if (!slash || slash == above)
        return err_set(err, ERR_INPUT, "%s: a folder below another one is wanted", dir);
    *slash = '\0';
    file_make_folders(dir, 0755);
    if (!mkdtemp(temp)) /* 0700 */
        return err_set(err, ERR_IO, "%s: %s", temp, strerror(errno));
    bool ok = fill(temp, name, err);
    if (ok && rename(temp, dir) != 0)
        ok = err_set(err, ERR_IO, "%s: %s", dir, errno == ENOTEMPTY || errno == EEXIST ? "there is something in it that is no cluster's" : strerror(errno));
    if (ok)
        trust_file_sync_folder(above);
    else
        take_away(temp);
    return ok;
}

bool trust_ca_token(const char *dir, int uses, uint64_t valid_s, char out[TRUST_TOKEN_TEXT_MAX], struct err *err)
{
    unsigned char r[4 + 16 + 16], hash[32];
    char secret[33], house[65];
    struct state_token t = { .uses = uses, .expires_unix = now_unix() + valid_s };
    struct trust_state *s = open_state(dir, err);
    char *ca = s ? trust_file_read(dir, "ca.pem", err) : NULL;
    bool ok = ca != NULL;
    if (ok && s->n_tokens >= TRUST_TOKENS_MAX)
        ok = err_set(err, ERR_LIMIT, "%d tokens are there already (`tutti cluster token --list`, --forget ID)", s->n_tokens);
    if (ok && (RAND_bytes(r, sizeof(r)) != 1 || !trust_cert_hash(ca, hash)))
        ok = err_set(err, ERR_IO, "no random numbers are to be had");
    if (ok) {
        hex_put(t.id, r, 4), hex_put(secret, r + 4, 16), hex_put(t.salt, r + 20, 16), hex_put(house, hash, 32);
        ok = hash_secret(t.hash, t.salt, secret) || err_set(err, ERR_INTERNAL, "cannot hash");
    }
    if (ok) {
        s->tokens[s->n_tokens++] = t;
        ok = trust_state_write(s, now_unix(), err);
    }
    if (ok)
        snprintf(out, TRUST_TOKEN_TEXT_MAX, "tutti1.%s.%s.%s", t.id, secret, house);
    OPENSSL_cleanse(secret, sizeof(secret));
    free(ca);
    trust_state_close(s);
    return ok;
}

bool trust_ca_forget_token(const char *dir, const char *id, struct err *err)
{
    struct trust_state *s = open_state(dir, err);
    int n = 0;
    if (!s)
        return false;
    for (int i = 0; i < s->n_tokens; i++)
        if (strcmp(s->tokens[i].id, id) != 0)
            s->tokens[n++] = s->tokens[i];
    const bool was_there = n < s->n_tokens;
    s->n_tokens = n;
    const bool ok = was_there ? trust_state_write(s, now_unix(), err) : err_set(err, ERR_NOT_FOUND, "there is no token %.40s", id);
    trust_state_close(s);
    return ok;
}

bool trust_ca_revoke(const char *dir, const char *name, int *n, uint64_t *number, struct err *err)
{
    struct trust_state *s = open_state(dir, err);
    const uint64_t now = now_unix();
    *n = 0;
    if (!s)
        return false;
    char *own = trust_file_read(dir, "node.pem", err);
    struct trust_cert self;
    bool ok = own && trust_cert_read(&self, own, NULL, err);
    if (ok && strcmp(self.name, name) == 0)
        ok = err_set(err, ERR_INPUT, "%s is this node itself, which holds the authority: it cannot be taken back", name);
    for (int i = 0; ok && i < s->n_nodes; i++)
        if (strcmp(s->nodes[i].cert.name, name) == 0 && is_living(&s->nodes[i], now)) {
            s->nodes[i].revoked_unix = now;
            ++*n;
        }
    if (ok && *n == 0)
        ok = err_set(err, ERR_NOT_FOUND, "%.63s: no node of this name has a certificate that is valid (`tutti cluster trust` lists them)", name);
    *number = s->number + 1;
    if (ok) {
        s->number++;
        ok = trust_state_write(s, now, err) && write_list(dir, s, err);
    }
    forget(own);
    trust_state_close(s);
    return ok;
}

bool trust_ca_list(const char *dir, struct trust_issued **nodes, int *n_nodes, struct trust_held **tokens, int *n_tokens, struct err *err)
{
    struct trust_state *s = open_state(dir, err);
    *nodes = NULL, *tokens = NULL, *n_nodes = *n_tokens = 0;
    if (!s)
        return false;
    *nodes = calloc((size_t)s->n_nodes + 1, sizeof(**nodes));
    *tokens = calloc((size_t)s->n_tokens + 1, sizeof(**tokens));
    const bool ok = (*nodes && *tokens) || err_set(err, ERR_NOMEM, "%s: out of memory", dir);
    for (int i = 0; ok && i < s->n_nodes; i++)
        (*nodes)[(*n_nodes)++] = (struct trust_issued){ s->nodes[i].cert, s->nodes[i].revoked_unix };
    for (int i = 0; ok && i < s->n_tokens; i++) {
        struct trust_held *h = &(*tokens)[(*n_tokens)++];
        *h = (struct trust_held){ .expires_unix = s->tokens[i].expires_unix, .uses = s->tokens[i].uses };
        memcpy(h->id, s->tokens[i].id, sizeof(h->id));
    }
    trust_state_close(s);
    return ok;
}
