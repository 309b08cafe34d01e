/* plan/train.h - the memory that training takes: full, LoRA, QLoRA.
 *
 * For:     recommend.
 * Touches: nothing; pure functions.
 * Rule:    the optimizer is AdamW in mixed precision.  Estimates: right to some 15 % for dense transformers with
 *          gradient checkpointing and fused attention; without them activations are several times larger.
 *
 * Sources: 16 bytes a trained weight (2 weight, 2 gradient, 4 master copy, 4 + 4 moments): Rajbhandari et al. 2020,
 * "ZeRO", section 3.1.  Activations with full recomputation, 2 bytes * seq * batch * width a layer, and 34 of them for
 * the one layer in work: Korthikanti et al. 2022, "Reducing Activation Recomputation", table 2.  QLoRA: 4 bits and
 * 0.127 bits of constants a frozen weight: Dettmers et al. 2023, section 3.
 */
#ifndef TUTTI_PLAN_TRAIN_H
#define TUTTI_PLAN_TRAIN_H
#include <stdbool.h>
#include <stdint.h>

#include "plan/model.h"

/* name on the command line, name for people.  ORDER PLAN_TRAIN */
#define PLAN_TRAIN_KINDS(X)       \
    X(FULL, "full", "full training") \
    X(LORA, "lora", "LoRA")       \
    X(QLORA, "qlora", "QLoRA")
enum plan_train_kind {
#define X(id, name, people) PLAN_TRAIN_##id,
    PLAN_TRAIN_KINDS(X)
#undef X
        PLAN_TRAIN_COUNT
};
const char *plan_train_people(enum plan_train_kind k);
bool plan_train_parse(const char *name, enum plan_train_kind *out);

struct plan_train {
    uint64_t weights_bytes;   /* frozen or trained, as they lie in memory */
    uint64_t state_bytes;     /* gradients, master copy, moments */
    uint64_t adapter_bytes;   /* LoRA matrices with their own state */
    uint64_t activations_bytes;
    uint64_t overhead_bytes;  /* context and allocator of the framework: 1 GB */
    uint64_t total_bytes;
};
/* rank: of the LoRA matrices on all linear layers (16 is usual); seq tokens, batch sequences at once.  All zero when the
 * model's number of weights is not known.  Without a shape, width and layers are those of a dense model of that
 * size (12 * layers * width^2 weights, width = 128 * layers). */
struct plan_train plan_train_memory(const struct plan_model *m, enum plan_train_kind kind, int rank, int seq, int batch);
#endif
