/* task/whisper_rules.c - see whisper_rules.h. */
#include "task/whisper_rules.h"

#include <math.h>
#include <string.h>

static void bar(float *logits, int from, int to)
{
    for (int i = from; i < to; i++)
        logits[i] = -INFINITY;
}

/* Timestamps come in pairs, do not go back, and come when they are likelier together than any text. */
static void bar_by_timestamps(const struct whisper_vocab *v, float *logits, int n, const int64_t *tokens, int n_tokens, int max_initial)
{
    const int t0 = v->timestamp_0;
    const bool last = n_tokens >= 1 && tokens[n_tokens - 1] >= t0;
    const bool last_but_one = n_tokens < 2 || tokens[n_tokens - 2] >= t0;
    if (v->no_timestamps >= 0 && v->no_timestamps < n)
        logits[v->no_timestamps] = -INFINITY;
    if (last && last_but_one)
        bar(logits, t0, n);
    else if (last)
        bar(logits, 0, v->eot < n ? v->eot : n);
    for (int i = n_tokens - 1; i >= 0; i--)
        if (tokens[i] >= t0) {
            const int64_t least = last && !last_but_one ? tokens[i] : tokens[i] + 1;
            bar(logits, t0, (int)(least < n ? least : n));
            break;
        }
    if (n_tokens == 0) {
        bar(logits, 0, t0);
        bar(logits, t0 + max_initial + 1 < n ? t0 + max_initial + 1 : n, n);
    }
    double sum = 0;
    float best_time = -INFINITY, best_text = -INFINITY;
    for (int i = t0; i < n; i++)
        best_time = logits[i] > best_time ? logits[i] : best_time;
    for (int i = 0; i < t0; i++)
        best_text = logits[i] > best_text ? logits[i] : best_text;
    for (int i = t0; i < n && isfinite(best_time); i++)
        sum += exp((double)logits[i] - best_time);
    if (isfinite(best_time) && best_time + log(sum) > best_text)
        bar(logits, 0, t0);
}

void whisper_bar(const struct whisper_vocab *v, float *logits, int n_logits, const int64_t *tokens, int n_tokens, bool timestamps, int max_initial)
{
    const int n = n_logits < v->n ? n_logits : v->n;
    const bool has_times = v->timestamp_0 >= 0 && v->timestamp_0 < n_logits;
    const int how = n_tokens == 0 ? WHISPER_NEVER | WHISPER_NOT_FIRST : WHISPER_NEVER;
    for (int i = 0; i < n; i++)
        if ((v->suppress[i] & how) || isnan(logits[i]))
            logits[i] = -INFINITY;
    /* Timestamps that the tokenizer does not list (older files) may follow it; all else that it does not know may not come. */
    if (!has_times || v->timestamp_0 < v->n)
        bar(logits, n, n_logits);
    if (has_times && timestamps)
        bar_by_timestamps(v, logits, n_logits, tokens, n_tokens, max_initial);
    else if (has_times)
        bar(logits, v->timestamp_0, n_logits);
}

int whisper_choose(const float *logits, int n_logits, float temperature, struct rng *r, float *logprob)
{
    int best = -1;
    double sum = 0;
    for (int i = 0; i < n_logits; i++)
        if (isfinite(logits[i]) && (best < 0 || logits[i] > logits[best]))
            best = i;
    if (best < 0)
        return -1;
    const double top = logits[best];
    for (int i = 0; i < n_logits; i++)
        sum += isfinite(logits[i]) ? exp(logits[i] - top) : 0;
    if (temperature > 0) {
        double total = 0;
        for (int i = 0; i < n_logits; i++)
            total += isfinite(logits[i]) ? exp((logits[i] - top) / temperature) : 0;
        double left = total * rng_f64(r);
        for (int i = 0; i < n_logits; i++)
            if (isfinite(logits[i]) && (left -= exp((logits[i] - top) / temperature)) < 0) {
                best = i;
                break;
            }
    }
    *logprob = (float)(logits[best] - top - log(sum));
    return best;
}

float whisper_compression_ratio(const char *text, size_t n)
{
    enum { HASH = 1 << 12, WINDOW = 32768, LONGEST = 258 };
    static const int length_bits[] = { 10, 18, 34, 66, 130, 257 }; /* lengths above these carry 1, 2, ... more bits (RFC 1951, 3.2.5) */
    int32_t last[HASH];
    size_t bits = 8 * 6 + 3 + 7; /* zlib's head and checksum, a block's head, its end */
    if (n == 0)
        return 0;
    memset(last, -1, sizeof(last));
    for (size_t i = 0; i < n;) {
        size_t len = 0;
        int32_t from = -1;
        if (i + 3 <= n) {
            const uint8_t *t = (const uint8_t *)text + i;
            const uint32_t h = ((uint32_t)t[0] * 2654435761u ^ (uint32_t)t[1] * 40503u ^ (uint32_t)t[2] * 2246822519u) >> 8 & (HASH - 1);
            from = last[h];
            last[h] = (int32_t)i;
            if (from >= 0 && i - (size_t)from <= WINDOW)
                while (len < LONGEST && i + len < n && text[(size_t)from + len] == text[i + len])
                    len++;
        }
        if (len < 3) {
            bits += (uint8_t)text[i] < 144 ? 8 : 9;
            i++;
            continue;
        }
        bits += len < 115 ? 7 : 8;
        for (size_t k = 0; k < sizeof(length_bits) / sizeof(length_bits[0]) - 1; k++)
            bits += len > (size_t)length_bits[k];
        bits += 5;
        for (size_t d = (i - (size_t)from - 1) >> 2; d > 0; d >>= 1)
            bits++;
        i += len;
    }
    return (float)((double)n * 8 / (double)bits);
}

int whisper_cut(const struct whisper_vocab *v, const int64_t *tokens, int n_tokens, double window_s, struct whisper_segment *out, int n_max, double *seek_s)
{
    const int t0 = v->timestamp_0 >= 0 ? v->timestamp_0 : INT32_MAX;
    const bool single_end = n_tokens >= 2 && tokens[n_tokens - 2] < t0 && tokens[n_tokens - 1] >= t0;
    int n = 0, from = 0;
    *seek_s = window_s;
    for (int i = 1; i <= n_tokens && n < n_max; i++) {
        /* a segment ends between two timestamps; a last one that stands alone closes the last segment */
        const bool is_pair = i < n_tokens && tokens[i] >= t0 && tokens[i - 1] >= t0;
        if (!is_pair && !(i == n_tokens && single_end && (n > 0 || from > 0)))
            continue;
        if (i > from) {
            const bool has_start = tokens[from] >= t0;
            out[n] = (struct whisper_segment){ from, i - from, has_start ? (double)(tokens[from] - t0) * 0.02 : 0,
                                               tokens[i - 1] >= t0 ? (double)(tokens[i - 1] - t0) * 0.02 : window_s };
            n++;
        }
        from = i;
    }
    if (n > 0 && !single_end) { /* what follows the last pair is heard again from there */
        *seek_s = out[n - 1].end_s > 0 ? out[n - 1].end_s : window_s;
        return n;
    }
    if (n > 0)
        return n;
    if (n_tokens > 0 && n_max > 0) { /* no pair: one segment, to its last timestamp if it has one that is not the first */
        const double start_s = tokens[0] >= t0 ? (double)(tokens[0] - t0) * 0.02 : 0;
        double end_s = window_s;
        for (int i = n_tokens - 1; i > 0; i--)
            if (tokens[i] >= t0) {
                end_s = (double)(tokens[i] - t0) * 0.02 > start_s ? (double)(tokens[i] - t0) * 0.02 : window_s;
                break;
            }
        out[n++] = (struct whisper_segment){ 0, n_tokens, start_s, end_s };
    }
    return n;
}
