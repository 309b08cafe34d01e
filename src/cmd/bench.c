/* cmd/bench.c - `tutti bench`: this machine's limits and the engine's speed beside them; start at run(). */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "bench/roofline.h"
#include "bench/store.h"
#include "cmd/bench_internal.h"
#include "cmd/catalog_open.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/save_chart.h"
#include "hw/machine.h"
#include "token/token.h"

enum { TEXT_BYTES_MAX = 64 << 20, THREADS_MAX = 256, OUT_BYTES_MAX = 8 << 20 };

static volatile sig_atomic_t is_interrupted; /* set by the signal handler alone */
static void on_interrupt(int sig) { (void)sig, is_interrupted = 1; }

/* ---- how far we are, on a terminal ---- */

struct progress {
    double later_s; /* parts that have not begun */
    uint64_t told_ns;
    bool is_on, is_shown;
};

static bool tell(void *ctx, const char *what, double left_s)
{
    struct progress *p = ctx;
    const uint64_t now = clock_ns();
    if (p->is_on && now - p->told_ns > 200000000u) {
        const long left = (long)(left_s + p->later_s + 0.5);
        p->told_ns = now, p->is_shown = true;
        fprintf(stderr, "\r%-16s %ld:%02ld left ", what, left / 60, left % 60);
    }
    return !is_interrupted;
}

static void progress_end(struct progress *p)
{
    if (p->is_shown)
        fprintf(stderr, "\r%40s\r", "");
    p->is_shown = false;
}

/* ---- what is measured ---- */

struct job {
    struct bench_report *r;
    struct cmd_opt *opts;
    struct bench_setup setup;
    struct bench_watch watch;
    struct progress progress;
    struct gguf *g;
    struct kernels kernels;
    int threads[BENCH_THREADS_MAX], n_threads; /* ascending; the machine's figures are of the last */
    double soak_s; /* 0: none */
    bool does_sweep, does_tests, does_quick_score, does_score;
};

static bool is_given(const struct job *j, const char *name) { return cmd_opt_find(j->opts, name)->given; }
static long long int_of(const struct job *j, const char *name) { return cmd_opt_find(j->opts, name)->i; }

void bench_machine(struct bench_report *r)
{
    struct err err = { 0 };
    struct hw_machine *m = hw_detect("", &err);
    if (m) {
        snprintf(r->machine.cpu, sizeof(r->machine.cpu), "%s", m->cpu.model);
        r->machine.memory_bytes = m->memory.total_bytes;
        r->machine.theoretical_bps = m->memory.theoretical_bps;
        snprintf(r->machine.theoretical_from, sizeof(r->machine.theoretical_from), "%s", m->memory.bandwidth_source);
    }
    hw_machine_free(m);
    r->machine.cores = cpu_default_threads();
}

/* --tests, else the list that was asked for; the model's context bounds the lists, not what the user wrote. */
static bool choose_tests(struct job *j, struct err *err)
{
    struct bench_report *r = j->r;
    const struct cmd_opt *own = cmd_opt_find(j->opts, "tests");
    const enum bench_list list = is_given(j, "quick") ? BENCH_QUICK : is_given(j, "full") ? BENCH_FULL : is_given(j, "engine") ? BENCH_ENGINE : BENCH_USUAL;
    return bench_tests_parse(own->given ? own->s : bench_list_text(list), j->threads, j->n_threads, own->given ? 0 : r->model.info.n_ctx_train, r->tests, &r->n_tests, err);
}

static double tests_seconds(const struct job *j, int rounds)
{
    double s = 0.3;
    for (int i = 0; i < j->r->n_tests; i++)
        s += rounds * bench_test_seconds(&j->setup, &j->r->tests[i], &j->r->limits);
    return s;
}

/* Which numbers of threads: --threads, else all cores; --full: from one on. */
static bool choose_threads(struct job *j, struct err *err)
{
    const struct cmd_opt *own = cmd_opt_find(j->opts, "threads");
    j->n_threads = 1, j->threads[0] = cpu_default_threads();
    if (own->given)
        return bench_threads_parse(own->s, THREADS_MAX, j->threads, &j->n_threads, err);
    if (is_given(j, "full"))
        j->n_threads = bench_threads_all(cpu_default_threads(), j->threads);
    return true;
}

/* What is wrong with --tests, before anything is loaded. */
static bool check_tests(const struct job *j, struct err *err)
{
    struct bench_test *t = calloc(BENCH_TESTS_MAX, sizeof(*t));
    int n;
    const bool ok = t ? bench_tests_parse(cmd_opt_find(j->opts, "tests")->s, j->threads, j->n_threads, 0, t, &n, err) : err_set(err, ERR_NOMEM, "tests: out of memory");
    free(t);
    return ok;
}

static bool load_model(struct job *j, struct err *err)
{
    struct bench_report *r = j->r;
    struct stat st;
    j->g = gguf_open(r->model.path, err);
    if (!j->g)
        return false;
    const bool is_reset = sense_reset_peak();
    const int64_t before = sense_rss_bytes();
    const uint64_t start = clock_ns();
    j->setup.model = llm_model_open(j->g, &j->kernels, j->setup.pool, err);
    if (!j->setup.model)
        return false;
    llm_model_wait(j->setup.model);
    bench_units(&j->setup.units, j->g, &j->kernels);
    r->model.load_ms = (double)(clock_ns() - start) * 1e-6;
    r->model.load_peak_bytes = is_reset && before > 0 ? sense_peak_bytes() : 0;
    r->model.info = *llm_model_info(j->setup.model);
    r->model.arch = r->model.info.arch;
    snprintf(r->model.name, sizeof(r->model.name), "%s", r->model.info.name);
    if (stat(r->model.path, &st) == 0)
        r->model.file_bytes = (uint64_t)st.st_size;
    r->has_model = true;
    return true;
}

static bool measure_ppl(struct job *j, const char *file, struct err *err)
{
    struct bench_report *r = j->r;
    size_t n;
    char *text = file_read(file, TEXT_BYTES_MAX, &n, err);
    struct vocab *v = text ? vocab_open(j->g, err) : NULL;
    struct token_list ids;
    token_list_init(&ids, TEXT_BYTES_MAX);
    r->ppl.n_ctx = (int)int_of(j, "ctx");
    const bool ok = v && vocab_tokenize(v, text, n, TOKEN_ADD_SPECIAL, &ids, err) &&
                    bench_perplexity(j->setup.model, ids.ids, (int)ids.len, r->ppl.n_ctx, vocab_adds_bos(v) ? vocab_role(v, VOCAB_BOS) : -1, &r->ppl.value,
                                     &r->ppl.n_chunks, err);
    if (!ok)
        r->ppl.n_chunks = 0;
    token_list_fini(&ids);
    vocab_free(v);
    free(text);
    return ok;
}

/* Everything that was asked for, one part after the other; each keeps what it has when it is stopped. */
static bool measure(struct job *j, struct err *err)
{
    struct bench_report *r = j->r;
    const struct cmd_opt *ppl = cmd_opt_find(j->opts, "ppl");
    const int rounds = is_given(j, "quick") && int_of(j, "rounds") > 2 ? 2 : (int)int_of(j, "rounds"), reps = (int)int_of(j, "reps");
    double tests_s = 0, quick_s = 0, score_s = 0;
    if (!bench_probe(&r->limits, j->setup.pool, j->setup.cpu, false, err) || (r->model.path && !load_model(j, err)))
        return false;
    if (j->does_tests) {
        if (!choose_tests(j, err))
            return false;
        tests_s = tests_seconds(j, rounds);
    }
    quick_s = j->does_quick_score ? 6 : 0;
    score_s = j->does_score ? bench_score_seconds(&j->setup, &r->limits, reps) : 0;
    if (ppl->given && !measure_ppl(j, ppl->s, err))
        return false;
    j->progress.later_s = tests_s + quick_s + score_s + j->soak_s;
    if (j->does_sweep && (!bench_reads(r->machine.threads, j->setup.cpu, r->reads, &r->n_reads, &j->watch, err) ||
                          !bench_peaks(r->machine.threads, j->setup.cpu, r->peaks, &r->n_peaks, &j->watch, err)))
        return false;
    j->progress.later_s -= tests_s;
    if (j->does_tests && !bench_engine(&j->setup, r->tests, r->n_tests, rounds, &r->limits, err))
        return false;
    j->progress.later_s -= quick_s;
    if (j->does_quick_score) {
        struct err why = { 0 };
        r->has_score = bench_score_quick(&j->setup, &r->score, &why);
        if (why.code == ERR_CANCELLED) {
            *err = why;
            return false;
        }
        if (!r->has_score) { /* too short a context, no memory for a long one: the other figures stand */
            progress_end(&j->progress);
            fprintf(stderr, "tutti: no LocalScore: %s\n", why.text);
        }
    }
    j->progress.later_s -= score_s;
    if (j->does_score) {
        const bool ok = bench_score_run(&j->setup, reps, &r->score, err);
        r->has_score = r->score.n_done > 0;
        if (!ok)
            return false;
    }
    j->progress.later_s = 0;
    return j->soak_s <= 0 || bench_soak_run(&j->setup, j->soak_s, r->soak, err);
}

/* ---- what is known besides ---- */

static void add_knowledge(struct bench_report *r, struct catalog *c, struct sense *sense)
{
    struct err err = { 0 };
    r->energy.meter = sense ? sense_meter(sense) : NULL;
    snprintf(r->energy.why_none, sizeof(r->energy.why_none), "%s", sense ? sense_why_none(sense) : "");
    r->energy.estimate_w = NAN;
    const struct catalog_row *cpu = c && r->machine.cpu[0] ? catalog_find_in(c, "cpu soc", r->machine.cpu, &err) : NULL;
    const double tdp = cpu ? catalog_number(cpu, "tdp_w") : (double)NAN;
    if (tdp > 0) {
        r->energy.estimate_w = tdp;
        snprintf(r->energy.estimate_from, sizeof(r->energy.estimate_from), "rated power of %.80s in the catalog", catalog_name(cpu));
    }
    if (c && r->has_score && r->score.n_done == LOCALSCORE_N &&
        !bench_compare(c, (double)r->model.info.n_params, (double)r->model.info.active_params, (double)r->model.info.bytes_per_tok, &r->score.sum, &r->compare, &err))
        fprintf(stderr, "tutti: no comparison: %s\n", err.text);
}

bool bench_store_file(char *path, size_t size) { return store_path(getenv("XDG_DATA_HOME"), getenv("HOME"), path, size); }

/* A convenience: what goes wrong is a warning. */
static void keep(const struct bench_report *r)
{
    struct err err = { 0 };
    char path[1024];
    if (!bench_store_file(path, sizeof(path)))
        return;
    struct store *s = store_open(path, true, &err);
    const bool ok = s && store_add(s, r, &err);
    if (!ok && err.code != ERR_UNSUPPORTED)
        fprintf(stderr, "tutti: warning: this run is not kept: %s\n", err.text);
    store_close(s);
}

bool bench_parse_duration(const char *text, double *seconds)
{
    char *end;
    errno = 0;
    *seconds = strtod(text, &end);
    if (end == text || errno || !isfinite(*seconds))
        return false;
    const double unit = *end == 'm' ? 60 : *end == 'h' ? 3600 : 1;
    if (*end && (end[1] || !strchr("smh", *end)))
        return false;
    *seconds *= unit;
    return *seconds >= 1 && *seconds <= 7 * 86400;
}

/* `--score PP TG TTFT_MS`: the formula alone. */
static int print_formula(int argc, char **argv)
{
    double v[3];
    for (int i = 0; i < 3; i++) {
        char *end;
        errno = 0;
        v[i] = i < argc ? strtod(argv[i], &end) : 0;
        if (i >= argc || end == argv[i] || *end || errno == ERANGE || !isfinite(v[i]) || v[i] <= 0) {
            fprintf(stderr, "tutti: --score: PP, TG (tokens/s) and TTFT_MS are wanted, each a number above 0%s%s\n", i < argc ? ", not " : "", i < argc ? argv[i] : "");
            return 2;
        }
    }
    printf("%.12g\n", localscore_of(v[0], v[1], v[2]));
    return 0;
}

static bool save_roofline(const struct bench_report *r, const char *path, struct err *err)
{
    struct bench_roofline *line = calloc(1, sizeof(*line));
    if (!line)
        return err_set(err, ERR_NOMEM, "bench: out of memory");
    bench_roofline_make(line, r);
    const bool ok = save_chart(&line->chart, path, err);
    free(line);
    return ok;
}

static bool print(const struct job *j, struct err *err)
{
    const struct cmd_opt *html = cmd_opt_find(j->opts, "html"), *svg = cmd_opt_find(j->opts, "svg");
    struct buf b;
    bool ok = true;
    buf_init(&b, OUT_BYTES_MAX);
    if ((html->given && !bench_report_page(j->r, html->s, err)) || (svg->given && !save_roofline(j->r, svg->s, err)))
        ok = false;
    else if (is_given(j, "json") || is_given(j, "csv")) {
        ok = is_given(j, "json") ? bench_report_json(j->r, &b, err) : bench_report_csv(j->r, &b, err);
        if (ok)
            fputs(b.data, stdout);
    } else if (!html->given || strcmp(html->s, "-") != 0)
        ok = bench_print(j->r, err);
    buf_fini(&b);
    return ok;
}

static int wrong(const char *text)
{
    fprintf(stderr, "tutti: %s; see `tutti bench --help`\n", text);
    return 2;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    static const char *const needs_model[] = { "quick", "engine", "full", "tests", "localscore", "soak", "ppl" };
    struct err err = { 0 }, other = { 0 };
    struct job j = { .opts = opts };
    const struct cpu_level *level;
    const struct cmd_opt *soak = cmd_opt_find(opts, "soak");
    if (is_given(&j, "score"))
        return print_formula(argc, argv);
    if (argc > 1)
        return wrong("one argument too many");
    for (size_t i = 0; argc == 0 && i < sizeof(needs_model) / sizeof(needs_model[0]); i++)
        if (is_given(&j, needs_model[i])) {
            fprintf(stderr, "tutti: --%s: needs a MODEL; see `tutti bench --help`\n", needs_model[i]);
            return 2;
        }
    if (is_given(&j, "json") && is_given(&j, "csv"))
        return wrong("--json and --csv: one of them");
    if (soak->given && !bench_parse_duration(soak->s, &j.soak_s))
        return wrong("--soak: a time is wanted: 90s, 10m, 1h");
    if (!choose_threads(&j, &err) || (is_given(&j, "tests") && !check_tests(&j, &err))) {
        fprintf(stderr, "tutti: --%s; see `tutti bench --help`\n", err.text);
        return 2;
    }
    if (is_given(&j, "quick") + is_given(&j, "full") + is_given(&j, "tests") > 1)
        return wrong("--quick, --full and --tests: one of them");
    if (!cmd_cpu(&j.setup.cpu, &level))
        return 1;
    const bool is_part = is_given(&j, "localscore") || soak->given || is_given(&j, "ppl"); /* only that */
    j.does_tests = argc > 0 && !is_part;
    j.does_sweep = !is_part && !is_given(&j, "quick") && !is_given(&j, "engine") && !is_given(&j, "tests");
    j.does_score = is_given(&j, "localscore");
    j.does_quick_score = j.does_tests && !is_given(&j, "engine") && !is_given(&j, "tests");

    j.r = calloc(1, sizeof(*j.r));
    if (j.r && soak->given)
        j.r->soak = calloc(1, sizeof(*j.r->soak));
    if (!j.r || (soak->given && !j.r->soak)) {
        err_set(&err, ERR_NOMEM, "bench: out of memory");
        cmd_fail(&err);
        free(j.r);
        return 1;
    }
    j.progress.is_on = isatty(STDERR_FILENO);
    j.watch = (struct bench_watch){ tell, &j.progress };
    j.setup.watch = &j.watch;
    j.r->version = TUTTI_VERSION, j.r->time_s = (int64_t)time(NULL), j.r->machine.level = level->name;
    j.r->model.path = argc ? argv[0] : NULL;
    bench_machine(j.r);
    j.r->machine.threads = j.threads[j.n_threads - 1];
    kernels_choose(&j.kernels, j.setup.cpu);
    struct sigaction on = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND }; /* the second one ends us at once */
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);

    struct catalog *catalog = cmd_catalog_open(opts, &err);
    struct sense *sense = sense_open("", &other);
    j.setup.sense = sense, j.setup.peak_bytes = &j.r->model.peak_bytes;
    j.setup.pool = pool_new(j.r->machine.threads, &err);
    const bool is_whole = catalog && j.setup.pool && measure(&j, &err);
    progress_end(&j.progress);
    j.r->is_interrupted = !is_whole && err.code == ERR_CANCELLED;
    bool ok = is_whole;
    if (is_whole || j.r->is_interrupted) {
        add_knowledge(j.r, catalog, sense);
        ok = print(&j, is_whole ? &err : &other) && is_whole;
        if (!is_given(&j, "no-store") && !is_given(&j, "ppl"))
            keep(j.r);
    }
    llm_model_free(j.setup.model);
    gguf_close(j.g);
    pool_free(j.setup.pool);
    sense_close(sense);
    catalog_free(catalog);
    free(j.r->soak);
    free(j.r);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "quick", .kind = OPT_FLAG, .help = "a few seconds: pp128, tg16, a projected LocalScore" },
    { .name = "engine", .kind = OPT_FLAG, .help = "tests alone (pp512, tg64), no sweeps, no score" },
    { .name = "full", .kind = OPT_FLAG, .help = "pp to 8192, depth to 8192, batch to 16, all threads" },
    { .name = "tests", .kind = OPT_TEXT, .value = "LIST", .help = "only these: pp512,tg64@2048 (behind 2048),tg64*4 (of 4)" },
    { .name = "localscore", .kind = OPT_FLAG, .help = "only this: the nine tests of LocalScore" },
    { .name = "reps", .kind = OPT_INT, .value = "N", .min = 1, .max = 16, .i = 1, .help = "repetitions of each of the nine (default 1)" },
    { .name = "soak", .kind = OPT_TEXT, .value = "TIME", .help = "only this: load for 10m, 90s, 1h, and the curve" },
    { .name = "ppl", .kind = OPT_TEXT, .value = "FILE", .help = "only this: perplexity of MODEL on the text" },
    { .name = "ctx", .kind = OPT_INT, .value = "N", .min = 2, .max = 1 << 20, .i = 512, .help = "chunk for --ppl (default 512)" },
    { .name = "score", .kind = OPT_FLAG, .help = "PP TG TTFT_MS: print the LocalScore of these" },
    { .name = "threads", .kind = OPT_TEXT, .value = "N,..", .help = "threads: 2, or 1,2, or 1-4 (default: physical cores)" },
    { .name = "rounds", .kind = OPT_INT, .value = "N", .min = 1, .max = BENCH_ROUNDS_MAX, .i = 3, .help = "rounds; medians are shown (default 3)" },
    { .name = "html", .kind = OPT_TEXT, .value = "FILE", .help = "write a page with pictures too (-: stdout)" },
    { .name = "svg", .kind = OPT_TEXT, .value = "FILE", .help = "write the roofline too: limits, and tests below them" },
    { .name = "json", .kind = OPT_FLAG, .help = "print JSON" },
    { .name = "csv", .kind = OPT_FLAG, .help = "print CSV, a line for each measured figure" },
    { .name = "no-store", .kind = OPT_FLAG, .help = "do not keep this run for `bench history`" },
    CMD_OPT_CATALOG,
    { 0 },
};
const struct cmd cmd_bench = {
    .name = "bench",
    .args = "[MODEL]",
    .max_args = 3,
    .help = "measure this machine, and MODEL on it",
    .more = "\nEvery figure is measured now: memory reads over threads, streams and sizes,\n"
            "multiply-adds of each unit, and with MODEL prompt reading (pp), generation (tg)\n"
            "over depth and batch, the time to the first token, load time, memory, energy\n"
            "where there is a meter, and the LocalScore (projected unless --localscore).\n"
            "\"of limit\" is the share of what memory or arithmetic, whichever binds, allowed\n"
            "right before and after.  Ctrl-C prints what was measured until then.  Runs are\n"
            "kept for `tutti bench history`.  docs/bench.md explains it, docs/json.md --json.\n",
    .opts = opts,
    .run = run,
};
