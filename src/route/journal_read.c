/* route/journal_read.c - reads decisions back; start at journal_each().
 *
 * Rule:    nothing is written, so a file on a read-only disk can be read as well.  A row that cannot be read is left out.
 *          Worlds and lists of words are read once and kept while rows go on using them.
 */
#include "route/journal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "route/journal_internal.h"

#if TUTTI_STORE
#include <sqlite3.h>

struct journal_reader {
    sqlite3 *db;
    sqlite3_stmt *world, *words, *outcomes;
    struct journal_entry entry;
    /* of the world that was read last */
    struct route_node nodes[ROUTE_NODES_MAX];
    struct candidate candidates[ROUTE_CANDIDATES_MAX];
    struct candidates facts;
    int64_t world_hash, words_id;
    bool has_world, has_words;
    struct row_words lists;
    char path[1024];
};

static bool fail(const struct journal_reader *r, struct err *err)
{
    return err_set(err, sqlite3_errcode(r->db) == SQLITE_NOMEM ? ERR_NOMEM : ERR_IO, "%s: %s", r->path, sqlite3_errmsg(r->db));
}

static bool get_int(const struct journal_reader *r, const char *text, int64_t *value)
{
    sqlite3_stmt *q = NULL;
    const bool ok = sqlite3_prepare_v2(r->db, text, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;
    if (ok)
        *value = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return ok;
}

/* A disk that cannot be written has no place for the file that WAL readers share; when there is no log either, none is needed. */
static bool open_unchanging(struct journal_reader *r)
{
    char uri[3 * sizeof(r->path) + 32];
    struct stat st;
    size_t n = 5;
    snprintf(uri, sizeof(uri), "%s-wal", r->path);
    if (stat(uri, &st) == 0 && st.st_size > 0)
        return false;
    memcpy(uri, "file:", 5);
    for (const char *s = r->path; *s; s++)
        n += (size_t)snprintf(uri + n, sizeof(uri) - n, strchr("?#%", *s) ? "%%%02x" : "%c", (unsigned char)*s);
    snprintf(uri + n, sizeof(uri) - n, "?immutable=1");
    sqlite3_close(r->db);
    r->db = NULL;
    return sqlite3_open_v2(uri, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) == SQLITE_OK;
}

struct journal_reader *journal_reader_open(const char *path, struct err *err)
{
    struct stat st;
    int64_t version = 0, application = 0;
    struct journal_reader *r = calloc(1, sizeof(*r));
    if (!r)
        return err_null(err, ERR_NOMEM, "%s: out of memory", path);
    r->facts = (struct candidates){ .nodes = r->nodes, .list = r->candidates };
    if (snprintf(r->path, sizeof(r->path), "%s", path) >= (int)sizeof(r->path)) {
        err_set(err, ERR_INPUT, "%.60s...: the path is too long", path);
        goto fail;
    }
    if (stat(path, &st) != 0) {
        err_set(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, errno == ENOENT ? "no decisions are kept yet" : strerror(errno));
        goto fail;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_INPUT, "%s: not a regular file", path);
        goto fail;
    }
    if (sqlite3_open_v2(path, &r->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        (!get_int(r, "SELECT count(*) FROM sqlite_master", &version) && !open_unchanging(r))) {
        if (r->db)
            fail(r, err);
        else
            err_set(err, ERR_IO, "%s: cannot be opened", path);
        goto fail;
    }
    sqlite3_busy_timeout(r->db, 3000);
    sqlite3_exec(r->db, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON", NULL, NULL, NULL);
    if (!get_int(r, "PRAGMA user_version", &version) || !get_int(r, "PRAGMA application_id", &application)) {
        fail(r, err);
        goto fail;
    }
    if (version == 0 && application == 0 && st.st_size == 0) {
        err_set(err, ERR_NOT_FOUND, "%s: no decisions are kept yet", path);
        goto fail;
    }
    if (application != JOURNAL_APPLICATION) {
        err_set(err, ERR_INPUT, "%s: a database, but not a journal of the router", path);
        goto fail;
    }
    if (version > JOURNAL_SCHEMA) {
        err_set(err, ERR_UNSUPPORTED, "%s: made by a newer tutti (schema %lld, this one knows %d)", path, (long long)version, JOURNAL_SCHEMA);
        goto fail;
    }
    if (sqlite3_prepare_v2(r->db, "SELECT body FROM worlds WHERE hash=?", -1, &r->world, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(r->db, "SELECT lists FROM words WHERE id=?", -1, &r->words, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(r->db, "SELECT ended,code,slot,n_asked,was_promoted,is_last,missed_deadline,ttft_s,total_s,prompt_tok,cached_tok,gen_tok,joules,"
                                  "usd,is_measured FROM outcomes WHERE decision=? ORDER BY rowid LIMIT 16", -1, &r->outcomes, NULL) != SQLITE_OK) {
        fail(r, err);
        goto fail;
    }
    return r;
fail:
    journal_reader_close(r);
    return NULL;
}

void journal_reader_close(struct journal_reader *r)
{
    if (!r)
        return;
    sqlite3_finalize(r->world);
    sqlite3_finalize(r->words);
    sqlite3_finalize(r->outcomes);
    sqlite3_close(r->db);
    free(r);
}

/* ---- a row ---- */

static bool find_world(struct journal_reader *r, int64_t hash)
{
    if (r->has_world && r->world_hash == hash)
        return true;
    r->has_world = false;
    sqlite3_bind_int64(r->world, 1, hash);
    if (sqlite3_step(r->world) == SQLITE_ROW) {
        struct row row;
        row_begin_reading(&row, sqlite3_column_blob(r->world, 0), (size_t)sqlite3_column_bytes(r->world, 0), &r->lists);
        row_world(&row, &r->facts);
        r->has_world = !row.failed;
        r->world_hash = hash;
    }
    sqlite3_reset(r->world);
    return r->has_world;
}

static bool find_words(struct journal_reader *r, int64_t id)
{
    if (r->has_words && r->words_id == id)
        return true;
    r->has_words = r->has_world = false; /* a world is read by its writer's lists */
    sqlite3_bind_int64(r->words, 1, id);
    if (sqlite3_step(r->words) == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(r->words, 0);
        r->has_words = text && row_read_words((const char *)text, &r->lists);
        r->words_id = id;
    }
    sqlite3_reset(r->words);
    return r->has_words;
}

static float number(sqlite3_stmt *q, int column) { return sqlite3_column_type(q, column) == SQLITE_NULL ? NAN : (float)sqlite3_column_double(q, column); }
static int count(sqlite3_stmt *q, int column)
{
    const int64_t n = sqlite3_column_int64(q, column);
    return n < 0 ? 0 : n > INT32_MAX ? INT32_MAX : (int)n;
}
static bool is_word(sqlite3_stmt *q, int column, const char *word)
{
    const unsigned char *s = sqlite3_column_text(q, column);
    return s && strcmp((const char *)s, word) == 0;
}

static bool read_outcomes(struct journal_reader *r, int64_t n)
{
    struct journal_entry *e = &r->entry;
    sqlite3_stmt *q = r->outcomes;
    int rc;
    e->n_outcomes = 0;
    sqlite3_bind_int64(q, 1, n);
    while ((rc = sqlite3_step(q)) == SQLITE_ROW && e->n_outcomes < JOURNAL_ATTEMPTS_MAX) {
        struct journal_outcome *o = &e->outcomes[e->n_outcomes++];
        *o = (struct journal_outcome){ .end = JOURNAL_FAILED, .code = ERR_INTERNAL, .slot = count(q, 2), .n_asked = count(q, 3), .was_promoted = count(q, 4) != 0,
                                       .is_last = count(q, 5) != 0, .missed_deadline = count(q, 6) != 0, .ttft_s = number(q, 7), .total_s = number(q, 8),
                                       .n_prompt_tok = count(q, 9), .n_cached_tok = count(q, 10), .n_gen_tok = count(q, 11), .joules = number(q, 12),
                                       .usd = number(q, 13), .is_measured = count(q, 14) != 0 };
        for (int i = 0; i < JOURNAL_END_COUNT; i++)
            if (is_word(q, 0, journal_end_name((enum journal_end)i)))
                o->end = (enum journal_end)i;
        for (int i = 0; i < ERR_COUNT; i++)
            if (is_word(q, 1, err_name((enum err_code)i)))
                o->code = (enum err_code)i;
    }
    sqlite3_reset(q);
    return rc == SQLITE_DONE || rc == SQLITE_ROW;
}

/* Columns: n, id, time, words, world, body. */
static bool read_row(struct journal_reader *r, sqlite3_stmt *q)
{
    struct journal_entry *e = &r->entry;
    const unsigned char *id = sqlite3_column_text(q, 1);
    struct row row;
    if (!id || !find_words(r, sqlite3_column_int64(q, 3)) || !find_world(r, sqlite3_column_int64(q, 4)))
        return false;
    snprintf(e->id, sizeof(e->id), "%s", (const char *)id);
    for (char *c = e->id; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    e->time_s = sqlite3_column_int64(q, 2);
    memset(&e->request, 0, sizeof(e->request));
    e->world = (struct candidates){ .nodes = e->nodes, .n_nodes = r->facts.n_nodes, .list = e->candidates, .n = r->facts.n };
    memcpy(e->nodes, r->nodes, (size_t)r->facts.n_nodes * sizeof(*r->nodes));
    memcpy(e->candidates, r->candidates, (size_t)r->facts.n * sizeof(*r->candidates));
    memset(&e->decision, 0, offsetof(struct route_decision, verdicts) + (size_t)r->facts.n * sizeof(*e->decision.verdicts));
    row_begin_reading(&row, sqlite3_column_blob(q, 5), (size_t)sqlite3_column_bytes(q, 5), &r->lists);
    row_decision(&row, &(struct row_parts){ .request = &e->request, .wish = &e->wish, .features = &e->features, .intent = &e->intent, .world = &e->world,
                                            .decision = &e->decision });
    return !row.failed && read_outcomes(r, sqlite3_column_int64(q, 0));
}

bool journal_each(struct journal_reader *r, const struct journal_query *want, bool (*each)(void *ctx, const struct journal_entry *e), void *ctx,
                  uint64_t *n_unreadable, struct err *err)
{
    static const char text[] = "SELECT n,id,time,words,world,body FROM decisions WHERE n>=coalesce((SELECT min(n) FROM (SELECT n FROM decisions WHERE time>=?1"
                               " AND time<?2 ORDER BY n DESC LIMIT ?3)),0) AND time>=?1 AND time<?2 ORDER BY n";
    sqlite3_stmt *q = NULL;
    int rc;
    *n_unreadable = 0;
    if (sqlite3_prepare_v2(r->db, text, -1, &q, NULL) != SQLITE_OK)
        return fail(r, err);
    sqlite3_bind_int64(q, 1, want->since_s);
    sqlite3_bind_int64(q, 2, want->until_s ? want->until_s : INT64_MAX);
    sqlite3_bind_int64(q, 3, want->n_last && want->n_last < INT64_MAX ? (int64_t)want->n_last : INT64_MAX);
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        if (!read_row(r, q))
            ++*n_unreadable;
        else if (!each(ctx, &r->entry)) {
            rc = SQLITE_DONE;
            break;
        }
    }
    const bool ok = rc == SQLITE_DONE || fail(r, err);
    sqlite3_finalize(q);
    return ok;
}

const struct journal_entry *journal_find(struct journal_reader *r, const char *id, struct err *err)
{
    static const char text[] = "SELECT n,id,time,words,world,body FROM decisions WHERE id>=?1 AND id<?1||char(1114111) ORDER BY id=?1 DESC,n DESC LIMIT 2";
    const struct journal_entry *found = NULL;
    sqlite3_stmt *q = NULL;
    char first[JOURNAL_ID_MAX];
    if (!id[0] || strlen(id) >= JOURNAL_ID_MAX)
        return err_null(err, ERR_INPUT, "%.40s: no id of a decision", id);
    if (sqlite3_prepare_v2(r->db, text, -1, &q, NULL) != SQLITE_OK)
        goto fail;
    sqlite3_bind_text(q, 1, id, -1, SQLITE_TRANSIENT);
    const int rc = sqlite3_step(q);
    if (rc == SQLITE_DONE) {
        err_set(err, ERR_NOT_FOUND, "%s: no decision of that id is kept", id);
    } else if (rc != SQLITE_ROW) {
        goto fail;
    } else if (!read_row(r, q)) {
        err_set(err, ERR_INPUT, "%s: what was kept of it cannot be read", id);
    } else {
        snprintf(first, sizeof(first), "%s", r->entry.id);
        found = &r->entry;
        if (strcmp(first, id) != 0 && sqlite3_step(q) == SQLITE_ROW && !is_word(q, 1, first))
            found = err_null(err, ERR_INPUT, "%s: more than one decision begins so (%s, ...)", id, first);
    }
    sqlite3_finalize(q);
    return found;
fail:
    fail(r, err);
    sqlite3_finalize(q);
    return NULL;
}

void *journal_kept(struct journal_reader *r, const char *name, size_t *n_bytes, struct err *err)
{
    sqlite3_stmt *q = NULL;
    void *state = NULL;
    *n_bytes = 0;
    if (sqlite3_prepare_v2(r->db, "SELECT body FROM state WHERE name=?", -1, &q, NULL) != SQLITE_OK)
        return fail(r, err), NULL;
    sqlite3_bind_text(q, 1, name, -1, SQLITE_TRANSIENT);
    const int rc = sqlite3_step(q);
    if (rc == SQLITE_DONE) {
        err_set(err, ERR_NOT_FOUND, "%s: nothing is kept under that name", name);
    } else if (rc != SQLITE_ROW) {
        fail(r, err);
    } else {
        const void *body = sqlite3_column_blob(q, 0);
        const size_t n = (size_t)sqlite3_column_bytes(q, 0);
        if (n > JOURNAL_STATE_BYTES_MAX)
            err_set(err, ERR_LIMIT, "%s: %zu bytes are kept, at most %d make sense", name, n, JOURNAL_STATE_BYTES_MAX);
        else if (!(state = malloc(n + 1)))
            err_set(err, ERR_NOMEM, "%s: out of memory", r->path);
        else {
            if (n)
                memcpy(state, body, n);
            ((char *)state)[n] = '\0';
            *n_bytes = n;
        }
    }
    sqlite3_finalize(q);
    return state;
}

#else /* make STORE=0 */

static bool none(struct err *err) { return err_set(err, ERR_UNSUPPORTED, "the router's decisions are not kept: built without SQLite (STORE=0)"); }
struct journal_reader *journal_reader_open(const char *path, struct err *err)
{
    (void)path;
    none(err);
    return NULL;
}
void journal_reader_close(struct journal_reader *r) { (void)r; }
bool journal_each(struct journal_reader *r, const struct journal_query *want, bool (*each)(void *ctx, const struct journal_entry *e), void *ctx,
                  uint64_t *n_unreadable, struct err *err)
{
    (void)r, (void)want, (void)each, (void)ctx, (void)n_unreadable;
    return none(err);
}
const struct journal_entry *journal_find(struct journal_reader *r, const char *id, struct err *err)
{
    (void)r, (void)id;
    none(err);
    return NULL;
}
void *journal_kept(struct journal_reader *r, const char *name, size_t *n_bytes, struct err *err)
{
    (void)r, (void)name, (void)n_bytes;
    none(err);
    return NULL;
}
#endif
