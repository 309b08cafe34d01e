/* catalog/csv.c - see csv.h; start at csv_next(). */
#include "catalog/csv.h"

#include <string.h>

#include "base/utf8.h"

void csv_init(struct csv *c, const char *name, const char *text, size_t n)
{
    *c = (struct csv){ .name = name, .text = text, .n = n, .line = 1 };
    buf_init(&c->bytes, (size_t)CSV_FIELDS_MAX * (CSV_FIELD_BYTES_MAX + 1));
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* spreadsheets put a byte order mark in front */
        c->at = c->line_start = 3;
}

void csv_fini(struct csv *c) { buf_fini(&c->bytes); }

static int fail(const struct csv *c, size_t at, const char *what, struct err *err)
{
    err_set(err, ERR_INPUT, "%s: line %d, column %zu: %s", c->name, c->line, at - c->line_start + 1, what);
    return -1;
}

/* The line end at `at`: 1 or 2 bytes, 0 when there is none. */
static size_t line_end(const struct csv *c, size_t at)
{
    if (at < c->n && c->text[at] == '\n')
        return 1;
    return at + 1 < c->n && c->text[at] == '\r' && c->text[at + 1] == '\n' ? 2 : 0;
}

static void next_line(struct csv *c, size_t n_end)
{
    c->at += n_end;
    c->line++;
    c->line_start = c->at;
}

/* Copies the character at c->at; false with err set when it may not be in a field. */
static bool copy_char(struct csv *c, size_t from, struct err *err)
{
    uint32_t cp;
    const unsigned char b = (unsigned char)c->text[c->at];
    const size_t len = utf8_decode(c->text + c->at, c->n - c->at, &cp);
    if (len == 0)
        return fail(c, c->at, "not UTF-8", err) > 0;
    if (b < 0x20 || b == 0x7f)
        return fail(c, c->at, b == '\r' ? "a carriage return without a line feed" : "a control character", err) > 0;
    if (c->bytes.len - from + len > CSV_FIELD_BYTES_MAX)
        return fail(c, c->at, "the field is longer than 4096 bytes", err) > 0;
    buf_append(&c->bytes, c->text + c->at, len);
    c->at += len;
    return true;
}

static bool read_quoted(struct csv *c, struct err *err)
{
    const size_t from = c->bytes.len, opened_at = c->at, opened_start = c->line_start;
    const int opened = c->line;
    c->at++;
    for (;;) {
        if (c->at >= c->n) {
            err_set(err, ERR_INPUT, "%s: line %d, column %zu: the quote is never closed", c->name, opened, opened_at - opened_start + 1);
            return false;
        }
        const size_t end = line_end(c, c->at);
        if (end) {
            if (c->bytes.len - from >= CSV_FIELD_BYTES_MAX)
                return fail(c, c->at, "the field is longer than 4096 bytes", err) > 0;
            buf_putc(&c->bytes, '\n');
            next_line(c, end);
        } else if (c->text[c->at] != '"') {
            if (!copy_char(c, from, err))
                return false;
        } else if (c->at + 1 < c->n && c->text[c->at + 1] == '"') {
            if (c->bytes.len - from >= CSV_FIELD_BYTES_MAX)
                return fail(c, c->at, "the field is longer than 4096 bytes", err) > 0;
            buf_putc(&c->bytes, '"');
            c->at += 2;
        } else {
            c->at++;
            break;
        }
    }
    if (c->at < c->n && c->text[c->at] != ',' && !line_end(c, c->at))
        return fail(c, c->at, "text behind a closing quote", err) > 0;
    return true;
}

static bool read_bare(struct csv *c, struct err *err)
{
    const size_t from = c->bytes.len;
    while (c->at < c->n && c->text[c->at] != ',' && !line_end(c, c->at)) {
        if (c->text[c->at] == '"')
            return fail(c, c->at, "a quote inside a field that does not begin with one", err) > 0;
        if (!copy_char(c, from, err))
            return false;
    }
    return true;
}

int csv_next(struct csv *c, struct csv_record *r, struct err *err)
{
    size_t starts[CSV_FIELDS_MAX];
    if (c->n > CSV_BYTES_MAX) {
        err_set(err, ERR_LIMIT, "%s: %zu bytes; at most %d are read", c->name, c->n, CSV_BYTES_MAX);
        return -1;
    }
    if (c->at >= c->n)
        return 0;
    if (c->n_records >= CSV_RECORDS_MAX)
        return fail(c, c->at, "more than 10000 records", err);
    r->n_fields = 0;
    r->line = c->line;
    buf_clear(&c->bytes);
    for (bool is_last = false; !is_last;) {
        if (r->n_fields >= CSV_FIELDS_MAX || (c->n_fields && r->n_fields >= c->n_fields))
            return fail(c, c->at, c->n_fields ? "more fields than the first line has" : "more than 64 fields", err);
        starts[r->n_fields] = c->bytes.len;
        r->field_line[r->n_fields] = c->line;
        r->field_column[r->n_fields] = (int)(c->at - c->line_start + 1);
        r->n_fields++;
        if (!(c->at < c->n && c->text[c->at] == '"' ? read_quoted(c, err) : read_bare(c, err)))
            return -1;
        buf_putc(&c->bytes, '\0');
        is_last = c->at >= c->n || c->text[c->at] != ',';
        if (!is_last)
            c->at++;
    }
    if (c->n_fields && r->n_fields < c->n_fields) {
        err_set(err, ERR_INPUT, "%s: line %d: %d fields where the first line has %d", c->name, c->line, r->n_fields, c->n_fields);
        return -1;
    }
    if (!buf_ok(&c->bytes, c->name, err))
        return -1;
    for (int i = 0; i < r->n_fields; i++)
        r->fields[i] = c->bytes.data + starts[i];
    c->n_fields = r->n_fields;
    c->n_records++;
    const size_t end = line_end(c, c->at);
    if (end)
        next_line(c, end);
    return 1;
}
