/* plan/sharing.h - one model over several places, and several users over one model.
 *
 * For:     fit tables, placement.
 * Touches: nothing.
 * Rule:    seconds and tokens/s; what a stage takes is its share of the layers times what the whole model would take there.
 *          A token goes through all stages one after the other; a prompt overlaps nothing either (as llama.cpp runs it).
 */
#ifndef TUTTI_PLAN_SHARING_H
#define TUTTI_PLAN_SHARING_H
#include "plan/speed.h"

struct plan_stage {
    double share;                      /* of the layers; all together 1 */
    struct plan_range pp_tps, tg_tps;  /* the whole model there */
};
struct plan_hop { /* between two stages */
    double gbps, latency_us;           /* usable GB/s one way, one way latency */
};
/* n stages with the same hop between each: activations of n_embd F32 values per token travel.  Rates of the whole. */
void plan_split_speed(const struct plan_stage *stage, int n, const struct plan_hop *hop, int n_embd, struct plan_range *pp_tps, struct plan_range *tg_tps);

/* Partial offload: the layers that stay in main memory are multiplied there at decode; at prefill they are
 * streamed to the device in every micro-batch of 512 tokens, host_bytes / link.  host: the whole model on the CPU. */
void plan_offload_speed(double share_device, const struct plan_speed *device, const struct plan_speed *host, double host_bytes, double link_gbps, struct plan_range *pp_tps,
                        struct plan_range *tg_tps);

/* Tokens per second of n users together who all generate: a step reads the weights once (of experts: as many as n tokens
 * choose), every user's K/V, and multiplies for each; q and s are those of one user.  One user: s->tg_tps. */
struct plan_range plan_batch_tps(const struct plan_speed_query *q, const struct plan_speed *s, int n_users);
#endif
