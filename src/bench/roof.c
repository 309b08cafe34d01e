/* bench/roof.c - see roof.h; start at bench_prober_run() and bench_work_of(). */
#include "bench/roof.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bulk.h"
#include "base/clock.h"
#include "kernels/peak/peak.h"
#include "kernels/read/read.h"

enum { BUFFER_BYTES = 256 << 20, PIECE_BYTES = 1 << 20, THREADS_MAX = 1024 };

const char *const bench_roof_names[BENCH_ROOFS] = { "read", "int8", "bf16", "f32" };

double bench_limit(const struct bench_limits *l, enum bench_roof roof)
{
    return roof == ROOF_READ ? l->read_bps : roof == ROOF_INT8 ? l->int8_ops : roof == ROOF_BF16 ? l->bf16_flops : l->f32_flops;
}

struct bench_limits bench_limits_between(const struct bench_limits *a, const struct bench_limits *b)
{
    return (struct bench_limits){ (a->read_bps + b->read_bps) / 2, (a->int8_ops + b->int8_ops) / 2, (a->bf16_flops + b->bf16_flops) / 2,
                                  (a->f32_flops + b->f32_flops) / 2 };
}

/* ---- measuring ---- */

struct bench_prober {
    struct pool *pool;
    struct peak_ops peak;
    read_fn *sum;
    char *data; /* as big as no cache, the same kind of memory as packed weights */
    int streams;
    peak_fn *fn;
    long n_rounds;
    uint64_t sink[THREADS_MAX];
    double ops[THREADS_MAX];
};

struct bench_prober *bench_prober_new(struct pool *pool, uint32_t cpu, struct err *err)
{
    struct bench_prober *p = calloc(1, sizeof(*p));
    if (!p || !(p->data = bulk_new(BUFFER_BYTES)) || pool_n_threads(pool) > THREADS_MAX) {
        free(p);
        return err_null(err, ERR_NOMEM, "bench: out of memory for %d bytes", BUFFER_BYTES);
    }
    memset(p->data, 1, BUFFER_BYTES);
    p->pool = pool, p->peak = peak_choose(cpu), p->sum = read_choose(cpu)->sum;
    return p;
}

void bench_prober_free(struct bench_prober *p)
{
    if (p)
        bulk_free(p->data, BUFFER_BYTES);
    free(p);
}

static void read_thread(struct pool *pool, int ith, void *ctx)
{
    struct bench_prober *p = ctx;
    uint64_t s = 0;
    for (int64_t i; (i = pool_take(pool)) < BUFFER_BYTES / PIECE_BYTES;)
        s += p->sum(p->data + (size_t)i * PIECE_BYTES, PIECE_BYTES, p->streams);
    p->sink[ith] = s;
}

/* One stream of a thread is best on some machines, four on others: both are tried, the better counts. */
static double read_bps(struct bench_prober *p, int n_times)
{
    double best = 0;
    for (int i = 0; i < n_times; i++) {
        const uint64_t t = clock_ns();
        p->streams = i % 2 ? 4 : 1;
        pool_run(p->pool, read_thread, p);
        best = fmax(best, (double)BUFFER_BYTES / ((double)(clock_ns() - t) * 1e-9));
    }
    return best;
}

static void count_thread(struct pool *pool, int ith, void *ctx)
{
    (void)pool;
    struct bench_prober *p = ctx;
    volatile int sink = 0;
    p->ops[ith] = p->fn(p->n_rounds, &sink);
}

static double ops_per_s(struct bench_prober *p, peak_fn *fn, double seconds)
{
    if (!fn)
        return NAN;
    double best = 0;
    p->fn = fn, p->n_rounds = 1 << 12;
    for (int good = 0; good < 3;) { /* each long enough that starting the threads does not count */
        memset(p->ops, 0, sizeof(p->ops)); /* the pool may use fewer threads than it has */
        const uint64_t t = clock_ns();
        pool_run(p->pool, count_thread, p);
        const double s = (double)(clock_ns() - t) * 1e-9;
        double ops = 0;
        for (int i = 0; i < pool_n_threads(p->pool); i++)
            ops += p->ops[i];
        if (s >= seconds / 3)
            best = fmax(best, ops / s), good++;
        else
            p->n_rounds *= s < seconds / 12 ? 4 : 2;
    }
    return best;
}

struct bench_limits bench_prober_run(struct bench_prober *p, unsigned roofs, bool is_quick)
{
    const double seconds = is_quick ? 0.01 : 0.03;
    return (struct bench_limits){ .read_bps = roofs & 1 << ROOF_READ ? read_bps(p, is_quick ? 2 : 4) : (double)NAN,
                                  .int8_ops = roofs & 1 << ROOF_INT8 ? ops_per_s(p, p->peak.int8, seconds) : (double)NAN,
                                  .bf16_flops = roofs & 1 << ROOF_BF16 ? ops_per_s(p, p->peak.bf16, seconds) : (double)NAN,
                                  .f32_flops = roofs & 1 << ROOF_F32 ? ops_per_s(p, p->peak.f32, seconds) : (double)NAN };
}

bool bench_probe(struct bench_limits *out, struct pool *pool, uint32_t cpu, bool is_quick, struct err *err)
{
    struct bench_prober *p = bench_prober_new(pool, cpu, err);
    if (!p)
        return false;
    *out = bench_prober_run(p, BENCH_ALL_ROOFS, is_quick);
    bench_prober_free(p);
    return true;
}

/* ---- what a test needs ---- */

/* Quantized weights are multiplied as int8; others by a function whose name says bf16 or amx, else in f32. */
static enum bench_roof unit_of(const struct kernels *k, enum dtype type)
{
    const char *isa = (unsigned)type <= DTYPE_ID_MAX && k->matmul.isa[type] ? k->matmul.isa[type] : "";
    return matmul_acts_kind(type) == ACTS_Q8 ? ROOF_INT8 : strstr(isa, "bf16") || strstr(isa, "amx") ? ROOF_BF16 : ROOF_F32;
}

void bench_units(struct bench_units *u, const struct gguf *g, const struct kernels *k)
{
    const bool is_tied = !gguf_find_tensor(g, "output.weight");
    double all = 0;
    *u = (struct bench_units){ 0 };
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        if (t->n_dims < 2 || (!is_tied && strcmp(t->name, "token_embd.weight") == 0))
            continue;
        const double n = (double)t->ne[0] * (double)t->ne[1] * (double)t->ne[2];
        u->frac[unit_of(k, t->type)] += n;
        all += n;
    }
    for (int r = 0; r < BENCH_ROOFS; r++)
        u->frac[r] = all > 0 ? u->frac[r] / all : r == ROOF_INT8;
}

struct bench_work bench_work_of(const struct llm_info *f, const struct bench_units *u, const struct bench_limits *l, bool is_decode, int n_tok, int depth,
                                int batch)
{
    const double before = depth + n_tok / 2.0, kv = (double)f->kv_bytes_per_tok_f16;
    const double together = is_decode ? batch : n_tok < BENCH_CHUNK ? n_tok : BENCH_CHUNK;
    const double weights = 2 * (double)f->active_params - (is_decode ? 0 : 2 * (double)f->last_params * (1 - 1.0 / n_tok));
    struct bench_work w = { .bytes = (double)f->bytes_per_tok / together + kv * before / (is_decode ? 1 : together) };
    for (int r = ROOF_INT8; r < BENCH_ROOFS; r++)
        w.ops[r] = weights * u->frac[r];
    /* two bytes a value of K or V; every head of its group multiplies it once */
    w.ops[isfinite(l->bf16_flops) && !(l->f32_flops > l->bf16_flops) ? ROOF_BF16 : ROOF_F32] += kv * before * (f->n_kv_head > 0 ? (double)f->n_head / f->n_kv_head : 1);
    return w;
}

double bench_work_ops(const struct bench_work *w)
{
    double ops = 0;
    for (int r = 0; r < BENCH_ROOFS; r++)
        ops += w->ops[r];
    return ops;
}

double bench_allowed_tps(const struct bench_work *w, const struct bench_limits *l, enum bench_roof *which)
{
    const double read_s = isfinite(l->read_bps) ? w->bytes / l->read_bps : 0;
    double ops_s = 0, most = 0;
    enum bench_roof unit = ROOF_INT8;
    for (enum bench_roof r = ROOF_INT8; r < BENCH_ROOFS; r++) {
        const double s = isfinite(bench_limit(l, r)) ? w->ops[r] / bench_limit(l, r) : 0;
        ops_s += s;
        if (s > most)
            most = s, unit = r;
    }
    if (which)
        *which = read_s >= ops_s ? ROOF_READ : unit;
    return 1 / fmax(read_s, ops_s);
}
