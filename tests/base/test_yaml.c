/* tests/base/test_yaml.c - documents come out as plain trees with positions; what we do not read is refused with its place. */
#include <string.h>

#include "base/yaml.h"
#include "test.h"

static struct yaml *parse(const char *text, struct err *err)
{
    err_clear(err);
    return yaml_parse("x.yaml", text, strlen(text), err);
}

TEST(a_document_becomes_a_tree_with_positions)
{
    struct err err;
    struct yaml *y = parse("name: yolox\ninput:\n  size: [416, 320]\n  \"quoted\": \"8080\"\nempty:\n", &err);
    REQUIRE(y, "%s", err.text);
    const struct yaml_node *r = yaml_root(y), *in = yaml_get(r, "input"), *size = yaml_get(in, "size");
    REQUIRE(r->kind == YAML_MAP && r->n_items == 3 && in && size);
    CHECK(strcmp(yaml_get(r, "name")->text, "yolox") == 0);
    CHECK(size->kind == YAML_LIST && size->n_items == 2 && strcmp(size->items[1].text, "320") == 0);
    CHECK(size->items[1].line == 3 && size->items[1].column == 15, "%d:%d", size->items[1].line, size->items[1].column);
    CHECK(yaml_get(in, "quoted")->is_quoted && !yaml_get(r, "name")->is_quoted);
    CHECK(strcmp(yaml_get(r, "empty")->text, "") == 0);
    double v[2];
    CHECK(yaml_numbers(y, in, "size", 2, v, &err) && v[0] == 416 && v[1] == 320);
    yaml_free(y);
}

TEST(an_empty_document_is_an_empty_map)
{
    struct err err;
    static const char *const texts[] = { "", "\n", "# only words\n", "---\n" };
    for (int i = 0; i < 4; i++) {
        struct yaml *y = parse(texts[i], &err);
        REQUIRE(y, "%s: %s", texts[i], err.text);
        CHECK(yaml_root(y)->kind == YAML_MAP && yaml_root(y)->n_items == 0, "%d", i);
        yaml_free(y);
    }
}

TEST(what_is_not_read_here_is_refused_with_its_place)
{
    static const struct {
        const char *text, *want;
    } t[] = {
        { "a: 1\na: 2\n", "x.yaml:2:1" },
        { "a:\n\tb: 1\n", "x.yaml:2:1: a tab" },
        { "a: [1, 2\n", "x.yaml:" },
        { "a: &x 1\nb: *x\n", "x.yaml: anchors" },
        { "a: !!str 1\n", "tags" },
        { "a: 1\n---\nb: 2\n", "second document" },
        { "a: \xff\n", "UTF-8" },
        { "? [1, 2]\n: 3\n", "key" },
        { "a: \"b\n", "x.yaml:" },
        { "a: *nowhere\n", "x.yaml" },
        { "a: \"\\0\"\n", "zero byte" },
        { "a: \x01\n", "control" },
    };
    for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        struct err err;
        struct yaml *y = parse(t[i].text, &err);
        CHECK(!y && strstr(err.text, t[i].want), "case %zu: %s", i, y ? "was read" : err.text);
        yaml_free(y);
    }
}

TEST(depth_is_bounded)
{
    char text[4096] = "";
    struct err err;
    for (int i = 0; i < 1000; i++)
        strcat(text, "[");
    struct yaml *y = parse(text, &err);
    CHECK(!y);
    text[0] = '\0';
    for (int i = 0; i < 40; i++)
        strcat(text, "[");
    for (int i = 0; i < 40; i++)
        strcat(text, "]");
    y = parse(text, &err);
    CHECK(!y && strstr(err.text, "levels"), "%s", err.text);
}

TEST(values_have_units_ranges_and_choices)
{
    struct err err;
    struct yaml *y = parse("b: 1.5 GiB\nt: 250ms\nn: 7\nf: 0.25\nyes: true\nc: lan\nq: \"7\"\nbad: 9x\nhex: 0x10\n", &err);
    REQUIRE(y);
    const struct yaml_node *r = yaml_root(y);
    uint64_t u = 0;
    int64_t i = 0;
    double f = 0;
    bool b = false;
    int c = -1;
    static const char *const names[] = { "local", "lan", NULL };
    CHECK(yaml_bytes(y, r, "b", &u, &err) && u == 1610612736);
    CHECK(yaml_time(y, r, "t", &u, &err) && u == 250);
    CHECK(yaml_int(y, r, "n", 0, 9, &i, &err) && i == 7);
    CHECK(!yaml_int(y, r, "n", 0, 6, &i, &err) && strstr(err.text, "x.yaml:3:4") && strstr(err.text, "0 to 6"), "%s", err.text);
    CHECK(yaml_number(y, r, "f", 0, 1, &f, &err) && f == 0.25);
    CHECK(yaml_bool(y, r, "yes", &b, &err) && b);
    CHECK(yaml_choice(y, r, "c", names, &c, &err) && c == 1);
    CHECK(!yaml_int(y, r, "q", 0, 9, &i, &err));
    CHECK(!yaml_number(y, r, "bad", 0, 99, &f, &err) && !yaml_number(y, r, "hex", 0, 99, &f, &err));
    i = 42;
    CHECK(yaml_int(y, r, "absent", 0, 9, &i, &err) && i == 42);
    yaml_free(y);
}

TEST(a_misspelt_key_is_told_with_the_nearest)
{
    struct err err;
    static const char *const known[] = { "model", "name", NULL };
    struct yaml *y = parse("name: a\nmodle: b\n", &err);
    REQUIRE(y);
    CHECK(!yaml_check_keys(y, yaml_root(y), known, NULL, &err));
    CHECK(strcmp(err.text, "x.yaml:2:1: 'modle' is not known here; did you mean 'model'?") == 0, "%s", err.text);
    yaml_free(y);
}
