/* cmd/fit_internal.h - the parts of `tutti fit`, one file each.
 *
 * For:     cmd/fit*.c alone.
 * Rule:    each returns an exit status, its error line already printed.
 */
#ifndef TUTTI_CMD_FIT_INTERNAL_H
#define TUTTI_CMD_FIT_INTERNAL_H

struct catalog;

/* The table at path ("-": stdin) with pred_pp pred_tg pp_low pp_high tg_low tg_high added, as TSV on stdout. */
int fit_rows(const char *path, struct catalog *c);
#endif
