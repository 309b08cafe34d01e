/* expert/job.c - making, counting and flagging jobs. */
#include "expert/job.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "expert/expert.h"

const char *expert_stop_reason_name(enum expert_stop_reason r)
{
    static const char *const names[] = { "stop", "length" };
    _Static_assert(sizeof(names) / sizeof(names[0]) == EXPERT_STOP_REASON_COUNT, "one name each");
    return r < EXPERT_STOP_REASON_COUNT ? names[r] : "?";
}

struct job *job_new(size_t limit_bytes, struct err *err)
{
    struct job *j = calloc(1, sizeof(*j));
    if (!j)
        return err_null(err, ERR_NOMEM, "a job: no memory");
    j->arena = arena_new(limit_bytes, err);
    if (!j->arena) {
        free(j);
        return NULL;
    }
    atomic_init(&j->priv.refs, 1);
    j->task = EXPERT_COMPLETE;
    j->sampling = sampler_defaults();
    j->n_choices = 1;
    j->n_logprobs = -1;
    return j;
}

struct job *job_ref(struct job *j)
{
    atomic_fetch_add_explicit(&j->priv.refs, 1, memory_order_relaxed);
    return j;
}

void job_unref(struct job *j)
{
    if (!j || atomic_fetch_sub_explicit(&j->priv.refs, 1, memory_order_acq_rel) != 1)
        return;
    if (j->on_free)
        j->on_free(j->free_ctx);
    json_decref(j->vars);
    arena_free(j->arena);
    free(j);
}

/* The expert is told only while it has the job: it clears priv.expert before the final event. */
static void wake_expert(struct job *j)
{
    struct expert *e = atomic_load(&j->priv.expert);
    if (e)
        e->ops->wake(e);
}

void job_cancel(struct job *j)
{
    atomic_store(&j->priv.cancelled, true);
    wake_expert(j);
}

bool job_is_cancelled(const struct job *j) { return atomic_load(&j->priv.cancelled); }

void job_hold(struct job *j, bool hold)
{
    if (atomic_exchange(&j->priv.held, hold) != hold)
        wake_expert(j);
}

bool job_is_held(const struct job *j) { return atomic_load(&j->priv.held); }

bool job_must_end(const struct job *j, const char *stopping, uint64_t now_ns, struct err *why)
{
    if (job_is_cancelled(j))
        err_set(why, ERR_CANCELLED, "cancelled");
    else if (stopping)
        err_set(why, ERR_BUSY, "%s is shutting down", stopping);
    else if (j->deadline_ns && now_ns >= j->deadline_ns)
        err_set(why, ERR_BUSY, "the deadline passed after %.1f s", (double)(now_ns - j->priv.submitted_ns) / 1e9);
    else
        return false;
    return true;
}

void job_end(struct job *j, const struct expert_usage *usage, const struct err *err)
{
    atomic_store(&j->priv.expert, NULL);
    j->on_event(j->ctx, &(struct expert_event){ .kind = err ? EXPERT_ERROR : EXPERT_DONE, .usage = usage, .err = err });
}
