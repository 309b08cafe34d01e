/* bench/sweep.c - see sweep.h; start at bench_reads() and bench_peaks(). */
#include "bench/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "kernels/peak/peak.h"
#include "kernels/read/read.h"

enum { BIG_BYTES = 256 << 20, PIECE = 1 << 20, STREAMS_MAX = 16, SIZE_MIN = 8 << 10, SIZE_MAX_BYTES = 64 << 20, THREADS_MAX = 1024 };
static const double PIECE_S = 0.025; /* one point */

static bool tell(const struct bench_watch *w, const char *what, double left_s, struct err *err)
{
    return !w || w->tell(w->ctx, what, left_s) || err_set(err, ERR_CANCELLED, "bench: stopped");
}

struct reading {
    read_fn *sum;
    const char *data;
    int n_pieces, streams;
    size_t own_bytes; /* > 0: each thread reads its own part so often */
    long n_times;
    uint64_t sink[THREADS_MAX];
};

static void read_thread(struct pool *p, int ith, void *ctx)
{
    struct reading *r = ctx;
    uint64_t s = 0;
    if (r->own_bytes > 0)
        for (long i = 0; i < r->n_times; i++)
            s += r->sum(r->data + (size_t)ith * r->own_bytes, r->own_bytes, r->streams);
    else
        for (int64_t i; (i = pool_take(p)) < r->n_pieces;)
            s += r->sum(r->data + (size_t)i * PIECE, PIECE, r->streams);
    r->sink[ith] += s;
}

static double best_of(struct pool *p, struct reading *r, double bytes, int n)
{
    double best = 0;
    for (int i = 0; i < n; i++) {
        const uint64_t t = clock_ns();
        pool_run(p, read_thread, r);
        best = fmax(best, bytes / ((double)(clock_ns() - t) * 1e-9));
    }
    return best;
}

static double read_size(struct pool *p, struct reading *r)
{
    const double bytes = (double)r->own_bytes * pool_n_threads(p);
    for (r->n_times = 1;; r->n_times *= 4) { /* long enough that starting the threads does not count */
        const uint64_t t = clock_ns();
        pool_run(p, read_thread, r);
        if ((double)(clock_ns() - t) * 1e-9 > PIECE_S / 8 || r->n_times > 1 << 24)
            return best_of(p, r, bytes * (double)r->n_times, 3);
    }
}

static int next_threads(int k, int max) { return k == max ? max + 1 : k < 8 ? k + 1 : 2 * k < max ? 2 * k : max; }

double bench_sweep_seconds(int max_threads)
{
    int n_threads = 0;
    for (int k = 1; k <= max_threads; k = next_threads(k, max_threads))
        n_threads++;
    return 0.15 + PIECE_S * 3 * (n_threads + 5) + PIECE_S * 26 + PIECE_S * 12;
}

static bool over_threads_and_streams(struct reading *r, int max_threads, struct bench_read *out, int *n,
                                     const struct bench_watch *w, struct err *err)
{
    for (int k = 1, streams = 4; k <= max_threads;) {
        struct pool *p = pool_new(k, err);
        if (!p)
            return false;
        r->n_pieces = BIG_BYTES / PIECE, r->streams = streams, r->own_bytes = 0;
        if (*n < BENCH_READS_MAX)
            out[(*n)++] = (struct bench_read){ READ_OVER_THREADS, k, streams, BIG_BYTES, best_of(p, r, BIG_BYTES, 3) };
        if (k == max_threads)
            for (streams = 1; streams <= STREAMS_MAX && *n < BENCH_READS_MAX; streams *= 2) {
                r->streams = streams;
                out[(*n)++] = (struct bench_read){ READ_OVER_STREAMS, k, streams, BIG_BYTES, best_of(p, r, BIG_BYTES, 3) };
            }
        pool_free(p);
        if (!tell(w, "memory", bench_sweep_seconds(max_threads) * 0.7, err))
            return false;
        k = next_threads(k, max_threads);
    }
    return true;
}

bool bench_reads(int max_threads, uint32_t cpu, struct bench_read out[static BENCH_READS_MAX], int *n, const struct bench_watch *w, struct err *err)
{
    struct reading *r = calloc(1, sizeof(*r));
    char *data = bulk_new(BIG_BYTES); /* the same kind of memory as packed weights */
    bool ok = false;
    *n = 0;
    max_threads = max_threads < THREADS_MAX ? max_threads : THREADS_MAX;
    if (!data || !r) {
        err_set(err, ERR_NOMEM, "bench: out of memory for %d bytes", BIG_BYTES);
        goto out;
    }
    memset(data, 1, BIG_BYTES);
    r->data = data, r->sum = read_choose(cpu)->sum;
    if (!over_threads_and_streams(r, max_threads, out, n, w, err))
        goto out;
    for (int all = 0; all <= (max_threads > 1); all++) {
        const int k = all ? max_threads : 1;
        struct pool *p = pool_new(k, err);
        if (!p)
            goto out;
        ok = true;
        for (int64_t bytes = SIZE_MIN; ok && bytes <= SIZE_MAX_BYTES && bytes * k <= BIG_BYTES && *n < BENCH_READS_MAX; bytes *= 2) {
            r->streams = 4, r->own_bytes = (size_t)bytes;
            out[(*n)++] = (struct bench_read){ READ_OVER_SIZES, k, 4, bytes, read_size(p, r) };
            ok = tell(w, "caches", bench_sweep_seconds(max_threads) * (all ? 0.3 : 0.5), err);
        }
        pool_free(p);
        if (!ok)
            goto out;
    }
out:
    bulk_free(data, BIG_BYTES);
    free(r);
    return ok;
}

struct counting {
    peak_fn *fn;
    long n_rounds;
    double ops[THREADS_MAX];
};

static void count_thread(struct pool *p, int ith, void *ctx)
{
    (void)p;
    struct counting *c = ctx;
    volatile int sink = 0;
    c->ops[ith] = c->fn(c->n_rounds, &sink);
}

static double ops_per_s(struct pool *p, struct counting *c)
{
    double best = 0;
    c->n_rounds = 1 << 12;
    for (int good = 0; good < 3;) {
        const uint64_t t = clock_ns();
        pool_run(p, count_thread, c);
        const double s = (double)(clock_ns() - t) * 1e-9;
        if (s < PIECE_S / 4) {
            c->n_rounds *= 4;
            continue;
        }
        double ops = 0;
        for (int i = 0; i < pool_n_threads(p); i++)
            ops += c->ops[i];
        best = fmax(best, ops / s);
        good++;
    }
    return best;
}

bool bench_peaks(int max_threads, uint32_t cpu, struct bench_peak out[static BENCH_PEAKS_MAX], int *n, const struct bench_watch *w, struct err *err)
{
    struct counting *c = calloc(1, sizeof(*c));
    bool ok = c || err_set(err, ERR_NOMEM, "bench: out of memory");
    *n = 0;
    max_threads = max_threads < THREADS_MAX ? max_threads : THREADS_MAX;
    for (int all = 0; ok && all <= (max_threads > 1); all++) {
        const int k = all ? max_threads : 1;
        struct pool *p = pool_new(k, err);
        ok = p != NULL;
        for (int v = 0; ok && v < peak_n_variants; v++) {
            const struct peak_ops *o = peak_variants[v];
            if (o->need & ~cpu)
                continue;
            peak_fn *const fn[] = { o->int8, o->bf16, o->f32 };
            static const char *const unit[] = { "int8", "bf16", "f32" };
            for (int u = 0; ok && u < 3; u++)
                if (fn[u] && *n < BENCH_PEAKS_MAX) {
                    c->fn = fn[u];
                    out[(*n)++] = (struct bench_peak){ o->isa, unit[u], k, ops_per_s(p, c) };
                    ok = tell(w, "arithmetic", bench_sweep_seconds(max_threads) * 0.1, err);
                }
        }
        pool_free(p);
    }
    free(c);
    return ok;
}
