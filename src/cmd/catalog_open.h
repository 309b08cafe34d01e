/* cmd/catalog_open.h - the catalog as the user has it (--catalog DIR, or the folder of the user's configuration), rows as JSON.
 *
 * For:     every subcommand that reads tables.  Touches: XDG_CONFIG_HOME and HOME of the environment.
 */
#ifndef TUTTI_CMD_CATALOG_OPEN_H
#define TUTTI_CMD_CATALOG_OPEN_H
#include "base/buf.h"
#include "catalog/catalog.h"
#include "cmd/cmd.h"

/* The option for a command's table. */
#define CMD_OPT_CATALOG                                                                                                                              \
    {                                                                                                                                                \
        .name = "catalog", .kind = OPT_TEXT, .value = "DIR", .help = "DIR/TABLE.csv adds or overrides rows of the catalog"                           \
    }
/* The caller owns the result (catalog_free).  NULL with err set: a folder given by --catalog that is not there. */
struct catalog *cmd_catalog_open(struct cmd_opt *opts, struct err *err);

/* The row as a JSON object: every column, numbers as numbers, null when not known, and "is_user_row". */
void cmd_catalog_put_row(struct buf *b, const struct catalog_row *r);
/* Prints the JSON and a line end, and frees the buffer.  false with err set: it did not fit. */
bool cmd_catalog_print(struct buf *b, struct err *err);
#endif
