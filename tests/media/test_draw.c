/* tests/media/test_draw.c - boxes lie where they should, letters are all there, and OCR reads what we write. */
#include "media/draw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drawn.h"
#include "proc/ask.h"
#include "proc/child.h"

static const struct draw_colour BLACK = { 0, 0, 0 }, RED = { 255, 0, 0 };

static void white(struct image *im, int w, int h, int n_channels)
{
    struct err err;
    if (!image_resize_memory(im, w, h, n_channels, &err))
        abort();
    memset(im->px, 255, im->stride * (size_t)h);
}

static int n_dark(const struct image *im, int x, int y, int w, int h)
{
    const struct image v = image_view(im, x, y, w, h);
    int n = 0;
    for (int j = 0; j < v.h; j++)
        for (int i = 0; i < v.w; i++)
            n += v.px[(size_t)j * v.stride + (size_t)(i * v.n_channels)] < 128;
    return n;
}

TEST(a_box_is_drawn_inwards_and_cut_at_the_edges)
{
    struct image im = { 0 };
    white(&im, 100, 80, 3);
    draw_rect(&im, 10, 20, 30, 25, 2, BLACK);
    CHECK(n_dark(&im, 10, 20, 30, 25) == 30 * 25 - 26 * 21 && n_dark(&im, 0, 0, 100, 80) == 30 * 25 - 26 * 21);
    static const int wild[][4] = { { -50, -50, 20, 20 }, { 90, 70, 500, 500 }, { -10, 5, 2000000000, 3 }, { 5, 5, 0, 0 }, { 5, 5, -9, -9 }, { 2147483000, 0, 100, 100 } };
    for (size_t i = 0; i < sizeof(wild) / sizeof(*wild); i++) {
        draw_fill(&im, wild[i][0], wild[i][1], wild[i][2], wild[i][3], RED);
        if (wild[i][2] < 1000000000)
            draw_rect(&im, wild[i][0] / 2, wild[i][1], wild[i][2], wild[i][3], 3, RED);
    }
    CHECK(im.px[(size_t)75 * im.stride + 95 * 3] == 255 && im.px[(size_t)75 * im.stride + 95 * 3 + 1] == 0);
    image_fini(&im);
}

TEST(every_character_leaves_its_own_mark)
{
    struct image im = { 0 };
    uint64_t seen[96];
    for (int c = '!'; c <= '~' + 1; c++) {
        const char text[3] = { (char)(c <= '~' ? c : 0xC3), c <= '~' ? 0 : (char)0xA9, 0 };
        white(&im, 60, 60, 1);
        const int w = draw_text(&im, 5, 5, 40, BLACK, text);
        CHECK(w == draw_text_width(40, text) && w > 5 && w < 45, "'%s' is %d wide", text, w);
        CHECK(n_dark(&im, 0, 0, 60, 60) > 12 && n_dark(&im, 0, 0, 60, 60) == n_dark(&im, 5, 5, w, 50), "'%s' stays in its place", text);
        uint64_t hash = 1469598103934665603u;
        for (int i = 0; i < 3600; i++)
            hash = (hash ^ im.px[i]) * 1099511628211u;
        for (int k = 0; k < c - '!'; k++)
            CHECK(seen[k] != hash, "'%s' looks like '%c'", text, '!' + k);
        seen[c - '!'] = hash;
    }
    image_fini(&im);
}

TEST(text_and_boxes_beyond_the_picture_are_cut_off)
{
    struct image im = { 0 };
    white(&im, 50, 40, 3);
    static const int at[][2] = { { -1000, 5 }, { 45, 35 }, { 5, -20 }, { 1000000, 3 }, { -2000000000, 0 }, { 0, 2000000000 } };
    for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
        draw_text(&im, at[i][0], at[i][1], 30, BLACK, "Wide text that goes on");
    const struct draw_box boxes[] = {
        { .x = -5, .y = -5, .w = 30, .h = 20, .label = "cat", .score = 0.5f }, { .x = NAN, .y = INFINITY, .w = -INFINITY, .h = 1e30f, .label = "dog" },
        { .x = 30, .y = 30, .w = 500, .h = 500, .label = "a very long label that does not fit at all", .score = 1, .n_points = 2, .points = { { 35, 35 }, { NAN, -INFINITY } } },
    };
    draw_boxes(&im, boxes, 3);
    white(&im, 300, 200, 3);
    draw_boxes(&im, &(struct draw_box){ .x = 50, .y = 60, .w = 100, .h = 80, .label = "person", .score = 0.87f }, 1);
    const uint8_t *edge = im.px + (size_t)100 * im.stride + 50 * 3, *inside = im.px + (size_t)100 * im.stride + 90 * 3;
    CHECK(edge[0] + edge[1] + edge[2] < 600 && inside[0] == 255 && inside[1] == 255 && inside[2] == 255);
    image_fini(&im);
}

TEST(a_page_breaks_lines_and_grows_with_its_text)
{
    struct image one = { 0 }, two = { 0 };
    struct err err = { 0 };
    REQUIRE(draw_page("Short.", 30, 600, &one, &err), "%s", err.text);
    CHECK(one.w < 200 && one.h == 37 + 60, "%d x %d", one.w, one.h);
    REQUIRE(draw_page("A sentence that is longer than one line of this page can be, even so.\nAnd another.", 30, 600, &two, &err), "%s", err.text);
    CHECK(two.w <= 600 && two.h == 3 * 37 + 60, "%d x %d", two.w, two.h);
    REQUIRE(draw_page("Wordwithoutanyspacethatislongerthanapageiswideandsoitmustbebrokensomewhere", 30, 300, &two, &err) && two.w <= 300, "%d", two.w);
    CHECK(draw_page("", 30, 300, &two, &err) && two.h == 60);
    CHECK(!draw_page("x", 30, 70, &two, &err) && !draw_page("x", NAN, 300, &two, &err) && err.code == ERR_INPUT);
    image_fini(&one), image_fini(&two);
}

TEST(ocr_reads_what_we_write)
{
    static const char sentence[] = "Tutti draws this sentence and reads it again: 24 apples, 3.50 each.";
    char path[CHILD_PATH_BYTES], text[512];
    if (!child_find("tesseract", path))
        SKIP("no tesseract (apt-get install tesseract-ocr)");
    setenv("OMP_THREAD_LIMIT", "1", 1); /* else its threads fight for the cores */
    for (int size = 24; size <= 40; size += 16) {
        struct image im = { 0 };
        struct err err = { 0 };
        struct buf png;
        buf_init(&png, 1 << 24);
        REQUIRE(draw_page(sentence, (float)size, 1600, &im, &err) && image_encode_png(&im, &png, &err), "%s", err.text);
        const char *file = test_tmp("page.png");
        FILE *f = fopen(file, "wb");
        REQUIRE(f && fwrite(png.data, 1, png.len, f) == png.len && fclose(f) == 0);
        const char *argv[] = { "tesseract", file, "-", NULL };
        size_t n = 0;
        if (ask_program(argv, 60000, text, sizeof(text), &n) != ASK_DONE)
            SKIP("tesseract does not run (no English data?)");
        text[strcspn(text, "\n")] = '\0';
        CHECK(strcmp(text, sentence) == 0, "%d px: %s", size, text);
        buf_fini(&png), image_fini(&im);
    }
}
