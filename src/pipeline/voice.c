/* pipeline/voice.c - the conversation: turns in, an answer written and spoken at the same time; start reading at answer_turn().
 *
 *   listening --a turn, nobody speaks--> answering: the chat writes | the voice speaks sentence by sentence | the player plays
 *   answering --all was heard, or it failed--> told, listening
 *   answering --somebody speaks (live), stop--> silence, jobs cancelled, told --all jobs ended--> listening
 */
#include "pipeline/voice.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "task/sentences.h"

enum { SENTENCE_MAX = 240, SENTENCES_MAX = 256, JOB_BYTES = 64 << 10, CTX_ASSUMED_TOK = 2048 };
static const double LOW_S = 2.0; /* the next sentence is asked for when less than this waits to be heard */

struct said_turn { /* waits to be answered */
    char *text;
    double at_s;
    float silence_ms, hear_ms;
    uint64_t heard_ns;
};

struct answer { /* the one at work */
    struct buf text;          /* all that was written; lock */
    size_t n_taken;           /* of it given to the voice */
    struct job *chat_job, *speak_job;
    bool chat_open, speak_open; /* lock */
    int i_chat, i_speak;      /* who was asked last */
    struct err chat_err, speak_err; /* lock */
    char chat[128], speak[128]; /* lock */
    struct { size_t text_end; uint64_t start; } sentences[SENTENCES_MAX]; /* start: samples of this answer */
    int n_sentences;
    uint64_t begin_ns, token_ns, sentence_ns, audio_ns; /* 0: not yet */
    struct player_state before; /* of the player, when it began */
};

struct voice {
    const struct cascade *c;
    const struct cascade_world *world;
    struct voice_plan plan;
    struct voice_hooks hooks;
    bool is_live;
    struct player *player;
    struct expert *chat[CASCADE_EXPERTS_MAX], *speak[CASCADE_EXPERTS_MAX];
    int n_chat, n_speak;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    struct said_turn queue[VOICE_TURNS_MAX];
    int n_queue;
    uint64_t n_dropped;
    int n_speaking;           /* speech that has begun and is no turn yet */
    bool is_busy, interrupt, stopping, draining, quit;
    uint64_t interrupt_ns;
    double awake_until_s;     /* of the stream */
    double stream_s;          /* end of the last speech; live: at stream_ns */
    uint64_t stream_ns;
    /* the thread's */
    struct answer a;
    json_t *history;          /* messages, the system's apart */
    char *pending;            /* said, and interrupted before an answer was heard: the next turn goes on with it */
    int n_turns;
};

/* ---- what was heard ---- */

static bool is_word(char c) { return isalnum((unsigned char)c) || (unsigned char)c >= 0x80; }

/* What stands behind a word that wakes; NULL: none of them is in it. */
static const char *behind_wake(const struct voice_plan *p, const char *text)
{
    for (int i = 0; i < p->n_wake; i++) {
        const size_t n = strlen(p->wake[i]);
        for (const char *s = text; *s; s++) {
            size_t k = 0;
            while (k < n && s[k] && tolower((unsigned char)s[k]) == tolower((unsigned char)p->wake[i][k]))
                k++;
            if (k == n && !is_word(s[n]) && (s == text || !is_word(s[-1])))
                return s + n + strspn(s + n, " ,.!?;:-");
        }
    }
    return NULL;
}

/* With the lock: the stream's time now. */
static double stream_now(const struct voice *v)
{
    return v->is_live && v->stream_ns ? v->stream_s + (double)(clock_ns() - v->stream_ns) / 1e9 : v->stream_s;
}

static void add_turn(struct voice *v, const char *text, const struct cascade_event *e, const struct cascade_result *r)
{
    struct timespec now;
    if (v->n_queue == VOICE_TURNS_MAX) {
        free(v->queue[0].text);
        memmove(&v->queue[0], &v->queue[1], sizeof(v->queue) - sizeof(v->queue[0]));
        v->n_queue--;
        v->n_dropped++;
    }
    struct said_turn *t = &v->queue[v->n_queue];
    *t = (struct said_turn){ .text = strndup(text, VOICE_TEXT_MAX), .at_s = e->start_s, .hear_ms = r->ms, .heard_ns = clock_ns() };
    t->silence_ms = (float)(v->c->events.join_s * 1000);
    if (v->is_live) {
        clock_gettime(CLOCK_REALTIME, &now);
        const double end_ms = (double)e->start_unix_ms + (e->end_s - e->start_s) * 1000;
        t->silence_ms = (float)((double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6 - end_ms) - r->ms;
    }
    v->n_queue += t->text != NULL;
    pthread_cond_broadcast(&v->wake);
}

void voice_on_event_start(struct voice *v, const struct cascade_event *e)
{
    (void)e;
    pthread_mutex_lock(&v->lock);
    v->n_speaking++;
    const bool stops = v->is_live && v->plan.barge_in && v->is_busy && !v->interrupt;
    if (stops) {
        v->interrupt = true;
        v->interrupt_ns = clock_ns();
        pthread_cond_broadcast(&v->wake);
    }
    pthread_mutex_unlock(&v->lock);
    if (stops)
        player_drop(v->player);
}

void voice_on_event(struct voice *v, const struct cascade_event *e)
{
    const struct cascade_result *r = &e->results[v->plan.hear];
    const char *text = r->text ? r->text : "", *rest = text;
    pthread_mutex_lock(&v->lock);
    v->n_speaking -= v->n_speaking > 0;
    v->stream_s = e->end_s;
    v->stream_ns = clock_ns();
    while (*text && !is_word(*text))
        text++;
    bool is_for_us = *text != '\0';
    if (is_for_us && v->plan.n_wake > 0) {
        rest = behind_wake(&v->plan, text);
        is_for_us = rest || e->start_s <= v->awake_until_s;
        text = rest ? rest : text;
    }
    if (is_for_us)
        v->awake_until_s = e->end_s + v->plan.awake_s;
    if (is_for_us && *text)
        add_turn(v, text, e, r);
    pthread_cond_broadcast(&v->wake); /* nobody speaks any more */
    pthread_mutex_unlock(&v->lock);
}

/* ---- what experts say, on their threads ---- */

static void keep_name(char out[128], const struct expert_event *ev)
{
    if (ev->route && ev->route->expert)
        snprintf(out, 128, "%s", ev->route->expert);
}

static void on_chat(void *ctx, const struct expert_event *ev)
{
    struct voice *v = ctx;
    struct answer *a = &v->a;
    pthread_mutex_lock(&v->lock);
    if (ev->kind == EXPERT_ROUTED) {
        keep_name(a->chat, ev);
    } else if (ev->kind == EXPERT_DELTA && ev->n_text > 0) {
        if (!a->token_ns)
            a->token_ns = clock_ns();
        buf_append(&a->text, ev->text, ev->n_text); /* what passes its maximum is left out: nobody listens for so long */
    } else if (ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR) {
        a->chat_open = false;
        if (ev->err)
            a->chat_err = *ev->err;
    }
    pthread_cond_broadcast(&v->wake);
    pthread_mutex_unlock(&v->lock);
}

static void on_speak(void *ctx, const struct expert_event *ev)
{
    struct voice *v = ctx;
    struct answer *a = &v->a;
    struct err err = { 0 };
    pthread_mutex_lock(&v->lock);
    const bool is_wanted = !v->interrupt && !v->stopping;
    if (ev->kind == EXPERT_AUDIO && !a->audio_ns)
        a->audio_ns = clock_ns();
    if (ev->kind == EXPERT_ROUTED)
        keep_name(a->speak, ev);
    pthread_mutex_unlock(&v->lock);
    if (ev->kind == EXPERT_AUDIO && is_wanted)
        player_put(v->player, ev->samples, ev->n_samples, ev->rate_hz, &err);
    pthread_mutex_lock(&v->lock);
    if (err.code && !a->speak_err.code)
        a->speak_err = err;
    if (ev->kind == EXPERT_DONE || ev->kind == EXPERT_ERROR) {
        a->speak_open = false;
        if (ev->err)
            a->speak_err = *ev->err;
    }
    pthread_cond_broadcast(&v->wake);
    pthread_mutex_unlock(&v->lock);
}

static void on_player(void *ctx)
{
    struct voice *v = ctx;
    pthread_mutex_lock(&v->lock);
    pthread_cond_broadcast(&v->wake);
    pthread_mutex_unlock(&v->lock);
}

/* ---- asking, on the voice's thread, without the lock ---- */

/* The first of them from *i on that takes the job; *i: who.  The job's final event may have come when this returns. */
static bool submit_to(struct voice *v, struct expert **list, int n, int *i, struct job *j, char name[128], bool *is_open, struct err *err)
{
    struct err why = { 0 };
    err_set(&why, ERR_BUSY, "nobody is left to %s", expert_task_name(j->task));
    for (; *i < n; ++*i) {
        struct expert_card card;
        expert_get_card(list[*i], &card);
        pthread_mutex_lock(&v->lock);
        snprintf(name, 128, "%s", card.id);
        *is_open = true;
        pthread_mutex_unlock(&v->lock);
        if (expert_submit(list[*i], j, &why))
            return true;
        pthread_mutex_lock(&v->lock);
        *is_open = false;
        pthread_mutex_unlock(&v->lock);
    }
    *err = why;
    return false;
}

static size_t text_bytes(const json_t *messages)
{
    const json_t *m;
    size_t i, n = 0;
    json_array_foreach((json_t *)(uintptr_t)messages, i, m) n += json_string_length(json_object_get(m, "content")) + 16;
    return n;
}

static bool add_message(json_t *messages, const char *role, const char *text)
{
    json_t *content = json_string(text);
    if (!content) /* no UTF-8: nothing that a model of speech should say */
        content = json_string("");
    return content && json_array_append_new(messages, json_pack("{s:s,s:o}", "role", role, "content", content)) == 0;
}

/* The conversation and what was just said, cut from its old end to what the model can read. */
static json_t *make_messages(struct voice *v, const char *you)
{
    struct expert_card card;
    expert_get_card(v->chat[0], &card);
    const size_t most = (size_t)(card.n_ctx > 0 ? card.n_ctx : CTX_ASSUMED_TOK) * 2; /* bytes; half of 4 a token, room for the answer */
    while (json_array_size(v->history) > 0 && (json_array_size(v->history) > 2 * (size_t)v->plan.history || text_bytes(v->history) + strlen(you) > most)) {
        json_array_remove(v->history, 0);
        json_array_remove(v->history, 0);
    }
    json_t *m = json_array();
    bool ok = m && (!v->plan.system[0] || add_message(m, "system", v->plan.system)) && json_array_extend(m, v->history) == 0 && add_message(m, "user", you);
    if (ok)
        return m;
    json_decref(m);
    return NULL;
}

static bool start_chat(struct voice *v, const char *you, struct err *err)
{
    struct answer *a = &v->a;
    json_t *messages = make_messages(v, you);
    struct job *j = messages ? job_new(JOB_BYTES, err) : NULL;
    job_unref(a->chat_job);
    a->chat_job = j;
    if (!j || !(j->vars = json_pack("{s:o}", "messages", messages))) {
        if (!j)
            json_decref(messages);
        return err_set(err, ERR_NOMEM, "voice: no memory for a prompt");
    }
    j->task = EXPERT_CHAT;
    j->max_tokens = v->plan.max_tokens;
    j->sampling.temperature = (float)v->plan.temperature;
    j->sampling.seed = (uint64_t)v->n_turns;
    j->on_event = on_chat;
    j->ctx = v;
    return submit_to(v, v->chat, v->n_chat, &a->i_chat, j, a->chat, &a->chat_open, err);
}

/* Signs that are for the eye stay unspoken. */
static size_t spoken(char *out, const char *text, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        if (!strchr("*#`_", text[i]) || !text[i])
            out[k++] = text[i];
    while (k > 0 && isspace((unsigned char)out[k - 1]))
        k--;
    out[k] = '\0';
    return k;
}

static bool start_speak(struct voice *v, const char *text, size_t n, struct err *err)
{
    struct answer *a = &v->a;
    struct job *j = job_new(JOB_BYTES, err);
    struct task_text *t = j ? arena_alloc(j->arena, 1, sizeof(*t), err) : NULL;
    job_unref(a->speak_job);
    a->speak_job = j;
    if (!t)
        return false;
    *t = (struct task_text){ .text = text, .n = n }; /* in the job's arena below */
    if (!(t->text = arena_strndup(j->arena, text, n, err)))
        return false;
    j->task = EXPERT_SPEAK;
    j->request = (struct task_request){ .texts = t, .n_texts = 1, .options = v->plan.options };
    j->on_event = on_speak;
    j->ctx = v;
    return submit_to(v, v->speak, v->n_speak, &a->i_speak, j, a->speak, &a->speak_open, err);
}

/* ---- an answer ---- */

/* With the lock: the next sentence that is complete, as bytes behind n_taken; 0: none yet. */
static size_t next_sentence(const struct answer *a)
{
    const size_t n = a->text.len - a->n_taken;
    const size_t piece = n > 0 ? sentence_next(a->text.data + a->n_taken, n, SENTENCE_MAX) : 0;
    return piece < n || !a->chat_open ? piece : 0;
}

/* With the lock, which is given back for a moment. */
static void speak_next(struct voice *v, size_t n, const struct player_state *ps)
{
    struct answer *a = &v->a;
    struct err err = { 0 };
    char text[SENTENCE_MAX + 8];
    const size_t n_text = spoken(text, a->text.data + a->n_taken, n < SENTENCE_MAX ? n : SENTENCE_MAX);
    a->n_taken += n;
    if (n_text == 0)
        return;
    if (a->n_sentences < SENTENCES_MAX) {
        a->sentences[a->n_sentences].text_end = a->n_taken;
        a->sentences[a->n_sentences++].start = ps->n_put - a->before.n_put;
    }
    if (!a->sentence_ns)
        a->sentence_ns = clock_ns();
    pthread_mutex_unlock(&v->lock);
    const bool ok = start_speak(v, text, n_text, &err);
    pthread_mutex_lock(&v->lock);
    if (!ok)
        a->speak_err = err;
}

static bool is_mute(const struct answer *a) { return a->speak_err.code != ERR_NONE; }

/* The lock is held; until all was heard, or somebody spoke. */
static void follow(struct voice *v, const char *you)
{
    struct answer *a = &v->a;
    struct player_state ps;
    while (!v->interrupt && !v->stopping) {
        if (!a->chat_open && a->chat_err.code && a->text.len == 0 && a->i_chat + 1 < v->n_chat) { /* the next one */
            struct err err = { 0 };
            a->i_chat++;
            err_clear(&a->chat_err);
            pthread_mutex_unlock(&v->lock);
            const bool ok = start_chat(v, you, &err);
            pthread_mutex_lock(&v->lock);
            if (!ok)
                a->chat_err = err;
            continue;
        }
        if (!a->speak_open && is_mute(a) && a->i_speak + 1 < v->n_speak) { /* another voice goes on */
            a->i_speak++;
            err_clear(&a->speak_err);
        }
        player_get(v->player, &ps);
        const uint64_t waits = ps.n_put - ps.n_heard - ps.n_dropped;
        const size_t n = a->speak_open || is_mute(a) || (ps.rate_hz && (double)waits / ps.rate_hz > LOW_S) ? 0 : next_sentence(a);
        if (n > 0) {
            speak_next(v, n, &ps);
            continue;
        }
        const bool all_taken = a->n_taken == a->text.len || is_mute(a);
        if (!a->chat_open && all_taken && !a->speak_open && waits == 0)
            return;
        pthread_cond_wait(&v->wake, &v->lock);
    }
}

static void end_jobs(struct voice *v)
{
    struct answer *a = &v->a;
    if (a->chat_job)
        job_cancel(a->chat_job);
    if (a->speak_job)
        job_cancel(a->speak_job);
    player_drop(v->player);
    pthread_mutex_lock(&v->lock);
    while (a->chat_open || a->speak_open)
        pthread_cond_wait(&v->wake, &v->lock);
    pthread_mutex_unlock(&v->lock);
    player_drop(v->player); /* what came in between */
}

/* As far as it was begun to be heard. */
static size_t heard_bytes(const struct answer *a, uint64_t n_heard)
{
    size_t n = 0;
    for (int i = 0; i < a->n_sentences; i++)
        if (a->sentences[i].start < n_heard)
            n = a->sentences[i].text_end;
    return n;
}

static void remember(struct voice *v, const char *you, const char *said)
{
    free(v->pending);
    v->pending = NULL;
    if (*said) {
        add_message(v->history, "user", you);
        add_message(v->history, "assistant", said);
    } else {
        v->pending = strdup(you);
    }
}

static float ms_between(uint64_t from, uint64_t to) { return from && to ? (float)((double)(to - from) / 1e6) : NAN; }

static void tell(struct voice *v, const struct said_turn *t, const char *you, bool was_interrupted, float stop_ms)
{
    struct answer *a = &v->a;
    struct player_state ps;
    player_get(v->player, &ps);
    const uint64_t n_heard = ps.n_heard - a->before.n_heard;
    char *said = strndup(a->text.data ? a->text.data : "", was_interrupted || is_mute(a) ? heard_bytes(a, n_heard) : a->text.len);
    struct voice_turn out = { .n = ++v->n_turns, .at_s = t->at_s, .you = you, .answer = a->text.data ? a->text.data : "", .said = said ? said : "", .chat = a->chat, .speak = a->speak,
                              .was_interrupted = was_interrupted, .stop_ms = stop_ms, .silence_ms = t->silence_ms, .hear_ms = t->hear_ms,
                              .token_ms = ms_between(a->begin_ns, a->token_ns), .sentence_ms = ms_between(a->token_ns, a->sentence_ns),
                              .voice_ms = ms_between(a->sentence_ns, a->audio_ns), .sound_ms = ms_between(a->audio_ns, ps.first_ns),
                              .answer_s = ps.rate_hz ? (float)((double)n_heard / ps.rate_hz) : 0 };
    if (out.sound_ms < 0)
        out.sound_ms = 0;
    out.total_ms = out.silence_ms + out.hear_ms + out.token_ms + out.sentence_ms + out.voice_ms + out.sound_ms;
    out.err = a->chat_err.code && a->chat_err.code != ERR_CANCELLED ? a->chat_err : a->speak_err.code != ERR_CANCELLED ? a->speak_err : (struct err){ 0 };
    remember(v, you, was_interrupted ? out.said : out.answer);
    if (v->hooks.on_turn)
        v->hooks.on_turn(v->hooks.ctx, &out);
    free(said);
}

static void answer_turn(struct voice *v, struct said_turn *t)
{
    struct answer *a = &v->a;
    struct err err = { 0 };
    struct buf text = a->text;
    char *joined = NULL;
    buf_clear(&text);
    *a = (struct answer){ .text = text, .begin_ns = clock_ns() };
    if (v->is_live)
        t->silence_ms += ms_between(t->heard_ns, a->begin_ns); /* somebody went on speaking */
    player_mark(v->player);
    player_get(v->player, &a->before);
    if (v->pending && (joined = malloc(strlen(v->pending) + strlen(t->text) + 2)))
        sprintf(joined, "%s %s", v->pending, t->text);
    const char *you = joined ? joined : t->text;
    const bool ok = start_chat(v, you, &err);
    pthread_mutex_lock(&v->lock);
    if (!ok)
        a->chat_err = err;
    follow(v, you);
    const bool was_interrupted = v->interrupt || v->stopping;
    const uint64_t interrupt_ns = v->interrupt ? v->interrupt_ns : 0;
    pthread_mutex_unlock(&v->lock);
    if (was_interrupted)
        end_jobs(v);
    tell(v, t, you, was_interrupted, ms_between(interrupt_ns, clock_ns()));
    job_unref(a->chat_job);
    job_unref(a->speak_job);
    a->chat_job = a->speak_job = NULL;
    free(joined);
}

/* Live: what was said in several pieces meanwhile is one turn. */
static void take_turn(struct voice *v, struct said_turn *out)
{
    int n = 1;
    *out = v->queue[0];
    while (v->is_live && n < v->n_queue) {
        const struct said_turn *next = &v->queue[n++];
        char *both = malloc(strlen(out->text) + strlen(next->text) + 2);
        if (both) {
            sprintf(both, "%s %s", out->text, next->text);
            free(out->text);
            out->text = both;
        }
        out->silence_ms = next->silence_ms, out->hear_ms = next->hear_ms, out->heard_ns = next->heard_ns;
        free(next->text);
    }
    v->n_queue -= n;
    memmove(&v->queue[0], &v->queue[n], (size_t)v->n_queue * sizeof(v->queue[0]));
}

static void *talk(void *arg)
{
    struct voice *v = arg;
    struct said_turn t;
    pthread_mutex_lock(&v->lock);
    while (!v->quit && !v->stopping) {
        const bool waits = v->n_queue == 0 || (v->is_live && v->plan.barge_in && v->n_speaking > 0 && !v->draining);
        if (waits) {
            pthread_cond_wait(&v->wake, &v->lock);
            continue;
        }
        take_turn(v, &t);
        v->is_busy = true;
        v->interrupt = false;
        pthread_mutex_unlock(&v->lock);
        answer_turn(v, &t);
        free(t.text);
        pthread_mutex_lock(&v->lock);
        v->is_busy = false;
        if (v->is_live && v->plan.awake_s > 0 && stream_now(v) + v->plan.awake_s > v->awake_until_s)
            v->awake_until_s = stream_now(v) + v->plan.awake_s;
        pthread_cond_broadcast(&v->idle);
    }
    v->is_busy = false;
    pthread_cond_broadcast(&v->idle);
    pthread_mutex_unlock(&v->lock);
    return NULL;
}

/* ---- life ---- */

static int open_all(struct voice *v, const struct cascade_ref *refs, int n_refs, struct expert **out, struct err *err)
{
    int n = 0;
    for (int i = 0; i < n_refs; i++) {
        struct err why = { 0 };
        if ((out[n] = v->world->open(v->world->ctx, v->c, &refs[i], &why)))
            n++;
        else if (n == 0)
            *err = why;
    }
    return n;
}

static bool start(struct voice *v, const char *out, struct err *err)
{
    if (!(v->history = json_array()))
        return err_set(err, ERR_NOMEM, "voice: no memory");
    if (!(v->n_chat = open_all(v, v->plan.chat, v->plan.n_chat, v->chat, err)) || !(v->n_speak = open_all(v, v->plan.speak, v->plan.n_speak, v->speak, err)))
        return false;
    if (!(v->player = player_new(out, v->is_live, on_player, v, err)))
        return false;
    return v->has_thread = thread_start(&v->thread, talk, v, "voice", err);
}

struct voice *voice_new(const struct cascade *c, const struct cascade_world *world, const struct voice_plan *plan, const char *out, bool is_live,
                        const struct voice_hooks *hooks, struct err *err)
{
    struct voice *v = calloc(1, sizeof(*v));
    if (!v)
        return err_null(err, ERR_NOMEM, "voice: no memory");
    v->c = c;
    v->world = world;
    v->plan = *plan;
    v->is_live = is_live;
    if (hooks)
        v->hooks = *hooks;
    v->awake_until_s = -INFINITY;
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->wake, NULL);
    pthread_cond_init(&v->idle, NULL);
    buf_init(&v->a.text, VOICE_TEXT_MAX);
    if (start(v, out, err))
        return v;
    struct err ignored;
    voice_free(v, &ignored);
    return NULL;
}

uint64_t voice_n_dropped(struct voice *v)
{
    pthread_mutex_lock(&v->lock);
    const uint64_t n = v->n_dropped;
    pthread_mutex_unlock(&v->lock);
    return n;
}

void voice_stop(struct voice *v)
{
    pthread_mutex_lock(&v->lock);
    v->stopping = true;
    pthread_cond_broadcast(&v->wake);
    pthread_mutex_unlock(&v->lock);
    player_drop(v->player);
}

void voice_wait(struct voice *v)
{
    pthread_mutex_lock(&v->lock);
    v->draining = true;
    pthread_cond_broadcast(&v->wake);
    while ((v->n_queue > 0 && !v->stopping) || v->is_busy)
        pthread_cond_wait(&v->idle, &v->lock);
    pthread_mutex_unlock(&v->lock);
}

bool voice_free(struct voice *v, struct err *err)
{
    bool ok = true;
    if (!v)
        return true;
    if (v->has_thread) {
        voice_stop(v);
        pthread_join(v->thread, NULL);
    }
    ok = player_close(v->player, err);
    for (int i = 0; i < v->n_chat; i++)
        v->world->close(v->world->ctx, v->chat[i]);
    for (int i = 0; i < v->n_speak; i++)
        v->world->close(v->world->ctx, v->speak[i]);
    for (int i = 0; i < v->n_queue; i++)
        free(v->queue[i].text);
    buf_fini(&v->a.text);
    json_decref(v->history);
    free(v->pending);
    pthread_mutex_destroy(&v->lock);
    pthread_cond_destroy(&v->wake);
    pthread_cond_destroy(&v->idle);
    free(v);
    return ok;
}
