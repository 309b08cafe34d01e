/* route/journal.c - the queue between those who decide and the thread that writes; start at journal_decided() and work().
 *
 * Rule:    the queue is one block of bytes, a ring: entries lie in it as they are written, each in one piece.  Who decides holds
 *          the lock while it encodes one (microseconds); the thread works on what lies there without the lock, and gives the
 *          space back when it is in the file.  The world's static part is queued only when it is another than the last one.
 */
#include "route/journal.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "route/journal_internal.h"

bool journal_path(const char *xdg, const char *home, char *path, size_t size)
{
    const int n = xdg && xdg[0] == '/' ? snprintf(path, size, "%s/tutti/route.db", xdg)
                  : home && home[0]    ? snprintf(path, size, "%s/.local/state/tutti/route.db", home)
                                       : -1;
    return n > 0 && (size_t)n < size;
}

const char *journal_end_name(enum journal_end end)
{
    static const char *const names[JOURNAL_END_COUNT] = { "done", "failed", "cancelled" };
    return (unsigned)end < JOURNAL_END_COUNT ? names[end] : "?";
}

int journal_candidate_of(const struct journal_entry *e, int slot)
{
    for (int i = 0; i < e->world.n; i++)
        if (e->world.list[i].slot == slot)
            return i;
    return -1;
}

void journal_tried(const struct journal_entry *e, uint64_t tried[static ROUTE_CANDIDATES_MAX / 64])
{
    memset(tried, 0, ROUTE_CANDIDATES_MAX / 64 * sizeof(*tried));
    for (int i = 0; i < e->decision.n; i++)
        tried[i / 64] |= (uint64_t)(e->decision.verdicts[i].rule == ROUTE_RULE_TRIED) << (i % 64);
}

const struct journal_outcome *journal_last(const struct journal_entry *e)
{
    for (int i = e->n_outcomes; i-- > 0;)
        if (e->outcomes[i].is_last)
            return &e->outcomes[i];
    return NULL;
}

#if TUTTI_STORE

enum {
    SESSIONS = 256,              /* conversations that are told apart at a time */
    WORLD_BYTES_MAX = 128 << 10,
    QUEUE_BYTES = 4 << 20,
    QUEUE_BYTES_MIN = 512 << 10, /* the largest decision, and what is kept of learning, fit */
    BATCH_MS = 100,              /* from one transaction to the next; the first one is at once */
    BUSY_MS = 1000,              /* another process holds the file: again after */
    PRUNE_STEPS_MAX = 64,        /* after one batch */
};
_Static_assert(sizeof(struct journal_head) % 8 == 0, "entries stay aligned");

struct journal {
    struct journal_db *db;    /* the thread's, once it runs; NULL: not opened yet */
    struct journal_options options;
    pthread_t thread;
    pthread_mutex_t lock;     /* all below */
    pthread_cond_t wake;      /* the thread: there is work */
    pthread_cond_t rest;      /* others: a batch has ended, a call of on_written too */
    bool is_hurried;          /* somebody waits in journal_flush() */
    void (*on_written)(void *ctx); /* NULL: nobody wants to know */
    void *on_written_ctx;
    bool is_calling;
    float interval_s;
    uint64_t call_ns;         /* not before */
    uint64_t warn_ns;         /* neither */
    uint64_t given_back;      /* bytes of the ring, in all: so far has the thread come ... */
    uint64_t taken;           /* ... and so many were ever queued */
    unsigned char *ring;      /* [size] */
    size_t size, head, tail, used; /* written at head, read at tail */
    unsigned char *scratch;   /* [WORLD_BYTES_MAX] */
    uint64_t world;           /* hash of the one that was queued last; 0: none */
    uint64_t glance;          /* its row_glance() */
    bool is_closing;
    struct journal_figures figures;
    struct {
        uint64_t session, number;
    } sessions[SESSIONS];     /* see number_of() */
    uint64_t n_sessions;
    char path[1024];
};

/* ---- who decides ---- */

/* n_bytes in one piece at the head, for the head of an entry and its body.  NULL: no room. */
static unsigned char *reserve(struct journal *j, size_t n_bytes, size_t *n_room)
{
    if (j->used == 0)
        j->head = j->tail = 0;
    const bool is_wrapped = j->head < j->tail || (j->head == j->tail && j->used > 0);
    const size_t room = (is_wrapped ? j->tail : j->size) - j->head;
    *n_room = room;
    return room >= n_bytes ? j->ring + j->head : NULL;
}

/* The end of the ring is too small: it becomes a gap, and the next entry begins at the front.  false: no room there either. */
static bool wrap(struct journal *j)
{
    if (j->used == 0 || j->head < j->tail || (j->head == j->tail && j->used > 0) || j->tail == 0)
        return false;
    const size_t gap = j->size - j->head;
    if (gap >= sizeof(struct journal_head))
        *(struct journal_head *)(void *)(j->ring + j->head) = (struct journal_head){ .n_bytes = (uint32_t)(gap - sizeof(struct journal_head)), .kind = JOURNAL_ENTRY_GAP };
    j->used += gap, j->taken += gap;
    j->head = 0;
    return true;
}

static void publish(struct journal *j, struct journal_head h, size_t n_body)
{
    const size_t padded = (n_body + 7) / 8 * 8;
    h.n_body = (uint32_t)n_body, h.n_bytes = (uint32_t)padded;
    memcpy(j->ring + j->head, &h, sizeof(h));
    j->head += sizeof(h) + padded;
    if (j->head == j->size)
        j->head = 0;
    const bool was_idle = j->used == 0, was_low = j->used < j->size / 2;
    j->used += sizeof(h) + padded, j->taken += sizeof(h) + padded;
    if (was_idle || (was_low && j->used >= j->size / 2))
        pthread_cond_signal(&j->wake);
}

static bool push(struct journal *j, const struct journal_head *h, const void *body, size_t n_body)
{
    size_t room;
    const size_t need = sizeof(*h) + (n_body + 7) / 8 * 8;
    unsigned char *p = reserve(j, need, &room);
    if (!p && wrap(j))
        p = reserve(j, need, &room);
    if (!p)
        return false;
    memcpy(p + sizeof(*h), body, n_body);
    publish(j, *h, n_body);
    return true;
}

static bool push_world(struct journal *j, const struct candidates *world, uint64_t *hash)
{
    struct row r;
    struct candidates w = *world; /* written, not changed */
    const uint64_t glance = row_glance(world);
    *hash = j->world;
    if (j->world && glance == j->glance)
        return true;
    row_begin_writing(&r, j->scratch, WORLD_BYTES_MAX);
    row_world(&r, &w);
    if (r.failed)
        return false;
    const size_t n = (size_t)(r.at - j->scratch);
    *hash = row_hash(j->scratch, n);
    if (*hash != j->world && !push(j, &(struct journal_head){ .kind = JOURNAL_ENTRY_WORLD, .world = *hash }, j->scratch, n))
        return false;
    j->world = *hash, j->glance = glance;
    return true;
}

static bool push_decision(struct journal *j, const struct journal_head *h, const struct row_parts *parts)
{
    for (int round = 0; round < 2; round++) {
        struct row r;
        size_t room;
        unsigned char *p = reserve(j, sizeof(*h) + 8, &room);
        if (p) {
            p += sizeof(*h);
            row_begin_writing(&r, p, (room - sizeof(*h)) / 8 * 8);
            row_decision(&r, parts);
            if (!r.failed) {
                publish(j, *h, (size_t)(r.at - p));
                return true;
            }
        }
        if (!wrap(j))
            break;
    }
    return false;
}

/* Lock held.  A hash of a conversation's begin would tell whoever guesses the begin that he is right.  So a conversation is kept as a number: they
 * are counted as they come (one that was quiet for long gets another number). */
static uint64_t number_of(struct journal *j, uint64_t session)
{
    const size_t i = session % SESSIONS;
    if (session == 0)
        return 0;
    if (j->sessions[i].session != session)
        j->sessions[i].session = session, j->sessions[i].number = ++j->n_sessions;
    return j->sessions[i].number;
}

static void set_id(struct journal_head *h, const char *id) { snprintf(h->id, sizeof(h->id), "%s", id); }

void journal_decided(struct journal *j, const char *id, int64_t time_s, const struct route_request *rq, const struct candidates *world,
                     const struct route_decision *d)
{
    struct journal_head h = { .kind = JOURNAL_ENTRY_DECIDED, .time_s = time_s };
    struct candidates w = *world;
    struct route_request q = *rq;
    /* the same functions read and write: they take what they could change, and change nothing when they write */
    const struct row_parts parts = { .request = &q, .wish = (struct expert_wish *)(uintptr_t)rq->wish,
                                     .features = (struct features *)(uintptr_t)rq->features, .intent = (struct intent_answer *)(uintptr_t)rq->intent,
                                     .world = &w, .decision = (struct route_decision *)(uintptr_t)d };
    if (world->n_nodes > ROUTE_NODES_MAX || world->n > ROUTE_CANDIDATES_MAX)
        return;
    set_id(&h, id);
    pthread_mutex_lock(&j->lock);
    q.session = number_of(j, rq->session);
    if (!push_world(j, world, &h.world) || !push_decision(j, &h, &parts))
        j->figures.dropped_total++;
    pthread_mutex_unlock(&j->lock);
}

void journal_ended(struct journal *j, const char *id, const struct journal_outcome *o)
{
    struct journal_head h = { .kind = JOURNAL_ENTRY_ENDED };
    set_id(&h, id);
    pthread_mutex_lock(&j->lock);
    if (!push(j, &h, o, sizeof(*o)))
        j->figures.dropped_total++;
    pthread_mutex_unlock(&j->lock);
}

void journal_keep(struct journal *j, const char *name, const void *state, size_t n_bytes)
{
    struct journal_head h = { .kind = JOURNAL_ENTRY_STATE, .time_s = (int64_t)time(NULL) };
    set_id(&h, name);
    pthread_mutex_lock(&j->lock);
    if (n_bytes > JOURNAL_STATE_BYTES_MAX || !push(j, &h, state, n_bytes))
        j->figures.dropped_total++;
    pthread_mutex_unlock(&j->lock);
}

bool journal_flush(struct journal *j, uint32_t most_ms)
{
    const uint64_t until_ns = clock_ns() + (uint64_t)most_ms * 1000000;
    pthread_mutex_lock(&j->lock);
    const uint64_t all = j->taken;
    while (j->given_back < all && clock_ns() < until_ns) {
        j->is_hurried = true;
        pthread_cond_signal(&j->wake);
        thread_wait(&j->rest, &j->lock, until_ns);
    }
    j->is_hurried = false;
    const bool is_done = j->given_back >= all;
    pthread_mutex_unlock(&j->lock);
    return is_done;
}

void journal_on_written(struct journal *j, float interval_s, void (*fn)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&j->lock);
    while (j->is_calling)
        pthread_cond_wait(&j->rest, &j->lock);
    j->on_written = fn, j->on_written_ctx = ctx, j->interval_s = interval_s;
    j->call_ns = clock_ns() + (uint64_t)((double)interval_s * 1e9);
    pthread_mutex_unlock(&j->lock);
}

void journal_get_figures(struct journal *j, struct journal_figures *out)
{
    pthread_mutex_lock(&j->lock);
    *out = j->figures;
    pthread_mutex_unlock(&j->lock);
}

/* ---- the thread ---- */

/* The entry at *at, which moves on; NULL: a gap, or the ring's end. */
static const struct journal_head *next(const struct journal *j, size_t *at, size_t *n_left)
{
    const size_t to_end = j->size - *at;
    const struct journal_head *h = (const void *)(j->ring + *at);
    if (to_end < sizeof(*h) || h->kind == JOURNAL_ENTRY_GAP) {
        *n_left -= to_end, *at = 0;
        return NULL;
    }
    const size_t n = sizeof(*h) + h->n_bytes;
    *n_left -= n, *at += n;
    if (*at == j->size)
        *at = 0;
    return h;
}

static bool open_file(struct journal *j, struct err *err) { return j->db || (j->db = journal_db_open(j->path, &j->options, err)) != NULL; }

static bool write_batch(struct journal *j, size_t at, size_t n_bytes, uint64_t *n_entries, struct err *err)
{
    bool ok = open_file(j, err) && journal_db_begin(j->db, err);
    *n_entries = 0;
    while (n_bytes > 0) { /* counted to the end, written as long as it works */
        const struct journal_head *h = next(j, &at, &n_bytes);
        if (!h)
            continue;
        *n_entries += h->kind != JOURNAL_ENTRY_WORLD;
        ok = ok && journal_db_add(j->db, h, h + 1, err);
    }
    ok = ok && journal_db_commit(j->db, err);
    if (!ok && j->db)
        journal_db_rollback(j->db);
    return ok;
}

static void prune(struct journal *j, struct err *err)
{
    bool more = true;
    for (int i = 0; more && i < PRUNE_STEPS_MAX; i++)
        if (!journal_db_prune(j->db, (int64_t)time(NULL), &more, err))
            return;
}

/* Lock held: until there is something to write and the last transaction is long enough ago. */
static void wait_for_work(struct journal *j, uint64_t next_ns)
{
    while (!j->is_closing && (j->used == 0 || (clock_ns() < next_ns && j->used < j->size / 2 && !j->is_hurried)))
        thread_wait(&j->wake, &j->lock, j->used ? next_ns : UINT64_MAX);
}

enum { WARN_EVERY_S = 60 };

/* Lock held: what became of a batch. */
static void account(struct journal *j, bool ok, uint64_t n_entries, const struct err *err)
{
    struct journal_figures *f = &j->figures;
    if (ok) {
        if (f->why[0])
            log_info("%s: decisions are kept again", j->path);
        f->written_total += n_entries;
        f->why[0] = '\0';
        return;
    }
    if (!f->why[0] && clock_ns() >= j->warn_ns) { /* on a full disk some batches still find room: to and fro */
        log_warn("the router's decisions are not kept: %s", err->text);
        j->warn_ns = clock_ns() + WARN_EVERY_S * (uint64_t)1000000000;
    }
    f->dropped_total += n_entries;
    snprintf(f->why, sizeof(f->why), "%s", err->text[0] ? err->text : "not written");
}

/* Lock held, given up for the call. */
static void tell(struct journal *j)
{
    if (!j->on_written || clock_ns() < j->call_ns)
        return;
    void (*const fn)(void *) = j->on_written;
    void *const ctx = j->on_written_ctx;
    j->is_calling = true;
    pthread_mutex_unlock(&j->lock);
    fn(ctx);
    pthread_mutex_lock(&j->lock);
    j->is_calling = false;
    j->call_ns = clock_ns() + (uint64_t)((double)j->interval_s * 1e9);
    pthread_cond_broadcast(&j->rest);
}

static void *work(void *ctx)
{
    struct journal *j = ctx;
    struct err err = { 0 };
    uint64_t next_ns = 0, n_entries, rows = 0, bytes = 0;
    const bool is_open = open_file(j, &err);
    if (is_open) {
        prune(j, &err);
        journal_db_size(j->db, &rows, &bytes);
    }
    pthread_mutex_lock(&j->lock);
    j->figures.rows = rows, j->figures.bytes = bytes;
    if (!is_open)
        account(j, false, 0, &err);
    for (;;) {
        wait_for_work(j, next_ns);
        if (j->used == 0)
            break; /* closing, and all is written */
        const size_t at = j->tail, n = j->used;
        const bool is_last = j->is_closing;
        pthread_mutex_unlock(&j->lock);
        err_clear(&err);
        const bool ok = write_batch(j, at, n, &n_entries, &err);
        const bool is_busy = !ok && err.code == ERR_BUSY && !is_last;
        if (ok)
            prune(j, &err);
        if (j->db)
            journal_db_size(j->db, &rows, &bytes);
        pthread_mutex_lock(&j->lock);
        next_ns = clock_ns() + (uint64_t)(is_busy ? BUSY_MS : BATCH_MS) * 1000000;
        j->figures.rows = rows, j->figures.bytes = bytes;
        if (is_busy)
            continue; /* it stays where it is */
        account(j, ok, n_entries, &err);
        j->tail = (j->tail + n) % j->size;
        j->used -= n, j->given_back += n;
        pthread_cond_broadcast(&j->rest);
        if (ok && !j->is_closing)
            tell(j);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* Everything of one whose thread has ended, or never began. */
static void free_all(struct journal *j)
{
    pthread_cond_destroy(&j->wake);
    pthread_cond_destroy(&j->rest);
    pthread_mutex_destroy(&j->lock);
    journal_db_close(j->db);
    free(j->scratch);
    free(j->ring);
    free(j);
}

struct journal *journal_open(const char *path, const struct journal_options *opt, struct err *err)
{
    struct journal *j = calloc(1, sizeof(*j));
    if (!j)
        return err_null(err, ERR_NOMEM, "%s: out of memory", path);
    pthread_mutex_init(&j->lock, NULL);
    thread_cond_init(&j->wake);
    thread_cond_init(&j->rest);
    if (snprintf(j->path, sizeof(j->path), "%s", path) >= (int)sizeof(j->path)) {
        err_set(err, ERR_INPUT, "%.60s...: the path is too long", path);
        goto failed;
    }
    if (opt)
        j->options = *opt;
    j->n_sessions = (uint64_t)time(NULL) << 20; /* no other life's numbers */
    j->size = (opt && opt->queue_bytes ? opt->queue_bytes : QUEUE_BYTES) / 8 * 8;
    j->size = j->size < QUEUE_BYTES_MIN ? QUEUE_BYTES_MIN : j->size;
    j->ring = malloc(j->size);
    j->scratch = malloc(WORLD_BYTES_MAX);
    if (!j->ring || !j->scratch) {
        err_set(err, ERR_NOMEM, "%s: out of memory", path);
        goto failed;
    }
    if (!j->options.opens_later && !open_file(j, err))
        goto failed;
    if (!thread_start(&j->thread, work, j, path, err))
        goto failed;
    return j;
failed:
    free_all(j);
    return NULL;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->is_closing = true;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    free_all(j);
}

#else /* make STORE=0: nobody ever has a journal */

struct journal *journal_open(const char *path, const struct journal_options *opt, struct err *err)
{
    (void)path, (void)opt;
    return err_null(err, ERR_UNSUPPORTED, "the router's decisions are not kept: built without SQLite (STORE=0)");
}
void journal_close(struct journal *j) { (void)j; }
void journal_decided(struct journal *j, const char *id, int64_t time_s, const struct route_request *rq, const struct candidates *world,
                     const struct route_decision *d)
{
    (void)j, (void)id, (void)time_s, (void)rq, (void)world, (void)d;
}
void journal_ended(struct journal *j, const char *id, const struct journal_outcome *o) { (void)j, (void)id, (void)o; }
void journal_keep(struct journal *j, const char *name, const void *state, size_t n_bytes) { (void)j, (void)name, (void)state, (void)n_bytes; }
bool journal_flush(struct journal *j, uint32_t most_ms) { return (void)j, (void)most_ms, true; }
void journal_on_written(struct journal *j, float interval_s, void (*fn)(void *ctx), void *ctx) { (void)j, (void)interval_s, (void)fn, (void)ctx; }
void journal_get_figures(struct journal *j, struct journal_figures *out)
{
    (void)j;
    *out = (struct journal_figures){ 0 };
}
#endif
