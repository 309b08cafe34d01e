/* cmd/model_quantize.c - `tutti model quantize IN OUT TYPE`: a model file in other number formats; start at run().
 *
 * Touches: IN (reads), OUT (new, or with --force replaced as a whole), SIGINT and SIGTERM.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/out.h"
#include "kernels/encode/encode.h"
#include "quant/quantize.h"

enum { RULES_MAX = 16 + 2, TELL_NS = 250000000, JSON_BYTES_MAX = 64 << 20 };

struct job {
    const char *in, *out;
    const struct mix *mix;
    struct quant_rule rules[RULES_MAX];
    char globs[RULES_MAX][128];
    int n_rules;
    bool is_dry, is_json, is_forced;
    double seconds;
};

static volatile sig_atomic_t interrupted;
static void on_interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
}

/* --- what is asked -------------------------------------------------------------------------------------- */

static bool read_type(const char *name, enum dtype *type, struct err *err)
{
    if (dtype_from_name(name, type) && encode_variants[0]->to[*type])
        return true;
    return err_set(err, ERR_INPUT, "'%.40s' is no number format that tutti writes (q4_k, q6_k, f16, ...)", name);
}

static bool add_rule(struct job *j, const char *glob, size_t n, const char *type, struct err *err)
{
    struct quant_rule *r = &j->rules[j->n_rules];
    if (n == 0 || n >= sizeof(j->globs[0]))
        return err_set(err, ERR_INPUT, "--tensor %.60s: NAME=TYPE is wanted, as in 'blk.*.ffn_down.weight=q6_k'", glob);
    snprintf(j->globs[j->n_rules], sizeof(j->globs[0]), "%.*s", (int)n, glob);
    r->glob = j->globs[j->n_rules++];
    return read_type(type, &r->type, err);
}

static bool read_rules(struct job *j, struct cmd_opt *opts, bool is_tied, struct err *err)
{
    const struct cmd_opt *list = cmd_opt_find(opts, "tensor"), *output = cmd_opt_find(opts, "output-type"), *embd = cmd_opt_find(opts, "embedding-type");
    for (int i = 0; i < list->n; i++) {
        const char *eq = strrchr(list->list[i], '=');
        if (!add_rule(j, list->list[i], eq ? (size_t)(eq - list->list[i]) : 0, eq ? eq + 1 : "", err))
            return false;
    }
    const char *last = is_tied ? "token_embd.weight" : "output.weight";
    return (!output->given || add_rule(j, last, strlen(last), output->s, err)) &&
           (!embd->given || (is_tied && output->given) || add_rule(j, "*token_embd.weight", 18, embd->s, err));
}

/* OUT is not there yet, or may be replaced, and is not IN; there is room for it. */
static bool check_out(const struct job *j, uint64_t n_bytes, struct err *err)
{
    struct stat in, out;
    struct statvfs disk;
    char dir[4096];
    const bool exists = lstat(j->out, &out) == 0;
    if (exists && stat(j->out, &out) == 0 && stat(j->in, &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        return err_set(err, ERR_INPUT, "%s: the same file as %s", j->out, j->in);
    if (exists && !S_ISREG(out.st_mode))
        return err_set(err, ERR_INPUT, "%s: not a regular file", j->out);
    if (exists && !j->is_forced)
        return err_set(err, ERR_INPUT, "%s: exists; --force replaces it", j->out);
    const char *slash = strrchr(j->out, '/');
    const int n = snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - j->out) + 1 : 1, slash ? j->out : ".");
    if (n < (int)sizeof(dir) && statvfs(dir, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < n_bytes)
        return err_set(err, ERR_IO, "%s: needs %.1f MB, the disk has %.1f MB left", j->out, (double)n_bytes / 1e6,
                       (double)disk.f_bavail * (double)disk.f_frsize / 1e6);
    return true;
}

/* --- while it works ------------------------------------------------------------------------------------- */

struct progress {
    uint64_t begin_ns, told_ns;
    bool is_on;
};

static void on_progress(void *ctx, uint64_t done, uint64_t all)
{
    struct progress *p = ctx;
    const uint64_t now = clock_ns();
    if (!p->is_on || now - p->told_ns < TELL_NS)
        return;
    p->told_ns = now;
    fprintf(stderr, "\rtutti: %3.0f %% of %.0f MB, %.0f MB/s ", 100.0 * (double)done / (double)all, (double)all / 1e6,
            (double)done * 1e3 / (double)(now - p->begin_ns));
}

static bool is_stopped(void *ctx)
{
    (void)ctx;
    return interrupted != 0;
}

static bool write_model(struct job *j, struct quant *q, int n_threads, uint32_t cpu, struct err *err)
{
    struct progress p = { clock_ns(), clock_ns(), isatty(STDERR_FILENO) };
    const struct quant_watch watch = { on_progress, is_stopped, &p };
    struct sigaction on = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND }; /* the second one ends us at once */
    struct pool *pool = pool_new(n_threads, err);
    if (!pool)
        return false;
    sigaction(SIGINT, &on, NULL);
    sigaction(SIGTERM, &on, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file that grows past ulimit -f is an error, not our end */
    const bool ok = quant_write(q, j->out, pool, cpu, &watch, err);
    if (p.is_on)
        fprintf(stderr, "\r\033[K");
    j->seconds = (double)(clock_ns() - p.begin_ns) / 1e9;
    pool_free(pool);
    return ok;
}

/* --- what came of it ------------------------------------------------------------------------------------ */

struct totals {
    uint64_t n_values, in_bytes, out_bytes;
    double error, power;
    size_t n_fallbacks;
};

static struct totals add_up(const struct gguf *g, const struct quant *q, uint64_t file_bytes)
{
    struct totals t = { .in_bytes = gguf_file_bytes(g), .out_bytes = file_bytes };
    for (size_t i = 0; i < quant_n_items(q); i++) {
        const struct quant_item *item = quant_item_at(q, i);
        t.n_values += item->n_values;
        t.error += item->error, t.power += item->power;
        t.n_fallbacks += item->wish != item->type;
    }
    return t;
}

static const char *type_name(enum dtype t) { return dtype_info(t)->name; }

/* One line for each pair of formats: how many tensors got the second because of their shape. */
static void tell_fallbacks(const struct quant *q)
{
    for (int wish = 0; wish <= DTYPE_ID_MAX; wish++)
        for (int type = 0; type <= DTYPE_ID_MAX; type++) {
            const struct quant_item *first = NULL;
            size_t n = 0;
            for (size_t i = 0; i < quant_n_items(q); i++) {
                const struct quant_item *item = quant_item_at(q, i);
                if (item->wish != item->type && (int)item->wish == wish && (int)item->type == type)
                    n++, first = first ? first : item;
            }
            if (n > 0)
                fprintf(stderr, "tutti: %s instead of %s for %zu tensor%s: rows are no multiple of %d (%s: %" PRIu64 ")\n", type_name((enum dtype)type),
                        type_name((enum dtype)wish), n, n > 1 ? "s" : "", dtype_info((uint32_t)wish)->block_len, first->tensor->name, first->tensor->ne[0]);
        }
}

static bool print_table(const struct quant *q, bool is_dry, struct err *err)
{
    struct out_table t;
    static const struct out_column columns[] = { { "tensor", OUT_SHRINK }, { "from", 0 }, { "to", 0 }, { "MB", OUT_RIGHT }, { "NMSE", OUT_RIGHT } };
    out_table_init(&t, columns, is_dry ? 4 : 5);
    for (size_t i = 0; i < quant_n_items(q); i++) {
        const struct quant_item *item = quant_item_at(q, i);
        out_row(&t), out_cell(&t, "%s", item->tensor->name), out_cell(&t, "%s", type_name(item->tensor->type));
        out_cell(&t, "%s", item->is_copied ? "as it is" : type_name(item->type)), out_cell(&t, "%.3f", (double)item->n_bytes / 1e6);
        if (!is_dry && item->power > 0.0)
            out_cell(&t, "%.2e", item->error / item->power);
    }
    const bool ok = out_table_print(&t, stdout, OUT_WIDTH, err);
    out_table_fini(&t);
    return ok;
}

static bool tell(const struct job *j, const struct quant *q, const struct totals *t, struct err *err)
{
    if (!print_table(q, j->is_dry, err))
        return false;
    printf("\n%s: %.1f MB, %.1f %% of %.1f MB, %.2f bits a weight", j->mix->name, (double)t->out_bytes / 1e6,
           100.0 * (double)t->out_bytes / (double)t->in_bytes, (double)t->in_bytes / 1e6, 8.0 * (double)t->out_bytes / (double)t->n_values);
    if (!j->is_dry && t->power > 0.0)
        printf(", NMSE %.3e", t->error / t->power);
    if (!j->is_dry)
        printf(", %.1f s", j->seconds);
    printf(j->is_dry ? "; nothing was written\n" : "\n");
    return true;
}

static void put_nmse(struct buf *b, double error, double power)
{
    if (power > 0.0 && isfinite(error / power))
        buf_printf(b, "%.6g", error / power);
    else
        buf_puts(b, "null");
}

static bool tell_json(const struct job *j, const struct quant *q, const struct totals *t, struct err *err)
{
    struct buf b;
    buf_init(&b, JSON_BYTES_MAX);
    buf_puts(&b, "{\"in\":");
    buf_put_json(&b, j->in, strlen(j->in));
    buf_puts(&b, ",\"out\":");
    buf_put_json(&b, j->out, strlen(j->out));
    buf_printf(&b, ",\"type\":\"%s\",\"is_dry_run\":%s,\"in_bytes\":%" PRIu64 ",\"out_bytes\":%" PRIu64 ",\"parameters\":%" PRIu64
                   ",\"bits_per_weight\":%.4f,\"nmse\":",
               j->mix->name, j->is_dry ? "true" : "false", t->in_bytes, t->out_bytes, t->n_values, 8.0 * (double)t->out_bytes / (double)t->n_values);
    put_nmse(&b, t->error, t->power);
    if (j->is_dry)
        buf_puts(&b, ",\"seconds\":null");
    else
        buf_printf(&b, ",\"seconds\":%.3f", j->seconds);
    buf_printf(&b, ",\"fallbacks\":%zu,\"tensors\":[", t->n_fallbacks);
    for (size_t i = 0; i < quant_n_items(q); i++) {
        const struct quant_item *item = quant_item_at(q, i);
        buf_puts(&b, i ? "," : "");
        buf_puts(&b, "{\"name\":");
        buf_put_json(&b, item->tensor->name, strlen(item->tensor->name));
        buf_printf(&b, ",\"from\":\"%s\",\"to\":\"%s\",\"wish\":\"%s\",\"bytes\":%" PRIu64 ",\"nmse\":", type_name(item->tensor->type), type_name(item->type),
                   type_name(item->wish), item->n_bytes);
        put_nmse(&b, item->error, item->power);
        buf_putc(&b, '}');
    }
    buf_puts(&b, "]}\n");
    const bool ok = buf_ok(&b, "model quantize", err);
    if (ok)
        fwrite(b.data, 1, b.len, stdout);
    buf_fini(&b);
    return ok;
}

static bool quantize(struct job *j, struct cmd_opt *opts, int n_threads, uint32_t cpu, struct err *err)
{
    bool ok = false;
    struct quant *q = NULL;
    struct gguf *g = gguf_open(j->in, err);
    if (!g || !read_rules(j, opts, !gguf_find_tensor(g, "output.weight"), err))
        goto out;
    const struct quant_options o = { .mix = j->mix, .pure = cmd_opt_find(opts, "pure")->given, .requantize = cmd_opt_find(opts, "requantize")->given,
                                     .rules = j->rules, .n_rules = j->n_rules };
    q = quant_new(g, &o, err);
    if (!q) {
        err_prefix(err, "%s", j->in);
        goto out;
    }
    const uint64_t file_bytes = quant_file_bytes(q);
    if (!j->is_json)
        tell_fallbacks(q);
    if (!j->is_dry && (!check_out(j, file_bytes, err) || !write_model(j, q, n_threads, cpu, err)))
        goto out;
    const struct totals t = add_up(g, q, file_bytes);
    ok = j->is_json ? tell_json(j, q, &t, err) : tell(j, q, &t, err);
out:
    quant_free(q);
    gguf_close(g);
    return ok;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    (void)argc;
    struct err err = { 0 };
    uint32_t cpu;
    const struct cpu_level *level;
    const struct cmd_opt *threads = cmd_opt_find(opts, "threads");
    struct job j = { .in = argv[0], .out = argv[1], .mix = mix_find(argv[2]), .is_dry = cmd_opt_find(opts, "dry-run")->given,
                     .is_json = cmd_opt_find(opts, "json")->given, .is_forced = cmd_opt_find(opts, "force")->given };
    if (!j.mix) {
        fprintf(stderr, "tutti: '%.40s' is no type of a model; see `tutti model quantize --help`\n", argv[2]);
        return 2;
    }
    if (!cmd_cpu(&cpu, &level))
        return 1;
    return quantize(&j, opts, threads->given ? (int)threads->i : cpu_default_threads(), cpu, &err) ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "dry-run", .kind = OPT_FLAG, .help = "print types and sizes only, write nothing" },
    { .name = "pure", .kind = OPT_FLAG, .help = "TYPE for every matrix, the embedding too" },
    { .name = "tensor", .kind = OPT_LIST, .value = "NAME=TYPE", .help = "TYPE for tensors of this name (* ? [] allowed); again for more" },
    { .name = "output-type", .kind = OPT_TEXT, .value = "TYPE", .help = "of output.weight (or of the embedding that serves as such)" },
    { .name = "embedding-type", .kind = OPT_TEXT, .value = "TYPE", .help = "of token_embd.weight" },
    { .name = "requantize", .kind = OPT_FLAG, .help = "quantize what is quantized already" },
    { .name = "force", .kind = OPT_FLAG, .help = "replace OUT" },
    { .name = "threads", .kind = OPT_INT, .value = "N", .min = 1, .max = 64, .help = "default: one per core" },
    { .name = "json", .kind = OPT_FLAG, .help = "print one JSON object (docs/json.md)" },
    { 0 },
};
const struct cmd cmd_model_quantize = {
    .name = "model quantize",
    .args = "IN OUT TYPE",
    .min_args = 3,
    .max_args = 3,
    .help = "write a model in other number formats",
    .more = "\nIN is a GGUF file (of a split model, the first part), best in F32, F16 or BF16; OUT gets the model whole, with its keys.\n"
            "\nTYPE, from small to large (bits a weight of an 8B model):\n"
            "  q2_k 3.2  q3_k_s 3.7  q3_k_m 4.0  q3_k_l 4.3  iq4_xs 4.5  iq4_nl 4.7  q4_0 4.7\n"
            "  q4_k_s 4.7  q4_k_m 4.9  q4_1 5.1  q5_0 5.6  q5_k_s 5.6  q5_k_m 5.7  q5_1 6.1\n"
            "  q6_k 6.6  q8_0 8.5  f16 16  bf16 16  f32 32   and mxfp4 for experts\n"
            "\nMatrices that suffer most get more bits, as in files of the same name elsewhere (--pure: none does); vectors, norms and routers stay "
            "as they are. Where rows are no multiple of a format's block the next format whose block fits is taken, and a line says so.\n"
            "\nNMSE is sum (x - y)^2 / sum x^2 of what was changed. The same file comes from any machine and any number of threads.\n",
    .opts = opts,
    .run = run,
};
