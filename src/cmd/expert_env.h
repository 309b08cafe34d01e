/* cmd/expert_env.h - where experts opened by a subcommand find and keep things: the user's folders.
 *
 * For:     run, expert, face, serve.  Touches: HOME, XDG_CACHE_HOME, XDG_DATA_HOME, XDG_STATE_HOME, TUTTI_MODELS, TUTTI_ORT.
 */
#ifndef TUTTI_CMD_EXPERT_ENV_H
#define TUTTI_CMD_EXPERT_ENV_H
#include <stdio.h>

#include "advise/preset.h"
#include "expert/open.h"

struct cmd_expert_env {
    struct expert_env env; /* points into the folders below */
    char cache_dir[512], data_dir[512], state_dir[512];
    /* of cmd_expert_env_machine() */
    struct hw_machine *machine;
    struct catalog *catalog;
    struct runtime_host host;
    struct task_presets presets;
    struct keeper *keeper;
};
/* models_dir: of --models, or NULL.  Folders whose variables are not set stay NULL: then nothing is kept there. */
void cmd_expert_env(struct cmd_expert_env *e, const char *models_dir);
/* What experts that are no GGUF files want to know, in some ms: this machine, its rows of the runtime table, the presets by that name
 * (NULL: by the machine; "none"), and a keeper of memory_bytes (0: what the machine can spare).  false with err. */
bool cmd_expert_env_machine(struct cmd_expert_env *e, const char *preset, uint64_t memory_bytes, struct err *err);
/* One line: which row of the runtime table experts of that task follow. */
void cmd_expert_env_put_preset(const struct cmd_expert_env *e, enum expert_task task, FILE *to);
void cmd_expert_env_fini(struct cmd_expert_env *e); /* after the last expert; a zeroed one is fine */
#endif
