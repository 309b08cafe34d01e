/* cmd/table.c - the list of subcommands, alphabetical; each is a file beside this one. */
#include "cmd/cmd.h"
#include "cmd/commands.h"

const struct cmd *const cmd_table[] = {
    &cmd_bench,
    &cmd_bench_history,
    &cmd_cascade_check,
    &cmd_cascade_run,
    &cmd_catalog,
    &cmd_config_check,
    &cmd_config_show,
    &cmd_cost,
    &cmd_detect,
    &cmd_device_plugin,
    &cmd_doctor,
    &cmd_expert_check,
    &cmd_expert_list,
    &cmd_expert_warm,
    &cmd_face_add,
    &cmd_face_list,
    &cmd_face_remove,
    &cmd_fit,
    &cmd_model_logits,
    &cmd_model_render,
    &cmd_model_show,
    &cmd_model_tokenize,
    &cmd_recommend,
    &cmd_route,
    &cmd_route_eval,
    &cmd_route_replay,
    &cmd_route_simulate,
    &cmd_route_train,
    &cmd_route_why,
    &cmd_run,
    &cmd_serve,
    &cmd_version,
};
const int cmd_n = sizeof(cmd_table) / sizeof(cmd_table[0]);
