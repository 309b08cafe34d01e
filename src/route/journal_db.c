/* route/journal_db.c - the journal's SQLite file: made, written, kept within its bounds.  See journal_internal.h.
 *
 * Rule:    one transaction a batch, WAL: readers never wait for the writer, a killed process leaves whole transactions.  Bounds
 *          are kept by taking the oldest away, a little at a time, and giving pages back (incremental vacuum).
 *          A file that is no journal, or of a newer schema, is left as it is.
 */
#include "route/journal_internal.h"

#if TUTTI_STORE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    KEEP_S = 30 * 24 * 3600,
    KEEP_ROWS = 200000,
    KEEP_BYTES = 256 << 20,
    PRUNE_ROWS = 256,   /* at a time */
    VACUUM_PAGES = 512,
    BUSY_TIMEOUT_MS = 3000,
};

/* decisions.body and worlds.body: journal_row.c.  words: the lists of whoever wrote. */
static const char schema[] =
    "CREATE TABLE words(id INTEGER PRIMARY KEY, lists TEXT NOT NULL UNIQUE);"
    "CREATE TABLE worlds(hash INTEGER PRIMARY KEY, body BLOB NOT NULL);"
    "CREATE TABLE decisions(n INTEGER PRIMARY KEY, id TEXT NOT NULL, time INTEGER NOT NULL, words INTEGER NOT NULL, world INTEGER NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE INDEX decisions_id ON decisions(id);"
    "CREATE INDEX decisions_time ON decisions(time);"
    "CREATE INDEX decisions_world ON decisions(world);"
    "CREATE TABLE outcomes(decision INTEGER NOT NULL, ended TEXT NOT NULL, code TEXT NOT NULL, slot INTEGER NOT NULL, n_asked INTEGER NOT NULL,"
    " was_promoted INTEGER NOT NULL, is_last INTEGER NOT NULL, missed_deadline INTEGER NOT NULL, ttft_s REAL, total_s REAL, prompt_tok INTEGER NOT NULL,"
    " cached_tok INTEGER NOT NULL, gen_tok INTEGER NOT NULL, joules REAL, usd REAL, is_measured INTEGER NOT NULL);"
    "CREATE INDEX outcomes_decision ON outcomes(decision);"
    "CREATE TABLE state(name TEXT PRIMARY KEY, time INTEGER NOT NULL, body BLOB NOT NULL);";

enum statement { ADD_WORLD, ADD_DECISION, ADD_OUTCOME, SET_STATE, BOUNDS, FIRST_KEPT, DELETE_OUTCOMES, DELETE_DECISIONS, DELETE_WORLDS, STATEMENT_COUNT };
static const char *const sql[STATEMENT_COUNT] = {
    [ADD_WORLD] = "INSERT OR IGNORE INTO worlds(hash,body) VALUES(?,?)",
    [ADD_DECISION] = "INSERT INTO decisions(id,time,words,world,body) VALUES(?,?,?,?,?)",
    [ADD_OUTCOME] = "INSERT INTO outcomes SELECT n,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16 FROM decisions WHERE id=?1 ORDER BY n DESC LIMIT 1",
    [SET_STATE] = "INSERT OR REPLACE INTO state(name,time,body) VALUES(?,?,?)",
    [BOUNDS] = "SELECT (SELECT min(n) FROM decisions),(SELECT max(n) FROM decisions),(SELECT min(time) FROM decisions)",
    [FIRST_KEPT] = "SELECT max(n)+1 FROM (SELECT n FROM decisions WHERE n<?1 OR time<?2 ORDER BY n LIMIT ?3)",
    [DELETE_OUTCOMES] = "DELETE FROM outcomes WHERE decision<?1",
    [DELETE_DECISIONS] = "DELETE FROM decisions WHERE n<?1",
    [DELETE_WORLDS] = "DELETE FROM worlds WHERE NOT EXISTS(SELECT 1 FROM decisions WHERE decisions.world=worlds.hash)",
};

struct journal_db {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENT_COUNT];
    struct journal_options keep;
    int64_t words;          /* id of our lists */
    uint64_t world, written_world; /* the one that came last; the one that this transaction has written */
    void *world_body;       /* owned */
    size_t n_world, world_room;
    char path[1024];
};

static bool fail(const struct journal_db *db, struct err *err)
{
    const int rc = sqlite3_errcode(db->db) & 0xff;
    return err_set(err, rc == SQLITE_BUSY || rc == SQLITE_LOCKED ? ERR_BUSY : rc == SQLITE_NOMEM ? ERR_NOMEM : ERR_IO, "%s: %s", db->path, sqlite3_errmsg(db->db));
}

static bool run(const struct journal_db *db, const char *text, struct err *err)
{
    return sqlite3_exec(db->db, text, NULL, NULL, NULL) == SQLITE_OK || fail(db, err);
}

static bool get_int(const struct journal_db *db, const char *text, int64_t *value, struct err *err)
{
    sqlite3_stmt *q = NULL;
    const bool ok = sqlite3_prepare_v2(db->db, text, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;
    if (ok)
        *value = sqlite3_column_int64(q, 0);
    else
        fail(db, err);
    sqlite3_finalize(q);
    return ok;
}

/* ---- opening ---- */

/* The path's folders, and an empty file: both for us alone. */
static void make_file(const char *path)
{
    file_make_folders(path, 0700);
    const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

/* Our file, or an empty one: *is_new.  Somebody else's or a newer one: false. */
static bool look(const struct journal_db *db, bool *is_new, struct err *err)
{
    int64_t version, application, tables;
    if (!get_int(db, "PRAGMA user_version", &version, err) || !get_int(db, "PRAGMA application_id", &application, err) ||
        !get_int(db, "SELECT count(*) FROM sqlite_master", &tables, err))
        return false;
    *is_new = application == 0 && version == 0 && tables == 0;
    if (*is_new)
        return true;
    if (application != JOURNAL_APPLICATION)
        return err_set(err, ERR_INPUT, "%s: a database, but not a journal of the router", db->path);
    if (version > JOURNAL_SCHEMA)
        return err_set(err, ERR_UNSUPPORTED, "%s: made by a newer tutti (schema %lld, this one knows %d)", db->path, (long long)version, JOURNAL_SCHEMA);
    return true;
}

/* Tables, under a lock: two first runs at the same time make them once. */
static bool make_tables(const struct journal_db *db, struct err *err)
{
    char head[96];
    bool is_new = false;
    snprintf(head, sizeof(head), "PRAGMA application_id=%d; PRAGMA user_version=%d", JOURNAL_APPLICATION, JOURNAL_SCHEMA);
    if (!run(db, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL", err) || !run(db, "BEGIN IMMEDIATE", err))
        return false;
    const bool ok = look(db, &is_new, err) && (!is_new || (run(db, schema, err) && run(db, head, err))) && run(db, "COMMIT", err);
    if (!ok)
        sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

static bool find_words(struct journal_db *db, struct err *err)
{
    char lists[ROW_WORDS_BYTES_MAX];
    sqlite3_stmt *q = NULL;
    row_put_words(lists);
    bool ok = sqlite3_prepare_v2(db->db, "INSERT OR IGNORE INTO words(lists) VALUES(?)", -1, &q, NULL) == SQLITE_OK &&
              sqlite3_bind_text(q, 1, lists, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(q) == SQLITE_DONE;
    sqlite3_finalize(q), q = NULL;
    ok = ok && sqlite3_prepare_v2(db->db, "SELECT id FROM words WHERE lists=?", -1, &q, NULL) == SQLITE_OK &&
         sqlite3_bind_text(q, 1, lists, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;
    if (ok)
        db->words = sqlite3_column_int64(q, 0);
    else
        fail(db, err);
    sqlite3_finalize(q);
    return ok;
}

struct journal_db *journal_db_open(const char *path, const struct journal_options *opt, struct err *err)
{
    static const struct journal_options none;
    struct stat st;
    bool is_new = false;
    struct journal_db *db = calloc(1, sizeof(*db));
    if (!db)
        return err_null(err, ERR_NOMEM, "%s: out of memory", path);
    db->keep = opt ? *opt : none;
    db->keep.keep_s = db->keep.keep_s > 0 ? db->keep.keep_s : KEEP_S;
    db->keep.keep_rows = db->keep.keep_rows > 0 ? db->keep.keep_rows : KEEP_ROWS;
    db->keep.keep_bytes = db->keep.keep_bytes > 0 ? db->keep.keep_bytes : KEEP_BYTES;
    if (snprintf(db->path, sizeof(db->path), "%s", path) >= (int)sizeof(db->path)) {
        err_set(err, ERR_INPUT, "%.60s...: the path is too long", path);
        goto fail;
    }
    if (stat(path, &st) != 0)
        make_file(path);
    else if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_INPUT, "%s: not a regular file", path);
        goto fail;
    }
    if (sqlite3_open_v2(path, &db->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
        if (db->db)
            fail(db, err);
        else
            err_set(err, ERR_NOMEM, "%s: out of memory", path);
        goto fail;
    }
    sqlite3_busy_timeout(db->db, BUSY_TIMEOUT_MS);
    if (!run(db, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON", err) || !look(db, &is_new, err) || (is_new && !make_tables(db, err)) ||
        !run(db, "PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=4194304", err) || !find_words(db, err))
        goto fail;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(db->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &db->statement[i], NULL) != SQLITE_OK) {
            fail(db, err);
            goto fail;
        }
    return db;
fail:
    journal_db_close(db);
    return NULL;
}

void journal_db_close(struct journal_db *db)
{
    if (!db)
        return;
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(db->statement[i]);
    sqlite3_close(db->db);
    free(db->world_body);
    free(db);
}

/* ---- writing ---- */

bool journal_db_begin(struct journal_db *db, struct err *err)
{
    db->written_world = 0;
    return run(db, "BEGIN IMMEDIATE", err);
}
bool journal_db_commit(struct journal_db *db, struct err *err) { return run(db, "COMMIT", err); }
void journal_db_rollback(struct journal_db *db) { sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL); }

static sqlite3_stmt *prepared(struct journal_db *db, enum statement s)
{
    sqlite3_reset(db->statement[s]);
    return db->statement[s];
}
static bool done(struct journal_db *db, sqlite3_stmt *q, struct err *err)
{
    const bool ok = sqlite3_step(q) == SQLITE_DONE || fail(db, err);
    sqlite3_reset(q);
    return ok;
}

/* Remembered: written with the first decision of every transaction that needs it. */
static bool take_world(struct journal_db *db, const struct journal_head *h, const void *body, struct err *err)
{
    if (h->n_body > db->world_room) {
        void *more = realloc(db->world_body, h->n_body);
        if (!more)
            return err_set(err, ERR_NOMEM, "%s: out of memory", db->path);
        db->world_body = more, db->world_room = h->n_body;
    }
    memcpy(db->world_body, body, h->n_body);
    db->world = h->world, db->n_world = h->n_body;
    return true;
}

static bool add_decision(struct journal_db *db, const struct journal_head *h, const void *body, struct err *err)
{
    sqlite3_stmt *q;
    if (h->world != db->world)
        return err_set(err, ERR_INTERNAL, "%s: a decision without its world", db->path);
    if (h->world != db->written_world) {
        q = prepared(db, ADD_WORLD);
        sqlite3_bind_int64(q, 1, (int64_t)db->world);
        sqlite3_bind_blob(q, 2, db->world_body, (int)db->n_world, SQLITE_STATIC);
        if (!done(db, q, err))
            return false;
        db->written_world = db->world;
    }
    q = prepared(db, ADD_DECISION);
    sqlite3_bind_text(q, 1, h->id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 2, h->time_s);
    sqlite3_bind_int64(q, 3, db->words);
    sqlite3_bind_int64(q, 4, (int64_t)h->world);
    sqlite3_bind_blob(q, 5, body, (int)h->n_body, SQLITE_STATIC);
    return done(db, q, err);
}

static bool add_outcome(struct journal_db *db, const struct journal_head *h, const struct journal_outcome *o, struct err *err)
{
    sqlite3_stmt *q = prepared(db, ADD_OUTCOME);
    const double reals[] = { (double)o->ttft_s, (double)o->total_s };
    sqlite3_bind_text(q, 1, h->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, journal_end_name(o->end), -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 3, err_name(o->code), -1, SQLITE_STATIC);
    sqlite3_bind_int(q, 4, o->slot);
    sqlite3_bind_int(q, 5, o->n_asked);
    sqlite3_bind_int(q, 6, o->was_promoted);
    sqlite3_bind_int(q, 7, o->is_last);
    sqlite3_bind_int(q, 8, o->missed_deadline);
    for (int i = 0; i < 2; i++)
        sqlite3_bind_double(q, 9 + i, reals[i]); /* NAN: becomes NULL */
    sqlite3_bind_int(q, 11, o->n_prompt_tok);
    sqlite3_bind_int(q, 12, o->n_cached_tok);
    sqlite3_bind_int(q, 13, o->n_gen_tok);
    sqlite3_bind_double(q, 14, (double)o->joules);
    sqlite3_bind_double(q, 15, (double)o->usd);
    sqlite3_bind_int(q, 16, o->is_measured);
    return done(db, q, err);
}

bool journal_db_add(struct journal_db *db, const struct journal_head *h, const void *body, struct err *err)
{
    sqlite3_stmt *q;
    switch (h->kind) {
    case JOURNAL_ENTRY_GAP: break;
    case JOURNAL_ENTRY_WORLD: return take_world(db, h, body, err);
    case JOURNAL_ENTRY_DECIDED: return add_decision(db, h, body, err);
    case JOURNAL_ENTRY_ENDED: return add_outcome(db, h, body, err);
    case JOURNAL_ENTRY_STATE:
        q = prepared(db, SET_STATE);
        sqlite3_bind_text(q, 1, h->id, -1, SQLITE_STATIC);
        sqlite3_bind_int64(q, 2, h->time_s);
        sqlite3_bind_blob(q, 3, body, (int)h->n_body, SQLITE_STATIC);
        return done(db, q, err);
    }
    return true;
}

/* ---- bounds ---- */

static int64_t pragma(const struct journal_db *db, const char *name)
{
    struct err err = { 0 };
    int64_t v = 0;
    return get_int(db, name, &v, &err) ? v : 0;
}

void journal_db_size(struct journal_db *db, uint64_t *rows, uint64_t *bytes)
{
    sqlite3_stmt *q = prepared(db, BOUNDS);
    *rows = 0;
    if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 1) != SQLITE_NULL)
        *rows = (uint64_t)(sqlite3_column_int64(q, 1) - sqlite3_column_int64(q, 0) + 1);
    sqlite3_reset(q);
    *bytes = (uint64_t)(pragma(db, "PRAGMA page_count") * pragma(db, "PRAGMA page_size"));
}

static bool delete_before(struct journal_db *db, int64_t n, struct err *err)
{
    static const enum statement steps[] = { DELETE_OUTCOMES, DELETE_DECISIONS, DELETE_WORLDS };
    if (!run(db, "BEGIN IMMEDIATE", err))
        return false;
    for (int i = 0; i < 3; i++) {
        sqlite3_stmt *q = prepared(db, steps[i]);
        if (steps[i] != DELETE_WORLDS)
            sqlite3_bind_int64(q, 1, n);
        if (!done(db, q, err)) {
            journal_db_rollback(db);
            return false;
        }
    }
    if (run(db, "COMMIT", err))
        return true;
    journal_db_rollback(db);
    return false;
}

bool journal_db_prune(struct journal_db *db, int64_t now_s, bool *more, struct err *err)
{
    int64_t first = 0, last = 0, oldest_s = INT64_MAX, end = 0;
    bool is_empty = true;
    sqlite3_stmt *q = prepared(db, BOUNDS);
    *more = false;
    if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 1) != SQLITE_NULL) {
        is_empty = false;
        first = sqlite3_column_int64(q, 0), last = sqlite3_column_int64(q, 1), oldest_s = sqlite3_column_int64(q, 2);
    }
    sqlite3_reset(q);
    const int64_t free_pages = pragma(db, "PRAGMA freelist_count"), pages = pragma(db, "PRAGMA page_count"), page_bytes = pragma(db, "PRAGMA page_size");
    const int64_t cutoff_s = now_s - db->keep.keep_s, most = (int64_t)(db->keep.keep_rows < INT64_MAX / 2 ? db->keep.keep_rows : INT64_MAX / 2);
    const bool is_large = (uint64_t)((pages - free_pages) * page_bytes) > db->keep.keep_bytes;
    if (!is_empty && (oldest_s < cutoff_s || last - first >= most || is_large)) {
        const int64_t least = is_large && last > first ? last : last - most + 1; /* of these, the oldest few */
        q = prepared(db, FIRST_KEPT);
        sqlite3_bind_int64(q, 1, least);
        sqlite3_bind_int64(q, 2, cutoff_s);
        sqlite3_bind_int64(q, 3, (last - first) / 16 < PRUNE_ROWS ? (last - first) / 16 + 1 : PRUNE_ROWS);
        if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL)
            end = sqlite3_column_int64(q, 0);
        sqlite3_reset(q);
        if (end > first && !delete_before(db, end, err))
            return false;
        *more = end > first;
    }
    if (free_pages > 0) {
        char text[48];
        snprintf(text, sizeof(text), "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
        if (!run(db, text, err))
            return false;
        *more = *more || free_pages > VACUUM_PAGES;
    }
    return true;
}
#endif
