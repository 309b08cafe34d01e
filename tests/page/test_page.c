/* tests/page/test_page.c - pages and pictures: well-formed whatever the texts and figures are, repeatable, within limits. */
#include "page/page.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "test.h"

/* A small judge of our own: tags nest and close, attributes are quoted, entities are known, no raw & or <. */
static bool is_well_formed(const char *s, const char **why)
{
    char open[64][16];
    int n_open = 0;
    if (strncmp(s, "<!DOCTYPE html>", 15) == 0)
        s += 15;
    for (*why = s; *s;) {
        *why = s;
        if (*s == '&') {
            const char *end = strchr(s, ';');
            if (!end || end - s > 6)
                return false;
            s = end + 1;
        } else if (*s == '<') {
            const bool is_close = s[1] == '/';
            char name[16] = "";
            size_t n = strspn(s + 1 + is_close, "abcdefghijklmnopqrstuvwxyz0123456789");
            if (n == 0 || n >= sizeof(name))
                return false;
            memcpy(name, s + 1 + is_close, n);
            s += 1 + is_close + n;
            bool is_single = false;
            while (*s && *s != '>') {
                if (*s == '"') {
                    s = strchr(s + 1, '"');
                    if (!s)
                        return false;
                } else if (*s == '<')
                    return false;
                is_single = *s == '/';
                s++;
            }
            if (*s != '>')
                return false;
            s++;
            if (is_close) {
                if (n_open == 0 || strcmp(open[n_open - 1], name) != 0)
                    return false;
                n_open--;
            } else if (!is_single) {
                if (n_open == 64)
                    return false;
                memcpy(open[n_open++], name, sizeof(name));
                if (strcmp(name, "style") == 0) /* its text is CSS */
                    s = strstr(s, "</style>");
            }
        } else
            s++;
    }
    return n_open == 0;
}

static const char nasty[] = "<script>alert('1')</script> & \"x\" \x01 \xff\xfe caf\xc3\xa9";

static struct page *example(struct err *err)
{
    static const struct chart_point line[] = { { .x = 1, .y = 10, .y_low = 8, .y_high = 12 },
                                               { .x = 2, .y = 19, .label = nasty, .is_marked = true },
                                               { .x = 4, .y = NAN },
                                               { .x = 8, .y = INFINITY },
                                               { .x = 16, .y = 70 } };
    const struct chart_series series[] = { { nasty, line, 5, true, true, false }, { "limit", line, 2, true, false, true } };
    const struct chart_note notes[] = { { CHART_NOTE_AT_X, 4, 0, nasty }, { CHART_NOTE_AT_Y, 0, 30, "limit" }, { CHART_NOTE_POINT, 2, 19, "here" } };
    const struct chart c = { nasty, { .label = nasty, .is_log = true }, { .label = "tokens/s" }, series, 2, notes, 3 };
    const char *parts[] = { "purchase", nasty, "cooling" };
    const struct chart_bar bars[] = { { .label = nasty, .part = { 1, 2, 3 } }, { .label = "b", .part = { NAN, -1, 2 }, .is_marked = true, .low = 1, .high = 3 } };
    const struct chart_bars cb = { nasty, { .label = "EUR" }, parts, 3, bars, 2 };
    const struct page_figure f[] = { { "Score", "412", nasty }, { nasty, nasty, NULL } };
    const char *heads[] = { "a", nasty }, *cells[] = { "1", "2", NULL, nasty };
    struct page *p = page_new(nasty, nasty, err);
    if (!p)
        return NULL;
    page_figures(p, f, 2);
    page_section(p, nasty);
    page_text(p, "%s", nasty);
    page_chart(p, &c);
    page_section(p, "two");
    page_note(p, "%s", nasty);
    page_bars(p, &cb);
    page_table(p, heads, "lr", cells, 2, 2, 1);
    return p;
}

TEST(a_page_is_well_formed_whatever_its_texts_and_the_same_twice)
{
    struct err err = { 0 };
    struct page *p = example(&err), *q = example(&err);
    size_t n = 0, m = 0;
    const char *why = "", *a = p ? page_html(p, &n, &err) : NULL, *b = q ? page_html(q, &m, &err) : NULL;
    REQUIRE(a && b, "%s", err.text);
    CHECK(is_well_formed(a, &why), "at: %.80s", why);
    CHECK(n == m && memcmp(a, b, n) == 0);
    CHECK(!strstr(a, "<script") && !strstr(a, "nan") && !strstr(a, "inf\"") && !strstr(a, "\x01") && strstr(a, "caf\xc3\xa9"));
    CHECK(!strstr(a, "src=") && !strstr(a, "href") && !strstr(a, "url(") && !strstr(a, "@import"), "nothing comes from elsewhere");
    CHECK(strstr(a, "prefers-color-scheme:dark") && strstr(a, "svg.narrow"));
    page_free(p), page_free(q);
}

TEST(a_page_is_saved_whole_and_a_bad_path_is_one_line)
{
    struct err err = { 0 };
    struct page *p = example(&err);
    struct stat st;
    size_t n = 0;
    REQUIRE(p);
    const char *path = test_tmp("page.html");
    CHECK(page_save(p, path, &err), "%s", err.text);
    page_html(p, &n, &err);
    CHECK(stat(path, &st) == 0 && (size_t)st.st_size == n);
    CHECK(!page_save(p, "/nonexistent/page.html", &err) && err.code == ERR_IO && strstr(err.text, "/nonexistent/page.html: "), "%s", err.text);
    CHECK(page_save(p, "/dev/null", &err) && stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode), "a device is written, not replaced");
    page_free(p);
}

TEST(a_chart_that_cannot_be_drawn_fails_the_page)
{
    struct err err = { 0 };
    struct page *p = page_new("t", NULL, &err);
    const struct chart none = { .title = "nothing" };
    size_t n;
    REQUIRE(p);
    page_chart(p, &none);
    CHECK(!page_html(p, &n, &err) && err.code == ERR_INPUT, "%s", err.text);
    page_free(p);
}

/* Every y of every point lies in the picture, whatever the figures are. */
TEST(any_figures_give_a_well_formed_picture)
{
    const double odd[] = { 0, -0.0, 1, -1, 1e-310, 1e-30, 1e30, 1e308, -1e308, NAN, INFINITY, -INFINITY, 3, 3.0000000001, 1e15 };
    const int n_odd = sizeof(odd) / sizeof(odd[0]);
    for (int round = 0; round < 400; round++) {
        struct chart_point pt[6];
        const int n = (int)(test_rand_u64() % 7);
        for (int i = 0; i < n; i++)
            pt[i] = (struct chart_point){ odd[test_rand_u64() % n_odd], odd[test_rand_u64() % n_odd], odd[test_rand_u64() % n_odd], odd[test_rand_u64() % n_odd],
                                          test_rand_u64() % 2 ? "p" : NULL, test_rand_u64() % 4 == 0 };
        const struct chart_series s = { "s", pt, n, true, true, round % 2 };
        const struct chart_note note = { (enum chart_note_kind)(round % 3), odd[test_rand_u64() % n_odd], odd[test_rand_u64() % n_odd], "note" };
        struct chart c = { "t", { "x", .is_log = test_rand_u64() % 2 }, { "y", .is_log = test_rand_u64() % 2 }, &s, 1, &note, round % 5 == 0 };
        struct chart_bar bar[3] = { { .label = "b" } };
        for (int i = 0; i < 3; i++)
            bar[i].part[0] = odd[test_rand_u64() % n_odd], bar[i].low = odd[test_rand_u64() % n_odd], bar[i].high = odd[test_rand_u64() % n_odd];
        const struct chart_bars cb = { "t", { "v", .is_log = test_rand_u64() % 2 }, NULL, 0, bar, 3 };
        struct err err = { 0 };
        struct buf b;
        const char *why = "";
        buf_init(&b, 1 << 20);
        REQUIRE(chart_write(&b, &c, (enum chart_form)(round % 3), &err) && chart_bars_write(&b, &cb, (enum chart_form)(round % 3), &err), "%s", err.text);
        CHECK(is_well_formed(b.data, &why), "round %d at: %.80s", round, why);
        CHECK(!strstr(b.data, "\"nan") && !strstr(b.data, "nan\"") && !strstr(b.data, "inf\"") && !strstr(b.data, "Mnan"), "round %d", round);
        buf_fini(&b);
    }
}

TEST(numbers_are_short_and_axes_end_at_round_ones)
{
    static const struct { double v; const char *want; } rows[] = {
        { 0, "0" }, { 0.125, "0.125" }, { 3.2, "3.2" }, { 940, "940" }, { 1500, "1500" }, { 9999, "9999" }, { 12500, "12.5k" },
        { 1e6, "1M" }, { 3.14e6, "3.14M" }, { -42.5, "-42.5" }, { 0.0312, "0.0312" }, { NAN, "-" }, { 2e9, "2G" }, { 1e20, "1e+20" },
    };
    char text[CHART_NUMBER_BYTES];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK(strcmp(chart_number(text, rows[i].v), rows[i].want) == 0, "%g: %s, not %s", rows[i].v, text, rows[i].want);
    const struct chart_point pt[] = { { .x = 3, .y = 40 }, { .x = 900, .y = 97 } };
    const struct chart_series s = { NULL, pt, 2, true, false, false };
    const struct chart c = { NULL, { .is_log = true }, { 0 }, &s, 1, NULL, 0 };
    struct err err = { 0 };
    struct buf b;
    buf_init(&b, 1 << 20);
    REQUIRE(chart_write(&b, &c, CHART_FILE, &err));
    for (const char *const *w = (const char *const[]){ ">10<", ">1000<", ">0<", ">100<", NULL }; *w; w++)
        CHECK(strstr(b.data, *w), "no tick %s", *w);
    buf_fini(&b);
}
