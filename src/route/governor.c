/* route/governor.c - see governor.h, where the picture is; start at governor_step(). */
#include "route/governor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ALL = ROUTE_CLASS_COUNT, PATIENCE_MAX = 32 };
#define SECONDS(n) ((uint64_t)(n) * 1000000000u)
static const uint64_t MINUTE_NS = SECONDS(60), TAKEN_BACK_NS = SECONDS(600), FORGET_NS = SECONDS(3600), HOLD_MAX_NS = SECONDS(1920);
static const float SMOOTH_S = 4, SLOPE_S = 12, ANSWERS_HALF_S = 30, ANSWERS_LEAST = 3, MEMORY_ENOUGH_BYTES = 8.0f * (1u << 30);

static bool is_by_class(int cause) { return cause == GOVERNOR_DEADLINE || cause == GOVERNOR_FAULT; }
static bool is_over(uint64_t since_ns, uint64_t now, uint64_t span) { return since_ns == 0 || now - since_ns >= span; }
static float least(float a, float b) { return isnan(a) || b < a ? b : a; }

void governor_init(struct governor *g, const struct ladders *rules)
{
    memset(g, 0, sizeof(*g));
    g->rules = rules;
    for (int c = 0; c < GOVERNOR_CAUSE_COUNT; c++) {
        g->trend[c].v = NAN;
        for (int w = 0; w < GOVERNOR_LEVELS; w++)
            g->levels[c][w].patience = 1, g->levels[c][w].tried = g->levels[c][w].in_vain = g->values[c][w] = NAN;
    }
    for (int k = 0; k < ROUTE_CLASS_COUNT; k++)
        g->now[k].threads = g->now[k].batch = g->now[k].context = g->now[k].input = 1;
}

/* ---- what is measured ---- */

/* Where v will be in ahead_s at the pace of the last seconds, when it falls; a forecast takes half of what is left at most. */
static float forecast(struct governor *g, int cause, float v, float dt_s)
{
    const float ahead_s = g->rules->rules[cause].ahead_s;
    float *at = &g->trend[cause].v, *per_s = &g->trend[cause].per_s;
    if (isnan(v) || isnan(*at) || !(dt_s > 0)) {
        *at = v, *per_s = 0;
        return v;
    }
    const float was = *at;
    *at += (v - was) * (1 - expf(-dt_s / SMOOTH_S));
    *per_s += ((*at - was) / dt_s - *per_s) * (1 - expf(-dt_s / SLOPE_S));
    const float fall = *per_s < 0 && v > 0 ? fminf(-*per_s * ahead_s, v / 2) : 0;
    return fminf(v, *at) - fall;
}

static void count_answers(struct governor *g, const struct governor_input *in, float dt_s)
{
    const float keep = exp2f(-dt_s / ANSWERS_HALF_S);
    for (int k = 0; k < ROUTE_CLASS_COUNT; k++) {
        g->n_done[k] = g->n_done[k] * keep + (float)in->cls[k].n_done;
        g->n_late[k] = g->n_late[k] * keep + (float)in->cls[k].n_late;
        g->has_fault[k] |= in->cls[k].n_faults > 0;
        g->values[GOVERNOR_DEADLINE][k] = g->n_done[k] >= ANSWERS_LEAST ? 1 - g->n_late[k] / g->n_done[k] : NAN;
        g->values[GOVERNOR_FAULT][k] = g->has_fault[k] ? 0 : 1;
    }
}

static void measure(struct governor *g, const struct governor_input *in, float dt_s)
{
    const struct telemetry *t = in->now;
    float v[GOVERNOR_CAUSE_COUNT];
    for (int c = 0; c < GOVERNOR_CAUSE_COUNT; c++)
        v[c] = NAN;
    if (t) {
        const float enough = fminf(t->memory_total_bytes, MEMORY_ENOUGH_BYTES); /* fminf() gives the one that is a number */
        v[GOVERNOR_HEAT] = t->headroom_c;
        if (in->power_cap_w > 0)
            v[GOVERNOR_POWER] = (in->power_cap_w - t->power_w) / in->power_cap_w;
        if (t->on_battery)
            v[GOVERNOR_BATTERY] = t->battery_frac;
        v[GOVERNOR_MEMORY] = fminf(t->memory_free_bytes / enough, 1);
        if (isnan(t->memory_free_bytes))
            v[GOVERNOR_MEMORY] = NAN;
        v[GOVERNOR_PRESSURE] = 1 - t->pressure_frac;
        v[GOVERNOR_GPU] = t->gpu_headroom_c;
    }
    v[GOVERNOR_QUIET] = in->is_quiet ? 0 : 1;
    for (int c = 0; c < GOVERNOR_CAUSE_COUNT; c++)
        if (!is_by_class(c))
            g->values[c][ALL] = g->rules->rules[c].ahead_s > 0 ? forecast(g, c, v[c], dt_s) : v[c];
    if (!t)
        return;
    /* the machine says itself that it is being slowed: as bad as it gets without being an emergency */
    const struct governor_rule *heat = &g->rules->rules[GOVERNOR_HEAT], *gpu = &g->rules->rules[GOVERNOR_GPU];
    if (t->slow & TELEMETRY_SLOW_HEAT)
        g->values[GOVERNOR_HEAT][ALL] = least(g->values[GOVERNOR_HEAT][ALL], fmaxf(heat->urgent, heat->down - 2 * heat->more));
    if (t->slow & TELEMETRY_SLOW_GPU)
        g->values[GOVERNOR_GPU][ALL] = least(g->values[GOVERNOR_GPU][ALL], fmaxf(gpu->urgent, gpu->down - gpu->more));
    if (t->slow & TELEMETRY_SLOW_VOLTAGE)
        g->values[GOVERNOR_POWER][ALL] = least(g->values[GOVERNOR_POWER][ALL], 0);
}

/* ---- what the causes want ---- */

static uint8_t deepest(const struct governor *g, int cls, int knob, int *by)
{
    const struct ladders *l = g->rules;
    const int max = (knob == ROUTE_KNOB_TIER ? l->n_steps[cls] : l->n_depths[knob]) - 1;
    int most = 0;
    for (int c = 0; c < GOVERNOR_CAUSE_COUNT; c++) {
        const int level = g->levels[c][is_by_class(c) ? cls : ALL].level;
        int n = 0;
        for (int i = 0; i < level; i++)
            n += l->rules[c].path[i] == knob;
        if (n > most)
            most = n, *by = c;
    }
    return (uint8_t)(most < max ? most : max > 0 ? max : 0);
}

static void get_wants(const struct governor *g, uint8_t want[ROUTE_CLASS_COUNT][ROUTE_KNOB_COUNT])
{
    int by;
    for (int cls = 0; cls < ROUTE_CLASS_COUNT; cls++)
        for (int k = 0; k < ROUTE_KNOB_COUNT; k++)
            want[cls][k] = deepest(g, cls, k, &by);
}

/* Bits of the knobs that moving this level to `to` would turn. */
static uint8_t moves(struct governor *g, int cause, int who, uint8_t to)
{
    uint8_t before[ROUTE_CLASS_COUNT][ROUTE_KNOB_COUNT], after[ROUTE_CLASS_COUNT][ROUTE_KNOB_COUNT], *level = &g->levels[cause][who].level, knobs = 0;
    const uint8_t was = *level;
    get_wants(g, before);
    *level = to;
    get_wants(g, after);
    *level = was;
    for (int cls = 0; cls < ROUTE_CLASS_COUNT; cls++)
        for (int k = 0; k < ROUTE_KNOB_COUNT; k++)
            if (before[cls][k] != after[cls][k])
                knobs |= (uint8_t)(1u << k);
    return knobs;
}

/* ---- one level ---- */

struct wish { /* of a level, in this step */
    int cause, who;
    uint8_t to, knobs;
    bool is_urgent;
};

/* Does this level want to move now, as far as its own times allow?  Keeps them. */
static bool wants(struct governor *g, int cause, int who, uint64_t now, struct wish *w)
{
    const struct governor_rule *r = &g->rules->rules[cause];
    struct governor_level *l = &g->levels[cause][who];
    const float v = g->values[cause][who];
    *w = (struct wish){ .cause = cause, .who = who, .to = l->level };
    if (v > r->calm || is_over(l->down_ns, now, FORGET_NS))
        l->patience = 1;
    if (v < r->down) {
        /* it can act again in a minute: half of what that will cost counts already, for two steps at most */
        const float fall = who == ALL && g->trend[cause].per_s < 0 ? fminf(-g->trend[cause].per_s * 30, 2 * r->more) : 0;
        const float n = 1 + (r->more > 0 ? floorf((r->down - v + fall) / r->more) : 0);
        w->is_urgent = v < r->urgent;
        w->to = (uint8_t)(w->is_urgent || n >= (float)(r->n_path - l->level) ? r->n_path : l->level + (int)n);
        l->good_ns = 0;
        if (cause == GOVERNOR_FAULT && l->level == r->n_path)
            g->has_fault[who] = false; /* there is nothing left to step down to */
        return w->to > l->level && (w->is_urgent || is_over(l->down_ns, now, MINUTE_NS));
    }
    if (v <= r->up) {
        l->good_ns = 0;
        return false;
    }
    if (l->good_ns == 0)
        l->good_ns = now;
    if (l->level == 0)
        return false;
    w->to--;
    const int patience = r->more > 0 && v > l->in_vain + r->more ? 1 : l->patience;
    const uint64_t hold = (uint64_t)((double)r->hold_s * patience * 1e9);
    return now - l->good_ns >= (hold < HOLD_MAX_NS ? hold : HOLD_MAX_NS) && is_over(l->up_ns, now, MINUTE_NS) && is_over(l->down_ns, now, MINUTE_NS);
}

static void take(struct governor *g, const struct wish *w, uint64_t now)
{
    struct governor_level *l = &g->levels[w->cause][w->who];
    if (w->to > l->level) {
        if (l->up_ns && now - l->up_ns < TAKEN_BACK_NS) {
            l->patience = (uint8_t)(l->patience < PATIENCE_MAX ? 2 * l->patience : PATIENCE_MAX);
            l->in_vain = l->tried;
        }
        l->down_ns = now;
        if (w->cause == GOVERNOR_DEADLINE)
            g->n_done[w->who] = g->n_late[w->who] = 0; /* what came before says nothing about how it is now */
        if (w->cause == GOVERNOR_FAULT)
            g->has_fault[w->who] = false;
    } else {
        l->up_ns = now;
        l->tried = g->values[w->cause][w->who];
    }
    l->level = w->to;
}

static void take_and_tell(struct governor *g, const struct wish *w, uint64_t now, struct governor_transition *t)
{
    const uint8_t from = g->levels[w->cause][w->who].level;
    const bool is_down = w->to > from;
    *t = (struct governor_transition){ .at_ns = now, .is_down = is_down, .is_urgent = is_down && w->is_urgent, .cause = (enum governor_cause)w->cause,
                                       .cls = w->who == ALL ? -1 : w->who, .from = from, .to = w->to, .knobs = w->knobs, .value = g->values[w->cause][w->who] };
    *(is_down ? &g->down_ns : &g->up_ns) = now;
    g->transitions_total[w->cause][w->who][is_down]++;
    take(g, w, now);
}

/* ---- the knobs ---- */

static void turn_knobs(struct governor *g, uint64_t now)
{
    const struct ladders *l = g->rules;
    for (int cls = 0; cls < ROUTE_CLASS_COUNT; cls++) {
        struct governor_limits *n = &g->now[cls];
        n->is_limited = false;
        for (int k = 0; k < ROUTE_KNOB_COUNT; k++) {
            int by = (int)n->cause;
            const uint8_t want = deepest(g, cls, k, &by);
            uint64_t *down_ns = &g->moved[cls][k].down_ns, *up_ns = &g->moved[cls][k].up_ns;
            if (want > n->depth[k] && is_over(*down_ns, now, MINUTE_NS))
                n->depth[k] = want, *down_ns = now;
            else if (want < n->depth[k] && is_over(*up_ns, now, MINUTE_NS) && is_over(*down_ns, now, MINUTE_NS))
                n->depth[k] = want, *up_ns = now;
            if (n->depth[k] > 0)
                n->is_limited = true, n->cause = (enum governor_cause)by; /* TIER is last: it says the most */
        }
        n->step = n->depth[ROUTE_KNOB_TIER];
        n->threads = l->share[ROUTE_KNOB_THREADS][n->depth[ROUTE_KNOB_THREADS]];
        n->batch = l->share[ROUTE_KNOB_BATCH][n->depth[ROUTE_KNOB_BATCH]];
        n->context = l->share[ROUTE_KNOB_CONTEXT][n->depth[ROUTE_KNOB_CONTEXT]];
        n->input = l->share[ROUTE_KNOB_INPUT][n->depth[ROUTE_KNOB_INPUT]];
    }
}

int governor_step(struct governor *g, const struct governor_input *in, uint64_t now, struct governor_transition out[GOVERNOR_TRANSITIONS_MAX])
{
    const float dt_s = g->last_ns ? (float)((double)(now - g->last_ns) * 1e-9) : 0;
    struct wish wish, down = { .cause = -1 }, up = { .cause = -1 };
    int n = 0;
    g->last_ns = now;
    g->is_offline = in->n_upstreams > 0 && in->n_upstreams_up == 0;
    count_answers(g, in, dt_s);
    measure(g, in, dt_s);
    for (int c = 0; c < GOVERNOR_CAUSE_COUNT; c++)
        for (int w = 0; w < GOVERNOR_LEVELS; w++) {
            if (!g->rules->rules[c].is_there || is_by_class(c) == (w == ALL) || !wants(g, c, w, now, &wish))
                continue;
            const struct governor_level *l = &g->levels[c][w];
            const bool is_down = wish.to > l->level;
            wish.knobs = moves(g, c, w, wish.to);
            if (!wish.knobs)
                take(g, &wish, now);
            else if (is_down && wish.is_urgent && n < GOVERNOR_TRANSITIONS_MAX - 2)
                take_and_tell(g, &wish, now, &out[n++]);
            else if (is_down && (down.cause < 0 || l->down_ns < g->levels[down.cause][down.who].down_ns))
                down = wish;
            else if (!is_down && (up.cause < 0 || l->up_ns < g->levels[up.cause][up.who].up_ns))
                up = wish;
        }
    /* an emergency of this very moment comes first: what is left to do is looked at again in the next step */
    if (down.cause >= 0 && n == 0 && is_over(g->down_ns, now, MINUTE_NS))
        take_and_tell(g, &down, now, &out[n++]);
    if (up.cause >= 0 && n == 0 && is_over(g->up_ns, now, MINUTE_NS) && is_over(g->down_ns, now, MINUTE_NS))
        take_and_tell(g, &up, now, &out[n++]);
    turn_knobs(g, now);
    return n;
}

/* ---- for others ---- */

void governor_to_node(const struct governor *g, struct route_node *node)
{
    for (int c = 0; c < ROUTE_CLASS_COUNT; c++)
        node->step[c] = g->now[c].step;
}

void governor_put_ladder(const struct governor *g, enum route_class cls, char *out, size_t max)
{
    const struct governor_limits *n = &g->now[cls];
    out[0] = '\0';
    if (n->is_limited)
        snprintf(out, max, "%s %d/%d: %s", route_class_name(cls), n->step, g->rules->n_steps[cls] - 1, governor_cause_name(n->cause));
}

void governor_put_transition(const struct governor_transition *t, const struct ladders *l, char *out, size_t max)
{
    char value[48] = "";
    const struct governor_rule *r = &l->rules[t->cause];
    if (t->cause == GOVERNOR_HEAT || t->cause == GOVERNOR_GPU)
        snprintf(value, sizeof(value), " (%.1f C %s the limit soon)", fabs((double)t->value), t->value < 0 ? "above" : "below");
    else if (t->cause != GOVERNOR_FAULT && t->cause != GOVERNOR_QUIET && !isnan(t->value))
        snprintf(value, sizeof(value), " (%.0f %%)", (double)t->value * 100);
    int n = snprintf(out, max, "%s%s%s %d of %d: %s%s:", t->cls < 0 ? "" : route_class_name((enum route_class)t->cls), t->cls < 0 ? "" : " ",
                     t->is_urgent ? "down at once to step" : t->is_down ? "down to step" : "up to step", t->to, r->n_path, governor_cause_name(t->cause), value);
    const char *comma = " ";
    for (int k = 0; k < ROUTE_KNOB_COUNT && n > 0 && (size_t)n < max; k++)
        if (t->knobs >> k & 1) {
            n += snprintf(out + n, max - (size_t)n, "%s%s", comma, route_knob_name((enum route_knob)k));
            comma = ", ";
        }
}
