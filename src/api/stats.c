/* api/stats.c - see stats.h. */
#include "api/stats.h"

#include <math.h>

/* Seconds; below 0 means the end.  The first set is for tokens (small models need fractions of a
 * millisecond), the second for requests. */
static const double bounds[2][API_BUCKETS_MAX + 1] = {
    { 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 30, 120, -1 },
    { 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, -1 },
};

static const struct {
    const char *name, *help;
    int set;
} about[] = {
#define X(id, name, help, set) { name, help, set },
    API_HISTOGRAMS(X)
#undef X
};
_Static_assert(sizeof(about) / sizeof(about[0]) == API_HISTOGRAM_COUNT, "ORDER API_HISTOGRAM");

const char *api_histogram_name(enum api_histogram h) { return about[h].name; }
const char *api_histogram_help(enum api_histogram h) { return about[h].help; }

void api_stats_observe(struct api_stats *s, enum api_histogram h, uint64_t ns)
{
    const double *b = bounds[about[h].set];
    const double v = (double)ns / 1e9;
    int i = 0;
    while (b[i] >= 0 && v > b[i])
        i++;
    s->h[h].count[i]++;
    s->h[h].sum_s += v;
}

void api_stats_put(const struct api_stats *s, enum api_histogram h, const char *prefix, const char *label, struct buf *out)
{
    const double *b = bounds[about[h].set];
    uint64_t n = 0;
    for (int i = 0;; i++) {
        n += s->h[h].count[i];
        if (b[i] < 0)
            break;
        buf_printf(out, "%s%s_bucket{%s,le=\"%g\"} %llu\n", prefix, about[h].name, label, b[i], (unsigned long long)n);
    }
    buf_printf(out, "%s%s_bucket{%s,le=\"+Inf\"} %llu\n", prefix, about[h].name, label, (unsigned long long)n);
    buf_printf(out, "%s%s_sum{%s} %.9g\n", prefix, about[h].name, label, s->h[h].sum_s);
    buf_printf(out, "%s%s_count{%s} %llu\n", prefix, about[h].name, label, (unsigned long long)n);
}

static const struct {
    const char *name, *help;
} counters[API_COUNTER_COUNT] = {
#define X(id, name, help) { name, help },
    API_COUNTERS(X)
#undef X
};
const char *api_counter_name(enum api_counter c) { return counters[c].name; }
const char *api_counter_help(enum api_counter c) { return counters[c].help; }
