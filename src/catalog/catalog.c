/* catalog/catalog.c - tables from the binary and from the user's folder; start at catalog_table(). */
#include "catalog/catalog.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "catalog/catalog_internal.h"
#include "catalog/csv.h"

enum { ARENA_BYTES_MAX = 64 << 20, PATH_BYTES_MAX = 4096, TABLES_MAX = 64 };

struct catalog {
    struct arena *arena; /* tables, rows, cells */
    char *user_dir;      /* NULL: none; in the arena */
    struct catalog_table *tables[TABLES_MAX]; /* as catalog_data; NULL until asked for */
};

static const struct {
    const char *name, *help;
} helps[] = {
    { "accelerator", "NPUs and accelerators: memory, TOPS, bus, price" },
    { "cloud", "cloud GPUs: provider, kind, dollars per hour" },
    { "cpu", "CPUs: cores, memory channels, peak, watts, price" },
    { "dock", "eGPU docks: link, supply, connectors, charging" },
    { "ecosystem", "effort to get hardware to work, per system" },
    { "governor", "when a hot, full or flat machine does less, and how" },
    { "gpu", "GPUs: memory, bandwidth, peaks, watts, form, price" },
    { "interconnect", "buses, links and networks: usable GB/s" },
    { "ladder", "what each class of experts falls back to" },
    { "machine", "complete machines with a chip of soc or gpu" },
    { "measured", "measured LLM speeds to compare with" },
    { "model", "models people use: shape, context, licence" },
    { "network", "switches and adapters: ports, rate, watts" },
    { "part", "the rest of a PC: board, case, supply, memory" },
    { "phone", "phones: memory, bandwidth, NPU" },
    { "platform", "CPU platforms: channels, memory rate, chiplets" },
    { "power_board", "wall power of small machines, measured" },
    { "power_card", "idle, inference and training watts of cards" },
    { "price_electricity", "electricity: price per kWh by region and sector" },
    { "price_street", "street prices of hardware, dated" },
    { "protocol", "what a request and its answer cost between two programs" },
    { "quant", "number formats and mixes: bits per weight, quality" },
    { "runtime", "which runtime on which hardware, and how" },
    { "soc", "boards, Jetsons, Apple Silicon: unified memory" },
};

const char *catalog_table_help(int i)
{
    for (size_t k = 0; k < sizeof(helps) / sizeof(helps[0]); k++)
        if (strcmp(helps[k].name, catalog_table_name(i)) == 0)
            return helps[k].help;
    return "";
}

int catalog_n_tables(void) { return catalog_n_data; }
const char *catalog_table_name(int i) { return i >= 0 && i < catalog_n_data ? catalog_data[i].name : ""; }

struct catalog *catalog_new(const char *user_dir, struct err *err)
{
    struct catalog *c = calloc(1, sizeof(*c));
    if (!c)
        return err_null(err, ERR_NOMEM, "catalog: out of memory");
    c->arena = arena_new(ARENA_BYTES_MAX, err);
    if (c->arena && (!user_dir || (c->user_dir = arena_strndup(c->arena, user_dir, strlen(user_dir), err))))
        return c;
    catalog_free(c);
    return NULL;
}

void catalog_free(struct catalog *c)
{
    if (c)
        arena_free(c->arena);
    free(c);
}

bool catalog_is_number(const char *column)
{
    static const char *const units[] = { "_gb", "_gib", "_mib", "_bytes", "_gbps", "_mbps", "_gbitps", "_tflops", "_tops", "_w", "_wh", "_usd",
                                         "_mts", "_ghz", "_mhz", "_tps", "_ms", "_mm", "_b", "_kwh", "_bpw", "_tok", "_frac", "_bits", "_usd_h", "_us", "_px", "_hours", "_gflops" };
    if (strncmp(column, "n_", 2) == 0 || strcmp(column, "year") == 0 || strncmp(column, "bpw", 3) == 0)
        return true;
    const size_t n = strlen(column);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        const size_t u = strlen(units[i]);
        if (n > u && strcmp(column + n - u, units[i]) == 0)
            return true;
    }
    return false;
}

static bool parse_number(const char *text, double *out)
{
    char *end;
    if (!((text[0] >= '0' && text[0] <= '9') || text[0] == '-' || text[0] == '.') || strspn(text, "0123456789.eE+-") != strlen(text))
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

/* "2026", "2026-03" or "2026-03-10" as 20260310 with zeros for what is missing; 0 for anything else. */
static int parse_date(const char *text)
{
    static const char form[] = "dddd-dd-dd";
    const size_t n = strlen(text);
    if (n != 4 && n != 7 && n != 10)
        return 0;
    int date = 0;
    for (size_t i = 0; i < n; i++) {
        const bool is_digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !is_digit : text[i] != '-')
            return 0;
        if (is_digit)
            date = date * 10 + (text[i] - '0');
    }
    date *= n == 4 ? 10000 : n == 7 ? 100 : 1;
    const int month = date / 100 % 100, day = date % 100;
    return date / 10000 < 1970 || month > 12 || day > 31 || (n > 4 && !month) || (n > 7 && !day) ? 0 : date;
}

static const struct catalog_row *row_of(const struct catalog_table *t, const char *name)
{
    for (int i = 0; i < t->n_rows; i++)
        if (strcmp(t->rows[i]->cells[0], name) == 0)
            return t->rows[i];
    return NULL;
}

static bool fail_at(const char *file, const struct csv_record *r, int field, const char *what, struct err *err)
{
    return err_set(err, ERR_INPUT, "%s: line %d, column %d: %s", file, r->field_line[field], r->field_column[field], what);
}

/* What every row must have; columns[] are the names of the record's fields. */
static bool check_record(const char *file, const struct csv_record *r, const char *const *columns, struct err *err)
{
    double v;
    for (int i = 0; i < r->n_fields; i++) {
        const char *cell = r->fields[i], *col = columns[i];
        const size_t n = strlen(cell);
        if ((i == 0 || strcmp(col, "source") == 0) && !n)
            return fail_at(file, r, i, i == 0 ? "the name is empty" : "the source is empty", err);
        if (n && (cell[0] == ' ' || cell[n - 1] == ' '))
            return fail_at(file, r, i, "spaces around the text", err);
        if (strcmp(col, "date") == 0 && !parse_date(cell))
            return fail_at(file, r, i, "a date like 2026, 2026-03 or 2026-03-10 is wanted", err);
        if (n && catalog_is_number(col) && !parse_number(cell, &v))
            return fail_at(file, r, i, "a number is wanted (the unit is in the column's name)", err);
    }
    return true;
}

static bool grow_rows(struct catalog *c, struct catalog_table *t, struct err *err)
{
    if (t->n_rows < t->cap_rows)
        return true;
    const int cap = t->cap_rows ? 2 * t->cap_rows : 256;
    struct catalog_row **rows = arena_alloc(c->arena, (size_t)cap, sizeof(rows[0]), err);
    if (!rows)
        return false;
    if (t->n_rows)
        memcpy(rows, t->rows, (size_t)t->n_rows * sizeof(rows[0]));
    t->rows = rows;
    t->cap_rows = cap;
    return true;
}

/* Puts the record into the table.  to[i] is the table's column of field i.  A row of that name takes the new cells;
 * what the user's row leaves empty stays as it was, and the row's source says so. */
static bool add_record(struct catalog *c, struct catalog_table *t, const char *file, const struct csv_record *r, const int *to, bool is_user, struct err *err)
{
    struct catalog_row *row = (struct catalog_row *)row_of(t, r->fields[0]);
    const struct catalog_row *old = row;
    if (row && row->is_user == is_user)
        return fail_at(file, r, 0, "this name was there already", err);
    row = arena_alloc(c->arena, 1, sizeof(*row), err);
    if (!row || !grow_rows(c, t, err))
        return false;
    row->cells = arena_alloc(c->arena, (size_t)t->n_columns, sizeof(row->cells[0]), err);
    if (!row->cells)
        return false;
    row->table = t;
    row->is_user = is_user;
    for (int i = 0; i < t->n_columns; i++)
        row->cells[i] = old ? old->cells[i] : "";
    for (int i = 0; i < r->n_fields; i++) {
        const int k = to[i];
        if (old && !r->fields[i][0])
            continue;
        if (old && strcmp(t->columns[k], "source") == 0) {
            char both[2 * CSV_FIELD_BYTES_MAX + 64];
            const int n = snprintf(both, sizeof(both), "%s; other columns: %s", r->fields[i], old->cells[k]);
            row->cells[k] = arena_strndup(c->arena, both, (size_t)n, err);
        } else
            row->cells[k] = arena_strndup(c->arena, r->fields[i], strlen(r->fields[i]), err);
        if (!row->cells[k])
            return false;
    }
    if (!old) {
        t->rows[t->n_rows++] = row;
        return true;
    }
    for (int i = 0; i < t->n_rows; i++)
        if (t->rows[i] == old)
            t->rows[i] = row;
    return true;
}

/* The first line: column names.  Of the built-in file they are the table's; of the user's they must be among them. */
static bool read_head(struct catalog *c, struct catalog_table *t, const char *file, const struct csv_record *r, bool is_user, int *to, struct err *err)
{
    bool has_source = false, has_date = false;
    if (strcmp(r->fields[0], "name") != 0)
        return fail_at(file, r, 0, "the first column must be 'name'", err);
    if (!is_user) {
        t->columns = arena_alloc(c->arena, (size_t)r->n_fields, sizeof(t->columns[0]), err);
        if (!t->columns)
            return false;
    }
    for (int i = 0; i < r->n_fields; i++) {
        for (int k = 0; k < i; k++)
            if (strcmp(r->fields[k], r->fields[i]) == 0)
                return fail_at(file, r, i, "this column was there already", err);
        if (!is_user && !(t->columns[i] = arena_strndup(c->arena, r->fields[i], strlen(r->fields[i]), err)))
            return false;
        if (!is_user)
            t->n_columns = i + 1;
        to[i] = catalog_find_column(t, r->fields[i]);
        if (to[i] < 0)
            return fail_at(file, r, i, "the table has no such column (docs/data.md)", err);
        has_source |= strcmp(r->fields[i], "source") == 0;
        has_date |= strcmp(r->fields[i], "date") == 0;
    }
    return (has_source && has_date) || fail_at(file, r, 0, "columns 'source' and 'date' are wanted", err);
}

static bool read_text(struct catalog *c, struct catalog_table *t, const char *file, const char *text, size_t n, bool is_user, struct err *err)
{
    struct csv csv;
    struct csv_record r;
    int to[CSV_FIELDS_MAX], got;
    const char *columns[CSV_FIELDS_MAX];
    csv_init(&csv, file, text, n);
    got = csv_next(&csv, &r, err);
    bool ok = got > 0 ? read_head(c, t, file, &r, is_user, to, err) : got == 0 ? err_set(err, ERR_INPUT, "%s: empty", file) : false;
    for (int i = 0; ok && i < r.n_fields; i++)
        columns[i] = t->columns[to[i]];
    while (ok && (got = csv_next(&csv, &r, err)) > 0)
        ok = check_record(file, &r, columns, err) && add_record(c, t, file, &r, to, is_user, err);
    csv_fini(&csv);
    return ok && got == 0;
}

static bool read_user(struct catalog *c, struct catalog_table *t, struct err *err)
{
    char path[PATH_BYTES_MAX];
    struct stat st;
    const int n = snprintf(path, sizeof(path), "%s/%s.csv", c->user_dir, t->name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return err_set(err, ERR_INPUT, "%s: the path is too long", c->user_dir);
    if (stat(path, &st) != 0)
        return errno == ENOENT || errno == ENOTDIR ? true : err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INPUT, "%s: not a file", path);
    size_t n_bytes;
    char *text = file_read(path, CSV_BYTES_MAX, &n_bytes, err);
    const bool ok = text && read_text(c, t, path, text, n_bytes, true, err);
    free(text);
    return ok;
}

static bool no_table(const char *name, struct err *err)
{
    char all[200] = "";
    size_t len = 0;
    for (int i = 0; i < catalog_n_data && len < sizeof(all); i++)
        len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? " " : "", catalog_data[i].name);
    return err_set(err, ERR_NOT_FOUND, "catalog: no table '%.24s'; there are %s", name, all);
}

bool catalog_check_user_dir(const struct catalog *c, struct err *err)
{
    DIR *d = c->user_dir ? opendir(c->user_dir) : NULL;
    bool ok = true;
    for (struct dirent *e; ok && d && (e = readdir(d));) {
        const size_t n = strlen(e->d_name);
        if (n < 5 || strcmp(e->d_name + n - 4, ".csv") != 0 || e->d_name[0] == '.')
            continue;
        int i = 0;
        while (i < catalog_n_data && !(strlen(catalog_data[i].name) == n - 4 && strncmp(catalog_data[i].name, e->d_name, n - 4) == 0))
            i++;
        if (i == catalog_n_data)
            ok = no_table(e->d_name, err);
    }
    if (d)
        closedir(d);
    return ok;
}

const struct catalog_table *catalog_table(struct catalog *c, const char *name, struct err *err)
{
    for (int i = 0; i < catalog_n_data && i < TABLES_MAX; i++) {
        if (strcmp(catalog_data[i].name, name) != 0)
            continue;
        if (c->tables[i])
            return c->tables[i];
        struct catalog_table *t = arena_alloc(c->arena, 1, sizeof(*t), err);
        if (!t)
            return NULL;
        t->name = catalog_data[i].name;
        if (!read_text(c, t, t->name, catalog_data[i].text, catalog_data[i].n, false, err) || (c->user_dir && !read_user(c, t, err)))
            return NULL;
        return c->tables[i] = t;
    }
    no_table(name, err);
    return NULL;
}

const char *catalog_name_of(const struct catalog_table *t) { return t->name; }
int catalog_n_columns(const struct catalog_table *t) { return t->n_columns; }
const char *catalog_column(const struct catalog_table *t, int i) { return i >= 0 && i < t->n_columns ? t->columns[i] : ""; }

int catalog_find_column(const struct catalog_table *t, const char *column)
{
    for (int i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i], column) == 0)
            return i;
    return -1;
}

int catalog_n_rows(const struct catalog_table *t) { return t->n_rows; }
const struct catalog_row *catalog_row(const struct catalog_table *t, int i) { return i >= 0 && i < t->n_rows ? t->rows[i] : NULL; }

const char *catalog_text(const struct catalog_row *r, const char *column)
{
    const int i = catalog_find_column(r->table, column);
    return i < 0 ? "" : r->cells[i];
}

double catalog_number(const struct catalog_row *r, const char *column)
{
    double v;
    return parse_number(catalog_text(r, column), &v) ? v : NAN;
}

double catalog_number_or(const struct catalog_row *r, const char *column, double otherwise)
{
    const double v = catalog_number(r, column);
    return isnan(v) ? otherwise : v;
}

bool catalog_flag(const struct catalog_row *r, const char *column) { return strcmp(catalog_text(r, column), "yes") == 0; }
int catalog_date(const struct catalog_row *r, const char *column) { return parse_date(catalog_text(r, column)); }
const char *catalog_name(const struct catalog_row *r) { return r->cells[0]; }
const char *catalog_source(const struct catalog_row *r) { return catalog_text(r, "source"); }
bool catalog_is_user_row(const struct catalog_row *r) { return r->is_user; }
const struct catalog_table *catalog_table_of(const struct catalog_row *r) { return r->table; }

bool catalog_user_dir(const char *xdg_config_home, const char *home, char *path, size_t size)
{
    const bool has_xdg = xdg_config_home && xdg_config_home[0] == '/';
    if (!has_xdg && !(home && home[0] == '/'))
        return false;
    const int n = has_xdg ? snprintf(path, size, "%s/tutti/catalog", xdg_config_home) : snprintf(path, size, "%s/.config/tutti/catalog", home);
    struct stat st;
    return n > 0 && (size_t)n < size && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}
