/* cluster/trust_state.c - see trust_state.h. */
#define _DEFAULT_SOURCE /* flock() */
#include "cluster/trust_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/label.h"
#include "cluster/trust_file.h"

enum { LONG_OVER_S = 86400 };

bool trust_state_add(struct trust_state *s, const struct state_node *n, struct err *err)
{
    if (s->n_nodes >= TRUST_NODES_MAX)
        return err_set(err, ERR_LIMIT, "%s: more than %d certificates", s->dir, TRUST_NODES_MAX);
    if (s->n_nodes == s->cap_nodes) {
        const int cap = s->cap_nodes ? 2 * s->cap_nodes : 64;
        struct state_node *more = realloc(s->nodes, (size_t)cap * sizeof(*more));
        if (!more)
            return err_set(err, ERR_NOMEM, "%s: out of memory", s->dir);
        s->nodes = more;
        s->cap_nodes = cap;
    }
    s->nodes[s->n_nodes++] = *n;
    return true;
}

static bool is_hex(const char *s, size_t n) { return strlen(s) == n && strspn(s, "0123456789abcdef") == n; }

static bool parse_line(struct trust_state *s, const char *line, int i, struct err *err)
{
    struct state_token t;
    struct state_node n = { .revoked_unix = 0 };
    int end = -1;
    if (i == 0)
        return strcmp(line, "tutti-authority 1") == 0 || err_set(err, ERR_UNSUPPORTED, "it is from another version");
    if (sscanf(line, "list %" SCNu64 "%n", &s->number, &end) == 1 && end == (int)strlen(line))
        return true;
    end = -1;
    if (sscanf(line, "token %8s %32s %64s %" SCNu64 " %d%n", t.id, t.salt, t.hash, &t.expires_unix, &t.uses, &end) == 5 && end == (int)strlen(line) &&
        is_hex(t.id, 8) && is_hex(t.salt, 32) && is_hex(t.hash, 64) && t.uses >= 0 && s->n_tokens < TRUST_TOKENS_MAX) {
        s->tokens[s->n_tokens++] = t;
        return true;
    }
    end = -1;
    if (sscanf(line, "node %40s %63s %64s %" SCNu64 " %" SCNu64 " %8s %" SCNu64 "%n", n.cert.serial, n.cert.name, n.cert.key, &n.cert.begins_unix,
               &n.cert.expires_unix, n.token, &n.revoked_unix, &end) == 7 && end == (int)strlen(line) && label_is_valid(n.cert.name) && is_hex(n.cert.key, 64))
        return trust_state_add(s, &n, err);
    return err_set(err, ERR_INPUT, "line %d makes no sense", i + 1);
}

bool trust_state_parse(struct trust_state *s, const char *text, struct err *err)
{
    char line[512];
    for (int i = 0; *text || i == 0; i++) {
        const size_t n = strcspn(text, "\n");
        if (n >= sizeof(line))
            return err_set(err, ERR_INPUT, "line %d is too long", i + 1);
        memcpy(line, text, n);
        line[n] = '\0';
        if (!parse_line(s, line, i, err))
            return false;
        text += n + (text[n] == '\n');
    }
    return true;
}

struct trust_state *trust_state_open(const char *dir, struct err *err)
{
    char path[TRUST_PATH_MAX];
    struct trust_state *s = calloc(1, sizeof(*s));
    char *text = NULL;
    if (!s)
        return err_null(err, ERR_NOMEM, "%s: out of memory", dir);
    s->lock_fd = -1;
    bool ok = trust_file_path(s->dir, sizeof(s->dir), dir, "ca", err) && trust_file_path(path, sizeof(path), s->dir, "lock", err);
    if (ok && !trust_file_exists(s->dir, "ca.key"))
        ok = err_set(err, ERR_NOT_FOUND, "%s: the cluster's authority is not here but on the node where `tutti cluster init` ran", dir);
    if (ok && (s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
        ok = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    while (ok && flock(s->lock_fd, LOCK_EX) != 0)
        ok = errno == EINTR || err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    ok = ok && (text = trust_file_read(s->dir, "state", err)) && (trust_state_parse(s, text, err) || err_prefix(err, "%s/state", s->dir));
    free(text);
    if (ok)
        return s;
    trust_state_close(s);
    return NULL;
}

void trust_state_close(struct trust_state *s)
{
    if (!s)
        return;
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s->nodes);
    free(s);
}

bool trust_state_write(struct trust_state *s, uint64_t now_unix, struct err *err)
{
    struct buf b;
    buf_init(&b, TRUST_FILE_MAX_BYTES);
    buf_printf(&b, "tutti-authority 1\nlist %" PRIu64 "\n", s->number);
    for (int i = 0; i < s->n_tokens; i++) {
        const struct state_token *t = &s->tokens[i];
        if (t->expires_unix + LONG_OVER_S > now_unix)
            buf_printf(&b, "token %s %s %s %" PRIu64 " %d\n", t->id, t->salt, t->hash, t->expires_unix, t->uses);
    }
    for (int i = 0; i < s->n_nodes; i++) {
        const struct state_node *n = &s->nodes[i];
        if (n->cert.expires_unix + LONG_OVER_S > now_unix)
            buf_printf(&b, "node %s %s %s %" PRIu64 " %" PRIu64 " %s %" PRIu64 "\n", n->cert.serial, n->cert.name, n->cert.key, n->cert.begins_unix, n->cert.expires_unix,
                       n->token, n->revoked_unix);
    }
    const bool ok = buf_ok(&b, "the authority's state", err) && trust_file_write(s->dir, "state", b.data, b.len, 0600, err);
    buf_fini(&b);
    return ok;
}
