/* route/policy_yaml.h - a policy as YAML: the map `route:` of tutti.yaml, or a file of its own for `tutti route --policy` and replay.
 *
 * For:     serve/config.c, cmd/, journal.c (keeps the text of the policy that decided).
 * Callers: serve/, cmd/, route/.
 * Touches: the file.
 * Rule:    what is not said keeps its default; what is misspelt or out of range is an error with file, line, column and the nearest key.
 *
 *     electricity_usd_kwh: 0.32        # settings: POLICY_SETTINGS of policy_settings.h
 *     difficult_share: 0.4
 *     goals:                           # weights: POLICY_WEIGHTS, in seconds of waiting
 *       balanced: {wrong: 600, joule: 0.03}
 *     quiet:                           # a noise and heat budget by time of day
 *       - {from: "22:00", to: "07:00", max_busy_w: 40}
 *       - {from: "13:00", to: "14:00", node: desktop, max_step: {llm: 1}}
 */
#ifndef TUTTI_ROUTE_POLICY_YAML_H
#define TUTTI_ROUTE_POLICY_YAML_H
#include "base/buf.h"
#include "base/yaml.h"
#include "route/policy_settings.h"

/* Puts the map's values over what p has; false with err (p is then half changed). */
bool policy_take_yaml(struct policy *p, const struct yaml *y, const struct yaml_node *map, struct err *err);
/* A file or text that is such a map, or a map with `route:` in it (a tutti.yaml, whose other keys are passed over).  The caller owns the
 * result; NULL with err. */
struct policy *policy_read(const char *path, struct err *err);
struct policy *policy_parse(const char *name, const char *text, size_t n, struct err *err);
/* All of it, so that policy_parse() reads the same again; is_all false: only what differs from the defaults. */
void policy_put_yaml(const struct policy *p, bool is_all, struct buf *out);
#endif
