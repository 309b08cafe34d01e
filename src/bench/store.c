/* bench/store.c - see store.h; start at store_open(), store_add(), store_read(). */
#include "bench/store.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool store_path(const char *xdg, const char *home, char *path, size_t size)
{
    const int n = xdg && xdg[0] == '/' ? snprintf(path, size, "%s/tutti/tutti.db", xdg)
                  : home && home[0]    ? snprintf(path, size, "%s/.local/share/tutti/tutti.db", home)
                                       : -1;
    return n > 0 && (size_t)n < size;
}

void store_machine_name(const char *cpu, int cores, char name[static BENCH_TEXT_MAX])
{
    snprintf(name, BENCH_TEXT_MAX, "%.100s, %d cores", cpu[0] ? cpu : "unknown CPU", cores);
}

#if TUTTI_STORE
#include <sqlite3.h>

#include "base/file.h"

#define STORE_SCHEMA 1
static const char schema[] =
    "CREATE TABLE runs(id INTEGER PRIMARY KEY, time INTEGER NOT NULL, version TEXT NOT NULL, machine TEXT NOT NULL, level TEXT NOT NULL,"
    " threads INTEGER NOT NULL, model TEXT NOT NULL, model_bytes INTEGER, active_params INTEGER, bytes_per_tok INTEGER);"
    "CREATE TABLE results(run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, test TEXT NOT NULL, depth INTEGER NOT NULL,"
    " batch INTEGER NOT NULL, value REAL NOT NULL, share REAL, is_projected INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX results_run ON results(run);"
    "PRAGMA user_version=1;"; /* STORE_SCHEMA */

struct store {
    sqlite3 *db;
    char path[1024];
};

static bool fail(const struct store *s, struct err *err)
{
    return err_set(err, sqlite3_errcode(s->db) == SQLITE_NOMEM ? ERR_NOMEM : ERR_IO, "%s: %s", s->path, sqlite3_errmsg(s->db));
}

static bool get_int(struct store *s, const char *sql, int64_t *value, struct err *err)
{
    sqlite3_stmt *q = NULL;
    const bool ok = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;
    if (ok)
        *value = sqlite3_column_int64(q, 0);
    else
        fail(s, err);
    sqlite3_finalize(q);
    return ok;
}

/* Tables, under a lock: two first runs at the same time make them once. */
static bool make_tables(struct store *s, struct err *err)
{
    int64_t version = 0;
    if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return fail(s, err);
    bool ok = get_int(s, "PRAGMA user_version", &version, err);
    if (ok && version == 0)
        ok = sqlite3_exec(s->db, schema, NULL, NULL, NULL) == SQLITE_OK || fail(s, err);
    if (ok)
        ok = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK || fail(s, err);
    if (!ok)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

struct store *store_open(const char *path, bool may_make, struct err *err)
{
    struct stat st;
    int64_t version = 0;
    struct store *s = calloc(1, sizeof(*s));
    if (!s)
        return err_null(err, ERR_NOMEM, "%s: out of memory", path);
    if (snprintf(s->path, sizeof(s->path), "%s", path) >= (int)sizeof(s->path)) {
        err_set(err, ERR_INPUT, "%.60s...: the path is too long", path);
        goto fail;
    }
    if (stat(path, &st) != 0) {
        if (!may_make) {
            err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno));
            goto fail;
        }
        file_make_folders(path, 0700);
    } else if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_INPUT, "%s: not a regular file", path);
        goto fail;
    }
    if (sqlite3_open_v2(path, &s->db, may_make ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        if (s->db)
            fail(s, err);
        else
            err_set(err, ERR_NOMEM, "%s: out of memory", path);
        goto fail;
    }
    sqlite3_busy_timeout(s->db, 3000);
    sqlite3_exec(s->db, "PRAGMA trusted_schema=OFF; PRAGMA foreign_keys=ON", NULL, NULL, NULL);
    if (!get_int(s, "PRAGMA user_version", &version, err))
        goto fail;
    if (version > STORE_SCHEMA) {
        err_set(err, ERR_UNSUPPORTED, "%s: made by a newer tutti (schema %lld, this one knows %d)", path, (long long)version, STORE_SCHEMA);
        goto fail;
    }
    if (version == 0) {
        if (!may_make) {
            err_set(err, ERR_NOT_FOUND, "%s: nothing kept yet", path);
            goto fail;
        }
        if (!make_tables(s, err))
            goto fail;
    }
    return s;
fail:
    store_close(s);
    return NULL;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    sqlite3_close(s->db);
    free(s);
}

static bool add_result(sqlite3_stmt *q, int64_t run, const char *test, int depth, int batch, double value, double share, bool is_projected)
{
    if (!isfinite(value))
        return true;
    sqlite3_reset(q);
    sqlite3_bind_int64(q, 1, run);
    sqlite3_bind_text(q, 2, test, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(q, 3, depth);
    sqlite3_bind_int(q, 4, batch);
    sqlite3_bind_double(q, 5, value);
    if (isfinite(share))
        sqlite3_bind_double(q, 6, share);
    else
        sqlite3_bind_null(q, 6);
    sqlite3_bind_int(q, 7, is_projected);
    return sqlite3_step(q) == SQLITE_DONE;
}

static bool add_results(sqlite3_stmt *q, int64_t run, const struct bench_report *r)
{
    bool ok = add_result(q, run, "read", 0, 1, r->limits.read_bps, NAN, false) && add_result(q, run, "int8", 0, 1, r->limits.int8_ops, NAN, false) &&
              add_result(q, run, "bf16", 0, 1, r->limits.bf16_flops, NAN, false) && add_result(q, run, "f32", 0, 1, r->limits.f32_flops, NAN, false);
    for (int i = 0; ok && i < r->n_tests; i++) {
        const struct bench_test *t = &r->tests[i];
        if (t->n_rounds > 0 && t->threads == r->machine.threads) /* a run has one number of threads */
            ok = add_result(q, run, t->name, t->depth, t->batch, t->tps_median, t->share_median, false);
    }
    if (ok && r->has_score && r->score.n_done == LOCALSCORE_N)
        ok = add_result(q, run, "localscore", 0, 1, r->score.sum.score, NAN, r->score.is_projected) &&
             add_result(q, run, "localscore-pp", 0, 1, r->score.sum.prompt_tps, NAN, r->score.is_projected) &&
             add_result(q, run, "localscore-tg", 0, 1, r->score.sum.gen_tps, NAN, r->score.is_projected) &&
             add_result(q, run, "localscore-ttft", 0, 1, r->score.sum.ttft_ms, NAN, r->score.is_projected);
    return ok;
}

bool store_add(struct store *s, const struct bench_report *r, struct err *err)
{
    sqlite3_stmt *run = NULL, *result = NULL;
    char machine[BENCH_TEXT_MAX];
    bool ok = false;
    store_machine_name(r->machine.cpu, r->machine.cores, machine);
    if (sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return fail(s, err);
    if (sqlite3_prepare_v2(s->db, "INSERT INTO runs(time,version,machine,level,threads,model,model_bytes,active_params,bytes_per_tok) VALUES(?,?,?,?,?,?,?,?,?)",
                           -1, &run, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(s->db, "INSERT INTO results(run,test,depth,batch,value,share,is_projected) VALUES(?,?,?,?,?,?,?)", -1, &result, NULL) != SQLITE_OK)
        goto out;
    sqlite3_bind_int64(run, 1, r->time_s);
    sqlite3_bind_text(run, 2, r->version, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(run, 3, machine, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(run, 4, r->machine.level, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(run, 5, r->machine.threads);
    sqlite3_bind_text(run, 6, r->has_model ? r->model.name : "", -1, SQLITE_TRANSIENT);
    if (r->has_model) {
        sqlite3_bind_int64(run, 7, (int64_t)r->model.file_bytes);
        sqlite3_bind_int64(run, 8, (int64_t)r->model.info.active_params);
        sqlite3_bind_int64(run, 9, (int64_t)r->model.info.bytes_per_tok);
    }
    ok = sqlite3_step(run) == SQLITE_DONE && add_results(result, sqlite3_last_insert_rowid(s->db), r);
out:
    if (!ok)
        fail(s, err);
    sqlite3_finalize(run);
    sqlite3_finalize(result);
    if (ok)
        ok = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK || fail(s, err);
    if (!ok)
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

static const char *text_of(sqlite3_stmt *q, int column)
{
    const unsigned char *t = sqlite3_column_text(q, column);
    return t ? (const char *)t : "";
}
static double number_of(sqlite3_stmt *q, int column) { return sqlite3_column_type(q, column) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(q, column); }
static uint64_t count_of(sqlite3_stmt *q, int column)
{
    const int64_t n = sqlite3_column_int64(q, column);
    return n > 0 ? (uint64_t)n : 0;
}

bool store_read(struct store *s, const char *machine, const char *model, int n_runs, bool (*each)(void *ctx, const struct store_row *row), void *ctx,
                struct err *err)
{
    static const char sql[] = "SELECT r.id,r.time,r.version,r.machine,r.level,r.model,x.test,r.threads,x.depth,x.batch,x.value,x.share,r.model_bytes,"
                              "r.active_params,r.bytes_per_tok,x.is_projected FROM (SELECT * FROM runs WHERE (?1 IS NULL OR machine=?1) AND (?2 IS NULL OR"
                              " model=?2) ORDER BY id DESC LIMIT ?3) r JOIN results x ON x.run=r.id ORDER BY r.id,x.rowid";
    sqlite3_stmt *q = NULL;
    int rc;
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK)
        return fail(s, err);
    if (machine)
        sqlite3_bind_text(q, 1, machine, -1, SQLITE_TRANSIENT);
    if (model)
        sqlite3_bind_text(q, 2, model, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(q, 3, n_runs);
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        const struct store_row row = { .run = sqlite3_column_int64(q, 0), .time_s = sqlite3_column_int64(q, 1), .version = text_of(q, 2),
                                       .machine = text_of(q, 3), .level = text_of(q, 4), .model = text_of(q, 5), .test = text_of(q, 6),
                                       .threads = sqlite3_column_int(q, 7), .depth = sqlite3_column_int(q, 8), .batch = sqlite3_column_int(q, 9),
                                       .value = number_of(q, 10), .share = number_of(q, 11), .model_bytes = count_of(q, 12),
                                       .active_params = count_of(q, 13), .bytes_per_tok = count_of(q, 14), .is_projected = sqlite3_column_int(q, 15) != 0 };
        if (!each(ctx, &row)) {
            rc = SQLITE_DONE;
            break;
        }
    }
    const bool ok = rc == SQLITE_DONE || fail(s, err);
    sqlite3_finalize(q);
    return ok;
}

int store_measured(struct store *s, const char *machine, struct store_measured *out, int max, struct err *err)
{
    static const char sql[] = "SELECT r.model,x.test,max(r.time),r.threads,x.value,(SELECT value FROM results b WHERE b.run=r.id AND b.test='read'),"
                              "r.model_bytes,r.active_params,r.bytes_per_tok FROM runs r JOIN results x ON x.run=r.id WHERE r.machine=?1 AND r.model<>''"
                              " AND x.depth=0 AND x.batch=1 AND x.value>0 AND (x.test GLOB 'pp[0-9]*' OR x.test GLOB 'tg[0-9]*')"
                              " GROUP BY r.model,x.test ORDER BY max(r.time) DESC,r.model,x.test LIMIT ?2";
    sqlite3_stmt *q = NULL;
    int rc, n = 0;
    if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK) {
        fail(s, err);
        return -1;
    }
    sqlite3_bind_text(q, 1, machine, -1, SQLITE_TRANSIENT);
    sqlite3_bind_int(q, 2, max);
    while ((rc = sqlite3_step(q)) == SQLITE_ROW && n < max) {
        struct store_measured *m = &out[n++];
        *m = (struct store_measured){ .time_s = sqlite3_column_int64(q, 2), .threads = sqlite3_column_int(q, 3), .tps = number_of(q, 4),
                                      .read_bps = number_of(q, 5), .model_bytes = count_of(q, 6), .active_params = count_of(q, 7),
                                      .bytes_per_tok = count_of(q, 8) };
        snprintf(m->model, sizeof(m->model), "%s", text_of(q, 0));
        snprintf(m->test, sizeof(m->test), "%s", text_of(q, 1));
    }
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        fail(s, err);
        n = -1;
    }
    sqlite3_finalize(q);
    return n;
}

#else /* make STORE=0 */

static bool none(struct err *err) { return err_set(err, ERR_UNSUPPORTED, "results are not kept: built without SQLite (STORE=0)"); }
struct store *store_open(const char *path, bool may_make, struct err *err)
{
    (void)path, (void)may_make;
    none(err);
    return NULL;
}
void store_close(struct store *s) { (void)s; }
bool store_add(struct store *s, const struct bench_report *r, struct err *err)
{
    (void)s, (void)r;
    return none(err);
}
bool store_read(struct store *s, const char *machine, const char *model, int n_runs, bool (*each)(void *ctx, const struct store_row *row), void *ctx,
                struct err *err)
{
    (void)s, (void)machine, (void)model, (void)n_runs, (void)each, (void)ctx;
    return none(err);
}
int store_measured(struct store *s, const char *machine, struct store_measured *out, int max, struct err *err)
{
    (void)s, (void)machine, (void)out, (void)max;
    none(err);
    return -1;
}
#endif
