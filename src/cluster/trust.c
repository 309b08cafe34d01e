/* cluster/trust.c - see trust.h; start at trust_open(). */
#include "cluster/trust.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "cluster/trust_cert.h"
#include "cluster/trust_file.h"

struct trust {
    char dir[TRUST_PATH_MAX];
    char authority[300];
    char name[TRUST_NAME_MAX];
    char *ca;
    char cluster[TRUST_HASH_MAX];
    bool holds_ca;
    pthread_mutex_t lock; /* all below */
    char *own, *list;     /* list NULL: none */
    struct trust_cert said;
    uint64_t number, generation;
    uint64_t own_mark, list_mark; /* of the files that were read */
};

static void lock(const struct trust *t) { pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&t->lock); }
static void unlock(const struct trust *t) { pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&t->lock); }

bool trust_default_dir(char *out, size_t max)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int n = -1;
    if (data && data[0] == '/')
        n = snprintf(out, max, "%s/tutti/trust", data);
    else if (home && home[0] == '/')
        n = snprintf(out, max, "%s/.local/share/tutti/trust", home);
    return n > 0 && (size_t)n < max;
}

/* ---- reading the folder ---- */

/* With the lock, or before anybody else knows it. */
static bool read_own(struct trust *t, struct err *err)
{
    const uint64_t mark = trust_file_mark(t->dir, "node.pem");
    struct trust_cert said;
    char *own = trust_file_read(t->dir, "node.pem", err);
    if (!own)
        return false;
    if (!trust_cert_read(&said, own, t->ca, err) || (!trust_cert_is_of(own, own) && !err_set(err, ERR_INPUT, "its key and its certificate do not belong together"))) {
        free(own);
        return err_prefix(err, "%s/node.pem", t->dir);
    }
    if (t->name[0] && strcmp(t->name, said.name) != 0) { /* another node's: for who starts anew */
        free(own);
        t->own_mark = mark;
        return err_set(err, ERR_INPUT, "%s/node.pem: it is for %s now, not for %s", t->dir, said.name, t->name);
    }
    free(t->own);
    t->own = own;
    t->said = said;
    t->own_mark = mark;
    t->generation++;
    return true;
}

static bool read_list(struct trust *t, struct err *err)
{
    const uint64_t mark = trust_file_mark(t->dir, "revoked.pem");
    uint64_t number = 0;
    char *list = mark ? trust_file_read(t->dir, "revoked.pem", err) : NULL;
    if (!mark)
        return true; /* none yet */
    if (!list || !trust_cert_read_list(&number, list, t->ca, err)) {
        free(list);
        return err_prefix(err, "%s/revoked.pem", t->dir);
    }
    t->list_mark = mark;
    if (t->list && number <= t->number) { /* never back */
        free(list);
        return true;
    }
    free(t->list);
    t->list = list;
    t->number = number;
    t->generation++;
    return true;
}

static void read_authority(struct trust *t)
{
    struct err err;
    char *s = trust_file_exists(t->dir, "authority") ? trust_file_read(t->dir, "authority", &err) : NULL;
    if (s)
        snprintf(t->authority, sizeof(t->authority), "%.*s", (int)strcspn(s, "\r\n"), s);
    free(s);
}

struct trust *trust_open(const char *dir, struct err *err)
{
    unsigned char hash[32];
    if (strlen(dir) + 16 > TRUST_PATH_MAX)
        return err_null(err, ERR_INPUT, "%.80s...: the path is too long", dir);
    if (!trust_file_exists(dir, "node.pem"))
        return err_null(err, ERR_NOT_FOUND, "%s: this machine is in no cluster yet: `tutti cluster init` on the first, `tutti node join URL --token T` on the others", dir);
    struct trust *t = calloc(1, sizeof(*t));
    if (!t)
        return err_null(err, ERR_NOMEM, "%s: out of memory", dir);
    pthread_mutex_init(&t->lock, NULL);
    snprintf(t->dir, sizeof(t->dir), "%s", dir);
    t->holds_ca = trust_file_exists(dir, "ca/ca.key");
    read_authority(t);
    bool ok = (t->ca = trust_file_read(dir, "ca.pem", err)) != NULL;
    if (ok && (ok = trust_cert_hash(t->ca, hash) || err_set(err, ERR_INPUT, "%s/ca.pem: no certificate", dir)))
        hex_put(t->cluster, hash, sizeof(hash));
    if (ok && read_own(t, err) && read_list(t, err)) {
        memcpy(t->name, t->said.name, sizeof(t->name));
        return t;
    }
    trust_free(t);
    return NULL;
}

void trust_free(struct trust *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    if (t->own)
        memset(t->own, 0, strlen(t->own));
    free(t->own);
    free(t->list);
    free(t->ca);
    free(t);
}

bool trust_refresh(struct trust *t)
{
    struct err err = { 0 };
    lock(t);
    const uint64_t before = t->generation;
    if (trust_file_mark(t->dir, "node.pem") != t->own_mark)
        read_own(t, &err);
    if (trust_file_mark(t->dir, "revoked.pem") != t->list_mark)
        read_list(t, &err);
    const bool is_new = t->generation != before;
    unlock(t);
    return is_new;
}

/* ---- what it says ---- */

const char *trust_name(const struct trust *t) { return t->name; }
const char *trust_dir(const struct trust *t) { return t->dir; }
const char *trust_authority(const struct trust *t) { return t->authority; }
bool trust_holds_ca(const struct trust *t) { return t->holds_ca; }
void trust_cluster(const struct trust *t, char out[65]) { memcpy(out, t->cluster, sizeof(t->cluster)); }

static uint64_t get(const struct trust *t, const uint64_t *field)
{
    lock(t);
    const uint64_t v = *field;
    unlock(t);
    return v;
}
uint64_t trust_expires_unix(const struct trust *t) { return get(t, &t->said.expires_unix); }
uint64_t trust_revocations(const struct trust *t) { return get(t, &t->number); }
uint64_t trust_generation(const struct trust *t) { return get(t, &t->generation); }

bool trust_is_due(const struct trust *t, uint64_t now_unix)
{
    lock(t);
    const uint64_t life = t->said.expires_unix > t->said.begins_unix ? t->said.expires_unix - t->said.begins_unix : 0;
    const bool is_due = now_unix >= t->said.begins_unix + life / 3 * 2;
    unlock(t);
    return is_due;
}

/* ---- TLS ---- */

static struct tls_context *make_tls(const struct trust *t, bool is_server, struct err *err)
{
    lock(t);
    const struct tls_node n = { .is_server = is_server, .own = t->own, .ca = t->ca, .crl = t->list, .admits_nobody = is_server && t->holds_ca };
    struct tls_context *k = tls_node_new(&n, err);
    unlock(t);
    return k;
}

struct tls_context *trust_server_tls(const struct trust *t, struct err *err) { return make_tls(t, true, err); }
struct tls_context *trust_client_tls(const struct trust *t, struct err *err) { return make_tls(t, false, err); }

/* ---- what is new ---- */

bool trust_take_revocations(struct trust *t, const void *pem, size_t n, struct err *err)
{
    uint64_t number = 0;
    if (n >= TRUST_FILE_MAX_BYTES)
        return err_set(err, ERR_LIMIT, "the revocation list: %zu bytes", n);
    char *list = malloc(n + 1);
    if (!list)
        return err_set(err, ERR_NOMEM, "the revocation list: out of memory");
    memcpy(list, pem, n);
    list[n] = '\0';
    lock(t);
    bool is_newer = trust_cert_read_list(&number, list, t->ca, err) && (!t->list || number > t->number);
    if (is_newer && (is_newer = trust_file_write(t->dir, "revoked.pem", list, strlen(list), 0644, err))) {
        free(t->list);
        t->list = list;
        list = NULL;
        t->number = number;
        t->list_mark = trust_file_mark(t->dir, "revoked.pem");
        t->generation++;
    }
    unlock(t);
    free(list);
    return is_newer;
}

bool trust_put_revocations(const struct trust *t, struct buf *out)
{
    lock(t);
    const bool has_list = t->list != NULL;
    if (has_list)
        buf_puts(out, t->list);
    unlock(t);
    return has_list && !out->failed;
}

char *trust_dup_ca(const struct trust *t, struct err *err)
{
    char *ca = strdup(t->ca);
    return ca ? ca : err_null(err, ERR_NOMEM, "nodes: out of memory");
}

bool trust_take_certificate(struct trust *t, const char *key_pem, const char *cert_pem, struct err *err)
{
    struct trust_cert said;
    struct buf b;
    buf_init(&b, 64 << 10);
    buf_puts(&b, key_pem);
    buf_puts(&b, cert_pem);
    lock(t);
    bool ok = trust_cert_read(&said, cert_pem, t->ca, err);
    if (ok && strcmp(said.name, t->name) != 0)
        ok = err_set(err, ERR_INPUT, "the new certificate is for %s", said.name);
    if (ok && !trust_cert_is_of(cert_pem, key_pem))
        ok = err_set(err, ERR_INPUT, "the new certificate is for another key");
    ok = ok && buf_ok(&b, "the new certificate", err) && trust_file_write(t->dir, "node.pem", b.data, b.len, 0600, err) && read_own(t, err);
    unlock(t);
    if (b.data)
        memset(b.data, 0, b.len);
    buf_fini(&b);
    return ok;
}
