/* tests/fuzz/fuzz_expr.c - an expression, or a text with expressions: whatever compiles evaluates within its steps. */
#include "fuzz.h"
#include "pipeline/kept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct result_box box = { .label = "person", .name = "Ann", .score = 0.9f, .x = 1, .y = 1, .w = 5, .h = 9 };
    static const struct result_label label = { "cat", 0.5f };
    struct cascade c = { .n_stages = 2, .stages = { { .name = "motion" }, { .name = "objects" } } };
    const struct kept_event event = { .id = 1, .duration_s = 3, .text = "" };
    struct err err = { 0 };
    struct expr_names names;
    struct arena *a = arena_new(8 << 20, &err);
    struct kept k = { 0 };
    struct buf b;
    buf_init(&b, 1 << 16);
    const struct task_result r = { .boxes = &box, .n_boxes = 1, .labels = &label, .n_labels = 1, .text = "EXIT", .width_px = 10, .height_px = 10 };
    if (a && kept_names(&c, 2, true, a, &names, &err) && kept_take(&k, EXPERT_DETECT, &r, &err)) {
        const struct kept *views[] = { NULL, &k };
        struct kept_world kw = { .stages = views, .n_stages = 2, .event = &event };
        const struct expr_world w = { .ctx = &kw, .get = kept_get, .now_s = 1 };
        struct expr_state state;
        struct expr_value v;
        expr_state_init(&state);
        const struct expr *e = expr_compile(a, (const char *)data, size, &names, "f", 1, 1, &err);
        if (e)
            expr_eval(e, &w, &state, &v), expr_eval(e, &w, NULL, &v);
        const struct expr_text *t = expr_text_compile(a, (const char *)data, size, &names, "f", 1, 1, &err);
        if (t)
            expr_text_put(t, &w, &b);
    }
    buf_fini(&b);
    kept_fini(&k);
    arena_free(a);
    return 0;
}
