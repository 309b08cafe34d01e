/* rehearse/simulate_rival.c - the simple policies, and figures of a run. */
#include <string.h>

#include "rehearse/simulate_internal.h"

static const char *const names[] = {
#define X(id, word, what) word,
    SIM_POLICIES(X)
#undef X
};
const char *sim_policy_name(enum sim_policy p) { return p < SIM_POLICY_COUNT ? names[p] : "?"; }
bool sim_policy_by_name(const char *word, enum sim_policy *out)
{
    for (int i = 0; i < SIM_POLICY_COUNT; i++)
        if (!strcmp(word, names[i]))
            return *out = (enum sim_policy)i, true;
    return false;
}
const char *sim_failure_name(enum sim_failure f)
{
    static const char *const words[] = {
#define X(id, word, what) word,
        SIM_FAILURES(X)
#undef X
    };
    return f < SIM_FAIL_COUNT ? words[f] : "?";
}
const char *sim_failure_what(enum sim_failure f)
{
    static const char *const words[] = {
#define X(id, word, what) what,
        SIM_FAILURES(X)
#undef X
    };
    return f < SIM_FAIL_COUNT ? words[f] : "?";
}

/* Left to a simple policy: whom no hard rule excludes. */
static bool is_capable(const struct sim_engine *e, int c) { return !route_rule_is_hard(e->verdicts[c].rule) && e->seen[c].is_up; }

static double load_of(const struct candidate *c) { return (double)(c->n_running + c->n_waiting) / (c->n_parallel > 0 ? c->n_parallel : 1); }

int sim_choose_rival(struct sim_engine *e, const uint64_t *barred)
{
    const struct candidate *list = e->seen;
    const int n = e->world.n;
    int best = -1, n_seen = 0;
    for (int k = 0; k < n; k++) {
        /* in turn: whoever was chosen last is asked last */
        const int c = (e->turn + k) % n;
        const struct route_guess *g = &e->verdicts[c].guess, *b = best >= 0 ? &e->verdicts[best].guess : NULL;
        bool wins = best < 0;
        if (!is_capable(e, c) || (barred[c / 64] >> (c % 64) & 1))
            continue;
        n_seen++;
        switch (e->policy) {
        case SIM_ALWAYS_BIG:
            wins = wins || list[c].quality > list[best].quality || (list[c].quality == list[best].quality && g->total_s < b->total_s);
            break;
        case SIM_ALWAYS_SMALL:
            wins = wins || list[c].quality < list[best].quality || (list[c].quality == list[best].quality && g->total_s < b->total_s);
            break;
        case SIM_LEAST_LOADED:
            wins = wins || load_of(&list[c]) < load_of(&list[best]);
            break;
        case SIM_FASTEST:
            wins = wins || g->total_s < b->total_s;
            break;
        case SIM_RANDOM:
            wins = wins || rng_f64(&e->any) * n_seen < 1;
            break;
        default:
            break;
        }
        if (wins)
            best = c;
    }
    if (best >= 0)
        e->turn = (best + 1) % n;
    return best;
}

/* ---- figures ---- */

static const double bin_low_s = 1e-5, bin_step = 0.01; /* of the natural logarithm */

void sim_hist_add(struct sim_hist *h, double seconds)
{
    const double at = seconds > bin_low_s ? log(seconds / bin_low_s) / bin_step : 0;
    h->bin[at < SIM_BINS - 1 ? (int)at : SIM_BINS - 1]++;
    h->n++;
    h->sum += seconds;
}
double sim_hist_at(const struct sim_hist *h, double share)
{
    const double want = share * (double)h->n;
    uint64_t n = 0;
    for (int i = 0; i < SIM_BINS; i++) {
        n += h->bin[i];
        if (n && (double)n >= want)
            return bin_low_s * exp((i + 0.5) * bin_step);
    }
    return NAN;
}
double sim_quality(const struct sim_figures *f) { return f->n_in ? (double)f->n_right / (double)f->n_in : NAN; }
double sim_noise(const struct sim_figures *f)
{
    const double q = sim_quality(f);
    return f->n_in ? 2 * sqrt(q * (1 - q) / (double)f->n_in) : NAN;
}
