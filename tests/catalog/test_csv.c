/* tests/catalog/test_csv.c - RFC 4180, strictly. */
#include <stdlib.h>
#include <string.h>

#include "catalog/csv.h"
#include "test.h"

/* All records as "a|b/c|d/", or "!" and the error. */
static const char *all(const char *text, size_t n)
{
    static char out[4096];
    struct csv c;
    struct csv_record r;
    struct err err = { 0 };
    size_t len = 0;
    int got;
    out[0] = '\0';
    csv_init(&c, "t.csv", text, n);
    while ((got = csv_next(&c, &r, &err)) > 0)
        for (int i = 0; i < r.n_fields && len + 100 < sizeof(out); i++)
            len += (size_t)snprintf(out + len, sizeof(out) - len, "%.80s%s", r.fields[i], i + 1 < r.n_fields ? "|" : "/");
    if (got < 0)
        snprintf(out, sizeof(out), "!%s", err.text);
    csv_fini(&c);
    return out;
}
static bool is(const char *text, const char *want)
{
    const char *got = all(text, strlen(text));
    if (strcmp(got, want) != 0)
        printf("# got  %s\n# want %s\n", got, want);
    return strcmp(got, want) == 0;
}

TEST(records_and_fields)
{
    CHECK(is("", ""));
    CHECK(is("a,b\nc,d\n", "a|b/c|d/"));
    CHECK(is("a,b\r\nc,d", "a|b/c|d/"));
    CHECK(is("a,\n,d\n", "a|/|d/"));
    CHECK(is("\xef\xbb\xbf" "a,b\n", "a|b/"));
    CHECK(is("\"a\",\"b, c\"\n", "a|b, c/"));
    CHECK(is("\"say \"\"hi\"\"\",\"\"\n", "say \"hi\"|/"));
    CHECK(is("\"two\r\nlines\",x\n", "two\nlines|x/"));
    CHECK(is("\xc3\xa4,\xe2\x82\xac\n", "\xc3\xa4|\xe2\x82\xac/"));
}

TEST(errors_name_line_and_column)
{
    CHECK(is("a,b\nc\n", "!t.csv: line 2: 1 fields where the first line has 2"));
    CHECK(is("a,b\nc,d,e\n", "!t.csv: line 2, column 5: more fields than the first line has"));
    CHECK(is("a,b\nc,d\"e\n", "!t.csv: line 2, column 4: a quote inside a field that does not begin with one"));
    CHECK(is("a\n\"b\"c\n", "!t.csv: line 2, column 4: text behind a closing quote"));
    CHECK(is("a\n\"b\nc", "!t.csv: line 2, column 1: the quote is never closed"));
    CHECK(is("a\nb\rc\n", "!t.csv: line 2, column 2: a carriage return without a line feed"));
    CHECK(is("a\n\x01\n", "!t.csv: line 2, column 1: a control character"));
    CHECK(is("a\n\xff\n", "!t.csv: line 2, column 1: not UTF-8"));
    CHECK(is("a,b\n\nc,d\n", "!t.csv: line 2: 1 fields where the first line has 2"));
    CHECK(is("\"x\ny\",b\nc\n", "!t.csv: line 3: 1 fields where the first line has 2"), "lines inside quotes count");
    CHECK(strstr(all("a\nb\0c\n", 6), "control character"), "a NUL byte is not the end");
}

TEST(sizes_are_bounded)
{
    char *big = malloc(CSV_BYTES_MAX + 16);
    REQUIRE(big);
    memset(big, 'x', CSV_BYTES_MAX + 16);
    CHECK(strstr(all(big, CSV_FIELD_BYTES_MAX + 1), "longer than 4096"));
    CHECK(strstr(all(big, CSV_BYTES_MAX + 1), "at most"));
    memset(big, ',', 100);
    CHECK(strstr(all(big, 100), "more than 64 fields"));
    memset(big, '"', CSV_FIELD_BYTES_MAX * 3);
    CHECK(strstr(all(big, CSV_FIELD_BYTES_MAX * 3), "longer than 4096"), "quotes count too");
    memset(big, '\n', 20000);
    CHECK(strstr(all(big, 20000), "more than 10000 records"));
    free(big);
}
