/* cmd/out.c - text tables, wrapped text, colour; start at out_table_print(). */
#include "cmd/out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 16 << 20, GAP = 2, SHRUNK_MIN = 6 };

void out_table_init(struct out_table *t, const struct out_column *columns, int n_columns)
{
    *t = (struct out_table){ .n_columns = n_columns < OUT_COLUMNS_MAX ? n_columns : OUT_COLUMNS_MAX };
    memcpy(t->columns, columns, (size_t)t->n_columns * sizeof(columns[0]));
    buf_init(&t->text, TEXT_BYTES_MAX);
    buf_init(&t->styles, TEXT_BYTES_MAX);
}

void out_table_fini(struct out_table *t)
{
    buf_fini(&t->text);
    buf_fini(&t->styles);
}

static void end_row(struct out_table *t)
{
    for (; t->n_rows && t->n_cells < t->n_columns; t->n_cells++)
        buf_putc(&t->text, '\0');
}

void out_row(struct out_table *t)
{
    end_row(t);
    t->n_rows++;
    t->n_cells = 0;
    buf_putc(&t->styles, OUT_PLAIN);
}

void out_row_style(struct out_table *t, enum out_style style)
{
    if (t->n_rows && !t->styles.failed)
        t->styles.data[t->styles.len - 1] = (char)style;
}

void out_cell(struct out_table *t, const char *fmt, ...)
{
    if (!t->n_rows || t->n_cells >= t->n_columns)
        return;
    const size_t from = t->text.len;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&t->text, fmt, ap);
    va_end(ap);
    for (size_t i = from; i < t->text.len; i++) /* what comes from files must not steer the terminal */
        if ((unsigned char)t->text.data[i] < ' ' || t->text.data[i] == 0x7f)
            t->text.data[i] = ' ';
    buf_putc(&t->text, '\0');
    t->n_cells++;
}

const char *out_format_number(char text[32], double v)
{
    const double a = fabs(v);
    if (isnan(v))
        return "-";
    if (a != 0 && (a >= 1e12 || a < 1e-4))
        snprintf(text, 32, "%.3g", v);
    else
        snprintf(text, 32, "%.*f", a >= 99.95 || v == floor(v) ? 0 : a >= 9.995 ? 1 : a >= 0.0995 ? 2 : 4, v);
    return text;
}

void out_number(struct out_table *t, double v)
{
    char text[32];
    out_cell(t, "%s", out_format_number(text, v));
}

int out_text_width(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Prints at most `width` columns of s, elided with "~", and fills up with spaces; the last left column is not filled. */
static void print_cell(FILE *to, const char *s, int width, bool is_right, bool is_last)
{
    const int have = out_text_width(s);
    if (have > width) {
        int n = 0;
        const char *end = s;
        while (*end && (n < width - 1 || ((unsigned char)*end & 0xc0) == 0x80)) {
            end++;
            n += ((unsigned char)*end & 0xc0) != 0x80;
        }
        fprintf(to, "%.*s~", (int)(end - s), s);
        return;
    }
    if (is_right)
        fprintf(to, "%*s", width - have, "");
    fputs(s, to);
    if (!is_right && !is_last)
        fprintf(to, "%*s", width - have, "");
}

static int total(const int *w, int n)
{
    int sum = GAP * (n - 1);
    for (int i = 0; i < n; i++)
        sum += w[i];
    return sum;
}

/* Takes from the widest of the columns that may shrink, then from the widest of all. */
static void shrink(const struct out_table *t, int *w, int width)
{
    while (total(w, t->n_columns) > width) {
        int widest = -1;
        for (int pass = 0; pass < 2 && widest < 0; pass++)
            for (int i = 0; i < t->n_columns; i++)
                if ((pass || (t->columns[i].flags & OUT_SHRINK)) && w[i] > (pass ? 1 : SHRUNK_MIN) && (widest < 0 || w[i] > w[widest]))
                    widest = i;
        if (widest < 0)
            return;
        w[widest]--;
    }
}

static void print_line(const struct out_table *t, FILE *to, const char *const *cells, const int *w)
{
    int last = t->n_columns - 1; /* no spaces behind the last text of a line */
    while (last > 0 && !cells[last][0])
        last--;
    for (int i = 0; i <= last; i++) {
        if (i)
            fprintf(to, "%*s", GAP, "");
        print_cell(to, cells[i], w[i], t->columns[i].flags & OUT_RIGHT, i == last);
    }
}

bool out_table_print(const struct out_table *table, FILE *to, int width, struct err *err)
{
    struct out_table *t = (struct out_table *)table; /* the last row may lack cells: filled up here */
    end_row(t);
    if (!buf_ok(&t->text, "table", err) || !buf_ok(&t->styles, "table", err))
        return false;
    int w[OUT_COLUMNS_MAX] = { 0 };
    const char *cells[OUT_COLUMNS_MAX];
    const char *p = t->text.data;
    for (int i = 0; i < t->n_columns; i++)
        w[i] = out_text_width(t->columns[i].title);
    for (int r = 0; r < t->n_rows; r++)
        for (int i = 0; i < t->n_columns; i++, p += strlen(p) + 1)
            if (out_text_width(p) > w[i])
                w[i] = out_text_width(p);
    shrink(t, w, width);
    for (int i = 0; i < t->n_columns; i++)
        cells[i] = t->columns[i].title;
    fputs(out_style(to, OUT_BOLD), to);
    print_line(t, to, cells, w);
    fprintf(to, "%s\n", out_style_end(to));
    p = t->text.data;
    for (int r = 0; r < t->n_rows; r++) {
        const enum out_style style = (enum out_style)t->styles.data[r];
        for (int i = 0; i < t->n_columns; i++, p += strlen(p) + 1)
            cells[i] = p;
        fputs(out_style(to, style), to);
        print_line(t, to, cells, w);
        fprintf(to, "%s\n", style != OUT_PLAIN ? out_style_end(to) : "");
    }
    return true;
}

static bool wants_colour(FILE *to)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(to)) && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

const char *out_style(FILE *to, enum out_style style)
{
    static const char *const codes[OUT_STYLE_COUNT] = { "", "\033[1m", "\033[2m", "\033[32m", "\033[33m", "\033[31m" };
    return wants_colour(to) ? codes[style] : "";
}

const char *out_style_end(FILE *to) { return wants_colour(to) ? "\033[0m" : ""; }

void out_wrap(FILE *to, int indent, int width, const char *text)
{
    const int room = width - indent > 8 ? width - indent : 8;
    int used = 0;
    for (const char *p = text; *p;) {
        while (*p == ' ' || *p == '\n')
            p++;
        int n_bytes = 0, n = 0; /* the next word, or what of it fits a line */
        while (p[n_bytes] && p[n_bytes] != ' ' && p[n_bytes] != '\n' && (n < room || ((unsigned char)p[n_bytes] & 0xc0) == 0x80))
            n += ((unsigned char)p[n_bytes++] & 0xc0) != 0x80;
        if (!n_bytes)
            break;
        if (used && used + 1 + n > room) {
            fputc('\n', to);
            used = 0;
        }
        fprintf(to, "%*s", used ? 1 : indent, "");
        for (int i = 0; i < n_bytes; i++) /* as in out_cell() */
            fputc((unsigned char)p[i] < ' ' || p[i] == 0x7f ? '?' : p[i], to);
        used += (used ? 1 : 0) + n;
        p += n_bytes;
    }
    fputc('\n', to);
}
