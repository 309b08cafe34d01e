/* tests/task/test_ocr_order.c - the order in which a page is read. */
#include <string.h>

#include "task/ocr_order.h"
#include "test.h"

struct piece { float x, y, w, h; char name; };

static void read_page(const struct piece *p, int n, char *out) /* names in order, '|' between rows */
{
    struct ocr_item items[64];
    int order[64], scratch[64], len = 0;
    for (int i = 0; i < n; i++)
        items[i] = (struct ocr_item) { p[i].x, p[i].y, p[i].w, p[i].h, -1 };
    ocr_order(items, n, order, scratch);
    for (int i = 0; i < n; i++) {
        if (i > 0 && items[order[i]].row != items[order[i - 1]].row)
            out[len++] = '|';
        out[len++] = p[order[i]].name;
    }
    out[len] = '\0';
}
#define READ(p, want)                                                                              \
    do {                                                                                           \
        char got[128];                                                                             \
        read_page(p, sizeof(p) / sizeof(*(p)), got);                                               \
        CHECK(strcmp(got, want) == 0, "got %s", got);                                              \
    } while (0)

TEST(a_table_is_read_row_by_row)
{
    static const struct piece receipt[] = {
        { 230, 101, 60, 20, 'd' }, { 30, 98, 80, 22, 'c' }, { 30, 140, 60, 20, 'e' }, { 232, 144, 60, 20, 'f' },
        { 30, 10, 170, 24, 'a' }, { 30, 60, 190, 24, 'b' },
    };
    READ(receipt, "a|b|cd|ef");
}

TEST(rows_that_drift_or_differ_in_height_stay_rows)
{
    static const struct piece slope[] = {
        { 0, 0, 50, 20, 'a' }, { 60, 4, 50, 20, 'b' }, { 120, 8, 50, 20, 'c' }, { 0, 30, 50, 20, 'd' }, { 60, 34, 50, 20, 'e' },
    };
    READ(slope, "abc|de");
    static const struct piece heading[] = { { 100, 0, 200, 60, 'b' }, { 0, 30, 50, 20, 'a' }, { 0, 70, 50, 20, 'c' } };
    READ(heading, "ab|c");
}

TEST(columns_of_running_text_are_read_one_after_the_other)
{
    static const struct piece page[] = {
        { 50, 0, 900, 40, 'T' },
        { 0, 100, 400, 20, 'a' }, { 520, 102, 400, 20, 'e' },
        { 0, 130, 400, 20, 'b' }, { 520, 131, 390, 20, 'f' },
        { 0, 160, 380, 20, 'c' }, { 520, 161, 400, 20, 'g' },
        { 0, 190, 200, 20, 'd' }, { 520, 190, 300, 20, 'h' },
    };
    READ(page, "T|a|b|c|d|e|f|g|h");
}

TEST(nothing_and_many_are_fine)
{
    struct ocr_item items[64];
    int order[64], scratch[64];
    ocr_order(items, 0, order, scratch);
    for (int round = 0; round < 50; round++) {
        bool seen[64] = { false };
        for (int i = 0; i < 64; i++)
            items[i] = (struct ocr_item) { test_rand_f32() * 500, test_rand_f32() * 500, test_rand_f32() * 300, test_rand_f32() * 40, -1 };
        ocr_order(items, 64, order, scratch);
        for (int i = 0; i < 64; i++) {
            CHECK(order[i] >= 0 && order[i] < 64 && !seen[order[i]]);
            seen[order[i]] = true;
            CHECK(i == 0 || items[order[i]].row == items[order[i - 1]].row || items[order[i]].row == items[order[i - 1]].row + 1);
        }
    }
}
