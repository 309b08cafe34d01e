/* cmd/fit_split.c - `tutti fit --split LINK`: one model over several machines. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/advice.h"
#include "cmd/fit_internal.h"
#include "cmd/out.h"
#include "plan/sharing.h"

struct split {
    bool fits, is_known;
    struct plan_range pp_tps, tg_tps;
    double share[FIT_DEVICES_MAX];
};

/* Layers go where memory is, in proportion to what each place can hold. */
static void split_one(struct split *s, const struct fit_job *j, const struct plan_model *m, const struct plan_hop *hop)
{
    struct plan_stage stage[FIT_DEVICES_MAX];
    struct fit_row r;
    double room = 0;
    *s = (struct split){ .pp_tps = plan_unknown(), .tg_tps = plan_unknown(), .is_known = true };
    for (int i = 0; i < j->n_devices; i++) {
        s->is_known &= j->device[i].plan.mem_bytes > 0;
        room += (double)plan_usable_bytes(&j->device[i].plan) * j->device[i].plan.n_devices;
    }
    if (!s->is_known || !(room > 0))
        return;
    double needed = 0;
    for (int i = 0; i < j->n_devices; i++) {
        const struct plan_device *p = &j->device[i].plan;
        fit_one(&r, &j->device[i], NULL, m, &j->options);
        s->share[i] = (double)plan_usable_bytes(p) * p->n_devices / room;
        stage[i] = (struct plan_stage){ s->share[i], r.pp_tps, r.tg_tps };
        if (!r.is_memory_known || !plan_is_known(r.tg_tps))
            return;
        needed += (double)(r.need.compute + r.need.runtime);
        if (i + 1 == j->n_devices)
            s->fits = needed + (double)(r.need.weights + r.need.kv) <= room;
    }
    plan_split_speed(stage, j->n_devices, hop, m->n_embd > 0 ? m->n_embd : (int)(1950 * pow(m->params / 1e9, 0.33)), &s->pp_tps, &s->tg_tps);
}

static void put_json(struct buf *b, const struct fit_job *j, const struct plan_model *m, const struct split *s)
{
    buf_puts(b, "{");
    advice_json_text(b, "model", m->name);
    advice_json_text(b, "quant", m->quant);
    buf_printf(b, ",\"fits\":%s", s->fits ? "true" : "false");
    advice_json_range(b, "pp_tps", s->fits ? s->pp_tps : plan_unknown());
    advice_json_range(b, "tg_tps", s->fits ? s->tg_tps : plan_unknown());
    buf_puts(b, ",\"shares\":[");
    for (int i = 0; i < j->n_devices; i++)
        buf_printf(b, "%s%.4f", i ? "," : "", s->share[i]);
    buf_puts(b, "]}");
}

int fit_split(struct fit_job *j, const char *link)
{
    static const struct out_column columns[] = { { "model", OUT_SHRINK }, { "quant", OUT_LEFT }, { "fits", OUT_LEFT }, { "prompt/s", OUT_RIGHT }, { "decode/s", OUT_RIGHT } };
    struct err err = { 0 };
    const struct catalog_table *links = catalog_table(j->catalog, "interconnect", &err);
    const struct catalog_row *row = links ? catalog_find(links, link, &err) : NULL;
    if (!row)
        return cmd_fail(&err);
    const struct plan_hop hop = { catalog_number_or(row, "usable_gbps", 0), catalog_number_or(row, "latency_us", 100) };
    if (!(hop.gbps > 0) || j->n_devices < 2) {
        err_set(&err, ERR_INPUT, "--split %s: %s", link, j->n_devices < 2 ? "at least two --on are needed" : "its rate is not known");
        cmd_fail(&err);
        return 2;
    }
    struct out_table t;
    struct buf b;
    bool any = false;
    out_table_init(&t, columns, 5);
    buf_init(&b, 16 << 20);
    buf_puts(&b, "{");
    advice_json_text(&b, "link", catalog_name(row));
    advice_json_number(&b, "link_gbps", hop.gbps);
    advice_json_number(&b, "latency_us", hop.latency_us);
    buf_puts(&b, ",\"models\":[");
    for (int k = 0; k < j->n_rows; k++) {
        struct split s;
        split_one(&s, j, &j->model[k], &hop);
        any |= s.fits;
        if (k)
            buf_puts(&b, ",");
        put_json(&b, j, &j->model[k], &s);
        out_row(&t);
        out_cell(&t, "%s", j->model[k].name);
        out_cell(&t, "%s", j->model[k].quant);
        out_cell(&t, "%s", !s.is_known ? "?" : s.fits ? "fits" : "no");
        fit_put_range(&t, s.pp_tps, s.fits);
        fit_put_range(&t, s.tg_tps, s.fits);
    }
    buf_puts(&b, "]}");
    int rc = any ? 0 : 1;
    if (j->is_json)
        rc = advice_print_json(&b) ? 1 : rc;
    else {
        printf("layers over");
        for (int i = 0; i < j->n_devices; i++)
            printf("%s %s", i ? " +" : "", j->device[i].plan.name);
        printf("\nlink: %s, %.3g GB/s (catalog: %s)\n", catalog_name(row), hop.gbps, catalog_text(row, "date"));
        if (!out_table_print(&t, stdout, OUT_WIDTH, &err))
            rc = cmd_fail(&err);
        else
            printf("All speeds are predictions (80 %% of machines lie within).  A token passes all places in turn.\n");
        buf_fini(&b);
    }
    out_table_fini(&t);
    return rc;
}
