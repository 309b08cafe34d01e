/* expert/keeper.c - see keeper.h; start reading at keeper_ask(). */
#include "expert/keeper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/memory.h"

enum {
    PATIENCE_MS = 1000, WAIT_MAX_MS = 30000, LATE_MAX_MS = 10000,
    AGAIN_LATE_MS = 5,   /* how often memory on its way out is looked at */
    AGAIN_MS = 250,      /* otherwise waking tells; this is for what nobody tells: other programs' memory, patience */
    RELEASED_BYTES = 1 << 20, /* less than that still seen is nothing: page tables, counters that lag */
};
static const uint64_t LOAD_LEAST_NS = 50u * 1000 * 1000, LOOK_AGAIN_NS = 250u * 1000 * 1000;

enum seat_state { SEAT_OUT, SEAT_LOADING, SEAT_IN, SEAT_LEAVING, SEAT_LATE };

struct keeper_seat {
    struct keeper_seat *next;
    struct keeper *keeper;
    struct keeper_client client;
    int device;
    enum seat_state state;
    bool is_busy, is_pinned, is_waiting, said_late;
    uint64_t ticket, first_since_ns; /* while waiting; 0: others are before it, or a load is under way */
    uint64_t charged_bytes;          /* unless OUT */
    uint64_t measured_bytes;         /* seen when it was loaded last */
    uint64_t used_ns, load_ns, state_ns, looked_ns;
};

struct device {
    char name[32];
    uint64_t cap_bytes; /* 0: none */
};

struct keeper {
    struct keeper_options opt;
    pthread_mutex_t lock;
    struct keeper_seat *seats;
    struct device device[KEEPER_DEVICES_MAX];
    int n_devices;
    uint64_t n_tickets;
    struct keeper_figures figures;
};

uint64_t keeper_default_cap(void) { return memory_available_bytes("") / 5 * 4; }

bool keeper_add_device(struct keeper *k, const char *name, uint64_t cap_bytes, struct err *err)
{
    pthread_mutex_lock(&k->lock);
    const bool ok = k->n_devices < KEEPER_DEVICES_MAX;
    if (ok) {
        struct device *d = &k->device[k->n_devices++];
        snprintf(d->name, sizeof(d->name), "%s", name);
        d->cap_bytes = cap_bytes;
    }
    pthread_mutex_unlock(&k->lock);
    return ok || err_set(err, ERR_LIMIT, "more than %d devices with memory of their own", KEEPER_DEVICES_MAX);
}

struct keeper *keeper_new(const struct keeper_options *opt, struct err *err)
{
    struct keeper *k = calloc(1, sizeof(*k));
    if (!k)
        return err_null(err, ERR_NOMEM, "no memory for a keeper");
    if (opt)
        k->opt = *opt;
    if (k->opt.patience_ms <= 0)
        k->opt.patience_ms = PATIENCE_MS;
    if (k->opt.wait_max_ms <= 0)
        k->opt.wait_max_ms = WAIT_MAX_MS;
    if (k->opt.late_max_ms <= 0)
        k->opt.late_max_ms = LATE_MAX_MS;
    pthread_mutex_init(&k->lock, NULL);
    keeper_add_device(k, "memory", k->opt.cap_bytes ? k->opt.cap_bytes : keeper_default_cap(), err);
    return k;
}

void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    pthread_mutex_destroy(&k->lock);
    free(k);
}

struct keeper_seat *keeper_join(struct keeper *k, const struct keeper_client *client, struct err *err)
{
    struct keeper_seat *s = calloc(1, sizeof(*s));
    if (!s)
        return err_null(err, ERR_NOMEM, "%s: no memory", client->id);
    s->keeper = k;
    s->client = *client;
    pthread_mutex_lock(&k->lock);
    for (int i = 0; i < k->n_devices && client->device; i++)
        if (strcmp(k->device[i].name, client->device) == 0)
            s->device = i;
    s->next = k->seats;
    k->seats = s;
    pthread_mutex_unlock(&k->lock);
    return s;
}

/* ---- under the lock ---- */

static uint64_t age_ms(uint64_t since_ns, uint64_t now) { return now > since_ns ? (now - since_ns) / 1000000u : 0; }

static void set_state(struct keeper_seat *s, enum seat_state state, uint64_t now)
{
    s->state = state;
    s->state_ns = now;
    if (state == SEAT_OUT)
        s->charged_bytes = 0;
}

static void wake_waiting(struct keeper *k)
{
    for (struct keeper_seat *s = k->seats; s; s = s->next)
        if (s->is_waiting && s->client.wake)
            s->client.wake(s->client.ctx);
}

/* What a seat that gave back still holds. */
static void look_late(struct keeper_seat *s, uint64_t now)
{
    const uint64_t seen = s->client.observe ? s->client.observe(s->client.ctx) : 0;
    if (seen <= RELEASED_BYTES) {
        set_state(s, SEAT_OUT, now);
        s->said_late = false;
        return;
    }
    s->charged_bytes = seen;
    if (!s->said_late && age_ms(s->state_ns, now) > (uint64_t)s->keeper->opt.late_max_ms) {
        log_warn("%s: %.0f MB are still held %.0f s after it was unloaded", s->client.id, (double)seen / 1e6, (double)(now - s->state_ns) / 1e9);
        s->said_late = true;
    }
}

static void look_in(struct keeper_seat *s, uint64_t now)
{
    const uint64_t seen = s->client.observe ? s->client.observe(s->client.ctx) : 0;
    s->looked_ns = now;
    if (seen > s->charged_bytes)
        s->charged_bytes = seen;
}

struct sums {
    uint64_t used, going; /* going: part of used that was asked to leave or is late */
    bool is_loading, is_late;
};

static struct sums sum_up(struct keeper *k, int device, uint64_t now)
{
    struct sums sum = { 0 };
    for (struct keeper_seat *s = k->seats; s; s = s->next) {
        if (s->device != device)
            continue;
        if (s->state == SEAT_LATE)
            look_late(s, now);
        sum.used += s->charged_bytes;
        sum.is_loading |= s->state == SEAT_LOADING;
        sum.is_late |= s->state == SEAT_LATE;
        if (s->state == SEAT_LEAVING || s->state == SEAT_LATE)
            sum.going += s->charged_bytes;
    }
    return sum;
}

/* Longest unused first, weighed by what loading it again costs. */
static double worth_evicting(const struct keeper_seat *s, uint64_t now)
{
    return (double)(now - s->used_ns) / (double)(s->load_ns + LOAD_LEAST_NS);
}

static struct keeper_seat *pick(struct keeper *k, int device, bool busy, uint64_t now)
{
    struct keeper_seat *best = NULL;
    for (struct keeper_seat *s = k->seats; s; s = s->next)
        if (s->device == device && s->state == SEAT_IN && s->is_busy == busy && !s->is_pinned &&
            (!best || (busy ? s->state_ns < best->state_ns : worth_evicting(s, now) > worth_evicting(best, now))))
            best = s;
    return best;
}

/* Asks seats to leave until `want` bytes are on their way out; returns what is. */
static uint64_t make_room(struct keeper *k, int device, uint64_t going, uint64_t want, bool busy, uint64_t now)
{
    for (struct keeper_seat *s; going < want && (s = pick(k, device, busy, now));) {
        set_state(s, SEAT_LEAVING, now);
        going += s->charged_bytes;
        *(busy ? &k->figures.yields_total : &k->figures.evictions_total) += 1;
        s->client.give_back(s->client.ctx);
    }
    return going;
}

static uint64_t yieldable(const struct keeper *k, int device)
{
    uint64_t n = 0;
    for (const struct keeper_seat *s = k->seats; s; s = s->next)
        if (s->device == device && s->state == SEAT_IN && !s->is_pinned)
            n += s->charged_bytes;
    return n;
}

static bool is_first(const struct keeper_seat *s)
{
    for (const struct keeper_seat *o = s->keeper->seats; o; o = o->next)
        if (o->is_waiting && o->device == s->device && o->ticket < s->ticket)
            return false;
    return true;
}

/* "needs 812 MB; cap 1024 MB - 600 MB in use by a 400 MB (busy), b 200 MB" */
static void explain(struct keeper_seat *s, uint64_t bytes, struct err *err)
{
    struct keeper *k = s->keeper;
    const struct device *d = &k->device[s->device];
    char who[140] = "";
    uint64_t used = 0;
    for (struct keeper_seat *o = k->seats; o; o = o->next) {
        if (o->device != s->device || o->state == SEAT_OUT)
            continue;
        used += o->charged_bytes;
        const size_t at = strlen(who);
        snprintf(who + at, sizeof(who) - at, "%s%.24s %.0f MB%s", at ? ", " : " by ", o->client.id, (double)o->charged_bytes / 1e6,
                 o->state == SEAT_LATE ? " (still being given back)" : o->is_pinned ? " (in a session)" : o->is_busy ? " (busy)" : "");
    }
    const uint64_t left = k->opt.available && s->device == 0 ? k->opt.available() : 0;
    if (left && left < bytes && (!d->cap_bytes || used + bytes <= d->cap_bytes))
        err_set(err, ERR_BUSY, "needs %.0f MB of %s, and the machine has %.0f MB left", (double)bytes / 1e6, d->name, (double)left / 1e6);
    else
        err_set(err, ERR_BUSY, "needs %.0f MB of %s; cap %.0f MB - %.0f MB in use%s", (double)bytes / 1e6, d->name, (double)d->cap_bytes / 1e6,
                (double)used / 1e6, who);
}

static void withdraw(struct keeper_seat *s)
{
    if (!s->is_waiting)
        return;
    s->is_waiting = false;
    wake_waiting(s->keeper);
}

static enum keeper_answer ask(struct keeper_seat *s, uint64_t bytes, int *again_ms, struct err *err)
{
    struct keeper *k = s->keeper;
    const struct device *d = &k->device[s->device];
    const uint64_t now = clock_ns();
    if (s->state == SEAT_LOADING)
        return KEEPER_GO;
    if (s->state == SEAT_IN || s->state == SEAT_LEAVING) {
        err_set(err, ERR_INTERNAL, "%s asks for memory that it has", s->client.id);
        return KEEPER_NO;
    }
    if (!s->is_waiting) {
        s->is_waiting = true;
        s->ticket = k->n_tickets++;
        s->first_since_ns = 0;
    }
    if (d->cap_bytes && bytes > d->cap_bytes) {
        err_set(err, ERR_LIMIT, "needs %.0f MB of %s, and the cap is %.0f MB", (double)bytes / 1e6, d->name, (double)d->cap_bytes / 1e6);
        goto no;
    }
    *again_ms = AGAIN_MS;
    if (!is_first(s))
        return KEEPER_WAIT;
    const struct sums sum = sum_up(k, s->device, now);
    if (sum.is_late)
        *again_ms = AGAIN_LATE_MS;
    if (sum.is_loading || !s->first_since_ns)
        s->first_since_ns = now;
    const uint64_t waited_ms = age_ms(s->first_since_ns, now);
    if (sum.is_loading || s->state == SEAT_LATE)
        goto wait; /* its own old memory first: never twice */

    uint64_t too_much = d->cap_bytes && sum.used + bytes > d->cap_bytes ? sum.used + bytes - d->cap_bytes : 0;
    if (k->opt.available && s->device == 0) {
        const uint64_t left = k->opt.available();
        if (left && left < bytes && bytes - left > too_much)
            too_much = bytes - left;
    }
    if (too_much == 0) {
        s->is_waiting = false;
        s->charged_bytes = bytes;
        set_state(s, SEAT_LOADING, now);
        k->figures.loads_total++;
        return KEEPER_GO;
    }
    const uint64_t going = make_room(k, s->device, sum.going, too_much, false, now);
    if (going < too_much && waited_ms >= (uint64_t)k->opt.patience_ms && going + yieldable(k, s->device) >= too_much)
        make_room(k, s->device, going, too_much, true, now);
wait:
    if (waited_ms < (uint64_t)k->opt.wait_max_ms)
        return KEEPER_WAIT;
    explain(s, bytes, err);
no:
    k->figures.refusals_total++;
    withdraw(s);
    return KEEPER_NO;
}

/* ---- the door ---- */

enum keeper_answer keeper_ask(struct keeper_seat *s, uint64_t bytes, int *again_ms, struct err *err)
{
    *again_ms = 0;
    pthread_mutex_lock(&s->keeper->lock);
    const enum keeper_answer a = ask(s, bytes > s->measured_bytes ? bytes : s->measured_bytes, again_ms, err);
    pthread_mutex_unlock(&s->keeper->lock);
    return a;
}

void keeper_withdraw(struct keeper_seat *s)
{
    pthread_mutex_lock(&s->keeper->lock);
    withdraw(s);
    pthread_mutex_unlock(&s->keeper->lock);
}

void keeper_loaded(struct keeper_seat *s, uint64_t load_ns)
{
    struct keeper *k = s->keeper;
    pthread_mutex_lock(&k->lock);
    const uint64_t now = clock_ns();
    s->load_ns = load_ns;
    s->used_ns = now;
    s->is_busy = true; /* whoever loads has work; end() says when not */
    set_state(s, SEAT_IN, now);
    look_in(s, now);
    s->measured_bytes = s->charged_bytes;
    const struct device *d = &k->device[s->device];
    const struct sums sum = sum_up(k, s->device, now); /* it may have turned out larger than it said */
    if (d->cap_bytes && sum.used > d->cap_bytes)
        make_room(k, s->device, sum.going, sum.used - d->cap_bytes, false, now);
    wake_waiting(k);
    pthread_mutex_unlock(&k->lock);
}

void keeper_load_took(struct keeper_seat *s, uint64_t load_ns)
{
    pthread_mutex_lock(&s->keeper->lock);
    s->load_ns = load_ns;
    pthread_mutex_unlock(&s->keeper->lock);
}

bool keeper_begin(struct keeper_seat *s)
{
    pthread_mutex_lock(&s->keeper->lock);
    const bool ok = s->state == SEAT_IN;
    if (ok) {
        s->is_busy = true;
        s->used_ns = clock_ns();
    }
    pthread_mutex_unlock(&s->keeper->lock);
    return ok;
}

/* What runs may grow beyond the cap (a large batch); what is idle may not: loaded again it is as small as it was. */
static void leave_when_grown(struct keeper_seat *s)
{
    struct keeper *k = s->keeper;
    const struct device *d = &k->device[s->device];
    const struct sums sum = sum_up(k, s->device, s->used_ns);
    if (!d->cap_bytes || sum.used - sum.going <= d->cap_bytes)
        return;
    set_state(s, SEAT_LEAVING, s->used_ns);
    k->figures.evictions_total++;
    s->client.give_back(s->client.ctx);
}

void keeper_end(struct keeper_seat *s)
{
    pthread_mutex_lock(&s->keeper->lock);
    s->is_busy = false;
    s->used_ns = clock_ns();
    if (s->state == SEAT_IN && s->used_ns - s->looked_ns > LOOK_AGAIN_NS) {
        look_in(s, s->used_ns);
        if (s->charged_bytes > s->measured_bytes && !s->is_pinned)
            leave_when_grown(s);
    }
    wake_waiting(s->keeper);
    pthread_mutex_unlock(&s->keeper->lock);
}

void keeper_pin(struct keeper_seat *s, bool is_pinned)
{
    pthread_mutex_lock(&s->keeper->lock);
    s->is_pinned = is_pinned;
    if (!is_pinned)
        wake_waiting(s->keeper);
    pthread_mutex_unlock(&s->keeper->lock);
}

void keeper_gave(struct keeper_seat *s)
{
    pthread_mutex_lock(&s->keeper->lock);
    const uint64_t now = clock_ns();
    if (s->state != SEAT_OUT && s->state != SEAT_LATE) {
        s->is_busy = s->is_pinned = false;
        set_state(s, SEAT_LATE, now);
        look_late(s, now);
    }
    wake_waiting(s->keeper);
    pthread_mutex_unlock(&s->keeper->lock);
}

uint64_t keeper_cap_bytes(const struct keeper_seat *s)
{
    pthread_mutex_lock(&s->keeper->lock);
    const uint64_t n = s->keeper->device[s->device].cap_bytes;
    pthread_mutex_unlock(&s->keeper->lock);
    return n;
}

void keeper_leave(struct keeper_seat *s)
{
    if (!s)
        return;
    struct keeper *k = s->keeper;
    pthread_mutex_lock(&k->lock);
    struct keeper_seat **at = &k->seats;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    wake_waiting(k);
    pthread_mutex_unlock(&k->lock);
    free(s);
}

void keeper_get_figures(struct keeper *k, struct keeper_figures *out)
{
    pthread_mutex_lock(&k->lock);
    *out = k->figures;
    out->cap_bytes = k->device[0].cap_bytes;
    out->used_bytes = 0;
    out->n_in = out->n_waiting = 0;
    for (const struct keeper_seat *s = k->seats; s; s = s->next) {
        out->used_bytes += s->device == 0 ? s->charged_bytes : 0;
        out->n_in += s->state == SEAT_IN;
        out->n_waiting += s->is_waiting;
    }
    pthread_mutex_unlock(&k->lock);
}
