/* tools/train/optim.h - one step down the gradient: AdamW, or Muon for the matrices inside.
 *
 * For:     main.c.
 * Touches: memory of its own.
 * Rule:    AdamW (Loshchilov and Hutter 2019) moves gains and embeddings always, and all matrices when
 *          asked; Muon (Jordan 2024: momentum, made orthogonal by five Newton-Schulz steps; scaled by
 *          0.2 sqrt(max(rows, cols)) as in Liu et al. 2025, so that both share one learning rate).
 */
#ifndef TUTTI_TOOLS_TRAIN_OPTIM_H
#define TUTTI_TOOLS_TRAIN_OPTIM_H
#include <stdbool.h>

#include "base/err.h"
#include "model.h"

struct optim;
struct optim *optim_new(struct model *m, bool muon, struct err *err); /* borrows the model */
void optim_free(struct optim *o);
/* Scales the gradients so that their norm is at most `clip`; returns the norm before. */
double optim_clip(struct model *m, double clip);
/* step counts from 0 */
bool optim_step(struct optim *o, int64_t step, double lr, double weight_decay, struct err *err);
/* Both moments, for checkpoints: 2 x model_layout()->n floats. */
float *optim_moments(struct optim *o);
#endif
