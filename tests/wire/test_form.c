/* tests/wire/test_form.c - one file and a few fields, however they are packed. */
#include "wire/form.h"
#include "test.h"

#include <string.h>

static const char *const names[] = { "image", "file", NULL };
static struct form f;
static struct openai_error e;
static struct arena *arena;

static bool read_form(const char *type, const char *query, const char *body)
{
    struct err err = { 0 };
    if (!arena)
        arena = arena_new(1 << 20, &err);
    arena_reset(arena);
    return form_read(&f, type, query, names, body, strlen(body), arena, &e);
}

static bool has_file(const char *text) { return f.n_file == strlen(text) && memcmp(f.file, text, f.n_file) == 0; }
static const char *get(const char *name)
{
    const char *s = form_get(&f, name, NULL);
    return s ? s : "(none)";
}

TEST(the_three_ways_of_packing_say_the_same)
{
    static const char form[] = "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x\"\r\nContent-Type: image/png\r\n\r\nhi\r\n"
                               "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nyolox\r\n--b\r\nContent-Disposition: form-data; name=\"threshold\"\r\n\r\n0.5\r\n--b--\r\n";
    static const char *const ways[][3] = {
        { "multipart/form-data; boundary=b", "", form },
        { "application/json; charset=utf-8", "", "{\"image\":\"data:image/png;base64,aGk=\",\"model\":\"yolox\",\"threshold\":0.5,\"x\":null}" },
        { "application/json", "", "{\"image\":{\"url\":\"data:image/png;base64,aGk=\"},\"model\":\"yolox\",\"threshold\":\"0.5\"}" },
        { "image/png", "model=yol%6Fx&threshold=0.5", "hi" },
    };
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        double v = 9;
        bool flag = true;
        REQUIRE(read_form(ways[i][0], ways[i][1], ways[i][2]), "%zu: %s", i, e.message);
        CHECK(has_file("hi") && strcmp(f.type, "image/png") == 0, "%zu: %s", i, f.type);
        CHECK(strcmp(get("model"), "yolox") == 0 && strcmp(get("none"), "(none)") == 0);
        CHECK(form_number(&f, "threshold", 0, 1, &v, &e) && v == 0.5, "%g", v);
        CHECK(form_flag(&f, "none", &flag, &e) && flag);
    }
    REQUIRE(read_form(NULL, "a=1%2B1+2&b=&=x&c&a=2", "hi"), "%s", e.message);
    int from = 0;
    const char *first = form_get(&f, "a", &from), *second = form_get(&f, "a", &from);
    CHECK(first && strcmp(first, "1+1 2") == 0 && second && strcmp(second, "2") == 0 && !form_get(&f, "a", &from) && !form_get(&f, "b", NULL));
    REQUIRE(read_form("application/json", "", "{\"image\":\"aGk=\",\"list[]\":[\"x\",\"y\"],\"on\":true}"), "%s", e.message);
    from = 0;
    bool on = false;
    first = form_get(&f, "list[]", &from);
    CHECK(has_file("hi") && strcmp(first, "x") == 0 && strcmp(form_get(&f, "list[]", &from), "y") == 0 && form_flag(&f, "on", &on, &e) && on);
}

TEST(what_makes_no_sense_is_refused)
{
    static const struct {
        int status;
        const char *type, *query, *body, *words;
    } bad[] = {
        { 400, "application/json", "", "", "empty" },
        { 400, "application/json", "", "[]", "array" },
        { 400, "application/json", "", "{\"image\":7}", "data URL" },
        { 400, "application/json", "", "{\"image\":\"https://x/y.png\"}", "not fetched" },
        { 400, "application/json", "", "{\"image\":\"data:image/png;base64,a\"}", "base64" },
        { 400, "application/json", "", "{\"image\":\"aGk=\",\"file\":\"aGk=\"}", "another" },
        { 400, "application/json", "", "{\"image\":\"aGk=\",\"x\":{}}", "an object" },
        { 400, "application/json", "", "{\"image\":\"aGk=\",\"x\":\"a\\u0000b\"}", "not JSON" },
        { 400, "application/json", "", "{}", "missing" },
        { 400, "application/json", "", "{\"image\":\"\"}", "missing" },
        { 400, "image/png", "", "", "missing" },
        { 400, "image/png", "a=%zz", "x", "percent" },
        { 400, "image/png", "a=%ff", "x", "UTF-8" },
        { 400, "image/png", "a=%00", "x", "UTF-8" },
        { 400, "multipart/form-data; boundary=b", "", "--b\r\n", "form:" },
        { 400, "multipart/form-data; boundary=b", "", "--b--", "missing" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const bool ok = read_form(bad[i].type, bad[i].query, bad[i].body);
        CHECK(!ok && e.status == bad[i].status && e.code && strstr(e.message, bad[i].words), "%zu: %d '%s', '%s' is wanted", i, e.status, e.message, bad[i].words);
    }
    double v;
    bool flag;
    REQUIRE(read_form("image/png", "n=1x&m=9&f=maybe&q=nan", "x"), "%s", e.message);
    CHECK(!form_number(&f, "n", 0, 5, &v, &e) && !form_number(&f, "m", 0, 5, &v, &e) && !form_number(&f, "q", 0, 5, &v, &e) && strcmp(e.param, "q") == 0);
    CHECK(!form_flag(&f, "f", &flag, &e) && strstr(e.message, "maybe"), "%s", e.message);
    static char query[4096], text[70000];
    for (int i = 0; i < FORM_FIELDS_MAX + 1; i++)
        snprintf(query + strlen(query), 16, "a%d=x&", i);
    CHECK(!read_form("image/png", query, "x") && e.status == 413, "%s", e.message);
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "a=", 2);
    CHECK(!read_form("image/png", text, "x") && e.status == 413, "%s", e.message);
}
