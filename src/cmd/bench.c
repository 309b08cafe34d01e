/* cmd/bench.c - `tutti bench`: this machine's limits and the engine's speed beside them. */
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "bench/bench.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "token/token.h"

enum { TEXT_BYTES_MAX = 64 << 20, THREADS_MAX = 256 };

static volatile sig_atomic_t is_interrupted; /* set by the signal handler alone */
static void on_interrupt(int sig) { (void)sig, is_interrupted = 1; }

static bool progress(void *ctx, int done, int of)
{
    (void)ctx;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%3d %%%s", 100 * done / of, done == of ? "\r     \r" : "");
    return !is_interrupted;
}

static void put_number(struct buf *b, const char *fmt, double v)
{
    if (isfinite(v))
        buf_printf(b, fmt, v);
    else
        buf_puts(b, "null");
}

static void put_limits(struct buf *b, const struct bench_limits *l)
{
    buf_puts(b, "{\"read_gbps\":"), put_number(b, "%.2f", l->read_bps / 1e9);
    buf_puts(b, ",\"int8_gops\":"), put_number(b, "%.1f", l->int8_ops / 1e9);
    buf_puts(b, ",\"bf16_gflops\":"), put_number(b, "%.1f", l->bf16_flops / 1e9);
    buf_puts(b, ",\"f32_gflops\":"), put_number(b, "%.1f", l->f32_flops / 1e9);
    buf_puts(b, "}");
}

struct report {
    struct buf json;  /* the elements of "results" */
    bool is_json;
    int n;
};

static void add_result(struct report *r, const char *test, int threads, int depth, int batch, double tps, double min, double max, double share)
{
    buf_printf(&r->json, "%s{\"test\":\"%s\",\"threads\":%d,\"depth\":%d,\"batch\":%d,\"tps\":", r->n++ ? "," : "", test, threads, depth, batch);
    put_number(&r->json, "%.2f", tps);
    buf_puts(&r->json, ",\"tps_min\":"), put_number(&r->json, "%.2f", min);
    buf_puts(&r->json, ",\"tps_max\":"), put_number(&r->json, "%.2f", max);
    buf_puts(&r->json, ",\"share_of_limit\":"), put_number(&r->json, "%.3f", share);
    buf_puts(&r->json, "}");
    if (!r->is_json)
        printf("%-8s %7d %7d %7d %10.1f %10.1f %10.1f %7.0f %%\n", test, threads, depth, batch, tps, min, max, 100 * share);
}

static struct bench_test test_of(bool is_decode, int n_tok, int depth)
{
    struct bench_test t = { .is_decode = is_decode, .n_tok = n_tok, .depth = depth, .batch = 1 };
    snprintf(t.name, sizeof(t.name), "%s%d", is_decode ? "tg" : "pp", n_tok);
    return t;
}

struct subject { /* what is measured */
    const char *path;
    struct gguf *g;
    struct kernels kernels;
    uint32_t cpu;
};

static bool measure_engine(struct report *r, const struct subject *s, int threads, const struct cmd_opt *opts, struct bench_limits *limits, struct err *err)
{
    const bool is_quick = cmd_opt_find((struct cmd_opt *)opts, "quick")->given;
    const int rounds = (int)cmd_opt_find((struct cmd_opt *)opts, "rounds")->i, deep = (int)cmd_opt_find((struct cmd_opt *)opts, "depth")->i;
    struct pool *pool = pool_new(threads, err);
    struct llm_model *m = pool ? llm_model_open(s->g, &s->kernels, pool, err) : NULL;
    bool ok = false;
    if (m) {
        struct bench_test tests[4];
        int n = 0;
        const int train = llm_model_info(m)->n_ctx_train, pp = train < 512 ? train : is_quick ? 128 : 512, tg = is_quick ? 16 : 64;
        tests[n++] = test_of(false, pp, 0);
        tests[n++] = test_of(true, tg < train ? tg : train, 0);
        if (deep > 0 && !is_quick && deep + tg <= train)
            tests[n++] = test_of(true, tg, deep);
        ok = bench_engine(m, pool, s->cpu, tests, n, is_quick && rounds > 2 ? 2 : rounds, limits, progress, NULL, err);
        for (int i = 0; ok && i < n; i++)
            add_result(r, tests[i].name, threads, tests[i].depth, tests[i].batch, tests[i].tps_median, tests[i].tps_min, tests[i].tps_max,
                       tests[i].share_median);
    }
    llm_model_free(m);
    pool_free(pool);
    return ok;
}

static bool measure_ppl(struct report *r, const struct subject *s, int threads, const char *file, int n_ctx, struct err *err)
{
    size_t n;
    char *text = file_read(file, TEXT_BYTES_MAX, &n, err);
    struct vocab *v = text ? vocab_open(s->g, err) : NULL;
    struct pool *pool = v ? pool_new(threads, err) : NULL;
    struct llm_model *m = pool ? llm_model_open(s->g, &s->kernels, pool, err) : NULL;
    struct token_list ids;
    double ppl;
    int n_chunks;
    token_list_init(&ids, TEXT_BYTES_MAX);
    const bool ok = m && vocab_tokenize(v, text, n, TOKEN_ADD_SPECIAL, &ids, err) &&
                    bench_perplexity(m, ids.ids, (int)ids.len, n_ctx, vocab_adds_bos(v) ? vocab_role(v, VOCAB_BOS) : -1, &ppl, &n_chunks, err);
    if (ok) {
        buf_printf(&r->json, "%s{\"test\":\"ppl\",\"threads\":%d,\"depth\":%d,\"batch\":%d,\"tps\":null,\"share_of_limit\":null,\"ppl\":%.6f}", r->n++ ? "," : "",
                   threads, n_ctx, n_chunks, ppl);
        if (!r->is_json)
            printf("perplexity %.4f over %d chunks of %d tokens\n", ppl, n_chunks, n_ctx);
    }
    token_list_fini(&ids);
    llm_model_free(m);
    pool_free(pool);
    vocab_free(v);
    free(text);
    return ok;
}

static void print_head(const struct bench_limits *l, const char *level, int threads, bool has_model)
{
    printf("cpu level %s, %d threads; limits measured now: read %.1f GB/s, int8 %.0f GOPS, bf16 %.0f, f32 %.0f GFLOPS\n", level, threads,
           l->read_bps / 1e9, l->int8_ops / 1e9, isnan(l->bf16_flops) ? 0 : l->bf16_flops / 1e9, l->f32_flops / 1e9);
    if (has_model)
        printf("%-8s %7s %7s %7s %10s %10s %10s %9s\n", "test", "threads", "depth", "batch", "tokens/s", "min", "max", "of limit");
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct err err = { 0 };
    struct subject s = { .path = argc ? argv[0] : NULL };
    const struct cpu_level *level;
    struct bench_limits limits;
    struct report r = { .is_json = cmd_opt_find(opts, "json")->given };
    const struct cmd_opt *threads = cmd_opt_find(opts, "threads"), *ppl = cmd_opt_find(opts, "ppl");
    const int n_threads = threads->given ? (int)threads->i : cpu_default_threads();
    int rc = 1;
    if (!cmd_cpu(&s.cpu, &level))
        return 1;
    kernels_choose(&s.kernels, s.cpu);
    buf_init(&r.json, 1 << 20);
    signal(SIGINT, on_interrupt);
    struct pool *pool = pool_new(n_threads, &err);
    if (!pool || !bench_probe(&limits, pool, s.cpu, false, &err))
        goto out;
    pool_free(pool);
    pool = NULL;
    if (ppl->given && !s.path) {
        err_set(&err, ERR_INPUT, "--ppl: needs a MODEL");
        goto out;
    }
    if (!r.is_json)
        print_head(&limits, level->name, n_threads, s.path && !ppl->given);
    if (s.path) {
        s.g = gguf_open(s.path, &err);
        if (!s.g)
            goto out;
        const bool ok = ppl->given ? measure_ppl(&r, &s, n_threads, ppl->s, (int)cmd_opt_find(opts, "ctx")->i, &err)
                                   : measure_engine(&r, &s, n_threads, opts, &limits, &err);
        if (!ok)
            goto out;
    }
    if (r.is_json) {
        struct buf b;
        buf_init(&b, 2 << 20);
        buf_printf(&b, "{\"machine\":{\"cpu_level\":\"%s\",\"cores\":%d},\"model\":", level->name, cpu_default_threads());
        if (s.path)
            buf_put_json(&b, s.path, strlen(s.path));
        else
            buf_puts(&b, "null");
        buf_puts(&b, ",\"limits\":");
        put_limits(&b, &limits);
        buf_printf(&b, ",\"results\":[%s]}\n", r.json.data ? r.json.data : "");
        fputs(buf_ok(&b, "bench", &err) ? b.data : "", stdout);
        buf_fini(&b);
    }
    rc = 0;
out:
    if (rc)
        cmd_fail(&err);
    gguf_close(s.g);
    pool_free(pool);
    buf_fini(&r.json);
    return rc;
}

static struct cmd_opt opts[] = {
    { .name = "quick", .kind = OPT_FLAG, .help = "a few seconds: pp128, tg16, two rounds" },
    { .name = "threads", .kind = OPT_INT, .value = "N", .min = 1, .max = THREADS_MAX, .help = "threads (default: physical cores)" },
    { .name = "rounds", .kind = OPT_INT, .value = "N", .min = 1, .max = BENCH_ROUNDS_MAX, .i = 3, .help = "rounds; medians are shown (default 3)" },
    { .name = "depth", .kind = OPT_INT, .value = "N", .min = 0, .max = 1 << 20, .i = 2048, .help = "also decode after N tokens (default 2048)" },
    { .name = "ppl", .kind = OPT_TEXT, .value = "FILE", .help = "perplexity of MODEL on the text instead" },
    { .name = "ctx", .kind = OPT_INT, .value = "N", .min = 2, .max = 1 << 20, .i = 512, .help = "chunk for --ppl (default 512)" },
    { .name = "json", .kind = OPT_FLAG, .help = "print JSON" },
    { 0 },
};
const struct cmd cmd_bench = {
    .name = "bench",
    .args = "[MODEL]",
    .max_args = 1,
    .help = "measure this machine, and MODEL on it",
    .more = "\nEvery figure is measured now: the machine's limits (memory reads, multiply-adds)\n"
            "and, with MODEL, prompt reading (pp512) and generation (tg64) in tokens per\n"
            "second beside what those limits allow.  --json prints {\"machine\", \"limits\",\n"
            "\"results\": [{\"test\", \"threads\", \"depth\", \"batch\", \"tps\", \"share_of_limit\"}]}.\n",
    .opts = opts,
    .run = run,
};
