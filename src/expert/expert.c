/* expert/expert.c - the door: checks what can be said of a job without a model, then asks the kind. */
#include "expert/expert.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"

const char *expert_state_name(enum expert_state s)
{
    static const char *const names[] = { "cold", "loading", "warm", "busy", "down" };
    _Static_assert(sizeof(names) / sizeof(names[0]) == EXPERT_STATE_COUNT, "one name each");
    return s < EXPERT_STATE_COUNT ? names[s] : "?";
}

const char *expert_end_name(enum expert_end e)
{
    static const char *const names[] = { "stop", "length", "embed", "cancel", "error" };
    _Static_assert(sizeof(names) / sizeof(names[0]) == EXPERT_END_COUNT, "one name each");
    return e < EXPERT_END_COUNT ? names[e] : "?";
}

enum expert_end expert_end_of(enum expert_task task, const struct err *err)
{
    if (err)
        return err->code == ERR_CANCELLED ? EXPERT_END_CANCEL : EXPERT_END_ERROR;
    return task == EXPERT_EMBED ? EXPERT_END_EMBED : EXPERT_END_STOP;
}

static bool check_inputs(const struct job *j, struct err *err)
{
    if (!j->inputs || j->n_inputs < 1 || j->n_inputs > JOB_INPUTS_MAX)
        return err_set(err, ERR_INPUT, "%d inputs: 1 to %d are wanted", j->n_inputs, JOB_INPUTS_MAX);
    for (int i = 0; i < j->n_inputs; i++) {
        const struct job_input *in = &j->inputs[i];
        if (in->text ? in->ids != NULL : in->n_ids < 0 || (in->n_ids > 0 && !in->ids))
            return err_set(err, ERR_INPUT, "input %d: text or token ids are wanted", i);
    }
    return true;
}

static bool check_job(const struct job *j, struct err *err)
{
    if (!j->on_event)
        return err_set(err, ERR_INTERNAL, "a job without on_event");
    if (!(j->task & (EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED)))
        return true; /* task_run() checks requests, on the other side of the process */
    if (j->task == EXPERT_CHAT) {
        if (!json_is_array(json_object_get(j->vars, "messages")))
            return err_set(err, ERR_INPUT, "messages: an array is wanted");
    } else if (!check_inputs(j, err)) {
        return false;
    }
    if (j->task == EXPERT_EMBED)
        return true;
    const int n_inputs = j->task == EXPERT_CHAT ? 1 : j->n_inputs;
    if (j->n_choices < 1 || j->n_choices > JOB_CHOICES_MAX || j->n_choices * n_inputs > JOB_INPUTS_MAX)
        return err_set(err, ERR_INPUT, "n: 1 to %d choices are possible", JOB_CHOICES_MAX);
    if (j->max_tokens < 0)
        return err_set(err, ERR_INPUT, "max_tokens: %d is less than 0", j->max_tokens);
    if (j->n_logprobs < -1 || j->n_logprobs > JOB_LOGPROBS_MAX)
        return err_set(err, ERR_INPUT, "logprobs: 0 to %d are possible", JOB_LOGPROBS_MAX);
    if (j->n_stops < 0 || j->n_stops > JOB_STOPS_MAX || (j->n_stops > 0 && !j->stops))
        return err_set(err, ERR_INPUT, "stop: at most %d strings are possible", JOB_STOPS_MAX);
    for (int i = 0; i < j->n_stops; i++)
        if (j->stops[i].n < 1 || j->stops[i].n > JOB_STOP_BYTES_MAX)
            return err_set(err, ERR_INPUT, "stop: a string of 1 to %d bytes is wanted", JOB_STOP_BYTES_MAX);
    return true;
}

void expert_free(struct expert *e)
{
    if (e)
        e->ops->free(e);
}

bool expert_submit(struct expert *e, struct job *j, struct err *err)
{
    if (!check_job(j, err))
        return false;
    j->request.task = j->task;
    j->priv.submitted_ns = clock_ns();
    atomic_store(&j->priv.expert, e);
    job_ref(j);
    if (e->ops->submit(e, j, err))
        return true;
    atomic_store(&j->priv.expert, NULL);
    job_unref(j);
    return false;
}

void expert_get_card(struct expert *e, struct expert_card *out) { e->ops->card(e, out); }
void expert_get_metrics(struct expert *e, struct expert_metrics *out) { e->ops->metrics(e, out); }

bool expert_get_info(struct expert *e, struct task_info *out)
{
    memset(out, 0, sizeof(*out));
    return e->ops->info && e->ops->info(e, out);
}

void expert_unload(struct expert *e)
{
    if (e->ops->unload)
        e->ops->unload(e);
}

void expert_limit(struct expert *e, const struct expert_limits *limits)
{
    if (e->ops->limit)
        e->ops->limit(e, limits);
}

enum expert_state expert_get_state(struct expert *e)
{
    struct expert_metrics m;
    e->ops->metrics(e, &m);
    return m.state;
}

void expert_stop(struct expert *e, uint64_t drain_ns) { e->ops->stop(e, drain_ns); }
bool expert_wait_ready(struct expert *e, struct err *err) { return e->ops->wait_ready(e, err); }
