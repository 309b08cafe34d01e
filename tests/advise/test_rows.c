/* tests/advise/test_rows.c - tables from outside: what is taken, what is refused and with which words. */
#include <math.h>
#include <string.h>

#include "advise/rows.h"
#include "test.h"

static char text[4096];
static bool parse(struct rows *r, const char *s, struct err *err)
{
    snprintf(text, sizeof(text), "%s", s);
    return rows_parse(r, text, strlen(text), err);
}

TEST(columns_are_found_by_name_in_any_order)
{
    struct rows r;
    struct rows_columns c;
    struct err err = { 0 };
    struct plan_speed_query q;
    REQUIRE(parse(&r, "params_b\tclass\tmem_bw_gbps\thardware\tquant\r\n8.03\tnvidia\t1008\tGeForce RTX 4090\tQ4_K_M\r\n", &err), "%s", err.text);
    REQUIRE(rows_columns(&r, &c, &err) && r.n == 1, "%s", err.text);
    REQUIRE(rows_query(&r, &c, 0, &q), "a good row");
    CHECK(q.cls == PLAN_NVIDIA && q.bw_gbps == 1008 && fabs(q.params / 8.03e9 - 1) < 1e-12 && q.active_params == q.params, "%g", q.params);
    CHECK(q.bpw > 4.8 && q.bpw < 5 && strcmp(q.device, "GeForce RTX 4090") == 0, "bits from the name: %g", q.bpw);
    rows_free(&r);
}

TEST(a_byte_order_mark_is_no_part_of_a_name)
{
    struct rows r;
    struct err err = { 0 };
    REQUIRE(parse(&r, "\xEF\xBB\xBFhardware\tclass\nx\tcpu\n", &err), "%s", err.text);
    CHECK(strcmp(r.column[0], "hardware") == 0 && r.n == 1, "'%s'", r.column[0]);
    rows_free(&r);
}

TEST(spans_and_nonsense_count_as_not_known)
{
    struct rows r;
    struct err err = { 0 };
    REQUIRE(parse(&r, "a\n4-16\nnan\n-3\n0x10\n1e999\n 5\n7.5\n", &err), "%s", err.text);
    for (int i = 0; i < 6; i++)
        CHECK(rows_number(&r, i, 0) == 0, "'%s' is no number", rows_text(&r, i, 0));
    CHECK(rows_number(&r, 6, 0) == 7.5 && rows_number(&r, 6, -1) == 0, "the last");
    rows_free(&r);
}

TEST(a_ragged_line_is_named)
{
    struct rows r;
    struct err err = { 0 };
    CHECK(!parse(&r, "a\tb\n1\t2\n1\t2\t3\n", &err) && strstr(err.text, "line 3: 3 cells, the header has 2"), "%s", err.text);
    CHECK(!parse(&r, "", &err), "an empty table");
    memcpy(text, "a\tb\n\0\t\n", 8);
    CHECK(!rows_parse(&r, text, 8, &err), "a zero byte");
    struct rows_columns c;
    REQUIRE(parse(&r, "hardware\tclass\n", &err), "%s", err.text);
    CHECK(!rows_columns(&r, &c, &err) && strstr(err.text, "params_b"), "%s", err.text);
    rows_free(&r);
}

TEST(rows_that_no_model_has_are_refused)
{
    static const char *const bad[] = { "x\tcpu\t0", "x\tcpu\t1e300", "x\ttoaster\t8", "x\tcpu\t" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rows r;
        struct rows_columns c;
        struct plan_speed_query q;
        struct err err = { 0 };
        char all[128];
        snprintf(all, sizeof(all), "hardware\tclass\tparams_b\n%s\n", bad[i]);
        REQUIRE(parse(&r, all, &err) && rows_columns(&r, &c, &err), "%s", err.text);
        CHECK(!rows_query(&r, &c, 0, &q), "%s", bad[i]);
        rows_free(&r);
    }
}
