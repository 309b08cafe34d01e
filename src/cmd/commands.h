/* cmd/commands.h - one declaration for each subcommand's file, alphabetical. */
#ifndef TUTTI_CMD_COMMANDS_H
#define TUTTI_CMD_COMMANDS_H
struct cmd;
extern const struct cmd cmd_bench; /* bench.c */
extern const struct cmd cmd_bench_history; /* bench_history.c */
extern const struct cmd cmd_cascade_check; /* cascade.c */
extern const struct cmd cmd_cascade_run; /* cascade.c */
extern const struct cmd cmd_catalog; /* catalog.c */
extern const struct cmd cmd_cluster_draw; /* cluster_draw.c */
extern const struct cmd cmd_cluster_guide; /* cluster_guide.c */
extern const struct cmd cmd_cluster_init; /* cluster_init.c */
extern const struct cmd cmd_cluster_manifests; /* cluster_manifests.c */
extern const struct cmd cmd_cluster_monitoring; /* cluster_monitor.c */
extern const struct cmd cmd_cluster_plan; /* cluster_plan.c */
extern const struct cmd cmd_cluster_rebalance; /* cluster_rebalance.c */
extern const struct cmd cmd_cluster_revoke; /* cluster_revoke.c */
extern const struct cmd cmd_cluster_status; /* cluster_status.c */
extern const struct cmd cmd_cluster_token; /* cluster_token.c */
extern const struct cmd cmd_cluster_trust; /* cluster_trust.c */
extern const struct cmd cmd_config_check; /* config.c */
extern const struct cmd cmd_config_show; /* config.c */
extern const struct cmd cmd_cost; /* cost.c */
extern const struct cmd cmd_detect; /* detect.c */
extern const struct cmd cmd_device_plugin; /* device_plugin.c */
extern const struct cmd cmd_doctor; /* doctor.c */
extern const struct cmd cmd_expert_check; /* expert.c */
extern const struct cmd cmd_expert_list; /* expert.c */
extern const struct cmd cmd_expert_warm; /* expert.c */
extern const struct cmd cmd_face_add; /* face.c */
extern const struct cmd cmd_face_list; /* face.c */
extern const struct cmd cmd_face_remove; /* face.c */
extern const struct cmd cmd_fit; /* fit.c */
extern const struct cmd cmd_model_logits; /* model_logits.c */
extern const struct cmd cmd_model_quantize; /* model_quantize.c */
extern const struct cmd cmd_model_render; /* model_render.c */
extern const struct cmd cmd_model_show; /* model_show.c */
extern const struct cmd cmd_model_tokenize; /* model_tokenize.c */
extern const struct cmd cmd_node_fetch; /* node_fetch.c */
extern const struct cmd cmd_node_join; /* node_join.c */
extern const struct cmd cmd_node_renew; /* node_join.c */
extern const struct cmd cmd_recommend; /* recommend.c */
extern const struct cmd cmd_route; /* route.c */
extern const struct cmd cmd_route_eval; /* route_eval.c */
extern const struct cmd cmd_route_replay; /* route_replay.c */
extern const struct cmd cmd_route_simulate; /* route_simulate.c */
extern const struct cmd cmd_route_train; /* route_train.c */
extern const struct cmd cmd_route_why; /* route_why.c */
extern const struct cmd cmd_run; /* run.c */
extern const struct cmd cmd_serve; /* serve.c */
extern const struct cmd cmd_version; /* version.c */
#endif
