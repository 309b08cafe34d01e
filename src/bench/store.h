/* bench/store.h - what was measured on this machine before: results in an SQLite file.
 *
 * For:     `tutti bench` (adds a run), `tutti bench history` (drift), `tutti fit` (corrects its predictions).
 * Callers: cmd/.
 * Touches: one file, opened when something is asked of it.
 * Rule:    the store is a convenience: whoever uses it goes on without it when it fails (one warning line).
 *          Its content is input like any other: a file may be damaged or somebody else's.  Schema changes raise
 *          STORE_SCHEMA; a file from a newer tutti is left alone.  `make STORE=0` builds without SQLite: every call
 *          then fails with ERR_UNSUPPORTED.
 */
#ifndef TUTTI_BENCH_STORE_H
#define TUTTI_BENCH_STORE_H
#include "bench/report.h"

struct store;

/* The default file: $XDG_DATA_HOME/tutti/tutti.db, else $HOME/.local/share/tutti/tutti.db.  false: neither is set, or too long. */
bool store_path(const char *xdg_data_home, const char *home, char *path, size_t size);

/* Opens, and when is_new is allowed makes, the file with its folders.  NULL with err set; ERR_NOT_FOUND: there is none yet. */
struct store *store_open(const char *path, bool may_make, struct err *err);
void store_close(struct store *s); /* NULL is fine */

/* Keeps the run, its tests on most threads: all or nothing. */
bool store_add(struct store *s, const struct bench_report *r, struct err *err);

/* One kept figure; texts are valid during the call. */
struct store_row {
    int64_t run, time_s;
    const char *version, *machine, *level, *model; /* model "": limits of the machine alone */
    const char *test;       /* "tg64", "pp512", "localscore", "read" (B/s), "int8" (operations/s), ... */
    int threads, depth, batch;
    double value, share;    /* NAN: not known */
    uint64_t model_bytes, active_params, bytes_per_tok; /* 0: not known */
    bool is_projected;
};
/* All figures, oldest run first, of `model` (NULL: any) on `machine` (NULL: any), of the last n_runs runs.
 * each() returns false to stop. */
bool store_read(struct store *s, const char *machine, const char *model, int n_runs, bool (*each)(void *ctx, const struct store_row *row), void *ctx,
                struct err *err);

/* How runs name a machine: CPU and cores. */
void store_machine_name(const char *cpu, int cores, char name[static BENCH_TEXT_MAX]);

/* For predictions: the latest tokens/s of every model on this machine (tests pp* and tg* of one sequence at depth 0, all
 * threads that the run used), newest first; returns how many of at most max.  -1 with err set. */
struct store_measured {
    char model[BENCH_TEXT_MAX], test[24];
    int64_t time_s;
    int threads;
    double tps, read_bps;   /* read_bps: what the run measured; NAN */
    uint64_t model_bytes, active_params, bytes_per_tok;
};
int store_measured(struct store *s, const char *machine, struct store_measured *out, int max, struct err *err);
#endif
