/* cluster/peer_run.c - one job's way to another node and back: text by the OpenAI API over HTTP/2, all other tasks by ModelStreamInfer of the
 * Open Inference Protocol (expert/task_wire.h); start at run_begin().
 *
 * Rule:    the node's concrete expert is asked, by its id there, so nothing is routed twice.  Its deadline travels in whole milliseconds, and is
 *          watched here, too: a node that stands still costs no job more than its deadline.  A cancel resets the stream, which frees the job there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "cluster/peer_internal.h"
#include "expert/task_wire.h"
#include "wire/oip_pb.h"
#include "wire/openai_client.h"

enum { EVENT_BYTES_MAX = 8 << 20, ANSWER_BYTES_MAX = 64 << 20, ERROR_BYTES_MAX = 64 << 10, FIELDS_MAX = 10 };
enum { DEADLINE_GRACE_MS = 20 }; /* its own error says more than ours, if it comes at once */

static const unsigned TEXT = EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED;

static bool fail(struct run *r, struct err *err) { return err_prefix(err, "%s on %s", r->peer->id, r->peer->node->name); }

static void emit(struct run *r, const struct expert_event *ev)
{
    if (!job_is_cancelled(r->job))
        r->job->on_event(r->job->ctx, ev);
}

static void note_output(struct run *r)
{
    if (!r->has_output)
        r->first_ns = clock_ns();
    r->has_output = true;
}

/* The node has taken it. */
static void note_started(struct run *r)
{
    if (r->was_started)
        return;
    r->was_started = true;
    r->started_ns = clock_ns();
    r->usage.queue_ns = r->started_ns - r->job->priv.submitted_ns;
    emit(r, &(struct expert_event){ .kind = EXPERT_STARTED, .usage = &r->usage });
}

/* ---- the end ---- */

static void hang_up(struct run *r)
{
    h2_call_cancel(r->text);
    grpc_client_cancel(r->task);
    r->text = NULL;
    r->task = NULL;
}

/* What its node is told to have had of us. */
static void note_at_node(const struct run *r)
{
    struct cluster *c = r->peer->node->peers->cluster;
    struct member *m = r->at ? &r->at->said : NULL;
    pthread_mutex_lock(&c->lock);
    if (m && strcmp(m->name, r->peer->node->name) == 0) {
        m->jobs_total++;
        m->lost_total += r->is_lost;
        m->bytes_out_total += r->usage.bytes_out;
        m->bytes_in_total += r->usage.bytes_in;
    }
    pthread_mutex_unlock(&c->lock);
}

static void run_free(struct run *r)
{
    text_talk_fini(&r->talk);
    events_fini(&r->events);
    buf_fini(&r->whole);
    free(r);
}

void run_drop(struct run *r)
{
    struct peer *p = r->peer;
    struct peers *all = p->node->peers;
    hang_up(r);
    run_free(r);
    pthread_mutex_lock(&all->lock);
    if (--p->n_mine == 0)
        pthread_cond_broadcast(&all->changed);
    p->n_unseen -= p->n_unseen > 0;
    pthread_mutex_unlock(&all->lock);
}

void run_end(struct run *r, const struct err *err)
{
    struct peer *p = r->peer;
    struct peers *all = p->node->peers;
    struct job *job = r->job;
    const struct err why = err ? *err : (struct err){ 0 }; /* it may lie in r */
    const uint64_t now = clock_ns();
    hang_up(r);
    note_at_node(r);
    if (!r->has_usage) {
        r->usage.n_prompt_tok = r->talk.usage.n_prompt_tok;
        r->usage.n_cached_tok = r->talk.usage.n_cached_tok;
        r->usage.n_gen_tok = r->talk.has_usage ? r->talk.usage.n_gen_tok : r->talk.n_pieces;
        if (!r->was_started)
            r->usage.queue_ns = now - job->priv.submitted_ns;
        else if (r->first_ns)
            r->usage.prefill_ns = r->first_ns - r->started_ns, r->usage.decode_ns = now - r->first_ns;
    }
    LIST_UNLINK(all->running, r);
    r->usage.node = p->node->name;
    pthread_mutex_lock(&all->lock);
    r->usage.busy_w = p->c.busy_w > 0 ? p->c.busy_w : 0;
    pthread_mutex_unlock(&all->lock);
    job_end(job, &r->usage, err ? &why : NULL);
    run_free(r);
    job_unref(job);
    pthread_mutex_lock(&all->lock);
    if (err)
        p->failed_total++;
    else
        p->done_total++;
    if (--p->n_mine == 0)
        pthread_cond_broadcast(&all->changed);
    p->n_unseen = p->n_unseen < p->n_mine ? p->n_unseen : p->n_mine;
    pthread_mutex_unlock(&all->lock);
}

static void run_fail(struct run *r, struct err *err)
{
    fail(r, err);
    run_end(r, err);
}

/* ---- text: OpenAI, server-sent events ---- */

static void on_talk(void *ctx, struct expert_event *ev) { emit(ctx, ev); }
static void on_progress(void *ctx, bool is_output)
{
    if (is_output)
        note_output(ctx);
}
static const struct text_talk_fns talk_fns = { on_talk, on_progress };

static bool on_event(void *ctx, const char *data, size_t n)
{
    struct run *r = ctx;
    return text_talk_take(&r->talk, data, n);
}

static void on_vector(void *ctx, int index, const float *v, int n)
{
    struct run *r = ctx;
    note_output(r);
    emit(r, &(struct expert_event){ .kind = EXPERT_VECTOR, .choice = index, .vector = v, .n_vector = n });
}

static void on_head(void *ctx, const struct http_head *head)
{
    struct run *r = ctx;
    const char *type = http_head_get(head, "content-type");
    r->status = head->status;
    r->is_sse = head->status == 200 && type && strncmp(type, "text/event-stream", 17) == 0;
    if (head->status != 200)
        r->whole.max_bytes = ERROR_BYTES_MAX;
    else
        note_started(r);
}

static void on_data(void *ctx, const char *bytes, size_t n)
{
    struct run *r = ctx;
    struct err err;
    r->usage.bytes_in += n;
    if (!r->is_sse) {
        buf_append(&r->whole, bytes, n);
    } else if (!events_put(&r->events, bytes, n, on_event, r)) {
        if (r->talk.has_failed)
            err = r->talk.fail;
        else
            err_set(&err, ERR_IO, "its answer: an event of more than %d bytes", EVENT_BYTES_MAX);
        run_fail(r, &err);
    }
}

static bool take_whole(struct run *r, struct err *err)
{
    struct openai_usage u = { 0 };
    if (!buf_ok(&r->whole, "its answer", err))
        return false;
    const char *s = r->whole.data ? r->whole.data : "";
    if (r->job->task != EXPERT_EMBED) {
        if (r->is_sse)
            events_end(&r->events, on_event, r);
        else
            text_talk_take(&r->talk, s, r->whole.len);
        return text_talk_end(&r->talk, err);
    }
    if (!openai_read_embeddings(s, r->whole.len, r->job->n_inputs, on_vector, r, &u, err))
        return false;
    text_talk_usage(&r->talk, &u);
    return true;
}

static void on_text_end(void *ctx, enum http_end how, const struct err *lost)
{
    struct run *r = ctx;
    struct err err = { 0 };
    r->text = NULL;
    r->is_lost = how != HTTP_END_DONE;
    if (r->is_lost)
        err = *lost;
    else if (r->status != 200)
        openai_read_error(r->status, r->whole.data ? r->whole.data : "", r->whole.len, &err);
    else if (take_whole(r, &err)) {
        run_end(r, NULL);
        return;
    }
    run_fail(r, &err);
}

/* ---- everything else: tasks ---- */

static enum err_code code_of(enum grpc_status s)
{
    switch (s) {
    case GRPC_INVALID_ARGUMENT:
    case GRPC_OUT_OF_RANGE: return ERR_INPUT;
    case GRPC_NOT_FOUND: return ERR_NOT_FOUND;
    case GRPC_UNIMPLEMENTED:
    case GRPC_PERMISSION_DENIED:
    case GRPC_FAILED_PRECONDITION: return ERR_UNSUPPORTED;
    case GRPC_RESOURCE_EXHAUSTED:
    case GRPC_DEADLINE_EXCEEDED:
    case GRPC_UNAVAILABLE: return ERR_BUSY;
    case GRPC_CANCELLED: return ERR_CANCELLED;
    case GRPC_INTERNAL:
    case GRPC_UNKNOWN: return ERR_INTERNAL;
    default: return ERR_IO;
    }
}

static void on_message(void *ctx, const void *bytes, size_t n)
{
    struct run *r = ctx;
    struct arena *a = r->peer->node->peers->arena;
    const char *output;
    const void *block;
    size_t n_block;
    struct err err = { 0 };
    struct expert_event ev;
    arena_reset(a);
    r->usage.bytes_in += n;
    note_started(r);
    bool ok = oip_pb_read_block_reply(&output, &block, &n_block, bytes, n, a, &err);
    if (ok && strcmp(output, TASK_WIRE_USAGE) == 0) {
        ok = task_wire_read_usage(block, n_block, &r->usage) || err_set(&err, ERR_IO, "its answer: a strange usage");
        r->has_usage = ok;
    } else if (ok && strcmp(output, TASK_WIRE_EVENT) == 0) {
        if ((ok = task_wire_read_event(block, n_block, r->job, a, &ev, &err))) {
            note_output(r);
            emit(r, &ev);
        }
    } else if (ok) {
        ok = err_set(&err, ERR_UNSUPPORTED, "it speaks another form of tasks");
    }
    if (!ok) {
        err.code = err.code == ERR_INPUT || err.code == ERR_INTERNAL ? ERR_IO : err.code; /* its fault, not the request's */
        run_fail(r, &err);
    }
}

static void on_task_end(void *ctx, enum grpc_status status, const char *text)
{
    struct run *r = ctx;
    struct err err;
    r->task = NULL;
    r->is_lost = status == GRPC_UNAVAILABLE;
    if (status == GRPC_OK && r->has_usage) {
        run_end(r, NULL);
        return;
    }
    r->is_lost = status == GRPC_OK || status == GRPC_UNAVAILABLE;
    if (status == GRPC_OK)
        err_set(&err, ERR_IO, "its answer ended before it was complete");
    else
        err_set(&err, code_of(status), "%.150s", *text ? text : grpc_status_name(status));
    run_fail(r, &err);
}

/* ---- asking ---- */

struct head { /* fields that every request of ours has */
    char hops[16], deadline_ms[24];
    struct http_field fields[FIELDS_MAX];
    int n;
};
static void put(struct head *h, const char *name, const char *value) { h->fields[h->n++] = (struct http_field){ name, value }; }

static void fill_head(struct head *h, const struct run *r, uint64_t left_ns)
{
    const struct expert_wish *w = &r->job->wish;
    h->n = 0;
    snprintf(h->hops, sizeof(h->hops), "%d", w->hops + 1);
    put(h, "tutti-hops", h->hops);
    if (w->security == WISH_LAN)
        put(h, "tutti-security-level", "internal");
    if (w->trace[0])
        put(h, "traceparent", w->trace);
    if (left_ns > 0 && r->job->task & TEXT) {
        snprintf(h->deadline_ms, sizeof(h->deadline_ms), "%llu", (unsigned long long)(left_ns / 1000000 + 1));
        put(h, "tutti-deadline-ms", h->deadline_ms);
    }
}

/* Vectors bit by bit, and a tenth of the work. */
static bool put_request(struct buf *out, const struct openai_request *r, struct err *err)
{
    struct openai_request q = *r;
    q.is_base64 = r->task == OPENAI_EMBEDDING;
    return openai_put_request(out, &q, err);
}

static bool ask_text(struct run *r, struct h2_client *h2, struct head *h, struct err *err)
{
    static const struct h2_call_fns fns = { .on_head = on_head, .on_data = on_data, .on_end = on_text_end };
    const enum expert_task t = r->job->task;
    struct buf body;
    buf_init(&body, PEER_REQUEST_BYTES_MAX);
    buf_init(&r->whole, ANSWER_BYTES_MAX);
    events_init(&r->events, EVENTS_SSE, EVENT_BYTES_MAX);
    put(h, "content-type", "application/json");
    bool ok = text_talk_begin(&r->talk, r->job, NULL, &talk_fns, r, err) && text_talk_ask(&body, r->job, r->peer->id, put_request, err) &&
              (r->text = h2_client_call(h2, HTTP_VERB_POST, t == EXPERT_EMBED ? "/v1/embeddings" : t == EXPERT_COMPLETE ? "/v1/completions" : "/v1/chat/completions",
                                        h->fields, h->n, true, &fns, r, err)) != NULL;
    if (ok) {
        r->usage.bytes_out += body.len;
        h2_call_write(r->text, body.data, body.len);
        h2_call_end(r->text);
    }
    buf_fini(&body);
    return ok;
}

static bool ask_task(struct run *r, struct h2_client *h2, struct head *h, uint64_t left_ns, struct err *err)
{
    static const struct grpc_client_fns fns = { .on_message = on_message, .on_end = on_task_end };
    struct task_request rq = r->job->request;
    struct buf block, message;
    rq.task = r->job->task;
    buf_init(&block, PEER_MESSAGE_BYTES_MAX - 4096);
    buf_init(&message, PEER_MESSAGE_BYTES_MAX);
    bool ok = task_wire_put_request(&block, &rq, err);
    if (ok) {
        oip_pb_put_block_request(&message, r->peer->id, TASK_WIRE_REQUEST, block.data, block.len);
        ok = buf_ok(&message, "a request", err) &&
             (r->task = grpc_client_call(r->peer->node->peers->cluster->loop, h2, "/inference.GRPCInferenceService/ModelStreamInfer", h->fields, h->n, left_ns, PEER_MESSAGE_BYTES_MAX,
                                         &fns, r, err)) != NULL;
    }
    if (ok) {
        r->usage.bytes_out += message.len;
        grpc_client_send(r->task, message.data, message.len);
        grpc_client_half_close(r->task);
    }
    buf_fini(&block);
    buf_fini(&message);
    return ok;
}

/* Calls it, again and again, as long as somebody waits.  false with err: it does not come. */
static bool keep_waking(struct run *r, uint64_t now_ns, uint64_t *next_ns, struct err *err)
{
    struct peer_node *n = r->peer->node;
    struct cluster *c = n->peers->cluster;
    const uint64_t ms = 1000000, wait_ns = (c->config.wake_wait_ms ? c->config.wake_wait_ms : WAKE_WAIT_MS) * ms;
    bool calls = false;
    pthread_mutex_lock(&n->peers->lock);
    bool goes_on = now_ns >= n->rest_ns;
    if (goes_on && !n->waking_ns)
        n->waking_ns = now_ns;
    if (goes_on && now_ns >= n->waking_ns + wait_ns) {
        goes_on = false;
        n->waking_ns = 0;
        n->rest_ns = now_ns + WAKE_REST_MS * ms;
    }
    if (goes_on && (!n->packet_ns || now_ns >= n->packet_ns + WAKE_EACH_MS * ms)) {
        n->packet_ns = now_ns;
        calls = true;
    }
    const uint64_t due = n->packet_ns + WAKE_EACH_MS * ms < n->waking_ns + wait_ns ? n->packet_ns + WAKE_EACH_MS * ms : n->waking_ns + wait_ns;
    pthread_mutex_unlock(&n->peers->lock);
    if (!goes_on)
        return err_set(err, ERR_BUSY, "the node was woken and did not come within %.0f s", (double)wait_ns / 1e9);
    *next_ns = !*next_ns || due < *next_ns ? due : *next_ns;
    struct err why;
    if (calls && wake_send(n->mac, c->config.wake_to, &why)) {
        log_info("cluster: %s is woken", n->name);
        pthread_mutex_lock(&c->lock);
        c->wakes_total++;
        pthread_mutex_unlock(&c->lock);
    } else if (calls) {
        log_warn("cluster: %s: %s", n->name, why.text);
    }
    return true;
}

bool run_ask(struct run *r, uint64_t now_ns, struct err *err)
{
    struct member_node *at = r->peer->node->at;
    const uint64_t left_ns = r->job->deadline_ns ? r->job->deadline_ns - now_ns : 0; /* the caller knows that it is not over */
    struct head h;
    fill_head(&h, r, left_ns);
    r->at = at;
    if (r->job->task & TEXT ? ask_text(r, at->h2, &h, err) : ask_task(r, at->h2, &h, left_ns, err))
        return true;
    return fail(r, err);
}

void run_begin(struct run *r)
{
    struct peer_node *n = r->peer->node;
    const uint64_t now = clock_ns();
    struct err err = { 0 };
    uint64_t next_ns = 0;
    if (run_look(r, now, &next_ns))
        return;
    if ((!n->at || !n->at->h2) && n->can_wake) { /* run_look() calls it: turn() looks at everybody next */
        r->is_waiting = true;
        return;
    }
    if (!n->at || !n->at->h2) {
        err_set(&err, ERR_BUSY, "the node is gone%s%s", n->why[0] ? ": " : "", n->why);
        run_fail(r, &err);
        return;
    }
    if (!run_ask(r, now, &err))
        run_end(r, &err);
}

/* ---- what may happen meanwhile ---- */

uint64_t run_due(const struct run *r) { return r->job->deadline_ns ? r->job->deadline_ns + DEADLINE_GRACE_MS * (uint64_t)1000000 : 0; }

bool run_look(struct run *r, uint64_t now_ns, uint64_t *next_ns)
{
    struct peers *all = r->peer->node->peers;
    const bool is_held = job_is_held(r->job);
    struct err err;
    pthread_mutex_lock(&all->lock);
    const uint64_t stop_ns = r->peer->is_stopping ? r->peer->stop_ns : UINT64_MAX;
    pthread_mutex_unlock(&all->lock);
    const uint64_t begun = r->text || r->task ? DEADLINE_GRACE_MS * (uint64_t)1000000 : 0;
    const uint64_t due_ns = r->job->deadline_ns ? r->job->deadline_ns + begun : UINT64_MAX;
    if (job_is_cancelled(r->job)) {
        err_set(&err, ERR_CANCELLED, "cancelled");
        run_end(r, &err);
        return true;
    }
    if (now_ns >= stop_ns) {
        err_set(&err, ERR_BUSY, "%s is shutting down", r->peer->id);
        run_end(r, &err);
        return true;
    }
    if (now_ns >= due_ns) {
        r->is_lost = r->at != NULL;
        err_set(&err, ERR_BUSY, "the deadline passed");
        run_fail(r, &err);
        return true;
    }
    if (r->is_waiting && !keep_waking(r, now_ns, next_ns, &err)) {
        run_fail(r, &err);
        return true;
    }
    if (is_held != r->is_held && r->text)
        h2_call_hold(r->text, is_held);
    if (is_held != r->is_held && r->task)
        grpc_client_hold(r->task, is_held);
    r->is_held = is_held;
    const uint64_t soonest = due_ns < stop_ns ? due_ns : stop_ns;
    if (soonest != UINT64_MAX && (*next_ns == 0 || soonest < *next_ns))
        *next_ns = soonest;
    return false;
}
