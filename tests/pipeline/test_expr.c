/* tests/pipeline/test_expr.c - the language of gates: what it says, what it refuses, that it allocates nothing. */
#include "pipeline/expr.h"

#include <math.h>
#include <string.h>

#include "test.h"

struct thing {
    const char *label;
    double score;
};
static void thing_label(const void *i, struct expr_value *v) { v->text = ((const struct thing *)i)->label; }
static void thing_score(const void *i, struct expr_value *v) { v->x = ((const struct thing *)i)->score; }
static const struct expr_field fields[] = { { "label", EXPR_TEXT, thing_label }, { "score", EXPR_NUMBER, thing_score }, { NULL, 0, NULL } };

enum { MOTION_SCORE, OBJECTS_BOXES, OBJECTS_SCORE, TIME, OCR_TEXT, OBJECTS_RAN, AGE, UNKNOWN };
static const struct expr_name names[] = {
    { "motion", "score", EXPR_NUMBER, NULL, MOTION_SCORE }, { "objects", "boxes", EXPR_LIST, fields, OBJECTS_BOXES }, { "objects", "score", EXPR_NUMBER, NULL, OBJECTS_SCORE },
    { NULL, "time", EXPR_CLOCK, NULL, TIME }, { "ocr", "text", EXPR_TEXT, NULL, OCR_TEXT }, { "objects", "ran", EXPR_BOOL, NULL, OBJECTS_RAN },
    { "event", "age", EXPR_SECONDS, NULL, AGE }, { "motion", "unknown", EXPR_NUMBER, NULL, UNKNOWN },
};
static const struct expr_names all = { names, sizeof(names) / sizeof(names[0]), "objects" };

static const struct thing things[] = { { "person", 0.9 }, { "car", 0.4 }, { "person", 0.3 } };
static double motion_score = 0.05, now_clock = 23 * 3600;

static void get(void *ctx, int id, struct expr_value *v)
{
    (void)ctx;
    v->text = "";
    if (id == MOTION_SCORE)
        v->x = motion_score;
    else if (id == OBJECTS_BOXES)
        v->list = (struct expr_list){ things, 3, sizeof(things[0]) };
    else if (id == OBJECTS_SCORE)
        v->x = 0.9;
    else if (id == TIME)
        v->x = now_clock;
    else if (id == OCR_TEXT)
        v->text = "EXIT 24";
    else if (id == OBJECTS_RAN)
        v->b = true;
    else if (id == AGE)
        v->x = 12;
    else
        v->x = NAN;
}

static struct expr *compile(struct arena *a, const char *text, struct err *err) { return expr_compile(a, text, strlen(text), &all, "f.yaml", 3, 10, err); }

TEST(conditions_say_what_they_say)
{
    static const struct { const char *text; bool is; } cases[] = {
        { "motion.score > 0.02", true }, { "motion.score > 5 %", false }, { "motion.score >= 5%", true }, { "any(objects.boxes, label == \"person\" and score > 0.5)", true },
        { "any(boxes, label == 'person' and score > 0.5)", true }, { "all(objects.boxes, score > 0.35)", false }, { "all(objects.boxes, score > 0.2)", true },
        { "count(objects.boxes) == 3", true }, { "count(objects.boxes, label == 'person') == 2", true }, { "max(objects.boxes, score) == 0.9", true },
        { "min(boxes, score) < 0.31 and min(boxes, score) > 0.29", true }, { "sum(boxes, score) > 1.59", true }, { "ocr.text contains \"exit\"", true },
        { "ocr.text contains 'EXIT' and not (ocr.text contains 'way')", true }, { "any(boxes, label in ['cat', \"car\"])", true }, { "motion.score in [1, 0.05, -2]", true },
        { "between(time, 22:00, 6:00)", true }, { "between(time, 6:00, 22:00)", false }, { "time > 22:30", true }, { "time - 22:00 == 1 h", true }, { "22:00 + 30 min < time", true },
        { "event.age < 250 ms * 60", true }, { "event.age / 2 == 6 s", true }, { "event.age / 4 s == 3", true }, { "event.age > 10 s or false", true },
        { "1 + 2 * 3 == 7 and (1 + 2) * 3 == 9", true }, { "-motion.score < 0", true }, { "8 - 4 - 2 == 2", true }, { "not objects.ran", false }, { "objects.ran == true", true },
        { "max(1, 2) + min(3, 4) == 5 and abs(-2) == 2 and length(ocr.text) == 7", true }, { "true or true and false", true }, { "not false and true", true },
        { "motion.unknown > 0", false }, { "motion.unknown == motion.unknown", false }, { "motion.unknown != 1", false }, { "1 / 0 > 1", false }, { "1e3 == 1000 and 2.5e-1 == 0.25", true },
        { "any(boxes, any(objects.boxes, label == 'car') and score > 0.8)", true }, { "score > 0.5", true }, { "'a\\'b' == \"a'b\"", true },
    };
    struct err err = { 0 };
    struct arena *a = arena_new(1 << 20, &err);
    const struct expr_world w = { NULL, get, 0 };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct expr *e = compile(a, cases[i].text, &err);
        CHECK(e, "%s: %s", cases[i].text, err.text);
        CHECK(!e || (expr_get_type(e) == EXPR_BOOL && expr_true(e, &w, NULL) == cases[i].is), "%s", cases[i].text);
    }
    arena_free(a);
}

TEST(mistakes_are_found_with_their_place_and_the_nearest_name)
{
    static const struct { const char *text, *why; } cases[] = {
        { "motion.scor > 0.02", "f.yaml:3:10: 'motion.scor' is not known; did you mean 'score'?" },
        { "moton.score > 0.02", "f.yaml:3:10: 'moton': there is no earlier stage of that name; did you mean 'motion'?" },
        { "motion.score > 'a'", "f.yaml:3:23: a number cannot be compared with a text" },
        { "event.age > 10", "f.yaml:3:20: a duration cannot be compared with a number (write 10 s)" },
        { "any(objects.boxes, lable == 'a')", "f.yaml:3:29: 'lable' is not known; did you mean 'label'?" },
        { "any(objects.boxes, score)", "f.yaml:3:29: any: a condition is wanted, this is a number" },
        { "any(objects.boxes)", "f.yaml:3:27: any(list, condition): what of each item?" },
        { "anny(objects.boxes, true)", "f.yaml:3:10: there is no function anny(); did you mean any()?" },
        { "motion.score = 1", "f.yaml:3:23: '=': equal is written ==" },
        { "motion.score > 1 && true", "f.yaml:3:27: '&': the words are `and`, `or`, `not`" },
        { "motion.score >", "f.yaml:3:24: something is missing at the end" },
        { "(motion.score > 1", "f.yaml:3:27: ')' is missing at the end" },
        { "motion.score > 1 2", "f.yaml:3:27: nothing is wanted any more here" },
        { "'abc", "f.yaml:3:10: the text has no end: ' is missing" },
        { "objects.boxes > 1", "f.yaml:3:24: a list cannot be compared; count(...) and any(...) look into it" },
        { "ocr.text > 'a'", "f.yaml:3:19: a text has no order: == and != are there" },
        { "motion > 1", "f.yaml:3:10: 'motion' is a stage: motion.score, motion.boxes, ... are what it says" },
        { "time + time > 1:00", "f.yaml:3:15: a time of day + a time of day means nothing" },
        { "any(boxes, since(score > 1) > 1 s)", "f.yaml:3:27: since() cannot stand inside a list" },
        { "25:70 > time", "f.yaml:3:10: no time of day: 22:30 is one" },
        { "not\nmotion.score", "f.yaml:3:10: not: a condition is wanted, this is a number" },
        { "true and\n  motion.score > foo", "f.yaml:4:18: 'foo' is not known; there are: " },
        { "", "f.yaml:3:10: something is missing at the end" },
        { "\x01", "f.yaml:3:10: a byte 01, which means nothing" },
        { "1.2.3 > 1", "f.yaml:3:10: '1.2.3' is no number" },
    };
    struct err err = { 0 };
    struct arena *a = arena_new(1 << 20, &err);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        err_clear(&err);
        CHECK(!compile(a, cases[i].text, &err) && err.code == ERR_INPUT && strncmp(err.text, cases[i].why, strlen(cases[i].why)) == 0, "%s: '%s', not '%s'", cases[i].text, err.text,
              cases[i].why);
    }
    arena_free(a);
}

TEST(what_is_too_deep_or_too_long_is_refused_and_what_takes_too_long_ends)
{
    static char text[EXPR_BYTES_MAX + 2];
    struct err err = { 0 };
    struct arena *a = arena_new(4 << 20, &err);
    memset(text, '(', 100);
    strcpy(text + 100, "1");
    CHECK(!compile(a, text, &err) && strstr(err.text, "inside each other"), "%s", err.text);
    memset(text, '-', 100);
    CHECK(!compile(a, text, &err) && strstr(err.text, "inside each other"), "%s", err.text);
    text[0] = '\0';
    for (int i = 0; i < 600; i++)
        strcat(text, i ? "+1" : "1");
    CHECK(!compile(a, text, &err) && strstr(err.text, "too long"), "%s", err.text);
    memset(text, ' ', EXPR_BYTES_MAX + 1);
    text[EXPR_BYTES_MAX + 1] = '\0';
    CHECK(!compile(a, text, &err) && strstr(err.text, "longer than"), "%s", err.text);
    arena_free(a);
}

static struct thing many[1000];
static void get_many(void *ctx, int id, struct expr_value *v)
{
    (void)ctx, (void)id;
    v->list = (struct expr_list){ many, 1000, sizeof(many[0]) };
}
TEST(evaluation_has_a_limit_of_steps)
{
    struct err err = { 0 };
    struct arena *a = arena_new(1 << 20, &err);
    for (int i = 0; i < 1000; i++)
        many[i] = (struct thing){ "x", 0 };
    struct expr *e = compile(a, "count(objects.boxes, count(objects.boxes, count(objects.boxes, score == 0) > 0) > 0) > 0", &err);
    REQUIRE(e, "%s", err.text);
    const struct expr_world w = { NULL, get_many, 0 };
    struct expr_value v;
    CHECK(!expr_eval(e, &w, NULL, &v) && !v.b);
    CHECK(!expr_true(e, &w, NULL));
    arena_free(a);
}

TEST(since_counts_from_the_last_time_wherever_it_stands)
{
    struct err err = { 0 };
    struct arena *a = arena_new(1 << 20, &err);
    struct expr *e = compile(a, "false or since(motion.score > 0.5) < 8 s", &err), *n = compile(a, "since(motion.score > 0.5)", &err);
    REQUIRE(e && n, "%s", err.text);
    struct expr_state s, t;
    expr_state_init(&s);
    expr_state_init(&t);
    motion_score = 0;
    CHECK(!expr_true(e, &(struct expr_world){ NULL, get, 1 }, &s));
    CHECK(isinf(expr_number(n, &(struct expr_world){ NULL, get, 1 }, &t)));
    motion_score = 1;
    CHECK(expr_true(e, &(struct expr_world){ NULL, get, 2 }, &s));
    CHECK(expr_number(n, &(struct expr_world){ NULL, get, 2 }, &t) == 0);
    motion_score = 0;
    CHECK(expr_true(e, &(struct expr_world){ NULL, get, 9.9 }, &s));
    CHECK(!expr_true(e, &(struct expr_world){ NULL, get, 10.1 }, &s));
    CHECK(expr_number(n, &(struct expr_world){ NULL, get, 10 }, &t) == 8);
    motion_score = 0.05;
    arena_free(a);
}

TEST(texts_have_their_braces_filled_in)
{
    struct err err = { 0 };
    struct arena *a = arena_new(1 << 20, &err);
    struct buf b;
    buf_init(&b, 1 << 16);
    static const struct { const char *text, *is; } cases[] = {
        { "{count(objects.boxes)} things: {objects.boxes} at {time} for {event.age}", "3 things: person, car at 23:00 for 12 s" },
        { "{{{ocr.text}}} {objects.ran} {motion.score}", "{EXIT 24} yes 0.05" }, { "{'}'}", "}" }, { "", "" }, { "plain", "plain" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct expr_text *t = expr_text_compile(a, cases[i].text, strlen(cases[i].text), &all, "f.yaml", 1, 1, &err);
        buf_clear(&b);
        if (t)
            expr_text_put(t, &(struct expr_world){ NULL, get, 0 }, &b);
        CHECK(t && strcmp(b.data ? b.data : "", cases[i].is) == 0, "%s: '%s' %s", cases[i].text, b.data ? b.data : "", err.text);
    }
    CHECK(!expr_text_compile(a, "ab {motion.x}", 13, &all, "f.yaml", 1, 1, &err) && strstr(err.text, "f.yaml:1:5: 'motion.x'"), "%s", err.text);
    CHECK(!expr_text_compile(a, "ab {", 4, &all, "f.yaml", 1, 1, &err) && strstr(err.text, "1:4: '{' without '}'"), "%s", err.text);
    CHECK(!expr_text_compile(a, "ab }", 4, &all, "f.yaml", 1, 1, &err) && strstr(err.text, "1:4: '}' without '{'"), "%s", err.text);
    buf_fini(&b);
    arena_free(a);
}
