/* api/stats.c - see stats.h. */
#include "api/stats.h"

#include <stdio.h>

/* Seconds; below 0 means the end.  The first set is for tokens (small models need fractions of a
 * millisecond), the second for requests. */
#define TOKENS(X) X(0.00025) X(0.0005) X(0.001) X(0.0025) X(0.005) X(0.01) X(0.02) X(0.04) X(0.06) X(0.08) X(0.1) X(0.25) X(0.5) X(0.75) X(1) X(2.5) X(5) X(10) X(30) X(120)
#define REQUESTS(X) X(0.005) X(0.01) X(0.02) X(0.04) X(0.08) X(0.16) X(0.32) X(0.64) X(1.28) X(2.56) X(5.12) X(10.24) X(20.48) X(40.96) X(81.92) X(163.84) X(327.68)
static const double bounds[2][API_BUCKETS_MAX + 1] = {
#define X(v) v,
    { TOKENS(X) -1 },
    { REQUESTS(X) -1 },
#undef X
};
static const char *const bound_texts[2][API_BUCKETS_MAX + 1] = {
#define X(v) #v,
    { TOKENS(X) NULL },
    { REQUESTS(X) NULL },
#undef X
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

/* Fifty models have five thousand such lines: put together from pieces, not printed. */
void api_stats_put(const struct api_stats *s, enum api_histogram h, const char *prefix, const char *label, struct buf *out)
{
    const double *b = bounds[about[h].set];
    char head[400];
    const int len = snprintf(head, sizeof(head), "%s%s_bucket{%s,le=\"", prefix, about[h].name, label);
    const size_t n_head = len < (int)sizeof(head) ? (size_t)len : sizeof(head) - 1;
    uint64_t n = 0;
    int first = 0;
    while (b[first] >= 0 && s->h[h].count[first] == 0)
        first++;
    for (int i = b[first] < 0 && s->h[h].count[first] == 0 ? first : 0;; i++) { /* what has seen nothing is its last bucket, sum and count: many experts wait for long */
        n += s->h[h].count[i];
        buf_append(out, head, n_head);
        buf_puts(out, b[i] < 0 ? "+Inf" : bound_texts[about[h].set][i]);
        buf_append(out, "\"} ", 3);
        buf_put_u64(out, n);
        buf_putc(out, '\n');
        if (b[i] < 0)
            break;
    }
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
