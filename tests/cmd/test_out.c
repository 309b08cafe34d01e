/* tests/cmd/test_out.c - tables for people stay inside 80 columns. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/out.h"
#include "test.h"

static char shown[8192];

static bool show(const struct out_table *t, int width)
{
    struct err err = { 0 };
    FILE *f = fopen(test_tmp("out"), "w+");
    const bool ok = f && out_table_print(t, f, width, &err);
    if (f) {
        rewind(f);
        shown[fread(shown, 1, sizeof(shown) - 1, f)] = '\0';
        fclose(f);
    }
    return ok;
}

static int widest(void)
{
    int max = 0;
    for (char *p = shown, *end; (end = strchr(p, '\n')); p = end + 1) {
        *end = '\0';
        max = out_text_width(p) > max ? out_text_width(p) : max;
        *end = '\n';
    }
    return max;
}

TEST(columns_are_aligned)
{
    struct out_table t;
    out_table_init(&t, (const struct out_column[]){ { "name", OUT_LEFT }, { "GB/s", OUT_RIGHT }, { "note", OUT_LEFT } }, 3);
    out_row(&t), out_cell(&t, "RTX 4090"), out_number(&t, 1008), out_cell(&t, "fast");
    out_row(&t), out_cell(&t, "\xc3\x84rger"), out_number(&t, 33.58);
    CHECK(show(&t, OUT_WIDTH));
    CHECK(strcmp(shown, "name      GB/s  note\nRTX 4090  1008  fast\n\xc3\x84rger     33.6\n") == 0, "%s", shown);
    out_table_fini(&t);
}

TEST(no_line_is_wider_than_asked)
{
    struct out_table t;
    out_table_init(&t, (const struct out_column[]){ { "name", OUT_SHRINK }, { "a", OUT_RIGHT }, { "source", OUT_SHRINK } }, 3);
    out_row(&t), out_cell(&t, "a name that goes on and on, as names of graphics cards do nowadays"), out_number(&t, 1e6), out_cell(&t, "https://example.org/a/very/long/address/of/a/page/in/the/web");
    CHECK(show(&t, OUT_WIDTH) && widest() <= 80, "%s", shown);
    CHECK(strstr(shown, "1000000") && strstr(shown, "~"), "numbers stay whole: %s", shown);
    CHECK(show(&t, 30) && widest() <= 30, "%s", shown);
    CHECK(show(&t, 9) && widest() <= 9, "%s", shown);
    out_table_fini(&t);
}

TEST(empty_tables_and_too_many_cells)
{
    struct out_table t;
    out_table_init(&t, (const struct out_column[]){ { "x", OUT_LEFT } }, 1);
    CHECK(show(&t, 80) && strcmp(shown, "x\n") == 0, "%s", shown);
    out_cell(&t, "before the first row");
    out_row(&t), out_cell(&t, "1"), out_cell(&t, "2");
    CHECK(show(&t, 80) && strcmp(shown, "x\n1\n") == 0, "%s", shown);
    out_row(&t), out_cell(&t, "esc\033[31m"), out_row_style(&t, OUT_BAD);
    CHECK(show(&t, 80) && !strchr(shown, '\033'), "no escapes into a file, whatever the cells say");
    out_table_fini(&t);
}

TEST(numbers_keep_three_digits)
{
    char b[32];
    CHECK(strcmp(out_format_number(b, NAN), "-") == 0);
    CHECK(strcmp(out_format_number(b, 0), "0") == 0);
    CHECK(strcmp(out_format_number(b, 1792), "1792") == 0);
    CHECK(strcmp(out_format_number(b, 17.07), "17.1") == 0);
    CHECK(strcmp(out_format_number(b, 3.6), "3.60") == 0);
    CHECK(strcmp(out_format_number(b, 0.614), "0.61") == 0);
    CHECK(strcmp(out_format_number(b, -99.96), "-100") == 0);
}

TEST(text_is_wrapped)
{
    FILE *f = fopen(test_tmp("wrap"), "w+");
    REQUIRE(f);
    out_wrap(f, 2, 20, "the quick brown fox jumps over the lazy\033dog, anincrediblylongwordthatfitsnowhere");
    rewind(f);
    shown[fread(shown, 1, sizeof(shown) - 1, f)] = '\0';
    fclose(f);
    CHECK(widest() <= 20 && strncmp(shown, "  the quick brown\n  fox", 23) == 0 && strstr(shown, "lazy?dog"), "%s", shown);
}
