/* cmd/detect.c - `tutti detect`: what this machine is. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "bench/bench.h"
#include "cmd/catalog_open.h"
#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "cmd/detect_internal.h"
#include "hw/record.h"

enum { OUT_BYTES_MAX = 4 << 20, TAR_BYTES_MAX = 256 << 20 };

/* Memory reads of all usable cores, measured now: about 0.3 s. */
static bool measure(struct hw_machine *m, struct err *err)
{
    struct bench_limits limits;
    uint32_t use;
    const struct cpu_level *level;
    if (!cpu_choose(getenv("TUTTI_CPU"), cpu_flags(), &use, &level, err))
        return false;
    struct pool *pool = pool_new(cpu_default_threads(), err);
    const bool ok = pool && bench_probe(&limits, pool, use, true, err);
    if (ok)
        m->memory.measured_bps = limits.read_bps;
    pool_free(pool);
    return ok;
}

static struct hw_machine *record(struct hw_root *r, const char *path, struct err *err)
{
    struct hw_machine *m = NULL;
    struct utsname u;
    const bool has_name = uname(&u) == 0;
    char host[sizeof(u.nodename)] = "";
    if (has_name)
        snprintf(host, sizeof(host), "%s", u.nodename);
    char *dot = strchr(host, '.');
    if (dot)
        *dot = '\0'; /* the short name, beside the full one */
    const struct hw_names_to_hide hide = { { has_name ? u.nodename : NULL, host, getenv("USER"), getenv("LOGNAME"), getenv("SUDO_USER") } };
    struct buf tar;
    buf_init(&tar, TAR_BYTES_MAX);
    if (hw_record(r, &hide, &tar, &m, err) && !file_write(path, tar.data, tar.len, err)) {
        hw_machine_free(m);
        m = NULL;
    }
    buf_fini(&tar);
    return m;
}

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_NFD, FORMAT_PROMETHEUS, FORMAT_COUNT };

struct where { const char *path; long long every_s; }; /* NULL: standard output; 0: once */

/* Labels that nobody renews must not stay: they end when three renewals were missed. */
static void put_expiry(struct buf *b, long long every_s)
{
    const time_t then = time(NULL) + (time_t)(3 * every_s);
    struct tm tm;
    char text[32];
    if (every_s > 0 && gmtime_r(&then, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
        buf_printf(b, "# +expiry-time=%s\n", text);
}

static bool print(enum format format, const struct where *to, const struct hw_machine *m, const struct advise_bandwidth *bw, const struct fit_summary *runs, struct err *err)
{
    struct buf b;
    buf_init(&b, OUT_BYTES_MAX);
    if (format == FORMAT_NFD)
        put_expiry(&b, to->every_s);
    if (format == FORMAT_JSON)
        detect_put_json(&b, m, bw, runs);
    else if (format == FORMAT_NFD)
        detect_put_nfd(&b, m);
    else if (format == FORMAT_PROMETHEUS)
        detect_put_prometheus(&b, m, bw);
    else
        detect_print(stdout, m, bw, runs);
    bool ok = buf_ok(&b, "detect", err);
    if (ok && to->path)
        ok = file_write(to->path, b.data, b.len, err);
    else if (ok && b.data)
        fputs(b.data, stdout);
    buf_fini(&b);
    return ok;
}

static volatile sig_atomic_t is_over;
static void on_end(int sig) { (void)sig, is_over = 1; }

/* Until the next time; false: a signal ended it.  As a container's first process we must say ourselves that SIGTERM ends us. */
static bool wait_s(long long s)
{
    const struct sigaction end = { .sa_handler = on_end };
    struct timespec pause = { .tv_sec = (time_t)s };
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    if (!is_over)
        nanosleep(&pause, NULL);
    return !is_over;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    (void)argc, (void)argv;
    static const char *const formats[FORMAT_COUNT] = { "text", "json", "nfd", "prometheus" };
    struct err err = { 0 };
    const struct cmd_opt *root = cmd_opt_find(opts, "root"), *to = cmd_opt_find(opts, "record"), *name = cmd_opt_find(opts, "format");
    enum format format = cmd_opt_find(opts, "json")->given ? FORMAT_JSON : FORMAT_TEXT;
    if (name->given) {
        for (format = 0; format < FORMAT_COUNT && strcmp(name->s, formats[format]) != 0; format++)
            ;
        if (format == FORMAT_COUNT) {
            err_set(&err, ERR_INPUT, "--format %.40s: there are text, json, nfd, prometheus", name->s), cmd_fail(&err);
            return 2;
        }
    }
    const struct cmd_opt *out = cmd_opt_find(opts, "out");
    const struct where where = { out->s, cmd_opt_find(opts, "every")->i };
    if ((where.every_s > 0 && !out->given) || (out->given && format == FORMAT_TEXT)) {
        fprintf(stderr, "tutti: --out and --every: with --format json, nfd or prometheus, and both for a file that is kept fresh\n");
        return 2;
    }
    const bool is_measured = cmd_opt_find(opts, "measure")->given;
    if (is_measured && root->given) {
        fprintf(stderr, "tutti: --measure: measures this machine, not the recorded one of --root\n");
        return 2;
    }
    bool ok;
    do {
        struct hw_root *r = hw_root_open(root->given ? root->s : "", &err);
        struct hw_machine *m = !r ? NULL : to->given ? record(r, to->s, &err) : hw_detect_root(r, &err);
        struct catalog *c = m ? cmd_catalog_open(opts, &err) : NULL;
        ok = c && (!is_measured || measure(m, &err));
        if (ok) {
            struct advise_bandwidth bw;
            if (root->given)
                hw_copy(m->root, sizeof(m->root), root->s);
            advise_bandwidth(c, m, &bw);
            struct fit_summary *runs = calloc(1, sizeof(*runs));
            const bool is_known = runs && (format == FORMAT_TEXT || format == FORMAT_JSON) && fit_summary(runs, c, m);
            ok = print(format, &where, m, &bw, is_known ? runs : NULL, &err);
            free(runs);
        }
        catalog_free(c);
        hw_machine_free(m);
        hw_root_free(r);
    } while (ok && where.every_s > 0 && wait_s(where.every_s));
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "json", .kind = OPT_FLAG, .help = "print JSON (docs/json.md)" },
    { .name = "format", .kind = OPT_TEXT, .value = "FORMAT", .help = "text, json, nfd (Node Feature Discovery) or prometheus" },
    { .name = "out", .kind = OPT_TEXT, .value = "FILE", .help = "write it there, whole or not at all" },
    { .name = "every", .kind = OPT_INT, .value = "S", .min = 1, .max = 86400, .help = "with --out: again every S seconds; nfd: the labels expire after three times that" },
    { .name = "measure", .kind = OPT_FLAG, .help = "measure the memory's bandwidth too (under a second)" },
    { .name = "root", .kind = OPT_TEXT, .value = "DIR", .help = "a recorded /proc and /sys (folder or tar) instead" },
    { .name = "record", .kind = OPT_TEXT, .value = "FILE", .help = "also write such a recording (tar)" },
    CMD_OPT_CATALOG,
    { 0 },
};
const struct cmd cmd_detect = {
    .name = "detect",
    .args = "",
    .help = "what this machine is: CPU, memory, GPUs, accelerators, ...",
    .more = "\nReads /proc and /sys, needs no root and says what root would add.  What is not\n"
            "known is left out (text) or null (JSON); figures from tables are marked.  A\n"
            "recording holds what was read, without serial numbers, addresses and names.\n",
    .opts = opts,
    .run = run,
};
