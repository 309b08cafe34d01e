/* cmd/detect_runs.c - the end of `tutti detect`: what runs here (advise/fit.h). */
#include <inttypes.h>

#include "cmd/advice.h"
#include "cmd/detect_internal.h"
#include "cmd/out.h"

static void print_model(FILE *to, const char *what, const struct fit_row *r)
{
    char line[320], speed[64] = "speed not known here: tutti bench";
    if (plan_is_known(r->tg_tps))
        snprintf(speed, sizeof(speed), "%.2g to %.2g tokens/s (predicted)", r->tg_tps.low, r->tg_tps.high);
    snprintf(line, sizeof(line), "%s %s %s with %s: %.1f GB, %s", what, r->model.name, r->model.quant, r->runtime, (double)r->need.total / 1e9, speed);
    out_wrap(to, 14, OUT_WIDTH, line);
}

void detect_print_runs(FILE *to, const struct fit_summary *runs)
{
    if (!runs)
        return;
    fprintf(to, "runs          on %s (more: tutti fit)\n", runs->device.plan.name);
    if (runs->has_best)
        print_model(to, "best:", &runs->best);
    print_model(to, "largest:", &runs->largest);
}

static void put_model(struct buf *b, const char *key, const struct fit_row *r)
{
    buf_printf(b, ",\"%s\":{", key);
    advice_json_text(b, "model", r->model.name);
    advice_json_text(b, "quant", r->model.quant);
    advice_json_text(b, "runtime", r->runtime);
    buf_printf(b, ",\"total_bytes\":%" PRIu64, r->need.total);
    advice_json_range(b, "pp_tps", r->pp_tps);
    advice_json_range(b, "tg_tps", r->tg_tps);
    advice_json_range(b, "ttft_ms", r->ttft_ms);
    advice_json_text(b, "why", r->why);
    buf_puts(b, "}");
}

void detect_put_runs(struct buf *b, const struct fit_summary *runs)
{
    buf_puts(b, runs ? ",\"runs\":{" : ",\"runs\":null");
    if (!runs)
        return;
    advice_json_text(b, "device", runs->device.plan.name);
    advice_json_text(b, "class", plan_class_name(runs->device.plan.cls));
    if (runs->has_best)
        put_model(b, "best", &runs->best);
    else
        buf_puts(b, ",\"best\":null");
    put_model(b, "largest", &runs->largest);
    buf_puts(b, "}");
}
