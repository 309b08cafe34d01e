/* cmd/expert_env.h - where experts opened by a subcommand find and keep things: the user's folders.
 *
 * For:     run, expert, face, serve.  Touches: HOME, XDG_CACHE_HOME, XDG_DATA_HOME, XDG_STATE_HOME, TUTTI_MODELS, TUTTI_ORT.
 */
#ifndef TUTTI_CMD_EXPERT_ENV_H
#define TUTTI_CMD_EXPERT_ENV_H
#include "expert/open.h"

struct cmd_expert_env {
    struct expert_env env; /* points into the folders below */
    char cache_dir[512], data_dir[512], state_dir[512];
};
/* models_dir: of --models, or NULL.  Folders whose variables are not set stay NULL: then nothing is kept there. */
void cmd_expert_env(struct cmd_expert_env *e, const char *models_dir);
#endif
