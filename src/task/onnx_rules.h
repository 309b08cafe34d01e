/* task/onnx_rules.h - which execution providers a model should try on a machine: the rows of data/runtime.csv, in ONNX Runtime's words.
 *
 * For:     expert/, which knows the machine; the task only hears the list (task_env.providers).
 * Touches: the catalog's table `runtime`.
 */
#ifndef TUTTI_TASK_ONNX_RULES_H
#define TUTTI_TASK_ONNX_RULES_H
#include <stddef.h>

#include "catalog/choose.h"
#include "task/preset.h"

/* Writes "tensorrt,cuda,cpu" or the like: of the rows for that host and modality, best first, those that are a provider or bring one;
 * the CPU is always last.  catalog or host NULL: "cpu". */
void onnx_rules_providers(struct catalog *catalog, const struct runtime_host *host, enum preset_modality m, char *out, size_t max);
#endif
