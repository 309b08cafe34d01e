/* api/stats.h - what requests to one model took, as histograms that Prometheus understands.
 *
 * For:     api/ observes, serve/ writes them out.
 * Touches: nothing.  Thread: the loop's.
 */
#ifndef TUTTI_API_STATS_H
#define TUTTI_API_STATS_H
#include <stdint.h>

#include "base/buf.h"

/* field, name after the prefix, help, bucket set.  ORDER API_HISTOGRAM */
#define API_HISTOGRAMS(X)                                                                                             \
    X(TTFT, "time_to_first_token_seconds", "From the whole request to the first token.", 0)                           \
    X(ITL, "inter_token_latency_seconds", "Between two pieces of text of one choice.", 0)                             \
    X(E2E, "e2e_request_latency_seconds", "From the whole request to the end of the answer.", 1)                      \
    X(QUEUE, "request_queue_time_seconds", "From submission until the prompt is begun.", 1)                           \
    X(PREFILL, "request_prefill_time_seconds", "From there to the first token.", 1)                                   \
    X(DECODE, "request_decode_time_seconds", "From the first token to the last.", 1)

enum api_histogram {
#define X(id, name, help, set) API_##id,
    API_HISTOGRAMS(X)
#undef X
    API_HISTOGRAM_COUNT
};

/* field, name after the prefix, help.  Sums over all requests of a model. */
#define API_COUNTERS(X)                                                                                               \
    X(MEDIA_BYTES, "media_bytes_total", "Bytes of pictures and sound that came in.")                                  \
    X(IMAGES, "images_total", "Pictures that were looked at.")                                                        \
    X(HEARD_S, "audio_heard_seconds_total", "Seconds of sound that were listened to.")                                \
    X(SPOKEN_S, "audio_spoken_seconds_total", "Seconds of sound that were spoken.")

enum api_counter {
#define X(id, name, help) API_##id,
    API_COUNTERS(X)
#undef X
    API_COUNTER_COUNT
};
const char *api_counter_name(enum api_counter c);
const char *api_counter_help(enum api_counter c);

enum { API_BUCKETS_MAX = 20 };

struct api_stats {
    double counter[API_COUNTER_COUNT];
    struct {
        uint64_t count[API_BUCKETS_MAX + 1]; /* the last: above all bounds */
        double sum_s;
    } h[API_HISTOGRAM_COUNT];
};

void api_stats_observe(struct api_stats *s, enum api_histogram h, uint64_t ns);
const char *api_histogram_name(enum api_histogram h);
const char *api_histogram_help(enum api_histogram h);
/* The lines of one histogram: buckets, sum, count; label is what stands between the braces. */
void api_stats_put(const struct api_stats *s, enum api_histogram h, const char *prefix, const char *label, struct buf *out);
#endif
