/* cmd/fit_matrix.c - `tutti fit --matrix edge`: seed 001's edge devices x model sizes, with today's figures. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "advise/model.h"
#include "cmd/advice.h"
#include "cmd/fit_internal.h"
#include "cmd/out.h"

/* The seed's devices, as the catalog knows them.  A Coral changes nothing: it runs int8 TFLite graphs from 8 MB of
 * memory, no language model (../shared/reference/seed-errors.md, 001-27). */
static const struct {
    const char *label, *spec;
} places[] = {
    { "Raspberry Pi 5 (8GB)", "Raspberry Pi 5,mem=8" },
    { "Pi 5 + Coral (CPU alone)", "Raspberry Pi 5,mem=8" },
    { "Jetson Orin Nano (8GB)", "Jetson Orin Nano Super 8GB (25 W)" },
    { "Jetson AGX Orin (64GB)", "Jetson AGX Orin 64GB" },
    { "iPhone 15 Pro (A17)", "Apple A17 Pro (iPhone 15 Pro)" },
    { "iPhone 16 Pro (A18)", "Apple A18 Pro (iPhone 16 Pro)" },
    { "Galaxy S25 Ultra", "Snapdragon 8 Elite (Galaxy S25 Ultra)" },
    { "Pixel 9 Pro (Tensor G4)", "Tensor G4 (Pixel 9 Pro)" },
    { "Orange Pi 5 (RK3588 NPU)", "RK3588 NPU,mem=16" },
};
static const char *const sizes[] = { "1.5b", "3b", "7b", "13b", "34b", "70b" };
enum { N_PLACES = sizeof(places) / sizeof(places[0]), N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static bool row_of(struct fit_row row[N_SIZES], struct device *d, struct catalog *c, int place, struct err *err)
{
    const struct fit_options opt = { .n_ctx = 2048 };
    if (!device_of_spec(d, c, places[place].spec, err))
        return false;
    if (d->plan.cls == PLAN_SOC)
        snprintf(d->plan.runtime, sizeof(d->plan.runtime), "llama.cpp CPU");
    else if (d->plan.cls == PLAN_NPU)
        snprintf(d->plan.runtime, sizeof(d->plan.runtime), "RKLLM NPU");
    for (int s = 0; s < N_SIZES; s++) {
        struct plan_model m;
        if (!advise_model_find(&m, c, sizes[s], d->plan.cls == PLAN_NPU ? "w4a16" : "Q4_K_M", err))
            return false;
        fit_one(&row[s], d, NULL, &m, &opt);
    }
    return true;
}

int fit_matrix_edge(struct catalog *c, bool is_json)
{
    static const struct out_column columns[] = { { "device", OUT_SHRINK }, { "1.5B", OUT_RIGHT }, { "3B", OUT_RIGHT }, { "7B", OUT_RIGHT }, { "13B", OUT_RIGHT }, { "34B", OUT_RIGHT }, { "70B", OUT_RIGHT } };
    struct err err = { 0 };
    struct out_table t;
    struct buf b;
    bool ok = true;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"matrix\":\"edge\",\"n_ctx\":2048,\"devices\":[");
    out_table_init(&t, columns, N_SIZES + 1);
    for (int i = 0; ok && i < N_PLACES; i++) {
        struct fit_row row[N_SIZES];
        struct device d;
        ok = row_of(row, &d, c, i, &err);
        out_row(&t);
        out_cell(&t, "%s", places[i].label);
        buf_puts(&b, i ? ",{" : "{");
        advice_json_text(&b, "device", places[i].label);
        advice_json_text(&b, "catalog", d.plan.name);
        buf_puts(&b, ",\"models\":[");
        for (int s = 0; ok && s < N_SIZES; s++) {
            const bool runs = row[s].place.fits <= PLAN_TIGHT;
            buf_puts(&b, s ? ",{" : "{");
            advice_json_text(&b, "size", sizes[s]);
            buf_printf(&b, ",\"fits\":%s", runs ? "true" : "false");
            advice_json_range(&b, "tg_tps", runs ? row[s].tg_tps : plan_unknown());
            buf_puts(&b, "}");
            if (runs)
                fit_put_range(&t, row[s].tg_tps, true);
            else
                out_cell(&t, "---");
        }
        buf_puts(&b, "]}");
    }
    buf_puts(&b, "]}");
    if (ok && !is_json) {
        printf("Tokens per second that a 4-bit model generates; --- does not fit in memory\n");
        ok = out_table_print(&t, stdout, OUT_WIDTH, &err);
        printf("Predictions, 80 %% lie within; boards and phones run it by CPU, Jetson by GPU.\n");
    }
    out_table_fini(&t);
    if (ok && is_json)
        return advice_print_json(&b);
    buf_fini(&b);
    return ok ? 0 : cmd_fail(&err);
}
