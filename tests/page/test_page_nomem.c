/* tests/page/test_page_nomem.c - a page whose nth allocation fails says so in one line and keeps nothing. */
#include "fail_alloc.h"
#include "page/page.h"
#include "test.h"

static bool make_page(void *arg, struct err *err)
{
    static const struct chart_point line[] = { { .x = 1, .y = 10, .label = "a" }, { .x = 2, .y = 19, .label = "b" } };
    const struct chart_series s = { "series", line, 2, true, true, false };
    const struct chart c = { "title", { .label = "x" }, { .label = "y" }, &s, 1, NULL, 0 };
    const struct chart_bar bar = { .label = "b", .part = { 1 } };
    const struct chart_bars cb = { "bars", { .label = "v" }, NULL, 0, &bar, 1 };
    struct page *p = page_new("t", "s", err);
    if (!p)
        return false;
    page_section(p, "one");
    page_text(p, "%s", (const char *)arg);
    page_chart(p, &c);
    page_bars(p, &cb);
    size_t n;
    const bool ok = page_html(p, &n, err) != NULL;
    page_free(p);
    return ok;
}

TEST(a_page_survives_every_failing_allocation)
{
    char text[] = "a paragraph";
    CHECK(fail_alloc_each(make_page, text, 200) > 1);
}
