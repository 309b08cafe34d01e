/* plan/sharing.c - see sharing.h. */
#include "plan/sharing.h"

enum { UBATCH = 512 };

static double total_s(const struct plan_stage *stage, int n, bool is_pp, double end[static 3], double add_s)
{
    end[0] = end[1] = end[2] = add_s;
    for (int i = 0; i < n; i++) {
        const struct plan_range r = is_pp ? stage[i].pp_tps : stage[i].tg_tps;
        end[0] += stage[i].share / r.high, end[1] += stage[i].share / r.mid, end[2] += stage[i].share / r.low;
    }
    return end[1];
}

void plan_split_speed(const struct plan_stage *stage, int n, const struct plan_hop *hop, int n_embd, struct plan_range *pp_tps, struct plan_range *tg_tps)
{
    const double bytes = 4.0 * n_embd, hops = n - 1, latency_s = hop->latency_us * 1e-6, bps = hop->gbps * 1e9;
    double t[3];
    total_s(stage, n, false, t, hops * (latency_s + bytes / bps));
    *tg_tps = (struct plan_range){ 1 / t[2], 1 / t[1], 1 / t[0] };
    total_s(stage, n, true, t, hops * (latency_s / UBATCH + bytes / bps));
    *pp_tps = (struct plan_range){ 1 / t[2], 1 / t[1], 1 / t[0] };
}

void plan_offload_speed(double share_device, const struct plan_speed *device, const struct plan_speed *host, double host_bytes, double link_gbps, struct plan_range *pp_tps,
                        struct plan_range *tg_tps)
{
    const struct plan_stage stage[2] = { { share_device, device->pp_tps, device->tg_tps }, { 1 - share_device, host->pp_tps, host->tg_tps } };
    double t[3];
    total_s(stage, 2, false, t, 0);
    *tg_tps = (struct plan_range){ 1 / t[2], 1 / t[1], 1 / t[0] };
    /* all layers at the device's speed, and the streaming; where the link is too slow the CPU does its part itself */
    const double stream_s = link_gbps > 0 ? host_bytes / (link_gbps * 1e9) / UBATCH : INFINITY;
    double by_cpu[3], by_link[3] = { 1 / device->pp_tps.high + stream_s, 1 / device->pp_tps.mid + stream_s, 1 / device->pp_tps.low + stream_s };
    total_s(stage, 2, true, by_cpu, 0);
    const double *best = by_link[1] < by_cpu[1] ? by_link : by_cpu;
    *pp_tps = (struct plan_range){ 1 / best[2], 1 / best[1], 1 / best[0] };
}

struct plan_range plan_batch_tps(const struct plan_speed_query *q, const struct plan_speed *s, int n_users)
{
    if (n_users <= 1 || !plan_is_known(s->tg_tps) || !plan_is_known(s->pp_tps))
        return s->tg_tps;
    const double n = n_users, share = q->active_params > 0 && q->active_params < q->params ? q->active_params / q->params : 1;
    const double weights = share < 1 ? (1 - pow(1 - share, n)) / share : 1; /* experts that n tokens choose, of those that one does */
    /* multiplying costs what it costs in a prompt, or the decode kernel's price if that is less */
    const double each = fmin(s->tg_compute_s, 1 / s->pp_tps.mid), first = s->tg_fixed_s + s->tg_weights_s * weights + s->tg_compute_s + s->tg_kv_s;
    const double step = first + (n - 1) * (each + s->tg_kv_s), prefill_bound = n / s->pp_tps.mid;
    const double tps = n / fmax(step, prefill_bound);
    return plan_scale(s->tg_tps, tps / s->tg_tps.mid);
}
