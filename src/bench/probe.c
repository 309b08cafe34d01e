/* bench/probe.c - the machine's limits: memory reads and multiply-adds, on all threads at once. */
#include <math.h>
#include <string.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "bench/bench.h"
#include "kernels/peak/peak.h"

enum { BUFFER_BYTES = 256 << 20, PIECE_BYTES = 1 << 20, STREAMS = 4 };

struct reading {
    const uint64_t *data;
    int n_pieces;
    volatile uint64_t sink;
};

/* Four streams in a piece, plain additions that the compiler vectorises. */
static void read_thread(struct pool *p, int ith, void *ctx)
{
    (void)ith;
    struct reading *r = ctx;
    const size_t n = PIECE_BYTES / sizeof(uint64_t) / STREAMS;
    uint64_t all = 0;
    for (int64_t i; (i = pool_take(p)) < r->n_pieces;) {
        const uint64_t *a = r->data + (size_t)i * (PIECE_BYTES / sizeof(uint64_t));
        uint64_t s[STREAMS][8] = { { 0 } };
        for (size_t k = 0; k < n; k += 8)
            for (int t = 0; t < STREAMS; t++)
                for (int j = 0; j < 8; j++)
                    s[t][j] += a[(size_t)t * n + k + (size_t)j];
        for (int t = 0; t < STREAMS; t++)
            for (int j = 0; j < 8; j++)
                all += s[t][j];
    }
    r->sink = all;
}

static double read_bps(struct pool *pool, const uint64_t *data, int n_times)
{
    struct reading r = { data, BUFFER_BYTES / PIECE_BYTES, 0 };
    double best = 0;
    for (int i = 0; i < n_times; i++) {
        const uint64_t t = clock_ns();
        pool_run(pool, read_thread, &r);
        const double bps = (double)BUFFER_BYTES / ((double)(clock_ns() - t) * 1e-9);
        best = bps > best ? bps : best;
    }
    return best;
}

struct counting {
    peak_fn *fn;
    long n_rounds;
    double ops[1024];
};

static void count_thread(struct pool *p, int ith, void *ctx)
{
    (void)p;
    struct counting *c = ctx;
    volatile int sink = 0;
    c->ops[ith] = c->fn(c->n_rounds, &sink);
}

static double ops_per_s(struct pool *pool, peak_fn *fn, double seconds)
{
    struct counting c = { .fn = fn, .n_rounds = 1 << 14 };
    if (!fn)
        return NAN;
    for (;;) { /* long enough that starting the threads does not count */
        const uint64_t t = clock_ns();
        pool_run(pool, count_thread, &c);
        const double s = (double)(clock_ns() - t) * 1e-9;
        double ops = 0;
        for (int i = 0; i < pool_n_threads(pool); i++)
            ops += c.ops[i];
        if (s >= seconds)
            return ops / s;
        c.n_rounds *= s < seconds / 4 ? 4 : 2;
    }
}

bool bench_probe(struct bench_limits *out, struct pool *pool, uint32_t cpu, bool is_quick, struct err *err)
{
    const struct peak_ops peak = peak_choose(cpu);
    uint64_t *data = bulk_new(BUFFER_BYTES); /* the same kind of memory as packed weights */
    if (!data)
        return err_set(err, ERR_NOMEM, "bench: out of memory for %d bytes", BUFFER_BYTES);
    memset(data, 1, BUFFER_BYTES);
    const double seconds = is_quick ? 0.01 : 0.03;
    out->read_bps = read_bps(pool, data, is_quick ? 2 : 4);
    out->int8_ops = ops_per_s(pool, peak.int8, seconds);
    out->f32_flops = ops_per_s(pool, peak.f32, seconds);
    out->bf16_flops = ops_per_s(pool, peak.bf16, seconds);
    bulk_free(data, BUFFER_BYTES);
    return true;
}
