/* tests/kernels/test_attn.c - every attention variant of this machine against a sum in double.
 *
 * The bound of an output follows from the roundings on the way: a score is off by at most
 * delta = (d_k + 4) * 2^-23 * scale * sum |q k| (and softcap only shrinks that) and, where q becomes codes, by half a step of them; a probability
 * relatively by delta + 8 ulp, the sums over n positions by n ulp: |error| <= (2 delta + (n + 16) * 2^-23) * sum p |v| / sum p.
 * Where weights become codes: half a unit for each of 64 positions, a unit being 1 / 2^14 of what 64 positions weigh. */
#include "check.h" /* first: it asks for _GNU_SOURCE */

#include <math.h>

#include "hw/cpu.h"
#include "kernels/attn/attn.h"

static const enum attn_type types[] = { ATTN_I16, ATTN_I8, ATTN_F32 };
static const char *const type_name[] = { [ATTN_F32] = "f32", [ATTN_I16] = "i16", [ATTN_I8] = "i8" };

static bool usable(const struct attn_ops *o) { return (o->need & ~cpu_flags()) == 0; }

/* One head's cache, all positions stored; what lies beyond n_pos is NaN (floats, scales) or wild. */
struct cache {
    enum attn_type type;
    int d_k, d_v, n_pos, n_pages;
    struct guarded *k, *v;
    const uint8_t **kp, **vp;
};

static void cache_new(struct cache *c, enum attn_type type, int d_k, int d_v, int n_pos, float size)
{
    float k[288 + 64], v[576 + 64];
    *c = (struct cache){ .type = type, .d_k = d_k, .d_v = d_v, .n_pos = n_pos, .n_pages = (n_pos + ATTN_PAGE - 1) / ATTN_PAGE };
    c->k = calloc((size_t)c->n_pages, sizeof(*c->k)), c->v = calloc((size_t)c->n_pages, sizeof(*c->v));
    c->kp = calloc((size_t)c->n_pages, sizeof(*c->kp)), c->vp = calloc((size_t)c->n_pages, sizeof(*c->vp));
    for (int p = 0; p < c->n_pages; p++) {
        guarded_new(&c->k[p], attn_k_bytes(type, d_k), 0);
        guarded_new(&c->v[p], attn_v_bytes(type, d_v), 0);
        memset(c->k[p].data, 0xff, c->k[p].n), memset(c->v[p].data, 0xff, c->v[p].n);
        c->kp[p] = c->k[p].data, c->vp[p] = c->v[p].data;
    }
    for (int pos = 0; pos < n_pos; pos++) {
        for (int i = 0; i < d_k; i++)
            k[i] = check_gauss() * size;
        for (int i = 0; i < d_v; i++)
            v[i] = check_gauss();
        attn_put(type, c->k[pos / ATTN_PAGE].data, c->v[pos / ATTN_PAGE].data, pos % ATTN_PAGE, k, v, d_k, d_v);
    }
}
static void cache_free(struct cache *c)
{
    for (int p = 0; p < c->n_pages; p++) {
        CHECK(guarded_intact(&c->k[p]) && guarded_intact(&c->v[p]));
        guarded_free(&c->k[p]), guarded_free(&c->v[p]);
    }
    free(c->k), free(c->v), free(c->kp), free(c->vp);
}

static double get(enum attn_type type, const uint8_t *page, const uint8_t *scales, int pair, int col, int half, int row, int n_cols, int slot)
{
    float f;
    int16_t w;
    if (type == ATTN_F32)
        return memcpy(&f, page + ((size_t)row * (size_t)n_cols + (size_t)col) * 4, 4), (double)f;
    const size_t at = ((size_t)pair * (size_t)n_cols + (size_t)col) * 2 + (size_t)half;
    memcpy(&f, scales + (size_t)slot * 4, 4);
    memcpy(&w, page + at * 2, type == ATTN_I16 ? 2 : 0);
    return (double)f * (type == ATTN_I16 ? w : (int8_t)page[at]);
}
/* Of K [32], then of V [32]. */
static const uint8_t *scales(const struct cache *c, int pos) { return c->kp[pos / ATTN_PAGE] + attn_scales_at(c->type, c->d_k); }
static double key(const struct cache *c, int pos, int i)
{
    return get(c->type, c->kp[pos / ATTN_PAGE], scales(c, pos), i / 2, pos % ATTN_PAGE, i % 2, i, ATTN_PAGE, pos % ATTN_PAGE);
}
static double value(const struct cache *c, int pos, int i)
{
    const int slot = pos % ATTN_PAGE;
    return get(c->type, c->vp[pos / ATTN_PAGE], scales(c, pos) + ATTN_PAGE * 4, slot / 2, i, slot % 2, slot, c->d_v, slot);
}
/* The largest |value| that a position can have. */
static double widest_value(const struct cache *c, int pos)
{
    float f;
    if (c->type == ATTN_F32)
        return 0; /* not made of codes */
    memcpy(&f, scales(c, pos) + (size_t)(ATTN_PAGE + pos % ATTN_PAGE) * 4, 4);
    return (double)f * (c->type == ATTN_I16 ? 8190 : 127);
}

static void check_row(const char *isa, const struct cache *c, const struct attn_job *job, const struct attn_row *r)
{
    const int n = r->last - r->first + 1 > 0 ? r->last - r->first + 1 : 0;
    double *s = malloc((size_t)(n + 1) * sizeof(double)), most = r->sink, sum = 0, delta = 0;
    double q_norm = 0, q_most = 0, coded = 0;
    for (int i = 0; i < c->d_k; i++)
        q_norm += (double)r->q[i] * r->q[i], q_most = fmax(q_most, fabs((double)r->q[i]));
    const double q_step = c->type == ATTN_F32 ? 0 : 1.001 * fmax(sqrt(q_norm) / 46000, q_most / 32766);
    for (int j = 0; j < n; j++) {
        double dot = 0, size = 0, k_size = 0;
        for (int i = 0; i < c->d_k; i++) {
            const double k = key(c, r->first + j, i), t = (double)r->q[i] * k;
            dot += t, size += fabs(t), k_size += fabs(k);
        }
        s[j] = dot * (double)job->scale;
        if (job->softcap > 0)
            s[j] = job->softcap * tanh(s[j] / job->softcap), size += fabs(job->softcap) / job->scale;
        delta = fmax(delta, fabs((double)job->scale) * ((c->d_k + 4) * 0x1p-23 * size + q_step / 2 * k_size));
        most = fmax(most, s[j]);
    }
    /* the argument of exp is rounded too: an ulp of the distance to the maximum is an error of that size */
    delta += 0x1p-22 * 90;
    if (r->sink > -INFINITY)
        sum = exp((double)r->sink - most);
    for (int j = 0; j < n; j++)
        sum += exp(s[j] - most);
    for (int j = 0; j < n; j++)
        coded += exp(s[j] - most) / sum * widest_value(c, r->first + j);
    coded *= 64 / 2 / 16380.0;
    for (int i = 0; i < c->d_v; i++) {
        double want = 0, size = 0;
        for (int j = 0; j < n; j++) {
            const double t = exp(s[j] - most) / sum * value(c, r->first + j, i);
            want += t, size += fabs(t);
        }
        const double bound = (2 * delta + (n + 16) * 0x1p-23) * size + coded + 1e-30;
        CHECK(fabs((double)r->out[i] - want) <= bound, "%s %s: out[%d] of %d..%d is %.9g, not %.9g (bound %g); d %d/%d", isa,
              type_name[c->type], i, r->first, r->last, (double)r->out[i], want, bound, c->d_k, c->d_v);
    }
    free(s);
}

static void run_and_check(const struct attn_ops *o, const struct cache *c, int n_rows, bool causal, float scale, float softcap, bool sinks)
{
    struct attn_row *rows = calloc((size_t)n_rows, sizeof(*rows));
    struct guarded q, out, one, scratch;
    guarded_new(&q, (size_t)n_rows * (size_t)c->d_k * 4, 4);
    guarded_new(&out, (size_t)n_rows * (size_t)c->d_v * 4, 4);
    guarded_new(&one, (size_t)c->d_v * 4, 8);
    guarded_new(&scratch, attn_scratch_bytes(c->d_k, c->d_v), 0);
    float *qf = (float *)(void *)q.data;
    for (int i = 0; i < n_rows * c->d_k; i++)
        qf[i] = check_gauss();
    const int kind = check_below(3);
    for (int r = 0; r < n_rows; r++) {
        int last = causal ? c->n_pos - 1 - (n_rows - 1 - r) / 3 : check_below(c->n_pos);
        last = last < 0 ? 0 : last;
        rows[r] = (struct attn_row){
            .q = qf + (size_t)r * (size_t)c->d_k,
            .out = (float *)(void *)out.data + (size_t)r * (size_t)c->d_v,
            .first = kind == 0 ? 0 : kind == 1 ? (last > 40 ? last - 40 : 0) : check_below(last + 1),
            .last = last,
            .sink = sinks && r % 3 ? 2.0f * check_gauss() : -INFINITY,
        };
        if (!causal && r % 11 == 5)
            rows[r].first = last + 1; /* sees nothing */
    }
    struct attn_job job = { .type = c->type, .d_k = c->d_k, .d_v = c->d_v, .scale = scale, .softcap = softcap,
                            .k = c->kp, .v = c->vp, .row = rows, .n_rows = n_rows };
    attn_run(o, &job, scratch.data);
    for (int r = 0; r < n_rows; r++)
        check_row(o->isa, c, &job, &rows[r]);
    /* a row alone gives the same bits */
    struct attn_row alone = rows[check_below(n_rows)];
    const float *among = alone.out;
    alone.out = (float *)(void *)one.data;
    job.row = &alone, job.n_rows = 1;
    attn_run(o, &job, scratch.data);
    CHECK(memcmp(one.data, among, (size_t)c->d_v * 4) == 0, "%s %s: row %d..%d differs alone (%g) and among %d (%g)", o->isa,
          type_name[c->type], alone.first, alone.last, alone.out[0], n_rows, among[0]);
    CHECK(guarded_intact(&q) && guarded_intact(&out) && guarded_intact(&one) && guarded_intact(&scratch), "%s: beyond the margins", o->isa);
    guarded_free(&q), guarded_free(&out), guarded_free(&one), guarded_free(&scratch);
    free(rows);
}

TEST(every_variant_attends_right)
{
    static const struct { int k, v; } dims[] = { { 64, 64 }, { 128, 128 }, { 96, 96 }, { 32, 32 }, { 256, 256 }, { 192, 128 }, { 64, 32 } };
    for (int t = 0; t < 3; t++)
        for (int d = 0; d < 7; d++)
            for (int round = 0; round < 5; round++) {
                struct cache c;
                cache_new(&c, types[t], dims[d].k, dims[d].v, 1 + check_below(round < 2 ? 70 : round == 3 ? 1200 : 300), round == 3 ? 12.0f : 1.0f);
                for (int v = 0; v < attn_n_variants; v++)
                    if (usable(attn_variants[v]))
                        run_and_check(attn_variants[v], &c, (int[]){ 1, 3, 8, 23, 64 }[round], round % 2 == 0,
                                      1.0f / sqrtf((float)dims[d].k), round == 4 ? 30.0f : 0.0f, round % 2 == 1);
                cache_free(&c);
            }
}

/* Head sizes that are no multiple of a register; MLA has 576 and 512. */
TEST(odd_head_sizes_work_too)
{
    static const struct { int k, v; } dims[] = { { 1, 1 }, { 5, 3 }, { 8, 8 }, { 12, 20 }, { 80, 80 }, { 24, 16 }, { 7, 33 }, { 100, 72 } };
    for (int t = 0; t < 3; t++)
        for (int d = 0; d < 8; d++) {
            struct cache c;
            cache_new(&c, types[t], dims[d].k, dims[d].v, 1 + check_below(100), 1.0f);
            for (int v = 0; v < attn_n_variants; v++)
                if (usable(attn_variants[v])) {
                    run_and_check(attn_variants[v], &c, 1, true, 0.3f, 0, false);
                    run_and_check(attn_variants[v], &c, 9, true, 0.3f, 0, true);
                }
            cache_free(&c);
        }
}

TEST(a_large_latent_head_works)
{
    struct cache c;
    cache_new(&c, ATTN_I16, 288, 512, 75, 1.0f);
    for (int v = 0; v < attn_n_variants; v++)
        if (usable(attn_variants[v]))
            run_and_check(attn_variants[v], &c, 16, true, 0.06f, 0, false);
    cache_free(&c);
}

/* Scores so far apart that all but one probability vanish, and equal ones. */
TEST(extreme_scores_neither_overflow_nor_vanish)
{
    for (int t = 0; t < 3; t++) {
        struct cache c;
        cache_new(&c, types[t], 64, 64, 100, 1.0f);
        for (int v = 0; v < attn_n_variants; v++)
            if (usable(attn_variants[v])) {
                run_and_check(attn_variants[v], &c, 7, true, 500.0f, 0, true);
                run_and_check(attn_variants[v], &c, 7, true, 0.0f, 0, true);
                run_and_check(attn_variants[v], &c, 7, true, 100.0f, 5.0f, false);
            }
        cache_free(&c);
    }
}

/* What is read back is within half a step of what was stored, and other positions stay as they were. */
TEST(storing_keeps_what_it_should)
{
    static const struct { int k, v; } dims[] = { { 64, 64 }, { 128, 96 }, { 32, 256 }, { 20, 7 }, { 1, 40 }, { 200, 131 } };
    for (int round = 0; round < 90; round++) {
        const enum attn_type t = types[round % 3];
        const int d = check_below(6), d_k = dims[d].k, d_v = dims[d].v, slot = check_below(ATTN_PAGE);
        const float size = (float[]){ 1.0f, 0.0f, 1e-9f, 1e6f, 3e-5f }[round / 3 % 5];
        struct cache c;
        struct guarded k, v;
        cache_new(&c, t, d_k, d_v, ATTN_PAGE, 1.0f);
        guarded_new(&k, (size_t)d_k * 4, 4), guarded_new(&v, (size_t)d_v * 4, 12);
        float *kf = (float *)(void *)k.data, *vf = (float *)(void *)v.data;
        double k_was[32], v_was[32], k_most = 0, k_norm = 0, v_most = 0;
        for (int i = 0; i < d_k; i++)
            kf[i] = check_gauss() * size, k_most = fmax(k_most, fabs((double)kf[i])), k_norm += (double)kf[i] * kf[i];
        for (int i = 0; i < d_v; i++)
            vf[i] = check_gauss() * size, v_most = fmax(v_most, fabs((double)vf[i]));
        for (int i = 0; i < 32; i++)
            k_was[i] = key(&c, i, d_k - 1), v_was[i] = value(&c, i, d_v - 1);
        attn_put(t, c.k[0].data, c.v[0].data, slot, kf, vf, d_k, d_v);
        const double k_step = t == ATTN_F32 ? 0 : t == ATTN_I16 ? fmax(sqrt(k_norm) / 46000, k_most / 32766) : k_most / 127,
                     v_step = t == ATTN_F32 ? 0 : v_most / (t == ATTN_I16 ? 8190 : 127);
        for (int i = 0; i < d_k; i++)
            CHECK(fabs(key(&c, slot, i) - (double)kf[i]) <= 0.505 * k_step, "%s: K[%d] %g, was %g", type_name[t], i, key(&c, slot, i), (double)kf[i]);
        for (int i = 0; i < d_v; i++)
            CHECK(fabs(value(&c, slot, i) - (double)vf[i]) <= 0.505 * v_step, "%s: V[%d] %g, was %g", type_name[t], i, value(&c, slot, i), (double)vf[i]);
        for (int i = 0; i < 32; i++)
            CHECK(i == slot || (k_was[i] == key(&c, i, d_k - 1) && v_was[i] == value(&c, i, d_v - 1)));
        guarded_free(&k), guarded_free(&v);
        cache_free(&c);
    }
}

BENCH(attention)
{
    enum { POS = 2048 };
    printf("# one K/V head of 64 or 128, %d positions: G multiply-adds/s (Q K and P V) for 1, 4 and 64 rows\n", POS);
    for (int t = 0; t < 2; t++)
        for (int d = 64; d <= 128; d *= 2) {
            struct cache c;
            cache_new(&c, types[t], d, d, POS, 1.0f);
            struct attn_row rows[64];
            float *q = malloc(64 * 128 * 4), *out = malloc(64 * 128 * 4);
            for (int i = 0; i < 64 * d; i++)
                q[i] = check_gauss();
            for (int r = 0; r < 64; r++)
                rows[r] = (struct attn_row){ q + r * d, out + r * d, 0, POS - 64 + r, -INFINITY };
            struct guarded scratch;
            guarded_new(&scratch, attn_scratch_bytes(d, d), 0);
            for (int v = 0; v < attn_n_variants; v++) {
                const struct attn_ops *o = attn_variants[v];
                double s[3];
                if (!usable(o))
                    continue;
                for (int k = 0; k < 3; k++) {
                    const struct attn_job job = { types[t], d, d, 0.125f, 0, c.kp, c.vp, rows, (int[]){ 1, 4, 64 }[k] };
                    CHECK_TIME(s[k], v == attn_n_variants - 1 ? 0 : 0.1, attn_run(o, &job, scratch.data));
                }
                printf("%-5s d %3d %-11s %8.2f %8.2f %8.2f G/s\n", type_name[types[t]], d, o->isa,
                       2e-9 * POS * d / s[0], 8e-9 * POS * d / s[1], 128e-9 * POS * d / s[2]);
            }
            guarded_free(&scratch);
            cache_free(&c);
            free(q), free(out);
        }
}
