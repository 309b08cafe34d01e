/* tests/plan/test_sharing.c - several places, several users: what must hold whatever the figures are. */
#include <math.h>

#include "plan/sharing.h"
#include "test.h"

static struct plan_speed_query card(double params, double active)
{
    return (struct plan_speed_query){ .device = "GeForce RTX 4090", .cls = PLAN_NVIDIA, .mem_gb = 24, .bw_gbps = 1008, .peak_tflops = 330, .runtime = "llama.cpp CUDA", .quant = "Q4_K_M", .params = params,
                                      .active_params = active, .bpw = 4.9, .work = plan_workload_one(512, 128, 0) };
}

TEST(users_together_get_more_and_each_gets_less)
{
    const struct plan_speed_query q[2] = { card(8e9, 8e9), card(30e9, 3e9) };
    for (int m = 0; m < 2; m++) {
        const struct plan_speed s = plan_speed_predict(&q[m]);
        double last = 0, last_each = INFINITY;
        for (int n = 1; n <= 256; n *= 2) {
            const struct plan_range all = plan_batch_tps(&q[m], &s, n);
            CHECK(all.mid >= last && all.mid / n <= last_each * 1.0000001 && all.low <= all.mid && all.mid <= all.high, "%d users: %g", n, all.mid);
            CHECK(all.mid <= s.pp_tps.mid * 1.0001, "%d users: not above the prefill rate", n);
            last = all.mid, last_each = all.mid / n;
        }
        CHECK(plan_batch_tps(&q[m], &s, 1).mid == s.tg_tps.mid, "one user");
    }
}

TEST(a_split_lies_between_its_places_and_a_slow_link_costs)
{
    const struct plan_stage stage[2] = { { 0.5, { 90, 100, 110 }, { 9, 10, 11 } }, { 0.5, { 450, 500, 550 }, { 45, 50, 55 } } };
    struct plan_range pp, tg, pp2, tg2;
    plan_split_speed(stage, 2, &(struct plan_hop){ 100, 0 }, 4096, &pp, &tg);
    CHECK(fabs(tg.mid - 1 / (0.5 / 10 + 0.5 / 50)) < 1e-3 && tg.low < tg.mid && tg.mid < tg.high, "%g", tg.mid);
    plan_split_speed(stage, 2, &(struct plan_hop){ 0.11, 200 }, 4096, &pp2, &tg2);
    CHECK(tg2.mid < tg.mid && tg2.mid > 0.99 * tg.mid, "a gigabit link hardly hurts decode: %g of %g", tg2.mid, tg.mid);
    CHECK(pp2.mid < 0.99 * pp.mid, "prefill more: %g of %g", pp2.mid, pp.mid);
}

TEST(more_layers_on_the_device_are_never_slower)
{
    struct plan_speed_query q = card(70e9, 70e9);
    const struct plan_speed device = plan_speed_predict(&q);
    q.device = "Ryzen 9 7950X", q.cls = PLAN_CPU, q.bw_gbps = 83.2, q.peak_tflops = 2.9, q.runtime = "llama.cpp CPU";
    const struct plan_speed host = plan_speed_predict(&q);
    double last_tg = 0, last_pp = 0;
    for (int i = 0; i <= 10; i++) {
        struct plan_range pp, tg;
        plan_offload_speed(i / 10.0, &device, &host, (1 - i / 10.0) * 42e9, 25, &pp, &tg);
        CHECK(tg.mid >= last_tg && pp.mid >= last_pp, "%d/10: %g, %g", i, tg.mid, pp.mid);
        last_tg = tg.mid, last_pp = pp.mid;
    }
    CHECK(fabs(last_tg / device.tg_tps.mid - 1) < 1e-9, "all on the device");
}
