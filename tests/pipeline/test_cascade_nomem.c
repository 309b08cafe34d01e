/* tests/pipeline/test_cascade_nomem.c - expressions are evaluated without memory; reading a cascade survives having none. */
#include <string.h>

#include "../fail_alloc.h"
#include "pipeline/kept.h"
#include "plan.h"

static struct expr *compiled;
static const struct kept *views[1];
static bool evaluate(void *arg, struct err *err)
{
    (void)arg;
    struct kept_world k = { .stages = views, .n_stages = 1 };
    const struct expr_world w = { .ctx = &k, .get = kept_get };
    struct expr_state s;
    expr_state_init(&s);
    if (!expr_true(compiled, &w, &s))
        return err_set(err, ERR_INTERNAL, "false");
    return true;
}

TEST(evaluation_allocates_nothing)
{
    static const char text[] = "any(objects.boxes, label in ['person'] and score > 0.5) and objects.text contains 'exit' and since(objects.score > 0) == 0 s and hour >= 0";
    struct err err = { 0 };
    struct arena *a = arena_new(1 << 20, &err);
    struct cascade c = { .n_stages = 1, .stages = { { .name = "objects" } } };
    struct expr_names names;
    struct kept kept = { 0 };
    const struct result_box box = { .label = "person", .score = 0.9f, .w = 10, .h = 10 };
    const struct task_result r = { .boxes = &box, .n_boxes = 1, .text = "EXIT 24", .width_px = 100, .height_px = 100 };
    REQUIRE(kept_names(&c, 1, false, a, &names, &err) && kept_take(&kept, EXPERT_DETECT, &r, &err), "%s", err.text);
    compiled = expr_compile(a, text, sizeof(text) - 1, &names, "f", 1, 1, &err);
    REQUIRE(compiled, "%s", err.text);
    views[0] = &kept;
    CHECK(evaluate(NULL, &err), "%s", err.text); /* the time zone is read once */
    CHECK(fail_alloc_each(evaluate, NULL, 100) == 0);
    kept_fini(&kept);
    arena_free(a);
}

static bool read_plan(void *arg, struct err *err)
{
    struct cascade *c = plan_parse(arg, err);
    cascade_free(c);
    return c != NULL;
}

TEST(reading_survives_every_failing_allocation)
{
    fail_alloc_each(read_plan, "stages:\n  - {name: motion, expert: motion}\n  - {name: objects, expert: eye, gate: motion.score > 0.02}\nevent: {when: 'any(objects.boxes, score > 0.1)'}\n", 400);
}
