/* expert/speculate.c - see speculate.h; start at speculation_choose(). */
#include "expert/speculate.h"

#include <stdlib.h>
#include <string.h>

#include "llm/lookup.h"

enum { ALONE_EVERY = 64 /* passes until one goes without a guess, so that the time of one token stays known */ };
static const double PRIOR_TRIES = 4, FADE = 0.96, FORGET = 0.995;
static const double EXTRA_PRIOR = 0.15, EXTRA_MIN = 0.005, EXTRA_MAX = 1.0;

/* How often a guess is right before this answer has shown it; ORDER GUESS_KIND.  Matches of 0, 1, 2, 3, 4, 5-7, 8-11, 12-19, 20-39
 * tokens and more; then margins below 0.5, 1, 2, 4, 8 and more; the draft as a whole. */
static const float prior[GUESS_KINDS + 1] = { 0.1f, 0.5f, 0.35f, 0.5f, 0.6f, 0.75f, 0.85f, 0.9f, 0.94f, 0.98f,
                                          0.4f, 0.5f, 0.65f, 0.8f, 0.9f, 0.97f, 0.7f };

bool speculate_parse(const char *what, const char *text, int *out, struct err *err)
{
    char *end;
    const long n = strtol(text, &end, 10);
    if (strcmp(text, "off") == 0 || strcmp(text, "false") == 0)
        *out = -1;
    else if (strcmp(text, "auto") == 0)
        *out = 0;
    else if (*text && *end == '\0' && n >= 1 && n <= GUESS_MAX)
        *out = (int)n;
    else
        return err_set(err, ERR_INPUT, "%s: '%.20s' is not off, auto or a number from 1 to %d", what, text, GUESS_MAX);
    return true;
}

struct guess *guess_new(int n_max_tok, struct err *err)
{
    struct guess *g = calloc(1, sizeof(*g));
    if (g && (g->lookup = lookup_new(n_max_tok, err)))
        return g;
    guess_free(g);
    return err_null(err, ERR_NOMEM, "no memory for an index of %d tokens", n_max_tok);
}

void guess_free(struct guess *g)
{
    if (g)
        lookup_free(g->lookup);
    free(g);
}

int guess_kind_lookup(int length)
{
    static const uint8_t to[] = { 1, 2, 3, 4, 5, 8, 12, 20, 40 };
    int k = 0;
    while (k < GUESS_KINDS_LOOKUP - 1 && length >= to[k])
        k++;
    return k;
}

int guess_kind_draft(float margin)
{
    int k = 0;
    for (float to = 0.5f; k < GUESS_KINDS - GUESS_KINDS_LOOKUP - 1 && margin >= to; to *= 2)
        k++;
    return GUESS_KINDS_LOOKUP + k;
}

double guess_chance(const struct guess *g, int kind)
{
    return ((double)g->hits[kind] + PRIOR_TRIES * (double)prior[kind]) / ((double)g->tries[kind] + PRIOR_TRIES);
}

double guess_chance_draft(const struct guess *g) { return guess_chance(g, GUESS_KIND_DRAFT); }

static void count(struct guess *g, int kind, bool is_right)
{
    g->hits[kind] = (float)(g->hits[kind] * FADE + is_right);
    g->tries[kind] = (float)(g->tries[kind] * FADE + 1);
}

void guess_learn(struct guess *g, int n, int n_right)
{
    for (int i = 0; i < n && i <= n_right; i++) {
        count(g, g->kind[i], i < n_right);
        if (g->kind[i] >= GUESS_KINDS_LOOKUP)
            count(g, GUESS_KIND_DRAFT, i < n_right);
    }
}

static void forget(struct guess *g, int kind)
{
    g->hits[kind] = (float)(g->hits[kind] * FORGET);
    g->tries[kind] = (float)(g->tries[kind] * FORGET);
}

void guess_forget_draft(struct guess *g) { forget(g, GUESS_KIND_DRAFT); }

/* ---- the time of a pass ---- */

static double clamp(double x, double min, double max) { return x < min ? min : x > max ? max : x; }

/* Measured, or between the neighbours that were; else as a prompt's token, which is the least that one can cost. */
static double extra_of(const struct speculation *s, int n, double prompt_ns)
{
    int below = n, above = n;
    n = below = above = n > GUESS_ROWS_MAX ? GUESS_ROWS_MAX : n;
    while (below > 1 && s->extra[below] <= 0)
        below--;
    while (above <= GUESS_ROWS_MAX && s->extra[above] <= 0)
        above++;
    if (below > 1 && above <= GUESS_ROWS_MAX)
        return below == above ? s->extra[n] : (s->extra[below] * (above - n) + s->extra[above] * (n - below)) / (above - below);
    if (below > 1 || above <= GUESS_ROWS_MAX)
        return s->extra[below > 1 ? below : above];
    return prompt_ns > 0 && s->pass_ns > 0 ? clamp(prompt_ns / s->pass_ns, 0.03, 0.5) : EXTRA_PRIOR;
}

double speculation_cost(const struct speculation *s, int n, double prompt_ns)
{
    return s->pass_ns * (1 + extra_of(s, n, prompt_ns) * (n - 1));
}

void speculation_note(struct speculation *s, int n, double ns, double prompt_ns)
{
    if (n < 1 || n > GUESS_ROWS_MAX)
        return;
    const double expected = speculation_cost(s, n, prompt_ns);
    if (expected <= 0) {
        s->pass_ns = ns / (1 + extra_of(s, n, prompt_ns) * (n - 1));
        return;
    }
    ns = clamp(ns, expected / 2, expected * 2); /* somebody else had the core */
    if (n == 1) {
        s->pass_ns += 0.1 * (ns - s->pass_ns);
        s->n_since_alone = 0;
        return;
    }
    s->n_since_alone++;
    const double old = extra_of(s, n, prompt_ns), seen = clamp((ns / s->pass_ns - 1) / (n - 1), EXTRA_MIN, EXTRA_MAX);
    s->extra[n] = old + 0.2 * (seen - old);
}

/* ---- how much to guess ---- */

static bool take_next(struct guess_offer *o, int n_offers, double *chance, double *gain)
{
    int best = -1;
    double best_p = 0;
    for (int i = 0; i < n_offers; i++) {
        if (o[i].n_take == o[i].n)
            continue;
        const double p = chance[i] * guess_chance(o[i].guess, o[i].guess->kind[o[i].n_take]);
        if (p > best_p) {
            best_p = p;
            best = i;
        }
    }
    if (best < 0)
        return false;
    o[best].n_take++;
    chance[best] = *gain = best_p;
    return true;
}

/* Takes n tokens, the likeliest first; returns how many there were. */
static int take(struct guess_offer *o, int n_offers, int n, double *gains)
{
    double chance[GUESS_ROWS_MAX];
    int k = 0;
    for (int i = 0; i < n_offers; i++) {
        o[i].n_take = 0;
        chance[i] = 1;
    }
    while (k < n && take_next(o, n_offers, chance, &gains[k]))
        k++;
    return k;
}

void speculation_choose(struct speculation *s, struct guess_offer *o, int n_offers, int n_base, int n_room, double prompt_ns)
{
    double gains[GUESS_MAX];
    n_offers = n_offers < GUESS_ROWS_MAX ? n_offers : GUESS_ROWS_MAX;
    const int n_all = take(o, n_offers, n_room < GUESS_MAX ? n_room : GUESS_MAX, gains);
    const double base = speculation_cost(s, n_base, prompt_ns);
    double sum = n_base, best = base > 0 ? GUESS_GAIN_LEAST * sum / base : 0;
    int n_best = 0;
    for (int k = 1; k <= n_all && base > 0 && !(n_base == 1 && s->n_since_alone >= ALONE_EVERY); k++) {
        sum += gains[k - 1];
        const double rate = sum / speculation_cost(s, n_base + k, prompt_ns);
        if (rate > best) {
            best = rate;
            n_best = k;
        }
    }
    take(o, n_offers, n_best, gains);
    if (n_all > 0 && n_best == 0)
        for (int i = 0; i < n_offers; i++)
            if (o[i].n > 0)
                forget(o[i].guess, o[i].guess->kind[0]);
}
