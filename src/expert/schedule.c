/* expert/schedule.c - the engine thread of an LLM expert: many answers in one batch, step by step.
 *
 * A turn: take in what the front thread made ready, end what nobody wants (sweep), give free sequences to who
 * waits (admit), make a batch (batch.c), evaluate it, draw a token for each answer in it and send it.
 *
 * Who gets what:
 *  - a free sequence: interactive before batch (batch counts as interactive after AGE_NS), then the job with the
 *    fewest running choices, then the oldest.  The first choice of a prompt runs ahead until the prompt is
 *    evaluated; the others find its pages in the cache.
 *  - memory: when the pages are used up, a held choice, else the youngest, gives its pages back and waits again.  What it
 *    had said stays said; its tokens are evaluated again (mostly from the cache), so the text does not change.
 * Neither the batch nor the order enters an answer: what a token computes does not depend on its neighbours (llm.h).
 *
 * choice:  WAITING --start()--> RUNNING --preempt()--> WAITING
 *                               RUNNING --end_choice()--> ENDED       any --end_work()--> gone
 * Start at engine_main().
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/thread.h"
#include "expert/draft.h"
#include "expert/llm_internal.h"
#include "expert/prefix_store.h"

static const uint64_t AGE_NS = 10u * 1000 * 1000 * 1000;

/* ---- making and freeing what only this thread uses ---- */

bool engine_init(struct expert_llm *e, struct err *err)
{
    const struct expert_llm_options *o = &e->opt;
    const struct llm_ctx_options c = { .n_ctx = o->n_ctx, .n_kv_tok = o->n_kv_tok, .n_seq_max = o->n_seq_max,
                                       .n_batch_max = o->n_batch_max, .n_logits_max = o->n_seq_max + batch_guess_max(e), .kv_q8 = o->kv_q8 };
    e->ctx = llm_ctx_new(e->model, &c, err);
    if (!e->ctx)
        return false;
    if (e->draft_path && batch_guess_max(e) > 0 &&
        !(e->draft = draft_open(e->draft_path, e->vocab, e->n_vocab, &e->kernels, e->pool, &c, err)))
        return false;
    e->n_limit_tok = llm_ctx_n_ctx(e->ctx);
    const int n_kv = llm_ctx_kv_total_tok(e->ctx);
    if ((e->tasks & EXPERT_COMPLETE) && n_kv < e->n_limit_tok)
        e->n_limit_tok = n_kv;

    e->batch = malloc((size_t)llm_ctx_n_batch_max(e->ctx) * sizeof(*e->batch));
    e->running = calloc((size_t)o->n_seq_max, sizeof(*e->running));
    e->sampled = calloc((size_t)o->n_seq_max, sizeof(*e->sampled));
    e->drawn = calloc((size_t)(o->n_seq_max + batch_guess_max(e)), sizeof(*e->drawn));
    e->offers = calloc((size_t)o->n_seq_max, sizeof(*e->offers));
    e->speculation = (struct speculation){ 0 };
    e->vector = malloc((size_t)e->n_embd * sizeof(*e->vector));
    e->scratch = calloc((size_t)o->n_threads, sizeof(struct sampler_scratch *));
    e->logits_copy = malloc((size_t)o->n_threads * (size_t)e->n_vocab * sizeof(*e->logits_copy));
    if (!e->batch || !e->running || !e->sampled || !e->drawn || !e->offers || !e->vector || !e->scratch || !e->logits_copy)
        return err_set(err, ERR_NOMEM, "no memory for %d sequences", o->n_seq_max);
    for (int i = 0; i < o->n_threads && (e->tasks & EXPERT_COMPLETE); i++)
        if (!(e->scratch[i] = sampler_scratch_new(e->n_vocab, e->n_limit_tok, err)))
            return false;
    return answer_out_init(&e->out, err);
}

void engine_fini(struct expert_llm *e)
{
    answer_out_fini(&e->out);
    for (int i = 0; e->scratch && i < e->opt.n_threads; i++)
        sampler_scratch_free(e->scratch[i]);
    free(e->scratch);
    free(e->logits_copy);
    free(e->vector);
    free(e->offers);
    free(e->drawn);
    free(e->sampled);
    free(e->running);
    free(e->batch);
    draft_free(e->draft);
    prefix_store_close(e->prefix);
    llm_ctx_free(e->ctx);
    e->draft = NULL;
    e->prefix = NULL;
    e->out = (struct answer_out){ 0 };
    e->scratch = NULL;
    e->logits_copy = e->vector = NULL;
    e->sampled = e->running = NULL;
    e->drawn = NULL;
    e->offers = NULL;
    e->batch = NULL;
    e->ctx = NULL;
}

/* ---- events and endings ---- */

static void emit(struct work *w, const struct expert_event *ev) { w->job->on_event(w->job->ctx, ev); }

static void release_seq(struct expert_llm *e, struct gen *g)
{
    if (g->state != GEN_RUNNING)
        return;
    llm_seq_free(e->ctx, g->seq);
    if (e->draft)
        draft_leave(e->draft, g->seq);
    e->running[g->seq] = NULL;
    e->n_running--;
    g->work->n_running--;
    if (!g->work->prompts[g->prompt].evaluated)
        g->work->prompts[g->prompt].running = false;
    g->seq = -1;
    g->state = GEN_WAITING;
}

static void preempt(struct expert_llm *e, struct gen *g)
{
    release_seq(e, g);
    e->mine.preempted_total++;
}

/* What others may read, as of now. */
static void publish(struct expert_llm *e)
{
    int n_waiting = 0;
    for (const struct work *w = e->live.first; w; w = w->next)
        n_waiting += w->n_gens ? w->n_gens - w->n_running - w->n_ended : w->n_prompts - w->n_embedded;
    pthread_mutex_lock(&e->lock);
    struct expert_metrics *m = &e->m;
    m->n_waiting = n_waiting;
    m->n_running = e->n_running;
    if (m->state == EXPERT_WARM || m->state == EXPERT_BUSY) {
        m->state = e->live.first ? EXPERT_BUSY : EXPERT_WARM;
        m->kv_used_frac = m->kv_total_tok ? 1.0 - (double)llm_ctx_kv_free_tok(e->ctx) / (double)m->kv_total_tok : 0;
        if (m->kv_used_frac < 0)
            m->kv_used_frac = 0;
    }
    m->prompt_tok_total = e->mine.prompt_tok_total;
    m->gen_tok_total = e->mine.gen_tok_total;
    m->prefix_queries_tok = e->mine.prefix_queries_tok;
    m->prefix_hits_tok = e->mine.prefix_hits_tok;
    m->preempted_total = e->mine.preempted_total;
    m->steps_total = e->mine.steps_total;
    m->guessed_tok_total = e->mine.guessed_tok_total;
    m->guessed_right_tok_total = e->mine.guessed_right_tok_total;
    memcpy(m->done_total, e->mine.done_total, sizeof(m->done_total));
    pthread_mutex_unlock(&e->lock);
}

/* The one final event; w is gone afterwards.  err NULL: done. */
static void end_work(struct expert_llm *e, struct work *w, const struct err *err)
{
    const uint64_t now = clock_ns();
    for (int i = 0; i < w->n_gens; i++) {
        release_seq(e, &w->gens[i]);
        if (w->gens[i].state != GEN_ENDED)
            e->mine.done_total[expert_end_of(w->job->task, err)]++;
    }
    if (w->n_gens == 0)
        e->mine.done_total[expert_end_of(w->job->task, err)]++;
    if (!w->was_started)
        w->usage.queue_ns = now - w->job->priv.submitted_ns;
    else if (w->first_ns)
        w->usage.decode_ns = now - w->first_ns;
    else
        w->usage.prefill_ns = now - w->started_ns;
    QUEUE_REMOVE(&e->live, w);
    pthread_mutex_lock(&e->lock);
    e->n_open--; /* who gets the event may submit again, */
    pthread_mutex_unlock(&e->lock);
    publish(e);  /* and finds it counted */

    struct job *job = w->job;
    job_end(job, &w->usage, err);
    work_free(w);
    job_unref(job);
    pthread_mutex_lock(&e->lock);
    if (--e->n_jobs == 0)
        pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static void fail_work(struct work *w, const struct err *err)
{
    if (!w->failed)
        w->err = *err;
    w->failed = true; /* sweep() ends it */
}

static void send_delta(struct expert_llm *e, struct gen *g)
{
    struct expert_event ev = { .choice = g->choice };
    if (answer_take(&g->answer, e->vocab, &e->out, &ev) && (ev.n_text > 0 || g->work->job->n_logprobs >= 0))
        emit(g->work, &ev);
    if (answer_failed(&g->answer, &e->out))
        fail_work(g->work, &(struct err){ ERR_NOMEM, "no memory for the answer" });
}

static void end_choice(struct expert_llm *e, struct gen *g, enum expert_stop_reason reason)
{
    struct work *w = g->work;
    answer_end(&g->answer);
    if (g->answer.stop >= 0)
        reason = EXPERT_STOP; /* the last held character completed it */
    send_delta(e, g);
    if (w->failed)
        return;
    const struct expert_event ev = { .kind = EXPERT_CHOICE_END, .choice = g->choice, .reason = reason,
                                     .stop = g->answer.stop >= 0 ? w->stops[g->answer.stop].text : NULL };
    emit(w, &ev);
    release_seq(e, g);
    g->state = GEN_ENDED;
    e->mine.done_total[reason == EXPERT_STOP ? EXPERT_END_STOP : EXPERT_END_LENGTH]++;
    answer_fini(&g->answer);
    free(g->tokens);
    guess_free(g->guess);
    g->tokens = NULL;
    g->guess = NULL;
    if (++w->n_ended == w->n_gens)
        end_work(e, w, NULL);
}

/* ---- taking in, and sweeping out ---- */

/* Why this work must end now; false when it may go on. */
static bool is_dead(const struct expert_llm *e, const struct work *w, uint64_t now, bool stop_now, struct err *why)
{
    if (!w->failed)
        return job_must_end(w->job, stop_now ? e->id : NULL, now, why);
    *why = w->err;
    return true;
}

static void note_deadline(struct expert_llm *e, const struct work *w)
{
    if (w->job->deadline_ns && (!e->next_deadline_ns || w->job->deadline_ns < e->next_deadline_ns))
        e->next_deadline_ns = w->job->deadline_ns;
}

/* Under the lock: ready works become live, and so do those of the inbox that must end. */
static void pull(struct expert_llm *e, uint64_t now, bool stop_now)
{
    struct err why;
    for (struct work *w; (w = e->ready.first);) {
        QUEUE_REMOVE(&e->ready, w);
        w->last_turn = e->turn;
        QUEUE_PUSH(&e->live, w);
    }
    e->next_deadline_ns = 0;
    for (struct work *w = e->inbox.first, *next; w; w = next) {
        next = w->next;
        bool dead = is_dead(e, w, now, stop_now, &why);
        if (!dead && e->m.state == EXPERT_DOWN) {
            dead = true;
            err_set(&why, ERR_BUSY, "%s is down: %.180s", e->id, e->down.text);
        }
        if (dead) {
            QUEUE_REMOVE(&e->inbox, w);
            fail_work(w, &why);
            QUEUE_PUSH(&e->live, w);
        } else {
            note_deadline(e, w);
        }
    }
}

static void sweep(struct expert_llm *e, uint64_t now, bool stop_now)
{
    struct err why;
    for (struct work *w = e->live.first, *next; w; w = next) {
        next = w->next;
        if (is_dead(e, w, now, stop_now, &why))
            end_work(e, w, &why);
        else
            note_deadline(e, w);
    }
}

/* Sleeps until there is something to do; takes it in.  false: the end. */
static bool wait_for_work(struct expert_llm *e, bool go_on)
{
    pthread_mutex_lock(&e->lock);
    for (;;) {
        const uint64_t now = clock_ns();
        const bool stop_now = e->stopping && now >= e->drain_until_ns;
        uint64_t until = e->next_deadline_ns;
        if (e->stopping && !stop_now && (!until || e->drain_until_ns < until))
            until = e->drain_until_ns;
        if (e->quit) {
            pthread_mutex_unlock(&e->lock);
            return false;
        }
        if (go_on || e->ready.first || e->flags_changed || (e->m.state == EXPERT_DOWN && e->inbox.first) ||
            (until && now >= until)) {
            e->flags_changed = e->is_engine_idle = false;
            pull(e, now, stop_now);
            pthread_mutex_unlock(&e->lock);
            sweep(e, now, stop_now);
            return true;
        }
        if (!e->is_engine_idle && !e->live.first && e->m.state == EXPERT_WARM && e->prefix) { /* time for what can wait */
            pthread_mutex_unlock(&e->lock);
            const bool has_kept = prefix_keep_page(e);
            pthread_mutex_lock(&e->lock);
            if (has_kept || e->ready.first || e->flags_changed || e->quit)
                continue;
        }
        if (!e->is_engine_idle && !e->live.first) {
            e->is_engine_idle = true; /* nothing here touches the model until the next turn */
            if (e->seat || e->opt.keep_ms || e->wants_unload)
                pthread_cond_signal(&e->front_wake);
        }
        thread_wait(&e->engine_wake, &e->lock, until ? until : UINT64_MAX);
    }
}

/* ---- giving out sequences ---- */

static bool is_interactive(const struct work *w, uint64_t now)
{
    return w->job->priority == JOB_INTERACTIVE || now - w->job->priv.submitted_ns > AGE_NS;
}

/* The next choice of this job that could run: not behind one that is evaluating the same prompt. */
static struct gen *next_waiting(struct work *w)
{
    if (w->n_running + w->n_ended == w->n_gens || job_is_held(w->job) || w->failed)
        return NULL;
    for (int i = 0; i < w->n_gens; i++)
        if (w->gens[i].state == GEN_WAITING && !w->prompts[w->gens[i].prompt].running)
            return &w->gens[i];
    return NULL;
}

static struct gen *pick_waiting(struct expert_llm *e)
{
    const uint64_t now = clock_ns();
    struct work *best = NULL;
    for (struct work *w = e->live.first; w; w = w->next) {
        if (!next_waiting(w))
            continue;
        const int a = best ? is_interactive(w, now) - is_interactive(best, now) : 1;
        const int b = best ? best->n_running - w->n_running : 0;
        if (a > 0 || (a == 0 && (b > 0 || (b == 0 && w->ticket < best->ticket))))
            best = w;
    }
    return best ? next_waiting(best) : NULL;
}

/* A held choice, else the youngest; NULL when nothing runs. */
static struct gen *pick_victim(const struct expert_llm *e, bool held_only)
{
    struct gen *best = NULL;
    bool best_held = false;
    for (int i = 0; i < e->opt.n_seq_max; i++) {
        struct gen *g = e->running[i];
        if (!g)
            continue;
        const bool held = job_is_held(g->work->job);
        if (held_only && !held)
            continue;
        if (!best || held > best_held ||
            (held == best_held && (g->work->ticket > best->work->ticket ||
                                   (g->work == best->work && g->choice > best->choice)))) {
            best = g;
            best_held = held;
        }
    }
    return best;
}

/* Pages for what this one and all running ones have still to evaluate, and one more for each. */
static bool has_room(const struct expert_llm *e, const struct gen *g, int n_reused)
{
    int64_t need = g->n_tokens - n_reused + KV_PAGE_TOK;
    for (int i = 0; i < e->opt.n_seq_max; i++)
        if (e->running[i])
            need += e->running[i]->n_tokens - e->running[i]->n_done + KV_PAGE_TOK;
    return e->n_running == 0 || llm_ctx_kv_free_tok(e->ctx) >= need;
}

static bool prepare_tokens(const struct expert_llm *e, struct gen *g, struct err *err)
{
    struct work *w = g->work;
    const struct job *j = w->job;
    if (g->tokens)
        return true; /* was preempted */
    g->tokens = malloc((size_t)g->max_tokens * sizeof(*g->tokens));
    if (!g->tokens)
        return err_set(err, ERR_NOMEM, "no memory for a sequence of %d tokens", g->max_tokens);
    if (batch_guess_max(e) > 0 && j->speculate >= 0 && !(g->guess = guess_new(e->vocab, g->max_tokens, err)))
        return false;
    memcpy(g->tokens, w->prompts[g->prompt].ids, (size_t)g->n_prompt * sizeof(*g->tokens));
    g->n_tokens = g->n_prompt;
    return answer_init(&g->answer, w->stops, w->n_stops,
                       (j->show_special ? DETOK_SHOW_SPECIAL : 0u) | (j->task == EXPERT_CHAT ? DETOK_STRIP_SPACE : 0u),
                       j->n_logprobs, err);
}

static void note_started(struct work *w)
{
    if (w->was_started)
        return;
    w->was_started = true;
    w->started_ns = clock_ns();
    w->usage.queue_ns = w->started_ns - w->job->priv.submitted_ns;
    emit(w, &(struct expert_event){ .kind = EXPERT_STARTED, .usage = &w->usage });
}

/* false: no room for it now. */
static bool start(struct expert_llm *e, struct gen *g)
{
    struct work *w = g->work;
    struct prompt *p = &w->prompts[g->prompt];
    struct err err;
    const bool is_new = !g->tokens;
    const int seq = llm_seq_new(e->ctx);
    if (seq < 0)
        return false;
    if (!prepare_tokens(e, g, &err)) {
        llm_seq_free(e->ctx, seq);
        fail_work(w, &err);
        return true;
    }
    int n_reused = llm_seq_reuse(e->ctx, seq, g->tokens, g->n_tokens);
    if (e->prefix)
        n_reused = prefix_fetch(e, seq, g->tokens, g->n_tokens, n_reused);
    if (!has_room(e, g, n_reused)) {
        llm_seq_free(e->ctx, seq);
        return false;
    }
    g->seq = seq;
    g->n_done = n_reused;
    g->state = GEN_RUNNING;
    e->running[seq] = g;
    e->n_running++;
    w->n_running++;
    if (!p->evaluated) {
        p->running = true;
        if (is_new) {
            const int n_cached = n_reused < g->n_prompt ? n_reused : g->n_prompt;
            w->usage.n_cached_tok += n_cached;
            e->mine.prefix_queries_tok += (uint64_t)g->n_prompt;
            e->mine.prefix_hits_tok += (uint64_t)n_cached;
            e->mine.prompt_tok_total += (uint64_t)g->n_prompt;
            if (e->prefix)
                prefix_store_used(e->prefix, g->tokens, n_cached);
        }
    }
    note_started(w);
    return true;
}

static void embed_one(struct expert_llm *e)
{
    struct work *w = NULL;
    struct err err;
    for (struct work *i = e->live.first; i; i = i->next)
        if (i->job->task == EXPERT_EMBED && !i->failed && !job_is_held(i->job) && (!w || i->last_turn < w->last_turn))
            w = i;
    if (!w)
        return;
    struct gen *held = pick_victim(e, true);
    if (e->n_running == e->opt.n_seq_max) {
        if (!held)
            return;
        preempt(e, held);
        held = NULL;
    }
    const struct prompt *p = &w->prompts[w->n_embedded];
    note_started(w);
    w->last_turn = e->turn;
    if (!llm_embed(e->ctx, p->ids, p->n, e->vector, &err)) {
        if (err.code == ERR_BUSY && held)
            preempt(e, held);
        else if (err.code != ERR_BUSY || e->n_running == 0)
            fail_work(w, &err);
        return;
    }
    e->mine.prompt_tok_total += (uint64_t)p->n;
    emit(w, &(struct expert_event){ .kind = EXPERT_VECTOR, .choice = w->n_embedded, .vector = e->vector, .n_vector = e->n_embd });
    if (++w->n_embedded == w->n_prompts)
        end_work(e, w, NULL);
}

static void admit(struct expert_llm *e)
{
    for (struct gen *g, *held; (g = pick_waiting(e));) {
        if (e->n_running < e->n_seq && start(e, g))
            continue;
        held = pick_victim(e, true);
        if (!held)
            break;
        preempt(e, held); /* its reader is slow: that slows nobody else */
    }
    int n_ahead = 0;
    for (struct work *w = e->live.first; w; w = w->next) {
        if (!w->was_started && !w->was_queued && !w->failed)
            emit(w, &(struct expert_event){ .kind = EXPERT_QUEUED, .n_ahead = n_ahead });
        w->was_queued = true;
        n_ahead += w->n_gens ? w->n_gens - w->n_running - w->n_ended : w->n_prompts - w->n_embedded;
    }
}

/* The pages are used up: somebody gives his back. */
static void make_room(struct expert_llm *e, const struct err *err)
{
    struct gen *g = pick_victim(e, false);
    if (!g)
        return;
    if (e->n_running > 1)
        preempt(e, g);
    else if (g->n_tokens > g->n_prompt)
        end_choice(e, g, EXPERT_LENGTH);
    else
        fail_work(g->work, err);
}

/* ---- drawing ---- */

/* The k-th token of this batch for g; those before it stand in g->tokens: they were guessed right. */
static void sample_row(struct expert_llm *e, struct gen *g, int k, int ith)
{
    const struct job *j = g->work->job;
    struct drawn *d = &e->drawn[g->row + k];
    float *logits = llm_logits(e->ctx, g->row + k), *copy = e->logits_copy + (size_t)ith * (size_t)e->n_vocab;
    const int n = g->n_tokens + k;
    double log_sum = 0;
    d->n_top = 0;
    d->logprob = 0;
    if (j->n_logprobs >= 0) {
        memcpy(copy, logits, (size_t)e->n_vocab * sizeof(*copy));
        log_sum = logits_log_sum(copy, e->n_vocab);
        d->n_top = logits_top(copy, e->n_vocab, log_sum, d->top, j->n_logprobs);
    }
    for (int i = 0; i < e->n_eog && j->ignore_eos; i++)
        logits[e->eog[i]] = -INFINITY;
    d->id = sampler_next(&g->sampler, e->scratch[ith], logits, g->tokens, n, g->n_prompt);
    if (d->id >= 0 && n - g->n_prompt < j->n_forced)
        d->id = j->forced[n - g->n_prompt];
    if (j->n_logprobs >= 0 && d->id >= 0)
        d->logprob = (float)((double)copy[d->id] - log_sum);
}

/* As far as the guesses are right, and one token more: exactly the draws that there would be without them. */
static void sample_gen(struct expert_llm *e, struct gen *g, int ith)
{
    for (int k = 0; k <= g->n_guess; k++) {
        sample_row(e, g, k, ith);
        g->n_drawn = k + 1;
        if (k == g->n_guess || e->drawn[g->row + k].id != g->tokens[g->n_tokens + k])
            break;
    }
}

static void sample_rows(struct pool *pool, int ith, void *ctx)
{
    struct expert_llm *e = ctx;
    for (int64_t i; (i = pool_take(pool)) < e->n_sampled;)
        sample_gen(e, e->sampled[i], ith);
}

/* false: the choice goes on no further; g may be gone. */
static bool accept_token(struct expert_llm *e, struct gen *g, const struct drawn *d, uint64_t now)
{
    struct work *w = g->work;
    if (w->failed || job_is_cancelled(w->job))
        return false;
    if (d->id < 0) {
        if (w->job->sampling.n_bias >= e->n_vocab) /* only then can all be banned */
            fail_work(w, &(struct err){ ERR_INPUT, "logit_bias: no token is possible, all are banned" });
        else
            fail_work(w, &(struct err){ ERR_INTERNAL, "no token is possible: the model gave no number" });
        return false;
    }
    if (!w->first_ns) {
        w->first_ns = now;
        w->usage.prefill_ns = now - w->started_ns;
    }
    g->tokens[g->n_tokens++] = d->id;
    w->usage.n_gen_tok++;
    e->mine.gen_tok_total++;
    if (!w->job->ignore_eos && vocab_is_eog(e->vocab, d->id)) {
        end_choice(e, g, EXPERT_STOP);
        return false;
    }
    const bool stopped = answer_push(&g->answer, e->vocab, d->id, d->logprob, d->top, d->n_top);
    if (stopped || g->n_tokens == g->max_tokens) {
        end_choice(e, g, stopped ? EXPERT_STOP : EXPERT_LENGTH);
        return false;
    }
    send_delta(e, g);
    return true;
}

/* What was drawn becomes the answer; what was guessed and not drawn is forgotten. */
static void accept_drawn(struct expert_llm *e, struct gen *g)
{
    const int n_drawn = g->n_drawn, n_guess = g->n_guess;
    const struct drawn *d = &e->drawn[g->row];
    if (n_guess > 0) {
        guess_learn(g->guess, n_guess, n_drawn - 1);
        g->work->usage.n_guessed_tok += n_guess;
        g->work->usage.n_guessed_right_tok += n_drawn - 1;
        e->mine.guessed_tok_total += (uint64_t)n_guess;
        e->mine.guessed_right_tok_total += (uint64_t)(n_drawn - 1);
    }
    for (int k = 0; k < n_drawn; k++)
        if (!accept_token(e, g, &d[k], clock_ns()))
            return; /* ended, or is about to be */
    if (g->n_done >= g->n_tokens)
        g->n_done = llm_seq_truncate(e->ctx, g->seq, g->n_tokens - 1);
    if (e->draft)
        draft_keep(e->draft, g->seq, g->n_tokens - 1);
}

/* ---- the turn ---- */

/* One batch; false when there was nothing to evaluate. */
static bool step(struct expert_llm *e)
{
    struct err err;
    int n = batch_build(e, true);
    if (n == 0)
        return false;
    const bool is_packed = llm_model_is_packed(e->model); /* else the time tells nothing */
    const uint64_t start_ns = clock_ns();
    bool ok = llm_forward(e->ctx, e->batch, n, &err);
    if (!ok && err.code == ERR_BUSY && e->n_rows > e->n_sampled) { /* a guess pushes nobody out */
        n = batch_build(e, false);
        ok = llm_forward(e->ctx, e->batch, n, &err);
    }
    if (!ok) {
        if (err.code == ERR_BUSY)
            make_room(e, &err);
        else
            for (int i = 0; i < e->opt.n_seq_max; i++)
                if (e->running[i] && e->running[i]->n_chunk > 0)
                    fail_work(e->running[i]->work, &err);
        return true;
    }
    const uint64_t now = clock_ns();
    e->mine.steps_total++;
    for (int i = 0; i < e->opt.n_seq_max; i++) {
        struct gen *g = e->running[i];
        if (!g)
            continue;
        g->n_done += g->n_chunk + g->n_guess;
        if (g->n_done >= g->n_prompt) {
            g->work->prompts[g->prompt].evaluated = true;
            g->work->prompts[g->prompt].running = false;
        }
    }
    if (e->n_sampled > 1 && e->opt.n_threads > 1)
        pool_run(e->pool, sample_rows, e);
    else
        for (int i = 0; i < e->n_sampled; i++)
            sample_gen(e, e->sampled[i], 0);
    if (is_packed)
        batch_note(e, n, (double)(now - start_ns), (double)(clock_ns() - start_ns));
    for (int i = 0; i < e->n_sampled; i++) /* a work ends only with its last choice: each pointer is good */
        accept_drawn(e, e->sampled[i]);
    return true;
}

/* Something waits that was not begun only because this turn had no time for it. */
static bool has_embeddings(const struct expert_llm *e)
{
    for (const struct work *w = e->live.first; w; w = w->next)
        if (w->failed || (w->job->task == EXPERT_EMBED && !job_is_held(w->job)))
            return true;
    return false;
}

void *engine_main(void *arg)
{
    struct expert_llm *e = arg;
    bool go_on = false;
    while (wait_for_work(e, go_on)) {
        go_on = false;
        e->turn++;
        if (e->live.first) {
            e->n_seq = llm_share(e->opt.n_seq_max, atomic_load(&e->batch_share), 1);
            pool_use(e->pool, llm_share(e->opt.n_threads, atomic_load(&e->threads_share), 1));
            embed_one(e);
            admit(e);
            go_on = step(e) || has_embeddings(e);
        }
        publish(e);
    }
    return NULL;
}
