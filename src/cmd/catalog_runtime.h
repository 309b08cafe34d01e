/* cmd/catalog_runtime.h - the chooser of runtimes behind `tutti catalog runtime --for`.
 *
 * For:     cmd/catalog.c.
 */
#ifndef TUTTI_CMD_CATALOG_RUNTIME_H
#define TUTTI_CMD_CATALOG_RUNTIME_H
#include "catalog/catalog.h"
#include "cmd/cmd.h"

/* Prints as --for, --task, --model, --mem, --os, --port, --command and --json say; runtimes is the table `runtime`. */
bool cmd_catalog_choose(struct catalog *cat, const struct catalog_table *runtimes, struct cmd_opt *opts, struct err *err);
#endif
