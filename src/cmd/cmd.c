/* cmd/cmd.c - parses the command line by the tables and runs the subcommand; start at cmd_main(). */
#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expert/worker.h"
#include "hw/gpu_watch.h"

struct cmd_opt *cmd_opt_find(struct cmd_opt *opts, const char *name)
{
    for (struct cmd_opt *o = opts; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

int cmd_fail(const struct err *err)
{
    fprintf(stderr, "tutti: %s\n", err->text[0] ? err->text : err_name(err->code));
    return 1;
}

bool cmd_cpu(uint32_t *use, const struct cpu_level **level)
{
    struct err err = { 0 };
    if (cpu_choose(getenv("TUTTI_CPU"), cpu_flags(), use, level, &err))
        return true;
    cmd_fail(&err);
    return false;
}

static void print_usage(FILE *to)
{
    fprintf(to, "usage: tutti COMMAND [OPTIONS] [ARGUMENTS]\n\n");
    for (int i = 0; i < cmd_n; i++)
        fprintf(to, "  %-17s %s\n", cmd_table[i]->name, cmd_table[i]->help);
    fprintf(to, "\n`tutti COMMAND --help` says it all about a command.\n");
}

/* One line of help that begins at column `at`: broken at spaces where it would pass column 80, what follows at `indent`. */
static void print_line(const char *s, size_t n, int at, int indent)
{
    while (at + (int)n > 80) {
        size_t cut = (size_t)(80 - at);
        while (cut > 0 && s[cut] != ' ')
            cut--;
        if (cut == 0)
            break; /* a word longer than the line */
        printf("%.*s\n%*s", (int)cut, s, indent, "");
        s += cut + 1;
        n -= cut + 1;
        at = indent;
    }
    printf("%.*s\n", (int)n, s);
}

static void print_help(const struct cmd *c)
{
    printf("usage: tutti %s %s%s\n\n%s\n", c->name, c->opts->name ? "[OPTIONS] " : "", c->args, c->help);
    for (const char *p = c->more; p && *p;) {
        const size_t n = strcspn(p, "\n");
        print_line(p, n, 0, (int)strspn(p, " "));
        p += n + (p[n] == '\n');
    }
    if (c->opts->name)
        printf("\noptions:\n");
    for (const struct cmd_opt *o = c->opts; o->name; o++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        const int at = printf("  %-22s ", left);
        print_line(o->help, strlen(o->help), at, 25);
    }
    printf("\nenvironment:\n  TUTTI_CPU=LEVEL        use this instruction set level (see `tutti version`)\n");
}

static int wrong_usage(const struct cmd *c, const char *fmt, const char *what)
{
    struct err err = { 0 };
    err_set(&err, ERR_INPUT, fmt, what); /* one short line, whatever was typed */
    fprintf(stderr, "tutti: %.160s%s; see `tutti %s%s--help`\n", err.text, strlen(err.text) > 160 ? "..." : "", c ? c->name : "", c ? " " : "");
    return 2;
}

static bool set_value(struct cmd_opt *o, const char *v)
{
    char *end;
    errno = 0;
    switch (o->kind) {
    case OPT_FLAG: return false;
    case OPT_INT:
        o->i = strtoll(v, &end, 10);
        return v[0] && !*end && errno == 0 && (double)o->i >= o->min && (double)o->i <= o->max;
    case OPT_FLOAT:
        o->f = strtod(v, &end);
        return v[0] && !*end && isfinite(o->f) && o->f >= o->min && o->f <= o->max;
    case OPT_TEXT: o->s = v; return true;
    case OPT_LIST:
        if (o->n >= (int)(sizeof(o->list) / sizeof(o->list[0])))
            return false;
        o->list[o->n++] = v;
        return true;
    }
    return false;
}

static const struct cmd *find(int argc, char **argv, int *n_words)
{
    for (int words = 2; words >= 1; words--)
        for (int i = 0; i < cmd_n && argc > words; i++) {
            char name[64];
            snprintf(name, sizeof(name), words == 2 ? "%s %s" : "%s", argv[1], argc > 2 ? argv[2] : "");
            if (strcmp(cmd_table[i]->name, name) == 0) {
                *n_words = words;
                return cmd_table[i];
            }
        }
    return NULL;
}

/* `tutti model` alone is half a command: say which halves go with it. */
static int unknown_command(int argc, char **argv)
{
    const size_t n = strlen(argv[1]);
    char seconds[256] = "";
    size_t len = 0;
    for (int i = 0; i < cmd_n && len < sizeof(seconds); i++)
        if (strncmp(cmd_table[i]->name, argv[1], n) == 0 && cmd_table[i]->name[n] == ' ')
            len += (size_t)snprintf(seconds + len, sizeof(seconds) - len, "%s%s", len ? ", " : "", cmd_table[i]->name + n + 1);
    if (!len)
        return wrong_usage(NULL, "unknown command '%s'", argv[1]);
    if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
        printf("usage: tutti %s COMMAND [OPTIONS] [ARGUMENTS]\n\n", argv[1]);
        for (int i = 0; i < cmd_n; i++)
            if (strncmp(cmd_table[i]->name, argv[1], n) == 0 && cmd_table[i]->name[n] == ' ')
                printf("  %-17s %s\n", cmd_table[i]->name, cmd_table[i]->help);
        printf("\n`tutti %s COMMAND --help` says it all about a command.\n", argv[1]);
        return 0;
    }
    fprintf(stderr, "tutti: %s%s%s: one of %s is wanted; see `tutti --help`\n", argv[1], argc > 2 ? " " : "",
            argc > 2 ? argv[2] : "", seconds);
    return 2;
}

static int parse_and_run(const struct cmd *c, int argc, char **argv)
{
    int n_args = 0;
    bool only_args = false;
    for (int i = 0; i < argc; i++) {
        char *a = argv[i];
        if (only_args || a[0] != '-' || !a[1]) {
            argv[n_args++] = a; /* n_args <= i */
            continue;
        }
        if (strcmp(a, "--") == 0) {
            only_args = true;
            continue;
        }
        if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) {
            print_help(c);
            return 0;
        }
        char name[64];
        const char *eq = strchr(a, '=');
        if (a[1] != '-' || (eq && (size_t)(eq - a) >= sizeof(name)))
            return wrong_usage(c, "unknown option '%s'", a);
        snprintf(name, sizeof(name), "%.*s", eq ? (int)(eq - a - 2) : 62, a + 2);
        struct cmd_opt *o = cmd_opt_find(c->opts, name);
        if (!o)
            return wrong_usage(c, "unknown option '%s'", a);
        o->given = true;
        if (o->kind == OPT_FLAG) {
            if (eq)
                return wrong_usage(c, "%s takes no value", a);
            continue;
        }
        const char *v = eq ? eq + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!v)
            return wrong_usage(c, "--%s needs a value", name);
        if (!set_value(o, v)) {
            struct err err = { 0 };
            if (o->kind == OPT_INT || o->kind == OPT_FLOAT)
                err_set(&err, ERR_INPUT, "--%s %.60s: a number from %.15g to %.15g is wanted", name, v, o->min, o->max);
            else
                err_set(&err, ERR_INPUT, "--%s %.60s: given too often", name, v);
            cmd_fail(&err);
            return 2;
        }
    }
    if (n_args < c->min_args)
        return wrong_usage(c, "missing arguments: tutti %s", c->name);
    if (n_args > c->max_args)
        return wrong_usage(c, "one argument too many: '%s'", argv[c->max_args]);
    return c->run(n_args, argv, c->opts);
}

/* Models are mapped: when somebody empties or overwrites one in use, its pages are gone and nothing can go on.  Several threads may find that at
 * once: the first one says it. */
static void on_lost_pages(int sig, siginfo_t *info, void *context)
{
    static const char line[] = "tutti: a model's file became shorter while it was in use; replace files by renaming, not by writing\n";
    static atomic_flag is_said = ATOMIC_FLAG_INIT;
    (void)context;
    if (info->si_code != BUS_ADRERR) { /* not that: die as usual, with a core */
        signal(sig, SIG_DFL);
        return;
    }
    while (atomic_flag_test_and_set(&is_said))
        pause();
    if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
        _exit(2);
    _exit(1);
}

/* The number of a standard stream that is closed would be given to the next file or socket, and libuv ends the program when it closes that.  Read-only:
 * nobody believes that something was written. */
static void open_standard_streams(void)
{
    int fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDONLY);
    if (fd >= 0)
        close(fd);
}

int cmd_main(int argc, char **argv)
{
    open_standard_streams();
    struct sigaction lost = { .sa_sigaction = on_lost_pages, .sa_flags = SA_SIGINFO };
    sigaction(SIGBUS, &lost, NULL);
    int n_words = 0;
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "worker") == 0) /* a process for an expert; tutti starts it itself (expert/worker.h) */
        return worker_main(NULL);
    if (strcmp(argv[1], "gpu-watch") == 0 && argc == 3) /* a process that asks NVIDIA's library; the same (hw/gpu_watch.h) */
        return gpu_watch_main(argv[2]);
    static char version[] = "version";
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = version;
    const struct cmd *c = find(argc, argv, &n_words);
    if (!c)
        return unknown_command(argc, argv);
    const int rc = parse_and_run(c, argc - 1 - n_words, argv + 1 + n_words);
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && rc == 0) { /* a full disk must not look like success */
        fprintf(stderr, "tutti: standard output: %s\n", errno ? strerror(errno) : "not all could be written");
        return 1;
    }
    return rc;
}
