/* tests/plan/test_plan_base.c - classes, ranges and sizes: the words that all estimates are made of. */
#include <math.h>

#include "plan/device.h"
#include "plan/model.h"
#include "plan/range.h"
#include "test.h"

TEST(every_class_is_found_by_its_own_name_and_no_other)
{
    enum plan_class c;
    for (int i = 0; i < PLAN_CLASS_COUNT; i++)
        CHECK(plan_class_parse(plan_class_name((enum plan_class)i), &c) && (int)c == i, "class %d", i);
    CHECK(!plan_class_parse("gpu", &c) && !plan_class_parse("", &c), "no such class");
}

TEST(an_inverted_range_keeps_its_order)
{
    const struct plan_range t = plan_invert((struct plan_range){ 10, 20, 40 }, 1000);
    CHECK(t.low == 25 && t.mid == 50 && t.high == 100, "%g %g %g", t.low, t.mid, t.high);
    CHECK(!plan_is_known(plan_unknown()) && plan_is_known(plan_point(0)), "unknown");
}

TEST(bits_per_weight_match_published_files)
{
    static const struct {
        const char *quant;
        double params, bpw;
    } files[] = { /* file sizes: reference/localscore.md, measured.tsv */
        { "Q4_K_M", 1.236e9, 5.228 }, { "Q4_K_M", 8.03e9, 4.902 }, { "Q4_K_M", 14.77e9, 4.868 }, { "Q4_K_M", 70.55e9, 4.82 },
        { "Q8_0", 8.03e9, 8.5 },      { "F16", 8.03e9, 16 },       { "MXFP4", 116.8e9, 4.339 },
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const double got = plan_quant_bpw(files[i].quant, files[i].params);
        CHECK(fabs(got / files[i].bpw - 1) < 0.03, "%s at %g: %g, file has %g", files[i].quant, files[i].params, got, files[i].bpw);
    }
    CHECK(plan_quant_bpw("4bit-g32", 1e9) == 4.5 && plan_quant_bpw("w8a8", 1e9) == 8 && plan_quant_bpw("nonsense", 1e9) == 0, "names");
}

TEST(sizes_follow_from_parameters_and_bits)
{
    struct plan_model m = { .params = 8e9, .bpw = 4 };
    plan_model_size(&m);
    CHECK(m.weight_bytes == 4000000000u && m.bytes_per_tok == m.weight_bytes, "dense: all is read");
    struct plan_model moe = { .params = 30e9, .active_params = 3e9, .bpw = 8 };
    plan_model_size(&moe);
    CHECK(moe.weight_bytes == 30000000000u && moe.bytes_per_tok == 3000000000u, "experts: a tenth");
}
