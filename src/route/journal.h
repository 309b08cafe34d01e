/* route/journal.h - what the router decided and what came of it, kept in SQLite: for `why`, for `replay`, for learning.
 *
 * For:     router.c writes; `tutti route why|replay`, the predictor's and the bandit's memory.
 * Callers: route/, serve/, cmd/.
 * Touches: one file, one thread of its own that writes in batches and sleeps otherwise.
 * Thread:  journal_decided() and journal_ended() from any, they never block and allocate nothing: when the queue is full the
 *          entry is dropped and counted.  The rest: one thread at a time.
 * Rule:    features and outcome, never the prompt nor the answer, and nothing from which either could be rebuilt.  Bounded in
 *          rows, bytes and age.  The service goes on without it when it fails (one warning).  Its content is input like any
 *          other: a file may be damaged, somebody else's or of a newer tutti.
 */
#ifndef TUTTI_ROUTE_JOURNAL_H
#define TUTTI_ROUTE_JOURNAL_H
#include "route/policy.h"

enum { JOURNAL_ID_MAX = 32 };

struct journal_options { /* 0: the default */
    int64_t keep_s;       /* age; default 30 days */
    uint64_t keep_rows;   /* default 200,000 */
    uint64_t keep_bytes;  /* of the file; default 256 MiB */
    int n_queue;          /* entries that may wait to be written; default 1,024 */
};

struct journal_outcome {
    enum journal_end { JOURNAL_DONE, JOURNAL_FAILED, JOURNAL_CANCELLED } end;
    int candidate;        /* who answered in the end: index in the decision's world; -1: nobody */
    int n_asked;          /* 1: the first one answered */
    int n_promoted;       /* of those because an answer did not do */
    int n_hedged;
    float ttft_s, total_s;
    int n_prompt_tok, n_gen_tok, n_cached_tok;
    float joules, usd;    /* NAN: not known */
    bool is_measured;     /* joules, by a meter */
};

struct journal;
/* $XDG_STATE_HOME/tutti/route.db, else $HOME/.local/state/tutti/route.db.  false: neither is set, or too long. */
bool journal_path(const char *xdg_state_home, const char *home, char *path, size_t size);
/* For the service: opens or makes it, folders too.  NULL with err. */
struct journal *journal_open(const char *path, const struct journal_options *opt, struct err *err);
void journal_close(struct journal *j); /* writes what waits; NULL is fine */

/* Everything is copied.  id: what the client got to see. */
void journal_decided(struct journal *j, const char *id, int64_t time_s, const struct route_request *rq, const struct candidates *world,
                     const struct route_decision *d);
void journal_ended(struct journal *j, const char *id, const struct journal_outcome *o);

struct journal_figures {
    uint64_t written_total, dropped_total;
    uint64_t rows, bytes;
    char why[160];        /* the last failure; "" */
};
void journal_get_figures(struct journal *j, struct journal_figures *out);
#endif
