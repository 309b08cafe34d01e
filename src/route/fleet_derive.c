/* route/fleet_derive.c - what a model of the catalog does on a device of the catalog; see fleet.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "advise/model.h"
#include "plan/memory.h"
#include "plan/speed.h"
#include "route/fleet_internal.h"

/* Shares of the stated peak that networks for pictures and sound reach with a good runtime at batch 1: medians of what ONNX Runtime and
 * TensorRT users report; rough, +-2x.  A measured `item` or `sound_s_s` says it better. */
static const double PICTURE_PEAK_FRAC = .15, SOUND_PEAK_FRAC = .15, READ_FRAC = .6;
static const double PICTURE_FIXED_S = .004; /* decoding and scaling a picture */
enum { WHISPER_FRAMES_S = 50, WHISPER_TOK_S = 4 };

static double peak_flops(const struct plan_device *d)
{
    const double tflops = d->fp16_tflops > 0 ? d->fp16_tflops : d->fp32_tflops > 0 ? d->fp32_tflops : d->int8_tops > 0 ? d->int8_tops / 2 : 0;
    return 1e12 * tflops * d->n_devices;
}

static bool check_memory(struct fleet_reader *r, const struct yaml_node *map, const struct plan_device *d, const struct plan_model *m, const struct candidate *c, struct err *err)
{
    const struct plan_memory_options o = { .engine = plan_engine_of(d->runtime), .cls = d->cls, .n_ctx = c->n_ctx, .n_seq = c->n_parallel };
    const uint64_t need = plan_memory_of(m, &o).total, have = plan_usable_bytes(d) * (uint64_t)d->n_devices;
    if (have > 0 && need > have)
        return yaml_fail(r->f->yaml, yaml_get(map, "model"), err, "%s needs %.1f GB with its context, %s has %.1f GB for it", m->name, (double)need / 1e9, d->name,
                         (double)have / 1e9);
    return true;
}

static void derive_text(const struct plan_device *d, const struct plan_model *m, struct candidate *c)
{
    struct plan_speed_query q = plan_speed_query_for(d, m, d->runtime);
    q.kv_bytes_per_tok = (double)plan_kv_bytes_per_tok(m, 16);
    q.work = plan_workload_one(512, 128, 0);
    const struct plan_speed s = plan_speed_predict(&q);
    if (plan_is_known(s.pp_tps))
        c->prefill_tok_s = (float)s.pp_tps.mid;
    if (plan_is_known(s.tg_tps))
        c->decode_tok_s = (float)s.tg_tps.mid;
}

bool fleet_derive(struct fleet_reader *r, const struct yaml_node *map, const struct plan_device *d, struct candidate *c, struct err *err)
{
    const struct yaml *y = r->f->yaml;
    const char *name = NULL, *quant = NULL;
    struct err why = { 0 };
    struct plan_model m;
    r->active_params = 0;
    if (!yaml_text(y, map, "model", &name, err) || !yaml_text(y, map, "quant", &quant, err))
        return false;
    if (d->name[0] && isnan(c->busy_w) && d->load_w > 0)
        c->busy_w = (float)fmax(0, d->load_w - d->idle_w);
    if (!name)
        return true;
    if (!advise_model_find(&m, r->catalog, name, quant ? quant : "Q4_K_M", &why))
        return yaml_fail(y, yaml_get(map, quant && strstr(why.text, "quantization") ? "quant" : "model"), err, "model: %s", why.text);
    const struct catalog_table *models = catalog_table(r->catalog, "model", &why);
    const struct catalog_row *row = models ? catalog_find(models, m.name, &why) : NULL;
    const char *task = row ? catalog_text(row, "task") : "llm", *modality = row ? catalog_text(row, "modality") : "text";
    const bool is_text = strcmp(task, "llm") == 0;
    c->params = m.params, c->bits = (float)m.bpw;
    r->active_params = m.active_params;
    if (is_text && !c->tasks)
        c->tasks = EXPERT_CHAT | EXPERT_COMPLETE;
    if (strcmp(task, "embed") == 0 && !c->tasks)
        c->tasks = EXPERT_EMBED;
    if (strcmp(task, "stt") == 0 && !c->tasks)
        c->tasks = EXPERT_TRANSCRIBE;
    if (strcmp(task, "tts") == 0 && !c->tasks)
        c->tasks = EXPERT_SPEAK;
    c->sees = is_text && strstr(modality, "vision") != NULL;
    if (is_text && !c->n_ctx)
        c->n_ctx = m.n_ctx_train > 0 && m.n_ctx_train < 8192 ? m.n_ctx_train : 8192;
    if (m.weight_bytes > 0)
        c->load_s = (float)(.5 + (double)m.weight_bytes / (double)r->disk_bytes_s[c->node]);
    if (!d->name[0])
        return true;
    if (is_text && !check_memory(r, map, d, &m, c, err))
        return false;
    const double peak = peak_flops(d), forward = row ? 1e9 * catalog_number_or(row, "forward_gflops", 0) : 0;
    if (is_text || strcmp(task, "embed") == 0)
        derive_text(d, &m, c);
    if (c->sees && peak > 0) /* a picture is some 1000 positions of the model itself */
        c->item_s = (float)(PICTURE_FIXED_S + 2 * m.params * 1000 / (PICTURE_PEAK_FRAC * peak));
    if (forward > 0 && peak > 0)
        c->item_s = (float)(PICTURE_FIXED_S + forward / (PICTURE_PEAK_FRAC * peak));
    if (strcmp(task, "stt") == 0 && peak > 0 && d->bw_gbps > 0) /* half of the weights hear, half write */
        c->sound_s_s = (float)(WHISPER_FRAMES_S * m.params / (SOUND_PEAK_FRAC * peak) + WHISPER_TOK_S * (double)m.bytes_per_tok / 2 / (READ_FRAC * d->bw_gbps * 1e9));
    return true;
}
