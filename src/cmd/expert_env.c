/* cmd/expert_env.c - the user's folders, as the XDG base directory specification has them. */
#include "cmd/expert_env.h"

#include "catalog/catalog.h"
#include "cmd/catalog_open.h"
#include "expert/keeper.h"
#include "proc/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder(char *path, size_t size, const char *variable, const char *below_home)
{
    const char *base = getenv(variable), *home = getenv("HOME");
    int n = -1;
    if (base && base[0] == '/')
        n = snprintf(path, size, "%s/tutti", base);
    else if (home && home[0] == '/')
        n = snprintf(path, size, "%s/%s/tutti", home, below_home);
    return n > 0 && (size_t)n < size ? path : NULL;
}

void cmd_expert_env(struct cmd_expert_env *e, const char *models_dir)
{
    memset(e, 0, sizeof(*e));
    e->env.models_dir = models_dir ? models_dir : getenv("TUTTI_MODELS");
    e->env.ort_path = getenv("TUTTI_ORT");
    e->env.cache_dir = folder(e->cache_dir, sizeof(e->cache_dir), "XDG_CACHE_HOME", ".cache");
    e->env.data_dir = folder(e->data_dir, sizeof(e->data_dir), "XDG_DATA_HOME", ".local/share");
    e->env.state_dir = folder(e->state_dir, sizeof(e->state_dir), "XDG_STATE_HOME", ".local/state");
}

static uint64_t available(void) { return memory_available_bytes(""); }

bool cmd_expert_env_machine(struct cmd_expert_env *e, const char *preset, uint64_t memory_bytes, struct err *err)
{
    const struct keeper_options opt = { .cap_bytes = memory_bytes, .available = available };
    if (!(e->machine = hw_detect("", err)) || !(e->catalog = cmd_catalog_open(NULL, err)))
        return false;
    advise_runtime_host(e->catalog, e->machine, &e->host, NULL);
    if (!advise_presets(e->catalog, e->machine, preset, &e->presets, err) || !(e->keeper = keeper_new(&opt, err)))
        return false;
    e->env.catalog = e->catalog;
    e->env.host = &e->host;
    e->env.presets = &e->presets;
    e->env.keeper = e->keeper;
    return true;
}

void cmd_expert_env_put_preset(const struct cmd_expert_env *e, enum expert_task task, FILE *to)
{
    const struct task_preset *p = &e->presets.of[preset_modality_of(task)];
    if (!e->env.presets || task & (EXPERT_EMBED | EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_MOTION))
        return;
    fprintf(to, "  preset   %s (%s)", p->name[0] ? p->name : "defaults", p->scope);
    if (p->precision[0])
        fprintf(to, ", %s", p->precision);
    if (p->n_threads > 0)
        fprintf(to, ", %d threads", p->n_threads);
    fprintf(to, p->n_batch > 1 ? ", batches of up to %d\n" : "\n", p->n_batch);
}

void cmd_expert_env_fini(struct cmd_expert_env *e)
{
    keeper_free(e->keeper);
    catalog_free(e->catalog);
    hw_machine_free(e->machine);
    memset(e, 0, sizeof(*e));
}
