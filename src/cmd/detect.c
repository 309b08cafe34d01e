/* cmd/detect.c - `tutti detect`: what this machine is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

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

static bool write_file(const char *path, const struct buf *b, struct err *err)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    const bool is_written = fwrite(b->data, 1, b->len, f) == b->len;
    if (fclose(f) != 0 || !is_written)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    return true;
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
    if (hw_record(r, &hide, &tar, &m, err) && !write_file(path, &tar, err)) {
        hw_machine_free(m);
        m = NULL;
    }
    buf_fini(&tar);
    return m;
}

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_NFD, FORMAT_PROMETHEUS, FORMAT_COUNT };

static bool print(enum format format, const struct hw_machine *m, const struct advise_bandwidth *bw, const struct fit_summary *runs, struct err *err)
{
    struct buf b;
    buf_init(&b, OUT_BYTES_MAX);
    if (format == FORMAT_JSON)
        detect_put_json(&b, m, bw, runs);
    else if (format == FORMAT_NFD)
        detect_put_nfd(&b, m);
    else if (format == FORMAT_PROMETHEUS)
        detect_put_prometheus(&b, m, bw);
    else
        detect_print(stdout, m, bw, runs);
    const bool ok = buf_ok(&b, "detect", err);
    if (ok && b.data)
        fputs(b.data, stdout);
    buf_fini(&b);
    return ok;
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
    const bool is_measured = cmd_opt_find(opts, "measure")->given;
    if (is_measured && root->given) {
        fprintf(stderr, "tutti: --measure: measures this machine, not the recorded one of --root\n");
        return 2;
    }
    struct hw_root *r = hw_root_open(root->given ? root->s : "", &err);
    struct hw_machine *m = !r ? NULL : to->given ? record(r, to->s, &err) : hw_detect_root(r, &err);
    struct catalog *c = m ? cmd_catalog_open(opts, &err) : NULL;
    bool ok = c && (!is_measured || measure(m, &err));
    if (ok) {
        struct advise_bandwidth bw;
        if (root->given)
            hw_copy(m->root, sizeof(m->root), root->s);
        advise_bandwidth(c, m, &bw);
        struct fit_summary *runs = calloc(1, sizeof(*runs));
        const bool is_known = runs && (format == FORMAT_TEXT || format == FORMAT_JSON) && fit_summary(runs, c, m);
        ok = print(format, m, &bw, is_known ? runs : NULL, &err);
        free(runs);
    }
    catalog_free(c);
    hw_machine_free(m);
    hw_root_free(r);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "json", .kind = OPT_FLAG, .help = "print JSON (docs/json.md)" },
    { .name = "format", .kind = OPT_TEXT, .value = "FORMAT", .help = "text, json, nfd (Node Feature Discovery) or prometheus" },
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
