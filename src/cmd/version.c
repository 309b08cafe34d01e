/* cmd/version.c - `tutti version`: what this binary is and which instruction sets it would use. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/commands.h"
#include "hw/cpu.h"

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    (void)argc, (void)argv, (void)opts;
    uint32_t use;
    const struct cpu_level *in_use;
    if (!cmd_cpu(&use, &in_use))
        return 1;
    printf("tutti %s\ncpu levels of this machine (TUTTI_CPU picks one):\n", TUTTI_VERSION);
    const uint32_t have = cpu_flags();
    for (int i = 0; i < cpu_n_levels; i++)
        if ((cpu_levels[i].need & have) == cpu_levels[i].need)
            printf("  %-8s%s\n", cpu_levels[i].name, &cpu_levels[i] == in_use ? " * in use" : "");
    return 0;
}

static struct cmd_opt no_opts[] = { { 0 } };
const struct cmd cmd_version = {
    .name = "version",
    .args = "",
    .help = "print the version and the CPU levels",
    .opts = no_opts,
    .run = run,
};
