/* tests/plan/test_train.c - memory of training against what the papers report. */
#include "plan/train.h"
#include "test.h"

static double gb(uint64_t b) { return (double)b / 1e9; }

TEST(training_takes_what_the_papers_say)
{
    struct plan_model m = { .params = 7.5e9 };
    struct plan_train t = plan_train_memory(&m, PLAN_TRAIN_FULL, 16, 512, 1);
    /* ZeRO, figure 1: 120 GB of states for 7.5 B weights */
    CHECK(gb(t.weights_bytes + t.state_bytes) > 119.9 && gb(t.weights_bytes + t.state_bytes) < 120.1, "%g", gb(t.weights_bytes + t.state_bytes));
    /* QLoRA: 65 B on one 48 GB card, 33 B on one of 24 GB */
    m.params = 65.2e9;
    CHECK(gb(plan_train_memory(&m, PLAN_TRAIN_QLORA, 16, 512, 1).total_bytes) < 48);
    CHECK(gb(plan_train_memory(&m, PLAN_TRAIN_LORA, 16, 512, 1).total_bytes) > 130);
    m.params = 32.5e9;
    CHECK(gb(plan_train_memory(&m, PLAN_TRAIN_QLORA, 16, 512, 1).total_bytes) < 24);
    CHECK(gb(plan_train_memory(&m, PLAN_TRAIN_QLORA, 16, 512, 1).total_bytes) > 17);
    m.params = 8e9;
    CHECK(gb(plan_train_memory(&m, PLAN_TRAIN_FULL, 16, 2048, 1).total_bytes) > 128, "seed 001's 24 GB card does not train 8B in full");
}

TEST(a_shape_is_used_where_it_is_known_and_nonsense_gives_nothing)
{
    struct plan_model m = { .params = 8.03e9, .n_embd = 4096, .n_layer = 32 };
    const struct plan_train t = plan_train_memory(&m, PLAN_TRAIN_LORA, 16, 2048, 2);
    CHECK(t.activations_bytes == (uint64_t)(2 * 32 + 34) * 2048 * 2 * 4096);
    CHECK(t.total_bytes == t.weights_bytes + t.state_bytes + t.adapter_bytes + t.activations_bytes + t.overhead_bytes && t.state_bytes == 0);
    CHECK(plan_train_memory(&m, PLAN_TRAIN_LORA, 0, 2048, 2).total_bytes == 0);
    m.params = 0;
    CHECK(plan_train_memory(&m, PLAN_TRAIN_FULL, 16, 1, 1).total_bytes == 0);
    enum plan_train_kind k;
    CHECK(plan_train_parse("qlora", &k) && k == PLAN_TRAIN_QLORA && !plan_train_parse("QLora ", &k));
}
