/* expert/supervisor_batch.c - which requests of a worker expert run together, and the streams that some of them belong to; start at batch_fill(). */
#include <math.h>
#include <stdatomic.h>

#include "base/list.h"
#include "expert/supervisor_internal.h"

static const uint64_t AGE_NS = 10000000000u, SESSION_NS = 60000000000u;

/* ---- streams ---- */

static int find_session(const struct expert_worker *e, uint64_t id)
{
    for (int i = 0; i < e->n_sessions; i++)
        if (e->session[i].id == id)
            return i;
    return -1;
}

static void forget_session(struct expert_worker *e, int i) { e->session[i] = e->session[--e->n_sessions]; }

/* A request of a stream: is its session open?  false: why it is not. */
static bool enter_session(struct expert_worker *e, const struct task_request *rq, uint64_t now, struct err *err)
{
    int at = find_session(e, rq->session);
    if (at < 0 && !rq->session_start)
        return err_set(err, ERR_BUSY, "%s: this stream has ended (its worker ended, or it was silent for too long): begin again", e->card->id);
    if (at < 0 && e->n_sessions == SESSIONS_MAX)
        return err_set(err, ERR_BUSY, "%s: %d streams are open", e->card->id, SESSIONS_MAX);
    if (at < 0)
        at = e->n_sessions++;
    e->session[at].id = rq->session;
    e->session[at].used_ns = now;
    if (rq->session_end)
        forget_session(e, at);
    return true;
}

uint64_t batch_forget_sessions(struct expert_worker *e, uint64_t now)
{
    uint64_t next = 0;
    for (int i = e->n_sessions; i-- > 0;) {
        const uint64_t until = e->session[i].used_ns + SESSION_NS;
        if (now > until)
            forget_session(e, i);
        else if (next == 0 || until < next)
            next = until + 1;
    }
    return next;
}

/* ---- batches ---- */

/* Requests that one run may have now. */
static int batch_now(const struct expert_worker *e)
{
    int n = e->info.n_batch_max < e->n_batch_max ? e->info.n_batch_max : e->n_batch_max;
    n = n < WORKER_BATCH_MAX ? n : WORKER_BATCH_MAX;
    n = (int)ceilf((float)n * atomic_load(&e->batch_share));
    return n > 1 ? n : 1;
}

static bool is_in_batch(const struct expert_worker *e, uint64_t session)
{
    for (uint32_t i = 0; i < e->n_slots; i++)
        if (e->slot[i] && e->slot[i]->job->request.session == session)
            return true;
    return false;
}

/* The next one that may go into the batch at hand; NULL: none.  Interactive ones first, batch ones when they have waited long. */
static struct request *next_request(struct expert_worker *e, size_t room, uint64_t now)
{
    const struct request *first = e->n_slots > 0 ? e->slot[0] : NULL;
    struct request *best = NULL;
    for (struct request *r = e->queue.first; r; r = r->next) {
        const uint64_t session = r->job->request.session;
        if (first && (r->alone || r->job->task != first->job->task))
            continue;
        if (r->size.n_whole + PACK_ALIGN > room || (session != 0 && is_in_batch(e, session)))
            continue;
        bool is_later = false; /* than another of its session that still waits */
        for (const struct request *o = e->queue.first; o != r && session != 0 && !is_later; o = o->next)
            is_later = o->job->request.session == session;
        if (is_later)
            continue;
        if (r->job->priority == JOB_INTERACTIVE || r->alone || now - r->job->priv.submitted_ns > AGE_NS)
            return r;
        best = best ? best : r;
    }
    return best;
}

bool batch_waits(const struct expert_worker *e, uint64_t now, uint64_t *until_ns)
{
    const int n_max = batch_now(e);
    const struct request *r = e->queue.first;
    if (n_max <= 1 || e->batch_delay_ns == 0 || e->queue.n >= n_max || r->alone)
        return false;
    uint64_t until = r->job->priv.submitted_ns + e->batch_delay_ns;
    for (; r; r = r->next) { /* nobody's deadline is risked for it */
        const uint64_t needs = e->run_ns * 2;
        if (r->job->deadline_ns && r->job->deadline_ns < until + needs)
            until = r->job->deadline_ns > needs ? r->job->deadline_ns - needs : 0;
    }
    if (now >= until)
        return false;
    *until_ns = until < *until_ns ? until : *until_ns;
    return true;
}

bool batch_fill(struct expert_worker *e, uint64_t now)
{
    size_t room = WORKER_IN_BYTES - WORKER_DATA_AT;
    const int n_max = batch_now(e);
    e->n_slots = 0;
    e->n_jobs_in_slots = 0;
    for (struct request *r; (int)e->n_slots < n_max && (r = next_request(e, room, now));) {
        struct err err;
        QUEUE_REMOVE(&e->queue, r);
        if (r->job->request.session != 0 && !enter_session(e, &r->job->request, now, &err)) {
            request_end(e, r, &err);
            continue;
        }
        room -= r->size.n_whole + PACK_ALIGN;
        e->is_done[e->n_slots] = false;
        e->slot[e->n_slots++] = r;
        e->n_jobs_in_slots++;
        if (r->alone)
            break;
    }
    return e->n_slots > 0;
}
