/* route/steward.c - see steward.h; start at turn(). */
#include "route/steward.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/behind.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "hw/meter.h"

enum pace { PACE_BUSY, PACE_WARM, PACE_IDLE }; /* what there is to do */
enum { OLD_MS = 3000, END_S = 2 };
static const int wait_s[] = { [PACE_BUSY] = 1, [PACE_WARM] = 5, [PACE_IDLE] = 30 };

struct ward { /* an expert, as the thread knows it */
    struct expert *expert;
    struct candidate c; /* class and step */
    uint64_t n_bad;     /* hangs and deaths of its process so far */
    bool is_seen;       /* n_bad was read */
    bool is_asked_to_go;
    uint8_t depth[ROUTE_KNOB_COUNT]; /* that it was told */
};

struct steward {
    struct steward_config config;
    char *root;                      /* owned: a sensor that hangs may keep the thread for longer than the config lives */
    struct telemetry_source *source; /* the turn's */
    struct governor governor;        /* the turn's */
    struct ward *wards;              /* [config.n_experts]; the turn's */
    bool was_offline, is_open;
    enum pace pace;                  /* the turn's: after the last one */

    pthread_mutex_t meter_lock;
    struct hw_root *meter_root;
    struct hw_meter *meter;          /* both stay as they are once `looked` was told */

    pthread_mutex_t lock;            /* what follows */
    pthread_cond_t wake;
    pthread_cond_t looked;           /* has_looked, has_ended */
    bool quit, is_wanted, has_ended, has_looked;
    struct steward_state state;
    uint64_t read_ns;                /* clock_ns() of the state */
    double joules, joules_told;      /* at that moment; what was said last */
    struct {
        int n_done, n_late, n_faults;
    } seen[ROUTE_CLASS_COUNT];
    bool has_thread;
    pthread_t thread;
};

/* ---- a turn ---- */

/* Experts: who faults, who is elsewhere and answers, what is going on. */
static enum pace look_at_experts(struct steward *s, struct governor_input *in)
{
    const struct route_node here = { .distance = EXPERT_LOCAL };
    enum pace pace = PACE_IDLE;
    for (int i = 0; i < s->config.n_experts; i++) {
        struct ward *w = &s->wards[i];
        struct expert_card card;
        struct expert_metrics m;
        struct task_info info;
        expert_get_card(w->expert, &card);
        expert_get_metrics(w->expert, &m);
        w->c.tasks = card.tasks ? card.tasks : EXPERT_CHAT | EXPERT_COMPLETE;
        w->c.cls = route_class_of(w->c.tasks);
        w->c.privacy = card.privacy;
        ladder_facts(&card, expert_get_info(w->expert, &info) ? &info : NULL, &w->c);
        ladder_place(s->config.ladders, &here, &w->c);
        const uint64_t n_bad = m.hangs_total + m.deaths_total;
        if (w->is_seen && n_bad > w->n_bad)
            in->cls[w->c.cls].n_faults++;
        w->n_bad = n_bad;
        w->is_seen = true;
        if (card.privacy != EXPERT_LOCAL) {
            in->n_upstreams++;
            in->n_upstreams_up += m.state != EXPERT_DOWN;
        } else {
            const enum pace p = m.state == EXPERT_BUSY || m.state == EXPERT_LOADING || m.n_running + m.n_waiting > 0 ? PACE_BUSY : m.state == EXPERT_WARM ? PACE_WARM : PACE_IDLE;
            pace = p < pace ? p : pace;
        }
    }
    return pace;
}

static void turn_experts(struct steward *s)
{
    for (int i = 0; i < s->config.n_experts; i++) {
        struct ward *w = &s->wards[i];
        const struct governor_limits *l = &s->governor.now[w->c.cls];
        if (w->c.privacy != EXPERT_LOCAL)
            continue;
        if (memcmp(w->depth, l->depth, sizeof(w->depth)) != 0) {
            memcpy(w->depth, l->depth, sizeof(w->depth));
            expert_limit(w->expert, &(struct expert_limits){ .threads = l->threads, .batch = l->batch, .context = l->context, .input = l->input });
        }
        /* memory comes back only when weights go */
        const bool shall_go = l->step > w->c.step && (l->cause == GOVERNOR_MEMORY || l->cause == GOVERNOR_PRESSURE);
        if (shall_go && !w->is_asked_to_go)
            expert_unload(w->expert);
        w->is_asked_to_go = shall_go;
    }
}

static void say(struct steward *s, const struct governor_transition *t)
{
    char line[200];
    governor_put_transition(t, s->config.ladders, line, sizeof(line));
    if (t->is_down)
        log_warn("governor: %s", line);
    else
        log_info("governor: %s", line);
    if (s->config.on_transition)
        s->config.on_transition(s->config.ctx, t);
}

/* The first turn's: finds what can be read, and reads it once. */
static bool open_sensors(struct steward *s, struct err *err)
{
    struct telemetry t;
    if (!(s->source = telemetry_open(s->root, err)))
        return false;
    telemetry_read(s->source, clock_ns(), &t);
    struct hw_root *root = hw_root_open(s->root, err);
    struct hw_meter *meter = root ? hw_meter_open(root, clock_ns(), err) : NULL;
    pthread_mutex_lock(&s->lock);
    s->meter_root = root;
    s->meter = meter;
    s->state.now = t;
    telemetry_get_parts(s->source, &s->state.parts);
    s->read_ns = clock_ns();
    s->has_looked = true;
    pthread_cond_broadcast(&s->looked);
    pthread_mutex_unlock(&s->lock);
    return meter != NULL;
}

static enum pace turn(struct steward *s, uint64_t now)
{
    struct governor_transition done[GOVERNOR_TRANSITIONS_MAX];
    struct governor_input in = { .power_cap_w = s->config.power_cap_w };
    struct telemetry t;
    telemetry_ask_gpus(s->source, s->pace != PACE_IDLE); /* a card that nobody uses may sleep */
    telemetry_read(s->source, now, &t);
    pthread_mutex_lock(&s->lock);
    const bool is_over = s->quit; /* perhaps long ago, while a sensor hung: the experts may be gone */
    pthread_mutex_unlock(&s->lock);
    if (is_over)
        return PACE_IDLE;
    in.now = &t;
    in.is_quiet = s->config.is_quiet && s->config.is_quiet(s->config.ctx);
    enum pace pace = look_at_experts(s, &in);
    pthread_mutex_lock(&s->lock);
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++) {
        in.cls[c].n_done = s->seen[c].n_done;
        in.cls[c].n_late = s->seen[c].n_late;
        in.cls[c].n_faults += s->seen[c].n_faults;
    }
    memset(s->seen, 0, sizeof(s->seen));
    s->is_wanted = false;
    pthread_mutex_unlock(&s->lock);
    const int n = governor_step(&s->governor, &in, now, done);
    const double joules = telemetry_joules(s->source, now);
    pthread_mutex_lock(&s->lock);
    s->state.now = t;
    telemetry_get_parts(s->source, &s->state.parts);
    s->state.governor = s->governor;
    s->state.n_ticks++;
    s->read_ns = clock_ns();
    s->joules = joules;
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < n; i++)
        say(s, &done[i]);
    if (s->governor.is_offline != s->was_offline)
        log_warn("governor: %s", s->governor.is_offline ? "no server elsewhere answers: this machine alone" : "a server elsewhere answers again");
    s->was_offline = s->governor.is_offline;
    turn_experts(s);
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
        pace = s->governor.now[c].is_limited ? PACE_BUSY : pace;
    return s->pace = pace;
}

static void find_sensors(struct steward *s)
{
    struct err err = { 0 };
    s->is_open = open_sensors(s, &err);
    if (!s->is_open)
        log_warn("%s: nothing is stepped down when the machine is hot or full", err.text);
}

static void *find_main(void *arg)
{
    behind_wait(((struct steward *)arg)->config.behind);
    find_sensors(arg);
    return NULL;
}

static void *steward_main(void *arg)
{
    struct steward *s = arg;
    pthread_t finder; /* it takes some 10 ms and can wait for what begins beside us; a turn later on cannot */
    struct err err;
    if (thread_start(&finder, find_main, s, "governor", &err))
        pthread_join(finder, NULL);
    else
        find_sensors(s);
    const bool ok = s->is_open;
    pthread_mutex_lock(&s->lock);
    while (ok && !s->quit) {
        pthread_mutex_unlock(&s->lock);
        const enum pace pace = turn(s, clock_ns());
        const uint64_t until_ns = clock_after_ns((uint64_t)wait_s[pace] * 1000000000u);
        pthread_mutex_lock(&s->lock);
        while (!s->quit && !s->is_wanted && thread_wait(&s->wake, &s->lock, until_ns))
            ;
    }
    s->has_ended = true;
    pthread_cond_broadcast(&s->looked);
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

void steward_tick(struct steward *s, uint64_t now_ns)
{
    struct err err = { 0 };
    if (s->has_looked || open_sensors(s, &err))
        turn(s, now_ns);
}

/* ---- what others ask ---- */

/* Under the lock: the first look comes some ms after the start. */
static void await_look(struct steward *s)
{
    const uint64_t until_ns = clock_after_ns((uint64_t)END_S * 1000000000u);
    if (s->has_thread && !s->has_looked)
        behind_over(s->config.behind); /* somebody wants to know */
    while (s->has_thread && !s->has_looked && !s->has_ended && thread_wait(&s->looked, &s->lock, until_ns))
        ;
}

/* Under the lock: who asks wants it fresh. */
static void freshen(struct steward *s)
{
    if (!s->is_wanted && clock_ns() - s->read_ns > (uint64_t)OLD_MS * 1000000u) {
        s->is_wanted = true;
        pthread_cond_signal(&s->wake);
    }
}

void steward_get_node(struct steward *s, struct route_node *node)
{
    pthread_mutex_lock(&s->lock);
    await_look(s);
    telemetry_to_node(&s->state.now, node);
    governor_to_node(&s->state.governor, node);
    freshen(s);
    pthread_mutex_unlock(&s->lock);
}

void steward_get_state(struct steward *s, struct steward_state *out)
{
    pthread_mutex_lock(&s->lock);
    await_look(s);
    *out = s->state;
    pthread_mutex_unlock(&s->lock);
}

void steward_wish_fresh(struct steward *s)
{
    pthread_mutex_lock(&s->lock);
    freshen(s);
    pthread_mutex_unlock(&s->lock);
}

void steward_put_ladder(struct steward *s, enum route_class cls, char *out, size_t max)
{
    pthread_mutex_lock(&s->lock);
    governor_put_ladder(&s->state.governor, cls, out, max);
    pthread_mutex_unlock(&s->lock);
}

void steward_saw_answer(struct steward *s, enum route_class cls, bool is_late)
{
    pthread_mutex_lock(&s->lock);
    s->seen[cls].n_done++;
    s->seen[cls].n_late += is_late;
    pthread_mutex_unlock(&s->lock);
}

void steward_saw_fault(struct steward *s, enum route_class cls)
{
    pthread_mutex_lock(&s->lock);
    s->seen[cls].n_faults++;
    s->is_wanted = true; /* at once */
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

static struct hw_meter *meter_of(struct steward *s)
{
    pthread_mutex_lock(&s->lock);
    await_look(s);
    struct hw_meter *m = s->meter;
    pthread_mutex_unlock(&s->lock);
    return m;
}

/* A counter is read at once.  A meter of power may sit behind a slow bus: the thread integrates it, and the time since its last look
 * counts with the power of then. */
double steward_joules(struct steward *s)
{
    double j = NAN;
    struct hw_meter *meter = meter_of(s);
    if (!meter)
        return NAN;
    if (hw_meter_is_quick(meter)) {
        if (pthread_mutex_trylock(&s->meter_lock) != 0)
            return NAN; /* another one reads at this moment */
        j = hw_meter_joules(meter, clock_ns());
        pthread_mutex_unlock(&s->meter_lock);
    } else if (hw_meter_what(meter)) {
        pthread_mutex_lock(&s->lock);
        const double w = (double)s->state.now.power_w;
        j = s->joules + (w > 0 ? w * (double)(clock_ns() - s->read_ns) * 1e-9 : 0);
        s->joules_told = j = j > s->joules_told ? j : s->joules_told;
        pthread_mutex_unlock(&s->lock);
    }
    return j;
}

const char *steward_meter(struct steward *s)
{
    const struct hw_meter *m = meter_of(s);
    return m ? hw_meter_what(m) : NULL;
}

/* ---- beginning and end ---- */

struct steward *steward_new(const struct steward_config *config, struct err *err)
{
    struct steward *s = calloc(1, sizeof(*s));
    if (!s)
        return err_null(err, ERR_NOMEM, "governor: out of memory");
    s->config = *config;
    s->pace = PACE_IDLE;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->meter_lock, NULL);
    thread_cond_init(&s->wake);
    thread_cond_init(&s->looked);
    governor_init(&s->governor, config->ladders);
    s->state.governor = s->governor;
    s->state.now = telemetry_unknown();
    s->root = strdup(config->root ? config->root : "");
    s->wards = calloc((size_t)config->n_experts + 1, sizeof(*s->wards));
    if (s->wards && s->root) {
        for (int i = 0; i < config->n_experts; i++)
            s->wards[i].expert = config->experts[i];
        return s;
    }
    err_set(err, ERR_NOMEM, "governor: out of memory");
    steward_free(s);
    return NULL;
}

bool steward_start(struct steward *s, struct err *err)
{
    return s->has_thread = thread_start(&s->thread, steward_main, s, "governor", err);
}

void steward_free(struct steward *s)
{
    if (!s)
        return;
    if (s->has_thread) {
        pthread_mutex_lock(&s->lock);
        const uint64_t until_ns = clock_after_ns(END_S * 1000000000ull);
        s->quit = true;
        pthread_cond_broadcast(&s->wake);
        while (!s->has_ended && thread_wait(&s->wake, &s->lock, until_ns))
            ;
        const bool has_ended = s->has_ended;
        pthread_mutex_unlock(&s->lock);
        if (!has_ended) { /* it keeps what it holds, and touches nothing more when the sensor answers at last */
            log_warn("governor: a sensor does not answer: left behind");
            pthread_detach(s->thread);
            return;
        }
        pthread_join(s->thread, NULL);
    }
    telemetry_close(s->source);
    hw_meter_close(s->meter);
    hw_root_free(s->meter_root);
    free(s->wards);
    free(s->root);
    pthread_cond_destroy(&s->wake);
    pthread_cond_destroy(&s->looked);
    pthread_mutex_destroy(&s->meter_lock);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
