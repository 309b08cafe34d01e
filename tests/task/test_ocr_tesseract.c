/* tests/task/test_ocr_tesseract.c - what is read from the shared pictures, beside what the tesseract command reads. */
#include <unistd.h>

#include "ocr_truth.h"
#include "try_task.h"

static const char card_text[] = "task: ocr\nkind: tesseract\n";

/* The command's words with one space between, or "" when there is no command. */
static void ask_command(const char *path, char *out, size_t max)
{
    char line[800];
    out[0] = '\0';
    snprintf(line, sizeof(line), "OMP_THREAD_LIMIT=1 tesseract '%s' - 2>/dev/null", path);
    FILE *f = popen(line, "r");
    size_t n = 0;
    for (int c; f && (c = fgetc(f)) != EOF && n + 2 < max;) {
        const bool is_white = c == ' ' || c == '\n' || c == '\f';
        if (!is_white)
            out[n++] = (char)c;
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    if (f)
        pclose(f);
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

TEST(the_shared_pictures_are_read_no_worse_than_by_the_command)
{
    char models[512];
    snprintf(models, sizeof(models), "%s", test_shared("models"));
    struct try_task t;
    TRY_OPEN(&t, card_text, models);
    for (int i = 0; i < N_TRUTHS; i++) {
        char path[700], theirs[8192];
        snprintf(path, sizeof(path), "%s/media/text/%s", models, truths[i].file);
        REQUIRE(try_file(&t, EXPERT_OCR, path), "%s: %s", truths[i].file, t.err.text);
        const double ms = (double)(clock_ns() - t.began_ns) / 1e6;
        const int ours_wrong = try_distance(t.text.data, truths[i].text);
        ask_command(path, theirs, sizeof(theirs));
        const int theirs_wrong = try_distance(theirs, truths[i].text);
        printf("# %s: %d of %zu characters wrong, the command: %d; %.0f ms\n", truths[i].file, ours_wrong, strlen(truths[i].text), theirs_wrong, ms);
        if (theirs[0])
            CHECK(ours_wrong <= theirs_wrong, "%s: ours \"%s\", theirs \"%s\"", truths[i].file, t.text.data, theirs);
        CHECK(ours_wrong <= truths[i].most_wrong, "%s: \"%s\"", truths[i].file, t.text.data);
    }
    try_close(&t);
}

/* A 5x7 letter H, I: drawn so that no shared data is needed. */
static void draw_hi(uint8_t *px, int w, int scale)
{
    static const char *const rows[] = { "#...#..#####", "#...#....#..", "#...#....#..", "#####....#..", "#...#....#..", "#...#....#..", "#...#..#####" };
    for (int y = 0; y < 7 * scale; y++)
        for (int x = 0; x < 12 * scale; x++)
            if (rows[y / scale][x / scale] == '#')
                px[(y + 30) * w + x + 30] = 0;
}

TEST(raw_pixels_are_read_and_words_have_boxes_in_pixels_of_the_picture)
{
    struct try_task t;
    TRY_OPEN(&t, "task: ocr\nkind: tesseract\npage: line\n", NULL);
    enum { W = 130, H = 95 };
    static uint8_t px[W * H * 3];
    memset(px, 255, sizeof(px));
    draw_hi(px, W, 5);
    const struct task_media gray = { .form = MEDIA_GREY8, .bytes = px, .n_bytes = W * H, .width_px = W, .height_px = H };
    const struct task_request rq = { .task = EXPERT_OCR, .media = &gray, .n_media = 1 };
    REQUIRE(try_run(&t, &rq), "%s", t.err.text);
    CHECK(strcmp(t.text.data, "HI") == 0, "read \"%s\"", t.text.data);
    CHECK(strstr(t.json.data, "\"words\":[{\"text\":\"HI\"") && strstr(t.json.data, "\"box\":["), "%s", t.json.data);
    memset(px, 255, sizeof(px));
    const struct task_media blank = { .form = MEDIA_RGB8, .bytes = px, .n_bytes = sizeof(px), .width_px = W, .height_px = H };
    const struct task_request empty = { .task = EXPERT_OCR, .media = &blank, .n_media = 1 };
    REQUIRE(try_run(&t, &empty), "%s", t.err.text);
    CHECK(t.text.len == 0, "an empty page reads \"%s\"", t.text.data);
    const struct task_request foreign = { .task = EXPERT_OCR, .media = &blank, .n_media = 1, .options = { .language = "qqq" } };
    CHECK(!try_run(&t, &foreign) && t.err.code == ERR_NOT_FOUND && strstr(t.err.text, "apt-get install tesseract-ocr-qqq"), "%s", t.err.text);
    const struct task_request odd = { .task = EXPERT_OCR, .media = &blank, .n_media = 1, .options = { .language = "../x" } };
    CHECK(!try_run(&t, &odd) && t.err.code == ERR_INPUT);
    draw_hi(px, W, 5);
    REQUIRE(try_run(&t, &rq) && strcmp(t.text.data, "HI") == 0, "after a refused language: %s %s", t.err.text, t.text.data);
    try_close(&t);
}

TEST(a_card_that_makes_no_sense_is_named_by_line)
{
    struct try_task t;
    if (!try_open(&t, "task: ocr\nkind: tesseract\nlanguage: ../eng\n", NULL) && t.err.code == ERR_UNSUPPORTED)
        SKIP("%s", t.err.text);
    CHECK(!t.task && t.err.code == ERR_INPUT && strstr(t.err.text, "test.yaml:3:"), "%s", t.err.text);
    try_close(&t);
    CHECK(!try_open(&t, "task: ocr\nkind: tesseract\nlangauge: eng\n", NULL) && strstr(t.err.text, "language"), "%s", t.err.text);
    try_close(&t);
    CHECK(!try_open(&t, "task: ocr\nkind: tesseract\npage: pagge\n", NULL), "%s", t.err.text);
    try_close(&t);
}
