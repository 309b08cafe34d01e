/* cmd/catalog_open.c - see catalog_open.h. */
#include "cmd/catalog_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct catalog *cmd_catalog_open(struct cmd_opt *opts, struct err *err)
{
    const struct cmd_opt *o = cmd_opt_find(opts, "catalog");
    char dir[4096];
    struct stat st;
    if (o && o->given) {
        if (stat(o->s, &st) != 0 || !S_ISDIR(st.st_mode))
            return err_null(err, ERR_NOT_FOUND, "--catalog %s: no such folder", o->s);
        return catalog_new(o->s, err);
    }
    const bool has_dir = catalog_user_dir(getenv("XDG_CONFIG_HOME"), getenv("HOME"), dir, sizeof(dir));
    return catalog_new(has_dir ? dir : NULL, err);
}

static void put_cell(struct buf *b, const struct catalog_row *r, const char *column)
{
    const char *s = catalog_text(r, column);
    if (!*s)
        buf_puts(b, "null");
    else if (catalog_is_number(column))
        buf_printf(b, "%.10g", catalog_number(r, column));
    else
        buf_put_json_text(b, s);
}

void cmd_catalog_put_row(struct buf *b, const struct catalog_row *r)
{
    const struct catalog_table *t = catalog_table_of(r);
    for (int i = 0; i < catalog_n_columns(t); i++) {
        buf_printf(b, "%s\"%s\":", i ? "," : "{", catalog_column(t, i));
        put_cell(b, r, catalog_column(t, i));
    }
    buf_printf(b, ",\"is_user_row\":%s}", catalog_is_user_row(r) ? "true" : "false");
}

bool cmd_catalog_print(struct buf *b, struct err *err)
{
    const bool ok = buf_ok(b, "catalog", err);
    if (ok)
        printf("%s\n", b->data);
    buf_fini(b);
    return ok;
}
