/* catalog/catalog.h - tables of facts: hardware, models, number formats, runtimes, prices.
 *
 * For:     plan's callers (advise/), expert/, bench/, cmd/.  The tables are data/<table>.csv, inside the binary; a user's
 *          DIR/<table>.csv adds rows to them or overrides those of the same name: the cells it fills, the others stay.
 * Touches: the user's files, when a table is first asked for.  Never the network, never this machine's hardware.
 * Thread:  one owner at a time: tables are read when they are first asked for.
 * Rule:    every row has a unique `name`, a `source` and a `date`; rows never change and live as long as their catalog.
 *          An empty cell is "not known".  The unit is in the column's name (mem_gb, mem_bw_gbps, tdp_w, price_usd), and
 *          with it whether its cells are numbers.  docs/data.md lists the tables and their columns.
 */
#ifndef TUTTI_CATALOG_CATALOG_H
#define TUTTI_CATALOG_CATALOG_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct catalog;
struct catalog_table;
struct catalog_row;

/* user_dir: a folder with <table>.csv files, or NULL for the built-in rows alone.  A folder that is not there is fine
 * when it is the default one; catalog_new() itself opens nothing.  The caller owns the result. */
struct catalog *catalog_new(const char *user_dir, struct err *err);
void catalog_free(struct catalog *c); /* NULL is fine */

/* All tables there are, alphabetical. */
int catalog_n_tables(void);
const char *catalog_table_name(int i);
const char *catalog_table_help(int i); /* one line: what its rows are */

/* The table, read now or earlier; borrowed from the catalog.  NULL with err set: no such table (err names them), or
 * the user's file is wrong (err has file, line and column). */
const struct catalog_table *catalog_table(struct catalog *c, const char *name, struct err *err);

const char *catalog_name_of(const struct catalog_table *t);
int catalog_n_columns(const struct catalog_table *t);
const char *catalog_column(const struct catalog_table *t, int i);
int catalog_find_column(const struct catalog_table *t, const char *column); /* -1: none */
bool catalog_is_number(const char *column); /* by the unit in its name */

int catalog_n_rows(const struct catalog_table *t);
const struct catalog_row *catalog_row(const struct catalog_table *t, int i); /* built-in order, then the user's */

/* Cells, by the column's name.  A column that the table does not have is like an empty cell. */
const char *catalog_text(const struct catalog_row *r, const char *column);   /* "" when not known; never NULL */
double catalog_number(const struct catalog_row *r, const char *column);      /* NAN when not known or no number */
double catalog_number_or(const struct catalog_row *r, const char *column, double otherwise);
bool catalog_flag(const struct catalog_row *r, const char *column);          /* "yes" */
int catalog_date(const struct catalog_row *r, const char *column);           /* 20260310; 20260300, 20260000 when only that is known; 0 */
const char *catalog_name(const struct catalog_row *r);
const char *catalog_source(const struct catalog_row *r);
bool catalog_is_user_row(const struct catalog_row *r); /* added or overridden by the user's file */
const struct catalog_table *catalog_table_of(const struct catalog_row *r);

/* How people write names: case, spaces, punctuation, vendor prefixes ("NVIDIA GeForce", "(R)"), a CPU's "@ 3.4GHz" do
 * not matter: "rtx4090", "NVIDIA GeForce RTX 4090" and "4090" find the row "GeForce RTX 4090".
 * The one row that is meant, borrowed.  NULL with err set: several are meant (err lists them), or none (err says which
 * names are near). */
const struct catalog_row *catalog_find(const struct catalog_table *t, const char *query, struct err *err);
/* The same in several tables, their names separated by spaces ("gpu soc cpu"): a better match wins, then the earlier table. */
const struct catalog_row *catalog_find_in(struct catalog *c, const char *tables, const char *query, struct err *err);
/* All rows that the query may mean, best kind of match only, at most max; their number. */
int catalog_find_all(const struct catalog_table *t, const char *query, const struct catalog_row **rows, int max);

/* Is every *.csv of the user's folder the file of a table?  false with err set: one is not (its name, and the tables). */
bool catalog_check_user_dir(const struct catalog *c, struct err *err);
/* $XDG_CONFIG_HOME/tutti/catalog or $HOME/.config/tutti/catalog when that folder exists; false: there is none. */
bool catalog_user_dir(const char *xdg_config_home, const char *home, char *path, size_t size);
#endif
