/* cmd/cmd.h - what main.c and the subcommands share: one file per subcommand, one table.
 *
 * For:     cmd/ alone (and main.c).
 * Rule:    exit status 0 done, 1 failed or the answer is no, 2 wrong usage.  Errors are one line on
 *          stderr, `tutti: WHAT: WHY`.
 */
#ifndef TUTTI_CMD_CMD_H
#define TUTTI_CMD_CMD_H
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "hw/cpu.h"

enum cmd_opt_kind { OPT_FLAG, OPT_INT, OPT_FLOAT, OPT_TEXT, OPT_LIST /* may be given again */ };

/* One option, declared once: it parses, explains and checks its range. */
struct cmd_opt {
    const char *name;  /* without the dashes */
    enum cmd_opt_kind kind;
    const char *value; /* what --help calls its value, NULL for a flag */
    double min, max;   /* of numbers */
    const char *help;
    bool given;
    long long i; /* OPT_INT; preset = default */
    double f;    /* OPT_FLOAT */
    const char *s; /* OPT_TEXT */
    const char *list[16]; /* OPT_LIST */
    int n;                /* OPT_LIST: how many */
};

struct cmd {
    const char *name;    /* "model show": one or two words */
    const char *args;    /* for the usage line: "MODEL [PROMPT]" */
    int min_args, max_args;
    const char *help;    /* one line */
    const char *more;    /* further lines of --help, or NULL */
    struct cmd_opt *opts; /* ends with a NULL name */
    int (*run)(int argc, char **argv, struct cmd_opt *opts); /* argv: what is no option */
};

/* The table, alphabetical (cmd/table.c). */
extern const struct cmd *const cmd_table[];
extern const int cmd_n;

/* The whole program behind main(): finds the subcommand, parses, runs; returns the exit status. */
int cmd_main(int argc, char **argv);

struct cmd_opt *cmd_opt_find(struct cmd_opt *opts, const char *name);
/* Prints `tutti: text` and returns 1. */
int cmd_fail(const struct err *err);
/* The CPU flags that TUTTI_CPU allows; false with the line already printed. */
bool cmd_cpu(uint32_t *use, const struct cpu_level **level);
#endif
