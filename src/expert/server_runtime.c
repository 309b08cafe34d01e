/* expert/server_runtime.c - which runtime this machine has for a model: data/runtime.csv against what is detected and
 * installed; start at server_choose_runtime(). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "catalog/choose.h"
#include "expert/server_internal.h"
#include "hw/machine.h"

enum { HOSTS_MAX = 8, ROWS_MAX = 16, LINE_MAX_BYTES = 8192 };

/* The parts that can compute, best first: GPUs as they are listed, then the CPU. */
static int find_hosts(const struct hw_machine *m, struct runtime_host *hosts)
{
    static const char *const classes[][2] = { { "NVIDIA", "nvidia" }, { "AMD", "amd" }, { "Intel", "intel-gpu" }, { "Apple", "apple" } };
    const bool is_jetson = strcmp(m->board.family, "jetson") == 0;
    int n = 0;
    for (int i = 0; i < m->n_gpus && n + 1 < HOSTS_MAX; i++) {
        const struct hw_gpu *g = &m->gpus[i];
        const char *cls = NULL;
        for (size_t k = 0; k < sizeof(classes) / sizeof(classes[0]); k++)
            if (strstr(g->vendor, classes[k][0]))
                cls = k == 0 && is_jetson ? "jetson" : classes[k][1];
        if (!cls || g->kind == HW_GPU_VIRTUAL)
            continue;
        const double bytes = (double)(g->vram_bytes > 0 ? g->vram_bytes : g->is_unified == HW_YES || is_jetson ? m->memory.total_bytes : 0);
        hosts[n++] = (struct runtime_host){ .name = g->name, .alias = "", .cls = cls, .os = "linux", .mem_gb = bytes > 0 ? bytes / 1e9 : NAN };
    }
    const bool is_board = strcmp(m->board.form, "sbc") == 0 || strcmp(m->board.family, "raspberry pi") == 0 || strcmp(m->board.family, "rockchip") == 0;
    hosts[n++] = (struct runtime_host){ .name = is_board && m->board.product[0] ? m->board.product : m->cpu.model[0] ? m->cpu.model : "CPU",
                                        .alias = "", .cls = is_board ? "soc" : "cpu", .os = "linux",
                                        .mem_gb = m->memory.total_bytes > 0 ? (double)m->memory.total_bytes / 1e9 : NAN,
                                        .n_cores = m->cpu.cores_usable };
    return n;
}

static bool is_installed(const char *line)
{
    char program[256], path[CHILD_PATH_BYTES];
    while (*line) { /* behind the assignments */
        const size_t n = strcspn(line, " ");
        snprintf(program, sizeof(program), "%.*s", n < sizeof(program) ? (int)n : (int)sizeof(program) - 1, line);
        if (!strchr(program, '='))
            return child_find(program, path);
        line += n + strspn(line + n, " ");
    }
    return false;
}

static const char *task_of(unsigned tasks)
{
    return tasks & EXPERT_TRANSCRIBE ? "stt" : tasks & EXPERT_SPEAK ? "tts" : tasks & EXPERT_INFER ? "vision" : "llm";
}

/* Does the row start a server that speaks what we speak?  tutti itself is kind llm: no child is needed for it. */
static bool fits(const struct expert_server *e, const struct catalog_row *row)
{
    const char *protocol = catalog_text(row, "protocol"), *runtime = catalog_text(row, "runtime"), *wanted = e->cfg.runtime;
    if (strcmp(protocol, e->cfg.protocol == SERVER_OIP ? "oip" : "openai") != 0 || strncmp(catalog_text(row, "command"), "tutti ", 6) == 0)
        return false;
    return !*wanted || strcmp(wanted, "auto") == 0 || strcmp(wanted, runtime) == 0 || strcmp(wanted, catalog_name(row)) == 0;
}

static void tell_of_sticks(const struct expert_server *e, const struct hw_machine *m)
{
    for (int i = 0; i < m->n_accelerators; i++)
        if (strcmp(m->accelerators[i].kind, "ncs2") == 0)
            log_warn("%s: a Neural Compute Stick 2 is here, but it has no current runtime (OpenVINO 2022.3 LTS was the last): it is not used", e->id);
}

bool server_pick_runtime(const struct expert_server *e, struct catalog *cat, const struct hw_machine *m, int port, struct buf *line, char *runs_on,
                         size_t max, struct err *err)
{
    struct runtime_host hosts[HOSTS_MAX];
    const struct catalog_row *rows[ROWS_MAX];
    const struct runtime_wish wish = { task_of(e->cfg.tasks), e->cfg.params_b };
    const struct runtime_values values = { .model = e->cfg.model_path, .port = port };
    const struct catalog_table *table = catalog_table(cat, "runtime", err);
    char missing[160] = "";
    const int n_hosts = table ? find_hosts(m, hosts) : 0;
    if (!table)
        return false;
    for (int h = 0; h < n_hosts; h++) {
        const int n = runtime_choose(table, &hosts[h], &wish, rows, ROWS_MAX);
        for (int i = 0; i < n; i++) {
            if (!fits(e, rows[i]))
                continue;
            buf_clear(line);
            if (!runtime_launch_line(rows[i], &hosts[h], &values, line, err))
                return false;
            if (line->len == 0)
                continue;
            if (is_installed(line->data)) {
                snprintf(runs_on, max, "%.28s on %.28s", catalog_text(rows[i], "runtime"), hosts[h].name);
                return true;
            }
            if (!missing[0])
                snprintf(missing, sizeof(missing), "%.40s for %.40s (%.*s)", catalog_text(rows[i], "runtime"), hosts[h].name,
                         (int)strcspn(line->data, " "), line->data);
        }
    }
    if (missing[0])
        return err_set(err, ERR_NOT_FOUND, "no runtime for it is installed; the best here is %s: install it, or give the card a 'command'", missing);
    return err_set(err, ERR_NOT_FOUND, "data/runtime.csv knows no server%s%s for '%s' on this machine: give the card a 'command'",
                   e->cfg.runtime[0] ? " named " : "", e->cfg.runtime, wish.task);
}

bool server_choose_runtime(struct expert_server *e, int port, struct buf *line, char *runs_on, size_t max, struct err *err)
{
    struct catalog *cat = catalog_new(NULL, err);
    struct hw_machine *m = cat ? hw_detect("", err) : NULL;
    const bool ok = m && server_pick_runtime(e, cat, m, port, line, runs_on, max, err);
    if (m)
        tell_of_sticks(e, m);
    hw_machine_free(m);
    catalog_free(cat);
    return ok;
}
