/* tests/site/test_draw.c - pictures of clusters: well-formed at every size, whatever the names; the same bytes; JSON and back. */
#include "pictures.h"

#include "site/draw_internal.h"

static const char *const hostile[] = {
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "a & b && c &lt;", "]]>--><!--", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xe2\x80\xae evil \xe2\x80\xab",
    "\xf0\x9f\xa6\x99\xf0\x9f\x92\xa3\xf0\x9f\x94\xa5 emoji", "\x01\x02\x7f\x1b[31m", "\xff\xfe broken \xc3", "', onload='x", "</svg></style></script>", "javascript:alert(1)", "${x} `y` #1; \\n \\\" |{}[]()",
    "long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-"
    "long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-"
    "long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-end",
    "", "\xe7\xb9\x81\xe9\xab\x94\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97",
};
enum { N_HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

static void check_all_forms(const struct draw *d, const char *what)
{
    for (int w = 0; w < DRAW_WHAT_COUNT; w++)
        for (int f = DRAW_WIDE; f <= DRAW_FILE_NARROW; f++) {
            struct buf b, again;
            struct err err = { 0 };
            buf_init(&b, 64 << 20), buf_init(&again, 64 << 20);
            CHECK(draw_svg(&b, d, (enum draw_what)w, (enum draw_form)f, &err), "%s: %s", what, err.text);
            CHECK(draw_svg(&again, d, (enum draw_what)w, (enum draw_form)f, &err), "%s", err.text);
            const char *why = b.data ? judge_xml(b.data, b.len) : "nothing";
            CHECK(!*why, "%s, %s %d: %s", what, draw_what_name((enum draw_what)w), f, why);
            CHECK(b.len == again.len && memcmp(b.data, again.data, b.len) == 0, "%s: other bytes the second time", what);
            CHECK(!strstr(b.data, "<script") && !strstr(b.data, "<img") && !strstr(b.data, "http://e") && !strstr(b.data, "style=\""), "%s: markup came through", what);
            CHECK(!strstr(b.data, "nan") && !strstr(b.data, "inf\""), "%s, %s %d: not a number", what, draw_what_name((enum draw_what)w), f);
            buf_fini(&b), buf_fini(&again);
        }
}

TEST(pictures_of_every_size_are_well_formed_and_the_same_each_time)
{
    static const int sizes[] = { 1, 2, 3, 4, 7, 10, 40, 200 };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char what[32];
        snprintf(what, sizeof(what), "%d nodes", sizes[i]);
        struct draw *d = made_up(sizes[i], NULL, 0);
        check_all_forms(d, what);
        draw_free(d);
    }
}

TEST(hostile_names_are_harmless_text)
{
    for (int from = 0; from < N_HOSTILE; from++) {
        const char *names[N_HOSTILE];
        for (int i = 0; i < N_HOSTILE; i++)
            names[i] = hostile[(i + from) % N_HOSTILE];
        struct draw *d = made_up(9, names, N_HOSTILE);
        check_all_forms(d, "hostile");
        struct buf b;
        struct err err = { 0 };
        buf_init(&b, 64 << 20);
        CHECK(draw_html(&b, d, DRAW_TOPOLOGY, true, &err), "%s", err.text);
        const char *data = strstr(b.data, "id=\"data\">");
        CHECK(data != NULL, "no data");
        const char *end = data ? strstr(data, "</script>") : NULL;
        CHECK(end && !memchr(data + 10, '<', (size_t)(end - data - 10)), "the data has a <");
        int n_scripts = 0;
        for (const char *p = b.data; (p = strstr(p, "<script")); p++)
            n_scripts++;
        CHECK(n_scripts == 2, "%d scripts", n_scripts);
        CHECK(!strstr(b.data, "<img"), "markup or a foreign address");
        buf_fini(&b);
        draw_free(d);
    }
}

/* Every text's right edge lies inside the picture. */
static void check_texts_fit(const char *svg, double w, const char *what)
{
    for (const char *p = svg; (p = strstr(p, "<text class=\"")); p++) {
        char cls[40] = "", text[900];
        double x = 0;
        sscanf(p, "<text class=\"%39[^\"]\" x=\"%lf\"", cls, &x);
        const char *from = strchr(p, '>') + 1, *to = strstr(from, "</text>");
        if (strncmp(from, "<title>", 7) == 0)
            from = strstr(from, "</title>") + 8;
        snprintf(text, sizeof(text), "%.*s", (int)(to - from), from);
        const double px = cls[1] == '0' ? 21 : cls[1] == '1' ? 13 : cls[1] == '2' ? 15 : cls[1] == '7' ? 17 : 12;
        const double width = ink_width(text, px, cls[1] == '0' || cls[1] == '2' || cls[1] == '7');
        const bool is_right = strstr(cls, " r") != NULL, is_mid = strstr(cls, " m") != NULL;
        const double left = is_right ? x - width : is_mid ? x - width / 2 : x;
        if (strchr(text, '&'))
            continue; /* entities are counted wider than they are */
        CHECK(left >= -1 && left + width <= w + 1, "%s: '%s' from %.0f to %.0f of %.0f", what, text, left, left + width, w);
    }
}

TEST(no_text_leaves_the_picture)
{
    for (int n = 1; n <= 40; n += 13)
        for (int h = 0; h < 2; h++) {
            struct draw *d = made_up(n, h ? hostile : NULL, h ? N_HOSTILE : 0);
            for (int w = 0; w < DRAW_WHAT_COUNT; w++)
                for (int f = DRAW_WIDE; f <= DRAW_NARROW; f++) {
                    struct buf b;
                    struct err err = { 0 };
                    double width = 0;
                    buf_init(&b, 64 << 20);
                    CHECK(draw_svg(&b, d, (enum draw_what)w, (enum draw_form)f, &err), "%s", err.text);
                    sscanf(strstr(b.data, "viewBox=") + 9, "0 0 %lf", &width);
                    CHECK(f == DRAW_WIDE || width == 390, "%g wide", width);
                    check_texts_fit(b.data, width, draw_what_name((enum draw_what)w));
                    buf_fini(&b);
                }
            draw_free(d);
        }
}

TEST(json_comes_back_as_the_same_picture)
{
    struct draw *d = made_up(7, NULL, 0);
    struct buf json, one, two;
    struct err err = { 0 };
    buf_init(&json, 1 << 20), buf_init(&one, 1 << 20), buf_init(&two, 1 << 20);
    draw_put_json(&json, d);
    struct draw *back = draw_read_json(json.data, json.len, &err);
    CHECK(back != NULL, "%s", err.text);
    for (int w = 0; back && w < DRAW_WHAT_COUNT; w++)
        CHECK(draw_svg(&one, d, (enum draw_what)w, DRAW_FILE, &err) && draw_svg(&two, back, (enum draw_what)w, DRAW_FILE, &err), "%s", err.text);
    CHECK(one.len == two.len && memcmp(one.data, two.data, one.len) == 0, "another picture");
    buf_fini(&json), buf_fini(&one), buf_fini(&two);
    draw_free(d), draw_free(back);
}

TEST(json_that_makes_no_sense_is_refused_or_left_out)
{
    static const struct {
        const char *json;
        bool is_fine;
        const char *why;
    } cases[] = {
        { "", false, "nothing" },
        { "[]", false, "no object" },
        { "{", false, "cut off" },
        { "{}", true, "an empty cluster" },
        { "{\"nodes\":5,\"experts\":\"x\"}", true, "of other kinds: not known" },
        { "{\"nodes\":[{}],\"experts\":[{\"node\":1}]}", false, "a node that is not there" },
        { "{\"nodes\":[{}],\"experts\":[{\"node\":-1}]}", false, "below the first" },
        { "{\"nodes\":[{},{}],\"experts\":[{\"node\":1},{\"node\":0}]}", false, "out of order" },
        { "{\"nodes\":[{\"name\":5,\"devices\":[1,2],\"load\":1e300,\"used_bytes\":-4,\"state\":\"\\\" onload=\\\"\"}],\"experts\":[{\"node\":0,\"device\":99,\"running\":1e9}]}", true, "nonsense is left out" },
        { "{\"boxes\":[{\"after\":[0,1,2,-5,99]},{\"after\":[0,1]}]}", true, "a box builds on earlier ones only" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err = { 0 };
        struct draw *d = draw_read_json(cases[i].json, strlen(cases[i].json), &err);
        CHECK((d != NULL) == cases[i].is_fine, "%s: %s", cases[i].why, err.text);
        CHECK(d || strncmp(err.text, "topology:", 9) == 0, "%s: '%s'", cases[i].why, err.text);
        for (int w = 0; d && w < DRAW_WHAT_COUNT; w++)
            if (draw_has(d, (enum draw_what)w)) {
                struct buf b;
                buf_init(&b, 1 << 20);
                CHECK(draw_svg(&b, d, (enum draw_what)w, DRAW_WIDE, &err) && !*judge_xml(b.data, b.len), "%s", cases[i].why);
                buf_fini(&b);
            }
        draw_free(d);
    }
}

TEST(code_for_graphviz_and_mermaid_quotes_every_name)
{
    struct draw *d = made_up(9, hostile, N_HOSTILE);
    for (int w = 0; w < DRAW_WHAT_COUNT; w++)
        for (int m = 0; m < 2; m++) {
            struct buf b;
            struct err err = { 0 };
            buf_init(&b, 1 << 22);
            CHECK((m ? draw_mermaid : draw_dot)(&b, d, (enum draw_what)w, &err), "%s", err.text);
            CHECK(!strstr(b.data, "<script") && !strstr(b.data, "<img"), "markup came through");
            for (const char *line = b.data, *end; *line; line = end + 1) { /* quotes come in pairs on each line */
                int n = 0;
                end = strchr(line, '\n');
                for (const char *p = line; p < end; p++)
                    n += *p == '"' && p[-1] != '\\';
                CHECK(n % 2 == 0, "%s: %.*s", m ? "mermaid" : "dot", (int)(end - line), line);
            }
            buf_fini(&b);
        }
    draw_free(d);
}

/* ---- contrast (WCAG 2.1, 1.4.3) ---- */

static double luminance(const char *hex)
{
    unsigned v = 0, len = (unsigned)strspn(hex, "0123456789abcdef");
    sscanf(hex, "%x", &v);
    double out = 0;
    for (int k = 0; k < 3; k++) {
        const unsigned c = len == 3 ? (v >> (8 - 4 * k) & 15) * 17 : v >> (16 - 8 * k) & 255;
        const double f = c / 255.0;
        out += (k == 0 ? 0.2126 : k == 1 ? 0.7152 : 0.0722) * (f <= 0.03928 ? f / 12.92 : pow((f + 0.055) / 1.055, 2.4));
    }
    return out;
}
static double contrast(const char *css, const char *ink, const char *ground)
{
    char a[24], b[24];
    snprintf(a, sizeof(a), "--%s:#", ink), snprintf(b, sizeof(b), "--%s:#", ground);
    const char *x = strstr(css, a), *y = strstr(css, b);
    if (!x || !y)
        return 0;
    const double l = luminance(x + strlen(a)), m = luminance(y + strlen(b));
    return (fmax(l, m) + 0.05) / (fmin(l, m) + 0.05);
}

TEST(every_text_has_contrast_in_light_and_dark)
{
    static const char *const pairs[][2] = { { "ink", "ground" }, { "ink", "card" }, { "ink", "well" }, { "soft", "ground" }, { "soft", "card" }, { "soft", "well" }, { "netink", "net" },
                                            { "ink", "c0b" }, { "ink", "c1b" }, { "ink", "c2b" }, { "ink", "c3b" }, { "ink", "c4b" }, { "bad", "ground" },
                                            { "c0", "c0b" }, { "c1", "c1b" }, { "c2", "c2b" }, { "c3", "c3b" }, { "c4", "c4b" } };
    const char *const schemes[] = { draw_css, strstr(draw_css, "@media") };
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
            const double c = contrast(schemes[s], pairs[i][0], pairs[i][1]);
            CHECK(c >= 4.5, "%s: %s on %s: %.2f", s ? "dark" : "light", pairs[i][0], pairs[i][1], c);
        }
}

TEST(the_page_allows_its_own_script_and_nothing_else)
{
    char policy[600];
    CHECK(draw_html_policy(policy, sizeof(policy)), "no policy");
    CHECK(strstr(policy, "default-src 'none'") && strstr(policy, "script-src 'sha256-") && strstr(policy, "style-src 'sha256-") && !strstr(policy, "unsafe"), "%s", policy);
    struct buf b;
    struct err err = { 0 };
    buf_init(&b, 1 << 20);
    CHECK(draw_html_locked(&b, &err), "%s", err.text);
    CHECK(!strstr(b.data, "https://") && !strstr(b.data, "//cdn") && !strstr(b.data, "@import") && !strstr(b.data, "id=\"data\""), "the locked page tells or loads something");
    for (const char *p = b.data; (p = strstr(p, "http://")); p++)
        CHECK(strncmp(p, "http://www.w3.org/2000/svg", 26) == 0, "a foreign address: %.40s", p);
    buf_fini(&b);
}

TEST(what_is_not_there_is_said)
{
    struct err err = { 0 };
    struct draw *d = draw_new("x", &err);
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int w = 0; w < DRAW_WHAT_COUNT; w++)
        CHECK(!draw_svg(&b, d, (enum draw_what)w, DRAW_FILE, &err) && strstr(err.text, draw_what_name((enum draw_what)w)), "%s", err.text);
    CHECK(!draw_room(d, DRAW_NODES_MAX + 1, 0, 0, &err) && err.code == ERR_LIMIT, "%s", err.text);
    buf_fini(&b);
    draw_free(d);
}
