/* advise/preset.h - this machine's row of the runtime table: for launching native runtimes, and for our own experts.
 *
 * For:     cmd/ and serve/, which hand the result to expert/.  Touches: the catalog.
 * Rule:    a row for the very device wins over one for its class, that over the generic default.  What is taken is said.
 */
#ifndef TUTTI_ADVISE_PRESET_H
#define TUTTI_ADVISE_PRESET_H
#include "catalog/choose.h"
#include "hw/machine.h"
#include "task/preset.h"

/* What a native runtime would run on here: the GPU with the most memory, else the board or CPU.  Texts are borrowed from the
 * machine and the catalog.  row (may be NULL): the catalog's row of it, or NULL. */
void advise_runtime_host(struct catalog *cat, const struct hw_machine *m, struct runtime_host *out, const struct catalog_row **row);
/* The same without GPUs: what our own experts run on. */
void advise_cpu_host(struct catalog *cat, const struct hw_machine *m, struct runtime_host *out);

/* For our own experts, which run on the CPU.  name: NULL "auto" (by the machine), "none" (generic defaults only), or a device of
 * the catalog.  false with err: no such device. */
bool advise_presets(struct catalog *cat, const struct hw_machine *m, const char *name, struct task_presets *out, struct err *err);
/* "vision: Raspberry Pi 5: vision, ONNX Runtime CPU (device): INT8, 4 threads, batches of 8", one line for each modality. */
void advise_put_presets(struct buf *out, const struct task_presets *p);
#endif
