/* route/journal.h - what the router decided and what came of it, kept in SQLite: for `why`, for `replay`, for learning.
 *
 * For:     router.c writes; `tutti route why|replay`, the predictor's and the bandit's memory.
 * Callers: route/, serve/, cmd/.
 * Touches: one file, one thread of its own that writes in batches and sleeps otherwise.
 * Thread:  journal_decided(), journal_ended() and journal_keep() from any, they wait for no file and allocate nothing: when the
 *          queue is full the entry is dropped and counted.  A reader: one thread at a time.
 * Rule:    features and outcome, never the prompt nor the answer, and nothing from which either could be rebuilt.  Bounded in
 *          rows, bytes and age.  The service goes on without it when it fails (one warning).  Its content is input like any
 *          other: a file may be damaged, somebody else's or of a newer tutti.  What is read back is what was seen, bit by bit:
 *          policy_decide() of it with the same policy gives the same verdicts.
 *          `make STORE=0` builds without SQLite: opening then fails with ERR_UNSUPPORTED.
 * Start:   journal_row.c (what a row holds), journal.c (queue and thread), journal_db.c (the file), journal_read.c.
 */
#ifndef TUTTI_ROUTE_JOURNAL_H
#define TUTTI_ROUTE_JOURNAL_H
#include "expert/job.h"
#include "route/policy.h"

enum { JOURNAL_ID_MAX = 32, JOURNAL_ATTEMPTS_MAX = 16, JOURNAL_STATE_BYTES_MAX = 256 << 10 };

struct journal_options { /* 0: the default */
    int64_t keep_s;       /* age; default 30 days */
    uint64_t keep_rows;   /* default 200,000 */
    uint64_t keep_bytes;  /* of the file; default 256 MiB */
    size_t queue_bytes;   /* of entries that wait to be written; default 4 MiB (a decision over 50 candidates takes some 4 KB) */
    bool opens_later;     /* by its thread: nobody waits for the disk.  A file that cannot be opened is a warning, and entries are dropped until it can */
};

/* What came of one expert that was asked.  A decision has one or, after a failure, a promotion or a hedge, more. */
struct journal_outcome {
    enum journal_end { JOURNAL_DONE, JOURNAL_FAILED, JOURNAL_CANCELLED, JOURNAL_END_COUNT } end;
    enum err_code code;   /* JOURNAL_FAILED: why */
    int slot;             /* candidate.slot of who was asked */
    int n_asked;          /* it was the n-th, from 1 */
    bool was_promoted;    /* its answer did not do: a bigger one was asked */
    bool is_last;         /* the client got this one */
    bool missed_deadline;
    float ttft_s, total_s; /* NAN: it did not come so far */
    int n_prompt_tok, n_cached_tok, n_gen_tok;
    float joules, usd;    /* NAN: not known */
    bool is_measured;     /* joules, by a meter */
};
const char *journal_end_name(enum journal_end end); /* "done" */

/* ---- writing ---- */

struct journal;
/* $XDG_STATE_HOME/tutti/route.db, else $HOME/.local/state/tutti/route.db.  false: neither is set, or too long. */
bool journal_path(const char *xdg_state_home, const char *home, char *path, size_t size);
/* For the service: opens or makes it, folders too.  NULL with err. */
struct journal *journal_open(const char *path, const struct journal_options *opt, struct err *err);
void journal_close(struct journal *j); /* writes what waits; NULL is fine */

/* Everything is copied, but rq->session: kept is a number that tells the conversations of this process apart, and nothing about them.  id: what the client got to see. */
void journal_decided(struct journal *j, const char *id, int64_t time_s, const struct route_request *rq, const struct candidates *world,
                     const struct route_decision *d);
void journal_ended(struct journal *j, const char *id, const struct journal_outcome *o);
/* What has been learned so far, under a name ("predictor"); replaces what was there.  At most JOURNAL_STATE_BYTES_MAX. */
void journal_keep(struct journal *j, const char *name, const void *state, size_t n_bytes);

/* Waits until all that was queued before is in the file, or given up; at most so long.  false: not yet. */
bool journal_flush(struct journal *j, uint32_t most_ms);
/* fn is called from the journal's thread after decisions were written, at most every interval_s: the moment for journal_keep().
 * fn NULL: no more; returns when none is under way. */
void journal_on_written(struct journal *j, float interval_s, void (*fn)(void *ctx), void *ctx);

struct journal_figures {
    uint64_t written_total, dropped_total; /* entries */
    uint64_t rows, bytes; /* of the file, when it was looked at last */
    char why[256];        /* the last failure; "" */
};
void journal_get_figures(struct journal *j, struct journal_figures *out);

/* ---- reading ---- */

struct journal_entry { /* large: some 130 KB */
    char id[JOURNAL_ID_MAX];
    int64_t time_s;
    struct route_request request; /* its pointers lead to what follows */
    struct candidates world;
    struct route_decision decision;
    struct journal_outcome outcomes[JOURNAL_ATTEMPTS_MAX]; /* in the order in which they ended */
    int n_outcomes;
    struct expert_wish wish;
    struct features features;
    struct intent_answer intent;
    struct route_node nodes[ROUTE_NODES_MAX];
    struct candidate candidates[ROUTE_CANDIDATES_MAX];
};

struct journal_reader;
/* Changes nothing.  NULL with err; ERR_NOT_FOUND: there is none yet. */
struct journal_reader *journal_reader_open(const char *path, struct err *err);
void journal_reader_close(struct journal_reader *r); /* NULL is fine */

struct journal_query { /* zero: all, oldest first */
    int64_t since_s, until_s; /* since <= time < until; until 0: no end */
    uint64_t n_last;          /* at most, the newest of them; 0: all */
};
/* The entry is borrowed for the call; each() returns false to stop.  Rows that cannot be read are left out and counted. */
bool journal_each(struct journal_reader *r, const struct journal_query *q, bool (*each)(void *ctx, const struct journal_entry *e), void *ctx,
                  uint64_t *n_unreadable, struct err *err);
/* By its id, or by the begin of it when only one has it.  The entry is borrowed until the next call; NULL with err (ERR_NOT_FOUND). */
const struct journal_entry *journal_find(struct journal_reader *r, const char *id, struct err *err);
/* What journal_keep() kept last, with a '\0' behind it.  The caller frees it; NULL with err (ERR_NOT_FOUND). */
void *journal_kept(struct journal_reader *r, const char *name, size_t *n_bytes, struct err *err);

/* Index in the entry's candidates of whoever has that slot; -1. */
int journal_candidate_of(const struct journal_entry *e, int slot);
/* Who was asked before, or may not be asked, when it was decided: as policy_decide() takes it. */
void journal_tried(const struct journal_entry *e, uint64_t tried[static ROUTE_CANDIDATES_MAX / 64]);
/* The outcome that the client got; NULL: none was written. */
const struct journal_outcome *journal_last(const struct journal_entry *e);
#endif
